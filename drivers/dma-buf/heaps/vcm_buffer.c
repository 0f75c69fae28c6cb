// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: dma-bufs of chunks
 *
 * A buffer is an array of chunks (vcm_chunk.c) behind a dma-buf. Each importer
 * gets a table of its own over those chunks, cut to what its device takes and
 * mapped by the buffer's policy (vcm_iova_map()); the CPU gets them through mmap()
 * and dma_buf_vmap() (vcm_cpu_map.c).
 *
 * The dma-buf owns the buffer: nothing refers to a buffer that its dma-buf
 * does not keep alive, but for the list of all buffers, which it leaves when
 * it is released.
 */

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <uapi/linux/dma-heap-vcm.h>

#include "vcm_buffer.h"
#include "vcm_cpu_map.h"
#include "vcm_memory.h"

#define CREATE_TRACE_POINTS
#include "vcm_trace.h"

HLIST_HEAD(vcm_buffers);
/* Protects the list; a buffer on it is not released yet. */
DEFINE_MUTEX(vcm_buffers_lock);

static int vcm_buffer_attach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attachment)
{
	struct vcm_buffer *buffer = dmabuf->priv;
	struct vcm_attachment *a;
	int ret;

	a = kmalloc_obj(*a, VCM_GFP_META);
	if (!a)
		return -ENOMEM;

	ret = vcm_iova_attach(&a->map, attachment->dev,
			      &buffer->chunks.memory, &buffer->policy, VCM_GFP_META);
	if (ret) {
		kfree(a);
		return ret;
	}

	a->dev = attachment->dev;
	attachment->priv = a;

	mutex_lock(&buffer->lock);
	list_add_tail(&a->node, &buffer->attachments);
	mutex_unlock(&buffer->lock);
	return 0;
}

static void vcm_buffer_detach(struct dma_buf *dmabuf,
			      struct dma_buf_attachment *attachment)
{
	struct vcm_buffer *buffer = dmabuf->priv;
	struct vcm_attachment *a = attachment->priv;

	mutex_lock(&buffer->lock);
	list_del(&a->node);
	mutex_unlock(&buffer->lock);

	vcm_iova_detach(&a->map);
	kfree(a);
}

static struct sg_table *vcm_buffer_map_dma_buf(struct dma_buf_attachment *attachment,
					       enum dma_data_direction dir)
{
	struct vcm_attachment *a = attachment->priv;
	int ret;

	ret = vcm_iova_map(&a->map, dir);
	if (ret)
		return ERR_PTR(ret);
	trace_vcm_heap_map(attachment->dmabuf->priv, a);
	return &a->map.table;
}

static void vcm_buffer_unmap_dma_buf(struct dma_buf_attachment *attachment,
				     struct sg_table *table,
				     enum dma_data_direction dir)
{
	struct vcm_attachment *a = attachment->priv;

	trace_vcm_heap_unmap(attachment->dmabuf->priv, a);
	vcm_iova_unmap(&a->map);
}

static int vcm_buffer_begin_cpu_access(struct dma_buf *dmabuf,
				       enum dma_data_direction dir)
{
	struct vcm_buffer *buffer = dmabuf->priv;
	struct vcm_attachment *a;

	mutex_lock(&buffer->lock);
	if (buffer->vmapped)
		invalidate_kernel_vmap_range(buffer->vaddr, buffer->len);
	list_for_each_entry(a, &buffer->attachments, node)
		vcm_iova_sync_for_cpu(&a->map, dir);
	mutex_unlock(&buffer->lock);
	return 0;
}

static int vcm_buffer_end_cpu_access(struct dma_buf *dmabuf,
				     enum dma_data_direction dir)
{
	struct vcm_buffer *buffer = dmabuf->priv;
	struct vcm_attachment *a;

	mutex_lock(&buffer->lock);
	if (buffer->vmapped)
		flush_kernel_vmap_range(buffer->vaddr, buffer->len);
	list_for_each_entry(a, &buffer->attachments, node)
		vcm_iova_sync_for_device(&a->map, dir);
	mutex_unlock(&buffer->lock);
	return 0;
}

