// SPDX-License-Identifier: MIT
/*
 * Tests of vcmctl, on a machine with the vcm heap: each command is run as by a
 * user, and what it prints and returns is looked at.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map-aligned.h"
#include "vcm_buffer.h"
#include "vcmctl.h"

#define ARGS_MAX 16

static unsigned int failures;

static bool __check(bool ok, int line, const char *what, const char *output)
{
	if (!ok) {
		printf("line %d: not %s%s%s\n", line, what, output ? ":\n" : "",
		       output ? output : "");
		failures++;
	}
	return ok;
}

#define check(cond) __check(cond, __LINE__, #cond, NULL)

/* What the last run printed, standard error included. */
static char output[16384];

#define check_has(text) __check(strstr(output, text), __LINE__, #text, output)
#define check_has_not(text) __check(!strstr(output, text), __LINE__, "without " #text, output)

/* Starts vcmctl in a child; what it prints is to be read from *@from. */
static pid_t start(char **args, int argc, int *from)
{
	int fds[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) || (pid = fork()) < 0) {
		perror("vcmctl-test");
		exit(1);
	}
	if (!pid) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		exit(vcmctl(argc, args));
	}
	close(fds[1]);
	*from = fds[0];
	return pid;
}

/* "a b c" to arguments; in @text the blanks become ends. */
static int split(char *text, char **args)
{
	char *arg, *save = NULL;
	int argc = 0;

	args[argc++] = "vcmctl";
	for (arg = strtok_r(text, " ", &save); arg && argc < ARGS_MAX - 1;
	     arg = strtok_r(NULL, " ", &save))
		args[argc++] = arg;
	args[argc] = NULL;
	return argc;
}

/* Runs "vcmctl @line" and returns its exit status. */
static int run(const char *line)
{
	char *args[ARGS_MAX], text[256];
	size_t len = 0;
	int status, from;
	ssize_t got;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", line);
	pid = start(args, split(text, args), &from);
	while (len < sizeof(output) - 1 &&
	       (got = read(from, output + len, sizeof(output) - 1 - len)) > 0)
		len += got;
	output[len] = '\0';
	close(from);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* ---- Cases ---- */

static void test_help(void)
{
	check(run("--help") == 0);
	check_has("usage: vcmctl");
	check_has("Exit status");
	check_has("spaces");
	check(run("-h") == 0);
	check_has("usage: vcmctl COMMAND");
	check(run("help") == 0);
	check_has("usage: vcmctl COMMAND");
	check(run("--version") == 0);
	check_has("version 4 of the interface");
}

/* However it is asked for, also where the rest is wrong, and without the heap. */
static void test_command_help(void)
{
	static const char * const names[] = {
		"info", "alloc", "map", "buffers", "iova", "spaces", "pool",
	};
	static const char * const forms[] = { "help %s", "%s --help", "%s -h", "%s --nothing --help" };
	char line[64], usage[64];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(usage, sizeof(usage), "usage: vcmctl %s", names[i]);
		for (j = 0; j < ARRAY_SIZE(forms); j++) {
			snprintf(line, sizeof(line), forms[j], names[i]);
			check(run(line) == 0);
			check_has(usage);
		}
	}
	check(run("alloc --help") == 0);
	check_has("--align=SIZE");
	check_has_not("--drain");
	check(run("help nothing") == 2);
}

static void test_wrong_use(void)
{
	static const char * const lines[] = {
		"", "nothing", "help alloc map", "--version x", "info more", "info --align=4K",
		"alloc", "alloc 4K 8K", "alloc 4X",
		"alloc -4K", "alloc 4KB", "alloc 1.5M", "alloc --align", "alloc --align=x 4K",
		"alloc --chunks= 4K", "alloc --chunks=2M,,4K 4K", "alloc --chunks=2M,x 4K",
		"alloc --chunks=3M 6M", "alloc --chunks=2M,96K 6M", "alloc --chunks=0 4K",
		"alloc --nothing 4K", "alloc --window=0 4K", "alloc --window=x 4K", "alloc --window=4294967296 4K", "alloc --strict=1 4K", "alloc 99999999999999999999",
		"alloc 16777216T", "map", "map 1M 1M", "buffers more", "pool more", "pool --cap",
		"iova more", "spaces more", "pool --cap=-1", "pool --cap=8M", "pool --cap=", "pool --low=x", "pool --drain=1",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!__check(run(lines[i]) == 2, __LINE__, "refused", lines[i]))
			continue;
		check_has("vcmctl: ");
		check_has("--help)\n");
		/* In one line. */
		check(strchr(output, '\n') == output + strlen(output) - 1);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t size;
	} cases[] = {
		{ "0", true, 0 },
		{ "4096", true, 4096 },
		{ "0x1000", true, 4096 },
		{ "64K", true, 65536 },
		{ "64k", true, 65536 },
		{ "2M", true, 2097152 },
		{ "3G", true, 3221225472 },
		{ "1T", true, 1099511627776 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "16777215T", true, 16777215ull << 40 },
		{ "16777216T", false, 0 },
		{ "", false, 0 },
		{ "K", false, 0 },
		{ " 4", false, 0 },
		{ "+4", false, 0 },
		{ "-4", false, 0 },
		{ "4 K", true, 4096 },
		{ "33MiB", true, 33 << 20 },
		{ "33 MiB", true, 33 << 20 },
		{ "64KiB", true, 65536 },
		{ "1 GiB", true, 1 << 30 },
		{ "2TiB", true, 2ull << 40 },
		{ "5 bytes", true, 5 },
		{ "4KB", false, 0 },
		{ "4 ", false, 0 },
		{ "4  K", false, 0 },
		{ "4iB", false, 0 },
		{ "4 MiBs", false, 0 },
		{ "4KK", false, 0 },
		{ "4P", false, 0 },
	};
	unsigned int i;
	uint64_t size;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good = size_parse(cases[i].text, &size);

		__check(good == cases[i].good && (!good || size == cases[i].size), __LINE__,
			"understood", cases[i].text);
	}
}

