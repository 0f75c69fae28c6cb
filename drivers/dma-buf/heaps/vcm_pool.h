/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: chunks that wait for the next buffer
 */
#ifndef _VCM_POOL_H
#define _VCM_POOL_H

#include <linux/types.h>

#include "vcm_chunk_size.h"

struct list_head;
struct page;

/**
 * struct vcm_pool_stats - what the pool holds
 * @cap: bytes that it may hold
 * @total: bytes that it holds, and what the worker is about to add
 * @clean: number of zeroed chunks of each size
 * @dirty: ... and of those that are not
 * @pressed: whether it takes nothing because memory is short
 */
struct vcm_pool_stats {
	u64 cap;
	u64 total;
	unsigned long clean[VCM_NR_CHUNK_SIZES];
	unsigned long dirty[VCM_NR_CHUNK_SIZES];
	bool pressed;
};

int vcm_pool_init(void);
void vcm_pool_exit(void);
unsigned long vcm_pool_get_clean(enum vcm_chunk_size size, unsigned long nr,
				 struct list_head *chunks);
struct page *vcm_pool_get(enum vcm_chunk_size size);
struct page *vcm_pool_get_new(enum vcm_chunk_size size);
bool vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr);
bool vcm_pool_add_one(int nid, enum vcm_chunk_size size);
void vcm_pool_stats(struct vcm_pool_stats *stats);

#endif /* _VCM_POOL_H */
