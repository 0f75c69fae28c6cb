/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_DMA_HEAP_VCM_H
#define _UAPI_LINUX_DMA_HEAP_VCM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: the vcm heap
 *
 * Buffers come from ``/dev/dma_heap/vcm`` through the interface that all
 * DMA-BUF heaps share (&struct dma_heap_allocation_data,
 * ``DMA_HEAP_IOCTL_ALLOC`` of ``linux/dma-heap.h``). A buffer is made of
 * physically contiguous chunks of at most four sizes, the largest first.
 *
 * ``/dev/vcm`` is for those who want to choose: which chunk sizes a buffer is
 * made of, and where it goes in the address spaces of the devices that import
 * it. What both allocate are the same buffers.
 */

/**
 * DOC: errors
 *
 * ENOTTY: no such ioctl.
 *
 * EFAULT: the structure, the name, or the array of attachments cannot be read or
 * written.
 *
 * E2BIG: @size is larger than the kernel knows, and what it does not know is
 * not zero; or it is larger than a page.
 *
 * EINVAL: @size is smaller than the first version of the structure; or the
 * length is zero, or no multiple of the smallest chunk size that is allowed; or
 * there are chunk sizes with DMA_HEAP_VCM_CONTIGUOUS.
 *
 * EOPNOTSUPP: an unknown flag or chunk size, an fd flag that is not allowed,
 * or a reserved field that is not zero.
 *
 * EOVERFLOW: the length cannot be rounded up to a page.
 *
 * EDOM: the alignment is no power of two, smaller than a page, or larger than
 * &struct dma_heap_vcm_info.out_align_max.
 *
 * ERANGE: a guard is larger than &struct dma_heap_vcm_info.out_guard_max, or larger than
 * 16 MB with DMA_HEAP_VCM_SCRATCH.
 *
 * ENAMETOOLONG: the name has more than DMA_HEAP_VCM_NAME_LEN - 1 bytes.
 *
 * EFBIG: with DMA_HEAP_VCM_CONTIGUOUS the length is larger than
 * &struct dma_heap_vcm_info.out_contiguous_max.
 *
 * ENOMEM: not enough memory in chunks of the sizes that are allowed, or in one run,
 * or others need what there is.
 *
 * EINTR: the process was killed meanwhile.
 *
 * EMFILE, ENFILE: no file descriptor left.
 *
 * EBADF: the fd is not open.
 *
 * ENXIO: the fd is not a buffer of the vcm heap.
 *
 * After an error there is no new buffer and no new fd.
 */

/**
 * define DMA_HEAP_VCM_NAME - the name of the heap below /dev/dma_heap/
 */
#define DMA_HEAP_VCM_NAME	"vcm"

/**
 * define DMA_HEAP_VCM_CHUNK_2M - the chunk size that is preferred, in bytes
 *
 * Each size is a power of two, so that a set of sizes is the OR of them.
 */
#define DMA_HEAP_VCM_CHUNK_2M	0x200000

/**
 * define DMA_HEAP_VCM_CHUNK_1M - the second chunk size, in bytes
 */
#define DMA_HEAP_VCM_CHUNK_1M	0x100000

/**
 * define DMA_HEAP_VCM_CHUNK_64K - the third chunk size, in bytes
 *
 * The fourth and last one is the page of the running kernel.
 */
#define DMA_HEAP_VCM_CHUNK_64K	0x10000

/**
 * define DMA_HEAP_VCM_NR_CHUNK_SIZES - chunk sizes that a buffer can have, at most
 */
#define DMA_HEAP_VCM_NR_CHUNK_SIZES	4

/**
 * define DMA_HEAP_VCM_NAME_LEN - bytes in the name of a buffer, with the terminating zero
 */
#define DMA_HEAP_VCM_NAME_LEN	32

/**
 * define DMA_HEAP_VCM_VERSION - version of the interface
 *
 * It is in &struct dma_heap_vcm_info.out_version. The second version has the list of
 * attachments in &struct dma_heap_vcm_query, the third one windows, guards before a buffer
 * and guards that are zeroes, mappings that are kept, and DMA_HEAP_VCM_IOCTL_DROP,
 * the fourth one DMA_HEAP_VCM_CONTIGUOUS and
 * &struct dma_heap_vcm_alloc.reach.
 */
