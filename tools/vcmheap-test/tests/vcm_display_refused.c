// SPDX-License-Identifier: MIT
/*
 * vcm heap buffers and displays whose drivers import nothing from others.
 */

#include "vcm_iova.h"
#include "vcm_kms.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers that drivers of displays refuse to import.");

#define SIZE (MIB(3) + KIB(68))

static const struct {
	const char *name;	/* of the driver */
	int error;
} drivers[] = {
	/* Without blob resources. */
	{ "virtio_gpu", -ENODEV },
	{ "qxl", -ENOSYS },
};

static void open_driver(struct vcm_kms *kms, const char *name)
{
	unsigned int card;

	for (card = 0; card < 8; card++) {
		if (!__vcm_kms_open(kms, card))
			continue;
		if (!strcmp(kms->driver, name))
			return;
		vcm_kms_close(kms);
	}
	igt_require_f(false, "no display has the driver %s\n", name);
}

/* Nothing is left of it, however often, and the buffer is as good as before. */
static void test_refused(int heap, int i)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE), times;
	static struct vcm_iova_device device;
	struct vcm_buffer_info info;
	struct vcm_kms kms;
	uint32_t handle;

	open_driver(&kms, drivers[i].name);
	vcm_buffer_fill(dmabuf, 1);
	for (times = 0; times < 8; times++) {
		igt_assert_eq(__vcm_kms_import(&kms, dmabuf, &handle), drivers[i].error);
		vcm_buffer_info_read(dmabuf, &info);
		igt_assert_eq(info.attachments, 0);
		if (__vcm_iova_read(kms.device, &device))
			igt_assert_eq(device.mappings, 0);
	}
	vcm_buffer_assert_filled(dmabuf, 1);
	vcm_kms_close(&kms);
	close(dmabuf);
}

int igt_main()
{
	static int heap, i;

	igt_fixture() {
		heap = vcm_heap_open();
		vcm_require_debugfs();
	}

	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		vcm_subtest_f(test_refused(heap, i), "The driver refuses, and holds nothing",
			      "%s", drivers[i].name);
}
