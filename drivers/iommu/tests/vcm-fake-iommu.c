// SPDX-License-Identifier: GPL-2.0
/*
 * Made-up devices behind a made-up IOMMU, for KUnit tests
 *
 * To everybody else it is an IOMMU like any other: the core asks it for
 * domains, and the DMA API maps into them. It knows its own devices by their
 * fwspec, and no other device is in it.
 */

#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../vcm-fwspec.h"
#include "vcm-fake-iommu.h"

struct vcm_fake_iommu vcm_fake_iommu;
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_iommu);

static struct iommu_device fake_iommu_device;

/* Spaces end whenever they do: protects the numbers of domains and pages. */
static DEFINE_SPINLOCK(fake_count_lock);

/**
 * struct fake_domain - a domain
 * @domain: what the core knows of it
 * @pages: physical page numbers by page number
 */
struct fake_domain {
	struct iommu_domain domain;
	struct xarray pages;
};

/**
 * struct fake_device - a device
 * @pdev: the device
 * @attached: domain that it is attached to
 * @node: in the list of all
 * @dma_mask: what &struct device.dma_mask points to
 * @group_of: device whose group it is in, or NULL
 */
struct fake_device {
	struct platform_device *pdev;
	struct iommu_domain *attached;
	struct list_head node;
	u64 dma_mask;
	struct device *group_of;
};

static LIST_HEAD(fake_devices);

static struct fake_domain *to_fake_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct fake_domain, domain);
}

static struct fake_device *fake_device_of(struct device *dev)
{
	struct fake_device *fake;

	list_for_each_entry(fake, &fake_devices, node)
		if (&fake->pdev->dev == dev)
			return fake;
	return NULL;
}

static void fake_count(unsigned long *count, long more)
{
	unsigned long flags;

	spin_lock_irqsave(&fake_count_lock, flags);
	*count += more;
	spin_unlock_irqrestore(&fake_count_lock, flags);
}

/* Is this the call that is to fail? */
static bool fake_fails(unsigned int *countdown)
{
	return *countdown && !--*countdown;
}

/* --- Domains ----------------------------------------------------------- */

static void fake_check_gate(struct rw_semaphore *gate)
{
	vcm_fake_iommu.nr_ungated += gate && !rwsem_is_locked(gate);
}

static int fake_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	struct fake_device *fake = fake_device_of(dev);

	vcm_fake_iommu.nr_attaches++;
	fake_check_gate(vcm_fake_iommu.attach_gate);
	if (domain->type & __IOMMU_DOMAIN_PAGING &&
	    fake_fails(&vcm_fake_iommu.fail_attach)) {
		if (vcm_fake_iommu.fail_attach_more) {
			vcm_fake_iommu.fail_attach_more--;
			vcm_fake_iommu.fail_attach = 1;
		}
		return -ENOSPC;
	}
	if (fake)
		fake->attached = domain;
	return 0;
}

static void fake_unmap_page(struct fake_domain *domain, unsigned long pfn)
{
	if (xa_erase(&domain->pages, pfn))
		fake_count(&vcm_fake_iommu.nr_pages, -1);
}

static int fake_map_range(struct fake_domain *domain, unsigned long iova,
			  phys_addr_t phys, size_t size, gfp_t gfp)
{
	unsigned long pfn = iova >> PAGE_SHIFT, nr = size >> PAGE_SHIFT, i;

	for (i = 0; i < nr; i++) {
		void *page = xa_mk_value((phys >> PAGE_SHIFT) + i);

		if (xa_insert(&domain->pages, pfn + i, page, gfp))
			goto unmap;
		fake_count(&vcm_fake_iommu.nr_pages, 1);
	}
	return 0;

unmap:
	while (i--)
		fake_unmap_page(domain, pfn + i);
	return -ENOMEM;
}

