/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program's view of a buffer: mmap(), first touch, and copying.
 */
#ifndef VCM_BENCH_TOUCH_H
#define VCM_BENCH_TOUCH_H

#include <stdint.h>

/* Where a buffer is mapped. */
enum place {
	/* Where its chunks can have a huge page table entry each. */
	PLACE_ALIGNED,
	/* A page behind that, where none of them can. */
	PLACE_SHIFTED,
};

/* Times in nanoseconds */
struct touch {
	uint64_t mmap;	/* of mmap() */
	uint64_t touch;	/* of mmap() and of writing a byte to each step bytes */
};

struct touch touch_buffer(int dmabuf, uint64_t len, enum place place, uint64_t step);

/* Copies all of a mapped and touched buffer out of it. Returns nanoseconds. */
uint64_t copy_buffer(int dmabuf, uint64_t len);

#endif /* VCM_BENCH_TOUCH_H */
