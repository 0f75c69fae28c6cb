// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers that are bounced: the device has copies of the memory, made
 * when the CPU says that it is done. Needs a kernel that bounces everything,
 * with memory that all devices reach: swiotlb=8192,force and 256 MiB.
 */

#include "vcm_iova.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers of which the device has copies.");

/* In /proc/sys/kernel/tainted: the kernel has warned. */
#define TAINT_WARN (1ul << 9)

static char device_name[VCM_DEVICE_NAME_LEN];

/* Blocks of bounce memory in use. */
static unsigned long bounce_used(void)
{
	return vcm_file_read_number("/sys/kernel/debug/swiotlb/io_tlb_used");
}

static int alloc_chunks(int dev, unsigned int chunks, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(chunks * KIB(64));

	args.chunk_sizes = DMA_HEAP_VCM_CHUNK_64K;
	args.flags = flags;
	return vcm_dev_alloc(dev, &args);
}

static void test_degraded(int dev, int importer)
{
	static struct vcm_iova_device device;
	struct dma_heap_vcm_query query;
	uint64_t degraded = 0;
	unsigned int chunks;

	for (chunks = 1; chunks <= 3; chunks++) {
		int dmabuf = alloc_chunks(dev, chunks, 0);
		uint32_t handle = vcm_importer_import(importer, dmabuf);

		vcm_dev_query(dev, dmabuf, &query);
		igt_assert_eq(query.out_nr_mapped, 1);
		igt_assert_eq(query.out_nr_degraded, 1);
		vcm_iova_read(device_name, &device);
		igt_assert(device.mapping[0].degraded);
		igt_assert_lt_u64(degraded, device.degraded);
		igt_assert(chunks == 1 || device.degraded == degraded + 1);
		degraded = device.degraded;
		vcm_importer_release(importer, handle);
		close(dmabuf);
	}
}

static void test_strict(int dev, int importer)
{
	unsigned long before = bounce_used();
	unsigned int chunks;

	for (chunks = 1; chunks <= 3; chunks++) {
		int dmabuf = alloc_chunks(dev, chunks, DMA_HEAP_VCM_STRICT);
		struct vcm_edu_import import;
		struct dma_heap_vcm_query query;

		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), -EOPNOTSUPP);
		vcm_dev_query(dev, dmabuf, &query);
		igt_assert_eq(query.out_nr_attachments, 0);
		close(dmabuf);
	}
	igt_assert_eq_u64(bounce_used(), before);
}

static void test_no_address(int dev, int importer)
{
	struct vcm_edu_probe probe = { .length = 8 };
	int dmabuf = alloc_chunks(dev, 1, 0);
	struct vcm_edu_import import;
	char *text;

	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	text = vcm_debugfs_read("iova");
	igt_assert_f(!strstr(text, "0x"), "an address in vcm/iova: \"%s\"\n", text);
	free(text);
	igt_assert_eq_u64(import.iova, VCM_EDU_IOVA_NONE);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_PROBE, &probe), -EPERM);
	vcm_importer_release(importer, import.handle);
}

static void cpu_write(int dmabuf, void *ptr, uint64_t len, uint64_t seed)
{
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
}

static void cpu_check(int dmabuf, const void *ptr, uint64_t len, uint64_t seed)
{
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_filled(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
}

/* The device copies from the start of the first chunk to that of the second. */
static void test_contents(int dev, int importer)
{
	int dmabuf = alloc_chunks(dev, 2, 0);
	char *ptr = vcm_buffer_map(dmabuf);
	uint32_t handle;

	cpu_write(dmabuf, ptr, 64, 1);
	handle = vcm_importer_import(importer, dmabuf);
	vcm_importer_read(importer, handle, 0, 64);
	vcm_importer_write(importer, handle, KIB(64), 64);
	cpu_check(dmabuf, ptr + KIB(64), 64, 1);

	cpu_write(dmabuf, ptr, 64, 2);
	cpu_check(dmabuf, ptr + KIB(64), 64, 1);
	vcm_importer_read(importer, handle, 0, 64);
	vcm_importer_write(importer, handle, KIB(64) + 64, 64);

	/* What the device wrote last is there when the import is gone. */
	vcm_importer_release(importer, handle);
	cpu_check(dmabuf, ptr, 64, 2);
	cpu_check(dmabuf, ptr + KIB(64), 64, 1);
	cpu_check(dmabuf, ptr + KIB(64) + 64, 64, 2);
}

static void test_too_large(int dev, int importer)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, MIB(2), DMA_HEAP_VCM_CHUNK_2M);
	unsigned long used = bounce_used();
	struct vcm_edu_import import;
	struct vcm_totals before;

	vcm_totals_read(&before);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), -EIO);
	vcm_totals_assert_back(&before);
	igt_assert_eq_u64(bounce_used(), used);
	igt_assert(!(vcm_file_read_number("/proc/sys/kernel/tainted") & TAINT_WARN));
}

static void test_returned(int dev, int importer)
{
	unsigned long before = bounce_used();
	int dmabuf = alloc_chunks(dev, 3, 0), i;

	for (i = 0; i < 200; i++) {
		uint32_t handle = vcm_importer_import(importer, dmabuf);

		igt_assert_lt_u64(before, bounce_used());
		vcm_importer_release(importer, handle);
		igt_assert_eq_u64(bounce_used(), before);
	}
}

static void require_bouncing(int dev, int importer)
{
	int dmabuf = alloc_chunks(dev, 1, 0);
	unsigned long before = bounce_used();
	struct vcm_edu_import import;
	bool bounced = false;

	if (!__vcm_importer_import(importer, dmabuf, &import)) {
		bounced = bounce_used() > before;
		vcm_importer_release(importer, import.handle);
	}
	close(dmabuf);
	igt_require_f(bounced, "no memory is bounced\n");
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, importer;

	igt_fixture() {
		dev = vcm_dev_open();
		importer = vcm_importer_open(1);
		vcm_importer_name(1, device_name);
		vcm_require_debugfs();
		require_bouncing(dev, importer);
		vcm_totals_read(&before);
	}

	vcm_subtest("degraded", test_degraded(dev, importer),
		    "A bounced buffer is degraded, one chunk or many");
	vcm_subtest("strict", test_strict(dev, importer), "A strict policy refuses to bounce");
	vcm_subtest("no-address", test_no_address(dev, importer),
		    "The place of the copy is not shown, and nobody gets at it");
	vcm_subtest("contents", test_contents(dev, importer),
		    "Device and CPU see each other's writes when the CPU says when");
	vcm_subtest("too-large", test_too_large(dev, importer),
		    "What is too large to bounce is an error without a kernel warning");
	vcm_subtest("bounce-memory-returned", test_returned(dev, importer),
		    "The memory of the copies goes back with the import");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
