// SPDX-License-Identifier: MIT
/*
 * Calls of the vcm heap and its importers in which something fails.
 */

#include <sys/ioctl.h>

#include "vcm_driver.h"
#include "vcm_inject.h"
#include "vcm_set.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Each thing that can fail in a call does, one at a time.");

/* More would be a loop. */
#define POINTS_MAX 3000

/* No kernel has fewer. */
#define POINTS_MIN 300

/* One chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

static unsigned int points;

/**
 * struct scene - what calls are made with
 * @heap: /dev/dma_heap/vcm
 * @dev: /dev/vcm
 * @importer: /dev/vcm-edu-test
 * @dmabuf: a buffer
 * @handle: ... and its import
 * @sync_file: a fence
 * @spaces: address spaces of the importer's device
 * @set: a set of them
 * @seats: imports to that
 * @ptr: a mapping of the buffer
 * @fd: what the call returned
 * @got: the same, if that is a handle or the number of a space
 */
struct scene {
	int heap;
	int dev;
	int importer;
	int dmabuf;
	uint32_t handle;
	int sync_file;
	uint32_t spaces[2];
	uint32_t set;
	struct vcm_seat seats[2];
	char *ptr;
	int fd;
	uint32_t got;
};

/**
 * struct step - a call
 * @name: of the subtest
 * @prepare: makes what the call needs, or NULL
 * @call: the call; returns 0 or -errno
 * @undo: takes back what it did, or NULL
 * @finish: takes back what @prepare did, or NULL
 * @refusal: an error that it may fail with where nothing fails, or 0
 * @errors: what it can fail with, 0 at the end; EFAULT is possible always
 * @managed: for a driver that manages the DMA of its devices
 */
struct step {
	const char *name;
	void (*prepare)(struct scene *scene);
	int (*call)(struct scene *scene);
	void (*undo)(struct scene *scene);
	void (*finish)(struct scene *scene);
	int refusal;
	int errors[4];
	bool managed;
};

/* --- The sweep --------------------------------------------------------- */

static bool is_documented(const struct step *step, int error)
{
	int i;

	if (error == EFAULT || (step->refusal && error == step->refusal))
		return true;
	for (i = 0; i < ARRAY_SIZE(step->errors) && step->errors[i]; i++)
		if (step->errors[i] == error)
			return true;
	return false;
}

/* With nothing that fails. */
static void call_cleanly(const struct step *step, struct scene *scene, unsigned int n)
{
	int ret = step->call(scene);

	igt_assert_f(!ret || ret == -step->refusal, "%s after failure %u: %s\n", step->name, n,
		     strerror(-ret));
	if (!ret && step->undo)
		step->undo(scene);
}

/* Returns whether there was an n-th thing to fail. */
static bool fail_one(const struct step *step, struct scene *scene, unsigned int n)
{
	struct vcm_state before;
	bool failed;
	int ret;

	vcm_state_read(&before);
	vcm_inject_begin(n);
	ret = step->call(scene);
	failed = vcm_inject_end();

	igt_assert_f(!ret || failed || ret == -step->refusal, "%s: %s\n", step->name,
		     strerror(-ret));
	igt_assert_f(!ret || is_documented(step, -ret), "%s, failure %u: %s\n", step->name, n,
		     strerror(-ret));
	if (!ret && step->undo)
		step->undo(scene);
	vcm_state_assert_same(&before, step->name, n);
	if (!ret)
		return failed;

	vcm_state_read(&before);
	call_cleanly(step, scene, n);
	vcm_state_assert_same(&before, step->name, n);
	return failed;
}

static void sweep(const struct step *step, struct scene *scene)
{
	struct vcm_state before;
	unsigned int n = 1;

	vcm_state_read(&before);
	if (step->prepare)
		step->prepare(scene);
	/* So that the pages of this program are there. */
	call_cleanly(step, scene, 0);
	while (fail_one(step, scene, n)) {
		igt_assert_lt(n, POINTS_MAX);
		n++;
	}
	if (step->finish)
		step->finish(scene);
	vcm_state_assert_same(&before, step->name, 0);
	points += n - 1;
	igt_info("%s: %u failures, %u so far\n", step->name, n - 1, points);
}

