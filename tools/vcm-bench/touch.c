// SPDX-License-Identifier: GPL-2.0
/*
 * A program's view of a buffer: mmap(), first touch, and copying.
 *
 * An exporter cannot choose the address. A program that wants huge page table
 * entries reserves addresses, and maps the buffer over them where they are
 * aligned. It can reserve once and for all, so that is not timed.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "report.h"
#include "touch.h"

#define HUGE_PAGE MIB(2)

/* Copied piece by piece, so that the other side stays the same few pages. */
#define PIECE KIB(64)

/* Reserved addresses and a buffer in them */
struct window {
	char *start;	/* the addresses */
	uint64_t bytes;	/* how many */
	char *addr;	/* where the buffer is */
};

static void window_reserve(struct window *window, uint64_t len, enum place place)
{
	uintptr_t aligned;

	window->bytes = len + 2 * HUGE_PAGE;
	window->start = mmap(NULL, window->bytes, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (window->start == MAP_FAILED)
		die("%llu bytes of addresses: %s", (unsigned long long)window->bytes,
		    strerror(errno));
	aligned = ((uintptr_t)window->start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	window->addr = (char *)aligned + (place == PLACE_SHIFTED ? KIB(4) : 0);
}

static void window_map(struct window *window, int dmabuf, uint64_t len)
{
	if (mmap(window->addr, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf,
		 0) == MAP_FAILED)
		die("mmap of %llu bytes: %s", (unsigned long long)len, strerror(errno));
}

static void window_free(struct window *window)
{
	munmap(window->start, window->bytes);
}

static void write_each(char *addr, uint64_t len, uint64_t step)
{
	uint64_t offset;

	for (offset = 0; offset < len; offset += step)
		*(volatile char *)(addr + offset) = 1;
}

struct touch touch_buffer(int dmabuf, uint64_t len, enum place place, uint64_t step)
{
	struct window window;
	struct touch touch;
	uint64_t start;

	window_reserve(&window, len, place);
	start = now_ns();
	window_map(&window, dmabuf, len);
	touch.mmap = now_ns() - start;
	write_each(window.addr, len, step);
	touch.touch = now_ns() - start;
	window_free(&window);
	return touch;
}

uint64_t copy_buffer(int dmabuf, uint64_t len)
{
	static char piece[PIECE];
	struct window window;
	uint64_t start, offset;

	window_reserve(&window, len, PLACE_ALIGNED);
	window_map(&window, dmabuf, len);
	write_each(window.addr, len, KIB(4));
	memset(piece, 1, sizeof(piece));
	start = now_ns();
	for (offset = 0; offset < len; offset += PIECE) {
		memcpy(piece, window.addr + offset, len - offset < PIECE ? len - offset : PIECE);
		/* Nobody looks at the copy, but it has to be made. */
		__asm__ volatile("" : : "r"(piece) : "memory");
	}
	start = now_ns() - start;
	window_free(&window);
	return start;
}
