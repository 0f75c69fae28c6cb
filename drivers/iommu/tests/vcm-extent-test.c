// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the placement of buffers
 *
 * A case is named after what it proves. After each one the trees are looked at
 * from inside: what the allocator's search relies on has to hold, whatever was
 * done. The random operations are checked against a map with a byte for each
 * address, which is slow and cannot be wrong.
 */

#include <kunit/test.h>
#include <linux/align.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../vcm-extent.h"
#include "vcm-fail-nth.h"

static unsigned long long seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Seed of the random operations, 0 for a new one");

/**
 * struct extent_test - what a case works on
 * @extents: the allocator
 * @nr_slabs: slabs in it
 */
struct extent_test {
	struct vcm_extents extents;
	unsigned int nr_slabs;
};

#define range_of_addr(rb)	rb_entry_safe(rb, struct vcm_range, by_addr)
#define range_of_size(rb)	rb_entry_safe(rb, struct vcm_range, by_size)

/* --- Looking at the trees ---------------------------------------------- */

/* What a range takes with alignment @align, computed unlike the allocator. */
/* How much of a range is not beyond @last. */
static u64 reach_of(u64 start, u64 len, u64 last)
{
	return start > last ? 0 : min(len - 1, last - start) + 1;
}

static u64 fit_of(u64 start, u64 len, u64 align)
{
	u64 rest = start & (align - 1);
	u64 skip = rest ? align - rest : 0;

	return skip < len ? len - skip : 0;
}

/* The highest address in a range that takes @len with alignment @align. */
static u64 highest_of(const struct vcm_range *range, u64 len, u64 align)
{
	u64 last = range->start + range->len - len;

	return last - (last & (align - 1));
}

static u64 fit_below(const struct vcm_range *range, int i)
{
	return range ? range->fit.len[i] : 0;
}

/* For alignments that are not in use nothing is computed. */
static bool fit_is_right(const struct vcm_extents *extents,
			 const struct vcm_range *range, int i)
{
	u64 fit, left, right;

	if (i >= extents->nr_aligns)
		return !range->fit.len[i];
	fit = fit_of(range->start,
		     reach_of(range->start, range->len, extents->last),
		     extents->align[i]);
	left = fit_below(range_of_size(range->by_size.rb_left), i);
	right = fit_below(range_of_size(range->by_size.rb_right), i);
	return range->fit.len[i] == max(fit, max(left, right));
}

static bool crosses(u64 start, u64 len, u64 boundary)
{
	return boundary &&
	       ALIGN_DOWN(start, boundary) != ALIGN_DOWN(start + len - 1, boundary);
}

static const char *neighbours_wrong(const struct vcm_extents *extents,
				    const struct vcm_range *prev,
				    const struct vcm_range *range)
{
	if (!range->len || range->start > U64_MAX - range->len)
		return "a range is empty or overflows";
	if (crosses(range->start, range->len, extents->boundary))
		return "a range crosses a boundary";
	if (!prev)
		return NULL;
	if (prev->start + prev->len > range->start)
		return "ranges overlap";
	if (prev->used || range->used ||
	    prev->start + prev->len < range->start)
		return NULL;
	if (extents->boundary && IS_ALIGNED(range->start, extents->boundary))
		return NULL;
	return "neighbours are not joined";
}

/**
 * struct extent_sum - what is in the tree of all ranges
 * @nr: ranges
 * @nr_used: used ones of them
 * @total: addresses in them
 * @used: addresses in the used ones
 */
struct extent_sum {
	unsigned int nr;
	unsigned int nr_used;
	u64 total;
	u64 used;
};

static const char *by_addr_wrong(const struct vcm_extents *extents,
				 struct extent_sum *sum)
{
	struct vcm_range *prev = NULL, *range;
	const char *wrong;
	struct rb_node *rb;

	for (rb = rb_first(&extents->by_addr); rb; rb = rb_next(rb)) {
		range = range_of_addr(rb);
		wrong = neighbours_wrong(extents, prev, range);
		if (wrong)
			return wrong;
		sum->nr++;
		sum->total += range->len;
		if (range->used) {
			sum->nr_used++;
			sum->used += range->len;
		}
		prev = range;
	}
	return NULL;
}

static const char *by_size_wrong(const struct vcm_extents *extents,
				 unsigned int nr)
{
	struct vcm_range *prev = NULL, *range;
	struct rb_node *rb;
	int i;

	for (rb = rb_first(&extents->by_size); rb; rb = rb_next(rb), nr--) {
		range = range_of_size(rb);
		if (range->used)
			return "a used range is among the free ones";
		if (prev && (prev->len > range->len ||
			     (prev->len == range->len &&
			      prev->start >= range->start)))
			return "the free ranges are not ordered by length";
		for (i = 0; i < VCM_NR_ALIGNS; i++)
			if (!fit_is_right(extents, range, i))
				return "what fits below a range is wrong";
		prev = range;
	}
	return nr ? "the trees hold different numbers of free ranges" : NULL;
}

static const char *aligns_wrong(const struct vcm_extents *extents)
{
	const u64 *align = extents->align;
	int nr = extents->nr_aligns, i, j;

	if (nr < 0 || nr > VCM_NR_ALIGNS)
		return "the number of alignments is wrong";
	for (i = 0; i < nr; i++) {
		if (!align[i] || align[i] & (align[i] - 1))
			return "an alignment is not a power of two";
		for (j = 0; j < i; j++)
			if (align[i] == align[j])
				return "an alignment has two numbers";
	}
	for (; i < VCM_NR_ALIGNS; i++)
		if (align[i])
			return "an alignment is not counted";
	return NULL;
}

static unsigned int nr_spares(const struct vcm_extents *extents)
{
	struct vcm_range *range;
	unsigned int nr = 0;

	list_for_each_entry(range, &extents->spares, spare)
		nr++;
	return nr;
}

/* What is wrong inside the allocator, or NULL. */
static const char *trees_wrong(const struct extent_test *et)
{
	const struct vcm_extents *extents = &et->extents;
	struct extent_sum sum = {};
	const char *wrong;

	wrong = aligns_wrong(extents);
	if (!wrong)
		wrong = by_addr_wrong(extents, &sum);
	if (!wrong)
		wrong = by_size_wrong(extents, sum.nr - sum.nr_used);
	if (wrong)
		return wrong;
	if (extents->total != sum.total)
		return "the total is wrong";
	if (extents->used != sum.used)
		return "the sum of what is used is wrong";
	if (sum.nr + nr_spares(extents) != et->nr_slabs + 2 * sum.nr_used)
		return "the number of spare ranges is wrong";
	return NULL;
}

/* --- Before and after each case ---------------------------------------- */

static int extent_suite_init(struct kunit_suite *suite)
{
	while (!seed)
		seed = get_random_u64();
	kunit_info(suite, "seed=%llu\n", seed);
	return 0;
}

