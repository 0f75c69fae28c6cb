// SPDX-License-Identifier: MIT

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "vcm_churn.h"
#include "vcm_test.h"
#include "vcm_view.h"

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
}

static void test_fixed(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	size_t size = vcm_buffer_size(dmabuf);
	char *area, *aligned, *ptr;

	area = mmap(NULL, 2 * MIB(4), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(area != MAP_FAILED);
	aligned = (char *)(uintptr_t)(((uintptr_t)area + MIB(2) - 1) & -MIB(2));

	ptr = mmap(aligned, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf, 0);
	igt_assert(ptr == aligned);
	vcm_fill(ptr, size, 1);
	vcm_assert_filled(ptr, size, 1);
	munmap(area, 2 * MIB(4));
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
}

/* Where a long has 32 bits there are no offsets beyond 4 GB, nor for the C library beyond 2^44. */
#define LONG_IS_64	(sizeof(long) == 8)

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
	igt_assert_eq(map_rw_errno(dmabuf, MIB(1024) * 1024, page), LONG_IS_64 ? -EINVAL : -EOVERFLOW);
	igt_assert_eq(map_rw_errno(dmabuf, 0, size - 1), 0);
	igt_assert_eq(map_rw_errno(dmabuf, 0, 0), -EINVAL);
}

/* The last page offset passes the core's own check when the length is one page. */
static void test_offset_overflow(int heap)
{
	uint64_t page = vcm_page_size();
	int dmabuf = vcm_heap_alloc(heap, KIB(64));

	int beyond = LONG_IS_64 ? -EOVERFLOW : -EINVAL;

	igt_assert_eq(map_rw_errno(dmabuf, -page, page), beyond);
	igt_assert_eq(map_rw_errno(dmabuf, -page, 2 * page), beyond);
	igt_assert_eq(map_rw_errno(dmabuf, -2 * page, page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, (1ull << 63), page), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, (1ull << 63) - page, page), -EINVAL);
}

static void test_unaligned_offset(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));

	igt_assert_eq(map_rw_errno(dmabuf, 1, 1), -EINVAL);
	igt_assert_eq(map_rw_errno(dmabuf, vcm_page_size() / 2, 1), -EINVAL);
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

static void assert_flags(const void *ptr)
{
	static const char * const wanted[] = { " sh ", " dd ", " de ", " ms ", " io ", " pf " };
	char flags[512];
	int i;

	mapping_flags(ptr, flags, sizeof(flags));
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		igt_assert_f(strstr(flags, wanted[i]), "no \"%s\" in \"%s\"\n", wanted[i], flags);
	igt_assert_f(!strstr(flags, " ex "), "executable: \"%s\"\n", flags);
}

static void test_flags(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	char *ptr = vcm_buffer_map(dmabuf);

	assert_flags(ptr);
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
}

/* ---- Huge entries ---- */

#define HUGE VCM_HUGE_SIZE
#define RW (PROT_READ | PROT_WRITE)

static int dev = -1;

/* A buffer that has nothing but large chunks, with a pattern that tells where one is. */
static int alloc_huge(unsigned int chunks)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, chunks * HUGE, DMA_HEAP_VCM_CHUNK_2M);
	/* Not at an aligned address: by other entries than those that are tested. */
	struct vcm_view view;

	vcm_view_map(&view, dmabuf, 0, chunks * HUGE, KIB(4), RW);
	vcm_fill(view.ptr, view.len, 1);
	vcm_view_unmap(&view);
	return dmabuf;
}

/* @view shows what alloc_huge() wrote, from @offset on. */
static void assert_part_of_pattern(int dmabuf, const char *ptr, uint64_t offset, size_t len)
{
	struct vcm_view whole;
	size_t size = vcm_buffer_size(dmabuf);

	vcm_view_map(&whole, dmabuf, 0, size, KIB(4), PROT_READ);
	vcm_assert_filled(whole.ptr, size, 1);
	igt_assert_f(!memcmp(ptr, whole.ptr + offset, len), "other contents at %#llx, %#zx bytes\n",
		     (unsigned long long)offset, len);
	vcm_view_unmap(&whole);
}

/*
 * Counts the faults for entries that are missing. Where the first write is a fault of its
 * own, a read before it shows them.
 */
