// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of addresses that are no IOVAs
 *
 * The device is a PCI device that is made up: only the windows and ranges of its
 * host bridge are looked at, and the IOMMU that it is behind is that of a
 * made-up device (vcm-fake-iommu.c).
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/ioport.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/resource_ext.h>
#include <linux/sizes.h>

#include "../vcm-domain.h"
#include "../vcm-parent.h"
#include "../vcm-region.h"
#include "../vcm-space.h"
#include "vcm-fail-nth.h"
#include "vcm-fake-iommu.h"

/**
 * struct region_test - what a case works on
 * @parent: the device as the code under test knows it
 * @pdev: the device
 * @bus: the bus that it is on
 * @bridge: the host bridge of that
 */
struct region_test {
	struct vcm_parent parent;
	struct pci_dev pdev;
	struct pci_bus bus;
	struct pci_host_bridge *bridge;
};

static void free_bridge(void *data)
{
	pci_free_host_bridge(data);
}

static int region_test_init(struct kunit *test)
{
	struct region_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->bridge = pci_alloc_host_bridge(0);
	if (!t->bridge)
		return -ENOMEM;
	t->bus.bridge = &t->bridge->dev;
	t->pdev.bus = &t->bus;
	t->pdev.dev.bus = &pci_bus_type;
	t->parent.dev = &t->pdev.dev;
	INIT_LIST_HEAD(&t->parent.regions.list);
	t->parent.regions.dev = &t->pdev.dev;
	return kunit_add_action_or_reset(test, free_bridge, t->bridge);
}

/* Behind the IOMMU, with what was said of the regions until now. */
static struct vcm_parent *new_parent(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct region_test *t = test->priv;

	t->pdev.dev.iommu = dev->iommu;
	t->pdev.dev.iommu_group = dev->iommu_group;
	return &t->parent;
}

static int find_regions(struct vcm_parent *parent)
{
	return vcm_regions_find(&parent->regions, parent->dev);
}

static void add_window(struct kunit *test, struct list_head *list, u64 start,
		       u64 end, u64 offset, unsigned long type)
{
	struct resource_entry *entry = resource_list_create_entry(NULL, 0);

	KUNIT_ASSERT_NOT_NULL(test, entry);
	entry->res->start = start + offset;
	entry->res->end = end + offset;
	entry->res->flags = type;
	entry->offset = offset;
	resource_list_add_tail(entry, list);
}

/* --- Overlaps ---------------------------------------------------------- */

static void overlaps_are_seen(struct kunit *test)
{
	static const struct {
		u64 start;
		u64 len;
		bool overlap;
	} cases[] = {
		{ 0, SZ_1M, false },
		{ 0, SZ_1M + 1, true },
		{ SZ_1M, 1, true },
		{ SZ_1M + SZ_64K - 1, 1, true },
		{ SZ_1M + SZ_64K, 1, false },
		{ SZ_1M - 1, SZ_64K + 2, true },
		{ SZ_1M + 1, 1, true },
		{ SZ_2M, -(u64)SZ_2M, false },
		{ 0, U64_MAX, true },
		{ U64_MAX, 1, false },
	};
	struct vcm_parent *parent;
	int i;

	vcm_fake_iommu.regions[0].start = SZ_1M;
	vcm_fake_iommu.regions[0].length = SZ_64K;
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_RESERVED;
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, vcm_regions_overlap(&parent->regions,
							      cases[i].start,
							      cases[i].len),
				    cases[i].overlap, "case %d", i);
	vcm_regions_free(&parent->regions);
}

