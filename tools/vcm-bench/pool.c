// SPDX-License-Identifier: GPL-2.0
/*
 * The vcm heap's warm pool, from outside.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"
#include "report.h"

#define POOL_FILE "/sys/kernel/debug/vcm/pool"
#define DRAIN_FILE "/sys/kernel/debug/vcm/pool_drain"
#define CAP_FILE "/sys/module/vcm_heap/parameters/pool_mb"

/* An emulated CPU zeroes 256 MiB in 3 seconds. */
#define CLEAN_TIMEOUT_NS 60000000000ull
#define CLEAN_POLL_US 2000

static const struct {
	const char *name;
	uint64_t bytes;
} sizes[] = {
	{ "2m", MIB(2) },
	{ "1m", MIB(1) },
	{ "64k", KIB(64) },
	{ "page", KIB(4) },
};

/**
 * struct content - of the pool
 * @clean: bytes that are zeroed
 * @dirty: bytes that are not
 */
struct content {
	uint64_t clean;
	uint64_t dirty;
};

bool pool_present(void)
{
	return !access(POOL_FILE, R_OK);
}

unsigned long pool_cap(void)
{
	FILE *file = fopen(CAP_FILE, "re");
	unsigned long mib;

	if (!file || fscanf(file, "%lu", &mib) != 1)
		die("%s: cannot be read", CAP_FILE);
	fclose(file);
	return mib;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

void pool_set_cap(unsigned long mib)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", mib);
	write_file(CAP_FILE, text);
}

void pool_off(void)
{
	if (!pool_present())
		return;
	pool_set_cap(0);
	write_file(DRAIN_FILE, "1");
}

/* Adds what a line like "clean_64k 12" tells. */
static void content_add(struct content *content, const char *line)
{
	unsigned long long count;
	char kind[8], size[8];
	int i;

	if (sscanf(line, "%7[a-z]_%7s %llu", kind, size, &count) != 3)
		return;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (strcmp(size, sizes[i].name))
			continue;
		if (!strcmp(kind, "clean"))
			content->clean += count * sizes[i].bytes;
		else if (!strcmp(kind, "dirty"))
			content->dirty += count * sizes[i].bytes;
	}
}

static struct content pool_content(void)
{
	struct content content = {};
	char line[128];
	FILE *file = fopen(POOL_FILE, "re");

	if (!file)
		die("%s: %s", POOL_FILE, strerror(errno));
	while (fgets(line, sizeof(line), file))
		content_add(&content, line);
	fclose(file);
	return content;
}

void pool_wait_clean(uint64_t bytes)
{
	uint64_t start = now_ns();
	struct content content;

	for (;;) {
		content = pool_content();
		if (!content.dirty && content.clean >= bytes)
			return;
		if (now_ns() - start > CLEAN_TIMEOUT_NS)
			break;
		usleep(CLEAN_POLL_US);
	}
	die("the pool does not get warm: %llu KB clean and %llu KB dirty where %llu KB were freed",
	    (unsigned long long)content.clean >> 10, (unsigned long long)content.dirty >> 10,
	    (unsigned long long)bytes >> 10);
}
