// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping a buffer for a device
 *
 * The one place where buffers meet the DMA API. Behind an IOMMU a buffer gets
 * one range of IOVAs, placed by policy (vcm-slab.c), and its pages are linked
 * to it run by run: a run is what is physically contiguous, and one call of
 * dma_iova_link() for all of it is what lets the IOMMU driver use its largest
 * pages. Two calls for two adjacent 1 MB chunks make 512 entries on VT-d and
 * SMMUv3 where one call makes one.
 *
 * Chunks come sorted by size and each is aligned to its size in memory, so
 * with the range aligned to the largest one every chunk has an IOVA congruent
 * to its physical address modulo its size.
 *
 * Where the DMA API has no IOVAs for a device, the buffer is mapped by
 * dma_map_sgtable() and what came out is compared with the policy.
 *
 * A device may go while buffers are mapped for it, see vcm-gone.c. So all that is
 * done for a mapping is done with its lock, under which it is also revoked.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/scatterlist.h>

#include "vcm-device.h"
#include "vcm-keep.h"
#include "vcm-mapping.h"
#include "vcm-scratch.h"
#include "vcm-slab.h"
#include "vcm-table.h"

#define CREATE_TRACE_POINTS
#include "vcm_iova_trace.h"

/*
 * dma_iova_link() looks after the caches: of each run, before it maps it, so that
 * a device reaches nothing that is older than what the CPU wrote. Not so
 * dma_iova_unlink(), which would go page by page and look each one up: that is done
 * before.
 */
#define VCM_LINK_ATTRS		0
#define VCM_UNLINK_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/*
 * A buffer may be mapped for several devices at once. For dma_map_sgtable() the
 * caches are therefore looked after by sync calls of our own, which the DMA API
 * allows any number of, and not by map and unmap, of which it expects that the
 * memory is mapped once (dma-debug: "cacheline tracking EEXIST").
 */
#define VCM_PLAIN_ATTRS		(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_WARN)

/*
 * Userspace may announce any kind of CPU access at any time. A mapping that
 * the device only writes to would lose what the CPU wrote where "for device"
 * means "invalidate", so there is none: only "the device reads" and "both".
 */
static enum dma_data_direction vcm_map_dir(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/* --- Caches ------------------------------------------------------------ */

/* So many runs are told to the DMA API at a time. */
#define VCM_SYNC_RUNS	16

/**
 * vcm_sync_list - maintain the caches of memory that is mapped
 * @map: the mapping
 * @sgl: the memory, all or a part
 * @nents: entries of that
 * @dir: direction of the DMA
 * @for_device: ... which may follow; or else it is over
 *
 * For a device behind an IOMMU these calls of the DMA API go by the memory in the
 * list alone, whatever DMA addresses are there: so they are right for memory that
 * is linked as well. dma-debug does not know such memory, and is silent about a list
 * whose first address it does not know. Those that take an address do not serve:
 * they are right within one run only, and dma-debug complains.
 *
 * Context: Process context, with &struct vcm_iova_mapping.lock.
 */
VISIBLE_IF_KUNIT void vcm_sync_list(struct vcm_iova_mapping *map,
				    struct scatterlist *sgl, unsigned int nents,
				    enum dma_data_direction dir, bool for_device)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_sync_list, map, sgl, nents, dir, for_device);
	lockdep_assert_held(&map->lock);

	if (for_device)
		dma_sync_sg_for_device(map->vdev->dev, sgl, nents, dir);
	else
		dma_sync_sg_for_cpu(map->vdev->dev, sgl, nents, dir);
}

static void vcm_list_runs(struct scatterlist *sg,
			  const struct vcm_iova_run *run, unsigned int nr)
{
	sg_init_table(sg, nr);
	for (; nr; nr--, sg++, run++)
		sg_set_page(sg, phys_to_page(run->phys), run->len,
			    offset_in_page(run->phys));
}

/* The segments of a run are one for the caches, as they are in vcm_link_runs(). */
static void vcm_sync_runs(struct vcm_iova_mapping *map,
			  enum dma_data_direction dir, bool for_device)
{
	const struct vcm_iova_run *run = map->runs;
	struct scatterlist list[VCM_SYNC_RUNS];
	unsigned long left = map->nr_runs;

	lockdep_assert_held(&map->lock);

