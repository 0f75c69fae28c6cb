// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of windows: addresses that are kept for some buffers, or from all
 *
 * A case is named after what it proves. The devices and their IOMMU are made up
 * (vcm-fake-iommu.c); the DMA API that hands out addresses is the real one.
 */

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/sizes.h>

#include "../vcm-debugfs.h"
#include "../vcm-device.h"
#include "../vcm-reserve.h"
#include "../vcm-wanted.h"
#include "vcm-fail-nth.h"
#include "vcm-fake-iommu.h"
#include "vcm-show.h"
#include "vcm-test-map.h"

#define NARROW		DMA_BIT_MASK(28)
#define BLOCK_ORDER	get_order(SZ_2M)
#define NR_STATES	4096
#define UNIT		((u64)VCM_IOVA_WINDOW_UNIT)

static const struct vcm_iova_window the_window = { SZ_64M, SZ_64M, 0 };
static const struct vcm_iova_window numbered = { SZ_64M, SZ_64M, 7 };
static const struct vcm_iova_policy no_policy;
static const struct vcm_iova_policy in_window = { .window = 7 };

static int window_test_init(struct kunit *test)
{
	vcm_fake_reset();
	test->priv = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return test->priv ? 0 : -ENOMEM;
}

static void window_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (test->priv)
		__free_pages(test->priv, BLOCK_ORDER);
}

static struct device *new_device(struct kunit *test, u64 mask)
{
	return vcm_fake_device(test, &(struct vcm_fake_args){ .mask = mask });
}

static struct vcm_iova_device *get_vdev(struct kunit *test, struct device *dev)
{
	struct vcm_iova_device *vdev = vcm_iova_get(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	return vdev;
}

static bool overlaps(u64 start, u64 len, const struct vcm_iova_window *window)
{
	return start <= vcm_window_last(window) &&
	       start + len > window->start;
}

/* All that the DMA API has, in ranges of @len. Returns how many. */
static unsigned int take_all(struct kunit *test, struct device *dev, size_t len,
			     const struct vcm_iova_window *window)
{
	struct dma_iova_state *states;
	unsigned int n = 0, i;

	states = kunit_kcalloc(test, NR_STATES, sizeof(*states), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, states);
	while (n < NR_STATES && dma_iova_try_alloc(dev, &states[n], 0, len)) {
		if (window)
			KUNIT_EXPECT_FALSE_MSG(test,
					       overlaps(states[n].addr, len,
							window),
					       "0x%llx", (u64)states[n].addr);
		n++;
	}
	for (i = 0; i < n; i++)
		dma_iova_free(dev, &states[i]);
	return n;
}

/* --- What can be asked for --------------------------------------------- */

static const struct {
	struct vcm_iova_window window;
	int ret;
} window_cases[] = {
	{ { 0, 0 }, -EINVAL },
	{ { 0, UNIT / 2 }, -EINVAL },
	{ { PAGE_SIZE, UNIT }, -EINVAL },
	{ { SZ_4G - UNIT, UNIT }, 0 },
	{ { SZ_4G - UNIT, 2 * UNIT }, -ERANGE },
	{ { SZ_4G, UNIT }, -ERANGE },
	{ { 0, SZ_4G }, 0 },
	{ { UNIT, SZ_4G }, -ERANGE },
	{ { UNIT, -UNIT }, -ERANGE },
};

static void windows_are_checked(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(window_cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    vcm_window_check(&window_cases[i].window),
				    window_cases[i].ret, "case %d", i);
}

static void each_mistake_has_its_error(struct kunit *test)
{
	const struct vcm_fake_args direct = { .mask = NARROW, .direct = true };
	const struct vcm_fake_args managed = { .mask = NARROW, .managed = true };
	struct vcm_iova_window same = { SZ_128M, SZ_1M, 7 };
	struct vcm_iova_window across = { SZ_128M - SZ_1M, SZ_2M, 1 };
	struct vcm_iova_window beyond = { SZ_2G, SZ_1M };
	struct device *dev = new_device(test, NARROW);
	struct vcm_iova_window small = { 0, UNIT };
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_64K);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;
	int i;

	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(vcm_fake_device(test, &direct),
						  &numbered), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(vcm_fake_device(test, &managed),
						  &numbered), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &same), -EEXIST);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &across), -EEXIST);
	/* Beyond the mask is what the driver may set it to later. */
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &beyond), 0);
	for (i = 2; i < VCM_IOVA_WINDOWS_MAX; i++) {
		small.start = i * SZ_1M;
		KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &small), 0);
	}
	small.start = i * SZ_1M;
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &small), -ENOSPC);

	dev = new_device(test, NARROW);
	vdev = get_vdev(test, dev);
	KUNIT_ASSERT_EQ(test, vcm_test_attach(vdev, sgt, &no_policy, &map), 0);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &numbered), -EBUSY);
	vcm_test_detach(&map);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vcm_iova_put(vdev);
}

