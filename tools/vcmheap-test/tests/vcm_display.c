// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers on a display whose driver knows nothing of the heap: imported, shown,
 * flipped, and compared pixel by pixel with what the screen shows.
 */

#include <limits.h>

#include "vcm_driver.h"
#include "vcm_fence.h"
#include "vcm_iova.h"
#include "vcm_kms.h"
#include "vcm_screen.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers on a display, compared with what the screen shows.");

/* For what must come, and for what must not. */
#define LONG_MS		20000
#define SHORT_MS	200

static int heap, dev;
static struct vcm_kms kms;
/* Whether the driver maps what it imports for its device, and whether an IOMMU translates. */
static bool maps, translated;
/* ... and whether it takes a buffer only if that is one run of memory. */
static bool one_run;

/* --- Memory ------------------------------------------------------------ */

static uint64_t card_size(const struct drm_mode_modeinfo *mode)
{
	return vcm_page_align(4ull * mode->hdisplay * mode->vdisplay);
}

/* A buffer that the display takes. */
static int card_alloc(const struct drm_mode_modeinfo *mode)
{
	if (one_run)
		return vcm_dev_alloc_contiguous(dev, card_size(mode));
	return vcm_heap_alloc(heap, card_size(mode));
}

/* --- A test card ------------------------------------------------------- */

/* A picture in a buffer */
struct card {
	int dmabuf;			/* the buffer */
	uint64_t size;			/* bytes in it */
	uint32_t width, height, pitch;	/* of the picture; the last in bytes */
	uint32_t handle, fb;		/* as the display has it */
	uint32_t seed;			/* what was drawn last */
};

/*
 * Colour bars and a circle, for people. The three lowest bits of each channel tell the place
 * of the pixel, and which of the cards it is.
 */
static uint32_t card_pixel(const struct card *card, uint32_t x, uint32_t y)
{
	uint32_t bar = 7 - (8 * x / card->width + card->seed) % 8;
	int dx = 2 * x - card->width, dy = 2 * y - card->height;
	int radius = card->height * 4 / 5, off = dx * dx + dy * dy - radius * radius;
	uint32_t level = 255 - 160 * y / card->height;
	uint32_t red = bar & 2 ? level : 8, green = bar & 4 ? level : 8, blue = bar & 1 ? level : 8;

	if (off > -radius * 16 && off < radius * 16)
		red = green = blue = 255 - level / 2;
	red = (red & ~7) | (x & 7);
	green = (green & ~7) | (y & 7);
	blue = (blue & ~7) | ((x >> 3 ^ y >> 3 ^ card->seed) & 7);
	return red << 16 | green << 8 | blue;
}

