// SPDX-License-Identifier: MIT
/*
 * A worker: threads that do random things to the buffers of a process.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "soak.h"

struct thread {
	struct soak_worker *w;
	unsigned int id;
};

/* --- The table of buffers ---------------------------------------------- */

/* Takes a slot out of the table; false if another thread has it. */
static bool take(struct soak_worker *w, unsigned int slot, struct soak_buffer *buffer)
{
	bool taken;

	pthread_mutex_lock(&w->lock);
	taken = w->taken[slot];
	w->taken[slot] = true;
	*buffer = w->slots[slot];
	pthread_mutex_unlock(&w->lock);
	return !taken;
}

static uint64_t bytes_of(const struct soak_buffer *buffer)
{
	return buffer->fd >= 0 ? buffer->len : 0;
}

static void put(struct soak_worker *w, unsigned int slot, const struct soak_buffer *buffer)
{
	pthread_mutex_lock(&w->lock);
	w->bytes += bytes_of(buffer) - bytes_of(&w->slots[slot]);
	w->slots[slot] = *buffer;
	w->taken[slot] = false;
	pthread_mutex_unlock(&w->lock);
}

static bool is_full(struct soak_worker *w)
{
	bool full;

	pthread_mutex_lock(&w->lock);
	full = w->bytes >= w->shared->bytes_max;
	pthread_mutex_unlock(&w->lock);
	return full;
}

/* --- What is done to a buffer ------------------------------------------ */

static void op_verify(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	soak_buffer_check(w, buffer);
	soak_count(w->shared, OP_VERIFY);
}

static void op_rewrite(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	soak_buffer_fill(w, buffer, rng_next(rng) | 1);
	soak_count(w->shared, OP_REWRITE);
}

static void op_close(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	soak_buffer_free(w, buffer);
	soak_count(w->shared, OP_CLOSE);
}

/* In any order, more often than needed. */
static void op_sync(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	struct dma_buf_sync sync;
	int i;

	for (i = 0; i < 4; i++) {
		sync.flags = rng_below(rng, 3) + 1;
		sync.flags |= rng_once_in(rng, 2) ? DMA_BUF_SYNC_END : 0;
		if (ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync) && errno != EINTR &&
		    errno != EAGAIN)
			soak_fail(w->shared, "DMA_BUF_IOCTL_SYNC: %s", strerror(errno));
	}
	soak_count(w->shared, OP_SYNC);
}

static void op_name(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	char name[] = "soak-x";

	name[5] = 'a' + rng_below(rng, 26);
	if (ioctl(buffer->fd, DMA_BUF_SET_NAME_B, name) && errno != ENOMEM)
		soak_fail(w->shared, "DMA_BUF_SET_NAME: %s", strerror(errno));
	soak_count(w->shared, OP_NAME);
}

/* The child has the mapping that the parent made, and makes one of its own. */
static int check_in_child(const struct soak_buffer *buffer, const void *inherited)
{
	const void *own = mmap(NULL, buffer->len, PROT_READ, MAP_SHARED, buffer->fd, 0);
	uint64_t at;

	if (!soak_memory_check(inherited, buffer->len, buffer->tag, &at))
		return 1;
	if (own == MAP_FAILED)
		return errno == ENOMEM ? 0 : 2;
	return soak_memory_check(own, buffer->len, buffer->tag, &at) ? 0 : 3;
}

