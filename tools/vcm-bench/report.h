/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers: random ones, what many come to, and how they are printed.
 */
#ifndef VCM_BENCH_REPORT_H
#define VCM_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define KIB(n) ((uint64_t)(n) << 10)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Prints one line and ends the program with a failure. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

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

/* One line of the table: verdict, name of the figure, figure. */
void report(enum verdict verdict, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What is printed besides the table. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One line of progress, on standard error. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One line of the result for another program, its fields separated by tabs. */
void result(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Some time, in nanoseconds. */
uint64_t now_ns(void);

/**
 * struct summary - many times, in nanoseconds
 * @median: half of them are less
 * @low: a quarter of them is less
 * @high: a quarter of them is more
 * @n: number of them
 */
struct summary {
	double median;
	double low;
	double high;
	size_t n;
};

/* Sorts @values. */
struct summary summarise(uint64_t *values, size_t n);

/* "123 us (120..130)": @text has room for 64 bytes. */
const char *summary_text(const struct summary *summary, char *text);

/* A random number below @limit; the sequence follows from @state alone, which is not 0. */
uint64_t random_below(uint64_t *state, uint64_t limit);
uint64_t random_seeded(uint64_t seed);

#endif /* VCM_BENCH_REPORT_H */
