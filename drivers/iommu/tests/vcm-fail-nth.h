/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Make the n-th allocation of a KUnit case fail
 *
 * That is what /proc/<pid>/fail-nth does for a process. failslab leaves
 * allocations that may sleep alone unless its file in debugfs says otherwise,
 * and writes a backtrace for each failure. There is no call for either, so what
 * the files stand for is set here.
 */
#ifndef _VCM_FAIL_NTH_H
#define _VCM_FAIL_NTH_H

#include <kunit/test.h>

#if defined(CONFIG_FAILSLAB) && defined(CONFIG_FAULT_INJECTION_DEBUG_FS)
#define VCM_HAVE_FAIL_NTH

#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/sched.h>

/* More allocations than any call under test has */
#define VCM_FAIL_NTH_MAX	2000

/* What the file @name of failslab stands for */
static inline void *vcm_failslab_variable(const char *name)
{
	struct dentry *dir = debugfs_lookup("failslab", NULL), *file;
	void *variable = NULL;

	if (!dir)
		return NULL;
	file = debugfs_lookup(name, dir);
	if (file) {
		variable = d_inode(file)->i_private;
		dput(file);
	}
	dput(dir);
	return variable;
}

/* Let the @nth allocation fail, counted from 1. */
static inline void vcm_fail_nth_start(struct kunit *test, unsigned int nth)
{
	bool *ignore = vcm_failslab_variable("ignore-gfp-wait");
	unsigned long *verbose = vcm_failslab_variable("verbose");

	KUNIT_ASSERT_NOT_NULL(test, ignore);
	KUNIT_ASSERT_NOT_NULL(test, verbose);
	*ignore = false;
	*verbose = 0;
	current->fail_nth = nth;
}

/* Fail no more; true if there was an allocation that failed. */
static inline bool vcm_fail_nth_end(void)
{
	bool *ignore = vcm_failslab_variable("ignore-gfp-wait");
	bool failed = !current->fail_nth;

	current->fail_nth = 0;
	*ignore = true;
	return failed;
}

/* What is not under test does not count. */
static inline unsigned int vcm_fail_nth_pause(void)
{
	unsigned int nth = current->fail_nth;

	current->fail_nth = 0;
	return nth;
}

static inline void vcm_fail_nth_resume(unsigned int nth)
{
	current->fail_nth = nth;
}
#else
static inline unsigned int vcm_fail_nth_pause(void)
{
	return 0;
}

static inline void vcm_fail_nth_resume(unsigned int nth)
{
}
#endif /* CONFIG_FAILSLAB && CONFIG_FAULT_INJECTION_DEBUG_FS */
#endif /* _VCM_FAIL_NTH_H */
