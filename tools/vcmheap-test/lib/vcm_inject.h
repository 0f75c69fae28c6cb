/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose, for tests: the n-th thing that can fail in a call does.
 */
#ifndef VCM_INJECT_H
#define VCM_INJECT_H

#include <stdbool.h>

void vcm_inject_init(void);
void vcm_inject_only_in(const char *function);
void vcm_inject_never_in(const char *function);
void vcm_inject_no_pages(void);
void vcm_inject_begin(unsigned int n);
bool vcm_inject_end(void);

/* All that a call may leave behind */
struct vcm_state {
	unsigned int fds;	/* open file descriptors */
	int next_fd;		/* the one that comes next */
	char *text[4];		/* what the files in debugfs show */
};

void vcm_state_read(struct vcm_state *state);
void vcm_state_assert_same(struct vcm_state *before, const char *what, unsigned int n);
void vcm_state_free(struct vcm_state *state);

#endif /* VCM_INJECT_H */
