// SPDX-License-Identifier: MIT
/*
 * vcmctl info, vcmctl alloc, vcmctl map
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "map-aligned.h"
#include "vcm_buffer.h"
#include "vcmctl.h"

/* Of guards with a scratch page, by what the interface says of ERANGE */
#define SCRATCH_GUARD_MAX (16ull << 20)

/* ---- /dev/vcm ---- */

static int open_device(void)
{
	int dev = __vcm_dev_open();

	if (dev >= 0)
		return dev;
	switch (-dev) {
	case ENOENT:
		die("no " VCM_DEV_PATH ": load the module first (insmod vcm-heap.ko)");
	case EACCES:
	case EPERM:
		die("no permission for " VCM_DEV_PATH ": be root, or let a udev rule give it to a group");
	default:
		die("cannot open " VCM_DEV_PATH ": %s", strerror(-dev));
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

static void ask_heap(int dev, struct dma_heap_vcm_info *info)
{
	int ret = __vcm_dev_info(dev, info);

	if (ret)
		die("cannot ask the heap: %s", strerror(-ret));
}

/* The larger one is too large. */
__attribute__((noreturn))
static void guard_failed(const struct dma_heap_vcm_alloc *alloc,
			 const struct dma_heap_vcm_info *info)
{
	uint64_t guard = alloc->guard > alloc->guard_before ? alloc->guard : alloc->guard_before;
	uint64_t max = info->out_guard_max;
	char text[SIZE_TEXT_LEN], max_text[SIZE_TEXT_LEN];

	if (alloc->flags & DMA_HEAP_VCM_SCRATCH && max > SCRATCH_GUARD_MAX)
		max = SCRATCH_GUARD_MAX;
	die("cannot keep a guard of %s: %s at most are possible", size_text(guard, text),
	    size_text(max, max_text));
}

/* What was wrong with @alloc, and what can be done, by the error that came. */
static void alloc_failed(int dev, const struct dma_heap_vcm_alloc *alloc, int error)
{
	char length[SIZE_TEXT_LEN], text[SIZE_TEXT_LEN];
	struct dma_heap_vcm_info info;

	ask_heap(dev, &info);
	size_text(alloc->length, length);
	switch (error) {
	case EINVAL:
		if (!alloc->length)
			die("cannot allocate 0 bytes: a buffer has at least one");
		if (alloc->flags & DMA_HEAP_VCM_CONTIGUOUS)
			die("--chunks does not go with --contiguous: a run is not made of chunks");
		die("cannot allocate %s: no multiple of %s, the smallest size in --chunks", length,
		     size_text(alloc->chunk_sizes & -alloc->chunk_sizes, text));
	case EOPNOTSUPP:
		die("cannot allocate in chunks of %s: this kernel has %s",
		     size_text(alloc->chunk_sizes & ~info.out_chunk_sizes, text),
		     sizes_text(info.out_chunk_sizes));
	case EDOM:
		die("cannot align to %s: a power of two from %ld to %llu is possible",
		     size_text(alloc->align, text), sysconf(_SC_PAGESIZE),
		     (unsigned long long)info.out_align_max);
	case ERANGE:
		guard_failed(alloc, &info);
	case EFBIG:
		die("cannot allocate %s in one run: %s at most are possible", length,
		    size_text(info.out_contiguous_max, text));
	case ENAMETOOLONG:
		die("the name is too long: %d bytes at most", DMA_HEAP_VCM_NAME_LEN - 1);
	case ENOMEM:
		if (alloc->reach && alloc->flags & DMA_HEAP_VCM_STRICT)
			die("cannot allocate %s below %s: others need that memory; ask for less, or without --strict",
			    length, size_text(alloc->reach, text));
		if (alloc->flags & DMA_HEAP_VCM_CONTIGUOUS)
			die("cannot allocate %s in one run: others need the memory, or have it in between and it cannot be moved; ask for less",
			    length);
		die("cannot allocate %s: others need the memory that is left; ask for less%s",
		     length, alloc->chunk_sizes ? ", or for smaller --chunks too" : "");
	case EOVERFLOW:
		die("cannot allocate %s: it is too long", length);
	default:
		die("cannot allocate %s: %s", length, strerror(error));
	}
}

static int alloc_buffer(int dev, struct dma_heap_vcm_alloc *alloc)
{
	int dmabuf = __vcm_dev_alloc(dev, alloc);

	if (dmabuf < 0)
		alloc_failed(dev, alloc, -dmabuf);
	return dmabuf;
}

static void query_buffer(int dev, int dmabuf, struct dma_heap_vcm_query *query)
{
	int ret = __vcm_dev_query(dev, dmabuf, query);

	if (ret)
		die("cannot query the buffer: %s", strerror(-ret));
}

/* "16 x 2 MiB, 1 x 64 KiB" and a newline */
static void print_chunks(const struct dma_heap_vcm_query *query)
{
	char text[SIZE_TEXT_LEN];
	int i;

	for (i = 0; i < DMA_HEAP_VCM_NR_CHUNK_SIZES && query->out_chunks[i].size; i++)
		printf("%s%llu x %s", i ? ", " : "",
		       (unsigned long long)query->out_chunks[i].count,
		       size_text(query->out_chunks[i].size, text));
	putchar('\n');
}

/* ---- What is shown ---- */

static void print_size(const char *label, uint64_t size)
{
	char text[SIZE_TEXT_LEN];

	printf("%-14s%s\n", label, size_text(size, text));
}

/*
 * @largest is the largest chunk of a buffer, whose alignment it has at least, or 0
 * where there is no buffer yet.
 */
static void print_policy(uint64_t align, uint64_t guard, uint32_t flags, uint64_t largest)
{
	char text[SIZE_TEXT_LEN], asked[SIZE_TEXT_LEN];

	printf("%-14s", "alignment");
	if (!align && !largest)
		puts("that of a buffer's largest chunk");
	else if (!align)
		printf("%s, as its largest chunk\n", size_text(largest, text));
	else if (align < largest)
		printf("%s, as its largest chunk (%s was asked for)\n", size_text(largest, text),
		       size_text(align, asked));
	else
		puts(size_text(align, text));
	print_size("guard", guard);
	printf("%-14s%s\n", "strict", flags & DMA_HEAP_VCM_STRICT ? "yes" : "no");
}

int command_info(int argc, char **argv)
{
	struct dma_heap_vcm_info info;

	options_none(argc, argv);
	ask_heap(open_device(), &info);
	printf("%-14s%u\n", "version", info.out_version);
	printf("%-14s", "chunk sizes");
	puts(sizes_text(info.out_chunk_sizes));
	print_size("length up to", info.out_length_max);
	print_size("align up to", info.out_align_max);
	print_size("guard up to", info.out_guard_max);
	print_size("one run up to", info.out_contiguous_max);
	puts("By default:");
	print_policy(info.out_align, info.out_guard, info.out_flags, 0);
	return 0;
}

static void print_buffer(const struct dma_heap_vcm_query *query)
{
	print_size("length", query->out_length);
	printf("%-14s", "chunks");
	print_chunks(query);
	printf("%-14s%llu\n", "runs", (unsigned long long)query->out_nr_runs);
	print_policy(query->out_align, query->out_guard, query->out_flags,
		     query->out_chunks[0].size);
	if (query->out_guard_before)
		print_size("guard before", query->out_guard_before);
	if (query->out_flags & DMA_HEAP_VCM_SCRATCH)
		puts("guards        zeroes");
	if (query->out_flags & DMA_HEAP_VCM_KEEP)
		puts("mappings      kept");
	if (query->out_window)
		printf("%-14s%u\n", "window", query->out_window);
	if (query->out_reach) {
		print_size("reach", query->out_reach);
		print_size("beyond it", query->out_beyond);
	}
}

static const struct option options[] = {
	{ "align", required_argument, NULL, 'a' },
	{ "guard", required_argument, NULL, 'g' },
	{ "guard-before", required_argument, NULL, 'b' },
	{ "scratch", no_argument, NULL, 'z' },
	{ "keep", no_argument, NULL, 'k' },
	{ "window", required_argument, NULL, 'w' },
	{ "chunks", required_argument, NULL, 'c' },
	{ "contiguous", no_argument, NULL, 'r' },
	{ "reach", required_argument, NULL, 'R' },
	{ "strict", no_argument, NULL, 's' },
	{ "name", required_argument, NULL, 'n' },
	{ "hold", no_argument, NULL, 'h' },
	{}
};

/* A number from 1 on */
static uint32_t window_number(const char *text)
{
	unsigned long long number = strtoull(options_number("--window", text), NULL, 10);

	if (!number || number > UINT32_MAX)
		fail_use("--window '%s': a number from 1 to %u is possible", text, UINT32_MAX);
	return number;
}

int command_alloc(int argc, char **argv)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(0);
	struct dma_heap_vcm_query query;
	bool hold = false;
	int dev, option;

	while ((option = options_next(argc, argv, options)) != -1) {
		switch (option) {
		case 'a': alloc.align = options_size("--align", optarg); break;
		case 'g': alloc.guard = options_size("--guard", optarg); break;
		case 'b': alloc.guard_before = options_size("--guard-before", optarg); break;
		case 'z': alloc.flags |= DMA_HEAP_VCM_SCRATCH; break;
		case 'k': alloc.flags |= DMA_HEAP_VCM_KEEP; break;
		case 'w': alloc.window = window_number(optarg); break;
		case 'c': alloc.chunk_sizes = options_sizes("--chunks", optarg); break;
		case 'R': alloc.reach = options_size("--reach", optarg); break;
		case 'r': alloc.flags |= DMA_HEAP_VCM_CONTIGUOUS; break;
		case 's': alloc.flags |= DMA_HEAP_VCM_STRICT; break;
		case 'n': alloc.name = (uintptr_t)optarg; break;
		case 'h': hold = true; break;
		}
	}
	alloc.length = options_size("SIZE", options_only_argument(argc, argv));

	dev = open_device();
	query_buffer(dev, alloc_buffer(dev, &alloc), &query);
	print_buffer(&query);
	fflush(stdout);
	while (hold)
		pause();
	return 0;
}

/* ---- What a mapping for the CPU costs, by its address ---- */

static long minor_faults(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		die("getrusage: %s", strerror(errno));
	return usage.ru_minflt;
}

/*
 * Reads: the faults of an entry that is missing. To write to a page for the first time is
 * one more for a CPU that leaves it to the kernel to note that, whoever made the entry.
 */
static long touch(volatile char *map, size_t len)
{
	size_t at, page = sysconf(_SC_PAGESIZE);
	long before = minor_faults();

	for (at = 0; at < len; at += page)
		(void)map[at];
	return minor_faults() - before;
}

static void show_mapping(const char *label, void *map, size_t len)
{
	if (map == MAP_FAILED)
		die("cannot map the buffer: %s", strerror(errno));
	printf("%-14sat %p, %ld page faults\n", label, map, touch(map, len));
	munmap(map, len);
}

static const struct option map_options[] = {
	{ "chunks", required_argument, NULL, 'c' },
	{}
};

int command_map(int argc, char **argv)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(0);
	struct dma_heap_vcm_query query;
	int dev, dmabuf, option;
	size_t len;

	while ((option = options_next(argc, argv, map_options)) != -1)
		if (option == 'c')
			alloc.chunk_sizes = options_sizes("--chunks", optarg);
	alloc.length = options_size("SIZE", options_only_argument(argc, argv));

	dev = open_device();
	dmabuf = alloc_buffer(dev, &alloc);
	query_buffer(dev, dmabuf, &query);
	len = query.out_length;
	printf("%-14s", "chunks");
	print_chunks(&query);

	/* Once for the faults that the first call of anything takes. */
	minor_faults();
	show_mapping("aligned", vcm_map_aligned(dmabuf, 0, len, PROT_READ | PROT_WRITE), len);
	show_mapping("anywhere", mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0), len);
	return 0;
}
