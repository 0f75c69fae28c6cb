/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placement of large buffers in the address spaces of devices
 */
#ifndef _LINUX_VCM_IOVA_H
#define _LINUX_VCM_IOVA_H

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct dentry;
struct device;
struct rw_semaphore;
struct vcm_iova_device;
struct vcm_range;
struct vcm_slab;
struct vcm_window;

/* Fail rather than map in a way that the policy does not allow. */
#define VCM_IOVA_STRICT		BIT(0)

/* The guards read as zeroes; to write there is not possible. */
#define VCM_IOVA_SCRATCH	BIT(1)

/* To unmap leaves the mapping there for the next time; the device keeps its access. */
#define VCM_IOVA_KEEP		BIT(2)

/* All flags that there are */
#define VCM_IOVA_FLAGS		(VCM_IOVA_STRICT | VCM_IOVA_SCRATCH | \
				 VCM_IOVA_KEEP)

/* The longest guard that can be zeroes, at either end */
#define VCM_IOVA_SCRATCH_MAX	0x1000000

/**
 * struct vcm_iova_policy - where a buffer goes in a device's address space
 * @align: bytes, a power of two of at least the page size: the DMA address of
 *	the buffer is a multiple of it; 0 or less than the largest chunk: of the
 *	size of that, where a 2 MB chunk is two of 1 MB for a device of up to 32
 *	address bits if more than a twentieth of the buffer's length would be
 *	lost otherwise
 * @guard: bytes behind the buffer that stay unmapped, rounded up to the page
 * @flags: VCM_IOVA_STRICT, VCM_IOVA_SCRATCH, VCM_IOVA_KEEP
 * @window: number of the window that the buffer is to be in, see
 *	vcm_iova_add_window(), or 0. Where a device has no such window it does not hold
 * @guard_before: bytes before the buffer that stay unmapped, rounded up to the page;
 *	it takes as many addresses as the alignment at least
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
	u32 window;
	u64 guard_before;
};

/* What can be asked for: as much as five levels of page tables translate */
#define VCM_IOVA_SPACE_MAX	BIT_ULL(57)

/* The largest chunk, and the largest leaf of most IOMMUs below 1 GB */
#define VCM_IOVA_ALIGN_MAX	0x200000

/**
 * struct vcm_iova_run - memory that is physically contiguous
 * @phys: where it is
 * @len: bytes, whole pages
 */
struct vcm_iova_run {
	phys_addr_t phys;
	size_t len;
};

/**
 * struct vcm_iova_memory - what a buffer is made of
 * @runs: the runs that make it up, one after the other, no two of which touch
 * @nr_runs: how many
 * @len: bytes in all of them
 */
struct vcm_iova_memory {
	const struct vcm_iova_run *runs;
	unsigned long nr_runs;
	size_t len;
};

/**
 * struct vcm_iova_limits - the longest segment that a device takes
 * @max: bytes
 * @boundary: mask that the first and the last byte of a segment must agree on
 *	above
 */
struct vcm_iova_limits {
	size_t max;
	unsigned long boundary;
};

/* So many segments need no memory of their own. */
#define VCM_IOVA_FEW		4

/**
 * struct vcm_iova_piece - the part of a mapping that is in one reservation
 * @state: the reservation
 * @offset: of the piece in it
 * @len: bytes
 */
struct vcm_iova_piece {
	struct dma_iova_state *state;
	size_t offset;
	size_t len;
};

/**
 * struct vcm_iova_mapping - a buffer that is attached to a device
 * @table: the buffer in segments that suit the device; while mapped, also the
 *	DMA addresses
 * @len: bytes
 * @guard: bytes behind the buffer that are kept unmapped, or are zeroes
 * @guard_before: ... and before it
 * @translated: DMA addresses are IOVAs; if not, they are physical addresses,
 *	which must not be shown to anybody
 * @mapped: it was mapped, and not unmapped yet, even if the device has gone
 *	meanwhile
 * @iova: DMA address of the first byte
 * @align: alignment that was asked for or chosen
 * @segs: DMA segments that the importer got
 * @degraded: the policy does not hold: more than one range of DMA addresses, a
 *	lesser alignment, no guard, not the window, or memory that is bounced
 *
 * To be read only. What follows @mapped means something while it is mapped, and
 * can be read by who keeps it from being unmapped; for others there is
 * vcm_iova_get_info().
 */
struct vcm_iova_mapping {
	struct sg_table table;
	size_t len;
	u64 guard;
	u64 guard_before;
	bool translated;
	bool mapped;
	bool degraded;
	unsigned int segs;
	u64 iova;
	u64 align;

	/* private: constant from vcm_iova_attach() to vcm_iova_detach() */
	struct vcm_iova_device *vdev;
	struct hlist_node node;		/* in the device's list of mappings */
	const struct vcm_iova_run *runs;	/* the exporter's, @len bytes */
	unsigned long nr_runs;
	gfp_t gfp;			/* ... that @table was allocated with */
	u64 need;			/* @lead, @len and @guard */
	u64 lead;			/* addresses before @iova, with @guard_before */
	u64 wide_align;			/* @align where there is much room */
	u64 narrow_align;		/* ... where there is not */
	bool needs_sync;		/* the CPU's caches are not the device's */
	bool packed;			/* the DMA API packs @need well */
	bool greedy;			/* the policy asks for more than @len */
	bool strict;			/* ... and nothing less will do */
	bool special;			/* any of the next three */
	bool scratch;			/* the guards are zeroes */
	bool keep;			/* it may be kept when it is unmapped */
	bool astray;			/* not the window that the policy names */
	struct vcm_window *window;	/* ... or this one, or NULL */