	while (left) {
		unsigned int nr = min(left, ARRAY_SIZE(list));

		vcm_list_runs(list, run, nr);
		vcm_sync_list(map, list, nr, dir, for_device);
		run += nr;
		left -= nr;
	}
}

/* What dma_map_sgtable() mapped the DMA API wants to see as it was then. */
static void vcm_sync(struct vcm_iova_mapping *map, enum dma_data_direction dir,
		     bool for_device)
{
	lockdep_assert_held(&map->lock);

	if (map->linked && vcm_table_is_cut(map))
		vcm_sync_runs(map, dir, for_device);
	else
		vcm_sync_list(map, map->table.sgl, map->table.orig_nents, dir,
			      for_device);
}

/*
 * ... and in the direction it was mapped for, unless that was both (dma-debug:
 * "syncs DMA memory with different direction"). For what is linked the caller's
 * direction is the one, as it is for the importers of other heaps.
 */
static enum dma_data_direction vcm_sync_dir(const struct vcm_iova_mapping *map,
					    enum dma_data_direction dir)
{
	return !map->linked && map->dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : dir;
}

/* --- Linking ----------------------------------------------------------- */

static void vcm_unlink_piece(struct vcm_iova_mapping *map,
			     struct vcm_iova_piece *piece, size_t len)
{
	lockdep_assert_held(&map->lock);

	dma_iova_unlink(map->vdev->dev, piece->state, piece->offset, len,
			map->dir, VCM_UNLINK_ATTRS);
}

/* Unlink the first @len bytes. The IOTLB has forgotten them on return. */
static void vcm_unlink(struct vcm_iova_mapping *map, size_t len)
{
	struct vcm_iova_piece *piece = map->pieces;

	lockdep_assert_held(&map->lock);

	for (; len; piece++) {
		size_t part = min(len, piece->len);

		vcm_unlink_piece(map, piece, part);
		len -= part;
	}
}

/**
 * struct vcm_link - where linking has come to
 * @piece: the piece that the next run begins in
 * @offset: ... and where in that
 * @done: bytes that are linked
 */
struct vcm_link {
	struct vcm_iova_piece *piece;
	size_t offset;
	size_t done;
};

/* Inline for the sake of buffers of many runs */
static __always_inline int vcm_link_run(struct vcm_iova_mapping *map,
					struct vcm_link *link,
					phys_addr_t phys, size_t len,
					enum dma_data_direction dir)
{
	lockdep_assert_held(&map->lock);

	while (len) {
		struct vcm_iova_piece *piece = link->piece;
		size_t part = min(len, piece->len - link->offset);
		int ret;

		ret = dma_iova_link(map->vdev->dev, piece->state, phys,
				    piece->offset + link->offset, part,
				    dir, VCM_LINK_ATTRS);
		if (ret)
			return ret;
		phys += part;
		len -= part;
		link->done += part;
		link->offset += part;
		if (link->offset == piece->len) {
			link->piece++;
			link->offset = 0;
		}
	}
	return 0;
}

static __always_inline int vcm_link_runs(struct vcm_iova_mapping *map,
					 struct vcm_link *link)
{
	const struct vcm_iova_run *run = map->runs;
	unsigned long nr = map->nr_runs;
	int ret = 0;

	lockdep_assert_held(&map->lock);

	for (; nr && !ret; nr--, run++)
		ret = vcm_link_run(map, link, run->phys, run->len, map->dir);
	return ret;
}

/* @len bytes of zeroes, the same ones again and again, which no device can change */
static noinline int vcm_link_zeroes(struct vcm_iova_mapping *map,
				    struct vcm_link *link, size_t len)
{
	int ret = 0;

	lockdep_assert_held(&map->lock);

	while (len && !ret) {
		size_t part = min_t(size_t, len, VCM_SCRATCH_SIZE);

		ret = vcm_link_run(map, link, vcm_scratch_phys(), part,
				   DMA_TO_DEVICE);
		len -= part;
	}
	return ret;
}

static int vcm_link_sync(struct vcm_iova_mapping *map)
{
	struct vcm_iova_piece *piece = map->pieces;
	unsigned int nr = map->nr_pieces;
	int ret = 0;

	lockdep_assert_held(&map->lock);

	for (; nr && !ret; nr--, piece++)
		ret = dma_iova_sync(map->vdev->dev, piece->state,
				    piece->offset, piece->len);
	return ret;
}

