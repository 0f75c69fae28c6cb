// SPDX-License-Identifier: MIT

#include <poll.h>
#include <sys/ioctl.h>

#include "vcm_holders.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("CPU access periods, names and other calls on vcm heap buffers.");

static const uint64_t accesses[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };

static void test_legal(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(1));
	int i;

	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		vcm_buffer_begin(dmabuf, accesses[i]);
		vcm_buffer_end(dmabuf, accesses[i]);
	}
}

static void test_unpaired(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(1));
	int i;

	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		vcm_buffer_end(dmabuf, accesses[i]);
	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		vcm_buffer_begin(dmabuf, accesses[i]);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		vcm_buffer_end(dmabuf, accesses[i]);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
}

static void test_illegal(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(1));
	int bit;

	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_START), -EINVAL);
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_END), -EINVAL);
	for (bit = 3; bit < 64; bit++)
		igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_RW | 1ull << bit), -EINVAL);
	igt_assert_eq(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, NULL), -1);
	igt_assert_eq(errno, EFAULT);
}

static void test_any_access_mode(int heap)
{
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int dmabuf = __vcm_heap_alloc_flags(heap, KIB(4), modes[i] | O_CLOEXEC, 0);

		igt_assert(dmabuf >= 0);
		vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
		vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
		vcm_buffer_set_name(dmabuf, "mode");
		close(dmabuf);
	}
}

static void assert_name(int dmabuf, const char *name)
{
	char value[128] = "";

	vcm_fdinfo(dmabuf, "name", value, sizeof(value));
	igt_assert_f(!strcmp(value, name), "\"%s\" is shown as \"%s\"\n", name, value);
}

#define LONGEST "0123456789012345678901234567890"

static void test_name(int heap)
{
	static const char * const names[] = { "frame", "another", "x", LONGEST };
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	int i;

	assert_name(dmabuf, "");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		vcm_buffer_set_name(dmabuf, names[i]);
		assert_name(dmabuf, names[i]);
	}
}

static void test_name_refused(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(4));

	igt_assert_eq(strlen(LONGEST), DMA_BUF_NAME_LEN - 1);
	vcm_buffer_set_name(dmabuf, "kept");
	igt_assert_eq(__vcm_buffer_set_name(dmabuf, LONGEST "1"), -EINVAL);
	igt_assert_eq(__vcm_buffer_set_name(dmabuf, NULL), -EFAULT);
	assert_name(dmabuf, "kept");
}

static void test_fdinfo(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(1) + 1);
	char value[128];

	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "size"), vcm_buffer_size(dmabuf));
	igt_assert(vcm_fdinfo(dmabuf, "exp_name", value, sizeof(value)));
	igt_assert_f(!strcmp(value, DMA_HEAP_VCM_NAME), "exporter is \"%s\"\n", value);
}

static void test_seek(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(1));

	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_END), MIB(1));
	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_SET), 0);
	igt_assert(lseek(dmabuf, 1, SEEK_SET) == -1 && errno == EINVAL);
	igt_assert(lseek(dmabuf, -1, SEEK_END) == -1 && errno == EINVAL);
	igt_assert(lseek(dmabuf, 0, SEEK_CUR) == -1 && errno == EINVAL);
}

static void test_no_read_write(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, vcm_page_size());
	char byte = 0;

	igt_assert(read(dmabuf, &byte, 1) == -1 && errno == EINVAL);
	igt_assert(write(dmabuf, &byte, 1) == -1 && errno == EINVAL);
	igt_assert(ftruncate(dmabuf, MIB(1)) == -1);
	igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_size());
}

static void test_idle(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	struct pollfd poll_fd = { .fd = dmabuf, .events = POLLIN | POLLOUT };

	igt_assert_eq(poll(&poll_fd, 1, 0), 1);
	igt_assert_eq(poll_fd.revents, POLLIN | POLLOUT);
}

static void test_unknown_ioctl(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	uint64_t arg = 0;

	igt_assert_eq(ioctl(dmabuf, _IOW(DMA_BUF_BASE, 0x7f, arg), &arg), -1);
	igt_assert_eq(errno, ENOTTY);
}

int igt_main()
{
	static int heap;

	igt_fixture()
		heap = vcm_heap_open();

	vcm_subtest("legal", test_legal(heap), "Each kind of access can be begun and ended");
	vcm_subtest("unpaired", test_unpaired(heap),
		    "Periods may nest, overlap, and end without having begun");
	vcm_subtest("illegal", test_illegal(heap),
		    "Flags without a direction and unknown flags are refused");
	vcm_subtest("any-access-mode", test_any_access_mode(heap),
		    "The calls do not depend on the access mode of the file descriptor");
	vcm_subtest("name", test_name(heap),
		    "A buffer can be named, and the name is shown with its file descriptor");
	vcm_subtest("name-refused", test_name_refused(heap),
		    "Names that are too long are refused and change nothing");
	vcm_subtest("fdinfo", test_fdinfo(heap),
		    "The file descriptor tells the buffer's size and the heap it is from");
	vcm_subtest("seek", test_seek(heap),
		    "Seeking finds the end and the start, and nothing else");
	vcm_subtest("no-read-write", test_no_read_write(heap),
		    "A buffer is mapped, not read and written");
	vcm_subtest("idle", test_idle(heap), "A buffer that no device works on is ready");
	vcm_subtest("unknown-ioctl", test_unknown_ioctl(heap),
		    "Requests that nobody defined are refused");
}
