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

/* The state of memory at some time */
struct vcm_memory {
	uint64_t available;	/* bytes that can be had */
	uint64_t kills;	/* processes killed for want of memory since the kernel started */
	struct vcm_totals totals;	/* of the heap */
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

/* Memory from which buffers may come */
struct vcm_usable {
	uint64_t ram;		/* bytes of all of it */
	int64_t available;	/* bytes that can be had without swap */
	uint64_t anon;		/* bytes that could move to swap */
};

void vcm_usable_read(struct vcm_usable *usable, unsigned long nodes);
uint64_t vcm_reserve(const struct vcm_usable *usable);
uint64_t vcm_spare(unsigned long nodes);

/* A process that looks at memory all the time */
struct vcm_watch {
	pid_t pid;			/* the process */
	unsigned long nodes;		/* the memory nodes that it looks at */
	volatile uint64_t *least;	/* the least memory that was available */
	uint64_t kills;			/* processes killed before it began */
};

void vcm_watch_start(struct vcm_watch *watch);
void vcm_watch_start_nodes(struct vcm_watch *watch, unsigned long nodes);
uint64_t vcm_watch_stop(struct vcm_watch *watch);

/* --- Somebody else ----------------------------------------------------- */

/* A process that uses memory as others do */
struct vcm_bystander {
	pid_t pid;			/* the process */
	volatile uint64_t *turns;	/* how often it has looked at its memory */
};

void vcm_bystander_start(struct vcm_bystander *bystander);
void vcm_bystander_start_with(struct vcm_bystander *bystander, uint64_t len, unsigned int part);
void vcm_bystander_stop(struct vcm_bystander *bystander);

/*
 * A file in memory of which every second piece was given back, and buffers that have what is
 * still whole: what is free is in pieces, and between them is what can be moved.
 */
struct vcm_scattered {
	int fd;			/* the file */
	uint64_t len;		/* bytes in it, with what was given back */
	int whole[512];		/* the buffers */
	unsigned int nr_whole;	/* how many */
};

void vcm_scatter(struct vcm_scattered *scattered);
void vcm_scattered_assert_same(const struct vcm_scattered *scattered);
void vcm_scattered_free(struct vcm_scattered *scattered);

#endif /* VCM_MEMORY_H */
