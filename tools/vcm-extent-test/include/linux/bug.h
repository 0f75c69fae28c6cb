/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_BUG_H
#define _SHIM_LINUX_BUG_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/types.h>

/* Fails the case that runs, unless it expects warnings. */
void shim_warn(const char *condition, const char *file, int line);

#define WARN_ON(condition)						\
({									\
	bool __warn = !!(condition);					\
									\
	if (unlikely(__warn))						\
		shim_warn(#condition, __FILE__, __LINE__);		\
	__warn;								\
})

#endif /* _SHIM_LINUX_BUG_H */
