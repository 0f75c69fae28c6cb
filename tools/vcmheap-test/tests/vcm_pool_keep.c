// SPDX-License-Identifier: MIT

#include <sys/resource.h>

#include "vcm_pool_test.h"

IGT_TEST_DESCRIPTION("What the vcm heap's pool keeps, for how long, and what it does not keep.");

/* ---- What the worker has ---- */

static bool worker_is_busy(void)
{
	struct vcm_pool pool;

	do {
		vcm_pool_read(&pool);
	} while (!vcm_pool_bytes(pool.clean));
	return vcm_pool_bytes(pool.dirty);
}

static void test_taken_from_the_worker(void)
{
	unsigned int round, in_the_middle = 0;
	uint64_t reclaimable;
	int dmabuf;

	vcm_pool_renew(128);
	reclaimable = vcm_ram_reclaimable();
	for (round = 0; round < 100 && in_the_middle < 10; round++) {
		put(MIB(32), SIZE_2M);
		in_the_middle += worker_is_busy();
		dmabuf = alloc(MIB(32), SIZE_2M);
		vcm_pool_assert_empty();
		igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
		vcm_buffer_assert_zero(dmabuf);
		vcm_buffer_fill(dmabuf, round);
		close(dmabuf);
		vcm_pool_empty();
	}
	igt_assert_lt(0, in_the_middle);
}

/* ---- What has to make room ---- */

static void test_large_before_small(void)
{
	static const uint64_t sizes[] = { SIZE_PAGE, SIZE_64K, SIZE_1M, SIZE_2M };
	struct vcm_pool pool;
	int i;

	vcm_pool_renew(8);
	for (i = 1; i < ARRAY_SIZE(sizes); i++) {
		put(MIB(8), sizes[i - 1]);
		put(MIB(2), sizes[i]);
		igt_assert_lte_u64(MIB(2), vcm_pool_total());
		put(MIB(8), sizes[i]);
		igt_assert_eq_u64(vcm_pool_total(), MIB(8));
		/* There is no room for what is smaller. */
		put(MIB(1), sizes[i - 1]);
		vcm_pool_wait_clean(&pool);
		igt_assert_eq_u64(vcm_pool_total(), MIB(8));
		igt_assert_eq_u64(pool.clean[VCM_CHUNK_PAGE - i] *
				  vcm_chunk_size(VCM_CHUNK_PAGE - i), MIB(8));
	}

	/* Nobody goes for a chunk that has no room anyway. */
	vcm_pool_renew(1);
	put(MIB(1), SIZE_64K);
	put(MIB(2), SIZE_2M);
	igt_assert_eq_u64(vcm_pool_total(), MIB(1));
}

static void test_share_of_pages(void)
{
	vcm_pool_renew(64);
	put(MIB(16), SIZE_PAGE);
	igt_assert_eq_u64(vcm_pool_total(), MIB(64) / 16);
	put(MIB(16), SIZE_PAGE);
	igt_assert_eq_u64(vcm_pool_total(), MIB(64) / 16);
}

/* ---- What nobody needs ---- */

static void test_idle_goes(void)
{
	vcm_pool_renew(64);
	put(MIB(8), SIZE_2M);
	put(MIB(3), SIZE_64K);
	put(MIB(1), SIZE_PAGE);
	vcm_pool_set(VCM_POOL_IDLE, 2);
	vcm_pool_wait_total(0);

	/* Two buffers were needed, and then it is one, again and again. */
	put(MIB(8), SIZE_2M);
	do {
		put(MIB(4), SIZE_2M);
		usleep(1000);
	} while (vcm_pool_total() != MIB(4));

	/* For ever is for ever. */
	vcm_pool_set(VCM_POOL_IDLE, 0);
	put(MIB(8), SIZE_2M);
	sleep(3);
	igt_assert_eq_u64(vcm_pool_total(), MIB(8));
}

static void test_idle_goes_but_refilled(void)
{
	struct vcm_pool pool;

	vcm_pool_renew(64);
	vcm_pool_set_marks(2, 4);
	vcm_pool_wait_total(3 * MIB(4));
	put(MIB(16), SIZE_2M);
	put(KIB(64), SIZE_PAGE);
	igt_assert_lt_u64(3 * MIB(4), vcm_pool_total());
	vcm_pool_set(VCM_POOL_IDLE, 1);
	vcm_pool_wait_total(3 * MIB(4));
	sleep(2);
	vcm_pool_read(&pool);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_2M], 2);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_1M], 4);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_64K], 64);
	igt_assert_eq_u64(pool.total, 3 * MIB(4));
}

static void test_default_cap(void)
{
	uint64_t ram = vcm_ram_size(), cap;
	struct vcm_pool pool;

	vcm_pool_renew(8);
	igt_assert_eq(__vcm_pool_set(VCM_POOL_CAP, "-1"), 0);
	vcm_pool_read(&pool);
	cap = ram / 16 < MIB(512) ? ram / 16 : MIB(512);
	/* What CMA keeps is not the heap's. */
	igt_assert_lte_u64(pool.cap, cap);
	igt_assert_lte_u64(cap - vcm_page_size() - vcm_ram_size() / 32, pool.cap);
	igt_assert_eq_u64(vcm_pool_param(VCM_POOL_CAP), pool.cap >> 20);
}

/* ---- When others need it ---- */

/* Returns whether memory was short from the beginning to the end. */
static bool put_under_pressure(void)
{
	struct vcm_pool pool;

	put(MIB(8), SIZE_2M);
	put(MIB(1) + KIB(68), ALL_SIZES);
	vcm_pool_read(&pool);
	if (!pool.pressure)
		return false;
	igt_assert_eq_u64(pool.total, 0);
	return true;
}

