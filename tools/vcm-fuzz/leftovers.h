/* SPDX-License-Identifier: MIT */
/*
 * What is left when all is closed: nothing should be.
 */
#ifndef VCM_LEFTOVERS_H
#define VCM_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

bool read_text(const char *path, char *text, int size);
bool write_text(const char *path, const char *text);
uint64_t meminfo(const char *key);
uint64_t oom_kills(void);
bool has_pool(void);
bool drain_pool(void);
bool no_leftovers(void);

#endif /* VCM_LEFTOVERS_H */
