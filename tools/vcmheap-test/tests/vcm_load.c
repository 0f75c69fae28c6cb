// SPDX-License-Identifier: MIT
/*
 * Modules that are loaded while something fails, in a guest that has them
 * and has not loaded them yet (scripts/vm.sh --no-load).
 */

#include <limits.h>

#include "vcm_driver.h"
#include "vcm_inject.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Modules that are loaded while something fails.");

/* More would be a loop. */
#define POINTS_MAX 3000

/* What is loaded */
struct module {
	const char *name;	/* its name */
	const char *sign;	/* a file that is there while it is loaded */
	const char *node;	/* one that the core does without if it cannot make it, or NULL */
	bool stays;		/* whether it cannot be unloaded */
	unsigned int least;	/* how many things can fail in any kernel */
};

static const struct module vcm_iova = {
	"vcm_iova", "/sys/kernel/debug/vcm/iova", NULL, false, 5,
};

static const struct module vcm_iommu = {
	"vcm_iommu", "/sys/class/iommu/vcm-iommu", NULL, false, 20,
};

static const struct module vcm_heap = {
	"vcm_heap", "/sys/class/dma_heap/vcm", "/dev/dma_heap/vcm", true, 15,
};

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

static void assert_absent(const struct module *module, unsigned int n)
{
	igt_assert_f(!vcm_module_loaded(module->name), "%s is there after failure %u\n",
		     module->name, n);
	igt_assert_f(!is_there(module->sign), "%s is there after failure %u\n", module->sign, n);
	igt_assert_f(!module->node || !is_there(module->node), "%s is there after failure %u\n",
		     module->node, n);
}

/* Returns whether there was an n-th thing to fail; *loaded, whether it is there. */
static bool fail_one(const struct module *module, const char *path, unsigned int n, bool *loaded)
{
	bool failed;
	int ret;

	vcm_inject_begin(n);
	ret = __vcm_module_load(path, "");
	failed = vcm_inject_end();

	igt_assert_f(!ret || failed, "%s: %s\n", module->name, strerror(-ret));
	igt_assert_f(!ret || ret == -ENOMEM || ret == -EFAULT, "%s, failure %u: %s\n",
		     module->name, n, strerror(-ret));
	*loaded = !ret;
	return failed;
}

/*
 * Until nothing is left to fail. What cannot be unloaded ends it with the first
 * failure that does not matter.
 */
static void sweep(const struct module *module)
{
	bool failed = true, loaded = false;
	char path[PATH_MAX];
	unsigned int n = 0;

	igt_assert_f(vcm_module_find(module->name, path), "no file of %s\n", module->name);
	while (failed && !(loaded && module->stays)) {
		igt_assert_lt(n, POINTS_MAX);
		failed = fail_one(module, path, ++n, &loaded);
		if (!loaded)
			assert_absent(module, n);
		else if (failed && !module->stays)
			igt_assert_eq(__vcm_module_unload(module->name), 0);
	}
	igt_assert(vcm_module_loaded(module->name));
	igt_assert(is_there(module->sign));
	igt_info("%s: %u failures\n", module->name, n - 1);
	igt_assert_lte(module->least, n - 1);
}

int igt_main()
{
	igt_fixture() {
		char path[PATH_MAX];

		igt_require_f(vcm_module_find(vcm_iova.name, path) &&
			      !vcm_module_loaded(vcm_iova.name), "the modules are loaded\n");
		vcm_inject_init();
		/*
		 * The core's own part of loading is not what is tested, and
		 * kmemleak does without what it cannot allocate.
		 */
		vcm_inject_only_in("do_init_module");
		vcm_inject_never_in("__create_object");
	}

	vcm_subtest("fail-iova", sweep(&vcm_iova),
		    "Whatever fails when vcm_iova is loaded, it is loaded or not there at all");
	vcm_subtest("fail-iommu", sweep(&vcm_iommu),
		    "Whatever fails when vcm_iommu is loaded, it is loaded or not there at all");
	igt_fixture()
		/* The heap is there for good with the first failure that does no harm. */
		vcm_inject_no_pages();

	vcm_subtest("fail-heap", sweep(&vcm_heap),
		    "Whatever keeps vcm_heap from being loaded, nothing of it is there");
}
