// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of address spaces
 *
 * A case is named after what it proves. The parents and their IOMMU are made up
 * (vcm-fake-iommu.c): what a device is attached to, and what it finds there, can
 * be looked up. After each case nothing may be left of it.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../vcm-domain.h"
#include "../vcm-device.h"
#include "../vcm-fwspec.h"
#include "../vcm-mapping.h"
#include "../vcm-region.h"
#include "../vcm-parent.h"
#include "../vcm-space.h"
#include "vcm-fail-nth.h"
#include "vcm-fake-iommu.h"
#include "vcm-test-map.h"

#define BLOCK_ORDER	get_order(SZ_2M)

/* Where a space is, unless a case says otherwise, and its fixed window */
#define START		((u64)SZ_64M)
#define LEN		((u64)SZ_256M)
#define FIXED		((u64)SZ_128M)
#define FIXED_LEN	((u64)SZ_16M)

/**
 * struct space_test - what a case works on
 * @block: 2 MB of memory, aligned, that are one block
 * @loose: the same in pages that happen to be neighbours
 * @pages: pages mapped in the default domains of the devices
 */
struct space_test {
	struct page *block;
	struct page *loose;
	unsigned long pages;
};

static int space_test_init(struct kunit *test)
{
	struct space_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->block = alloc_pages(GFP_KERNEL | __GFP_COMP, BLOCK_ORDER);
	t->loose = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return t->block && t->loose ? 0 : -ENOMEM;
}

static void space_test_exit(struct kunit *test)
{
	struct space_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	if (!t)
		return;
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, t->pages);
	if (t->block)
		__free_pages(t->block, BLOCK_ORDER);
	if (t->loose)
		__free_pages(t->loose, BLOCK_ORDER);
}

static phys_addr_t block_phys(struct kunit *test, size_t offset)
{
	struct space_test *t = test->priv;

	return page_to_phys(t->block) + offset;
}

/* A table of @nr times @len bytes of the block, from @offset on in it. */
static struct sg_table *new_table(struct kunit *test, unsigned int nr,
				  size_t offset, size_t len)
{
	struct space_test *t = test->priv;

	return vcm_fake_table(test, t->block, nr, offset, len);
}

/* A buffer of @nr times @len bytes of the block, from @offset on in it. */
static struct dma_buf *new_buffer(struct kunit *test, unsigned int nr,
				  size_t offset, size_t len)
{
	return vcm_fake_buffer(test, new_table(test, nr, offset, len),
			       nr * len);
}

static const struct vcm_fake_args managed = {
	.mask = DMA_BIT_MASK(48), .managed = true,
};

static const struct vcm_fake_args unmanaged = { .mask = DMA_BIT_MASK(48) };

static const struct vcm_space_args usual = {
	.start = START, .len = LEN, .fixed_start = FIXED,
	.fixed_len = FIXED_LEN,
};

static struct vcm_space *new_space(struct kunit *test, struct device *dev)
{
	struct vcm_space *space = vcm_space_create(dev, &usual);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	return space;
}

static bool is_active(const struct vcm_space *space)
{
	return space->parent->active == space;
}

/* --- Creating ---------------------------------------------------------- */

struct args_case {
	const char *name;
	struct vcm_space_args args;
	int ret;
};

#define BIG	BIT_ULL(47)

static const struct args_case args_cases[] = {
	{ "empty", {}, -EINVAL },
	{ "page", { .start = START, .len = PAGE_SIZE }, 0 },
	{ "unaligned start", { .start = START + 1, .len = PAGE_SIZE },
	  -EINVAL },
	{ "unaligned length", { .start = START, .len = PAGE_SIZE + 1 },
	  -EINVAL },
	{ "end overflows", { .start = -PAGE_SIZE, .len = 2 * PAGE_SIZE },
	  -EINVAL },
	{ "end is 2^64", { .start = -PAGE_SIZE, .len = PAGE_SIZE }, -EINVAL },
	{ "unaligned fixed start", { START, LEN, START + 1, PAGE_SIZE },
	  -EINVAL },
	{ "unaligned fixed length", { START, LEN, START, 1 }, -EINVAL },
	{ "fixed end overflows", { START, LEN, -PAGE_SIZE, 2 * PAGE_SIZE },
	  -EINVAL },
	{ "fixed below", { START, LEN, START - PAGE_SIZE, PAGE_SIZE },
	  -ERANGE },
	{ "fixed behind", { START, LEN, START + LEN, PAGE_SIZE }, -ERANGE },
	{ "fixed too long", { START, LEN, START, LEN + PAGE_SIZE }, -ERANGE },
	{ "fixed across the end", { START, LEN, START + LEN - PAGE_SIZE,
				    2 * PAGE_SIZE }, -ERANGE },
	{ "all fixed", { START, LEN, START, LEN }, 0 },
	{ "fixed at the end", { START, LEN, START + LEN - PAGE_SIZE,
				PAGE_SIZE }, 0 },
	{ "fixed where nothing is translated", { 0, 4 * BIG, 3 * BIG, BIG },
	  -ERANGE },
	{ "fixed across what is translated", { 0, 4 * BIG, BIG, 2 * BIG },
	  -ERANGE },
	{ "where nothing is translated", { 2 * BIG, BIG }, -ERANGE },
	{ "fixed, where nothing is translated", { 2 * BIG, BIG, 2 * BIG, BIG },
	  -ERANGE },
	{ "up to where something is", { 2 * BIG - PAGE_SIZE, BIG }, 0 },
	{ "first page", { 0, PAGE_SIZE }, -ERANGE },
	{ "first page, fixed", { 0, PAGE_SIZE, 0, PAGE_SIZE }, 0 },
	{ "first two pages", { 0, 2 * PAGE_SIZE }, 0 },
	{ "all of it reserved", { SZ_8M, SZ_1M }, -ERANGE },
	{ "reserved but for the last page", { SZ_8M, SZ_1M + PAGE_SIZE }, 0 },
	{ "reserved but for the first page", { SZ_8M - PAGE_SIZE,
					       SZ_1M + PAGE_SIZE }, 0 },
	{ "alignment of a page", { .len = LEN, .align = PAGE_SIZE }, 0 },
	{ "alignment less than a page", { .len = LEN, .align = 1 }, -EINVAL },
	{ "alignment of a page and a byte", { .len = LEN,
					      .align = PAGE_SIZE + 1 },
	  -EINVAL },
	{ "alignment 3 MB", { .len = LEN, .align = 3 * SZ_1M }, -EINVAL },
	{ "fixed on what is reserved", { 0, LEN, SZ_8M, PAGE_SIZE }, -ERANGE },
	{ "fixed reaches what is reserved", { 0, LEN, SZ_4M,
					      SZ_4M + PAGE_SIZE }, -ERANGE },
	{ "fixed up to what is reserved", { 0, LEN, SZ_4M, SZ_4M }, 0 },
	{ "fixed behind what is reserved", { 0, LEN, SZ_8M + SZ_1M, SZ_1M },
	  0 },
	{ "fixed from what is reserved", { 0, LEN, SZ_8M + SZ_1M - PAGE_SIZE,
					   SZ_1M }, -ERANGE },
};

static void reserve_some(void)
{
	vcm_fake_iommu.regions[0].start = SZ_8M;
	vcm_fake_iommu.regions[0].length = SZ_1M;
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_RESERVED;
}

static void arguments_are_checked(struct kunit *test)
{
	const struct args_case *c = args_cases;
	unsigned long domains;
	struct device *dev;

	reserve_some();
	dev = vcm_fake_device(test, &managed);
	domains = vcm_fake_iommu.nr_domains;
	for (; c < args_cases + ARRAY_SIZE(args_cases); c++) {
		struct vcm_space *space = vcm_space_create(dev, &c->args);

		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(space), c->ret, "%s",
				    c->name);
		if (!IS_ERR(space))
			vcm_space_destroy(space);
		KUNIT_EXPECT_EQ(test, vcm_fake_settle(domains), domains);
		KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	}
}

