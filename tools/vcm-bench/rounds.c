// SPDX-License-Identifier: GPL-2.0
/*
 * A thousand times in a row on a narrow device: addresses that the kernel takes
 * back only after a while run out.
 */

#include <string.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "sections.h"

#define ROUNDS 1000

/**
 * struct failures - of the rounds
 * @count: how many failed
 * @first: the first of them, from 1 on, or 0
 * @error: its error, negative
 */
struct failures {
	unsigned int count;
	unsigned int first;
	int error;
};

static struct failures rounds(enum heap heap)
{
	int dmabuf = heap_alloc(heap, MIB(64));
	struct failures failures = {};
	struct vcm_edu_import import;
	struct importer importer;
	unsigned int i;

	importer_open(&importer, 0);
	for (i = 1; i <= ROUNDS; i++) {
		int ret = importer_map(&importer, dmabuf, &import);

		if (!ret) {
			importer_unmap(&importer, &import);
			continue;
		}
		if (!failures.count++) {
			failures.first = i;
			failures.error = ret;
		}
	}
	importer_close(&importer);
	close(dmabuf);
	usleep(50000);
	return failures;
}

void section_rounds(const struct options *options)
{
	struct failures vcm = rounds(HEAP_VCM), system = rounds(HEAP_SYSTEM);

	(void)options;
	note("rounds: system fails first in round %u (%s)", system.first,
	     strerror(-system.error));
	report(reached(!vcm.count), "1000 rounds of 64 MB",
	       "vcm %u failures, system %u (goal 0)", vcm.count, system.count);
}
