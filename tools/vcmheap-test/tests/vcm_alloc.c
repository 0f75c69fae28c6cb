// SPDX-License-Identifier: MIT

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Allocation from the vcm heap, and what it refuses.");

/* What other users of the machine may take while a test looks at free memory. */
#define FREE_NOISE MIB(48)

static const struct {
	const char *name;
	uint64_t len;
} sizes[] = {
	{ "4k", KIB(4) },
	{ "64k", KIB(64) },
	{ "1m", MIB(1) },
	{ "2m", MIB(2) },
	{ "16m", MIB(16) },
	{ "64m", MIB(64) },
	{ "256m", MIB(256) },
};

static void assert_size(int dmabuf, uint64_t len)
{
	struct stat st;

	igt_assert_eq(fstat(dmabuf, &st), 0);
	igt_assert_eq_u64(st.st_size, vcm_page_align(len));
	igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_align(len));
}

static void assert_page_usable(int dmabuf, uint64_t offset, uint64_t seed)
{
	size_t page = vcm_page_size();
	void *ptr = vcm_buffer_map_range(dmabuf, offset, page, PROT_READ | PROT_WRITE);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_fill(ptr, page, seed);
	vcm_assert_filled(ptr, page, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_unmap(ptr, page);
}

static void test_size(int heap, uint64_t len)
{
	uint64_t end = vcm_page_align(len) - vcm_page_size();
	int dmabuf;

	igt_require_f(vcm_ram_free() > len + FREE_NOISE, "too little memory\n");

	dmabuf = vcm_heap_alloc(heap, len);
	assert_size(dmabuf, len);
	assert_page_usable(dmabuf, 0, 1);
	assert_page_usable(dmabuf, end, 2);
}

static void test_odd_lengths(int heap)
{
	static const uint64_t lengths[] = {
		1, 2, 511, KIB(4) - 1, KIB(4) + 1, KIB(64) - 1, KIB(64) + 1,
		MIB(1) - 1, MIB(1) + 1, MIB(2) - 1, MIB(2) + 1, MIB(3) + KIB(68),
		MIB(33) + 12345,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		test_size(heap, lengths[i]);
}

static void test_many_at_once(int heap)
{
	static const uint64_t lengths[] = { KIB(4), KIB(68), KIB(64), MIB(1) + KIB(4), MIB(3) };
	enum { BUFFERS = 40 };
	size_t len[BUFFERS];
	void *map[BUFFERS];
	int i;

	for (i = 0; i < BUFFERS; i++) {
		int dmabuf = vcm_heap_alloc(heap, lengths[i % ARRAY_SIZE(lengths)]);

		len[i] = vcm_buffer_size(dmabuf);
		map[i] = vcm_buffer_map(dmabuf);
		vcm_fill(map[i], len[i], i);
		close(dmabuf);
	}
	for (i = 0; i < BUFFERS; i++) {
		vcm_assert_filled(map[i], len[i], i);
		vcm_buffer_unmap(map[i], len[i]);
	}
}

static void assert_fd_flags(int heap, uint32_t flags)
{
	int dmabuf = __vcm_heap_alloc_flags(heap, KIB(4), flags, 0);

	igt_assert_f(dmabuf >= 0, "fd_flags %#x: %s\n", flags, strerror(-dmabuf));
	igt_assert_eq(fcntl(dmabuf, F_GETFL) & O_ACCMODE, flags & O_ACCMODE);
	igt_assert_eq(fcntl(dmabuf, F_GETFD) & FD_CLOEXEC, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
	close(dmabuf);
}

static void test_fd_flags(int heap)
{
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_fd_flags(heap, modes[i]);
		assert_fd_flags(heap, modes[i] | O_CLOEXEC);
	}
}

static void test_heap_read_only(void)
{
	int heap = open("/dev/dma_heap/" DMA_HEAP_VCM_NAME, O_RDONLY | O_CLOEXEC);
	int dmabuf;

	igt_assert(heap >= 0);
	dmabuf = vcm_heap_alloc(heap, MIB(1));
	assert_page_usable(dmabuf, 0, 1);
}

static void test_refuses_fd(int heap)
{
	static const int fds[] = { 1, 3, -1, INT32_MAX };
	int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		struct dma_heap_allocation_data data = {
			.len = KIB(4),
			.fd = fds[i],
			.fd_flags = O_RDWR | O_CLOEXEC,
		};

		igt_assert_eq(vcm_ioctl_again(heap, DMA_HEAP_IOCTL_ALLOC, &data), -EINVAL);
		igt_assert_eq(data.fd, fds[i]);
	}
}

static void test_refuses_fd_flags(int heap)
{
	static const uint32_t flags[] = {
		O_CREAT, O_NONBLOCK, O_APPEND, O_SYNC, O_DIRECT, O_PATH, O_TMPFILE,
		1u << 31, ~0u,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		igt_assert_eq(__vcm_heap_alloc_flags(heap, KIB(4), O_RDWR | flags[i], 0),
			      -EINVAL);
}

static void test_refuses_heap_flags(int heap)
{
	int bit;

	for (bit = 0; bit < 64; bit++)
		igt_assert_eq(__vcm_heap_alloc_flags(heap, KIB(4), O_RDWR, 1ull << bit),
			      -EINVAL);
}

static void test_refuses_length_zero(int heap)
{
	igt_assert_eq(__vcm_heap_alloc(heap, 0), -EINVAL);
}

static void test_refuses_length_overflow(int heap)
{
	igt_assert_eq(__vcm_heap_alloc(heap, UINT64_MAX), -EINVAL);
	igt_assert_eq(__vcm_heap_alloc(heap, UINT64_MAX - vcm_page_size() + 2), -EINVAL);
}

static void test_refuses_length_beyond_ram(int heap)
{
	static const uint64_t huge[] = {
		1ull << 40, 1ull << 44, 1ull << 51, 1ull << 62, 1ull << 63, INT64_MAX,
	};
	uint64_t before = vcm_ram_handed_out();
	int i;

	igt_assert_eq(__vcm_heap_alloc(heap, vcm_ram_size() + 1), -ENOMEM);
	igt_assert_eq(__vcm_heap_alloc(heap, vcm_heap_max(vcm_ram_size() * 2)), -ENOMEM);
	igt_assert_eq(__vcm_heap_alloc(heap, UINT64_MAX - vcm_page_size() + 1), -ENOMEM);
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		igt_assert_eq(__vcm_heap_alloc(heap, huge[i]), vcm_heap_error(huge[i]));

	/* Seen from the start that it cannot be had, not tried and given up. */
	igt_assert_lt_u64(vcm_ram_handed_out(), before + FREE_NOISE);
}

static void test_refuses_bad_pointer(int heap)
{
	struct dma_heap_allocation_data data = { .len = KIB(4), .fd_flags = O_RDWR };
	struct vcm_totals before;
	size_t page = vcm_page_size();
	void *read_only;
	int fd;

	vcm_require_debugfs();
	vcm_totals_read(&before);
	fd = dup(heap);
	close(fd);

	igt_assert_eq(vcm_ioctl_again(heap, DMA_HEAP_IOCTL_ALLOC, NULL), -EFAULT);

	read_only = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(read_only != MAP_FAILED);
	memcpy(read_only, &data, sizeof(data));
	igt_assert_eq(mprotect(read_only, page, PROT_READ), 0);
	igt_assert_eq(vcm_ioctl_again(heap, DMA_HEAP_IOCTL_ALLOC, read_only), -EFAULT);
	munmap(read_only, page);

	vcm_totals_assert_back(&before);
	igt_assert_eq(dup(heap), fd);
}

static void test_refuses_unknown_ioctl(int heap)
{
	struct dma_heap_allocation_data data = { .len = KIB(4), .fd_flags = O_RDWR };

	igt_assert_eq(ioctl(heap, _IOWR(DMA_HEAP_IOC_MAGIC, 0x7f, data), &data), -1);
	igt_assert_eq(errno, EINVAL);
}

/*
 * As large as the heap will try: all of memory, part of which is always in use.
 * Should somebody die of it, then the child, and the test can tell.
 */
static void test_out_of_memory(int heap)
{
	uint64_t kills = vcm_oom_kills();
	uint64_t free_before = vcm_ram_free();
	struct vcm_totals before;

	vcm_require_debugfs();
	vcm_totals_read(&before);

	igt_fork(child, 1) {
		vcm_oom_score("1000");
		igt_assert_eq(__vcm_heap_alloc(heap, vcm_ram_size()), -ENOMEM);
	}
	vcm_oom_score("-1000");
	igt_waitchildren();
	vcm_oom_score("0");

	igt_assert_eq_u64(vcm_oom_kills(), kills);
	vcm_totals_assert_back(&before);
	igt_assert_lt_u64(free_before, vcm_ram_free() + FREE_NOISE);
}

static void test_out_of_fds(int heap)
{
	struct rlimit old, none;
	struct vcm_totals before;
	uint64_t free_before;
	int i;

	vcm_require_debugfs();
	vcm_totals_read(&before);
	free_before = vcm_ram_free();

	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = vcm_next_fd(heap);
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (i = 0; i < 16; i++) {
		int ret = __vcm_heap_alloc(heap, MIB(8));

		if (ret != -EMFILE)
			setrlimit(RLIMIT_NOFILE, &old);
		igt_assert_eq(ret, -EMFILE);
	}
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);

	vcm_totals_assert_back(&before);
	igt_assert_lt_u64(free_before, vcm_ram_free() + FREE_NOISE);
}

struct allocation {
	int heap;
	uint64_t len;
};

static void allocate(void *data)
{
	const struct allocation *allocation = data;

	__vcm_heap_alloc(allocation->heap, allocation->len);
}

/* Returns how much was allocated for the process until it was dead. */
static uint64_t kill_allocation(int heap, uint64_t len, unsigned int delay_us)
{
	struct allocation allocation = { .heap = heap, .len = len };
	uint64_t before = vcm_ram_handed_out();

	vcm_kill_in(allocate, &allocation, delay_us);
	return vcm_ram_handed_out() - before;
}

/* On a fast machine the first kills come too late: sooner then. */
static void test_killed(int heap)
{
	const uint64_t len = MIB(256);
	unsigned int delay_us = 200000, in_the_middle = 0;
	struct vcm_totals before;
	uint64_t free_before;
	int i;

	igt_require_f(vcm_ram_free() > len + FREE_NOISE, "too little memory\n");
	vcm_require_debugfs();
	vcm_totals_read(&before);
	free_before = vcm_ram_free();

	for (i = 0; i < 10 && in_the_middle < 3; i++) {
		if (kill_allocation(heap, len, delay_us) < len)
			in_the_middle++;
		else
			delay_us /= 4;
		vcm_totals_assert_back(&before);
	}
	igt_assert_f(in_the_middle, "a killed process goes on to allocate\n");
	igt_assert_lt_u64(free_before, vcm_ram_free() + FREE_NOISE);
}

int igt_main()
{
	static int heap;
	static int i;

	igt_fixture()
		heap = vcm_heap_open();

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		vcm_subtest_f(test_size(heap, sizes[i].len),
			      "Buffers of the common sizes can be used from end to end",
			      "size-%s", sizes[i].name);

	vcm_subtest("odd-lengths", test_odd_lengths(heap),
		    "Any length is served, rounded up to whole pages");
	vcm_subtest("many-at-once", test_many_at_once(heap),
		    "Buffers that live at the same time do not share memory");
	vcm_subtest("fd-flags", test_fd_flags(heap),
		    "The access mode and the close-on-exec flag asked for are the ones that come");
	vcm_subtest("heap-opened-read-only", test_heap_read_only(),
		    "A heap opened for reading serves allocations, as some programs open it so");
	vcm_subtest("refuses-fd", test_refuses_fd(heap), "A file descriptor handed in is refused");
	vcm_subtest("refuses-fd-flags", test_refuses_fd_flags(heap),
		    "Open flags that mean nothing for a buffer are refused");
	vcm_subtest("refuses-heap-flags", test_refuses_heap_flags(heap),
		    "Heap flags that nobody defined are refused");
	vcm_subtest("refuses-length-zero", test_refuses_length_zero(heap),
		    "A buffer of no bytes is refused");
	vcm_subtest("refuses-length-overflow", test_refuses_length_overflow(heap),
		    "A length that wraps around when rounded up to pages is refused");
	vcm_subtest("refuses-length-beyond-ram", test_refuses_length_beyond_ram(heap),
		    "A buffer larger than memory is refused");
	vcm_subtest("refuses-bad-pointer", test_refuses_bad_pointer(heap),
		    "A bad argument pointer is an error and leaves nothing behind");
	vcm_subtest("refuses-unknown-ioctl", test_refuses_unknown_ioctl(heap),
		    "Requests other than an allocation are refused");
	vcm_subtest("out-of-memory", test_out_of_memory(heap),
		    "A buffer that memory cannot hold fails, and no process dies of it");
	vcm_subtest("out-of-fds", test_out_of_fds(heap),
		    "An allocation that finds no free file descriptor leaves nothing behind");
	vcm_subtest("killed", test_killed(heap),
		    "A process killed in the middle of an allocation leaves nothing behind");
}
