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

/**
 * struct vcm_totals - the file vcm/totals
 * @buffers: live buffers
 * @bytes: in live buffers
 * @chunks: by size
 * @attachments: importers that are attached to a buffer
 */
struct vcm_totals {
	uint64_t buffers;
	uint64_t bytes;
	uint64_t chunks[VCM_CHUNKS];
	uint64_t attachments;
};

#define VCM_ATTACHMENTS_MAX 16

/**
 * struct vcm_attachment - one importer of a buffer
 * @device: its name
 * @mapped: the buffer is mapped for it
 * @translated: behind an IOMMU, so that @iova has a meaning
 * @iova: where the device sees the first byte
 * @segments: DMA segments
 */
struct vcm_attachment {
	char device[64];
	bool mapped;
	bool translated;
	uint64_t iova;
	unsigned int segments;
};

/**
 * struct vcm_buffer_info - a line of the file vcm/buffers
 * @ino: inode number of the dma-buf
 * @length: bytes
 * @chunks: by size
 * @runs: physically contiguous runs
 * @name: as it is shown, "-" for none
 * @attachments: importers
 * @attachment: the first VCM_ATTACHMENTS_MAX of them
 */
struct vcm_buffer_info {
	uint64_t ino;
	uint64_t length;
	uint64_t chunks[VCM_CHUNKS];
	uint64_t runs;
	char name[256];
	unsigned int attachments;
	struct vcm_attachment attachment[VCM_ATTACHMENTS_MAX];
};

uint64_t vcm_chunk_size(enum vcm_chunk chunk);

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
