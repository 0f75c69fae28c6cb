// SPDX-License-Identifier: MIT
/*
 * A buffer of /dev/vcm, to copy: 16 MB at a multiple of 1 MB in the addresses of each
 * device that imports it, with 64 KB behind it that no device reaches.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap-vcm.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
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
	struct dma_heap_vcm_query query = { .size = sizeof(query) };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE };
	int dev = open("/dev/vcm", O_RDWR | O_CLOEXEC);
	char *map;

	if (dev < 0)
		return fail("/dev/vcm");
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &alloc))
		return fail("DMA_HEAP_VCM_IOCTL_ALLOC");

	/* alloc.out_fd is a dma-buf: any importer takes it, and mmap() does. */
	map = mmap(NULL, alloc.length, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.out_fd, 0);
	if (map == MAP_FAILED)
		return fail("mmap");
	if (ioctl(alloc.out_fd, DMA_BUF_IOCTL_SYNC, &sync))
		return fail("DMA_BUF_IOCTL_SYNC");
	memset(map, 0x5a, alloc.length);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	if (ioctl(alloc.out_fd, DMA_BUF_IOCTL_SYNC, &sync))
		return fail("DMA_BUF_IOCTL_SYNC");
	munmap(map, alloc.length);

	query.fd = alloc.out_fd;
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query))
		return fail("DMA_HEAP_VCM_IOCTL_QUERY");
	printf("%llu bytes, %llu of the largest chunks, of %llu bytes each\n",
	       (unsigned long long)query.out_length,
	       (unsigned long long)query.out_chunks[0].count,
	       (unsigned long long)query.out_chunks[0].size);

	/* The last one that closes it gives the memory back. */
	close(alloc.out_fd);
	close(dev);
	return 0;
}
