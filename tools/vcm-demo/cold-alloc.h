/* SPDX-License-Identifier: MIT */
/*
 * How long an allocation takes when nothing was kept ready for it.
 */
#ifndef VCM_DEMO_COLD_ALLOC_H
#define VCM_DEMO_COLD_ALLOC_H

#define COLD_ALLOC_ROUNDS 11

void cold_alloc_run(unsigned int rounds);

#endif /* VCM_DEMO_COLD_ALLOC_H */