/* --- Files ------------------------------------------------------------- */

static int call_open(struct scene *scene, const char *path)
{
	scene->fd = open(path, O_RDWR | O_CLOEXEC);
	return scene->fd < 0 ? -errno : 0;
}

static int call_open_heap(struct scene *scene)
{
	return call_open(scene, "/dev/dma_heap/vcm");
}

static int call_open_vcm(struct scene *scene)
{
	return call_open(scene, VCM_DEV_PATH);
}

static int call_open_edu(struct scene *scene)
{
	return call_open(scene, "/dev/vcm-edu-test");
}

static void undo_fd(struct scene *scene)
{
	igt_assert_eq(close(scene->fd), 0);
}

/* --- Allocation -------------------------------------------------------- */

static int alloc_heap(struct scene *scene, uint64_t len)
{
	scene->fd = __vcm_heap_alloc(scene->heap, len);
	return scene->fd < 0 ? scene->fd : 0;
}

static int call_alloc_heap_4k(struct scene *scene)
{
	return alloc_heap(scene, KIB(4));
}

static int call_alloc_heap_4m(struct scene *scene)
{
	return alloc_heap(scene, MIB(4));
}

static int call_alloc_heap_mixed(struct scene *scene)
{
	return alloc_heap(scene, MIXED);
}

static int alloc_vcm(struct scene *scene, uint64_t len, uint64_t chunk_sizes)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.chunk_sizes = chunk_sizes;
	args.name = (uintptr_t)"a name";
	args.align = KIB(64);
	args.guard = KIB(4);
	scene->fd = __vcm_dev_alloc(scene->dev, &args);
	return scene->fd < 0 ? scene->fd : 0;
}

static int call_alloc_vcm_pages(struct scene *scene)
{
	return alloc_vcm(scene, 40 * vcm_page_size(), vcm_page_size());
}

static int call_alloc_vcm_mixed(struct scene *scene)
{
	return alloc_vcm(scene, MIXED, 0);
}

static int call_alloc_vcm_2m(struct scene *scene)
{
	return alloc_vcm(scene, MIB(6), DMA_HEAP_VCM_CHUNK_2M);
}

static int alloc_run(struct scene *scene, uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.flags = DMA_HEAP_VCM_CONTIGUOUS;
	scene->fd = __vcm_dev_alloc(scene->dev, &args);
	return scene->fd < 0 ? scene->fd : 0;
}

static int call_alloc_run_short(struct scene *scene)
{
	return alloc_run(scene, KIB(64) + vcm_page_size());
}

static int call_alloc_run_long(struct scene *scene)
{
	return alloc_run(scene, MIB(9));
}

static struct vcm_pool_params pool_params;

static void prepare_pool(struct scene *scene)
{
	vcm_pool_params_read(&pool_params);
	vcm_pool_renew(32);
	close(vcm_heap_alloc(scene->heap, MIXED));
}

static void finish_pool(struct scene *scene)
{
	vcm_pool_params_write(&pool_params);
}

/* What a new buffer has must be zero however it came to be. */
static void undo_alloc(struct scene *scene)
{
	uint64_t len = vcm_buffer_size(scene->fd);
	void *ptr = vcm_buffer_map(scene->fd);

	vcm_assert_zero(ptr, len);
	vcm_fill(ptr, len, 1);
	vcm_buffer_unmap(ptr, len);
	close(scene->fd);
}

/* --- Buffers ----------------------------------------------------------- */

/* Of pages, most of which are not neighbours. */
static void prepare_buffer(struct scene *scene)
{
	scene->dmabuf = vcm_dev_alloc_sizes(scene->dev, 64 * vcm_page_size(), vcm_page_size());
}

static void prepare_large(struct scene *scene)
{
	scene->dmabuf = vcm_dev_alloc_sizes(scene->dev, MIB(2), DMA_HEAP_VCM_CHUNK_2M);
}

static void finish_buffer(struct scene *scene)
{
	close(scene->dmabuf);
}

static int call_query(struct scene *scene)
{
	struct dma_heap_vcm_query query;

	return __vcm_dev_query(scene->dev, scene->dmabuf, &query);
}

