// SPDX-License-Identifier: GPL-2.0
/*
 * The placement of buffers, tested and measured without a kernel
 */

#include <getopt.h>
#include <stdio.h>

#include "vcm-extent-test.h"

static const char usage[] =
	"usage: vcm-extent-test [--list-subtests | --run-subtest CASE | --bench]\n"
	"\n"
	"Prints KTAP.\n"
	"VCM_seed=<number> in the environment repeats a run with its random numbers.\n"
	"--bench measures; only meaningful in a build without sanitizers.\n";

static const struct option options[] = {
	{ "list-subtests", no_argument, NULL, 'l' },
	{ "run-subtest", required_argument, NULL, 'r' },
	{ "bench", no_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

int main(int argc, char **argv)
{
	int option = getopt_long(argc, argv, "", options, NULL);

	if (optind < argc || option == '?') {
		fputs(usage, stderr);
		return 2;
	}
	switch (option) {
	case 'l':
		return kunit_list();
	case 'r':
		return kunit_run(optarg);
	case 'b':
		return bench();
	case 'h':
		fputs(usage, stdout);
		return 0;
	default:
		return kunit_run(NULL);
	}
}
