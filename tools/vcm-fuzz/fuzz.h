/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer: what its files share.
 *
 * A worker is a process that makes one random call after the other. What it
 * draws for a call depends on the seed, its own number and the number of the
 * call alone, never on what calls before came to: with the same seed the same
 * calls are made again, as far as the kernel hands out the same numbers.
 */
#ifndef VCM_FUZZ_H
#define VCM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Calls after which a worker lets go of all that it has. */
#define FUZZ_EPOCH	1024

/* A buffer that can be had is no longer. */
#define FUZZ_LENGTH_MAX	(2ull << 20)

/* What a worker holds at once; more file descriptors may be about unknown. */
#define FUZZ_BUFFERS	24
#define FUZZ_MAPS	8
#define FUZZ_IMPORTS	16
#define FUZZ_SPACES	4
#define FUZZ_FILES	64
#define FUZZ_EDUS	2

/* The largest argument: as large as the size in an ioctl's number gets. */
#define FUZZ_ARG_MAX	0x4000

enum fuzz_target {
	FUZZ_VCM,	/* /dev/vcm */
	FUZZ_HEAP,	/* /dev/dma_heap/vcm */
	FUZZ_EDU,	/* /dev/vcm-edu and its sister */
	FUZZ_DMABUF,	/* what the first two return */
	FUZZ_TARGETS
};

/* Slots of fuzz_counts.errors; what is above is counted in the last. */
#define FUZZ_ERRORS	256

/**
 * struct fuzz_counts - what a worker did, in memory that the parent sees
 * @ioctls: ioctls made
 * @succeeded: ... that succeeded
 * @errors: ... that failed, by errno
 * @raced: ... whose argument changed meanwhile
 * @others: calls besides
 * @sequence: names the sequence of what was drawn
 * @unexpected: errors that the interface does not have
 * @leaked: calls that failed and left a file descriptor
 */
struct fuzz_counts {
	uint64_t ioctls[FUZZ_TARGETS];
	uint64_t succeeded[FUZZ_TARGETS];
	uint32_t errors[FUZZ_TARGETS][FUZZ_ERRORS];
	uint64_t raced;
	uint64_t others;
	uint64_t sequence;
	uint64_t unexpected;
	uint64_t leaked;
};

struct fuzz_buffer {
	int fd;		/* -1 for none */
};

struct fuzz_map {
	char *ptr;	/* NULL for none */
	size_t len;
};

struct fuzz_import {
	unsigned int edu;
	uint32_t handle;
};

struct fuzz_space {
	unsigned int edu;
	uint32_t number;
};

/* Memory for arguments, see place.c. */
struct fuzz_arena {
	char *rw;	/* followed by a page that is not there */
	char *ro;	/* the same memory, read-only */
	char *slow;	/* a page that is there, and pages that come when touched */
	char *tail;	/* ... with this in them */
	int uffd;	/* -1 for none */
};

/**
 * struct fuzz_worker - a worker
 * @id: its number
 * @seed: of all workers
 * @call: number of the call
 * @rng: random numbers for this call
 * @counts: what it did
 * @ram: bytes of memory in the machine
 * @first_fd: what it opened for good lies below
 * @heap: /dev/dma_heap/vcm
 * @vcm: /dev/vcm
 * @edus: /dev/vcm-edu and its sister, or -1
 * @buffers: buffers it has
 * @maps: ... and parts of them that it mapped
 * @imports: ... and those that the devices have
 * @spaces: address spaces of the devices
 * @syncs: sync files, -1 for none
 * @arena: memory for arguments
 */
struct fuzz_worker {
	unsigned int id;
	uint64_t seed;
	uint64_t call;
	struct rng rng;
	struct fuzz_counts *counts;
	uint64_t ram;
	int first_fd;
	int heap;
	int vcm;
	int edus[FUZZ_EDUS];
	struct fuzz_buffer buffers[FUZZ_BUFFERS];
	struct fuzz_map maps[FUZZ_MAPS];
	struct fuzz_import imports[FUZZ_IMPORTS];
	struct fuzz_space spaces[FUZZ_SPACES];
	int syncs[FUZZ_SPACES];
	struct fuzz_arena arena;
};

/* values.c */
uint64_t fuzz_value(struct rng *rng);
uint64_t fuzz_length(struct rng *rng);
void fuzz_mutate(struct rng *rng, void *arg, size_t size);
unsigned long fuzz_command(struct rng *rng, unsigned long command);
uint64_t fuzz_cap(const struct fuzz_worker *w, uint64_t length);
int fuzz_fd(struct fuzz_worker *w);

/* place.c */
void fuzz_arena_init(struct fuzz_worker *w);
bool fuzz_ioctl(struct fuzz_worker *w, enum fuzz_target target, int fd, unsigned long command,
		void *arg, size_t size);
void fuzz_count(struct fuzz_worker *w, enum fuzz_target target, int fd, int ret);

/* The targets */
void fuzz_vcm(struct fuzz_worker *w);
void fuzz_heap(struct fuzz_worker *w);
void fuzz_edu(struct fuzz_worker *w);
void fuzz_dmabuf(struct fuzz_worker *w);
bool fuzz_error_known(enum fuzz_target target, int error);
void fuzz_keep_buffer(struct fuzz_worker *w, int fd, unsigned int slot);

/* worker.c */
void fuzz_worker_run(struct fuzz_worker *w, uint64_t ioctls);

#endif /* VCM_FUZZ_H */
