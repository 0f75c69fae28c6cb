// SPDX-License-Identifier: MIT
/*
 * vcmctl buffers, vcmctl pool: what debugfs and the module's parameters show
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "options.h"
#include "size.h"
#include "vcmctl.h"

#define DEBUGFS		"/sys/kernel/debug/vcm/"
#define PARAMETERS	"/sys/module/vcm_heap/parameters/"

/* Why one of the files is not to be had, and what can be done. */
static void file_failed(const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		fail("no permission for %s: be root", path);
	if (error == ENOENT && access("/sys/module/vcm_heap", F_OK))
		fail("no %s: load the module first (insmod vcm-heap.ko)", path);
	if (error == ENOENT && access(DEBUGFS, F_OK) && !strncmp(path, DEBUGFS, strlen(DEBUGFS)))
		fail("no %s: mount -t debugfs debugfs /sys/kernel/debug", path);
	fail("cannot open %s: %s", path, strerror(error));
}

static FILE *file_open(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		file_failed(path, errno);
	return file;
}

static void file_close(FILE *file, const char *path)
{
	if (ferror(file))
		fail("cannot read %s: %s", path, strerror(errno));
	fclose(file);
}

static void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		file_failed(path, errno);
	if (write(fd, text, strlen(text)) < 0)
		fail("'%s' is no value for %s: %s", text, path, strerror(errno));
	close(fd);
}

/* ---- Buffers ---- */

/* Each is a line of fields; devices follow in brackets. */
static void print_buffer(char *line)
{
	unsigned long long ino, length, chunks[4], runs;
	char text[SIZE_TEXT_LEN], name[256] = "";
	char *device, *save = NULL;

	if (sscanf(line, "ino=%llu length=%llu 2M=%llu 1M=%llu 64K=%llu page=%llu runs=%llu name=%255s",
		   &ino, &length, &chunks[0], &chunks[1], &chunks[2], &chunks[3], &runs,
		   name) != 8)
		fail("not understood: %s", line);
	printf("%8llu %12s %6llu %6llu %6llu %8llu %6llu  %s\n", ino, size_text(length, text),
	       chunks[0], chunks[1], chunks[2], chunks[3], runs, name);

	/* A name has no brackets. */
	device = strchr(line, '[');
	if (!device)
		return;
	for (device = strtok_r(device + 1, "[]\n", &save); device;
	     device = strtok_r(NULL, "[]\n", &save))
		if (strcmp(device, " "))
			printf("%10s%s\n", "", device);
}

int command_buffers(int argc, char **argv)
{
	static const char path[] = DEBUGFS "buffers";
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	options_none(argc, argv);
	file = file_open(path);
	printf("%8s %12s %6s %6s %6s %8s %6s  %s\n", "inode", "length", "2M", "1M", "64K", "page",
	       "runs", "name");
	while (getline(&line, &size, file) > 0)
		print_buffer(line);
	free(line);
	file_close(file, path);
	return 0;
}

/* ---- Addresses ---- */

/* Such a file is for people as it is. */
static int file_show(int argc, char **argv, const char *path)
{
	FILE *file;
	int c;

	options_none(argc, argv);
	file = file_open(path);
	while ((c = getc(file)) != EOF)
		putchar(c);
	file_close(file, path);
	return 0;
}

int command_iova(int argc, char **argv)
{
	return file_show(argc, argv, DEBUGFS "iova");
}

int command_spaces(int argc, char **argv)
{
	return file_show(argc, argv, DEBUGFS "spaces");
}

/* ---- The pool ---- */

static void print_parameter(const char *label, const char *name)
{
	char path[128], value[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = file_open(path);
	if (fscanf(file, "%31s", value) != 1)
		fail("nothing in %s", path);
	fclose(file);
	printf("%-14s%s MB\n", label, value);
}

/**
 * struct pool - what the pool's file says
 * @total: KiB in it
 * @clean: zeroed chunks, the largest first
 * @dirty: other chunks
 */
struct pool {
	unsigned long long total;
	unsigned long long clean[4];
	unsigned long long dirty[4];
};

static const char * const sizes[] = { "2m", "1m", "64k", "page" };

static void pool_line(struct pool *pool, const char *name, unsigned long long value)
{
	unsigned int i;

	if (!strcmp(name, "total_kb"))
		pool->total = value;
	for (i = 0; i < 4; i++) {
		if (!strncmp(name, "clean_", 6) && !strcmp(name + 6, sizes[i]))
			pool->clean[i] = value;
		if (!strncmp(name, "dirty_", 6) && !strcmp(name + 6, sizes[i]))
			pool->dirty[i] = value;
	}
}

static void pool_read(struct pool *pool)
{
	static const char path[] = DEBUGFS "pool";
	FILE *file = file_open(path);
	unsigned long long value;
	char name[32];

	while (fscanf(file, "%31s %llu", name, &value) == 2)
		pool_line(pool, name, value);
	file_close(file, path);
}

static void pool_print(void)
{
	static const char * const labels[] = { "2M", "1M", "64K", "page" };
	char text[SIZE_TEXT_LEN];
	struct pool pool = {};
	unsigned int i;

	pool_read(&pool);
	print_parameter("cap", "pool_mb");
	print_parameter("low mark", "pool_low_mb");
	print_parameter("high mark", "pool_high_mb");
	printf("%-14s%s\n", "holds", size_text(pool.total << 10, text));
	printf("%-14s%10s %10s\n", "chunks", "zeroed", "to zero");
	for (i = 0; i < 4; i++)
		printf("  %-12s%10llu %10llu\n", labels[i], pool.clean[i], pool.dirty[i]);
}

static const struct option pool_options[] = {
	{ "cap", required_argument, NULL, 'c' },
	{ "low", required_argument, NULL, 'l' },
	{ "high", required_argument, NULL, 'h' },
	{ "drain", no_argument, NULL, 'd' },
	{}
};

/* The kernel would find it out only when the first of them is written. */
static void pool_check_marks(const char *low, const char *high)
{
	if (low && high && strtoull(low, NULL, 10) > strtoull(high, NULL, 10))
		fail_use("the low mark, %s MB, is above the high one, %s MB", low, high);
}

int command_pool(int argc, char **argv)
{
	const char *cap = NULL, *low = NULL, *high = NULL;
	bool drain = false;
	int option;

	while ((option = options_next(argc, argv, pool_options)) != -1) {
		switch (option) {
		case 'c': cap = options_number("--cap", optarg); break;
		case 'l': low = options_number("--low", optarg); break;
		case 'h': high = options_number("--high", optarg); break;
		case 'd': drain = true; break;
		}
	}
	options_no_argument(argc, argv);
	pool_check_marks(low, high);

	if (cap)
		file_write(PARAMETERS "pool_mb", cap);
	/*
	 * The low mark last: it is what begins a refill. At no time is it above the
	 * high one.
	 */
	if (high && low)
		file_write(PARAMETERS "pool_low_mb", "0");
	if (high)
		file_write(PARAMETERS "pool_high_mb", high);
	if (low)
		file_write(PARAMETERS "pool_low_mb", low);
	if (drain)
		file_write(DEBUGFS "pool_drain", "1");
	pool_print();
	return 0;
}
