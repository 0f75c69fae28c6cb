/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that are counted, and that can be made to fail
 */
#ifndef _SHIM_LINUX_SLAB_H
#define _SHIM_LINUX_SLAB_H

#include <stddef.h>

#define HAVE_KZALLOC_FAIL_NTH

/* Let the nth allocation from now on fail; 0: none. */
void kzalloc_fail_nth(unsigned int nth);

void *shim_kzalloc(size_t size);
void kfree(const void *object);

#define kzalloc_obj(object)	((typeof(object) *)shim_kzalloc(sizeof(object)))

#endif /* _SHIM_LINUX_SLAB_H */
