/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Userspace interface of the sample importer vcm-edu, /dev/vcm-edu.
 *
 * The device is QEMU's "edu" PCI device: a DMA engine between memory and
 * 4 KiB of RAM inside the device. Second and further devices appear as
 * /dev/vcm-edu1, /dev/vcm-edu2, ...
 *
 * Besides the errors below, every call returns ENODEV once the driver
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

/* Map the buffer at @iova in the fixed window of the space. */
#define VCM_EDU_IMPORT_FIXED	(1u << 0)

/**
 * struct vcm_edu_import - attach to a dma-buf and map it for the device
 * @fd: in: the dma-buf
 * @flags: in: VCM_EDU_IMPORT_FIXED or 0
 * @handle: out: names the import in the calls below, never 0
 * @nents: out: DMA segments of the mapping
 * @iova: out: where the device sees the first byte, or VCM_EDU_IOVA_NONE;
 *	in: the address for VCM_EDU_IMPORT_FIXED, else ignored
 * @length: out: bytes in the buffer
 * @space: in: the space to map it in, or 0 for the device's own addresses
 * @reserved: in: must be 0
 *
 * Errors: EINVAL (flags, or @fd is no dma-buf), EBADF, ENOENT (@space), ENOSPC
 * (as many imports as one open file may have), and what attaching, mapping and
 * vcm_space_map_at() return.
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
 * Errors: EINVAL (direction, zero length), ENOENT (handle), ERANGE (outside
 * the buffer or the device's RAM), ENXIO (the device is not in the space that
 * the buffer was imported to), EIO (the device did not finish).
 */
struct vcm_edu_dma {
	__u32 handle;
	__u32 dir;
	__aligned_u64 offset;
	__u32 length;
	__u32 ram_offset;
};

/**
 * struct vcm_edu_access - copy through a kernel mapping of the buffer
 * @handle: in: from VCM_EDU_IOC_IMPORT
 * @write: in: 0 copies from the buffer to @user, 1 the other way
 * @offset: in: bytes into the buffer
 * @length: in: bytes, at most 64 KiB
 * @reserved: in: must be 0
 * @user: in: userspace address
 *
 * The buffer is mapped with dma_buf_vmap() for this one call.
 * Errors: EINVAL (@write, zero length), ENOENT, ERANGE, EFAULT (part of it may
 * have been copied), EOPNOTSUPP (the mapping is of a device's memory), and what
 * dma_buf_vmap() returns.
 */
struct vcm_edu_access {
	__u32 handle;
	__u32 write;
	__aligned_u64 offset;
	__u32 length;
	__u32 reserved;
	__aligned_u64 user;
};

#define VCM_EDU_ACCESS_MAX	0x10000

/**
 * struct vcm_edu_release - unmap and detach
 * @handle: in: from VCM_EDU_IOC_IMPORT
 * @reserved: must be 0
 *
 * Closing the file releases what is left. Errors: EINVAL, ENOENT.
 */
struct vcm_edu_release {
	__u32 handle;
	__u32 reserved;
};

#define VCM_EDU_TRANSLATED	(1u << 0)

/**
 * struct vcm_edu_info - what the device is behind
 * @flags: out: VCM_EDU_TRANSLATED: an IOMMU translates the device's DMA; this
 *	was found by experiment (the device reads back a tag from an address
 *	that is not the physical one), not asked from the kernel
 * @dma_bits: out: width of the device's DMA mask
 *
 * Found when the driver is bound.
 */
struct vcm_edu_info {
	__u32 flags;
	__u32 dma_bits;
};

/**
 * struct vcm_edu_probe - one transfer at any address
 * @iova: in: where the device reads or writes
 * @length: in: bytes, at least 1
 * @ram_offset: in: bytes into the device's RAM
 * @dir: in: &enum vcm_edu_dir
 * @reserved: must be 0
 *
 * For tests of what a device can not reach. No driver has such a call: it is
 * refused unless the module was loaded with unsafe_probe=1, the caller has
 * CAP_SYS_RAWIO, and an IOMMU translates the device's DMA. Success says that the
 * transfer ended, not that anything was moved.
 * Errors: EPERM, EINVAL, ERANGE (outside the device's RAM), EIO.
 */
struct vcm_edu_probe {
	__aligned_u64 iova;
	__u32 length;
	__u32 ram_offset;
	__u32 dir;
	__u32 reserved;
};

/* The device reaches nothing while no space is active. */
#define VCM_EDU_SPACE_GAP_BLOCKED	(1u << 0)

/**
 * struct vcm_edu_space_create - make an address space for the device
 * @start: in: first address
 * @length: in: number of addresses
 * @fixed_start: in: first address of the fixed window
 * @fixed_length: in: number of addresses of the fixed window
 * @align: in: alignment that is enforced, or 0
 * @space: out: names the space in the calls below, never 0
 * @flags: out: VCM_EDU_SPACE_GAP_BLOCKED or 0
 *
 * Errors: those of vcm_space_create().
 */
