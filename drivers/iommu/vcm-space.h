/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces of devices: what the files of this module share
 */
#ifndef _VCM_SPACE_H
#define _VCM_SPACE_H

#include <linux/iommu.h>
#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/vcm-iommu.h>
#include <linux/vcm-iova.h>

struct platform_device;
struct seq_file;
struct vcm_space;

/**
 * struct vcm_domain - a domain of a space's device, stacked on one of the
 *	parent's IOMMU
 * @domain: what the DMA API maps into
 * @space: the space that it is of, constant
 * @backing: what the parent is attached to
 * @align: a block of this many bytes, one compound page, must be aligned in
 *	the domain; constant
 * @lock: protects what follows; mapping is allowed in atomic context
 * @closed: nothing can be mapped any more
 * @mapped: bytes mapped
 * @pgsizes: OR of the page sizes that mappings allowed
 * @nr_refused: mappings that were refused for their alignment
 */
struct vcm_domain {
	struct iommu_domain domain;
	struct vcm_space *space;
	struct iommu_domain *backing;
	u64 align;

	/* protects what follows */
	spinlock_t lock;
	bool closed;
	u64 mapped;
	unsigned long pgsizes;
	unsigned long nr_refused;
};

/**
 * struct vcm_parent - a device that has spaces
 * @dev: the device
 * @group: its IOMMU group
 * @vdev: @dev to the placement of buffers, constant
 * @ref: one for each space
 * @node: in the list of all, under that list's lock
 * @unbind: tells when the device loses its driver or goes away
 * @owned: the DMA of @dev is claimed: without a space it reaches nothing;
 *	constant until @dead
 * @regions: addresses that are no IOVAs in a space, &struct
 *	iommu_resv_region; as they were when @dev was there for sure, constant
 * @doorbell: page that its interrupt messages go to, or 0 if the IOMMU does
 *	not translate them; constant
 * @doorbell_iova: where @dev sees @doorbell; constant
 * @gate: held for writing while @dev is attached to a space or detached from
 *	one, and for reading by vcm_iova_map() and its reverse in a
 *	space: virtio-iommu replays what is mapped when it attaches, and what
 *	is mapped or unmapped at that moment is lost or stays. For the default
 *	domain of @dev vcm_iova_hold() does the same
 * @lock: protects what follows, and the state of the spaces
 * @spaces: all &struct vcm_space, by &struct vcm_space.node
 * @nr_spaces: number of @spaces
 * @active: the space that @dev is attached to, or NULL
 * @dead: the device lost its driver or is gone
 *
 * Lock order: list of all -> @lock -> &struct vcm_iova_device.alive of @dev ->
 * @gate; that of a space's device -> @gate -> &struct vcm_iova_device.lock;
 * @lock -> list of all &struct vcm_iova_device;
 * @lock -> the IOMMU core's group mutex -> &struct vcm_domain.lock. A space's
 * device is added and removed without @lock, for that takes the driver core's
 * locks.
 */
struct vcm_parent {
	struct device *dev;
	struct iommu_group *group;
	struct vcm_iova_device *vdev;
	struct kref ref;
	struct list_head node;
	struct notifier_block unbind;
	bool owned;
	struct list_head regions;
	phys_addr_t doorbell;
	u64 doorbell_iova;
	struct rw_semaphore gate;

	/* protects what follows */
	struct mutex lock;
	struct list_head spaces;
	unsigned int nr_spaces;
	struct vcm_space *active;
	bool dead;
};

/**
 * struct vcm_space - an address space of a device
 * @ref: references
 * @parent: the device it is for
 * @node: in &struct vcm_parent.spaces
 * @args: what it was created with, constant
 * @id: number in the name of @pdev
 * @pdev: its own device; NULL once destroyed
 * @domain: the default domain of @pdev; NULL once destroyed
 * @error: why the IOMMU core could not set @pdev up, if our driver knows
 * @keeper: a space beside it that is never active, which buffers in the fixed
 *	window are attached to and mapped in, so that their exporters keep them;
 *	NULL for one without a fixed window, and for a keeper; constant
 * @is_keeper: it is one, constant
 * @fixed: mappings in the fixed window and what is left of one while it is made
 *	or undone, &struct vcm_fixed.node
 * @fault: called for faults, or NULL
 * @fault_data: for @fault
 *
 * All but constants is under &struct vcm_parent.lock.
 */
struct vcm_space {
	struct kref ref;
	struct vcm_parent *parent;
	struct list_head node;
	struct vcm_space_args args;
	int id;
	struct platform_device *pdev;
	struct vcm_domain *domain;
	int error;
	struct vcm_space *keeper;
	bool is_keeper;
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

/* vcm-iommu.c: the IOMMU driver */
struct fwnode_handle *vcm_domain_fwnode(void);
bool vcm_domain_close(struct vcm_domain *domain);
void vcm_domain_kill(struct vcm_domain *domain);
void vcm_domain_watch_faults(struct vcm_domain *domain,
			     struct vcm_space *space);

/* vcm-region.c: addresses of a device that are no IOVAs */
int vcm_regions_find(struct vcm_parent *parent);
void vcm_regions_free(struct vcm_parent *parent);
int vcm_regions_map(const struct vcm_parent *parent,
		    struct iommu_domain *backing);
int vcm_regions_reserve(const struct vcm_parent *parent,
			struct list_head *regions);
int vcm_region_reserve(struct list_head *regions, u64 start, u64 len);
bool vcm_regions_lose_msi(const struct vcm_parent *parent);
bool vcm_regions_overlap(const struct vcm_parent *parent, u64 start, u64 len);

extern struct list_head vcm_parents;
extern struct mutex vcm_parents_lock;

/* vcm-space.c */
struct vcm_space *vcm_space_of(struct device *dev);
int vcm_space_alive(const struct vcm_space *space);
void vcm_space_kill(struct vcm_space *space);

/* vcm-parent.c: the devices that have spaces */
struct vcm_parent *vcm_parent_get(struct device *dev);
void vcm_parent_put(struct vcm_parent *parent);
int vcm_parent_check(const struct vcm_parent *parent);
bool vcm_parent_is_shared(const struct vcm_parent *parent);

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
