// SPDX-License-Identifier: GPL-2.0
/*
 * How long it takes to get one run of memory: out of ordinary memory, where others have
 * most of it, and out of the region that was set aside for CMA, which others have as well
 * while nobody needs it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "peers.h"
#include "pool.h"
#include "report.h"
#include "sections.h"
#include "vcm_buffer.h"
#include "vcm_files.h"

#define REPEATS 8
#define PIECE KIB(64)

/* What is left of the memory that can be had, so that there is room to move things to. */
#define LEAVE MIB(160)

static const uint64_t lengths[] = { MIB(2), MIB(16), MIB(64), MIB(128), MIB(256) };

enum { CONTIGUOUS, CMA, CHUNKS };
static const char * const names[] = {
	[CONTIGUOUS] = "contiguous", [CMA] = "cma", [CHUNKS] = "chunks",
};

static int cma, dev;

static int try_alloc(int peer, uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	if (peer == CMA)
		return __vcm_heap_alloc(cma, len);
	if (peer == CONTIGUOUS)
		args.flags = DMA_HEAP_VCM_CONTIGUOUS;
	return __vcm_dev_alloc(dev, &args);
}

static void measure(const char *state, int peer, uint64_t len)
{
	uint64_t alloc[REPEATS], start;
	struct summary summary;
	unsigned int n = 0, i;
	int dmabuf;

	for (i = 0; i < REPEATS; i++) {
		start = now_ns();
		dmabuf = try_alloc(peer, len);
		if (dmabuf < 0)
			continue;
		alloc[n++] = now_ns() - start;
		close(dmabuf);
	}
	if (!n) {
		result("runs\t%s\t%s\t%llu\t0\t%d\t0\t0\t0", state, names[peer],
		       (unsigned long long)len, REPEATS);
		return;
	}
	summary = summarise(alloc, n);
	result("runs\t%s\t%s\t%llu\t%u\t%d\t%.0f\t%.0f\t%llu", state, names[peer],
	       (unsigned long long)len, n, REPEATS, summary.median, summary.low,
	       (unsigned long long)alloc[n - 1]);
}

static void measure_all(const char *state, uint64_t largest)
{
	int peer, i;

	progress("runs of memory, %s", state);
	for (i = 0; i < ARRAY_SIZE(lengths) && lengths[i] <= largest; i++)
		for (peer = 0; peer < ARRAY_SIZE(names); peer++)
			if (peer != CMA || cma >= 0)
				measure(state, peer, lengths[i]);
}

/* A file in memory; every second piece of it is given back. */
static int scatter(void)
{
	uint64_t len = (vcm_meminfo("MemAvailable") - LEAVE) & -MIB(2), at;
	int fd = memfd_create("others", MFD_CLOEXEC);
	char *ptr;

	if (fd < 0 || ftruncate(fd, len))
		die("a file of %llu bytes: %s", (unsigned long long)len, strerror(errno));
	for (at = 0; at < len; at += MIB(2)) {
		ptr = mmap(NULL, MIB(2), PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
		if (ptr == MAP_FAILED)
			die("mmap: %s", strerror(errno));
		memset(ptr, at >> 21 | 1, MIB(2));
		munmap(ptr, MIB(2));
	}
	for (at = 0; at < len; at += 2 * PIECE)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PIECE))
			die("fallocate: %s", strerror(errno));
	result("info\tscattered_mb\t%llu", (unsigned long long)len >> 20);
	return fd;
}

void section_runs(const struct options *options)
{
	int others;

	dev = __vcm_dev_open();
	if (dev < 0)
		die(VCM_DEV_PATH ": %s", strerror(-dev));
	cma = cma_heap_open();
	pool_off();
	measure_all("as booted", options->largest);
	others = scatter();
	measure_all("in pieces", options->largest);
	close(others);
}
