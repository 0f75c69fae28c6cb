// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers imported by a device: attachments and their life, and the
 * sample importer's answers to bad arguments.
 */

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include <linux/userfaultfd.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers imported by a device: attachments and their life.");

#define MIXED (MIB(3) + KIB(68))

/* Far more than an open file may have. */
#define NEVER_A_HANDLE 0x7fffffff

static void test_lengths(int heap, int importer)
{
	static const uint64_t lengths[] = { 1, KIB(4), KIB(64), KIB(68), MIB(1), MIXED, MIB(33) };
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		int dmabuf = vcm_heap_alloc(heap, lengths[i]);
		struct vcm_edu_import import;

		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
		igt_assert(import.handle);
		igt_assert_lte(1, import.nents);
		igt_assert_eq_u64(import.length, vcm_page_align(lengths[i]));
		vcm_importer_release(importer, import.handle);
		close(dmabuf);
	}
}

static void test_visible(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	struct vcm_buffer_info info;
	struct vcm_edu_import import;
	struct vcm_totals before, now;

	vcm_totals_read(&before);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	vcm_totals_read(&now);
	igt_assert_eq_u64(now.attachments, before.attachments + 1);

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert(info.attachment[0].mapped);
	igt_assert(info.attachment[0].translated);
	igt_assert_eq_u64(info.attachment[0].iova, import.iova);
	igt_assert_eq(info.attachment[0].segments, import.nents);

	vcm_importer_release(importer, import.handle);
	vcm_totals_assert_back(&before);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 0);
}

/*
 * On the second device, which reaches all memory of a small machine also where
 * no IOMMU translates for it.
 */
static void test_no_physical_address(int heap)
{
	int importer = vcm_importer_open(1);
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	struct vcm_edu_info device = {};
	struct vcm_buffer_info info;
	const char *at;
	char *text;

	igt_assert_eq(__vcm_importer_info(importer, &device), 0);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachment[0].translated, !!(device.flags & VCM_EDU_TRANSLATED));

	text = vcm_debugfs_read("buffers");
	at = text;
	while ((at = strstr(at, "0x"))) {
		igt_assert_f(at - text >= 5 && !strncmp(at - 5, "iova=", 5),
			     "a number that is no IOVA: \"%.20s\"\n", at);
		at += 2;
	}
	free(text);
	vcm_importer_release(importer, handle);
}

static void test_within_reach(int heap, int importer)
{
	static const uint64_t lengths[] = { KIB(4), MIXED, MIB(33) };
	struct vcm_edu_info device;
	int i;

	igt_assert_eq(__vcm_importer_info(importer, &device), 0);
	igt_assert_lte(1, device.dma_bits);
	igt_assert_lte(device.dma_bits, 64);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		int dmabuf = vcm_heap_alloc(heap, lengths[i]);
		struct vcm_edu_import import;

		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
		igt_assert_neq_u64(import.iova, VCM_EDU_IOVA_NONE);
		igt_assert_eq_u64((import.iova + import.length - 1) >> (device.dma_bits - 1) >> 1,
				  0);
		vcm_importer_release(importer, import.handle);
		close(dmabuf);
	}
}

static void test_twice(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	struct vcm_edu_import one, two;
	struct vcm_buffer_info info;
	char byte;

	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &one), 0);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &two), 0);
	igt_assert_neq(one.handle, two.handle);
	igt_assert_neq_u64(one.iova, two.iova);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 2);

	vcm_importer_release(importer, one.handle);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert_eq_u64(info.attachment[0].iova, two.iova);
	igt_assert_eq(__vcm_importer_access(importer, one.handle, 0, 0, 1, &byte), -ENOENT);
	vcm_importer_kernel_read(importer, two.handle, 0, 1, &byte);

	vcm_importer_release(importer, two.handle);
}

static void test_two_devices(int heap, int importer)
{
	int other = vcm_importer_open(1);
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t one = vcm_importer_import(importer, dmabuf);
	uint32_t two = vcm_importer_import(other, dmabuf);
	struct vcm_buffer_info info;

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 2);
	igt_assert(info.attachment[0].mapped && info.attachment[1].mapped);
	igt_assert_f(strcmp(info.attachment[0].device, info.attachment[1].device),
		     "both are \"%s\"\n", info.attachment[0].device);

	vcm_importer_release(importer, one);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	vcm_importer_release(other, two);
}

