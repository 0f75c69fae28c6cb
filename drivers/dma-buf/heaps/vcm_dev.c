// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/vcm: buffers with a policy of their own
 *
 * Everything that userspace passes is checked here; the rest of the heap gets
 * struct vcm_alloc_args. The errors are those of uapi/linux/dma-heap-vcm.h.
 */

#include <kunit/visibility.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>
#include <uapi/linux/dma-heap.h>
#include <uapi/linux/dma-heap-vcm.h>

#include "vcm_buffer.h"
#include "vcm_chunk.h"
#include "vcm_dev.h"
#include "vcm_memory.h"
#include "vcm_policy.h"

static_assert(DMA_HEAP_VCM_STRICT == VCM_IOVA_STRICT);
static_assert(DMA_HEAP_VCM_SCRATCH == VCM_IOVA_SCRATCH);
static_assert(DMA_HEAP_VCM_KEEP == VCM_IOVA_KEEP);
static_assert(DMA_HEAP_VCM_NR_CHUNK_SIZES == VCM_NR_CHUNK_SIZES);
static_assert(DMA_HEAP_VCM_NAME_LEN == DMA_BUF_NAME_LEN);

/* Flags that say what a buffer is made of; the others are a policy's. */
#define VCM_MEMORY_FLAGS	DMA_HEAP_VCM_CONTIGUOUS

/* There may be more memory than a size with 32 bits can say. */
#define VCM_LENGTH_MAX	((u64)SIZE_MAX & PAGE_MASK)

/* The name is optional, and longer ones are not cut silently. */
static char *vcm_alloc_name(u64 user)
{
	char *name;

	if (!user)
		return NULL;
	name = strndup_user(u64_to_user_ptr(user), DMA_HEAP_VCM_NAME_LEN);
	/* strndup_user() has EINVAL for both: too long is what it can be. */
	if (name == ERR_PTR(-EINVAL))
		return ERR_PTR(-ENAMETOOLONG);
	return name;
}

static u64 vcm_contiguous_max(void)
{
	return (u64)vcm_memory_run_max() << PAGE_SHIFT;
}

static int vcm_alloc_sizes(const struct dma_heap_vcm_alloc *alloc,
			   struct vcm_alloc_args *args)
{
	u64 all = vcm_chunk_sizes(), sizes = alloc->chunk_sizes ?: all;
	u64 len;

	if (sizes & ~all)
		return -EOPNOTSUPP;
	if (!alloc->length)
		return -EINVAL;
	if (check_add_overflow(alloc->length, PAGE_SIZE - 1, &len))
		return -EOVERFLOW;
	len &= PAGE_MASK;
	if (!IS_ALIGNED(len, sizes & -sizes))
		return -EINVAL;
	if (len > VCM_LENGTH_MAX)
		return -ENOMEM;
	if (alloc->flags & DMA_HEAP_VCM_CONTIGUOUS) {
		if (alloc->chunk_sizes)
			return -EINVAL;
		if (len > vcm_contiguous_max())
			return -EFBIG;
	}

	args->len = len;
	args->chunk_sizes = sizes;
	return 0;
}

static int vcm_alloc_args(const struct dma_heap_vcm_alloc *alloc,
			  struct vcm_alloc_args *args)
{
	int ret;

	if (alloc->fd_flags & ~DMA_HEAP_VALID_FD_FLAGS)
		return -EOPNOTSUPP;
	if (alloc->reserved)
		return -EOPNOTSUPP;
	args->fd_flags = alloc->fd_flags;

	args->policy.align = alloc->align;
	args->policy.guard = alloc->guard;
	args->policy.flags = alloc->flags & ~VCM_MEMORY_FLAGS;
	args->flags = alloc->flags & VCM_MEMORY_FLAGS;
	args->reach = alloc->reach;
	args->policy.window = alloc->window;
	args->policy.guard_before = alloc->guard_before;
	ret = vcm_iova_policy_check(&args->policy);
	if (ret)
		return ret;

	return vcm_alloc_sizes(alloc, args);
}

/*
 * A new fd for a new buffer; neither is visible to userspace yet. The name is
 * taken over also on failure.
 */
static int vcm_alloc_fd(const struct vcm_alloc_args *args,
			struct dma_buf **dmabuf)
{
	int fd;

	*dmabuf = vcm_buffer_alloc(args);
	if (IS_ERR(*dmabuf)) {
		kfree(args->name);
		return PTR_ERR(*dmabuf);
	}

	fd = get_unused_fd_flags(args->fd_flags);
	if (fd < 0)
		dma_buf_put(*dmabuf);
	return fd;
}

