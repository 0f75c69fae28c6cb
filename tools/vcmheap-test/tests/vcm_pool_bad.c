// SPDX-License-Identifier: MIT
/*
 * The vcm heap and memory in which the hardware finds errors. No driver tells where
 * the memory of a buffer is; that it is allocated, and where, is in the kernel's trace.
 */

#include "vcm_pool_test.h"

IGT_TEST_DESCRIPTION("The vcm heap and memory in which the hardware finds errors.");

enum state { USED, DIRTY, CLEAN, DRAINED, STATES };

/* Buffers that are in the pool together with the bad one. */
#define BUFFERS 8
/* The pool has no pages of buffers that have fewer. */
#define PAGES (KIB(64) / SIZE_PAGE)

#define TRACING "/sys/kernel/debug/tracing/"

/* Large chunks are alone in their buffers. */
static unsigned int chunks_of(uint64_t size)
{
	return size == SIZE_PAGE ? PAGES : 1;
}

static int alloc_chunks(uint64_t size)
{
	return alloc(chunks_of(size) * size, size);
}

/* ---- What this process allocates ---- */

static void trace_write(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), TRACING "%s", file);
	vcm_file_assert_write(path, text);
}

/* Opening it so is what clears it. */
static void trace_clear(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	igt_assert(fd >= 0);
	close(fd);
}

static void trace_start(uint64_t size)
{
	unsigned int order = 0;
	char text[32];

	while (SIZE_PAGE << order < size)
		order++;
	snprintf(text, sizeof(text), "order==%u\n", order);
	trace_write("events/kmem/mm_page_alloc/filter", text);
	snprintf(text, sizeof(text), "%d\n", getpid());
	trace_write("set_event_pid", text);
	trace_write("events/kmem/mm_page_alloc/enable", "1");
	trace_clear();
}

static void trace_stop(void)
{
	trace_write("events/kmem/mm_page_alloc/enable", "0");
	trace_clear();
}

/* The addresses of what was allocated as the heap allocates. */
static unsigned int trace_blocks(uint64_t *addresses, unsigned int most)
{
	unsigned int n = 0;
	char line[512];
	FILE *file;

	file = fopen(TRACING "trace", "re");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		const char *pfn = strstr(line, " pfn=");

		/* GFP_HIGHUSER, or the same without reclaim. */
		if (!pfn || !(strstr(line, "GFP_HIGHUSER|") || strstr(line, "__GFP_HIGHMEM|")))
			continue;
		igt_assert_lt(n, most);
		addresses[n++] = strtoull(pfn + strlen(" pfn="), NULL, 0) * SIZE_PAGE;
	}
	fclose(file);
	trace_clear();
	return n;
}

/* ---- What the hardware gave up ---- */

/* The kernel says EBUSY: it can do nothing about a page that a driver has. */
static void give_up(uint64_t address)
{
	char text[32];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)address);
	igt_assert_eq(vcm_file_write("/sys/devices/system/memory/hard_offline_page", text), -EBUSY);
}

/* Returns where the chunk is that one of the released buffers had. */
static uint64_t release_with_bad(uint64_t size, enum state state)
{
	/* Not the first page of a chunk: the core looks at that one itself. */
	uint64_t in_chunk = size > SIZE_PAGE ? 3 * SIZE_PAGE : 0, bad;
	unsigned int n = BUFFERS * chunks_of(size);
	uint64_t addresses[BUFFERS * PAGES];
	struct vcm_pool pool;
	int dmabufs[BUFFERS], i;

	for (i = 0; i < BUFFERS; i++)
		dmabufs[i] = alloc_chunks(size);
	igt_assert_eq(trace_blocks(addresses, n), n);
	bad = addresses[n / 2];
	if (state == USED)
		give_up(bad + in_chunk);
	for (i = 0; i < BUFFERS; i++)
		close(dmabufs[i]);
	if (state == USED)
		igt_assert_eq_u64(vcm_pool_total(), (n - 1) * size);
	if (state == CLEAN || state == DRAINED)
		vcm_pool_wait_clean(&pool);
	if (state != USED)
		give_up(bad + in_chunk);
	if (state == DRAINED)
		vcm_pool_empty();
	return bad;
}

/* As many buffers come from the buddy allocator, and none where @bad is. */
static void assert_not_used(uint64_t size, uint64_t bad, unsigned int from_buddy)
{
	uint64_t addresses[2 * BUFFERS * PAGES];
	int dmabufs[2 * BUFFERS], i;

	for (i = 0; i < ARRAY_SIZE(dmabufs); i++) {
		dmabufs[i] = alloc_chunks(size);
		vcm_buffer_assert_zero(dmabufs[i]);
	}
	igt_assert_eq(trace_blocks(addresses, ARRAY_SIZE(addresses)), from_buddy);
	for (i = 0; i < from_buddy; i++)
		igt_assert_neq_u64(addresses[i], bad);
	for (i = 0; i < ARRAY_SIZE(dmabufs); i++)
		close(dmabufs[i]);
}

static void test_bad(uint64_t size, enum state state)
{
	struct vcm_pool before, after;
	unsigned int n = BUFFERS * chunks_of(size);
	uint64_t bad;

	vcm_pool_renew(128);
	vcm_pool_read(&before);
	trace_start(size);
	bad = release_with_bad(size, state);

	assert_not_used(size, bad, state == DRAINED ? 2 * n : n + 1);
	vcm_pool_empty();
	assert_not_used(size, bad, 2 * n);
	vcm_pool_empty();
	trace_stop();

	vcm_pool_read(&after);
	igt_assert_eq_u64(after.bad - before.bad, size > SIZE_PAGE ? size : 0);
}

static const struct {
	const char *name;
	uint64_t size;
} sizes[] = {
	{ "2m", SIZE_2M },
	{ "64k", SIZE_64K },
	{ "page", SIZE_PAGE },
};

static const char * const states[STATES] = {
	[USED] = "used",
	[DIRTY] = "dirty",
	[CLEAN] = "clean",
	[DRAINED] = "drained",
};

int igt_main()
{
	static int i;
	static enum state state;

	igt_fixture()
		setup();

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (state = USED; state < STATES; state++)
			vcm_subtest_f(test_bad(sizes[i].size, state),
				      "A chunk with a page that was given up is not used again",
				      "%s-%s", sizes[i].name, states[state]);
	}

	igt_fixture()
		teardown();
}
