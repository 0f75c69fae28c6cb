// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks that wait for the next buffer: the warm pool
 *
 * Zeroing is nearly all of what an allocation costs, and it need not be done
 * while somebody waits. The chunks of a released buffer go to the pool as they
 * are, *dirty*; a worker (vcm_pool_work.c) zeroes them in its own time, and they
 * are *clean*. An allocation takes clean chunks, else a dirty one and
 * zeroes it, else goes to the buddy allocator: what one buffer had in it is
 * never in another, and no byte is zeroed twice.
 *
 * Large chunks are what it is for: when memory is scattered they cannot be had
 * again. So a chunk never keeps out a larger one, and pages, which can always be
 * had, get a small share, if they come in numbers (vcm_chunk.c).
 *
 * The pool is memory that nobody uses: it is counted as reclaimable, each node has
 * a cap, and what was not needed for a while is given back. Nothing is put while
 * others look for memory. A chunk stays on its node and goes to allocations from
 * that node.
 *
 * ION, Android's system heap and TTM (drivers/gpu/drm/ttm/ttm_pool.c) have
 * pools of this kind.
 */

#include <linux/cpuset.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/topology.h>

#include "vcm_memory.h"
#include "vcm_pool.h"
#include "vcm_pool_free.h"
#include "vcm_pool_limit.h"
#include "vcm_pool_node.h"
#include "vcm_pool_zero.h"

/* ---- Taking ---- */

/* The node that the current task may take from, if it has such chunks, or NULL. */
static struct vcm_pool_node *vcm_pool_local(enum vcm_chunk_size size,
					    enum vcm_pool_kind kind)
{
	int nid = numa_mem_id();
	struct vcm_pool_node *node = vcm_pool_node(nid);

	if (!node || !vcm_pool_nr(&node->lists[size], kind))
		return NULL;
#ifdef CONFIG_NUMA
	/* Who says where memory is to come from is served by who listens. */
	if (current->mempolicy)
		return NULL;
#endif
	return node_isset(nid, cpuset_current_mems_allowed) ? node : NULL;
}

/* Free those of @nr @chunks that are bad; returns how many are left. */
static unsigned long vcm_pool_sort_out(struct list_head *chunks,
				       unsigned long nr)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, chunks, lru) {
		if (vcm_memory_is_good(page))
			continue;
		list_del(&page->lru);
		vcm_memory_free(page);
		nr--;
	}
	return nr;
}

/**
 * vcm_pool_get_clean - take chunks that are zeroed
 * @size: their size
 * @nr: how many
 * @chunks: they are added at the end, by &struct page.lru
 *
 * Context: Process context, does not sleep.
 * Return: how many there were, at most @nr.
 */
unsigned long vcm_pool_get_clean(enum vcm_chunk_size size, unsigned long nr,
				 struct list_head *chunks)
{
	struct vcm_pool_node *node = vcm_pool_local(size, VCM_POOL_CLEAN);
	unsigned long got = 0;

	if (!node)
		return 0;

	while (got < nr && vcm_pool_nr(&node->lists[size], VCM_POOL_CLEAN)) {
		LIST_HEAD(batch);
		unsigned long n = vcm_pool_pop(node, size, VCM_POOL_CLEAN,
					       nr - got, &batch);

		got += vcm_pool_sort_out(&batch, n);
		list_splice_tail(&batch, chunks);
	}
	return got;
}

static struct page *vcm_pool_get_dirty(enum vcm_chunk_size size)
{
	struct vcm_pool_node *node = vcm_pool_local(size, VCM_POOL_DIRTY);
	unsigned long zeroed;
	struct page *page;

	if (!node)
		return NULL;

	while ((page = vcm_pool_pop_dirty(node, size, &zeroed)) &&
	       !vcm_memory_is_good(page))
		vcm_memory_free(page);
	if (page)
		vcm_pool_zero_rest(page, zeroed);
	return page;
}

/**
 * vcm_pool_get_new - get a chunk that the pool does not have
 * @size: its size
 *
 * Also the buddy allocator gives out what others freed with a bad page in it.
 *
 * Context: Process context, sleeps.
 * Return: a zeroed chunk or NULL.
 */
struct page *vcm_pool_get_new(enum vcm_chunk_size size)
{
	struct page *page;

	while ((page = vcm_memory_alloc(size)) && !vcm_memory_is_good(page))
		vcm_memory_free(page);
	return page;
}

/**
 * vcm_pool_get - get a chunk that costs the time of zeroing it
 * @size: its size
 *
 * It is a dirty one of the pool or, if there is none, a new one.
 *
 * Context: Process context, sleeps.
 * Return: a zeroed chunk or NULL.
 */
