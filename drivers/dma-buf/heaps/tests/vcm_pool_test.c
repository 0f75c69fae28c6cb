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
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/dma-heap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/topology.h>

#include "../../../iommu/tests/vcm-fail-nth.h"
#include "../vcm_memory.h"
#include "vcm_contents.h"
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
	vcm_contents_fill(page, 0xa5);
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
	return vcm_contents_are(page, compound_nr(page), 0);
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

	/* Some, and then some more */
	vcm_pool_put(VCM_CHUNK_64K, pages, 3);
	while (vcm_pool_zero_one(numa_mem_id()))
		;
	INIT_LIST_HEAD(&list);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 1, &list), 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 2, &list), 2);
	i = 0;
	list_for_each_entry(page, &list, lru)
		KUNIT_EXPECT_PTR_EQ(test, page, pages[i++]);
	free_list(&list);
}

static void what_came_last_goes_first(struct kunit *test)
{
	struct page *pages[4];
	LIST_HEAD(list);
	int i;

	for (i = 0; i < 4; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	vcm_pool_put(VCM_CHUNK_64K, pages, 2);
	vcm_pool_put(VCM_CHUNK_64K, pages + 2, 2);
	/* The worker begins at the other end. */
	vcm_pool_zero_one(numa_mem_id());
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 1, &list), 1);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&list, struct page, lru),
			    pages[1]);
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_64K), pages[2]);
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_64K), pages[3]);
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_64K), pages[0]);
	for (i = 0; i < 4; i++)
		vcm_memory_free(pages[i]);
}

/* @nr pages that are neighbours, one by one */
static void new_neighbours(struct kunit *test, struct page **pages,
			   unsigned int nr)
{
	unsigned int i;

	vcm_fake_buddy_give_neighbours(test, pages, nr);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_PTR_EQ(test, new_chunk(test, VCM_CHUNK_PAGE),
				    pages[i]);
	vcm_fake_buddy.give = NULL;
}

static void zeroing_ends_with_the_chunk(struct kunit *test)
{
	struct page *pages[2];
	int i;

	new_neighbours(test, pages, 2);
	for (i = 0; i < 2; i++) {
		vcm_contents_fill(pages[0], 0xa5);
		vcm_pool_put(VCM_CHUNK_PAGE, pages, 1);
		if (i)
			vcm_pool_zero_one(numa_mem_id());
		KUNIT_EXPECT_PTR_EQ(test, i ? pages[0] :
				    vcm_pool_get(VCM_CHUNK_PAGE), pages[0]);
		KUNIT_EXPECT_TRUE(test, is_zero(pages[0]));
		KUNIT_EXPECT_TRUE(test, vcm_contents_are(pages[1], 1, 0xa5));
	}
	vcm_memory_free(pages[1]);
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
	/* There is some room, too. */
	vcm_pool_set_cap(3 * MB_PAGES + 5);
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

/* A part of what a chunk can be made of: some kernels have much in CMA. */
static void expect_default_cap(struct kunit *test)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (zone_idx(zone) <= gfp_zone(GFP_HIGHUSER))
			pages += zone_managed_pages(zone) -
				 zone_cma_pages(zone);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(),
			min(pages / 16, 512 * MB_PAGES));
}

static void the_default_cap_is_a_sixteenth(struct kunit *test)
{
	vcm_pool_set_cap(ULONG_MAX);
	expect_default_cap(test);
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
	int nid = numa_mem_id(), i;

	put_chunks(test, VCM_CHUNK_PAGE, 10);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(0, nid), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(3, nid), 3);
	expect_held(test, VCM_CHUNK_PAGE, 0, 7);
	vcm_pool_zero_one(nid);
	vcm_pool_zero_one(nid);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(6, nid), 6);
	expect_held(test, VCM_CHUNK_PAGE, 1, 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(6, nid), 1);

	/* Of several sizes, and of one more than is freed at once */
	put_chunks(test, VCM_CHUNK_64K, 5);
	put_chunks(test, VCM_CHUNK_PAGE, 3);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(3 + size_pages(VCM_CHUNK_64K),
						 nid),
			3 + size_pages(VCM_CHUNK_64K));
	vcm_pool_drain();
	for (i = 0; i < 100; i += 10)
		put_chunks(test, VCM_CHUNK_PAGE, 10);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(70, nid), 70);
	expect_total(test, 30);
}

