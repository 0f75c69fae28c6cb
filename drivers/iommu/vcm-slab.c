// SPDX-License-Identifier: GPL-2.0
/*
 * Where a buffer goes in a device's address space
 *
 * The DMA API aligns each reservation to its size, rounded up to a power of
 * two. For a buffer of such a size it does all there is to do: it packs them,
 * and keeps small ones in caches of each CPU. And where there are more than 32
 * address bits, room is not what is scarce. So these buffers get a reservation
 * of their own.
 *
 * Buffers of 33 MB, however, are 64 MB apart then, and a device with 28 address
 * bits has room for three of them instead of seven. Reservations of one size
 * that is a power of two come out side by side. So for other lengths on narrow
 * devices addresses are reserved in slabs of a fixed size, and buffers are
 * placed in what the slabs make up together (vcm-extent.c). A slab goes back to
 * the DMA API with its last buffer.
 *
 * What is reserved is missing elsewhere: the same addresses serve whatever DMA
 * the device does beside our buffers. So slabs are a small part of the address
 * space; whether a buffer can fit is reckoned from what is reserved here before
 * a slab is, and some of what could be free is left alone even if it might fit
 * then; and what the policy asks for beyond the buffer is limited.
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
#include <linux/sort.h>

#include "vcm-device.h"
#include "vcm-reserve.h"
#include "vcm-slab.h"
#include "vcm_iova_trace.h"

/*
 * Slabs in the address space of a narrow device. The buffer that keeps a slab
 * reserved keeps this part of the addresses from everybody else.
 */
#define VCM_SLABS_PER_MASK	128

/*
 * No block of memory reaches across slabs, or it would be linked in pieces. But
 * where there is no such slab left there may be two of 1 MB for two buffers.
 */
#define VCM_SLAB_SIZE_MIN	((u64)VCM_IOVA_ALIGN_MAX)
#define VCM_SLAB_MIN		((u64)SZ_1M)

/* The next smaller slab is this part of one that could not be had. */
#define VCM_SLAB_SHRINK		4

/*
 * A search reserves so many slabs beyond those that the buffer fills, since it
 * begins and ends in others, and the DMA API fills smaller holes first: what half
 * of the address space takes, and more than any alignment that a policy may ask for.
 */
#define VCM_SEARCH_SLABS	(VCM_SLABS_PER_MASK / 2 + 2)

/* The part of what could be free that a search leaves to others */
#define VCM_SEARCH_SPARE	16

/* Up to here room is scarce, and buffers are packed. */
#define VCM_NARROW_MASK		DMA_BIT_MASK(32)

/*
 * The DMA API rounds lengths below this up to a power of two by itself, so that
 * a slab would save nothing.
 */
#define VCM_ROUNDED_MAX		((u64)SZ_64K)

/*
 * What a policy may take beyond the buffer: this part of the device's address
 * space, and not more than the largest page that IOMMUs commonly have, which is
 * what large alignments are for.
 */
#define VCM_EXTRA_PART		16
#define VCM_EXTRA_MAX		((u64)SZ_1G)

/* dma_iova_try_alloc() takes a size_t whose highest bits are 0. */
#define VCM_LEN_MAX		(SIZE_MAX / 4)

/*
 * Where room is scarce, a 2 MB block counts as a pair of 1 MB blocks if 2 MB
 * alignment would cost more than this part of the buffer: buffers of 3 MB would
 * leave a quarter of the address space unused.
 */
#define VCM_ALIGN_WASTE		20
#define VCM_ALIGN_TIGHT		((u64)SZ_1M)

#define vcm_slab_entry(rb)	rb_entry_safe(rb, struct vcm_slab, node)

static u64 vcm_slab_start(const struct vcm_slab *slab)
{
	return slab->state.addr;
}

static u64 vcm_slab_len(struct vcm_slab *slab)
{
	return dma_iova_size(&slab->state);
}

/* --- Slabs ------------------------------------------------------------- */