static void there_is_no_space_without_iommu(struct kunit *test)
{
	struct vcm_fake_args direct = { .mask = DMA_BIT_MASK(48),
					.direct = true };
	struct vcm_fake_args maskless = {};

	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(vcm_fake_device(test,
								   &direct),
						   &usual),
			    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(vcm_fake_device(test,
								   &maskless),
						   &usual),
			    ERR_PTR(-EOPNOTSUPP));
}

/* Whatever somebody else wants with its device, the space stays as it is. */
static void a_space_has_one_domain(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed), *sdev;
	struct vcm_space *space = new_space(test, dev);
	struct vcm_domain *domain = space->domain;

	sdev = vcm_space_dev(space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(sdev, &usual),
			    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_PTR_EQ(test, (void *)iommu_paging_domain_alloc(sdev),
			    ERR_PTR(-EBUSY));
	KUNIT_EXPECT_PTR_EQ(test, space->domain, domain);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	vcm_space_deactivate(space);
	vcm_space_destroy(space);
}

static void there_is_a_limit(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space **spaces;
	int i;

	spaces = kunit_kcalloc(test, VCM_SPACES_MAX, sizeof(*spaces),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, spaces);
	for (i = 0; i < VCM_SPACES_MAX; i++)
		spaces[i] = new_space(test, dev);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-ENOSPC));
	vcm_space_destroy(spaces[7]);
	spaces[7] = new_space(test, dev);
	for (i = 0; i < VCM_SPACES_MAX; i++)
		vcm_space_destroy(spaces[i]);
}

static void a_space_is_like_its_parent(struct kunit *test)
{
	struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(40), .max_seg_size = SZ_1M,
		.boundary = SZ_4M - 1,
	};
	struct device *dev = vcm_fake_device(test, &args), *sdev;
	struct vcm_iova_device *vdev;
	struct vcm_space *space;

	space = new_space(test, dev);
	sdev = vcm_space_dev(space);
	KUNIT_EXPECT_EQ(test, dma_get_mask(sdev), DMA_BIT_MASK(40));
	KUNIT_EXPECT_EQ(test, sdev->coherent_dma_mask, DMA_BIT_MASK(40));
	KUNIT_EXPECT_EQ(test, dev_is_dma_coherent(sdev),
			dev_is_dma_coherent(dev));
	KUNIT_EXPECT_EQ(test, dma_get_max_seg_size(sdev), SZ_1M);
	KUNIT_EXPECT_EQ(test, dma_get_seg_boundary(sdev), SZ_4M - 1);
	KUNIT_EXPECT_EQ(test, sdev->bus_dma_limit, START + LEN - 1);
	KUNIT_EXPECT_TRUE(test, device_iommu_capable(sdev,
						     IOMMU_CAP_CACHE_COHERENCY));
	/* What was unmapped is gone at once. */
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(sdev,
						      IOMMU_CAP_DEFERRED_FLUSH));
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_of(sdev), space);

	vdev = vcm_iova_get(sdev);
	KUNIT_EXPECT_TRUE(test, vdev->linked);
	KUNIT_EXPECT_PTR_EQ(test, vdev->rules.gate, &space->parent->gate);
	vcm_iova_put(vdev);
	vdev = vcm_iova_get(dev);
	KUNIT_EXPECT_NULL(test, vdev->rules.gate);
	vcm_iova_put(vdev);
	vcm_space_destroy(space);
}

/* What it is attached to, no device ever sees. */
static void a_keeper_is_not_like_its_parent(struct kunit *test)
{
	struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(28), .max_seg_size = SZ_64K,
		.boundary = SZ_1M - 1,
	};
	struct vcm_space_args space_args = {
		.len = SZ_256M, .fixed_len = SZ_64K, .align = SZ_2M,
	};
	struct device *dev = vcm_fake_device(test, &args), *kdev;
	struct vcm_space *space = vcm_space_create(dev, &space_args);
	struct vcm_space *keeper;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	keeper = space->keeper;
	KUNIT_ASSERT_NOT_NULL(test, keeper);
	kdev = vcm_space_dev(keeper);
	KUNIT_EXPECT_TRUE(test, strstarts(dev_name(kdev), "vcm-keeper."));
	KUNIT_EXPECT_TRUE(test, strstarts(dev_name(vcm_space_dev(space)),
					  "vcm-space."));
	KUNIT_EXPECT_EQ(test, dma_get_mask(kdev), DMA_BIT_MASK(64));
	KUNIT_EXPECT_EQ(test, kdev->coherent_dma_mask, DMA_BIT_MASK(64));
	KUNIT_EXPECT_EQ(test, kdev->bus_dma_limit, 0);
	KUNIT_EXPECT_EQ(test, dma_get_max_seg_size(kdev), UINT_MAX);
	KUNIT_EXPECT_EQ(test, dma_get_seg_boundary(kdev), ULONG_MAX);
	/* All that is translated, from the first address to the last */
	KUNIT_EXPECT_EQ(test, keeper->domain->domain.geometry.aperture_start, 0);
	KUNIT_EXPECT_EQ(test, keeper->domain->domain.geometry.aperture_end,
			DMA_BIT_MASK(48));
	/* It refuses nothing, has no keeper itself, and does not count. */
	KUNIT_EXPECT_EQ(test, keeper->domain->align, 0);
	KUNIT_EXPECT_NULL(test, keeper->keeper);
	KUNIT_EXPECT_EQ(test, space->parent->nr_spaces, 1);
	vcm_space_destroy(space);

	space_args.fixed_len = 0;
	space = vcm_space_create(dev, &space_args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_NULL(test, space->keeper);
	vcm_space_destroy(space);
}

static void a_window_is_what_is_asked_for_and_translated(struct kunit *test)
{
	static const struct {
		u64 start;
		u64 len;
		u64 first;
		u64 last;
	} cases[] = {
		{ 0, 2 * PAGE_SIZE, 0, 2 * PAGE_SIZE - 1 },
		{ START, LEN, START, START + LEN - 1 },
		{ START, BIG, START, START + BIG - 1 },
		{ 0, 2 * BIG, 0, 2 * BIG - 1 },
		{ 0, 2 * BIG - PAGE_SIZE, 0, 2 * BIG - PAGE_SIZE - 1 },
		{ BIG, 2 * BIG, BIG, 2 * BIG - 1 },
	};
	struct device *dev = vcm_fake_device(test, &managed);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcm_space_args args = {
			.start = cases[i].start, .len = cases[i].len,
		};
		struct vcm_space *space = vcm_space_create(dev, &args);
		const struct iommu_domain_geometry *geometry;

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
		geometry = &space->domain->domain.geometry;
		KUNIT_EXPECT_EQ_MSG(test, geometry->aperture_start,
				    cases[i].first, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, geometry->aperture_end,
				    cases[i].last, "case %d", i);
		KUNIT_EXPECT_TRUE(test, geometry->force_aperture);
		vcm_space_destroy(space);
	}
}

/* The first page and the last one too, and none beside them. */
static void a_window_is_used_to_its_end(struct kunit *test)
{
	struct vcm_space_args args = { .start = START, .len = 4 * PAGE_SIZE };
	struct device *dev = vcm_fake_device(test, &managed), *sdev;
	struct space_test *t = test->priv;
	struct vcm_space *space = vcm_space_create(dev, &args);
	unsigned long used = 0;
	dma_addr_t addr[5];
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	sdev = vcm_space_dev(space);
	for (i = 0; i < 4; i++) {
		addr[i] = dma_map_page(sdev, t->block, 0, PAGE_SIZE,
				       DMA_TO_DEVICE);
		KUNIT_ASSERT_FALSE(test, dma_mapping_error(sdev, addr[i]));
		KUNIT_ASSERT_GE(test, addr[i], START);
		KUNIT_ASSERT_LT(test, addr[i], START + 4 * PAGE_SIZE);
		used |= BIT((addr[i] - START) >> PAGE_SHIFT);
	}
	KUNIT_EXPECT_EQ(test, used, 0xf);
	addr[4] = dma_map_page(sdev, t->block, 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(sdev, addr[4]));
	for (i = 0; i < 4; i++)
		dma_unmap_page(sdev, addr[i], PAGE_SIZE, DMA_TO_DEVICE);
	vcm_space_destroy(space);
}

