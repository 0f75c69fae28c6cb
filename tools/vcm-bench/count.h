/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counting instructions, in a guest whose clock does.
 */
#ifndef VCM_BENCH_COUNT_H
#define VCM_BENCH_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peers.h"

/*
 * Around all that is counted, with buffers of @bytes at once. All free memory is the same
 * for everybody, and if @scattered there are pieces of half a block besides.
 */
void count_begin(uint64_t bytes, bool scattered);
void count_end(void);

/* Until nothing is on its way that the next step would find half done. */
void count_settle(void);

/* Half a block, taken as long as it is open. */
int count_odd_chunk(void);

/* The least of @n figures in nanoseconds, as instructions. */
void count_report(const char *step, enum peer peer, uint64_t len, const uint64_t *ns, size_t n);

#endif /* VCM_BENCH_COUNT_H */
