// SPDX-License-Identifier: MIT
/*
 * Numbers of bytes, as people write and read them.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

static const char suffixes[] = "KMGT";

bool size_parse(const char *text, uint64_t *size)
{
	unsigned long long number;
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	/* strtoull() takes a sign, and blanks in front. */
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (number > UINT64_MAX >> shift)
		return false;
	*size = (uint64_t)number << shift;
	return true;
}

const char *size_text(uint64_t size, char *text)
{
	static const char * const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && size % 1024 == 0 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		size /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_LEN, "%llu %s", (unsigned long long)size, units[unit]);
	return text;
}
