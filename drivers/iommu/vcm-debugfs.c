// SPDX-License-Identifier: GPL-2.0
/*
 * Placement seen from outside: debugfs vcm/iova
 *
 * The file shows IOVAs. A DMA address of a device that no IOMMU translates for
 * is a physical address and is left out.
 */

#include <kunit/visibility.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>

#include "vcm-iova.h"

static void vcm_mapping_show(struct seq_file *s,
			     const struct vcm_iova_device *vdev,
			     const struct vcm_iova_mapping *map)
{
	if (vdev->translated)
		seq_printf(s, "  iova=0x%016llx", map->iova);
	else
		seq_puts(s, "  iova=-");
	seq_printf(s, " length=%zu align=%llu guard=%llu segs=%u alone=%d degraded=%d\n",
		   map->len, map->align, map->guard, map->segs,
		   map->linked && !map->range,
		   map->degraded);
}

static void vcm_device_show(struct seq_file *s, struct vcm_iova_device *vdev)
{
	struct rb_node *rb;

	mutex_lock(&vdev->lock);
	seq_printf(s, "%s translated=%d linked=%d slab_size=%llu slabs=%lu reserved=%llu used=%llu largest_free=%llu mappings=%lu degraded=%lu refused=%lu\n",
		   dev_name(vdev->dev), vdev->translated, vdev->linked,
		   vdev->slab_size, vdev->nr_reservations, vdev->reserved,
		   vdev->used, vcm_extents_largest(&vdev->extents),
		   vdev->nr_mappings, vdev->nr_degraded, vdev->nr_refused);
	for (rb = rb_first(&vdev->mappings); rb; rb = rb_next(rb))
		vcm_mapping_show(s, vdev,
				 rb_entry(rb, struct vcm_iova_mapping, node));
	mutex_unlock(&vdev->lock);
}

VISIBLE_IF_KUNIT int vcm_iova_show(struct seq_file *s, void *unused)
{
	struct vcm_iova_device *vdev;

	mutex_lock(&vcm_devices_lock);
	list_for_each_entry(vdev, &vcm_devices, node)
		vcm_device_show(s, vdev);
	mutex_unlock(&vcm_devices_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_iova);

/**
 * vcm_iova_debugfs_init - create the file
 * @dir: the module's directory
 *
 * Context: Process context, once.
 */
void vcm_iova_debugfs_init(struct dentry *dir)
{
	debugfs_create_file("iova", 0400, dir, NULL, &vcm_iova_fops);
}