static int call_info(struct scene *scene)
{
	struct dma_heap_vcm_info info = { .size = sizeof(info) };

	return vcm_ioctl(scene->dev, DMA_HEAP_VCM_IOCTL_INFO, &info);
}

static int call_set_name(struct scene *scene)
{
	return __vcm_buffer_set_name(scene->dmabuf, "another name");
}

/* The name is in vcm/buffers. */
static void prepare_name(struct scene *scene)
{
	prepare_buffer(scene);
	vcm_buffer_set_name(scene->dmabuf, "another name");
}

static int call_sync(struct scene *scene)
{
	return __vcm_buffer_sync(scene->dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
}

static void undo_sync(struct scene *scene)
{
	vcm_buffer_end(scene->dmabuf, DMA_BUF_SYNC_RW);
}

static int call_export(struct scene *scene)
{
	struct dma_buf_export_sync_file args = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };
	int ret = ioctl(scene->dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args) ? -errno : 0;

	scene->fd = args.fd;
	return ret;
}

static void prepare_sync_file(struct scene *scene)
{
	prepare_buffer(scene);
	igt_assert_eq(call_export(scene), 0);
	scene->sync_file = scene->fd;
}

static int call_import_sync_file(struct scene *scene)
{
	struct dma_buf_import_sync_file args = {
		.flags = DMA_BUF_SYNC_WRITE,
		.fd = scene->sync_file,
	};

	return ioctl(scene->dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args) ? -errno : 0;
}

static void finish_sync_file(struct scene *scene)
{
	close(scene->sync_file);
	finish_buffer(scene);
}

/* --- The CPU ----------------------------------------------------------- */

static int call_mmap(struct scene *scene)
{
	void *ptr;
	int ret = __vcm_buffer_map(scene->dmabuf, 0, vcm_buffer_size(scene->dmabuf),
				   PROT_READ | PROT_WRITE, &ptr);

	scene->ptr = ptr;
	return ret;
}

static void undo_mmap(struct scene *scene)
{
	/* All of it is there. */
	vcm_fill(scene->ptr, vcm_buffer_size(scene->dmabuf), 1);
	vcm_buffer_unmap(scene->ptr, vcm_buffer_size(scene->dmabuf));
}

static char *reserved;

/* An address at which huge entries are possible, with nothing around it. */
static char *huge_address(void)
{
	return (char *)(uintptr_t)(((uintptr_t)reserved + MIB(2) - 1) & -MIB(2));
}

static int call_mmap_huge(struct scene *scene)
{
	scene->ptr = mmap(huge_address(), MIB(2), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  scene->dmabuf, 0);
	return scene->ptr == MAP_FAILED ? -errno : 0;
}

/* Tables that were needed for it go, too. */
static void undo_mmap_huge(struct scene *scene)
{
	vcm_fill(huge_address(), MIB(2), 1);
	vcm_buffer_unmap(huge_address(), MIB(2));
}

