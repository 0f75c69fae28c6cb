/* SPDX-License-Identifier: MIT */
/*
 * Swap, for tests.
 */
#ifndef VCM_SWAP_H
#define VCM_SWAP_H

#include <stdint.h>

/* Block devices that guests have for this. */
#define VCM_SWAP_ZRAM	"/dev/zram0"
#define VCM_SWAP_DISK	"/dev/vda"

void vcm_swap_on(const char *device, uint64_t len);
void vcm_swap_off(const char *device);
uint64_t vcm_swap_free(void);

#endif /* VCM_SWAP_H */
