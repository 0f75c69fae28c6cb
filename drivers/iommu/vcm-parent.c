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
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vcm-iova.h>

#include "vcm-domain.h"
#include "vcm-gap.h"
#include "vcm-parent.h"
#include "vcm-region.h"
#include "vcm-space.h"

LIST_HEAD(vcm_parents);
/* Protects the list, and the birth and death of what is on it. */
DEFINE_MUTEX(vcm_parents_lock);

/*
 * Attach to a domain, or to none. The core does not attach one over another, and
 * so there is a moment in which interrupt messages are lost like all else.
 */
static int vcm_parent_move(struct vcm_parent *parent,
			   struct iommu_domain *domain)
{
	int ret;

	/* Not that of the device, which warns if the group has grown. */
	if (parent->attached)
		iommu_detach_group(parent->attached, parent->group);
	parent->attached = NULL;
	if (!domain)
		return 0;

	ret = iommu_attach_device(domain, parent->dev);
	if (!ret)
		parent->attached = domain;
	return ret;
}

static int vcm_parent_add_gap(struct vcm_parent *parent)
{
	int ret = vcm_gap_create(&parent->gap, &parent->regions);

	if (ret)
		return ret;
	ret = vcm_parent_move(parent, parent->gap.domain);
	if (ret)
		vcm_gap_destroy(&parent->gap, &parent->regions);
	return ret;
}

static void vcm_parent_remove_gap(struct vcm_parent *parent)
{
	if (!parent->gap.domain)
		return;
	vcm_parent_move(parent, NULL);
	vcm_gap_destroy(&parent->gap, &parent->regions);
}

/*
 * A driver that leaves its DMA to the DMA API owns it by being bound, and then
 * the claim is refused with -EPERM; driver_managed_dma in struct pci_driver or
 * struct platform_driver is how to leave it. A device with memory that has to
 * be mapped one to one cannot be blocked: -EINVAL. The gap of both is their
 * default domain, which is no error.
 */
static int vcm_parent_claim(struct vcm_parent *parent)
{
	int ret;

	vcm_iova_hold(parent->vdev);
	ret = iommu_device_claim_dma_owner(parent->dev, parent);
	if (ret == -EPERM || ret == -EINVAL) {
		ret = 0;
		goto unhold;
	}
	if (ret)
		goto unhold;

	ret = vcm_parent_add_gap(parent);
	if (ret)
		goto release;
	parent->owned = true;
	vcm_iova_unhold(parent->vdev);
	return 0;

release:
	iommu_device_release_dma_owner(parent->dev);
unhold:
	vcm_iova_unhold(parent->vdev);
	return ret;
}

/* It is in its default domain again, and that is attached like any other. */
static void vcm_parent_unclaim(struct vcm_parent *parent)
{
	if (!parent->owned)
		return;
	vcm_iova_hold(parent->vdev);
	vcm_parent_remove_gap(parent);
	iommu_device_release_dma_owner(parent->dev);
	vcm_iova_unhold(parent->vdev);
	parent->owned = false;
}

static int vcm_count_device(struct device *dev, void *count)
{
	++*(unsigned int *)count;
	return 0;
}

/* Would other devices change spaces with this one? */
static bool vcm_parent_is_shared(const struct vcm_parent *parent)
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
	if (vcm_regions_lose_msi(&parent->regions))
		return -EADDRNOTAVAIL;
	return 0;
}

/* --- Attaching --------------------------------------------------------- */

/* No buffer is mapped or unmapped, in the spaces or for the device itself. */
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

/* What a device is to find in a space besides what it found when that was made */
static int vcm_parent_prepare(struct vcm_parent *parent,
			      struct vcm_space *space)
{
	if (vcm_parent_is_shared(parent))
		return -EXDEV;
	if (vcm_regions_lose_message(&parent->regions,
				     parent->gap.doorbell.addr))
		return -EADDRNOTAVAIL;
	return vcm_gap_share_doorbell(&parent->gap, space->domain->backing);
}

/**
 * vcm_parent_attach - attach a device to one of its spaces
 * @parent: the device, attached to another one or to none
 * @space: the space
 *
 * Context: Process context, with &struct vcm_parent.lock.
 * Return: 0, or with nothing changed -EXDEV (another device is in its IOMMU
 *	group), -EADDRNOTAVAIL (its interrupts would be lost) or what iommu_map()
 *	returns, or what iommu_attach_device() returns; then it is attached to
 *	none.
 */
