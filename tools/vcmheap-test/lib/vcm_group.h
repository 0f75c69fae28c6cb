/* SPDX-License-Identifier: MIT */
/*
 * A control group, for tests.
 */
#ifndef VCM_GROUP_H
#define VCM_GROUP_H

#include <stdint.h>

void vcm_group_create(const char *controller);
void vcm_group_destroy(void);
void vcm_group_write(const char *file, const char *text);
uint64_t vcm_group_read(const char *file, const char *key);
void vcm_group_join(void);

#endif /* VCM_GROUP_H */
