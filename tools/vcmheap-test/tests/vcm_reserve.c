// SPDX-License-Identifier: MIT

#include <signal.h>
#include <sys/wait.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What buffers of the vcm heap leave to others.");

static int dev = -1;

static uint64_t reserve(void)
{
	struct vcm_usable usable;

	vcm_usable_read(&usable, VCM_ALL_NODES);
	return vcm_reserve(&usable);
}

static void set_reserve(const char *mib)
{
	vcm_file_assert_write(VCM_PARAMETERS "reserve_mb", mib);
}

/* What the pool and caches have is not free, but there all the same. */
static uint64_t spare_now(void)
{
	vcm_keep_nothing();
	return vcm_spare(VCM_ALL_NODES);
}

static int ask(uint64_t len, uint64_t chunk_sizes)
{
	return __vcm_dev_alloc_sizes(dev, len, chunk_sizes);
}

/* Asks, and gives back at once; the reserve has to be there all the time. */
static int ask_watched(const char *what, uint64_t len, uint64_t chunk_sizes)
{
	struct vcm_watch watch;
	uint64_t least;
	int dmabuf;

	vcm_watch_start(&watch);
	dmabuf = ask(len, chunk_sizes);
	least = vcm_watch_stop(&watch);
	igt_info("%s: asked for %llu MiB, got %s; at least %llu MiB available, reserve %llu\n",
		 what, (unsigned long long)len >> 20,
		 dmabuf < 0 ? strerror(-dmabuf) : "them", (unsigned long long)least >> 20,
		 (unsigned long long)reserve() >> 20);
	if (dmabuf >= 0)
		close(dmabuf);
	igt_assert_lte_u64(reserve(), least + VCM_RESERVE_NOISE);
	return dmabuf < 0 ? dmabuf : 0;
}

static void test_all_but_the_reserve(void)
{
	uint64_t spare = spare_now();

	igt_assert_lt_u64(2 * VCM_RESERVE_NOISE, spare);
	igt_assert_eq(ask_watched("spare", spare - VCM_RESERVE_NOISE, 0), 0);
}

static void test_into_the_reserve(uint64_t chunk_sizes)
{
	struct vcm_bystander bystander;
	uint64_t len;

	vcm_bystander_start(&bystander);
	len = spare_now() + VCM_RESERVE_NOISE;
	igt_assert_eq(ask_watched("a little of it", len, chunk_sizes), -ENOMEM);
	len = spare_now() + reserve() / 2;
	igt_assert_eq(ask_watched("half of it", len, chunk_sizes), -ENOMEM);
	len = spare_now() + reserve() + VCM_RESERVE_NOISE;
	igt_assert_eq(ask_watched("all of it", len, chunk_sizes), -ENOMEM);
	vcm_bystander_stop(&bystander);
}

static void test_step_by_step(void)
{
	const uint64_t each = MIB(1);
	struct vcm_bystander bystander;
	struct vcm_watch watch;
	unsigned int n = 0;
	int dmabuf[4096];
	uint64_t least;

	vcm_bystander_start(&bystander);
	spare_now();
	vcm_watch_start(&watch);
	while (n < ARRAY_SIZE(dmabuf) && (dmabuf[n] = ask(each, 0)) >= 0)
		n++;
	least = vcm_watch_stop(&watch);
	igt_assert_lt(n, ARRAY_SIZE(dmabuf));
	igt_assert_eq(dmabuf[n], -ENOMEM);
	igt_info("%u buffers of 1 MiB; at least %llu MiB available, reserve %llu\n", n,
		 (unsigned long long)least >> 20, (unsigned long long)reserve() >> 20);
	vcm_bystander_stop(&bystander);
	while (n--)
		close(dmabuf[n]);
	igt_assert_lte_u64(reserve(), least + VCM_RESERVE_NOISE);
}

static void test_parameter(void)
{
	uint64_t spare;

	set_reserve("64");
	igt_assert_eq_u64(reserve(), MIB(64));
	spare = spare_now();
	igt_assert_eq(ask_watched("64 MiB", spare + VCM_RESERVE_NOISE, 0), -ENOMEM);
	igt_assert_eq(ask_watched("64 MiB", spare - VCM_RESERVE_NOISE, 0), 0);

	set_reserve("-1");
	igt_assert_lt_u64(0, reserve());
	spare = spare_now();
	igt_assert_eq(ask_watched("default", spare - VCM_RESERVE_NOISE, 0), 0);
}

