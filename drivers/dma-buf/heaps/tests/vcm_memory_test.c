// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of how much memory the heap takes
 *
 * A case is named after what it proves. What there is depends on the machine:
 * it is measured by what can be claimed.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "../vcm_chunk.h"
#include "../vcm_memory.h"
#include "../vcm_pool_limit.h"

#define MB_PAGES	(SZ_1M >> PAGE_SHIFT)

/* What others may take or give back between two looks. */
#define NOISE		(4 * MB_PAGES)

static int reserve_before;

static int memory_test_init(struct kunit *test)
{
	reserve_before = vcm_memory_reserve_mb;
	vcm_memory_reserve_mb = -1;
	return 0;
}

static void memory_test_exit(struct kunit *test)
{
	vcm_memory_reserve_mb = reserve_before;
}

static bool can_claim(unsigned long nr_pages)
{
	struct vcm_claim claim;

	if (vcm_memory_claim(&claim, nr_pages))
		return false;
	vcm_memory_unclaim(&claim);
	return true;
}

/* The most pages that can be claimed now. */
static unsigned long most(void)
{
	unsigned long low = 0, high = totalram_pages() + get_nr_swap_pages();

	while (low < high) {
		unsigned long middle = high - (high - low) / 2;

		if (can_claim(middle))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void a_reserve_is_left(struct kunit *test)
{
	unsigned long had = most(), reserve;

	reserve = max(totalram_pages() / 32, 32 * MB_PAGES);
	KUNIT_ASSERT_GT(test, had, 2 * NOISE);
	/* With swap this is less than what could be had. */
	KUNIT_EXPECT_LE(test, had, si_mem_available() + get_nr_swap_pages() -
			reserve + NOISE);
}

static void the_reserve_is_a_parameter(struct kunit *test)
{
	unsigned long had;

	vcm_memory_reserve_mb = 64;
	had = most();
	vcm_memory_reserve_mb = 80;
	KUNIT_EXPECT_LE(test, most(), had - 16 * MB_PAGES + NOISE);
	KUNIT_EXPECT_GE(test, most() + NOISE, had - 16 * MB_PAGES);
	vcm_memory_reserve_mb = 0;
	KUNIT_EXPECT_GE(test, most() + NOISE, had + 64 * MB_PAGES);
	vcm_memory_reserve_mb = INT_MAX;
	KUNIT_EXPECT_EQ(test, most(), 0);
}

static void the_reserve_is_no_other_number(struct kunit *test)
{
	const struct kernel_param kp = { .arg = &vcm_memory_reserve_mb };

	vcm_memory_reserve_mb = 64;
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_set("-2", &kp), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_set("4294967296", &kp),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_set("much", &kp), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_mb, 64);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_set("-1", &kp), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_mb, -1);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_set("0", &kp), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_reserve_mb, 0);
}

static void what_is_claimed_is_not_there_for_others(struct kunit *test)
{
	struct vcm_claim claim;
	unsigned long had = most();

	KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, had / 2), 0);
	KUNIT_EXPECT_LE(test, most(), had - had / 2 + NOISE);
	KUNIT_EXPECT_GE(test, most() + NOISE, had - had / 2);
	vcm_memory_unclaim(&claim);
	KUNIT_EXPECT_GE(test, most() + NOISE, had);
}

/* It is memory that is taken then, and counted by the core. */
static void what_was_taken_is_no_longer_claimed(struct kunit *test)
{
	struct vcm_claim claim;
	unsigned long had = most();

	KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, had / 2), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_check(&claim, had / 4), 0);
	KUNIT_EXPECT_GE(test, most() + NOISE, had - had / 4);
	KUNIT_EXPECT_EQ(test, vcm_memory_check(&claim, 0), 0);
	KUNIT_EXPECT_GE(test, most() + NOISE, had);
	vcm_memory_unclaim(&claim);
	KUNIT_EXPECT_LE(test, most(), had + NOISE);
}

static void an_allocation_stops_when_others_need_the_rest(struct kunit *test)
{
	struct vcm_claim claim;

	KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, 3 * VCM_MEMORY_STEP), 0);
	vcm_memory_reserve_mb = INT_MAX;
	/* It is looked at every so many pages. */
	KUNIT_EXPECT_EQ(test, vcm_memory_check(&claim, 2 * VCM_MEMORY_STEP + 1),
			0);
	KUNIT_EXPECT_EQ(test, vcm_memory_check(&claim, 2 * VCM_MEMORY_STEP),
			-ENOMEM);
	vcm_memory_reserve_mb = -1;
	KUNIT_EXPECT_EQ(test, vcm_memory_check(&claim, VCM_MEMORY_STEP), 0);
	vcm_memory_unclaim(&claim);
}