/* What is no size at all gets the same answer as what is no chunk size. */
static void test_chunk_sizes_refused(void)
{
	static const char * const lines[] = {
		"alloc --chunks= 4K", "alloc --chunks=Page 4K", "alloc --chunks=3M 6M",
		"map --chunks=2M,x 4M",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		check(run(lines[i]) == 2);
		check_has("is no chunk size; several are given as 2M,1M,64K,page");
	}
}

/* What is printed is understood. */
static void test_sizes_both_ways(void)
{
	static const uint64_t sizes[] = {
		0, 1, 1023, 1024, 1025, 65536, 33 << 20, 1ull << 30, 3ull << 40, 5ull << 50,
		UINT64_MAX,
	};
	char text[SIZE_TEXT_LEN];
	uint64_t size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		check(size_parse(size_text(sizes[i], text), &size));
		check(size == sizes[i]);
	}
}

static void test_info(void)
{
	check(run("info") == 0);
	check_has("version       4\n");
	check_has("one run up to 256 MiB\n");
	check_has("2 MiB, 1 MiB, 64 KiB, 4 KiB\n");
	check_has("length up to");
	check_has("By default:");
}

static void test_alloc(void)
{
	check(run("alloc 3M") == 0);
	check_has("length        3 MiB\n");
	check_has("chunks        1 x 2 MiB, 1 x 1 MiB\n");
	check_has("runs          ");
	check_has("alignment     2 MiB, as its largest chunk\n");
	check_has("strict        no\n");
	check(run("alloc 5000") == 0);
	check_has("length        8 KiB\n");
	check_has("chunks        2 x 4 KiB\n");
}

static void test_alloc_options(void)
{
	check(run("alloc --align=4M --guard 64K --strict --chunks=1M,64K 3M") == 0);
	check_has("chunks        3 x 1 MiB\n");
	check_has("alignment     4 MiB\n");
	check_has("guard         64 KiB\n");
	check_has("strict        yes\n");
	check(run("alloc --guard-before=64K --scratch 4K") == 0);
	check_has("guard before  64 KiB\n");
	check_has("guards        zeroes\n");
	check(run("alloc --keep 4K") == 0);
	check_has("mappings      kept\n");
	check(run("alloc --window=7 4K") == 0);
	check_has("window        7\n");
	check(run("alloc 33MiB --align 1M --guard 64KiB") == 0);
	check_has("alignment     2 MiB, as its largest chunk (1 MiB was asked for)\n");
	check_has("guard         64 KiB\n");
	check(run("alloc 128K --chunks page") == 0);
	check_has("chunks        32 x 4 KiB\n");
	check(run("alloc 4M --reach 4G --strict") == 0);
	check_has("reach         4 GiB\n");
	check_has("beyond it     0 bytes\n");
	check(run("alloc 33M --contiguous") == 0);
	check_has("chunks        16 x 2 MiB, 1 x 1 MiB\n");
	check_has("runs          1\n");
}