	/* private: the table, of few entries or many, see vcm-table.c */
	struct vcm_iova_limits limits;	/* ... that it was cut to */
	unsigned int max_seg_size;	/* ... as the device's driver set it */
	struct scatterlist few[VCM_IOVA_FEW];

	/* private: these, and @mapped and what follows, are under @lock */
	struct mutex lock;
	bool live;			/* the device can reach the memory: @mapped or kept */
	bool linked;			/* ... by dma_iova_link() */
	enum dma_data_direction dir;
	u64 taken;			/* addresses from @lead before @iova on, or 0 */
	u64 alone;			/* ... of a narrow device, in @own */
	struct dma_iova_state own;	/* a reservation for this one, or */
	struct vcm_range *range;	/* ... a part of the slabs */
	struct vcm_slab *slab;		/* ... from this one on */
	struct vcm_iova_piece piece;
	struct vcm_iova_piece *pieces;	/* &piece, or an array */
	unsigned int nr_pieces;
	struct list_head live_node;	/* see vcm_iova_device.live */
	struct list_head keep_node;	/* see vcm_iova_device.keep_list */
	u64 kept_at;			/* ... and .keep_clock */
};

/**
 * struct vcm_iova_info - how a buffer is mapped
 * @iova: DMA address of the first byte
 * @align: alignment that was asked for or chosen
 * @guard: bytes behind the buffer that are kept unmapped, or are zeroes
 * @guard_before: ... and before it
 * @segs: DMA segments that the importer got
 * @degraded: the policy does not hold
 */
struct vcm_iova_info {
	u64 iova;
	u64 align;
	u64 guard;
	u64 guard_before;
	unsigned int segs;
	bool degraded;
};

/* What a window begins and ends at a multiple of */
#define VCM_IOVA_WINDOW_UNIT	(PAGE_SIZE << 6)

/* Windows of one device, at most */
#define VCM_IOVA_WINDOWS_MAX	16

/**
 * struct vcm_iova_window - addresses of a device that are not for everybody
 * @start: the first one, a multiple of VCM_IOVA_WINDOW_UNIT
 * @len: how many, a multiple of VCM_IOVA_WINDOW_UNIT
 * @number: for the buffers whose policy has this number in
 *	&struct vcm_iova_policy.window, and only for them; 0: for none at all
 */
struct vcm_iova_window {
	u64 start;
	u64 len;
	u32 number;
};

int vcm_iova_add_window(struct device *dev,
			const struct vcm_iova_window *window);

int vcm_iova_policy_check(const struct vcm_iova_policy *policy);

int vcm_iova_attach(struct vcm_iova_mapping *map, struct device *dev,
		    const struct vcm_iova_memory *memory,
		    const struct vcm_iova_policy *policy, gfp_t gfp);
void vcm_iova_detach(struct vcm_iova_mapping *map);
int vcm_iova_map(struct vcm_iova_mapping *map, enum dma_data_direction dir);
void vcm_iova_unmap(struct vcm_iova_mapping *map);
void vcm_iova_drop(struct vcm_iova_mapping *map);
void vcm_iova_drop_all(struct device *dev);
void vcm_iova_sync_for_cpu(struct vcm_iova_mapping *map,
			   enum dma_data_direction dir);
void vcm_iova_sync_for_device(struct vcm_iova_mapping *map,
			      enum dma_data_direction dir);
bool vcm_iova_get_info(struct vcm_iova_mapping *map, struct vcm_iova_info *info);

/**
 * struct vcm_iova_rules - what mapping for a device has to respect
 * @gate: held for reading while mapping and unmapping, or NULL; stays until the
 *	device goes
 * @min_align: no buffer is placed at less than this, as far as its memory is
 *	aligned so; 0 for no such rule
 * @anywhere: it does not matter where buffers are, and so their policy does not apply
 */
struct vcm_iova_rules {
	struct rw_semaphore *gate;
	u64 min_align;
	bool anywhere;
};

/**
 * typedef vcm_iova_rules_t - tells the rules for a device
 * @dev: any device
 * @rules: zeroed; to be filled in if the device has any
 *
 * Called when a device becomes known: with the first buffer that is attached to it.
 *
 * Context: Process context, with the lock of all devices of placement.
 */
typedef void (*vcm_iova_rules_t)(struct device *dev,
				 struct vcm_iova_rules *rules);

/* For a module that makes devices of its own which buffers are attached to */
int vcm_iova_set_rules(vcm_iova_rules_t rules);
void vcm_iova_clear_rules(void);
struct vcm_iova_device *vcm_iova_know(struct device *dev);
void vcm_iova_revoke(struct vcm_iova_device *vdev);
struct vcm_iova_device *vcm_iova_get(struct device *dev);
void vcm_iova_put(struct vcm_iova_device *vdev);
void vcm_iova_hold(struct vcm_iova_device *vdev);
void vcm_iova_unhold(struct vcm_iova_device *vdev);
struct dentry *vcm_iova_debugfs_dir(void);

#endif /* _LINUX_VCM_IOVA_H */