static int extent_test_init(struct kunit *test)
{
	struct extent_test *et = kunit_kzalloc(test, sizeof(*et), GFP_KERNEL);

	if (!et)
		return -ENOMEM;
	vcm_extents_init(&et->extents, 0);
	test->priv = et;
	return 0;
}

/* Free everything, also what the allocator would not let go. */
static void drop_all(struct vcm_extents *extents)
{
	struct vcm_range *range, *next;

	rbtree_postorder_for_each_entry_safe(range, next, &extents->by_addr,
					     by_addr)
		kfree(range);
	list_for_each_entry_safe(range, next, &extents->spares, spare)
		kfree(range);
	vcm_extents_init(extents, 0);
}

static void expect_trees_right(struct kunit *test)
{
	const char *wrong = trees_wrong(test->priv);

	if (wrong)
		KUNIT_FAIL(test, "%s", wrong);
}

static void extent_test_exit(struct kunit *test)
{
	struct extent_test *et = test->priv;

	if (!et)
		return;
	expect_trees_right(test);
	drop_all(&et->extents);
}

/* --- Steps of the cases ------------------------------------------------ */

static struct vcm_extents *extents_of(struct kunit *test)
{
	return &((struct extent_test *)test->priv)->extents;
}

static void set_boundary(struct kunit *test, u64 boundary)
{
	vcm_extents_init(extents_of(test), boundary);
}

static void add_slab(struct kunit *test, u64 start, u64 len)
{
	struct extent_test *et = test->priv;

	KUNIT_ASSERT_EQ(test, vcm_extents_add(&et->extents, start, len), 0);
	et->nr_slabs++;
}

static void remove_slab(struct kunit *test, u64 start, u64 len)
{
	struct extent_test *et = test->priv;

	KUNIT_ASSERT_TRUE(test, vcm_extents_is_free(&et->extents, start, len));
	vcm_extents_remove(&et->extents, start, len);
	et->nr_slabs--;
}

static void expect_refused(struct kunit *test, u64 start, u64 len, int err)
{
	struct vcm_extents *extents = extents_of(test);
	u64 total = extents->total;

	KUNIT_EXPECT_EQ_MSG(test, vcm_extents_add(extents, start, len), err,
			    "slab %#llx, length %#llx",
			    (unsigned long long)start, (unsigned long long)len);
	KUNIT_EXPECT_EQ(test, extents->total, total);
}

/* Place a buffer, which has to come out at @start. */
static struct vcm_range *place(struct kunit *test, u64 len, u64 align,
			       u64 start)
{
	struct vcm_range *range;

	range = vcm_extents_alloc(extents_of(test), len, align);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	KUNIT_ASSERT_EQ_MSG(test, range->start, start,
			    "length %#llx, alignment %#llx",
			    (unsigned long long)len, (unsigned long long)align);
	KUNIT_EXPECT_EQ(test, range->len, len);
	KUNIT_EXPECT_TRUE(test, range->used);
	return range;
}

static void expect_no_room(struct kunit *test, u64 len, u64 align)
{
	struct vcm_range *range;

	range = vcm_extents_alloc(extents_of(test), len, align);
	KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(range), -ENOSPC,
			    "length %#llx, alignment %#llx",
			    (unsigned long long)len, (unsigned long long)align);
}

static void give_back(struct kunit *test, struct vcm_range *range)
{
	vcm_extents_free(extents_of(test), range);
}

static void expect_largest(struct kunit *test, u64 len)
{
	KUNIT_EXPECT_EQ(test, vcm_extents_largest(extents_of(test)), len);
}

static void expect_free(struct kunit *test, u64 start, u64 len, bool is_free)
{
	KUNIT_EXPECT_EQ_MSG(test,
			    vcm_extents_is_free(extents_of(test), start, len),
			    is_free, "slab %#llx, length %#llx",
			    (unsigned long long)start, (unsigned long long)len);
}

/* --- Adding slabs ------------------------------------------------------ */

static void nothing_is_there_at_first(struct kunit *test)
{
	memset(extents_of(test), 0xff, sizeof(struct vcm_extents));
	vcm_extents_init(extents_of(test), 0);
	KUNIT_EXPECT_EQ(test, extents_of(test)->total, 0);
	KUNIT_EXPECT_EQ(test, extents_of(test)->used, 0);
	expect_largest(test, 0);
	expect_no_room(test, 1, 1);
	expect_free(test, 0, 1, false);
}

static void touching_slabs_are_joined(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	add_slab(test, 0x30000, 0x10000);
	expect_largest(test, 0x10000);
	add_slab(test, 0x20000, 0x10000);
	expect_largest(test, 0x30000);
	add_slab(test, 0x40000, 0x1000);
	add_slab(test, 0xf000, 0x1000);
	expect_largest(test, 0x32000);
	place(test, 0x32000, 1, 0xf000);
}

static void slabs_with_a_hole_between_are_not_joined(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	add_slab(test, 0x20001, 0x10000);
	expect_largest(test, 0x10000);
	expect_no_room(test, 0x10001, 1);
	expect_free(test, 0x1ffff, 2, false);
	add_slab(test, 0x20000, 1);
	expect_largest(test, 0x20001);
}

static void slabs_are_not_joined_across_a_boundary(struct kunit *test)
{
	set_boundary(test, 0x10000);
	add_slab(test, 0x8000, 0x4000);
	add_slab(test, 0x10000, 0x8000);
	add_slab(test, 0xc000, 0x4000);
	expect_largest(test, 0x8000);
	expect_no_room(test, 0x8001, 1);
	expect_free(test, 0xf000, 0x2000, false);
	place(test, 0x8000, 1, 0x8000);
	place(test, 0x8000, 1, 0x10000);
}

static void overlap_with_a_slab_is_refused(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	add_slab(test, 0x30000, 0x10000);

	expect_refused(test, 0x10000, 0x10000, -EEXIST);
	expect_refused(test, 0x14000, 0x1000, -EEXIST);
	expect_refused(test, 0x10000, 1, -EEXIST);
	expect_refused(test, 0x1ffff, 1, -EEXIST);
	expect_refused(test, 0xf000, 0x1001, -EEXIST);
	expect_refused(test, 0x1ffff, 0x1000, -EEXIST);
	expect_refused(test, 0x0, 0x20000, -EEXIST);
	expect_refused(test, 0x10000, 0x20000, -EEXIST);
	expect_refused(test, 0x20000, 0x10001, -EEXIST);
	expect_refused(test, 0x1ffff, 0x10002, -EEXIST);
	expect_refused(test, 0x0, U64_MAX, -EEXIST);

	add_slab(test, 0x20000, 0x10000);
	add_slab(test, 0xf000, 0x1000);
	expect_largest(test, 0x31000);
}

