// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the pool of chunks
 *
 * A case is named after what it proves. It has the pool for itself: what was in
 * it was given back, and the worker sleeps. The page allocator is one that
 * counts and fails as told (vcm_fake_buddy.c); after each case all of its pages
 * have to be back.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/dma-heap.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "../../../iommu/tests/vcm-fail-nth.h"
#include "../vcm_memory.h"
#include "vcm_fake_buddy.h"

#define MB_PAGES	(SZ_1M >> PAGE_SHIFT)

static unsigned long size_pages(enum vcm_chunk_size size)
{
	return vcm_chunk_bytes(size) >> PAGE_SHIFT;
}

static int pool_test_init(struct kunit *test)
{
	int ret = vcm_fake_buddy_init(test);

	vcm_pool_set_cap(64 * MB_PAGES);
	vcm_pool_low_mb = 0;
	vcm_pool_high_mb = 0;
	return ret;
}

static void pool_test_exit(struct kunit *test)
{
	vcm_pool_low_mb = 0;
	vcm_pool_high_mb = 0;
	vcm_fake_buddy_exit(test);
}

/* A chunk from the page allocator, with something in it. */
static struct page *new_chunk(struct kunit *test, enum vcm_chunk_size size)
{
	struct page *page = vcm_memory_alloc_pages(NUMA_NO_NODE,
						   GFP_HIGHUSER | __GFP_COMP,
						   vcm_size_order(size));

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), 0xa5, page_size(page));
	return page;
}

/* @nr new chunks to the pool; they are the dirty ones then. */
static void put_chunks(struct kunit *test, enum vcm_chunk_size size,
		       unsigned int nr)
{
	struct page *pages[16];
	unsigned int i;

	KUNIT_ASSERT_LE(test, nr, ARRAY_SIZE(pages));
	for (i = 0; i < nr; i++)
		pages[i] = new_chunk(test, size);
	vcm_pool_put(size, pages, nr);
}

static bool is_zero(struct page *page)
{
	return !memchr_inv(page_address(page), 0, page_size(page));
}

static void expect_held(struct kunit *test, enum vcm_chunk_size size,
			unsigned long clean, unsigned long dirty)
{
	struct vcm_pool_stats stats;

	vcm_pool_stats(&stats);
	KUNIT_EXPECT_EQ_MSG(test, stats.clean[size], clean, "size %d", size);
	KUNIT_EXPECT_EQ_MSG(test, stats.dirty[size], dirty, "size %d", size);
}

static void expect_total(struct kunit *test, unsigned long pages)
{
	struct vcm_pool_stats stats;

	vcm_pool_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.total, (u64)pages << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, pages);
	KUNIT_EXPECT_EQ(test, vcm_pool_node_pages(numa_mem_id()), pages);
}

static void free_list(struct list_head *list)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, list, lru)
		vcm_memory_free(page);
}

/* --- What comes and goes ----------------------------------------------- */

static void what_is_put_is_dirty(struct kunit *test)
{
	enum vcm_chunk_size size;
	unsigned long pages = 0;
	LIST_HEAD(list);

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		KUNIT_EXPECT_EQ(test, vcm_pool_has_dirty(), size > 0);
		put_chunks(test, size, size + 1);
		pages += (size + 1) * size_pages(size);
		expect_held(test, size, 0, size + 1);
		expect_total(test, pages);
		KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(size, 1, &list), 0);
		KUNIT_EXPECT_EQ(test, vcm_pool_node_bytes_of(numa_mem_id(),
							     size),
				(size + 1) * vcm_chunk_bytes(size));
	}
}

static void putting_nothing_is_nothing(struct kunit *test)
{
	vcm_pool_put(VCM_CHUNK_PAGE, NULL, 0);
	expect_total(test, 0);
}

static void dirty_chunks_are_zeroed_before_they_are_given(struct kunit *test)
{
	struct page *page = new_chunk(test, VCM_CHUNK_64K), *again;

	vcm_pool_put(VCM_CHUNK_64K, &page, 1);
	vcm_fake_buddy.left[VCM_CHUNK_64K] = 0;
	again = vcm_pool_get(VCM_CHUNK_64K);
	KUNIT_EXPECT_PTR_EQ(test, again, page);
	KUNIT_EXPECT_TRUE(test, is_zero(again));
	expect_held(test, VCM_CHUNK_64K, 0, 0);
	KUNIT_EXPECT_NULL(test, vcm_pool_get(VCM_CHUNK_64K));
	vcm_memory_free(again);
	expect_total(test, 0);
}