static void a_claim_that_fails_leaves_nothing(struct kunit *test)
{
	unsigned long had = most();
	struct vcm_claim claim;
	int i;

	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, vcm_memory_claim(&claim, totalram_pages() +
						       get_nr_swap_pages()),
				-ENOMEM);
	KUNIT_EXPECT_GE(test, most() + NOISE, had);
}

static void arrays_of_any_size_can_be_had(struct kunit *test)
{
	static const size_t sizes[] = {
		1, PAGE_SIZE, PAGE_SIZE + 1, SZ_64K, SZ_8M
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *array = vcm_memory_array(sizes[i], 1);

		KUNIT_ASSERT_NOT_NULL(test, array);
		array[sizes[i] - 1] = 1;
		kvfree(array);
	}
	KUNIT_EXPECT_NULL(test, vcm_memory_array(SIZE_MAX / 2, 3));
}

/* --- With a node that is made up --------------------------------------- */

static struct pglist_data *made_up;

static struct pglist_data *made_up_node(int nid)
{
	return made_up;
}

/**
 * struct estimate_case - what a node has, in pages, and what can be claimed of it
 * @managed: all of it
 * @free: free pages, of them 100 in CMA's blocks and 50 kept for atomic use
 * @file: page cache, a quarter of it active
 * @kernel: memory of the kernel that it gives back, a fifth of it not slabs
 * @most: what can be claimed with nothing left to others
 *
 * The watermarks are 400 (low) and 500 (high), and for others 60 are kept from
 * chunks, 20 from any memory that is not movable.
 */
struct estimate_case {
	unsigned long managed;
	long free;
	long file;
	long kernel;
	unsigned long most;
};

static const struct estimate_case estimate_cases[] = {
	/* Half of what can be given back stays, or the low watermark. */
	{ 50000, 20000, 4000, 1000, 20000 - 150 - 560 + 3600 + 600 },
	{ 50000, 20000, 400, 300, 20000 - 150 - 560 + 200 + 150 },
	/* What is free may be less than what is kept of it. */
	{ 50000, 120, 4000, 1000, 3600 + 600 - 560 },
	/* No more is kept than there is. */
	{ 300, 1000, 4000, 1000, 1000 - 150 - 300 + 3600 + 600 },
	/* There may be a zone for chunks with nothing managed in it. */
	{ 0, 20000, 4000, 1000, 20000 - 500 - 20 - 50 - 100 },
};

static void make_up(const struct estimate_case *c)
{
	enum zone_type high = gfp_zone(GFP_HIGHUSER);
	struct zone *zone = &made_up->node_zones[high], *movable;

	zone->zone_pgdat = made_up;
	atomic_long_set(&zone->managed_pages, c->managed);
	zone->_watermark[WMARK_LOW] = 400;
	zone->_watermark[WMARK_HIGH] = 500;
	/* Nothing is kept for it. */
	zone->watermark_boost = 700;
	zone->lowmem_reserve[high] = 20;
	zone->lowmem_reserve[MAX_NR_ZONES - 1] = 60;
	zone->nr_free_highatomic = 50;
	atomic_long_set(&zone->vm_stat[NR_FREE_PAGES], c->free);
	atomic_long_set(&zone->vm_stat[NR_FREE_CMA_PAGES], 100);
	atomic_long_set(&zone->vm_stat[NR_ZONE_ACTIVE_FILE], c->file / 4);
	atomic_long_set(&zone->vm_stat[NR_ZONE_INACTIVE_FILE],
			c->file - c->file / 4);
	/* There is no swap that could take it. */
	atomic_long_set(&zone->vm_stat[NR_ZONE_ACTIVE_ANON], 3000);
	atomic_long_set(&made_up->vm_stat[NR_SLAB_RECLAIMABLE_B],
			c->kernel - c->kernel / 5);
	atomic_long_set(&made_up->vm_stat[NR_KERNEL_MISC_RECLAIMABLE],
			c->kernel / 5);

	/* Not for chunks */
	movable = &made_up->node_zones[ZONE_MOVABLE];
	movable->zone_pgdat = made_up;
	atomic_long_set(&movable->managed_pages, 7000);
	atomic_long_set(&movable->vm_stat[NR_FREE_PAGES], 6000);
	atomic_long_set(&movable->vm_stat[NR_ZONE_ACTIVE_FILE], 5000);
}

