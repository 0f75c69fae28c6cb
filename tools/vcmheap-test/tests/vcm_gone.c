// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers that are still mapped when their device goes: its importer
 * lets go of them later, in any order.
 */

#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers that are still mapped when their device goes.");

#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

/* The importer keeps what it has when its device goes. */
static void set_late(bool late)
{
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", late ? "Y" : "N");
}

/* --- Buffers ----------------------------------------------------------- */

#define NR_BUFFERS 4

/* Buffers that a device has */
struct load {
	int importer;					/* the device */
	int dmabuf[NR_BUFFERS];				/* the buffers */
	struct vcm_edu_import import[NR_BUFFERS];	/* ... as the device has them */
	struct vcm_totals totals;			/* what there was before */
};

/* One of each kind of placement: a reservation of its own, slabs, a guard. */
static void load_init(struct load *load, int dev)
{
	const uint64_t len[NR_BUFFERS] = { vcm_page_size(), MIXED, MIB(33), KIB(64) };
	int i;

	vcm_totals_read(&load->totals);
	load->importer = vcm_importer_open(0);
	for (i = 0; i < NR_BUFFERS; i++) {
		load->dmabuf[i] = vcm_dev_alloc_policy(dev, len[i], 0, i == 3 ? KIB(12) : 0, 0);
		vcm_buffer_fill(load->dmabuf[i], i + 1);
		igt_assert_eq(__vcm_importer_import(load->importer, load->dmabuf[i],
						    &load->import[i]), 0);
	}
}

static void load_release(struct load *load)
{
	int i;

	for (i = 0; i < NR_BUFFERS; i++)
		vcm_importer_release(load->importer, load->import[i].handle);
}

static void load_close_buffers(struct load *load)
{
	int i;

	for (i = 0; i < NR_BUFFERS; i++)
		if (load->dmabuf[i] >= 0)
			close(load->dmabuf[i]);
	memset(load->dmabuf, -1, sizeof(load->dmabuf));
}

/* Nothing has been written to what is there. */
static void load_fini(struct load *load)
{
	int i;

	for (i = 0; i < NR_BUFFERS; i++)
		if (load->dmabuf[i] >= 0)
			vcm_buffer_assert_filled(load->dmabuf[i], i + 1);
	load_close_buffers(load);
	vcm_totals_assert_back(&load->totals);
}

/* A device that is bound reads and writes the buffers. */
static void assert_works(struct load *load)
{
	int importer = vcm_importer_open(0), i;

	for (i = 0; i < NR_BUFFERS; i++) {
		uint32_t handle;

		if (load->dmabuf[i] < 0)
			continue;
		handle = vcm_importer_import(importer, load->dmabuf[i]);
		vcm_importer_read(importer, handle, 0, KIB(1));
		vcm_importer_write(importer, handle, 0, KIB(1));
	}
	close(importer);
}

/* --- The device -------------------------------------------------------- */

/* Nothing is mapped for it any more, whatever its importer has. */
static void assert_gone(const char *name)
{
	static struct vcm_iova_device iova;

	igt_assert_f(!__vcm_iova_read(name, &iova), "%s has %u mappings left\n", name,
		     iova.mappings);
}

static void go_unbind(void)
{
	vcm_driver_unbind(vcm_edu_device[0]);
	assert_gone(vcm_edu_device[0]);
}

/* Both, so that they are found in the order in which they were before. */
static void go_remove(void)
{
	vcm_device_remove(vcm_edu_device[0]);
	vcm_device_remove(vcm_edu_device[1]);
	assert_gone(vcm_edu_device[0]);
}

static void go_unbind_remove(void)
{
	go_unbind();
	go_remove();
}

static void come_back(void)
{
	int i;

	vcm_bus_rescan();
	for (i = 0; i < 2; i++)
		if (!vcm_driver_bound(vcm_edu_device[i]))
			vcm_driver_bind(vcm_edu_device[i]);
}

