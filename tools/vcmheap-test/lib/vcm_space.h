/* SPDX-License-Identifier: MIT */
/*
 * Address spaces of the importer's devices, for tests.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_SPACE_H
#define VCM_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "vcm-edu-test.h"

/* Spaces that one device can have. */
#define VCM_SPACES_MAX 64

int __vcm_importer_create_space(int importer, struct vcm_edu_space_create *args);
uint32_t vcm_importer_create_space_args(int importer, const struct vcm_edu_space_create *args);
uint32_t vcm_importer_create_space(int importer, uint64_t start, uint64_t length);

int __vcm_space_op(int importer, uint32_t space, uint32_t op);
void vcm_importer_destroy_space(int importer, uint32_t space);
void vcm_importer_activate(int importer, uint32_t space);
void vcm_importer_deactivate(int importer, uint32_t space);
void vcm_importer_switch(int importer, uint32_t space);

int __vcm_space_import(int importer, uint32_t space, int dmabuf, struct vcm_edu_import *import);
void vcm_space_import(int importer, uint32_t space, int dmabuf, struct vcm_edu_import *import);
int __vcm_space_import_at(int importer, uint32_t space, int dmabuf, uint64_t iova,
			  struct vcm_edu_import *import);
void vcm_space_import_at(int importer, uint32_t space, int dmabuf, uint64_t iova,
			 struct vcm_edu_import *import);

int __vcm_importer_probe(int importer, uint32_t dir, uint64_t iova, uint32_t length,
			 uint32_t ram_offset);
void vcm_importer_probe(int importer, uint32_t dir, uint64_t iova, uint32_t length,
			uint32_t ram_offset);
void vcm_importer_require_probe(int importer);

/* A space in the file vcm/spaces */
struct vcm_space_info {
	unsigned int number;	/* in the name of the space's device */
	bool active;		/* its device uses it */
	uint64_t start;		/* first address */
	uint64_t length;	/* number of addresses */
	uint64_t fixed_start;	/* first address of the fixed window */
	uint64_t fixed_length;	/* number of addresses in it */
	uint64_t align;		/* alignment that is enforced, or 0 */
	uint64_t mapped;	/* bytes mapped */
	uint64_t pgsizes;	/* OR of the page sizes used */
	uint64_t refused;	/* mappings that were refused for their alignment */
	uint64_t set;		/* number of the set that it is of, or 0 */
	unsigned int fixed;	/* mappings in the fixed window */
};

/* A device in the file vcm/spaces */
struct vcm_spaces {
	unsigned int spaces;	/* number of its spaces */
	bool blocked;		/* it reaches nothing while none of them is active */
	bool dead;		/* it lost its driver */
	/* The spaces, in the order in which they were made */
	struct vcm_space_info space[VCM_SPACES_MAX];
};

bool __vcm_spaces_read(const char *device, struct vcm_spaces *spaces);
void vcm_spaces_read(const char *device, struct vcm_spaces *spaces);
void vcm_spaces_assert_none(void);

/* A buffer that devices see in their spaces */
struct vcm_space_buffer {
	int importer;		/* whose device import is for */
	int dmabuf;		/* the buffer */
	uint64_t length;	/* bytes */
	uint64_t *words;	/* ... as the CPU has it */
	/* ... as the device has it; its handle is 0 if it has not */
	struct vcm_edu_import import;
};

void vcm_space_buffer_init(struct vcm_space_buffer *buffer, int dev, uint64_t length);
void vcm_space_buffer_import(struct vcm_space_buffer *buffer, int importer, uint32_t space);
void vcm_space_buffer_import_at(struct vcm_space_buffer *buffer, int importer, uint32_t space,
				uint64_t iova);
void vcm_space_buffer_release(struct vcm_space_buffer *buffer);
void vcm_space_buffer_fini(struct vcm_space_buffer *buffer);

void vcm_space_buffer_tag(struct vcm_space_buffer *buffer, uint64_t seed);
void vcm_space_buffer_assert_tagged(struct vcm_space_buffer *buffer, uint64_t seed);

void vcm_space_assert_dma(struct vcm_space_buffer *buffer, uint64_t seed);
void vcm_space_assert_unreached(struct vcm_space_buffer *desk, struct vcm_space_buffer *victim,
				uint64_t iova);

#endif /* VCM_SPACE_H */
