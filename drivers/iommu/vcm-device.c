// SPDX-License-Identifier: GPL-2.0
/*
 * The devices that buffers are attached to
 *
 * A device is known from its first attachment to its last, or until it goes.
 * What is kept about it is whether its DMA can be placed at all, and where
 * everything is.
 *
 * A device goes for us when its driver has let go of it, and when it is deleted
 * without having one. Its importers may still have buffers mapped: files that
 * are open, a queue that is torn down later. But the IOMMU core frees the
 * domain soon, or attaches another, and the next driver may set other limits.
 * So all that is mapped is undone then, in place of the importers, and what
 * they do later is bookkeeping of ours alone. Who attaches the same device
 * anew, bound to a driver again, gets it anew.
 *
 * A domain that has been replaced is gone with all that was in it, and so is a
 * device for us whose domain has. The IOMMU core replaces none while a driver is
 * bound that leaves its DMA to the DMA API. It may where there is no driver, or
 * one that sets driver_managed_dma and has not claimed its DMA. Those are not to
 * use the DMA API; if they do, we look before each step whether it has happened.
 */

#include <linux/amba/bus.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "vcm-iova.h"

LIST_HEAD(vcm_devices);
/* Protects the list, and the birth and death of what is on it. */
DEFINE_MUTEX(vcm_devices_lock);

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
		return !to_amba_driver(driver)->driver_managed_dma;
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
	init_rwsem(&vdev->alive);
	mutex_init(&vdev->lock);
	INIT_LIST_HEAD(&vdev->slab_list);
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
	vdev->owned = vcm_dma_owned(dev);
	vdev->domain = vcm_dma_domain(dev);
	if (vcm_rules)
		vcm_rules(dev, &vdev->rules);
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
	WARN_ON(!RB_EMPTY_ROOT(&vdev->mappings));
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

/* --- When a device goes ------------------------------------------------ */

/* Nobody finds it any more; the attachments that there are keep it. */
static void vcm_device_unlist(struct vcm_iova_device *vdev)
{
	mutex_lock(&vcm_devices_lock);
	list_del_init(&vdev->node);
	mutex_unlock(&vcm_devices_lock);
}

/* Undo all mappings; none can be made any more. */
static void vcm_device_revoke(struct vcm_iova_device *vdev, bool lost)
{
	struct rb_node *rb;

	down_write(&vdev->alive);
	if (!vdev->dead)
		vdev->lost = lost;
	vdev->dead = true;
	while ((rb = rb_first(&vdev->mappings)))
		vcm_mapping_revoke(vdev, rb_entry(rb, struct vcm_iova_mapping,
						  node));
	up_write(&vdev->alive);
}

/*
 * A new domain may be where the old one was, but it is empty. All mappings were
 * in the same one, and they go together.
 */
static bool vcm_domain_emptied(struct vcm_iova_device *vdev,
			       struct iommu_domain *domain)
{
	struct vcm_iova_mapping *map;
	bool emptied;

	mutex_lock(&vdev->lock);
	map = rb_entry_safe(rb_first(&vdev->mappings), struct vcm_iova_mapping,
			    node);
	emptied = map && iommu_iova_to_phys(domain, map->iova) !=
			 sg_phys(map->sgt->sgl);
	mutex_unlock(&vdev->lock);
	return emptied;
}

/**
 * vcm_device_replaced - has the domain been replaced that mappings are in
 * @vdev: the device, with &struct vcm_iova_device.alive
 *
 * Context: Process context.
 * Return: true if it has, and nothing of it may be touched.
 */
bool vcm_device_replaced(struct vcm_iova_device *vdev)
{
	struct iommu_domain *domain;

	lockdep_assert_held(&vdev->alive);

	if (likely(vdev->owned))
		return false;
	if (vdev->translated != !!dma_get_merge_boundary(vdev->dev))
		return true;

	/*
	 * Where the device's DMA has been claimed, another domain is attached
	 * but the DMA API's cannot be replaced.
	 */
	domain = vcm_dma_domain(vdev->dev);
	if (!domain)
		return false;
	if (!vdev->domain)
		vdev->domain = domain;
	return domain != vdev->domain ||
	       (vdev->linked && vcm_domain_emptied(vdev, domain));
}

/**
 * vcm_device_lose - a device whose domain is another has gone
 * @vdev: the device, or one that has gone already
 *
 * Context: Process context, may sleep, without &struct vcm_iova_device.alive.
 */
void vcm_device_lose(struct vcm_iova_device *vdev)
{
	vcm_device_unlist(vdev);
	vcm_device_revoke(vdev, true);
}

