/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: what its files share
 */
#ifndef _VCM_HEAP_H
#define _VCM_HEAP_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/types.h>
#include <linux/vcm-iommu.h>

#include <uapi/linux/dma-heap-vcm.h>

struct device;
struct dma_buf;
struct file;
struct page;
struct vm_area_struct;

/*
 * Bookkeeping that grows with the buffer: charged to the caller, who fails when
 * reclaim is not enough, and no victim of the OOM killer.
 */
#define VCM_GFP_META	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

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
		get_order(vcm_chunk_bytes(size)) <= MAX_PAGE_ORDER);
}

/**
 * struct vcm_chunks - the memory of a buffer
 * @pages: the chunks' first pages, the largest chunk first and those of one
 *	size by address; page_size() tells the size of each
 * @nr: number of chunks
 * @nr_of: number of chunks of each size
 * @nr_runs: number of physically contiguous runs that the chunks make up
 *
 * Constant from vcm_chunks_alloc() to vcm_chunks_free().
 */
struct vcm_chunks {
	struct page **pages;
	unsigned long nr;
	unsigned long nr_of[VCM_NR_CHUNK_SIZES];
	unsigned long nr_runs;
};

/* vcm_chunk.c */
u64 vcm_chunk_sizes(void);
int vcm_chunks_alloc(struct vcm_chunks *chunks, size_t len, u64 sizes);
void vcm_chunks_free(struct vcm_chunks *chunks);
unsigned long vcm_chunks_find(const struct vcm_chunks *chunks,
			      unsigned long pgoff, unsigned long *first);
int vcm_chunks_to_sgt(const struct vcm_chunks *chunks, struct device *dev,
		      struct sg_table *sgt);

/* vcm_map.c */
int vcm_chunks_mmap(const struct vcm_chunks *chunks,
		    struct vm_area_struct *vma);
void *vcm_chunks_vmap(const struct vcm_chunks *chunks, size_t len);
void vcm_chunks_vunmap(void *vaddr);

/**
 * struct vcm_buffer - a buffer of the heap
 * @chunks: its memory, constant
 * @len: bytes, a multiple of the page size, constant
 * @policy: where importers get it mapped, constant
 * @ino: inode number of the dma-buf, constant; names the buffer in traces
 *	and in debugfs, where userspace finds it with fstat()
 * @dmabuf: the dma-buf; it owns the buffer
 * @node: in the list of all buffers, protected by that list's lock
 * @lock: protects what follows, and &struct vcm_attachment.mapped
 * @attachments: all &struct vcm_attachment, by &struct vcm_attachment.node
 * @vaddr: kernel mapping, or NULL
 *
 * Lock order: &dma_buf.resv -> @lock, where the dma-buf core takes the first
 * around some of our callbacks; vcm_buffers_lock -> @lock.
 */
struct vcm_buffer {
	struct vcm_chunks chunks;
	size_t len;
	struct vcm_iova_policy policy;
	unsigned long ino;
	struct dma_buf *dmabuf;
	struct list_head node;

	/* protects what follows */
	struct mutex lock;
	struct list_head attachments;
	void *vaddr;
};

/**
 * struct vcm_attachment - a device that a buffer is attached to
 * @vdev: the device
 * @name: the device's name
 * @table: the buffer in segments that suit the device
 * @map: how @table is mapped
 * @mapped: whether @table is mapped; under &struct vcm_buffer.lock
 * @node: in &struct vcm_buffer.attachments
 */
struct vcm_attachment {
	struct vcm_iova_device *vdev;
	const char *name;
	struct sg_table table;
	struct vcm_mapping map;
	bool mapped;
	struct list_head node;
};

/**
 * struct vcm_alloc_args - what a buffer is to be like
 * @len: bytes, a multiple of the page size and not 0
 * @chunk_sizes: OR of the chunk sizes it may be made of
 * @policy: where importers get it mapped
 * @name: name of the dma-buf or NULL; the buffer takes it over on success
 * @fd_flags: O_ACCMODE flags of the dma-buf
 */
struct vcm_alloc_args {
	size_t len;
	u64 chunk_sizes;
	struct vcm_iova_policy policy;
	char *name;
	u32 fd_flags;
};

/* vcm_heap.c */
struct dma_buf *vcm_buffer_alloc(const struct vcm_alloc_args *args);
struct vcm_buffer *vcm_buffer_get(struct dma_buf *dmabuf);

/* All live buffers, for debugfs */
extern struct list_head vcm_buffers;
extern struct mutex vcm_buffers_lock;

/* vcm_dev.c */
extern struct vcm_iova_policy vcm_default_policy;
int vcm_dev_init(void);
int vcm_default_policy_check(void);
#if IS_ENABLED(CONFIG_KUNIT)
long vcm_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#endif

#ifdef CONFIG_DEBUG_FS
void vcm_heap_debugfs_init(void);
#else
static inline void vcm_heap_debugfs_init(void) { }
#endif

#endif /* _VCM_HEAP_H */
