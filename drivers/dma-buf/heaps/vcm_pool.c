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
 * Large chunks are what it is for: when memory is in pieces they cannot be had
 * again. So a chunk never keeps out a larger one, and pages, which can always be
 * had, get a small share.
 *
 * The pool is memory that nobody uses: it is counted as reclaimable, each node has
 * a cap, and what was not needed for a while is given back. Nothing is put while
 * others look for memory. A chunk stays on its node and goes to allocations from
 * that node.
 *
 * ION, Android's system heap and TTM (drivers/gpu/drm/ttm/ttm_pool.c) have
 * pools of this kind.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/cpuset.h>
#include <linux/dma-heap.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/list_sort.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmstat.h>

#include "vcm_memory.h"
#include "vcm_pool.h"

/* The default cap: this part of RAM, and not more than so much. */
#define VCM_POOL_RAM_PART	16
#define VCM_POOL_MOST_PAGES	((512UL << 20) >> PAGE_SHIFT)

/* The part of the cap that pages may have. */
#define VCM_POOL_PAGE_PART	16

/* Chunks that are taken out of a list while its lock is held. */
#define VCM_POOL_BATCH		64UL

/*
 * Pages that are taken out to be freed, at most or a single chunk: those that are
 * on their way are missing for whoever looks what memory there is.
 */
#define VCM_POOL_FREE_PAGES	(SZ_4M >> PAGE_SHIFT)

/*
 * What the worker zeroes in one go, a few microseconds during which the chunk
 * cannot be taken away from it.
 */
#define VCM_POOL_PIECE		max(SZ_64K >> PAGE_SHIFT, 1)

/*
 * As they were released, or zeroed. In the order in which they are given back:
 * the clean ones have cost the time of zeroing.
 */
enum vcm_pool_kind {
	VCM_POOL_DIRTY,
	VCM_POOL_CLEAN,
	VCM_POOL_NR_KINDS
};

/**
 * struct vcm_pool_list - chunks of one size on one node
 * @chunks: chunks of each kind, by &struct page.lru, the last that came first
 * @nr: how many there are
 * @idle: the fewest that there were, of both kinds, since vcm_pool_age_size():
 *	so many nobody needed
 *
 * Protected by &vcm_pool_node.lock.
 */
struct vcm_pool_list {
	struct list_head chunks[VCM_POOL_NR_KINDS];
	unsigned long nr[VCM_POOL_NR_KINDS];
	unsigned long idle;
};

/**
 * struct vcm_pool_node - the pool of one node
 * @nid: the node, constant
 * @lock: protects what follows; never held while calling the buddy allocator
 * @cap: pages that it may have; see vcm_pool_update_caps()
 * @pages: pages in the pool
 * @coming: pages that the worker is about to add; nobody else gets their room
 * @dirty: dirty chunks of all sizes
 * @lists: chunks by size
 * @hand: the chunk that the worker is zeroing, the last one of a dirty list, or
 *	NULL; set by the worker alone, taken away by whoever takes the chunk,
 *	who has @zero_lock, too
 * @hand_size: its size
 * @zero_lock: held by the worker while it zeroes a piece of @hand
 * @zeroed: pages of @hand that are zeroed; under @zero_lock
 *
 * Lock order: @lock -> @zero_lock.
 */
struct vcm_pool_node {
	int nid;

	/* protects what follows */
	spinlock_t lock;
	unsigned long cap;
	unsigned long pages;
	unsigned long coming;
	unsigned long dirty;
	struct vcm_pool_list lists[VCM_NR_CHUNK_SIZES];
	struct page *hand;
	enum vcm_chunk_size hand_size;

	/* protects the rest, and what is in the hand */
	spinlock_t zero_lock;
	unsigned long zeroed;
} ____cacheline_aligned_in_smp;

/* By node id; NULL for a node that has no pool. Constant after init. */
static struct vcm_pool_node **vcm_pool_nodes;

/* Pages that all nodes may hold; ULONG_MAX stands for the default. */
static unsigned long vcm_pool_cap = ULONG_MAX;

static struct vcm_pool_node *vcm_pool_node(int nid)
{
	return vcm_pool_nodes ? vcm_pool_nodes[nid] : NULL;
}

