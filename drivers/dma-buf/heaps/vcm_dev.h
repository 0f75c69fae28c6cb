/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: /dev/vcm
 */
#ifndef _VCM_DEV_H
#define _VCM_DEV_H

int vcm_dev_init(void);

#if IS_ENABLED(CONFIG_KUNIT)
struct file;

long vcm_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#endif

#endif /* _VCM_DEV_H */
