// SPDX-License-Identifier: MIT
/*
 * The file descriptors and the end of processes, for tests.
 */

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "igt.h"
#include "vcm_files.h"
#include "vcm_process.h"

/* Without the one that it takes to look. */
static void for_each_fd(void (*what)(int fd))
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	igt_assert(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			what(atoi(entry->d_name));
	closedir(dir);
}

static unsigned int fds;

static void count_fd(int fd)
{
	fds++;
}

/* Returns the number of file descriptors that the process has open. */
unsigned int vcm_open_fds(void)
{
	fds = 0;
	for_each_fd(count_fd);
	return fds;
}

static bool was_open[1 << 16];

static void note_fd(int fd)
{
	was_open[fd] = true;
}

static void close_new_fd(int fd)
{
	if (!was_open[fd])
		close(fd);
}

/* What is open from now on is the subtest's. */
void vcm_subtest_begin(void)
{
	memset(was_open, 0, sizeof(was_open));
	for_each_fd(note_fd);
}

/* Closes what the subtest has left open, and unmaps buffers: it need not do so itself. */
void vcm_subtest_end(void)
{
	char *maps = vcm_file_read("/proc/self/maps"), *line, *rest = maps;
	unsigned long start, end;

	for_each_fd(close_new_fd);
	while ((line = strsep(&rest, "\n")))
		if (strstr(line, "/dmabuf:") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			munmap((void *)start, end - start);
	free(maps);
}

/* Lets the process have so many file descriptors at least, for the rest of its life. */
void vcm_more_fds(unsigned int nr)
{
	struct rlimit limit;

	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= nr)
		return;
	limit.rlim_cur = nr;
	if (limit.rlim_max < nr)
		limit.rlim_max = nr;
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/*
 * Returns the next file descriptor that the process would get; one that is taken but not
 * open is left out.
 */
int vcm_next_fd(int any)
{
	int fd = dup(any);

	igt_assert(fd >= 0);
	close(fd);
	return fd;
}

/* The parent hears over the pipe when it may kill. */
static void run_and_wait(void (*run)(void *data), void *data, int pipe_fd)
{
	if (write(pipe_fd, "", 1) == 1)
		run(data);
	pause();
	_exit(0);
}

/*
 * Returns when the child is dead.
 * @delay_us: when to kill it, in microseconds from its beginning
 */
void vcm_kill_in(void (*run)(void *data), void *data, unsigned int delay_us)
{
	int status, fds[2];
	char byte;
	pid_t pid;

	igt_assert_eq(pipe(fds), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		run_and_wait(run, data, fds[1]);

	igt_assert_eq(read(fds[0], &byte, 1), 1);
	usleep(delay_us);
	kill(pid, SIGKILL);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
	close(fds[0]);
	close(fds[1]);
}
