// SPDX-License-Identifier: MIT
/*
 * A Vulkan driver that computes with the CPU, Mesa's lavapipe, works on buffers of the vcm
 * heap by VK_EXT_external_memory_dma_buf, and on those of the heap "system" beside them.
 */

#include <inttypes.h>

#include "vcm_holders.h"
#include "vcm_test.h"
#include "vcm_vk.h"

IGT_TEST_DESCRIPTION("A Vulkan driver draws in vcm heap buffers, and copies from and to them.");

#define SIZE (MIB(16) + KIB(68))
/* Behind what the driver may touch. */
#define TAIL KIB(64)
#define PIXEL sizeof(uint32_t)

static const char *const heaps[] = { DMA_HEAP_VCM_NAME, "system" };
static int heap_fds[ARRAY_SIZE(heaps)], dev;
static struct vcm_vk vk;

/* ---- bytes ---- */

static void assert_words(int dmabuf, uint64_t size, uint32_t word)
{
	uint32_t *ptr = vcm_buffer_map(dmabuf);
	uint64_t i;

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	for (i = 0; i < size / sizeof(*ptr); i++)
		igt_assert_f(ptr[i] == word, "word %#" PRIx64 " is %#x\n", i, ptr[i]);
	vcm_assert_zero((char *)ptr + size, vcm_buffer_size(dmabuf) - size);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
}

static void test_fill(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE + TAIL);
	struct vcm_vk_buffer buffer;

	vcm_vk_buffer_import(&vk, dmabuf, SIZE, &buffer);
	vcm_vk_fill(&vk, &buffer, 0x12345678);
	assert_words(dmabuf, SIZE, 0x12345678);
	vcm_vk_fill(&vk, &buffer, 0x87654321);
	assert_words(dmabuf, SIZE, 0x87654321);
	vcm_vk_buffer_release(&vk, &buffer);
	assert_words(dmabuf, SIZE, 0x87654321);
}

static void test_copy(int from_heap, int to_heap)
{
	int from = vcm_heap_alloc(from_heap, SIZE), to = vcm_heap_alloc(to_heap, SIZE);
	struct vcm_vk_buffer from_buffer, to_buffer;
	uint64_t seed;

	vcm_vk_buffer_import(&vk, from, SIZE, &from_buffer);
	vcm_vk_buffer_import(&vk, to, SIZE, &to_buffer);
	for (seed = 1; seed <= 3; seed++) {
		vcm_buffer_fill(from, seed);
		vcm_vk_copy(&vk, &from_buffer, &to_buffer);
		vcm_buffer_assert_filled(to, seed);
		vcm_buffer_assert_filled(from, seed);
	}
	vcm_vk_buffer_release(&vk, &from_buffer);
	vcm_vk_buffer_release(&vk, &to_buffer);
}

/* ---- pictures ---- */

/* As card.frag has it. */
static uint32_t card_pixel(unsigned int x, unsigned int y, uint32_t seed)
{
	return (x * 2654435761u ^ y * 2246822519u) + seed;
}

static void assert_card(int dmabuf, const struct vcm_vk_image *image, uint32_t seed)
{
	char *ptr = vcm_buffer_map(dmabuf);
	uint64_t end = image->pitch * image->height;
	unsigned int x, y;

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	for (y = 0; y < image->height; y++) {
		uint32_t *line = (uint32_t *)(ptr + y * image->pitch);

		for (x = 0; x < image->width; x++)
			igt_assert_f(line[x] == card_pixel(x, y, seed), "pixel %u of line %u is %#x\n",
				     x, y, line[x]);
	}
	vcm_assert_zero(ptr + end, vcm_buffer_size(dmabuf) - end);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(ptr, vcm_buffer_size(dmabuf));
}

