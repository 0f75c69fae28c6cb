// SPDX-License-Identifier: MIT
/*
 * Uses the vcm heap in every way at once, for as long as it is told to, and
 * sees that nobody's data is lost, shown to others or left behind.
 */

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "leftovers.h"
#include "program.h"
#include "soak.h"

#define PROGRESS_SECONDS 30

/*
 * What other users of memory may have taken meanwhile. A kernel with KASAN keeps
 * a thirty-second part of all memory from being used again.
 */
#define MEMORY_NOISE	((48ull << 20) + meminfo("MemTotal") / 32)

static const char usage[] =
	"usage: vcm-soak [OPTION]...\n"
	"\n"
	"  --seconds N   how long (default 300)\n"
	"  --seed N      random numbers of an earlier run (default: random)\n"
	"\n"
	"Needs root and two vcm-edu devices. The same seed gives each thread the same\n"
	"random numbers; how threads meet is another matter.\n";

static const char *const op_names[OPS] = {
	[OP_ALLOC] = "alloc",
	[OP_NO_MEMORY] = "no-memory",
	[OP_VERIFY] = "verify",
	[OP_REWRITE] = "rewrite",
	[OP_CLOSE] = "close",
	[OP_SYNC] = "sync",
	[OP_NAME] = "name",
	[OP_IMPORT] = "import",
	[OP_KERNEL] = "kernel-read",
	[OP_DMA] = "device-copy",
	[OP_SEND] = "send",
	[OP_RECEIVE] = "receive",
	[OP_FORK] = "fork",
	[OP_SPACE] = "space-switch",
	[OP_DROP_CACHES] = "drop-caches",
	[OP_COMPACT] = "compact",
	[OP_POOL_CAP] = "pool-cap",
	[OP_POOL_DRAIN] = "pool-drain",
	[OP_PRESSURE] = "pressure",
	[OP_KILL_ALLOC] = "kill-in-allocation",
	[OP_KILL_WORKER] = "kill-worker",
	[OP_SIGNAL] = "signals",
	[OP_CPU] = "cpu-off-on",
};

/* Lines of failures that are shown. */
#define FAILURES_SHOWN	20

/**
 * soak_fail - a check failed
 * @shared: what all see
 * @fmt: what is wrong
 *
 * All go on, so that more is seen.
 */
void soak_fail(struct soak_shared *shared, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (atomic_fetch_add(&shared->failures, 1) >= FAILURES_SHOWN)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# process %d: %s\n", getpid(), text);
}

/**
 * soak_count - something was done
 * @shared: what all see
 * @op: what it was
 */
void soak_count(struct soak_shared *shared, enum soak_op op)
{
	atomic_fetch_add(&shared->ops[op], 1);
}

static void verdict(bool ok, const char *name)
{
	program_verdict("soak", ok, name, "");
}

/* --- Running ----------------------------------------------------------- */

static void init_devices(struct soak_shared *shared)
{
	pthread_mutexattr_t attr;
	int i;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (i = 0; i < SOAK_EDUS; i++)
		pthread_mutex_init(&shared->devices[i], &attr);
	pthread_mutexattr_destroy(&attr);
}

static struct soak_shared *init_shared(uint64_t seed)
{
	struct soak_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	if (shared == MAP_FAILED)
		exit(3);
	shared->seed = seed;
	/* A third of what is free for all of them, those to be killed included. */
	shared->bytes_max = meminfo("MemAvailable") / 3 / (SOAK_WORKERS + 1);
	init_devices(shared);
	for (i = 0; i < SOAK_WORKERS; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, shared->inbox[i]))
			exit(3);
	return shared;
}

static void ignore(int signal)
{
}

/* A signal interrupts calls; those of the heap must not mind. */
static void ignore_signals(void)
{
	const struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGUSR1, &action, NULL);
}

static void start_workers(struct soak_shared *shared, pid_t *pids)
{
	int i;

	for (i = 0; i < SOAK_WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			soak_worker_run(shared, i);
	}
}

