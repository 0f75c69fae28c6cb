// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the importer's table: which segments a buffer is cut into
 */

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "../vcm-device.h"
#include "../vcm-table.h"
#include "vcm-fail-nth.h"

/*
 * All of a buffer, whose memory is not touched; the last one has no length.
 */
static const struct vcm_iova_run chunks[] = {
	{ SZ_4M, SZ_2M }, { SZ_16M + SZ_1M, SZ_1M }, { SZ_8M, SZ_64K },
	{ SZ_1M + PAGE_SIZE, PAGE_SIZE }, {}
};

static const struct vcm_iova_run one_run[] = {
	{ SZ_2M + 3 * PAGE_SIZE, SZ_2M + SZ_1M + SZ_64K + PAGE_SIZE }, {}
};

static const struct vcm_iova_run small_runs[] = {
	{ SZ_64K, PAGE_SIZE }, { SZ_1M, 3 * PAGE_SIZE },
	{ SZ_2M - PAGE_SIZE, SZ_64K }, { SZ_8M + SZ_64K, SZ_128K }, {}
};

static const struct vcm_iova_run * const buffers[] = { chunks, one_run, small_runs };

/**
 * struct table_case - limits of a device
 * @name: what it shows
 * @max: its longest segment, or 0 for what a device has by default
 * @boundary: mask of its segments, or 0 for none
 */
struct table_case {
	const char *name;
	unsigned int max;
	unsigned long boundary;
};

static const struct table_case table_cases[] = {
	{ "default", 0, 0 },
	{ "no limits", UINT_MAX, 0 },
	{ "a page", PAGE_SIZE, 0 },
	{ "less than a page", PAGE_SIZE / 2, 0 },
	{ "not whole pages", 3 * PAGE_SIZE - 1, 0 },
	{ "64 KB", SZ_64K, 0 },
	{ "boundary of 64 KB", UINT_MAX, SZ_64K - 1 },
	{ "boundary of a page", UINT_MAX, PAGE_SIZE - 1 },
	{ "boundary of 1 MB", UINT_MAX, SZ_1M - 1 },
	{ "boundary of 4 GB", UINT_MAX, 0xffffffff },
	{ "both", SZ_64K + PAGE_SIZE, SZ_128K - 1 },
};

/**
 * struct table_test - a buffer attached to a device with nothing but limits
 * @dev: the device
 * @parms: its limits
 * @vdev: ... to placement
 * @map: the buffer
 */
struct table_test {
	struct device dev;
	struct device_dma_parameters parms;
	struct vcm_iova_device vdev;
	struct vcm_iova_mapping map;
};

static struct vcm_iova_mapping *new_map(struct kunit *test,
					const struct vcm_iova_run *buffer,
					const struct table_case *c)
{
	struct table_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->dev.dma_parms = &t->parms;
	t->parms.max_segment_size = c->max;
	t->parms.segment_boundary_mask = c->boundary;
	t->vdev.dev = &t->dev;
	t->map.vdev = &t->vdev;
	t->map.gfp = GFP_KERNEL;
	t->map.runs = buffer;
	for (; buffer->len; buffer++, t->map.nr_runs++)
		t->map.len += buffer->len;
	return &t->map;
}

static bool crosses(u64 start, u64 len, u64 boundary)
{
	return (start & ~boundary) != ((start + len - 1) & ~boundary);
}

/*
 * Is @len bytes the longest segment that may be at @phys, at @offset in the
 * buffer, of @left bytes that are contiguous?
 */
static void check_seg(struct kunit *test, struct device *dev, u64 phys,
		      u64 offset, size_t len, size_t left)
{
	u64 boundary = dma_get_seg_boundary(dev);
	size_t max = dma_get_max_seg_size(dev);

	if (max > PAGE_SIZE)
		max = ALIGN_DOWN(max, PAGE_SIZE);
	KUNIT_EXPECT_NE(test, len, 0);
	KUNIT_EXPECT_LE(test, len, max);
	KUNIT_EXPECT_FALSE(test, crosses(phys, len, boundary));
	KUNIT_EXPECT_FALSE(test, crosses(offset, len, boundary));
	KUNIT_EXPECT_TRUE(test, len == left || len == max ||
			  crosses(phys, len + 1, boundary) ||
			  crosses(offset, len + 1, boundary));
}

static void check_table(struct kunit *test, const struct vcm_iova_run *run,
			const struct table_case *c)
{
	struct vcm_iova_mapping *map = new_map(test, run, c);
	struct scatterlist *sg;
	u64 offset = 0;
	size_t in = 0;
	int i;

	KUNIT_ASSERT_EQ(test, vcm_table_init(map), 0);
	for_each_sgtable_sg(&map->table, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_phys(sg), run->phys + in);
		check_seg(test, map->vdev->dev, sg_phys(sg), offset,
			  sg->length, run->len - in);
		offset += sg->length;
		in += sg->length;
		if (in == run->len) {
			run++;
			in = 0;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, run->len, 0, "%s", c->name);
	KUNIT_EXPECT_EQ(test, map->len, offset);
	KUNIT_EXPECT_EQ(test, map->table.nents, map->table.orig_nents);
	vcm_table_free(map);
}

