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
	"       vcm-bench heap [OPTION]... [machine|overhead|steps|loop|frag|threads]...\n"
	"       vcm-bench count [OPTION]... [steps|devices|scattered|loop|camera|profile]...\n"
	"       vcm-bench loop [OPTION]... HEAP\n"
	"\n"
	"iova, space:\n"
	"  --seed N         the first random sequence (default 1)\n"
	"  --seeds N        how many of them (default 20)\n"
	"  --rounds N       how often each mapping is timed (default 300)\n"
	"heap, count, loop:\n"
	"  --repeats N      how often each step is timed, small buffers more (default 15)\n"
	"  --largest MB     the largest buffer (default 256)\n"
	"  --bytes N        the same, finer\n"
	"  --loops N        how often a loop allocates and closes (default 5000)\n"
	"  --loop-seconds N when it ends at the latest (default 3 for heap)\n"
	"  --without-pool   leave out what needs the warm pool\n"
	"\n"
	"Without a section all of them. iova and space: each line of the result says PASS\n"
	"or MISS of a goal, or info; times are medians, with the quartiles behind them.\n"
	"heap, count and loop: lines of fields for a program. loop allocates and closes 4 KB,\n"
	"1, 8 and 32 MB on the heap HEAP. count says how many instructions the steps take, in a\n"
	"guest whose clock counts them; devices are those in which a device has a part,\n"
	"scattered the same where memory is in pieces. profile has to be named.\n";

struct section {
	const char *name;
	void (*run)(const struct options *options);
};

static const struct section iova_sections[] = {
	{ "pack", section_pack },
	{ "holes", section_holes },
	{ "map", section_map },
	{ "leaves", section_leaves },
	{ "rounds", section_rounds },
	{}
};

static const struct section space_sections[] = {
	{ "space", section_space },
	{}
};

static const struct section heap_sections[] = {
	{ "machine", section_machine },
	{ "overhead", section_overhead },
	{ "steps", section_steps },
	{ "loop", section_loop },
	{ "frag", section_frag },
	{ "threads", section_threads },
	{}
};

static const struct section count_sections[] = {
	{ "steps", section_count_steps },
	{ "devices", section_count_devices },
	{ "scattered", section_count_scattered },
	{ "loop", section_count_loop },
	{ "camera", section_count_camera },
	{ "profile", section_count_profile },
	{}
};

static void run_section(const struct section *section, const char *name,
			const struct options *options)
{
	for (; section->name; section++) {
		if (strcmp(name, section->name))
			continue;
		section->run(options);
		return;
	}
	die("no section \"%s\"", name);
}

static void run_sections(const struct section *sections, char **names,
			 const struct options *options)
{
	const struct section *section;

	if (!*names)
		for (section = sections; section->name; section++)
			if (section->run != section_count_profile)
				section->run(options);
	for (; *names; names++)
		run_section(sections, *names, options);
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
		{ "repeats", required_argument, NULL, 'R' },
		{ "largest", required_argument, NULL, 'm' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "loops", required_argument, NULL, 'l' },
		{ "loop-seconds", required_argument, NULL, 't' },
		{ "without-pool", no_argument, NULL, 'p' },
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
		case 'R':
			options->repeats = number(optarg);
			break;
		case 'm':
			options->largest = MIB(number(optarg));
			break;
		case 'b':
			options->largest = number(optarg);
			break;
		case 'l':
			options->loops = number(optarg);
			break;
		case 't':
			options->loop_seconds = number(optarg);
			break;
		case 'p':
			options->without_pool = true;
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

static int wrong_use(void)
{
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct options options = {
		.seed = 1,
		.seeds = 20,
		.rounds = 300,
		.repeats = 15,
		.largest = MIB(256),
		.loops = 5000,
	};
	const char *what;
	char **rest;

	parse_options(argc, argv, &options);
	if (optind == argc)
		return wrong_use();

	what = argv[optind];
	rest = argv + optind + 1;
	if (!strcmp(what, "iova")) {
		run_sections(iova_sections, rest, &options);
	} else if (!strcmp(what, "space") && !*rest) {
		run_sections(space_sections, rest, &options);
	} else if (!strcmp(what, "heap")) {
		if (!options.loop_seconds)
			options.loop_seconds = 3;
		run_sections(heap_sections, rest, &options);
	} else if (!strcmp(what, "count")) {
		run_sections(count_sections, rest, &options);
	} else if (!strcmp(what, "loop") && *rest && !rest[1]) {
		loop_heap(*rest, *rest, &options);
	} else {
		return wrong_use();
	}
	return 0;
}
