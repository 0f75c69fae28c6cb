/* SPDX-License-Identifier: MIT */
/* What vcm-example.c is asked for, by vcm-import.c. */
#ifndef _VCM_EXAMPLE_H
#define _VCM_EXAMPLE_H

#include <linux/ioctl.h>

/* The device copies the first bytes of a buffer, so many, behind themselves. */
#define VCM_EXAMPLE_LEN		1024

/* The argument is the fd of the buffer. */
#define VCM_EXAMPLE_COPY	_IO('V', 0)

#endif /* _VCM_EXAMPLE_H */
