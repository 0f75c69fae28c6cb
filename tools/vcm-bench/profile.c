// SPDX-License-Identifier: GPL-2.0
/*
 * What the steps of a buffer are made of: the kernel's function_graph, in a guest whose
 * clock counts instructions. tools/vcm-bench/profile.py knows what to do with it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "peers.h"
#include "report.h"
#include "sections.h"
#include "touch.h"
#include "vcm_files.h"

#define TRACING "/sys/kernel/tracing/"
#define WIDE 1
/* In some of them there is an interrupt. */
#define ROUNDS 10

/* A step begins with one of these. */
static const char * const roots[] = {
	"dma_heap_ioctl", "dma_buf_mmap_internal", "dma_buf_vmap_unlocked",
	"dma_buf_vunmap_unlocked", "dma_buf_attach", "dma_buf_map_attachment_unlocked",
	"dma_buf_unmap_attachment_unlocked", "dma_buf_detach", "dma_buf_ioctl",
	"dma_buf_release",
};

static void trace_set(const char *file, const char *text)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), TRACING "%s", file);
	ret = vcm_file_write(path, text);
	if (ret)
		die("%s: %s: %s", path, text, strerror(-ret));
}

static void trace_init(void)
{
	static const char * const options[] = {
		"nofuncgraph-cpu", "nofuncgraph-overhead", "nofuncgraph-irqs", "notrace_printk",
	};
	FILE *file = fopen(TRACING "set_graph_function", "we");
	int i;

	if (!file)
		die("this kernel has no function_graph");
	setlinebuf(file);
	for (i = 0; i < ARRAY_SIZE(roots); i++)
		fprintf(file, "%s\n", roots[i]);
	fclose(file);
	trace_set("current_tracer", "function_graph");
	for (i = 0; i < ARRAY_SIZE(options); i++)
		trace_set("trace_options", options[i]);
	trace_set("current_tracer", "nop");
	trace_set("buffer_size_kb", "16384");
}

static void trace_print(void)
{
	char *text = vcm_file_read(TRACING "trace");

	if (!text)
		die("the trace cannot be read");
	fputs(text, stdout);
	free(text);
}

/* What a round of mapping takes without being watched. */
static void report_plain(const struct importer *importer, enum peer peer, int dmabuf)
{
	uint64_t ns[2][VCM_BENCH_ATTACH_STEPS], sum = 0;
	int i;

	count_settle();
	bench_attach(importer, dmabuf, 2, *ns);
	for (i = 0; i < VCM_BENCH_ATTACH_STEPS; i++)
		sum += ns[1][i];
	result("plain\t%s\t%llu", peer_name(peer), (unsigned long long)sum);
}

static void all_steps(const struct importer *importer, enum peer peer, uint64_t len)
{
	uint64_t ns[ROUNDS * VCM_BENCH_ATTACH_STEPS];
	struct vcm_edu_import import;
	int dmabuf;

	dmabuf = peer_alloc(peer, len);
	touch_buffer(dmabuf, len, PLACE_ALIGNED, len);
	bench_vmap(dmabuf, 1, ns);
	bench_attach(importer, dmabuf, ROUNDS, ns);
	importer_map_or_die(importer, dmabuf, &import);
	buffer_begin_cpu_access(dmabuf);
	buffer_end_cpu_access(dmabuf);
	importer_unmap(importer, &import);
	close(dmabuf);
}

static void profile_peer(const struct importer *importer, enum peer peer, uint64_t len)
{
	int rehearsal, dmabuf;

	peer_begin(peer, len, 2);
	rehearsal = peer_alloc(peer, peer_first(len));
	dmabuf = peer_alloc(peer, len);
	report_plain(importer, peer, dmabuf);
	close(dmabuf);
	count_settle();
	trace_set("current_tracer", "function_graph");
	all_steps(importer, peer, len);
	trace_set("tracing_on", "0");
	trace_print();
	trace_set("current_tracer", "nop");
	trace_set("tracing_on", "1");
	close(rehearsal);
	peer_end(peer);
}

void section_profile(const struct options *options)
{
	struct importer importer;
	enum peer peer;

	count_begin(2 * options->largest, false);
	importer_open_any(&importer, WIDE);
	trace_init();
	for (peer = PEER_WARM; peer <= PEER_SYSTEM; peer++)
		profile_peer(&importer, peer, options->largest);
	importer_close(&importer);
	count_end();
}
