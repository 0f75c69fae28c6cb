/* SPDX-License-Identifier: MIT */
/*
 * The file descriptors and the end of processes, for tests.
 */
#ifndef VCM_PROCESS_H
#define VCM_PROCESS_H

unsigned int vcm_open_fds(void);
void vcm_more_fds(unsigned int nr);
int vcm_next_fd(int any);

void vcm_kill_in(void (*run)(void *data), void *data, unsigned int delay_us);

#endif /* VCM_PROCESS_H */
