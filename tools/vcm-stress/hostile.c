// SPDX-License-Identifier: MIT
/*
 * Hostile arguments: values that find the edges of checks, and places that find those
 * of copying. An argument is in good memory, in memory that ends too early or cannot
 * be written, nowhere, in a mapped buffer, or in memory that another thread changes.
 *
 * Two threads do the latter. The racer writes to the argument as fast as it can while
 * the call runs, which hits now and then. And some arguments end in pages that are not
 * there yet: the kernel stops in the middle of copying, and the keeper of these pages
 * (userfaultfd) changes the other part, or takes it away, before it provides the rest.
 * That hits every time.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "stress.h"
#include "vcm_buffer.h"

#define ARENA		(2 * ARG_MAX)
/* The head of a slow argument is in one page. */
#define SLOW		(PAGE + ARG_MAX)

/* Memory for arguments. A hostile worker is a process of one thread: this is its own. */
static struct {
	char *rw;	/* followed by a page that is not there */
	char *ro;	/* the same memory, read-only */
	char *slow;	/* a page that is there, and pages that come when touched */
	char *tail;	/* ... with this in them */
	int uffd;	/* -1 for none: then nothing is slow */
} arena;

static struct {
	int wake;
	_Atomic(uint32_t *) words;
	atomic_uint nr_words;
	atomic_bool stop;
	atomic_uint running;
} racer;

/* What the keeper does to the part that was copied. */
enum slow_action { SCRIBBLE, READ_ONLY, TAKE, SLOW_ACTIONS };

static struct {
	enum slow_action action;
	uint64_t value;
	char *head;
	size_t head_len;
	atomic_uint hits;
} keeper;

/* --- Values ------------------------------------------------------------ */

/* A number that is near some limit, or any. */
uint64_t odd_value(struct rng *rng)
{
	static const uint64_t limits[] = {
		0, 1, 2, 16, 64, 255, 2048, 4096, 0x10000, 0x100000, 0x200000, 1ull << 28,
		1ull << 31, 1ull << 32, 1ull << 47, 1ull << 52, 1ull << 63, -4096ull, -1ull,
	};
	uint64_t kind = rng_below(rng, 16), raw = rng_next(rng), near = rng_next(rng);

	if (kind < 8)
		return limits[raw % ARRAY_SIZE(limits)];
	if (kind < 12)
		return limits[raw % ARRAY_SIZE(limits)] + near % 5 - 2;
	if (kind < 14)
		return 1ull << raw % 64;
	return kind == 14 ? raw % 4096 : raw;
}

/*
 * Keep a hostile length from being one that takes seconds to zero. Returns @length if it
 * is short, or longer than memory.
 */
uint64_t cap_length(const struct shared *shared, uint64_t length)
{
	if (!shared->hostile || length <= MIB(2) || length > shared->ram)
		return length;
	return length % 0x20000 + 1;
}

/* Change a word of a structure, or two, or half of the time none. */
void mutate(struct thread *t, void *arg, size_t size)
{
	unsigned int n = rng_below(&t->rng, 4), i;

	for (i = 2; t->w->shared->hostile && i <= n; i++) {
		uint64_t value = odd_value(&t->rng), at = rng_next(&t->rng);
		size_t width = at >> 32 & 1 ? 8 : 4;

		if (size >= width)
			memcpy((char *)arg + at % (size / width) * width, &value, width);
	}
}

/* A file descriptor: a buffer, and of a hostile thread another file, or none. */
int some_fd(struct thread *t, int fd)
{
	uint64_t kind = rng_below(&t->rng, 32), raw = rng_next(&t->rng);
	const int others[] = {
		-1, 0, t->w->heap, t->w->vcm, t->w->edus[0], 1 << 30, INT32_MIN, INT32_MAX,
		t->w->syncs[raw % SPACES], (int)(raw >> 32), (int)(raw >> 32) & 0xff,
	};

	return t->w->shared->hostile && kind >= 26 ? others[raw % ARRAY_SIZE(others)] : fd;
}

static unsigned long some_command(struct rng *rng, unsigned long command)
{
	uint64_t kind = rng_below(rng, 64), raw = rng_next(rng);

	switch (kind) {
	case 0:
		return command ^ 1ull << raw % 32;
	case 1:
		return (command & ~(unsigned long)IOCSIZE_MASK) | (raw % 0x4000) << IOCSIZE_SHIFT;
	case 2:
		return command ^ (unsigned long)_IOC(raw % 4, 0, 0, 0);
	case 3:
		return (command & ~0xffull) | raw % 256;
	case 4:
		return raw & 0xffffffff;
	default:
		return command;
	}
}

/*
 * The first word of a structure of /dev/vcm is its size. Most of the time it is what it
 * should be; else something follows the structure that is zero or is not.
 */
