/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses of a device that are no IOVAs
 */
#ifndef _VCM_REGION_H
#define _VCM_REGION_H

#include <linux/list.h>
#include <linux/types.h>

struct device;
struct iommu_domain;
struct msi_msg;
struct pci_dev;

/**
 * struct vcm_regions - addresses of a device that are no IOVAs
 * @dev: the device
 * @list: the addresses, &struct iommu_resv_region
 * @doorbell: page that its interrupt messages go to, or 0 if the IOMMU does
 *	not translate them
 * @doorbell_iova: where @dev sees @doorbell
 */
struct vcm_regions {
	struct device *dev;
	struct list_head list;
	phys_addr_t doorbell;
	u64 doorbell_iova;
};

int vcm_regions_find(struct vcm_regions *regions, struct device *dev);
void vcm_regions_free(struct vcm_regions *regions);
int vcm_regions_map(const struct vcm_regions *regions,
		    struct iommu_domain *backing);
int vcm_regions_map_doorbell(const struct vcm_regions *regions,
			     struct iommu_domain *domain);
int vcm_regions_reserve(const struct vcm_regions *regions,
			struct list_head *list);
int vcm_region_reserve(struct list_head *list, u64 start, u64 len);
int vcm_region_map_doorbell(struct iommu_domain *domain, u64 iova,
			    phys_addr_t phys);
bool vcm_regions_lose_msi(const struct vcm_regions *regions);
bool vcm_regions_message(const struct vcm_regions *regions, u64 *page);
bool vcm_regions_lose_message(const struct vcm_regions *regions, u64 gap_page);
bool vcm_regions_msi_in_domain(const struct vcm_regions *regions);
bool vcm_regions_overlap(const struct vcm_regions *regions, u64 start, u64 len);
bool vcm_regions_leave_page(const struct vcm_regions *regions, u64 start,
			    u64 last);
#if IS_ENABLED(CONFIG_KUNIT)
int vcm_region_message(struct pci_dev *pdev, struct msi_msg *msg);
void vcm_region_doorbell(struct vcm_regions *regions);
#endif

#endif /* _VCM_REGION_H */
