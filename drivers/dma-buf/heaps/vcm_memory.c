// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory the vcm heap may take, and where it comes from
 *
 * The kernel has no limit for what a heap hands out: who asks for all memory
 * gets it, and the next one who needs a page is killed. Buffers cannot be
 * reclaimed, and the OOM killer does not know who has them. So an allocation
 * stops where a reserve is left for others, of which each node has its part.
 *
 * What counts is memory that could be given to a buffer: in the zones from which
 * GFP_HIGHUSER is served (not ZONE_MOVABLE), outside of CMA's page blocks, and on
 * the nodes that the caller's cpuset and memory policy allow. Of that, what is
 * available is estimated as si_mem_available() does it for the whole machine:
 * free pages above the watermarks, and of page cache and reclaimable kernel
 * memory, to which the pool belongs (vcm_pool.c), as much as can go without harm.
 *
 * Swap is memory only when something has moved there: nobody knows how much of it
 * there is on zram, nor how soon a disk takes it. So it makes hope, but the
 * reserve has to be there all the time. Reclaim moves what it moves while an
 * allocation takes page after page.
 *
 * Two allocations at once must not rely on the same memory. Each claims what it
 * has still to get, in a count of all. That is one count for all nodes: it is
 * more than needed for callers of different nodes, and only for as long as an
 * allocation takes.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/cpuset.h>
#include <linux/dma-heap.h>
#include <linux/gfp.h>
#include <linux/math.h>
#include <linux/mempolicy.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/pfn.h>
#include <linux/vcm-iova.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "vcm_memory.h"
#include "vcm_run.h"

/*
 * A large chunk is a bonus: it is taken from what is free, without reclaim,
 * compaction or a warning. Order 4 with reclaim made a 10 MB allocation take
 * up to 100 ms (Jaewon Kim, "system_heap: avoid reclaim for order 4", 2023).
 * It stays out of the blocks that the core keeps for atomic allocations, and of
 * what a task that frees memory may use.
 */
#define VCM_GFP_LARGE	((GFP_HIGHUSER | __GFP_ZERO | __GFP_COMP | \
			  __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC) & \
			 ~__GFP_RECLAIM)

/*
 * The last size may reclaim, but when that is not enough it is the caller who
 * fails and not a victim of the OOM killer.
 */
#define VCM_GFP_PAGE	(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

/*
 * For a run the core moves what others have, which may take reclaim. Whoever gets it
 * needs it in one piece, so that it is worth some effort.
 */
#define VCM_GFP_RUN	(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

/* ---- The reserve ---- */

/* The default: this part of the RAM, and at least so many pages. */
#define VCM_RESERVE_PART	32
#define VCM_RESERVE_MIN		(SZ_32M >> PAGE_SHIFT)

VISIBLE_IF_KUNIT int vcm_memory_reserve_mb = -1;

VISIBLE_IF_KUNIT int vcm_memory_reserve_set(const char *val,
					    const struct kernel_param *kp)
{
	int mb, ret;

	ret = kstrtoint(val, 0, &mb);
	if (ret)
		return ret;
	if (mb < -1)
		return -EINVAL;
	WRITE_ONCE(*(int *)kp->arg, mb);
	return 0;
}

static const struct kernel_param_ops vcm_memory_reserve_ops = {
	.set = vcm_memory_reserve_set,
	.get = param_get_int,
};
module_param_cb(reserve_mb, &vcm_memory_reserve_ops, &vcm_memory_reserve_mb,
		0644);
MODULE_PARM_DESC(reserve_mb, "Memory that buffers leave to others, in MB (default -1: a 32nd of the memory that counts, at least 32)");

/* Pages to leave of @ram pages. */
static unsigned long vcm_memory_reserve(unsigned long ram)
{
	int mb = READ_ONCE(vcm_memory_reserve_mb);

	if (mb >= 0)
		return min_t(u64, (u64)mb << (20 - PAGE_SHIFT),
			     totalram_pages());
	return max(ram / VCM_RESERVE_PART, VCM_RESERVE_MIN);
}

/* ---- What there is ---- */

