// SPDX-License-Identifier: MIT
/*
 * Command lines, and numbers of bytes as people write them.
 */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vcmctl.h"

const char *fail_command;

void fail_use(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("vcmctl: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, " (see vcmctl %s%s--help)\n", fail_command ?: "", fail_command ? " " : "");
	exit(2);
}

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

	for (i = 0; i < ARRAY_SIZE(units); i++)
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

int options_next(int argc, char **argv, const struct option *options)
{
	int option;

	/* The messages are ours. */
	opterr = 0;
	option = getopt_long(argc, argv, ":", options, NULL);
	if (option == ':')
		fail_use("%s needs a value", argv[optind - 1]);
	if (option == '?')
		fail_use("%s has no option '%s'", argv[0], argv[optind - 1]);
	return option;
}

char *options_only_argument(int argc, char **argv)
{
	if (argc - optind != 1)
		fail_use("%s takes one argument", argv[0]);
	return argv[optind];
}

void options_no_argument(int argc, char **argv)
{
	if (argc > optind)
		fail_use("%s takes no argument", argv[0]);
}

void options_none(int argc, char **argv)
{
	static const struct option none[] = { {} };

	while (options_next(argc, argv, none) != -1)
		;
	options_no_argument(argc, argv);
}

uint64_t options_size(const char *what, const char *text)
{
	uint64_t size;

	if (!size_parse(text, &size))
		fail_use("%s: '%s' is no size such as 4096, 64K or 2MiB", what, text);
	return size;
}

/* A set is an OR of sizes, so what is no power of two would be several. */
static uint64_t chunk_size(const char *what, const char *text)
{
	uint64_t size;

	if (!strcmp(text, "page"))
		return sysconf(_SC_PAGESIZE);
	if (!size_parse(text, &size) || !size || size & (size - 1))
		fail_use("%s: '%s' is no chunk size; several are given as 2M,1M,64K,page", what,
			 text);
	return size;
}

uint64_t options_sizes(const char *what, const char *text)
{
	const char *end;
	uint64_t sizes = 0;

	do {
		char one[SIZE_TEXT_LEN];

		end = strchrnul(text, ',');
		snprintf(one, sizeof(one), "%.*s", (int)(end - text), text);
		if (end - text >= (int)sizeof(one))
			fail_use("%s: '%s...' is no size", what, one);
		sizes |= chunk_size(what, one);
		text = end + 1;
	} while (*end);
	return sizes;
}

const char *options_number(const char *what, const char *text)
{
	if (!*text || text[strspn(text, "0123456789")])
		fail_use("%s: '%s' is no number", what, text);
	return text;
}