static void a_fixed_window_is_within_reach(struct kunit *test)
{
	struct vcm_fake_args narrow = { .mask = DMA_BIT_MASK(28) };
	struct vcm_space_args args = { .len = SZ_512M, .fixed_len = SZ_1M };
	struct device *dev = vcm_fake_device(test, &narrow);
	struct vcm_space *space;

	args.fixed_start = SZ_256M - SZ_1M;
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	vcm_space_destroy(space);
	args.fixed_start += PAGE_SIZE;
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &args),
			    ERR_PTR(-ERANGE));
	/* The bus may have fewer bits than the device. */
	dev->bus_dma_limit = DMA_BIT_MASK(27);
	args.fixed_start = SZ_128M - SZ_1M + PAGE_SIZE;
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &args),
			    ERR_PTR(-ERANGE));
	args.fixed_start = SZ_128M - SZ_1M;
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_EQ(test, vcm_space_dev(space)->bus_dma_limit,
			DMA_BIT_MASK(27));
	vcm_space_destroy(space);
	/* ... or the space less than the bus. */
	args.len = SZ_128M - SZ_64K;
	args.fixed_start = 0;
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_EQ(test, vcm_space_dev(space)->bus_dma_limit,
			SZ_128M - SZ_64K - 1);
	vcm_space_destroy(space);
}

static void a_window_is_within_reach(struct kunit *test)
{
	struct vcm_fake_args narrow = { .mask = DMA_BIT_MASK(28) };
	struct vcm_space_args args = { .start = SZ_256M, .len = SZ_16M };
	struct device *dev = vcm_fake_device(test, &narrow);
	struct vcm_space *space;

	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &args),
			    ERR_PTR(-ERANGE));
	args.start -= PAGE_SIZE;
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	vcm_space_destroy(space);
	dev->bus_dma_limit = DMA_BIT_MASK(27);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &args),
			    ERR_PTR(-ERANGE));
}

static void a_parent_is_alone_in_its_group(struct kunit *test)
{
	struct vcm_fake_args args = managed;
	struct device *dev = vcm_fake_device(test, &managed), *other;
	struct vcm_space *space = new_space(test, dev);

	KUNIT_ASSERT_EQ(test, vcm_space_activate(space), 0);
	args.group_of = dev;
	other = vcm_fake_device(test, &args);
	KUNIT_EXPECT_PTR_EQ(test, other->iommu_group, dev->iommu_group);

	/* It has come too late to be kept out, and both are let go. */
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(other));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), -EXDEV);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(space), -EXDEV);
	KUNIT_EXPECT_FALSE(test, is_active(space));
	vcm_space_destroy(space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-EXDEV));
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(other, &usual),
			    ERR_PTR(-EXDEV));
}

#ifdef CONFIG_GENERIC_MSI_IRQ
static void interrupts_are_not_lost(struct kunit *test)
{
	struct device *dev, *silent;

	vcm_fake_iommu.regions[0].start = SZ_8M;
	vcm_fake_iommu.regions[0].length = SZ_1M;
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_SW_MSI;
	silent = vcm_fake_device(test, &managed);
	dev = vcm_fake_device(test, &managed);
	/* Looked at, and not into */
	dev_set_msi_domain(dev, (void *)test);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-EADDRNOTAVAIL));
	dev_set_msi_domain(dev, NULL);
	vcm_space_destroy(new_space(test, silent));
	/* Where messages are not translated, nothing has to be known of them. */
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_MSI;
	dev_set_msi_domain(dev, (void *)test);
	vcm_space_destroy(new_space(test, dev));
	dev_set_msi_domain(dev, NULL);
}
#endif

static void spaces_of_two_parents_are_apart(struct kunit *test)
{
	struct device *a = vcm_fake_device(test, &managed);
	struct device *b = vcm_fake_device(test, &managed);
	struct vcm_space *sa = new_space(test, a), *sb = new_space(test, b);

	KUNIT_EXPECT_PTR_NE(test, sa->parent, sb->parent);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(sa), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(sb), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(a), sa->domain->backing);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(b), sb->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(sa), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(sb), 0);
	vcm_space_destroy(sa);
	vcm_space_destroy(sb);
}

/* --- Activation -------------------------------------------------------- */

static void the_gap_of_a_managed_device_is_blocked(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);

	KUNIT_EXPECT_TRUE(test, vcm_space_gap_blocked(space));
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev),
			    space->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	vcm_space_destroy(space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev),
			    iommu_get_domain_for_dev(dev));
}

/* Where the device of the cases writes to for an interrupt */
#define DOORBELL_IOVA	SZ_1G

static void have_doorbell(struct vcm_regions *regions)
{
	regions->doorbell = SZ_2G;
	regions->doorbell_iova = DOORBELL_IOVA;
}

/* What the device finds at the doorbell and beside it, wherever it is. */
static void check_doorbell(struct kunit *test, struct device *dev)
{
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, DOORBELL_IOVA), SZ_2G);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, DOORBELL_IOVA + PAGE_SIZE), 0);
}

/* In the domain that blocks all they would be lost. */
static void interrupts_arrive_in_the_gap(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct iommu_domain *own = vcm_fake_attached(dev);
	struct vcm_space *a, *b;

	kunit_activate_static_stub(test, vcm_region_doorbell, have_doorbell);
	a = new_space(test, dev);
	b = new_space(test, dev);
	KUNIT_EXPECT_TRUE(test, vcm_space_gap_blocked(a));
	check_doorbell(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	check_doorbell(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	check_doorbell(test, dev);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), b->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	check_doorbell(test, dev);

	/* When a space cannot be activated, and when nothing can be for a while */
	vcm_fake_iommu.fail_attach = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), -ENOSPC);
	check_doorbell(test, dev);
	vcm_fake_iommu.fail_attach = 1;
	vcm_fake_iommu.fail_attach_more = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), -ENOSPC);
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	check_doorbell(test, dev);

	vcm_space_destroy(a);
	check_doorbell(test, dev);
	vcm_space_destroy(b);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), own);
	/* The page of the messages is mapped until the spaces have ended. */
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

static void without_a_gap_there_is_no_space(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct iommu_domain *own = vcm_fake_attached(dev);

	kunit_activate_static_stub(test, vcm_region_doorbell, have_doorbell);
	vcm_fake_iommu.fail_map = 1;
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), own);
	/* To block all cannot fail. */
	vcm_fake_iommu.fail_attach = 1;
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), own);
	vcm_space_destroy(new_space(test, dev));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), own);
	/* The page of the messages is mapped until the spaces have ended. */
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

static void the_gap_ends_with_the_device(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space;

	kunit_activate_static_stub(test, vcm_region_doorbell, have_doorbell);
	space = new_space(test, dev);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(space), 0);
	vcm_fake_device_remove(test, dev);
	KUNIT_EXPECT_NULL(test, space->parent->gap.domain);
	KUNIT_EXPECT_NULL(test, space->parent->attached);
	vcm_space_destroy(space);
	/* The page of the messages is mapped until the spaces have ended. */
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(0), 0);
}

static bool need_domain(const struct vcm_regions *regions)
{
	return true;
}

/* Where messages go; none are sent if it is 0. */
static u64 message_page;

static bool send_message(const struct vcm_regions *regions, u64 *page)
{
	*page = message_page;
	return message_page;
}

/* A device whose vectors are set up in the domain that it is in; none are yet. */
static struct device *new_messenger(struct kunit *test,
				    const struct vcm_fake_args *args)
{
	message_page = 0;
	kunit_activate_static_stub(test, vcm_regions_msi_in_domain,
				   need_domain);
	kunit_activate_static_stub(test, vcm_regions_message, send_message);
	return vcm_fake_device(test, args);
}

/* As iommu_dma_prepare_msi() for a device in the gap. Returns the address. */
static u64 set_up_vectors(struct kunit *test, struct vcm_gap *gap)
{
	KUNIT_ASSERT_NOT_NULL(test, gap->domain);
	KUNIT_ASSERT_EQ(test, gap->domain->cookie_type, IOMMU_COOKIE_DMA_MSI);
	KUNIT_ASSERT_EQ(test, dma_iova_size(&gap->doorbell), PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, iommu_map(gap->domain, gap->doorbell.addr, SZ_2G,
					PAGE_SIZE, IOMMU_WRITE, GFP_KERNEL), 0);
	return gap->doorbell.addr;
}

