/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_DMA_HEAP_VCM_H
#define _UAPI_LINUX_DMA_HEAP_VCM_H

/**
 * DOC: the vcm heap
 *
 * Buffers come from ``/dev/dma_heap/vcm`` through the interface that all
 * DMA-BUF heaps share (&struct dma_heap_allocation_data,
 * ``DMA_HEAP_IOCTL_ALLOC`` of ``linux/dma-heap.h``). A buffer is made of
 * physically contiguous chunks of at most four sizes, the largest first.
 */

/* The name of the heap below /dev/dma_heap/. */
#define DMA_HEAP_VCM_NAME	"vcm"

/* Chunk sizes in bytes, in the order in which they are preferred. */
#define DMA_HEAP_VCM_CHUNK_2M	0x200000
#define DMA_HEAP_VCM_CHUNK_1M	0x100000
#define DMA_HEAP_VCM_CHUNK_64K	0x10000
/* The fourth and last size is the page of the running kernel. */

#endif /* _UAPI_LINUX_DMA_HEAP_VCM_H */
