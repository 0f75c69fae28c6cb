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

/* The largest size that fits into so many bytes, which are a page or more. */
static inline enum vcm_chunk_size vcm_chunk_size_within(size_t len)
{
	return len >= DMA_HEAP_VCM_CHUNK_2M ? VCM_CHUNK_2M :
	       len >= DMA_HEAP_VCM_CHUNK_1M ? VCM_CHUNK_1M :
	       len >= DMA_HEAP_VCM_CHUNK_64K ? VCM_CHUNK_64K : VCM_CHUNK_PAGE;
}

/* A size in bytes, or 0 if it is not usable. */
static inline u64 vcm_chunk_usable_bytes(enum vcm_chunk_size size)
{
	return vcm_chunk_size_usable(size) ? vcm_chunk_bytes(size) : 0;
}

/* All sizes, in bytes; a constant. */
static inline u64 vcm_chunk_sizes(void)
{
	return vcm_chunk_usable_bytes(VCM_CHUNK_2M) |
	       vcm_chunk_usable_bytes(VCM_CHUNK_1M) |
	       vcm_chunk_usable_bytes(VCM_CHUNK_64K) |
	       vcm_chunk_usable_bytes(VCM_CHUNK_PAGE);
}

#endif /* _VCM_CHUNK_SIZE_H */
