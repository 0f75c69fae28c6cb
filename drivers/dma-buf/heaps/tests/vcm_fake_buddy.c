// SPDX-License-Identifier: GPL-2.0
/*
 * A page allocator that counts and fails as told, for KUnit tests
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/dma-heap.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "../../../iommu/tests/vcm-fail-nth.h"
#include "../vcm_memory.h"
#include "vcm_fake_buddy.h"

struct vcm_fake_buddy vcm_fake_buddy;

/* What the pool was like before. */
static unsigned long cap_before;
static bool accounting_before;

/**
 * vcm_size_order - the page order of a chunk size
 * @size: the size
 *
 * Context: Any.
 * Return: the order.
 */
unsigned int vcm_size_order(enum vcm_chunk_size size)
{
	return get_order(vcm_chunk_bytes(size));
}

static enum vcm_chunk_size size_of_order(unsigned int order)
{
	enum vcm_chunk_size size = VCM_CHUNK_2M;

	while (size < VCM_CHUNK_PAGE && vcm_size_order(size) != order)
		size++;
	return size;
}

static struct page *fake_take(gfp_t gfp, unsigned int order)
{
	struct vcm_fake_buddy *buddy = &vcm_fake_buddy;

	if (order || !buddy->give)
		return alloc_pages(gfp, order);
	if (!buddy->nr_give)
		return NULL;
	buddy->nr_give--;
	return *buddy->give++;
}

/* A page, and a note of it. */
static struct page *fake_give(gfp_t gfp, unsigned int order)
{
	struct page *page = fake_take(gfp, order);

	if (page)
		xa_store(&vcm_fake_buddy.out, page_to_pfn(page),
			 xa_mk_value(order), GFP_KERNEL | __GFP_NOFAIL);
	return page;
}

static struct page *fake_alloc(int nid, gfp_t gfp, unsigned int order)
{
	struct vcm_fake_buddy *buddy = &vcm_fake_buddy;
	enum vcm_chunk_size size = size_of_order(order);
	unsigned int nth = vcm_fail_nth_pause();
	struct page *page = NULL;

	buddy->nr_calls[size]++;
	if (buddy->reserve_mb)
		vcm_memory_reserve_mb = buddy->reserve_mb;
	buddy->gfp = gfp;
	buddy->nid = nid;
	if (buddy->left[size] &&
	    buddy->nr_pages + (1UL << order) <= buddy->budget)
		page = fake_give(gfp, order);
	if (page && buddy->left[size] != ULONG_MAX)
		buddy->left[size]--;
	if (page)
		buddy->nr_pages += 1UL << order;
	if (buddy->on_alloc)
		buddy->on_alloc();
	vcm_fail_nth_resume(nth);
	return page;
}

static void fake_free(struct page *page)
{
	struct vcm_fake_buddy *buddy = &vcm_fake_buddy;
	unsigned int order = compound_order(page);

	buddy->most_freed = max(buddy->most_freed, buddy->nr_pages -
				vcm_pool_node_pages(page_to_nid(page)));
	if (xa_erase(&buddy->out, page_to_pfn(page)) == xa_mk_value(order))
		buddy->nr_pages -= 1UL << order;
	else
		buddy->strangers++;
	__free_pages(page, order);
}

static void fake_queue_work(struct kthread_delayed_work *work,
			    unsigned long delay, bool again)
{
	if (work == &vcm_pool_age_work)
		vcm_fake_buddy.nr_age_kicks++;
	else
		vcm_fake_buddy.nr_kicks++;
	vcm_fake_buddy.delay = delay;
	vcm_fake_buddy.again = again;
}

static long fake_zone_spare(struct zone *zone)
{
	return vcm_fake_buddy.spare;
}

/**
 * vcm_fake_buddy_init - begin with an empty pool and all the memory there is
 * @test: the case
 *
 * Context: Process context, sleeps.
 * Return: 0.
 */
int vcm_fake_buddy_init(struct kunit *test)
{
	struct vcm_fake_buddy *buddy = &vcm_fake_buddy;

	memset(buddy, 0, sizeof(*buddy));
	memset(buddy->left, 0xff, sizeof(buddy->left));
	buddy->budget = ULONG_MAX;
	buddy->spare = LONG_MAX;
	xa_init(&buddy->out);

	/* Nobody else uses the heap now, and so the worker stays idle. */
	kthread_cancel_delayed_work_sync(&vcm_pool_work);
	kthread_cancel_delayed_work_sync(&vcm_pool_age_work);
	while (vcm_pool_ease())
		;
	accounting_before = mem_accounting;
	mem_accounting = false;
	cap_before = vcm_pool_cap_pages();
	vcm_pool_drain();
	kunit_activate_static_stub(test, vcm_memory_alloc_pages, fake_alloc);
	kunit_activate_static_stub(test, vcm_memory_free, fake_free);
	kunit_activate_static_stub(test, vcm_pool_queue_work, fake_queue_work);
	kunit_activate_static_stub(test, vcm_pool_zone_spare, fake_zone_spare);
	return 0;
}

/**
 * vcm_fake_buddy_exit - no page may be lost, nor freed twice
 * @test: the case
 *
 * Context: Process context, sleeps.
 */
void vcm_fake_buddy_exit(struct kunit *test)
{
	struct vcm_pool_stats stats;

	while (vcm_pool_ease())
		;
	vcm_pool_drain();
	vcm_pool_stats(&stats);
	vcm_pool_set_cap(cap_before);
	mem_accounting = accounting_before;
	KUNIT_EXPECT_EQ(test, stats.total, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_buddy.strangers, 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&vcm_fake_buddy.out));
	xa_destroy(&vcm_fake_buddy.out);
}

/**
 * vcm_fake_buddy_give_neighbours - have pages that are neighbours given out
 * @test: the case
 * @pages: filled in; given in this order from now on
 * @nr: how many, a power of two
 *
 * Context: Process context, sleeps.
 */
void vcm_fake_buddy_give_neighbours(struct kunit *test, struct page **pages,
				    unsigned int nr)
{
	struct page *page = alloc_pages(GFP_KERNEL, ilog2(nr));
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	split_page(page, ilog2(nr));
	for (i = 0; i < nr; i++)
		pages[i] = page + i;
	vcm_fake_buddy.give = pages;
	vcm_fake_buddy.nr_give = nr;
}
