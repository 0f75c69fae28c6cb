// SPDX-License-Identifier: MIT
/*
 * Files in which the kernel tells figures and is told to do things.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vcm_files.h"

/* Such a file has no length, and some are made anew for each read from the start. */
char *vcm_file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;
	size_t len = 0, room = 0;
	char *text = NULL, *more;
	ssize_t got = 1;

	if (fd < 0)
		return NULL;
	while (got > 0) {
		if (room < len + 4096) {
			room = 2 * room + 8192;
			more = realloc(text, room);
			if (!more)
				break;
			text = more;
		}
		got = read(fd, text + len, room - len - 1);
		len += got > 0 ? got : 0;
	}
	error = errno;
	close(fd);
	if (got) {
		free(text);
		errno = error;
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int vcm_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(text), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, len);
	if (ret < 0)
		ret = -errno;
	else
		ret = ret == len ? 0 : -EIO;
	close(fd);
	return ret;
}

int vcm_file_write_number(const char *path, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return vcm_file_write(path, text);
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line ? line + 1 : NULL;
}

bool vcm_figure(const char *text, const char *key, uint64_t *value)
{
	size_t len = strlen(key), gap;
	const char *line;
	char *end;

	for (line = text; line && *line; line = next_line(line)) {
		if (strncmp(line, key, len))
			continue;
		gap = strspn(line + len, ": ");
		*value = strtoull(line + len + gap, &end, 10);
		if (gap && end > line + len + gap)
			return true;
	}
	return false;
}

bool vcm_file_figure(const char *path, const char *key, uint64_t *value)
{
	char *text = vcm_file_read(path);
	bool found = text && vcm_figure(text, key, value);

	free(text);
	return found;
}

uint64_t vcm_meminfo(const char *key)
{
	uint64_t kib;

	return vcm_file_figure("/proc/meminfo", key, &kib) ? kib << 10 : 0;
}

uint64_t vcm_counters(const char *path, const char *prefix)
{
	char *text = vcm_file_read(path);
	const char *line;
	uint64_t sum = 0;

	for (line = text; line && *line; line = next_line(line))
		if (!strncmp(line, prefix, strlen(prefix)))
			sum += strtoull(line + strcspn(line, " "), NULL, 10);
	free(text);
	return sum;
}

uint64_t vcm_oom_kills(void)
{
	return vcm_counters("/proc/vmstat", "oom_kill");
}
