// SPDX-License-Identifier: MIT
/*
 * Actions with buffers as devices have them.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"
#include "vcm-edu-test.h"
#include "vcm_buffer.h"

#define WORD	8u

/* A transfer takes 100 ms: a hostile one can succeed that seldom. */
#define SELDOM	1024

static bool hostile(const struct thread *t)
{
	return t->w->shared->hostile;
}

static bool edu_call(struct thread *t, unsigned int edu, unsigned long command, void *arg,
		     size_t size)
{
	return call(t, EDU, t->w->edus[edu], command, arg, size);
}

/* --- Devices that are used for more than one call ---------------------- */

static void lock_device(struct thread *t, unsigned int edu)
{
	pthread_mutex_t *lock = &t->w->shared->devices[edu];

	if (pthread_mutex_lock(lock) == EOWNERDEAD)
		pthread_mutex_consistent(lock);
}

static void unlock_device(struct thread *t, unsigned int edu)
{
	pthread_mutex_unlock(&t->w->shared->devices[edu]);
}

/* --- Imports ----------------------------------------------------------- */

/* End an import. */
bool do_release(struct thread *t, struct buffer *b)
{
	struct vcm_edu_release args = { .handle = b->handle };

	if (rng_once_in(&t->rng, 4))
		mutate(t, &args, sizeof(args));
	if (!edu_call(t, b->edu, VCM_EDU_IOC_RELEASE, &args, sizeof(args)))
		return false;
	b->handle = 0;
	return true;
}

/* End an import, if there is one. */
void release(struct thread *t, struct buffer *b)
{
	if (b->handle)
		do_release(t, b);
	b->handle = 0;
}

static uint32_t import_to(struct thread *t, unsigned int edu, int fd, uint32_t space)
{
	struct vcm_edu_import args = { .fd = some_fd(t, fd), .space = space };

	if (hostile(t) && rng_once_in(&t->rng, 16)) {
		args.flags = VCM_EDU_IMPORT_FIXED;
		args.iova = rng_below(&t->rng, 64) * PAGE;
	}
	mutate(t, &args, sizeof(args));
	return edu_call(t, edu, VCM_EDU_IOC_IMPORT, &args, sizeof(args)) ? args.handle : 0;
}

/* A space that a hostile worker made, with the device it is for. */
static uint32_t some_space(struct thread *t, unsigned int *edu)
{
	unsigned int n = rng_below(&t->rng, SPACES);
	uint64_t raw = rng_next(&t->rng);

	if (raw % 8)
		*edu = t->w->spaces[n].edu;
	return raw % 16 == 15 ? raw >> 32 : t->w->spaces[n].number;
}

/* Have a device import a buffer. */
bool do_import(struct thread *t, struct buffer *b)
{
	uint32_t space = 0;

	release(t, b);
	b->edu = rng_below(&t->rng, EDUS);
	if (hostile(t) && rng_once_in(&t->rng, 4))
		space = some_space(t, &b->edu);
	b->handle = import_to(t, b->edu, b->fd, space);
	return b->handle;
}

/* Read a word through a mapping of the kernel's. */
bool do_kernel_read(struct thread *t, struct buffer *b)
{
	static char memory[VCM_EDU_ACCESS_MAX];
	struct vcm_edu_access args = { .length = WORD };
	uint64_t word = 0;

	if (!hostile(t) && !b->handle && !do_import(t, b))
		return false;
	if (b->len)
		args.offset = offset_of(b->tag, rng_below(&t->rng, b->len / PAGE));
	args.handle = b->handle;
	args.user = (uintptr_t)&word;
	if (hostile(t)) {
		args.write = rng_below(&t->rng, 2);
		args.length = rng_below(&t->rng, 0x1000) + 1;
		mutate(t, &args, sizeof(args));
		/* It may write to memory of ours that is for that alone. */
		args.user = (uintptr_t)(args.length > sizeof(memory) || args.user != (uintptr_t)&word ?
					end_of_memory() : memory);
	}
	if (!edu_call(t, b->edu, VCM_EDU_IOC_ACCESS, &args, sizeof(args)))
		return false;
	if (!hostile(t) && word != word_of(b->tag, args.offset))
		fail(t->w->shared, "the kernel sees %#llx at %#llx", (unsigned long long)word,
		     (unsigned long long)args.offset);
	return true;
}

/* --- Transfers --------------------------------------------------------- */

/* A page for the device to write to. */
struct desk {
	struct buffer buffer;
	volatile uint64_t *words;
};

static bool open_desk(struct thread *t, unsigned int edu, struct desk *desk)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(PAGE);

	if (!call(t, VCM, t->w->vcm, DMA_HEAP_VCM_IOCTL_ALLOC, &args, sizeof(args)))
		return false;
	desk->buffer = (struct buffer){ .fd = args.out_fd, .edu = edu };
	desk->words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, args.out_fd, 0);
	if (desk->words != MAP_FAILED)
		return true;
	close(args.out_fd);
	return false;
}

