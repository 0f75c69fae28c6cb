// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mapping buffers for devices
 *
 * A case is named after what it proves. The devices and their IOMMU are made
 * up (vcm-fake-iommu.c), what is in between is the DMA API as it is. After each
 * case nothing may be left of it.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../vcm-device.h"
#include "../vcm-mapping.h"
#include "../vcm-slab.h"
#include "vcm-fail-nth.h"
#include "vcm-fake-iommu.h"
#include "vcm-test-map.h"

#define WIDE	DMA_BIT_MASK(48)
#define NARROW	DMA_BIT_MASK(28)

/* --- The policy -------------------------------------------------------- */

struct policy_case {
	const char *name;
	struct vcm_iova_policy policy;
	int ret;
};

static const struct policy_case policy_cases[] = {
	{ "nothing asked for", {}, 0 },
	{ "strict", { .flags = VCM_IOVA_STRICT }, 0 },
	{ "zeroes", { .flags = VCM_IOVA_SCRATCH }, 0 },
	{ "unknown flag", { .flags = BIT(20) }, -EOPNOTSUPP },
	{ "highest flag", { .flags = BIT(31) }, -EOPNOTSUPP },
	{ "page", { .align = PAGE_SIZE }, 0 },
	{ "less than a page", { .align = PAGE_SIZE / 2 }, -EDOM },
	{ "one", { .align = 1 }, -EDOM },
	{ "no power of two", { .align = 3 * PAGE_SIZE }, -EDOM },
	{ "largest", { .align = VCM_IOVA_SPACE_MAX }, 0 },
	{ "too large", { .align = VCM_IOVA_SPACE_MAX << 1 }, -EDOM },
	{ "all bits", { .align = U64_MAX }, -EDOM },
	{ "highest bit", { .align = BIT_ULL(63) }, -EDOM },
	{ "byte of guard", { .guard = 1 }, 0 },
	{ "largest guard", { .guard = VCM_IOVA_SPACE_MAX }, 0 },
	{ "too large guard", { .guard = VCM_IOVA_SPACE_MAX + 1 }, -ERANGE },
	{ "all of guard", { .guard = U64_MAX }, -ERANGE },
	{ "too large guard before", { .guard_before = VCM_IOVA_SPACE_MAX + 1 },
	  -ERANGE },
	{ "most zeroes", { .flags = VCM_IOVA_SCRATCH,
			   .guard = VCM_IOVA_SCRATCH_MAX,
			   .guard_before = VCM_IOVA_SCRATCH_MAX }, 0 },
	{ "too many zeroes", { .flags = VCM_IOVA_SCRATCH,
			       .guard = VCM_IOVA_SCRATCH_MAX + 1 }, -ERANGE },
	{ "too many zeroes before", { .flags = VCM_IOVA_SCRATCH,
				      .guard_before = VCM_IOVA_SCRATCH_MAX + 1 },
	  -ERANGE },
	{ "flag before alignment", { .flags = BIT(20), .align = 3 },
	  -EOPNOTSUPP },
	{ "alignment before guard", { .align = 3, .guard = U64_MAX }, -EDOM },
};

static void policies_are_checked(struct kunit *test)
{
	const struct policy_case *c = policy_cases;

	for (; c < policy_cases + ARRAY_SIZE(policy_cases); c++)
		KUNIT_EXPECT_EQ_MSG(test, vcm_iova_policy_check(&c->policy),
				    c->ret, "%s", c->name);
}

/* --- Tables ------------------------------------------------------------ */

#define NR_SYNCS	8

/**
 * struct sync - a call that maintains caches
 * @map: the mapping
 * @dir: direction of the DMA
 * @for_device: ... which may follow; or else it is over
 * @nents: entries of the list
 * @len: bytes in them
 */
struct sync {
	struct vcm_iova_mapping *map;
	enum dma_data_direction dir;
	bool for_device;
	unsigned int nents;
	size_t len;
};

/**
 * struct iova_test - what a case works on
 * @block: 2 MB of memory, aligned; the DMA is made up, so that a buffer can
 *	have it many times
 * @syncs: calls that maintain caches, at their number modulo NR_SYNCS
 * @nr_syncs: number of them
 */
struct iova_test {
	struct page *block;
	struct sync syncs[NR_SYNCS];
	unsigned int nr_syncs;
};

#define BLOCK_ORDER	get_order(SZ_2M)

static int iova_test_init(struct kunit *test)
{
	struct iova_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return t->block ? 0 : -ENOMEM;
}

static void iova_test_exit(struct kunit *test)
{
	struct iova_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (t && t->block)
		__free_pages(t->block, BLOCK_ORDER);
}

/* A table of @nr times @len bytes of the block, from @offset on in it. */
static struct sg_table *new_table(struct kunit *test, unsigned int nr,
				  size_t offset, size_t len)
{
	struct iova_test *t = test->priv;

	return vcm_fake_table(test, t->block, nr, offset, len);
}

/* A buffer of @len bytes in chunks of 2 MB and what is left. */
static struct sg_table *new_buffer(struct kunit *test, size_t len)
{
	unsigned int nr = DIV_ROUND_UP(len, SZ_2M);
	struct sg_table *sgt = new_table(test, nr, 0, SZ_2M);
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(sgt, sg, i)
		if (i == nr - 1)
			sg->length = len - (nr - 1) * SZ_2M;
	return sgt;
}

/* The block as a table of @nr neighbours */
static struct sg_table *new_split(struct kunit *test, unsigned int nr)
{
	struct sg_table *sgt = new_table(test, nr, 0, SZ_2M / nr);
	struct iova_test *t = test->priv;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, t->block + (i * (SZ_2M / nr) >> PAGE_SHIFT),
			    SZ_2M / nr, 0);
	return sgt;
}

static struct vcm_iova_device *new_vdev(struct kunit *test,
					const struct vcm_fake_args *args)
{
	struct device *dev = vcm_fake_device(test, args);
	struct vcm_iova_device *vdev = vcm_iova_get(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	return vdev;
}

static struct vcm_iova_device *new_masked(struct kunit *test, u64 mask)
{
	return new_vdev(test, &(struct vcm_fake_args){ .mask = mask });
}

/* The same without IOMMU */
static struct vcm_iova_device *new_direct(struct kunit *test, u64 mask)
{
	const struct vcm_fake_args args = { .mask = mask, .direct = true };

	return new_vdev(test, &args);
}

static const struct vcm_iova_policy no_policy;

static int map_it(struct vcm_iova_device *vdev, struct sg_table *sgt,
		  struct vcm_iova_mapping *map)
{
	return vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL, &no_policy,
			    map);
}

/* --- Looking at what came out ------------------------------------------ */

/* What the device finds in the range is what is in the table. */
static void check_pages(struct kunit *test, struct vcm_iova_device *vdev,
			struct sg_table *sgt, const struct vcm_iova_mapping *map)
{
	struct scatterlist *sg;
	u64 iova = map->iova;
	unsigned int off;
	int i;

	for_each_sgtable_sg(sgt, sg, i) {
		for (off = 0; off < sg->length; off += PAGE_SIZE)
			if (vcm_fake_phys(vdev->dev, iova + off) !=
			    sg_phys(sg) + off)
				KUNIT_FAIL(test, "segment %d, offset %u", i,
					   off);
		iova += sg->length;
	}
	KUNIT_EXPECT_EQ(test, iova, map->iova + map->len);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, map->iova - 1), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, iova), 0);
}

/* The importer's segments are the range, and as the device wants them. */
static void check_segs(struct kunit *test, struct vcm_iova_device *vdev,
		       const struct vcm_iova_mapping *map)
{
	const struct sg_table *sgt = &map->table;
	u64 boundary = dma_get_seg_boundary(vdev->dev);
	struct scatterlist *sg;
	u64 iova = map->iova;
	int i;

	KUNIT_EXPECT_EQ(test, sgt->nents, map->segs);
	KUNIT_EXPECT_LE(test, sgt->nents, sgt->orig_nents);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		u64 last = iova + sg_dma_len(sg) - 1;

		KUNIT_EXPECT_EQ(test, sg_dma_address(sg), iova);
		KUNIT_EXPECT_LE(test, sg_dma_len(sg),
				dma_get_max_seg_size(vdev->dev));
		/* Pages are cut only where the device takes no whole ones. */
		if (dma_get_max_seg_size(vdev->dev) >= PAGE_SIZE)
			KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(iova));
		KUNIT_EXPECT_EQ(test, iova & ~boundary, last & ~boundary);
		iova = last + 1;
	}
	KUNIT_EXPECT_EQ(test, iova, map->iova + map->len);
	KUNIT_EXPECT_LE(test, iova - 1, dma_get_mask(vdev->dev));
}

static void check_map(struct kunit *test, struct vcm_iova_device *vdev,
		      struct sg_table *sgt, const struct vcm_iova_mapping *map)
{
	KUNIT_EXPECT_TRUE(test, map->linked);
	KUNIT_EXPECT_FALSE(test, map->degraded);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(map->iova, map->align));
	check_pages(test, vdev, sgt, map);
	check_segs(test, vdev, map);
}

