// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mappings that are kept when they are unmapped
 *
 * A case is named after what it proves. The devices and their IOMMU are made up
 * (vcm-fake-iommu.c).
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/sizes.h>

#include "../vcm-device.h"
#include "../vcm-mapping.h"
#include "vcm-fake-iommu.h"
#include "vcm-test-map.h"

#define NARROW		DMA_BIT_MASK(28)
#define BLOCK_ORDER	get_order(SZ_2M)
#define NR_MAPS		40

static const struct vcm_iova_policy keep = { .flags = VCM_IOVA_KEEP };
static const struct vcm_iova_policy no_policy;

static int keep_test_init(struct kunit *test)
{
	vcm_fake_reset();
	test->priv = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return test->priv ? 0 : -ENOMEM;
}

static void keep_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (test->priv)
		__free_pages(test->priv, BLOCK_ORDER);
}

static struct vcm_iova_device *new_vdev(struct kunit *test, u64 mask)
{
	struct vcm_fake_args args = { .mask = mask };
	struct vcm_iova_device *vdev = vcm_iova_get(vcm_fake_device(test, &args));

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	return vdev;
}

/* A buffer of @nr times 2 MB */
static struct sg_table *new_buffer(struct kunit *test, unsigned int nr)
{
	return vcm_fake_table(test, test->priv, nr, 0, SZ_2M);
}

static struct vcm_iova_mapping *new_maps(struct kunit *test)
{
	struct vcm_iova_mapping *maps;

	maps = kunit_kcalloc(test, NR_MAPS, sizeof(*maps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, maps);
	return maps;
}

/* Attached, and mapped and unmapped once */
static void keep_one(struct kunit *test, struct vcm_iova_device *vdev,
		     struct sg_table *sgt, struct vcm_iova_mapping *map)
{
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL, &keep,
					   map), 0);
	vcm_iova_unmap(map);
}

static bool is_kept(struct kunit *test, const struct vcm_iova_mapping *map)
{
	KUNIT_EXPECT_FALSE(test, map->mapped);
	return map->live;
}

static void it_stays_where_it_is(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 2);
	struct vcm_iova_mapping map;
	unsigned long maps, syncs;
	struct vcm_iova_info info;
	u64 iova;
	int i;

	keep_one(test, vdev, sgt, &map);
	iova = map.iova;
	maps = vcm_fake_iommu.nr_maps;
	syncs = vcm_fake_iommu.nr_syncs;
	KUNIT_EXPECT_TRUE(test, is_kept(test, &map));
	KUNIT_EXPECT_FALSE(test, vcm_iova_get_info(&map, &info));
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(vdev->dev, iova), sg_phys(sgt->sgl));
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).mappings, 0);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept, 1);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept_bytes, SZ_4M);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_BIDIRECTIONAL), 0);
		KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_BIDIRECTIONAL),
				-EBUSY);
		KUNIT_EXPECT_EQ(test, sg_dma_address(map.table.sgl), iova);
		KUNIT_EXPECT_EQ(test, map.table.nents, map.segs);
		KUNIT_EXPECT_TRUE(test, vcm_iova_get_info(&map, &info));
		KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept, 0);
		vcm_iova_unmap(&map);
		KUNIT_EXPECT_EQ(test, map.table.nents, map.table.orig_nents);
	}
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_maps, maps);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_syncs, syncs);
	vcm_test_detach(&map);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, vdev->keep_bytes, 0);
	vcm_iova_put(vdev);
}

static void without_the_flag_nothing_is_kept(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, new_buffer(test, 1),
					   DMA_BIDIRECTIONAL, &no_policy, &map),
			0);
	vcm_iova_unmap(&map);
	KUNIT_EXPECT_FALSE(test, is_kept(test, &map));
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	vcm_test_detach(&map);
	vcm_iova_put(vdev);
}

