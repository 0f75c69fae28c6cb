// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the vcm heap against the system heap, in a guest with the
 * importer of the tests and the module vcm-bench.
 */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "sections.h"

static const char usage[] =
	"usage: vcm-bench [OPTION]... SECTION...\n"
	"\n"
	"pack, place, holes, map, leaves, space, set: each line of the result says PASS or MISS of a\n"
	"goal, or info; times are medians, with the quartiles behind them.\n"
	"\n"
	"machine, overhead, steps, loop, frag, runs, threads: lines of fields for a program.\n"
	"\n"
	"count-steps, count-devices (steps in which a device has a part), count-scattered (the\n"
	"same where memory is in pieces), count-loop, count-camera, count-caches (calls that\n"
	"reach the caches), profile (the functions of steps): lines of fields too; instructions,\n"
	"in a guest whose clock counts them.\n"
	"\n"
	"  --rounds N       how often each mapping or switch is timed (default 300)\n"
	"  --repeats N      how often each step is timed, small buffers more (default 15)\n"
	"  --largest MB     the largest buffer (default 256)\n"
	"  --bytes N        the same, finer\n";

static const struct section {
	const char *name;
	void (*run)(const struct options *options);
} sections[] = {
	{ "pack", section_pack },
	{ "place", section_place },
	{ "holes", section_holes },
	{ "map", section_map },
	{ "leaves", section_leaves },
	{ "space", section_space },
	{ "set", section_set },
	{ "machine", section_machine },
	{ "overhead", section_overhead },
	{ "steps", section_steps },
	{ "loop", section_loop },
	{ "frag", section_frag },
	{ "runs", section_runs },
	{ "threads", section_threads },
	{ "count-steps", section_count_steps },
	{ "count-devices", section_count_devices },
	{ "count-scattered", section_count_scattered },
	{ "count-loop", section_count_loop },
	{ "count-camera", section_count_camera },
	{ "count-caches", section_count_caches },
	{ "profile", section_profile },
};

static const struct section *section_find(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(sections); i++)
		if (!strcmp(name, sections[i].name))
			return &sections[i];
	die("no section \"%s\" (see --help)", name);
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
		{ "rounds", required_argument, NULL, 'r' },
		{ "repeats", required_argument, NULL, 'R' },
		{ "largest", required_argument, NULL, 'm' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			options->rounds = number(optarg);
			break;
		case 'R':
			options->repeats = number(optarg);
			break;
		case 'm':
			options->largest = MIB(number(optarg));
			break;
		case 'b':
			options->largest = number(optarg);
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
	struct options options = { .rounds = 300, .repeats = 15, .largest = MIB(256) };
	int i;

	parse_options(argc, argv, &options);
	if (optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = optind; i < argc; i++)
		section_find(argv[i])->run(&options);
	return 0;
}
