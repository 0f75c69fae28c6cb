// SPDX-License-Identifier: GPL-2.0
/*
 * How much the pool may have, and when
 *
 * Each node has a part of a cap for all, and nothing is put while others look for
 * memory.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "vcm_memory.h"
#include "vcm_pool_limit.h"
#include "vcm_pool_node.h"

/* The default cap: this part of RAM, and not more than so much. */
#define VCM_POOL_RAM_PART	16
#define VCM_POOL_MOST_PAGES	((512UL << 20) >> PAGE_SHIFT)

unsigned long vcm_pool_cap = ULONG_MAX;

/* ---- Caps ---- */

static unsigned long vcm_pool_ram(void)
{
	unsigned long pages = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		pages += vcm_memory_node_ram(nid);
	return pages;
}

static unsigned long vcm_pool_cap_of_ram(unsigned long ram)
{
	unsigned long cap = READ_ONCE(vcm_pool_cap);

	if (cap != ULONG_MAX)
		return cap;
	return min(ram / VCM_POOL_RAM_PART, VCM_POOL_MOST_PAGES);
}

/**
 * vcm_pool_cap_pages - how many pages the pool may hold
 *
 * Context: Any.
 * Return: pages, of all nodes.
 */
unsigned long vcm_pool_cap_pages(void)
{
	return vcm_pool_is_off() ? 0 : vcm_pool_cap_of_ram(vcm_pool_ram());
}

/**
 * vcm_pool_update_caps - find out how much each node may have
 *
 * That is a part of the cap that is like the node's part of the memory, of which
 * there may be more or less now.
 *
 * Context: Process context.
 */
void vcm_pool_update_caps(void)
{
	unsigned long all = vcm_pool_ram(), cap = vcm_pool_cap_of_ram(all);
	struct vcm_pool_node *node;

	for_each_vcm_pool_node(node) {
		spin_lock(&node->lock);
		WRITE_ONCE(node->cap,
			   mul_u64_u64_div_u64(cap, vcm_memory_node_ram(node->nid),
					       max(all, 1)));
		spin_unlock(&node->lock);
	}
}

/**
 * vcm_pool_change_cap - change how much the pool may have
 * @pages: how many, ULONG_MAX for the default
 *
 * Context: Process context. The caller goes on with vcm_pool_trim().
 */
void vcm_pool_change_cap(unsigned long pages)
{
	WRITE_ONCE(vcm_pool_cap, pages);
	vcm_pool_update_caps();
}

/* ---- Pressure ---- */

/*
 * Above zero for a while after somebody looked for memory. It counts down when the
 * worker says so: there is no time that could be in the wrong half of the clock.
 */
static atomic_t vcm_pool_pressure;

/* One for what is going on, and one for what came since. */
#define VCM_POOL_PRESSURE_MAX	2

/**
 * vcm_pool_pressed - did somebody look for memory just now?
 *
 * Context: Any.
 * Return: true if so.
 */
bool vcm_pool_pressed(void)
{
	return atomic_read(&vcm_pool_pressure);
}

/**
 * vcm_pool_press - somebody looks for memory
 *
 * Context: Any.
 * Return: true if nobody did before, so that vcm_pool_ease() is to be called.
 */
bool vcm_pool_press(void)
{
	return !atomic_fetch_add_unless(&vcm_pool_pressure, 1,
					VCM_POOL_PRESSURE_MAX);
}

/**
 * vcm_pool_ease - some time has passed since vcm_pool_press()
 *
 * Context: Any.
 * Return: true if it was called again since, so that more time has to pass.
 */
bool vcm_pool_ease(void)
{
	return atomic_dec_if_positive(&vcm_pool_pressure) > 0;
}

/* ---- What others would miss ---- */

/* Pages of a zone that nobody misses, below zero if it has too few. */
VISIBLE_IF_KUNIT long vcm_pool_zone_spare(struct zone *zone)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_zone_spare, zone);

	return (long)zone_page_state(zone, NR_FREE_PAGES) -
	       (long)zone_page_state(zone, NR_FREE_CMA_PAGES) -
	       (long)vcm_memory_wmark(zone, WMARK_HIGH) -
	       zone->lowmem_reserve[gfp_zone(GFP_HIGHUSER)];
}

/**
 * vcm_pool_may_keep - may memory be kept from those who look for some?
 * @zone: where it is
 *
 * Context: Process context.
 * Return: true if nobody misses it.
 */
bool vcm_pool_may_keep(struct zone *zone)
{
	return !vcm_pool_pressed() && vcm_pool_zone_spare(zone) > 0 &&
	       !tsk_is_oom_victim(current);
}

/**
 * vcm_pool_node_can_spare - are there free pages that nobody misses?
 * @nid: on this node
 * @pages: how many
 *
 * Context: Any.
 * Return: true if a zone has more than those.
 */
bool vcm_pool_node_can_spare(int nid, long pages)
{
	struct zone *zone, *last;

	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_node_can_spare, nid, pages);

	zone = NODE_DATA(nid)->node_zones;
	last = zone + gfp_zone(GFP_HIGHUSER);
	for (; zone <= last; zone++)
		if (populated_zone(zone) && vcm_pool_zone_spare(zone) > pages)
			return true;
	return false;
}