static void zeroing_goes_from_large_to_small(struct kunit *test)
{
	enum vcm_chunk_size size, other;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		put_chunks(test, size, 1);
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		KUNIT_EXPECT_TRUE(test, vcm_pool_zero_one(numa_mem_id()));
		for (other = 0; other < VCM_NR_CHUNK_SIZES; other++)
			expect_held(test, other, other <= size, other > size);
	}
	KUNIT_EXPECT_FALSE(test, vcm_pool_zero_one(numa_mem_id()));
	KUNIT_EXPECT_FALSE(test, vcm_pool_has_dirty());
}

static void clean_chunks_are_zero(struct kunit *test)
{
	enum vcm_chunk_size size;
	struct page *page;
	LIST_HEAD(list);

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		put_chunks(test, size, 2);
		while (vcm_pool_zero_one(numa_mem_id()))
			;
		KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(size, 2, &list), 2);
	}
	list_for_each_entry(page, &list, lru)
		KUNIT_EXPECT_TRUE(test, is_zero(page));
	free_list(&list);
	expect_total(test, 0);
}

static void no_more_is_given_than_asked_for(struct kunit *test)
{
	LIST_HEAD(list);

	put_chunks(test, VCM_CHUNK_PAGE, 5);
	while (vcm_pool_zero_one(numa_mem_id()))
		;
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_PAGE, 0, &list), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_PAGE, 3, &list), 3);
	expect_held(test, VCM_CHUNK_PAGE, 2, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_PAGE, 3, &list), 2);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&list), 5);
	expect_held(test, VCM_CHUNK_PAGE, 0, 0);
	free_list(&list);
}

static void more_than_a_batch_is_given(struct kunit *test)
{
	unsigned long i;
	LIST_HEAD(list);

	for (i = 0; i < 10; i++)
		put_chunks(test, VCM_CHUNK_PAGE, 15);
	while (vcm_pool_zero_one(numa_mem_id()))
		;
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_PAGE, 149, &list),
			149);
	expect_held(test, VCM_CHUNK_PAGE, 1, 0);
	free_list(&list);
	expect_total(test, 1);
}

/* What was sorted in a buffer is sorted in the next one. */
static void chunks_stay_in_order(struct kunit *test)
{
	struct page *pages[3], *page;
	LIST_HEAD(list);
	int i;

	for (i = 0; i < 3; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	vcm_pool_put(VCM_CHUNK_64K, pages, 3);
	while (vcm_pool_zero_one(numa_mem_id()))
		;
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 3, &list), 3);
	i = 0;
	list_for_each_entry(page, &list, lru)
		KUNIT_EXPECT_PTR_EQ(test, page, pages[i++]);
	free_list(&list);
}

