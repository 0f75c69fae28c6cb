// SPDX-License-Identifier: GPL-2.0
/*
 * Where a buffer goes in a device's address space
 *
 * The DMA API aligns each reservation to its size, rounded up to a power of
 * two: buffers of 33 MB are 64 MB apart, and a device with 28 address bits has
 * room for three of them instead of seven. Reservations of one such size,
 * however, come out side by side. So addresses are reserved in slabs of a
 * fixed size, and buffers are placed in what the slabs make up together
 * (vcm-extent.c). A slab goes back to the DMA API with its last buffer.
 *
 * 4 MB slabs of a device with 28 bits: 63 of 64 could be had, all adjacent
 * (Linux 7.3, VT-d); 64 MB slabs: 3 of 4. On the other hand a buffer is linked
 * and unlinked slab by slab. Hence the size of a slab, a part of the address
 * space, and the smaller slabs that fill what is left.
 */

#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vcm-iova.h"
#include "vcm_iova_trace.h"

#define VCM_SLAB_MIN		SZ_1M
#define VCM_SLAB_MAX		SZ_64M

/* Slabs in the address space of a narrow device */
#define VCM_SLABS_PER_MASK	16

/* The next smaller slab is this part of one that could not be had. */
#define VCM_SLAB_SHRINK		4

/*
 * Up to here the whole address space may be collected to find room in it; it
 * is 64 slabs of 64 MB. Beyond, a reservation for the buffer alone finds room
 * sooner.
 */
#define VCM_NARROW_MASK		DMA_BIT_MASK(32)

/* dma_iova_try_alloc() takes a size_t whose highest bits are 0. */
#define VCM_LEN_MAX		(SIZE_MAX / 4)

#define vcm_slab_entry(rb)	rb_entry_safe(rb, struct vcm_slab, node)

static u64 vcm_dma_limit(struct device *dev)
{
	return min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
}

/**
 * vcm_dma_narrow - is room in a device's address space scarce
 * @dev: the device
 *
 * Context: Any.
 * Return: true for up to 32 bits.
 */
bool vcm_dma_narrow(struct device *dev)
{
	return vcm_dma_limit(dev) <= VCM_NARROW_MASK;
}

/* Look at the device's limits; not while addresses are reserved by them. */
static void vcm_slab_setup(struct vcm_iova_device *vdev)
{
	u64 boundary = dma_get_seg_boundary(vdev->dev);
	u64 limit = vcm_dma_limit(vdev->dev);
	u64 size = min(limit / VCM_SLABS_PER_MASK + 1, (u64)VCM_SLAB_MAX);

	lockdep_assert_held(&vdev->lock);

	if (!RB_EMPTY_ROOT(&vdev->slabs))
		return;

	/* A mask of all ones is no boundary. */
	vdev->boundary = boundary < limit ? boundary + 1 : 0;

	/* A block is linked in pieces where a slab ends in it. */
	size = max_t(u64, rounddown_pow_of_two(size), VCM_IOVA_ALIGN_MAX);
	if (vdev->boundary)
		size = min(size, vdev->boundary);
	vdev->slab_size = size < VCM_SLAB_MIN ? 0 : size;
	vcm_extents_init(&vdev->extents, vdev->boundary);
}

static void vcm_slab_insert(struct vcm_iova_device *vdev, struct vcm_slab *slab)
{
	struct rb_node **link = &vdev->slabs.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (vcm_slab_start(slab) <
		    vcm_slab_start(vcm_slab_entry(parent)))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&slab->node, parent, link);
	rb_insert_color(&slab->node, &vdev->slabs);
	vdev->nr_slabs++;
}

/* The slab that holds @addr, which is taken or known to be in one. */
static struct vcm_slab *vcm_slab_find_locked(struct vcm_iova_device *vdev,
					     u64 addr)
{
	struct rb_node *rb = vdev->slabs.rb_node;

	lockdep_assert_held(&vdev->lock);

	while (rb) {
		struct vcm_slab *slab = vcm_slab_entry(rb);

		if (addr < vcm_slab_start(slab))
			rb = rb->rb_left;
		else if (addr - vcm_slab_start(slab) >= vcm_slab_len(slab))
			rb = rb->rb_right;
		else
			return slab;
	}
	return NULL;
}

