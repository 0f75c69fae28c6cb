// SPDX-License-Identifier: GPL-2.0
/*
 * Where a device is between its spaces
 *
 * The domain of the core that blocks all blocks interrupt messages too where the
 * IOMMU translates them, and those are none of a space's business. So such a
 * device has a domain of its own there, with nothing but the page that they go to.
 *
 * Vectors can be set up in it, too. The driver of the interrupt controller maps
 * the page in whatever domain the device is attached to, and for that the domain
 * has to have a cookie that says where; in others vectors cannot be set up. The
 * address is one that the device has from its default domain and that nothing else
 * is mapped at: the vectors may still be there when its last space has ended.
 */

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>

#include "vcm-gap.h"
#include "vcm-region.h"

/* Not where the default domain has no addresses to give, with iommu=pt. */
static int vcm_gap_add_cookie(struct vcm_gap *gap, struct iommu_domain *domain,
			      struct vcm_regions *regions)
{
	int ret;

	if (!vcm_regions_msi_in_domain(regions) ||
	    !dma_iova_try_alloc(regions->dev, &gap->doorbell, 0, PAGE_SIZE))
		return 0;

	ret = iommu_get_msi_cookie(domain, gap->doorbell.addr);
	if (!ret)
		ret = vcm_region_reserve(&regions->list, gap->doorbell.addr,
					 PAGE_SIZE);
	if (ret)
		dma_iova_free(regions->dev, &gap->doorbell);
	return ret;
}

/**
 * vcm_gap_create - make a domain for between the spaces of a device
 * @gap: zeroed; filled in
 * @regions: the regions of the device, which has no space yet; what is no IOVA
 *	because of the gap is added
 *
 * Context: Process context, sleeps.
 * Return: 0, also if the device needs none, -ENOMEM, or what the IOMMU driver
 *	returns.
 */
int vcm_gap_create(struct vcm_gap *gap, struct vcm_regions *regions)
{
	struct iommu_domain *domain;
	int ret;

	if (!regions->doorbell && !vcm_regions_msi_in_domain(regions))
		return 0;

	domain = iommu_paging_domain_alloc(regions->dev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	ret = vcm_regions_map_doorbell(regions, domain);
	if (!ret)
		ret = vcm_gap_add_cookie(gap, domain, regions);
	if (ret) {
		iommu_domain_free(domain);
		return ret;
	}
	gap->domain = domain;
	return 0;
}

/* The page that vectors which were set up in the gap send to, or 0 */
static phys_addr_t vcm_gap_doorbell(struct vcm_gap *gap)
{
	if (!gap->domain || !dma_iova_size(&gap->doorbell))
		return 0;
	return iommu_iova_to_phys(gap->domain, gap->doorbell.addr);
}

/**
 * vcm_gap_share_doorbell - let messages of vectors set up in the gap through
 * @gap: the gap of a device, which is in it or in a space
 * @backing: the domain of another space, which the device is not attached to
 *
 * Context: Process context, sleeps.
 * Return: 0, also if there are none or it was done, or what iommu_map() returns.
 */
int vcm_gap_share_doorbell(struct vcm_gap *gap, struct iommu_domain *backing)
{
	phys_addr_t phys = vcm_gap_doorbell(gap);
	u64 iova = gap->doorbell.addr;

	if (!phys || iommu_iova_to_phys(backing, iova))
		return 0;
	return vcm_region_map_doorbell(backing, iova, phys);
}

/*
 * If the device's messages still go to the address it stays theirs, and else it
 * goes back to the default domain.
 */
static void vcm_gap_leave_doorbell(struct vcm_gap *gap,
				   const struct vcm_regions *regions)
{
	struct device *dev = regions->dev;
	phys_addr_t phys = vcm_gap_doorbell(gap);
	u64 page;

	if (!dma_iova_size(&gap->doorbell))
		return;
	if (!phys || !vcm_regions_message(regions, &page) ||
	    page != gap->doorbell.addr) {
		dma_iova_free(dev, &gap->doorbell);
		return;
	}
	if (dma_iova_link(dev, &gap->doorbell, phys, 0, PAGE_SIZE,
			  DMA_FROM_DEVICE, DMA_ATTR_MMIO))
		dev_err(dev, "no memory for interrupts without a space\n");
	else
		dma_iova_sync(dev, &gap->doorbell, 0, PAGE_SIZE);
}

/**
 * vcm_gap_destroy - undo vcm_gap_create()
 * @gap: the gap, which the device is not attached to; zeroed
 * @regions: the regions of the device, which keeps its default domain meanwhile
 *
 * Context: Process context, sleeps.
 */
void vcm_gap_destroy(struct vcm_gap *gap, const struct vcm_regions *regions)
{
	if (!gap->domain)
		return;
	vcm_gap_leave_doorbell(gap, regions);
	iommu_domain_free(gap->domain);
	memset(gap, 0, sizeof(*gap));
}