static unsigned long long sum_ops(struct soak_shared *shared)
{
	unsigned long long n = 0;
	int op;

	for (op = 0; op < OPS; op++)
		n += op == OP_NO_MEMORY ? 0 : atomic_load(&shared->ops[op]);
	return n;
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void run(struct soak_shared *shared, const pid_t *pids, unsigned int seconds)
{
	time_t end = now() + seconds, progress = now() + PROGRESS_SECONDS;
	struct rng rng;

	rng_seed(&rng, shared->seed, ~0u, 0);
	while (now() < end && !atomic_load(&shared->failures)) {
		soak_disturb(shared, &rng, pids);
		if (now() < progress)
			continue;
		printf("# %llu operations\n", sum_ops(shared));
		progress += PROGRESS_SECONDS;
	}
	atomic_store(&shared->stop, true);
}

/* Returns whether all workers ended by themselves. */
static bool wait_for_workers(void)
{
	bool ok = true;
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0) {
		if (status)
			printf("# process %d: status %#x\n", pid, status);
		ok &= !status;
	}
	return ok;
}

/* Buffers that were sent and never taken go with the sockets. */
static void close_inboxes(struct soak_shared *shared)
{
	int i;

	for (i = 0; i < SOAK_WORKERS; i++) {
		close(shared->inbox[i][0]);
		close(shared->inbox[i][1]);
	}
}

/* --- The result -------------------------------------------------------- */

/* Without a pool, or with a single CPU, some things cannot be done. */
static bool is_possible(int op)
{
	if (op == OP_POOL_CAP || op == OP_POOL_DRAIN)
		return has_pool();
	if (op == OP_CPU)
		return !access("/sys/devices/system/cpu/cpu1/online", W_OK);
	if (op == OP_COMPACT)
		return !access("/proc/sys/vm/compact_memory", W_OK);
	return op != OP_NO_MEMORY;
}

static bool all_done(struct soak_shared *shared)
{
	bool all = true;
	int op;

	for (op = 0; op < OPS; op++) {
		unsigned long long n = atomic_load(&shared->ops[op]);

		printf("# %-20s %llu\n", op_names[op], n);
		if (!n && is_possible(op))
			all = false;
	}
	return all;
}

static bool memory_is_back(uint64_t before)
{
	uint64_t after;

	write_text("/proc/sys/vm/drop_caches", "3");
	after = meminfo("MemAvailable");
	printf("# MemAvailable %llu KiB before, %llu KiB after\n",
	       (unsigned long long)before >> 10, (unsigned long long)after >> 10);
	return after + MEMORY_NOISE >= before;
}

static void judge(struct soak_shared *shared, bool ended, uint64_t memory, uint64_t kills)
{
	bool drained;

	verdict(!atomic_load(&shared->failures), "contents");
	verdict(ended, "workers");
	verdict(all_done(shared), "all-operations");
	verdict(no_leftovers(), "leftovers");
	drained = drain_pool();
	if (has_pool())
		verdict(drained, "pool-drained");
	verdict(memory_is_back(memory), "memory-back");
	verdict(oom_kills() == kills, "nobody-killed");
}

/* --- Options ----------------------------------------------------------- */

static void parse_options(int argc, char **argv, unsigned int *seconds, uint64_t *seed)
{
	static const struct option longs[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			*seconds = program_number(optarg, 1000000);
			break;
		case 's':
			*seed = program_number(optarg, UINT64_MAX);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct soak_shared *shared;
	unsigned int seconds = 300;
	pid_t pids[SOAK_WORKERS];
	uint64_t memory, kills, seed = program_seed();
	bool ended;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &seconds, &seed);
	printf("# seed %llu, %u seconds\n", (unsigned long long)seed, seconds);

	write_text("/proc/sys/vm/drop_caches", "3");
	memory = meminfo("MemAvailable");
	kills = oom_kills();
	shared = init_shared(seed);
	ignore_signals();
	start_workers(shared, pids);
	run(shared, pids, seconds);
	ended = wait_for_workers();
	soak_disturb_end();
	close_inboxes(shared);
	judge(shared, ended, memory, kills);
	printf("# %llu operations in %u s, seed %llu\n", sum_ops(shared), seconds,
	       (unsigned long long)seed);
	return program_end();
}
