// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers in video devices whose driver knows nothing of the heap: the kernel's
 * own vivid, unmodified. What it captures into them is what it captures into its own
 * buffers, byte by byte, and what it shows of them is what was drawn.
 *
 * Each of vivid's instances is another importer: with allocators=0 it takes the kernel's
 * mapping of a buffer (vmap), and with 1 it attaches and wants one run of addresses.
 */

#include "vcm_driver.h"
#include "vcm_test.h"
#include "vcm_video.h"

IGT_TEST_DESCRIPTION("vcm heap buffers in video devices, compared byte by byte.");

#define FRAMES		3	/* buffers that go round */
#define ROUNDS		6	/* frames that are looked at */

static int heap, dev;

/* An instance of vivid, as the parameters of the module made it */
struct instance {
	const char *name;	/* what the names of its tests begin with */
	unsigned int number;	/* vivid's */
	bool planes;		/* a frame may have several buffers */
	bool contiguous;	/* it attaches, and wants one run */
};

static const struct instance instances[] = {
	{ "vmap", 0, false, false },
	{ "vmap-planes", 1, true, false },
	{ "attach", 2, false, true },
	{ "attach-planes", 3, true, true },
};

/* What nothing is connected to, and vivid tells last what is connected. */
#define WITNESS 4

static const struct picture {
	const char *name;
	uint32_t fourcc, width, height;
	bool planes;		/* a frame has several buffers */
} pictures[] = {
	{ "yuyv-480p", V4L2_PIX_FMT_YUYV, 640, 480, false },
	{ "nv12-720p", V4L2_PIX_FMT_NV12, 1280, 720, false },
	{ "xrgb-1080p", V4L2_PIX_FMT_XBGR32, 1920, 1080, false },
	{ "yuyv-4k", V4L2_PIX_FMT_YUYV, 3840, 2160, false },
	{ "nv12m-480p", V4L2_PIX_FMT_NV12M, 640, 480, true },
	{ "nv12m-720p", V4L2_PIX_FMT_NV12M, 1280, 720, true },
	{ "yuv420m-1080p", V4L2_PIX_FMT_YUV420M, 1920, 1080, true },
	{ "nv12m-4k", V4L2_PIX_FMT_NV12M, 3840, 2160, true },
};

/* ---- devices ---- */

static void open_video(struct vcm_video *video, const struct instance *instance, bool output)
{
	char bus[32];

	snprintf(bus, sizeof(bus), "platform:vivid-%03u", instance->number);
	igt_require_f(__vcm_video_open(video, bus, output), "no video device of %s: see vivid in "
		      "scripts/test.sh\n", bus);
}

static void set_format(struct vcm_video *video, const struct picture *picture)
{
	vcm_video_format(video, picture->fourcc, picture->width, picture->height);
}

/* A camera that shows the same picture at all times. */
static void open_camera(struct vcm_video *video, const struct instance *instance,
			const struct picture *picture)
{
	open_video(video, instance, false);
	vcm_video_input(video, "Webcam");
	vcm_video_control(video, "OSD Text Mode", "None");
	set_format(video, picture);
}

/*
 * Connects what an instance shows to what it captures, for good. vivid puts its menus in
 * order behind our back, the witness last, and while it does takes back what was chosen.
 */
static void connect_cable(const struct vcm_video *capture, const struct instance *instance)
{
	static const struct instance last = { .number = WITNESS };
	char end[32], other[32], of_last[32];
	struct vcm_video witness;

	snprintf(end, sizeof(end), "HDMI %03u-0 Is Connected To", instance->number);
	snprintf(of_last, sizeof(of_last), "HDMI %03u-0 Is Connected To", WITNESS);
	snprintf(other, sizeof(other), "Output HDMI %03u-0", instance->number);
	open_video(&witness, &last, false);
	while (!vcm_video_is_set(capture, end, other) || vcm_video_can_set(&witness, of_last, other)) {
		__vcm_video_control(capture, end, other);
		usleep(1000);
	}
	vcm_video_close(&witness);
}

