/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: the sizes that a chunk can have
 */
#ifndef _VCM_CHUNK_SIZE_H
#define _VCM_CHUNK_SIZE_H

#include <linux/mmzone.h>
#include <linux/types.h>

#include <uapi/linux/dma-heap-vcm.h>

/* The sizes a chunk can have, largest first; the last one is the page. */
enum vcm_chunk_size {
	VCM_CHUNK_2M,
	VCM_CHUNK_1M,
	VCM_CHUNK_64K,
	VCM_CHUNK_PAGE,
	VCM_NR_CHUNK_SIZES
};

/* What a chunk size is in bytes. */
static inline size_t vcm_chunk_bytes(enum vcm_chunk_size size)
{
	static const size_t bytes[VCM_NR_CHUNK_SIZES] = {
		[VCM_CHUNK_2M] = DMA_HEAP_VCM_CHUNK_2M,
		[VCM_CHUNK_1M] = DMA_HEAP_VCM_CHUNK_1M,
		[VCM_CHUNK_64K] = DMA_HEAP_VCM_CHUNK_64K,
		[VCM_CHUNK_PAGE] = PAGE_SIZE,
	};

	return bytes[size];
}

/* With large pages several sizes, or all, can be one; it is the last then. */
static inline bool vcm_chunk_size_usable(enum vcm_chunk_size size)
{
	return size == VCM_CHUNK_PAGE ||
	       (vcm_chunk_bytes(size) > PAGE_SIZE &&
		vcm_chunk_bytes(size) <= PAGE_SIZE << MAX_PAGE_ORDER);
}

#endif /* _VCM_CHUNK_SIZE_H */