static size_t change_size(struct rng *rng, char *buf, size_t size)
{
	static const uint32_t sizes[] = { 0, 4, 8, 4095, 4096, 4097, 0x3fff, 0x7fffffff, -1u };
	uint64_t kind = rng_below(rng, 64), raw = rng_next(rng);
	uint32_t claim = size;

	if (kind == 0)
		claim = rng_pick(rng, sizes);
	else if (kind < 4)
		claim = size + raw % 64;
	else if (kind < 6)
		claim = size - raw % 16;
	if (kind == 3)
		memset(buf + size, 0xff, 64);
	memcpy(buf, &claim, sizeof(claim));
	return claim > size && claim < ARG_MAX ? claim : size;
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
		die("eventfd: %s", strerror(errno));
}

static void race_stop(void)
{
	atomic_store(&racer.stop, true);
	while (atomic_load(&racer.running))
		sched_yield();
}

static void keeper_act(void)
{
	void *page = (void *)((uintptr_t)keeper.head & -PAGE);
	size_t i;

	if (keeper.action == SCRIBBLE)
		for (i = 0; i + sizeof(keeper.value) <= keeper.head_len; i += sizeof(keeper.value))
			memcpy(keeper.head + i, &keeper.value, sizeof(keeper.value));
	else
		mprotect(page, PAGE, keeper.action == READ_ONLY ? PROT_READ : PROT_NONE);
}

