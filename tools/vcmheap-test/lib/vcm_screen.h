/* SPDX-License-Identifier: MIT */
/*
 * What the screen of the guest shows, for tests: 'scripts/vm.sh --screen' tells it.
 */
#ifndef VCM_SCREEN_H
#define VCM_SCREEN_H

#include <stdint.h>

/* A picture of the screen */
struct vcm_picture {
	unsigned int width;	/* pixels */
	unsigned int height;	/* lines */
	uint8_t *rgb;		/* three bytes for each pixel */
};

void vcm_screen_require(void);
void vcm_screen_take(struct vcm_picture *picture);
void vcm_picture_free(struct vcm_picture *picture);
uint32_t vcm_picture_pixel(const struct vcm_picture *picture, unsigned int x, unsigned int y);

#endif /* VCM_SCREEN_H */
