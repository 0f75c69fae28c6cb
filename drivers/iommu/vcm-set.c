// SPDX-License-Identifier: GPL-2.0
/*
 * Sets of spaces: more room than a device can address
 *
 * A device with 28 address bits sees 256 MB at a time, and works on many gigabytes. A
 * set is a number of spaces of one device, all alike, that are made as they are needed.
 * A buffer is mapped in one that has room for it, or beside the buffers that are used
 * in the same job. Whoever mapped it learns which space that is, and has the device
 * switched to it for the job.
 *
 * The oldest space with room is taken, so that the youngest become empty, and of those
 * that are empty all but one end.
 *
 * Whether there is room is found out by trying, which is what others may do at the same
 * time. So that a full space is not tried again and again, each remembers the length
 * for which there was none, until something is unmapped. That is a guess, for alignments
 * are not in it, and before a space is made or a buffer is refused all are tried.
 *
 * A space that somebody tries or has something mapped in stays. So nobody's lock is held
 * while an exporter is called, but that of who needs a space more: two are not to
 * make one each when one will do.
 */

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-set.h"
#include "vcm-space.h"

/**
 * struct vcm_job - buffers that are to be in the same space
 * @mappings: the buffers
 * @nr: number of them
 * @len: bytes in all of them
 * @alone: nothing is in the space that is being tried, as long as its
 *	&struct vcm_space.set_entries are @entries
 * @entries: see @alone
 * @hopeless: there was no room in a space with nothing in it
 */
struct vcm_job {
	struct vcm_set_mapping *mappings;
	unsigned int nr;
	u64 len;
	bool alone;
	unsigned long entries;
	bool hopeless;
};

static DEFINE_IDA(vcm_set_ids);

static void vcm_set_free(struct kref *ref)
{
	struct vcm_set *set = container_of(ref, struct vcm_set, ref);

	ida_free(&vcm_set_ids, set->id);
	mutex_destroy(&set->lock);
	mutex_destroy(&set->grow);
	kfree(set);
}

/* --- Its spaces -------------------------------------------------------- */

/* Nothing is mapped in it, neither by the set nor by others. */
static bool vcm_set_idle(struct vcm_space *space)
{
	lockdep_assert_held(&space->set->lock);

	return !space->set_users && vcm_domain_is_empty(space->domain);
}

/* One space that is empty is enough: take another one from the set, if there is. */
static struct vcm_space *vcm_set_surplus(struct vcm_set *set)
{
	struct vcm_space *space, *spare = NULL;

	lockdep_assert_held(&set->lock);

	list_for_each_entry(space, &set->spaces, set_node) {
		if (!vcm_set_idle(space))
			continue;
		if (spare) {
			list_del(&space->set_node);
			WRITE_ONCE(set->nr_spaces, set->nr_spaces - 1);
			return space;
		}
		spare = space;
	}
	return NULL;
}

/* Let a space go that was tried, or in which something was mapped. */
static void vcm_set_leave(struct vcm_set *set, struct vcm_space *space)
{
	struct vcm_space *surplus = NULL;

	mutex_lock(&set->lock);
	if (!--space->set_users)
		surplus = vcm_set_surplus(set);
	mutex_unlock(&set->lock);
	if (surplus)
		vcm_space_destroy(surplus);
}

/* Begin to use a space, and let it stay. */
static void vcm_set_enter(struct vcm_space *space, struct vcm_job *job)
{
	lockdep_assert_held(&space->set->lock);

	job->alone = vcm_set_idle(space);
	job->entries = ++space->set_entries;
	space->set_users++;
}

/*
 * The next space to try behind @prev, which the caller has, or the first one; it stays
 * until vcm_set_leave(). All are tried, or those that may have room.
 */
static struct vcm_space *vcm_set_next(struct vcm_set *set,
				      struct vcm_space *prev,
				      struct vcm_job *job, bool all)
{
	struct vcm_space *space, *next = NULL;

	mutex_lock(&set->lock);
	space = list_prepare_entry(prev, &set->spaces, set_node);
	list_for_each_entry_continue(space, &set->spaces, set_node) {
		if (!all && job->len >= space->set_full)
			continue;
		vcm_set_enter(space, job);
		next = space;
		break;
	}
	mutex_unlock(&set->lock);
	if (prev)
		vcm_set_leave(set, prev);
	return next;
}

/*
 * Make a space, which the caller has and nobody else knows; -ENOSPC if there are as many
 * as may be.
 */
static struct vcm_space *vcm_set_new_space(struct vcm_set *set)
{
	struct vcm_space *space;
	int ret = 0;

