/* SPDX-License-Identifier: MIT */
/*
 * Video devices with buffers that others allocated, for tests.
 *
 * Functions come in pairs where a test may want the failure: __x() returns
 * -errno, x() asserts success.
 */
#ifndef VCM_VIDEO_H
#define VCM_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/videodev2.h>

#define VCM_VIDEO_PLANES 3

/* A video device and the frames that it takes or gives */
struct vcm_video {
	int fd;			/* the device */
	bool output;		/* frames go to it */
	bool multiplanar;	/* a frame may have several buffers */
	uint32_t type;		/* V4L2_BUF_TYPE_... */
	uint32_t memory;	/* V4L2_MEMORY_... */
	unsigned int planes;	/* buffers in a frame */
	uint32_t size[VCM_VIDEO_PLANES];	/* bytes in each */
};

/* The buffers of one frame; those of V4L2_MEMORY_MMAP are the device's and have none */
struct vcm_video_frame {
	int dmabuf[VCM_VIDEO_PLANES];		/* where the buffers are dma-bufs */
	uint32_t length[VCM_VIDEO_PLANES];	/* bytes in them; of what is captured 0 is all */
};

bool __vcm_video_open(struct vcm_video *video, const char *bus, bool output);
void vcm_video_close(struct vcm_video *video);

int __vcm_video_control(const struct vcm_video *video, const char *name, const char *value);
void vcm_video_control(const struct vcm_video *video, const char *name, const char *value);
bool vcm_video_can_set(const struct vcm_video *video, const char *name, const char *value);
bool vcm_video_is_set(const struct vcm_video *video, const char *name, const char *value);
void vcm_video_input(const struct vcm_video *video, const char *name);
void vcm_video_timings(const struct vcm_video *video, uint32_t width, uint32_t height);
void vcm_video_format(struct vcm_video *video, uint32_t fourcc, uint32_t width, uint32_t height);

void vcm_video_request(struct vcm_video *video, uint32_t memory, unsigned int count);
int __vcm_video_queue(const struct vcm_video *video, unsigned int index,
		      const struct vcm_video_frame *frame);
void vcm_video_queue(const struct vcm_video *video, unsigned int index,
		     const struct vcm_video_frame *frame);
int __vcm_video_dequeue(const struct vcm_video *video, uint32_t *used);
unsigned int vcm_video_dequeue(const struct vcm_video *video);
void vcm_video_start(const struct vcm_video *video);
void vcm_video_stop(const struct vcm_video *video);
void *vcm_video_map(const struct vcm_video *video, unsigned int index, unsigned int plane);

#endif /* VCM_VIDEO_H */