static void prepare_huge(struct scene *scene)
{
	prepare_large(scene);
	reserved = mmap(NULL, MIB(4), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(reserved != MAP_FAILED);
}

static void finish_huge(struct scene *scene)
{
	munmap(reserved, MIB(4));
	finish_buffer(scene);
}

static void prepare_touch(struct scene *scene)
{
	prepare_huge(scene);
	igt_assert_eq(call_mmap_huge(scene), 0);
}

/* A fault that finds no memory is tried again. */
static int call_touch(struct scene *scene)
{
	*(volatile char *)scene->ptr = 1;
	return 0;
}

static void undo_touch(struct scene *scene)
{
	undo_mmap_huge(scene);
	igt_assert_eq(call_mmap_huge(scene), 0);
}

/* A huge entry of which a part gets another protection is dropped. */
static void split(struct scene *scene)
{
	*(volatile char *)scene->ptr = 1;
	igt_assert_eq(mprotect(scene->ptr, vcm_page_size(), PROT_READ), 0);
}

static void prepare_split(struct scene *scene)
{
	prepare_touch(scene);
	split(scene);
}

static int call_touch_split(struct scene *scene)
{
	*(volatile char *)(scene->ptr + MIB(1)) = 1;
	return 0;
}

static void undo_split(struct scene *scene)
{
	igt_assert_eq(mprotect(scene->ptr, vcm_page_size(), PROT_READ | PROT_WRITE), 0);
	undo_touch(scene);
	split(scene);
}

/* --- Devices ----------------------------------------------------------- */

static int call_import(struct scene *scene)
{
	struct vcm_edu_import import;
	int ret = __vcm_importer_import(scene->importer, scene->dmabuf, &import);

	scene->got = import.handle;
	return ret;
}

static void undo_import(struct scene *scene)
{
	vcm_importer_release(scene->importer, scene->got);
}

static void prepare_import(struct scene *scene)
{
	prepare_buffer(scene);
	scene->handle = vcm_importer_import(scene->importer, scene->dmabuf);
}

/*
 * A single run, for which the kernel has an address at no cost. For others it
 * needs memory, and the dma-buf core warns in the log of an exporter that gets
 * none: that failure is left to KUnit.
 */
static void prepare_import_large(struct scene *scene)
{
	prepare_large(scene);
	scene->handle = vcm_importer_import(scene->importer, scene->dmabuf);
}

static void prepare_policy(struct scene *scene)
{
	scene->dmabuf = vcm_dev_alloc_policy(scene->dev, MIXED, MIB(4), MIB(1),
					     DMA_HEAP_VCM_STRICT);
}

static void prepare_kept(struct scene *scene)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(MIXED);

	args.flags = DMA_HEAP_VCM_KEEP | DMA_HEAP_VCM_SCRATCH;
	args.guard = KIB(64);
	args.guard_before = KIB(4);
	scene->dmabuf = vcm_dev_alloc(scene->dev, &args);
}

static int set_mapped(struct scene *scene, uint32_t map)
{
	struct vcm_edu_mapping args = { .handle = scene->handle, .map = map };

	return __vcm_importer_ioctl(scene->importer, VCM_EDU_IOC_MAPPING, &args);
}

static void prepare_unmapped(struct scene *scene)
{
	prepare_kept(scene);
	scene->handle = vcm_importer_import(scene->importer, scene->dmabuf);
	igt_assert_eq(set_mapped(scene, 0), 0);
}

/* To map what is kept allocates nothing. */
static int call_map_kept(struct scene *scene)
{
	return set_mapped(scene, 1);
}

static void undo_map_kept(struct scene *scene)
{
	igt_assert_eq(set_mapped(scene, 0), 0);
}

static void finish_import(struct scene *scene)
{
	vcm_importer_release(scene->importer, scene->handle);
	finish_buffer(scene);
}

static int call_release(struct scene *scene)
{
	return __vcm_importer_release(scene->importer, scene->handle);
}

static void undo_release(struct scene *scene)
{
	scene->handle = vcm_importer_import(scene->importer, scene->dmabuf);
}

static int call_access(struct scene *scene, uint32_t write)
{
	static char memory[KIB(16)];

	return __vcm_importer_access(scene->importer, scene->handle, write, KIB(8),
				     sizeof(memory), memory);
}

static int call_access_read(struct scene *scene)
{
	return call_access(scene, 0);
}

static int call_access_write(struct scene *scene)
{
	return call_access(scene, 1);
}

static int call_dma(struct scene *scene)
{
	return __vcm_importer_dma(scene->importer, scene->handle, VCM_EDU_TO_DEVICE, KIB(4), 64,
				  0);
}

static int call_probe(struct scene *scene)
{
	return __vcm_importer_probe(scene->importer, VCM_EDU_TO_DEVICE, 0, 64, 0);
}

/* --- Spaces ------------------------------------------------------------ */

static const struct vcm_edu_space_create window = {
	.length = 1ull << 28,
	.fixed_start = 1ull << 26,
	.fixed_length = 1ull << 24,
};

static int call_space_create(struct scene *scene)
{
	struct vcm_edu_space_create args = window;
	int ret = __vcm_importer_create_space(scene->importer, &args);

	scene->got = args.space;
	return ret;
}

static void undo_space_create(struct scene *scene)
{
	vcm_importer_destroy_space(scene->importer, scene->got);
}