static void a_page_that_is_left_is_found(struct kunit *test)
{
	/* Reserved: 1 to 2 MB, half a page from 2 MB on, 3 MB to the end */
	static const struct {
		u64 start;
		u64 last;
		bool left;
	} cases[] = {
		{ 0, PAGE_SIZE - 1, true },
		{ 0, PAGE_SIZE - 2, false },
		{ PAGE_SIZE, 0, false },
		{ SZ_1M - PAGE_SIZE, SZ_1M - 1, true },
		{ SZ_1M, SZ_2M - 1, false },
		{ SZ_1M, SZ_2M + PAGE_SIZE - 1, false },
		{ SZ_1M, SZ_2M + 2 * PAGE_SIZE - 1, true },
		{ SZ_1M, SZ_2M + 2 * PAGE_SIZE - 2, false },
		{ SZ_2M + SZ_1M - PAGE_SIZE, U64_MAX, true },
		{ SZ_2M + SZ_1M, U64_MAX, false },
		{ -PAGE_SIZE, U64_MAX, false },
	};
	struct vcm_parent *parent = new_parent(test);
	struct list_head *list = &parent->regions.list;
	int i;

	KUNIT_ASSERT_EQ(test, vcm_region_reserve(list, SZ_1M, SZ_1M), 0);
	KUNIT_ASSERT_EQ(test, vcm_region_reserve(list, SZ_2M, PAGE_SIZE / 2),
			0);
	KUNIT_ASSERT_EQ(test, vcm_region_reserve(list, SZ_2M + SZ_1M,
						 -(u64)(SZ_2M + SZ_1M)), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    vcm_regions_leave_page(&parent->regions,
							   cases[i].start,
							   cases[i].last),
				    cases[i].left, "case %d", i);
	vcm_regions_free(&parent->regions);
}

static void without_regions_nothing_overlaps(struct kunit *test)
{
	struct vcm_parent *parent = new_parent(test);

	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&parent->regions.list));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, 0, U64_MAX));
	vcm_regions_free(&parent->regions);
}

/* --- PCI --------------------------------------------------------------- */

static void windows_of_the_bridge_are_no_iovas(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct vcm_parent *parent;

	add_window(test, &t->bridge->windows, SZ_1M, SZ_2M - 1, 0,
		   IORESOURCE_MEM);
	/* As the bus sees it, not the CPU */
	add_window(test, &t->bridge->windows, SZ_16M, SZ_32M - 1, SZ_1G,
		   IORESOURCE_MEM);
	add_window(test, &t->bridge->windows, SZ_64M, SZ_128M - 1, 0,
		   IORESOURCE_IO);
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&parent->regions.list), 2);
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_1M, SZ_1M));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, SZ_2M, SZ_1M));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_32M - 1, 1));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, SZ_32M,
						     SZ_1G));
	vcm_regions_free(&parent->regions);
}

static void between_inbound_ranges_there_are_no_iovas(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct vcm_parent *parent;

	/* Not in order, and with offsets */
	add_window(test, &t->bridge->dma_ranges, SZ_64M, SZ_128M - 1, SZ_1G,
		   IORESOURCE_MEM);
	add_window(test, &t->bridge->dma_ranges, SZ_1M, SZ_2M - 1, SZ_2G,
		   IORESOURCE_MEM);
	add_window(test, &t->bridge->dma_ranges, SZ_256M, SZ_512M - 1, 0,
		   IORESOURCE_MEM);
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&parent->regions.list), 4);
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, 0, 1));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_1M - 1, 1));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, SZ_1M, SZ_1M));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_2M, 1));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_64M - 1, 1));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, SZ_64M, SZ_64M));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_128M, 1));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_256M - 1, 1));
	KUNIT_EXPECT_FALSE(test, vcm_regions_overlap(&parent->regions, SZ_256M,
						     SZ_256M));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, SZ_512M, 1));
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, BIT_ULL(60), 1));
	vcm_regions_free(&parent->regions);
}

static void a_bridge_may_forward_all(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct vcm_parent *parent;

	add_window(test, &t->bridge->dma_ranges, 0, U64_MAX, 0, IORESOURCE_MEM);
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&parent->regions.list));
	vcm_regions_free(&parent->regions);
}

/* --- Reserving --------------------------------------------------------- */

