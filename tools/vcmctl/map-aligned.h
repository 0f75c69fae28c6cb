/* SPDX-License-Identifier: MIT */
#ifndef VCM_MAP_ALIGNED_H
#define VCM_MAP_ALIGNED_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Maps @len bytes of the dma-buf @dmabuf from @offset on, at an address where
 * the CPU can map large chunks with large page-table entries. @prot is as for
 * mmap(); munmap() of the same @len undoes it.
 *
 * Returns the address, or MAP_FAILED with errno set.
 */
void *vcm_map_aligned(int dmabuf, off_t offset, size_t len, int prot);

#endif /* VCM_MAP_ALIGNED_H */
