// SPDX-License-Identifier: MIT
/*
 * What is done for the caches of the CPU while a device uses a buffer.
 *
 * The calls that reach the caches are traced, with their memory, and compared with
 * the memory that the buffer is made of, and with what the heap "system" does at the same
 * step. For a device that sees the caches there must be none.
 */

#include <glob.h>
#include <inttypes.h>

#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What is done for the caches of the CPU while a device uses a buffer.");

/* --- The trace --------------------------------------------------------- */

#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	"vcm_coherence"
#define MAP_EVENT	TRACING "events/iommu/map/"

/* Of the kernel, enum dma_data_direction. */
enum { BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE };

/* Returns 0 or -errno. */
static int probe_write(const char *text)
{
	int fd = open(TRACING "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static void probe_add(const char *name, const char *function)
{
	char text[128];
	int ret;

	snprintf(text, sizeof(text), "p:" EVENTS "/%s %s mem=$arg1:x64 len=$arg2:u64 dir=$arg3:u32\n",
		 name, function);
	ret = probe_write(text);
	igt_require_f(ret != -ENOENT, "the kernel has no %s()\n", function);
	igt_assert_f(!ret, "\"%s\": %s\n", text, strerror(-ret));
}

static void trace_start(void)
{
	char filter[32];

	probe_add("clean", "arch_sync_dma_for_device");
	probe_add("inval", "arch_sync_dma_for_cpu");
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	vcm_file_assert_write(TRACING "events/" EVENTS "/filter", filter);
	vcm_file_assert_write(MAP_EVENT "filter", filter);
	vcm_file_assert_write(TRACING "events/" EVENTS "/enable", "1");
}

static void trace_stop(void)
{
	vcm_file_assert_write(TRACING "events/" EVENTS "/enable", "0");
	igt_assert_eq(probe_write("-:" EVENTS "/clean\n"), 0);
	igt_assert_eq(probe_write("-:" EVENTS "/inval\n"), 0);
}

/* --- Memory ------------------------------------------------------------ */

#define RUNS_MAX 4096

/**
 * struct runs - memory, in an order
 * @nr: runs of memory
 * @mem: where they begin
 * @len: bytes in them
 */
struct runs {
	unsigned int nr;
	uint64_t mem[RUNS_MAX];
	uint64_t len[RUNS_MAX];
};

/* Memory that touches what comes before it is the same run. */
static void runs_add(struct runs *runs, uint64_t mem, uint64_t len)
{
	unsigned int nr = runs->nr;

	if (nr && runs->mem[nr - 1] + runs->len[nr - 1] == mem) {
		runs->len[nr - 1] += len;
		return;
	}
	igt_assert_lt(nr, RUNS_MAX);
	runs->mem[nr] = mem;
	runs->len[nr] = len;
	runs->nr++;
}

static void runs_assert_same(const struct runs *runs, const struct runs *wanted,
			     const char *what)
{
	unsigned int i;

	for (i = 0; i < runs->nr && i < wanted->nr; i++)
		igt_assert_f(runs->mem[i] == wanted->mem[i] && runs->len[i] == wanted->len[i],
			     "%s: run %u is %#" PRIx64 "+%#" PRIx64 ", not %#" PRIx64 "+%#" PRIx64
			     "\n", what, i, runs->mem[i], runs->len[i], wanted->mem[i],
			     wanted->len[i]);
	igt_assert_f(runs->nr == wanted->nr, "%s: %u runs of %u\n", what, runs->nr, wanted->nr);
}

static void trace_clear(void)
{
	/* To cut the trace is to empty it. */
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	igt_assert(fd >= 0);
	close(fd);
}

/* What a buffer is made of, by what the IOMMU is told to map for a device. */
static void runs_of_buffer(struct runs *runs, int importer, int dmabuf)
{
	char *text, *line, *rest, *args;
	uint64_t mem, len, sum = 0;
	uint32_t handle;

	trace_clear();
	vcm_file_assert_write(MAP_EVENT "enable", "1");
	handle = vcm_importer_import(importer, dmabuf);
	vcm_file_assert_write(MAP_EVENT "enable", "0");
	vcm_importer_release(importer, handle);

	rest = text = vcm_file_read(TRACING "trace");
	igt_assert(text);
	runs->nr = 0;
	while ((line = strsep(&rest, "\n"))) {
		args = strstr(line, " paddr=");
		if (!args)
			continue;
		igt_assert_eq(sscanf(args, " paddr=%" SCNx64 " size=%" SCNu64, &mem, &len), 2);
		runs_add(runs, mem, len);
		sum += len;
	}
	free(text);
	igt_assert_eq_u64(sum, vcm_buffer_size(dmabuf));
}

/**
 * struct step - what a step did to the caches
 * @calls: calls that reached them
 * @cleaned: memory that was written back
 * @dropped: memory that was dropped from the caches
 */
struct step {
	unsigned int calls;
	struct runs cleaned;
	struct runs dropped;
};

static void step_add(struct step *step, const char *line)
{
	const char *args = strstr(line, " mem="), *clean = strstr(line, ": clean: ");
	uint64_t mem, len;
	unsigned int dir;

	igt_assert_f(args && sscanf(args, " mem=%" SCNx64 " len=%" SCNu64 " dir=%u", &mem, &len,
				    &dir) == 3, "\"%s\"\n", line);
	if (clean)
		runs_add(&step->cleaned, mem, len);
	else if (dir != TO_DEVICE)
		runs_add(&step->dropped, mem, len);
	else
		return;
	step->calls++;
}

static void step_end(struct step *step)
{
	char *text = vcm_file_read(TRACING "trace"), *line, *rest = text;

	igt_assert(text);
	step->calls = 0;
	step->cleaned.nr = 0;
	step->dropped.nr = 0;
	while ((line = strsep(&rest, "\n")))
		if (line[0] != '#' && strstr(line, "arch_sync_dma_"))
			step_add(step, line);
	free(text);
}

/* --- What is expected -------------------------------------------------- */

/* The node of the machine's PCI bus says whether its devices see the caches. */
static bool device_is_coherent(void)
{
	bool coherent;
	glob_t found;

	coherent = !glob("/proc/device-tree/pcie@*/dma-coherent", 0, NULL, &found);
	globfree(&found);
	return coherent;
}

#define CLEANED	1
#define DROPPED	2

/* Returns what was done; to the memory of the buffer, all of it, or to none. */
static int step_check(const struct step *step, const struct runs *memory, const char *what)
{
	int done = 0;

	if (step->cleaned.nr) {
		runs_assert_same(&step->cleaned, memory, what);
		done |= CLEANED;
	}
	if (step->dropped.nr) {
		runs_assert_same(&step->dropped, memory, what);
		done |= DROPPED;
	}
	return done;
}

static void assert_done(const struct step *step, const struct runs *memory, const char *what,
			int wanted)
{
	int done = step_check(step, memory, what);

	if (device_is_coherent())
		wanted = 0;
	igt_assert_f(done == wanted, "%s: %d was done to the caches, not %d\n", what, done, wanted);
}

/* --- The steps of a buffer --------------------------------------------- */

static const struct {
	const char *name;
	uint32_t flags;
} directions[] = {
	{ "reads", VCM_EDU_IMPORT_READS },
	{ "writes", VCM_EDU_IMPORT_WRITES },
	{ "reads and writes", 0 },
};

static const struct {
	const char *name;
	uint64_t flags;
} accesses[] = {
	{ "begin to read", DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ },
	{ "have read", DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ },
	{ "begin to write", DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE },
	{ "have written", DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE },
	{ "begin to read and write", DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW },
	{ "have read and written", DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW },
};

#define STEPS (ARRAY_SIZE(accesses) + 2)
#define STEP_MAP (STEPS - 2)
#define STEP_UNMAP (STEPS - 1)

/**
 * struct life - what the steps of a buffer did to the caches
 * @done: CLEANED and DROPPED of each
 * @calls: ... and by how many calls
 */
struct life {
	int done[STEPS];
	unsigned int calls[STEPS];
};

static struct runs memory;
static struct step step;

static void life_note(struct life *life, unsigned int i, const char *what)
{
	step_end(&step);
	life->done[i] = step_check(&step, &memory, what);
	life->calls[i] = step.calls;
}

static void import(int importer, int dmabuf, uint32_t space, uint32_t flags,
		   struct vcm_edu_import *args)
{
	memset(args, 0, sizeof(*args));
	args->fd = dmabuf;
	args->space = space;
	args->flags = flags;
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, args), 0);
}

