// SPDX-License-Identifier: MIT
/*
 * Buffers of /dev/vcm that are one run of memory: as what is free, and as what others have
 * that can be moved.
 */

#include "vcm_test.h"
#include "vcm_view.h"

IGT_TEST_DESCRIPTION("Buffers of the vcm heap that are one run of memory.");

static int dev = -1;

/* --- Buffers ----------------------------------------------------------- */

static int __alloc(uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.flags = DMA_HEAP_VCM_CONTIGUOUS;
	return __vcm_dev_alloc(dev, &args);
}

static int alloc(uint64_t len)
{
	return vcm_dev_alloc_contiguous(dev, len);
}

/* What is said of it; and of what it says it is made of there is as much as it is long. */
static void assert_run(int dmabuf, uint64_t len)
{
	struct dma_heap_vcm_query query;
	struct vcm_buffer_info info;
	uint64_t sum = 0;
	int i;

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_length, vcm_page_align(len));
	igt_assert_eq_u64(query.out_nr_runs, 1);
	igt_assert_eq(query.out_flags, DMA_HEAP_VCM_CONTIGUOUS);
	for (i = 0; i < DMA_HEAP_VCM_NR_CHUNK_SIZES; i++)
		sum += query.out_chunks[i].size * query.out_chunks[i].count;
	igt_assert_eq_u64(sum, query.out_length);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq_u64(info.runs, 1);
}

/* --- The subtests ------------------------------------------------------ */

static const uint64_t lengths[] = {
	KIB(4), KIB(64), KIB(68), KIB(192), MIB(1), MIB(1) + KIB(4), MIB(2), MIB(3) + KIB(68),
	MIB(4), MIB(5), MIB(33), MIB(64) + KIB(4),
};

static void test_length(uint64_t len)
{
	int dmabuf = alloc(len);

	assert_run(dmabuf, len);
	vcm_buffer_assert_zero(dmabuf);
	vcm_buffer_fill(dmabuf, len);
	vcm_buffer_assert_filled(dmabuf, len);
	close(dmabuf);
	/* And again, as it may be the same memory. */
	dmabuf = alloc(len);
	vcm_buffer_assert_zero(dmabuf);
	close(dmabuf);
}

static void test_largest(void)
{
	struct dma_heap_vcm_info info;
	uint64_t before, len;
	int dmabuf, times;

	vcm_dev_info(dev, &info);
	len = info.out_contiguous_max;
	igt_assert_eq_u64(len, MIB(256));
	for (times = 0; times < 3; times++) {
		vcm_keep_nothing();
		before = vcm_ram_unused();
		dmabuf = alloc(len);
		assert_run(dmabuf, len);
		close(dmabuf);
		igt_assert_lte_u64(before, vcm_ram_unused() + MIB(16));
	}
}

static void test_refused(void)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(MIB(256) + 1);

	args.flags = DMA_HEAP_VCM_CONTIGUOUS;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -EFBIG);
	args.length = MIB(2);
	args.chunk_sizes = DMA_HEAP_VCM_CHUNK_2M;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -EINVAL);
	args.length = 0;
	args.chunk_sizes = 0;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -EINVAL);
}

static void test_moved(void)
{
	const uint64_t len = MIB(128);
	struct vcm_scattered others;
	int dmabuf, times;

	vcm_scatter(&others);
	for (times = 0; times < 4; times++) {
		dmabuf = alloc(len);
		assert_run(dmabuf, len);
		vcm_buffer_assert_zero(dmabuf);
		vcm_buffer_fill(dmabuf, times);
		vcm_scattered_assert_same(&others);
		vcm_buffer_assert_filled(dmabuf, times);
		close(dmabuf);
	}
	vcm_scattered_free(&others);
}

/* The pool has all that is free, and keeps every second piece of it. */
static void test_pool_yields(void)
{
	struct vcm_pool_params params;
	unsigned int nr = 0, i;
	static int held[4096];
	struct vcm_pool pool;
	int dmabuf;

	vcm_keep_nothing();
	vcm_pool_params_read(&params);
	vcm_pool_renew(vcm_ram_size() >> 20);
	while (vcm_spare(VCM_ALL_NODES) > MIB(64) && nr < ARRAY_SIZE(held))
		held[nr++] = vcm_dev_alloc_sizes(dev, MIB(1), DMA_HEAP_VCM_CHUNK_1M);
	for (i = 0; i < nr; i += 2)
		close(held[i]);
	vcm_pool_read(&pool);
	for (i = 1; i < nr; i += 2)
		close(held[i]);
	igt_assert_lt_u64(MIB(64), pool.total);
	dmabuf = alloc(MIB(256));
	assert_run(dmabuf, MIB(256));
	close(dmabuf);
	vcm_pool_params_write(&params);
}