/* Each error says what was wrong, and what can be done. */
static void test_alloc_refused(void)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "alloc 0", "cannot allocate 0 bytes: a buffer has at least one\n" },
		{ "alloc 1T", "cannot allocate 1 TiB: others need the memory that is left; ask for less\n" },
		{ "alloc 1T --chunks=2M",
		  "cannot allocate 1 TiB: others need the memory that is left; ask for less, or for smaller --chunks too\n" },
		{ "alloc 100K --chunks=1M,64K",
		  "cannot allocate 100 KiB: no multiple of 64 KiB, the smallest size in --chunks\n" },
		{ "alloc --chunks=2M,128K 1M",
		  "cannot allocate in chunks of 128 KiB: this kernel has 2 MiB, 1 MiB, 64 KiB, 4 KiB\n" },
		{ "alloc --align=3M 1M",
		  "cannot align to 3 MiB: a power of two from 4096 to 144115188075855872 is possible\n" },
		{ "alloc --guard=16777215T 1M",
		  "cannot keep a guard of 16777215 TiB: 131072 TiB at most are possible\n" },
		{ "alloc --guard-before=17M --scratch 8M",
		  "cannot keep a guard of 17 MiB: 16 MiB at most are possible\n" },
		{ "alloc --name=0123456789012345678901234567890123456789 1M",
		  "the name is too long: 31 bytes at most\n" },
		{ "alloc --contiguous 257M", "cannot allocate 257 MiB in one run: 256 MiB at most are possible\n" },
		{ "alloc --contiguous --chunks=2M 4M",
		  "--chunks does not go with --contiguous: a run is not made of chunks\n" },
		{ "map 0", "cannot allocate 0 bytes" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__check(run(cases[i].line) == 1, __LINE__, "refused", cases[i].line);
		__check(strstr(output, cases[i].text), __LINE__, cases[i].text, output);
		check(strchr(output, '\n') == output + strlen(output) - 1);
	}
}

/* For one who is not root, each command says what it takes. */
static void test_not_root(void)
{
	static const char * const lines[] = {
		"info", "alloc 4K", "map 4K", "buffers", "iova", "spaces", "pool",
	};
	unsigned int i;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		failures = 0;
		check(!setgid(65534) && !setuid(65534));
		for (i = 0; i < ARRAY_SIZE(lines); i++) {
			check(run(lines[i]) == 1);
			check_has("no permission for /");
			check_has("be root");
		}
		fflush(stdout);
		_exit(failures != 0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_addresses(void)
{
	check(run("iova") == 0);
	check(run("spaces") == 0);
}

/* It lives until it is killed, and is seen meanwhile. */
static void test_alloc_hold(void)
{
	char *args[] = { "vcmctl", "alloc", "--name=vcmctl-test", "--hold", "3M", NULL };
	char line[256];
	int status, from;
	pid_t pid = start(args, 5, &from);

	/* What it prints comes when the buffer is there. */
	check(read(from, line, sizeof(line)) > 0);
	check(run("buffers") == 0);
	check_has("vcmctl-test");
	check_has("       3 MiB ");
	check(waitpid(pid, &status, WNOHANG) == 0);

	kill(pid, SIGTERM);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	close(from);
	check(run("buffers") == 0);
	check_has_not("vcmctl-test");
	check_has("inode");
}

static void test_map(void)
{
	check(run("map 8M") == 0);
	check_has("chunks        4 x 2 MiB\n");
	check_has("aligned       at 0x");
	check_has(", 4 page faults\n");
	check_has("anywhere      at 0x");
	check(run("map --chunks=64K 1M") == 0);
	check_has(", 0 page faults\n");
	check_has_not(", 1 page faults\n");
}

static long minor_faults(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) ? -1 : usage.ru_minflt;
}

/* A mapping from @offset on shows that part of the buffer, with @large large entries. */
static void check_mapping(int dmabuf, const char *whole, off_t offset, size_t len, long large)
{
	char *map = vcm_map_aligned(dmabuf, offset, len, PROT_READ);
	long faults = minor_faults();

	if (!check(map != MAP_FAILED))
		return;
	check(((uintptr_t)map - offset) % MIB(2) == 0);
	check(!memcmp(map, whole + offset, len));
	check(minor_faults() - faults == large);
	check(munmap(map, len) == 0);
}

static size_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	check(file && fscanf(file, "%zu", &pages) == 1);
	fclose(file);
	return pages;
}

static void test_map_aligned(void)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(MIB(8));
	int dmabuf, dev = __vcm_dev_open();
	size_t before, at;
	uint64_t *whole;

	alloc.chunk_sizes = DMA_HEAP_VCM_CHUNK_2M;
	dmabuf = __vcm_dev_alloc(dev, &alloc);
	close(dev);
	whole = mmap(NULL, MIB(8), PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	check(whole != MAP_FAILED);
	for (at = 0; at < MIB(8) / sizeof(*whole); at++)
		whole[at] = at;

	before = address_space();
	minor_faults();
	check_mapping(dmabuf, (char *)whole, 0, MIB(8), 4);
	check_mapping(dmabuf, (char *)whole, MIB(2), MIB(4), 2);
	check_mapping(dmabuf, (char *)whole, 4096, MIB(8) - 4096, 3);
	check_mapping(dmabuf, (char *)whole, MIB(1), 5000, 0);
	/* What was reserved is given back, also when there is no mapping. */
	check(vcm_map_aligned(dmabuf, 0, MIB(9), PROT_READ) == MAP_FAILED && errno == EINVAL);
	check(vcm_map_aligned(dmabuf, 0, SIZE_MAX, PROT_READ) == MAP_FAILED && errno == ENOMEM);
	check(vcm_map_aligned(-1, 0, MIB(8), PROT_READ) == MAP_FAILED && errno == EBADF);
	check(address_space() == before);
	munmap(whole, MIB(8));
	close(dmabuf);
}

