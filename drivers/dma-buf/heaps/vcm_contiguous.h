/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: buffers that are one run of memory
 */
#ifndef _VCM_CONTIGUOUS_H
#define _VCM_CONTIGUOUS_H

#include <linux/types.h>

struct vcm_chunks;

int vcm_contiguous_alloc(struct vcm_chunks *chunks, size_t len, u64 reach);
void vcm_contiguous_free(const struct vcm_chunks *chunks);

#endif /* _VCM_CONTIGUOUS_H */