/* --- What is kept ------------------------------------------------------ */

static void the_dma_api_hands_out_nothing_of_it(struct kunit *test)
{
	static const size_t lens[] = { SZ_32M, SZ_1M, SZ_64K };
	struct device *dev = new_device(test, NARROW);
	unsigned int before[ARRAY_SIZE(lens)], i;

	for (i = 0; i < ARRAY_SIZE(lens); i++)
		before[i] = take_all(test, dev, lens[i], NULL);
	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &the_window), 0);
	KUNIT_EXPECT_EQ(test, dma_get_mask(dev), NARROW);
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		KUNIT_EXPECT_EQ(test, take_all(test, dev, lens[i], &the_window),
				before[i] - the_window.len / lens[i]);
}

/* What nobody has but a CPU's cache is not free, and not in use either. */
static void what_was_given_back_is_not_handed_out_again(struct kunit *test)
{
	struct device *dev = new_device(test, NARROW);

	take_all(test, dev, SZ_64K, NULL);
	take_all(test, dev, PAGE_SIZE, NULL);
	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &the_window), 0);
	KUNIT_EXPECT_GE(test, take_all(test, dev, SZ_64K, &the_window),
			(SZ_256M - SZ_64M) / SZ_64K - 1);
	take_all(test, dev, PAGE_SIZE, &the_window);
}

static void odd_windows_are_kept_whole(struct kunit *test)
{
	static const struct vcm_iova_window windows[] = {
		{ 0, 151 * UNIT },
		{ SZ_128M + 3 * UNIT, SZ_16M + 6 * UNIT },
		{ SZ_256M - UNIT, UNIT },
	};
	struct device *dev = new_device(test, NARROW);
	struct vcm_iova_device *vdev = get_vdev(test, dev);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(windows); i++)
		KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &windows[i]), 0);
	/* Address 0 is nobody's. */
	KUNIT_EXPECT_EQ(test, vdev->windowed, windows[0].len + windows[1].len +
			windows[2].len - PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		take_all(test, dev, SZ_64K, &windows[i]);
		take_all(test, dev, PAGE_SIZE, &windows[i]);
	}
	vcm_iova_put(vdev);
}

static void no_buffer_is_placed_in_it(struct kunit *test)
{
	static const size_t lens[] = { SZ_2M, SZ_1M + SZ_64K, SZ_64K };
	struct device *dev = new_device(test, NARROW);
	struct vcm_iova_mapping *maps;
	struct vcm_iova_device *vdev;
	unsigned int i, n, j;

	maps = kunit_kcalloc(test, NR_STATES, sizeof(*maps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, maps);
	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vdev = get_vdev(test, dev);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0,
						      lens[i]);

		for (n = 0; n < NR_STATES; n++) {
			if (vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &no_policy,
					 &maps[n]))
				break;
			KUNIT_EXPECT_FALSE(test, overlaps(maps[n].iova, lens[i],
							  &numbered));
		}
		KUNIT_EXPECT_GE(test, n, min_t(u64, NR_STATES,
					       (SZ_256M - SZ_64M - SZ_16M) /
					       roundup_pow_of_two(lens[i])));
		for (j = 0; j < n; j++)
			vcm_test_unmap(&maps[j]);
	}
	vcm_iova_put(vdev);
}

static void what_is_reserved_is_left_out(struct kunit *test)
{
	struct vcm_iova_device *vdev;
	struct device *dev;

	vcm_fake_iommu.regions[0] = (struct iommu_resv_region){
		.start = SZ_64M + SZ_1M, .length = SZ_1M + PAGE_SIZE,
		.type = IOMMU_RESV_RESERVED,
	};
	dev = new_device(test, NARROW);
	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vdev = get_vdev(test, dev);
	KUNIT_EXPECT_EQ(test, vdev->windowed,
			numbered.len - SZ_1M - PAGE_SIZE);
	take_all(test, dev, PAGE_SIZE, &numbered);
	vcm_iova_put(vdev);
}

/* --- For the buffers of a number --------------------------------------- */