static void overlap_with_a_buffer_is_refused(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	place(test, 0x10000, 1, 0x10000);
	expect_refused(test, 0x10000, 0x10000, -EEXIST);
	expect_refused(test, 0x1f000, 0x2000, -EEXIST);
	expect_refused(test, 0xf000, 0x2000, -EEXIST);
	expect_refused(test, 0x0, 0x100000, -EEXIST);
	add_slab(test, 0x20000, 0x1000);
	expect_largest(test, 0x1000);
}

static void empty_and_overflowing_slabs_are_refused(struct kunit *test)
{
	expect_refused(test, 0, 0, -EINVAL);
	expect_refused(test, 0x1000, 0, -EINVAL);
	expect_refused(test, U64_MAX, 0, -EINVAL);
	expect_refused(test, U64_MAX, 1, -EINVAL);
	expect_refused(test, 1, U64_MAX, -EINVAL);
	expect_refused(test, U64_MAX - SZ_4K, SZ_4K + 1, -EINVAL);
	expect_refused(test, U64_MAX, U64_MAX, -EINVAL);
	expect_largest(test, 0);
}

/* --- Taking slabs out -------------------------------------------------- */

static void three_slabs(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	add_slab(test, 0x20000, 0x10000);
	add_slab(test, 0x30000, 0x10000);
}

static void slab_is_removed_from_the_middle(struct kunit *test)
{
	three_slabs(test);
	remove_slab(test, 0x20000, 0x10000);
	expect_largest(test, 0x10000);
	expect_free(test, 0x1ffff, 2, false);
	expect_free(test, 0x2ffff, 2, false);
	place(test, 0x10000, 1, 0x10000);
	place(test, 0x10000, 1, 0x30000);
	expect_no_room(test, 1, 1);
}

static void slab_is_removed_from_the_start(struct kunit *test)
{
	three_slabs(test);
	remove_slab(test, 0x10000, 0x10000);
	place(test, 0x20000, 1, 0x20000);
	expect_no_room(test, 1, 1);
}

static void slab_is_removed_from_the_end(struct kunit *test)
{
	three_slabs(test);
	remove_slab(test, 0x30000, 0x10000);
	place(test, 0x20000, 1, 0x10000);
	expect_no_room(test, 1, 1);
}

static void last_slab_is_removed(struct kunit *test)
{
	three_slabs(test);
	remove_slab(test, 0x20000, 0x10000);
	remove_slab(test, 0x30000, 0x10000);
	remove_slab(test, 0x10000, 0x10000);
	expect_largest(test, 0);
	KUNIT_EXPECT_EQ(test, extents_of(test)->total, 0);
	add_slab(test, 0x18000, 0x10000);
	expect_largest(test, 0x10000);
}

static void slab_is_free_only_without_a_buffer(struct kunit *test)
{
	static const u64 starts[] = { 0x20000, 0x28000, 0x2f000, 0x1f000 };
	struct vcm_range *range;
	int i;

	three_slabs(test);
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		u64 end = starts[i] + 0x1800;
		struct vcm_range *behind;

		/* Buffers go to the top: fill down to where it ends. */
		behind = place(test, 0x40000 - end, 1, end);
		range = place(test, 0x1800, 1, starts[i]);
		give_back(test, behind);
		expect_free(test, 0x20000, 0x10000, end <= 0x20000);
		expect_free(test, 0x30000, 0x10000, end <= 0x30000);
		give_back(test, range);
		expect_free(test, 0x20000, 0x10000, true);
	}
}

static void what_is_not_all_there_is_not_free(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	expect_free(test, 0x10000, 0x10000, true);
	expect_free(test, 0x14000, 0x1000, true);
	expect_free(test, 0xf000, 0x1000, false);
	expect_free(test, 0xffff, 0x10001, false);
	expect_free(test, 0x10000, 0x10001, false);
	expect_free(test, 0x1ffff, 2, false);
	expect_free(test, 0x20000, 1, false);
	expect_free(test, 0x11000, U64_MAX - 0x10000, false);
}

static void removing_a_busy_slab_is_reported(struct kunit *test)
{
	three_slabs(test);
	place(test, 0x1000, 1, 0x3f000);
	kunit_warning_suppress(test) {
		vcm_extents_remove(extents_of(test), 0x30000, 0x10000);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		vcm_extents_remove(extents_of(test), 0x40000, 0x10000);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	expect_largest(test, 0x2f000);
	KUNIT_EXPECT_EQ(test, extents_of(test)->total, 0x30000);
}

/* --- Placing buffers --------------------------------------------------- */

static void buffers_are_aligned(struct kunit *test)
{
	struct vcm_range *range;
	u64 align;

	/* The highest address without alignment has all bits set. */
	add_slab(test, 0x1001, BIT_ULL(41) - 2);
	for (align = 1; align <= BIT_ULL(40); align *= 2) {
		range = place(test, 0x1000, align, BIT_ULL(41) - align);
		give_back(test, range);
	}
	expect_largest(test, BIT_ULL(41) - 2);
}

static void shortest_extent_is_taken(struct kunit *test)
{
	add_slab(test, 0x10000, 0x5000);
	add_slab(test, 0x20000, 0x3000);
	add_slab(test, 0x30000, 0x4000);
	place(test, 0x2800, 1, 0x20800);
	place(test, 0x2800, 1, 0x31800);
	place(test, 0x2800, 1, 0x12800);
	place(test, 0x1800, 1, 0x30000);
	place(test, 0x1800, 1, 0x11000);
	place(test, 0x800, 1, 0x20000);
}

static void shortest_extent_is_taken_that_fits_aligned(struct kunit *test)
{
	/* In these, 0x2000, 0x4000 and 0x3800 are left if aligned to 0x4000. */
	add_slab(test, 0x1e000, 0x4000);
	add_slab(test, 0x2f000, 0x5000);
	add_slab(test, 0x3e000, 0x5800);
	place(test, 0x2001, 0x4000, 0x30000);
	place(test, 0x2001, 0x4000, 0x40000);
	expect_no_room(test, 0x2001, 0x4000);
	place(test, 0x2000, 0x4000, 0x20000);
	expect_no_room(test, 1, 0x4000);
}

static void lowest_of_equal_extents_is_taken(struct kunit *test)
{
	add_slab(test, 0x30000, 0x4000);
	add_slab(test, 0x10000, 0x4000);
	add_slab(test, 0x20000, 0x4000);
	place(test, 0x4000, 0x1000, 0x10000);
	place(test, 0x4000, 0x1000, 0x20000);
	place(test, 0x4000, 0x1000, 0x30000);
}

static void remainders_stay_free_in_front_and_behind(struct kunit *test)
{
	struct vcm_range *range;

	add_slab(test, 0x10100, 0x1000);
	range = place(test, 0x400, 0x400, 0x10c00);
	expect_largest(test, 0xb00);
	place(test, 0x100, 1, 0x11000);
	place(test, 0xb00, 1, 0x10100);
	expect_largest(test, 0);
	give_back(test, range);
	place(test, 0x400, 1, 0x10c00);
}

static void exact_fit_leaves_nothing(struct kunit *test)
{
	struct vcm_range *range;

	add_slab(test, 0x10000, 0x10000);
	range = place(test, 0x10000, 0x10000, 0x10000);
	expect_largest(test, 0);
	expect_no_room(test, 1, 1);
	KUNIT_EXPECT_EQ(test, extents_of(test)->used, 0x10000);
	give_back(test, range);
	expect_largest(test, 0x10000);
	KUNIT_EXPECT_EQ(test, extents_of(test)->used, 0);
}

static void what_does_not_fit_is_refused(struct kunit *test)
{
	add_slab(test, 0x11000, 0x10000);
	expect_no_room(test, 0x10001, 1);
	expect_no_room(test, U64_MAX, 1);
	expect_no_room(test, 0x1001, 0x10000);
	expect_no_room(test, 1, 0x40000);
	expect_no_room(test, 1, BIT_ULL(63));
	expect_largest(test, 0x10000);
	place(test, 0x1000, 0x10000, 0x20000);
}

static void senseless_requests_are_reported(struct kunit *test)
{
	static const struct { u64 len, align; } requests[] = {
		{ 0, 1 }, { 1, 0 }, { 1, 3 }, { 1, U64_MAX }, { 0, 0 },
		{ 1, BIT_ULL(32) + 1 }, { 1, BIT_ULL(63) + BIT_ULL(31) },
	};
	struct vcm_range *range;
	int i;

	add_slab(test, 0x10000, 0x10000);
	kunit_warning_suppress(test) {
		for (i = 0; i < ARRAY_SIZE(requests); i++) {
			range = vcm_extents_alloc(extents_of(test),
						  requests[i].len,
						  requests[i].align);
			KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(range), -EINVAL);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, i + 1);
		}
	}
	expect_largest(test, 0x10000);
}

