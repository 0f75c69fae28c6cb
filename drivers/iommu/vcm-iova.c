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
 * A device may go while buffers are mapped for it, see vcm-device.c. So all
 * that is done here is done with the device known to be there.
 */

#include <kunit/static_stub.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "vcm-iova.h"

#define CREATE_TRACE_POINTS
#include "vcm_iova_trace.h"

/*
 * A buffer may be mapped for several devices at once. The caches are therefore
 * looked after by sync calls of our own, which the DMA API allows any number
 * of, and not by map and unmap, of which it expects that the memory is mapped
 * once (dma-debug: "cacheline tracking EEXIST").
 */
#define VCM_DMA_ATTRS	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_WARN)

/*
 * Userspace may announce any kind of CPU access at any time. A mapping that
 * the device only writes to would lose what the CPU wrote where "for device"
 * means "invalidate", so there is none: only "the device reads" and "both".
 */
static enum dma_data_direction vcm_map_dir(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/* The DMA API takes a direction that differs only for a mapping of both. */
static enum dma_data_direction vcm_sync_dir(const struct vcm_iova_mapping *map,
					    enum dma_data_direction dir)
{
	return map->dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : dir;
}

/* --- The table --------------------------------------------------------- */

static size_t vcm_sgt_len(struct sg_table *sgt)
{
	struct scatterlist *sg;
	size_t len = 0;
	int i;

	for_each_sgtable_sg(sgt, sg, i)
		len += sg->length;
	return len;
}

/* Length of the physically contiguous run that begins with *@sg; the next. */
static size_t vcm_sgt_next_run(struct scatterlist **sg)
{
	phys_addr_t end = sg_phys(*sg);
	size_t len = 0;

	do {
		len += (*sg)->length;
		end += (*sg)->length;
		*sg = sg_next(*sg);
	} while (*sg && sg_phys(*sg) == end);
	return len;
}

/*
 * The largest chunk that the head of the table could be, by its length and by
 * where it is. A few sizes only: the allocator is fast for a few alignments.
 */
static u64 vcm_sgt_align(struct sg_table *sgt)
{
	static const u64 sizes[] = { VCM_IOVA_ALIGN_MAX, SZ_1M, SZ_64K };
	struct scatterlist *sg = sgt->sgl;
	phys_addr_t phys = sg_phys(sg);
	size_t len = vcm_sgt_next_run(&sg);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (len >= sizes[i] && IS_ALIGNED(phys, sizes[i]) &&
		    sizes[i] > PAGE_SIZE)
			return sizes[i];
	return PAGE_SIZE;
}

/*
 * Where room is scarce, a 2 MB block counts as a pair of 1 MB blocks if 2 MB
 * alignment would cost more than this part of the buffer: buffers of 3 MB would
 * leave a quarter of the address space unused.
 */
#define VCM_ALIGN_WASTE		20
#define VCM_ALIGN_TIGHT		((u64)SZ_1M)

static u64 vcm_default_align(const struct vcm_iova_device *vdev,
			     struct sg_table *sgt, u64 len)
{
	u64 align = vcm_sgt_align(sgt);

	if (align > VCM_ALIGN_TIGHT && vcm_dma_narrow(vdev->dev) &&
	    ALIGN(len, align) - len > len / VCM_ALIGN_WASTE)
		return max(VCM_ALIGN_TIGHT, min(align, vdev->rules.min_align));
	return align;
}

/* How much of @len bytes at @iova can be one segment for @vdev. */
static size_t vcm_segment_len(const struct vcm_iova_device *vdev, u64 iova,
			      size_t len)
{
	size_t max = dma_get_max_seg_size(vdev->dev);
	u64 boundary = vcm_dma_boundary(vdev->dev);

	if (max > PAGE_SIZE)
		max = ALIGN_DOWN(max, PAGE_SIZE);
	len = min(len, max);
	if (boundary)
		len = min_t(u64, len, boundary - (iova & (boundary - 1)));
	return len;
}

/*
 * Hand the range to the importer. That takes no more segments than the table
 * has, since the table's own are no longer than the device allows, see
 * vcm_iova_map().
 */
static int vcm_sgt_set_range(const struct vcm_iova_device *vdev,
			     struct sg_table *sgt, struct vcm_iova_mapping *map)
{
	struct scatterlist *sg = sgt->sgl;
	u64 iova = map->iova;
	size_t left = map->len;
	unsigned int nents = 0;

	for (; left; sg = sg_next(sg)) {
		size_t len = vcm_segment_len(vdev, iova, left);

		/* Longer than the device's limits were at attach: they changed. */
		if (WARN_ON_ONCE(!sg))
			return -EINVAL;
		sg_dma_address(sg) = iova;
		sg_dma_len(sg) = len;
		iova += len;
		left -= len;
		nents++;
	}
	/* Some importers look for the end of the list here. */
	for (; sg; sg = sg_next(sg))
		sg_dma_len(sg) = 0;
	sgt->nents = nents;
	map->segs = nents;
	return 0;
}

/* --- Linking ----------------------------------------------------------- */

/**
 * struct vcm_piece - the part of a range of IOVAs that one reservation is for
 * @state: the reservation
 * @slab: ... is this one's, or NULL if it is the mapping's own
 * @offset: of the piece in it
 * @len: bytes
 */
struct vcm_piece {
	struct dma_iova_state *state;
	struct vcm_slab *slab;
	size_t offset;
	size_t len;
};

static struct vcm_piece vcm_piece_first(struct vcm_iova_mapping *map)
{
	struct vcm_piece piece = {
		.state = &map->own,
		.slab = map->slab,
		.len = map->len,
	};

	if (piece.slab) {
		piece.state = &piece.slab->state;
		piece.offset = map->iova - vcm_slab_start(piece.slab);
		piece.len = vcm_slab_len(piece.slab) - piece.offset;
	}
	return piece;
}

/* The slab of @piece is followed by another that the mapping is in. */
static void vcm_piece_next(struct vcm_piece *piece)
{
	piece->slab = list_next_entry(piece->slab, by_addr);
	piece->state = &piece->slab->state;
	piece->offset = 0;
	piece->len = vcm_slab_len(piece->slab);
}

/* How much of the next @len bytes is in one piece, which is *@piece then. */
static size_t vcm_piece_cut(struct vcm_piece *piece, size_t len)
{
	if (!piece->len)
		vcm_piece_next(piece);
	return min(len, piece->len);
}

static void vcm_piece_skip(struct vcm_piece *piece, size_t len)
{
	piece->offset += len;
	piece->len -= len;
}

/*
 * Link @len bytes at @phys behind the *@done bytes that were linked; @piece is
 * where they end.
 */
static int vcm_link_run(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map,
			phys_addr_t phys, size_t len, size_t *done,
			struct vcm_piece *piece)
{
	while (len) {
		size_t part = vcm_piece_cut(piece, len);
		int ret;

		ret = dma_iova_link(vdev->dev, piece->state, phys,
				    piece->offset, part, map->dir, map->attrs);
		if (ret)
			return ret;
		vcm_piece_skip(piece, part);
		*done += part;
		phys += part;
		len -= part;
	}
	return 0;
}

/* Unlink the first @len bytes. The IOTLB has forgotten them on return. */
static void vcm_unlink(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map,
		       size_t len)
{
	struct vcm_piece piece = vcm_piece_first(map);

	while (len) {
		size_t part = vcm_piece_cut(&piece, len);

		dma_iova_unlink(vdev->dev, piece.state, piece.offset, part,
				map->dir, map->attrs);
		vcm_piece_skip(&piece, part);
		len -= part;
	}
}

static int vcm_link_sync(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map)
{
	struct vcm_piece piece = vcm_piece_first(map);
	size_t left = map->len;

	while (left) {
		size_t part = vcm_piece_cut(&piece, left);
		int ret;

		ret = dma_iova_sync(vdev->dev, piece.state, piece.offset, part);
		if (ret)
			return ret;
		vcm_piece_skip(&piece, part);
		left -= part;
	}
	return 0;
}

static int vcm_link(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    struct vcm_iova_mapping *map)
{
	struct vcm_piece piece = vcm_piece_first(map);
	struct scatterlist *sg = sgt->sgl;
	unsigned long runs = 0;
	size_t done = 0;
	int ret;

	while (sg) {
		phys_addr_t phys = sg_phys(sg);
		size_t len = vcm_sgt_next_run(&sg);

		ret = vcm_link_run(vdev, map, phys, len, &done, &piece);
		if (ret)
			goto unlink;
		runs++;
	}

	ret = vcm_link_sync(vdev, map);
	if (ret)
		goto unlink;

	ret = vcm_sgt_set_range(vdev, sgt, map);
	if (ret)
		goto unlink;
	trace_vcm_iova_link(vdev, map, runs);
	return 0;

unlink:
	vcm_unlink(vdev, map, done);
	sgt->nents = sgt->orig_nents;
	return ret;
}

static void vcm_gate_enter(struct vcm_iova_device *vdev)
{
	if (vdev->rules.gate)
		down_read(vdev->rules.gate);
}

static void vcm_gate_leave(struct vcm_iova_device *vdev)
{
	if (vdev->rules.gate)
		up_read(vdev->rules.gate);
}

static int vcm_map_linked(struct vcm_iova_device *vdev, struct sg_table *sgt,
			  struct vcm_iova_mapping *map)
{
	int ret;

	ret = vcm_place(vdev, map);
	if (ret)
		return ret;

	vcm_gate_enter(vdev);
	ret = vcm_link(vdev, sgt, map);
	vcm_gate_leave(vdev);
	if (ret)
		goto unplace;
	vcm_mapping_list(vdev, map);
	return 0;

unplace:
	vcm_unplace(vdev, map);
	return ret;
}

static void vcm_unmap_linked(struct vcm_iova_device *vdev,
			     struct vcm_iova_mapping *map)
{
	trace_vcm_iova_unlink(vdev, map);
	vcm_gate_enter(vdev);
	vcm_unlink(vdev, map, map->len);
	vcm_gate_leave(vdev);
	vcm_mapping_unlist(vdev, map);
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

static bool vcm_sgt_keeps_policy(const struct vcm_iova_device *vdev,
				 struct sg_table *sgt,
				 const struct vcm_iova_mapping *map)
{
	return !map->guard && IS_ALIGNED(map->iova, map->align) &&
	       vcm_sgt_one_range(sgt) && !vcm_sgt_bounced(vdev, sgt);
}

static void vcm_count_refused(struct vcm_iova_device *vdev)
{
	mutex_lock(&vdev->lock);
	vdev->nr_refused++;
	mutex_unlock(&vdev->lock);
}

static void vcm_unmap_pages(struct vcm_iova_device *vdev, struct sg_table *sgt,
			    const struct vcm_iova_mapping *map)
{
	vcm_gate_enter(vdev);
	dma_unmap_sgtable(vdev->dev, sgt, map->dir, map->attrs);
	vcm_gate_leave(vdev);
}

static int vcm_map_plain(struct vcm_iova_device *vdev, struct sg_table *sgt,
			 bool strict, struct vcm_iova_mapping *map)
{
	int ret;

	if (!vdev->translated && !vcm_sgt_reachable(vdev->dev, sgt))
		return -EIO;

	vcm_gate_enter(vdev);
	ret = dma_map_sgtable(vdev->dev, sgt, map->dir, map->attrs);
	vcm_gate_leave(vdev);
	if (ret)
		return ret;

	map->iova = sg_dma_address(sgt->sgl);
	map->segs = sgt->nents;
	map->degraded = !vcm_sgt_keeps_policy(vdev, sgt, map);
	if (strict && map->degraded)
		goto unmap;

	vcm_mapping_list(vdev, map);
	return 0;

unmap:
	vcm_unmap_pages(vdev, sgt, map);
	sgt->nents = sgt->orig_nents;
	vcm_count_refused(vdev);
	return -EOPNOTSUPP;
}

static void vcm_unmap_plain(struct vcm_iova_device *vdev,
			    struct vcm_iova_mapping *map)
{
	vcm_mapping_unlist(vdev, map);
	vcm_unmap_pages(vdev, map->sgt, map);
}

/* --- Caches ------------------------------------------------------------ */

/*
 * Memory that is linked is never bounced, and these calls of the DMA API
 * maintain what is in the table, whatever its DMA addresses. They have nothing
 * to do for coherent devices then.
 */
static bool vcm_needs_sync(const struct vcm_iova_device *vdev)
{
	return !vdev->linked || !vdev->coherent;
}

/**
 * vcm_sync_table - maintain the caches of memory that is mapped
 * @vdev: the device
 * @sgt: the memory
 * @dir: direction of the DMA
 * @for_device: ... which may follow; or else it is over
 *
 * Context: Process context, with &struct vcm_iova_device.alive.
 */
void vcm_sync_table(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    enum dma_data_direction dir, bool for_device)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_sync_table, vdev, sgt, dir, for_device);
	lockdep_assert_held(&vdev->alive);

	if (for_device)
		dma_sync_sgtable_for_device(vdev->dev, sgt, dir);
	else
		dma_sync_sgtable_for_cpu(vdev->dev, sgt, dir);
}

