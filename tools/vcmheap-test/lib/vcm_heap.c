// SPDX-License-Identifier: MIT
/*
 * Buffers of the vcm heap, for tests: allocation, mapping, CPU access,
 * contents.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "igt.h"
#include "vcm_heap.h"

/**
 * vcm_page_size:
 *
 * Returns: the page size of the running kernel, the heap's smallest chunk.
 */
size_t vcm_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/**
 * vcm_page_align:
 * @len: a length in bytes
 *
 * Returns: @len rounded up to whole pages.
 */
uint64_t vcm_page_align(uint64_t len)
{
	uint64_t mask = vcm_page_size() - 1;

	return (len + mask) & ~mask;
}

static bool find_memory_figure(const char *key, uint64_t *bytes)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib;
	bool found = false;
	char line[256];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), ": %llu kB", &kib) == 1) {
			*bytes = kib << 10;
			found = true;
		}
	fclose(file);
	return found;
}

static uint64_t memory_figure(const char *key)
{
	uint64_t bytes;

	igt_assert_f(find_memory_figure(key, &bytes), "the kernel does not tell %s\n", key);
	return bytes;
}

/**
 * vcm_ram_size:
 *
 * Returns: bytes of memory that the kernel manages.
 */
uint64_t vcm_ram_size(void)
{
	return memory_figure("MemTotal");
}

/**
 * vcm_ram_free:
 *
 * Returns: bytes of memory that nobody uses, caches not counted as free.
 */
uint64_t vcm_ram_free(void)
{
	return memory_figure("MemFree");
}

/**
 * vcm_ram_available:
 *
 * Returns: bytes of memory that can be had, caches given up.
 */
uint64_t vcm_ram_available(void)
{
	return memory_figure("MemAvailable");
}

/**
 * vcm_ram_cma:
 *
 * Returns: bytes of free memory that only CMA's users and pages that can be moved
 * are given; 0 for a kernel without CMA.
 */
uint64_t vcm_ram_cma(void)
{
	uint64_t bytes;

	return find_memory_figure("CmaFree", &bytes) ? bytes : 0;
}

/* The sum of the kernel's event counters whose name begins with @prefix. */
static uint64_t vmstat_sum(const char *prefix)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long long value, sum = 0;
	char name[64];

	igt_assert(file);
	while (fscanf(file, "%63s %llu", name, &value) == 2)
		if (!strncmp(name, prefix, strlen(prefix)))
			sum += value;
	fclose(file);
	return sum;
}

/**
 * vcm_ram_handed_out:
 *
 * Tells how much work the kernel did for an allocation, by a measure that does
 * not depend on the machine's speed.
 *
 * Returns: bytes that the kernel has allocated since it started, freed or not.
 */
uint64_t vcm_ram_handed_out(void)
{
	return vmstat_sum("pgalloc_") * vcm_page_size();
}

/**
 * vcm_alloc_stalls:
 *
 * Returns: how often an allocation had to reclaim or compact memory itself since the
 * kernel started.
 */
uint64_t vcm_alloc_stalls(void)
{
	return vmstat_sum("allocstall_") + vmstat_sum("compact_stall");
}

/**
 * vcm_oom_kills:
 *
 * Returns: processes killed for want of memory since the kernel started.
 */
uint64_t vcm_oom_kills(void)
{
	return vmstat_sum("oom_kill");
}

/**
 * vcm_compact_memory:
 *
 * Has the kernel join free memory to large blocks, where it can do that.
 */
void vcm_compact_memory(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	igt_assert_eq(write(fd, "1", 1), 1);
	close(fd);
}

/* An ioctl that a signal interrupted is made again. */
static int ioctl_errno(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));

	return ret < 0 ? -errno : ret;
}

/**
 * __vcm_heap_open:
 * @name: a heap below /dev/dma_heap/
 *
 * Returns: a file descriptor or -errno.
 */
