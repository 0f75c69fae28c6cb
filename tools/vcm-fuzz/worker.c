// SPDX-License-Identifier: MIT
/*
 * A worker: a process that makes random calls.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuzz.h"

static const char *const edu_paths[FUZZ_EDUS] = { "/dev/vcm-edu", "/dev/vcm-edu1" };

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		_exit(3);
	}
	return fd;
}

/* An importer that was opened anew has the number of the one before. */
static void open_edus(struct fuzz_worker *w)
{
	unsigned int i;
	int fd;

	for (i = 0; i < FUZZ_EDUS; i++) {
		fd = open_node(edu_paths[i]);
		if (w->edus[i] >= 0) {
			/* The old one is closed by this, with all that it has. */
			dup3(fd, w->edus[i], O_CLOEXEC);
			close(fd);
		} else {
			w->edus[i] = fd;
		}
	}
}

static void forget_all(struct fuzz_worker *w)
{
	unsigned int i;

	for (i = 0; i < FUZZ_MAPS; i++)
		if (w->maps[i].ptr)
			munmap(w->maps[i].ptr, w->maps[i].len);
	memset(w->maps, 0, sizeof(w->maps));
	memset(w->imports, 0, sizeof(w->imports));
	memset(w->spaces, 0, sizeof(w->spaces));
	for (i = 0; i < FUZZ_BUFFERS; i++)
		w->buffers[i].fd = -1;
	for (i = 0; i < FUZZ_SPACES; i++)
		w->syncs[i] = -1;
	close_range(w->first_fd, ~0u, 0);
}

/* Calls may get file descriptors that nobody hears of: there are not many. */
static void limit_fds(void)
{
	const struct rlimit limit = { FUZZ_FILES, FUZZ_FILES };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(3);
}

static void worker_init(struct fuzz_worker *w)
{
	int i;

	w->heap = open_node("/dev/dma_heap/vcm");
	w->vcm = open_node("/dev/vcm");
	for (i = 0; i < FUZZ_EDUS; i++)
		w->edus[i] = -1;
	open_edus(w);
	fuzz_arena_init(w);

	w->first_fd = dup(w->vcm);
	forget_all(w);
	limit_fds();
}

static void one_call(struct fuzz_worker *w)
{
	uint64_t kind;

	rng_seed(&w->rng, w->seed, w->id, w->call);
	kind = rng_below(&w->rng, 16);
	if (kind < 4)
		fuzz_vcm(w);
	else if (kind < 5)
		fuzz_heap(w);
	else if (kind < 10)
		fuzz_edu(w);
	else
		fuzz_dmabuf(w);
	w->counts->sequence = rng_mix(w->counts->sequence ^ w->rng.state);
}

/* What a target has counted so far; calls that are no ioctls do not count. */
static uint64_t made(const struct fuzz_counts *counts)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < FUZZ_TARGETS; i++)
		n += counts->ioctls[i];
	return n;
}

/**
 * fuzz_worker_run - make calls, and let go of everything at the end
 * @w: the worker
 * @ioctls: ioctls to make
 */
void fuzz_worker_run(struct fuzz_worker *w, uint64_t ioctls)
{
	int i;

	worker_init(w);
	for (w->call = 0; made(w->counts) < ioctls; w->call++) {
		one_call(w);
		if (w->call % FUZZ_EPOCH)
			continue;
		forget_all(w);
		open_edus(w);
	}
	forget_all(w);
	for (i = 0; i < FUZZ_EDUS; i++)
		close(w->edus[i]);
}