/* The shortest extent that takes the buffer, found by looking at all. */
static struct vcm_range *shortest(struct vcm_extents *extents, u64 len,
				  u64 align)
{
	struct vcm_range *range, *best = NULL;
	struct rb_node *rb;

	for (rb = rb_first(&extents->by_addr); rb; rb = rb_next(rb)) {
		range = range_of_addr(rb);
		if (!range->used && (!best || range->len < best->len) &&
		    fit_of(range->start, range->len, align) >= len)
			best = range;
	}
	return best;
}

/*
 * Fragments of many lengths and offsets, asked for with more alignments than
 * the allocator has numbers for, in both orders.
 */
static void any_number_of_alignments_is_exact(struct kunit *test)
{
	const unsigned int nr = 3 * VCM_NR_ALIGNS;
	struct vcm_range *range, *best;
	unsigned int i, j;
	u64 align, len;

	for (i = 0; i < 64; i++)
		add_slab(test, i * 0x10000 + i * 0x7b3, 0x800 + i * 0x191);

	for (i = 0; i < 2 * nr; i++) {
		align = BIT_ULL(i < nr ? i + 2 : 2 * nr + 1 - i);
		for (j = 0, len = 1; j < 16; j++, len += 0x3a7) {
			best = shortest(extents_of(test), len, align);
			if (!best) {
				expect_no_room(test, len, align);
				continue;
			}
			range = place(test, len, align,
				      highest_of(best, len, align));
			give_back(test, range);
		}
	}
}

/*
 * The search for those that have a number takes logarithmic time. None is kept
 * from one for good by others that were asked for once.
 */
static void the_last_alignments_have_a_number(struct kunit *test)
{
	const int nr = VCM_NR_ALIGNS + 2;
	struct vcm_extents *extents = extents_of(test);
	int i, j, found;

	add_slab(test, 0, 2 * nr * SZ_4K);
	for (i = 0; i < 2 * nr; i++) {
		place(test, SZ_4K, BIT_ULL(i % nr), (2 * nr - 1 - i) * SZ_4K);
		KUNIT_EXPECT_EQ(test, extents->nr_aligns,
				min(i + 1, VCM_NR_ALIGNS));
	}
	for (i = 0; i < nr; i++) {
		for (j = found = 0; j < VCM_NR_ALIGNS; j++)
			found += extents->align[j] == BIT_ULL(i);
		KUNIT_EXPECT_EQ_MSG(test, found, i >= nr - VCM_NR_ALIGNS,
				    "alignment %d", i);
	}
}

static void last_addresses_can_be_used(struct kunit *test)
{
	const u64 start = U64_MAX - 0x2fff;
	struct vcm_range *range;

	add_slab(test, start, 0x2fff);
	expect_largest(test, 0x2fff);
	range = place(test, 0x2fff, 0x1000, start);
	give_back(test, range);
	/* The next multiple of these is 2^64. */
	expect_no_room(test, 1, 0x10000);
	expect_no_room(test, 1, BIT_ULL(63));
	place(test, 0xfff, 0x2000, start + 0x1000);
	add_slab(test, U64_MAX - 0x3fff, 0x1000);
	expect_free(test, U64_MAX - 1, 1, true);
	expect_free(test, U64_MAX, 1, false);
	remove_slab(test, U64_MAX - 0x3fff, 0x1000);
}

static void nothing_is_placed_beyond_the_last_address(struct kunit *test)
{
	struct vcm_extents *extents = extents_of(test);
	struct vcm_range *beyond, *range;

	add_slab(test, 0x10000, 0x10000);
	add_slab(test, 0x40000, 0x8000);
	beyond = place(test, 0x1000, 0x1000, 0x47000);
	vcm_extents_set_last(extents, 0x17fff);
	/* The shorter extent is beyond it, and half of the other one is. */
	expect_no_room(test, 0x8001, 1);
	expect_no_room(test, 1, 0x20000);
	range = place(test, 0x8000, 0x1000, 0x10000);
	expect_no_room(test, 1, 1);
	give_back(test, range);
	give_back(test, place(test, 0x1000, 0x1000, 0x17000));
	/* What was beyond it goes as ever, and comes back with the limit. */
	give_back(test, beyond);
	expect_largest(test, 0x10000);
	vcm_extents_set_last(extents, 0x40fff);
	give_back(test, place(test, 0x1000, 0x1000, 0x40000));
	vcm_extents_set_last(extents, U64_MAX);
	give_back(test, place(test, 0x1000, 0x1000, 0x47000));
	remove_slab(test, 0x10000, 0x10000);
	remove_slab(test, 0x40000, 0x8000);
}

