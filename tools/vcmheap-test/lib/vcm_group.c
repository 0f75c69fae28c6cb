// SPDX-License-Identifier: MIT
/*
 * A control group, for tests.
 */

#include <errno.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "igt.h"
#include "vcm_group.h"
#include "vcm_heap.h"

/* A hierarchy of our own: the machine need not have one mounted. */
#define ROOT "/tmp/vcm-group-XXXXXX"

/* Who was killed in it leaves the group a little later. */
#define LEAVE_STEPS	100
#define LEAVE_STEP_US	50000

static char root[] = ROOT;
static const char *controller_used;
static pid_t owner;

static const char *path_of(const char *file, char *path)
{
	snprintf(path, PATH_MAX, "%s/%s", root, file);
	return path;
}

/* Whether all is gone that vcm_group_create() made. */
static bool remove_group(void)
{
	char text[32], path[PATH_MAX];
	int ret = rmdir(path_of("vcm", path));

	snprintf(text, sizeof(text), "-%s", controller_used);
	vcm_file_write(path_of("cgroup.subtree_control", path), text);
	ret |= umount(root) | rmdir(root);
	owner = 0;
	return !ret;
}

/* A subtest that failed leaves its group, and processes in it. */
static void remove_leftover(void)
{
	char path[PATH_MAX];
	int i;

	if (owner != getpid())
		return;
	vcm_file_write(path_of("vcm/cgroup.kill", path), "1");
	for (i = 0; i < LEAVE_STEPS && rmdir(path_of("vcm", path)) && errno == EBUSY; i++)
		usleep(LEAVE_STEP_US);
	remove_group();
}

/*
 * Makes a group, without a process in it. Skips the test where the kernel has no groups.
 * It is removed by vcm_group_destroy(), or, where a test fails before, by the next
 * vcm_group_create() or at the end of the program.
 */
void vcm_group_create(const char *controller)
{
	char text[32], path[PATH_MAX];
	int ret;

	if (!controller_used)
		igt_assert_eq(atexit(remove_leftover), 0);
	remove_leftover();
	strcpy(root, ROOT);
	igt_assert(mkdtemp(root));
	ret = mount("cgroup2", root, "cgroup2", 0, NULL) ? -errno : 0;
	if (ret)
		rmdir(root);
	igt_require_f(!ret, "no cgroup2: %s\n", strerror(-ret));
	controller_used = controller;
	owner = getpid();
	snprintf(text, sizeof(text), "+%s", controller);
	vcm_file_assert_write(path_of("cgroup.subtree_control", path), text);
	igt_assert_eq(mkdir(path_of("vcm", path), 0755), 0);
}

/* Removes the group, which no process is in any more. */
void vcm_group_destroy(void)
{
	igt_assert(remove_group());
}

void vcm_group_write(const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vcm/%s", root, file);
	vcm_file_assert_write(path, text);
}

/*
 * Returns the number behind @key.
 * @key: what the line begins with, "" for any
 */
uint64_t vcm_group_read(const char *file, const char *key)
{
	char path[PATH_MAX];
	uint64_t value = 0;

	snprintf(path, sizeof(path), "%s/vcm/%s", root, file);
	if (!*key)
		return vcm_file_read_number(path);
	igt_assert_f(vcm_file_figure(path, key, &value), "no line \"%s\" in %s\n", key, path);
	return value;
}

/* Moves the calling process into the group. */
void vcm_group_join(void)
{
	vcm_group_write("cgroup.procs", "0");
}
