// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of buffers that are one run of memory
 *
 * A case is named after what it proves. Where memory comes from is told: from the buddy
 * allocator, from what others have, or from nowhere. After each case all of its pages
 * have to be back.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/dma-heap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../vcm_chunk.h"
#include "../vcm_contiguous.h"
#include "../vcm_memory.h"
#include "../vcm_pool_free.h"
#include "../vcm_pool_limit.h"
#include "../vcm_pool_node.h"
#include "../vcm_pool_work.h"
#include "../vcm_run.h"
#include "vcm_contents.h"

/**
 * struct source - where memory comes from in a case
 * @buddy: how often the buddy allocator has some
 * @moves: how often what others have is moved
 * @pool_first: nothing is moved before the pool is empty
 * @nr_moves: how often that was tried
 * @nr_asked: pages that were asked for at last
 * @bad: pages with this in them are bad, or NULL
 * @out: the pages that are out
 * @nr_out: how many
 * @strangers: pages that were freed and were not out
 */
static struct source {
	unsigned int buddy;
	unsigned int moves;
	bool pool_first;
	unsigned int nr_moves;
	unsigned long nr_asked;
	struct page *bad;
	struct xarray out;
	unsigned long nr_out;
	unsigned long strangers;
} source;

static void note_out(struct page *page, unsigned long nr)
{
	for (; nr; nr--, page++, source.nr_out++)
		xa_store(&source.out, page_to_pfn(page), xa_mk_value(1),
			 GFP_KERNEL | __GFP_NOFAIL);
}

static void note_back(struct page *page, unsigned long nr)
{
	for (; nr; nr--, page++) {
		if (xa_erase(&source.out, page_to_pfn(page)))
			source.nr_out--;
		else
			source.strangers++;
	}
}

static struct page *some_pages(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page;

	if (!source.buddy)
		return NULL;
	source.buddy--;
	page = alloc_pages(gfp, order);
	if (page)
		note_out(page, 1UL << order);
	return page;
}

static struct page *moved_pages(unsigned long nr, int nid, u64 reach)
{
	unsigned int order = get_order(nr << PAGE_SHIFT);
	struct page *page;

	source.nr_moves++;
	source.nr_asked = nr;
	if (!source.moves || (source.pool_first && !vcm_pool_is_empty()))
		return NULL;
	source.moves--;
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!page)
		return NULL;
	split_page(page, order);
	note_out(page, nr);
	for (; nr < 1UL << order; nr++)
		__free_page(page + nr);
	return page;
}

static void free_run(struct page *page, unsigned long nr)
{
	note_back(page, nr);
	for (; nr; nr--)
		__free_page(page++);
}

static void free_chunk(struct page *page)
{
	note_back(page, compound_nr(page));
	__free_pages(page, compound_order(page));
}

static bool is_bad(struct page *page)
{
	return page == source.bad;
}

static void queue_nothing(struct kthread_delayed_work *work,
			  unsigned long delay, bool again)
{
}

static unsigned long cap_before;
static bool accounting_before;

static int contiguous_test_init(struct kunit *test)
{
	source = (struct source){ .buddy = UINT_MAX, .moves = UINT_MAX };
	xa_init(&source.out);
	accounting_before = mem_accounting;
	mem_accounting = false;
	cap_before = vcm_pool_cap_pages();
	kthread_cancel_delayed_work_sync(&vcm_pool_work);
	vcm_pool_drain();
	kunit_activate_static_stub(test, vcm_memory_alloc_pages, some_pages);
	kunit_activate_static_stub(test, vcm_memory_move_run, moved_pages);
	kunit_activate_static_stub(test, vcm_memory_free_run, free_run);
	kunit_activate_static_stub(test, vcm_memory_free, free_chunk);
	kunit_activate_static_stub(test, vcm_pool_queue_work, queue_nothing);
	return 0;
}

static void contiguous_test_exit(struct kunit *test)
{
	vcm_pool_drain();
	vcm_pool_set_cap(cap_before);
	mem_accounting = accounting_before;
	KUNIT_EXPECT_EQ(test, source.nr_out, 0);
	KUNIT_EXPECT_EQ(test, source.strangers, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&vcm_memory_claimed), 0);
	xa_destroy(&source.out);
}

static int alloc_run(struct vcm_chunks *chunks, size_t len)
{
	return vcm_chunks_alloc_contiguous(chunks, len, 0, false);
}

/* --- What a run is ----------------------------------------------------- */

static unsigned long sum_of(const struct vcm_chunks *chunks)
{
	enum vcm_chunk_size size;
	unsigned long sum = 0;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		sum += chunks->nr_of[size] * vcm_chunk_bytes(size);
	return sum;
}

