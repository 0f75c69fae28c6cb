// SPDX-License-Identifier: MIT
/*
 * vcmctl map: what a mapping for the CPU costs, by its address
 */

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "map-aligned.h"
#include "options.h"
#include "size.h"
#include "vcmctl.h"

static long minor_faults(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		fail("getrusage: %s", strerror(errno));
	return usage.ru_minflt;
}

static long touch(volatile char *map, size_t len)
{
	size_t at, page = sysconf(_SC_PAGESIZE);
	long before = minor_faults();

	for (at = 0; at < len; at += page)
		map[at] = 1;
	return minor_faults() - before;
}

static void show(const char *label, void *map, size_t len)
{
	if (map == MAP_FAILED)
		fail("cannot map the buffer: %s", strerror(errno));
	printf("%-14sat %p, %ld page faults\n", label, map, touch(map, len));
	munmap(map, len);
}

static const struct option options[] = {
	{ "chunks", required_argument, NULL, 'c' },
	{}
};

int command_map(int argc, char **argv)
{
	struct dma_heap_vcm_alloc alloc = {};
	struct dma_heap_vcm_query query;
	int dev, dmabuf, option;
	size_t len;

	while ((option = options_next(argc, argv, options)) != -1)
		if (option == 'c')
			alloc.chunk_sizes = options_sizes("--chunks", optarg);
	alloc.length = options_size("SIZE", options_only_argument(argc, argv));

	dev = client_open();
	dmabuf = client_alloc(dev, &alloc);
	client_query(dev, dmabuf, &query);
	len = query.out_length;
	printf("%-14s", "chunks");
	client_print_chunks(&query);

	/* Once for the faults that the first call of anything takes. */
	minor_faults();
	show("aligned", vcm_map_aligned(dmabuf, 0, len, PROT_READ | PROT_WRITE), len);
	show("anywhere", mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0), len);
	return 0;
}
