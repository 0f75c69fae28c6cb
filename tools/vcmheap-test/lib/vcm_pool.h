/* SPDX-License-Identifier: MIT */
/*
 * The pool in which the vcm heap keeps chunks for later buffers, for tests.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_POOL_H
#define VCM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "vcm_debugfs.h"

/* Module parameters; in MiB, the last one in seconds. */
#define VCM_POOL_CAP	"pool_mb"
#define VCM_POOL_LOW	"pool_low_mb"
#define VCM_POOL_HIGH	"pool_high_mb"
#define VCM_POOL_IDLE	"pool_idle_s"

/* The file vcm/pool */
struct vcm_pool {
	uint64_t cap;			/* bytes that the pool may hold */
	uint64_t total;			/* bytes that it holds */
	uint64_t clean[VCM_CHUNKS];	/* zeroed chunks by size */
	uint64_t dirty[VCM_CHUNKS];	/* other chunks by size */
	bool pressure;			/* whether it takes nothing, because memory is short */
	uint64_t bad;			/* bytes that are lost because the hardware failed */
};

/* The pool's module parameters */
struct vcm_pool_params {
	uint64_t cap;	/* VCM_POOL_CAP */
	uint64_t low;	/* VCM_POOL_LOW */
	uint64_t high;	/* VCM_POOL_HIGH */
	uint64_t idle;	/* VCM_POOL_IDLE */
};

void vcm_require_pool(void);

void vcm_pool_read(struct vcm_pool *pool);
uint64_t vcm_pool_total(void);
uint64_t vcm_pool_bytes(const uint64_t *chunks);
bool vcm_pool_is_clean(const struct vcm_pool *pool);
void vcm_pool_wait_clean(struct vcm_pool *pool);
void vcm_pool_wait_total(uint64_t total);
void vcm_pool_wait_relaxed(void);
void vcm_pool_assert_empty(void);

void vcm_pool_empty(void);
int __vcm_pool_set(const char *param, const char *value);
void vcm_pool_set(const char *param, uint64_t value);
uint64_t vcm_pool_param(const char *param);
void vcm_pool_set_marks(uint64_t low, uint64_t high);
void vcm_pool_params_read(struct vcm_pool_params *params);
void vcm_pool_params_write(const struct vcm_pool_params *params);
void vcm_pool_renew(uint64_t cap_mib);

uint64_t vcm_ram_reclaimable(void);
uint64_t vcm_node_reclaimable(unsigned int node);
void vcm_memory_policy(int mode, unsigned long nodes);
uint64_t vcm_ram_unused(void);
void vcm_drop_caches(void);
void vcm_keep_nothing(void);
void vcm_shrink_slabs(void);

#endif /* VCM_POOL_H */
