// SPDX-License-Identifier: GPL-2.0
/*
 * The pool of a node: lists of chunks, what they count, and what there is room for
 *
 * A chunk stays on its node. The lists, the counts and the chunk that the worker
 * is zeroing are under the node's lock; who takes a chunk out has it alone.
 */

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "vcm_pool_node.h"

/* Chunks that are taken out of a list while its lock is held. */
#define VCM_POOL_BATCH		64UL

/* By node id; NULL for a node that has no pool. Constant after init. */
struct vcm_pool_node **vcm_pool_nodes;
LIST_HEAD(vcm_pool_all_nodes);

/* ---- Limits ---- */

/**
 * vcm_pool_room - what a node may still have in chunks of a size
 * @node: the node
 * @cap: what it may have of all
 * @size: the size
 *
 * Context: Any.
 * Return: pages.
 */
unsigned long vcm_pool_room(const struct vcm_pool_node *node,
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

/* ---- Lists ---- */

/**
 * vcm_pool_count_chunks - chunks came or went
 * @node: the node, with its lock held
 * @size: their size
 * @kind: what they are
 * @nr: how many came; negative when they went
 *
 * What is in the pool is reclaimable.
 *
 * Context: Any, does not sleep.
 */
void vcm_pool_count_chunks(struct vcm_pool_node *node,
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

/**
 * vcm_pool_take_hand - wait until the worker is off its chunk
 * @node: the node, with its lock held
 *
 * Context: Any, does not sleep.
 * Return: how many pages of the chunk are zero.
 */
unsigned long vcm_pool_take_hand(struct vcm_pool_node *node)
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

/**
 * vcm_pool_pop - take chunks out of the pool
 * @node: the node
 * @size: their size
 * @kind: which ones
 * @nr: how many, at most
 * @to: they are added at its end
 *
 * Context: Process context or reclaim, does not sleep.
 * Return: how many; not 0 unless there is none.
 */
unsigned long vcm_pool_pop(struct vcm_pool_node *node,
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

/**
 * vcm_pool_pop_dirty - take out a dirty chunk
 * @node: the node
 * @size: its size
 * @zeroed: set to how many of its first pages are zero
 *
 * Context: Process context, does not sleep.
 * Return: its first page, or NULL.
 */
struct page *vcm_pool_pop_dirty(struct vcm_pool_node *node,
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

/**
 * vcm_pool_push - put chunks into the pool
 * @node: the node
 * @size: their size
 * @kind: what they are
 * @nr: how many
 * @chunks: those; what there is no room for is left there
 *
 * Context: Process context, does not sleep.
 */
void vcm_pool_push(struct vcm_pool_node *node, enum vcm_chunk_size size,
		   enum vcm_pool_kind kind, unsigned long nr,
		   struct list_head *chunks)
{
	spin_lock(&node->lock);
	__vcm_pool_push(node, size, kind, nr, chunks);
	spin_unlock(&node->lock);
}

/**
 * vcm_pool_keep_room - keep room for another chunk until vcm_pool_push_new()
 * @node: the node
 * @size: its size
 *
 * Context: Process context, does not sleep.
 * Return: false if there is none.
 */
bool vcm_pool_keep_room(struct vcm_pool_node *node,
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

/**
 * vcm_pool_push_new - add the chunk that room was kept for
 * @node: the node
 * @size: its size
 * @chunks: that one, zeroed, if there is one; left there if there is no room
 *
 * Context: Process context, does not sleep.
 */
void vcm_pool_push_new(struct vcm_pool_node *node,
		       enum vcm_chunk_size size,
		       struct list_head *chunks)
{
	spin_lock(&node->lock);
	WRITE_ONCE(node->coming, node->coming - vcm_pool_chunk_pages(size));
	__vcm_pool_push(node, size, VCM_POOL_CLEAN, !list_empty(chunks),
			chunks);
	spin_unlock(&node->lock);
}

/* ---- What is there ---- */

/**
 * vcm_pool_is_empty - is there nothing in the pool?
 *
 * Context: Any.
 * Return: true if there is nothing.
 */
bool vcm_pool_is_empty(void)
{
	const struct vcm_pool_node *node;

	for_each_vcm_pool_node(node)
		if (READ_ONCE(node->pages))
			return false;
	return true;
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

/**
 * vcm_pool_nodes_destroy - undo vcm_pool_nodes_create()
 *
 * Context: Process context; they are empty, and nobody uses them any more.
 */
void vcm_pool_nodes_destroy(void)
{
	struct vcm_pool_node *node, *next;

	list_for_each_entry_safe(node, next, &vcm_pool_all_nodes, entry) {
		list_del(&node->entry);
		kfree(node);
	}
	kfree(vcm_pool_nodes);
	vcm_pool_nodes = NULL;
}

/**
 * vcm_pool_nodes_create - a pool for each node that has memory
 *
 * Context: Process context, once.
 * Return: 0 or -ENOMEM.
 */
int vcm_pool_nodes_create(void)
{
	struct vcm_pool_node *node;
	int nid;

	vcm_pool_nodes = kcalloc(nr_node_ids, sizeof(*vcm_pool_nodes),
				 GFP_KERNEL);
	if (!vcm_pool_nodes)
		return -ENOMEM;

	for_each_node_state(nid, N_MEMORY) {
		node = vcm_pool_node_create(nid);
		if (!node)
			goto destroy_nodes;
		vcm_pool_nodes[nid] = node;
		list_add_tail(&node->entry, &vcm_pool_all_nodes);
	}
	return 0;

destroy_nodes:
	vcm_pool_nodes_destroy();
	return -ENOMEM;
}
