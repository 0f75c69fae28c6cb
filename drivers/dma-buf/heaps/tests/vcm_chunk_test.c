// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the memory of a buffer
 *
 * A case is named after what it proves. The page allocator is one that counts
 * and fails as told (vcm_fake_buddy.c); after each case all of its pages have
 * to be back.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/device.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../../../iommu/tests/vcm-fail-nth.h"
#include "../vcm_chunk.h"
#include "../vcm_memory.h"
#include "vcm_contents.h"
#include "vcm_fake_buddy.h"

#define ANY	ULONG_MAX

/* --- Looking at chunks ------------------------------------------------- */

static bool ordered(struct page *a, struct page *b)
{
	if (page_size(a) != page_size(b))
		return page_size(a) > page_size(b);
	return page_to_pfn(a) < page_to_pfn(b);
}

static bool joined(struct page *a, struct page *b)
{
	return page_to_pfn(a) + (page_size(a) >> PAGE_SHIFT) == page_to_pfn(b);
}

/* What is said of the chunks, and what they are. */
static void check_chunks(struct kunit *test, const struct vcm_chunks *chunks,
			 size_t len)
{
	unsigned long i, j, nr[VCM_NR_CHUNK_SIZES] = {}, runs = 0;
	enum vcm_chunk_size size;
	size_t sum = 0;

	for (i = 0; i < chunks->nr; i++) {
		struct page *page = chunks->pages[i];

		for (size = 0; size < VCM_CHUNK_PAGE; size++)
			if (page_size(page) == vcm_chunk_bytes(size))
				break;
		nr[size]++;
		sum += page_size(page);
		runs += !i || !joined(chunks->pages[i - 1], page);
		if (i)
			KUNIT_EXPECT_TRUE(test, ordered(chunks->pages[i - 1],
							page));
		for (j = 0; j < page_size(page) >> PAGE_SHIFT; j++)
			if (!vcm_contents_are(page + j, 1, 0))
				KUNIT_FAIL(test, "page %lu of chunk %lu is not zero",
					   j, i);
	}
	KUNIT_EXPECT_EQ(test, sum, len);
	KUNIT_EXPECT_EQ(test, chunks->memory.nr_runs, runs);
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		KUNIT_EXPECT_EQ(test, chunks->nr_of[size], nr[size]);
}

/* --- Which sizes ------------------------------------------------------- */

/**
 * struct greedy_case - a request, and what it is to be made of
 * @name: what it shows
 * @len: bytes
 * @sizes: OR of the sizes that are allowed; 0 for all
 * @left: chunks of each size that there are
 * @nr_of: chunks that it is made of
 * @ret: or the error
 */
struct greedy_case {
	const char *name;
	size_t len;
	u64 sizes;
	unsigned long left[VCM_NR_CHUNK_SIZES];
	unsigned long nr_of[VCM_NR_CHUNK_SIZES];
	int ret;
};

#define ALL_LEFT	{ ANY, ANY, ANY, ANY }

static const struct greedy_case greedy_cases[] = {
	{ "page", PAGE_SIZE, 0, ALL_LEFT, { 0, 0, 0, 1 } },
#if PAGE_SIZE == SZ_4K
	{ "one of each", SZ_2M + SZ_1M + SZ_64K + SZ_4K, 0, ALL_LEFT,
	  { 1, 1, 1, 1 } },
	{ "less than the next size", SZ_1M - SZ_4K, 0, ALL_LEFT,
	  { 0, 0, 15, 15 } },
	{ "33 MB", 33 * SZ_1M, 0, ALL_LEFT, { 16, 1, 0, 0 } },
	{ "exactly one", SZ_2M, 0, ALL_LEFT, { 1, 0, 0, 0 } },
	{ "only 1 MB", SZ_4M, SZ_1M, ALL_LEFT, { 0, 4, 0, 0 } },
	{ "only 64 KB", SZ_128K, SZ_64K, ALL_LEFT, { 0, 0, 2, 0 } },
	{ "only pages", SZ_128K, SZ_4K, ALL_LEFT, { 0, 0, 0, 32 } },
	{ "2 MB and 64 KB", SZ_2M + SZ_1M, SZ_2M | SZ_64K, ALL_LEFT,
	  { 1, 0, 16, 0 } },
	{ "no 2 MB left", SZ_4M, 0, { 0, ANY, ANY, ANY }, { 0, 4, 0, 0 } },
	{ "one 2 MB left", SZ_4M, 0, { 1, ANY, ANY, ANY }, { 1, 2, 0, 0 } },
	{ "one of each left", SZ_4M, 0, { 1, 1, 1, ANY },
	  { 1, 1, 1, 240 } },
	{ "no large ones left", SZ_64K, 0, { 0, 0, 0, ANY }, { 0, 0, 0, 16 } },
	{ "a gap in what is left", SZ_2M, 0, { 0, 1, 0, ANY },
	  { 0, 1, 0, 256 } },
	{ "nothing left", SZ_64K, 0, {}, {}, -ENOMEM },
	{ "too few pages left", SZ_64K, 0, { 0, 0, 0, 15 }, {}, -ENOMEM },
	{ "just enough pages left", SZ_64K, 0, { 0, 0, 0, 16 },
	  { 0, 0, 0, 16 } },
	{ "1 MB asked for, 64 KB left", SZ_1M, SZ_1M, { 0, 0, ANY, ANY }, {},
	  -ENOMEM },
	{ "rest too small for the sizes", SZ_2M, SZ_2M | SZ_1M, { 0, 1, 0, 0 },
	  {}, -ENOMEM },
#endif
};

