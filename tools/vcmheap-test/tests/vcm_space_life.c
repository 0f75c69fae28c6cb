// SPDX-License-Identifier: MIT
/*
 * Address spaces of devices whose driver comes and goes, and of devices that
 * are used by many at once.
 */

#include <dirent.h>
#include <limits.h>
#include <time.h>

#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Address spaces whose device comes and goes, or is used by many at once.");

/* A chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

/* Within 28 bits, and far from where the DMA API begins, at the top. */
#define START	MIB(16)
#define LENGTH	MIB(64)
#define FIXED	MIB(64)
#define FIXED_LENGTH MIB(16)

/* How long "parallel" takes; more with VCM_SPACE_SECONDS in the environment. */
#define PARALLEL_SECONDS 4

static const struct vcm_edu_space_create window = {
	.start = START,
	.length = LENGTH,
	.fixed_start = FIXED,
	.fixed_length = FIXED_LENGTH,
};

static uint32_t create(int importer)
{
	return vcm_importer_create_space_args(importer, &window);
}

/* --- Nothing is left --------------------------------------------------- */

/* What must be as it was when all spaces are gone */
struct rest {
	struct vcm_totals totals;	/* buffers and their attachments */
	unsigned int groups;	/* IOMMU groups, of which each space has one */
	int users;	/* of the module that makes the spaces, which each space pins */
};

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int n = 0;

	igt_assert_f(dir, "%s: %s\n", path, strerror(errno));
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void rest_read(struct rest *rest)
{
	vcm_totals_read(&rest->totals);
	rest->groups = count_entries("/sys/kernel/iommu_groups");
	rest->users = vcm_module_users("vcm_iommu");
}

static void rest_assert_back(const struct rest *before)
{
	vcm_totals_assert_back(&before->totals);
	vcm_spaces_assert_none();
	igt_assert_eq(count_entries("/sys/kernel/iommu_groups"), before->groups);
	igt_assert_eq(vcm_module_users("vcm_iommu"), before->users);
}

/* Three spaces with a buffer in all ways in which it can be; the last is active. */
static uint32_t use_spaces(int dev, int importer)
{
	uint32_t space = 0;
	int i;

	for (i = 0; i < 3; i++) {
		int dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
		struct vcm_edu_import import;

		space = create(importer);
		vcm_space_import(importer, space, dmabuf, &import);
		vcm_space_import_at(importer, space, dmabuf, FIXED, &import);
		vcm_space_import(importer, 0, dmabuf, &import);
		vcm_importer_switch(importer, space);
		close(dmabuf);
	}
	return space;
}

/* That spaces and DMA work on a device. */
static void assert_works(int dev, int importer)
{
	struct vcm_space_buffer own, other;
	uint32_t space = create(importer);

	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_init(&other, dev, KIB(64));
	vcm_space_buffer_import(&other, importer, space);
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(&other, 1);
	vcm_importer_deactivate(importer, space);
	vcm_space_buffer_fini(&other);
	vcm_importer_destroy_space(importer, space);
	vcm_space_buffer_import(&own, importer, 0);
	vcm_space_assert_dma(&own, 2);
	vcm_space_buffer_fini(&own);
}

/* --- The gap ----------------------------------------------------------- */

static void load(bool managed)
{
	vcm_edu_unload();
	vcm_edu_load(managed);
}

static uint32_t create_blocked(int importer)
{
	struct vcm_edu_space_create args = window;

	igt_assert_eq(__vcm_importer_create_space(importer, &args), 0);
	igt_assert_eq(args.flags, VCM_EDU_SPACE_GAP_BLOCKED);
	return args.space;
}

static void assert_blocked(bool blocked)
{
	static struct vcm_spaces spaces;

	vcm_spaces_read(vcm_edu_device[0], &spaces);
	igt_assert_eq(spaces.blocked, blocked);
}

/*
 * What the device reads in the gap goes into its RAM, where only a space shows
 * it: @desk is a buffer there.
 */