/* What is on its way is missing for whoever looks what memory there is. */
static void little_is_on_its_way_to_be_freed(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_1M, 15);
	put_chunks(test, VCM_CHUNK_1M, 15);
	vcm_fake_buddy.most_freed = 0;
	KUNIT_EXPECT_EQ(test, vcm_pool_drain(), 30 * size_pages(VCM_CHUNK_1M));
	KUNIT_EXPECT_LE(test, vcm_fake_buddy.most_freed, 4 * MB_PAGES);
	put_chunks(test, VCM_CHUNK_2M, 7);
	vcm_fake_buddy.most_freed = 0;
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_1M, SZ_8M),
			8 * MB_PAGES);
	KUNIT_EXPECT_LE(test, vcm_fake_buddy.most_freed, 4 * MB_PAGES);
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
	/* It rests from now on, whatever it was told before. */
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.again);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.delay, HZ);
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

/* What it has is what it was chosen for. */
static void nothing_is_kept_of_a_victim(struct kunit *test)
{
	current->signal->oom_mm = current->active_mm;
	put_chunks(test, VCM_CHUNK_64K, 3);
	current->signal->oom_mm = NULL;
	expect_total(test, 0);
	put_chunks(test, VCM_CHUNK_64K, 3);
	expect_held(test, VCM_CHUNK_64K, 0, 3);
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
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.delay, HZ);
	KUNIT_EXPECT_FALSE(test, vcm_fake_buddy.again);
	KUNIT_EXPECT_TRUE(test, vcm_pool_pressed());

	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_64K, 1, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, kicks + 1);
	KUNIT_EXPECT_FALSE(test, vcm_pool_pressed());
}

/* --- While the worker works -------------------------------------------- */

/* It looks whether there is something without the lock. */
static void what_was_dirty_may_be_taken_meanwhile(struct kunit *test)
{
	struct vcm_pool_node *node = vcm_pool_nodes[numa_mem_id()];

	node->dirty = 1;
	KUNIT_EXPECT_FALSE(test, vcm_pool_zero_one(numa_mem_id()));
	node->dirty = 0;
}

/* What happens once the worker has zeroed a part of a chunk */
static void (*in_between)(struct kunit *test);
static struct page *in_hand;

static bool zero_and_go_on(struct vcm_pool_node *node, struct page *page)
{
	struct kunit *test = kunit_get_current_test();

	kunit_deactivate_static_stub(test, vcm_pool_zero_step);
	KUNIT_EXPECT_TRUE(test, vcm_pool_zero_step(node, page));
	in_hand = page;
	in_between(test);
	return vcm_pool_zero_step(node, page);
}

static void zero_one_and(struct kunit *test, void (*what)(struct kunit *test))
{
	in_between = what;
	kunit_activate_static_stub(test, vcm_pool_zero_step, zero_and_go_on);
	KUNIT_EXPECT_TRUE(test, vcm_pool_zero_one(numa_mem_id()));
}

static void nothing_happens(struct kunit *test)
{
	unsigned long nr = compound_nr(in_hand);
	unsigned long done = umin(max(SZ_64K >> PAGE_SHIFT, 1), nr);

	KUNIT_EXPECT_TRUE(test, vcm_contents_are(in_hand, done, 0));
	KUNIT_EXPECT_TRUE(test, vcm_contents_are(in_hand + done, nr - done,
						 0xa5));
}

static void it_is_taken(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_1M), in_hand);
	KUNIT_EXPECT_TRUE(test, is_zero(in_hand));
	vcm_contents_fill(in_hand, 0x5a);
}

static void another_is_taken(struct kunit *test)
{
	struct page *page = vcm_pool_get(VCM_CHUNK_1M);

	KUNIT_EXPECT_PTR_NE(test, page, in_hand);
	KUNIT_EXPECT_TRUE(test, is_zero(page));
	vcm_memory_free(page);
}