/* One run in one piece */
static __always_inline int vcm_link_one(struct vcm_iova_mapping *map)
{
	struct vcm_iova_piece *piece = map->pieces;
	struct device *dev = map->vdev->dev;
	int ret;

	lockdep_assert_held(&map->lock);

	ret = dma_iova_link(dev, piece->state, map->runs->phys, piece->offset,
			    piece->len, map->dir, VCM_LINK_ATTRS);
	if (unlikely(ret))
		return ret;
	ret = dma_iova_sync(dev, piece->state, piece->offset, piece->len);
	if (unlikely(ret))
		vcm_unlink_piece(map, piece, piece->len);
	return ret;
}

/* With zeroes before and behind */
static noinline int vcm_link_guarded(struct vcm_iova_mapping *map)
{
	struct vcm_link link = { .piece = map->pieces };
	int ret;

	lockdep_assert_held(&map->lock);

	ret = vcm_link_zeroes(map, &link, map->guard_before);
	if (!ret)
		ret = vcm_link_runs(map, &link);
	if (!ret)
		ret = vcm_link_zeroes(map, &link, map->guard);
	if (!ret)
		ret = vcm_link_sync(map);
	if (ret)
		vcm_unlink(map, link.done);
	return ret;
}

static int vcm_link(struct vcm_iova_mapping *map)
{
	struct vcm_link link = { .piece = map->pieces };
	int ret;

	lockdep_assert_held(&map->lock);

	ret = vcm_link_runs(map, &link);
	if (likely(!ret))
		ret = vcm_link_sync(map);
	if (unlikely(ret))
		vcm_unlink(map, link.done);
	return ret;
}

static void vcm_gate_enter(const struct vcm_iova_device *vdev)
{
	if (vdev->rules.gate)
		down_read(vdev->rules.gate);
}

static void vcm_gate_leave(const struct vcm_iova_device *vdev)
{
	if (vdev->rules.gate)
		up_read(vdev->rules.gate);
}

/* Inline for who maps; others have vcm_map_linked_again(). */
static __always_inline int vcm_map_linked(struct vcm_iova_mapping *map)
{
	int ret;

	lockdep_assert_held(&map->lock);

	ret = vcm_place(map);
	if (ret)
		return ret;

	vcm_gate_enter(map->vdev);
	if (unlikely(map->scratch))
		ret = vcm_link_guarded(map);
	else if (map->nr_runs == 1 && map->nr_pieces == 1)
		ret = vcm_link_one(map);
	else
		ret = vcm_link(map);
	vcm_gate_leave(map->vdev);
	if (ret)
		goto unplace;

	vcm_table_set_range(map);
	map->degraded = false;
	trace_vcm_iova_link(map);
	return 0;

unplace:
	vcm_unplace(map);
	return ret;
}

static __always_inline void vcm_unmap_linked(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	trace_vcm_iova_unlink(map);
	vcm_gate_enter(map->vdev);
	if (likely(map->nr_pieces == 1))
		vcm_unlink_piece(map, map->pieces, map->pieces->len);
	else
		vcm_unlink(map, vcm_linked_len(map));
	vcm_gate_leave(map->vdev);
	vcm_unplace(map);
}

/* --- The plain DMA API ------------------------------------------------- */

/*
 * Can @sg be bounced? dma_max_mapping_size() is what can be at once, or
 * everything if there is nothing to bounce with. Bounce buffers are in the
 * first 4 GB, and not necessarily further down.
 */
static bool vcm_sg_bounceable(struct device *dev, struct scatterlist *sg,
			      u64 last)
{
	size_t max = dma_max_mapping_size(dev);

	return max != SIZE_MAX && sg->length <= max &&
	       last >= DMA_BIT_MASK(32);
}

/* Is everything bounced, reachable or not (swiotlb=force)? */
static bool vcm_bounce_forced(struct device *dev)
{
	return !dma_addressing_limited(dev) &&
	       dma_max_mapping_size(dev) != SIZE_MAX;
}

/*
 * Memory beyond a device's reach that nothing can bounce makes the DMA API
 * warn in the log, which is not for whoever passes a buffer to a driver to
 * cause.
 */
