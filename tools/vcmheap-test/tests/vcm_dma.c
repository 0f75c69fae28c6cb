// SPDX-License-Identifier: MIT

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What a device sees of a vcm heap buffer, and what it does to it.");

/* A chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

/* Bytes of one transfer; two of them fit into the smallest page. */
#define BYTES 1024u

/* A buffer that a device has imported */
struct scene {
	int importer;		/* the device */
	int dmabuf;		/* the buffer */
	uint32_t handle;	/* the import */
	size_t size;		/* bytes */
	char *ptr;		/* the CPU's mapping */
	char *shadow;		/* what the buffer should contain */
	uint64_t seed;		/* the next pattern */
};

static void scene_init(struct scene *scene, int heap, int importer, uint64_t size)
{
	scene->importer = importer;
	scene->dmabuf = vcm_heap_alloc(heap, size);
	scene->size = vcm_buffer_size(scene->dmabuf);
	scene->ptr = vcm_buffer_map(scene->dmabuf);
	scene->shadow = malloc(scene->size);
	scene->seed = 100;
	igt_assert(scene->shadow);

	vcm_buffer_begin(scene->dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(scene->ptr, scene->size, 1);
	vcm_fill(scene->shadow, scene->size, 1);
	vcm_buffer_end(scene->dmabuf, DMA_BUF_SYNC_WRITE);
	scene->handle = vcm_importer_import(importer, scene->dmabuf);
}

static void assert_as_shadow(struct scene *scene, uint64_t offset, size_t len)
{
	size_t i;

	vcm_buffer_begin(scene->dmabuf, DMA_BUF_SYNC_READ);
	if (memcmp(scene->ptr + offset, scene->shadow + offset, len)) {
		for (i = offset; scene->ptr[i] == scene->shadow[i]; i++)
			;
		igt_assert_f(false, "byte %#zx is %#x, not %#x\n", i,
			     (unsigned char)scene->ptr[i], (unsigned char)scene->shadow[i]);
	}
	vcm_buffer_end(scene->dmabuf, DMA_BUF_SYNC_READ);
}

static void scene_fini(struct scene *scene)
{
	assert_as_shadow(scene, 0, scene->size);
	vcm_importer_release(scene->importer, scene->handle);
	assert_as_shadow(scene, 0, scene->size);
	vcm_buffer_unmap(scene->ptr, scene->size);
	free(scene->shadow);
	close(scene->dmabuf);
}

/* The CPU writes something new at @offset. */
static void cpu_write(struct scene *scene, uint64_t offset, uint32_t len)
{
	uint64_t pattern[BYTES / sizeof(uint64_t)];

	igt_assert_lte(len, sizeof(pattern));
	vcm_fill(pattern, sizeof(pattern), scene->seed++);
	vcm_buffer_begin(scene->dmabuf, DMA_BUF_SYNC_WRITE);
	memcpy(scene->ptr + offset, pattern, len);
	vcm_buffer_end(scene->dmabuf, DMA_BUF_SYNC_WRITE);
	memcpy(scene->shadow + offset, pattern, len);
}

/* The device reads what the CPU just wrote at @from and writes it at @to. */
static void carry(struct scene *scene, uint64_t from, uint64_t to, uint32_t len)
{
	cpu_write(scene, from, len);
	vcm_importer_read(scene->importer, scene->handle, from, len);
	vcm_importer_write(scene->importer, scene->handle, to, len);
	memcpy(scene->shadow + to, scene->shadow + from, len);
	assert_as_shadow(scene, to, len);
}

static void test_edges(int heap, int importer, enum vcm_chunk chunk)
{
	struct vcm_buffer_info info;
	struct scene scene;
	uint64_t first, last;

	scene_init(&scene, heap, importer, MIXED);
	vcm_buffer_info_read(scene.dmabuf, &info);
	if (!info.chunks[chunk])
		scene_fini(&scene);
	igt_require_f(info.chunks[chunk], "memory is too fragmented\n");

	first = vcm_chunk_start(&info, chunk);
	last = first + vcm_chunk_size(chunk) - BYTES;
	carry(&scene, first, last, BYTES);
	carry(&scene, last, first, BYTES);
	scene_fini(&scene);
}

static void test_across_chunks(int heap, int importer)
{
	struct vcm_buffer_info info;
	struct scene scene;
	uint64_t border, previous = 0;
	int chunk;

	scene_init(&scene, heap, importer, MIXED);
	vcm_buffer_info_read(scene.dmabuf, &info);
	for (chunk = VCM_CHUNK_1M; chunk < VCM_CHUNKS; chunk++) {
		border = vcm_chunk_start(&info, chunk);
		if (!border || border >= scene.size)
			continue;
		carry(&scene, border - BYTES / 2, previous, BYTES);
		carry(&scene, previous, border - BYTES / 2, BYTES);
		previous = border - BYTES / 2;
	}
	scene_fini(&scene);
}

static void test_any_byte(int heap, int importer)
{
	struct scene scene;
	uint64_t page = vcm_page_size();

	scene_init(&scene, heap, importer, MIXED);
	carry(&scene, 1, scene.size - 1, 1);
	carry(&scene, page - 3, 5 * page - 1, 13);
	carry(&scene, scene.size - 777, 3 * page + 5, 777);
	scene_fini(&scene);
}

static void test_large(int heap, int importer)
{
	struct scene scene;

	scene_init(&scene, heap, importer, MIB(33));
	carry(&scene, 0, scene.size - BYTES, BYTES);
	carry(&scene, scene.size - BYTES, scene.size / 2 - BYTES / 2, BYTES);
	scene_fini(&scene);
}

static void test_two_devices(int heap, int importer)
{
	int other = vcm_importer_open(1);
	struct scene scene;
	uint32_t handle;

	vcm_importer_require_translation(other);
	scene_init(&scene, heap, importer, MIXED);
	handle = vcm_importer_import(other, scene.dmabuf);

	carry(&scene, 0, MIB(1), BYTES);
	vcm_importer_read(other, handle, MIB(1), BYTES);
	vcm_importer_write(other, handle, scene.size - BYTES, BYTES);
	memcpy(scene.shadow + scene.size - BYTES, scene.shadow + MIB(1), BYTES);
	assert_as_shadow(&scene, scene.size - BYTES, BYTES);

	cpu_write(&scene, MIB(2), BYTES);
	vcm_importer_read(other, handle, MIB(2), BYTES);
	vcm_importer_release(other, handle);
	carry(&scene, scene.size - BYTES, 0, BYTES);
	scene_fini(&scene);
}

static void test_two_imports(int heap, int importer)
{
	struct scene scene;
	uint32_t handle;

	scene_init(&scene, heap, importer, MIXED);
	handle = vcm_importer_import(importer, scene.dmabuf);
	cpu_write(&scene, 0, BYTES);
	vcm_importer_read(importer, scene.handle, 0, BYTES);
	vcm_importer_write(importer, handle, scene.size - BYTES, BYTES);
	memcpy(scene.shadow + scene.size - BYTES, scene.shadow, BYTES);
	assert_as_shadow(&scene, scene.size - BYTES, BYTES);

	vcm_importer_release(importer, handle);
	carry(&scene, scene.size - BYTES, KIB(512), BYTES);
	scene_fini(&scene);
}

static void test_two_buffers(int heap, int importer)
{
	struct scene one, two;

	scene_init(&one, heap, importer, MIXED);
	scene_init(&two, heap, importer, KIB(68));
	two.seed = 200;
	carry(&one, 0, KIB(64), BYTES);
	carry(&two, 0, KIB(64), BYTES);
	assert_as_shadow(&one, 0, one.size);
	scene_fini(&two);
	carry(&one, KIB(64), 0, BYTES);
	scene_fini(&one);
}

static void test_outlives_fd(int heap, int importer)
{
	uint64_t pattern[BYTES / sizeof(uint64_t)];
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint64_t end = vcm_buffer_size(dmabuf) - BYTES;
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	close(dmabuf);
	vcm_fill(pattern, BYTES, 1);
	vcm_importer_kernel_write(importer, handle, 0, BYTES, pattern);
	vcm_importer_read(importer, handle, 0, BYTES);
	vcm_importer_write(importer, handle, end, BYTES);
	memset(pattern, 0, BYTES);
	vcm_importer_kernel_read(importer, handle, end, BYTES, pattern);
	vcm_assert_filled(pattern, BYTES, 1);
	vcm_importer_release(importer, handle);
}

int igt_main()
{
	static const struct {
		const char *name;
		enum vcm_chunk chunk;
	} edges[] = {
		{ "2m", VCM_CHUNK_2M },
		{ "1m", VCM_CHUNK_1M },
		{ "64k", VCM_CHUNK_64K },
		{ "page", VCM_CHUNK_PAGE },
	};
	static struct vcm_totals before;
	static int heap, importer;
	static int i;

	igt_fixture() {
		heap = vcm_heap_open();
		importer = vcm_importer_open(0);
		vcm_importer_require_translation(importer);
		vcm_require_debugfs();
		vcm_compact_memory();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(edges); i++)
		vcm_subtest_f(test_edges(heap, importer, edges[i].chunk),
			      "The device reads and writes right at both ends of a chunk",
			      "edges-%s", edges[i].name);

	vcm_subtest("across-chunks", test_across_chunks(heap, importer),
		    "A transfer may cross from one chunk into the next");
	vcm_subtest("any-byte", test_any_byte(heap, importer),
		    "Transfers start at any byte and have any length");
	vcm_subtest("large", test_large(heap, importer),
		    "The ends of a buffer of many chunks are where the device expects them");
	vcm_subtest("two-devices", test_two_devices(heap, importer),
		    "What one device writes another reads");
	vcm_subtest("two-imports", test_two_imports(heap, importer),
		    "Two imports of one buffer are the same memory");
	vcm_subtest("two-buffers", test_two_buffers(heap, importer),
		    "Buffers imported at the same time are different memory");
	vcm_subtest("outlives-fd", test_outlives_fd(heap, importer),
		    "The device works on a buffer when all file descriptors are closed");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
