// SPDX-License-Identifier: GPL-2.0
/*
 * Placement of buffers in a range of numbers
 *
 * A free extent is a range of addresses with nothing in it. Addresses are
 * added in slabs, and slabs that touch make one extent; a buffer is cut out of
 * an extent and goes back to it. A slab without buffers can be taken out again.
 *
 * Buffers go into the shortest extent that takes them with their alignment
 * (aligned best fit), at its highest aligned address: slabs come from the top
 * down, so what stays free below joins the next one. The free extents are in a
 * tree ordered by length. How long a buffer of a given alignment an extent
 * takes depends on its address as well, so each node of the tree knows the
 * maximum of that over its subtree, for the alignments in use; the search
 * descends to the first node that is long enough and never has to go back.
 *
 * Knuth (The Art of Computer Programming, vol. 1, 2.5) compares best fit with
 * first fit; best fit with the list's own workload is Isaac J. Manjarres,
 * "iommu/iova: Add a best-fit algorithm", iommu list, February 2020.
 *
 * Nothing here knows devices, DMA or locks, and nothing but adding and taking
 * addresses can fail: what giving back needs is set aside before.
 */

#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/rbtree_augmented.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vcm-extent.h"

static u64 vcm_range_end(const struct vcm_range *range)
{
	return range->start + range->len;
}

/* How much of @range, from its beginning, a buffer may be in. */
static u64 vcm_range_reach(const struct vcm_range *range)
{
	u64 last = range->extents->last;

	if (range->start > last)
		return 0;
	return range->len > last - range->start ?
	       last - range->start + 1 : range->len;
}

/* The longest buffer of alignment @align that @range takes. */
static u64 vcm_range_fit(const struct vcm_range *range, u64 align)
{
	u64 skip = -range->start & (align - 1);
	u64 len = vcm_range_reach(range);

	return len > skip ? len - skip : 0;
}

/* --- The tree of free extents, by length ------------------------------- */

#define vcm_by_size(rb)	rb_entry_safe(rb, struct vcm_range, by_size)
#define vcm_by_addr(rb)	rb_entry_safe(rb, struct vcm_range, by_addr)

/* Longest below @range for alignment number @i. */
static u64 vcm_fit_len(const struct vcm_range *range, int i)
{
	const struct vcm_range *left = vcm_by_size(range->by_size.rb_left);
	const struct vcm_range *right = vcm_by_size(range->by_size.rb_right);
	u64 len = vcm_range_fit(range, range->extents->align[i]);

	if (left)
		len = max(len, left->fit.len[i]);
	if (right)
		len = max(len, right->fit.len[i]);
	return len;
}

/* Recompute what fits below @range; true if that changed. */
static bool vcm_fit_update(struct vcm_range *range)
{
	bool changed = false;
	int i;

	for (i = 0; i < range->extents->nr_aligns; i++) {
		u64 len = vcm_fit_len(range, i);

		changed |= len != range->fit.len[i];
		range->fit.len[i] = len;
	}
	return changed;
}

/* On the way to the root, which may end where nothing changed: then true. */
static bool vcm_fit_compute(struct vcm_range *range, bool exit)
{
	return !vcm_fit_update(range);
}

RB_DECLARE_CALLBACKS(static, vcm_fit_callbacks, struct vcm_range, by_size, fit,
		     vcm_fit_compute);

static bool vcm_range_shorter(const struct vcm_range *a,
			      const struct vcm_range *b)
{
	if (a->len != b->len)
		return a->len < b->len;
	return a->start < b->start;
}

static void vcm_by_size_insert(struct vcm_extents *extents,
			       struct vcm_range *range)
{
	struct rb_node **link = &extents->by_size.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (vcm_range_shorter(range, vcm_by_size(parent)))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}

	memset(&range->fit, 0, sizeof(range->fit));
	rb_link_node(&range->by_size, parent, link);
	vcm_fit_callbacks.propagate(&range->by_size, NULL);
	rb_insert_augmented(&range->by_size, &extents->by_size,
			    &vcm_fit_callbacks);
}

static void vcm_by_size_erase(struct vcm_extents *extents,
			      struct vcm_range *range)
{
	rb_erase_augmented(&range->by_size, &extents->by_size,
			   &vcm_fit_callbacks);
}

