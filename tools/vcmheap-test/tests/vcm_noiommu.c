// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers and devices that no IOMMU translates for: what cannot hold
 * is refused where that was asked for, and told where not.
 */

#include "vcm_iova.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers and devices that no IOMMU translates for.");

/* Aligned to this, memory would begin at 0 or beyond what the machine has. */
#define ALIGN_IMPOSSIBLE (1ull << 40)

/* In /proc/sys/kernel/tainted: the kernel has warned. */
#define TAINT_WARN (1ul << 9)

/* The policies that memory alone cannot keep. */
static const struct impossible {
	const char *name;
	uint64_t align;
	uint64_t guard;
	bool scattered;
} impossible[] = {
	{ "guard", 0, KIB(64), false },
	{ "align", ALIGN_IMPOSSIBLE, 0, false },
	{ "scattered", 0, 0, true },
};

/* The second device: it reaches all memory of a small machine. */
static char device_name[VCM_DEVICE_NAME_LEN];

/* --- Buffers ----------------------------------------------------------- */

static uint64_t runs(int dev, int dmabuf)
{
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	return query.out_nr_runs;
}

/*
 * Memory in several places: pages between pages that others hold. The kernel
 * chooses, so it is asked for more until it gives that.
 */
static int alloc_scattered(int dev, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(0);
	int holders[64], i, dmabuf = -1;

	args.chunk_sizes = vcm_page_size();
	args.flags = flags;
	args.length = vcm_page_size();
	for (i = 0; i < ARRAY_SIZE(holders); i++)
		holders[i] = vcm_dev_alloc(dev, &args);
	for (i = 0; i < ARRAY_SIZE(holders); i += 2)
		close(holders[i]);

	for (args.length = KIB(64); args.length <= MIB(64); args.length *= 2) {
		dmabuf = vcm_dev_alloc(dev, &args);
		if (runs(dev, dmabuf) > 1)
			break;
		close(dmabuf);
		dmabuf = -1;
	}
	for (i = 1; i < ARRAY_SIZE(holders); i += 2)
		close(holders[i]);
	igt_assert_f(dmabuf >= 0, "64 MiB of pages came in one piece\n");
	return dmabuf;
}

static int alloc_impossible(int dev, const struct impossible *policy, uint32_t flags)
{
	if (policy->scattered)
		return alloc_scattered(dev, flags);
	return vcm_dev_alloc_policy(dev, KIB(64), policy->align, policy->guard, flags);
}

/* A buffer that keeps the device known, and with it its counts. */
static int keep_device(int dev, int importer, uint32_t *handle)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);

	*handle = vcm_importer_import(importer, dmabuf);
	return dmabuf;
}

static void assert_counts(int dev, int dmabuf, unsigned int mapped, unsigned int degraded)
{
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_nr_attachments, mapped);
	igt_assert_eq(query.out_nr_mapped, mapped);
	igt_assert_eq(query.out_nr_degraded, degraded);
}

/* --- The subtests ------------------------------------------------------ */

static void test_strict(int dev, int importer, const struct impossible *policy)
{
	int dmabuf = alloc_impossible(dev, policy, DMA_HEAP_VCM_STRICT);
	static struct vcm_iova_device before, after;
	struct vcm_edu_import import;
	uint32_t handle;
	int keeper, i;

	vcm_buffer_fill(dmabuf, 1);
	keeper = keep_device(dev, importer, &handle);
	vcm_iova_read(device_name, &before);
	for (i = 1; i <= 3; i++) {
		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), -EOPNOTSUPP);
		vcm_iova_read(device_name, &after);
		igt_assert_eq_u64(after.refused, before.refused + i);
		igt_assert_eq_u64(after.degraded, before.degraded);
		igt_assert_eq(after.mappings, before.mappings);
		assert_counts(dev, dmabuf, 0, 0);
	}
	vcm_buffer_assert_filled(dmabuf, 1);
	vcm_importer_release(importer, handle);
	close(keeper);
}

static void test_degraded(int dev, int importer, const struct impossible *policy)
{
	int dmabuf = alloc_impossible(dev, policy, 0);
	static struct vcm_iova_device first, device;
	uint32_t one, two;

	one = vcm_importer_import(importer, dmabuf);
	assert_counts(dev, dmabuf, 1, 1);
	vcm_iova_read(device_name, &first);
	igt_assert(first.mapping[0].degraded);
	two = vcm_importer_import(importer, dmabuf);
	assert_counts(dev, dmabuf, 2, 2);
	vcm_iova_read(device_name, &device);
	igt_assert_eq_u64(device.degraded, first.degraded + 1);
	igt_assert_eq_u64(device.refused, first.refused);
	igt_assert(device.mapping[0].degraded && device.mapping[1].degraded);

	vcm_importer_release(importer, one);
	assert_counts(dev, dmabuf, 1, 1);
	vcm_importer_release(importer, two);
	assert_counts(dev, dmabuf, 0, 0);
}

static void test_one_chunk(int dev, int importer)
{
	static struct vcm_iova_device before, device;
	int i;

	for (i = 0; i < 2; i++) {
		struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(64));
		uint32_t handle;
		int dmabuf;

		dmabuf = keep_device(dev, importer, &handle);
		vcm_iova_read(device_name, &before);
		vcm_importer_release(importer, handle);
		close(dmabuf);

		args.chunk_sizes = DMA_HEAP_VCM_CHUNK_64K;
		args.align = KIB(64);
		args.flags = i ? DMA_HEAP_VCM_STRICT : 0;
		dmabuf = vcm_dev_alloc(dev, &args);
		handle = vcm_importer_import(importer, dmabuf);
		assert_counts(dev, dmabuf, 1, 0);
		vcm_iova_read(device_name, &device);
		igt_assert_eq_u64(device.degraded, before.degraded);
		igt_assert(!device.mapping[0].degraded);
		vcm_importer_release(importer, handle);
		close(dmabuf);
	}
}

