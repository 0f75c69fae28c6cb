// SPDX-License-Identifier: MIT

#include "igt_vgem.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers imported into a DRM driver that knows nothing of the heap.");

#define SIZE (MIB(3) + KIB(68))

/*
 * A mapping through the importer: of its own object where the driver maps
 * imported objects, of the dma-buf that it hands out again where not.
 */
static void *map_imported(int vgem, uint32_t handle, size_t len)
{
	struct vgem_bo bo = { .handle = handle, .size = len };
	void *ptr = __vgem_mmap(vgem, &bo, PROT_READ | PROT_WRITE);
	int dmabuf;

	if (ptr)
		return ptr;

	dmabuf = prime_handle_to_fd_for_mmap(vgem, handle);
	igt_assert(dmabuf >= 0);
	igt_assert_eq_u64(vcm_buffer_size(dmabuf), len);
	ptr = vcm_buffer_map(dmabuf);
	close(dmabuf);
	return ptr;
}

static void test_import(int heap, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	struct vcm_buffer_info info;
	uint32_t handle;

	handle = prime_fd_to_handle(vgem, dmabuf);
	igt_assert(handle);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert_f(!strcmp(info.attachment[0].device, "vgem"), "attached to \"%s\"\n",
		     info.attachment[0].device);

	gem_close(vgem, handle);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 0);
}

static void test_contents(int heap, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);
	uint32_t handle = prime_fd_to_handle(vgem, dmabuf);
	void *imported = map_imported(vgem, handle, SIZE);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_assert_zero(imported, SIZE);
	vcm_fill(ptr, SIZE, 1);
	vcm_assert_filled(imported, SIZE, 1);
	vcm_fill(imported, SIZE, 2);
	vcm_assert_filled(ptr, SIZE, 2);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);

	vcm_buffer_unmap(imported, SIZE);
	vcm_buffer_unmap(ptr, SIZE);
	gem_close(vgem, handle);
}

static void test_same_handle(int heap, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	struct vcm_buffer_info info;
	uint32_t handle = prime_fd_to_handle(vgem, dmabuf);

	igt_assert_eq(prime_fd_to_handle(vgem, dmabuf), handle);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	gem_close(vgem, handle);
}

static void test_two_files(int heap, int vgem)
{
	int other = drm_open_driver(DRIVER_VGEM);
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	uint32_t one = prime_fd_to_handle(vgem, dmabuf);
	uint32_t two = prime_fd_to_handle(other, dmabuf);
	void *ptr_one = map_imported(vgem, one, SIZE);
	void *ptr_two = map_imported(other, two, SIZE);

	close(dmabuf);
	vcm_fill(ptr_one, SIZE, 1);
	vcm_assert_filled(ptr_two, SIZE, 1);
	gem_close(vgem, one);
	vcm_buffer_unmap(ptr_one, SIZE);
	vcm_assert_filled(ptr_two, SIZE, 1);
	vcm_buffer_unmap(ptr_two, SIZE);
	gem_close(other, two);
}

static void test_outlives_fd(int heap, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	uint64_t ino = vcm_buffer_ino(dmabuf);
	struct vcm_buffer_info info;
	uint32_t handle;
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_fill(ptr, SIZE, 1);
	vcm_buffer_unmap(ptr, SIZE);
	handle = prime_fd_to_handle(vgem, dmabuf);
	close(dmabuf);
	igt_assert(__vcm_buffer_info_read(ino, &info));

	ptr = map_imported(vgem, handle, SIZE);
	vcm_assert_filled(ptr, SIZE, 1);
	vcm_buffer_unmap(ptr, SIZE);
	gem_close(vgem, handle);
}

static void test_close_releases(int heap)
{
	struct vcm_totals before;
	int vgem, i;

	vcm_totals_read(&before);
	vgem = drm_open_driver(DRIVER_VGEM);
	for (i = 0; i < 16; i++) {
		int dmabuf = vcm_heap_alloc(heap, SIZE);

		prime_fd_to_handle(vgem, dmabuf);
		close(dmabuf);
	}
	close(vgem);
	vcm_totals_assert_back(&before);
}

int igt_main()
{
	static struct vcm_totals before;
	static int heap, vgem;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
		vgem = drm_open_driver(DRIVER_VGEM);
		vcm_totals_read(&before);
	}

	vcm_subtest("import", test_import(heap, vgem),
		    "A buffer imports, shows its importer, and lets go of it");
	vcm_subtest("contents", test_contents(heap, vgem),
		    "The CPU sees the same contents through the importer");
	vcm_subtest("same-handle", test_same_handle(heap, vgem),
		    "Importing a buffer twice into one DRM file gives the same handle");
	vcm_subtest("two-files", test_two_files(heap, vgem),
		    "Two DRM files import one buffer at the same time");
	vcm_subtest("outlives-fd", test_outlives_fd(heap, vgem),
		    "The importer keeps the buffer when all file descriptors are closed");
	vcm_subtest("close-releases", test_close_releases(heap),
		    "Closing the DRM file lets go of what is still imported");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
