/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows that an administrator wants
 */
#ifndef _VCM_WANTED_H
#define _VCM_WANTED_H

#include <linux/types.h>
#include <linux/vcm-iova.h>

struct device;

unsigned int vcm_windows_wanted(struct device *dev,
				struct vcm_iova_window *windows);
bool vcm_window_is_wanted(struct device *dev);
void vcm_wanted_init(bool (*bound)(const char *name));
void vcm_wanted_exit(void);

#if IS_ENABLED(CONFIG_KUNIT)
struct kernel_param;
int vcm_wanted_set(const char *val, const struct kernel_param *kp);
int vcm_wanted_get(char *buffer, const struct kernel_param *kp);
#endif

#endif /* _VCM_WANTED_H */
