// SPDX-License-Identifier: MIT
/*
 * The sample importer, samples/vcm/vcm_edu.c: its whole job, with an IOMMU and without.
 */

#include <limits.h>

#include "igt_vgem.h"
#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The sample importer does what it is to show.");

#define MIXED	(MIB(3) + KIB(64) + vcm_page_size())
#define PART	VCM_EDU_RAM_SIZE

/* What the driver has as its space: from 1 MB on, 128 MB. */
#define SPACE_START	MIB(1)
#define SPACE_END	MIB(129)

static bool translated;
static struct vcm_totals before;

static void import(int importer, int dmabuf, uint32_t space, struct vcm_edu_import *args)
{
	*args = (struct vcm_edu_import){ .fd = dmabuf, .space = space };
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, args), 0);
	igt_assert_eq_u64(args->length, vcm_buffer_size(dmabuf));
	igt_assert_lte(1, args->nents);
	igt_assert_eq(args->iova != VCM_EDU_IOVA_NONE, translated);
}

static void device_read(int importer, int dmabuf, uint32_t space, uint64_t offset)
{
	struct vcm_edu_import args;

	import(importer, dmabuf, space, &args);
	vcm_importer_read(importer, args.handle, offset, PART);
}

static void device_write(int importer, int dmabuf, uint32_t space, uint64_t offset)
{
	struct vcm_edu_import args;

	import(importer, dmabuf, space, &args);
	vcm_importer_write(importer, args.handle, offset, PART);
}

/* Copies around each border of chunks, from one buffer to another, on @reader and @writer. */
static void copy_all(int heap, int reader, int writer, uint32_t space)
{
	const uint64_t at[] = { 0, MIB(2) - PART / 2, MIB(3) - PART / 2,
				MIB(3) + KIB(64) - PART / 2, MIXED - PART };
	int from = vcm_heap_alloc(heap, MIXED), to = vcm_heap_alloc(heap, MIXED);
	char *source, *target, *expect = malloc(MIXED);
	int i;

	igt_assert(expect);
	vcm_buffer_fill(from, 1);
	vcm_buffer_fill(to, 2);
	source = vcm_buffer_map(from);
	target = vcm_buffer_map(to);
	memcpy(expect, target, MIXED);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		memcpy(expect + at[i], source + at[i], PART);
		device_read(reader, from, space, at[i]);
		device_write(writer, to, space, at[i]);
	}
	vcm_buffer_begin(to, DMA_BUF_SYNC_READ);
	igt_assert(!memcmp(target, expect, MIXED));
	vcm_buffer_end(to, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(source, MIXED);
	vcm_buffer_unmap(target, MIXED);
	vcm_buffer_assert_filled(from, 1);
	free(expect);
	close(from);
	close(to);
}

static void test_device(int heap)
{
	int importer = vcm_importer_open(0);

	copy_all(heap, importer, importer, 0);
}

static void test_two_devices(int heap)
{
	int one = vcm_importer_open(0), two = vcm_importer_open(1);
	int dmabuf = vcm_heap_alloc(heap, MIXED), to = vcm_heap_alloc(heap, MIXED);
	char *source, *target;

	vcm_buffer_fill(dmabuf, 1);
	vcm_buffer_fill(to, 2);
	/* The second device reads where the first one wrote what it read elsewhere. */
	device_read(one, dmabuf, 0, MIB(1));
	device_write(one, dmabuf, 0, 0);
	device_read(two, dmabuf, 0, 0);
	device_write(two, to, 0, MIB(1));
	source = vcm_buffer_map(dmabuf);
	target = vcm_buffer_map(to);
	vcm_buffer_begin(to, DMA_BUF_SYNC_READ);
	igt_assert(!memcmp(target + MIB(1), source + MIB(1), PART));
	igt_assert(!memcmp(source, source + MIB(1), PART));
	vcm_buffer_end(to, DMA_BUF_SYNC_READ);
}