static void check_greedy_case(struct kunit *test, const struct greedy_case *c)
{
	struct vcm_chunks chunks;
	enum vcm_chunk_size size;

	memcpy(vcm_fake_buddy.left, c->left, sizeof(c->left));
	KUNIT_ASSERT_EQ_MSG(test, vcm_chunks_alloc(&chunks, c->len, c->sizes ?:
						   vcm_chunk_sizes()),
			    c->ret, "%s", c->name);
	if (c->ret)
		return;
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		KUNIT_EXPECT_EQ_MSG(test, chunks.nr_of[size], c->nr_of[size],
				    "%s", c->name);
	check_chunks(test, &chunks, c->len);
	vcm_chunks_free(&chunks);
}

static void largest_sizes_are_taken_first(struct kunit *test)
{
	int i;

	/* Nothing comes from the pool. */
	vcm_pool_set_cap(0);
	for (i = 0; i < ARRAY_SIZE(greedy_cases); i++) {
		check_greedy_case(test, &greedy_cases[i]);
		KUNIT_EXPECT_EQ_MSG(test, vcm_fake_buddy.nr_pages, 0, "%s",
				    greedy_cases[i].name);
	}
}

static void all_sizes_can_be_asked_for(struct kunit *test)
{
	u64 sizes = vcm_chunk_sizes(), left = sizes;
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		if (vcm_chunk_size_usable(size)) {
			KUNIT_EXPECT_TRUE(test, left & vcm_chunk_bytes(size));
			left &= ~(u64)vcm_chunk_bytes(size);
		}
	KUNIT_EXPECT_EQ(test, left, 0);
	KUNIT_EXPECT_TRUE(test, sizes & PAGE_SIZE);
}

static void a_size_that_failed_is_not_tried_again(struct kunit *test)
{
	struct vcm_chunks chunks;

	vcm_fake_buddy.left[VCM_CHUNK_2M] = 1;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_8M,
					       vcm_chunk_sizes()), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_2M], 2);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_1M], 6);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_64K], 0);
	vcm_chunks_free(&chunks);
}

static void there_is_more_now(void)
{
	vcm_fake_buddy.left[VCM_CHUNK_64K] = ANY;
}

/* Who got what was missing at the second try asks no more of the pool. */
static void the_pool_gives_up_no_more_than_is_missing(struct kunit *test)
{
	unsigned int nr = SZ_64K / PAGE_SIZE, i;
	struct page *pages[SZ_64K / SZ_4K];
	struct vcm_pool_stats stats;
	struct vcm_chunks chunks;

	vcm_fake_buddy_give_neighbours(test, pages, nr);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_NOT_NULL(test, vcm_memory_alloc(VCM_CHUNK_PAGE));
	vcm_fake_buddy.give = NULL;
	vcm_pool_put(VCM_CHUNK_PAGE, pages, nr);

	vcm_fake_buddy.left[VCM_CHUNK_64K] = 0;
	vcm_fake_buddy.on_alloc = there_is_more_now;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_64K, SZ_64K), 0);
	vcm_fake_buddy.on_alloc = NULL;
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_64K], 2);
	vcm_pool_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.dirty[VCM_CHUNK_PAGE], nr);
	vcm_chunks_free(&chunks);
}

