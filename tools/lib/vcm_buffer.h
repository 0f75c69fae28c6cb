/* SPDX-License-Identifier: MIT */
/*
 * Heaps, /dev/vcm and buffers: a function for each ioctl.
 *
 * Where functions come in pairs, __x() returns -errno and x(), of the tests, asserts
 * success.
 */
#ifndef VCM_BUFFER_H
#define VCM_BUFFER_H

#include <stdint.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#define VCM_DEV_PATH "/dev/vcm"

/* A file descriptor or -errno. */
int vcm_open(const char *path);
int __vcm_heap_open(const char *name);
int __vcm_dev_open(void);

/* What ioctl() returns, or -errno. */
int vcm_ioctl(int fd, unsigned long request, void *arg);
/* The same, made again if a signal interrupted it. */
int vcm_ioctl_again(int fd, unsigned long request, void *arg);

/* The file descriptor of a new buffer, or -errno. */
int __vcm_heap_alloc(int heap, uint64_t len);
int __vcm_heap_alloc_flags(int heap, uint64_t len, uint32_t fd_flags, uint64_t heap_flags);
int __vcm_dev_alloc(int dev, const struct dma_heap_vcm_alloc *args);
int __vcm_dev_alloc_sizes(int dev, uint64_t len, uint64_t chunk_sizes);

/* Arguments with which all choices are left to the heap. */
struct dma_heap_vcm_alloc vcm_alloc_args(uint64_t len);

/* 0 or -errno. */
int __vcm_dev_query(int dev, int dmabuf, struct dma_heap_vcm_query *query);
int __vcm_dev_info(int dev, struct dma_heap_vcm_info *info);
int __vcm_buffer_sync(int dmabuf, uint64_t flags);
int __vcm_buffer_set_name(int dmabuf, const char *name);

#endif /* VCM_BUFFER_H */
