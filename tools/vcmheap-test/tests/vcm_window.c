// SPDX-License-Identifier: MIT
/*
 * Windows in the addresses of a device that an administrator makes: nothing is placed
 * there, in whatever way it is mapped, but the buffers of their number.
 */

#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Addresses that a device must not use, or uses for certain buffers.");

#define PARAMETER "/sys/module/vcm_iova/parameters/window"

#define WINDOW_START	MIB(64)
#define WINDOW_LENGTH	MIB(32)
#define NUMBER		7
#define MAX_IMPORTS	300

/* --- The parameter ----------------------------------------------------- */

/* Writes what @format makes of the device's name; returns 0 or -errno. */
static int __window_write(const char *format, const char *device)
{
	char text[128];
	int fd = open(PARAMETER, O_WRONLY | O_CLOEXEC), len, ret;

	igt_assert_lte(0, fd);
	len = snprintf(text, sizeof(text), format, device);
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

static void window_write(const char *format, const char *device)
{
	int ret = __window_write(format, device);

	igt_assert_f(!ret, "%s: %s\n", format, strerror(-ret));
}

/* The first device is bound with that window, and opened. */
static int bind_with(const char *format)
{
	vcm_driver_unbind(vcm_edu_device[0]);
	window_write(format, vcm_edu_device[0]);
	vcm_driver_bind(vcm_edu_device[0]);
	return vcm_importer_open(0);
}

static void bind_without(int importer)
{
	close(importer);
	vcm_driver_unbind(vcm_edu_device[0]);
	window_write("-%s", vcm_edu_device[0]);
	vcm_driver_bind(vcm_edu_device[0]);
}

/* Whatever a subtest that failed has left */
static void window_restore(void)
{
	vcm_edu_restore();
	vcm_driver_unbind(vcm_edu_device[0]);
	__window_write("-%s", vcm_edu_device[0]);
	vcm_driver_bind(vcm_edu_device[0]);
}

/* A field of the first device's line in vcm/windows */
static uint64_t window_field(const char *key)
{
	char *text = vcm_debugfs_read("windows"), *save = NULL, *line;
	uint64_t value = 0;
	bool found = false;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!vcm_debugfs_is_line_of(line, vcm_edu_device[0]))
			continue;
		value = vcm_debugfs_field(line, key);
		found = true;
	}
	free(text);
	igt_assert_f(found, "no window of %s\n", vcm_edu_device[0]);
	return value;
}

/* --- Buffers ----------------------------------------------------------- */

static int alloc_numbered(int dev, uint64_t len, uint32_t window, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.window = window;
	args.flags = flags;
	return vcm_dev_alloc(dev, &args);
}

static bool overlaps(const struct vcm_edu_import *import)
{
	return import->iova < WINDOW_START + WINDOW_LENGTH &&
	       import->iova + import->length > WINDOW_START;
}

static bool inside(const struct vcm_edu_import *import)
{
	return import->iova >= WINDOW_START &&
	       import->iova + import->length <= WINDOW_START + WINDOW_LENGTH;
}

/* What was imported, up to @n */
static struct vcm_edu_import imports[MAX_IMPORTS];

/* Imports once more; returns whether it fits. @in: how many are in the window */
static bool import_more(int importer, int dmabuf, unsigned int *n, unsigned int *in)
{
	struct vcm_edu_import *import = &imports[*n];
	int ret;

	if (*n == MAX_IMPORTS)
		return false;
	*import = (struct vcm_edu_import){};
	ret = __vcm_importer_import(importer, dmabuf, import);
	igt_assert(!ret || ret == -ENOSPC || ret == -ENOMEM);
	if (ret)
		return false;
	igt_assert(inside(import) || !overlaps(import));
	*in += inside(import);
	++*n;
	return true;
}

static void release_all(int importer, unsigned int n)
{
	while (n--)
		vcm_importer_release(importer, imports[n].handle);
}

/* Imports until nothing fits, and then releases. Returns how many, @in in the window. */
static unsigned int fill(int importer, int dmabuf, unsigned int *in)
{
	unsigned int n = 0;

	*in = 0;
	while (import_more(importer, dmabuf, &n, in))
		;
	release_all(importer, n);
	return n;
}