static void check_run(struct kunit *test, const struct vcm_chunks *chunks,
		      size_t len)
{
	struct page *page = chunks->pages[0];
	unsigned long i, pgoff, first;

	KUNIT_EXPECT_EQ(test, chunks->memory.nr_runs, 1);
	KUNIT_EXPECT_EQ(test, chunks->memory.len, len);
	KUNIT_EXPECT_EQ(test, chunks->memory.runs[0].len, len);
	KUNIT_EXPECT_EQ(test, chunks->memory.runs[0].phys, page_to_phys(page));
	KUNIT_EXPECT_EQ(test, sum_of(chunks), len);
	KUNIT_EXPECT_TRUE(test, vcm_contents_are(page, len >> PAGE_SHIFT, 0));
	for (pgoff = 0; pgoff < len >> PAGE_SHIFT; pgoff++) {
		i = vcm_chunks_find(chunks, pgoff, &first);
		if (chunks->pages[i] + first != page + pgoff)
			KUNIT_FAIL(test, "page %lu is not in chunk %lu", pgoff, i);
		if (first >= vcm_chunks_size(chunks, i) >> PAGE_SHIFT)
			KUNIT_FAIL(test, "page %lu is behind chunk %lu", pgoff, i);
	}
}

static const size_t lengths[] = {
	PAGE_SIZE, 3 * PAGE_SIZE, SZ_64K, SZ_64K + PAGE_SIZE, SZ_1M,
	SZ_1M + SZ_64K + PAGE_SIZE, SZ_2M, SZ_2M + PAGE_SIZE,
	SZ_2M + SZ_1M + SZ_64K + PAGE_SIZE, SZ_4M,
};

static void try_lengths(struct kunit *test)
{
	struct vcm_chunks chunks;
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = ALIGN(lengths[i], PAGE_SIZE);

		KUNIT_ASSERT_EQ(test, vcm_contiguous_alloc(&chunks, len, 0), 0);
		KUNIT_EXPECT_EQ(test, source.nr_out, len >> PAGE_SHIFT);
		check_run(test, &chunks, len);
		vcm_chunks_free(&chunks);
		KUNIT_EXPECT_EQ(test, source.nr_out, 0);
	}
}

static void a_free_block_is_one_run(struct kunit *test)
{
	source.moves = 0;
	try_lengths(test);
	KUNIT_EXPECT_EQ(test, source.nr_moves, 0);
}

static void what_is_moved_is_one_run(struct kunit *test)
{
	source.buddy = 0;
	try_lengths(test);
	KUNIT_EXPECT_EQ(test, source.nr_moves, ARRAY_SIZE(lengths));
}

static void a_long_run_begins_where_a_large_chunk_may(struct kunit *test)
{
	struct vcm_chunks chunks;

	source.buddy = 0;
	KUNIT_ASSERT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_2M + PAGE_SIZE, 0),
			0);
	KUNIT_EXPECT_EQ(test, source.nr_asked, SZ_4M >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, page_to_pfn(chunks.pages[0]) %
			(SZ_2M >> PAGE_SHIFT), 0);
	vcm_chunks_free(&chunks);
	KUNIT_ASSERT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_1M + PAGE_SIZE, 0),
			0);
	KUNIT_EXPECT_EQ(test, source.nr_asked, (SZ_1M >> PAGE_SHIFT) + 1);
	vcm_chunks_free(&chunks);
}

static void one_chunk_is_a_chunk_of_any_buffer(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, alloc_run(&chunks, SZ_64K), 0);
	KUNIT_EXPECT_FALSE(test, chunks.contiguous);
	KUNIT_EXPECT_EQ(test, chunks.memory.nr_runs, 1);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_EQ(test, vcm_pool_node_pages(numa_mem_id()),
			SZ_64K >> PAGE_SHIFT);
	/* And the one that the pool has is the next one. */
	source.buddy = 0;
	source.moves = 0;
	KUNIT_ASSERT_EQ(test, alloc_run(&chunks, SZ_64K), 0);
	KUNIT_EXPECT_FALSE(test, chunks.contiguous);
	vcm_chunks_free(&chunks);
}

static void what_is_no_chunk_any_more_is_moved(struct kunit *test)
{
	struct vcm_chunks chunks;

	source.buddy = 0;
	KUNIT_ASSERT_EQ(test, alloc_run(&chunks, SZ_2M), 0);
	KUNIT_EXPECT_TRUE(test, chunks.contiguous);
	check_run(test, &chunks, SZ_2M);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_TRUE(test, vcm_pool_is_empty());
}

/* --- What is in the way ------------------------------------------------ */

static void the_pool_gives_way(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc(&chunks, SZ_1M,
					       vcm_chunk_sizes()), 0);
	vcm_chunks_free(&chunks);
	KUNIT_ASSERT_FALSE(test, vcm_pool_is_empty());
	source.buddy = 0;
	source.pool_first = true;
	KUNIT_ASSERT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_4M, 0), 0);
	KUNIT_EXPECT_EQ(test, source.nr_moves, 2);
	vcm_chunks_free(&chunks);
}

