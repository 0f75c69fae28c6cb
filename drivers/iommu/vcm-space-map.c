// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers at addresses of the driver's choice
 *
 * Where the DMA API maps a buffer is its own affair, and so what is to be at a
 * certain address is mapped there by us, in the fixed window of the space, which
 * the DMA API leaves alone. But only an attachment that is mapped obliges an
 * exporter to keep the buffer's memory, and only the DMA API can map it. That is
 * what the keeper of a space is for: another space of the parent that is never
 * active, so that its addresses cost the parent nothing.
 *
 * Where the memory is tells the keeper's translation. The pages of an
 * attachment's table are not for importers to look at, and it need not have any.
 */

#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "vcm-domain.h"
#include "vcm-parent.h"
#include "vcm-space.h"

/**
 * struct vcm_fixed - a mapping in the fixed window
 * @node: in &struct vcm_space.fixed
 * @mapped: it is there for the parent; under &struct vcm_parent.lock. If not, it
 *	is being made or undone
 * @dmabuf: the buffer, with a reference
 * @attachment: the keeper's attachment to it
 * @sgt: DMA addresses in the keeper
 * @dir: direction of the DMA
 */
struct vcm_fixed {
	struct interval_tree_node node;
	bool mapped;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	enum dma_data_direction dir;
};

/* --- Keeping the buffer ------------------------------------------------ */

static int vcm_fixed_keep(struct vcm_space *space, struct vcm_fixed *fixed)
{
	struct device *dev = vcm_space_dev(space->keeper);
	int ret;

	fixed->attachment = dma_buf_attach(fixed->dmabuf, dev);
	if (IS_ERR(fixed->attachment))
		return PTR_ERR(fixed->attachment);

	fixed->sgt = dma_buf_map_attachment_unlocked(fixed->attachment,
						     fixed->dir);
	if (IS_ERR(fixed->sgt)) {
		ret = PTR_ERR(fixed->sgt);
		goto detach;
	}
	return 0;

detach:
	dma_buf_detach(fixed->dmabuf, fixed->attachment);
	return ret;
}

static void vcm_fixed_unkeep(struct vcm_fixed *fixed)
{
	dma_buf_unmap_attachment_unlocked(fixed->attachment, fixed->sgt,
					  fixed->dir);
	dma_buf_detach(fixed->dmabuf, fixed->attachment);
}

/* Where in memory @iova of the keeper leads; 0 if that is no memory. */
static phys_addr_t vcm_keeper_phys(const struct vcm_space *keeper,
				   dma_addr_t iova)
{
	phys_addr_t phys = iommu_iova_to_phys(&keeper->domain->domain, iova);
	unsigned long pfn = PHYS_PFN(phys);

	/* How to map another device's memory only its exporter knows. */
	if (!pfn_valid(pfn) || is_zone_device_page(pfn_to_page(pfn)))
		return 0;
	return phys;
}

/* Length of the run of memory at @iova, up to @len; *@phys: where it is, or 0. */
static size_t vcm_keeper_run(const struct vcm_space *keeper, dma_addr_t iova,
			     size_t len, phys_addr_t *phys)
{
	size_t run = PAGE_SIZE;

	*phys = vcm_keeper_phys(keeper, iova);
	while (*phys && run < len &&
	       vcm_keeper_phys(keeper, iova + run) == *phys + run)
		run += PAGE_SIZE;
	return run;
}

/* --- Mapping ----------------------------------------------------------- */

static int vcm_space_prot(struct vcm_space *space, enum dma_data_direction dir)
{
	int prot = dev_is_dma_coherent(vcm_space_dev(space)) ? IOMMU_CACHE : 0;

	if (dir != DMA_FROM_DEVICE)
		prot |= IOMMU_READ;
	if (dir != DMA_TO_DEVICE)
		prot |= IOMMU_WRITE;
	return prot;
}

/* Map @len bytes that the keeper has at @from behind *@done bytes at @iova. */
static int vcm_fixed_map_segment(struct vcm_space *space, u64 iova,
				 dma_addr_t from, size_t len, int prot,
				 size_t *done)
{
	lockdep_assert_held(&space->parent->lock);

	while (len) {
		phys_addr_t phys;
		size_t run = vcm_keeper_run(space->keeper, from, len, &phys);
		int ret;

		if (!phys)
			return -EOPNOTSUPP;
		ret = iommu_map(&space->domain->domain, iova + *done, phys, run,
				prot, GFP_KERNEL);
		if (ret)
			return ret;
		*done += run;
		from += run;
		len -= run;
	}
	return 0;
}

