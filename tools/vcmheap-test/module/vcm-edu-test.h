/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Userspace interface of the tests' importer, /dev/vcm-edu-test.
 *
 * It has all calls of the sample importer, and more that no driver should have. One
 * open file may import 1024 buffers, and make spaces for them. A device may be open
 * many times; second and further devices are /dev/vcm-edu-test1 and so on.
 *
 * VCM_EDU_IOC_IMPORT: &struct vcm_edu_import.space is from VCM_EDU_IOC_SPACE_CREATE,
 * or 0 for the device's own addresses; ENOENT if there is no such space, ENOSPC if the
 * file has as many imports as it may have. With VCM_EDU_IMPORT_FIXED
 * &struct vcm_edu_import.iova is where to map the buffer, and the errors are
 * those of vcm_space_map_at().
 * VCM_EDU_IOC_DMA: does not wait for others; ENXIO if the device is not in the space
 * that the buffer was imported to.
 * Besides the errors below, every call returns ENODEV once the driver has lost the
 * device, or has given it up because a transfer did not end.
 */
#ifndef _VCM_EDU_TEST_H
#define _VCM_EDU_TEST_H

#include "../../../samples/vcm/vcm-edu.h"

/* Map the buffer at an address in the fixed window of the space. */
#define VCM_EDU_IMPORT_FIXED	(1u << 0)
/* The device only reads, or only writes. Not both flags; without one it does both. */
#define VCM_EDU_IMPORT_READS	(1u << 1)
#define VCM_EDU_IMPORT_WRITES	(1u << 2)

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
 * For tests of what a device can not reach: it is refused unless the caller has
 * CAP_SYS_RAWIO and an IOMMU translates the device's DMA. Success says that the
 * transfer ended, not that anything was moved.
 * Errors: EPERM, EINVAL, ERANGE (outside the device's RAM), ETIMEDOUT.
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
 * For injection the space has to be active.
 * Errors: EINVAL (flags), ENOENT (@space), ENXIO (not active).
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
 * Errors: EINVAL, ENOENT (@space), ENXIO (not active), ENOMEM, ETIMEDOUT.
 */
struct vcm_edu_coherent {
	__u32 space;
	__u32 length;
	__aligned_u64 iova;
	__u32 matches;
	__u32 reserved;
};

#define VCM_EDU_COHERENT_MAX	0x1000000

/**
 * struct vcm_edu_destroy - destroy a space while somebody maps in it
 * @space: in: from VCM_EDU_IOC_SPACE_CREATE
 * @fd: in: a dma-buf
 * @count: out: how often a thread mapped the buffer, or tried to, without a pause
 *	from before the space is destroyed until after
 * @reserved: in: must be 0
 *
 * For the rest it is VCM_EDU_SPACE_DESTROY.
 * Errors: EINVAL, ENOENT (@space), EBADF, ENOMEM, and what dma_buf_attach() returns.
 */
struct vcm_edu_destroy {
	__u32 space;
	__s32 fd;
	__u32 count;
	__u32 reserved;
};

/**
 * struct vcm_edu_mapping - unmap an import, or map it again; it stays attached
 * @handle: in: from VCM_EDU_IOC_IMPORT, not at a fixed address nor in a set
 * @map: in: 1 maps it, 0 unmaps it
 * @iova: out: where the device sees the first byte, with @map
 *
 * A transfer with an import that is not mapped returns ENXIO.
 * Errors: EINVAL, ENOENT (@handle), EALREADY (it is so), and what mapping returns.
 */
struct vcm_edu_mapping {
	__u32 handle;
	__u32 map;
	__aligned_u64 iova;
};

/**
 * struct vcm_edu_set_create - make a set of address spaces for the device
 * @start: in: first address of each
 * @length: in: number of addresses of each
 * @max: in: how many they may be
 * @set: out: names the set in the calls below, never 0
 *
 * Errors: those of vcm_set_create().
 */
struct vcm_edu_set_create {
	__aligned_u64 start;
	__aligned_u64 length;
	__u32 max;
	__u32 set;
};

#define VCM_EDU_JOB_MAX		8

/**
 * struct vcm_edu_set_import - map buffers in a space of a set
 * @set: in: from VCM_EDU_IOC_SET_CREATE
 * @with: in: an import to the set beside which they are to be, or 0
 * @nr: in: number of buffers, 1 to 8
 * @number: out: the number in the name of the space
 * @fds: in: the buffers
 * @handles: out: name the imports, each of which is released by VCM_EDU_IOC_RELEASE
 * @iovas: out: where the device sees the first bytes
 *
 * All are in the same space, or there is none. Errors: EINVAL (@nr, or @with is to no
 * set), ENOENT (@set, @with), EBADF, ENOSPC (also: too many imports), and those of
 * vcm_set_map().
 */
struct vcm_edu_set_import {
	__u32 set;
	__u32 with;
	__u32 nr;
	__u32 number;
	__s32 fds[VCM_EDU_JOB_MAX];
	__u32 handles[VCM_EDU_JOB_MAX];
	__aligned_u64 iovas[VCM_EDU_JOB_MAX];
};

/**
 * struct vcm_edu_set_destroy - end a set, whatever is imported to it
 * @set: in: from VCM_EDU_IOC_SET_CREATE
 * @reserved: must be 0
 *
 * The imports lead nowhere (ENXIO) until they are released. After a job the device's own
 * addresses lead nowhere either until the set has ended or another space is activated.
 * Errors: EINVAL, ENOENT.
 */
struct vcm_edu_set_destroy {
	__u32 set;
	__u32 reserved;
};

/**
 * struct vcm_edu_job - the device copies from one buffer to another
 * @from: in: an import to a set
 * @to: in: an import in the same space
 * @from_offset: in: bytes into the one buffer
 * @to_offset: in: bytes into the other
 * @length: in: bytes, at most VCM_EDU_RAM_SIZE; or 0: the device only gets there
 * @reserved: must be 0
 * @ns: out: how long it took to get the device into the space
 *
 * Errors: EINVAL (@reserved, or not in the same space of a set), ENOENT (@from, @to),
 * ERANGE, ENXIO (the set was destroyed), ETIMEDOUT, and those of vcm_space_switch().
 */
struct vcm_edu_job {
	__u32 from;
	__u32 to;
	__aligned_u64 from_offset;
	__aligned_u64 to_offset;
	__u32 length;
	__u32 reserved;
	__aligned_u64 ns;
};

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
#define VCM_EDU_IOC_DESTROY \
	_IOWR(VCM_EDU_IOC_MAGIC, 11, struct vcm_edu_destroy)
#define VCM_EDU_IOC_MAPPING \
	_IOWR(VCM_EDU_IOC_MAGIC, 12, struct vcm_edu_mapping)
/*
 * Frees the device's vectors and sets them up again. What pci_alloc_irq_vectors()
 * returns is the error; without vectors the device is given up.
 */
#define VCM_EDU_IOC_VECTORS	_IO(VCM_EDU_IOC_MAGIC, 13)
#define VCM_EDU_IOC_SET_CREATE \
	_IOWR(VCM_EDU_IOC_MAGIC, 14, struct vcm_edu_set_create)
#define VCM_EDU_IOC_SET_IMPORT \
	_IOWR(VCM_EDU_IOC_MAGIC, 15, struct vcm_edu_set_import)
#define VCM_EDU_IOC_SET_DESTROY \
	_IOW(VCM_EDU_IOC_MAGIC, 16, struct vcm_edu_set_destroy)
#define VCM_EDU_IOC_JOB		_IOWR(VCM_EDU_IOC_MAGIC, 17, struct vcm_edu_job)

#endif /* _VCM_EDU_TEST_H */
