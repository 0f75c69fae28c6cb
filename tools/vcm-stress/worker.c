// SPDX-License-Identifier: MIT
/*
 * A worker: threads that take random actions with the buffers of a process.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stress.h"
#include "vcm_buffer.h"

/* Calls after which a hostile worker lets go of all that it has. */
#define EPOCH		1024

/* Who was killed may not have left the device yet. */
#define RETRIES		500
#define RETRY_US	20000

static const char *const edu_paths[EDUS] = { "/dev/vcm-edu-test", "/dev/vcm-edu-test1" };

/* --- A call ------------------------------------------------------------ */

/* A signal interrupts only what dma-buf says it may. */
static int patient_ioctl(enum target target, int fd, unsigned long command, void *arg)
{
	int i, ret;

	if (target == DMABUF)
		return vcm_ioctl_again(fd, command, arg);
	for (i = 0; i < RETRIES; i++) {
		ret = vcm_ioctl(fd, command, arg);
		if (target != EDU || (ret != -EBUSY && ret != -ENXIO))
			break;
		usleep(RETRY_US);
	}
	return ret;
}

/*
 * Make an ioctl. It has to succeed, but where memory is short, or room in 28 bits of
 * addresses; a hostile worker makes another one of it. Returns whether it succeeded and
 * @arg is what the kernel wrote.
 */
bool call(struct thread *t, enum target target, int fd, unsigned long command, void *arg,
	  size_t size)
{
	struct shared *shared = t->w->shared;
	int ret;

	if (shared->hostile)
		return hostile_call(t, target, fd, command, arg, size);
	ret = patient_ioctl(target, fd, command, arg);
	if (ret == -ENOMEM || ret == -ENOSPC)
		atomic_fetch_add(&shared->no_memory, 1);
	else if (ret < 0)
		fail(shared, "ioctl %#lx: %s", command, strerror(-ret));
	return ret >= 0;
}

/* --- The table of buffers ---------------------------------------------- */

/* Takes a slot out of the table; false if another thread has it. */
static bool take(struct worker *w, unsigned int slot, struct buffer *b)
{
	bool taken;

	pthread_mutex_lock(&w->lock);
	taken = w->taken[slot];
	w->taken[slot] = true;
	*b = w->slots[slot];
	pthread_mutex_unlock(&w->lock);
	return !taken;
}

static uint64_t bytes_of(const struct buffer *b)
{
	return b->fd >= 0 ? b->len : 0;
}

static void put(struct worker *w, unsigned int slot, const struct buffer *b)
{
	pthread_mutex_lock(&w->lock);
	w->bytes += bytes_of(b) - bytes_of(&w->slots[slot]);
	w->slots[slot] = *b;
	w->taken[slot] = false;
	pthread_mutex_unlock(&w->lock);
}

static bool is_full(struct worker *w)
{
	bool full;

	pthread_mutex_lock(&w->lock);
	full = w->bytes >= w->shared->bytes_max;
	pthread_mutex_unlock(&w->lock);
	return full;
}

/* --- Threads ----------------------------------------------------------- */

static unsigned int choose_action(struct thread *t)
{
	bool hostile = t->w->shared->hostile;
	unsigned int n = rng_below(&t->rng, hostile ? 1000 : 100), share, i;

	for (i = 0; i < nr_actions; i++) {
		share = hostile ? actions[i].hostile : actions[i].soak;
		if (n < share)
			break;
		n -= share;
	}
	return i;
}

/* A slot that has nothing gets something first, but of a hostile worker. */
static void step(struct thread *t)
{
	struct worker *w = t->w;
	unsigned int slot, action;
	struct buffer b;

	rng_seed(&t->rng, w->shared->seed, w->id * THREADS + t->id, t->step++);
	slot = rng_below(&t->rng, SLOTS);
	action = choose_action(t);
	if (!take(w, slot, &b))
		return;
	if (b.fd < 0 && !w->shared->hostile) {
		action = receive(t, &b) ? ACTION_RECEIVE : ACTION_ALLOC;
		if (action == ACTION_ALLOC && is_full(w))
			goto out;
	}
	if (action == ACTION_RECEIVE || actions[action].run(t, &b))
		atomic_fetch_add(&w->shared->done[action], 1);
out:
	put(w, slot, &b);
}

static void *thread_run(void *data)
{
	struct thread *t = data;

	while (!atomic_load(&t->w->shared->stop))
		step(t);
	return NULL;
}

static int open_node(const char *path)
{
	int fd = vcm_open(path);

	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-fd));
		_exit(3);
	}
	return fd;
}

/* The old file is closed by this, with all that the importer had for it. */
static void open_edus_again(struct worker *w)
{
	int i, fd;

	for (i = 0; i < EDUS; i++) {
		fd = open_node(edu_paths[i]);
		dup3(fd, w->edus[i], O_CLOEXEC);
		close(fd);
	}
}

static void worker_init(struct worker *w)
{
	int i;

	w->heap = open_node("/dev/dma_heap/vcm");
	w->vcm = open_node(VCM_DEV_PATH);
	for (i = 0; i < EDUS; i++)
		w->edus[i] = open_node(edu_paths[i]);
	for (i = 0; i < SLOTS; i++)
		w->slots[i].fd = -1;
	for (i = 0; i < SPACES; i++)
		w->syncs[i] = -1;
	pthread_mutex_init(&w->lock, NULL);
}

static void run_threads(struct worker *w)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .w = w, .id = i };
		if (pthread_create(&ids[i], NULL, thread_run, &threads[i])) {
			fail(w->shared, "pthread_create");
			_exit(3);
		}
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	for (i = 0; i < SLOTS; i++) {
		struct thread t = { .w = w };

		if (w->slots[i].fd < 0)
			continue;
		check_contents(&t, &w->slots[i]);
		buffer_free(&t, &w->slots[i]);
	}
}

/* --- A hostile worker -------------------------------------------------- */

static void forget_all(struct worker *w)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		forget_map(&w->slots[i]);
		w->slots[i] = (struct buffer){ .fd = -1 };
	}
	memset(w->spaces, 0, sizeof(w->spaces));
	for (i = 0; i < SPACES; i++)
		w->syncs[i] = -1;
	close_range(w->first_fd, ~0u, 0);
	open_edus_again(w);
}

static void run_hostile(struct worker *w)
{
	/* Calls may get file descriptors that nobody hears of: there are not many. */
	const struct rlimit limit = { FILES, FILES };
	struct thread t = { .w = w };
	uint64_t *sequence = &w->shared->sequence[w->id];

	hostile_init(w);
	w->first_fd = dup(w->vcm);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(3);
	while (w->calls < w->shared->calls_max) {
		step(&t);
		*sequence = rng_mix(*sequence ^ t.rng.state);
		if (t.step % EPOCH == 0)
			forget_all(w);
	}
	forget_all(w);
}

/* Be a worker until the time is over. All buffers are checked and closed at the end. */
void worker_run(struct shared *shared, unsigned int id)
{
	struct worker w = { .shared = shared, .id = id };

	worker_init(&w);
	if (shared->hostile)
		run_hostile(&w);
	else
		run_threads(&w);
	fflush(stdout);
	_exit(0);
}
