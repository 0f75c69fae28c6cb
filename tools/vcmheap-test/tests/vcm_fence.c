// SPDX-License-Identifier: MIT
/*
 * Fences on vcm heap buffers: work that another device is not done with. The other device
 * is vgem, which ends its work when it is told to.
 */

#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "vcm_fence.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Fences on vcm heap buffers, and who waits for them.");

#define SIZE (MIB(3) + KIB(68))
#define LONG_MS 30000

/* Returns those of POLLIN (may be read) and POLLOUT (may be written) that hold. */
static int ready(int dmabuf, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = dmabuf, .events = POLLIN | POLLOUT };

	igt_assert_lte(0, poll(&poll_fd, 1, timeout_ms));
	return poll_fd.revents;
}

/* While a device writes nobody may read; while it reads everybody may. */
static void test_poll(int heap, bool writes)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	struct vcm_pending pending;

	igt_assert_eq(ready(dmabuf, 0), POLLIN | POLLOUT);
	vcm_pending_begin(&pending, dmabuf, writes);
	igt_assert_eq(ready(dmabuf, 0), writes ? 0 : POLLIN);
	vcm_pending_end(&pending);
	igt_assert_eq(ready(dmabuf, LONG_MS), POLLIN | POLLOUT);
	vcm_pending_fini(&pending);
}

/* Who waits is woken. */
static void test_poll_waits(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	struct vcm_pending pending;

	vcm_pending_begin(&pending, dmabuf, true);
	igt_fork(child, 1) {
		struct pollfd poll_fd = { .fd = dmabuf, .events = POLLIN };

		igt_assert_eq(poll(&poll_fd, 1, LONG_MS), 1);
		igt_assert_eq(poll_fd.revents, POLLIN);
	}
	vcm_pending_end(&pending);
	igt_waitchildren();
	vcm_pending_fini(&pending);
}

static void test_export(int heap, bool writes)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE), before, read, write;
	struct vcm_pending pending;

	before = vcm_fence_export(dmabuf, DMA_BUF_SYNC_RW);
	vcm_pending_begin(&pending, dmabuf, writes);
	read = vcm_fence_export(dmabuf, DMA_BUF_SYNC_READ);
	write = vcm_fence_export(dmabuf, DMA_BUF_SYNC_WRITE);

	igt_assert(vcm_fence_signalled(before, 0));
	igt_assert_eq(vcm_fence_signalled(read, 0), !writes);
	igt_assert(!vcm_fence_signalled(write, 0));
	vcm_pending_end(&pending);
	igt_assert(vcm_fence_signalled(read, LONG_MS));
	igt_assert(vcm_fence_signalled(write, LONG_MS));
	vcm_pending_fini(&pending);
}

/* What is done to one buffer another one waits for, which nobody works on. */
static void test_import(int heap, bool writes)
{
	int first = vcm_heap_alloc(heap, SIZE), second = vcm_heap_alloc(heap, SIZE), fence;
	struct vcm_pending pending;

	vcm_pending_begin(&pending, first, true);
	fence = vcm_fence_export(first, DMA_BUF_SYNC_READ);
	igt_assert_eq(__vcm_fence_import(second, writes ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ,
					 fence), 0);
	close(fence);
	igt_assert_eq(ready(second, 0), writes ? 0 : POLLIN);
	fence = vcm_fence_export(second, DMA_BUF_SYNC_WRITE);
	igt_assert(!vcm_fence_signalled(fence, 0));
	vcm_pending_end(&pending);
	igt_assert_eq(ready(second, LONG_MS), POLLIN | POLLOUT);
	igt_assert(vcm_fence_signalled(fence, LONG_MS));
	vcm_pending_fini(&pending);
}

static void test_refused(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE), fence, bit;

	igt_assert_eq(__vcm_fence_export(dmabuf, 0, &fence), -EINVAL);
	for (bit = 2; bit < 32; bit++)
		igt_assert_eq(__vcm_fence_export(dmabuf, DMA_BUF_SYNC_RW | 1u << bit, &fence),
			      -EINVAL);
	fence = vcm_fence_export(dmabuf, DMA_BUF_SYNC_RW);
	igt_assert_eq(__vcm_fence_import(dmabuf, 0, fence), -EINVAL);
	igt_assert_eq(__vcm_fence_import(dmabuf, DMA_BUF_SYNC_RW | 1u << 2, fence), -EINVAL);
	igt_assert_eq(__vcm_fence_import(dmabuf, DMA_BUF_SYNC_RW, dmabuf), -EINVAL);
	igt_assert_eq(__vcm_fence_import(dmabuf, DMA_BUF_SYNC_RW, -1), -EINVAL);
	igt_assert_eq(ready(dmabuf, 0), POLLIN | POLLOUT);
}