static void assert_faults(const struct vcm_view *view, bool write, unsigned long faults)
{
	bool count_writes = write && vcm_cpu_marks_dirty();
	unsigned long got = vcm_touch(view->ptr, view->len, vcm_page_size(), count_writes);

	igt_assert_f(got == faults, "%lu faults, not %lu\n", got, faults);
	if (write)
		vcm_touch(view->ptr, view->len, vcm_page_size(), true);
}

static void test_huge_aligned(void)
{
	enum { CHUNKS = 8 };
	int dmabuf = alloc_huge(CHUNKS);
	struct vcm_view view;
	size_t before;
	int write;

	for (write = 0; write < 2; write++) {
		vcm_page_tables();
		before = vcm_page_tables();
		vcm_view_map(&view, dmabuf, 0, CHUNKS * HUGE, 0, RW);
		assert_faults(&view, write, CHUNKS);
		assert_faults(&view, write, 0);
		/* One of the last level for each chunk would be as many pages. */
		igt_assert_lt_u64(vcm_page_tables() - before, CHUNKS / 2 * vcm_page_size());
		vcm_assert_filled(view.ptr, view.len, 1);
		vcm_view_unmap(&view);
	}
}

/* Here there is no entry at mmap() time, and nothing has looked at the mapping. */
static void test_huge_flags(void)
{
	int dmabuf = alloc_huge(2);
	struct vcm_view view;

	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
	assert_flags(view.ptr);
	assert_faults(&view, true, 2);
	assert_flags(view.ptr);
	igt_assert_eq(remap_errno(view.ptr, HUGE, 2 * HUGE), -EFAULT);
}

static void test_filled(int heap)
{
	static const size_t skews[] = { KIB(4), KIB(64), MIB(1), HUGE - KIB(4) };
	int dmabuf = alloc_huge(4), mixed = vcm_heap_alloc(heap, MIXED);
	struct vcm_view view;
	int i;

	for (i = 0; i < ARRAY_SIZE(skews); i++) {
		vcm_view_map(&view, dmabuf, 0, 4 * HUGE, skews[i], RW);
		assert_faults(&view, true, 0);
		vcm_assert_filled(view.ptr, view.len, 1);
		vcm_view_unmap(&view);

		vcm_view_map(&view, mixed, 0, MIXED, skews[i], RW);
		assert_faults(&view, true, 0);
		vcm_view_unmap(&view);
	}
}

static void test_huge_read_only(void)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(2 * HUGE);
	struct vcm_view view;
	int dmabuf;

	args.chunk_sizes = DMA_HEAP_VCM_CHUNK_2M;
	args.fd_flags = O_RDONLY | O_CLOEXEC;
	dmabuf = vcm_dev_alloc(dev, &args);
	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, PROT_READ);
	assert_faults(&view, false, 2);
	vcm_assert_zero(view.ptr, view.len);
	igt_assert_eq(vcm_touch_signal(view.ptr, true), SIGSEGV);
	igt_assert_eq(vcm_touch_signal(view.ptr + HUGE + KIB(64), true), SIGSEGV);
	vcm_assert_zero(view.ptr, view.len);
	igt_assert_eq(mprotect(view.ptr, view.len, RW), -1);
	igt_assert_eq(errno, EACCES);
}

static void test_huge_read_then_write(void)
{
	int dmabuf = alloc_huge(2);
	struct vcm_view view, other;

	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
	vcm_view_map(&other, dmabuf, 0, 2 * HUGE, 0, RW);
	vcm_assert_filled(view.ptr, view.len, 1);
	/* Nor where the CPU leaves it to a fault to say that a page is written to. */
	igt_assert_eq_u64(vcm_touch(view.ptr, view.len, vcm_page_size(), true), 0);
	vcm_fill(view.ptr, view.len, 2);
	vcm_assert_filled(other.ptr, other.len, 2);
	vcm_fill(other.ptr, other.len, 3);
	vcm_assert_filled(view.ptr, view.len, 3);
}

