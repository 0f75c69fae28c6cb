/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of KUnit as the tests use, for a program
 */
#ifndef _SHIM_KUNIT_TEST_H
#define _SHIM_KUNIT_TEST_H

#include <setjmp.h>
#include <stdio.h>

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/types.h>

struct kunit {
	void *priv;
	const char *name;
	bool failed;
	jmp_buf abort;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	int (*suite_init)(struct kunit_suite *suite);
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

#define KUNIT_CASE(test_name) \
	{ .run_case = test_name, .name = #test_name }
#define KUNIT_CASE_SLOW(test_name)	KUNIT_CASE(test_name)

#define kunit_test_suite(suite)						\
	static void __attribute__((constructor)) shim_add_##suite(void)	\
	{								\
		shim_suite_add(&(suite));				\
	}								\
	struct kunit_suite

void shim_suite_add(struct kunit_suite *suite);

/* Freed by itself when the case is over. */
void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp);

#define kunit_info(test_or_suite, fmt, ...) \
	printf("# %s: " fmt, (test_or_suite)->name, ##__VA_ARGS__)

/* Returns if @abort is false. */
void shim_fail(struct kunit *test, bool abort, const char *file, int line,
	       const char *fmt, ...) __printf(5, 6);

#define SHIM_FAIL(test, abort, fmt, ...) \
	shim_fail(test, abort, __FILE__, __LINE__, fmt, ##__VA_ARGS__)

#define SHIM_BINARY(test, abort, left, op, right, fmt, ...)		\
do {									\
	typeof(left) __left = (left);					\
	typeof(right) __right = (right);				\
									\
	if (!(__left op __right))					\
		SHIM_FAIL(test, abort,					\
			  "not so: %s " #op " %s: %lld (%#llx), %lld (%#llx) " fmt, \
			  #left, #right,				\
			  (long long)__left, (long long)__left,		\
			  (long long)__right, (long long)__right,	\
			  ##__VA_ARGS__);				\
} while (0)

#define SHIM_TRUE(test, abort, condition)				\
do {									\
	if (!(condition))						\
		SHIM_FAIL(test, abort, "not so: %s", #condition);	\
} while (0)

#define KUNIT_FAIL(test, fmt, ...)	SHIM_FAIL(test, false, fmt, ##__VA_ARGS__)
#define KUNIT_FAIL_AND_ABORT(test, fmt, ...) \
	SHIM_FAIL(test, true, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_TRUE(test, cond)	SHIM_TRUE(test, false, cond)
#define KUNIT_ASSERT_TRUE(test, cond)	SHIM_TRUE(test, true, cond)
#define KUNIT_EXPECT_EQ(test, a, b)	SHIM_BINARY(test, false, a, ==, b, "")
#define KUNIT_EXPECT_EQ_MSG(test, a, b, fmt, ...) \
	SHIM_BINARY(test, false, a, ==, b, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_EQ(test, a, b)	SHIM_BINARY(test, true, a, ==, b, "")
#define KUNIT_ASSERT_EQ_MSG(test, a, b, fmt, ...) \
	SHIM_BINARY(test, true, a, ==, b, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_GT(test, a, b)	SHIM_BINARY(test, false, a, >, b, "")
#define KUNIT_EXPECT_GE(test, a, b)	SHIM_BINARY(test, false, a, >=, b, "")
#define KUNIT_EXPECT_LT(test, a, b)	SHIM_BINARY(test, false, a, <, b, "")
#define KUNIT_ASSERT_NOT_NULL(test, p)	SHIM_TRUE(test, true, (p) != NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p) \
	SHIM_TRUE(test, true, !IS_ERR_OR_NULL(p))

/* Warnings, see <linux/bug.h>: counted here, elsewhere a failure. */
bool shim_suppress_begin(struct kunit *test);
bool shim_suppress_end(void);
int shim_suppressed(void);

#define kunit_warning_suppress(test)					\
	for (bool __once = shim_suppress_begin(test); __once;		\
	     __once = shim_suppress_end())

#define KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, expected) \
	KUNIT_EXPECT_EQ(test, shim_suppressed(), expected)

#endif /* _SHIM_KUNIT_TEST_H */
