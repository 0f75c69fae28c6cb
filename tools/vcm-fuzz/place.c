// SPDX-License-Identifier: MIT
/*
 * Where an argument is when the kernel looks at it: in good memory, in memory
 * that ends too early or cannot be written, nowhere, in a mapped buffer, or in
 * memory that another thread changes.
 *
 * Two threads do the latter. The racer writes to the argument as fast as it
 * can while the call runs, which hits now and then. And some arguments end in
 * pages that are not there yet: the kernel stops in the middle of copying, and
 * the keeper of these pages (userfaultfd) changes the other part, or takes it
 * away, before it provides the rest. That hits every time.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#define PAGE		0x1000ul
#define ARENA		(2 * FUZZ_ARG_MAX)
/* The head of a slow argument is in one page. */
#define SLOW		(PAGE + FUZZ_ARG_MAX)

enum place {
	PLACE_GOOD,
	PLACE_ODD,		/* not aligned */
	PLACE_HALF,		/* its end is not there */
	PLACE_READ_ONLY,
	PLACE_BUFFER,		/* in a buffer of the heap, mapped */
	PLACE_RACED,
	PLACE_SLOW,
	PLACE_BAD,		/* no address that userspace has */
};

/* What the keeper of the slow pages does to the part that was copied. */
enum slow_action {
	SLOW_SCRIBBLE,
	SLOW_READ_ONLY,
	SLOW_TAKE,
	SLOW_ACTIONS
};

/* One worker is one process: what follows is the worker's own. */
static struct {
	int wake;
	_Atomic(uint32_t *) words;
	atomic_uint nr_words;
	atomic_bool stop;
	atomic_uint running;
} racer;

static struct {
	enum slow_action action;
	uint64_t value;
	char *head;
	size_t head_len;
	atomic_uint hits;
} keeper;

static void fail(const char *what)
{
	perror(what);
	_exit(3);
}

/* --- The two threads --------------------------------------------------- */

static void *racer_run(void *unused)
{
	static const uint32_t values[] = { 0, 1, 64, 4096, 4097, 0xf0000000, 0xffffffff };
	uint64_t go;

	while (read(racer.wake, &go, sizeof(go)) == sizeof(go)) {
		volatile uint32_t *words = atomic_load(&racer.words);
		unsigned int n = atomic_load(&racer.nr_words), i;

		for (i = 0; n && !atomic_load(&racer.stop); i++)
			words[i % n] = values[i / n % ARRAY_SIZE(values)];
		atomic_store(&racer.running, 0);
	}
	return unused;
}

static void race_start(void *arg, size_t size)
{
	uint64_t one = 1;

	atomic_store(&racer.words, (uint32_t *)arg);
	atomic_store(&racer.nr_words, size / sizeof(uint32_t));
	atomic_store(&racer.stop, false);
	atomic_store(&racer.running, 1);
	if (write(racer.wake, &one, sizeof(one)) != sizeof(one))
		fail("eventfd");
}

static void race_stop(void)
{
	atomic_store(&racer.stop, true);
	while (atomic_load(&racer.running))
		sched_yield();
}

static void keeper_act(void)
{
	size_t i;

	switch (keeper.action) {
	case SLOW_SCRIBBLE:
		for (i = 0; i + sizeof(keeper.value) <= keeper.head_len; i += sizeof(keeper.value))
			memcpy(keeper.head + i, &keeper.value, sizeof(keeper.value));
		break;
	case SLOW_READ_ONLY:
		mprotect((void *)((uintptr_t)keeper.head & -PAGE), PAGE, PROT_READ);
		break;
	default:
		mprotect((void *)((uintptr_t)keeper.head & -PAGE), PAGE, PROT_NONE);
	}
}