/**
 * struct vcm_memory - what there is for the current task, in pages
 * @ram: all of it
 * @free: what is free, without what the core keeps; may be negative
 * @low: the low watermarks
 * @file: page cache
 * @kernel: memory of the kernel that it gives back
 * @anon: what could move to swap
 */
struct vcm_memory {
	unsigned long ram;
	long free;
	unsigned long low;
	unsigned long file;
	unsigned long kernel;
	unsigned long anon;
};

/**
 * vcm_memory_node_allowed - may the current task have memory of a node?
 * @nid: the node
 *
 * Context: Process context.
 * Return: true if its cpuset and its memory policy allow it.
 */
bool vcm_memory_node_allowed(int nid)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;
#endif

	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_node_allowed, nid);

#ifdef CONFIG_NUMA
	/* The other policies are wishes. One without a node is not heeded. */
	if (policy && policy->mode == MPOL_BIND &&
	    nodes_intersects(policy->nodes, cpuset_current_mems_allowed) &&
	    !node_isset(nid, policy->nodes))
		return false;
#endif
	return node_isset(nid, cpuset_current_mems_allowed);
}

/* What the core does not give to others than itself, as it counts it. */
static unsigned long vcm_memory_zone_kept(struct zone *zone)
{
	long lowmem = 0;
	int i;

	for (i = zone_idx(zone); i < MAX_NR_ZONES; i++)
		lowmem = max(lowmem, READ_ONCE(zone->lowmem_reserve[i]));
	return min(lowmem + vcm_memory_wmark(zone, WMARK_HIGH),
		   zone_managed_pages(zone));
}

static unsigned long vcm_memory_zone_free(struct zone *zone)
{
	unsigned long cma = zone_page_state(zone, NR_FREE_CMA_PAGES);
	unsigned long free = zone_page_state(zone, NR_FREE_PAGES);

	return free - min(free, cma + READ_ONCE(zone->nr_free_highatomic));
}

static void vcm_memory_add_zone(struct vcm_memory *memory, struct zone *zone)
{
	unsigned long cma = zone_cma_pages(zone);
	unsigned long file, anon;

	file = zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
	       zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
	anon = zone_page_state(zone, NR_ZONE_ACTIVE_ANON) +
	       zone_page_state(zone, NR_ZONE_INACTIVE_ANON);
	/* What is in CMA's blocks is of no use here; it may be of either kind. */
	cma -= min(cma, zone_page_state(zone, NR_FREE_CMA_PAGES));

	memory->ram += zone_managed_pages(zone);
	memory->free += vcm_memory_zone_free(zone);
	memory->free -= vcm_memory_zone_kept(zone);
	memory->low += vcm_memory_wmark(zone, WMARK_LOW);
	memory->file += file - min(file, cma);
	memory->anon += anon - min(anon, cma);
}

static unsigned long vcm_memory_node_state(struct pglist_data *node,
					   enum node_stat_item item)
{
	return max(atomic_long_read(&node->vm_stat[item]), 0L);
}

static void vcm_memory_add_node(struct vcm_memory *memory,
				struct pglist_data *node)
{
	enum zone_type zone;

	for (zone = 0; zone <= gfp_zone(GFP_HIGHUSER); zone++)
		if (managed_zone(&node->node_zones[zone]))
			vcm_memory_add_zone(memory, &node->node_zones[zone]);
	/* What cannot be moved is in these zones. */
	memory->kernel += vcm_memory_node_state(node, NR_SLAB_RECLAIMABLE_B) +
			  vcm_memory_node_state(node,
						NR_KERNEL_MISC_RECLAIMABLE);
}

/* The node, or what a test has in its place. */
VISIBLE_IF_KUNIT struct pglist_data *vcm_memory_node(int nid)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_node, nid);

	return NODE_DATA(nid);
}

/**
 * vcm_memory_node_ram - how much of a node can chunks be made of
 * @nid: the node
 *
 * Neither of memory for movable pages, nor of what contiguous allocation keeps.
 *
 * Context: Any.
 * Return: pages, free or not.
 */