int __vcm_heap_open(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/**
 * vcm_heap_open:
 *
 * Opens the vcm heap and skips the test where there is none.
 *
 * Returns: a file descriptor.
 */
int vcm_heap_open(void)
{
	int fd = __vcm_heap_open(DMA_HEAP_VCM_NAME);

	igt_require_f(fd >= 0, "no heap /dev/dma_heap/" DMA_HEAP_VCM_NAME ": %s\n",
		      strerror(-fd));
	return fd;
}

/**
 * __vcm_heap_ioctl:
 * @heap: the heap
 * @data: argument of DMA_HEAP_IOCTL_ALLOC as it is handed over
 *
 * Returns: 0 or -errno.
 */
int __vcm_heap_ioctl(int heap, struct dma_heap_allocation_data *data)
{
	return ioctl_errno(heap, DMA_HEAP_IOCTL_ALLOC, data);
}

/**
 * __vcm_heap_alloc_flags:
 * @heap: the heap
 * @len: bytes
 * @fd_flags: open flags of the new file descriptor
 * @heap_flags: heap flags
 *
 * Returns: the buffer's file descriptor or -errno.
 */
int __vcm_heap_alloc_flags(int heap, uint64_t len, uint32_t fd_flags, uint64_t heap_flags)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = fd_flags,
		.heap_flags = heap_flags,
	};
	int ret = __vcm_heap_ioctl(heap, &data);

	return ret < 0 ? ret : (int)data.fd;
}

/**
 * __vcm_heap_alloc:
 * @heap: the heap
 * @len: bytes
 *
 * Returns: the file descriptor of a readable and writable buffer, or -errno.
 */
int __vcm_heap_alloc(int heap, uint64_t len)
{
	return __vcm_heap_alloc_flags(heap, len, O_RDWR | O_CLOEXEC, 0);
}

/**
 * vcm_heap_alloc:
 * @heap: the heap
 * @len: bytes
 *
 * Like __vcm_heap_alloc(), but asserts success.
 *
 * Returns: the buffer's file descriptor.
 */
int vcm_heap_alloc(int heap, uint64_t len)
{
	int fd = __vcm_heap_alloc(heap, len);

	igt_assert_f(fd >= 0, "allocating %llu bytes: %s\n",
		     (unsigned long long)len, strerror(-fd));
	return fd;
}

/**
 * vcm_buffer_size:
 * @dmabuf: a buffer
 *
 * Returns: the buffer's size as seeking to its end tells it.
 */
uint64_t vcm_buffer_size(int dmabuf)
{
	off_t end = lseek(dmabuf, 0, SEEK_END);

	igt_assert(end >= 0);
	igt_assert(lseek(dmabuf, 0, SEEK_SET) == 0);
	return end;
}

/**
 * vcm_buffer_ino:
 * @dmabuf: a buffer
 *
 * Returns: the inode number, which names the buffer in debugfs.
 */
uint64_t vcm_buffer_ino(int dmabuf)
{
	struct stat st;

	igt_assert_eq(fstat(dmabuf, &st), 0);
	return st.st_ino;
}

/**
 * __vcm_buffer_map:
 * @dmabuf: a buffer
 * @offset: where the mapping starts, in bytes
 * @len: bytes
 * @prot: PROT_READ, PROT_WRITE
 * @ptr: set to the mapping
 *
 * Returns: 0 or -errno.
 */
int __vcm_buffer_map(int dmabuf, uint64_t offset, size_t len, int prot, void **ptr)
{
	void *map = mmap(NULL, len, prot, MAP_SHARED, dmabuf, offset);

	if (map == MAP_FAILED)
		return -errno;
	*ptr = map;
	return 0;
}

/**
 * vcm_buffer_map_range:
 * @dmabuf: a buffer
 * @offset: where the mapping starts, in bytes
 * @len: bytes
 * @prot: PROT_READ, PROT_WRITE
 *
 * Like __vcm_buffer_map(), but asserts success.
 *
 * Returns: the mapping.
 */
void *vcm_buffer_map_range(int dmabuf, uint64_t offset, size_t len, int prot)
{
	void *ptr = NULL;

	igt_assert_eq(__vcm_buffer_map(dmabuf, offset, len, prot, &ptr), 0);
	return ptr;
}

/**
 * vcm_buffer_map:
 * @dmabuf: a buffer
 *
 * Returns: a readable and writable mapping of the whole buffer.
 */
void *vcm_buffer_map(int dmabuf)
{
	return vcm_buffer_map_range(dmabuf, 0, vcm_buffer_size(dmabuf), PROT_READ | PROT_WRITE);
}

/**
 * vcm_buffer_unmap:
 * @ptr: a mapping
 * @len: bytes
 */
void vcm_buffer_unmap(void *ptr, size_t len)
{
	igt_assert_eq(munmap(ptr, len), 0);
}

/**
 * __vcm_buffer_sync:
 * @dmabuf: a buffer
 * @flags: flags of DMA_BUF_IOCTL_SYNC as they are handed over
 *
 * Returns: 0 or -errno.
 */