/* A cable from a display to what captures it. */
static void open_cable(struct vcm_video *display, struct vcm_video *capture,
		       const struct instance *instance, const struct picture *picture)
{
	open_video(display, instance, true);
	vcm_video_timings(display, picture->width, picture->height);
	set_format(display, picture);

	open_video(capture, instance, false);
	vcm_video_input(capture, "HDMI");
	vcm_video_timings(capture, picture->width, picture->height);
	vcm_video_control(capture, "OSD Text Mode", "None");
	set_format(capture, picture);
	connect_cable(capture, instance);
}

/* ---- buffers ---- */

/* The buffers that go round in a device, and the CPU's mappings of them */
struct ring {
	struct vcm_video_frame frame[FRAMES];
	char *ptr[FRAMES][VCM_VIDEO_PLANES];
};

static int alloc_for(const struct instance *instance, uint32_t size)
{
	return instance->contiguous ? vcm_dev_alloc_contiguous(dev, size) :
				      vcm_heap_alloc(heap, size);
}

static void ring_init(struct ring *ring, const struct vcm_video *video,
		      const struct instance *instance)
{
	unsigned int i, plane;

	memset(ring, 0, sizeof(*ring));
	for (i = 0; i < FRAMES; i++) {
		for (plane = 0; plane < video->planes; plane++) {
			int dmabuf = alloc_for(instance, video->size[plane]);

			ring->frame[i].dmabuf[plane] = dmabuf;
			ring->frame[i].length[plane] = vcm_buffer_size(dmabuf);
			ring->ptr[i][plane] = vcm_buffer_map(dmabuf);
		}
	}
}

static void ring_fini(struct ring *ring, const struct vcm_video *video)
{
	unsigned int i, plane;

	for (i = 0; i < FRAMES; i++) {
		for (plane = 0; plane < video->planes; plane++) {
			int dmabuf = ring->frame[i].dmabuf[plane];

			vcm_buffer_unmap(ring->ptr[i][plane], vcm_buffer_size(dmabuf));
			close(dmabuf);
		}
	}
}

static void ring_queue(struct ring *ring, struct vcm_video *video)
{
	unsigned int i;

	vcm_video_request(video, V4L2_MEMORY_DMABUF, FRAMES);
	for (i = 0; i < FRAMES; i++)
		vcm_video_queue(video, i, &ring->frame[i]);
}

static void ring_draw(struct ring *ring, const struct vcm_video *video, uint64_t seed)
{
	unsigned int i, plane;

	for (i = 0; i < FRAMES; i++) {
		for (plane = 0; plane < video->planes; plane++) {
			vcm_buffer_begin(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_WRITE);
			vcm_fill(ring->ptr[i][plane], video->size[plane] & ~7, seed + plane);
			vcm_buffer_end(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_WRITE);
		}
	}
}

static void ring_assert_drawn(struct ring *ring, const struct vcm_video *video, unsigned int i,
			      uint64_t seed)
{
	unsigned int plane;

	for (plane = 0; plane < video->planes; plane++) {
		vcm_buffer_begin(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_READ);
		vcm_assert_filled(ring->ptr[i][plane], video->size[plane] & ~7, seed + plane);
		vcm_buffer_end(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_READ);
	}
}

/* ---- the picture of the camera ---- */

/* What the device captures into buffers of its own */
struct reference {
	char *bytes[VCM_VIDEO_PLANES];
};

/* Of two frames, so that it is known not to move. */
static void reference_init(struct reference *reference, struct vcm_video *video)
{
	unsigned int plane, i;
	void *own[2];

	vcm_video_request(video, V4L2_MEMORY_MMAP, 2);
	for (i = 0; i < 2; i++)
		vcm_video_queue(video, i, NULL);
	vcm_video_start(video);
	for (i = 0; i < 2; i++)
		vcm_video_dequeue(video);
	vcm_video_stop(video);

	for (plane = 0; plane < video->planes; plane++) {
		size_t size = video->size[plane];

		for (i = 0; i < 2; i++)
			own[i] = vcm_video_map(video, i, plane);
		igt_assert(!memcmp(own[0], own[1], size));
		igt_assert(vcm_nonzero(own[0], size & ~7) >= 0);
		reference->bytes[plane] = malloc(size);
		igt_assert(reference->bytes[plane]);
		memcpy(reference->bytes[plane], own[0], size);
		for (i = 0; i < 2; i++)
			munmap(own[i], size);
	}
	vcm_video_request(video, V4L2_MEMORY_MMAP, 0);
}

