/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Heaps, buffers, and the devices that they are mapped for.
 */
#ifndef VCM_BENCH_DEVICE_H
#define VCM_BENCH_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "vcm-bench.h"
#include "vcm-edu-test.h"

/* --- Heaps --- */

enum heap {
	HEAP_VCM,
	HEAP_SYSTEM,
	HEAPS,
};

/* A buffer as any program gets it; there has to be memory. */
int heap_alloc(enum heap heap, uint64_t len);
/* A vcm buffer of chunks of these sizes. */
int vcm_alloc(uint64_t len, uint64_t chunk_sizes);
/* The same, or -errno. */
int vcm_try_alloc(uint64_t len, uint64_t chunk_sizes);
/*
 * The same, few of whose chunks are neighbours: there is memory of others between them.
 * Of the system heap those are its own chunks.
 */
int alloc_apart(enum heap heap, uint64_t len, uint64_t chunk);
/* Physically contiguous runs in a vcm buffer. */
uint64_t vcm_runs(int dmabuf);
/* Bytes of a vcm buffer that are in chunks of at least @min bytes. */
uint64_t vcm_large(int dmabuf, uint64_t min);

/* Around what the CPU does with a buffer. */
void buffer_begin_cpu_access(int dmabuf);
void buffer_end_cpu_access(int dmabuf);

/* --- Importers --- */

/* A device that maps buffers */
struct importer {
	int fd;				/* of its driver */
	char name[VCM_BENCH_NAME_LEN];	/* of the PCI device */
	unsigned int bits;		/* width of its addresses */
};

/* An importer whose device an IOMMU translates for. */
void importer_open(struct importer *importer, unsigned int index);
/* Any importer. */
void importer_open_any(struct importer *importer, unsigned int index);
void importer_close(struct importer *importer);

/* Returns 0 or -errno. */
int importer_map(const struct importer *importer, int dmabuf, struct vcm_edu_import *import);
/* It has to go. */
void importer_map_or_die(const struct importer *importer, int dmabuf,
			 struct vcm_edu_import *import);
void importer_unmap(const struct importer *importer, const struct vcm_edu_import *import);

/* --- The measuring module --- */

/* Addresses of all reservations of @size bytes that can be had at once; their number. */
size_t bench_slabs(const struct importer *importer, uint64_t size, uint64_t **addrs);

/* Returns 0 or -errno. */
int bench_leaves(const struct importer *importer, int dmabuf, struct vcm_bench_leaves *leaves);

/* Times @rounds mappings into the kernel, VCM_BENCH_VMAP_STEPS each. */
void bench_vmap(int dmabuf, uint32_t rounds, uint64_t *ns);
/* Times using a buffer @rounds times, VCM_BENCH_ATTACH_STEPS each. */
void bench_attach(const struct importer *importer, int dmabuf, uint32_t rounds, uint64_t *ns);
/*
 * Times mapping a buffer as importers do it, or its pages in segments of @segment bytes through
 * the DMA API alone, and unmapping it: two each, VCM_BENCH_FAILED where there is no room.
 */
void bench_map(const struct importer *importer, int dmabuf, uint32_t rounds, uint32_t segment,
	       uint64_t *ns);
/* Bytes in runs of at least @min bytes, of any exporter that shows its pages; @nr of any size. */
uint64_t bench_large(const struct importer *importer, int dmabuf, uint64_t min, uint64_t *nr);
/* Nanoseconds until the IOMMU has forgotten all of a mapping, at once. */
uint64_t bench_flush(const struct importer *importer, int dmabuf);
/*
 * Until bench_pieces_back() free memory is blocks of @block bytes that do not touch, as
 * many as are returned, pieces of less than @least bytes, @change bytes of those at least,
 * and @singles pieces of @least bytes; how many there are is left there.
 */
uint32_t bench_pieces(uint64_t block, uint64_t least, uint64_t change, uint32_t *singles);
void bench_pieces_back(void);

/*
 * The module once more, by a file descriptor: a device has these buffers until it is
 * closed, or bench_frames_free(). So many of them in turn are synchronised, unmapped and
 * mapped.
 */
int bench_open(void);
void bench_queue(int bench, const struct importer *importer, int dmabuf);
void bench_frames(int bench, uint32_t count);
void bench_frames_free(int bench);

/* A dma-buf without memory. */
int bench_empty(void);

/* "intel", "amd", "smmuv3", "virtio" or "unknown" */
const char *iommu_name(void);

#endif /* VCM_BENCH_DEVICE_H */
