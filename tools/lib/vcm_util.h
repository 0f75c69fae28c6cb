/* SPDX-License-Identifier: MIT */
/*
 * What every program here needs: errors, time, numbers.
 */
#ifndef VCM_UTIL_H
#define VCM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)

/* Prints one line and ends the program with status 1. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Memory that is zero; the program ends if there is none. */
void *xmalloc(size_t size);

/* Time since some moment. */
uint64_t now_ns(void);
double now(void);

/* Sorts @values, of which there is one at least. */
double median(double *values, size_t n);

/* "33 MiB", "64 KiB", "5 bytes": @text has room for SIZE_TEXT_LEN bytes. */
#define SIZE_TEXT_LEN 32
const char *size_text(uint64_t bytes, char *text);

#endif /* VCM_UTIL_H */
