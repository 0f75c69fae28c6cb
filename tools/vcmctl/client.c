// SPDX-License-Identifier: MIT
/*
 * /dev/vcm as a program uses it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client.h"
#include "size.h"

#define DEVICE "/dev/vcm"

static void complain(const char *fmt, va_list args)
{
	fflush(stdout);
	fputs("vcmctl: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	exit(1);
}

void fail_use(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	fputs("Try 'vcmctl --help'.\n", stderr);
	exit(2);
}

int client_open(void)
{
	int dev = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (dev < 0)
		fail("cannot open " DEVICE ": %s", strerror(errno));
	return dev;
}

int client_alloc(int dev, struct dma_heap_vcm_alloc *alloc)
{
	char text[SIZE_TEXT_LEN];

	alloc->size = sizeof(*alloc);
	alloc->fd_flags = O_RDWR | O_CLOEXEC;
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_ALLOC, alloc))
		fail("cannot allocate %s: %s", size_text(alloc->length, text), strerror(errno));
	return alloc->out_fd;
}

void client_query(int dev, int dmabuf, struct dma_heap_vcm_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	query->fd = dmabuf;
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, query))
		fail("cannot query the buffer: %s", strerror(errno));
}

void client_info(int dev, struct dma_heap_vcm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_INFO, info))
		fail("cannot ask the heap: %s", strerror(errno));
}

void client_print_chunks(const struct dma_heap_vcm_query *query)
{
	char text[SIZE_TEXT_LEN];
	int i;

	for (i = 0; i < DMA_HEAP_VCM_NR_CHUNK_SIZES && query->out_chunks[i].size; i++)
		printf("%s%llu x %s", i ? ", " : "",
		       (unsigned long long)query->out_chunks[i].count,
		       size_text(query->out_chunks[i].size, text));
	putchar('\n');
}
