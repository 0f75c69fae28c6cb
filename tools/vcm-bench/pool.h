/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap's warm pool, from outside.
 */
#ifndef VCM_BENCH_POOL_H
#define VCM_BENCH_POOL_H

#include <stdint.h>

/* What it may hold, in MiB; 0 turns it off. */
unsigned long pool_cap(void);
void pool_set_cap(unsigned long mib);

/* Empty; and off too. */
void pool_drain(void);
void pool_off(void);

/* Waits until nobody has looked for memory for a while: until then it takes none. */
void pool_wait_calm(void);

/* Waits until all that it holds is zeroed, and that is at least @bytes. */
void pool_wait_clean(uint64_t bytes);

#endif /* VCM_BENCH_POOL_H */
