// SPDX-License-Identifier: MIT
/*
 * What holds for buffers of a heap, whichever it is: HEAP=<name> in the environment names
 * one of /dev/dma_heap, and without it that is vcm.
 *
 * A subtest is something that holds or does not. Those that find out something, which may
 * be so or otherwise, print it in a line
 *   @found <subtest>: <what>
 * and do not fail. scripts/conformance.py makes a table of both.
 */

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "vcm_driver.h"
#include "vcm_fence.h"
#include "vcm_holders.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What holds for buffers of any DMA-BUF heap.");

#define MIXED (MIB(3) + KIB(68))
#define LARGE MIB(33)

static const char *name;
static int heap;

static void __attribute__((format(printf, 2, 3))) found(const char *subtest, const char *fmt, ...)
{
	va_list args;

	printf("@found %s: ", subtest);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ 0, "can be had" }, { EINVAL, "EINVAL" }, { ENOMEM, "ENOMEM" }, { EFAULT, "EFAULT" },
		{ E2BIG, "E2BIG" }, { EOVERFLOW, "EOVERFLOW" }, { EACCES, "EACCES" },
		{ EINTR, "EINTR" }, { EPERM, "EPERM" }, { ENOSPC, "ENOSPC" },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].error == error)
			return names[i].name;
	return strerror(error);
}

/* ---- allocation ---- */

static void test_length(void)
{
	static const uint64_t lengths[] = { 1, 100, KIB(4), KIB(4) + 1, KIB(64), MIB(1) + 1, MIXED };
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		int dmabuf = vcm_heap_alloc(heap, lengths[i]);

		igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_align(lengths[i]));
		close(dmabuf);
	}
}

static void test_zeroed(void)
{
	int times, dmabuf;

	for (times = 0; times < 3; times++) {
		dmabuf = vcm_heap_alloc(heap, MIXED);
		vcm_buffer_assert_zero(dmabuf);
		vcm_buffer_fill(dmabuf, 1);
		close(dmabuf);
	}
}

static void test_arguments(void)
{
	igt_assert_eq(__vcm_heap_alloc(heap, 0), -EINVAL);
	igt_assert_eq(__vcm_heap_alloc_flags(heap, KIB(4), O_RDWR, 1), -EINVAL);
	igt_assert_eq(__vcm_heap_alloc_flags(heap, KIB(4), O_RDWR, 1ull << 63), -EINVAL);
	igt_assert_eq(__vcm_heap_alloc_flags(heap, KIB(4), O_RDWR | O_APPEND, 0), -EINVAL);
}

static void test_descriptor(void)
{
	int plain = __vcm_heap_alloc_flags(heap, KIB(4), O_RDWR, 0);
	int closed = __vcm_heap_alloc_flags(heap, KIB(4), O_RDWR | O_CLOEXEC, 0);

	igt_assert(plain >= 0 && closed >= 0);
	igt_assert_eq(fcntl(plain, F_GETFD), 0);
	igt_assert_eq(fcntl(closed, F_GETFD), FD_CLOEXEC);
}

/* In a process that is the first to go when memory is: returns the error, or a signal's. */
static const char *try_length(uint64_t len)
{
	static char text[32];
	int status, ret;
	pid_t child;

	/* Else igt's program would be another one. */
	vcm_oom_score("0");
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		vcm_oom_score("1000");
		signal(SIGTERM, SIG_DFL);
		ret = __vcm_heap_alloc(heap, len);
		_exit(ret < 0 ? -ret : 0);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "the OOM killer came");
	else
		snprintf(text, sizeof(text), "%s", error_name(WEXITSTATUS(status)));
	return text;
}

static void test_too_long(const char *subtest, uint64_t len)
{
	const char *what = try_length(len);

	igt_assert_f(strcmp(what, "can be had"), "there is no so much memory\n");
	found(subtest, "%s", what);
}

/* ---- the CPU's mappings ---- */