static unsigned long vcm_pool_chunk_pages(enum vcm_chunk_size size)
{
	return vcm_chunk_bytes(size) >> PAGE_SHIFT;
}

static unsigned long vcm_pool_nr(const struct vcm_pool_list *list,
				 enum vcm_pool_kind kind)
{
	return READ_ONCE(list->nr[kind]);
}

static unsigned long vcm_pool_nr_of_size(const struct vcm_pool_node *node,
					 enum vcm_chunk_size size)
{
	return vcm_pool_nr(&node->lists[size], VCM_POOL_DIRTY) +
	       vcm_pool_nr(&node->lists[size], VCM_POOL_CLEAN);
}

/* ---- Limits ---- */

/* Pages of a node that a chunk can be made of. */
static unsigned long vcm_pool_node_ram(int nid)
{
	struct zone *zone = NODE_DATA(nid)->node_zones;
	struct zone *last = zone + gfp_zone(GFP_HIGHUSER);
	unsigned long pages = 0;

	for (; zone <= last; zone++)
		pages += zone_managed_pages(zone) - zone_cma_pages(zone);
	return pages;
}

static unsigned long vcm_pool_ram(void)
{
	unsigned long pages = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		pages += vcm_pool_node_ram(nid);
	return pages;
}

/* Is there nothing that it may hold? */
static bool vcm_pool_is_off(void)
{
	/* A chunk that is charged to nobody must not get into a buffer. */
	if (mem_accounting)
		return true;
	/* Who wants memory zeroed when it is freed wants it of this, too. */
	return want_init_on_free();
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
	int nid;

	for_each_node(nid) {
		node = vcm_pool_node(nid);
		if (!node)
			continue;
		spin_lock(&node->lock);
		WRITE_ONCE(node->cap,
			   mul_u64_u64_div_u64(cap, vcm_pool_node_ram(nid),
					       max(all, 1)));
		spin_unlock(&node->lock);
	}
}

static unsigned long vcm_pool_node_cap(const struct vcm_pool_node *node)
{
	return vcm_pool_is_off() ? 0 : READ_ONCE(node->cap);
}

/* Pages that chunks of @size may still get on a node. */
static unsigned long vcm_pool_room(const struct vcm_pool_node *node,
				   unsigned long cap, enum vcm_chunk_size size)
{
	unsigned long have = READ_ONCE(node->pages) + READ_ONCE(node->coming);
	unsigned long room;

	room = have < cap ? cap - have : 0;
	if (size == VCM_CHUNK_PAGE) {
		unsigned long share = cap / VCM_POOL_PAGE_PART;

		have = vcm_pool_nr_of_size(node, size);
		room = min(room, have < share ? share - have : 0);
	}
	return room;
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
	WRITE_ONCE(vcm_pool_cap, pages);
	vcm_pool_update_caps();
	vcm_pool_trim();
}

/* Pages of a zone that nobody misses, below zero if it has too few. */
VISIBLE_IF_KUNIT long vcm_pool_zone_spare(struct zone *zone)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_zone_spare, zone);

	return (long)zone_page_state(zone, NR_FREE_PAGES) -
	       (long)zone_page_state(zone, NR_FREE_CMA_PAGES) -
	       (long)vcm_memory_wmark(zone, WMARK_HIGH) -
	       zone->lowmem_reserve[gfp_zone(GFP_HIGHUSER)];
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

/* May memory of @zone be kept from those who look for some? */
static bool vcm_pool_may_keep(struct zone *zone)
{
	return !vcm_pool_pressed() && vcm_pool_zone_spare(zone) > 0 &&
	       !tsk_is_oom_victim(current);
}

/* ---- Lists ---- */

/* @nr chunks came or, negative, went; what is in the pool is reclaimable. */
static void vcm_pool_count_chunks(struct vcm_pool_node *node,
				  enum vcm_chunk_size size,
				  enum vcm_pool_kind kind, long nr)
{
	long pages = nr * (long)vcm_pool_chunk_pages(size);
	struct vcm_pool_list *list = &node->lists[size];

	lockdep_assert_held(&node->lock);

