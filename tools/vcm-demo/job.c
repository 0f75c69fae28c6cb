// SPDX-License-Identifier: MIT
/*
 * The main job, on the vcm heap and beside it on the system heap: a large
 * buffer, filled from a file, imported by a device behind an IOMMU, read and
 * written by it at the edges of every chunk, and checked byte by byte.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap-vcm.h>

#include "heap.h"
#include "job.h"
#include "vcm-edu.h"

#define DEVICE		"/dev/vcm-edu"
#define LENGTH		MIB(33)

/* The steps that are quick are timed that often. */
#define ROUNDS		5

/* Each transfer takes the emulated device 100 ms, so their number is bounded. */
#define PLACES_MAX	32
#define PLACE_BYTES_MAX	128

enum { ALLOCATE, FILL, IMPORT, DEVICE_CHECK, KERNEL_MAP, VERIFY, FREE, STEPS };

static const char * const step_names[STEPS] = {
	[ALLOCATE] = "allocate",
	[FILL] = "map for the CPU and fill",
	[IMPORT] = "import: attach and map",
	[DEVICE_CHECK] = "device reads and writes",
	[KERNEL_MAP] = "kernel mapping and copy",
	[VERIFY] = "verify every byte",
	[FREE] = "unmap, detach, free",
};

/**
 * struct places - where the device reads and writes
 * @count: how many
 * @all: every border of a chunk is among them
 * @bytes: at each
 * @offset: into the buffer
 */
struct places {
	unsigned int count;
	bool all;
	uint32_t bytes;
	uint64_t offset[PLACES_MAX];
};

/**
 * struct job - the job on one heap
 * @heap_name: the heap
 * @heap: its file descriptor
 * @device: file descriptor of the importer
 * @dmabuf: the buffer
 * @ptr: the CPU's mapping of it
 * @expect: what has to be in it
 * @import: what the device said of it
 * @chunks_known: the heap shows @chunks
 * @chunks: what the buffer is made of
 * @seconds: time of each step in each round
 */
struct job {
	const char *heap_name;
	int heap;
	int device;
	int dmabuf;
	char *ptr;
	char *expect;
	struct vcm_edu_import import;
	bool chunks_known;
	struct chunks chunks;
	double seconds[STEPS][ROUNDS];
};

/* --- Contents ------------------------------------------------------------- */

/* The file's contents, over and over. */
static char *contents_read(const char *path, uint64_t *file_len)
{
	char *contents = malloc(LENGTH);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t have = 0, at;
	ssize_t got = 1;

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (!contents)
		die("no memory for the contents");
	while (have < LENGTH && got > 0) {
		got = read(fd, contents + have, LENGTH - have);
		if (got < 0)
			die("%s: %s", path, strerror(errno));
		have += got;
	}
	close(fd);
	if (!have)
		die("%s is empty", path);
	for (at = have; at < LENGTH; at++)
		contents[at] = contents[at - have];
	*file_len = have;
	return contents;
}

/* --- Places --------------------------------------------------------------- */

/* Around @border, but inside the buffer. */
static void place_add(struct places *places, uint64_t border)
{
	uint64_t half = PLACE_BYTES_MAX / 2, offset;

	if (places->count == PLACES_MAX)
		return;
	offset = border < half ? 0 : border - half;
	if (offset > LENGTH - PLACE_BYTES_MAX)
		offset = LENGTH - PLACE_BYTES_MAX;
	places->offset[places->count++] = offset;
}

static uint64_t chunks_total(const struct chunks *chunks)
{
	uint64_t total = 0;
	int kind;

	for (kind = 0; kind < CHUNKS; kind++)
		total += chunks->count[kind];

	return total;
}

/* Each border of a chunk; where memory came in a great many, some of each kind. */
static void places_choose(struct places *places, const struct chunks *chunks)
{
	uint64_t start = 0, step, i;
	int kind;

	memset(places, 0, sizeof(*places));
	places->all = chunks_total(chunks) < PLACES_MAX;
	place_add(places, LENGTH);
	for (kind = 0; kind < CHUNKS; kind++) {
		step = places->all ? 1 : 1 + chunks->count[kind] * CHUNKS / PLACES_MAX;
		for (i = 0; i < chunks->count[kind]; i += step)
			place_add(places, start + i * chunk_size(kind));
		start += chunks->count[kind] * chunk_size(kind);
	}
	places->bytes = VCM_EDU_RAM_SIZE / places->count / 8 * 8;
	if (places->bytes > PLACE_BYTES_MAX)
		places->bytes = PLACE_BYTES_MAX;
}