/* As if nothing had been mapped for the device */
static void check_empty(struct kunit *test, struct vcm_iova_device *vdev,
			struct sg_table *sgt)
{
	struct vcm_device_counts counts = vcm_test_counts(vdev);

	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, counts.reservations, 0);
	KUNIT_EXPECT_EQ(test, counts.reserved, 0);
	KUNIT_EXPECT_EQ(test, counts.used, 0);
	KUNIT_EXPECT_EQ(test, counts.mappings, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vdev->alone), 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&vdev->slabs));
	KUNIT_EXPECT_TRUE(test, list_empty(&vdev->live));
	KUNIT_EXPECT_EQ(test, vdev->extents.total, 0);
	KUNIT_EXPECT_EQ(test, sgt->nents, sgt->orig_nents);
}

static void map_and_check(struct kunit *test, struct vcm_iova_device *vdev,
			  struct sg_table *sgt)
{
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
}

/* --- Devices ----------------------------------------------------------- */

static void a_device_is_known_while_it_is_used(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = WIDE };
	struct device *a = vcm_fake_device(test, &args);
	struct device *b = vcm_fake_device(test, &args);
	struct vcm_iova_device *va, *vb;

	KUNIT_EXPECT_FALSE(test, vcm_test_is_used(a));
	va = vcm_iova_get(a);
	vb = vcm_iova_get(b);
	KUNIT_EXPECT_PTR_NE(test, va, vb);
	KUNIT_EXPECT_PTR_EQ(test, vcm_iova_get(a), va);
	KUNIT_EXPECT_TRUE(test, vcm_test_is_used(a));
	vcm_iova_put(va);
	KUNIT_EXPECT_TRUE(test, vcm_test_is_used(a));
	vcm_iova_put(va);
	KUNIT_EXPECT_FALSE(test, vcm_test_is_used(a));
	KUNIT_EXPECT_TRUE(test, vcm_test_is_used(b));
	vcm_iova_put(vb);
}

static void it_is_known_who_translates(struct kunit *test)
{
	struct vcm_iova_device *linked = new_masked(test, WIDE);
	struct vcm_iova_device *plain = new_direct(test, WIDE);

	KUNIT_EXPECT_TRUE(test, linked->translated);
	KUNIT_EXPECT_TRUE(test, linked->linked);
	KUNIT_EXPECT_FALSE(test, plain->translated);
	KUNIT_EXPECT_FALSE(test, plain->linked);
	vcm_iova_put(linked);
	vcm_iova_put(plain);
}

/* --- Placement --------------------------------------------------------- */

static void a_buffer_is_one_range(struct kunit *test)
{
	static const size_t lens[] = {
		PAGE_SIZE, SZ_64K, SZ_1M, SZ_2M, SZ_2M + PAGE_SIZE, SZ_4M,
		33 * SZ_1M, 64 * SZ_1M, 65 * SZ_1M,
	};
	static const u64 masks[] = { WIDE, DMA_BIT_MASK(32), NARROW };
	struct vcm_iova_device *vdev;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		vdev = new_masked(test, masks[i]);
		for (j = 0; j < ARRAY_SIZE(lens); j++)
			map_and_check(test, vdev, new_buffer(test, lens[j]));
		vcm_iova_put(vdev);
	}
}

struct align_case {
	size_t offset;
	size_t len;
	unsigned int nr;
	u64 mask;
	u64 policy;
	u64 align;
};

static const struct align_case align_cases[] = {
	{ 0, SZ_2M, 2, WIDE, 0, SZ_2M },
	{ 0, SZ_1M, 2, WIDE, 0, SZ_1M },
	{ SZ_1M, SZ_1M, 2, WIDE, 0, SZ_1M },
	{ SZ_64K, SZ_1M, 2, WIDE, 0, SZ_64K },
	{ SZ_64K, SZ_64K, 2, WIDE, 0, SZ_64K },
	{ SZ_32K, SZ_64K, 2, WIDE, 0, PAGE_SIZE },
	{ 0, SZ_32K, 2, WIDE, 0, PAGE_SIZE },
	{ 0, PAGE_SIZE, 1, WIDE, 0, PAGE_SIZE },
	/* The policy asks for more, or for less. */
	{ 0, PAGE_SIZE, 1, WIDE, SZ_1G, SZ_1G },
	{ 0, SZ_2M, 1, WIDE, SZ_4M, SZ_4M },
	{ 0, SZ_2M, 1, WIDE, PAGE_SIZE, SZ_2M },
	/* For a narrow device a little may be lost, and not a lot. */
	{ 0, SZ_2M, 1, NARROW, 0, SZ_2M },
	{ 0, SZ_2M, 8, NARROW, 0, SZ_2M },
};

static void the_largest_chunk_decides_the_alignment(struct kunit *test)
{
	const struct align_case *c = align_cases;

	for (; c < align_cases + ARRAY_SIZE(align_cases); c++) {
		struct vcm_iova_policy policy = { .align = c->policy };
		struct vcm_iova_device *vdev = new_masked(test, c->mask);
		struct sg_table *sgt;
		struct vcm_iova_mapping map;

		sgt = new_table(test, c->nr, c->offset, c->len);
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policy, &map), 0);
		KUNIT_EXPECT_EQ_MSG(test, map.align, c->align, "case %zd",
				    c - align_cases);
		check_map(test, vdev, sgt, &map);
		vcm_test_unmap(&map);
		check_empty(test, vdev, sgt);
		vcm_iova_put(vdev);
	}
}

static void a_narrow_device_wastes_no_quarter(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct vcm_iova_mapping map;
	struct sg_table *sgt;

	sgt = new_buffer(test, 3 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, map.align, SZ_1M);
	vcm_test_unmap(&map);

	/* 41 MB: one of 42 */
	sgt = new_buffer(test, 41 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, map.align, SZ_2M);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

static void a_rule_for_a_device_holds_where_room_is_scarce(struct kunit *test)
{
	static const struct {
		u64 min_align, align;
	} cases[] = {
		{ 0, SZ_1M }, { SZ_64K, SZ_1M }, { SZ_2M, SZ_2M },
		/* As far as the memory is aligned so */
		{ SZ_4M, SZ_2M },
	};
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 3 * SZ_1M);
	struct vcm_iova_mapping map;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		vdev->rules.min_align = cases[i].min_align;
		KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
		KUNIT_EXPECT_EQ_MSG(test, map.align, cases[i].align, "case %d",
				    i);
		check_map(test, vdev, sgt, &map);
		vcm_test_unmap(&map);
		check_empty(test, vdev, sgt);
	}
	vcm_iova_put(vdev);
}

static void other_rules(struct device *dev, struct vcm_iova_rules *rules)
{
}

static void rules_are_made_once(struct kunit *test)
{
	int ret = vcm_iova_set_rules(other_rules);

	/* Where there are spaces the rules are theirs. */
	if (!ret) {
		ret = vcm_iova_set_rules(other_rules);
		vcm_iova_clear_rules();
	}
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
}

static void a_guard_stays_unmapped(struct kunit *test)
{
	struct vcm_iova_policy policy = { .guard = SZ_64K + 1 };
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct vcm_iova_mapping maps[4];
	struct sg_table *sgts[4];
	u64 off;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		sgts[i] = new_buffer(test, SZ_1M);
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgts[i],
						   DMA_TO_DEVICE,
						   &policy, &maps[i]),
				0);
		KUNIT_EXPECT_EQ(test, maps[i].guard,
				PAGE_ALIGN(policy.guard));
	}
	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		u64 end = maps[i].iova + maps[i].len;

		for (off = 0; off < maps[i].guard; off += PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev,
							    end + off), 0);
		for (j = 0; j < ARRAY_SIZE(maps); j++)
			KUNIT_EXPECT_FALSE(test, maps[j].iova >= end &&
					   maps[j].iova < end + maps[i].guard);
	}
	for (i = 0; i < ARRAY_SIZE(maps); i++)
		vcm_test_unmap(&maps[i]);
	check_empty(test, vdev, sgts[0]);
	vcm_iova_put(vdev);
}

/* Whether all @len bytes from @iova on are unmapped, or lead to zeroes. */
static void check_guard(struct kunit *test, struct vcm_iova_device *vdev,
			u64 iova, u64 len, bool zeroes)
{
	u64 off;

	for (off = 0; off < len; off += PAGE_SIZE) {
		phys_addr_t phys = vcm_fake_phys(vdev->dev, iova + off);

		KUNIT_EXPECT_EQ(test, !!phys, zeroes);
		if (phys)
			KUNIT_EXPECT_PTR_EQ(test,
					    memchr_inv(phys_to_virt(phys), 0,
						       PAGE_SIZE), NULL);
	}
}

static void check_guards(struct kunit *test, struct vcm_iova_device *vdev,
			 struct sg_table *sgt,
			 const struct vcm_iova_policy *policy)
{
	bool zeroes = policy->flags & VCM_IOVA_SCRATCH;
	struct vcm_iova_mapping maps[3];
	struct scatterlist *sg;
	int i, j;
	u64 at;

	for (i = 0; i < ARRAY_SIZE(maps); i++)
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
						   policy, &maps[i]), 0);
	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		struct vcm_iova_mapping *map = &maps[i];

		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(map->iova, map->align));
		KUNIT_EXPECT_EQ(test, map->guard_before, policy->guard_before);
		check_guard(test, vdev, map->iova - map->guard_before,
			    map->guard_before, zeroes);
		check_guard(test, vdev, map->iova + map->len, map->guard, zeroes);
		check_segs(test, vdev, map);
		at = map->iova;
		for_each_sgtable_sg(sgt, sg, j) {
			KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, at),
					sg_phys(sg));
			at += sg->length;
			KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, at - 1),
					sg_phys(sg) + sg->length - 1);
		}
	}
	for (i = 0; i < ARRAY_SIZE(maps); i++)
		vcm_test_unmap(&maps[i]);
	check_empty(test, vdev, sgt);
}

