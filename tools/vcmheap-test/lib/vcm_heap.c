// SPDX-License-Identifier: MIT
/*
 * Buffers of the vcm heap, for tests: allocation, mapping, CPU access,
 * contents.
 */

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "igt.h"
#include "vcm_heap.h"

/* Returns the page size of the running kernel, the heap's smallest chunk. */
size_t vcm_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* Returns @len rounded up to whole pages. */
uint64_t vcm_page_align(uint64_t len)
{
	uint64_t mask = vcm_page_size() - 1;

	return (len + mask) & ~mask;
}

void vcm_file_assert_write(const char *path, const char *text)
{
	int ret = vcm_file_write(path, text);

	igt_assert_f(!ret, "\"%s\" to %s: %s\n", text, path, strerror(-ret));
}

/* Returns the number. */
uint64_t vcm_file_read_number(const char *path)
{
	char *text = vcm_file_read(path), *end;
	uint64_t value;

	igt_assert_f(text, "%s: %s\n", path, strerror(errno));
	value = strtoull(text, &end, 0);
	igt_assert_f(end > text, "no number in %s\n", path);
	free(text);
	return value;
}

/* Has the kernel join free memory to large blocks, where it can do that. */
void vcm_compact_memory(void)
{
	int ret = vcm_file_write("/proc/sys/vm/compact_memory", "1");

	igt_assert(!ret || ret == -ENOENT);
}

static uint64_t memory_figure(const char *key)
{
	uint64_t kib;

	igt_assert_f(vcm_file_figure("/proc/meminfo", key, &kib), "the kernel does not tell %s\n",
		     key);
	return kib << 10;
}

/* Returns bytes of memory that the kernel manages. */
uint64_t vcm_ram_size(void)
{
	return memory_figure("MemTotal");
}

/* Returns bytes of memory that nobody uses, caches not counted as free. */
uint64_t vcm_ram_free(void)
{
	return memory_figure("MemFree");
}

/* Returns bytes of memory that can be had, caches given up. */
uint64_t vcm_ram_available(void)
{
	return memory_figure("MemAvailable");
}

/*
 * Tells how much work the kernel did for an allocation, by a measure that does not
 * depend on the machine's speed. Returns bytes that the kernel has allocated since it
 * started, freed or not.
 */
uint64_t vcm_ram_handed_out(void)
{
	return vcm_counters("/proc/vmstat", "pgalloc_") * vcm_page_size();
}

/*
 * Returns how often an allocation had to reclaim or compact memory itself since the
 * kernel started.
 */
uint64_t vcm_alloc_stalls(void)
{
	return vcm_counters("/proc/vmstat", "allocstall_") + vcm_counters("/proc/vmstat", "compact_stall");
}

/* Opens the vcm heap and skips the test where there is none. Returns a file descriptor. */
int vcm_heap_open(void)
{
	int fd = __vcm_heap_open(DMA_HEAP_VCM_NAME);

	igt_require_f(fd >= 0, "no heap /dev/dma_heap/" DMA_HEAP_VCM_NAME ": %s\n",
		      strerror(-fd));
	return fd;
}

/* Returns the buffer's file descriptor. */
int vcm_heap_alloc(int heap, uint64_t len)
{
	int fd = __vcm_heap_alloc(heap, len);

	igt_assert_f(fd >= 0, "allocating %llu bytes: %s\n",
		     (unsigned long long)len, strerror(-fd));
	return fd;
}

/* Returns the length, or the largest that a size_t has, which is what heaps take. */
uint64_t vcm_heap_max(uint64_t len)
{
	return len < SIZE_MAX ? len : SIZE_MAX - vcm_page_size() + 1;
}

/*
 * Returns the error for a length that is more than memory. The core of heaps cuts it to a
 * size_t: of one that 32 bits are too few for it sees the lower ones, which may be none.
 */
int vcm_heap_error(uint64_t len)
{
	return (size_t)vcm_page_align(len) ? -ENOMEM : -EINVAL;
}

