/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: the memory of a buffer, in chunks of a few sizes
 */
#ifndef _VCM_CHUNK_H
#define _VCM_CHUNK_H

#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm_chunk_size.h"

struct page;

/**
 * struct vcm_chunks - the memory of a buffer
 * @pages: the chunks' first pages, the largest chunk first and those of one
 *	size by address; page_size() tells the size of each
 * @single: what @pages points to if there is one chunk only
 * @nr: number of chunks
 * @nr_of: number of chunks of each size
 * @memory: the same as the physically contiguous runs that the chunks make up
 * @single_run: what that points to if there is one chunk only
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
};

int vcm_chunks_alloc(struct vcm_chunks *chunks, size_t len, u64 sizes);
void vcm_chunks_free(struct vcm_chunks *chunks);
unsigned long vcm_chunks_find(const struct vcm_chunks *chunks,
			      unsigned long pgoff, unsigned long *first);

#endif /* _VCM_CHUNK_H */
