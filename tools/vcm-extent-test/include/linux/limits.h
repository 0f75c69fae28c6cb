/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_LIMITS_H
#define _SHIM_LINUX_LIMITS_H

/* The C library's limits.h wants the one of the system as well. */
#include_next <linux/limits.h>

#include <linux/types.h>

#define U64_MAX		((u64)~0ULL)

#endif /* _SHIM_LINUX_LIMITS_H */