struct page *vcm_pool_get(enum vcm_chunk_size size)
{
	return vcm_pool_get_dirty(size) ?: vcm_pool_get_new(size);
}

/* ---- Giving ---- */

/* Who still holds a page of it must not see what the next buffer has in it. */
static bool vcm_pool_takes(struct page *page)
{
	return page_ref_count(page) == 1 && vcm_memory_is_good(page);
}

/*
 * Add the chunks at the beginning of @pages that are in the same zone; what the
 * pool does not take is freed, and @kept is set if it takes some. Returns their
 * number.
 */
static unsigned long vcm_pool_put_zone(enum vcm_chunk_size size,
				       struct page **pages, unsigned long nr,
				       bool *kept)
{
	struct zone *zone = page_zone(pages[0]);
	struct vcm_pool_node *node = vcm_pool_node(zone_to_nid(zone));
	unsigned long room = 0, taken = 0, i;
	LIST_HEAD(chunks);

	if (node && vcm_pool_may_keep(zone))
		room = vcm_pool_make_room(node, size, nr);

	for (i = 0; i < nr && page_zone(pages[i]) == zone; i++) {
		cond_resched();
		if (taken < room && vcm_pool_takes(pages[i])) {
			list_add_tail(&pages[i]->lru, &chunks);
			taken++;
		} else {
			vcm_memory_free(pages[i]);
		}
	}
	if (taken) {
		vcm_pool_push(node, size, VCM_POOL_DIRTY, taken, &chunks);
		vcm_pool_free_chunks(&chunks);
		*kept = true;
	}
	return i;
}

/**
 * vcm_pool_put - give chunks back
 * @size: their size
 * @pages: their first pages
 * @nr: how many
 *
 * What the pool does not take is freed: what there is no room for, and all of it
 * while memory is short.
 *
 * Context: Process context, sleeps.
 * Return: true if it took some, so that vcm_pool_kick() is to be called.
 */
bool vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr)
{
	unsigned long i = 0;
	bool kept = false;

	while (i < nr)
		i += vcm_pool_put_zone(size, pages + i, nr - i, &kept);
	return kept;
}

/**
 * vcm_pool_add_one - add a new chunk
 * @nid: the node
 * @size: its size
 *
 * Context: Process context, sleeps.
 * Return: false if the cap is reached, there is none, or others would miss it.
 */
bool vcm_pool_add_one(int nid, enum vcm_chunk_size size)
{
	struct vcm_pool_node *node = vcm_pool_node(nid);
	struct page *page;
	LIST_HEAD(chunks);

	if (!node || !vcm_chunk_size_usable(size) ||
	    !vcm_pool_node_can_spare(nid, vcm_pool_chunk_pages(size)) ||
	    !vcm_pool_keep_room(node, size))
		return false;

	page = vcm_memory_alloc_node(nid, size);
	if (page)
		list_add(&page->lru, &chunks);
	vcm_pool_push_new(node, size, &chunks);
	if (page && list_empty(&chunks))
		return true;
	/* The cap was lowered meanwhile. */
	vcm_pool_free_chunks(&chunks);
	return false;
}

/* ---- What is there ---- */

static void vcm_pool_add_stats(struct vcm_pool_node *node,
			       struct vcm_pool_stats *stats)
{
	enum vcm_chunk_size size;

	spin_lock(&node->lock);
	stats->total += (u64)(node->pages + node->coming) << PAGE_SHIFT;
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		stats->clean[size] += node->lists[size].nr[VCM_POOL_CLEAN];
		stats->dirty[size] += node->lists[size].nr[VCM_POOL_DIRTY];
	}
	spin_unlock(&node->lock);
}

/**
 * vcm_pool_stats - what the pool holds
 * @stats: filled in; a snapshot of each node
 *
 * Context: Process context.
 */
void vcm_pool_stats(struct vcm_pool_stats *stats)
{
	struct vcm_pool_node *node;

	*stats = (struct vcm_pool_stats){
		.cap = (u64)vcm_pool_cap_pages() << PAGE_SHIFT,
		.pressed = vcm_pool_pressed(),
	};
	for_each_vcm_pool_node(node)
		vcm_pool_add_stats(node, stats);
}

/* ---- Beginning and end ---- */

/**
 * vcm_pool_init - set the pool up
 *
 * Context: Process context, once, before the first buffer.
 * Return: 0 or -ENOMEM.
 */
int vcm_pool_init(void)
{
	int ret = vcm_pool_nodes_create();

	if (!ret)
		vcm_pool_update_caps();
	return ret;
}

/**
 * vcm_pool_exit - undo vcm_pool_init()
 *
 * Context: Process context; nobody uses the pool any more.
 */
void vcm_pool_exit(void)
{
	vcm_pool_drain();
	vcm_pool_nodes_destroy();
}
