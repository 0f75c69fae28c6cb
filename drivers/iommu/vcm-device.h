/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices that buffers are attached to
 */
#ifndef _VCM_DEVICE_H
#define _VCM_DEVICE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/vcm-iova.h>

#include "vcm-extent.h"

struct iommu_domain;

/* Bits of &struct vcm_iova_device.special; almost no device has one. */
enum {
	VCM_DEVICE_DEAD,	/* it has gone: nothing is mapped, nor will be */
	VCM_DEVICE_LOST,	/* ... and with it what was mapped in */
	VCM_DEVICE_HELD,	/* nothing is mapped or unmapped just now */
	VCM_DEVICE_UNOWNED,	/* its domain may be replaced, see vcm-device.c */
	VCM_DEVICE_WINDOWLESS,	/* windows are wanted that it has not */
};

/**
 * struct vcm_iova_device - a device that buffers are attached to
 * @dev: the device
 * @ref: one for each attachment, and one of the table of all if @idle_refs
 * @node: in the table of all until it is forgotten, under that table's lock
 * @in_order: the same, in the list of all
 * @rcu: what is looked up is freed later
 * @idle_refs: references that are nobody's use: that of the table of all, where the
 *	device stays without attachments then, and that of vcm_iova_know(); set
 *	under the lock of the table
 * @translated: the DMA API hands out IOVAs for @dev, constant
 * @linked: ... and @dev is mapped for by placement and linking, constant
 * @coherent: the CPU's caches are the device's, constant
 * @rules: what mapping for @dev has to respect, constant
 * @special: what has to be thought of before each step
 * @nr_degraded: mappings that were degraded, ever
 * @nr_refused: mappings that were refused because the policy is strict, ever
 * @alone: bytes in reservations that a mapping has to itself, where room is
 *	scarce
 * @keep_clock: how often a mapping was kept when it was unmapped
 * @hold: held for writing while VCM_DEVICE_HELD
 * @mappings_lock: protects @mappings
 * @mappings: all &struct vcm_iova_mapping that are attached
 * @nr_mappings: number of them
 * @keep_lock: protects what follows
 * @keep_list: mappings that are linked and may be kept, by &struct
 *	vcm_iova_mapping.keep_node
 * @keep_bytes: addresses that they take
 * @live_lock: protects what follows
 * @live: those that are live, if VCM_DEVICE_UNOWNED
 * @domain: the domain that the DMA API maps in, or NULL if that is not known
 * @lock: protects what follows
 * @slab_size: bytes in a slab, a power of two; 0 if @dev takes none
 * @extents: free and taken addresses in @slabs
 * @slabs: the slabs, by address
 * @slab_list: the same; the next of a slab that a mapping goes on in stays the
 *	next as long as the mapping does
 * @nr_slabs: number of them
 * @reserved: bytes in them
 * @windows: addresses that are kept for some buffers or from all, &struct
 *	vcm_window.node; constant while a buffer is attached
 * @nr_windows: number of them
 * @windowed: bytes reserved in them
 *
 * What is mapped is under the lock of each mapping alone, so that mappings of one
 * device do not wait for each other, but for @lock where they are in slabs.
 *
 * Lock order: notifiers of the device's bus -> table of all -> @hold ->
 * @mappings_lock -> &struct vcm_iova_mapping.lock -> @keep_lock -> gate of @rules ->
 * @lock -> @live_lock. With @keep_lock the lock of another mapping is tried only.
 * An exporter's locks are outside of that of a mapping. Inside of @lock,
 * @mappings_lock is tried only. Page tables are changed without @lock: a slab stays
 * where it is as long as one of its addresses is taken.
 */
struct vcm_iova_device {
	struct device *dev;
	struct kref ref;
	struct hlist_node node;
	struct list_head in_order;
	struct rcu_head rcu;
	unsigned int idle_refs;
	bool translated;
	bool linked;
	bool coherent;
	struct vcm_iova_rules rules;
	unsigned long special;
	atomic_long_t nr_degraded;
	atomic_long_t nr_refused;
	atomic64_t alone;
	atomic64_t keep_clock;
	struct rw_semaphore hold;

