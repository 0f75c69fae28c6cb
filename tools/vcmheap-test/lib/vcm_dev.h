/* SPDX-License-Identifier: MIT */
/*
 * /dev/vcm, for tests: buffers with a policy of their own.
 */
#ifndef VCM_DEV_H
#define VCM_DEV_H

#include <stdint.h>

#include "vcm_buffer.h"

int vcm_dev_open(void);

int vcm_dev_alloc(int dev, const struct dma_heap_vcm_alloc *args);
int vcm_dev_alloc_policy(int dev, uint64_t len, uint64_t align, uint64_t guard, uint32_t flags);
int vcm_dev_alloc_sizes(int dev, uint64_t len, uint64_t chunk_sizes);
int vcm_dev_alloc_contiguous(int dev, uint64_t len);
int vcm_dev_alloc_scattered(int dev, uint64_t len);

void vcm_dev_query(int dev, int dmabuf, struct dma_heap_vcm_query *query);
void vcm_dev_info(int dev, struct dma_heap_vcm_info *info);

void vcm_dev_assert_refused(int dev, unsigned long request, void *arg, int error);

char *vcm_border_map(int prot);
void vcm_border_unmap(char *border);

#endif /* VCM_DEV_H */