static void reference_fini(struct reference *reference, const struct vcm_video *video)
{
	unsigned int plane;

	for (plane = 0; plane < video->planes; plane++)
		free(reference->bytes[plane]);
}

/* And nothing behind it. */
static void assert_captured(const struct reference *reference, const struct vcm_video *video,
			    const struct ring *ring, unsigned int i)
{
	unsigned int plane;

	for (plane = 0; plane < video->planes; plane++) {
		int dmabuf = ring->frame[i].dmabuf[plane];
		size_t size = video->size[plane], end = (size + 7) & ~7ul;
		char *ptr = ring->ptr[i][plane];

		vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
		igt_assert_f(!memcmp(ptr, reference->bytes[plane], size),
			     "frame %u, buffer %u is not what the camera shows\n", i, plane);
		vcm_assert_zero(ptr + end, vcm_buffer_size(dmabuf) - end);
		vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	}
}

static void ring_clear(struct ring *ring, const struct vcm_video *video, unsigned int i)
{
	unsigned int plane;

	for (plane = 0; plane < video->planes; plane++) {
		vcm_buffer_begin(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_WRITE);
		memset(ring->ptr[i][plane], 0, video->size[plane]);
		vcm_buffer_end(ring->frame[i].dmabuf[plane], DMA_BUF_SYNC_WRITE);
	}
}

/* ---- capture and output ---- */

/*
 * The picture of a camera, from one whose own buffers need no run of memory: the kernel has
 * none of that length.
 */
static void reference_of(struct reference *reference, const struct picture *picture)
{
	struct vcm_video camera;

	open_camera(&camera, &instances[picture->planes], picture);
	reference_init(reference, &camera);
	vcm_video_close(&camera);
}

/* A camera whose picture is known, with buffers of the heap that wait for it. */
static void queue_camera(struct vcm_video *camera, struct ring *ring, struct reference *reference,
			 const struct instance *instance, const struct picture *picture)
{
	reference_of(reference, picture);
	open_camera(camera, instance, picture);
	ring_init(ring, camera, instance);
	ring_queue(ring, camera);
}

static void capture_rounds(struct vcm_video *camera, struct ring *ring,
			   const struct reference *reference)
{
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		i = vcm_video_dequeue(camera);
		assert_captured(reference, camera, ring, i);
		ring_clear(ring, camera, i);
		vcm_video_queue(camera, i, &ring->frame[i]);
	}
}

static void test_capture(const struct instance *instance, const struct picture *picture)
{
	struct reference reference;
	struct vcm_video camera;
	struct ring ring;

	queue_camera(&camera, &ring, &reference, instance, picture);
	vcm_video_start(&camera);
	capture_rounds(&camera, &ring, &reference);
	vcm_video_stop(&camera);
	vcm_video_close(&camera);
	ring_fini(&ring, &camera);
	reference_fini(&reference, &camera);
}

/* The frames are longer than any piece of memory that is free. */
static void test_capture_scattered(const struct instance *instance, const struct picture *picture)
{
	struct vcm_scattered scattered;

	vcm_scatter(&scattered);
	test_capture(instance, picture);
	vcm_scattered_assert_same(&scattered);
	vcm_scattered_free(&scattered);
}

static void start_cable(struct vcm_video *display, struct ring *shown, struct vcm_video *capture,
			struct ring *seen)
{
	ring_queue(shown, display);
	ring_queue(seen, capture);
	vcm_video_start(display);
	vcm_video_start(capture);
}

static void stop_cable(struct vcm_video *display, struct vcm_video *capture)
{
	vcm_video_stop(capture);
	vcm_video_stop(display);
}

/* The devices let go of the buffers before they are closed. */
static void close_cable(struct vcm_video *display, struct vcm_video *capture)
{
	vcm_video_request(capture, V4L2_MEMORY_DMABUF, 0);
	vcm_video_request(display, V4L2_MEMORY_DMABUF, 0);
	vcm_video_close(capture);
	vcm_video_close(display);
}

