// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's memory that a buffer takes besides its own.
 *
 * The kernel's trace of slab allocations tells it to the byte, for one buffer:
 * what is left of them when the allocation is over. To that comes what vmalloc
 * gave. Less what a dma-buf without any memory takes, that is what the exporter
 * needs. What many objects share, a new page for a slab, is not counted.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-heap-vcm.h>

#include "device.h"
#include "pool.h"
#include "report.h"
#include "sections.h"
#include "vcm_files.h"

#define TRACING "/sys/kernel/tracing/instances/vcm-bench/"

#define REPEATS 15
#define MAX_OBJECTS 65536

static const char * const events[] = { "kmalloc", "kmem_cache_alloc", "kfree", "kmem_cache_free" };

/* --- The trace --------------------------------------------------------- */

static void trace_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static void trace_init(void)
{
	char text[64];
	int i;

	if (mkdir(TRACING, 0700) && errno != EEXIST)
		die("%s: %s", TRACING, strerror(errno));
	trace_write("tracing_on", "0");
	snprintf(text, sizeof(text), "%d", getpid());
	trace_write("set_event_pid", text);
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(text, sizeof(text), "events/kmem/%s/enable", events[i]);
		trace_write(text, "1");
	}
}

static void trace_fini(void)
{
	rmdir(TRACING);
}

/* Of a slab */
struct object {
	uint64_t ptr;	/* its address, as the kernel shows it */
	uint64_t bytes;	/* in it */
};

/* Those that are left */
struct objects {
	struct object list[MAX_OBJECTS];	/* allocated and not yet freed */
	size_t n;				/* number of them */
};

static uint64_t trace_number(const char *line, const char *key, int base)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static void objects_free(struct objects *objects, uint64_t ptr)
{
	size_t i;

	for (i = 0; i < objects->n; i++) {
		if (objects->list[i].ptr != ptr)
			continue;
		objects->list[i] = objects->list[--objects->n];
		return;
	}
}

static void objects_line(struct objects *objects, const char *line)
{
	uint64_t ptr = trace_number(line, " ptr=", 16);

	if (strstr(line, " kmalloc: ") || strstr(line, " kmem_cache_alloc: ")) {
		/* Some are traced twice, by the caller too. */
		objects_free(objects, ptr);
		if (objects->n == MAX_OBJECTS)
			die("too many objects for one buffer");
		objects->list[objects->n++] = (struct object) {
			.ptr = ptr,
			.bytes = trace_number(line, " bytes_alloc=", 10),
		};
	} else if (strstr(line, " kfree: ") || strstr(line, " kmem_cache_free: ")) {
		objects_free(objects, ptr);
	}
}

/* Bytes that were allocated while the trace was on and are not free. */
static uint64_t trace_bytes(void)
{
	static struct objects objects;
	uint64_t bytes = 0;
	char line[1024];
	FILE *file;
	size_t i;

	file = fopen(TRACING "trace", "re");
	if (!file)
		die("%s: %s", TRACING "trace", strerror(errno));
	objects.n = 0;
	while (fgets(line, sizeof(line), file))
		objects_line(&objects, line);
	fclose(file);
	for (i = 0; i < objects.n; i++)
		bytes += objects.list[i].bytes;
	return bytes;
}

static uint64_t vmalloc_bytes(void)
{
	uint64_t bytes = vcm_meminfo("VmallocUsed");

	if (!bytes)
		die("/proc/meminfo: no VmallocUsed");
	return bytes;
}

/* --- Buffers ----------------------------------------------------------- */

enum kind {
	EMPTY,
	VCM,
	VCM_CHUNKS,
	SYSTEM,
};

static const struct {
	const char *name;
	enum kind kind;
	uint64_t len;
	uint64_t chunk;
} buffers[] = {
	{ "dma-buf alone", EMPTY, KIB(4), 0 },
	{ "vcm", VCM, KIB(4), 0 },
	{ "system", SYSTEM, KIB(4), 0 },
	{ "vcm", VCM, MIB(1), 0 },
	{ "system", SYSTEM, MIB(1), 0 },
	{ "vcm", VCM, MIB(64), 0 },
	{ "system", SYSTEM, MIB(64), 0 },
	{ "vcm, 2 MB chunks", VCM_CHUNKS, MIB(64), MIB(2) },
	{ "vcm, 64 KB chunks", VCM_CHUNKS, MIB(64), KIB(64) },
	{ "vcm, 4 KB chunks", VCM_CHUNKS, MIB(64), KIB(4) },
};

static int alloc_buffer(int i)
{
	switch (buffers[i].kind) {
	case EMPTY:
		return bench_empty();
	case VCM:
		return heap_alloc(HEAP_VCM, buffers[i].len);
	case VCM_CHUNKS:
		return vcm_alloc(buffers[i].len, buffers[i].chunk);
	default:
		return heap_alloc(HEAP_SYSTEM, buffers[i].len);
	}
}

static uint64_t buffer_bytes(int i)
{
	uint64_t before, after;
	int dmabuf;

	trace_write("trace", "");
	before = vmalloc_bytes();
	trace_write("tracing_on", "1");
	dmabuf = alloc_buffer(i);
	trace_write("tracing_on", "0");
	after = vmalloc_bytes();
	close(dmabuf);
	return trace_bytes() + (after > before ? after - before : 0);
}

void section_overhead(const struct options *options)
{
	uint64_t bytes[REPEATS], alone = 0;
	unsigned long cap = pool_cap();
	int i, j;

	pool_off();
	trace_init();
	progress("bookkeeping of a buffer");
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		uint64_t median;

		/* Once before, for what stays. */
		close(alloc_buffer(i));
		for (j = 0; j < REPEATS; j++)
			bytes[j] = buffer_bytes(i);
		median = summarise(bytes, REPEATS).median;
		if (buffers[i].kind == EMPTY)
			alone = median;
		result("overhead\t%s\t%llu\t%d\t%llu\t%llu", buffers[i].name,
		       (unsigned long long)buffers[i].len, REPEATS, (unsigned long long)median,
		       (unsigned long long)(median > alone ? median - alone : 0));
	}
	trace_fini();
	pool_set_cap(cap);
}
