/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in pages, for KUnit tests: high memory has no address in the kernel
 */
#ifndef _VCM_CONTENTS_H
#define _VCM_CONTENTS_H

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/string.h>

/* Write @value to each byte of a chunk. */
static inline void vcm_contents_fill(struct page *chunk, int value)
{
	unsigned long i;

	for (i = 0; i < compound_nr(chunk); i++)
		memset_page(chunk + i, 0, value, PAGE_SIZE);
}

/* Is each byte of @nr pages @value? */
static inline bool vcm_contents_are(struct page *page, unsigned long nr,
				    int value)
{
	bool same = true;

	for (; nr && same; nr--, page++) {
		void *ptr = kmap_local_page(page);

		same = !memchr_inv(ptr, value, PAGE_SIZE);
		kunmap_local(ptr);
	}
	return same;
}

/* What a page begins with */
static inline u64 vcm_contents_get(struct page *page)
{
	u64 value;

	memcpy_from_page((char *)&value, page, 0, sizeof(value));
	return value;
}

static inline void vcm_contents_set(struct page *page, u64 value)
{
	memcpy_to_page(page, 0, (const char *)&value, sizeof(value));
}

#endif /* _VCM_CONTENTS_H */
