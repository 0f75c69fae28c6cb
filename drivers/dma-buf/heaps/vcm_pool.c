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
 * The pool is memory that nobody uses: it is counted as reclaimable, and it never
 * holds more than a cap. A chunk stays on its node and goes to allocations from
 * that node.
 *
 * ION, Android's system heap and TTM (drivers/gpu/drm/ttm/ttm_pool.c) have
 * pools of this kind.
 */

#include <linux/atomic.h>
#include <linux/cpuset.h>
#include <linux/dma-heap.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmstat.h>

#include "vcm_memory.h"
#include "vcm_pool.h"

/* The part of the machine's RAM that is the default cap. */
#define VCM_POOL_RAM_PART	12

/* Chunks that are taken out of a list while its lock is held. */
#define VCM_POOL_BATCH		64UL

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
 * @lock: protects the rest; never held while zeroing or calling the buddy
 *	allocator, and nothing is taken inside it
 * @chunks: chunks of each kind, by &struct page.lru
 * @nr: how many there are
 */
struct vcm_pool_list {
	/* protects what follows */
	spinlock_t lock;
	struct list_head chunks[VCM_POOL_NR_KINDS];
	unsigned long nr[VCM_POOL_NR_KINDS];
} ____cacheline_aligned_in_smp;

/**
 * struct vcm_pool_node - the pool of one node
 * @lists: chunks by size
 */
struct vcm_pool_node {
	struct vcm_pool_list lists[VCM_NR_CHUNK_SIZES];
};

/* By node id; NULL for a node that has no pool. Constant after init. */
static struct vcm_pool_node **vcm_pool_nodes;

/* Pages in the pool, including those that the worker has in hand. */
static atomic_long_t vcm_pool_pages;

/*
 * Held by the worker while it has a chunk that is on no list, and by those who
 * want all chunks. Taken before &vcm_pool_list.lock.
 */
static DEFINE_MUTEX(vcm_pool_zero_lock);

static struct vcm_pool_list *vcm_pool_list(int nid, enum vcm_chunk_size size)
{
	if (!vcm_pool_nodes || !vcm_pool_nodes[nid] ||
	    !vcm_chunk_size_usable(size))
		return NULL;
	return &vcm_pool_nodes[nid]->lists[size];
}

static unsigned long vcm_pool_chunk_pages(enum vcm_chunk_size size)
{
	return vcm_chunk_bytes(size) >> PAGE_SHIFT;
}

/* ---- Limits ---- */

/* Pages; ULONG_MAX stands for the default. */
static unsigned long vcm_pool_cap = ULONG_MAX;

/**
 * vcm_pool_cap_pages - how many pages the pool may hold
 *
 * Context: Any.
 * Return: pages.
 */
unsigned long vcm_pool_cap_pages(void)
{
	unsigned long cap = READ_ONCE(vcm_pool_cap);

	/* A chunk that is charged to nobody must not get into a buffer. */
	if (mem_accounting)
		return 0;
	/* Who wants memory zeroed when it is freed wants it of this, too. */
	if (want_init_on_free())
		return 0;
	return cap == ULONG_MAX ? totalram_pages() / VCM_POOL_RAM_PART : cap;
}

/**
 * vcm_pool_set_cap - limit the pool
 * @pages: how many it may hold; what is above is freed
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_set_cap(unsigned long pages)
{
	WRITE_ONCE(vcm_pool_cap, pages);
	vcm_pool_trim();
}

/* Up to @nr chunks of @size that the cap has room for are the caller's to add. */
static unsigned long vcm_pool_reserve(enum vcm_chunk_size size,
				      unsigned long nr)
{
	unsigned long cap = vcm_pool_cap_pages(), unit = vcm_pool_chunk_pages(size);
	long have = atomic_long_read(&vcm_pool_pages);

	do {
		nr = have < cap ? min(nr, (cap - have) / unit) : 0;
	} while (nr && !atomic_long_try_cmpxchg(&vcm_pool_pages, &have,
						have + nr * unit));
	return nr;
}

/* @nr chunks left, or never came. */
static void vcm_pool_unreserve(enum vcm_chunk_size size, unsigned long nr)
{
	atomic_long_sub(nr * vcm_pool_chunk_pages(size), &vcm_pool_pages);
}

