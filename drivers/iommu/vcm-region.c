// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of a device that are no IOVAs
 *
 * Interrupt messages, memory that firmware wants to be mapped one to one, other
 * devices behind the same host bridge: what the IOMMU core keeps the DMA API
 * away from for the parent has to be kept away from in its spaces. All of it is
 * found out while the parent is there for sure; a space may outlive that.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/iommu.h>
#include <linux/msi.h>
#include <linux/pci.h>

#include "vcm-region.h"

/* Mapped one to one in every domain of the device */
static bool vcm_region_is_direct(const struct iommu_resv_region *region)
{
	return region->type == IOMMU_RESV_DIRECT ||
	       region->type == IOMMU_RESV_DIRECT_RELAXABLE;
}

static int vcm_region_add(struct vcm_regions *regions, u64 start, u64 len,
			  int prot, enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, len, prot, type, GFP_KERNEL);
	if (!region)
		return -ENOMEM;
	list_add_tail(&region->list, &regions->list);
	return 0;
}

/* --- What the IOMMU driver and firmware say ---------------------------- */

static int vcm_regions_find_iommu(struct vcm_regions *regions)
{
	struct iommu_resv_region *region;
	LIST_HEAD(list);
	int ret = 0;

	iommu_get_resv_regions(regions->dev, &list);
	list_for_each_entry(region, &list, list) {
		ret = vcm_region_add(regions, region->start, region->length,
				     region->prot, region->type);
		if (ret)
			break;
	}
	iommu_put_resv_regions(regions->dev, &list);
	return ret;
}

/* --- PCI --------------------------------------------------------------- */

/* Outbound windows: addresses there are those of other devices. */
static int vcm_regions_find_windows(struct vcm_regions *regions,
				    struct pci_host_bridge *bridge)
{
	struct resource_entry *window;
	int ret;

	resource_list_for_each_entry(window, &bridge->windows) {
		if (resource_type(window->res) != IORESOURCE_MEM)
			continue;
		ret = vcm_region_add(regions, window->res->start -
				     window->offset,
				     resource_size(window->res), 0,
				     IOMMU_RESV_RESERVED);
		if (ret)
			return ret;
	}
	return 0;
}

/* The inbound range that @addr is in, or else the next one. */
static struct resource_entry *vcm_next_inbound(struct pci_host_bridge *bridge,
					       u64 addr)
{
	struct resource_entry *entry, *next = NULL;

	resource_list_for_each_entry(entry, &bridge->dma_ranges) {
		if (entry->res->end - entry->offset < addr)
			continue;
		if (!next || entry->res->start - entry->offset <
			     next->res->start - next->offset)
			next = entry;
	}
	return next;
}

/* What the bridge does not forward to memory: all between inbound ranges. */
static int vcm_regions_find_gaps(struct vcm_regions *regions,
				 struct pci_host_bridge *bridge)
{
	struct resource_entry *entry;
	u64 addr = 0;
	int ret;

	if (list_empty(&bridge->dma_ranges))
		return 0;

	while ((entry = vcm_next_inbound(bridge, addr))) {
		u64 start = entry->res->start - entry->offset;

		if (start > addr) {
			ret = vcm_region_add(regions, addr, start - addr, 0,
					     IOMMU_RESV_RESERVED);
			if (ret)
				return ret;
		}
		addr = entry->res->end - entry->offset + 1;
		if (!addr)
			return 0;
	}
	return vcm_region_add(regions, addr, U64_MAX - addr, 0,
			      IOMMU_RESV_RESERVED);
}

static int vcm_regions_find_pci(struct vcm_regions *regions)
{
	struct pci_host_bridge *bridge;
	int ret;

	if (!dev_is_pci(regions->dev))
		return 0;

	bridge = pci_find_host_bridge(to_pci_dev(regions->dev)->bus);
	ret = vcm_regions_find_windows(regions, bridge);
	return ret ?: vcm_regions_find_gaps(regions, bridge);
}

/* --- Interrupts -------------------------------------------------------- */

static bool vcm_translates_msi(const struct vcm_regions *regions)
{
	struct iommu_resv_region *region;

	list_for_each_entry(region, &regions->list, list)
		if (region->type == IOMMU_RESV_SW_MSI)
			return true;
	return false;
}

