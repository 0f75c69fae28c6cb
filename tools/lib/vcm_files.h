/* SPDX-License-Identifier: MIT */
/*
 * Files in which the kernel tells figures and is told to do things.
 */
#ifndef VCM_FILES_H
#define VCM_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define VCM_DEBUGFS	"/sys/kernel/debug/vcm/"
#define VCM_PARAMETERS	"/sys/module/vcm_heap/parameters/"

/* All of a file, to be freed; NULL and errno if it cannot be read. */
char *vcm_file_read(const char *path);

/* 0 or -errno; the file has to be there. */
int vcm_file_write(const char *path, const char *text);
int vcm_file_write_number(const char *path, uint64_t number);

/*
 * The number behind @key in a text of lines "key number" or "key: number"; false if
 * there is no such line.
 */
bool vcm_figure(const char *text, const char *key, uint64_t *value);

/* The same of a file. */
bool vcm_file_figure(const char *path, const char *key, uint64_t *value);

/* Bytes, or 0 if the kernel does not tell them. */
uint64_t vcm_meminfo(const char *key);

/* The sum of the counters in a file like /proc/vmstat whose names begin with @prefix. */
uint64_t vcm_counters(const char *path, const char *prefix);
uint64_t vcm_oom_kills(void);

#endif /* VCM_FILES_H */