static void all_regions_are_reserved_in_a_space(struct kunit *test)
{
	struct iommu_resv_region *region;
	struct vcm_parent *parent;
	LIST_HEAD(list);
	int i;

	for (i = 0; i < VCM_FAKE_NR_REGIONS; i++) {
		vcm_fake_iommu.regions[i].start = SZ_1M * (i + 1);
		vcm_fake_iommu.regions[i].length = SZ_64K;
		vcm_fake_iommu.regions[i].prot = IOMMU_READ;
	}
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_DIRECT;
	vcm_fake_iommu.regions[1].type = IOMMU_RESV_DIRECT_RELAXABLE;
	vcm_fake_iommu.regions[2].type = IOMMU_RESV_MSI;
	vcm_fake_iommu.regions[3].type = IOMMU_RESV_SW_MSI;
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	/* It translates messages, but the device has no vectors. */
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell, 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&parent->regions.list), 4);

	KUNIT_EXPECT_EQ(test, vcm_regions_reserve(&parent->regions, &list), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&list), 4);
	/* In order, and nothing is to be mapped there. */
	i = 0;
	list_for_each_entry(region, &list, list) {
		KUNIT_EXPECT_EQ(test, region->type, IOMMU_RESV_RESERVED);
		KUNIT_EXPECT_EQ(test, region->start, SZ_1M * ++i);
		KUNIT_EXPECT_EQ(test, region->length, SZ_64K);
		KUNIT_EXPECT_EQ(test, region->prot, 0);
		KUNIT_EXPECT_EQ(test, region->prot, 0);
	}
	iommu_put_resv_regions(parent->dev, &list);
	vcm_regions_free(&parent->regions);
}

/* --- Direct mappings --------------------------------------------------- */

struct direct_case {
	const char *name;
	u64 start[2];
	u64 len[2];
	/* what is mapped: from, and number of pages */
	u64 first;
	unsigned int pages;
};

static const struct direct_case direct_cases[] = {
	{ "a page", { SZ_1M }, { PAGE_SIZE }, SZ_1M, 1 },
	{ "pages", { SZ_1M }, { SZ_64K }, SZ_1M, SZ_64K / PAGE_SIZE },
	{ "a byte", { SZ_1M + PAGE_SIZE - 1 }, { 1 }, SZ_1M, 1 },
	{ "two bytes", { SZ_1M + PAGE_SIZE - 1 }, { 2 }, SZ_1M, 2 },
	{ "less than pages", { SZ_1M + 1 }, { 2 * PAGE_SIZE - 2 }, SZ_1M, 2 },
	{ "more than pages", { SZ_1M + 1 }, { 2 * PAGE_SIZE }, SZ_1M, 3 },
	{ "the same twice", { SZ_1M, SZ_1M }, { SZ_64K, SZ_64K }, SZ_1M,
	  SZ_64K / PAGE_SIZE },
	{ "around another", { SZ_1M + PAGE_SIZE, SZ_1M },
	  { PAGE_SIZE, 3 * PAGE_SIZE }, SZ_1M, 3 },
	{ "inside of another", { SZ_1M, SZ_1M + PAGE_SIZE },
	  { 3 * PAGE_SIZE, PAGE_SIZE }, SZ_1M, 3 },
	{ "over the end of another", { SZ_1M, SZ_1M + PAGE_SIZE },
	  { 2 * PAGE_SIZE, 2 * PAGE_SIZE }, SZ_1M, 3 },
	{ "over the beginning of another", { SZ_1M + PAGE_SIZE, SZ_1M },
	  { 2 * PAGE_SIZE, 2 * PAGE_SIZE }, SZ_1M, 3 },
	{ "behind another", { SZ_1M, SZ_1M + PAGE_SIZE },
	  { PAGE_SIZE, PAGE_SIZE }, SZ_1M, 2 },
};

static void add_region(struct kunit *test, u64 start, u64 len, int prot,
		       enum iommu_resv_type type)
{
	struct region_test *t = test->priv;
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, len, prot, type, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, region);
	list_add_tail(&region->list, &t->parent.regions.list);
}

