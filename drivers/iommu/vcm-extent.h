/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placement of buffers in a range of numbers
 */
#ifndef _VCM_EXTENT_H
#define _VCM_EXTENT_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

/*
 * Alignments that an allocator searches in O(log n): the four chunk sizes, and
 * some that policies ask for. One more takes the place of the one that was not
 * asked for the longest, which is O(n) in the extents, once.
 */
#define VCM_NR_ALIGNS	6

/**
 * struct vcm_fit - what fits below a node of the tree of free ranges
 * @len: for each of &struct vcm_extents.align, the longest buffer of that
 *	alignment that one of the ranges takes
 */
struct vcm_fit {
	u64 len[VCM_NR_ALIGNS];
};

struct vcm_extents;

/**
 * struct vcm_range - a range of addresses, taken or free
 * @extents: the allocator
 * @start: first address
 * @len: number of addresses
 * @used: taken
 * @by_addr: in &struct vcm_extents.by_addr
 * @by_size: in &struct vcm_extents.by_size if free
 * @fit: for the subtree of @by_size
 * @spare: in &struct vcm_extents.spares if in no tree
 */
struct vcm_range {
	struct vcm_extents *extents;
	u64 start;
	u64 len;
	bool used;
	struct rb_node by_addr;
	union {
		struct rb_node by_size;
		struct list_head spare;
	};
	struct vcm_fit fit;
};

/**
 * struct vcm_extents - an allocator of address ranges
 * @by_addr: all ranges by address; neighbours in it that touch are never both
 *	free, unless a multiple of @boundary lies between them
 * @by_size: the free ranges by length and address
 * @align: the alignments that &struct vcm_fit is about
 * @nr_aligns: number of them
 * @asked: for each of them, what @nr_asked was when it was asked for last
 * @nr_asked: number of searches so far
 * @boundary: no free range reaches across a multiple of this, 0 for none
 * @last: the last address that a buffer may have
 * @spares: &struct vcm_range in no tree, see vcm_extents_reserve()
 * @total: addresses added
 * @used: addresses taken
 *
 * Pure bookkeeping. The caller serialises all calls.
 */
struct vcm_extents {
	struct rb_root by_addr;
	struct rb_root by_size;
	u64 align[VCM_NR_ALIGNS];
	int nr_aligns;
	u64 asked[VCM_NR_ALIGNS];
	u64 nr_asked;
	u64 boundary;
	u64 last;
	struct list_head spares;
	u64 total;
	u64 used;
};

void vcm_extents_init(struct vcm_extents *extents, u64 boundary);
void vcm_extents_set_last(struct vcm_extents *extents, u64 last);
void vcm_extents_destroy(struct vcm_extents *extents);
int vcm_extents_add(struct vcm_extents *extents, u64 start, u64 len);
bool vcm_extents_is_free(struct vcm_extents *extents, u64 start, u64 len);
void vcm_extents_remove(struct vcm_extents *extents, u64 start, u64 len);
struct vcm_range *vcm_extents_alloc(struct vcm_extents *extents, u64 len,
				    u64 align);
void vcm_extents_free(struct vcm_extents *extents, struct vcm_range *range);
u64 vcm_extents_largest(const struct vcm_extents *extents);

#endif /* _VCM_EXTENT_H */