static const struct vcm_iova_policy guard_policies[] = {
	{ .guard_before = PAGE_SIZE },
	{ .guard_before = SZ_128K, .guard = SZ_64K },
	{ .guard = SZ_64K, .flags = VCM_IOVA_SCRATCH },
	{ .guard_before = SZ_64K, .flags = VCM_IOVA_SCRATCH },
	{ .guard_before = SZ_128K + PAGE_SIZE, .guard = SZ_2M + PAGE_SIZE,
	  .flags = VCM_IOVA_SCRATCH },
};

static void guards_are_where_they_were_asked_for(struct kunit *test)
{
	static const u64 masks[] = { WIDE, DMA_BIT_MASK(32), NARROW };
	static const size_t lens[] = { PAGE_SIZE, SZ_1M, 3 * SZ_1M + SZ_64K };
	int i, j, k;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		struct vcm_iova_device *vdev = new_masked(test, masks[i]);

		for (j = 0; j < ARRAY_SIZE(lens); j++)
			for (k = 0; k < ARRAY_SIZE(guard_policies); k++)
				check_guards(test, vdev,
					     new_buffer(test, lens[j]),
					     &guard_policies[k]);
		vcm_iova_put(vdev);
	}
}

static void a_guard_before_leaves_segments_whole(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = WIDE, .boundary = SZ_64K - 1,
	};
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	int i;

	for (i = 0; i < ARRAY_SIZE(guard_policies); i++) {
		check_guards(test, vdev, new_table(test, 1, 0, SZ_64K - SZ_8K),
			     &guard_policies[i]);
		check_guards(test, vdev, new_table(test, 1, 0, SZ_128K),
			     &guard_policies[i]);
	}
	vcm_iova_put(vdev);
}

static void nobody_writes_zeroes(struct kunit *test)
{
	const struct vcm_iova_policy policy = {
		.guard = PAGE_SIZE, .flags = VCM_IOVA_SCRATCH,
	};
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_buffer(test, SZ_64K);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_FROM_DEVICE, &policy,
					   &map), 0);
	KUNIT_EXPECT_TRUE(test, vcm_fake_iommu.calls[0].prot & IOMMU_WRITE);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_maps, 2);
	KUNIT_EXPECT_FALSE(test, vcm_fake_iommu.calls[1].prot & IOMMU_WRITE);
	KUNIT_EXPECT_TRUE(test, vcm_fake_iommu.calls[1].prot & IOMMU_READ);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

static void zeroes_that_cannot_be_mapped_leave_nothing(struct kunit *test)
{
	const struct vcm_iova_policy *policy = &guard_policies[4];
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 3 * SZ_1M);
	struct vcm_iova_mapping map;
	unsigned int n = 0;
	int ret;

	do {
		vcm_fake_iommu.fail_map = ++n;
		ret = vcm_test_map(vdev, sgt, DMA_TO_DEVICE, policy, &map);
		if (ret)
			check_empty(test, vdev, sgt);
	} while (ret && n < 1000);
	vcm_fake_iommu.fail_map = 0;
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, n, 10);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

static void a_run_is_mapped_by_one_call(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_split(test, 8);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_maps, 1);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[0].pgsize, SZ_2M);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[0].pgcount, 1);
	KUNIT_EXPECT_EQ(test, map.segs, 1);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

static void unmapping_forgets_at_once(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_buffer(test, SZ_4M);
	struct vcm_iova_mapping map;
	unsigned long syncs;

	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	syncs = vcm_fake_iommu.nr_syncs + vcm_fake_iommu.nr_flushes;
	vcm_test_unmap(&map);
	KUNIT_EXPECT_GT(test, vcm_fake_iommu.nr_syncs +
			vcm_fake_iommu.nr_flushes, syncs);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, map.iova), 0);
	vcm_iova_put(vdev);
}

static void the_direction_is_the_permission(struct kunit *test)
{
	static const struct {
		enum dma_data_direction dir;
		int prot;
	} cases[] = {
		{ DMA_TO_DEVICE, IOMMU_READ },
		/* So that nothing that the CPU wrote is lost */
		{ DMA_FROM_DEVICE, IOMMU_READ | IOMMU_WRITE },
		{ DMA_BIDIRECTIONAL, IOMMU_READ | IOMMU_WRITE },
	};
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_buffer(test, PAGE_SIZE);
	struct vcm_iova_mapping map;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   cases[i].dir,
						   &no_policy, &map),
				0);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.calls[i].prot &
				(IOMMU_READ | IOMMU_WRITE), cases[i].prot);
		/* Nothing to do for a coherent device, and no harm. */
		vcm_iova_sync_for_cpu(&map, cases[i].dir);
		vcm_iova_sync_for_device(&map, cases[i].dir);
		vcm_test_unmap(&map);
	}
	vcm_iova_put(vdev);
}

/* --- Segments ---------------------------------------------------------- */

static void segments_are_cut_for_the_device(struct kunit *test)
{
	static const struct {
		unsigned int max;
		unsigned long boundary;
		unsigned int nr;
		unsigned int segs;
	} cases[] = {
		{ 0, 0, 8, 1 },
		{ SZ_1M, 0, 8, 2 },
		{ SZ_1M + 1, 0, 8, 2 },
		{ SZ_512K, 0, 8, 4 },
		{ PAGE_SIZE + 512, 0, SZ_2M / PAGE_SIZE, SZ_2M / PAGE_SIZE },
		{ 0, SZ_1M - 1, 8, 2 },
		{ 0, SZ_2M - 1, 8, 1 },
		{ 0, SZ_64K - 1, 32, 32 },
		{ SZ_64K, SZ_1M - 1, 32, 32 },
		{ 0, 0xffffffff, 8, 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcm_fake_args args = {
			.mask = WIDE,
			.max_seg_size = cases[i].max,
			.boundary = cases[i].boundary,
		};
		struct sg_table *sgt = new_split(test, cases[i].nr);
		struct vcm_iova_device *vdev = new_vdev(test, &args);
		struct vcm_iova_mapping map;

		KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
		KUNIT_EXPECT_EQ_MSG(test, map.segs, cases[i].segs, "case %d",
				    i);
		check_map(test, vdev, sgt, &map);
		vcm_test_unmap(&map);
		check_empty(test, vdev, sgt);
		vcm_iova_put(vdev);
	}
}

static void segments_can_be_parts_of_a_page(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = WIDE, .max_seg_size = PAGE_SIZE / 8,
	};
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	struct sg_table *sgt = new_table(test, 8, 0, PAGE_SIZE / 8);
	struct vcm_iova_mapping map;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(sgt, sg, i)
		sg->offset = i * (PAGE_SIZE / 8);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, map.segs, 8);
	check_segs(test, vdev, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* Some importers go by the length and not by the number. */
static void what_is_left_of_the_table_is_empty(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_table(test, 4, 0, SZ_512K);
	struct vcm_iova_mapping map;
	struct scatterlist *sg;
	int i;

	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, map.table.orig_nents, 4);
	KUNIT_EXPECT_EQ(test, map.table.nents, 1);
	KUNIT_EXPECT_EQ(test, sg_dma_len(map.table.sgl), SZ_2M);
	for_each_sgtable_sg(&map.table, sg, i)
		if (i)
			KUNIT_EXPECT_EQ(test, sg_dma_len(sg), 0);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

static void a_device_that_changed_its_mind_is_cut_for_anew(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_split(test, 2);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_attach(vdev, sgt, &no_policy, &map), 0);
	KUNIT_EXPECT_EQ(test, map.table.orig_nents, 1);
	dma_set_max_seg_size(vdev->dev, SZ_32K);
	KUNIT_ASSERT_EQ(test, vcm_iova_map(&map, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, map.segs, SZ_2M / SZ_32K);
	check_map(test, vdev, sgt, &map);
	vcm_iova_unmap(&map);
	dma_set_max_seg_size(vdev->dev, SZ_2M);
	KUNIT_ASSERT_EQ(test, vcm_iova_map(&map, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, map.segs, 1);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* --- Slabs ------------------------------------------------------------- */

static void slabs_are_a_part_of_the_address_space(struct kunit *test)
{
	static const struct {
		unsigned int bits;
		unsigned long boundary;
		u64 slab_size;
	} cases[] = {
		{ 48, 0, 0 },
		{ 33, 0, 0 },
		{ 32, 0, SZ_32M },
		{ 30, 0, SZ_8M },
		{ 29, 0, SZ_4M },
		{ 28, 0, SZ_2M },
		{ 24, 0, SZ_2M },
		{ 30, SZ_4M - 1, SZ_4M },
		{ 28, SZ_1M - 1, SZ_1M },
		{ 28, SZ_512K - 1, 0 },
		{ 28, DMA_BIT_MASK(28), SZ_2M },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcm_fake_args args = {
			.mask = DMA_BIT_MASK(cases[i].bits),
			.boundary = cases[i].boundary,
		};
		struct sg_table *sgt = new_table(test, 3, 0, SZ_64K);
		struct vcm_iova_device *vdev = new_vdev(test, &args);
		struct vcm_iova_mapping map;

		KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
		KUNIT_EXPECT_EQ_MSG(test, vdev->slab_size, cases[i].slab_size,
				    "case %d", i);
		KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).reservations, 1);
		KUNIT_EXPECT_EQ(test, !!map.range, !!cases[i].slab_size);
		check_map(test, vdev, sgt, &map);
		vcm_test_unmap(&map);
		check_empty(test, vdev, sgt);
		vcm_iova_put(vdev);
	}
}

#define MAX_BUFFERS	80

/**
 * struct buffers - many of them, mapped for one device
 * @vdev: the device
 * @nr: how many there are
 * @sgt: their tables
 * @map: their mappings
 */
struct buffers {
	struct vcm_iova_device *vdev;
	unsigned int nr;
	struct sg_table *sgt[MAX_BUFFERS];
	struct vcm_iova_mapping map[MAX_BUFFERS];
};

/* Map buffers of @len until there is no room. */
static struct buffers *fill(struct kunit *test, struct vcm_iova_device *vdev,
			    size_t len)
{
	struct buffers *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->vdev = vdev;
	do {
		b->sgt[b->nr] = new_buffer(test, len);
		ret = map_it(vdev, b->sgt[b->nr], &b->map[b->nr]);
	} while (!ret && ++b->nr < MAX_BUFFERS);
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	return b;
}

static void empty(struct kunit *test, struct buffers *b)
{
	unsigned int i;

	for (i = 0; i < b->nr; i++)
		vcm_test_unmap(&b->map[i]);
	check_empty(test, b->vdev, b->sgt[0]);
}

static void seven_buffers_of_33_mb_fit_28_bits(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct buffers *b = fill(test, vdev, 33 * SZ_1M);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, b->nr, 7);
	for (i = 0; i < b->nr; i++)
		check_pages(test, vdev, b->sgt[i], &b->map[i]);
	/* One goes, one comes. */
	vcm_test_unmap(&b->map[3]);
	KUNIT_EXPECT_EQ(test, map_it(vdev, b->sgt[3], &b->map[3]), 0);
	empty(test, b);
	vcm_iova_put(vdev);
}

