// SPDX-License-Identifier: GPL-2.0
/*
 * What the pool gives back to the buddy allocator, and to whom
 *
 * Above the cap, for a larger chunk, for who fails to get memory, for reclaim, and
 * what nobody needed for a while.
 */

#include <kunit/static_stub.h>
#include <linux/align.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/spinlock.h>

#include "vcm_memory.h"
#include "vcm_pool_free.h"
#include "vcm_pool_limit.h"
#include "vcm_pool_node.h"

/*
 * Pages that are taken out to be freed, at most or a single chunk: those that are
 * on their way are missing for whoever looks what memory there is.
 */
#define VCM_POOL_FREE_PAGES	(SZ_4M >> PAGE_SHIFT)

/**
 * vcm_pool_free_chunks - give chunks back to the buddy allocator
 * @chunks: the chunks, which are not in the pool
 *
 * Context: Any that __free_pages() can be called from.
 */
void vcm_pool_free_chunks(struct list_head *chunks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, chunks, lru)
		vcm_memory_free(page);
}

static unsigned long vcm_pool_free_kind(struct vcm_pool_node *node,
					unsigned long nr_pages,
					enum vcm_chunk_size size,
					enum vcm_pool_kind kind)
{
	unsigned long unit = vcm_pool_chunk_pages(size), freed = 0;

	while (freed < nr_pages &&
	       vcm_pool_nr(&node->lists[size], kind)) {
		unsigned long want = min(nr_pages - freed, VCM_POOL_FREE_PAGES);
		LIST_HEAD(chunks);

		freed += vcm_pool_pop(node, size, kind, DIV_ROUND_UP(want, unit),
				      &chunks) * unit;
		vcm_pool_free_chunks(&chunks);
	}
	return freed;
}

/*
 * Free @nr_pages pages in chunks of @largest and smaller; the last chunk may have
 * more. Small chunks go first: a large one may not come again.
 */
static unsigned long vcm_pool_free_sizes(struct vcm_pool_node *node,
					 unsigned long nr_pages,
					 enum vcm_chunk_size largest)
{
	unsigned long freed = 0;
	enum vcm_pool_kind kind;
	int size;

	for (kind = 0; kind < VCM_POOL_NR_KINDS; kind++)
		for (size = VCM_CHUNK_PAGE;
		     size >= (int)largest && freed < nr_pages; size--)
			freed += vcm_pool_free_kind(node, nr_pages - freed,
						    size, kind);
	return freed;
}

/**
 * vcm_pool_free_node - give chunks of a node back to the buddy allocator
 * @nr_pages: how many pages; the last chunk may have more
 * @nid: the node
 *
 * Context: Any that the page allocator's reclaim calls shrinkers in.
 * Return: number of pages that were freed.
 */
unsigned long vcm_pool_free_node(unsigned long nr_pages, int nid)
{
	struct vcm_pool_node *node;

	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_free_node, nr_pages, nid);

	node = vcm_pool_node(nid);
	return node ? vcm_pool_free_sizes(node, nr_pages, 0) : 0;
}

/* ---- For the cap, and for larger ones ---- */

/* Above its cap, and pages above their share. */
static void vcm_pool_trim_node(struct vcm_pool_node *node)
{
	unsigned long cap = vcm_pool_node_cap(node);
	unsigned long share = cap / VCM_POOL_PAGE_PART, have;

	have = vcm_pool_nr_of_size(node, VCM_CHUNK_PAGE);
	if (have > share)
		vcm_pool_free_sizes(node, have - share, VCM_CHUNK_PAGE);
	have = READ_ONCE(node->pages);
	if (have > cap)
		vcm_pool_free_sizes(node, have - cap, 0);
}

/**
 * vcm_pool_trim - give back what is above the cap
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_trim(void)
{
	struct vcm_pool_node *node;

	for_each_vcm_pool_node(node)
		vcm_pool_trim_node(node);
}

/**
 * vcm_pool_set_cap - limit the pool
 * @pages: how many it may hold, ULONG_MAX for the default; what is above is
 *	freed
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_set_cap(unsigned long pages)
{
	vcm_pool_change_cap(pages);
	vcm_pool_trim();
}

/* Pages in chunks that are smaller than @size. */
static unsigned long vcm_pool_smaller_pages(const struct vcm_pool_node *node,
					    enum vcm_chunk_size size)
{
	unsigned long pages = 0;

