/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces of devices
 */
#ifndef _LINUX_VCM_IOMMU_H
#define _LINUX_VCM_IOMMU_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct sg_table;
struct vcm_set;
struct vcm_space;

/* Spaces of one device, so that they cannot take all memory */
#define VCM_SPACES_MAX		64

/**
 * struct vcm_space_args - what an address space is to be like
 * @start: first address, a multiple of the page size
 * @len: number of addresses, a multiple of the page size
 * @fixed_start: first address of the fixed window, inside the space, where
 *	vcm_space_map_at() maps and the DMA API does not
 * @fixed_len: number of addresses of the fixed window, or 0 for none
 * @align: bytes, a power of two of at least the page size: a mapping that
 *	begins with a block of this size is at a multiple of it or is refused,
 *	where a block is one compound page, a chunk of a buffer or a huge page
 *	for example, and not pages that are neighbours by chance; 0: no such
 *	rule
 */
struct vcm_space_args {
	u64 start;
	u64 len;
	u64 fixed_start;
	u64 fixed_len;
	u64 align;
};

/**
 * typedef vcm_space_fault_t - handler of a space's faults
 * @space: the space
 * @iova: the address that the device used
 * @write: it wrote
 * @data: from vcm_space_set_fault_handler()
 *
 * Context: Interrupt context, or whatever the IOMMU driver reports faults in.
 */
typedef void (*vcm_space_fault_t)(struct vcm_space *space, u64 iova, bool write,
				  void *data);

struct vcm_space *vcm_space_create(struct device *parent,
				   const struct vcm_space_args *args);
struct vcm_space *devm_vcm_space_create(struct device *parent,
					const struct vcm_space_args *args);
void vcm_space_destroy(struct vcm_space *space);
struct device *vcm_space_dev(struct vcm_space *space);

int vcm_space_activate(struct vcm_space *space);
int vcm_space_deactivate(struct vcm_space *space);
int vcm_space_switch(struct vcm_space *space);
bool vcm_space_gap_blocked(struct vcm_space *space);

int vcm_space_map_at(struct vcm_space *space, u64 iova, struct dma_buf *dmabuf,
		     enum dma_data_direction dir);
int vcm_space_unmap_at(struct vcm_space *space, u64 iova);
phys_addr_t vcm_space_iova_to_phys(struct vcm_space *space, u64 iova);
int vcm_space_set_fault_handler(struct vcm_space *space,
				vcm_space_fault_t handler, void *data);

/**
 * struct vcm_set_args - what a set of spaces is to be like
 * @space: what each of its spaces is to be like
 * @max: spaces that it may have at a time, 1 to VCM_SPACES_MAX
 * @fault: called for faults in each of them, or NULL
 * @fault_data: for @fault
 */
struct vcm_set_args {
	struct vcm_space_args space;
	unsigned int max;
	vcm_space_fault_t fault;
	void *fault_data;
};

/**
 * struct vcm_set_mapping - a buffer that is mapped in a space of a set
 * @dmabuf: the buffer, of which the caller has a reference; set by the caller
 * @dir: direction of the DMA; set by the caller
 * @space: the space; set by vcm_set_map(), as what follows is
 * @attachment: the buffer's attachment to the device of the space
 * @sgt: DMA addresses in the space
 * @set: the set
 */
struct vcm_set_mapping {
	struct dma_buf *dmabuf;
	enum dma_data_direction dir;
	struct vcm_space *space;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	struct vcm_set *set;
};

struct vcm_set *vcm_set_create(struct device *parent,
			       const struct vcm_set_args *args);
struct vcm_set *devm_vcm_set_create(struct device *parent,
				    const struct vcm_set_args *args);
void vcm_set_destroy(struct vcm_set *set);
struct vcm_space *vcm_set_map(struct vcm_set *set,
			      struct vcm_set_mapping *mappings, unsigned int nr,
			      struct vcm_space *with);
void vcm_set_unmap(struct vcm_set_mapping *mappings, unsigned int nr);

#endif /* _LINUX_VCM_IOMMU_H */
