// SPDX-License-Identifier: MIT
/*
 * The tests' importer, vcm-edu-test: a device that does DMA between a
 * dma-buf and RAM of its own, and a driver that maps it for the kernel.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_importer.h"

/* Of the module, the driver and the devices; a test of another importer sets it first. */
const char *vcm_importer = "vcm-edu-test";

/* Returns a file descriptor or -errno. */
int __vcm_importer_open(unsigned int index)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), index ? "/dev/%s%u" : "/dev/%s", vcm_importer, index);
	fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Opens the device and skips the test where there is none. Returns a file descriptor. */
int vcm_importer_open(unsigned int index)
{
	int fd = __vcm_importer_open(index);

	igt_require_f(fd >= 0, "no importer %s number %u: %s\n", vcm_importer, index,
		      strerror(-fd));
	return fd;
}

int __vcm_importer_ioctl(int importer, unsigned long request, void *arg)
{
	return ioctl(importer, request, arg) < 0 ? -errno : 0;
}

int __vcm_importer_info(int importer, struct vcm_edu_info *info)
{
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_INFO, info);
}

/* With an IOMMU, or with addresses for twice the memory: it may have holes. */
static bool reaches_memory(int importer)
{
	struct vcm_edu_info info = {};

	igt_assert_eq(__vcm_importer_info(importer, &info), 0);
	return info.flags & VCM_EDU_TRANSLATED || info.dma_bits > 63 ||
	       1ull << info.dma_bits >= 2 * vcm_ram_size();
}

/*
 * Opens the first device that can do DMA wherever a buffer may lie, and skips the test
 * where there is none. Returns a file descriptor.
 */
int vcm_importer_open_reaching(void)
{
	unsigned int index;
	int fd;

	for (index = 0; (fd = __vcm_importer_open(index)) >= 0; index++) {
		if (reaches_memory(fd))
			return fd;
		close(fd);
	}
	igt_require_f(false, "no importer vcm-edu-test that reaches all memory\n");
	return -1;
}

/* Skips the test where the device could not prove that an IOMMU translates its DMA. */
void vcm_importer_require_translation(int importer)
{
	struct vcm_edu_info info = {};

	igt_assert_eq(__vcm_importer_info(importer, &info), 0);
	igt_require_f(info.flags & VCM_EDU_TRANSLATED,
		      "no IOMMU translates the device's DMA\n");
}

int __vcm_importer_import(int importer, int dmabuf, struct vcm_edu_import *import)
{
	memset(import, 0, sizeof(*import));
	import->fd = dmabuf;
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, import);
}

/* Returns the handle of the import. */
uint32_t vcm_importer_import(int importer, int dmabuf)
{
	struct vcm_edu_import import;
	int ret = __vcm_importer_import(importer, dmabuf, &import);

	igt_assert_f(ret == 0, "import: %s\n", strerror(-ret));
	igt_assert(import.handle);
	return import.handle;
}

int __vcm_importer_release(int importer, uint32_t handle)
{
	struct vcm_edu_release release = { .handle = handle };

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_RELEASE, &release);
}

void vcm_importer_release(int importer, uint32_t handle)
{
	igt_assert_eq(__vcm_importer_release(importer, handle), 0);
}

/* One transfer, 100 ms long on the emulated device. Returns 0 or -errno. */
int __vcm_importer_dma(int importer, uint32_t handle, uint32_t dir, uint64_t offset,
		       uint32_t length, uint32_t ram_offset)
{
	struct vcm_edu_dma dma = {
		.handle = handle,
		.dir = dir,
		.offset = offset,
		.length = length,
		.ram_offset = ram_offset,
	};

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_DMA, &dma);
}

/* The device reads from the buffer into the start of its RAM. */
void vcm_importer_read(int importer, uint32_t handle, uint64_t offset, uint32_t length)
{
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_TO_DEVICE, offset, length, 0),
		      0);
}

/* The device writes the start of its RAM into the buffer. */
void vcm_importer_write(int importer, uint32_t handle, uint64_t offset, uint32_t length)
{
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_FROM_DEVICE, offset, length,
					 0), 0);
}

/* A copy through a kernel mapping of the buffer. Returns 0 or -errno. */
int __vcm_importer_access(int importer, uint32_t handle, uint32_t write, uint64_t offset,
			  uint32_t length, void *user)
{
	struct vcm_edu_access access = {
		.handle = handle,
		.write = write,
		.offset = offset,
		.length = length,
		.user = (uintptr_t)user,
	};

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_ACCESS, &access);
}

/* @to: memory to copy to */
void vcm_importer_kernel_read(int importer, uint32_t handle, uint64_t offset, uint32_t length,
			      void *to)
{
	igt_assert_eq(__vcm_importer_access(importer, handle, 0, offset, length, to), 0);
}

/* @from: memory to copy from */
void vcm_importer_kernel_write(int importer, uint32_t handle, uint64_t offset,
			       uint32_t length, const void *from)
{
	igt_assert_eq(__vcm_importer_access(importer, handle, 1, offset, length, (void *)from), 0);
}
