// SPDX-License-Identifier: MIT
/*
 * Actions with buffers. What is in them is a few words in each page, which differ
 * from page to page and from buffer to buffer.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "vcm_buffer.h"

#define WORD	8ull

/* Is it hostile, this thread? */
static bool hostile(const struct thread *t)
{
	return t->w->shared->hostile;
}

/* --- Contents ---------------------------------------------------------- */

/* What a filled buffer has at an offset. */
uint64_t word_of(uint64_t tag, uint64_t offset)
{
	return tag ? rng_mix(tag + offset) | 1 : 0;
}

/* Where in a page a buffer has its third word. */
uint64_t offset_of(uint64_t tag, uint64_t page)
{
	return page * PAGE + rng_mix(tag ^ page) % (PAGE / WORD) * WORD;
}

/* Looks at all pages, or writes to them. Returns the offset of what is wrong, or -1. */
static int64_t visit(void *ptr, uint64_t len, uint64_t tag, bool write)
{
	uint64_t page;
	int i;

	for (page = 0; page < len / PAGE; page++) {
		const uint64_t at[] = {
			page * PAGE, page * PAGE + PAGE - WORD, offset_of(tag, page),
		};

		for (i = 0; i < ARRAY_SIZE(at); i++) {
			volatile uint64_t *word = (uint64_t *)((char *)ptr + at[i]);

			if (write)
				*word = word_of(tag, at[i]);
			else if (*word != word_of(tag, at[i]))
				return at[i];
		}
	}
	return -1;
}

static void cpu_access(struct thread *t, const struct buffer *b, uint64_t flags)
{
	int ret = __vcm_buffer_sync(b->fd, flags);

	if (ret)
		fail(t->w->shared, "DMA_BUF_IOCTL_SYNC: %s", strerror(-ret));
}

static void *map_buffer(struct thread *t, const struct buffer *b, int prot)
{
	void *ptr = mmap(NULL, b->len, prot, MAP_SHARED, b->fd, 0);

	if (ptr != MAP_FAILED)
		return ptr;
	if (errno == ENOMEM)
		atomic_fetch_add(&t->w->shared->no_memory, 1);
	else
		fail(t->w->shared, "mmap: %s", strerror(errno));
	return NULL;
}

