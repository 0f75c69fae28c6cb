// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers that are one run of memory
 *
 * For devices that no IOMMU translates for and that take an address and a length.
 * Nothing is set aside for them at boot: where the buddy allocator has no block of
 * that length, memory of others that can be moved is (vcm_memory.c). That takes
 * longer than to take what is free, so who needs no run should not ask for one.
 *
 * The run is seen as chunks, as that of any buffer is: what maps them for a CPU
 * uses large entries there as well. But the core knows nothing of these chunks,
 * and so the pool does not take them.
 */

#include <linux/align.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vcm_chunk.h"
#include "vcm_contiguous.h"
#include "vcm_memory.h"
#include "vcm_pool_free.h"

/* How many pages to ask for, so that a long run begins where a large chunk may. */
static unsigned long vcm_contiguous_pages(size_t len)
{
	const unsigned long unit = max(SZ_2M >> PAGE_SHIFT, 1);
	unsigned long nr = len >> PAGE_SHIFT;

	return nr > unit ? ALIGN(nr, unit) : nr;
}

/*
 * Idle chunks of the pool may be all that is in the way, and they cannot be moved. It is
 * not known which of them are, so all of them go.
 */
static struct page *vcm_contiguous_get(unsigned long nr, int nid, u64 reach)
{
	struct page *page = vcm_memory_alloc_run(nr, nid, reach);

	if (!page && !fatal_signal_pending(current) && vcm_pool_drain())
		page = vcm_memory_alloc_run(nr, nid, reach);
	return page;
}

/* How many chunks of each size the run is taken for; returns how many in all. */
static unsigned long vcm_contiguous_count(unsigned long *nr_of, size_t len)
{
	enum vcm_chunk_size size;
	unsigned long nr = 0;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		nr_of[size] = 0;
		if (!vcm_chunk_size_usable(size))
			continue;
		nr_of[size] = len / vcm_chunk_bytes(size);
		nr += nr_of[size];
		len -= nr_of[size] * vcm_chunk_bytes(size);
	}
	return nr;
}

static void vcm_contiguous_fill_in(struct vcm_chunks *chunks, struct page *page,
				   size_t len)
{
	enum vcm_chunk_size size;
	unsigned long i = 0, n;

	chunks->contiguous = true;
	chunks->single_run = (struct vcm_iova_run){ page_to_phys(page), len };
	chunks->memory = (struct vcm_iova_memory){ &chunks->single_run, 1, len };
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		for (n = 0; n < chunks->nr_of[size]; n++) {
			chunks->pages[i++] = page;
			page += vcm_chunk_bytes(size) >> PAGE_SHIFT;
		}
	}
}

static int vcm_contiguous_alloc_pages(struct vcm_chunks *chunks, size_t len,
				      unsigned long nr, int nid, u64 reach)
{
	unsigned long used = len >> PAGE_SHIFT;
	struct page *page;

	chunks->nr = vcm_contiguous_count(chunks->nr_of, len);
	chunks->pages = vcm_memory_array(chunks->nr, sizeof(*chunks->pages));
	if (!chunks->pages)
		return -ENOMEM;

	page = vcm_contiguous_get(nr, nid, reach);
	if (!page) {
		kvfree(chunks->pages);
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	}
	if (used < nr)
		vcm_memory_free_run(page + used, nr - used);
	vcm_contiguous_fill_in(chunks, page, len);
	return 0;
}

/**
 * vcm_contiguous_alloc - allocate the memory of a buffer in one run
 * @chunks: filled in
 * @len: bytes, not 0, a multiple of the page size
 * @reach: no byte of it is at this physical address or beyond; 0 for any
 *
 * The memory is zeroed.
 *
 * Context: Process context, sleeps.
 * Return: 0, -ENOMEM (more than may be taken, see vcm_memory.c, or not to be had
 *	in one run), -EINTR (fatal signal). Nothing is allocated on failure, and
 *	nobody is killed.
 */
int vcm_contiguous_alloc(struct vcm_chunks *chunks, size_t len, u64 reach)
{
	unsigned long nr = vcm_contiguous_pages(len);
	struct vcm_claim claim;
	int ret;

	if (nr > vcm_memory_run_max())
		return -ENOMEM;
	ret = vcm_memory_claim(&claim, nr);
	if (ret)
		return ret;

	/* It is taken at once: what swap may give later is of no use. */
	if (claim.hope)
		ret = -ENOMEM;
	else
		ret = vcm_contiguous_alloc_pages(chunks, len, nr, claim.nid,
						 reach);
	vcm_memory_unclaim(&claim);
	return ret;
}

/**
 * vcm_contiguous_free - undo vcm_contiguous_alloc()
 * @chunks: the chunks
 *
 * Context: Process context, sleeps.
 */
void vcm_contiguous_free(const struct vcm_chunks *chunks)
{
	vcm_memory_free_run(chunks->pages[0], chunks->memory.len >> PAGE_SHIFT);
	kvfree(chunks->pages);
}