static void test_kernel(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, MIXED);
	struct vcm_edu_import args;
	char *copy = calloc(1, MIXED), *volatile nowhere = NULL;

	igt_assert(copy);
	vcm_buffer_fill(dmabuf, 1);
	import(importer, dmabuf, 0, &args);
	igt_assert_eq(pread(importer, copy, MIXED, 0), MIXED);
	vcm_assert_filled(copy, MIXED, 1);
	igt_assert_eq(pread(importer, copy, MIXED, MIXED - 5), 5);
	igt_assert_eq(pread(importer, copy, MIXED, MIXED), 0);
	igt_assert(pread(importer, nowhere, 1, 0) < 0 && errno == EFAULT);
	/* One after the other. */
	igt_assert_eq(read(importer, copy, MIB(2)), MIB(2));
	igt_assert_eq(read(importer, copy + MIB(2), MIB(2)), MIXED - MIB(2));
	vcm_assert_filled(copy, MIXED, 1);
	close(importer);
	importer = vcm_importer_open(0);
	igt_assert(read(importer, copy, 1) < 0 && errno == ENOENT);
	close(importer);
	close(dmabuf);
	free(copy);
}

static void test_space(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, MIXED);
	struct vcm_edu_import args = { .fd = dmabuf, .space = 1 };
	int ret = __vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, &args);

	if (translated) {
		igt_assert_eq(ret, 0);
		igt_assert_lte_u64(SPACE_START, args.iova);
		igt_assert_lte_u64(args.iova + args.length, SPACE_END);
		copy_all(heap, importer, importer, 1);
		/* It is back in its own addresses. */
		copy_all(heap, importer, importer, 0);
	} else {
		igt_assert_eq(ret, -EOPNOTSUPP);
	}
}

static void test_waits(int heap)
{
	int vgem = drm_open_driver(DRIVER_VGEM), importer = vcm_importer_open(0);
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	struct vgem_bo bo = { .handle = prime_fd_to_handle(vgem, dmabuf) };
	volatile bool *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct vcm_edu_import args;
	uint32_t fence;

	igt_assert(done != MAP_FAILED);
	import(importer, dmabuf, 0, &args);
	fence = vgem_fence_attach(vgem, &bo, VGEM_FENCE_WRITE);
	igt_fork(child, 1) {
		vcm_importer_read(importer, args.handle, 0, PART);
		*done = true;
	}
	/* Three times what a transfer takes. */
	usleep(300000);
	igt_assert(!*done);
	vgem_fence_signal(vgem, fence);
	igt_waitchildren();
	igt_assert(*done);

	/* Who only reads is waited for by who writes, and by nobody else. */
	fence = vgem_fence_attach(vgem, &bo, 0);
	vcm_importer_read(importer, args.handle, 0, PART);
	*done = false;
	igt_fork(child, 1) {
		vcm_importer_write(importer, args.handle, 0, PART);
		*done = true;
	}
	usleep(300000);
	igt_assert(!*done);
	vgem_fence_signal(vgem, fence);
	igt_waitchildren();

	munmap((void *)done, sizeof(*done));
}