static void *keeper_run(void *data)
{
	const struct fuzz_arena *arena = data;
	struct uffd_msg msg;

	while (read(arena->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		uintptr_t page = msg.arg.pagefault.address & -PAGE;
		struct uffdio_copy copy = {
			.dst = page,
			.src = (uintptr_t)arena->tail + (page - (uintptr_t)arena->slow - PAGE),
			.len = PAGE,
		};

		if (page == (uintptr_t)arena->slow + PAGE) {
			keeper_act();
			atomic_fetch_add(&keeper.hits, 1);
		}
		ioctl(arena->uffd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

/* --- The memory -------------------------------------------------------- */

static void *map(size_t len, int prot, int flags, int fd)
{
	void *ptr = mmap(NULL, len, prot, flags, fd, 0);

	if (ptr == MAP_FAILED)
		fail("mmap");
	return ptr;
}

static void start_thread(void *(*run)(void *), void *data)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (pthread_create(&thread, &attr, run, data))
		fail("pthread_create");
	pthread_attr_destroy(&attr);
}

/* Without userfaultfd nothing is slow. */
static void slow_init(struct fuzz_arena *arena)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register region = {
		.range = { (uintptr_t)arena->slow + PAGE, SLOW - PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	arena->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (arena->uffd < 0)
		return;
	if (ioctl(arena->uffd, UFFDIO_API, &api) ||
	    ioctl(arena->uffd, UFFDIO_REGISTER, &region))
		fail("userfaultfd");
	start_thread(keeper_run, arena);
}

/**
 * fuzz_arena_init - get memory for arguments, and the threads that change it
 * @w: the worker
 */
void fuzz_arena_init(struct fuzz_worker *w)
{
	struct fuzz_arena *arena = &w->arena;
	int fd = syscall(SYS_memfd_create, "arena", 0);

	if (fd < 0 || ftruncate(fd, ARENA))
		fail("memfd");
	arena->rw = map(ARENA + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (mmap(arena->rw, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    arena->rw)
		fail("mmap");
	arena->ro = map(ARENA, PROT_READ, MAP_SHARED, fd);
	close(fd);
	arena->slow = map(SLOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	arena->tail = map(SLOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	racer.wake = eventfd(0, EFD_CLOEXEC);
	if (racer.wake < 0)
		fail("eventfd");
	start_thread(racer_run, NULL);
	slow_init(arena);
}

static enum place choose_place(uint64_t kind)
{
	if (kind < 190)
		return PLACE_GOOD;
	if (kind < 200)
		return PLACE_ODD;
	if (kind < 216)
		return PLACE_HALF;
	if (kind < 226)
		return PLACE_READ_ONLY;
	if (kind < 236)
		return PLACE_BUFFER;
	if (kind < 240)
		return PLACE_RACED;
	return kind < 250 ? PLACE_SLOW : PLACE_BAD;
}

static void *bad_address(struct fuzz_worker *w, uint64_t raw)
{
	const uint64_t bad[] = {
		0, 1, 0xfff, 0xffff888000000000, 0xffffffff81000000, 0x800000000000,
		0x7ffffffff000, 0x7fffffffffff, -1ull, -4096ull, (uintptr_t)w->arena.rw + ARENA,
	};

	return (void *)(uintptr_t)bad[raw % ARRAY_SIZE(bad)];
}

/* The first bytes are there, and the rest when it is touched. */
static void *place_slow(struct fuzz_worker *w, const void *arg, size_t size, uint64_t raw)
{
	struct fuzz_arena *arena = &w->arena;
	size_t head = (raw % size) & -8ul;
	char *at = arena->slow + PAGE - head;

	keeper.action = (raw >> 32) % SLOW_ACTIONS;
	keeper.value = raw >> 40 & 1 ? -1ull : 0x1000;
	keeper.head = at;
	keeper.head_len = head;
	memcpy(at, arg, head);
	memcpy(arena->tail, (const char *)arg + head, size - head);
	return at;
}

static void slow_reset(struct fuzz_arena *arena)
{
	mprotect(arena->slow, PAGE, PROT_READ | PROT_WRITE);
	madvise(arena->slow + PAGE, SLOW - PAGE, MADV_DONTNEED);
}

static void *place(struct fuzz_worker *w, enum place *where, const void *arg, size_t size,
		   uint64_t raw)
{
	struct fuzz_map *map = &w->maps[raw % FUZZ_MAPS];
	char *rw = w->arena.rw;

	switch (*where) {
	case PLACE_ODD:
		rw += raw % 64 + 1;
		break;
	case PLACE_HALF:
		rw += ARENA - raw % size;
		memcpy(rw, arg, raw % size);
		return rw;
	case PLACE_READ_ONLY:
		memcpy(rw, arg, size);
		return w->arena.ro;
	case PLACE_BUFFER:
		if (!map->ptr || map->len < size)
			break;
		memcpy(map->ptr, arg, size);
		return map->ptr;
	case PLACE_SLOW:
		if (w->arena.uffd >= 0)
			return place_slow(w, arg, size, raw);
		*where = PLACE_GOOD;
		break;
	case PLACE_BAD:
		return bad_address(w, raw);
	default:
		break;
	}
	memcpy(rw, arg, size);
	return rw;
}

/* --- The call ---------------------------------------------------------- */

/**
 * fuzz_count - count an ioctl
 * @w: the worker
 * @target: what it was made on
 * @fd: the next file descriptor there was before
 * @ret: 0 or -errno
 *
 * An error must be one that the interface has, and leave no file descriptor.
 */
void fuzz_count(struct fuzz_worker *w, enum fuzz_target target, int fd, int ret)
{
	struct fuzz_counts *counts = w->counts;
	int next;

	counts->ioctls[target]++;
	if (!ret) {
		counts->succeeded[target]++;
		return;
	}
	counts->errors[target][-ret < FUZZ_ERRORS ? -ret : FUZZ_ERRORS - 1]++;
	if (!fuzz_error_known(target, -ret) && !counts->unexpected++)
		printf("# worker %u, call %llu: unexpected error: %s\n", w->id,
		       (unsigned long long)w->call, strerror(-ret));
	if (fd < 0)
		return;
	next = dup(w->vcm);
	if (next >= 0)
		close(next);
	if (next != fd && !counts->leaked++)
		printf("# worker %u, call %llu: %s left file descriptor %d\n", w->id,
		       (unsigned long long)w->call, strerror(-ret), fd);
}

/* Every sixteenth call is worth two more system calls. */
static int next_fd(struct fuzz_worker *w)
{
	int fd;

	if (w->call % 16)
		return -1;
	fd = dup(w->vcm);
	if (fd >= 0)
		close(fd);
	return fd;
}

/**
 * fuzz_ioctl - make an ioctl with its argument somewhere
 * @w: the worker
 * @target: what @fd is
 * @fd: the file
 * @command: number of the ioctl
 * @arg: the argument, at least 8 bytes; what came back on success
 * @size: bytes in it
 *
 * Returns: whether it succeeded and @arg is what the kernel wrote.
 */
bool fuzz_ioctl(struct fuzz_worker *w, enum fuzz_target target, int fd, unsigned long command,
		void *arg, size_t size)
{
	enum place where = choose_place(rng_below(&w->rng, 256));
	void *at = place(w, &where, arg, size, rng_next(&w->rng));
	int next = next_fd(w), ret;
	unsigned int hits = atomic_load(&keeper.hits);

	if (where == PLACE_RACED)
		race_start(at, size);
	ret = ioctl(fd, command, at) < 0 ? -errno : 0;
	if (where == PLACE_RACED)
		race_stop();
	fuzz_count(w, target, next, ret);
	if (where == PLACE_RACED || atomic_load(&keeper.hits) != hits)
		w->counts->raced++;
	if (where == PLACE_SLOW)
		slow_reset(&w->arena);
	if (ret || where == PLACE_RACED || where == PLACE_SLOW || where == PLACE_READ_ONLY ||
	    where == PLACE_HALF || where == PLACE_BAD)
		return false;
	memcpy(arg, at, size);
	return true;
}