static void vectors_can_be_set_up_in_the_gap(struct kunit *test)
{
	struct device *dev = new_messenger(test, &managed);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);
	struct vcm_parent *parent = a->parent;
	unsigned long maps;
	u64 iova;

	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), parent->gap.domain);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(a), 0);
	iova = set_up_vectors(test, &parent->gap);
	message_page = iova;
	KUNIT_EXPECT_TRUE(test, vcm_regions_overlap(&parent->regions, iova, 1));

	/* There is no memory to let them through, and then there is. */
	vcm_fake_iommu.fail_map = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), parent->gap.domain);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), SZ_2G);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), SZ_2G);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), SZ_2G);
	maps = vcm_fake_iommu.nr_maps;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_maps, maps);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), SZ_2G);

	/* They were freed before the end. */
	message_page = 0;
	vcm_space_destroy(a);
	vcm_space_destroy(b);
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), 0);
}

static void vectors_of_the_gap_outlive_it(struct kunit *test)
{
	struct device *dev = new_messenger(test, &managed);
	struct space_test *t = test->priv;
	struct dma_iova_state other;
	struct vcm_space *space;
	u64 iova;

	space = new_space(test, dev);
	iova = set_up_vectors(test, &space->parent->gap);
	message_page = iova;
	vcm_space_destroy(space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev),
			    iommu_get_domain_for_dev(dev));
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, iova), SZ_2G);
	t->pages = 1;

	/* Nobody else gets the address, also not the next gap. */
	KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(dev, &other, 0, PAGE_SIZE));
	KUNIT_EXPECT_NE(test, other.addr, iova);
	dma_iova_free(dev, &other);
	space = new_space(test, dev);
	message_page = set_up_vectors(test, &space->parent->gap);
	KUNIT_EXPECT_NE(test, message_page, iova);
	/* Without memory they do not arrive, but do no harm either. */
	vcm_fake_iommu.fail_map = 1;
	vcm_space_destroy(space);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, message_page), 0);
	KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(dev, &other, 0, PAGE_SIZE));
	KUNIT_EXPECT_NE(test, other.addr, message_page);
	dma_iova_free(dev, &other);
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

static void messages_are_not_sent_into_buffers(struct kunit *test)
{
	struct space_test *t = test->priv;
	struct iommu_domain *own;
	struct vcm_space *space;
	struct device *dev;

	vcm_fake_iommu.regions[0].start = SZ_8M;
	vcm_fake_iommu.regions[0].length = SZ_1M;
	vcm_fake_iommu.regions[0].type = IOMMU_RESV_SW_MSI;
	dev = new_messenger(test, &unmanaged);
	own = iommu_get_domain_for_dev(dev);
	space = new_space(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);

	/* The DMA API gave them an address that spaces do not know. */
	message_page = SZ_8M + SZ_64K;
	KUNIT_ASSERT_EQ(test, iommu_map(own, message_page, SZ_2G, PAGE_SIZE,
					IOMMU_WRITE, GFP_KERNEL), 0);
	t->pages = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), -EADDRNOTAVAIL);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(space), -EADDRNOTAVAIL);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), own);
	/* Nor does the device's own domain know this one. */
	message_page = SZ_1G;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	vcm_space_destroy(space);

	/* Who has vectors first does not lose them. */
	message_page = SZ_8M + SZ_64K;
	space = new_space(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	vcm_space_destroy(space);
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

static void the_gap_of_others_is_their_default_domain(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &unmanaged);
	struct iommu_domain *domain = vcm_fake_attached(dev);
	struct vcm_space *space = new_space(test, dev);

	KUNIT_EXPECT_FALSE(test, vcm_space_gap_blocked(space));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), domain);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev),
			    space->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), domain);
	vcm_space_destroy(space);
}

static void one_space_is_active_at_a_time(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);

	KUNIT_EXPECT_FALSE(test, is_active(a));
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(a), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_TRUE(test, is_active(a));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(b), -EBUSY);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	KUNIT_EXPECT_FALSE(test, is_active(a));
	KUNIT_EXPECT_TRUE(test, is_active(b));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), b->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	/* From none */
	KUNIT_EXPECT_EQ(test, vcm_space_switch(a), 0);
	KUNIT_EXPECT_TRUE(test, is_active(a));
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(a), 0);
	vcm_space_destroy(a);
	vcm_space_destroy(b);
}

static void what_cannot_be_attached_is_not_active(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);

	vcm_fake_iommu.fail_attach = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, is_active(a));
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	vcm_fake_iommu.fail_attach = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_switch(a), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, is_active(a));

	/* The one before is active again. */
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	vcm_fake_iommu.fail_attach = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, is_active(a));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), a->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(a), 0);
	vcm_space_destroy(a);
	vcm_space_destroy(b);
}

/* As while a PCI device is being reset: then nothing can be attached. */
static void a_switch_that_cannot_go_back_says_so(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);

	KUNIT_ASSERT_EQ(test, vcm_space_activate(a), 0);
	vcm_fake_iommu.fail_attach = 1;
	vcm_fake_iommu.fail_attach_more = 1;
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, is_active(a));
	KUNIT_EXPECT_FALSE(test, is_active(b));
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(dev));
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(a), -EINVAL);

	/* Later */
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), b->domain->backing);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	vcm_space_destroy(a);
	vcm_space_destroy(b);
}

static void who_else_has_the_device_is_respected(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &unmanaged);
	struct vcm_space *space = new_space(test, dev);
	struct iommu_domain *other = iommu_paging_domain_alloc(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_ASSERT_EQ(test, iommu_attach_device(other, dev), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), -EBUSY);
	KUNIT_EXPECT_FALSE(test, is_active(space));
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev), other);
	iommu_detach_device(other, dev);
	vcm_space_destroy(space);

	/* A device that could be claimed is not, while it is in use. */
	dev = vcm_fake_device(test, &managed);
	KUNIT_ASSERT_EQ(test, iommu_attach_device(other, dev), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
			    ERR_PTR(-EBUSY));
	iommu_detach_device(other, dev);
	iommu_domain_free(other);

	/* Claimed by somebody else: no claim, and no activation. */
	KUNIT_ASSERT_EQ(test, iommu_device_claim_dma_owner(dev, test), 0);
	space = vcm_space_create(dev, &usual);
	if (!IS_ERR(space)) {
		KUNIT_EXPECT_FALSE(test, vcm_space_gap_blocked(space));
		vcm_space_destroy(space);
	}
	iommu_device_release_dma_owner(dev);
}

/* --- Mapping ----------------------------------------------------------- */

static void mappings_are_in_the_window(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	const struct vcm_iova_policy policy = {};
	struct vcm_space_args args = { .start = SZ_64M, .len = SZ_64M,
				       .fixed_start = SZ_64M,
				       .fixed_len = SZ_32M };
	struct sg_table *sgt = new_table(test, 3, 0, SZ_2M);
	struct vcm_iova_device *vdev;
	struct vcm_space *space;
	struct vcm_iova_mapping map;

	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
					   DMA_BIDIRECTIONAL, &policy,
					   &map), 0);
	/* Behind the fixed window */
	KUNIT_EXPECT_GE(test, map.iova, SZ_64M + SZ_32M);
	KUNIT_EXPECT_LE(test, map.iova + map.len, SZ_128M);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, map.iova), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, map.iova + SZ_2M + SZ_1M),
			block_phys(test, SZ_1M));
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, map.iova),
			block_phys(test, 0));
	KUNIT_EXPECT_EQ(test, space->domain->mapped, 3 * SZ_2M);

	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	vcm_test_unmap(&map);
	KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
	vcm_iova_put(vdev);
	vcm_space_destroy(space);
}

