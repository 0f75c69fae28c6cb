// SPDX-License-Identifier: GPL-2.0
/*
 * Allocate and close in a loop, as the dmabuf_heap_bench of Android does: four
 * sizes, 5000 times each. Here a loop also ends after a time, for heaps that zero on an emulated CPU.
 */

#include <string.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "peers.h"
#include "pool.h"
#include "report.h"
#include "vcm_buffer.h"
#include "sections.h"

/* Counted, a loop is as long as this takes, within so many rounds. */
#define COUNT_BYTES MIB(64)
#define COUNT_LEAST 3
#define COUNT_MOST 255
#define COUNT_REPEATS 4

#define LOOPS 5000
#define SECONDS 3

static const uint64_t sizes[] = { KIB(4), MIB(1), MIB(8), MIB(32) };

static void loop_size(int heap, const char *name, uint64_t len)
{
	uint64_t start = now_ns(), ns;
	unsigned int n = 0;

	do {
		int dmabuf = __vcm_heap_alloc(heap, len);

		if (dmabuf < 0)
			die("%s: %llu bytes: %s", name, (unsigned long long)len, strerror(-dmabuf));
		close(dmabuf);
		ns = now_ns() - start;
	} while (++n < LOOPS && ns < SECONDS * 1000000000ull);
	result("loop\t%s\t%llu\t%u\t%.0f", name, (unsigned long long)len, n, (double)ns / n);
}

/* The loop on one heap, which the result calls @name. */
static void loop_heap(const char *heap, const char *name)
{
	int fd = __vcm_heap_open(heap), i;

	if (fd < 0)
		die("/dev/dma_heap/%s: %s", heap, strerror(-fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		progress("loop on %s, size %d of %zu", name, i + 1, ARRAY_SIZE(sizes));
		loop_size(fd, name, sizes[i]);
	}
	close(fd);
}

void section_loop(const struct options *options)
{
	unsigned long cap = pool_cap();

	result("info\tloop_seconds\t%u", SECONDS);
	/* What is freed in one round is there in the next, not zeroed. */
	loop_heap("vcm", "vcm");
	pool_off();
	loop_heap("vcm", "vcm-cold");
	pool_set_cap(cap);
	loop_heap("system", "system");
}

/* --- Counted ----------------------------------------------------------- */

/*
 * What most rounds take. What every so many rounds take more, to refill a list of objects
 * or to free a batch of them, depends on what these lists held before. In the first round
 * nothing is as it is from then on: it is not counted.
 */
static uint64_t count_rounds(enum peer peer, uint64_t len)
{
	static double ns[COUNT_MOST];
	unsigned int n = COUNT_BYTES / len, i;
	uint64_t start;

	if (n > COUNT_MOST)
		n = COUNT_MOST;
	if (n < COUNT_LEAST)
		n = COUNT_LEAST;
	count_settle();
	close(peer_alloc(peer, len));
	for (i = 0; i < n; i++) {
		start = now_ns();
		close(peer_alloc(peer, len));
		ns[i] = now_ns() - start;
	}
	return median(ns, n);
}

/* Each repeat with an empty pool. */
static void count_size(enum peer peer, uint64_t len, unsigned long cap)
{
	uint64_t ns[COUNT_REPEATS];
	int i;

	for (i = 0; i < COUNT_REPEATS; i++) {
		pool_off();
		if (peer == PEER_WARM)
			pool_set_cap(cap);
		ns[i] = count_rounds(peer, len);
	}
	count_report("loop", peer, len, ns, COUNT_REPEATS);
}

void section_count_loop(const struct options *options)
{
	unsigned long cap = pool_cap();
	enum peer peer;
	int i;

	count_begin(options->largest, false);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (peer = PEER_WARM; peer <= PEER_SYSTEM; peer++)
			if (sizes[i] <= options->largest)
				count_size(peer, sizes[i], cap);
	count_end();
}
