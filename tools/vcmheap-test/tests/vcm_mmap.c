// SPDX-License-Identifier: MIT
/*
 * Mappings of vcm heap buffers into a process.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "igt.h"
#include "vcm_heap.h"

/**
 * TEST: vcm mmap
 * Category: Core
 * Mega feature: General Core features
 * Sub-category: dmabuf
 * Functionality: dma-buf heaps
 * Description: Mappings of buffers into a process.
 *
 * SUBTEST: whole
 * Description: A mapping of the whole buffer reaches each of its bytes once.
 *
 * SUBTEST: partial
 * Description: A mapping of a part shows that part, wherever it starts.
 *
 * SUBTEST: repeated
 * Description: Mappings of the same buffer show the same memory.
 *
 * SUBTEST: pieces-of-a-mapping
 * Description: Parts of a mapping can be unmapped and the rest goes on to work.
 *
 * SUBTEST: fixed-address
 * Description: A buffer can be mapped at an address the process chose.
 *
 * SUBTEST: private-refused
 * Description: A private copy cannot be had.
 *
 * SUBTEST: past-the-end-refused
 * Description: No mapping reaches beyond the buffer.
 *
 * SUBTEST: offset-overflow-refused
 * Description: Offsets near the end of the number range do not wrap around.
 *
 * SUBTEST: unaligned-offset-refused
 * Description: A mapping starts at a page.
 *
 * SUBTEST: cannot-grow
 * Description: A mapping cannot be made to grow beyond what was mapped.
 *
 * SUBTEST: moves
 * Description: A mapping can be moved to another address.
 *
 * SUBTEST: flags
 * Description: Mappings are shared, stay out of core dumps and cannot grow.
 *
 * SUBTEST: permissions
 * Description: A mapping allows no more than the file descriptor does.
 *
 * SUBTEST: protection
 * Description: A mapping's protection can be changed within what the descriptor allows.
 */

IGT_TEST_DESCRIPTION("Mappings of vcm heap buffers into a process.");

/* One chunk of each size on a machine with free memory. */
#define MIXED (MIB(3) + KIB(68))

static int map_errno(int dmabuf, uint64_t offset, size_t len, int prot)
{
	void *ptr;
	int ret = __vcm_buffer_map(dmabuf, offset, len, prot, &ptr);

	if (!ret)
		munmap(ptr, len);
	return ret;
}

static int map_rw_errno(int dmabuf, uint64_t offset, size_t len)
{
	return map_errno(dmabuf, offset, len, PROT_READ | PROT_WRITE);
}

/* Writes each page's number into it, so that a page reached twice is seen. */
static void test_whole(int heap)
{
	const uint64_t len = MIB(33) + KIB(68);
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, len);
	char *ptr = vcm_buffer_map(dmabuf);
	uint64_t at;

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	for (at = 0; at < len; at += page) {
		*(uint64_t *)(ptr + at) = at;
		*(uint64_t *)(ptr + at + page - 8) = ~at;
	}
	for (at = 0; at < len; at += page) {
		igt_assert_eq_u64(*(uint64_t *)(ptr + at), at);
		igt_assert_eq_u64(*(uint64_t *)(ptr + at + page - 8), ~at);
	}
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_unmap(ptr, len);
	close(dmabuf);
}

static void assert_part(int dmabuf, const char *whole, uint64_t offset, size_t len)
{
	void *part = vcm_buffer_map_range(dmabuf, offset, len, PROT_READ);

	igt_assert_f(!memcmp(part, whole + offset, len), "part at %#llx, %#zx bytes\n",
		     (unsigned long long)offset, len);
	vcm_buffer_unmap(part, len);
}

static void test_partial(int heap)
{
	static const uint64_t borders[] = { MIB(2), MIB(3), MIB(3) + KIB(64) };
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint64_t size = vcm_buffer_size(dmabuf);
	char *whole = vcm_buffer_map(dmabuf);
	int i;

	vcm_fill(whole, size, 1);
	assert_part(dmabuf, whole, 0, page);
	assert_part(dmabuf, whole, page, size - page);
	assert_part(dmabuf, whole, size - page, page);
	for (i = 0; i < ARRAY_SIZE(borders); i++) {
		assert_part(dmabuf, whole, borders[i] - page, page);
		assert_part(dmabuf, whole, borders[i], page);
		assert_part(dmabuf, whole, borders[i] - page, 2 * page);
	}
	vcm_buffer_unmap(whole, size);
	close(dmabuf);
}

static void test_repeated(int heap)
{
	enum { MAPPINGS = 16 };
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	size_t size = vcm_buffer_size(dmabuf);
	void *map[MAPPINGS];
	int i;

	for (i = 0; i < MAPPINGS; i++)
		map[i] = vcm_buffer_map(dmabuf);
	for (i = 0; i < MAPPINGS; i++) {
		vcm_fill(map[i], size, i);
		vcm_assert_filled(map[(i + 1) % MAPPINGS], size, i);
	}
	for (i = 0; i < MAPPINGS; i++)
		vcm_buffer_unmap(map[i], size);
	close(dmabuf);
}