static void close_desk(struct thread *t, struct desk *desk)
{
	munmap((void *)desk->words, PAGE);
	buffer_free(t, &desk->buffer);
}

static bool transfer(struct thread *t, const struct buffer *b, uint32_t dir, uint64_t offset)
{
	struct vcm_edu_dma args = {
		.handle = b->handle,
		.dir = dir,
		.offset = offset,
		.length = WORD,
	};

	return edu_call(t, b->edu, VCM_EDU_IOC_DMA, &args, sizeof(args));
}

static bool check_desk(struct thread *t, const struct desk *desk, uint64_t tag, uint64_t at)
{
	if (desk->words[0] != word_of(tag, at))
		fail(t->w->shared, "the device sees %#llx at %#llx",
		     (unsigned long long)desk->words[0], (unsigned long long)at);
	return true;
}

/* Nearly always outside of the buffer, or of the device's RAM. */
static bool hostile_transfer(struct thread *t, struct buffer *b)
{
	struct vcm_edu_dma args = {
		.handle = rng_once_in(&t->rng, 16) ? rng_next(&t->rng) : b->handle,
		.dir = rng_below(&t->rng, 2),
		.offset = rng_below(&t->rng, 0x2000),
		.length = rng_below(&t->rng, VCM_EDU_RAM_SIZE) + 1,
	};

	if (!rng_once_in(&t->rng, SELDOM)) {
		mutate(t, &args, sizeof(args));
		if (rng_once_in(&t->rng, 2))
			args.offset = MIB(2) + odd_value(&t->rng) / 2;
		else
			args.ram_offset = VCM_EDU_RAM_SIZE + (uint32_t)odd_value(&t->rng) / 2;
	}
	return edu_call(t, b->edu, VCM_EDU_IOC_DMA, &args, sizeof(args));
}

/* Have a device copy a word. */
bool do_device_copy(struct thread *t, struct buffer *b)
{
	struct desk desk;
	bool done = false;
	uint64_t at;

	if (hostile(t))
		return hostile_transfer(t, b);
	at = offset_of(b->tag, rng_below(&t->rng, b->len / PAGE));
	if ((!b->handle && !do_import(t, b)) || !open_desk(t, b->edu, &desk))
		return false;
	lock_device(t, b->edu);
	desk.buffer.handle = import_to(t, b->edu, desk.buffer.fd, 0);
	if (desk.buffer.handle && transfer(t, b, VCM_EDU_TO_DEVICE, at) &&
	    transfer(t, &desk.buffer, VCM_EDU_FROM_DEVICE, 0))
		done = check_desk(t, &desk, b->tag, at);
	unlock_device(t, b->edu);
	close_desk(t, &desk);
	return done;
}

/* --- Spaces ------------------------------------------------------------ */

static uint32_t create_space(struct thread *t, unsigned int edu)
{
	struct vcm_edu_space_create args = { .length = 1ull << 28 };
	int i;

	/* Making a device is slow too: a hostile one is seldom good. */
	for (i = 0; hostile(t) && i < 3 && !rng_once_in(&t->rng, 8); i++) {
		args.length = 1ull << (20 + rng_below(&t->rng, 13));
		args.fixed_length = rng_once_in(&t->rng, 2) ? 0x40000 : 0;
		args.align = rng_once_in(&t->rng, 4) ? 0x10000 : 0;
		mutate(t, &args, sizeof(args));
	}
	return edu_call(t, edu, VCM_EDU_IOC_SPACE_CREATE, &args, sizeof(args)) ? args.space : 0;
}

static bool space_op(struct thread *t, unsigned int edu, uint32_t space, uint32_t op)
{
	struct vcm_edu_space args = { .space = space, .op = op };

	mutate(t, &args, sizeof(args));
	return edu_call(t, edu, VCM_EDU_IOC_SPACE, &args, sizeof(args));
}

/* The device reads in the one space and writes in the other. */
static bool copy_across(struct thread *t, struct buffer *b, const struct desk *desk,
			const uint32_t *spaces, uint64_t at)
{
	bool done = false;

	if (!space_op(t, b->edu, spaces[0], VCM_EDU_SPACE_ACTIVATE))
		return false;
	if (!transfer(t, b, VCM_EDU_TO_DEVICE, at) ||
	    !space_op(t, b->edu, spaces[1], VCM_EDU_SPACE_SWITCH)) {
		space_op(t, b->edu, spaces[0], VCM_EDU_SPACE_DEACTIVATE);
		return false;
	}
	if (transfer(t, &desk->buffer, VCM_EDU_FROM_DEVICE, 0))
		done = check_desk(t, desk, b->tag, at);
	space_op(t, b->edu, spaces[1], VCM_EDU_SPACE_DEACTIVATE);
	return done;
}