static void assert_gap_closed(struct vcm_space_buffer *desk, struct vcm_space_buffer *own,
			      uint32_t space)
{
	const uint64_t at[] = { desk->import.iova, own->import.iova };
	uint64_t seen[2];
	int importer = desk->importer, i;

	vcm_space_buffer_tag(desk, 1);
	vcm_space_buffer_tag(own, 2);
	vcm_importer_activate(importer, space);
	vcm_importer_read(importer, desk->import.handle, KIB(4), sizeof(seen));
	vcm_importer_deactivate(importer, space);

	for (i = 0; i < 2; i++)
		vcm_importer_probe(importer, VCM_EDU_FROM_DEVICE, at[i], 8, i * 8);
	for (i = 0; i < 2; i++)
		vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, at[i], 8, i * 8);
	vcm_space_buffer_assert_tagged(desk, 1);
	vcm_space_buffer_assert_tagged(own, 2);

	vcm_importer_activate(importer, space);
	vcm_importer_write(importer, desk->import.handle, KIB(4), sizeof(seen));
	vcm_importer_deactivate(importer, space);
	memcpy(seen, &desk->words[KIB(4) / 8], sizeof(seen));
	igt_assert_eq_u64(seen[0], 0);
	igt_assert_eq_u64(seen[1], 0);
}

static void test_managed_gap(int dev)
{
	struct vcm_space_buffer desk, own, other;
	int importer, second;
	uint32_t space;

	load(true);
	importer = vcm_importer_open(0);
	second = vcm_importer_open(1);
	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_init(&other, dev, KIB(64));
	vcm_space_buffer_import(&own, importer, 0);
	vcm_space_buffer_import(&other, second, 0);
	vcm_space_assert_dma(&own, 1);

	space = create_blocked(importer);
	assert_blocked(true);
	vcm_space_buffer_import(&desk, importer, space);
	assert_gap_closed(&desk, &own, space);
	/* The other device has no space, and nothing is changed for it. */
	vcm_space_assert_dma(&other, 2);

	vcm_space_buffer_fini(&desk);
	vcm_importer_destroy_space(importer, space);
	vcm_space_assert_dma(&own, 3);
}

/* Who asks the driver for DMA in the gap is not told, but nothing is moved. */
static void assert_nothing_moved(struct vcm_space_buffer *own)
{
	vcm_space_buffer_tag(own, 5);
	vcm_importer_read(own->importer, own->import.handle, 0, 8);
	vcm_importer_write(own->importer, own->import.handle, KIB(4), 8);
	vcm_space_buffer_assert_tagged(own, 5);
}

static void test_managed_until_last(int dev)
{
	struct vcm_space_buffer own, meanwhile;
	uint32_t one, two;
	int importer;

	load(true);
	importer = vcm_importer_open(0);
	vcm_space_buffer_init(&own, dev, MIXED);
	vcm_space_buffer_init(&meanwhile, dev, MIXED);
	vcm_space_buffer_import(&own, importer, 0);
	one = create_blocked(importer);
	two = create_blocked(importer);
	vcm_importer_activate(importer, one);
	vcm_importer_deactivate(importer, one);
	vcm_importer_destroy_space(importer, one);
	assert_blocked(true);
	assert_nothing_moved(&own);
	/* It can be mapped all the same. */
	vcm_space_buffer_import(&meanwhile, importer, 0);

	vcm_importer_destroy_space(importer, two);
	vcm_spaces_assert_none();
	vcm_space_assert_dma(&own, 1);
	vcm_space_assert_dma(&meanwhile, 2);
}

static void test_managed_switch(int dev)
{
	struct vcm_space_buffer buffer[2];
	uint32_t space[2];
	int importer, i;

	load(true);
	importer = vcm_importer_open(0);
	for (i = 0; i < 2; i++) {
		space[i] = create_blocked(importer);
		vcm_space_buffer_init(&buffer[i], dev, MIXED);
		vcm_space_buffer_import(&buffer[i], importer, space[i]);
	}
	/* A transfer takes 100 ms, so that only some rounds have one. */
	for (i = 0; i < 200; i++) {
		vcm_importer_switch(importer, space[i & 1]);
		if (i % 50 == 0 || i % 50 == 49)
			vcm_space_assert_dma(&buffer[i & 1], i);
		if (i % 3 == 0)
			vcm_importer_deactivate(importer, space[i & 1]);
	}
}

