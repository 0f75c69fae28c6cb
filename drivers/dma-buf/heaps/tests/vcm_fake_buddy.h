/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page allocator that counts and fails as told, for KUnit tests
 *
 * It stands between the pool and the buddy allocator, for the task of a case
 * alone: the pool's worker is not told of anything meanwhile.
 */
#ifndef _VCM_FAKE_BUDDY_H
#define _VCM_FAKE_BUDDY_H

#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/xarray.h>

#include "../vcm_chunk_size.h"
#include "../vcm_pool.h"
#include "../vcm_pool_free.h"
#include "../vcm_pool_limit.h"
#include "../vcm_pool_node.h"
#include "../vcm_pool_work.h"
#include "../vcm_pool_zero.h"

struct kunit;

/**
 * struct vcm_fake_buddy - what it does and did
 * @left: chunks of each size that there are; ULONG_MAX stands for any number
 * @budget: pages that may be out at once
 * @give: pages to give for VCM_CHUNK_PAGE, in this order, or NULL for new ones
 * @nr_give: how many there are in @give
 * @spare: what each zone has that nobody misses, in pages
 * @reserve_mb: if not 0, what the heap has to leave to others from the first
 *	allocation on
 * @on_alloc: what happens while an allocation is under way, or NULL
 * @nr_calls: allocations of each size that were tried
 * @nr_pages: pages that are out
 * @nr_kicks: how often the worker would have been told
 * @nr_age_kicks: ... that there is something that gets older
 * @delay: ... at last, after so many jiffies
 * @again: ... and that this is put off if it was told already
 * @most_freed: pages that were out, and not in the pool any more, at most when
 *	one was freed
 * @gfp: flags of the last allocation
 * @nid: node of the last allocation
 * @out: the chunks that are out, their order by page frame number
 * @strangers: chunks that were freed and are not ours, or are in another size
 */
struct vcm_fake_buddy {
	unsigned long left[VCM_NR_CHUNK_SIZES];
	unsigned long budget;
	struct page **give;
	unsigned long nr_give;
	long spare;
	int reserve_mb;
	void (*on_alloc)(void);

	unsigned long nr_calls[VCM_NR_CHUNK_SIZES];
	unsigned long nr_pages;
	unsigned long nr_kicks;
	unsigned long nr_age_kicks;
	unsigned long delay;
	bool again;
	unsigned long most_freed;
	gfp_t gfp;
	int nid;
	struct xarray out;
	unsigned long strangers;
};

extern struct vcm_fake_buddy vcm_fake_buddy;

int vcm_fake_buddy_init(struct kunit *test);
void vcm_fake_buddy_exit(struct kunit *test);
void vcm_fake_buddy_give_neighbours(struct kunit *test, struct page **pages,
				    unsigned int nr);
unsigned int vcm_size_order(enum vcm_chunk_size size);

#endif /* _VCM_FAKE_BUDDY_H */
