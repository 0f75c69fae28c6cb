/* SPDX-License-Identifier: MIT */
/*
 * A display and what it shows, through the kernel's interface for mode setting, for tests.
 * No driver is known by name.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_KMS_H
#define VCM_KMS_H

#include <stdbool.h>
#include <stdint.h>

#include <drm.h>
#include <drm_mode.h>

#include "vcm_iova.h"

#define VCM_KMS_NAME_LEN 32

/* Properties of the display's parts that a test sets */
struct vcm_kms_props {
	uint32_t connector_crtc;	/* CRTC_ID of the connector */
	uint32_t mode, active;		/* MODE_ID and ACTIVE of the CRTC */
	uint32_t out_fence;		/* OUT_FENCE_PTR of the CRTC */
	uint32_t fb, crtc;		/* FB_ID and CRTC_ID of the plane */
	uint32_t src[4], dst[4];	/* SRC_X and so on, CRTC_X and so on: x, y, w, h */
	uint32_t in_fence;		/* IN_FENCE_FD of the plane */
};

/* A display: one monitor, what drives it, and the plane that it shows */
struct vcm_kms {
	int fd;				/* the DRM device */
	unsigned int card;		/* its number */
	char driver[VCM_KMS_NAME_LEN];	/* the driver's name */
	char device[VCM_DEVICE_NAME_LEN];	/* the device's name */
	uint32_t connector, crtc, plane;
	struct vcm_kms_props props;
	struct drm_mode_modeinfo *modes;	/* those of the monitor */
	unsigned int nr_modes;
	struct drm_mode_modeinfo mode;	/* the one that is used */
};

bool __vcm_kms_open(struct vcm_kms *kms, unsigned int card);
void vcm_kms_open(struct vcm_kms *kms);
void vcm_kms_close(struct vcm_kms *kms);

int __vcm_kms_import(const struct vcm_kms *kms, int dmabuf, uint32_t *handle);
int __vcm_kms_add_fb(const struct vcm_kms *kms, uint32_t handle, uint32_t width, uint32_t height,
		     uint32_t pitch, uint32_t *fb);
void vcm_kms_remove_fb(const struct vcm_kms *kms, uint32_t fb);

int __vcm_kms_show(struct vcm_kms *kms, const struct drm_mode_modeinfo *mode, uint32_t fb);
void vcm_kms_off(struct vcm_kms *kms);

/* What a page flip waits for, and what it signals */
struct vcm_kms_flip {
	int in_fence;		/* a sync_file, or -1 */
	bool want_fence;	/* whether out_fence is asked for */
	int out_fence;		/* a sync_file */
};

int __vcm_kms_flip(struct vcm_kms *kms, uint32_t fb, struct vcm_kms_flip *flip);
void vcm_kms_flip(struct vcm_kms *kms, uint32_t fb);
bool vcm_kms_flipped(const struct vcm_kms *kms, int timeout_ms);

int __vcm_kms_legacy_show(struct vcm_kms *kms, const struct drm_mode_modeinfo *mode, uint32_t fb);
int __vcm_kms_legacy_flip(struct vcm_kms *kms, uint32_t fb);
void vcm_kms_dirty(const struct vcm_kms *kms, uint32_t fb);

#endif /* VCM_KMS_H */