static int fake_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t phys, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct vcm_fake_iommu *iommu = &vcm_fake_iommu;
	unsigned long nr = iommu->nr_maps++ % VCM_FAKE_NR_CALLS;
	int ret;

	iommu->calls[nr] = (struct vcm_fake_call){
		.iova = iova, .phys = phys, .pgsize = pgsize,
		.pgcount = pgcount, .prot = prot,
	};
	fake_check_gate(iommu->gate);
	if (fake_fails(&iommu->fail_map))
		return -ENOMEM;

	ret = fake_map_range(to_fake_domain(domain), iova, phys,
			     pgsize * pgcount, gfp);
	if (!ret)
		*mapped = pgsize * pgcount;
	return ret;
}

static size_t fake_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	unsigned long pfn = iova >> PAGE_SHIFT, i;

	fake_check_gate(vcm_fake_iommu.gate);
	for (i = 0; i < pgsize * pgcount >> PAGE_SHIFT; i++) {
		if (!xa_load(&to_fake_domain(domain)->pages, pfn + i))
			break;
		fake_unmap_page(to_fake_domain(domain), pfn + i);
	}
	return i << PAGE_SHIFT;
}

static phys_addr_t fake_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	void *page = xa_load(&to_fake_domain(domain)->pages,
			     iova >> PAGE_SHIFT);

	if (!page)
		return 0;
	return ((phys_addr_t)xa_to_value(page) << PAGE_SHIFT) +
	       offset_in_page(iova);
}

static int fake_sync_map(struct iommu_domain *domain, unsigned long iova,
			 size_t size)
{
	return fake_fails(&vcm_fake_iommu.fail_sync) ? -ENOMEM : 0;
}

static void fake_sync(struct iommu_domain *domain,
		      struct iommu_iotlb_gather *gather)
{
	vcm_fake_iommu.nr_syncs++;
	if (vcm_fake_iommu.on_sync)
		vcm_fake_iommu.on_sync(vcm_fake_iommu.on_sync_data);
}

static void fake_flush(struct iommu_domain *domain)
{
	vcm_fake_iommu.nr_flushes++;
}

static void fake_domain_free(struct iommu_domain *domain)
{
	struct fake_domain *fake = to_fake_domain(domain);
	unsigned long pfn;
	void *page;

	xa_for_each(&fake->pages, pfn, page)
		fake_unmap_page(fake, pfn);
	xa_destroy(&fake->pages);
	kfree(fake);
	fake_count(&vcm_fake_iommu.nr_domains, -1);
}

static const struct iommu_domain_ops fake_domain_ops = {
	.attach_dev = fake_attach,
	.map_pages = fake_map_pages,
	.unmap_pages = fake_unmap_pages,
	.iotlb_sync_map = fake_sync_map,
	.iotlb_sync = fake_sync,
	.flush_iotlb_all = fake_flush,
	.iova_to_phys = fake_iova_to_phys,
	.free = fake_domain_free,
};

static const struct iommu_domain_ops fake_blocked_ops = {
	.attach_dev = fake_attach,
};

static struct iommu_domain fake_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &fake_blocked_ops,
};

static struct iommu_domain *fake_domain_alloc(struct device *dev)
{
	struct fake_domain *fake;

	if (fake_fails(&vcm_fake_iommu.fail_alloc))
		return ERR_PTR(-ENOMEM);
	fake = kzalloc_obj(*fake);
	if (!fake)
		return ERR_PTR(-ENOMEM);

	xa_init(&fake->pages);
	fake->domain.ops = &fake_domain_ops;
	fake->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M;
	fake->domain.geometry.aperture_end = DMA_BIT_MASK(48);
	fake->domain.geometry.force_aperture = true;
	fake_count(&vcm_fake_iommu.nr_domains, 1);
	return &fake->domain;
}

/* --- The IOMMU --------------------------------------------------------- */

static struct iommu_device *fake_probe(struct device *dev)
{
	return fake_device_of(dev) ? &fake_iommu_device : ERR_PTR(-ENODEV);
}

static bool fake_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY;
}

static int fake_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_DMA;
}

static void fake_get_regions(struct device *dev, struct list_head *list)
{
	struct iommu_resv_region *region;
	int i;

	for (i = 0; i < VCM_FAKE_NR_REGIONS; i++) {
		const struct iommu_resv_region *r = &vcm_fake_iommu.regions[i];

		if (!r->length)
			continue;
		region = iommu_alloc_resv_region(r->start, r->length, r->prot,
						 r->type, GFP_KERNEL);
		if (region)
			list_add_tail(&region->list, list);
	}
}