static u64 vcm_slab_size(u64 limit, u64 boundary)
{
	u64 size = max(rounddown_pow_of_two(limit / VCM_SLABS_PER_MASK + 1),
		       VCM_SLAB_SIZE_MIN);

	if (boundary)
		size = min(size, boundary);
	return size < VCM_SLAB_MIN ? 0 : size;
}

/*
 * Look at the device's limits, which its driver may change at any time. The
 * size of slabs stays as long as there are any.
 */
static void vcm_slab_setup(struct vcm_iova_device *vdev)
{
	u64 boundary = vcm_dma_boundary(vdev->dev);
	u64 limit = vcm_dma_limit(vdev->dev);

	lockdep_assert_held(&vdev->lock);

	if (RB_EMPTY_ROOT(&vdev->slabs)) {
		vdev->slab_size = vcm_slab_size(limit, boundary);
		vcm_extents_init(&vdev->extents, boundary);
	}
	vcm_extents_set_last(&vdev->extents, limit);
}

static void vcm_slab_insert(struct vcm_iova_device *vdev, struct vcm_slab *slab)
{
	struct rb_node **link = &vdev->slabs.rb_node, *parent = NULL;
	struct vcm_slab *prev;

	lockdep_assert_held(&vdev->lock);

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
	prev = vcm_slab_entry(rb_prev(&slab->node));
	list_add(&slab->by_addr, prev ? &prev->by_addr : &vdev->slab_list);
	vdev->nr_slabs++;
	vdev->reserved += vcm_slab_len(slab);
}

/* The slab that holds @addr, which is taken. */
static struct vcm_slab *vcm_slab_find(struct vcm_iova_device *vdev, u64 addr)
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

/* Reserve @size addresses; -ENOSPC if the DMA API has no such range. */
static struct vcm_slab *vcm_slab_reserve(struct vcm_iova_device *vdev,
					 size_t size)
{
	struct vcm_slab *slab = kzalloc_obj(*slab);

	lockdep_assert_held(&vdev->lock);

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
	lockdep_assert_held(&vdev->lock);

	rb_erase(&slab->node, &vdev->slabs);
	list_del(&slab->by_addr);
	vdev->nr_slabs--;
	vdev->reserved -= vcm_slab_len(slab);
	if (!vcm_device_lost(vdev))
		dma_iova_free(vdev->dev, &slab->state);
	kfree(slab);
}

/* Reserve a slab of @size and let buffers into it. */
static int vcm_slab_add(struct vcm_iova_device *vdev, size_t size,
			struct list_head *fresh)
{
	struct vcm_slab *slab;
	int ret;

	lockdep_assert_held(&vdev->lock);

	slab = vcm_slab_reserve(vdev, size);
	if (IS_ERR(slab))
		return PTR_ERR(slab);

	ret = vcm_extents_add(&vdev->extents, vcm_slab_start(slab),
			      vcm_slab_len(slab));
	if (ret)
		vcm_slab_release(vdev, slab);
	else
		list_add(&slab->fresh, fresh);
	return ret;
}

/* Give a slab back if no buffer is in it. */
static void vcm_slab_trim(struct vcm_iova_device *vdev, struct vcm_slab *slab)
{
	u64 start = vcm_slab_start(slab), len = vcm_slab_len(slab);

	lockdep_assert_held(&vdev->lock);

	if (!vcm_extents_is_free(&vdev->extents, start, len))
		return;
	vcm_extents_remove(&vdev->extents, start, len);
	vcm_slab_release(vdev, slab);
}

/* Trim @slab and those behind it, up to @last. */
static void vcm_slabs_trim(struct vcm_iova_device *vdev, struct vcm_slab *slab,
			   u64 last)
{
	struct vcm_slab *next;

	lockdep_assert_held(&vdev->lock);

	list_for_each_entry_safe_from(slab, next, &vdev->slab_list, by_addr) {
		if (vcm_slab_start(slab) > last)
			break;
		vcm_slab_trim(vdev, slab);
	}
}

/* --- Looking for room -------------------------------------------------- */

/**
 * struct vcm_search - for room in slabs
 * @len: addresses that are needed
 * @align: alignment of the first one
 * @budget: addresses that may still be reserved
 * @fresh: slabs that were, by &struct vcm_slab.fresh
 */
