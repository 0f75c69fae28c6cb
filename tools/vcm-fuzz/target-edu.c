// SPDX-License-Identifier: MIT
/*
 * Calls of the sample importer, /dev/vcm-edu.
 *
 * A transfer takes the device 100 ms, during which others wait for it. So a
 * transfer is seldom given an argument with which it can succeed.
 */

#include <string.h>
#include <sys/ioctl.h>

#include "fuzz.h"
#include "vcm-edu.h"

/* Calls of which one may make a transfer. */
#define SELDOM	1024

struct call {
	unsigned int edu;
	uint64_t raw;
};

static struct fuzz_import *random_import(struct fuzz_worker *w)
{
	return &w->imports[rng_below(&w->rng, FUZZ_IMPORTS)];
}

static struct fuzz_space *random_space(struct fuzz_worker *w)
{
	return &w->spaces[rng_below(&w->rng, FUZZ_SPACES)];
}

static uint32_t random_handle(struct fuzz_worker *w, unsigned int *edu)
{
	struct fuzz_import *import = random_import(w);
	uint64_t raw = rng_next(&w->rng);

	if (raw % 8)
		*edu = import->edu;
	return raw % 16 == 15 ? raw >> 32 : import->handle;
}

static uint32_t random_number(struct fuzz_worker *w, unsigned int *edu)
{
	struct fuzz_space *space = random_space(w);
	uint64_t raw = rng_next(&w->rng);

	if (raw % 8)
		*edu = space->edu;
	return raw % 16 == 15 ? raw >> 32 : space->number;
}

static bool edu_ioctl(struct fuzz_worker *w, unsigned int edu, unsigned long command, void *arg,
		      size_t size)
{
	return fuzz_ioctl(w, FUZZ_EDU, w->edus[edu], command, arg, size);
}

/* What an import that is thrown away leaves is released with the open file. */
static void call_import(struct fuzz_worker *w, const struct call *call)
{
	struct fuzz_import *slot = random_import(w);
	struct vcm_edu_release release = { .handle = slot->handle };
	struct vcm_edu_import args = { .fd = fuzz_fd(w) };
	unsigned int edu = call->edu;

	if (call->raw % 4 == 0)
		args.space = random_number(w, &edu);
	if (call->raw % 16 == 0) {
		args.flags = VCM_EDU_IMPORT_FIXED;
		args.iova = rng_below(&w->rng, 64) << 12;
	}
	fuzz_mutate(&w->rng, &args, sizeof(args));
	if (!edu_ioctl(w, edu, VCM_EDU_IOC_IMPORT, &args, sizeof(args)))
		return;
	if (slot->handle && !ioctl(w->edus[slot->edu], VCM_EDU_IOC_RELEASE, &release))
		w->counts->others++;
	slot->edu = edu;
	slot->handle = args.handle;
}

static void call_release(struct fuzz_worker *w, const struct call *call)
{
	struct fuzz_import *slot = random_import(w);
	struct vcm_edu_release args = { .handle = slot->handle };

	if (call->raw % 4 == 0)
		fuzz_mutate(&w->rng, &args, sizeof(args));
	if (edu_ioctl(w, slot->edu, VCM_EDU_IOC_RELEASE, &args, sizeof(args)))
		slot->handle = 0;
}

static void call_dma(struct fuzz_worker *w, const struct call *call)
{
	unsigned int edu = call->edu;
	struct vcm_edu_dma args = {
		.handle = random_handle(w, &edu),
		.dir = rng_below(&w->rng, 2),
		.offset = rng_below(&w->rng, 0x2000),
		.length = rng_below(&w->rng, VCM_EDU_RAM_SIZE) + 1,
	};

	if (!rng_once_in(&w->rng, SELDOM)) {
		fuzz_mutate(&w->rng, &args, sizeof(args));
		if (rng_once_in(&w->rng, 2))
			args.offset = FUZZ_LENGTH_MAX + fuzz_value(&w->rng) / 2;
		else
			args.ram_offset = VCM_EDU_RAM_SIZE + (uint32_t)fuzz_value(&w->rng) / 2;
	}
	edu_ioctl(w, edu, VCM_EDU_IOC_DMA, &args, sizeof(args));
}