/* The shortest extent that takes @len addresses with alignment number @i. */
static struct vcm_range *vcm_by_size_search(struct vcm_extents *extents, int i,
					    u64 len)
{
	struct vcm_range *range = vcm_by_size(extents->by_size.rb_node);

	if (!range || range->fit.len[i] < len)
		return NULL;

	/* The first is on the left if there is one, else here, else right. */
	for (;;) {
		struct vcm_range *left = vcm_by_size(range->by_size.rb_left);

		if (left && left->fit.len[i] >= len) {
			range = left;
			continue;
		}
		if (vcm_range_fit(range, extents->align[i]) >= len)
			return range;
		range = vcm_by_size(range->by_size.rb_right);
	}
}

/* What fits has changed everywhere: children before their parents. */
static void vcm_fit_compute_all(struct vcm_extents *extents)
{
	struct vcm_range *range, *next;

	rbtree_postorder_for_each_entry_safe(range, next, &extents->by_size,
					     by_size)
		vcm_fit_update(range);
}

/* The number that an alignment without one gets: of those in use the oldest. */
static int vcm_align_replaced(const struct vcm_extents *extents)
{
	int i, oldest = 0;

	for (i = 1; i < VCM_NR_ALIGNS; i++)
		if (extents->asked[i] < extents->asked[oldest])
			oldest = i;
	return oldest;
}

static int vcm_align_add(struct vcm_extents *extents, u64 align)
{
	int i = extents->nr_aligns;

	if (i < VCM_NR_ALIGNS)
		extents->nr_aligns++;
	else
		i = vcm_align_replaced(extents);
	extents->align[i] = align;
	vcm_fit_compute_all(extents);
	return i;
}

/* The number of @align, which gets one if it has none. */
static int vcm_align_number(struct vcm_extents *extents, u64 align)
{
	int i;

	for (i = 0; i < extents->nr_aligns; i++)
		if (extents->align[i] == align)
			break;
	if (i == extents->nr_aligns)
		i = vcm_align_add(extents, align);
	extents->asked[i] = ++extents->nr_asked;
	return i;
}

static struct vcm_range *vcm_extents_search(struct vcm_extents *extents,
					    u64 len, u64 align)
{
	return vcm_by_size_search(extents, vcm_align_number(extents, align),
				  len);
}

/* --- The tree of all ranges, by address -------------------------------- */

static void vcm_by_addr_insert(struct vcm_extents *extents,
			       struct vcm_range *range)
{
	struct rb_node **link = &extents->by_addr.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (range->start < vcm_by_addr(parent)->start)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&range->by_addr, parent, link);
	rb_insert_color(&range->by_addr, &extents->by_addr);
}

/* The last range that starts at @addr or before. */
static struct vcm_range *vcm_by_addr_find(struct vcm_extents *extents,
					  u64 addr)
{
	struct rb_node *rb = extents->by_addr.rb_node;
	struct vcm_range *found = NULL;

	while (rb) {
		if (vcm_by_addr(rb)->start <= addr) {
			found = vcm_by_addr(rb);
			rb = rb->rb_right;
		} else {
			rb = rb->rb_left;
		}
	}
	return found;
}

/* --- Spare ranges ------------------------------------------------------ */

/*
 * Each free extent begins where a slab begins or a used range ends. With S
 * slabs and U used ranges there are at most S + U extents, and S + 2U ranges
 * in all. So a slab brings one struct vcm_range along and a buffer brings two,
 * each takes its number away again, and in between there is always one when
 * an extent has to be split.
 */
static int vcm_extents_reserve(struct vcm_extents *extents, int nr)
{
	LIST_HEAD(new);

	while (nr--) {
		struct vcm_range *range = kzalloc_obj(*range);

		if (!range)
			goto free_new;
		range->extents = extents;
		list_add(&range->spare, &new);
	}
	list_splice(&new, &extents->spares);
	return 0;

free_new:
	while (!list_empty(&new)) {
		struct vcm_range *range = list_first_entry(&new,
							   struct vcm_range,
							   spare);

		list_del(&range->spare);
		kfree(range);
	}
	return -ENOMEM;
}

static struct vcm_range *vcm_spare_pop(struct vcm_extents *extents)
{
	struct vcm_range *range;

	range = list_first_entry_or_null(&extents->spares, struct vcm_range,
					 spare);
	if (!WARN_ON(!range))
		list_del(&range->spare);
	return range;
}