/* What would not come out the same is mapped anew. */
static void another_mapping_is_another(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, DMA_BIT_MASK(32));
	struct sg_table *sgt = new_buffer(test, 2);
	struct vcm_iova_mapping map;

	keep_one(test, vdev, sgt, &map);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_maps, 4);
	KUNIT_EXPECT_FALSE(test, vcm_fake_iommu.calls[2].prot & IOMMU_WRITE);
	vcm_iova_unmap(&map);

	dma_set_max_seg_size(vdev->dev, SZ_1M);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, map.segs, 4);
	vcm_iova_unmap(&map);

	KUNIT_EXPECT_GT(test, map.iova, NARROW);
	dma_set_mask(vdev->dev, NARROW);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_LE(test, map.iova + map.len - 1, NARROW);
	vcm_iova_unmap(&map);
	vcm_test_detach(&map);
	vcm_iova_put(vdev);
}

static void no_more_is_kept_than_the_budget(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping *maps = new_maps(test);
	struct sg_table *sgt = new_buffer(test, 1);
	int i;

	for (i = 0; i < NR_MAPS; i++)
		keep_one(test, vdev, sgt, &maps[i]);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept_bytes, SZ_64M);
	/* Those that were unmapped first have gone. */
	for (i = 0; i < NR_MAPS; i++)
		KUNIT_EXPECT_EQ(test, is_kept(test, &maps[i]), i >= NR_MAPS - 32);
	for (i = 0; i < NR_MAPS; i++)
		vcm_test_detach(&maps[i]);
	vcm_iova_put(vdev);
}

/* All mapped at once are more than the budget: what is unmapped then is not kept. */
static void what_is_mapped_counts_too(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping *maps = new_maps(test);
	struct sg_table *sgt = new_buffer(test, 1);
	int i;

	for (i = 0; i < NR_MAPS; i++)
		KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
						   &keep, &maps[i]), 0);
	for (i = 0; i < NR_MAPS; i++) {
		vcm_iova_unmap(&maps[i]);
		KUNIT_EXPECT_EQ(test, is_kept(test, &maps[i]), i >= NR_MAPS - 32);
	}
	for (i = 0; i < NR_MAPS; i++)
		vcm_test_detach(&maps[i]);
	vcm_iova_put(vdev);
}

/* What is more than the budget alone is not kept, and nothing goes for it. */
static void nobody_goes_for_what_cannot_be_kept(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping kept, large;

	keep_one(test, vdev, new_buffer(test, 1), &kept);
	keep_one(test, vdev, new_buffer(test, 33), &large);
	KUNIT_EXPECT_TRUE(test, is_kept(test, &kept));
	KUNIT_EXPECT_FALSE(test, is_kept(test, &large));
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept_bytes, SZ_2M);
	vcm_test_detach(&large);
	vcm_test_detach(&kept);
	vcm_iova_put(vdev);
}

static void who_was_used_last_stays(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping *maps = new_maps(test);
	struct sg_table *sgt = new_buffer(test, 1);
	int i;

	for (i = 0; i < 32; i++)
		keep_one(test, vdev, sgt, &maps[i]);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&maps[0], DMA_BIDIRECTIONAL), 0);
	vcm_iova_unmap(&maps[0]);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&maps[2], DMA_BIDIRECTIONAL), 0);
	keep_one(test, vdev, sgt, &maps[32]);
	keep_one(test, vdev, sgt, &maps[33]);
	KUNIT_EXPECT_TRUE(test, is_kept(test, &maps[0]));
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[1]));
	KUNIT_EXPECT_TRUE(test, maps[2].mapped);
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[3]));
	KUNIT_EXPECT_TRUE(test, is_kept(test, &maps[4]));
	vcm_iova_unmap(&maps[2]);
	for (i = 0; i < 34; i++)
		vcm_test_detach(&maps[i]);
	vcm_iova_put(vdev);
}

