// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the domain of an address space: what becomes of it in the IOMMU
 *
 * What the DMA API does with a space's domain is done here call by call.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/sizes.h>

#include "../vcm-domain.h"
#include "../vcm-parent.h"
#include "../vcm-space.h"
#include "vcm-fake-iommu.h"

#define BLOCK_ORDER	get_order(SZ_2M)
#define START		((u64)SZ_64M)

/**
 * struct domain_test - what a case works on
 * @block: 2 MB of memory
 * @dev: a device
 * @space: a space of it
 * @domain: what the DMA API maps in for the space
 */
struct domain_test {
	struct page *block;
	struct device *dev;
	struct vcm_space *space;
	struct iommu_domain *domain;
};

static int domain_test_init(struct kunit *test)
{
	static const struct vcm_space_args space_args = {
		.start = START, .len = SZ_256M,
	};
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct domain_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct vcm_space *space;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	if (!t->block)
		return -ENOMEM;
	t->dev = vcm_fake_device(test, &args);
	space = vcm_space_create(t->dev, &space_args);
	if (IS_ERR(space))
		return PTR_ERR(space);
	t->space = space;
	t->domain = &space->domain->domain;
	return 0;
}

static void domain_test_exit(struct kunit *test)
{
	struct domain_test *t = test->priv;

	if (!t)
		return;
	if (t->space) {
		KUNIT_EXPECT_EQ(test, t->space->domain->mapped, 0);
		vcm_space_destroy(t->space);
	}
	if (t->block)
		__free_pages(t->block, BLOCK_ORDER);
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
}

/* Map @len bytes of the block from @offset on, as far behind the start. */
static void map_it(struct kunit *test, size_t offset, size_t len)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, iommu_map(t->domain, START + offset,
					page_to_phys(t->block) + offset, len,
					IOMMU_READ | IOMMU_WRITE, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, t->space->domain->mapped, len);
}

static void unmap_it(struct kunit *test, size_t offset, size_t len)
{
	struct domain_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, iommu_unmap(t->domain, START + offset, len), len);
	KUNIT_EXPECT_EQ(test, t->space->domain->mapped, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
}

static void every_page_is_where_it_should_be(struct kunit *test)
{
	struct domain_test *t = test->priv;
	size_t len = 31 * PAGE_SIZE, off;

	map_it(test, PAGE_SIZE, len);
	for (off = PAGE_SIZE; off < PAGE_SIZE + len; off += PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(t->space,
							     START + off),
				page_to_phys(t->block) + off);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(t->space, START), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(t->space, START + off), 0);
	unmap_it(test, PAGE_SIZE, len);
}

/* The IOMMU hears of blocks that are aligned to their own length. */
static void no_call_is_larger_than_its_alignment(struct kunit *test)
{
	static const size_t lens[] = {
		PAGE_SIZE, 2 * PAGE_SIZE, 4 * PAGE_SIZE, 8 * PAGE_SIZE,
		4 * PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE,
	};
	size_t offset = PAGE_SIZE;
	int i;

	map_it(test, PAGE_SIZE, 22 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, vcm_fake_iommu.nr_maps, ARRAY_SIZE(lens));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct vcm_fake_call *call = &vcm_fake_iommu.calls[i];

		KUNIT_EXPECT_EQ(test, call->iova, START + offset);
		KUNIT_EXPECT_EQ(test, call->pgsize * call->pgcount, lens[i]);
		offset += lens[i];
	}
	unmap_it(test, PAGE_SIZE, 22 * PAGE_SIZE);
}

static void a_call_that_fails_leaves_nothing(struct kunit *test)
{
	struct domain_test *t = test->priv;

	vcm_fake_iommu.fail_map = 3;
	KUNIT_EXPECT_EQ(test, iommu_map(t->domain, START + PAGE_SIZE,
					page_to_phys(t->block) + PAGE_SIZE,
					31 * PAGE_SIZE, IOMMU_READ, GFP_KERNEL),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, t->space->domain->mapped, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
}

static void what_is_unmapped_is_flushed(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;
	unsigned long nr;

	map_it(test, 0, SZ_64K);
	nr = vcm_fake_iommu.nr_syncs;
	unmap_it(test, 0, SZ_64K);
	KUNIT_EXPECT_GT(test, vcm_fake_iommu.nr_syncs, nr);

	map_it(test, 0, SZ_64K);
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(t->domain, START, SZ_64K,
					       &gather), SZ_64K);
	nr = vcm_fake_iommu.nr_syncs;
	iommu_iotlb_sync(t->domain, &gather);
	KUNIT_EXPECT_GT(test, vcm_fake_iommu.nr_syncs, nr);

	nr = vcm_fake_iommu.nr_flushes;
	iommu_flush_iotlb_all(t->domain);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_flushes, nr + 1);
}

/* Who flushes later does so for all, and a space does not wait for that. */
static void what_is_queued_is_flushed_as_well(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;
	unsigned long nr;

	map_it(test, 0, SZ_64K);
	iommu_iotlb_gather_init(&gather);
	gather.queued = true;
	nr = vcm_fake_iommu.nr_syncs;
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(t->domain, START, SZ_64K,
					       &gather), SZ_64K);
	KUNIT_EXPECT_GT(test, vcm_fake_iommu.nr_syncs, nr);
}

static void a_domain_that_is_closed_takes_nothing(struct kunit *test)
{
	struct domain_test *t = test->priv;

	map_it(test, 0, SZ_64K);
	vcm_domain_close(t->space->domain);
	KUNIT_EXPECT_EQ(test, iommu_map(t->domain, START + SZ_1M,
					page_to_phys(t->block), SZ_64K,
					IOMMU_READ, GFP_KERNEL), -ENODEV);
	/* What is there stays until it is unmapped. */
	KUNIT_EXPECT_EQ(test, t->space->domain->mapped, SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_space_iova_to_phys(t->space, START),
			page_to_phys(t->block));
	unmap_it(test, 0, SZ_64K);
}

static struct kunit_case domain_test_cases[] = {
	KUNIT_CASE(every_page_is_where_it_should_be),
	KUNIT_CASE(no_call_is_larger_than_its_alignment),
	KUNIT_CASE(a_call_that_fails_leaves_nothing),
	KUNIT_CASE(what_is_unmapped_is_flushed),
	KUNIT_CASE(what_is_queued_is_flushed_as_well),
	KUNIT_CASE(a_domain_that_is_closed_takes_nothing),
	{}
};

static struct kunit_suite domain_test_suite = {
	.name = "vcm_space_domain",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = domain_test_init,
	.exit = domain_test_exit,
	.test_cases = domain_test_cases,
};

kunit_test_suite(domain_test_suite);
