/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: the policy of buffers that come with none
 */
#ifndef _VCM_POLICY_H
#define _VCM_POLICY_H

struct vcm_iova_policy;

void vcm_default_policy_get(struct vcm_iova_policy *policy);

#if IS_ENABLED(CONFIG_KUNIT)
struct kernel_param;

int vcm_default_policy_set(const struct vcm_iova_policy *policy);
int vcm_strict_get(char *buffer, const struct kernel_param *kp);
#endif

#endif /* _VCM_POLICY_H */
