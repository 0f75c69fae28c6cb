// SPDX-License-Identifier: MIT
/*
 * A buffer of /dev/vcm, to copy: 16 MB at a multiple of 1 MB in the addresses of each
 * device that imports it, with 64 KB behind it that no device reaches, and mapped with
 * large pages.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap-vcm.h>

#define LARGE_PAGE	((uintptr_t)2 << 20)

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* At a multiple of 2 MB, where each 2 MB chunk has one entry in the page tables. */
static char *map_large(int fd, size_t length)
{
	char *area = mmap(NULL, length + LARGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start = ((uintptr_t)area + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);

	if (area == MAP_FAILED)
		return area;
	/* What is left of the area are addresses, and no memory. */
	return mmap((void *)start, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

int main(void)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc),
		.length = 16 << 20,
		.align = 1 << 20,
		.guard = 64 << 10,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE };
	int dev = open("/dev/vcm", O_RDWR | O_CLOEXEC);
	long before;
	char *map;

	if (dev < 0)
		return fail("/dev/vcm");
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &alloc))
		return fail("DMA_HEAP_VCM_IOCTL_ALLOC");

	/* alloc.out_fd is a dma-buf: any importer takes it. */
	map = map_large(alloc.out_fd, alloc.length);
	if (map == MAP_FAILED)
		return fail("mmap");
	if (ioctl(alloc.out_fd, DMA_BUF_IOCTL_SYNC, &sync))
		return fail("DMA_BUF_IOCTL_SYNC");
	before = faults();
	memset(map, 0x5a, alloc.length);
	printf("%llu bytes written with %ld faults\n", (unsigned long long)alloc.length,
	       faults() - before);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	if (ioctl(alloc.out_fd, DMA_BUF_IOCTL_SYNC, &sync))
		return fail("DMA_BUF_IOCTL_SYNC");

	/* The last one that closes it, or unmaps it, gives the memory back. */
	return 0;
}