unsigned long vcm_memory_node_ram(int nid)
{
	struct zone *zone = vcm_memory_node(nid)->node_zones;
	struct zone *last = zone + gfp_zone(GFP_HIGHUSER);
	unsigned long ram = 0;

	for (; zone <= last; zone++)
		ram += zone_managed_pages(zone) - zone_cma_pages(zone);
	return ram;
}

/* All that the current task may have. */
static unsigned long vcm_memory_ram(void)
{
	unsigned long ram = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (vcm_memory_node_allowed(nid))
			ram += vcm_memory_node_ram(nid);
	return ram;
}

/* What can be had without swap, by the estimate of si_mem_available(). */
static long vcm_memory_available(const struct vcm_memory *memory)
{
	return memory->free +
	       memory->file - min(memory->file / 2, memory->low) +
	       memory->kernel - min(memory->kernel / 2, memory->low);
}

/* Free pages of swap, or what a test has in their place. */
VISIBLE_IF_KUNIT long vcm_memory_swap_free(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_swap_free);

	return get_nr_swap_pages();
}

/* The most that swap could add. */
static long vcm_memory_swap(const struct vcm_memory *memory)
{
	/* It counts below zero while a part is taken away. */
	return clamp_t(long, vcm_memory_swap_free(), 0, memory->anon);
}

/* ---- Claims ---- */

/* Pages that the allocations under way have still to get. */
atomic_long_t vcm_memory_claimed;

/* The sum without what the CPUs still have, which may be negative. */
static long vcm_memory_zone_stat(const struct zone *zone,
				 enum zone_stat_item item)
{
	return atomic_long_read(&zone->vm_stat[item]);
}

/*
 * Has one zone of this node @nr free pages, with the whole reserve left? That is
 * quick to find out, and mostly the answer.
 */
static __always_inline bool vcm_memory_is_plenty(unsigned long nr)
{
	enum zone_type high = gfp_zone(GFP_HIGHUSER);
	int nid = numa_mem_id();
	struct zone *zones = vcm_memory_node(nid)->node_zones;
	struct zone *zone = &zones[high];

#ifdef CONFIG_NUMA
	if (current->mempolicy)
		return false;
#endif
	if (!node_isset(nid, cpuset_current_mems_allowed))
		return false;
	nr += vcm_memory_reserve(totalram_pages());
	do {
		long need = nr + zone->lowmem_reserve[high] +
			    vcm_memory_wmark(zone, WMARK_HIGH) +
			    zone->nr_free_highatomic +
			    vcm_memory_zone_stat(zone, NR_FREE_CMA_PAGES);

		if (vcm_memory_zone_stat(zone, NR_FREE_PAGES) >= need)
			return true;
	} while (zone-- != zones);
	return false;
}

/**
 * struct vcm_memory_view - a look at the nodes of the current task
 * @all: what they have
 * @spare: pages that they have beside their parts of the reserve
 * @most: the most that one of them has
 * @nid: that one
 * @few: does one have less than is to be taken until the next look?
 * @nodes: how many nodes have memory
 */
struct vcm_memory_view {
	struct vcm_memory all;
	long spare;
	long most;
	int nid;
	bool few;
	unsigned int nodes;
};

static void vcm_memory_view_node(struct vcm_memory_view *view, int nid,
				 unsigned long reserve, long soon)
{
	struct vcm_memory memory = {};
	long spare;

	vcm_memory_add_node(&memory, vcm_memory_node(nid));
	vcm_memory_add_node(&view->all, vcm_memory_node(nid));
	if (!memory.ram)
		return;

	view->nodes++;
	spare = vcm_memory_available(&memory) - (long)reserve;
	view->spare += max(spare, 0L);
	view->few |= spare < soon;
	if (view->nid == NUMA_NO_NODE || spare > view->most) {
		view->most = spare;
		view->nid = nid;
	}
}

/*
 * What is to come from swap may not be there yet, but what is taken until the next
 * look has to be.
 */
static noinline bool vcm_memory_view_all(unsigned long claimed,
					 struct vcm_claim *claim)
{
	long soon = min(claimed, VCM_MEMORY_STEP * num_online_cpus()), spare;
	unsigned long ram = vcm_memory_ram(), reserve = vcm_memory_reserve(ram);
	struct vcm_memory_view view = { .nid = NUMA_NO_NODE };
	int nid;