static void bad_pages_are_given_back(struct kunit *test)
{
	struct vcm_chunks chunks;
	struct page *first;

	source.moves = 0;
	KUNIT_ASSERT_EQ(test, vcm_contiguous_alloc(&chunks, 3 * PAGE_SIZE, 0), 0);
	first = chunks.pages[0];
	vcm_chunks_free(&chunks);
	source.bad = first + 1;
	kunit_activate_static_stub(test, vcm_memory_has_bad_page, is_bad);
	source.buddy = 1;
	/* The block may be another one. */
	if (!vcm_contiguous_alloc(&chunks, 3 * PAGE_SIZE, 0)) {
		KUNIT_EXPECT_PTR_NE(test, chunks.pages[0], first);
		vcm_chunks_free(&chunks);
	}
	kunit_deactivate_static_stub(test, vcm_memory_has_bad_page);
}

/* --- What fails -------------------------------------------------------- */

static void no_run_leaves_nothing(struct kunit *test)
{
	struct vcm_chunks chunks;

	source.buddy = 0;
	source.moves = 0;
	KUNIT_EXPECT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_4M, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, alloc_run(&chunks, SZ_2M), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vcm_contiguous_alloc(&chunks, PAGE_SIZE, 0),
			-ENOMEM);
}

static void no_more_is_asked_for_than_may_be_had(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_EXPECT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_256M + PAGE_SIZE, 0),
			-ENOMEM);
	vcm_memory_reserve_mb = INT_MAX;
	KUNIT_EXPECT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_4M, 0), -ENOMEM);
	vcm_memory_reserve_mb = -1;
	KUNIT_EXPECT_EQ(test, source.nr_moves, 0);
}

/* The functions that charge memory are the core's alone. */
static void what_is_to_be_charged_is_not_moved(struct kunit *test)
{
	struct vcm_chunks chunks;

	KUNIT_EXPECT_EQ(test, vcm_memory_run_max(), VCM_MEMORY_RUN_MAX);
	mem_accounting = true;
	KUNIT_EXPECT_EQ(test, vcm_memory_run_max(), MAX_ORDER_NR_PAGES);
	source.buddy = 0;
	KUNIT_EXPECT_EQ(test, vcm_contiguous_alloc(&chunks, SZ_1M, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, source.nr_moves, 0);
	mem_accounting = false;
}

static void a_killed_task_gets_no_run(struct kunit *test)
{
	struct vcm_chunks chunks;
	int ret;

	source.buddy = 0;
	source.moves = 0;
	sigaddset(&current->pending.signal, SIGKILL);
	set_thread_flag(TIF_SIGPENDING);
	ret = vcm_contiguous_alloc(&chunks, SZ_2M, 0);
	sigdelset(&current->pending.signal, SIGKILL);
	clear_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, ret, -EINTR);
}

static void the_core_moves_what_is_in_the_way(struct kunit *test)
{
	struct page *page;

	kunit_deactivate_static_stub(test, vcm_memory_move_run);
	kunit_deactivate_static_stub(test, vcm_memory_free_run);
	page = vcm_memory_move_run(SZ_8M >> PAGE_SHIFT, NUMA_NO_NODE, 0);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, page_to_pfn(page) % (SZ_2M >> PAGE_SHIFT), 0);
	KUNIT_EXPECT_TRUE(test, vcm_contents_are(page, SZ_8M >> PAGE_SHIFT, 0));
	vcm_memory_free_run(page, SZ_8M >> PAGE_SHIFT);
}

/* A page of its own, one of a slab, and one that was freed. */
static void what_a_page_is_used_for_is_guessed(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL), *slab;
	void *object = kunit_kmalloc(test, 32, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_NOT_NULL(test, object);
	slab = virt_to_page(object);
	KUNIT_EXPECT_EQ(test, vcm_run_step(page, page_zone(page)), 0);
	KUNIT_EXPECT_EQ(test, vcm_run_step(slab, page_zone(slab)), 0);
	__free_page(page);
	KUNIT_EXPECT_NE(test, vcm_run_step(page, page_zone(page)), 0);
	KUNIT_EXPECT_EQ(test, vcm_run_step(page, page_zone(page) + 1), 0);
}

static struct kunit_case contiguous_test_cases[] = {
	KUNIT_CASE(a_free_block_is_one_run),
	KUNIT_CASE(one_chunk_is_a_chunk_of_any_buffer),
	KUNIT_CASE(bad_pages_are_given_back),
	KUNIT_CASE(no_run_leaves_nothing),
	KUNIT_CASE(no_more_is_asked_for_than_may_be_had),
	KUNIT_CASE(a_killed_task_gets_no_run),
#ifdef CONFIG_CONTIG_ALLOC
	KUNIT_CASE(what_is_moved_is_one_run),
	KUNIT_CASE(a_long_run_begins_where_a_large_chunk_may),
	KUNIT_CASE(what_is_no_chunk_any_more_is_moved),
	KUNIT_CASE(the_pool_gives_way),
	KUNIT_CASE(what_is_to_be_charged_is_not_moved),
	KUNIT_CASE(the_core_moves_what_is_in_the_way),
	KUNIT_CASE(what_a_page_is_used_for_is_guessed),
#endif
	{}
};

static struct kunit_suite contiguous_test_suite = {
	.name = "vcm_contiguous",
	.init = contiguous_test_init,
	.exit = contiguous_test_exit,
	.test_cases = contiguous_test_cases,
};

kunit_test_suite(contiguous_test_suite);
