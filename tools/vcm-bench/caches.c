// SPDX-License-Identifier: GPL-2.0
/*
 * How many calls reach the caches of the CPU while a device that does not see them gets a
 * buffer and gives it back, in the guests in which instructions are counted.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "peers.h"
#include "report.h"
#include "sections.h"
#include "vcm_files.h"

#define TRACING "/sys/kernel/tracing/"
#define EVENTS "vcm_bench"
#define WIDE 1

/* What the DMA API calls for each run of memory. */
static const char * const calls[] = {
	"arch_sync_dma_for_device", "arch_sync_dma_for_cpu",
};

static const uint64_t sizes[] = {
	KIB(4), KIB(64), MIB(1), MIB(2), MIB(4), MIB(16), MIB(64),
};

static void probes_write(const char *text)
{
	int fd = open(TRACING "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", text, strerror(errno));
	close(fd);
}

static void probes_enable(const char *enable)
{
	int ret = vcm_file_write(TRACING "events/" EVENTS "/enable", enable);

	if (ret)
		die("probes: %s", strerror(-ret));
}

static void probes_init(void)
{
	char text[128];
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		snprintf(text, sizeof(text), "p:" EVENTS "/%s %s\n", calls[i], calls[i]);
		probes_write(text);
	}
	probes_enable("1");
}

static void probes_exit(void)
{
	char text[128];
	int i;

	probes_enable("0");
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		snprintf(text, sizeof(text), "-:" EVENTS "/%s\n", calls[i]);
		probes_write(text);
	}
}

/* How often they were hit so far: lines "  name hits misses". */
static uint64_t probes_hits(void)
{
	char *text = vcm_file_read(TRACING "kprobe_profile"), *line;
	unsigned long long hits, sum = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		line = text ? strstr(text, calls[i]) : NULL;
		if (!line || sscanf(line + strlen(calls[i]), "%llu", &hits) != 1)
			die("the kernel does not say how often %s() was called", calls[i]);
		sum += hits;
	}
	free(text);
	return sum;
}

static void report_calls(const char *step, enum peer peer, uint64_t len, uint64_t number)
{
	result("count\tcalls-%s\t%s\t%llu\t%llu", step, peer_name(peer), (unsigned long long)len,
	       (unsigned long long)number);
}

static void count_calls(const struct importer *importer, enum peer peer, uint64_t len)
{
	struct vcm_edu_import import;
	uint64_t hits[4];
	int dmabuf;

	peer_begin(peer, len, 1);
	dmabuf = peer_alloc(peer, len);
	count_settle();
	hits[0] = probes_hits();
	importer_map_or_die(importer, dmabuf, &import);
	hits[1] = probes_hits();
	buffer_begin_cpu_access(dmabuf);
	buffer_end_cpu_access(dmabuf);
	hits[2] = probes_hits();
	importer_unmap(importer, &import);
	hits[3] = probes_hits();
	close(dmabuf);
	peer_end(peer);

	report_calls("map", peer, len, hits[1] - hits[0]);
	report_calls("sync", peer, len, hits[2] - hits[1]);
	report_calls("unmap", peer, len, hits[3] - hits[2]);
}

void section_count_caches(const struct options *options)
{
	struct importer importer;
	enum peer peer;
	int i;

	count_begin(options->largest, false);
	importer_open_any(&importer, WIDE);
	probes_init();
	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= options->largest; i++)
		for (peer = PEER_WARM; peer <= PEER_SYSTEM; peer++)
			count_calls(&importer, peer, sizes[i]);
	probes_exit();
	importer_close(&importer);
	count_end();
}