struct vcm_edu_space_create {
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 fixed_start;
	__aligned_u64 fixed_length;
	__aligned_u64 align;
	__u32 space;
	__u32 flags;
};

enum vcm_edu_space_op {
	VCM_EDU_SPACE_DESTROY = 0,
	VCM_EDU_SPACE_ACTIVATE = 1,
	VCM_EDU_SPACE_DEACTIVATE = 2,
	VCM_EDU_SPACE_SWITCH = 3,
};

/**
 * struct vcm_edu_space - do something to a space
 * @space: in: from VCM_EDU_IOC_SPACE_CREATE
 * @op: in: &enum vcm_edu_space_op
 *
 * VCM_EDU_SPACE_DESTROY ends a space also if it is active, and whatever is
 * imported to it: these imports lead nowhere (ENXIO) until they are released.
 * Errors: EINVAL (@op), ENOENT (@space), and those of vcm_space_activate(),
 * vcm_space_deactivate() and vcm_space_switch().
 */
struct vcm_edu_space {
	__u32 space;
	__u32 op;
};

/* Report a fault as an IOMMU driver would. */
#define VCM_EDU_FAULT_INJECT	(1u << 0)

/**
 * struct vcm_edu_faults - faults that the handler of a space was called for
 * @space: in: from VCM_EDU_IOC_SPACE_CREATE
 * @flags: in: VCM_EDU_FAULT_INJECT or 0
 * @iova: in: the address for VCM_EDU_FAULT_INJECT; out: that of the last fault
 * @count: out: faults so far
 * @write: in: kind of access for VCM_EDU_FAULT_INJECT; out: of the last fault
 *
 * Injection needs unsafe_probe=1 as well, and the space to be active.
 * Errors: EINVAL (flags), ENOENT (@space), EPERM, ENXIO (not active).
 */
struct vcm_edu_faults {
	__u32 space;
	__u32 flags;
	__aligned_u64 iova;
	__u32 count;
	__u32 write;
};

/**
 * struct vcm_edu_check - does a space's translation lead to the buffer
 * @handle: in: an import to a space
 * @matches: out: 1 if what vcm_space_iova_to_phys() says of the address is the
 *	memory that the buffer has there
 * @offset: in: bytes into the buffer
 *
 * Errors: ENOENT (@handle), EINVAL (not imported to a space), ERANGE, ENXIO (the
 * space was destroyed), EOPNOTSUPP (the buffer shows no pages).
 */
struct vcm_edu_check {
	__u32 handle;
	__u32 matches;
	__aligned_u64 offset;
};

/**
 * struct vcm_edu_coherent - memory of the driver's own, in a space
 * @space: in: from VCM_EDU_IOC_SPACE_CREATE, active
 * @length: in: bytes, 16 to 16 MiB
 * @iova: out: where the device saw the memory
 * @matches: out: 1 if the device copied the last 8 bytes to the first ones
 * @reserved: in: must be 0
 *
 * Allocates with dma_alloc_coherent(), has the device copy, and frees.
 * Errors: EINVAL, ENOENT (@space), ENXIO (not active), ENOMEM, EIO.
 */
struct vcm_edu_coherent {
	__u32 space;
	__u32 length;
	__aligned_u64 iova;
	__u32 matches;
	__u32 reserved;
};

#define VCM_EDU_COHERENT_MAX	0x1000000

#define VCM_EDU_IOC_MAGIC	0xE7
#define VCM_EDU_IOC_IMPORT	_IOWR(VCM_EDU_IOC_MAGIC, 0, struct vcm_edu_import)
#define VCM_EDU_IOC_DMA		_IOW(VCM_EDU_IOC_MAGIC, 1, struct vcm_edu_dma)
#define VCM_EDU_IOC_ACCESS	_IOW(VCM_EDU_IOC_MAGIC, 2, struct vcm_edu_access)
#define VCM_EDU_IOC_RELEASE	_IOW(VCM_EDU_IOC_MAGIC, 3, struct vcm_edu_release)
#define VCM_EDU_IOC_INFO	_IOR(VCM_EDU_IOC_MAGIC, 4, struct vcm_edu_info)
#define VCM_EDU_IOC_PROBE	_IOW(VCM_EDU_IOC_MAGIC, 5, struct vcm_edu_probe)
#define VCM_EDU_IOC_SPACE_CREATE \
	_IOWR(VCM_EDU_IOC_MAGIC, 6, struct vcm_edu_space_create)
#define VCM_EDU_IOC_SPACE	_IOW(VCM_EDU_IOC_MAGIC, 7, struct vcm_edu_space)
#define VCM_EDU_IOC_FAULTS	_IOWR(VCM_EDU_IOC_MAGIC, 8, struct vcm_edu_faults)
#define VCM_EDU_IOC_CHECK	_IOWR(VCM_EDU_IOC_MAGIC, 9, struct vcm_edu_check)
#define VCM_EDU_IOC_COHERENT \
	_IOWR(VCM_EDU_IOC_MAGIC, 10, struct vcm_edu_coherent)

#endif /* _VCM_EDU_H */