static void whole_address_space_is_one_extent(struct kunit *test)
{
	struct vcm_range *low, *high;

	add_slab(test, 0, U64_MAX);
	expect_largest(test, U64_MAX);
	high = place(test, BIT_ULL(62), BIT_ULL(63), BIT_ULL(63));
	low = place(test, BIT_ULL(62), BIT_ULL(63), 0);
	expect_no_room(test, 1, BIT_ULL(63));
	place(test, BIT_ULL(62) - 1, BIT_ULL(62), 3 * BIT_ULL(62));
	give_back(test, low);
	give_back(test, high);
	expect_largest(test, 3 * BIT_ULL(62));
	expect_free(test, 0, 3 * BIT_ULL(62), true);
}

static void alignment_may_have_more_than_32_bits(struct kunit *test)
{
	add_slab(test, SZ_4K, 5 * BIT_ULL(32) + SZ_64K);
	place(test, SZ_4K, BIT_ULL(32), 5 * BIT_ULL(32));
	place(test, SZ_4K, BIT_ULL(34), BIT_ULL(34));
	place(test, SZ_4K, BIT_ULL(33), BIT_ULL(33));
	place(test, SZ_4K, BIT_ULL(32), BIT_ULL(32));
	place(test, SZ_4K, BIT_ULL(32), 3 * BIT_ULL(32));
	expect_no_room(test, 1, BIT_ULL(32));
}

/* --- Giving back ------------------------------------------------------- */

static void freed_neighbours_are_joined_in_any_order(struct kunit *test)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct vcm_range *range[3];
	int i, j;

	add_slab(test, 0x10000, 0x3000);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		for (j = 2; j >= 0; j--)
			range[j] = place(test, 0x1000, 1, 0x10000 + j * 0x1000);
		expect_largest(test, 0);
		for (j = 0; j < 3; j++)
			give_back(test, range[orders[i][j]]);
		expect_largest(test, 0x3000);
	}
}

static void freed_neighbours_stay_apart_at_a_boundary(struct kunit *test)
{
	struct vcm_range *low, *high;

	set_boundary(test, 0x10000);
	add_slab(test, 0x8000, 0x8000);
	add_slab(test, 0x10000, 0x8000);
	low = place(test, 0x8000, 1, 0x8000);
	high = place(test, 0x8000, 1, 0x10000);
	give_back(test, low);
	give_back(test, high);
	expect_largest(test, 0x8000);
	remove_slab(test, 0x8000, 0x8000);
	remove_slab(test, 0x10000, 0x8000);
}

static void freeing_twice_is_reported(struct kunit *test)
{
	struct vcm_range *range;

	add_slab(test, 0x10000, 0x10000);
	range = place(test, 0x1000, 1, 0x1f000);
	give_back(test, range);
	kunit_warning_suppress(test) {
		give_back(test, range);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	expect_largest(test, 0x10000);
	KUNIT_EXPECT_EQ(test, extents_of(test)->used, 0);
}

/* As many extents as there can be: one behind each buffer and each slab. */
static void worst_fragmentation_finds_its_spares(struct kunit *test)
{
	struct vcm_range *range[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(range); i++)
		add_slab(test, 1 + i * 4, 4);
	for (i = ARRAY_SIZE(range) - 1; i >= 0; i--)
		range[i] = place(test, 1, 4, 4 + i * 4);
	for (i = 0; i < ARRAY_SIZE(range); i += 2)
		give_back(test, range[i]);
	for (i = 1; i < ARRAY_SIZE(range); i += 2)
		give_back(test, range[i]);
	expect_largest(test, 4 * ARRAY_SIZE(range));
	for (i = 0; i < ARRAY_SIZE(range); i += 2)
		remove_slab(test, 1 + i * 4, 4);
	expect_largest(test, 4);
	for (i = 1; i < ARRAY_SIZE(range); i += 2)
		remove_slab(test, 1 + i * 4, 4);
	expect_largest(test, 0);
}

/* --- What devices ask for ---------------------------------------------- */

static void guards_leave_room_for_small_buffers(struct kunit *test)
{
	const u64 len = SZ_2M + SZ_4K;
	int i;

	add_slab(test, 0, SZ_16M);
	for (i = 3; i >= 0; i--)
		place(test, len, SZ_2M, i * SZ_4M);
	expect_no_room(test, len, SZ_2M);
	expect_largest(test, SZ_2M - SZ_4K);
	/* Behind each guard there is room for 255 pages with a guard each. */
	for (i = 0; i < 4 * 255; i++)
		place(test, SZ_8K, SZ_4K,
		      (i / 255 + 1) * SZ_4M - (i % 255 + 1) * SZ_8K);
	expect_no_room(test, SZ_8K, SZ_4K);
	expect_largest(test, SZ_4K);
}

static void seven_buffers_of_33_mb_fit_28_bits(struct kunit *test)
{
	int i;

	/* The DMA API does not give out the first megabytes nor the last. */
	for (i = 62; i > 0; i--)
		add_slab(test, i * SZ_4M, SZ_4M);
	expect_largest(test, 62 * SZ_4M);
	for (i = 1; i <= 7; i++)
		place(test, 33 * SZ_1M, SZ_1M, 63 * SZ_4M - i * 33 * SZ_1M);
	expect_no_room(test, 33 * SZ_1M, SZ_1M);
	expect_largest(test, 17 * SZ_1M);
}

/* What a buffer leaves of its slabs is below it, where the next slab comes. */
static void buffers_of_6_mb_fill_slabs_of_4_mb(struct kunit *test)
{
	struct vcm_extents *extents = extents_of(test);
	u64 slab = 64 * SZ_4M, buffer = slab;
	const u64 len = 6 * SZ_1M;
	struct vcm_range *range;

	for (;;) {
		range = vcm_extents_alloc(extents, len, SZ_2M);
		expect_trees_right(test);
		if (range == ERR_PTR(-ENOSPC)) {
			if (slab == SZ_4M)
				break;
			slab -= SZ_4M;
			add_slab(test, slab, SZ_4M);
			continue;
		}
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
		buffer -= len;
		KUNIT_EXPECT_EQ(test, range->start, buffer);
		/* No slab came before it was needed. */
		KUNIT_EXPECT_LT(test, range->start, slab + SZ_4M);
	}
	KUNIT_EXPECT_EQ(test, extents->total, 252 * SZ_1M);
	KUNIT_EXPECT_GE(test, 100 * extents->used, 95 * extents->total);
}

/* --- The end ----------------------------------------------------------- */

static void nothing_is_left_after_destroy(struct kunit *test)
{
	struct vcm_extents *extents = extents_of(test);
	struct vcm_range *range;

	vcm_extents_destroy(extents);

	three_slabs(test);
	range = place(test, 0x18000, 0x8000, 0x28000);
	remove_slab(test, 0x10000, 0x10000);
	give_back(test, range);
	remove_slab(test, 0x30000, 0x10000);
	remove_slab(test, 0x20000, 0x10000);
	vcm_extents_destroy(extents);

	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&extents->by_addr));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&extents->by_size));
	KUNIT_EXPECT_TRUE(test, list_empty(&extents->spares));
}

