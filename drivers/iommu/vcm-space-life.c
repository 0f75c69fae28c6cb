// SPDX-License-Identifier: GPL-2.0
/*
 * The life of address spaces that are swapped under a device
 *
 * A space is made for a device, its parent, and is a device of its own
 * (vcm-space-dev.c) that buffers are attached to and mapped for. It can be
 * destroyed at any time, whoever still has something attached or mapped: the
 * parent reaches nothing of it any more, and
 *
 * * what goes through placement, all buffers of the vcm heap, is undone, as for a
 *   device that is removed;
 * * what is at fixed addresses is undone, as it is ours;
 * * what others mapped, other exporters or the DMA API, they have to undo. Until
 *   they have, the space's device stays, and the domain that nothing is attached
 *   to: without them the DMA API would take an IOVA for a physical address.
 */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/overflow.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/vcm-iova.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-space.h"

static DEFINE_IDA(vcm_space_ids);

/* The IOMMU API takes addresses of the type that the end has. */
static bool vcm_page_range_ok(u64 start, u64 len)
{
	unsigned long end;

	return PAGE_ALIGNED(start) && PAGE_ALIGNED(len) &&
	       !check_add_overflow(start, len, &end);
}

static int vcm_space_args_check(const struct vcm_space_args *args)
{
	if (!args->len || !vcm_page_range_ok(args->start, args->len) ||
	    !vcm_page_range_ok(args->fixed_start, args->fixed_len))
		return -EINVAL;
	if (args->fixed_len &&
	    !vcm_range_inside(args->fixed_start, args->fixed_len, args->start,
			      args->len))
		return -ERANGE;
	if (args->align && (hweight64(args->align) != 1 ||
			    args->align < PAGE_SIZE))
		return -EINVAL;
	return 0;
}

/* --- Birth ------------------------------------------------------------- */

static void vcm_space_free(struct vcm_space *space)
{
	ida_free(&vcm_space_ids, space->id);
	vcm_parent_drop(space->parent);
	kfree(space);
}

/* Nothing is mapped in it, nor can be, and the parent is not attached to it. */
static void vcm_space_emptied(struct work_struct *work)
{
	struct vcm_space *space = container_of(work, struct vcm_space, emptied);

	vcm_space_quiesce(space);
	vcm_space_remove_device(space);
	vcm_iova_put(space->vdev);
	vcm_space_free(space);
}

/* It ends when whoever has something mapped in it has unmapped that. */
static void vcm_space_abandon(struct vcm_space *space)
{
	vcm_iova_revoke(space->vdev);
	vcm_domain_abandon(space->domain, &space->emptied);
}

/* A space with its device, of which nobody knows yet. */
static struct vcm_space *vcm_space_new(struct vcm_parent *parent,
				       const struct vcm_space_args *args,
				       struct vcm_set *set, bool is_keeper)
{
	struct vcm_space *space = kzalloc_obj(*space);
	int ret;

	if (!space)
		return ERR_PTR(-ENOMEM);

	refcount_set(&space->calls, 1);
	init_completion(&space->idle);
	INIT_WORK(&space->emptied, vcm_space_emptied);
	space->parent = parent;
	space->args = *args;
	space->set = set;
	space->is_keeper = is_keeper;
	space->fixed = RB_ROOT_CACHED;

	space->id = ida_alloc(&vcm_space_ids, GFP_KERNEL);
	if (space->id < 0) {
		ret = space->id;
		goto free_space;
	}

	vcm_parent_keep(parent);
	ret = vcm_space_add_device(space);
	if (ret)
		goto drop_parent;

	space->vdev = vcm_iova_know(&space->pdev->dev);
	if (IS_ERR(space->vdev)) {
		ret = PTR_ERR(space->vdev);
		goto remove_device;
	}
	return space;

remove_device:
	vcm_space_remove_device(space);
drop_parent:
	vcm_space_free(space);
	return ERR_PTR(ret);

free_space:
	kfree(space);
	return ERR_PTR(ret);
}

static int vcm_space_add_keeper(struct vcm_space *space)
{
	/* All that iommu_map() takes and the IOMMU translates */
	const struct vcm_space_args args = { .len = ULONG_MAX & PAGE_MASK };
	struct vcm_space *keeper;

	if (!space->args.fixed_len)
		return 0;
	keeper = vcm_space_new(space->parent, &args, NULL, true);
	if (IS_ERR(keeper))
		return PTR_ERR(keeper);
	space->keeper = keeper;
	return 0;
}

static int vcm_space_link(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret = 0;

	mutex_lock(&parent->lock);
	if (parent->dead) {
		ret = -ENODEV;
	} else if (parent->nr_spaces == VCM_SPACES_MAX) {
		ret = -ENOSPC;
	} else {
		list_add_tail(&space->node, &parent->spaces);
		parent->nr_spaces++;
	}
	mutex_unlock(&parent->lock);
	return ret;
}

/**
 * vcm_space_create_in - make an address space for a device, in a set or in none
 * @parent: the device, bound to the caller's driver
 * @args: what it is to be like
 * @set: the set, or NULL
 *
 * Context: as vcm_space_create().
 * Return: as vcm_space_create().
 */
struct vcm_space *vcm_space_create_in(struct device *parent,
				      const struct vcm_space_args *args,
				      struct vcm_set *set)
{
	struct vcm_parent *vparent;
	struct vcm_space *space;
	int ret;

	ret = vcm_space_args_check(args);
	if (ret)
		return ERR_PTR(ret);
	if (!device_iommu_mapped(parent) || !parent->dma_mask ||
	    vcm_space_has_device(parent))
		return ERR_PTR(-EOPNOTSUPP);

