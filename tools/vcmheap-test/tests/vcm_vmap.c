// SPDX-License-Identifier: MIT
/*
 * The kernel's own mapping of vcm heap buffers, through an importer that
 * copies with it.
 */

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The kernel's own mapping of vcm heap buffers.");

static const struct {
	const char *name;
	uint64_t len;
} buffers[] = {
	{ "one-page", KIB(4) },
	{ "one-chunk", KIB(64) },
	{ "large-chunk", MIB(2) },
	{ "many-chunks", MIB(3) + KIB(68) },
	{ "many-pages", KIB(64) + KIB(60) },
};

/* Where copies are tried: ends of the buffer, page borders, chunk borders. */
static const struct {
	uint64_t offset;
	uint32_t length;
} places[] = {
	{ 0, 1 },
	{ 0, KIB(4) },
	{ 1, 3 },
	{ KIB(4) - 1, 2 },
	{ KIB(4) - 8, 16 },
	{ KIB(8) - 100, KIB(4) + 200 },
	{ KIB(64) - 1, 2 },
	{ KIB(64) - KIB(4), KIB(8) },
	{ MIB(1) - 5, 10 },
	{ MIB(2) - KIB(4), KIB(8) },
	{ MIB(2) - 1, 2 },
	{ MIB(3) - KIB(32), KIB(64) },
	{ MIB(3) + KIB(64) - 3, 6 },
	{ MIB(3) + KIB(68) - 1, 1 },
	{ MIB(3) + KIB(4), KIB(64) },
};

static bool within(int i, uint64_t size)
{
	return places[i].offset + places[i].length <= size;
}

/* A buffer that an importer holds and the CPU has mapped */
struct mapped {
	int importer;		/* the importer */
	int dmabuf;		/* the buffer */
	uint32_t handle;	/* the import */
	size_t size;		/* bytes */
	char *ptr;		/* the CPU's mapping */
	char *copy;		/* VCM_EDU_ACCESS_MAX bytes to copy to and from */
};

static void mapped_init(struct mapped *mapped, int heap, int importer, uint64_t size)
{
	mapped->importer = importer;
	mapped->dmabuf = vcm_heap_alloc(heap, size);
	mapped->size = vcm_buffer_size(mapped->dmabuf);
	mapped->ptr = vcm_buffer_map(mapped->dmabuf);
	mapped->handle = vcm_importer_import(importer, mapped->dmabuf);
	mapped->copy = malloc(VCM_EDU_ACCESS_MAX);
	igt_assert(mapped->copy);
}

static void mapped_fini(struct mapped *mapped)
{
	free(mapped->copy);
	vcm_importer_release(mapped->importer, mapped->handle);
	vcm_buffer_unmap(mapped->ptr, mapped->size);
	close(mapped->dmabuf);
}

static void test_read(int heap, int importer, uint64_t size)
{
	struct mapped mapped;
	int i;

	mapped_init(&mapped, heap, importer, size);
	vcm_buffer_begin(mapped.dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(mapped.ptr, mapped.size, 1);
	vcm_buffer_end(mapped.dmabuf, DMA_BUF_SYNC_WRITE);

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (!within(i, mapped.size))
			continue;
		vcm_importer_kernel_read(importer, mapped.handle, places[i].offset,
					 places[i].length, mapped.copy);
		igt_assert_f(!memcmp(mapped.copy, mapped.ptr + places[i].offset,
				     places[i].length), "at place %d\n", i);
	}
	mapped_fini(&mapped);
}

static void test_write(int heap, int importer, uint64_t size)
{
	struct mapped mapped;
	char *shadow;
	int i;

	mapped_init(&mapped, heap, importer, size);
	shadow = calloc(1, mapped.size);
	igt_assert(shadow);

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (!within(i, mapped.size))
			continue;
		vcm_fill(mapped.copy, VCM_EDU_ACCESS_MAX, i);
		vcm_importer_kernel_write(importer, mapped.handle, places[i].offset,
					  places[i].length, mapped.copy);
		memcpy(shadow + places[i].offset, mapped.copy, places[i].length);
	}
	vcm_buffer_begin(mapped.dmabuf, DMA_BUF_SYNC_READ);
	igt_assert(!memcmp(mapped.ptr, shadow, mapped.size));
	vcm_buffer_end(mapped.dmabuf, DMA_BUF_SYNC_READ);
	free(shadow);
	mapped_fini(&mapped);
}

static void test_large(int heap, int importer)
{
	struct mapped mapped;
	uint64_t at;

	mapped_init(&mapped, heap, importer, MIB(33) + KIB(4));
	vcm_fill(mapped.ptr, mapped.size, 1);
	for (at = 0; at < mapped.size; at += MIB(8)) {
		vcm_importer_kernel_read(importer, mapped.handle, at, KIB(4), mapped.copy);
		igt_assert(!memcmp(mapped.copy, mapped.ptr + at, KIB(4)));
	}
	at = mapped.size - KIB(64);
	vcm_importer_kernel_read(importer, mapped.handle, at, KIB(64), mapped.copy);
	igt_assert(!memcmp(mapped.copy, mapped.ptr + at, KIB(64)));
	mapped_fini(&mapped);
}

/*
 * Mappings that the kernel has made of pages at hand, and, if asked, what is not taken
 * apart yet; -1 where it does not tell.
 */
