// SPDX-License-Identifier: GPL-2.0
/*
 * The same in several threads: allocating and freeing, and attaching and mapping for one
 * device that all of them share, or for four of which each has its own.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "peers.h"
#include "pool.h"
#include "report.h"
#include "sections.h"

#define MAX_THREADS 4

static const struct {
	uint64_t len;
	unsigned int buffers;	/* of a thread */
	unsigned int maps;	/* of its buffer */
} sizes[] = {
	{ KIB(64), 128, 1000 },
	{ MIB(1), 16, 250 },
};

/* Takes about as long as a buffer from the pool. */
#define LOOPS 10000

/* Of a thread */
struct work {
	const struct task *task;	/* what it does */
	enum peer peer;			/* whose buffers */
	int size;			/* index of their size */
	unsigned int n;			/* how often */
	struct importer importer;	/* the device, if there is one */
	int bench;			/* an open file that has the buffer mapped for it */
	int dmabuf;			/* the buffer */
	uint64_t begin;			/* when it began, in nanoseconds */
	uint64_t end;			/* when it ended */
	pthread_barrier_t *barrier;	/* where all of them wait for each other */
	pthread_t thread;		/* the thread */
};

/* All are allocated before the first one is freed: none comes back dirty. */
static void alloc_and_free(struct work *work)
{
	int dmabufs[work->n];
	unsigned int i;

	for (i = 0; i < work->n; i++)
		dmabufs[i] = peer_alloc(work->peer, sizes[work->size].len);
	for (i = 0; i < work->n; i++)
		close(dmabufs[i]);
}

static void map(struct work *work)
{
	bench_frames(work->bench, work->n);
}

static void attach(struct work *work)
{
	unsigned int i;

	for (i = 0; i < work->n; i++) {
		bench_frames_free(work->bench);
		bench_queue(work->bench, &work->importer, work->dmabuf);
	}
}

/* Without the kernel: what the machine can give to so many threads. */
static void spin(struct work *work)
{
	volatile unsigned int count = work->n * LOOPS;

	while (count)
		count--;
}

/* What threads do */
static const struct task {
	const char *name;		/* of the result */
	void (*run)(struct work *work);	/* all of it */
	unsigned int devices;		/* for how many devices, or none */
	enum peer peers[4];		/* with which buffers, ends with PEERS */
} tasks[] = {
	{ "alloc", alloc_and_free, 0, { PEER_WARM, PEER_COLD, PEER_SYSTEM, PEERS } },
	{ "map-1", map, 1, { PEER_COLD, PEER_SYSTEM, PEERS } },
	{ "map-4", map, 4, { PEER_COLD, PEER_SYSTEM, PEERS } },
	{ "attach-1", attach, 1, { PEER_COLD, PEER_SYSTEM, PEERS } },
	{ "attach-4", attach, 4, { PEER_COLD, PEER_SYSTEM, PEERS } },
	{ "no-kernel", spin, 0, { PEER_SYSTEM, PEERS } },
};

static void *work_run(void *arg)
{
	struct work *work = arg;

	pthread_barrier_wait(work->barrier);
	work->begin = now_ns();
	work->task->run(work);
	work->end = now_ns();
	return NULL;
}

/* The first device is a narrow one. */
static void work_begin(struct work *work, unsigned int number)
{
	if (!work->task->devices)
		return;
	importer_open_any(&work->importer, 1 + number % work->task->devices);
	work->bench = bench_open();
	work->dmabuf = peer_alloc(work->peer, sizes[work->size].len);
	bench_queue(work->bench, &work->importer, work->dmabuf);
}

static void work_end(struct work *work)
{
	if (!work->task->devices)
		return;
	close(work->bench);
	close(work->dmabuf);
	importer_close(&work->importer);
}

/*
 * Nanoseconds from the first one that began to the last one that ended, by what all of
 * them did.
 */
static uint64_t run_threads(const struct task *task, enum peer peer, int size,
			    unsigned int threads)
{
	unsigned int n = task->devices ? sizes[size].maps : sizes[size].buffers, i;
	struct work works[MAX_THREADS];
	uint64_t begin = UINT64_MAX, end = 0;
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, threads);
	for (i = 0; i < threads; i++) {
		works[i] = (struct work) {
			.task = task, .peer = peer, .size = size, .n = n, .barrier = &barrier,
		};
		work_begin(&works[i], i);
	}
	for (i = 0; i < threads; i++)
		if (pthread_create(&works[i].thread, NULL, work_run, &works[i]))
			die("no thread");
	for (i = 0; i < threads; i++) {
		pthread_join(works[i].thread, NULL);
		if (works[i].begin < begin)
			begin = works[i].begin;
		if (works[i].end > end)
			end = works[i].end;
	}
	for (i = 0; i < threads; i++)
		work_end(&works[i]);
	pthread_barrier_destroy(&barrier);
	return (end - begin) / (threads * n);
}

static uint64_t turn(const struct task *task, enum peer peer, int size, unsigned int threads)
{
	uint64_t ns;

	peer_begin(peer, sizes[size].len, threads * sizes[size].buffers);
	close(peer_alloc(peer, peer_first(sizes[size].len)));
	ns = run_threads(task, peer, size, threads);
	peer_end(peer);
	return ns;
}

static void run(const struct options *options, const struct task *task, int size,
		unsigned int threads)
{
	uint64_t ns[PEERS][options->repeats];
	const enum peer *peer;
	struct summary sum;
	unsigned int i;

	/* The last one overwrites the first one, which warmed up. */
	for (i = 0; i < options->repeats + 1; i++)
		for (peer = task->peers; *peer != PEERS; peer++)
			ns[*peer][i % options->repeats] = turn(task, *peer, size, threads);
	for (peer = task->peers; *peer != PEERS; peer++) {
		sum = summarise(ns[*peer], options->repeats);
		result("threads\t%s\t%s\t%llu\t%u\t%zu\t%.0f\t%.0f\t%.0f", task->name,
		       peer_name(*peer), (unsigned long long)sizes[size].len, threads, sum.n,
		       sum.median, sum.low, sum.high);
	}
}

void section_threads(const struct options *options)
{
	unsigned int threads;
	int i, task;

	peers_init(MIB(64), false);
	for (task = 0; task < ARRAY_SIZE(tasks); task++)
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			for (threads = 1; threads <= MAX_THREADS; threads++) {
				progress("%s, %llu KB, %u threads", tasks[task].name,
					 (unsigned long long)sizes[i].len >> 10, threads);
				run(options, &tasks[task], i, threads);
			}
	peers_exit();
}
