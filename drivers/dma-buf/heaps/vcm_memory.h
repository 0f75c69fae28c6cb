/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: where its memory comes from
 */
#ifndef _VCM_MEMORY_H
#define _VCM_MEMORY_H

#include <linux/gfp.h>

#include "vcm_chunk.h"

struct page;

/*
 * Bookkeeping that grows with the buffer: charged to the caller, who fails when
 * reclaim is not enough, and no victim of the OOM killer.
 */
#define VCM_GFP_META	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

struct page *vcm_memory_alloc(enum vcm_chunk_size size);
struct page *vcm_memory_alloc_node(int nid, enum vcm_chunk_size size);
void vcm_memory_free(struct page *page);

#if IS_ENABLED(CONFIG_KUNIT)
struct page *vcm_memory_alloc_pages(int nid, gfp_t gfp, unsigned int order);
#endif

#endif /* _VCM_MEMORY_H */