static void test_refuses(int heap)
{
	static const struct {
		struct vcm_edu_dma args;
		int error;
	} dmas[] = {
		{ { 1, 2, 0, 8, 0 }, -EINVAL },
		{ { 1, 0, 0, 0, 0 }, -EINVAL },
		{ { 0, 0, 0, 8, 0 }, -ENOENT },
		{ { 2, 0, 0, 8, 0 }, -ENOENT },
		{ { 1, 0, KIB(64), 1, 0 }, -ERANGE },
		{ { 1, 0, KIB(64) - 1, 2, 0 }, -ERANGE },
		{ { 1, 1, UINT64_MAX - 6, 8, 0 }, -ERANGE },
		{ { 1, 0, 0, PART + 1, 0 }, -ERANGE },
		{ { 1, 0, 0, 2, PART - 1 }, -ERANGE },
		{ { 1, 0, 0, 8, ~0u - 6 }, -ERANGE },
	};
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, KIB(64));
	const struct {
		struct vcm_edu_import args;
		int error;
	} imports[] = {
		{ { .fd = dmabuf, .flags = 1 }, -EINVAL },
		{ { .fd = dmabuf, .space = 2 }, -EINVAL },
		{ { .fd = dmabuf, .reserved = 1 }, -EINVAL },
		{ { .fd = -1 }, -EBADF },
		{ { .fd = importer }, -EINVAL },
	};
	struct vcm_edu_import args;
	char any[256] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(imports); i++) {
		args = imports[i].args;
		igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, &args),
			      imports[i].error);
	}
	igt_assert_eq(__vcm_importer_dma(importer, 1, VCM_EDU_TO_DEVICE, 0, 8, 0), -ENOENT);
	import(importer, dmabuf, 0, &args);
	for (i = 0; i < ARRAY_SIZE(dmas); i++) {
		struct vcm_edu_dma dma = dmas[i].args;

		igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_DMA, &dma),
			      dmas[i].error);
	}
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, NULL), -EFAULT);
	igt_assert_eq(__vcm_importer_ioctl(importer, _IO(VCM_EDU_IOC_MAGIC, 77), any), -ENOTTY);
	igt_assert_eq(__vcm_importer_ioctl(importer, _IOWR(VCM_EDU_IOC_MAGIC, 0, any), any),
		      -ENOTTY);
	/* It is still there. */
	vcm_importer_read(importer, args.handle, 0, PART);
}

static void test_one_file(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, MIXED);
	struct vcm_edu_import args;
	int i;

	igt_assert_eq(__vcm_importer_open(0), -EBUSY);
	for (i = 0; i < 3; i++) {
		struct vcm_buffer_info info;

		import(importer, dmabuf, translated && i & 1, &args);
		vcm_buffer_info_read(dmabuf, &info);
		igt_assert_eq(info.attachments, 1);
	}
	close(dmabuf);
	close(importer);
	vcm_totals_assert_back(&before);
	close(vcm_importer_open(0));
}

static void assert_lost(int importer)
{
	struct vcm_edu_import args = {};
	char byte;

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, &args), -ENODEV);
	igt_assert_eq(__vcm_importer_dma(importer, 1, VCM_EDU_TO_DEVICE, 0, 8, 0), -ENODEV);
	igt_assert(read(importer, &byte, 1) < 0 && errno == ENODEV);
}

static void test_unbind(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, MIXED);
	char name[VCM_DEVICE_NAME_LEN];
	struct vcm_buffer_info info;
	struct vcm_edu_import args;
	int round;

	vcm_importer_name(0, name);
	vcm_buffer_fill(dmabuf, 1);
	for (round = 0; round < 4; round++) {
		int old = importer;

		/* In its own addresses and in the space in turn. */
		import(importer, dmabuf, translated && round & 1, &args);
		vcm_driver_unbind(name);
		vcm_buffer_info_read(dmabuf, &info);
		igt_assert_eq(info.attachments, 0);
		assert_lost(importer);
		vcm_driver_bind(name);
		assert_lost(importer);
		importer = vcm_importer_open(0);
		close(old);
		device_read(importer, dmabuf, translated && round & 1, 0);
	}
	vcm_buffer_assert_filled(dmabuf, 1);
}

static void test_unbind_in_transfer(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, KIB(64));
	char name[VCM_DEVICE_NAME_LEN];
	struct vcm_edu_import args;

	vcm_importer_name(0, name);
	vcm_buffer_fill(dmabuf, 1);
	import(importer, dmabuf, translated, &args);
	/* The device's RAM and the buffer have the same in them. */
	vcm_importer_read(importer, args.handle, 0, PART);
	igt_fork(child, 1)
		vcm_importer_write(importer, args.handle, 0, PART);
	/* The transfer takes 100 ms. */
	usleep(30000);
	vcm_driver_unbind(name);
	igt_waitchildren();
	assert_lost(importer);
	vcm_buffer_assert_filled(dmabuf, 1);
	vcm_driver_bind(name);
}