/* Frames that are shown come back by the cable. */
static void test_output(const struct instance *instance, const struct picture *picture)
{
	struct vcm_video display, capture;
	struct ring shown, captured;
	uint64_t seed;
	int i;

	open_cable(&display, &capture, instance, picture);
	ring_init(&shown, &display, instance);
	ring_init(&captured, &capture, instance);
	for (seed = 1; seed < 30; seed += 10) {
		ring_draw(&shown, &display, seed);
		start_cable(&display, &shown, &capture, &captured);
		for (i = 0; i < FRAMES; i++)
			ring_assert_drawn(&captured, &capture, vcm_video_dequeue(&capture), seed);
		stop_cable(&display, &capture);
	}
	close_cable(&display, &capture);
	ring_fini(&shown, &display);
	ring_fini(&captured, &capture);
}

/* From a camera to a display in the same buffers, nothing copied. */
static void test_pass_on(const struct instance *from, const struct instance *to,
			 const struct picture *picture)
{
	struct vcm_video camera, display, capture;
	struct reference reference;
	struct ring ring, seen;
	unsigned int i;

	open_camera(&camera, from, picture);
	reference_init(&reference, &camera);
	open_cable(&display, &capture, to, picture);
	ring_init(&ring, &camera, to);
	ring_init(&seen, &capture, to);
	ring_queue(&ring, &camera);
	vcm_video_start(&camera);
	for (i = 0; i < FRAMES; i++)
		assert_captured(&reference, &camera, &ring, vcm_video_dequeue(&camera));

	start_cable(&display, &ring, &capture, &seen);
	for (i = 0; i < FRAMES; i++)
		assert_captured(&reference, &capture, &seen, vcm_video_dequeue(&capture));
	stop_cable(&display, &capture);
	close_cable(&display, &capture);
	vcm_video_close(&camera);
	ring_fini(&ring, &camera);
	ring_fini(&seen, &capture);
	reference_fini(&reference, &camera);
}

/* ---- who holds a buffer ---- */

/* One that attaches is seen, and the address is what the device has. */
static void test_attached(const struct instance *instance)
{
	const struct picture *picture = &pictures[0];
	struct vcm_buffer_info info;
	struct vcm_video camera;
	struct ring ring;

	open_camera(&camera, instance, picture);
	ring_init(&ring, &camera, instance);
	ring_queue(&ring, &camera);
	vcm_buffer_info_read(ring.frame[0].dmabuf[0], &info);
	if (instance->contiguous) {
		igt_assert_eq(info.attachments, 1);
		igt_assert_f(!strcmp(info.attachment[0].device, "vivid.0"),
			     "attached to \"%s\"\n", info.attachment[0].device);
		igt_assert(info.attachment[0].mapped);
		igt_assert_eq_u64(info.runs, 1);
		/* It never said how long a segment may be. */
		igt_assert_eq(info.attachment[0].segments,
			      (info.length + KIB(64) - 1) / KIB(64));
	} else {
		igt_assert_eq(info.attachments, 0);
	}
	vcm_video_request(&camera, V4L2_MEMORY_DMABUF, 0);
	vcm_buffer_info_read(ring.frame[0].dmabuf[0], &info);
	igt_assert_eq(info.attachments, 0);
	vcm_video_close(&camera);
	ring_fini(&ring, &camera);
}

/* The device keeps the buffers when all their file descriptors are closed. */
static void test_outlives_fd(const struct instance *instance)
{
	const struct picture *picture = &pictures[0];
	struct reference reference;
	struct vcm_video camera;
	struct ring ring;
	unsigned int i;

	queue_camera(&camera, &ring, &reference, instance, picture);
	for (i = 0; i < FRAMES; i++)
		close(ring.frame[i].dmabuf[0]);
	vcm_video_start(&camera);
	for (i = 0; i < FRAMES; i++) {
		unsigned int at = vcm_video_dequeue(&camera);

		igt_assert(!memcmp(ring.ptr[at][0], reference.bytes[0], camera.size[0]));
	}
	vcm_video_close(&camera);
	for (i = 0; i < FRAMES; i++)
		vcm_buffer_unmap(ring.ptr[i][0], vcm_page_align(camera.size[0]));
	reference_fini(&reference, &camera);
}

