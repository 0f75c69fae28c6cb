// SPDX-License-Identifier: MIT
/*
 * The part of libigt that these tests use, for where Debian has no libigt: see igt.h.
 * What it prints, what its options are and with what it exits is as in libigt 1.27.1.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/vgem_drm.h>

#include "igt.h"
#include "igt_vgem.h"

#define EXIT_SKIP 77
#define EXIT_FAILURE_IGT 98
#define MAX_CHILDREN 64

enum verdict { RUNS, SKIPS, FAILS };

sigjmp_buf igt_subtest_jmpbuf;

static bool only_list;
static const char *chosen;

/* What a fixture said of all subtests that come, up to the end of their group. */
static enum verdict henceforth;
static bool in_fixture;
static const char *subtest;
static struct timespec began;

static bool passed_one, skipped_one, failed_one;

static bool is_child;
static pid_t children[MAX_CHILDREN];
static int n_children;

/* ---- options ---- */

static void usage(const char *program)
{
	printf("usage: %s [--list-subtests] [--run-subtest PATTERN[,PATTERN|,!PATTERN]...]\n", program);
}

/* The process that takes the memory is the one to go, before whoever watches it. */
static void volunteer_for_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) < 0)
		fprintf(stderr, "oom_score_adj: %s\n", strerror(errno));
	close(fd);
}

int igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_opts,
				const struct option *long_opts, const char *help,
				int (*handler)(int opt, int index, void *data), void *data)
{
	static const struct option options[] = {
		{ "list-subtests", no_argument, NULL, 'l' },
		{ "run-subtest", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(*argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'l':
			only_list = true;
			break;
		case 'r':
			chosen = optarg;
			break;
		default:
			usage(argv[0]);
			exit(opt == 'h' ? 0 : EXIT_FAILURE_IGT);
		}
	}
	if (!only_list)
		volunteer_for_oom();
	return 0;
}

/* The last pattern that matches decides. */
static bool is_chosen(const char *name)
{
	char *list, *pattern, *rest;
	bool found = false;

	if (!chosen)
		return true;
	list = strdup(chosen);
	for (pattern = strtok_r(list, ",", &rest); pattern; pattern = strtok_r(NULL, ",", &rest)) {
		bool negated = *pattern == '!';

		if (!fnmatch(pattern + negated, name, 0))
			found = !negated;
	}
	free(list);
	return found;
}

/* ---- children ---- */

bool __igt_fork(void)
{
	pid_t pid;

	if (n_children == MAX_CHILDREN) {
		fprintf(stderr, "more than %d children\n", MAX_CHILDREN);
		abort();
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		abort();
	}
	if (pid) {
		children[n_children++] = pid;
		return false;
	}
	is_child = true;
	n_children = 0;
	return true;
}

static void kill_children(int signal)
{
	for (int i = 0; i < n_children; i++)
		kill(children[i], signal);
}

/* How many of them failed; the first that does ends the others. */
static int reap_children(void)
{
	int failed = 0, status;

	while (n_children) {
		pid_t pid = wait(&status);
		int i;

		if (pid < 0)
			break;
		for (i = 0; i < n_children && children[i] != pid; i++)
			;
		/* Not one of igt_fork()'s. */
		if (i == n_children)
			continue;
		children[i] = children[--n_children];
		if (!status)
			continue;
		if (!failed++)
			kill_children(SIGKILL);
	}
	return failed;
}

/* ---- subtests ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - began.tv_sec + (now.tv_nsec - began.tv_nsec) / 1e9;
}

static void report(const char *verdict)
{
	printf("Subtest %s: %s (%.3fs)\n", subtest, verdict, seconds());
	fflush(NULL);
}

static __igt_noreturn void end_subtest(const char *verdict)
{
	kill_children(SIGKILL);
	reap_children();
	report(verdict);
	subtest = NULL;
	siglongjmp(igt_subtest_jmpbuf, 1);
}

bool __igt_run_subtest(const char *name, const char *file, const int line)
{
	if (!is_chosen(name))
		return false;
	if (only_list) {
		printf("%s\n", name);
		return false;
	}
	subtest = name;
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (henceforth == RUNS) {
		printf("Starting subtest: %s\n", name);
		fflush(NULL);
		return true;
	}
	skipped_one |= henceforth == SKIPS;
	failed_one |= henceforth == FAILS;
	report(henceforth == SKIPS ? "SKIP" : "FAIL");
	subtest = NULL;
	return false;
}

void __igt_subtest_group_save(int *skip, int *description)
{
	*skip = henceforth;
}

void __igt_subtest_group_restore(int skip, int description)
{
	henceforth = skip;
}

bool __igt_fixture(void)
{
	in_fixture = !only_list && henceforth == RUNS;
	return in_fixture;
}

void __igt_fixture_complete(void)
{
	in_fixture = false;
}

static __igt_noreturn void end_fixture(enum verdict verdict)
{
	henceforth = verdict;
	in_fixture = false;
	siglongjmp(igt_subtest_jmpbuf, 1);
}

void igt_success(void)
{
	passed_one = true;
	end_subtest("SUCCESS");
}

static __igt_noreturn void fail(void)
{
	failed_one = true;
	fflush(NULL);
	if (is_child)
		_exit(EXIT_FAILURE_IGT);
	if (subtest)
		end_subtest("FAIL");
	if (in_fixture)
		end_fixture(FAILS);
	exit(EXIT_FAILURE_IGT);
}

void igt_waitchildren(void)
{
	if (reap_children())
		fail();
}

void igt_exit(void)
{
	if (failed_one)
		exit(EXIT_FAILURE_IGT);
	exit(skipped_one && !passed_one ? EXIT_SKIP : 0);
}

/* ---- what is said ---- */

void igt_describe_f(const char *fmt, ...)
{
}

void igt_log(const char *domain, enum igt_log_level level, const char *fmt, ...)
{
	va_list args;

	if (level == IGT_LOG_DEBUG)
		return;
	va_start(args, fmt);
	vfprintf(level == IGT_LOG_WARN ? stderr : stdout, fmt, args);
	va_end(args);
}

static void say_where(const char *file, int line, const char *func)
{
	fflush(stdout);
	fprintf(stderr, "(%s:%d) in %s(): ", file, line, func);
}

void __igt_skip_check(const char *file, const int line, const char *func, const char *check,
		      const char *fmt, ...)
{
	va_list args;

	printf("Test requirement not met in function %s, file %s:%d:\n"
	       "Test requirement: %s\n", func, file, line, check);
	if (fmt) {
		va_start(args, fmt);
		vprintf(fmt, args);
		va_end(args);
	}
	fflush(stdout);
	skipped_one = true;
	if (subtest)
		end_subtest("SKIP");
	if (in_fixture)
		end_fixture(SKIPS);
	exit(EXIT_SKIP);
}

void __igt_fail_assert(const char *domain, const char *file, const int line, const char *func,
		       const char *assertion, const char *fmt, ...)
{
	va_list args;
	int err = errno;

	say_where(file, line, func);
	fprintf(stderr, "Failed assertion: %s\n", assertion);
	if (err)
		fprintf(stderr, "Last errno: %d, %s\n", err, strerror(err));
	if (fmt) {
		va_start(args, fmt);
		vfprintf(stderr, fmt, args);
		va_end(args);
	}
	fail();
}

/* ---- devices and files ---- */

const char *igt_debugfs_mount(void)
{
	return "/sys/kernel/debug";
}

static bool is_vgem(int fd)
{
	char name[16] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "vgem");
}

