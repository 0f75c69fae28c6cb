// SPDX-License-Identifier: MIT
/*
 * vcmctl buffers, iova, spaces, pool: what debugfs and the module's parameters show
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vcm_files.h"
#include "vcmctl.h"

/* Why one of the files is not to be had, and what can be done. */
static void file_failed(const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		die("no permission for %s: be root", path);
	if (error == ENOENT && access("/sys/module/vcm_heap", F_OK))
		die("no %s: load the module first (insmod vcm-heap.ko)", path);
	if (error == ENOENT && access(VCM_DEBUGFS, F_OK) && !strncmp(path, VCM_DEBUGFS, strlen(VCM_DEBUGFS)))
		die("no %s: mount -t debugfs debugfs /sys/kernel/debug", path);
	die("cannot open %s: %s", path, strerror(error));
}

static char *file_read(const char *path)
{
	char *text = vcm_file_read(path);

	if (!text)
		file_failed(path, errno);
	return text;
}

/* One who may not open a file cannot write to it either, nor where there is none. */
static void file_write(const char *path, const char *text)
{
	int ret = vcm_file_write(path, text);

	if (ret == -ENOENT || ret == -EACCES || ret == -EPERM)
		file_failed(path, -ret);
	if (ret)
		die("'%s' is no value for %s: %s", text, path, strerror(-ret));
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
		die("not understood: %s", line);
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
	char *text, *line, *save = NULL;

	options_none(argc, argv);
	text = file_read(VCM_DEBUGFS "buffers");
	printf("%8s %12s %6s %6s %6s %8s %6s  %s\n", "inode", "length", "2M", "1M", "64K", "page",
	       "runs", "name");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_buffer(line);
	free(text);
	return 0;
}

/* ---- Addresses ---- */

/* Such a file is for people as it is. */
static int file_show(int argc, char **argv, const char *path)
{
	char *text;

	options_none(argc, argv);
	text = file_read(path);
	fputs(text, stdout);
	free(text);
	return 0;
}

int command_iova(int argc, char **argv)
{
	return file_show(argc, argv, VCM_DEBUGFS "iova");
}

int command_spaces(int argc, char **argv)
{
	return file_show(argc, argv, VCM_DEBUGFS "spaces");
}

/* ---- The pool ---- */

static void print_parameter(const char *label, const char *path)
{
	char *text = file_read(path);

	printf("%-14s%.*s MB\n", label, (int)strcspn(text, "\n"), text);
	free(text);
}

static uint64_t pool_figure(const char *pool, const char *prefix, const char *name)
{
	uint64_t value = 0;
	char key[32];

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	vcm_figure(pool, key, &value);
	return value;
}

static void pool_print(void)
{
	static const char * const sizes[][2] = {
		{ "2M", "2m" }, { "1M", "1m" }, { "64K", "64k" }, { "page", "page" },
	};
	char text[SIZE_TEXT_LEN], *pool = file_read(VCM_DEBUGFS "pool");
	unsigned int i;

	print_parameter("cap", VCM_PARAMETERS "pool_mb");
	print_parameter("low mark", VCM_PARAMETERS "pool_low_mb");
	print_parameter("high mark", VCM_PARAMETERS "pool_high_mb");
	printf("%-14s%s\n", "holds", size_text(pool_figure(pool, "", "total_kb") << 10, text));
	printf("%-14s%10s %10s\n", "chunks", "zeroed", "to zero");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		printf("  %-12s%10llu %10llu\n", sizes[i][0],
		       (unsigned long long)pool_figure(pool, "clean_", sizes[i][1]),
		       (unsigned long long)pool_figure(pool, "dirty_", sizes[i][1]));
	free(pool);
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
		file_write(VCM_PARAMETERS "pool_mb", cap);
	/*
	 * The low mark last: it is what begins a refill. At no time is it above the
	 * high one.
	 */
	if (high && low)
		file_write(VCM_PARAMETERS "pool_low_mb", "0");
	if (high)
		file_write(VCM_PARAMETERS "pool_high_mb", high);
	if (low)
		file_write(VCM_PARAMETERS "pool_low_mb", low);
	if (drain)
		file_write(VCM_DEBUGFS "pool_drain", "1");
	pool_print();
	return 0;
}
