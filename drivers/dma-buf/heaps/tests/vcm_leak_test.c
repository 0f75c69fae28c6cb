// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of what the suites before it have lost
 *
 * It is the last one that is linked and so the last one that runs. kmemleak is
 * asked as a process would ask it, through its file in debugfs.
 */

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/* What is younger (MSECS_MIN_AGE in mm/kmemleak.c) is not taken for lost. */
#define LEAK_AGE_MS	5500

/**
 * struct leak_test - where kmemleak can be asked
 * @mnt: debugfs
 * @file: kmemleak's file in it
 * @user: a page of a process
 */
struct leak_test {
	struct vfsmount *mnt;
	struct file *file;
	unsigned long user;
};

static int leak_test_init(struct kunit *test)
{
	struct leak_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE,
				PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!t->user || IS_ERR_VALUE(t->user))
		return -ENOMEM;

	t->mnt = kern_mount(get_fs_type("debugfs"));
	if (IS_ERR(t->mnt))
		return PTR_ERR(t->mnt);
	t->file = file_open_root_mnt(t->mnt, "kmemleak", O_RDWR, 0);
	return PTR_ERR_OR_ZERO(t->file);
}

static void leak_test_exit(struct kunit *test)
{
	struct leak_test *t = test->priv;

	if (t && !IS_ERR_OR_NULL(t->file))
		fput(t->file);
	flush_delayed_fput();
	if (t && !IS_ERR_OR_NULL(t->mnt))
		kern_unmount(t->mnt);
}

static void scan(struct kunit *test)
{
	static const char command[] = "scan";
	struct leak_test *t = test->priv;
	void __user *user = (void __user *)t->user;
	loff_t pos = 0;

	KUNIT_ASSERT_EQ(test, copy_to_user(user, command, sizeof(command)), 0);
	KUNIT_ASSERT_EQ(test, vfs_write(t->file, user, strlen(command), &pos),
			strlen(command));
}

/* An object may have been in a register the first time, hence two scans. */
static void nothing_was_lost(struct kunit *test)
{
	struct leak_test *t = test->priv;
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	loff_t pos = 0;
	ssize_t len;

	KUNIT_ASSERT_NOT_NULL(test, text);
	msleep(LEAK_AGE_MS);
	scan(test);
	scan(test);
	len = vfs_read(t->file, (void __user *)t->user, PAGE_SIZE - 1, &pos);
	KUNIT_ASSERT_GE(test, len, 0);
	KUNIT_ASSERT_EQ(test, copy_from_user(text, (void __user *)t->user, len),
			0);
	KUNIT_EXPECT_STREQ(test, text, "");
}

static struct kunit_case leak_test_cases[] = {
	KUNIT_CASE_SLOW(nothing_was_lost),
	{}
};

static struct kunit_suite leak_test_suite = {
	.name = "vcm_leak",
	.init = leak_test_init,
	.exit = leak_test_exit,
	.test_cases = leak_test_cases,
};

kunit_test_suite(leak_test_suite);