static void test_shared(void)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	void *one = vcm_buffer_map(dmabuf), *two = vcm_buffer_map(dmabuf);

	vcm_fill(one, MIXED, 1);
	vcm_assert_filled(two, MIXED, 1);
	igt_fork(child, 1) {
		vcm_assert_filled(one, MIXED, 1);
		vcm_fill(two, MIXED, 2);
	}
	igt_waitchildren();
	vcm_assert_filled(one, MIXED, 2);
	vcm_buffer_unmap(one, MIXED);
	vcm_buffer_unmap(two, MIXED);
}

static void test_partial(void)
{
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	char *all = vcm_buffer_map(dmabuf);
	uint64_t at;

	vcm_fill(all, MIXED, 1);
	for (at = 0; at + 2 * page <= MIXED; at += KIB(516)) {
		char *part = vcm_buffer_map_range(dmabuf, at, 2 * page, PROT_READ);

		igt_assert(!memcmp(part, all + at, 2 * page));
		vcm_buffer_unmap(part, 2 * page);
	}
	/* And what is left of a mapping works on. */
	igt_assert_eq(munmap(all + MIB(1), MIB(1)), 0);
	igt_assert_eq(all[0], all[0]);
	vcm_assert_filled(all, MIB(1), 1);
	igt_assert_eq(munmap(all, MIB(1)), 0);
	igt_assert_eq(munmap(all + MIB(2), MIXED - MIB(2)), 0);
}

static void test_bounds(void)
{
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	void *ptr;

	igt_assert_eq(__vcm_buffer_map(dmabuf, 0, MIXED + page, PROT_READ, &ptr), -EINVAL);
	igt_assert_eq(__vcm_buffer_map(dmabuf, MIXED, page, PROT_READ, &ptr), -EINVAL);
	igt_assert_eq(__vcm_buffer_map(dmabuf, page, MIXED, PROT_READ, &ptr), -EINVAL);
}

static void test_private(void)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	void *ptr = mmap(NULL, KIB(64), PROT_READ | PROT_WRITE, MAP_PRIVATE, dmabuf, 0);

	found("mmap-private", "%s", error_name(ptr == MAP_FAILED ? errno : 0));
}

static void test_read_only(void)
{
	int dmabuf = __vcm_heap_alloc_flags(heap, KIB(64), O_RDONLY | O_CLOEXEC, 0);
	void *ptr;

	igt_assert(dmabuf >= 0);
	igt_assert_eq(__vcm_buffer_map(dmabuf, 0, KIB(64), PROT_READ | PROT_WRITE, &ptr), -EACCES);
	igt_assert_eq(__vcm_buffer_map(dmabuf, 0, KIB(64), PROT_READ, &ptr), 0);
	vcm_assert_zero(ptr, KIB(64));
	igt_assert(mprotect(ptr, KIB(64), PROT_READ | PROT_WRITE) && errno == EACCES);
	vcm_buffer_unmap(ptr, KIB(64));
}

static void test_moved(void)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	void *ptr = vcm_buffer_map(dmabuf), *moved;
	void *to = mmap(NULL, MIXED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	vcm_fill(ptr, MIXED, 1);
	moved = mremap(ptr, MIXED, MIXED, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	igt_assert(moved == to);
	vcm_assert_filled(moved, MIXED, 1);
	vcm_buffer_unmap(moved, MIXED);
}

static void test_grown(void)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	void *ptr = vcm_buffer_map(dmabuf);
	void *grown = mremap(ptr, KIB(64), KIB(128), MREMAP_MAYMOVE);

	found("mremap-grow", "%s", error_name(grown == MAP_FAILED ? errno : 0));
}

