// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a large buffer finds room in an address space that others left in
 * holes.
 *
 * The case is the one of Isaac J. Manjarres ("iommu/iova: Add a best-fit
 * algorithm", iommu list, February 2020): video buffers of 4 to 80 MB, after
 * which 162 MB could not be mapped although two of 3.3 GB were free, nor 320
 * MB. There is one buffer of each length in memory, mapped many times, so that
 * addresses run out and not memory.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define NR_LENGTHS 16
#define MAX_MAPPINGS 1024

/* What variants map in the end. */
static const uint64_t large_lengths[] = { MIB(162), MIB(320) };

#define NR_LARGE ARRAY_SIZE(large_lengths)

/* What a vcm buffer with a chunk of 2 MiB is aligned to. */
#define LARGE_ALIGN MIB(2)

/* A way to leave holes */
struct variant {
	const char *name;	/* of the figure */
	unsigned int bits;	/* width of the device's addresses */
	uint64_t fill;		/* bytes to map, or 0 for as many as it takes */
	/* How often one buffer is taken out then, and others mapped instead */
	unsigned int churn;
	/* Which of the large buffers to map in the end, when a random half is gone */
	unsigned int large;
};

static const struct variant variants[] = {
	{ "1.3 GB, -half, 162 MB", 31, MIB(1331), 0, 0 },
	{ "... replaced 300 times", 31, MIB(1331), 300, 0 },
	{ "31 bits full, -half, 162 MB", 31, 0, 0, 0 },
	{ "... replaced 300 times", 31, 0, 300, 0 },
	{ "1.9 GB, -half, 320 MB", 32, MIB(1900), 0, 1 },
	{ "... replaced 300 times", 32, MIB(1900), 300, 1 },
	{ "32 bits full, -half, 320 MB", 32, 0, 0, 1 },
	{ "... replaced 300 times", 32, 0, 300, 1 },
};

struct range {
	uint64_t start;
	uint64_t end;
};

/* One sequence */
struct scene {
	struct importer importer;	/* the device */
	int dmabufs[NR_LENGTHS];	/* a buffer of each length */
	int large[NR_LARGE];	/* the buffers to be mapped in the end */
	struct range *space;	/* what the DMA API has to give, by address */
	size_t nr_space;	/* number of ranges in space */
	struct vcm_edu_import mapped[MAX_MAPPINGS];	/* the mappings */
	unsigned int nr;	/* number of them */
	uint64_t bytes;	/* in them */
	uint64_t state;	/* of the random numbers */
};

/* --- The truth --------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void read_space(struct scene *scene)
{
	uint64_t *addrs;
	size_t n = bench_slabs(&scene->importer, MIB(1), &addrs), i;
	struct range *last = NULL;

	qsort(addrs, n, sizeof(*addrs), compare);
	scene->space = calloc(n, sizeof(*scene->space));
	scene->nr_space = 0;
	for (i = 0; i < n; i++) {
		if (!last || last->end != addrs[i]) {
			last = &scene->space[scene->nr_space++];
			last->start = addrs[i];
		}
		last->end = addrs[i] + MIB(1);
	}
	free(addrs);
}

static uint64_t fit(uint64_t start, uint64_t end, uint64_t align)
{
	start = (start + align - 1) / align * align;
	return start < end ? end - start : 0;
}

static int compare_iova(const void *a, const void *b)
{
	const struct vcm_edu_import *x = a, *y = b;

	return compare(&x->iova, &y->iova);
}

/* The longest buffer of that alignment for which there is room. */
static uint64_t largest_hole(struct scene *scene, uint64_t align)
{
	uint64_t best = 0, hole;
	unsigned int m = 0;
	size_t i;

	qsort(scene->mapped, scene->nr, sizeof(*scene->mapped), compare_iova);
	for (i = 0; i < scene->nr_space; i++) {
		uint64_t at = scene->space[i].start;

		for (; m < scene->nr && scene->mapped[m].iova < scene->space[i].end; m++) {
			const struct vcm_edu_import *import = &scene->mapped[m];

			hole = import->iova > at ? fit(at, import->iova, align) : 0;
			best = hole > best ? hole : best;
			if (import->iova + import->length > at)
				at = import->iova + import->length;
		}
		hole = fit(at, scene->space[i].end, align);
		best = hole > best ? hole : best;
	}
	return best;
}

/* --- The sequence ------------------------------------------------------ */

static int map_random(struct scene *scene)
{
	unsigned int i = random_below(&scene->state, NR_LENGTHS);
	int ret;

	if (scene->nr == MAX_MAPPINGS)
		return -1;
	ret = importer_map(&scene->importer, scene->dmabufs[i], &scene->mapped[scene->nr]);
	if (ret)
		return ret;
	scene->bytes += scene->mapped[scene->nr++].length;
	return 0;
}

static void unmap_random(struct scene *scene)
{
	unsigned int i = random_below(&scene->state, scene->nr);

	importer_unmap(&scene->importer, &scene->mapped[i]);
	scene->bytes -= scene->mapped[i].length;
	scene->mapped[i] = scene->mapped[--scene->nr];
}

static void fill(struct scene *scene, const struct variant *variant)
{
	while (!variant->fill || scene->bytes < variant->fill)
		if (map_random(scene))
			break;
}

/* Of a sequence */
struct outcome {
	uint64_t filled;	/* bytes mapped before the half was freed */
	bool allowed;		/* there was room for the large buffer */
	bool mapped;		/* it was mapped */
};

/*
 * Freed addresses take 10 ms to come back to the DMA API, unless the kernel runs
 * with iommu.strict=1. That is a matter of its own, see rounds.c.
 */
static void settle(void)
{
	usleep(30000);
}

static struct outcome run_sequence(struct scene *scene, const struct variant *variant,
				   uint64_t seed)
{
	struct vcm_edu_import import;
	struct outcome outcome;
	unsigned int i;

	importer_open(&scene->importer, 1);
	scene->state = random_seeded(seed);
	scene->nr = 0;
	scene->bytes = 0;
	fill(scene, variant);
	for (i = 0; i < variant->churn && scene->nr; i++) {
		unmap_random(scene);
		fill(scene, variant);
	}
	outcome.filled = scene->bytes;
	for (i = scene->nr / 2; i; i--)
		unmap_random(scene);
	settle();

	outcome.allowed = largest_hole(scene, LARGE_ALIGN) >= large_lengths[variant->large];
	outcome.mapped = !importer_map(&scene->importer, scene->large[variant->large], &import);
	importer_close(&scene->importer);
	settle();
	return outcome;
}

/* Of all sequences of a heap */
struct tally {
	unsigned int allowed;	/* there was room in so many */
	unsigned int mapped;	/* it was used in so many */
	unsigned int missed;	/* it was not in so many */
	double filled;		/* median of bytes mapped before */
};

static struct tally run_variant(const struct options *options, struct scene *scene,
				const struct variant *variant)
{
	uint64_t filled[SEEDS];
	struct tally tally = {};
	int i;

	for (i = 0; i < SEEDS; i++) {
		struct outcome outcome = run_sequence(scene, variant, SEED + i);

		filled[i] = outcome.filled;
		tally.allowed += outcome.allowed;
		tally.mapped += outcome.mapped;
		tally.missed += outcome.allowed && !outcome.mapped;
	}
	tally.filled = summarise(filled, SEEDS).median;
	return tally;
}

/* All variants for the device's addresses. */
static void run_heap(const struct options *options, enum heap heap, struct tally *tallies)
{
	static struct scene scene;
	unsigned int bits;
	int i;

	for (i = 0; i < NR_LENGTHS; i++) {
		uint64_t length = MIB(4) + i * MIB(76) / (NR_LENGTHS - 1);

		scene.dmabufs[i] = heap_alloc(heap, length & ~(KIB(4) - 1));
	}
	for (i = 0; i < NR_LARGE; i++)
		scene.large[i] = heap_alloc(heap, large_lengths[i]);

	importer_open(&scene.importer, 1);
	bits = scene.importer.bits;
	read_space(&scene);
	importer_close(&scene.importer);
	for (i = 0; i < ARRAY_SIZE(variants); i++)
		if (variants[i].bits == bits)
			tallies[i] = run_variant(options, &scene, &variants[i]);

	free(scene.space);
	for (i = 0; i < NR_LARGE; i++)
		close(scene.large[i]);
	for (i = 0; i < NR_LENGTHS; i++)
		close(scene.dmabufs[i]);
}

static void report_variant(const struct options *options, const struct variant *variant,
			   const struct tally *vcm, const struct tally *system)
{
	report(vcm->allowed ? reached(!vcm->missed) : INFO, variant->name,
	       "vcm %u of %u with a hole for it, system %u of %u (%u sequences of %.0f MB, system %.0f MB)",
	       vcm->mapped, vcm->allowed, system->mapped, system->allowed, SEEDS,
	       vcm->filled / MIB(1), system->filled / MIB(1));
}

static uint64_t space_bytes(struct scene *scene)
{
	uint64_t bytes = 0;
	size_t i;

	read_space(scene);
	for (i = 0; i < scene->nr_space; i++)
		bytes += scene->space[i].end - scene->space[i].start;
	free(scene->space);
	return bytes;
}

/* Liam Mark, iommu list, February 2020: each takes 128 MB. */
static void run_80m(uint64_t space)
{
	struct vcm_edu_import import;
	struct importer importer;
	unsigned int n[HEAPS] = {};
	enum heap heap;

	for (heap = 0; heap < HEAPS; heap++) {
		int dmabuf = heap_alloc(heap, MIB(80));

		importer_open(&importer, 1);
		while (!importer_map(&importer, dmabuf, &import))
			n[heap]++;
		importer_close(&importer);
		close(dmabuf);
		settle();
	}
	report(INFO, "80 MB on 32 bits", "vcm %u buffers at once, system %u, of %llu that fit",
	       n[HEAP_VCM], n[HEAP_SYSTEM], (unsigned long long)(space / MIB(80)));
}

void section_holes(const struct options *options)
{
	struct tally vcm[ARRAY_SIZE(variants)], system[ARRAY_SIZE(variants)];
	static struct scene scene;
	unsigned int bits;
	uint64_t space;
	int i;

	importer_open(&scene.importer, 1);
	bits = scene.importer.bits;
	space = space_bytes(&scene);
	importer_close(&scene.importer);
	note("holes: device of %u bits, %llu MB to be had, seeds %u..%u, %d lengths", bits,
	     (unsigned long long)(space >> 20), SEED,
	     SEED + SEEDS - 1, NR_LENGTHS);

	run_heap(options, HEAP_VCM, vcm);
	run_heap(options, HEAP_SYSTEM, system);
	for (i = 0; i < ARRAY_SIZE(variants); i++)
		if (variants[i].bits == bits)
			report_variant(options, &variants[i], &vcm[i], &system[i]);
	if (bits == 32)
		run_80m(space);
}
