// SPDX-License-Identifier: MIT

#include <linux/mempolicy.h>

#include "vcm_churn.h"
#include "vcm_pool_test.h"

IGT_TEST_DESCRIPTION("The pool in which the vcm heap keeps chunks for later buffers.");

/* What other users of the machine may take while a test looks at free memory. */
#define FREE_NOISE MIB(16)
/* The part of the cap that pages may have. */
#define PAGE_PART 16

/* ---- Chunks come back ---- */

static void test_comes_back(void)
{
	struct vcm_buffer_info info;
	struct vcm_pool pool;
	int dmabuf, i;

	vcm_pool_renew(64);
	dmabuf = alloc(MIB(15) + KIB(2 * 64 + 12), ALL_SIZES);
	vcm_buffer_info_read(dmabuf, &info);
	vcm_pool_assert_empty();

	close(dmabuf);
	igt_assert_eq_u64(vcm_pool_total(), info.length);
	vcm_pool_wait_clean(&pool);
	for (i = 0; i < VCM_CHUNKS; i++)
		igt_assert_eq_u64(pool.clean[i], info.chunks[i]);

	dmabuf = alloc(info.length, ALL_SIZES);
	vcm_pool_assert_empty();
	close(dmabuf);
	igt_assert_eq_u64(vcm_pool_total(), info.length);
}

/* ---- Recycled memory is zero ---- */

/* Not a page multiple: what is behind the length is the next buffer's, too. */
#define ODD_LENGTH (MIB(3) + KIB(64) + 123)

static const struct shape {
	uint64_t len;
	uint64_t sizes;
} shapes[] = {
	{ SIZE_64K, SIZE_PAGE },
	{ SIZE_64K + SIZE_PAGE, SIZE_PAGE },
	{ SIZE_64K, SIZE_64K },
	{ SIZE_1M, SIZE_1M },
	{ SIZE_2M, SIZE_2M },
	{ 3 * SIZE_2M, SIZE_2M },
	{ ODD_LENGTH, ALL_SIZES },
	{ SIZE_1M + 3 * SIZE_64K + 5 * SIZE_PAGE, ALL_SIZES },
};

static void assert_zero_for_kernel(int dmabuf)
{
	static uint64_t copy[VCM_EDU_ACCESS_MAX / sizeof(uint64_t)];
	int importer = vcm_importer_open_reaching();
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	uint64_t at, len = vcm_buffer_size(dmabuf);

	for (at = 0; at < len; at += sizeof(copy)) {
		uint64_t part = len - at < sizeof(copy) ? len - at : sizeof(copy);

		memset(copy, 0xff, sizeof(copy));
		vcm_importer_kernel_read(importer, handle, at, part, copy);
		vcm_assert_zero(copy, part);
	}
	vcm_importer_release(importer, handle);
	close(importer);
}

/* A device that copies from a buffer into another */
struct copier {
	int importer;		/* the device */
	uint32_t from;		/* the first buffer, imported */
	uint32_t to;		/* the second buffer, imported */
	const uint64_t *words;	/* the second buffer as the CPU sees it */
};

static void assert_device_copies_zero(const struct copier *copier, uint64_t offset)
{
	vcm_importer_read(copier->importer, copier->from, offset, VCM_EDU_RAM_SIZE);
	vcm_importer_write(copier->importer, copier->to, 0, VCM_EDU_RAM_SIZE);
	vcm_assert_zero(copier->words, VCM_EDU_RAM_SIZE);
}

/*
 * A transfer takes 100 ms: the device copies both ends of a chunk of each size
 * into another buffer, where there was something else before.
 */