	/* Bound to nodes that have nothing but memory for movable pages. */
	if (!ram)
		return false;
	for_each_node_state(nid, N_MEMORY) {
		unsigned long part;

		if (!vcm_memory_node_allowed(nid))
			continue;
		part = mult_frac(reserve, vcm_memory_node_ram(nid), ram);
		vcm_memory_view_node(&view, nid, part, soon);
	}
	if (view.few && view.nodes > 1)
		claim->nid = view.nid;
	spare = min(view.spare, vcm_memory_available(&view.all) - (long)reserve);
	claim->hope = spare < (long)claimed;
	return spare >= soon &&
	       spare + vcm_memory_swap(&view.all) >= (long)claimed;
}

/* Is there enough for @claimed pages? What @claim says of that is set. */
static bool vcm_memory_is_enough(unsigned long claimed, struct vcm_claim *claim)
{
	claim->nid = NUMA_NO_NODE;
	claim->hope = false;
	return vcm_memory_is_plenty(claimed) ||
	       vcm_memory_view_all(claimed, claim);
}

/**
 * vcm_memory_claim - begin an allocation
 * @claim: filled in
 * @nr_pages: how much it is going to take
 *
 * Context: Process context, sleeps.
 * Return: 0, or -ENOMEM when others need what is left.
 */
int vcm_memory_claim(struct vcm_claim *claim, unsigned long nr_pages)
{
	long claimed = atomic_long_read(&vcm_memory_claimed);

	do {
		if (!vcm_memory_is_enough(claimed + nr_pages, claim))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&vcm_memory_claimed, &claimed,
					  claimed + nr_pages));
	claim->left = nr_pages;
	return 0;
}

/**
 * vcm_memory_look - look whether an allocation may go on
 * @claim: its claim
 * @left: pages that it has still to get
 *
 * Others may have taken memory meanwhile, and swap may not have given any.
 *
 * Context: Process context, sleeps.
 * Return: 0, or -ENOMEM when others need what is left.
 */
int vcm_memory_look(struct vcm_claim *claim, unsigned long left)
{
	unsigned long got = claim->left - left;

	claim->left = left;
	if (vcm_memory_is_enough(atomic_long_sub_return(got,
							&vcm_memory_claimed),
				 claim))
		return 0;
	return -ENOMEM;
}

/* ---- Where it comes from ---- */

static gfp_t vcm_memory_gfp(enum vcm_chunk_size size)
{
	gfp_t gfp = size == VCM_CHUNK_PAGE ? VCM_GFP_PAGE : VCM_GFP_LARGE;

	return mem_accounting ? gfp | __GFP_ACCOUNT : gfp;
}

/* The buddy allocator, or what a test has in its place. */
VISIBLE_IF_KUNIT struct page *vcm_memory_alloc_pages(int nid, gfp_t gfp,
						     unsigned int order)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_alloc_pages, nid, gfp, order);

	/* Only the first one respects the memory policy of the caller. */
	return nid == NUMA_NO_NODE ? alloc_pages(gfp, order) :
				     alloc_pages_node(nid, gfp, order);
}

/**
 * vcm_memory_alloc - allocate a chunk for the current task
 * @size: its size
 *
 * The task's cpuset and memory policy say where it comes from.
 *
 * Context: Process context, sleeps.
 * Return: its first page, zeroed, or NULL.
 */
struct page *vcm_memory_alloc(enum vcm_chunk_size size)
{
	return vcm_memory_alloc_pages(NUMA_NO_NODE, vcm_memory_gfp(size),
				      get_order(vcm_chunk_bytes(size)));
}

/**
 * vcm_memory_alloc_node - allocate a chunk on a node
 * @nid: the node, and no other
 * @size: its size
 *
 * Context: Process context, sleeps.
 * Return: its first page, zeroed, or NULL.
 */
