// SPDX-License-Identifier: GPL-2.0
/*
 * Sample dma-buf importer: address spaces that are swapped under the device
 */

#include <linux/err.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
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
struct vcm_space *edu_space_find(struct edu_file *file, u32 id)
{
	lockdep_assert_held(&file->edu->lock);

	return xa_load(&file->spaces, id);
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
	struct vcm_space *space;
	int ret;

	space = vcm_space_create(&file->edu->pdev->dev, &space_args);
	if (IS_ERR(space))
		return PTR_ERR(space);

	ret = xa_alloc(&file->spaces, &args->space, space, xa_limit_31b,
		       GFP_KERNEL_ACCOUNT);
	if (ret) {
		vcm_space_destroy(space);
		return ret;
	}
	args->flags = vcm_space_gap(space) == VCM_SPACE_GAP_BLOCKED ?
		      VCM_EDU_SPACE_GAP_BLOCKED : 0;
	return 0;
}

static int edu_space_destroy(struct edu_file *file, u32 id,
			     struct vcm_space *space)
{
	int ret = vcm_space_destroy(space);

	if (!ret)
		xa_erase(&file->spaces, id);
	return ret;
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
	struct vcm_space *space = edu_space_find(file, args->space);
	int ret;

	if (!space)
		return -ENOENT;

	switch (args->op) {
	case VCM_EDU_SPACE_DESTROY:
		return edu_space_destroy(file, args->space, space);
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
	return ret;
}

/**
 * edu_space_forget - destroy a space
 * @file: the file
 * @id: number of the space; nothing is imported to it
 *
 * Context: Process context, with &struct edu_device.lock.
 */
void edu_space_forget(struct edu_file *file, u32 id)
{
	struct vcm_space *space = edu_space_find(file, id);

	if (!space)
		return;
	/* A device that lost its driver is in no space any more. */
	if (file->edu->active == space) {
		vcm_space_deactivate(space);
		file->edu->active = NULL;
	}
	WARN_ON(edu_space_destroy(file, id, space));
}

/**
 * edu_space_forget_all - destroy all spaces of an open file
 * @file: the file; nothing is imported to them
 *
 * Context: Process context, with &struct edu_device.lock.
 */
void edu_space_forget_all(struct edu_file *file)
{
	struct vcm_space *space;
	unsigned long id;

	xa_for_each(&file->spaces, id, space)
		edu_space_forget(file, id);
}

/**
 * edu_import_map_fixed - map an import at an address of the user's choice
 * @import: the import, in a space
 * @iova: the address
 *
 * Context: Process context.
 * Return: 0, -EOPNOTSUPP (the exporter shows no pages, or the kernel hides
 *	them from importers: CONFIG_DMABUF_DEBUG), or what vcm_space_map_at()
 *	returns.
 */
int edu_import_map_fixed(struct edu_import *import, u64 iova)
{
	int ret;

	if (!sg_page(import->sgt->sgl))
		return -EOPNOTSUPP;

	ret = vcm_space_map_at(import->space, iova, import->sgt,
			       DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	import->fixed = true;
	import->fixed_iova = iova;
	return 0;
}

/**
 * edu_import_unmap_fixed - undo edu_import_map_fixed()
 * @import: the import
 *
 * Context: Process context.
 */
void edu_import_unmap_fixed(struct edu_import *import)
{
	if (import->fixed)
		WARN_ON(vcm_space_unmap_at(import->space, import->fixed_iova));
	import->fixed = false;
}
