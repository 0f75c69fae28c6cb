// SPDX-License-Identifier: GPL-2.0
/*
 * Sample dma-buf importer: address spaces that are swapped under the device
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vcm-iommu.h>

#include "vcm_edu_priv.h"

/**
 * edu_space_find - a space of an open file
 * @file: the file
 * @id: number of the space
 *
 * Context: Process context, with &struct edu_device.lock.
 * Return: the space or NULL.
 */
struct edu_space *edu_space_find(struct edu_file *file, u32 id)
{
	lockdep_assert_held(&file->edu->lock);

	return xa_load(&file->spaces, id);
}

/* A real driver would reset the device, or tell whoever queued the work. */
static void edu_space_fault(struct vcm_space *space, u64 iova, bool write,
			    void *data)
{
	struct edu_space *edu_space = data;
	unsigned long flags;

	spin_lock_irqsave(&edu_space->lock, flags);
	edu_space->nr_faults++;
	edu_space->fault_iova = iova;
	edu_space->fault_write = write;
	spin_unlock_irqrestore(&edu_space->lock, flags);
}

static struct edu_space *edu_space_alloc(struct device *dev,
					 const struct vcm_space_args *args)
{
	struct edu_space *edu_space;
	int ret;

	edu_space = kzalloc_obj(*edu_space, EDU_GFP);
	if (!edu_space)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&edu_space->lock);

	edu_space->space = vcm_space_create(dev, args);
	if (IS_ERR(edu_space->space)) {
		ret = PTR_ERR(edu_space->space);
		goto free_space;
	}

	ret = vcm_space_set_fault_handler(edu_space->space, edu_space_fault,
					  edu_space);
	if (ret)
		goto destroy_space;
	return edu_space;

destroy_space:
	vcm_space_destroy(edu_space->space);
free_space:
	kfree(edu_space);
	return ERR_PTR(ret);
}

/* What is imported to the space stays, and leads nowhere. */
static void edu_space_orphan(struct edu_file *file, struct vcm_space *space)
{
	struct edu_import *import;
	unsigned long handle;

	xa_for_each(&file->imports, handle, import) {
		if (import->space != space)
			continue;
		/* The space lets go of the buffer. */
		if (import->fixed)
			get_dma_buf(import->dmabuf);
		import->space = EDU_NO_SPACE;
	}
}

static void edu_space_free(struct edu_file *file, struct edu_space *edu_space)
{
	struct edu_device *edu = file->edu;

	lockdep_assert_held(&edu->lock);

	if (edu->active == edu_space->space)
		edu->active = NULL;
	edu_space_orphan(file, edu_space->space);
	vcm_space_destroy(edu_space->space);
	kfree(edu_space);
}

/**
 * edu_space_create - VCM_EDU_IOC_SPACE_CREATE
 * @file: the file
 * @args: the argument
 *
 * Context: Process context, with &struct edu_device.lock.
 * Return: 0 or an error.
 */
int edu_space_create(struct edu_file *file, struct vcm_edu_space_create *args)
{
	const struct vcm_space_args space_args = {
		.start = args->start,
		.len = args->length,
		.fixed_start = args->fixed_start,
		.fixed_len = args->fixed_length,
		.align = args->align,
	};
	struct edu_space *edu_space;
	int ret;

	edu_space = edu_space_alloc(&file->edu->pdev->dev, &space_args);
	if (IS_ERR(edu_space))
		return PTR_ERR(edu_space);

	edu_space->serial = ++file->serial;
	ret = xa_alloc(&file->spaces, &args->space, edu_space, xa_limit_31b,
		       EDU_GFP);
	if (ret) {
		edu_space_free(file, edu_space);
		return ret;
	}
	args->flags = vcm_space_gap_blocked(edu_space->space) ?
		      VCM_EDU_SPACE_GAP_BLOCKED : 0;
	return 0;
}

static void edu_space_destroy(struct edu_file *file, u32 id)
{
	edu_space_free(file, xa_erase(&file->spaces, id));
}

static int edu_space_deactivate(struct edu_device *edu,
				struct vcm_space *space)
{
	int ret = vcm_space_deactivate(space);

	if (!ret)
		edu->active = NULL;
	return ret;
}

/**
 * edu_space_op - VCM_EDU_IOC_SPACE
 * @file: the file
 * @args: the argument
 *
 * Context: Process context, with &struct edu_device.lock: no transfer is under
 *	way while the device changes its space.
 * Return: 0 or an error.
 */
int edu_space_op(struct edu_file *file, const struct vcm_edu_space *args)
{
	struct edu_device *edu = file->edu;
	struct edu_space *edu_space = edu_space_find(file, args->space);
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
		return edu_space_deactivate(edu, space);
	case VCM_EDU_SPACE_ACTIVATE:
		ret = vcm_space_activate(space);
		break;
	case VCM_EDU_SPACE_SWITCH:
		ret = vcm_space_switch(space);
		break;
	default:
		return -EINVAL;
	}
	if (!ret)
		edu->active = space;
	else if (ret == -EAGAIN)
		edu->active = NULL;
	return ret;
}

/**
 * edu_space_undo - undo edu_space_create() if nothing came of it
 * @file: the file
 * @id: number of the space
 * @serial: that of the space which was created
 *
 * Context: Process context, with &struct edu_device.lock.
 */
void edu_space_undo(struct edu_file *file, u32 id, u64 serial)
{
	struct edu_space *edu_space = edu_space_find(file, id);

	/* Who guessed the number and uses the space knows it. */
	if (edu_space && edu_space->serial == serial)
		edu_space_destroy(file, id);
}