/**
 * vcm_regions_msi_in_domain - do a device's vectors need the domain it is in
 * @regions: the regions of the device
 *
 * Where they do, the driver of the interrupt controller maps the page of the
 * messages when vectors are set up, see iommu_dma_prepare_msi(). It does so for
 * each IOMMU that has addresses for messages, also if it does not translate them.
 *
 * Context: Any.
 * Return: true if so.
 */
bool vcm_regions_msi_in_domain(const struct vcm_regions *regions)
{
	struct iommu_resv_region *region;

	KUNIT_STATIC_STUB_REDIRECT(vcm_regions_msi_in_domain, regions);
	if (!IS_ENABLED(CONFIG_IRQ_MSI_IOMMU) || !dev_is_pci(regions->dev))
		return false;
	list_for_each_entry(region, &regions->list, list)
		if (region->type == IOMMU_RESV_SW_MSI ||
		    region->type == IOMMU_RESV_MSI)
			return true;
	return false;
}

/* An IOMMU that lets messages pass by translates them at other addresses. */
static bool vcm_may_translate_msi(const struct vcm_regions *regions)
{
	return vcm_translates_msi(regions) ||
	       vcm_regions_msi_in_domain(regions);
}

/* Do messages to @page pass by the IOMMU? */
static bool vcm_passes_msi(const struct vcm_regions *regions, u64 page)
{
	struct iommu_resv_region *region;

	list_for_each_entry(region, &regions->list, list)
		if (region->type == IOMMU_RESV_MSI && region->start <= page &&
		    region->start + region->length - 1 >= page)
			return true;
	return false;
}

/**
 * vcm_region_message - what a PCI device sends for its first vector
 * @pdev: the device
 * @msg: filled in
 *
 * Context: Process context.
 * Return: 0, or an error if it has no vectors that are messages.
 */
VISIBLE_IF_KUNIT int vcm_region_message(struct pci_dev *pdev,
					struct msi_msg *msg)
{
	int irq;

	KUNIT_STATIC_STUB_REDIRECT(vcm_region_message, pdev, msg);
	if (!pci_dev_msi_enabled(pdev))
		return -ENOENT;
	irq = pci_irq_vector(pdev, 0);
	if (irq < 0)
		return irq;
	get_cached_msi_msg(irq, msg);
	return 0;
}

/**
 * vcm_regions_message - where does a device send its interrupt messages now
 * @regions: the regions of the device
 * @page: filled in: first address of the page, as the device sees it
 *
 * Context: Process context.
 * Return: true, or false if it is not known that it sends any.
 */
bool vcm_regions_message(const struct vcm_regions *regions, u64 *page)
{
	struct msi_msg msg;

	KUNIT_STATIC_STUB_REDIRECT(vcm_regions_message, regions, page);
	if (!dev_is_pci(regions->dev) ||
	    vcm_region_message(to_pci_dev(regions->dev), &msg))
		return false;
	*page = (((u64)msg.address_hi << 32) | msg.address_lo) & PAGE_MASK;
	return true;
}

/**
 * vcm_region_doorbell - find where a device sends its interrupt messages
 * @regions: the regions of the device, with those of the IOMMU; filled in
 *
 * Where an IOMMU translates interrupt messages too (SMMUv3), the page that the
 * device writes them to has to lead to the same doorbell in every domain that
 * it is attached to. All vectors of a device share one page of the interrupt
 * controller. The DMA API took the page's address from the device's IOVAs.
 *
 * Context: Process context.
 */
VISIBLE_IF_KUNIT void vcm_region_doorbell(struct vcm_regions *regions)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(regions->dev);
	u64 page;

	KUNIT_STATIC_STUB_REDIRECT(vcm_region_doorbell, regions);
	if (!domain || !vcm_may_translate_msi(regions) ||
	    !vcm_regions_message(regions, &page) ||
	    vcm_passes_msi(regions, page))
		return;

	regions->doorbell_iova = page;
	regions->doorbell = iommu_iova_to_phys(domain, page);
}

