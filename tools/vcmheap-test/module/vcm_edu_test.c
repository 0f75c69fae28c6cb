// SPDX-License-Identifier: GPL-2.0
/*
 * The importer of the tests: QEMU's "edu" device, and what no driver should do
 *
 * It is a driver of its own for the device, loaded instead of the sample importer and
 * not on top of it: tests need an importer that keeps buffers when its device is gone,
 * does DMA to any address and switches spaces at will, and a sample with holes for all
 * that would be none. They share the device (vcm_edu_hw.h) and the calls that the
 * sample has.
 */

#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vcm-iommu.h>
#include <linux/xarray.h>

#include "vcm_edu_hw.h"
#include "vcm-edu-test.h"

#define EDU_NAME	"vcm-edu-test"
#define EDU_MAX_IMPORTS	1024
#define EDU_IMPORT_ONE_WAY	(VCM_EDU_IMPORT_READS | VCM_EDU_IMPORT_WRITES)

/*
 * What a user asks for is charged to the user, who gets an error when there is no
 * memory left for it, and is not killed.
 */
#define EDU_GFP		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL)

/* The device does not tell how QEMU's dma_mask= was set. */
static unsigned int dma_bits[EDU_HW_MAX_DEVICES];
static unsigned int nr_dma_bits;
module_param_array(dma_bits, uint, &nr_dma_bits, 0444);
MODULE_PARM_DESC(dma_bits, "Width of the DMA addresses of each device, 1 to 64 (default 28)");

static bool managed_dma;
module_param(managed_dma, bool, 0444);
MODULE_PARM_DESC(managed_dma, "Claim the device's DMA while it has spaces (default N)");

static bool late;
module_param(late, bool, 0600);
MODULE_PARM_DESC(late, "Keep what is imported when a device goes, until its file lets go (default N)");

/**
 * struct edu_device - one device
 * @ref: held by the PCI device and by every open file
 * @pdev: the PCI device, valid until @gone
 * @hw: how to use it, valid until @gone
 * @misc: the character device
 * @name: ... and its name
 * @dma_bits: width of DMA addresses
 * @translated: an IOMMU translates the device's DMA
 * @lock: serialises transfers and protects what follows, and all of open files
 * @active: the space that the device is in, or NULL
 * @set: the set that it may be in a space of, with nothing in it perhaps, or NULL
 * @files: open files, by &struct edu_file.node
 * @gone: the PCI device was unbound
 *
 * Lock order: @lock -> &dma_buf.resv
 */
struct edu_device {
	struct kref ref;
	struct pci_dev *pdev;
	struct edu_hw *hw;
	struct miscdevice misc;
	char name[20];
	unsigned int dma_bits;
	bool translated;

	/* serialises transfers, protects what follows */
	struct mutex lock;
	struct vcm_space *active;
	struct vcm_set *set;
	struct list_head files;
	bool gone;
};

/**
 * struct edu_file - an open file
 * @edu: the device
 * @imports: all &struct edu_import by handle
 * @spaces: all &struct edu_space by number
 * @sets: all &struct vcm_set by number
 * @node: in &struct edu_device.files
 */
struct edu_file {
	struct edu_device *edu;
	struct xarray imports;
	struct xarray spaces;
	struct xarray sets;
	struct list_head node;
};

/* Stands for a space that was destroyed with buffers imported to it */
#define EDU_NO_SPACE	((struct vcm_space *)ERR_PTR(-ENXIO))

/**
 * struct edu_import - a buffer mapped for the device
 * @dmabuf: the buffer
 * @attachment: the device's attachment to it, or NULL if it is at @fixed_iova
 * @sgt: DMA addresses for the device, or NULL if it is not mapped
 * @space: the space it is mapped in, NULL, or EDU_NO_SPACE
 * @fixed_iova: address in the fixed window of @space
 * @dir: direction it is mapped in
 * @mapping: what maps it, if that is a set, with a copy of the above
 */
struct edu_import {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	struct vcm_space *space;
	u64 fixed_iova;
	enum dma_data_direction dir;
	struct vcm_set_mapping mapping;
};

/**
 * struct edu_space - a space of an open file
 * @space: the space
 * @lock: protects what follows; faults come in interrupt context
 * @nr_faults: calls of the fault handler
 * @fault_iova: address of the last fault
 * @fault_write: the device wrote
 */
struct edu_space {
	struct vcm_space *space;

	/* protects what follows */
	spinlock_t lock;
	u32 nr_faults;
	u64 fault_iova;
	bool fault_write;
};

static bool edu_range_ok(u64 offset, u64 len, u64 size)
{
	return len <= size && offset <= size - len;
}

/* --- Transfers --------------------------------------------------------- */

static int edu_transfer(struct edu_device *edu, u32 dir, dma_addr_t addr,
			u32 ram_offset, size_t len)
{
	int ret;

	lockdep_assert_held(&edu->lock);

	ret = edu_hw_transfer(edu->hw, dir == VCM_EDU_FROM_DEVICE, addr,
			      ram_offset, len);
	if (ret) {
		/* It may go on, and the memory will be somebody else's. */
		pci_clear_master(edu->pdev);
		edu->gone = true;
	}
	return ret;
}

