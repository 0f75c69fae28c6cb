/* SPDX-License-Identifier: MIT */
/*
 * Work of others on buffers, and the fences that tell when it is done, for tests.
 */
#ifndef VCM_FENCE_H
#define VCM_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "igt_vgem.h"

/* Work of vgem on a buffer, which is done when the test says so; 10 seconds at most */
struct vcm_pending {
	int vgem;		/* the device */
	struct vgem_bo bo;	/* the buffer, as it has it */
	uint32_t fence;		/* signalled when it is done */
};

void vcm_pending_begin(struct vcm_pending *pending, int dmabuf, bool writes);
void vcm_pending_end(struct vcm_pending *pending);
void vcm_pending_fini(struct vcm_pending *pending);

int __vcm_fence_export(int dmabuf, uint32_t access, int *fence);
int vcm_fence_export(int dmabuf, uint32_t access);
int __vcm_fence_import(int dmabuf, uint32_t access, int fence);
bool vcm_fence_signalled(int fence, int timeout_ms);

#endif /* VCM_FENCE_H */
