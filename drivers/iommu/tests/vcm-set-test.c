// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of sets of spaces
 *
 * A case is named after what it proves. The parent and its IOMMU are made up
 * (vcm-fake-iommu.c). Each space has room for four buffers.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "../vcm-domain.h"
#include "../vcm-parent.h"
#include "../vcm-space.h"
#include "vcm-fail-nth.h"
#include "vcm-fake-iommu.h"
#include "vcm-test-map.h"

#define BLOCK_ORDER	get_order(SZ_2M)
#define START		((u64)SZ_64M)
#define BUFFER_LEN	SZ_256K
#define PER_SPACE	4
#define MAX_SPACES	3

static const struct vcm_set_args usual = {
	.space = { .start = START, .len = PER_SPACE * BUFFER_LEN },
	.max = MAX_SPACES,
};

/**
 * struct set_test - what a case works on
 * @block: 2 MB of memory
 * @dev: a device whose DMA is claimed while it has spaces
 * @domains: domains that there are without a space
 * @buffer: a buffer
 * @mappings: room for mappings
 */
struct set_test {
	struct page *block;
	struct device *dev;
	unsigned long domains;
	struct dma_buf *buffer;
	struct vcm_set_mapping mappings[2 * MAX_SPACES * PER_SPACE];
};

static struct dma_buf *new_buffer(struct kunit *test, size_t len)
{
	struct set_test *t = test->priv;
	unsigned int nr = len / SZ_64K;

	return vcm_fake_buffer(test, vcm_fake_table(test, t->block, nr, 0,
						    SZ_64K), len);
}

static int set_test_init(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(48), .managed = true,
	};
	struct set_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->block = alloc_pages(GFP_KERNEL | __GFP_COMP, BLOCK_ORDER);
	if (!t->block)
		return -ENOMEM;
	t->dev = vcm_fake_device(test, &args);
	t->domains = vcm_fake_iommu.nr_domains;
	t->buffer = new_buffer(test, BUFFER_LEN);
	return 0;
}

static void set_test_exit(struct kunit *test)
{
	struct set_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	if (!t)
		return;
	KUNIT_EXPECT_EQ(test, vcm_fake_settle(t->domains), t->domains);
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (t->block)
		__free_pages(t->block, BLOCK_ORDER);
}

static struct vcm_set *new_set_args(struct kunit *test,
				    const struct vcm_set_args *args)
{
	struct set_test *t = test->priv;
	struct vcm_set *set = vcm_set_create(t->dev, args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, set);
	return set;
}

static struct vcm_set *new_set(struct kunit *test)
{
	return new_set_args(test, &usual);
}

static unsigned int nr_spaces(void)
{
	struct vcm_parent *parent;

	parent = list_first_entry_or_null(&vcm_parents, struct vcm_parent,
					  node);
	return parent ? parent->nr_spaces : 0;
}

/* So often dma-debug lets nothing be mapped that a device writes to. */
static struct vcm_space *map_buffer(struct vcm_set *set, struct dma_buf *dmabuf,
				    struct vcm_set_mapping *mapping,
				    struct vcm_space *with)
{
	mapping->dmabuf = dmabuf;
	mapping->dir = DMA_TO_DEVICE;
	return vcm_set_map(set, mapping, 1, with);
}

/* The usual buffer, as often as it is to be */
static void fill(struct kunit *test, struct vcm_set *set, unsigned int first,
		 unsigned int nr)
{
	struct set_test *t = test->priv;
	unsigned int i;

	for (i = first; i < first + nr; i++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(map_buffer(set, t->buffer,
							   &t->mappings[i],
							   NULL)));
}

static void unmap(struct kunit *test, unsigned int first, unsigned int nr)
{
	struct set_test *t = test->priv;

	vcm_set_unmap(&t->mappings[first], nr);
}

/* Does the parent, in the space, find the memory? */
static bool is_reached(struct kunit *test,
		       const struct vcm_set_mapping *mapping)
{
	struct set_test *t = test->priv;

	if (vcm_space_switch(mapping->space))
		return false;
	return vcm_fake_phys(t->dev, sg_dma_address(mapping->sgt->sgl)) ==
	       page_to_phys(t->block);
}

/* --- Where a buffer goes ----------------------------------------------- */