	WRITE_ONCE(list->nr[kind], list->nr[kind] + nr);
	if (kind == VCM_POOL_DIRTY)
		WRITE_ONCE(node->dirty, node->dirty + nr);
	WRITE_ONCE(node->pages, node->pages + pages);
	list->idle = min(list->idle, vcm_pool_nr_of_size(node, size));
	mod_node_page_state(NODE_DATA(node->nid), NR_KERNEL_MISC_RECLAIMABLE,
			    pages);
}

/* Wait until the worker is off its chunk; says how many pages of it are zero. */
static unsigned long vcm_pool_take_hand(struct vcm_pool_node *node)
{
	unsigned long zeroed;

	lockdep_assert_held(&node->lock);

	spin_lock(&node->zero_lock);
	zeroed = node->zeroed;
	node->hand = NULL;
	spin_unlock(&node->zero_lock);
	return zeroed;
}

/* Move the first @nr of @from, which has as many, to the end of @to. */
static void vcm_pool_move(struct list_head *from, unsigned long nr,
			  struct list_head *to)
{
	struct list_head *last = from;
	LIST_HEAD(cut);

	while (nr--)
		last = last->next;
	list_cut_position(&cut, from, last);
	list_splice_tail(&cut, to);
}

/* Take up to @nr chunks out of the pool. */
static unsigned long vcm_pool_pop(struct vcm_pool_node *node,
				  enum vcm_chunk_size size,
				  enum vcm_pool_kind kind, unsigned long nr,
				  struct list_head *to)
{
	struct vcm_pool_list *list = &node->lists[size];
	struct list_head *chunks = &list->chunks[kind];

	spin_lock(&node->lock);
	nr = min3(nr, list->nr[kind], VCM_POOL_BATCH);
	if (nr) {
		if (nr == list->nr[kind] && node->hand &&
		    chunks->prev == &node->hand->lru)
			vcm_pool_take_hand(node);
		vcm_pool_move(chunks, nr, to);
		vcm_pool_count_chunks(node, size, kind, -(long)nr);
	}
	spin_unlock(&node->lock);
	return nr;
}

/* A dirty chunk; @zeroed tells how many of its pages are not. */
static struct page *vcm_pool_pop_dirty(struct vcm_pool_node *node,
				       enum vcm_chunk_size size,
				       unsigned long *zeroed)
{
	struct vcm_pool_list *list = &node->lists[size];
	struct page *page;

	if (!vcm_pool_nr(list, VCM_POOL_DIRTY))
		return NULL;

	spin_lock(&node->lock);
	page = list_first_entry_or_null(&list->chunks[VCM_POOL_DIRTY],
					struct page, lru);
	if (page) {
		*zeroed = page == node->hand ? vcm_pool_take_hand(node) : 0;
		list_del(&page->lru);
		vcm_pool_count_chunks(node, size, VCM_POOL_DIRTY, -1);
	}
	spin_unlock(&node->lock);
	return page;
}

/*
 * Add the @nr chunks on @chunks, before those that are there: their memory is in
 * the CPU's cache. Leaves what there is no room for.
 */
static void __vcm_pool_push(struct vcm_pool_node *node,
			    enum vcm_chunk_size size, enum vcm_pool_kind kind,
			    unsigned long nr, struct list_head *chunks)
{
	LIST_HEAD(fits);

	lockdep_assert_held(&node->lock);

	/* Whoever lowers the cap trims under this lock afterwards. */
	nr = min(nr, vcm_pool_room(node, vcm_pool_node_cap(node), size) /
		     vcm_pool_chunk_pages(size));
	vcm_pool_move(chunks, nr, &fits);
	list_splice(&fits, &node->lists[size].chunks[kind]);
	vcm_pool_count_chunks(node, size, kind, nr);
}

static void vcm_pool_push(struct vcm_pool_node *node, enum vcm_chunk_size size,
			  enum vcm_pool_kind kind, unsigned long nr,
			  struct list_head *chunks)
{
	spin_lock(&node->lock);
	__vcm_pool_push(node, size, kind, nr, chunks);
	spin_unlock(&node->lock);
}

/* Is there room for another chunk? Then it is kept until vcm_pool_push_new(). */
static bool vcm_pool_keep_room(struct vcm_pool_node *node,
			       enum vcm_chunk_size size)
{
	unsigned long unit = vcm_pool_chunk_pages(size), room;