/* Does the device find a tag in the last word, and copy it to the first one? */
static int edu_copy_tag(struct edu_device *edu, u64 *words, dma_addr_t addr,
			size_t len)
{
	size_t last = len - sizeof(*words);
	u64 tag = get_random_u64();
	int ret;

	words[last / sizeof(*words)] = tag;
	ret = edu_transfer(edu, VCM_EDU_TO_DEVICE, addr + last, 0, sizeof(tag));
	if (!ret)
		ret = edu_transfer(edu, VCM_EDU_FROM_DEVICE, addr, 0, sizeof(tag));
	return ret ?: READ_ONCE(words[0]) == tag;
}

/*
 * Some versions of QEMU have an IOMMU that claims to translate and does not.
 * So ask the device: it has to find a tag at an address that is not the
 * physical one.
 */
static int edu_probe_translation(struct edu_device *edu)
{
	struct device *dev = &edu->pdev->dev;
	dma_addr_t addr;
	u64 *words;
	int ret;

	/* GFP_DMA: within reach of 28 bits if there is no IOMMU */
	words = (u64 *)get_zeroed_page(GFP_KERNEL | GFP_DMA);
	if (!words)
		return -ENOMEM;

	addr = dma_map_single(dev, words, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ret = dma_mapping_error(dev, addr);
	if (ret)
		goto free_page;

	mutex_lock(&edu->lock);
	ret = edu_copy_tag(edu, words, addr, PAGE_SIZE);
	mutex_unlock(&edu->lock);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	/* A bounce buffer is not at the physical address either. */
	edu->translated = ret == 1 && addr != virt_to_phys(words) &&
			  dma_get_merge_boundary(dev);
free_page:
	free_page((unsigned long)words);
	return min(ret, 0);
}

/* --- Imports ----------------------------------------------------------- */

static int edu_import_map(struct edu_import *import, struct device *dev)
{
	struct dma_buf *dmabuf = import->dmabuf;

	import->attachment = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(import->attachment))
		return PTR_ERR(import->attachment);

	import->sgt = dma_buf_map_attachment_unlocked(import->attachment,
						      import->dir);
	if (IS_ERR(import->sgt)) {
		dma_buf_detach(dmabuf, import->attachment);
		return PTR_ERR(import->sgt);
	}
	return 0;
}

static enum dma_data_direction edu_import_dir(u32 flags)
{
	if (flags & VCM_EDU_IMPORT_READS)
		return DMA_TO_DEVICE;
	return flags & VCM_EDU_IMPORT_WRITES ? DMA_FROM_DEVICE : DMA_BIDIRECTIONAL;
}

static struct edu_import *edu_import_create(struct device *dev,
					    struct vcm_space *space,
					    const struct vcm_edu_import *args)
{
	struct edu_import *import;
	int ret;

	import = kzalloc_obj(*import, EDU_GFP);
	if (!import)
		return ERR_PTR(-ENOMEM);

	import->space = space;
	import->fixed_iova = args->iova;
	import->dir = edu_import_dir(args->flags);
	import->dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto free_import;
	}

	if (args->flags & VCM_EDU_IMPORT_FIXED)
		ret = vcm_space_map_at(space, args->iova, import->dmabuf,
				       import->dir);
	else
		ret = edu_import_map(import, space ? vcm_space_dev(space) : dev);
	if (ret)
		goto put_dmabuf;
	return import;

put_dmabuf:
	dma_buf_put(import->dmabuf);
free_import:
	kfree(import);
	return ERR_PTR(ret);
}

static bool edu_in_set(const struct edu_import *import)
{
	return import->mapping.set;
}

static void edu_import_destroy(struct edu_import *import)
{
	if (edu_in_set(import)) {
		vcm_set_unmap(&import->mapping, 1);
	} else if (import->attachment) {
		if (import->sgt)
			dma_buf_unmap_attachment_unlocked(import->attachment,
							  import->sgt, import->dir);
		dma_buf_detach(import->dmabuf, import->attachment);
	} else if (import->space != EDU_NO_SPACE) {
		WARN_ON(vcm_space_unmap_at(import->space, import->fixed_iova));
	}
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/* The DMA address of a byte; @len is cut to what follows in the same segment. */
static dma_addr_t edu_import_addr(struct edu_import *import, u64 offset,
				  size_t *len)
{
	struct scatterlist *sg;
	int i;

	if (!import->attachment)
		return import->fixed_iova + offset;

	for_each_sgtable_dma_sg(import->sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			*len = min_t(u64, *len, sg_dma_len(sg) - offset);
			return sg_dma_address(sg) + offset;
		}
		offset -= sg_dma_len(sg);
	}
	return DMA_MAPPING_ERROR;
}

static int edu_import(struct edu_file *file, struct vcm_edu_import *args)
{
	struct edu_device *edu = file->edu;
	struct edu_space *edu_space = NULL;
	struct edu_import *import;
	int ret;

	if (args->flags & ~(VCM_EDU_IMPORT_FIXED | EDU_IMPORT_ONE_WAY) ||
	    (args->flags & EDU_IMPORT_ONE_WAY) == EDU_IMPORT_ONE_WAY ||
	    (args->flags & VCM_EDU_IMPORT_FIXED && !args->space) || args->reserved)
		return -EINVAL;
	if (args->space) {
		edu_space = xa_load(&file->spaces, args->space);
		if (!edu_space)
			return -ENOENT;
	}

	import = edu_import_create(&edu->pdev->dev,
				   edu_space ? edu_space->space : NULL, args);
	if (IS_ERR(import))
		return PTR_ERR(import);

	ret = xa_alloc(&file->imports, &args->handle, import,
		       XA_LIMIT(1, EDU_MAX_IMPORTS), EDU_GFP);
	if (ret) {
		edu_import_destroy(import);
		return ret == -EBUSY ? -ENOSPC : ret;
	}

	args->nents = import->sgt ? import->sgt->nents : 1;
	args->length = import->dmabuf->size;
	if (import->sgt)
		args->iova = edu_space || edu->translated ?
			     sg_dma_address(import->sgt->sgl) : VCM_EDU_IOVA_NONE;
	return 0;
}

