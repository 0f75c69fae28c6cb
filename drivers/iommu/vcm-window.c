// SPDX-License-Identifier: GPL-2.0
/*
 * Windows of devices: who declares them
 *
 * A driver does, before anybody attaches a buffer to its device; or an administrator,
 * in place of a driver that does not (vcm-wanted.c). Theirs are made before the
 * driver's probe().
 */

#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>

#include "vcm-device.h"
#include "vcm-reserve.h"
#include "vcm-wanted.h"
#include "vcm-window.h"

/* Only what the DMA API gives out can be kept from it. */
static bool vcm_windows_possible(const struct vcm_iova_device *vdev)
{
	return vdev->linked && vdev->idle_refs && vdev->dev->dma_mask;
}

static int vcm_window_make(struct vcm_iova_device *vdev,
			   const struct vcm_iova_window *window)
{
	int ret;

	if (!vcm_windows_possible(vdev))
		return -EOPNOTSUPP;
	/* The mask is another for a moment: nobody of ours is to see that. */
	vcm_iova_hold(vdev);
	mutex_lock(&vdev->lock);
	ret = READ_ONCE(vdev->nr_mappings) ? -EBUSY :
					     vcm_window_add(vdev, window);
	mutex_unlock(&vdev->lock);
	vcm_iova_unhold(vdev);
	return ret;
}

/**
 * vcm_iova_add_window - keep addresses of a device for some buffers, or from all
 * @dev: the device, bound to the caller's driver or being so
 * @window: the addresses, and who is to have them
 *
 * Nothing is placed in a window but buffers whose policy has its number: no other
 * buffer, and nothing else that the DMA API maps for @dev or for another device of its
 * IOMMU group. What nobody can have is left out without an error, since addresses of
 * interrupt messages and of other devices may be in a window, too; and so is what
 * @dev had mapped there before.
 *
 * The window stays until @dev has lost its driver. It is no part of the spaces of
 * @dev: they have their own.
 *
 * Context: Process context, sleeps. Before a buffer is attached to @dev, and while
 *	nobody calls the DMA API for it: probe(), for example. The DMA mask is
 *	another one meanwhile, and the driver's again on return.
 * Return: 0, or with nothing changed
 *	-EINVAL (an empty window, or no multiple of VCM_IOVA_WINDOW_UNIT),
 *	-ERANGE (beyond 4 GB),
 *	-EEXIST (it overlaps another window, or has its number),
 *	-EBUSY (a buffer is attached to @dev),
 *	-EADDRINUSE (nothing of it is free),
 *	-ENOSPC (@dev has VCM_IOVA_WINDOWS_MAX windows),
 *	-EOPNOTSUPP (no IOMMU that the DMA API maps with, or the driver of @dev does
 *	not leave its DMA to the DMA API),
 *	-ENOMEM, or -ENODEV (@dev was deleted).
 */
int vcm_iova_add_window(struct device *dev, const struct vcm_iova_window *window)
{
	struct vcm_iova_device *vdev;
	int ret;

	ret = vcm_window_check(window);
	if (ret)
		return ret;
	vdev = vcm_iova_get(dev);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	ret = vcm_window_make(vdev, window);
	vcm_iova_put(vdev);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_add_window, "VCM_IOVA");

/**
 * vcm_windows_bind - make the windows that an administrator wants for a device
 * @dev: the device, whose driver's probe() comes next
 *
 * Where that fails, no buffer can be attached to @dev.
 *
 * Context: Process context, sleeps.
 */
void vcm_windows_bind(struct device *dev)
{
	struct vcm_iova_window windows[VCM_IOVA_WINDOWS_MAX];
	unsigned int i, n = vcm_windows_wanted(dev, windows);
	struct vcm_iova_device *vdev;
	int ret = 0;

	if (!n)
		return;
	vdev = vcm_iova_get(dev);
	if (IS_ERR(vdev))
		return;
	for (i = 0; i < n && !ret; i++)
		ret = vcm_window_make(vdev, &windows[i]);
	if (ret)
		dev_warn(dev, "vcm_iova: window 0x%llx of %llu bytes is impossible: %pe\n",
			 windows[i - 1].start, windows[i - 1].len,
			 ERR_PTR(ret));
	else
		clear_bit(VCM_DEVICE_WINDOWLESS, &vdev->special);
	vcm_iova_put(vdev);
}
