/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Heaps, buffers, and the devices that they are mapped for.
 */
#ifndef VCM_BENCH_DEVICE_H
#define VCM_BENCH_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "vcm-bench.h"
#include "vcm-edu.h"

/* --- Heaps --- */

enum heap {
	HEAP_VCM,
	HEAP_SYSTEM,
	HEAPS,
};

const char *heap_name(enum heap heap);

/* A buffer of a heap, as any program gets it. */
int heap_alloc(enum heap heap, uint64_t len);
/* A vcm buffer of chunks of these sizes, of this alignment or 0. */
int vcm_alloc(uint64_t len, uint64_t chunk_sizes, uint64_t align);
/* Physically contiguous runs in a vcm buffer. */
uint64_t vcm_runs(int dmabuf);

/* --- Importers --- */

/**
 * struct importer - a device that maps buffers
 * @fd: of its driver
 * @name: of the PCI device
 * @bits: width of its addresses
 */
struct importer {
	int fd;
	char name[VCM_BENCH_NAME_LEN];
	unsigned int bits;
};

void importer_open(struct importer *importer, unsigned int index);
void importer_close(struct importer *importer);

/* Returns 0 or -errno. */
int importer_map(struct importer *importer, int dmabuf, struct vcm_edu_import *import);
void importer_unmap(struct importer *importer, const struct vcm_edu_import *import);

/* --- The measuring module --- */

void bench_init(struct vcm_bench_run *run, const struct importer *importer, int dmabuf,
		enum vcm_bench_mode mode, uint32_t rounds);
void bench_run(struct vcm_bench_run *run, uint64_t *map_ns, uint64_t *unmap_ns);

/* Addresses of all reservations of @size bytes that can be had at once; their number. */
size_t bench_slabs(const struct importer *importer, uint64_t size, uint64_t **addrs);

/* Returns 0 or -errno. */
int bench_leaves(const struct importer *importer, int dmabuf, struct vcm_bench_leaves *leaves);

/* "intel", "amd", "virtio" or "unknown" */
const char *iommu_name(void);

#endif /* VCM_BENCH_DEVICE_H */