static struct iommu_group *fake_device_group(struct device *dev)
{
	struct fake_device *fake = fake_device_of(dev);

	if (!fake->group_of)
		return generic_device_group(dev);
	return iommu_group_ref_get(fake->group_of->iommu_group);
}

static const struct iommu_ops fake_ops = {
	.owner = THIS_MODULE,
	.capable = fake_capable,
	.domain_alloc_paging = fake_domain_alloc,
	.probe_device = fake_probe,
	.device_group = fake_device_group,
	.get_resv_regions = fake_get_regions,
	.def_domain_type = fake_domain_type,
	.blocked_domain = &fake_blocked_domain,
	.release_domain = &fake_blocked_domain,
	.default_domain_ops = &fake_domain_ops,
};

static int fake_driver_probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver fake_driver = {
	.probe = fake_driver_probe,
	.driver.name = "vcm-fake",
};

static struct platform_driver fake_managed_driver = {
	.probe = fake_driver_probe,
	.driver.name = "vcm-fake-managed",
	.driver_managed_dma = true,
};

static struct platform_driver * const fake_drivers[] = {
	&fake_driver, &fake_managed_driver,
};

/**
 * vcm_fake_init - register the IOMMU and the drivers of the devices
 * @suite: the suite that needs them
 *
 * Context: Process context, sleeps.
 * Return: 0 or an error.
 */
int vcm_fake_init(struct kunit_suite *suite)
{
	int ret;

	vcm_fake_reset();
	fake_iommu_device.fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(fake_iommu_device.fwnode))
		return PTR_ERR(fake_iommu_device.fwnode);

	ret = iommu_device_sysfs_add(&fake_iommu_device, NULL, NULL,
				     "vcm-fake-iommu");
	if (ret)
		goto remove_node;
	ret = iommu_device_register(&fake_iommu_device, &fake_ops, NULL);
	if (ret)
		goto remove_sysfs;
	ret = platform_register_drivers(fake_drivers,
					ARRAY_SIZE(fake_drivers));
	if (ret)
		goto unregister;
	return 0;

unregister:
	iommu_device_unregister(&fake_iommu_device);
remove_sysfs:
	iommu_device_sysfs_remove(&fake_iommu_device);
remove_node:
	fwnode_remove_software_node(fake_iommu_device.fwnode);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_init);

/**
 * vcm_fake_exit - undo vcm_fake_init()
 * @suite: the suite
 *
 * Context: Process context, sleeps.
 */
void vcm_fake_exit(struct kunit_suite *suite)
{
	vcm_fake_settle(0);
	platform_unregister_drivers(fake_drivers, ARRAY_SIZE(fake_drivers));
	iommu_device_unregister(&fake_iommu_device);
	iommu_device_sysfs_remove(&fake_iommu_device);
	fwnode_remove_software_node(fake_iommu_device.fwnode);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_exit);

/**
 * vcm_fake_settle - wait for the end of spaces that were destroyed
 * @nr: how many domains there are to be
 *
 * Context: Process context, sleeps.
 * Return: how many there are, more than @nr only if that takes a minute.
 */
unsigned long vcm_fake_settle(unsigned long nr)
{
	unsigned long timeout = jiffies + 60 * HZ;

	while (READ_ONCE(vcm_fake_iommu.nr_domains) > nr &&
	       time_before(jiffies, timeout))
		msleep(20);
	return READ_ONCE(vcm_fake_iommu.nr_domains);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_settle);

/**
 * vcm_fake_reset - forget what was and fail nothing
 *
 * Context: Process context, sleeps; there is no device, and no space.
 */
void vcm_fake_reset(void)
{
	vcm_fake_settle(0);
	memset(&vcm_fake_iommu, 0, sizeof(vcm_fake_iommu));
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_reset);

/* --- Devices ----------------------------------------------------------- */

