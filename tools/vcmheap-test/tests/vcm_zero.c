// SPDX-License-Identifier: MIT

#include "vcm_churn.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("New buffers of the vcm heap show nothing of what memory held before.");

#define DIRT 0xa5

static void dirty(int dmabuf)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	memset(ptr, DIRT, len);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(ptr, len);
}

static void check_one(int heap, uint64_t len, bool leave_dirty)
{
	int dmabuf = vcm_heap_alloc(heap, len);

	vcm_buffer_assert_zero(dmabuf);
	if (leave_dirty)
		dirty(dmabuf);
	close(dmabuf);
}

static void test_first_use(int heap)
{
	static const uint64_t lengths[] = { KIB(4), KIB(64), MIB(1), MIB(2), MIB(33) };
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		check_one(heap, lengths[i], false);
}

static void test_reuse_same_size(int heap)
{
	static const uint64_t lengths[] = { KIB(4), KIB(60), KIB(64), MIB(1), MIB(2), MIB(8) };
	int i, round;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (round = 0; round < 8; round++)
			check_one(heap, lengths[i], true);
}

static void test_reuse_other_size(int heap)
{
	static const uint64_t lengths[] = {
		MIB(16), KIB(4), MIB(3) + KIB(68), KIB(124), MIB(1) + KIB(4), KIB(64),
		MIB(32) - KIB(4), KIB(8), MIB(2), MIB(1) - KIB(4),
	};
	int i, round;

	for (round = 0; round < 2; round++)
		for (i = 0; i < ARRAY_SIZE(lengths); i++)
			check_one(heap, lengths[i], true);
}

static void test_reuse_most(int heap)
{
	const uint64_t each = MIB(64);
	enum { MAX = 16 };
	int dmabuf[MAX];
	int i, n;

	n = vcm_ram_free() / 2 / each;
	igt_require_f(n > 0, "too little memory\n");
	if (n > MAX)
		n = MAX;
	for (i = 0; i < n; i++) {
		dmabuf[i] = vcm_heap_alloc(heap, each);
		dirty(dmabuf[i]);
	}
	for (i = 0; i < n; i++)
		close(dmabuf[i]);

	check_one(heap, n * each - KIB(4), false);
}

/* What is released as one size may come back as another. */
static void test_reuse_chunks(int dev)
{
	const uint64_t page = vcm_page_size(), sizes[] = {
		DMA_HEAP_VCM_CHUNK_2M, DMA_HEAP_VCM_CHUNK_64K, DMA_HEAP_VCM_CHUNK_1M, page,
		DMA_HEAP_VCM_CHUNK_2M | DMA_HEAP_VCM_CHUNK_64K, page | DMA_HEAP_VCM_CHUNK_1M,
	};
	int i, round;

	for (round = 0; round < 8; round++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			int dmabuf = vcm_dev_alloc_sizes(dev, MIB(4), sizes[i]);

			vcm_buffer_assert_zero(dmabuf);
			dirty(dmabuf);
			close(dmabuf);
		}
	}
}

static void test_reuse_others(int dev)
{
	enum { CHILDREN = 4, ROUNDS = 300 };

	igt_fork(child, CHILDREN)
		vcm_churn(dev, child, ROUNDS);
	igt_waitchildren();
}

static void test_tail(int heap)
{
	static const uint64_t lengths[] = {
		1, KIB(4) + 1, KIB(64) + 1, MIB(1) + 8, MIB(3) + 12345,
	};
	int i, round;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (round = 0; round < 8; round++)
			check_one(heap, lengths[i], true);
}

int igt_main()
{
	static int heap;

	igt_fixture()
		heap = vcm_heap_open();

	vcm_subtest("first-use", test_first_use(heap), "A new buffer is zero");
	vcm_subtest("reuse-same-size", test_reuse_same_size(heap),
		    "Memory that a buffer of the same size held before comes back zero");
	vcm_subtest("reuse-other-size", test_reuse_other_size(heap),
		    "Memory that buffers of other sizes held before comes back zero");
	vcm_subtest("reuse-most-of-memory", test_reuse_most(heap),
		    "Zero also when most of the machine's memory was in use before");

	igt_subtest_group() {
		static int dev;

		igt_fixture() {
			dev = vcm_dev_open();
			vcm_compact_memory();
		}

		vcm_subtest("reuse-each-chunk-size", test_reuse_chunks(dev),
			    "Memory comes back zero in chunks of each size");
		vcm_subtest("reuse-by-others", test_reuse_others(dev),
			    "Processes that allocate and release see nothing of each other");

		igt_fixture()
			close(dev);
	}

	vcm_subtest("tail", test_tail(heap),
		    "The bytes from the length asked for to the end of the page are zero");
}