int drm_open_driver(int chipset)
{
	char path[32];

	for (int i = 0; i < 16; i++) {
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && is_vgem(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	igt_require_f(false, "No known gpu found\n");
	return -1;
}

void gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close close = { .handle = handle };

	igt_assert_eq(ioctl(fd, DRM_IOCTL_GEM_CLOSE, &close), 0);
}

uint32_t prime_fd_to_handle(int fd, int dma_buf_fd)
{
	struct drm_prime_handle prime = { .fd = dma_buf_fd };

	igt_assert_eq(ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime), 0);
	return prime.handle;
}

int prime_handle_to_fd_for_mmap(int fd, uint32_t handle)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };

	return ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime) ? -1 : prime.fd;
}

void vgem_create(int fd, struct vgem_bo *bo)
{
	struct drm_mode_create_dumb dumb = {
		.width = bo->width, .height = bo->height, .bpp = bo->bpp,
	};

	igt_assert_eq(ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), 0);
	bo->handle = dumb.handle;
	bo->pitch = dumb.pitch;
	bo->size = dumb.size;
}

void *__vgem_mmap(int fd, struct vgem_bo *bo, unsigned int prot)
{
	struct drm_mode_map_dumb map = { .handle = bo->handle };
	void *p;

	if (ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return NULL;
	p = mmap(NULL, bo->size, prot, MAP_SHARED, fd, map.offset);
	return p == MAP_FAILED ? NULL : p;
}

uint32_t vgem_fence_attach(int fd, struct vgem_bo *bo, unsigned int flags)
{
	struct drm_vgem_fence_attach attach = { .handle = bo->handle, .flags = flags };

	igt_assert_eq(ioctl(fd, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach), 0);
	return attach.out_fence;
}

void vgem_fence_signal(int fd, uint32_t fence)
{
	struct drm_vgem_fence_signal signal = { .fence = fence };

	igt_assert_eq(ioctl(fd, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal), 0);
}