/* Have a device copy a word from one address space to another. */
bool do_space_switch(struct thread *t, struct buffer *b)
{
	uint64_t at = offset_of(b->tag, rng_below(&t->rng, b->len / PAGE));
	unsigned int edu = rng_below(&t->rng, EDUS);
	struct desk desk;
	uint32_t spaces[2];
	bool done = false;
	int i;

	release(t, b);
	b->edu = edu;
	if (!open_desk(t, edu, &desk))
		return false;
	lock_device(t, edu);
	for (i = 0; i < 2; i++)
		spaces[i] = create_space(t, edu);
	if (spaces[0] && spaces[1]) {
		b->handle = import_to(t, edu, b->fd, spaces[0]);
		desk.buffer.handle = import_to(t, edu, desk.buffer.fd, spaces[1]);
		if (b->handle && desk.buffer.handle)
			done = copy_across(t, b, &desk, spaces, at);
		release(t, b);
	}
	close_desk(t, &desk);
	for (i = 0; i < 2; i++)
		if (spaces[i])
			space_op(t, edu, spaces[i], VCM_EDU_SPACE_DESTROY);
	unlock_device(t, edu);
	return done;
}

/* --- Sets -------------------------------------------------------------- */

static uint32_t create_set(struct thread *t, unsigned int edu)
{
	struct vcm_edu_set_create args = { .length = MIB(64), .max = 3 };

	/* As it is with spaces */
	if (hostile(t) && !rng_once_in(&t->rng, 8)) {
		args.length = 1ull << (12 + rng_below(&t->rng, 17));
		args.max = rng_below(&t->rng, 4) + 1;
		mutate(t, &args, sizeof(args));
	}
	return edu_call(t, edu, VCM_EDU_IOC_SET_CREATE, &args, sizeof(args)) ? args.set : 0;
}

static bool destroy_set(struct thread *t, unsigned int edu, uint32_t set)
{
	struct vcm_edu_set_destroy args = { .set = set };

	mutate(t, &args, sizeof(args));
	return edu_call(t, edu, VCM_EDU_IOC_SET_DESTROY, &args, sizeof(args));
}

/* The device copies to the desk, in the space of both. */
static bool copy_in_set(struct thread *t, struct buffer *b, struct desk *desk, uint32_t set,
			uint64_t at)
{
	struct vcm_edu_set_import import = {
		.set = set, .nr = 2, .fds = { b->fd, desk->buffer.fd },
	};
	struct vcm_edu_job job = { .from_offset = at, .length = WORD };

	if (!edu_call(t, b->edu, VCM_EDU_IOC_SET_IMPORT, &import, sizeof(import)))
		return false;
	b->handle = import.handles[0];
	desk->buffer.handle = import.handles[1];
	job.from = b->handle;
	job.to = desk->buffer.handle;
	return edu_call(t, b->edu, VCM_EDU_IOC_JOB, &job, sizeof(job)) &&
	       check_desk(t, desk, b->tag, at);
}

/* Have a device copy a word in a space of a set. */
bool do_set_job(struct thread *t, struct buffer *b)
{
	uint64_t at = offset_of(b->tag, rng_below(&t->rng, b->len / PAGE));
	unsigned int edu = rng_below(&t->rng, EDUS);
	struct desk desk;
	bool done = false;
	uint32_t set;

	release(t, b);
	b->edu = edu;
	if (!open_desk(t, edu, &desk))
		return false;
	lock_device(t, edu);
	set = create_set(t, edu);
	if (set) {
		done = copy_in_set(t, b, &desk, set, at);
		/* It may end before what is in it. */
		if (rng_once_in(&t->rng, 2))
			release(t, b);
		destroy_set(t, edu, set);
	}
	release(t, b);
	close_desk(t, &desk);
	unlock_device(t, edu);
	return done;
}

/* A set that a hostile worker made, with the device it is for. */
static uint32_t some_set(struct thread *t, unsigned int *edu)
{
	unsigned int n = rng_below(&t->rng, SPACES);
	uint64_t raw = rng_next(&t->rng);

	if (raw % 8)
		*edu = t->w->sets[n].edu;
	return raw % 16 == 15 ? raw >> 32 : t->w->sets[n].number;
}

/* Map the buffer in a set, once or more often, or beside where it is. */
static bool hostile_set_import(struct thread *t, struct buffer *b)
{
	struct vcm_edu_set_import args = { .nr = rng_below(&t->rng, 3) + 1 };
	unsigned int edu = b->edu, i;

	args.set = some_set(t, &edu);
	if (rng_once_in(&t->rng, 4))
		args.with = b->handle;
	else
		release(t, b);
	for (i = 0; i < args.nr; i++)
		args.fds[i] = some_fd(t, b->fd);
	mutate(t, &args, sizeof(args));
	if (!edu_call(t, edu, VCM_EDU_IOC_SET_IMPORT, &args, sizeof(args)))
		return false;
	/* The others, and one that is there already, stay until the file is closed. */
	b->edu = edu;
	b->handle = args.handles[0];
	return true;
}