static void fake_device_set_limits(struct fake_device *fake,
				   const struct vcm_fake_args *args)
{
	struct device *dev = &fake->pdev->dev;

	fake->dma_mask = args->mask;
	dev->dma_mask = args->mask ? &fake->dma_mask : NULL;
	dev->coherent_dma_mask = args->mask;
	dma_set_max_seg_size(dev, args->max_seg_size ?: UINT_MAX);
	if (args->boundary)
		dma_set_seg_boundary(dev, args->boundary);
}

static int fake_device_add(struct fake_device *fake,
			   const struct vcm_fake_args *args)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_alloc(args->managed ? "vcm-fake-managed" :
						     "vcm-fake",
				     PLATFORM_DEVID_AUTO);
	if (!pdev)
		return -ENOMEM;
	fake->pdev = pdev;
	fake->group_of = args->group_of;
	fake_device_set_limits(fake, args);
	ret = args->direct ? 0 : vcm_fwspec_init(&pdev->dev,
						    fake_iommu_device.fwnode);
	if (ret)
		goto put_device;

	/* The IOMMU core asks for a domain meanwhile. */
	list_add(&fake->node, &fake_devices);
	ret = platform_device_add(pdev);
	if (ret)
		goto remove;
	return 0;

remove:
	list_del(&fake->node);
put_device:
	vcm_fwspec_free(&pdev->dev);
	platform_device_put(pdev);
	return ret;
}

static void fake_device_remove(void *data)
{
	struct fake_device *fake = data;

	platform_device_unregister(fake->pdev);
	list_del(&fake->node);
	kfree(fake);
}

/**
 * vcm_fake_device - make a device, bound to a driver
 * @test: the case; it ends with the device being removed
 * @args: what it is to be like
 *
 * Context: Process context, sleeps.
 * Return: the device.
 */
struct device *vcm_fake_device(struct kunit *test,
			       const struct vcm_fake_args *args)
{
	struct fake_device *fake = kzalloc_obj(*fake);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	ret = fake_device_add(fake, args);
	if (ret)
		kfree(fake);
	KUNIT_ASSERT_EQ(test, ret, 0);

	ret = kunit_add_action_or_reset(test, fake_device_remove, fake);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_EQ(test, device_iommu_mapped(&fake->pdev->dev),
			!args->direct);
	KUNIT_ASSERT_NOT_NULL(test, fake->pdev->dev.driver);
	return &fake->pdev->dev;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_device);

/**
 * vcm_fake_device_remove - remove a device before its case ends
 * @test: the case
 * @dev: the device
 *
 * Context: Process context, sleeps.
 */
void vcm_fake_device_remove(struct kunit *test, struct device *dev)
{
	kunit_release_action(test, fake_device_remove, fake_device_of(dev));
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_device_remove);

/**
 * vcm_fake_attached - what a device is attached to
 * @dev: the device
 *
 * Context: Any.
 * Return: the domain; NULL if it is one that blocks all.
 */
struct iommu_domain *vcm_fake_attached(struct device *dev)
{
	struct iommu_domain *domain = fake_device_of(dev)->attached;

	return domain == &fake_blocked_domain ? NULL : domain;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_attached);

/**
 * vcm_fake_phys - what a device finds at an address
 * @dev: the device
 * @iova: the address
 *
 * Context: Any.
 * Return: the physical address, or 0 for a fault.
 */
phys_addr_t vcm_fake_phys(struct device *dev, u64 iova)
{
	struct iommu_domain *domain = vcm_fake_attached(dev);

	return domain ? fake_iova_to_phys(domain, iova) : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_phys);

/**
 * vcm_fake_fault - report a fault
 * @dev: the device
 * @iova: the address that it used
 * @write: it wrote
 *
 * Context: Any.
 * Return: 0, or what says that nobody cares.
 */
int vcm_fake_fault(struct device *dev, u64 iova, bool write)
{
	return report_iommu_fault(vcm_fake_attached(dev), dev, iova,
				  write ? IOMMU_FAULT_WRITE : IOMMU_FAULT_READ);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_fault);

static void vcm_fake_table_free(void *table)
{
	sg_free_table(table);
}

/**
 * vcm_fake_table - a table of memory
 * @test: the case; the table goes with it
 * @block: contiguous memory
 * @nr: number of entries
 * @offset: bytes into @block where each of them begins
 * @len: bytes in each
 *
 * Return: the table.
 */
