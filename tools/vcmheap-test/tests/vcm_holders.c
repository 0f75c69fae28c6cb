// SPDX-License-Identifier: MIT
/*
 * What the kernel's own statistics of DMA-BUFs tell of vcm heap buffers and who has them,
 * and buffers of another exporter beside them in one importer.
 */

#include <sys/ioctl.h>

#include <linux/udmabuf.h>

#include "vcm_holders.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Who has vcm heap buffers, as the kernel tells it, and udmabuf beside them.");

#define SIZE (MIB(3) + KIB(68))
/* By a device that takes its time. */
#define COPIED KIB(16)

/* ---- who has a buffer ---- */

static void test_fdinfo(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE), other;
	char exporter[64];
	void *ptr;

	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "size"), SIZE);
	igt_assert(vcm_fdinfo(dmabuf, "exp_name", exporter, sizeof(exporter)));
	igt_assert_f(!strcmp(exporter, DMA_HEAP_VCM_NAME), "exporter is \"%s\"\n", exporter);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 1);
	ptr = vcm_buffer_map(dmabuf);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 2);
	other = dup(dmabuf);
	/* Of the same file. */
	igt_assert_eq_u64(vcm_fdinfo_number(other, "count"), 3);
	close(other);
	vcm_buffer_unmap(ptr, SIZE);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 1);
}

static void test_fdinfo_importer(int heap, int importer, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	uint32_t handle, gem;

	handle = vcm_importer_import(importer, dmabuf);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 2);
	gem = prime_fd_to_handle(vgem, dmabuf);
	igt_assert_lte_u64(3, vcm_fdinfo_number(dmabuf, "count"));
	gem_close(vgem, gem);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 2);
	vcm_importer_release(importer, handle);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 1);
}

static void test_bufinfo(int heap, int importer, int vgem)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	uint64_t ino = vcm_buffer_ino(dmabuf);
	struct vcm_buffer_info own;
	struct vcm_bufinfo info;
	uint32_t handle, gem;

	vcm_buffer_set_name(dmabuf, "frame");
	igt_assert(__vcm_bufinfo_read(ino, &info));
	igt_assert_eq_u64(info.size, SIZE);
	igt_assert_f(!strcmp(info.exporter, DMA_HEAP_VCM_NAME), "exporter is \"%s\"\n", info.exporter);
	igt_assert_f(!strcmp(info.name, "frame"), "name is \"%s\"\n", info.name);
	igt_assert_eq(info.devices, 0);

	handle = vcm_importer_import(importer, dmabuf);
	gem = prime_fd_to_handle(vgem, dmabuf);
	igt_assert(__vcm_bufinfo_read(ino, &info));
	igt_assert_eq(info.devices, 2);
	igt_assert(vcm_bufinfo_has(&info, "vgem"));
	/* The same as the heap's own list tells, of who maps it too. */
	vcm_buffer_info_read(dmabuf, &own);
	igt_assert_eq(own.attachments, 2);
	igt_assert(vcm_bufinfo_has(&info, own.attachment[0].device));
	igt_assert(vcm_bufinfo_has(&info, own.attachment[1].device));

	gem_close(vgem, gem);
	close(dmabuf);
	igt_assert(__vcm_bufinfo_read(ino, &info));
	igt_assert_eq(info.devices, 1);
	vcm_importer_release(importer, handle);
	igt_assert(!__vcm_bufinfo_read(ino, &info));
}

static void test_bpf(int heap, int importer)
{
	int iterator = vcm_bpf_iterator_open();
	int dmabuf = vcm_heap_alloc(heap, SIZE), other = vcm_heap_alloc(heap, KIB(64));
	uint64_t ino = vcm_buffer_ino(dmabuf), other_ino = vcm_buffer_ino(other);
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	igt_assert_eq_u64(vcm_bpf_size_of(iterator, ino), SIZE);
	igt_assert_eq_u64(vcm_bpf_size_of(iterator, other_ino), KIB(64));
	close(other);
	igt_assert_eq_u64(vcm_bpf_size_of(iterator, other_ino), 0);
	close(dmabuf);
	igt_assert_eq_u64(vcm_bpf_size_of(iterator, ino), SIZE);
	vcm_importer_release(importer, handle);
	igt_assert_eq_u64(vcm_bpf_size_of(iterator, ino), 0);
}

/* ---- two exporters, one importer ---- */

