/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placement of large buffers in the address spaces of devices
 */
#ifndef _LINUX_VCM_IOMMU_H
#define _LINUX_VCM_IOMMU_H

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/rbtree_types.h>
#include <linux/types.h>

struct dentry;
struct device;
struct dma_buf;
struct sg_table;
struct vcm_iova_device;
struct vcm_range;
struct vcm_slab;
struct vcm_space;

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
 * &struct vcm_mapping.degraded tells what came out.
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
 * struct vcm_mapping - what vcm_iommu_map_sgtable() did
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
struct vcm_mapping {
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

struct vcm_iova_device *vcm_iommu_get(struct device *dev);
void vcm_iommu_put(struct vcm_iova_device *vdev);
bool vcm_iommu_translates(const struct vcm_iova_device *vdev);

int vcm_iova_policy_check(const struct vcm_iova_policy *policy);

int vcm_iommu_map_sgtable(struct vcm_iova_device *vdev, struct sg_table *sgt,
			  enum dma_data_direction dir,
			  const struct vcm_iova_policy *policy,
			  struct vcm_mapping *map);
void vcm_iommu_unmap_sgtable(struct vcm_iova_device *vdev, struct sg_table *sgt,
			     struct vcm_mapping *map);
void vcm_iommu_sync_for_cpu(struct vcm_iova_device *vdev, struct sg_table *sgt,
			    const struct vcm_mapping *map,
			    enum dma_data_direction dir);
void vcm_iommu_sync_for_device(struct vcm_iova_device *vdev,
			       struct sg_table *sgt,
			       const struct vcm_mapping *map,
			       enum dma_data_direction dir);

/* Spaces of one device, so that they cannot take all memory */
#define VCM_SPACES_MAX		64

/**
 * struct vcm_space_args - what an address space is to be like
 * @start: first address, a multiple of the page size
 * @len: number of addresses, a multiple of the page size
 * @fixed_start: first address of the fixed window, inside the space, where
 *	vcm_space_map_at() maps and the DMA API does not
 * @fixed_len: number of addresses of the fixed window, or 0 for none
 * @align: bytes, a power of two of at least the page size: a mapping that
 *	begins with a block of this size is at a multiple of it or is refused,
 *	where a block is one compound page, a chunk of a buffer or a huge page
 *	for example, and not pages that are neighbours by chance; 0: no such
 *	rule
 */
struct vcm_space_args {
	u64 start;
	u64 len;
	u64 fixed_start;
	u64 fixed_len;
	u64 align;
};

/**
 * typedef vcm_space_fault_t - handler of a space's faults
 * @space: the space
 * @iova: the address that the device used
 * @write: it wrote
 * @data: from vcm_space_set_fault_handler()
 *
 * Context: Interrupt context, or whatever the IOMMU driver reports faults in.
 */
typedef void (*vcm_space_fault_t)(struct vcm_space *space, u64 iova, bool write,
				  void *data);

struct vcm_space *vcm_space_create(struct device *parent,
				   const struct vcm_space_args *args);
int vcm_space_destroy(struct vcm_space *space);
struct vcm_space *vcm_space_get(struct vcm_space *space);
void vcm_space_put(struct vcm_space *space);
struct device *vcm_space_dev(struct vcm_space *space);

int vcm_space_activate(struct vcm_space *space);
int vcm_space_deactivate(struct vcm_space *space);
int vcm_space_switch(struct vcm_space *space);
bool vcm_space_is_active(struct vcm_space *space);
bool vcm_space_gap_blocked(struct vcm_space *space);

int vcm_space_map_at(struct vcm_space *space, u64 iova, struct dma_buf *dmabuf,
		     enum dma_data_direction dir);
int vcm_space_unmap_at(struct vcm_space *space, u64 iova);
phys_addr_t vcm_space_iova_to_phys(struct vcm_space *space, u64 iova);
int vcm_space_set_fault_handler(struct vcm_space *space,
				vcm_space_fault_t handler, void *data);

struct dentry *vcm_iommu_debugfs_dir(void);

#endif /* _LINUX_VCM_IOMMU_H */
