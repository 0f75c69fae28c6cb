/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices, slabs and mappings: what the files of this module share
 */
#ifndef _VCM_IOVA_H
#define _VCM_IOVA_H

#include <linux/dma-mapping.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/vcm-iommu.h>

#include "vcm-extent.h"

/**
 * struct vcm_slab - a range of DMA addresses reserved from the DMA API
 * @node: in &struct vcm_iova_device.slabs
 * @fresh: among the slabs reserved for the placement under way
 * @state: the reservation
 */
struct vcm_slab {
	struct rb_node node;
	struct list_head fresh;
	struct dma_iova_state state;
};

/**
 * struct vcm_iova_device - a device that buffers are attached to
 * @dev: the device
 * @ref: one for each attachment
 * @node: in the list of all, under that list's lock
 * @translated: the DMA API hands out IOVAs for @dev
 * @linked: ... and @dev is mapped for by placement and linking, constant
 * @min_align: no buffer is placed at less than this, as far as its memory is
 *	aligned so: a space's own rule, constant
 * @gate: held for reading while mapping and unmapping, or NULL: that of the
 *	space that @dev stands for, constant
 * @lock: protects what follows
 * @slab_size: bytes in a slab, a power of two; 0 if @dev takes none
 * @boundary: no DMA segment reaches across a multiple of this; 0: no such
 *	limit
 * @extents: free and taken addresses in @slabs
 * @slabs: all reservations, by address
 * @nr_slabs: number of @slabs
 * @mappings: all &struct vcm_mapping, by &struct vcm_mapping.node
 * @nr_degraded: mappings that were degraded, ever
 * @nr_refused: mappings that were refused because the policy is strict, ever
 *
 * Lock order: list of all -> @lock. Page tables are changed without @lock: a
 * slab stays where it is as long as one of its addresses is taken.
 */
struct vcm_iova_device {
	struct device *dev;
	struct kref ref;
	struct list_head node;
	bool translated;
	bool linked;
	u64 min_align;
	struct rw_semaphore *gate;

	/* protects what follows */
	struct mutex lock;
	u64 slab_size;
	u64 boundary;
	struct vcm_extents extents;
	struct rb_root slabs;
	unsigned long nr_slabs;
	struct list_head mappings;
	unsigned long nr_degraded;
	unsigned long nr_refused;
};

static inline u64 vcm_slab_start(const struct vcm_slab *slab)
{
	return slab->state.addr;
}

static inline u64 vcm_slab_len(struct vcm_slab *slab)
{
	return dma_iova_size(&slab->state);
}

/* vcm-slab.c: reservations from the DMA API */
int vcm_place(struct vcm_iova_device *vdev, struct vcm_mapping *map);
void vcm_unplace(struct vcm_iova_device *vdev, struct vcm_mapping *map);
bool vcm_dma_narrow(struct device *dev);
struct vcm_slab *vcm_slab_find(struct vcm_iova_device *vdev, u64 addr);

/* vcm-device.c: the devices */
extern struct list_head vcm_devices;
extern struct mutex vcm_devices_lock;

/* vcm-iommu.c */
#ifdef CONFIG_IOMMU_API
struct rw_semaphore *vcm_space_rules(struct device *dev, u64 *min_align);
#else
static inline struct rw_semaphore *vcm_space_rules(struct device *dev,
						   u64 *min_align)
{
	*min_align = 0;
	return NULL;
}
#endif

/* vcm-debugfs.c */
#ifdef CONFIG_DEBUG_FS
void vcm_iommu_debugfs_init(struct dentry *dir);
#else
static inline void vcm_iommu_debugfs_init(struct dentry *dir) { }
#endif

#endif /* _VCM_IOVA_H */
