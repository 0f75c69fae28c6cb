// SPDX-License-Identifier: GPL-2.0
/*
 * The module: its beginning and end, and its directory in debugfs
 */

#include <linux/debugfs.h>
#include <linux/module.h>

#include "vcm-iova.h"
#include "vcm-space.h"

static struct dentry *vcm_debugfs_dir;

/**
 * vcm_iommu_debugfs_dir - the directory ``vcm`` in debugfs
 *
 * Context: Any, once the module is initialised.
 * Return: what debugfs_create_dir() returned; good for debugfs calls only.
 */
struct dentry *vcm_iommu_debugfs_dir(void)
{
	return vcm_debugfs_dir;
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_debugfs_dir, "VCM_IOMMU");

static int __init vcm_iommu_init(void)
{
	int ret;

	ret = vcm_devices_init();
	if (ret)
		return ret;
	ret = vcm_domain_driver_init();
	if (ret)
		goto exit_devices;

	vcm_debugfs_dir = debugfs_create_dir("vcm", NULL);
	vcm_iommu_debugfs_init(vcm_debugfs_dir);
	vcm_space_debugfs_init(vcm_debugfs_dir);
	return 0;

exit_devices:
	vcm_devices_exit();
	return ret;
}

static void __exit vcm_iommu_exit(void)
{
	debugfs_remove(vcm_debugfs_dir);
	vcm_domain_driver_exit();
	vcm_devices_exit();
}

/* Built in, the module has to be ready before the heaps are. */
subsys_initcall_sync(vcm_iommu_init);
module_exit(vcm_iommu_exit);

MODULE_DESCRIPTION("Address spaces of devices and placement of large buffers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
