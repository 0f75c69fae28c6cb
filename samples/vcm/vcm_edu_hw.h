/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's "edu" device (QEMU, docs/specs/edu): a DMA engine between memory and RAM
 * that the device has inside
 *
 * For the sample importer and for the one that the tests have.
 */
#ifndef _VCM_EDU_HW_H
#define _VCM_EDU_HW_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#define EDU_HW_MAX_DEVICES	8

/* QEMU's default for dma_mask=; the device does not tell what it has. */
#define EDU_HW_DMA_BITS		28

#define EDU_HW_REG_IRQ_STATUS	0x24
#define EDU_HW_REG_IRQ_ACK	0x64
#define EDU_HW_REG_DMA_SRC	0x80
#define EDU_HW_REG_DMA_DST	0x88
#define EDU_HW_REG_DMA_COUNT	0x90
#define EDU_HW_REG_DMA_CMD	0x98

#define EDU_HW_DMA_RUN		BIT(0)
#define EDU_HW_DMA_TO_MEMORY	BIT(1)
#define EDU_HW_DMA_IRQ		BIT(2)

/* Where the device's RAM is, as its DMA engine sees it */
#define EDU_HW_RAM_BASE		0x40000

/* A transfer takes 100 ms; the rest is for a busy host. */
#define EDU_HW_TIMEOUT		(10 * HZ)

static const struct pci_device_id edu_hw_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_hw_ids);

/**
 * struct edu_hw - a device that a driver is bound to
 * @regs: its registers
 * @done: completed by the interrupt at the end of a transfer
 */
struct edu_hw {
	void __iomem *regs;
	struct completion done;
};

static inline irqreturn_t edu_hw_irq(int irq, void *data)
{
	struct edu_hw *hw = data;
	u32 status = readl(hw->regs + EDU_HW_REG_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, hw->regs + EDU_HW_REG_IRQ_ACK);
	complete(&hw->done);
	return IRQ_HANDLED;
}

/* Makes a device ready for DMA with addresses of so many bits, until it is unbound. */
static inline struct edu_hw *edu_hw_init(struct pci_dev *pdev, unsigned int bits)
{
	struct edu_hw *hw = devm_kzalloc(&pdev->dev, sizeof(*hw), GFP_KERNEL);
	int ret;

	if (!hw)
		return ERR_PTR(-ENOMEM);
	init_completion(&hw->done);
	ret = pcim_enable_device(pdev);
	if (ret)
		return ERR_PTR(ret);
	hw->regs = pcim_iomap_region(pdev, 0, pci_name(pdev));
	if (IS_ERR(hw->regs))
		return ERR_CAST(hw->regs);

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(bits));
	if (ret)
		return ERR_PTR(ret);
	/* The engine takes any address and length: no need to cut segments. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	pci_set_master(pdev);

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (ret < 0)
		return ERR_PTR(ret);
	ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0), edu_hw_irq,
			       IRQF_SHARED, "vcm-edu", hw);
	return ret ? ERR_PTR(ret) : hw;
}

/* One transfer, of a range in the device's RAM. Sleeps. Returns 0 or -ETIMEDOUT. */
static inline int edu_hw_transfer(struct edu_hw *hw, bool to_memory,
				  dma_addr_t addr, u32 ram, u32 len)
{
	reinit_completion(&hw->done);
	ram += EDU_HW_RAM_BASE;
	writeq(to_memory ? ram : addr, hw->regs + EDU_HW_REG_DMA_SRC);
	writeq(to_memory ? addr : ram, hw->regs + EDU_HW_REG_DMA_DST);
	writeq(len, hw->regs + EDU_HW_REG_DMA_COUNT);
	writeq(EDU_HW_DMA_RUN | EDU_HW_DMA_IRQ |
	       (to_memory ? EDU_HW_DMA_TO_MEMORY : 0),
	       hw->regs + EDU_HW_REG_DMA_CMD);
	return wait_for_completion_timeout(&hw->done, EDU_HW_TIMEOUT) ? 0 : -ETIMEDOUT;
}

/*
 * The number of a device, or -ENOSPC. By its PCI address: it keeps its number,
 * whatever was bound or failed before it.
 */
static inline int edu_hw_number(struct pci_dev *pdev)
{
	u64 address = ((u64)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev)) + 1;
	static u64 addresses[EDU_HW_MAX_DEVICES];
	static DEFINE_MUTEX(lock);
	int n;

	guard(mutex)(&lock);
	for (n = 0; n < EDU_HW_MAX_DEVICES; n++) {
		if (!addresses[n])
			addresses[n] = address;
		if (addresses[n] == address)
			return n;
	}
	return -ENOSPC;
}

#endif /* _VCM_EDU_HW_H */
