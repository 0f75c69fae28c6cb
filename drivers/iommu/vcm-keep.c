// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that are kept when they are unmapped
 *
 * A codec maps each of its frames again and again, and most of what that costs is to
 * make page-table entries and to have the IOTLB forget them. Where the buffer's policy
 * allows it, unmapping leaves all of it as it is, and mapping finds it.
 *
 * Kept or mapped, a mapping of that kind is on the list of its device as long as it is
 * linked, so that to map again takes no lock but its own. Each says when it was unmapped
 * last, by a clock that counts that. When there is no room, or more than the budget,
 * the one that was unmapped first is undone; it is looked for then.
 *
 * Whoever undoes the mapping of another has the lock of his own. So he only tries the
 * other's, and who ends a mapping waits for those who may have it.
 */

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include "vcm-device.h"
#include "vcm-keep.h"
#include "vcm-slab.h"

/* What mappings that may be kept take of a device's addresses, at most */
#define VCM_KEEP_PART	4
#define VCM_KEEP_MAX	((u64)SZ_1G)

static u64 vcm_keep_budget(const struct vcm_iova_device *vdev)
{
	return min(vcm_dma_limit(vdev->dev) / VCM_KEEP_PART + 1, VCM_KEEP_MAX);
}

/**
 * vcm_keep_fits - is a mapping one that could be kept
 * @map: the mapping
 *
 * Context: Any.
 * Return: whether the budget is enough for it.
 */
bool vcm_keep_fits(const struct vcm_iova_mapping *map)
{
	return map->need <= vcm_keep_budget(map->vdev);
}

/**
 * vcm_keep_add - a mapping that may be kept is linked
 * @map: the mapping
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock.
 */
void vcm_keep_add(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;

	lockdep_assert_held(&map->lock);

	mutex_lock(&vdev->keep_lock);
	list_add_tail(&map->keep_node, &vdev->keep_list);
	vdev->keep_bytes += map->need;
	mutex_unlock(&vdev->keep_lock);
}

static void vcm_keep_unlist(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->vdev->keep_lock);

	list_del_init(&map->keep_node);
	map->vdev->keep_bytes -= map->need;
}

/**
 * vcm_keep_del - ... and is to be unlinked
 * @map: the mapping
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock. Nothing is to be done if
 *	vcm_keep_oldest() has it.
 */
void vcm_keep_del(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	if (list_empty(&map->keep_node))
		return;
	mutex_lock(&map->vdev->keep_lock);
	vcm_keep_unlist(map);
	mutex_unlock(&map->vdev->keep_lock);
}

/**
 * vcm_keep_settle - wait until nobody has a mapping from vcm_keep_oldest()
 * @map: the mapping, unlinked
 *
 * Context: Process context, may sleep.
 */
void vcm_keep_settle(struct vcm_iova_mapping *map)
{
	mutex_lock(&map->vdev->keep_lock);
	mutex_unlock(&map->vdev->keep_lock);
}

/**
 * vcm_keep_possible - keep a mapping that is being unmapped, if there is room for it
 * @map: the mapping
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock.
 * Return: whether it is kept.
 */
bool vcm_keep_possible(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;

	lockdep_assert_held(&map->lock);

	/* It did not fit. */
	if (list_empty(&map->keep_node))
		return false;
	/* Whoever maps at the same time looks, too. */
	if (data_race(vdev->keep_bytes) > vcm_keep_budget(vdev))
		return false;
	WRITE_ONCE(map->kept_at, atomic64_inc_return(&vdev->keep_clock));
	return true;
}

/**
 * vcm_keep_crowded - is there more than the budget
 * @vdev: the device
 * @more: bytes that come to what there is
 *
 * Context: Any.
 * Return: whether there is.
 */
bool vcm_keep_crowded(struct vcm_iova_device *vdev, u64 more)
{
	/* It changes all the time. */
	return data_race(vdev->keep_bytes) + more > vcm_keep_budget(vdev);
}

/**
 * vcm_keep_oldest - what is to be undone first of what is kept
 * @vdev: the device
 *
 * Context: Process context, with &struct vcm_iova_device.keep_lock, which the caller has
 *	until he has undone it.
 * Return: a mapping with its lock taken, not on the list any more, or NULL if none is
 *	kept or those that are have their lock taken.
 */
struct vcm_iova_mapping *vcm_keep_oldest(struct vcm_iova_device *vdev)
{
	struct vcm_iova_mapping *map, *oldest = NULL;

	lockdep_assert_held(&vdev->keep_lock);

	list_for_each_entry(map, &vdev->keep_list, keep_node) {
		if (READ_ONCE(map->mapped) ||
		    (oldest && READ_ONCE(map->kept_at) > oldest->kept_at) ||
		    !mutex_trylock(&map->lock))
			continue;
		if (map->mapped) {
			mutex_unlock(&map->lock);
			continue;
		}
		if (oldest)
			mutex_unlock(&oldest->lock);
		oldest = map;
	}
	if (oldest)
		vcm_keep_unlist(oldest);
	return oldest;
}