struct page *vcm_memory_alloc_node(int nid, enum vcm_chunk_size size)
{
	return vcm_memory_alloc_pages(nid, vcm_memory_gfp(size) |
				      __GFP_THISNODE,
				      get_order(vcm_chunk_bytes(size)));
}

/* ---- Below a limit ---- */

/* The highest zone in which there is memory below @reach, or -1. */
static int vcm_memory_zone_below(u64 reach)
{
	int zone = -1, nid, i;

	for_each_node_state(nid, N_MEMORY) {
		struct zone *zones = vcm_memory_node(nid)->node_zones;

		for (i = gfp_zone(GFP_HIGHUSER); i > zone; i--)
			if (managed_zone(&zones[i]) &&
			    PFN_PHYS(zones[i].zone_start_pfn) < reach)
				zone = i;
	}
	return zone;
}

/**
 * vcm_memory_is_below - is all memory below a limit?
 * @reach: the limit
 *
 * Context: Any.
 * Return: true if no buffer can be beyond it.
 */
bool vcm_memory_is_below(u64 reach)
{
	int nid, i;

	for_each_node_state(nid, N_MEMORY) {
		struct zone *zones = vcm_memory_node(nid)->node_zones;

		for (i = 0; i <= gfp_zone(GFP_HIGHUSER); i++)
			if (managed_zone(&zones[i]) &&
			    PFN_PHYS(zone_end_pfn(&zones[i])) > reach)
				return false;
	}
	return true;
}

/**
 * vcm_memory_beyond - how much of a buffer is beyond a limit
 * @memory: the buffer's
 * @reach: the limit
 *
 * Context: Any.
 * Return: bytes.
 */
u64 vcm_memory_beyond(const struct vcm_iova_memory *memory, u64 reach)
{
	unsigned long i;
	u64 beyond = 0;

	for (i = 0; i < memory->nr_runs; i++) {
		u64 start = memory->runs[i].phys, len = memory->runs[i].len;

		beyond += start + len - clamp(reach, start, start + len);
	}
	return beyond;
}

/*
 * Pages that zones up to @zone have beside their part of the reserve. Memory of the kernel
 * that it gives back is known of whole nodes alone, and does not count.
 */
static long vcm_memory_zone_spare(int zone)
{
	unsigned long ram = vcm_memory_ram();
	struct vcm_memory memory = {};
	int nid, i;

	for_each_node_state(nid, N_MEMORY) {
		struct zone *zones = vcm_memory_node(nid)->node_zones;

		if (!vcm_memory_node_allowed(nid))
			continue;
		for (i = 0; i <= zone; i++)
			if (managed_zone(&zones[i]))
				vcm_memory_add_zone(&memory, &zones[i]);
	}
	return vcm_memory_available(&memory) -
	       (long)mult_frac(vcm_memory_reserve(ram), memory.ram,
			       max(ram, 1));
}

/* From that zone, or the ones below it. */
static gfp_t vcm_memory_gfp_of_zone(gfp_t gfp, int zone)
{
	gfp &= ~__GFP_HIGHMEM;
#ifdef CONFIG_HIGHMEM
	if (zone == ZONE_HIGHMEM)
		return gfp | __GFP_HIGHMEM;
#endif
#ifdef CONFIG_ZONE_DMA32
	if (zone == ZONE_DMA32)
		return gfp | __GFP_DMA32;
#endif
#ifdef CONFIG_ZONE_DMA
	if (zone == ZONE_DMA)
		return gfp | __GFP_DMA;
#endif
	return gfp;
}

static void vcm_memory_give_back(struct page *page, unsigned int order)
{
	/* What is to be a run is no compound page. */
	if (compound_order(page) == order)
		vcm_memory_free(page);
	else
		__free_pages(page, order);
}

/* A block below @reach. A zone that it is in the middle of is tried once. */
static struct page *vcm_memory_alloc_pages_below(int nid, gfp_t gfp,
						 unsigned int order, u64 reach)
{
	int zone = vcm_memory_zone_below(reach);
	struct page *page;

	for (; zone >= 0; zone--) {
		if (vcm_memory_zone_spare(zone) < 1L << order)
			return NULL;
		page = vcm_memory_alloc_pages(nid, vcm_memory_gfp_of_zone(gfp, zone),
					      order);
		if (!page)
			return NULL;
		if (page_to_phys(page) + (PAGE_SIZE << order) <= reach)
			return page;
		vcm_memory_give_back(page, order);
	}
	return NULL;
}