struct vcm_search {
	u64 len;
	u64 align;
	u64 budget;
	struct list_head fresh;
};

/**
 * struct vcm_taken - addresses that a mapping of ours keeps from others
 * @start: the first one
 * @len: how many
 */
struct vcm_taken {
	u64 start;
	u64 len;
};

static int vcm_taken_cmp(const void *a, const void *b)
{
	const struct vcm_taken *x = a, *y = b;

	return cmp_int(x->start, y->start);
}

/*
 * All of ours, in no order. They come and go meanwhile: this is to reckon with, and
 * not to rely on.
 */
static unsigned long vcm_taken_collect(struct vcm_iova_device *vdev,
				       struct vcm_taken *taken,
				       unsigned long max)
{
	struct vcm_iova_mapping *map;
	struct vcm_window *window;
	unsigned long n = 0;

	lockdep_assert_held(&vdev->mappings_lock);

	list_for_each_entry(window, &vdev->windows, node)
		taken[n++] = (struct vcm_taken){ window->args.start,
						 window->args.len };
	hlist_for_each_entry(map, &vdev->mappings, node) {
		/* Whoever maps them has locks of their own. */
		u64 iova = data_race(map->iova), len = data_race(map->taken);
		u64 start = iova - map->lead;

		/* A window is in it as a whole. */
		if (len && n < max && !map->window)
			taken[n++] = (struct vcm_taken){ start, len };
	}
	return n;
}

static bool vcm_gap_takes(const struct vcm_search *search, u64 start, u64 end)
{
	u64 first = ALIGN(start, search->align);

	return first < end && end - first >= search->len;
}

/* Is there, between our mappings, a gap in which there could be room? */
static bool vcm_gap_found(struct vcm_iova_device *vdev,
			  const struct vcm_search *search)
{
	unsigned long max = READ_ONCE(vdev->nr_mappings) + vdev->nr_windows;
	struct vcm_taken *taken;
	unsigned long n, i;
	bool found = false;
	u64 at = PAGE_SIZE;

	lockdep_assert_held(&vdev->lock);

	taken = kvmalloc_objs(*taken, max, GFP_KERNEL | __GFP_NOWARN);
	/* Then it is found out by trying. */
	if (!taken)
		return true;

	/* That lock is outside of ours. Who has it just now is not waited for. */
	if (!mutex_trylock(&vdev->mappings_lock)) {
		kvfree(taken);
		return true;
	}
	n = vcm_taken_collect(vdev, taken, max);
	mutex_unlock(&vdev->mappings_lock);

	sort(taken, n, sizeof(*taken), vcm_taken_cmp, NULL);
	for (i = 0; i < n && !found; i++) {
		found = vcm_gap_takes(search, at, taken[i].start);
		at = taken[i].start + taken[i].len;
	}
	kvfree(taken);
	return found ||
	       vcm_gap_takes(search, at, vcm_dma_limit(vdev->dev) + 1);
}

/* What could be free: what others have reserved is not known here. */
static u64 vcm_unreserved(struct vcm_iova_device *vdev)
{
	u64 last = vcm_dma_limit(vdev->dev), reserved;

	lockdep_assert_held(&vdev->lock);

	reserved = vdev->reserved + vdev->windowed +
		   atomic64_read(&vdev->alone);
	return last > reserved ? last - reserved : 0;
}

/*
 * Of what is free, the mappings make so many gaps at most. Only where the average
 * is too small for the buffer they have to be looked at one by one.
 */
static bool vcm_gap_exists(struct vcm_iova_device *vdev,
			   const struct vcm_search *search)
{
	u64 gaps = vdev->nr_slabs + READ_ONCE(vdev->nr_mappings) + 1;

	lockdep_assert_held(&vdev->lock);

	return div64_u64(vcm_unreserved(vdev), gaps) >=
	       search->len + search->align ||
	       vcm_gap_found(vdev, search);
}