static void test_pool(void)
{
	check(run("pool --low=0 --high=0 --cap=16 --drain") == 0);
	check_has("cap           16 MB\n");
	check_has("low mark      0 MB\n");
	check_has("high mark     0 MB\n");
	check_has("holds         0 bytes\n");

	check(run("alloc 6M --chunks=2M") == 0);
	check(run("pool") == 0);
	check_has("holds         6 MiB\n");
	check(run("pool --cap=2") == 0);
	check_has("cap           2 MB\n");
	check_has("holds         2 MiB\n");
	check(run("pool --drain") == 0);
	check_has("holds         0 bytes\n");
}

static void test_pool_refill(void)
{
	int i;

	check(run("pool --cap=16 --drain") == 0);
	check(run("pool --low=1 --high=4") == 0);
	check_has("high mark     4 MB\n");
	/* Of three sizes; a minute is what the slowest machine may take. */
	for (i = 0; i < 600 && !strstr(output, "holds         12 MiB\n"); i++) {
		usleep(100000);
		run("pool");
	}
	check_has("holds         12 MiB\n");
	check_has("  2M                   2          0\n");
	check_has("  64K                 64          0\n");
	check(run("pool --low=0 --high=0 --drain") == 0);
	check_has("holds         0 bytes\n");
}

static void test_pool_refused(void)
{
	check(run("pool --cap=99999999999999999999") == 1);
	check_has("'99999999999999999999' is no value for /sys/module/vcm_heap/parameters/pool_mb");
	check(run("pool --low=4294967296") == 1);
}

/* Nothing is written, neither the marks nor what is asked for beside them. */
static void test_pool_marks_refused(void)
{
	check(run("pool --low=1 --high=2 --cap=16") == 0);
	check(run("pool --low=5 --high=3 --cap=8") == 2);
	check_has("the low mark, 5 MB, is above the high one, 3 MB");
	check(run("pool --low=10 --high=9") == 2);
	check(run("pool") == 0);
	check_has("cap           16 MB\n");
	check_has("low mark      1 MB\n");
	check_has("high mark     2 MB\n");
	check(run("pool --low=0 --high=0 --drain") == 0);
}

/* ---- Running ---- */

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "help", test_help },
	{ "command-help", test_command_help },
	{ "wrong-use", test_wrong_use },
	{ "chunk-sizes-refused", test_chunk_sizes_refused },
	{ "sizes", test_sizes },
	{ "sizes-both-ways", test_sizes_both_ways },
	{ "info", test_info },
	{ "alloc", test_alloc },
	{ "alloc-options", test_alloc_options },
	{ "alloc-refused", test_alloc_refused },
	{ "alloc-hold", test_alloc_hold },
	{ "addresses", test_addresses },
	{ "not-root", test_not_root },
	{ "map", test_map },
	{ "map-aligned", test_map_aligned },
	{ "pool", test_pool },
	{ "pool-refill", test_pool_refill },
	{ "pool-refused", test_pool_refused },
	{ "pool-marks-refused", test_pool_marks_refused },
};

static void run_test(const struct test *test)
{
	double begin = now();

	failures = 0;
	test->run();
	printf("%s %zu %s # %.2f s\n", failures ? "not ok" : "ok", test - tests + 1, test->name,
	       now() - begin);
	fflush(stdout);
}

/* The pool's cap as the tests found it, for 'pool --cap='. */
static unsigned long long pool_cap(void)
{
	unsigned long long cap = 0;
	const char *line;

	run("pool");
	line = strstr(output, "cap ");
	if (!line || sscanf(line, "cap %llu", &cap) != 1) {
		printf("%s", output);
		exit(1);
	}
	return cap;
}

int main(void)
{
	unsigned long long cap;
	bool failed = false;
	char restore[64];
	unsigned int i;

	cap = pool_cap();
	printf("KTAP version 1\n1..%zu\n", ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		run_test(&tests[i]);
		failed |= failures;
	}
	snprintf(restore, sizeof(restore), "pool --low=0 --high=0 --drain --cap=%llu", cap);
	run(restore);
	return failed;
}
