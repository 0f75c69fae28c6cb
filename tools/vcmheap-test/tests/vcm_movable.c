// SPDX-License-Identifier: MIT
/*
 * Buffers of the vcm heap on a machine that has memory for movable pages only,
 * such as one that was booted with kernelcore=320M. No buffer comes from there.
 */

#include <limits.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Buffers of the vcm heap with memory for movable pages only.");

#define BLOCKS "/sys/devices/system/memory"

static int dev = -1;

static int ask(uint64_t len)
{
	return __vcm_dev_alloc_sizes(dev, len, 0);
}

/* Needs memory of the kernel, and not only of its own. */
static void fork_many(unsigned int times)
{
	while (times--) {
		igt_fork(child, 8)
			usleep(1000);
		igt_waitchildren();
	}
}

static void assert_refused(uint64_t len)
{
	struct vcm_watch watch;

	vcm_watch_start(&watch);
	igt_assert_eq(ask(len), -ENOMEM);
	fork_many(2);
	vcm_watch_stop(&watch);
}

static void test_others_live(void)
{
	struct vcm_bystander bystander;
	struct vcm_watch watch;
	int dmabuf[2048], n = 0;

	vcm_keep_nothing();
	vcm_bystander_start(&bystander);
	vcm_watch_start(&watch);
	while (n < ARRAY_SIZE(dmabuf) && (dmabuf[n] = ask(MIB(1))) >= 0)
		n++;
	igt_assert_lt(n, ARRAY_SIZE(dmabuf));
	fork_many(8);
	igt_info("%d buffers of 1 MiB, with %llu MiB available\n", n,
		 (unsigned long long)vcm_ram_available() >> 20);
	vcm_watch_stop(&watch);
	vcm_bystander_stop(&bystander);
	while (n--)
		close(dmabuf[n]);
}

/* --- Blocks of memory --------------------------------------------------- */

static int write_block(int block, const char *state)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), BLOCKS "/memory%d/state", block);
	return vcm_file_write(path, state);
}

static bool is_movable(int block)
{
	char path[PATH_MAX], *zones;
	bool movable;

	snprintf(path, sizeof(path), BLOCKS "/memory%d/valid_zones", block);
	zones = vcm_file_read(path);
	igt_assert_f(zones, "%s: %s\n", path, strerror(errno));
	movable = strcspn(zones, " \n") == strlen("Movable") && !strncmp(zones, "Movable", 7);
	free(zones);
	return movable;
}

static bool has_block(int block)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), BLOCKS "/memory%d", block);
	return access(path, F_OK) == 0;
}

/* A block for movable pages that is unplugged; one with holes cannot be. */
static int unplug_block(void)
{
	int block;

	for (block = 0; has_block(block); block++)
		if (is_movable(block) && write_block(block, "offline") == 0)
			return block;
	igt_require_f(false, "no memory for movable pages: boot with kernelcore=320M\n");
	return -1;
}

static void test_plugged_in(void)
{
	uint64_t before, after;
	int block, dmabuf;

	block = unplug_block();
	vcm_keep_nothing();
	before = vcm_spare(VCM_ALL_NODES);
	igt_assert_eq(write_block(block, "online_movable"), 0);
	after = vcm_spare(VCM_ALL_NODES);
	igt_info("%llu MiB were spare, and %llu with block %d\n",
		 (unsigned long long)before >> 20, (unsigned long long)after >> 20, block);

	assert_refused(before + 2 * VCM_RESERVE_NOISE);
	assert_refused(before + MIB(64));
	dmabuf = ask(before - 2 * VCM_RESERVE_NOISE);
	igt_assert(dmabuf >= 0);
}

int igt_main()
{
	static struct vcm_totals before;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_more_fds(4200);
		vcm_require_pool();
		vcm_totals_read(&before);
	}

	vcm_subtest("others-live", test_others_live(),
		    "Nobody dies of buffers that take what is not for movable pages only");
	vcm_subtest("plugged-in", test_plugged_in(),
		    "Memory for movable pages that is plugged in makes no room for buffers");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
