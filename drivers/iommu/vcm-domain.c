// SPDX-License-Identifier: GPL-2.0
/*
 * The domain of a space
 *
 * It is stacked on a domain of the IOMMU that the space's parent is behind, and
 * everything mapped here is mapped there. The parent sees it once it is attached
 * to the domain below.
 *
 * Two things are done on the way: mappings that waste the alignment of a large
 * block are refused where a space asks for that, and bytes are counted, so
 * that a space is known to be empty.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "vcm-domain.h"
#include "vcm-region.h"
#include "vcm-space.h"

/* Ends what was abandoned; what is on it is the module's own code. */
static struct workqueue_struct *vcm_domain_wq;
/* Domains that end there, and are not freed yet */
static atomic_t vcm_domains_ending = ATOMIC_INIT(0);

static struct vcm_domain *to_vcm_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct vcm_domain, domain);
}

/* --- Mapping ----------------------------------------------------------- */

/*
 * Is there a block at @phys? That is one piece of memory to whoever allocated
 * it, a chunk of a buffer or a huge page: a compound page. Pages that happen to
 * be neighbours are none, and nobody could have put them elsewhere: the DMA API
 * splits what it allocates, and joins what touches.
 */
static bool vcm_is_block(phys_addr_t phys, u64 len)
{
	unsigned long pfn = PHYS_PFN(phys);

	return IS_ALIGNED(phys, len) && pfn_valid(pfn) &&
	       page_size(compound_head(pfn_to_page(pfn))) >= len;
}

/*
 * Does the mapping begin with a block that could be mapped as one if only it
 * were put at another address? What is linked to a space begins with the
 * largest chunk, and what follows is aligned if that is.
 */
static bool vcm_domain_misaligned(const struct vcm_domain *domain, u64 iova,
				  phys_addr_t phys, size_t size)
{
	return domain->align && size >= domain->align &&
	       !IS_ALIGNED(iova, domain->align) &&
	       vcm_is_block(phys, domain->align);
}

/* Count before mapping, so that a domain that is closed stays empty. */
static int vcm_domain_charge(struct vcm_domain *domain, u64 iova,
			     phys_addr_t phys, size_t pgsize, size_t size)
{
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&domain->lock, flags);
	if (domain->closed) {
		ret = -ENODEV;
	} else if (vcm_domain_misaligned(domain, iova, phys, size)) {
		domain->nr_refused++;
		ret = -EINVAL;
	} else {
		domain->mapped += size;
		domain->pgsizes |= pgsize;
	}
	spin_unlock_irqrestore(&domain->lock, flags);
	return ret;
}

/* Once only: nothing is mapped or unmapped in it any more. */
static void vcm_domain_end_if_empty(struct vcm_domain *domain)
{
	lockdep_assert_held(&domain->lock);

	if (!domain->emptied || domain->mapped)
		return;
	atomic_inc(&vcm_domains_ending);
	queue_work(vcm_domain_wq, domain->emptied);
}

static void vcm_domain_uncharge(struct vcm_domain *domain, size_t size)
{
	unsigned long flags;

	if (!size)
		return;
	spin_lock_irqsave(&domain->lock, flags);
	if (!WARN_ON(domain->mapped < size)) {
		domain->mapped -= size;
		vcm_domain_end_if_empty(domain);
	}
	spin_unlock_irqrestore(&domain->lock, flags);
}

/* The longest block at @iova of up to @size that is aligned to its own length. */
static size_t vcm_domain_block(unsigned long iova, size_t size)
{
	unsigned long max = iova ? 1UL << __ffs(iova) : ULONG_MAX;

	return min(max, rounddown_pow_of_two(size));
}

/*
 * iommu_map() of the domain below is what is exported; it makes the pages visible
 * to the hardware, and nothing is left to do for iotlb_sync_map().
 *
 * It is told of as many pages at once as can be, which lets it use its largest
 * leaves, but not of more than will be unmapped at once: what one call mapped
 * must not be split (see iommu_unmap()), and the core chooses what to unmap by
 * the IOVA alone. It never cuts inside of an aligned block.
 */