static void prepare_spaces(struct scene *scene)
{
	int i;

	prepare_buffer(scene);
	for (i = 0; i < 2; i++)
		scene->spaces[i] = vcm_importer_create_space_args(scene->importer, &window);
}

static void finish_spaces(struct scene *scene)
{
	vcm_importer_destroy_space(scene->importer, scene->spaces[1]);
	vcm_importer_destroy_space(scene->importer, scene->spaces[0]);
	finish_buffer(scene);
}

static int call_space_import(struct scene *scene)
{
	struct vcm_edu_import import;
	int ret = __vcm_space_import(scene->importer, scene->spaces[0], scene->dmabuf, &import);

	scene->got = import.handle;
	return ret;
}

static int call_space_import_fixed(struct scene *scene)
{
	struct vcm_edu_import import;
	int ret = __vcm_space_import_at(scene->importer, scene->spaces[0], scene->dmabuf,
					window.fixed_start, &import);

	scene->got = import.handle;
	return ret;
}

static int call_activate(struct scene *scene)
{
	return __vcm_space_op(scene->importer, scene->spaces[0], VCM_EDU_SPACE_ACTIVATE);
}

static void undo_activate(struct scene *scene)
{
	vcm_importer_deactivate(scene->importer, scene->spaces[0]);
}

static void prepare_active(struct scene *scene)
{
	struct vcm_edu_import import;

	prepare_spaces(scene);
	vcm_space_import(scene->importer, scene->spaces[0], scene->dmabuf, &import);
	scene->handle = import.handle;
	vcm_importer_activate(scene->importer, scene->spaces[0]);
}

static void finish_active(struct scene *scene)
{
	/* It still works, after all that. */
	igt_assert_eq(call_dma(scene), 0);
	vcm_importer_deactivate(scene->importer, scene->spaces[0]);
	vcm_importer_release(scene->importer, scene->handle);
	finish_spaces(scene);
}

static int call_switch(struct scene *scene)
{
	return __vcm_space_op(scene->importer, scene->spaces[1], VCM_EDU_SPACE_SWITCH);
}

static void undo_switch(struct scene *scene)
{
	vcm_importer_switch(scene->importer, scene->spaces[0]);
}

static int call_deactivate(struct scene *scene)
{
	return __vcm_space_op(scene->importer, scene->spaces[0], VCM_EDU_SPACE_DEACTIVATE);
}

static void undo_deactivate(struct scene *scene)
{
	vcm_importer_activate(scene->importer, scene->spaces[0]);
}

static int call_destroy(struct scene *scene)
{
	return __vcm_space_op(scene->importer, scene->spaces[1], VCM_EDU_SPACE_DESTROY);
}

static void undo_destroy(struct scene *scene)
{
	scene->spaces[1] = vcm_importer_create_space_args(scene->importer, &window);
}

static int call_coherent(struct scene *scene)
{
	struct vcm_edu_coherent args = { .space = scene->spaces[0], .length = KIB(64) };

	return __vcm_importer_ioctl(scene->importer, VCM_EDU_IOC_COHERENT, &args);
}

static int call_faults(struct scene *scene)
{
	struct vcm_edu_faults args = { .space = scene->spaces[0] };

	return __vcm_importer_ioctl(scene->importer, VCM_EDU_IOC_FAULTS, &args);
}

static int call_check(struct scene *scene)
{
	struct vcm_edu_check args = { .handle = scene->handle };

	return __vcm_importer_ioctl(scene->importer, VCM_EDU_IOC_CHECK, &args);
}

/* --- Sets -------------------------------------------------------------- */

static int set_create(struct scene *scene, uint32_t *set)
{
	/* Each space has room for one buffer. */
	return __vcm_set_create(scene->importer, MIB(1), 64 * vcm_page_size() + KIB(32), 3, set);
}

static int call_set_create(struct scene *scene)
{
	return set_create(scene, &scene->got);
}

static void undo_set_create(struct scene *scene)
{
	vcm_set_destroy(scene->importer, scene->got);
}

static void prepare_set(struct scene *scene)
{
	prepare_buffer(scene);
	igt_assert_eq(set_create(scene, &scene->set), 0);
}

static void finish_set(struct scene *scene)
{
	vcm_set_destroy(scene->importer, scene->set);
	finish_buffer(scene);
}

