// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces that are swapped under a device
 *
 * A space is a device of its own, a platform device without driver, behind the
 * IOMMU of vcm-iommu.c. Importers attach to it as to any device and the DMA API
 * maps into it, whether or not the real device, its parent, is using it at the
 * time. To activate a space is to attach its domain to the parent.
 *
 * The IOMMU core refuses to attach one domain over another. A switch therefore
 * is to detach and to attach, and in between the parent is in its default
 * domain or, if its driver lets us claim its DMA, in one that blocks all.
 *
 * The idea of devices that stand for contexts of another is that of host1x
 * (drivers/gpu/host1x/context.c).
 */

#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "vcm-space.h"

#define VCM_SPACE_NAME	"vcm-space"

static DEFINE_IDA(vcm_space_ids);

/**
 * vcm_space_of - the space that a device stands for
 * @dev: a device behind our IOMMU
 *
 * Context: Any.
 * Return: the space.
 */
struct vcm_space *vcm_space_of(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

static bool vcm_range_inside(u64 start, u64 len, u64 in_start, u64 in_len)
{
	return start >= in_start && len <= in_len &&
	       start - in_start <= in_len - len;
}

static bool vcm_page_range_ok(u64 start, u64 len)
{
	u64 end;

	return PAGE_ALIGNED(start) && PAGE_ALIGNED(len) &&
	       !check_add_overflow(start, len, &end);
}

static int vcm_space_args_check(const struct vcm_space_args *args)
{
	if (!args->len || !vcm_page_range_ok(args->start, args->len) ||
	    !vcm_page_range_ok(args->fixed_start, args->fixed_len))
		return -EINVAL;
	/* The IOMMU API takes addresses of this type. */
	if (args->start + args->len - 1 > ULONG_MAX)
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

/* --- The space's device ------------------------------------------------ */

/* What DMA for the parent is like, DMA for the space has to be like. */
static void vcm_space_setup_dma(struct device *dev, struct vcm_space *space)
{
	struct device *parent = space->parent->dev;

	*dev->dma_mask = dma_get_mask(parent);
	dev->coherent_dma_mask = parent->coherent_dma_mask;
	dev->bus_dma_limit = min_not_zero(parent->bus_dma_limit,
					  vcm_space_last(space));
	dma_set_max_seg_size(dev, dma_get_max_seg_size(parent));
	dma_set_seg_boundary(dev, dma_get_seg_boundary(parent));
	dev_assign_dma_coherent(dev, dev_is_dma_coherent(parent));
	set_dev_node(dev, dev_to_node(parent));
}

/*
 * iommu_fwspec_init() wants iommu_probe_device_lock held, against others that
 * set up the same device. Nobody else knows the device before it is added. The
 * lock is not exported; a built-in driver takes it, and a module tells lockdep
 * that it knows.
 */
static int vcm_space_init_fwspec(struct device *dev)
{
	int ret;

#ifdef MODULE
	lockdep_off();
	ret = iommu_fwspec_init(dev, vcm_domain_fwnode());
	lockdep_on();
#else
	mutex_lock(&iommu_probe_device_lock);
	ret = iommu_fwspec_init(dev, vcm_domain_fwnode());
	mutex_unlock(&iommu_probe_device_lock);
#endif
	return ret;
}

/*
 * The DMA API maps into the default domain, whichever domain the device is
 * attached to, and ours is attached to nothing. So its DMA can be claimed: that
 * keeps everybody from giving it another default domain (the file "type" of its
 * group) or another driver.
 */
static int vcm_space_claim(struct vcm_space *space)
{
	return iommu_device_claim_dma_owner(&space->pdev->dev, space);
}

static void vcm_space_remove_device(struct vcm_space *space, bool claimed)
{
	struct platform_device *pdev = space->pdev;

	/*
	 * Without its IOMMU the device would get physical addresses from the
	 * DMA API. Without a mask it gets none.
	 */
	pdev->dev.dma_mask = NULL;
	if (claimed)
		iommu_device_release_dma_owner(&pdev->dev);
	platform_device_unregister(pdev);
	space->pdev = NULL;
}

/* What is mapped at fixed addresses is mapped where the parent can reach it. */
static int vcm_space_check_fixed(const struct vcm_space *space)
{
	const struct iommu_domain *backing = space->domain->backing;
	const struct vcm_space_args *args = &space->args;

	if (!args->fixed_len)
		return 0;
	if (args->fixed_start < backing->geometry.aperture_start ||
	    args->fixed_start + args->fixed_len - 1 >
	    backing->geometry.aperture_end ||
	    vcm_regions_overlap(space->parent, args->fixed_start,
				args->fixed_len))
		return -ERANGE;
	return 0;
}

/*
 * What the core frees when a device is removed, and would not for one that was
 * never added: dev_iommu_free() is not exported. Nobody else knows the device.
 */
static void vcm_space_free_fwspec(struct device *dev)
{
	struct dev_iommu *param = dev->iommu;

	if (!param)
		return;
	dev->iommu = NULL;
	if (param->fwspec) {
		fwnode_handle_put(param->fwspec->iommu_fwnode);
		kfree(param->fwspec);
	}
	kfree(param);
}

static int vcm_space_add_device(struct vcm_space *space)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_alloc(VCM_SPACE_NAME, space->id);
	if (!pdev)
		return -ENOMEM;

	/*
	 * No child of the parent: it may have to outlive that. Our IOMMU driver
	 * takes the space from here, as nothing keeps it for later: a driver
	 * that somebody tries to bind takes it away.
	 */
	dev_set_drvdata(&pdev->dev, space);
	vcm_space_setup_dma(&pdev->dev, space);
	ret = vcm_space_init_fwspec(&pdev->dev);
	if (ret)
		goto put_device;

	/* The IOMMU core is notified and asks our driver for a domain. */
	ret = platform_device_add(pdev);
	/* It takes a name for which there was no memory for a missing one. */
	if (ret == -EINVAL)
		ret = -ENOMEM;
	if (ret)
		goto put_device;

	space->pdev = pdev;
	space->domain = vcm_domain_of(&pdev->dev);
	if (!space->domain) {
		/* It failed, and the DMA API would map physical memory. */
		ret = -ENOMEM;
		goto remove_device;
	}
	ret = vcm_space_check_fixed(space);
	if (ret)
		goto remove_device;
	ret = vcm_space_claim(space);
	if (ret)
		goto remove_device;
	return 0;

remove_device:
	vcm_space_remove_device(space, false);
	return ret;

put_device:
	vcm_space_free_fwspec(&pdev->dev);
	platform_device_put(pdev);
	return ret;
}

/* --- Life -------------------------------------------------------------- */

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
 * vcm_space_create - make an address space for a device
 * @parent: the device, bound to the caller's driver
 * @args: what it is to be like
 *
 * The space is empty and not active. Whether it can be activated without a
 * moment in which @parent is in its default domain depends on the driver of
 * @parent, see vcm_space_gap_blocked().
 *
 * Context: Process context, sleeps. Not while @parent is being unbound: the
 *	driver's remove() comes after whatever creates spaces.
 * Return: the space, or
 *	-EINVAL (empty or unaligned window, bad alignment),
 *	-ERANGE (fixed window outside the window, outside of what the IOMMU
 *	translates, or where addresses of the parent are reserved),
 *	-EOPNOTSUPP (no IOMMU), -ENOSPC (too many spaces of @parent),
 *	-ENODEV (@parent is going away), -ENOMEM, -EBUSY (somebody else attached
 *	@parent to a domain), -EPERM (somebody else claimed the DMA of the
 *	space's device).
 */
struct vcm_space *vcm_space_create(struct device *parent,
				   const struct vcm_space_args *args)
{
	struct vcm_space *space;
	int ret;

	ret = vcm_space_args_check(args);
	if (ret)
		return ERR_PTR(ret);
	if (!device_iommu_mapped(parent) || !parent->dma_mask)
		return ERR_PTR(-EOPNOTSUPP);

	space = kzalloc_obj(*space);
	if (!space)
		return ERR_PTR(-ENOMEM);

	kref_init(&space->ref);
	space->args = *args;
	space->fixed = RB_ROOT_CACHED;

	space->id = ida_alloc(&vcm_space_ids, GFP_KERNEL);
	if (space->id < 0) {
		ret = space->id;
		goto free_space;
	}

	space->parent = vcm_parent_get(parent);
	if (IS_ERR(space->parent)) {
		ret = PTR_ERR(space->parent);
		goto free_id;
	}

	ret = vcm_space_add_device(space);
	if (ret)
		goto put_parent;

	/* Last: from here on it can be found. */
	ret = vcm_space_link(space);
	if (ret)
		goto remove_device;
	return space;

remove_device:
	vcm_space_remove_device(space, true);
put_parent:
	vcm_parent_put(space->parent);
free_id:
	ida_free(&vcm_space_ids, space->id);
free_space:
	kfree(space);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_create, "VCM_IOMMU");

static void vcm_space_release(struct kref *ref)
{
	struct vcm_space *space = container_of(ref, struct vcm_space, ref);

	/* The last reference goes after vcm_space_destroy(), or never. */
	if (WARN_ON(space->pdev))
		return;
	vcm_parent_put(space->parent);
	ida_free(&vcm_space_ids, space->id);
	kfree(space);
}

/**
 * vcm_space_get - take a reference
 * @space: the space
 *
 * A reference keeps @space valid as an argument, not from being destroyed.
 *
 * Context: Any.
 * Return: @space.
 */
struct vcm_space *vcm_space_get(struct vcm_space *space)
{
	kref_get(&space->ref);
	return space;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_get, "VCM_IOMMU");

/**
 * vcm_space_put - drop a reference
 * @space: the space
 *
 * Context: Process context, may sleep.
 */
void vcm_space_put(struct vcm_space *space)
{
	kref_put(&space->ref, vcm_space_release);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_put, "VCM_IOMMU");

static int vcm_space_unlink(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret = -EBUSY;

	mutex_lock(&parent->lock);
	if (!space->domain) {
		ret = -ENODEV;
		goto unlock;
	}
	if (parent->active == space || vcm_iommu_attached(&space->pdev->dev))
		goto unlock;
	if (!vcm_domain_close(space->domain))
		goto unlock;

	list_del(&space->node);
	parent->nr_spaces--;
	space->domain = NULL;
	ret = 0;
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}

/**
 * vcm_space_destroy - end a space
 * @space: the space; the reference of vcm_space_create() is dropped
 *
 * The space's device is gone on success. It works also when the parent is.
 *
 * Context: Process context, sleeps.
 * Return: 0, -EBUSY (active, or anything mapped, or a buffer of the vcm heap
 *	attached; nothing has changed), -ENODEV (destroyed already). Exporters
 *	that do not use vcm_iommu_get() are not known here: their attachments
 *	have to be gone before.
 */
int vcm_space_destroy(struct vcm_space *space)
{
	int ret = vcm_space_unlink(space);

	if (ret)
		return ret;

	vcm_space_remove_device(space, true);
	vcm_space_put(space);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_destroy, "VCM_IOMMU");

/**
 * vcm_space_dev - what importers attach to
 * @space: the space
 *
 * The device has no driver and does no DMA; it is for dma_buf_attach() and for
 * the DMA API. What is mapped for it is what the parent reaches while the
 * space is active.
 *
 * Context: Any, until vcm_space_destroy().
 * Return: the device.
 */
struct device *vcm_space_dev(struct vcm_space *space)
{
	return &space->pdev->dev;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_dev, "VCM_IOMMU");

/* --- Activation -------------------------------------------------------- */

/* Is the space there, and its parent? */
static int vcm_space_alive(const struct vcm_space *space)
{
	lockdep_assert_held(&space->parent->lock);

	return space->domain && !space->parent->dead ? 0 : -ENODEV;
}

static int vcm_space_attach(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	lockdep_assert_held(&parent->lock);

	down_write(&parent->gate);
	ret = iommu_attach_device(space->domain->backing, parent->dev);
	up_write(&parent->gate);
	if (!ret)
		parent->active = space;
	return ret;
}

static void vcm_space_detach(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;

	lockdep_assert_held(&parent->lock);

	down_write(&parent->gate);
	iommu_detach_device(space->domain->backing, parent->dev);
	up_write(&parent->gate);
	parent->active = NULL;
}

/**
 * vcm_space_activate - let the parent use a space
 * @space: the space
 *
 * Context: Process context, sleeps.
 * Return: 0 (also if it was active), -EBUSY (another space is active, or
 *	somebody else attached the parent to a domain), -ENODEV (the space was
 *	destroyed or its parent is gone), or what iommu_attach_device() returns.
 */
int vcm_space_activate(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	mutex_lock(&parent->lock);
	ret = vcm_space_alive(space);
	if (ret || parent->active == space)
		goto unlock;
	ret = parent->active ? -EBUSY : vcm_space_attach(space);
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_activate, "VCM_IOMMU");

/**
 * vcm_space_deactivate - take a space from the parent
 * @space: the space
 *
 * The parent is in the gap afterwards, see vcm_space_gap_blocked().
 *
 * Context: Process context, sleeps.
 * Return: 0, -EINVAL (not active), -ENODEV (the space was destroyed or its
 *	parent is gone).
 */
int vcm_space_deactivate(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	mutex_lock(&parent->lock);
	ret = vcm_space_alive(space);
	if (ret)
		goto unlock;
	if (parent->active == space)
		vcm_space_detach(space);
	else
		ret = -EINVAL;
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_deactivate, "VCM_IOMMU");

/**
 * vcm_space_switch - let the parent use another space
 * @space: the space to use, instead of the one that is active, if any
 *
 * In between the parent is in the gap, see vcm_space_gap_blocked(). If @space cannot
 * be attached, the space that was active before is again.
 *
 * Context: Process context, sleeps.
 * Return: as vcm_space_activate().
 */
int vcm_space_switch(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	struct vcm_space *old;
	int ret;

	mutex_lock(&parent->lock);
	old = parent->active;
	ret = vcm_space_alive(space);
	if (ret || old == space)
		goto unlock;

	if (old)
		vcm_space_detach(old);
	ret = vcm_space_attach(space);
	/* If that fails too, the parent is in the gap, which is safe. */
	if (ret && old)
		vcm_space_attach(old);
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_switch, "VCM_IOMMU");

/**
 * vcm_space_is_active - does the parent use a space
 * @space: the space
 *
 * Context: Process context, may sleep.
 * Return: true between activation and whatever ended it.
 */
bool vcm_space_is_active(struct vcm_space *space)
{
	bool active;

	mutex_lock(&space->parent->lock);
	active = space->parent->active == space;
	mutex_unlock(&space->parent->lock);
	return active;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_is_active, "VCM_IOMMU");

/**
 * vcm_space_gap_blocked - does the parent reach nothing between its spaces
 * @space: a space of the parent
 *
 * The gap is where the parent is while none of its spaces is active. It is
 * blocked for a driver that sets driver_managed_dma and has no other DMA API
 * mappings in use while it has spaces: then nothing but the active space is
 * ever reachable. Else it is the parent's default domain: what the DMA API has
 * mapped for it or, with iommu=pt, all memory.
 *
 * Context: Any.
 * Return: true if the gap is blocked; the same for all spaces of a parent.
 */
bool vcm_space_gap_blocked(struct vcm_space *space)
{
	return space->parent->owned;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_gap_blocked, "VCM_IOMMU");

/**
 * vcm_space_kill - the parent goes away
 * @space: the space
 *
 * What is mapped stays until it is unmapped, for it is others that mapped it.
 *
 * Context: Process context, with &struct vcm_parent.lock.
 */
void vcm_space_kill(struct vcm_space *space)
{
	lockdep_assert_held(&space->parent->lock);

	vcm_domain_kill(space->domain);
	if (space->parent->active == space)
		vcm_space_detach(space);
}

/* --- Fixed addresses --------------------------------------------------- */

/* Bytes in @sgt if it is whole pages of memory, else 0. */
static u64 vcm_sgt_bytes(struct sg_table *sgt)
{
	struct scatterlist *sg;
	u64 len = 0;
	int i;

	for_each_sgtable_sg(sgt, sg, i) {
		if (!PAGE_ALIGNED(sg->offset | sg->length) ||
		    sg_dma_is_bus_address(sg))
			return 0;
		len += sg->length;
	}
	return len;
}

static int vcm_space_prot(const struct vcm_space *space,
			  enum dma_data_direction dir)
{
	int prot = dev_is_dma_coherent(&space->pdev->dev) ? IOMMU_CACHE : 0;

	if (dir != DMA_FROM_DEVICE)
		prot |= IOMMU_READ;
	if (dir != DMA_TO_DEVICE)
		prot |= IOMMU_WRITE;
	return prot;
}

static int vcm_fixed_check(const struct vcm_space *space, u64 iova, u64 len)
{
	if (!len || !PAGE_ALIGNED(iova | len) ||
	    (space->args.align && !IS_ALIGNED(iova, space->args.align)))
		return -EINVAL;
	if (!vcm_range_inside(iova, len, space->args.fixed_start,
			      space->args.fixed_len))
		return -ERANGE;
	return 0;
}

static int vcm_fixed_map(struct vcm_space *space, u64 iova, u64 len,
			 struct sg_table *sgt, int prot)
{
	struct iommu_domain *domain = &space->domain->domain;
	struct vcm_fixed *fixed;
	ssize_t mapped;

	if (interval_tree_iter_first(&space->fixed, iova, iova + len - 1))
		return -EEXIST;

	fixed = kzalloc_obj(*fixed);
	if (!fixed)
		return -ENOMEM;

	/* It unmaps what it mapped if it fails. */
	mapped = iommu_map_sg(domain, iova, sgt->sgl, sgt->orig_nents, prot,
			      GFP_KERNEL);
	if (mapped < 0) {
		kfree(fixed);
		return mapped;
	}
	WARN_ON(mapped != len);

	fixed->node.start = iova;
	fixed->node.last = iova + len - 1;
	interval_tree_insert(&fixed->node, &space->fixed);
	return 0;
}

/**
 * vcm_space_map_at - map pages at an address of the caller's choice
 * @space: the space
 * @iova: the address, in the fixed window of @space and a multiple of the
 *	page size and of the alignment that @space asks for
 * @sgt: the pages, in whole pages
 * @dir: direction of the DMA
 *
 * The caller looks after the caches, with the sync calls of the DMA API for
 * whatever device @sgt is mapped for besides, if the parent is not coherent.
 *
 * Context: Process context, sleeps.
 * Return: 0, -EINVAL (misaligned, no pages, no direction), -ERANGE (outside
 *	the fixed window), -EEXIST (something is mapped there), -ENODEV (the
 *	space was destroyed or its parent is gone), -ENOMEM.
 */
int vcm_space_map_at(struct vcm_space *space, u64 iova, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	struct vcm_parent *parent = space->parent;
	u64 len = vcm_sgt_bytes(sgt);
	int ret;

	if (!valid_dma_direction(dir))
		return -EINVAL;

	mutex_lock(&parent->lock);
	ret = vcm_space_alive(space);
	if (ret)
		goto unlock;
	ret = vcm_fixed_check(space, iova, len);
	if (ret)
		goto unlock;
	ret = vcm_fixed_map(space, iova, len, sgt, vcm_space_prot(space, dir));
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_map_at, "VCM_IOMMU");

static void vcm_fixed_unmap(struct vcm_space *space, struct vcm_fixed *fixed)
{
	size_t len = fixed->node.last - fixed->node.start + 1;

	WARN_ON(iommu_unmap(&space->domain->domain, fixed->node.start, len) !=
		len);
	interval_tree_remove(&fixed->node, &space->fixed);
	kfree(fixed);
}

/**
 * vcm_space_unmap_at - undo vcm_space_map_at()
 * @space: the space; its parent may be gone
 * @iova: the address
 *
 * The parent can reach nothing of it any more on success.
 *
 * Context: Process context, sleeps.
 * Return: 0, -ENOENT (nothing was mapped at @iova), -ENODEV (the space was
 *	destroyed).
 */
int vcm_space_unmap_at(struct vcm_space *space, u64 iova)
{
	struct interval_tree_node *node;
	int ret = 0;

	mutex_lock(&space->parent->lock);
	if (!space->domain) {
		ret = -ENODEV;
		goto unlock;
	}
	node = interval_tree_iter_first(&space->fixed, iova, iova);
	if (node && node->start == iova)
		vcm_fixed_unmap(space, container_of(node, struct vcm_fixed,
						    node));
	else
		ret = -ENOENT;
unlock:
	mutex_unlock(&space->parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_unmap_at, "VCM_IOMMU");

/* --- Looking ----------------------------------------------------------- */

/**
 * vcm_space_iova_to_phys - what an address of a space leads to
 * @space: the space
 * @iova: the address
 *
 * Not to be shown to userspace.
 *
 * Context: Process context, may sleep.
 * Return: the physical address, or 0 if nothing is mapped at @iova.
 */
phys_addr_t vcm_space_iova_to_phys(struct vcm_space *space, u64 iova)
{
	phys_addr_t phys = 0;

	mutex_lock(&space->parent->lock);
	if (space->domain)
		phys = iommu_iova_to_phys(&space->domain->domain, iova);
	mutex_unlock(&space->parent->lock);
	return phys;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_iova_to_phys, "VCM_IOMMU");

/**
 * vcm_space_set_fault_handler - be told of faults in a space
 * @space: the space
 * @handler: called for faults; NULL for none
 * @data: passed to @handler
 *
 * It is the driver of the parent's IOMMU that reports, and not all of them do:
 * those of ARM's older IOMMUs and of AMD's hardware do, those of Intel, virtio
 * and SMMUv3 write to the log instead.
 *
 * Context: Process context, may sleep. No fault is being handled: the space is
 *	not active.
 * Return: 0, -EBUSY (the space is active), -ENODEV.
 */
int vcm_space_set_fault_handler(struct vcm_space *space,
				vcm_space_fault_t handler, void *data)
{
	int ret;

	mutex_lock(&space->parent->lock);
	ret = vcm_space_alive(space);
	if (ret)
		goto unlock;
	if (space->parent->active == space) {
		ret = -EBUSY;
		goto unlock;
	}
	space->fault = handler;
	space->fault_data = data;
	vcm_domain_watch_faults(space->domain, space);
unlock:
	mutex_unlock(&space->parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_set_fault_handler, "VCM_IOMMU");