static long faults(void)
{
	struct rusage usage;

	igt_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

/* At an address that a large page may have. */
static void test_faults(void)
{
	char *room = mmap(NULL, MIB(8), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at, *ptr;
	int dmabuf = vcm_heap_alloc(heap, MIB(4));
	long before;
	size_t i;

	igt_assert(room != MAP_FAILED);
	at = (char *)(uintptr_t)(((uintptr_t)room + MIB(2) - 1) & -MIB(2));
	ptr = mmap(at, MIB(4), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf, 0);
	igt_assert(ptr == at);
	before = faults();
	for (i = 0; i < MIB(4); i += vcm_page_size())
		ptr[i] = 1;
	found("faults", "%ld", faults() - before);
}

/* For direct I/O and the like. */
static void test_pages(void)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), ends[2];
	struct iovec part = { .iov_base = vcm_buffer_map(dmabuf), .iov_len = KIB(4) };

	igt_assert_eq(pipe(ends), 0);
	found("pages-for-others", "%s", error_name(vmsplice(ends[1], &part, 1, 0) < 0 ? errno : 0));
}

/* ---- calls on a buffer ---- */

static void test_seek(void)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);

	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_END), MIXED);
	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_SET), 0);
	igt_assert(lseek(dmabuf, 1, SEEK_SET) == -1 && errno == EINVAL);
}

static void test_sync(void)
{
	static const uint64_t kinds[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		vcm_buffer_begin(dmabuf, kinds[i]);
		vcm_buffer_begin(dmabuf, kinds[i]);
		vcm_buffer_end(dmabuf, kinds[i]);
		vcm_buffer_end(dmabuf, kinds[i]);
		vcm_buffer_end(dmabuf, kinds[i]);
	}
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_START), -EINVAL);
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_RW | 1 << 8), -EINVAL);
}

static void test_name(void)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char value[64];

	vcm_buffer_set_name(dmabuf, "frame");
	igt_assert(vcm_fdinfo(dmabuf, "name", value, sizeof(value)) && !strcmp(value, "frame"));
	igt_assert_eq(__vcm_buffer_set_name(dmabuf, "01234567890123456789012345678901"), -EINVAL);
	igt_assert(vcm_fdinfo(dmabuf, "exp_name", value, sizeof(value)));
	igt_assert_f(!strcmp(value, name), "exporter is \"%s\"\n", value);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "size"), KIB(64));
}

static void test_fences(void)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), other = vcm_heap_alloc(heap, KIB(64)), fence;
	struct pollfd poll_fd = { .fd = dmabuf, .events = POLLIN | POLLOUT };
	struct pollfd poll_other = { .fd = other, .events = POLLIN | POLLOUT };
	struct vcm_pending pending;

	vcm_pending_begin(&pending, dmabuf, true);
	igt_assert_eq(poll(&poll_fd, 1, 0), 0);
	/* One buffer's work is not another's. */
	igt_assert_eq(poll(&poll_other, 1, 0), 1);
	igt_assert_eq(poll_other.revents, POLLIN | POLLOUT);
	fence = vcm_fence_export(dmabuf, DMA_BUF_SYNC_READ);
	igt_assert(!vcm_fence_signalled(fence, 0));
	vcm_pending_end(&pending);
	igt_assert(vcm_fence_signalled(fence, 30000));
	igt_assert_eq(poll(&poll_fd, 1, 30000), 1);
	igt_assert_eq(__vcm_fence_import(dmabuf, DMA_BUF_SYNC_WRITE, fence), 0);
	vcm_pending_fini(&pending);
}

/* ---- devices ---- */

/* What the CPU writes a device reads, and the other way round, at both ends of a buffer. */
static void test_device(int importer)
{
	static const uint64_t at[] = { 0, MIXED - VCM_EDU_RAM_SIZE };
	int from = vcm_heap_alloc(heap, MIXED), to = vcm_heap_alloc(heap, MIXED), i;
	uint32_t from_handle = vcm_importer_import(importer, from);
	uint32_t to_handle = vcm_importer_import(importer, to);
	char *read, *written;

	vcm_buffer_fill(from, 1);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		vcm_importer_read(importer, from_handle, at[i], VCM_EDU_RAM_SIZE);
		vcm_importer_write(importer, to_handle, at[i], VCM_EDU_RAM_SIZE);
	}
	read = vcm_buffer_map(from);
	written = vcm_buffer_map(to);
	vcm_buffer_begin(to, DMA_BUF_SYNC_READ);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		igt_assert(!memcmp(read + at[i], written + at[i], VCM_EDU_RAM_SIZE));
	vcm_buffer_end(to, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(read, MIXED);
	vcm_buffer_unmap(written, MIXED);
	vcm_importer_release(importer, from_handle);
	vcm_importer_release(importer, to_handle);
}

