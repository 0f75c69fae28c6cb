// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of debugfs vcm/iova: what it says of devices and their mappings
 */

#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/sizes.h>

#include "../vcm-debugfs.h"
#include "../vcm-device.h"
#include "../vcm-mapping.h"
#include "vcm-fake-iommu.h"
#include "vcm-show.h"
#include "vcm-test-map.h"

#define BLOCK_ORDER	get_order(SZ_64K)
#define ALIGN_ASKED	SZ_1M
#define GUARD_ASKED	SZ_128K

static int debugfs_test_init(struct kunit *test)
{
	vcm_fake_reset();
	test->priv = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return test->priv ? 0 : -ENOMEM;
}

static void debugfs_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (test->priv)
		__free_pages(test->priv, BLOCK_ORDER);
}

static struct vcm_iova_device *new_vdev(struct kunit *test,
					const struct vcm_fake_args *args)
{
	struct vcm_iova_device *vdev;

	vdev = vcm_iova_get(vcm_fake_device(test, args));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	return vdev;
}

/* A mapping of 64 KB for @vdev, which is undone by unmap_it(). */
static struct sg_table *map_it(struct kunit *test,
			       struct vcm_iova_device *vdev,
			       const struct vcm_iova_policy *policy,
			       struct vcm_iova_mapping *map)
{
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_64K);

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt,
					   DMA_BIDIRECTIONAL, policy,
					   map), 0);
	return sgt;
}

static void without_devices_there_is_no_line(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_iova_show), "");
}

static void a_device_has_a_line_and_its_mappings(struct kunit *test)
{
	static const struct vcm_iova_policy policy = {
		.align = ALIGN_ASKED, .guard = GUARD_ASKED,
	};
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(28) };
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	struct vcm_iova_mapping map;
	const char *text;

	text = vcm_text(test,
			"%s translated=1 linked=1 slab_size=%llu slabs=0 reserved=0 used=0 largest_free=0 mappings=0 degraded=0 refused=0 kept=0 kept_bytes=0\n",
			dev_name(vdev->dev), vdev->slab_size);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_iova_show), text);

	map_it(test, vdev, &policy, &map);
	text = vcm_text(test,
			"%s translated=1 linked=1 slab_size=%llu slabs=1 reserved=%llu used=%llu largest_free=%llu mappings=1 degraded=0 refused=0 kept=0 kept_bytes=0\n"
			"  iova=0x%016llx length=65536 align=1048576 guard=131072 before=0 segs=1 alone=0 degraded=0\n",
			dev_name(vdev->dev), vdev->slab_size,
			vdev->slab_size, (u64)SZ_64K + SZ_128K,
			vcm_extents_largest(&vdev->extents), map.iova);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_iova_show), text);

	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

/* A physical address is nobody's business. */
static void without_iommu_no_address_is_told(struct kunit *test)
{
	static const struct vcm_iova_policy policy = { .guard = GUARD_ASKED };
	static const struct vcm_iova_policy strict = {
		.guard = GUARD_ASKED, .flags = VCM_IOVA_STRICT,
	};
	const struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(64), .direct = true,
	};
	struct vcm_iova_device *vdev = new_vdev(test, &args);
	struct vcm_iova_mapping map, refused;
	struct sg_table *sgt;
	const char *text;

	sgt = map_it(test, vdev, &policy, &map);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt,
					   DMA_BIDIRECTIONAL, &strict,
					   &refused), -EOPNOTSUPP);
	text = vcm_text(test,
			"%s translated=0 linked=0 slab_size=%llu slabs=0 reserved=0 used=0 largest_free=0 mappings=1 degraded=1 refused=1 kept=0 kept_bytes=0\n"
			"  iova=- length=65536 align=%llu guard=131072 before=0 segs=1 alone=0 degraded=1\n",
			dev_name(vdev->dev), vdev->slab_size, map.align);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_iova_show), text);

	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

static void all_devices_are_there_in_order(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(28) };
	struct vcm_iova_device *first = new_vdev(test, &args);
	struct vcm_iova_device *second = new_vdev(test, &args);
	const char *text = vcm_show(test, vcm_iova_show), *a, *b;

	a = strstr(text, dev_name(first->dev));
	b = strstr(text, dev_name(second->dev));
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_TRUE(test, a < b);
	vcm_iova_put(second);
	vcm_iova_put(first);
}

static struct kunit_case debugfs_test_cases[] = {
	KUNIT_CASE(without_devices_there_is_no_line),
	KUNIT_CASE(a_device_has_a_line_and_its_mappings),
	KUNIT_CASE(without_iommu_no_address_is_told),
	KUNIT_CASE(all_devices_are_there_in_order),
	{}
};

static struct kunit_suite debugfs_test_suite = {
	.name = "vcm_iova_debugfs",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = debugfs_test_init,
	.exit = debugfs_test_exit,
	.test_cases = debugfs_test_cases,
};

kunit_test_suite(debugfs_test_suite);