static bool fill(struct thread *t, struct buffer *b, uint64_t tag)
{
	void *ptr = map_buffer(t, b, PROT_READ | PROT_WRITE);

	if (!ptr)
		return false;
	cpu_access(t, b, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	visit(ptr, b->len, tag, true);
	cpu_access(t, b, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	munmap(ptr, b->len);
	b->tag = tag;
	return true;
}

/*
 * Read from all pages of a buffer. Anything else in it than what it was filled with is a
 * failure. Returns whether it could be mapped.
 */
bool check_contents(struct thread *t, struct buffer *b)
{
	void *ptr = map_buffer(t, b, PROT_READ);
	int64_t at;

	if (!ptr)
		return false;
	cpu_access(t, b, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	at = visit(ptr, b->len, b->tag, false);
	if (at >= 0)
		fail(t->w->shared, "%s at %#llx of %#llx: %#llx",
		     b->tag ? "not what was written" : "a new buffer is not zero",
		     (unsigned long long)at, (unsigned long long)b->len,
		     (unsigned long long)*(uint64_t *)((char *)ptr + at));
	cpu_access(t, b, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	munmap(ptr, b->len);
	return true;
}

/* --- Allocation -------------------------------------------------------- */

/* Hostile ones mostly have short buffers, as they take so many. */
static uint64_t random_length(struct thread *t)
{
	static const uint64_t most[] = {
		64 << 10, 64 << 10, 64 << 10, 1 << 20, 1 << 20, 4 << 20, 4 << 20, 16 << 20,
	};
	uint64_t raw = rng_next(&t->rng), limit = rng_pick(&t->rng, most);

	if (hostile(t))
		limit = raw >> 40 & 511 ? 0x4000 : MIB(2);
	return raw % limit + 1;
}

static uint32_t random_flags(struct thread *t)
{
	static const uint32_t flags[] = {
		O_RDWR | O_CLOEXEC, O_RDWR | O_CLOEXEC, O_RDWR, O_RDONLY | O_CLOEXEC, O_WRONLY,
	};

	return hostile(t) ? rng_pick(&t->rng, flags) : O_RDWR | O_CLOEXEC;
}

static uint64_t random_name(struct thread *t)
{
	static char name[2 * DMA_HEAP_VCM_NAME_LEN];
	uint64_t kind = rng_below(&t->rng, 16), raw = rng_next(&t->rng);

	if (!hostile(t))
		return (uintptr_t)"soak";
	if (kind < 10)
		return 0;
	if (kind == 10)
		return odd_value(&t->rng);
	memset(name, 'a' + raw % 26, sizeof(name));
	name[(raw >> 8) % sizeof(name)] = '\0';
	/* Or no zero before the memory ends. */
	return (uintptr_t)(kind > 11 ? name : end_of_memory() - (raw >> 16) % 64);
}

static struct dma_heap_vcm_alloc random_alloc(struct thread *t)
{
	static const uint64_t sizes[] = {
		0, 0, 0, PAGE | DMA_HEAP_VCM_CHUNK_64K, PAGE, DMA_HEAP_VCM_CHUNK_64K,
		DMA_HEAP_VCM_CHUNK_1M, DMA_HEAP_VCM_CHUNK_2M | PAGE,
	};
	struct dma_heap_vcm_alloc args = vcm_alloc_args(random_length(t));
	uint64_t least;

	args.chunk_sizes = sizes[rng_below(&t->rng, hostile(t) ? ARRAY_SIZE(sizes) : 4)];
	args.align = rng_once_in(&t->rng, 2) ? PAGE << rng_below(&t->rng, hostile(t) ? 20 : 12) : 0;
	args.guard = rng_once_in(&t->rng, 2) ? PAGE * rng_below(&t->rng, 17) : 0;
	args.guard_before = rng_once_in(&t->rng, 8) ? PAGE * rng_below(&t->rng, 17) : 0;
	args.flags = hostile(t) && rng_once_in(&t->rng, 8) ? DMA_HEAP_VCM_STRICT : 0;
	args.flags |= rng_once_in(&t->rng, 2) ? DMA_HEAP_VCM_KEEP : 0;
	args.flags |= rng_once_in(&t->rng, 4) ? DMA_HEAP_VCM_SCRATCH : 0;
	args.window = rng_once_in(&t->rng, 16);
	if (rng_once_in(&t->rng, 8)) {
		args.flags |= DMA_HEAP_VCM_CONTIGUOUS;
		if (!hostile(t) || rng_once_in(&t->rng, 2))
			args.chunk_sizes = 0;
	}
	args.reach = rng_once_in(&t->rng, 16) ? 1ull << (20 + rng_below(&t->rng, 20)) : 0;
	args.name = random_name(t);
	args.fd_flags = random_flags(t);
	least = args.chunk_sizes & -args.chunk_sizes;
	if (least > PAGE && rng_once_in(&t->rng, 2))
		args.length = (args.length & -least) + least;
	return args;
}

/* A file descriptor that the kernel returned, but others may have changed since. */
static void keep(struct thread *t, struct buffer *b, int fd)
{
	if (hostile(t) && (fd < t->w->first_fd || fd >= FILES))
		return;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = fd;
}

static bool alloc_vcm(struct thread *t, struct buffer *b)
{
	struct dma_heap_vcm_alloc args = random_alloc(t);

	mutate(t, &args, sizeof(args));
	args.length = cap_length(t->w->shared, args.length);
	if (!call(t, VCM, t->w->vcm, DMA_HEAP_VCM_IOCTL_ALLOC, &args, sizeof(args)))
		return false;
	keep(t, b, args.out_fd);
	b->len = (args.length + PAGE - 1) & -PAGE;
	return true;
}

static bool alloc_heap(struct thread *t, struct buffer *b)
{
	struct dma_heap_allocation_data args = {
		.len = random_length(t),
		.fd_flags = random_flags(t),
	};

	mutate(t, &args, sizeof(args));
	args.len = cap_length(t->w->shared, args.len);
	if (!call(t, HEAP, t->w->heap, DMA_HEAP_IOCTL_ALLOC, &args, sizeof(args)))
		return false;
	keep(t, b, args.fd);
	b->len = (args.len + PAGE - 1) & -PAGE;
	return true;
}

static bool do_alloc(struct thread *t, struct buffer *b)
{
	bool heap = hostile(t) ? rng_once_in(&t->rng, 4) : rng_once_in(&t->rng, 2);

	if (!(heap ? alloc_heap(t, b) : alloc_vcm(t, b)))
		return false;
	b->tag = 0;
	if (!hostile(t)) {
		check_contents(t, b);
		fill(t, b, rng_next(&t->rng) | 1);
	}
	return true;
}

/* Let go of a buffer. */
void buffer_free(struct thread *t, struct buffer *b)
{
	release(t, b);
	close(b->fd);
	b->fd = -1;
}

/* A hostile one leaves it imported. */
static bool do_close(struct thread *t, struct buffer *b)
{
	if (!hostile(t)) {
		buffer_free(t, b);
	} else if (b->fd >= 0) {
		close(b->fd);
		b->fd = -1;
	}
	return true;
}

/* --- What the heap tells ----------------------------------------------- */

static bool do_query(struct thread *t, struct buffer *b)
{
	struct dma_heap_vcm_attachment attachments[8];
	struct dma_heap_vcm_query args = {
		.size = sizeof(args),
		.fd = some_fd(t, b->fd),
		.attachments = (uintptr_t)attachments,
		.nr_attachments = rng_below(&t->rng, ARRAY_SIZE(attachments) + 1),
	};

	if (hostile(t)) {
		uint64_t kind = rng_below(&t->rng, 8), raw = rng_next(&t->rng);

		args.reserved = rng_once_in(&t->rng, 16);
		if (kind == 5)
			args.attachments = (uintptr_t)end_of_memory() - raw % 256;
		if (kind == 6)
			args.attachments = odd_value(&t->rng);
		if (kind == 7) {
			args.attachments = (uintptr_t)end_of_memory() - 2 * ARG_MAX;
			args.nr_attachments = odd_value(&t->rng);
		}
	}
	if (!call(t, VCM, t->w->vcm, DMA_HEAP_VCM_IOCTL_QUERY, &args, sizeof(args)))
		return false;
	if (!hostile(t) && (args.out_length != b->len || (b->handle && !args.out_nr_attachments)))
		fail(t->w->shared, "a buffer of %llu bytes has %llu, and %u attachments",
		     (unsigned long long)b->len, (unsigned long long)args.out_length,
		     args.out_nr_attachments);
	return true;
}

static bool do_drop(struct thread *t, struct buffer *b)
{
	struct dma_heap_vcm_drop args = { .size = sizeof(args), .fd = b->fd };

	mutate(t, &args, sizeof(args));
	return call(t, VCM, t->w->vcm, DMA_HEAP_VCM_IOCTL_DROP, &args, sizeof(args));
}

static bool do_info(struct thread *t, struct buffer *b)
{
	struct dma_heap_vcm_info args = { .size = sizeof(args) };

	mutate(t, &args, sizeof(args));
	return call(t, VCM, t->w->vcm, DMA_HEAP_VCM_IOCTL_INFO, &args, sizeof(args));
}

/* --- What is done to a buffer ------------------------------------------ */

static bool do_rewrite(struct thread *t, struct buffer *b)
{
	return fill(t, b, rng_next(&t->rng) | 1);
}

/* In any order, more often than needed. */
static bool do_sync(struct thread *t, struct buffer *b)
{
	bool ok = true;
	int i;

	for (i = 0; i < 4 && ok; i++) {
		struct dma_buf_sync args = { .flags = rng_below(&t->rng, 3) + 1 };

		args.flags |= rng_once_in(&t->rng, 2) ? DMA_BUF_SYNC_END : 0;
		mutate(t, &args, sizeof(args));
		ok = call(t, DMABUF, b->fd, DMA_BUF_IOCTL_SYNC, &args, sizeof(args));
	}
	return ok;
}

static bool do_name(struct thread *t, struct buffer *b)
{
	char name[64];
	uint64_t raw = rng_next(&t->rng);

	memset(name, 'A' + raw % 26, sizeof(name));
	name[(raw >> 8) % (hostile(t) ? sizeof(name) : DMA_BUF_NAME_LEN)] = '\0';
	return call(t, DMABUF, b->fd, raw >> 16 & 1 ? DMA_BUF_SET_NAME_A : DMA_BUF_SET_NAME_B,
		    name, sizeof(name));
}

/* The child has the mapping that the parent made, and makes one of its own. */
static int check_in_child(const struct buffer *b, void *inherited)
{
	void *own = mmap(NULL, b->len, PROT_READ, MAP_SHARED, b->fd, 0);

	if (visit(inherited, b->len, b->tag, false) >= 0)
		return 1;
	if (own == MAP_FAILED)
		return errno == ENOMEM ? 0 : 2;
	return visit(own, b->len, b->tag, false) >= 0 ? 3 : 0;
}

static bool do_fork(struct thread *t, struct buffer *b)
{
	void *ptr = map_buffer(t, b, PROT_READ | PROT_WRITE);
	int status;
	pid_t pid;

	if (!ptr)
		return false;
	pid = fork();
	if (!pid)
		_exit(check_in_child(b, ptr));
	munmap(ptr, b->len);
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		fail(t->w->shared, "a child sees something else (%#x)", status);
	return true;
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
static bool do_send(struct thread *t, struct buffer *b)
{
	struct shared *shared = t->w->shared;
	int to = shared->inbox[rng_below(&t->rng, shared->workers)][0];
	struct letter letter = { .len = b->len, .tag = b->tag };
	struct iovec iov = { &letter, sizeof(letter) };
	union control control = {};
	struct msghdr msg = envelope(&iov, &control);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &b->fd, sizeof(int));
	/* Nobody may have taken the ones before yet. */
	if (sendmsg(to, &msg, MSG_DONTWAIT) < 0)
		return false;
	buffer_free(t, b);
	return true;
}

/* Take a buffer that was sent to the worker. Returns whether there was one. */
bool receive(struct thread *t, struct buffer *b)
{
	struct worker *w = t->w;
	struct letter letter;
	struct iovec iov = { &letter, sizeof(letter) };
	union control control;
	struct msghdr msg = envelope(&iov, &control);

	if (w->id >= w->shared->workers ||
	    recvmsg(w->shared->inbox[w->id][1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    sizeof(letter) || !CMSG_FIRSTHDR(&msg))
		return false;
	*b = (struct buffer){ .len = letter.len, .tag = letter.tag };
	memcpy(&b->fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	check_contents(t, b);
	return true;
}

/* --- What only hostile ones do ----------------------------------------- */

static bool do_export_sync_file(struct thread *t, struct buffer *b)
{
	struct dma_buf_export_sync_file args = { .flags = rng_below(&t->rng, 4), .fd = -1 };
	struct buffer file = { .fd = -1 };
	int *slot = &t->w->syncs[rng_below(&t->rng, SPACES)];

	mutate(t, &args, sizeof(args));
	if (!call(t, DMABUF, b->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args, sizeof(args)))
		return false;
	keep(t, &file, args.fd);
	if (file.fd >= 0 && *slot >= 0)
		close(*slot);
	if (file.fd >= 0)
		*slot = file.fd;
	return true;
}

static bool do_import_sync_file(struct thread *t, struct buffer *b)
{
	struct dma_buf_import_sync_file args = {
		.flags = rng_below(&t->rng, 4),
		.fd = t->w->syncs[rng_below(&t->rng, SPACES)],
	};

	mutate(t, &args, sizeof(args));
	return call(t, DMABUF, b->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, sizeof(args));
}

/* Unmap what a hostile worker has mapped of a buffer. */
void forget_map(struct buffer *b)
{
	if (b->map)
		munmap(b->map, b->map_len);
	b->map = NULL;
}

/* A good mapping stays and is written to; of any other it is seen that it goes. */
static bool do_mmap(struct thread *t, struct buffer *b)
{
	uint64_t kind = rng_below(&t->rng, 8), raw = rng_next(&t->rng);
	uint64_t offset = odd_value(&t->rng) & -PAGE, len = odd_value(&t->rng) % MIB(4);
	int flags = (raw >> 8 & 1 ? MAP_SHARED : MAP_PRIVATE) | (raw >> 9 & 1 ? MAP_POPULATE : 0);
	struct stat st;
	char *ptr;

	if (kind >= 5) {
		ptr = mmap(NULL, len, raw % 8, flags, b->fd, offset);
		return ptr != MAP_FAILED && !munmap(ptr, len);
	}
	if (fstat(b->fd, &st) || !st.st_size)
		return false;
	forget_map(b);
	ptr = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (ptr == MAP_FAILED)
		return false;
	b->map = ptr;
	b->map_len = st.st_size;
	ptr[raw % b->map_len] = raw;
	ptr[b->map_len - 1] = raw;
	return true;
}

/* What can be done to a mapping; nothing is left of it. */
static bool do_remap(struct thread *t, struct buffer *b)
{
	uint64_t kind = rng_below(&t->rng, 6), raw = rng_next(&t->rng);
	size_t len = b->map ? raw % (2 * b->map_len) + 1 : 0;
	char *ptr = NULL;

	if (!b->map)
		return false;
	switch (kind) {
	case 0:
		ptr = mremap(b->map, b->map_len, len, MREMAP_MAYMOVE);
		break;
	case 1:
		munmap(b->map + (raw % b->map_len & -PAGE), PAGE);
		break;
	case 2:
		mprotect(b->map, b->map_len, raw % 8);
		break;
	case 3:
		madvise(b->map, b->map_len, raw % 32);
		break;
	case 4:
		mlock(b->map, b->map_len);
		break;
	default:
		msync(b->map, b->map_len, MS_SYNC);
	}
	if (kind || ptr == MAP_FAILED) {
		forget_map(b);
	} else {
		munmap(ptr, len);
		b->map = NULL;
	}
	return true;
}

/* What else a file can be asked for. */
static bool do_file(struct thread *t, struct buffer *b)
{
	struct pollfd poll_fd = { .fd = b->fd, .events = POLLIN | POLLOUT };
	uint64_t kind = rng_below(&t->rng, 9), raw = rng_next(&t->rng);
	char buf[64] = "";
	int copy;

	switch (kind) {
	case 0:
		return lseek(b->fd, raw, raw >> 32 & 7) >= 0;
	case 1:
		return lseek(b->fd, 0, raw & 1 ? SEEK_END : SEEK_SET) >= 0;
	case 2:
		return poll(&poll_fd, 1, 0) >= 0;
	case 3:
		return read(b->fd, buf, sizeof(buf)) >= 0;
	case 4:
		return write(b->fd, buf, sizeof(buf)) >= 0;
	case 5:
		return fcntl(b->fd, F_SETFL, raw & (O_NONBLOCK | O_APPEND)) >= 0;
	case 6:
		return !ftruncate(b->fd, raw) || !fallocate(b->fd, raw >> 60, 0, PAGE);
	case 7:
		return !fsync(b->fd);
	default:
		copy = dup(b->fd);
		if (copy >= 0)
			keep(t, b, copy);
		return copy >= 0;
	}
}

/* A buffer, a sync file or another file; any number. */
static bool do_any_ioctl(struct thread *t, struct buffer *b)
{
	char buf[256] = "";

	mutate(t, buf, sizeof(buf));
	return call(t, DMABUF, some_fd(t, b->fd),
		    _IOC(rng_below(&t->rng, 4), DMA_BUF_BASE, rng_below(&t->rng, 8),
			 rng_below(&t->rng, sizeof(buf))), buf, sizeof(buf));
}

/* --- All of it --------------------------------------------------------- */

/* A transfer takes the device 100 ms. */
const struct action actions[] = {
	[ACTION_ALLOC] = { "alloc", do_alloc, 0, 200 },
	[ACTION_RECEIVE] = { "receive", NULL, 0, 0 },
	{ "query", do_query, 3, 65 },
	{ "drop", do_drop, 2, 20 },
	{ "info", do_info, 1, 30 },
	{ "verify", check_contents, 20, 0 },
	{ "rewrite", do_rewrite, 15, 0 },
	{ "close", do_close, 14, 5 },
	{ "sync", do_sync, 8, 35 },
	{ "name", do_name, 4, 50 },
	{ "fork", do_fork, 3, 0 },
	{ "send", do_send, 8, 0 },
	{ "import", do_import, 12, 60 },
	{ "release", do_release, 0, 40 },
	{ "kernel-read", do_kernel_read, 6, 40 },
	{ "device-copy", do_device_copy, 2, 20 },
	{ "space-switch", do_space_switch, 1, 0 },
	{ "set-job", do_set_job, 1, 0 },
	{ "space", do_hostile_space, 0, 60 },
	{ "set", do_hostile_set, 0, 40 },
	{ "device", do_hostile_device, 0, 100 },
	{ "export-sync-file", do_export_sync_file, 0, 35 },
	{ "import-sync-file", do_import_sync_file, 0, 35 },
	{ "any-ioctl", do_any_ioctl, 0, 35 },
	{ "mmap", do_mmap, 0, 40 },
	{ "remap", do_remap, 0, 30 },
	{ "file", do_file, 0, 60 },
};

const unsigned int nr_actions = ARRAY_SIZE(actions);
