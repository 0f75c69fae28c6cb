/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sample importer: what its files share
 */
#ifndef _VCM_EDU_PRIV_H
#define _VCM_EDU_PRIV_H

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "vcm-edu.h"

/*
 * What a user asks for is charged to the user, who gets an error when there is no
 * memory left for it, and is not killed.
 */
#define EDU_GFP		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL)

struct dma_buf;
struct dma_buf_attachment;
struct pci_dev;
struct sg_table;
struct vcm_space;

/**
 * struct edu_device - one device
 * @ref: held by the PCI device and by every open file
 * @pdev: the PCI device, valid until @gone
 * @regs: its registers, valid until @gone
 * @misc: the character device
 * @id: number among the devices
 * @dma_bits: width of DMA addresses
 * @translated: an IOMMU translates the device's DMA
 * @done: completed by the interrupt at the end of a transfer
 * @lock: serialises transfers and protects what follows
 * @active: the space that the device is in, or NULL
 * @files: open files, by &struct edu_file.node
 * @gone: the PCI device was unbound
 *
 * Lock order: @lock -> &dma_buf.resv
 */
struct edu_device {
	struct kref ref;
	struct pci_dev *pdev;
	void __iomem *regs;
	struct miscdevice misc;
	int id;
	unsigned int dma_bits;
	bool translated;
	struct completion done;

	/* serialises transfers, protects what follows */
	struct mutex lock;
	struct vcm_space *active;
	struct list_head files;
	bool gone;
};

/**
 * struct edu_file - an open file
 * @edu: the device
 * @imports: all &struct edu_import by handle, under &struct edu_device.lock
 * @spaces: all &struct edu_space by number, under the same
 * @serial: number of the last import or space that was made, under the same
 * @node: in &struct edu_device.files
 */
struct edu_file {
	struct edu_device *edu;
	struct xarray imports;
	struct xarray spaces;
	u64 serial;
	struct list_head node;
};

/* Stands for a space that was destroyed with buffers imported to it */
#define EDU_NO_SPACE		((struct vcm_space *)ERR_PTR(-ENXIO))

/**
 * struct edu_import - a buffer mapped for the device
 * @dmabuf: the buffer
 * @attachment: the device's attachment to it
 * @sgt: DMA addresses for the device
 * @serial: of all imports and spaces of the file
 * @space: the space it is mapped in, NULL, or EDU_NO_SPACE
 * @fixed: it is mapped at @fixed_iova, and @space keeps @dmabuf while there is
 *	one; there is neither @attachment nor @sgt
 * @fixed_iova: address in the fixed window of @space
 */
struct edu_import {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	u64 serial;
	struct vcm_space *space;
	bool fixed;
	u64 fixed_iova;
};

/**
 * struct edu_space - a space of an open file
 * @space: the space
 * @serial: of all imports and spaces of the file
 * @lock: protects what follows; faults come in interrupt context
 * @nr_faults: calls of the fault handler
 * @fault_iova: address of the last fault
 * @fault_write: the device wrote
 */
struct edu_space {
	struct vcm_space *space;
	u64 serial;

	/* protects what follows */
	spinlock_t lock;
	u32 nr_faults;
	u64 fault_iova;
	bool fault_write;
};

/* vcm_edu.c */
int edu_dma(struct edu_device *edu, enum vcm_edu_dir dir, dma_addr_t addr,
	    u32 ram_offset, size_t len);
dma_addr_t edu_import_dma_addr(struct edu_import *import, u64 offset,
			       size_t *len);

/* vcm_edu_space.c */
int edu_space_create(struct edu_file *file, struct vcm_edu_space_create *args);
int edu_space_op(struct edu_file *file, const struct vcm_edu_space *args);
void edu_space_undo(struct edu_file *file, u32 id, u64 serial);
void edu_space_forget_all(struct edu_file *file);
struct edu_space *edu_space_find(struct edu_file *file, u32 id);
int edu_space_faults(struct edu_file *file, struct vcm_edu_faults *args,
		     bool may_inject);
int edu_space_coherent(struct edu_file *file, struct vcm_edu_coherent *args);
int edu_import_check(struct edu_import *import, struct vcm_edu_check *args);
struct edu_import *edu_import_create_fixed(struct vcm_space *space, int fd,
					   u64 iova);
void edu_import_destroy_fixed(struct edu_import *import);

#endif /* _VCM_EDU_PRIV_H */
