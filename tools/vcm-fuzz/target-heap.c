// SPDX-License-Identifier: MIT
/*
 * Calls of /dev/dma_heap/vcm and /dev/vcm.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#include "fuzz.h"

#define PAGE	4096

static const uint32_t fd_flags[] = {
	O_RDWR | O_CLOEXEC, O_RDWR | O_CLOEXEC, O_RDWR, O_RDONLY | O_CLOEXEC, O_WRONLY,
};

/**
 * fuzz_error_known - does the documentation have an error
 * @target: what a call was made on
 * @error: the error
 */
bool fuzz_error_known(enum fuzz_target target, int error)
{
	static const int vcm[] = {
		ENOTTY, EFAULT, E2BIG, EINVAL, EOPNOTSUPP, EOVERFLOW, EDOM, ERANGE, ENAMETOOLONG,
		ENOMEM, EINTR, EMFILE, ENFILE, EBADF, ENXIO,
	};
	static const int heap[] = { EINVAL, EFAULT, ENOMEM, EINTR, EMFILE, ENFILE };
	static const int edu[] = {
		ENOTTY, EFAULT, EINVAL, EBADF, ENOENT, ENOSPC, ENOMEM, ERANGE, ENXIO, EPERM,
		EOPNOTSUPP, EBUSY, EEXIST, EMFILE,
	};
	static const int dmabuf[] = {
		ENOTTY, EFAULT, EINVAL, EBADF, ENOMEM, EMFILE, EBUSY, EINTR, EACCES, ENAMETOOLONG,
	};
	static const struct {
		const int *errors;
		size_t n;
	} known[FUZZ_TARGETS] = {
		[FUZZ_VCM] = { vcm, ARRAY_SIZE(vcm) },
		[FUZZ_HEAP] = { heap, ARRAY_SIZE(heap) },
		[FUZZ_EDU] = { edu, ARRAY_SIZE(edu) },
		[FUZZ_DMABUF] = { dmabuf, ARRAY_SIZE(dmabuf) },
	};
	size_t i;

	for (i = 0; i < known[target].n; i++)
		if (known[target].errors[i] == error)
			return true;
	return false;
}

/**
 * fuzz_keep_buffer - take over a new buffer
 * @w: the worker
 * @fd: the buffer
 * @slot: where to keep it, in the place of what was there
 */
void fuzz_keep_buffer(struct fuzz_worker *w, int fd, unsigned int slot)
{
	struct fuzz_buffer *buffer = &w->buffers[slot];

	if (buffer->fd >= 0)
		close(buffer->fd);
	buffer->fd = fd;
}

/* What the kernel wrote may have been changed since. */
static bool is_new_fd(const struct fuzz_worker *w, int fd)
{
	return fd >= w->first_fd && fd < FUZZ_FILES;
}

/* The number says how large the structure is: the kernel takes any size. */
static size_t heap_size(unsigned long command)
{
	size_t size = _IOC_SIZE(command);

	return size < sizeof(struct dma_heap_allocation_data) ?
	       sizeof(struct dma_heap_allocation_data) : size;
}

/**
 * fuzz_heap - a call of /dev/dma_heap/vcm
 * @w: the worker
 */
void fuzz_heap(struct fuzz_worker *w)
{
	static char buf[FUZZ_ARG_MAX];
	struct dma_heap_allocation_data data = {
		.len = fuzz_length(&w->rng),
		.fd_flags = rng_pick(&w->rng, fd_flags),
	};
	unsigned long command = fuzz_command(&w->rng, DMA_HEAP_IOCTL_ALLOC);
	unsigned int slot = rng_below(&w->rng, FUZZ_BUFFERS);
	size_t size = heap_size(command);
	uint64_t fill = rng_next(&w->rng);

	fuzz_mutate(&w->rng, &data, sizeof(data));
	data.len = fuzz_cap(w, data.len);
	if (size > sizeof(data))
		memset(buf, fill, size);
	memcpy(buf, &data, sizeof(data));

	if (!fuzz_ioctl(w, FUZZ_HEAP, w->heap, command, buf, size))
		return;
	memcpy(&data, buf, sizeof(data));
	if (command == DMA_HEAP_IOCTL_ALLOC && is_new_fd(w, data.fd))
		fuzz_keep_buffer(w, data.fd, slot);
}

/* --- /dev/vcm ---------------------------------------------------------- */

