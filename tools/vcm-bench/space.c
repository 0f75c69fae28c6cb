// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to make an address space, and to switch a device from one to
 * another with 64 MiB mapped in each.
 *
 * Neighbours in memory are joined when a buffer is mapped. So that chunks of a
 * size are what is mapped, each has memory of somebody else's behind it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define LENGTH MIB(64)

/* Within 28 bits */
#define START MIB(16)
#define WINDOW MIB(128)

/* Spaces are made and destroyed in fewer rounds: each round maps and unmaps too. */
#define LIFE_PART 10

/* What the IOMMU keeps in page tables is not looked at in a switch: this is noise. */
#define FLAT 2.0

/* Part of a buffer's chunks that must not have been joined with a neighbour */
#define ENOUGH 0.95

/* How much cheaper chunks of 1 MiB are to replay than pages */
#define REPLAY_GOAL 20.0

enum kind {
	KIND_EMPTY,
	KIND_4K,
	KIND_64K,
	KIND_1M,
	KIND_2M,
	KIND_HEAP,
	KINDS,
};

static const struct {
	const char *name;
	uint64_t chunk;
	bool mapped;
} kinds[] = {
	[KIND_EMPTY] = { "nothing", 0, false },
	[KIND_4K] = { "4 KB chunks", KIB(4), true },
	[KIND_64K] = { "64 KB chunks", KIB(64), true },
	[KIND_1M] = { "1 MB chunks", MIB(1), true },
	[KIND_2M] = { "2 MB chunks", MIB(2), true },
	/* Unless memory is short that is 2 MiB and larger. */
	[KIND_HEAP] = { "as the heap likes", 0, true },
};

enum step {
	STEP_CREATE,
	STEP_MAP,
	STEP_UNMAP,
	STEP_DESTROY,
	STEP_SWITCH,
	STEPS,
};

static const char * const step_names[] = { "create", "map", "unmap", "destroy", "switch" };

/* Two spaces, with the same buffer mapped in each */
struct pair {
	enum kind kind;		/* how it is made up */
	int dmabuf;		/* the buffer, unless there is nothing */
	uint64_t runs;		/* physically contiguous runs in it */
	uint32_t space[2];	/* the numbers of the spaces */
	uint64_t *ns[STEPS];	/* times of each step */
	size_t n[STEPS];	/* number of them */
};

/* --- Memory in pieces -------------------------------------------------- */

#define TRIES 4

/*
 * How many neighbours there are depends on what is free besides. Another try
 * meets other memory while the buffers of the ones before are kept.
 */
static int alloc_well_apart(uint64_t size)
{
	int dmabufs[TRIES], last, i;

	for (last = 0; ; last++) {
		dmabufs[last] = alloc_apart(HEAP_VCM, LENGTH, size);
		if (last == TRIES - 1 || vcm_runs(dmabufs[last]) >= ENOUGH * LENGTH / size)
			break;
	}
	for (i = 0; i < last; i++)
		close(dmabufs[i]);
	return dmabufs[last];
}

/* --- Spaces ------------------------------------------------------------ */

static uint32_t space_create(const struct importer *importer)
{
	struct vcm_edu_space_create args = { .start = START, .length = WINDOW };

	if (ioctl(importer->fd, VCM_EDU_IOC_SPACE_CREATE, &args))
		die("creating a space: %s", strerror(errno));
	return args.space;
}

static void space_op(const struct importer *importer, uint32_t space, uint32_t op)
{
	struct vcm_edu_space args = { .space = space, .op = op };

	if (ioctl(importer->fd, VCM_EDU_IOC_SPACE, &args))
		die("operation %u on a space: %s", op, strerror(errno));
}

static uint32_t space_import(const struct importer *importer, uint32_t space, int dmabuf)
{
	struct vcm_edu_import import = { .fd = dmabuf, .space = space };

	if (ioctl(importer->fd, VCM_EDU_IOC_IMPORT, &import))
		die("mapping in a space: %s", strerror(errno));
	return import.handle;
}

static void space_release(const struct importer *importer, uint32_t handle)
{
	struct vcm_edu_release release = { .handle = handle };

	if (ioctl(importer->fd, VCM_EDU_IOC_RELEASE, &release))
		die("unmapping in a space: %s", strerror(errno));
}

/* Takes the time since @start for a step; the next one starts now. */
static uint64_t step_done(struct pair *pair, enum step step, uint64_t start)
{
	uint64_t end = now_ns();

	pair->ns[step][pair->n[step]++] = end - start;
	return end;
}

/* --- Measuring --------------------------------------------------------- */

