/* SPDX-License-Identifier: MIT */
/*
 * Memory of the machine, for tests: what is free, and who suffers when nothing
 * is.
 */
#ifndef VCM_MEMORY_H
#define VCM_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

#include "vcm_debugfs.h"
#include "vcm_heap.h"

/*
 * What other users of the machine may take while a test looks at free memory. A
 * kernel with KASAN keeps a thirty-second part of all memory from being used
 * again.
 */
#define VCM_MEMORY_NOISE	((48ull << 20) + vcm_ram_size() / 32)

/**
 * struct vcm_memory - the state of memory at some time
 * @available: bytes that can be had
 * @kills: processes killed for want of memory since the kernel started
 * @totals: of the heap
 */
struct vcm_memory {
	uint64_t available;
	uint64_t kills;
	struct vcm_totals totals;
};

void vcm_memory_read(struct vcm_memory *memory);
void vcm_memory_assert_back(const struct vcm_memory *before, const char *what);

void vcm_oom_score(const char *score);

/**
 * struct vcm_bystander - a process that uses memory as others do
 * @pid: the process
 * @turns: how often it has looked at its memory
 */
struct vcm_bystander {
	pid_t pid;
	volatile uint64_t *turns;
};

void vcm_bystander_start(struct vcm_bystander *bystander);
void vcm_bystander_stop(struct vcm_bystander *bystander);

#endif /* VCM_MEMORY_H */
