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
 * Where the DMA API has no IOVAs for a device, or the device is not coherent,
 * the buffer is mapped by dma_map_sgtable() and what came out is compared with
 * the policy.
 */

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
static enum dma_data_direction vcm_sync_dir(const struct vcm_mapping *map,
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
		return max(VCM_ALIGN_TIGHT, min(align, vdev->min_align));
	return align;
}

/* How much of @len bytes at @iova can be one segment for @vdev. */
static size_t vcm_segment_len(const struct vcm_iova_device *vdev, u64 iova,
			      size_t len)
{
	size_t max = dma_get_max_seg_size(vdev->dev);

	if (max > PAGE_SIZE)
		max = ALIGN_DOWN(max, PAGE_SIZE);
	len = min(len, max);
	if (vdev->boundary)
		len = min_t(u64, len, vdev->boundary -
			    (iova & (vdev->boundary - 1)));
	return len;
}

/*
 * Hand the range to the importer. That takes no more segments than the table
 * has, since the table's own are no longer than the device allows, see
 * vcm_iommu_map_sgtable().
 */
static int vcm_sgt_set_range(const struct vcm_iova_device *vdev,
			     struct sg_table *sgt, struct vcm_mapping *map)
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
	/* It is in the list already, for debugfs to show. */
	WRITE_ONCE(map->segs, nents);
	return 0;
}

/* --- Linking ----------------------------------------------------------- */

/**
 * struct vcm_piece - the part of a range of IOVAs that lies in one slab
 * @slab: the slab
 * @offset: of the piece in @slab
 * @len: bytes
 */
struct vcm_piece {
	struct vcm_slab *slab;
	size_t offset;
	size_t len;
};

static bool vcm_slab_holds(struct vcm_slab *slab, u64 iova)
{
	return slab && iova >= vcm_slab_start(slab) &&
	       iova - vcm_slab_start(slab) < vcm_slab_len(slab);
}

/*
 * The first piece of @len bytes at @iova, which a mapping has taken. @slab is
 * where to look first, or NULL: runs are many and slabs are few.
 */
static struct vcm_piece vcm_first_piece(struct vcm_iova_device *vdev,
					struct vcm_slab *slab, u64 iova,
					size_t len)
{
	struct vcm_piece piece = { .slab = slab };

	if (!vcm_slab_holds(slab, iova))
		piece.slab = vcm_slab_find(vdev, iova);
	if (WARN_ON(!piece.slab))
		return piece;
	piece.offset = iova - vcm_slab_start(piece.slab);
	piece.len = min_t(u64, len, vcm_slab_len(piece.slab) - piece.offset);
	return piece;
}

/*
 * Link @len bytes at @phys behind the *@done bytes that were linked. *@slab is
 * where they end.
 */
static int vcm_link_run(struct vcm_iova_device *vdev, struct vcm_mapping *map,
			phys_addr_t phys, size_t len, size_t *done,
			struct vcm_slab **slab)
{
	while (len) {
		u64 iova = map->iova + *done;
		struct vcm_piece piece = vcm_first_piece(vdev, *slab, iova,
							 len);
		int ret;

		if (!piece.slab)
			return -EINVAL;
		*slab = piece.slab;
		ret = dma_iova_link(vdev->dev, &piece.slab->state, phys,
				    piece.offset, piece.len, map->dir,
				    map->attrs);
		if (ret)
			return ret;
		*done += piece.len;
		phys += piece.len;
		len -= piece.len;
	}
	return 0;
}

/* Unlink the first @len bytes. The IOTLB has forgotten them on return. */
static void vcm_unlink(struct vcm_iova_device *vdev, struct vcm_mapping *map,
		       size_t len)
{
	u64 iova = map->iova;

	while (len) {
		struct vcm_piece piece = vcm_first_piece(vdev, NULL, iova, len);

		if (!piece.slab)
			return;
		dma_iova_unlink(vdev->dev, &piece.slab->state, piece.offset,
				piece.len, map->dir, map->attrs);
		iova += piece.len;
		len -= piece.len;
	}
}

static int vcm_link_sync(struct vcm_iova_device *vdev, struct vcm_mapping *map)
{
	size_t left = map->len;
	u64 iova = map->iova;

	while (left) {
		struct vcm_piece piece = vcm_first_piece(vdev, NULL, iova,
							 left);
		int ret;

		if (!piece.slab)
			return -EINVAL;
		ret = dma_iova_sync(vdev->dev, &piece.slab->state,
				    piece.offset, piece.len);
		if (ret)
			return ret;
		iova += piece.len;
		left -= piece.len;
	}
	return 0;
}

static int vcm_link(struct vcm_iova_device *vdev, struct sg_table *sgt,
		    struct vcm_mapping *map)
{
	struct scatterlist *sg = sgt->sgl;
	struct vcm_slab *slab = NULL;
	unsigned long runs = 0;
	size_t done = 0;
	int ret;

	while (sg) {
		phys_addr_t phys = sg_phys(sg);
		size_t len = vcm_sgt_next_run(&sg);

		ret = vcm_link_run(vdev, map, phys, len, &done, &slab);
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
	if (vdev->gate)
		down_read(vdev->gate);
}

static void vcm_gate_leave(struct vcm_iova_device *vdev)
{
	if (vdev->gate)
		up_read(vdev->gate);
}

static int vcm_map_linked(struct vcm_iova_device *vdev, struct sg_table *sgt,
			  struct vcm_mapping *map)
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
	return 0;

unplace:
	vcm_unplace(vdev, map);
	return ret;
}