#define DMA_HEAP_VCM_VERSION	4

/**
 * define DMA_HEAP_VCM_STRICT - flag of a buffer: its policy, or nothing
 *
 * Fail to map the buffer for a device rather than map it in a way that the
 * policy does not allow: the importer's call fails with EOPNOTSUPP.
 */
#define DMA_HEAP_VCM_STRICT	(1U << 0)

/**
 * define DMA_HEAP_VCM_SCRATCH - flag of a buffer: its guards can be read
 *
 * The guards are zeroes, for devices that fetch beyond the end of what they were told
 * to. No device can write there: that faults, as in a guard that is unmapped. Both
 * guards are 16 MB long at most.
 */
#define DMA_HEAP_VCM_SCRATCH	(1U << 1)

/**
 * define DMA_HEAP_VCM_KEEP - flag of a buffer: to unmap it leaves it mapped
 *
 * Where an IOMMU translates, a device's mapping is kept when its driver unmaps the buffer,
 * for the next time that it maps it: for devices that use a few buffers again and again.
 * The device can access the buffer all that time, whatever its driver says: until the
 * driver detaches from the buffer or the device goes, until DMA_HEAP_VCM_IOCTL_DROP, or
 * until somebody needs the addresses. So it is for devices that may be trusted with the
 * buffer for as long as it is theirs, and never the default.
 */
#define DMA_HEAP_VCM_KEEP	(1U << 2)

/**
 * define DMA_HEAP_VCM_CONTIGUOUS - flag of a buffer: one run of memory, or nothing
 *
 * The memory of the buffer is physically contiguous, for devices behind no IOMMU whose
 * drivers want it so. Where no free memory is, what others have is moved out of the way,
 * which takes longer than an allocation without the flag; the memory is the same, and
 * nothing is kept free for it. A run of 2 MB or more begins at a multiple of 2 MB.
 * @chunk_sizes must be 0.
 */
#define DMA_HEAP_VCM_CONTIGUOUS	(1U << 3)

/**
 * struct dma_heap_vcm_alloc - DMA_HEAP_VCM_IOCTL_ALLOC
 * @size: sizeof(struct dma_heap_vcm_alloc)
 * @flags: DMA_HEAP_VCM_STRICT, DMA_HEAP_VCM_SCRATCH, DMA_HEAP_VCM_KEEP,
 *	DMA_HEAP_VCM_CONTIGUOUS
 * @length: bytes; rounded up to the page
 * @chunk_sizes: OR of the chunk sizes that the buffer may be made of, of
 *	those in &struct dma_heap_vcm_info.out_chunk_sizes; 0 for all
 * @align: bytes, a power of two: the address of the buffer in a device's
 *	address space is a multiple of it; 0, or less than its largest chunk,
 *	for the size of that; for a device of up to 32 address bits a chunk of
 *	2 MB is two of 1 MB where much would be wasted otherwise
 * @guard: bytes behind the buffer that stay unmapped in a device's address
 *	space, rounded up to the page
 * @name: address of a zero-terminated name, as DMA_BUF_SET_NAME gives it, or 0
 * @fd_flags: O_CLOEXEC and an access mode, the DMA_HEAP_VALID_FD_FLAGS; with both
 *	bits of O_ACCMODE the fd is for neither reading nor writing, as with open()
 * @out_fd: the buffer
 * @window: number of the window that the buffer is to be in, in the addresses of
 *	devices that have windows, or 0
 * @reserved: must be 0
 * @guard_before: bytes before the buffer that stay unmapped, rounded up to the page;
 *	it takes as many addresses as the alignment at least
 * @reach: all of the memory is to be below this physical address, for devices behind no IOMMU
 *	that cannot address more: 0x100000000 for one of 32 bits; 0 for any memory. With
 *	DMA_HEAP_VCM_STRICT the allocation fails with ENOMEM where that cannot be; else what
 *	cannot be had there is elsewhere, and &struct dma_heap_vcm_query.out_beyond tells
 *	how much
 *
 * The first version ended with @out_fd, the third one with @guard_before.
 *
 * Where an IOMMU translates for a device, the buffer gets one range of the
 * device's addresses, aligned and guarded as asked for. The importer's call
 * fails with ENOSPC if there is no room, or if the guards are larger than a 16th
 * of what the device can address or than 1 GB, or if the alignment is, and also
 * larger than the buffer with its guard, rounded up to a power of two.
 *
 * A window is addresses that a device's driver or the administrator has kept for the
 * buffers of its number. A buffer with that number is there or nowhere: ENOSPC. In a
 * device that has no window of the number, its policy does not hold.
 *
 * Where no IOMMU does, the buffer gets what there is, see DMA_HEAP_VCM_STRICT.
 */