static void edu_import_drop(struct edu_file *file, struct edu_import *import)
{
	/* The space may end with its last buffer. */
	if (edu_in_set(import) && file->edu->active == import->space)
		file->edu->active = NULL;
	edu_import_destroy(import);
}

static int edu_release(struct edu_file *file,
		       const struct vcm_edu_release *args)
{
	struct edu_import *import;

	if (args->reserved)
		return -EINVAL;
	import = xa_erase(&file->imports, args->handle);
	if (!import)
		return -ENOENT;
	edu_import_drop(file, import);
	return 0;
}

static int edu_mapping(struct edu_file *file, struct vcm_edu_mapping *args)
{
	struct edu_import *import = xa_load(&file->imports, args->handle);
	struct sg_table *sgt;

	if (!import)
		return -ENOENT;
	if (args->map > 1 || !import->attachment || edu_in_set(import))
		return -EINVAL;
	if (args->map == !!import->sgt)
		return -EALREADY;

	if (!args->map) {
		dma_buf_unmap_attachment_unlocked(import->attachment, import->sgt,
						  import->dir);
		import->sgt = NULL;
		return 0;
	}
	sgt = dma_buf_map_attachment_unlocked(import->attachment, import->dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	import->sgt = sgt;
	args->iova = import->space || file->edu->translated ?
		     sg_dma_address(sgt->sgl) : VCM_EDU_IOVA_NONE;
	return 0;
}

static int edu_dma(struct edu_file *file, const struct vcm_edu_dma *args)
{
	struct edu_import *import = xa_load(&file->imports, args->handle);
	size_t done, len;

	if (args->dir > VCM_EDU_FROM_DEVICE || !args->length)
		return -EINVAL;
	if (!import)
		return -ENOENT;
	if (!edu_range_ok(args->offset, args->length, import->dmabuf->size) ||
	    !edu_range_ok(args->ram_offset, args->length, VCM_EDU_RAM_SIZE))
		return -ERANGE;
	if (import->space != file->edu->active ||
	    (!import->space && file->edu->set) ||
	    (import->attachment && !import->sgt))
		return -ENXIO;

	for (done = 0; done < args->length; done += len) {
		dma_addr_t addr;
		int ret;

		len = args->length - done;
		addr = edu_import_addr(import, args->offset + done, &len);
		/* The table is as long as the buffer, or it would not be here. */
		if (WARN_ON_ONCE(addr == DMA_MAPPING_ERROR))
			return -EIO;
		ret = edu_transfer(file->edu, args->dir, addr,
				   args->ram_offset + done, len);
		if (ret)
			return ret;
	}
	return 0;
}

static int edu_probe_dma(struct edu_file *file, const struct vcm_edu_probe *args)
{
	struct edu_device *edu = file->edu;

	if (!edu->translated || !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (args->dir > VCM_EDU_FROM_DEVICE || !args->length || args->reserved)
		return -EINVAL;
	if (!edu_range_ok(args->ram_offset, args->length, VCM_EDU_RAM_SIZE) ||
	    !edu_range_ok(args->iova, args->length, DMA_BIT_MASK(edu->dma_bits)))
		return -ERANGE;
	return edu_transfer(edu, args->dir, args->iova, args->ram_offset,
			    args->length);
}

/* A driver copies straight from its mapping, and so does this one. */
static int edu_vmap_copy(struct dma_buf *dmabuf,
			 const struct vcm_edu_access *args)
{
	enum dma_data_direction dir = args->write ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	void __user *user = u64_to_user_ptr(args->user);
	unsigned long left = 0;
	struct iosys_map map;
	int ret;

	ret = dma_buf_begin_cpu_access(dmabuf, dir);
	if (ret)
		return ret;

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		goto end_cpu_access;

	if (map.is_iomem)
		ret = -EOPNOTSUPP;
	else if (args->write)
		left = copy_from_user(map.vaddr + args->offset, user, args->length);
	else
		left = copy_to_user(user, map.vaddr + args->offset, args->length);
	dma_buf_vunmap_unlocked(dmabuf, &map);

end_cpu_access:
	return dma_buf_end_cpu_access(dmabuf, dir) ?: left ? -EFAULT : ret;
}

/*
 * Userspace decides how long it takes to read or write its memory, and nobody
 * may wait for that: it is not done under the device's lock.
 */
static int edu_access(struct edu_file *file, const struct vcm_edu_access *args)
{
	struct edu_import *import;
	struct dma_buf *dmabuf;
	int ret = -ERANGE;

	if (args->write > 1 || args->reserved || !args->length)
		return -EINVAL;

	scoped_guard(mutex, &file->edu->lock) {
		if (file->edu->gone)
			return -ENODEV;
		import = xa_load(&file->imports, args->handle);
		if (!import)
			return -ENOENT;
		dmabuf = import->dmabuf;
		get_dma_buf(dmabuf);
	}
	if (args->length <= VCM_EDU_ACCESS_MAX &&
	    edu_range_ok(args->offset, args->length, dmabuf->size))
		ret = edu_vmap_copy(dmabuf, args);
	dma_buf_put(dmabuf);
	return ret;
}

/* --- Spaces ------------------------------------------------------------ */

static void edu_space_fault(struct vcm_space *space, u64 iova, bool write,
			    void *data)
{
	struct edu_space *edu_space = data;

	guard(spinlock_irqsave)(&edu_space->lock);
	edu_space->nr_faults++;
	edu_space->fault_iova = iova;
	edu_space->fault_write = write;
}

static int edu_space_create(struct edu_file *file,
			    struct vcm_edu_space_create *args)
{
	const struct vcm_space_args space_args = {
		.start = args->start,
		.len = args->length,
		.fixed_start = args->fixed_start,
		.fixed_len = args->fixed_length,
		.align = args->align,
	};
	struct edu_space *edu_space;
	struct vcm_space *space;
	int ret;

	edu_space = kzalloc_obj(*edu_space, EDU_GFP);
	if (!edu_space)
		return -ENOMEM;

	space = vcm_space_create(&file->edu->pdev->dev, &space_args);
	if (IS_ERR(space)) {
		ret = PTR_ERR(space);
		goto free_space;
	}
	spin_lock_init(&edu_space->lock);
	edu_space->space = space;
	ret = vcm_space_set_fault_handler(space, edu_space_fault, edu_space);
	if (ret)
		goto destroy_space;

	ret = xa_alloc(&file->spaces, &args->space, edu_space, xa_limit_31b,
		       EDU_GFP);
	if (ret)
		goto destroy_space;
	args->flags = vcm_space_gap_blocked(space) ? VCM_EDU_SPACE_GAP_BLOCKED : 0;
	return 0;

destroy_space:
	vcm_space_destroy(space);
free_space:
	kfree(edu_space);
	return ret;
}

/* What is imported to the space stays, and leads nowhere. */
static void edu_space_destroy(struct edu_file *file, u32 id)
{
	struct edu_space *edu_space = xa_erase(&file->spaces, id);
	struct edu_device *edu = file->edu;
	struct edu_import *import;
	unsigned long handle;

	xa_for_each(&file->imports, handle, import)
		if (import->space == edu_space->space)
			import->space = EDU_NO_SPACE;
	if (edu->active == edu_space->space)
		edu->active = NULL;
	vcm_space_destroy(edu_space->space);
	kfree(edu_space);
}

/**
 * struct edu_mapper - a thread that maps a buffer again and again
 * @attachment: the buffer, attached
 * @nr: how often so far
 * @stop: it is to stop
 * @done: it has
 */
struct edu_mapper {
	struct dma_buf_attachment *attachment;
	u32 nr;
	bool stop;
	struct completion done;
};

/*
 * There is no pause in which the device could go: who maps for one that has gone is
 * told so in the log.
 */
static int edu_map_without_pause(void *data)
{
	struct edu_mapper *mapper = data;
	struct sg_table *sgt;

	do {
		sgt = dma_buf_map_attachment_unlocked(mapper->attachment,
						      DMA_BIDIRECTIONAL);
		if (!IS_ERR(sgt))
			dma_buf_unmap_attachment_unlocked(mapper->attachment, sgt,
							  DMA_BIDIRECTIONAL);
		WRITE_ONCE(mapper->nr, mapper->nr + 1);
	} while (!READ_ONCE(mapper->stop));
	complete(&mapper->done);
	return 0;
}

static int edu_destroy_under(struct edu_file *file, u32 id,
			     struct edu_mapper *mapper)
{
	struct task_struct *task;

	init_completion(&mapper->done);
	task = kthread_run(edu_map_without_pause, mapper, EDU_NAME);
	if (IS_ERR(task))
		return PTR_ERR(task);

	while (READ_ONCE(mapper->nr) < 10)
		usleep_range(50, 200);
	edu_space_destroy(file, id);
	WRITE_ONCE(mapper->stop, true);
	wait_for_completion(&mapper->done);
	return 0;
}

static int edu_space_destroy_busy(struct edu_file *file,
				  struct vcm_edu_destroy *args)
{
	struct edu_space *edu_space = xa_load(&file->spaces, args->space);
	struct edu_mapper mapper = {};
	struct dma_buf *dmabuf;
	struct device *dev;
	int ret;

	if (args->reserved)
		return -EINVAL;
	if (!edu_space)
		return -ENOENT;
	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	dev = get_device(vcm_space_dev(edu_space->space));
	mapper.attachment = dma_buf_attach(dmabuf, dev);
	ret = PTR_ERR_OR_ZERO(mapper.attachment);
	if (ret)
		goto put_device;
	ret = edu_destroy_under(file, args->space, &mapper);
	args->count = mapper.nr;
	dma_buf_detach(dmabuf, mapper.attachment);
put_device:
	put_device(dev);
	dma_buf_put(dmabuf);
	return ret;
}

/* No transfer is under way while the device changes its space. */
static int edu_space_op(struct edu_file *file, const struct vcm_edu_space *args)
{
	struct edu_space *edu_space = xa_load(&file->spaces, args->space);
	struct edu_device *edu = file->edu;
	struct vcm_space *space;
	int ret;

	if (!edu_space)
		return -ENOENT;
	space = edu_space->space;

	switch (args->op) {
	case VCM_EDU_SPACE_DESTROY:
		edu_space_destroy(file, args->space);
		return 0;
	case VCM_EDU_SPACE_DEACTIVATE:
		ret = vcm_space_deactivate(space);
		if (!ret)
			edu->active = NULL;
		return ret;
	case VCM_EDU_SPACE_ACTIVATE:
		ret = vcm_space_activate(space);
		break;
	case VCM_EDU_SPACE_SWITCH:
		ret = vcm_space_switch(space);
		break;
	default:
		return -EINVAL;
	}
	if (!ret || ret == -EAGAIN) {
		edu->active = ret ? NULL : space;
		edu->set = NULL;
	}
	return ret;
}

static int edu_space_inject(struct edu_device *edu, struct edu_space *edu_space,
			    const struct vcm_edu_faults *args)
{
	struct device *dev = &edu->pdev->dev;

	if (edu->active != edu_space->space)
		return -ENXIO;

	/* The domain that is attached is the one that a driver would name. */
	report_iommu_fault(iommu_get_domain_for_dev(dev), dev, args->iova,
			   args->write ? IOMMU_FAULT_WRITE : IOMMU_FAULT_READ);
	return 0;
}

static int edu_space_faults(struct edu_file *file, struct vcm_edu_faults *args)
{
	struct edu_space *edu_space = xa_load(&file->spaces, args->space);
	int ret = 0;

	if (args->flags & ~VCM_EDU_FAULT_INJECT)
		return -EINVAL;
	if (!edu_space)
		return -ENOENT;
	if (args->flags)
		ret = edu_space_inject(file->edu, edu_space, args);
	if (ret)
		return ret;

	guard(spinlock_irq)(&edu_space->lock);
	args->count = edu_space->nr_faults;
	args->iova = edu_space->fault_iova;
	args->write = edu_space->fault_write;
	return 0;
}

/* Memory for rings and descriptors comes from a space as it does from a device. */
static int edu_space_coherent(struct edu_file *file,
			      struct vcm_edu_coherent *args)
{
	struct edu_space *edu_space = xa_load(&file->spaces, args->space);
	size_t len = ALIGN_DOWN(args->length, sizeof(u64));
	struct device *dev;
	dma_addr_t addr;
	void *words;
	int ret;

	if (args->reserved || len < 2 * sizeof(u64) ||
	    args->length > VCM_EDU_COHERENT_MAX)
		return -EINVAL;
	if (!edu_space)
		return -ENOENT;
	if (file->edu->active != edu_space->space)
		return -ENXIO;

	dev = vcm_space_dev(edu_space->space);
	words = dma_alloc_coherent(dev, len, &addr, EDU_GFP);
	if (!words)
		return -ENOMEM;

	ret = edu_copy_tag(file->edu, words, addr, len);
	dma_free_coherent(dev, len, words, addr);
	if (ret < 0)
		return ret;
	args->iova = addr;
	args->matches = ret;
	return 0;
}

/* Where the byte at @offset of the buffer is in memory; 0 if nobody says. */
static phys_addr_t edu_table_phys(struct sg_table *sgt, u64 offset)
{
	struct scatterlist *sg;
	int i;

	if (!sg_page(sgt->sgl))
		return 0;
	for_each_sgtable_sg(sgt, sg, i) {
		if (offset < sg->length)
			return sg_phys(sg) + offset;
		offset -= sg->length;
	}
	return 0;
}

/* A buffer at a fixed address shows its pages to who attaches besides. */
static phys_addr_t edu_fixed_phys(struct edu_import *import, u64 offset)
{
	struct edu_import besides = {
		.dmabuf = import->dmabuf, .dir = DMA_BIDIRECTIONAL,
	};
	phys_addr_t phys;

	if (edu_import_map(&besides, vcm_space_dev(import->space)))
		return 0;
	phys = edu_table_phys(besides.sgt, offset);
	dma_buf_unmap_attachment_unlocked(besides.attachment, besides.sgt,
					  DMA_BIDIRECTIONAL);
	dma_buf_detach(besides.dmabuf, besides.attachment);
	return phys;
}

/* Only a test looks at the pages of a table, which are the exporter's affair. */
static int edu_check(struct edu_file *file, struct vcm_edu_check *args)
{
	struct edu_import *import = xa_load(&file->imports, args->handle);
	phys_addr_t phys;
	dma_addr_t addr;
	size_t len = 1;

	if (!import)
		return -ENOENT;
	if (!import->space)
		return -EINVAL;
	if (!edu_range_ok(args->offset, 1, import->dmabuf->size))
		return -ERANGE;
	if (import->space == EDU_NO_SPACE || (import->attachment && !import->sgt))
		return -ENXIO;

	addr = edu_import_addr(import, args->offset, &len);
	phys = import->sgt ? edu_table_phys(import->sgt, args->offset) :
			     edu_fixed_phys(import, args->offset);
	if (!phys)
		return -EOPNOTSUPP;
	args->matches = vcm_space_iova_to_phys(import->space, addr) == phys;
	return 0;
}

/* --- Sets -------------------------------------------------------------- */

static int edu_set_create(struct edu_file *file,
			  struct vcm_edu_set_create *args)
{
	const struct vcm_set_args set_args = {
		.space = { .start = args->start, .len = args->length },
		.max = args->max,
	};
	struct vcm_set *set;
	int ret;

	set = vcm_set_create(&file->edu->pdev->dev, &set_args);
	if (IS_ERR(set))
		return PTR_ERR(set);
	ret = xa_alloc(&file->sets, &args->set, set, xa_limit_31b, EDU_GFP);
	if (ret)
		vcm_set_destroy(set);
	return ret;
}

static void edu_set_end(struct edu_device *edu, struct vcm_set *set)
{
	vcm_set_destroy(set);
	if (edu->set == set)
		edu->set = NULL;
}

static int edu_set_destroy(struct edu_file *file,
			   const struct vcm_edu_set_destroy *args)
{
	struct vcm_set *set;
	struct edu_import *import;
	unsigned long handle;

	if (args->reserved)
		return -EINVAL;
	set = xa_erase(&file->sets, args->set);
	if (!set)
		return -ENOENT;
	xa_for_each(&file->imports, handle, import) {
		if (import->mapping.set != set)
			continue;
		if (file->edu->active == import->space)
			file->edu->active = NULL;
		import->space = EDU_NO_SPACE;
	}
	edu_set_end(file->edu, set);
	return 0;
}

/* The space that the buffers are to be in, or NULL for any */
static struct vcm_space *edu_set_with(struct edu_file *file,
				      struct vcm_set *set, u32 with)
{
	struct edu_import *import;

	if (!with)
		return NULL;
	import = xa_load(&file->imports, with);
	if (!import)
		return ERR_PTR(-ENOENT);
	return edu_in_set(import) ? import->space : ERR_PTR(-EINVAL);
}

static void edu_put_buffers(struct vcm_set_mapping *mappings, unsigned int nr)
{
	while (nr--)
		dma_buf_put(mappings[nr].dmabuf);
}

static int edu_get_buffers(struct vcm_set_mapping *mappings,
			   const struct vcm_edu_set_import *args)
{
	unsigned int i;

	for (i = 0; i < args->nr; i++) {
		struct dma_buf *dmabuf = dma_buf_get(args->fds[i]);

		if (IS_ERR(dmabuf)) {
			edu_put_buffers(mappings, i);
			return PTR_ERR(dmabuf);
		}
		mappings[i] = (struct vcm_set_mapping){
			.dmabuf = dmabuf, .dir = DMA_BIDIRECTIONAL,
		};
	}
	return 0;
}

/* Name what was mapped. What goes with the import is not to be undone by the caller. */
static int edu_set_name(struct edu_file *file,
			const struct vcm_set_mapping *mapping, u32 *handle)
{
	struct edu_import *import = kzalloc_obj(*import, EDU_GFP);
	int ret;

	if (!import)
		return -ENOMEM;
	import->mapping = *mapping;
	import->dmabuf = mapping->dmabuf;
	import->attachment = mapping->attachment;
	import->sgt = mapping->sgt;
	import->space = mapping->space;
	import->dir = mapping->dir;
	ret = xa_alloc(&file->imports, handle, import,
		       XA_LIMIT(1, EDU_MAX_IMPORTS), EDU_GFP);
	if (ret)
		kfree(import);
	return ret == -EBUSY ? -ENOSPC : ret;
}

static int edu_set_name_all(struct edu_file *file,
			    struct vcm_set_mapping *mappings,
			    struct vcm_edu_set_import *args)
{
	unsigned int i;
	int ret;

	for (i = 0; i < args->nr; i++) {
		ret = edu_set_name(file, &mappings[i], &args->handles[i]);
		if (ret)
			goto unname;
		args->iovas[i] = sg_dma_address(mappings[i].sgt->sgl);
	}
	return 0;

unname:
	while (i--)
		kfree(xa_erase(&file->imports, args->handles[i]));
	return ret;
}

static int edu_set_import(struct edu_file *file,
			  struct vcm_edu_set_import *args)
{
	struct vcm_set *set = xa_load(&file->sets, args->set);
	struct vcm_set_mapping mappings[VCM_EDU_JOB_MAX];
	struct vcm_space *space;
	int ret;

	if (!set)
		return -ENOENT;
	if (!args->nr || args->nr > VCM_EDU_JOB_MAX)
		return -EINVAL;
	space = edu_set_with(file, set, args->with);
	if (IS_ERR(space))
		return PTR_ERR(space);
	ret = edu_get_buffers(mappings, args);
	if (ret)
		return ret;

	space = vcm_set_map(set, mappings, args->nr, space);
	if (IS_ERR(space)) {
		ret = PTR_ERR(space);
		goto put_buffers;
	}
	args->number = to_platform_device(vcm_space_dev(space))->id;
	ret = edu_set_name_all(file, mappings, args);
	if (ret)
		goto unmap;
	return 0;

unmap:
	vcm_set_unmap(mappings, args->nr);
put_buffers:
	edu_put_buffers(mappings, args->nr);
	return ret;
}

/* The segments of the one and of the other need not end at the same places. */
static int edu_job_copy(struct edu_device *edu, struct edu_import *from,
			struct edu_import *to, const struct vcm_edu_job *args)
{
	size_t done, len;
	int ret = 0;

	for (done = 0; !ret && done < args->length; done += len) {
		len = args->length - done;
		ret = edu_transfer(edu, VCM_EDU_TO_DEVICE,
				   edu_import_addr(from, args->from_offset +
						   done, &len), done, len);
	}
	for (done = 0; !ret && done < args->length; done += len) {
		len = args->length - done;
		ret = edu_transfer(edu, VCM_EDU_FROM_DEVICE,
				   edu_import_addr(to, args->to_offset + done,
						   &len), done, len);
	}
	return ret;
}

static int edu_job_check(const struct edu_import *from,
			 const struct edu_import *to,
			 const struct vcm_edu_job *args)
{
	if (!from || !to)
		return -ENOENT;
	if (args->reserved || !edu_in_set(from) || from->space != to->space)
		return -EINVAL;
	if (from->space == EDU_NO_SPACE)
		return -ENXIO;
	if (args->length > VCM_EDU_RAM_SIZE ||
	    !edu_range_ok(args->from_offset, args->length, from->dmabuf->size) ||
	    !edu_range_ok(args->to_offset, args->length, to->dmabuf->size))
		return -ERANGE;
	return 0;
}

static int edu_job(struct edu_file *file, struct vcm_edu_job *args)
{
	struct edu_import *from = xa_load(&file->imports, args->from);
	struct edu_import *to = xa_load(&file->imports, args->to);
	struct edu_device *edu = file->edu;
	u64 start;
	int ret;

	ret = edu_job_check(from, to, args);
	if (ret)
		return ret;
	start = ktime_get_ns();
	ret = vcm_space_switch(from->space);
	args->ns = ktime_get_ns() - start;
	if (!ret || ret == -EAGAIN) {
		edu->active = ret ? NULL : from->space;
		edu->set = ret ? NULL : from->mapping.set;
	}
	if (ret)
		return ret;
	return edu_job_copy(edu, from, to, args);
}

/* --- The character device ---------------------------------------------- */

static void edu_free(struct kref *ref)
{
	kfree(container_of(ref, struct edu_device, ref));
}

/* Interrupts that are not messages would hide that there are no vectors. */
static int edu_vectors(struct edu_device *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret;

	devm_free_irq(&pdev->dev, pci_irq_vector(pdev, 0), edu->hw);
	pci_free_irq_vectors(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI | PCI_IRQ_MSIX);
	if (ret > 0)
		ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0),
				       edu_hw_irq, IRQF_SHARED, "vcm-edu",
				       edu->hw);
	if (ret)
		edu->gone = true;
	return ret;
}

