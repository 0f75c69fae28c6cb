// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of a device in its spaces
 */

#include <linux/export.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-space.h"

static int vcm_space_fault(struct iommu_domain *backing, struct device *dev,
			   unsigned long iova, int flags, void *token)
{
	struct vcm_space *space = token;

	if (!space->fault)
		return -ENODEV;
	space->fault(space, iova, flags & IOMMU_FAULT_WRITE, space->fault_data);
	return 0;
}

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
 * Return: 0, -EBUSY (the space is active), -ENODEV (the parent is gone).
 */
int vcm_space_set_fault_handler(struct vcm_space *space,
				vcm_space_fault_t handler, void *data)
{
	struct iommu_domain *backing = space->domain->backing;
	int ret;

	mutex_lock(&space->parent->lock);
	ret = vcm_parent_alive(space->parent);
	if (ret)
		goto unlock;
	if (space->parent->active == space) {
		ret = -EBUSY;
		goto unlock;
	}
	space->fault = handler;
	space->fault_data = data;
	/*
	 * Only now: without a handler in the domain an IOMMU driver writes faults
	 * to the log. Once is enough, and twice is a warning.
	 */
	if (backing->cookie_type == IOMMU_COOKIE_NONE)
		iommu_set_fault_handler(backing, vcm_space_fault, space);
unlock:
	mutex_unlock(&space->parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_set_fault_handler, "VCM_IOMMU");
