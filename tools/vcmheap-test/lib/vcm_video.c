// SPDX-License-Identifier: MIT
/*
 * Video devices with buffers that others allocated, for tests.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <linux/v4l2-dv-timings.h>

#include "igt.h"
#include "vcm_buffer.h"
#include "vcm_video.h"

#define MAX_NODES	64
#define TIMEOUT_MS	30000

static void video_ioctl(const struct vcm_video *video, unsigned long request, void *arg,
			const char *what)
{
	int ret = vcm_ioctl_again(video->fd, request, arg);

	igt_assert_f(!ret, "%s: %s\n", what, strerror(-ret));
}

/* ---- devices ---- */

static bool is_node(struct vcm_video *video, const char *bus, bool output)
{
	uint32_t single = output ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE;
	uint32_t multi = output ? V4L2_CAP_VIDEO_OUTPUT_MPLANE : V4L2_CAP_VIDEO_CAPTURE_MPLANE;
	struct v4l2_capability cap = { };

	if (vcm_ioctl(video->fd, VIDIOC_QUERYCAP, &cap) ||
	    strcmp((const char *)cap.bus_info, bus) || !(cap.device_caps & (single | multi)))
		return false;
	video->output = output;
	video->multiplanar = cap.device_caps & multi;
	if (video->multiplanar)
		video->type = output ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE :
				       V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	else
		video->type = output ? V4L2_BUF_TYPE_VIDEO_OUTPUT : V4L2_BUF_TYPE_VIDEO_CAPTURE;
	return true;
}

/* Returns whether there is such a device. @bus: as VIDIOC_QUERYCAP tells it */
bool __vcm_video_open(struct vcm_video *video, const char *bus, bool output)
{
	unsigned int i;
	char path[32];

	for (i = 0; i < MAX_NODES; i++) {
		snprintf(path, sizeof(path), "/dev/video%u", i);
		video->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (video->fd < 0)
			continue;
		if (is_node(video, bus, output))
			return true;
		close(video->fd);
	}
	return false;
}

void vcm_video_close(struct vcm_video *video)
{
	close(video->fd);
	video->fd = -1;
}

/* ---- what they show ---- */

/* Finds a menu that has this name. */
static int find_menu(const struct vcm_video *video, const char *name,
		     struct v4l2_query_ext_ctrl *ctrl)
{
	*ctrl = (struct v4l2_query_ext_ctrl) { .id = V4L2_CTRL_FLAG_NEXT_CTRL };
	while (!vcm_ioctl(video->fd, VIDIOC_QUERY_EXT_CTRL, ctrl)) {
		if (!strcmp(ctrl->name, name))
			return 0;
		ctrl->id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	return -ENOENT;
}

/* Finds an entry of the menu @name. */
static int find_entry(const struct vcm_video *video, const char *name, const char *value,
		      struct v4l2_control *control)
{
	struct v4l2_query_ext_ctrl ctrl;
	struct v4l2_querymenu menu;
	int ret = find_menu(video, name, &ctrl);