static void it_is_freed(struct kunit *test)
{
	vcm_pool_drain();
}

static void another_is_freed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(1, numa_mem_id()),
			size_pages(VCM_CHUNK_1M));
}

static void somebody_looks_for_memory(struct kunit *test)
{
	vcm_pool_press();
}

static void chunks_are_zeroed_step_by_step(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_1M, 1);
	zero_one_and(test, nothing_happens);
	expect_held(test, VCM_CHUNK_1M, 1, 0);
	KUNIT_EXPECT_TRUE(test, is_zero(in_hand));
}

static void what_is_being_zeroed_can_be_taken(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_1M, 1);
	zero_one_and(test, it_is_taken);
	expect_held(test, VCM_CHUNK_1M, 0, 0);
	KUNIT_EXPECT_TRUE(test, vcm_contents_are(in_hand, compound_nr(in_hand),
						 0x5a));
	vcm_memory_free(in_hand);

	put_chunks(test, VCM_CHUNK_1M, 2);
	zero_one_and(test, another_is_taken);
	expect_held(test, VCM_CHUNK_1M, 1, 0);
	KUNIT_EXPECT_TRUE(test, is_zero(in_hand));
}

static void what_is_being_zeroed_can_be_freed(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_1M, 2);
	zero_one_and(test, it_is_freed);
	expect_total(test, 0);
	KUNIT_EXPECT_FALSE(test, vcm_pool_has_dirty());

	put_chunks(test, VCM_CHUNK_1M, 2);
	zero_one_and(test, another_is_freed);
	expect_held(test, VCM_CHUNK_1M, 1, 0);
	KUNIT_EXPECT_TRUE(test, is_zero(in_hand));
}

static void pressure_ends_zeroing(struct kunit *test)
{
	unsigned long kicks = vcm_fake_buddy.nr_kicks;

	put_chunks(test, VCM_CHUNK_1M, 3);
	in_between = somebody_looks_for_memory;
	kunit_activate_static_stub(test, vcm_pool_zero_step, zero_and_go_on);
	vcm_pool_work_fn(NULL);
	expect_held(test, VCM_CHUNK_1M, 1, 2);
	/* It goes on later. */
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, kicks + 1);
}

static void press_it(void)
{
	vcm_pool_press();
}

static void pressure_ends_filling(struct kunit *test)
{
	vcm_pool_low_mb = 4;
	vcm_pool_high_mb = 4;
	vcm_fake_buddy.on_alloc = press_it;
	vcm_pool_work_fn(NULL);
	vcm_fake_buddy.on_alloc = NULL;
	expect_held(test, VCM_CHUNK_2M, 1, 0);
	expect_total(test, size_pages(VCM_CHUNK_2M));
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.delay, HZ);
}

static void lower_the_cap(void)
{
	vcm_pool_set_cap(0);
}

static void what_comes_when_the_cap_is_lowered_is_freed(struct kunit *test)
{
	vcm_fake_buddy.on_alloc = lower_the_cap;
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(numa_mem_id(), VCM_CHUNK_1M));
	vcm_fake_buddy.on_alloc = NULL;
	expect_total(test, 0);
}

/* --- Bad memory -------------------------------------------------------- */

static struct page *bad;

static bool is_bad(struct page *page)
{
	return page == bad;
}

