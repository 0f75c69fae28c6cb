// SPDX-License-Identifier: MIT
/*
 * How to map a buffer with large page-table entries: an example to copy.
 *
 * A chunk of 2 MiB is mapped by one entry of the page tables, and one page
 * fault, where its address is a multiple of 2 MiB. Chunks come in a buffer the
 * largest first, so that each of these begins at a multiple of 2 MiB in the
 * buffer: they all agree if address and offset are the same modulo 2 MiB. The
 * kernel cannot see to that, as it chooses an address before it asks the heap,
 * and the address is good only by luck. At any other address the same memory is
 * there, in entries of the page size that are all made at mmap() time.
 *
 * The recipe: reserve so many addresses that a good one is among them, map the
 * buffer over the reservation, and give the rest back. Nobody else in the
 * process can get in between.
 */

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map-aligned.h"

#define LARGE_ENTRY ((uintptr_t)2 << 20)

/* The first address from @start on that is the same as @offset modulo LARGE_ENTRY. */
static uintptr_t congruent(uintptr_t start, off_t offset)
{
	return start + (((uintptr_t)offset - start) & (LARGE_ENTRY - 1));
}

/* What munmap() is told about nothing is an error. */
static void give_back(uintptr_t from, uintptr_t to)
{
	if (from < to)
		munmap((void *)from, to - from);
}

void *vcm_map_aligned(int dmabuf, off_t offset, size_t len, int prot)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uintptr_t start, end, from, to;
	void *area, *map;
	int error;

	if (len > SIZE_MAX - LARGE_ENTRY - page) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	len = (len + page - 1) & ~(page - 1);

	/* Addresses only: PROT_NONE takes no memory. */
	area = mmap(NULL, len + LARGE_ENTRY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	start = (uintptr_t)area;
	end = start + len + LARGE_ENTRY;
	from = congruent(start, offset);
	to = from + len;

	map = mmap((void *)from, len, prot, MAP_SHARED | MAP_FIXED, dmabuf, offset);
	if (map == MAP_FAILED) {
		error = errno;
		give_back(start, end);
		errno = error;
		return MAP_FAILED;
	}
	give_back(start, from);
	give_back(to, end);
	return map;
}