/**
 * edu_space_forget_all - destroy all spaces of an open file
 * @file: the file; nothing is imported to them
 *
 * Context: Process context, with &struct edu_device.lock.
 */
void edu_space_forget_all(struct edu_file *file)
{
	struct edu_space *edu_space;
	unsigned long id;

	xa_for_each(&file->spaces, id, edu_space)
		edu_space_destroy(file, id);
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

/**
 * edu_space_faults - VCM_EDU_IOC_FAULTS
 * @file: the file
 * @args: the argument
 * @may_inject: faults can be injected
 *
 * Context: Process context, with &struct edu_device.lock.
 * Return: 0 or an error.
 */
int edu_space_faults(struct edu_file *file, struct vcm_edu_faults *args,
		     bool may_inject)
{
	struct edu_space *edu_space = edu_space_find(file, args->space);
	int ret;

	if (args->flags & ~VCM_EDU_FAULT_INJECT)
		return -EINVAL;
	if (!edu_space)
		return -ENOENT;
	if (args->flags) {
		ret = may_inject ? edu_space_inject(file->edu, edu_space,
						    args) : -EPERM;
		if (ret)
			return ret;
	}

	spin_lock_irq(&edu_space->lock);
	args->count = edu_space->nr_faults;
	args->iova = edu_space->fault_iova;
	args->write = edu_space->fault_write;
	spin_unlock_irq(&edu_space->lock);
	return 0;
}

/* Have the device copy the last word of @len bytes to the first one. */
static int edu_copy_tag(struct edu_device *edu, u64 *words, dma_addr_t addr,
			size_t len)
{
	size_t last = len - sizeof(*words);
	u64 tag = get_random_u64();
	int ret;

	words[last / sizeof(*words)] = tag;
	ret = edu_dma(edu, VCM_EDU_TO_DEVICE, addr + last, 0, sizeof(tag));
	if (!ret)
		ret = edu_dma(edu, VCM_EDU_FROM_DEVICE, addr, 0, sizeof(tag));
	return ret ?: READ_ONCE(words[0]) == tag;
}

/**
 * edu_space_coherent - VCM_EDU_IOC_COHERENT
 * @file: the file
 * @args: the argument
 *
 * Memory for rings and descriptors comes from a space as it does from a device.
 *
 * Context: Process context, with &struct edu_device.lock.
 * Return: 0 or an error.
 */
int edu_space_coherent(struct edu_file *file, struct vcm_edu_coherent *args)
{
	struct edu_space *edu_space = edu_space_find(file, args->space);
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
	struct dma_buf_attachment *attachment;
	phys_addr_t phys = 0;
	struct sg_table *sgt;

	attachment = dma_buf_attach(import->dmabuf,
				    vcm_space_dev(import->space));
	if (IS_ERR(attachment))
		return 0;
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (!IS_ERR(sgt)) {
		phys = edu_table_phys(sgt, offset);
		dma_buf_unmap_attachment_unlocked(attachment, sgt,
						  DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(import->dmabuf, attachment);
	return phys;
}

/**
 * edu_import_check - VCM_EDU_IOC_CHECK
 * @import: an import to a space
 * @args: the argument, with an offset inside the buffer
 *
 * Only a test looks at the pages of a table, which are the exporter's affair.
 *
 * Context: Process context, with &struct edu_device.lock.
 * Return: 0, -ENXIO (the space was destroyed) or -EOPNOTSUPP.
 */
int edu_import_check(struct edu_import *import, struct vcm_edu_check *args)
{
	phys_addr_t phys;
	dma_addr_t addr;
	size_t len = 1;

	if (import->space == EDU_NO_SPACE)
		return -ENXIO;

	addr = edu_import_dma_addr(import, args->offset, &len);
	phys = import->fixed ? edu_fixed_phys(import, args->offset) :
			       edu_table_phys(import->sgt, args->offset);
	if (!phys)
		return -EOPNOTSUPP;
	args->matches = vcm_space_iova_to_phys(import->space, addr) == phys;
	return 0;
}

/**
 * edu_import_create_fixed - map a buffer at an address of the user's choice
 * @space: the space
 * @fd: the buffer
 * @iova: the address
 *
 * Context: Process context.
 * Return: the import, or an error: no buffer, no memory, or what
 *	vcm_space_map_at() returns.
 */
struct edu_import *edu_import_create_fixed(struct vcm_space *space, int fd,
					   u64 iova)
{
	struct edu_import *import;
	int ret;

	import = kzalloc_obj(*import, EDU_GFP);
	if (!import)
		return ERR_PTR(-ENOMEM);

	import->dmabuf = dma_buf_get(fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto free_import;
	}

	ret = vcm_space_map_at(space, iova, import->dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		goto put_dmabuf;

	/* From here on the space keeps the buffer. */
	dma_buf_put(import->dmabuf);
	import->fixed = true;
	import->fixed_iova = iova;
	return import;

put_dmabuf:
	dma_buf_put(import->dmabuf);
free_import:
	kfree(import);
	return ERR_PTR(ret);
}

/**
 * edu_import_destroy_fixed - undo edu_import_create_fixed()
 * @import: the import
 *
 * Context: Process context.
 */
void edu_import_destroy_fixed(struct edu_import *import)
{
	if (import->space == EDU_NO_SPACE)
		dma_buf_put(import->dmabuf);
	else
		WARN_ON(vcm_space_unmap_at(import->space, import->fixed_iova));
	kfree(import);
}
