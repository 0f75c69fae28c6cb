// SPDX-License-Identifier: GPL-2.0
/*
 * Runs KUnit suites in a program
 *
 * A case fails as it does in the kernel, and also if it warns without saying so
 * or leaves an object behind.
 */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kunit/test.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "vcm-extent-test.h"

#define MAX_ALLOCS	16

static struct kunit_suite *suites;
static struct kunit *running;
static bool suppressing;
static int nr_suppressed;

/* What kunit_kzalloc() handed out to the case that runs. */
static void *allocs[MAX_ALLOCS];
static int nr_allocs;

void shim_suite_add(struct kunit_suite *suite)
{
	suite->next = suites;
	suites = suite;
}

void shim_param_ullong(const char *name, unsigned long long *value)
{
	char variable[64], *end;
	const char *text;

	snprintf(variable, sizeof(variable), "VCM_%s", name);
	text = getenv(variable);
	if (!text || !*text)
		return;
	*value = strtoull(text, &end, 0);
	if (*end) {
		fprintf(stderr, "%s=%s is no number\n", variable, text);
		exit(2);
	}
}

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	void *object = calloc(1, size);

	if (!object || nr_allocs == MAX_ALLOCS)
		abort();
	allocs[nr_allocs++] = object;
	return object;
}

void shim_fail(struct kunit *test, bool abort, const char *file, int line,
	       const char *fmt, ...)
{
	va_list args;

	test->failed = true;
	printf("# %s: %s:%d: ", test->name, file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (abort)
		longjmp(test->abort, 1);
}

void shim_warn(const char *condition, const char *file, int line)
{
	if (suppressing)
		nr_suppressed++;
	else if (running)
		shim_fail(running, false, file, line, "warning: %s", condition);
	else
		abort();
}

bool shim_suppress_begin(struct kunit *test)
{
	suppressing = true;
	nr_suppressed = 0;
	return true;
}

bool shim_suppress_end(void)
{
	suppressing = false;
	return false;
}

int shim_suppressed(void)
{
	return nr_suppressed;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void case_body(struct kunit_suite *suite, struct kunit_case *kase,
		      struct kunit *test)
{
	if (setjmp(test->abort))
		return;
	if (suite->init && suite->init(test))
		shim_fail(test, true, __FILE__, __LINE__, "init failed");
	kase->run_case(test);
}

static void case_end(struct kunit_suite *suite, struct kunit *test)
{
	suppressing = false;
	kzalloc_fail_nth(0);
	if (suite->exit && !setjmp(test->abort))
		suite->exit(test);
	while (nr_allocs)
		free(allocs[--nr_allocs]);
}

static bool case_run(struct kunit_suite *suite, struct kunit_case *kase, int nr)
{
	unsigned int nr_objects = shim_nr_objects();
	struct kunit test = { .name = kase->name };
	double start = now();

	running = &test;
	case_body(suite, kase, &test);
	case_end(suite, &test);
	if (shim_nr_objects() != nr_objects)
		shim_fail(&test, false, __FILE__, __LINE__,
			  "%d objects are left",
			  (int)(shim_nr_objects() - nr_objects));
	running = NULL;

	printf("    %s %d %s # %.3f s\n", test.failed ? "not ok" : "ok", nr, kase->name,
	       now() - start);
	return !test.failed;
}

static int suite_run(struct kunit_suite *suite, const char *only, int *nr)
{
	struct kunit_case *kase;
	int failed = 0;

	printf("    # Subtest: %s\n", suite->name);
	if (suite->suite_init && suite->suite_init(suite)) {
		printf("not ok 1 %s # suite_init\n", suite->name);
		return 1;
	}
	for (kase = suite->test_cases; kase->run_case; kase++) {
		if (only && strcmp(only, kase->name))
			continue;
		failed += !case_run(suite, kase, ++*nr);
	}
	printf("    1..%d\n%s 1 %s\n", *nr, failed ? "not ok" : "ok", suite->name);
	return failed;
}

/* Run all cases, or the one named @only: 0 if something ran and all passed. */
int kunit_run(const char *only)
{
	struct kunit_suite *suite;
	int nr = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("KTAP version 1");
	for (suite = suites; suite; suite = suite->next)
		failed += suite_run(suite, only, &nr);
	if (!nr)
		fprintf(stderr, "no case %s\n", only ?: "at all");
	return failed || !nr;
}

int kunit_list(void)
{
	struct kunit_suite *suite;
	struct kunit_case *kase;

	for (suite = suites; suite; suite = suite->next)
		for (kase = suite->test_cases; kase->run_case; kase++)
			puts(kase->name);
	return 0;
}
