// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to map and unmap 64 MiB, in time and in page table entries.
 *
 * Memory that is fresh from boot comes in one piece, whatever the chunks: then
 * neighbours are joined by all, by vcm and by the DMA API. So there are
 * scattered buffers too, whose chunks have other buffers between them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/dma-heap-vcm.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define LENGTH MIB(64)

/* A difference that repeating the measurement can make. */
#define NOISE 1.05

/* Rounds between which the ways take turns: both see what else the machine does. */
#define TURN 10

/* A way to map a buffer, and what it took */
struct way {
	unsigned int device;		/* index of the importer */
	int dmabuf;			/* the buffer */
	uint32_t segment;		/* longest segment for the DMA API alone; 0: through the exporter */
	uint64_t runs;			/* physically contiguous runs */
	uint64_t *map_ns;		/* times so far */
	uint64_t *unmap_ns;		/* the same for unmapping */
	uint64_t *sum_ns;		/* both together */
	size_t n;			/* number of them */
	size_t failures;		/* rounds without any */
};

static void way_init(struct way *way, unsigned int rounds)
{
	way->n = 0;
	way->failures = 0;
	way->map_ns = xmalloc((rounds + TURN) * sizeof(uint64_t));
	way->unmap_ns = xmalloc((rounds + TURN) * sizeof(uint64_t));
	way->sum_ns = xmalloc((rounds + TURN) * sizeof(uint64_t));
}

static void way_fini(struct way *way)
{
	free(way->map_ns);
	free(way->unmap_ns);
	free(way->sum_ns);
}

/*
 * A turn begins with all addresses free: the DMA API may keep those of the turn
 * before for some 10 ms. Returns the median of the turn.
 */
static double way_turn(struct way *way, const struct importer *importer)
{
	uint64_t both[TURN][2], sum[TURN];
	size_t n = 0;
	int i;

	usleep(25000);
	bench_map(importer, way->dmabuf, TURN, way->segment, *both);
	for (i = 0; i < TURN; i++) {
		if (both[i][0] == VCM_BENCH_FAILED) {
			way->failures++;
			continue;
		}
		way->map_ns[way->n] = both[i][0];
		way->unmap_ns[way->n] = both[i][1];
		sum[n] = both[i][0] + both[i][1];
		way->sum_ns[way->n++] = sum[n++];
	}
	return summarise(sum, n).median;
}

static void way_report(struct way *way, const char *name, struct summary *sum)
{
	struct summary map = summarise(way->map_ns, way->n);
	struct summary unmap = summarise(way->unmap_ns, way->n);
	char text[3][64];

	*sum = summarise(way->sum_ns, way->n);
	note("  %-8s both %s, map %s, unmap %s, %zu rounds, %zu failed, %llu runs", name,
	     summary_text(sum, text[0]), summary_text(&map, text[1]),
	     summary_text(&unmap, text[2]), way->n, way->failures,
	     (unsigned long long)way->runs);
}

/*
 * Times two ways in turn. Returns how many times as long the first one takes:
 * the median of what each two turns say that follow each other, for a machine
 * that does other things now and then has them slow down both.
 */
static double compare_ways(const struct options *options, struct way *one, struct way *two,
			   struct summary *first, struct summary *second)
{
	unsigned int turns = (options->rounds + TURN - 1) / TURN, i;
	double ratios[turns];
	struct importer importer;

	importer_open(&importer, one->device);
	bench_large(&importer, one->dmabuf, 1, &one->runs);
	bench_large(&importer, two->dmabuf, 1, &two->runs);
	way_init(one, options->rounds);
	way_init(two, options->rounds);
	/* The first turn warms up. */
	way_turn(one, &importer);
	way_turn(two, &importer);
	one->n = 0;
	two->n = 0;
	one->failures = 0;
	two->failures = 0;
	for (i = 0; i < turns; i++) {
		double ns = way_turn(one, &importer);

		ratios[i] = ns / way_turn(two, &importer);
	}
	way_report(one, "vcm", first);
	way_report(two, two->segment ? "plain" : "system", second);
	way_fini(two);
	way_fini(one);
	importer_close(&importer);
	return median(ratios, turns);
}

/* --- Buffers ----------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t size;
	bool scattered;
} buffers[] = {
	{ "64 KB chunks", KIB(64), false },
	{ "1 MB chunks", MIB(1), false },
	{ "1 MB chunks, scattered", MIB(1), true },
	{ "2 MB chunks", MIB(2), false },
	{ "2 MB chunks, scattered", MIB(2), true },
};

/* Devices: the wide one is the one to judge by. */
enum {
	NARROW,
	WIDE,
};

static int alloc_buffer(int i)
{
	if (buffers[i].scattered)
		return alloc_apart(HEAP_VCM, LENGTH, buffers[i].size);
	return vcm_alloc(LENGTH, buffers[i].size);
}

/* --- Times ------------------------------------------------------------- */

