/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: runs of memory where others have some of it
 */
#ifndef _VCM_RUN_H
#define _VCM_RUN_H

#include <linux/gfp_types.h>
#include <linux/nodemask_types.h>
#include <linux/types.h>

struct page;
struct zone;

struct page *vcm_run_alloc(unsigned long nr, gfp_t gfp, int nid,
			   const nodemask_t *nodes, u64 reach);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned long vcm_run_step(const struct page *page, const struct zone *zone);
#endif

#endif /* _VCM_RUN_H */
