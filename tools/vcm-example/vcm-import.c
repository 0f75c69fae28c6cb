// SPDX-License-Identifier: MIT
/*
 * A buffer of a heap for a device, to copy: it is taken from /dev/dma_heap/vcm, as from any
 * heap, and given to the driver of vcm-example.c, whose device node is the argument.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#include "vcm-example.h"

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* The CPU's accesses are between two of these, so that caches are right. */
static int sync_cpu(int fd, unsigned long long flags)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW | flags };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int main(int argc, char **argv)
{
	struct dma_heap_allocation_data alloc = { .len = 4 << 20, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/" DMA_HEAP_VCM_NAME, O_RDONLY | O_CLOEXEC);
	int device = open(argc > 1 ? argv[1] : "", O_RDWR | O_CLOEXEC);
	char *map;

	if (heap < 0 || device < 0)
		return fail(heap < 0 ? "the heap" : "the device");
	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc))
		return fail("DMA_HEAP_IOCTL_ALLOC");
	map = mmap(NULL, alloc.len, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
	if (map == MAP_FAILED)
		return fail("mmap");

	if (sync_cpu(alloc.fd, DMA_BUF_SYNC_START))
		return fail("DMA_BUF_IOCTL_SYNC");
	memset(map, 0x5a, VCM_EXAMPLE_LEN);
	if (sync_cpu(alloc.fd, DMA_BUF_SYNC_END))
		return fail("DMA_BUF_IOCTL_SYNC");
	if (ioctl(device, VCM_EXAMPLE_COPY, alloc.fd))
		return fail("VCM_EXAMPLE_COPY");

	if (sync_cpu(alloc.fd, DMA_BUF_SYNC_START))
		return fail("DMA_BUF_IOCTL_SYNC");
	if (memcmp(map, map + VCM_EXAMPLE_LEN, VCM_EXAMPLE_LEN)) {
		puts("the device copied something else");
		return 1;
	}
	puts("the device copied it");
	return 0;
}