/* --- When a device goes ------------------------------------------------ */

static void vcm_unmap(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map)
{
	if (vcm_needs_sync(vdev))
		vcm_sync_table(vdev, map->sgt, map->dir, false);
	if (map->linked)
		vcm_unmap_linked(vdev, map);
	else
		vcm_unmap_plain(vdev, map);
}

/**
 * vcm_mapping_revoke - undo a mapping whose importer has not done it
 * @vdev: the device, with &struct vcm_iova_device.alive held for writing
 * @map: the mapping, listed
 *
 * If the device's domain is lost there is nothing to undo but what is kept here.
 *
 * Context: Process context, may sleep.
 */
void vcm_mapping_revoke(struct vcm_iova_device *vdev, struct vcm_iova_mapping *map)
{
	lockdep_assert_held_write(&vdev->alive);

	if (vdev->lost)
		vcm_mapping_unlist(vdev, map);
	else
		vcm_unmap(vdev, map);
}

/*
 * Keep the device, or return -ENODEV if it has gone; vcm_device_leave() lets it
 * go again. That a domain has been replaced is noticed only here.
 */
static int vcm_device_enter(struct vcm_iova_device *vdev)
{
	down_read(&vdev->alive);
	if (likely(!vdev->dead && !vcm_device_replaced(vdev)))
		return 0;
	up_read(&vdev->alive);
	vcm_device_lose(vdev);
	return -ENODEV;
}

