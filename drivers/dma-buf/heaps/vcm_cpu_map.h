/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: mappings for the CPU
 */
#ifndef _VCM_CPU_MAP_H
#define _VCM_CPU_MAP_H

#include <linux/types.h>

struct vcm_chunks;
struct vm_area_struct;

int vcm_chunks_mmap(const struct vcm_chunks *chunks,
		    struct vm_area_struct *vma);
void *vcm_chunks_vmap(const struct vcm_chunks *chunks, size_t len);
void vcm_chunks_vunmap(void *vaddr);

#endif /* _VCM_CPU_MAP_H */