static bool vcm_sgt_reachable(struct device *dev, struct sg_table *sgt)
{
	u64 last = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	bool forced = vcm_bounce_forced(dev);
	struct scatterlist *sg;
	int i;

	/* With an offset between bus and memory only the DMA API can tell. */
	if (dev->dma_range_map || (!dma_addressing_limited(dev) && !forced))
		return true;

	for_each_sgtable_sg(sgt, sg, i)
		if ((forced || sg_phys(sg) + sg->length - 1 > last) &&
		    !vcm_sg_bounceable(dev, sg, last))
			return false;
	return true;
}

/*
 * Is @sg, mapped without an IOMMU, in a bounce buffer? What a coherent device
 * needs a sync for can only be there. For others every sync is needed, but the
 * address is that of the memory, unless the bus has another view of that.
 */
static bool vcm_sg_bounced(struct device *dev, struct scatterlist *sg)
{
	if (dev_is_dma_coherent(dev))
		return dma_need_sync(dev, sg_dma_address(sg));
	return !dev->dma_range_map && sg_dma_address(sg) != sg_phys(sg);
}

static bool vcm_sgt_bounced(const struct vcm_iova_device *vdev,
			    struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	if (sg_dma_is_swiotlb(sgt->sgl))
		return true;
	if (vdev->translated)
		return false;

	for_each_sgtable_dma_sg(sgt, sg, i)
		if (vcm_sg_bounced(vdev->dev, sg))
			return true;
	return false;
}

static bool vcm_sgt_one_range(struct sg_table *sgt)
{
	u64 next = sg_dma_address(sgt->sgl);
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_address(sg) != next)
			return false;
		next += sg_dma_len(sg);
	}
	return true;
}

static bool vcm_plain_keeps_policy(struct vcm_iova_mapping *map)
{
	return !map->guard && !map->guard_before && !map->astray &&
	       IS_ALIGNED(map->iova, map->align) &&
	       vcm_sgt_one_range(&map->table) &&
	       !vcm_sgt_bounced(map->vdev, &map->table);
}

static void vcm_unmap_plain(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	vcm_gate_enter(map->vdev);
	dma_unmap_sgtable(map->vdev->dev, &map->table, map->dir, VCM_PLAIN_ATTRS);
	vcm_gate_leave(map->vdev);
}

static int vcm_map_plain(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;
	int ret;

	lockdep_assert_held(&map->lock);

	if (!vdev->translated && !vcm_sgt_reachable(vdev->dev, &map->table))
		return -EIO;

	vcm_gate_enter(vdev);
	ret = dma_map_sgtable(vdev->dev, &map->table, map->dir, VCM_PLAIN_ATTRS);
	vcm_gate_leave(vdev);
	if (ret)
		return ret;

	map->iova = sg_dma_address(map->table.sgl);
	map->align = map->wide_align;
	map->segs = map->table.nents;
	map->degraded = !vcm_plain_keeps_policy(map);
	if (map->strict && map->degraded)
		goto unmap;
	if (map->degraded)
		atomic_long_inc(&vdev->nr_degraded);
	vcm_sync(map, map->dir, true);
	return 0;

unmap:
	vcm_unmap_plain(map);
	atomic_long_inc(&vdev->nr_refused);
	return -EOPNOTSUPP;
}

/* --- Keeping ----------------------------------------------------------- */

static void vcm_undo_map(struct vcm_iova_mapping *map);

static noinline int vcm_map_linked_again(struct vcm_iova_mapping *map)
{
	return vcm_map_linked(map);
}

/* Undo what is kept and was unmapped first; false if there is nothing. */
static bool vcm_evict(struct vcm_iova_device *vdev)
{
	struct vcm_iova_mapping *map;

	mutex_lock(&vdev->keep_lock);
	map = vcm_keep_oldest(vdev);
	if (map) {
		vcm_undo_map(map);
		mutex_unlock(&map->lock);
	}
	mutex_unlock(&vdev->keep_lock);
	return map;
}

/* Somebody needs the room. */
static noinline int vcm_map_evicting(struct vcm_iova_mapping *map)
{
	int ret = -ENOSPC;

	lockdep_assert_held(&map->lock);

	while (ret == -ENOSPC && vcm_evict(map->vdev))
		ret = vcm_map_linked_again(map);
	return ret;
}

/*
 * There is to be no more than the budget, if it can be had. What is more than that
 * itself is not kept, and nothing goes for it.
 */
