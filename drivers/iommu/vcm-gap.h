/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a device is between its spaces
 */
#ifndef _VCM_GAP_H
#define _VCM_GAP_H

#include <linux/dma-mapping.h>

struct iommu_domain;
struct vcm_regions;

/**
 * struct vcm_gap - a domain with nothing but the page of interrupt messages
 * @domain: the domain, or NULL if the device does not need one
 * @doorbell: an address of the device's default domain, which vectors that are
 *	set up in @domain send their messages to; of no size if there is none
 */
struct vcm_gap {
	struct iommu_domain *domain;
	struct dma_iova_state doorbell;
};

int vcm_gap_create(struct vcm_gap *gap, struct vcm_regions *regions);
int vcm_gap_share_doorbell(struct vcm_gap *gap, struct iommu_domain *backing);
void vcm_gap_destroy(struct vcm_gap *gap, const struct vcm_regions *regions);

#endif /* _VCM_GAP_H */