static void test_with_vgem(int heap, int importer)
{
	int vgem = drm_open_driver(DRIVER_VGEM);
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t gem = prime_fd_to_handle(vgem, dmabuf);
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	struct vcm_buffer_info info;
	void *ptr = vcm_buffer_map(dmabuf);
	uint64_t word = 0;

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 2);

	vcm_fill(ptr, MIXED, 1);
	gem_close(vgem, gem);
	vcm_importer_kernel_read(importer, handle, 0, sizeof(word), &word);
	vcm_assert_filled(&word, sizeof(word), 1);

	vcm_buffer_unmap(ptr, MIXED);
	vcm_importer_release(importer, handle);
}

static void test_release(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	char byte;

	vcm_importer_release(importer, handle);
	igt_assert_eq(__vcm_importer_release(importer, handle), -ENOENT);
	igt_assert_eq(__vcm_importer_access(importer, handle, 0, 0, 1, &byte), -ENOENT);
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_TO_DEVICE, 0, 8, 0), -ENOENT);
}

static void test_close_releases(int heap)
{
	int importer = vcm_importer_open_reaching();
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < 8; i++) {
		int dmabuf = vcm_heap_alloc(heap, MIXED);

		vcm_importer_import(importer, dmabuf);
		vcm_importer_import(importer, dmabuf);
		close(dmabuf);
	}
	close(importer);
	vcm_totals_assert_back(&before);
}

static void test_outlives_fd(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	uint64_t ino = vcm_buffer_ino(dmabuf);
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	void *copy = malloc(KIB(64));
	struct vcm_buffer_info info;
	void *ptr = vcm_buffer_map(dmabuf);

	igt_assert(copy);
	vcm_fill(ptr, KIB(64), 1);
	vcm_buffer_unmap(ptr, KIB(64));
	close(dmabuf);

	igt_assert(__vcm_buffer_info_read(ino, &info));
	vcm_importer_kernel_read(importer, handle, 0, KIB(64), copy);
	vcm_assert_filled(copy, KIB(64), 1);
	vcm_importer_release(importer, handle);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
	free(copy);
}

static void test_cpu_access(int heap, int importer)
{
	static const uint64_t accesses[] = {
		DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW,
	};
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	uint32_t one = vcm_importer_import(importer, dmabuf);
	uint32_t two = vcm_importer_import(importer, dmabuf);
	int i;

	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		vcm_buffer_end(dmabuf, accesses[i]);
		vcm_buffer_begin(dmabuf, accesses[i]);
		vcm_buffer_begin(dmabuf, accesses[i]);
		vcm_buffer_end(dmabuf, accesses[i]);
	}
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_importer_release(importer, one);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	vcm_importer_release(importer, two);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
}

/*
 * A buffer so small that all rounds together fit into what the device can
 * address: an IOMMU may take its time to make addresses free again.
 */
static void test_again(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(68));
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < 200; i++)
		vcm_importer_release(importer, vcm_importer_import(importer, dmabuf));
	vcm_totals_assert_back(&before);
}

static void test_as_many_as_allowed(int heap)
{
	int importer = vcm_importer_open_reaching();
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	struct vcm_edu_import import = {};
	struct vcm_totals before;
	uint32_t last = 0;
	int i, ret = 0;

	vcm_totals_read(&before);
	for (i = 0; i < 4096 && !ret; i++) {
		last = import.handle;
		ret = __vcm_importer_import(importer, dmabuf, &import);
	}
	igt_assert_eq(ret, -ENOSPC);

	vcm_importer_release(importer, last);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	close(importer);
	vcm_totals_assert_back(&before);
}

static void assert_import_refused(int importer, int fd, uint32_t flags, int error)
{
	struct vcm_edu_import import = { .fd = fd, .flags = flags };

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, &import), error);
}

/* The kernel can read the argument, does its work, and cannot write the result. */
static void assert_import_undone(int importer, int dmabuf)
{
	struct vcm_edu_import *import;
	struct vcm_totals before;

	vcm_totals_read(&before);
	import = mmap(NULL, sizeof(*import), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(import != MAP_FAILED);
	import->fd = dmabuf;
	igt_assert_eq(mprotect(import, sizeof(*import), PROT_READ), 0);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, import), -EFAULT);
	munmap(import, sizeof(*import));
	vcm_totals_assert_back(&before);
}

