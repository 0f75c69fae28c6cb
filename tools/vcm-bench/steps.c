// SPDX-License-Identifier: GPL-2.0
/*
 * The steps of a buffer's life, from allocating to freeing it, of all sizes and
 * with all peers in turn: what slows the machine down for a while slows all.
 *
 * Counted, in a guest whose clock counts instructions, a figure is the least of a
 * few: whatever else runs, the timer's interrupt or a page that has to come from
 * further away, adds to it and never takes away. And each of them begins in the same
 * state, as near as a program can bring it about.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "peers.h"
#include "report.h"
#include "sections.h"
#include "touch.h"

/* Repeats of what a module times, in each repeat. */
#define KERNEL_ROUNDS 3

/* The narrow device has no room for the largest buffers. */
#define WIDE 1

/* Where memory in pieces makes a difference: what is less than a chunk is the same. */
#define SCATTERED_LEAST MIB(2)

/* Small buffers are noisier, and quick: more repeats. */
static const struct {
	uint64_t len;
	unsigned int factor;
} sizes[] = {
	{ KIB(4), 6 },
	{ KIB(64), 4 },
	{ MIB(1), 2 },
	/* A chunk */
	{ MIB(2), 2 },
	{ MIB(4), 2 },
	{ MIB(16), 1 },
	{ MIB(64), 1 },
	{ MIB(256), 1 },
};

/* Those from MAP on are a device's. */
enum metric {
	ALLOC,
	FREE,
	MMAP,
	TOUCH,
	TOUCH_SHIFTED,
	TOUCH_2M,
	TOUCH_2M_SHIFTED,
	COPY,
	VMAP,
	VMAP_TOUCH,
	MAP,
	REMAP,
	ATTACH_MAP_UNMAP,
	SYNC,
	/* A part of MAP where the IOMMU forgets at once, in counted runs. */
	FLUSH,
	/* The same as REMAP, of a buffer whose mappings are kept */
	REMAP_KEPT,
	METRICS,
};

static const char * const metric_names[] = {
	[ALLOC] = "alloc",
	[FREE] = "free",
	[MMAP] = "mmap",
	[TOUCH] = "touch",
	[TOUCH_SHIFTED] = "touch-shifted",
	[TOUCH_2M] = "touch-2m",
	[TOUCH_2M_SHIFTED] = "touch-2m-shifted",
	[COPY] = "copy",
	[VMAP] = "vmap",
	[VMAP_TOUCH] = "vmap-touch",
	[MAP] = "map",
	[REMAP] = "remap",
	[ATTACH_MAP_UNMAP] = "attach-map-unmap",
	[SYNC] = "sync",
	[FLUSH] = "flush",
	[REMAP_KEPT] = "remap-kept",
};

/* What is measured, and how */
struct run {
	struct importer importer;	/* for whom */
	bool count;	/* the least number of instructions and not the median time */
	bool devices_only;	/* nothing of what the CPU does with a buffer */
	bool scattered;	/* memory is in pieces that are no chunks */
};

/* Times of one size, a figure for each repeat */
struct samples {
	const struct run *run;	/* how they are taken */
	/* By metric, peer and repeat; of several in a repeat the median */
	uint64_t *ns[METRICS][PEERS];
	unsigned int n;		/* number of repeats */
};

static void samples_init(struct samples *samples, const struct run *run, unsigned int repeats)
{
	int metric, peer;

	samples->run = run;
	samples->n = 0;
	for (metric = 0; metric < METRICS; metric++)
		for (peer = 0; peer < PEERS; peer++)
			samples->ns[metric][peer] = xmalloc(repeats * sizeof(uint64_t));
}

static void samples_fini(struct samples *samples)
{
	int metric, peer;

	for (metric = 0; metric < METRICS; metric++)
		for (peer = 0; peer < PEERS; peer++)
			free(samples->ns[metric][peer]);
}

static void sample(struct samples *samples, enum metric metric, enum peer peer, uint64_t ns)
{
	samples->ns[metric][peer][samples->n] = ns;
}

/* How many times as long as the system heap: the median of what each repeat says. */
static double ratio_to_system(const struct samples *samples, enum metric metric, enum peer peer)
{
	double ratios[samples->n];
	unsigned int i;

	for (i = 0; i < samples->n; i++)
		ratios[i] = (double)samples->ns[metric][peer][i] /
			    samples->ns[metric][PEER_SYSTEM][i];
	return median(ratios, samples->n);
}

