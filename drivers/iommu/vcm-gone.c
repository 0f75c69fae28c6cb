// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that go, and come
 *
 * A device goes for us when its driver has let go of it, and when it is deleted
 * without having one. Its importers may still have buffers mapped: files that
 * are open, a queue that is torn down later. But the IOMMU core frees the
 * domain soon, or attaches another, and the next driver may set other limits.
 * So all that is mapped is undone then, in place of the importers, and what
 * they do later is bookkeeping of ours alone. Who attaches the same device
 * anew, bound to a driver again, gets it anew.
 */

#include <linux/amba/bus.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "vcm-device.h"
#include "vcm-gone.h"
#include "vcm-mapping.h"
#include "vcm-reserve.h"
#include "vcm-wanted.h"
#include "vcm-window.h"

/**
 * vcm_iova_revoke - undo all that is mapped for a device
 * @vdev: the device, from vcm_iova_know()
 *
 * As when it goes: nothing is mapped any more, and what is left to who has it is to
 * unmap and to detach. Who attaches a buffer to it later finds it so, too, until it
 * has been deleted.
 *
 * Context: Process context, may sleep.
 */
void vcm_iova_revoke(struct vcm_iova_device *vdev)
{
	vcm_mappings_revoke(vdev, false);
}
EXPORT_SYMBOL_NS_GPL(vcm_iova_revoke, "VCM_IOVA");

/*
 * Who attaches a buffer to it later gets it anew: it may be bound again. But one that
 * was revoked stays as it is until it has been deleted.
 */
static void vcm_device_gone(struct device *dev, bool deleted)
{
	struct vcm_iova_device *vdev = vcm_device_find_going(dev, deleted);

	if (!vdev)
		return;

	vcm_mappings_revoke(vdev, false);
	vcm_windows_release(vdev);
	vcm_iova_put(vdev);
}

/*
 * Until its driver's remove() has returned a device may do DMA. One that is
 * deleted is unbound after that is notified, if it is bound; and whoever has
 * attached it even later than that is noticed when it has left its bus.
 */
static int vcm_bus_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct device *dev = data;

	switch (action) {
	case BUS_NOTIFY_BIND_DRIVER:
		vcm_windows_bind(dev);
		break;
	case BUS_NOTIFY_DEL_DEVICE:
		if (dev->driver)
			break;
		fallthrough;
	case BUS_NOTIFY_UNBOUND_DRIVER:
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_REMOVED_DEVICE:
		vcm_device_gone(dev, action == BUS_NOTIFY_REMOVED_DEVICE);
		break;
	}
	return NOTIFY_OK;
}

/**
 * struct vcm_bus - a bus whose devices may be behind an IOMMU
 * @type: the bus
 * @nb: tells when a device goes
 */
struct vcm_bus {
	const struct bus_type *type;
	struct notifier_block nb;
};

/*
 * Before dma-debug, which looks for what is still mapped, and the IOMMU core,
 * which frees the domain. Nothing has to be undone on other buses: there the
 * DMA API has no page tables.
 */
#define VCM_BUS(_type)						\
	{							\
		.type = &(_type),				\
		.nb.notifier_call = vcm_bus_notify,		\
		.nb.priority = 1,				\
	}

static struct vcm_bus vcm_buses[] = {
	VCM_BUS(platform_bus_type),
#ifdef CONFIG_PCI
	VCM_BUS(pci_bus_type),
#endif
#ifdef CONFIG_ARM_AMBA
	VCM_BUS(amba_bustype),
#endif
};

static void vcm_buses_unwatch(int nr)
{
	while (nr--)
		bus_unregister_notifier(vcm_buses[nr].type, &vcm_buses[nr].nb);
}

static bool vcm_name_bound(const char *name)
{
	bool bound = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(vcm_buses) && !bound; i++) {
		struct device *dev = bus_find_device_by_name(vcm_buses[i].type,
							     NULL, name);

		bound = dev && READ_ONCE(dev->driver);
		put_device(dev);
	}
	return bound;
}

/**
 * vcm_gone_init - begin to watch for devices that come and go
 *
 * Context: Process context, once.
 * Return: 0 or an error.
 */
int vcm_gone_init(void)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(vcm_buses); i++) {
		ret = bus_register_notifier(vcm_buses[i].type,
					    &vcm_buses[i].nb);
		if (ret) {
			vcm_buses_unwatch(i);
			return ret;
		}
	}
	vcm_wanted_init(vcm_name_bound);
	return 0;
}

/**
 * vcm_gone_exit - undo vcm_gone_init()
 *
 * Context: Process context, once.
 */
void vcm_gone_exit(void)
{
	vcm_buses_unwatch(ARRAY_SIZE(vcm_buses));
}
