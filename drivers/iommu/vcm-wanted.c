// SPDX-License-Identifier: GPL-2.0
/*
 * Windows that an administrator wants: the module's parameter window
 *
 * For devices whose drivers do not say which addresses they must not use. What is
 * written is a window, for the time from when the device is bound the next time:
 *
 *	DEVICE,START,LENGTH[,NUMBER]
 *
 * and "-DEVICE" takes all those of a device away again.
 */

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "vcm-reserve.h"
#include "vcm-wanted.h"

/* Bytes in the name of a device, with the terminating zero */
#define VCM_WANTED_NAME		64

/**
 * struct vcm_wanted - a window that is wanted
 * @node: in the list of all
 * @device: the name of the device
 * @window: the window
 */
struct vcm_wanted {
	struct list_head node;
	char device[VCM_WANTED_NAME];
	struct vcm_iova_window window;
};

static LIST_HEAD(vcm_wanted);
/* Protects the list. */
static DEFINE_MUTEX(vcm_wanted_lock);

/*
 * Has a device of that name a driver? There is none to ask before the module is
 * initialised. Written once.
 */
static bool (*vcm_wanted_bound)(const char *name);

/* --- What was written -------------------------------------------------- */

static int vcm_wanted_parse_number(char *text, u64 *value)
{
	char *end;

	if (!text || !*text)
		return -EINVAL;
	*value = memparse(text, &end);
	return *end || end == text ? -EINVAL : 0;
}

/* @text is cut into pieces. */
static int vcm_wanted_parse(char *text, struct vcm_wanted *wanted)
{
	char *name = strsep(&text, ",");
	u64 number = 0;
	int ret;

	if (!*name || strscpy(wanted->device, name) < 0)
		return -EINVAL;
	ret = vcm_wanted_parse_number(strsep(&text, ","), &wanted->window.start);
	if (!ret)
		ret = vcm_wanted_parse_number(strsep(&text, ","),
					      &wanted->window.len);
	if (!ret && text)
		ret = vcm_wanted_parse_number(text, &number);
	if (ret)
		return ret;
	if (number > U32_MAX)
		return -EINVAL;
	wanted->window.number = number;
	return vcm_window_check(&wanted->window);
}

static int vcm_wanted_check(const struct vcm_wanted *new)
{
	const struct vcm_iova_window *window = &new->window;
	struct vcm_wanted *wanted;
	unsigned int n = 0;

	lockdep_assert_held(&vcm_wanted_lock);

	if (vcm_wanted_bound && vcm_wanted_bound(new->device))
		return -EBUSY;
	list_for_each_entry(wanted, &vcm_wanted, node) {
		if (strcmp(wanted->device, new->device))
			continue;
		if ((window->number &&
		     window->number == wanted->window.number) ||
		    (window->start <= vcm_window_last(&wanted->window) &&
		     vcm_window_last(window) >= wanted->window.start))
			return -EEXIST;
		n++;
	}
	return n < VCM_IOVA_WINDOWS_MAX ? 0 : -ENOSPC;
}

static int vcm_wanted_add(char *text)
{
	struct vcm_wanted *wanted = kzalloc_obj(*wanted);
	int ret;

	if (!wanted)
		return -ENOMEM;
	ret = vcm_wanted_parse(text, wanted);
	if (ret)
		goto free_wanted;

	mutex_lock(&vcm_wanted_lock);
	ret = vcm_wanted_check(wanted);
	if (!ret)
		list_add_tail(&wanted->node, &vcm_wanted);
	mutex_unlock(&vcm_wanted_lock);
	if (ret)
		goto free_wanted;
	return 0;

free_wanted:
	kfree(wanted);
	return ret;
}