static void pages_that_somebody_holds_are_not_kept(struct kunit *test)
{
	struct page *pages[3];
	int i;

	for (i = 0; i < 3; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	get_page(pages[1]);
	vcm_pool_put(VCM_CHUNK_64K, pages, 3);
	expect_held(test, VCM_CHUNK_64K, 0, 2);
	expect_total(test, 2 * size_pages(VCM_CHUNK_64K));
	/* Freed as far as the pool goes, the last reference is ours. */
	KUNIT_EXPECT_EQ(test, page_ref_count(pages[1]), 1);
	put_page(pages[1]);
}

/* --- The cap ----------------------------------------------------------- */

static void what_is_above_the_cap_is_freed(struct kunit *test)
{
	vcm_pool_set_cap(3 * size_pages(VCM_CHUNK_64K));
	put_chunks(test, VCM_CHUNK_64K, 5);
	expect_held(test, VCM_CHUNK_64K, 0, 3);
	expect_total(test, 3 * size_pages(VCM_CHUNK_64K));
	/* A page more is too much, whatever its size. */
	put_chunks(test, VCM_CHUNK_PAGE, 1);
	expect_held(test, VCM_CHUNK_PAGE, 0, 0);
}

static void the_cap_is_reached_exactly(struct kunit *test)
{
	vcm_pool_set_cap(2 * size_pages(VCM_CHUNK_64K) + 1);
	put_chunks(test, VCM_CHUNK_64K, 3);
	expect_held(test, VCM_CHUNK_64K, 0, 2);
	/* The share of pages is two of them. */
	put_chunks(test, VCM_CHUNK_PAGE, 2);
	expect_held(test, VCM_CHUNK_PAGE, 0, 1);
	expect_total(test, 2 * size_pages(VCM_CHUNK_64K) + 1);
}

static void pages_have_a_share(struct kunit *test)
{
	unsigned long unit = size_pages(VCM_CHUNK_64K);

	vcm_pool_set_cap(16 * 5 + 15);
	put_chunks(test, VCM_CHUNK_PAGE, 8);
	expect_held(test, VCM_CHUNK_PAGE, 0, 5);
	put_chunks(test, VCM_CHUNK_PAGE, 1);
	expect_held(test, VCM_CHUNK_PAGE, 0, 5);
	/* ... also when the cap is lowered to what there is in all. */
	put_chunks(test, VCM_CHUNK_64K, 1);
	vcm_pool_set_cap(unit + 5);
	expect_held(test, VCM_CHUNK_PAGE, 0, (unit + 5) / 16);
	expect_held(test, VCM_CHUNK_64K, 0, 1);
}

static void smaller_chunks_make_room(struct kunit *test)
{
	vcm_pool_set_cap(4 * MB_PAGES);
	put_chunks(test, VCM_CHUNK_64K, 16);
	put_chunks(test, VCM_CHUNK_1M, 3);
	expect_total(test, 4 * MB_PAGES);

	/* Dirty ones, and no more than needed. */
	put_chunks(test, VCM_CHUNK_1M, 1);
	expect_held(test, VCM_CHUNK_64K, 0, 0);
	expect_held(test, VCM_CHUNK_1M, 0, 4);
	put_chunks(test, VCM_CHUNK_2M, 1);
	expect_held(test, VCM_CHUNK_1M, 0, 2);
	put_chunks(test, VCM_CHUNK_2M, 3);
	expect_held(test, VCM_CHUNK_1M, 0, 0);
	expect_held(test, VCM_CHUNK_2M, 0, 2);

	/* Not the other way round. */
	put_chunks(test, VCM_CHUNK_1M, 1);
	put_chunks(test, VCM_CHUNK_64K, 1);
	expect_held(test, VCM_CHUNK_2M, 0, 2);
	expect_total(test, 4 * MB_PAGES);
}

static void nothing_makes_room_in_vain(struct kunit *test)
{
	vcm_pool_set_cap(3 * MB_PAGES);
	put_chunks(test, VCM_CHUNK_2M, 1);
	put_chunks(test, VCM_CHUNK_64K, 16);
	put_chunks(test, VCM_CHUNK_2M, 1);
	expect_held(test, VCM_CHUNK_2M, 0, 1);
	expect_held(test, VCM_CHUNK_64K, 0, 16);

	vcm_pool_set_cap(MB_PAGES);
	put_chunks(test, VCM_CHUNK_64K, 16);
	put_chunks(test, VCM_CHUNK_2M, 1);
	expect_held(test, VCM_CHUNK_64K, 0, 16);
}

static void a_chunk_larger_than_the_cap_is_not_kept(struct kunit *test)
{
	vcm_pool_set_cap(size_pages(VCM_CHUNK_2M) - 1);
	put_chunks(test, VCM_CHUNK_2M, 1);
	expect_total(test, 0);
	put_chunks(test, VCM_CHUNK_1M, 1);
	expect_total(test, size_pages(VCM_CHUNK_1M));
}

static void a_lower_cap_takes_effect_at_once(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_1M, 4);
	vcm_pool_set_cap(2 * MB_PAGES);
	expect_held(test, VCM_CHUNK_1M, 0, 2);
	/* A chunk goes as a whole. */
	vcm_pool_set_cap(2 * MB_PAGES - 1);
	expect_held(test, VCM_CHUNK_1M, 0, 1);
	vcm_pool_set_cap(0);
	expect_total(test, 0);
	vcm_pool_trim();
	expect_total(test, 0);
}

static void accounted_memory_is_not_kept(struct kunit *test)
{
	struct page *page;

	put_chunks(test, VCM_CHUNK_64K, 1);
	mem_accounting = true;
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(), 0);
	vcm_pool_trim();
	expect_total(test, 0);
	page = vcm_pool_get(VCM_CHUNK_64K);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_ACCOUNT);
	vcm_pool_put(VCM_CHUNK_64K, &page, 1);
	expect_total(test, 0);
	mem_accounting = false;
	page = vcm_pool_get(VCM_CHUNK_64K);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_FALSE(test, vcm_fake_buddy.gfp & __GFP_ACCOUNT);
	vcm_pool_put(VCM_CHUNK_64K, &page, 1);
	expect_total(test, size_pages(VCM_CHUNK_64K));
}

