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

/* What the screen should show */
struct vcm_expected {
	unsigned int width;	/* pixels */
	unsigned int height;	/* lines */
	/* as XRGB8888, X being 0 */
	uint32_t (*pixel)(const void *data, unsigned int x, unsigned int y);
	const void *data;	/* for pixel() */
};

void vcm_screen_require(void);
void vcm_screen_take(struct vcm_picture *picture);
uint64_t vcm_screen_different(const struct vcm_expected *expected);
void vcm_screen_assert(const struct vcm_expected *expected);

void vcm_picture_free(struct vcm_picture *picture);
uint32_t vcm_picture_pixel(const struct vcm_picture *picture, unsigned int x, unsigned int y);

#endif /* VCM_SCREEN_H */
