/* SPDX-License-Identifier: MIT */
/*
 * The commands of vcmctl. Each gets its own name as the first argument, and
 * returns the exit status.
 */
#ifndef VCMCTL_H
#define VCMCTL_H

int vcmctl(int argc, char **argv);

int command_info(int argc, char **argv);
int command_alloc(int argc, char **argv);
int command_map(int argc, char **argv);
int command_buffers(int argc, char **argv);
int command_iova(int argc, char **argv);
int command_spaces(int argc, char **argv);
int command_pool(int argc, char **argv);

#endif /* VCMCTL_H */
