// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the end of address spaces that are in use
 *
 * Who has something of a space that is destroyed does afterwards what it would
 * have done anyway, in any order. After each case nothing may be left of it.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../vcm-domain.h"
#include "../vcm-device.h"
#include "../vcm-mapping.h"
#include "../vcm-parent.h"
#include "../vcm-space.h"
#include "vcm-fake-iommu.h"
#include "vcm-test-map.h"

#define BLOCK_ORDER	get_order(SZ_2M)
#define START		((u64)SZ_64M)
#define FIXED		((u64)SZ_128M)

static const struct vcm_iova_policy no_policy;

static const struct vcm_space_args usual = {
	.start = START, .len = SZ_256M, .fixed_start = FIXED,
	.fixed_len = SZ_16M,
};

/**
 * struct end_test - what a case works on
 * @block: 2 MB of memory
 * @dev: a device whose DMA is claimed
 * @own: its default domain
 * @space: a space of it
 * @sdev: the space's device
 * @domains: domains that there were before @space
 */
struct end_test {
	struct page *block;
	struct device *dev;
	struct iommu_domain *own;
	struct vcm_space *space;
	struct device *sdev;
	unsigned long domains;
};

static int end_test_init(struct kunit *test)
{
	const struct vcm_fake_args args = {
		.mask = DMA_BIT_MASK(48), .managed = true,
	};
	struct end_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	vcm_fake_reset();
	t->block = alloc_pages(GFP_KERNEL | __GFP_COMP, BLOCK_ORDER);
	if (!t->block)
		return -ENOMEM;
	t->dev = vcm_fake_device(test, &args);
	t->own = vcm_fake_attached(t->dev);
	t->domains = vcm_fake_iommu.nr_domains;
	t->space = vcm_space_create(t->dev, &usual);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->space);
	t->sdev = vcm_space_dev(t->space);
	return 0;
}

/* A space ends a little later. */
static void wait_for_end(struct kunit *test)
{
	struct end_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, vcm_fake_settle(t->domains), t->domains);
}

static void end_test_exit(struct kunit *test)
{
	struct end_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	if (!t)
		return;
	wait_for_end(test);
	KUNIT_EXPECT_EQ(test, vcm_test_devices(), 0);
	if (t->block)
		__free_pages(t->block, BLOCK_ORDER);
}

static struct sg_table *new_table(struct kunit *test)
{
	struct end_test *t = test->priv;

	return vcm_fake_table(test, t->block, 3, 0, SZ_64K);
}

static struct dma_buf *new_buffer(struct kunit *test)
{
	return vcm_fake_buffer(test, new_table(test), 3 * SZ_64K);
}

/* Nobody has it any more but the case. */
static void check_alone(struct kunit *test, struct dma_buf *buf)
{
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, list_empty(&buf->attachments));
	KUNIT_EXPECT_EQ(test, file_count(buf->file), 1);
}

/* The device is as if it had never had a space, and can have one. */
static void check_free(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct vcm_space *again;

	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(t->dev), t->own);
	KUNIT_EXPECT_TRUE(test, list_empty(&vcm_parents));
	again = vcm_space_create(t->dev, &usual);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, again);
	KUNIT_EXPECT_TRUE(test, vcm_space_gap_blocked(again));
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(t->dev));
	KUNIT_EXPECT_EQ(test, vcm_space_activate(again), 0);
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(again), 0);
	vcm_space_destroy(again);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(t->dev), t->own);
}

/* --- What the parent reaches ------------------------------------------- */

static void an_active_space_is_taken_from_its_parent(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct vcm_space *other = vcm_space_create(t->dev, &usual);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);
	vcm_space_destroy(t->space);
	/* It is in the gap, not in its own domain. */
	KUNIT_EXPECT_NULL(test, vcm_fake_attached(t->dev));
	KUNIT_EXPECT_EQ(test, vcm_space_deactivate(other), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcm_space_activate(other), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(t->dev),
			    other->domain->backing);
	vcm_space_destroy(other);
	check_free(test);
}

static void a_space_that_is_not_active_changes_nothing(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct vcm_space *other = vcm_space_create(t->dev, &usual);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(other), 0);
	vcm_space_destroy(t->space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(t->dev),
			    other->domain->backing);
	vcm_space_destroy(other);
	check_free(test);
}