/* The bytes at a place are in its middle, where the border is. */
static uint64_t place_at(const struct places *places, unsigned int i)
{
	if (!places->offset[i])
		return 0;
	if (places->offset[i] == LENGTH - PLACE_BYTES_MAX)
		return LENGTH - places->bytes;
	return places->offset[i] + (PLACE_BYTES_MAX - places->bytes) / 2;
}

/* --- Steps ---------------------------------------------------------------- */

static void step_allocate(struct job *job)
{
	job->dmabuf = heap_alloc(job->heap, LENGTH);
}

static void step_fill(struct job *job, const char *contents)
{
	job->ptr = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, job->dmabuf, 0);
	if (job->ptr == MAP_FAILED)
		die("%s: mmap: %s", job->heap_name, strerror(errno));
	buffer_begin(job->dmabuf, DMA_BUF_SYNC_WRITE);
	memcpy(job->ptr, contents, LENGTH);
	buffer_end(job->dmabuf, DMA_BUF_SYNC_WRITE);
}

/*
 * Addresses of the buffer before may come free a moment after it was unmapped,
 * and this device has few of them.
 */
static void step_import(struct job *job)
{
	int tries = 10;
	int ret;

	do {
		job->import = (struct vcm_edu_import){ .fd = job->dmabuf };
		ret = ioctl(job->device, VCM_EDU_IOC_IMPORT, &job->import);
	} while (ret && errno == ENOMEM && tries-- && !usleep(10000));
	if (ret)
		die("%s: import: %s", job->heap_name, strerror(errno));
}

static void transfer(struct job *job, enum vcm_edu_dir dir, uint64_t offset, uint32_t length,
		     uint32_t ram_offset)
{
	struct vcm_edu_dma dma = {
		.handle = job->import.handle,
		.dir = dir,
		.offset = offset,
		.length = length,
		.ram_offset = ram_offset,
	};

	if (ioctl(job->device, VCM_EDU_IOC_DMA, &dma))
		die("%s: DMA at offset %#llx: %s", job->heap_name,
		    (unsigned long long)offset, strerror(errno));
}

/*
 * The device reads all places into its RAM, and then writes what it read at one
 * place into the next one. What the next one has to contain is known beforehand.
 */
static void step_device(struct job *job, const struct places *places)
{
	uint32_t bytes = places->bytes;
	unsigned int i;

	for (i = 0; i < places->count; i++)
		transfer(job, VCM_EDU_TO_DEVICE, place_at(places, i), bytes, i * bytes);
	for (i = 0; i < places->count; i++)
		transfer(job, VCM_EDU_FROM_DEVICE, place_at(places, (i + 1) % places->count),
			 bytes, i * bytes);
}

static void expect_device(struct job *job, const struct places *places, const char *contents)
{
	unsigned int i;

	memcpy(job->expect, contents, LENGTH);
	for (i = 0; i < places->count; i++)
		memcpy(job->expect + place_at(places, (i + 1) % places->count),
		       contents + place_at(places, i), places->bytes);
}

/* The kernel maps all of the buffer; a copy from its middle is looked at. */
static void step_kernel_map(struct job *job)
{
	static char copy[VCM_EDU_ACCESS_MAX];
	uint64_t middle = LENGTH / 2 - sizeof(copy) / 2;
	struct vcm_edu_access access = {
		.handle = job->import.handle,
		.offset = middle,
		.length = sizeof(copy),
		.user = (uintptr_t)copy,
	};

	if (ioctl(job->device, VCM_EDU_IOC_ACCESS, &access))
		die("%s: kernel mapping: %s", job->heap_name, strerror(errno));
	if (memcmp(copy, job->expect + middle, sizeof(copy)))
		die("%s: the kernel's mapping shows other bytes than the buffer has",
		    job->heap_name);
}

static void step_verify(struct job *job)
{
	uint64_t at;

	buffer_begin(job->dmabuf, DMA_BUF_SYNC_READ);
	if (memcmp(job->ptr, job->expect, LENGTH)) {
		for (at = 0; job->ptr[at] == job->expect[at]; at++)
			;
		die("%s: the byte at offset %#llx is %#x and should be %#x", job->heap_name,
		    (unsigned long long)at, (unsigned char)job->ptr[at],
		    (unsigned char)job->expect[at]);
	}
	buffer_end(job->dmabuf, DMA_BUF_SYNC_READ);
}

