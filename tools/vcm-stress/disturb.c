// SPDX-License-Identifier: MIT
/*
 * What the supervisor does to those who use buffers.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "vcm_buffer.h"
#include "vcm_files.h"

/* A buffer that somebody is killed for while it is allocated. */
#define KILLED_LENGTH	MIB(256)

/* Memory that the supervisor leaves to others, whatever it does. */
#define LEFT_MIN	MIB(96)

#define POOL_MB		VCM_PARAMETERS "pool_mb"
#define COMPACT		"/proc/sys/vm/compact_memory"
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

/* What a disturbance needs; returns whether it was one. */
struct scene {
	struct shared *shared;
	struct rng *rng;
	const pid_t *workers;
};

static bool told(struct scene *s, const char *path, const char *text)
{
	int ret = vcm_file_write(path, text);

	if (ret)
		fail(s->shared, "\"%s\" to %s: %s", text, path, strerror(-ret));
	return !ret;
}

static bool drop_caches(struct scene *s)
{
	return told(s, "/proc/sys/vm/drop_caches", "3");
}

static bool compact(struct scene *s)
{
	return told(s, COMPACT, "1");
}

/* --- The pool ---------------------------------------------------------- */

static char *pool_mb;

static bool pool_cap(struct scene *s)
{
	char text[32];

	if (!pool_mb)
		pool_mb = vcm_file_read(POOL_MB);
	snprintf(text, sizeof(text), "%u", (unsigned int)rng_below(s->rng, 4) * 16);
	return told(s, POOL_MB, text);
}

/* Others fill it again at once: whether it is empty is seen in the end. */
static bool pool_drain(struct scene *s)
{
	return told(s, VCM_DEBUGFS "pool_drain", "1");
}

/* --- Memory ------------------------------------------------------------ */

/* Should somebody be killed after all, then this process. */
static void be_victim(void)
{
	vcm_file_write("/proc/self/oom_score_adj", "1000");
}

static void use_memory(uint64_t bytes)
{
	const uint64_t step = MIB(2);
	uint64_t done;

	be_victim();
	for (done = 0; done < bytes && vcm_meminfo("MemAvailable") > LEFT_MIN; done += step) {
		char *ptr = mmap(NULL, step, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (ptr == MAP_FAILED)
			break;
		memset(ptr, 1, step);
	}
	usleep(200000);
	_exit(0);
}

static bool pressure(struct scene *s)
{
	uint64_t bytes = vcm_meminfo("MemAvailable") / 4 * (rng_below(s->rng, 4) + 1);
	pid_t pid = fork();

	if (!pid)
		use_memory(bytes);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

/* --- Killing ----------------------------------------------------------- */

static void allocate_for_ever(void)
{
	int heap = __vcm_heap_open(DMA_HEAP_VCM_NAME), fd;

	be_victim();
	for (;;) {
		fd = __vcm_heap_alloc(heap, KILLED_LENGTH);
		if (fd < 0)
			usleep(1000);
		else
			close(fd);
	}
}

static bool kill_it(struct scene *s, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		fail(s->shared, "a process that was killed: status %#x", status);
	return true;
}

static bool kill_in_allocation(struct scene *s)
{
	pid_t pid;

	if (vcm_meminfo("MemAvailable") < KILLED_LENGTH + 2 * LEFT_MIN)
		return false;
	pid = fork();
	if (!pid)
		allocate_for_ever();
	usleep(rng_below(s->rng, 300000));
	return pid > 0 && kill_it(s, pid);
}

/* With buffers, mappings, imports and spaces, in the middle of whatever. */
static bool kill_worker(struct scene *s)
{
	static unsigned int more;
	unsigned int id = s->shared->workers + ++more;
	pid_t pid = fork();

	if (!pid)
		worker_run(s->shared, id);
	usleep(300000 + rng_below(s->rng, 1500000));
	return pid > 0 && !atomic_load(&s->shared->stop) && kill_it(s, pid);
}

static bool signals(struct scene *s)
{
	int i;

	for (i = 0; i < 50; i++) {
		kill(s->workers[rng_below(s->rng, s->shared->workers)], SIGUSR1);
		usleep(rng_below(s->rng, 10000));
	}
	return true;
}

/* --- CPUs -------------------------------------------------------------- */

static bool cpu_off_on(struct scene *s)
{
	if (vcm_file_write(CPU1, "0"))
		return false;
	usleep(rng_below(s->rng, 300000));
	return told(s, CPU1, "1");
}

/* --- All of it --------------------------------------------------------- */

/* Without what @file is, a disturbance is not possible. */
static const struct {
	const char *name;
	bool (*run)(struct scene *s);
	const char *file;
} all[] = {
	{ "drop-caches", drop_caches, "/" },
	{ "compact", compact, COMPACT },
	{ "pool-cap", pool_cap, VCM_DEBUGFS "pool" },
	{ "pool-drain", pool_drain, VCM_DEBUGFS "pool" },
	{ "pressure", pressure, "/" },
	{ "kill-in-allocation", kill_in_allocation, "/" },
	{ "kill-worker", kill_worker, "/" },
	{ "signals", signals, "/" },
	{ "cpu-off-on", cpu_off_on, CPU1 },
};

const unsigned int nr_disturbances = ARRAY_SIZE(all);

const char *disturbance(unsigned int n)
{
	return all[n].name;
}

/* Returns whether a disturbance is possible on this machine. */
bool can_disturb(unsigned int n)
{
	return !access(all[n].file, F_OK);
}

/* Disturb the workers in every way, in any order. */
void disturb(struct shared *shared, struct rng *rng, const pid_t *workers, unsigned int *done)
{
	struct scene scene = { shared, rng, workers };
	unsigned int order[ARRAY_SIZE(all)] = {};
	int i, j;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		j = rng_below(rng, i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	for (i = 0; i < ARRAY_SIZE(all) && !atomic_load(&shared->stop); i++) {
		if (can_disturb(order[i]))
			done[order[i]] += all[order[i]].run(&scene);
		usleep(rng_below(rng, 200000));
	}
}

/* Leave the machine as it was found. */
void disturb_end(void)
{
	if (pool_mb)
		vcm_file_write(POOL_MB, pool_mb);
	free(pool_mb);
}
