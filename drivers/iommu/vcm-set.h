/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of spaces
 */
#ifndef _VCM_SET_H
#define _VCM_SET_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/vcm-iommu.h>

struct device;

/**
 * struct vcm_set - spaces of a device
 * @ref: one until it is destroyed, and one for each mapping
 * @id: its number in debugfs
 * @parent: the device, until it is destroyed
 * @args: what it was created with, constant
 * @grow: held by who makes a space
 * @lock: protects what follows, and what spaces have of their set
 * @spaces: all of them, the oldest first, by &struct vcm_space.set_node
 * @nr_spaces: number of them
 * @dead: it was destroyed, and all of its spaces
 *
 * Lock order: @grow -> the locks of exporters, and those of vcm_space_create();
 * @lock -> &struct vcm_domain.lock.
 */
struct vcm_set {
	struct kref ref;
	int id;
	struct device *parent;
	struct vcm_set_args args;
	struct mutex grow;	/* held by who makes a space */

	/* protects what follows */
	struct mutex lock;
	struct list_head spaces;
	unsigned int nr_spaces;
	bool dead;
};

#endif /* _VCM_SET_H */
