// SPDX-License-Identifier: GPL-2.0
/*
 * The devices that buffers are attached to
 *
 * A device is known from its first attachment on. What is kept about it is
 * whether its DMA can be placed at all, and where everything is. One with a driver
 * that leaves its DMA to the DMA API is known until it goes (vcm-gone.c), so that
 * to attach buffers again and again is to look it up; others until their last
 * attachment.
 *
 * A domain that has been replaced is gone with all that was in it, and so is a
 * device for us whose domain has. The IOMMU core replaces none while a driver is
 * bound that leaves its DMA to the DMA API. It may where there is no driver, or
 * one that sets driver_managed_dma and has not claimed its DMA. Those are not to
 * use the DMA API; if they do, we look before each step whether it has happened.
 */

#include <kunit/visibility.h>
#include <linux/amba/bus.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "vcm-device.h"
#include "vcm-reserve.h"
#include "vcm-wanted.h"

#define VCM_DEVICES_BITS	8

static DEFINE_HASHTABLE(vcm_devices, VCM_DEVICES_BITS);
/* The same, in the order in which they became known. */
static LIST_HEAD(vcm_devices_in_order);
/* Protects changes of both, and the birth of what is in them. */
static DEFINE_MUTEX(vcm_devices_lock);

/* Tells what is special about a device; set and called under that lock. */
static vcm_iova_rules_t vcm_rules;

/* The domain that the DMA API maps in for @dev, if that is the one attached. */
static struct iommu_domain *vcm_dma_domain(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && iommu_is_dma_domain(domain) ? domain : NULL;
}

/* Has @dev a driver that leaves its DMA to the DMA API? */
static bool vcm_dma_owned(struct device *dev)
{
	const struct device_driver *driver = READ_ONCE(dev->driver);

	if (!driver)
		return false;
	if (dev_is_platform(dev))
		return !to_platform_driver(driver)->driver_managed_dma;
#ifdef CONFIG_PCI
	if (dev_is_pci(dev))
		return !to_pci_driver(driver)->driver_managed_dma;
#endif
#ifdef CONFIG_ARM_AMBA
	if (dev->bus == &amba_bustype)
		return !container_of_const(driver, struct amba_driver, drv)->driver_managed_dma;
#endif
	return false;
}

static struct vcm_iova_device *vcm_device_create(struct device *dev)
{
	struct vcm_iova_device *vdev = kzalloc_obj(*vdev);
	unsigned long merge;

	lockdep_assert_held(&vcm_devices_lock);

	if (!vdev)
		return NULL;

	kref_init(&vdev->ref);
	init_rwsem(&vdev->hold);
	mutex_init(&vdev->mappings_lock);
	INIT_HLIST_HEAD(&vdev->mappings);
	mutex_init(&vdev->keep_lock);
	INIT_LIST_HEAD(&vdev->keep_list);
	spin_lock_init(&vdev->live_lock);
	INIT_LIST_HEAD(&vdev->live);
	mutex_init(&vdev->lock);
	INIT_LIST_HEAD(&vdev->slab_list);
	INIT_LIST_HEAD(&vdev->windows);
	vcm_extents_init(&vdev->extents, 0);
	vdev->dev = get_device(dev);

	/*
	 * Only where the DMA API puts IOVAs together from pages can it merge
	 * segments, and it says so: of the implementations that is dma-iommu.
	 */
	merge = dma_get_merge_boundary(dev);
	vdev->translated = merge;

	vdev->linked = merge && merge < PAGE_SIZE;
	vdev->coherent = dev_is_dma_coherent(dev);
	vdev->domain = vcm_dma_domain(dev);
	vdev->idle_refs = vcm_dma_owned(dev);
	if (!vdev->idle_refs)
		set_bit(VCM_DEVICE_UNOWNED, &vdev->special);
	if (vcm_window_is_wanted(dev))
		set_bit(VCM_DEVICE_WINDOWLESS, &vdev->special);
	if (vcm_rules)
		vcm_rules(dev, &vdev->rules);
	return vdev;
}

static void vcm_device_unhash(struct vcm_iova_device *vdev)
{
	lockdep_assert_held(&vcm_devices_lock);

	/* It is not put back: who finds it there goes on to the end. */
	if (hlist_unhashed(&vdev->node))
		return;
	hlist_del_init_rcu(&vdev->node);
	list_del(&vdev->in_order);
}