static void draw_card(int dmabuf, const struct vcm_vk_image *image, uint32_t seed)
{
	char *ptr = vcm_buffer_map(dmabuf);
	unsigned int x, y;

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	for (y = 0; y < image->height; y++)
		for (x = 0; x < image->width; x++)
			((uint32_t *)(ptr + y * image->pitch))[x] = card_pixel(x, y, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(ptr, vcm_buffer_size(dmabuf));
}

static void draw_and_check(int dmabuf, unsigned int width, unsigned int height)
{
	struct vcm_vk_image image;
	uint32_t seed;

	vcm_vk_image_import(&vk, dmabuf, width, height, &image);
	for (seed = 1; seed <= 2; seed++) {
		vcm_vk_draw(&vk, &image, seed);
		assert_card(dmabuf, &image, seed);
	}
	vcm_vk_image_release(&vk, &image);
}

static void test_draw(int heap, unsigned int width, unsigned int height)
{
	draw_and_check(vcm_heap_alloc(heap, vcm_vk_image_size(&vk, width, height) + TAIL),
		       width, height);
}

static void test_draw_scattered(unsigned int width, unsigned int height)
{
	draw_and_check(vcm_dev_alloc_scattered(dev, vcm_vk_image_size(&vk, width, height) + TAIL),
		       width, height);
}

/* What one program draws the driver reads, and the other way round. */
static void test_copy_image(int from_heap, int to_heap, unsigned int width, unsigned int height)
{
	uint64_t size = vcm_vk_image_size(&vk, width, height) + TAIL;
	int from = vcm_heap_alloc(from_heap, size), to = vcm_heap_alloc(to_heap, size);
	struct vcm_vk_image from_image, to_image;

	vcm_vk_image_import(&vk, from, width, height, &from_image);
	vcm_vk_image_import(&vk, to, width, height, &to_image);
	draw_card(from, &from_image, 1);
	vcm_vk_copy_image(&vk, &from_image, &to_image);
	assert_card(to, &to_image, 1);
	vcm_vk_draw(&vk, &to_image, 2);
	vcm_vk_copy_image(&vk, &to_image, &from_image);
	assert_card(from, &from_image, 2);
	vcm_vk_image_release(&vk, &from_image);
	vcm_vk_image_release(&vk, &to_image);
}

/* ---- who has a buffer ---- */

/* The driver has it for as long as it has its memory. */
static void test_held(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE), again;
	uint64_t ino = vcm_buffer_ino(dmabuf);
	struct vcm_vk_buffer buffer;
	struct vcm_bufinfo info;
	void *ptr;

	vcm_vk_buffer_import(&vk, dmabuf, SIZE, &buffer);
	igt_assert_lt_u64(1, vcm_fdinfo_number(dmabuf, "count"));
	close(dmabuf);
	igt_assert(__vcm_bufinfo_read(ino, &info));
	/* It has mapped the buffer, as programs do. */
	igt_assert_eq(info.devices, 0);
	vcm_vk_fill(&vk, &buffer, 1);

	again = vcm_vk_export(&vk, buffer.memory);
	igt_assert_eq_u64(vcm_buffer_ino(again), ino);
	ptr = vcm_buffer_map(again);
	igt_assert_eq(*(uint32_t *)ptr, 1);
	vcm_buffer_unmap(ptr, SIZE);
	close(again);
	vcm_vk_buffer_release(&vk, &buffer);
	igt_assert(!__vcm_bufinfo_read(ino, &info));
}

/* Memory that is not all there. */
static void test_short_refused(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	VkDeviceMemory memory;
	VkResult result;

	result = __vcm_vk_import(&vk, dmabuf, SIZE + vcm_page_size(), ~0u, &memory);
	igt_assert_f(result < 0, "more was imported than there is: VkResult %d\n", result);
	igt_assert_eq_u64(vcm_fdinfo_number(dmabuf, "count"), 1);
}

int igt_main()
{
	static const struct {
		unsigned int width;
		unsigned int height;
	} sizes[] = { { 64, 64 }, { 1001, 701 }, { 1920, 1080 }, { 3840, 2160 } };
	static struct vcm_totals before;
	static int i, j;

	igt_fixture() {
		for (i = 0; i < ARRAY_SIZE(heaps); i++) {
			heap_fds[i] = __vcm_heap_open(heaps[i]);
			igt_assert_f(heap_fds[i] >= 0, "no heap %s\n", heaps[i]);
		}
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_vk_open(&vk);
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(heaps); i++) {
		vcm_subtest_f(test_fill(heap_fds[i]), "The driver fills a buffer", "fill-%s", heaps[i]);
		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			vcm_subtest_f(test_draw(heap_fds[i], sizes[j].width, sizes[j].height),
				      "What the driver draws is in the buffer, pixel by pixel",
				      "draw-%s-%ux%u", heaps[i], sizes[j].width, sizes[j].height);
		for (j = 0; j < ARRAY_SIZE(heaps); j++) {
			vcm_subtest_f(test_copy(heap_fds[i], heap_fds[j]),
				      "The driver copies from one buffer to another",
				      "copy-%s-%s", heaps[i], heaps[j]);
			vcm_subtest_f(test_copy_image(heap_fds[i], heap_fds[j], 1001, 701),
				      "The driver copies a picture that a program drew",
				      "copy-image-%s-%s", heaps[i], heaps[j]);
		}
		vcm_subtest_f(test_held(heap_fds[i]),
			      "The driver has a buffer until it frees the memory", "held-%s", heaps[i]);
		vcm_subtest_f(test_short_refused(heap_fds[i]),
			      "A buffer that is too short is refused, and not held",
			      "short-refused-%s", heaps[i]);
	}
	vcm_subtest("draw-scattered", test_draw_scattered(1920, 1080),
		    "A picture in a buffer of many pieces");

	igt_fixture() {
		vcm_totals_assert_back(&before);
		vcm_vk_close(&vk);
	}
}