static int kernel_mappings(bool unpurged)
{
	char *text = vcm_file_read("/proc/vmallocinfo"), *line, *save = NULL;
	int count = 0;

	if (!text)
		return -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "unpurged"))
			count += unpurged;
		else if (strstr(line, " vmap"))
			count++;
	}
	free(text);
	return count;
}

static void test_again(int heap, int importer)
{
	struct mapped mapped;
	int before, i;

	igt_require_f(kernel_mappings(false) >= 0, "cannot see the kernel's mappings\n");
	mapped_init(&mapped, heap, importer, MIB(3) + KIB(68));
	before = kernel_mappings(false);
	for (i = 0; i < 50; i++)
		vcm_importer_kernel_read(importer, mapped.handle, MIB(3), 8, mapped.copy);
	igt_assert_lt(kernel_mappings(false), before + 10);
	mapped_fini(&mapped);
}

/* How many mappings so many accesses to a buffer of @size leave behind. */
static int mappings_of_accesses(int heap, int importer, uint64_t size, int accesses)
{
	struct mapped mapped;
	int i, before;

	mapped_init(&mapped, heap, importer, size);
	before = kernel_mappings(true);
	for (i = 0; i < accesses; i++)
		vcm_importer_kernel_read(importer, mapped.handle, 0, 8, mapped.copy);
	mapped_fini(&mapped);
	return kernel_mappings(true) - before;
}

/* The border of two chunks that are one run of memory, which are not one object. */
static void test_chunks_that_touch(int heap, int importer)
{
	const uint64_t border = MIB(2);
	struct vcm_buffer_info info;
	int dmabufs[64], n = 0;
	uint32_t handle;
	char *ptr, *copy;

	do {
		igt_assert_lt(n, ARRAY_SIZE(dmabufs));
		dmabufs[n] = vcm_heap_alloc(heap, 2 * border);
		vcm_buffer_info_read(dmabufs[n++], &info);
	} while (info.runs != 1 || info.chunks[VCM_CHUNK_2M] != 2);

	ptr = vcm_buffer_map(dmabufs[n - 1]);
	copy = malloc(KIB(8));
	igt_assert(copy);
	handle = vcm_importer_import(importer, dmabufs[n - 1]);
	vcm_fill(copy, KIB(8), 1);
	vcm_importer_kernel_write(importer, handle, border - KIB(4), KIB(8), copy);
	vcm_assert_filled(ptr + border - KIB(4), KIB(8), 1);
	memset(copy, 0, KIB(8));
	vcm_importer_kernel_read(importer, handle, border - KIB(4), KIB(8), copy);
	vcm_assert_filled(copy, KIB(8), 1);

	vcm_importer_release(importer, handle);
	free(copy);
	vcm_buffer_unmap(ptr, 2 * border);
	while (n--)
		close(dmabufs[n]);
}

/* A mapping that was undone is seen for a while, as the kernel collects them. */
static void test_one_chunk(int heap, int importer)
{
	enum { ACCESSES = 100 };

	igt_require_f(kernel_mappings(false) >= 0, "cannot see the kernel's mappings\n");
	igt_assert_lt(mappings_of_accesses(heap, importer, KIB(64), ACCESSES), ACCESSES / 4);
	igt_assert_lt(mappings_of_accesses(heap, importer, MIB(2), ACCESSES), ACCESSES / 4);
}

static void test_two_importers(int heap, int importer)
{
	int other = vcm_importer_open_reaching();
	struct mapped mapped;
	uint64_t word = 0;
	uint32_t handle;

	mapped_init(&mapped, heap, importer, MIB(1) + KIB(68));
	handle = vcm_importer_import(other, mapped.dmabuf);
	vcm_fill(mapped.copy, KIB(4), 7);
	vcm_importer_kernel_write(importer, mapped.handle, MIB(1), KIB(4), mapped.copy);
	vcm_importer_kernel_read(other, handle, MIB(1), sizeof(word), &word);
	vcm_assert_filled(&word, sizeof(word), 7);
	vcm_importer_release(other, handle);
	close(other);
	mapped_fini(&mapped);
}

int igt_main()
{
	static struct vcm_totals before;
	static int heap, importer;
	static int i;

	igt_fixture() {
		heap = vcm_heap_open();
		importer = vcm_importer_open_reaching();
		vcm_require_debugfs();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		vcm_subtest_f(test_read(heap, importer, buffers[i].len),
			      "The kernel reads what the CPU wrote",
			      "read-%s", buffers[i].name);

		vcm_subtest_f(test_write(heap, importer, buffers[i].len),
			      "The CPU reads what the kernel wrote",
			      "write-%s", buffers[i].name);
	}

	vcm_subtest("large", test_large(heap, importer),
		    "A large buffer is mapped from end to end");
	vcm_subtest("again-and-again", test_again(heap, importer),
		    "Mapping many times uses nothing up");
	vcm_subtest("chunks-that-touch", test_chunks_that_touch(heap, importer),
		    "The kernel copies across the border of two chunks that touch in memory");
	vcm_subtest("one-chunk-for-nothing", test_one_chunk(heap, importer),
		    "A buffer of one chunk needs no mapping");
	vcm_subtest("two-importers", test_two_importers(heap, importer),
		    "Two importers that map one buffer see each other's writes");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
