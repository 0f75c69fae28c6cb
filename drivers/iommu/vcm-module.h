/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only a module needs
 *
 * The IOMMU core exports neither iommu_probe_device_lock nor dev_iommu_free().
 * Here is how a module does without, and nowhere else. Nothing of it is for a
 * kernel tree: see vcm-fwspec.h, which uses the two in code that is built in.
 */
#ifndef _VCM_MODULE_H
#define _VCM_MODULE_H

#include <linux/device.h>
#include <linux/fwnode.h>
#include <linux/iommu.h>
#include <linux/lockdep.h>
#include <linux/slab.h>

/*
 * Nobody else knows the device before it is added, so that the lock would keep
 * nobody out. lockdep does not know.
 */
static inline int vcm_fwspec_init(struct device *dev,
				  struct fwnode_handle *fwnode)
{
	int ret;

	lockdep_off();
	ret = iommu_fwspec_init(dev, fwnode);
	lockdep_on();
	return ret;
}

/* As dev_iommu_free() in drivers/iommu/iommu.c */
static inline void vcm_fwspec_free(struct device *dev)
{
	struct dev_iommu *param = dev->iommu;

	if (!param)
		return;
	dev->iommu = NULL;
	if (param->fwspec) {
		fwnode_handle_put(param->fwspec->iommu_fwnode);
		kfree(param->fwspec);
	}
	kfree(param);
}

#endif /* _VCM_MODULE_H */
