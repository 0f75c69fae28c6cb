// SPDX-License-Identifier: GPL-2.0
/*
 * An importer whose device works on more memory than it can address, to copy. All buffers
 * stay mapped, each in a space of a set, and for a job the device is switched to the space
 * of the buffer. The device is QEMU's edu with its 28 address bits.
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

#include "vcm-jobs.h"

#define REG_SRC		0x80
#define REG_DST		0x88
#define REG_COUNT	0x90
#define REG_CMD		0x98
#define CMD_RUN		BIT(0)
#define CMD_TO_MEMORY	BIT(1)
#define RAM		0x40000

/* One device, and one program at a time that has it open */
static DEFINE_MUTEX(jobs_lock);
static struct vcm_set *jobs_set;	/* NULL when the device has gone */
static void __iomem *jobs_regs;
static struct vcm_set_mapping jobs_mappings[VCM_JOBS_MAX];
static unsigned int jobs_nr;
static bool jobs_open;

/* Mapped where there is room. Buffers of one job would be given in one call. */
static int jobs_add(int fd)
{
	struct vcm_set_mapping *mapping = &jobs_mappings[jobs_nr];
	struct vcm_space *space;

	if (jobs_nr == VCM_JOBS_MAX)
		return -ENOSPC;
	mapping->dmabuf = dma_buf_get(fd);
	if (IS_ERR(mapping->dmabuf))
		return PTR_ERR(mapping->dmabuf);
	mapping->dir = DMA_BIDIRECTIONAL;
	space = vcm_set_map(jobs_set, mapping, 1, NULL);
	if (IS_ERR(space)) {
		dma_buf_put(mapping->dmabuf);
		return PTR_ERR(space);
	}
	return jobs_nr++;
}

static int jobs_transfer(u64 src, u64 dst, u32 cmd)
{
	u32 now;

	writeq(src, jobs_regs + REG_SRC);
	writeq(dst, jobs_regs + REG_DST);
	writeq(VCM_JOBS_LEN, jobs_regs + REG_COUNT);
	writeq(cmd | CMD_RUN, jobs_regs + REG_CMD);
	return readl_poll_timeout(jobs_regs + REG_CMD, now, !(now & CMD_RUN),
				  USEC_PER_MSEC, 10 * USEC_PER_SEC);
}

/* It does not matter which space was active: the device waits for one job at a time. */
static int jobs_run(unsigned long name)
{
	const struct vcm_set_mapping *mapping;
	u64 addr;
	int ret;

	if (name >= jobs_nr)
		return -ENOENT;
	mapping = &jobs_mappings[name];
	if (sg_dma_len(mapping->sgt->sgl) < 2 * VCM_JOBS_LEN)
		return -EINVAL;
	ret = vcm_space_switch(mapping->space);
	if (ret)
		return ret;
	addr = sg_dma_address(mapping->sgt->sgl);
	return jobs_transfer(addr, RAM, 0) ?:
	       jobs_transfer(RAM, addr + VCM_JOBS_LEN, CMD_TO_MEMORY);
}

static void jobs_forget(void)
{
	vcm_set_unmap(jobs_mappings, jobs_nr);
	while (jobs_nr)
		dma_buf_put(jobs_mappings[--jobs_nr].dmabuf);
}

static long jobs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	guard(mutex)(&jobs_lock);
	if (!jobs_set)
		return -ENODEV;
	switch (cmd) {
	case VCM_JOBS_ADD:
		return jobs_add(arg);
	case VCM_JOBS_RUN:
		return jobs_run(arg);
	default:
		return -ENOTTY;
	}
}

static int jobs_file_open(struct inode *inode, struct file *file)
{
	guard(mutex)(&jobs_lock);
	if (jobs_open)
		return -EBUSY;
	jobs_open = true;
	return 0;
}

static int jobs_file_release(struct inode *inode, struct file *file)
{
	guard(mutex)(&jobs_lock);
	jobs_forget();
	jobs_open = false;
	return 0;
}

static const struct file_operations jobs_fops = {
	.owner = THIS_MODULE,
	.open = jobs_file_open,
	.release = jobs_file_release,
	.unlocked_ioctl = jobs_ioctl,
};

static struct miscdevice jobs_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vcm-jobs",
	.fops = &jobs_fops,
};

static int jobs_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	/* What the device can address, but for the first 4 MB, up to 16 times */
	const struct vcm_set_args args = {
		.space = { .start = SZ_4M, .len = SZ_256M - SZ_4M },
		.max = 16,
	};
	struct vcm_set *set;
	int ret;

	guard(mutex)(&jobs_lock);
	if (jobs_set)
		return -ENODEV;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	jobs_regs = pcim_iomap_region(pdev, 0, pci_name(pdev));
	if (IS_ERR(jobs_regs))
		return PTR_ERR(jobs_regs);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);

	/* It ends when the driver is unbound, with all of its spaces. */
	set = devm_vcm_set_create(&pdev->dev, &args);
	if (IS_ERR(set))
		return PTR_ERR(set);
	ret = misc_register(&jobs_misc);
	if (!ret)
		jobs_set = set;
	return ret;
}

static void jobs_remove(struct pci_dev *pdev)
{
	misc_deregister(&jobs_misc);
	guard(mutex)(&jobs_lock);
	/* A program may still have them, and the device may come back with another set. */
	jobs_forget();
	jobs_set = NULL;
}

static const struct pci_device_id jobs_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};
MODULE_DEVICE_TABLE(pci, jobs_ids);

static struct pci_driver jobs_driver = {
	.name = "vcm-jobs",
	.id_table = jobs_ids,
	.probe = jobs_probe,
	.remove = jobs_remove,
	.driver_managed_dma = true,
};
module_pci_driver(jobs_driver);

MODULE_DESCRIPTION("Example of an importer whose device works on more than it can address");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("VCM_IOMMU");
MODULE_IMPORT_NS("DMA_BUF");
