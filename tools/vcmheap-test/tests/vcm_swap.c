// SPDX-License-Identifier: MIT

#include <sched.h>
#include <time.h>

#include "vcm_swap.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Buffers of the vcm heap on a machine that has swap.");

/* How long a buffer is held; the watch looks every few milliseconds. */
#define HOLD_MS 100

static int dev = -1;

/* A buffer that is asked for */
struct ask {
	uint64_t spare;		/* what could be had without swap */
	uint64_t swap;		/* what could be had beside it, at most */
	uint64_t len;		/* bytes that are asked for */
	int ret;		/* 0 or -errno */
	uint64_t least;		/* the least memory that was available meanwhile */
	unsigned int ms;	/* how long it took */
};

static void ask_read(struct ask *ask)
{
	struct vcm_usable usable;

	vcm_usable_read(&usable, VCM_ALL_NODES);
	ask->spare = vcm_spare(VCM_ALL_NODES);
	ask->swap = vcm_swap_free() < usable.anon ? vcm_swap_free() : usable.anon;
}

static void ask_len(struct ask *ask, uint64_t len)
{
	struct vcm_watch watch;
	double start;

	ask->len = len;
	vcm_watch_start(&watch);
	start = now();
	ask->ret = __vcm_dev_alloc_sizes(dev, len, 0);
	ask->ms = (now() - start) * 1000;
	/* One that is there at once is to be seen, too. */
	if (ask->ret >= 0)
		usleep(HOLD_MS * 1000);
	ask->least = vcm_watch_stop(&watch);
	if (ask->ret >= 0) {
		close(ask->ret);
		ask->ret = 0;
	}
}

/* Asks for what is spare and @part eighths of what swap may add, and @more. */
static void ask(struct ask *ask, unsigned int part, uint64_t more)
{
	ask_read(ask);
	ask_len(ask, vcm_page_align(ask->spare + ask->swap / 8 * part + more));
}

static void assert_kept(const struct ask *ask)
{
	struct vcm_usable usable;
	uint64_t reserve;

	vcm_usable_read(&usable, VCM_ALL_NODES);
	reserve = vcm_reserve(&usable);
	igt_info("spare %llu MiB, swap %llu: asked for %llu: %s in %u ms; at least %llu available, reserve %llu\n",
		 (unsigned long long)ask->spare >> 20, (unsigned long long)ask->swap >> 20,
		 (unsigned long long)ask->len >> 20, ask->ret ? strerror(-ask->ret) : "had",
		 ask->ms, (unsigned long long)ask->least >> 20,
		 (unsigned long long)reserve >> 20);
	igt_assert(!ask->ret || ask->ret == -ENOMEM);
	igt_assert_lte_u64(reserve, ask->least + VCM_RESERVE_NOISE);
}

/* Page cache that can be given up: of a disk, by reading it. */
static void fill_cache(uint64_t len)
{
	static char text[1 << 16];
	uint64_t at;
	int fd = open(VCM_SWAP_DISK, O_RDONLY | O_CLOEXEC);

	igt_require_f(fd >= 0, "no " VCM_SWAP_DISK "\n");
	for (at = 0; at < len && pread(fd, text, sizeof(text), at) > 0; at += sizeof(text))
		;
	close(fd);
}

static void test_swap(const char *device, uint64_t len, unsigned int part, bool cache)
{
	struct vcm_bystander bystander;
	unsigned int eighths;
	struct ask result;

	vcm_keep_nothing();
	vcm_swap_on(device, len);
	vcm_bystander_start_with(&bystander, vcm_ram_available() / 4, part);

	for (eighths = 0; eighths <= 8; eighths += 2) {
		if (cache)
			fill_cache(len);
		ask(&result, eighths, MIB(8));
		assert_kept(&result);
	}
	/* More than there can be. */
	ask(&result, 8, 2 * VCM_RESERVE_NOISE + MIB(32));
	assert_kept(&result);
	igt_assert_eq(result.ret, -ENOMEM);
	/* What is there can be had afterwards. */
	ask(&result, 0, -VCM_RESERVE_NOISE);
	assert_kept(&result);
	igt_assert_eq(result.ret, 0);

	vcm_bystander_stop(&bystander);
	vcm_swap_off(device);
}

/* The pool gives chunks of the node that the task is on. */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	igt_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
}

/*
 * Nearly all that is spare is in the pool, and somebody has the rest. Who takes that has
 * the pool shrink, now more and now less. Returns what is left in the pool, or 0 if it is
 * so little that the rest would do.
 */
static uint64_t fill_pool(uint64_t len, struct vcm_bystander *bystander, struct ask *result)
{
	struct vcm_pool pool;
	uint64_t kept;

	/* Each node has a part of it. */
	vcm_pool_renew(4 * len >> 20);
	ask_len(result, len);
	igt_assert_eq(result->ret, 0);
	vcm_pool_wait_clean(&pool);
	vcm_bystander_start_with(bystander, vcm_spare(VCM_ALL_NODES) - MIB(8), 1);

	ask_read(result);
	kept = vcm_pool_total();
	if (result->spare + 2 * VCM_RESERVE_NOISE < kept)
		return kept;
	vcm_bystander_stop(bystander);
	return 0;
}

static void test_pool(void)
{
	uint64_t len = vcm_ram_size() / 8 & -(uint64_t)MIB(2), kept = 0;
	struct vcm_bystander bystander;
	struct vcm_pool_params params;
	struct ask result;
	int tries = 8;

	stay_on_one_cpu();
	vcm_pool_params_read(&params);
	vcm_drop_caches();
	vcm_swap_on(VCM_SWAP_ZRAM, vcm_ram_size() / 2);
	while (!kept && tries--)
		kept = fill_pool(len, &bystander, &result);
	igt_assert_lt_u64(0, kept);
	ask_len(&result, kept);
	assert_kept(&result);

	vcm_bystander_stop(&bystander);
	vcm_pool_params_write(&params);
	vcm_swap_off(VCM_SWAP_ZRAM);
}

static const struct {
	const char *name;
	const char *device;
	unsigned int part;
	bool cache;
} kinds[] = {
	{ "zram-random", VCM_SWAP_ZRAM, 1, false },
	{ "zram-text", VCM_SWAP_ZRAM, 8, false },
	{ "zram-cache", VCM_SWAP_ZRAM, 1, true },
	{ "disk", VCM_SWAP_DISK, 1, false },
};

int igt_main()
{
	static struct vcm_totals before;
	static int i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_pool();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		vcm_subtest(kinds[i].name, test_swap(kinds[i].device, vcm_ram_size() / 2,
						     kinds[i].part, kinds[i].cache),
			    "Nobody dies of buffers that memory is too little for");

	vcm_subtest("pool-with-swap", test_pool(),
		    "Chunks of the pool are memory like others: they leave the reserve, too");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