/**
 * vcm_slab_find - the slab that an address of a mapping is in
 * @vdev: the device
 * @addr: the address
 *
 * Context: Process context, may sleep.
 * Return: the slab, valid as long as the mapping keeps its addresses; NULL if
 *	there is none, which would be a bug here.
 */
struct vcm_slab *vcm_slab_find(struct vcm_iova_device *vdev, u64 addr)
{
	struct vcm_slab *slab;

	mutex_lock(&vdev->lock);
	slab = vcm_slab_find_locked(vdev, addr);
	mutex_unlock(&vdev->lock);
	return slab;
}

/* Reserve @size addresses; -ENOSPC if the DMA API has no such range. */
static struct vcm_slab *vcm_slab_reserve(struct vcm_iova_device *vdev,
					 size_t size)
{
	struct vcm_slab *slab = kzalloc_obj(*slab);

	if (!slab)
		return ERR_PTR(-ENOMEM);

	if (!dma_iova_try_alloc(vdev->dev, &slab->state, 0, size)) {
		kfree(slab);
		return ERR_PTR(-ENOSPC);
	}
	vcm_slab_insert(vdev, slab);
	return slab;
}

static void vcm_slab_release(struct vcm_iova_device *vdev,
			     struct vcm_slab *slab)
{
	rb_erase(&slab->node, &vdev->slabs);
	vdev->nr_slabs--;
	dma_iova_free(vdev->dev, &slab->state);
	kfree(slab);
}

/*
 * What of a slab buffers can go into: not its last page if that is the last
 * one there is, for then the end of the slab is no number.
 */
static u64 vcm_slab_usable(struct vcm_slab *slab)
{
	u64 len = vcm_slab_len(slab);

	return vcm_slab_start(slab) + len ? len : len - PAGE_SIZE;
}

/* Reserve a slab of @size and let buffers into it. */
static int vcm_slab_add(struct vcm_iova_device *vdev, size_t size,
			struct list_head *fresh)
{
	struct vcm_slab *slab = vcm_slab_reserve(vdev, size);
	int ret;

	if (IS_ERR(slab))
		return PTR_ERR(slab);

	ret = vcm_extents_add(&vdev->extents, vcm_slab_start(slab),
			      vcm_slab_usable(slab));
	if (ret)
		vcm_slab_release(vdev, slab);
	else
		list_add(&slab->fresh, fresh);
	return ret;
}

/* Give a slab back if no buffer is in it. */
static void vcm_slab_trim(struct vcm_iova_device *vdev, struct vcm_slab *slab)
{
	u64 start = vcm_slab_start(slab), len = vcm_slab_usable(slab);

	if (!vcm_extents_is_free(&vdev->extents, start, len))
		return;
	vcm_extents_remove(&vdev->extents, start, len);
	vcm_slab_release(vdev, slab);
}

/* Trim the slabs between @start, which one holds, and @last. */
static void vcm_slabs_trim(struct vcm_iova_device *vdev, u64 start, u64 last)
{
	struct vcm_slab *slab = vcm_slab_find_locked(vdev, start), *next;

	for (; slab && vcm_slab_start(slab) <= last; slab = next) {
		next = vcm_slab_entry(rb_next(&slab->node));
		vcm_slab_trim(vdev, slab);
	}
}

/* Trim what was reserved for a placement and not needed. */
static void vcm_slabs_trim_fresh(struct vcm_iova_device *vdev,
				 struct list_head *fresh)
{
	struct vcm_slab *slab, *next;

	list_for_each_entry_safe(slab, next, fresh, fresh)
		vcm_slab_trim(vdev, slab);
}

/* Add slabs of @size until the buffer fits, or until there is enough. */
static struct vcm_range *vcm_place_collect(struct vcm_iova_device *vdev,
					   u64 len, u64 align, size_t size,
					   struct list_head *fresh)
{
	bool narrow = vcm_dma_narrow(vdev->dev);
	u64 enough = len + align + size, got = 0;
	struct vcm_range *range;
	int ret;

	do {
		ret = vcm_slab_add(vdev, size, fresh);
		if (ret)
			return ERR_PTR(ret);
		got += size;
		range = vcm_extents_alloc(&vdev->extents, len, align);
		if (range != ERR_PTR(-ENOSPC))
			return range;
	} while (narrow || got < enough);
	return range;
}

/*
 * Find room in slabs, with smaller ones if the DMA API is out of large ones. A
 * narrow device that is full has no addresses left for others meanwhile.
 */
