// SPDX-License-Identifier: GPL-2.0
/*
 * The IOMMU driver of the address spaces
 *
 * An address space is a device of its own (vcm-space.c), and this is the IOMMU
 * it is behind. The IOMMU has no hardware: a domain of it is stacked on a
 * domain of the IOMMU that the space's parent is behind, and everything mapped
 * here is mapped there. dma-iommu knows no difference, and so a space has the
 * whole DMA API; the parent sees it once it is attached to the domain below.
 *
 * Two things are done on the way: mappings that waste the alignment of a large
 * block are refused where a space asks for that, and bytes are counted, so
 * that a space is known to be empty.
 */

#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "vcm-space.h"

static struct iommu_device vcm_iommu_device;
static const struct iommu_ops vcm_iommu_ops;

static struct vcm_domain *to_vcm_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct vcm_domain, domain);
}

/* --- Domains ----------------------------------------------------------- */

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

static void vcm_domain_uncharge(struct vcm_domain *domain, size_t size)
{
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	if (!WARN_ON(domain->mapped < size))
		domain->mapped -= size;
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

	/* Until its DMA is claimed, the device may be given another one. */
	if (domain->space->domain == domain)
		domain->space->domain = NULL;
	vcm_backing_free(domain->backing);
	kfree(domain);
}

static const struct iommu_domain_ops vcm_domain_ops = {
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

static struct iommu_domain vcm_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &vcm_blocked_ops,
};

/**
 * vcm_domain_close - let nothing more be mapped in an empty domain
 * @domain: the domain
 *
 * Context: Any.
 * Return: true if the domain was empty and is closed now.
 */
bool vcm_domain_close(struct vcm_domain *domain)
{
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&domain->lock, flags);
	empty = !domain->mapped;
	domain->closed |= empty;
	spin_unlock_irqrestore(&domain->lock, flags);
	return empty;
}

/**
 * vcm_domain_kill - let nothing more be mapped in a domain
 * @domain: the domain
 *
 * Context: Any.
 */
void vcm_domain_kill(struct vcm_domain *domain)
{
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	domain->closed = true;
	spin_unlock_irqrestore(&domain->lock, flags);
}

/* --- The driver -------------------------------------------------------- */

static void vcm_get_resv_regions(struct device *dev, struct list_head *regions)
{
	struct vcm_space *space = vcm_space_of(dev);
	int ret;

	ret = vcm_regions_reserve(space->parent, regions);
	if (!ret && space->args.fixed_len)
		ret = vcm_region_reserve(regions, space->args.fixed_start,
					 space->args.fixed_len);
	/* There is no way to tell the core. */
	if (ret)
		space->error = ret;
}

static int vcm_domain_fault(struct iommu_domain *backing, struct device *dev,
			    unsigned long iova, int flags, void *token)
{
	struct vcm_space *space = token;

	if (!space->fault)
		return -ENODEV;
	space->fault(space, iova, flags & IOMMU_FAULT_WRITE, space->fault_data);
	return 0;
}

/**
 * vcm_domain_watch_faults - have a space told of its faults
 * @domain: the space's domain, attached to nothing
 * @space: the space, with its handler set
 *
 * Only for a space that has a handler: without one in the domain an IOMMU
 * driver writes faults to the log.
 *
 * Context: Process context.
 */
void vcm_domain_watch_faults(struct vcm_domain *domain,
			     struct vcm_space *space)
{
	/* Once is enough, and twice is a warning. */
	if (domain->backing->cookie_type == IOMMU_COOKIE_NONE)
		iommu_set_fault_handler(domain->backing, vcm_domain_fault,
					space);
}

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

static struct iommu_domain *vcm_domain_alloc_paging(struct device *dev)
{
	struct vcm_space *space = vcm_space_of(dev);
	struct vcm_domain *domain;
	int ret;

	domain = kzalloc_obj(*domain);
	if (!domain) {
		ret = -ENOMEM;
		goto fail;
	}

	domain->backing = vcm_backing_alloc(space->parent->dev);
	if (IS_ERR(domain->backing)) {
		ret = PTR_ERR(domain->backing);
		goto free_domain;
	}

	ret = vcm_regions_map(space->parent, domain->backing);
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
	.domain_alloc_paging = vcm_domain_alloc_paging,
	.probe_device = vcm_probe_device,
	.device_group = generic_device_group,
	.get_resv_regions = vcm_get_resv_regions,
	.def_domain_type = vcm_def_domain_type,
	.blocked_domain = &vcm_blocked_domain,
	.release_domain = &vcm_blocked_domain,
	.default_domain_ops = &vcm_domain_ops,
};

/**
 * vcm_domain_fwnode - what the fwspec of a space's device names
 *
 * Context: Any, once the driver is registered.
 * Return: the node of our IOMMU.
 */
struct fwnode_handle *vcm_domain_fwnode(void)
{
	return vcm_iommu_device.fwnode;
}

/* What placement has to respect for a space's device. */
static void vcm_space_rules(struct device *dev, struct vcm_iova_rules *rules)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
	struct vcm_space *space;

	/* Not by the domain, which nobody keeps for us on other devices. */
	if (!fwspec || fwspec->iommu_fwnode != vcm_domain_fwnode())
		return;

	space = vcm_space_of(dev);
	rules->gate = &space->parent->gate;
	rules->min_align = space->args.align;
}

static int vcm_domain_driver_init(void)
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

static void vcm_domain_driver_exit(void)
{
	iommu_device_unregister(&vcm_iommu_device);
	iommu_device_sysfs_remove(&vcm_iommu_device);
	fwnode_remove_software_node(vcm_iommu_device.fwnode);
}

/* --- The module -------------------------------------------------------- */

static int __init vcm_iommu_init(void)
{
	int ret;

	ret = vcm_domain_driver_init();
	if (ret)
		return ret;
	ret = vcm_iova_set_rules(vcm_space_rules);
	if (ret)
		goto exit_driver;

	vcm_space_debugfs_init();
	return 0;

exit_driver:
	vcm_domain_driver_exit();
	return ret;
}

/* There are no spaces: each pins the module. */
static void __exit vcm_iommu_exit(void)
{
	vcm_space_debugfs_exit();
	vcm_iova_clear_rules();
	vcm_domain_driver_exit();
}

/* Built in, behind placement and before the drivers that have spaces. */
subsys_initcall_sync(vcm_iommu_init);
module_exit(vcm_iommu_exit);

MODULE_DESCRIPTION("Address spaces of devices");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("VCM_IOVA");
