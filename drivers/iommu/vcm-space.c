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
#include <linux/slab.h>

#include "vcm-space.h"

#define VCM_SPACE_NAME	"vcm-space"
#define VCM_KEEPER_NAME	"vcm-keeper"

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

/* What the parent can address, it can address in a space. */
static void vcm_space_set_limits(struct device *dev, struct vcm_space *space)
{
	struct device *parent = space->parent->dev;

	*dev->dma_mask = dma_get_mask(parent);
	dev->coherent_dma_mask = parent->coherent_dma_mask;
	dev->bus_dma_limit = min_not_zero(parent->bus_dma_limit,
					  vcm_space_last(space));
	dma_set_max_seg_size(dev, dma_get_max_seg_size(parent));
	dma_set_seg_boundary(dev, dma_get_seg_boundary(parent));
}

/* No device ever sees the addresses of a keeper. */
static void vcm_space_set_no_limits(struct device *dev)
{
	*dev->dma_mask = DMA_BIT_MASK(64);
	dev->coherent_dma_mask = DMA_BIT_MASK(64);
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_set_seg_boundary(dev, ULONG_MAX);
}

/* What DMA for the parent is like, DMA for the space has to be like. */
static void vcm_space_setup_dma(struct device *dev, struct vcm_space *space)
{
	struct device *parent = space->parent->dev;

	if (space->is_keeper)
		vcm_space_set_no_limits(dev);
	else
		vcm_space_set_limits(dev, space);
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
 * Without its IOMMU the device would get physical addresses from the DMA API.
 * Without a mask it gets none.
 */
static void vcm_space_unregister(struct platform_device *pdev)
{
	pdev->dev.dma_mask = NULL;
	platform_device_unregister(pdev);
}

static void vcm_space_remove_device(struct vcm_space *space)
{
	struct platform_device *pdev = space->pdev;

	iommu_device_release_dma_owner(&pdev->dev);
	vcm_space_unregister(pdev);
	space->pdev = NULL;
}

/*
 * The DMA API maps into the default domain, whichever domain the device is
 * attached to, and ours is attached to nothing. So its DMA can be claimed: that
 * keeps everybody from giving it another default domain (the file "type" of its
 * group) or another driver.
 */
static int vcm_space_claim(struct device *dev, struct vcm_space *space)
{
	int ret;

	/* The core tells nobody that it has no domain for a device. */
	if (!space->domain)
		return space->error ?: -ENOMEM;
	ret = iommu_device_claim_dma_owner(dev, space);
	if (ret)
		return ret;

	/*
	 * From here on all stays as it is, but it may not be as it should: what
	 * the core does not tell anybody either is that the DMA API goes past
	 * the domain because there was no memory for its IOVAs.
	 */
	if (!space->error && space->domain && dma_get_merge_boundary(dev))
		return 0;
	iommu_device_release_dma_owner(dev);
	return space->error ?: -ENOMEM;
}

/* What is mapped at fixed addresses is mapped where the parent can reach it. */
static int vcm_space_check_fixed(const struct vcm_space *space)
{
	const struct iommu_domain *backing = space->domain->backing;
	const struct vcm_space_args *args = &space->args;
	struct device *dev = &space->pdev->dev;
	u64 last;

	if (!args->fixed_len)
		return 0;
	last = args->fixed_start + args->fixed_len - 1;
	if (args->fixed_start < backing->geometry.aperture_start ||
	    last > backing->geometry.aperture_end ||
	    last > dma_get_mask(dev) || last > dev->bus_dma_limit ||
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

	pdev = platform_device_alloc(space->is_keeper ?
				     VCM_KEEPER_NAME : VCM_SPACE_NAME,
				     space->id);
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

	ret = vcm_space_claim(&pdev->dev, space);
	if (ret)
		goto unregister;

	space->pdev = pdev;
	ret = vcm_space_check_fixed(space);
	if (ret)
		goto remove_device;
	return 0;

remove_device:
	vcm_space_remove_device(space);
	return ret;

unregister:
	vcm_space_unregister(pdev);
	return ret;

put_device:
	vcm_space_free_fwspec(&pdev->dev);
	platform_device_put(pdev);
	return ret;
}

/* --- Life -------------------------------------------------------------- */

static void vcm_space_free(struct vcm_space *space)
{
	ida_free(&vcm_space_ids, space->id);
	kfree(space);
}

/* A space with its device, of which nobody knows yet. */
static struct vcm_space *vcm_space_new(struct vcm_parent *parent,
				       const struct vcm_space_args *args,
				       bool is_keeper)
{
	struct vcm_space *space = kzalloc_obj(*space);
	int ret;

	if (!space)
		return ERR_PTR(-ENOMEM);

	kref_init(&space->ref);
	space->parent = parent;
	space->args = *args;
	space->is_keeper = is_keeper;
	space->fixed = RB_ROOT_CACHED;

	space->id = ida_alloc(&vcm_space_ids, GFP_KERNEL);
	if (space->id < 0) {
		ret = space->id;
		goto free_space;
	}

	ret = vcm_space_add_device(space);
	if (ret)
		goto free_id;
	return space;

free_id:
	ida_free(&vcm_space_ids, space->id);
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
	keeper = vcm_space_new(space->parent, &args, true);
	if (IS_ERR(keeper))
		return PTR_ERR(keeper);
	space->keeper = keeper;
	return 0;
}

/* Nothing is mapped in either, nor attached to them. */
static void vcm_space_remove_devices(struct vcm_space *space)
{
	if (space->keeper) {
		vcm_space_remove_device(space->keeper);
		vcm_space_free(space->keeper);
	}
	vcm_space_remove_device(space);
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
 *	-ERANGE (fixed window outside the window, outside of what @parent
 *	addresses or the IOMMU translates, or where addresses of @parent are
 *	reserved),
 *	-EOPNOTSUPP (no IOMMU, or no DMA mask),
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
	struct vcm_parent *vparent;
	struct vcm_space *space;
	int ret;

	ret = vcm_space_args_check(args);
	if (ret)
		return ERR_PTR(ret);
	if (!device_iommu_mapped(parent) || !parent->dma_mask)
		return ERR_PTR(-EOPNOTSUPP);

	vparent = vcm_parent_get(parent);
	if (IS_ERR(vparent))
		return ERR_CAST(vparent);

	space = vcm_space_new(vparent, args, false);
	if (IS_ERR(space)) {
		ret = PTR_ERR(space);
		goto put_parent;
	}

	ret = vcm_space_add_keeper(space);
	if (ret)
		goto free_space;

	/* Last: from here on it can be found. */
	ret = vcm_space_link(space);
	if (ret)
		goto free_space;
	return space;

free_space:
	vcm_space_remove_devices(space);
	vcm_space_free(space);
put_parent:
	vcm_parent_put(vparent);
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
	vcm_space_free(space);
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
	if (parent->active == space || vcm_iova_attached(&space->pdev->dev) ||
	    !RB_EMPTY_ROOT(&space->fixed.rb_root))
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
 *	that do not use vcm_iova_get() are not known here: their attachments
 *	have to be gone before.
 */
int vcm_space_destroy(struct vcm_space *space)
{
	int ret = vcm_space_unlink(space);

	if (ret)
		return ret;

	vcm_space_remove_devices(space);
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

/**
 * vcm_space_alive - is a space there, and its parent
 * @space: the space
 *
 * Context: Process context, with &struct vcm_parent.lock.
 * Return: 0 or -ENODEV.
 */
int vcm_space_alive(const struct vcm_space *space)
{
	lockdep_assert_held(&space->parent->lock);

	return space->domain && !space->parent->dead ? 0 : -ENODEV;
}

/* No buffer is mapped or unmapped, in the spaces or for the parent itself. */
static void vcm_gate_close(struct vcm_parent *parent)
{
	lockdep_assert_held(&parent->lock);

	vcm_iova_hold(parent->vdev);
	down_write(&parent->gate);
}

static void vcm_gate_open(struct vcm_parent *parent)
{
	lockdep_assert_held(&parent->lock);

	up_write(&parent->gate);
	vcm_iova_unhold(parent->vdev);
}

static int vcm_space_attach(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	lockdep_assert_held(&parent->lock);

	if (vcm_parent_is_shared(parent))
		return -EXDEV;

	vcm_gate_close(parent);
	ret = iommu_attach_device(space->domain->backing, parent->dev);
	vcm_gate_open(parent);
	if (!ret)
		parent->active = space;
	return ret;
}

static void vcm_space_detach(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;

	lockdep_assert_held(&parent->lock);

	/* Not that of the device, which warns if the group has grown. */
	vcm_gate_close(parent);
	iommu_detach_group(space->domain->backing, parent->group);
	vcm_gate_open(parent);
	parent->active = NULL;
}

/**
 * vcm_space_activate - let the parent use a space
 * @space: the space
 *
 * Context: Process context, sleeps.
 * Return: 0 (also if it was active), -EBUSY (another space is active, somebody
 *	else attached the parent to a domain, or the parent is being reset),
 *	-EXDEV (another device joined the parent's IOMMU group), -ENODEV (the
 *	space was destroyed or its parent is gone), or what
 *	iommu_attach_device() returns.
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
 * In between the parent is in the gap, see vcm_space_gap_blocked(). If @space
 * cannot be attached, the space that was active before is again. While a PCI
 * device is being reset nothing can be attached, neither the one nor the other:
 * the parent stays in the gap then, and the call can be made again later.
 *
 * Context: Process context, sleeps.
 * Return: 0 (also if it was active), -EAGAIN (the parent is in the gap now, with
 *	no space active), or, with the space active that was, as
 *	vcm_space_activate() without another space being active.
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
	if (ret && old && vcm_space_attach(old))
		ret = -EAGAIN;
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