/* Add slabs of @size until the buffer fits, or until there are enough. */
static struct vcm_range *vcm_search_collect(struct vcm_iova_device *vdev,
					    struct vcm_search *search,
					    u64 size)
{
	unsigned long left = (search->len >> ilog2(size)) + VCM_SEARCH_SLABS;
	struct vcm_range *range;
	int ret;

	lockdep_assert_held(&vdev->lock);

	while (left-- && search->budget >= size) {
		ret = vcm_slab_add(vdev, size, &search->fresh);
		if (ret)
			return ERR_PTR(ret);
		search->budget -= size;
		range = vcm_extents_alloc(&vdev->extents, search->len,
					  search->align);
		if (range != ERR_PTR(-ENOSPC))
			return range;
	}
	return ERR_PTR(-ENOSPC);
}

/* With smaller slabs if the DMA API is out of large ones. */
static struct vcm_range *vcm_search_slabs(struct vcm_iova_device *vdev,
					  struct vcm_search *search)
{
	u64 size = vdev->slab_size;
	struct vcm_range *range;

	lockdep_assert_held(&vdev->lock);

	range = vcm_search_collect(vdev, search, size);
	while (range == ERR_PTR(-ENOSPC) && size > VCM_SLAB_MIN) {
		size = max(size / VCM_SLAB_SHRINK, VCM_SLAB_MIN);
		range = vcm_search_collect(vdev, search, size);
	}
	return range;
}

static struct vcm_range *vcm_search(struct vcm_iova_device *vdev, u64 len,
				    u64 align)
{
	u64 unreserved = vcm_unreserved(vdev);
	struct vcm_search search = {
		.len = len,
		.align = align,
		.budget = unreserved - unreserved / VCM_SEARCH_SPARE,
		.fresh = LIST_HEAD_INIT(search.fresh),
	};
	struct vcm_slab *slab, *next;
	struct vcm_range *range;

	lockdep_assert_held(&vdev->lock);

	range = vcm_extents_alloc(&vdev->extents, len, align);
	if (range != ERR_PTR(-ENOSPC) || !vcm_gap_exists(vdev, &search))
		return range;

	range = vcm_search_slabs(vdev, &search);
	list_for_each_entry_safe(slab, next, &search.fresh, fresh)
		vcm_slab_trim(vdev, slab);
	return range;
}

/* --- Placing ----------------------------------------------------------- */

static struct vcm_slab *vcm_slab_next(struct vcm_slab *slab)
{
	return list_next_entry(slab, by_addr);
}

/* How many slabs are the buffer's @len bytes at @addr in, the first one @slab? */
static unsigned int vcm_count_pieces(struct vcm_slab *slab, u64 addr, u64 len)
{
	u64 last = addr + len - 1;
	unsigned int nr = 1;

	for (; last - vcm_slab_start(slab) >= vcm_slab_len(slab);
	     slab = vcm_slab_next(slab))
		nr++;
	return nr;
}

/* The slab that @addr is in, from @slab on */
static struct vcm_slab *vcm_slab_at(struct vcm_slab *slab, u64 addr)
{
	while (addr - vcm_slab_start(slab) >= vcm_slab_len(slab))
		slab = vcm_slab_next(slab);
	return slab;
}

/* Note which part of what is linked is in which slab. */
static int vcm_cut_pieces(struct vcm_iova_mapping *map)
{
	u64 at = map->iova - vcm_linked_before(map), left = vcm_linked_len(map);
	struct vcm_slab *slab = vcm_slab_at(map->slab, at);
	unsigned int nr = vcm_count_pieces(slab, at, left);
	struct vcm_iova_piece *piece;

	if (nr > 1) {
		piece = kmalloc_objs(*piece, nr);
		if (!piece)
			return -ENOMEM;
		map->pieces = piece;
		map->nr_pieces = nr;
	}

	for (piece = map->pieces; left; piece++) {
		piece->state = &slab->state;
		piece->offset = at - vcm_slab_start(slab);
		piece->len = min(left, vcm_slab_len(slab) - piece->offset);
		at += piece->len;
		left -= piece->len;
		slab = vcm_slab_next(slab);
	}
	return 0;
}