static void destroy_reports_what_is_left(struct kunit *test)
{
	add_slab(test, 0x10000, 0x10000);
	kunit_warning_suppress(test) {
		vcm_extents_destroy(extents_of(test));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		place(test, 0x1000, 1, 0x1f000);
		vcm_extents_destroy(extents_of(test));
		/* The ranges, and the one that is set aside. */
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 3);
	}
}

/* --- Random operations against a map ----------------------------------- */

#define MODEL_OPS	100000
#define MODEL_CELLS	2048
#define MODEL_SLABS	24
#define MODEL_RANGES	96
#define MODEL_LEN	96
#define MODEL_ALIGNS	(2 * VCM_NR_ALIGNS)

enum model_cell {
	CELL_NONE,
	CELL_FREE,
	CELL_USED,
};

/**
 * struct model - what the allocator should hold
 * @test: the case
 * @et: the allocator
 * @base: address of the first cell
 * @boundary: as given to the allocator
 * @last: as given to the allocator
 * @rnd: where the operations come from
 * @enomem: make allocations of memory fail
 * @cell: the state of each address
 * @slab: the slabs, in cells
 * @nr_slabs: number of @slab
 * @range: the buffers
 * @nr_ranges: number of @range
 * @nr_done: by outcome
 */
struct model {
	struct kunit *test;
	struct extent_test *et;
	u64 base;
	u64 boundary;
	u64 last;
	struct rnd_state rnd;
	bool enomem;
	u8 cell[MODEL_CELLS];
	struct { unsigned int start, len; } slab[MODEL_SLABS];
	unsigned int nr_slabs;
	struct vcm_range *range[MODEL_RANGES];
	unsigned int nr_ranges;
	struct {
		unsigned int placed, full, added, overlap, removed, enomem;
	} nr_done;
};

/* Without fault injection no case asks for it. */
#ifndef VCM_HAVE_FAIL_NTH
static void vcm_fail_nth_start(struct kunit *test, unsigned int nth)
{
}

static bool vcm_fail_nth_end(void)
{
	return false;
}
#endif

static unsigned int model_random(struct model *m, unsigned int below)
{
	return prandom_u32_state(&m->rnd) % below;
}

/* A third of them: the first or the second allocation fails. */
static void model_fail_some(struct model *m)
{
	if (m->enomem && !model_random(m, 3))
		vcm_fail_nth_start(m->test, 1 + model_random(m, 2));
}

static void model_fail_end(struct model *m)
{
	if (m->enomem)
		vcm_fail_nth_end();
}

static bool model_is(const struct model *m, unsigned int start,
		     unsigned int len, enum model_cell cell)
{
	while (len--)
		if (m->cell[start++] != cell)
			return false;
	return true;
}

static void model_set(struct model *m, unsigned int start, unsigned int len,
		      enum model_cell cell)
{
	memset(m->cell + start, cell, len);
}

/* Does a free cell and the one before it belong to the same extent? */
static bool model_goes_on(const struct model *m, unsigned int i)
{
	return m->cell[i - 1] == CELL_FREE && m->cell[i] == CELL_FREE &&
	       !(m->boundary && IS_ALIGNED(m->base + i, m->boundary));
}

/* The length of the extent that begins at @i, 0 if none does. */
static unsigned int model_extent(const struct model *m, unsigned int i)
{
	unsigned int end = i;

	if (m->cell[i] != CELL_FREE || (i && model_goes_on(m, i)))
		return 0;
	do {
		end++;
	} while (end < MODEL_CELLS && model_goes_on(m, end));
	return end - i;
}

/* The shortest extent that takes @len cells aligned to @align, or 0. */
static unsigned int model_best(const struct model *m, unsigned int len,
			       u64 align)
{
	unsigned int i, n, best = 0;

	for (i = 0; i < MODEL_CELLS; i += n ?: 1) {
		n = model_extent(m, i);
		if (n && fit_of(m->base + i,
				reach_of(m->base + i, n, m->last),
				align) >= len && (!best || n < best))
			best = n;
	}
	return best;
}

static unsigned int model_largest(const struct model *m)
{
	unsigned int i, n, largest = 0;

	for (i = 0; i < MODEL_CELLS; i += n ?: 1) {
		n = model_extent(m, i);
		largest = max(largest, n);
	}
	return largest;
}

static const char *model_range_wrong(const struct model *m,
				     const struct vcm_range *range)
{
	u64 start = range->start - m->base;

	if (range->start < m->base || start > MODEL_CELLS ||
	    range->len > MODEL_CELLS - start)
		return "a range is outside of all slabs";
	if (!model_is(m, start, range->len,
		      range->used ? CELL_USED : CELL_FREE))
		return "a range is not what the map says";
	return NULL;
}

/* Compare the allocator with the map; trees_wrong() saw that nothing overlaps. */
static const char *model_wrong(const struct model *m)
{
	const struct vcm_extents *extents = &m->et->extents;
	const char *wrong = trees_wrong(m->et);
	u64 total = 0, used = 0;
	struct rb_node *rb;
	int i;

	for (rb = rb_first(&extents->by_addr); rb && !wrong; rb = rb_next(rb))
		wrong = model_range_wrong(m, range_of_addr(rb));
	if (wrong)
		return wrong;

	for (i = 0; i < MODEL_CELLS; i++) {
		total += m->cell[i] != CELL_NONE;
		used += m->cell[i] == CELL_USED;
	}
	if (extents->total != total || extents->used != used)
		return "total or used is not what the map says";
	if (vcm_extents_largest(extents) != model_largest(m))
		return "the largest extent is not what the map says";
	return NULL;
}

/* --- Operations: NULL, or what went wrong */

static const char *model_add(struct model *m)
{
	unsigned int start, len;
	bool there;
	int ret;

	if (m->nr_slabs == MODEL_SLABS)
		return NULL;
	/* Most slabs are on a grid, so that many of them touch. */
	start = model_random(m, MODEL_CELLS);
	len = 1 + model_random(m, 2 * MODEL_LEN);
	if (model_random(m, 4)) {
		start = ALIGN_DOWN(start, 64);
		len = ALIGN(len, 64);
	}
	len = min(len, MODEL_CELLS - start);
	if (m->boundary)
		len = min_t(u64, len, m->boundary -
			    ((m->base + start) & (m->boundary - 1)));

	there = !model_is(m, start, len, CELL_NONE);
	model_fail_some(m);
	ret = vcm_extents_add(&m->et->extents, m->base + start, len);
	model_fail_end(m);

	if (there) {
		m->nr_done.overlap++;
		return ret == -EEXIST ? NULL : "overlap was not refused";
	}
	if (ret == -ENOMEM && m->enomem) {
		m->nr_done.enomem++;
		return NULL;
	}
	if (ret)
		return "a slab was refused";
	m->slab[m->nr_slabs].start = start;
	m->slab[m->nr_slabs++].len = len;
	m->et->nr_slabs++;
	model_set(m, start, len, CELL_FREE);
	m->nr_done.added++;
	return NULL;
}

