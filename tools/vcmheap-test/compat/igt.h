/* SPDX-License-Identifier: MIT */
/*
 * Declarations of the part of libigt that these tests use, for building
 * against a packaged libigt, which comes without headers. The spelling is the
 * one of today's igt-gpu-tools (igt_main() and igt_fixture() with
 * parentheses); the binary interface is that of libigt 1.27.1.
 *
 * A build with IGT_SRC=<igt-gpu-tools> uses igt's own headers and not this.
 */
#ifndef VCM_COMPAT_IGT_H
#define VCM_COMPAT_IGT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define IGT_LOG_DOMAIN NULL

#define __igt_printf(fmt, first) __attribute__((format(printf, fmt, first)))
#define __igt_noreturn __attribute__((noreturn))

struct option;

enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
};

extern sigjmp_buf igt_subtest_jmpbuf;

int igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_opts,
				const struct option *long_opts, const char *help,
				int (*handler)(int opt, int index, void *data), void *data);
bool __igt_fixture(void);
void __igt_fixture_complete(void);
bool __igt_run_subtest(const char *name, const char *file, const int line);
void __igt_subtest_group_save(int *skip, int *description);
void __igt_subtest_group_restore(int skip, int description);
bool __igt_fork(void);
void igt_waitchildren(void);
void igt_success(void);
__igt_noreturn void igt_exit(void);
void igt_describe_f(const char *fmt, ...) __igt_printf(1, 2);
void igt_log(const char *domain, enum igt_log_level level, const char *fmt, ...)
	__igt_printf(3, 4);
void __igt_skip_check(const char *file, const int line, const char *func, const char *check,
		      const char *fmt, ...) __igt_noreturn __igt_printf(5, 6);
void __igt_fail_assert(const char *domain, const char *file, const int line, const char *func,
		       const char *assertion, const char *fmt, ...)
	__igt_noreturn __igt_printf(6, 7);

/* Control flow: libigt leaves a block by jumping to igt_subtest_jmpbuf. */

#define __igt_paste(a, b) a##b
#define __igt_name(a, b) __igt_paste(a, b)
#define __igt_local(name) __igt_name(__igt_##name##_, __LINE__)
#define __igt_landed() (sigsetjmp(igt_subtest_jmpbuf, 1) != 0)

#define IGT_TEST_DESCRIPTION(text) const char *__igt_test_description = (text)

#define igt_main()								\
	main(int argc, char **argv);						\
	static void __igt_tests(void);						\
	int main(int argc, char **argv)						\
	{									\
		igt_subtest_init_parse_opts(&argc, argv, NULL, NULL, NULL, NULL, NULL); \
		__igt_tests();							\
		igt_exit();							\
	}									\
	static void __igt_tests(void)

#define igt_fixture()								\
	for (volatile bool __igt_local(once) = true;				\
	     __igt_local(once) && __igt_fixture() && !__igt_landed();		\
	     __igt_local(once) = false, __igt_fixture_complete())

#define igt_subtest(name)							\
	for (; __igt_run_subtest(name, __FILE__, __LINE__) && !__igt_landed(); igt_success())

#define igt_subtest_f(...)							\
	for (char __igt_local(buf)[256];					\
	     snprintf(__igt_local(buf), sizeof(__igt_local(buf)), __VA_ARGS__),	\
	     __igt_run_subtest(__igt_local(buf), __FILE__, __LINE__) && !__igt_landed(); \
	     igt_success())

#define igt_subtest_group()							\
	for (int __igt_local(done) = 0, __igt_local(skip) = 0, __igt_local(text) = 0; \
	     !__igt_local(done) &&						\
	     (__igt_subtest_group_save(&__igt_local(skip), &__igt_local(text)), true); \
	     __igt_local(done) = 1,						\
	     __igt_subtest_group_restore(__igt_local(skip), __igt_local(text)))

#define igt_describe(text) igt_describe_f("%s", text)

#define igt_fork(child, count)							\
	for (int child = 0; child < (count); child++)				\
		for (; __igt_fork(); exit(0))

/* Verdicts */

#define igt_require_f(cond, ...) do {						\
	if (!(cond))								\
		__igt_skip_check(__FILE__, __LINE__, __func__, #cond, __VA_ARGS__); \
} while (0)

#define igt_require(cond) igt_require_f(cond, NULL)

#define igt_assert_f(cond, ...) do {						\
	if (!(cond))								\
		__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__,	\
				  #cond, __VA_ARGS__);				\
} while (0)

#define igt_assert(cond) igt_assert_f(cond, NULL)

#define __igt_assert_cmp(type, fmt, a, op, b) do {				\
	type __a = (a), __b = (b);						\
										\
	if (!(__a op __b))							\
		__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__,	\
				  #a " " #op " " #b,				\
				  "error: not " fmt " " #op " " fmt "\n", __a, __b); \
} while (0)

#define igt_assert_eq(a, b) __igt_assert_cmp(int, "%d", a, ==, b)
#define igt_assert_neq(a, b) __igt_assert_cmp(int, "%d", a, !=, b)
#define igt_assert_lt(a, b) __igt_assert_cmp(int, "%d", a, <, b)
#define igt_assert_lte(a, b) __igt_assert_cmp(int, "%d", a, <=, b)
#define igt_assert_eq_u64(a, b) __igt_assert_cmp(unsigned long long, "%#llx", a, ==, b)
#define igt_assert_neq_u64(a, b) __igt_assert_cmp(unsigned long long, "%#llx", a, !=, b)
#define igt_assert_lte_u64(a, b) __igt_assert_cmp(unsigned long long, "%#llx", a, <=, b)
#define igt_assert_lt_u64(a, b) __igt_assert_cmp(unsigned long long, "%#llx", a, <, b)

#define igt_debug(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_DEBUG, __VA_ARGS__)
#define igt_info(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_INFO, __VA_ARGS__)
#define igt_warn(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_WARN, __VA_ARGS__)

/* Devices and files */

#define DRIVER_VGEM (1 << 2)

int drm_open_driver(int chipset);
void gem_close(int fd, uint32_t handle);
uint32_t prime_fd_to_handle(int fd, int dma_buf_fd);
int prime_handle_to_fd_for_mmap(int fd, uint32_t handle);
const char *igt_debugfs_mount(void);

#endif /* VCM_COMPAT_IGT_H */