static void test_many_importers(int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED), vgem = drm_open_driver(DRIVER_VGEM);
	uint32_t one = vcm_importer_import(importer, dmabuf);
	uint32_t two = vcm_importer_import(importer, dmabuf);
	uint32_t gem = prime_fd_to_handle(vgem, dmabuf);

	vcm_importer_release(importer, one);
	gem_close(vgem, gem);
	vcm_importer_read(importer, two, MIXED - 8, 8);
	vcm_importer_release(importer, two);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 1);
}

static void test_outlives(int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);
	uint64_t word = 0;

	close(dmabuf);
	vcm_fill(ptr, MIXED, 1);
	vcm_buffer_unmap(ptr, MIXED);
	vcm_importer_kernel_read(importer, handle, 0, sizeof(word), &word);
	vcm_assert_filled(&word, sizeof(word), 1);
	vcm_importer_release(importer, handle);
}

static void test_vmap(int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	char *ptr = vcm_buffer_map(dmabuf), copy[64];

	vcm_fill(ptr, MIXED, 1);
	vcm_importer_kernel_read(importer, handle, MIXED - sizeof(copy), sizeof(copy), copy);
	igt_assert(!memcmp(copy, ptr + MIXED - sizeof(copy), sizeof(copy)));
	memset(copy, 0x5a, sizeof(copy));
	vcm_importer_kernel_write(importer, handle, MIB(1) - 32, sizeof(copy), copy);
	igt_assert(!memcmp(copy, ptr + MIB(1) - 32, sizeof(copy)));
	vcm_buffer_unmap(ptr, MIXED);
	vcm_importer_release(importer, handle);
}

/* One chunk of the largest size that heaps have, and many. Of how many runs is chance. */
static void test_segments(int importer, const char *subtest, uint64_t len)
{
	int dmabuf = vcm_heap_alloc(heap, len);
	struct vcm_edu_import import;

	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	found(subtest, "%s", import.nents == 1 ? "1" : "several");
	vcm_importer_release(importer, import.handle);
}

static void test_alignment(int importer)
{
	int dmabuf = vcm_heap_alloc(heap, LARGE);
	struct vcm_edu_import import;
	char text[SIZE_TEXT_LEN];
	uint64_t align;

	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	igt_assert_neq_u64(import.iova, VCM_EDU_IOVA_NONE);
	align = import.iova & -import.iova;
	if (!align || align > MIB(2))
		found("alignment", "2 MiB or more");
	else
		found("alignment", "%s", size_text(align, text));
	vcm_importer_release(importer, import.handle);
}

/* As many as a device of 28 bits gets at once. */
static void test_at_once(int importer)
{
	unsigned int nr = 0, error = 0;

	while (!error && nr < 64) {
		int dmabuf = __vcm_heap_alloc(heap, LARGE);
		struct vcm_edu_import import;

		error = dmabuf < 0 ? -dmabuf : -__vcm_importer_import(importer, dmabuf, &import);
		if (!error)
			nr++;
	}
	found("at-once", "%u", nr);
}

static void set_late(bool late)
{
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", late ? "Y" : "N");
}

/* The importer lets go of it when its device is gone. */
static void test_unbound(void)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED), importer = vcm_importer_open(0);
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	vcm_buffer_fill(dmabuf, 1);
	set_late(true);
	vcm_driver_unbind(vcm_edu_device[0]);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_importer_release(importer, handle);
	close(importer);
	vcm_buffer_assert_filled(dmabuf, 1);
	vcm_driver_bind(vcm_edu_device[0]);
	set_late(false);

	importer = vcm_importer_open(0);
	handle = vcm_importer_import(importer, dmabuf);
	vcm_importer_read(importer, handle, 0, 8);
	vcm_importer_release(importer, handle);
}

