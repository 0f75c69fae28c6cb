/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces of devices
 */
#ifndef _VCM_SPACE_H
#define _VCM_SPACE_H

#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/rbtree_types.h>
#include <linux/refcount.h>
#include <linux/vcm-iommu.h>
#include <linux/workqueue.h>

struct platform_device;
struct seq_file;
struct vcm_domain;
struct vcm_iova_device;
struct vcm_parent;
struct vcm_set;

/**
 * struct vcm_space - an address space of a device
 * @parent: the device it is for
 * @node: in &struct vcm_parent.spaces
 * @args: what it was created with, constant
 * @id: number in the name of @pdev
 * @pdev: its own device, constant
 * @vdev: ... to the placement of buffers, constant
 * @domain: the default domain of @pdev, constant from when its DMA is claimed
 * @error: why the IOMMU core could not set @pdev up, if our driver knows
 * @keeper: a space beside it that is never active, which buffers in the fixed
 *	window are attached to and mapped in, so that their exporters keep them;
 *	NULL for one without a fixed window, and for a keeper; constant
 * @is_keeper: it is one, constant
 * @calls: one until it is destroyed, and one for each call under way that lets
 *	go of the lock
 * @idle: there are no @calls any more
 * @emptied: ends a space that was destroyed, when nothing is mapped any more
 * @set: the set that it is of, or NULL; constant, until it is destroyed
 * @set_node: in &struct vcm_set.spaces
 * @set_users: what is mapped in it by its set, or being so
 * @set_entries: how often somebody began to map in it by its set
 * @set_full: a length for which there was no room since something was unmapped, or
 *	U64_MAX
 * @fixed: mappings in the fixed window and what is left of one while it is made
 *	or undone, &struct vcm_fixed.node
 * @fault: called for faults, or NULL
 * @fault_data: for @fault
 *
 * From @set_node to @set_full all is under the lock of the set, @fixed and what follows
 * under &struct vcm_parent.lock.
 */
struct vcm_space {
	struct vcm_parent *parent;
	struct list_head node;
	struct vcm_space_args args;
	int id;
	struct platform_device *pdev;
	struct vcm_iova_device *vdev;
	struct vcm_domain *domain;
	int error;
	struct vcm_space *keeper;
	bool is_keeper;
	refcount_t calls;
	struct completion idle;
	struct work_struct emptied;

	struct vcm_set *set;
	struct list_head set_node;
	unsigned int set_users;
	unsigned long set_entries;
	u64 set_full;

	struct rb_root_cached fixed;
	vcm_space_fault_t fault;
	void *fault_data;
};

static inline bool vcm_range_inside(u64 start, u64 len, u64 in_start,
				    u64 in_len)
{
	return start >= in_start && len <= in_len &&
	       start - in_start <= in_len - len;
}

static inline u64 vcm_space_last(const struct vcm_space *space)
{
	return space->args.start + space->args.len - 1;
}

/* The space that @dev, a device behind our IOMMU, stands for. */
static inline struct vcm_space *vcm_space_of(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

/* A call that lets go of the lock is under way: the space stays. */
static inline void vcm_space_enter(struct vcm_space *space)
{
	refcount_inc(&space->calls);
}

static inline void vcm_space_leave(struct vcm_space *space)
{
	if (refcount_dec_and_test(&space->calls))
		complete(&space->idle);
}

/* vcm-iommu.c: the IOMMU driver */
struct fwnode_handle *vcm_space_fwnode(void);
bool vcm_space_has_device(struct device *dev);

/* vcm-space-dev.c: its device */
int vcm_space_add_device(struct vcm_space *space);
void vcm_space_quiesce(struct vcm_space *space);
void vcm_space_remove_device(struct vcm_space *space);

/* vcm-space-life.c */
struct vcm_space *vcm_space_create_in(struct device *parent,
				      const struct vcm_space_args *args,
				      struct vcm_set *set);

/* vcm-space-map.c: fixed addresses */
void vcm_space_unmap_all(struct vcm_space *space);

/* vcm-space-debugfs.c */
#ifdef CONFIG_DEBUG_FS
void vcm_space_debugfs_init(void);
void vcm_space_debugfs_exit(void);
#if IS_ENABLED(CONFIG_KUNIT)
int vcm_spaces_show(struct seq_file *s, void *unused);
#endif
#else
static inline void vcm_space_debugfs_init(void) { }
static inline void vcm_space_debugfs_exit(void) { }
#endif

#endif /* _VCM_SPACE_H */