union edu_args {
	struct vcm_edu_import import;
	struct vcm_edu_dma dma;
	struct vcm_edu_access access;
	struct vcm_edu_release release;
	struct vcm_edu_info info;
	struct vcm_edu_probe probe;
	struct vcm_edu_space_create space_create;
	struct vcm_edu_space space;
	struct vcm_edu_faults faults;
	struct vcm_edu_check check;
	struct vcm_edu_coherent coherent;
	struct vcm_edu_destroy destroy;
	struct vcm_edu_mapping mapping;
	struct vcm_edu_set_create set_create;
	struct vcm_edu_set_import set_import;
	struct vcm_edu_set_destroy set_destroy;
	struct vcm_edu_job job;
};

static int edu_call(struct edu_file *file, unsigned int cmd, union edu_args *args)
{
	struct edu_device *edu = file->edu;

	guard(mutex)(&edu->lock);
	if (edu->gone && !(late && cmd == VCM_EDU_IOC_RELEASE))
		return -ENODEV;

	switch (cmd) {
	case VCM_EDU_IOC_IMPORT:
		return edu_import(file, &args->import);
	case VCM_EDU_IOC_DMA:
		return edu_dma(file, &args->dma);
	case VCM_EDU_IOC_RELEASE:
		return edu_release(file, &args->release);
	case VCM_EDU_IOC_INFO:
		args->info.flags = edu->translated ? VCM_EDU_TRANSLATED : 0;
		args->info.dma_bits = edu->dma_bits;
		return 0;
	case VCM_EDU_IOC_PROBE:
		return edu_probe_dma(file, &args->probe);
	case VCM_EDU_IOC_SPACE_CREATE:
		return edu_space_create(file, &args->space_create);
	case VCM_EDU_IOC_SPACE:
		return edu_space_op(file, &args->space);
	case VCM_EDU_IOC_FAULTS:
		return edu_space_faults(file, &args->faults);
	case VCM_EDU_IOC_CHECK:
		return edu_check(file, &args->check);
	case VCM_EDU_IOC_COHERENT:
		return edu_space_coherent(file, &args->coherent);
	case VCM_EDU_IOC_MAPPING:
		return edu_mapping(file, &args->mapping);
	case VCM_EDU_IOC_DESTROY:
		return edu_space_destroy_busy(file, &args->destroy);
	case VCM_EDU_IOC_VECTORS:
		return edu_vectors(edu);
	case VCM_EDU_IOC_SET_CREATE:
		return edu_set_create(file, &args->set_create);
	case VCM_EDU_IOC_SET_IMPORT:
		return edu_set_import(file, &args->set_import);
	case VCM_EDU_IOC_SET_DESTROY:
		return edu_set_destroy(file, &args->set_destroy);
	case VCM_EDU_IOC_JOB:
		return edu_job(file, &args->job);
	default:
		return -ENOTTY;
	}
}

