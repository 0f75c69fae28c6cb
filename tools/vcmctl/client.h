/* SPDX-License-Identifier: MIT */
/*
 * /dev/vcm as a program uses it.
 */
#ifndef VCMCTL_CLIENT_H
#define VCMCTL_CLIENT_H

#include <stdint.h>

#include <linux/dma-heap-vcm.h>

/*
 * Prints one line and ends the program: 1, the machine said no; 2, wrong use, and
 * where help is, that on @command if there is one.
 */
extern const char *fail_command;
void fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void fail_use(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Each of them fails rather than return an error. */
int client_open(void);
int client_alloc(int dev, struct dma_heap_vcm_alloc *alloc);
void client_query(int dev, int dmabuf, struct dma_heap_vcm_query *query);
void client_info(int dev, struct dma_heap_vcm_info *info);

/* "2 MiB, 64 KiB" and a newline, for the OR of sizes */
void client_print_sizes(uint64_t sizes);
/* "16 x 2 MiB, 1 x 64 KiB" and a newline */
void client_print_chunks(const struct dma_heap_vcm_query *query);

#endif /* VCMCTL_CLIENT_H */
