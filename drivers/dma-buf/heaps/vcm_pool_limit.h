/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much the pool may have, and when
 */
#ifndef _VCM_POOL_LIMIT_H
#define _VCM_POOL_LIMIT_H

#include <linux/compiler.h>
#include <linux/types.h>

struct zone;

/* Pages that it may hold; ULONG_MAX stands for the default. */
extern unsigned long vcm_pool_cap;

/* Does it take nothing at all? */
static inline bool vcm_pool_is_closed(void)
{
	return !READ_ONCE(vcm_pool_cap);
}

unsigned long vcm_pool_cap_pages(void);
void vcm_pool_change_cap(unsigned long pages);
void vcm_pool_update_caps(void);

bool vcm_pool_press(void);
bool vcm_pool_ease(void);
bool vcm_pool_pressed(void);

bool vcm_pool_may_keep(struct zone *zone);
bool vcm_pool_node_can_spare(int nid, long pages);

#if IS_ENABLED(CONFIG_KUNIT)
long vcm_pool_zone_spare(struct zone *zone);
#endif

#endif /* _VCM_POOL_LIMIT_H */