/* Returns a DMA-BUF of the pages of a file in memory. */
static int udmabuf_alloc(uint64_t size)
{
	int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, dmabuf;
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };

	igt_require_f(udmabuf >= 0, "no /dev/udmabuf: %s\n", strerror(errno));
	memfd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	igt_assert(memfd >= 0);
	igt_assert_eq(ftruncate(memfd, size), 0);
	igt_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	create.memfd = memfd;
	dmabuf = ioctl(udmabuf, UDMABUF_CREATE, &create);
	igt_assert_f(dmabuf >= 0, "udmabuf: %s\n", strerror(errno));
	close(memfd);
	close(udmabuf);
	/* It has the direction of the first access for good, which the DMA API objects to. */
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	return dmabuf;
}

/* The device copies through its RAM. */
static void device_copy(int importer, uint32_t from, uint32_t to, uint64_t size)
{
	uint64_t at;

	for (at = 0; at < size; at += VCM_EDU_RAM_SIZE) {
		vcm_importer_read(importer, from, at, VCM_EDU_RAM_SIZE);
		vcm_importer_write(importer, to, at, VCM_EDU_RAM_SIZE);
	}
}

static void test_udmabuf(int heap, int importer, bool to_vcm)
{
	int ours = vcm_heap_alloc(heap, COPIED), theirs = udmabuf_alloc(COPIED);
	int from = to_vcm ? theirs : ours, to = to_vcm ? ours : theirs;
	uint32_t from_handle, to_handle;

	vcm_buffer_fill(from, 1);
	from_handle = vcm_importer_import(importer, from);
	to_handle = vcm_importer_import(importer, to);
	device_copy(importer, from_handle, to_handle, COPIED);
	vcm_buffer_assert_filled(to, 1);
	vcm_buffer_assert_filled(from, 1);
	/* Either goes without the other. */
	vcm_importer_release(importer, from_handle);
	close(from);
	vcm_buffer_fill(to, 2);
	vcm_importer_read(importer, to_handle, 0, VCM_EDU_RAM_SIZE);
	vcm_importer_release(importer, to_handle);
	vcm_buffer_assert_filled(to, 2);
}

static void test_udmabuf_told_apart(int heap, int vgem)
{
	int ours = vcm_heap_alloc(heap, COPIED), theirs = udmabuf_alloc(COPIED);
	uint32_t our_gem = prime_fd_to_handle(vgem, ours);
	uint32_t their_gem = prime_fd_to_handle(vgem, theirs);
	struct vcm_buffer_info own;
	struct vcm_bufinfo info;

	igt_assert_neq(our_gem, their_gem);
	igt_assert(__vcm_bufinfo_read(vcm_buffer_ino(theirs), &info));
	igt_assert_f(strcmp(info.exporter, DMA_HEAP_VCM_NAME), "udmabuf's is \"%s\"\n", info.exporter);
	igt_assert(vcm_bufinfo_has(&info, "vgem"));
	igt_assert(__vcm_buffer_info_read(vcm_buffer_ino(ours), &own));
	igt_assert(!__vcm_buffer_info_read(vcm_buffer_ino(theirs), &own));
	gem_close(vgem, our_gem);
	igt_assert(__vcm_bufinfo_read(vcm_buffer_ino(theirs), &info));
	igt_assert_eq(info.devices, 1);
	gem_close(vgem, their_gem);
}

int igt_main()
{
	static struct vcm_totals before;
	static int heap, importer, vgem;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
		importer = vcm_importer_open_reaching();
		vgem = drm_open_driver(DRIVER_VGEM);
		vcm_totals_read(&before);
	}

	vcm_subtest("fdinfo", test_fdinfo(heap),
		    "The file descriptor tells what the buffer is, and how many have it");
	vcm_subtest("fdinfo-importer", test_fdinfo_importer(heap, importer, vgem),
		    "Importers count among those who have a buffer");
	vcm_subtest("bufinfo", test_bufinfo(heap, importer, vgem),
		    "debugfs tells who is attached, and the heap's own list agrees");
	vcm_subtest("bpf", test_bpf(heap, importer),
		    "A BPF program sees a buffer for as long as somebody has it");
	vcm_subtest("udmabuf-to-vcm", test_udmabuf(heap, importer, true),
		    "A device copies from a udmabuf to a buffer of the heap");
	vcm_subtest("vcm-to-udmabuf", test_udmabuf(heap, importer, false),
		    "A device copies from a buffer of the heap to a udmabuf");
	vcm_subtest("udmabuf-told-apart", test_udmabuf_told_apart(heap, vgem),
		    "Buffers of both in one importer are told apart");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
