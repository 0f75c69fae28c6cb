// SPDX-License-Identifier: MIT
/*
 * Heaps, /dev/vcm and buffers: a function for each ioctl.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vcm_buffer.h"

int vcm_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int __vcm_heap_open(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	return vcm_open(path);
}

int __vcm_dev_open(void)
{
	return vcm_open(VCM_DEV_PATH);
}

int vcm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int vcm_ioctl_again(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = vcm_ioctl(fd, request, arg);
	} while (ret == -EINTR || ret == -EAGAIN);
	return ret;
}

int __vcm_heap_alloc_flags(int heap, uint64_t len, uint32_t fd_flags, uint64_t heap_flags)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = fd_flags,
		.heap_flags = heap_flags,
	};
	int ret = vcm_ioctl_again(heap, DMA_HEAP_IOCTL_ALLOC, &data);

	return ret < 0 ? ret : (int)data.fd;
}

int __vcm_heap_alloc(int heap, uint64_t len)
{
	return __vcm_heap_alloc_flags(heap, len, O_RDWR | O_CLOEXEC, 0);
}

struct dma_heap_vcm_alloc vcm_alloc_args(uint64_t len)
{
	return (struct dma_heap_vcm_alloc) {
		.size = sizeof(struct dma_heap_vcm_alloc),
		.length = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.out_fd = -1,
	};
}

int __vcm_dev_alloc(int dev, const struct dma_heap_vcm_alloc *args)
{
	struct dma_heap_vcm_alloc alloc = *args;
	int ret = vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &alloc);

	return ret < 0 ? ret : alloc.out_fd;
}

int __vcm_dev_alloc_sizes(int dev, uint64_t len, uint64_t chunk_sizes)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.chunk_sizes = chunk_sizes;
	return __vcm_dev_alloc(dev, &args);
}

int __vcm_dev_query(int dev, int dmabuf, struct dma_heap_vcm_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	query->fd = dmabuf;
	return vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, query);
}

int __vcm_dev_info(int dev, struct dma_heap_vcm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_INFO, info);
}

int __vcm_buffer_sync(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return vcm_ioctl_again(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

int __vcm_buffer_set_name(int dmabuf, const char *name)
{
	return vcm_ioctl_again(dmabuf, DMA_BUF_SET_NAME_B, (void *)name);
}
