// SPDX-License-Identifier: GPL-2.0
/*
 * What placing a buffer and giving it back costs, by the number of live ones
 *
 * Buffers of 4 KB to 8 MB, each aligned to the largest chunk that it has, come
 * and go at random; addresses come in slabs of 64 MB, a new one when there is
 * no room. The times are medians over samples of several buffers each.
 *
 * This is drivers/iommu/vcm-extent.c with the kernel's own lists and trees, as a
 * program; its tests are KUnit's.
 */

#include <stdio.h>
#include <stdlib.h>

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "../../drivers/iommu/vcm-extent.h"
#include "vcm_util.h"

#define BATCH		8
#define NR_SAMPLES	5000
#define MAX_LIVE	10000
#define SLAB_SIZE	SZ_64M
#define ODD_ALIGN	SZ_16M

struct bench {
	struct vcm_extents extents;
	struct vcm_range *live[MAX_LIVE];
	unsigned int nr_live;
	u64 nr_slabs;
	struct rnd_state rnd;
	double alloc[NR_SAMPLES];
	double free[NR_SAMPLES];
};

/* As many small buffers as large ones: the length is a random power of two. */
static u64 random_len(struct bench *b)
{
	u64 len = (u64)SZ_4K << prandom_u32_state(&b->rnd) % 12;

	return len - prandom_u32_state(&b->rnd) % (len / 2) / SZ_4K * SZ_4K;
}

static u64 align_of(u64 len)
{
	if (len >= SZ_2M)
		return SZ_2M;
	if (len >= SZ_1M)
		return SZ_1M;
	return len >= SZ_64K ? SZ_64K : SZ_4K;
}

static void add_slab(struct bench *b)
{
	if (vcm_extents_add(&b->extents, b->nr_slabs++ * SLAB_SIZE, SLAB_SIZE))
		abort();
}

static struct vcm_range *alloc_one(struct bench *b, u64 len, u64 align)
{
	struct vcm_range *range;

	for (;;) {
		range = vcm_extents_alloc(&b->extents, len, align);
		if (!IS_ERR(range))
			return range;
		add_slab(b);
	}
}

/* The buffers that a sample frees go to the end, where it allocates. */
static void choose(struct bench *b)
{
	struct vcm_range **last = &b->live[b->nr_live - 1], **range, *chosen;
	unsigned int i;

	for (i = 0; i < BATCH; i++, last--) {
		range = &b->live[prandom_u32_state(&b->rnd) % (b->nr_live - i)];
		chosen = *range;
		*range = *last;
		*last = chosen;
	}
}

static void sample(struct bench *b, double *alloc_ns, double *free_ns)
{
	struct vcm_range **range = &b->live[b->nr_live - BATCH];
	double start, freed, placed;
	u64 len[BATCH];
	int i;

	choose(b);
	for (i = 0; i < BATCH; i++)
		len[i] = random_len(b);

	start = now_ns();
	for (i = 0; i < BATCH; i++)
		vcm_extents_free(&b->extents, range[i]);
	freed = now_ns();
	for (i = 0; i < BATCH; i++)
		range[i] = alloc_one(b, len[i], align_of(len[i]));
	placed = now_ns();

	*free_ns = (freed - start) / BATCH;
	*alloc_ns = (placed - freed) / BATCH;
}

static void fill(struct bench *b, unsigned int nr)
{
	double ignored;
	unsigned int i;
	u64 len;

	while (b->nr_live < nr) {
		len = random_len(b);
		b->live[b->nr_live++] = alloc_one(b, len, align_of(len));
	}
	/* Until it looks as after a long time. */
	for (i = 0; i < nr; i++)
		sample(b, &ignored, &ignored);
}

static void measure(struct bench *b, unsigned int nr)
{
	unsigned int i;

	fill(b, nr);
	for (i = 0; i < NR_SAMPLES; i++)
		sample(b, &b->alloc[i], &b->free[i]);
	printf("%11u %11.0f %11.0f\n", nr, median(b->alloc, NR_SAMPLES),
	       median(b->free, NR_SAMPLES));
}

/* An alignment beyond those that the allocator keeps numbers for. */
static void measure_odd(struct bench *b)
{
	struct vcm_range *range;
	unsigned int i;
	double start;

	for (i = 0; i < NR_SAMPLES; i++) {
		u64 len = random_len(b);

		start = now_ns();
		range = alloc_one(b, len, ODD_ALIGN);
		b->alloc[i] = now_ns() - start;
		start = now_ns();
		vcm_extents_free(&b->extents, range);
		b->free[i] = now_ns() - start;
	}
	printf("%11u %11.0f %11.0f  with one alignment besides the %d usual ones\n",
	       b->nr_live, median(b->alloc, NR_SAMPLES),
	       median(b->free, NR_SAMPLES), VCM_NR_ALIGNS);
}

static void empty(struct bench *b)
{
	while (b->nr_live)
		vcm_extents_free(&b->extents, b->live[--b->nr_live]);
	while (b->nr_slabs)
		vcm_extents_remove(&b->extents, --b->nr_slabs * SLAB_SIZE,
				   SLAB_SIZE);
	vcm_extents_destroy(&b->extents);
}

int main(void)
{
	struct bench *b = xmalloc(sizeof(*b));
	unsigned int nr;

	printf("live ranges    alloc ns     free ns  (medians)\n");
	prandom_seed_state(&b->rnd, 1);
	vcm_extents_init(&b->extents, 0);
	for (nr = 10; nr <= MAX_LIVE; nr *= 10)
		measure(b, nr);
	measure_odd(b);
	empty(b);
	free(b);
	return 0;
}
