/* SPDX-License-Identifier: MIT */
/*
 * What the kernel itself tells of the DMA-BUFs that there are and who has them, for tests.
 */
#ifndef VCM_HOLDERS_H
#define VCM_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VCM_HOLDERS_MAX 8

/* A DMA-BUF as dma_buf/bufinfo in debugfs tells of it */
struct vcm_bufinfo {
	uint64_t size;
	unsigned int references;	/* to its file */
	char exporter[32];
	char name[64];			/* "<none>" for none */
	unsigned int devices;		/* that are attached */
	char device[VCM_HOLDERS_MAX][64];
};

bool __vcm_bufinfo_read(uint64_t ino, struct vcm_bufinfo *info);
bool vcm_bufinfo_has(const struct vcm_bufinfo *info, const char *device);

/* What /proc/PID/fdinfo/FD tells; false if there is no such line */
bool vcm_fdinfo(int fd, const char *key, char *value, size_t len);
uint64_t vcm_fdinfo_number(int fd, const char *key);

/* A DMA-BUF as the kernel's BPF iterator tells of it */
struct vcm_bpf_dmabuf {
	uint64_t size;
	uint64_t ino;
};

int vcm_bpf_iterator_open(void);
uint64_t vcm_bpf_size_of(int iterator, uint64_t ino);

#endif /* VCM_HOLDERS_H */
