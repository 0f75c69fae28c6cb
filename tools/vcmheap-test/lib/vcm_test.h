/* SPDX-License-Identifier: MIT */
/*
 * What most tests need: igt, and buffers as the heap, debugfs and devices have them.
 */
#ifndef VCM_TEST_H
#define VCM_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_dev.h"
#include "vcm_heap.h"
#include "vcm_importer.h"
#include "vcm_memory.h"
#include "vcm_pool.h"
#include "vcm_process.h"

#endif /* VCM_TEST_H */
