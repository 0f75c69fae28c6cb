// SPDX-License-Identifier: MIT
/*
 * What the supervisor does to those who use buffers.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "leftovers.h"
#include "soak.h"

#define MIB(n)	((uint64_t)(n) << 20)

/* A buffer that somebody is killed for while it is allocated. */
#define KILLED_LENGTH	MIB(256)

/* Memory that the supervisor leaves to others, whatever it does. */
#define LEFT_MIN	MIB(96)

#define POOL_MB		"/sys/module/vcm_heap/parameters/pool_mb"
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

static void drop_caches(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	write_text("/proc/sys/vm/drop_caches", "3");
	soak_count(shared, OP_DROP_CACHES);
}

static void compact(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	if (write_text("/proc/sys/vm/compact_memory", "1"))
		soak_count(shared, OP_COMPACT);
}

/* --- The pool ---------------------------------------------------------- */

static char pool_mb[32];

static void pool_cap(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	char text[32];

	if (!has_pool())
		return;
	if (!*pool_mb)
		read_text(POOL_MB, pool_mb, sizeof(pool_mb));
	snprintf(text, sizeof(text), "%u", (unsigned int)rng_below(rng, 4) * 16);
	if (write_text(POOL_MB, text))
		soak_count(shared, OP_POOL_CAP);
	else
		soak_fail(shared, POOL_MB ": %s", strerror(errno));
}

static void pool_drain(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	if (!has_pool())
		return;
	/* Others fill it again at once: whether it is empty is seen in the end. */
	if (write_text("/sys/kernel/debug/vcm/pool_drain", "1"))
		soak_count(shared, OP_POOL_DRAIN);
	else
		soak_fail(shared, "pool_drain: %s", strerror(errno));
}

/* --- Memory ------------------------------------------------------------ */

/* Should somebody be killed after all, then this process. */
static void be_victim(void)
{
	write_text("/proc/self/oom_score_adj", "1000");
}

static void use_memory(uint64_t bytes)
{
	const uint64_t step = MIB(2);
	uint64_t done;

	be_victim();
	for (done = 0; done < bytes && meminfo("MemAvailable") > LEFT_MIN; done += step) {
		char *ptr = mmap(NULL, step, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (ptr == MAP_FAILED)
			break;
		memset(ptr, 1, step);
	}
	usleep(200000);
	_exit(0);
}

static void pressure(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	uint64_t bytes = meminfo("MemAvailable") / 4 * (rng_below(rng, 4) + 1);
	pid_t pid = fork();

	if (!pid)
		use_memory(bytes);
	if (pid > 0 && waitpid(pid, NULL, 0) == pid)
		soak_count(shared, OP_PRESSURE);
}

/* --- Killing ----------------------------------------------------------- */

static void allocate_for_ever(void)
{
	struct dma_heap_allocation_data data;
	int heap = open("/dev/dma_heap/vcm", O_RDWR | O_CLOEXEC);

	be_victim();
	for (;;) {
		memset(&data, 0, sizeof(data));
		data.len = KILLED_LENGTH;
		data.fd_flags = O_RDWR | O_CLOEXEC;
		if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
			usleep(1000);
		else
			close(data.fd);
	}
}

static void kill_it(struct soak_shared *shared, pid_t pid, enum soak_op op)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		soak_fail(shared, "a process that was killed: status %#x", status);
	soak_count(shared, op);
}

static void kill_alloc(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	pid_t pid;

	if (meminfo("MemAvailable") < KILLED_LENGTH + 2 * LEFT_MIN)
		return;
	pid = fork();
	if (!pid)
		allocate_for_ever();
	usleep(rng_below(rng, 300000));
	if (pid > 0)
		kill_it(shared, pid, OP_KILL_ALLOC);
}

/* With buffers, mappings, imports and spaces, in the middle of whatever. */
static void kill_worker(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	static unsigned int id = SOAK_WORKERS;
	pid_t pid;

	id++;
	pid = fork();
	if (!pid)
		soak_worker_run(shared, id);
	usleep(300000 + rng_below(rng, 1500000));
	if (pid > 0 && !atomic_load(&shared->stop))
		kill_it(shared, pid, OP_KILL_WORKER);
}

static void signals(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	int i;

	for (i = 0; i < 50; i++) {
		kill(workers[rng_below(rng, SOAK_WORKERS)], SIGUSR1);
		usleep(rng_below(rng, 10000));
	}
	soak_count(shared, OP_SIGNAL);
}

/* --- CPUs -------------------------------------------------------------- */

static void cpu(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	if (!write_text(CPU1, "0"))
		return;
	usleep(rng_below(rng, 300000));
	if (write_text(CPU1, "1"))
		soak_count(shared, OP_CPU);
	else
		soak_fail(shared, "a CPU does not come back: %s", strerror(errno));
}

/* --- All of it --------------------------------------------------------- */

typedef void (*disturb_t)(struct soak_shared *shared, struct rng *rng, const pid_t *workers);

static const disturb_t all[] = {
	drop_caches, compact, pool_cap, pool_drain, pressure, kill_alloc, kill_worker, signals,
	cpu,
};

/**
 * soak_disturb - disturb the workers in every way, in any order
 * @shared: what all see
 * @rng: random numbers
 * @workers: the workers
 */
void soak_disturb(struct soak_shared *shared, struct rng *rng, const pid_t *workers)
{
	disturb_t order[ARRAY_SIZE(all)];
	int i;

	memcpy(order, all, sizeof(order));
	for (i = ARRAY_SIZE(order) - 1; i > 0; i--) {
		int j = rng_below(rng, i + 1);
		disturb_t other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
	for (i = 0; i < ARRAY_SIZE(order) && !atomic_load(&shared->stop); i++) {
		order[i](shared, rng, workers);
		usleep(rng_below(rng, 200000));
	}
}

/**
 * soak_disturb_end - leave the machine as it was found
 */
void soak_disturb_end(void)
{
	if (*pool_mb)
		write_text(POOL_MB, pool_mb);
}
