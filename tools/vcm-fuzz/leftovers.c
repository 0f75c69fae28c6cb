// SPDX-License-Identifier: MIT
/*
 * What is left when all is closed: nothing should be.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leftovers.h"

#define DEBUGFS	"/sys/kernel/debug/vcm/"

/* A buffer may go a little after the last reference to it was closed. */
#define SETTLE_STEPS	100
#define SETTLE_STEP_US	50000

/**
 * read_text - read a file
 * @path: the file
 * @text: set to its beginning
 * @size: bytes at @text
 *
 * Returns: false if it cannot be read.
 */
bool read_text(const char *path, char *text, int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), len = 0, n;

	if (fd < 0)
		return false;
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	close(fd);
	return true;
}

/**
 * write_text - write to a file that is there
 * @path: the file
 * @text: what to write
 *
 * Returns: false if it cannot be written.
 */
bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

/* The number behind @key and what separates it, in a file of such lines. */
static uint64_t number_of(const char *path, const char *key)
{
	static char text[1 << 16];
	const char *at = text;
	size_t len = strlen(key);

	if (!read_text(path, text, sizeof(text)))
		return 0;
	for (; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (!strncmp(at, key, len) && strchr(": ", at[len]))
			return strtoull(at + len + strspn(at + len, ": "), NULL, 10);
	return 0;
}

/**
 * meminfo - a figure of memory
 * @key: its name in /proc/meminfo
 *
 * Returns: bytes.
 */
uint64_t meminfo(const char *key)
{
	return number_of("/proc/meminfo", key) << 10;
}

/**
 * oom_kills - processes that were killed for want of memory
 */
uint64_t oom_kills(void)
{
	return number_of("/proc/vmstat", "oom_kill");
}

/**
 * has_pool - does the heap keep chunks
 */
bool has_pool(void)
{
	return !access(DEBUGFS "pool", R_OK);
}

/**
 * drain_pool - have the heap give all chunks back that it keeps
 *
 * Returns: false, with a line that says so, if some are left.
 */
bool drain_pool(void)
{
	if (!has_pool())
		return true;
	if (!write_text(DEBUGFS "pool_drain", "1")) {
		printf("# cannot drain the pool: %s\n", strerror(errno));
		return false;
	}
	if (!number_of(DEBUGFS "pool", "total_kb"))
		return true;
	printf("# the pool has %llu KiB after it was drained\n",
	       (unsigned long long)number_of(DEBUGFS "pool", "total_kb"));
	return false;
}

static bool is_zero(const char *key)
{
	return !number_of(DEBUGFS "totals", key);
}

static bool is_empty(const char *path)
{
	char text[64];

	return read_text(path, text, sizeof(text)) && !*text;
}

static bool all_gone(void)
{
	return is_zero("buffers") && is_zero("bytes") && is_zero("attachments") &&
	       is_empty(DEBUGFS "iova") && is_empty(DEBUGFS "spaces");
}

static void show(const char *path)
{
	static char text[4096];
	char *line, *save = NULL;

	if (!read_text(path, text, sizeof(text))) {
		printf("# %s: %s\n", path, strerror(errno));
		return;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("# %s: %s\n", path, line);
}

/**
 * no_leftovers - is there no buffer, attachment, address or space in use
 *
 * Returns: true, or false with lines that say what is left.
 */
bool no_leftovers(void)
{
	int i;

	for (i = 0; i < SETTLE_STEPS; i++) {
		if (access(DEBUGFS "totals", R_OK))
			break;
		if (all_gone())
			return true;
		usleep(SETTLE_STEP_US);
	}
	show(DEBUGFS "totals");
	show(DEBUGFS "iova");
	show(DEBUGFS "spaces");
	return false;
}
