/* SPDX-License-Identifier: MIT */
/*
 * Mappings at addresses that a test chooses, and what they cost, for tests.
 */
#ifndef VCM_VIEW_H
#define VCM_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one entry of the middle page-table level maps, with pages of 4 KiB. */
#define VCM_HUGE_SIZE	(2ul << 20)

/* A part of a buffer at a chosen address */
struct vcm_view {
	char *ptr;		/* the mapping */
	size_t len;		/* bytes in it */
	void *area;		/* the addresses reserved around it */
	size_t area_len;	/* bytes in area */
};

void vcm_view_reserve(struct vcm_view *view, size_t len, size_t skew);
void vcm_view_map(struct vcm_view *view, int dmabuf, uint64_t offset, size_t len, size_t skew,
		  int prot);
void vcm_view_unmap(struct vcm_view *view);

bool vcm_cpu_marks_dirty(void);
unsigned long vcm_touch(volatile void *ptr, size_t len, size_t step, bool write);
size_t vcm_page_tables(void);
int vcm_touch_signal(volatile void *ptr, bool write);

#endif /* VCM_VIEW_H */