static void small_address_spaces_are_used_to_the_end(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, DMA_BIT_MASK(24));
	struct buffers *b;

	b = fill(test, vdev, SZ_1M);
	KUNIT_EXPECT_EQ(test, b->nr, 15);
	empty(test, b);
	b = fill(test, vdev, SZ_2M);
	KUNIT_EXPECT_EQ(test, b->nr, 7);
	empty(test, b);
	vcm_iova_put(vdev);
}

static void what_others_leave_is_found_in_smaller_slabs(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct dma_iova_state others[3];
	struct vcm_iova_mapping map;
	struct sg_table *sgt;
	int i;

	/* Below 64 MB there is one of 16 MB missing, for page 0 is. */
	for (i = 0; i < ARRAY_SIZE(others); i++)
		KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(vdev->dev,
							   &others[i], 0,
							   SZ_64M));
	sgt = new_buffer(test, 62 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_LT(test, map.iova + map.len, SZ_64M + 1);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);

	sgt = new_buffer(test, 64 * SZ_1M);
	KUNIT_EXPECT_EQ(test, map_it(vdev, sgt, &map), -ENOSPC);
	check_empty(test, vdev, sgt);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		dma_iova_free(vdev->dev, &others[i]);
	vcm_iova_put(vdev);
}

/* With 1 MB of each range of 32 MB taken there are slabs of 8 MB, and not smaller. */
static void slabs_are_as_large_as_can_be_had(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, DMA_BIT_MASK(32));
	struct sg_table *sgt = new_buffer(test, 12 * SZ_1M);
	struct dma_iova_state *others;
	struct vcm_iova_mapping map;
	int nr = 0, i;

	others = kunit_kcalloc(test, 128, sizeof(*others), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, others);
	while (nr < 128 &&
	       dma_iova_try_alloc(vdev->dev, &others[nr], 0, SZ_32M))
		nr++;
	KUNIT_EXPECT_EQ(test, nr, 127);
	/* The lowest first: what is above it is taken still. */
	for (i = nr - 1; i >= 0; i--) {
		dma_iova_free(vdev->dev, &others[i]);
		KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(vdev->dev,
							   &others[i], 0,
							   SZ_1M));
	}
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).reservations, 2);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	for (i = 0; i < nr; i++)
		dma_iova_free(vdev->dev, &others[i]);
	vcm_iova_put(vdev);
}

/* ... and needs less of the address space there than alone. */
static void what_is_as_long_as_the_boundary_goes_in_slabs(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = NARROW, .boundary = SZ_4M - 1,
	};
	struct vcm_iova_policy policy = { .align = SZ_16M };
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	struct sg_table *sgt = new_buffer(test, SZ_4M);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &policy,
					   &map), 0);
	KUNIT_EXPECT_NOT_NULL(test, map.range);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

#ifdef VCM_HAVE_FAIL_NTH
/* How many allocations a map takes that finds no room. */
static unsigned int allocations_in_vain(struct kunit *test,
					struct vcm_iova_device *vdev, size_t len)
{
	struct sg_table *sgt = new_buffer(test, len);
	struct vcm_iova_mapping map;
	unsigned int left;
	int ret;

	KUNIT_ASSERT_EQ(test, vcm_test_attach(vdev, sgt, &no_policy, &map), 0);
	vcm_fail_nth_start(test, VCM_FAIL_NTH_MAX);
	ret = vcm_iova_map(&map, DMA_TO_DEVICE);
	left = vcm_fail_nth_pause();
	vcm_fail_nth_end();
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	if (!ret)
		vcm_iova_unmap(&map);
	vcm_test_detach(&map);
	return VCM_FAIL_NTH_MAX - left;
}

/* Each slab takes some; whether there is a gap at all is found out with a few. */
#define FEW_ALLOCATIONS		8

/* More of them than the stack has room for. */
static struct vcm_iova_mapping *new_mappings(struct kunit *test, int nr)
{
	struct vcm_iova_mapping *maps = kunit_kcalloc(test, nr, sizeof(*maps),
						      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, maps);
	return maps;
}

static void no_slab_is_reserved_where_no_gap_is(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct vcm_iova_mapping *maps, low;
	const int nr = 15;
	struct sg_table *sgt;
	int i;

	maps = new_mappings(test, nr);
	/* Nothing is as large. */
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 257 * SZ_1M),
			FEW_ALLOCATIONS);

	/* With all but the first 16 MB taken */
	sgt = new_buffer(test, SZ_16M);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &maps[i]), 0);
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 17 * SZ_1M),
			FEW_ALLOCATIONS);
	/* ... and 8 MB of these, and one in the middle not */
	KUNIT_ASSERT_EQ(test, map_it(vdev, new_buffer(test, SZ_8M), &low), 0);
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 13 * SZ_1M),
			FEW_ALLOCATIONS);
	vcm_test_unmap(&maps[7]);
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 19 * SZ_1M),
			FEW_ALLOCATIONS);
	KUNIT_ASSERT_EQ(test, map_it(vdev, new_buffer(test, 13 * SZ_1M),
				     &maps[7]), 0);
	for (i = 0; i < nr; i++)
		vcm_test_unmap(&maps[i]);
	vcm_test_unmap(&low);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* A bus may end in the middle of a page; a buffer does not. */
static void a_part_of_a_page_is_no_gap(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);

	vdev->dev->bus_dma_limit = NARROW - 1;
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 254 * SZ_1M),
			FEW_ALLOCATIONS);
	vcm_iova_put(vdev);
}

/* The guard behind a buffer in slabs is not there for others either. */
static void a_guard_is_no_gap(struct kunit *test)
{
	struct vcm_iova_policy guarded = { .guard = 15 * SZ_1M };
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct vcm_iova_mapping *maps = new_mappings(test, 16);
	struct sg_table *sgt;
	int nr = 0;

	sgt = new_buffer(test, 3 * SZ_1M);
	while (nr < 16 &&
	       !vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &guarded, &maps[nr]))
		nr++;
	KUNIT_EXPECT_GT(test, nr, 10);
	KUNIT_EXPECT_LE(test, allocations_in_vain(test, vdev, 15 * SZ_1M - SZ_64K),
			FEW_ALLOCATIONS);
	while (nr--)
		vcm_test_unmap(&maps[nr]);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}
#endif