static uint64_t alloc_name(struct fuzz_worker *w)
{
	static char name[2 * DMA_HEAP_VCM_NAME_LEN];
	uint64_t kind = rng_below(&w->rng, 16), raw = rng_next(&w->rng);
	char *end;

	if (kind < 10)
		return 0;
	if (kind == 10)
		return fuzz_value(&w->rng);
	memset(name, 'a' + raw % 26, sizeof(name));
	name[(raw >> 8) % sizeof(name)] = '\0';
	if (kind > 11)
		return (uintptr_t)name;
	/* No zero before the memory ends. */
	end = w->arena.rw + 2 * FUZZ_ARG_MAX;
	return (uintptr_t)(end - (raw >> 16) % 64);
}

static uint64_t alloc_align(struct rng *rng)
{
	uint64_t kind = rng_below(rng, 4), raw = rng_next(rng);

	return kind ? 0 : 4096ull << raw % 20;
}

static struct dma_heap_vcm_alloc alloc_args(struct fuzz_worker *w)
{
	static const uint64_t sizes[] = {
		0, 0, 0, PAGE, PAGE | DMA_HEAP_VCM_CHUNK_64K, DMA_HEAP_VCM_CHUNK_64K,
		DMA_HEAP_VCM_CHUNK_1M, DMA_HEAP_VCM_CHUNK_2M | PAGE,
	};
	struct dma_heap_vcm_alloc args = {
		.size = sizeof(args),
		.flags = rng_once_in(&w->rng, 8) ? DMA_HEAP_VCM_STRICT : 0,
		.length = fuzz_length(&w->rng),
		.chunk_sizes = rng_pick(&w->rng, sizes),
		.align = alloc_align(&w->rng),
		.guard = rng_once_in(&w->rng, 4) ? 0x1000 : 0,
		.name = alloc_name(w),
		.fd_flags = rng_pick(&w->rng, fd_flags),
	};

	if (args.chunk_sizes && rng_once_in(&w->rng, 2))
		args.length = (args.length & -(args.chunk_sizes & -args.chunk_sizes)) +
			      (args.chunk_sizes & -args.chunk_sizes);
	return args;
}

/* Where the list of attachments goes, and how long it may be. */
static struct dma_heap_vcm_query query_args(struct fuzz_worker *w)
{
	struct dma_heap_vcm_query query = { .size = sizeof(query), .fd = fuzz_fd(w) };
	uint64_t kind = rng_below(&w->rng, 8), raw = rng_next(&w->rng);

	if (kind < 4)
		return query;
	query.nr_attachments = raw % 8;
	query.attachments = (uintptr_t)w->arena.rw;
	if (kind == 5)
		query.attachments += 2 * FUZZ_ARG_MAX - (raw >> 8) % 256;
	if (kind == 6)
		query.attachments = fuzz_value(&w->rng);
	if (kind == 7)
		query.nr_attachments = fuzz_value(&w->rng);
	query.reserved = rng_once_in(&w->rng, 16);
	return query;
}

/*
 * Most of the time the size is what it should be; else something follows the
 * structure that is zero or is not.
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
	return claim > size && claim < FUZZ_ARG_MAX ? claim : size;
}

/**
 * fuzz_vcm - a call of /dev/vcm
 * @w: the worker
 */
void fuzz_vcm(struct fuzz_worker *w)
{
	static char buf[FUZZ_ARG_MAX];
	struct dma_heap_vcm_alloc alloc = alloc_args(w);
	struct dma_heap_vcm_query query = query_args(w);
	struct dma_heap_vcm_info info = { .size = sizeof(info) };
	unsigned int slot = rng_below(&w->rng, FUZZ_BUFFERS);
	uint64_t kind = rng_below(&w->rng, 8);
	unsigned long command;
	size_t size;

	memset(buf, 0, 0x200);
	if (kind < 5) {
		command = DMA_HEAP_VCM_IOCTL_ALLOC;
		size = sizeof(alloc);
		fuzz_mutate(&w->rng, &alloc, size);
		alloc.length = fuzz_cap(w, alloc.length);
		memcpy(buf, &alloc, size);
	} else if (kind < 7) {
		command = DMA_HEAP_VCM_IOCTL_QUERY;
		size = sizeof(query);
		memcpy(buf, &query, size);
	} else {
		command = DMA_HEAP_VCM_IOCTL_INFO;
		size = sizeof(info);
		fuzz_mutate(&w->rng, &info, size);
		memcpy(buf, &info, size);
	}
	size = change_size(&w->rng, buf, size);

	/* A structure may be taken for another one, with a length at 8. */
	command = fuzz_command(&w->rng, command);
	if (!fuzz_ioctl(w, FUZZ_VCM, w->vcm, command, buf, size))
		return;
	memcpy(&alloc, buf, sizeof(alloc));
	if (command == DMA_HEAP_VCM_IOCTL_ALLOC && is_new_fd(w, alloc.out_fd))
		fuzz_keep_buffer(w, alloc.out_fd, slot);
}