static void one_chunk_needs_no_array(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_64K,
					       vcm_chunk_sizes()), 0);
	KUNIT_EXPECT_PTR_EQ(test, chunks.pages, &chunks.single);
	KUNIT_EXPECT_PTR_EQ(test, chunks.memory.runs, &chunks.single_run);
	vcm_chunks_free(&chunks);
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_4M, SZ_2M), 0);
	KUNIT_EXPECT_PTR_NE(test, chunks.pages, &chunks.single);
	vcm_chunks_free(&chunks);
}

static long first_claim;

static void note_claim(void)
{
	if (!first_claim)
		first_claim = atomic_long_read(&vcm_memory_claimed);
}

static void the_arrays_are_claimed_with_the_pages(struct kunit *test)
{
	unsigned long nr = SZ_4M >> PAGE_SHIFT;
	struct vcm_chunks chunks;

	first_claim = 0;
	vcm_fake_buddy.on_alloc = note_claim;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_4M, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, first_claim,
			nr + 1 + nr * (sizeof(struct page *) +
					sizeof(struct vcm_iova_run)) / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&vcm_memory_claimed), 0);
	vcm_chunks_free(&chunks);
}

static void free_pages_of(struct kunit *test, size_t len)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, len, PAGE_SIZE), 0);
	vcm_chunks_free(&chunks);
}

static void few_pages_are_not_kept(struct kunit *test)
{
	if (PAGE_SIZE < SZ_64K) {
		free_pages_of(test, SZ_64K - PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, 0);
		KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 0);
	}
	free_pages_of(test, SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, SZ_64K >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);
}

static void what_is_not_kept_wakes_nobody(struct kunit *test)
{
	struct vcm_chunks chunks;

	vcm_pool_set_cap(1);
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_64K, SZ_64K), 0);
	/* There would be something to do. */
	vcm_pool_low_mb = 1;
	vcm_chunks_free(&chunks);
	vcm_pool_low_mb = 0;
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 0);
}

static void taking_wakes_the_worker_to_refill_alone(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_64K, SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 0);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 1);

	vcm_pool_low_mb = 1;
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, SZ_64K, SZ_64K), 0);
	vcm_pool_low_mb = 0;
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_kicks, 2);
	vcm_chunks_free(&chunks);
}

static struct pglist_data *made_up;
static unsigned int nr_looks;

static struct pglist_data *made_up_node(int nid)
{
	nr_looks++;
	return made_up;
}

static long made_up_swap(void)
{
	return SZ_1G >> PAGE_SHIFT;
}

/* What is hoped for from swap is looked for as often as it is with other chunks. */
static void clean_chunks_are_taken_step_by_step(struct kunit *test)
{
	unsigned long pages = SZ_16M >> PAGE_SHIFT;
	struct vcm_chunks chunks;
	unsigned int looks;
	struct vcm_claim claim;
	struct zone *zone;
	int i;

	for (i = 0; i < 8; i++) {
		struct page *page = vcm_memory_alloc(VCM_CHUNK_2M);

		KUNIT_ASSERT_NOT_NULL(test, page);
		vcm_pool_put(VCM_CHUNK_2M, &page, 1);
		vcm_pool_zero_one(numa_mem_id());
	}
	memset(vcm_fake_buddy.nr_calls, 0, sizeof(vcm_fake_buddy.nr_calls));

	/* Where there is plenty, nothing has to be hoped for. */
	KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, 1), 0);
	KUNIT_EXPECT_FALSE(test, claim.hope);
	vcm_memory_unclaim(&claim);

	/* Half of it is there, and all of it could move to swap. */
	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	zone = &made_up->node_zones[gfp_zone(GFP_HIGHUSER)];
	zone->zone_pgdat = made_up;
	atomic_long_set(&zone->managed_pages, 2 * pages);
	atomic_long_set(&zone->vm_stat[NR_FREE_PAGES],
			pages / 2 + (SZ_32M >> PAGE_SHIFT));
	atomic_long_set(&zone->vm_stat[NR_ZONE_ACTIVE_ANON], 2 * pages);
	kunit_activate_static_stub(test, vcm_memory_node, made_up_node);
	kunit_activate_static_stub(test, vcm_memory_swap_free, made_up_swap);
	nr_looks = 0;
	KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, pages), 0);
	KUNIT_EXPECT_TRUE(test, claim.hope);
	vcm_memory_unclaim(&claim);
	looks = nr_looks;
	nr_looks = 0;
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, SZ_16M,
					       vcm_chunk_sizes()), 0);
	KUNIT_EXPECT_GE(test, nr_looks, 4 * looks);
	/* All of them from the pool */
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_2M], 0);
	kunit_deactivate_static_stub(test, vcm_memory_swap_free);
	kunit_deactivate_static_stub(test, vcm_memory_node);
	vcm_chunks_free(&chunks);
}

