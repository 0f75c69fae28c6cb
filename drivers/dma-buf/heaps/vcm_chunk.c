// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a buffer: chunks of a few sizes
 *
 * A chunk is a physically contiguous block from the buddy allocator. 1 MB,
 * 64 KB and a page are the sizes that the Virtual Contiguous Memory manager of
 * 2010 used, because IOMMUs have TLB entries for them; 2 MB, a pair of 1 MB
 * blocks, is what the page tables of today's CPUs and IOMMUs map with a single
 * entry.
 *
 * Chunks are taken greedily, the largest size that fits first, and a size that
 * could not be had is not tried again. They come from the pool (vcm_pool.c) or
 * from the buddy allocator (vcm_memory.c).
 */

#include <linux/align.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "vcm_chunk.h"
#include "vcm_contiguous.h"
#include "vcm_memory.h"
#include "vcm_pool.h"
#include "vcm_pool_free.h"
#include "vcm_pool_limit.h"
#include "vcm_pool_node.h"
#include "vcm_pool_work.h"

/**
 * struct vcm_fill - an allocation under way
 * @list: the chunks that it has, by &struct page.lru
 * @nr: how many
 * @nr_of: ... of each size
 * @left: bytes that it has still to get
 * @array: pages for the arrays of chunks and of runs, at most
 * @claim: its claim to memory
 * @reach: where memory has to be below, or 0
 */
struct vcm_fill {
	struct list_head list;
	unsigned long nr;
	unsigned long nr_of[VCM_NR_CHUNK_SIZES];
	size_t left;
	unsigned long array;
	struct vcm_claim claim;
	u64 reach;
};

/* Bytes in the arrays for each chunk, which may be a run. */
#define VCM_CHUNK_ARRAYS (sizeof(struct page *) + sizeof(struct vcm_iova_run))

static unsigned long vcm_fill_pages_left(const struct vcm_fill *fill)
{
	return (fill->left >> PAGE_SHIFT) + fill->array;
}

static int vcm_fill_begin(struct vcm_fill *fill, size_t len)
{
	unsigned long nr_pages = len >> PAGE_SHIFT;

	if (nr_pages > totalram_pages())
		return -ENOMEM;
	INIT_LIST_HEAD(&fill->list);
	fill->nr = 0;
	memset(fill->nr_of, 0, sizeof(fill->nr_of));
	fill->left = len;
	fill->reach = 0;
	fill->array = nr_pages * VCM_CHUNK_ARRAYS / PAGE_SIZE + 1;
	return vcm_memory_claim(&fill->claim, vcm_fill_pages_left(fill));
}

static void vcm_fill_free(struct vcm_fill *fill)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &fill->list, lru)
		vcm_memory_free(page);
}

static void vcm_fill_got(struct vcm_fill *fill, enum vcm_chunk_size size,
			 unsigned long nr)
{
	fill->nr += nr;
	fill->nr_of[size] += nr;
	fill->left -= nr * vcm_chunk_bytes(size);
}

/* Is the task to take memory of another node than its own? */
static bool vcm_fill_elsewhere(const struct vcm_fill *fill)
{
	return fill->claim.nid != NUMA_NO_NODE &&
	       fill->claim.nid != numa_mem_id();
}

/* Is something in the pool for the task? It gives chunks of the task's own node. */
static bool vcm_fill_has_pooled(const struct vcm_fill *fill,
				enum vcm_chunk_size size)
{
	return vcm_pool_has(size) && !fill->reach && !vcm_fill_elsewhere(fill);
}

/* Chunks that cost nothing */
static unsigned long vcm_fill_clean(struct vcm_fill *fill,
				    enum vcm_chunk_size size)
{
	size_t len = fill->left;

	/* They are quick to take, and as much missed as others. */
	if (fill->claim.hope)
		len = min_t(size_t, len, VCM_MEMORY_STEP << PAGE_SHIFT);
	return vcm_pool_get_clean(size, len / vcm_chunk_bytes(size),
				  &fill->list);
}

static struct page *vcm_fill_new(struct vcm_fill *fill,
				 enum vcm_chunk_size size)
{
	if (fill->reach)
		return vcm_memory_alloc_below(size, fill->reach);
	if (vcm_fill_elsewhere(fill))
		return vcm_memory_alloc_node(fill->claim.nid, size);
	return vcm_pool_get_new(size);
}