/* " (12 of 300 rounds failed)" or nothing: @text has room for 64 bytes. */
static const char *failures_text(const struct way *way, char *text)
{
	*text = '\0';
	if (way->failures)
		snprintf(text, 64, " (%zu of %zu rounds failed)", way->failures,
			 way->failures + way->n);
	return text;
}

/* The same pages, chunk by chunk, through the DMA API. */
static void map_against_plain(const struct options *options, int i, unsigned int device)
{
	struct way vcm = {
		.device = device,
		.dmabuf = alloc_buffer(i),
	};
	struct way plain = {
		.device = device,
		.dmabuf = vcm.dmabuf,
		.segment = buffers[i].size,
	};
	bool goal = buffers[i].size == MIB(1) && buffers[i].scattered && device == WIDE;
	struct summary one, two;
	char failures[64];
	double ratio;

	note("%s%s", buffers[i].name, device == NARROW ? " on a narrow device" : "");
	ratio = compare_ways(options, &vcm, &plain, &one, &two);
	report(goal ? reached(ratio <= NOISE) : INFO,
	       device == NARROW ? "... on a narrow device" : buffers[i].name,
	       "vcm %.1f us, dma_map_sgtable %.1f us%s: %.2f times%s", one.median / 1000,
	       two.median / 1000, failures_text(&plain, failures), ratio,
	       goal ? " (goal 1, noise 5 %)" : "");
	close(vcm.dmabuf);
}

static void map_against_system(const struct options *options, bool scattered)
{
	struct way vcm = { .device = WIDE };
	struct way system = { .device = WIDE };
	bool goal = scattered && !strcmp(iommu_name(), "intel");
	struct summary one, two;
	double ratio;

	vcm.dmabuf = vcm_alloc(LENGTH, MIB(2));
	system.dmabuf = scattered ? alloc_apart(HEAP_SYSTEM, LENGTH, MIB(1)) :
				     heap_alloc(HEAP_SYSTEM, LENGTH);
	note("2 MB chunks against the system heap%s", scattered ? ", scattered" : "");
	ratio = 1 / compare_ways(options, &vcm, &system, &one, &two);
	report(goal ? reached(ratio >= 8) : INFO,
	       scattered ? "2 MB, system scattered" : "2 MB, system as it comes",
	       "vcm %.1f us, system %.1f us in %llu runs: %.1f times faster%s", one.median / 1000,
	       two.median / 1000, (unsigned long long)system.runs, ratio, goal ? " (goal 8)" : "");
	close(vcm.dmabuf);
	close(system.dmabuf);
}

void section_map(const struct options *options)
{
	int i;

	note("map: 64 MB on %s, %u rounds", iommu_name(), options->rounds);
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		map_against_plain(options, i, WIDE);
		if (buffers[i].scattered)
			map_against_plain(options, i, NARROW);
	}
	map_against_system(options, true);
	map_against_system(options, false);
}

/* --- Page table entries ------------------------------------------------ */

/* "32 of 2 MB, 3 of 4 KB" */
static uint64_t leaves_text(const struct vcm_bench_leaves *leaves, char *text, size_t size)
{
	uint64_t total = 0;
	size_t at = 0;
	int i;

	*text = '\0';
	for (i = VCM_BENCH_LEAF_SIZES - 1; i >= 10; i--) {
		if (!leaves->count[i])
			continue;
		total += leaves->count[i];
		at += snprintf(text + at, at < size ? size - at : 0, "%s%llu of %llu %s",
			       at ? ", " : "", (unsigned long long)leaves->count[i],
			       1ull << (i < 20 ? i - 10 : i - 20), i < 20 ? "KB" : "MB");
	}
	return total;
}

/* Returns the number of leaves, or 0 where they cannot be counted. */
static uint64_t count_leaves(const struct importer *importer, int dmabuf, char *text, size_t size)
{
	struct vcm_bench_leaves leaves;
	int ret = bench_leaves(importer, dmabuf, &leaves);

	if (ret) {
		snprintf(text, size, "not counted: %s", strerror(-ret));
		return 0;
	}
	return leaves_text(&leaves, text, size);
}

void section_leaves(const struct options *options)
{
	bool intel = !strcmp(iommu_name(), "intel");
	struct importer importer;
	char text[256];
	uint64_t n;
	int i, dmabuf;

	note("leaves: 64 MB on %s", iommu_name());
	importer_open(&importer, WIDE);
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		bool goal = intel && buffers[i].size == MIB(2);

		dmabuf = alloc_buffer(i);
		n = count_leaves(&importer, dmabuf, text, sizeof(text));
		report(goal ? reached(n == 32) : INFO, buffers[i].name,
		       "%llu leaves: %s; %llu runs%s", (unsigned long long)n, text,
		       (unsigned long long)vcm_runs(dmabuf), goal ? " (goal 32)" : "");
		close(dmabuf);
	}
	dmabuf = heap_alloc(HEAP_SYSTEM, LENGTH);
	n = count_leaves(&importer, dmabuf, text, sizeof(text));
	report(INFO, "system heap", "%llu leaves: %s", (unsigned long long)n, text);
	close(dmabuf);
	importer_close(&importer);
}