static void the_default_cap_is_a_sixteenth(struct kunit *test)
{
	vcm_pool_set_cap(ULONG_MAX);
	KUNIT_EXPECT_LE(test, vcm_pool_cap_pages(), totalram_pages() / 16);
	KUNIT_EXPECT_GE(test, vcm_pool_cap_pages(),
			min(totalram_pages() / 17, 512 * MB_PAGES));
	KUNIT_EXPECT_LE(test, vcm_pool_cap_pages(), 512 * MB_PAGES);
}

/* --- Giving back ------------------------------------------------------- */

static void drain_gives_everything_back(struct kunit *test)
{
	enum vcm_chunk_size size;
	unsigned long pages = 0;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		put_chunks(test, size, 2);
		vcm_pool_zero_one(numa_mem_id());
		pages += 2 * size_pages(size);
	}
	KUNIT_EXPECT_EQ(test, vcm_pool_drain(), pages);
	expect_total(test, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_drain(), 0);
}

static void dirty_chunks_go_before_clean_ones(struct kunit *test)
{
	unsigned long unit = size_pages(VCM_CHUNK_64K);
	int nid = numa_mem_id();

	put_chunks(test, VCM_CHUNK_64K, 2);
	vcm_pool_zero_one(nid);
	vcm_pool_zero_one(nid);
	put_chunks(test, VCM_CHUNK_1M, 1);
	expect_held(test, VCM_CHUNK_64K, 2, 0);

	/* The dirty one is larger than what is asked for, and goes all the same. */
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(unit, nid),
			size_pages(VCM_CHUNK_1M));
	expect_held(test, VCM_CHUNK_64K, 2, 0);
	expect_held(test, VCM_CHUNK_1M, 0, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(unit, nid), unit);
	expect_held(test, VCM_CHUNK_64K, 1, 0);
}

static void small_chunks_go_before_large_ones(struct kunit *test)
{
	int nid = numa_mem_id(), size, other;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		put_chunks(test, size, 1);
	for (size = VCM_CHUNK_PAGE; size >= 0; size--) {
		KUNIT_EXPECT_EQ(test, vcm_pool_free_node(1, nid),
				size_pages(size));
		for (other = 0; other < VCM_NR_CHUNK_SIZES; other++)
			expect_held(test, other, 0, other < size);
	}
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(1, nid), 0);
}

static void as_much_is_freed_as_asked_for(struct kunit *test)
{
	int nid = numa_mem_id();

	put_chunks(test, VCM_CHUNK_PAGE, 10);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(0, nid), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(3, nid), 3);
	expect_held(test, VCM_CHUNK_PAGE, 0, 7);
	vcm_pool_zero_one(nid);
	vcm_pool_zero_one(nid);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(6, nid), 6);
	expect_held(test, VCM_CHUNK_PAGE, 1, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(6, nid), 1);
}

/* --- The shrinker ------------------------------------------------------ */

static void the_shrinker_counts_and_frees(struct kunit *test)
{
	struct shrink_control sc = { .nid = numa_mem_id() };

	KUNIT_EXPECT_EQ(test, vcm_pool_count(NULL, &sc), SHRINK_EMPTY);
	vcm_pool_ease();
	put_chunks(test, VCM_CHUNK_64K, 2);
	KUNIT_EXPECT_EQ(test, vcm_pool_count(NULL, &sc),
			2 * size_pages(VCM_CHUNK_64K));

	sc.nr_to_scan = 1;
	KUNIT_EXPECT_EQ(test, vcm_pool_scan(NULL, &sc),
			size_pages(VCM_CHUNK_64K));
	KUNIT_EXPECT_EQ(test, sc.nr_scanned, size_pages(VCM_CHUNK_64K));
	sc.nr_to_scan = 1000;
	KUNIT_EXPECT_EQ(test, vcm_pool_scan(NULL, &sc),
			size_pages(VCM_CHUNK_64K));
	KUNIT_EXPECT_EQ(test, vcm_pool_scan(NULL, &sc), SHRINK_STOP);
	expect_total(test, 0);
}

/* The machine may have one node only: what would be freed is noted here. */
static struct {
	unsigned long nr_pages;
	int nid;
} asked_for;

static unsigned long note_free(unsigned long nr_pages, int nid)
{
	asked_for.nr_pages = nr_pages;
	asked_for.nid = nid;
	return nr_pages;
}

