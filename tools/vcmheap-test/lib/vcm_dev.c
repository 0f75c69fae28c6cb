// SPDX-License-Identifier: MIT
/*
 * /dev/vcm, for tests: buffers with a policy of their own.
 */

#include <sys/mman.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_dev.h"
#include "vcm_heap.h"
#include "vcm_process.h"

/* Opens the device and skips the test where there is none. Returns a file descriptor. */
int vcm_dev_open(void)
{
	int fd = __vcm_dev_open();

	igt_require_f(fd >= 0, "no " VCM_DEV_PATH ": %s\n", strerror(-fd));
	return fd;
}

/* Returns the buffer's file descriptor. */
int vcm_dev_alloc(int dev, const struct dma_heap_vcm_alloc *args)
{
	int fd = __vcm_dev_alloc(dev, args);

	igt_assert_f(fd >= 0, "allocating %llu bytes: %s\n",
		     (unsigned long long)args->length, strerror(-fd));
	return fd;
}

/* Returns the file descriptor of a buffer with this policy. */
int vcm_dev_alloc_policy(int dev, uint64_t len, uint64_t align, uint64_t guard, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.align = align;
	args.guard = guard;
	args.flags = flags;
	return vcm_dev_alloc(dev, &args);
}

/* Returns the file descriptor of a buffer of such chunks. */
int vcm_dev_alloc_sizes(int dev, uint64_t len, uint64_t chunk_sizes)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.chunk_sizes = chunk_sizes;
	return vcm_dev_alloc(dev, &args);
}

/* Returns the file descriptor of a buffer that is one run of memory. */
int vcm_dev_alloc_contiguous(int dev, uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.flags = DMA_HEAP_VCM_CONTIGUOUS;
	return vcm_dev_alloc(dev, &args);
}

/*
 * Returns a buffer of several runs, of at least @len bytes: what others left between what they
 * still have.
 */
int vcm_dev_alloc_scattered(int dev, uint64_t len)
{
	unsigned int nr = 2 * ((len + KIB(64) - 1) / KIB(64)), i;
	int *others = calloc(nr, sizeof(*others)), dmabuf;
	struct vcm_buffer_info info;

	igt_assert(others);
	for (i = 0; i < nr; i++)
		others[i] = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	for (i = 0; i < nr; i += 2)
		close(others[i]);
	dmabuf = vcm_dev_alloc_sizes(dev, nr / 2 * KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	for (i = 1; i < nr; i += 2)
		close(others[i]);
	free(others);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_lt_u64(1, info.runs);
	return dmabuf;
}

void vcm_dev_query(int dev, int dmabuf, struct dma_heap_vcm_query *query)
{
	igt_assert_eq(__vcm_dev_query(dev, dmabuf, query), 0);
}

void vcm_dev_info(int dev, struct dma_heap_vcm_info *info)
{
	igt_assert_eq(__vcm_dev_info(dev, info), 0);
}

/*
 * Makes a request, and asserts that it fails so and leaves no buffer and no file
 * descriptor behind.
 */
void vcm_dev_assert_refused(int dev, unsigned long request, void *arg, int error)
{
	unsigned int fds = vcm_open_fds();
	int next = vcm_next_fd(dev);
	struct vcm_totals before;

	vcm_totals_read(&before);
	igt_assert_eq(vcm_ioctl(dev, request, arg), error);
	igt_assert_eq(vcm_open_fds(), fds);
	igt_assert_eq(vcm_next_fd(dev), next);
	vcm_totals_assert_back(&before);
}

/*
 * Maps a page that can be read and written, and one of @prot behind it. Returns the
 * border between them.
 */
char *vcm_border_map(int prot)
{
	size_t page = vcm_page_size();
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	igt_assert(map != MAP_FAILED);
	igt_assert_eq(mprotect(map + page, page, prot), 0);
	return map + page;
}

/* @border: what vcm_border_map() returned */
void vcm_border_unmap(char *border)
{
	igt_assert_eq(munmap(border - vcm_page_size(), 2 * vcm_page_size()), 0);
}
