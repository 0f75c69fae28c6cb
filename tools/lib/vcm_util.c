// SPDX-License-Identifier: MIT
/*
 * What every program here needs: errors, time, numbers.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vcm_util.h"

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void *xmalloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		die("no memory for %zu bytes", size);
	return memory;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

double now(void)
{
	return now_ns() / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

const char *size_text(uint64_t bytes, char *text)
{
	static const char * const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < ARRAY_SIZE(units) - 1) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_LEN, "%llu %s", (unsigned long long)bytes, units[unit]);
	return text;
}
