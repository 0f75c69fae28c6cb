/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says of its memory.
 */
#ifndef VCM_BENCH_MEMINFO_H
#define VCM_BENCH_MEMINFO_H

#include <stdint.h>

/* The bytes behind @key in /proc/meminfo; 0 for what this kernel does not have. */
uint64_t meminfo(const char *key);

#endif /* VCM_BENCH_MEMINFO_H */
