// SPDX-License-Identifier: MIT
/*
 * vcmctl info, vcmctl alloc
 */

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "options.h"
#include "size.h"
#include "vcmctl.h"

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
	client_info(client_open(), &info);
	printf("%-14s%u\n", "version", info.out_version);
	printf("%-14s", "chunk sizes");
	client_print_sizes(info.out_chunk_sizes);
	print_size("length up to", info.out_length_max);
	print_size("align up to", info.out_align_max);
	print_size("guard up to", info.out_guard_max);
	puts("By default:");
	print_policy(info.out_align, info.out_guard, info.out_flags, 0);
	return 0;
}

static void print_buffer(const struct dma_heap_vcm_query *query)
{
	print_size("length", query->out_length);
	printf("%-14s", "chunks");
	client_print_chunks(query);
	printf("%-14s%llu\n", "runs", (unsigned long long)query->out_nr_runs);
	print_policy(query->out_align, query->out_guard, query->out_flags,
		     query->out_chunks[0].size);
}

static const struct option options[] = {
	{ "align", required_argument, NULL, 'a' },
	{ "guard", required_argument, NULL, 'g' },
	{ "chunks", required_argument, NULL, 'c' },
	{ "strict", no_argument, NULL, 's' },
	{ "name", required_argument, NULL, 'n' },
	{ "hold", no_argument, NULL, 'h' },
	{}
};

int command_alloc(int argc, char **argv)
{
	struct dma_heap_vcm_alloc alloc = {};
	struct dma_heap_vcm_query query;
	bool hold = false;
	int dev, option;

	while ((option = options_next(argc, argv, options)) != -1) {
		switch (option) {
		case 'a': alloc.align = options_size("--align", optarg); break;
		case 'g': alloc.guard = options_size("--guard", optarg); break;
		case 'c': alloc.chunk_sizes = options_sizes("--chunks", optarg); break;
		case 's': alloc.flags |= DMA_HEAP_VCM_STRICT; break;
		case 'n': alloc.name = (uintptr_t)optarg; break;
		case 'h': hold = true; break;
		}
	}
	alloc.length = options_size("SIZE", options_only_argument(argc, argv));

	dev = client_open();
	client_query(dev, client_alloc(dev, &alloc), &query);
	print_buffer(&query);
	fflush(stdout);
	while (hold)
		pause();
	return 0;
}
