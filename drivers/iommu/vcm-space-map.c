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
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

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
	ret = vcm_space_alive(space);
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

/* Take the addresses. The space cannot be destroyed any more. */
static int vcm_fixed_insert(struct vcm_space *space, struct vcm_fixed *fixed,
			    u64 iova, u64 len)
{
	int ret;

	mutex_lock(&space->parent->lock);
	ret = vcm_space_alive(space);
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
 * reverse. The policy of a buffer of the vcm heap does not matter here.
 *
 * Context: Process context, sleeps. Without the reservation lock of @dmabuf.
 * Return: 0, or with nothing changed
 *	-EINVAL (misaligned, no direction, a buffer that is not whole pages, or
 *	a block where @space asks for an alignment that it would not have),
 *	-ERANGE (outside the fixed window),
 *	-EEXIST (something is mapped there, or being mapped or unmapped),
 *	-EOPNOTSUPP (the buffer is memory of a device),
 *	-ENODEV (the space was destroyed or its parent is gone), -ENOMEM,
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
	fixed->dmabuf = dmabuf;
	fixed->dir = dir;

	ret = vcm_fixed_insert(space, fixed, iova, dmabuf->size);
	if (ret)
		goto free_fixed;

	/* The exporter may want any lock of its own: none of ours is held. */
	ret = vcm_fixed_keep(space, fixed);
	if (ret)
		goto remove_fixed;

	ret = vcm_fixed_map(space, fixed);
	if (ret)
		goto unkeep;
	get_dma_buf(dmabuf);
	return 0;

unkeep:
	vcm_fixed_unkeep(fixed);
remove_fixed:
	vcm_fixed_remove(space, fixed);
free_fixed:
	kfree(fixed);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_map_at, "VCM_IOMMU");

/* Unmap what is at @iova; -ENOENT if that is nothing. */
static struct vcm_fixed *vcm_fixed_take(struct vcm_space *space, u64 iova)
{
	struct interval_tree_node *node;
	struct vcm_fixed *fixed;

	lockdep_assert_held(&space->parent->lock);

	if (!space->domain)
		return ERR_PTR(-ENODEV);
	node = interval_tree_iter_first(&space->fixed, iova, iova);
	if (!node || node->start != iova)
		return ERR_PTR(-ENOENT);
	fixed = container_of(node, struct vcm_fixed, node);
	if (!fixed->mapped)
		return ERR_PTR(-ENOENT);
	vcm_fixed_unmap(space, fixed, node->last - node->start + 1);
	return fixed;
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
 * Return: 0, -ENOENT (nothing was mapped at @iova), -ENODEV (the space was
 *	destroyed).
 */
int vcm_space_unmap_at(struct vcm_space *space, u64 iova)
{
	struct vcm_fixed *fixed;

	mutex_lock(&space->parent->lock);
	fixed = vcm_fixed_take(space, iova);
	mutex_unlock(&space->parent->lock);
	if (IS_ERR(fixed))
		return PTR_ERR(fixed);

	vcm_fixed_unkeep(fixed);
	vcm_fixed_remove(space, fixed);
	dma_buf_put(fixed->dmabuf);
	kfree(fixed);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vcm_space_unmap_at, "VCM_IOMMU");