/* Whatever is left of each size: all is used, in order, and all is back. */
static void every_mixture_is_counted_and_freed(struct kunit *test)
{
	unsigned long i;

	for (i = 0; i < 3 * 3 * 3; i++) {
		struct vcm_chunks chunks;

		vcm_fake_buddy.left[VCM_CHUNK_2M] = i % 3;
		vcm_fake_buddy.left[VCM_CHUNK_1M] = i / 3 % 3;
		vcm_fake_buddy.left[VCM_CHUNK_64K] = i / 9 % 3;
		KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_4M,
						       vcm_chunk_sizes()), 0);
		check_chunks(test, &chunks, SZ_4M);
		vcm_chunks_free(&chunks);
	}
}

static void large_sizes_do_not_reclaim(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_2M,
					       vcm_chunk_sizes()), 0);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_FALSE(test, vcm_fake_buddy.gfp & __GFP_RECLAIM);
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_NOWARN);
	/* That is what keeps it out of the blocks for atomic allocations. */
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_NOMEMALLOC);

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, PAGE_SIZE,
					       vcm_chunk_sizes()), 0);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_DIRECT_RECLAIM);
	/* That is what keeps the OOM killer away. */
	KUNIT_EXPECT_TRUE(test, vcm_fake_buddy.gfp & __GFP_RETRY_MAYFAIL);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nid, NUMA_NO_NODE);
}

/* --- Runs -------------------------------------------------------------- */

#define NR_SPLIT	16

/* Pages that are neighbours, to be given in the order of @perm. */
static void give_split_pages(struct kunit *test, const u8 *perm,
			     unsigned int nr)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO,
					ilog2(NR_SPLIT));
	struct page **give;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	split_page(page, ilog2(NR_SPLIT));
	give = kunit_kcalloc(test, nr, sizeof(*give), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, give);
	for (i = 0; i < nr; i++)
		give[i] = page + perm[i];
	vcm_fake_buddy.give = give;
	vcm_fake_buddy.nr_give = nr;
	for (i = 0; i < NR_SPLIT; i++)
		if (!memchr(perm, i, nr))
			__free_page(page + i);
}

static void neighbours_become_runs_in_any_order(struct kunit *test)
{
	/* Pages 0 to 2, 4, 6 to 9 and 15 */
	static const u8 perm[] = { 15, 1, 9, 4, 0, 7, 2, 8, 6 };
	struct vcm_chunks chunks;

	give_split_pages(test, perm, ARRAY_SIZE(perm));
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, ARRAY_SIZE(perm) *
					       PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, chunks.memory.nr_runs, 4);
	check_chunks(test, &chunks, ARRAY_SIZE(perm) * PAGE_SIZE);
	vcm_chunks_free(&chunks);
}

static void one_run_is_one_run(struct kunit *test)
{
	static const u8 perm[] = { 3, 2, 1, 0 };
	struct vcm_chunks chunks;

	give_split_pages(test, perm, ARRAY_SIZE(perm));
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, 4 * PAGE_SIZE,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, chunks.memory.nr_runs, 1);
	check_chunks(test, &chunks, 4 * PAGE_SIZE);
	vcm_chunks_free(&chunks);
}

/* --- Finding ----------------------------------------------------------- */

static void every_page_is_found_in_its_chunk(struct kunit *test)
{
	unsigned long pgoff = 0, i, j, first;
	size_t len = SZ_4M + SZ_1M;
	struct vcm_chunks chunks;

	vcm_fake_buddy.left[VCM_CHUNK_2M] = 1;
	vcm_fake_buddy.left[VCM_CHUNK_1M] = 2;
	vcm_fake_buddy.left[VCM_CHUNK_64K] = 3;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, len,
					       vcm_chunk_sizes()), 0);
	for (i = 0; i < chunks.nr; i++) {
		for (j = 0; j < page_size(chunks.pages[i]) >> PAGE_SHIFT; j++) {
			KUNIT_EXPECT_EQ(test, vcm_chunks_find(&chunks, pgoff++,
							      &first), i);
			KUNIT_EXPECT_EQ(test, first, j);
		}
	}
	KUNIT_EXPECT_EQ(test, pgoff, len >> PAGE_SHIFT);
	vcm_chunks_free(&chunks);
}