/* What a mapping alone is: one piece in a reservation of its own. */
static void vcm_pieces_init(struct vcm_iova_mapping *map)
{
	map->piece = (struct vcm_iova_piece){
		&map->own, map->lead - vcm_linked_before(map),
		vcm_linked_len(map),
	};
	map->pieces = &map->piece;
	map->nr_pieces = 1;
}

static void vcm_pieces_reset(struct vcm_iova_mapping *map)
{
	if (map->pieces != &map->piece)
		kfree(map->pieces);
	vcm_pieces_init(map);
}

/* Give the addresses of a mapping in slabs back. */
static void vcm_unplace_slabs(struct vcm_iova_device *vdev,
			      struct vcm_iova_mapping *map)
{
	u64 last = map->iova - map->lead + map->need - 1;

	lockdep_assert_held(&vdev->lock);

	vcm_extents_free(map->range->extents, map->range);
	if (!map->window)
		vcm_slabs_trim(vdev, map->slab, last);
	map->range = NULL;
	vcm_pieces_reset(map);
}

/* What was found for a mapping, in slabs of which the first one is @slab */
static int vcm_place_at(struct vcm_iova_device *vdev,
			struct vcm_iova_mapping *map, struct vcm_range *range,
			struct vcm_slab *slab)
{
	int ret;

	lockdep_assert_held(&vdev->lock);

	map->range = range;
	map->iova = range->start + map->lead;
	map->slab = slab;
	ret = vcm_cut_pieces(map);
	if (ret)
		vcm_unplace_slabs(vdev, map);
	else
		map->taken = map->need;
	return ret;
}

/* The device's driver may change its limits also after it has made windows. */
static bool vcm_window_takes(struct vcm_iova_device *vdev,
			     const struct vcm_window *window, u64 need)
{
	u64 boundary = vcm_dma_boundary(vdev->dev);

	lockdep_assert_held(&vdev->lock);

	return vdev->windowed && window->extents.boundary == boundary &&
	       (!boundary || need <= boundary);
}

/* In the window that the policy names, or nowhere */
static noinline int vcm_place_in_window(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;
	struct vcm_window *window = map->window;
	struct vcm_range *range;
	int ret = -ENOSPC;

	lockdep_assert_held(&map->lock);

	mutex_lock(&vdev->lock);
	if (!vcm_window_takes(vdev, window, map->need))
		goto unlock;
	vcm_extents_set_last(&window->extents, vcm_dma_limit(vdev->dev));
	range = vcm_extents_alloc(&window->extents, map->need, map->align);
	if (IS_ERR(range))
		ret = PTR_ERR(range);
	else
		ret = vcm_place_at(vdev, map, range,
				   vcm_window_slab(window, range->start));
unlock:
	mutex_unlock(&vdev->lock);
	return ret;
}

static int vcm_place_in_slabs(struct vcm_iova_device *vdev,
			      struct vcm_iova_mapping *map)
{
	struct vcm_range *range;

	lockdep_assert_held(&vdev->lock);

	vcm_slab_setup(vdev);
	/* Slabs that were reserved for a boundary that is another now */
	if (vdev->extents.boundary != vcm_dma_boundary(vdev->dev))
		return -ENOSPC;
	/* A longer buffer would have a segment boundary in it. */
	if (!vdev->slab_size ||
	    (vdev->extents.boundary && map->need > vdev->extents.boundary))
		return -ENOSPC;

	range = vcm_search(vdev, map->need, map->align);
	if (IS_ERR(range))
		return PTR_ERR(range);
	return vcm_place_at(vdev, map, range, vcm_slab_find(vdev, range->start));
}

/*
 * A reservation for the buffer alone, of @len addresses. The DMA API aligns it to
 * its size, so that segments can be cut by length alone.
 */
static int vcm_place_alone(struct vcm_iova_device *vdev,
			   struct vcm_iova_mapping *map, u64 len, bool narrow)
{
	lockdep_assert_held(&map->lock);

