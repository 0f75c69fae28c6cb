/* SPDX-License-Identifier: MIT */
/*
 * The stress test: what its files share.
 *
 * Workers are processes that take one action after the other: they allocate, map,
 * pass on, import, transfer, let go. There are two modes. In the first one, soak,
 * actions are well-formed, everything has to succeed, the contents of buffers are
 * checked, and a supervisor disturbs: it takes memory away and CPUs, empties the pool,
 * kills. In the second one, fuzz, the same actions are hostile: arguments are changed,
 * lie where the kernel cannot read them, or change while it does; nothing has to
 * succeed, but errors have to be documented ones, and nothing may be left.
 *
 * The random numbers of an action depend on the seed, the thread and the number of the
 * action alone, never on what actions before came to.
 */
#ifndef VCM_STRESS_H
#define VCM_STRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"
#include "vcm_util.h"

#define PAGE		4096ull
#define WORKERS_MAX	16
#define THREADS		2
#define SLOTS		24
#define EDUS		2
#define SPACES		4
#define ACTIONS_MAX	32

/* A hostile worker has no more file descriptors, as some are about unknown. */
#define FILES		64

/* The largest argument: as large as the size in an ioctl's number gets. */
#define ARG_MAX		0x4000

/* Slots of struct shared.errors; what is above is counted in the last. */
#define ERRORS		256

enum target {
	VCM,		/* /dev/vcm */
	HEAP,		/* /dev/dma_heap/vcm */
	EDU,		/* the importer and its sister */
	DMABUF,		/* what the first two return */
	TARGETS
};

/* What all processes see */
struct shared {
	bool hostile;	/* the mode */
	uint64_t seed;	/* of the run */
	unsigned int workers;	/* number of workers */
	uint64_t calls_max;	/* calls of a hostile worker */
	uint64_t bytes_max;	/* bytes that a worker may have in buffers */
	uint64_t ram;	/* bytes of memory in the machine */
	atomic_bool stop;	/* the time is over */
	atomic_uint failures;	/* checks that failed */
	atomic_ullong done[ACTIONS_MAX];	/* what was done, by the number of the action */
	atomic_ullong no_memory;	/* calls that failed so */
	atomic_ullong calls[TARGETS];	/* ioctls made */
	atomic_ullong succeeded[TARGETS];	/* ... that succeeded */
	atomic_ullong errors[TARGETS][ERRORS];	/* ... that failed, by errno */
	atomic_ullong raced;	/* ... whose argument changed meanwhile */
	atomic_ullong unexpected;	/* errors that the interface does not have */
	atomic_ullong leaked;	/* calls that failed and left a file descriptor */
	uint64_t sequence[WORKERS_MAX];	/* names the sequence of what a hostile worker drew */
	pthread_mutex_t devices[EDUS];	/* held by who uses a device for more than one call */
	int inbox[WORKERS_MAX][2];	/* a socket pair for each worker, to pass buffers on */
};

/* A buffer that somebody has */
struct buffer {
	int fd;			/* -1 for none */
	uint64_t len;		/* bytes */
	uint64_t tag;		/* what it is filled with */
	unsigned int edu;	/* the importer it is imported to */
	uint32_t handle;	/* ... and its number there, or 0 */
	char *map;		/* a mapping that a hostile worker keeps, or NULL */
	size_t map_len;		/* bytes in it */
};

/**
 * struct worker - a process that uses buffers
 * @shared: what all see
 * @id: its number; those that have no inbox are beyond the number of workers
 * @heap: /dev/dma_heap/vcm
 * @vcm: /dev/vcm
 * @edus: the importer and its sister
 * @first_fd: what it opened for good lies below
 * @calls: ioctls it made, if it is hostile
 * @lock: protects the rest
 * @slots: its buffers; one that a thread uses is taken out meanwhile
 * @taken: ... and this says so
 * @bytes: in buffers
 * @spaces: address spaces that a hostile worker made
 * @sets: ... and sets of them
 * @syncs: sync files that it has, -1 for none
 */
struct worker {
	struct shared *shared;
	unsigned int id;
	int heap;
	int vcm;
	int edus[EDUS];
	int first_fd;
	uint64_t calls;
	pthread_mutex_t lock;
	struct buffer slots[SLOTS];
	bool taken[SLOTS];
	uint64_t bytes;
	struct { unsigned int edu; uint32_t number; } spaces[SPACES], sets[SPACES];
	int syncs[SPACES];
};

/* One that takes actions */
struct thread {
	struct worker *w;	/* the worker */
	unsigned int id;	/* number in the worker */
	uint64_t step;		/* number of the action */
	struct rng rng;		/* random numbers for it */
};

/* Something to do to a buffer */
struct action {
	const char *name;	/* what is printed */
	/* Does it; the buffer may be none if the worker is hostile. Returns whether it was done */
	bool (*run)(struct thread *t, struct buffer *b);
	unsigned int soak;	/* how often, in a hundred */
	unsigned int hostile;	/* how often, in a thousand */
};

/* vcm-stress.c */
void fail(struct shared *shared, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* worker.c */
void worker_run(struct shared *shared, unsigned int id);

/* ... and an ioctl as the mode makes it */
bool call(struct thread *t, enum target target, int fd, unsigned long command, void *arg,
	  size_t size);

/* buffer.c, device.c: the actions */
extern const struct action actions[];
extern const unsigned int nr_actions;
#define ACTION_ALLOC	0
#define ACTION_RECEIVE	1

bool check_contents(struct thread *t, struct buffer *b);
void buffer_free(struct thread *t, struct buffer *b);
bool receive(struct thread *t, struct buffer *b);
uint64_t word_of(uint64_t tag, uint64_t offset);
uint64_t offset_of(uint64_t tag, uint64_t page);
void forget_map(struct buffer *b);

void release(struct thread *t, struct buffer *b);
bool do_import(struct thread *t, struct buffer *b);
bool do_release(struct thread *t, struct buffer *b);
bool do_kernel_read(struct thread *t, struct buffer *b);
bool do_device_copy(struct thread *t, struct buffer *b);
bool do_space_switch(struct thread *t, struct buffer *b);
bool do_set_job(struct thread *t, struct buffer *b);
bool do_hostile_space(struct thread *t, struct buffer *b);
bool do_hostile_set(struct thread *t, struct buffer *b);
bool do_hostile_device(struct thread *t, struct buffer *b);

/* hostile.c */
void hostile_init(struct worker *w);
bool hostile_call(struct thread *t, enum target target, int fd, unsigned long command,
		  void *arg, size_t len);
uint64_t odd_value(struct rng *rng);
void mutate(struct thread *t, void *arg, size_t size);
uint64_t cap_length(const struct shared *shared, uint64_t length);
int some_fd(struct thread *t, int fd);
char *end_of_memory(void);

/* disturb.c */
#define DISTURBANCES_MAX 16
extern const unsigned int nr_disturbances;
const char *disturbance(unsigned int n);
bool can_disturb(unsigned int n);
void disturb(struct shared *shared, struct rng *rng, const pid_t *workers, unsigned int *done);
void disturb_end(void);

/* leftovers.c */
bool drain_pool(void);
bool no_leftovers(void);

#endif /* VCM_STRESS_H */