	/* protects the next two */
	struct mutex mappings_lock;
	struct hlist_head mappings;
	unsigned long nr_mappings;

	/* protects the next two */
	struct mutex keep_lock;
	struct list_head keep_list;
	u64 keep_bytes;

	/* protects the next two */
	spinlock_t live_lock;
	struct list_head live;
	struct iommu_domain *domain;

	/* protects what follows */
	struct mutex lock;
	u64 slab_size;
	struct vcm_extents extents;
	struct rb_root slabs;
	struct list_head slab_list;
	unsigned long nr_slabs;
	u64 reserved;
	struct list_head windows;
	unsigned int nr_windows;
	u64 windowed;
};

static inline bool vcm_device_is(const struct vcm_iova_device *vdev, int bit)
{
	return test_bit(bit, &vdev->special);
}

/* Where the device's domain is lost, nothing of it is to be touched. */
static inline bool vcm_device_lost(const struct vcm_iova_device *vdev)
{
	return vcm_device_is(vdev, VCM_DEVICE_LOST);
}

/**
 * vcm_device_add_mapping - a buffer is attached
 * @vdev: the device
 * @map: the buffer, not mapped
 *
 * Context: Process context, may sleep.
 */
static inline void vcm_device_add_mapping(struct vcm_iova_device *vdev,
					  struct vcm_iova_mapping *map)
{
	mutex_lock(&vdev->mappings_lock);
	hlist_add_head(&map->node, &vdev->mappings);
	vdev->nr_mappings++;
	mutex_unlock(&vdev->mappings_lock);
}

/**
 * vcm_device_del_mapping - undo vcm_device_add_mapping()
 * @vdev: the device
 * @map: the buffer, not mapped
 *
 * Context: Process context, may sleep.
 */
static inline void vcm_device_del_mapping(struct vcm_iova_device *vdev,
					  struct vcm_iova_mapping *map)
{
	mutex_lock(&vdev->mappings_lock);
	hlist_del(&map->node);
	vdev->nr_mappings--;
	mutex_unlock(&vdev->mappings_lock);
}

/**
 * struct vcm_device_counts - what is mapped for a device
 * @mappings: how many
 * @reservations: slabs, and addresses that a mapping has to itself
 * @reserved: bytes in these
 * @used: bytes in buffers and guards that are placed
 * @kept: mappings that are not mapped any more and are kept
 * @kept_bytes: bytes of @used in these
 */
struct vcm_device_counts {
	unsigned long mappings;
	unsigned long reservations;
	u64 reserved;
	u64 used;
	unsigned long kept;
	u64 kept_bytes;
};

void vcm_device_count(struct vcm_iova_device *vdev,
		      struct vcm_device_counts *counts);
void vcm_device_add_live(struct vcm_iova_device *vdev,
			 struct vcm_iova_mapping *map);
void vcm_device_del_live(struct vcm_iova_device *vdev,
			 struct vcm_iova_mapping *map);
bool vcm_device_replaced(struct vcm_iova_device *vdev);
void vcm_device_forget(struct vcm_iova_device *vdev);
struct vcm_iova_device *vcm_device_find_going(struct device *dev, bool deleted);

/**
 * typedef vcm_device_fn - what is done with each device
 * @vdev: the device
 * @data: of the caller of vcm_devices_for_each() or its like
 *
 * Context: Process context, with the lock of the table of all.
 */
typedef void (*vcm_device_fn)(struct vcm_iova_device *vdev, void *data);

void vcm_devices_for_each(vcm_device_fn fn, void *data);
void vcm_devices_all(vcm_device_fn fn, void *data);
void vcm_devices_exit(void);

#endif /* _VCM_DEVICE_H */