	lockdep_assert_held(&set->grow);

	/* It becomes less meanwhile, but not more. */
	if (READ_ONCE(set->nr_spaces) == set->args.max)
		return ERR_PTR(-ENOSPC);
	space = vcm_space_create_in(set->parent, &set->args.space, set);
	if (IS_ERR(space))
		return space;
	if (set->args.fault)
		ret = vcm_space_set_fault_handler(space, set->args.fault,
						  set->args.fault_data);
	if (ret) {
		vcm_space_destroy(space);
		return ERR_PTR(ret);
	}
	space->set_full = U64_MAX;
	space->set_users = 1;
	return space;
}

/* Let others into a space. */
static void vcm_set_add(struct vcm_set *set, struct vcm_space *space)
{
	lockdep_assert_held(&set->grow);

	mutex_lock(&set->lock);
	list_add_tail(&space->set_node, &set->spaces);
	WRITE_ONCE(set->nr_spaces, set->nr_spaces + 1);
	mutex_unlock(&set->lock);
}

/* --- Mapping ----------------------------------------------------------- */

/* What else than -ENOSPC the DMA API says when a device has no addresses left */
static bool vcm_is_no_room(int ret)
{
	return ret == -ENOSPC || ret == -ENOMEM;
}

static int vcm_set_map_one(struct vcm_space *space,
			   struct vcm_set_mapping *mapping)
{
	struct dma_buf *dmabuf = mapping->dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;

	attachment = dma_buf_attach(dmabuf, vcm_space_dev(space));
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	sgt = dma_buf_map_attachment_unlocked(attachment, mapping->dir);
	if (IS_ERR(sgt)) {
		dma_buf_detach(dmabuf, attachment);
		return PTR_ERR(sgt);
	}
	mapping->attachment = attachment;
	mapping->sgt = sgt;
	return 0;
}

static void vcm_set_unmap_one(struct vcm_set_mapping *mapping)
{
	dma_buf_unmap_attachment_unlocked(mapping->attachment, mapping->sgt,
					  mapping->dir);
	dma_buf_detach(mapping->dmabuf, mapping->attachment);
}

/* Each of the mappings has the space for itself. */
static void vcm_job_done(struct vcm_job *job, struct vcm_space *space)
{
	struct vcm_set *set = space->set;
	unsigned int i;

	mutex_lock(&set->lock);
	space->set_users += job->nr - 1;
	mutex_unlock(&set->lock);
	for (i = 0; i < job->nr; i++) {
		kref_get(&set->ref);
		job->mappings[i].set = set;
		job->mappings[i].space = space;
	}
}

/* There was no room: is there any use in trying this one, or another one, again? */
static void vcm_job_refused(struct vcm_job *job, struct vcm_space *space)
{
	struct vcm_set *set = space->set;

	mutex_lock(&set->lock);
	space->set_full = min(space->set_full, job->len);
	/* Neither then, nor now, nor in between was anything else in it. */
	if (job->alone && job->entries == space->set_entries &&
	    vcm_domain_is_empty(space->domain))
		job->hopeless = true;
	mutex_unlock(&set->lock);
}

/* Map all of a job in a space that the caller has, and keeps on success. */
static int vcm_job_map(struct vcm_job *job, struct vcm_space *space)
{
	unsigned int i;
	int ret;

	for (i = 0; i < job->nr; i++) {
		ret = vcm_set_map_one(space, &job->mappings[i]);
		if (ret)
			goto unmap;
	}
	vcm_job_done(job, space);
	return 0;

unmap:
	while (i--)
		vcm_set_unmap_one(&job->mappings[i]);
	/* Exporters have words of their own for it. */
	if (READ_ONCE(space->parent->dead))
		return -ENODEV;
	if (vcm_is_no_room(ret))
		vcm_job_refused(job, space);
	return ret;
}

/* In one of the spaces that there are, @all of them or those that may have room */
static struct vcm_space *vcm_job_find(struct vcm_job *job, struct vcm_set *set,
				      bool all)
{
	struct vcm_space *space = NULL;
	int ret = -ENOSPC;

	while ((space = vcm_set_next(set, space, job, all))) {
		ret = vcm_job_map(job, space);
		if (!ret)
			return space;
		if (!vcm_is_no_room(ret)) {
			vcm_set_leave(set, space);
			break;
		}
	}
	return ERR_PTR(ret);
}

/* In one that is made for it, before others can take the room */
static struct vcm_space *vcm_job_add(struct vcm_job *job, struct vcm_set *set)
{
	struct vcm_space *space = vcm_set_new_space(set);
	int ret;

