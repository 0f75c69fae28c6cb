// SPDX-License-Identifier: GPL-2.0
/*
 * An importer with an address space of its own for a device, to copy. The device is QEMU's
 * edu, which has a DMA engine and some RAM: it copies the beginning of a buffer that a
 * program gives to it, and while it does, it reaches that buffer and nothing else.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/vcm-iommu.h>

#include "vcm-example.h"

#define REG_SRC		0x80
#define REG_DST		0x88
#define REG_COUNT	0x90
#define REG_CMD		0x98
#define CMD_RUN		BIT(0)
#define CMD_TO_MEMORY	BIT(1)
#define RAM		0x40000

/* One device, and no space when it has gone: a file may be open longer. */
static DEFINE_MUTEX(example_lock);
static struct vcm_space *example_space;
static void __iomem *example_regs;

static int example_transfer(u64 src, u64 dst, u32 cmd)
{
	u32 now;

	writeq(src, example_regs + REG_SRC);
	writeq(dst, example_regs + REG_DST);
	writeq(VCM_EXAMPLE_LEN, example_regs + REG_COUNT);
	writeq(cmd | CMD_RUN, example_regs + REG_CMD);
	return readl_poll_timeout(example_regs + REG_CMD, now, !(now & CMD_RUN),
				  USEC_PER_MSEC, 10 * USEC_PER_SEC);
}

/* In the space: the addresses that the device uses are the space's. */
static int example_run(u64 addr)
{
	int ret = vcm_space_activate(example_space);

	if (ret)
		return ret;
	ret = example_transfer(addr, RAM, 0);
	if (!ret)
		ret = example_transfer(RAM, addr + VCM_EXAMPLE_LEN, CMD_TO_MEMORY);
	vcm_space_deactivate(example_space);
	return ret;
}

/* To map a buffer in a space is to attach it to the space's device. */
static int example_copy(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	int ret = -EINVAL;

	attachment = dma_buf_attach(dmabuf, vcm_space_dev(example_space));
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
		goto err_detach;
	}
	if (sg_dma_len(sgt->sgl) >= 2 * VCM_EXAMPLE_LEN)
		ret = example_run(sg_dma_address(sgt->sgl));
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
err_detach:
	dma_buf_detach(dmabuf, attachment);
	return ret;
}

static long example_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf *dmabuf;
	long ret;

	if (cmd != VCM_EXAMPLE_COPY)
		return -ENOTTY;
	dmabuf = dma_buf_get(arg);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	scoped_guard(mutex, &example_lock)
		ret = example_space ? example_copy(dmabuf) : -ENODEV;
	dma_buf_put(dmabuf);
	return ret;
}

static const struct file_operations example_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = example_ioctl,
};

static struct miscdevice example_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vcm-example",
	.fops = &example_fops,
};

static int example_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct vcm_space_args args = { .start = SZ_1M, .len = SZ_128M };
	struct vcm_space *space;
	int ret;

	guard(mutex)(&example_lock);
	if (example_space)
		return -ENODEV;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	example_regs = pcim_iomap_region(pdev, 0, pci_name(pdev));
	if (IS_ERR(example_regs))
		return PTR_ERR(example_regs);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (ret)
		return ret;
	/* A space has the limits that its parent has now. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);

	/* It ends when the driver is unbound. */
	space = devm_vcm_space_create(&pdev->dev, &args);
	if (IS_ERR(space))
		return PTR_ERR(space);
	ret = misc_register(&example_misc);
	if (!ret)
		example_space = space;
	return ret;
}

static void example_remove(struct pci_dev *pdev)
{
	misc_deregister(&example_misc);
	scoped_guard(mutex, &example_lock)
		example_space = NULL;
}

static const struct pci_device_id example_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};
MODULE_DEVICE_TABLE(pci, example_ids);

static struct pci_driver example_driver = {
	.name = "vcm-example",
	.id_table = example_ids,
	.probe = example_probe,
	.remove = example_remove,
	/* All of its DMA is in spaces: between two of them it reaches nothing. */
	.driver_managed_dma = true,
};
module_pci_driver(example_driver);

MODULE_DESCRIPTION("Example of an importer with an address space for its device");
MODULE_LICENSE("GPL");
/* The namespaces of what the project's modules and dma-buf export. */
MODULE_IMPORT_NS("VCM_IOMMU");
MODULE_IMPORT_NS("DMA_BUF");