static void nothing_is_found_behind_the_end(struct kunit *test)
{
	static const unsigned long behind[] = { 0, 1, 511, 512, ULONG_MAX / 2 };
	struct vcm_chunks chunks;
	unsigned long first, i;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_2M + PAGE_SIZE,
					       vcm_chunk_sizes()), 0);
	for (i = 0; i < ARRAY_SIZE(behind); i++) {
		first = 1;
		KUNIT_EXPECT_EQ(test, vcm_chunks_find(&chunks,
						      (SZ_2M >> PAGE_SHIFT) +
						      1 + behind[i], &first),
				chunks.nr);
		KUNIT_EXPECT_EQ(test, first, 0);
	}
	first = 1;
	KUNIT_EXPECT_EQ(test, vcm_chunks_find(&chunks, ULONG_MAX, &first),
			chunks.nr);
	vcm_chunks_free(&chunks);
}

/* --- Runs -------------------------------------------------------------- */

static void check_runs(struct kunit *test, size_t len, u64 sizes)
{
	const struct vcm_iova_run *run;
	unsigned long chunk, first;
	struct vcm_chunks chunks;
	phys_addr_t end = 0;
	u64 offset = 0;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, len, sizes), 0);
	for (run = chunks.memory.runs;
	     run < chunks.memory.runs + chunks.memory.nr_runs; run++) {
		chunk = vcm_chunks_find(&chunks, offset >> PAGE_SHIFT, &first);
		KUNIT_EXPECT_EQ(test, first, 0);
		KUNIT_EXPECT_EQ(test, run->phys,
				page_to_phys(chunks.pages[chunk]));
		KUNIT_EXPECT_NE(test, run->phys, end);
		end = run->phys + run->len;
		offset += run->len;
	}
	KUNIT_EXPECT_EQ(test, offset, len);
	KUNIT_EXPECT_EQ(test, chunks.memory.len, len);
	vcm_chunks_free(&chunks);
}

static void runs_are_listed_one_after_the_other(struct kunit *test)
{
	const size_t len = SZ_2M + SZ_1M + SZ_64K + PAGE_SIZE;

	vcm_pool_set_cap(0);
	check_runs(test, PAGE_SIZE, vcm_chunk_sizes());
	check_runs(test, len, vcm_chunk_sizes());
	check_runs(test, len, PAGE_SIZE);
}

/* --- When something fails ---------------------------------------------- */

static void more_than_the_machine_has_fails_at_once(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks,
					       (totalram_pages() + 1)
					       << PAGE_SHIFT,
					       vcm_chunk_sizes()), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_2M], 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_PAGE], 0);
}

static void what_others_need_is_not_taken(struct kunit *test)
{
	struct vcm_chunks chunks;
	int reserve = vcm_memory_reserve_mb;

	vcm_memory_reserve_mb = INT_MAX;
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, PAGE_SIZE,
					       vcm_chunk_sizes()), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_PAGE], 0);
	vcm_memory_reserve_mb = reserve;
}

/* Others take the rest when it has its first chunk. */
static void an_allocation_gives_back_what_others_need(struct kunit *test)
{
	struct vcm_chunks chunks;
	int reserve = vcm_memory_reserve_mb;

	vcm_pool_set_cap(0);
	vcm_fake_buddy.reserve_mb = INT_MAX;
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, SZ_8M,
					       vcm_chunk_sizes()), -ENOMEM);
	vcm_memory_reserve_mb = reserve;
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_2M], 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, 0);
}

/* Whatever there is room for before nothing is left: all of it is back. */
static void out_of_memory_loses_no_page(struct kunit *test)
{
	size_t len = SZ_2M + SZ_64K + 2 * PAGE_SIZE;
	struct vcm_chunks chunks;
	unsigned long pages;
	int ret;

	for (pages = 0; pages < len >> PAGE_SHIFT; pages += 7) {
		vcm_fake_buddy.budget = pages;
		ret = vcm_chunks_alloc(&chunks, len, vcm_chunk_sizes());
		KUNIT_ASSERT_EQ(test, ret, -ENOMEM);
		KUNIT_ASSERT_EQ(test, vcm_fake_buddy.nr_pages, 0);
	}
	vcm_fake_buddy.budget = len >> PAGE_SHIFT;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, len,
					       vcm_chunk_sizes()), 0);
	vcm_chunks_free(&chunks);
}

