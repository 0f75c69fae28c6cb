// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: addresses of a device that are kept from the DMA API
 *
 * What is in a window is reserved from the DMA API, all of it, for as long as the
 * device is bound to its driver. So nothing can be placed there by mistake, neither a
 * buffer, in whatever way it is placed, nor what the driver allocates or maps for
 * itself, nor the buffer of another exporter. The buffers that are to be in a window
 * are placed in what is reserved.
 *
 * The DMA API has no call for given addresses. But it gives out none beyond the
 * device's mask, and so we take all that there is up to the end of the window, in
 * ranges as long as can be had, and give back what is below. That is some ten calls
 * where little is in use yet.
 *
 * The DMA API has two memories that are in the way. Short ranges that were given back
 * are kept for each CPU, where they are neither free nor in use: so we begin by asking
 * for what cannot be had, since it has those looked through before it gives up. And
 * which length was the shortest that it could not find below 4 GB it remembers, and
 * refuses that and longer ones until something there is given back: so we end by
 * giving back something that is long enough not to be kept for a CPU.
 */

#include <linux/align.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vcm-device.h"
#include "vcm-reserve.h"
#include "vcm-slab.h"

/*
 * For PCI devices with a mask beyond that, the DMA API looks below first, and when
 * nothing is there it does so never again.
 */
#define VCM_WINDOW_LAST		DMA_BIT_MASK(32)

/* What cannot be had: all of these addresses, since address 0 is nobody's. */
#define VCM_TOO_MUCH		BIT(31)

/* Five times what the DMA API lets pass before it empties its queue */
#define VCM_QUEUE_MS		50

/* --- Reserving --------------------------------------------------------- */

/**
 * struct vcm_taking - taking the addresses of a window from the DMA API
 * @window: the window
 * @dev: the device, for which nobody maps meanwhile
 * @mask: its DMA mask, as its driver has set it
 * @taken: how many addresses are taken
 * @below: what is taken below the window, &struct vcm_slab.by_addr
 * @refund: outside of the window, to be given back at the end, if @refunds
 * @refunds: there is that
 */
struct vcm_taking {
	struct vcm_window *window;
	struct device *dev;
	u64 mask;
	u64 taken;
	struct list_head below;
	struct dma_iova_state refund;
	bool refunds;
};

static bool vcm_take_upto(struct vcm_taking *taking, u64 last, size_t len,
			  struct dma_iova_state *state)
{
	return !dma_set_mask(taking->dev, last) &&
	       dma_iova_try_alloc(taking->dev, state, 0, len);
}

/*
 * What was unmapped a moment ago is in a queue until the IOMMU has forgotten it, if
 * the domain is a lazy one. There is no call to have it emptied earlier.
 */
static void vcm_wait_for_queue(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type == IOMMU_DOMAIN_DMA_FQ)
		msleep(VCM_QUEUE_MS);
}

/* Have the DMA API look through what it keeps. */
static void vcm_take_too_much(struct vcm_taking *taking)
{
	struct dma_iova_state state;

	if (vcm_take_upto(taking, VCM_TOO_MUCH - 1, VCM_TOO_MUCH, &state))
		dma_iova_free(taking->dev, &state);
}

/* If it is in the window, then there is something of that length in the window. */
static void vcm_take_refund(struct vcm_taking *taking)
{
	const struct vcm_iova_window *args = &taking->window->args;
	struct dma_iova_state *state = &taking->refund;

	if (!vcm_take_upto(taking, VCM_WINDOW_LAST, VCM_IOVA_WINDOW_UNIT, state))
		return;
	taking->refunds = state->addr < args->start ||
			  state->addr > vcm_window_last(args);
	if (!taking->refunds)
		dma_iova_free(taking->dev, state);
}

/* By address; mostly it is the lowest so far. */
static void vcm_window_insert(struct vcm_window *window, struct vcm_slab *slab)
{
	struct vcm_slab *next;

	list_for_each_entry(next, &window->slabs, by_addr)
		if (next->state.addr > slab->state.addr)
			break;
	list_add_tail(&slab->by_addr, &next->by_addr);
	window->reserved += dma_iova_size(&slab->state);
}

/* -ENOSPC if there is nothing of that length, or only across the beginning. */
static int vcm_take_one(struct vcm_taking *taking, size_t len)
{
	struct vcm_window *window = taking->window;
	struct vcm_slab *slab = kzalloc_obj(*slab);
	u64 start = window->args.start;

	if (!slab)
		return -ENOMEM;
	if (!vcm_take_upto(taking, vcm_window_last(&window->args), len,
			   &slab->state))
		goto free_slab;

	if (slab->state.addr >= start)
		vcm_window_insert(window, slab);
	else if (slab->state.addr + len <= start)
		list_add(&slab->by_addr, &taking->below);
	else
		goto free_iova;
	taking->taken += len;
	return 0;

free_iova:
	dma_iova_free(taking->dev, &slab->state);
free_slab:
	kfree(slab);
	return -ENOSPC;
}

