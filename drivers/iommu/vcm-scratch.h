/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zeroes for the guards of buffers
 */
#ifndef _VCM_SCRATCH_H
#define _VCM_SCRATCH_H

#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>

/* At most so many bytes are linked in one call. */
#define VCM_SCRATCH_ORDER	get_order(SZ_64K)
#define VCM_SCRATCH_SIZE	(PAGE_SIZE << VCM_SCRATCH_ORDER)

int vcm_scratch_need(void);
phys_addr_t vcm_scratch_phys(void);
void vcm_scratch_exit(void);

#endif /* _VCM_SCRATCH_H */
