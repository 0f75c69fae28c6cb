// SPDX-License-Identifier: GPL-2.0
/*
 * Placement seen from outside: debugfs vcm/iova, vcm/windows and vcm/kept_drop
 *
 * The files show IOVAs. A DMA address of a device that no IOMMU translates for
 * is a physical address and is left out.
 */

#include <kunit/visibility.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "vcm-debugfs.h"
#include "vcm-device.h"
#include "vcm-mapping.h"
#include "vcm-reserve.h"

/**
 * struct vcm_shown - what is shown of a mapping
 * @info: how it is mapped
 * @len: bytes
 * @alone: it has a reservation to itself
 */
struct vcm_shown {
	struct vcm_iova_info info;
	size_t len;
	bool alone;
};

/**
 * struct vcm_showing - where to, and whether it worked
 * @s: the file
 * @ret: 0 or -ENOMEM
 */
struct vcm_showing {
	struct seq_file *s;
	int ret;
};

static int vcm_shown_cmp(const void *a, const void *b)
{
	const struct vcm_shown *x = a, *y = b;

	return cmp_int(x->info.iova, y->info.iova);
}

/* What is live, by address. */
static unsigned long vcm_shown_collect(struct vcm_iova_device *vdev,
				       struct vcm_shown *shown)
{
	struct vcm_iova_mapping *map;
	unsigned long n = 0;

	lockdep_assert_held(&vdev->mappings_lock);

	hlist_for_each_entry(map, &vdev->mappings, node) {
		if (!vcm_iova_get_info(map, &shown[n].info) ||
		    !READ_ONCE(map->live))
			continue;
		shown[n].len = map->len;
		shown[n].alone = map->linked && !map->range;
		n++;
	}
	sort(shown, n, sizeof(*shown), vcm_shown_cmp, NULL);
	return n;
}

static void vcm_mapping_show(struct seq_file *s,
			     const struct vcm_iova_device *vdev,
			     const struct vcm_shown *shown)
{
	if (vdev->translated)
		seq_printf(s, "  iova=0x%016llx", shown->info.iova);
	else
		seq_puts(s, "  iova=-");
	seq_printf(s, " length=%zu align=%llu guard=%llu before=%llu segs=%u alone=%d degraded=%d\n",
		   shown->len, shown->info.align, shown->info.guard,
		   shown->info.guard_before, shown->info.segs, shown->alone,
		   shown->info.degraded);
}

static void vcm_totals_show(struct seq_file *s, struct vcm_iova_device *vdev)
{
	struct vcm_device_counts counts;

	vcm_device_count(vdev, &counts);
	mutex_lock(&vdev->lock);
	seq_printf(s, "%s translated=%d linked=%d slab_size=%llu slabs=%lu reserved=%llu used=%llu largest_free=%llu mappings=%lu degraded=%lu refused=%lu kept=%lu kept_bytes=%llu\n",
		   dev_name(vdev->dev), vdev->translated, vdev->linked,
		   vdev->slab_size, counts.reservations, counts.reserved,
		   counts.used, vcm_extents_largest(&vdev->extents),
		   counts.mappings, atomic_long_read(&vdev->nr_degraded),
		   atomic_long_read(&vdev->nr_refused), counts.kept,
		   counts.kept_bytes);
	mutex_unlock(&vdev->lock);
}

static void vcm_device_show(struct vcm_iova_device *vdev, void *data)
{
	struct vcm_showing *showing = data;
	struct vcm_shown *shown;
	unsigned long n, i;

	mutex_lock(&vdev->mappings_lock);
	shown = kvmalloc_objs(*shown, vdev->nr_mappings);
	if (!shown) {
		showing->ret = -ENOMEM;
		goto unlock;
	}
	n = vcm_shown_collect(vdev, shown);
	vcm_totals_show(showing->s, vdev);
	for (i = 0; i < n; i++)
		vcm_mapping_show(showing->s, vdev, &shown[i]);
	kvfree(shown);
unlock:
	mutex_unlock(&vdev->mappings_lock);
}

VISIBLE_IF_KUNIT int vcm_iova_show(struct seq_file *s, void *unused)
{
	struct vcm_showing showing = { .s = s };

	vcm_devices_for_each(vcm_device_show, &showing);
	return showing.ret;
}
DEFINE_SHOW_ATTRIBUTE(vcm_iova);

/* --- Windows ----------------------------------------------------------- */

static void vcm_windows_of_show(struct vcm_iova_device *vdev, void *data)
{
	struct vcm_window *window;
	struct seq_file *s = data;

	mutex_lock(&vdev->lock);
	list_for_each_entry(window, &vdev->windows, node)
		seq_printf(s, "%s start=0x%llx length=%llu number=%u reserved=%llu used=%llu largest_free=%llu\n",
			   dev_name(vdev->dev), window->args.start,
			   window->args.len, window->args.number,
			   window->reserved, window->extents.used,
			   vcm_extents_largest(&window->extents));
	mutex_unlock(&vdev->lock);
}

VISIBLE_IF_KUNIT int vcm_windows_show(struct seq_file *s, void *unused)
{
	vcm_devices_all(vcm_windows_of_show, s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_windows);

/* --- Kept mappings ----------------------------------------------------- */

static int vcm_kept_drop(void *data, u64 value)
{
	vcm_devices_all(vcm_mappings_drop, NULL);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vcm_kept_fops, NULL, vcm_kept_drop, "%llu\n");

/**
 * vcm_iova_debugfs_init - create the files
 * @dir: the module's directory
 *
 * Context: Process context, once.
 */
void vcm_iova_debugfs_init(struct dentry *dir)
{
	debugfs_create_file("iova", 0400, dir, NULL, &vcm_iova_fops);
	debugfs_create_file("windows", 0400, dir, NULL, &vcm_windows_fops);
	debugfs_create_file_unsafe("kept_drop", 0200, dir, NULL, &vcm_kept_fops);
}
