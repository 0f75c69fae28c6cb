// SPDX-License-Identifier: GPL-2.0
/*
 * Sample dma-buf importer, to copy: a driver for QEMU's "edu" device
 *
 * edu_import() gets somebody else's buffer, attaches to it and maps it, edu_forget()
 * gives it back, edu_dma() has the device use it, and edu_read() the kernel. Nothing
 * here knows which heap or driver a buffer comes from. The device sees it in its own
 * addresses or in a space that the driver made. How to talk to it: vcm_edu_hw.h.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/vcm-iommu.h>

#include "vcm-edu.h"
#include "vcm_edu_hw.h"

#define EDU_HANDLE	1		/* of the one buffer that the device has at a time */

/* Lock order: edu.lock -> dma_buf.resv */
struct edu {
	struct kref ref;		/* of the PCI device, and of the open file */
	struct pci_dev *pdev;		/* this and the next two: until @gone */
	struct edu_hw *hw;
	struct vcm_space *space;	/* or an error, where no IOMMU is in use */
	struct miscdevice misc;
	char name[16];
	struct mutex lock;		/* a transfer at a time; protects what follows */
	bool open;
	bool gone;			/* the driver lost the device or gave it up */
	struct dma_buf *dmabuf;		/* the buffer, or NULL */
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
};

static void edu_forget(struct edu *edu)
{
	if (!edu->dmabuf)
		return;
	dma_buf_unmap_attachment_unlocked(edu->attachment, edu->sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(edu->dmabuf, edu->attachment);
	dma_buf_put(edu->dmabuf);
	edu->dmabuf = NULL;
}

static int edu_import(struct edu *edu, struct vcm_edu_import *args)
{
	struct device *dev = &edu->pdev->dev;
	struct dma_buf *dmabuf;
	struct scatterlist *sg;
	int ret;

	if (args->flags || args->space > 1 || args->reserved)
		return -EINVAL;
	edu_forget(edu);
	/* A space has a device of its own, to attach that instead. */
	if (args->space) {
		if (IS_ERR(edu->space))
			return PTR_ERR(edu->space);
		dev = vcm_space_dev(edu->space);
	}
	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	edu->attachment = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(edu->attachment)) {
		ret = PTR_ERR(edu->attachment);
		goto put_dmabuf;
	}
	edu->sgt = dma_buf_map_attachment_unlocked(edu->attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(edu->sgt)) {
		ret = PTR_ERR(edu->sgt);
		goto detach;
	}

	edu->dmabuf = dmabuf;
	args->handle = EDU_HANDLE;
	args->nents = edu->sgt->nents;
	args->length = dmabuf->size;
	/* Without an IOMMU it says where memory is, which is not for users to know. */
	sg = edu->sgt->sgl;
	args->iova = dma_get_merge_boundary(dev) ? sg_dma_address(sg) : VCM_EDU_IOVA_NONE;
	return 0;

detach:
	dma_buf_detach(dmabuf, edu->attachment);
put_dmabuf:
	dma_buf_put(dmabuf);
	return ret;
}

/* What is asked for may be in several segments. */
static int edu_transfer(struct edu *edu, const struct vcm_edu_dma *args)
{
	u64 first = args->offset, last = first + args->length, at = 0;
	struct scatterlist *sg;
	int i, ret = 0;

	for_each_sgtable_dma_sg(edu->sgt, sg, i) {
		u64 from = max(first, at), to = min(last, at + sg_dma_len(sg));

		if (from < to && !ret)
			ret = edu_hw_transfer(edu->hw, args->dir == VCM_EDU_FROM_DEVICE,
					      sg_dma_address(sg) + from - at,
					      args->ram_offset + from - first, to - from);
		at += sg_dma_len(sg);
	}
	if (ret) {
		/* It may not have ended, and others will have the memory: no more DMA. */
		pci_clear_master(edu->pdev);
		edu->gone = true;
	}
	return ret;
}