static void live(struct life *life, int importer, int dmabuf, uint32_t space, uint32_t flags)
{
	struct vcm_edu_import args;
	unsigned int i;

	runs_of_buffer(&memory, importer, dmabuf);
	trace_clear();
	import(importer, dmabuf, space, flags, &args);
	life_note(life, STEP_MAP, "map");
	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		trace_clear();
		igt_assert_eq(__vcm_buffer_sync(dmabuf, accesses[i].flags), 0);
		life_note(life, i, accesses[i].name);
	}
	trace_clear();
	vcm_importer_release(importer, args.handle);
	life_note(life, STEP_UNMAP, "unmap");
}

static const char *step_name(unsigned int i)
{
	if (i == STEP_MAP)
		return "map";
	return i == STEP_UNMAP ? "unmap" : accesses[i].name;
}

/* No importer can be blind to the memory that it uses, so some of it has to be there. */
static void life_assert_sensible(const struct life *life, uint32_t flags)
{
	bool coherent = device_is_coherent();

	igt_assert_eq(life->done[STEP_MAP], coherent ? 0 : CLEANED);
	igt_assert_eq(life->done[STEP_UNMAP],
		      coherent || flags == VCM_EDU_IMPORT_READS ? 0 : DROPPED);
}

static void lives_assert_same(const struct life *ours, const struct life *theirs,
			      const char *direction)
{
	unsigned int i;

	for (i = 0; i < STEPS; i++)
		igt_assert_f(ours->done[i] == theirs->done[i],
			     "device %s, %s: %d was done to the caches, by \"system\" %d\n",
			     direction, step_name(i), ours->done[i], theirs->done[i]);
}