/* As many chunks of @size as fit and can be had. */
static int vcm_fill_size(struct vcm_fill *fill, enum vcm_chunk_size size)
{
	size_t unit = vcm_chunk_bytes(size);

	while (fill->left >= unit) {
		unsigned long nr = 0;
		struct page *page;
		bool pooled;
		int ret;

		ret = vcm_memory_check(&fill->claim, vcm_fill_pages_left(fill));
		if (ret)
			return ret;

		/* Others may have been zeroed while one was zeroed here. */
		pooled = vcm_fill_has_pooled(fill, size);
		if (pooled)
			nr = vcm_fill_clean(fill, size);
		if (nr) {
			vcm_fill_got(fill, size, nr);
			continue;
		}

		if (fatal_signal_pending(current))
			return -EINTR;
		page = pooled ? vcm_pool_get(size) : vcm_fill_new(fill, size);
		if (!page)
			return 0;
		list_add_tail(&page->lru, &fill->list);
		vcm_fill_got(fill, size, 1);
	}
	return 0;
}

/* Chunks of all @sizes; what cannot be had is left. */
static int vcm_fill_sizes(struct vcm_fill *fill, u64 sizes)
{
	enum vcm_chunk_size size = vcm_chunk_size_within(fill->left);
	int ret;

	for (; fill->left && size < VCM_NR_CHUNK_SIZES; size++) {
		if (fill->left < vcm_chunk_bytes(size))
			continue;
		if (!(sizes & vcm_chunk_bytes(size)) ||
		    !vcm_chunk_size_usable(size))
			continue;
		ret = vcm_fill_size(fill, size);
		if (ret)
			return ret;
	}
	return 0;
}

static enum vcm_chunk_size vcm_chunk_smallest(u64 sizes)
{
	enum vcm_chunk_size size = VCM_CHUNK_PAGE;

	while (size > 0 && !(sizes & vcm_chunk_bytes(size)))
		size--;
	return size;
}

/*
 * Large chunks do not reclaim, and the pool may have what is missing in other
 * sizes, or had it until somebody else took it just now: so once more in any
 * case, and as long as it has something that helps.
 */
static int vcm_fill_up(struct vcm_fill *fill, u64 sizes)
{
	enum vcm_chunk_size smallest = vcm_chunk_smallest(sizes);
	unsigned long freed;
	int ret;

	do {
		freed = vcm_pool_yield(smallest, fill->left);
		ret = vcm_fill_sizes(fill, sizes);
	} while (!ret && freed);

	if (!ret && fill->left && vcm_pool_merge(smallest))
		ret = vcm_fill_sizes(fill, sizes);
	return ret;
}

static int vcm_fill(struct vcm_fill *fill, u64 sizes)
{
	int ret;

	ret = vcm_fill_sizes(fill, sizes);
	if (!ret && fill->left)
		ret = vcm_fill_up(fill, sizes);
	if (ret)
		return ret;
	return fill->left ? -ENOMEM : 0;
}

/* The largest first, and those of one size by address. */
static int vcm_chunk_cmp(const void *a, const void *b)
{
	struct page *pa = *(struct page * const *)a;
	struct page *pb = *(struct page * const *)b;
	unsigned int order_a = compound_order(pa), order_b = compound_order(pb);

	return cmp_int(order_b, order_a) ?:
	       cmp_int(page_to_pfn(pa), page_to_pfn(pb));
}

/*
 * Neighbours become runs, which an IOMMU maps in one go. Chunks that come from a
 * buffer by way of the pool are sorted already.
 */
static void vcm_chunks_sort(struct vcm_chunks *chunks)
{
	struct page **pages = chunks->pages;
	unsigned long i;

	for (i = 1; i < chunks->nr; i++)
		if (vcm_chunk_cmp(&pages[i - 1], &pages[i]) > 0)
			break;
	if (i < chunks->nr)
		sort_nonatomic(pages, chunks->nr, sizeof(*pages), vcm_chunk_cmp,
			       NULL);
}

/*
 * Does chunk @i continue the one before it? A scatterlist segment needs both
 * the memory and its struct pages to be contiguous; the second does not follow
 * from the first with SPARSEMEM without VMEMMAP.
 */
static bool vcm_chunks_adjacent(const struct vcm_chunks *chunks,
				unsigned long i)
{
	struct page *prev = chunks->pages[i - 1], *page = chunks->pages[i];

	return prev + compound_nr(prev) == page &&
	       page_to_pfn(prev) + compound_nr(prev) == page_to_pfn(page);
}

/* Fill in the runs that the chunks make up; returns how many. */
static unsigned long vcm_chunks_join(const struct vcm_chunks *chunks,
				     struct vcm_iova_run *runs)
{
	struct vcm_iova_run *run = runs;
	unsigned long i;

	*run = (struct vcm_iova_run){ page_to_phys(chunks->pages[0]),
				      page_size(chunks->pages[0]) };
	for (i = 1; i < chunks->nr; i++) {
		struct page *page = chunks->pages[i];

		if (vcm_chunks_adjacent(chunks, i))
			run->len += page_size(page);
		else
			*++run = (struct vcm_iova_run){ page_to_phys(page),
							page_size(page) };
	}
	return run - runs + 1;
}

