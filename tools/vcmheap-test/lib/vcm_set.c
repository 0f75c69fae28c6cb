// SPDX-License-Identifier: MIT
/*
 * Sets of spaces of the importer's devices, and random jobs on what is mapped in them.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "igt.h"
#include "vcm_buffer.h"
#include "vcm_debugfs.h"
#include "vcm_dev.h"
#include "vcm_heap.h"
#include "vcm_importer.h"
#include "vcm_iova.h"
#include "vcm_set.h"
#include "vcm_space.h"

int __vcm_set_create(int importer, uint64_t start, uint64_t length, uint32_t max, uint32_t *set)
{
	struct vcm_edu_set_create args = { .start = start, .length = length, .max = max };
	int ret = __vcm_importer_ioctl(importer, VCM_EDU_IOC_SET_CREATE, &args);

	*set = args.set;
	return ret;
}

/* Returns the number of the set. */
uint32_t vcm_set_create(int importer, uint64_t start, uint64_t length, uint32_t max)
{
	uint32_t set;
	int ret = __vcm_set_create(importer, start, length, max, &set);

	igt_assert_f(!ret, "creating a set: %s\n", strerror(-ret));
	igt_assert(set);
	return set;
}

void vcm_set_destroy(int importer, uint32_t set)
{
	struct vcm_edu_set_destroy args = { .set = set };

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_SET_DESTROY, &args), 0);
}

/* @with: an import in the space that @nr buffers are to be in, or 0 */
int __vcm_set_import(int importer, uint32_t set, const int *dmabufs, unsigned int nr,
		     uint32_t with, struct vcm_seat *seats)
{
	struct vcm_edu_set_import args = { .set = set, .with = with, .nr = nr };
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		args.fds[i] = dmabufs[i];
	ret = __vcm_importer_ioctl(importer, VCM_EDU_IOC_SET_IMPORT, &args);
	for (i = 0; !ret && i < nr; i++)
		seats[i] = (struct vcm_seat){ args.handles[i], args.number, args.iovas[i] };
	return ret;
}

void vcm_set_import(int importer, uint32_t set, int dmabuf, struct vcm_seat *seat)
{
	int ret = __vcm_set_import(importer, set, &dmabuf, 1, 0, seat);

	igt_assert_f(!ret, "import to set %u: %s\n", set, strerror(-ret));
}

/* The device copies. @ns: how long it took to get it into the space, or NULL */
int __vcm_set_job(int importer, const struct vcm_seat *from, uint64_t from_offset,
		  const struct vcm_seat *to, uint64_t to_offset, uint32_t length, uint64_t *ns)
{
	struct vcm_edu_job args = {
		.from = from->handle, .to = to->handle,
		.from_offset = from_offset, .to_offset = to_offset, .length = length,
	};
	int ret = __vcm_importer_ioctl(importer, VCM_EDU_IOC_JOB, &args);

	if (ns)
		*ns = args.ns;
	return ret;
}

/* Spaces of the first device in vcm/spaces */
unsigned int vcm_set_spaces(void)
{
	static struct vcm_spaces spaces;
	char name[VCM_DEVICE_NAME_LEN];

	vcm_importer_name(0, name);
	return __vcm_spaces_read(name, &spaces) ? spaces.spaces : 0;
}

/* --- Random jobs ------------------------------------------------------- */

/* Where jobs have written in a buffer */
struct written {
	unsigned int buffer;
	uint64_t offset;
	uint8_t before[VCM_SET_PIECE];	/* what was there first */
	uint8_t now[VCM_SET_PIECE];	/* what the last of them wrote */
};

#define JOBS_MAX 400

/* Buffers with contents that are known, in the spaces of a set */
struct field {
	int importer;
	uint32_t set;
	uint64_t length;	/* of each buffer */
	unsigned int nr;
	int *dmabufs;
	struct vcm_seat *seats;
	uint8_t **bytes;
	struct written *written;
	unsigned int nr_written;
	uint64_t worst_ns, sum_ns;
};

static uint64_t seed_of(unsigned int buffer)
{
	return 0x1000 + buffer;
}