/* Nobody learned the number of what was made, or where it is: it must not stay. */
static void edu_undo(struct edu_file *file, unsigned int cmd,
		     const union edu_args *args)
{
	union edu_args undo = {};
	unsigned int i;

	if (cmd == VCM_EDU_IOC_IMPORT) {
		undo.release.handle = args->import.handle;
		edu_call(file, VCM_EDU_IOC_RELEASE, &undo);
	} else if (cmd == VCM_EDU_IOC_SET_IMPORT) {
		for (i = 0; i < args->set_import.nr; i++) {
			undo.release.handle = args->set_import.handles[i];
			edu_call(file, VCM_EDU_IOC_RELEASE, &undo);
		}
	} else if (cmd == VCM_EDU_IOC_SET_CREATE) {
		undo.set_destroy.set = args->set_create.set;
		edu_call(file, VCM_EDU_IOC_SET_DESTROY, &undo);
	} else if (cmd == VCM_EDU_IOC_SPACE_CREATE) {
		undo.space.space = args->space_create.space;
		undo.space.op = VCM_EDU_SPACE_DESTROY;
		edu_call(file, VCM_EDU_IOC_SPACE, &undo);
	} else if (cmd == VCM_EDU_IOC_MAPPING && args->mapping.map) {
		undo.mapping.handle = args->mapping.handle;
		edu_call(file, VCM_EDU_IOC_MAPPING, &undo);
	}
}

