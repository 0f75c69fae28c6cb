// SPDX-License-Identifier: MIT
/*
 * Buffers as devices have them.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "soak.h"

#define PAGE	4096ull
#define WORD	8u

/* Who was killed may not have left the device yet. */
#define RETRIES	500
#define RETRY_US 20000

/* --- Devices ----------------------------------------------------------- */

static void lock_device(struct soak_worker *w, unsigned int edu)
{
	if (pthread_mutex_lock(&w->shared->devices[edu]) == EOWNERDEAD)
		pthread_mutex_consistent(&w->shared->devices[edu]);
}

static void unlock_device(struct soak_worker *w, unsigned int edu)
{
	pthread_mutex_unlock(&w->shared->devices[edu]);
}

/* A call of a device that we have locked. */
static int device_ioctl(struct soak_worker *w, unsigned int edu, unsigned long command, void *arg)
{
	int i, ret;

	for (i = 0; i < RETRIES; i++) {
		ret = ioctl(w->edus[edu], command, arg) ? -errno : 0;
		if (ret != -EBUSY && ret != -ENXIO)
			break;
		usleep(RETRY_US);
	}
	return ret;
}

/* --- Imports ----------------------------------------------------------- */

/* What an import can fail with that is nobody's fault. */
static bool is_excused(struct soak_worker *w, int error)
{
	/* No memory, or no room in 28 bits of addresses with many buffers. */
	if (error != ENOMEM && error != ENOSPC)
		return false;
	soak_count(w->shared, OP_NO_MEMORY);
	return true;
}

/**
 * soak_release - end an import, if there is one
 * @w: the worker
 * @buffer: the buffer
 */
void soak_release(struct soak_worker *w, struct soak_buffer *buffer)
{
	struct vcm_edu_release args = { .handle = buffer->handle };

	if (buffer->handle && ioctl(w->edus[buffer->edu], VCM_EDU_IOC_RELEASE, &args))
		soak_fail(w->shared, "VCM_EDU_IOC_RELEASE: %s", strerror(errno));
	buffer->handle = 0;
}

/**
 * soak_import - have a device import a buffer
 * @w: the worker
 * @rng: random numbers
 * @buffer: the buffer; the import it had before is released
 */
void soak_import(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	struct vcm_edu_import args = { .fd = buffer->fd };

	soak_release(w, buffer);
	buffer->edu = rng_below(rng, SOAK_EDUS);
	if (ioctl(w->edus[buffer->edu], VCM_EDU_IOC_IMPORT, &args)) {
		if (!is_excused(w, errno))
			soak_fail(w->shared, "VCM_EDU_IOC_IMPORT: %s", strerror(errno));
		return;
	}
	if (args.length != buffer->len)
		soak_fail(w->shared, "an import of %llu bytes has %llu",
			  (unsigned long long)buffer->len, (unsigned long long)args.length);
	buffer->handle = args.handle;
	soak_count(w->shared, OP_IMPORT);
}

/**
 * soak_kernel - read a word through a mapping of the kernel's
 * @w: the worker
 * @rng: random numbers
 * @buffer: the buffer
 */
void soak_kernel(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	uint64_t at = soak_offset(buffer->tag, rng_below(rng, buffer->len / PAGE)), word = 0;
	struct vcm_edu_access args = { .offset = at, .length = WORD, .user = (uintptr_t)&word };

	if (!buffer->handle)
		soak_import(w, rng, buffer);
	if (!buffer->handle)
		return;
	args.handle = buffer->handle;
	if (ioctl(w->edus[buffer->edu], VCM_EDU_IOC_ACCESS, &args)) {
		if (!is_excused(w, errno))
			soak_fail(w->shared, "VCM_EDU_IOC_ACCESS: %s", strerror(errno));
		return;
	}
	if (word != soak_word(buffer->tag, at))
		soak_fail(w->shared, "the kernel sees %#llx at %#llx", (unsigned long long)word,
			  (unsigned long long)at);
	soak_count(w->shared, OP_KERNEL);
}

/* --- Transfers --------------------------------------------------------- */

/* A page for the device to write to. */
struct desk {
	int fd;
	volatile uint64_t *words;
	uint32_t handle;
};

static bool import_desk(struct soak_worker *w, unsigned int edu, uint32_t space,
			struct desk *desk)
{
	struct vcm_edu_import args = { .fd = desk->fd, .space = space };

	if (ioctl(w->edus[edu], VCM_EDU_IOC_IMPORT, &args)) {
		if (!is_excused(w, errno))
			soak_fail(w->shared, "VCM_EDU_IOC_IMPORT: %s", strerror(errno));
		return false;
	}
	desk->handle = args.handle;
	return true;
}

static bool open_desk(struct soak_worker *w, struct desk *desk)
{
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC };

	if (ioctl(w->heap, DMA_HEAP_IOCTL_ALLOC, &data)) {
		if (!is_excused(w, errno))
			soak_fail(w->shared, "allocating a page: %s", strerror(errno));
		return false;
	}
	desk->fd = data.fd;
	desk->handle = 0;
	desk->words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, desk->fd, 0);
	if (desk->words == MAP_FAILED) {
		close(desk->fd);
		return false;
	}
	return true;
}

static void close_desk(struct soak_worker *w, unsigned int edu, struct desk *desk)
{
	struct soak_buffer import = { .edu = edu, .handle = desk->handle };

	soak_release(w, &import);
	munmap((void *)desk->words, PAGE);
	close(desk->fd);
}

