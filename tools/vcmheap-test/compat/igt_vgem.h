/* SPDX-License-Identifier: MIT */
/* What the tests use of libigt's vgem helpers; see igt.h beside this file. */
#ifndef VCM_COMPAT_IGT_VGEM_H
#define VCM_COMPAT_IGT_VGEM_H

#include <stdint.h>

struct vgem_bo {
	uint32_t handle;
	uint32_t width, height;
	uint32_t bpp, pitch;
	uint64_t size;
};

void vgem_create(int fd, struct vgem_bo *bo);
void *__vgem_mmap(int fd, struct vgem_bo *bo, unsigned int prot);

#define VGEM_FENCE_WRITE 0x1
uint32_t vgem_fence_attach(int fd, struct vgem_bo *bo, unsigned int flags);
void vgem_fence_signal(int fd, uint32_t fence);

#endif /* VCM_COMPAT_IGT_VGEM_H */
