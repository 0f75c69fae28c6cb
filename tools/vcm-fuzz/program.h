/* SPDX-License-Identifier: MIT */
/*
 * What programs that try the heap at random have in common: numbers on the
 * command line, a seed, and results.
 */
#ifndef VCM_PROGRAM_H
#define VCM_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

uint64_t program_number(const char *text, uint64_t max);
uint64_t program_seed(void);
void program_verdict(const char *program, bool ok, const char *name, const char *text);
int program_end(void);

#endif /* VCM_PROGRAM_H */