/* The longest ranges first, down to single pages */
static int vcm_take_lengths(struct vcm_taking *taking)
{
	u64 len = rounddown_pow_of_two(vcm_window_last(&taking->window->args));
	int ret;

	for (; len >= PAGE_SIZE; len /= 2) {
		do {
			ret = vcm_take_one(taking, len);
		} while (!ret);
		if (ret != -ENOSPC)
			return ret;
	}
	return 0;
}

/*
 * Until nothing more comes: the DMA API does not say whether it had no addresses or
 * no memory.
 */
static int vcm_take_all(struct vcm_taking *taking)
{
	u64 before;
	int ret;

	do {
		before = taking->taken;
		ret = vcm_take_lengths(taking);
	} while (!ret && taking->taken != before);
	return ret;
}

static void vcm_slabs_give_back(struct list_head *slabs, struct device *dev)
{
	struct vcm_slab *slab;

	list_for_each_entry(slab, slabs, by_addr)
		dma_iova_free(dev, &slab->state);
}

static void vcm_slabs_free(struct list_head *slabs)
{
	struct vcm_slab *slab, *next;

	list_for_each_entry_safe(slab, next, slabs, by_addr)
		kfree(slab);
	INIT_LIST_HEAD(slabs);
}

/*
 * There is a long one in the window, and nothing else is free up to its end: what is
 * given back can be taken again.
 */
static int vcm_take_again(struct vcm_taking *taking)
{
	struct vcm_window *window = taking->window;
	struct vcm_slab *slab;
	size_t len;
	u64 last;

	list_for_each_entry(slab, &window->slabs, by_addr) {
		len = dma_iova_size(&slab->state);
		last = slab->state.addr + len - 1;
		if (len < VCM_IOVA_WINDOW_UNIT)
			continue;
		dma_iova_free(taking->dev, &slab->state);
		if (vcm_take_upto(taking, last, len, &slab->state))
			return 0;
		window->reserved -= len;
		list_del(&slab->by_addr);
		kfree(slab);
		return -ENOMEM;
	}
	return 0;
}

static int vcm_taking_end(struct vcm_taking *taking)
{
	int ret = 0;

	if (taking->refunds)
		dma_iova_free(taking->dev, &taking->refund);
	else
		ret = vcm_take_again(taking);
	vcm_slabs_give_back(&taking->below, taking->dev);
	vcm_slabs_free(&taking->below);
	dma_set_mask(taking->dev, taking->mask);
	return ret;
}

static int vcm_window_reserve(struct vcm_window *window, struct device *dev)
{
	struct vcm_taking taking = {
		.window = window,
		.dev = dev,
		.mask = *dev->dma_mask,
		.below = LIST_HEAD_INIT(taking.below),
	};
	int ret, err;

	vcm_wait_for_queue(dev);
	vcm_take_too_much(&taking);
	vcm_take_refund(&taking);
	ret = vcm_take_all(&taking);
	err = vcm_taking_end(&taking);
	if (ret || err)
		return ret ?: err;
	return window->reserved ? 0 : -EADDRINUSE;
}

/* Let buffers into it, if it is for some. */
static int vcm_window_open(struct vcm_window *window, struct device *dev)
{
	struct vcm_slab *slab;
	int ret = 0;

	vcm_extents_init(&window->extents, vcm_dma_boundary(dev));
	if (!window->args.number)
		return 0;
	list_for_each_entry(slab, &window->slabs, by_addr) {
		ret = vcm_extents_add(&window->extents, slab->state.addr,
				      dma_iova_size(&slab->state));
		if (ret)
			break;
	}
	return ret;
}

static void vcm_window_destroy(struct vcm_window *window)
{
	struct vcm_extents *extents = &window->extents;
	struct vcm_slab *slab;

	list_for_each_entry(slab, &window->slabs, by_addr)
		if (vcm_extents_is_free(extents, slab->state.addr,
					dma_iova_size(&slab->state)))
			vcm_extents_remove(extents, slab->state.addr,
					   dma_iova_size(&slab->state));
	vcm_extents_destroy(extents);
	vcm_slabs_free(&window->slabs);
	kfree(window);
}

/* --- The windows of a device ------------------------------------------- */