static void assert_zero_for_device(int dmabuf)
{
	struct copier copier = { .importer = vcm_importer_open_reaching() };
	int i, to = alloc(SIZE_PAGE, SIZE_PAGE);
	struct vcm_buffer_info info;

	vcm_buffer_info_read(dmabuf, &info);
	vcm_buffer_fill(to, 99);
	copier.words = vcm_buffer_map(to);
	copier.from = vcm_importer_import(copier.importer, dmabuf);
	copier.to = vcm_importer_import(copier.importer, to);

	for (i = 0; i < VCM_CHUNKS; i++) {
		uint64_t start = vcm_chunk_start(&info, i);

		if (!info.chunks[i])
			continue;
		assert_device_copies_zero(&copier, start);
		assert_device_copies_zero(&copier,
					  start + vcm_chunk_size(i) - VCM_EDU_RAM_SIZE);
	}
	vcm_importer_release(copier.importer, copier.from);
	vcm_importer_release(copier.importer, copier.to);
	vcm_buffer_unmap((void *)copier.words, SIZE_PAGE);
	close(to);
	close(copier.importer);
}

static const struct reader {
	const char *name;
	void (*assert_zero)(int dmabuf);
	unsigned int rounds;
} readers[] = {
	{ "cpu", vcm_buffer_assert_zero, 12 },
	{ "kernel", assert_zero_for_kernel, 8 },
	{ "device", assert_zero_for_device, 1 },
};

/* The heap takes lengths that are no whole pages. */
static int alloc_shape(const struct shape *shape)
{
	int heap, dmabuf;

	if (shape->sizes)
		return alloc(shape->len, shape->sizes);
	heap = vcm_heap_open();
	dmabuf = vcm_heap_alloc(heap, shape->len);
	close(heap);
	return dmabuf;
}

/*
 * A buffer that is the recycled one of the same shape, its chunks as the caller
 * wants them: returns -1 if the worker was faster.
 */
static int recycle(const struct shape *shape, bool clean, uint64_t seed)
{
	int dmabuf = alloc_shape(shape);
	struct vcm_pool pool;

	vcm_buffer_fill(dmabuf, seed);
	close(dmabuf);
	if (clean)
		vcm_pool_wait_clean(&pool);
	vcm_pool_read(&pool);
	igt_assert_eq_u64(pool.total, vcm_page_align(shape->len));
	if (!clean && vcm_pool_bytes(pool.dirty) != pool.total)
		return -1;

	dmabuf = alloc_shape(shape);
	if (!clean && vcm_pool_total()) {
		close(dmabuf);
		return -1;
	}
	vcm_pool_assert_empty();
	return dmabuf;
}

/* The worker waits 10 ms before it begins: most rounds are before that. */
static void test_zero_shape(const struct reader *reader, const struct shape *shape, bool clean)
{
	unsigned int round, good = 0, rounds = vcm_repeats(reader->rounds);

	for (round = 0; good < rounds; round++) {
		int dmabuf;

		igt_assert_f(round < 100 + 10 * reader->rounds, "never before the worker\n");
		vcm_pool_empty();
		dmabuf = recycle(shape, clean, round);
		if (dmabuf < 0)
			continue;
		reader->assert_zero(dmabuf);
		close(dmabuf);
		good++;
	}
}

static void test_zero(const struct reader *reader, bool clean)
{
	int i;

	vcm_pool_renew(64);
	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		test_zero_shape(reader, &shapes[i], clean);
}

static void test_zero_thousands(void)
{
	vcm_pool_renew(32);
	vcm_churn(dev, 1, vcm_repeats(4000));
	igt_assert_neq_u64(vcm_pool_total(), 0);
}

/* ---- The worker and the accounts ---- */

static void test_worker_cleans(void)
{
	struct vcm_pool pool;
	int i;

	vcm_pool_renew(64);
	put(MIB(32), SIZE_2M);
	put(MIB(8), SIZE_1M);
	put(MIB(4), SIZE_64K);
	put(MIB(2), SIZE_PAGE);
	vcm_pool_wait_clean(&pool);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_2M], 16);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_1M], 8);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_64K], 64);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_PAGE], MIB(2) / SIZE_PAGE);
	for (i = 0; i < VCM_CHUNKS; i++)
		igt_assert_eq_u64(pool.dirty[i], 0);
}