static void arguments_are_checked(struct kunit *test)
{
	struct set_test *t = test->priv;
	struct vcm_set_args args = usual;
	struct vcm_set *set;

	args.max = 0;
	KUNIT_EXPECT_PTR_EQ(test, vcm_set_create(t->dev, &args),
			    ERR_PTR(-EINVAL));
	args.max = VCM_SPACES_MAX + 1;
	KUNIT_EXPECT_PTR_EQ(test, vcm_set_create(t->dev, &args),
			    ERR_PTR(-EINVAL));
	args = usual;
	args.space.len++;
	KUNIT_EXPECT_PTR_EQ(test, vcm_set_create(t->dev, &args),
			    ERR_PTR(-EINVAL));
	set = new_set(test);
	KUNIT_EXPECT_PTR_EQ(test, vcm_set_map(set, t->mappings, 0, NULL),
			    ERR_PTR(-EINVAL));
	vcm_set_destroy(set);
}

static void spaces_are_made_when_they_are_needed(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	for (i = 0; i < MAX_SPACES * PER_SPACE; i++) {
		fill(test, set, i, 1);
		KUNIT_EXPECT_EQ(test, nr_spaces(), i / PER_SPACE + 1);
		if (i % PER_SPACE)
			KUNIT_EXPECT_PTR_EQ(test, t->mappings[i].space,
					    t->mappings[i - 1].space);
		KUNIT_EXPECT_PTR_EQ(test, t->mappings[i].attachment->dev,
				    vcm_space_dev(t->mappings[i].space));
	}
	for (i = 0; i < MAX_SPACES * PER_SPACE; i++)
		KUNIT_EXPECT_TRUE(test, is_reached(test, &t->mappings[i]));
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer, &t->mappings[i],
					     NULL), ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, nr_spaces(), MAX_SPACES);
	unmap(test, 0, MAX_SPACES * PER_SPACE);
	vcm_set_destroy(set);
}

/* ... and not one that was made later */
static void the_oldest_with_room_is_taken(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *first;

	fill(test, set, 0, 2 * PER_SPACE + 1);
	first = t->mappings[0].space;
	unmap(test, PER_SPACE, 1);
	unmap(test, 2, 1);
	fill(test, set, 2, 1);
	KUNIT_EXPECT_PTR_EQ(test, t->mappings[2].space, first);
	fill(test, set, PER_SPACE, 1);
	KUNIT_EXPECT_PTR_EQ(test, t->mappings[PER_SPACE].space,
			    t->mappings[PER_SPACE + 1].space);
	unmap(test, 0, 2 * PER_SPACE + 1);
	vcm_set_destroy(set);
}

/* What was too long once is not what is too long for ever. */
static void a_shorter_one_fits_where_a_longer_one_did_not(struct kunit *test)
{
	struct dma_buf *longer = new_buffer(test, 2 * BUFFER_LEN);
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *first, *second;

	fill(test, set, 0, PER_SPACE - 1);
	first = t->mappings[0].space;
	second = map_buffer(set, longer, &t->mappings[3], NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	KUNIT_EXPECT_PTR_NE(test, second, first);
	fill(test, set, 4, 1);
	KUNIT_EXPECT_PTR_EQ(test, t->mappings[4].space, first);
	unmap(test, 0, 2);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, longer, &t->mappings[0],
					     NULL), first);
	unmap(test, 0, 1);
	unmap(test, 2, 3);
	vcm_set_destroy(set);
}

static void buffers_of_a_job_are_in_one_space(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *space;
	unsigned int i;

	fill(test, set, 0, 2);
	for (i = 2; i < 5; i++)
		t->mappings[i] = (struct vcm_set_mapping){
			.dmabuf = t->buffer, .dir = DMA_TO_DEVICE,
		};
	/* There is room for two of the three. */
	space = vcm_set_map(set, &t->mappings[2], 3, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(space));
	KUNIT_EXPECT_PTR_NE(test, space, t->mappings[0].space);
	for (i = 2; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, t->mappings[i].space, space);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages,
			5 * BUFFER_LEN / PAGE_SIZE);
	unmap(test, 2, 3);
	unmap(test, 0, 2);
	vcm_set_destroy(set);
}

static void a_buffer_can_be_beside_others(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *first, *second;

	fill(test, set, 0, PER_SPACE + 1);
	first = t->mappings[0].space;
	second = t->mappings[PER_SPACE].space;
	unmap(test, 1, 1);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer, &t->mappings[1],
					     second), second);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer, &t->mappings[5],
					     first), first);
	/* Neither another one nor a new one does. */
	KUNIT_EXPECT_TRUE(test, IS_ERR(map_buffer(set, t->buffer,
						  &t->mappings[6], first)));
	KUNIT_EXPECT_EQ(test, nr_spaces(), 2);
	unmap(test, 0, 6);
	vcm_set_destroy(set);
}

