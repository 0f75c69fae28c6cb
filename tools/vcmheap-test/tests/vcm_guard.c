// SPDX-License-Identifier: MIT
/*
 * Guards before and behind a buffer, and guards that are zeroes: what a device finds
 * there, and what becomes of what it writes.
 */

#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Guards before and behind buffers, unmapped or zeroes.");

#define WORD	8u
#define LENGTH	KIB(192)
#define BEFORE	KIB(64)
#define BEHIND	KIB(128)
#define JUNK	0x0badc0de0badc0deull

/* A buffer with guards, and a page through which the CPU sees the device's RAM */
struct fence {
	int importer;
	char name[VCM_DEVICE_NAME_LEN];
	int dmabuf, page;
	struct vcm_edu_import import, desk;
	uint64_t *words;
};

static int alloc_guarded(int dev, uint64_t before, uint64_t behind, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(LENGTH);

	args.guard_before = before;
	args.guard = behind;
	args.flags = flags;
	return vcm_dev_alloc(dev, &args);
}

static void fence_init(struct fence *fence, int dev, unsigned int index, uint32_t flags)
{
	*fence = (struct fence){ .importer = vcm_importer_open(index) };
	vcm_importer_name(index, fence->name);
	fence->dmabuf = alloc_guarded(dev, BEFORE, BEHIND, flags);
	vcm_buffer_fill(fence->dmabuf, 1);
	igt_assert_eq(__vcm_importer_import(fence->importer, fence->dmabuf, &fence->import), 0);
	fence->page = vcm_dev_alloc_policy(dev, vcm_page_size(), 0, 0, 0);
	fence->words = vcm_buffer_map(fence->page);
	igt_assert_eq(__vcm_importer_import(fence->importer, fence->page, &fence->desk), 0);
}

static void fence_fini(struct fence *fence)
{
	vcm_importer_release(fence->importer, fence->import.handle);
	vcm_importer_release(fence->importer, fence->desk.handle);
	vcm_buffer_assert_filled(fence->dmabuf, 1);
	vcm_buffer_unmap(fence->words, vcm_page_size());
	close(fence->page);
	close(fence->dmabuf);
	close(fence->importer);
}

/* What the device reads at @iova, if it reads anything; it had JUNK before. */
static uint64_t device_reads(struct fence *fence, uint64_t iova)
{
	fence->words[0] = JUNK;
	vcm_importer_read(fence->importer, fence->desk.handle, 0, WORD);
	vcm_importer_probe(fence->importer, VCM_EDU_TO_DEVICE, iova, WORD, 0);
	vcm_importer_write(fence->importer, fence->desk.handle, 0, WORD);
	vcm_buffer_begin(fence->page, DMA_BUF_SYNC_READ);
	vcm_buffer_end(fence->page, DMA_BUF_SYNC_READ);
	return fence->words[0];
}

static void device_writes(struct fence *fence, uint64_t iova)
{
	fence->words[0] = JUNK;
	vcm_importer_read(fence->importer, fence->desk.handle, 0, WORD);
	vcm_importer_probe(fence->importer, VCM_EDU_FROM_DEVICE, iova, WORD, 0);
}

/*
 * Words of each guard: the first one, one between, and one of the last, since the very
 * last byte that a device can address the importer leaves alone.
 */
static unsigned int guard_words(const struct fence *fence, uint64_t *at)
{
	uint64_t start = fence->import.iova, end = start + LENGTH;
	unsigned int n = 0;

	at[n++] = start - BEFORE;
	at[n++] = start - BEFORE / 2;
	at[n++] = start - WORD;
	at[n++] = end;
	at[n++] = end + KIB(64);
	at[n++] = end + BEHIND - 2 * WORD;
	return n;
}

/* What the CPU sees in the buffer at @offset */
static uint64_t buffer_word(const struct fence *fence, uint64_t offset)
{
	uint64_t word;

	vcm_importer_kernel_read(fence->importer, fence->import.handle, offset, WORD, &word);
	return word;
}

static void test_read_zeroes(int dev, unsigned int index)
{
	struct fence fence;
	uint64_t at[8];
	unsigned int i, n;

	fence_init(&fence, dev, index, DMA_HEAP_VCM_SCRATCH | DMA_HEAP_VCM_STRICT);
	n = guard_words(&fence, at);
	for (i = 0; i < n; i++)
		igt_assert_eq_u64(device_reads(&fence, at[i]), 0);
	/* ... and in between it is the buffer. */
	igt_assert_eq_u64(device_reads(&fence, fence.import.iova), buffer_word(&fence, 0));
	igt_assert_eq_u64(device_reads(&fence, fence.import.iova + LENGTH - WORD),
			  buffer_word(&fence, LENGTH - WORD));
	fence_fini(&fence);
}

