// SPDX-License-Identifier: GPL-2.0
/*
 * How much of a narrow address space buffers can take.
 *
 * The measure is what the DMA API gives out in reservations of 1 MiB, which
 * come out side by side.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define MAX_MAPPINGS 1024

/* The lengths of the mixed buffers in MiB; one of each is in memory at a time. */
static const unsigned int mixed_mib[] = { 1, 2, 3, 5, 7, 9, 12, 16, 21, 27, 33, 40 };

#define NR_MIXED ARRAY_SIZE(mixed_mib)

static uint64_t total_bytes(const struct importer *importer)
{
	uint64_t *addrs, n = bench_slabs(importer, MIB(1), &addrs);

	free(addrs);
	return n * MIB(1);
}

/* Freed addresses may take a while to come back to the DMA API. */
static void settle(void)
{
	usleep(50000);
}

/* The device has as many buffers mapped as it takes; returns how many. */
static unsigned int fill_length(enum heap heap, uint64_t len)
{
	struct vcm_edu_import import;
	struct importer importer;
	unsigned int n = 0;
	int dmabuf = heap_alloc(heap, len);

	importer_open(&importer, 0);
	while (n < MAX_MAPPINGS && !importer_map(&importer, dmabuf, &import))
		n++;
	importer_close(&importer);
	close(dmabuf);
	settle();
	return n;
}

static void pack_33m(void)
{
	unsigned int n[HEAPS];
	enum heap heap;

	for (heap = 0; heap < HEAPS; heap++)
		n[heap] = fill_length(heap, MIB(33));
	report(reached(n[HEAP_VCM] >= 7), "33 MB on 28 bits",
	       "vcm %u buffers at once, system %u (goal 7)", n[HEAP_VCM], n[HEAP_SYSTEM]);
}

static void pack_length(uint64_t total, unsigned int mib)
{
	uint64_t bytes[HEAPS];
	char name[32];
	enum heap heap;

	for (heap = 0; heap < HEAPS; heap++)
		bytes[heap] = fill_length(heap, MIB(mib)) * MIB(mib);
	snprintf(name, sizeof(name), "share filled, %u MB", mib);
	report(reached(bytes[HEAP_VCM] >= total * 95 / 100), name,
	       "vcm %.1f %%, system %.1f %% of %llu MB (goal 95 %%)",
	       100.0 * bytes[HEAP_VCM] / total, 100.0 * bytes[HEAP_SYSTEM] / total,
	       (unsigned long long)(total >> 20));
}

/* A space filled with buffers of random lengths */
struct mixed {
	uint64_t first;	/* bytes mapped when a buffer did not fit for the first time */
	uint64_t full;	/* ... when none of 1 MiB did */
};

/* @dmabufs has a buffer of each length; those that have not fitted once are not tried again. */
static struct mixed fill_mixed(const int *dmabufs, uint64_t seed)
{
	uint64_t state = random_seeded(seed);
	struct vcm_edu_import import;
	struct importer importer;
	struct mixed mixed = {};
	unsigned int limit = NR_MIXED, i;

	importer_open(&importer, 0);
	while (limit) {
		i = random_below(&state, limit);
		if (!importer_map(&importer, dmabufs[i], &import)) {
			mixed.full += MIB(mixed_mib[i]);
			continue;
		}
		if (limit == NR_MIXED)
			mixed.first = mixed.full;
		limit = i;
	}
	importer_close(&importer);
	settle();
	return mixed;
}

static void pack_mixed(const struct options *options, uint64_t total)
{
	uint64_t first[HEAPS][SEEDS], full[HEAPS][SEEDS];
	struct summary s[HEAPS], f[HEAPS];
	int dmabufs[NR_MIXED], i;
	enum heap heap;

	for (heap = 0; heap < HEAPS; heap++) {
		for (i = 0; i < NR_MIXED; i++)
			dmabufs[i] = heap_alloc(heap, MIB(mixed_mib[i]));
		for (i = 0; i < SEEDS; i++) {
			struct mixed mixed = fill_mixed(dmabufs, SEED + i);

			first[heap][i] = mixed.first;
			full[heap][i] = mixed.full;
		}
		for (i = 0; i < NR_MIXED; i++)
			close(dmabufs[i]);
		f[heap] = summarise(first[heap], SEEDS);
		s[heap] = summarise(full[heap], SEEDS);
	}
	report(reached(full[HEAP_VCM][0] >= total * 95 / 100), "share filled, 1..40 MB",
	       "vcm %.1f %% (least %.1f %%), system %.1f %% of %llu MB (goal 95 %%)",
	       100.0 * s[HEAP_VCM].median / total, 100.0 * full[HEAP_VCM][0] / total,
	       100.0 * s[HEAP_SYSTEM].median / total, (unsigned long long)(total >> 20));
	report(INFO, "share when first full",
	       "vcm %.1f %%, system %.1f %% (medians of %u sequences of 1..40 MB)",
	       100.0 * f[HEAP_VCM].median / total, 100.0 * f[HEAP_SYSTEM].median / total,
	       SEEDS);
}

/* --- Among many -------------------------------------------------------- */

/* What is shorter, or a power of two, the DMA API packs as well. */
#define PLACED KIB(68)
#define FEW 10
#define MANY 10000
#define PLACE_GOAL 2.0

/* Nanoseconds to map a buffer while it is mapped @n times already. */
static struct summary time_among(const struct importer *importer, int dmabuf, unsigned int n,
				 unsigned int rounds)
{
	uint64_t ns[rounds][VCM_BENCH_ATTACH_STEPS], map[rounds];
	int bench = bench_open(), i;

	while (n--)
		bench_queue(bench, importer, dmabuf);
	bench_attach(importer, dmabuf, rounds, *ns);
	for (i = 0; i < rounds; i++)
		map[i] = ns[i][VCM_BENCH_MAP];
	close(bench);
	settle();
	return summarise(map, rounds);
}

void section_place(const struct options *options)
{
	struct importer importer;
	int dmabuf = heap_alloc(HEAP_VCM, PLACED);
	struct summary few, many;
	double times;

	importer_open(&importer, 1);
	few = time_among(&importer, dmabuf, FEW, options->rounds);
	many = time_among(&importer, dmabuf, MANY, options->rounds);
	times = many.median / few.median;
	report(reached(times <= PLACE_GOAL), "68 KB among 10000",
	       "%.1f us, among %u %.1f us: %.2f times (goal %.0f at most)", many.median / 1e3,
	       FEW, few.median / 1e3, times, PLACE_GOAL);
	importer_close(&importer);
	close(dmabuf);
}

void section_pack(const struct options *options)
{
	struct importer importer;
	uint64_t total;

	importer_open(&importer, 0);
	total = total_bytes(&importer);
	note("pack: device of %u bits, %llu MB to be had, seeds %u..%u", importer.bits,
	     (unsigned long long)(total >> 20), SEED,
	     SEED + SEEDS - 1);
	importer_close(&importer);

	pack_33m();
	pack_length(total, 1);
	pack_length(total, 4);
	pack_length(total, 6);
	pack_mixed(options, total);
}