int vcm_parent_attach(struct vcm_parent *parent, struct vcm_space *space)
{
	int ret;

	lockdep_assert_held(&parent->lock);

	ret = vcm_parent_prepare(parent, space);
	if (ret)
		return ret;

	vcm_gate_close(parent);
	ret = vcm_parent_move(parent, space->domain->backing);
	if (ret)
		vcm_parent_move(parent, parent->gap.domain);
	vcm_gate_open(parent);
	parent->active = ret ? NULL : space;
	return ret;
}

/**
 * vcm_parent_detach - take the space from a device that it is attached to
 * @parent: the device, attached to one
 *
 * If it cannot be attached to the gap it is in a domain that blocks all.
 *
 * Context: Process context, with &struct vcm_parent.lock.
 */
void vcm_parent_detach(struct vcm_parent *parent)
{
	lockdep_assert_held(&parent->lock);

	vcm_gate_close(parent);
	vcm_parent_move(parent, parent->gap.domain);
	vcm_gate_open(parent);
	parent->active = NULL;
}

/* --- The end of the device --------------------------------------------- */

/*
 * The spaces stay, but the device is gone. What is mapped stays until it is
 * unmapped, for it is others that mapped it.
 */
static void vcm_parent_kill(struct vcm_parent *parent)
{
	struct vcm_space *space;

	mutex_lock(&parent->lock);
	if (parent->dead)
		goto unlock;

	parent->dead = true;
	list_for_each_entry(space, &parent->spaces, node)
		vcm_domain_close(space->domain);
	if (parent->active)
		vcm_parent_detach(parent);
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

/* --- Life -------------------------------------------------------------- */

static void vcm_parent_release(struct kref *ref)
{
	struct vcm_parent *parent = container_of(ref, struct vcm_parent, ref);

	vcm_regions_free(&parent->regions);
	iommu_group_put(parent->group);
	put_device(parent->dev);
	mutex_destroy(&parent->lock);
	kfree(parent);
}

static struct vcm_parent *vcm_parent_create(struct device *dev)
{
	struct vcm_parent *parent = kzalloc_obj(*parent);
	int ret;

	lockdep_assert_held(&vcm_parents_lock);

	if (!parent)
		return ERR_PTR(-ENOMEM);

	kref_init(&parent->ref);
	mutex_init(&parent->lock);
	init_rwsem(&parent->gate);
	INIT_LIST_HEAD(&parent->spaces);
	parent->dev = get_device(dev);
	parent->group = iommu_group_get(dev);
	parent->unbind.notifier_call = vcm_parent_notify;
	ret = vcm_regions_find(&parent->regions, dev);
	if (ret)
		goto drop;

	ret = vcm_parent_check(parent);
	if (ret)
		goto drop;

	parent->vdev = vcm_iova_get(dev);
	if (IS_ERR(parent->vdev)) {
		ret = PTR_ERR(parent->vdev);
		goto drop;
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
drop:
	vcm_parent_drop(parent);
	return ERR_PTR(ret);
}

/* The last space is gone, and with it what there was to be done for it. */
static void vcm_parent_retire(struct vcm_parent *parent)
{
	lockdep_assert_held(&vcm_parents_lock);

	list_del(&parent->node);
	bus_unregister_notifier(parent->dev->bus, &parent->unbind);
	WARN_ON(parent->active || !list_empty(&parent->spaces));
	vcm_parent_unclaim(parent);
	vcm_iova_put(parent->vdev);
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
		vcm_parent_keep(parent);
		parent->users++;
		goto unlock;
	}

	parent = vcm_parent_create(dev);
	if (IS_ERR(parent))
		goto unlock;
	parent->users = 1;
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
	mutex_lock(&vcm_parents_lock);
	if (!--parent->users)
		vcm_parent_retire(parent);
	mutex_unlock(&vcm_parents_lock);
	vcm_parent_drop(parent);
}

/**
 * vcm_parent_keep - let what is kept about a device stay, whoever is done with it
 * @parent: the device
 *
 * Context: Any.
 */
void vcm_parent_keep(struct vcm_parent *parent)
{
	kref_get(&parent->ref);
}

/**
 * vcm_parent_drop - undo vcm_parent_keep()
 * @parent: the device
 *
 * Context: Process context, may sleep.
 */
void vcm_parent_drop(struct vcm_parent *parent)
{
	kref_put(&parent->ref, vcm_parent_release);
}
