// SPDX-License-Identifier: MIT
/*
 * Shows the vcm heap at its main job, and beside it the system heap: a large buffer,
 * filled from a file, imported by a device behind an IOMMU, read and written by it at
 * the edges of every chunk, and checked byte by byte.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vcm-edu.h"
#include "vcm_buffer.h"
#include "vcm_util.h"

static const char usage[] =
	"usage: vcm-demo FILE\n"
	"\n"
	"Fills a buffer of the heap vcm from FILE, has the device vcm-edu read and write\n"
	"it through its IOMMU, checks every byte, and shows what each step took, beside\n"
	"the same on the heap system.\n";

#define DEVICE		"/dev/vcm-edu"
#define LENGTH		MIB(33)

/* The steps that are quick are timed that often. */
#define ROUNDS		5

/* Each transfer takes the emulated device 100 ms, so their number is bounded. */
#define PLACES_MAX	32
#define PLACE_BYTES_MAX	128

#define CHUNKS		DMA_HEAP_VCM_NR_CHUNK_SIZES

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

/* Where the device reads and writes */
struct places {
	unsigned int count;		/* how many */
	bool all;			/* every border of a chunk is among them */
	uint32_t bytes;			/* at each */
	uint64_t offset[PLACES_MAX];	/* into the buffer */
};

/* The job on one heap */
struct job {
	const char *heap_name;		/* the heap */
	int heap;			/* its file descriptor */
	int device;			/* file descriptor of the importer */
	int dmabuf;			/* the buffer */
	char *ptr;			/* the CPU's mapping of it */
	char *expect;			/* what has to be in it */
	struct vcm_edu_import import;	/* what the device said of it */
	bool chunks_known;		/* the heap tells chunks */
	/* What the buffer is made of, the largest first */
	struct dma_heap_vcm_chunks chunks[CHUNKS];
	double seconds[STEPS][ROUNDS];	/* time of each step in each round */
};

/* --- Contents ------------------------------------------------------------- */

