/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placement of large buffers in the address spaces of devices
 */
#ifndef _LINUX_VCM_IOVA_H
#define _LINUX_VCM_IOVA_H

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/rbtree_types.h>
#include <linux/types.h>

struct dentry;
struct device;
struct rw_semaphore;
struct sg_table;
struct vcm_iova_device;
struct vcm_range;
struct vcm_slab;

/* Fail rather than map in a way that the policy does not allow. */
#define VCM_IOVA_STRICT		BIT(0)

/**
 * struct vcm_iova_policy - where a buffer goes in a device's address space
 * @align: bytes, a power of two of at least the page size: the DMA address of
 *	the buffer is a multiple of it; 0 or less than the largest chunk: of the
 *	size of that, where a 2 MB chunk is two of 1 MB for a device of up to 32
 *	address bits if more than a twentieth of the buffer's length would be
 *	lost otherwise
 * @guard: bytes behind the buffer that stay unmapped, rounded up to the page
 * @flags: VCM_IOVA_STRICT or 0
 *
 * A device gives a 16th of its addresses, and 1 GB at most, for a guard, and the
 * same for an alignment that is larger than the buffer with its guard, rounded
 * up to a power of two. With more, mapping fails with -ENOSPC.
 *
 * What it promises is for a device behind an IOMMU that the DMA API drives.
 * For others the memory is mapped as the DMA API does it and
 * &struct vcm_iova_mapping.degraded tells what came out.
 */
struct vcm_iova_policy {
	u64 align;
	u64 guard;
	u32 flags;
};

/* What can be asked for: as much as five levels of page tables translate */
#define VCM_IOVA_SPACE_MAX	BIT_ULL(57)

/* The largest chunk, and the largest leaf of most IOMMUs below 1 GB */
#define VCM_IOVA_ALIGN_MAX	0x200000

/**
 * struct vcm_iova_mapping - what vcm_iova_map() did
 * @iova: DMA address of the first byte
 * @len: bytes
 * @align: alignment that was asked for or chosen
 * @guard: bytes behind the buffer that are kept unmapped
 * @segs: DMA segments that the importer got
 * @degraded: the policy does not hold: more than one range of DMA addresses, a
 *	lesser alignment, no guard, or memory that is bounced
 *
 * To be read only, and only while mapped.
 */
struct vcm_iova_mapping {
	u64 iova;
	size_t len;
	u64 align;
	u64 guard;
	unsigned int segs;
	bool degraded;

	/* private: how to undo it */
	struct sg_table *sgt;
	enum dma_data_direction dir;
	unsigned long attrs;
	bool linked;
	struct vcm_range *range;
	struct vcm_slab *slab;
	struct dma_iova_state own;
	struct rb_node node;
};

struct vcm_iova_device *vcm_iova_get(struct device *dev);
void vcm_iova_put(struct vcm_iova_device *vdev);
bool vcm_iova_translates(const struct vcm_iova_device *vdev);

int vcm_iova_policy_check(const struct vcm_iova_policy *policy);

int vcm_iova_map(struct vcm_iova_device *vdev, struct sg_table *sgt,
		 enum dma_data_direction dir,
		 const struct vcm_iova_policy *policy,
		 struct vcm_iova_mapping *map);
void vcm_iova_unmap(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    struct vcm_iova_mapping *map);
void vcm_iova_sync_for_cpu(struct vcm_iova_device *vdev, struct sg_table *sgt,
			   const struct vcm_iova_mapping *map,
			   enum dma_data_direction dir);
void vcm_iova_sync_for_device(struct vcm_iova_device *vdev,
			      struct sg_table *sgt,
			      const struct vcm_iova_mapping *map,
			      enum dma_data_direction dir);

/**
 * struct vcm_iova_rules - what mapping for a device has to respect
 * @gate: held for reading while mapping and unmapping, or NULL; stays until the
 *	device goes
 * @min_align: no buffer is placed at less than this, as far as its memory is
 *	aligned so; 0 for no such rule
 */
struct vcm_iova_rules {
	struct rw_semaphore *gate;
	u64 min_align;
};

/**
 * typedef vcm_iova_rules_t - tells the rules for a device
 * @dev: any device
 * @rules: zeroed; to be filled in if the device has any
 *
 * Called once for each device that buffers are attached to, while its first
 * vcm_iova_get().
 *
 * Context: Process context, with the lock of all devices of placement.
 */
typedef void (*vcm_iova_rules_t)(struct device *dev,
				 struct vcm_iova_rules *rules);

/* For a module that makes devices of its own which buffers are attached to */
int vcm_iova_set_rules(vcm_iova_rules_t rules);
void vcm_iova_clear_rules(void);
void vcm_iova_revoke(struct device *dev);
bool vcm_iova_attached(struct device *dev);
void vcm_iova_hold(struct vcm_iova_device *vdev);
void vcm_iova_unhold(struct vcm_iova_device *vdev);
struct dentry *vcm_iova_debugfs_dir(void);

#endif /* _LINUX_VCM_IOVA_H */
