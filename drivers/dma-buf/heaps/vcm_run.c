// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of memory where others have some of it
 *
 * The core empties a range of pages that it is told (alloc_contig_range()): what is in it
 * and can be moved is moved. Which range, is found out here. alloc_contig_pages() would
 * look at multiples of the length alone, of which there are two for 256 MB in a machine of
 * 1 GB, and one page of the kernel in each is enough for it to fail.
 *
 * What a page is used for is a guess, as nothing is held. When it was wrong, the core
 * finds out, and the next range is tried.
 */

#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "vcm_run.h"

/* Long runs begin at a multiple of this many pages. */
#define VCM_RUN_UNIT	max(SZ_2M >> PAGE_SHIFT, 1UL)

/* Each try that fails may have moved much for nothing. */
#define VCM_RUN_TRIES	64

/**
 * struct vcm_run_search - a search for a run
 * @nr: how many pages it has
 * @unit: pages that are looked at as one: all can be moved, or it is no part of it
 * @gfp: for alloc_contig_range()
 * @tries: how often it may still fail
 * @end: the page that it has to end before
 */
struct vcm_run_search {
	unsigned long nr;
	unsigned long unit;
	gfp_t gfp;
	unsigned int tries;
	unsigned long end;
};

/* A free block says how long it is; that is a guess as well. */
static unsigned long vcm_run_block(const struct page *page)
{
	unsigned long order = READ_ONCE(page->private);

	return 1UL << min(order, MAX_PAGE_ORDER);
}

/**
 * vcm_run_step - is a page free, or can it be moved?
 * @page: the page
 * @zone: the zone that it has to be in
 *
 * Context: Any.
 * Return: 0 if not, or so many pages from this one on are alike.
 */
VISIBLE_IF_KUNIT unsigned long vcm_run_step(const struct page *page,
					    const struct zone *zone)
{
	if (page_zone(page) != zone || PageReserved(page))
		return 0;
	/* PageLRU() would have nobody change the page meanwhile. */
	if (test_bit(PG_lru, &page_folio(page)->flags.f))
		return 1;
	if (PageCompound(page))
		return 0;
	if (page_ref_count(page))
		return page_has_movable_ops(page);
	if (PageBuddy(page))
		return vcm_run_block(page);
	/* Slabs and the like have no references either, but a type. */
	return !page_has_type(page);
}

/* Is everything in @unit pages from @pfn on free, or can it be moved? */
static bool vcm_run_can_move(const struct zone *zone, unsigned long pfn,
			     unsigned long unit)
{
	unsigned long end = pfn + unit, step;

	while (pfn < end) {
		struct page *page = pfn_to_online_page(pfn);

		step = page ? vcm_run_step(page, zone) : 0;
		if (!step)
			return false;
		pfn += step;
	}
	return true;
}

static struct page *vcm_run_in_zone(struct vcm_run_search *search,
				    struct zone *zone)
{
	unsigned long unit = search->unit, nr = search->nr;
	unsigned long pfn = ALIGN(zone->zone_start_pfn, unit), start = pfn;
	unsigned long end = min(zone_end_pfn(zone), search->end);

	while (pfn + unit <= end && search->tries && !fatal_signal_pending(current)) {
		cond_resched();
		pfn += unit;
		if (!vcm_run_can_move(zone, pfn - unit, unit)) {
			start = pfn;
			continue;
		}
		if (pfn - start < nr)
			continue;
		if (!alloc_contig_range(start, start + nr, ACR_FLAGS_NONE,
					search->gfp))
			return pfn_to_page(start);
		search->tries--;
		/* Nobody says what it was, so not all of it is looked at again. */
		start += ALIGN(nr / 4 + 1, unit);
		pfn = max(pfn, start);
	}
	return NULL;
}

/* The highest zones first: what is below is for those who need it there. */
static struct page *vcm_run_on_node(struct vcm_run_search *search, int nid)
{
	struct zone *zones = NODE_DATA(nid)->node_zones;
	int i;

	for (i = gfp_zone(search->gfp); i >= 0; i--) {
		struct page *page = NULL;

		if (managed_zone(&zones[i]))
			page = vcm_run_in_zone(search, &zones[i]);
		if (page)
			return page;
	}
	return NULL;
}

/**
 * vcm_run_alloc - allocate pages that are one run, moving what is in the way
 * @nr: how many, a multiple of 2 MB if it is more
 * @gfp: how; see alloc_contig_range()
 * @nid: the node to begin with
 * @nodes: the nodes that it may be on
 * @reach: no byte of it is at this physical address or beyond; 0 for any
 *
 * Two at once would each take what the other one has isolated for what cannot be moved.
 *
 * Context: Process context, sleeps. One caller at a time.
 * Return: the first page, or NULL. free_contig_range() frees them, also in parts.
 */
struct page *vcm_run_alloc(unsigned long nr, gfp_t gfp, int nid,
			   const nodemask_t *nodes, u64 reach)
{
	struct vcm_run_search search = {
		.nr = nr,
		.unit = min(roundup_pow_of_two(nr), VCM_RUN_UNIT),
		.gfp = gfp,
		.tries = VCM_RUN_TRIES,
		.end = reach ? min(reach >> PAGE_SHIFT, ULONG_MAX) : ULONG_MAX,
	};
	struct page *page = NULL;
	int node;

	if (node_isset(nid, *nodes))
		page = vcm_run_on_node(&search, nid);
	for_each_node_mask(node, *nodes) {
		if (page)
			break;
		if (node != nid)
			page = vcm_run_on_node(&search, node);
	}
	return page;
}