static void a_power_of_two_is_a_reservation_of_its_own(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	static const size_t lens[] = { PAGE_SIZE, SZ_64K, SZ_1M, SZ_32M };
	struct vcm_iova_mapping odd, own;
	struct sg_table *a, *b;
	int i;

	a = new_buffer(test, 3 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, a, &odd), 0);
	KUNIT_EXPECT_NOT_NULL(test, odd.range);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		unsigned long nr = vcm_test_counts(vdev).reservations;

		b = new_buffer(test, lens[i]);
		KUNIT_ASSERT_EQ(test, map_it(vdev, b, &own), 0);
		KUNIT_EXPECT_NULL(test, own.range);
		KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).reservations, nr + 1);
		check_map(test, vdev, b, &own);
		vcm_test_unmap(&own);
		KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).reservations, nr);
	}
	vcm_test_unmap(&odd);
	check_empty(test, vdev, a);
	vcm_iova_put(vdev);
}

static void what_fits_no_address_space_is_refused(struct kunit *test)
{
	static const struct vcm_iova_policy policies[] = {
		{ .align = BIT_ULL(29) },
		{ .align = VCM_IOVA_SPACE_MAX },
		{ .guard = BIT_ULL(28) },
		{ .guard = VCM_IOVA_SPACE_MAX },
		{ .align = VCM_IOVA_SPACE_MAX, .guard = VCM_IOVA_SPACE_MAX },
	};
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, SZ_2M);
	struct vcm_iova_mapping map;
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policies[i],
						   &map), -ENOSPC);
		check_empty(test, vdev, sgt);
	}
	vcm_iova_put(vdev);
}

/* --- What a policy may take -------------------------------------------- */

/* The largest guard: a 16th of the addresses, and 1 GB at most. */
static u64 largest_extra(u64 mask)
{
	return min(mask / 16 + 1, (u64)SZ_1G);
}

static void a_map_takes_no_more_for_a_guard(struct kunit *test)
{
	static const u64 masks[] = { WIDE, DMA_BIT_MASK(32), NARROW };
	static const size_t lens[] = { PAGE_SIZE, SZ_1M, 3 * SZ_1M };
	struct vcm_iova_mapping map;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(masks) * ARRAY_SIZE(lens); i++) {
		u64 mask = masks[i / ARRAY_SIZE(lens)];
		struct vcm_iova_policy policy = {
			.guard = largest_extra(mask),
		};
		struct vcm_iova_device *vdev = new_masked(test, mask);
		struct sg_table *sgt;

		sgt = new_buffer(test, lens[i % ARRAY_SIZE(lens)]);
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policy, &map), 0);
		check_map(test, vdev, sgt, &map);
		KUNIT_EXPECT_EQ(test, map.guard, policy.guard);
		if (vdev->slab_size)
			KUNIT_EXPECT_LE(test, vcm_test_counts(vdev).reservations,
					(map.len + map.guard) /
					vdev->slab_size + 2);
		else
			KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).reservations, 1);
		vcm_test_unmap(&map);
		check_empty(test, vdev, sgt);

		for (j = 0; j < 2; j++) {
			policy.guard = j ? (mask + 1) / 8 :
					   policy.guard + PAGE_SIZE;
			KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt,
							   DMA_TO_DEVICE,
							   &policy,
							   &map),
					-ENOSPC);
		}
		check_empty(test, vdev, sgt);
		vcm_iova_put(vdev);
	}
}

static void a_map_takes_no_more_for_an_alignment(struct kunit *test)
{
	struct vcm_iova_policy policy = { .align = largest_extra(NARROW) };
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, PAGE_SIZE);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	check_map(test, vdev, sgt, &map);
	KUNIT_EXPECT_LE(test, vcm_test_counts(vdev).reserved, 2 * vdev->slab_size);
	vcm_test_unmap(&map);

	policy.align *= 2;
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), -ENOSPC);
	/* A buffer of that size is aligned so at no expense. */
	sgt = new_buffer(test, policy.align - SZ_1M);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &policy, &map), 0);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* --- Limits that change ------------------------------------------------ */

static void no_address_is_beyond_a_mask_that_shrank(struct kunit *test)
{
	static const size_t lens[] = { PAGE_SIZE, SZ_64K, 3 * SZ_1M, SZ_32M };
	static const u64 masks[] = { DMA_BIT_MASK(64), DMA_BIT_MASK(32) };
	struct vcm_iova_mapping before, after, again;
	struct sg_table *a, *b;
	int i;

	for (i = 0; i < ARRAY_SIZE(masks) * ARRAY_SIZE(lens); i++) {
		u64 mask = masks[i / ARRAY_SIZE(lens)];
		struct vcm_iova_device *vdev = new_masked(test, mask);

		a = new_buffer(test, lens[i % ARRAY_SIZE(lens)]);
		b = new_buffer(test, lens[i % ARRAY_SIZE(lens)]);
		KUNIT_ASSERT_EQ(test, map_it(vdev, a, &before), 0);
		KUNIT_EXPECT_GT(test, before.iova, NARROW);
		KUNIT_ASSERT_EQ(test, dma_set_mask(vdev->dev, NARROW), 0);
		KUNIT_ASSERT_EQ(test, map_it(vdev, b, &after), 0);
		check_segs(test, vdev, &after);
		vcm_test_unmap(&after);

		KUNIT_ASSERT_EQ(test, dma_set_mask(vdev->dev, mask), 0);
		KUNIT_ASSERT_EQ(test, map_it(vdev, b, &again), 0);
		check_segs(test, vdev, &again);
		vcm_test_unmap(&again);
		vcm_test_unmap(&before);
		check_empty(test, vdev, a);
		vcm_iova_put(vdev);
	}
}

static void no_segment_crosses_a_boundary_that_shrank(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct vcm_iova_mapping before, after;
	struct sg_table *a, *b;

	a = new_buffer(test, 3 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, a, &before), 0);
	dma_set_seg_boundary(vdev->dev, SZ_2M - 1);
	b = new_buffer(test, 5 * SZ_1M);
	KUNIT_ASSERT_EQ(test, map_it(vdev, b, &after), 0);
	KUNIT_EXPECT_EQ(test, after.segs, 3);
	check_map(test, vdev, b, &after);
	vcm_test_unmap(&after);
	vcm_test_unmap(&before);
	check_empty(test, vdev, a);
	vcm_iova_put(vdev);
}

/* --- The device's other DMA -------------------------------------------- */

/**
 * struct others - what else does DMA with a device
 * @dev: the device
 * @tries: reservations of 2 MB
 * @failures: of these, those that could not be had
 */
struct others {
	struct device *dev;
	unsigned long tries;
	unsigned long failures;
};

static int others_loop(void *data)
{
	struct dma_iova_state state;
	struct others *others = data;

	while (!kthread_should_stop()) {
		others->tries++;
		if (dma_iova_try_alloc(others->dev, &state, 0, SZ_2M))
			dma_iova_free(others->dev, &state);
		else
			others->failures++;
		cond_resched();
	}
	return 0;
}

/* They lose nothing while a buffer of @len is tried again and again. */
static void check_not_starved(struct kunit *test, struct vcm_iova_device *vdev,
			      size_t len)
{
	struct others others = { .dev = vdev->dev };
	struct sg_table *sgt = new_buffer(test, len);
	struct task_struct *task;
	struct vcm_iova_mapping map;
	int i;

	task = kthread_run(others_loop, &others, "vcm-others");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	while (READ_ONCE(others.tries) < 100)
		cond_resched();
	/* To fail is quick here, and to link many pages is not. */
	for (i = 0; i < 200; i++) {
		if (!map_it(vdev, sgt, &map)) {
			vcm_test_unmap(&map);
			i += 99;
		}
		cond_resched();
	}
	kthread_stop(task);
	KUNIT_EXPECT_EQ_MSG(test, others.failures, 0, "%zu MB: of %lu",
			    len / SZ_1M, others.tries);
}

static void others_find_room_while_a_buffer_does_not(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt[4];
	struct vcm_iova_mapping map[4];
	int i;

	/* With nothing else mapped, and with the address space in pieces */
	check_not_starved(test, vdev, 254 * SZ_1M);
	check_not_starved(test, vdev, 239 * SZ_1M);
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		sgt[i] = new_buffer(test, 33 * SZ_1M);
		KUNIT_ASSERT_EQ(test, map_it(vdev, sgt[i], &map[i]), 0);
	}
	check_not_starved(test, vdev, 121 * SZ_1M);
	for (i = 0; i < ARRAY_SIZE(map); i += 2)
		vcm_test_unmap(&map[i]);
	check_not_starved(test, vdev, 160 * SZ_1M);
	check_not_starved(test, vdev, 126 * SZ_1M);
	for (i = 1; i < ARRAY_SIZE(map); i += 2)
		vcm_test_unmap(&map[i]);
	check_empty(test, vdev, sgt[0]);
	vcm_iova_put(vdev);
}

/* How many reservations of 1 MB others can have. */
static unsigned int left_for_others(struct kunit *test, struct device *dev)
{
	struct dma_iova_state *state;
	unsigned int n = 0, i;

	state = kunit_kcalloc(test, SZ_1K, sizeof(*state), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state);
	while (n < SZ_1K && dma_iova_try_alloc(dev, &state[n], 0, SZ_1M))
		n++;
	for (i = 0; i < n; i++)
		dma_iova_free(dev, &state[i]);
	return n;
}

#define CHURN_LARGE	15
#define CHURN_SMALL	40
#define CHURN_LIVE	5

