// SPDX-License-Identifier: GPL-2.0
/*
 * The IOMMU driver of the address spaces, and the module
 *
 * An address space is a device of its own (vcm-space-dev.c), and this is the
 * IOMMU it is behind. The IOMMU has no hardware, and its domains are stacked on
 * those of another (vcm-domain.c). dma-iommu knows no difference, and so a space
 * has the whole DMA API.
 */

#include <linux/device.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/property.h>
#include <linux/vcm-iova.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-region.h"
#include "vcm-space.h"

static struct iommu_device vcm_iommu_device;

/* --- The driver -------------------------------------------------------- */

static void vcm_get_resv_regions(struct device *dev, struct list_head *regions)
{
	struct vcm_space *space = vcm_space_of(dev);
	int ret;

	ret = vcm_regions_reserve(&space->parent->regions, regions);
	if (!ret && space->args.fixed_len)
		ret = vcm_region_reserve(regions, space->args.fixed_start,
					 space->args.fixed_len);
	/* There is no way to tell the core. */
	if (ret)
		space->error = ret;
}

static struct iommu_domain *vcm_alloc_paging(struct device *dev)
{
	struct vcm_space *space = vcm_space_of(dev);

	return vcm_domain_alloc(space, space->parent->dev,
				&space->parent->regions);
}

static struct iommu_device *vcm_probe_device(struct device *dev)
{
	struct vcm_space *space = dev_get_drvdata(dev);

	/* Our node is in the fwspec of no other device. */
	if (!space)
		return ERR_PTR(-ENODEV);
	dev_iommu_priv_set(dev, space);
	return &vcm_iommu_device;
}

static bool vcm_capable(struct device *dev, enum iommu_cap cap)
{
	/* No lazy unmapping: a mapping is gone when it was unmapped. */
	return cap == IOMMU_CAP_CACHE_COHERENCY &&
	       device_iommu_capable(vcm_space_of(dev)->parent->dev, cap);
}

/* Whatever iommu= says of real devices. */
static int vcm_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_DMA;
}

static const struct iommu_ops vcm_iommu_ops = {
	.owner = THIS_MODULE,
	.capable = vcm_capable,
	.domain_alloc_paging = vcm_alloc_paging,
	.probe_device = vcm_probe_device,
	.device_group = generic_device_group,
	.get_resv_regions = vcm_get_resv_regions,
	.def_domain_type = vcm_def_domain_type,
	.blocked_domain = &vcm_blocked_domain,
	.release_domain = &vcm_blocked_domain,
	.default_domain_ops = &vcm_domain_ops,
};

/**
 * vcm_space_fwnode - what the fwspec of a space's device names
 *
 * Context: Any, once the driver is registered.
 * Return: the node of our IOMMU.
 */
struct fwnode_handle *vcm_space_fwnode(void)
{
	return vcm_iommu_device.fwnode;
}

/**
 * vcm_space_has_device - is a device one that was made for a space
 * @dev: the device
 *
 * Context: Any, once the driver is registered.
 * Return: whether it is.
 */
bool vcm_space_has_device(struct device *dev)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);

	/* Not by the domain, which nobody keeps for us on other devices. */
	return fwspec && fwspec->iommu_fwnode == vcm_space_fwnode();
}

/* What placement has to respect for a space's device. */
static void vcm_space_rules(struct device *dev, struct vcm_iova_rules *rules)
{
	struct vcm_space *space;

	if (!vcm_space_has_device(dev))
		return;

	space = vcm_space_of(dev);
	rules->gate = &space->parent->gate;
	rules->min_align = space->args.align;
	rules->anywhere = space->is_keeper;
}

static int vcm_driver_init(void)
{
	struct fwnode_handle *fwnode;
	int ret;

	/* A node keeps the driver from being asked for everybody's devices. */
	fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(fwnode))
		return PTR_ERR(fwnode);
	vcm_iommu_device.fwnode = fwnode;

	ret = iommu_device_sysfs_add(&vcm_iommu_device, NULL, NULL, "vcm-iommu");
	if (ret)
		goto remove_node;

	ret = iommu_device_register(&vcm_iommu_device, &vcm_iommu_ops, NULL);
	if (ret)
		goto remove_sysfs;
	return 0;

remove_sysfs:
	iommu_device_sysfs_remove(&vcm_iommu_device);
remove_node:
	fwnode_remove_software_node(fwnode);
	return ret;
}

static void vcm_driver_exit(void)
{
	iommu_device_unregister(&vcm_iommu_device);
	iommu_device_sysfs_remove(&vcm_iommu_device);
	fwnode_remove_software_node(vcm_iommu_device.fwnode);
}

/* --- The module -------------------------------------------------------- */

static int __init vcm_iommu_init(void)
{
	int ret;

	ret = vcm_domains_init();
	if (ret)
		return ret;
	ret = vcm_driver_init();
	if (ret)
		goto exit_domains;
	ret = vcm_iova_set_rules(vcm_space_rules);
	if (ret)
		goto exit_driver;

	vcm_space_debugfs_init();
	return 0;

exit_driver:
	vcm_driver_exit();
exit_domains:
	vcm_domains_exit();
	return ret;
}

/* There are no spaces: each pins the module. */
static void __exit vcm_iommu_exit(void)
{
	vcm_space_debugfs_exit();
	vcm_iova_clear_rules();
	vcm_driver_exit();
	vcm_domains_exit();
}

/* Built in, behind placement and before the drivers that have spaces. */
subsys_initcall_sync(vcm_iommu_init);
module_exit(vcm_iommu_exit);

MODULE_DESCRIPTION("Address spaces of devices");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("VCM_IOVA");