/* What the parent itself has is replayed when its own domain is attached. */
static void nothing_is_mapped_for_the_parent_meanwhile(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct vcm_iova_device *vdev = vcm_iova_get(t->dev);
	struct vcm_space *first;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);
	vcm_fake_iommu.attach_gate = &vdev->hold;
	vcm_fake_iommu.nr_attaches = 0;
	vcm_space_destroy(t->space);
	/* From the space to the gap, and from there to its own domain */
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_attaches, 2);

	/* And from there to the gap, and back */
	first = vcm_space_create(t->dev, &usual);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	vcm_space_destroy(first);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_attaches, 4);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_ungated, 0);
	vcm_fake_iommu.attach_gate = NULL;
	vcm_iova_put(vdev);
	check_free(test);
}

/* --- What placement has ------------------------------------------------ */

static void what_is_placed_is_undone(struct kunit *test)
{
	struct sg_table *sgt = new_table(test), *two = new_table(test);
	struct end_test *t = test->priv;
	struct vcm_iova_device *vdev = vcm_iova_get(t->sdev);
	struct vcm_iova_mapping map, map_two;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
					   &no_policy, &map), 0);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, two, DMA_TO_DEVICE,
					   &no_policy, &map_two), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);
	KUNIT_EXPECT_NE(test, vcm_fake_phys(t->dev, map.iova), 0);

	vcm_space_destroy(t->space);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(t->dev, map.iova), 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	wait_for_end(test);

	vcm_iova_sync_for_cpu(&map, DMA_FROM_DEVICE);
	vcm_iova_sync_for_device(&map, DMA_TO_DEVICE);
	vcm_test_unmap(&map);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
					   &no_policy, &map), -ENODEV);
	vcm_test_unmap(&map_two);
	vcm_iova_put(vdev);
	check_free(test);
}

static void who_is_attached_only_is_let_down_gently(struct kunit *test)
{
	struct sg_table *sgt = new_table(test);
	struct end_test *t = test->priv;
	struct vcm_iova_device *vdev = vcm_iova_get(t->sdev);
	struct vcm_iova_mapping map;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	vcm_space_destroy(t->space);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
					   &no_policy, &map), -ENODEV);
	check_free(test);
	vcm_iova_put(vdev);
}

static void who_holds_the_device_gets_nothing_from_it(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct device *sdev = get_device(t->sdev);
	int i;

	vcm_space_destroy(t->space);
	wait_for_end(test);
	/* The domain goes a little before the device. */
	for (i = 0; i < 3000 && device_is_registered(sdev); i++)
		msleep(20);
	KUNIT_EXPECT_FALSE(test, device_is_registered(sdev));
	KUNIT_EXPECT_PTR_EQ(test, vcm_iova_get(sdev), ERR_PTR(-ENODEV));
	put_device(sdev);
	check_free(test);
}

/**
 * struct latecomer - who attaches a buffer while a space's device is deleted
 * @sdev: the device
 * @nb: told of that, before the IOMMU core
 * @refused: how often it was refused at once
 * @dead: how often it found the device dead
 */
struct latecomer {
	struct device *sdev;
	struct notifier_block nb;
	unsigned int refused;
	unsigned int dead;
};

static int attach_late(struct notifier_block *nb, unsigned long action,
		       void *data)
{
	struct latecomer *late = container_of(nb, struct latecomer, nb);
	struct vcm_iova_device *vdev;

	if (data != late->sdev || (action != BUS_NOTIFY_DEL_DEVICE &&
				   action != BUS_NOTIFY_REMOVED_DEVICE))
		return NOTIFY_DONE;
	vdev = vcm_iova_get(late->sdev);
	if (IS_ERR(vdev)) {
		late->refused += PTR_ERR(vdev) == -ENODEV;
		return NOTIFY_OK;
	}
	late->dead += vcm_device_is(vdev, VCM_DEVICE_DEAD);
	vcm_iova_put(vdev);
	return NOTIFY_OK;
}