static void test_refuses_import(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	igt_assert(null >= 0);
	assert_import_refused(importer, dmabuf, 1, -EINVAL);
	assert_import_refused(importer, dmabuf, VCM_EDU_IMPORT_READS | VCM_EDU_IMPORT_WRITES,
			      -EINVAL);
	assert_import_refused(importer, dmabuf, 1u << 31, -EINVAL);
	assert_import_refused(importer, -1, 0, -EBADF);
	assert_import_refused(importer, INT32_MAX, 0, -EBADF);
	assert_import_refused(importer, null, 0, -EINVAL);
	assert_import_refused(importer, importer, 0, -EINVAL);
	assert_import_refused(importer, heap, 0, -EINVAL);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, NULL), -EFAULT);
	assert_import_undone(importer, dmabuf);
}

static void test_refuses_dma(int heap, int importer)
{
	static const struct {
		uint32_t dir;
		uint64_t offset;
		uint32_t length, ram_offset;
		int error;
	} cases[] = {
		{ 2, 0, 8, 0, -EINVAL },
		{ ~0u, 0, 8, 0, -EINVAL },
		{ VCM_EDU_TO_DEVICE, 0, 0, 0, -EINVAL },
		{ VCM_EDU_TO_DEVICE, KIB(64), 1, 0, -ERANGE },
		{ VCM_EDU_TO_DEVICE, KIB(64) - 1, 2, 0, -ERANGE },
		{ VCM_EDU_FROM_DEVICE, KIB(64) - 7, 8, 0, -ERANGE },
		{ VCM_EDU_FROM_DEVICE, UINT64_MAX, 1, 0, -ERANGE },
		{ VCM_EDU_FROM_DEVICE, UINT64_MAX - 6, 8, 0, -ERANGE },
		{ VCM_EDU_FROM_DEVICE, 1ull << 32, 8, 0, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, VCM_EDU_RAM_SIZE + 1, 0, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, 2, VCM_EDU_RAM_SIZE - 1, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, 1, VCM_EDU_RAM_SIZE, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, 8, ~0u, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, 8, ~0u - 6, -ERANGE },
		{ VCM_EDU_TO_DEVICE, 0, ~0u, 8, -ERANGE },
	};
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	int other = vcm_importer_open(0);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = __vcm_importer_dma(importer, handle, cases[i].dir, cases[i].offset,
					     cases[i].length, cases[i].ram_offset);

		igt_assert_f(ret == cases[i].error, "case %d: %d, not %d\n", i, ret,
			     cases[i].error);
	}
	igt_assert_eq(__vcm_importer_dma(importer, 0, 0, 0, 8, 0), -ENOENT);
	igt_assert_eq(__vcm_importer_dma(importer, NEVER_A_HANDLE, 0, 0, 8, 0), -ENOENT);
	igt_assert_eq(__vcm_importer_dma(importer, ~0u, 0, 0, 8, 0), -ENOENT);
	igt_assert_eq(__vcm_importer_dma(other, handle, 0, 0, 8, 0), -ENOENT);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_DMA, NULL), -EFAULT);
	vcm_importer_release(importer, handle);
}

/* How long a device that is held up is waited for: this is no limit, only an end. */
#define HELD_UP_SECONDS 30

/* An access to user memory that is not there yet */
struct slow {
	int importer;		/* the importer */
	uint32_t handle;	/* a buffer */
	uint32_t write;		/* to the buffer */
	int uffd;		/* tells of the fault, and ends it */
	void *page;		/* the memory */
	int ret;		/* what came of the access */
	bool given;		/* page is there */
	pthread_mutex_t lock;	/* protects over */
	bool over;		/* nobody waits any more */
	pthread_cond_t ended;	/* over was set */
};

static void slow_init(struct slow *slow)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	pthread_mutex_init(&slow->lock, NULL);
	pthread_cond_init(&slow->ended, NULL);
	slow->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	igt_require_f(slow->uffd >= 0, "no userfaultfd: %s\n", strerror(errno));
	igt_assert_eq(ioctl(slow->uffd, UFFDIO_API, &api), 0);
	slow->page = mmap(NULL, vcm_page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(slow->page != MAP_FAILED);
	reg.range.start = (uintptr_t)slow->page;
	reg.range.len = vcm_page_size();
	igt_assert_eq(ioctl(slow->uffd, UFFDIO_REGISTER, &reg), 0);
}

