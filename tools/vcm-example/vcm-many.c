// SPDX-License-Identifier: MIT
/*
 * Buffers of 48 MB, as many as an argument says, for the device of vcm-jobs.c, to copy: seven
 * are more than it can address.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#include "vcm-jobs.h"

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* The CPU's accesses are between two of these, so that caches are right. */
static void sync_cpu(int fd, unsigned long long flags)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW | flags };

	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		exit(fail("DMA_BUF_IOCTL_SYNC"));
}

int main(int argc, char **argv)
{
	struct dma_heap_allocation_data alloc = { .len = 48 << 20, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/" DMA_HEAP_VCM_NAME, O_RDONLY | O_CLOEXEC);
	int device = open("/dev/vcm-jobs", O_RDWR | O_CLOEXEC);
	int nr = argc > 1 ? atoi(argv[1]) : 7, i;
	int fds[VCM_JOBS_MAX];
	char *maps[VCM_JOBS_MAX];

	if (heap < 0 || device < 0 || nr < 1 || nr > VCM_JOBS_MAX)
		return fail("the heap, the device or the number");
	for (i = 0; i < nr; i++) {
		alloc.fd = 0;
		if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc))
			return fail("DMA_HEAP_IOCTL_ALLOC");
		maps[i] = mmap(NULL, alloc.len, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
		if (maps[i] == MAP_FAILED)
			return fail("mmap");
		fds[i] = alloc.fd;
		sync_cpu(fds[i], DMA_BUF_SYNC_START);
		memset(maps[i], i + 1, VCM_JOBS_LEN);
		sync_cpu(fds[i], DMA_BUF_SYNC_END);
		if (ioctl(device, VCM_JOBS_ADD, fds[i]) != i)
			return fail("VCM_JOBS_ADD");
	}
	for (i = 0; i < nr; i++) {
		if (ioctl(device, VCM_JOBS_RUN, i))
			return fail("VCM_JOBS_RUN");
		sync_cpu(fds[i], DMA_BUF_SYNC_START);
		if (memcmp(maps[i], maps[i] + VCM_JOBS_LEN, VCM_JOBS_LEN)) {
			puts("the device copied something else");
			return 1;
		}
	}
	printf("%d jobs on %d MB\n", nr, nr * 48);
	return 0;
}