/* It is not made known anew: it is dead first, and then not there. */
static void nobody_attaches_to_a_space_that_ends(struct kunit *test)
{
	struct latecomer late = {
		.nb = { .notifier_call = attach_late, .priority = 1 },
	};
	struct end_test *t = test->priv;

	late.sdev = get_device(t->sdev);
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&platform_bus_type,
						    &late.nb), 0);
	vcm_space_destroy(t->space);
	wait_for_end(test);
	bus_unregister_notifier(&platform_bus_type, &late.nb);
	KUNIT_EXPECT_EQ(test, late.dead, 1);
	KUNIT_EXPECT_EQ(test, late.refused, 1);
	put_device(late.sdev);
	check_free(test);
}

/* --- What is at fixed addresses ---------------------------------------- */

static void fixed_addresses_are_undone(struct kunit *test)
{
	struct dma_buf *one = new_buffer(test), *two = new_buffer(test);
	struct end_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(t->space, FIXED, one,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(t->space, FIXED + SZ_1M, two,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(t->space, FIXED + SZ_2M, one,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);
	KUNIT_EXPECT_NE(test, vcm_fake_phys(t->dev, FIXED + SZ_2M), 0);
	vcm_space_destroy(t->space);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	wait_for_end(test);
	check_alone(test, one);
	check_alone(test, two);
	check_free(test);
}

/* Nobody but the space had them. */
static void buffers_that_a_space_kept_go_with_it(struct kunit *test)
{
	struct dma_buf *buf = new_buffer(test);
	struct end_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, vcm_space_map_at(t->space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	vcm_fake_buffer_put(test, buf);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_buffers, 1);
	vcm_space_destroy(t->space);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_buffers, 0);
}

/**
 * struct fixed_call - a call of vcm_space_map_at() or vcm_space_destroy()
 * @space: the space
 * @buf: the buffer
 * @ret: what came of it
 * @done: it returned
 */
struct fixed_call {
	struct vcm_space *space;
	struct dma_buf *buf;
	int ret;
	struct completion done;
};

static int call_map_at(void *data)
{
	struct fixed_call *call = data;

	call->ret = vcm_space_map_at(call->space, FIXED, call->buf,
				     DMA_TO_DEVICE);
	complete(&call->done);
	return 0;
}

static int call_destroy(void *data)
{
	struct fixed_call *call = data;

	vcm_space_destroy(call->space);
	complete(&call->done);
	return 0;
}

static void start_call(struct kunit *test, int (*fn)(void *data),
		       struct fixed_call *call)
{
	struct end_test *t = test->priv;
	struct task_struct *task;

	call->space = t->space;
	init_completion(&call->done);
	task = kthread_run(fn, call, "vcm-space-end");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
}

static void a_fixed_mapping_under_way_is_waited_for(struct kunit *test)
{
	DECLARE_COMPLETION_ONSTACK(begun);
	DECLARE_COMPLETION_ONSTACK(go);
	struct fixed_call map = { .buf = new_buffer(test) }, end = {};
	struct end_test *t = test->priv;
	struct vcm_parent *parent = t->space->parent;

	vcm_fake_iommu.map_begun = &begun;
	vcm_fake_iommu.map_go = &go;
	start_call(test, call_map_at, &map);
	wait_for_completion(&begun);
	start_call(test, call_destroy, &end);
	/* It is done with the parent, and is not with the buffer. */
	while (READ_ONCE(parent->nr_spaces))
		msleep(20);
	msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&end.done));
	KUNIT_EXPECT_FALSE(test, list_empty(&vcm_parents));

	complete(&go);
	wait_for_completion(&map.done);
	wait_for_completion(&end.done);
	vcm_fake_iommu.map_begun = NULL;
	KUNIT_EXPECT_EQ(test, map.ret, -ENODEV);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	check_alone(test, map.buf);
	check_free(test);
}

/* --- What others have -------------------------------------------------- */