static void the_shrinker_frees_on_the_node_it_is_asked_for(struct kunit *test)
{
	struct shrink_control sc = { .nr_to_scan = 7 };

	kunit_activate_static_stub(test, vcm_pool_free_node, note_free);
	for (sc.nid = 0; sc.nid < 3; sc.nid++) {
		KUNIT_EXPECT_EQ(test, vcm_pool_scan(NULL, &sc), 7);
		KUNIT_EXPECT_EQ(test, asked_for.nr_pages, 7);
		KUNIT_EXPECT_EQ(test, asked_for.nid, sc.nid);
	}
	kunit_deactivate_static_stub(test, vcm_pool_free_node);
}

static void counting_is_looking_for_memory(struct kunit *test)
{
	struct shrink_control sc = { .nid = numa_mem_id() };

	KUNIT_EXPECT_FALSE(test, vcm_pool_pressed());
	vcm_pool_count(NULL, &sc);
	KUNIT_EXPECT_TRUE(test, vcm_pool_pressed());
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
	vcm_pool_count(NULL, &sc);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
}

static void nothing_is_kept_under_pressure(struct kunit *test)
{
	struct shrink_control sc = { .nid = numa_mem_id() };

	vcm_pool_count(NULL, &sc);
	put_chunks(test, VCM_CHUNK_64K, 3);
	expect_total(test, 0);
	vcm_pool_low_mb = 2;
	vcm_pool_high_mb = 2;
	vcm_pool_count(NULL, &sc);
	vcm_pool_work_fn(NULL);
	expect_total(test, 0);
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 1, 0);
}

static void nothing_is_kept_of_what_others_need(struct kunit *test)
{
	vcm_fake_buddy.spare = 0;
	put_chunks(test, VCM_CHUNK_64K, 3);
	expect_total(test, 0);
	vcm_fake_buddy.spare = 1;
	put_chunks(test, VCM_CHUNK_64K, 3);
	expect_held(test, VCM_CHUNK_64K, 0, 3);

	vcm_fake_buddy.spare = size_pages(VCM_CHUNK_1M);
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(numa_mem_id(),
						  VCM_CHUNK_1M));
	vcm_fake_buddy.spare++;
	KUNIT_EXPECT_TRUE(test, vcm_pool_add_one(numa_mem_id(), VCM_CHUNK_1M));
	vcm_fake_buddy.spare = -1;
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(numa_mem_id(),
						  VCM_CHUNK_64K));
}

static void the_worker_rests_under_pressure(struct kunit *test)
{
	struct shrink_control sc = { .nid = numa_mem_id() };
	unsigned long kicks;

	put_chunks(test, VCM_CHUNK_64K, 1);
	vcm_pool_count(NULL, &sc);
	/* Again, while it rests: it rests once more. */
	vcm_pool_count(NULL, &sc);
	vcm_pool_count(NULL, &sc);
	kicks = vcm_fake_buddy.nr_kicks;
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 0, 1);
	/* It comes again. */
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, kicks + 1);
	KUNIT_EXPECT_TRUE(test, vcm_pool_pressed());

	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 1, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, kicks + 1);
	KUNIT_EXPECT_FALSE(test, vcm_pool_pressed());
}

/* --- Who fails --------------------------------------------------------- */

static void what_is_missing_is_freed(struct kunit *test)
{
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		put_chunks(test, size, 4);

	/* What it can have, then what can be split, the smallest first. */
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_128K),
			2 * size_pages(VCM_CHUNK_64K));
	expect_held(test, VCM_CHUNK_64K, 0, 2);
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_256K),
			2 * size_pages(VCM_CHUNK_64K) +
			size_pages(VCM_CHUNK_1M));
	expect_held(test, VCM_CHUNK_64K, 0, 0);
	expect_held(test, VCM_CHUNK_1M, 0, 3);
	expect_held(test, VCM_CHUNK_2M, 0, 4);
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_64M),
			3 * size_pages(VCM_CHUNK_1M) +
			4 * size_pages(VCM_CHUNK_2M));
	/* Smaller ones stay. */
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_64M), 0);
	expect_held(test, VCM_CHUNK_PAGE, 0, 4);
}

/* The pages of a block, one by one. */
static void put_block(struct kunit *test, struct page **pages,
		      unsigned long nr)
{
	unsigned long i;

	vcm_fake_buddy.give = pages;
	vcm_fake_buddy.nr_give = nr;
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_PTR_EQ(test, new_chunk(test, VCM_CHUNK_PAGE),
				    pages[i]);
	vcm_fake_buddy.give = NULL;
	vcm_pool_put(VCM_CHUNK_PAGE, pages, nr);
}