/* Returns the buffer's size as seeking to its end tells it. */
uint64_t vcm_buffer_size(int dmabuf)
{
	off_t end = lseek(dmabuf, 0, SEEK_END);

	igt_assert(end >= 0);
	igt_assert(lseek(dmabuf, 0, SEEK_SET) == 0);
	return end;
}

/* Returns the inode number, which names the buffer in debugfs. */
uint64_t vcm_buffer_ino(int dmabuf)
{
	struct stat st;

	igt_assert_eq(fstat(dmabuf, &st), 0);
	return st.st_ino;
}

int __vcm_buffer_map(int dmabuf, uint64_t offset, size_t len, int prot, void **ptr)
{
	void *map = mmap(NULL, len, prot, MAP_SHARED, dmabuf, offset);

	if (map == MAP_FAILED)
		return -errno;
	*ptr = map;
	return 0;
}

/* Returns the mapping. */
void *vcm_buffer_map_range(int dmabuf, uint64_t offset, size_t len, int prot)
{
	void *ptr = NULL;

	igt_assert_eq(__vcm_buffer_map(dmabuf, offset, len, prot, &ptr), 0);
	return ptr;
}

/* Returns a readable and writable mapping of the whole buffer. */
void *vcm_buffer_map(int dmabuf)
{
	return vcm_buffer_map_range(dmabuf, 0, vcm_buffer_size(dmabuf), PROT_READ | PROT_WRITE);
}

void vcm_buffer_unmap(void *ptr, size_t len)
{
	igt_assert_eq(munmap(ptr, len), 0);
}

/* Opens a period in which the CPU touches the buffer. */
void vcm_buffer_begin(int dmabuf, uint64_t access)
{
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_START | access), 0);
}

/* Closes the period that vcm_buffer_begin() opened. */
void vcm_buffer_end(int dmabuf, uint64_t access)
{
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_END | access), 0);
}

void vcm_buffer_set_name(int dmabuf, const char *name)
{
	igt_assert_eq(__vcm_buffer_set_name(dmabuf, name), 0);
}

/* The word of a pattern at index @i: different for each index and each seed, never 0. */
static uint64_t pattern(uint64_t i, uint64_t seed)
{
	return ((i + 1) * 0x9e3779b97f4a7c15ull + seed * 0xbf58476d1ce4e5b9ull) | 1;
}

/* Writes a pattern in which each word is different. */
void vcm_fill(void *ptr, size_t len, uint64_t seed)
{
	uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		word[i] = pattern(i, seed);
}

/*
 * Returns offset of the first word that vcm_fill() would have written differently, or
 * -1.
 */
ssize_t vcm_mismatch(const void *ptr, size_t len, uint64_t seed)
{
	const uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (word[i] != pattern(i, seed))
			return i * sizeof(*word);

	return -1;
}

/* Returns offset of the first word that is not 0, or -1. */
ssize_t vcm_nonzero(const void *ptr, size_t len)
{
	const uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (word[i])
			return i * sizeof(*word);

	return -1;
}

/* Asserts that the memory has what vcm_fill() wrote. */
void vcm_assert_filled(const void *ptr, size_t len, uint64_t seed)
{
	ssize_t at = vcm_mismatch(ptr, len, seed);

	igt_assert_f(at < 0, "pattern %llu differs at offset %#zx of %#zx\n",
		     (unsigned long long)seed, (size_t)at, len);
}

/* Asserts that the memory is all zero. */
void vcm_assert_zero(const void *ptr, size_t len)
{
	ssize_t at = vcm_nonzero(ptr, len);

	igt_assert_f(at < 0, "not zero at offset %#zx of %#zx\n", (size_t)at, len);
}

/* The CPU fills all of the buffer, so that each word of it is different. */
void vcm_buffer_fill(int dmabuf, uint64_t seed)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(ptr, len);
}

/* Asserts that the CPU sees what vcm_buffer_fill() wrote. */
void vcm_buffer_assert_filled(int dmabuf, uint64_t seed)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_filled(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, len);
}

/* Asserts that the CPU sees nothing but zeros. */
void vcm_buffer_assert_zero(int dmabuf)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map_range(dmabuf, 0, len, PROT_READ);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_zero(ptr, len);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, len);
}
