/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: buffers
 */
#ifndef _VCM_BUFFER_H
#define _VCM_BUFFER_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm_chunk.h"

struct device;
struct dma_buf;

/**
 * struct vcm_buffer - a buffer of the heap
 * @chunks: its memory, constant
 * @len: bytes, a multiple of the page size, constant
 * @policy: where importers get it mapped, constant
 * @flags: DMA_HEAP_VCM_CONTIGUOUS or 0, constant
 * @reach: the physical address that its memory was to be below, or 0, constant
 * @ino: inode number of the dma-buf, constant; names the buffer in traces
 *	and in debugfs, where userspace finds it with fstat()
 * @dmabuf: the dma-buf; it owns the buffer
 * @node: in the list of all buffers, protected by that list's lock
 * @lock: protects what follows
 * @attachments: all &struct vcm_attachment, by &struct vcm_attachment.node
 * @vaddr: kernel mapping, or NULL
 * @vmapped: whether that is one of its own, not out of the linear map
 *
 * Lock order: &dma_buf.resv -> @lock, where the dma-buf core takes the first
 * around some of our callbacks; vcm_buffers_lock -> @lock; both -> &struct
 * vcm_iova_mapping.lock.
 */
struct vcm_buffer {
	struct vcm_chunks chunks;
	size_t len;
	struct vcm_iova_policy policy;
	u32 flags;
	u64 reach;
	unsigned long ino;
	struct dma_buf *dmabuf;
	struct hlist_node node;

	/* protects what follows */
	struct mutex lock;
	struct list_head attachments;
	void *vaddr;
	bool vmapped;
};

/**
 * struct vcm_attachment - a device that a buffer is attached to
 * @map: how the device sees the buffer
 * @dev: the device; @map keeps it
 * @node: in &struct vcm_buffer.attachments
 */
struct vcm_attachment {
	struct vcm_iova_mapping map;
	struct device *dev;
	struct list_head node;
};

/**
 * struct vcm_alloc_args - what a buffer is to be like
 * @len: bytes, a multiple of the page size and not 0
 * @chunk_sizes: OR of the chunk sizes it may be made of
 * @policy: where importers get it mapped
 * @flags: DMA_HEAP_VCM_CONTIGUOUS: it is to be one run, and @chunk_sizes says nothing
 * @reach: the physical address that it is to be below, or 0; with VCM_IOVA_STRICT
 *	in @policy at any rate
 * @name: name of the dma-buf or NULL; the buffer takes it over on success
 * @fd_flags: O_ACCMODE flags of the dma-buf
 */
struct vcm_alloc_args {
	size_t len;
	u64 chunk_sizes;
	struct vcm_iova_policy policy;
	u32 flags;
	u64 reach;
	char *name;
	u32 fd_flags;
};

struct dma_buf *vcm_buffer_alloc(const struct vcm_alloc_args *args);
struct vcm_buffer *vcm_buffer_get(struct dma_buf *dmabuf);
void vcm_buffer_drop(struct vcm_buffer *buffer);

/* All live buffers, for debugfs */
extern struct hlist_head vcm_buffers;
extern struct mutex vcm_buffers_lock;

#endif /* _VCM_BUFFER_H */
