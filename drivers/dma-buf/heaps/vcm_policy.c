// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of buffers that come with none: the module's parameters align, guard
 * and strict
 */

#include <kunit/visibility.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/seqlock.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/vcm-iova.h>

#include "vcm_policy.h"

/*
 * The policy of buffers that come with none. Written under the lock of the module's
 * parameters, which makes one writer of all, so that a writer may read it as it is;
 * others take vcm_default_policy_get().
 */
static struct vcm_iova_policy vcm_default_policy;
static DEFINE_SEQLOCK(vcm_default_policy_lock);

/**
 * vcm_default_policy_get - the policy of buffers that come with none
 * @policy: filled in; its members belong together
 *
 * Context: Any but hard interrupts.
 */
void vcm_default_policy_get(struct vcm_iova_policy *policy)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&vcm_default_policy_lock);
		*policy = vcm_default_policy;
	} while (read_seqretry(&vcm_default_policy_lock, seq));
}

/**
 * vcm_default_policy_set - change the policy of buffers that come with none
 * @policy: what it is to be
 *
 * Buffers that are there keep theirs.
 *
 * Context: Process context, one caller at a time.
 * Return: 0, or the error of vcm_iova_policy_check() and nothing has changed.
 */
VISIBLE_IF_KUNIT int vcm_default_policy_set(const struct vcm_iova_policy *policy)
{
	int ret = vcm_iova_policy_check(policy);

	if (ret)
		return ret;
	write_seqlock(&vcm_default_policy_lock);
	vcm_default_policy = *policy;
	write_sequnlock(&vcm_default_policy_lock);
	return 0;
}

static int vcm_align_set(const char *val, const struct kernel_param *kp)
{
	struct vcm_iova_policy policy = vcm_default_policy;
	int ret = kstrtou64(val, 0, &policy.align);

	return ret ?: vcm_default_policy_set(&policy);
}

static int vcm_guard_set(const char *val, const struct kernel_param *kp)
{
	struct vcm_iova_policy policy = vcm_default_policy;
	int ret = kstrtou64(val, 0, &policy.guard);

	return ret ?: vcm_default_policy_set(&policy);
}

/* Its name alone switches it on, as with any parameter that is a truth. */
static int vcm_strict_set(const char *val, const struct kernel_param *kp)
{
	struct vcm_iova_policy policy = vcm_default_policy;
	bool strict = true;
	int ret = val ? kstrtobool(val, &strict) : 0;

	policy.flags &= ~VCM_IOVA_STRICT;
	if (strict)
		policy.flags |= VCM_IOVA_STRICT;
	return ret ?: vcm_default_policy_set(&policy);
}

VISIBLE_IF_KUNIT int vcm_strict_get(char *buffer,
				    const struct kernel_param *kp)
{
	bool strict = vcm_default_policy.flags & VCM_IOVA_STRICT;

	return sysfs_emit(buffer, "%c\n", strict ? 'Y' : 'N');
}

static const struct kernel_param_ops vcm_align_ops = {
	.set = vcm_align_set,
	.get = param_get_ullong,
};

static const struct kernel_param_ops vcm_guard_ops = {
	.set = vcm_guard_set,
	.get = param_get_ullong,
};

static const struct kernel_param_ops vcm_strict_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = vcm_strict_set,
	.get = vcm_strict_get,
};

module_param_cb(align, &vcm_align_ops, &vcm_default_policy.align, 0644);
__MODULE_PARM_TYPE(align, "ullong");
MODULE_PARM_DESC(align, "Default alignment of IOVAs in bytes (default 0: the largest chunk's)");
module_param_cb(guard, &vcm_guard_ops, &vcm_default_policy.guard, 0644);
__MODULE_PARM_TYPE(guard, "ullong");
MODULE_PARM_DESC(guard, "Default number of unmapped bytes behind a buffer (default 0)");
module_param_cb(strict, &vcm_strict_ops, NULL, 0644);
__MODULE_PARM_TYPE(strict, "bool");
MODULE_PARM_DESC(strict, "Refuse to map where the policy cannot hold (default N)");