/* ---- Lists ---- */

/* @nr chunks came or, negative, went; what is in the pool is reclaimable. */
static void vcm_pool_account(int nid, enum vcm_chunk_size size, long nr)
{
	mod_node_page_state(NODE_DATA(nid), NR_KERNEL_MISC_RECLAIMABLE,
			    nr * (long)vcm_pool_chunk_pages(size));
}

/* @nr chunks that were taken off their list leave the pool. */
static void vcm_pool_leave(int nid, enum vcm_chunk_size size, unsigned long nr)
{
	vcm_pool_unreserve(size, nr);
	vcm_pool_account(nid, size, -(long)nr);
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

static unsigned long vcm_pool_nr(const struct vcm_pool_list *list,
				 enum vcm_pool_kind kind)
{
	return READ_ONCE(list->nr[kind]);
}

static unsigned long vcm_pool_pop(struct vcm_pool_list *list,
				  enum vcm_pool_kind kind, unsigned long nr,
				  struct list_head *to)
{
	spin_lock(&list->lock);
	nr = min3(nr, list->nr[kind], VCM_POOL_BATCH);
	vcm_pool_move(&list->chunks[kind], nr, to);
	WRITE_ONCE(list->nr[kind], list->nr[kind] - nr);
	spin_unlock(&list->lock);
	return nr;
}

/* At the end: chunks that were sorted in a buffer stay so. */
static void vcm_pool_push_clean(struct vcm_pool_list *list, struct page *page)
{
	spin_lock(&list->lock);
	list_add_tail(&page->lru, &list->chunks[VCM_POOL_CLEAN]);
	WRITE_ONCE(list->nr[VCM_POOL_CLEAN], list->nr[VCM_POOL_CLEAN] + 1);
	spin_unlock(&list->lock);
}

static void vcm_pool_push_dirty(struct vcm_pool_list *list, unsigned long nr,
				struct list_head *chunks)
{
	spin_lock(&list->lock);
	list_splice(chunks, &list->chunks[VCM_POOL_DIRTY]);
	WRITE_ONCE(list->nr[VCM_POOL_DIRTY], list->nr[VCM_POOL_DIRTY] + nr);
	spin_unlock(&list->lock);
}

static struct page *vcm_pool_pop_dirty_one(struct vcm_pool_list *list)
{
	struct page *page;
	LIST_HEAD(one);

	if (!vcm_pool_nr(list, VCM_POOL_DIRTY) ||
	    !vcm_pool_pop(list, VCM_POOL_DIRTY, 1, &one))
		return NULL;
	page = list_first_entry(&one, struct page, lru);
	list_del(&page->lru);
	return page;
}

static void vcm_pool_zero(struct page *page)
{
	unsigned long i;

	for (i = 0; i < compound_nr(page); i++) {
		clear_highpage(page + i);
		cond_resched();
	}
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
	return !atomic_long_read(&vcm_pool_pages);
}

/* The list that the current task may take from, or NULL. */
static struct vcm_pool_list *vcm_pool_local(enum vcm_chunk_size size, int *nid)
{
	if (vcm_pool_is_empty())
		return NULL;

	*nid = numa_mem_id();
#ifdef CONFIG_NUMA
	/* Who says where memory is to come from is served by who listens. */
	if (current->mempolicy)
		return NULL;
#endif
	if (!node_isset(*nid, cpuset_current_mems_allowed))
		return NULL;
	return vcm_pool_list(*nid, size);
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
	unsigned long got = 0, n;
	struct vcm_pool_list *list;
	int nid;

	list = vcm_pool_local(size, &nid);
	if (!list)
		return 0;

	while (got < nr && vcm_pool_nr(list, VCM_POOL_CLEAN)) {
		n = vcm_pool_pop(list, VCM_POOL_CLEAN, nr - got, chunks);
		if (!n)
			break;
		got += n;
	}
	if (got)
		vcm_pool_leave(nid, size, got);
	return got;
}

static struct page *vcm_pool_get_dirty(enum vcm_chunk_size size)
{
	struct vcm_pool_list *list;
	struct page *page;
	int nid;

	list = vcm_pool_local(size, &nid);
	page = list ? vcm_pool_pop_dirty_one(list) : NULL;
	if (!page)
		return NULL;

	vcm_pool_leave(nid, size, 1);
	vcm_pool_zero(page);
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
	return vcm_pool_get_dirty(size) ?: vcm_memory_alloc(size);
}

/* Who still holds a page of it must not see what the next buffer has in it. */
static bool vcm_pool_takes(struct page *page)
{
	return page_ref_count(page) == 1 &&
	       vcm_pool_list(page_to_nid(page), VCM_CHUNK_PAGE);
}

/*
 * Add the chunks at the beginning of @pages that are on the same node, which
 * the cap has room for. Returns their number.
 */
static unsigned long vcm_pool_put_node(enum vcm_chunk_size size,
				       struct page **pages, unsigned long nr)
{
	int nid = page_to_nid(pages[0]);
	unsigned long i, taken = 0;
	LIST_HEAD(chunks);

	for (i = 0; i < nr && page_to_nid(pages[i]) == nid; i++) {
		cond_resched();
		if (vcm_pool_takes(pages[i])) {
			list_add_tail(&pages[i]->lru, &chunks);
			taken++;
		} else {
			vcm_pool_unreserve(size, 1);
			vcm_memory_free(pages[i]);
		}
	}
	if (taken) {
		vcm_pool_account(nid, size, taken);
		vcm_pool_push_dirty(vcm_pool_list(nid, size), taken, &chunks);
	}
	return i;
}

/**
 * vcm_pool_put - give chunks back
 * @size: their size
 * @pages: their first pages
 * @nr: how many
 *
 * What the pool does not take is freed.
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr)
{
	unsigned long room, i = 0;

	if (!nr)
		return;

	room = vcm_pool_reserve(size, nr);
	while (i < room)
		i += vcm_pool_put_node(size, pages + i, room - i);

	for (; i < nr; i++)
		vcm_memory_free(pages[i]);
}

/* ---- Giving back to the buddy allocator ---- */

static void vcm_pool_free_chunks(int nid, enum vcm_chunk_size size,
				 unsigned long nr, struct list_head *chunks)
{
	struct page *page, *next;

	vcm_pool_leave(nid, size, nr);
	list_for_each_entry_safe(page, next, chunks, lru)
		vcm_memory_free(page);
}

static unsigned long vcm_pool_free_size(unsigned long nr_pages, int nid,
					enum vcm_chunk_size size,
					enum vcm_pool_kind kind)
{
	struct vcm_pool_list *list = vcm_pool_list(nid, size);
	unsigned long unit = vcm_pool_chunk_pages(size), freed = 0;

	while (list && freed < nr_pages) {
		unsigned long want = (nr_pages - freed - 1) / unit + 1;
		LIST_HEAD(chunks);
		unsigned long nr = vcm_pool_pop(list, kind, want, &chunks);

		if (!nr)
			break;
		vcm_pool_free_chunks(nid, size, nr, &chunks);
		freed += nr * unit;
	}
	return freed;
}

/* Small chunks first: a large one may not come again. */
static unsigned long vcm_pool_free_kind(unsigned long nr_pages, int nid,
					enum vcm_pool_kind kind)
{
	int size = VCM_NR_CHUNK_SIZES;
	unsigned long freed = 0;

	while (--size >= 0 && freed < nr_pages)
		freed += vcm_pool_free_size(nr_pages - freed, nid, size,
					    kind);
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
	enum vcm_pool_kind kind;
	unsigned long freed = 0;

	for (kind = 0; kind < VCM_POOL_NR_KINDS && freed < nr_pages; kind++)
		freed += vcm_pool_free_kind(nr_pages - freed, nid, kind);
	return freed;
}

static unsigned long vcm_pool_free(unsigned long nr_pages)
{
	unsigned long freed = 0;
	int nid;

	for_each_node(nid)
		if (freed < nr_pages)
			freed += vcm_pool_free_node(nr_pages - freed, nid);
	return freed;
}

/**
 * vcm_pool_trim - give back what is above the cap
 *
 * Context: Process context, sleeps.
 */
void vcm_pool_trim(void)
{
	unsigned long cap = vcm_pool_cap_pages();
	long have;

	mutex_lock(&vcm_pool_zero_lock);
	have = atomic_long_read(&vcm_pool_pages);
	if (have > 0 && have > cap)
		vcm_pool_free(have - cap);
	mutex_unlock(&vcm_pool_zero_lock);
}

/**
 * vcm_pool_drain - give all of the pool back to the buddy allocator
 *
 * Context: Process context, sleeps.
 * Return: number of pages that were freed.
 */
unsigned long vcm_pool_drain(void)
{
	unsigned long freed;

	mutex_lock(&vcm_pool_zero_lock);
	freed = vcm_pool_free(ULONG_MAX);
	mutex_unlock(&vcm_pool_zero_lock);
	return freed;
}

/* ---- For the worker ---- */

/**
 * vcm_pool_zero_one - zero a dirty chunk, the largest first
 * @nid: of this node
 *
 * Context: Process context, sleeps.
 * Return: false if there is none.
 */
bool vcm_pool_zero_one(int nid)
{
	struct vcm_pool_list *list = NULL;
	enum vcm_chunk_size size;
	struct page *page = NULL;

	mutex_lock(&vcm_pool_zero_lock);
	for (size = 0; !page && size < VCM_NR_CHUNK_SIZES; size++) {
		list = vcm_pool_list(nid, size);
		page = list ? vcm_pool_pop_dirty_one(list) : NULL;
	}
	if (page) {
		vcm_pool_zero(page);
		vcm_pool_push_clean(list, page);
	}
	mutex_unlock(&vcm_pool_zero_lock);
	return page;
}

/**
 * vcm_pool_add_one - add a new chunk
 * @nid: the node
 * @size: its size
 *
 * Context: Process context, sleeps.
 * Return: false if the cap is reached or there is none.
 */
bool vcm_pool_add_one(int nid, enum vcm_chunk_size size)
{
	struct vcm_pool_list *list = vcm_pool_list(nid, size);
	struct page *page;

	if (!list || !vcm_pool_reserve(size, 1))
		return false;
	page = vcm_memory_alloc_node(nid, size);
	if (!page) {
		vcm_pool_unreserve(size, 1);
		return false;
	}
	vcm_pool_account(nid, size, 1);
	vcm_pool_push_clean(list, page);
	return true;
}

/**
 * vcm_pool_node_has_dirty - is there something to zero?
 * @nid: on this node
 *
 * Context: Any.
 * Return: true if there is.
 */
bool vcm_pool_node_has_dirty(int nid)
{
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		struct vcm_pool_list *list = vcm_pool_list(nid, size);

		if (list && vcm_pool_nr(list, VCM_POOL_DIRTY))
			return true;
	}
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
	struct vcm_pool_list *list = vcm_pool_list(nid, size);

	if (!list)
		return 0;
	return (u64)(vcm_pool_nr(list, VCM_POOL_DIRTY) +
		     vcm_pool_nr(list, VCM_POOL_CLEAN)) * vcm_chunk_bytes(size);
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
	enum vcm_chunk_size size;
	u64 bytes = 0;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		bytes += vcm_pool_node_bytes_of(nid, size);
	return bytes >> PAGE_SHIFT;
}

/* ---- What is there ---- */

/**
 * vcm_pool_stats - what the pool holds
 * @stats: filled in; a snapshot of each number, not of all
 *
 * Context: Any.
 */
void vcm_pool_stats(struct vcm_pool_stats *stats)
{
	enum vcm_chunk_size size;
	int nid;

	*stats = (struct vcm_pool_stats){
		.cap = (u64)vcm_pool_cap_pages() << PAGE_SHIFT,
		.total = (u64)atomic_long_read(&vcm_pool_pages) << PAGE_SHIFT,
	};
	for_each_node(nid) {
		for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
			struct vcm_pool_list *list = vcm_pool_list(nid, size);

			if (!list)
				continue;
			stats->clean[size] += vcm_pool_nr(list, VCM_POOL_CLEAN);
			stats->dirty[size] += vcm_pool_nr(list, VCM_POOL_DIRTY);
		}
	}
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
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		spin_lock_init(&node->lists[size].lock);
		for (kind = 0; kind < VCM_POOL_NR_KINDS; kind++)
			INIT_LIST_HEAD(&node->lists[size].chunks[kind]);
	}
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