static void another_space_is_none_of_the_set(struct kunit *test)
{
	struct vcm_set *set = new_set(test), *other = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *space;

	space = vcm_space_create(t->dev, &usual.space);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, space);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer, t->mappings,
					     space), ERR_PTR(-EINVAL));
	fill(test, other, 0, 1);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer, &t->mappings[1],
					     t->mappings[0].space),
			    ERR_PTR(-EINVAL));
	unmap(test, 0, 1);
	vcm_space_destroy(space);
	vcm_set_destroy(other);
	vcm_set_destroy(set);
}

static void what_never_fits_makes_no_space(struct kunit *test)
{
	struct dma_buf *longest = new_buffer(test, PER_SPACE * BUFFER_LEN);
	struct dma_buf *too_long = new_buffer(test, PER_SPACE * BUFFER_LEN +
					      SZ_64K);
	/* For the DMA API aligns it to the next power of two. */
	struct dma_buf *odd = new_buffer(test, 3 * BUFFER_LEN);
	struct vcm_set_args args = usual;
	struct set_test *t = test->priv;
	unsigned int domains;
	struct vcm_set *set;

	args.space.start = START + SZ_64K;
	args.space.len = 3 * BUFFER_LEN;
	set = new_set_args(test, &args);
	domains = vcm_fake_iommu.nr_domains;
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, too_long, t->mappings, NULL),
			    ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, longest, t->mappings, NULL),
			    ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_TRUE(test, IS_ERR(map_buffer(set, odd, t->mappings,
						  NULL)));
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	fill(test, set, 0, 1);
	/* It may have been the buffer that is there: one is made, and no more. */
	KUNIT_EXPECT_TRUE(test, IS_ERR(map_buffer(set, odd, &t->mappings[1],
						  NULL)));
	KUNIT_EXPECT_EQ(test, nr_spaces(), 2);
	KUNIT_EXPECT_TRUE(test, IS_ERR(map_buffer(set, odd, &t->mappings[1],
						  NULL)));
	KUNIT_EXPECT_EQ(test, nr_spaces(), 2);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_domains, domains + 1);
	unmap(test, 0, 1);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	vcm_set_destroy(set);
}

/* --- Which spaces stay ------------------------------------------------- */

static void one_space_that_is_empty_stays(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;

	fill(test, set, 0, 3 * PER_SPACE);
	/* The second one, and then the first one */
	unmap(test, PER_SPACE, PER_SPACE);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 3);
	unmap(test, 0, PER_SPACE);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 2);
	KUNIT_EXPECT_TRUE(test, is_reached(test,
					   &t->mappings[2 * PER_SPACE]));
	unmap(test, 2 * PER_SPACE, PER_SPACE);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	fill(test, set, 0, 1);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	unmap(test, 0, 1);
	vcm_set_destroy(set);
}

/* The driver's own descriptors, for example */
static void what_others_map_keeps_a_space(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct device *sdev;
	dma_addr_t addr;

	fill(test, set, 0, 2 * PER_SPACE);
	unmap(test, PER_SPACE, 1);
	sdev = vcm_space_dev(t->mappings[PER_SPACE + 1].space);
	addr = dma_map_page(sdev, t->block, 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(sdev, addr));
	unmap(test, 0, PER_SPACE);
	unmap(test, PER_SPACE + 1, PER_SPACE - 1);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 2);
	dma_unmap_page(sdev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	fill(test, set, 0, 1);
	unmap(test, 0, 1);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	vcm_set_destroy(set);
}

static void an_active_space_that_ends_is_left(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;

	fill(test, set, 0, PER_SPACE + 1);
	KUNIT_EXPECT_TRUE(test, is_reached(test, &t->mappings[PER_SPACE]));
	unmap(test, 0, PER_SPACE + 1);
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(t->dev));
	fill(test, set, 0, 1);
	KUNIT_EXPECT_TRUE(test, is_reached(test, &t->mappings[0]));
	unmap(test, 0, 1);
	vcm_set_destroy(set);
}

