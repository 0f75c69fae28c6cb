// SPDX-License-Identifier: MIT
/*
 * The pool in which the vcm heap keeps chunks for later buffers, for tests.
 */

#include <glob.h>
#include <limits.h>
#include <sys/syscall.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_pool.h"

/* For what the pool's worker does, which rests for seconds at times. */
#define WAIT_STEPS	6000
#define WAIT_STEP_US	10000

/* Skips the test where the heap has no pool that can be seen. */
void vcm_require_pool(void)
{
	vcm_require_debugfs();
	igt_require_f(!access(VCM_DEBUGFS "pool", R_OK), "no vcm/pool in debugfs\n");
}

void vcm_pool_read(struct vcm_pool *pool)
{
	static const char * const sizes[VCM_CHUNKS] = {
		[VCM_CHUNK_2M] = "2m",
		[VCM_CHUNK_1M] = "1m",
		[VCM_CHUNK_64K] = "64k",
		[VCM_CHUNK_PAGE] = "page",
	};
	char *text = vcm_debugfs_read("pool"), name[32];
	int i;

	pool->cap = vcm_debugfs_figure(text, "cap_kb") << 10;
	pool->total = vcm_debugfs_figure(text, "total_kb") << 10;
	for (i = 0; i < VCM_CHUNKS; i++) {
		snprintf(name, sizeof(name), "clean_%s", sizes[i]);
		pool->clean[i] = vcm_debugfs_figure(text, name);
		snprintf(name, sizeof(name), "dirty_%s", sizes[i]);
		pool->dirty[i] = vcm_debugfs_figure(text, name);
	}
	pool->pressure = vcm_debugfs_figure(text, "pressure");
	pool->bad = vcm_debugfs_figure(text, "bad_kb") << 10;
	free(text);
}

/* Returns bytes in the pool. */
uint64_t vcm_pool_total(void)
{
	struct vcm_pool pool;

	vcm_pool_read(&pool);
	return pool.total;
}

/* Returns bytes in these chunks. */
uint64_t vcm_pool_bytes(const uint64_t *chunks)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < VCM_CHUNKS; i++)
		bytes += chunks[i] * vcm_chunk_size(i);
	return bytes;
}

/* Returns whether all of it is zeroed. */
bool vcm_pool_is_clean(const struct vcm_pool *pool)
{
	return vcm_pool_bytes(pool->clean) == pool->total;
}

/* Waits until all chunks in the pool are zeroed. */
void vcm_pool_wait_clean(struct vcm_pool *pool)
{
	int i;

	for (i = 0; i < WAIT_STEPS; i++) {
		vcm_pool_read(pool);
		if (vcm_pool_is_clean(pool))
			return;
		usleep(WAIT_STEP_US);
	}
	igt_assert_f(false, "%llu of %llu KiB stay dirty\n",
		     (unsigned long long)(pool->total - vcm_pool_bytes(pool->clean)) >> 10,
		     (unsigned long long)pool->total >> 10);
}

/* Waits until the pool holds that much, neither less nor more. */
void vcm_pool_wait_total(uint64_t total)
{
	uint64_t now;
	int i;

	for (i = 0; i < WAIT_STEPS; i++) {
		now = vcm_pool_total();
		if (now == total)
			return;
		usleep(WAIT_STEP_US);
	}
	igt_assert_eq_u64(now, total);
}

/* Waits until the pool takes chunks again, after memory was short. */
void vcm_pool_wait_relaxed(void)
{
	struct vcm_pool pool;
	int i;

	for (i = 0; i < WAIT_STEPS; i++) {
		vcm_pool_read(&pool);
		if (!pool.pressure)
			return;
		usleep(WAIT_STEP_US);
	}
	igt_assert_f(false, "memory stays short\n");
}

/* Asserts that the pool holds nothing, by each of its counters. */
void vcm_pool_assert_empty(void)
{
	struct vcm_pool pool;

	vcm_pool_read(&pool);
	igt_assert_eq_u64(pool.total, 0);
	igt_assert_eq_u64(vcm_pool_bytes(pool.clean), 0);
	igt_assert_eq_u64(vcm_pool_bytes(pool.dirty), 0);
}

/* Has the pool give all of its chunks back to the kernel. */
void vcm_pool_empty(void)
{
	vcm_file_assert_write(VCM_DEBUGFS "pool_drain", "1");
}

