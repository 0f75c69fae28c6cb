// SPDX-License-Identifier: GPL-2.0
/*
 * A camera, counted: its buffers are allocated, mapped for it and for a program that
 * touches all of them (start); it fills them in turn, and the program looks at each
 * (frame); all is freed (end).
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "peers.h"
#include "report.h"
#include "sections.h"

/* NV12 in 4K. */
#define BYTES (3840 * 2160 * 3 / 2)
#define BUFFERS 30
#define FRAMES 1000
#define REPEATS 2
#define PAGE KIB(4)
#define WIDE 1

enum phase {
	START,
	FRAME,
	END,
	PHASES,
};

static const char * const phase_names[] = {
	[START] = "camera-start",
	[FRAME] = "camera-frame",
	[END] = "camera-end",
};

/* With buffers whose mappings are kept, where there are such: a frame, and the end */
static const char * const kept_names[] = {
	[FRAME] = "camera-frame-kept",
	[END] = "camera-end-kept",
};

/* One of the camera's */
struct buffer {
	int dmabuf;	/* the buffer */
	char *addr;	/* where the program has it */
};

static void buffer_start(struct buffer *buffer, enum peer peer, bool kept,
			 const struct importer *camera, int bench)
{
	uint64_t offset;

	buffer->dmabuf = kept && peer != PEER_SYSTEM ? peer_alloc_kept(BYTES) :
						       peer_alloc(peer, BYTES);
	bench_queue(bench, camera, buffer->dmabuf);
	buffer->addr = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->dmabuf, 0);
	if (buffer->addr == MAP_FAILED)
		die("mmap of a frame: %s", strerror(errno));
	for (offset = 0; offset < BYTES; offset += PAGE)
		*(volatile char *)(buffer->addr + offset) = 1;
}

static void buffer_end(struct buffer *buffer)
{
	munmap(buffer->addr, BYTES);
	close(buffer->dmabuf);
}

static void phases(enum peer peer, bool kept, const struct importer *camera,
		   uint64_t ns[PHASES])
{
	struct buffer buffers[BUFFERS];
	int bench = bench_open(), i;

	count_settle();
	ns[START] = now_ns();
	for (i = 0; i < BUFFERS; i++)
		buffer_start(&buffers[i], peer, kept, camera, bench);
	ns[START] = now_ns() - ns[START];

	/* Once around, before the first one comes back. */
	bench_frames(bench, BUFFERS);
	count_settle();
	ns[FRAME] = now_ns();
	bench_frames(bench, FRAMES);
	ns[FRAME] = (now_ns() - ns[FRAME]) / FRAMES;

	count_settle();
	ns[END] = now_ns();
	bench_frames_free(bench);
	for (i = 0; i < BUFFERS; i++)
		buffer_end(&buffers[i]);
	ns[END] = now_ns() - ns[END];
	close(bench);
}

static void run_peer(enum peer peer, bool kept, const struct importer *camera)
{
	uint64_t ns[PHASES][REPEATS], turn[PHASES];
	int i, phase;

	for (i = 0; i < REPEATS; i++) {
		peer_begin(peer, BYTES, BUFFERS);
		phases(peer, kept, camera, turn);
		peer_end(peer);
		for (phase = 0; phase < PHASES; phase++)
			ns[phase][i] = turn[phase];
	}
	for (phase = kept ? FRAME : START; phase < PHASES; phase++)
		count_report(kept ? kept_names[phase] : phase_names[phase], peer, BYTES,
			     ns[phase], REPEATS);
}

void section_count_camera(const struct options *options)
{
	struct importer camera;
	enum peer peer;

	count_begin(BUFFERS * (uint64_t)BYTES, false);
	importer_open_any(&camera, WIDE);
	for (peer = PEER_WARM; peer <= PEER_SYSTEM; peer++)
		run_peer(peer, false, &camera);
	for (peer = PEER_WARM; peer <= PEER_SYSTEM; peer++)
		run_peer(peer, true, &camera);
	importer_close(&camera);
	count_end();
}