	if (ret)
		return ret;
	menu = (struct v4l2_querymenu) { .id = ctrl.id, .index = ctrl.minimum };
	for (; menu.index <= ctrl.maximum; menu.index++) {
		if (vcm_ioctl(video->fd, VIDIOC_QUERYMENU, &menu) ||
		    strcmp((const char *)menu.name, value))
			continue;
		*control = (struct v4l2_control) { .id = ctrl.id, .value = menu.index };
		return 0;
	}
	return -ENOENT;
}

/* Sets the menu @name to what is called @value. */
int __vcm_video_control(const struct vcm_video *video, const char *name, const char *value)
{
	struct v4l2_control set;
	int ret = find_entry(video, name, value, &set);

	return ret ?: vcm_ioctl_again(video->fd, VIDIOC_S_CTRL, &set);
}

/* Is there such an entry? Devices take out what another one has. */
bool vcm_video_can_set(const struct vcm_video *video, const char *name, const char *value)
{
	struct v4l2_control control;

	return !find_entry(video, name, value, &control);
}

bool vcm_video_is_set(const struct vcm_video *video, const char *name, const char *value)
{
	struct v4l2_control control;
	int wanted;

	if (find_entry(video, name, value, &control))
		return false;
	wanted = control.value;
	return !vcm_ioctl_again(video->fd, VIDIOC_G_CTRL, &control) && control.value == wanted;
}

void vcm_video_control(const struct vcm_video *video, const char *name, const char *value)
{
	int ret = __vcm_video_control(video, name, value);

	igt_assert_f(!ret, "%s to %s: %s\n", name, value, strerror(-ret));
}

/* @name: how the name of the input begins */
void vcm_video_input(const struct vcm_video *video, const char *name)
{
	struct v4l2_input input = { };

	for (; !vcm_ioctl(video->fd, VIDIOC_ENUMINPUT, &input); input.index++)
		if (!strncmp((const char *)input.name, name, strlen(name)))
			break;
	video_ioctl(video, VIDIOC_S_INPUT, &input.index, name);
}

/* For a cable on which one side says what the other gets. */
void vcm_video_timings(const struct vcm_video *video, uint32_t width, uint32_t height)
{
	static const struct v4l2_dv_timings known[] = {
		V4L2_DV_BT_CEA_640X480P59_94, V4L2_DV_BT_CEA_1280X720P60,
		V4L2_DV_BT_CEA_1920X1080P60, V4L2_DV_BT_CEA_3840X2160P30,
	};
	struct v4l2_dv_timings timings;
	int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].bt.width != width || known[i].bt.height != height)
			continue;
		timings = known[i];
		video_ioctl(video, VIDIOC_S_DV_TIMINGS, &timings, "timings");
		return;
	}
	igt_assert_f(false, "no timings for %ux%u\n", width, height);
}

/* The device takes it as it is; how large its buffers are is told in @video. */
void vcm_video_format(struct vcm_video *video, uint32_t fourcc, uint32_t width, uint32_t height)
{
	struct v4l2_format format = { .type = video->type };
	struct v4l2_pix_format_mplane *multi = &format.fmt.pix_mp;
	struct v4l2_pix_format *single = &format.fmt.pix;
	unsigned int i;

	if (video->multiplanar)
		*multi = (struct v4l2_pix_format_mplane) {
			.width = width, .height = height, .pixelformat = fourcc,
		};
	else
		*single = (struct v4l2_pix_format) {
			.width = width, .height = height, .pixelformat = fourcc,
		};
	video_ioctl(video, VIDIOC_S_FMT, &format, "format");
	/* In both at the same place. */
	igt_assert_eq(single->width, width);
	igt_assert_eq(single->height, height);
	igt_assert_eq(single->pixelformat, fourcc);

	video->planes = video->multiplanar ? multi->num_planes : 1;
	igt_assert_lte(video->planes, VCM_VIDEO_PLANES);
	for (i = 0; i < video->planes; i++)
		video->size[i] = video->multiplanar ? multi->plane_fmt[i].sizeimage :
						      single->sizeimage;
}

/* ---- frames ---- */

/* The device lets go of those that it had before. */
void vcm_video_request(struct vcm_video *video, uint32_t memory, unsigned int count)
{
	struct v4l2_requestbuffers request = {
		.count = count, .type = video->type, .memory = memory,
	};

	video_ioctl(video, VIDIOC_REQBUFS, &request, "buffers");
	igt_assert_eq(request.count, count);
	video->memory = memory;
}

/* @planes: room for those of the buffer */
static void buffer_init(const struct vcm_video *video, struct v4l2_buffer *buffer,
			struct v4l2_plane *planes)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->type = video->type;
	buffer->memory = video->memory;
	if (video->multiplanar) {
		memset(planes, 0, VCM_VIDEO_PLANES * sizeof(*planes));
		buffer->m.planes = planes;
		buffer->length = video->planes;
	}
}