static void step_free(struct job *job)
{
	struct vcm_edu_release release = { .handle = job->import.handle };

	if (ioctl(job->device, VCM_EDU_IOC_RELEASE, &release))
		die("%s: release: %s", job->heap_name, strerror(errno));
	munmap(job->ptr, LENGTH);
	close(job->dmabuf);
}

#define TIMED(job, round, step, call) do {		\
	double start = now();				\
							\
	call;						\
	(job)->seconds[step][round] = now() - start;	\
} while (0)

static void check_import(const struct job *job)
{
	if (job->import.length != LENGTH)
		die("%s: the device was given %llu bytes", job->heap_name,
		    (unsigned long long)job->import.length);
}

/* The job without the device's part, which takes long. */
static void round_run(struct job *job, unsigned int round, const char *contents)
{
	TIMED(job, round, ALLOCATE, step_allocate(job));
	TIMED(job, round, FILL, step_fill(job, contents));
	TIMED(job, round, IMPORT, step_import(job));
	check_import(job);
	memcpy(job->expect, contents, LENGTH);
	TIMED(job, round, KERNEL_MAP, step_kernel_map(job));
	TIMED(job, round, VERIFY, step_verify(job));
	TIMED(job, round, FREE, step_free(job));
}

static void device_run(struct job *job, struct places *places, const char *contents)
{
	step_allocate(job);
	job->chunks_known = chunks_read(job->dmabuf, &job->chunks);
	if (!places->count)
		places_choose(places, &job->chunks);
	step_fill(job, contents);
	step_import(job);
	check_import(job);
	expect_device(job, places, contents);
	TIMED(job, 0, DEVICE_CHECK, step_device(job, places));
	step_kernel_map(job);
	step_verify(job);
	step_free(job);
}

/* --- The table ------------------------------------------------------------ */

static const char *chunks_text(const struct job *job, char *text, size_t len)
{
	char size[32];
	size_t used = 0;
	int kind;

	text[0] = '\0';
	if (!job->chunks_known)
		return "not shown";
	for (kind = 0; kind < CHUNKS; kind++)
		if (job->chunks.count[kind])
			used += snprintf(text + used, len - used, "%s%llu x %s", used ? ", " : "",
					 (unsigned long long)job->chunks.count[kind],
					 size_text(chunk_size(kind), size));
	return text;
}

static const char *iova_text(const struct job *job, char *text, size_t len)
{
	snprintf(text, len, "%#llx", (unsigned long long)job->import.iova);
	return text;
}

static const char *alignment_text(const struct job *job, char *text)
{
	uint64_t iova = job->import.iova;

	if (!iova)
		return "any size";
	return size_text(iova & -iova, text);
}

static void print_row(const char *what, const char *one, const char *two)
{
	if (two)
		printf("  %-26s %-26s %s\n", what, one, two);
	else
		printf("  %-26s %s\n", what, one);
}

