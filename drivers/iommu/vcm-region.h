/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses of a device that are no IOVAs
 */
#ifndef _VCM_REGION_H
#define _VCM_REGION_H

#include <linux/types.h>

struct iommu_domain;
struct list_head;
struct vcm_parent;

int vcm_regions_find(struct vcm_parent *parent);
void vcm_regions_free(struct vcm_parent *parent);
int vcm_regions_map(const struct vcm_parent *parent,
		    struct iommu_domain *backing);
int vcm_regions_reserve(const struct vcm_parent *parent,
			struct list_head *regions);
int vcm_region_reserve(struct list_head *regions, u64 start, u64 len);
bool vcm_regions_lose_msi(const struct vcm_parent *parent);
bool vcm_regions_overlap(const struct vcm_parent *parent, u64 start, u64 len);

#endif /* _VCM_REGION_H */
