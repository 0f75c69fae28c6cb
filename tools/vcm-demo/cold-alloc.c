// SPDX-License-Identifier: MIT
/*
 * How long an allocation takes when nothing was kept ready for it, on the vcm
 * heap and on the system heap in turn.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/dma-heap-vcm.h>

#include "cold-alloc.h"
#include "heap.h"

enum { VCM, SYSTEM, HEAPS };

static const char * const names[HEAPS] = { DMA_HEAP_VCM_NAME, "system" };

/* Small ones are noisier, and quick: more rounds. */
static const struct {
	uint64_t len;
	unsigned int rounds_factor;
} sizes[] = {
	{ MIB(1), 9 },
	{ MIB(16), 3 },
	{ MIB(64), 1 },
	{ MIB(256), 1 },
};

struct quartiles {
	double low, median, high;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value at @part of the way from the least to the greatest. */
static double quantile(const double *sorted, unsigned int n, double part)
{
	double at = part * (n - 1);
	unsigned int i = at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

static struct quartiles quartiles(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return (struct quartiles){
		.low = quantile(values, n, 0.25),
		.median = quantile(values, n, 0.5),
		.high = quantile(values, n, 0.75),
	};
}

/* Takes from the heaps, through the kernel's shrinkers, what they keep ready. */
static void drain_pools(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "2", 1) != 1)
		die("cannot make the heaps give back what they keep ready");
	close(fd);
}

static double time_alloc(int heap, uint64_t len)
{
	double start, seconds;
	int dmabuf;

	drain_pools();
	start = now();
	dmabuf = heap_alloc(heap, len);
	seconds = now() - start;
	close(dmabuf);
	return seconds;
}

/* The heaps take turns, and take turns in being first. */
static void measure(const int *heaps, uint64_t len, unsigned int rounds, double *seconds[HEAPS])
{
	unsigned int round;

	time_alloc(heaps[VCM], len);
	time_alloc(heaps[SYSTEM], len);
	for (round = 0; round < rounds; round++) {
		int first = round % 2 ? SYSTEM : VCM;
		int second = first == VCM ? SYSTEM : VCM;

		seconds[first][round] = time_alloc(heaps[first], len);
		seconds[second][round] = time_alloc(heaps[second], len);
	}
}

/*
 * Of each round by itself, so that what slows the machine down for a while slows
 * both.
 */
static double median_ratio(unsigned int rounds, double *seconds[HEAPS], double *ratios)
{
	unsigned int round;

	for (round = 0; round < rounds; round++)
		ratios[round] = seconds[VCM][round] / seconds[SYSTEM][round];
	return quartiles(ratios, rounds).median;
}

static void print_size(uint64_t len, unsigned int rounds, double *seconds[HEAPS], double ratio)
{
	struct quartiles q[HEAPS];
	char text[4][32];
	int heap;

	for (heap = 0; heap < HEAPS; heap++)
		q[heap] = quartiles(seconds[heap], rounds);
	for (heap = 0; heap < HEAPS; heap++) {
		printf("  %-9s %-8s %10s   %10s .. %-10s", heap ? "" : size_text(len, text[0]),
		       names[heap], time_text(q[heap].median, text[1]),
		       time_text(q[heap].low, text[2]), time_text(q[heap].high, text[3]));
		if (heap == VCM)
			printf(" %6.3f", ratio);
		putchar('\n');
	}
	fflush(stdout);
}

static void run_size(const int *heaps, uint64_t len, unsigned int rounds)
{
	double *values = calloc((HEAPS + 1) * (size_t)rounds, sizeof(*values));
	double *seconds[HEAPS], *ratios;

	if (!values)
		die("no memory for %u rounds", rounds);
	seconds[VCM] = values;
	seconds[SYSTEM] = values + rounds;
	ratios = values + HEAPS * rounds;
	measure(heaps, len, rounds, seconds);
	/* Before the times are sorted. */
	print_size(len, rounds, seconds, median_ratio(rounds, seconds, ratios));
	free(values);
}

void cold_alloc_run(unsigned int rounds)
{
	int heaps[HEAPS];
	unsigned int i;
	int heap;

	for (heap = 0; heap < HEAPS; heap++) {
		heaps[heap] = heap_open(names[heap]);
		if (heaps[heap] < 0)
			die("no heap /dev/dma_heap/%s: %s", names[heap],
			    strerror(-heaps[heap]));
	}
	printf("Allocation with nothing kept ready, %u rounds and more, heaps in turn.\n\n"
	       "  %-9s %-8s %10s   %10s .. %-10s %6s\n", rounds, "size", "heap", "median",
	       "quartile", "quartile", "ratio");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		run_size(heaps, sizes[i].len, rounds * sizes[i].rounds_factor);
	for (heap = 0; heap < HEAPS; heap++)
		close(heaps[heap]);
}