static void print_buffers(const struct job *jobs, unsigned int n)
{
	char text[2][256], count[2][32];
	unsigned int i;

	for (i = 0; i < n; i++)
		snprintf(count[i], sizeof(count[i]), "%u", jobs[i].import.nents);

	print_row("", jobs[0].heap_name, n > 1 ? jobs[1].heap_name : NULL);
	print_row("chunks of memory", chunks_text(&jobs[0], text[0], sizeof(text[0])),
		  n > 1 ? chunks_text(&jobs[1], text[1], sizeof(text[1])) : NULL);
	print_row("address for the device", iova_text(&jobs[0], text[0], sizeof(text[0])),
		  n > 1 ? iova_text(&jobs[1], text[1], sizeof(text[1])) : NULL);
	print_row("  which is aligned to", alignment_text(&jobs[0], text[0]),
		  n > 1 ? alignment_text(&jobs[1], text[1]) : NULL);
	print_row("DMA segments", count[0], n > 1 ? count[1] : NULL);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double step_seconds(const struct job *job, int step)
{
	double sorted[ROUNDS];

	if (step == DEVICE_CHECK)
		return job->seconds[step][0];
	memcpy(sorted, job->seconds[step], sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(sorted[0]), compare);
	return sorted[ROUNDS / 2];
}

static void print_steps(const struct job *jobs, unsigned int n)
{
	char text[2][32];
	int step;

	print_row("time of each step", jobs[0].heap_name, n > 1 ? jobs[1].heap_name : NULL);
	for (step = 0; step < STEPS; step++)
		print_row(step_names[step], time_text(step_seconds(&jobs[0], step), text[0]),
			  n > 1 ? time_text(step_seconds(&jobs[1], step), text[1]) : NULL);
}

static void print_report(const struct job *jobs, unsigned int n, const struct places *places)
{
	unsigned long long written = places->count * places->bytes;

	print_buffers(jobs, n);
	putchar('\n');
	print_steps(jobs, n);
	printf("\n  Times are medians of %u rounds, in which the heaps took turns; the device did\n"
	       "  its part once. It read %u bytes around %s of a chunk and at both ends\n"
	       "  of the buffer, and wrote each of them to the next place: %u transfers, for each\n"
	       "  of which the emulated device takes 100 ms.\n",
	       ROUNDS, places->bytes, places->all ? "every border" : "borders",
	       2 * places->count);
	printf("  All %llu bytes are right: %llu that the device wrote, and the others as they\n"
	       "  were.\n", (unsigned long long)LENGTH, written);
}

/* --- The job -------------------------------------------------------------- */

static int device_open(void)
{
	struct vcm_edu_info info = {};
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0)
		die("%s: %s (is the module vcm-edu loaded, and the device there?)", DEVICE,
		    strerror(errno));
	if (ioctl(device, VCM_EDU_IOC_INFO, &info))
		die("%s: %s", DEVICE, strerror(errno));
	if (!(info.flags & VCM_EDU_TRANSLATED))
		die("no IOMMU translates the DMA of %s, so there is nothing to show", DEVICE);
	printf("The device %s has %u-bit DMA addresses. It found its data at an address that is\n"
	       "not the physical one: an IOMMU translates.\n", DEVICE, info.dma_bits);
	return device;
}

/* The system heap is only there to compare with. */
static unsigned int heaps_open(struct job *jobs)
{
	static const char * const names[] = { DMA_HEAP_VCM_NAME, "system" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		jobs[i].heap_name = names[i];
		jobs[i].heap = heap_open(names[i]);
		if (jobs[i].heap < 0 && !i)
			die("no heap /dev/dma_heap/%s: %s (is the module vcm-heap loaded?)",
			    names[i], strerror(-jobs[i].heap));
		if (jobs[i].heap < 0)
			break;
	}
	return i;
}

/* Where nothing shows the chunks, those of a machine with free memory. */
static void chunks_assume(struct chunks *chunks)
{
	memset(chunks, 0, sizeof(*chunks));
	chunks->count[CHUNK_2M] = LENGTH / chunk_size(CHUNK_2M);
	chunks->count[CHUNK_1M] = LENGTH % chunk_size(CHUNK_2M) / chunk_size(CHUNK_1M);
}

static void run_rounds(struct job *jobs, unsigned int n, const char *contents)
{
	unsigned int round, i;

	/* The first time is not counted: what the machine does once, no heap pays for. */
	for (i = 0; i < n; i++)
		round_run(&jobs[i], 0, contents);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < n; i++)
			round_run(&jobs[i], round, contents);
}

void job_run(const char *path)
{
	struct places places = {};
	struct job jobs[2] = {};
	uint64_t file_len;
	char *contents = contents_read(path, &file_len);
	char *expect = malloc(LENGTH);
	unsigned int n, i;
	char text[32];

	if (!expect)
		die("no memory for the contents");
	n = heaps_open(jobs);
	jobs[0].device = device_open();
	printf("A buffer of %s is filled from %s (%llu bytes).\n\n", size_text(LENGTH, text), path,
	       (unsigned long long)file_len);
	fflush(stdout);

	for (i = 0; i < n; i++) {
		jobs[i].device = jobs[0].device;
		jobs[i].expect = expect;
		chunks_assume(&jobs[i].chunks);
	}
	run_rounds(jobs, n, contents);
	for (i = 0; i < n; i++)
		device_run(&jobs[i], &places, contents);
	print_report(jobs, n, &places);

	for (i = 0; i < n; i++)
		close(jobs[i].heap);
	close(jobs[0].device);
	free(expect);
	free(contents);
}