static void check_direct(struct kunit *test, const struct direct_case *c,
			 struct iommu_domain *domain)
{
	u64 addr = c->first - PAGE_SIZE, end = c->first + c->pages * PAGE_SIZE;

	for (; addr <= end; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, iommu_iova_to_phys(domain, addr),
				    addr < c->first || addr == end ? 0 : addr,
				    "%s: %llx", c->name, addr);
	KUNIT_EXPECT_EQ_MSG(test, vcm_fake_iommu.nr_pages, c->pages, "%s",
			    c->name);
}

static void direct_mappings_are_whole_pages_once(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_parent *parent = new_parent(test);
	const struct direct_case *c = direct_cases;
	struct iommu_domain *domain;
	int i;

	for (; c < direct_cases + ARRAY_SIZE(direct_cases); c++) {
		for (i = 0; i < 2 && c->len[i]; i++)
			add_region(test, c->start[i], c->len[i],
				   IOMMU_READ | IOMMU_WRITE, i ?
				   IOMMU_RESV_DIRECT_RELAXABLE :
				   IOMMU_RESV_DIRECT);
		domain = iommu_paging_domain_alloc(dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
		KUNIT_EXPECT_EQ_MSG(test, vcm_regions_map(&parent->regions, domain), 0,
				    "%s", c->name);
		check_direct(test, c, domain);
		iommu_domain_free(domain);
		vcm_regions_free(&parent->regions);
		INIT_LIST_HEAD(&parent->regions.list);
	}
}

static void direct_mappings_allow_what_they_say(struct kunit *test)
{
	static const int prots[] = {
		IOMMU_READ, IOMMU_WRITE, IOMMU_READ | IOMMU_WRITE | IOMMU_MMIO,
	};
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_parent *parent = new_parent(test);
	struct iommu_domain *domain;
	int i;

	for (i = 0; i < ARRAY_SIZE(prots); i++)
		add_region(test, SZ_1M * (i + 1), PAGE_SIZE, prots[i],
			   IOMMU_RESV_DIRECT);
	/* These are no memory. */
	add_region(test, SZ_16M, PAGE_SIZE, IOMMU_WRITE, IOMMU_RESV_MSI);
	add_region(test, SZ_32M, PAGE_SIZE, 0, IOMMU_RESV_RESERVED);
	add_region(test, SZ_64M, PAGE_SIZE, IOMMU_WRITE, IOMMU_RESV_SW_MSI);
	domain = iommu_paging_domain_alloc(dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, vcm_regions_map(&parent->regions, domain), 0);
	KUNIT_ASSERT_EQ(test, vcm_fake_iommu.nr_maps, ARRAY_SIZE(prots));
	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[i].prot, prots[i]);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[i].iova,
				SZ_1M * (i + 1));
	}
	iommu_domain_free(domain);
	vcm_regions_free(&parent->regions);
}

static void a_direct_mapping_that_fails_is_an_error(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_parent *parent = new_parent(test);
	struct iommu_domain *domain;
	unsigned int n;

	add_region(test, SZ_1M, PAGE_SIZE, IOMMU_READ, IOMMU_RESV_DIRECT);
	add_region(test, SZ_2M, PAGE_SIZE, IOMMU_READ, IOMMU_RESV_DIRECT);
	for (n = 1; n <= 2; n++) {
		domain = iommu_paging_domain_alloc(dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
		vcm_fake_iommu.fail_map = n;
		KUNIT_EXPECT_EQ(test, vcm_regions_map(&parent->regions, domain), -ENOMEM);
		iommu_domain_free(domain);
	}
	vcm_regions_free(&parent->regions);
}

/* The page that interrupt messages go to, where the device finds it */
static void the_doorbell_is_in_every_domain(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_parent *parent = new_parent(test);
	struct iommu_domain *domain = iommu_paging_domain_alloc(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	parent->regions.doorbell = SZ_1G;
	parent->regions.doorbell_iova = SZ_1M;
	KUNIT_EXPECT_EQ(test, vcm_regions_map(&parent->regions, domain), 0);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, SZ_1M), SZ_1G);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[0].prot,
			IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO);
	iommu_domain_free(domain);
}