static void test_huge_mixture(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, 2 * HUGE + MIXED);
	uint64_t size = vcm_buffer_size(dmabuf), at;
	struct vcm_view view, other;
	struct vcm_buffer_info info;

	vcm_buffer_info_read(dmabuf, &info);
	vcm_view_map(&other, dmabuf, 0, size, KIB(4), RW);
	vcm_fill(other.ptr, size, 5);
	vcm_view_map(&view, dmabuf, 0, size, 0, RW);
	assert_faults(&view, true, info.chunks[VCM_CHUNK_2M]);
	vcm_assert_filled(view.ptr, size, 5);

	/* Each page is the same one in both. */
	for (at = 0; at < size; at += vcm_page_size()) {
		*(uint64_t *)(view.ptr + at) = ~at;
		igt_assert_eq_u64(*(volatile uint64_t *)(other.ptr + at), ~at);
	}
}

static void test_huge_middle(void)
{
	enum { CHUNKS = 4 };
	static const struct {
		uint64_t offset;
		size_t skew;
		unsigned int huge;
	} cases[] = {
		{ MIB(1), MIB(1), 3 },
		{ KIB(4), KIB(4), 3 },
		{ HUGE - KIB(4), HUGE - KIB(4), 3 },
		{ HUGE, 0, 3 },
		{ MIB(3), MIB(1), 2 },
		{ MIB(1), 0, 0 },
		{ KIB(4), 0, 0 },
		{ HUGE, MIB(1), 0 },
		{ HUGE + KIB(64), KIB(4), 0 },
	};
	int i, dmabuf = alloc_huge(CHUNKS);

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = CHUNKS * HUGE - cases[i].offset;
		struct vcm_view view;

		vcm_view_map(&view, dmabuf, cases[i].offset, len, cases[i].skew, RW);
		assert_faults(&view, true, cases[i].huge);
		assert_part_of_pattern(dmabuf, view.ptr, cases[i].offset, len);
		vcm_view_unmap(&view);
	}
}

/* The addresses behind it are reserved, and belong to the chunk's own large entry. */
static void test_huge_short(void)
{
	static const size_t lengths[] = { KIB(4), MIB(1), HUGE - KIB(4), HUGE + KIB(4) };
	int i, dmabuf = alloc_huge(2);
	struct vcm_view view;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		vcm_view_map(&view, dmabuf, 0, lengths[i], 0, RW);
		assert_faults(&view, true, lengths[i] / HUGE);
		assert_part_of_pattern(dmabuf, view.ptr, 0, lengths[i]);
		igt_assert_eq(vcm_touch_signal(view.ptr + lengths[i], false), SIGSEGV);
		vcm_view_unmap(&view);
	}
}

/* Maps @chunks large chunks where huge entries can be, and has them made. */
static void view_touched(struct vcm_view *view, int dmabuf, unsigned int chunks)
{
	vcm_view_map(view, dmabuf, 0, chunks * HUGE, 0, RW);
	assert_faults(view, true, chunks);
}

static void test_huge_unmap(void)
{
	static const struct {
		size_t at, len;
	} holes[] = {
		{ 0, KIB(4) },
		{ HUGE - KIB(4), KIB(8) },
		{ HUGE + MIB(1), KIB(64) },
		{ HUGE, HUGE },
		{ 3 * HUGE - KIB(4), KIB(4) },
	};
	int i, dmabuf = alloc_huge(3);
	struct vcm_view view;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		size_t end = holes[i].at + holes[i].len;

		view_touched(&view, dmabuf, 3);
		vcm_buffer_unmap(view.ptr + holes[i].at, holes[i].len);
		assert_part_of_pattern(dmabuf, view.ptr, 0, holes[i].at);
		assert_part_of_pattern(dmabuf, view.ptr + end, end, view.len - end);
		igt_assert_eq(vcm_touch_signal(view.ptr + holes[i].at, false), SIGSEGV);
		igt_assert_eq(vcm_touch_signal(view.ptr + end - 1, false), SIGSEGV);
		vcm_view_unmap(&view);
	}
}