static void sets_share_what_a_device_may_have(struct kunit *test)
{
	struct vcm_set_args args = usual;
	struct set_test *t = test->priv;
	struct vcm_set *set, **others;
	unsigned int i;

	others = kunit_kcalloc(test, VCM_SPACES_MAX, sizeof(*others),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, others);
	args.max = VCM_SPACES_MAX;
	set = new_set_args(test, &args);
	for (i = 0; i < VCM_SPACES_MAX - 2; i++)
		others[i] = new_set(test);
	fill(test, set, 0, 2 * PER_SPACE);
	KUNIT_EXPECT_PTR_EQ(test, vcm_set_create(t->dev, &usual),
			    ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer,
					     &t->mappings[2 * PER_SPACE],
					     NULL), ERR_PTR(-ENOSPC));
	vcm_set_destroy(others[0]);
	fill(test, set, 2 * PER_SPACE, 1);
	for (i = 1; i < VCM_SPACES_MAX - 2; i++)
		vcm_set_destroy(others[i]);
	unmap(test, 0, 2 * PER_SPACE + 1);
	vcm_set_destroy(set);
}

/* --- The end ----------------------------------------------------------- */

static void a_set_may_end_with_buffers_in_it(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;

	fill(test, set, 0, PER_SPACE + 2);
	KUNIT_EXPECT_TRUE(test, is_reached(test, &t->mappings[1]));
	vcm_set_destroy(set);
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	KUNIT_EXPECT_NOT_NULL(test, vcm_fake_attached(t->dev));
	/* What this exporter has mapped only he can unmap. */
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages,
			(PER_SPACE + 2) * BUFFER_LEN / PAGE_SIZE);
	unmap(test, 0, PER_SPACE + 2);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer->attachments));
}

static void a_set_outlives_its_device(struct kunit *test)
{
	struct vcm_set *set = new_set(test);
	struct set_test *t = test->priv;
	struct vcm_space *space;

	fill(test, set, 0, PER_SPACE + 1);
	space = t->mappings[0].space;
	device_release_driver(t->dev);
	KUNIT_EXPECT_EQ(test, vcm_space_switch(space), -ENODEV);
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer,
					     &t->mappings[PER_SPACE + 1],
					     NULL), ERR_PTR(-ENODEV));
	KUNIT_EXPECT_PTR_EQ(test, map_buffer(set, t->buffer,
					     &t->mappings[PER_SPACE + 1],
					     space), ERR_PTR(-ENODEV));
	unmap(test, 0, 2);
	vcm_set_destroy(set);
	unmap(test, 2, PER_SPACE - 1);
}

static void a_set_may_end_with_the_binding(struct kunit *test)
{
	struct set_test *t = test->priv;
	struct vcm_set *set;

	set = devm_vcm_set_create(t->dev, &usual);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, set);
	fill(test, set, 0, PER_SPACE + 1);
	device_release_driver(t->dev);
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	unmap(test, 0, PER_SPACE + 1);
}

/* --- Faults ------------------------------------------------------------ */

static void count_fault(struct vcm_space *space, u64 iova, bool write,
			void *data)
{
	struct vcm_space **last = data;

	*last = space;
}

static void faults_in_each_are_told(struct kunit *test)
{
	struct vcm_space *last = NULL;
	struct vcm_set_args args = usual;
	struct set_test *t = test->priv;
	struct vcm_set *set;
	unsigned int i;

	args.fault = count_fault;
	args.fault_data = &last;
	set = new_set_args(test, &args);
	fill(test, set, 0, MAX_SPACES * PER_SPACE);
	for (i = 0; i < MAX_SPACES * PER_SPACE; i += PER_SPACE) {
		struct vcm_space *space = t->mappings[i].space;

		KUNIT_EXPECT_EQ(test, vcm_space_switch(space), 0);
		KUNIT_EXPECT_EQ(test, vcm_fake_fault(t->dev, 0, true), 0);
		KUNIT_EXPECT_PTR_EQ(test, last, space);
	}
	unmap(test, 0, MAX_SPACES * PER_SPACE);
	vcm_set_destroy(set);
}

/* --- When something fails ---------------------------------------------- */

#ifdef VCM_HAVE_FAIL_NTH
static void out_of_memory_leaves_no_set(struct kunit *test)
{
	struct set_test *t = test->priv;
	unsigned int n = 0;
	struct vcm_set *set;
	bool failed;

	do {
		vcm_fail_nth_start(test, ++n);
		set = vcm_set_create(t->dev, &usual);
		failed = vcm_fail_nth_end();
		if (!IS_ERR(set))
			vcm_set_destroy(set);
		else
			KUNIT_EXPECT_PTR_EQ(test, set, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, vcm_fake_settle(t->domains), t->domains);
		KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(set));
}

