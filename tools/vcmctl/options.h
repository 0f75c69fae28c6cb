/* SPDX-License-Identifier: MIT */
/*
 * Command lines. All of these end the program where one is not understood.
 */
#ifndef VCMCTL_OPTIONS_H
#define VCMCTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct option;

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

#endif /* VCMCTL_OPTIONS_H */
