// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of debugfs vcm/spaces: what it says of address spaces
 */

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/sizes.h>

#include "../vcm-domain.h"
#include "../vcm-parent.h"
#include "../vcm-set.h"
#include "../vcm-space.h"
#include "vcm-fake-iommu.h"
#include "vcm-show.h"

#define BLOCK_ORDER	get_order(SZ_64K)
#define START		((u64)SZ_64M)
#define FIXED		((u64)SZ_128M)

static const struct vcm_space_args space_args = {
	.start = START, .len = SZ_256M, .fixed_start = FIXED,
	.fixed_len = SZ_16M, .align = SZ_2M,
};

static int debugfs_test_init(struct kunit *test)
{
	vcm_fake_reset();
	test->priv = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return test->priv ? 0 : -ENOMEM;
}

static void debugfs_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	if (test->priv)
		__free_pages(test->priv, BLOCK_ORDER);
}

static struct vcm_space *new_space(struct kunit *test, struct device *dev)
{
	struct vcm_space *space = vcm_space_create(dev, &space_args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	return space;
}

/* The line of a space with the window above, and @mapped bytes in it. */
static const char *space_line(struct kunit *test, struct vcm_space *space,
			      bool active, u64 mapped)
{
	return vcm_text(test,
			"  vcm-space.%d active=%d start=0x4000000 length=268435456 fixed_start=0x8000000 fixed_length=16777216 align=2097152 mapped=%llu pgsizes=0x%lx refused=0 set=0 buffers=0\n",
			space->id, active, mapped, space->domain->pgsizes);
}

static void without_spaces_there_is_no_line(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_spaces_show), "");
}

static void a_device_has_its_spaces(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(48), .managed = true,
	};
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_space *one = new_space(test, dev);
	struct vcm_space *two = new_space(test, dev);
	const char *text;

	KUNIT_EXPECT_EQ(test, vcm_space_activate(two), 0);
	text = vcm_text(test, "%s spaces=2 gap=blocked\n%s%s", dev_name(dev),
			space_line(test, one, false, 0),
			space_line(test, two, true, 0));
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_spaces_show), text);

	KUNIT_EXPECT_EQ(test, vcm_space_switch(one), 0);
	vcm_space_destroy(two);
	text = vcm_text(test, "%s spaces=1 gap=blocked\n%s", dev_name(dev),
			space_line(test, one, true, 0));
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_spaces_show), text);

	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(one), 0);
	vcm_space_destroy(one);
}

static void fixed_addresses_are_told(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_space *space = new_space(test, dev);
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_64K);
	struct dma_buf *buf = vcm_fake_buffer(test, sgt, SZ_64K);
	const char *text;

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(space, FIXED + SZ_2M, buf,
					       DMA_TO_DEVICE), 0);
	text = vcm_text(test,
			"%s spaces=1 gap=default\n%s    fixed iova=0x0000000008200000 length=65536\n",
			dev_name(dev), space_line(test, space, false, SZ_64K));
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_spaces_show), text);
	KUNIT_EXPECT_EQ(test, vcm_space_unmap_at(space, FIXED + SZ_2M), 0);
	vcm_space_destroy(space);
}

static void a_set_is_told(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	const struct vcm_set_args set_args = { .space = space_args, .max = 2 };
	struct device *dev = vcm_fake_device(test, &args);
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_64K);
	struct vcm_set_mapping mappings[2] = {};
	struct vcm_space *space;
	struct vcm_set *set;
	const char *text;

	set = vcm_set_create(dev, &set_args);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, set);
	text = vcm_text(test, " set=%d buffers=0\n", set->id);
	KUNIT_EXPECT_NOT_NULL(test, strstr(vcm_show(test, vcm_spaces_show),
					   text));
	mappings[0].dmabuf = vcm_fake_buffer(test, sgt, SZ_64K);
	mappings[0].dir = DMA_TO_DEVICE;
	mappings[1] = mappings[0];
	space = vcm_set_map(set, mappings, 2, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	text = vcm_text(test, " set=%d buffers=2\n", set->id);
	KUNIT_EXPECT_NOT_NULL(test, strstr(vcm_show(test, vcm_spaces_show),
					   text));
	vcm_set_unmap(mappings, 2);
	vcm_set_destroy(set);
}

static void a_device_that_is_gone_is_called_dead(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *dev = vcm_fake_device(test, &args);
	struct vcm_space *space = new_space(test, dev);
	const char *name = vcm_text(test, "%s", dev_name(dev));
	const char *text;

	vcm_fake_device_remove(test, dev);
	text = vcm_text(test, "%s spaces=1 gap=default dead\n", name);
	KUNIT_EXPECT_TRUE(test, strstarts(vcm_show(test, vcm_spaces_show),
					  text));
	vcm_space_destroy(space);
}

static void devices_are_there_in_order(struct kunit *test)
{
	const struct vcm_fake_args args = { .mask = DMA_BIT_MASK(48) };
	struct device *first = vcm_fake_device(test, &args);
	struct device *second = vcm_fake_device(test, &args);
	struct vcm_space *one = new_space(test, first);
	struct vcm_space *two = new_space(test, second);
	const char *text = vcm_show(test, vcm_spaces_show), *a, *b;

	a = strstr(text, dev_name(first));
	b = strstr(text, dev_name(second));
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_TRUE(test, a < b);
	vcm_space_destroy(two);
	vcm_space_destroy(one);
}

static struct kunit_case debugfs_test_cases[] = {
	KUNIT_CASE(without_spaces_there_is_no_line),
	KUNIT_CASE(a_device_has_its_spaces),
	KUNIT_CASE(fixed_addresses_are_told),
	KUNIT_CASE(a_set_is_told),
	KUNIT_CASE(a_device_that_is_gone_is_called_dead),
	KUNIT_CASE(devices_are_there_in_order),
	{}
};

static struct kunit_suite debugfs_test_suite = {
	.name = "vcm_space_debugfs",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = debugfs_test_init,
	.exit = debugfs_test_exit,
	.test_cases = debugfs_test_cases,
};

kunit_test_suite(debugfs_test_suite);
