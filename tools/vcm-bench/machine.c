// SPDX-License-Identifier: GPL-2.0
/*
 * What the figures were measured on, and how finely.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"
#include "vcm_files.h"

#define READINGS 10000

/* What follows @key in its line. */
static void report_file(const char *name, const char *path, const char *key)
{
	char *text = vcm_file_read(path), *at = text ? strstr(text, key) : NULL;

	if (at)
		at += strlen(key);
	result("info\t%s\t%.*s", name, at ? (int)strcspn(at, "\n") : 7, at ?: "unknown");
	free(text);
}

/* The least difference between two readings, and what one of them takes. */
static void report_timer(void)
{
	uint64_t first = now_ns(), last = first, least = UINT64_MAX;
	int i;

	for (i = 0; i < READINGS; i++) {
		uint64_t now = now_ns();

		if (now != last && now - last < least)
			least = now - last;
		last = now;
	}
	result("info\ttimer_step_ns\t%llu", (unsigned long long)least);
	result("info\ttimer_cost_ns\t%llu", (unsigned long long)(last - first) / READINGS);
}

void section_machine(const struct options *options)
{
	struct utsname uts;

	uname(&uts);
	result("info\tkernel\t%s", uts.release);
	/* "QEMU TCG CPU version 2.5+" is an emulated one. */
	report_file("cpu", "/proc/cpuinfo", "model name\t: ");
	result("info\tcpus\t%ld", sysconf(_SC_NPROCESSORS_ONLN));
	result("info\tmemory_mb\t%ld",
	       (sysconf(_SC_PHYS_PAGES) >> 10) * (sysconf(_SC_PAGESIZE) >> 10));
	result("info\tiommu\t%s", iommu_name());
	result("info\trepeats\t%u", options->repeats);
	report_file("clocksource",
		    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
		    "");
	report_timer();
}