/**
 * vcm_memory_alloc_below - allocate a chunk below a limit
 * @size: its size
 * @reach: no byte of it is at this physical address or beyond
 *
 * The zones that it comes from keep their part of the reserve.
 *
 * Context: Process context, sleeps.
 * Return: its first page, zeroed and good, or NULL.
 */
struct page *vcm_memory_alloc_below(enum vcm_chunk_size size, u64 reach)
{
	unsigned int order = get_order(vcm_chunk_bytes(size));
	struct page *page;

	while ((page = vcm_memory_alloc_pages_below(NUMA_NO_NODE,
						    vcm_memory_gfp(size), order,
						    reach)) &&
	       !vcm_memory_is_good(page))
		vcm_memory_free(page);
	return page;
}

/* ---- Runs ---- */

/**
 * vcm_memory_free_run - free pages that vcm_memory_alloc_run() allocated
 * @page: the first page
 * @nr: how many; a part of a run can be freed
 *
 * The core keeps those that are bad.
 *
 * Context: Process context.
 */
void vcm_memory_free_run(struct page *page, unsigned long nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_free_run, page, nr);

#ifdef CONFIG_CONTIG_ALLOC
	free_contig_range(page_to_pfn(page), nr);
#else
	for (; nr; nr--)
		__free_page(page++);
#endif
}

/* The largest free block that fits, without what is behind the run. */
static struct page *vcm_memory_buddy_run(unsigned long nr, int nid, u64 reach)
{
	unsigned int order = get_order(nr << PAGE_SHIFT);
	gfp_t gfp = vcm_memory_gfp(VCM_CHUNK_2M) & ~__GFP_COMP;
	struct page *page;

	if (order > MAX_PAGE_ORDER)
		return NULL;
	if (nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	page = reach ? vcm_memory_alloc_pages_below(nid, gfp, order, reach) :
		       vcm_memory_alloc_pages(nid, gfp, order);
	if (!page)
		return NULL;
	split_page(page, order);
	if (nr < 1UL << order)
		vcm_memory_free_run(page + nr, (1UL << order) - nr);
	return page;
}

#ifdef CONFIG_CONTIG_ALLOC
/* The nodes that a run may be on: @nid, or those that the task may have memory of. */
static void vcm_memory_run_nodes(nodemask_t *nodes, int nid)
{
	int n;

	nodes_clear(*nodes);
	for_each_node_state(n, N_MEMORY)
		if (nid == NUMA_NO_NODE ? vcm_memory_node_allowed(n) : n == nid)
			node_set(n, *nodes);
}

/* One search at a time */
static DEFINE_MUTEX(vcm_memory_run_lock);

/* What is in the way is moved. Or what a test has in its place. */
VISIBLE_IF_KUNIT struct page *vcm_memory_move_run(unsigned long nr, int nid,
						  u64 reach)
{
	struct page *page;
	nodemask_t nodes;

	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_move_run, nr, nid, reach);

	if (reach && vcm_memory_zone_spare(vcm_memory_zone_below(reach)) < (long)nr)
		return NULL;
	vcm_memory_run_nodes(&nodes, nid);
	if (mutex_lock_killable(&vcm_memory_run_lock))
		return NULL;
	page = vcm_run_alloc(nr, VCM_GFP_RUN,
			     nid == NUMA_NO_NODE ? numa_mem_id() : nid, &nodes,
			     reach);
	mutex_unlock(&vcm_memory_run_lock);
	return page;
}
#else
VISIBLE_IF_KUNIT struct page *vcm_memory_move_run(unsigned long nr, int nid,
						  u64 reach)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_move_run, nr, nid, reach);

	return NULL;
}
#endif

/*
 * Nothing is charged for a run that is longer than a block of the buddy allocator: the
 * functions for that are the core's alone.
 */
