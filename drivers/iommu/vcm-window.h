/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows of devices: who declares them
 */
#ifndef _VCM_WINDOW_H
#define _VCM_WINDOW_H

struct device;

void vcm_windows_bind(struct device *dev);

#endif /* _VCM_WINDOW_H */