static void test_reserve(void)
{
	struct vcm_bystander bystander;
	int dmabuf[256], refused, tries;
	struct vcm_usable usable;
	struct vcm_watch watch;
	unsigned int nr = 0;
	uint64_t least;

	vcm_keep_nothing();
	vcm_bystander_start(&bystander);
	vcm_watch_start(&watch);
	do
		dmabuf[nr] = __alloc(MIB(16));
	while (dmabuf[nr] >= 0 && ++nr < ARRAY_SIZE(dmabuf));
	refused = nr < ARRAY_SIZE(dmabuf) ? dmabuf[nr] : 0;
	for (tries = 0; tries < 50; tries++)
		igt_assert_eq(__alloc(MIB(256)), -ENOMEM);
	least = vcm_watch_stop(&watch);
	vcm_usable_read(&usable, VCM_ALL_NODES);
	vcm_bystander_stop(&bystander);
	igt_info("%u runs of 16 MiB, then %s; at least %llu MiB available, reserve %llu\n", nr,
		 strerror(-refused), (unsigned long long)least >> 20,
		 (unsigned long long)vcm_reserve(&usable) >> 20);
	while (nr)
		close(dmabuf[--nr]);
	igt_assert_eq(refused, -ENOMEM);
	igt_assert_lte_u64(vcm_reserve(&usable), least + VCM_RESERVE_NOISE);
}

static void churn(unsigned int seed)
{
	unsigned int round;

	for (round = 0; round < 12; round++) {
		uint64_t len = KIB(4) << (seed + round * 5) % 13;
		int dmabuf = alloc(len + KIB(4));

		vcm_buffer_assert_zero(dmabuf);
		vcm_buffer_fill(dmabuf, seed);
		vcm_buffer_assert_filled(dmabuf, seed);
		close(dmabuf);
	}
}

static void test_parallel(void)
{
	igt_fork(child, 4)
		churn(child);
	igt_waitchildren();
}

static void test_large_entries(void)
{
	const uint64_t len = MIB(33), large = MIB(32) / VCM_HUGE_SIZE;
	int dmabuf = alloc(len);
	struct vcm_view view;

	vcm_view_map(&view, dmabuf, 0, len, 0, PROT_READ | PROT_WRITE);
	igt_assert_eq(vcm_touch(view.ptr, len, vcm_page_size(), true), large);
	vcm_fill(view.ptr, len, 1);
	vcm_view_unmap(&view);
	vcm_buffer_assert_filled(dmabuf, 1);
	close(dmabuf);
}

/* From any page on, and past the borders of what it is said to be made of. */
static void test_parts(void)
{
	const uint64_t len = MIB(3) + KIB(136);
	const uint64_t borders[] = { MIB(2), MIB(3), MIB(3) + KIB(64), MIB(3) + KIB(128) };
	int dmabuf = alloc(len), i;
	char *whole = vcm_buffer_map(dmabuf);
	size_t page = vcm_page_size();

	vcm_fill(whole, len, 1);
	for (i = 0; i < ARRAY_SIZE(borders); i++) {
		char *part = vcm_buffer_map_range(dmabuf, borders[i] - page, 2 * page,
						  PROT_READ);

		igt_assert(!memcmp(part, whole + borders[i] - page, 2 * page));
		vcm_buffer_unmap(part, 2 * page);
	}
	vcm_buffer_unmap(whole, len);
	close(dmabuf);
}

static void alloc_and_free(void *unused)
{
	for (;;)
		close(__alloc(MIB(48)));
}

static void test_killed(void)
{
	struct vcm_scattered others;
	uint64_t before;
	int i;

	vcm_scatter(&others);
	vcm_keep_nothing();
	before = vcm_ram_available();
	for (i = 0; i < 8; i++)
		vcm_kill_in(alloc_and_free, NULL, 20000 * (i + 1));
	vcm_keep_nothing();
	vcm_scattered_assert_same(&others);
	igt_assert_lte_u64(before, vcm_ram_available() + MIB(16));
	vcm_scattered_free(&others);
}

int igt_main()
{
	static struct vcm_totals before;
	static int i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_more_fds(4200);
		vcm_require_pool();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		vcm_subtest_f(test_length(lengths[i]), "A buffer is one run of zeroes",
			      "length-%lluk", (unsigned long long)lengths[i] >> 10);
	vcm_subtest("parts", test_parts(), "Parts of a run are mapped as they are");
	vcm_subtest("large-entries", test_large_entries(),
		    "A run is mapped with large entries where the addresses allow it");
	vcm_subtest("refused", test_refused(),
		    "What is too long, or of chunks that were chosen, has an error of its own");
	vcm_subtest("largest", test_largest(), "The longest run can be had, again and again");
	vcm_subtest("moved", test_moved(),
		    "Memory of others is moved out of the way, and is what it was");
	vcm_subtest("pool-yields", test_pool_yields(),
		    "What waits in the pool is given up for a run");
	vcm_subtest("reserve", test_reserve(),
		    "Runs leave the reserve to others, and nobody is killed");
	vcm_subtest("parallel", test_parallel(),
		    "Several ask for runs at once, and get them");
	vcm_subtest("killed", test_killed(),
		    "Who is killed while memory is moved leaves everything as it was");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
