/* SPDX-License-Identifier: MIT */
/*
 * The file descriptors and the end of processes, for tests.
 */
#ifndef VCM_PROCESS_H
#define VCM_PROCESS_H

/*
 * A subtest: its name, which may be a format with what goes into it, what it calls, and what
 * that proves.
 */
#define vcm_subtest_f(call, what, ...) do {	\
	igt_describe(what);			\
	igt_subtest_f(__VA_ARGS__) {		\
		vcm_subtest_begin();		\
		call;				\
		vcm_subtest_end();		\
	}					\
} while (0)

#define vcm_subtest(name, call, what) vcm_subtest_f(call, what, "%s", name)

void vcm_subtest_begin(void);
void vcm_subtest_end(void);

unsigned int vcm_open_fds(void);
void vcm_more_fds(unsigned int nr);
int vcm_next_fd(int any);

void vcm_kill_in(void (*run)(void *data), void *data, unsigned int delay_us);

#endif /* VCM_PROCESS_H */
