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
#include <linux/vcm-iova.h>

#include "vcm-extent.h"

struct iommu_domain;
struct seq_file;

/**
 * struct vcm_slab - a range of DMA addresses reserved from the DMA API
 * @node: in &struct vcm_iova_device.slabs
 * @by_addr: in &struct vcm_iova_device.slab_list
 * @fresh: among the slabs reserved for the placement under way
 * @state: the reservation
 */
struct vcm_slab {
	struct rb_node node;
	struct list_head by_addr;
	struct list_head fresh;
	struct dma_iova_state state;
};

/**
 * struct vcm_iova_device - a device that buffers are attached to
 * @dev: the device
 * @ref: one for each attachment
 * @node: in the list of all until @dead, under that list's lock
 * @translated: the DMA API hands out IOVAs for @dev, constant
 * @linked: ... and @dev is mapped for by placement and linking, constant
 * @coherent: the CPU's caches are the device's, constant
 * @owned: @dev's driver leaves its DMA to the DMA API, constant
 * @rules: what mapping for @dev has to respect, constant
 * @alive: held for reading while something is mapped, synced or unmapped, and
 *	for writing to revoke it all; protects @dead and @lost
 * @dead: the device has gone: nothing is mapped, and nothing will be
 * @lost: ... and with it the domain that mappings and addresses were in
 * @domain: the domain that the DMA API maps in, or NULL if that is not known
 * @lock: protects what follows
 * @slab_size: bytes in a slab, a power of two; 0 if @dev takes none
 * @extents: free and taken addresses in @slabs
 * @slabs: the slabs, by address
 * @slab_list: the same; the next of a slab that a mapping goes on in stays the
 *	next as long as the mapping does
 * @mappings: all &struct vcm_iova_mapping, by address; each is complete
 * @nr_mappings: number of @mappings
 * @nr_reservations: slabs, and addresses that a mapping has to itself
 * @reserved: bytes in these
 * @used: bytes in buffers and guards that are placed
 * @nr_degraded: mappings that were degraded, ever
 * @nr_refused: mappings that were refused because the policy is strict, ever
 *
 * Lock order: notifiers of the device's bus -> list of all; the same, or an
 * exporter's locks -> @alive -> gate, and @alive -> @lock. Page tables are
 * changed without @lock: a slab stays where it is as long as one of its
 * addresses is taken.
 */
struct vcm_iova_device {
	struct device *dev;
	struct kref ref;
	struct list_head node;
	bool translated;
	bool linked;
	bool coherent;
	bool owned;
	struct vcm_iova_rules rules;

	/* protects being mapped at all */
	struct rw_semaphore alive;
	bool dead;
	bool lost;
	struct iommu_domain *domain;

	/* protects what follows */
	struct mutex lock;
	u64 slab_size;
	struct vcm_extents extents;
	struct rb_root slabs;
	struct list_head slab_list;
	struct rb_root mappings;
	unsigned long nr_mappings;
	unsigned long nr_reservations;
	u64 reserved;
	u64 used;
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

/* What the DMA API reserved for @map alone, if that has no part of slabs. */
static inline u64 vcm_mapping_own(struct vcm_iova_mapping *map)
{
	return map->range ? 0 : dma_iova_size(&map->own);
}

/* vcm-slab.c: reservations from the DMA API */
int vcm_place(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map);
void vcm_unplace(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map);
void vcm_mapping_list(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map);
void vcm_mapping_unlist(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map);
bool vcm_dma_narrow(struct device *dev);
u64 vcm_dma_boundary(struct device *dev);

/* vcm-iova.c: mappings */
void vcm_sync_table(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    enum dma_data_direction dir, bool for_device);
void vcm_mapping_revoke(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map);

/* vcm-device.c: the devices */
extern struct list_head vcm_devices;
extern struct mutex vcm_devices_lock;
bool vcm_device_replaced(struct vcm_iova_device *vdev);
void vcm_device_lose(struct vcm_iova_device *vdev);
int vcm_devices_init(void);
void vcm_devices_exit(void);

/* vcm-debugfs.c */
#ifdef CONFIG_DEBUG_FS
void vcm_iova_debugfs_init(struct dentry *dir);
#if IS_ENABLED(CONFIG_KUNIT)
int vcm_iova_show(struct seq_file *s, void *unused);
#endif
#else
static inline void vcm_iova_debugfs_init(struct dentry *dir) { }
#endif

#endif /* _VCM_IOVA_H */