/* Closing the device lets go of them all, in the middle of a capture too. */
static void test_close_releases(const struct instance *instance)
{
	struct vcm_totals before;
	struct vcm_video camera;
	struct ring ring;
	int times;

	vcm_totals_read(&before);
	for (times = 0; times < 3; times++) {
		open_camera(&camera, instance, &pictures[0]);
		ring_init(&ring, &camera, instance);
		ring_queue(&ring, &camera);
		vcm_video_start(&camera);
		vcm_video_dequeue(&camera);
		ring_fini(&ring, &camera);
		vcm_video_close(&camera);
		vcm_totals_assert_back(&before);
	}
}

/* ---- a device that goes ---- */

#define DRIVER "/sys/bus/platform/drivers/vivid/"

/* Its buffers are as they were, and are free when the last file is closed. */
static void test_unbind(const struct instance *instance, bool while_open)
{
	const struct picture *picture = &pictures[0];
	struct reference reference;
	struct vcm_buffer_info info;
	struct vcm_video camera;
	struct ring ring;
	unsigned int i;

	queue_camera(&camera, &ring, &reference, instance, picture);
	vcm_video_start(&camera);
	i = vcm_video_dequeue(&camera);
	if (!while_open)
		vcm_video_close(&camera);

	vcm_file_assert_write(DRIVER "unbind", "vivid.0");
	assert_captured(&reference, &camera, &ring, i);
	if (while_open) {
		igt_assert_eq(__vcm_video_queue(&camera, i, &ring.frame[i]), -ENODEV);
		vcm_video_close(&camera);
	}
	vcm_buffer_info_read(ring.frame[i].dmabuf[0], &info);
	igt_assert_eq(info.attachments, 0);
	assert_captured(&reference, &camera, &ring, i);
	vcm_file_assert_write(DRIVER "bind", "vivid.0");

	open_camera(&camera, instance, picture);
	for (i = 0; i < FRAMES; i++)
		ring_clear(&ring, &camera, i);
	ring_queue(&ring, &camera);
	vcm_video_start(&camera);
	capture_rounds(&camera, &ring, &reference);
	vcm_video_close(&camera);
	ring_fini(&ring, &camera);
	reference_fini(&reference, &camera);
}

/* ---- what is refused ---- */

/* However often, and nothing is held. */
static void assert_refused(const struct vcm_video *video, const struct vcm_video_frame *frame,
			   int error)
{
	int times;

	for (times = 0; times < 8; times++)
		igt_assert_eq(__vcm_video_queue(video, 0, frame), error);
}

static void assert_free(int dmabuf)
{
	struct vcm_buffer_info info;

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 0);
	vcm_buffer_assert_filled(dmabuf, 1);
}

/*
 * A buffer that is a page too short. One that is said to be longer than it is must not be
 * tried: the kernel refuses it and keeps a reference to it for ever, whose ever it is.
 */
static void test_short_refused(const struct instance *instance)
{
	struct vcm_video_frame frame = { };
	struct vcm_video camera;

	open_camera(&camera, instance, &pictures[0]);
	vcm_video_request(&camera, V4L2_MEMORY_DMABUF, FRAMES);
	frame.dmabuf[0] = vcm_heap_alloc(heap, camera.size[0] - vcm_page_size());
	vcm_buffer_fill(frame.dmabuf[0], 1);
	assert_refused(&camera, &frame, -EINVAL);
	assert_free(frame.dmabuf[0]);
	vcm_video_close(&camera);
}

/* A frame whose second buffer is refused lets go of the first one. */
static void test_second_refused(const struct instance *instance)
{
	struct vcm_video_frame frame = { };
	struct vcm_video camera;

	open_camera(&camera, instance, &pictures[4]);
	vcm_video_request(&camera, V4L2_MEMORY_DMABUF, FRAMES);
	frame.dmabuf[0] = vcm_heap_alloc(heap, MIB(2));
	vcm_buffer_fill(frame.dmabuf[0], 1);
	frame.dmabuf[1] = vcm_heap_alloc(heap, vcm_page_size());
	assert_refused(&camera, &frame, -EINVAL);
	frame.dmabuf[1] = camera.fd;
	assert_refused(&camera, &frame, -EINVAL);
	if (instance->contiguous) {
		frame.dmabuf[1] = vcm_dev_alloc_scattered(dev, MIB(16));
		assert_refused(&camera, &frame, -EFAULT);
	}
	assert_free(frame.dmabuf[0]);
	vcm_video_close(&camera);
}

