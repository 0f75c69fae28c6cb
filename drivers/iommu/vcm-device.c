// SPDX-License-Identifier: GPL-2.0
/*
 * The devices that buffers are attached to
 *
 * A device is known from its first attachment to its last. What is kept about
 * it is whether its DMA can be placed at all, and where everything is.
 */

#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/slab.h>

#include "vcm-iova.h"
#include "vcm-space.h"

LIST_HEAD(vcm_devices);
/* Protects the list, and the birth and death of what is on it. */
DEFINE_MUTEX(vcm_devices_lock);

static struct vcm_iova_device *vcm_device_create(struct device *dev)
{
	struct vcm_iova_device *vdev = kzalloc_obj(*vdev);
	unsigned long merge;

	if (!vdev)
		return NULL;

	kref_init(&vdev->ref);
	mutex_init(&vdev->lock);
	INIT_LIST_HEAD(&vdev->mappings);
	vcm_extents_init(&vdev->extents, 0);
	vdev->dev = get_device(dev);

	/*
	 * Only where the DMA API puts IOVAs together from pages can it merge
	 * segments, and it says so: of the implementations that is dma-iommu.
	 */
	merge = dma_get_merge_boundary(dev);
	vdev->translated = merge;

	/*
	 * The DMA API has no call that keeps the caches right for what was
	 * linked while it stays mapped. What dma-iommu.c uses for that is
	 * arch_sync_dma_for_device() and _for_cpu(), which are not exported.
	 */
	vdev->linked = merge && merge < PAGE_SIZE && dev_is_dma_coherent(dev);
	vdev->gate = vcm_space_rules(dev, &vdev->min_align);
	return vdev;
}

static void vcm_device_release(struct kref *ref)
{
	struct vcm_iova_device *vdev = container_of(ref, struct vcm_iova_device,
						    ref);

	lockdep_assert_held(&vcm_devices_lock);

	list_del(&vdev->node);
	vcm_extents_destroy(&vdev->extents);
	WARN_ON(!RB_EMPTY_ROOT(&vdev->slabs));
	WARN_ON(!list_empty(&vdev->mappings));
	put_device(vdev->dev);
	mutex_destroy(&vdev->lock);
	kfree(vdev);
}

static struct vcm_iova_device *vcm_device_find(struct device *dev)
{
	struct vcm_iova_device *vdev;

	lockdep_assert_held(&vcm_devices_lock);

	list_for_each_entry(vdev, &vcm_devices, node)
		if (vdev->dev == dev)
			return vdev;
	return NULL;
}

/**
 * vcm_iommu_attached - is a device known here
 * @dev: the device
 *
 * Context: Process context, may sleep.
 * Return: true from vcm_iommu_get() to the last vcm_iommu_put().
 */
bool vcm_iommu_attached(struct device *dev)
{
	bool found;

	mutex_lock(&vcm_devices_lock);
	found = vcm_device_find(dev);
	mutex_unlock(&vcm_devices_lock);
	return found;
}

/**
 * vcm_iommu_get - begin to map buffers for a device
 * @dev: the device; its DMA mask and segment limits are set
 *
 * Context: Process context, may sleep. @dev is bound to its driver until the
 *	matching vcm_iommu_put().
 * Return: what names @dev in the other calls, or -ENOMEM.
 */
struct vcm_iova_device *vcm_iommu_get(struct device *dev)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	vdev = vcm_device_find(dev);
	if (vdev) {
		kref_get(&vdev->ref);
		goto unlock;
	}

	vdev = vcm_device_create(dev);
	if (!vdev) {
		vdev = ERR_PTR(-ENOMEM);
		goto unlock;
	}
	list_add_tail(&vdev->node, &vcm_devices);
unlock:
	mutex_unlock(&vcm_devices_lock);
	return vdev;
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_get, "VCM_IOMMU");

/**
 * vcm_iommu_put - end what vcm_iommu_get() began
 * @vdev: the device, with nothing mapped by this user
 *
 * Context: Process context, may sleep.
 */
void vcm_iommu_put(struct vcm_iova_device *vdev)
{
	if (kref_put_mutex(&vdev->ref, vcm_device_release, &vcm_devices_lock))
		mutex_unlock(&vcm_devices_lock);
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_put, "VCM_IOMMU");

/**
 * vcm_iommu_translates - are the DMA addresses of a device IOVAs
 * @vdev: the device
 *
 * If not, they are physical addresses, which must not be shown to anybody.
 *
 * Context: Any.
 * Return: true if an IOMMU translates them.
 */
bool vcm_iommu_translates(const struct vcm_iova_device *vdev)
{
	return vdev->translated;
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_translates, "VCM_IOMMU");
