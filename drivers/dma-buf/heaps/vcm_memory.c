// SPDX-License-Identifier: GPL-2.0
/*
 * Where the memory of the vcm heap comes from
 *
 * All of it, for buffers and for the pool (vcm_pool.c), is taken and given back
 * here: pages from the buddy allocator, zeroed.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/dma-heap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/numa.h>

#include "vcm_memory.h"

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

/**
 * vcm_memory_free - free a chunk
 * @page: its first page
 *
 * Context: Any that __free_pages() can be called from.
 */
void vcm_memory_free(struct page *page)
{
	KUNIT_STATIC_STUB_REDIRECT(vcm_memory_free, page);

	__free_pages(page, compound_order(page));
}
