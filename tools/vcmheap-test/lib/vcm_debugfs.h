/* SPDX-License-Identifier: MIT */
/*
 * What the vcm heap shows in debugfs, for tests.
 */
#ifndef VCM_DEBUGFS_H
#define VCM_DEBUGFS_H

#include <stdbool.h>
#include <stdint.h>

/* Chunk sizes in the order of preference. */
enum vcm_chunk {
	VCM_CHUNK_2M,
	VCM_CHUNK_1M,
	VCM_CHUNK_64K,
	VCM_CHUNK_PAGE,
	VCM_CHUNKS,
};

/* The file vcm/totals */
struct vcm_totals {
	uint64_t buffers;		/* live buffers */
	uint64_t bytes;			/* in live buffers */
	uint64_t chunks[VCM_CHUNKS];	/* by size */
	uint64_t attachments;		/* importers that are attached to a buffer */
};

#define VCM_ATTACHMENTS_MAX 16

/* One importer of a buffer */
struct vcm_attachment {
	char device[64];	/* its name */
	bool mapped;		/* the buffer is mapped for it */
	bool translated;	/* behind an IOMMU, so that iova has a meaning */
	uint64_t iova;		/* where the device sees the first byte */
	unsigned int segments;	/* DMA segments */
};

/* A line of the file vcm/buffers */
struct vcm_buffer_info {
	uint64_t ino;			/* inode number of the dma-buf */
	uint64_t length;		/* bytes */
	uint64_t chunks[VCM_CHUNKS];	/* by size */
	uint64_t runs;			/* physically contiguous runs */
	char name[256];			/* as it is shown, "-" for none */
	unsigned int attachments;	/* importers */
	/* The first VCM_ATTACHMENTS_MAX of them */
	struct vcm_attachment attachment[VCM_ATTACHMENTS_MAX];
};

uint64_t vcm_chunk_size(enum vcm_chunk chunk);
bool vcm_chunk_exists(enum vcm_chunk chunk);

void vcm_require_debugfs(void);
char *vcm_debugfs_read(const char *file);
uint64_t vcm_debugfs_figure(const char *text, const char *key);
uint64_t vcm_debugfs_field(const char *line, const char *key);
bool vcm_debugfs_is_line_of(const char *line, const char *device);

void vcm_totals_read(struct vcm_totals *totals);
void vcm_totals_assert_back(const struct vcm_totals *before);

unsigned int vcm_repeats(unsigned int times);

unsigned int vcm_buffer_lines(int dmabuf);
bool __vcm_buffer_info_read(uint64_t ino, struct vcm_buffer_info *info);
void vcm_buffer_info_read(int dmabuf, struct vcm_buffer_info *info);

uint64_t vcm_chunk_bytes(const struct vcm_buffer_info *info, enum vcm_chunk chunk);
uint64_t vcm_chunk_start(const struct vcm_buffer_info *info, enum vcm_chunk chunk);

#endif /* VCM_DEBUGFS_H */