static int vcm_domain_map_pages(struct iommu_domain *iommu_domain,
				unsigned long iova, phys_addr_t phys,
				size_t pgsize, size_t pgcount, int prot,
				gfp_t gfp, size_t *mapped)
{
	struct vcm_domain *domain = to_vcm_domain(iommu_domain);
	size_t size = pgsize * pgcount, done = 0;
	int ret;

	ret = vcm_domain_charge(domain, iova, phys, pgsize, size);
	if (ret)
		return ret;

	while (done < size) {
		size_t len = vcm_domain_block(iova + done, size - done);

		ret = iommu_map(domain->backing, iova + done, phys + done, len,
				prot, gfp);
		if (ret)
			break;
		done += len;
	}
	/* The core unmaps what it is told to be mapped. */
	if (ret)
		vcm_domain_uncharge(domain, size - done);
	*mapped = done;
	return ret;
}

/*
 * Unmapped is unmapped: who unmaps in a space has it gone on return. The DMA API
 * would flush later, and all at once, if somebody had made the domain a lazy one
 * (DMA-FQ in the file "type" of its group, which is possible at any time).
 */
static size_t vcm_domain_unmap_pages(struct iommu_domain *iommu_domain,
				     unsigned long iova, size_t pgsize,
				     size_t pgcount,
				     struct iommu_iotlb_gather *gather)
{
	struct vcm_domain *domain = to_vcm_domain(iommu_domain);
	size_t size = pgsize * pgcount, unmapped;

	if (iommu_iotlb_gather_queued(gather))
		unmapped = iommu_unmap(domain->backing, iova, size);
	else
		unmapped = iommu_unmap_fast(domain->backing, iova, size,
					    gather);
	vcm_domain_uncharge(domain, unmapped);
	return unmapped;
}

static void vcm_domain_flush_iotlb_all(struct iommu_domain *iommu_domain)
{
	iommu_flush_iotlb_all(to_vcm_domain(iommu_domain)->backing);
}

static void vcm_domain_iotlb_sync(struct iommu_domain *iommu_domain,
				  struct iommu_iotlb_gather *gather)
{
	iommu_iotlb_sync(to_vcm_domain(iommu_domain)->backing, gather);
}

static phys_addr_t vcm_domain_iova_to_phys(struct iommu_domain *iommu_domain,
					   dma_addr_t iova)
{
	return iommu_iova_to_phys(to_vcm_domain(iommu_domain)->backing, iova);
}

/* A space's device does no DMA of its own: its parent is what is attached. */
static int vcm_domain_attach_dev(struct iommu_domain *domain,
				 struct device *dev, struct iommu_domain *old)
{
	return 0;
}

/* --- Life -------------------------------------------------------------- */

/*
 * The domain below may outlive the parent, and with it what keeps the driver
 * of the parent's IOMMU loaded.
 */
static struct iommu_domain *vcm_backing_alloc(struct device *parent)
{
	struct iommu_domain *backing = iommu_paging_domain_alloc(parent);

	if (!IS_ERR(backing) && !try_module_get(backing->owner->owner)) {
		iommu_domain_free(backing);
		return ERR_PTR(-ENODEV);
	}
	return backing;
}

static void vcm_backing_free(struct iommu_domain *backing)
{
	struct module *owner = backing->owner->owner;

	iommu_domain_free(backing);
	module_put(owner);
}

static void vcm_domain_free(struct iommu_domain *iommu_domain)
{
	struct vcm_domain *domain = to_vcm_domain(iommu_domain);

	domain->space->domain = NULL;
	if (domain->emptied)
		atomic_dec(&vcm_domains_ending);
	vcm_backing_free(domain->backing);
	kfree(domain);
}

const struct iommu_domain_ops vcm_domain_ops = {
	.attach_dev = vcm_domain_attach_dev,
	.map_pages = vcm_domain_map_pages,
	.unmap_pages = vcm_domain_unmap_pages,
	.flush_iotlb_all = vcm_domain_flush_iotlb_all,
	.iotlb_sync = vcm_domain_iotlb_sync,
	.iova_to_phys = vcm_domain_iova_to_phys,
	.free = vcm_domain_free,
};

static const struct iommu_domain_ops vcm_blocked_ops = {
	.attach_dev = vcm_domain_attach_dev,
};

struct iommu_domain vcm_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &vcm_blocked_ops,
};