static void vcm_keep_begin(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	if (!vcm_keep_fits(map))
		return;
	while (vcm_keep_crowded(map->vdev, map->need) && vcm_evict(map->vdev))
		;
	vcm_keep_add(map);
}

/* What most mappings have not */
static noinline void vcm_map_special(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	if (map->linked && map->astray) {
		map->degraded = true;
		atomic_long_inc(&map->vdev->nr_degraded);
	}
	if (map->keep)
		vcm_keep_begin(map);
}

/* Leave everything as it is for the next time, if that is allowed. */
static noinline bool vcm_do_keep(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	if (!vcm_keep_possible(map))
		return false;
	if (map->needs_sync)
		vcm_sync(map, map->dir, false);
	return true;
}

/* Would it come out the same? */
static bool vcm_kept_serves(const struct vcm_iova_mapping *map,
			    enum dma_data_direction dir)
{
	struct device *dev = map->vdev->dev;

	return map->dir == vcm_map_dir(dir) &&
	       map->iova + map->len - 1 <= vcm_dma_limit(dev) &&
	       dma_get_max_seg_size(dev) == map->max_seg_size &&
	       dma_get_seg_boundary(dev) == map->limits.boundary;
}

/* Have what was kept, or undo it and return false. */
static noinline bool vcm_do_revive(struct vcm_iova_mapping *map,
				   enum dma_data_direction dir)
{
	lockdep_assert_held(&map->lock);

	if (!vcm_kept_serves(map, dir)) {
		vcm_undo_map(map);
		return false;
	}
	if (map->needs_sync)
		vcm_sync(map, map->dir, true);
	map->table.nents = map->segs;
	map->mapped = true;
	return true;
}

/* --- With the device there --------------------------------------------- */

static int vcm_do_map(struct vcm_iova_mapping *map)
{
	int ret;

	lockdep_assert_held(&map->lock);

	ret = vcm_table_update(map);
	if (ret)
		return ret;
	ret = likely(map->linked) ? vcm_map_linked(map) : vcm_map_plain(map);
	if (unlikely(ret) && ret == -ENOSPC && map->linked)
		ret = vcm_map_evicting(map);
	if (ret) {
		map->table.nents = map->table.orig_nents;
		return ret;
	}
	map->live = true;
	map->mapped = true;
	if (unlikely(map->special))
		vcm_map_special(map);
	if (unlikely(vcm_device_is(map->vdev, VCM_DEVICE_UNOWNED)))
		vcm_device_add_live(map->vdev, map);
	return 0;
}

static void vcm_set_dead(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	if (unlikely(vcm_device_is(map->vdev, VCM_DEVICE_UNOWNED)))
		vcm_device_del_live(map->vdev, map);
	if (unlikely(map->special) && map->keep)
		vcm_keep_del(map);
	map->live = false;
}

/* Inline for who unmaps; others have vcm_undo_map(). */
static __always_inline void vcm_do_unmap(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	vcm_set_dead(map);
	if (map->needs_sync)
		vcm_sync(map, map->dir, false);
	if (likely(map->linked))
		vcm_unmap_linked(map);
	else
		vcm_unmap_plain(map);
}

static noinline void vcm_undo_map(struct vcm_iova_mapping *map)
{
	vcm_do_unmap(map);
}

/* The domain is lost, and there is nothing to undo but what is kept here. */
static void vcm_do_forget(struct vcm_iova_mapping *map)
{
	lockdep_assert_held(&map->lock);

	vcm_set_dead(map);
	if (map->linked)
		vcm_unplace(map);
}

/**
 * vcm_mappings_revoke - undo what the importers of a device have not undone
 * @vdev: the device, which has gone
 * @lost: its domain is lost
 *
 * Nothing can be mapped any more.
 *
 * Context: Process context, may sleep.
 */
void vcm_mappings_revoke(struct vcm_iova_device *vdev, bool lost)
{
	struct vcm_iova_mapping *map;

	mutex_lock(&vdev->mappings_lock);
	if (lost && !vcm_device_is(vdev, VCM_DEVICE_DEAD))
		set_bit(VCM_DEVICE_LOST, &vdev->special);
	set_bit(VCM_DEVICE_DEAD, &vdev->special);
	hlist_for_each_entry(map, &vdev->mappings, node) {
		mutex_lock(&map->lock);
		if (map->live && vcm_device_lost(vdev))
			vcm_do_forget(map);
		else if (map->live)
			vcm_undo_map(map);
		mutex_unlock(&map->lock);
	}
	mutex_unlock(&vdev->mappings_lock);
}

