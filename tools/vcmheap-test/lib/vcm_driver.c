// SPDX-License-Identifier: MIT
/*
 * Drivers that come and go, for tests: modules, and what they are bound to.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

#include "igt.h"
#include "vcm_driver.h"
#include "vcm_heap.h"
#include "vcm_importer.h"

#define DEVICE_DIR	"/sys/bus/pci/devices/"
#define MODULE_DIR	"/sys/module/"

/* --- Devices ----------------------------------------------------------- */

static const char *driver_path(const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", vcm_importer, file);
	return path;
}

/* Returns whether the importer drives it. */
bool vcm_driver_bound(const char *device)
{
	return !access(driver_path(device), F_OK);
}

/* @device: a device of the importer that is not bound */
void vcm_driver_bind(const char *device)
{
	vcm_file_assert_write(driver_path("bind"), device);
	igt_assert(vcm_driver_bound(device));
}

/* @device: a device of the importer that is bound */
void vcm_driver_unbind(const char *device)
{
	vcm_file_assert_write(driver_path("unbind"), device);
	igt_assert(!vcm_driver_bound(device));
}

/* The kernel forgets it, as if it had been unplugged. */
void vcm_device_remove(const char *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICE_DIR "%s/remove", device);
	vcm_file_assert_write(path, "1");
}

/* The kernel finds PCI devices that it has forgotten, and binds them. */
void vcm_bus_rescan(void)
{
	vcm_file_assert_write("/sys/bus/pci/rescan", "1");
}

/* --- Modules ----------------------------------------------------------- */

/* Returns whether it is loaded. */
bool vcm_module_loaded(const char *module)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), MODULE_DIR "%s/initstate", module);
	return !access(path, F_OK);
}

/* Returns what holds it: other modules, open files, spaces. */
int vcm_module_users(const char *module)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), MODULE_DIR "%s/refcnt", module);
	return vcm_file_read_number(path);
}

/* Returns whether it is where scripts/vm.sh puts modules in a guest. */
bool vcm_module_find(const char *module, char *path)
{
	return snprintf(path, PATH_MAX, "/.vcm/modules/%s.ko", module) < PATH_MAX &&
		!access(path, F_OK);
}

int __vcm_module_load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return ret;
}

int __vcm_module_unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) < 0 ? -errno : 0;
}

/* Of the form "name=value ", or nothing where the module has no such parameter. */
static void edu_parameter(char *text, size_t size, const char *name)
{
	char path[PATH_MAX], *value;

	snprintf(path, sizeof(path), MODULE_DIR VCM_EDU_MODULE "/parameters/%s", name);
	value = vcm_file_read(path);
	if (value && *value != '\n')
		snprintf(text, size, "%s=%.*s ", name, (int)strcspn(value, "\n"), value);
	free(value);
}

/* The module's file, and how the module was loaded first. */
static char edu_file[PATH_MAX], edu_dma_bits[96];

static bool find_edu_file(void)
{
	const char *given = getenv("VCM_EDU_MODULE");

	if (!given)
		return vcm_module_find(VCM_EDU_MODULE, edu_file);
	snprintf(edu_file, sizeof(edu_file), "%s", given);
	return !access(edu_file, R_OK);
}

/*
 * Skips the test where the importer's module cannot be loaded again: where its file is
 * not found. Its path can be given as VCM_EDU_MODULE in the environment.
 */
void vcm_edu_require_module(void)
{
	igt_require_f(find_edu_file(), "no module file (VCM_EDU_MODULE=<file>)\n");
	if (*edu_dma_bits)
		return;
	edu_parameter(edu_dma_bits, sizeof(edu_dma_bits), "dma_bits");
}

/*
 * Returns whether the importer was loaded as a driver that manages the DMA of its
 * devices.
 */
bool vcm_edu_is_managed(void)
{
	char *value = vcm_file_read(MODULE_DIR VCM_EDU_MODULE "/parameters/managed_dma");
	bool managed;

	igt_assert(value);
	managed = *value == 'Y';
	free(value);
	return managed;
}

/* Unloads the importer. */
void vcm_edu_unload(void)
{
	igt_assert_eq(__vcm_module_unload(VCM_EDU_MODULE), 0);
}

/*
 * Loads the importer, with its other parameters as they were at the time of
 * vcm_edu_require_module().
 * @managed: as a driver that manages the DMA of its devices
 */
void vcm_edu_load(bool managed)
{
	char params[256];
	int ret;

	snprintf(params, sizeof(params), "%smanaged_dma=%d", edu_dma_bits, managed);
	ret = __vcm_module_load(edu_file, params);
	igt_assert_f(!ret, "loading %s: %s\n", edu_file, strerror(-ret));
	igt_assert_eq(vcm_edu_is_managed(), managed);
}

/* --- Both devices of the importer -------------------------------------- */

char vcm_edu_device[2][VCM_DEVICE_NAME_LEN];

/* Finds them, and skips the test where no IOMMU translates for them, or no module is. */
void vcm_edu_setup(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		int importer = vcm_importer_open(i);

		vcm_importer_require_translation(importer);
		vcm_importer_name(i, vcm_edu_device[i]);
		close(importer);
	}
	vcm_edu_require_module();
}

/* Whatever a subtest that failed has left: the devices and the driver are back. */
void vcm_edu_restore(void)
{
	unsigned int fd;
	int i;

	/* Files that it had open: there are no others of this driver. */
	for (fd = 3; fd < 256; fd++) {
		struct vcm_edu_info info;
		int ret = __vcm_importer_info(fd, &info);

		if (!ret || ret == -ENODEV)
			close(fd);
	}
	if (!vcm_module_loaded(VCM_EDU_MODULE))
		vcm_edu_load(false);
	if (vcm_edu_is_managed()) {
		vcm_edu_unload();
		vcm_edu_load(false);
	}
	for (i = 0; i < 2; i++) {
		if (!vcm_driver_bound(vcm_edu_device[i]))
			vcm_bus_rescan();
		if (!vcm_driver_bound(vcm_edu_device[i]))
			vcm_driver_bind(vcm_edu_device[i]);
	}
}