static void bad_chunks_leave(struct kunit *test)
{
	struct page *pages[3];
	LIST_HEAD(list);
	int i;

	kunit_activate_static_stub(test, vcm_memory_has_bad_page, is_bad);
	for (i = 0; i < 3; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	/* Before they come, ... */
	bad = pages[1];
	vcm_pool_put(VCM_CHUNK_64K, pages, 3);
	expect_held(test, VCM_CHUNK_64K, 0, 2);
	/* ... when they are zeroed, ... */
	bad = pages[2];
	KUNIT_EXPECT_TRUE(test, vcm_pool_zero_one(numa_mem_id()));
	expect_held(test, VCM_CHUNK_64K, 0, 1);
	expect_total(test, size_pages(VCM_CHUNK_64K));
	KUNIT_EXPECT_TRUE(test, vcm_pool_zero_one(numa_mem_id()));
	expect_held(test, VCM_CHUNK_64K, 1, 0);
	/* ... when they are taken, clean ... */
	bad = pages[0];
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 1, &list), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&list));
	expect_total(test, 0);
	/* ... and dirty, ... */
	bad = NULL;
	for (i = 0; i < 2; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	vcm_pool_put(VCM_CHUNK_64K, pages, 2);
	bad = pages[0];
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_64K), pages[1]);
	vcm_memory_free(pages[1]);
	expect_total(test, 0);
	/* ... and before they are here at all. */
	vcm_fake_buddy_give_neighbours(test, pages, 2);
	bad = pages[0];
	KUNIT_EXPECT_PTR_EQ(test, vcm_pool_get(VCM_CHUNK_PAGE), pages[1]);
	vcm_memory_free(pages[1]);
	expect_total(test, 0);
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

	/* No more than is missing beyond what there was of the size */
	put_chunks(test, VCM_CHUNK_64K, 2);
	put_chunks(test, VCM_CHUNK_1M, 3);
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_128K + SZ_1M),
			2 * size_pages(VCM_CHUNK_64K) +
			size_pages(VCM_CHUNK_1M));

	/* Clean ones, too */
	put_chunks(test, VCM_CHUNK_2M, 1);
	while (vcm_pool_zero_one(numa_mem_id()))
		;
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_2M, SZ_2M),
			size_pages(VCM_CHUNK_2M));
}

static void only_what_merges_is_freed(struct kunit *test)
{
	unsigned long nr = size_pages(VCM_CHUNK_64K), n, i;
	struct page *pages[32];

	if (nr == 1)
		kunit_skip(test, "there is nothing smaller");
	KUNIT_ASSERT_LE(test, 2 * nr, ARRAY_SIZE(pages));

	/* All of a block but a page that somebody has. */
	new_neighbours(test, pages, 2 * nr);
	vcm_pool_put(VCM_CHUNK_PAGE, pages + 1, nr - 1);
	vcm_pool_zero_one(numa_mem_id());
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), 0);
	expect_held(test, VCM_CHUNK_PAGE, 1, nr - 2);
	for (i = 1, n = 0; i < nr; i++)
		n += !!page_private(pages[i]);
	KUNIT_EXPECT_EQ(test, n, 0);

	/* That one, too, and its neighbour but for the last page */
	vcm_pool_put(VCM_CHUNK_PAGE, pages, 1);
	vcm_pool_put(VCM_CHUNK_PAGE, pages + nr, nr - 1);
	put_chunks(test, VCM_CHUNK_64K, 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), nr);
	expect_held(test, VCM_CHUNK_PAGE, 0, nr - 1);
	expect_held(test, VCM_CHUNK_64K, 0, 1);

	/* Both */
	vcm_pool_put(VCM_CHUNK_PAGE, pages + 2 * nr - 1, 1);
	new_neighbours(test, pages, 2 * nr);
	vcm_pool_put(VCM_CHUNK_PAGE, pages, 2 * nr);
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), 3 * nr);
	expect_total(test, nr);
}

#define NR_TRIED	512

static int cmp_pages(const void *a, const void *b)
{
	return cmp_int(page_to_pfn(*(struct page **)a),
		       page_to_pfn(*(struct page **)b));
}

/* Moves those of @pages that make up a chunk of 1 MB to the beginning. */
static bool find_block(struct page **pages, unsigned long nr)
{
	unsigned long i, j, n;

	for (i = 0; i < NR_TRIED; i++) {
		unsigned long pfn = page_to_pfn(pages[i]);

		if (!IS_ALIGNED(pfn, size_pages(VCM_CHUNK_1M)))
			continue;
		for (j = 0, n = 0; j < NR_TRIED; j++) {
			if (page_to_pfn(pages[j]) - pfn >=
			    size_pages(VCM_CHUNK_1M))
				continue;
			swap(pages[j], pages[n]);
			n++;
		}
		if (n == nr)
			return true;
	}
	return false;
}