static void test_not_under_pressure(void)
{
	bool seen;
	int i;

	for (seen = false, i = 0; !seen && i < 20; i++) {
		vcm_pool_renew(64);
		vcm_drop_caches();
		seen = put_under_pressure();
	}
	igt_assert(seen);

	vcm_pool_wait_relaxed();
	put(MIB(8), SIZE_2M);
	igt_assert_eq_u64(vcm_pool_total(), MIB(8));

	/* Nothing is filled in advance. */
	for (seen = false, i = 0; !seen && i < 20; i++) {
		struct vcm_pool pool;

		vcm_pool_renew(64);
		vcm_drop_caches();
		vcm_pool_set_marks(4, 8);
		usleep(100000);
		vcm_pool_read(&pool);
		seen = pool.pressure;
		igt_assert(!seen || !pool.total);
	}
	igt_assert(seen);
	vcm_pool_wait_total(3 * MIB(8));
}

/* ---- Memory in pieces ---- */

static void allow_files(rlim_t files)
{
	const struct rlimit limit = { files, files };

	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Leaves half of memory free, in chunks of 1 MiB and smaller, and none of 2 MiB. */
static void cut_memory_up(void)
{
	enum { MOST = 4096 };
	static int dmabufs[MOST];
	int i, n = 0;

	do {
		dmabufs[n] = __vcm_dev_alloc_sizes(dev, SIZE_1M, SIZE_1M);
	} while (dmabufs[n] >= 0 && ++n < MOST);
	for (i = 0; i < n; i += 2)
		close(dmabufs[i]);
	do {
		i = __vcm_dev_alloc_sizes(dev, SIZE_2M, SIZE_2M);
	} while (i >= 0);
	igt_assert_eq(i, -ENOMEM);
}

static void test_failing_keeps(void)
{
	vcm_pool_renew(0);
	igt_fork(child, 1) {
		uint64_t total;
		int i;

		allow_files(8192);
		cut_memory_up();
		vcm_pool_set(VCM_POOL_CAP, 64);
		put(MIB(8), SIZE_1M);
		put(MIB(4), SIZE_64K);
		put(MIB(1), SIZE_PAGE);
		total = vcm_pool_total();
		igt_assert_eq_u64(total, MIB(8 + 4 + 1));
		for (i = 0; i < 20; i++) {
			igt_assert_eq(__vcm_dev_alloc_sizes(dev, MIB(4), SIZE_2M), -ENOMEM);
			igt_assert_lte_u64(total - MIB(1), vcm_pool_total());
		}
	}
	igt_waitchildren();
}

/* How many 2 MiB chunks there are in half of what nobody uses. */
static uint64_t large_chunks(uint64_t len)
{
	struct vcm_buffer_info info;
	int dmabuf = alloc(len, ALL_SIZES);

	vcm_buffer_info_read(dmabuf, &info);
	close(dmabuf);
	return info.chunks[VCM_CHUNK_2M];
}

static void leave_pieces(uint64_t len)
{
	enum { EVERY = 8, MOST = 4096 };
	static int dmabufs[MOST];
	int i, n = len / KIB(512);

	igt_assert_lt(n, MOST);
	for (i = 0; i < n; i++)
		dmabufs[i] = alloc(KIB(512), SIZE_PAGE);
	for (i = 0; i < n; i += EVERY)
		close(dmabufs[i]);
	for (i = 0; i < n; i++)
		if (i % EVERY)
			close(dmabufs[i]);
}

static void test_pieces_do_not_stay(void)
{
	uint64_t len, before;
	struct vcm_pool pool;
	int dmabuf;

	vcm_pool_renew(80);
	vcm_shrink_slabs();
	len = vcm_ram_unused() / 2 / SIZE_2M * SIZE_2M;
	before = large_chunks(len);
	igt_fork(child, 1) {
		allow_files(8192);
		leave_pieces(len);
	}
	igt_waitchildren();

	/* At once there is memory for who wants it. */
	close(alloc(MIB(64), ALL_SIZES));

	vcm_pool_set(VCM_POOL_IDLE, 2);
	vcm_pool_wait_total(0);
	vcm_pool_set(VCM_POOL_IDLE, 0);
	/* The kernel has pieces of its own, between those of the buffers. */
	vcm_shrink_slabs();
	igt_assert_lte_u64(before * 3 / 4, large_chunks(len));
	vcm_pool_empty();

	dmabuf = alloc(MIB(64), SIZE_2M);
	close(dmabuf);
	vcm_pool_wait_clean(&pool);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_2M], 32);
}

int igt_main()
{
	igt_fixture()
		setup();

	vcm_subtest("taken-from-the-worker", test_taken_from_the_worker(),
		    "A chunk that is being zeroed is there for the next buffer");
	vcm_subtest("large-before-small", test_large_before_small(),
		    "Smaller chunks make room for larger ones, and not the other way round");
	vcm_subtest("share-of-pages", test_share_of_pages(),
		    "Pages have a small share of the pool");
	vcm_subtest("idle-goes", test_idle_goes(),
		    "What nobody needs is given back after a while, what is needed stays");
	vcm_subtest("idle-goes-but-refilled", test_idle_goes_but_refilled(),
		    "What was filled in advance stays");
	vcm_subtest("default-cap", test_default_cap(),
		    "The default is a sixteenth of RAM, 512 MiB at most, and can be set again");
	vcm_subtest("not-under-pressure", test_not_under_pressure(),
		    "While memory is short nothing is kept, also if there was nothing to give");
	vcm_subtest("failing-keeps", test_failing_keeps(),
		    "Who asks in vain for large chunks does not cost others the pool");
	vcm_subtest("pieces-do-not-stay", test_pieces_do_not_stay(),
		    "Memory that was left in pieces on purpose comes together again");

	igt_fixture()
		teardown();
}
