/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows: addresses of a device that are kept from the DMA API
 */
#ifndef _VCM_RESERVE_H
#define _VCM_RESERVE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm-extent.h"

struct vcm_iova_device;
struct vcm_slab;

/**
 * struct vcm_window - a window in the addresses of a device
 * @node: in &struct vcm_iova_device.windows
 * @args: where it is, and for which buffers
 * @slabs: the addresses in it, &struct vcm_slab.by_addr; what was not free when it
 *	was made is missing
 * @reserved: how many these are
 * @extents: free and taken addresses in @slabs, if it has a number
 */
struct vcm_window {
	struct list_head node;
	struct vcm_iova_window args;
	struct list_head slabs;
	u64 reserved;
	struct vcm_extents extents;
};

int vcm_window_check(const struct vcm_iova_window *args);
int vcm_window_add(struct vcm_iova_device *vdev,
		   const struct vcm_iova_window *args);
void vcm_windows_release(struct vcm_iova_device *vdev);
void vcm_windows_free(struct vcm_iova_device *vdev);
struct vcm_window *vcm_window_find(struct vcm_iova_device *vdev, u32 number);
struct vcm_slab *vcm_window_slab(struct vcm_window *window, u64 addr);

/**
 * vcm_window_last - the last address of a window
 * @args: where it is
 *
 * Context: Any.
 * Return: the address.
 */
static inline u64 vcm_window_last(const struct vcm_iova_window *args)
{
	return args->start + args->len - 1;
}

#endif /* _VCM_RESERVE_H */
