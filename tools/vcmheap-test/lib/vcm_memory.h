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

/* --- What the heap may take -------------------------------------------- */

/* All memory nodes. */
#define VCM_ALL_NODES	(~0ul)

/*
 * What a look at free memory may be off by: the CPUs keep a part of the counts for
 * themselves, and those who look take memory as well.
 */
#define VCM_RESERVE_NOISE	MIB(6)

/**
 * struct vcm_usable - memory from which buffers may come
 * @ram: bytes of all of it
 * @available: bytes that can be had without swap
 * @anon: bytes that could move to swap
 */
struct vcm_usable {
	uint64_t ram;
	int64_t available;
	uint64_t anon;
};

void vcm_usable_read(struct vcm_usable *usable, unsigned long nodes);
uint64_t vcm_reserve(const struct vcm_usable *usable);
uint64_t vcm_spare(unsigned long nodes);

/**
 * struct vcm_watch - a process that looks at memory all the time
 * @pid: the process
 * @nodes: the memory nodes that it looks at
 * @least: the least memory that was available
 * @kills: processes killed before it began
 */
struct vcm_watch {
	pid_t pid;
	unsigned long nodes;
	volatile uint64_t *least;
	uint64_t kills;
};

void vcm_watch_start(struct vcm_watch *watch);
void vcm_watch_start_nodes(struct vcm_watch *watch, unsigned long nodes);
uint64_t vcm_watch_stop(struct vcm_watch *watch);

/* --- Somebody else ----------------------------------------------------- */

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
void vcm_bystander_start_with(struct vcm_bystander *bystander, uint64_t len, unsigned int part);
void vcm_bystander_stop(struct vcm_bystander *bystander);

#endif /* VCM_MEMORY_H */