static void samples_report_times(struct samples *samples, uint64_t len)
{
	double ratios[METRICS][PEERS];
	int metric, peer;

	/* Before the times are sorted. */
	for (metric = 0; metric < METRICS; metric++)
		for (peer = 0; peer < PEERS; peer++)
			ratios[metric][peer] = ratio_to_system(samples, metric, peer);

	for (metric = 0; metric < METRICS; metric++)
		for (peer = 0; peer < PEERS; peer++) {
			struct summary sum;

			if (!peer_can(peer, len) || !samples->ns[metric][peer][0])
				continue;
			sum = summarise(samples->ns[metric][peer], samples->n);
			result("time\t%s\t%s\t%llu\t%zu\t%.0f\t%.0f\t%.0f\t%.6f",
			       metric_names[metric], peer_name(peer), (unsigned long long)len,
			       sum.n, sum.median, sum.low, sum.high, ratios[metric][peer]);
		}
}

static bool is_counted(const struct run *run, enum metric metric)
{
	if (run->scattered)
		return metric >= MAP && metric <= ATTACH_MAP_UNMAP;
	return metric >= MAP || !run->devices_only;
}

static void samples_report_counts(const struct samples *samples, uint64_t len)
{
	int metric, peer;
	char name[64];

	for (metric = 0; metric < METRICS; metric++) {
		snprintf(name, sizeof(name), "%s%s", samples->run->scattered ? "scattered-" : "",
			 metric_names[metric]);
		for (peer = 0; peer < PEERS; peer++)
			if (samples->ns[metric][peer][0] && is_counted(samples->run, metric))
				count_report(name, peer, len, samples->ns[metric][peer],
					     samples->n);
	}
}

static void samples_report(struct samples *samples, uint64_t len)
{
	if (samples->run->count)
		samples_report_counts(samples, len);
	else
		samples_report_times(samples, len);
}

/* --- One buffer -------------------------------------------------------- */

/* Between two steps. */
static void settle(const struct samples *samples)
{
	if (samples->run->count)
		count_settle();
}

static struct touch touch(const struct samples *samples, int dmabuf, uint64_t len,
			  enum place place, uint64_t step)
{
	settle(samples);
	return touch_buffer(dmabuf, len, place, step);
}

static void sample_cpu(struct samples *samples, enum peer peer, int dmabuf, uint64_t len)
{
	struct touch ns;

	/* What the first one has to wait for besides: the emulated CPU's own. */
	touch_buffer(dmabuf, len, PLACE_SHIFTED, len);
	ns = touch(samples, dmabuf, len, PLACE_ALIGNED, MIB(2));
	sample(samples, MMAP, peer, ns.mmap);
	sample(samples, TOUCH_2M, peer, ns.touch);
	ns = touch(samples, dmabuf, len, PLACE_SHIFTED, MIB(2));
	sample(samples, TOUCH_2M_SHIFTED, peer, ns.touch);
	ns = touch(samples, dmabuf, len, PLACE_ALIGNED, KIB(4));
	sample(samples, TOUCH, peer, ns.touch);
	ns = touch(samples, dmabuf, len, PLACE_SHIFTED, KIB(4));
	sample(samples, TOUCH_SHIFTED, peer, ns.touch);
	settle(samples);
	sample(samples, COPY, peer, copy_buffer(dmabuf, len));
}

static unsigned int kernel_rounds(const struct samples *samples)
{
	return samples->run->count ? 1 : KERNEL_ROUNDS;
}

static void sample_vmap(struct samples *samples, enum peer peer, int dmabuf)
{
	uint64_t ns[KERNEL_ROUNDS][VCM_BENCH_VMAP_STEPS];
	uint64_t both[KERNEL_ROUNDS], all[KERNEL_ROUNDS];
	int i, n = kernel_rounds(samples);

	settle(samples);
	bench_vmap(dmabuf, n, *ns);
	for (i = 0; i < n; i++) {
		both[i] = ns[i][VCM_BENCH_VMAP] + ns[i][VCM_BENCH_VUNMAP];
		all[i] = both[i] + ns[i][VCM_BENCH_VTOUCH];
	}
	sample(samples, VMAP, peer, summarise(both, n).median);
	sample(samples, VMAP_TOUCH, peer, summarise(all, n).median);
}

static void sample_attach(struct samples *samples, enum peer peer, int dmabuf)
{
	uint64_t ns[KERNEL_ROUNDS][VCM_BENCH_ATTACH_STEPS];
	uint64_t map[KERNEL_ROUNDS], remap[KERNEL_ROUNDS], once[KERNEL_ROUNDS];
	int i, n = kernel_rounds(samples);

	settle(samples);
	bench_attach(&samples->run->importer, dmabuf, n, *ns);
	for (i = 0; i < n; i++) {
		map[i] = ns[i][VCM_BENCH_MAP] + ns[i][VCM_BENCH_UNMAP];
		remap[i] = ns[i][VCM_BENCH_REMAP] + ns[i][VCM_BENCH_REUNMAP];
		once[i] = ns[i][VCM_BENCH_ATTACH] + map[i] + ns[i][VCM_BENCH_DETACH];
	}
	sample(samples, MAP, peer, summarise(map, n).median);
	sample(samples, REMAP, peer, summarise(remap, n).median);
	sample(samples, ATTACH_MAP_UNMAP, peer, summarise(once, n).median);
}