static void assert_reclaimable(uint64_t before, uint64_t bytes)
{
	igt_assert_eq_u64(vcm_ram_reclaimable() - before, bytes);
}

static void test_reclaimable(void)
{
	const uint64_t len = MIB(7) + KIB(68);
	struct vcm_pool pool;
	uint64_t before;
	int dmabuf;

	vcm_pool_renew(64);
	before = vcm_ram_reclaimable();
	dmabuf = alloc(len, ALL_SIZES);
	assert_reclaimable(before, 0);
	close(dmabuf);
	assert_reclaimable(before, len);
	vcm_pool_wait_clean(&pool);
	assert_reclaimable(before, len);
	dmabuf = alloc(len, ALL_SIZES);
	assert_reclaimable(before, 0);
	close(dmabuf);
	dmabuf = alloc(len, ALL_SIZES);
	assert_reclaimable(before, 0);
	close(dmabuf);
	vcm_pool_empty();
	assert_reclaimable(before, 0);

	vcm_pool_set_marks(2, 4);
	vcm_pool_wait_total(3 * MIB(4));
	assert_reclaimable(before, 3 * MIB(4));
	vcm_pool_renew(64);
	assert_reclaimable(before, 0);

	put(len, ALL_SIZES);
	vcm_drop_caches();
	assert_reclaimable(before, 0);
}

/* ---- The cap ---- */

static void release_again_and_again(uint64_t random)
{
	enum { BUFFERS = 8, ROUNDS = 60 };
	int dmabuf[BUFFERS];
	int i, round;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < BUFFERS; i++)
			dmabuf[i] = alloc(vcm_random_length(&random), ALL_SIZES);
		for (i = 0; i < BUFFERS; i++)
			close(dmabuf[i]);
	}
}

static void test_cap_kept(void)
{
	enum { CHILDREN = 4, CAP = 5 };
	struct vcm_crew crew;
	uint64_t most = 0;

	vcm_pool_renew(CAP);
	vcm_crew_init(&crew, CHILDREN);
	igt_fork(child, CHILDREN) {
		release_again_and_again(child);
		vcm_crew_count(&crew);
	}
	while (!vcm_crew_complete(&crew)) {
		uint64_t total = vcm_pool_total();

		if (total > most)
			most = total;
	}
	igt_waitchildren();
	vcm_crew_fini(&crew);
	igt_assert_lte_u64(most, MIB(CAP));
	igt_assert_lte_u64(vcm_pool_total(), MIB(CAP));
	igt_assert_lt_u64(MIB(CAP) / 2, most);
}

static void test_few_pages(void)
{
	vcm_pool_renew(16);
	put(SIZE_64K - SIZE_PAGE, SIZE_PAGE);
	vcm_pool_assert_empty();
	put(SIZE_2M + SIZE_PAGE, ALL_SIZES);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_2M + SIZE_PAGE);
	vcm_pool_empty();
	put(SIZE_64K, SIZE_PAGE);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_64K);
}

static void test_cap_too_small(void)
{
	vcm_pool_renew(1);
	put(SIZE_2M, SIZE_2M);
	vcm_pool_assert_empty();
	put(SIZE_1M, SIZE_1M);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_1M);
	put(SIZE_64K, SIZE_PAGE);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_1M);

	vcm_pool_renew(3);
	put(2 * SIZE_2M, SIZE_2M);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_2M);
	put(2 * SIZE_64K, SIZE_64K);
	igt_assert_eq_u64(vcm_pool_total(), SIZE_2M + 2 * SIZE_64K);
}