/* --- What its importer does then --------------------------------------- */

static void then_release(struct load *load)
{
	load_release(load);
	close(load->importer);
	load_fini(load);
	come_back();
}

static void then_close(struct load *load)
{
	close(load->importer);
	load_fini(load);
	come_back();
}

static void then_close_buffers(struct load *load)
{
	load_close_buffers(load);
	close(load->importer);
	load_fini(load);
	come_back();
}

static void then_return(struct load *load)
{
	come_back();
	assert_works(load);
	load_release(load);
	assert_works(load);
	close(load->importer);
	assert_works(load);
	load_fini(load);
}

static const struct {
	const char *name;
	void (*go)(void);
} goings[] = {
	{ "unbind", go_unbind },
	{ "remove", go_remove },
	{ "unbind-remove", go_unbind_remove },
};

static const struct {
	const char *name;
	void (*run)(struct load *load);
} thens[] = {
	{ "release", then_release },
	{ "close", then_close },
	{ "close-buffers", then_close_buffers },
	{ "return", then_return },
};

static void test_going(int dev, int going, int then)
{
	struct load load;

	load_init(&load, dev);
	goings[going].go();
	thens[then].run(&load);
	load_init(&load, dev);
	assert_works(&load);
	close(load.importer);
	load_fini(&load);
}

/* --- Other things happen ----------------------------------------------- */

static void test_in_transfer(int dev)
{
	struct load load;

	load_init(&load, dev);
	/* The device's RAM and the buffer have the same in them. */
	vcm_importer_read(load.importer, load.import[0].handle, 0, KIB(2));
	igt_fork(child, 1)
		vcm_importer_write(load.importer, load.import[0].handle, 0, KIB(2));
	/* The transfer takes 100 ms. */
	usleep(30000);
	go_unbind();
	igt_waitchildren();
	then_close(&load);
}

static void test_one_of_two(int dev)
{
	int second = vcm_importer_open(1);
	uint32_t handle[NR_BUFFERS];
	struct load load;
	int i;

	load_init(&load, dev);
	for (i = 0; i < NR_BUFFERS; i++)
		handle[i] = vcm_importer_import(second, load.dmabuf[i]);
	go_unbind();
	for (i = 0; i < NR_BUFFERS; i++) {
		vcm_importer_read(second, handle[i], 0, KIB(1));
		vcm_importer_write(second, handle[i], 0, KIB(1));
	}
	load_release(&load);
	for (i = 0; i < NR_BUFFERS; i++) {
		vcm_importer_read(second, handle[i], 0, KIB(1));
		vcm_importer_write(second, handle[i], 0, KIB(1));
		vcm_importer_release(second, handle[i]);
	}
	close(load.importer);
	close(second);
	load_fini(&load);
	come_back();
}

static void test_with_spaces(int dev)
{
	struct vcm_edu_import import;
	uint32_t space[2];
	struct load load;
	int i, j;

	load_init(&load, dev);
	for (i = 0; i < 2; i++) {
		space[i] = vcm_importer_create_space(load.importer, MIB(16), MIB(128));
		for (j = 0; j < NR_BUFFERS; j++)
			vcm_space_import(load.importer, space[i], load.dmabuf[j], &import);
		vcm_importer_switch(load.importer, space[i]);
	}
	go_unbind();
	then_close(&load);
	vcm_spaces_assert_none();
}

static void set_domain(const char *type)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type", vcm_edu_device[0]);
	vcm_file_assert_write(path, type);
}

static void test_new_domain(int dev)
{
	struct load load;

	load_init(&load, dev);
	go_unbind();
	set_domain("identity");
	load_release(&load);
	set_domain("auto");
	then_close(&load);
}

/*
 * Nobody may do it, but whoever has such a driver and uses the DMA API all the
 * same is not to bring the kernel down.
 */