/* Begin and end of what the CPU does, while a device has the buffer mapped. */
static void sample_sync(struct samples *samples, enum peer peer, int dmabuf)
{
	const struct importer *importer = &samples->run->importer;
	struct vcm_edu_import import;
	uint64_t start;

	settle(samples);
	importer_map_or_die(importer, dmabuf, &import);
	start = now_ns();
	buffer_begin_cpu_access(dmabuf);
	buffer_end_cpu_access(dmabuf);
	sample(samples, SYNC, peer, now_ns() - start);
	importer_unmap(importer, &import);
}

static void sample_flush(struct samples *samples, enum peer peer, int dmabuf)
{
	settle(samples);
	sample(samples, FLUSH, peer, bench_flush(&samples->run->importer, dmabuf));
}

/* Of another buffer: its policy is what differs. Other heaps keep nothing. */
static void sample_kept(struct samples *samples, enum peer peer, uint64_t len)
{
	uint64_t ns[VCM_BENCH_ATTACH_STEPS];
	int dmabuf;

	if (peer != PEER_WARM && peer != PEER_COLD) {
		sample(samples, REMAP_KEPT, peer, samples->ns[REMAP][peer][samples->n]);
		return;
	}
	dmabuf = peer_alloc_kept(len);
	settle(samples);
	bench_attach(&samples->run->importer, dmabuf, 1, ns);
	sample(samples, REMAP_KEPT, peer, ns[VCM_BENCH_REMAP] + ns[VCM_BENCH_REUNMAP]);
	close(dmabuf);
}

/* --- Turns ------------------------------------------------------------- */

/* A peer's part of a repeat. */
static void peer_turn(struct samples *samples, enum peer peer, uint64_t len)
{
	int rehearsal, dmabuf;
	uint64_t start;

	peer_begin(peer, len, 1);
	rehearsal = peer_alloc(peer, peer_first(len));
	settle(samples);
	start = now_ns();
	dmabuf = peer_alloc(peer, len);
	sample(samples, ALLOC, peer, now_ns() - start);

	if (!samples->run->devices_only) {
		sample_cpu(samples, peer, dmabuf, len);
		sample_vmap(samples, peer, dmabuf);
	}
	sample_attach(samples, peer, dmabuf);
	sample_sync(samples, peer, dmabuf);
	if (samples->run->count)
		sample_flush(samples, peer, dmabuf);

	close(rehearsal);
	settle(samples);
	start = now_ns();
	close(dmabuf);
	sample(samples, FREE, peer, now_ns() - start);
	sample_kept(samples, peer, len);
	peer_end(peer);
}

/* All peers, each repeat with another one first. */
static void repeat(struct samples *samples, uint64_t len, unsigned int number)
{
	int odd = samples->run->count && number % 2 ? count_odd_chunk() : -1;
	int i;

	for (i = 0; i < PEERS; i++) {
		enum peer peer = (i + number) % PEERS;

		if (peer_can(peer, len))
			peer_turn(samples, peer, len);
	}
	if (odd >= 0)
		close(odd);
}

static void run_size(const struct options *options, const struct run *run, int size)
{
	unsigned int repeats = options->repeats * sizes[size].factor, i;
	struct samples samples;
	uint64_t start;
	char text[SIZE_TEXT_LEN];

	samples_init(&samples, run, repeats);
	/* The first one warms up. */
	repeat(&samples, sizes[size].len, 0);
	start = now_ns();
	for (i = 0; i < repeats; i++, samples.n++) {
		repeat(&samples, sizes[size].len, i);
		if ((i + 1) % (5 * sizes[size].factor) == 0)
			progress("%s: repeat %u of %u, %.0f s", size_text(sizes[size].len, text),
				 i + 1, repeats, (now_ns() - start) / 1e9);
	}
	samples_report(&samples, sizes[size].len);
	samples_fini(&samples);
}

static void run_sizes(const struct options *options, struct run *run)
{
	int i;

	importer_open_any(&run->importer, WIDE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i].len <= options->largest &&
		    (!run->scattered || sizes[i].len >= SCATTERED_LEAST))
			run_size(options, run, i);
	importer_close(&run->importer);
}

void section_steps(const struct options *options)
{
	struct run run = {};

	peers_init(options->largest, true);
	run_sizes(options, &run);
	peers_exit();
}

static void count_steps(const struct options *options, struct run run)
{
	run.count = true;
	count_begin(options->largest, run.scattered);
	run_sizes(options, &run);
	count_end();
}

void section_count_steps(const struct options *options)
{
	count_steps(options, (struct run) {});
}

void section_count_devices(const struct options *options)
{
	count_steps(options, (struct run) { .devices_only = true });
}

void section_count_scattered(const struct options *options)
{
	count_steps(options, (struct run) { .devices_only = true, .scattered = true });
}