static void what_is_free_already_merges_too(struct kunit *test)
{
	unsigned long nr = SZ_1M / SZ_64K, i;
	struct page **pages;

	pages = kunit_kcalloc(test, NR_TRIED, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < NR_TRIED; i++)
		pages[i] = new_chunk(test, VCM_CHUNK_64K);
	KUNIT_ASSERT_TRUE(test, find_block(pages, nr));
	for (i = nr; i < NR_TRIED; i++)
		vcm_memory_free(pages[i]);
	sort(pages, nr, sizeof(*pages), cmp_pages, NULL);
	/* The first one, the last one, and one in between */
	vcm_memory_free(pages[0]);
	vcm_memory_free(pages[7]);
	vcm_memory_free(pages[nr - 1]);
	vcm_pool_put(VCM_CHUNK_64K, pages + 1, 6);
	vcm_pool_put(VCM_CHUNK_64K, pages + 8, nr - 9);
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_1M),
			size_pages(VCM_CHUNK_1M));
	expect_total(test, 0);
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

/* Its cap may be another by then. */
static void ageing_keeps_to_the_cap(struct kunit *test)
{
	put_chunks(test, VCM_CHUNK_64K, 1);
	mem_accounting = true;
	vcm_pool_age_fn(NULL);
	mem_accounting = false;
	expect_total(test, 0);
}

static void an_empty_pool_has_no_timer(struct kunit *test)
{
	vcm_pool_kick();
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 0);
	put_chunks(test, VCM_CHUNK_PAGE, 1);
	vcm_pool_kick();
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.delay, vcm_pool_idle_s * HZ / 2);
	KUNIT_EXPECT_FALSE(test, vcm_fake_buddy.again);
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 2);
	vcm_pool_age_fn(NULL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_age_kicks, 2);
	expect_total(test, 0);
}

/* --- Nodes ------------------------------------------------------------- */

/* Its memory came after the pool was set up. */
static void a_node_may_have_no_pool(struct kunit *test)
{
	struct shrink_control sc = { .nid = numa_mem_id(), .nr_to_scan = 1 };
	struct vcm_pool_node **node = &vcm_pool_nodes[numa_mem_id()], *pool;
	int nid = numa_mem_id();
	struct page *page;
	LIST_HEAD(list);

	pool = *node;
	*node = NULL;
	put_chunks(test, VCM_CHUNK_64K, 2);
	KUNIT_EXPECT_EQ(test, vcm_pool_get_clean(VCM_CHUNK_64K, 1, &list), 0);
	page = vcm_pool_get(VCM_CHUNK_64K);
	KUNIT_EXPECT_NOT_NULL(test, page);
	vcm_pool_put(VCM_CHUNK_64K, &page, 1);
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(nid, VCM_CHUNK_64K));
	KUNIT_EXPECT_FALSE(test, vcm_pool_has_dirty());
	KUNIT_EXPECT_FALSE(test, vcm_pool_zero_one(nid));
	KUNIT_EXPECT_TRUE(test, vcm_pool_is_empty());
	KUNIT_EXPECT_EQ(test, vcm_pool_yield(VCM_CHUNK_64K, SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_merge(VCM_CHUNK_64K), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_drain(), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_node_bytes_of(nid, VCM_CHUNK_64K), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_count(NULL, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, vcm_pool_scan(NULL, &sc), SHRINK_STOP);
	vcm_pool_set_cap(MB_PAGES);
	vcm_pool_work_fn(NULL);
	vcm_pool_age_fn(NULL);
	expect_total(test, 0);
	*node = pool;
}

static int spared_on;

static bool note_spare(int nid, long pages)
{
	spared_on = nid;
	return true;
}

/* The pool there is, as that of a node that is not the first one. */
static void another_node_has_its_own_pool(struct kunit *test)
{
	struct vcm_pool_node **before = vcm_pool_nodes;
	struct vcm_pool_node *nodes[] = { NULL, before[numa_mem_id()] };

	vcm_pool_nodes = nodes;
	kunit_activate_static_stub(test, vcm_pool_node_can_spare, note_spare);
	KUNIT_EXPECT_FALSE(test, vcm_pool_add_one(0, VCM_CHUNK_64K));
	spared_on = 0;
	KUNIT_EXPECT_TRUE(test, vcm_pool_add_one(1, VCM_CHUNK_64K));
	KUNIT_EXPECT_EQ(test, spared_on, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nid, 1);
	kunit_deactivate_static_stub(test, vcm_pool_node_can_spare);

	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(1, 0), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_free_node(1, 1),
			size_pages(VCM_CHUNK_64K));
	vcm_pool_nodes = before;
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
	snprintf(huge, sizeof(huge), "%ld", (LONG_MAX >> 20) + 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set(huge, NULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(), 16 * MB_PAGES);
	snprintf(huge, sizeof(huge), "%ld", LONG_MAX >> 20);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set(huge, NULL), 0);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_pages(),
			(LONG_MAX >> 20) * MB_PAGES);

	vcm_pool_set_cap(5 * MB_PAGES + 1);
	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_get(text, NULL), 2);
	KUNIT_EXPECT_STREQ(test, text, "5\n");

	KUNIT_EXPECT_EQ(test, vcm_pool_cap_param_set("-1", NULL), 0);
	expect_default_cap(test);
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
	/* What was not needed twice in a row goes, counted from now on. */
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.delay, 86400 * HZ / 2);
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.again);
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

