/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_KUNIT_VISIBILITY_H
#define _SHIM_KUNIT_VISIBILITY_H

#include <linux/build_bug.h>

#define EXPORT_SYMBOL_IF_KUNIT	shim_export
#define shim_export(symbol)	static_assert(__alignof__(symbol), "")

#endif /* _SHIM_KUNIT_VISIBILITY_H */
