/* SPDX-License-Identifier: MIT */
/*
 * Numbers of bytes, as people write and read them.
 */
#ifndef VCMCTL_SIZE_H
#define VCMCTL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#define SIZE_TEXT_LEN 32

/*
 * "4096", "64K", "2MiB", "1 GiB", hexadecimal numbers too, and whatever size_text()
 * writes; false for anything else.
 */
bool size_parse(const char *text, uint64_t *size);

/* "33 MiB", "64 KiB", "5 bytes": @text has room for SIZE_TEXT_LEN bytes. */
const char *size_text(uint64_t size, char *text);

#endif /* VCMCTL_SIZE_H */
