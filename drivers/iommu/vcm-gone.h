/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that go
 */
#ifndef _VCM_GONE_H
#define _VCM_GONE_H

int vcm_gone_init(void);
void vcm_gone_exit(void);

#endif /* _VCM_GONE_H */
