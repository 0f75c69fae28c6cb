// SPDX-License-Identifier: MIT
/*
 * A device of 28 bits on 3.5 GB, all of it mapped at once. Needs 6 GB of memory.
 */

#include "vcm_set.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("A device works on much more than it can address.");

/* What the device can address, but for the first 4 MB; full with seven buffers */
static const struct vcm_set_jobs jobs = {
	.start = MIB(4), .window = MIB(252), .spaces = 16,
	.buffer = MIB(32), .nr = 112, .jobs = 120,
};

int igt_main()
{
	static struct vcm_totals before;
	static int dev, importer;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		importer = vcm_importer_open(0);
		vcm_importer_require_translation(importer);
		vcm_totals_read(&before);
	}

	igt_describe("Random jobs over all of it, each byte as it has to be");
	igt_subtest("random") {
		igt_require_f(vcm_ram_available() >= 4ull << 30, "too little memory\n");
		vcm_set_run_jobs(dev, importer, &jobs);
		vcm_spaces_assert_none();
	}

	igt_fixture() {
		vcm_totals_assert_back(&before);
		close(importer);
		close(dev);
	}
}