/* Large buffers come and go, and small ones of @len come and stay. */
static void check_churn(struct kunit *test, struct vcm_iova_device *vdev,
			size_t len)
{
	struct sg_table *large[CHURN_LARGE], *small[CHURN_SMALL];
	struct vcm_iova_mapping *map, *kept;
	unsigned int i, j = 0, before;

	map = kunit_kcalloc(test, CHURN_LARGE, sizeof(*map), GFP_KERNEL);
	kept = kunit_kcalloc(test, CHURN_SMALL, sizeof(*kept), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, map && kept);
	before = left_for_others(test, vdev->dev);
	for (i = 0; i < CHURN_LARGE + CHURN_LIVE; i++) {
		if (i >= CHURN_LIVE)
			vcm_test_unmap(&map[i - CHURN_LIVE]);
		if (i >= CHURN_LARGE)
			continue;
		large[i] = new_buffer(test, (17 + i * 11 % 24) * SZ_1M);
		KUNIT_ASSERT_EQ(test, map_it(vdev, large[i], &map[i]), 0);
		for (; j < (i + 1) * CHURN_SMALL / CHURN_LARGE; j++) {
			small[j] = new_buffer(test, len);
			KUNIT_ASSERT_EQ(test, map_it(vdev, small[j], &kept[j]),
					0);
		}
	}
	KUNIT_EXPECT_EQ(test, j, CHURN_SMALL);
	/* Of what is free of us */
	before -= DIV_ROUND_UP(CHURN_SMALL * len, SZ_1M);
	KUNIT_EXPECT_GE_MSG(test, left_for_others(test, vdev->dev),
			    DIV_ROUND_UP(before * 9, 10), "of %u, with %zu",
			    before, len);
	while (j--)
		vcm_test_unmap(&kept[j]);
	check_empty(test, vdev, small[0]);
}

static void small_buffers_keep_little_from_others(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);

	check_churn(test, vdev, PAGE_SIZE);
	check_churn(test, vdev, 3 * PAGE_SIZE);
	check_churn(test, vdev, SZ_64K);
	check_churn(test, vdev, SZ_64K + PAGE_SIZE);
	vcm_iova_put(vdev);
}

/* --- Devices that go --------------------------------------------------- */

/* What an importer does with a device that has gone is bookkeeping. */
static void check_gone(struct kunit *test, struct vcm_iova_device *vdev,
		       struct sg_table *sgt, struct vcm_iova_mapping *map)
{
	struct vcm_iova_mapping more;

	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_FALSE(test, vcm_test_is_used(vdev->dev));
	vcm_iova_sync_for_cpu(map, DMA_BIDIRECTIONAL);
	vcm_iova_sync_for_device(map, DMA_BIDIRECTIONAL);
	vcm_test_unmap(map);
	KUNIT_EXPECT_EQ(test, sgt->nents, sgt->orig_nents);
	KUNIT_EXPECT_EQ(test, map_it(vdev, sgt, &more), -ENODEV);
	KUNIT_EXPECT_EQ(test, sgt->nents, sgt->orig_nents);
}

static void check_going(struct kunit *test, const struct vcm_fake_args *args,
			size_t len, bool unbind, bool remove)
{
	struct vcm_iova_device *vdev = new_vdev(test, args);
	unsigned int refs = kref_read(&vdev->dev->kobj.kref);
	struct device *dev = get_device(vdev->dev);
	struct vcm_iova_mapping map, other;
	struct sg_table *sgt = new_buffer(test, len);
	struct sg_table *sgt2 = new_buffer(test, len);

	KUNIT_ASSERT_PTR_EQ(test, vcm_iova_get(vdev->dev), vdev);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt2, &other), 0);
	if (unbind)
		device_release_driver(vdev->dev);
	if (remove)
		vcm_fake_device_remove(test, vdev->dev);
	check_gone(test, vdev, sgt, &map);
	check_gone(test, vdev, sgt2, &other);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
	vcm_iova_put(vdev);

	/* One of @refs was that of @vdev; of a device that is removed ours is left. */
	KUNIT_EXPECT_EQ(test, kref_read(&dev->kobj.kref), remove ? 1 : refs);
	put_device(dev);
}

static void what_is_mapped_ends_with_the_device(struct kunit *test)
{
	static const struct vcm_fake_args args[] = {
		{ .mask = NARROW }, { .mask = WIDE },
		{ .mask = DMA_BIT_MASK(64), .direct = true },
	};
	static const size_t lens[] = { PAGE_SIZE, 3 * SZ_1M };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(args); i++) {
		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			check_going(test, &args[i], lens[j], true, false);
			check_going(test, &args[i], lens[j], false, true);
			check_going(test, &args[i], lens[j], true, true);
		}
	}
}

/* Nobody is bound to it, and it is removed. */
static void what_is_mapped_ends_without_a_driver(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = WIDE };
	struct device *dev = vcm_fake_device(test, &args);
	struct sg_table *sgt = new_buffer(test, SZ_64K);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	device_release_driver(dev);
	vdev = vcm_iova_get(dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	vcm_fake_device_remove(test, dev);
	check_gone(test, vdev, sgt, &map);
	vcm_iova_put(vdev);
}

/**
 * struct latecomer - who attaches a buffer to a device that is being deleted
 * @dev: the device
 * @nb: told of that before the IOMMU core, or behind it
 * @nr: how often it was refused
 * @got: it was not, which leaves the device known
 */
struct latecomer {
	struct device *dev;
	struct notifier_block nb;
	unsigned int nr;
	struct vcm_iova_device *got;
};

static int attach_late(struct notifier_block *nb, unsigned long action,
		       void *data)
{
	struct latecomer *late = container_of(nb, struct latecomer, nb);
	struct vcm_iova_device *vdev;

	if (action != BUS_NOTIFY_REMOVED_DEVICE || data != late->dev)
		return NOTIFY_DONE;
	vdev = vcm_iova_get(late->dev);
	if (IS_ERR(vdev))
		late->nr += PTR_ERR(vdev) == -ENODEV;
	else
		late->got = vdev;
	return NOTIFY_OK;
}

/* Placement is told before the IOMMU core, and once. */
static void check_late(struct kunit *test, int priority)
{
	const struct vcm_fake_args args = { .mask = WIDE };
	struct latecomer late = {
		.nb = { .notifier_call = attach_late, .priority = priority },
	};

	late.dev = get_device(vcm_fake_device(test, &args));
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&platform_bus_type,
						    &late.nb), 0);
	vcm_fake_device_remove(test, late.dev);
	bus_unregister_notifier(&platform_bus_type, &late.nb);
	KUNIT_EXPECT_EQ(test, late.nr, 1);
	KUNIT_EXPECT_NULL(test, late.got);
	if (late.got)
		vcm_iova_put(late.got);
	put_device(late.dev);
}

static void nobody_attaches_to_what_is_being_deleted(struct kunit *test)
{
	check_late(test, 1);
	check_late(test, 0);
}

static void a_device_that_is_bound_again_is_another(struct kunit *test)
{
	struct vcm_iova_device *old = new_masked(test, DMA_BIT_MASK(32)), *new;
	struct sg_table *a = new_buffer(test, 3 * SZ_1M);
	struct sg_table *b = new_buffer(test, 3 * SZ_1M);
	struct vcm_iova_mapping before, after;

	KUNIT_ASSERT_EQ(test, map_it(old, a, &before), 0);
	device_release_driver(old->dev);
	KUNIT_ASSERT_EQ(test, device_attach(old->dev), 1);
	KUNIT_ASSERT_EQ(test, dma_set_mask(old->dev, NARROW), 0);
	new = vcm_iova_get(old->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, new);
	KUNIT_EXPECT_PTR_NE(test, new, old);
	KUNIT_ASSERT_EQ(test, map_it(new, b, &after), 0);
	check_map(test, new, b, &after);

	/* The old importer is late, and does no harm to the new one. */
	vcm_test_unmap(&before);
	vcm_iova_put(old);
	check_map(test, new, b, &after);
	vcm_test_unmap(&after);
	check_empty(test, new, b);
	vcm_iova_put(new);
}

/* --- Domains that are replaced ----------------------------------------- */

/* As if another domain were attached, in place of the old one and empty */
static void lose(struct kunit *test, struct vcm_iova_device *vdev,
		 const struct vcm_iova_mapping *map, bool same)
{
	struct iommu_domain *domain = vcm_fake_attached(vdev->dev);

	KUNIT_EXPECT_PTR_EQ(test, vdev->domain, domain);
	KUNIT_ASSERT_EQ(test, iommu_unmap(domain, map->iova, map->len),
			map->len);
	if (!same)
		vdev->domain = (struct iommu_domain *)vdev;
}

static void check_lost(struct kunit *test, size_t len, bool same)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, len);
	struct vcm_iova_mapping map, more;
	struct dma_iova_state states[4];
	struct vcm_slab *slab;
	int nr = 0, left, i;

	/* No driver is bound that leaves its DMA to the DMA API. */
	set_bit(VCM_DEVICE_UNOWNED, &vdev->special);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	list_for_each_entry(slab, &vdev->slab_list, by_addr)
		states[nr++] = slab->state;
	if (!nr)
		states[nr++] = map.own;
	left = left_for_others(test, vdev->dev);
	lose(test, vdev, &map, same);

	KUNIT_EXPECT_EQ(test, map_it(vdev, new_buffer(test, PAGE_SIZE), &more),
			-ENODEV);
	KUNIT_EXPECT_FALSE(test, vcm_test_is_used(vdev->dev));
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	/* The addresses are those of a domain that is not there any more. */
	KUNIT_EXPECT_EQ(test, left_for_others(test, vdev->dev), left);
	for (i = 0; i < nr; i++)
		dma_iova_free(vdev->dev, &states[i]);
	vcm_iova_put(vdev);
}