static const char *model_remove_slab(struct model *m, unsigned int i)
{
	struct vcm_extents *extents = &m->et->extents;
	unsigned int start = m->slab[i].start, len = m->slab[i].len;
	bool is_free = model_is(m, start, len, CELL_FREE);

	if (vcm_extents_is_free(extents, m->base + start, len) != is_free)
		return "whether a slab is free was wrong";
	if (!is_free)
		return NULL;
	vcm_extents_remove(extents, m->base + start, len);
	m->slab[i] = m->slab[--m->nr_slabs];
	m->et->nr_slabs--;
	model_set(m, start, len, CELL_NONE);
	m->nr_done.removed++;
	return NULL;
}

static const char *model_remove(struct model *m)
{
	if (!m->nr_slabs)
		return NULL;
	return model_remove_slab(m, model_random(m, m->nr_slabs));
}

/* What was just placed, in the map from before. */
static const char *model_place_wrong(const struct model *m,
				     const struct vcm_range *range, u64 align,
				     unsigned int best)
{
	unsigned int start = range->start - m->base, first, len, end;

	if (range->start < m->base || range->start - m->base > MODEL_CELLS ||
	    range->len > MODEL_CELLS - start)
		return "a buffer was placed outside of all slabs";
	if (!model_is(m, start, range->len, CELL_FREE))
		return "a buffer was placed where it is not free";
	if (!IS_ALIGNED(range->start, align))
		return "a buffer is not aligned";

	for (first = start; first && model_goes_on(m, first); first--)
		;
	len = model_extent(m, first);
	if (start + range->len > first + len)
		return "a buffer crosses a boundary";
	end = first + reach_of(m->base + first, len, m->last);
	if (start + range->len > end)
		return "a buffer is beyond the last address";
	if (end - (start + range->len) >= align)
		return "a buffer is not at the highest aligned address";
	if (len != best)
		return "a buffer is not in the shortest extent";
	return NULL;
}

static const char *model_placed(struct model *m, struct vcm_range *range,
				unsigned int len, u64 align, unsigned int best)
{
	const char *wrong;

	if (range->len != len || !range->used)
		return "a buffer has the wrong length or is not used";
	wrong = model_place_wrong(m, range, align, best);
	if (wrong)
		return wrong;
	model_set(m, range->start - m->base, len, CELL_USED);
	m->range[m->nr_ranges++] = range;
	m->nr_done.placed++;
	return NULL;
}

static const char *model_alloc(struct model *m)
{
	unsigned int len, best;
	struct vcm_range *range;
	u64 align;

	if (m->nr_ranges == MODEL_RANGES)
		return NULL;
	len = 1 + model_random(m, model_random(m, 8) ? MODEL_LEN / 4 :
						       2 * MODEL_LEN);
	align = BIT_ULL(model_random(m, MODEL_ALIGNS));
	best = model_best(m, len, align);

	model_fail_some(m);
	range = vcm_extents_alloc(&m->et->extents, len, align);
	model_fail_end(m);

	if (!best) {
		m->nr_done.full++;
		return range == ERR_PTR(-ENOSPC) ? NULL :
		       "what does not fit was not refused";
	}
	if (range == ERR_PTR(-ENOMEM) && m->enomem) {
		m->nr_done.enomem++;
		return NULL;
	}
	if (IS_ERR(range))
		return "what fits was refused";
	return model_placed(m, range, len, align, best);
}

static void model_free_range(struct model *m, unsigned int i)
{
	struct vcm_range *range = m->range[i];

	model_set(m, range->start - m->base, range->len, CELL_FREE);
	m->range[i] = m->range[--m->nr_ranges];
	vcm_extents_free(&m->et->extents, range);
}

static const char *model_free(struct model *m)
{
	if (m->nr_ranges)
		model_free_range(m, model_random(m, m->nr_ranges));
	return NULL;
}

/* Is any piece of the map free, slab or not? */
static const char *model_ask(struct model *m)
{
	unsigned int start = model_random(m, MODEL_CELLS), i;
	unsigned int len = 1 + model_random(m, min(MODEL_CELLS - start, 24u));
	bool is_free = m->cell[start] == CELL_FREE;

	for (i = start + 1; i < start + len; i++)
		is_free = is_free && model_goes_on(m, i);
	if (vcm_extents_is_free(&m->et->extents, m->base + start, len) ==
	    is_free)
		return NULL;
	return "whether addresses are free was wrong";
}

/* Mostly there is no limit, or the random operations find no room. */
static const char *model_set_last(struct model *m)
{
	m->last = model_random(m, 3) ? U64_MAX :
		  m->base + model_random(m, MODEL_CELLS);
	vcm_extents_set_last(&m->et->extents, m->last);
	return NULL;
}

/* More is taken than given back, and then the other way round. */
static const char *model_op(struct model *m, unsigned int op)
{
	unsigned int allocs = op / 1000 % 2 ? 35 : 55;
	unsigned int dice = model_random(m, 100);

	if (dice < 10)
		return model_add(m);
	if (dice < 18)
		return model_remove(m);
	if (dice < 19)
		return model_set_last(m);
	if (dice < 20)
		return model_ask(m);
	if (dice < 20 + allocs)
		return model_alloc(m);
	return model_free(m);
}

/* Give everything back, slabs last to first. */
static const char *model_end(struct model *m)
{
	const char *wrong = NULL;

	while (m->nr_ranges)
		model_free_range(m, m->nr_ranges - 1);
	wrong = model_wrong(m);
	while (m->nr_slabs && !wrong)
		wrong = model_remove_slab(m, m->nr_slabs - 1);
	if (wrong)
		return wrong;
	wrong = model_wrong(m);
	vcm_extents_destroy(&m->et->extents);
	return wrong;
}

/* The random operations would prove little if one outcome never came. */
static void model_report(struct kunit *test, const struct model *m)
{
	kunit_info(test, "base %#llx boundary %#llx: placed %u, full %u, slabs added %u, overlapping %u, removed %u, out of memory %u\n",
		   (unsigned long long)m->base,
		   (unsigned long long)m->boundary,
		   m->nr_done.placed, m->nr_done.full, m->nr_done.added,
		   m->nr_done.overlap, m->nr_done.removed, m->nr_done.enomem);
	KUNIT_EXPECT_GT(test, m->nr_done.placed, 100);
	KUNIT_EXPECT_GT(test, m->nr_done.full, 100);
	KUNIT_EXPECT_GT(test, m->nr_done.added, 100);
	KUNIT_EXPECT_GT(test, m->nr_done.overlap, 100);
	KUNIT_EXPECT_GT(test, m->nr_done.removed, 100);
	KUNIT_EXPECT_EQ(test, m->nr_done.enomem > 100, m->enomem);
}