static void card_draw(struct card *card, uint32_t seed)
{
	uint32_t x, y;
	char *ptr = vcm_buffer_map(card->dmabuf);

	card->seed = seed;
	vcm_buffer_begin(card->dmabuf, DMA_BUF_SYNC_WRITE);
	for (y = 0; y < card->height; y++) {
		uint32_t *line = (uint32_t *)(ptr + (size_t)y * card->pitch);

		for (x = 0; x < card->width; x++)
			line[x] = card_pixel(card, x, y);
	}
	vcm_buffer_end(card->dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(ptr, card->size);
}

/* The CPU has it as it was drawn: nobody else has written to it. */
static void card_assert_drawn(const struct card *card)
{
	uint32_t x, y;
	char *ptr = vcm_buffer_map(card->dmabuf);

	vcm_buffer_begin(card->dmabuf, DMA_BUF_SYNC_READ);
	for (y = 0; y < card->height; y++) {
		uint32_t *line = (uint32_t *)(ptr + (size_t)y * card->pitch);

		for (x = 0; x < card->width; x++)
			igt_assert_f(line[x] == card_pixel(card, x, y), "pixel %u,%u\n", x, y);
	}
	vcm_buffer_end(card->dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, card->size);
}

static void card_import(struct card *card)
{
	card->handle = prime_fd_to_handle(kms.fd, card->dmabuf);
	igt_assert_eq(__vcm_kms_add_fb(&kms, card->handle, card->width, card->height,
				       card->pitch, &card->fb), 0);
}

/* In a buffer that is there. */
static void card_init_in(struct card *card, int dmabuf, const struct drm_mode_modeinfo *mode,
			 uint32_t seed)
{
	*card = (struct card) {
		.dmabuf = dmabuf, .size = vcm_buffer_size(dmabuf),
		.width = mode->hdisplay, .height = mode->vdisplay, .pitch = 4 * mode->hdisplay,
	};
	card_draw(card, seed);
	card_import(card);
}

static void card_init(struct card *card, uint32_t seed)
{
	card_init_in(card, card_alloc(&kms.mode), &kms.mode, seed);
}

/* What the display has of it. */
static void card_forget(struct card *card)
{
	vcm_kms_remove_fb(&kms, card->fb);
	gem_close(kms.fd, card->handle);
}

static void card_fini(struct card *card)
{
	card_forget(card);
	close(card->dmabuf);
}

/* --- The screen -------------------------------------------------------- */

static uint32_t pixel_of_card(const void *card, unsigned int x, unsigned int y)
{
	return card_pixel(card, x, y);
}

static struct vcm_expected expected(const struct card *card)
{
	return (struct vcm_expected) { card->width, card->height, pixel_of_card, card };
}

static void assert_shown(const struct card *card)
{
	struct vcm_expected picture = expected(card);

	vcm_screen_assert(&picture);
}

static void show(struct card *card)
{
	igt_assert_eq(__vcm_kms_show(&kms, &kms.mode, card->fb), 0);
	assert_shown(card);
}

static void flip(struct card *card)
{
	vcm_kms_flip(&kms, card->fb);
	igt_assert(vcm_kms_flipped(&kms, LONG_MS));
}

/* --- Import ------------------------------------------------------------ */

/* Learns what the display's driver does with a buffer. */
static void look_at_driver(void)
{
	int scattered = vcm_dev_alloc_scattered(dev, card_size(&kms.mode));
	struct vcm_buffer_info info;
	struct card card;

	one_run = __vcm_kms_import(&kms, scattered, &card.handle) == -EINVAL;
	if (!one_run)
		gem_close(kms.fd, card.handle);
	close(scattered);

	card_init(&card, 0);
	vcm_buffer_info_read(card.dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	maps = info.attachment[0].mapped;
	translated = info.attachment[0].translated;
	igt_info("%s on %s, which %s%s\n", kms.driver, kms.device,
		 !maps ? "copies with the CPU" : translated ? "is behind an IOMMU" : "has no IOMMU",
		 one_run ? " and takes one run of memory" : "");
	card_fini(&card);
}

static void test_import(void)
{
	struct vcm_buffer_info info;
	struct card card;

	card_init(&card, 1);
	vcm_buffer_info_read(card.dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert_f(!strcmp(info.attachment[0].device, kms.device), "attached to %s, not %s\n",
		     info.attachment[0].device, kms.device);
	card_forget(&card);
	vcm_buffer_info_read(card.dmabuf, &info);
	igt_assert_eq(info.attachments, 0);
	close(card.dmabuf);
}

static void assert_mapping(int dmabuf, uint64_t align, uint64_t guard)
{
	struct vcm_buffer_info info;
	struct vcm_iova_device device;
	const struct vcm_iova_mapping *mapping;

	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert(info.attachment[0].mapped);
	igt_assert_eq(info.attachment[0].segments, 1);
	vcm_iova_read(kms.device, &device);
	mapping = vcm_iova_find(&device, info.attachment[0].iova);
	igt_assert_eq_u64(mapping->iova % align, 0);
	igt_assert_lte_u64(align, mapping->align);
	igt_assert_eq_u64(mapping->guard, guard);
	igt_assert_eq_u64(mapping->length, info.length);
	igt_assert(!mapping->degraded);
}

/* One of several runs, one with a policy of its own: what the device has is what it says. */
static void test_placed(void)
{
	const uint64_t size = card_size(&kms.mode);
	const struct {
		uint64_t align, guard, chunks;
	} policies[] = {
		{ 0, 0, 0 },
		{ MIB(16), KIB(64), 0 },
		{ MIB(1024), MIB(1), DMA_HEAP_VCM_CHUNK_64K | vcm_page_size() },
	};
	int i;

	igt_require_f(maps && translated, "no IOMMU has the addresses of this display\n");
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct dma_heap_vcm_alloc args = vcm_alloc_args(size);
		struct card card;

		args.flags = DMA_HEAP_VCM_STRICT;
		args.align = policies[i].align;
		args.guard = policies[i].guard;
		args.chunk_sizes = policies[i].chunks;
		card_init_in(&card, vcm_dev_alloc(dev, &args), &kms.mode, 10 + i);
		assert_mapping(card.dmabuf, policies[i].align ?: vcm_page_size(),
			       policies[i].guard);
		show(&card);
		card_fini(&card);
	}
}

/* What shows a picture by copying it has no use for addresses. */
static void test_not_mapped(void)
{
	struct vcm_iova_device device;
	struct vcm_buffer_info info;
	struct card card;

	igt_require_f(!maps, "%s maps what it imports\n", kms.driver);
	card_init(&card, 1);
	show(&card);
	vcm_buffer_info_read(card.dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
	igt_assert(!info.attachment[0].mapped);
	if (__vcm_iova_read(kms.device, &device))
		igt_assert_eq(device.mappings, 0);
	card_fini(&card);
}

/* What must have one run says so, and holds nothing of what it refused. */
static void test_several_runs(void)
{
	struct drm_mode_modeinfo *mode = &kms.mode;
	int dmabuf = vcm_dev_alloc_scattered(dev, card_size(mode));
	struct vcm_buffer_info info;
	struct card card;
	int i;

	if (!one_run) {
		card_init_in(&card, dmabuf, mode, 3);
		show(&card);
		card_fini(&card);
		return;
	}
	vcm_buffer_fill(dmabuf, 1);
	for (i = 0; i < 8; i++) {
		igt_assert_eq(__vcm_kms_import(&kms, dmabuf, &card.handle), -EINVAL);
		vcm_buffer_info_read(dmabuf, &info);
		igt_assert_eq(info.attachments, 0);
	}
	vcm_buffer_assert_filled(dmabuf, 1);
	close(dmabuf);
}

static void show_contiguous(void)
{
	struct card card;

	card_init_in(&card, vcm_dev_alloc_contiguous(dev, MIB(8)), &kms.mode, 5);
	show(&card);
	card_fini(&card);
}

/*
 * One run; for who must have one where all that is free is in pieces, too: what is longer than
 * a chunk there is only by moving what others have.
 */
static void test_contiguous(void)
{
	struct vcm_scattered scattered;

	show_contiguous();
	if (!one_run)
		return;
	vcm_scatter(&scattered);
	show_contiguous();
	vcm_scattered_assert_same(&scattered);
	vcm_scattered_free(&scattered);
}

/* Who asks for nothing but the largest chunk has one run up to 2 MB, or an error. */
static void test_largest_chunks(void)
{
	uint64_t size = (card_size(&kms.mode) + MIB(2) - 1) & -MIB(2);
	struct dma_heap_vcm_query query;
	struct card card;

	card_init_in(&card, vcm_dev_alloc_sizes(dev, size, DMA_HEAP_VCM_CHUNK_2M), &kms.mode, 4);
	vcm_dev_query(dev, card.dmabuf, &query);
	igt_assert_lte_u64(query.out_nr_runs, size / MIB(2));
	show(&card);
	card_fini(&card);
}

/* --- Show -------------------------------------------------------------- */

static void test_modeset(void)
{
	struct card card;

	card_init(&card, 0);
	show(&card);
	card_fini(&card);
}

#define MODES 4

/* Pictures of other sizes, the first and the last that the monitor takes among them. */
static void test_modes(void)
{
	const struct drm_mode_modeinfo before = kms.mode;
	struct card card;
	int i;

	for (i = 0; i < MODES; i++) {
		const struct drm_mode_modeinfo *mode =
			&kms.modes[i * (kms.nr_modes - 1) / (MODES - 1)];

		card_init_in(&card, card_alloc(mode), mode, i);
		igt_debug("%s\n", mode->name);
		igt_assert_eq(__vcm_kms_show(&kms, mode, card.fb), 0);
		assert_shown(&card);
		card_fini(&card);
	}
	kms.mode = before;
}

static void test_redraw(void)
{
	struct card card;
	uint32_t seed;

	card_init(&card, 0);
	show(&card);
	for (seed = 1; seed < 4; seed++) {
		card_draw(&card, seed);
		vcm_kms_dirty(&kms, card.fb);
		assert_shown(&card);
	}
	card_fini(&card);
}

static void test_flip(void)
{
	struct card cards[2];
	int i;

	card_init(&cards[0], 0);
	card_init(&cards[1], 1);
	show(&cards[0]);
	for (i = 1; i < 8; i++) {
		struct card *next = &cards[i & 1];

		/* Nobody looks at it now. */
		card_draw(next, i);
		flip(next);
		assert_shown(next);
		card_assert_drawn(&cards[!(i & 1)]);
	}
	card_fini(&cards[0]);
	card_fini(&cards[1]);
}

#define MANY 16

/* So many that the device has them in several slabs. */
static void test_many(void)
{
	struct card cards[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		card_init(&cards[i], i);
	show(&cards[0]);
	for (i = 1; i < MANY; i += 5) {
		flip(&cards[i]);
		assert_shown(&cards[i]);
	}
	for (i = 0; i < MANY; i++)
		card_fini(&cards[i]);
}

static void test_legacy(void)
{
	struct card cards[2];

	card_init(&cards[0], 2);
	card_init(&cards[1], 3);
	igt_assert_eq(__vcm_kms_legacy_show(&kms, &kms.mode, cards[0].fb), 0);
	assert_shown(&cards[0]);
	igt_assert_eq(__vcm_kms_legacy_flip(&kms, cards[1].fb), 0);
	igt_assert(vcm_kms_flipped(&kms, LONG_MS));
	assert_shown(&cards[1]);
	card_fini(&cards[0]);
	card_fini(&cards[1]);
}

/* --- Fences ------------------------------------------------------------ */

/* The fence that flip() gets comes with the buffer, or is handed over. */
static void test_fence(bool explicit)
{
	struct vcm_kms_flip args = { .in_fence = -1, .want_fence = true };
	struct vcm_expected still;
	struct card cards[2];
	struct vcm_pending pending;

	card_init(&cards[0], 4);
	card_init(&cards[1], 5);
	show(&cards[0]);

	/* The work is on what is shown, or on something else. */
	vcm_pending_begin(&pending, cards[!explicit].dmabuf, true);
	if (explicit)
		args.in_fence = vcm_fence_export(cards[0].dmabuf, DMA_BUF_SYNC_READ);
	igt_assert_eq(__vcm_kms_flip(&kms, cards[1].fb, &args), 0);
	igt_assert(args.out_fence >= 0);
	igt_assert(!vcm_kms_flipped(&kms, SHORT_MS));
	igt_assert(!vcm_fence_signalled(args.out_fence, 0));
	still = expected(&cards[0]);
	igt_assert_eq_u64(vcm_screen_different(&still), 0);

	vcm_pending_end(&pending);
	igt_assert(vcm_kms_flipped(&kms, LONG_MS));
	igt_assert(vcm_fence_signalled(args.out_fence, LONG_MS));
	assert_shown(&cards[1]);

	close(args.out_fence);
	if (explicit)
		close(args.in_fence);
	vcm_pending_fini(&pending);
	card_fini(&cards[0]);
	card_fini(&cards[1]);
}

/* --- Who holds what ---------------------------------------------------- */

static void test_shown_is_held(void)
{
	struct vcm_totals before, meanwhile;
	struct card card;

	vcm_totals_read(&before);
	card_init(&card, 6);
	show(&card);
	close(card.dmabuf);
	gem_close(kms.fd, card.handle);
	vcm_totals_read(&meanwhile);
	igt_assert_eq_u64(meanwhile.buffers, before.buffers + 1);
	assert_shown(&card);
	vcm_kms_remove_fb(&kms, card.fb);
	vcm_totals_assert_back(&before);
}

static void test_close_releases(void)
{
	struct vcm_totals before;
	struct card cards[3];
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < ARRAY_SIZE(cards); i++) {
		card_init(&cards[i], i);
		close(cards[i].dmabuf);
	}
	show(&cards[0]);
	vcm_kms_close(&kms);
	vcm_totals_assert_back(&before);
	vcm_kms_open(&kms);
}

/* --- What is refused --------------------------------------------------- */

/* The buffer is as it was, and so is the display. */
static void assert_fine(struct card *card)
{
	struct vcm_buffer_info info;

	show(card);
	vcm_buffer_info_read(card->dmabuf, &info);
	igt_assert_eq(info.attachments, 1);
}

static void test_refused(void)
{
	struct card card;
	uint32_t fb;

	card_init(&card, 7);
	igt_assert_eq(__vcm_kms_add_fb(&kms, card.handle, card.width, card.height,
				       card.pitch - 4, &fb), -EINVAL);
	igt_assert_eq(__vcm_kms_add_fb(&kms, card.handle, 1 << 20, card.height, 4 << 20, &fb),
		      -EINVAL);
	assert_fine(&card);
	card_fini(&card);
}

static void test_too_large(void)
{
	struct card card;
	uint32_t fb;

	card_init(&card, 7);
	igt_assert_eq(__vcm_kms_add_fb(&kms, card.handle, card.width,
				       card.size / card.pitch + 1, card.pitch, &fb), -EINVAL);
	assert_fine(&card);
	card_fini(&card);
}

/* --- The display goes -------------------------------------------------- */

static char device_dir[PATH_MAX], driver_dir[PATH_MAX];

static void find_dirs(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/drm/card%u/device", kms.card);
	igt_assert(realpath(path, device_dir));
	snprintf(path, sizeof(path), "/sys/class/drm/card%u/device/driver", kms.card);
	igt_assert(realpath(path, driver_dir));
}

static void write_in(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	vcm_file_assert_write(path, text);
}

static void go_unbind(void)
{
	write_in(driver_dir, "unbind", kms.device);
}

static void back_bind(void)
{
	write_in(driver_dir, "bind", kms.device);
}

static void go_remove(void)
{
	write_in(device_dir, "remove", "1");
}

static void back_rescan(void)
{
	vcm_bus_rescan();
}

enum when { BEFORE, GONE, BACK };

static const struct {
	const char *name;
	void (*go)(void);
	void (*back)(void);
	enum when closed;	/* when the program closes the display's file */
} goings[] = {
	{ "unbind", go_unbind, back_bind, GONE },
	{ "unbind-back", go_unbind, back_bind, BACK },
	{ "unbind-closed", go_unbind, back_bind, BEFORE },
	{ "unplug", go_remove, back_rescan, GONE },
	{ "unplug-back", go_remove, back_rescan, BACK },
	{ "unplug-closed", go_remove, back_rescan, BEFORE },
};

static void close_if(int going, enum when when)
{
	if (goings[going].closed == when)
		vcm_kms_close(&kms);
}

/* With a buffer shown, one imported, and one of which only the display knows. */
static void test_going(int going)
{
	static struct vcm_iova_device iova;
	struct vcm_totals before;
	struct card cards[3];
	int i;

	find_dirs();
	vcm_totals_read(&before);
	for (i = 0; i < ARRAY_SIZE(cards); i++)
		card_init(&cards[i], 20 + i);
	close(cards[2].dmabuf);
	show(&cards[0]);

	close_if(going, BEFORE);
	goings[going].go();
	igt_assert_f(!__vcm_iova_read(kms.device, &iova), "%s has %u mappings left\n", kms.device,
		     iova.mappings);
	if (goings[going].closed != BEFORE)
		igt_assert_eq(__vcm_kms_import(&kms, cards[1].dmabuf, &cards[1].handle), -ENODEV);
	card_assert_drawn(&cards[0]);
	card_assert_drawn(&cards[1]);
	card_draw(&cards[0], 30);
	close_if(going, GONE);
	goings[going].back();
	close_if(going, BACK);

	vcm_kms_open(&kms);
	for (i = 0; i < 2; i++) {
		card_import(&cards[i]);
		show(&cards[i]);
		card_fini(&cards[i]);
	}
	vcm_totals_assert_back(&before);
}

/* --- All of them ------------------------------------------------------- */

int igt_main()
{
	static struct vcm_totals before;
	static int i;

	igt_fixture() {
		heap = vcm_heap_open();
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_screen_require();
		vcm_kms_open(&kms);
		look_at_driver();
		vcm_totals_read(&before);
	}

	vcm_subtest("import", test_import(), "A buffer imports, shows its display, and is let go of");
	vcm_subtest("placed", test_placed(), "The display's addresses are what the policy says");
	vcm_subtest("not-mapped", test_not_mapped(),
		    "A driver that copies with the CPU maps nothing for its device");
	vcm_subtest("several-runs", test_several_runs(),
		    "A buffer of several runs is shown, or refused by who must have one");
	vcm_subtest("contiguous", test_contiguous(),
		    "A buffer of one run is shown, also where memory is in pieces");
	vcm_subtest("largest-chunks", test_largest_chunks(),
		    "A buffer of the largest chunks alone is shown");
	vcm_subtest("modeset", test_modeset(), "The screen shows what was drawn");
	vcm_subtest("modes", test_modes(), "The screen shows buffers of other sizes");
	vcm_subtest("redraw", test_redraw(), "The screen shows what is drawn into a buffer that is shown");
	vcm_subtest("flip", test_flip(), "Two buffers take turns on the screen");
	vcm_subtest("many", test_many(), "The screen shows any of many buffers");
	vcm_subtest("legacy", test_legacy(), "The same with the calls that came before atomic ones");
	vcm_subtest("fence-of-buffer", test_fence(false),
		    "A flip waits for work on the buffer, and says when it is done");
	vcm_subtest("fence-handed-over", test_fence(true),
		    "A flip waits for the fence that it is given, and says when it is done");
	vcm_subtest("shown-is-held", test_shown_is_held(),
		    "A buffer that is shown stays when all its file descriptors are closed");
	vcm_subtest("close-releases", test_close_releases(),
		    "Closing the display lets go of what is still imported");
	vcm_subtest("refused", test_refused(), "A framebuffer that cannot be is refused");
	vcm_subtest("too-large", test_too_large(),
		    "A framebuffer that is larger than its buffer is refused");
	for (i = 0; i < ARRAY_SIZE(goings); i++)
		vcm_subtest_f(test_going(i), "Buffers are as they were when the display goes",
			      "%s", goings[i].name);
	/* With the display as it was found. */
	vcm_subtest("modeset-again", test_modeset(), "The display that came back works");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