static int vcm_wanted_remove(const char *device)
{
	struct vcm_wanted *wanted, *next;
	int ret = -ENOENT;

	mutex_lock(&vcm_wanted_lock);
	if (vcm_wanted_bound && vcm_wanted_bound(device)) {
		ret = -EBUSY;
		goto unlock;
	}
	list_for_each_entry_safe(wanted, next, &vcm_wanted, node) {
		if (strcmp(wanted->device, device))
			continue;
		list_del(&wanted->node);
		kfree(wanted);
		ret = 0;
	}
unlock:
	mutex_unlock(&vcm_wanted_lock);
	return ret;
}

VISIBLE_IF_KUNIT int vcm_wanted_set(const char *val,
				    const struct kernel_param *kp)
{
	char *copy = kstrdup(val, GFP_KERNEL), *text;
	int ret;

	if (!copy)
		return -ENOMEM;
	text = strim(copy);
	ret = *text == '-' ? vcm_wanted_remove(text + 1) : vcm_wanted_add(text);
	kfree(copy);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_wanted_set);

VISIBLE_IF_KUNIT int vcm_wanted_get(char *buffer, const struct kernel_param *kp)
{
	struct vcm_wanted *wanted;
	int len = 0;

	mutex_lock(&vcm_wanted_lock);
	list_for_each_entry(wanted, &vcm_wanted, node)
		len += sysfs_emit_at(buffer, len, "%s,0x%llx,0x%llx,%u\n",
				     wanted->device, wanted->window.start,
				     wanted->window.len, wanted->window.number);
	mutex_unlock(&vcm_wanted_lock);
	return len;
}
EXPORT_SYMBOL_IF_KUNIT(vcm_wanted_get);

static const struct kernel_param_ops vcm_wanted_ops = {
	.set = vcm_wanted_set,
	.get = vcm_wanted_get,
};

module_param_cb(window, &vcm_wanted_ops, NULL, 0600);
__MODULE_PARM_TYPE(window, "charp");
MODULE_PARM_DESC(window, "Addresses that a device must not use, or uses for the buffers of a number: DEVICE,START,LENGTH[,NUMBER]; -DEVICE removes them");

/* --- Who has to know --------------------------------------------------- */

/**
 * vcm_windows_wanted - the windows that are wanted for a device
 * @dev: the device
 * @windows: room for VCM_IOVA_WINDOWS_MAX of them
 *
 * Context: Process context, may sleep.
 * Return: how many there are.
 */
unsigned int vcm_windows_wanted(struct device *dev,
				struct vcm_iova_window *windows)
{
	struct vcm_wanted *wanted;
	unsigned int n = 0;

	mutex_lock(&vcm_wanted_lock);
	list_for_each_entry(wanted, &vcm_wanted, node)
		if (!strcmp(wanted->device, dev_name(dev)))
			windows[n++] = wanted->window;
	mutex_unlock(&vcm_wanted_lock);
	return n;
}

/**
 * vcm_window_is_wanted - is there any window that is wanted for a device
 * @dev: the device
 *
 * Context: Process context, may sleep.
 * Return: whether there is.
 */
bool vcm_window_is_wanted(struct device *dev)
{
	struct vcm_wanted *wanted;
	bool found = false;

	mutex_lock(&vcm_wanted_lock);
	list_for_each_entry(wanted, &vcm_wanted, node)
		found |= !strcmp(wanted->device, dev_name(dev));
	mutex_unlock(&vcm_wanted_lock);
	return found;
}

/**
 * vcm_wanted_init - refuse from now on what comes too late
 * @bound: tells whether a device has a driver
 *
 * Context: Process context, once.
 */
void vcm_wanted_init(bool (*bound)(const char *name))
{
	mutex_lock(&vcm_wanted_lock);
	vcm_wanted_bound = bound;
	mutex_unlock(&vcm_wanted_lock);
}

/**
 * vcm_wanted_exit - forget all windows that are wanted
 *
 * Context: Process context, once.
 */
void vcm_wanted_exit(void)
{
	struct vcm_wanted *wanted, *next;

	list_for_each_entry_safe(wanted, next, &vcm_wanted, node)
		kfree(wanted);
}