static void compare_lives(int importer, int ours, int theirs, uint32_t space)
{
	struct life mine, other;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(directions); i++) {
		live(&other, importer, theirs, space, directions[i].flags);
		life_assert_sensible(&other, directions[i].flags);
		live(&mine, importer, ours, space, directions[i].flags);
		lives_assert_same(&mine, &other, directions[i].name);
		/* From the runs, of which this heap has the fewer ones, come the calls. */
		for (j = 0; j < STEPS; j++)
			igt_assert_f(mine.calls[j] <= memory.nr ||
				     (j == STEP_MAP && mine.calls[j] <= other.calls[j]),
				     "device %s, %s: %u calls for %u runs\n", directions[i].name,
				     step_name(j), mine.calls[j], memory.nr);
	}
}

static int system_heap_open(void)
{
	int heap = __vcm_heap_open("system");

	igt_require_f(heap >= 0, "no heap \"system\": %s\n", strerror(-heap));
	return heap;
}

/* --- Subtests ---------------------------------------------------------- */

static void test_as_system(int heap, int importer, uint64_t len)
{
	int system = system_heap_open();
	int ours = vcm_heap_alloc(heap, len), theirs = vcm_heap_alloc(system, len);

	compare_lives(importer, ours, theirs, 0);
	close(ours);
	close(theirs);
	close(system);
}