static void vcm_device_leave(struct vcm_iova_device *vdev)
{
	up_read(&vdev->alive);
}

/* --- For exporters ----------------------------------------------------- */

/**
 * vcm_iova_policy_check - is a policy possible on any device
 * @policy: the policy
 *
 * Context: Any.
 * Return: 0, -EOPNOTSUPP (unknown flag), -EDOM (alignment no power of two,
 *	below the page size or larger than any address space), -ERANGE (guard
 *	larger than any address space).
 */
int vcm_iova_policy_check(const struct vcm_iova_policy *policy)
{
	if (policy->flags & ~VCM_IOVA_STRICT)
		return -EOPNOTSUPP;
	if (policy->align && (hweight64(policy->align) != 1 ||
			      policy->align < PAGE_SIZE ||
			      policy->align > VCM_IOVA_SPACE_MAX))
		return -EDOM;
	if (policy->guard > VCM_IOVA_SPACE_MAX)
		return -ERANGE;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_policy_check, "VCM_IOVA");

/**
 * vcm_iova_map - map a table of pages for a device by policy
 * @vdev: the device that will do the DMA
 * @sgt: the pages, in whole pages; no segment is longer than the device's
 *	dma_get_max_seg_size(), crosses its dma_get_seg_boundary() in memory or
 *	crosses a multiple of that in the buffer
 * @dir: direction of the DMA
 * @policy: where to map it
 * @map: filled in for the importer and for the other calls
 *
 * On success the DMA addresses of @sgt are valid for the device and the caches
 * are as it needs them. Behind an IOMMU the segments are adjacent: one range of
 * IOVAs, from an address that is a multiple of the alignment.
 *
 * Context: Process context, may sleep. The caller serialises calls for @sgt.
 * Return: 0, or, with @sgt as it was before and nothing reserved:
 *	-EINVAL (bad policy or direction, device without DMA mask),
 *	-ENOSPC (no room in the device's address space),
 *	-ENOMEM (no memory, page tables included),
 *	-EOPNOTSUPP (VCM_IOVA_STRICT, and the policy cannot hold),
 *	-EIO (memory beyond the device's reach),
 *	-ENODEV (the device has gone since vcm_iova_get(), or is a space whose
 *	parent is gone),
 *	or another error of dma_map_sgtable().
 */