static int vcm_ioctl_alloc(void *data, void __user *user, size_t usize)
{
	struct dma_heap_vcm_alloc *alloc = data;
	struct vcm_alloc_args args = {};
	struct dma_buf *dmabuf;
	int ret, fd;

	ret = vcm_alloc_args(alloc, &args);
	if (ret)
		return ret;
	args.name = vcm_alloc_name(alloc->name);
	if (IS_ERR(args.name))
		return PTR_ERR(args.name);

	fd = vcm_alloc_fd(&args, &dmabuf);
	if (fd < 0)
		return fd;

	alloc->out_fd = fd;
	if (copy_struct_to_user(user, usize, alloc, sizeof(*alloc), NULL)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	dma_buf_fd_install(dmabuf, fd);
	return 0;
}

static void vcm_query_chunks(const struct vcm_chunks *chunks,
			     struct dma_heap_vcm_query *query)
{
	struct dma_heap_vcm_chunks *out = query->out_chunks;
	enum vcm_chunk_size size;

	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		if (!chunks->nr_of[size])
			continue;
		out->size = vcm_chunk_bytes(size);
		out->count = chunks->nr_of[size];
		out++;
	}
}

static void vcm_query_attachments(struct vcm_buffer *buffer,
				  struct dma_heap_vcm_query *query)
{
	struct vcm_iova_info info;
	struct vcm_attachment *a;

	mutex_lock(&buffer->lock);
	list_for_each_entry(a, &buffer->attachments, node) {
		bool mapped = vcm_iova_get_info(&a->map, &info);

		query->out_nr_attachments++;
		query->out_nr_mapped += mapped;
		query->out_nr_degraded += mapped && info.degraded;
	}
	mutex_unlock(&buffer->lock);
}

static void vcm_query_fill(struct vcm_buffer *buffer,
			   struct dma_heap_vcm_query *query)
{
	*query = (struct dma_heap_vcm_query){
		.size = query->size,
		.fd = query->fd,
		.out_length = buffer->len,
		.out_align = buffer->policy.align,
		.out_guard = buffer->policy.guard,
		.out_flags = buffer->policy.flags | buffer->flags,
		.out_nr_runs = buffer->chunks.memory.nr_runs,
		.out_reach = buffer->reach,
		.attachments = query->attachments,
		.nr_attachments = query->nr_attachments,
		.out_window = buffer->policy.window,
		.out_guard_before = buffer->policy.guard_before,
	};
	if (buffer->reach)
		query->out_beyond = vcm_memory_beyond(&buffer->chunks.memory,
						      buffer->reach);
	vcm_query_chunks(&buffer->chunks, query);
	vcm_query_attachments(buffer, query);
}

static void vcm_query_attachment(struct vcm_buffer *buffer,
				 struct vcm_attachment *a,
				 struct dma_heap_vcm_attachment *out)
{
	struct vcm_iova_info info;

	lockdep_assert_held(&buffer->lock);

	if (!vcm_iova_get_info(&a->map, &info))
		return;
	out->flags = DMA_HEAP_VCM_MAPPED;
	out->nr_segs = info.segs;
	if (info.degraded) {
		out->flags |= DMA_HEAP_VCM_DEGRADED;
		return;
	}
	out->align = info.align;
	out->guard = info.guard;
	out->guard_before = info.guard_before;
}

/*
 * What there is room for goes to userspace, which may be memory of this very
 * buffer: so not under its lock. Attachments that come meanwhile are not told of.
 */
static int vcm_query_list(struct vcm_buffer *buffer,
			  struct dma_heap_vcm_query *query)
{
	u32 i = 0, nr = min(query->nr_attachments, query->out_nr_attachments);
	struct dma_heap_vcm_attachment *list;
	struct vcm_attachment *a;
	int ret = 0;

	query->nr_attachments = 0;
	if (!nr)
		return 0;
	list = vcm_memory_array(nr, sizeof(*list));
	if (!list)
		return -ENOMEM;
	memset(list, 0, array_size(nr, sizeof(*list)));

	mutex_lock(&buffer->lock);
	list_for_each_entry(a, &buffer->attachments, node) {
		if (i == nr)
			break;
		vcm_query_attachment(buffer, a, &list[i++]);
	}
	mutex_unlock(&buffer->lock);

	query->nr_attachments = i;
	if (copy_to_user(u64_to_user_ptr(query->attachments), list,
			 i * sizeof(*list)))
		ret = -EFAULT;
	kvfree(list);
	return ret;
}

static int vcm_query_buffer(struct dma_buf *dmabuf,
			    struct dma_heap_vcm_query *query)
{
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);

	if (!buffer)
		return -ENXIO;
	vcm_query_fill(buffer, query);
	return vcm_query_list(buffer, query);
}

/* For who has the number of a buffer; its dma-buf, for dma_buf_put(). */
static struct dma_buf *vcm_dmabuf_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	return dmabuf == ERR_PTR(-EINVAL) ? ERR_PTR(-ENXIO) : dmabuf;
}

