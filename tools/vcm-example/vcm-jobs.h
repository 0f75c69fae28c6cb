/* SPDX-License-Identifier: MIT */
/* What vcm-jobs.c is asked for, by vcm-many.c. */
#ifndef _VCM_JOBS_H
#define _VCM_JOBS_H

#include <linux/ioctl.h>

/* Buffers that the device may have */
#define VCM_JOBS_MAX		16

/* The device copies the first bytes of a buffer, so many, behind themselves. */
#define VCM_JOBS_LEN		1024

/* The argument is the fd of a buffer; what is returned names it in the next call. */
#define VCM_JOBS_ADD		_IO('V', 1)

/* The argument is what VCM_JOBS_ADD returned. */
#define VCM_JOBS_RUN		_IO('V', 2)

#endif /* _VCM_JOBS_H */
