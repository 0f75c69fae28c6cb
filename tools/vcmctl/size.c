// SPDX-License-Identifier: MIT
/*
 * Numbers of bytes, as people write and read them.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "size.h"

/* What may follow a number; also with a blank between, as size_text() writes it. */
static const struct {
	const char *name;
	unsigned int shift;
} units[] = {
	{ "", 0 }, { "bytes", 0 },
	{ "K", 10 }, { "KiB", 10 }, { "M", 20 }, { "MiB", 20 },
	{ "G", 30 }, { "GiB", 30 }, { "T", 40 }, { "TiB", 40 },
};

/* -1 if there is no such unit */
static int unit_shift(const char *text)
{
	unsigned int i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcasecmp(text, units[i].name))
			return units[i].shift;
	return -1;
}

bool size_parse(const char *text, uint64_t *size)
{
	unsigned long long number;
	char *end;
	int shift;

	/* strtoull() takes a sign, and blanks in front. */
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (end[0] == ' ' && end[1])
		end++;
	shift = unit_shift(end);
	if (shift < 0)
		return false;
	if (number > UINT64_MAX >> shift)
		return false;
	*size = (uint64_t)number << shift;
	return true;
}

const char *size_text(uint64_t size, char *text)
{
	static const char * const names[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && size % 1024 == 0 && unit < sizeof(names) / sizeof(names[0]) - 1) {
		size /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_LEN, "%llu %s", (unsigned long long)size, names[unit]);
	return text;
}
