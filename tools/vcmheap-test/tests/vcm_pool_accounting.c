// SPDX-License-Identifier: MIT
/*
 * The vcm heap without its pool, where a chunk must not outlive its buffer: with
 * dma_heap.mem_accounting=1, as who pays for a buffer pays for new memory, and
 * with init_on_free=1, as what is released has to be zero at once.
 */

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The vcm heap where a chunk must not outlive its buffer.");

static int dev = -1;

static bool file_has(const char *path, const char *text)
{
	char *contents = vcm_file_read(path);
	bool found = contents && strstr(contents, text);

	free(contents);
	return found;
}

static void use_and_release(uint64_t len, uint64_t sizes)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, len, sizes);
	size_t size = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_assert_zero(ptr, size);
	vcm_fill(ptr, size, 1);
	vcm_buffer_unmap(ptr, size);
	close(dmabuf);
}

static void assert_nothing_kept(uint64_t reclaimable)
{
	static const uint64_t sizes[] = {
		DMA_HEAP_VCM_CHUNK_2M, DMA_HEAP_VCM_CHUNK_1M, DMA_HEAP_VCM_CHUNK_64K, 0,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		use_and_release(MIB(6), sizes[i]);
		vcm_pool_assert_empty();
	}
	use_and_release(MIB(3) + KIB(68), 0);
	vcm_pool_assert_empty();
	igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
}

static void test_no_cap(void)
{
	static const uint64_t caps[] = { 1, 64, 1 << 20 };
	uint64_t reclaimable = vcm_ram_reclaimable();
	struct vcm_pool pool;
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		vcm_pool_set(VCM_POOL_CAP, caps[i]);
		vcm_pool_read(&pool);
		igt_assert_eq_u64(pool.cap, 0);
		igt_assert_eq_u64(vcm_pool_param(VCM_POOL_CAP), 0);
		assert_nothing_kept(reclaimable);
	}
}

/* Each release and each mark wakes the worker. */
static void test_no_refill(void)
{
	uint64_t reclaimable = vcm_ram_reclaimable();
	int i;

	vcm_pool_set_marks(8, 8);
	for (i = 0; i < 20; i++) {
		assert_nothing_kept(reclaimable);
		usleep(10000);
	}
	vcm_pool_set_marks(0, 0);
}

static void test_zero(void)
{
	int i;

	for (i = 1; i < 200; i++)
		use_and_release(i * KIB(20), 0);
}

int igt_main()
{
	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_pool();
		igt_require_f(file_has("/sys/module/dma_heap/parameters/mem_accounting", "Y") ||
			      file_has("/proc/cmdline", "init_on_free=1"),
			      "no dma_heap.mem_accounting=1 or init_on_free=1\n");
	}

	vcm_subtest("nothing-kept", assert_nothing_kept(vcm_ram_reclaimable()),
		    "Released memory is free at once");
	vcm_subtest("no-cap", test_no_cap(), "No cap makes the heap keep something");
	vcm_subtest("no-refill", test_no_refill(),
		    "No mark makes the heap take something in advance");
	vcm_subtest("zero", test_zero(), "Buffers are zero");
}
