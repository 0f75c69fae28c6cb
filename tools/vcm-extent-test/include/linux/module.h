/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_MODULE_H
#define _SHIM_LINUX_MODULE_H

#include <linux/build_bug.h>

#define MODULE_DESCRIPTION(text)	static_assert(sizeof(text) > 1, "")
#define MODULE_IMPORT_NS(ns)		static_assert(sizeof(ns) > 1, "")
#define MODULE_LICENSE(license)		static_assert(sizeof(license) > 1, "")

#endif /* _SHIM_LINUX_MODULE_H */
