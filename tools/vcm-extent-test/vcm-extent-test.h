/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VCM_EXTENT_TEST_H
#define _VCM_EXTENT_TEST_H

#include <stdbool.h>

/* kunit.c: the suites that the sources under test bring along */
int kunit_list(void);
int kunit_run(const char *only);

/* bench.c */
int bench(void);

/* shim.c */
unsigned int shim_nr_objects(void);

#endif /* _VCM_EXTENT_TEST_H */