/* Is the device gone? That its domain has been replaced is noticed only here. */
static bool vcm_mapping_dead(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;

	lockdep_assert_held(&map->lock);

	if (vcm_device_is(vdev, VCM_DEVICE_DEAD))
		return true;
	if (!vcm_device_is(vdev, VCM_DEVICE_UNOWNED) ||
	    !vcm_device_replaced(vdev))
		return false;

	mutex_unlock(&map->lock);
	vcm_device_forget(vdev);
	vcm_mappings_revoke(vdev, true);
	mutex_lock(&map->lock);
	return true;
}

static noinline int vcm_mapping_enter_special(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;

	lockdep_assert_held(&map->lock);

	/* Who holds the device waits for our lock, and not the other way round. */
	while (vcm_device_is(vdev, VCM_DEVICE_HELD)) {
		mutex_unlock(&map->lock);
		down_read(&vdev->hold);
		up_read(&vdev->hold);
		mutex_lock(&map->lock);
	}
	return vcm_mapping_dead(map) ? -ENODEV : 0;
}

/*
 * Have the mapping to oneself. Returns -ENODEV if its device has gone, and then
 * there is nothing to do with it.
 */
static __always_inline int vcm_mapping_enter(struct vcm_iova_mapping *map)
{
	mutex_lock(&map->lock);
	if (likely(!READ_ONCE(map->vdev->special)))
		return 0;
	return vcm_mapping_enter_special(map);
}

static void vcm_mapping_leave(struct vcm_iova_mapping *map)
{
	mutex_unlock(&map->lock);
}

/* --- For exporters ----------------------------------------------------- */

/**
 * vcm_iova_policy_check - is a policy possible on any device
 * @policy: the policy
 *
 * Context: Any.
 * Return: 0, -EOPNOTSUPP (unknown flag), -EDOM (alignment no power of two,
 *	below the page size or larger than any address space), -ERANGE (guard
 *	larger than any address space, or guards of zeroes larger than
 *	VCM_IOVA_SCRATCH_MAX).
 */
int vcm_iova_policy_check(const struct vcm_iova_policy *policy)
{
	u64 most = policy->flags & VCM_IOVA_SCRATCH ? VCM_IOVA_SCRATCH_MAX :
						      VCM_IOVA_SPACE_MAX;

	u64 asked = policy->flags | policy->align | policy->guard |
		    policy->guard_before;

	if (likely(!asked))
		return 0;
	if (policy->flags & ~VCM_IOVA_FLAGS)
		return -EOPNOTSUPP;
	if (policy->align && (policy->align & (policy->align - 1) ||
			      policy->align < PAGE_SIZE ||
			      policy->align > VCM_IOVA_SPACE_MAX))
		return -EDOM;
	if (policy->guard > most || policy->guard_before > most)
		return -ERANGE;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_policy_check, "VCM_IOVA");

/**
 * vcm_mapping_attach - vcm_iova_attach() for a device that is known
 * @map: filled in
 * @vdev: the device, whose reference goes with the mapping, or now on failure
 * @memory: what the buffer is made of
 * @policy: where it is to be mapped
 * @gfp: what a table is allocated with
 *
 * Context: Process context, may sleep.
 * Return: as vcm_iova_attach().
 */
VISIBLE_IF_KUNIT int vcm_mapping_attach(struct vcm_iova_mapping *map,
					struct vcm_iova_device *vdev,
					const struct vcm_iova_memory *memory,
					const struct vcm_iova_policy *policy,
					gfp_t gfp)
{
	int ret = -EADDRNOTAVAIL;

	if (vcm_device_is(vdev, VCM_DEVICE_WINDOWLESS))
		goto put_device;
	ret = -EINVAL;
	if (vcm_iova_policy_check(policy))
		goto put_device;

	map->vdev = vdev;
	map->translated = vdev->translated;
	map->linked = vdev->linked;
	map->needs_sync = !vdev->linked || !vdev->coherent;
	map->runs = memory->runs;
	map->nr_runs = memory->nr_runs;
	map->len = memory->len;
	map->gfp = gfp;
	map->mapped = false;
	map->live = false;
	map->taken = 0;
	map->alone = 0;
	map->range = NULL;
	map->iova = 0;
	if (unlikely(policy->flags & VCM_IOVA_SCRATCH)) {
		ret = vcm_scratch_need();
		if (ret)
			goto put_device;
	}
	ret = vcm_table_init(map);
	if (ret)
		goto put_device;

	vcm_place_init(map, policy);
	mutex_init(&map->lock);
	vcm_device_add_mapping(vdev, map);
	return 0;

put_device:
	vcm_iova_put(vdev);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_mapping_attach);

