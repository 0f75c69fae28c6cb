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
#include <unistd.h>

#include "client.h"
#include "size.h"

#define DEVICE "/dev/vcm"

const char *fail_command;

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

	fflush(stdout);
	fputs("vcmctl: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, " (see vcmctl %s%s--help)\n", fail_command ?: "", fail_command ? " " : "");
	exit(2);
}

int client_open(void)
{
	int dev = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (dev >= 0)
		return dev;
	switch (errno) {
	case ENOENT:
		fail("no " DEVICE ": load the module first (insmod vcm-heap.ko)");
	case EACCES:
	case EPERM:
		fail("no permission for " DEVICE ": be root, or let a udev rule give it to a group");
	default:
		fail("cannot open " DEVICE ": %s", strerror(errno));
	}
}

/* "2 MiB, 64 KiB": the sizes in the set @sizes, the largest first */
static const char *sizes_text(uint64_t sizes)
{
	static char all[64 * SIZE_TEXT_LEN];
	char text[SIZE_TEXT_LEN];
	size_t len = 0;
	int bit;

	all[0] = '\0';
	for (bit = 63; bit >= 0; bit--)
		if (sizes >> bit & 1)
			len += snprintf(all + len, sizeof(all) - len, "%s%s", len ? ", " : "",
					size_text(1ull << bit, text));
	return all;
}

void client_print_sizes(uint64_t sizes)
{
	puts(sizes_text(sizes));
}

/* What was wrong with @alloc, and what can be done, by the error that came. */
static void alloc_failed(int dev, const struct dma_heap_vcm_alloc *alloc, int error)
{
	char length[SIZE_TEXT_LEN], text[SIZE_TEXT_LEN];
	struct dma_heap_vcm_info info;

	client_info(dev, &info);
	size_text(alloc->length, length);
	switch (error) {
	case EINVAL:
		if (!alloc->length)
			fail("cannot allocate 0 bytes: a buffer has at least one");
		fail("cannot allocate %s: no multiple of %s, the smallest size in --chunks", length,
		     size_text(alloc->chunk_sizes & -alloc->chunk_sizes, text));
	case EOPNOTSUPP:
		fail("cannot allocate in chunks of %s: this kernel has %s",
		     size_text(alloc->chunk_sizes & ~info.out_chunk_sizes, text),
		     sizes_text(info.out_chunk_sizes));
	case EDOM:
		fail("cannot align to %s: a power of two from %ld to %llu is possible",
		     size_text(alloc->align, text), sysconf(_SC_PAGESIZE),
		     (unsigned long long)info.out_align_max);
	case ERANGE:
		fail("cannot keep a guard of %s: %llu bytes at most are possible",
		     size_text(alloc->guard, text), (unsigned long long)info.out_guard_max);
	case ENAMETOOLONG:
		fail("the name is too long: %d bytes at most", DMA_HEAP_VCM_NAME_LEN - 1);
	case ENOMEM:
		fail("cannot allocate %s: others need the memory that is left; ask for less%s",
		     length, alloc->chunk_sizes ? ", or for smaller --chunks too" : "");
	case EOVERFLOW:
		fail("cannot allocate %s: it is too long", length);
	default:
		fail("cannot allocate %s: %s", length, strerror(error));
	}
}

int client_alloc(int dev, struct dma_heap_vcm_alloc *alloc)
{
	alloc->size = sizeof(*alloc);
	alloc->fd_flags = O_RDWR | O_CLOEXEC;
	if (ioctl(dev, DMA_HEAP_VCM_IOCTL_ALLOC, alloc))
		alloc_failed(dev, alloc, errno);
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