static void pair_init(struct pair *pair, const struct importer *importer, enum kind kind,
		      unsigned int rounds)
{
	int i;

	memset(pair, 0, sizeof(*pair));
	pair->kind = kind;
	pair->dmabuf = -1;
	if (kinds[kind].chunk)
		pair->dmabuf = alloc_well_apart(kinds[kind].chunk);
	else if (kinds[kind].mapped)
		pair->dmabuf = heap_alloc(HEAP_VCM, LENGTH);
	if (pair->dmabuf >= 0)
		pair->runs = vcm_runs(pair->dmabuf);

	for (i = 0; i < STEPS; i++)
		pair->ns[i] = xmalloc(2 * rounds * sizeof(uint64_t));
	for (i = 0; i < 2; i++) {
		pair->space[i] = space_create(importer);
		if (pair->dmabuf >= 0)
			space_import(importer, pair->space[i], pair->dmabuf);
	}
}

/* There and back. */
static void time_switch(struct pair *pair, const struct importer *importer)
{
	uint64_t start;

	space_op(importer, pair->space[0], VCM_EDU_SPACE_ACTIVATE);
	start = now_ns();
	space_op(importer, pair->space[1], VCM_EDU_SPACE_SWITCH);
	start = step_done(pair, STEP_SWITCH, start);
	space_op(importer, pair->space[0], VCM_EDU_SPACE_SWITCH);
	step_done(pair, STEP_SWITCH, start);
	space_op(importer, pair->space[0], VCM_EDU_SPACE_DEACTIVATE);
}

/* A third space, from its beginning to its end. */
static void time_life(struct pair *pair, const struct importer *importer)
{
	uint64_t start = now_ns();
	uint32_t space = space_create(importer), handle;

	start = step_done(pair, STEP_CREATE, start);
	if (pair->dmabuf >= 0) {
		handle = space_import(importer, space, pair->dmabuf);
		start = step_done(pair, STEP_MAP, start);
		space_release(importer, handle);
		start = step_done(pair, STEP_UNMAP, start);
	}
	space_op(importer, space, VCM_EDU_SPACE_DESTROY);
	step_done(pair, STEP_DESTROY, start);
}

/* Returns the times of a switch. */
static struct summary report_pair(struct pair *pair)
{
	struct summary summary = {};
	char name[64], text[64];
	int i;

	for (i = 0; i < STEPS; i++) {
		if (!pair->n[i])
			continue;
		summary = summarise(pair->ns[i], pair->n[i]);
		snprintf(name, sizeof(name), "%s, %s", step_names[i], kinds[pair->kind].name);
		report(INFO, name, "%s, %llu runs mapped in each space", summary_text(&summary, text),
		       (unsigned long long)pair->runs);
		free(pair->ns[i]);
	}
	return summary;
}

/* --- The goals --------------------------------------------------------- */

/* Page tables: whatever is in them, the device is given another one. */
static void report_flat(const struct summary *switched)
{
	double least = switched[0].median, most = least;
	int i;

	for (i = 1; i < KINDS; i++) {
		least = switched[i].median < least ? switched[i].median : least;
		most = switched[i].median > most ? switched[i].median : most;
	}
	report(reached(most <= FLAT * least), "switch, whatever is mapped",
	       "the slowest takes %.2f times as long as the fastest (goal: %.0f at most)",
	       most / least, FLAT);
}

/* Requests: what is mapped in a space is told to the IOMMU again. */
static void report_replay(const struct summary *switched)
{
	double page = switched[KIND_4K].median - switched[KIND_EMPTY].median;
	double large = switched[KIND_1M].median - switched[KIND_EMPTY].median;

	report(reached(page >= REPLAY_GOAL * large), "replay, 1 MB against 4 KB",
	       "%.0f us against %.0f us, %.1f times cheaper (goal: %.0f; the whole switch: %.1f times)",
	       large / 1e3, page / 1e3, page / large, REPLAY_GOAL,
	       switched[KIND_4K].median / switched[KIND_1M].median);
}

void section_space(const struct options *options)
{
	struct summary switched[KINDS];
	static struct pair pairs[KINDS];
	struct importer importer;
	unsigned int i, kind;

	importer_open(&importer, 0);
	for (kind = 0; kind < KINDS; kind++)
		pair_init(&pairs[kind], &importer, kind, options->rounds);

	/* In turn, so that what else the machine does is seen by all. */
	for (i = 0; i < options->rounds; i++)
		for (kind = 0; kind < KINDS; kind++)
			time_switch(&pairs[kind], &importer);
	for (i = 0; i < (options->rounds + LIFE_PART - 1) / LIFE_PART; i++)
		for (kind = 0; kind < KINDS; kind++)
			time_life(&pairs[kind], &importer);
	importer_close(&importer);

	note("space: %s, device of %u bits, %llu MiB in each space", iommu_name(), importer.bits,
	     (unsigned long long)(LENGTH >> 20));
	for (kind = 0; kind < KINDS; kind++)
		switched[kind] = report_pair(&pairs[kind]);
	if (!strcmp(iommu_name(), "virtio"))
		report_replay(switched);
	else
		report_flat(switched);
}