static void test_huge_protect(void)
{
	static const struct {
		size_t at, len;
	} parts[] = {
		{ KIB(4), KIB(4) },
		{ MIB(1), HUGE },
		{ 0, HUGE },
		{ HUGE, HUGE },
	};
	int i, dmabuf = alloc_huge(2);
	struct vcm_view view;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		char *part;

		view_touched(&view, dmabuf, 2);
		part = view.ptr + parts[i].at;
		igt_assert_eq(mprotect(part, parts[i].len, PROT_READ), 0);
		igt_assert_eq(vcm_touch_signal(part, true), SIGSEGV);
		igt_assert_eq(vcm_touch_signal(part + parts[i].len - 1, true), SIGSEGV);
		vcm_assert_filled(view.ptr, view.len, 1);
		if (parts[i].at)
			vcm_touch(view.ptr, parts[i].at, KIB(4), true);

		igt_assert_eq(mprotect(part, parts[i].len, PROT_NONE), 0);
		igt_assert_eq(vcm_touch_signal(part, false), SIGSEGV);
		igt_assert_eq(mprotect(part, parts[i].len, RW), 0);
		vcm_fill(view.ptr, view.len, 2);
		vcm_assert_filled(view.ptr, view.len, 2);
		vcm_fill(view.ptr, view.len, 1);
		vcm_view_unmap(&view);
	}
}

static void *move(void *from, size_t len, void *to)
{
	void *ptr = mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	igt_assert_f(ptr == to, "mremap: %s\n", strerror(errno));
	return ptr;
}

static void test_huge_move(size_t to_skew, size_t at, size_t len)
{
	int dmabuf = alloc_huge(3);
	struct vcm_view view, to;
	char *moved;

	view_touched(&view, dmabuf, 3);
	vcm_view_reserve(&to, len, to_skew);
	moved = move(view.ptr + at, len, to.ptr);
	assert_part_of_pattern(dmabuf, moved, at, len);
	igt_assert_eq(vcm_touch_signal(view.ptr + at, false), SIGSEGV);
	/* What stayed behind, and back. */
	assert_part_of_pattern(dmabuf, view.ptr, 0, at);
	move(moved, len, view.ptr + at);
	vcm_assert_filled(view.ptr, view.len, 1);
	vcm_fill(view.ptr, view.len, 2);
	vcm_assert_filled(view.ptr, view.len, 2);
}

static void test_huge_fork(void)
{
	int dmabuf = alloc_huge(2), fds[2];
	struct vcm_crew crew;
	struct vcm_view view;
	char byte;

	igt_assert_eq(pipe(fds), 0);
	vcm_crew_init(&crew, 1);
	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
	/* One entry is there, the other comes after the fork. */
	vcm_touch(view.ptr, HUGE, KIB(4), true);
	igt_fork(child, 1) {
		vcm_assert_filled(view.ptr, view.len, 1);
		vcm_crew_count(&crew);
		igt_assert_eq(read(fds[0], &byte, 1), 1);
		vcm_assert_filled(view.ptr, view.len, 2);
		vcm_fill(view.ptr, view.len, 3);
		vcm_view_unmap(&view);
	}
	while (!vcm_crew_complete(&crew))
		usleep(1000);
	vcm_fill(view.ptr, view.len, 2);
	vcm_view_unmap(&view);
	igt_assert_eq(write(fds[1], "", 1), 1);
	igt_waitchildren();
	vcm_crew_fini(&crew);

	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, PROT_READ);
	vcm_assert_filled(view.ptr, view.len, 3);
}

static void test_huge_advice(void)
{
	static const int refused[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT, MADV_DODUMP,
		MADV_DOFORK,
	};
	static const int others[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_DONTDUMP, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, 25 /* MADV_COLLAPSE */, 102 /* MADV_GUARD_INSTALL */,
		103 /* MADV_GUARD_REMOVE */,
	};
	int i, dmabuf = alloc_huge(2);
	struct vcm_view view;

	view_touched(&view, dmabuf, 2);
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		igt_assert_f(madvise(view.ptr + MIB(1), HUGE, refused[i]), "advice %d taken\n",
			     refused[i]);
	/* Of these some are taken, some not, by the version of the kernel. */
	for (i = 0; i < ARRAY_SIZE(others); i++)
		madvise(view.ptr + MIB(1), HUGE, others[i]);
	vcm_assert_filled(view.ptr, view.len, 1);
	vcm_fill(view.ptr, view.len, 2);
	vcm_assert_filled(view.ptr, view.len, 2);
}

