// SPDX-License-Identifier: MIT
/*
 * Buffers that come and go, in several processes, for tests.
 */

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "igt.h"
#include "vcm_churn.h"
#include "vcm_dev.h"
#include "vcm_heap.h"

/* Returns numbers that look random and are the same in each run. */
uint64_t vcm_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/*
 * Returns a length in bytes: often a small one, seldom a large one, of whole chunks and
 * of others.
 */
uint64_t vcm_random_length(uint64_t *state)
{
	static const struct {
		unsigned int percent;
		uint64_t unit, max;
	} kinds[] = {
		{ 50, KIB(4), 40 },
		{ 30, KIB(64), 6 },
		{ 12, KIB(68), 20 },
		{ 5, MIB(1), 2 },
		{ 3, MIB(2), 2 },
	};
	unsigned int i, percent = vcm_random(state) % 100;

	for (i = 0; percent >= kinds[i].percent; i++)
		percent -= kinds[i].percent;
	return kinds[i].unit * (1 + vcm_random(state) % kinds[i].max);
}

/* A buffer that is written once and looked at when it goes */
struct keeper {
	int dmabuf;	/* the buffer or -1 */
	uint64_t seed;	/* what was written */
	void *words;	/* mapping */
	uint64_t len;	/* bytes */
};

static void keeper_fill(struct keeper *keeper, int dev, uint64_t len, uint64_t seed)
{
	keeper->dmabuf = vcm_dev_alloc_sizes(dev, len, 0);
	keeper->seed = seed;
	keeper->len = len;
	keeper->words = vcm_buffer_map(keeper->dmabuf);
	vcm_assert_zero(keeper->words, len);
	vcm_fill(keeper->words, len, seed);
}

static void keeper_empty(struct keeper *keeper)
{
	if (keeper->dmabuf < 0)
		return;
	vcm_assert_filled(keeper->words, keeper->len, keeper->seed);
	vcm_buffer_unmap(keeper->words, keeper->len);
	close(keeper->dmabuf);
	keeper->dmabuf = -1;
}

/*
 * Allocates and releases buffers of all lengths in no order. Each has to be zero when it
 * comes, and to have its own contents when it goes.
 * @seed: of what looks random
 */
void vcm_churn(int dev, uint64_t seed, unsigned int rounds)
{
	enum { KEEPERS = 24 };
	struct keeper keepers[KEEPERS];
	unsigned int i;

	for (i = 0; i < KEEPERS; i++)
		keepers[i].dmabuf = -1;
	for (i = 0; i < rounds; i++) {
		struct keeper *keeper = &keepers[vcm_random(&seed) % KEEPERS];

		keeper_empty(keeper);
		keeper_fill(keeper, dev, vcm_random_length(&seed), seed + i);
	}
	for (i = 0; i < KEEPERS; i++)
		keeper_empty(&keepers[i]);
}

/* @size: number of children that igt_fork() is going to make */
void vcm_crew_init(struct vcm_crew *crew, unsigned int size)
{
	crew->size = size;
	crew->count = mmap(NULL, vcm_page_size(), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(crew->count != MAP_FAILED);
}

void vcm_crew_fini(struct vcm_crew *crew)
{
	vcm_buffer_unmap(crew->count, vcm_page_size());
}

/* Called by each child once. */
void vcm_crew_count(struct vcm_crew *crew)
{
	__atomic_add_fetch(crew->count, 1, __ATOMIC_SEQ_CST);
}

/* A child that fails will not count; igt_waitchildren() sees it all the same. */
static bool child_failed(void)
{
	siginfo_t info = {};

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid &&
	       (info.si_code != CLD_EXITED || info.si_status);
}

/* Returns whether all children have called vcm_crew_count(), or one has failed. */
bool vcm_crew_complete(const struct vcm_crew *crew)
{
	return __atomic_load_n(crew->count, __ATOMIC_SEQ_CST) >= crew->size || child_failed();
}

/*
 * Called by each child in place of vcm_crew_count(): returns when the last one has
 * called it.
 */
void vcm_crew_meet(struct vcm_crew *crew)
{
	vcm_crew_count(crew);
	while (__atomic_load_n(crew->count, __ATOMIC_SEQ_CST) < crew->size)
		sched_yield();
}