static void vcm_extents_unreserve(struct vcm_extents *extents, int nr)
{
	while (nr--)
		kfree(vcm_spare_pop(extents));
}

/* --- Extents ----------------------------------------------------------- */

/* Make a range of what no range covers. */
static struct vcm_range *vcm_range_create(struct vcm_extents *extents,
					  u64 start, u64 len, bool used)
{
	struct vcm_range *range = vcm_spare_pop(extents);

	if (!range)
		return NULL;
	range->start = start;
	range->len = len;
	range->used = used;
	vcm_by_addr_insert(extents, range);
	if (!used)
		vcm_by_size_insert(extents, range);
	return range;
}

static void vcm_range_retire(struct vcm_extents *extents,
			     struct vcm_range *range)
{
	if (!range->used)
		vcm_by_size_erase(extents, range);
	rb_erase(&range->by_addr, &extents->by_addr);
	list_add(&range->spare, &extents->spares);
}

/* Make a free range longer or shorter, at either end. */
static void vcm_range_resize(struct vcm_extents *extents,
			     struct vcm_range *range, u64 start, u64 len)
{
	vcm_by_size_erase(extents, range);
	range->start = start;
	range->len = len;
	vcm_by_size_insert(extents, range);
}

/* Are both free and without anything between them? */
static bool vcm_ranges_join(const struct vcm_extents *extents,
			    const struct vcm_range *low,
			    const struct vcm_range *high)
{
	return low && high && !low->used && !high->used &&
	       vcm_range_end(low) == high->start &&
	       !(extents->boundary &&
		 IS_ALIGNED(high->start, extents->boundary));
}

/* Make @range, which is in the tree by address alone, free, with neighbours. */
static void vcm_range_make_free(struct vcm_extents *extents,
				struct vcm_range *range)
{
	struct vcm_range *prev = vcm_by_addr(rb_prev(&range->by_addr));
	struct vcm_range *next = vcm_by_addr(rb_next(&range->by_addr));

	range->used = false;
	if (vcm_ranges_join(extents, range, next)) {
		range->len += next->len;
		vcm_range_retire(extents, next);
	}
	if (vcm_ranges_join(extents, prev, range)) {
		range->start = prev->start;
		range->len += prev->len;
		vcm_range_retire(extents, prev);
	}
	vcm_by_size_insert(extents, range);
}

/* Cut a buffer out of the free @range, which takes it. */
static struct vcm_range *vcm_range_take(struct vcm_extents *extents,
					struct vcm_range *range, u64 len,
					u64 align)
{
	u64 start = ALIGN_DOWN(range->start + vcm_range_reach(range) - len,
			       align);
	u64 end = vcm_range_end(range);

	if (start + len < end)
		vcm_range_create(extents, start + len, end - start - len,
				 false);
	if (start == range->start) {
		vcm_by_size_erase(extents, range);
		range->len = len;
		range->used = true;
		return range;
	}
	vcm_range_resize(extents, range, range->start, start - range->start);
	return vcm_range_create(extents, start, len, true);
}

/**
 * vcm_extents_init - begin with no addresses
 * @extents: the allocator
 * @boundary: no buffer may reach across a multiple of this power of two, or 0
 *
 * Context: Any.
 */
void vcm_extents_init(struct vcm_extents *extents, u64 boundary)
{
	memset(extents, 0, sizeof(*extents));
	extents->by_addr = RB_ROOT;
	extents->by_size = RB_ROOT;
	extents->boundary = boundary;
	extents->last = U64_MAX;
	INIT_LIST_HEAD(&extents->spares);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_init);

/**
 * vcm_extents_set_last - place no buffer beyond an address
 * @extents: the allocator
 * @last: the last address that one may have; buffers that are beyond it stay
 *
 * Context: Any.
 */
void vcm_extents_set_last(struct vcm_extents *extents, u64 last)
{
	if (extents->last == last)
		return;
	extents->last = last;
	vcm_fit_compute_all(extents);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_set_last);

/**
 * vcm_extents_destroy - end
 * @extents: the allocator, without addresses
 *
 * Context: Any.
 */
void vcm_extents_destroy(struct vcm_extents *extents)
{
	WARN_ON(!RB_EMPTY_ROOT(&extents->by_addr));
	WARN_ON(!list_empty(&extents->spares));
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_destroy);