static int vcm_fixed_map_segments(struct vcm_space *space,
				  struct vcm_fixed *fixed, size_t *done)
{
	size_t left = fixed->dmabuf->size;
	struct scatterlist *sg;
	int i, ret;

	lockdep_assert_held(&space->parent->lock);

	for_each_sgtable_dma_sg(fixed->sgt, sg, i) {
		/* Another device's own memory, past the IOMMU */
		if (sg_dma_is_bus_address(sg))
			return -EOPNOTSUPP;
		if (!PAGE_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg)) ||
		    sg_dma_len(sg) > left)
			return -EINVAL;
		ret = vcm_fixed_map_segment(space, fixed->node.start,
					    sg_dma_address(sg), sg_dma_len(sg),
					    vcm_space_prot(space, fixed->dir),
					    done);
		if (ret)
			return ret;
		left -= sg_dma_len(sg);
	}
	return left ? -EINVAL : 0;
}

static void vcm_fixed_unmap(struct vcm_space *space, struct vcm_fixed *fixed,
			    size_t len)
{
	struct iommu_domain *domain = &space->domain->domain;

	lockdep_assert_held(&space->parent->lock);

	if (len)
		WARN_ON(iommu_unmap(domain, fixed->node.start, len) != len);
	fixed->mapped = false;
}

static int vcm_fixed_map(struct vcm_space *space, struct vcm_fixed *fixed)
{
	size_t done = 0;
	int ret;

	/* The parent may have gone meanwhile. */
	mutex_lock(&space->parent->lock);
	ret = vcm_parent_alive(space->parent);
	if (ret)
		goto unlock;
	ret = vcm_fixed_map_segments(space, fixed, &done);
	fixed->mapped = !ret;
	if (ret)
		vcm_fixed_unmap(space, fixed, done);
unlock:
	mutex_unlock(&space->parent->lock);
	return ret;
}

/* --- The window -------------------------------------------------------- */

static int vcm_fixed_check(const struct vcm_space *space, u64 iova, u64 len)
{
	lockdep_assert_held(&space->parent->lock);

	if (!len || !PAGE_ALIGNED(iova | len) ||
	    (space->args.align && !IS_ALIGNED(iova, space->args.align)))
		return -EINVAL;
	if (!vcm_range_inside(iova, len, space->args.fixed_start,
			      space->args.fixed_len))
		return -ERANGE;
	return 0;
}

/* Take the addresses. */
static int vcm_fixed_insert(struct vcm_space *space, struct vcm_fixed *fixed,
			    u64 iova, u64 len)
{
	int ret;

	mutex_lock(&space->parent->lock);
	ret = vcm_parent_alive(space->parent);
	if (ret)
		goto unlock;
	ret = vcm_fixed_check(space, iova, len);
	if (ret)
		goto unlock;
	if (interval_tree_iter_first(&space->fixed, iova, iova + len - 1)) {
		ret = -EEXIST;
		goto unlock;
	}
	fixed->node.start = iova;
	fixed->node.last = iova + len - 1;
	interval_tree_insert(&fixed->node, &space->fixed);
unlock:
	mutex_unlock(&space->parent->lock);
	return ret;
}

static void vcm_fixed_remove(struct vcm_space *space, struct vcm_fixed *fixed)
{
	mutex_lock(&space->parent->lock);
	interval_tree_remove(&fixed->node, &space->fixed);
	mutex_unlock(&space->parent->lock);
}

/**
 * vcm_space_map_at - map a buffer at an address of the caller's choice
 * @space: the space
 * @iova: the address, in the fixed window of @space and a multiple of the
 *	page size and of the alignment that @space asks for
 * @dmabuf: the buffer
 * @dir: direction of the DMA; the parent can do no other
 *
 * The buffer stays until vcm_space_unmap_at(), with its memory and where it is,
 * whatever the caller does with its own reference. To its exporter that is an
 * attachment, mapped for @dir, of a device that stands for @space; the caches
 * are looked after as for any other, by dma_buf_begin_cpu_access() and its
 * reverse. The policy of a buffer of the vcm heap, its alignment and its guard, is
 * about addresses that are chosen for a driver. It does not apply to this one, which
 * the driver chose, nor does it say what may be mapped behind.
 *
 * Context: Process context, sleeps. Without the reservation lock of @dmabuf.
 * Return: 0, or with nothing changed
 *	-EINVAL (misaligned, no direction, a buffer that is not whole pages, or
 *	a block where @space asks for an alignment that it would not have),
 *	-ERANGE (outside the fixed window),
 *	-EEXIST (something is mapped there, or being mapped or unmapped),
 *	-EOPNOTSUPP (the buffer is memory of a device),
 *	-ENODEV (the parent is gone, or @space is being destroyed), -ENOMEM,
 *	or what dma_buf_attach() or mapping the attachment returns.
 */