static void test_retry(int dev, int importer)
{
	int strict = vcm_dev_alloc_policy(dev, KIB(64), 0, KIB(64), DMA_HEAP_VCM_STRICT);
	int other = vcm_dev_alloc_policy(dev, KIB(64), 0, KIB(64), 0);
	struct vcm_edu_import import;

	vcm_buffer_fill(strict, 1);
	igt_assert_eq(__vcm_importer_import(importer, strict, &import), -EOPNOTSUPP);
	igt_assert_eq(__vcm_importer_import(importer, other, &import), 0);
	assert_counts(dev, other, 1, 1);
	assert_counts(dev, strict, 0, 0);
	vcm_importer_release(importer, import.handle);
	vcm_buffer_assert_filled(strict, 1);
}

/* The device copies the first words of the buffer to its end. */
static void test_works(int dev, int importer)
{
	int dmabuf = alloc_scattered(dev, 0);
	uint64_t words[8], end = vcm_buffer_size(dmabuf) - sizeof(words);
	uint32_t handle;

	vcm_buffer_fill(dmabuf, 1);
	handle = vcm_importer_import(importer, dmabuf);
	assert_counts(dev, dmabuf, 1, 1);
	vcm_importer_read(importer, handle, 0, sizeof(words));
	vcm_importer_write(importer, handle, end, sizeof(words));
	vcm_importer_kernel_read(importer, handle, end, sizeof(words), words);
	vcm_assert_filled(words, sizeof(words), 1);
	vcm_importer_release(importer, handle);
}

static void assert_no_number(const char *file)
{
	char *text = vcm_debugfs_read(file);

	igt_assert_f(!strstr(text, "0x"), "an address in vcm/%s: \"%s\"\n", file, text);
	free(text);
}

static void test_no_address(int dev, int importer)
{
	int dmabuf[3], i;

	dmabuf[0] = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	dmabuf[1] = vcm_dev_alloc_policy(dev, KIB(64), 0, KIB(64), 0);
	dmabuf[2] = alloc_scattered(dev, 0);
	for (i = 0; i < 3; i++) {
		static struct vcm_iova_device device;
		struct vcm_edu_import import;

		igt_assert_eq(__vcm_importer_import(importer, dmabuf[i], &import), 0);
		igt_assert_eq_u64(import.iova, VCM_EDU_IOVA_NONE);
		assert_no_number("iova");
		assert_no_number("buffers");
		vcm_iova_read(device_name, &device);
		igt_assert(!device.translated);
		igt_assert(!device.linked);
		igt_assert(!device.mapping[0].shown);
		vcm_importer_release(importer, import.handle);
		close(dmabuf[i]);
	}
}

/* More memory than the device has addresses for: some of it must be out of reach. */
static void test_out_of_reach(int dev)
{
	int importer = vcm_importer_open(0);
	struct vcm_edu_import import;
	struct vcm_edu_info info;
	struct vcm_totals before;
	uint64_t len;
	int dmabuf;

	igt_assert_eq(__vcm_importer_info(importer, &info), 0);
	len = (1ull << info.dma_bits) + MIB(2);
	igt_require_f(vcm_ram_free() > len + MIB(64), "too little memory\n");
	dmabuf = vcm_dev_alloc_policy(dev, len, 0, 0, 0);
	vcm_totals_read(&before);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), -EIO);
	vcm_totals_assert_back(&before);
	assert_counts(dev, dmabuf, 0, 0);
	igt_assert(!(vcm_file_read_number("/proc/sys/kernel/tainted") & TAINT_WARN));
}

static void require_no_translation(int dev, int importer)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	static struct vcm_iova_device device;
	struct vcm_edu_info info;
	uint32_t handle;

	igt_assert_eq(__vcm_importer_info(importer, &info), 0);
	igt_require_f(!(info.flags & VCM_EDU_TRANSLATED), "an IOMMU translates\n");
	handle = vcm_importer_import(importer, dmabuf);
	vcm_iova_read(device_name, &device);
	vcm_importer_release(importer, handle);
	close(dmabuf);
	igt_require_f(!device.translated, "an IOMMU translates\n");
	igt_require_f(!device.mapping[0].degraded, "all memory is bounced\n");
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, importer, i;

	igt_fixture() {
		dev = vcm_dev_open();
		importer = vcm_importer_open(1);
		vcm_importer_name(1, device_name);
		vcm_require_debugfs();
		require_no_translation(dev, importer);
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(impossible); i++) {
		vcm_subtest_f(test_strict(dev, importer, &impossible[i]),
			      "What cannot hold is refused, and the buffer stays as it was",
			      "strict-%s", impossible[i].name);

		vcm_subtest_f(test_degraded(dev, importer, &impossible[i]),
			      "What cannot hold is mapped as it can be, and that is counted",
			      "degraded-%s", impossible[i].name);
	}

	vcm_subtest("one-chunk", test_one_chunk(dev, importer),
		    "A buffer of one chunk keeps the policy, strict or not");
	vcm_subtest("retry", test_retry(dev, importer),
		    "Where a strict buffer was refused another one maps");
	vcm_subtest("works", test_works(dev, importer),
		    "A degraded buffer is the memory that the device reads and writes");
	vcm_subtest("no-address", test_no_address(dev, importer),
		    "No address of a buffer is shown");
	vcm_subtest("out-of-reach", test_out_of_reach(dev),
		    "Memory that the device cannot reach is an error without a kernel warning");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