static void model_run(struct kunit *test, struct model *m, unsigned int nr)
{
	const char *wrong = NULL;
	unsigned int op;

	for (op = 0; op < nr; op++) {
		wrong = model_op(m, op) ?: model_wrong(m);
		if (wrong)
			break;
	}
	if (!wrong)
		wrong = model_end(m);
	if (wrong)
		KUNIT_FAIL_AND_ABORT(test, "seed %llu, base %#llx, operation %u of %u: %s",
				     seed, (unsigned long long)m->base, op, nr,
				     wrong);
	model_report(test, m);
}

/* The last address of all, and bases that are aligned to little or much. */
static const struct { u64 base, boundary; } model_worlds[] = {
	{ 0, 0 },
	{ BIT_ULL(28), 512 },
	{ BIT_ULL(32) - 1000, 256 },
	{ U64_MAX - MODEL_CELLS, 0 },
};

static void run_models(struct kunit *test, bool enomem)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < ARRAY_SIZE(model_worlds); i++) {
		memset(m, 0, sizeof(*m));
		m->test = test;
		m->et = test->priv;
		m->base = model_worlds[i].base;
		m->boundary = model_worlds[i].boundary;
		m->last = U64_MAX;
		m->enomem = enomem;
		prandom_seed_state(&m->rnd, seed + i);
		set_boundary(test, m->boundary);
		model_run(test, m, MODEL_OPS / ARRAY_SIZE(model_worlds));
	}
}

static void random_operations_agree_with_a_map(struct kunit *test)
{
	run_models(test, false);
}

#ifdef VCM_HAVE_FAIL_NTH
/* Kernels that look for mistakes allocate as well, so more than two may fail. */
static void out_of_memory_changes_nothing(struct kunit *test)
{
	struct vcm_extents *extents = extents_of(test);
	unsigned int nth = 0, refused = 0;
	struct vcm_range *range;
	bool failed;

	vcm_fail_nth_start(test, 1);
	expect_refused(test, 0x10000, 0x10000, -ENOMEM);
	vcm_fail_nth_end();
	KUNIT_EXPECT_TRUE(test, list_empty(&extents->spares));

	add_slab(test, 0x10000, 0x10000);
	do {
		KUNIT_ASSERT_LT(test, nth, VCM_FAIL_NTH_MAX);
		vcm_fail_nth_start(test, ++nth);
		range = vcm_extents_alloc(extents, 0x1000, 0x1000);
		failed = vcm_fail_nth_end();
		if (!IS_ERR(range)) {
			give_back(test, range);
			continue;
		}
		refused++;
		KUNIT_EXPECT_EQ(test, PTR_ERR(range), -ENOMEM);
		KUNIT_EXPECT_TRUE(test, failed);
		KUNIT_EXPECT_EQ(test, extents->used, 0);
		KUNIT_EXPECT_EQ(test, nr_spares(extents), 0);
		expect_largest(test, 0x10000);
	} while (failed);
	/* A buffer takes two objects. */
	KUNIT_EXPECT_EQ(test, refused, 2);

	/* Giving back, and taking a slab out, need no memory. */
	range = place(test, 0x1000, 0x1000, 0x1f000);
	vcm_fail_nth_start(test, 1);
	give_back(test, range);
	remove_slab(test, 0x10000, 0x10000);
	KUNIT_EXPECT_FALSE(test, vcm_fail_nth_end());
}

static void random_operations_survive_out_of_memory(struct kunit *test)
{
	run_models(test, true);
}
#endif

static struct kunit_case extent_test_cases[] = {
	KUNIT_CASE(nothing_is_there_at_first),
	KUNIT_CASE(touching_slabs_are_joined),
	KUNIT_CASE(slabs_with_a_hole_between_are_not_joined),
	KUNIT_CASE(slabs_are_not_joined_across_a_boundary),
	KUNIT_CASE(overlap_with_a_slab_is_refused),
	KUNIT_CASE(overlap_with_a_buffer_is_refused),
	KUNIT_CASE(empty_and_overflowing_slabs_are_refused),
	KUNIT_CASE(slab_is_removed_from_the_middle),
	KUNIT_CASE(slab_is_removed_from_the_start),
	KUNIT_CASE(slab_is_removed_from_the_end),
	KUNIT_CASE(last_slab_is_removed),
	KUNIT_CASE(slab_is_free_only_without_a_buffer),
	KUNIT_CASE(what_is_not_all_there_is_not_free),
	KUNIT_CASE(removing_a_busy_slab_is_reported),
	KUNIT_CASE(buffers_are_aligned),
	KUNIT_CASE(shortest_extent_is_taken),
	KUNIT_CASE(shortest_extent_is_taken_that_fits_aligned),
	KUNIT_CASE(lowest_of_equal_extents_is_taken),
	KUNIT_CASE(remainders_stay_free_in_front_and_behind),
	KUNIT_CASE(exact_fit_leaves_nothing),
	KUNIT_CASE(what_does_not_fit_is_refused),
	KUNIT_CASE(senseless_requests_are_reported),
	KUNIT_CASE(any_number_of_alignments_is_exact),
	KUNIT_CASE(the_last_alignments_have_a_number),
	KUNIT_CASE(last_addresses_can_be_used),
	KUNIT_CASE(nothing_is_placed_beyond_the_last_address),
	KUNIT_CASE(whole_address_space_is_one_extent),
	KUNIT_CASE(alignment_may_have_more_than_32_bits),
	KUNIT_CASE(freed_neighbours_are_joined_in_any_order),
	KUNIT_CASE(freed_neighbours_stay_apart_at_a_boundary),
	KUNIT_CASE(freeing_twice_is_reported),
	KUNIT_CASE(worst_fragmentation_finds_its_spares),
	KUNIT_CASE(guards_leave_room_for_small_buffers),
	KUNIT_CASE(seven_buffers_of_33_mb_fit_28_bits),
	KUNIT_CASE(buffers_of_6_mb_fill_slabs_of_4_mb),
	KUNIT_CASE(nothing_is_left_after_destroy),
	KUNIT_CASE(destroy_reports_what_is_left),
	KUNIT_CASE_SLOW(random_operations_agree_with_a_map),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_changes_nothing),
	KUNIT_CASE_SLOW(random_operations_survive_out_of_memory),
#endif
	{}
};

static struct kunit_suite extent_test_suite = {
	.name = "vcm_extent",
	.suite_init = extent_suite_init,
	.init = extent_test_init,
	.exit = extent_test_exit,
	.test_cases = extent_test_cases,
};

kunit_test_suite(extent_test_suite);

MODULE_DESCRIPTION("KUnit tests of the placement of buffers");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_LICENSE("GPL");