	while (++size < VCM_NR_CHUNK_SIZES)
		pages += vcm_pool_nr_of_size(node, size) *
			 vcm_pool_chunk_pages(size);
	return pages;
}

/**
 * vcm_pool_make_room - find room for chunks
 * @node: on this node
 * @size: their size
 * @nr: how many
 *
 * Smaller chunks make room, as far as that makes it for whole ones.
 *
 * Context: Process context.
 * Return: how many there is room for, at most @nr.
 */
unsigned long vcm_pool_make_room(struct vcm_pool_node *node,
				 enum vcm_chunk_size size,
				 unsigned long nr)
{
	unsigned long cap = vcm_pool_node_cap(node);
	unsigned long room = vcm_pool_room(node, cap, size);
	unsigned long unit = vcm_pool_chunk_pages(size), smaller;

	if (room / unit >= nr || cap < unit)
		return min(room / unit, nr);

	smaller = vcm_pool_smaller_pages(node, size);
	nr = min(nr, (room + smaller) / unit);
	if (nr * unit > room)
		vcm_pool_free_sizes(node, nr * unit - room, size + 1);
	return nr;
}

/* ---- All, and what nobody needs ---- */

/**
 * vcm_pool_drain - give all of the pool back to the buddy allocator
 *
 * Context: Process context, sleeps.
 * Return: number of pages that were freed.
 */
unsigned long vcm_pool_drain(void)
{
	struct vcm_pool_node *node;
	unsigned long freed = 0;

	for_each_vcm_pool_node(node)
		freed += vcm_pool_free_node(ULONG_MAX, node->nid);
	return freed;
}

/* Give chunks of a size that nobody needed back, but for @keep of them. */
static void vcm_pool_age_size(struct vcm_pool_node *node,
			      enum vcm_chunk_size size, unsigned long keep)
{
	struct vcm_pool_list *list = &node->lists[size];
	unsigned long unit = vcm_pool_chunk_pages(size), pages, nr;

	spin_lock(&node->lock);
	nr = vcm_pool_nr_of_size(node, size);
	pages = min(list->idle, nr > keep ? nr - keep : 0) * unit;
	spin_unlock(&node->lock);

	pages -= min(pages, vcm_pool_free_kind(node, pages, size,
					       VCM_POOL_DIRTY));
	vcm_pool_free_kind(node, pages, size, VCM_POOL_CLEAN);

	spin_lock(&node->lock);
	list->idle = vcm_pool_nr_of_size(node, size);
	spin_unlock(&node->lock);
}

/**
 * vcm_pool_age - give back what nobody needed since the last call
 * @nid: on this node
 * @keep: pages to keep of each size above the page
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_age(int nid, unsigned long keep)
{
	struct vcm_pool_node *node = vcm_pool_node(nid);
	enum vcm_chunk_size size;

	if (!node)
		return;
	for (size = 0; size < VCM_CHUNK_PAGE; size++)
		vcm_pool_age_size(node, size,
				  keep / vcm_pool_chunk_pages(size));
	vcm_pool_age_size(node, VCM_CHUNK_PAGE, 0);
}

/* ---- For who fails to get memory ---- */

/* Chunks of @size, which can be taken, and larger ones, which are split. */
static unsigned long vcm_pool_free_larger(struct vcm_pool_node *node,
					  unsigned long nr_pages,
					  enum vcm_chunk_size size)
{
	unsigned long freed = 0;
	enum vcm_pool_kind kind;
	int s;

	for (s = size; s >= 0; s--)
		for (kind = 0; kind < VCM_POOL_NR_KINDS && freed < nr_pages;
		     kind++)
			freed += vcm_pool_free_kind(node, nr_pages - freed, s,
						    kind);
	return freed;
}

/**
 * vcm_pool_yield - free what helps an allocation that failed
 * @size: the smallest chunk size that it can do with
 * @bytes: what it lacks
 *
 * That is chunks of this size, which the task could not take itself because they
 * are not on its node, and larger ones, which the buddy allocator splits.
 *
 * Context: Process context, sleeps.
 * Return: number of pages that were freed, at least what is lacking unless there
 *	was less; 0 if there is nothing.
 */
unsigned long vcm_pool_yield(enum vcm_chunk_size size, size_t bytes)
{
	unsigned long nr_pages = bytes >> PAGE_SHIFT, freed = 0;
	struct vcm_pool_node *node;

	for_each_vcm_pool_node(node)
		if (freed < nr_pages && vcm_memory_node_allowed(node->nid))
			freed += vcm_pool_free_larger(node, nr_pages - freed,
						      size);
	return freed;
}