static void vcm_domain_set_window(struct vcm_domain *domain,
				  const struct vcm_space *space)
{
	struct iommu_domain_geometry *geometry = &domain->domain.geometry;

	*geometry = domain->backing->geometry;
	geometry->aperture_start = max_t(u64, geometry->aperture_start,
					 space->args.start);
	geometry->aperture_end = min_t(u64, geometry->aperture_end,
				       vcm_space_last(space));
	geometry->force_aperture = true;
}

/**
 * vcm_domain_alloc - make a domain for a space's device
 * @space: the space
 * @parent: its parent
 * @regions: addresses of @parent that are no IOVAs
 *
 * It has one for as long as it is. If there is none, the space is told why, as the
 * IOMMU core is silent of it.
 *
 * Context: Process context, sleeps.
 * Return: the domain, or -EBUSY (it has one), -ENOMEM, or what the driver of the
 *	parent's IOMMU returns.
 */
struct iommu_domain *vcm_domain_alloc(struct vcm_space *space,
				      struct device *parent,
				      const struct vcm_regions *regions)
{
	struct vcm_domain *domain;
	int ret;

	if (space->domain)
		return ERR_PTR(-EBUSY);

	domain = kzalloc_obj(*domain);
	if (!domain) {
		ret = -ENOMEM;
		goto fail;
	}

	domain->backing = vcm_backing_alloc(parent);
	if (IS_ERR(domain->backing)) {
		ret = PTR_ERR(domain->backing);
		goto free_domain;
	}

	ret = vcm_regions_map(regions, domain->backing);
	if (ret)
		goto free_backing;

	spin_lock_init(&domain->lock);
	domain->align = space->args.align;
	domain->domain.ops = &vcm_domain_ops;
	domain->domain.pgsize_bitmap = domain->backing->pgsize_bitmap;
	vcm_domain_set_window(domain, space);
	domain->space = space;
	space->domain = domain;
	return &domain->domain;

free_backing:
	vcm_backing_free(domain->backing);
free_domain:
	kfree(domain);
fail:
	/* The core keeps it to itself. */
	space->error = ret;
	return ERR_PTR(ret);
}

/**
 * vcm_domain_is_empty - is nothing mapped in a domain
 * @domain: the domain
 *
 * Context: Any.
 * Return: whether nothing is, just now.
 */
bool vcm_domain_is_empty(struct vcm_domain *domain)
{
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&domain->lock, flags);
	empty = !domain->mapped;
	spin_unlock_irqrestore(&domain->lock, flags);
	return empty;
}

/**
 * vcm_domain_close - let nothing more be mapped in a domain
 * @domain: the domain
 *
 * Context: Any.
 */
void vcm_domain_close(struct vcm_domain *domain)
{
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	domain->closed = true;
	spin_unlock_irqrestore(&domain->lock, flags);
}

/**
 * vcm_domain_abandon - leave a domain to who has something mapped in it
 * @domain: the domain; nothing can be mapped in it any more
 * @emptied: queued when the last mapping has gone, or now if there is none; it
 *	frees @domain
 *
 * Context: Any.
 */
void vcm_domain_abandon(struct vcm_domain *domain, struct work_struct *emptied)
{
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	domain->closed = true;
	domain->emptied = emptied;
	vcm_domain_end_if_empty(domain);
	spin_unlock_irqrestore(&domain->lock, flags);
}

/**
 * vcm_domains_settle - do not let more and more domains be about to end
 *
 * That takes a while, and each of them is memory: who makes spaces and destroys
 * them without a pause waits here.
 *
 * Context: Process context, sleeps.
 */
void vcm_domains_settle(void)
{
	if (atomic_read(&vcm_domains_ending) >= VCM_SPACES_MAX)
		flush_workqueue(vcm_domain_wq);
}

/**
 * vcm_domains_init - get ready for domains
 *
 * Context: Process context, once.
 * Return: 0 or -ENOMEM.
 */
int vcm_domains_init(void)
{
	vcm_domain_wq = alloc_workqueue("vcm_space", WQ_UNBOUND, 0);
	return vcm_domain_wq ? 0 : -ENOMEM;
}

/**
 * vcm_domains_exit - undo vcm_domains_init()
 *
 * Context: Process context, once; there is no domain.
 */
void vcm_domains_exit(void)
{
	destroy_workqueue(vcm_domain_wq);
}
