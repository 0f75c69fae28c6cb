// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of how much memory the heap takes
 *
 * A case is named after what it proves. What there is depends on the machine:
 * it is measured by what can be claimed.
 */

#include <kunit/test.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "../vcm_memory.h"

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

static struct kunit_case memory_test_cases[] = {
	KUNIT_CASE(a_reserve_is_left),
	KUNIT_CASE(the_reserve_is_a_parameter),
	KUNIT_CASE(the_reserve_is_no_other_number),
	KUNIT_CASE(what_is_claimed_is_not_there_for_others),
	KUNIT_CASE(what_was_taken_is_no_longer_claimed),
	KUNIT_CASE(an_allocation_stops_when_others_need_the_rest),
	KUNIT_CASE(a_claim_that_fails_leaves_nothing),
	KUNIT_CASE(arrays_of_any_size_can_be_had),
	{}
};

static struct kunit_suite memory_test_suite = {
	.name = "vcm_memory",
	.init = memory_test_init,
	.exit = memory_test_exit,
	.test_cases = memory_test_cases,
};

kunit_test_suite(memory_test_suite);