/* ---- all of them ---- */

static void subtests_alone(void)
{
	vcm_subtest("length", test_length(), "Lengths are rounded up to pages");
	vcm_subtest("zeroed", test_zeroed(), "Memory is zero, also what was used before");
	vcm_subtest("arguments", test_arguments(), "No length and unknown flags: EINVAL");
	vcm_subtest("descriptor", test_descriptor(), "O_CLOEXEC only where it is asked for");
	vcm_subtest("mmap-shared", test_shared(), "Mappings and processes see the same memory");
	vcm_subtest("mmap-partial", test_partial(), "Parts can be mapped, and unmapped");
	vcm_subtest("mmap-bounds", test_bounds(), "No mapping beyond the end: EINVAL");
	vcm_subtest("mmap-private", test_private(), "A private mapping");
	vcm_subtest("read-only", test_read_only(), "A descriptor for reading maps nothing to write");
	vcm_subtest("mremap-move", test_moved(), "A mapping can be moved");
	vcm_subtest("mremap-grow", test_grown(), "A mapping is made longer");
	vcm_subtest("faults", test_faults(), "Faults for 4 MB, page by page");
	vcm_subtest("pages-for-others", test_pages(), "Its pages for a pipe (vmsplice())");
	vcm_subtest("seek", test_seek(), "Seeking tells the size, and nothing else");
	vcm_subtest("sync", test_sync(), "Accesses nest and need no pairs; wrong flags: EINVAL");
	vcm_subtest("name", test_name(), "A buffer has a name; fdinfo has it, the size, the heap");
	vcm_subtest("fences", test_fences(), "poll(), fences taken out and put in");
	vcm_subtest("longer-than-memory", test_too_long("longer-than-memory", 2 * vcm_ram_size()),
		    "Twice the memory there is");
	vcm_subtest("longer-than-long", test_too_long("longer-than-long", 1ull << 63), "2^63 bytes");
	vcm_subtest("longest", test_too_long("longest", ~0ull), "2^64 - 1 bytes");
}

static void subtests_importer(void)
{
	static int importer;

	igt_fixture()
		importer = vcm_importer_open_reaching();

	vcm_subtest("device", test_device(importer), "What the CPU wrote a device reads, and back");
	vcm_subtest("importers", test_many_importers(importer), "Several importers, which let go");
	vcm_subtest("outlives", test_outlives(importer), "An importer alone keeps a buffer");
	vcm_subtest("vmap", test_vmap(importer), "The kernel maps it, and reads and writes");
	vcm_subtest("segments", test_segments(importer, "segments", LARGE),
		    "Segments of 33 MB for a device");
	vcm_subtest("segments-2m", test_segments(importer, "segments-2m", MIB(2)),
		    "Segments of 2 MB");
}

static void subtests_translated(void)
{
	static int importer;

	igt_fixture() {
		importer = vcm_importer_open(0);
		vcm_importer_require_translation(importer);
		vcm_edu_setup();
	}

	vcm_subtest("alignment", test_alignment(importer), "Alignment of 33 MB in a device's addresses");
	vcm_subtest("at-once", test_at_once(importer), "Buffers of 33 MB at once in a device of 28 bits");

	igt_fixture()
		close(importer);

	vcm_subtest("unbound", test_unbound(), "An importer lets go after its device has gone");
}

int igt_main()
{
	igt_fixture() {
		name = getenv("HEAP") ?: DMA_HEAP_VCM_NAME;
		heap = __vcm_heap_open(name);
		igt_require_f(heap >= 0, "no heap \"%s\": %s\n", name, strerror(-heap));
	}

	igt_subtest_group()
		subtests_alone();
	igt_subtest_group()
		subtests_importer();
	igt_subtest_group()
		subtests_translated();
}
