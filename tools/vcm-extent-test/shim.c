// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel has for the sources under test and a program has not
 */

#include <stdlib.h>

#include <linux/slab.h>

#include "vcm-extent-test.h"

static unsigned int nr_objects;
static unsigned int fail_nth;

void kzalloc_fail_nth(unsigned int nth)
{
	fail_nth = nth;
}

void *shim_kzalloc(size_t size)
{
	void *object;

	if (fail_nth && !--fail_nth)
		return NULL;

	object = calloc(1, size);
	if (!object)
		abort();
	nr_objects++;
	return object;
}

void kfree(const void *object)
{
	if (!object)
		return;
	nr_objects--;
	free((void *)object);
}

/* Objects that were allocated and not freed. */
unsigned int shim_nr_objects(void)
{
	return nr_objects;
}