/* Where the device of the cases writes to for an interrupt */
#define DOORBELL_IOVA	(BIT_ULL(33) + SZ_1M)

static int send_message(struct pci_dev *pdev, struct msi_msg *msg)
{
	*msg = (struct msi_msg){
		.address_hi = DOORBELL_IOVA >> 32,
		.address_lo = (u32)DOORBELL_IOVA + 0x40,
	};
	return 0;
}

static int send_nothing(struct pci_dev *pdev, struct msi_msg *msg)
{
	return -ENOENT;
}

/* Finds the regions of a device that the DMA API has mapped a doorbell for. */
static struct vcm_parent *find_doorbell(struct kunit *test,
					enum iommu_resv_type type)
{
	struct vcm_parent *parent;

	vcm_fake_iommu.regions[0] = (struct iommu_resv_region){
		.start = SZ_64M, .length = SZ_1M, .type = type,
	};
	parent = new_parent(test);
	KUNIT_ASSERT_EQ(test, iommu_map(iommu_get_domain_for_dev(parent->dev),
					DOORBELL_IOVA, SZ_1G, PAGE_SIZE,
					IOMMU_WRITE, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	return parent;
}

static void check_no_doorbell(struct kunit *test, struct vcm_parent *parent)
{
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell, 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&parent->regions.list), 1);
	vcm_regions_free(&parent->regions);
}

static void the_doorbell_is_where_messages_go(struct kunit *test)
{
	struct iommu_resv_region *region;
	struct vcm_parent *parent;

	kunit_activate_static_stub(test, vcm_region_message, send_message);
	parent = find_doorbell(test, IOMMU_RESV_SW_MSI);
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell, SZ_1G);
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell_iova, DOORBELL_IOVA);
	/* It is a page that the DMA API is not to use. */
	KUNIT_ASSERT_EQ(test, list_count_nodes(&parent->regions.list), 2);
	region = list_last_entry(&parent->regions.list,
				 struct iommu_resv_region, list);
	KUNIT_EXPECT_EQ(test, region->start, DOORBELL_IOVA);
	KUNIT_EXPECT_EQ(test, region->length, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, region->type, IOMMU_RESV_RESERVED);
	vcm_regions_free(&parent->regions);
}

static bool need_domain(const struct vcm_regions *regions)
{
	return true;
}

/* ... or pass by the IOMMU, if they are sent to where they do. */
static void messages_may_be_translated_elsewhere(struct kunit *test)
{
	struct vcm_parent *parent;

	kunit_activate_static_stub(test, vcm_region_message, send_message);
	kunit_activate_static_stub(test, vcm_regions_msi_in_domain,
				   need_domain);
	parent = find_doorbell(test, IOMMU_RESV_MSI);
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell, SZ_1G);
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell_iova, DOORBELL_IOVA);
	KUNIT_EXPECT_FALSE(test, vcm_regions_lose_message(&parent->regions, 0));
	vcm_regions_free(&parent->regions);

	parent->regions.doorbell = 0;
	vcm_fake_iommu.regions[0].start = DOORBELL_IOVA - SZ_1M + PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_FALSE(test, vcm_regions_lose_message(&parent->regions, 0));
	check_no_doorbell(test, parent);
	vcm_fake_iommu.regions[0].start -= PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, find_regions(parent), 0);
	KUNIT_EXPECT_EQ(test, parent->regions.doorbell, SZ_1G);
	vcm_regions_free(&parent->regions);
}