struct dma_heap_vcm_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 length;
	__aligned_u64 chunk_sizes;
	__aligned_u64 align;
	__aligned_u64 guard;
	__aligned_u64 name;
	__u32 fd_flags;
	__s32 out_fd;
	__u32 window;
	__u32 reserved;
	__aligned_u64 guard_before;
	__aligned_u64 reach;
};

/**
 * struct dma_heap_vcm_chunks - chunks of one size
 * @size: bytes in each
 * @count: number of them
 */
struct dma_heap_vcm_chunks {
	__aligned_u64 size;
	__aligned_u64 count;
};

/**
 * define DMA_HEAP_VCM_MAPPED - flag of an attachment: the device has the buffer mapped
 */
#define DMA_HEAP_VCM_MAPPED	(1U << 0)

/**
 * define DMA_HEAP_VCM_DEGRADED - flag of an attachment: not as the policy says
 */
#define DMA_HEAP_VCM_DEGRADED	(1U << 1)

/**
 * struct dma_heap_vcm_attachment - a device that is attached to a buffer
 * @flags: DMA_HEAP_VCM_MAPPED: it has the buffer mapped, and the rest is not
 *	zero; DMA_HEAP_VCM_DEGRADED: in a way that the policy does not allow
 * @nr_segs: adjacent ranges of addresses that its driver got
 * @align: the address is a multiple of it: what was asked for, or the largest
 *	chunk's size where that is more; 0 with DMA_HEAP_VCM_DEGRADED
 * @guard: bytes behind the buffer that stay unmapped, or are zeroes; 0 with
 *	DMA_HEAP_VCM_DEGRADED
 * @guard_before: ... and before it
 *
 * Addresses are not shown: a device takes them from anybody who can talk to it.
 */
struct dma_heap_vcm_attachment {
	__u32 flags;
	__u32 nr_segs;
	__aligned_u64 align;
	__aligned_u64 guard;
	__aligned_u64 guard_before;
};

/**
 * struct dma_heap_vcm_query - DMA_HEAP_VCM_IOCTL_QUERY
 * @size: sizeof(struct dma_heap_vcm_query)
 * @fd: the buffer
 * @out_length: bytes in the buffer
 * @out_align: as it was asked for
 * @out_guard: as it was asked for
 * @out_flags: as they were asked for
 * @out_nr_attachments: devices that are attached to the buffer
 * @out_nr_mapped: ... and have it mapped
 * @out_nr_degraded: ... in a way that the policy does not allow
 * @out_nr_runs: physically contiguous runs that the chunks make up
 * @out_chunks: the chunks, the largest first; entries behind the last size in
 *	use are zero
 * @attachments: address of an array of &struct dma_heap_vcm_attachment; not
 *	used if @nr_attachments is 0
 * @nr_attachments: entries that it has room for; then, how many are filled
 *	in. There are more devices where @out_nr_attachments is larger
 * @reserved: must be 0
 * @out_window: as it was asked for
 * @out_reserved: 0
 * @out_guard_before: as it was asked for
 * @out_reach: as it was asked for
 * @out_beyond: bytes of the buffer that are not within @out_reach; 0 if all are, or if any
 *	memory would do
 *
 * The first version, DMA_HEAP_VCM_VERSION 1, ended with @out_chunks, the second one with
 * @reserved, the third one with @out_guard_before.
 */
