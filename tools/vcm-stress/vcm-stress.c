// SPDX-License-Identifier: MIT
/*
 * Uses the vcm heap in every way at once, for as long as it is told to, and sees that
 * nobody's data is lost, shown to others or left behind; or makes hostile calls of the
 * heap, its buffers and the importer, which the kernel has to survive. Whether it
 * reported a bug is for the caller to see in its log.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "vcm_files.h"

#define PROGRESS_SECONDS 10

/* Lines of failures that are shown. */
#define FAILURES_SHOWN	20

/*
 * What other users of memory may have taken meanwhile. A kernel with KASAN keeps
 * a thirty-second part of all memory from being used again.
 */
#define MEMORY_NOISE(ram) (MIB(48) + (ram) / 32)

static const char usage[] =
	"usage: vcm-stress soak [--seconds N] [--seed N]\n"
	"       vcm-stress fuzz [--ioctls N] [--workers N] [--seed N]\n"
	"\n"
	"  --seconds N   how long (default 300)\n"
	"  --ioctls N    how many ioctls to make, at least (default 1000000)\n"
	"  --workers N   in how many processes (default 2)\n"
	"  --seed N      random numbers of an earlier run (default: random)\n"
	"\n"
	"Needs root and two devices for the importer. The same seed gives each thread the\n"
	"same random numbers; how threads meet is another matter.\n";

static const char *const target_names[TARGETS] = {
	[VCM] = "vcm",
	[HEAP] = "heap",
	[EDU] = "edu",
	[DMABUF] = "dmabuf",
};

struct options {
	bool fuzz;
	uint64_t seconds;
	uint64_t ioctls;
	uint64_t workers;
	uint64_t seed;
};

/* A check failed. All go on, so that more is seen. */
void fail(struct shared *shared, const char *fmt, ...)
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

/* --- Running ----------------------------------------------------------- */

static void init_devices(struct shared *shared)
{
	pthread_mutexattr_t attr;
	int i;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (i = 0; i < EDUS; i++)
		pthread_mutex_init(&shared->devices[i], &attr);
	pthread_mutexattr_destroy(&attr);
}

static struct shared *init_shared(const struct options *options)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	if (shared == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	shared->hostile = options->fuzz;
	shared->seed = options->seed;
	shared->workers = options->workers;
	shared->calls_max = options->ioctls / options->workers + 1;
	shared->ram = vcm_meminfo("MemTotal");
	/* A third of what is free for all of them, those to be killed included. */
	shared->bytes_max = vcm_meminfo("MemAvailable") / 3 / (shared->workers + 1);
	init_devices(shared);
	for (i = 0; i < shared->workers; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, shared->inbox[i]))
			die("socketpair: %s", strerror(errno));
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

static void start_workers(struct shared *shared, pid_t *pids)
{
	int i;

	for (i = 0; i < shared->workers; i++) {
		pids[i] = fork();
		if (!pids[i])
			worker_run(shared, i);
	}
}

static unsigned long long sum(const atomic_ullong *values, unsigned int n)
{
	unsigned long long all = 0;

	while (n--)
		all += atomic_load(&values[n]);
	return all;
}

static void show_progress(struct shared *shared, double *next)
{
	if (now() < *next)
		return;
	if (shared->hostile)
		printf("# %llu ioctls\n", sum(shared->calls, TARGETS));
	else
		printf("# %llu actions\n", sum(shared->done, nr_actions));
	*next += PROGRESS_SECONDS;
}

static void run_soak(struct shared *shared, const pid_t *pids, uint64_t seconds,
		     unsigned int *disturbed)
{
	double end = now() + seconds, next = now() + PROGRESS_SECONDS;
	struct rng rng;

	rng_seed(&rng, shared->seed, ~0u, 0);
	while (now() < end && !atomic_load(&shared->failures)) {
		disturb(shared, &rng, pids, disturbed);
		show_progress(shared, &next);
	}
	atomic_store(&shared->stop, true);
}

/* Returns whether all workers ended by themselves. */
static bool wait_for_workers(struct shared *shared)
{
	double next = now() + PROGRESS_SECONDS;
	bool ok = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
		if (!pid) {
			usleep(100000);
			show_progress(shared, &next);
			continue;
		}
		if (status)
			printf("# process %d: status %#x\n", pid, status);
		ok &= !status;
	}
	return ok;
}

/* Buffers that were sent and never taken go with the sockets. */
static void close_inboxes(struct shared *shared)
{
	int i;

	for (i = 0; i < shared->workers; i++) {
		close(shared->inbox[i][0]);
		close(shared->inbox[i][1]);
	}
}

/* --- The result -------------------------------------------------------- */

/* In KTAP; each mode has its number of results. */
#define SOAK_RESULTS	7
#define FUZZ_RESULTS	(TARGETS + 8)

static unsigned int results, failed;

static void verdict(bool ok, const char *name)
{
	printf("%s %u %s\n", ok ? "ok" : "not ok", ++results, name);
	failed += !ok;
}

