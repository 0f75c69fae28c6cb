/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is measured, a function each.
 */
#ifndef VCM_BENCH_SECTIONS_H
#define VCM_BENCH_SECTIONS_H

#include <stdint.h>

/**
 * struct options - from the command line
 * @seed: of the first of the random sequences
 * @seeds: number of them
 * @rounds: how many times each mapping is timed
 */
struct options {
	uint64_t seed;
	unsigned int seeds;
	unsigned int rounds;
};

/* How much of a narrow address space buffers can take. */
void section_pack(const struct options *options);
/* Whether a large buffer finds room in an address space that others left in holes. */
void section_holes(const struct options *options);
/* What it takes to map and unmap 64 MiB. */
void section_map(const struct options *options);
/* The page table entries that this takes. */
void section_leaves(const struct options *options);
/* A thousand times in a row on a narrow device. */
void section_rounds(const struct options *options);
/* Address spaces that are swapped under a device. */
void section_space(const struct options *options);

#endif /* VCM_BENCH_SECTIONS_H */
