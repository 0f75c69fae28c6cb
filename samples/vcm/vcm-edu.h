/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Userspace interface of the sample importer vcm-edu, /dev/vcm-edu.
 *
 * The device is QEMU's "edu" PCI device: a DMA engine between memory and
 * 4 KiB of RAM inside the device. Second and further devices appear as
 * /dev/vcm-edu1, /dev/vcm-edu2, ...; a PCI address keeps its number.
 *
 * A device can be open once at a time, else open() fails with EBUSY, and has one
 * buffer at a time, until the next one or until the file is closed. read() copies
 * from that through a mapping for the kernel, dma_buf_vmap(), which is made for the
 * one call. Its errors: ENOENT (no buffer), ENODEV (no buffer, and the device is lost
 * or given up), EOPNOTSUPP (the buffer is memory of a device), EFAULT, and what
 * beginning the access of the CPU and mapping return.
 *
 * Besides the errors below, ioctls return EFAULT, ENOTTY, and ENODEV once the driver
 * has lost the device, or has given it up because a transfer did not end.
 */
#ifndef _VCM_EDU_H
#define _VCM_EDU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Bytes of device RAM that a transfer can use. The RAM has 4096, but some
 * versions of the device stop the emulator on a transfer that touches the
 * last one.
 */
#define VCM_EDU_RAM_SIZE	2048

/* &struct vcm_edu_import.iova of a device that no IOMMU translates for */
#define VCM_EDU_IOVA_NONE	(~(__u64)0)

/**
 * struct vcm_edu_import - attach to a dma-buf and map it for the device
 * @fd: in: the dma-buf
 * @flags: in: must be 0
 * @handle: out: names the import in the calls below, never 0
 * @nents: out: DMA segments of the mapping
 * @iova: out: where the device sees the first byte, or VCM_EDU_IOVA_NONE
 * @length: out: bytes in the buffer
 * @space: in: 1 to map it in the address space that the driver has made for the
 *	device, 0 for the device's own addresses
 * @reserved: in: must be 0
 *
 * Errors: EINVAL (@flags, @space, @reserved, or @fd is no dma-buf), EBADF, and
 * what attaching, mapping and vcm_space_create() return. The buffer that the device
 * had before is given back also when this fails, unless @flags, @space or @reserved
 * is wrong.
 */
struct vcm_edu_import {
	__s32 fd;
	__u32 flags;
	__u32 handle;
	__u32 nents;
	__aligned_u64 iova;
	__aligned_u64 length;
	__u32 space;
	__u32 reserved;
};

enum vcm_edu_dir {
	VCM_EDU_TO_DEVICE = 0,		/* buffer -> device RAM */
	VCM_EDU_FROM_DEVICE = 1,	/* device RAM -> buffer */
};

/**
 * struct vcm_edu_dma - one transfer between a buffer and the device's RAM
 * @handle: in: from VCM_EDU_IOC_IMPORT
 * @dir: in: &enum vcm_edu_dir
 * @offset: in: bytes into the buffer
 * @length: in: bytes, at least 1
 * @ram_offset: in: bytes into the device's RAM
 *
 * Begins when others have done what the buffer's fences are for, and is over
 * when the call returns.
 * Errors: EINVAL (direction, zero length), ENOENT (handle), ERANGE (outside
 * the buffer or the device's RAM), ETIMEDOUT (the others or the device did not
 * finish), EINTR, and what vcm_space_activate() returns.
 */
struct vcm_edu_dma {
	__u32 handle;
	__u32 dir;
	__aligned_u64 offset;
	__u32 length;
	__u32 ram_offset;
};

#define VCM_EDU_IOC_MAGIC	0xE7
#define VCM_EDU_IOC_IMPORT	_IOWR(VCM_EDU_IOC_MAGIC, 0, struct vcm_edu_import)
#define VCM_EDU_IOC_DMA		_IOW(VCM_EDU_IOC_MAGIC, 1, struct vcm_edu_dma)

#endif /* _VCM_EDU_H */