	lockdep_assert_held(&set->grow);

	if (IS_ERR(space))
		return space;
	ret = vcm_job_map(job, space);
	vcm_set_add(set, space);
	if (!ret)
		return space;
	vcm_set_leave(set, space);
	return ERR_PTR(ret);
}

static struct vcm_space *vcm_job_map_anywhere(struct vcm_job *job,
					      struct vcm_set *set)
{
	struct vcm_space *space = vcm_job_find(job, set, false);

	if (!IS_ERR(space) || !vcm_is_no_room(PTR_ERR(space)))
		return space;

	mutex_lock(&set->grow);
	space = vcm_job_find(job, set, true);
	if (IS_ERR(space) && vcm_is_no_room(PTR_ERR(space)) && !job->hopeless)
		space = vcm_job_add(job, set);
	mutex_unlock(&set->grow);
	return space;
}

static struct vcm_space *vcm_job_map_with(struct vcm_job *job,
					  struct vcm_set *set,
					  struct vcm_space *space)
{
	int ret;

	if (space->set != set)
		return ERR_PTR(-EINVAL);

	mutex_lock(&set->lock);
	vcm_set_enter(space, job);
	mutex_unlock(&set->lock);
	ret = vcm_job_map(job, space);
	if (!ret)
		return space;
	vcm_set_leave(set, space);
	return ERR_PTR(ret);
}

static int vcm_job_init(struct vcm_job *job, struct vcm_set *set,
			struct vcm_set_mapping *mappings, unsigned int nr)
{
	unsigned int i;

	if (!nr)
		return -EINVAL;
	*job = (struct vcm_job){ .mappings = mappings, .nr = nr };
	for (i = 0; i < nr; i++)
		if (check_add_overflow(job->len, mappings[i].dmabuf->size,
				       &job->len))
			return -ENOSPC;
	/* Then it would not fit where nothing is. */
	return job->len > set->args.space.len ? -ENOSPC : 0;
}

/**
 * vcm_set_map - map the buffers of a job, all in the same space of a set
 * @set: the set
 * @mappings: the buffers
 * @nr: number of @mappings
 * @with: the space of other buffers of the job, or NULL for any
 *
 * The buffers are attached to the device of a space and mapped. Without @with that is
 * the oldest one with room for all of them, and if there is none, a space is made. It is
 * for the driver to have the device in that space while it works on the buffers, by
 * vcm_space_switch() or vcm_space_activate().
 *
 * The space stays at least as long as one of the buffers is mapped; behind that it may
 * not be named any more. A buffer that is used in many jobs may be mapped any number of
 * times, in a space each or in the same.
 *
 * Context: Process context, sleeps. Without the reservation lock of a buffer, and not
 *	while the parent is being unbound.
 * Return: the space, or, with nothing mapped,
 *	-EINVAL (no buffer, or @with is no space of @set),
 *	-ENOSPC (no room: in @with, or in any space while there may be no more of them, or
 *	in an empty one),
 *	-ENODEV (the parent is gone),
 *	or what dma_buf_attach(), mapping, or vcm_space_create() return. Other exporters
 *	say -ENOMEM where there is no room, and here it is taken for that.
 */
struct vcm_space *vcm_set_map(struct vcm_set *set,
			      struct vcm_set_mapping *mappings, unsigned int nr,
			      struct vcm_space *with)
{
	struct vcm_job job;
	int ret;

	ret = vcm_job_init(&job, set, mappings, nr);
	if (ret)
		return ERR_PTR(ret);
	return with ? vcm_job_map_with(&job, set, with) :
		      vcm_job_map_anywhere(&job, set);
}
EXPORT_SYMBOL_NS_GPL(vcm_set_map, "VCM_IOMMU");

static void vcm_set_unmapped(struct vcm_set_mapping *mapping)
{
	struct vcm_space *surplus = NULL, *space = mapping->space;
	struct vcm_set *set = mapping->set;

	mutex_lock(&set->lock);
	if (!set->dead) {
		space->set_full = U64_MAX;
		if (!--space->set_users)
			surplus = vcm_set_surplus(set);
	}
	mutex_unlock(&set->lock);
	if (surplus)
		vcm_space_destroy(surplus);
	kref_put(&set->ref, vcm_set_free);
}