static void so_much_can_be_claimed(struct kunit *test)
{
	const struct estimate_case *c = estimate_cases;

	if (num_node_state(N_MEMORY) > 1 || get_nr_swap_pages())
		kunit_skip(test, "what there is adds up");
	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	kunit_activate_static_stub(test, vcm_memory_node, made_up_node);
	for (; c < estimate_cases + ARRAY_SIZE(estimate_cases); c++) {
		make_up(c);
		vcm_memory_reserve_mb = 0;
		KUNIT_EXPECT_EQ_MSG(test, most(), c->most, "case %zd",
				    c - estimate_cases);
		vcm_memory_reserve_mb = 2;
		KUNIT_EXPECT_EQ_MSG(test, most(), c->most - 2 * MB_PAGES,
				    "case %zd", c - estimate_cases);
	}
	kunit_deactivate_static_stub(test, vcm_memory_node);
}

static long swap_free;

static long made_up_swap(void)
{
	return swap_free;
}

/* It adds what could move there, where there is something to begin with. */
static void swap_adds_what_could_move_there(struct kunit *test)
{
	const struct estimate_case *c = &estimate_cases[0];

	if (num_node_state(N_MEMORY) > 1)
		kunit_skip(test, "what there is adds up");
	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	make_up(c);
	vcm_memory_reserve_mb = 0;
	kunit_activate_static_stub(test, vcm_memory_node, made_up_node);
	kunit_activate_static_stub(test, vcm_memory_swap_free, made_up_swap);
	swap_free = 1000;
	KUNIT_EXPECT_EQ(test, most(), c->most + 1000);
	swap_free = 5000;
	KUNIT_EXPECT_EQ(test, most(), c->most + 3000);
	/* While a part of it is taken away */
	swap_free = -1000;
	KUNIT_EXPECT_EQ(test, most(), c->most);
	kunit_deactivate_static_stub(test, vcm_memory_swap_free);
	kunit_deactivate_static_stub(test, vcm_memory_node);
}

static bool not_allowed(int nid)
{
	return false;
}

/* Not even nothing */
static void what_is_not_allowed_is_not_there(struct kunit *test)
{
	const struct estimate_case *c = &estimate_cases[1];
	enum zone_type zone, high = gfp_zone(GFP_HIGHUSER);

	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	make_up(c);
	/* So little in each zone that it has to be looked at closely. */
	for (zone = 0; zone <= high; zone++) {
		made_up->node_zones[zone]._watermark[WMARK_HIGH] = 500;
		atomic_long_set(&made_up->node_zones[zone].vm_stat[NR_FREE_PAGES],
				0);
	}
	vcm_memory_reserve_mb = 0;
	kunit_activate_static_stub(test, vcm_memory_node, made_up_node);
	kunit_activate_static_stub(test, vcm_memory_node_allowed, not_allowed);
	KUNIT_EXPECT_FALSE(test, can_claim(0));
	kunit_deactivate_static_stub(test, vcm_memory_node_allowed);
	kunit_deactivate_static_stub(test, vcm_memory_node);
}

/* Who still has a page of it is the last one then. */
static void what_is_freed_is_let_go_of(struct kunit *test)
{
	static const enum vcm_chunk_size sizes[] = {
		VCM_CHUNK_64K, VCM_CHUNK_PAGE
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct page *page = vcm_memory_alloc(sizes[i]);

		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_EQ(test, page_size(page),
				vcm_chunk_bytes(sizes[i]));
		get_page(page);
		vcm_memory_free(page);
		KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
		put_page(page);
	}
}

/* A buffer takes its memory, and arrays of its chunks and runs. */
static void the_arrays_of_a_buffer_are_claimed_too(struct kunit *test)
{
	struct estimate_case c = { .managed = 50000 };
	struct vcm_chunks chunks;
	unsigned long need;

	if (num_node_state(N_MEMORY) > 1 || get_nr_swap_pages())
		kunit_skip(test, "what there is adds up");
	need = SZ_8M / PAGE_SIZE +
	       SZ_8M / PAGE_SIZE * (sizeof(struct page *) +
				    sizeof(struct vcm_iova_run)) / PAGE_SIZE + 1;
	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	vcm_memory_reserve_mb = 0;
	kunit_activate_static_stub(test, vcm_memory_node, made_up_node);
	c.free = need + 500 + 20 + 50 + 100;
	make_up(&c);
	KUNIT_EXPECT_EQ(test, most(), need);
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, SZ_8M,
					       vcm_chunk_sizes()), 0);
	vcm_chunks_free(&chunks);
	c.free--;
	make_up(&c);
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc(&chunks, SZ_8M,
					       vcm_chunk_sizes()), -ENOMEM);
	kunit_deactivate_static_stub(test, vcm_memory_node);
}