static void only_what_merges_is_freed(struct kunit *test)
{
	unsigned int order = vcm_size_order(VCM_CHUNK_64K), i, n;
	unsigned long nr = 1UL << order;
	struct page *pages[16], *page;

	if (!order)
		kunit_skip(test, "there is nothing smaller");
	KUNIT_ASSERT_LE(test, nr, ARRAY_SIZE(pages));

	page = alloc_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	split_page(page, order);
	for (i = 0; i < nr; i++)
		pages[i] = page + i;

	/* All of it but a page that somebody has. */
	put_block(test, pages + 1, nr - 1);
	vcm_pool_zero_one(numa_mem_id());
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), 0);
	expect_held(test, VCM_CHUNK_PAGE, 1, nr - 2);
	expect_total(test, nr - 1);
	for (i = 1, n = 0; i < nr; i++)
		n += !!page_private(pages[i]);
	KUNIT_EXPECT_EQ(test, n, 0);

	/* That one, too. */
	put_block(test, pages, 1);
	put_chunks(test, VCM_CHUNK_64K, 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), nr);
	expect_held(test, VCM_CHUNK_PAGE, 0, 0);
	expect_held(test, VCM_CHUNK_64K, 0, 1);
	expect_total(test, nr);
}

/* --- Ageing ------------------------------------------------------------ */

static void what_nobody_needed_is_given_back(struct kunit *test)
{
	LIST_HEAD(list);

	put_chunks(test, VCM_CHUNK_64K, 5);
	vcm_pool_zero_one(numa_mem_id());
	/* It has come since. */
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 1, 4);

	/* Three of five are needed. */
	vcm_pool_work_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 3, &list), 3);
	put_chunks(test, VCM_CHUNK_64K, 4);
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 2, 2);
	/* ... dirty ones go first; and now nobody needs any. */
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 0, 0);
	free_list(&list);
	expect_total(test, 0);
}

static void what_is_filled_in_advance_does_not_age(struct kunit *test)
{
	vcm_pool_low_mb = 2;
	vcm_pool_high_mb = 4;
	put_chunks(test, VCM_CHUNK_2M, 3);
	put_chunks(test, VCM_CHUNK_PAGE, 3);
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 0, 3);
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 0, 2);
	expect_held(test, VCM_CHUNK_PAGE, 0, 0);
	vcm_pool_age_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 0, 2);
}

static void an_empty_pool_has_no_timer(struct kunit *test)
{
	vcm_pool_kick();
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 0);
	put_chunks(test, VCM_CHUNK_PAGE, 1);
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 1);
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 2);
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 2);
	expect_total(test, 0);
}

/* --- The worker -------------------------------------------------------- */

static void the_worker_zeroes_what_is_dirty(struct kunit *test)
{
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		put_chunks(test, size, 2);
	vcm_pool_work_fn(NULL);
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		expect_held(test, size, 2, 0);
}

static void nothing_is_added_without_a_mark(struct kunit *test)
{
	vcm_pool_high_mb = 4;
	vcm_pool_work_fn(NULL);
	expect_total(test, 0);
}

static void below_the_low_mark_it_is_filled_to_the_high_one(struct kunit *test)
{
	vcm_pool_low_mb = 2;
	vcm_pool_high_mb = 4;
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 2, 0);
	expect_held(test, VCM_CHUNK_1M, 4, 0);
	expect_held(test, VCM_CHUNK_64K, 64, 0);
	expect_held(test, VCM_CHUNK_PAGE, 0, 0);
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_THISNODE);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nid, numa_mem_id());
}

static void between_the_marks_nothing_is_added(struct kunit *test)
{
	LIST_HEAD(list);

	vcm_pool_low_mb = 2;
	vcm_pool_high_mb = 4;
	put_chunks(test, VCM_CHUNK_1M, 2);
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_1M, 2, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_1M, 1, &list), 1);
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_1M, 4, 0);
	free_list(&list);
}

static void the_cap_ends_filling(struct kunit *test)
{
	vcm_pool_set_cap(3 * MB_PAGES);
	vcm_pool_low_mb = 2;
	vcm_pool_high_mb = 2;
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_2M, 1, 0);
	expect_held(test, VCM_CHUNK_1M, 1, 0);
	expect_held(test, VCM_CHUNK_64K, 0, 0);
	expect_total(test, 3 * MB_PAGES);
}

