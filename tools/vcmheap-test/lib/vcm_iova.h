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

/**
 * struct vcm_iova_mapping - a mapping of a device
 * @shown: whether its address is
 * @iova: the address
 * @length: bytes in the buffer
 * @align: alignment that was asked for or chosen
 * @guard: bytes kept free behind the buffer
 * @segs: DMA segments
 * @alone: not in a slab
 * @degraded: not as the policy wants it
 */
struct vcm_iova_mapping {
	bool shown;
	uint64_t iova;
	uint64_t length;
	uint64_t align;
	uint64_t guard;
	unsigned int segs;
	bool alone;
	bool degraded;
};

/**
 * struct vcm_iova_device - a device that buffers are attached to
 * @name: its name
 * @translated: an IOMMU translates for it
 * @linked: its buffers are placed by policy
 * @slab_size: bytes in a slab
 * @slabs: slabs and other reservations it has
 * @reserved: bytes in the slabs
 * @used: of these, how many buffers and their guards take
 * @largest_free: bytes in the longest range of them that is free
 * @mappings: number of mappings
 * @degraded: mappings that were degraded, ever
 * @refused: mappings that were refused because the policy is strict, ever
 * @mapping: the first VCM_MAPPINGS_MAX mappings
 */
struct vcm_iova_device {
	char name[VCM_DEVICE_NAME_LEN];
	bool translated;
	bool linked;
	uint64_t slab_size;
	uint64_t slabs;
	uint64_t reserved;
	uint64_t used;
	uint64_t largest_free;
	unsigned int mappings;
	uint64_t degraded;
	uint64_t refused;
	struct vcm_iova_mapping mapping[VCM_MAPPINGS_MAX];
};

bool __vcm_iova_read(const char *name, struct vcm_iova_device *device);
void vcm_iova_read(const char *name, struct vcm_iova_device *device);
const struct vcm_iova_mapping *vcm_iova_find(const struct vcm_iova_device *device, uint64_t iova);

void vcm_importer_name(unsigned int index, char *name);

#endif /* VCM_IOVA_H */
