// SPDX-License-Identifier: MIT
/*
 * Shows the vcm heap at its job.
 */

#include <stdio.h>
#include <string.h>

#include "job.h"

static const char usage[] =
	"usage: vcm-demo FILE\n"
	"\n"
	"Fills a buffer of the heap vcm from FILE, has the device vcm-edu read and write\n"
	"it through its IOMMU, checks every byte, and shows what each step took, beside\n"
	"the same on the heap system.\n";

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
	if (argc > 2 || argv[1][0] == '-')
		return wrong_use();
	job_run(argv[1]);
	return 0;
}
