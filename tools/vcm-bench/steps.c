// SPDX-License-Identifier: GPL-2.0
/*
 * The steps of a buffer's life, from allocating to freeing it, of all sizes and
 * with all peers in turn: what slows the machine down for a while slows all.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "peers.h"
#include "report.h"
#include "sections.h"
#include "touch.h"

/* Repeats of what a module times, in each repeat. */
#define KERNEL_ROUNDS 3

/* The narrow device has no room for the largest buffers. */
#define WIDE 1

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
};

/**
 * struct samples - times of one size, a figure for each repeat
 * @ns: by metric, peer and repeat; of several in a repeat the median
 * @n: number of repeats
 */
struct samples {
	uint64_t *ns[METRICS][PEERS];
	unsigned int n;
};

static void samples_init(struct samples *samples, unsigned int repeats)
{
	int metric, peer;

	samples->n = 0;
	for (metric = 0; metric < METRICS; metric++)
		for (peer = 0; peer < PEERS; peer++) {
			samples->ns[metric][peer] = calloc(repeats, sizeof(uint64_t));
			if (!samples->ns[metric][peer])
				die("no memory");
		}
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

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* How many times as long as the system heap: the median of what each repeat says. */
static double ratio_to_system(const struct samples *samples, enum metric metric, enum peer peer)
{
	double ratios[samples->n];
	unsigned int i;

	for (i = 0; i < samples->n; i++)
		ratios[i] = (double)samples->ns[metric][peer][i] /
			    samples->ns[metric][PEER_SYSTEM][i];
	qsort(ratios, samples->n, sizeof(*ratios), compare_doubles);
	return ratios[samples->n / 2];
}

static void samples_report(struct samples *samples, uint64_t len)
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

			if (!peer_can(peer, len))
				continue;
			sum = summarise(samples->ns[metric][peer], samples->n);
			result("time\t%s\t%s\t%llu\t%zu\t%.0f\t%.0f\t%.0f\t%.6f",
			       metric_names[metric], peer_name(peer), (unsigned long long)len,
			       sum.n, sum.median, sum.low, sum.high, ratios[metric][peer]);
		}
}

/* --- One buffer -------------------------------------------------------- */

static void sample_cpu(struct samples *samples, enum peer peer, int dmabuf, uint64_t len)
{
	struct touch touch;

	/* What the first one has to wait for besides: the emulated CPU's own. */
	touch_buffer(dmabuf, len, PLACE_SHIFTED, len);
	touch = touch_buffer(dmabuf, len, PLACE_ALIGNED, MIB(2));
	sample(samples, MMAP, peer, touch.mmap);
	sample(samples, TOUCH_2M, peer, touch.touch);
	touch = touch_buffer(dmabuf, len, PLACE_SHIFTED, MIB(2));
	sample(samples, TOUCH_2M_SHIFTED, peer, touch.touch);
	touch = touch_buffer(dmabuf, len, PLACE_ALIGNED, KIB(4));
	sample(samples, TOUCH, peer, touch.touch);
	touch = touch_buffer(dmabuf, len, PLACE_SHIFTED, KIB(4));
	sample(samples, TOUCH_SHIFTED, peer, touch.touch);
	sample(samples, COPY, peer, copy_buffer(dmabuf, len));
}

static uint64_t median(uint64_t *ns, unsigned int n)
{
	return summarise(ns, n).median;
}

static void sample_vmap(struct samples *samples, enum peer peer, int dmabuf)
{
	uint64_t ns[KERNEL_ROUNDS][VCM_BENCH_VMAP_STEPS];
	uint64_t both[KERNEL_ROUNDS], all[KERNEL_ROUNDS];
	int i;

	bench_vmap(dmabuf, KERNEL_ROUNDS, *ns);
	for (i = 0; i < KERNEL_ROUNDS; i++) {
		both[i] = ns[i][VCM_BENCH_VMAP] + ns[i][VCM_BENCH_VUNMAP];
		all[i] = both[i] + ns[i][VCM_BENCH_VTOUCH];
	}
	sample(samples, VMAP, peer, median(both, KERNEL_ROUNDS));
	sample(samples, VMAP_TOUCH, peer, median(all, KERNEL_ROUNDS));
}

static void sample_device(struct samples *samples, enum peer peer, int dmabuf,
			  const struct importer *importer)
{
	uint64_t ns[KERNEL_ROUNDS][VCM_BENCH_ATTACH_STEPS];
	uint64_t map[KERNEL_ROUNDS], remap[KERNEL_ROUNDS], once[KERNEL_ROUNDS];
	int i;

	bench_attach(importer, dmabuf, KERNEL_ROUNDS, *ns);
	for (i = 0; i < KERNEL_ROUNDS; i++) {
		map[i] = ns[i][VCM_BENCH_MAP] + ns[i][VCM_BENCH_UNMAP];
		remap[i] = ns[i][VCM_BENCH_REMAP] + ns[i][VCM_BENCH_REUNMAP];
		once[i] = ns[i][VCM_BENCH_ATTACH] + map[i] + ns[i][VCM_BENCH_DETACH];
	}
	sample(samples, MAP, peer, median(map, KERNEL_ROUNDS));
	sample(samples, REMAP, peer, median(remap, KERNEL_ROUNDS));
	sample(samples, ATTACH_MAP_UNMAP, peer, median(once, KERNEL_ROUNDS));
}

/* --- Turns ------------------------------------------------------------- */

/* A peer's part of a repeat. */
static void peer_turn(struct samples *samples, enum peer peer, uint64_t len,
		      const struct importer *importer)
{
	int rehearsal, dmabuf;
	uint64_t start;

	peer_begin(peer, len, 1);
	rehearsal = peer_alloc(peer, peer_first(len));
	start = now_ns();
	dmabuf = peer_alloc(peer, len);
	sample(samples, ALLOC, peer, now_ns() - start);

	sample_cpu(samples, peer, dmabuf, len);
	sample_vmap(samples, peer, dmabuf);
	sample_device(samples, peer, dmabuf, importer);

	close(rehearsal);
	start = now_ns();
	close(dmabuf);
	sample(samples, FREE, peer, now_ns() - start);
	peer_end(peer);
}

/* All peers, each repeat with another one first. */
static void repeat(struct samples *samples, int size, unsigned int number,
		   const struct importer *importer)
{
	int i;

	for (i = 0; i < PEERS; i++) {
		enum peer peer = (i + number) % PEERS;

		if (peer_can(peer, sizes[size].len))
			peer_turn(samples, peer, sizes[size].len, importer);
	}
}

static void run_size(const struct options *options, int size, const struct importer *importer)
{
	unsigned int repeats = options->repeats * sizes[size].factor, i;
	struct samples samples;
	uint64_t start;
	char text[32];

	samples_init(&samples, repeats);
	/* The first one warms up. */
	repeat(&samples, size, 0, importer);
	start = now_ns();
	for (i = 0; i < repeats; i++, samples.n++) {
		repeat(&samples, size, i, importer);
		if ((i + 1) % (5 * sizes[size].factor) == 0)
			progress("%s: repeat %u of %u, %.0f s", size_text(sizes[size].len, text),
				 i + 1, repeats, (now_ns() - start) / 1e9);
	}
	samples_report(&samples, sizes[size].len);
	samples_fini(&samples);
}

void section_steps(const struct options *options)
{
	struct importer importer;
	int i;

	importer_open_any(&importer, WIDE);
	peers_init(options->largest, options->without_pool);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i].len <= options->largest)
			run_size(options, i, &importer);
	peers_exit();
	importer_close(&importer);
}
