/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the pool begin with and end with, and how they put something into it.
 */
#ifndef VCM_POOL_TEST_H
#define VCM_POOL_TEST_H

#include "vcm_test.h"

#define ALL_SIZES	0
#define SIZE_2M		DMA_HEAP_VCM_CHUNK_2M
#define SIZE_1M		DMA_HEAP_VCM_CHUNK_1M
#define SIZE_64K	DMA_HEAP_VCM_CHUNK_64K
#define SIZE_PAGE	KIB(4)

static int dev = -1;
static struct vcm_pool_params found_params;

static inline int alloc(uint64_t len, uint64_t sizes)
{
	return vcm_dev_alloc_sizes(dev, len, sizes);
}

/* Puts that much into the pool, in chunks of one size; the cap has room. */
static inline void put(uint64_t len, uint64_t size)
{
	close(alloc(len, size));
}

static inline void setup(void)
{
	dev = vcm_dev_open();
	vcm_require_pool();
	igt_require_f(vcm_page_size() == SIZE_PAGE, "sizes are chosen for 4 KiB pages\n");
	vcm_pool_params_read(&found_params);
	vcm_pool_renew(64);
	vcm_compact_memory();
}

/* The pool as it was found. */
static inline void teardown(void)
{
	vcm_pool_renew(0);
	vcm_pool_params_write(&found_params);
	close(dev);
}

#endif /* VCM_POOL_TEST_H */