	if (!dma_iova_try_alloc(vdev->dev, &map->own, 0, len))
		return -ENOSPC;
	map->iova = map->own.addr + map->lead;
	map->taken = len;
	if (narrow) {
		map->alone = len;
		atomic64_add(len, &vdev->alone);
	}
	return 0;
}

/* Is what the policy takes beyond the buffer within the limits? */
static bool vcm_extra_allowed(const struct vcm_iova_mapping *map, u64 limit)
{
	u64 extra = min(limit / VCM_EXTRA_PART + 1, VCM_EXTRA_MAX);

	return map->guard + map->lead <= extra &&
	       (map->align <= extra || map->align / 2 < map->need) &&
	       map->need <= VCM_LEN_MAX && map->align <= VCM_LEN_MAX;
}

/* Aligned to its size: what is longer than half of the alignment has it. */
static u64 vcm_alone_len(const struct vcm_iova_mapping *map)
{
	return map->align / 2 >= map->need ? map->align : map->need;
}

/* Where room is scarce, and a reservation alone would waste it, or there is none */
static int vcm_place_narrow(struct vcm_iova_device *vdev,
			    struct vcm_iova_mapping *map)
{
	int ret;

	lockdep_assert_held(&map->lock);

	mutex_lock(&vdev->lock);
	ret = vcm_place_in_slabs(vdev, map);
	mutex_unlock(&vdev->lock);
	if (ret == -ENOSPC && !map->packed)
		ret = vcm_place_alone(vdev, map, vcm_alone_len(map), true);
	return ret;
}

/* Is @len, aligned to @align, what the DMA API packs by itself? */
static bool vcm_is_packed(u64 len, u64 align)
{
	return align / 2 < len &&
	       (!(len & (len - 1)) || len <= VCM_ROUNDED_MAX);
}

/*
 * The largest chunk that the head of the buffer could be, by its length and by
 * where it is. A few sizes only: the allocator is fast for a few alignments.
 */
static u64 vcm_head_align(const struct vcm_iova_mapping *map)
{
	u64 phys = map->runs->phys;
	u64 most = min(phys & -phys, (u64)map->runs->len);

	if (most >= VCM_IOVA_ALIGN_MAX)
		return VCM_IOVA_ALIGN_MAX;
	if (most >= SZ_1M)
		return SZ_1M;
	if (most >= SZ_64K)
		return max_t(u64, SZ_64K, PAGE_SIZE);
	return PAGE_SIZE;
}

static u64 vcm_tight_align(const struct vcm_iova_mapping *map, u64 align)
{
	u64 least = map->vdev->rules.min_align;

	if (align > VCM_ALIGN_TIGHT &&
	    ALIGN(map->len, align) - map->len > map->len / VCM_ALIGN_WASTE)
		return max(VCM_ALIGN_TIGHT, min(align, least));
	return align;
}

/*
 * What is before the buffer takes as much as the alignment, and no segment boundary
 * may come to be in a segment by it.
 */
static void vcm_guards_init(struct vcm_iova_mapping *map,
			    const struct vcm_iova_policy *policy)
{
	u64 boundary = vcm_dma_boundary(map->vdev->dev);

	map->guard = PAGE_ALIGN(policy->guard);
	map->guard_before = PAGE_ALIGN(policy->guard_before);
	map->lead = ALIGN(map->guard_before, map->wide_align);
	map->need = map->lead + map->len + map->guard;
	if (map->lead && boundary && map->need > boundary) {
		map->lead = ALIGN(map->lead, boundary);
		map->need = map->lead + map->len + map->guard;
	}
}

/* What most policies do not ask for */
static noinline void vcm_special_init(struct vcm_iova_mapping *map,
				      const struct vcm_iova_policy *policy)
{
	map->strict = policy->flags & VCM_IOVA_STRICT;
	map->scratch = policy->flags & VCM_IOVA_SCRATCH;
	map->keep = policy->flags & VCM_IOVA_KEEP && map->linked;
	INIT_LIST_HEAD(&map->keep_node);
	if (policy->window) {
		map->window = vcm_window_find(map->vdev, policy->window);
		map->astray = !map->window;
	}
	map->special = map->scratch || map->keep || map->astray;
	vcm_guards_init(map, policy);
}

