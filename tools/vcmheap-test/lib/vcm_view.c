// SPDX-License-Identifier: MIT
/*
 * Mappings at addresses that a test chooses, and what they cost, for tests.
 */

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_view.h"

/*
 * Reserves addresses without any memory.
 * @skew: bytes from a multiple of VCM_HUGE_SIZE to where it begins
 */
void vcm_view_reserve(struct vcm_view *view, size_t len, size_t skew)
{
	uintptr_t start;

	view->len = len;
	view->area_len = len + skew + VCM_HUGE_SIZE;
	view->area = mmap(NULL, view->area_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(view->area != MAP_FAILED);
	start = ((uintptr_t)view->area + VCM_HUGE_SIZE - 1) & ~(VCM_HUGE_SIZE - 1);
	view->ptr = (char *)start + skew;
}

/*
 * Maps a part of a buffer at an address of that kind.
 * @skew: bytes from a multiple of VCM_HUGE_SIZE to where it begins
 */
void vcm_view_map(struct vcm_view *view, int dmabuf, uint64_t offset, size_t len, size_t skew,
		  int prot)
{
	void *ptr;

	vcm_view_reserve(view, len, skew);
	ptr = mmap(view->ptr, len, prot, MAP_SHARED | MAP_FIXED, dmabuf, offset);
	igt_assert(ptr == view->ptr);
}

/* @view: a view; what is not mapped any more does no harm */
void vcm_view_unmap(struct vcm_view *view)
{
	vcm_buffer_unmap(view->area, view->area_len);
}

static unsigned long minor_faults(void)
{
	struct rusage usage;

	igt_assert_eq(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_minflt;
}

/*
 * Returns whether the CPU notes by itself that a page was written to. Where it does not,
 * and that is so of many ARM CPUs, the first write to each page is a fault for that.
 */
bool vcm_cpu_marks_dirty(void)
{
	int memfd = memfd_create("dirty", MFD_CLOEXEC);
	volatile char *page;
	unsigned long faults;

	igt_assert(memfd >= 0);
	igt_assert_eq(ftruncate(memfd, vcm_page_size()), 0);
	page = mmap(NULL, vcm_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	igt_assert(page != MAP_FAILED);
	(void)*page;
	minor_faults();
	faults = minor_faults();
	*page = 1;
	faults = minor_faults() - faults;
	munmap((void *)page, vcm_page_size());
	close(memfd);
	return !faults;
}

/* Returns how many page faults the thread had of it. */
unsigned long vcm_touch(volatile void *ptr, size_t len, size_t step, bool write)
{
	volatile char *byte = ptr;
	unsigned long before;
	size_t at;

	/* Not those of the first call. */
	minor_faults();
	before = minor_faults();
	for (at = 0; at < len; at += step) {
		if (write)
			byte[at] = byte[at];
		else
			(void)byte[at];
	}
	return minor_faults() - before;
}

/* Returns bytes in the process's page tables, all levels. */
size_t vcm_page_tables(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t kib, found = 0;
	char line[256];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPTE: %zu kB", &kib) == 1)
			found = kib << 10;
	fclose(file);
	igt_assert(found);
	return found;
}

static sigjmp_buf touch_jmp;

static void on_signal(int sig)
{
	siglongjmp(touch_jmp, sig);
}

/* Returns the signal that this was answered with, or 0. */
int vcm_touch_signal(volatile void *ptr, bool write)
{
	static const int signals[] = { SIGSEGV, SIGBUS };
	struct sigaction action = { .sa_handler = on_signal }, old[ARRAY_SIZE(signals)];
	volatile char *byte = ptr;
	int i, sig;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		igt_assert_eq(sigaction(signals[i], &action, &old[i]), 0);
	sig = sigsetjmp(touch_jmp, 1);
	if (!sig) {
		if (write)
			*byte = 1;
		else
			(void)*byte;
	}
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	return sig;
}
