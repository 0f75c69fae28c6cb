// SPDX-License-Identifier: GPL-2.0
/*
 * DMA-BUF heap of large chunks: /dev/dma_heap/vcm
 *
 * The module: it sets up the parts and registers the heap. What a buffer is says
 * vcm_buffer.c; chunks of released buffers wait in a pool for the next ones
 * (vcm_pool.c).
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/module.h>

#include <uapi/linux/dma-heap-vcm.h>

#include "vcm_buffer.h"
#include "vcm_chunk_size.h"
#include "vcm_debugfs.h"
#include "vcm_dev.h"
#include "vcm_policy.h"
#include "vcm_pool.h"
#include "vcm_pool_work.h"

/* @len is page aligned and not 0, @heap_flags are 0: the core checks. */
static struct dma_buf *vcm_heap_allocate(struct dma_heap *heap,
					 unsigned long len, u32 fd_flags,
					 u64 heap_flags)
{
	struct vcm_alloc_args args = {
		.len = len,
		.chunk_sizes = vcm_chunk_sizes(),
		.fd_flags = fd_flags,
	};

	vcm_default_policy_get(&args.policy);
	return vcm_buffer_alloc(&args);
}

static const struct dma_heap_ops vcm_heap_ops = {
	.allocate = vcm_heap_allocate,
};

static int __init vcm_heap_init(void)
{
	static const struct dma_heap_export_info exp_info = {
		.name = DMA_HEAP_VCM_NAME,
		.ops = &vcm_heap_ops,
	};
	struct dma_heap *heap;
	int ret;

	ret = vcm_pool_init();
	if (ret)
		return ret;
	ret = vcm_pool_work_init();
	if (ret)
		goto exit_pool;

	heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap)) {
		ret = PTR_ERR(heap);
		goto exit_work;
	}

	/* From here on buffers may be about, and the module has to stay. */
	vcm_heap_debugfs_init();
	ret = vcm_dev_init();
	if (ret)
		pr_warn("no /dev/vcm: %d\n", ret);
	return 0;

exit_work:
	vcm_pool_work_exit();
exit_pool:
	vcm_pool_exit();
	return ret;
}
module_init(vcm_heap_init);
/* No exit: a heap cannot be taken away again. */

MODULE_DESCRIPTION("DMA-BUF heap of large chunks");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
MODULE_IMPORT_NS("VCM_IOVA");