static void a_buffer_of_the_number_is_in_the_window(struct kunit *test)
{
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 3, 0, SZ_2M);
	struct device *dev = new_device(test, NARROW);
	struct vcm_iova_mapping *maps, out;
	struct vcm_iova_device *vdev;
	unsigned int n, j;

	maps = kunit_kcalloc(test, 32, sizeof(*maps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, maps);
	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vdev = get_vdev(test, dev);
	for (n = 0; n < 32; n++) {
		int ret = vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &in_window,
				       &maps[n]);

		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
			break;
		}
		KUNIT_EXPECT_GE(test, maps[n].iova, numbered.start);
		KUNIT_EXPECT_LE(test, maps[n].iova + maps[n].len - 1,
				vcm_window_last(&numbered));
		KUNIT_EXPECT_EQ(test, vcm_fake_phys(dev, maps[n].iova + SZ_4M),
				sg_phys(sgt->sgl));
		KUNIT_EXPECT_FALSE(test, maps[n].degraded);
	}
	/* Packed, and none of them elsewhere though there is room */
	KUNIT_EXPECT_EQ(test, n, 64 / 6);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &no_policy,
					   &out), 0);
	KUNIT_EXPECT_FALSE(test, overlaps(out.iova, out.len, &numbered));
	vcm_test_unmap(&out);
	for (j = 0; j < n; j++)
		vcm_test_unmap(&maps[j]);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).used, 0);
	vcm_iova_put(vdev);
}

static void a_device_without_the_window_is_told(struct kunit *test)
{
	static const struct vcm_iova_policy strict = {
		.window = 8, .flags = VCM_IOVA_STRICT,
	};
	static const struct vcm_iova_policy other = { .window = 8 };
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_1M);
	struct device *dev = new_device(test, NARROW);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vdev = get_vdev(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &strict,
					   &map), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&vdev->nr_refused), 1);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &other,
					   &map), 0);
	KUNIT_EXPECT_TRUE(test, map.degraded);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&vdev->nr_degraded), 1);
	KUNIT_EXPECT_FALSE(test, overlaps(map.iova, map.len, &numbered));
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

static void no_buffer_is_beyond_the_mask_in_it(struct kunit *test)
{
	static const struct vcm_iova_window high = { SZ_256M - SZ_4M, SZ_8M, 7 };
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_2M);
	struct device *dev = new_device(test, DMA_BIT_MASK(32));
	struct vcm_iova_mapping maps[3];
	struct vcm_iova_device *vdev;
	int i;

	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &high), 0);
	dma_set_mask(dev, NARROW);
	vdev = get_vdev(test, dev);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE,
						   &in_window, &maps[i]),
				i < 2 ? 0 : -ENOSPC);
	vcm_test_unmap(&maps[0]);
	vcm_test_unmap(&maps[1]);
	vcm_iova_put(vdev);
}

/* --- Its end ----------------------------------------------------------- */

static void it_ends_with_the_binding(struct kunit *test)
{
	struct device *dev = new_device(test, NARROW);
	unsigned int before = take_all(test, dev, SZ_1M, NULL);

	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	KUNIT_EXPECT_EQ(test, take_all(test, dev, SZ_1M, NULL), before - 64);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, take_all(test, dev, SZ_1M, NULL), before);
	KUNIT_EXPECT_EQ(test, device_attach(dev), 1);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
}

static void a_buffer_may_outlive_it(struct kunit *test)
{
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_1M);
	struct device *dev = new_device(test, NARROW);
	unsigned int before = take_all(test, dev, SZ_1M, NULL);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_iova_add_window(dev, &numbered), 0);
	vdev = get_vdev(test, dev);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &in_window,
					   &map), 0);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, take_all(test, dev, SZ_1M, NULL), before);
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);
}

#ifdef VCM_HAVE_FAIL_NTH
static void out_of_memory_leaves_no_window(struct kunit *test)
{
	struct device *dev = new_device(test, NARROW);
	unsigned int before = take_all(test, dev, SZ_1M, NULL), n = 0;
	bool failed;
	int ret;

	do {
		vcm_fail_nth_start(test, ++n);
		ret = vcm_iova_add_window(dev, &the_window);
		failed = vcm_fail_nth_end();
		/* The DMA API does not say what it is that it has not. */
		if (ret)
			KUNIT_EXPECT_TRUE(test, ret == -ENOMEM || ret == -EADDRINUSE);
		take_all(test, dev, SZ_1M, ret ? NULL : &the_window);
		take_all(test, dev, PAGE_SIZE, ret ? NULL : &the_window);
		if (!ret) {
			device_release_driver(dev);
			KUNIT_EXPECT_EQ(test, device_attach(dev), 1);
		}
		KUNIT_ASSERT_EQ(test, take_all(test, dev, SZ_1M, NULL), before);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_EQ(test, ret, 0);
}
#endif

/* --- What an administrator wants --------------------------------------- */

static int want(struct kunit *test, struct device *dev, const char *what)
{
	return vcm_wanted_set(vcm_text(test, what, dev_name(dev)), NULL);
}

static const struct {
	const char *text;
	int ret;
} wanted_cases[] = {
	{ "", -EINVAL }, { ",", -EINVAL }, { "%s", -EINVAL },
	{ "%s,", -EINVAL }, { "%s,0", -EINVAL }, { "%s,0,", -EINVAL },
	{ "%s,0,x", -EINVAL }, { "%s,0,1M,", -EINVAL },
	{ "%s,0,1M,1,", -EINVAL }, { "%s,0,1M,4G", -EINVAL },
	{ "%s,1,1M", -EINVAL }, { "%s,0,0", -EINVAL },
	{ "%s,0,5G", -ERANGE }, { "-%s", -ENOENT },
};

static void what_is_written_is_checked(struct kunit *test)
{
	struct device *dev = new_device(test, NARROW);
	int i;

	device_release_driver(dev);
	for (i = 0; i < ARRAY_SIZE(wanted_cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, want(test, dev, wanted_cases[i].text),
				    wanted_cases[i].ret, "%s",
				    wanted_cases[i].text);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,64M,64M,7\n"), 0);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,127M,64M"), -EEXIST);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,0,1M,7"), -EEXIST);
	KUNIT_EXPECT_EQ(test, want(test, dev, "-%s"), 0);
	KUNIT_EXPECT_EQ(test, want(test, dev, "-%s"), -ENOENT);
}

