// SPDX-License-Identifier: MIT
/*
 * The vcm heap from the command line.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/dma-heap-vcm.h>

#include "vcmctl.h"

#define SIZES \
	"A SIZE is in bytes, or has a unit: 64K, 2M, 33MiB, '1 GiB'.\n"

#define CHUNKS \
	"  --chunks=SIZE,...   chunk sizes to use, such as 2M,1M; 'page' for the page's\n"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *what;
	const char *more;
} commands[] = {
	{ "info", command_info, "", "what the heap offers, and its default policy",
	  "\nRoot changes the default policy with the parameters align, guard and strict in\n"
	  "/sys/module/vcm_heap/parameters.\n" },
	{ "alloc", command_alloc, " [OPTION]... SIZE",
	  "allocate a buffer and show what it is made of",
	  "\n"
	  "  --align=SIZE        its addresses in devices are multiples of this\n"
	  "  --guard=SIZE        bytes behind it that stay unmapped in devices\n"
	  "  --guard-before=SIZE ... and before it\n"
	  "  --scratch           devices read zeroes there instead\n"
	  "  --keep              devices keep their mapping, and their access, when they unmap\n"
	  "  --window=NUMBER     it is in the window of that number, in devices that have it\n"
	  CHUNKS
	  "  --contiguous        one run of memory, or nothing\n"
	  "  --reach=SIZE        its memory is below this physical address, such as 4G\n"
	  "  --strict            no device may get it otherwise\n"
	  "  --name=NAME         as 'vcmctl buffers' shows it\n"
	  "  --hold              keep it until a signal ends the program\n"
	  "\n"
	  "It is aligned to its largest chunk at least; for a device of up to 32 address bits\n"
	  "a chunk of 2 MiB may count as two of 1 MiB.\n" SIZES },
	{ "map", command_map, " [OPTION]... SIZE",
	  "map a buffer for the CPU, and show what that costs",
	  "\n" CHUNKS
	  "\n"
	  "Once where large chunks take one page-table entry, and once at any address.\n" SIZES },
	{ "buffers", command_buffers, "", "all buffers, and the devices that use them",
	  "\nFor root, with debugfs.\n" },
	{ "iova", command_iova, "", "the devices' addresses, and what is where",
	  "\nFor root, with debugfs.\n" },
	{ "spaces", command_spaces, "", "the address spaces that swap under devices",
	  "\nFor root, with debugfs.\n" },
	{ "pool", command_pool, " [OPTION]...", "what waits for later buffers",
	  "\n"
	  "  --cap=MB            keep no more than this\n"
	  "  --low=MB --high=MB  fill it up to the high mark when it is below the low one,\n"
	  "                      by chunk size; --low=0: never\n"
	  "  --drain             give all of it back\n"
	  "\n"
	  "For root, with debugfs.\n" },
};

/* What is written may be all that the program is for: a full disk is a failure. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output");
	return status;
}

static int help_all(void)
{
	unsigned int i;

	puts("usage: vcmctl COMMAND [OPTION]...\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].what);
	puts("  help      this, or help on a command: vcmctl help alloc\n"
	     "  --version the version of the heap's interface that it was built for\n"
	     "\n"
	     "Exit status: 0; 1 if the machine refused; 2 for wrong use.");
	return finish(0);
}

static int help(const struct command *command)
{
	printf("usage: vcmctl %s%s\n\n%s\n%s", command->name, command->args, command->what,
	       command->more);
	return finish(0);
}

static const struct command *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	fail_use("no command '%s'", name);
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

static int run(const struct command *command, int argc, char **argv)
{
	int i;

	fail_command = command->name;
	for (i = 1; i < argc; i++)
		if (is_help(argv[i]))
			return help(command);
	return finish(command->run(argc, argv));
}

int vcmctl(int argc, char **argv)
{
	program_invocation_short_name = "vcmctl";
	if (argc < 2)
		fail_use("no command");
	if (!strcmp(argv[1], "help") && argc > 3)
		fail_use("help is on one command");
	if (!strcmp(argv[1], "help") && argc > 2)
		return help(find(argv[2]));
	if (!strcmp(argv[1], "help") || is_help(argv[1]))
		return help_all();
	if (!strcmp(argv[1], "--version")) {
		if (argc > 2)
			fail_use("--version takes no argument");
		printf("vcmctl for version %d of the interface\n", DMA_HEAP_VCM_VERSION);
		return finish(0);
	}
	return run(find(argv[1]), argc - 1, argv + 1);
}