/* No user memory is touched under the lock, see edu_access(). */
static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct edu_file *file = filp->private_data;
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union edu_args args = {};
	int ret;

	if (size > sizeof(args))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&args, user, size))
		return -EFAULT;

	ret = cmd == VCM_EDU_IOC_ACCESS ? edu_access(file, &args.access) :
					  edu_call(file, cmd, &args);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(user, &args, size)) {
		edu_undo(file, cmd, &args);
		ret = -EFAULT;
	}
	return ret;
}

static void edu_forget_all(struct edu_file *file)
{
	struct edu_import *import;
	struct edu_space *edu_space;
	struct vcm_set *set;
	unsigned long i;

	lockdep_assert_held(&file->edu->lock);

	xa_for_each(&file->imports, i, import)
		edu_import_drop(file, xa_erase(&file->imports, i));
	xa_for_each(&file->spaces, i, edu_space)
		edu_space_destroy(file, i);
	xa_for_each(&file->sets, i, set)
		edu_set_end(file->edu, xa_erase(&file->sets, i));
}

static int edu_open(struct inode *inode, struct file *filp)
{
	/* The misc core holds its lock here, and the device until we return. */
	struct edu_device *edu = container_of(filp->private_data,
					      struct edu_device, misc);
	struct edu_file *file;

	file = kzalloc_obj(*file, EDU_GFP);
	if (!file)
		return -ENOMEM;

	kref_get(&edu->ref);
	file->edu = edu;
	xa_init_flags(&file->imports, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->spaces, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->sets, XA_FLAGS_ALLOC1);
	filp->private_data = file;

	guard(mutex)(&edu->lock);
	list_add_tail(&file->node, &edu->files);
	return 0;
}