/* The same with another heap, each buffer once: so often does a driver map a page. */
static unsigned int fill_from(int importer, int heap, uint64_t len, unsigned int *in)
{
	unsigned int n = 0;
	bool more;

	*in = 0;
	do {
		int dmabuf = vcm_heap_alloc(heap, len);

		more = import_more(importer, dmabuf, &n, in);
		close(dmabuf);
	} while (more);
	release_all(importer, n);
	return n;
}

/* --- Subtests ---------------------------------------------------------- */

static const uint64_t lengths[] = { MIB(2), MIB(3), MIB(33), KIB(1040), MIB(1) };

/* The whole address space, but for the window, and the window when it has gone. */
static void test_kept(int dev)
{
	unsigned int i, in, n[ARRAY_SIZE(lengths)];
	int importer = bind_with("%s,64M,32M"), dmabuf;

	igt_assert_eq_u64(window_field(" reserved="), WINDOW_LENGTH);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		dmabuf = vcm_dev_alloc_policy(dev, lengths[i], 0, 0, 0);
		n[i] = fill(importer, dmabuf, &in);
		igt_assert_eq(in, 0);
		igt_assert_lt(0, n[i]);
		close(dmabuf);
	}
	bind_without(importer);

	importer = vcm_importer_open(0);
	dmabuf = vcm_dev_alloc_policy(dev, MIB(2), 0, 0, 0);
	igt_assert_lt(n[0], fill(importer, dmabuf, &in));
	igt_assert_eq(in, WINDOW_LENGTH / MIB(2));
	close(dmabuf);
	close(importer);
}

/* What another exporter maps, with the DMA API alone */
static void test_others(int dev)
{
	int importer = bind_with("%s,64M,32M"), heap = __vcm_heap_open("system");
	unsigned int i, in, n = 0;

	(void)dev;
	igt_require_f(heap >= 0, "no heap \"system\": %s\n", strerror(-heap));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		/* What was unmapped just now the DMA API may still have in its queue. */
		n += fill_from(importer, heap, lengths[i], &in);
		igt_assert_eq(in, 0);
	}
	igt_assert_lt(0, n);
	close(heap);
	bind_without(importer);
}

/* Buffers of the number are in the window and work there, and others are not. */
static void test_numbered(int dev)
{
	int importer = bind_with("%s,64M,32M,7");
	int dmabuf = alloc_numbered(dev, MIB(2), NUMBER, DMA_HEAP_VCM_STRICT);
	int other = vcm_dev_alloc_policy(dev, MIB(2), 0, 0, 0);
	struct vcm_edu_import import = {}, import_other = {};
	struct dma_heap_vcm_query query;
	unsigned int in;

	igt_assert_eq(__vcm_importer_import(importer, other, &import_other), 0);
	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
	igt_assert(inside(&import));
	igt_assert(!overlaps(&import_other));
	igt_assert_eq_u64(window_field(" used="), MIB(2));
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_window, NUMBER);
	igt_assert_eq(query.out_nr_degraded, 0);

	vcm_buffer_fill(other, 1);
	vcm_importer_read(importer, import_other.handle, MIB(1), KIB(1));
	vcm_importer_write(importer, import.handle, MIB(1), KIB(1));
	vcm_importer_release(importer, import.handle);
	vcm_importer_release(importer, import_other.handle);

	igt_assert_eq(fill(importer, dmabuf, &in), WINDOW_LENGTH / MIB(2));
	igt_assert_eq(in, WINDOW_LENGTH / MIB(2));
	close(dmabuf);
	close(other);
	bind_without(importer);
}

static void test_too_long(int dev)
{
	int importer = bind_with("%s,64M,32M,7");
	int dmabuf = alloc_numbered(dev, MIB(33), NUMBER, 0);
	struct vcm_edu_import import = {};

	igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), -ENOSPC);
	close(dmabuf);
	bind_without(importer);
}

