// SPDX-License-Identifier: MIT
/*
 * Swap, for tests.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_swap.h"

#define ZRAM_SIZE	"/sys/block/zram0/disksize"
#define ZRAM_RESET	"/sys/block/zram0/reset"

static bool is_zram(const char *device)
{
	return !strcmp(device, VCM_SWAP_ZRAM);
}

/* What mkswap writes: a version, the last page, and that it is swap. */
static void write_header(const char *device, uint64_t len)
{
	static const char magic[] = "SWAPSPACE2";
	size_t page = vcm_page_size(), mark = strlen(magic);
	char *header = calloc(1, page);
	uint32_t info[2] = { 1, len / page - 1 };
	int fd = open(device, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", device, strerror(errno));
	igt_assert(header);
	memcpy(header + 1024, info, sizeof(info));
	memcpy(header + page - mark, magic, mark);
	igt_assert_eq(pwrite(fd, header, page, 0), page);
	igt_assert_eq(fsync(fd), 0);
	close(fd);
	free(header);
}

/* Skips the test where there is no such device. */
void vcm_swap_on(const char *device, uint64_t len)
{
	igt_require_f(access(device, F_OK) == 0, "no %s\n", device);
	if (is_zram(device))
		igt_assert_eq(vcm_file_write_number(ZRAM_SIZE, len), 0);
	write_header(device, len);
	igt_assert_f(swapon(device, 0) == 0, "%s: %s\n", device, strerror(errno));
}

/* @device: what vcm_swap_on() was called with */
void vcm_swap_off(const char *device)
{
	igt_assert_f(swapoff(device) == 0, "%s: %s\n", device, strerror(errno));
	if (is_zram(device))
		vcm_file_assert_write(ZRAM_RESET, "1");
}

/* Returns bytes of swap that are free. */
uint64_t vcm_swap_free(void)
{
	struct sysinfo info;

	igt_assert_eq(sysinfo(&info), 0);
	return (uint64_t)info.freeswap * info.mem_unit;
}
