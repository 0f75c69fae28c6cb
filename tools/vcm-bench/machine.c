// SPDX-License-Identifier: GPL-2.0
/*
 * What the figures were measured on, and how finely.
 */

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define READINGS 10000

static void report_file(const char *key, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];

	if (!file || !fgets(line, sizeof(line), file))
		strcpy(line, "unknown");
	line[strcspn(line, "\n")] = '\0';
	result("info\t%s\t%s", key, line);
	if (file)
		fclose(file);
}

/* "QEMU TCG CPU version 2.5+" is an emulated one. */
static void report_cpu(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[1024], model[256] = "unknown";

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %255[^\n]", model) == 1)
			break;
	if (file)
		fclose(file);
	result("info\tcpu\t%s", model);
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
	report_cpu();
	result("info\tcpus\t%ld", sysconf(_SC_NPROCESSORS_ONLN));
	result("info\tmemory_mb\t%ld",
	       (sysconf(_SC_PHYS_PAGES) >> 10) * (sysconf(_SC_PAGESIZE) >> 10));
	result("info\tiommu\t%s", iommu_name());
	result("info\trepeats\t%u", options->repeats);
	report_file("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	report_timer();
}
