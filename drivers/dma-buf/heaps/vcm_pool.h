/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: chunks that wait for the next buffer
 */
#ifndef _VCM_POOL_H
#define _VCM_POOL_H

#include <linux/types.h>

#include "vcm_heap.h"

struct list_head;
struct page;

/**
 * struct vcm_pool_stats - what the pool holds
 * @cap: bytes that it may hold
 * @total: bytes that it holds, including chunks that are being zeroed
 * @clean: number of zeroed chunks of each size
 * @dirty: ... and of those that are not
 */
struct vcm_pool_stats {
	u64 cap;
	u64 total;
	unsigned long clean[VCM_NR_CHUNK_SIZES];
	unsigned long dirty[VCM_NR_CHUNK_SIZES];
};

/* vcm_pool.c: the chunks */
int vcm_pool_init(void);
void vcm_pool_exit(void);
unsigned long vcm_pool_get_clean(enum vcm_chunk_size size, unsigned long nr,
				 struct list_head *chunks);
struct page *vcm_pool_get(enum vcm_chunk_size size);
void vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr);
unsigned long vcm_pool_drain(void);
void vcm_pool_stats(struct vcm_pool_stats *stats);

/* vcm_pool.c for vcm_pool_work.c */
unsigned long vcm_pool_cap_pages(void);
void vcm_pool_set_cap(unsigned long pages);
void vcm_pool_trim(void);
unsigned long vcm_pool_free_node(unsigned long nr_pages, int nid);
unsigned long vcm_pool_node_pages(int nid);
u64 vcm_pool_node_bytes_of(int nid, enum vcm_chunk_size size);
bool vcm_pool_node_has_dirty(int nid);
bool vcm_pool_zero_one(int nid);
bool vcm_pool_add_one(int nid, enum vcm_chunk_size size);

/* vcm_pool_work.c: when they are zeroed, added and given back */
int vcm_pool_work_init(void);
void vcm_pool_work_exit(void);
void vcm_pool_kick(void);

#endif /* _VCM_POOL_H */