static void test_pieces(int heap)
{
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char *ptr = vcm_buffer_map(dmabuf);

	vcm_fill(ptr, KIB(64), 1);
	vcm_buffer_unmap(ptr + 4 * page, 2 * page);
	vcm_assert_filled(ptr, 4 * page, 1);
	vcm_buffer_unmap(ptr, page);
	vcm_buffer_unmap(ptr + page, 3 * page);
	vcm_fill(ptr + 6 * page, page, 2);
	vcm_buffer_unmap(ptr + 6 * page, KIB(64) - 6 * page);

	ptr = vcm_buffer_map_range(dmabuf, 6 * page, page, PROT_READ);
	vcm_assert_filled(ptr, page, 2);
	vcm_buffer_unmap(ptr, page);
	close(dmabuf);
}

static void test_fixed(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	size_t size = vcm_buffer_size(dmabuf);
	char *area, *aligned, *ptr;

	area = mmap(NULL, 2 * MIB(4), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(area != MAP_FAILED);
	aligned = (char *)(((uintptr_t)area + MIB(2) - 1) & ~(uintptr_t)(MIB(2) - 1));

	ptr = mmap(aligned, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf, 0);
	igt_assert(ptr == aligned);
	vcm_fill(ptr, size, 1);
	vcm_assert_filled(ptr, size, 1);
	munmap(area, 2 * MIB(4));
	close(dmabuf);
}

static void test_private_refused(int heap)
{
	static const int prots[] = { PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE };
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	int i;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		void *ptr = mmap(NULL, KIB(64), prots[i], MAP_PRIVATE, dmabuf, 0);

		igt_assert(ptr == MAP_FAILED);
		igt_assert_eq(errno, EINVAL);
	}
	close(dmabuf);
}

static void test_past_the_end(int heap)
{
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint64_t size = vcm_buffer_size(dmabuf);

	igt_assert_eq(map_rw_errno(dmabuf, 0, size + 1), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, 0, size * 2), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, page, size), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, size - page, 2 * page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, size, page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, MIB(1024) * 1024, page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, 0, size - 1), 0);
	igt_assert_eq(map_rw_errno(dmabuf, 0, 0), -EINVAL);
	close(dmabuf);
}

/* The last page offset passes the core's own check when the length is one page. */
static void test_offset_overflow(int heap)
{
	uint64_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, KIB(64));

	igt_assert_eq(map_rw_errno(dmabuf, -page, page), -EOVERFLOW);
	igt_assert_eq(map_rw_errno(dmabuf, -page, 2 * page), -EOVERFLOW);
	igt_assert_eq(map_rw_errno(dmabuf, -2 * page, page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, (1ull << 63), page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, (1ull << 63) - page, page), -EINVAL);
	close(dmabuf);
}

static void test_unaligned_offset(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));

	igt_assert_eq(map_rw_errno(dmabuf, 1, 1), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, vcm_page_size() / 2, 1), -EINVAL);
	close(dmabuf);
}

static int remap_errno(void *ptr, size_t old_len, size_t new_len)
{
	if (mremap(ptr, old_len, new_len, MREMAP_MAYMOVE) != MAP_FAILED)
		return 0;
	return -errno;
}

static void test_cannot_grow(int heap)
{
	size_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char *part = vcm_buffer_map_range(dmabuf, 0, KIB(32), PROT_READ | PROT_WRITE);
	char *end = vcm_buffer_map_range(dmabuf, KIB(60), KIB(4), PROT_READ | PROT_WRITE);

	igt_assert_eq(remap_errno(end, KIB(4), KIB(8)), -EFAULT);
	igt_assert_eq(remap_errno(part, KIB(32), KIB(64)), -EFAULT);
	igt_assert_eq(remap_errno(part, 0, KIB(32)), -EFAULT);
	igt_assert_eq(remap_errno(part, KIB(32), page), 0);
	vcm_buffer_unmap(part, page);
	vcm_buffer_unmap(end, KIB(4));
	close(dmabuf);
}

static void test_moves(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char *ptr = vcm_buffer_map(dmabuf);
	char *area, *moved;

	vcm_fill(ptr, KIB(64), 1);
	area = mmap(NULL, KIB(64), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(area != MAP_FAILED);
	moved = mremap(ptr, KIB(64), KIB(64), MREMAP_MAYMOVE | MREMAP_FIXED, area);
	igt_assert(moved == area);
	vcm_assert_filled(moved, KIB(64), 1);
	vcm_buffer_unmap(moved, KIB(64));
	close(dmabuf);
}

/* Puts the two-letter flags of the mapping at @ptr into @flags. */
static void mapping_flags(const void *ptr, char *flags, size_t len)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool found = false;
	char line[512];

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			found = start == (unsigned long)ptr;
		} else if (found && !strncmp(line, "VmFlags:", 8)) {
			snprintf(flags, len, "%s", line + 8);
			fclose(file);
			return;
		}
	}
	igt_assert_f(false, "no VmFlags for the mapping\n");
}