static void renew_vectors(int importer)
{
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_VECTORS, NULL), 0);
}

/* Transfers end with an interrupt, or not at all. */
static void renew_vectors_between(int dev, int importer, uint32_t *space, bool renew)
{
	struct vcm_space_buffer buffer;
	int i;

	for (i = 0; i < 2; i++) {
		vcm_space_buffer_init(&buffer, dev, KIB(64));
		vcm_space_buffer_import(&buffer, importer, space[i]);
		if (renew)
			renew_vectors(importer);
		vcm_importer_activate(importer, space[i]);
		vcm_space_assert_dma(&buffer, i + 1);
		vcm_importer_deactivate(importer, space[i]);
		vcm_space_buffer_fini(&buffer);
	}
}

static void test_vectors(int dev, bool managed)
{
	struct vcm_space_buffer own;
	uint32_t space[2];
	int importer, i;

	load(managed);
	importer = vcm_importer_open(0);
	for (i = 0; i < 2; i++)
		space[i] = managed ? create_blocked(importer) : create(importer);
	renew_vectors_between(dev, importer, space, true);
	renew_vectors_between(dev, importer, space, false);
	for (i = 0; i < 2; i++)
		vcm_importer_destroy_space(importer, space[i]);

	/* Those of the gap are still there, and then they are replaced. */
	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_import(&own, importer, 0);
	vcm_space_assert_dma(&own, 3);
	for (i = 0; i < 2; i++)
		space[i] = managed ? create_blocked(importer) : create(importer);
	renew_vectors_between(dev, importer, space, false);
	renew_vectors(importer);
	for (i = 0; i < 2; i++)
		vcm_importer_destroy_space(importer, space[i]);
	renew_vectors(importer);
	vcm_space_assert_dma(&own, 4);
	vcm_space_buffer_fini(&own);
}

static void test_vectors_unmanaged(int dev)
{
	test_vectors(dev, false);
}

static void test_managed_vectors(int dev)
{
	test_vectors(dev, true);
}

/* --- The driver goes --------------------------------------------------- */

static int create_dead(int importer)
{
	struct vcm_edu_space_create args = window;

	return __vcm_importer_create_space(importer, &args);
}

/* What a file whose device has lost its driver answers to everything. */
static void assert_dead(int dev, int importer, uint32_t space)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	struct vcm_edu_faults faults = { .space = space };
	struct vcm_edu_check check = { .handle = 1 };
	struct vcm_edu_import import;
	struct vcm_edu_info info;
	uint32_t op;

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_FAULTS, &faults), -ENODEV);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_CHECK, &check), -ENODEV);
	for (op = VCM_EDU_SPACE_DESTROY; op <= VCM_EDU_SPACE_SWITCH; op++)
		igt_assert_eq(__vcm_space_op(importer, space, op), -ENODEV);
	igt_assert_eq(create_dead(importer), -ENODEV);
	igt_assert_eq(__vcm_space_import(importer, space, dmabuf, &import), -ENODEV);
	igt_assert_eq(__vcm_space_import(importer, 0, dmabuf, &import), -ENODEV);
	igt_assert_eq(__vcm_space_import_at(importer, space, dmabuf, FIXED, &import), -ENODEV);
	igt_assert_eq(__vcm_importer_dma(importer, 1, VCM_EDU_TO_DEVICE, 0, 8, 0), -ENODEV);
	igt_assert_eq(__vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, FIXED, 8, 0), -ENODEV);
	igt_assert_eq(__vcm_importer_release(importer, 1), -ENODEV);
	igt_assert_eq(__vcm_importer_info(importer, &info), -ENODEV);
	close(dmabuf);
}

static void unbind_once(int dev, bool managed)
{
	int importer = vcm_importer_open(0);
	struct rest before;
	uint32_t space;

	rest_read(&before);
	space = use_spaces(dev, importer);
	assert_blocked(managed);
	vcm_driver_unbind(vcm_edu_device[0]);
	assert_dead(dev, importer, space);
	rest_assert_back(&before);
	close(importer);
	rest_assert_back(&before);
	vcm_driver_bind(vcm_edu_device[0]);
}

