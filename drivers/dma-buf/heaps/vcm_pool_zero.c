// SPDX-License-Identifier: GPL-2.0
/*
 * Zeroing the chunks of the pool: the worker in its own time, step by step, and
 * who takes a chunk away from it the rest
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>

#include "vcm_memory.h"
#include "vcm_pool_node.h"
#include "vcm_pool_zero.h"

/*
 * What the worker zeroes in one go, a few microseconds during which the chunk
 * cannot be taken away from it.
 */
#define VCM_POOL_STEP		max(SZ_64K >> PAGE_SHIFT, 1)

static void vcm_pool_zero_pages(struct page *page, unsigned long nr)
{
	unsigned long i;

	if (!PageHighMem(page)) {
		clear_pages(page_address(page), nr);
		return;
	}
	for (i = 0; i < nr; i++)
		clear_highpage(page + i);
}

/**
 * vcm_pool_zero_rest - zero what is left of a chunk
 * @page: its first page
 * @zeroed: how many of its pages are zero
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_zero_rest(struct page *page, unsigned long zeroed)
{
	unsigned long nr = compound_nr(page), step;

	for (; zeroed < nr; zeroed += step) {
		step = min(nr - zeroed, VCM_POOL_STEP);
		vcm_pool_zero_pages(page + zeroed, step);
		cond_resched();
	}
}

/* Begin with a dirty chunk, the largest first. */
static struct page *vcm_pool_take_up(struct vcm_pool_node *node)
{
	enum vcm_chunk_size size = 0;
	struct page *page = NULL;

	if (!READ_ONCE(node->dirty))
		return NULL;

	spin_lock(&node->lock);
	while (size < VCM_CHUNK_PAGE && !node->lists[size].nr[VCM_POOL_DIRTY])
		size++;
	if (node->lists[size].nr[VCM_POOL_DIRTY]) {
		/* The last one is what an allocation takes last. */
		page = list_last_entry(&node->lists[size].chunks[VCM_POOL_DIRTY],
				       struct page, lru);
		spin_lock(&node->zero_lock);
		node->hand = page;
		node->hand_size = size;
		node->zeroed = 0;
		spin_unlock(&node->zero_lock);
	}
	spin_unlock(&node->lock);
	return page;
}

/* Go on zeroing. Returns false if nothing is left to do, or the chunk was taken. */
VISIBLE_IF_KUNIT bool vcm_pool_zero_step(struct vcm_pool_node *node,
					 struct page *page)
{
	unsigned long step = 0;

	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_zero_step, node, page);

	spin_lock(&node->zero_lock);
	if (node->hand == page)
		step = min(compound_nr(page) - node->zeroed, VCM_POOL_STEP);
	if (step) {
		vcm_pool_zero_pages(page + node->zeroed, step);
		node->zeroed += step;
	}
	spin_unlock(&node->zero_lock);
	return step;
}

/* A chunk that was not taken away is clean now. */
static void vcm_pool_put_down(struct vcm_pool_node *node, struct page *page)
{
	struct vcm_pool_list *list;

	spin_lock(&node->lock);
	if (node->hand == page) {
		list = &node->lists[node->hand_size];
		vcm_pool_take_hand(node);
		list_move(&page->lru, &list->chunks[VCM_POOL_CLEAN]);
		WRITE_ONCE(list->nr[VCM_POOL_DIRTY],
			   list->nr[VCM_POOL_DIRTY] - 1);
		WRITE_ONCE(list->nr[VCM_POOL_CLEAN],
			   list->nr[VCM_POOL_CLEAN] + 1);
		WRITE_ONCE(node->dirty, node->dirty - 1);
	}
	spin_unlock(&node->lock);
}

/* One that is bad leaves, unless somebody has just taken it. */
static void vcm_pool_throw_away(struct vcm_pool_node *node, struct page *page)
{
	bool mine;

	spin_lock(&node->lock);
	mine = node->hand == page;
	if (mine) {
		vcm_pool_take_hand(node);
		list_del(&page->lru);
		vcm_pool_count_chunks(node, node->hand_size, VCM_POOL_DIRTY,
				      -1);
	}
	spin_unlock(&node->lock);
	if (mine)
		vcm_memory_free(page);
}

/**
 * vcm_pool_zero_one - zero a dirty chunk, the largest first
 * @nid: of this node
 *
 * Others can take the chunk away at any time, as far as it is then zeroed.
 *
 * Context: Process context, sleeps; the worker alone.
 * Return: false if there is none.
 */
bool vcm_pool_zero_one(int nid)
{
	struct vcm_pool_node *node = vcm_pool_node(nid);
	struct page *page = node ? vcm_pool_take_up(node) : NULL;

	if (!page)
		return false;
	if (!vcm_memory_is_good(page)) {
		vcm_pool_throw_away(node, page);
		return true;
	}
	while (vcm_pool_zero_step(node, page))
		cond_resched();
	vcm_pool_put_down(node, page);
	return true;
}

/**
 * vcm_pool_has_dirty - is there something to zero?
 *
 * Context: Any.
 * Return: true if there is.
 */
bool vcm_pool_has_dirty(void)
{
	const struct vcm_pool_node *node;

	for_each_vcm_pool_node(node)
		if (READ_ONCE(node->dirty))
			return true;
	return false;
}