static void vcm_unmap_linked(struct vcm_iova_device *vdev,
			     struct sg_table *sgt, struct vcm_mapping *map)
{
	trace_vcm_iova_unlink(vdev, map);
	vcm_gate_enter(vdev);
	vcm_unlink(vdev, map, map->len);
	vcm_gate_leave(vdev);
	vcm_unplace(vdev, map);
	sgt->nents = sgt->orig_nents;
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
				 const struct vcm_mapping *map)
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

static void vcm_mapping_list(struct vcm_iova_device *vdev,
			     struct vcm_mapping *map)
{
	mutex_lock(&vdev->lock);
	list_add_tail(&map->node, &vdev->mappings);
	vdev->nr_degraded += map->degraded;
	mutex_unlock(&vdev->lock);
}

static void vcm_unmap_pages(struct vcm_iova_device *vdev, struct sg_table *sgt,
			    const struct vcm_mapping *map)
{
	vcm_gate_enter(vdev);
	dma_unmap_sgtable(vdev->dev, sgt, map->dir, map->attrs);
	vcm_gate_leave(vdev);
	sgt->nents = sgt->orig_nents;
}

static int vcm_map_plain(struct vcm_iova_device *vdev, struct sg_table *sgt,
			 bool strict, struct vcm_mapping *map)
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
	dma_sync_sgtable_for_device(vdev->dev, sgt, map->dir);
	return 0;

unmap:
	vcm_unmap_pages(vdev, sgt, map);
	vcm_count_refused(vdev);
	return -EOPNOTSUPP;
}

static void vcm_unmap_plain(struct vcm_iova_device *vdev, struct sg_table *sgt,
			    struct vcm_mapping *map)
{
	mutex_lock(&vdev->lock);
	list_del(&map->node);
	mutex_unlock(&vdev->lock);

	dma_sync_sgtable_for_cpu(vdev->dev, sgt, map->dir);
	vcm_unmap_pages(vdev, sgt, map);
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
EXPORT_SYMBOL_NS_GPL(vcm_iova_policy_check, "VCM_IOMMU");

/**
 * vcm_iommu_map_sgtable - map a table of pages for a device by policy
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
 *	-ENODEV (a space whose parent is gone),
 *	or another error of dma_map_sgtable().
 */
int vcm_iommu_map_sgtable(struct vcm_iova_device *vdev, struct sg_table *sgt,
			  enum dma_data_direction dir,
			  const struct vcm_iova_policy *policy,
			  struct vcm_mapping *map)
{
	size_t len = vcm_sgt_len(sgt);

	/* The DMA API would stop the kernel, or warn; an importer may be wrong. */
	if (!valid_dma_direction(dir) || !vdev->dev->dma_mask ||
	    vcm_iova_policy_check(policy))
		return -EINVAL;

	*map = (struct vcm_mapping){
		.len = len,
		.align = max(policy->align, vcm_default_align(vdev, sgt, len)),
		.guard = PAGE_ALIGN(policy->guard),
		.dir = vcm_map_dir(dir),
		.attrs = VCM_DMA_ATTRS,
		.linked = vdev->linked,
	};

	if (map->linked)
		return vcm_map_linked(vdev, sgt, map);
	return vcm_map_plain(vdev, sgt, policy->flags & VCM_IOVA_STRICT, map);
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_map_sgtable, "VCM_IOMMU");

/**
 * vcm_iommu_unmap_sgtable - undo vcm_iommu_map_sgtable()
 * @vdev: the device
 * @sgt: the table
 * @map: what vcm_iommu_map_sgtable() filled in
 *
 * The device can reach nothing of the table any more when this returns.
 *
 * Context: Process context, may sleep.
 */
void vcm_iommu_unmap_sgtable(struct vcm_iova_device *vdev, struct sg_table *sgt,
			     struct vcm_mapping *map)
{
	if (map->linked)
		vcm_unmap_linked(vdev, sgt, map);
	else
		vcm_unmap_plain(vdev, sgt, map);
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_unmap_sgtable, "VCM_IOMMU");

/**
 * vcm_iommu_sync_for_cpu - before the CPU accesses a mapped table
 * @vdev: the device
 * @sgt: the table, mapped for @vdev
 * @map: what vcm_iommu_map_sgtable() filled in
 * @dir: what the CPU is going to do, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iommu_sync_for_cpu(struct vcm_iova_device *vdev, struct sg_table *sgt,
			    const struct vcm_mapping *map,
			    enum dma_data_direction dir)
{
	/* Linked memory is never bounced, and the device is coherent. */
	if (!map->linked)
		dma_sync_sgtable_for_cpu(vdev->dev, sgt,
					 vcm_sync_dir(map, dir));
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_sync_for_cpu, "VCM_IOMMU");

/**
 * vcm_iommu_sync_for_device - after the CPU accessed a mapped table
 * @vdev: the device
 * @sgt: the table, mapped for @vdev
 * @map: what vcm_iommu_map_sgtable() filled in
 * @dir: what the CPU did, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iommu_sync_for_device(struct vcm_iova_device *vdev,
			       struct sg_table *sgt,
			       const struct vcm_mapping *map,
			       enum dma_data_direction dir)
{
	if (!map->linked)
		dma_sync_sgtable_for_device(vdev->dev, sgt,
					    vcm_sync_dir(map, dir));
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_sync_for_device, "VCM_IOMMU");
