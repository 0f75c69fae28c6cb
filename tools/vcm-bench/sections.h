/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is measured, a function each.
 */
#ifndef VCM_BENCH_SECTIONS_H
#define VCM_BENCH_SECTIONS_H

#include <stdint.h>

/* From the command line */
struct options {
	unsigned int rounds;	/* how many times each mapping is timed */
	unsigned int repeats;	/* how many times each step of a buffer is timed */
	uint64_t largest;	/* bytes in the largest buffer */
};

/* The first of the random sequences, and their number. */
#define SEED 1
#define SEEDS 20

/* How much of a narrow address space buffers can take. */
void section_pack(const struct options *options);
/* How long placing a buffer takes where there are many. */
void section_place(const struct options *options);
/* Whether a large buffer finds room in an address space that others left in holes. */
void section_holes(const struct options *options);
/* What it takes to map and unmap 64 MiB. */
void section_map(const struct options *options);
/* The page table entries that this takes. */
void section_leaves(const struct options *options);
/* Address spaces that are swapped under a device. */
void section_space(const struct options *options);

/* Spaces of a set, in place of mapping for each job. */
void section_set(const struct options *options);

/*
 * These write lines of fields for another program: a kind of line, and what
 * tools/vcm-bench/results.py knows about it.
 */

/* What all of it was measured on. */
void section_machine(const struct options *options);
/* Allocating, touching, copying, mapping and freeing buffers of all sizes. */
void section_steps(const struct options *options);
/* The kernel's memory that a buffer takes besides its own. */
void section_overhead(const struct options *options);
/* Allocate and close in a loop. */
void section_loop(const struct options *options);
/* What large chunks are left when memory is in pieces. */
void section_frag(const struct options *options);
/* How long it takes to get one run of memory, from the CMA heap and without it. */
void section_runs(const struct options *options);
/* Allocating and freeing, mapping and attaching in several threads. */
void section_threads(const struct options *options);

/* The same steps, counted, and those alone in which a device has a part. */
void section_count_steps(const struct options *options);
void section_count_devices(const struct options *options);
/* The same where memory is in pieces of half a chunk besides the chunks. */
void section_count_scattered(const struct options *options);
/* Allocate and close in a loop, counted. */
void section_count_loop(const struct options *options);
/* A camera: its buffers are made, filled in turn, and freed. */
void section_count_camera(const struct options *options);
/* How many calls reach the caches for a device that does not see them. */
void section_count_caches(const struct options *options);
/* The functions that the steps of the largest buffer call, and what they take. */
void section_profile(const struct options *options);

#endif /* VCM_BENCH_SECTIONS_H */