/**
 * vcm_region_map_doorbell - let interrupt messages through
 * @domain: a domain
 * @iova: page that the device writes them to
 * @phys: page that they go to
 *
 * Context: Process context, sleeps.
 * Return: 0 or what iommu_map() returns; freeing @domain undoes it.
 */
int vcm_region_map_doorbell(struct iommu_domain *domain, u64 iova,
			    phys_addr_t phys)
{
	return iommu_map(domain, iova, phys, PAGE_SIZE,
			 IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO, GFP_KERNEL);
}

/**
 * vcm_regions_map_doorbell - let the interrupt messages of a device through
 * @regions: the regions of the device
 * @domain: a new domain for it
 *
 * Context: Process context, sleeps.
 * Return: 0, also if there is nothing to be done, or what iommu_map() returns;
 *	freeing @domain undoes it.
 */
int vcm_regions_map_doorbell(const struct vcm_regions *regions,
			     struct iommu_domain *domain)
{
	if (!regions->doorbell)
		return 0;
	return vcm_region_map_doorbell(domain, regions->doorbell_iova,
				       regions->doorbell);
}

/* --- Direct mappings --------------------------------------------------- */

/* The first address from @addr on, up to @end, that is mapped or is not. */
static u64 vcm_region_skip(struct iommu_domain *backing, u64 addr, u64 end,
			   u64 page, bool mapped)
{
	while (addr < end && !!iommu_iova_to_phys(backing, addr) == mapped)
		addr += page;
	return addr;
}

/*
 * In whole pages of the IOMMU, and not what another region has mapped: firmware
 * lists some pages twice. The core does so for the default domain.
 */
static int vcm_region_map(struct iommu_domain *backing,
			  const struct iommu_resv_region *region)
{
	u64 page = BIT(__ffs(backing->pgsize_bitmap));
	u64 addr = ALIGN_DOWN(region->start, page);
	u64 end = ALIGN(region->start + region->length, page);

	while ((addr = vcm_region_skip(backing, addr, end, page, true)) < end) {
		u64 next = vcm_region_skip(backing, addr, end, page, false);
		int ret = iommu_map(backing, addr, addr, next - addr,
				    region->prot, GFP_KERNEL);

		if (ret)
			return ret;
		addr = next;
	}
	return 0;
}

/* --- Users ------------------------------------------------------------- */

/**
 * vcm_regions_find - find what is no IOVA in the spaces of a device
 * @regions: zeroed; filled in
 * @dev: the device, in its default domain, with its vectors set up
 *
 * Context: Process context, sleeps.
 * Return: 0 or -ENOMEM; vcm_regions_free() in any case.
 */
int vcm_regions_find(struct vcm_regions *regions, struct device *dev)
{
	int ret;

	INIT_LIST_HEAD(&regions->list);
	regions->dev = dev;

	ret = vcm_regions_find_iommu(regions);
	if (ret)
		return ret;
	ret = vcm_regions_find_pci(regions);
	if (ret)
		return ret;

	vcm_region_doorbell(regions);
	if (!regions->doorbell)
		return 0;
	return vcm_region_add(regions, regions->doorbell_iova, PAGE_SIZE, 0,
			      IOMMU_RESV_RESERVED);
}

/**
 * vcm_regions_lose_msi - would interrupts of a device be lost in its spaces
 * @regions: the regions of the device
 *
 * Of PCI devices it is known where the messages go. Others have them written by
 * whatever their driver programs.
 *
 * Context: Any.
 * Return: true if the IOMMU translates messages that the device may send.
 */
bool vcm_regions_lose_msi(const struct vcm_regions *regions)
{
	return !dev_is_pci(regions->dev) && vcm_translates_msi(regions) &&
	       dev_get_msi_domain(regions->dev);
}

/**
 * vcm_regions_lose_message - are messages sent to what is not in every space
 * @regions: the regions of the device
 * @gap_page: page that they may be sent to since the regions were found, or 0
 *
 * That is so if its vectors were set up when it had spaces, and in a domain whose
 * choice of addresses is not ours: its default domain, which it is in.
 *
 * Context: Process context.
 * Return: true if so: they would not arrive in a space, or in a buffer.
 */