/* A device without such a window: as it is, or not at all. */
static void test_no_window(int dev)
{
	int importer = vcm_importer_open(1);
	int any = alloc_numbered(dev, MIB(1), NUMBER, 0);
	int strict = alloc_numbered(dev, MIB(1), NUMBER, DMA_HEAP_VCM_STRICT);
	struct vcm_edu_import import = {};
	struct dma_heap_vcm_query query;

	igt_assert_eq(__vcm_importer_import(importer, strict, &import), -EOPNOTSUPP);
	igt_assert_eq(__vcm_importer_import(importer, any, &import), 0);
	vcm_dev_query(dev, any, &query);
	igt_assert_eq(query.out_nr_degraded, 1);
	vcm_importer_release(importer, import.handle);
	close(strict);
	close(any);
	close(importer);
}

static const struct {
	const char *text;
	int error;
} mistakes[] = {
	{ ",", -EINVAL }, { "%s", -EINVAL }, { "%s,64M", -EINVAL }, { "%s,64M,32M,x", -EINVAL },
	{ "%s,64M,0", -EINVAL }, { "%s,4097,32M", -EINVAL }, { "%s,64M,32M,1,1", -EINVAL },
	{ "%s,4000M,1G", -ERANGE }, { "-%s", -ENOENT },
};

static void test_mistakes(int dev)
{
	const char *device = vcm_edu_device[0];
	unsigned int i;

	(void)dev;
	igt_assert_eq(__window_write("%s,64M,32M", device), -EBUSY);
	vcm_driver_unbind(device);
	for (i = 0; i < ARRAY_SIZE(mistakes); i++)
		igt_assert_f(__window_write(mistakes[i].text, device) == mistakes[i].error,
			     "\"%s\"\n", mistakes[i].text);
	window_write("%s,64M,32M,7", device);
	igt_assert_eq(__window_write("%s,80M,32M", device), -EEXIST);
	igt_assert_eq(__window_write("%s,0,1M,7", device), -EEXIST);
	vcm_driver_bind(device);
	igt_assert_eq(__window_write("-%s", device), -EBUSY);
	vcm_driver_unbind(device);
	window_write("-%s", device);
	vcm_driver_bind(device);
}

/* A buffer that is mapped in the window when its device goes */
static void test_gone(int dev)
{
	int importer = bind_with("%s,64M,32M,7"), i;
	int dmabuf = alloc_numbered(dev, MIB(3), NUMBER, 0);
	struct vcm_edu_import import = {};

	for (i = 0; i < 10; i++) {
		vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "Y");
		igt_assert_eq(__vcm_importer_import(importer, dmabuf, &import), 0);
		igt_assert(inside(&import));
		vcm_driver_unbind(vcm_edu_device[0]);
		vcm_importer_release(importer, import.handle);
		vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "N");
		close(importer);
		vcm_driver_bind(vcm_edu_device[0]);
		importer = vcm_importer_open(0);
	}
	igt_assert_eq_u64(window_field(" reserved="), WINDOW_LENGTH);
	igt_assert_eq_u64(window_field(" used="), 0);
	close(dmabuf);
	bind_without(importer);
}

static const struct {
	const char *name;
	void (*run)(int dev);
	const char *description;
} subtests[] = {
	{ "kept", test_kept,
	  "No buffer is placed in a window that is for none, however it is placed" },
	{ "others", test_others, "... nor is what another heap maps with the DMA API alone" },
	{ "numbered", test_numbered, "Buffers of the number are in the window and nowhere else" },
	{ "too-long", test_too_long, "A buffer that is longer than its window is refused" },
	{ "no-window", test_no_window,
	  "A device without the window has the buffer degraded, or not at all" },
	{ "mistakes", test_mistakes,
	  "Each mistake has its error, and windows of a bound device stay" },
	{ "gone", test_gone, "What is mapped in a window ends with its device" },
};

/* Also what a subtest that failed has left */
static void run(int dev, int i)
{
	window_restore();
	subtests[i].run(dev);
	window_restore();
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
		window_restore();
		vcm_totals_assert_back(&before);
	}
}