/**
 * vcm_iova_revoke - undo all that is mapped for a device
 * @dev: the device
 *
 * As when it goes: nothing is mapped any more for who has it, and what is left to
 * them is to unmap and to put it. Who gets it later, gets it anew.
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_revoke(struct device *dev)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	vdev = vcm_device_find(dev);
	if (vdev) {
		list_del_init(&vdev->node);
		kref_get(&vdev->ref);
	}
	mutex_unlock(&vcm_devices_lock);
	if (!vdev)
		return;

	vcm_device_revoke(vdev, false);
	vcm_iova_put(vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_revoke, "VCM_IOVA");

/*
 * Until its driver's remove() has returned a device may do DMA. One that is
 * deleted is unbound after that is notified, if it is bound; and whoever has
 * attached it even later than that is noticed when it has been deleted.
 */
static int vcm_bus_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct device *dev = data;

	switch (action) {
	case BUS_NOTIFY_DEL_DEVICE:
		if (dev->driver)
			break;
		fallthrough;
	case BUS_NOTIFY_UNBOUND_DRIVER:
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_REMOVED_DEVICE:
		vcm_iova_revoke(dev);
		break;
	}
	return NOTIFY_OK;
}

/**
 * struct vcm_bus - a bus whose devices may be behind an IOMMU
 * @type: the bus
 * @nb: tells when a device goes
 */
struct vcm_bus {
	const struct bus_type *type;
	struct notifier_block nb;
};

/*
 * Before dma-debug, which looks for what is still mapped, and the IOMMU core,
 * which frees the domain. Nothing has to be undone on other buses: there the
 * DMA API has no page tables.
 */
#define VCM_BUS(_type)						\
	{							\
		.type = &(_type),				\
		.nb.notifier_call = vcm_bus_notify,		\
		.nb.priority = 1,				\
	}

static struct vcm_bus vcm_buses[] = {
	VCM_BUS(platform_bus_type),
#ifdef CONFIG_PCI
	VCM_BUS(pci_bus_type),
#endif
#ifdef CONFIG_ARM_AMBA
	VCM_BUS(amba_bustype),
#endif
};

static void vcm_buses_unwatch(int nr)
{
	while (nr--)
		bus_unregister_notifier(vcm_buses[nr].type, &vcm_buses[nr].nb);
}

/**
 * vcm_devices_init - begin to watch for devices that go
 *
 * Context: Process context, once.
 * Return: 0 or an error.
 */
int vcm_devices_init(void)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(vcm_buses); i++) {
		ret = bus_register_notifier(vcm_buses[i].type,
					    &vcm_buses[i].nb);
		if (ret) {
			vcm_buses_unwatch(i);
			return ret;
		}
	}
	return 0;
}

/**
 * vcm_devices_exit - undo vcm_devices_init()
 *
 * Context: Process context, once.
 */
void vcm_devices_exit(void)
{
	vcm_buses_unwatch(ARRAY_SIZE(vcm_buses));
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
	down_write(&vdev->alive);
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
	up_write(&vdev->alive);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_unhold, "VCM_IOVA");

/**
 * vcm_iova_attached - is a device known here
 * @dev: the device
 *
 * Context: Process context, may sleep.
 * Return: true from vcm_iova_get() to the last vcm_iova_put().
 */
bool vcm_iova_attached(struct device *dev)
{
	bool found;

	mutex_lock(&vcm_devices_lock);
	found = vcm_device_find(dev);
	mutex_unlock(&vcm_devices_lock);
	return found;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_attached, "VCM_IOVA");

/* --- For exporters ----------------------------------------------------- */

/**
 * vcm_iova_get - begin to map buffers for a device
 * @dev: the device; its DMA mask and segment limits are set
 *
 * If @dev goes before the matching vcm_iova_put(), unbound from its driver or
 * deleted, all that is mapped for it is undone, and nothing is mapped any more.
 *
 * Context: Process context, may sleep.
 * Return: what names @dev in the other calls, or -ENOMEM.
 */
struct vcm_iova_device *vcm_iova_get(struct device *dev)
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
EXPORT_SYMBOL_NS_GPL(vcm_iova_get, "VCM_IOVA");

/**
 * vcm_iova_put - end what vcm_iova_get() began
 * @vdev: the device, with nothing mapped by this user; it may have gone
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_put(struct vcm_iova_device *vdev)
{
	if (kref_put_mutex(&vdev->ref, vcm_device_release, &vcm_devices_lock))
		mutex_unlock(&vcm_devices_lock);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_put, "VCM_IOVA");

/**
 * vcm_iova_translates - are the DMA addresses of a device IOVAs
 * @vdev: the device
 *
 * If not, they are physical addresses, which must not be shown to anybody.
 *
 * Context: Any.
 * Return: true if an IOMMU translates them.
 */
bool vcm_iova_translates(const struct vcm_iova_device *vdev)
{
	return vdev->translated;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_translates, "VCM_IOVA");
