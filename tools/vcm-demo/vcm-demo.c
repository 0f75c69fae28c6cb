// SPDX-License-Identifier: MIT
/*
 * Shows the vcm heap at its job.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cold-alloc.h"
#include "heap.h"
#include "job.h"

static const char usage[] =
	"usage: vcm-demo FILE\n"
	"       vcm-demo --cold-alloc [ROUNDS]\n"
	"\n"
	"With FILE: fills a buffer of the heap vcm from FILE, has the device vcm-edu read\n"
	"and write it through its IOMMU, checks every byte, and shows what each step took,\n"
	"beside the same on the heap system.\n"
	"With --cold-alloc: times allocations of 1 to 256 MiB on both heaps in turn.\n";

static unsigned int parse_rounds(const char *text)
{
	unsigned long rounds;
	char *end;

	errno = 0;
	rounds = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || !rounds || rounds > 10000)
		die("\"%s\" is no number of rounds (1 to 10000)", text);
	return rounds;
}

static int wrong_use(void)
{
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return wrong_use();

	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--cold-alloc")) {
		if (argc > 3)
			return wrong_use();
		cold_alloc_run(argc > 2 ? parse_rounds(argv[2]) : COLD_ALLOC_ROUNDS);
		return 0;
	}
	if (argc > 2 || argv[1][0] == '-')
		return wrong_use();
	job_run(argv[1]);
	return 0;
}
