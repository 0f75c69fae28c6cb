// SPDX-License-Identifier: GPL-2.0
/*
 * The devices that have address spaces
 *
 * A device is known here from its first space to its last. While it is, its
 * DMA is claimed if its driver lets us, so that between two spaces it reaches
 * nothing instead of what the DMA API has mapped for it. And we watch for its
 * driver to let go of it, for then no domain of ours may stay attached.
 */

#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/err.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "vcm-space.h"

LIST_HEAD(vcm_parents);
/* Protects the list, and the birth and death of what is on it. */
DEFINE_MUTEX(vcm_parents_lock);

/*
 * A driver that leaves its DMA to the DMA API owns it by being bound, and then
 * the claim is refused with -EPERM; driver_managed_dma in struct pci_driver or
 * struct platform_driver is how to leave it. A device with memory that has to
 * be mapped one to one cannot be blocked: -EINVAL. The gap of both is their
 * default domain, which is no error.
 */
static int vcm_parent_claim(struct vcm_parent *parent)
{
	int ret = iommu_device_claim_dma_owner(parent->dev, parent);

	if (ret && ret != -EPERM && ret != -EINVAL)
		return ret;
	parent->owned = !ret;
	return 0;
}

static void vcm_parent_unclaim(struct vcm_parent *parent)
{
	if (parent->owned)
		iommu_device_release_dma_owner(parent->dev);
	parent->owned = false;
}

static int vcm_count_device(struct device *dev, void *count)
{
	++*(unsigned int *)count;
	return 0;
}

/**
 * vcm_parent_is_shared - would other devices change spaces with a device
 * @parent: the device
 *
 * Context: Process context, may sleep.
 * Return: true if there are others in its IOMMU group.
 */
bool vcm_parent_is_shared(const struct vcm_parent *parent)
{
	unsigned int count = 0;

	iommu_group_for_each_dev(parent->group, &count, vcm_count_device);
	return count > 1;
}

/**
 * vcm_parent_check - can a device have spaces as good as its default domain
 * @parent: the device, with its regions found
 *
 * Context: Process context, may sleep.
 * Return: 0, or why not, see vcm_space_create().
 */
int vcm_parent_check(const struct vcm_parent *parent)
{
	/* Parts of pages are bounced for it, and would not be for a space. */
	if (dev_is_pci(parent->dev) && to_pci_dev(parent->dev)->untrusted)
		return -EACCES;
	if (vcm_parent_is_shared(parent))
		return -EXDEV;
	if (vcm_regions_lose_msi(parent))
		return -EADDRNOTAVAIL;
	return 0;
}

/* The spaces stay, with what is mapped in them, but the device is gone. */
static void vcm_parent_kill(struct vcm_parent *parent)
{
	struct vcm_space *space;

	mutex_lock(&parent->lock);
	if (parent->dead)
		goto unlock;

	parent->dead = true;
	list_for_each_entry(space, &parent->spaces, node)
		vcm_space_kill(space);
	vcm_parent_unclaim(parent);
unlock:
	mutex_unlock(&parent->lock);
}

/*
 * Until its driver's remove() has returned the device may do DMA, and has to
 * find what it found before. A device that is deleted is unbound after that is
 * notified, if it is bound.
 */
static int vcm_parent_notify(struct notifier_block *nb, unsigned long action,
			     void *data)
{
	struct vcm_parent *parent = container_of(nb, struct vcm_parent, unbind);

	if (data != parent->dev)
		return NOTIFY_OK;

	switch (action) {
	case BUS_NOTIFY_DEL_DEVICE:
		if (parent->dev->driver)
			break;
		fallthrough;
	case BUS_NOTIFY_UNBOUND_DRIVER:
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		vcm_parent_kill(parent);
		break;
	}
	return NOTIFY_OK;
}

static struct vcm_parent *vcm_parent_create(struct device *dev)
{
	struct vcm_parent *parent = kzalloc_obj(*parent);
	int ret;

	if (!parent)
		return ERR_PTR(-ENOMEM);

	kref_init(&parent->ref);
	mutex_init(&parent->lock);
	init_rwsem(&parent->gate);
	INIT_LIST_HEAD(&parent->spaces);
	parent->dev = get_device(dev);
	parent->group = iommu_group_get(dev);
	parent->unbind.notifier_call = vcm_parent_notify;
	INIT_LIST_HEAD(&parent->regions);
	ret = vcm_regions_find(parent);
	if (ret)
		goto free_regions;

	ret = vcm_parent_check(parent);
	if (ret)
		goto free_regions;

	parent->vdev = vcm_iova_get(dev);
	if (IS_ERR(parent->vdev)) {
		ret = PTR_ERR(parent->vdev);
		goto free_regions;
	}

	ret = vcm_parent_claim(parent);
	if (ret)
		goto put_vdev;

	ret = bus_register_notifier(dev->bus, &parent->unbind);
	if (ret)
		goto unclaim;
	return parent;

unclaim:
	vcm_parent_unclaim(parent);
put_vdev:
	vcm_iova_put(parent->vdev);
free_regions:
	vcm_regions_free(parent);
	iommu_group_put(parent->group);
	put_device(dev);
	mutex_destroy(&parent->lock);
	kfree(parent);
	return ERR_PTR(ret);
}

static void vcm_parent_release(struct kref *ref)
{
	struct vcm_parent *parent = container_of(ref, struct vcm_parent, ref);

	lockdep_assert_held(&vcm_parents_lock);

	list_del(&parent->node);
	bus_unregister_notifier(parent->dev->bus, &parent->unbind);
	WARN_ON(parent->active || !list_empty(&parent->spaces));
	vcm_parent_unclaim(parent);
	vcm_iova_put(parent->vdev);
	vcm_regions_free(parent);
	iommu_group_put(parent->group);
	put_device(parent->dev);
	mutex_destroy(&parent->lock);
	kfree(parent);
}

/* A dead one is not found: the device may be bound again, and is another. */
static struct vcm_parent *vcm_parent_find(struct device *dev)
{
	struct vcm_parent *parent;

	lockdep_assert_held(&vcm_parents_lock);

	list_for_each_entry(parent, &vcm_parents, node)
		if (parent->dev == dev && !READ_ONCE(parent->dead))
			return parent;
	return NULL;
}

/**
 * vcm_parent_get - find or make what is kept about a device with spaces
 * @dev: the device, bound to its driver and behind an IOMMU
 *
 * Context: Process context, sleeps.
 * Return: it, or -ENOMEM, or why the device cannot have spaces or its DMA not
 *	be claimed: see vcm_space_create().
 */
struct vcm_parent *vcm_parent_get(struct device *dev)
{
	struct vcm_parent *parent;

	mutex_lock(&vcm_parents_lock);
	parent = vcm_parent_find(dev);
	if (parent) {
		kref_get(&parent->ref);
		goto unlock;
	}

	parent = vcm_parent_create(dev);
	if (!IS_ERR(parent))
		list_add_tail(&parent->node, &vcm_parents);
unlock:
	mutex_unlock(&vcm_parents_lock);
	return parent;
}

/**
 * vcm_parent_put - undo vcm_parent_get()
 * @parent: the device
 *
 * Context: Process context, sleeps.
 */
void vcm_parent_put(struct vcm_parent *parent)
{
	if (kref_put_mutex(&parent->ref, vcm_parent_release, &vcm_parents_lock))
		mutex_unlock(&vcm_parents_lock);
}