static void what_others_mapped_is_theirs_to_undo(struct kunit *test)
{
	struct sg_table *sgt = new_table(test);
	struct end_test *t = test->priv;
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;
	dma_addr_t one, two, more;

	one = dma_map_page(t->sdev, t->block, 0, SZ_64K, DMA_TO_DEVICE);
	two = dma_map_page(t->sdev, t->block, 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(t->sdev, one));
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(t->sdev, two));
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);
	KUNIT_EXPECT_NE(test, vcm_fake_phys(t->dev, one), 0);

	vcm_space_destroy(t->space);
	KUNIT_EXPECT_EQ(test, vcm_fake_phys(t->dev, one), 0);
	check_free(test);

	/* The DMA API knows what they are, and takes no more. */
	KUNIT_EXPECT_TRUE(test, device_is_registered(t->sdev));
	more = dma_map_page(t->sdev, t->block, 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(t->sdev, more));
	/* Who attaches now finds it gone, and does not make it known anew. */
	vdev = vcm_iova_get(t->sdev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_EXPECT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
					   &no_policy, &map), -ENODEV);
	vcm_iova_put(vdev);
	dma_unmap_page(t->sdev, one, SZ_64K, DMA_TO_DEVICE);
	/* Its keeper ends. */
	vcm_fake_settle(t->domains + 1);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_domains, t->domains + 1);
	dma_unmap_page(t->sdev, two, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	wait_for_end(test);
}

static void memory_of_a_driver_is_freed_as_it_was_made(struct kunit *test)
{
	struct end_test *t = test->priv;
	dma_addr_t addr;
	u64 *words;

	words = dma_alloc_coherent(t->sdev, SZ_64K, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, words);
	vcm_space_destroy(t->space);
	words[0] = 1;
	dma_free_coherent(t->sdev, SZ_64K, words, addr);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	wait_for_end(test);
	check_free(test);
}

static void other_exporters_may_be_left_in_any_state(struct kunit *test)
{
	struct dma_buf_attachment *attached, *mapped;
	struct dma_buf *buf = new_buffer(test);
	struct end_test *t = test->priv;
	struct sg_table *sgt, *again;

	attached = dma_buf_attach(buf, t->sdev);
	mapped = dma_buf_attach(buf, t->sdev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attached);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mapped);
	sgt = dma_buf_map_attachment_unlocked(mapped, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	vcm_space_destroy(t->space);
	again = dma_buf_map_attachment_unlocked(attached, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_TRUE(test, IS_ERR(again));
	dma_buf_unmap_attachment_unlocked(mapped, sgt, DMA_BIDIRECTIONAL);
	wait_for_end(test);
	dma_buf_detach(buf, mapped);
	dma_buf_detach(buf, attached);
	check_alone(test, buf);
	check_free(test);
}

/* --- Who is inside of the DMA API -------------------------------------- */

/**
 * struct insider - somebody who unmaps the last that is mapped for a space
 * @t: the case
 * @addr: what is unmapped
 * @task: who does
 * @nb: tells when the space's device goes
 * @met: it went from under @task's own feet
 * @begun: completed when nothing is mapped any more, within the DMA API
 * @go: what leaves it
 * @left: completed when the DMA API has been left
 */
struct insider {
	struct end_test *t;
	dma_addr_t addr;
	struct task_struct *task;
	struct notifier_block nb;
	bool met;
	struct completion begun;
	bool go;
	struct completion left;
};

static void insider_init(struct kunit *test, struct insider *in)
{
	struct end_test *t = test->priv;

	in->t = t;
	init_completion(&in->begun);
	init_completion(&in->left);
	in->addr = dma_map_page(t->sdev, t->block, 0, SZ_64K, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(t->sdev, in->addr));
	vcm_fake_iommu.on_sync_data = in;
}

/* Others wait with the end until the insider has left. */
static int insider_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct insider *in = container_of(nb, struct insider, nb);

	if (action != BUS_NOTIFY_DEL_DEVICE || data != in->t->sdev)
		return NOTIFY_DONE;
	if (current == in->task)
		in->met = true;
	else
		wait_for_completion(&in->left);
	return NOTIFY_OK;
}

static void destroy_from_inside(void *data)
{
	struct insider *in = data;

	vcm_fake_iommu.on_sync = NULL;
	vcm_space_destroy(in->t->space);
}

/*
 * The DMA API goes on to use the domain when the last page has been unmapped.
 * That somebody destroys the space at that moment is played by the one task.
 */