static void op_fork(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	void *ptr = mmap(NULL, buffer->len, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	int status;
	pid_t pid;

	if (ptr == MAP_FAILED)
		return;
	pid = fork();
	if (!pid)
		_exit(check_in_child(buffer, ptr));
	munmap(ptr, buffer->len);
	if (pid < 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		soak_fail(w->shared, "a child sees something else (%#x)", status);
	soak_count(w->shared, OP_FORK);
}

/* --- Passing on -------------------------------------------------------- */

struct letter {
	uint64_t len;
	uint64_t tag;
};

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static struct msghdr envelope(struct iovec *iov, union control *control)
{
	return (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(*control),
	};
}

/* The buffer belongs to the receiver then. */
static void op_send(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	int to = w->shared->inbox[rng_below(rng, SOAK_WORKERS)][0];
	struct letter letter = { .len = buffer->len, .tag = buffer->tag };
	struct iovec iov = { &letter, sizeof(letter) };
	union control control = {};
	struct msghdr msg = envelope(&iov, &control);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &buffer->fd, sizeof(int));
	/* Nobody may have taken the ones before yet. */
	if (sendmsg(to, &msg, MSG_DONTWAIT) < 0)
		return;
	soak_buffer_free(w, buffer);
	soak_count(w->shared, OP_SEND);
}

static bool receive(struct soak_worker *w, struct soak_buffer *buffer)
{
	struct letter letter;
	struct iovec iov = { &letter, sizeof(letter) };
	union control control;
	struct msghdr msg = envelope(&iov, &control);

	if (w->id >= SOAK_WORKERS ||
	    recvmsg(w->shared->inbox[w->id][1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    sizeof(letter) || !CMSG_FIRSTHDR(&msg))
		return false;
	*buffer = (struct soak_buffer){ .len = letter.len, .tag = letter.tag };
	memcpy(&buffer->fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	soak_buffer_check(w, buffer);
	soak_count(w->shared, OP_RECEIVE);
	return true;
}

/* --- Threads ----------------------------------------------------------- */

typedef void (*op_t)(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer);

/* How often in a hundred; transfers take 100 ms each. */
static const struct {
	unsigned int share;
	op_t op;
} ops[] = {
	{ 22, op_verify },
	{ 18, op_rewrite },
	{ 14, op_close },
	{ 8, op_sync },
	{ 4, op_name },
	{ 12, soak_import },
	{ 8, soak_kernel },
	{ 8, op_send },
	{ 3, op_fork },
	{ 2, soak_dma },
	{ 1, soak_space },
};

static op_t choose_op(struct rng *rng)
{
	unsigned int n = rng_below(rng, 100), i;

	for (i = 0; n >= ops[i].share; i++)
		n -= ops[i].share;
	return ops[i].op;
}

static void step(struct soak_worker *w, struct rng *rng)
{
	unsigned int slot = rng_below(rng, SOAK_SLOTS);
	op_t op = choose_op(rng);
	struct soak_buffer buffer;

	if (!take(w, slot, &buffer))
		return;
	if (buffer.fd >= 0)
		op(w, rng, &buffer);
	else if (!receive(w, &buffer) && (is_full(w) || !soak_buffer_alloc(w, rng, &buffer)))
		buffer.fd = -1;
	put(w, slot, &buffer);
}

static void *thread_run(void *data)
{
	struct thread *thread = data;
	struct soak_worker *w = thread->w;
	struct rng rng;

	rng_seed(&rng, w->shared->seed, w->id, thread->id);
	while (!atomic_load(&w->shared->stop))
		step(w, &rng);
	return NULL;
}

static int open_node(struct soak_worker *w, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		soak_fail(w->shared, "%s: %s", path, strerror(errno));
		_exit(3);
	}
	return fd;
}

static void worker_init(struct soak_worker *w)
{
	int i;

	w->heap = open_node(w, "/dev/dma_heap/vcm");
	w->vcm = open_node(w, "/dev/vcm");
	w->edus[0] = open_node(w, "/dev/vcm-edu");
	w->edus[1] = open_node(w, "/dev/vcm-edu1");
	pthread_mutex_init(&w->lock, NULL);
	for (i = 0; i < SOAK_SLOTS; i++)
		w->slots[i].fd = -1;
}

/**
 * soak_worker_run - be a worker until the time is over
 * @shared: what all see
 * @id: number of the worker
 *
 * All buffers are checked and closed at the end.
 */
void soak_worker_run(struct soak_shared *shared, unsigned int id)
{
	struct soak_worker w = { .shared = shared, .id = id };
	struct thread threads[SOAK_THREADS];
	pthread_t ids[SOAK_THREADS];
	int i;

	worker_init(&w);
	for (i = 0; i < SOAK_THREADS; i++) {
		threads[i] = (struct thread){ &w, i };
		if (pthread_create(&ids[i], NULL, thread_run, &threads[i])) {
			soak_fail(shared, "pthread_create");
			_exit(3);
		}
	}
	for (i = 0; i < SOAK_THREADS; i++)
		pthread_join(ids[i], NULL);
	for (i = 0; i < SOAK_SLOTS; i++) {
		if (w.slots[i].fd < 0)
			continue;
		soak_buffer_check(&w, &w.slots[i]);
		soak_buffer_free(&w, &w.slots[i]);
	}
	fflush(stdout);
	_exit(0);
}