struct dma_heap_vcm_query {
	__u32 size;
	__s32 fd;
	__aligned_u64 out_length;
	__aligned_u64 out_align;
	__aligned_u64 out_guard;
	__u32 out_flags;
	__u32 out_nr_attachments;
	__u32 out_nr_mapped;
	__u32 out_nr_degraded;
	__aligned_u64 out_nr_runs;
	struct dma_heap_vcm_chunks out_chunks[DMA_HEAP_VCM_NR_CHUNK_SIZES];
	__aligned_u64 attachments;
	__u32 nr_attachments;
	__u32 reserved;
	__u32 out_window;
	__u32 out_reserved;
	__aligned_u64 out_guard_before;
	__aligned_u64 out_reach;
	__aligned_u64 out_beyond;
};

/**
 * struct dma_heap_vcm_drop - DMA_HEAP_VCM_IOCTL_DROP
 * @size: sizeof(struct dma_heap_vcm_drop)
 * @fd: the buffer
 *
 * No device that does not have the buffer mapped can access it on return.
 */
struct dma_heap_vcm_drop {
	__u32 size;
	__s32 fd;
};

/**
 * struct dma_heap_vcm_info - DMA_HEAP_VCM_IOCTL_INFO
 * @size: sizeof(struct dma_heap_vcm_info)
 * @reserved: must be 0
 * @out_version: DMA_HEAP_VCM_VERSION
 * @out_flags: default policy: flags
 * @out_align: default policy: alignment, 0 for the largest chunk's
 * @out_guard: default policy: guard
 * @out_chunk_sizes: OR of the chunk sizes in use, the page included
 * @out_length_max: no larger buffer can be allocated
 * @out_align_max: no larger alignment can be asked for
 * @out_guard_max: no larger guard can be asked for
 * @out_contiguous_max: no larger buffer can be allocated with DMA_HEAP_VCM_CONTIGUOUS
 *
 * The first version ended with @out_guard_max.
 *
 * The default policy is what buffers of /dev/dma_heap/vcm get.
 */
struct dma_heap_vcm_info {
	__u32 size;
	__u32 reserved;
	__u32 out_version;
	__u32 out_flags;
	__aligned_u64 out_align;
	__aligned_u64 out_guard;
	__aligned_u64 out_chunk_sizes;
	__aligned_u64 out_length_max;
	__aligned_u64 out_align_max;
	__aligned_u64 out_guard_max;
	__aligned_u64 out_contiguous_max;
};

/**
 * define DMA_HEAP_VCM_IOC_MAGIC - what the requests are made of
 *
 * The size of a structure travels in the structure, and is no part of the request.
 */
#define DMA_HEAP_VCM_IOC_MAGIC		0xEA

/**
 * define DMA_HEAP_VCM_IOCTL_ALLOC - allocate a buffer: &struct dma_heap_vcm_alloc
 */
#define DMA_HEAP_VCM_IOCTL_ALLOC	_IO(DMA_HEAP_VCM_IOC_MAGIC, 0)

/**
 * define DMA_HEAP_VCM_IOCTL_QUERY - ask about a buffer: &struct dma_heap_vcm_query
 */
#define DMA_HEAP_VCM_IOCTL_QUERY	_IO(DMA_HEAP_VCM_IOC_MAGIC, 1)

/**
 * define DMA_HEAP_VCM_IOCTL_INFO - ask about the heap: &struct dma_heap_vcm_info
 */
#define DMA_HEAP_VCM_IOCTL_INFO		_IO(DMA_HEAP_VCM_IOC_MAGIC, 2)

/**
 * define DMA_HEAP_VCM_IOCTL_DROP - drop what is kept of a buffer: &struct dma_heap_vcm_drop
 */
#define DMA_HEAP_VCM_IOCTL_DROP		_IO(DMA_HEAP_VCM_IOC_MAGIC, 3)

#endif /* _UAPI_LINUX_DMA_HEAP_VCM_H */