static void test_cap_lowered(void)
{
	static const struct {
		uint64_t size;
		uint64_t cap, kept, low_cap, left;
	} cases[] = {
		{ SIZE_2M, 96, 96, 8, 8 },
		{ SIZE_1M, 96, 96, 8, 8 },
		{ SIZE_64K, 96, 96, 8, 8 },
		{ SIZE_PAGE, 512, 512 / PAGE_PART, 64, 64 / PAGE_PART },
	};
	uint64_t free_before, reclaimable, freed;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		vcm_pool_renew(cases[i].cap);
		reclaimable = vcm_ram_reclaimable();
		put(MIB(96), cases[i].size);
		igt_assert_eq_u64(vcm_pool_total(), MIB(cases[i].kept));
		free_before = vcm_ram_unused();

		vcm_pool_set(VCM_POOL_CAP, cases[i].low_cap);
		igt_assert_eq_u64(vcm_pool_total(), MIB(cases[i].left));
		igt_assert_eq_u64(vcm_pool_total(), vcm_ram_reclaimable() - reclaimable);
		freed = MIB(cases[i].kept - cases[i].left);
		igt_assert_lt_u64(free_before + freed - FREE_NOISE, vcm_ram_unused());
		igt_assert_eq_u64(vcm_pool_param(VCM_POOL_CAP), cases[i].low_cap);
	}
}

/* It is the worker that may come behind: nobody else wakes it here. */
static void test_cap_lowered_in_refill(void)
{
	int i;

	vcm_pool_renew(128);
	vcm_pool_set(VCM_POOL_HIGH, 64);
	for (i = 0; i < 50; i++) {
		vcm_pool_set(VCM_POOL_LOW, 32);
		while (!vcm_pool_total())
			usleep(1000);
		vcm_pool_set(VCM_POOL_CAP, 0);
		vcm_pool_wait_total(0);
		vcm_pool_set(VCM_POOL_LOW, 0);
		vcm_pool_set(VCM_POOL_CAP, 128);
	}
}

static void test_off(void)
{
	uint64_t before, reclaimable;

	vcm_pool_renew(64);
	reclaimable = vcm_ram_reclaimable();
	put(MIB(32), SIZE_2M);
	before = vcm_ram_unused();
	vcm_pool_set(VCM_POOL_CAP, 0);
	vcm_pool_assert_empty();
	igt_assert_lt_u64(before + MIB(32) - FREE_NOISE, vcm_ram_unused());

	put(MIB(64), SIZE_2M);
	put(ODD_LENGTH - 123, ALL_SIZES);
	vcm_pool_assert_empty();
	igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
	igt_assert_eq_u64(vcm_pool_param(VCM_POOL_CAP), 0);
}

static void test_bad_parameters(void)
{
	static const struct {
		const char *param;
		const char *value;
		int error;
	} cases[] = {
		{ VCM_POOL_CAP, "-2", -EINVAL },
		{ VCM_POOL_CAP, "default", -EINVAL },
		{ VCM_POOL_CAP, "x", -EINVAL },
		{ VCM_POOL_CAP, "1.5", -EINVAL },
		{ VCM_POOL_CAP, "8M", -EINVAL },
		{ VCM_POOL_CAP, "\n", -EINVAL },
		{ VCM_POOL_CAP, "18446744073709551616", -ERANGE },
		{ VCM_POOL_CAP, "18446744073709551615", -ERANGE },
		{ VCM_POOL_CAP, "72057594037927936", -ERANGE },
		{ VCM_POOL_LOW, "-1", -EINVAL },
		{ VCM_POOL_LOW, "x", -EINVAL },
		{ VCM_POOL_LOW, "18446744073709551616", -ERANGE },
		{ VCM_POOL_LOW, "5", -EINVAL },
		{ VCM_POOL_HIGH, "2", -EINVAL },
		{ VCM_POOL_HIGH, "-1", -EINVAL },
		{ VCM_POOL_HIGH, "x", -EINVAL },
		{ VCM_POOL_HIGH, "18446744073709551616", -ERANGE },
		{ VCM_POOL_IDLE, "-1", -EINVAL },
		{ VCM_POOL_IDLE, "x", -EINVAL },
		{ VCM_POOL_IDLE, "86401", -ERANGE },
		{ VCM_POOL_IDLE, "4294967296", -ERANGE },
	};
	int i;

	vcm_pool_renew(7);
	vcm_pool_set_marks(3, 4);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t before = vcm_pool_param(cases[i].param);
		int ret = __vcm_pool_set(cases[i].param, cases[i].value);

		igt_assert_f(ret == cases[i].error, "%s=%s: %s\n", cases[i].param,
			     cases[i].value, strerror(-ret));
		igt_assert_eq_u64(vcm_pool_param(cases[i].param), before);
	}
	vcm_pool_set_marks(0, 0);
	vcm_pool_renew(7);
	/* The cap still holds. */
	put(MIB(32), SIZE_1M);
	igt_assert_eq_u64(vcm_pool_total(), MIB(7));
}

