// SPDX-License-Identifier: GPL-2.0
/*
 * What is between a device and memory
 *
 * The module's entry points, its directory in debugfs, and the one question
 * that every user of the module has about a device: does an IOMMU translate
 * for it.
 */

#include <linux/debugfs.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/vcm-iommu.h>

static struct dentry *vcm_debugfs_dir;

/**
 * vcm_iommu_translates - does an IOMMU translate a device's DMA addresses
 * @dev: the device
 *
 * A DMA address of a device without translation is a physical address, which
 * must not be shown to anybody; behind an IOMMU it is an IOVA, which may.
 *
 * Context: Any, as long as @dev stays bound to its driver.
 * Return: true if DMA addresses of @dev are IOVAs.
 */
bool vcm_iommu_translates(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && (domain->type & __IOMMU_DOMAIN_PAGING);
}
EXPORT_SYMBOL_NS_GPL(vcm_iommu_translates, "VCM_IOMMU");

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
	vcm_debugfs_dir = debugfs_create_dir("vcm", NULL);
	return 0;
}

static void __exit vcm_iommu_exit(void)
{
	debugfs_remove(vcm_debugfs_dir);
}

/* Built in, the module has to be ready before the heaps are. */
subsys_initcall(vcm_iommu_init);
module_exit(vcm_iommu_exit);

MODULE_DESCRIPTION("Placement of large buffers in IOMMU address spaces");
MODULE_LICENSE("GPL");
