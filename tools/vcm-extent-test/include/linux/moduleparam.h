/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parameters of the tests come from the environment: VCM_<name>
 */
#ifndef _SHIM_LINUX_MODULEPARAM_H
#define _SHIM_LINUX_MODULEPARAM_H

#include <linux/build_bug.h>

void shim_param_ullong(const char *name, unsigned long long *value);

#define module_param(name, type, perm)					\
	static void __attribute__((constructor)) shim_param_##name(void) \
	{								\
		shim_param_##type(#name, &(name));			\
	}								\
	static_assert((perm) <= 0777, "")

#define MODULE_PARM_DESC(name, text) \
	static_assert(sizeof(name) && sizeof(text) > 1, "")

#endif /* _SHIM_LINUX_MODULEPARAM_H */
