// SPDX-License-Identifier: GPL-2.0
/*
 * The device that a space is
 *
 * A platform device without driver, behind the IOMMU of vcm-iommu.c. Importers
 * attach to it as to any device and the DMA API maps into it, whether or not the
 * real device, its parent, is using the space at the time.
 *
 * The idea of devices that stand for contexts of another is that of host1x
 * (drivers/gpu/host1x/context.c).
 */

#include <linux/build_bug.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>

#include "vcm-domain.h"
#include "vcm-fwspec.h"
#include "vcm-parent.h"
#include "vcm-region.h"
#include "vcm-space.h"

#define VCM_SPACE_NAME	"vcm-space"
#define VCM_KEEPER_NAME	"vcm-keeper"

/* --- What it is like --------------------------------------------------- */

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

/* --- Birth and end ----------------------------------------------------- */

/*
 * Without its IOMMU the device would get physical addresses from the DMA API.
 * Without a mask it gets none.
 */
static void vcm_space_unregister(struct platform_device *pdev)
{
	pdev->dev.dma_mask = NULL;
	platform_device_unregister(pdev);
}

/**
 * vcm_space_quiesce - let everybody get out of the DMA API for a space's device
 * @space: the space; nothing is mapped in it, nor can be
 *
 * The DMA API has the domain of the device in hand before it calls our driver to
 * map, and still after we have refused that or have unmapped: it goes on to give
 * the IOVAs back. Nothing of ours is held then, so no count of ours would do.
 * But mapping, unmapping and syncing are allowed with interrupts disabled, and
 * so whoever does it does not sleep: he has left the DMA API when he has slept, or
 * gone to userspace, for the first time. That every task has is what RCU tasks
 * wait for, and those that were preempted meanwhile do not count as having slept.
 *
 * Who maps soon after the end of the space is refused by the closed domain. From
 * then on nobody gets as far as that, as there is no mask; then those have to leave
 * that still found one.
 *
 * Context: Process context, sleeps.
 */
void vcm_space_quiesce(struct vcm_space *space)
{
	/* Or what is called here would not wait for those that are preempted. */
	static_assert(!IS_ENABLED(CONFIG_PREEMPTION) ||
		      IS_ENABLED(CONFIG_TASKS_RCU), "needs CONFIG_TASKS_RCU");

	synchronize_rcu_tasks();
	WRITE_ONCE(space->pdev->dev.dma_mask, NULL);
	synchronize_rcu_tasks();
}

/**
 * vcm_space_remove_device - remove the device of a space
 * @space: the space; nothing of it is attached to its parent
 *
 * The domain goes with it.
 *
 * Context: Process context, sleeps, without &struct vcm_parent.lock.
 */
void vcm_space_remove_device(struct vcm_space *space)
{
	iommu_device_release_dma_owner(&space->pdev->dev);
	vcm_space_unregister(space->pdev);
}

/* Is there anywhere that something could be mapped? */
static bool vcm_space_has_room(struct device *dev,
			       const struct vcm_space *space)
{
	const struct iommu_domain_geometry *window =
		&space->domain->domain.geometry;
	u64 last = min3((u64)window->aperture_end, dma_get_mask(dev),
			dev->bus_dma_limit ?: U64_MAX);

	if (window->aperture_start > window->aperture_end)
		return false;
	/* The DMA API hands out no address in the first page there is. */
	return space->args.fixed_len ||
	       vcm_regions_leave_page(&space->parent->regions,
				      max_t(u64, window->aperture_start,
					    PAGE_SIZE), last);
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
	if (!vcm_space_has_room(dev, space))
		return -ERANGE;
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
	    vcm_regions_overlap(&space->parent->regions, args->fixed_start,
				args->fixed_len))
		return -ERANGE;
	return 0;
}

/**
 * vcm_space_add_device - make the device of a space
 * @space: the space, with all that it was created with
 *
 * Context: Process context, sleeps, without &struct vcm_parent.lock.
 * Return: 0 or why there is none, see vcm_space_create().
 */
int vcm_space_add_device(struct vcm_space *space)
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
	ret = vcm_fwspec_init(&pdev->dev, vcm_space_fwnode());
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
	vcm_fwspec_free(&pdev->dev);
	platform_device_put(pdev);
	return ret;
}

/**
 * vcm_space_dev - what importers attach to
 * @space: the space
 *
 * The device has no driver and does no DMA; it is for dma_buf_attach() and for
 * the DMA API. What is mapped for it is what the parent reaches while the
 * space is active.
 *
 * Who names the device after vcm_space_destroy(), to map or to attach, has taken
 * a reference to it with get_device().
 *
 * Context: Any.
 * Return: the device.
 */
struct device *vcm_space_dev(struct vcm_space *space)
{
	return &space->pdev->dev;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_dev, "VCM_IOMMU");
