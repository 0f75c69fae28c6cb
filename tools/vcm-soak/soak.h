/* SPDX-License-Identifier: MIT */
/*
 * The soak test: what its files share.
 *
 * Workers are processes of two threads each that do random things to buffers
 * and check what is in them. Meanwhile the supervisor disturbs: it takes memory
 * away and CPUs, empties the pool, kills.
 */
#ifndef VCM_SOAK_H
#define VCM_SOAK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rng.h"
#include "vcm-edu.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SOAK_WORKERS	3
#define SOAK_THREADS	2
#define SOAK_SLOTS	16
#define SOAK_EDUS	2

/* What is counted; names are in vcm-soak.c. */
enum soak_op {
	OP_ALLOC,
	OP_NO_MEMORY,	/* allocations and mappings that failed so */
	OP_VERIFY,
	OP_REWRITE,
	OP_CLOSE,
	OP_SYNC,
	OP_NAME,
	OP_IMPORT,
	OP_KERNEL,
	OP_DMA,
	OP_SEND,
	OP_RECEIVE,
	OP_FORK,
	OP_SPACE,
	/* by the supervisor: */
	OP_DROP_CACHES,
	OP_COMPACT,
	OP_POOL_CAP,
	OP_POOL_DRAIN,
	OP_PRESSURE,
	OP_KILL_ALLOC,
	OP_KILL_WORKER,
	OP_SIGNAL,
	OP_CPU,
	OPS
};

/**
 * struct soak_shared - what all processes see
 * @seed: of the run
 * @bytes_max: bytes that a worker may have in buffers
 * @stop: the time is over
 * @failures: checks that failed
 * @ops: what was done
 * @devices: held by who uses a device for more than one call
 * @inbox: a socket pair for each worker, to pass buffers on
 */
struct soak_shared {
	uint64_t seed;
	uint64_t bytes_max;
	atomic_bool stop;
	atomic_uint failures;
	atomic_ullong ops[OPS];
	pthread_mutex_t devices[SOAK_EDUS];
	int inbox[SOAK_WORKERS][2];
};

/**
 * struct soak_buffer - a buffer that somebody has
 * @fd: -1 for none
 * @len: bytes
 * @tag: what it is filled with
 * @edu: the importer it is imported to
 * @handle: ... and its number there, or 0
 */
struct soak_buffer {
	int fd;
	uint64_t len;
	uint64_t tag;
	unsigned int edu;
	uint32_t handle;
};

/**
 * struct soak_worker - a process that uses buffers
 * @shared: what all see
 * @id: its number; those that have no inbox are SOAK_WORKERS and above
 * @heap: /dev/dma_heap/vcm
 * @vcm: /dev/vcm
 * @edus: /dev/vcm-edu and its sister
 * @lock: protects the rest
 * @slots: its buffers; one that a thread uses is taken out meanwhile
 * @taken: ... and this says so
 * @bytes: in buffers
 */
struct soak_worker {
	struct soak_shared *shared;
	unsigned int id;
	int heap;
	int vcm;
	int edus[SOAK_EDUS];
	pthread_mutex_t lock;
	struct soak_buffer slots[SOAK_SLOTS];
	bool taken[SOAK_SLOTS];
	uint64_t bytes;
};

/* vcm-soak.c */
void soak_fail(struct soak_shared *shared, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void soak_count(struct soak_shared *shared, enum soak_op op);

/* buffer.c */
bool soak_buffer_alloc(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);
void soak_buffer_free(struct soak_worker *w, struct soak_buffer *buffer);
void soak_buffer_fill(struct soak_worker *w, struct soak_buffer *buffer, uint64_t tag);
bool soak_buffer_check(struct soak_worker *w, const struct soak_buffer *buffer);
bool soak_memory_check(const void *ptr, uint64_t len, uint64_t tag, uint64_t *at);
uint64_t soak_word(uint64_t tag, uint64_t offset);
uint64_t soak_offset(uint64_t tag, uint64_t page);

/* device.c */
void soak_import(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);
void soak_release(struct soak_worker *w, struct soak_buffer *buffer);
void soak_kernel(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);
void soak_dma(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);
void soak_space(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);

/* worker.c */
void soak_worker_run(struct soak_shared *shared, unsigned int id);

/* disturb.c */
void soak_disturb(struct soak_shared *shared, struct rng *rng, const pid_t *workers);
void soak_disturb_end(void);

#endif /* VCM_SOAK_H */