/*
 * So often that kmemleak sees what is lost: the slab allocator keeps old pointers to
 * what it has given out.
 */
static void init_and_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < 200; i++) {
		KUNIT_ASSERT_EQ(test, vcm_pool_init(), 0);
		vcm_pool_exit();
	}
}

static void init_fails_without_memory(struct kunit *test)
{
	unsigned int failures;

	vcm_pool_work_exit();
	vcm_pool_exit();
#ifndef MODULE
	/* Nobody asks any more what could be given. */
	drop_slab();
#endif
	init_and_exit(test);
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
	KUNIT_CASE(what_came_last_goes_first),
	KUNIT_CASE(zeroing_ends_with_the_chunk),
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
	KUNIT_CASE(little_is_on_its_way_to_be_freed),
	KUNIT_CASE(the_shrinker_counts_and_frees),
	KUNIT_CASE(the_shrinker_frees_on_the_node_it_is_asked_for),
	KUNIT_CASE(counting_is_looking_for_memory),
	KUNIT_CASE(nothing_is_kept_under_pressure),
	KUNIT_CASE(nothing_is_kept_of_what_others_need),
	KUNIT_CASE(nothing_is_kept_of_a_victim),
	KUNIT_CASE(the_worker_rests_under_pressure),
	KUNIT_CASE(what_was_dirty_may_be_taken_meanwhile),
	KUNIT_CASE(chunks_are_zeroed_step_by_step),
	KUNIT_CASE(what_is_being_zeroed_can_be_taken),
	KUNIT_CASE(what_is_being_zeroed_can_be_freed),
	KUNIT_CASE(pressure_ends_zeroing),
	KUNIT_CASE(pressure_ends_filling),
	KUNIT_CASE(what_comes_when_the_cap_is_lowered_is_freed),
	KUNIT_CASE(bad_chunks_leave),
	KUNIT_CASE(what_is_missing_is_freed),
	KUNIT_CASE(only_what_merges_is_freed),
	KUNIT_CASE(what_is_free_already_merges_too),
	KUNIT_CASE(what_nobody_needed_is_given_back),
	KUNIT_CASE(what_is_filled_in_advance_does_not_age),
	KUNIT_CASE(ageing_keeps_to_the_cap),
	KUNIT_CASE(an_empty_pool_has_no_timer),
	KUNIT_CASE(a_node_may_have_no_pool),
	KUNIT_CASE(another_node_has_its_own_pool),
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
