/* SPDX-License-Identifier: MIT */
/*
 * Buffers of the vcm heap, for tests.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_HEAP_H
#define VCM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vcm_buffer.h"
#include "vcm_files.h"
#include "vcm_util.h"

size_t vcm_page_size(void);
uint64_t vcm_page_align(uint64_t len);
uint64_t vcm_ram_size(void);
uint64_t vcm_ram_free(void);
uint64_t vcm_ram_available(void);
uint64_t vcm_ram_handed_out(void);
uint64_t vcm_alloc_stalls(void);
void vcm_compact_memory(void);
void vcm_file_assert_write(const char *path, const char *text);
uint64_t vcm_file_read_number(const char *path);

/* The heap and its buffers */

int vcm_heap_open(void);

int vcm_heap_alloc(int heap, uint64_t len);
uint64_t vcm_heap_max(uint64_t len);
int vcm_heap_error(uint64_t len);

uint64_t vcm_buffer_size(int dmabuf);
uint64_t vcm_buffer_ino(int dmabuf);

int __vcm_buffer_map(int dmabuf, uint64_t offset, size_t len, int prot, void **ptr);
void *vcm_buffer_map_range(int dmabuf, uint64_t offset, size_t len, int prot);
void *vcm_buffer_map(int dmabuf);
void vcm_buffer_unmap(void *ptr, size_t len);

void vcm_buffer_begin(int dmabuf, uint64_t access);
void vcm_buffer_end(int dmabuf, uint64_t access);

void vcm_buffer_set_name(int dmabuf, const char *name);

/* Contents */

void vcm_fill(void *ptr, size_t len, uint64_t seed);
ssize_t vcm_mismatch(const void *ptr, size_t len, uint64_t seed);
ssize_t vcm_nonzero(const void *ptr, size_t len);
void vcm_assert_filled(const void *ptr, size_t len, uint64_t seed);
void vcm_assert_zero(const void *ptr, size_t len);
void vcm_buffer_fill(int dmabuf, uint64_t seed);
void vcm_buffer_assert_filled(int dmabuf, uint64_t seed);
void vcm_buffer_assert_zero(int dmabuf);

#endif /* VCM_HEAP_H */