int vcm_iova_map(struct vcm_iova_device *vdev, struct sg_table *sgt,
		 enum dma_data_direction dir,
		 const struct vcm_iova_policy *policy,
		 struct vcm_iova_mapping *map)
{
	size_t len;
	int ret;

	/* The DMA API would stop the kernel, or warn; an importer may be wrong. */
	if (!valid_dma_direction(dir) || vcm_iova_policy_check(policy))
		return -EINVAL;

	/* Nothing is to be looked at in a device that has gone. */
	ret = vcm_device_enter(vdev);
	if (ret)
		return ret;

	len = vcm_sgt_len(sgt);
	*map = (struct vcm_iova_mapping){
		.len = len,
		.align = max(policy->align, vcm_default_align(vdev, sgt, len)),
		.guard = PAGE_ALIGN(policy->guard),
		.sgt = sgt,
		.dir = vcm_map_dir(dir),
		.attrs = VCM_DMA_ATTRS,
		.linked = vdev->linked,
	};
	if (!vdev->dev->dma_mask)
		ret = -EINVAL;
	else if (map->linked)
		ret = vcm_map_linked(vdev, sgt, map);
	else
		ret = vcm_map_plain(vdev, sgt, policy->flags & VCM_IOVA_STRICT,
				    map);
	if (!ret && vcm_needs_sync(vdev))
		vcm_sync_table(vdev, sgt, map->dir, true);
	vcm_device_leave(vdev);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_map, "VCM_IOVA");

