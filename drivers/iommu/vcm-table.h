/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables of importers
 */
#ifndef _VCM_TABLE_H
#define _VCM_TABLE_H

#include <linux/compiler.h>
#include <linux/dma-mapping.h>
#include <linux/limits.h>
#include <linux/scatterlist.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm-device.h"

int vcm_table_init(struct vcm_iova_mapping *map);
int vcm_table_cut_again(struct vcm_iova_mapping *map);
void vcm_table_set_segments(struct vcm_iova_mapping *map);

/**
 * vcm_table_free - undo vcm_table_init()
 * @map: the buffer, not mapped
 *
 * Context: Process context.
 */
static inline void vcm_table_free(struct vcm_iova_mapping *map)
{
	if (map->table.sgl != map->few)
		sg_free_table(&map->table);
}

/**
 * vcm_table_update - cut again if the device's driver has changed the limits
 * @map: the buffer, not mapped
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM, and the table is as before.
 */
static inline int vcm_table_update(struct vcm_iova_mapping *map)
{
	struct device *dev = map->vdev->dev;

	if (likely(dma_get_max_seg_size(dev) == map->max_seg_size &&
		   dma_get_seg_boundary(dev) == map->limits.boundary))
		return 0;
	return vcm_table_cut_again(map);
}

/**
 * vcm_table_is_cut - is a list of the runs shorter than the table
 * @map: the buffer
 *
 * Context: Any.
 * Return: whether it is; not so for a buffer in which a run could have more bytes
 *	than an entry of a list can.
 */
static inline bool vcm_table_is_cut(const struct vcm_iova_mapping *map)
{
	return map->nr_runs < map->table.orig_nents && map->len <= UINT_MAX;
}

/**
 * vcm_table_set_range - hand a range of IOVAs to the importer
 * @map: the buffer, placed
 *
 * Context: Any.
 */
static inline void vcm_table_set_range(struct vcm_iova_mapping *map)
{
	struct scatterlist *sg = map->table.sgl;

	if (map->table.orig_nents > 1) {
		vcm_table_set_segments(map);
		return;
	}
	sg_dma_address(sg) = map->iova;
	sg_dma_len(sg) = map->len;
	map->segs = 1;
}

#endif /* _VCM_TABLE_H */