/* What nobody misses of a zone: nothing of it is an estimate. */
static void so_much_can_be_spared(struct kunit *test)
{
	struct zone *zone;

	made_up = kunit_kzalloc(test, sizeof(*made_up), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, made_up);
	make_up(&estimate_cases[0]);
	zone = &made_up->node_zones[gfp_zone(GFP_HIGHUSER)];
	KUNIT_EXPECT_EQ(test, vcm_pool_zone_spare(zone),
			20000 - 100 - 500 - 20);
}

/* --- Below a limit ----------------------------------------------------- */

static void what_is_beyond_a_limit_is_counted(struct kunit *test)
{
	const struct vcm_iova_run runs[] = {
		{ SZ_1M, SZ_64K }, { SZ_4M, SZ_1M }, { SZ_16M, SZ_2M },
	};
	const struct vcm_iova_memory memory = { runs, ARRAY_SIZE(runs), 0 };

	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, SZ_64M), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, SZ_16M + SZ_2M), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, SZ_16M + SZ_1M), SZ_1M);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, SZ_8M), SZ_2M);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, SZ_4M + SZ_64K),
			SZ_2M + SZ_1M - SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, 1),
			SZ_2M + SZ_1M + SZ_64K);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&memory, U64_MAX), 0);
}

static void memory_below_a_limit_is_there_or_refused(struct kunit *test)
{
	struct vcm_chunks chunks;
	u64 reach;

	KUNIT_EXPECT_TRUE(test, vcm_memory_is_below(U64_MAX));
	KUNIT_EXPECT_FALSE(test, vcm_memory_is_below(PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc_below(&chunks, SZ_64K,
						     vcm_chunk_sizes(),
						     PAGE_SIZE, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vcm_chunks_alloc_contiguous(&chunks, SZ_64K,
							  PAGE_SIZE, true),
			-ENOMEM);

	/* What is not strict is elsewhere, and is not for the pool. */
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc_below(&chunks, SZ_64K, SZ_64K,
						     PAGE_SIZE, false), 0);
	KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&chunks.memory, PAGE_SIZE),
			SZ_64K);
	KUNIT_EXPECT_TRUE(test, chunks.below);
	reach = chunks.memory.runs[0].phys + SZ_64K;
	vcm_chunks_free(&chunks);

	/* The same block is free again, so there is one below its end. */
	if (!vcm_chunks_alloc_below(&chunks, SZ_64K, SZ_64K, reach, true)) {
		KUNIT_EXPECT_EQ(test, vcm_memory_beyond(&chunks.memory, reach),
				0);
		vcm_chunks_free(&chunks);
	}
	KUNIT_ASSERT_EQ(test, vcm_chunks_alloc_contiguous(&chunks, SZ_64K,
							  PAGE_SIZE, false), 0);
	vcm_chunks_free(&chunks);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&vcm_memory_claimed), 0);
}

static struct kunit_case memory_test_cases[] = {
	KUNIT_CASE(a_reserve_is_left),
	KUNIT_CASE(the_reserve_is_a_parameter),
	KUNIT_CASE(the_reserve_is_no_other_number),
	KUNIT_CASE(what_is_claimed_is_not_there_for_others),
	KUNIT_CASE(what_was_taken_is_no_longer_claimed),
	KUNIT_CASE(an_allocation_stops_when_others_need_the_rest),
	KUNIT_CASE(a_claim_that_fails_leaves_nothing),
	KUNIT_CASE(arrays_of_any_size_can_be_had),
	KUNIT_CASE(so_much_can_be_claimed),
	KUNIT_CASE(the_arrays_of_a_buffer_are_claimed_too),
	KUNIT_CASE(so_much_can_be_spared),
	KUNIT_CASE(swap_adds_what_could_move_there),
	KUNIT_CASE(what_is_not_allowed_is_not_there),
	KUNIT_CASE(what_is_freed_is_let_go_of),
	KUNIT_CASE(what_is_beyond_a_limit_is_counted),
	KUNIT_CASE(memory_below_a_limit_is_there_or_refused),
	{}
};

static struct kunit_suite memory_test_suite = {
	.name = "vcm_memory",
	.init = memory_test_init,
	.exit = memory_test_exit,
	.test_cases = memory_test_cases,
};

kunit_test_suite(memory_test_suite);