static void test_managed_new_domain(int dev)
{
	struct vcm_edu_import import;
	struct load load;

	vcm_edu_unload();
	vcm_edu_load(true);
	set_late(true);
	load_init(&load, dev);
	set_domain("identity");
	load_release(&load);
	set_domain("auto");
	assert_works(&load);
	close(load.importer);
	load_fini(&load);

	load_init(&load, dev);
	set_domain("identity");
	set_domain("auto");
	close(load.importer);
	assert_works(&load);
	load_fini(&load);

	/* It is noticed by a map, too, and the device can be attached anew. */
	load_init(&load, dev);
	set_domain("identity");
	set_domain("auto");
	igt_assert_eq(__vcm_importer_import(load.importer, load.dmabuf[0], &import), -ENODEV);
	assert_works(&load);
	load_release(&load);
	assert_works(&load);
	close(load.importer);
	load_fini(&load);
}

static void test_many_times(int dev)
{
	unsigned int i;

	for (i = 0; i < vcm_repeats(20); i++) {
		struct load load;

		load_init(&load, dev);
		if (i & 1)
			go_unbind();
		else
			go_remove();
		thens[i % ARRAY_SIZE(thens)].run(&load);
	}
}

/* Imports until the device has gone. */
static void import_until_gone(int dev, int importer)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
	struct vcm_edu_import import;
	unsigned int n = 0;
	int ret;

	while (!(ret = __vcm_importer_import(importer, dmabuf, &import)))
		if (++n % 4)
			__vcm_importer_release(importer, import.handle);
	igt_assert(ret == -ENODEV || ret == -ENOSPC);
	close(dmabuf);
}

static void test_busy(int dev)
{
	struct vcm_totals before;
	int importer[3], i;

	vcm_totals_read(&before);
	for (i = 0; i < ARRAY_SIZE(importer); i++)
		importer[i] = vcm_importer_open(0);
	igt_fork(child, ARRAY_SIZE(importer))
		import_until_gone(dev, importer[child]);
	usleep(200000);
	go_unbind();
	igt_waitchildren();
	for (i = 0; i < ARRAY_SIZE(importer); i++)
		close(importer[i]);
	vcm_totals_assert_back(&before);
	come_back();
}

static const struct {
	const char *name;
	void (*run)(int dev);
	const char *description;
} subtests[] = {
	{ "in-transfer", test_in_transfer,
	  "A device goes while it writes to a buffer" },
	{ "one-of-two", test_one_of_two,
	  "The other device that has the buffers keeps them" },
	{ "with-spaces", test_with_spaces,
	  "A device goes with buffers in its spaces and in its own addresses" },
	{ "new-domain", test_new_domain,
	  "A device without driver gets another domain before its importer lets go" },
	{ "many-times", test_many_times,
	  "Devices that go use nothing up" },
	{ "busy", test_busy,
	  "A device goes while processes map and unmap buffers for it" },
	{ "managed-new-domain", test_managed_new_domain,
	  "A device of a driver that manages its DMA gets another domain" },
};

/* Whatever a subtest that failed has left. */
static void restore(void)
{
	vcm_edu_restore();
	set_late(true);
}

static void run(int dev, int i)
{
	restore();
	subtests[i].run(dev);
	restore();
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i, j;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_edu_setup();
		vcm_totals_read(&before);
		restore();
	}

	for (i = 0; i < ARRAY_SIZE(goings); i++) {
		for (j = 0; j < ARRAY_SIZE(thens); j++) {
			igt_describe("A device goes, and its importer lets go later");
			igt_subtest_f("%s-then-%s", goings[i].name, thens[j].name) {
				restore();
				test_going(dev, i, j);
				restore();
			}
		}
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++)
		vcm_subtest(subtests[i].name, run(dev, i), subtests[i].description);

	igt_fixture() {
		restore();
		set_late(false);
		vcm_totals_assert_back(&before);
	}
}