int __vcm_pool_set(const char *param, const char *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), VCM_PARAMETERS "%s", param);
	return vcm_file_write(path, value);
}

void vcm_pool_set(const char *param, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	igt_assert_eq(__vcm_pool_set(param, text), 0);
}

/* Returns its value. */
uint64_t vcm_pool_param(const char *param)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), VCM_PARAMETERS "%s", param);
	return vcm_file_read_number(path);
}

void vcm_pool_params_read(struct vcm_pool_params *params)
{
	params->cap = vcm_pool_param(VCM_POOL_CAP);
	params->low = vcm_pool_param(VCM_POOL_LOW);
	params->high = vcm_pool_param(VCM_POOL_HIGH);
	params->idle = vcm_pool_param(VCM_POOL_IDLE);
}

/*
 * @low: refill when there is less of a chunk size, in MiB
 * @high: until there is so much
 */
void vcm_pool_set_marks(uint64_t low, uint64_t high)
{
	/* At no time is the low one above the high one. */
	vcm_pool_set(VCM_POOL_LOW, 0);
	vcm_pool_set(VCM_POOL_HIGH, high);
	vcm_pool_set(VCM_POOL_LOW, low);
}

/* @params: the new values */
void vcm_pool_params_write(const struct vcm_pool_params *params)
{
	vcm_pool_set_marks(params->low, params->high);
	vcm_pool_set(VCM_POOL_CAP, params->cap);
	vcm_pool_set(VCM_POOL_IDLE, params->idle);
}

/* Makes the pool an empty one that neither fills nor empties itself. */
void vcm_pool_renew(uint64_t cap_mib)
{
	const struct vcm_pool_params params = { .cap = cap_mib };
	int i;

	vcm_pool_params_write(&params);
	/* A chunk that was on its way in comes behind the first time. */
	for (i = 0; i < WAIT_STEPS; i++) {
		vcm_pool_empty();
		if (!vcm_pool_total())
			break;
		usleep(WAIT_STEP_US);
	}
	vcm_pool_assert_empty();
	vcm_pool_wait_relaxed();
}

static uint64_t reclaimable_in(const char *path)
{
	uint64_t pages;

	/* What the CPUs have counted for themselves is collected. */
	vcm_file_assert_write("/proc/sys/vm/stat_refresh", "1");
	igt_assert_f(vcm_file_figure(path, "nr_kernel_misc_reclaimable", &pages),
		     "no nr_kernel_misc_reclaimable in %s\n", path);
	return pages * vcm_page_size();
}

/*
 * Returns bytes that the kernel counts, exactly, as memory that its drivers give back on
 * demand.
 */
uint64_t vcm_ram_reclaimable(void)
{
	return reclaimable_in("/proc/vmstat");
}

/* Returns as vcm_ram_reclaimable(), of one node. */
uint64_t vcm_node_reclaimable(unsigned int node)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/vmstat", node);
	return reclaimable_in(path);
}

/* Says where the calling thread's memory is to come from. */
void vcm_memory_policy(int mode, unsigned long nodes)
{
	igt_assert_eq(syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL,
			      nodes ? 8 * sizeof(nodes) : 0), 0);
}

/*
 * Returns bytes of memory that nobody uses. What the CPUs keep at hand is part of it,
 * unlike in vcm_ram_free(): there it can be tens of MiB.
 */
uint64_t vcm_ram_unused(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long long pages, sum = 0;
	char line[256];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %llu", &pages) == 1 ||
		    sscanf(line, " count: %llu", &pages) == 1)
			sum += pages;
	fclose(file);
	return sum * vcm_page_size();
}

/* Has the kernel call its shrinkers until they have nothing more to give. */
void vcm_drop_caches(void)
{
	vcm_file_assert_write("/proc/sys/vm/drop_caches", "2");
}

/* Has the pool and caches give up what they have, which is there but not free. */
void vcm_keep_nothing(void)
{
	vcm_pool_empty();
	vcm_drop_caches();
}

/*
 * Has the kernel give back the slabs in which no object is in use. With KASAN they go
 * only now that had freed objects: it keeps these for a while, megabytes of them, one in
 * each slab.
 */
void vcm_shrink_slabs(void)
{
	glob_t files;
	int i;

	igt_assert_eq(glob("/sys/kernel/slab/*/shrink", 0, NULL, &files), 0);
	for (i = 0; i < files.gl_pathc; i++)
		vcm_file_write(files.gl_pathv[i], "1");
	globfree(&files);
}
