// SPDX-License-Identifier: MIT
/*
 * What the screen of the guest shows, for tests: 'scripts/vm.sh --screen' tells it.
 */

#include <errno.h>
#include <fcntl.h>

#include "igt.h"
#include "vcm_screen.h"
#include "vcm_util.h"

#define SCREEN "/dev/vcm-screen"
#define TIMEOUT_MS 20000

/* Skips the test where nobody can say what the screen shows. */
void vcm_screen_require(void)
{
	igt_require_f(!access(SCREEN, R_OK | W_OK), "no " SCREEN ": scripts/vm.sh --screen\n");
}

/* Takes one, to be freed. */
void vcm_screen_take(struct vcm_picture *picture)
{
	int fd = open(SCREEN, O_RDWR | O_CLOEXEC);
	char line[128] = "";
	unsigned int max;
	FILE *screen;
	size_t size;

	igt_assert_f(fd >= 0, SCREEN ": %s\n", strerror(errno));
	igt_assert_eq(write(fd, "now\n", 4), 4);
	screen = fdopen(fd, "r");
	igt_assert(screen);
	igt_assert(fgets(line, sizeof(line), screen));
	igt_assert_f(!strcmp(line, "P6\n"), "no picture: %s\n", line);
	igt_assert(fgets(line, sizeof(line), screen));
	igt_assert_eq(sscanf(line, "%u %u", &picture->width, &picture->height), 2);
	igt_assert(fgets(line, sizeof(line), screen));
	igt_assert_eq(sscanf(line, "%u", &max), 1);
	igt_assert_eq(max, 255);
	size = 3ul * picture->width * picture->height;
	picture->rgb = malloc(size);
	igt_assert(picture->rgb);
	igt_assert_eq_u64(fread(picture->rgb, 1, size, screen), size);
	fclose(screen);
}

void vcm_picture_free(struct vcm_picture *picture)
{
	free(picture->rgb);
	picture->rgb = NULL;
}

/* Returns it as XRGB8888. */
uint32_t vcm_picture_pixel(const struct vcm_picture *picture, unsigned int x, unsigned int y)
{
	const uint8_t *rgb = picture->rgb + 3ul * (y * picture->width + x);

	return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
}

/* Returns how many pixels of the screen are others. */
uint64_t vcm_screen_different(const struct vcm_expected *expected)
{
	unsigned int width = expected->width, height = expected->height, x, y;
	struct vcm_picture picture;
	uint64_t different = 0;

	vcm_screen_take(&picture);
	if (picture.width != width || picture.height != height)
		different = (uint64_t)width * height;
	for (y = 0; !different && y < height; y++)
		for (x = 0; x < width; x++)
			different += vcm_picture_pixel(&picture, x, y) !=
				     expected->pixel(expected->data, x, y);
	vcm_picture_free(&picture);
	return different;
}

/* The display may take its time, and no commit says when it is done. */
void vcm_screen_assert(const struct vcm_expected *expected)
{
	uint64_t different, end = now_ns() + TIMEOUT_MS * 1000000ull;

	while ((different = vcm_screen_different(expected)) && now_ns() < end)
		usleep(20000);
	igt_assert_f(!different, "%llu of %u pixels of the screen differ\n",
		     (unsigned long long)different, expected->width * expected->height);
}