static void test_managed_unbind(int dev)
{
	int importer;

	load(true);
	unbind_once(dev, true);
	importer = vcm_importer_open(0);
	assert_works(dev, importer);
}

/*
 * There are two buffers at one address: in the space, and of the device's own.
 * A transfer to the first one is under way when the device leaves the space; it
 * may come too late to be seen, but the other buffer is not where it may go.
 */
static void test_managed_unbind_dma(int dev)
{
	struct vcm_edu_space_create args = { .start = MIB(16), .length = MIB(240) };
	struct vcm_space_buffer own, other;
	int importer;

	load(true);
	importer = vcm_importer_open(0);
	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_init(&other, dev, KIB(64));
	vcm_space_buffer_import(&own, importer, 0);
	vcm_space_buffer_tag(&own, 1);
	args.fixed_start = own.import.iova;
	args.fixed_length = KIB(64);
	args.space = vcm_importer_create_space_args(importer, &args);
	vcm_space_buffer_import_at(&other, importer, args.space, own.import.iova);
	vcm_importer_activate(importer, args.space);

	igt_fork(child, 1)
		vcm_importer_write(importer, other.import.handle, 0, KIB(2));
	/* The transfer takes 100 ms. */
	usleep(30000);
	vcm_driver_unbind(vcm_edu_device[0]);
	igt_waitchildren();
	vcm_space_buffer_assert_tagged(&own, 1);

	own.import.handle = 0;
	other.import.handle = 0;
	vcm_space_buffer_fini(&own);
	vcm_space_buffer_fini(&other);
	close(importer);
	vcm_driver_bind(vcm_edu_device[0]);
}

static void test_unbind(int dev)
{
	int importer;

	unbind_once(dev, false);
	importer = vcm_importer_open(0);
	assert_works(dev, importer);
}

static void test_unbind_many_times(int dev)
{
	struct rest before;
	int i;

	rest_read(&before);
	for (i = 0; i < 8; i++)
		unbind_once(dev, false);
	rest_assert_back(&before);
}

static void test_unbind_one_of_two(int dev)
{
	int importer = vcm_importer_open(0), second = vcm_importer_open(1);
	struct vcm_space_buffer buffer;
	uint32_t space = create(second);

	vcm_space_buffer_init(&buffer, dev, MIXED);
	vcm_space_buffer_import(&buffer, second, space);
	vcm_importer_activate(second, space);
	use_spaces(dev, importer);
	vcm_driver_unbind(vcm_edu_device[0]);
	vcm_space_assert_dma(&buffer, 1);
	close(importer);
	vcm_space_assert_dma(&buffer, 2);
	vcm_driver_bind(vcm_edu_device[0]);
	vcm_importer_deactivate(second, space);
	vcm_space_buffer_fini(&buffer);
	assert_works(dev, second);
}

/* Makes, uses and destroys spaces until the device is gone. */
static void use_until_dead(int index, int importer, int shared)
{
	struct vcm_edu_import import;
	int ret;

	do {
		struct vcm_edu_space_create args = window;

		ret = __vcm_importer_create_space(importer, &args);
		if (!ret)
			ret = __vcm_space_import(importer, args.space, shared, &import);
		if (!ret)
			ret = __vcm_space_op(importer, args.space, VCM_EDU_SPACE_SWITCH);
		/* One leaves it as it is; there is no room for more than some. */
		if (!ret && index)
			ret = __vcm_importer_release(importer, import.handle);
		if (!ret && index)
			ret = __vcm_space_op(importer, args.space, VCM_EDU_SPACE_DEACTIVATE);
		if ((!ret || ret == -EINVAL) && index)
			ret = __vcm_space_op(importer, args.space, VCM_EDU_SPACE_DESTROY);
		if (ret == -EBUSY || ret == -EINVAL || ret == -ENOSPC)
			ret = 0;
	} while (!ret);
	igt_assert_eq(ret, -ENODEV);
}