/* Buffers that are not kept, in all of the address space but what is mapped */
static void whoever_needs_the_room_gets_it(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct vcm_iova_mapping *maps = new_maps(test);
	struct sg_table *small = new_buffer(test, 3);
	struct sg_table *large = new_buffer(test, 32);
	unsigned int i, n;

	for (i = 0; i < 10; i++)
		keep_one(test, vdev, small, &maps[i]);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept, 10);
	for (n = 10; n < NR_MAPS; n++)
		if (vcm_test_map(vdev, large, DMA_TO_DEVICE, &no_policy,
				 &maps[n]))
			break;
	KUNIT_EXPECT_EQ(test, n - 10, 3);
	for (; n < NR_MAPS; n++)
		if (vcm_test_map(vdev, small, DMA_TO_DEVICE, &no_policy,
				 &maps[n]))
			break;
	/* As many as without anything kept */
	KUNIT_EXPECT_GE(test, n - 10, 3 + 9);
	KUNIT_EXPECT_EQ(test, vcm_test_counts(vdev).kept, 0);
	for (i = 10; i < n; i++)
		vcm_test_unmap(&maps[i]);
	for (i = 0; i < 10; i++)
		vcm_test_detach(&maps[i]);
	vcm_iova_put(vdev);
}

static void it_goes_when_asked_to(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 1);
	struct vcm_iova_mapping *maps = new_maps(test);
	int i;

	for (i = 0; i < 3; i++)
		keep_one(test, vdev, sgt, &maps[i]);
	vcm_iova_drop(&maps[1]);
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[1]));
	KUNIT_EXPECT_TRUE(test, is_kept(test, &maps[2]));
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&maps[1], DMA_BIDIRECTIONAL), 0);
	vcm_iova_drop(&maps[1]);
	KUNIT_EXPECT_TRUE(test, maps[1].mapped);
	KUNIT_EXPECT_TRUE(test, maps[1].live);
	vcm_iova_drop_all(vdev->dev);
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[0]));
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[2]));
	KUNIT_EXPECT_TRUE(test, maps[1].live);
	vcm_iova_unmap(&maps[1]);
	KUNIT_EXPECT_TRUE(test, is_kept(test, &maps[1]));
	for (i = 0; i < 3; i++)
		vcm_test_detach(&maps[i]);
	vcm_iova_put(vdev);
}

static void it_goes_with_the_device(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 1);
	struct vcm_iova_mapping maps[2];
	struct vcm_iova_info info;

	keep_one(test, vdev, sgt, &maps[0]);
	keep_one(test, vdev, sgt, &maps[1]);
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&maps[1], DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_TRUE(test, vcm_iova_get_info(&maps[1], &info));
	device_release_driver(vdev->dev);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	KUNIT_EXPECT_FALSE(test, maps[0].live);
	KUNIT_EXPECT_FALSE(test, vcm_iova_get_info(&maps[1], &info));
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&maps[0], DMA_BIDIRECTIONAL), -ENODEV);
	vcm_iova_unmap(&maps[1]);
	KUNIT_EXPECT_FALSE(test, is_kept(test, &maps[1]));
	vcm_test_detach(&maps[0]);
	vcm_test_detach(&maps[1]);
	vcm_iova_put(vdev);
}

/* --- Caches ------------------------------------------------------------ */

static unsigned int nr_syncs[2];

static void count_sync(struct vcm_iova_mapping *map, struct scatterlist *sgl,
		       unsigned int nents, enum dma_data_direction dir,
		       bool for_device)
{
	nr_syncs[for_device]++;
}

static void caches_are_looked_after_as_ever(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, NARROW);
	struct sg_table *sgt = new_buffer(test, 1);
	struct vcm_iova_mapping map;

	vdev->coherent = false;
	memset(nr_syncs, 0, sizeof(nr_syncs));
	kunit_activate_static_stub(test, vcm_sync_list, count_sync);
	keep_one(test, vdev, sgt, &map);
	/* Unmapped: the CPU sees what the device wrote. */
	KUNIT_EXPECT_EQ(test, nr_syncs[0], 1);
	KUNIT_EXPECT_EQ(test, nr_syncs[1], 0);
	/* Nothing is the device's in between. */
	vcm_iova_sync_for_cpu(&map, DMA_BIDIRECTIONAL);
	vcm_iova_sync_for_device(&map, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, nr_syncs[0], 1);
	KUNIT_EXPECT_EQ(test, nr_syncs[1], 0);
	/* Mapped: the device sees what the CPU wrote. */
	KUNIT_EXPECT_EQ(test, vcm_iova_map(&map, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, nr_syncs[1], 1);
	vcm_iova_sync_for_cpu(&map, DMA_BIDIRECTIONAL);
	vcm_iova_sync_for_device(&map, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, nr_syncs[0], 2);
	KUNIT_EXPECT_EQ(test, nr_syncs[1], 2);
	vcm_iova_unmap(&map);
	KUNIT_EXPECT_EQ(test, nr_syncs[0], 3);
	vcm_test_detach(&map);
	vcm_iova_put(vdev);
}