/* The boundary may have come later. */
static bool vcm_lead_allowed(const struct vcm_iova_mapping *map)
{
	u64 boundary = vcm_dma_boundary(map->vdev->dev);

	return !map->lead || !boundary || map->need <= boundary ||
	       IS_ALIGNED(map->lead, boundary);
}

/**
 * vcm_place_init - find out what there is to know before a buffer is placed
 * @map: the buffer, with its table
 * @policy: where it is to go
 *
 * Context: Any.
 */
void vcm_place_init(struct vcm_iova_mapping *map,
		    const struct vcm_iova_policy *policy)
{
	static const struct vcm_iova_policy none;
	u64 align = vcm_head_align(map);

	if (unlikely(map->vdev->rules.anywhere))
		policy = &none;
	map->wide_align = max(policy->align, align);
	map->guard = 0;
	map->guard_before = 0;
	map->lead = 0;
	map->need = map->len;
	map->strict = false;
	map->special = false;
	map->scratch = false;
	map->keep = false;
	map->astray = false;
	map->window = NULL;
	if (unlikely(policy->flags | policy->window | policy->guard |
		     policy->guard_before))
		vcm_special_init(map, policy);
	map->narrow_align = max(policy->align, vcm_tight_align(map, align));
	map->packed = vcm_is_packed(map->need, map->narrow_align);
	map->greedy = map->guard || map->lead || map->wide_align / 2 >= map->need ||
		      map->need > VCM_LEN_MAX || map->window || map->astray;
	vcm_pieces_init(map);
}

/**
 * vcm_place - choose the addresses of a mapping
 * @map: the mapping
 *
 * On success &struct vcm_iova_mapping.iova is set and the addresses are taken.
 *
 * Context: Process context, may sleep, with &struct vcm_iova_mapping.lock.
 * Return: 0, -ENOSPC (no room in the address space or in the window, or the policy
 *	asks for too much of it), -EOPNOTSUPP (strict, and no such window), -ENOMEM.
 */
int vcm_place(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;
	u64 limit = vcm_dma_limit(vdev->dev);
	bool narrow = limit <= VCM_NARROW_MASK;
	u64 len = map->need;
	int ret = -ENOSPC;

	lockdep_assert_held(&map->lock);

	map->align = narrow ? map->narrow_align : map->wide_align;
	if (map->need - 1 > limit || map->align - 1 > limit)
		return -ENOSPC;
	if (unlikely(map->greedy)) {
		if (!vcm_extra_allowed(map, limit) || !vcm_lead_allowed(map))
			return -ENOSPC;
		if (map->astray && map->strict) {
			atomic_long_inc(&vdev->nr_refused);
			return -EOPNOTSUPP;
		}
		if (map->window) {
			ret = vcm_place_in_window(map);
			goto placed;
		}
		len = vcm_alone_len(map);
	}

	if (!narrow || map->packed)
		ret = vcm_place_alone(vdev, map, len, narrow);
	if (ret == -ENOSPC && narrow)
		ret = vcm_place_narrow(vdev, map);
placed:
	if (!ret)
		trace_vcm_iova_reserve(map);
	return ret;
}

/**
 * vcm_unplace - give the addresses of a mapping back
 * @map: the mapping, with nothing linked
 *
 * Context: Process context, may sleep, with &struct vcm_iova_mapping.lock.
 */
void vcm_unplace(struct vcm_iova_mapping *map)
{
	struct vcm_iova_device *vdev = map->vdev;

	lockdep_assert_held(&map->lock);

	map->taken = 0;
	if (map->range) {
		mutex_lock(&vdev->lock);
		vcm_unplace_slabs(vdev, map);
		mutex_unlock(&vdev->lock);
		return;
	}

	if (map->alone) {
		atomic64_sub(map->alone, &vdev->alone);
		map->alone = 0;
	}
	if (likely(!vcm_device_lost(vdev)))
		dma_iova_free(vdev->dev, &map->own);
}
