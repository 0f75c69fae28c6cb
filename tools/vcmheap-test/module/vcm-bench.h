/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Userspace interface of the measuring module vcm-bench, /dev/vcm-bench.
 *
 * For tools/vcm-bench and nobody else: it may change with each version.
 */
#ifndef _VCM_BENCH_H
#define _VCM_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bytes in the name of a PCI device, the terminating zero included */
#define VCM_BENCH_NAME_LEN	32

#define VCM_BENCH_MAX_ROUNDS	100000

/* The time of a round of VCM_BENCH_IOC_MAP and _PLAIN in which there was no room */
#define VCM_BENCH_FAILED	(~(__u64)0)

/**
 * struct vcm_bench_slabs - what the DMA API gives out in one size
 * @device: in: name of a PCI device that a driver is bound to
 * @size: in: bytes in each reservation, a multiple of the page size
 * @addrs: in: address of @max __u64 that are set to where they are
 * @max: in: how many to try
 * @count: out: how many could be had at once; all are given back
 *
 * Errors: EINVAL, ENODEV (no such device, or no driver is bound to it), EFAULT, ENOMEM,
 * EOPNOTSUPP (no IOMMU).
 */
struct vcm_bench_slabs {
	char device[VCM_BENCH_NAME_LEN];
	__aligned_u64 size;
	__aligned_u64 addrs;
	__u32 max;
	__u32 count;
};

#define VCM_BENCH_LEAF_SIZES	64

/**
 * struct vcm_bench_leaves - entries of the page tables that map a buffer
 * @device: in: name of a PCI device that a driver is bound to
 * @fd: in: the dma-buf
 * @reserved: must be 0
 * @count: out: number of entries that map 2 to the power of the index bytes
 *
 * Each entry is taken out of the page tables and put back, so nothing else may
 * use the device meanwhile. Errors: as above, and EOPNOTSUPP (no IOMMU, or one
 * whose driver does not take out an entry when asked for a part of it).
 */
struct vcm_bench_leaves {
	char device[VCM_BENCH_NAME_LEN];
	__s32 fd;
	__u32 reserved;
	__aligned_u64 count[VCM_BENCH_LEAF_SIZES];
};

/* What VCM_BENCH_IOC_VMAP times */
enum vcm_bench_vmap_step {
	VCM_BENCH_VMAP = 0,	/* dma_buf_vmap_unlocked() */
	VCM_BENCH_VTOUCH = 1,	/* reading a byte of each page */
	VCM_BENCH_VUNMAP = 2,	/* dma_buf_vunmap_unlocked() */
	VCM_BENCH_VMAP_STEPS = 3,
};

/* What VCM_BENCH_IOC_ATTACH times */
enum vcm_bench_attach_step {
	VCM_BENCH_ATTACH = 0,	/* dma_buf_attach() */
	VCM_BENCH_MAP = 1,	/* the first dma_buf_map_attachment() */
	VCM_BENCH_UNMAP = 2,
	VCM_BENCH_REMAP = 3,	/* the second one of the same attachment */
	VCM_BENCH_REUNMAP = 4,
	VCM_BENCH_DETACH = 5,	/* dma_buf_detach() */
	VCM_BENCH_ATTACH_STEPS = 6,
};

/**
 * struct vcm_bench_steps - the steps of using a buffer, many times
 * @device: in: name of a PCI device that a driver is bound to; not looked at
 *	for VCM_BENCH_IOC_VMAP
 * @fd: in: the dma-buf
 * @rounds: in: how many times, at most VCM_BENCH_MAX_ROUNDS
 * @segment: in: for VCM_BENCH_IOC_PLAIN bytes in the longest segment of the table, a
 *	multiple of the page size; else 0
 * @reserved: must be 0
 * @ns: in: address of @rounds times as many __u64 as there are steps, that are
 *	set to nanoseconds
 *
 * Errors: as above, and what the steps return.
 */
struct vcm_bench_steps {
	char device[VCM_BENCH_NAME_LEN];
	__s32 fd;
	__u32 rounds;
	__u32 segment;
	__u32 reserved;
	__aligned_u64 ns;
};

/**
 * struct vcm_bench_runs - what a buffer's memory is made of
 * @device: in: name of a PCI device that a driver is bound to
 * @fd: in: the dma-buf
 * @reserved: must be 0
 * @min: in: bytes in a large run
 * @length: out: bytes in the buffer
 * @large: out: ... and in its physically contiguous runs of at least @min
 * @runs: out: number of runs of any size
 *
 * Errors: as above.
 */
