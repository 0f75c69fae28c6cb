/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pool gives back
 */
#ifndef _VCM_POOL_FREE_H
#define _VCM_POOL_FREE_H

#include <linux/types.h>

#include "vcm_chunk_size.h"

struct list_head;
struct vcm_pool_node;

void vcm_pool_free_chunks(struct list_head *chunks);
unsigned long vcm_pool_free_node(unsigned long nr_pages, int nid);
unsigned long vcm_pool_make_room(struct vcm_pool_node *node,
				 enum vcm_chunk_size size, unsigned long nr);
void vcm_pool_trim(void);
void vcm_pool_set_cap(unsigned long pages);
unsigned long vcm_pool_drain(void);
void vcm_pool_age(int nid, unsigned long keep);
unsigned long vcm_pool_yield(enum vcm_chunk_size size, size_t bytes);
unsigned long vcm_pool_merge(enum vcm_chunk_size size);

#endif /* _VCM_POOL_FREE_H */