static void slow_give(struct slow *slow)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)slow->page, .len = vcm_page_size() },
	};

	slow->given = true;
	ioctl(slow->uffd, UFFDIO_ZEROPAGE, &zero);
}

static void *slow_access(void *data)
{
	struct slow *slow = data;

	slow->ret = __vcm_importer_access(slow->importer, slow->handle, slow->write, 0, 8,
					  slow->page);
	return NULL;
}

/* So that a failure ends, too. */
static void *slow_rescue(void *data)
{
	struct slow *slow = data;
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += HELD_UP_SECONDS;
	pthread_mutex_lock(&slow->lock);
	while (!slow->over)
		if (pthread_cond_timedwait(&slow->ended, &slow->lock, &end))
			break;
	if (!slow->over)
		slow_give(slow);
	pthread_mutex_unlock(&slow->lock);
	return NULL;
}

/* By now, has it been given? If not, it is. */
static bool slow_end(struct slow *slow)
{
	bool given;

	pthread_mutex_lock(&slow->lock);
	given = slow->given;
	slow->over = true;
	pthread_cond_signal(&slow->ended);
	if (!given)
		slow_give(slow);
	pthread_mutex_unlock(&slow->lock);
	return given;
}

static void slow_once(int importer, uint32_t handle, bool write)
{
	struct slow slow = { .importer = importer, .handle = handle, .write = write };
	int other = vcm_importer_open(0);
	struct vcm_edu_info info;
	pthread_t access, rescue;
	struct uffd_msg msg;
	bool given;

	slow_init(&slow);
	igt_assert_eq(pthread_create(&access, NULL, slow_access, &slow), 0);
	/* It is in the middle of the copy once the fault is told. */
	igt_assert_eq(read(slow.uffd, &msg, sizeof(msg)), sizeof(msg));
	igt_assert_eq(msg.event, UFFD_EVENT_PAGEFAULT);
	igt_assert_eq(pthread_create(&rescue, NULL, slow_rescue, &slow), 0);

	igt_assert_eq(__vcm_importer_info(other, &info), 0);
	given = slow_end(&slow);
	pthread_join(rescue, NULL);
	pthread_join(access, NULL);
	igt_assert_f(!given, "the device was held up\n");
	igt_assert_eq(slow.ret, 0);
	munmap(slow.page, vcm_page_size());
	close(slow.uffd);
	close(other);
}

static void test_slow_user(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64));
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	slow_once(importer, handle, true);
	slow_once(importer, handle, false);
	vcm_importer_release(importer, handle);
}

static void test_refuses_access(int heap, int importer)
{
	static const struct {
		uint32_t write;
		uint64_t offset;
		uint32_t length;
		int error;
	} cases[] = {
		{ 2, 0, 8, -EINVAL },
		{ ~0u, 0, 8, -EINVAL },
		{ 0, 0, 0, -EINVAL },
		{ 0, 0, VCM_EDU_ACCESS_MAX + 1, -ERANGE },
		{ 0, 0, ~0u, -ERANGE },
		{ 0, KIB(128), 1, -ERANGE },
		{ 1, KIB(128) - 1, 2, -ERANGE },
		{ 1, UINT64_MAX, 1, -ERANGE },
		{ 1, UINT64_MAX - 6, 8, -ERANGE },
	};
	static char memory[KIB(128)];
	int dmabuf = vcm_heap_alloc(heap, KIB(128));
	uint32_t handle = vcm_importer_import(importer, dmabuf);
	struct vcm_edu_access reserved = {
		.handle = handle, .length = 8, .reserved = 1, .user = (uintptr_t)memory,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = __vcm_importer_access(importer, handle, cases[i].write,
						cases[i].offset, cases[i].length, memory);

		igt_assert_f(ret == cases[i].error, "case %d: %d, not %d\n", i, ret,
			     cases[i].error);
	}
	igt_assert_eq(__vcm_importer_access(importer, 0, 0, 0, 8, memory), -ENOENT);
	igt_assert_eq(__vcm_importer_access(importer, NEVER_A_HANDLE, 0, 0, 8, memory), -ENOENT);
	igt_assert_eq(__vcm_importer_access(importer, handle, 0, 0, 8, NULL), -EFAULT);
	igt_assert_eq(__vcm_importer_access(importer, handle, 1, 0, 8, NULL), -EFAULT);
	igt_assert_eq(__vcm_importer_access(importer, handle, 1, 0, 8, (void *)~0ul), -EFAULT);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_ACCESS, &reserved), -EINVAL);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_ACCESS, NULL), -EFAULT);
	vcm_importer_release(importer, handle);
}