	spin_lock(&node->lock);
	room = vcm_pool_room(node, vcm_pool_node_cap(node), size);
	if (room >= unit)
		WRITE_ONCE(node->coming, node->coming + unit);
	spin_unlock(&node->lock);
	return room >= unit;
}

/* Add what room was kept for, if there is something on @chunks. */
static void vcm_pool_push_new(struct vcm_pool_node *node,
			      enum vcm_chunk_size size,
			      struct list_head *chunks)
{
	spin_lock(&node->lock);
	WRITE_ONCE(node->coming, node->coming - vcm_pool_chunk_pages(size));
	__vcm_pool_push(node, size, VCM_POOL_CLEAN, !list_empty(chunks),
			chunks);
	spin_unlock(&node->lock);
}

static void vcm_pool_free_chunks(struct list_head *chunks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, chunks, lru)
		vcm_memory_free(page);
}

/* ---- Zeroing ---- */

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

/* What is left of a chunk of which @zeroed pages are zero. */
static void vcm_pool_zero_rest(struct page *page, unsigned long zeroed)
{
	unsigned long nr = compound_nr(page), piece;

	for (; zeroed < nr; zeroed += piece) {
		piece = min(nr - zeroed, VCM_POOL_PIECE);
		vcm_pool_zero_pages(page + zeroed, piece);
		cond_resched();
	}
}

/* ---- Giving back to the buddy allocator ---- */

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
	int nid;

	for_each_node(nid)
		if (vcm_pool_node(nid))
			vcm_pool_trim_node(vcm_pool_node(nid));
}

/**
 * vcm_pool_drain - give all of the pool back to the buddy allocator
 *
 * Context: Process context, sleeps.
 * Return: number of pages that were freed.
 */
