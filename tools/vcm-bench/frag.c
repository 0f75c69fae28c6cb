// SPDX-License-Identifier: GPL-2.0
/*
 * What large chunks are left when memory is in pieces.
 *
 * A program takes all memory in single pages and gives back every second one.
 * Chunks that stayed whole are held by somebody else. Then half of the pages
 * that the program still has are given back too, at random.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "device.h"
#include "peers.h"
#include "pool.h"
#include "report.h"
#include "sections.h"
#include "vcm_files.h"

/* What is allocated then, and what the pool has from before. */
#define LENGTH MIB(128)
/* A large chunk. */
#define LARGE KIB(64)
#define REPEATS 5

/* What the program leaves for the rest of the machine: above all watermarks. */
#define LEAVE MIB(14)

#define PAGE KIB(4)

/* Newer than the C library. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#define MAX_HOLDERS 16384
#define HOLD_ROUNDS 3
#define WIDE 1

/* All of the memory in single pages */
struct hog {
	char *pages;			/* the mapping */
	size_t n;			/* pages that were touched */
	int holders[MAX_HOLDERS];	/* buffers of a large chunk each */
	unsigned int nr_holders;	/* number of them */
};

/* Free bytes that a program can get, so not those below 16 MiB. */
static uint64_t free_bytes(void)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	char line[512], zone[32];
	uint64_t bytes = 0;

	if (!file)
		die("/proc/buddyinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		unsigned long long count;
		char *at, *end;
		int order;

		if (sscanf(line, "Node %*d, zone %31s", zone) != 1 || !strcmp(zone, "DMA"))
			continue;
		at = strstr(line, zone) + strlen(zone);
		for (order = 0; count = strtoull(at, &end, 10), end != at; order++, at = end)
			bytes += count * PAGE << order;
	}
	fclose(file);
	return bytes;
}

static void set_vm(const char *name, const char *value)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	ret = vcm_file_write(path, value);
	if (ret)
		die("%s: %s", path, strerror(-ret));
}

static void prepare_memory(void)
{
	/* The kernel would put the pieces together again in the background. */
	set_vm("compaction_proactiveness", "0");
	set_vm("compact_unevictable_allowed", "0");
	/* It keeps some memory free for huge pages: a lot, in a small guest. */
	set_vm("min_free_kbytes", "4096");
	/* What a CPU has at hand for itself comes out again when memory is short. */
	set_vm("percpu_pagelist_high_fraction", "1000000");
}

static void hog_fill(struct hog *hog)
{
	struct sysinfo info;
	size_t max;

	sysinfo(&info);
	max = info.totalram / PAGE;
	hog->pages = mmap(NULL, max * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hog->pages == MAP_FAILED || madvise(hog->pages, max * PAGE, MADV_NOHUGEPAGE))
		die("no addresses for all of memory: %s", strerror(errno));
	/* Pages that can be moved would make room for whatever needs large ones. */
	if (mlock2(hog->pages, max * PAGE, MLOCK_ONFAULT))
		die("mlock: %s", strerror(errno));
	for (hog->n = 0; hog->n < max; hog->n++) {
		if (hog->n % 256 == 0 && free_bytes() < LEAVE)
			break;
		hog->pages[hog->n * PAGE] = 1;
	}
}

static void hog_release(struct hog *hog, size_t page)
{
	if (madvise(hog->pages + page * PAGE, PAGE, MADV_DONTNEED_LOCKED))
		die("madvise: %s", strerror(errno));
}

static void hog_release_second(struct hog *hog)
{
	size_t i;

	for (i = 1; i < hog->n; i += 2)
		hog_release(hog, i);
}

/* Of the pages that are left. */
static void hog_release_half(struct hog *hog)
{
	uint64_t state = random_seeded(SEED);
	size_t i;

	for (i = 0; i < hog->n; i += 2)
		if (random_below(&state, 2))
			hog_release(hog, i);
}

