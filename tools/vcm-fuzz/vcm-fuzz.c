// SPDX-License-Identifier: MIT
/*
 * Makes random calls of the vcm heap, its buffers and the sample importer.
 *
 * The kernel has to survive it, to give only errors that are documented, and to
 * have nothing left in the end. Whether it reported a bug is for the caller to
 * see in its log.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "leftovers.h"
#include "program.h"

#define WORKERS_MAX	16
#define PROGRESS_SECONDS 10

static const char usage[] =
	"usage: vcm-fuzz [OPTION]...\n"
	"\n"
	"  --seed N      make the calls of an earlier run again (default: random)\n"
	"  --ioctls N    how many ioctls to make, at least (default 1000000)\n"
	"  --workers N   in how many processes (default 2)\n"
	"\n"
	"Each process makes the same calls again for the same seed and number of\n"
	"processes. Needs root.\n";

static const char *const target_names[FUZZ_TARGETS] = {
	[FUZZ_VCM] = "vcm",
	[FUZZ_HEAP] = "heap",
	[FUZZ_EDU] = "edu",
	[FUZZ_DMABUF] = "dmabuf",
};

struct options {
	uint64_t seed;
	uint64_t ioctls;
	unsigned int workers;
};

static void verdict(bool ok, const char *name, const char *text)
{
	program_verdict("fuzz", ok, name, text);
}

/* --- The workers ------------------------------------------------------- */

static pid_t start_worker(const struct options *options, struct fuzz_counts *counts,
			  unsigned int id)
{
	struct fuzz_worker w = {
		.id = id,
		.seed = options->seed,
		.counts = counts,
		.ram = meminfo("MemTotal"),
	};
	pid_t pid = fork();

	if (pid)
		return pid;
	fuzz_worker_run(&w, options->ioctls / options->workers + 1);
	fflush(stdout);
	_exit(0);
}

static uint64_t sum(const struct fuzz_counts *counts, const struct options *options,
		    enum fuzz_target target, bool succeeded)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < options->workers; i++)
		n += succeeded ? counts[i].succeeded[target] : counts[i].ioctls[target];
	return n;
}

static uint64_t sum_all(const struct fuzz_counts *counts, const struct options *options)
{
	uint64_t n = 0;
	int target;

	for (target = 0; target < FUZZ_TARGETS; target++)
		n += sum(counts, options, target, false);
	return n;
}

static void say_end(unsigned int id, int status)
{
	if (WIFSIGNALED(status))
		printf("# worker %u: %s\n", id, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		printf("# worker %u: exit status %d\n", id, WEXITSTATUS(status));
}

/* Returns whether all of them ended well. */
static bool wait_for_workers(const pid_t *pids, const struct fuzz_counts *counts,
			     const struct options *options)
{
	unsigned int left = options->workers, i;
	time_t next = time(NULL) + PROGRESS_SECONDS;
	bool ok = true;

	while (left) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0) {
			usleep(100000);
			if (time(NULL) >= next) {
				printf("# %llu ioctls\n",
				       (unsigned long long)sum_all(counts, options));
				next += PROGRESS_SECONDS;
			}
			continue;
		}
		left--;
		for (i = 0; i < options->workers; i++)
			if (pids[i] == pid)
				say_end(i, status);
		ok &= !status;
	}
	return ok;
}

/* --- The result -------------------------------------------------------- */

static void show_errors(const struct fuzz_counts *counts, const struct options *options)
{
	unsigned int i, error;
	int target;

	for (target = 0; target < FUZZ_TARGETS; target++) {
		printf("# %s:", target_names[target]);
		for (error = 1; error < FUZZ_ERRORS; error++) {
			uint64_t n = 0;

			for (i = 0; i < options->workers; i++)
				n += counts[i].errors[target][error];
			if (n)
				printf(" %s %llu", strerrorname_np(error) ?: "?",
				       (unsigned long long)n);
		}
		printf("\n");
	}
}

/* Each target has to be reached, and some calls have to get through. */
static void judge_targets(const struct fuzz_counts *counts, const struct options *options)
{
	char text[96];
	int target;

	for (target = 0; target < FUZZ_TARGETS; target++) {
		uint64_t made = sum(counts, options, target, false);
		uint64_t succeeded = sum(counts, options, target, true);

		snprintf(text, sizeof(text), "%llu ioctls, %llu succeeded",
			 (unsigned long long)made, (unsigned long long)succeeded);
		verdict(made && succeeded, target_names[target], text);
	}
}

static void judge(const struct fuzz_counts *counts, const struct options *options, bool ended,
		  uint64_t kills, time_t seconds)
{
	uint64_t unexpected = 0, leaked = 0, raced = 0, others = 0;
	unsigned int i;
	char text[96];

	for (i = 0; i < options->workers; i++) {
		unexpected += counts[i].unexpected;
		leaked += counts[i].leaked;
		raced += counts[i].raced;
		others += counts[i].others;
		printf("# worker %u made sequence %016llx\n", i,
		       (unsigned long long)counts[i].sequence);
	}
	show_errors(counts, options);
	judge_targets(counts, options);
	verdict(ended, "workers", "");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)raced);
	verdict(raced, "changed-arguments", text);
	verdict(!unexpected, "errors-documented", "");
	verdict(!leaked, "errors-leave-no-fd", "");
	verdict(no_leftovers() & drain_pool(), "leftovers", "");
	verdict(oom_kills() == kills, "nobody-killed", "");
	printf("# %llu ioctls and %llu other calls in %lld s, seed %llu\n",
	       (unsigned long long)sum_all(counts, options), (unsigned long long)others,
	       (long long)seconds, (unsigned long long)options->seed);
}

/* --- Options ----------------------------------------------------------- */

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "ioctls", required_argument, NULL, 'i' },
		{ "workers", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options->seed = program_number(optarg, UINT64_MAX);
			break;
		case 'i':
			options->ioctls = program_number(optarg, UINT64_MAX);
			break;
		case 'w':
			options->workers = program_number(optarg, WORKERS_MAX);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind != argc || !options->workers) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options options = { .seed = program_seed(), .ioctls = 1000000, .workers = 2 };
	struct fuzz_counts *counts;
	pid_t pids[WORKERS_MAX];
	time_t start = time(NULL);
	uint64_t kills;
	unsigned int i;
	bool ended;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &options);
	printf("# seed %llu, %u workers\n", (unsigned long long)options.seed, options.workers);

	counts = mmap(NULL, WORKERS_MAX * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return 3;
	kills = oom_kills();
	for (i = 0; i < options.workers; i++)
		pids[i] = start_worker(&options, &counts[i], i);
	ended = wait_for_workers(pids, counts, &options);
	judge(counts, &options, ended, kills, time(NULL) - start);
	return program_end();
}
