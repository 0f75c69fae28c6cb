// SPDX-License-Identifier: GPL-2.0
/*
 * Placement and spaces seen from outside: debugfs vcm/iova and vcm/spaces
 *
 * The files show IOVAs. A DMA address of a device that no IOMMU translates for
 * is a physical address and is left out.
 */

#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>

#include "vcm-iova.h"
#include "vcm-space.h"

static void vcm_mapping_show(struct seq_file *s,
			     const struct vcm_iova_device *vdev,
			     const struct vcm_mapping *map)
{
	if (vdev->translated)
		seq_printf(s, "  iova=0x%016llx", map->iova);
	else
		seq_puts(s, "  iova=-");
	seq_printf(s, " length=%zu align=%llu guard=%llu segs=%u alone=%d degraded=%d\n",
		   map->len, map->align, map->guard, map->segs, !!map->own,
		   map->degraded);
}

static void vcm_device_show(struct seq_file *s, struct vcm_iova_device *vdev)
{
	struct vcm_mapping *map;

	mutex_lock(&vdev->lock);
	seq_printf(s, "%s translated=%d linked=%d slab_size=%llu slabs=%lu reserved=%llu used=%llu largest_free=%llu mappings=%zu degraded=%lu refused=%lu\n",
		   dev_name(vdev->dev), vdev->translated, vdev->linked,
		   vdev->slab_size, vdev->nr_slabs, vdev->extents.total,
		   vdev->extents.used, vcm_extents_largest(&vdev->extents),
		   list_count_nodes(&vdev->mappings), vdev->nr_degraded,
		   vdev->nr_refused);
	list_for_each_entry(map, &vdev->mappings, node)
		vcm_mapping_show(s, vdev, map);
	mutex_unlock(&vdev->lock);
}

static int vcm_iova_show(struct seq_file *s, void *unused)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	list_for_each_entry(vdev, &vcm_devices, node)
		vcm_device_show(s, vdev);
	mutex_unlock(&vcm_devices_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_iova);

static void vcm_space_show(struct seq_file *s, struct vcm_space *space)
{
	const struct vcm_space_args *args = &space->args;
	struct vcm_domain *domain = space->domain;
	struct interval_tree_node *node;

	spin_lock_irq(&domain->lock);
	seq_printf(s, "  vcm-space.%d active=%d start=0x%llx length=%llu fixed_start=0x%llx fixed_length=%llu align=%llu mapped=%llu pgsizes=0x%lx refused=%lu\n",
		   space->id, space->parent->active == space, args->start,
		   args->len, args->fixed_start, args->fixed_len, args->align,
		   domain->mapped - space->own_mapped, domain->pgsizes,
		   domain->nr_refused);
	spin_unlock_irq(&domain->lock);

	for (node = interval_tree_iter_first(&space->fixed, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		seq_printf(s, "    fixed iova=0x%016lx length=%lu\n",
			   node->start, node->last - node->start + 1);
}

static void vcm_parent_show(struct seq_file *s, struct vcm_parent *parent)
{
	struct vcm_space *space;

	mutex_lock(&parent->lock);
	seq_printf(s, "%s spaces=%u gap=%s%s\n", dev_name(parent->dev),
		   parent->nr_spaces, parent->owned ? "blocked" : "default",
		   parent->dead ? " dead" : "");
	list_for_each_entry(space, &parent->spaces, node)
		vcm_space_show(s, space);
	mutex_unlock(&parent->lock);
}

static int vcm_spaces_show(struct seq_file *s, void *unused)
{
	struct vcm_parent *parent;

	mutex_lock(&vcm_parents_lock);
	list_for_each_entry(parent, &vcm_parents, node)
		vcm_parent_show(s, parent);
	mutex_unlock(&vcm_parents_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_spaces);

/**
 * vcm_iommu_debugfs_init - create the files
 * @dir: the module's directory
 *
 * Context: Process context, once.
 */
void vcm_iommu_debugfs_init(struct dentry *dir)
{
	debugfs_create_file("iova", 0400, dir, NULL, &vcm_iova_fops);
	debugfs_create_file("spaces", 0400, dir, NULL, &vcm_spaces_fops);
}