/* Single pages, of which hardly two touch: other buffers have taken every second one. */
static void test_scattered(int dev, int importer)
{
	int system = system_heap_open(), theirs = vcm_heap_alloc(system, MIB(1)), ours;
	int others[600], i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = vcm_dev_alloc_sizes(dev, vcm_page_size(), vcm_page_size());
	for (i = 0; i < ARRAY_SIZE(others); i += 2)
		close(others[i]);
	ours = vcm_dev_alloc_sizes(dev, MIB(1), vcm_page_size());
	compare_lives(importer, ours, theirs, 0);
	igt_assert_lt(16, memory.nr);
	for (i = 1; i < ARRAY_SIZE(others); i += 2)
		close(others[i]);
	close(ours);
	close(theirs);
	close(system);
}

/* Placed as for any device: nothing of the policy is missing. */
static void test_strict(int dev, int importer)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(3), MIB(16), KIB(64), DMA_HEAP_VCM_STRICT);
	const struct vcm_iova_mapping *mapping;
	struct vcm_iova_device device;
	char name[VCM_DEVICE_NAME_LEN];
	struct vcm_edu_import args;

	vcm_importer_name(0, name);
	runs_of_buffer(&memory, importer, dmabuf);
	trace_clear();
	import(importer, dmabuf, 0, 0, &args);
	step_end(&step);
	assert_done(&step, &memory, "map", CLEANED);
	igt_assert_eq_u64(args.iova % MIB(16), 0);

	vcm_iova_read(name, &device);
	igt_assert(device.linked);
	mapping = vcm_iova_find(&device, args.iova);
	igt_assert(mapping && !mapping->degraded);
	igt_assert_eq_u64(mapping->guard, KIB(64));
	vcm_importer_release(importer, args.handle);
	close(dmabuf);
}

/* A buffer is cleaned after it was zeroed, by the pool or when it is allocated. */
static void test_zeroed(int heap, int importer)
{
	struct vcm_edu_import args;
	int dmabuf, i;

	for (i = 0; i < 3; i++) {
		dmabuf = vcm_heap_alloc(heap, MIB(4));
		runs_of_buffer(&memory, importer, dmabuf);
		trace_clear();
		import(importer, dmabuf, 0, VCM_EDU_IMPORT_READS, &args);
		step_end(&step);
		assert_done(&step, &memory, "map", CLEANED);
		vcm_buffer_fill(dmabuf, i);
		vcm_importer_release(importer, args.handle);
		close(dmabuf);
	}
}

static void test_not_mapped(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIB(2)), i;

	vcm_importer_release(importer, vcm_importer_import(importer, dmabuf));
	trace_clear();
	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		igt_assert_eq(__vcm_buffer_sync(dmabuf, accesses[i].flags), 0);
	close(dmabuf);
	step_end(&step);
	igt_assert_eq(step.calls, 0);
}

/* Each device that has the buffer mapped is looked after. */
static void test_two_devices(int heap, int importer)
{
	int second = vcm_importer_open(1), dmabuf = vcm_heap_alloc(heap, MIB(2));
	uint32_t one, two;
	struct runs twice;

	one = vcm_importer_import(importer, dmabuf);
	two = vcm_importer_import(second, dmabuf);
	runs_of_buffer(&memory, importer, dmabuf);
	igt_assert_eq(memory.nr, 1);
	trace_clear();
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	step_end(&step);
	twice = memory;
	twice.mem[1] = memory.mem[0];
	twice.len[1] = memory.len[0];
	twice.nr = 2;
	assert_done(&step, &twice, "two devices", CLEANED);

	vcm_importer_release(second, two);
	trace_clear();
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	step_end(&step);
	assert_done(&step, &memory, "one device", CLEANED);
	vcm_importer_release(importer, one);
	close(dmabuf);
	close(second);
}

/* A device that goes leaves the memory as the CPU has to see it. */
static void test_unbound(int heap, int importer)
{
	char name[VCM_DEVICE_NAME_LEN];
	struct vcm_edu_import args;
	int dmabuf = vcm_heap_alloc(heap, MIB(2)), second = vcm_importer_open(1);

	vcm_importer_name(1, name);
	runs_of_buffer(&memory, importer, dmabuf);
	import(second, dmabuf, 0, 0, &args);
	trace_clear();
	vcm_driver_unbind(name);
	step_end(&step);
	assert_done(&step, &memory, "unbind", DROPPED);
	trace_clear();
	close(second);
	step_end(&step);
	igt_assert_eq(step.calls, 0);
	vcm_driver_bind(name);
	close(dmabuf);
}

