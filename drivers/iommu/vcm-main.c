// SPDX-License-Identifier: GPL-2.0
/*
 * The module of placement: its beginning and end, and its directory in debugfs
 */

#include <linux/debugfs.h>
#include <linux/module.h>

#include "vcm-debugfs.h"
#include "vcm-device.h"
#include "vcm-gone.h"
#include "vcm-scratch.h"
#include "vcm-wanted.h"

static struct dentry *vcm_debugfs_dir;

/**
 * vcm_iova_debugfs_dir - the directory ``vcm`` in debugfs
 *
 * Context: Any, once the module is initialised.
 * Return: what debugfs_create_dir() returned; good for debugfs calls only.
 */
struct dentry *vcm_iova_debugfs_dir(void)
{
	return vcm_debugfs_dir;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_debugfs_dir, "VCM_IOVA");

static int __init vcm_iova_init(void)
{
	int ret;

	ret = vcm_gone_init();
	if (ret)
		return ret;

	vcm_debugfs_dir = debugfs_create_dir("vcm", NULL);
	vcm_iova_debugfs_init(vcm_debugfs_dir);
	return 0;
}

static void __exit vcm_iova_exit(void)
{
	debugfs_remove(vcm_debugfs_dir);
	vcm_gone_exit();
	vcm_devices_exit();
	vcm_wanted_exit();
	vcm_scratch_exit();
}

/* Built in, the module has to be ready before the heaps are. */
subsys_initcall_sync(vcm_iova_init);
module_exit(vcm_iova_exit);

MODULE_DESCRIPTION("Placement of large buffers in the address spaces of devices");
MODULE_LICENSE("GPL");
