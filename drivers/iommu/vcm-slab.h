/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where buffers go in the address space of a device
 */
#ifndef _VCM_SLAB_H
#define _VCM_SLAB_H

#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct vcm_iova_device;
struct vcm_iova_mapping;
struct vcm_iova_policy;

/**
 * struct vcm_slab - a range of DMA addresses reserved from the DMA API, for
 *	buffers to be placed in; it has nothing to do with kmalloc()'s
 * @node: in &struct vcm_iova_device.slabs
 * @by_addr: in &struct vcm_iova_device.slab_list
 * @fresh: among the slabs reserved for the placement under way
 * @state: the reservation
 */
struct vcm_slab {
	struct rb_node node;
	struct list_head by_addr;
	struct list_head fresh;
	struct dma_iova_state state;
};

void vcm_place_init(struct vcm_iova_mapping *map,
		    const struct vcm_iova_policy *policy);
int vcm_place(struct vcm_iova_mapping *map);
void vcm_unplace(struct vcm_iova_mapping *map);
u64 vcm_dma_boundary(struct device *dev);

#endif /* _VCM_SLAB_H */
