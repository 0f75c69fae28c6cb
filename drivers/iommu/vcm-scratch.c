// SPDX-License-Identifier: GPL-2.0
/*
 * Zeroes for the guards of buffers
 *
 * There are engines that fetch more than they were told to. Where they do, a guard that
 * is unmapped makes faults of it. So a guard can be zeroes: one block of them for all
 * buffers of all devices, which is mapped again and again and for reading only. Nobody
 * can find there what another device has written, since none can write; a write faults,
 * as in any guard. A page for each buffer would take memory, and what a
 * device wrote behind the end of a buffer it would find there again.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "vcm-scratch.h"

/* Made when it is first needed, and then constant; under the lock until then. */
static struct page *vcm_scratch;
static DEFINE_MUTEX(vcm_scratch_lock);

/**
 * vcm_scratch_need - there will be a buffer with guards of zeroes
 *
 * Context: Process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int vcm_scratch_need(void)
{
	int ret = 0;

	mutex_lock(&vcm_scratch_lock);
	if (!vcm_scratch)
		vcm_scratch = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN,
					  VCM_SCRATCH_ORDER);
	if (!vcm_scratch)
		ret = -ENOMEM;
	mutex_unlock(&vcm_scratch_lock);
	return ret;
}

/**
 * vcm_scratch_phys - where the zeroes are
 *
 * Context: Any, after vcm_scratch_need().
 * Return: the address of VCM_SCRATCH_SIZE bytes.
 */
phys_addr_t vcm_scratch_phys(void)
{
	return page_to_phys(vcm_scratch);
}

/**
 * vcm_scratch_exit - free them
 *
 * Context: Process context, once; no buffer is attached.
 */
void vcm_scratch_exit(void)
{
	if (vcm_scratch)
		__free_pages(vcm_scratch, VCM_SCRATCH_ORDER);
}
