/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: how much memory it may take, and where it comes from
 */
#ifndef _VCM_MEMORY_H
#define _VCM_MEMORY_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sizes.h>

#include "vcm_chunk_size.h"

struct kernel_param;
struct page;
struct vcm_iova_memory;

/*
 * Bookkeeping of at most a few pages: charged to the caller, who fails when
 * reclaim is not enough, and no victim of the OOM killer. What grows with the
 * buffer is for vcm_memory_array().
 */
#define VCM_GFP_META	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

/* The longest run for which others' memory is moved, in pages */
#define VCM_MEMORY_RUN_MAX	(SZ_256M >> PAGE_SHIFT)

/* Pages that an allocation takes between two looks at what is left. */
#define VCM_MEMORY_STEP	(SZ_2M >> PAGE_SHIFT)

/**
 * struct vcm_claim - what an allocation under way has still to get
 * @left: pages, when it was looked last
 * @nid: the node to take them from until the next look, because another one
 *	has little left; NUMA_NO_NODE where that does not matter
 * @hope: not all of it is there without swap, so that no more than
 *	VCM_MEMORY_STEP is to be taken before the next look, wherever it is from
 */
struct vcm_claim {
	unsigned long left;
	int nid;
	bool hope;
};

/*
 * Without what the core adds when memory is scattered: nothing takes that away
 * again before kswapd runs, and si_mem_available() does not know it either.
 */
static inline unsigned long vcm_memory_wmark(const struct zone *zone,
					     enum zone_watermarks mark)
{
	return READ_ONCE(zone->_watermark[mark]);
}

bool vcm_memory_node_allowed(int nid);
unsigned long vcm_memory_node_ram(int nid);
int vcm_memory_claim(struct vcm_claim *claim, unsigned long nr_pages);
int vcm_memory_look(struct vcm_claim *claim, unsigned long left);

/* Pages that the allocations under way have still to get. */
extern atomic_long_t vcm_memory_claimed;

/**
 * vcm_memory_unclaim - end an allocation
 * @claim: its claim
 *
 * Context: Any.
 */
static inline void vcm_memory_unclaim(struct vcm_claim *claim)
{
	atomic_long_sub(claim->left, &vcm_memory_claimed);
}

/**
 * vcm_memory_check - may an allocation go on?
 * @claim: its claim
 * @left: pages that it has still to get
 *
 * Context: Process context, sleeps.
 * Return: 0, or -ENOMEM when others need what is left.
 */
static inline int vcm_memory_check(struct vcm_claim *claim, unsigned long left)
{
	if (claim->left - left < VCM_MEMORY_STEP)
		return 0;
	return vcm_memory_look(claim, left);
}

struct page *vcm_memory_alloc(enum vcm_chunk_size size);
struct page *vcm_memory_alloc_node(int nid, enum vcm_chunk_size size);
bool vcm_memory_is_below(u64 reach);
u64 vcm_memory_beyond(const struct vcm_iova_memory *memory, u64 reach);
struct page *vcm_memory_alloc_below(enum vcm_chunk_size size, u64 reach);
void vcm_memory_free(struct page *page);
unsigned long vcm_memory_run_max(void);
struct page *vcm_memory_alloc_run(unsigned long nr, int nid, u64 reach);
void vcm_memory_free_run(struct page *page, unsigned long nr);
void *vcm_memory_array(size_t nr, size_t size);
bool vcm_memory_has_bad_page(struct page *page);

/* Did memory of the page's node ever fail? Tests say that it did. */
static inline bool vcm_memory_failed_near(const struct page *page)
{
#ifdef CONFIG_MEMORY_FAILURE
	if (unlikely(READ_ONCE(page_pgdat(page)->mf_stats.total)))
		return true;
#endif
	return IS_ENABLED(CONFIG_KUNIT);
}

/**
 * vcm_memory_is_good - may a chunk be used?
 * @page: its first page
 *
 * Nearly always no memory of the page's node ever failed.
 *
 * Context: Any.
 * Return: false if one of its pages is marked.
 */
static inline bool vcm_memory_is_good(struct page *page)
{
	return !vcm_memory_failed_near(page) || !vcm_memory_has_bad_page(page);
}

unsigned long vcm_memory_bad_pages(void);

#if IS_ENABLED(CONFIG_KUNIT)
extern int vcm_memory_reserve_mb;

int vcm_memory_reserve_set(const char *val, const struct kernel_param *kp);
struct page *vcm_memory_alloc_pages(int nid, gfp_t gfp, unsigned int order);
struct page *vcm_memory_move_run(unsigned long nr, int nid, u64 reach);

struct pglist_data;

struct pglist_data *vcm_memory_node(int nid);
long vcm_memory_swap_free(void);
#endif

#endif /* _VCM_MEMORY_H */
