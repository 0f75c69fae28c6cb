// SPDX-License-Identifier: GPL-2.0
/*
 * What a device with few address bits pays for working on more than it can address: a
 * switch of its space for each job; and what it would pay without, by mapping for each
 * job what that needs.
 *
 * It does not matter what the memory is that is mapped, and so one buffer is everywhere.
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
#include "vcm_buffer.h"

/* 28 bits, but for the first 4 MiB; seven buffers of 32 MiB in each of 16 spaces */
#define START MIB(4)
#define WINDOW MIB(252)
#define LENGTH MIB(32)
#define SPACES 16
#define PER_SPACE 7

/* The goals: a switch, in nanoseconds, and whatever is mapped */
#define SWITCH_GOAL 100000.0
#define FLAT 2.0

/* What is in the spaces of a set: buffers of so many bytes, so many in each */
struct filling {
	const char *name;
	uint64_t length;
	unsigned int nr;
};

enum {
	FILL_LITTLE,
	FILL_ALL,
	FILLINGS,
};

static const struct filling fillings[FILLINGS] = {
	[FILL_LITTLE] = { "64 KB in each space", KIB(64), 1 },
	[FILL_ALL] = { "224 MB in each space", LENGTH, PER_SPACE },
};

static void importer_call(const struct importer *importer, unsigned long request, void *args,
			  const char *what)
{
	if (ioctl(importer->fd, request, args))
		die("%s: %s", what, strerror(errno));
}

/* --- With a set -------------------------------------------------------- */

/* A set, all of whose spaces have something in them: an import in each */
struct full_set {
	uint32_t set;
	uint32_t handles[SPACES];
	uint64_t *ns;
	size_t n;
};

/* As many times as fill a space; the last of them stands for it. */
static uint32_t fill_space(const struct importer *importer, uint32_t set, int dmabuf,
			   const struct filling *filling)
{
	struct vcm_edu_set_import args = { .set = set, .nr = filling->nr };
	unsigned int i;

	for (i = 0; i < filling->nr; i++)
		args.fds[i] = dmabuf;
	importer_call(importer, VCM_EDU_IOC_SET_IMPORT, &args, "mapping in a set");
	return args.handles[filling->nr - 1];
}

static void set_init(struct full_set *full, const struct importer *importer,
		     const struct filling *filling, unsigned int rounds)
{
	struct vcm_edu_set_create args = { .start = START, .length = WINDOW, .max = SPACES };
	int dmabuf = heap_alloc(HEAP_VCM, filling->length);
	unsigned int i;

	/* As long as what is in it, so that one of them fills it. */
	if (filling->nr == 1)
		args.length = filling->length;
	importer_call(importer, VCM_EDU_IOC_SET_CREATE, &args, "making a set");
	full->set = args.set;
	full->n = 0;
	full->ns = xmalloc(rounds * sizeof(uint64_t));
	for (i = 0; i < SPACES; i++)
		full->handles[i] = fill_space(importer, full->set, dmabuf, filling);
	close(dmabuf);
}

static void set_destroy(const struct full_set *full, const struct importer *importer)
{
	struct vcm_edu_set_destroy args = { .set = full->set };

	importer_call(importer, VCM_EDU_IOC_SET_DESTROY, &args, "ending a set");
	free(full->ns);
}

/* The device goes to another space of the set. */
static void time_job(struct full_set *full, const struct importer *importer, uint64_t *random)
{
	static unsigned int at;
	struct vcm_edu_job args = {};

	at = (at + 1 + random_below(random, SPACES - 1)) % SPACES;
	args.from = full->handles[at];
	args.to = args.from;
	importer_call(importer, VCM_EDU_IOC_JOB, &args, "a job");
	full->ns[full->n++] = args.ns;
}

/* A device has one of them at a time: it has to be in its own addresses for another. */
static double report_switches(const struct importer *importer, int which, unsigned int rounds)
{
	uint64_t random = random_seeded(1);
	struct summary summary;
	struct full_set full;
	char name[64], text[64];
	unsigned int i;

	set_init(&full, importer, &fillings[which], rounds);
	for (i = 0; i < rounds; i++)
		time_job(&full, importer, &random);
	summary = summarise(full.ns, full.n);
	snprintf(name, sizeof(name), "set, %s", fillings[which].name);
	report(INFO, name, "switch %s, %d spaces, %llu MB in all", summary_text(&summary, text),
	       SPACES, (unsigned long long)(SPACES * fillings[which].nr *
					    fillings[which].length >> 20));
	set_destroy(&full, importer);
	return summary.median;
}

/* --- Without ----------------------------------------------------------- */

/* What a job is with no set: a buffer is unmapped, and the one that is needed mapped. */
static void report_mapping(const struct importer *importer, const char *name, uint64_t flags,
			   unsigned int rounds)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(LENGTH);
	uint64_t *ns = xmalloc(rounds * sizeof(*ns)), start;
	struct vcm_edu_import import = {};
	struct vcm_edu_mapping mapping;
	struct summary summary;
	unsigned int i;
	char text[64];
	int dev = __vcm_dev_open();

	alloc.flags = flags;
	import.fd = dev < 0 ? dev : __vcm_dev_alloc(dev, &alloc);
	if (import.fd < 0)
		die("a buffer: %s", strerror(-import.fd));
	importer_call(importer, VCM_EDU_IOC_IMPORT, &import, "mapping");
	mapping.handle = import.handle;
	for (i = 0; i < rounds; i++) {
		start = now_ns();
		mapping.map = 0;
		importer_call(importer, VCM_EDU_IOC_MAPPING, &mapping, "unmapping");
		mapping.map = 1;
		importer_call(importer, VCM_EDU_IOC_MAPPING, &mapping, "mapping again");
		ns[i] = now_ns() - start;
	}
	summary = summarise(ns, rounds);
	report(INFO, name, "unmap and map %s, a buffer of %llu MB",
	       summary_text(&summary, text), (unsigned long long)(LENGTH >> 20));
	importer_unmap(importer, &import);
	close(import.fd);
	close(dev);
	free(ns);
}

void section_set(const struct options *options)
{
	struct importer importer;
	double least, most;

	importer_open(&importer, 0);
	note("set: %s, device of %u bits", iommu_name(), importer.bits);
	least = report_switches(&importer, FILL_LITTLE, options->rounds);
	most = report_switches(&importer, FILL_ALL, options->rounds);
	report_mapping(&importer, "no set", 0, options->rounds);
	report_mapping(&importer, "no set, kept mappings", DMA_HEAP_VCM_KEEP, options->rounds);
	importer_close(&importer);
	/* It is told all that is mapped in a space when the device goes there. */
	if (!strcmp(iommu_name(), "virtio"))
		return;
	report(reached(most <= SWITCH_GOAL), "switch of a set",
	       "%.0f us (goal: %.0f)", most / 1e3, SWITCH_GOAL / 1e3);
	report(reached(most <= FLAT * least), "switch, whatever is mapped",
	       "%.2f times as long as with little (goal: %.0f at most)", most / least, FLAT);
}