/* A process that is late has a file all the same. */
static void unbind_busy(int shared, useconds_t delay)
{
	int importer[3], i;

	for (i = 0; i < ARRAY_SIZE(importer); i++)
		importer[i] = vcm_importer_open(0);
	igt_fork(child, ARRAY_SIZE(importer))
		use_until_dead(child, importer[child], shared);
	usleep(delay);
	vcm_driver_unbind(vcm_edu_device[0]);
	igt_waitchildren();
	for (i = 0; i < ARRAY_SIZE(importer); i++)
		close(importer[i]);
}

static void test_unbind_busy(int dev)
{
	int shared = vcm_dev_alloc_policy(dev, KIB(64), 0, 0, 0), i;
	struct rest before;

	rest_read(&before);
	for (i = 0; i < 4; i++) {
		unbind_busy(shared, 20000 + i * 13000);
		rest_assert_back(&before);
		vcm_driver_bind(vcm_edu_device[0]);
	}
}

static void test_close_after_bind(int dev)
{
	int old = vcm_importer_open(0), importer;
	struct vcm_space_buffer buffer;
	struct rest before;
	uint32_t space;

	rest_read(&before);
	use_spaces(dev, old);
	vcm_driver_unbind(vcm_edu_device[0]);
	vcm_driver_bind(vcm_edu_device[0]);
	importer = vcm_importer_open(0);
	space = create(importer);
	vcm_space_buffer_init(&buffer, dev, MIXED);
	vcm_space_buffer_import(&buffer, importer, space);
	vcm_importer_activate(importer, space);
	assert_dead(dev, old, space);
	close(old);
	vcm_space_assert_dma(&buffer, 1);
	vcm_importer_deactivate(importer, space);
	vcm_space_buffer_fini(&buffer);
	close(importer);
	rest_assert_back(&before);
}

static void test_bind_in_any_order(int dev)
{
	struct vcm_edu_info before[2], after;
	char name[VCM_DEVICE_NAME_LEN];
	int importer, i;

	for (i = 0; i < 2; i++) {
		importer = vcm_importer_open(i);
		igt_assert_eq(__vcm_importer_info(importer, &before[i]), 0);
		close(importer);
	}
	/* Else nothing is shown by it. */
	igt_require(before[0].dma_bits != before[1].dma_bits);

	for (i = 0; i < 2; i++)
		vcm_driver_unbind(vcm_edu_device[i]);
	for (i = 1; i >= 0; i--)
		vcm_driver_bind(vcm_edu_device[i]);
	for (i = 0; i < 2; i++) {
		importer = vcm_importer_open(i);
		vcm_importer_name(i, name);
		igt_assert(!strcmp(name, vcm_edu_device[i]));
		igt_assert_eq(__vcm_importer_info(importer, &after), 0);
		igt_assert_eq(after.dma_bits, before[i].dma_bits);
		assert_works(dev, importer);
		close(importer);
	}
}

/* Both, so that they are found in the order in which they were before. */
static void test_remove(int dev)
{
	int importer = vcm_importer_open(0), i;
	struct rest before;
	uint32_t space;

	rest_read(&before);
	space = use_spaces(dev, importer);
	for (i = 0; i < 2; i++) {
		vcm_device_remove(vcm_edu_device[i]);
		igt_assert(!vcm_driver_bound(vcm_edu_device[i]));
	}
	assert_dead(dev, importer, space);
	vcm_spaces_assert_none();
	close(importer);
	vcm_bus_rescan();
	for (i = 0; i < 2; i++)
		igt_assert(vcm_driver_bound(vcm_edu_device[i]));
	rest_assert_back(&before);

	importer = vcm_importer_open(0);
	assert_works(dev, importer);
}

/* --- The modules go ---------------------------------------------------- */