/* Three of four fit in the space that there is: another one is made each time. */
static void out_of_memory_leaves_nothing_mapped(struct kunit *test)
{
	unsigned int n = 0, failures = 0, i;
	struct set_test *t = test->priv;
	struct vcm_space *space;
	struct vcm_set *set;
	bool failed;

	do {
		set = new_set(test);
		fill(test, set, 0, 1);
		for (i = 1; i < 5; i++)
			t->mappings[i] = (struct vcm_set_mapping){
				.dmabuf = t->buffer, .dir = DMA_TO_DEVICE,
			};
		vcm_fail_nth_start(test, ++n);
		space = vcm_set_map(set, &t->mappings[1], 4, NULL);
		failed = vcm_fail_nth_end();
		failures += IS_ERR(space);
		if (!IS_ERR(space))
			unmap(test, 1, 4);
		else
			KUNIT_EXPECT_PTR_EQ(test, space, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_LE(test, nr_spaces(), 2);
		KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages,
				BUFFER_LEN / PAGE_SIZE);
		unmap(test, 0, 1);
		vcm_set_destroy(set);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(space));
	KUNIT_EXPECT_GT(test, failures, 10);
}
#endif

/* --- At the same time -------------------------------------------------- */

#define NR_RACERS	4
#define NR_ROUNDS	200

struct racer {
	struct vcm_set *set;
	struct dma_buf *buffer;
	struct completion done;
	int ret;
};

static int race(void *data)
{
	struct racer *racer = data;
	struct vcm_set_mapping mappings[PER_SPACE];
	int i, j;

	for (i = 0; i < NR_ROUNDS && !racer->ret; i++) {
		unsigned int nr = 1 + get_random_u32_below(PER_SPACE);
		struct vcm_space *space;

		for (j = 0; j < nr; j++)
			mappings[j] = (struct vcm_set_mapping){
				.dmabuf = racer->buffer, .dir = DMA_TO_DEVICE,
			};
		space = vcm_set_map(racer->set, mappings, nr, NULL);
		racer->ret = PTR_ERR_OR_ZERO(space);
		if (!racer->ret)
			vcm_set_unmap(mappings, nr);
	}
	complete(&racer->done);
	return 0;
}

/*
 * There is a space for each and an empty one beside: whoever finds no room has not
 * looked everywhere.
 */
static void many_may_do_it_at_once(struct kunit *test)
{
	struct racer racers[NR_RACERS];
	struct vcm_set_args args = usual;
	struct set_test *t = test->priv;
	struct vcm_set *set;
	int i;

	args.max = NR_RACERS + 1;
	set = new_set_args(test, &args);
	for (i = 0; i < NR_RACERS; i++) {
		struct task_struct *task;

		racers[i] = (struct racer){ .set = set, .buffer = t->buffer };
		init_completion(&racers[i].done);
		task = kthread_run(race, &racers[i], "vcm-set-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	}
	for (i = 0; i < NR_RACERS; i++) {
		wait_for_completion(&racers[i].done);
		KUNIT_EXPECT_EQ(test, racers[i].ret, 0);
	}
	KUNIT_EXPECT_EQ(test, nr_spaces(), 1);
	vcm_set_destroy(set);
}

static struct kunit_case set_test_cases[] = {
	KUNIT_CASE(arguments_are_checked),
	KUNIT_CASE(spaces_are_made_when_they_are_needed),
	KUNIT_CASE(the_oldest_with_room_is_taken),
	KUNIT_CASE(a_shorter_one_fits_where_a_longer_one_did_not),
	KUNIT_CASE(buffers_of_a_job_are_in_one_space),
	KUNIT_CASE(a_buffer_can_be_beside_others),
	KUNIT_CASE(another_space_is_none_of_the_set),
	KUNIT_CASE(what_never_fits_makes_no_space),
	KUNIT_CASE(one_space_that_is_empty_stays),
	KUNIT_CASE(what_others_map_keeps_a_space),
	KUNIT_CASE(an_active_space_that_ends_is_left),
	KUNIT_CASE(sets_share_what_a_device_may_have),
	KUNIT_CASE(a_set_may_end_with_buffers_in_it),
	KUNIT_CASE(a_set_outlives_its_device),
	KUNIT_CASE(a_set_may_end_with_the_binding),
	KUNIT_CASE(faults_in_each_are_told),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_leaves_no_set),
	KUNIT_CASE(out_of_memory_leaves_nothing_mapped),
#endif
	KUNIT_CASE(many_may_do_it_at_once),
	{}
};

static struct kunit_suite set_test_suite = {
	.name = "vcm_set",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = set_test_init,
	.exit = set_test_exit,
	.test_cases = set_test_cases,
};

kunit_test_suite(set_test_suite);
