/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zeroing the chunks of the pool
 */
#ifndef _VCM_POOL_ZERO_H
#define _VCM_POOL_ZERO_H

#include <linux/types.h>

struct page;

void vcm_pool_zero_rest(struct page *page, unsigned long zeroed);
bool vcm_pool_zero_one(int nid);
bool vcm_pool_has_dirty(void);

#if IS_ENABLED(CONFIG_KUNIT)
struct vcm_pool_node;

bool vcm_pool_zero_step(struct vcm_pool_node *node, struct page *page);
#endif

#endif /* _VCM_POOL_ZERO_H */
