/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that come again for the same seed, on any machine.
 *
 * A step is an addition, and a number is the state put through a function that
 * spreads every bit: as good as these programs need, and any state is a seed.
 */
#ifndef VCM_RNG_H
#define VCM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	return x;
}

/* A sequence of its own for each @stream and @index of one seed. */
static inline void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream, uint64_t index)
{
	rng->state = rng_mix(rng_mix(rng_mix(seed + 1) + stream + 1) + index + 1);
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state += 0x9e3779b97f4a7c15ull;
	return rng_mix(rng->state);
}

/* 0 to @n - 1 */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* true once in @n times */
static inline bool rng_once_in(struct rng *rng, uint64_t n)
{
	return !rng_below(rng, n);
}

#define rng_pick(rng, array) \
	((array)[rng_below(rng, sizeof(array) / sizeof((array)[0]))])

#endif /* VCM_RNG_H */