/* The device gets to the space, and seldom further. */
static bool hostile_job(struct thread *t, struct buffer *b)
{
	struct vcm_edu_job args = { .from = b->handle, .to = b->handle };

	if (rng_once_in(&t->rng, SELDOM))
		args.length = WORD;
	else if (rng_once_in(&t->rng, 2))
		args.length = VCM_EDU_RAM_SIZE + 1 + (uint32_t)odd_value(&t->rng) / 2;
	return edu_call(t, b->edu, VCM_EDU_IOC_JOB, &args, sizeof(args));
}

/* --- What only hostile ones do ----------------------------------------- */

/* Make a space, or do something to one. */
bool do_hostile_space(struct thread *t, struct buffer *b)
{
	unsigned int n = rng_below(&t->rng, SPACES), edu = rng_below(&t->rng, EDUS);
	uint32_t space;

	if (!rng_once_in(&t->rng, 3)) {
		space = some_space(t, &edu);
		return space_op(t, edu, space, rng_below(&t->rng, 4));
	}
	/* What was there stays until the file is closed. */
	space = create_space(t, edu);
	if (!space)
		return false;
	t->w->spaces[n].edu = edu;
	t->w->spaces[n].number = space;
	return true;
}

/* Make a set, or do something to one. */
bool do_hostile_set(struct thread *t, struct buffer *b)
{
	unsigned int n = rng_below(&t->rng, SPACES), edu = rng_below(&t->rng, EDUS);
	uint32_t set;

	switch (rng_below(&t->rng, 8)) {
	case 0:
		set = some_set(t, &edu);
		return destroy_set(t, edu, set);
	case 1:
	case 2:
		/* What was there stays until the file is closed. */
		set = create_set(t, edu);
		if (!set)
			return false;
		t->w->sets[n].edu = edu;
		t->w->sets[n].number = set;
		return true;
	case 3:
	case 4:
		return hostile_job(t, b);
	default:
		return hostile_set_import(t, b);
	}
}

/* Any call of the importer, with any contents. */
bool do_hostile_device(struct thread *t, struct buffer *b)
{
	static const unsigned long commands[] = {
		VCM_EDU_IOC_IMPORT, VCM_EDU_IOC_RELEASE, VCM_EDU_IOC_DMA, VCM_EDU_IOC_INFO,
		VCM_EDU_IOC_SPACE_CREATE, VCM_EDU_IOC_SPACE, VCM_EDU_IOC_FAULTS,
		VCM_EDU_IOC_CHECK, VCM_EDU_IOC_PROBE, VCM_EDU_IOC_COHERENT,
		VCM_EDU_IOC_MAPPING, VCM_EDU_IOC_SET_CREATE, VCM_EDU_IOC_SET_IMPORT,
		VCM_EDU_IOC_SET_DESTROY, VCM_EDU_IOC_JOB,
	};
	unsigned long command = rng_pick(&t->rng, commands);
	unsigned int edu = rng_once_in(&t->rng, 8) ? rng_below(&t->rng, EDUS) : b->edu;
	/* As large as the largest of them. */
	uint32_t words[sizeof(struct vcm_edu_set_import) / 4] = { b->handle };
	int i;

	/* The first word is a handle, a space or a file descriptor, in nearly all of them. */
	if (rng_once_in(&t->rng, 2))
		words[0] = some_space(t, &edu);
	for (i = 1; i < ARRAY_SIZE(words); i++)
		if (rng_once_in(&t->rng, 2))
			words[i] = odd_value(&t->rng) >> (rng_once_in(&t->rng, 2) ? 32 : 0);
	/* These two can take 100 ms as well. */
	if (command == VCM_EDU_IOC_PROBE && !rng_once_in(&t->rng, SELDOM))
		words[offsetof(struct vcm_edu_probe, ram_offset) / 4] |= VCM_EDU_RAM_SIZE;
	if (command == VCM_EDU_IOC_COHERENT && !rng_once_in(&t->rng, SELDOM))
		words[offsetof(struct vcm_edu_coherent, length) / 4] = VCM_EDU_COHERENT_MAX + 8;
	if (command == VCM_EDU_IOC_JOB && !rng_once_in(&t->rng, SELDOM))
		words[offsetof(struct vcm_edu_job, length) / 4] |= VCM_EDU_RAM_SIZE + 1;
	return edu_call(t, edu, command, words, _IOC_SIZE(command));
}