int vcm_space_map_at(struct vcm_space *space, u64 iova, struct dma_buf *dmabuf,
		     enum dma_data_direction dir)
{
	struct vcm_fixed *fixed;
	int ret;

	if (!valid_dma_direction(dir))
		return -EINVAL;

	fixed = kzalloc_obj(*fixed);
	if (!fixed)
		return -ENOMEM;
	get_dma_buf(dmabuf);
	fixed->dmabuf = dmabuf;
	fixed->dir = dir;

	vcm_space_enter(space);
	ret = vcm_fixed_insert(space, fixed, iova, dmabuf->size);
	if (ret)
		goto leave;

	/* The exporter may want any lock of its own: none of ours is held. */
	ret = vcm_fixed_keep(space, fixed);
	if (ret)
		goto remove_fixed;

	/* Last: from here on it can be unmapped. */
	ret = vcm_fixed_map(space, fixed);
	if (ret)
		goto unkeep;
	vcm_space_leave(space);
	return 0;

unkeep:
	vcm_fixed_unkeep(fixed);
remove_fixed:
	vcm_fixed_remove(space, fixed);
leave:
	vcm_space_leave(space);
	dma_buf_put(dmabuf);
	kfree(fixed);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_map_at, "VCM_IOMMU");

/* --- Unmapping --------------------------------------------------------- */

/* Unmap what is at @iova; -ENOENT if that is nothing. */
static struct vcm_fixed *vcm_fixed_take(struct vcm_space *space, u64 iova)
{
	struct interval_tree_node *node;
	struct vcm_fixed *fixed;

	lockdep_assert_held(&space->parent->lock);

	node = interval_tree_iter_first(&space->fixed, iova, iova);
	if (!node || node->start != iova)
		return ERR_PTR(-ENOENT);
	fixed = container_of(node, struct vcm_fixed, node);
	if (!fixed->mapped)
		return ERR_PTR(-ENOENT);
	vcm_fixed_unmap(space, fixed, node->last - node->start + 1);
	return fixed;
}

/* What was unmapped is given back, and its addresses. */
static void vcm_fixed_release(struct vcm_space *space, struct vcm_fixed *fixed)
{
	vcm_fixed_unkeep(fixed);
	vcm_fixed_remove(space, fixed);
	dma_buf_put(fixed->dmabuf);
	kfree(fixed);
}

/**
 * vcm_space_unmap_at - undo vcm_space_map_at()
 * @space: the space; its parent may be gone
 * @iova: the address
 *
 * The parent can reach nothing of it any more on success, and the buffer is let
 * go.
 *
 * Context: Process context, sleeps. Without the buffer's reservation lock.
 * Return: 0 or -ENOENT (nothing was mapped at @iova).
 */
int vcm_space_unmap_at(struct vcm_space *space, u64 iova)
{
	struct vcm_fixed *fixed;

	vcm_space_enter(space);
	mutex_lock(&space->parent->lock);
	fixed = vcm_fixed_take(space, iova);
	mutex_unlock(&space->parent->lock);
	if (!IS_ERR(fixed))
		vcm_fixed_release(space, fixed);
	vcm_space_leave(space);
	return PTR_ERR_OR_ZERO(fixed);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_unmap_at, "VCM_IOMMU");

/**
 * vcm_space_unmap_all - undo vcm_space_map_at() wherever it has not been
 * @space: the space, with no call for it under way
 *
 * Context: Process context, sleeps. Without the reservation lock of a buffer.
 */
void vcm_space_unmap_all(struct vcm_space *space)
{
	struct interval_tree_node *node;
	struct vcm_fixed *fixed;

	while ((node = interval_tree_iter_first(&space->fixed, 0, ULONG_MAX))) {
		fixed = container_of(node, struct vcm_fixed, node);
		mutex_lock(&space->parent->lock);
		vcm_fixed_unmap(space, fixed, node->last - node->start + 1);
		mutex_unlock(&space->parent->lock);
		vcm_fixed_release(space, fixed);
	}
}

/* --- Looking ----------------------------------------------------------- */

/**
 * vcm_space_iova_to_phys - what an address of a space leads to
 * @space: the space
 * @iova: the address
 *
 * Not to be shown to userspace.
 *
 * Context: Any.
 * Return: the physical address, or 0 if nothing is mapped at @iova.
 */
phys_addr_t vcm_space_iova_to_phys(struct vcm_space *space, u64 iova)
{
	return iommu_iova_to_phys(&space->domain->domain, iova);
}
EXPORT_SYMBOL_NS_GPL(vcm_space_iova_to_phys, "VCM_IOMMU");