static void out_of_memory_ends_filling(struct kunit *test)
{
	int nid = numa_mem_id();

	vcm_pool_low_mb = 4;
	vcm_pool_high_mb = 4;
	vcm_fake_buddy.left[VCM_CHUNK_2M] = 1;
	vcm_fake_buddy.left[VCM_CHUNK_1M] = 0;
	vcm_fake_buddy.left[VCM_CHUNK_64K] = 3;
	vcm_pool_work_fn(NULL);
	expect_total(test, size_pages(VCM_CHUNK_2M) +
		     3 * size_pages(VCM_CHUNK_64K));
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(nid, VCM_CHUNK_1M));
	/* What was set aside for it is there for others. */
	vcm_pool_set_cap(size_pages(VCM_CHUNK_2M) +
			 3 * size_pages(VCM_CHUNK_64K) + 1);
	KUNIT_EXPECT_TRUE(test, vcm_pool_add_one(nid, VCM_CHUNK_PAGE));
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(nid, VCM_CHUNK_PAGE));
}

/* --- Parameters -------------------------------------------------------- */

static void the_cap_is_set_in_mb(struct kunit *test)
{
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	char huge[32];

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("3", NULL), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(), 3 * MB_PAGES);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("0x10\n", NULL), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(), 16 * MB_PAGES);

	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("-2", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("1 MB", NULL), -EINVAL);
	snprintf(huge, sizeof(huge), "%lu", LONG_MAX / MB_PAGES);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set(huge, NULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(), 16 * MB_PAGES);
	snprintf(huge, sizeof(huge), "%lu", LONG_MAX / MB_PAGES - 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set(huge, NULL), 0);

	vcm_pool_set_cap(5 * MB_PAGES + 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_get(text, NULL), 2);
	KUNIT_EXPECT_STREQ(test, text, "5\n");

	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("-1", NULL), 0);
	KUNIT_EXPECT_GE(test, vcm_pool_cap_pages(),
			min(totalram_pages() / 17, 512 * MB_PAGES));
}

static void the_marks_are_in_order(struct kunit *test)
{
	const struct kernel_param low = { .arg = &vcm_pool_low_mb };
	const struct kernel_param high = { .arg = &vcm_pool_high_mb };

	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("1", &low), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_low_mb, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("4", &high), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("4", &low), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("3", &high), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_high_mb, 4);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("5", &low), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_low_mb, 4);
}

static void the_age_is_set_in_seconds(struct kunit *test)
{
	unsigned int before = vcm_pool_idle_s;

	KUNIT_EXPECT_EQ(test, vcm_pool_idle_param_set("x", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_idle_param_set("-1", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_idle_param_set("86401", NULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, vcm_pool_idle_s, before);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 0);

	KUNIT_EXPECT_EQ(test, vcm_pool_idle_param_set("86400", NULL), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_idle_s, 86400);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 1);
	/* For ever */
	KUNIT_EXPECT_EQ(test, vcm_pool_idle_param_set("0", NULL), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 1);
	put_chunks(test, VCM_CHUNK_64K, 1);
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 1);
	vcm_pool_idle_s = before;
}

static void a_mark_wakes_the_worker(struct kunit *test)
{
	const struct kernel_param kp = { .arg = &vcm_pool_high_mb };

	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("7", &kp), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_high_mb, 7);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 0);
	vcm_pool_low_mb = 1;
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("7", &kp), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("x", &kp), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_mark_param_set("-1", &kp), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_pool_high_mb, 7);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
}

static void a_kick_is_for_work_only(struct kunit *test)
{
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 0);
	put_chunks(test, VCM_CHUNK_PAGE, 1);
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
	vcm_pool_zero_one(numa_mem_id());
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
	vcm_pool_low_mb = 1;
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 2);
}

/* The real one */
static void the_worker_does_what_is_to_be_done(struct kunit *test)
{
	struct vcm_pool_stats stats;

	kunit_deactivate_static_stub(test, vcm_pool_queue_work);
	put_chunks(test, VCM_CHUNK_64K, 2);
	vcm_pool_kick();
	do {
		schedule_timeout_uninterruptible(1);
		vcm_pool_stats(&stats);
	} while (stats.clean[VCM_CHUNK_64K] < 2);
	expect_held(test, VCM_CHUNK_64K, 2, 0);
}

/* --- Beginning and end ------------------------------------------------- */