/* virtio-iommu loses what is mapped or unmapped while it is attached. */
static void nothing_is_mapped_while_the_gate_is_closed(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct sg_table *sgt = new_table(test, 2, 0, SZ_64K);
	const struct vcm_iova_policy policy = {};
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	vcm_fake_iommu.gate = &space->parent->gate;
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	vcm_test_unmap(&map);
	KUNIT_EXPECT_GE(test, vcm_fake_iommu.nr_maps, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_ungated, 0);
	vcm_fake_iommu.gate = NULL;
	vcm_iova_put(vdev);
	vcm_space_destroy(space);
}

/* The default domain is attached as well, and then the same is lost there. */
static void nothing_is_mapped_for_a_parent_between_domains(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &unmanaged);
	struct vcm_iova_device *vdev = vcm_iova_get(dev);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	vcm_fake_iommu.nr_attaches = 0;
	vcm_fake_iommu.attach_gate = &vdev->hold;
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_attaches, 4);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_ungated, 0);
	vcm_fake_iommu.attach_gate = NULL;

	/* Also for who attaches a buffer later than now */
	vcm_iova_put(vdev);
	vdev = vcm_iova_get(dev);
	KUNIT_EXPECT_PTR_EQ(test, vdev, a->parent->vdev);
	vcm_iova_put(vdev);
	vcm_space_destroy(a);
	vcm_space_destroy(b);
}

/* Whatever root writes to the file "type" of its group */
static void unmapped_is_unmapped_in_a_lazy_domain(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct iommu_domain *domain = &space->domain->domain;
	u64 phys = block_phys(test, 0);
	unsigned long syncs;
	int queued;

	for (queued = 0; queued <= 1; queued++) {
		struct iommu_iotlb_gather gather;

		KUNIT_ASSERT_EQ(test, iommu_map(domain, START, phys, PAGE_SIZE,
						IOMMU_READ, GFP_KERNEL), 0);
		iommu_iotlb_gather_init(&gather);
		gather.queued = queued;
		syncs = vcm_fake_iommu.nr_syncs;
		KUNIT_EXPECT_EQ(test, iommu_unmap_fast(domain, START, PAGE_SIZE,
						       &gather), PAGE_SIZE);
		/* Else the caller does it. */
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_syncs, syncs + queued);
		KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
	}
	vcm_space_destroy(space);
}

static void others_map_into_a_space_too(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed), *sdev;
	struct space_test *t = test->priv;
	struct vcm_space *space = new_space(test, dev);
	dma_addr_t addr;

	sdev = vcm_space_dev(space);
	addr = dma_map_page(sdev, t->block, 0, SZ_64K, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(sdev, addr));
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, addr),
			block_phys(test, 0));
	dma_unmap_page(sdev, addr, SZ_64K, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, addr), 0);
	vcm_space_destroy(space);
}

static void spaces_have_the_same_addresses_for_other_memory(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *a = new_space(test, dev), *b = new_space(test, dev);
	struct dma_buf *one = new_buffer(test, 1, 0, PAGE_SIZE);
	struct dma_buf *two = new_buffer(test, 1, SZ_1M, PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(a, FIXED, one, DMA_TO_DEVICE),
			0);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(b, FIXED, two, DMA_TO_DEVICE),
			0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, FIXED), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(a), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, FIXED), block_phys(test, 0));
	KUNIT_EXPECT_EQ(test, vcm_space_switch(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, FIXED),
			block_phys(test, SZ_1M));
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(b), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, FIXED), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(a, FIXED), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(b, FIXED), 0);
	vcm_space_destroy(a);
	vcm_space_destroy(b);
}

/* --- Fixed addresses --------------------------------------------------- */

static void fixed_addresses_are_checked(struct kunit *test)
{
	static const struct {
		u64 iova;
		int ret;
	} cases[] = {
		{ FIXED + 1, -EINVAL },
		{ FIXED - SZ_64K, -ERANGE },
		{ FIXED - PAGE_SIZE, -ERANGE },
		{ FIXED + FIXED_LEN, -ERANGE },
		{ FIXED + FIXED_LEN - PAGE_SIZE, -ERANGE },
		{ FIXED + FIXED_LEN - SZ_32K, -ERANGE },
		{ 0, -ERANGE },
		{ -SZ_64K, -ERANGE },
		{ FIXED, 0 },
		{ FIXED, -EEXIST },
		{ FIXED + SZ_64K - PAGE_SIZE, -EEXIST },
		{ FIXED + SZ_128K, 0 },
		{ FIXED + SZ_64K + PAGE_SIZE, -EEXIST },
		{ FIXED + SZ_64K, 0 },
		{ FIXED + FIXED_LEN - SZ_64K, 0 },
	};
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 1, 0, SZ_64K);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, vcm_space_map_at(space,
							   cases[i].iova, buf,
							   DMA_TO_DEVICE),
				    cases[i].ret, "case %d", i);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED + PAGE_SIZE),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, 0), -ENOENT);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!cases[i].ret)
			KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space,
								 cases[i].iova),
					0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), -ENOENT);
	vcm_space_destroy(space);
}

static void only_whole_pages_are_mapped(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct sg_table *page = new_table(test, 1, 0, PAGE_SIZE);
	struct dma_buf *bad[] = {
		vcm_fake_buffer(test, page, 0),
		new_buffer(test, 1, 64, PAGE_SIZE),
		new_buffer(test, 2, 0, PAGE_SIZE + 64),
		vcm_fake_buffer(test, page, 2 * PAGE_SIZE),
		vcm_fake_buffer(test, new_table(test, 2, 0, PAGE_SIZE),
				PAGE_SIZE),
	};
	struct dma_buf *whole = vcm_fake_buffer(test, page, PAGE_SIZE);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, vcm_space_map_at(space, FIXED, bad[i],
							   DMA_TO_DEVICE),
				    -EINVAL, "case %d", i);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	}
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, whole, DMA_NONE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, whole, 17),
			-EINVAL);
	vcm_space_destroy(space);
}

static void only_memory_is_mapped(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct sg_table *sgt = new_table(test, 1, 0, PAGE_SIZE);

	/* What no page stands for is a device's own. */
	sg_set_page(sgt->sgl, NULL, PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED,
					       vcm_fake_buffer(test, sgt,
							       PAGE_SIZE),
					       DMA_TO_DEVICE), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	vcm_space_destroy(space);
}

/* The parent reaches no memory that is not allocated any more. */
static void a_fixed_mapping_keeps_its_buffer(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 1, 0, SZ_64K);

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	/* It is attached, so that its exporter keeps it where it is. */
	KUNIT_EXPECT_FALSE(test, list_empty(&buf->attachments));
	vcm_fake_buffer_put(test, buf);
	KUNIT_ASSERT_EQ(test, vcm_fake_iommu.nr_buffers, 1);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, FIXED),
			block_phys(test, 0));

	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_buffers, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	vcm_space_destroy(space);
}

/* Where the keeper has a buffer is nobody's concern, that of the policy included. */
static void a_fixed_mapping_obeys_no_policy(struct kunit *test)
{
	static const struct vcm_iova_policy policies[] = {
		{ .align = VCM_IOVA_SPACE_MAX, .flags = VCM_IOVA_STRICT },
		{ .guard = VCM_IOVA_SPACE_MAX },
	};
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct sg_table *sgt = new_table(test, 1, 0, SZ_64K);
	struct vcm_iova_device *keeper, *vdev;
	struct vcm_iova_mapping map;
	int i;

	keeper = vcm_iova_get(vcm_space_dev(space->keeper));
	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, keeper);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
						   &policies[i], &map), -ENOSPC);
		KUNIT_ASSERT_EQ(test, vcm_test_map(keeper, sgt, DMA_TO_DEVICE,
						   &policies[i], &map), 0);
		KUNIT_EXPECT_EQ(test, map.guard, 0);
		KUNIT_EXPECT_FALSE(test, map.degraded);
		vcm_test_unmap(&map);
	}
	vcm_iova_put(vdev);
	vcm_iova_put(keeper);
	vcm_space_destroy(space);
}

/* Not twice, at an address that the DMA API chose as well. */
static void a_fixed_mapping_takes_its_own_room_only(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space_args args = { .start = START, .len = SZ_2M,
				       .fixed_start = START,
				       .fixed_len = SZ_2M };
	struct dma_buf *buf = new_buffer(test, 1, 0, SZ_2M);
	struct vcm_space *space = vcm_space_create(dev, &args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, START, buf,
					       DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, space->domain->mapped, SZ_2M);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, START), 0);
	vcm_space_destroy(space);
}

