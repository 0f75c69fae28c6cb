// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces seen from outside: debugfs vcm/spaces
 */

#include <kunit/visibility.h>
#include <linux/compiler.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/interval_tree.h>
#include <linux/seq_file.h>
#include <linux/vcm-iova.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-set.h"
#include "vcm-space.h"

static void vcm_space_show(struct seq_file *s, struct vcm_space *space)
{
	const struct vcm_space_args *args = &space->args;
	struct vcm_domain *domain = space->domain;
	struct interval_tree_node *node;

	lockdep_assert_held(&space->parent->lock);

	spin_lock_irq(&domain->lock);
	seq_printf(s, "  vcm-space.%d active=%d start=0x%llx length=%llu fixed_start=0x%llx fixed_length=%llu align=%llu mapped=%llu pgsizes=0x%lx refused=%lu set=%d buffers=%u\n",
		   space->id, space->parent->active == space, args->start,
		   args->len, args->fixed_start, args->fixed_len, args->align,
		   domain->mapped, domain->pgsizes,
		   domain->nr_refused, space->set ? space->set->id : 0,
		   /* As they are just now. */
		   data_race(space->set_users));
	spin_unlock_irq(&domain->lock);

	for (node = interval_tree_iter_first(&space->fixed, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		seq_printf(s, "    fixed iova=0x%016lx length=%lu\n",
			   node->start, node->last - node->start + 1);
}

static void vcm_parent_show(struct seq_file *s, struct vcm_parent *parent)
{
	struct vcm_space *space;

	mutex_lock(&parent->lock);
	seq_printf(s, "%s spaces=%u gap=%s%s\n", dev_name(parent->dev),
		   parent->nr_spaces, parent->owned ? "blocked" : "default",
		   parent->dead ? " dead" : "");
	list_for_each_entry(space, &parent->spaces, node)
		vcm_space_show(s, space);
	mutex_unlock(&parent->lock);
}

VISIBLE_IF_KUNIT int vcm_spaces_show(struct seq_file *s, void *unused)
{
	struct vcm_parent *parent;

	mutex_lock(&vcm_parents_lock);
	list_for_each_entry(parent, &vcm_parents, node)
		vcm_parent_show(s, parent);
	mutex_unlock(&vcm_parents_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_spaces);

static struct dentry *vcm_spaces_file;

/**
 * vcm_space_debugfs_init - create the file
 *
 * Context: Process context, once.
 */
void vcm_space_debugfs_init(void)
{
	vcm_spaces_file = debugfs_create_file("spaces", 0400,
					      vcm_iova_debugfs_dir(), NULL,
					      &vcm_spaces_fops);
}

/**
 * vcm_space_debugfs_exit - remove it
 *
 * Context: Process context, once.
 */
void vcm_space_debugfs_exit(void)
{
	debugfs_remove(vcm_spaces_file);
}
