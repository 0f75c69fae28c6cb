// SPDX-License-Identifier: MIT
/*
 * Memory of the machine, for tests: what is free, and who suffers when nothing
 * is.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_memory.h"
#include "vcm_pool.h"

/* Memory comes back a little after those who had it are gone. */
#define SETTLE_STEPS	100
#define SETTLE_STEP_US	50000

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	igt_assert_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/**
 * vcm_memory_read:
 * @memory: filled in
 */
void vcm_memory_read(struct vcm_memory *memory)
{
	vcm_pool_drain();
	vcm_drop_caches();
	memory->available = vcm_ram_available();
	memory->kills = vcm_oom_kills();
	vcm_totals_read(&memory->totals);
}

/**
 * vcm_memory_assert_back:
 * @before: the state before something was done
 * @what: what that was
 *
 * Asserts that nobody was killed and that all memory is back. Prints both.
 */
void vcm_memory_assert_back(const struct vcm_memory *before, const char *what)
{
	struct vcm_memory now;
	int i;

	vcm_totals_assert_back(&before->totals);
	for (i = 0; i < SETTLE_STEPS; i++) {
		vcm_memory_read(&now);
		if (now.available + VCM_MEMORY_NOISE >= before->available)
			break;
		usleep(SETTLE_STEP_US);
	}
	igt_info("%s: available %llu KiB before, %llu KiB after; killed %llu before, %llu after\n",
		 what, (unsigned long long)before->available >> 10,
		 (unsigned long long)now.available >> 10, (unsigned long long)before->kills,
		 (unsigned long long)now.kills);
	igt_assert_eq_u64(now.kills, before->kills);
	igt_assert_lte_u64(before->available, now.available + VCM_MEMORY_NOISE);
}

/**
 * vcm_oom_score:
 * @score: "1000" for the one to be killed before all others, "0" for any
 *
 * Says how much the kernel likes to kill this process for want of memory.
 */
void vcm_oom_score(const char *score)
{
	write_file("/proc/self/oom_score_adj", score);
}

/* --- Somebody else ----------------------------------------------------- */

#define BYSTANDER_OWN	(4ull << 20)
#define BYSTANDER_NEW	(1ull << 20)

static void *map_anonymous(size_t len, int flags)
{
	void *ptr = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (ptr == MAP_FAILED)
		_exit(2);
	return ptr;
}

/* Has memory, and needs a little more all the time. */
static void be_bystander(volatile uint64_t *turns)
{
	void *own = map_anonymous(BYSTANDER_OWN, MAP_PRIVATE);

	vcm_fill(own, BYSTANDER_OWN, getpid());
	for (;; ++*turns) {
		void *more = map_anonymous(BYSTANDER_NEW, MAP_PRIVATE);

		vcm_fill(more, BYSTANDER_NEW, *turns);
		if (vcm_mismatch(more, BYSTANDER_NEW, *turns) >= 0 ||
		    vcm_mismatch(own, BYSTANDER_OWN, getpid()) >= 0)
			_exit(1);
		munmap(more, BYSTANDER_NEW);
		usleep(1000);
	}
}

static void wait_for_turns(const struct vcm_bystander *bystander, uint64_t turns)
{
	while (*bystander->turns < turns) {
		igt_assert_f(waitpid(bystander->pid, NULL, WNOHANG) == 0,
			     "a process that only looked on is dead\n");
		usleep(1000);
	}
}

/**
 * vcm_bystander_start:
 * @bystander: filled in
 *
 * Starts a process that has nothing to do with the test, and that is the one to
 * be killed if memory runs out.
 */
void vcm_bystander_start(struct vcm_bystander *bystander)
{
	bystander->turns = map_anonymous(vcm_page_size(), MAP_SHARED);
	bystander->pid = fork();
	igt_assert(bystander->pid >= 0);
	if (!bystander->pid) {
		vcm_oom_score("1000");
		be_bystander(bystander->turns);
	}
	wait_for_turns(bystander, 1);
}

/**
 * vcm_bystander_stop:
 * @bystander: what vcm_bystander_start() filled in
 *
 * Asserts that it is alive and well, and ends it.
 */
void vcm_bystander_stop(struct vcm_bystander *bystander)
{
	int status;

	wait_for_turns(bystander, *bystander->turns + 2);
	kill(bystander->pid, SIGKILL);
	igt_assert_eq(waitpid(bystander->pid, &status, 0), bystander->pid);
	igt_assert(WIFSIGNALED(status));
	munmap((void *)bystander->turns, vcm_page_size());
}
