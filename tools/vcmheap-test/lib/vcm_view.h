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

/**
 * struct vcm_view - a part of a buffer at a chosen address
 * @ptr: the mapping
 * @len: bytes in it
 * @area: the addresses reserved around it
 * @area_len: bytes in @area
 */
struct vcm_view {
	char *ptr;
	size_t len;
	void *area;
	size_t area_len;
};

void vcm_view_reserve(struct vcm_view *view, size_t len, size_t skew);
void vcm_view_map(struct vcm_view *view, int dmabuf, uint64_t offset, size_t len, size_t skew,
		  int prot);
void vcm_view_unmap(struct vcm_view *view);

unsigned long vcm_touch(volatile void *ptr, size_t len, size_t step, bool write);
size_t vcm_page_tables(void);
int vcm_touch_signal(volatile void *ptr, bool write);

#endif /* VCM_VIEW_H */