/**
 * vcm_iova_attach - attach a buffer to a device
 * @map: filled in for the importer and for the other calls
 * @dev: the device that will do the DMA; its segment limits are set
 * @memory: what the buffer is made of; the runs stay until vcm_iova_detach()
 * @policy: where it is to be mapped
 * @gfp: what a table is allocated with
 *
 * If @dev goes, unbound from its driver or deleted, all that is mapped for it is
 * undone, and nothing is mapped any more.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL (bad policy, or no memory at all), -ENOMEM, -ENODEV (@dev was
 *	deleted), or -EADDRNOTAVAIL (an administrator wants windows for @dev that it
 *	does not have, because they are impossible or @dev has not been bound since).
 */
int vcm_iova_attach(struct vcm_iova_mapping *map, struct device *dev,
		    const struct vcm_iova_memory *memory,
		    const struct vcm_iova_policy *policy, gfp_t gfp)
{
	struct vcm_iova_device *vdev = vcm_iova_get(dev);

	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	return vcm_mapping_attach(map, vdev, memory, policy, gfp);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_attach, "VCM_IOVA");

/**
 * vcm_iova_detach - undo vcm_iova_attach()
 * @map: the buffer, not mapped
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_detach(struct vcm_iova_mapping *map)
{
	/* An importer's bug, but its device must not keep the memory. */
	if (WARN_ON(map->mapped))
		vcm_iova_unmap(map);
	if (unlikely(map->keep)) {
		vcm_iova_drop(map);
		vcm_keep_settle(map);
	}
	vcm_device_del_mapping(map->vdev, map);
	mutex_destroy(&map->lock);
	vcm_table_free(map);
	vcm_iova_put(map->vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_detach, "VCM_IOVA");

/**
 * vcm_iova_map - map a buffer for its device by its policy
 * @map: the buffer, attached
 * @dir: direction of the DMA
 *
 * On success the DMA addresses of the table are valid for the device and the caches
 * are as it needs them. Behind an IOMMU the segments are adjacent: one range of
 * IOVAs, from an address that is a multiple of the alignment.
 *
 * Context: Process context, may sleep.
 * Return: 0, or, with nothing reserved:
 *	-EINVAL (bad direction, device without DMA mask),
 *	-EBUSY (it is mapped already),
 *	-ENOSPC (no room in the device's address space),
 *	-ENOMEM (no memory, page tables included),
 *	-EOPNOTSUPP (VCM_IOVA_STRICT, and the policy cannot hold),
 *	-EIO (memory beyond the device's reach),
 *	-ENODEV (the device has gone since vcm_iova_attach(), or is a space whose
 *	parent is gone),
 *	or another error of dma_map_sgtable().
 */
int vcm_iova_map(struct vcm_iova_mapping *map, enum dma_data_direction dir)
{
	int ret;

	/* The DMA API would stop the kernel, or warn; an importer may be wrong. */
	if (!valid_dma_direction(dir))
		return -EINVAL;

	/* Nothing is to be looked at in a device that has gone. */
	ret = vcm_mapping_enter(map);
	if (unlikely(ret))
		goto leave;
	if (unlikely(map->mapped || !map->vdev->dev->dma_mask)) {
		ret = map->mapped ? -EBUSY : -EINVAL;
		goto leave;
	}

	if (unlikely(map->live) && vcm_do_revive(map, dir))
		goto leave;
	map->dir = vcm_map_dir(dir);
	ret = vcm_do_map(map);
leave:
	vcm_mapping_leave(map);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_map, "VCM_IOVA");