static int edu_dma(struct edu *edu, const struct vcm_edu_dma *args)
{
	enum dma_resv_usage usage = dma_resv_usage_rw(args->dir == VCM_EDU_FROM_DEVICE);
	u64 end;
	long ret;

	if (args->dir > VCM_EDU_FROM_DEVICE || !args->length)
		return -EINVAL;
	if (!edu->dmabuf || args->handle != EDU_HANDLE)
		return -ENOENT;
	if (check_add_overflow(args->offset, args->length, &end) ||
	    end > edu->dmabuf->size || (u64)args->ram_offset + args->length > VCM_EDU_RAM_SIZE)
		return -ERANGE;

	/*
	 * Others may be at work on the buffer. They need not wait for this device, which
	 * is done when the call is; a driver whose work goes on adds a fence for it.
	 */
	ret = dma_resv_wait_timeout(edu->dmabuf->resv, usage, true, 10 * HZ);
	if (ret <= 0)
		return ret ?: -ETIMEDOUT;

	if (edu->attachment->dev == &edu->pdev->dev)
		return edu_transfer(edu, args);
	ret = vcm_space_activate(edu->space);
	if (ret)
		return ret;
	ret = edu_transfer(edu, args);
	vcm_space_deactivate(edu->space);
	return ret;
}

/* User memory may take its time to be there: it is not touched under the lock. */
static ssize_t edu_read(struct file *filp, char __user *user, size_t len, loff_t *pos)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);
	struct dma_buf *dmabuf;
	struct iosys_map map;
	ssize_t ret;

	scoped_guard(mutex, &edu->lock) {
		dmabuf = edu->dmabuf;
		if (!dmabuf)
			return edu->gone ? -ENODEV : -ENOENT;
		get_dma_buf(dmabuf);
	}
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	if (ret)
		goto put_dmabuf;
	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		goto end_cpu_access;
	ret = map.is_iomem ? -EOPNOTSUPP :
	      simple_read_from_buffer(user, len, pos, map.vaddr, dmabuf->size);
	dma_buf_vunmap_unlocked(dmabuf, &map);
end_cpu_access:
	dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE);
put_dmabuf:
	dma_buf_put(dmabuf);
	return ret;
}

static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);
	union {
		struct vcm_edu_import import;
		struct vcm_edu_dma dma;
	} args;
	void __user *user = (void __user *)arg;
	int ret = -ENODEV;

	if (_IOC_SIZE(cmd) > sizeof(args))
		return -ENOTTY;
	if (copy_from_user(&args, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	mutex_lock(&edu->lock);
	if (!edu->gone)
		ret = cmd == VCM_EDU_IOC_IMPORT ? edu_import(edu, &args.import) :
		      cmd == VCM_EDU_IOC_DMA ? edu_dma(edu, &args.dma) : -ENOTTY;
	mutex_unlock(&edu->lock);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &args, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	return ret;
}

static void edu_free(struct kref *ref)
{
	kfree(container_of(ref, struct edu, ref));
}

static int edu_open(struct inode *inode, struct file *filp)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);

	guard(mutex)(&edu->lock);
	if (edu->open)
		return -EBUSY;
	edu->open = true;
	kref_get(&edu->ref);
	return 0;
}

static int edu_release(struct inode *inode, struct file *filp)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);

	scoped_guard(mutex, &edu->lock) {
		edu_forget(edu);
		edu->open = false;
	}
	kref_put(&edu->ref, edu_free);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.read = edu_read,
	.unlocked_ioctl = edu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = edu_release,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct vcm_space_args window = { .start = SZ_1M, .len = SZ_128M };
	struct edu_hw *hw = edu_hw_init(pdev, EDU_HW_DMA_BITS);
	int ret, number = edu_hw_number(pdev);
	struct edu *edu;

	if (IS_ERR(hw) || number < 0)
		return IS_ERR(hw) ? PTR_ERR(hw) : number;
	edu = kzalloc_obj(*edu);
	if (!edu)
		return -ENOMEM;
	kref_init(&edu->ref);
	mutex_init(&edu->lock);
	pci_set_drvdata(pdev, edu);
	edu->pdev = pdev;
	edu->hw = hw;
	edu->space = devm_vcm_space_create(&pdev->dev, &window);
	snprintf(edu->name, sizeof(edu->name), number ? "vcm-edu%d" : "vcm-edu", number);
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.name = edu->name;
	edu->misc.fops = &edu_fops;
	edu->misc.parent = &pdev->dev;
	ret = misc_register(&edu->misc);
	if (ret)
		kref_put(&edu->ref, edu_free);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	misc_deregister(&edu->misc);
	/* The file may stay open, but no mapping outlives the binding. */
	scoped_guard(mutex, &edu->lock) {
		edu->gone = true;
		edu_forget(edu);
	}
	kref_put(&edu->ref, edu_free);
}

static struct pci_driver edu_driver = {
	.name = "vcm-edu",
	.id_table = edu_hw_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Sample dma-buf importer for QEMU's edu device");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("VCM_IOMMU");
