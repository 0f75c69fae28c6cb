/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pool of a node: its chunks and its limits
 */
#ifndef _VCM_POOL_NODE_H
#define _VCM_POOL_NODE_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/dma-heap.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock_types.h>
#include <linux/topology.h>
#include <linux/types.h>

#include "vcm_chunk_size.h"

struct page;

/* The part of the cap that pages may have. */
#define VCM_POOL_PAGE_PART	16

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
 * @entry: in the list of those that have a pool, constant
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
 * @zero_lock: held by the worker while it zeroes a part of @hand
 * @zeroed: pages of @hand that are zeroed; under @zero_lock
 *
 * Lock order: @lock -> @zero_lock.
 */
struct vcm_pool_node {
	int nid;
	struct list_head entry;

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
extern struct vcm_pool_node **vcm_pool_nodes;

/* Those that are there; the map of all nodes that could be is long. */
extern struct list_head vcm_pool_all_nodes;
#define for_each_vcm_pool_node(node) \
	list_for_each_entry(node, &vcm_pool_all_nodes, entry)

static inline struct vcm_pool_node *vcm_pool_node(int nid)
{
	return vcm_pool_nodes ? vcm_pool_nodes[nid] : NULL;
}

static inline unsigned long vcm_pool_chunk_pages(enum vcm_chunk_size size)
{
	return vcm_chunk_bytes(size) >> PAGE_SHIFT;
}

static inline unsigned long vcm_pool_nr(const struct vcm_pool_list *list,
					enum vcm_pool_kind kind)
{
	return READ_ONCE(list->nr[kind]);
}

static inline unsigned long vcm_pool_nr_of_size(const struct vcm_pool_node *node,
						enum vcm_chunk_size size)
{
	return vcm_pool_nr(&node->lists[size], VCM_POOL_DIRTY) +
	       vcm_pool_nr(&node->lists[size], VCM_POOL_CLEAN);
}

/* Has the current task's node a chunk of @size? A quick look, and mostly enough. */
static inline bool vcm_pool_has(enum vcm_chunk_size size)
{
	const struct vcm_pool_node *node = vcm_pool_node(numa_mem_id());

	return node && vcm_pool_nr_of_size(node, size);
}

/* Is there nothing that the pool may hold? */
static inline bool vcm_pool_is_off(void)
{
	/* A chunk that is charged to nobody must not get into a buffer. */
	if (mem_accounting)
		return true;
	/* Who wants memory zeroed when it is freed wants it of this, too. */
	return want_init_on_free();
}

/* Pages that a node may have. */
static inline unsigned long vcm_pool_node_cap(const struct vcm_pool_node *node)
{
	return vcm_pool_is_off() ? 0 : READ_ONCE(node->cap);
}

/* Pages that a node has. */
static inline unsigned long vcm_pool_node_pages(int nid)
{
	const struct vcm_pool_node *node = vcm_pool_node(nid);

	return node ? READ_ONCE(node->pages) : 0;
}

int vcm_pool_nodes_create(void);
void vcm_pool_nodes_destroy(void);

unsigned long vcm_pool_room(const struct vcm_pool_node *node, unsigned long cap,
			    enum vcm_chunk_size size);
bool vcm_pool_is_empty(void);
u64 vcm_pool_node_bytes_of(int nid, enum vcm_chunk_size size);

void vcm_pool_count_chunks(struct vcm_pool_node *node, enum vcm_chunk_size size,
			   enum vcm_pool_kind kind, long nr);
unsigned long vcm_pool_take_hand(struct vcm_pool_node *node);
unsigned long vcm_pool_pop(struct vcm_pool_node *node, enum vcm_chunk_size size,
			   enum vcm_pool_kind kind, unsigned long nr,
			   struct list_head *to);
struct page *vcm_pool_pop_dirty(struct vcm_pool_node *node,
				enum vcm_chunk_size size,
				unsigned long *zeroed);
void vcm_pool_push(struct vcm_pool_node *node, enum vcm_chunk_size size,
		   enum vcm_pool_kind kind, unsigned long nr,
		   struct list_head *chunks);
bool vcm_pool_keep_room(struct vcm_pool_node *node, enum vcm_chunk_size size);
void vcm_pool_push_new(struct vcm_pool_node *node, enum vcm_chunk_size size,
		       struct list_head *chunks);

#endif /* _VCM_POOL_NODE_H */
