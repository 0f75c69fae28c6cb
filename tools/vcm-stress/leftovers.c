// SPDX-License-Identifier: MIT
/*
 * What is left when all is closed: nothing should be.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"
#include "vcm_files.h"

/* A buffer may go a little after the last reference to it was closed. */
#define SETTLE_STEPS	100
#define SETTLE_STEP_US	50000

/*
 * Have the heap give all chunks back that it keeps. Returns false, with a line that says
 * so, if some are left.
 */
bool drain_pool(void)
{
	uint64_t kib = 0;
	int ret;

	if (access(VCM_DEBUGFS "pool", R_OK))
		return true;
	ret = vcm_file_write(VCM_DEBUGFS "pool_drain", "1");
	if (!ret && vcm_file_figure(VCM_DEBUGFS "pool", "total_kb", &kib) && !kib)
		return true;
	printf("# draining the pool: %s, %llu KiB are left\n", strerror(-ret),
	       (unsigned long long)kib);
	return false;
}

static bool all_gone(void)
{
	static const char *const keys[] = { "buffers", "bytes", "attachments" };
	char *totals = vcm_file_read(VCM_DEBUGFS "totals"), *iova = vcm_file_read(VCM_DEBUGFS "iova");
	char *spaces = vcm_file_read(VCM_DEBUGFS "spaces");
	bool gone = totals && iova && spaces && !*iova && !*spaces;
	uint64_t value;
	int i;

	for (i = 0; gone && i < ARRAY_SIZE(keys); i++)
		gone = vcm_figure(totals, keys[i], &value) && !value;
	free(totals);
	free(iova);
	free(spaces);
	return gone;
}

/*
 * Returns whether no buffer, attachment, address or space is in use; else prints what is
 * left.
 */
bool no_leftovers(void)
{
	static const char *const files[] = { "totals", "iova", "spaces" };
	char path[64], *text;
	int i;

	for (i = 0; i < SETTLE_STEPS; i++) {
		if (all_gone())
			return true;
		usleep(SETTLE_STEP_US);
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), VCM_DEBUGFS "%s", files[i]);
		text = vcm_file_read(path);
		printf("# %s:\n%s", path, text ?: "# cannot be read\n");
		free(text);
	}
	return false;
}
