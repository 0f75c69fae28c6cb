/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings that are kept when they are unmapped
 */
#ifndef _VCM_KEEP_H
#define _VCM_KEEP_H

#include <linux/types.h>

struct vcm_iova_device;
struct vcm_iova_mapping;

bool vcm_keep_fits(const struct vcm_iova_mapping *map);
void vcm_keep_add(struct vcm_iova_mapping *map);
void vcm_keep_del(struct vcm_iova_mapping *map);
void vcm_keep_settle(struct vcm_iova_mapping *map);
bool vcm_keep_possible(struct vcm_iova_mapping *map);
bool vcm_keep_crowded(struct vcm_iova_device *vdev, u64 more);
struct vcm_iova_mapping *vcm_keep_oldest(struct vcm_iova_device *vdev);

#endif /* _VCM_KEEP_H */
