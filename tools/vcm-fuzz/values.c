// SPDX-License-Identifier: MIT
/*
 * Values that find the edges of checks.
 */

#include <string.h>

#include <linux/ioctl.h>

#include "fuzz.h"

/**
 * fuzz_value - a number that is near some limit, or any
 * @rng: random numbers
 */
uint64_t fuzz_value(struct rng *rng)
{
	static const uint64_t limits[] = {
		0, 1, 2, 16, 64, 255, 2048, 4096, 0x10000, 0x100000, 0x200000, 1ull << 28,
		1ull << 31, 1ull << 32, 1ull << 47, 1ull << 52, 1ull << 63, -4096ull, -1ull,
	};
	uint64_t kind = rng_below(rng, 16), raw = rng_next(rng), near = rng_next(rng);

	if (kind < 8)
		return limits[raw % ARRAY_SIZE(limits)];
	if (kind < 12)
		return limits[raw % ARRAY_SIZE(limits)] + near % 5 - 2;
	if (kind < 14)
		return 1ull << raw % 64;
	return kind == 14 ? raw % 4096 : raw;
}

/**
 * fuzz_length - a length that a buffer can have, short ones more often
 * @rng: random numbers
 */
uint64_t fuzz_length(struct rng *rng)
{
	uint64_t kind = rng_below(rng, 512), raw = rng_next(rng);

	if (kind < 480)
		return raw % 0x4000 + 1;
	if (kind < 510)
		return raw % 0x20000 + 1;
	return kind == 510 ? raw % FUZZ_LENGTH_MAX + 1 : FUZZ_LENGTH_MAX;
}

/**
 * fuzz_cap - keep a length from being one that takes seconds to zero
 * @w: the worker
 * @length: any length
 *
 * Returns: @length if it is short, or longer than memory.
 */
uint64_t fuzz_cap(const struct fuzz_worker *w, uint64_t length)
{
	return length > FUZZ_LENGTH_MAX && length <= w->ram ? length % 0x20000 + 1 : length;
}

/**
 * fuzz_mutate - change a word of a structure, or two, or half of the time none
 * @rng: random numbers
 * @arg: the structure
 * @size: bytes in it
 */
void fuzz_mutate(struct rng *rng, void *arg, size_t size)
{
	unsigned int n = rng_below(rng, 4), i;

	for (i = 2; i <= n; i++) {
		uint64_t value = fuzz_value(rng), at = rng_next(rng);
		size_t width = at >> 32 & 1 ? 8 : 4;

		if (size < width)
			continue;
		memcpy((char *)arg + at % (size / width) * width, &value, width);
	}
}

/**
 * fuzz_command - the number of an ioctl, sometimes changed
 * @rng: random numbers
 * @command: the number
 */
unsigned long fuzz_command(struct rng *rng, unsigned long command)
{
	uint64_t kind = rng_below(rng, 64), raw = rng_next(rng);

	switch (kind) {
	case 0:
		return command ^ 1ull << raw % 32;
	case 1:
		return (command & ~(unsigned long)IOCSIZE_MASK) | (raw % 0x4000) << IOCSIZE_SHIFT;
	case 2:
		return command ^ (unsigned long)_IOC(raw % 4, 0, 0, 0);
	case 3:
		return (command & ~0xffull) | raw % 256;
	case 4:
		return raw & 0xffffffff;
	default:
		return command;
	}
}

/**
 * fuzz_fd - a file descriptor: a buffer, another file, none
 * @w: the worker
 */
int fuzz_fd(struct fuzz_worker *w)
{
	uint64_t kind = rng_below(&w->rng, 32), raw = rng_next(&w->rng);
	const int others[] = {
		-1, 0, w->heap, w->vcm, w->edus[0], 1 << 30, INT32_MIN, INT32_MAX,
		w->syncs[raw % FUZZ_SPACES], (int)(raw >> 32), (int)(raw >> 32) & 0xff,
	};

	if (kind < 26)
		return w->buffers[raw % FUZZ_BUFFERS].fd;
	return others[raw % ARRAY_SIZE(others)];
}