static void test_huge_locked(void)
{
	int dmabuf = alloc_huge(2);
	struct vcm_view view;

	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
	igt_assert_eq(mlock(view.ptr, view.len), 0);
	vcm_assert_filled(view.ptr, view.len, 1);
	igt_assert_eq(munlock(view.ptr + KIB(4), KIB(4)), 0);
	vcm_assert_filled(view.ptr, view.len, 1);
	vcm_view_unmap(&view);

	igt_assert_eq(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
	vcm_assert_filled(view.ptr, view.len, 1);
	vcm_view_unmap(&view);
	igt_assert_eq(munlockall(), 0);
}

/* A thread that touches a mapping */
struct toucher {
	pthread_t thread;		/* the thread */
	pthread_barrier_t *start;	/* all of them go at the same time */
	const struct vcm_view *view;	/* the mapping */
	bool bad;			/* whether it has seen other contents than the buffer's */
};

static void *touch_all(void *arg)
{
	struct toucher *toucher = arg;

	pthread_barrier_wait(toucher->start);
	toucher->bad = vcm_mismatch(toucher->view->ptr, toucher->view->len, 1) >= 0;
	return NULL;
}

static void test_huge_threads(void)
{
	enum { THREADS = 4, ROUNDS = 40 };
	struct toucher touchers[THREADS];
	pthread_barrier_t start;
	struct vcm_view view;
	int i, round, dmabuf = alloc_huge(1);

	igt_assert_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (round = 0; round < ROUNDS; round++) {
		vcm_view_map(&view, dmabuf, 0, HUGE, 0, RW);
		/* Every other time it is the entry of each page that is contended for. */
		if (round % 2) {
			vcm_touch(view.ptr, HUGE, HUGE, true);
			igt_assert_eq(mprotect(view.ptr, KIB(4), PROT_READ), 0);
		}
		for (i = 0; i < THREADS; i++) {
			touchers[i] = (struct toucher){ .start = &start, .view = &view };
			igt_assert_eq(pthread_create(&touchers[i].thread, NULL, touch_all,
						     &touchers[i]), 0);
		}
		for (i = 0; i < THREADS; i++) {
			pthread_join(touchers[i].thread, NULL);
			igt_assert(!touchers[i].bad);
		}
		vcm_view_unmap(&view);
	}
	pthread_barrier_destroy(&start);
}

/* In a child, as there is no way back. */
static void test_huge_disabled(void)
{
	int dmabuf = alloc_huge(2);

	igt_fork(child, 1) {
		struct vcm_view view;

		igt_assert_eq(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
		vcm_view_map(&view, dmabuf, 0, 2 * HUGE, 0, RW);
		vcm_assert_filled(view.ptr, view.len, 1);
		vcm_fill(view.ptr, view.len, 2);
		vcm_view_unmap(&view);
	}
	igt_waitchildren();
}

/* Returns -errno of a request that needs the pages behind @ptr. */
static int splice_errno(const char *ptr)
{
	struct iovec iov = { .iov_base = (void *)ptr, .iov_len = KIB(4) };
	ssize_t ret;
	int fds[2];

	igt_assert_eq(pipe(fds), 0);
	ret = vmsplice(fds[1], &iov, 1, 0) < 0 ? -errno : 0;
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static int process_read_errno(const char *ptr)
{
	static char to[KIB(4)];
	struct iovec local = { .iov_base = to, .iov_len = sizeof(to) };
	struct iovec remote = { .iov_base = (void *)ptr, .iov_len = sizeof(to) };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

/* A reference would keep a page that the next buffer has. */
static void test_no_pages(void)
{
	int dmabuf = alloc_huge(2);
	static const size_t skews[] = { 0, KIB(4) };
	struct vcm_view view;
	int i;

	for (i = 0; i < ARRAY_SIZE(skews); i++) {
		vcm_view_map(&view, dmabuf, 0, 2 * HUGE, skews[i], RW);
		igt_assert_eq(splice_errno(view.ptr), -EFAULT);
		igt_assert_eq(process_read_errno(view.ptr), -EFAULT);
		vcm_touch(view.ptr, view.len, KIB(4), true);
		igt_assert_eq(splice_errno(view.ptr), -EFAULT);
		igt_assert_eq(splice_errno(view.ptr + HUGE + KIB(8)), -EFAULT);
		igt_assert_eq(process_read_errno(view.ptr), -EFAULT);
		vcm_assert_filled(view.ptr, view.len, 1);
		vcm_view_unmap(&view);
	}
}

int igt_main()
{
	static int heap;

	igt_fixture()
		heap = vcm_heap_open();

	vcm_subtest("whole", test_whole(heap),
		    "A mapping of the whole buffer reaches each of its bytes once");
	vcm_subtest("partial", test_partial(heap),
		    "A mapping of a part shows that part, wherever it starts");
	vcm_subtest("repeated", test_repeated(heap),
		    "Mappings of the same buffer show the same memory");
	vcm_subtest("pieces-of-a-mapping", test_pieces(heap),
		    "Parts of a mapping can be unmapped and the rest goes on to work");
	vcm_subtest("fixed-address", test_fixed(heap),
		    "A buffer can be mapped at an address the process chose");
	vcm_subtest("private-refused", test_private_refused(heap), "A private copy cannot be had");
	vcm_subtest("past-the-end-refused", test_past_the_end(heap),
		    "No mapping reaches beyond the buffer");
	vcm_subtest("offset-overflow-refused", test_offset_overflow(heap),
		    "Offsets near the end of the number range do not wrap around");
	vcm_subtest("unaligned-offset-refused", test_unaligned_offset(heap),
		    "A mapping starts at a page");
	vcm_subtest("cannot-grow", test_cannot_grow(heap),
		    "A mapping cannot be made to grow beyond what was mapped");
	vcm_subtest("moves", test_moves(heap), "A mapping can be moved to another address");
	vcm_subtest("flags", test_flags(heap),
		    "Mappings are shared, stay out of core dumps and cannot grow");
	vcm_subtest("permissions", test_permissions(heap),
		    "A mapping allows no more than the file descriptor does");
	vcm_subtest("protection", test_protection(heap),
		    "A mapping's protection can be changed within what the descriptor allows");

	igt_subtest_group() {
		igt_fixture() {
			dev = vcm_dev_open();
			vcm_require_debugfs();
			igt_require_f(vcm_page_size() == KIB(4),
				      "sizes are chosen for 4 KiB pages\n");
			vcm_compact_memory();
		}

		vcm_subtest("huge-at-aligned-address", test_huge_aligned(),
			    "A chunk of 2 MiB is one entry and one fault where addresses agree");
		vcm_subtest("huge-flags", test_huge_flags(),
			    "Such a mapping is shared, stays out of core dumps and cannot grow");
		vcm_subtest("filled-at-other-addresses", test_filled(heap),
			    "At any other address the mapping is complete before it is touched");
		vcm_subtest("huge-read-only", test_huge_read_only(),
			    "Large entries through a descriptor that only reads");
		vcm_subtest("huge-read-then-write", test_huge_read_then_write(),
			    "What was read first can be written");
		vcm_subtest("huge-in-a-mixture", test_huge_mixture(heap),
			    "Chunks of other sizes behind the large ones are where they belong");
		vcm_subtest("huge-from-the-middle", test_huge_middle(),
			    "A mapping from inside a chunk has large entries for the next");
		vcm_subtest("huge-cut-short", test_huge_short(),
			    "A mapping that ends inside a chunk shows nothing behind its end");
		vcm_subtest("huge-unmap-part", test_huge_unmap(),
			    "A part of a large entry can be unmapped and the rest goes on to work");
		vcm_subtest("huge-protect-part", test_huge_protect(),
			    "A part of a large entry can be made read-only, and writable again");
		vcm_subtest("huge-move-aligned", test_huge_move(0, 0, 3 * HUGE),
			    "A touched mapping can be moved to an address of the same kind");
		vcm_subtest("huge-move-skewed", test_huge_move(KIB(64), 0, 3 * HUGE),
			    "A touched mapping can be moved to an address of another kind");
		vcm_subtest("huge-move-part", test_huge_move(0, MIB(1), 2 * HUGE),
			    "A part of a touched mapping can be moved");
		vcm_subtest("huge-fork", test_huge_fork(),
			    "A child sees the same memory, also when its parent has unmapped it");
		vcm_subtest("huge-advice", test_huge_advice(),
			    "No advice takes memory out of a mapping");
		vcm_subtest("huge-locked", test_huge_locked(),
			    "A mapping can be locked, which changes nothing");
		vcm_subtest("huge-threads", test_huge_threads(),
			    "Threads that touch the same entry first do no harm");
		vcm_subtest("huge-pages-disabled", test_huge_disabled(),
			    "A process that wants no huge pages gets the same contents");
		vcm_subtest("no-pages-for-others", test_no_pages(),
			    "The kernel hands out no references to a mapping's pages");

		igt_fixture()
			close(dev);
	}
}