static void *keeper_run(void *unused)
{
	struct uffd_msg msg;

	while (read(arena.uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		uintptr_t page = msg.arg.pagefault.address & -PAGE;
		struct uffdio_copy copy = {
			.dst = page,
			.src = (uintptr_t)arena.tail + (page - (uintptr_t)arena.slow - PAGE),
			.len = PAGE,
		};

		if (page == (uintptr_t)arena.slow + PAGE) {
			keeper_act();
			atomic_fetch_add(&keeper.hits, 1);
		}
		ioctl(arena.uffd, UFFDIO_COPY, &copy);
	}
	return unused;
}

/* --- The memory -------------------------------------------------------- */

static void *map(size_t len, int prot, int flags, int fd)
{
	void *ptr = mmap(NULL, len, prot, flags, fd, 0);

	if (ptr == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return ptr;
}

static void start_thread(void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (pthread_create(&thread, &attr, run, NULL))
		die("pthread_create: %s", strerror(errno));
	pthread_attr_destroy(&attr);
}

static void slow_init(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register region = {
		.range = { (uintptr_t)arena.slow + PAGE, SLOW - PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	arena.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (arena.uffd < 0)
		return;
	if (ioctl(arena.uffd, UFFDIO_API, &api) || ioctl(arena.uffd, UFFDIO_REGISTER, &region))
		die("userfaultfd: %s", strerror(errno));
	start_thread(keeper_run);
}

/* Get memory for arguments, and the threads that change it. */
void hostile_init(struct worker *w)
{
	int fd = memfd_create("arena", 0);

	if (fd < 0 || ftruncate(fd, ARENA))
		die("memfd: %s", strerror(errno));
	arena.rw = map(ARENA + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (mmap(arena.rw, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    arena.rw)
		die("mmap: %s", strerror(errno));
	arena.ro = map(ARENA, PROT_READ, MAP_SHARED, fd);
	close(fd);
	arena.slow = map(SLOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	arena.tail = map(SLOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	racer.wake = eventfd(0, EFD_CLOEXEC);
	if (racer.wake < 0)
		die("eventfd: %s", strerror(errno));
	start_thread(racer_run);
	slow_init();
}

/* Where memory for arguments ends; what follows is not there. */
char *end_of_memory(void)
{
	return arena.rw + ARENA;
}

/* --- Places ------------------------------------------------------------ */

enum place {
	GOOD,
	ODD,		/* not aligned */
	HALF,		/* its end is not there */
	CONSTANT,	/* cannot be written */
	BUFFER,		/* in a buffer of the heap, mapped */
	RACED,
	SLOWLY,
	BAD,		/* no address that userspace has */
};

static enum place choose_place(struct rng *rng)
{
	static const struct { enum place place; unsigned int share; } shares[] = {
		{ GOOD, 190 }, { ODD, 10 }, { HALF, 16 }, { CONSTANT, 10 }, { BUFFER, 10 },
		{ RACED, 4 }, { SLOWLY, 10 }, { BAD, 6 },
	};
	unsigned int n = rng_below(rng, 256), i;

	for (i = 0; n >= shares[i].share; i++)
		n -= shares[i].share;
	return shares[i].place == SLOWLY && arena.uffd < 0 ? GOOD : shares[i].place;
}

static void *bad_address(uint64_t raw)
{
	const uint64_t bad[] = {
		0, 1, 0xfff, 0xffff888000000000, 0xffffffff81000000, 0x800000000000,
		0x7ffffffff000, 0x7fffffffffff, -1ull, -4096ull, (uintptr_t)end_of_memory(),
	};

	return (void *)(uintptr_t)bad[raw % ARRAY_SIZE(bad)];
}

/* The first bytes are there, and the rest when it is touched. */
static void *put_slowly(const void *arg, size_t size, uint64_t raw)
{
	size_t head = (raw % size) & -8ul;
	char *at = arena.slow + PAGE - head;

	keeper.action = (raw >> 32) % SLOW_ACTIONS;
	keeper.value = raw >> 40 & 1 ? -1ull : 0x1000;
	keeper.head = at;
	keeper.head_len = head;
	memcpy(at, arg, head);
	memcpy(arena.tail, (const char *)arg + head, size - head);
	return at;
}

static void slow_reset(void)
{
	mprotect(arena.slow, PAGE, PROT_READ | PROT_WRITE);
	madvise(arena.slow + PAGE, SLOW - PAGE, MADV_DONTNEED);
}

static void *put(struct thread *t, enum place where, const void *arg, size_t size, uint64_t raw)
{
	const struct buffer *b = &t->w->slots[raw % SLOTS];
	char *at = arena.rw;

	switch (where) {
	case HALF:
		at = end_of_memory() - raw % size;
		memcpy(at, arg, raw % size);
		return at;
	case SLOWLY:
		return put_slowly(arg, size, raw);
	case BAD:
		return bad_address(raw);
	case ODD:
		at += raw % 64 + 1;
		break;
	case BUFFER:
		/* Not one that is being remapped. */
		if (b->map && b->map_len >= size && !t->w->taken[raw % SLOTS])
			at = b->map;
		break;
	default:
		break;
	}
	memcpy(at, arg, size);
	return where == CONSTANT ? arena.ro : at;
}

/* --- The call ---------------------------------------------------------- */

/* Does the documentation have that error? */
static bool is_known(enum target target, int error)
{
	static const int known[TARGETS][20] = {
		[VCM] = { ENOTTY, EFAULT, E2BIG, EINVAL, EOPNOTSUPP, EOVERFLOW, EDOM, ERANGE,
			  EFBIG, ENAMETOOLONG, ENOMEM, EINTR, EMFILE, ENFILE, EBADF, ENXIO },
		[HEAP] = { EINVAL, EFAULT, ENOMEM, EINTR, EMFILE, ENFILE },
		[EDU] = { ENOTTY, EFAULT, EINVAL, EBADF, ENOENT, ENOSPC, ENOMEM, ERANGE, ENXIO,
			  EPERM, EOPNOTSUPP, EBUSY, EEXIST, EMFILE, EALREADY },
		[DMABUF] = { ENOTTY, EFAULT, EINVAL, EBADF, ENOMEM, EMFILE, EBUSY, EINTR, EACCES,
			     ENAMETOOLONG },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(known[target]); i++)
		if (known[target][i] == error)
			return true;
	return false;
}

static int next_fd(struct worker *w)
{
	int fd = dup(w->vcm);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* An error has to be one that the interface has, and to leave no file descriptor. */
static void count(struct thread *t, enum target target, int next, int ret)
{
	struct shared *shared = t->w->shared;

	t->w->calls++;
	atomic_fetch_add(&shared->calls[target], 1);
	if (ret >= 0) {
		atomic_fetch_add(&shared->succeeded[target], 1);
		return;
	}
	atomic_fetch_add(&shared->errors[target][-ret < ERRORS ? -ret : ERRORS - 1], 1);
	if (!is_known(target, -ret) && !atomic_fetch_add(&shared->unexpected, 1))
		printf("# worker %u, action %llu: unexpected error: %s\n", t->w->id,
		       (unsigned long long)t->step, strerror(-ret));
	if (next >= 0 && next_fd(t->w) != next && !atomic_fetch_add(&shared->leaked, 1))
		printf("# worker %u, action %llu: %s left file descriptor %d\n", t->w->id,
		       (unsigned long long)t->step, strerror(-ret), next);
}

/*
 * Make an ioctl of another number, with its argument somewhere. Returns whether it was
 * that ioctl, and succeeded, and @arg is what the kernel wrote.
 */
bool hostile_call(struct thread *t, enum target target, int fd, unsigned long command,
		  void *arg, size_t len)
{
	static char buf[ARG_MAX + 64];
	unsigned long made = some_command(&t->rng, command);
	enum place where = choose_place(&t->rng);
	uint64_t raw = rng_next(&t->rng);
	unsigned int hits = atomic_load(&keeper.hits);
	/* Not for each call: it is worth two more system calls. */
	int next = t->step % 16 ? -1 : next_fd(t->w), ret;
	size_t size = len;
	void *at;

	memset(buf, target == VCM ? 0 : raw, sizeof(buf));
	memcpy(buf, arg, len);
	if (target == VCM)
		size = change_size(&t->rng, buf, len);
	else if (_IOC_SIZE(made) > len)
		size = _IOC_SIZE(made);

	at = put(t, where, buf, size, raw);
	if (where == RACED)
		race_start(at, size);
	ret = vcm_ioctl(fd, made, at);
	if (where == RACED)
		race_stop();
	count(t, target, next, ret);
	if (where == RACED || atomic_load(&keeper.hits) != hits)
		atomic_fetch_add(&t->w->shared->raced, 1);
	if (where == SLOWLY)
		slow_reset();
	if (ret < 0 || made != command || (where != GOOD && where != ODD && where != BUFFER))
		return false;
	memcpy(arg, at, len);
	return true;
}