static void without_translated_messages_there_is_no_doorbell(struct kunit *test)
{
	struct region_test *t = test->priv;

	kunit_activate_static_stub(test, vcm_region_message, send_message);
	check_no_doorbell(test, find_doorbell(test, IOMMU_RESV_MSI));
	/* Of another device it is not known where they go. */
	t->pdev.dev.bus = NULL;
	check_no_doorbell(test, find_doorbell(test, IOMMU_RESV_SW_MSI));
	t->pdev.dev.bus = &pci_bus_type;
	/* And there may be none. */
	kunit_activate_static_stub(test, vcm_region_message, send_nothing);
	check_no_doorbell(test, find_doorbell(test, IOMMU_RESV_SW_MSI));
}

/* --- Who may have spaces ----------------------------------------------- */

static void an_untrusted_device_has_no_spaces(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct vcm_parent *parent = new_parent(test);

	parent->group = t->pdev.dev.iommu_group;
	KUNIT_EXPECT_EQ(test, vcm_parent_check(parent), 0);
	t->pdev.untrusted = true;
	KUNIT_EXPECT_EQ(test, vcm_parent_check(parent), -EACCES);
}

#ifdef VCM_HAVE_FAIL_NTH
static void out_of_memory_is_an_error(struct kunit *test)
{
	struct region_test *t = test->priv;
	unsigned int n = 0, failures = 0;
	struct vcm_parent *parent;
	bool failed;
	int ret;

	vcm_fake_iommu.regions[0].start = SZ_1M;
	vcm_fake_iommu.regions[0].length = SZ_64K;
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_RESERVED;
	add_window(test, &t->bridge->windows, SZ_1M, SZ_2M - 1, 0,
		   IORESOURCE_MEM);
	add_window(test, &t->bridge->dma_ranges, SZ_16M, SZ_32M - 1, 0,
		   IORESOURCE_MEM);
	parent = new_parent(test);
	do {
		vcm_fail_nth_start(test, ++n);
		ret = find_regions(parent);
		failed = vcm_fail_nth_end();
		vcm_regions_free(&parent->regions);
		INIT_LIST_HEAD(&parent->regions.list);
		if (ret)
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		failures += !!ret;
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* That of the IOMMU, the window, and two gaps */
	KUNIT_EXPECT_EQ(test, failures, 4);
}

static void a_region_that_is_missing_is_noticed(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	LIST_HEAD(list);

	vcm_fail_nth_start(test, 1);
	KUNIT_EXPECT_EQ(test, vcm_region_reserve(&list, SZ_1M, SZ_1M), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, vcm_fail_nth_end());
	iommu_put_resv_regions(vcm_fake_device(test, &args), &list);
}
#endif

static struct kunit_case region_test_cases[] = {
	KUNIT_CASE(overlaps_are_seen),
	KUNIT_CASE(a_page_that_is_left_is_found),
	KUNIT_CASE(without_regions_nothing_overlaps),
	KUNIT_CASE(windows_of_the_bridge_are_no_iovas),
	KUNIT_CASE(between_inbound_ranges_there_are_no_iovas),
	KUNIT_CASE(a_bridge_may_forward_all),
	KUNIT_CASE(all_regions_are_reserved_in_a_space),
	KUNIT_CASE(direct_mappings_are_whole_pages_once),
	KUNIT_CASE(direct_mappings_allow_what_they_say),
	KUNIT_CASE(a_direct_mapping_that_fails_is_an_error),
	KUNIT_CASE(the_doorbell_is_in_every_domain),
	KUNIT_CASE(the_doorbell_is_where_messages_go),
	KUNIT_CASE(messages_may_be_translated_elsewhere),
	KUNIT_CASE(without_translated_messages_there_is_no_doorbell),
	KUNIT_CASE(an_untrusted_device_has_no_spaces),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_is_an_error),
	KUNIT_CASE(a_region_that_is_missing_is_noticed),
#endif
	{}
};

static struct kunit_suite region_test_suite = {
	.name = "vcm_region",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = region_test_init,
	.test_cases = region_test_cases,
};

kunit_test_suite(region_test_suite);