#define SPACE_START MIB(16)
#define FIXED_START MIB(80)

static uint32_t new_space(int importer)
{
	struct vcm_edu_space_create args = {
		.start = SPACE_START, .length = MIB(80),
		.fixed_start = FIXED_START, .fixed_length = MIB(16),
	};

	return vcm_importer_create_space_args(importer, &args);
}

/* A space is as its device is, active or not. */
static void test_space(int heap, int importer)
{
	int system = system_heap_open();
	int ours = vcm_heap_alloc(heap, MIB(5)), theirs = vcm_heap_alloc(system, MIB(5));
	uint32_t space = new_space(importer);

	compare_lives(importer, ours, theirs, space);
	vcm_importer_activate(importer, space);
	compare_lives(importer, ours, theirs, space);
	vcm_importer_destroy_space(importer, space);
	close(ours);
	close(theirs);
	close(system);
}

static void test_fixed(int heap, int importer)
{
	uint32_t space = new_space(importer);
	int dmabuf = vcm_heap_alloc(heap, MIB(5));
	struct vcm_edu_import args;

	runs_of_buffer(&memory, importer, dmabuf);
	trace_clear();
	vcm_space_import_at(importer, space, dmabuf, FIXED_START, &args);
	step_end(&step);
	assert_done(&step, &memory, "map", CLEANED);

	trace_clear();
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	step_end(&step);
	assert_done(&step, &memory, "begin", DROPPED);

	trace_clear();
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	step_end(&step);
	assert_done(&step, &memory, "end", CLEANED);

	trace_clear();
	vcm_importer_release(importer, args.handle);
	step_end(&step);
	assert_done(&step, &memory, "unmap", DROPPED);
	vcm_importer_destroy_space(importer, space);
	close(dmabuf);
}

int igt_main()
{
	static const struct {
		const char *name;
		uint64_t len;
	} lengths[] = {
		{ "4k", KIB(4) }, { "64k", KIB(64) }, { "1m", MIB(1) }, { "2m", MIB(2) },
		{ "33m", MIB(33) },
	};
	static int heap, dev, importer;
	static int i;

	igt_fixture() {
		heap = vcm_heap_open();
		dev = vcm_dev_open();
		importer = vcm_importer_open(0);
		vcm_importer_require_translation(importer);
		trace_start();
	}

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		igt_describe("Each step does to the caches what it does for the heap system, and"
			     " to the memory of the buffer and to no other");
		igt_subtest_f("as-system-%s", lengths[i].name)
			test_as_system(heap, importer, lengths[i].len);
	}
	vcm_subtest("scattered", test_scattered(dev, importer),
		    "A buffer of many runs is maintained run by run");
	vcm_subtest("strict", test_strict(dev, importer),
		    "A strict policy holds for any device, and the memory is cleaned for it");
	vcm_subtest("zeroed", test_zeroed(heap, importer),
		    "The device reads zeroes from a new buffer, wherever these come from");
	vcm_subtest("not-mapped", test_not_mapped(heap, importer),
		    "Nothing is done for a buffer that no device has mapped");
	vcm_subtest("two-devices", test_two_devices(heap, importer),
		    "Accesses are for each device that has the buffer mapped");
	vcm_subtest("unbound", test_unbound(heap, importer),
		    "A device that goes leaves the memory as the CPU has to see it");
	vcm_subtest("space", test_space(heap, importer),
		    "What is mapped in a space is maintained as for the space's parent");
	vcm_subtest("fixed", test_fixed(heap, importer),
		    "So is what is mapped at a fixed address");

	igt_fixture() {
		trace_stop();
		close(importer);
		close(dev);
		close(heap);
	}
}