/* One transfer across the end */
static void test_read_across(int dev, unsigned int index)
{
	const uint64_t offset = LENGTH - 4 * WORD;
	struct fence fence;
	unsigned int i;

	fence_init(&fence, dev, index, DMA_HEAP_VCM_SCRATCH);
	memset(fence.words, 0xff, 8 * WORD);
	vcm_importer_read(fence.importer, fence.desk.handle, 0, 8 * WORD);
	vcm_importer_probe(fence.importer, VCM_EDU_TO_DEVICE, fence.import.iova + offset,
			   8 * WORD, 0);
	vcm_importer_write(fence.importer, fence.desk.handle, 0, 8 * WORD);
	vcm_buffer_begin(fence.page, DMA_BUF_SYNC_READ);
	vcm_buffer_end(fence.page, DMA_BUF_SYNC_READ);
	for (i = 0; i < 4; i++)
		igt_assert_eq_u64(fence.words[i], buffer_word(&fence, offset + i * WORD));
	for (; i < 8; i++)
		igt_assert_eq_u64(fence.words[i], 0);
	fence_fini(&fence);
}

/* Nobody finds it: not this device, nor another one. */
static void test_write_zeroes(int dev, unsigned int index)
{
	struct fence fence, other;
	uint64_t at[8];
	unsigned int i, n;

	fence_init(&fence, dev, index, DMA_HEAP_VCM_SCRATCH);
	fence_init(&other, dev, !index, DMA_HEAP_VCM_SCRATCH);
	n = guard_words(&fence, at);
	for (i = 0; i < n; i++)
		device_writes(&fence, at[i]);
	for (i = 0; i < n; i++)
		igt_assert_eq_u64(device_reads(&fence, at[i]), 0);
	guard_words(&other, at);
	for (i = 0; i < n; i++)
		igt_assert_eq_u64(device_reads(&other, at[i]), 0);
	fence_fini(&other);
	fence_fini(&fence);
}

static void test_unmapped(int dev, unsigned int index)
{
	struct fence fence;
	uint64_t at[8];
	unsigned int i, n;

	fence_init(&fence, dev, index, 0);
	n = guard_words(&fence, at);
	/* What it does not read is zeroes, or what it had. */
	for (i = 0; i < n; i++) {
		uint64_t word = device_reads(&fence, at[i]);

		igt_assert(!word || word == JUNK);
		device_writes(&fence, at[i]);
	}
	igt_assert_eq_u64(device_reads(&fence, fence.import.iova), buffer_word(&fence, 0));
	fence_fini(&fence);
}

/* No mapping is in the guards of another, and what is told of them is true. */
static void test_distance(int dev, unsigned int index)
{
	static struct vcm_iova_device device;
	struct vcm_edu_import import[8];
	struct dma_heap_vcm_query query;
	struct vcm_iova_mapping *m;
	struct fence fence;
	unsigned int i, j;

	fence_init(&fence, dev, index, 0);
	for (i = 0; i < 8; i++) {
		import[i] = (struct vcm_edu_import){};
		igt_assert_eq(__vcm_importer_import(fence.importer, fence.dmabuf, &import[i]), 0);
	}
	vcm_iova_read(fence.name, &device);
	m = device.mapping;
	igt_assert_eq(device.mappings, 10);
	for (i = 0; i < 10; i++) {
		for (j = 0; j < i; j++)
			igt_assert(m[i].iova - m[i].before >=
				   m[j].iova + m[j].length + m[j].guard);
		if (m[i].length == LENGTH)
			igt_assert_eq_u64(m[i].before, BEFORE);
	}
	vcm_dev_query(dev, fence.dmabuf, &query);
	igt_assert_eq_u64(query.out_guard_before, BEFORE);
	igt_assert_eq_u64(query.out_guard, BEHIND);
	for (i = 0; i < 8; i++)
		vcm_importer_release(fence.importer, import[i].handle);
	fence_fini(&fence);
}

static void test_refused(int dev, unsigned int index)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(LENGTH);

	(void)index;
	args.flags = DMA_HEAP_VCM_SCRATCH;
	args.guard = MIB(16) + 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -ERANGE);
	args.guard = 0;
	args.guard_before = MIB(16) + 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -ERANGE);
	args.flags = 0;
	args.guard_before = (1ull << 57) + 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -ERANGE);
	args.guard_before = 0;
	args.reserved = 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &args, -EOPNOTSUPP);
}

static const struct {
	const char *name;
	void (*run)(int dev, unsigned int index);
	const char *description;
} subtests[] = {
	{ "read-zeroes", test_read_zeroes, "A device reads zeroes in guards that are zeroes" },
	{ "read-across", test_read_across, "... also in one go with the end of the buffer" },
	{ "write-zeroes", test_write_zeroes, "What it writes there nobody reads" },
	{ "unmapped", test_unmapped, "A device reaches nothing in other guards" },
	{ "distance", test_distance, "No buffer is in the guards of another" },
	{ "refused", test_refused, "Guards that cannot be are refused" },
};

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i, j;

	igt_fixture() {
		int importer = vcm_importer_open(0);

		dev = vcm_dev_open();
		vcm_importer_require_probe(importer);
		close(importer);
		vcm_require_debugfs();
		vcm_totals_read(&before);
	}

	for (j = 0; j < 2; j++)
		for (i = 0; i < ARRAY_SIZE(subtests); i++)
			vcm_subtest_f(subtests[i].run(dev, j), subtests[i].description,
				      "%s-%d", subtests[i].name, j);

	igt_fixture() {
		vcm_totals_assert_back(&before);
		close(dev);
	}
}
