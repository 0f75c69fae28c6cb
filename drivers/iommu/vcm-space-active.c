// SPDX-License-Identifier: GPL-2.0
/*
 * Which space a device uses
 *
 * To activate a space is to attach the domain below its own to the real device,
 * its parent. The IOMMU core refuses to attach one domain over another. A switch
 * therefore is to detach and to attach, and in between the parent is in its
 * default domain or, if its driver lets us claim its DMA, in one that blocks all.
 * Where it stays without a space is the gap, see vcm-parent.c.
 */

#include <linux/export.h>

#include "vcm-parent.h"
#include "vcm-space.h"

/**
 * vcm_space_activate - let the parent use a space
 * @space: the space
 *
 * Context: Process context, sleeps.
 * Return: 0 (also if it was active), -EBUSY (another space is active, somebody
 *	else attached the parent to a domain, or the parent is being reset),
 *	-EXDEV (another device joined the parent's IOMMU group), -EADDRNOTAVAIL
 *	(the parent's vectors were first set up when it had spaces already, and
 *	its messages go to where a space may have a buffer), -ENODEV (the parent
 *	is gone), or what iommu_attach_device() and iommu_map() return.
 */
int vcm_space_activate(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	mutex_lock(&parent->lock);
	ret = vcm_parent_alive(space->parent);
	if (ret || parent->active == space)
		goto unlock;
	ret = parent->active ? -EBUSY : vcm_parent_attach(parent, space);
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
 * Return: 0, -EINVAL (not active), -ENODEV (the parent is gone).
 */
int vcm_space_deactivate(struct vcm_space *space)
{
	struct vcm_parent *parent = space->parent;
	int ret;

	mutex_lock(&parent->lock);
	ret = vcm_parent_alive(space->parent);
	if (ret)
		goto unlock;
	if (parent->active == space)
		vcm_parent_detach(parent);
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
	ret = vcm_parent_alive(space->parent);
	if (ret || old == space)
		goto unlock;

	ret = vcm_parent_attach(parent, space);
	if (ret && old && !parent->active && vcm_parent_attach(parent, old))
		ret = -EAGAIN;
unlock:
	mutex_unlock(&parent->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_switch, "VCM_IOMMU");

/**
 * vcm_space_gap_blocked - does the parent reach nothing between its spaces
 * @space: a space of the parent
 *
 * The gap is where the parent is while none of its spaces is active. It is
 * blocked for a driver that sets driver_managed_dma, unless firmware has memory
 * mapped one to one for the parent. Then nothing but the active space is ever
 * reachable, and where its interrupt messages go, and the parent's own DMA API
 * mappings do not work while it has spaces. Else it is the parent's default
 * domain: what the DMA API has mapped for it or, with iommu=pt, all memory.
 *
 * Context: Any.
 * Return: true if the gap is blocked; the same for all spaces of a parent.
 */
bool vcm_space_gap_blocked(struct vcm_space *space)
{
	return space->parent->owned;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_gap_blocked, "VCM_IOMMU");