static struct vcm_range *vcm_place_range(struct vcm_iova_device *vdev,
					 u64 len, u64 align)
{
	size_t size = vdev->slab_size;
	struct vcm_range *range;
	LIST_HEAD(fresh);

	range = vcm_extents_alloc(&vdev->extents, len, align);
	if (range != ERR_PTR(-ENOSPC))
		return range;

	range = vcm_place_collect(vdev, len, align, size, &fresh);
	while (range == ERR_PTR(-ENOSPC) && size > VCM_SLAB_MIN) {
		size = max_t(size_t, size / VCM_SLAB_SHRINK, VCM_SLAB_MIN);
		range = vcm_place_collect(vdev, len, align, size, &fresh);
	}
	vcm_slabs_trim_fresh(vdev, &fresh);
	return range;
}

static int vcm_place_in_slabs(struct vcm_iova_device *vdev, u64 len, u64 align,
			      struct vcm_mapping *map)
{
	struct vcm_range *range;

	/* A longer buffer would have a segment boundary in it. */
	if (!vdev->slab_size || (vdev->boundary && len > vdev->boundary))
		return -ENOSPC;

	range = vcm_place_range(vdev, len, align);
	if (IS_ERR(range))
		return PTR_ERR(range);
	map->range = range;
	map->iova = range->start;
	return 0;
}

/*
 * A reservation for the buffer alone: for one that is larger than the segments
 * its device takes, or that does not fit between others. The DMA API aligns it
 * to its size, so that segments can be cut by length alone.
 */
static int vcm_place_alone(struct vcm_iova_device *vdev, u64 len, u64 align,
			   struct vcm_mapping *map)
{
	struct vcm_slab *slab;

	/* Aligned to its size: what is longer than align / 2 is aligned so. */
	slab = vcm_slab_reserve(vdev, max(len, align));
	if (IS_ERR(slab))
		return PTR_ERR(slab);
	map->own = slab;
	map->iova = vcm_slab_start(slab);
	return 0;
}

/*
 * The DMA API packs powers of two by itself, and what it reserves in one piece
 * is linked and unlinked in one piece.
 */
static bool vcm_is_slab_itself(const struct vcm_iova_device *vdev, u64 len,
			       u64 align)
{
	return vdev->slab_size && len >= vdev->slab_size && align <= len &&
	       hweight64(len) == 1;
}

/**
 * vcm_place - choose the addresses of a mapping
 * @vdev: the device
 * @map: the mapping, with its length, alignment and guard
 *
 * On success &struct vcm_mapping.iova is set and the addresses are taken.
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOSPC (no room in the address space), -ENOMEM.
 */
int vcm_place(struct vcm_iova_device *vdev, struct vcm_mapping *map)
{
	u64 limit = vcm_dma_limit(vdev->dev), len;
	int ret;

	if (check_add_overflow((u64)map->len, map->guard, &len) ||
	    len - 1 > limit || map->align - 1 > limit || len > VCM_LEN_MAX ||
	    map->align > VCM_LEN_MAX)
		return -ENOSPC;

	mutex_lock(&vdev->lock);
	vcm_slab_setup(vdev);
	ret = -ENOSPC;
	if (vcm_is_slab_itself(vdev, len, map->align))
		ret = vcm_place_alone(vdev, len, map->align, map);
	if (ret == -ENOSPC)
		ret = vcm_place_in_slabs(vdev, len, map->align, map);
	if (ret == -ENOSPC)
		ret = vcm_place_alone(vdev, len, map->align, map);
	if (!ret)
		list_add_tail(&map->node, &vdev->mappings);
	mutex_unlock(&vdev->lock);

	if (!ret)
		trace_vcm_iova_reserve(vdev, map);
	return ret;
}

/**
 * vcm_unplace - give the addresses of a mapping back
 * @vdev: the device
 * @map: the mapping, with nothing linked
 *
 * Context: Process context, may sleep.
 */
void vcm_unplace(struct vcm_iova_device *vdev, struct vcm_mapping *map)
{
	u64 last = map->iova + map->len + map->guard - 1;

	mutex_lock(&vdev->lock);
	list_del(&map->node);
	if (map->own) {
		vcm_slab_release(vdev, map->own);
	} else {
		vcm_extents_free(&vdev->extents, map->range);
		vcm_slabs_trim(vdev, map->iova, last);
	}
	mutex_unlock(&vdev->lock);
	map->own = NULL;
	map->range = NULL;
}