static int transfer(struct soak_worker *w, unsigned int edu, uint32_t handle, uint32_t dir,
		    uint64_t offset)
{
	struct vcm_edu_dma args = {
		.handle = handle,
		.dir = dir,
		.offset = offset,
		.length = WORD,
	};
	int ret = device_ioctl(w, edu, VCM_EDU_IOC_DMA, &args);

	if (ret)
		soak_fail(w->shared, "VCM_EDU_IOC_DMA: %s", strerror(-ret));
	return ret;
}

static void check_desk(struct soak_worker *w, const struct desk *desk, uint64_t tag, uint64_t at)
{
	if (desk->words[0] != soak_word(tag, at))
		soak_fail(w->shared, "the device sees %#llx at %#llx",
			  (unsigned long long)desk->words[0], (unsigned long long)at);
}

/**
 * soak_dma - have a device copy a word
 * @w: the worker
 * @rng: random numbers
 * @buffer: the buffer
 */
void soak_dma(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	uint64_t at = soak_offset(buffer->tag, rng_below(rng, buffer->len / PAGE));
	struct desk desk;

	if (!buffer->handle)
		soak_import(w, rng, buffer);
	if (!buffer->handle || !open_desk(w, &desk))
		return;
	lock_device(w, buffer->edu);
	if (import_desk(w, buffer->edu, 0, &desk) &&
	    !transfer(w, buffer->edu, buffer->handle, VCM_EDU_TO_DEVICE, at) &&
	    !transfer(w, buffer->edu, desk.handle, VCM_EDU_FROM_DEVICE, 0)) {
		check_desk(w, &desk, buffer->tag, at);
		soak_count(w->shared, OP_DMA);
	}
	unlock_device(w, buffer->edu);
	close_desk(w, buffer->edu, &desk);
}

/* --- Spaces ------------------------------------------------------------ */

static uint32_t create_space(struct soak_worker *w, unsigned int edu)
{
	struct vcm_edu_space_create args = { .length = 1ull << 28 };
	int ret = ioctl(w->edus[edu], VCM_EDU_IOC_SPACE_CREATE, &args) ? -errno : 0;

	if (!ret)
		return args.space;
	if (!is_excused(w, -ret))
		soak_fail(w->shared, "VCM_EDU_IOC_SPACE_CREATE: %s", strerror(-ret));
	return 0;
}

static bool space_op(struct soak_worker *w, unsigned int edu, uint32_t space, uint32_t op)
{
	struct vcm_edu_space args = { .space = space, .op = op };
	int ret = device_ioctl(w, edu, VCM_EDU_IOC_SPACE, &args);

	if (ret && !is_excused(w, -ret))
		soak_fail(w->shared, "VCM_EDU_IOC_SPACE %u: %s", op, strerror(-ret));
	return !ret;
}

static void destroy_space(struct soak_worker *w, unsigned int edu, uint32_t space)
{
	if (space)
		space_op(w, edu, space, VCM_EDU_SPACE_DESTROY);
}

/* The device reads in the one space and writes in the other. */
static void copy_across(struct soak_worker *w, struct soak_buffer *buffer,
			const struct desk *desk, const uint32_t *spaces, uint64_t at)
{
	unsigned int edu = buffer->edu;

	if (!space_op(w, edu, spaces[0], VCM_EDU_SPACE_ACTIVATE))
		return;
	if (transfer(w, edu, buffer->handle, VCM_EDU_TO_DEVICE, at) ||
	    !space_op(w, edu, spaces[1], VCM_EDU_SPACE_SWITCH)) {
		space_op(w, edu, spaces[0], VCM_EDU_SPACE_DEACTIVATE);
		return;
	}
	if (!transfer(w, edu, desk->handle, VCM_EDU_FROM_DEVICE, 0)) {
		check_desk(w, desk, buffer->tag, at);
		soak_count(w->shared, OP_SPACE);
	}
	space_op(w, edu, spaces[1], VCM_EDU_SPACE_DEACTIVATE);
}

static void use_spaces(struct soak_worker *w, struct soak_buffer *buffer, struct desk *desk,
		       uint64_t at)
{
	const uint32_t spaces[] = { create_space(w, buffer->edu), create_space(w, buffer->edu) };
	struct vcm_edu_import args = { .fd = buffer->fd, .space = spaces[0] };

	if (spaces[0] && spaces[1] && import_desk(w, buffer->edu, spaces[1], desk)) {
		if (!ioctl(w->edus[buffer->edu], VCM_EDU_IOC_IMPORT, &args)) {
			buffer->handle = args.handle;
			copy_across(w, buffer, desk, spaces, at);
			soak_release(w, buffer);
		} else if (!is_excused(w, errno)) {
			soak_fail(w->shared, "import to a space: %s", strerror(errno));
		}
	}
	close_desk(w, buffer->edu, desk);
	destroy_space(w, buffer->edu, spaces[0]);
	destroy_space(w, buffer->edu, spaces[1]);
}

/**
 * soak_space - have a device copy a word from one address space to another
 * @w: the worker
 * @rng: random numbers
 * @buffer: the buffer
 */
void soak_space(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	uint64_t at = soak_offset(buffer->tag, rng_below(rng, buffer->len / PAGE));
	struct desk desk;

	soak_release(w, buffer);
	buffer->edu = rng_below(rng, SOAK_EDUS);
	if (!open_desk(w, &desk))
		return;
	lock_device(w, buffer->edu);
	use_spaces(w, buffer, &desk, at);
	unlock_device(w, buffer->edu);
}