bool vcm_regions_lose_message(const struct vcm_regions *regions, u64 gap_page)
{
	u64 page;

	if (!vcm_may_translate_msi(regions) ||
	    !vcm_regions_message(regions, &page) || page == gap_page ||
	    (regions->doorbell && page == regions->doorbell_iova) ||
	    vcm_passes_msi(regions, page))
		return false;
	/* What is not translated there is not in a space. */
	return iommu_iova_to_phys(iommu_get_domain_for_dev(regions->dev), page);
}

/**
 * vcm_regions_free - undo vcm_regions_find()
 * @regions: the regions of the device
 *
 * Context: Any.
 */
void vcm_regions_free(struct vcm_regions *regions)
{
	/* All ours, and so the device does not matter. */
	iommu_put_resv_regions(regions->dev, &regions->list);
}

/**
 * vcm_regions_map - map in a domain what every domain of a device needs
 * @regions: the regions of the device
 * @backing: a new domain for it
 *
 * Context: Process context, sleeps.
 * Return: 0 or what iommu_map() returns; freeing @backing undoes it.
 */
int vcm_regions_map(const struct vcm_regions *regions,
		    struct iommu_domain *backing)
{
	struct iommu_resv_region *region;
	int ret;

	list_for_each_entry(region, &regions->list, list) {
		if (!vcm_region_is_direct(region))
			continue;
		ret = vcm_region_map(backing, region);
		if (ret)
			return ret;
	}
	return vcm_regions_map_doorbell(regions, backing);
}

/**
 * vcm_region_reserve - add a range to a list of reserved regions
 * @list: the list
 * @start: first address
 * @len: number of addresses
 *
 * Context: Process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int vcm_region_reserve(struct list_head *list, u64 start, u64 len)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, len, 0, IOMMU_RESV_RESERVED,
					 GFP_KERNEL);
	if (!region)
		return -ENOMEM;
	list_add_tail(&region->list, list);
	return 0;
}

/**
 * vcm_regions_reserve - list what is no IOVA in the spaces of a device
 * @regions: the regions of the device, which may be gone
 * @list: the list
 *
 * All regions are of one kind: nothing is to be mapped there, and nothing that
 * the core does for other kinds is to be done for a space.
 *
 * Context: Process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int vcm_regions_reserve(const struct vcm_regions *regions,
			struct list_head *list)
{
	struct iommu_resv_region *region;
	int ret = 0;

	list_for_each_entry(region, &regions->list, list) {
		ret = vcm_region_reserve(list, region->start,
					 region->length);
		if (ret)
			break;
	}
	return ret;
}

/* A region with any of the addresses from @start to @last, or NULL */
static const struct iommu_resv_region *
vcm_region_in(const struct vcm_regions *regions, u64 start, u64 last)
{
	struct iommu_resv_region *region;

	list_for_each_entry(region, &regions->list, list)
		if (region->start <= last &&
		    region->start + region->length - 1 >= start)
			return region;
	return NULL;
}

/**
 * vcm_regions_overlap - is anything in a range no IOVA
 * @regions: the regions of the device
 * @start: first address
 * @len: number of addresses, not 0
 *
 * Context: Any.
 * Return: true if so.
 */
bool vcm_regions_overlap(const struct vcm_regions *regions, u64 start, u64 len)
{
	return vcm_region_in(regions, start, start + len - 1);
}

/**
 * vcm_regions_leave_page - is any page of a range left for IOVAs
 * @regions: the regions of the device
 * @start: first address, of a page
 * @last: last address, of a page or not; less than @start for none
 *
 * Context: Any.
 * Return: true if so.
 */
bool vcm_regions_leave_page(const struct vcm_regions *regions, u64 start,
			    u64 last)
{
	while (start <= last && last - start >= PAGE_SIZE - 1) {
		const struct iommu_resv_region *region;
		u64 end;

		region = vcm_region_in(regions, start, start + PAGE_SIZE - 1);
		if (!region)
			return true;
		end = PAGE_ALIGN(region->start + region->length);
		/* The last region there can be */
		if (end <= start)
			return false;
		start = end;
	}
	return false;
}