static void hog_hold(struct hog *hog)
{
	int dmabuf;

	while (hog->nr_holders < MAX_HOLDERS) {
		dmabuf = vcm_try_alloc(LARGE, LARGE);
		if (dmabuf < 0)
			break;
		hog->holders[hog->nr_holders++] = dmabuf;
	}
}

/* Large chunks come to light again while memory gets short. */
static void hog_hold_large(struct hog *hog)
{
	struct rlimit limit = { MAX_HOLDERS + 64, MAX_HOLDERS + 64 };
	int i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("%u open files: %s", MAX_HOLDERS, strerror(errno));
	for (i = 0; i < HOLD_ROUNDS; i++) {
		hog_hold(hog);
		close(heap_alloc(HEAP_VCM, LENGTH));
	}
	hog_hold(hog);
}

static void hog_free(struct hog *hog)
{
	unsigned int i;

	munmap(hog->pages, hog->n * PAGE);
	for (i = 0; i < hog->nr_holders; i++)
		close(hog->holders[i]);
}

/* --- Shares ------------------------------------------------------------ */

/* Percentages of fresh buffers that are in large pieces */
struct shares {
	uint64_t runs[REPEATS];		/* physically contiguous runs, in hundredths of a percent */
	uint64_t chunks[REPEATS];	/* chunks, likewise; of vcm only */
};

static uint64_t share(uint64_t large)
{
	return large * 10000 / LENGTH;
}

static void shares_take(struct shares *shares, int i, enum peer peer,
			const struct importer *importer)
{
	int dmabuf = peer_alloc(peer, LENGTH);

	shares->runs[i] = share(bench_large(importer, dmabuf, LARGE, NULL));
	shares->chunks[i] = peer == PEER_SYSTEM ? 0 : share(vcm_large(dmabuf, LARGE));
	close(dmabuf);
}

static void shares_report(struct shares *shares, const char *state, enum peer peer)
{
	double runs = summarise(shares->runs, REPEATS).median / 100;
	double chunks = summarise(shares->chunks, REPEATS).median / 100;

	if (peer == PEER_SYSTEM)
		chunks = runs;
	result("large\t%s\t%s\t%llu\t%d\t%.2f\t%.2f", state, peer_name(peer),
	       (unsigned long long)LENGTH, REPEATS, runs, chunks);
}

static void compare(const char *state, const struct importer *importer)
{
	struct shares cold, system;
	int i;

	progress("large chunks, %s", state);
	for (i = 0; i < REPEATS; i++) {
		shares_take(&cold, i, PEER_COLD, importer);
		shares_take(&system, i, PEER_SYSTEM, importer);
	}
	shares_report(&cold, state, PEER_COLD);
	shares_report(&system, state, PEER_SYSTEM);
}

/* @before goes into the pool. */
static void compare_pool(const char *state, const struct importer *importer, int before)
{
	struct shares warm;
	int i;

	pool_set_cap(LENGTH >> 20);
	pool_wait_calm();
	close(before);
	for (i = 0; i < REPEATS; i++) {
		pool_wait_clean(LENGTH);
		shares_take(&warm, i, PEER_WARM, importer);
	}
	shares_report(&warm, state, PEER_WARM);
	pool_off();
}

void section_frag(const struct options *options)
{
	struct importer importer;
	static struct hog hog;
	int before;

	pool_off();
	importer_open_any(&importer, WIDE);
	prepare_memory();
	compare("as booted", &importer);

	before = heap_alloc(HEAP_VCM, LENGTH);
	progress("taking all memory in single pages");
	hog_fill(&hog);
	hog_release_second(&hog);
	hog_hold_large(&hog);
	result("info\tshattered_mb\t%zu", hog.n * PAGE >> 20);
	compare("every second page free", &importer);
	hog_release_half(&hog);
	compare("half of the rest freed", &importer);
	compare_pool("half of the rest freed", &importer, before);
	hog_free(&hog);
	importer_close(&importer);
}