static void the_direction_is_the_permission(struct kunit *test)
{
	static const struct {
		enum dma_data_direction dir;
		int prot;
	} cases[] = {
		{ DMA_TO_DEVICE, IOMMU_READ },
		{ DMA_FROM_DEVICE, IOMMU_WRITE },
		{ DMA_BIDIRECTIONAL, IOMMU_READ | IOMMU_WRITE },
	};
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 1, 0, PAGE_SIZE);
	int i;

	/* The first of two calls is the keeper's. */
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, buf,
						       cases[i].dir), 0);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[2 * i + 1].prot &
				(IOMMU_READ | IOMMU_WRITE), cases[i].prot);
		KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	}
	vcm_space_destroy(space);
}

/* The caches of a device that looks into them itself are left alone. */
static void a_coherent_device_is_mapped_as_one(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 1, 0, PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, !!(vcm_fake_iommu.calls[1].prot & IOMMU_CACHE),
			dev_is_dma_coherent(dev));
	vcm_space_destroy(space);
}

/* What is one run in memory is one run for the IOMMU, and no more. */
static void runs_are_mapped_as_runs(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct space_test *t = test->priv;
	struct sg_table *sgt = vcm_fake_table(test, t->block, 3, 0, SZ_64K);
	struct vcm_space *space = new_space(test, dev);
	const struct vcm_fake_call *call;
	struct scatterlist *sg;
	struct dma_buf *buf;
	unsigned long nr;

	/* The first two touch; the third is before them. */
	sg = sg_next(sgt->sgl);
	sg_set_page(sgt->sgl, t->block + (SZ_128K >> PAGE_SHIFT), SZ_64K, 0);
	sg_set_page(sg, t->block + ((SZ_128K + SZ_64K) >> PAGE_SHIFT), SZ_64K,
		    0);
	buf = vcm_fake_buffer(test, sgt, 3 * SZ_64K);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	nr = vcm_fake_iommu.nr_maps;
	KUNIT_ASSERT_GE(test, nr, 2);
	call = &vcm_fake_iommu.calls[nr - 2];
	KUNIT_EXPECT_EQ(test, call->iova, FIXED);
	KUNIT_EXPECT_EQ(test, call->phys, block_phys(test, SZ_128K));
	KUNIT_EXPECT_EQ(test, call->pgsize * call->pgcount, SZ_128K);
	call = &vcm_fake_iommu.calls[nr - 1];
	KUNIT_EXPECT_EQ(test, call->iova, FIXED + SZ_128K);
	KUNIT_EXPECT_EQ(test, call->phys, block_phys(test, 0));
	KUNIT_EXPECT_EQ(test, call->pgsize * call->pgcount, SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	vcm_space_destroy(space);
}

/* ... also where another buffer goes on, in memory and in the keeper. */
static void a_run_ends_with_its_buffer(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *behind = new_buffer(test, 1, SZ_64K, SZ_64K);
	struct dma_buf *front = new_buffer(test, 1, 0, SZ_64K);
	const struct vcm_fake_call *calls = vcm_fake_iommu.calls;

	/* The DMA API goes downwards. Each second call is the space's. */
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED + SZ_1M, behind,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, front,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, calls[2].iova + SZ_64K, calls[0].iova);
	KUNIT_EXPECT_EQ(test, calls[3].pgsize * calls[3].pgcount, SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, FIXED + SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED + SZ_1M), 0);
	vcm_space_destroy(space);
}

static void a_mapping_that_fails_leaves_nothing(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 5, 0, SZ_64K);
	unsigned int n;

	/* For the keeper, and then for the space */
	for (n = 1; n <= 10; n++) {
		vcm_fake_iommu.fail_map = n;
		KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, buf,
						       DMA_TO_DEVICE), -ENOMEM);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
		KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
		KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED),
				-ENOENT);
	}
	for (n = 3; n <= 8; n += 5) {
		vcm_fake_iommu.fail_sync = n;
		KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, buf,
						       DMA_TO_DEVICE), -ENOMEM);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
		KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
	}
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, space->domain->mapped, 5 * SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
	vcm_space_destroy(space);
}

/* --- Alignment --------------------------------------------------------- */

static struct vcm_space *new_aligned(struct kunit *test, struct device *dev,
				     u64 align)
{
	struct vcm_space_args args = usual;
	struct vcm_space *space;

	args.align = align;
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	return space;
}

static void misaligned_blocks_are_refused(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_aligned(test, dev, SZ_1M);
	struct dma_buf *buf = new_buffer(test, 1, 0, SZ_1M);
	struct iommu_domain *domain = &space->domain->domain;
	u64 block = block_phys(test, 0);

	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED + SZ_64K, buf,
					       DMA_TO_DEVICE), -EINVAL);
	KUNIT_EXPECT_EQ(test, space->domain->nr_refused, 0);
	KUNIT_EXPECT_EQ(test, iommu_map(domain, FIXED + SZ_64K, block, SZ_1M,
					IOMMU_READ, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, space->domain->nr_refused, 1);
	/* Not a whole block, and not the beginning of one */
	KUNIT_EXPECT_EQ(test, iommu_map(domain, FIXED + SZ_64K, block, SZ_64K,
					IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, iommu_map(domain, FIXED + SZ_128K,
					block + SZ_64K, SZ_1M, IOMMU_READ,
					GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, FIXED + SZ_64K,
					  SZ_1M + SZ_64K), SZ_1M + SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	vcm_space_destroy(space);
}

/* Two entries: 64 KB, and 2 MB behind them in the buffer. */
static struct sg_table *new_late_block(struct kunit *test, struct page *pages)
{
	struct sg_table *sgt = vcm_fake_table(test, pages, 2, SZ_64K, SZ_64K);

	sg_set_page(sg_next(sgt->sgl), pages, SZ_2M, 0);
	return sgt;
}

/* Where pages are neighbours by chance, nobody can put them elsewhere. */
static void pages_by_chance_are_no_block(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_aligned(test, dev, SZ_1M);
	struct space_test *t = test->priv;
	struct sg_table *loose = new_late_block(test, t->loose);
	struct sg_table *block = new_late_block(test, t->block);
	struct device *sdev = vcm_space_dev(space);

	KUNIT_ASSERT_EQ(test, dma_map_sgtable(sdev, loose, DMA_TO_DEVICE, 0),
			0);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, SZ_64K +
				sg_dma_address(loose->sgl)),
			page_to_phys(t->loose));
	KUNIT_EXPECT_EQ(test, space->domain->nr_refused, 0);
	dma_unmap_sgtable(sdev, loose, DMA_TO_DEVICE, 0);

	/* Who put these in this order could have put them in another. */
	KUNIT_EXPECT_EQ(test, dma_map_sgtable(sdev, block, DMA_TO_DEVICE, 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, space->domain->nr_refused, 1);
	vcm_space_destroy(space);
}

static void chunks_by_chance_are_no_block(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_aligned(test, dev, SZ_1M);
	const struct vcm_iova_policy policy = {};
	struct space_test *t = test->priv;
	struct sg_table *sgt = new_late_block(test, t->loose);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_EXPECT_EQ(test, vdev->rules.min_align, SZ_1M);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, map.iova + SZ_64K),
			page_to_phys(t->loose));
	KUNIT_EXPECT_EQ(test, space->domain->nr_refused, 0);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
	vcm_space_destroy(space);
}

static void a_narrow_space_keeps_its_own_alignment(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_aligned(test, dev, SZ_2M);
	const struct vcm_iova_policy policy = {};
	struct sg_table *sgt = new_table(test, 1, 0, SZ_2M);
	struct vcm_iova_device *vdev;
	struct scatterlist *sg;
	struct vcm_iova_mapping map;

	/* 3 MB: a pair of 1 MB blocks elsewhere */
	sgt = new_table(test, 2, 0, SZ_2M);
	sg = sg_next(sgt->sgl);
	sg->length = SZ_1M;
	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	KUNIT_EXPECT_EQ(test, map.align, SZ_2M);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
	vcm_space_destroy(space);
}