static void what_is_wanted_is_made_when_it_is_bound(struct kunit *test)
{
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_1M);
	struct device *dev = new_device(test, NARROW);
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,64M,64M,7"), -EBUSY);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,64M,64M,7"), 0);
	vcm_wanted_get(page, NULL);
	KUNIT_EXPECT_STREQ(test, page,
			   vcm_text(test, "%s,0x4000000,0x4000000,7\n",
				    dev_name(dev)));
	KUNIT_ASSERT_EQ(test, device_attach(dev), 1);
	KUNIT_EXPECT_EQ(test, want(test, dev, "-%s"), -EBUSY);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_windows_show),
			   vcm_text(test,
				    "%s start=0x4000000 length=%llu number=7 reserved=%llu used=0 largest_free=%llu\n",
				    dev_name(dev), numbered.len, numbered.len,
				    numbered.len));

	vdev = get_vdev(test, dev);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_TO_DEVICE, &in_window,
					   &map), 0);
	KUNIT_EXPECT_TRUE(test, overlaps(map.iova, SZ_1M, &numbered));
	vcm_test_unmap(&map);
	vcm_iova_put(vdev);

	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, want(test, dev, "-%s"), 0);
	KUNIT_ASSERT_EQ(test, device_attach(dev), 1);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_windows_show), "");
}

static void what_cannot_be_had_lets_nobody_attach(struct kunit *test)
{
	struct sg_table *sgt = vcm_fake_table(test, test->priv, 1, 0, SZ_1M);
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;
	struct device *dev;

	vcm_fake_iommu.regions[0] = (struct iommu_resv_region){
		.start = SZ_64M, .length = SZ_64M,
		.type = IOMMU_RESV_RESERVED,
	};
	dev = new_device(test, NARROW);
	KUNIT_EXPECT_EQ(test, vcm_iova_add_window(dev, &the_window),
			-EADDRINUSE);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, want(test, dev, "%s,64M,64M"), 0);
	KUNIT_ASSERT_EQ(test, device_attach(dev), 1);
	vdev = get_vdev(test, dev);
	KUNIT_EXPECT_EQ(test, vcm_test_attach(vdev, sgt, &no_policy, &map),
			-EADDRNOTAVAIL);
	vcm_iova_put(vdev);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, want(test, dev, "-%s"), 0);
}

static struct kunit_case window_test_cases[] = {
	KUNIT_CASE(windows_are_checked),
	KUNIT_CASE(each_mistake_has_its_error),
	KUNIT_CASE(the_dma_api_hands_out_nothing_of_it),
	KUNIT_CASE(what_was_given_back_is_not_handed_out_again),
	KUNIT_CASE(odd_windows_are_kept_whole),
	KUNIT_CASE(no_buffer_is_placed_in_it),
	KUNIT_CASE(what_is_reserved_is_left_out),
	KUNIT_CASE(a_buffer_of_the_number_is_in_the_window),
	KUNIT_CASE(a_device_without_the_window_is_told),
	KUNIT_CASE(no_buffer_is_beyond_the_mask_in_it),
	KUNIT_CASE(it_ends_with_the_binding),
	KUNIT_CASE(a_buffer_may_outlive_it),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE_SLOW(out_of_memory_leaves_no_window),
#endif
	KUNIT_CASE(what_is_written_is_checked),
	KUNIT_CASE(what_is_wanted_is_made_when_it_is_bound),
	KUNIT_CASE(what_cannot_be_had_lets_nobody_attach),
	{}
};

static struct kunit_suite window_test_suite = {
	.name = "vcm_window",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = window_test_init,
	.exit = window_test_exit,
	.test_cases = window_test_cases,
};

kunit_test_suite(window_test_suite);
