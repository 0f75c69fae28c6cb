// SPDX-License-Identifier: GPL-2.0
/*
 * Where a buffer goes in a device's address space
 *
 * The one place where buffers meet the DMA API: exporters hand over a table
 * and get back DMA addresses, and it does not matter to them how these came
 * about. Today it is one dma_map_sgtable() for the table.
 */

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/scatterlist.h>
#include <linux/vcm-iommu.h>

/*
 * A buffer may be mapped for several devices at once. The caches are therefore
 * looked after by sync calls of our own, which the DMA API allows any number
 * of, and not by map and unmap, of which it expects that the memory is mapped
 * once (dma-debug: "cacheline tracking EEXIST").
 */
#define VCM_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/*
 * Userspace may announce any kind of CPU access at any time. A mapping that
 * the device only writes to would lose what the CPU wrote where "for device"
 * means "invalidate", so there is none: only "the device reads" and "both".
 */
static enum dma_data_direction vcm_map_dir(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/* The DMA API takes a direction that differs only for a mapping of both. */
static enum dma_data_direction vcm_sync_dir(const struct vcm_mapping *map,
					    enum dma_data_direction dir)
{
	return map->dir == DMA_TO_DEVICE ? DMA_TO_DEVICE : dir;
}

/**
 * vcm_iommu_map_sgtable - map a table of pages for a device
 * @dev: the device that will do the DMA
 * @sgt: the pages; its segments must fit dma_get_max_seg_size() and
 *	dma_get_seg_boundary() of @dev
 * @dir: direction of the DMA
 * @map: filled in for the other calls
 *
 * On success the DMA addresses of @sgt are valid for @dev and the caches are
 * as @dev needs them.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL (no direction, or @dev cannot do DMA), -ENOMEM (no memory for page tables,
 *	no room in the address space of @dev), or another error of
 *	dma_map_sgtable(). @sgt is then as it was before.
 */
int vcm_iommu_map_sgtable(struct device *dev, struct sg_table *sgt,
			  enum dma_data_direction dir, struct vcm_mapping *map)
{
	int ret;

	/* The DMA API would stop the kernel, or warn; an importer may be wrong. */
	if (!valid_dma_direction(dir) || !dev->dma_mask)
		return -EINVAL;

	map->dir = vcm_map_dir(dir);
	map->attrs = VCM_DMA_ATTRS;
	ret = dma_map_sgtable(dev, sgt, map->dir, map->attrs);
	if (ret)
		return ret;

	dma_sync_sgtable_for_device(dev, sgt, map->dir);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_map_sgtable, "VCM_IOMMU");

/**
 * vcm_iommu_unmap_sgtable - undo vcm_iommu_map_sgtable()
 * @dev: the device
 * @sgt: the table
 * @map: what vcm_iommu_map_sgtable() filled in
 *
 * Context: Process context, may sleep. The device no longer uses the table.
 */
void vcm_iommu_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			     struct vcm_mapping *map)
{
	dma_sync_sgtable_for_cpu(dev, sgt, map->dir);
	dma_unmap_sgtable(dev, sgt, map->dir, map->attrs);
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_unmap_sgtable, "VCM_IOMMU");

/**
 * vcm_iommu_sync_for_cpu - before the CPU accesses a mapped table
 * @dev: the device
 * @sgt: the table, mapped for @dev
 * @map: what vcm_iommu_map_sgtable() filled in
 * @dir: what the CPU is going to do, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iommu_sync_for_cpu(struct device *dev, struct sg_table *sgt,
			    const struct vcm_mapping *map,
			    enum dma_data_direction dir)
{
	dma_sync_sgtable_for_cpu(dev, sgt, vcm_sync_dir(map, dir));
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_sync_for_cpu, "VCM_IOMMU");

/**
 * vcm_iommu_sync_for_device - after the CPU accessed a mapped table
 * @dev: the device
 * @sgt: the table, mapped for @dev
 * @map: what vcm_iommu_map_sgtable() filled in
 * @dir: what the CPU did, see DMA_BUF_IOCTL_SYNC
 *
 * Context: Process context.
 */
void vcm_iommu_sync_for_device(struct device *dev, struct sg_table *sgt,
			       const struct vcm_mapping *map,
			       enum dma_data_direction dir)
{
	dma_sync_sgtable_for_device(dev, sgt, vcm_sync_dir(map, dir));
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_sync_for_device, "VCM_IOMMU");