/**
 * vcm_set_unmap - undo vcm_set_map()
 * @mappings: buffers that were mapped, of one job or of many
 * @nr: number of @mappings
 *
 * It works also when the parent is gone, and when the set was destroyed.
 *
 * A space in which nothing is mapped any more may end, and if it is active the parent
 * is in the gap then.
 *
 * Context: Process context, sleeps. Without the reservation lock of a buffer.
 */
void vcm_set_unmap(struct vcm_set_mapping *mappings, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		vcm_set_unmap_one(&mappings[i]);
		vcm_set_unmapped(&mappings[i]);
	}
}
EXPORT_SYMBOL_NS_GPL(vcm_set_unmap, "VCM_IOMMU");

/* --- Life -------------------------------------------------------------- */

static struct vcm_set *vcm_set_new(struct device *parent,
				   const struct vcm_set_args *args)
{
	struct vcm_set *set = kzalloc_obj(*set);

	if (!set)
		return ERR_PTR(-ENOMEM);

	set->id = ida_alloc_min(&vcm_set_ids, 1, GFP_KERNEL);
	if (set->id < 0) {
		int ret = set->id;

		kfree(set);
		return ERR_PTR(ret);
	}
	kref_init(&set->ref);
	set->parent = parent;
	set->args = *args;
	mutex_init(&set->grow);
	mutex_init(&set->lock);
	INIT_LIST_HEAD(&set->spaces);
	return set;
}

/**
 * vcm_set_create - make a set of spaces for a device
 * @parent: the device, bound to the caller's driver
 * @args: what it is to be like
 *
 * It has one space from the beginning, so that what is wrong with @parent or with @args
 * is known now.
 *
 * Context: as vcm_space_create().
 * Return: the set, -EINVAL (bad number of spaces), or an error as vcm_space_create().
 */
struct vcm_set *vcm_set_create(struct device *parent,
			       const struct vcm_set_args *args)
{
	struct vcm_space *space;
	struct vcm_set *set;

	if (!args->max || args->max > VCM_SPACES_MAX)
		return ERR_PTR(-EINVAL);
	set = vcm_set_new(parent, args);
	if (IS_ERR(set))
		return set;

	mutex_lock(&set->grow);
	space = vcm_set_new_space(set);
	if (!IS_ERR(space))
		vcm_set_add(set, space);
	mutex_unlock(&set->grow);
	if (IS_ERR(space)) {
		kref_put(&set->ref, vcm_set_free);
		return ERR_CAST(space);
	}
	vcm_set_leave(set, space);
	return set;
}
EXPORT_SYMBOL_NS_GPL(vcm_set_create, "VCM_IOMMU");

/**
 * vcm_set_destroy - end a set and all of its spaces
 * @set: the set; not to be named in any call after this one
 *
 * It does not matter what is mapped in them, see vcm_space_destroy(). Whoever has
 * mapped something calls vcm_set_unmap() nevertheless, before or after.
 *
 * Context: Process context, sleeps. Without the reservation lock of a buffer. Nobody is
 *	in another call for @set or one of its spaces but vcm_set_unmap(), nor begins
 *	one, as for vcm_space_destroy().
 */
void vcm_set_destroy(struct vcm_set *set)
{
	struct vcm_space *space, *next;
	LIST_HEAD(spaces);

	mutex_lock(&set->lock);
	set->dead = true;
	list_splice_init(&set->spaces, &spaces);
	mutex_unlock(&set->lock);

	list_for_each_entry_safe(space, next, &spaces, set_node)
		vcm_space_destroy(space);
	kref_put(&set->ref, vcm_set_free);
}
EXPORT_SYMBOL_NS_GPL(vcm_set_destroy, "VCM_IOMMU");

static void vcm_set_devm_destroy(void *set)
{
	vcm_set_destroy(set);
}

/**
 * devm_vcm_set_create - make a set of spaces for a device while it is bound
 * @parent: the device, bound to the caller's driver or being so
 * @args: what it is to be like
 *
 * As vcm_set_create(), with vcm_set_destroy() when the driver has let go of @parent,
 * behind its remove(). The driver does not call that itself.
 *
 * Context: as vcm_space_create().
 * Return: the set, or an error as vcm_set_create().
 */
struct vcm_set *devm_vcm_set_create(struct device *parent,
				    const struct vcm_set_args *args)
{
	struct vcm_set *set = vcm_set_create(parent, args);
	int ret;

	if (IS_ERR(set))
		return set;
	ret = devm_add_action_or_reset(parent, vcm_set_devm_destroy, set);
	return ret ? ERR_PTR(ret) : set;
}
EXPORT_SYMBOL_NS_GPL(devm_vcm_set_create, "VCM_IOMMU");