/* --- At the same time -------------------------------------------------- */

#define NR_RACERS	6
#define NR_ROUNDS	1000

/*
 * Six buffers of 416 KB in 2 MB: there is not always room, and not always for what is
 * kept. The IOMMU here has a page at a time in hand, and so they are small.
 */
#define RACE_MASK	DMA_BIT_MASK(21)
#define RACE_ENTRIES	13

struct racer {
	struct vcm_iova_device *vdev;
	struct sg_table *sgt;
	struct completion done;
	int ret;
};

static int race_once(struct racer *racer)
{
	struct vcm_iova_mapping map;
	int ret, i;

	ret = vcm_test_attach(racer->vdev, racer->sgt, &keep, &map);
	if (ret)
		return ret;
	for (i = 0; i < 3 && !ret; i++) {
		ret = vcm_iova_map(&map, DMA_BIDIRECTIONAL);
		if (!ret)
			vcm_iova_unmap(&map);
		/* All of it may be mapped, by the others. */
		ret = ret == -ENOSPC ? 0 : ret;
	}
	vcm_test_detach(&map);
	return ret;
}

/* Attaches, maps, unmaps and detaches, in a device that is too small for all. */
static int race(void *data)
{
	struct racer *racer = data;
	int i;

	for (i = 0; i < NR_ROUNDS && !racer->ret; i++)
		racer->ret = race_once(racer);
	complete(&racer->done);
	return 0;
}

static void many_may_do_it_at_once(struct kunit *test)
{
	struct vcm_iova_device *vdev = new_vdev(test, RACE_MASK);
	struct racer racers[NR_RACERS];
	int i;

	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		struct task_struct *task;

		racers[i] = (struct racer){
			.vdev = vdev,
			.sgt = vcm_fake_table(test, test->priv, RACE_ENTRIES, 0,
					      SZ_32K),
		};
		init_completion(&racers[i].done);
		task = kthread_run(race, &racers[i], "vcm-keep-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	}
	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		wait_for_completion(&racers[i].done);
		KUNIT_EXPECT_EQ(test, racers[i].ret, 0);
	}
	KUNIT_EXPECT_EQ(test, vdev->keep_bytes, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&vdev->keep_list));
	vcm_iova_put(vdev);
}

static struct kunit_case keep_test_cases[] = {
	KUNIT_CASE(it_stays_where_it_is),
	KUNIT_CASE(without_the_flag_nothing_is_kept),
	KUNIT_CASE(another_mapping_is_another),
	KUNIT_CASE(no_more_is_kept_than_the_budget),
	KUNIT_CASE(what_is_mapped_counts_too),
	KUNIT_CASE(nobody_goes_for_what_cannot_be_kept),
	KUNIT_CASE(who_was_used_last_stays),
	KUNIT_CASE(whoever_needs_the_room_gets_it),
	KUNIT_CASE(it_goes_when_asked_to),
	KUNIT_CASE(it_goes_with_the_device),
	KUNIT_CASE(caches_are_looked_after_as_ever),
	KUNIT_CASE(many_may_do_it_at_once),
	{}
};

static struct kunit_suite keep_test_suite = {
	.name = "vcm_keep",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = keep_test_init,
	.exit = keep_test_exit,
	.test_cases = keep_test_cases,
};

kunit_test_suite(keep_test_suite);
