/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where buffers go in the address space of a device
 */
#ifndef _VCM_SLAB_H
#define _VCM_SLAB_H

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

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

/**
 * vcm_linked_before - bytes of zeroes that are linked before a buffer
 * @map: the mapping
 *
 * Context: Any.
 * Return: how many.
 */
static inline size_t vcm_linked_before(const struct vcm_iova_mapping *map)
{
	return unlikely(map->scratch) ? map->guard_before : 0;
}

/**
 * vcm_linked_behind - ... and behind it
 * @map: the mapping
 *
 * Context: Any.
 * Return: how many.
 */
static inline size_t vcm_linked_behind(const struct vcm_iova_mapping *map)
{
	return unlikely(map->scratch) ? map->guard : 0;
}

/**
 * vcm_linked_len - bytes that are linked, the buffer's and zeroes
 * @map: the mapping
 *
 * Context: Any.
 * Return: how many.
 */
static inline size_t vcm_linked_len(const struct vcm_iova_mapping *map)
{
	return vcm_linked_before(map) + map->len + vcm_linked_behind(map);
}

void vcm_place_init(struct vcm_iova_mapping *map,
		    const struct vcm_iova_policy *policy);
int vcm_place(struct vcm_iova_mapping *map);
void vcm_unplace(struct vcm_iova_mapping *map);

/**
 * vcm_dma_limit - the last address that a device can have
 * @dev: the device
 *
 * Context: Any.
 * Return: the address.
 */
static inline u64 vcm_dma_limit(struct device *dev)
{
	return min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
}

/**
 * vcm_dma_boundary - what no DMA segment of a device may reach across
 * @dev: the device
 *
 * Context: Any.
 * Return: a power of two, of which no multiple is inside a segment, or 0 if
 *	there is no such rule.
 */
static inline u64 vcm_dma_boundary(struct device *dev)
{
	u64 boundary = dma_get_seg_boundary(dev);

	/* A mask of all ones is no boundary. */
	return boundary < vcm_dma_limit(dev) ? boundary + 1 : 0;
}

#endif /* _VCM_SLAB_H */
