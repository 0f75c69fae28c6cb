// SPDX-License-Identifier: MIT
/*
 * Work of others on buffers, and the fences that tell when it is done, for tests.
 */

#include <poll.h>

#include "igt.h"
#include "vcm_fence.h"
#include "vcm_heap.h"

void vcm_pending_begin(struct vcm_pending *pending, int dmabuf, bool writes)
{
	pending->vgem = drm_open_driver(DRIVER_VGEM);
	pending->bo = (struct vgem_bo) {
		.handle = prime_fd_to_handle(pending->vgem, dmabuf),
		.size = vcm_buffer_size(dmabuf),
	};
	pending->fence = vgem_fence_attach(pending->vgem, &pending->bo,
					   writes ? VGEM_FENCE_WRITE : 0);
}

void vcm_pending_end(struct vcm_pending *pending)
{
	vgem_fence_signal(pending->vgem, pending->fence);
}

/* The device lets go of the buffer. */
void vcm_pending_fini(struct vcm_pending *pending)
{
	gem_close(pending->vgem, pending->bo.handle);
	close(pending->vgem);
}

/*
 * What who wants this access has to wait for.
 * @access: DMA_BUF_SYNC_READ, _WRITE or both
 * @fence: set to a sync_file
 */
int __vcm_fence_export(int dmabuf, uint32_t access, int *fence)
{
	struct dma_buf_export_sync_file args = { .flags = access, .fd = -1 };
	int ret = vcm_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args);

	*fence = args.fd;
	return ret;
}

/* Returns a sync_file. */
int vcm_fence_export(int dmabuf, uint32_t access)
{
	int fence;

	igt_assert_eq(__vcm_fence_export(dmabuf, access, &fence), 0);
	return fence;
}

/*
 * Others have to wait for @fence.
 * @access: what is done until then, DMA_BUF_SYNC_READ, _WRITE or both
 */
int __vcm_fence_import(int dmabuf, uint32_t access, int fence)
{
	struct dma_buf_import_sync_file args = { .flags = access, .fd = fence };

	return vcm_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args);
}

bool vcm_fence_signalled(int fence, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fence, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}