/**
 * vcm_buffer_drop - drop what is kept of a buffer's mappings
 * @buffer: the buffer
 *
 * Context: Process context, may sleep.
 */
void vcm_buffer_drop(struct vcm_buffer *buffer)
{
	struct vcm_attachment *a;

	mutex_lock(&buffer->lock);
	list_for_each_entry(a, &buffer->attachments, node)
		vcm_iova_drop(&a->map);
	mutex_unlock(&buffer->lock);
}

static int vcm_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct vcm_buffer *buffer = dmabuf->priv;

	/*
	 * A private mapping would be a copy that no device sees. A shared one
	 * of a read-only fd has lost VM_SHARED but keeps VM_MAYSHARE.
	 */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	return vcm_chunks_mmap(&buffer->chunks, vma);
}

/* The core counts the users: it calls this for the first one only. */
static int vcm_buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vcm_buffer *buffer = dmabuf->priv;
	void *vaddr;

	dma_resv_assert_held(dmabuf->resv);

	vaddr = vcm_chunks_vmap(&buffer->chunks, buffer->len);
	if (!vaddr)
		return -ENOMEM;

	mutex_lock(&buffer->lock);
	WARN_ON(buffer->vaddr);
	buffer->vaddr = vaddr;
	buffer->vmapped = is_vmalloc_addr(vaddr);
	mutex_unlock(&buffer->lock);

	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

/* ... and this for the last one. */
static void vcm_buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vcm_buffer *buffer = dmabuf->priv;

	dma_resv_assert_held(dmabuf->resv);

	mutex_lock(&buffer->lock);
	vcm_chunks_vunmap(buffer->vaddr);
	buffer->vaddr = NULL;
	buffer->vmapped = false;
	mutex_unlock(&buffer->lock);
	iosys_map_clear(map);
}

static void vcm_buffer_free(struct vcm_buffer *buffer)
{
	vcm_chunks_free(&buffer->chunks);
	mutex_destroy(&buffer->lock);
	kfree(buffer);
}

static void vcm_buffer_release(struct dma_buf *dmabuf)
{
	struct vcm_buffer *buffer = dmabuf->priv;

	mutex_lock(&vcm_buffers_lock);
	hlist_del(&buffer->node);
	mutex_unlock(&vcm_buffers_lock);

	trace_vcm_heap_release(buffer);

	/* Somebody still uses the memory: better lost than given to another. */
	if (WARN_ON(buffer->vaddr || !list_empty(&buffer->attachments)))
		return;
	vcm_buffer_free(buffer);
}

static const struct dma_buf_ops vcm_buffer_ops = {
	.attach = vcm_buffer_attach,
	.detach = vcm_buffer_detach,
	.map_dma_buf = vcm_buffer_map_dma_buf,
	.unmap_dma_buf = vcm_buffer_unmap_dma_buf,
	.begin_cpu_access = vcm_buffer_begin_cpu_access,
	.end_cpu_access = vcm_buffer_end_cpu_access,
	.mmap = vcm_buffer_mmap,
	.vmap = vcm_buffer_vmap,
	.vunmap = vcm_buffer_vunmap,
	.release = vcm_buffer_release,
};

/*
 * Chunks that are charged to a group can use up what it may have, and for what
 * dma_buf_export() needs then (an inode, a file: some 3 KB) one of its processes
 * would be killed. So the chunks have to leave that much, and rather fail.
 */
#define VCM_EXPORT_ROOM	SZ_8K

/* One run, or below an address. */
static noinline int vcm_buffer_get_special(struct vcm_buffer *buffer,
					   const struct vcm_alloc_args *args)
{
	bool strict = args->policy.flags & VCM_IOVA_STRICT;
	u64 reach = args->reach;

	if (reach && vcm_memory_is_below(reach))
		reach = 0;
	if (args->flags & DMA_HEAP_VCM_CONTIGUOUS)
		return vcm_chunks_alloc_contiguous(&buffer->chunks, args->len,
						   reach, strict);
	if (reach)
		return vcm_chunks_alloc_below(&buffer->chunks, args->len,
					      args->chunk_sizes, reach, strict);
	return vcm_chunks_alloc(&buffer->chunks, args->len, args->chunk_sizes);
}