static void no_end_from_under_who_unmaps(struct kunit *test)
{
	struct insider in = {
		.task = current, .nb.notifier_call = insider_notify,
	};
	struct end_test *t = test->priv;
	struct vcm_space *other = vcm_space_create(t->dev, &usual);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	insider_init(test, &in);
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&platform_bus_type, &in.nb),
			0);
	vcm_fake_iommu.on_sync = destroy_from_inside;
	dma_unmap_page(t->sdev, in.addr, SZ_64K, DMA_TO_DEVICE);
	complete_all(&in.left);
	KUNIT_EXPECT_NULL(test, vcm_fake_iommu.on_sync);
	KUNIT_EXPECT_FALSE(test, in.met);
	vcm_space_destroy(other);
	wait_for_end(test);
	bus_unregister_notifier(&platform_bus_type, &in.nb);
	check_free(test);
}

#ifdef CONFIG_SMP
static void stay_inside(void *data)
{
	struct insider *in = data;

	vcm_fake_iommu.on_sync = NULL;
	complete(&in->begun);
	while (!READ_ONCE(in->go))
		cpu_relax();
}

static int unmap_slowly(void *data)
{
	struct insider *in = data;

	dma_unmap_page(in->t->sdev, in->addr, SZ_64K, DMA_TO_DEVICE);
	complete(&in->left);
	return 0;
}

/* The same with two, on two CPUs: he takes his time, but does not sleep. */
static void who_unmaps_slowly_is_waited_for(struct kunit *test)
{
	struct end_test *t = test->priv;
	struct insider in = {};

	insider_init(test, &in);
	vcm_fake_iommu.on_sync = stay_inside;
	in.task = kthread_run(unmap_slowly, &in, "vcm-space-insider");
	KUNIT_ASSERT_FALSE(test, IS_ERR(in.task));
	wait_for_completion(&in.begun);
	vcm_space_destroy(t->space);
	msleep(1000);
	KUNIT_EXPECT_TRUE(test, device_is_registered(t->sdev));
	WRITE_ONCE(in.go, true);
	wait_for_completion(&in.left);
	wait_for_end(test);
	check_free(test);
}
#endif

/**
 * struct ends - spaces that are about to end
 * @dev: the device that they are of
 * @nb: holds up their devices
 * @go: completed when they may go
 * @made: completed when all have been made and destroyed
 */
struct ends {
	struct device *dev;
	struct notifier_block nb;
	struct completion go;
	struct completion made;
};

static int hold_up(struct notifier_block *nb, unsigned long action, void *data)
{
	struct ends *ends = container_of(nb, struct ends, nb);

	if (action == BUS_NOTIFY_DEL_DEVICE)
		wait_for_completion(&ends->go);
	return NOTIFY_OK;
}

static int make_and_destroy(void *data)
{
	struct ends *ends = data;
	int i;

	for (i = 0; i < 3 * VCM_SPACES_MAX; i++) {
		struct vcm_space *space = vcm_space_create(ends->dev, &usual);

		if (!IS_ERR(space))
			vcm_space_destroy(space);
	}
	complete(&ends->made);
	return 0;
}

/* Each of them has a keeper, which ends as well. */
static void not_too_many_are_about_to_end(struct kunit *test)
{
	struct ends ends = { .nb.notifier_call = hold_up };
	struct end_test *t = test->priv;
	struct task_struct *task;

	ends.dev = t->dev;
	init_completion(&ends.go);
	init_completion(&ends.made);
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&platform_bus_type,
						    &ends.nb), 0);
	task = kthread_run(make_and_destroy, &ends, "vcm-space-ends");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (READ_ONCE(vcm_fake_iommu.nr_domains) <
	       t->domains + 2 + VCM_SPACES_MAX)
		msleep(20);
	msleep(1000);
	KUNIT_EXPECT_LE(test, vcm_fake_iommu.nr_domains,
			t->domains + 2 + VCM_SPACES_MAX);
	complete_all(&ends.go);
	wait_for_completion(&ends.made);
	bus_unregister_notifier(&platform_bus_type, &ends.nb);
	vcm_space_destroy(t->space);
	wait_for_end(test);
}

/* --- At the same time -------------------------------------------------- */

/**
 * struct mapper - somebody who maps until it fails
 * @sdev: the space's device
 * @buf: a buffer of another exporter, or NULL for placement
 * @sgt: memory
 * @nr: times that it was mapped
 * @ret: why it was the last time
 * @done: it stopped
 */
