// SPDX-License-Identifier: MIT
/*
 * Buffers whose memory is to be below a physical address, and a device behind no IOMMU that
 * reaches nothing else.
 */

#include "vcm_iova.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Buffers of the vcm heap within the reach of devices.");

#define GIB(n) ((uint64_t)(n) << 30)
#define REACH GIB(4)

static int dev = -1, importer = -1;

/* --- Where memory is --------------------------------------------------- */

/* Whether a device of 32 bits takes the buffer, of which nothing is bounced. */
static bool is_reached(int dmabuf)
{
	struct vcm_edu_import import;
	int ret = __vcm_importer_import(importer, dmabuf, &import);

	if (ret)
		igt_assert_eq(ret, -EIO);
	else
		vcm_importer_release(importer, import.handle);
	return !ret;
}

static struct dma_heap_vcm_alloc alloc_args(uint64_t len, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.reach = REACH;
	args.flags = flags;
	return args;
}

static int alloc(uint64_t len, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = alloc_args(len, flags);

	return vcm_dev_alloc(dev, &args);
}

/* What is said of a buffer is what the device sees. Returns how much of it is beyond. */
static uint64_t assert_beyond(int dmabuf)
{
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_reach, REACH);
	/* Who is strict wants one run, too. */
	if (!(query.out_flags & DMA_HEAP_VCM_STRICT) || query.out_nr_runs == 1)
		igt_assert_eq(is_reached(dmabuf), !query.out_beyond);
	return query.out_beyond;
}

/* --- Memory below ------------------------------------------------------ */

/* Buffers that have all memory below the limit that may be had */
struct low {
	int dmabuf[4096];
	unsigned int nr;
};

static void low_take(struct low *low, uint64_t len)
{
	struct dma_heap_vcm_alloc args = alloc_args(len, DMA_HEAP_VCM_STRICT);
	int dmabuf;

	while ((dmabuf = __vcm_dev_alloc(dev, &args)) >= 0) {
		igt_assert_lt(low->nr, ARRAY_SIZE(low->dmabuf));
		low->dmabuf[low->nr++] = dmabuf;
	}
	igt_assert_eq(dmabuf, -ENOMEM);
}

static void low_free(struct low *low)
{
	while (low->nr)
		close(low->dmabuf[--low->nr]);
}

/* --- The subtests ------------------------------------------------------ */

/* What comes first is elsewhere on such a machine. */
static void test_other(void)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(64), 0, 0, 0);
	struct dma_heap_vcm_query query;

	igt_assert(!is_reached(dmabuf));
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_reach, 0);
	igt_assert_eq_u64(query.out_beyond, 0);
	close(dmabuf);
}

static void test_within(uint64_t len, uint32_t flags)
{
	int dmabuf = alloc(len, flags);

	igt_assert_eq_u64(assert_beyond(dmabuf), 0);
	vcm_buffer_assert_zero(dmabuf);
	vcm_buffer_fill(dmabuf, 1);
	vcm_buffer_assert_filled(dmabuf, 1);
	close(dmabuf);
}

/* It is for those who need it there, and so not what the pool gives to others. */
static void test_not_pooled(void)
{
	struct vcm_pool_params params;

	vcm_pool_params_read(&params);
	vcm_pool_renew(128);
	close(alloc(MIB(16), DMA_HEAP_VCM_STRICT));
	igt_assert_eq_u64(vcm_pool_total(), 0);
	vcm_pool_params_write(&params);
}

static void test_used_up(void)
{
	struct dma_heap_vcm_alloc strict = alloc_args(MIB(8), DMA_HEAP_VCM_STRICT);
	struct vcm_memory before;
	static struct low low;
	int dmabuf;

	vcm_memory_read(&before);
	low_take(&low, MIB(8));
	low_take(&low, vcm_page_size() * 64);
	igt_info("%u buffers have what is below\n", low.nr);
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &strict, -ENOMEM);
	strict.flags |= DMA_HEAP_VCM_CONTIGUOUS;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &strict, -ENOMEM);

	/* Who is not strict gets what there is, and is told. */
	dmabuf = alloc(MIB(32), 0);
	igt_assert_lt_u64(MIB(24), assert_beyond(dmabuf));
	close(dmabuf);
	dmabuf = alloc(MIB(32), DMA_HEAP_VCM_CONTIGUOUS);
	igt_assert_eq_u64(assert_beyond(dmabuf), MIB(32));
	close(dmabuf);
	/* And others get what they want. */
	close(vcm_dev_alloc_policy(dev, MIB(64), 0, 0, 0));

	low_free(&low);
	vcm_memory_assert_back(&before, "after all memory below");
	test_within(MIB(32), DMA_HEAP_VCM_STRICT);
}

static void assert_works(int dmabuf)
{
	const uint64_t end = vcm_buffer_size(dmabuf) - 8 * sizeof(uint64_t);
	uint64_t words[8];
	uint32_t handle;

	vcm_buffer_fill(dmabuf, 1);
	handle = vcm_importer_import(importer, dmabuf);
	vcm_importer_read(importer, handle, 0, sizeof(words));
	vcm_importer_write(importer, handle, end, sizeof(words));
	vcm_importer_kernel_read(importer, handle, end, sizeof(words), words);
	vcm_assert_filled(words, sizeof(words), 1);
	vcm_importer_release(importer, handle);
}

/* Strict, and so in one run: as a device without an IOMMU wants it. */
static void test_device(void)
{
	const uint32_t flags[] = { 0, DMA_HEAP_VCM_CONTIGUOUS | DMA_HEAP_VCM_STRICT };
	int dmabuf, i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		dmabuf = alloc(MIB(16), flags[i]);
		igt_assert_eq_u64(assert_beyond(dmabuf), 0);
		assert_works(dmabuf);
		close(dmabuf);
	}
}

int igt_main()
{
	static struct vcm_totals before;
	static struct vcm_edu_info info;

	igt_fixture() {
		dev = vcm_dev_open();
		importer = vcm_importer_open(1);
		igt_assert_eq(__vcm_importer_info(importer, &info), 0);
		igt_assert_eq(info.dma_bits, 32);
		vcm_more_fds(4200);
		vcm_require_pool();
		igt_require_f(vcm_ram_size() > GIB(3), "all memory is within the reach\n");
		vcm_totals_read(&before);
	}

	vcm_subtest("other", test_other(), "A buffer without a limit is anywhere");
	vcm_subtest("page", test_within(vcm_page_size(), DMA_HEAP_VCM_STRICT),
		    "A page is within the reach");
	vcm_subtest("mixed", test_within(MIB(3) + KIB(68), 0),
		    "Chunks of all sizes are within the reach");
	vcm_subtest("mixed-strict", test_within(MIB(3) + KIB(68), DMA_HEAP_VCM_STRICT),
		    "The same with nothing else allowed");
	vcm_subtest("large", test_within(MIB(64), 0), "A large buffer is within the reach");
	vcm_subtest("contiguous",
		    test_within(MIB(33), DMA_HEAP_VCM_STRICT | DMA_HEAP_VCM_CONTIGUOUS),
		    "One run is within the reach");
	vcm_subtest("contiguous-chunk", test_within(MIB(2), DMA_HEAP_VCM_CONTIGUOUS),
		    "One run of the length of a chunk is within the reach");
	vcm_subtest("not-pooled", test_not_pooled(), "What is below does not wait in the pool");
	vcm_subtest("device", test_device(),
		    "A device of few bits, behind no IOMMU, reads and writes what is within its reach");
	vcm_subtest("used-up", test_used_up(),
		    "Strict buffers are refused when that memory is used up, and others told of");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