/* ---- accesses of the CPU ---- */

/* A thread that begins an access */
struct access {
	int dmabuf;		/* to this buffer */
	uint64_t flags;		/* DMA_BUF_SYNC_READ and so on */
	volatile pid_t tid;	/* the thread, once it runs */
	volatile bool began;	/* the access has begun, or could not */
	int ret;		/* 0, or -errno then */
};

static void *access_begin(void *data)
{
	struct access *access = data;

	access->tid = syscall(SYS_gettid);
	/* A thread cannot assert anything. */
	access->ret = __vcm_buffer_sync(access->dmabuf, access->flags | DMA_BUF_SYNC_START);
	access->began = true;
	return NULL;
}

/* Does it wait in an ioctl? */
static bool waits_in_ioctl(pid_t tid)
{
	char path[64], *text, ioctl_number[16];
	bool waits;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	snprintf(ioctl_number, sizeof(ioctl_number), "%d ", (int)SYS_ioctl);
	text = vcm_file_read(path);
	igt_assert(text);
	/* "running" while it does. */
	waits = !strncmp(text, ioctl_number, strlen(ioctl_number));
	free(text);
	return waits;
}

static void test_begin_waits(int heap)
{
	struct access access = { .dmabuf = vcm_heap_alloc(heap, SIZE), .flags = DMA_BUF_SYNC_READ };
	struct vcm_pending pending;
	pthread_t thread;

	vcm_pending_begin(&pending, access.dmabuf, true);
	igt_assert_eq(pthread_create(&thread, NULL, access_begin, &access), 0);
	while (!access.tid || (!access.began && !waits_in_ioctl(access.tid)))
		usleep(1000);
	igt_assert_f(!access.began, "an access began while a device writes\n");
	vcm_pending_end(&pending);
	pthread_join(thread, NULL);
	igt_assert_eq(access.ret, 0);
	vcm_buffer_end(access.dmabuf, access.flags);
	vcm_pending_fini(&pending);
}

/* ---- the end ---- */

/* Who works on a buffer holds it; who has a fence alone does not. */
static void test_let_go(int heap)
{
	struct vcm_pending pending;
	struct vcm_totals before;
	int dmabuf, fence;

	vcm_totals_read(&before);
	dmabuf = vcm_heap_alloc(heap, SIZE);
	vcm_pending_begin(&pending, dmabuf, true);
	fence = vcm_fence_export(dmabuf, DMA_BUF_SYNC_READ);
	gem_close(pending.vgem, pending.bo.handle);
	close(dmabuf);
	vcm_totals_assert_back(&before);
	igt_assert(!vcm_fence_signalled(fence, 0));
	vcm_pending_end(&pending);
	igt_assert(vcm_fence_signalled(fence, LONG_MS));
	close(pending.vgem);
}

int igt_main()
{
	static int heap;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
	}

	vcm_subtest("poll-reader", test_poll(heap, false),
		    "A buffer that a device reads may be read, and not written");
	vcm_subtest("poll-writer", test_poll(heap, true),
		    "A buffer that a device writes may be neither read nor written");
	vcm_subtest("poll-waits", test_poll_waits(heap), "Who polls is woken when it is done");
	vcm_subtest("export-reader", test_export(heap, false),
		    "The fence for writers tells when a device is done with reading");
	vcm_subtest("export-writer", test_export(heap, true),
		    "The fences for readers and writers tell when a device is done with writing");
	vcm_subtest("import-reader", test_import(heap, false),
		    "Writers wait for a fence that is put into a buffer as a reader's");
	vcm_subtest("import-writer", test_import(heap, true),
		    "All wait for a fence that is put into a buffer as a writer's");
	vcm_subtest("refused", test_refused(heap),
		    "Flags and fences that are none are refused");
	vcm_subtest("begin-waits", test_begin_waits(heap),
		    "An access of the CPU begins when the device is done");
	vcm_subtest("let-go", test_let_go(heap),
		    "A buffer goes with who has it, and the fence that was in it is signalled later");
}
