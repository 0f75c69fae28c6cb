/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attach and map in one go, for KUnit tests
 */
#ifndef _VCM_TEST_MAP_H
#define _VCM_TEST_MAP_H

#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../vcm-device.h"
#include "../vcm-mapping.h"

/* The runs of a table, for kfree(), or NULL. */
static inline struct vcm_iova_run *
vcm_test_runs(struct sg_table *sgt, struct vcm_iova_memory *memory)
{
	struct vcm_iova_run *runs = kmalloc_objs(*runs, sgt->orig_nents), *run;
	phys_addr_t end = PHYS_ADDR_MAX;
	struct scatterlist *sg;
	int i;

	*memory = (struct vcm_iova_memory){ runs };
	if (!runs)
		return NULL;
	run = runs;
	for_each_sgtable_sg(sgt, sg, i) {
		if (sg_phys(sg) == end)
			run[-1].len += sg->length;
		else
			*run++ = (struct vcm_iova_run){ sg_phys(sg), sg->length };
		end = sg_phys(sg) + sg->length;
		memory->len += sg->length;
	}
	memory->nr_runs = run - runs;
	return runs;
}

/* To this very device, though it may have gone. */
static inline int vcm_test_attach(struct vcm_iova_device *vdev,
				  struct sg_table *sgt,
				  const struct vcm_iova_policy *policy,
				  struct vcm_iova_mapping *map)
{
	struct vcm_iova_memory memory;
	struct vcm_iova_run *runs = vcm_test_runs(sgt, &memory);
	int ret;

	if (!runs)
		return -ENOMEM;
	/* Nothing in it is looked at. */
	memset(map, 0x5a, sizeof(*map));
	kref_get(&vdev->ref);
	ret = vcm_mapping_attach(map, vdev, &memory, policy, GFP_KERNEL);
	if (ret)
		kfree(runs);
	return ret;
}

static inline void vcm_test_detach(struct vcm_iova_mapping *map)
{
	const struct vcm_iova_run *runs = map->runs;

	vcm_iova_detach(map);
	kfree(runs);
}

static inline int vcm_test_map(struct vcm_iova_device *vdev,
			       struct sg_table *sgt,
			       enum dma_data_direction dir,
			       const struct vcm_iova_policy *policy,
			       struct vcm_iova_mapping *map)
{
	int ret = vcm_test_attach(vdev, sgt, policy, map);

	if (ret)
		return ret;
	ret = vcm_iova_map(map, dir);
	if (ret)
		vcm_test_detach(map);
	return ret;
}

static inline void vcm_test_unmap(struct vcm_iova_mapping *map)
{
	vcm_iova_unmap(map);
	vcm_test_detach(map);
}

static inline void vcm_test_count_device(struct vcm_iova_device *vdev,
					 void *data)
{
	++*(unsigned int *)data;
}

/* How many devices somebody uses. */
static inline unsigned int vcm_test_devices(void)
{
	unsigned int n = 0;

	vcm_devices_for_each(vcm_test_count_device, &n);
	return n;
}

/**
 * struct vcm_test_search - is a device among those that somebody uses
 * @dev: the device
 * @found: it is
 */
struct vcm_test_search {
	struct device *dev;
	bool found;
};

static inline void vcm_test_find_device(struct vcm_iova_device *vdev,
					void *data)
{
	struct vcm_test_search *search = data;

	search->found |= vdev->dev == search->dev;
}

static inline bool vcm_test_is_used(struct device *dev)
{
	struct vcm_test_search search = { .dev = dev };

	vcm_devices_for_each(vcm_test_find_device, &search);
	return search.found;
}

/* What is mapped for a device. */
static inline struct vcm_device_counts
vcm_test_counts(struct vcm_iova_device *vdev)
{
	struct vcm_device_counts counts;

	mutex_lock(&vdev->mappings_lock);
	vcm_device_count(vdev, &counts);
	mutex_unlock(&vdev->mappings_lock);
	return counts;
}

#endif /* _VCM_TEST_MAP_H */