static int set_import(struct scene *scene, struct vcm_seat *seat)
{
	return __vcm_set_import(scene->importer, scene->set, &scene->dmabuf, 1, 0, seat);
}

static int call_set_import(struct scene *scene)
{
	return set_import(scene, &scene->seats[0]);
}

static void undo_set_import(struct scene *scene)
{
	vcm_importer_release(scene->importer, scene->seats[0].handle);
}

static void undo_set_grow(struct scene *scene)
{
	vcm_importer_release(scene->importer, scene->seats[1].handle);
	vcm_importer_release(scene->importer, scene->seats[0].handle);
	vcm_set_destroy(scene->importer, scene->set);
}

/* A set from its beginning, since a space that it does not need any more it keeps. */
static int call_set_grow(struct scene *scene)
{
	int ret = set_create(scene, &scene->set);

	if (ret)
		return ret;
	ret = set_import(scene, &scene->seats[0]);
	if (ret)
		goto destroy_set;
	ret = set_import(scene, &scene->seats[1]);
	if (ret)
		goto release;
	return 0;

release:
	vcm_importer_release(scene->importer, scene->seats[0].handle);
destroy_set:
	vcm_set_destroy(scene->importer, scene->set);
	return ret;
}

static void prepare_jobs(struct scene *scene)
{
	prepare_buffer(scene);
	igt_assert_eq(call_set_grow(scene), 0);
	igt_assert_neq(scene->seats[0].number, scene->seats[1].number);
}

static int set_job(struct scene *scene, int seat)
{
	return __vcm_set_job(scene->importer, &scene->seats[seat], 0, &scene->seats[seat], 64, 64,
			     NULL);
}

static void prepare_set_job(struct scene *scene)
{
	prepare_jobs(scene);
	igt_assert_eq(set_job(scene, 0), 0);
}

static void undo_set_job(struct scene *scene)
{
	igt_assert_eq(set_job(scene, 0), 0);
}

/* It may have been done, and only its time not be told. */
static int call_set_job(struct scene *scene)
{
	int ret = set_job(scene, 1);

	if (ret == -EFAULT)
		undo_set_job(scene);
	return ret;
}

static void finish_jobs(struct scene *scene)
{
	undo_set_grow(scene);
	finish_buffer(scene);
}

/* --- The calls --------------------------------------------------------- */