/* The file's contents, over and over. */
static char *contents_read(const char *path, uint64_t *file_len)
{
	char *contents = xmalloc(LENGTH);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t have = 0, at;
	ssize_t got = 1;

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
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

static uint64_t chunks_total(const struct dma_heap_vcm_chunks *chunks)
{
	uint64_t total = 0;
	int kind;

	for (kind = 0; kind < CHUNKS; kind++)
		total += chunks[kind].count;
	return total;
}

/* Each border of a chunk; where memory came in a great many, some of each kind. */
static void places_choose(struct places *places, const struct dma_heap_vcm_chunks *chunks)
{
	uint64_t start = 0, step, i;
	int kind;

	memset(places, 0, sizeof(*places));
	places->all = chunks_total(chunks) < PLACES_MAX;
	place_add(places, LENGTH);
	for (kind = 0; kind < CHUNKS; kind++) {
		step = places->all ? 1 : 1 + chunks[kind].count * CHUNKS / PLACES_MAX;
		for (i = 0; i < chunks[kind].count; i += step)
			place_add(places, start + i * chunks[kind].size);
		start += chunks[kind].count * chunks[kind].size;
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
	job->dmabuf = __vcm_heap_alloc(job->heap, LENGTH);
	if (job->dmabuf < 0)
		die("%s: cannot allocate: %s", job->heap_name, strerror(-job->dmabuf));
}

static void cpu_access(struct job *job, uint64_t flags)
{
	int ret = __vcm_buffer_sync(job->dmabuf, flags);

	if (ret)
		die("%s: cannot synchronise with the CPU: %s", job->heap_name, strerror(-ret));
}

static void step_fill(struct job *job, const char *contents)
{
	job->ptr = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, job->dmabuf, 0);
	if (job->ptr == MAP_FAILED)
		die("%s: mmap: %s", job->heap_name, strerror(errno));
	cpu_access(job, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	memcpy(job->ptr, contents, LENGTH);
	cpu_access(job, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

static int device_open(void)
{
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0)
		die("%s: %s (is the module vcm-edu loaded, and the device there?)", DEVICE,
		    strerror(errno));
	return device;
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
	static char copy[0x10000];
	uint64_t middle = LENGTH / 2 - sizeof(copy) / 2;

	if (pread(job->device, copy, sizeof(copy), middle) != sizeof(copy))
		die("%s: kernel mapping: %s", job->heap_name, strerror(errno));
	if (memcmp(copy, job->expect + middle, sizeof(copy)))
		die("%s: the kernel's mapping shows other bytes than the buffer has",
		    job->heap_name);
}

static void step_verify(struct job *job)
{
	uint64_t at;

	cpu_access(job, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	if (memcmp(job->ptr, job->expect, LENGTH)) {
		for (at = 0; job->ptr[at] == job->expect[at]; at++)
			;
		die("%s: the byte at offset %#llx is %#x and should be %#x", job->heap_name,
		    (unsigned long long)at, (unsigned char)job->ptr[at],
		    (unsigned char)job->expect[at]);
	}
	cpu_access(job, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}

static void step_free(struct job *job)
{
	close(job->device);
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
	if (job->import.iova == VCM_EDU_IOVA_NONE)
		die("no IOMMU translates the DMA of %s, so there is nothing to show", DEVICE);
}

/* The job without the device's part, which takes long. */
static void round_run(struct job *job, unsigned int round, const char *contents)
{
	job->device = device_open();
	TIMED(job, round, ALLOCATE, step_allocate(job));
	TIMED(job, round, FILL, step_fill(job, contents));
	TIMED(job, round, IMPORT, step_import(job));
	check_import(job);
	memcpy(job->expect, contents, LENGTH);
	TIMED(job, round, KERNEL_MAP, step_kernel_map(job));
	TIMED(job, round, VERIFY, step_verify(job));
	TIMED(job, round, FREE, step_free(job));
}

/* Where nothing tells the chunks, those of a machine with free memory. */
static void chunks_find(struct job *job)
{
	static const struct dma_heap_vcm_chunks assumed[CHUNKS] = {
		{ DMA_HEAP_VCM_CHUNK_2M, LENGTH / DMA_HEAP_VCM_CHUNK_2M },
		{ DMA_HEAP_VCM_CHUNK_1M, LENGTH % DMA_HEAP_VCM_CHUNK_2M / DMA_HEAP_VCM_CHUNK_1M },
	};
	int dev = __vcm_dev_open();
	struct dma_heap_vcm_query query;

	job->chunks_known = dev >= 0 && !__vcm_dev_query(dev, job->dmabuf, &query);
	memcpy(job->chunks, job->chunks_known ? query.out_chunks : assumed, sizeof(job->chunks));
	if (dev >= 0)
		close(dev);
}

static void device_run(struct job *job, struct places *places, const char *contents)
{
	job->device = device_open();
	step_allocate(job);
	chunks_find(job);
	if (!places->count)
		places_choose(places, job->chunks);
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
	char size[SIZE_TEXT_LEN];
	size_t used = 0;
	int kind;

	text[0] = '\0';
	if (!job->chunks_known)
		return "not shown";
	for (kind = 0; kind < CHUNKS; kind++)
		if (job->chunks[kind].count)
			used += snprintf(text + used, len - used, "%s%llu x %s", used ? ", " : "",
					 (unsigned long long)job->chunks[kind].count,
					 size_text(job->chunks[kind].size, size));
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

/* "61.2 ms", "3.70 s" */
static const char *time_text(double seconds, char *text)
{
	if (seconds >= 1)
		snprintf(text, 32, "%.2f s", seconds);
	else if (seconds >= 0.001)
		snprintf(text, 32, "%.1f ms", seconds * 1000);
	else
		snprintf(text, 32, "%.0f us", seconds * 1000000);
	return text;
}

static double step_seconds(const struct job *job, int step)
{
	double sorted[ROUNDS];

	if (step == DEVICE_CHECK)
		return job->seconds[step][0];
	memcpy(sorted, job->seconds[step], sizeof(sorted));
	return median(sorted, ROUNDS);
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

/* The system heap is only there to compare with. */
static unsigned int heaps_open(struct job *jobs)
{
	static const char * const names[] = { DMA_HEAP_VCM_NAME, "system" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		jobs[i].heap_name = names[i];
		jobs[i].heap = __vcm_heap_open(names[i]);
		if (jobs[i].heap < 0 && !i)
			die("no heap /dev/dma_heap/%s: %s (is the module vcm-heap loaded?)",
			    names[i], strerror(-jobs[i].heap));
		if (jobs[i].heap < 0)
			break;
	}
	return i;
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

/* Does not return when a byte is wrong. */
static void job_run(const char *path)
{
	struct places places = {};
	struct job jobs[2] = {};
	uint64_t file_len;
	char *contents = contents_read(path, &file_len);
	char *expect = xmalloc(LENGTH);
	char text[SIZE_TEXT_LEN];
	unsigned int n, i;

	n = heaps_open(jobs);
	printf("A buffer of %s is filled from %s (%llu bytes).\n\n", size_text(LENGTH, text), path,
	       (unsigned long long)file_len);
	fflush(stdout);

	for (i = 0; i < n; i++)
		jobs[i].expect = expect;
	run_rounds(jobs, n, contents);
	for (i = 0; i < n; i++)
		device_run(&jobs[i], &places, contents);
	print_report(jobs, n, &places);

	for (i = 0; i < n; i++)
		close(jobs[i].heap);
	free(expect);
	free(contents);
}

static int wrong_use(void)
{
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return wrong_use();
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc > 2 || argv[1][0] == '-')
		return wrong_use();
	job_run(argv[1]);
	return 0;
}
