// SPDX-License-Identifier: MIT
/*
 * Command lines.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "options.h"
#include "size.h"

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
