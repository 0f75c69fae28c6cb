/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Made-up devices behind a made-up IOMMU, for KUnit tests
 *
 * The IOMMU keeps what is mapped in memory and can be told to fail. All of it
 * is for one case at a time.
 */
#ifndef _VCM_FAKE_IOMMU_H
#define _VCM_FAKE_IOMMU_H

#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/types.h>

struct completion;
struct dma_buf;
struct kunit;
struct page;
struct rw_semaphore;
struct sg_table;

#define VCM_FAKE_NR_REGIONS	4
#define VCM_FAKE_NR_CALLS	16

/**
 * struct vcm_fake_call - a call of map_pages()
 * @iova: address
 * @phys: memory
 * @pgsize: page size
 * @pgcount: number of pages
 * @prot: IOMMU_READ and the like
 */
struct vcm_fake_call {
	unsigned long iova;
	phys_addr_t phys;
	size_t pgsize;
	size_t pgcount;
	int prot;
};

/**
 * struct vcm_fake_iommu - what the IOMMU does and did
 * @fail_map: which call of map_pages() fails, counted from 1; 0 for none. It
 *	counts down, and so do the others
 * @fail_sync: ... of iotlb_sync_map()
 * @fail_alloc: ... of domain_alloc_paging()
 * @fail_attach: ... of attach_dev() for a paging domain
 * @fail_attach_more: how many after that one fail as well
 * @gate: what is held while a page is mapped or unmapped, or NULL
 * @attach_gate: what is held while a device is attached to a domain, or NULL
 * @regions: what is reserved for every device; the length is not 0
 * @map_begun: completed when a buffer is about to be mapped, or NULL
 * @map_go: ... which goes on when this is completed
 * @on_sync: called by iotlb_sync(), or NULL
 * @on_sync_data: for it
 * @nr_domains: paging domains that there are
 * @nr_pages: pages that are mapped in them
 * @nr_maps: calls of map_pages() so far
 * @nr_syncs: calls of iotlb_sync() so far
 * @nr_flushes: calls of flush_iotlb_all() so far
 * @nr_attaches: calls of attach_dev() so far
 * @nr_ungated: calls without @gate or @attach_gate so far
 * @nr_buffers: buffers that are not released
 * @calls: the last calls of map_pages(), at their number modulo the length
 */
struct vcm_fake_iommu {
	unsigned int fail_map;
	unsigned int fail_sync;
	unsigned int fail_alloc;
	unsigned int fail_attach;
	unsigned int fail_attach_more;
	struct rw_semaphore *gate;
	struct rw_semaphore *attach_gate;
	struct iommu_resv_region regions[VCM_FAKE_NR_REGIONS];
	struct completion *map_begun;
	struct completion *map_go;
	void (*on_sync)(void *data);
	void *on_sync_data;

	unsigned long nr_domains;
	unsigned long nr_pages;
	unsigned long nr_maps;
	unsigned long nr_syncs;
	unsigned long nr_flushes;
	unsigned long nr_attaches;
	unsigned long nr_ungated;
	unsigned long nr_buffers;
	struct vcm_fake_call calls[VCM_FAKE_NR_CALLS];
};

extern struct vcm_fake_iommu vcm_fake_iommu;

/**
 * struct vcm_fake_args - what a device is to be like
 * @mask: of its DMA; 0 for none at all
 * @max_seg_size: of its DMA, or 0 for any
 * @boundary: mask of its segments, or 0 for none
 * @direct: it is not behind the IOMMU
 * @managed: its driver manages its DMA
 * @group_of: a device to be in one group with, or NULL
 */
struct vcm_fake_args {
	u64 mask;
	unsigned int max_seg_size;
	unsigned long boundary;
	bool direct;
	bool managed;
	struct device *group_of;
};

int vcm_fake_init(struct kunit_suite *suite);
void vcm_fake_exit(struct kunit_suite *suite);
void vcm_fake_reset(void);
unsigned long vcm_fake_settle(unsigned long nr);
struct device *vcm_fake_device(struct kunit *test,
			       const struct vcm_fake_args *args);
void vcm_fake_device_remove(struct kunit *test, struct device *dev);
struct iommu_domain *vcm_fake_attached(struct device *dev);
phys_addr_t vcm_fake_phys(struct device *dev, u64 iova);
struct sg_table *vcm_fake_table(struct kunit *test, struct page *block,
				unsigned int nr, size_t offset, size_t len);
struct dma_buf *vcm_fake_buffer(struct kunit *test, struct sg_table *sgt,
				size_t size);
void vcm_fake_buffer_put(struct kunit *test, struct dma_buf *dmabuf);
int vcm_fake_fault(struct device *dev, u64 iova, bool write);

#endif /* _VCM_FAKE_IOMMU_H */