unsigned long vcm_pool_drain(void)
{
	unsigned long freed = 0;
	int nid;

	for_each_node(nid)
		freed += vcm_pool_free_node(ULONG_MAX, nid);
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

/* ---- Taking and giving ---- */

/**
 * vcm_pool_is_empty - is there nothing in the pool?
 *
 * Context: Any.
 * Return: true if there is nothing.
 */
bool vcm_pool_is_empty(void)
{
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (vcm_pool_node_pages(nid))
			return false;
	return true;
}

/* The node that the current task may take from, or NULL. */
static struct vcm_pool_node *vcm_pool_local(void)
{
	int nid = numa_mem_id();

	if (!vcm_pool_node_pages(nid))
		return NULL;
#ifdef CONFIG_NUMA
	/* Who says where memory is to come from is served by who listens. */
	if (current->mempolicy)
		return NULL;
#endif
	return node_isset(nid, cpuset_current_mems_allowed) ?
	       vcm_pool_node(nid) : NULL;
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
	struct vcm_pool_node *node = vcm_pool_local();
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
	struct vcm_pool_node *node = vcm_pool_local();
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

/* Also the buddy allocator gives out what others freed with a bad page in it. */
static struct page *vcm_pool_get_new(enum vcm_chunk_size size)
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

/* Who still holds a page of it must not see what the next buffer has in it. */
static bool vcm_pool_takes(struct page *page)
{
	return page_ref_count(page) == 1 && vcm_memory_is_good(page);
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

/*
 * How many of @nr chunks of @size there is room for. Smaller ones make room, as
 * far as that makes it for whole chunks.
 */
static unsigned long vcm_pool_make_room(struct vcm_pool_node *node,
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

/*
 * Add the chunks at the beginning of @pages that are in the same zone; what the
 * pool does not take is freed. Returns their number.
 */
static unsigned long vcm_pool_put_zone(enum vcm_chunk_size size,
				       struct page **pages, unsigned long nr)
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
 */
void vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr)
{
	unsigned long i = 0;

	while (i < nr)
		i += vcm_pool_put_zone(size, pages + i, nr - i);
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
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (freed < nr_pages && vcm_pool_node(nid) &&
		    vcm_memory_node_allowed(nid))
			freed += vcm_pool_free_larger(vcm_pool_node(nid),
						      nr_pages - freed, size);
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
	unsigned long freed = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (vcm_pool_node(nid) && vcm_memory_node_allowed(nid))
			freed += vcm_pool_merge_node(vcm_pool_node(nid), size);
	return freed;
}

/* ---- For the worker ---- */

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

/* Zero another piece. Returns false if there is none, or the chunk was taken. */
static bool vcm_pool_zero_piece(struct vcm_pool_node *node, struct page *page)
{
	unsigned long piece = 0;

	spin_lock(&node->zero_lock);
	if (node->hand == page)
		piece = min(compound_nr(page) - node->zeroed, VCM_POOL_PIECE);
	if (piece) {
		vcm_pool_zero_pages(page + node->zeroed, piece);
		node->zeroed += piece;
	}
	spin_unlock(&node->zero_lock);
	return piece;
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
	while (vcm_pool_zero_piece(node, page))
		cond_resched();
	vcm_pool_put_down(node, page);
	return true;
}

/* Has a node so many pages that nobody misses? */
static bool vcm_pool_node_can_spare(int nid, long pages)
{
	struct zone *zone = NODE_DATA(nid)->node_zones;
	struct zone *last = zone + gfp_zone(GFP_HIGHUSER);

	for (; zone <= last; zone++)
		if (populated_zone(zone) && vcm_pool_zone_spare(zone) > pages)
			return true;
	return false;
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

/**
 * vcm_pool_has_dirty - is there something to zero?
 *
 * Context: Any.
 * Return: true if there is.
 */
bool vcm_pool_has_dirty(void)
{
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (vcm_pool_node(nid) && READ_ONCE(vcm_pool_node(nid)->dirty))
			return true;
	return false;
}

/**
 * vcm_pool_node_bytes_of - how much there is of a chunk size
 * @nid: on this node
 * @size: the size
 *
 * Context: Any.
 * Return: bytes.
 */
u64 vcm_pool_node_bytes_of(int nid, enum vcm_chunk_size size)
{
	struct vcm_pool_node *node = vcm_pool_node(nid);

	return node ? (u64)vcm_pool_nr_of_size(node, size) *
		      vcm_chunk_bytes(size) : 0;
}

/**
 * vcm_pool_node_pages - how much the pool has on a node
 * @nid: the node
 *
 * Context: Any.
 * Return: pages.
 */
unsigned long vcm_pool_node_pages(int nid)
{
	struct vcm_pool_node *node = vcm_pool_node(nid);

	return node ? READ_ONCE(node->pages) : 0;
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
	int nid;

	*stats = (struct vcm_pool_stats){
		.cap = (u64)vcm_pool_cap_pages() << PAGE_SHIFT,
		.pressed = vcm_pool_pressed(),
	};
	for_each_node(nid)
		if (vcm_pool_node(nid))
			vcm_pool_add_stats(vcm_pool_node(nid), stats);
}

/* ---- Beginning and end ---- */

static struct vcm_pool_node *vcm_pool_node_create(int nid)
{
	struct vcm_pool_node *node;
	enum vcm_chunk_size size;
	enum vcm_pool_kind kind;

	node = kzalloc_node(sizeof(*node), GFP_KERNEL, nid);
	if (!node)
		return NULL;
	node->nid = nid;
	spin_lock_init(&node->lock);
	spin_lock_init(&node->zero_lock);
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		for (kind = 0; kind < VCM_POOL_NR_KINDS; kind++)
			INIT_LIST_HEAD(&node->lists[size].chunks[kind]);
	return node;
}

static void vcm_pool_nodes_destroy(void)
{
	int nid;

	for_each_node(nid)
		kfree(vcm_pool_nodes[nid]);
	kfree(vcm_pool_nodes);
	vcm_pool_nodes = NULL;
}

/**
 * vcm_pool_init - set the pool up
 *
 * Context: Process context, once, before the first buffer.
 * Return: 0 or -ENOMEM.
 */
int vcm_pool_init(void)
{
	int nid;

	vcm_pool_nodes = kcalloc(nr_node_ids, sizeof(*vcm_pool_nodes),
				 GFP_KERNEL);
	if (!vcm_pool_nodes)
		return -ENOMEM;

	for_each_node_state(nid, N_MEMORY) {
		vcm_pool_nodes[nid] = vcm_pool_node_create(nid);
		if (!vcm_pool_nodes[nid])
			goto destroy_nodes;
	}
	vcm_pool_update_caps();
	return 0;

destroy_nodes:
	vcm_pool_nodes_destroy();
	return -ENOMEM;
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