/* --- The end ----------------------------------------------------------- */

/* What is left to do when a parent is gone: to clean up. */
static void check_dead(struct kunit *test, struct vcm_space *space)
{
	struct dma_buf *buf = new_buffer(test, 1, 0, PAGE_SIZE);

	KUNIT_EXPECT_FALSE(test, is_active(space));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), -ENODEV);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), -ENODEV);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(space), -ENODEV);
	KUNIT_EXPECT_EQ(test, vcm_space_map_at(space, FIXED + SZ_1M, buf,
					       DMA_TO_DEVICE), -ENODEV);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(space, FIXED),
			block_phys(test, 0));
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED), 0);
	vcm_space_destroy(space);
}

static struct vcm_space *new_active(struct kunit *test, struct device *dev)
{
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 1, 0, PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(space), 0);
	return space;
}

static void a_parent_without_driver_has_no_spaces(struct kunit *test)
{
	const struct vcm_fake_args *args[] = { &managed, &unmanaged };
	int i;

	for (i = 0; i < ARRAY_SIZE(args); i++) {
		struct device *dev = vcm_fake_device(test, args[i]);
		struct device *other = vcm_fake_device(test, args[i]);
		struct vcm_space *space = new_active(test, dev), *again;

		/* That of others does not matter. */
		device_release_driver(other);
		KUNIT_EXPECT_TRUE(test, is_active(space));

		device_release_driver(dev);
		KUNIT_EXPECT_NULL(test, dev->driver);
		KUNIT_EXPECT_PTR_NE(test, vcm_fake_attached(dev),
				    space->domain->backing);

		/* Bound again it is another. */
		KUNIT_ASSERT_EQ(test, device_attach(dev), 1);
		again = new_space(test, dev);
		KUNIT_EXPECT_PTR_NE(test, again->parent, space->parent);
		check_dead(test, space);
		KUNIT_EXPECT_EQ(test, vcm_space_activate(again), 0);
		KUNIT_EXPECT_EQ(test, vcm_space_deactivate(again), 0);
		vcm_space_destroy(again);
	}
}

static void a_space_outlives_its_parent(struct kunit *test)
{
	const struct vcm_fake_args *args[] = { &managed, &unmanaged };
	const struct vcm_iova_policy policy = {};
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;
	struct sg_table *sgt;
	int i;

	for (i = 0; i < ARRAY_SIZE(args); i++) {
		struct device *dev = vcm_fake_device(test, args[i]);
		struct vcm_space *space = new_active(test, dev);

		sgt = new_table(test, 1, 0, SZ_64K);
		vdev = vcm_iova_get(vcm_space_dev(space));
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policy, &map), 0);
		/* Once without driver, and once with one */
		if (i)
			device_release_driver(dev);
		vcm_fake_device_remove(test, dev);
		vcm_test_unmap(&map);
		KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policy, &map),
				-ENODEV);
		vcm_iova_put(vdev);
		check_dead(test, space);
	}
}

/* --- Addresses that are no IOVAs --------------------------------------- */

static void direct_regions_are_in_every_space(struct kunit *test)
{
	struct vcm_fake_iommu *iommu = &vcm_fake_iommu;
	const struct vcm_iova_policy policy = {};
	struct vcm_space_args args = { .start = SZ_16M - SZ_64K,
				       .len = SZ_64K + SZ_64K + SZ_64K };
	struct sg_table *sgt = new_table(test, 1, 0, SZ_64K);
	struct space_test *t = test->priv;
	struct vcm_iova_device *vdev;
	struct vcm_space *space;
	struct vcm_iova_mapping map;
	struct device *dev;
	unsigned int n;

	iommu->regions[0].start = SZ_16M;
	iommu->regions[0].length = SZ_64K;
	iommu->regions[0].type = IOMMU_RESV_DIRECT;
	iommu->regions[0].prot = IOMMU_READ | IOMMU_WRITE;
	iommu->regions[1].start = SZ_32M;
	iommu->regions[1].length = PAGE_SIZE;
	iommu->regions[1].type = IOMMU_RESV_DIRECT_RELAXABLE;
	iommu->regions[1].prot = IOMMU_READ;
	iommu->regions[2].start = SZ_64M;
	iommu->regions[2].length = PAGE_SIZE;
	iommu->regions[2].type = IOMMU_RESV_MSI;
	dev = vcm_fake_device(test, &managed);
	t->pages = iommu->nr_pages;
	KUNIT_EXPECT_EQ(test, t->pages, (SZ_64K >> PAGE_SHIFT) + 1);

	for (n = 1; n <= 2; n++) {
		iommu->fail_map = n;
		KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &args),
				    ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, iommu->nr_pages, t->pages);
	}
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	/* Who needs memory cannot be blocked. */
	KUNIT_EXPECT_FALSE(test, vcm_space_gap_blocked(space));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, SZ_16M + PAGE_SIZE),
			SZ_16M + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, SZ_32M), SZ_32M);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, SZ_64M), 0);

	/* They are nothing that somebody mapped, nor can. */
	KUNIT_EXPECT_EQ(test, space->domain->mapped, 0);
	vdev = vcm_iova_get(vcm_space_dev(space));
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	KUNIT_EXPECT_TRUE(test, map.iova + SZ_64K <= SZ_16M ||
			  map.iova >= SZ_16M + SZ_64K);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	vcm_space_destroy(space);
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

/* Firmware lists some memory twice, and not always in whole pages. */
static void direct_regions_may_overlap(struct kunit *test)
{
	struct vcm_fake_iommu *iommu = &vcm_fake_iommu;
	static const u64 at[] = { SZ_16M, SZ_16M + SZ_64K - PAGE_SIZE,
				  SZ_16M + SZ_64K + PAGE_SIZE };
	const struct vcm_space_args args = { .start = START, .len = LEN };
	struct space_test *t = test->priv;
	struct vcm_space *space;
	struct device *dev;
	int i;

	for (i = 0; i < 3; i++) {
		iommu->regions[i].start = SZ_16M + i * PAGE_SIZE;
		iommu->regions[i].length = SZ_64K;
		iommu->regions[i].type = IOMMU_RESV_DIRECT;
		iommu->regions[i].prot = IOMMU_READ | IOMMU_WRITE;
	}
	/* In the middle of the first, and a part of a page behind the last */
	iommu->regions[1].start = SZ_16M + SZ_32K;
	iommu->regions[1].length = PAGE_SIZE;
	iommu->regions[2].length = SZ_64K - 64;
	dev = vcm_fake_device(test, &managed);
	t->pages = iommu->nr_pages;
	/* One space more, and nothing in it that is not in its own domain */
	space = vcm_space_create(dev, &args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_EQ(test, iommu->nr_pages - t->pages,
			SZ_64K / PAGE_SIZE + 2);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, at[i]), at[i]);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, SZ_16M - PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, SZ_16M + SZ_64K +
					    2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	vcm_space_destroy(space);
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(1), 1);
}

/* --- Faults ------------------------------------------------------------ */

/**
 * struct fault_log - faults that a handler was told of
 * @nr: how many
 * @iova: address of the last one
 * @write: whether that was written to
 */
struct fault_log {
	unsigned int nr;
	u64 iova;
	bool write;
};

static void log_fault(struct vcm_space *space, u64 iova, bool write, void *data)
{
	struct fault_log *log = data;

	log->nr++;
	log->iova = iova;
	log->write = write;
}

static void faults_are_told(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct fault_log log = {};

	KUNIT_EXPECT_EQ(test, vcm_space_set_fault_handler(space, log_fault,
							  &log), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_set_fault_handler(space, NULL, NULL),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, vcm_fake_fault(dev, START + 123, true), 0);
	KUNIT_EXPECT_EQ(test, log.nr, 1);
	KUNIT_EXPECT_EQ(test, log.iova, START + 123);
	KUNIT_EXPECT_TRUE(test, log.write);
	KUNIT_EXPECT_EQ(test, vcm_fake_fault(dev, START, false), 0);
	KUNIT_EXPECT_EQ(test, log.nr, 2);
	KUNIT_EXPECT_FALSE(test, log.write);

	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_set_fault_handler(space, NULL, NULL),
			0);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(space), 0);
	/* Whose driver then writes to the log. */
	KUNIT_EXPECT_EQ(test, vcm_fake_fault(dev, START, false), -ENODEV);
	KUNIT_EXPECT_EQ(test, log.nr, 2);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(space), 0);
	vcm_space_destroy(space);
}

