/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapping of large buffers for a device
 */
#ifndef _LINUX_VCM_IOMMU_H
#define _LINUX_VCM_IOMMU_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct dentry;
struct device;
struct sg_table;

/**
 * struct vcm_mapping - what vcm_iommu_map_sgtable() did
 * @dir: direction the table is mapped for
 * @attrs: DMA attributes the table is mapped with, the same for the unmap
 */
struct vcm_mapping {
	enum dma_data_direction dir;
	unsigned long attrs;
};

int vcm_iommu_map_sgtable(struct device *dev, struct sg_table *sgt,
			  enum dma_data_direction dir, struct vcm_mapping *map);
void vcm_iommu_unmap_sgtable(struct device *dev, struct sg_table *sgt,
			     struct vcm_mapping *map);
void vcm_iommu_sync_for_cpu(struct device *dev, struct sg_table *sgt,
			    const struct vcm_mapping *map,
			    enum dma_data_direction dir);
void vcm_iommu_sync_for_device(struct device *dev, struct sg_table *sgt,
			       const struct vcm_mapping *map,
			       enum dma_data_direction dir);

bool vcm_iommu_translates(struct device *dev);
struct dentry *vcm_iommu_debugfs_dir(void);

#endif /* _LINUX_VCM_IOMMU_H */
