/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_KERNEL_H
#define _SHIM_LINUX_KERNEL_H

#include_next <linux/kernel.h>

#include <linux/limits.h>

#endif /* _SHIM_LINUX_KERNEL_H */