static void segments_respect_the_device(struct kunit *test)
{
	int i, j;

	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		for (j = 0; j < ARRAY_SIZE(table_cases); j++)
			check_table(test, buffers[i], &table_cases[j]);
}

static void each_limit_that_changes_is_noticed(struct kunit *test)
{
	const struct table_case c = { .max = SZ_64K };
	struct vcm_iova_mapping *map = new_map(test, chunks, &c);
	struct device *dev = map->vdev->dev;

	KUNIT_ASSERT_EQ(test, vcm_table_init(map), 0);
	dma_set_max_seg_size(dev, SZ_32K);
	KUNIT_EXPECT_EQ(test, vcm_table_update(map), 0);
	KUNIT_EXPECT_EQ(test, map->table.sgl->length, SZ_32K);
	dma_set_seg_boundary(dev, SZ_16K - 1);
	KUNIT_EXPECT_EQ(test, vcm_table_update(map), 0);
	KUNIT_EXPECT_EQ(test, map->table.sgl->length, SZ_16K);
	vcm_table_free(map);
}

static void a_buffer_of_nothing_is_refused(struct kunit *test)
{
	static const struct vcm_iova_run nothing[] = { {} };
	struct vcm_iova_mapping *map = new_map(test, nothing, &table_cases[0]);

	KUNIT_EXPECT_EQ(test, vcm_table_init(map), -EINVAL);
}

#ifdef VCM_HAVE_FAIL_NTH
static void no_room_for_the_table_is_an_error(struct kunit *test)
{
	const struct table_case c = { .max = PAGE_SIZE };
	struct vcm_iova_mapping *map = new_map(test, chunks, &c);
	unsigned int n = 0, failures = 0;
	bool failed;
	int ret;

	do {
		vcm_fail_nth_start(test, ++n);
		ret = vcm_table_init(map);
		failed = vcm_fail_nth_end();
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			failures++;
		} else {
			vcm_table_free(map);
		}
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, failures, 0);
}

/* What was there stays. */
static void no_room_for_another_table_is_an_error(struct kunit *test)
{
	const struct table_case c = { .max = SZ_64K };
	struct vcm_iova_mapping *map = new_map(test, chunks, &c);
	unsigned int n = 0, failures = 0, nents;
	bool failed;
	int ret;

	KUNIT_ASSERT_EQ(test, vcm_table_init(map), 0);
	nents = map->table.nents;
	dma_set_max_seg_size(map->vdev->dev, PAGE_SIZE);
	do {
		vcm_fail_nth_start(test, ++n);
		ret = vcm_table_update(map);
		failed = vcm_fail_nth_end();
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			KUNIT_EXPECT_EQ(test, map->table.nents, nents);
			KUNIT_EXPECT_EQ(test, map->table.sgl->length, SZ_64K);
			failures++;
		} else if (failed) {
			/* What failed was kmemleak's: once more. */
			dma_set_max_seg_size(map->vdev->dev, SZ_64K);
			KUNIT_ASSERT_EQ(test, vcm_table_update(map), 0);
			dma_set_max_seg_size(map->vdev->dev, PAGE_SIZE);
		}
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, failures, 0);
	KUNIT_EXPECT_EQ(test, map->table.sgl->length, PAGE_SIZE);
	vcm_table_free(map);
}
#endif

/* An entry of a list has no more than 4 GB, less one byte. */
static void no_run_is_longer_than_an_entry(struct kunit *test)
{
	struct vcm_iova_mapping map = {
		.nr_runs = 1, .table.orig_nents = 2, .len = UINT_MAX,
	};

	KUNIT_EXPECT_TRUE(test, vcm_table_is_cut(&map));
	map.len++;
	KUNIT_EXPECT_FALSE(test, map.len && vcm_table_is_cut(&map));
	map.len = SZ_1M;
	map.nr_runs = 2;
	KUNIT_EXPECT_FALSE(test, vcm_table_is_cut(&map));
}

static struct kunit_case table_test_cases[] = {
	KUNIT_CASE(segments_respect_the_device),
	KUNIT_CASE(each_limit_that_changes_is_noticed),
	KUNIT_CASE(a_buffer_of_nothing_is_refused),
	KUNIT_CASE(no_run_is_longer_than_an_entry),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(no_room_for_the_table_is_an_error),
	KUNIT_CASE(no_room_for_another_table_is_an_error),
#endif
	{}
};

static struct kunit_suite table_test_suite = {
	.name = "vcm_table",
	.test_cases = table_test_cases,
};

kunit_test_suite(table_test_suite);