/**
 * vcm_window_check - is a window possible on any device
 * @args: the window
 *
 * Context: Any.
 * Return: 0, -EINVAL (empty, or no multiple of the unit), -ERANGE (beyond 4 GB).
 */
int vcm_window_check(const struct vcm_iova_window *args)
{
	if (!args->len ||
	    !IS_ALIGNED(args->start | args->len, VCM_IOVA_WINDOW_UNIT))
		return -EINVAL;
	if (args->start > VCM_WINDOW_LAST ||
	    args->len - 1 > VCM_WINDOW_LAST - args->start)
		return -ERANGE;
	return 0;
}

static int vcm_window_fits(struct vcm_iova_device *vdev,
			   const struct vcm_iova_window *args)
{
	struct vcm_window *window;
	unsigned int n = 0;

	lockdep_assert_held(&vdev->lock);

	list_for_each_entry(window, &vdev->windows, node) {
		if ((args->number && args->number == window->args.number) ||
		    (args->start <= vcm_window_last(&window->args) &&
		     vcm_window_last(args) >= window->args.start))
			return -EEXIST;
		n++;
	}
	return n < VCM_IOVA_WINDOWS_MAX ? 0 : -ENOSPC;
}

/**
 * vcm_window_add - make a window
 * @vdev: the device, for which nobody maps meanwhile
 * @args: the window, checked
 *
 * Context: Process context, sleeps, with &struct vcm_iova_device.lock.
 * Return: 0, -EEXIST, -ENOSPC, -EADDRINUSE, -ENOMEM, see
 *	vcm_iova_add_window().
 */
int vcm_window_add(struct vcm_iova_device *vdev,
		   const struct vcm_iova_window *args)
{
	struct vcm_window *window;
	int ret;

	lockdep_assert_held(&vdev->lock);

	ret = vcm_window_fits(vdev, args);
	if (ret)
		return ret;
	window = kzalloc_obj(*window);
	if (!window)
		return -ENOMEM;

	window->args = *args;
	INIT_LIST_HEAD(&window->slabs);
	vcm_extents_init(&window->extents, 0);
	ret = vcm_window_reserve(window, vdev->dev);
	if (ret)
		goto give_back;
	ret = vcm_window_open(window, vdev->dev);
	if (ret)
		goto give_back;
	list_add_tail(&window->node, &vdev->windows);
	vdev->nr_windows++;
	vdev->windowed += window->reserved;
	return 0;

give_back:
	vcm_slabs_give_back(&window->slabs, vdev->dev);
	vcm_window_destroy(window);
	return ret;
}

/**
 * vcm_windows_release - give the addresses of all windows back
 * @vdev: the device, with nothing mapped
 *
 * The windows stay, with nothing in them, for who is still attached.
 *
 * Context: Process context, may sleep.
 */
void vcm_windows_release(struct vcm_iova_device *vdev)
{
	struct vcm_window *window;

	mutex_lock(&vdev->lock);
	if (!vcm_device_lost(vdev) && vdev->windowed)
		list_for_each_entry(window, &vdev->windows, node)
			vcm_slabs_give_back(&window->slabs, vdev->dev);
	vdev->windowed = 0;
	mutex_unlock(&vdev->lock);
}

/**
 * vcm_windows_free - forget all windows
 * @vdev: the device, which nobody uses any more
 *
 * Context: Process context.
 */
void vcm_windows_free(struct vcm_iova_device *vdev)
{
	struct vcm_window *window, *next;

	list_for_each_entry_safe(window, next, &vdev->windows, node)
		vcm_window_destroy(window);
}

/**
 * vcm_window_find - the window that a buffer is to be in
 * @vdev: the device
 * @number: from the buffer's policy, not 0
 *
 * Windows neither come nor go while a buffer is attached.
 *
 * Context: Any.
 * Return: the window, or NULL if there is none of that number.
 */
struct vcm_window *vcm_window_find(struct vcm_iova_device *vdev, u32 number)
{
	struct vcm_window *window;

	list_for_each_entry(window, &vdev->windows, node)
		if (window->args.number == number)
			return window;
	return NULL;
}

/**
 * vcm_window_slab - what is reserved at an address
 * @window: the window
 * @addr: an address in it that is taken
 *
 * Context: Any.
 * Return: the reservation.
 */
struct vcm_slab *vcm_window_slab(struct vcm_window *window, u64 addr)
{
	struct vcm_slab *slab;

	list_for_each_entry_reverse(slab, &window->slabs, by_addr)
		if (slab->state.addr <= addr)
			break;
	return slab;
}