static void test_unload_refused(int dev)
{
	int importer = vcm_importer_open(0);
	struct vcm_space_buffer buffer;
	uint32_t space = create(importer);

	vcm_space_buffer_init(&buffer, dev, KIB(64));
	vcm_space_buffer_import(&buffer, importer, space);
	vcm_importer_activate(importer, space);
	igt_assert_eq(__vcm_module_unload(VCM_EDU_MODULE), -EAGAIN);
	igt_assert_eq(__vcm_module_unload("vcm_iommu"), -EAGAIN);
	/* Heaps cannot be removed, and so their modules cannot. */
	igt_assert_eq(__vcm_module_unload("vcm_heap"), -EBUSY);
	vcm_space_assert_dma(&buffer, 1);
	vcm_importer_deactivate(importer, space);
}

static void test_unload(int dev)
{
	char path[PATH_MAX];
	struct rest before;
	int i, importer;

	rest_read(&before);
	for (i = 0; i < 3; i++) {
		importer = vcm_importer_open(0);
		use_spaces(dev, importer);
		close(importer);
		vcm_edu_unload();
		igt_assert(!vcm_module_loaded(VCM_EDU_MODULE));
		vcm_spaces_assert_none();
		/* The heap needs placement, but no address spaces. */
		igt_assert_eq(__vcm_module_unload("vcm_iova"), -EAGAIN);
		igt_assert_eq(__vcm_module_unload("vcm_iommu"), 0);
		igt_assert(vcm_module_find("vcm_iommu", path));
		igt_assert_eq(__vcm_module_load(path, ""), 0);
		vcm_edu_load(false);
		rest_assert_back(&before);
	}
	importer = vcm_importer_open(0);
	assert_works(dev, importer);
}

/* --- Many at once ------------------------------------------------------ */

/* What the processes of "parallel" share */
struct crowd {
	int dev;	/* /dev/vcm */
	int importer;	/* the device that is switched */
	uint32_t space[3];	/* its spaces; the device is switched between the first two */
	struct vcm_space_buffer buffer[2];	/* in these two */
	double end;	/* when to stop */
};

/* Every second there is DMA, which takes 200 ms and keeps the others waiting. */
static unsigned int switch_spaces(struct crowd *crowd)
{
	time_t last = 0;
	unsigned int n;

	for (n = 0; n < 10 || now() < crowd->end; n++) {
		vcm_importer_switch(crowd->importer, crowd->space[n & 1]);
		if ((time_t)now() == last)
			continue;
		last = now();
		vcm_space_assert_dma(&crowd->buffer[n & 1], n + 1);
	}
	return n;
}

/* Whatever comes and goes, in the spaces that are switched and the one beside. */
static unsigned int map_in_spaces(struct crowd *crowd, bool inactive)
{
	unsigned int n;

	for (n = 0; n < 10 || now() < crowd->end; n++) {
		uint32_t space = crowd->space[inactive ? 2 : n & 1];
		uint64_t length = KIB(4) << (n * 7 % 11);
		int dmabuf = vcm_dev_alloc_policy(crowd->dev, length, 0, 0, 0);
		struct vcm_edu_import one, two;

		vcm_space_import(crowd->importer, space, dmabuf, &one);
		if (inactive)
			vcm_space_import_at(crowd->importer, space, dmabuf, FIXED, &two);
		else
			vcm_space_import(crowd->importer, 0, dmabuf, &two);
		close(dmabuf);
		vcm_importer_release(crowd->importer, one.handle);
		vcm_importer_release(crowd->importer, two.handle);
	}
	return n;
}

/* Another device, of which everything is made anew each time. */
static unsigned int use_other_device(struct crowd *crowd)
{
	unsigned int n;

	for (n = 0; n < 10 || now() < crowd->end; n++) {
		int importer = vcm_importer_open(1);

		use_spaces(crowd->dev, importer);
		close(importer);
	}
	return n;
}

static unsigned int look(struct crowd *crowd)
{
	static struct vcm_spaces spaces;
	unsigned int n;

	for (n = 0; n < 10 || now() < crowd->end; n++) {
		vcm_spaces_read(vcm_edu_device[0], &spaces);
		igt_assert_eq(spaces.spaces, 3);
		igt_assert(!spaces.space[2].active);
		igt_assert(!(spaces.space[0].active && spaces.space[1].active));
		igt_assert_lte_u64(MIXED, spaces.space[0].mapped);
		free(vcm_debugfs_read("iova"));
	}
	return n;
}