/**
 * vcm_iova_unmap - undo vcm_iova_map()
 * @map: the buffer, mapped
 *
 * The device can reach nothing of the buffer any more when this returns, unless the
 * policy has VCM_IOVA_KEEP. Then it may reach all of it until vcm_iova_drop(),
 * vcm_iova_detach(), until it goes or somebody needs the room. It can reach nothing
 * already if it has gone meanwhile, and then all that is left to do is here.
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_unmap(struct vcm_iova_mapping *map)
{
	int ret = vcm_mapping_enter(map);

	if (WARN_ON(!map->mapped))
		goto leave;
	if (likely(!ret) && likely(!map->keep || !vcm_do_keep(map)))
		vcm_do_unmap(map);
	map->mapped = false;
	map->table.nents = map->table.orig_nents;
leave:
	vcm_mapping_leave(map);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_unmap, "VCM_IOVA");

/**
 * vcm_iova_drop - undo what is kept of a mapping
 * @map: the buffer, attached; if it is mapped, or nothing is kept, there is nothing to do
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_drop(struct vcm_iova_mapping *map)
{
	if (!vcm_mapping_enter(map) && map->live && !map->mapped)
		vcm_undo_map(map);
	vcm_mapping_leave(map);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_drop, "VCM_IOVA");

/**
 * vcm_iova_drop_all - undo all that is kept for a device
 * @dev: the device
 *
 * For a driver that is about to lend its device to somebody else, for example. What is
 * mapped stays, and is kept again when it is unmapped.
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_drop_all(struct device *dev)
{
	struct vcm_iova_device *vdev = vcm_iova_get(dev);

	if (IS_ERR(vdev))
		return;
	vcm_mappings_drop(vdev, NULL);
	vcm_iova_put(vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_drop_all, "VCM_IOVA");

/**
 * vcm_mappings_drop - undo all that is kept for a device
 * @vdev: the device
 * @unused: not looked at
 *
 * Where the domain has been replaced, that is noticed by the next who maps or unmaps.
 *
 * Context: Process context, may sleep.
 */
void vcm_mappings_drop(struct vcm_iova_device *vdev, void *unused)
{
	down_read(&vdev->hold);
	if (!vcm_device_is(vdev, VCM_DEVICE_UNOWNED) ||
	    !vcm_device_replaced(vdev))
		while (vcm_evict(vdev))
			;
	up_read(&vdev->hold);
}

static void vcm_mapping_sync(struct vcm_iova_mapping *map,
			     enum dma_data_direction dir, bool for_device)
{
	if (!vcm_mapping_enter(map) && map->live && map->mapped)
		vcm_sync(map, vcm_sync_dir(map, dir), for_device);
	vcm_mapping_leave(map);
}

/**
 * vcm_iova_sync_for_cpu - before the CPU accesses a buffer
 * @map: the buffer, attached; if it is not mapped there is nothing to do
 * @dir: what the CPU is going to do, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_sync_for_cpu(struct vcm_iova_mapping *map,
			   enum dma_data_direction dir)
{
	if (map->needs_sync)
		vcm_mapping_sync(map, dir, false);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_sync_for_cpu, "VCM_IOVA");

/**
 * vcm_iova_sync_for_device - after the CPU accessed a buffer
 * @map: the buffer, attached; if it is not mapped there is nothing to do
 * @dir: what the CPU did, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_sync_for_device(struct vcm_iova_mapping *map,
			      enum dma_data_direction dir)
{
	if (map->needs_sync)
		vcm_mapping_sync(map, dir, true);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_sync_for_device, "VCM_IOVA");

/**
 * vcm_iova_get_info - how is a buffer mapped
 * @map: the buffer, attached
 * @info: filled in if it is mapped
 *
 * Nothing is mapped for a device that has gone, whether or not its importer has noticed.
 *
 * Context: Process context, may sleep.
 * Return: whether it is mapped.
 */
bool vcm_iova_get_info(struct vcm_iova_mapping *map, struct vcm_iova_info *info)
{
	bool mapped;

	mutex_lock(&map->lock);
	mapped = map->mapped && map->live;
	if (mapped)
		*info = (struct vcm_iova_info){
			.iova = map->iova,
			.align = map->align,
			.guard = map->guard,
			.guard_before = map->guard_before,
			.segs = map->segs,
			.degraded = map->degraded,
		};
	mutex_unlock(&map->lock);
	return mapped;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_get_info, "VCM_IOVA");
