/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fwspec of a device that is made here
 *
 * It tells the IOMMU core, before the device is added, whose IOMMU the device is
 * behind.
 */
#ifndef _VCM_FWSPEC_H
#define _VCM_FWSPEC_H

#include <linux/iommu.h>
#include <linux/mutex.h>

#if defined(MODULE) && defined(VCM_MODULE_H)
#include "vcm-module.h"
#elif defined(MODULE)
/* The core exports neither the lock that it asks for nor a way to undo it. */
static inline int vcm_fwspec_init(struct device *dev,
				  struct fwnode_handle *fwnode)
{
	return iommu_fwspec_init(dev, fwnode);
}

static inline void vcm_fwspec_free(struct device *dev) { }
#else
#include "iommu-priv.h"

/* The lock is there for others that set up the same device. */
static inline int vcm_fwspec_init(struct device *dev,
				  struct fwnode_handle *fwnode)
{
	int ret;

	mutex_lock(&iommu_probe_device_lock);
	ret = iommu_fwspec_init(dev, fwnode);
	mutex_unlock(&iommu_probe_device_lock);
	return ret;
}

/* What the core does itself for a device that was added. */
static inline void vcm_fwspec_free(struct device *dev)
{
	if (dev->iommu)
		dev_iommu_free(dev);
}
#endif

#endif /* _VCM_FWSPEC_H */