/* --- When something fails ---------------------------------------------- */

static void no_domain_is_no_space(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	unsigned long domains = vcm_fake_iommu.nr_domains;
	unsigned int n;

	/* Its own, and that of its keeper */
	for (n = 1; n <= 2; n++) {
		vcm_fake_iommu.fail_alloc = n;
		KUNIT_EXPECT_PTR_EQ(test, vcm_space_create(dev, &usual),
				    ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, vcm_fake_settle(domains), domains);
	}
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(dev),
			    iommu_get_domain_for_dev(dev));
}

/* What the core does for a device that was added, for one that could not be. */
static void what_names_the_iommu_is_freed(struct kunit *test)
{
	struct platform_device *pdev = platform_device_alloc("vcm-test", 0);
	struct iommu_fwspec *fwspec;

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	/* There may be nothing to free. */
	vcm_fwspec_free(&pdev->dev);
	KUNIT_EXPECT_EQ(test, vcm_fwspec_init(&pdev->dev, vcm_space_fwnode()),
			0);
	fwspec = dev_iommu_fwspec_get(&pdev->dev);
	KUNIT_EXPECT_NOT_NULL(test, fwspec);
	if (fwspec)
		KUNIT_EXPECT_PTR_EQ(test, fwspec->iommu_fwnode,
				    vcm_space_fwnode());
	vcm_fwspec_free(&pdev->dev);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu);
	platform_device_put(pdev);
}

#ifdef VCM_HAVE_FAIL_NTH
static bool space_translates(struct vcm_space *space)
{
	return dma_get_merge_boundary(vcm_space_dev(space)) &&
	       (!space->keeper ||
		dma_get_merge_boundary(vcm_space_dev(space->keeper)));
}

static void out_of_memory_leaves_no_space(struct kunit *test)
{
	unsigned int n = 0, failures = 0;
	struct vcm_space *space;
	unsigned long domains;
	struct device *dev;
	bool failed;

	reserve_some();
	dev = vcm_fake_device(test, &managed);
	domains = vcm_fake_iommu.nr_domains;
	do {
		vcm_fail_nth_start(test, ++n);
		space = vcm_space_create(dev, &usual);
		failed = vcm_fail_nth_end();
		if (!IS_ERR(space)) {
			/* Not past the IOMMU, whatever was missing */
			KUNIT_EXPECT_TRUE_MSG(test, space_translates(space),
					      "n=%u", n);
			vcm_space_destroy(space);
		} else {
			failures++;
		}
		if (IS_ERR(space) && space != ERR_PTR(-ENOMEM))
			KUNIT_FAIL(test, "n=%u: %pe", n, space);
		KUNIT_EXPECT_EQ(test, vcm_fake_settle(domains), domains);
		KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(space));
	KUNIT_EXPECT_GT(test, failures, 10);
	kunit_info(test, "%u allocations, %u of them needed", n - 1, failures);
}

static void out_of_memory_leaves_no_fixed_mapping(struct kunit *test)
{
	struct device *dev = vcm_fake_device(test, &managed);
	struct vcm_space *space = new_space(test, dev);
	struct dma_buf *buf = new_buffer(test, 5, 0, SZ_64K);
	unsigned int n = 0, failures = 0;
	bool failed;
	int ret;

	do {
		vcm_fail_nth_start(test, ++n);
		ret = vcm_space_map_at(space, FIXED, buf, DMA_TO_DEVICE);
		failed = vcm_fail_nth_end();
		failures += ret == -ENOMEM;
		/* There may be another way round an allocation that failed. */
		if (ret != -ENOMEM)
			KUNIT_EXPECT_EQ(test, ret, 0);
		if (!ret)
			KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED),
					0);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, failures, 0);
	vcm_space_destroy(space);
}
#endif

static struct kunit_case space_test_cases[] = {
	KUNIT_CASE(arguments_are_checked),
	KUNIT_CASE(there_is_no_space_without_iommu),
	KUNIT_CASE(a_space_has_one_domain),
	KUNIT_CASE(there_is_a_limit),
	KUNIT_CASE(a_space_is_like_its_parent),
	KUNIT_CASE(a_keeper_is_not_like_its_parent),
	KUNIT_CASE(a_window_is_what_is_asked_for_and_translated),
	KUNIT_CASE(a_window_is_used_to_its_end),
	KUNIT_CASE(a_fixed_window_is_within_reach),
	KUNIT_CASE(a_window_is_within_reach),
	KUNIT_CASE(a_parent_is_alone_in_its_group),
#ifdef CONFIG_GENERIC_MSI_IRQ
	KUNIT_CASE(interrupts_are_not_lost),
#endif
	KUNIT_CASE(spaces_of_two_parents_are_apart),
	KUNIT_CASE(the_gap_of_a_managed_device_is_blocked),
	KUNIT_CASE(interrupts_arrive_in_the_gap),
	KUNIT_CASE(without_a_gap_there_is_no_space),
	KUNIT_CASE(the_gap_ends_with_the_device),
	KUNIT_CASE(vectors_can_be_set_up_in_the_gap),
	KUNIT_CASE(vectors_of_the_gap_outlive_it),
	KUNIT_CASE(messages_are_not_sent_into_buffers),
	KUNIT_CASE(the_gap_of_others_is_their_default_domain),
	KUNIT_CASE(one_space_is_active_at_a_time),
	KUNIT_CASE(what_cannot_be_attached_is_not_active),
	KUNIT_CASE(a_switch_that_cannot_go_back_says_so),
	KUNIT_CASE(who_else_has_the_device_is_respected),
	KUNIT_CASE(mappings_are_in_the_window),
	KUNIT_CASE(nothing_is_mapped_while_the_gate_is_closed),
	KUNIT_CASE(nothing_is_mapped_for_a_parent_between_domains),
	KUNIT_CASE(unmapped_is_unmapped_in_a_lazy_domain),
	KUNIT_CASE(others_map_into_a_space_too),
	KUNIT_CASE(spaces_have_the_same_addresses_for_other_memory),
	KUNIT_CASE(fixed_addresses_are_checked),
	KUNIT_CASE(only_whole_pages_are_mapped),
	KUNIT_CASE(only_memory_is_mapped),
	KUNIT_CASE(a_fixed_mapping_keeps_its_buffer),
	KUNIT_CASE(a_fixed_mapping_obeys_no_policy),
	KUNIT_CASE(a_fixed_mapping_takes_its_own_room_only),
	KUNIT_CASE(the_direction_is_the_permission),
	KUNIT_CASE(a_coherent_device_is_mapped_as_one),
	KUNIT_CASE(runs_are_mapped_as_runs),
	KUNIT_CASE(a_run_ends_with_its_buffer),
	KUNIT_CASE(a_mapping_that_fails_leaves_nothing),
	KUNIT_CASE(misaligned_blocks_are_refused),
	KUNIT_CASE(pages_by_chance_are_no_block),
	KUNIT_CASE(chunks_by_chance_are_no_block),
	KUNIT_CASE(a_narrow_space_keeps_its_own_alignment),
	KUNIT_CASE(a_parent_without_driver_has_no_spaces),
	KUNIT_CASE(a_space_outlives_its_parent),
	KUNIT_CASE(direct_regions_are_in_every_space),
	KUNIT_CASE(direct_regions_may_overlap),
	KUNIT_CASE(faults_are_told),
	KUNIT_CASE(no_domain_is_no_space),
	KUNIT_CASE(what_names_the_iommu_is_freed),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_leaves_no_space),
	KUNIT_CASE(out_of_memory_leaves_no_fixed_mapping),
#endif
	{}
};

static struct kunit_suite space_test_suite = {
	.name = "vcm_space",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = space_test_init,
	.exit = space_test_exit,
	.test_cases = space_test_cases,
};

kunit_test_suite(space_test_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