/**
 * vcm_iova_unmap - undo vcm_iova_map()
 * @vdev: the device
 * @sgt: the table
 * @map: what vcm_iova_map() filled in
 *
 * The device can reach nothing of the table any more when this returns. That is
 * so already if it has gone meanwhile, and then all that is left to do is here.
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_unmap(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    struct vcm_iova_mapping *map)
{
	if (!vcm_device_enter(vdev)) {
		vcm_unmap(vdev, map);
		vcm_device_leave(vdev);
	}
	sgt->nents = sgt->orig_nents;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_unmap, "VCM_IOVA");

/**
 * vcm_iova_sync_for_cpu - before the CPU accesses a mapped table
 * @vdev: the device
 * @sgt: the table, mapped for @vdev
 * @map: what vcm_iova_map() filled in
 * @dir: what the CPU is going to do, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iova_sync_for_cpu(struct vcm_iova_device *vdev, struct sg_table *sgt,
			   const struct vcm_iova_mapping *map,
			   enum dma_data_direction dir)
{
	if (!vcm_needs_sync(vdev) || vcm_device_enter(vdev))
		return;
	vcm_sync_table(vdev, sgt, vcm_sync_dir(map, dir), false);
	vcm_device_leave(vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_sync_for_cpu, "VCM_IOVA");

/**
 * vcm_iova_sync_for_device - after the CPU accessed a mapped table
 * @vdev: the device
 * @sgt: the table, mapped for @vdev
 * @map: what vcm_iova_map() filled in
 * @dir: what the CPU did, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iova_sync_for_device(struct vcm_iova_device *vdev,
			      struct sg_table *sgt,
			      const struct vcm_iova_mapping *map,
			      enum dma_data_direction dir)
{
	if (!vcm_needs_sync(vdev) || vcm_device_enter(vdev))
		return;
	vcm_sync_table(vdev, sgt, vcm_sync_dir(map, dir), true);
	vcm_device_leave(vdev);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_sync_for_device, "VCM_IOVA");