/* ---- Draining and refilling ---- */

/* Returns whether the worker was seen in the middle of its work. */
static bool wait_until_half_clean(void)
{
	struct vcm_pool pool;

	do {
		vcm_pool_read(&pool);
	} while (!vcm_pool_bytes(pool.clean));
	return vcm_pool_bytes(pool.dirty);
}

static void test_drain(void)
{
	unsigned int round, in_the_middle = 0;
	uint64_t reclaimable;
	struct vcm_pool pool;

	vcm_pool_renew(128);
	reclaimable = vcm_ram_reclaimable();
	vcm_pool_empty();
	vcm_pool_assert_empty();

	put(MIB(9) + KIB(68), ALL_SIZES);
	vcm_pool_empty();
	vcm_pool_assert_empty();

	put(MIB(9) + KIB(68), ALL_SIZES);
	vcm_pool_wait_clean(&pool);
	vcm_pool_empty();
	vcm_pool_assert_empty();

	for (round = 0; round < 100 && in_the_middle < 10; round++) {
		put(MIB(48), SIZE_2M);
		in_the_middle += wait_until_half_clean();
		vcm_pool_empty();
		vcm_pool_assert_empty();
	}
	igt_assert_lt(0, in_the_middle);
	igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
}

/*
 * Returns when the worker has run from its beginning to its end since the call:
 * it runs once for each of two released buffers of pages, one after the other, and what it
 * does behind the first is done before the second is clean.
 */
static void let_worker_run(void)
{
	struct vcm_pool pool;
	int i;

	for (i = 0; i < 2; i++) {
		put(SIZE_64K, SIZE_PAGE);
		vcm_pool_wait_clean(&pool);
	}
}

static void assert_large_chunks(uint64_t n_2m, uint64_t n_1m, uint64_t n_64k)
{
	struct vcm_pool pool;

	vcm_pool_read(&pool);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_2M], n_2m);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_1M], n_1m);
	igt_assert_eq_u64(pool.clean[VCM_CHUNK_64K], n_64k);
}

static void test_refill(void)
{
	int dmabuf, more;

	vcm_pool_renew(128);
	vcm_pool_set(VCM_POOL_HIGH, 8);
	let_worker_run();
	assert_large_chunks(0, 0, 0);
	vcm_pool_empty();

	vcm_pool_set(VCM_POOL_LOW, 4);
	vcm_pool_wait_total(3 * MIB(8));
	let_worker_run();
	assert_large_chunks(4, 8, 128);

	/* Down to the low mark, and not below. */
	dmabuf = alloc(2 * SIZE_2M, SIZE_2M);
	let_worker_run();
	assert_large_chunks(2, 8, 128);

	/* Below it for one of the sizes. */
	more = alloc(SIZE_2M, SIZE_2M);
	vcm_pool_wait_total(3 * MIB(8) + SIZE_64K);
	let_worker_run();
	assert_large_chunks(4, 8, 128);

	/* Refilled chunks are buffers like others. */
	vcm_buffer_assert_zero(dmabuf);
	vcm_buffer_assert_zero(more);
	close(dmabuf);
	close(more);
	let_worker_run();
	assert_large_chunks(7, 8, 128);
}

