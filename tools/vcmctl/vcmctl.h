/* SPDX-License-Identifier: MIT */
#ifndef VCMCTL_H
#define VCMCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "vcm_util.h"

struct option;

int vcmctl(int argc, char **argv);

/* The commands. Each gets its own name as the first argument, and returns the exit status. */
int command_info(int argc, char **argv);
int command_alloc(int argc, char **argv);
int command_map(int argc, char **argv);
int command_buffers(int argc, char **argv);
int command_iova(int argc, char **argv);
int command_spaces(int argc, char **argv);
int command_pool(int argc, char **argv);

/*
 * Wrong use: prints one line and ends the program with status 2. Where help is, that on
 * @fail_command if there is one.
 */
extern const char *fail_command;
void fail_use(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- Command lines; what is not understood is wrong use --- */

/* The next option's value, -1 behind the last one. */
int options_next(int argc, char **argv, const struct option *options);
/* Behind the options: the one argument, or none. */
char *options_only_argument(int argc, char **argv);
void options_no_argument(int argc, char **argv);
/* For commands that have neither. */
void options_none(int argc, char **argv);

uint64_t options_size(const char *what, const char *text);
/* "2M,64K,page": the OR of the sizes */
uint64_t options_sizes(const char *what, const char *text);
/* A number without a suffix; returns @text. */
const char *options_number(const char *what, const char *text);

/*
 * "4096", "64K", "2MiB", "1 GiB", hexadecimal numbers too, and whatever size_text()
 * writes; false for anything else.
 */
bool size_parse(const char *text, uint64_t *size);

#endif /* VCMCTL_H */