static void what_was_in_a_domain_is_lost_with_it(struct kunit *test)
{
	check_lost(test, SZ_1M, false);
	check_lost(test, SZ_1M, true);
	check_lost(test, 3 * SZ_1M, false);
	check_lost(test, 3 * SZ_1M, true);
}

static void a_domain_that_comes_late_is_the_one(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct sg_table *sgt = new_buffer(test, SZ_1M);
	struct vcm_iova_mapping map, more;

	set_bit(VCM_DEVICE_UNOWNED, &vdev->special);
	vdev->domain = NULL;
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_PTR_EQ(test, vdev->domain, vcm_fake_attached(vdev->dev));
	/* It is not empty. */
	KUNIT_ASSERT_EQ(test, map_it(vdev, new_buffer(test, SZ_1M), &more), 0);
	vcm_test_unmap(&more);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* --- Caches ------------------------------------------------------------ */

/* In place of vcm_sync_list() */
static void note_sync(struct vcm_iova_mapping *map, struct scatterlist *sgl,
		      unsigned int nents, enum dma_data_direction dir,
		      bool for_device)
{
	struct iova_test *t = kunit_get_current_test()->priv;
	struct sync *sync = &t->syncs[t->nr_syncs++ % NR_SYNCS];
	struct scatterlist *sg;
	int i;

	*sync = (struct sync){
		.map = map, .dir = dir, .for_device = for_device, .nents = nents,
	};
	for_each_sg(sgl, sg, nents, i)
		sync->len += sg->length;
}

/* The last of them, and there was no other; all of the buffer. */
static void check_sync(struct kunit *test, const struct sync *want)
{
	struct iova_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->nr_syncs, 1);
	KUNIT_EXPECT_PTR_EQ(test, t->syncs[0].map, want->map);
	KUNIT_EXPECT_EQ(test, t->syncs[0].dir, want->dir);
	KUNIT_EXPECT_EQ(test, t->syncs[0].for_device, want->for_device);
	KUNIT_EXPECT_EQ(test, t->syncs[0].len, want->map->len);
	t->nr_syncs = 0;
}

static void check_no_sync(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ((struct iova_test *)test->priv)->nr_syncs, 0);
}

/*
 * A device is mapped for in one way, whoever looks after its caches. While it is
 * mapped, that is dma_iova_link() itself.
 */
static void devices_that_are_not_coherent_are_linked(struct kunit *test)
{
	static const struct {
		enum dma_data_direction dir, sync;
	} cases[] = {
		{ DMA_TO_DEVICE, DMA_TO_DEVICE },
		{ DMA_FROM_DEVICE, DMA_BIDIRECTIONAL },
		{ DMA_BIDIRECTIONAL, DMA_BIDIRECTIONAL },
	};
	struct vcm_iova_policy policy = {
		.align = SZ_16M, .guard = SZ_64K, .flags = VCM_IOVA_STRICT,
	};
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 3 * SZ_1M);
	struct vcm_iova_mapping map;
	struct sync want = { .map = &map };
	int i, j;

	KUNIT_ASSERT_TRUE(test, vdev->linked);
	vdev->coherent = false;
	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   cases[i].dir,
						   &policy, &map), 0);
		check_map(test, vdev, sgt, &map);
		check_no_sync(test);
		/* What the CPU does is for the CPU to say. */
		for (j = 0; j < ARRAY_SIZE(cases); j++) {
			want.dir = cases[j].dir;
			vcm_iova_sync_for_cpu(&map, want.dir);
			want.for_device = false;
			check_sync(test, &want);
			vcm_iova_sync_for_device(&map, want.dir);
			want.for_device = true;
			check_sync(test, &want);
		}
		vcm_test_unmap(&map);
		want.dir = cases[i].sync;
		want.for_device = false;
		check_sync(test, &want);
		check_empty(test, vdev, sgt);
	}
	/* One that goes leaves the memory as the CPU has to see it. */
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	device_release_driver(vdev->dev);
	check_sync(test, &want);
	vcm_test_unmap(&map);
	check_no_sync(test);
	vcm_iova_put(vdev);
}

/* ... and not segment by segment, of which a device may want very short ones. */
static void caches_are_maintained_run_by_run(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = WIDE, .max_seg_size = SZ_64K };
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	struct sg_table *sgt = new_table(test, 20, 0, SZ_1M);
	struct iova_test *t = test->priv;
	struct vcm_iova_mapping map;

	vdev->coherent = false;
	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	KUNIT_EXPECT_EQ(test, map.table.orig_nents, 20 * SZ_1M / SZ_64K);
	vcm_iova_sync_for_device(&map, DMA_BIDIRECTIONAL);
	/* Each list is short enough for the stack. */
	KUNIT_EXPECT_EQ(test, t->nr_syncs, 2);
	KUNIT_EXPECT_EQ(test, t->syncs[0].nents, 16);
	KUNIT_EXPECT_EQ(test, t->syncs[0].len, 16 * SZ_1M);
	KUNIT_EXPECT_EQ(test, t->syncs[1].nents, 4);
	KUNIT_EXPECT_EQ(test, t->syncs[1].len, 4 * SZ_1M);
	vcm_test_unmap(&map);
	KUNIT_EXPECT_EQ(test, t->nr_syncs, 4);
	vcm_iova_put(vdev);
}

static void coherent_devices_need_no_sync(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, SZ_64K);
	struct vcm_iova_mapping map;

	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	vcm_iova_sync_for_device(&map, DMA_BIDIRECTIONAL);
	vcm_iova_sync_for_cpu(&map, DMA_BIDIRECTIONAL);
	vcm_test_unmap(&map);
	check_no_sync(test);
	vcm_iova_put(vdev);
}

/* --- When something fails ---------------------------------------------- */

static void senseless_requests_are_refused(struct kunit *test)
{
	struct vcm_iova_policy bad = { .align = 3 };
	struct vcm_iova_device *vdev = new_masked(test, WIDE);
	struct vcm_iova_device *none = new_masked(test, 0);
	struct sg_table *sgt = new_buffer(test, SZ_2M);
	struct vcm_iova_mapping map;

	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_NONE,
					   &no_policy, &map),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, 4, &no_policy,
					   &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
					   &bad, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_it(none, sgt, &map), -EINVAL);
	check_empty(test, vdev, sgt);
	check_empty(test, none, sgt);
	vcm_iova_put(vdev);
	vcm_iova_put(none);
}

/* The n-th call below fails, whichever it is: nothing is left. */
static void check_every_failure(struct kunit *test, unsigned int *countdown,
				size_t len, unsigned int more_than)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	unsigned int n = 0, left = left_for_others(test, vdev->dev);
	struct sg_table *sgt = new_buffer(test, len);
	struct vcm_iova_mapping map;
	int ret;

	do {
		*countdown = ++n;
		ret = map_it(vdev, sgt, &map);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		check_empty(test, vdev, sgt);
	} while (n < 100);
	*countdown = 0;
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, n, more_than);
	check_map(test, vdev, sgt, &map);
	vcm_test_unmap(&map);
	KUNIT_EXPECT_EQ(test, left_for_others(test, vdev->dev), left);
	vcm_iova_put(vdev);
}

static void a_run_that_cannot_be_mapped_leaves_nothing(struct kunit *test)
{
	check_every_failure(test, &vcm_fake_iommu.fail_map, 33 * SZ_1M, 17);
	check_every_failure(test, &vcm_fake_iommu.fail_map, SZ_32M, 16);
}

static void a_slab_that_cannot_be_synced_leaves_nothing(struct kunit *test)
{
	check_every_failure(test, &vcm_fake_iommu.fail_sync, 33 * SZ_1M, 2);
	check_every_failure(test, &vcm_fake_iommu.fail_sync, SZ_32M, 1);
}

#ifdef VCM_HAVE_FAIL_NTH
static void out_of_memory_leaves_no_device(struct kunit *test)
{
	struct vcm_fake_args args = { .mask = WIDE };
	struct device *dev = vcm_fake_device(test, &args);
	unsigned int n = 0, failures = 0;
	struct vcm_iova_device *vdev;
	bool failed;

	do {
		vcm_fail_nth_start(test, ++n);
		vdev = vcm_iova_get(dev);
		failed = vcm_fail_nth_end();
		if (IS_ERR(vdev)) {
			KUNIT_EXPECT_PTR_EQ(test, vdev, ERR_PTR(-ENOMEM));
			failures++;
		} else {
			vcm_iova_put(vdev);
		}
		KUNIT_EXPECT_FALSE(test, vcm_test_is_used(dev));
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(vdev));
	KUNIT_EXPECT_GT(test, failures, 0);
}

