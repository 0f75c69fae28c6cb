/* SPDX-License-Identifier: MIT */
/*
 * Sets of spaces of the importer's devices, for tests.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_SET_H
#define VCM_SET_H

#include <stdint.h>

#include "vcm-edu-test.h"

/* Bytes that a job copies at a time, and where they may begin */
#define VCM_SET_PIECE	VCM_EDU_RAM_SIZE

/* A buffer in a space of a set */
struct vcm_seat {
	uint32_t handle;	/* of the import */
	uint32_t number;	/* in the name of the space's device */
	uint64_t iova;		/* where the device sees it there */
};

int __vcm_set_create(int importer, uint64_t start, uint64_t length, uint32_t max, uint32_t *set);
uint32_t vcm_set_create(int importer, uint64_t start, uint64_t length, uint32_t max);
void vcm_set_destroy(int importer, uint32_t set);

int __vcm_set_import(int importer, uint32_t set, const int *dmabufs, unsigned int nr,
		     uint32_t with, struct vcm_seat *seats);
void vcm_set_import(int importer, uint32_t set, int dmabuf, struct vcm_seat *seat);
int __vcm_set_job(int importer, const struct vcm_seat *from, uint64_t from_offset,
		  const struct vcm_seat *to, uint64_t to_offset, uint32_t length, uint64_t *ns);
unsigned int vcm_set_spaces(void);

/* A set that is full, and jobs on what is in it */
struct vcm_set_jobs {
	uint64_t start;		/* the first address of each space */
	uint64_t window;	/* ... and how many there are */
	unsigned int spaces;	/* how many spaces that takes */
	uint64_t buffer;	/* bytes in each buffer */
	unsigned int nr;	/* how many of them */
	unsigned int jobs;	/* how many jobs */
};

void vcm_set_run_jobs(int dev, int importer, const struct vcm_set_jobs *jobs);

#endif /* VCM_SET_H */
