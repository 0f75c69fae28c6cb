// SPDX-License-Identifier: MIT

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What buffers of the vcm heap are made of, as debugfs shows it.");

static const struct {
	const char *name;
	uint64_t len;
} exact[] = {
	{ "4k", KIB(4) },
	{ "60k", KIB(60) },
	{ "64k", KIB(64) },
	{ "68k", KIB(68) },
	{ "1m", MIB(1) },
	{ "1m-64k-4k", MIB(1) + KIB(68) },
	{ "2m", MIB(2) },
	{ "2m-1m-64k-4k", MIB(3) + KIB(68) },
	{ "33m", MIB(33) },
	{ "odd", MIB(5) + KIB(130) + 77 },
};

static uint64_t chunks_sum(const struct vcm_buffer_info *info)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < VCM_CHUNKS; i++)
		sum += vcm_chunk_bytes(info, i);

	return sum;
}

static uint64_t chunks_count(const uint64_t *chunks)
{
	uint64_t count = 0;
	int i;

	for (i = 0; i < VCM_CHUNKS; i++)
		count += chunks[i];

	return count;
}

static void assert_consistent(const struct vcm_buffer_info *info, uint64_t len)
{
	igt_assert_eq_u64(info->length, vcm_page_align(len));
	igt_assert_eq_u64(chunks_sum(info), info->length);
	igt_assert_lte_u64(1, info->runs);
	igt_assert_lte_u64(info->runs, chunks_count(info->chunks));
}

/* The counts that a greedy choice, largest first, arrives at. */
static void greedy(uint64_t len, uint64_t *chunks)
{
	uint64_t left = vcm_page_align(len);
	int i;

	for (i = 0; i < VCM_CHUNKS; i++) {
		chunks[i] = 0;
		if (!vcm_chunk_exists(i))
			continue;
		chunks[i] = left / vcm_chunk_size(i);
		left %= vcm_chunk_size(i);
	}
}

static void test_exact(int heap, uint64_t len)
{
	struct vcm_buffer_info info;
	uint64_t want[VCM_CHUNKS];
	int dmabuf, i;

	dmabuf = vcm_heap_alloc(heap, len);
	vcm_buffer_info_read(dmabuf, &info);
	assert_consistent(&info, len);

	greedy(len, want);
	for (i = 0; i < VCM_CHUNKS; i++)
		igt_assert_f(info.chunks[i] == want[i], "%llu chunks of %llu KiB, not %llu\n",
			     (unsigned long long)info.chunks[i],
			     (unsigned long long)vcm_chunk_size(i) >> 10,
			     (unsigned long long)want[i]);
}

/*
 * Page-sized buffers take a part of memory; every other one is given back. What
 * is free then may or may not have large blocks: the sum has to be right.
 */
static void test_fragmented(int heap)
{
	enum { BUFFERS = 800 };
	struct vcm_buffer_info info;
	int dmabuf[BUFFERS];
	int i, large;

	for (i = 0; i < BUFFERS; i++)
		dmabuf[i] = vcm_heap_alloc(heap, vcm_page_size());
	for (i = 0; i < BUFFERS; i += 2)
		close(dmabuf[i]);

	large = vcm_heap_alloc(heap, MIB(33) + 1);
	vcm_buffer_info_read(large, &info);
	assert_consistent(&info, MIB(33) + 1);
}

static void assert_totals_differ(const struct vcm_totals *before,
				 const struct vcm_buffer_info *infos, int n)
{
	struct vcm_totals want = *before, now;
	int i, chunk;

	for (i = 0; i < n; i++) {
		want.buffers++;
		want.bytes += infos[i].length;
		for (chunk = 0; chunk < VCM_CHUNKS; chunk++)
			want.chunks[chunk] += infos[i].chunks[chunk];
	}
	vcm_totals_read(&now);
	igt_assert_eq_u64(now.buffers, want.buffers);
	igt_assert_eq_u64(now.bytes, want.bytes);
	for (chunk = 0; chunk < VCM_CHUNKS; chunk++)
		igt_assert_eq_u64(now.chunks[chunk], want.chunks[chunk]);
	igt_assert_eq_u64(now.attachments, want.attachments);
}

static void test_totals(int heap)
{
	static const uint64_t lengths[] = { KIB(4), KIB(68), MIB(3) + KIB(68), 1 };
	struct vcm_buffer_info infos[ARRAY_SIZE(lengths)];
	int dmabuf[ARRAY_SIZE(lengths)];
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		dmabuf[i] = vcm_heap_alloc(heap, lengths[i]);
		vcm_buffer_info_read(dmabuf[i], &infos[i]);
		assert_totals_differ(&before, infos, i + 1);
	}
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		close(dmabuf[i]);
	vcm_totals_assert_back(&before);
}

static void test_line_per_buffer(int heap)
{
	int one = vcm_heap_alloc(heap, vcm_page_size());
	int two = vcm_heap_alloc(heap, MIB(1));
	uint64_t ino = vcm_buffer_ino(one);
	struct vcm_buffer_info info;
	struct vcm_totals before;

	vcm_totals_read(&before);
	igt_assert_neq_u64(ino, vcm_buffer_ino(two));
	igt_assert_eq(vcm_buffer_lines(one), 1);
	igt_assert_eq(vcm_buffer_lines(two), 1);

	close(one);
	before.buffers--;
	before.bytes -= vcm_page_size();
	before.chunks[VCM_CHUNK_PAGE]--;
	vcm_totals_assert_back(&before);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
}

static void assert_name_shown(int dmabuf, const char *name)
{
	struct vcm_buffer_info info;

	vcm_buffer_set_name(dmabuf, name);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_f(!strcmp(info.name, name), "\"%s\" is shown as \"%s\"\n", name, info.name);
}

static void test_names(int heap)
{
	static const char * const hostile[] = {
		"two\nlines", "a b", "x attachments=7 [y", "\t", "]", "[fake unmapped]", "\xff\x01",
		"ino=1 length=1 2M=0",
	};
	int dmabuf = vcm_heap_alloc(heap, vcm_page_size());
	struct vcm_buffer_info info;
	int i;

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert(!strcmp(info.name, "-"));
	assert_name_shown(dmabuf, "frame");
	assert_name_shown(dmabuf, "camera-0.plane:1");

	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		vcm_buffer_set_name(dmabuf, hostile[i]);
		igt_assert_eq(vcm_buffer_lines(dmabuf), 1);
		vcm_buffer_info_read(dmabuf, &info);
		igt_assert_eq_u64(info.length, vcm_page_size());
		igt_assert_eq(info.attachments, 0);
	}
}

int igt_main()
{
	static int heap;
	static int i;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
		vcm_compact_memory();
	}

	for (i = 0; i < ARRAY_SIZE(exact); i++)
		vcm_subtest_f(test_exact(heap, exact[i].len),
			      "With free memory at hand, a buffer has the largest chunks that fit",
			      "exact-%s", exact[i].name);

	vcm_subtest("fragmented", test_fragmented(heap),
		    "Without free large blocks a buffer still comes, and its chunks add up");
	vcm_subtest("totals", test_totals(heap), "The totals follow buffers as they come and go");
	vcm_subtest("line-per-buffer", test_line_per_buffer(heap),
		    "Each live buffer has its line, and only live buffers have one");
	vcm_subtest("names", test_names(heap),
		    "A buffer's name is shown, and no name can break the file");
}
