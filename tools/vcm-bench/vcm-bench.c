// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the vcm heap against the system heap, in a guest with the sample
 * importers vcm-edu and the module vcm-bench.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "sections.h"

static const char usage[] =
	"usage: vcm-bench iova [OPTION]... [pack|holes|map|leaves|rounds]...\n"
	"       vcm-bench space [OPTION]...\n"
	"\n"
	"  --seed N     the first random sequence (default 1)\n"
	"  --seeds N    how many of them (default 20)\n"
	"  --rounds N   how often each mapping is timed (default 300)\n"
	"\n"
	"Without a section all of them. Each line of the result says PASS or MISS of a\n"
	"goal, or info; times are medians, with the quartiles behind them.\n";

static const struct {
	const char *name;
	void (*run)(const struct options *options);
} sections[] = {
	{ "pack", section_pack },
	{ "holes", section_holes },
	{ "map", section_map },
	{ "leaves", section_leaves },
	{ "rounds", section_rounds },
};

static void run_section(const char *name, const struct options *options)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(sections); i++) {
		if (strcmp(name, sections[i].name))
			continue;
		sections[i].run(options);
		return;
	}
	die("no section \"%s\"", name);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end || !n)
		die("\"%s\" is no number above 0", text);
	return n;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options->seed = number(optarg);
			break;
		case 'n':
			options->seeds = number(optarg);
			break;
		case 'r':
			options->rounds = number(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = { .seed = 1, .seeds = 20, .rounds = 300 };
	int i;

	parse_options(argc, argv, &options);
	if (optind + 1 == argc && !strcmp(argv[optind], "space")) {
		section_space(&options);
		return 0;
	}
	if (optind == argc || strcmp(argv[optind], "iova")) {
		fputs(usage, stderr);
		return 2;
	}

	if (optind + 1 == argc)
		for (i = 0; i < ARRAY_SIZE(sections); i++)
			sections[i].run(&options);
	for (i = optind + 1; i < argc; i++)
		run_section(argv[i], &options);
	return 0;
}
