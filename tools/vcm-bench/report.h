/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers: random ones, what many come to, and how they are printed.
 */
#ifndef VCM_BENCH_REPORT_H
#define VCM_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vcm_util.h"

/* A figure without a goal, one that reaches it, and one that does not. */
enum verdict {
	INFO,
	PASS,
	MISS,
};

static inline enum verdict reached(bool goal)
{
	return goal ? PASS : MISS;
}

const char *verdict_word(enum verdict verdict);

/* What is printed besides the table. */
#define note(fmt, ...) result("# " fmt, ##__VA_ARGS__)

/* One line of progress, on standard error. */
#define progress(fmt, ...) fprintf(stderr, fmt "\n", ##__VA_ARGS__)

/* One line of the result for another program, its fields separated by tabs. */
#define result(fmt, ...) (printf(fmt "\n", ##__VA_ARGS__), fflush(stdout))

/* One line of the table: verdict, name of the figure, figure. */
#define report(verdict, name, fmt, ...) \
	result("%s  %-28s " fmt, verdict_word(verdict), name, ##__VA_ARGS__)

/* Many times, in nanoseconds */
struct summary {
	double median;	/* half of them are less */
	double low;	/* a quarter of them is less */
	double high;	/* a quarter of them is more */
	size_t n;	/* number of them */
};

/* Sorts @values. */
struct summary summarise(uint64_t *values, size_t n);

/* "123 us (120..130)": @text has room for 64 bytes. */
const char *summary_text(const struct summary *summary, char *text);

/* A random number below @limit; the sequence follows from @state alone, which is not 0. */
uint64_t random_below(uint64_t *state, uint64_t limit);
uint64_t random_seeded(uint64_t seed);

#endif /* VCM_BENCH_REPORT_H */