	vcm_domains_settle();
	vparent = vcm_parent_get(parent);
	if (IS_ERR(vparent))
		return ERR_CAST(vparent);

	space = vcm_space_new(vparent, args, set, false);
	if (IS_ERR(space)) {
		ret = PTR_ERR(space);
		goto put_parent;
	}

	ret = vcm_space_add_keeper(space);
	if (ret)
		goto abandon_space;

	/* Last: from here on it can be found. */
	ret = vcm_space_link(space);
	if (ret)
		goto abandon_keeper;
	return space;

abandon_keeper:
	if (space->keeper)
		vcm_space_abandon(space->keeper);
abandon_space:
	vcm_space_abandon(space);
put_parent:
	vcm_parent_put(vparent);
	return ERR_PTR(ret);
}

/**
 * vcm_space_create - make an address space for a device
 * @parent: the device, bound to the caller's driver
 * @args: what it is to be like
 *
 * The space is empty and not active. Whether it can be activated without a
 * moment in which @parent is in its default domain depends on the driver of
 * @parent, see vcm_space_gap_blocked(). What @parent can address, its DMA mask
 * and the limits of its segments, is as it is now for as long as the space is:
 * a driver sets them before.
 *
 * Context: Process context, sleeps. Not while @parent is being unbound: the
 *	driver's remove() comes after whatever creates spaces.
 * Return: the space, or
 *	-EINVAL (empty or unaligned window, bad alignment),
 *	-ERANGE (nothing of the window is what @parent addresses and the IOMMU
 *	translates, or all of that is reserved; or the fixed window is not inside
 *	the window, or something of it is not so),
 *	-EOPNOTSUPP (no IOMMU, no DMA mask, or @parent is the device of a space),
 *	-EACCES (@parent is not trusted: it is only given whole pages that
 *	nothing else is in, which the DMA API does for PCI devices alone),
 *	-EXDEV (other devices are in the IOMMU group of @parent, and would
 *	change spaces with it),
 *	-EADDRNOTAVAIL (the IOMMU translates the interrupt messages of @parent,
 *	which is no PCI device: where they go is not known, and they would be
 *	lost in a space),
 *	-ENOSPC (@parent has VCM_SPACES_MAX spaces),
 *	-ENODEV (@parent is going away), -ENOMEM,
 *	-EBUSY (somebody else attached @parent to a domain, or @parent is being
 *	reset), -EPERM (somebody else claimed the DMA of the space's device),
 *	or what the IOMMU driver returns for a new domain.
 */
struct vcm_space *vcm_space_create(struct device *parent,
				   const struct vcm_space_args *args)
{
	return vcm_space_create_in(parent, args, NULL);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_create, "VCM_IOMMU");

/* --- End --------------------------------------------------------------- */

/* The parent reaches nothing of it any more, and nothing is mapped any more. */
static void vcm_space_unlink(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;

	mutex_lock(&parent->lock);
	vcm_domain_close(space->domain);
	if (parent->active == space)
		vcm_parent_detach(parent);
	list_del(&space->node);
	parent->nr_spaces--;
	mutex_unlock(&parent->lock);
}

/**
 * vcm_space_destroy - end a space
 * @space: the space; not to be named in any call after this one
 *
 * If @space is active the parent is in the gap afterwards, and with its last
 * space it has its own addresses again. It works also when the parent is gone.
 *
 * It does not matter what is attached to the space or mapped in it. What is at
 * fixed addresses is undone and the buffers are let go; vcm_space_map_at() and
 * vcm_space_unmap_at() that are under way are waited for. What is mapped through
 * vcm_iova_map(), as all buffers of the vcm heap are, is undone as when a device
 * is removed: to map it again fails with -ENODEV, and unmapping and detaching are
 * harmless at any time. Other exporters and the DMA API may be mapping, which
 * fails from now on, and unmap what they mapped later: until then it stays in a
 * domain that no device is attached to, and the space's device and the module
 * with it. Also if nothing is mapped these stay for a moment, until whoever was
 * inside of the DMA API must have left it.
 *
 * Context: Process context, sleeps. Without the reservation lock of a buffer.
 *	Nobody is in another call for @space but the two named, nor begins one, and
 *	nobody allocates with dma_alloc_coherent() and the like for its device, or
 *	has addresses from dma_iova_try_alloc() with nothing linked there.
 */
void vcm_space_destroy(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;

	vcm_space_unlink(space);
	vcm_space_leave(space);
	wait_for_completion(&space->idle);
	vcm_space_unmap_all(space);
	if (space->keeper)
		vcm_space_abandon(space->keeper);
	vcm_space_abandon(space);
	vcm_parent_put(parent);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_destroy, "VCM_IOMMU");

static void vcm_space_devm_destroy(void *space)
{
	vcm_space_destroy(space);
}

/**
 * devm_vcm_space_create - make an address space for a device while it is bound
 * @parent: the device, bound to the caller's driver or being so
 * @args: what it is to be like
 *
 * As vcm_space_create(), with vcm_space_destroy() when the driver has let go of
 * @parent, behind its remove(). The driver does not call that itself.
 *
 * Context: Process context, sleeps. Not while @parent is being unbound.
 * Return: the space, or an error as vcm_space_create().
 */
struct vcm_space *devm_vcm_space_create(struct device *parent,
					const struct vcm_space_args *args)
{
	struct vcm_space *space = vcm_space_create(parent, args);
	int ret;

	if (IS_ERR(space))
		return space;
	ret = devm_add_action_or_reset(parent, vcm_space_devm_destroy, space);
	return ret ? ERR_PTR(ret) : space;
}
EXPORT_SYMBOL_NS_GPL(devm_vcm_space_create, "VCM_IOMMU");