int __vcm_video_queue(const struct vcm_video *video, unsigned int index,
		      const struct vcm_video_frame *frame)
{
	struct v4l2_plane planes[VCM_VIDEO_PLANES];
	struct v4l2_buffer buffer;
	unsigned int i;

	buffer_init(video, &buffer, planes);
	buffer.index = index;
	for (i = 0; i < video->planes; i++) {
		if (!video->multiplanar) {
			buffer.m.fd = frame ? frame->dmabuf[0] : 0;
			buffer.length = frame ? frame->length[0] : 0;
			buffer.bytesused = video->output ? video->size[0] : 0;
			continue;
		}
		planes[i].m.fd = frame ? frame->dmabuf[i] : 0;
		planes[i].length = frame ? frame->length[i] : 0;
		planes[i].bytesused = video->output ? video->size[i] : 0;
	}
	return vcm_ioctl_again(video->fd, VIDIOC_QBUF, &buffer);
}

/* @frame: its buffers, or NULL if they are the device's own */
void vcm_video_queue(const struct vcm_video *video, unsigned int index,
		     const struct vcm_video_frame *frame)
{
	int ret = __vcm_video_queue(video, index, frame);

	igt_assert_f(!ret, "frame %u is not taken: %s\n", index, strerror(-ret));
}

/*
 * Waits for a frame.
 * Returns its index.
 * @used: set to the bytes that are used of each of its buffers; or NULL
 */
int __vcm_video_dequeue(const struct vcm_video *video, uint32_t *used)
{
	struct pollfd poll_fd = { .fd = video->fd, .events = video->output ? POLLOUT : POLLIN };
	struct v4l2_plane planes[VCM_VIDEO_PLANES];
	struct v4l2_buffer buffer;
	unsigned int i;
	int ret;

	if (poll(&poll_fd, 1, TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	buffer_init(video, &buffer, planes);
	ret = vcm_ioctl(video->fd, VIDIOC_DQBUF, &buffer);
	if (ret)
		return ret;
	if (buffer.flags & V4L2_BUF_FLAG_ERROR)
		return -EIO;
	for (i = 0; used && i < video->planes; i++)
		used[i] = video->multiplanar ? planes[i].bytesused : buffer.bytesused;
	return buffer.index;
}

/* Returns the index of a frame, all of whose buffers are used. */
unsigned int vcm_video_dequeue(const struct vcm_video *video)
{
	uint32_t used[VCM_VIDEO_PLANES];
	int ret = __vcm_video_dequeue(video, used);
	unsigned int i;

	igt_assert_f(ret >= 0, "no frame: %s\n", strerror(-ret));
	for (i = 0; i < video->planes; i++)
		igt_assert_eq(used[i], video->size[i]);
	return ret;
}

void vcm_video_start(const struct vcm_video *video)
{
	uint32_t type = video->type;

	video_ioctl(video, VIDIOC_STREAMON, &type, "start");
}

void vcm_video_stop(const struct vcm_video *video)
{
	uint32_t type = video->type;

	video_ioctl(video, VIDIOC_STREAMOFF, &type, "stop");
}

/* Maps what is the device's own. */
void *vcm_video_map(const struct vcm_video *video, unsigned int index, unsigned int plane)
{
	struct v4l2_plane planes[VCM_VIDEO_PLANES];
	struct v4l2_buffer buffer;
	void *ptr;

	buffer_init(video, &buffer, planes);
	buffer.index = index;
	video_ioctl(video, VIDIOC_QUERYBUF, &buffer, "buffer");
	ptr = mmap(NULL, video->size[plane], PROT_READ | PROT_WRITE, MAP_SHARED, video->fd,
		   video->multiplanar ? planes[plane].m.mem_offset : buffer.m.offset);
	igt_assert(ptr != MAP_FAILED);
	return ptr;
}