static void vcm_device_release(struct kref *ref)
{
	struct vcm_iova_device *vdev = container_of(ref, struct vcm_iova_device,
						    ref);

	mutex_lock(&vcm_devices_lock);
	vcm_device_unhash(vdev);
	mutex_unlock(&vcm_devices_lock);

	vcm_windows_free(vdev);
	vcm_extents_destroy(&vdev->extents);
	WARN_ON(!RB_EMPTY_ROOT(&vdev->slabs));
	WARN_ON(!hlist_empty(&vdev->mappings));
	put_device(vdev->dev);
	mutex_destroy(&vdev->lock);
	mutex_destroy(&vdev->keep_lock);
	mutex_destroy(&vdev->mappings_lock);
	kfree_rcu(vdev, rcu);
}

/* --- Looking them up --------------------------------------------------- */

static struct vcm_iova_device *vcm_device_find(struct device *dev)
{
	struct vcm_iova_device *vdev;

	hash_for_each_possible_rcu(vcm_devices, vdev, node, (unsigned long)dev)
		if (vdev->dev == dev)
			return vdev;
	return NULL;
}

static struct vcm_iova_device *vcm_device_find_get(struct device *dev)
{
	struct vcm_iova_device *vdev;

	rcu_read_lock();
	vdev = vcm_device_find(dev);
	if (vdev && !kref_get_unless_zero(&vdev->ref))
		vdev = NULL;
	rcu_read_unlock();
	return vdev;
}

static bool vcm_device_used(const struct vcm_iova_device *vdev)
{
	return kref_read(&vdev->ref) > vdev->idle_refs;
}

/**
 * vcm_devices_all - look at all devices that are known
 * @fn: called for each
 * @data: for @fn
 *
 * Context: Process context, may sleep.
 */
void vcm_devices_all(vcm_device_fn fn, void *data)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	list_for_each_entry(vdev, &vcm_devices_in_order, in_order)
		fn(vdev, data);
	mutex_unlock(&vcm_devices_lock);
}

/**
 * vcm_devices_for_each - look at all devices that somebody uses
 * @fn: called for each
 * @data: for @fn
 *
 * Context: Process context, may sleep.
 */
void vcm_devices_for_each(vcm_device_fn fn, void *data)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	list_for_each_entry(vdev, &vcm_devices_in_order, in_order)
		if (vcm_device_used(vdev))
			fn(vdev, data);
	mutex_unlock(&vcm_devices_lock);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_devices_for_each);

/* Let nobody find a device any more; true if the reference of the table is over. */
static bool vcm_device_unlist(struct vcm_iova_device *vdev)
{
	bool listed = !hlist_unhashed(&vdev->node);

	lockdep_assert_held(&vcm_devices_lock);

	vcm_device_unhash(vdev);
	return listed && vdev->idle_refs;
}

/**
 * vcm_device_forget - let nobody find a device any more
 * @vdev: the device, with a reference of the caller's
 *
 * The attachments that there are keep it.
 *
 * Context: Process context, may sleep.
 */
void vcm_device_forget(struct vcm_iova_device *vdev)
{
	bool put;

	mutex_lock(&vcm_devices_lock);
	put = vcm_device_unlist(vdev);
	mutex_unlock(&vcm_devices_lock);
	if (put)
		vcm_iova_put(vdev);
}

/**
 * vcm_device_find_going - find a device that is known and goes, and forget it
 * @dev: the device; it has gone as far as vcm_device_add() has to know
 * @deleted: it does not come back; else one that was revoked is not forgotten
 *
 * Who is making the device known is waited for. In one go: the reference of who asks
 * is nobody's use of the device.
 *
 * Context: Process context, may sleep.
 * Return: it, for vcm_iova_put(), or NULL.
 */
struct vcm_iova_device *vcm_device_find_going(struct device *dev, bool deleted)
{
	struct vcm_iova_device *vdev;
	bool put = false;

	mutex_lock(&vcm_devices_lock);
	vdev = vcm_device_find_get(dev);
	if (vdev && (deleted || !vcm_device_is(vdev, VCM_DEVICE_DEAD)))
		put = vcm_device_unlist(vdev);
	mutex_unlock(&vcm_devices_lock);
	if (put)
		vcm_iova_put(vdev);
	return vdev;
}

/**
 * vcm_devices_exit - forget all devices
 *
 * Context: Process context, once. Nobody uses one.
 */
void vcm_devices_exit(void)
{
	struct vcm_iova_device *vdev, *next;

	list_for_each_entry_safe(vdev, next, &vcm_devices_in_order, in_order) {
		vcm_windows_release(vdev);
		vcm_device_forget(vdev);
	}
}

/* --- Their mappings ---------------------------------------------------- */

/**
 * vcm_device_add_live - a buffer is mapped
 * @vdev: the device, VCM_DEVICE_UNOWNED
 * @map: the buffer
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock.
 */
