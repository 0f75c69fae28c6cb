// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers: random ones, what many come to, and how they are printed.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "report.h"

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("vcm-bench: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void report(enum verdict verdict, const char *name, const char *fmt, ...)
{
	static const char * const words[] = {
		[INFO] = "info",
		[PASS] = "PASS",
		[MISS] = "MISS",
	};
	va_list args;

	printf("%s  %-28s ", words[verdict], name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void note(const char *fmt, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void progress(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void result(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct summary summarise(uint64_t *values, size_t n)
{
	if (!n)
		return (struct summary) {};

	qsort(values, n, sizeof(*values), compare);
	return (struct summary) {
		.median = values[n / 2],
		.low = values[n / 4],
		.high = values[n - 1 - n / 4],
		.n = n,
	};
}

const char *summary_text(const struct summary *summary, char *text)
{
	snprintf(text, 64, "%.0f us (%.0f..%.0f)", summary->median / 1000, summary->low / 1000,
		 summary->high / 1000);
	return text;
}

/* Marsaglia, "Xorshift RNGs", 2003. */
uint64_t random_below(uint64_t *state, uint64_t limit)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x >> 16) % limit;
}

uint64_t random_seeded(uint64_t seed)
{
	return seed * 0x9e3779b97f4a7c15ull | 1;
}