static void join_crowd(struct crowd *crowd, int role)
{
	static const char * const did[] = {
		"switches", "buffers in switched spaces", "buffers in an inactive space",
		"times three spaces of another device", "looks",
	};
	unsigned int n = 0;

	switch (role) {
	case 0:
		n = switch_spaces(crowd);
		break;
	case 1:
	case 2:
		n = map_in_spaces(crowd, role == 2);
		break;
	case 3:
		n = use_other_device(crowd);
		break;
	case 4:
		n = look(crowd);
		break;
	}
	igt_info("%u %s\n", n, did[role]);
}

static void test_parallel(int dev)
{
	const char *seconds = getenv("VCM_SPACE_SECONDS");
	struct crowd crowd = { .dev = dev, .importer = vcm_importer_open(0) };
	struct rest before;
	int i;

	rest_read(&before);
	for (i = 0; i < 3; i++)
		crowd.space[i] = create(crowd.importer);
	for (i = 0; i < 2; i++) {
		vcm_space_buffer_init(&crowd.buffer[i], dev, MIXED);
		vcm_space_buffer_import(&crowd.buffer[i], crowd.importer, crowd.space[i]);
	}
	crowd.end = now() + (seconds ? atoi(seconds) : PARALLEL_SECONDS);
	igt_fork(child, 5)
		join_crowd(&crowd, child);
	igt_waitchildren();

	for (i = 0; i < 2; i++) {
		vcm_importer_switch(crowd.importer, crowd.space[i]);
		vcm_space_assert_dma(&crowd.buffer[i], i);
		vcm_space_buffer_fini(&crowd.buffer[i]);
	}
	close(crowd.importer);
	rest_assert_back(&before);
}

/* --- The subtests ------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(int dev);
	const char *description;
} subtests[] = {
	{ "unbind", test_unbind,
	  "A device loses its driver while a space is active and others have buffers" },
	{ "unbind-many-times", test_unbind_many_times,
	  "That uses nothing up, however often" },
	{ "unbind-one-of-two", test_unbind_one_of_two,
	  "That another device lost its driver is of no concern to a device" },
	{ "unbind-busy", test_unbind_busy,
	  "A device loses its driver while processes use its spaces" },
	{ "close-after-bind", test_close_after_bind,
	  "A file from before is closed when the device has new spaces" },
	{ "bind-in-any-order", test_bind_in_any_order,
	  "A device is the same whichever of them is bound first" },
	{ "remove", test_remove,
	  "A device is unplugged while a space is active, and plugged in again" },
	{ "unload-refused", test_unload_refused,
	  "Modules stay loaded while they are needed" },
	{ "unload", test_unload,
	  "A driver can be unloaded and loaded, and its devices have spaces again" },
	{ "parallel", test_parallel,
	  "Buffers come and go in spaces that a device is switched between" },
	{ "vectors", test_vectors_unmanaged,
	  "A driver may set up its device's vectors anew while no space is active" },
	{ "managed-vectors", test_managed_vectors,
	  "So may a driver that manages the DMA of its device" },
	{ "managed-gap", test_managed_gap,
	  "A device of a driver that manages its DMA reaches nothing between spaces" },
	{ "managed-until-last", test_managed_until_last,
	  "The device's own addresses are back with the end of its last space" },
	{ "managed-switch", test_managed_switch,
	  "A device of such a driver can be switched many times" },
	{ "managed-unbind", test_managed_unbind,
	  "Such a device loses its driver while a space is active" },
	{ "managed-unbind-dma", test_managed_unbind_dma,
	  "DMA that is under way when the driver goes changes nothing but its buffer" },
};

static void run(int dev, int i)
{
	vcm_edu_restore();
	vcm_spaces_assert_none();
	subtests[i].run(dev);
	vcm_subtest_end();
	vcm_edu_restore();
	vcm_spaces_assert_none();
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_edu_setup();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++)
		vcm_subtest(subtests[i].name, run(dev, i), subtests[i].description);

	igt_fixture() {
		vcm_edu_restore();
		vcm_spaces_assert_none();
		vcm_totals_assert_back(&before);
	}
}