/* Each holds what it got until the other one has been answered, too. */
static void ask_and_wait(uint64_t len, int go, int answer)
{
	char byte;
	int dmabuf;

	igt_assert_eq(read(go, &byte, 1), 1);
	dmabuf = ask(len, 0);
	byte = dmabuf >= 0;
	igt_assert_eq(write(answer, &byte, 1), 1);
	igt_assert_eq(read(go, &byte, 1), 1);
	if (dmabuf >= 0)
		close(dmabuf);
}

static void test_two_at_once(void)
{
	uint64_t len = spare_now() * 5 / 8, least;
	int go[2], answer[2], i, had = 0;
	struct vcm_watch watch;
	char byte;

	igt_assert_eq(pipe(go), 0);
	igt_assert_eq(pipe(answer), 0);
	vcm_watch_start(&watch);
	igt_fork(child, 2)
		ask_and_wait(len, go[0], answer[1]);
	igt_assert_eq(write(go[1], "go", 2), 2);
	for (i = 0; i < 2; i++) {
		igt_assert_eq(read(answer[0], &byte, 1), 1);
		had += byte;
	}
	igt_assert_eq(write(go[1], "go", 2), 2);
	igt_waitchildren();
	least = vcm_watch_stop(&watch);
	for (i = 0; i < 2; i++) {
		close(go[i]);
		close(answer[i]);
	}
	igt_assert_eq(had, 1);
	igt_assert_lte_u64(reserve(), least + VCM_RESERVE_NOISE);
}

/*
 * Takes memory bit by bit until little more than @leave is available, gives it
 * back, and begins again.
 */
static void eat(uint64_t leave, volatile uint64_t *turns)
{
	const uint64_t bite = MIB(2), most = vcm_ram_size();
	char *ptr;
	uint64_t at, i;

	ptr = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(ptr != MAP_FAILED);
	vcm_oom_score("1000");
	for (;; ++*turns) {
		for (at = 0; vcm_ram_available() > leave + 4 * bite; at += bite)
			for (i = 0; i < bite; i += vcm_page_size())
				ptr[at + i] = 1;
		madvise(ptr, at, MADV_DONTNEED);
	}
}

static void test_beside_an_eater(void)
{
	uint64_t spare = spare_now(), least;
	volatile uint64_t *turns;
	int i, had = 0, dmabuf, status;
	struct vcm_watch watch;
	pid_t eater;

	turns = mmap(NULL, vcm_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	igt_assert(turns != MAP_FAILED);
	eater = fork();
	igt_assert(eater >= 0);
	if (!eater)
		eat(vcm_ram_available() - spare, turns);

	vcm_watch_start(&watch);
	for (i = 0; i < 20 || *turns < 3; i++) {
		dmabuf = ask(spare * (i % 8 + 1) / 8, 0);
		igt_assert_f(dmabuf >= 0 || dmabuf == -ENOMEM, "%s\n", strerror(-dmabuf));
		if (dmabuf >= 0) {
			had++;
			close(dmabuf);
		}
		/* Being refused takes no time. */
		usleep(2000);
		igt_assert_eq(waitpid(eater, &status, WNOHANG), 0);
	}
	least = vcm_watch_stop(&watch);
	kill(eater, SIGKILL);
	igt_assert_eq(waitpid(eater, &status, 0), eater);
	igt_info("%d of %d buffers were had, beside %llu meals; at least %llu MiB available, reserve %llu\n",
		 had, i, (unsigned long long)*turns, (unsigned long long)least >> 20,
		 (unsigned long long)reserve() >> 20);
	munmap((void *)turns, vcm_page_size());
	igt_assert_lte_u64(reserve(), least + VCM_RESERVE_NOISE);
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

	vcm_subtest("all-but-the-reserve", test_all_but_the_reserve(),
		    "What is beyond the reserve can be had, in one buffer");
	vcm_subtest("into-the-reserve-all", test_into_the_reserve(0),
		    "A buffer that would take a part of the reserve is refused");
	vcm_subtest("into-the-reserve-page", test_into_the_reserve(vcm_page_size()),
		    "A buffer of pages that would take a part of the reserve is refused");
	vcm_subtest("step-by-step", test_step_by_step(),
		    "Many buffers leave what one has to leave");
	vcm_subtest("parameter", test_parameter(),
		    "The reserve is as large as the administrator says");
	vcm_subtest("two-at-once", test_two_at_once(),
		    "Two that ask at once for more than there is: one of them gets it");
	vcm_subtest("beside-an-eater", test_beside_an_eater(),
		    "Whoever takes memory meanwhile is not killed, and the reserve is left");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
