// SPDX-License-Identifier: MIT
/*
 * Heaps and their buffers as a program uses them.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#include "heap.h"

#define BUFFERS_FILE "/sys/kernel/debug/vcm/buffers"

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("vcm-demo: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int heap_open(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int heap_alloc(int heap, uint64_t len)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char text[32];

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		die("cannot allocate %s: %s", size_text(len, text), strerror(errno));
	return data.fd;
}

static void buffer_sync(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	if (ret)
		die("cannot synchronise with the CPU: %s", strerror(errno));
}

void buffer_begin(int dmabuf, uint64_t access)
{
	buffer_sync(dmabuf, DMA_BUF_SYNC_START | access);
}

void buffer_end(int dmabuf, uint64_t access)
{
	buffer_sync(dmabuf, DMA_BUF_SYNC_END | access);
}

uint64_t chunk_size(int kind)
{
	switch (kind) {
	case CHUNK_2M:
		return DMA_HEAP_VCM_CHUNK_2M;
	case CHUNK_1M:
		return DMA_HEAP_VCM_CHUNK_1M;
	case CHUNK_64K:
		return DMA_HEAP_VCM_CHUNK_64K;
	default:
		return sysconf(_SC_PAGESIZE);
	}
}

static bool chunks_parse(const char *line, unsigned long long want, struct chunks *chunks)
{
	unsigned long long ino, count[CHUNKS];
	int kind;

	if (sscanf(line, "ino=%llu length=%*u 2M=%llu 1M=%llu 64K=%llu page=%llu", &ino,
		   &count[CHUNK_2M], &count[CHUNK_1M], &count[CHUNK_64K],
		   &count[CHUNK_PAGE]) != 1 + CHUNKS || ino != want)
		return false;
	for (kind = 0; kind < CHUNKS; kind++)
		chunks->count[kind] = count[kind];
	return true;
}

bool chunks_read(int dmabuf, struct chunks *chunks)
{
	bool found = false;
	char line[4096];
	struct stat st;
	FILE *file;

	if (fstat(dmabuf, &st))
		return false;
	file = fopen(BUFFERS_FILE, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = chunks_parse(line, st.st_ino, chunks);
	fclose(file);
	return found;
}

const char *size_text(uint64_t bytes, char *text)
{
	static const char * const units[] = { "bytes", "KiB", "MiB", "GiB" };
	unsigned int unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < ARRAY_SIZE(units) - 1) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 32, "%llu %s", (unsigned long long)bytes, units[unit]);
	return text;
}

const char *time_text(double seconds, char *text)
{
	if (seconds >= 1)
		snprintf(text, 32, "%.2f s", seconds);
	else if (seconds >= 0.001)
		snprintf(text, 32, "%.1f ms", seconds * 1000);
	else
		snprintf(text, 32, "%.0f us", seconds * 1000000);
	return text;
}