static bool vcm_memory_may_move(void)
{
	return IS_ENABLED(CONFIG_CONTIG_ALLOC) && !mem_accounting;
}

/**
 * vcm_memory_run_max - how long a run may be
 *
 * Context: Any.
 * Return: pages.
 */
unsigned long vcm_memory_run_max(void)
{
	return vcm_memory_may_move() ? VCM_MEMORY_RUN_MAX : MAX_ORDER_NR_PAGES;
}

static bool vcm_memory_run_is_good(struct page *page, unsigned long nr)
{
	unsigned long i;

	if (!vcm_memory_failed_near(page))
		return true;
	for (i = 0; i < nr; i++)
		if (vcm_memory_has_bad_page(page + i))
			return false;
	return true;
}

/**
 * vcm_memory_alloc_run - allocate pages that are one run of memory
 * @nr: how many
 * @nid: the node they are to be of, NUMA_NO_NODE for any that the task may have
 *	memory of
 * @reach: no byte of it is at this physical address or beyond; 0 for any
 *
 * Where the buddy allocator has none, others' pages are moved out of the way. A run
 * is no compound page. Where its length is a multiple of 2 MB, so is its address.
 *
 * Context: Process context, sleeps.
 * Return: the first page, zeroed, or NULL.
 */
struct page *vcm_memory_alloc_run(unsigned long nr, int nid, u64 reach)
{
	struct page *page;

	/* A page that failed the core keeps when it is freed. */
	for (;;) {
		page = vcm_memory_buddy_run(nr, nid, reach);
		if (!page && vcm_memory_may_move())
			page = vcm_memory_move_run(nr, nid, reach);
		if (!page || vcm_memory_run_is_good(page, nr))
			return page;
		vcm_memory_free_run(page, nr);
	}
}

/* ---- Pages that failed ---- */

/* Pages in chunks that are kept from all use. */
static atomic_long_t vcm_memory_bad;

/**
 * vcm_memory_bad_pages - how much memory was lost to hardware errors
 *
 * Context: Any.
 * Return: pages in chunks that vcm_memory_free() did not free.
 */
unsigned long vcm_memory_bad_pages(void)
{
	return atomic_long_read(&vcm_memory_bad);
}

/**
 * vcm_memory_has_bad_page - is one of a chunk's pages marked?
 * @page: its first page
 *
 * The core marks pages where the hardware found an error, and can do nothing more
 * about those that a driver has.
 *
 * Context: Any.
 * Return: true if so.
 */
bool vcm_memory_has_bad_page(struct page *page)
{
	unsigned long i;

	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_has_bad_page, page);

	for (i = 0; i < compound_nr(page); i++)
		if (PageHWPoison(page + i))
			return true;
	return false;
}

/**
 * vcm_memory_free - free a chunk
 * @page: its first page
 *
 * When a single page is bad, the core keeps it. From a larger chunk the bad page
 * would get back into use, and no driver can take it out: all of the chunk
 * is lost then.
 *
 * Context: Any that __free_pages() can be called from.
 */
void vcm_memory_free(struct page *page)
{
	unsigned int order = compound_order(page);

	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_free, page);

	if (order && !vcm_memory_is_good(page))
		atomic_long_add(1L << order, &vcm_memory_bad);
	else
		__free_pages(page, order);
}

/**
 * vcm_memory_array - allocate an array that grows with a buffer
 * @nr: number of elements
 * @size: bytes of each
 *
 * A block of several pages is a bonus here, too: kvmalloc() would reclaim and
 * compact for it, when it is also to keep the OOM killer away.
 *
 * Context: Process context, sleeps.
 * Return: the array, which kvfree() frees, or NULL.
 */
void *vcm_memory_array(size_t nr, size_t size)
{
	size_t len = array_size(nr, size);
	void *array;

	if (len <= PAGE_SIZE)
		return kmalloc(len, VCM_GFP_META);
	array = kmalloc(len, (VCM_GFP_META | __GFP_NOMEMALLOC) &
			     ~(__GFP_RECLAIM | __GFP_RETRY_MAYFAIL));
	return array ?: __vmalloc(len, VCM_GFP_META);
}