struct vcm_bench_runs {
	char device[VCM_BENCH_NAME_LEN];
	__s32 fd;
	__u32 reserved;
	__aligned_u64 min;
	__aligned_u64 length;
	__aligned_u64 large;
	__aligned_u64 runs;
};

/**
 * struct vcm_bench_pieces - free memory that is the same for everybody
 * @block: in: bytes in a block, a power of two
 * @least: in: bytes in the smallest piece that counts, a power of two below @block
 * @change: in: bytes that are free in smaller pieces than that
 * @blocks: out: number of free blocks
 * @singles: in: number of free pieces of @least bytes that have no free neighbour
 *	to become a block with; out: how many there are
 *
 * Takes the free memory in pieces of at least @least bytes, but for what the kernel
 * keeps for hard times, and gives back aligned blocks no two of which touch, and
 * @singles. The rest stays taken until the file is closed. Errors: EINVAL, EBUSY (the
 * file has it already).
 */
struct vcm_bench_pieces {
	__aligned_u64 block;
	__aligned_u64 least;
	__aligned_u64 change;
	__u32 blocks;
	__u32 singles;
};

/**
 * struct vcm_bench_queue - a buffer that a device has from now on
 * @device: in: name of a PCI device that a driver is bound to
 * @fd: in: the dma-buf
 * @reserved: must be 0
 *
 * Attached and mapped until VCM_BENCH_IOC_FRAMES_FREE or until the file is closed.
 * Errors: as above.
 */
struct vcm_bench_queue {
	char device[VCM_BENCH_NAME_LEN];
	__s32 fd;
	__u32 reserved;
};

#define VCM_BENCH_IOC_MAGIC	0xE8
/* Two steps: dma_map_sgtable() of the same pages, and dma_unmap_sgtable() */
#define VCM_BENCH_IOC_PLAIN	_IOW(VCM_BENCH_IOC_MAGIC, 0, struct vcm_bench_steps)
#define VCM_BENCH_IOC_SLABS	_IOWR(VCM_BENCH_IOC_MAGIC, 1, struct vcm_bench_slabs)
#define VCM_BENCH_IOC_LEAVES	_IOWR(VCM_BENCH_IOC_MAGIC, 2, struct vcm_bench_leaves)
#define VCM_BENCH_IOC_VMAP	_IOW(VCM_BENCH_IOC_MAGIC, 3, struct vcm_bench_steps)
#define VCM_BENCH_IOC_ATTACH	_IOW(VCM_BENCH_IOC_MAGIC, 4, struct vcm_bench_steps)
#define VCM_BENCH_IOC_RUNS	_IOWR(VCM_BENCH_IOC_MAGIC, 5, struct vcm_bench_runs)
/* Returns the fd of a dma-buf that has no memory: what any dma-buf costs */
#define VCM_BENCH_IOC_EMPTY	_IO(VCM_BENCH_IOC_MAGIC, 6)
#define VCM_BENCH_IOC_PIECES	_IOWR(VCM_BENCH_IOC_MAGIC, 7, struct vcm_bench_pieces)
/* One step: waiting until the IOMMU has forgotten a mapping, nothing else of an unmap */
#define VCM_BENCH_IOC_FLUSH	_IOW(VCM_BENCH_IOC_MAGIC, 8, struct vcm_bench_steps)
#define VCM_BENCH_IOC_QUEUE	_IOW(VCM_BENCH_IOC_MAGIC, 9, struct vcm_bench_queue)
/* Sync, unmap and map so many times: the queued buffers in turn. ENOENT: there is none */
#define VCM_BENCH_IOC_FRAMES	_IOW(VCM_BENCH_IOC_MAGIC, 10, __u32)
/* Two steps: the first dma_buf_map_attachment() of an attachment, and the end of that */
#define VCM_BENCH_IOC_MAP	_IOW(VCM_BENCH_IOC_MAGIC, 12, struct vcm_bench_steps)
/* Unmap and detach all queued buffers */
#define VCM_BENCH_IOC_FRAMES_FREE	_IO(VCM_BENCH_IOC_MAGIC, 11)

#endif /* _VCM_BENCH_H */