/**
 * vcm_extents_add - add a slab of addresses
 * @extents: the allocator
 * @start: first address
 * @len: number of addresses; the slab crosses no boundary
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL (empty, past the last address), -EEXIST (some of it is
 *	there already), -ENOMEM.
 */
int vcm_extents_add(struct vcm_extents *extents, u64 start, u64 len)
{
	struct vcm_range *prev, *range;
	u64 end;
	int ret;

	if (!len || check_add_overflow(start, len, &end))
		return -EINVAL;

	prev = vcm_by_addr_find(extents, end - 1);
	if (prev && vcm_range_end(prev) > start)
		return -EEXIST;

	ret = vcm_extents_reserve(extents, 1);
	if (ret)
		return ret;

	range = vcm_range_create(extents, start, len, true);
	vcm_range_make_free(extents, range);
	extents->total += len;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_add);

/* The free range that covers all of @start and @len, or NULL. */
static struct vcm_range *vcm_extents_find_free(struct vcm_extents *extents,
					       u64 start, u64 len)
{
	struct vcm_range *range = vcm_by_addr_find(extents, start);

	if (!range || range->used || start >= vcm_range_end(range) ||
	    len > vcm_range_end(range) - start)
		return NULL;
	return range;
}

/**
 * vcm_extents_is_free - is there no buffer in a slab
 * @extents: the allocator
 * @start: first address of the slab
 * @len: number of addresses
 *
 * Context: Any.
 * Return: true if vcm_extents_remove() can be called.
 */
bool vcm_extents_is_free(struct vcm_extents *extents, u64 start, u64 len)
{
	return vcm_extents_find_free(extents, start, len);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_is_free);

/**
 * vcm_extents_remove - take a slab out again
 * @extents: the allocator
 * @start: first address, as it was added
 * @len: number of addresses, as it was added
 *
 * Context: Any. The slab is free, see vcm_extents_is_free().
 */
void vcm_extents_remove(struct vcm_extents *extents, u64 start, u64 len)
{
	struct vcm_range *range = vcm_extents_find_free(extents, start, len);
	u64 end = start + len, range_end;

	if (WARN_ON(!range))
		return;

	range_end = vcm_range_end(range);
	if (range->start < start)
		vcm_range_resize(extents, range, range->start,
				 start - range->start);
	else
		vcm_range_retire(extents, range);
	if (end < range_end)
		vcm_range_create(extents, end, range_end - end, false);

	extents->total -= len;
	vcm_extents_unreserve(extents, 1);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_remove);

/**
 * vcm_extents_alloc - place a buffer
 * @extents: the allocator
 * @len: number of addresses, not 0
 * @align: power of two that the first address is a multiple of
 *
 * Context: Process context, may sleep.
 * Return: the range, for vcm_extents_free(), -ENOSPC (no extent takes it) or
 *	-ENOMEM.
 */
struct vcm_range *vcm_extents_alloc(struct vcm_extents *extents, u64 len,
				    u64 align)
{
	struct vcm_range *range;
	int ret;

	if (WARN_ON(!len || !align || align & (align - 1)))
		return ERR_PTR(-EINVAL);

	range = vcm_extents_search(extents, len, align);
	if (!range)
		return ERR_PTR(-ENOSPC);

	ret = vcm_extents_reserve(extents, 2);
	if (ret)
		return ERR_PTR(ret);

	extents->used += len;
	return vcm_range_take(extents, range, len, align);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_alloc);

/**
 * vcm_extents_free - give a buffer's addresses back
 * @extents: the allocator
 * @range: what vcm_extents_alloc() returned
 *
 * Context: Any.
 */
void vcm_extents_free(struct vcm_extents *extents, struct vcm_range *range)
{
	if (WARN_ON(!range->used))
		return;

	extents->used -= range->len;
	vcm_range_make_free(extents, range);
	vcm_extents_unreserve(extents, 2);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_free);

/**
 * vcm_extents_largest - length of the largest free extent
 * @extents: the allocator
 *
 * Context: Any.
 * Return: the length, 0 if nothing is free.
 */
u64 vcm_extents_largest(const struct vcm_extents *extents)
{
	struct rb_node *rb = rb_last(&extents->by_size);

	return rb ? vcm_by_size(rb)->len : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_extents_largest);