static void test_refuses_release(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(4));
	struct vcm_edu_release release = {
		.handle = vcm_importer_import(importer, dmabuf),
		.reserved = 1,
	};
	int other = vcm_importer_open(0);

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_RELEASE, &release), -EINVAL);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_RELEASE, NULL), -EFAULT);
	igt_assert_eq(__vcm_importer_release(importer, 0), -ENOENT);
	igt_assert_eq(__vcm_importer_release(importer, NEVER_A_HANDLE), -ENOENT);
	igt_assert_eq(__vcm_importer_release(importer, ~0u), -ENOENT);
	igt_assert_eq(__vcm_importer_release(other, release.handle), -ENOENT);
	vcm_importer_release(importer, release.handle);
	igt_assert_eq(__vcm_importer_release(importer, release.handle), -ENOENT);
}

static void test_refuses_unknown_ioctl(int importer)
{
	char arg[4096] = {};

	igt_assert_eq(__vcm_importer_ioctl(importer, _IO(VCM_EDU_IOC_MAGIC, 0x7f), arg), -ENOTTY);
	igt_assert_eq(__vcm_importer_ioctl(importer, _IOWR(VCM_EDU_IOC_MAGIC, 0, arg), arg),
		      -ENOTTY);
	igt_assert_eq(__vcm_importer_ioctl(importer, _IOWR(VCM_EDU_IOC_MAGIC, 0, uint32_t), arg),
		      -ENOTTY);
}

int igt_main()
{
	static struct vcm_totals before;
	static int heap, importer;

	igt_fixture() {
		heap = vcm_heap_open();
		importer = vcm_importer_open_reaching();
		vcm_require_debugfs();
		vcm_totals_read(&before);
	}

	vcm_subtest("lengths", test_lengths(heap, importer),
		    "Buffers of all sizes import, and the importer learns their length");

	igt_subtest_group() {
		igt_fixture()
			vcm_importer_require_translation(importer);

		vcm_subtest("visible", test_visible(heap, importer),
			    "An import is shown with the device's address and segments");
		vcm_subtest("within-device-reach", test_within_reach(heap, importer),
			    "The device's address of a buffer is one that the device can reach");
		vcm_subtest("twice", test_twice(heap, importer),
			    "Importing a buffer twice gives two imports that live apart");
		vcm_subtest("two-devices", test_two_devices(heap, importer),
			    "Two devices import one buffer at the same time");
	}

	vcm_subtest("no-physical-address", test_no_physical_address(heap),
		    "No address is shown but the ones that an IOMMU translates");
	vcm_subtest("with-vgem", test_with_vgem(heap, importer),
		    "A device and a DRM driver import one buffer at the same time");
	vcm_subtest("release", test_release(heap, importer),
		    "A released import is gone, and its handle is refused");
	vcm_subtest("close-releases", test_close_releases(heap),
		    "Closing the device lets go of what is still imported");
	vcm_subtest("outlives-fd", test_outlives_fd(heap, importer),
		    "An import keeps the buffer when all file descriptors are closed");
	vcm_subtest("cpu-access", test_cpu_access(heap, importer),
		    "CPU access periods work on a buffer that devices have mapped");
	vcm_subtest("again-and-again", test_again(heap, importer),
		    "Importing and releasing many times uses nothing up");
	vcm_subtest("as-many-as-allowed", test_as_many_as_allowed(heap),
		    "The number of imports has a limit, and reaching it leaves nothing behind");
	vcm_subtest("refuses-import", test_refuses_import(heap, importer),
		    "Imports with bad arguments are refused");
	vcm_subtest("user-memory-holds-nobody-up", test_slow_user(heap, importer),
		    "Who is slow to give or take what is copied keeps nobody waiting");
	vcm_subtest("refuses-dma", test_refuses_dma(heap, importer),
		    "Transfers outside the buffer or the device, or of another file, are refused");
	vcm_subtest("refuses-access", test_refuses_access(heap, importer),
		    "Copies outside the buffer or to bad memory are refused");
	vcm_subtest("refuses-release", test_refuses_release(heap, importer),
		    "Only an import can be released, and only once");
	vcm_subtest("refuses-unknown-ioctl", test_refuses_unknown_ioctl(importer),
		    "Requests that nobody defined are refused");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