static void vcm_chunks_set_one(struct vcm_chunks *chunks, struct page *page,
			       size_t len)
{
	chunks->single = page;
	chunks->pages = &chunks->single;
	chunks->single_run = (struct vcm_iova_run){ page_to_phys(page), len };
	chunks->memory = (struct vcm_iova_memory){ &chunks->single_run, 1, len };
}

/* The array of runs is in front of that of the chunks. */
static int vcm_chunks_set_many(struct vcm_chunks *chunks,
			       const struct list_head *list, size_t len)
{
	struct vcm_iova_run *runs;
	unsigned long i = 0;
	struct page *page;

	runs = vcm_memory_array(chunks->nr, VCM_CHUNK_ARRAYS);
	if (!runs)
		return -ENOMEM;

	chunks->pages = (struct page **)(runs + chunks->nr);
	/* The list is not looked at any more. */
	list_for_each_entry(page, list, lru)
		chunks->pages[i++] = page;
	vcm_chunks_sort(chunks);
	chunks->memory.runs = runs;
	chunks->memory.nr_runs = vcm_chunks_join(chunks, runs);
	chunks->memory.len = len;
	return 0;
}

/*
 * What was collected becomes the chunks of a buffer. Constant as they are, their runs
 * are found out once.
 */
static int vcm_chunks_init(struct vcm_chunks *chunks, struct vcm_fill *fill,
			   size_t len)
{
	chunks->nr = fill->nr;
	chunks->contiguous = false;
	chunks->below = false;
	memcpy(chunks->nr_of, fill->nr_of, sizeof(chunks->nr_of));
	if (chunks->nr > 1)
		return vcm_chunks_set_many(chunks, &fill->list, len);
	vcm_chunks_set_one(chunks, list_first_entry(&fill->list, struct page, lru),
			   len);
	return 0;
}

/**
 * vcm_chunks_alloc - allocate the memory of a buffer
 * @chunks: filled in
 * @len: bytes, not 0, a multiple of the smallest of @sizes
 * @sizes: OR of the chunk sizes to use
 *
 * The memory is zeroed.
 *
 * Context: Process context, sleeps.
 * Return: 0, -ENOMEM (more than may be taken, see vcm_memory.c, or not to be had
 *	in @sizes), -EINTR (fatal signal). Nothing is allocated on failure, and
 *	nobody is killed.
 */
int vcm_chunks_alloc(struct vcm_chunks *chunks, size_t len, u64 sizes)
{
	struct vcm_fill fill;
	int ret;

	ret = vcm_fill_begin(&fill, len);
	if (ret)
		return ret;

	ret = vcm_fill(&fill, sizes);
	if (!ret)
		ret = vcm_chunks_init(chunks, &fill, len);
	if (ret)
		vcm_fill_free(&fill);
	vcm_memory_unclaim(&fill.claim);
	/* What was taken may be missing there. */
	if (!ret && vcm_pool_refills())
		vcm_pool_kick();
	return ret;
}

static u64 vcm_chunk_size_of_length(size_t len)
{
	return is_power_of_2(len) ? len & vcm_chunk_sizes() : 0;
}

/* Below the limit; the pool may have all that there is. */
static int vcm_fill_below(struct vcm_fill *fill, u64 sizes, u64 reach)
{
	int ret;

	fill->reach = reach;
	ret = vcm_fill_sizes(fill, sizes);
	if (!ret && fill->left && vcm_pool_drain())
		ret = vcm_fill_sizes(fill, sizes);
	fill->reach = 0;
	return ret;
}

/**
 * vcm_chunks_alloc_below - allocate the memory of a buffer below a limit
 * @chunks: filled in
 * @len: bytes, not 0, a multiple of the smallest of @sizes
 * @sizes: OR of the chunk sizes to use
 * @reach: the limit: a physical address
 * @strict: whether all of it has to be there
 *
 * The pool gives nothing and is not to have it: what is below the limit is for those who
 * need it there.
 *
 * Context: Process context, sleeps.
 * Return: as vcm_chunks_alloc().
 */
int vcm_chunks_alloc_below(struct vcm_chunks *chunks, size_t len, u64 sizes,
			   u64 reach, bool strict)
{
	struct vcm_fill fill;
	int ret;

	ret = vcm_fill_begin(&fill, len);
	if (ret)
		return ret;

	ret = vcm_fill_below(&fill, sizes, reach);
	if (!ret && fill.left)
		ret = strict ? -ENOMEM : vcm_fill(&fill, sizes);
	if (!ret)
		ret = vcm_chunks_init(chunks, &fill, len);
	if (ret)
		vcm_fill_free(&fill);
	else
		chunks->below = true;
	vcm_memory_unclaim(&fill.claim);
	return ret;
}