static const struct step steps[] = {
	{ "open-heap", NULL, call_open_heap, undo_fd, NULL, 0, { ENOMEM, ENFILE }, false },
	{ "open-vcm", NULL, call_open_vcm, undo_fd, NULL, 0, { ENOMEM, ENFILE }, false },
	{ "open-edu", NULL, call_open_edu, undo_fd, NULL, 0, { ENOMEM, ENFILE }, false },
	{ "alloc-heap-4k", NULL, call_alloc_heap_4k, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-heap-4m", NULL, call_alloc_heap_4m, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-heap-mixed", NULL, call_alloc_heap_mixed, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-vcm-pages", NULL, call_alloc_vcm_pages, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-vcm-mixed", NULL, call_alloc_vcm_mixed, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-vcm-2m", NULL, call_alloc_vcm_2m, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-run-short", NULL, call_alloc_run_short, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-run-long", NULL, call_alloc_run_long, undo_alloc, NULL, 0, { ENOMEM }, false },
	{ "alloc-pool", prepare_pool, call_alloc_heap_mixed, undo_alloc, finish_pool,
	  0, { ENOMEM }, false },
	{ "query", prepare_buffer, call_query, NULL, finish_buffer, 0, {}, false },
	{ "info", NULL, call_info, NULL, NULL, 0, {}, false },
	{ "set-name", prepare_name, call_set_name, NULL, finish_buffer, 0, { ENOMEM }, false },
	{ "sync", prepare_buffer, call_sync, undo_sync, finish_buffer, 0, {}, false },
	{ "export-sync-file", prepare_buffer, call_export, undo_fd, finish_buffer, 0, { ENOMEM }, false },
	{ "import-sync-file", prepare_sync_file, call_import_sync_file, NULL, finish_sync_file,
	  0, { ENOMEM }, false },
	{ "mmap", prepare_buffer, call_mmap, undo_mmap, finish_buffer, 0, { ENOMEM }, false },
	{ "mmap-huge", prepare_huge, call_mmap_huge, undo_mmap_huge, finish_huge, 0, { ENOMEM }, false },
	{ "touch", prepare_touch, call_touch, undo_touch, finish_huge, 0, {}, false },
	{ "touch-split", prepare_split, call_touch_split, undo_split, finish_huge, 0, {}, false },
	{ "import-first", prepare_buffer, call_import, undo_import, finish_buffer,
	  0, { ENOMEM, ENOSPC }, false },
	{ "import-again", prepare_import, call_import, undo_import, finish_import,
	  0, { ENOMEM, ENOSPC }, false },
	{ "import-policy", prepare_policy, call_import, undo_import, finish_buffer,
	  0, { ENOMEM, ENOSPC }, false },
	{ "import-kept", prepare_kept, call_import, undo_import, finish_buffer,
	  0, { ENOMEM, ENOSPC }, false },
	{ "map-kept", prepare_unmapped, call_map_kept, undo_map_kept, finish_import,
	  0, {}, false },
	{ "release", prepare_import, call_release, undo_release, finish_import, 0, {}, false },
	{ "access-read", prepare_import_large, call_access_read, NULL, finish_import,
	  0, { ENOMEM }, false },
	{ "access-write", prepare_import_large, call_access_write, NULL, finish_import,
	  0, { ENOMEM }, false },
	{ "dma", prepare_import, call_dma, NULL, finish_import, 0, {}, false },
	{ "probe", NULL, call_probe, NULL, NULL, 0, {}, false },
	{ "space-create", NULL, call_space_create, undo_space_create, NULL, 0, { ENOMEM }, false },
	{ "space-create-more", prepare_spaces, call_space_create, undo_space_create,
	  finish_spaces, 0, { ENOMEM }, false },
	{ "space-import", prepare_spaces, call_space_import, undo_import, finish_spaces,
	  0, { ENOMEM, ENOSPC }, false },
	/* Where DMABUF_DEBUG hides the pages, nothing can be mapped there. */
	{ "space-import-fixed", prepare_spaces, call_space_import_fixed, undo_import,
	  finish_spaces, EOPNOTSUPP, { ENOMEM, ENOSPC }, false },
	{ "space-activate", prepare_spaces, call_activate, undo_activate, finish_spaces,
	  0, { ENOMEM }, false },
	/*
	 * Else the device gets its default domain back, which the core expects
	 * never to fail, and some IOMMU drivers need memory for.
	 */
	{ "space-switch", prepare_active, call_switch, undo_switch, finish_active,
	  0, { ENOMEM }, true },
	{ "space-deactivate", prepare_active, call_deactivate, undo_deactivate, finish_active,
	  0, {}, true },
	{ "space-destroy", prepare_spaces, call_destroy, undo_destroy, finish_spaces, 0, {}, false },
	{ "space-coherent", prepare_active, call_coherent, NULL, finish_active, 0, { ENOMEM }, false },
	{ "space-faults", prepare_spaces, call_faults, NULL, finish_spaces, 0, {}, false },
	{ "set-create", NULL, call_set_create, undo_set_create, NULL, 0, { ENOMEM }, false },
	{ "set-import", prepare_set, call_set_import, undo_set_import, finish_set,
	  0, { ENOMEM, ENOSPC }, false },
	{ "set-grow", prepare_buffer, call_set_grow, undo_set_grow, finish_buffer,
	  0, { ENOMEM, ENOSPC }, false },
	{ "set-job", prepare_set_job, call_set_job, undo_set_job, finish_jobs,
	  0, { ENOMEM }, true },
	{ "space-check", prepare_active, call_check, NULL, finish_active, EOPNOTSUPP, {}, false },
};

/* --- No room ----------------------------------------------------------- */

/*
 * No function that maps for an IOMMU can be made to fail (fail_function has
 * none of them); the tables for it are allocated above, and here it is the
 * addresses that are used up.
 */
static const uint64_t lengths[] = {
	64ull << 20, 16ull << 20, 4ull << 20, 1ull << 20, 64ull << 10, 4096,
};

static int import_to(struct scene *scene, uint32_t space, int dmabuf, uint32_t *handle)
{
	struct vcm_edu_import import;
	int ret = __vcm_space_import(scene->importer, space, dmabuf, &import);

	*handle = import.handle;
	return ret;
}

/* As many as there are addresses for, or as there may be. */
static unsigned int fill(struct scene *scene, uint32_t space, int dmabuf, uint32_t *handles,
			 unsigned int max)
{
	struct vcm_state before;
	unsigned int n = 0;
	uint32_t none;
	int ret = 0;

	while (n < max && !(ret = import_to(scene, space, dmabuf, &handles[n])))
		n++;
	if (n == max)
		return n;
	igt_assert_eq(ret, -ENOSPC);
	vcm_state_read(&before);
	igt_assert_eq(import_to(scene, space, dmabuf, &none), -ENOSPC);
	vcm_state_assert_same(&before, "no room", n);
	return n;
}

static void test_no_room(struct scene *scene, uint32_t space)
{
	static uint32_t handles[1024];
	unsigned int n = 0, m;
	int i, dmabuf;

	for (i = 0; i < ARRAY_SIZE(lengths) && n < 900; i++) {
		dmabuf = vcm_dev_alloc_policy(scene->dev, lengths[i], 0, vcm_page_size(), 0);
		m = fill(scene, space, dmabuf, handles + n, 900 - n);
		/* There is room for one more when one is gone. */
		if (m) {
			vcm_importer_release(scene->importer, handles[n + m - 1]);
			igt_assert_eq(import_to(scene, space, dmabuf, &handles[n + m - 1]), 0);
		}
		n += m;
		close(dmabuf);
	}
	igt_info("%u imports\n", n);
	while (n--)
		vcm_importer_release(scene->importer, handles[n]);
}

static void test_no_room_space(struct scene *scene)
{
	uint32_t space = vcm_importer_create_space(scene->importer, MIB(64), MIB(8));

	test_no_room(scene, space);
	vcm_importer_destroy_space(scene->importer, space);
}

/* --- All --------------------------------------------------------------- */

/* What failed in the middle may hold something: the next one begins anew. */
static void reopen(struct scene *scene, bool managed)
{
	close(scene->importer);
	if (vcm_edu_is_managed() != managed) {
		vcm_edu_unload();
		vcm_edu_load(managed);
	}
	scene->importer = vcm_importer_open(0);
	close_range(scene->importer + 1, ~0u, 0);
}

int igt_main()
{
	static struct vcm_pool_params params;
	static struct vcm_memory before;
	static struct scene scene;
	static int i;

	igt_fixture() {
		vcm_require_pool();
		vcm_edu_require_module();
		vcm_inject_init();
		scene.heap = vcm_heap_open();
		scene.dev = vcm_dev_open();
		scene.importer = vcm_importer_open(0);
		vcm_importer_require_translation(scene.importer);
		vcm_importer_require_probe(scene.importer);
		/* From the pool nothing can fail. */
		vcm_pool_params_read(&params);
		vcm_pool_renew(0);
		vcm_memory_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		igt_describe("Whatever fails, the error is documented and nothing is left");
		igt_subtest_f("fail-%s", steps[i].name) {
			reopen(&scene, steps[i].managed);
			sweep(&steps[i], &scene);
		}
	}

	igt_describe("A full address space is an error for buffers of any size");
	igt_subtest("no-room") {
		reopen(&scene, false);
		test_no_room(&scene, 0);
	}

	igt_describe("The same in an address space with a narrow window");
	igt_subtest("no-room-space") {
		reopen(&scene, false);
		test_no_room_space(&scene);
	}

	igt_describe("Hundreds of failures were seen, and all memory is back");
	igt_subtest("points") {
		igt_info("%u failures in all\n", points);
		igt_assert_lte(POINTS_MIN, points);
		vcm_memory_assert_back(&before, "after all failures");
	}

	igt_fixture() {
		vcm_pool_params_write(&params);
		reopen(&scene, false);
		close(scene.importer);
		close(scene.dev);
		close(scene.heap);
	}
}