/* What is in the pool in a size that does not fit is memory all the same. */
static void the_pool_gives_way_before_a_request_fails(struct kunit *test)
{
	unsigned long large = SZ_2M >> PAGE_SHIFT;
	struct vcm_chunks chunks;

	vcm_pool_set_cap(2 * large);
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_2M, SZ_2M), 0);
	vcm_chunks_free(&chunks);
	KUNIT_ASSERT_EQ(test, vcm_fake_buddy.nr_pages, large);

	vcm_fake_buddy.budget = large + 10;
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, 100 * PAGE_SIZE,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, 100);
	check_chunks(test, &chunks, 100 * PAGE_SIZE);
	vcm_chunks_free(&chunks);
}

static void a_killed_task_gets_nothing(struct kunit *test)
{
	struct vcm_chunks chunks;
	int ret;

	sigaddset(&current->pending.signal, SIGKILL);
	set_thread_flag(TIF_SIGPENDING);
	ret = vcm_chunks_alloc(&chunks, SZ_2M, vcm_chunk_sizes());
	sigdelset(&current->pending.signal, SIGKILL);
	clear_thread_flag(TIF_SIGPENDING);

	KUNIT_EXPECT_EQ(test, ret, -EINTR);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_calls[VCM_CHUNK_2M], 0);
}

#ifdef VCM_HAVE_FAIL_NTH
/* An allocation that fails may not be needed: with kmemleak for one. */
static void no_room_for_the_list_loses_no_page(struct kunit *test)
{
	unsigned int n = 0, failures = 0;
	struct vcm_chunks chunks;
	bool failed;
	int ret;

	do {
		vcm_fail_nth_start(test, ++n);
		ret = vcm_chunks_alloc(&chunks, SZ_128K, vcm_chunk_sizes());
		failed = vcm_fail_nth_end();
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			failures++;
		} else {
			vcm_chunks_free(&chunks);
		}
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, failures, 0);
}
#endif

static struct kunit_case chunk_test_cases[] = {
	KUNIT_CASE(all_sizes_can_be_asked_for),
	KUNIT_CASE(largest_sizes_are_taken_first),
	KUNIT_CASE(a_size_that_failed_is_not_tried_again),
	KUNIT_CASE(the_pool_gives_up_no_more_than_is_missing),
	KUNIT_CASE(one_chunk_needs_no_array),
	KUNIT_CASE(the_arrays_are_claimed_with_the_pages),
	KUNIT_CASE(few_pages_are_not_kept),
	KUNIT_CASE(what_is_not_kept_wakes_nobody),
	KUNIT_CASE(taking_wakes_the_worker_to_refill_alone),
	KUNIT_CASE(clean_chunks_are_taken_step_by_step),
	KUNIT_CASE(every_mixture_is_counted_and_freed),
	KUNIT_CASE(large_sizes_do_not_reclaim),
	KUNIT_CASE(neighbours_become_runs_in_any_order),
	KUNIT_CASE(one_run_is_one_run),
	KUNIT_CASE(every_page_is_found_in_its_chunk),
	KUNIT_CASE(nothing_is_found_behind_the_end),
	KUNIT_CASE(runs_are_listed_one_after_the_other),
	KUNIT_CASE(more_than_the_machine_has_fails_at_once),
	KUNIT_CASE(what_others_need_is_not_taken),
	KUNIT_CASE(an_allocation_gives_back_what_others_need),
	KUNIT_CASE(out_of_memory_loses_no_page),
	KUNIT_CASE(the_pool_gives_way_before_a_request_fails),
	KUNIT_CASE(a_killed_task_gets_nothing),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(no_room_for_the_list_loses_no_page),
#endif
	{}
};

static struct kunit_suite chunk_test_suite = {
	.name = "vcm_chunk",
	.init = vcm_fake_buddy_init,
	.exit = vcm_fake_buddy_exit,
	.test_cases = chunk_test_cases,
};

kunit_test_suite(chunk_test_suite);