void vcm_device_add_live(struct vcm_iova_device *vdev,
			 struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	spin_lock(&vdev->live_lock);
	list_add(&map->live_node, &vdev->live);
	spin_unlock(&vdev->live_lock);
}

/**
 * vcm_device_del_live - undo vcm_device_add_live()
 * @vdev: the device
 * @map: the buffer
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock.
 */
void vcm_device_del_live(struct vcm_iova_device *vdev,
			 struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	spin_lock(&vdev->live_lock);
	list_del(&map->live_node);
	spin_unlock(&vdev->live_lock);
}

static void vcm_mapping_count(struct vcm_iova_mapping *map,
			      struct vcm_device_counts *counts)
{
	mutex_lock(&map->lock);
	counts->mappings += map->live && map->mapped;
	if (map->live && !map->mapped) {
		counts->kept++;
		counts->kept_bytes += map->need;
	}
	if (map->live && map->linked)
		counts->used += map->need;
	if (map->live && map->linked && !map->range) {
		counts->reservations++;
		counts->reserved += dma_iova_size(&map->own);
	}
	mutex_unlock(&map->lock);
}

/**
 * vcm_device_count - count what is mapped for a device
 * @vdev: the device
 * @counts: set
 *
 * Context: Process context, may sleep, with &struct
 *	vcm_iova_device.mappings_lock.
 */
void vcm_device_count(struct vcm_iova_device *vdev,
		      struct vcm_device_counts *counts)
{
	struct vcm_iova_mapping *map;

	lockdep_assert_held(&vdev->mappings_lock);

	*counts = (struct vcm_device_counts){};
	hlist_for_each_entry(map, &vdev->mappings, node)
		vcm_mapping_count(map, counts);
	mutex_lock(&vdev->lock);
	counts->reservations += vdev->nr_slabs;
	counts->reserved += vdev->reserved;
	mutex_unlock(&vdev->lock);
}

/* --- When the domain goes ---------------------------------------------- */

/*
 * A new domain may be where the old one was, but it is empty. All that is live is
 * in the same one, and goes together.
 */
static bool vcm_domain_emptied(struct vcm_iova_device *vdev,
			       struct iommu_domain *domain)
{
	struct vcm_iova_mapping *map;

	lockdep_assert_held(&vdev->live_lock);

	map = list_first_entry_or_null(&vdev->live, struct vcm_iova_mapping,
				       live_node);
	return map && iommu_iova_to_phys(domain, map->iova) !=
		      map->runs->phys;
}

/**
 * vcm_device_replaced - has the domain been replaced that buffers are mapped in
 * @vdev: the device, VCM_DEVICE_UNOWNED
 *
 * Context: Process context.
 * Return: true if it has, and nothing of it may be touched.
 */
bool vcm_device_replaced(struct vcm_iova_device *vdev)
{
	struct iommu_domain *domain;
	bool replaced;

	if (vdev->translated != !!dma_get_merge_boundary(vdev->dev))
		return true;

	/*
	 * Where the device's DMA has been claimed, another domain is attached
	 * but the DMA API's cannot be replaced.
	 */
	domain = vcm_dma_domain(vdev->dev);
	if (!domain)
		return false;

	spin_lock(&vdev->live_lock);
	if (!vdev->domain)
		vdev->domain = domain;
	replaced = domain != vdev->domain ||
		   (vdev->linked && vcm_domain_emptied(vdev, domain));
	spin_unlock(&vdev->live_lock);
	return replaced;
}

/* --- For who makes devices of its own ---------------------------------- */

/**
 * vcm_iova_set_rules - have mapping respect what some devices need
 * @rules: tells what that is
 *
 * Devices that buffers are attached to already are not looked at again.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EBUSY if there are rules already.
 */