struct mapper {
	struct device *sdev;
	struct dma_buf *buf;
	struct sg_table *sgt;
	unsigned long nr;
	int ret;
	struct completion done;
};

static int map_placed(void *data)
{
	struct mapper *mapper = data;
	struct vcm_iova_device *vdev = vcm_iova_get(mapper->sdev);
	struct vcm_iova_mapping map;

	for (;;) {
		mapper->ret = vcm_test_map(vdev, mapper->sgt, DMA_TO_DEVICE,
					   &no_policy, &map);
		if (mapper->ret)
			break;
		WRITE_ONCE(mapper->nr, mapper->nr + 1);
		vcm_test_unmap(&map);
		cond_resched();
	}
	vcm_iova_put(vdev);
	complete(&mapper->done);
	return 0;
}

static int map_exported(void *data)
{
	struct mapper *mapper = data;
	struct dma_buf_attachment *attachment;
	struct sg_table *held, *sgt;

	/* One that lasts: with it the device lasts as well. */
	attachment = dma_buf_attach(mapper->buf, mapper->sdev);
	held = dma_buf_map_attachment_unlocked(attachment, DMA_TO_DEVICE);
	for (;;) {
		sgt = dma_buf_map_attachment_unlocked(attachment,
						      DMA_TO_DEVICE);
		mapper->ret = PTR_ERR_OR_ZERO(sgt);
		if (mapper->ret)
			break;
		WRITE_ONCE(mapper->nr, mapper->nr + 1);
		dma_buf_unmap_attachment_unlocked(attachment, sgt,
						  DMA_TO_DEVICE);
		cond_resched();
	}
	dma_buf_unmap_attachment_unlocked(attachment, held, DMA_TO_DEVICE);
	dma_buf_detach(mapper->buf, attachment);
	complete(&mapper->done);
	return 0;
}

static void destroy_while_mapping(struct kunit *test, int (*fn)(void *data),
				  struct mapper *mapper)
{
	struct end_test *t = test->priv;
	struct task_struct *task;

	mapper->sdev = t->sdev;
	init_completion(&mapper->done);
	task = kthread_run(fn, mapper, "vcm-space-mapper");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (READ_ONCE(mapper->nr) < 10)
		msleep(20);
	vcm_space_destroy(t->space);
	wait_for_completion(&mapper->done);
	KUNIT_EXPECT_NE(test, mapper->ret, 0);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, 0);
	wait_for_end(test);
	check_free(test);
}

static void placement_may_be_mapping_meanwhile(struct kunit *test)
{
	struct mapper mapper = { .sgt = new_table(test) };

	destroy_while_mapping(test, map_placed, &mapper);
	KUNIT_EXPECT_EQ(test, mapper.ret, -ENODEV);
}

static void another_exporter_may_be_mapping_meanwhile(struct kunit *test)
{
	struct mapper mapper = { .buf = new_buffer(test) };

	destroy_while_mapping(test, map_exported, &mapper);
	check_alone(test, mapper.buf);
}

/* --- When the parent is gone, and with it ------------------------------ */

