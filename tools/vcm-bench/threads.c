// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating and freeing in several threads.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "pool.h"
#include "report.h"
#include "sections.h"

#define MAX_THREADS 4

static const struct {
	uint64_t len;
	unsigned int each;	/* buffers of a thread */
} sizes[] = {
	{ KIB(64), 128 },
	{ MIB(1), 16 },
};

static const enum peer measured[] = { PEER_WARM, PEER_COLD, PEER_SYSTEM };

/* Takes about as long as a buffer from the pool. */
#define LOOPS 10000

typedef void (*work_fn)(enum peer peer, uint64_t len, unsigned int n);

/**
 * struct work - of a thread
 * @fn: what it does
 * @peer: whose buffers
 * @size: index of their size
 * @begin: when it began, in nanoseconds
 * @end: when it ended
 * @barrier: where all of them wait for each other
 * @thread: the thread
 */
struct work {
	work_fn fn;
	enum peer peer;
	int size;
	uint64_t begin;
	uint64_t end;
	pthread_barrier_t *barrier;
	pthread_t thread;
};

/* All are allocated before the first one is freed: none comes back dirty. */
static void alloc_and_free(enum peer peer, uint64_t len, unsigned int n)
{
	unsigned int i;
	int dmabufs[n];

	for (i = 0; i < n; i++)
		dmabufs[i] = peer_alloc(peer, len);
	for (i = 0; i < n; i++)
		close(dmabufs[i]);
}

/* Without the kernel: what the machine can give to so many threads. */
static void spin(enum peer peer, uint64_t len, unsigned int n)
{
	volatile unsigned int count = n * LOOPS;

	(void)peer;
	(void)len;
	while (count)
		count--;
}

static void *work(void *arg)
{
	struct work *work = arg;

	pthread_barrier_wait(work->barrier);
	work->begin = now_ns();
	work->fn(work->peer, sizes[work->size].len, sizes[work->size].each);
	work->end = now_ns();
	return NULL;
}

/*
 * Nanoseconds from the first one that began to the last one that ended, by the
 * buffers of all of them.
 */
static uint64_t run_threads(work_fn fn, enum peer peer, int size, unsigned int threads)
{
	struct work works[MAX_THREADS] = {};
	uint64_t begin = UINT64_MAX, end = 0;
	pthread_barrier_t barrier;
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, threads);
	for (i = 0; i < threads; i++) {
		works[i].fn = fn;
		works[i].peer = peer;
		works[i].size = size;
		works[i].barrier = &barrier;
		if (pthread_create(&works[i].thread, NULL, work, &works[i]))
			die("no thread");
	}
	for (i = 0; i < threads; i++) {
		pthread_join(works[i].thread, NULL);
		if (works[i].begin < begin)
			begin = works[i].begin;
		if (works[i].end > end)
			end = works[i].end;
	}
	pthread_barrier_destroy(&barrier);
	return (end - begin) / (threads * sizes[size].each);
}

static uint64_t turn(enum peer peer, int size, unsigned int threads)
{
	uint64_t ns;

	peer_begin(peer, sizes[size].len, threads * sizes[size].each);
	close(peer_alloc(peer, peer_first(sizes[size].len)));
	ns = run_threads(alloc_and_free, peer, size, threads);
	peer_end(peer);
	return ns;
}

static void report_times(const char *name, uint64_t *ns, const struct options *options, int size,
			 unsigned int threads)
{
	struct summary sum = summarise(ns, options->repeats);

	result("threads\t%s\t%llu\t%u\t%zu\t%.0f\t%.0f\t%.0f", name,
	       (unsigned long long)sizes[size].len, threads, sum.n, sum.median, sum.low, sum.high);
}

static void run(const struct options *options, int size, unsigned int threads)
{
	uint64_t ns[ARRAY_SIZE(measured)][options->repeats], alone[options->repeats];
	unsigned int i, j;

	for (i = 0; i < options->repeats + 1; i++) {
		/* The last one overwrites the first one, which warmed up. */
		unsigned int at = i % options->repeats;

		for (j = 0; j < ARRAY_SIZE(measured); j++) {
			unsigned int k = (i + j) % ARRAY_SIZE(measured);

			if (peer_can(measured[k], sizes[size].len))
				ns[k][at] = turn(measured[k], size, threads);
		}
		alone[at] = run_threads(spin, PEER_SYSTEM, size, threads);
	}
	for (j = 0; j < ARRAY_SIZE(measured); j++)
		if (peer_can(measured[j], sizes[size].len))
			report_times(peer_name(measured[j]), ns[j], options, size, threads);
	report_times("no-kernel", alone, options, size, threads);
}

void section_threads(const struct options *options)
{
	unsigned int threads;
	char text[32];
	int i;

	peers_init(MIB(64), options->without_pool, true);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (threads = 1; threads <= MAX_THREADS; threads++) {
			progress("%s, %u threads", size_text(sizes[i].len, text), threads);
			run(options, i, threads);
		}
	peers_exit();
}
