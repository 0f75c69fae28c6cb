/* SPDX-License-Identifier: MIT */
/*
 * The tests' importer, vcm-edu-test.
 */
#ifndef VCM_IMPORTER_H
#define VCM_IMPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "vcm-edu-test.h"

extern const char *vcm_importer;

int __vcm_importer_open(unsigned int index);
int vcm_importer_open(unsigned int index);
int vcm_importer_open_reaching(void);

int __vcm_importer_info(int importer, struct vcm_edu_info *info);
void vcm_importer_require_translation(int importer);

int __vcm_importer_ioctl(int importer, unsigned long request, void *arg);

int __vcm_importer_import(int importer, int dmabuf, struct vcm_edu_import *import);
uint32_t vcm_importer_import(int importer, int dmabuf);
int __vcm_importer_release(int importer, uint32_t handle);
void vcm_importer_release(int importer, uint32_t handle);

int __vcm_importer_dma(int importer, uint32_t handle, uint32_t dir, uint64_t offset,
		       uint32_t length, uint32_t ram_offset);
void vcm_importer_read(int importer, uint32_t handle, uint64_t offset, uint32_t length);
void vcm_importer_write(int importer, uint32_t handle, uint64_t offset, uint32_t length);

int __vcm_importer_access(int importer, uint32_t handle, uint32_t write, uint64_t offset,
			  uint32_t length, void *user);
void vcm_importer_kernel_read(int importer, uint32_t handle, uint64_t offset, uint32_t length,
			      void *to);
void vcm_importer_kernel_write(int importer, uint32_t handle, uint64_t offset,
			       uint32_t length, const void *from);

#endif /* VCM_IMPORTER_H */
