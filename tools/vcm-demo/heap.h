/* SPDX-License-Identifier: MIT */
/*
 * Heaps and their buffers as a program uses them.
 */
#ifndef VCM_DEMO_HEAP_H
#define VCM_DEMO_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Prints one line and ends the program with a failure. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Seconds since some fixed time. */
double now(void);

/* Returns -errno where there is no such heap. */
int heap_open(const char *name);
int heap_alloc(int heap, uint64_t len);

void buffer_begin(int dmabuf, uint64_t access);
void buffer_end(int dmabuf, uint64_t access);

enum { CHUNK_2M, CHUNK_1M, CHUNK_64K, CHUNK_PAGE, CHUNKS };

/**
 * struct chunks - what a buffer is made of, the largest first
 * @count: chunks by size
 */
struct chunks {
	uint64_t count[CHUNKS];
};

uint64_t chunk_size(int kind);

/* Returns false where the heap does not show it. */
bool chunks_read(int dmabuf, struct chunks *chunks);

/* "33 MiB", "64 KiB", "5 bytes": @text has room for 32 bytes. */
const char *size_text(uint64_t bytes, char *text);
/* "61.2 ms", "3.70 s" */
const char *time_text(double seconds, char *text);

#endif /* VCM_DEMO_HEAP_H */
