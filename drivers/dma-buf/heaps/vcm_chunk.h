/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: the memory of a buffer, in chunks of a few sizes
 */
#ifndef _VCM_CHUNK_H
#define _VCM_CHUNK_H

#include <linux/mm.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm_chunk_size.h"

struct page;

/**
 * struct vcm_chunks - the memory of a buffer
 * @pages: the chunks' first pages, the largest chunk first and those of one
 *	size by address; vcm_chunks_size() tells the size of each
 * @single: what @pages points to if there is one chunk only
 * @nr: number of chunks
 * @nr_of: number of chunks of each size
 * @memory: the same as the physically contiguous runs that the chunks make up
 * @single_run: what that points to if there is one chunk only, or one run
 * @contiguous: the chunks are parts of one run, which was allocated as such; they are
 *	no compound pages
 * @below: they were to be below a limit, and are nothing for the pool
 *
 * Constant from vcm_chunks_alloc() to vcm_chunks_free(), and not to be copied.
 */
struct vcm_chunks {
	struct page **pages;
	struct page *single;
	unsigned long nr;
	unsigned long nr_of[VCM_NR_CHUNK_SIZES];
	struct vcm_iova_memory memory;
	struct vcm_iova_run single_run;
	bool contiguous;
	bool below;
};

int vcm_chunks_alloc(struct vcm_chunks *chunks, size_t len, u64 sizes);
int vcm_chunks_alloc_below(struct vcm_chunks *chunks, size_t len, u64 sizes,
			   u64 reach, bool strict);
int vcm_chunks_alloc_contiguous(struct vcm_chunks *chunks, size_t len,
				u64 reach, bool strict);
void vcm_chunks_free(struct vcm_chunks *chunks);
unsigned long vcm_chunks_find(const struct vcm_chunks *chunks,
			      unsigned long pgoff, unsigned long *first);

size_t vcm_chunks_size_by_number(const struct vcm_chunks *chunks,
				 unsigned long i);

/**
 * vcm_chunks_size - the size of a chunk
 * @chunks: the chunks
 * @i: which one
 *
 * Context: Any.
 * Return: bytes.
 */
static inline size_t vcm_chunks_size(const struct vcm_chunks *chunks,
				     unsigned long i)
{
	if (unlikely(chunks->contiguous))
		return vcm_chunks_size_by_number(chunks, i);
	return page_size(chunks->pages[i]);
}

#endif /* _VCM_CHUNK_H */