#ifdef VCM_HAVE_FAIL_NTH
/* Until it succeeds with none that fails; the heap needs it afterwards. */
static unsigned int init_until_it_succeeds(struct kunit *test,
					   int (*init)(void),
					   void (*exit)(void))
{
	unsigned int n = 0, failures = 0;
	bool failed;
	int ret;

	for (;;) {
		vcm_fail_nth_start(test, ++n);
		ret = init();
		failed = vcm_fail_nth_end();
		if (!failed)
			break;
		if (!ret)
			exit();
		failures += !!ret;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	return failures;
}

static void init_fails_without_memory(struct kunit *test)
{
	unsigned int failures;

	vcm_pool_work_exit();
	vcm_pool_exit();
	failures = init_until_it_succeeds(test, vcm_pool_init, vcm_pool_exit);
	KUNIT_EXPECT_EQ(test, failures, 1 + num_node_state(N_MEMORY));
	failures = init_until_it_succeeds(test, vcm_pool_work_init,
					  vcm_pool_work_exit);
	KUNIT_EXPECT_GE(test, failures, 2);

	put_chunks(test, VCM_CHUNK_64K, 1);
	expect_held(test, VCM_CHUNK_64K, 0, 1);
}
#endif

static struct kunit_case pool_test_cases[] = {
	KUNIT_CASE(what_is_put_is_dirty),
	KUNIT_CASE(putting_nothing_is_nothing),
	KUNIT_CASE(dirty_chunks_are_zeroed_before_they_are_given),
	KUNIT_CASE(zeroing_goes_from_large_to_small),
	KUNIT_CASE(clean_chunks_are_zero),
	KUNIT_CASE(no_more_is_given_than_asked_for),
	KUNIT_CASE(more_than_a_batch_is_given),
	KUNIT_CASE(chunks_stay_in_order),
	KUNIT_CASE(pages_that_somebody_holds_are_not_kept),
	KUNIT_CASE(what_is_above_the_cap_is_freed),
	KUNIT_CASE(the_cap_is_reached_exactly),
	KUNIT_CASE(pages_have_a_share),
	KUNIT_CASE(smaller_chunks_make_room),
	KUNIT_CASE(nothing_makes_room_in_vain),
	KUNIT_CASE(a_chunk_larger_than_the_cap_is_not_kept),
	KUNIT_CASE(a_lower_cap_takes_effect_at_once),
	KUNIT_CASE(accounted_memory_is_not_kept),
	KUNIT_CASE(the_default_cap_is_a_sixteenth),
	KUNIT_CASE(drain_gives_everything_back),
	KUNIT_CASE(dirty_chunks_go_before_clean_ones),
	KUNIT_CASE(small_chunks_go_before_large_ones),
	KUNIT_CASE(as_much_is_freed_as_asked_for),
	KUNIT_CASE(the_shrinker_counts_and_frees),
	KUNIT_CASE(the_shrinker_frees_on_the_node_it_is_asked_for),
	KUNIT_CASE(counting_is_looking_for_memory),
	KUNIT_CASE(nothing_is_kept_under_pressure),
	KUNIT_CASE(nothing_is_kept_of_what_others_need),
	KUNIT_CASE(the_worker_rests_under_pressure),
	KUNIT_CASE(what_is_missing_is_freed),
	KUNIT_CASE(only_what_merges_is_freed),
	KUNIT_CASE(what_nobody_needed_is_given_back),
	KUNIT_CASE(what_is_filled_in_advance_does_not_age),
	KUNIT_CASE(an_empty_pool_has_no_timer),
	KUNIT_CASE(the_worker_zeroes_what_is_dirty),
	KUNIT_CASE(nothing_is_added_without_a_mark),
	KUNIT_CASE(below_the_low_mark_it_is_filled_to_the_high_one),
	KUNIT_CASE(between_the_marks_nothing_is_added),
	KUNIT_CASE(the_cap_ends_filling),
	KUNIT_CASE(out_of_memory_ends_filling),
	KUNIT_CASE(the_cap_is_set_in_mb),
	KUNIT_CASE(the_marks_are_in_order),
	KUNIT_CASE(the_age_is_set_in_seconds),
	KUNIT_CASE(a_mark_wakes_the_worker),
	KUNIT_CASE(a_kick_is_for_work_only),
	KUNIT_CASE(the_worker_does_what_is_to_be_done),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(init_fails_without_memory),
#endif
	{}
};

static struct kunit_suite pool_test_suite = {
	.name = "vcm_pool",
	.init = pool_test_init,
	.exit = pool_test_exit,
	.test_cases = pool_test_cases,
};

kunit_test_suite(pool_test_suite);