int vcm_iova_set_rules(vcm_iova_rules_t rules)
{
	int ret = 0;

	mutex_lock(&vcm_devices_lock);
	if (vcm_rules)
		ret = -EBUSY;
	else
		vcm_rules = rules;
	mutex_unlock(&vcm_devices_lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_set_rules, "VCM_IOVA");

/**
 * vcm_iova_clear_rules - undo vcm_iova_set_rules()
 *
 * Context: Process context, may sleep. The devices with rules have gone.
 */
void vcm_iova_clear_rules(void)
{
	mutex_lock(&vcm_devices_lock);
	vcm_rules = NULL;
	mutex_unlock(&vcm_devices_lock);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_clear_rules, "VCM_IOVA");

/* Wait until all that is under way for a device has come to its end. */
static void vcm_device_drain(struct vcm_iova_device *vdev)
{
	struct vcm_iova_mapping *map;

	mutex_lock(&vdev->mappings_lock);
	hlist_for_each_entry(map, &vdev->mappings, node) {
		mutex_lock(&map->lock);
		mutex_unlock(&map->lock);
	}
	mutex_unlock(&vdev->mappings_lock);
}

/**
 * vcm_iova_hold - let nothing be mapped or unmapped for a device
 * @vdev: the device
 *
 * While a device changes its domain, virtio-iommu replays what is mapped in the
 * new one: what is mapped at that moment is lost, and what is unmapped stays.
 *
 * Context: Process context, may sleep. Until vcm_iova_unhold().
 */
void vcm_iova_hold(struct vcm_iova_device *vdev)
{
	down_write(&vdev->hold);
	set_bit(VCM_DEVICE_HELD, &vdev->special);
	/* Whoever takes the lock of a mapping after that sees the bit. */
	vcm_device_drain(vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_hold, "VCM_IOVA");

/**
 * vcm_iova_unhold - undo vcm_iova_hold()
 * @vdev: the device
 *
 * Context: Process context.
 */
void vcm_iova_unhold(struct vcm_iova_device *vdev)
{
	clear_bit(VCM_DEVICE_HELD, &vdev->special);
	up_write(&vdev->hold);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_unhold, "VCM_IOVA");

static int vcm_is_device(struct device *dev, void *data)
{
	return dev == data;
}

/*
 * One that is deleted leaves its bus before that is notified, and before the IOMMU
 * core lets go of it. Under the lock: whoever is found on the bus is known when
 * vcm-gone.c is told and looks, and whoever comes later is not found.
 */
static bool vcm_device_on_bus(struct device *dev)
{
	lockdep_assert_held(&vcm_devices_lock);

	if (!dev->bus)
		return device_is_registered(dev);
	return bus_for_each_dev(dev->bus, NULL, dev, vcm_is_device) == 1;
}

static struct vcm_iova_device *vcm_device_add(struct device *dev)
{
	struct vcm_iova_device *vdev;

	lockdep_assert_held(&vcm_devices_lock);

	if (!vcm_device_on_bus(dev))
		return ERR_PTR(-ENODEV);

	vdev = vcm_device_create(dev);
	if (!vdev)
		return ERR_PTR(-ENOMEM);
	if (vdev->idle_refs)
		kref_get(&vdev->ref);
	hash_add_rcu(vcm_devices, &vdev->node, (unsigned long)dev);
	list_add_tail(&vdev->in_order, &vcm_devices_in_order);
	return vdev;
}

/**
 * vcm_iova_get - begin to use a device
 * @dev: the device
 *
 * If @dev goes before the matching vcm_iova_put(), unbound from its driver or
 * deleted, all that is mapped for it is undone, and nothing is mapped any more.
 *
 * Context: Process context, may sleep.
 * Return: what names @dev in other calls, -ENOMEM, or -ENODEV (it was deleted).
 */
struct vcm_iova_device *vcm_iova_get(struct device *dev)
{
	struct vcm_iova_device *vdev = vcm_device_find_get(dev);

	if (likely(vdev))
		return vdev;

	mutex_lock(&vcm_devices_lock);
	vdev = vcm_device_find_get(dev);
	if (!vdev)
		vdev = vcm_device_add(dev);
	mutex_unlock(&vcm_devices_lock);
	return vdev;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_get, "VCM_IOVA");

/**
 * vcm_iova_put - end what vcm_iova_get() began
 * @vdev: the device; it may have gone
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_put(struct vcm_iova_device *vdev)
{
	kref_put(&vdev->ref, vcm_device_release);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_put, "VCM_IOVA");

/**
 * vcm_iova_know - know a device until it is deleted
 * @dev: the device, without a driver; who calls is who deletes it
 *
 * As vcm_iova_get(), but that the device does not count as one that somebody uses.
 *
 * Context: Process context, may sleep.
 * Return: what names @dev in other calls, -ENOMEM, or -ENODEV (it was deleted).
 */
struct vcm_iova_device *vcm_iova_know(struct device *dev)
{
	struct vcm_iova_device *vdev = vcm_iova_get(dev);

	if (IS_ERR(vdev))
		return vdev;

	mutex_lock(&vcm_devices_lock);
	WARN_ON(vdev->idle_refs);
	kref_get(&vdev->ref);
	vdev->idle_refs = 2;
	mutex_unlock(&vcm_devices_lock);
	return vdev;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_know, "VCM_IOVA");
