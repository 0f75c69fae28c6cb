// SPDX-License-Identifier: MIT
/*
 * Frames of a camera on a display, in the same vcm heap buffers: neither driver knows of the
 * other or of the heap, and nobody copies. The camera is the kernel's vivid, whose picture
 * moves, and the screen is compared with each frame pixel by pixel.
 */

#include "vcm_kms.h"
#include "vcm_screen.h"
#include "vcm_test.h"
#include "vcm_video.h"

IGT_TEST_DESCRIPTION("Frames of a camera on a display, in the same vcm heap buffers.");

#define WIDTH	640
#define HEIGHT	480
#define FRAMES	3	/* buffers that go round */
#define ROUNDS	8	/* frames that are looked at */
#define LONG_MS	20000

static int heap;
static struct vcm_kms kms;
static struct drm_mode_modeinfo mode;

/* A camera, and its buffers as the display has them */
struct camera {
	struct vcm_video video;
	struct vcm_video_frame frame[FRAMES];
	uint32_t handle[FRAMES], fb[FRAMES];
};

static void find_mode(void)
{
	unsigned int i;

	for (i = 0; i < kms.nr_modes; i++) {
		mode = kms.modes[i];
		if (mode.hdisplay == WIDTH && mode.vdisplay == HEIGHT)
			return;
	}
	igt_assert_f(false, "the display has no %ux%u\n", WIDTH, HEIGHT);
}

/* Its frames differ, each from the next. */
static void camera_init(struct camera *camera)
{
	unsigned int i;

	igt_require_f(__vcm_video_open(&camera->video, "platform:vivid-000", false),
		      "no camera: see vivid in scripts/test.sh\n");
	vcm_video_input(&camera->video, "Webcam");
	vcm_video_control(&camera->video, "OSD Text Mode", "None");
	vcm_video_control(&camera->video, "Horizontal Movement", "Move Right Fast");
	vcm_video_format(&camera->video, V4L2_PIX_FMT_XBGR32, WIDTH, HEIGHT);
	for (i = 0; i < FRAMES; i++) {
		int dmabuf = vcm_heap_alloc(heap, camera->video.size[0]);

		camera->frame[i] = (struct vcm_video_frame) { .dmabuf[0] = dmabuf };
		camera->handle[i] = prime_fd_to_handle(kms.fd, dmabuf);
		igt_assert_eq(__vcm_kms_add_fb(&kms, camera->handle[i], WIDTH, HEIGHT, 4 * WIDTH,
					       &camera->fb[i]), 0);
	}
}

static void camera_start(struct camera *camera)
{
	unsigned int i;

	vcm_video_request(&camera->video, V4L2_MEMORY_DMABUF, FRAMES);
	for (i = 0; i < FRAMES; i++)
		vcm_video_queue(&camera->video, i, &camera->frame[i]);
	vcm_video_start(&camera->video);
}

/* What the display has of them. */
static void camera_forget(struct camera *camera)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		vcm_kms_remove_fb(&kms, camera->fb[i]);
		gem_close(kms.fd, camera->handle[i]);
	}
}

/* ---- what is on the screen ---- */

static uint32_t pixel_of_frame(const void *frame, unsigned int x, unsigned int y)
{
	const uint32_t *pixels = frame;

	return pixels[y * WIDTH + x] & 0xffffff;
}

static struct vcm_expected expected(const uint32_t *frame)
{
	return (struct vcm_expected) { WIDTH, HEIGHT, pixel_of_frame, frame };
}

static void assert_shown(int dmabuf)
{
	size_t size = vcm_buffer_size(dmabuf);
	uint32_t *frame = vcm_buffer_map(dmabuf);
	struct vcm_expected picture = expected(frame);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	vcm_screen_assert(&picture);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(frame, size);
}

static void show(struct camera *camera, unsigned int i, bool first)
{
	if (first) {
		igt_assert_eq(__vcm_kms_show(&kms, &mode, camera->fb[i]), 0);
	} else {
		vcm_kms_flip(&kms, camera->fb[i]);
		igt_assert(vcm_kms_flipped(&kms, LONG_MS));
	}
	assert_shown(camera->frame[i].dmabuf[0]);
}

/* Returns a number for what is in it. */
static uint64_t sum(int dmabuf)
{
	size_t size = vcm_buffer_size(dmabuf), i;
	uint64_t *words = vcm_buffer_map(dmabuf), all = 0;

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	for (i = 0; i < size / sizeof(*words); i++)
		all = all * 31 + words[i];
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(words, size);
	return all;
}

/* ---- tests ---- */

/* A frame goes back to the camera when the next one is on the screen. */
static void test_frames(void)
{
	unsigned int round, i, shown = FRAMES;
	uint64_t now, before = 0;
	struct camera camera;

	camera_init(&camera);
	camera_start(&camera);
	for (round = 0; round < ROUNDS; round++) {
		i = vcm_video_dequeue(&camera.video);
		now = sum(camera.frame[i].dmabuf[0]);
		igt_assert_f(now != before, "the picture does not move\n");
		before = now;
		show(&camera, i, !round);
		if (shown < FRAMES)
			vcm_video_queue(&camera.video, shown, &camera.frame[shown]);
		shown = i;
	}
	vcm_video_close(&camera.video);
	vcm_kms_off(&kms);
	camera_forget(&camera);
}

/* The display alone keeps the last frame, and shows it. */
static void test_last(void)
{
	struct vcm_expected last;
	struct camera camera;
	unsigned int i, j;
	uint32_t *pixels;
	size_t size;
	void *ptr;

	camera_init(&camera);
	camera_start(&camera);
	i = vcm_video_dequeue(&camera.video);
	show(&camera, i, true);
	size = vcm_buffer_size(camera.frame[i].dmabuf[0]);
	ptr = vcm_buffer_map(camera.frame[i].dmabuf[0]);
	pixels = malloc(size);
	igt_assert(pixels);
	memcpy(pixels, ptr, size);
	vcm_buffer_unmap(ptr, size);
	vcm_video_close(&camera.video);
	for (j = 0; j < FRAMES; j++)
		close(camera.frame[j].dmabuf[0]);
	last = expected(pixels);
	igt_assert_eq_u64(vcm_screen_different(&last), 0);
	free(pixels);
	vcm_kms_off(&kms);
	camera_forget(&camera);
}

int igt_main()
{
	static struct vcm_totals before;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
		vcm_screen_require();
		vcm_totals_read(&before);
		vcm_kms_open(&kms);
		find_mode();
	}

	vcm_subtest("frames", test_frames(), "Each frame is on the screen as the camera captured it");
	vcm_subtest("last", test_last(), "The last frame stays when the camera is closed");

	igt_fixture() {
		vcm_kms_close(&kms);
		vcm_totals_assert_back(&before);
	}
}