static void test_refill_cap(void)
{
	vcm_pool_renew(5);
	vcm_pool_set_marks(64, 64);
	vcm_pool_wait_total(MIB(5));
	/* From here on there is no room for the pages that wake the worker. */
	close(alloc(SIZE_2M, SIZE_2M));
	vcm_pool_wait_total(MIB(5));
	igt_assert_lte_u64(vcm_pool_total(), MIB(5));
}

static void test_refill_after_pressure(void)
{
	vcm_pool_renew(64);
	vcm_pool_set_marks(4, 4);
	vcm_pool_wait_total(3 * MIB(4));
	vcm_drop_caches();
	/* Nobody allocates or releases: it is the worker's own affair. */
	vcm_pool_wait_total(3 * MIB(4));
}

/* ---- Whose memory it is ---- */

static void test_memory_policy(void)
{
	struct vcm_pool pool;
	uint64_t total;
	int dmabuf;

	vcm_pool_renew(64);
	put(MIB(8), SIZE_2M);
	total = vcm_pool_total();

	vcm_memory_policy(MPOL_BIND, 1);
	dmabuf = alloc(SIZE_2M, SIZE_2M);
	vcm_buffer_assert_zero(dmabuf);
	igt_assert_eq_u64(vcm_pool_total(), total);
	vcm_buffer_fill(dmabuf, 1);
	close(dmabuf);
	igt_assert_eq_u64(vcm_pool_total(), total + SIZE_2M);
	vcm_memory_policy(MPOL_DEFAULT, 0);

	vcm_pool_wait_clean(&pool);
	dmabuf = alloc(total + SIZE_2M, SIZE_2M);
	vcm_pool_assert_empty();
	vcm_buffer_assert_zero(dmabuf);
}

int igt_main()
{
	static int i;

	igt_fixture()
		setup();

	vcm_subtest("comes-back", test_comes_back(),
		    "What a buffer was made of is in the pool, and makes the next one");

	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		vcm_subtest_f(test_zero(&readers[i], false),
			      "A recycled buffer is zero before the worker was there",
			      "zero-%s-dirty", readers[i].name);

		vcm_subtest_f(test_zero(&readers[i], true),
			      "A recycled buffer is zero when the worker was there",
			      "zero-%s-clean", readers[i].name);
	}

	vcm_subtest("zero-thousands", test_zero_thousands(),
		    "Thousands of recycled buffers of all sizes are zero and keep what is theirs");
	vcm_subtest("worker-cleans", test_worker_cleans(),
		    "All that is released is zeroed in the background");
	vcm_subtest("reclaimable", test_reclaimable(),
		    "The kernel counts what is in the pool, exactly, as memory it can have back");
	vcm_subtest("cap-kept", test_cap_kept(),
		    "Many that release at the same time do not fill the pool above its cap");
	vcm_subtest("few-pages", test_few_pages(),
		    "A buffer of a few pages is freed, the last pages of a larger one are kept");
	vcm_subtest("cap-too-small", test_cap_too_small(),
		    "A chunk that does not fit under the cap is freed, a smaller one is kept");
	vcm_subtest("cap-lowered", test_cap_lowered(),
		    "What is above a lowered cap is free memory at once");
	vcm_subtest("cap-lowered-in-refill", test_cap_lowered_in_refill(),
		    "Nothing stays above the cap that was on its way in when it was lowered");
	vcm_subtest("off", test_off(), "With a cap of nothing released memory is free at once");
	vcm_subtest("bad-parameters", test_bad_parameters(),
		    "Values that are no number of MiB are refused and change nothing");
	vcm_subtest("drain", test_drain(),
		    "On request all of the pool is given back, also while it is being zeroed");
	vcm_subtest("refill", test_refill(),
		    "The pool fills itself up to the high mark when it is below the low one");
	vcm_subtest("refill-respects-cap", test_refill_cap(), "A refill does not exceed the cap");
	vcm_subtest("refill-after-pressure", test_refill_after_pressure(),
		    "A refill comes again after memory was short");
	vcm_subtest("memory-policy", test_memory_policy(),
		    "Who chose where memory comes from gets none from the pool, and gives");

	igt_fixture()
		teardown();
}
