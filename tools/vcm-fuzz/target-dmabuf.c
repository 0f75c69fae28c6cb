// SPDX-License-Identifier: MIT
/*
 * Calls of buffers: the ioctls of dma-buf, and what else a file can be asked
 * for.
 */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "fuzz.h"

#define PAGE	4096ul

static int random_buffer(struct fuzz_worker *w)
{
	return w->buffers[rng_below(&w->rng, FUZZ_BUFFERS)].fd;
}

static void call_sync(struct fuzz_worker *w, int fd)
{
	static const uint64_t flags[] = {
		DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE,
		DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
		DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW,
	};
	struct dma_buf_sync sync = { .flags = rng_pick(&w->rng, flags) };

	fuzz_mutate(&w->rng, &sync, sizeof(sync));
	fuzz_ioctl(w, FUZZ_DMABUF, fd, fuzz_command(&w->rng, DMA_BUF_IOCTL_SYNC), &sync,
		   sizeof(sync));
}

static void call_set_name(struct fuzz_worker *w, int fd)
{
	char name[64];
	uint64_t raw = rng_next(&w->rng);

	memset(name, 'A' + raw % 26, sizeof(name));
	name[(raw >> 8) % sizeof(name)] = '\0';
	fuzz_ioctl(w, FUZZ_DMABUF, fd, raw >> 16 & 1 ? DMA_BUF_SET_NAME_A : DMA_BUF_SET_NAME_B,
		   name, sizeof(name));
}

static void call_export(struct fuzz_worker *w, int fd)
{
	struct dma_buf_export_sync_file args = {
		.flags = rng_below(&w->rng, 4),
		.fd = -1,
	};
	int *slot = &w->syncs[rng_below(&w->rng, FUZZ_SPACES)];

	fuzz_mutate(&w->rng, &args, sizeof(args));
	if (!fuzz_ioctl(w, FUZZ_DMABUF, fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args, sizeof(args)))
		return;
	if (args.fd < w->first_fd || args.fd >= FUZZ_FILES)
		return;
	if (*slot >= 0)
		close(*slot);
	*slot = args.fd;
}

static void call_import(struct fuzz_worker *w, int fd)
{
	struct dma_buf_import_sync_file args = {
		.flags = rng_below(&w->rng, 4),
		.fd = w->syncs[rng_below(&w->rng, FUZZ_SPACES)],
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	fuzz_ioctl(w, FUZZ_DMABUF, fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, sizeof(args));
}

static void forget_map(struct fuzz_map *map)
{
	if (map->ptr)
		munmap(map->ptr, map->len);
	map->ptr = NULL;
}

/* A good mapping stays and is written to; of any other it is seen that it goes. */
static void call_mmap(struct fuzz_worker *w, int fd)
{
	struct fuzz_map *map = &w->maps[rng_below(&w->rng, FUZZ_MAPS)];
	uint64_t kind = rng_below(&w->rng, 8), raw = rng_next(&w->rng);
	uint64_t offset = fuzz_value(&w->rng) & -PAGE, len = fuzz_value(&w->rng);
	int prot = raw % 8, flags = raw >> 8 & 1 ? MAP_SHARED : MAP_PRIVATE;
	struct stat st;
	char *ptr;

	w->counts->others++;
	if (kind < 5) {
		if (fstat(fd, &st) || !st.st_size)
			return;
		forget_map(map);
		ptr = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (ptr == MAP_FAILED)
			return;
		map->ptr = ptr;
		map->len = st.st_size;
		ptr[raw % map->len] = raw;
		ptr[map->len - 1] = raw;
		return;
	}
	if (raw >> 9 & 1)
		flags |= MAP_POPULATE;
	ptr = mmap(NULL, len % (FUZZ_LENGTH_MAX * 2), prot, flags, fd, offset);
	if (ptr != MAP_FAILED)
		munmap(ptr, len % (FUZZ_LENGTH_MAX * 2));
}

/* What can be done to a mapping; nothing is left of it. */
static void call_remap(struct fuzz_worker *w)
{
	struct fuzz_map *map = &w->maps[rng_below(&w->rng, FUZZ_MAPS)];
	uint64_t kind = rng_below(&w->rng, 6), raw = rng_next(&w->rng);
	char *ptr;

	w->counts->others++;
	if (!map->ptr)
		return;
	switch (kind) {
	case 0:
		ptr = mremap(map->ptr, map->len, raw % (2 * map->len) + 1, MREMAP_MAYMOVE);
		if (ptr != MAP_FAILED) {
			munmap(ptr, raw % (2 * map->len) + 1);
			map->ptr = NULL;
		}
		break;
	case 1:
		munmap(map->ptr + (raw % map->len & -PAGE), PAGE);
		break;
	case 2:
		mprotect(map->ptr, map->len, raw % 8);
		break;
	case 3:
		madvise(map->ptr, map->len, raw % 32);
		break;
	case 4:
		mlock(map->ptr, map->len);
		break;
	default:
		msync(map->ptr, map->len, MS_SYNC);
	}
	forget_map(map);
}

static void call_file(struct fuzz_worker *w, int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };
	uint64_t kind = rng_below(&w->rng, 10), raw = rng_next(&w->rng);
	char buf[64] = "";
	int copy;

	w->counts->others++;
	switch (kind) {
	case 0:
		lseek(fd, raw, raw >> 32 & 7);
		break;
	case 1:
		lseek(fd, 0, raw & 1 ? SEEK_END : SEEK_SET);
		break;
	case 2:
		poll(&poll_fd, 1, 0);
		break;
	case 3:
		if (read(fd, buf, sizeof(buf)) < 0)
			break;
		break;
	case 4:
		if (write(fd, buf, sizeof(buf)) < 0)
			break;
		break;
	case 5:
		fcntl(fd, F_SETFL, raw & (O_NONBLOCK | O_APPEND));
		break;
	case 6:
		if (ftruncate(fd, raw) || fallocate(fd, raw >> 60, 0, PAGE))
			break;
		break;
	case 7:
		fsync(fd);
		break;
	default:
		copy = dup(fd);
		if (copy >= 0)
			fuzz_keep_buffer(w, copy, raw % FUZZ_BUFFERS);
	}
}

/* A buffer, a sync file or another file; any number. */
static void call_any(struct fuzz_worker *w)
{
	char buf[256];
	unsigned long command;
	int fd = fuzz_fd(w);

	memset(buf, 0, sizeof(buf));
	command = _IOC(rng_below(&w->rng, 4), DMA_BUF_BASE, rng_below(&w->rng, 8),
		       rng_below(&w->rng, sizeof(buf)));
	fuzz_mutate(&w->rng, buf, sizeof(buf));
	fuzz_ioctl(w, FUZZ_DMABUF, fd, command, buf, sizeof(buf));
}

/**
 * fuzz_dmabuf - a call of a buffer
 * @w: the worker
 */
void fuzz_dmabuf(struct fuzz_worker *w)
{
	int fd = random_buffer(w);
	uint64_t kind = rng_below(&w->rng, 32);

	if (kind < 12)
		call_sync(w, fd);
	else if (kind < 16)
		call_set_name(w, fd);
	else if (kind < 19)
		call_export(w, fd);
	else if (kind < 22)
		call_import(w, fd);
	else if (kind < 25)
		call_any(w);
	else if (kind < 28)
		call_mmap(w, fd);
	else if (kind < 29)
		call_remap(w);
	else
		call_file(w, fd);
}