/* Each action that the mode has has to be done, and each disturbance. */
static bool all_done(struct shared *shared, const unsigned int *disturbed)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < nr_actions; i++) {
		unsigned long long n = atomic_load(&shared->done[i]);

		if (!n && !shared->hostile && (actions[i].soak || i <= ACTION_RECEIVE))
			all = false;
		if (n || !all)
			printf("# %-20s %llu\n", actions[i].name, n);
	}
	for (i = 0; !shared->hostile && i < nr_disturbances; i++) {
		printf("# %-20s %u\n", disturbance(i), disturbed[i]);
		all &= disturbed[i] || !can_disturb(i);
	}
	return all;
}

static bool memory_is_back(uint64_t before, uint64_t ram)
{
	uint64_t after;

	vcm_file_write("/proc/sys/vm/drop_caches", "3");
	after = vcm_meminfo("MemAvailable");
	printf("# MemAvailable %llu KiB before, %llu KiB after\n",
	       (unsigned long long)before >> 10, (unsigned long long)after >> 10);
	return after + MEMORY_NOISE(ram) >= before;
}

static void show_errors(struct shared *shared, int target)
{
	unsigned int error;

	printf("# %s: %llu ioctls, %llu succeeded;", target_names[target],
	       (unsigned long long)atomic_load(&shared->calls[target]),
	       (unsigned long long)atomic_load(&shared->succeeded[target]));
	for (error = 1; error < ERRORS; error++)
		if (atomic_load(&shared->errors[target][error]))
			printf(" %s %llu", strerrorname_np(error) ?: "?",
			       (unsigned long long)atomic_load(&shared->errors[target][error]));
	printf("\n");
}

/* Each target has to be reached, and some calls have to get through. */
static void judge_calls(struct shared *shared)
{
	int i;

	for (i = 0; i < shared->workers; i++)
		printf("# worker %u made sequence %016llx\n", i,
		       (unsigned long long)shared->sequence[i]);
	for (i = 0; i < TARGETS; i++) {
		show_errors(shared, i);
		verdict(atomic_load(&shared->succeeded[i]), target_names[i]);
	}
	printf("# %llu arguments changed meanwhile\n",
	       (unsigned long long)atomic_load(&shared->raced));
	verdict(atomic_load(&shared->raced), "changed-arguments");
	verdict(!atomic_load(&shared->unexpected), "errors-documented");
	verdict(!atomic_load(&shared->leaked), "errors-leave-no-fd");
}

/* --- Options ----------------------------------------------------------- */

static void wrong_use(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (!*text || *end || n < least || n > most) {
		fprintf(stderr, "\"%s\" is no number from %llu to %llu\n", text,
			(unsigned long long)least, (unsigned long long)most);
		exit(2);
	}
	return n;
}

/* 32 bits, to be typed again. */
static uint64_t random_seed(void)
{
	uint32_t seed;

	return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 0;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "ioctls", required_argument, NULL, 'i' },
		{ "workers", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			options->seconds = number(optarg, 1, 1000000);
			break;
		case 'i':
			options->ioctls = number(optarg, 1, UINT64_MAX);
			break;
		case 'w':
			options->workers = number(optarg, 1, WORKERS_MAX);
			break;
		case 's':
			options->seed = number(optarg, 0, UINT64_MAX);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			wrong_use();
		}
	}
	if (optind != argc - 1)
		wrong_use();
	options->fuzz = !strcmp(argv[optind], "fuzz");
	if (!options->fuzz && strcmp(argv[optind], "soak"))
		wrong_use();
}

int main(int argc, char **argv)
{
	struct options options = { .seconds = 300, .ioctls = 1000000, .seed = random_seed() };
	unsigned int disturbed[DISTURBANCES_MAX] = {};
	struct shared *shared;
	pid_t pids[WORKERS_MAX];
	uint64_t memory, kills;
	bool ended, ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &options);
	options.workers = options.workers ?: options.fuzz ? 2 : 3;
	printf("KTAP version 1\n1..%u\n", options.fuzz ? FUZZ_RESULTS : SOAK_RESULTS);
	printf("# seed %llu, %llu workers\n", (unsigned long long)options.seed,
	       (unsigned long long)options.workers);

	vcm_file_write("/proc/sys/vm/drop_caches", "3");
	memory = vcm_meminfo("MemAvailable");
	kills = vcm_oom_kills();
	shared = init_shared(&options);
	ignore_signals();
	start_workers(shared, pids);
	if (!options.fuzz)
		run_soak(shared, pids, options.seconds, disturbed);
	ended = wait_for_workers(shared);
	disturb_end();
	close_inboxes(shared);

	if (options.fuzz)
		judge_calls(shared);
	else
		verdict(!atomic_load(&shared->failures), "contents");
	verdict(ended, "workers");
	ok = all_done(shared, disturbed);
	if (!options.fuzz)
		verdict(ok, "all-operations");
	verdict(no_leftovers(), "leftovers");
	verdict(drain_pool(), "pool-drained");
	verdict(memory_is_back(memory, shared->ram), "memory-back");
	verdict(vcm_oom_kills() == kills, "nobody-killed");
	printf("# seed %llu repeats it\n", (unsigned long long)options.seed);
	return failed != 0;
}
