// SPDX-License-Identifier: GPL-2.0
/*
 * The vcm heap's warm pool, from outside.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"
#include "report.h"
#include "vcm_files.h"

#define POOL_FILE VCM_DEBUGFS "pool"
#define DRAIN_FILE VCM_DEBUGFS "pool_drain"
#define CAP_FILE VCM_PARAMETERS "pool_mb"

/* An emulated CPU zeroes 256 MiB in 3 seconds. */
#define CLEAN_TIMEOUT_NS 60000000000ull
#define CLEAN_POLL_US 2000

unsigned long pool_cap(void)
{
	char *text = vcm_file_read(CAP_FILE);
	unsigned long mib;

	if (!text)
		die("%s: %s", CAP_FILE, strerror(errno));
	mib = strtoul(text, NULL, 10);
	free(text);
	return mib;
}

static void write_number(const char *path, uint64_t number)
{
	int ret = vcm_file_write_number(path, number);

	if (ret)
		die("%s: %s", path, strerror(-ret));
}

void pool_set_cap(unsigned long mib)
{
	write_number(CAP_FILE, mib);
}

void pool_drain(void)
{
	write_number(DRAIN_FILE, 1);
}

void pool_off(void)
{
	pool_set_cap(0);
	pool_drain();
}

/* Bytes in chunks of a kind: lines like "clean_64k 12". */
static uint64_t content(const char *text, const char *kind)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} sizes[] = { { "2m", MIB(2) }, { "1m", MIB(1) }, { "64k", KIB(64) }, { "page", KIB(4) } };
	uint64_t bytes = 0, count;
	char key[16];
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(key, sizeof(key), "%s_%s", kind, sizes[i].name);
		if (vcm_figure(text, key, &count))
			bytes += count * sizes[i].bytes;
	}
	return bytes;
}

void pool_wait_calm(void)
{
	uint64_t start = now_ns(), pressure;

	while (vcm_file_figure(POOL_FILE, "pressure", &pressure) && pressure) {
		if (now_ns() - start > CLEAN_TIMEOUT_NS)
			die("memory stays short");
		usleep(CLEAN_POLL_US);
	}
}

void pool_wait_clean(uint64_t bytes)
{
	uint64_t start = now_ns(), clean = 0, dirty = 0;

	while (now_ns() - start < CLEAN_TIMEOUT_NS) {
		char *text = vcm_file_read(POOL_FILE);

		if (!text)
			die("%s: %s", POOL_FILE, strerror(errno));
		clean = content(text, "clean");
		dirty = content(text, "dirty");
		free(text);
		if (!dirty && clean >= bytes)
			return;
		usleep(CLEAN_POLL_US);
	}
	die("the pool does not get warm: %llu KB clean and %llu KB dirty where %llu KB were freed",
	    (unsigned long long)clean >> 10, (unsigned long long)dirty >> 10,
	    (unsigned long long)bytes >> 10);
}
