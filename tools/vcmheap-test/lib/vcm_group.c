// SPDX-License-Identifier: MIT
/*
 * A control group, for tests.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "igt.h"
#include "vcm_group.h"

/* A hierarchy of our own: the machine need not have one mounted. */
#define ROOT "/tmp/vcm-group-XXXXXX"

static char root[] = ROOT;
static const char *controller_used;

#define GROUP "vcm"

static void write_file(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", root, dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	igt_assert_f(write(fd, text, strlen(text)) == strlen(text), "%s: %s\n", path,
		     strerror(errno));
	close(fd);
}

/**
 * vcm_group_create:
 * @controller: "memory" or another one of cgroup2
 *
 * Makes a group, without a process in it. Skips the test where the kernel has no
 * groups.
 */
void vcm_group_create(const char *controller)
{
	char text[32], path[PATH_MAX];

	strcpy(root, ROOT);
	igt_assert(mkdtemp(root));
	igt_require_f(!mount("cgroup2", root, "cgroup2", 0, NULL), "no cgroup2: %s\n",
		      strerror(errno));
	controller_used = controller;
	snprintf(text, sizeof(text), "+%s", controller);
	write_file("", "cgroup.subtree_control", text);
	snprintf(path, sizeof(path), "%s/" GROUP, root);
	igt_assert_eq(mkdir(path, 0755), 0);
}

/**
 * vcm_group_destroy:
 *
 * Removes the group, which no process is in any more.
 */
void vcm_group_destroy(void)
{
	char text[32], path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" GROUP, root);
	igt_assert_eq(rmdir(path), 0);
	snprintf(text, sizeof(text), "-%s", controller_used);
	write_file("", "cgroup.subtree_control", text);
	igt_assert_eq(umount(root), 0);
	igt_assert_eq(rmdir(root), 0);
}

/**
 * vcm_group_write:
 * @file: a file of the group
 * @text: what to write to it
 */
void vcm_group_write(const char *file, const char *text)
{
	write_file(GROUP, file, text);
}

/**
 * vcm_group_read:
 * @file: a file of the group
 * @key: what the line begins with, "" for any
 *
 * Returns: the number behind @key.
 */
uint64_t vcm_group_read(const char *file, const char *key)
{
	unsigned long long value = 0, found = 0;
	char path[PATH_MAX], line[128];
	FILE *in;

	snprintf(path, sizeof(path), "%s/" GROUP "/%s", root, file);
	in = fopen(path, "re");
	igt_assert_f(in, "%s: %s\n", path, strerror(errno));
	while (fgets(line, sizeof(line), in))
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), "%llu", &value) == 1)
			found = value;
	fclose(in);
	return found;
}

/**
 * vcm_group_join:
 *
 * Moves the calling process into the group.
 */
void vcm_group_join(void)
{
	vcm_group_write("cgroup.procs", "0");
}