static int edu_close(struct inode *inode, struct file *filp)
{
	struct edu_file *file = filp->private_data;

	scoped_guard(mutex, &file->edu->lock) {
		edu_forget_all(file);
		list_del(&file->node);
	}
	kref_put(&file->edu->ref, edu_free);
	kfree(file);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_close,
	.unlocked_ioctl = edu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* --- Binding ----------------------------------------------------------- */

static struct edu_device *edu_create(struct pci_dev *pdev, int number)
{
	struct edu_device *edu;

	edu = kzalloc_obj(*edu);
	if (!edu)
		return NULL;

	kref_init(&edu->ref);
	edu->pdev = pdev;
	edu->dma_bits = dma_bits[number] ?: EDU_HW_DMA_BITS;
	mutex_init(&edu->lock);
	INIT_LIST_HEAD(&edu->files);
	snprintf(edu->name, sizeof(edu->name), number ? EDU_NAME "%d" : EDU_NAME,
		 number);
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.name = edu->name;
	edu->misc.fops = &edu_fops;
	edu->misc.parent = &pdev->dev;
	return edu;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *unused)
{
	int number = edu_hw_number(pdev);
	struct edu_device *edu;
	int ret;

	if (number < 0)
		return number;

	edu = edu_create(pdev, number);
	if (!edu)
		return -ENOMEM;
	pci_set_drvdata(pdev, edu);

	edu->hw = edu_hw_init(pdev, edu->dma_bits);
	ret = PTR_ERR_OR_ZERO(edu->hw);
	if (!ret)
		ret = edu_probe_translation(edu);
	if (!ret)
		ret = misc_register(&edu->misc);
	if (ret)
		kref_put(&edu->ref, edu_free);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);
	struct edu_file *file;

	misc_deregister(&edu->misc);

	/* No mapping should outlive the binding. There are drivers with which it does. */
	scoped_guard(mutex, &edu->lock) {
		edu->gone = true;
		list_for_each_entry(file, &edu->files, node)
			if (!late)
				edu_forget_all(file);
	}
	kref_put(&edu->ref, edu_free);
}

static struct pci_driver edu_driver = {
	.name = EDU_NAME,
	.id_table = edu_hw_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

static int __init edu_init(void)
{
	unsigned int i;

	/* What DMA_BIT_MASK() has a mask for. */
	for (i = 0; i < nr_dma_bits; i++)
		if (!dma_bits[i] || dma_bits[i] > 64)
			return -EINVAL;

	/*
	 * A driver that sets this leaves the DMA API of the device itself alone: that
	 * this one does not is what tests want.
	 */
	edu_driver.driver_managed_dma = managed_dma;
	return pci_register_driver(&edu_driver);
}
module_init(edu_init);

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
}
module_exit(edu_exit);

MODULE_DESCRIPTION("Importer for tests, for QEMU's edu device");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("VCM_IOMMU");