/*
 * A device behind no IOMMU that wants one run: more than one chunk is none, here as with
 * the heap "system".
 */
static void test_scattered_refused(const struct instance *instance)
{
	struct vcm_video_frame frame = { }, systems = { };
	struct vcm_video camera;
	int system;

	open_camera(&camera, instance, &pictures[3]);
	vcm_video_request(&camera, V4L2_MEMORY_DMABUF, FRAMES);
	frame.dmabuf[0] = vcm_dev_alloc_scattered(dev, MIB(16));
	vcm_buffer_fill(frame.dmabuf[0], 1);
	assert_refused(&camera, &frame, -EFAULT);
	assert_free(frame.dmabuf[0]);

	system = __vcm_heap_open("system");
	igt_assert(system >= 0);
	systems.dmabuf[0] = vcm_heap_alloc(system, camera.size[0]);
	assert_refused(&camera, &systems, -EFAULT);
	vcm_video_close(&camera);
}

int igt_main()
{
	static const struct instance *single = &instances[0], *attaches = &instances[2];
	static struct vcm_totals before;
	static int i, j;

	igt_fixture() {
		heap = vcm_heap_open();
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(instances); i++) {
		for (j = 0; j < ARRAY_SIZE(pictures); j++) {
			if (pictures[j].planes != instances[i].planes)
				continue;
			vcm_subtest_f(test_capture(&instances[i], &pictures[j]),
				      "A frame is what the device captures into its own buffers",
				      "%s-capture-%s", instances[i].name, pictures[j].name);
			vcm_subtest_f(test_output(&instances[i], &pictures[j]),
				      "What is shown is what was drawn",
				      "%s-output-%s", instances[i].name, pictures[j].name);
		}
	}

	vcm_subtest("pass-on", test_pass_on(single, attaches, &pictures[0]),
		    "Frames of a camera are shown by another device without a copy");
	vcm_subtest("pass-on-4k", test_pass_on(single, &instances[1], &pictures[3]),
		    "The same with frames of many chunks");
	vcm_subtest("attach-capture-scattered", test_capture_scattered(attaches, &pictures[3]),
		    "Frames that are to be one run, where memory is in pieces");

	for (i = 0; i < ARRAY_SIZE(instances); i += 2) {
		vcm_subtest_f(test_attached(&instances[i]),
			      "Who attaches is seen, and lets go with the last frame",
			      "%s-attached", instances[i].name);
		vcm_subtest_f(test_outlives_fd(&instances[i]),
			      "The device keeps buffers when all file descriptors are closed",
			      "%s-outlives-fd", instances[i].name);
		vcm_subtest_f(test_close_releases(&instances[i]),
			      "Closing the device lets go of what is queued",
			      "%s-close-releases", instances[i].name);
		vcm_subtest_f(test_short_refused(&instances[i]),
			      "A buffer that is too short is refused, and not held",
			      "%s-short-refused", instances[i].name);
		vcm_subtest_f(test_second_refused(&instances[i + 1]),
			      "A frame is refused when one of its buffers is, and none is held",
			      "%s-second-refused", instances[i].name);
	}
	vcm_subtest("attach-scattered-refused", test_scattered_refused(attaches),
		    "Who wants one run refuses a buffer that is none, and does not hold it");

	for (i = 0; i < ARRAY_SIZE(instances); i += 2) {
		vcm_subtest_f(test_unbind(&instances[i], true),
			      "Buffers are as they were when the device goes while it captures",
			      "%s-unbind-open", instances[i].name);
		vcm_subtest_f(test_unbind(&instances[i], false),
			      "Buffers are as they were when the device goes",
			      "%s-unbind", instances[i].name);
	}

	igt_fixture()
		vcm_totals_assert_back(&before);
}