struct sg_table *vcm_fake_table(struct kunit *test, struct page *block,
				unsigned int nr, size_t offset, size_t len)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	int i;

	sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(sgt, nr, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							vcm_fake_table_free,
							sgt), 0);
	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, block + (offset >> PAGE_SHIFT), len,
			    offset_in_page(offset));
	return sgt;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_table);

/* --- Buffers ----------------------------------------------------------- */

/* Where the memory of a table without pages is: behind all there is */
#define FAKE_MMIO	BIT_ULL(40)

static int fake_table_map(struct sg_table *to, struct sg_table *from,
			  struct device *dev, enum dma_data_direction dir)
{
	struct scatterlist *sg, *from_sg = from->sgl;
	int i;

	for_each_sgtable_sg(to, sg, i) {
		sg_set_page(sg, sg_page(from_sg), from_sg->length,
			    from_sg->offset);
		from_sg = sg_next(from_sg);
	}
	if (sg_page(to->sgl))
		return dma_map_sgtable(dev, to, dir, 0);

	sg_dma_len(to->sgl) = to->sgl->length;
	sg_dma_address(to->sgl) = dma_map_resource(dev, FAKE_MMIO,
						   to->sgl->length, dir, 0);
	to->nents = 1;
	return dma_mapping_error(dev, sg_dma_address(to->sgl));
}

static struct sg_table *fake_buffer_map(struct dma_buf_attachment *attachment,
					enum dma_data_direction dir)
{
	struct sg_table *from = attachment->dmabuf->priv, *to;
	int ret = -ENOMEM;

	if (vcm_fake_iommu.map_begun) {
		complete(vcm_fake_iommu.map_begun);
		wait_for_completion(vcm_fake_iommu.map_go);
	}
	to = kzalloc_obj(*to);
	if (!to)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(to, from->orig_nents, GFP_KERNEL))
		goto free_table;
	ret = fake_table_map(to, from, attachment->dev, dir);
	if (ret)
		goto free_entries;
	return to;

free_entries:
	sg_free_table(to);
free_table:
	kfree(to);
	return ERR_PTR(ret);
}

static void fake_buffer_unmap(struct dma_buf_attachment *attachment,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	if (sg_page(sgt->sgl))
		dma_unmap_sgtable(attachment->dev, sgt, dir, 0);
	else
		dma_unmap_resource(attachment->dev, sg_dma_address(sgt->sgl),
				   sg_dma_len(sgt->sgl), dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void fake_buffer_release(struct dma_buf *dmabuf)
{
	vcm_fake_iommu.nr_buffers--;
}

static const struct dma_buf_ops fake_buffer_ops = {
	.map_dma_buf = fake_buffer_map,
	.unmap_dma_buf = fake_buffer_unmap,
	.release = fake_buffer_release,
};

static void fake_buffer_put(void *dmabuf)
{
	dma_buf_put(dmabuf);
	/* A kernel thread leaves the end of a file to somebody else. */
	flush_delayed_fput();
}

/**
 * vcm_fake_buffer - a buffer to be imported
 * @test: the case; the reference to the buffer goes with it
 * @sgt: its memory; one entry without a page stands for memory of a device
 * @size: bytes that it claims to have
 *
 * Return: the buffer.
 */
struct dma_buf *vcm_fake_buffer(struct kunit *test, struct sg_table *sgt,
				size_t size)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &fake_buffer_ops;
	info.size = size;
	info.flags = O_RDWR;
	info.priv = sgt;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	vcm_fake_iommu.nr_buffers++;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_buffer_put,
							dmabuf), 0);
	return dmabuf;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_buffer);

/**
 * vcm_fake_buffer_put - drop the reference before the case ends
 * @test: the case
 * @dmabuf: what vcm_fake_buffer() returned
 */
void vcm_fake_buffer_put(struct kunit *test, struct dma_buf *dmabuf)
{
	kunit_release_action(test, fake_buffer_put, dmabuf);
}
EXPORT_SYMBOL_IF_KUNIT(vcm_fake_buffer_put);

MODULE_DESCRIPTION("Made-up devices behind a made-up IOMMU, for KUnit tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