/* There may be another way round an allocation that failed. */
static void out_of_memory_leaves_no_mapping(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_masked(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 33 * SZ_1M);
	unsigned int n = 0, failures = 0;
	struct vcm_iova_mapping map;
	bool failed;
	int ret;

	do {
		vcm_fail_nth_start(test, ++n);
		ret = map_it(vdev, sgt, &map);
		failed = vcm_fail_nth_end();
		if (!ret) {
			check_map(test, vdev, sgt, &map);
			vcm_test_unmap(&map);
		} else if (ret == -ENOMEM || ret == -ENOSPC) {
			failures++;
		} else {
			KUNIT_FAIL(test, "n=%u ret=%d", n, ret);
		}
		check_empty(test, vdev, sgt);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, failures, 3);
	vcm_iova_put(vdev);
}
#endif

/* --- Without IOMMU ----------------------------------------------------- */

static void without_iommu_a_run_keeps_the_policy(struct kunit *test)
{
	struct vcm_iova_policy strict = { .flags = VCM_IOVA_STRICT };
	struct vcm_iova_device *vdev = new_direct(test, DMA_BIT_MASK(64));
	struct sg_table *sgt = new_split(test, 4);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
					   DMA_FROM_DEVICE, &strict,
					   &map), 0);
	KUNIT_EXPECT_FALSE(test, map.linked);
	KUNIT_EXPECT_FALSE(test, map.degraded);
	KUNIT_EXPECT_EQ(test, map.iova, sg_dma_address(map.table.sgl));
	KUNIT_EXPECT_EQ(test, map.segs, map.table.nents);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).mappings, 1);
	vcm_iova_sync_for_cpu(&map, DMA_FROM_DEVICE);
	vcm_iova_sync_for_device(&map, DMA_TO_DEVICE);
	vcm_test_unmap(&map);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

/* There may be bounce buffers, also for a device that is coherent. */
static void without_iommu_coherent_devices_are_synced(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_direct(test, DMA_BIT_MASK(64));
	struct sg_table *sgt = new_split(test, 4);
	struct vcm_iova_mapping map;
	struct sync want = {
		.map = &map, .dir = DMA_BIDIRECTIONAL, .for_device = true,
	};

	vdev->coherent = true;
	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	KUNIT_ASSERT_EQ(test, map_it(vdev, sgt, &map), 0);
	check_sync(test, &want);
	vcm_test_unmap(&map);
	want.for_device = false;
	check_sync(test, &want);
	vcm_iova_put(vdev);
}

/* dma-debug allows no other. */
static void without_iommu_the_direction_stays(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
	};
	struct vcm_iova_device *vdev = new_direct(test, DMA_BIT_MASK(64));
	struct sg_table *sgt = new_split(test, 4);
	struct iova_test *t = test->priv;
	struct vcm_iova_mapping map;
	struct sync want = { .map = &map };
	int i, j;

	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, dirs[i],
						   &no_policy, &map), 0);
		t->nr_syncs = 0;
		for (j = 0; j < ARRAY_SIZE(dirs); j++) {
			want.dir = i ? dirs[j] : DMA_TO_DEVICE;
			want.for_device = true;
			vcm_iova_sync_for_device(&map, dirs[j]);
			check_sync(test, &want);
		}
		vcm_test_unmap(&map);
	}
	vcm_iova_put(vdev);
}

static void what_cannot_be_kept_is_counted_or_refused(struct kunit *test)
{
	struct vcm_iova_policy policies[] = {
		{ .guard = 1 }, { .align = BIT_ULL(50) }, {},
	};
	struct vcm_iova_device *vdev = new_direct(test, DMA_BIT_MASK(64));
	struct vcm_iova_mapping map;
	struct sg_table *sgt;
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		/* The last one is two runs. */
		sgt = new_table(test, i == 2 ? 2 : 1, 0, SZ_64K);
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
						   DMA_TO_DEVICE,
						   &policies[i],
						   &map), 0);
		KUNIT_EXPECT_TRUE(test, map.degraded);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&vdev->nr_degraded), i + 1);
		/* Other directions than that of the mapping are that one. */
		vcm_iova_sync_for_cpu(&map, DMA_BIDIRECTIONAL);
		vcm_iova_sync_for_device(&map, DMA_BIDIRECTIONAL);
		vcm_test_unmap(&map);

		policies[i].flags = VCM_IOVA_STRICT;
		ret = vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
				   &policies[i], &map);
		KUNIT_EXPECT_EQ(test, ret, -EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&vdev->nr_refused), i + 1);
		check_empty(test, vdev, sgt);
	}
	vcm_iova_put(vdev);
}

static void memory_beyond_reach_is_refused(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_direct(test, DMA_BIT_MASK(16));
	struct sg_table *sgt = new_table(test, 1, SZ_1M, SZ_1M);
	struct vcm_iova_mapping map;

	KUNIT_EXPECT_EQ(test, map_it(vdev, sgt, &map), -EIO);
	check_empty(test, vdev, sgt);
	vcm_iova_put(vdev);
}

static struct kunit_case iova_test_cases[] = {
	KUNIT_CASE(policies_are_checked),
	KUNIT_CASE(a_device_is_known_while_it_is_used),
	KUNIT_CASE(it_is_known_who_translates),
	KUNIT_CASE(a_buffer_is_one_range),
	KUNIT_CASE(the_largest_chunk_decides_the_alignment),
	KUNIT_CASE(a_narrow_device_wastes_no_quarter),
	KUNIT_CASE(a_rule_for_a_device_holds_where_room_is_scarce),
	KUNIT_CASE(rules_are_made_once),
	KUNIT_CASE(a_guard_stays_unmapped),
	KUNIT_CASE(guards_are_where_they_were_asked_for),
	KUNIT_CASE(a_guard_before_leaves_segments_whole),
	KUNIT_CASE(nobody_writes_zeroes),
	KUNIT_CASE(zeroes_that_cannot_be_mapped_leave_nothing),
	KUNIT_CASE(a_run_is_mapped_by_one_call),
	KUNIT_CASE(unmapping_forgets_at_once),
	KUNIT_CASE(the_direction_is_the_permission),
	KUNIT_CASE(segments_are_cut_for_the_device),
	KUNIT_CASE(segments_can_be_parts_of_a_page),
	KUNIT_CASE(what_is_left_of_the_table_is_empty),
	KUNIT_CASE(a_device_that_changed_its_mind_is_cut_for_anew),
	KUNIT_CASE(slabs_are_a_part_of_the_address_space),
	KUNIT_CASE(seven_buffers_of_33_mb_fit_28_bits),
	KUNIT_CASE(small_address_spaces_are_used_to_the_end),
	KUNIT_CASE(what_others_leave_is_found_in_smaller_slabs),
	KUNIT_CASE(slabs_are_as_large_as_can_be_had),
	KUNIT_CASE(what_is_as_long_as_the_boundary_goes_in_slabs),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(no_slab_is_reserved_where_no_gap_is),
	KUNIT_CASE(a_part_of_a_page_is_no_gap),
	KUNIT_CASE(a_guard_is_no_gap),
#endif
	KUNIT_CASE(a_power_of_two_is_a_reservation_of_its_own),
	KUNIT_CASE(what_fits_no_address_space_is_refused),
	KUNIT_CASE(a_map_takes_no_more_for_a_guard),
	KUNIT_CASE(a_map_takes_no_more_for_an_alignment),
	KUNIT_CASE(no_address_is_beyond_a_mask_that_shrank),
	KUNIT_CASE(no_segment_crosses_a_boundary_that_shrank),
	KUNIT_CASE(others_find_room_while_a_buffer_does_not),
	KUNIT_CASE(small_buffers_keep_little_from_others),
	KUNIT_CASE(what_is_mapped_ends_with_the_device),
	KUNIT_CASE(what_is_mapped_ends_without_a_driver),
	KUNIT_CASE(nobody_attaches_to_what_is_being_deleted),
	KUNIT_CASE(a_device_that_is_bound_again_is_another),
	KUNIT_CASE(what_was_in_a_domain_is_lost_with_it),
	KUNIT_CASE(a_domain_that_comes_late_is_the_one),
	KUNIT_CASE(devices_that_are_not_coherent_are_linked),
	KUNIT_CASE(caches_are_maintained_run_by_run),
	KUNIT_CASE(coherent_devices_need_no_sync),
	KUNIT_CASE(senseless_requests_are_refused),
	KUNIT_CASE(a_run_that_cannot_be_mapped_leaves_nothing),
	KUNIT_CASE(a_slab_that_cannot_be_synced_leaves_nothing),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_leaves_no_device),
	KUNIT_CASE(out_of_memory_leaves_no_mapping),
#endif
	KUNIT_CASE(without_iommu_a_run_keeps_the_policy),
	KUNIT_CASE(without_iommu_coherent_devices_are_synced),
	KUNIT_CASE(without_iommu_the_direction_stays),
	KUNIT_CASE(what_cannot_be_kept_is_counted_or_refused),
	KUNIT_CASE(memory_beyond_reach_is_refused),
	{}
};

static struct kunit_suite iova_test_suite = {
	.name = "vcm_iova",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = iova_test_init,
	.exit = iova_test_exit,
	.test_cases = iova_test_cases,
};

kunit_test_suite(iova_test_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
