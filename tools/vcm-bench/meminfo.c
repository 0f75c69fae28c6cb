// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel says of its memory.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "meminfo.h"
#include "report.h"

uint64_t meminfo(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	size_t len = strlen(key);
	char line[128];

	if (!file)
		die("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, len) && sscanf(line + len, ": %llu", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}