int __vcm_buffer_sync(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl_errno(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

/**
 * vcm_buffer_begin:
 * @dmabuf: a buffer
 * @access: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both
 *
 * Opens a period in which the CPU touches the buffer.
 */
void vcm_buffer_begin(int dmabuf, uint64_t access)
{
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_START | access), 0);
}

/**
 * vcm_buffer_end:
 * @dmabuf: a buffer
 * @access: what vcm_buffer_begin() was called with
 *
 * Closes the period that vcm_buffer_begin() opened.
 */
void vcm_buffer_end(int dmabuf, uint64_t access)
{
	igt_assert_eq(__vcm_buffer_sync(dmabuf, DMA_BUF_SYNC_END | access), 0);
}

/**
 * __vcm_buffer_set_name:
 * @dmabuf: a buffer
 * @name: the name
 *
 * Returns: 0 or -errno.
 */
int __vcm_buffer_set_name(int dmabuf, const char *name)
{
	return ioctl_errno(dmabuf, DMA_BUF_SET_NAME_B, (void *)name);
}

/**
 * vcm_buffer_set_name:
 * @dmabuf: a buffer
 * @name: the name
 *
 * Like __vcm_buffer_set_name(), but asserts success.
 */
void vcm_buffer_set_name(int dmabuf, const char *name)
{
	igt_assert_eq(__vcm_buffer_set_name(dmabuf, name), 0);
}

/* The word of a pattern at index @i: different for each index and each seed, never 0. */
static uint64_t pattern(uint64_t i, uint64_t seed)
{
	return ((i + 1) * 0x9e3779b97f4a7c15ull + seed * 0xbf58476d1ce4e5b9ull) | 1;
}

/**
 * vcm_fill:
 * @ptr: memory, aligned to 8 bytes
 * @len: a multiple of 8
 * @seed: names the pattern
 *
 * Writes a pattern in which each word is different.
 */
void vcm_fill(void *ptr, size_t len, uint64_t seed)
{
	uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		word[i] = pattern(i, seed);
}

/**
 * vcm_mismatch:
 * @ptr: memory, aligned to 8 bytes
 * @len: a multiple of 8
 * @seed: names the pattern
 *
 * Returns: offset of the first word that vcm_fill() would have written
 * differently, or -1.
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

/**
 * vcm_nonzero:
 * @ptr: memory, aligned to 8 bytes
 * @len: a multiple of 8
 *
 * Returns: offset of the first word that is not 0, or -1.
 */
ssize_t vcm_nonzero(const void *ptr, size_t len)
{
	const uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (word[i])
			return i * sizeof(*word);

	return -1;
}

/**
 * vcm_assert_filled:
 * @ptr: memory, aligned to 8 bytes
 * @len: a multiple of 8
 * @seed: names the pattern
 *
 * Asserts that the memory has what vcm_fill() wrote.
 */
void vcm_assert_filled(const void *ptr, size_t len, uint64_t seed)
{
	ssize_t at = vcm_mismatch(ptr, len, seed);

	igt_assert_f(at < 0, "pattern %llu differs at offset %#zx of %#zx\n",
		     (unsigned long long)seed, (size_t)at, len);
}

/**
 * vcm_assert_zero:
 * @ptr: memory, aligned to 8 bytes
 * @len: a multiple of 8
 *
 * Asserts that the memory is all zero.
 */
void vcm_assert_zero(const void *ptr, size_t len)
{
	ssize_t at = vcm_nonzero(ptr, len);

	igt_assert_f(at < 0, "not zero at offset %#zx of %#zx\n", (size_t)at, len);
}

/**
 * vcm_buffer_fill:
 * @dmabuf: a buffer
 * @seed: names the pattern
 *
 * The CPU fills all of the buffer, so that each word of it is different.
 */
void vcm_buffer_fill(int dmabuf, uint64_t seed)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(ptr, len);
}

/**
 * vcm_buffer_assert_filled:
 * @dmabuf: a buffer
 * @seed: names the pattern
 *
 * Asserts that the CPU sees what vcm_buffer_fill() wrote.
 */
void vcm_buffer_assert_filled(int dmabuf, uint64_t seed)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_filled(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, len);
}

/**
 * vcm_buffer_assert_zero:
 * @dmabuf: a buffer
 *
 * Asserts that the CPU sees nothing but zeros.
 */
void vcm_buffer_assert_zero(int dmabuf)
{
	size_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map_range(dmabuf, 0, len, PROT_READ);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_zero(ptr, len);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, len);
}
