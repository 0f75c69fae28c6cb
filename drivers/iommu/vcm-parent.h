/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that have address spaces
 */
#ifndef _VCM_PARENT_H
#define _VCM_PARENT_H

#include <linux/errno.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include "vcm-gap.h"
#include "vcm-region.h"

struct device;
struct iommu_domain;
struct iommu_group;
struct vcm_iova_device;
struct vcm_space;

/**
 * struct vcm_parent - a device that has spaces
 * @dev: the device
 * @group: its IOMMU group
 * @vdev: @dev to the placement of buffers, constant
 * @ref: one for each space and each keeper, which need it until their own
 *	device is gone, and for @users
 * @users: spaces that are not destroyed; under the lock of the list of all
 * @node: in the list of all as long as there are @users, under that list's lock
 * @unbind: tells when the device loses its driver or goes away
 * @owned: the DMA of @dev is claimed: without a space it reaches nothing;
 *	constant until @dead
 * @gap: where @dev is without a space if it is @owned and its IOMMU translates
 *	interrupt messages. Else it has no domain, and the IOMMU core decides.
 *	Constant as @owned is
 * @attached: the domain that we attached @dev to, or NULL. Under @lock, and while
 *	@dev is claimed or released by nobody else's hands
 * @regions: addresses that are no IOVAs in a space, as they were when @dev was
 *	there for sure; constant
 * @gate: held for writing while @dev is attached to a space or detached from
 *	one, and for reading by vcm_iova_map() and its reverse in a
 *	space: virtio-iommu replays what is mapped when it attaches, and what
 *	is mapped or unmapped at that moment is lost or stays. For the default
 *	domain of @dev vcm_iova_hold() does the same
 * @lock: protects what follows, and the state of the spaces
 * @spaces: all &struct vcm_space, by &struct vcm_space.node
 * @nr_spaces: number of @spaces
 * @active: the space that @dev is attached to, or NULL
 * @dead: the device lost its driver or is gone
 *
 * Lock order: list of all -> @lock -> &struct vcm_iova_device.hold of @dev ->
 * @gate; that of a space's device -> @gate -> &struct vcm_iova_device.lock;
 * @lock -> list of all &struct vcm_iova_device;
 * @lock -> the IOMMU core's group mutex -> &struct vcm_domain.lock. A space's
 * device is added and removed without @lock, for that takes the driver core's
 * locks.
 */
struct vcm_parent {
	struct device *dev;
	struct iommu_group *group;
	struct vcm_iova_device *vdev;
	struct kref ref;
	unsigned int users;
	struct list_head node;
	struct notifier_block unbind;
	bool owned;
	struct vcm_gap gap;
	struct iommu_domain *attached;
	struct vcm_regions regions;
	struct rw_semaphore gate;

	/* protects what follows */
	struct mutex lock;
	struct list_head spaces;
	unsigned int nr_spaces;
	struct vcm_space *active;
	bool dead;
};

/* Can @parent be attached to its spaces, and be mapped for in them? */
static inline int vcm_parent_alive(const struct vcm_parent *parent)
{
	lockdep_assert_held(&parent->lock);

	return parent->dead ? -ENODEV : 0;
}

extern struct list_head vcm_parents;
extern struct mutex vcm_parents_lock;

struct vcm_parent *vcm_parent_get(struct device *dev);
void vcm_parent_put(struct vcm_parent *parent);
void vcm_parent_keep(struct vcm_parent *parent);
void vcm_parent_drop(struct vcm_parent *parent);
int vcm_parent_check(const struct vcm_parent *parent);
int vcm_parent_attach(struct vcm_parent *parent, struct vcm_space *space);
void vcm_parent_detach(struct vcm_parent *parent);

#endif /* _VCM_PARENT_H */
