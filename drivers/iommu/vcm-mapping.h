/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings: buffers that are attached to devices
 */
#ifndef _VCM_MAPPING_H
#define _VCM_MAPPING_H

#include <linux/dma-direction.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

struct scatterlist;

void vcm_mappings_revoke(struct vcm_iova_device *vdev, bool lost);
void vcm_mappings_drop(struct vcm_iova_device *vdev, void *unused);

#if IS_ENABLED(CONFIG_KUNIT)
int vcm_mapping_attach(struct vcm_iova_mapping *map,
		       struct vcm_iova_device *vdev,
		       const struct vcm_iova_memory *memory,
		       const struct vcm_iova_policy *policy, gfp_t gfp);
void vcm_sync_list(struct vcm_iova_mapping *map, struct scatterlist *sgl,
		   unsigned int nents, enum dma_data_direction dir,
		   bool for_device);
#endif

#endif /* _VCM_MAPPING_H */