static void test_flags(int heap)
{
	static const char * const wanted[] = { " sh ", " dd ", " de ", " ms " };
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char *ptr = vcm_buffer_map(dmabuf);
	char flags[512];
	int i;

	mapping_flags(ptr, flags, sizeof(flags));
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		igt_assert_f(strstr(flags, wanted[i]), "no \"%s\" in \"%s\"\n", wanted[i], flags);
	igt_assert_f(!strstr(flags, " ex "), "executable: \"%s\"\n", flags);

	vcm_buffer_unmap(ptr, KIB(64));
	close(dmabuf);
}

static int alloc_mode(int heap, uint32_t mode)
{
	int dmabuf = __vcm_heap_alloc_flags(heap, KIB(64), mode | O_CLOEXEC, 0);

	igt_assert(dmabuf >= 0);
	return dmabuf;
}

static void test_permissions(int heap)
{
	static const struct {
		uint32_t mode;
		int read, write, both;
	} cases[] = {
		{ O_RDONLY, 0, -EACCES, -EACCES },
		{ O_WRONLY, -EACCES, -EACCES, -EACCES },
		{ O_RDWR, 0, 0, 0 },
		{ O_ACCMODE, -EACCES, -EACCES, -EACCES },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int dmabuf = alloc_mode(heap, cases[i].mode);

		igt_assert_eq(map_errno(dmabuf, 0, KIB(64), PROT_READ), cases[i].read);
		igt_assert_eq(map_errno(dmabuf, 0, KIB(64), PROT_WRITE), cases[i].write);
		igt_assert_eq(map_rw_errno(dmabuf, 0, KIB(64)), cases[i].both);
		close(dmabuf);
	}
}

static int protect_errno(void *ptr, int prot)
{
	return mprotect(ptr, KIB(64), prot) ? -errno : 0;
}

static void test_protection(int heap)
{
	int dmabuf = alloc_mode(heap, O_RDONLY);
	void *ptr = vcm_buffer_map_range(dmabuf, 0, KIB(64), PROT_READ);

	igt_assert_eq(protect_errno(ptr, PROT_READ | PROT_WRITE), -EACCES);
	igt_assert_eq(protect_errno(ptr, PROT_NONE), 0);
	igt_assert_eq(protect_errno(ptr, PROT_READ), 0);
	vcm_assert_zero(ptr, KIB(64));
	vcm_buffer_unmap(ptr, KIB(64));
	close(dmabuf);

	dmabuf = alloc_mode(heap, O_RDWR);
	ptr = vcm_buffer_map(dmabuf);
	vcm_fill(ptr, KIB(64), 1);
	igt_assert_eq(protect_errno(ptr, PROT_READ), 0);
	vcm_assert_filled(ptr, KIB(64), 1);
	igt_assert_eq(protect_errno(ptr, PROT_READ | PROT_WRITE), 0);
	vcm_fill(ptr, KIB(64), 2);
	vcm_assert_filled(ptr, KIB(64), 2);
	vcm_buffer_unmap(ptr, KIB(64));
	close(dmabuf);
}

int igt_main()
{
	static int heap;

	igt_fixture()
		heap = vcm_heap_open();

	igt_describe("A mapping of the whole buffer reaches each of its bytes once");
	igt_subtest("whole")
		test_whole(heap);

	igt_describe("A mapping of a part shows that part, wherever it starts");
	igt_subtest("partial")
		test_partial(heap);

	igt_describe("Mappings of the same buffer show the same memory");
	igt_subtest("repeated")
		test_repeated(heap);

	igt_describe("Parts of a mapping can be unmapped and the rest goes on to work");
	igt_subtest("pieces-of-a-mapping")
		test_pieces(heap);

	igt_describe("A buffer can be mapped at an address the process chose");
	igt_subtest("fixed-address")
		test_fixed(heap);

	igt_describe("A private copy cannot be had");
	igt_subtest("private-refused")
		test_private_refused(heap);

	igt_describe("No mapping reaches beyond the buffer");
	igt_subtest("past-the-end-refused")
		test_past_the_end(heap);

	igt_describe("Offsets near the end of the number range do not wrap around");
	igt_subtest("offset-overflow-refused")
		test_offset_overflow(heap);

	igt_describe("A mapping starts at a page");
	igt_subtest("unaligned-offset-refused")
		test_unaligned_offset(heap);

	igt_describe("A mapping cannot be made to grow beyond what was mapped");
	igt_subtest("cannot-grow")
		test_cannot_grow(heap);

	igt_describe("A mapping can be moved to another address");
	igt_subtest("moves")
		test_moves(heap);

	igt_describe("Mappings are shared, stay out of core dumps and cannot grow");
	igt_subtest("flags")
		test_flags(heap);

	igt_describe("A mapping allows no more than the file descriptor does");
	igt_subtest("permissions")
		test_permissions(heap);

	igt_describe("A mapping's protection can change within what the descriptor allows");
	igt_subtest("protection")
		test_protection(heap);

	igt_fixture()
		close(heap);
}
