// SPDX-License-Identifier: MIT
/*
 * The vcm heap from the command line.
 */

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "vcmctl.h"

static const char usage[] =
	"usage: vcmctl COMMAND [OPTION]...\n"
	"\n"
	"  info                what the heap offers, and its default policy\n"
	"  alloc SIZE          allocate a buffer and show what it is made of\n"
	"    --align=SIZE        its addresses in devices are multiples of this\n"
	"    --guard=SIZE        bytes behind it that stay unmapped in devices\n"
	"    --chunks=SIZE,...   chunk sizes to use, 'page' for the page's\n"
	"    --strict            no device may get it otherwise\n"
	"    --name=NAME         as debugfs shows it\n"
	"    --hold              keep it until a signal ends the program\n"
	"  map SIZE            map a buffer where large chunks take one page-table\n"
	"                      entry, and at any address, and show what that costs\n"
	"    --chunks=SIZE,...   as above\n"
	"  buffers             all buffers, and the devices that use them\n"
	"  pool                what waits for later buffers\n"
	"    --cap=MB            keep no more than this\n"
	"    --low=MB --high=MB  fill it up to the high mark when it is below the\n"
	"                        low one, by chunk size; --low=0: never\n"
	"    --drain             give all of it back\n"
	"\n"
	"A SIZE is in bytes, or has one of the suffixes K, M, G and T.\n"
	"'buffers' and 'pool' need root and debugfs.\n"
	"Exit status: 0; 1 if the machine refused; 2 for wrong use.\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "info", command_info },
	{ "alloc", command_alloc },
	{ "map", command_map },
	{ "buffers", command_buffers },
	{ "pool", command_pool },
};

/* What is written may be all that the program is for: a full disk is a failure. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		fail("cannot write the output");
	return status;
}

int vcmctl(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2)
		fail_use("no command");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(usage, stdout);
		return finish(0);
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return finish(commands[i].run(argc - 1, argv + 1));
	fail_use("no command '%s'", argv[1]);
}