static void the_parent_may_have_gone_before(struct kunit *test)
{
	struct sg_table *sgt = new_table(test);
	struct dma_buf *buf = new_buffer(test);
	struct end_test *t = test->priv;
	struct vcm_iova_device *vdev;
	struct vcm_iova_mapping map;
	dma_addr_t addr;

	vdev = vcm_iova_get(t->sdev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vdev);
	KUNIT_ASSERT_EQ(test, vcm_test_map(vdev, sgt, DMA_BIDIRECTIONAL,
					   &no_policy, &map), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(t->space, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	addr = dma_map_page(t->sdev, t->block, 0, SZ_64K, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(t->sdev, addr));
	KUNIT_ASSERT_EQ(test, vcm_space_activate(t->space), 0);

	vcm_fake_device_remove(test, t->dev);
	t->domains--;
	vcm_space_destroy(t->space);
	check_alone(test, buf);
	KUNIT_EXPECT_EQ(test, vcm_fake_iommu.nr_pages, SZ_64K / PAGE_SIZE);
	vcm_test_unmap(&map);
	dma_unmap_page(t->sdev, addr, SZ_64K, DMA_TO_DEVICE);
	vcm_iova_put(vdev);
	wait_for_end(test);
}

static void the_parent_may_go_before_the_last_mapping(struct kunit *test)
{
	struct end_test *t = test->priv;
	dma_addr_t addr;

	addr = dma_map_page(t->sdev, t->block, 0, SZ_64K, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(t->sdev, addr));
	vcm_space_destroy(t->space);
	vcm_fake_device_remove(test, t->dev);
	t->domains--;
	/* Others may ask about the device still. */
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(t->sdev,
						      IOMMU_CAP_CACHE_COHERENCY));
	dma_unmap_page(t->sdev, addr, SZ_64K, DMA_TO_DEVICE);
	wait_for_end(test);
}

static void a_managed_space_ends_with_its_driver(struct kunit *test)
{
	struct dma_buf *buf = new_buffer(test);
	struct end_test *t = test->priv;
	struct vcm_space *managed = devm_vcm_space_create(t->dev, &usual);
	struct vcm_parent *parent;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, managed);
	parent = managed->parent;
	KUNIT_EXPECT_EQ(test, parent->nr_spaces, 2);
	KUNIT_ASSERT_EQ(test, vcm_space_map_at(managed, FIXED, buf,
					       DMA_TO_DEVICE), 0);
	KUNIT_ASSERT_EQ(test, vcm_space_activate(managed), 0);
	device_release_driver(t->dev);
	KUNIT_EXPECT_EQ(test, parent->nr_spaces, 1);
	KUNIT_EXPECT_TRUE(test, parent->dead);
	check_alone(test, buf);
	vcm_space_destroy(t->space);
	KUNIT_EXPECT_PTR_EQ(test, vcm_fake_attached(t->dev), t->own);
}

static void a_managed_space_that_cannot_be_is_none(struct kunit *test)
{
	const struct vcm_space_args empty = {};
	struct end_test *t = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, devm_vcm_space_create(t->dev, &empty),
			    ERR_PTR(-EINVAL));
	vcm_space_destroy(t->space);
	device_release_driver(t->dev);
}

static struct kunit_case end_test_cases[] = {
	KUNIT_CASE(an_active_space_is_taken_from_its_parent),
	KUNIT_CASE(a_space_that_is_not_active_changes_nothing),
	KUNIT_CASE(nothing_is_mapped_for_the_parent_meanwhile),
	KUNIT_CASE(what_is_placed_is_undone),
	KUNIT_CASE(who_is_attached_only_is_let_down_gently),
	KUNIT_CASE(who_holds_the_device_gets_nothing_from_it),
	KUNIT_CASE(nobody_attaches_to_a_space_that_ends),
	KUNIT_CASE(fixed_addresses_are_undone),
	KUNIT_CASE(buffers_that_a_space_kept_go_with_it),
	KUNIT_CASE(a_fixed_mapping_under_way_is_waited_for),
	KUNIT_CASE_SLOW(what_others_mapped_is_theirs_to_undo),
	KUNIT_CASE(memory_of_a_driver_is_freed_as_it_was_made),
	KUNIT_CASE(other_exporters_may_be_left_in_any_state),
	KUNIT_CASE(no_end_from_under_who_unmaps),
#ifdef CONFIG_SMP
	KUNIT_CASE_SLOW(who_unmaps_slowly_is_waited_for),
#endif
	KUNIT_CASE_SLOW(not_too_many_are_about_to_end),
	KUNIT_CASE(placement_may_be_mapping_meanwhile),
	KUNIT_CASE(another_exporter_may_be_mapping_meanwhile),
	KUNIT_CASE(the_parent_may_have_gone_before),
	KUNIT_CASE(the_parent_may_go_before_the_last_mapping),
	KUNIT_CASE(a_managed_space_ends_with_its_driver),
	KUNIT_CASE(a_managed_space_that_cannot_be_is_none),
	{}
};

static struct kunit_suite end_test_suite = {
	.name = "vcm_space_end",
	.suite_init = vcm_fake_init,
	.suite_exit = vcm_fake_exit,
	.init = end_test_init,
	.exit = end_test_exit,
	.test_cases = end_test_cases,
};

kunit_test_suite(end_test_suite);