static void call_access(struct fuzz_worker *w, const struct call *call)
{
	static char memory[VCM_EDU_ACCESS_MAX];
	unsigned int edu = call->edu;
	struct vcm_edu_access args = {
		.handle = random_handle(w, &edu),
		.write = call->raw % 2,
		.offset = rng_below(&w->rng, 0x4000),
		.length = rng_below(&w->rng, 0x1000) + 1,
		.user = (uintptr_t)memory,
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	/* It may write to memory of ours that is for that alone. */
	if (args.user != (uintptr_t)memory || args.length > sizeof(memory))
		args.user = (uintptr_t)w->arena.rw + 2 * FUZZ_ARG_MAX;
	edu_ioctl(w, edu, VCM_EDU_IOC_ACCESS, &args, sizeof(args));
}

static void call_info(struct fuzz_worker *w, const struct call *call)
{
	struct vcm_edu_info args = {};

	edu_ioctl(w, call->edu, VCM_EDU_IOC_INFO, &args, sizeof(args));
}

static void call_probe(struct fuzz_worker *w, const struct call *call)
{
	struct vcm_edu_probe args = {
		.iova = fuzz_value(&w->rng),
		.length = rng_below(&w->rng, VCM_EDU_RAM_SIZE) + 1,
		.dir = rng_below(&w->rng, 2),
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	if (!rng_once_in(&w->rng, SELDOM))
		args.ram_offset = VCM_EDU_RAM_SIZE + (uint32_t)fuzz_value(&w->rng) / 2;
	edu_ioctl(w, call->edu, VCM_EDU_IOC_PROBE, &args, sizeof(args));
}

static void call_space_create(struct fuzz_worker *w, const struct call *call)
{
	struct fuzz_space *slot = random_space(w);
	struct vcm_edu_space_create args = {
		.length = 1ull << (20 + rng_below(&w->rng, 13)),
		.fixed_length = rng_once_in(&w->rng, 2) ? 0x40000 : 0,
		.align = rng_once_in(&w->rng, 4) ? 0x10000 : 0,
	};
	unsigned int i;

	/* Making a device is slow too: seldom a good one. */
	for (i = 0; i < 3 && call->raw % 8; i++)
		fuzz_mutate(&w->rng, &args, sizeof(args));
	if (!edu_ioctl(w, call->edu, VCM_EDU_IOC_SPACE_CREATE, &args, sizeof(args)))
		return;
	/* What was there stays until the file is closed. */
	slot->edu = call->edu;
	slot->number = args.space;
}

static void call_space(struct fuzz_worker *w, const struct call *call)
{
	unsigned int edu = call->edu;
	struct vcm_edu_space args = {
		.space = random_number(w, &edu),
		.op = rng_below(&w->rng, 4),
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	edu_ioctl(w, edu, VCM_EDU_IOC_SPACE, &args, sizeof(args));
}

static void call_faults(struct fuzz_worker *w, const struct call *call)
{
	unsigned int edu = call->edu;
	struct vcm_edu_faults args = {
		.space = random_number(w, &edu),
		.flags = rng_below(&w->rng, 2),
		.iova = fuzz_value(&w->rng),
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	edu_ioctl(w, edu, VCM_EDU_IOC_FAULTS, &args, sizeof(args));
}

static void call_check(struct fuzz_worker *w, const struct call *call)
{
	unsigned int edu = call->edu;
	struct vcm_edu_check args = {
		.handle = random_handle(w, &edu),
		.offset = rng_below(&w->rng, 0x4000),
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	edu_ioctl(w, edu, VCM_EDU_IOC_CHECK, &args, sizeof(args));
}

static void call_coherent(struct fuzz_worker *w, const struct call *call)
{
	unsigned int edu = call->edu;
	struct vcm_edu_coherent args = {
		.space = random_number(w, &edu),
		.length = rng_below(&w->rng, 0x4000),
	};

	fuzz_mutate(&w->rng, &args, sizeof(args));
	if (!rng_once_in(&w->rng, SELDOM))
		args.length = VCM_EDU_COHERENT_MAX + 8 + (uint32_t)fuzz_value(&w->rng) / 2;
	edu_ioctl(w, edu, VCM_EDU_IOC_COHERENT, &args, sizeof(args));
}

/* Any number, any contents. */
static void call_any(struct fuzz_worker *w, const struct call *call)
{
	static const unsigned long commands[] = {
		VCM_EDU_IOC_IMPORT, VCM_EDU_IOC_DMA, VCM_EDU_IOC_ACCESS, VCM_EDU_IOC_RELEASE,
		VCM_EDU_IOC_INFO, VCM_EDU_IOC_SPACE_CREATE, VCM_EDU_IOC_SPACE, VCM_EDU_IOC_FAULTS,
		VCM_EDU_IOC_CHECK,
	};
	char buf[FUZZ_ARG_MAX];
	unsigned long command = fuzz_command(&w->rng, rng_pick(&w->rng, commands));
	size_t size = _IOC_SIZE(command) < 8 ? 8 : _IOC_SIZE(command), i;

	memset(buf, 0, size);
	for (i = 0; i + 8 <= size && i < 64; i += 8) {
		uint64_t value = fuzz_value(&w->rng);

		memcpy(buf + i, &value, sizeof(value));
	}
	/* Where it may write: a user address, nearly always a bad one. */
	edu_ioctl(w, call->edu, command, buf, size);
}

/**
 * fuzz_edu - a call of the importer
 * @w: the worker
 */
void fuzz_edu(struct fuzz_worker *w)
{
	static void (*const calls[])(struct fuzz_worker *w, const struct call *call) = {
		call_import, call_import, call_import, call_release, call_release,
		call_dma, call_access, call_access, call_info, call_probe, call_space_create,
		call_space, call_space, call_faults, call_check, call_coherent, call_any,
	};
	const struct call call = {
		.edu = rng_below(&w->rng, FUZZ_EDUS),
		.raw = rng_next(&w->rng),
	};

	rng_pick(&w->rng, calls)(w, &call);
}