static int vcm_buffer_get_chunks(struct vcm_buffer *buffer,
				 const struct vcm_alloc_args *args)
{
	if (unlikely(args->flags | args->reach))
		return vcm_buffer_get_special(buffer, args);
	return vcm_chunks_alloc(&buffer->chunks, args->len, args->chunk_sizes);
}

static int vcm_buffer_alloc_chunks(struct vcm_buffer *buffer,
				   const struct vcm_alloc_args *args)
{
	void *room;
	int ret;

	if (!mem_accounting)
		return vcm_buffer_get_chunks(buffer, args);

	room = kmalloc(VCM_EXPORT_ROOM, VCM_GFP_META);
	if (!room)
		return -ENOMEM;
	ret = vcm_buffer_get_chunks(buffer, args);
	kfree(room);
	return ret;
}

static struct vcm_buffer *vcm_buffer_create(const struct vcm_alloc_args *args)
{
	struct vcm_buffer *buffer;
	int ret;

	buffer = kzalloc_obj(*buffer, VCM_GFP_META);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	ret = vcm_buffer_alloc_chunks(buffer, args);
	if (ret)
		goto free_buffer;

	buffer->len = args->len;
	buffer->policy = args->policy;
	buffer->flags = args->flags;
	buffer->reach = args->reach;
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->attachments);
	return buffer;

free_buffer:
	kfree(buffer);
	return ERR_PTR(ret);
}

/* From here on the dma-buf owns the buffer: dma_buf_put() is what frees it. */
static void vcm_buffer_publish(struct vcm_buffer *buffer,
			       struct dma_buf *dmabuf, const char *name)
{
	buffer->dmabuf = dmabuf;
	buffer->ino = file_inode(dmabuf->file)->i_ino;

	/* The core frees it, as it does with what DMA_BUF_SET_NAME sets. */
	if (name) {
		spin_lock(&dmabuf->name_lock);
		dmabuf->name = name;
		spin_unlock(&dmabuf->name_lock);
	}

	mutex_lock(&vcm_buffers_lock);
	hlist_add_head(&buffer->node, &vcm_buffers);
	mutex_unlock(&vcm_buffers_lock);
}

/**
 * vcm_buffer_alloc - allocate a buffer
 * @args: what it is to be like; checked
 *
 * Context: Process context, sleeps.
 * Return: its dma-buf, which dma_buf_put() frees, or -ENOMEM, -EINTR, or what
 *	dma_buf_export() returns.
 */
struct dma_buf *vcm_buffer_alloc(const struct vcm_alloc_args *args)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	u64 start = trace_vcm_heap_alloc_enabled() ? ktime_get_ns() : 0;
	struct vcm_buffer *buffer;
	struct dma_buf *dmabuf;

	buffer = vcm_buffer_create(args);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	exp_info.exp_name = DMA_HEAP_VCM_NAME;
	exp_info.ops = &vcm_buffer_ops;
	exp_info.size = args->len;
	exp_info.flags = args->fd_flags;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		vcm_buffer_free(buffer);
		return dmabuf;
	}

	vcm_buffer_publish(buffer, dmabuf, args->name);
	if (start)
		trace_vcm_heap_alloc(buffer, ktime_get_ns() - start);
	return dmabuf;
}

/**
 * vcm_buffer_get - the buffer of a dma-buf
 * @dmabuf: the dma-buf
 *
 * Context: Any.
 * Return: the buffer, valid as long as @dmabuf, or NULL if it is not ours.
 */
struct vcm_buffer *vcm_buffer_get(struct dma_buf *dmabuf)
{
	return dmabuf->ops == &vcm_buffer_ops ? dmabuf->priv : NULL;
}