static int vcm_ioctl_query(void *data, void __user *user, size_t usize)
{
	struct dma_heap_vcm_query *query = data;
	struct dma_buf *dmabuf;
	int ret;

	if (query->reserved)
		return -EOPNOTSUPP;
	dmabuf = vcm_dmabuf_get(query->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = vcm_query_buffer(dmabuf, query);
	dma_buf_put(dmabuf);
	return ret ?: copy_struct_to_user(user, usize, query, sizeof(*query),
					  NULL);
}

static int vcm_ioctl_info(void *data, void __user *user, size_t usize)
{
	struct dma_heap_vcm_info *info = data;
	struct vcm_iova_policy policy;

	if (info->reserved)
		return -EOPNOTSUPP;

	vcm_default_policy_get(&policy);
	*info = (struct dma_heap_vcm_info){
		.size = info->size,
		.out_version = DMA_HEAP_VCM_VERSION,
		.out_flags = policy.flags,
		.out_align = policy.align,
		.out_guard = policy.guard,
		.out_chunk_sizes = vcm_chunk_sizes(),
		.out_length_max = min((u64)totalram_pages() << PAGE_SHIFT,
				      VCM_LENGTH_MAX),
		.out_align_max = VCM_IOVA_SPACE_MAX,
		.out_guard_max = VCM_IOVA_SPACE_MAX,
		.out_contiguous_max = vcm_contiguous_max(),
	};
	return copy_struct_to_user(user, usize, info, sizeof(*info), NULL);
}

static int vcm_ioctl_drop(void *data, void __user *user, size_t usize)
{
	struct dma_heap_vcm_drop *drop = data;
	struct dma_buf *dmabuf = vcm_dmabuf_get(drop->fd);
	struct vcm_buffer *buffer;
	int ret = 0;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buffer = vcm_buffer_get(dmabuf);
	if (buffer)
		vcm_buffer_drop(buffer);
	else
		ret = -ENXIO;
	dma_buf_put(dmabuf);
	return ret;
}

union vcm_ioctl_data {
	struct dma_heap_vcm_drop drop;
	struct dma_heap_vcm_alloc alloc;
	struct dma_heap_vcm_query query;
	struct dma_heap_vcm_info info;
};

/**
 * struct vcm_ioctl_op - an ioctl
 * @cmd: its number
 * @size: of the structure, as the kernel knows it
 * @min_size: ... and of its first version
 * @run: does it and copies the result to @user, which has @usize bytes
 */
struct vcm_ioctl_op {
	unsigned int cmd;
	size_t size;
	size_t min_size;
	int (*run)(void *data, void __user *user, size_t usize);
};

static const struct vcm_ioctl_op vcm_ioctl_ops[] = {
	{
		.cmd = DMA_HEAP_VCM_IOCTL_ALLOC,
		.size = sizeof(struct dma_heap_vcm_alloc),
		.min_size = offsetofend(struct dma_heap_vcm_alloc, out_fd),
		.run = vcm_ioctl_alloc,
	}, {
		.cmd = DMA_HEAP_VCM_IOCTL_QUERY,
		.size = sizeof(struct dma_heap_vcm_query),
		.min_size = offsetofend(struct dma_heap_vcm_query, out_chunks),
		.run = vcm_ioctl_query,
	}, {
		.cmd = DMA_HEAP_VCM_IOCTL_INFO,
		.size = sizeof(struct dma_heap_vcm_info),
		.min_size = offsetofend(struct dma_heap_vcm_info,
					out_guard_max),
		.run = vcm_ioctl_info,
	}, {
		.cmd = DMA_HEAP_VCM_IOCTL_DROP,
		.size = sizeof(struct dma_heap_vcm_drop),
		.min_size = offsetofend(struct dma_heap_vcm_drop, fd),
		.run = vcm_ioctl_drop,
	},
};

static const struct vcm_ioctl_op *vcm_ioctl_find(unsigned int cmd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vcm_ioctl_ops); i++)
		if (vcm_ioctl_ops[i].cmd == cmd)
			return &vcm_ioctl_ops[i];
	return NULL;
}

VISIBLE_IF_KUNIT long vcm_dev_ioctl(struct file *file, unsigned int cmd,
				    unsigned long arg)
{
	const struct vcm_ioctl_op *op = vcm_ioctl_find(cmd);
	void __user *user = (void __user *)arg;
	union vcm_ioctl_data data = {};
	u32 usize;
	int ret;

	if (!op)
		return -ENOTTY;
	/* All structures begin with their size. */
	if (get_user(usize, (u32 __user *)user))
		return -EFAULT;
	if (usize < op->min_size)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;

	ret = copy_struct_from_user(&data, op->size, user, usize);
	if (ret)
		return ret;
	return op->run(&data, user, usize);
}

static const struct file_operations vcm_dev_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = vcm_dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* As open to all as the nodes below /dev/dma_heap are: to root alone. */
static struct miscdevice vcm_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vcm",
	.fops = &vcm_dev_fops,
};

/**
 * vcm_dev_init - create /dev/vcm
 *
 * Context: Process context, once.
 * Return: 0 or what misc_register() returns.
 */
int vcm_dev_init(void)
{
	return misc_register(&vcm_dev);
}