/* Take the chunks that are smaller than @size; page_private() tells their kind. */
static void vcm_pool_pop_smaller(struct vcm_pool_node *node,
				 enum vcm_chunk_size size,
				 struct list_head *chunks)
{
	enum vcm_pool_kind kind;

	while (++size < VCM_NR_CHUNK_SIZES) {
		for (kind = 0; kind < VCM_POOL_NR_KINDS; kind++) {
			struct page *page;
			LIST_HEAD(some);

			while (vcm_pool_pop(node, size, kind, ULONG_MAX, &some))
				cond_resched();
			list_for_each_entry(page, &some, lru)
				set_page_private(page, kind);
			list_splice_tail(&some, chunks);
		}
	}
}

/* ... and put one back, if it still has room. */
static void vcm_pool_push_back(struct vcm_pool_node *node, struct page *page)
{
	enum vcm_pool_kind kind = page_private(page);
	enum vcm_chunk_size size = 0;
	LIST_HEAD(one);

	while (vcm_pool_chunk_pages(size) != compound_nr(page))
		size++;
	set_page_private(page, 0);
	list_move(&page->lru, &one);
	vcm_pool_push(node, size, kind, 1, &one);
	vcm_pool_free_chunks(&one);
}

static int vcm_pool_cmp(void *unused, const struct list_head *a,
			const struct list_head *b)
{
	return cmp_int(page_to_pfn(list_entry(a, struct page, lru)),
		       page_to_pfn(list_entry(b, struct page, lru)));
}

static bool vcm_pool_range_is_free(unsigned long pfn, unsigned long end)
{
	while (pfn < end && is_free_buddy_page(pfn_to_page(pfn)))
		pfn++;
	return pfn == end;
}

/*
 * Move what @chunks has of the block of @nr pages that its first one is in to
 * @block. Returns whether nobody else has a page of it.
 */
static bool vcm_pool_cut_block(struct list_head *chunks, unsigned long nr,
			       struct list_head *block)
{
	struct page *page = list_first_entry(chunks, struct page, lru);
	unsigned long pfn = ALIGN_DOWN(page_to_pfn(page), nr), end = pfn + nr;
	bool whole = true;

	while (!list_empty(chunks)) {
		page = list_first_entry(chunks, struct page, lru);
		if (page_to_pfn(page) >= end)
			break;
		whole = whole && vcm_pool_range_is_free(pfn, page_to_pfn(page));
		pfn = page_to_pfn(page) + compound_nr(page);
		list_move_tail(&page->lru, block);
	}
	return whole && vcm_pool_range_is_free(pfn, end);
}

/* Of the smaller chunks of a node those whose memory becomes one of @size. */
static unsigned long vcm_pool_merge_node(struct vcm_pool_node *node,
					 enum vcm_chunk_size size)
{
	unsigned long unit = vcm_pool_chunk_pages(size), freed = 0;
	struct page *page, *next;
	LIST_HEAD(chunks);

	vcm_pool_pop_smaller(node, size, &chunks);
	list_sort(NULL, &chunks, vcm_pool_cmp);
	while (!list_empty(&chunks)) {
		LIST_HEAD(block);
		bool whole = vcm_pool_cut_block(&chunks, unit, &block);

		list_for_each_entry_safe_reverse(page, next, &block, lru) {
			if (whole) {
				set_page_private(page, 0);
				vcm_memory_free(page);
			} else {
				vcm_pool_push_back(node, page);
			}
		}
		freed += whole ? unit : 0;
		cond_resched();
	}
	return freed;
}

/**
 * vcm_pool_merge - free what helps an allocation that vcm_pool_yield() did not help
 * @size: the smallest chunk size that it can do with
 *
 * Smaller chunks help where nobody else has a part of the block that they are in:
 * only those are freed, or who asks in vain would cost others the pool.
 *
 * Context: Process context, sleeps.
 * Return: number of pages in the blocks that are free now.
 */
unsigned long vcm_pool_merge(enum vcm_chunk_size size)
{
	struct vcm_pool_node *node;
	unsigned long freed = 0;

	for_each_vcm_pool_node(node)
		if (vcm_memory_node_allowed(node->nid))
			freed += vcm_pool_merge_node(node, size);
	return freed;
}