static int vcm_chunks_alloc_run(struct vcm_chunks *chunks, size_t len, u64 reach)
{
	u64 size = vcm_chunk_size_of_length(len);
	int ret = -ENOMEM;

	if (size && reach)
		ret = vcm_chunks_alloc_below(chunks, len, size, reach, true);
	else if (size)
		ret = vcm_chunks_alloc(chunks, len, size);
	return ret == -ENOMEM ? vcm_contiguous_alloc(chunks, len, reach) : ret;
}

/**
 * vcm_chunks_alloc_contiguous - allocate the memory of a buffer in one run
 * @chunks: filled in
 * @len: bytes, not 0, a multiple of the page size
 * @reach: the physical address that it has to be below, or 0
 * @strict: ... at any rate
 *
 * The memory is zeroed. What has the size of a chunk can be one of those that wait in the
 * pool.
 *
 * Context: Process context, sleeps.
 * Return: as vcm_contiguous_alloc().
 */
int vcm_chunks_alloc_contiguous(struct vcm_chunks *chunks, size_t len,
				u64 reach, bool strict)
{
	int ret = vcm_chunks_alloc_run(chunks, len, reach);

	if (ret == -ENOMEM && reach && !strict)
		ret = vcm_chunks_alloc_run(chunks, len, 0);
	return ret;
}

/*
 * A buffer of fewer pages the pool is not to have: to allocate and zero them again costs
 * less than to keep them, and to wake the worker for them.
 */
#define VCM_CHUNKS_FEW_PAGES	max(SZ_64K >> PAGE_SHIFT, 1UL)

static bool vcm_chunks_are_to_keep(const struct vcm_chunks *chunks)
{
	return !vcm_pool_is_closed() && !chunks->below &&
	       (chunks->nr >= VCM_CHUNKS_FEW_PAGES ||
		chunks->nr > chunks->nr_of[VCM_CHUNK_PAGE]);
}

static void vcm_chunks_to_pool(const struct vcm_chunks *chunks)
{
	struct page **pages = chunks->pages;
	enum vcm_chunk_size size;
	bool kept = false;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		unsigned long nr = chunks->nr_of[size];

		if (!nr)
			continue;
		kept |= vcm_pool_put(size, pages, nr);
		pages += nr;
	}
	if (kept)
		vcm_pool_kick();
}

static void vcm_chunks_to_buddy(const struct vcm_chunks *chunks)
{
	unsigned long i;

	for (i = 0; i < chunks->nr; i++) {
		vcm_memory_free(chunks->pages[i]);
		cond_resched();
	}
}

/**
 * vcm_chunks_free - undo what one of the above has allocated
 * @chunks: the chunks
 *
 * Context: Process context, sleeps.
 */
void vcm_chunks_free(struct vcm_chunks *chunks)
{
	if (chunks->contiguous) {
		vcm_contiguous_free(chunks);
		return;
	}
	if (vcm_chunks_are_to_keep(chunks))
		vcm_chunks_to_pool(chunks);
	else
		vcm_chunks_to_buddy(chunks);
	if (chunks->memory.runs != &chunks->single_run)
		kvfree(chunks->memory.runs);
}

/**
 * vcm_chunks_find - the chunk that a page of the buffer is in
 * @chunks: the chunks
 * @pgoff: page offset in the buffer
 * @first: set to the page's offset in the chunk
 *
 * Context: Any.
 * Return: index of the chunk; &struct vcm_chunks.nr behind the end.
 */
unsigned long vcm_chunks_find(const struct vcm_chunks *chunks,
			      unsigned long pgoff, unsigned long *first)
{
	enum vcm_chunk_size size;
	unsigned long base = 0;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		unsigned long unit = vcm_chunk_bytes(size) >> PAGE_SHIFT;

		if (pgoff < chunks->nr_of[size] * unit) {
			*first = pgoff % unit;
			return base + pgoff / unit;
		}
		pgoff -= chunks->nr_of[size] * unit;
		base += chunks->nr_of[size];
	}
	*first = 0;
	return chunks->nr;
}

/**
 * vcm_chunks_size_by_number - the size of a chunk, by how many there are of each size
 * @chunks: the chunks
 * @i: which one
 *
 * Context: Any.
 * Return: bytes.
 */
size_t vcm_chunks_size_by_number(const struct vcm_chunks *chunks,
				 unsigned long i)
{
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_CHUNK_PAGE; size++) {
		if (i < chunks->nr_of[size])
			break;
		i -= chunks->nr_of[size];
	}
	return vcm_chunk_bytes(size);
}
