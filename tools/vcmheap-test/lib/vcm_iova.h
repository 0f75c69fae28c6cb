/* SPDX-License-Identifier: MIT */
/*
 * The file vcm/iova in debugfs, for tests: where devices have buffers mapped.
 */
#ifndef VCM_IOVA_H
#define VCM_IOVA_H

#include <stdbool.h>
#include <stdint.h>

#define VCM_MAPPINGS_MAX 256
#define VCM_DEVICE_NAME_LEN 64

/* A mapping of a device */
struct vcm_iova_mapping {
	bool shown;		/* whether its address is */
	uint64_t iova;		/* the address */
	uint64_t length;	/* bytes in the buffer */
	uint64_t align;		/* alignment that was asked for or chosen */
	uint64_t guard;		/* bytes kept free behind the buffer */
	uint64_t before;	/* ... and before it */
	unsigned int segs;	/* DMA segments */
	bool alone;		/* not in a slab */
	bool degraded;		/* not as the policy wants it */
};

/* A device that buffers are attached to */
struct vcm_iova_device {
	char name[VCM_DEVICE_NAME_LEN];	/* its name */
	bool translated;		/* an IOMMU translates for it */
	bool linked;			/* its buffers are placed by policy */
	uint64_t slab_size;		/* bytes in a slab */
	uint64_t slabs;			/* slabs and other reservations it has */
	uint64_t reserved;		/* bytes in the slabs */
	uint64_t used;			/* of these, how many buffers and their guards take */
	uint64_t largest_free;		/* bytes in the longest range of them that is free */
	unsigned int mappings;		/* number of mappings */
	uint64_t degraded;		/* mappings that were degraded, ever */
	/* Mappings that were refused because the policy is strict, ever */
	uint64_t refused;
	/* The first VCM_MAPPINGS_MAX mappings */
	struct vcm_iova_mapping mapping[VCM_MAPPINGS_MAX];
};

bool __vcm_iova_read(const char *name, struct vcm_iova_device *device);
void vcm_iova_read(const char *name, struct vcm_iova_device *device);
const struct vcm_iova_mapping *vcm_iova_find(const struct vcm_iova_device *device, uint64_t iova);

void vcm_importer_name(unsigned int index, char *name);

#endif /* VCM_IOVA_H */