static void assert_names(char name[2][VCM_DEVICE_NAME_LEN])
{
	char now[VCM_DEVICE_NAME_LEN];
	int i;

	for (i = 0; i < 2; i++) {
		vcm_importer_name(i, now);
		igt_assert(!strcmp(now, name[i]));
		close(vcm_importer_open(i));
	}
}

static void test_numbers(int heap)
{
	char name[2][VCM_DEVICE_NAME_LEN];
	int i, round;

	for (i = 0; i < 2; i++)
		vcm_importer_name(i, name[i]);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 2; i++)
			vcm_driver_unbind(name[i]);
		igt_assert_eq(__vcm_importer_open(0), -ENOENT);
		for (i = 0; i < 2; i++)
			vcm_driver_bind(name[(i + round) & 1]);
		assert_names(name);
	}
}

static void test_unload(int heap)
{
	int importer = vcm_importer_open(0), dmabuf = vcm_heap_alloc(heap, MIXED);
	char name[2][VCM_DEVICE_NAME_LEN], path[PATH_MAX];
	struct vcm_edu_import args;
	int i;

	igt_assert(vcm_module_find("vcm_edu", path));
	for (i = 0; i < 2; i++)
		vcm_importer_name(i, name[i]);
	import(importer, dmabuf, 0, &args);
	igt_assert_eq(__vcm_module_unload("vcm_edu"), -EAGAIN);
	close(importer);
	igt_assert_eq(__vcm_module_unload("vcm_edu"), 0);
	igt_assert_eq(__vcm_importer_open(0), -ENOENT);
	igt_assert_eq(__vcm_module_load(path, ""), 0);
	assert_names(name);
	importer = vcm_importer_open(0);
	device_read(importer, dmabuf, 0, 0);
}

static const struct {
	const char *name;
	void (*run)(int heap);
	const char *description;
} subtests[] = {
	{ "device", test_device,
	  "The device copies from one buffer to another, across borders of chunks" },
	{ "two-devices", test_two_devices, "One device reads what another one wrote" },
	{ "kernel", test_kernel, "A file reads as its buffer, to the end" },
	{ "space", test_space,
	  "The device copies in an address space that the driver made for it" },
	{ "waits", test_waits, "The device waits for what others still do to a buffer" },
	{ "refuses", test_refuses, "What makes no sense is refused and changes nothing" },
	{ "one-file", test_one_file,
	  "A device is open once, has one buffer, and lets go of it when it is closed" },
	{ "unbind", test_unbind, "A device that goes lets go of its buffer, and comes back" },
	{ "unbind-in-transfer", test_unbind_in_transfer, "It goes while it writes" },
	{ "numbers", test_numbers, "A device keeps its number, whichever is bound first" },
	{ "unload", test_unload,
	  "The module goes when nobody has a device open, and comes back" },
};

int igt_main()
{
	static int heap, i;

	igt_fixture() {
		struct vcm_edu_import args;
		int importer, dmabuf;

		vcm_importer = "vcm-edu";
		heap = vcm_heap_open();
		vcm_require_debugfs();
		vcm_totals_read(&before);
		importer = vcm_importer_open(0);
		dmabuf = vcm_heap_alloc(heap, KIB(64));
		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &args), 0);
		translated = args.iova != VCM_EDU_IOVA_NONE;
		close(dmabuf);
		close(importer);
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++)
		vcm_subtest(subtests[i].name, subtests[i].run(heap), subtests[i].description);

	igt_fixture()
		vcm_totals_assert_back(&before);
}