static void field_init(struct field *field, int dev, int importer,
		       const struct vcm_set_jobs *jobs)
{
	unsigned int nr = jobs->nr, i;
	uint64_t length = jobs->buffer;

	*field = (struct field){
		.importer = importer, .length = length, .nr = nr,
		.dmabufs = calloc(nr, sizeof(int)),
		.seats = calloc(nr, sizeof(struct vcm_seat)),
		.bytes = calloc(nr, sizeof(uint8_t *)),
		.written = calloc(JOBS_MAX, sizeof(struct written)),
	};
	igt_assert(field->dmabufs && field->seats && field->bytes && field->written);
	field->set = vcm_set_create(importer, jobs->start, jobs->window, jobs->spaces);
	for (i = 0; i < nr; i++) {
		field->dmabufs[i] = vcm_dev_alloc_policy(dev, length, 0, 0, 0);
		vcm_set_import(importer, field->set, field->dmabufs[i], &field->seats[i]);
		field->bytes[i] = vcm_buffer_map(field->dmabufs[i]);
		vcm_buffer_begin(field->dmabufs[i], DMA_BUF_SYNC_RW);
		vcm_fill(field->bytes[i], length, seed_of(i));
	}
	igt_assert_eq(vcm_set_spaces(), jobs->spaces);
}

static void field_fini(struct field *field)
{
	unsigned int i;

	for (i = 0; i < field->nr; i++) {
		vcm_importer_release(field->importer, field->seats[i].handle);
		vcm_buffer_end(field->dmabufs[i], DMA_BUF_SYNC_RW);
		vcm_buffer_unmap(field->bytes[i], field->length);
		close(field->dmabufs[i]);
	}
	vcm_set_destroy(field->importer, field->set);
	free(field->written);
	free(field->bytes);
	free(field->seats);
	free(field->dmabufs);
}

/* What is known of a place that a job is going to write to */
static struct written *note_written(struct field *field, unsigned int buffer, uint64_t offset)
{
	struct written *written;
	unsigned int i;

	for (i = 0; i < field->nr_written; i++)
		if (field->written[i].buffer == buffer && field->written[i].offset == offset)
			return &field->written[i];
	igt_assert_lt(field->nr_written, JOBS_MAX);
	written = &field->written[field->nr_written++];
	written->buffer = buffer;
	written->offset = offset;
	memcpy(written->before, field->bytes[buffer] + offset, VCM_SET_PIECE);
	return written;
}

static unsigned int random_neighbour(struct field *field, unsigned int from)
{
	unsigned int to;

	do {
		to = rand() % field->nr;
	} while (field->seats[to].number != field->seats[from].number);
	return to;
}

/* A piece of a buffer is copied to another buffer, and its every byte looked at. */
static void run_job(struct field *field)
{
	unsigned int from = rand() % field->nr, to = random_neighbour(field, from);
	uint64_t pieces = field->length / VCM_SET_PIECE;
	uint64_t from_offset = rand() % pieces * VCM_SET_PIECE;
	uint64_t to_offset = rand() % pieces * VCM_SET_PIECE, ns;
	struct written *written = note_written(field, to, to_offset);

	memcpy(written->now, field->bytes[from] + from_offset, VCM_SET_PIECE);
	vcm_buffer_end(field->dmabufs[to], DMA_BUF_SYNC_RW);
	igt_assert_eq(__vcm_set_job(field->importer, &field->seats[from], from_offset,
			    &field->seats[to], to_offset, VCM_SET_PIECE, &ns), 0);
	vcm_buffer_begin(field->dmabufs[to], DMA_BUF_SYNC_RW);
	igt_assert(!memcmp(field->bytes[to] + to_offset, written->now, VCM_SET_PIECE));
	field->sum_ns += ns;
	field->worst_ns = ns > field->worst_ns ? ns : field->worst_ns;
}

/* Every byte of every buffer: what was written, and then all the rest. */
static void check_all(struct field *field)
{
	unsigned int i;

	for (i = 0; i < field->nr_written; i++) {
		struct written *written = &field->written[i];
		uint8_t *at = field->bytes[written->buffer] + written->offset;

		igt_assert(!memcmp(at, written->now, VCM_SET_PIECE));
		memcpy(at, written->before, VCM_SET_PIECE);
	}
	for (i = 0; i < field->nr; i++)
		vcm_assert_filled(field->bytes[i], field->length, seed_of(i));
}

/*
 * Fills the spaces of a set with buffers, has the device copy between random ones, and
 * looks at every byte of all of them.
 */
void vcm_set_run_jobs(int dev, int importer, const struct vcm_set_jobs *jobs)
{
	struct field field;
	unsigned int i;

	srand(1);
	field_init(&field, dev, importer, jobs);
	for (i = 0; i < jobs->jobs; i++)
		run_job(&field);
	check_all(&field);
	igt_info("%u spaces, %llu MB, %u jobs; a switch: %llu us, at most %llu us\n",
		 jobs->spaces, (unsigned long long)(jobs->nr * jobs->buffer >> 20), jobs->jobs,
		 (unsigned long long)(field.sum_ns / jobs->jobs / 1000),
		 (unsigned long long)(field.worst_ns / 1000));
	field_fini(&field);
}
