// SPDX-License-Identifier: GPL-2.0
/*
 * Sample dma-buf importer: QEMU's "edu" device
 *
 * What a driver does to use somebody else's buffer is in edu_import_create()
 * and edu_import_destroy(): get, attach, map - and unmap, detach, put. Nothing
 * here knows which heap or driver a buffer comes from. The rest of the file is
 * the device: one DMA engine that moves up to 4 KiB between memory and RAM in
 * the device and raises an interrupt at the end (QEMU, docs/specs/edu).
 *
 * A driver whose device has address spaces to choose from (vcm_edu_space.c)
 * attaches to the device of a space instead of its own, and that is all.
 *
 * A mapped buffer may have several DMA segments, see edu_import_dma_addr():
 * behind an IOMMU there usually is one, without an IOMMU there are as many as
 * the buffer has pieces.
 */

#include <linux/bits.h>
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iosys-map.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vcm-iommu.h>

#include "vcm_edu_priv.h"

#define EDU_NAME		"vcm-edu"

#define EDU_PCI_VENDOR		0x1234
#define EDU_PCI_DEVICE		0x11e8

#define EDU_REG_IRQ_STATUS	0x24
#define EDU_REG_IRQ_ACK		0x64
#define EDU_REG_DMA_SRC		0x80
#define EDU_REG_DMA_DST		0x88
#define EDU_REG_DMA_COUNT	0x90
#define EDU_REG_DMA_CMD		0x98

#define EDU_DMA_CMD_RUN		BIT(0)
#define EDU_DMA_CMD_TO_MEMORY	BIT(1)
#define EDU_DMA_CMD_IRQ		BIT(2)

#define EDU_IRQ_DMA		BIT(8)

/* Where the device's RAM is, as its DMA engine sees it */
#define EDU_RAM_BASE		0x40000

/* A transfer takes 100 ms; the rest is for a busy host. */
#define EDU_DMA_TIMEOUT		(10 * HZ)

#define EDU_MAX_IMPORTS		1024
#define EDU_MAX_DEVICES		8
#define EDU_DEFAULT_DMA_BITS	28

/*
 * The device does not tell how QEMU's dma_mask= was set. Devices count in the
 * order in which they were bound first.
 */
static unsigned int dma_bits[EDU_MAX_DEVICES];
static unsigned int nr_dma_bits;
module_param_array(dma_bits, uint, &nr_dma_bits, 0444);
MODULE_PARM_DESC(dma_bits, "Width of the DMA addresses of each device, 1 to 64 (default 28)");

static bool managed_dma;
module_param(managed_dma, bool, 0444);
MODULE_PARM_DESC(managed_dma, "Claim the device's DMA while it has spaces (default N)");

static bool unsafe_probe;
module_param(unsafe_probe, bool, 0444);
MODULE_PARM_DESC(unsafe_probe, "Let root do DMA at any address behind an IOMMU, for tests (default N)");

static bool late;
module_param(late, bool, 0600);
MODULE_PARM_DESC(late, "Keep what is imported when a device goes, until its file lets go, for tests (default N)");

/**
 * struct edu_slot - where a device was found
 * @pdev: the device while it is bound, or NULL
 * @used: the address is valid
 * @domain: PCI domain
 * @bus: number of the bus
 * @devfn: device and function
 */
struct edu_slot {
	struct pci_dev *pdev;
	bool used;
	int domain;
	u8 bus;
	u8 devfn;
};

/* A device keeps its number, whatever was bound or failed before it. */
static struct edu_slot edu_slots[EDU_MAX_DEVICES];
static DEFINE_MUTEX(edu_slots_lock);

/* --- The importer ------------------------------------------------------ */

static struct edu_import *edu_import_create(struct device *dev, int fd)
{
	struct edu_import *import;
	int ret;

	import = kzalloc_obj(*import, EDU_GFP);
	if (!import)
		return ERR_PTR(-ENOMEM);

	import->dmabuf = dma_buf_get(fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto free_import;
	}

	import->attachment = dma_buf_attach(import->dmabuf, dev);
	if (IS_ERR(import->attachment)) {
		ret = PTR_ERR(import->attachment);
		goto put_dmabuf;
	}

	import->sgt = dma_buf_map_attachment_unlocked(import->attachment,
						      DMA_BIDIRECTIONAL);
	if (IS_ERR(import->sgt)) {
		ret = PTR_ERR(import->sgt);
		goto detach;
	}
	return import;

detach:
	dma_buf_detach(import->dmabuf, import->attachment);
put_dmabuf:
	dma_buf_put(import->dmabuf);
free_import:
	kfree(import);
	return ERR_PTR(ret);
}

static void edu_import_destroy(struct edu_import *import)
{
	if (import->fixed) {
		edu_import_destroy_fixed(import);
		return;
	}
	dma_buf_unmap_attachment_unlocked(import->attachment, import->sgt,
					  DMA_BIDIRECTIONAL);
	dma_buf_detach(import->dmabuf, import->attachment);
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/**
 * edu_import_dma_addr - the DMA address of a byte of an import
 * @import: the import
 * @offset: bytes into the buffer
 * @len: cut to what follows the byte in the same segment
 *
 * Context: Any.
 * Return: the address, or DMA_MAPPING_ERROR behind the end.
 */
dma_addr_t edu_import_dma_addr(struct edu_import *import, u64 offset,
			       size_t *len)
{
	struct scatterlist *sg;
	int i;

	if (import->fixed)
		return import->fixed_iova + offset;

	for_each_sgtable_dma_sg(import->sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			*len = min_t(u64, *len, sg_dma_len(sg) - offset);
			return sg_dma_address(sg) + offset;
		}
		offset -= sg_dma_len(sg);
	}
	return DMA_MAPPING_ERROR;
}

static bool edu_range_ok(u64 offset, u64 len, u64 size)
{
	u64 end;

	return !check_add_overflow(offset, len, &end) && end <= size;
}

/* --- The device -------------------------------------------------------- */

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu_device *edu = data;
	u32 status = readl(edu->regs + EDU_REG_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;

	writel(status, edu->regs + EDU_REG_IRQ_ACK);
	if (status & EDU_IRQ_DMA)
		complete(&edu->done);
	return IRQ_HANDLED;
}

/*
 * The engine must be idle before the memory can be unmapped, and if it will not
 * be, the device must not reach memory any more.
 */
static int edu_dma_wait(struct edu_device *edu)
{
	u32 cmd;

	if (wait_for_completion_timeout(&edu->done, EDU_DMA_TIMEOUT))
		return 0;
	if (readl_poll_timeout(edu->regs + EDU_REG_DMA_CMD, cmd,
			       !(cmd & EDU_DMA_CMD_RUN), 1000,
			       jiffies_to_usecs(EDU_DMA_TIMEOUT))) {
		pci_clear_master(edu->pdev);
		edu->gone = true;
	}
	return -EIO;
}

/**
 * edu_dma - one transfer
 * @edu: the device
 * @dir: direction
 * @addr: DMA address of the memory
 * @ram_offset: offset in the device's RAM
 * @len: bytes
 *
 * Context: Process context, with &struct edu_device.lock; sleeps.
 * Return: 0 or -EIO.
 */
int edu_dma(struct edu_device *edu, enum vcm_edu_dir dir, dma_addr_t addr,
	    u32 ram_offset, size_t len)
{
	u64 ram = EDU_RAM_BASE + ram_offset;
	bool to_memory = dir == VCM_EDU_FROM_DEVICE;

	lockdep_assert_held(&edu->lock);

	reinit_completion(&edu->done);
	writeq(to_memory ? ram : addr, edu->regs + EDU_REG_DMA_SRC);
	writeq(to_memory ? addr : ram, edu->regs + EDU_REG_DMA_DST);
	writeq(len, edu->regs + EDU_REG_DMA_COUNT);
	writeq(EDU_DMA_CMD_RUN | EDU_DMA_CMD_IRQ |
	       (to_memory ? EDU_DMA_CMD_TO_MEMORY : 0),
	       edu->regs + EDU_REG_DMA_CMD);
	return edu_dma_wait(edu);
}

/*
 * Some versions of QEMU have an IOMMU that claims to translate and does not.
 * So ask the device: it has to find a tag at an address that is not the
 * physical one.
 */
static int edu_probe_translation(struct edu_device *edu)
{
	struct device *dev = &edu->pdev->dev;
	u64 tag = get_random_u64(), *words;
	dma_addr_t addr;
	int ret;

	/* GFP_DMA: within reach of 28 bits if there is no IOMMU */
	words = (u64 *)get_zeroed_page(GFP_KERNEL | GFP_DMA);
	if (!words)
		return -ENOMEM;

	words[0] = tag;
	addr = dma_map_single(dev, words, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ret = dma_mapping_error(dev, addr);
	if (ret)
		goto free_page;

	ret = edu_dma(edu, VCM_EDU_TO_DEVICE, addr, 0, sizeof(tag));
	if (!ret)
		ret = edu_dma(edu, VCM_EDU_FROM_DEVICE,
			      addr + sizeof(*words), 0, sizeof(tag));
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	/* A bounce buffer is not at the physical address either. */
	edu->translated = !ret && words[1] == tag &&
			  addr != virt_to_phys(words) &&
			  dma_get_merge_boundary(dev);
free_page:
	free_page((unsigned long)words);
	return ret;
}

/* --- The character device ---------------------------------------------- */

static void edu_release(struct kref *ref)
{
	struct edu_device *edu = container_of(ref, struct edu_device, ref);

	mutex_destroy(&edu->lock);
	kfree(edu->misc.name);
	kfree(edu);
}

static void edu_import_describe(const struct edu_device *edu,
				const struct edu_import *import,
				struct vcm_edu_import *args)
{
	args->nents = import->fixed ? 1 : import->sgt->nents;
	args->length = import->dmabuf->size;
	if (import->fixed)
		args->iova = import->fixed_iova;
	else if (import->space || edu->translated)
		args->iova = sg_dma_address(import->sgt->sgl);
	else
		args->iova = VCM_EDU_IOVA_NONE;
}

static int edu_file_import_args(struct edu_file *file,
				const struct vcm_edu_import *args,
				struct vcm_space **space)
{
	struct edu_space *edu_space;

	if (args->flags & ~VCM_EDU_IMPORT_FIXED || args->reserved ||
	    (args->flags && !args->space))
		return -EINVAL;

	*space = NULL;
	if (!args->space)
		return 0;
	edu_space = edu_space_find(file, args->space);
	if (!edu_space)
		return -ENOENT;
	*space = edu_space->space;
	return 0;
}

static int edu_file_import(struct edu_file *file, struct vcm_edu_import *args)
{
	struct edu_device *edu = file->edu;
	struct edu_import *import;
	struct vcm_space *space;
	int ret;

	ret = edu_file_import_args(file, args, &space);
	if (ret)
		return ret;

	if (args->flags & VCM_EDU_IMPORT_FIXED)
		import = edu_import_create_fixed(space, args->fd, args->iova);
	else
		import = edu_import_create(space ? vcm_space_dev(space) :
						   &edu->pdev->dev, args->fd);
	if (IS_ERR(import))
		return PTR_ERR(import);
	import->space = space;
	import->serial = ++file->serial;

	ret = xa_alloc(&file->imports, &args->handle, import,
		       XA_LIMIT(1, EDU_MAX_IMPORTS), EDU_GFP);
	if (ret) {
		ret = ret == -EBUSY ? -ENOSPC : ret;
		goto destroy_import;
	}
	edu_import_describe(edu, import, args);
	return 0;

destroy_import:
	edu_import_destroy(import);
	return ret;
}

static void edu_file_forget(struct edu_file *file, u32 handle)
{
	struct edu_import *import = xa_erase(&file->imports, handle);

	if (import)
		edu_import_destroy(import);
}

static int edu_file_dma(struct edu_file *file, struct vcm_edu_dma *args)
{
	struct edu_import *import;
	u64 offset = args->offset;
	u32 ram_offset = args->ram_offset;
	size_t left = args->length;

	if (args->dir > VCM_EDU_FROM_DEVICE || !args->length)
		return -EINVAL;
	import = xa_load(&file->imports, args->handle);
	if (!import)
		return -ENOENT;
	if (!edu_range_ok(offset, left, import->dmabuf->size) ||
	    !edu_range_ok(ram_offset, left, VCM_EDU_RAM_SIZE))
		return -ERANGE;
	if (import->space != file->edu->active)
		return -ENXIO;

	while (left) {
		size_t len = left;
		dma_addr_t addr = edu_import_dma_addr(import, offset, &len);
		int ret;

		/* The table is as long as the buffer, or it would not be here. */
		if (WARN_ON_ONCE(addr == DMA_MAPPING_ERROR))
			return -EIO;
		ret = edu_dma(file->edu, args->dir, addr, ram_offset, len);
		if (ret)
			return ret;
		offset += len;
		ram_offset += len;
		left -= len;
	}
	return 0;
}

/* A driver copies straight from its mapping, and so does this one. */
static int edu_copy_user(const struct iosys_map *map, u64 offset,
			 void __user *user, size_t len, bool write)
{
	unsigned long left;

	if (map->is_iomem)
		return -EOPNOTSUPP;
	if (write)
		left = copy_from_user(map->vaddr + offset, user, len);
	else
		left = copy_to_user(user, map->vaddr + offset, len);
	return left ? -EFAULT : 0;
}

/* Copy between @user and the buffer through the kernel's mapping of it. */
static int edu_vmap_copy(struct dma_buf *dmabuf, u64 offset, void __user *user,
			 size_t len, bool write)
{
	enum dma_data_direction dir = write ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	struct iosys_map map;
	int ret;

	ret = dma_buf_begin_cpu_access(dmabuf, dir);
	if (ret)
		return ret;

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		goto end_cpu_access;

	ret = edu_copy_user(&map, offset, user, len, write);
	dma_buf_vunmap_unlocked(dmabuf, &map);

end_cpu_access:
	return dma_buf_end_cpu_access(dmabuf, dir) ?: ret;
}

/* The buffer of an import, with a reference. */
static struct dma_buf *edu_file_dmabuf(struct edu_file *file, u32 handle)
{
	struct dma_buf *dmabuf;
	struct edu_import *import;

	mutex_lock(&file->edu->lock);
	import = xa_load(&file->imports, handle);
	if (file->edu->gone) {
		dmabuf = ERR_PTR(-ENODEV);
	} else if (!import) {
		dmabuf = ERR_PTR(-ENOENT);
	} else {
		dmabuf = import->dmabuf;
		get_dma_buf(dmabuf);
	}
	mutex_unlock(&file->edu->lock);
	return dmabuf;
}

/*
 * Userspace decides how long it takes to read or write its memory, and nobody
 * may wait for that: it is not done under the device's lock.
 */
static int edu_file_access(struct edu_file *file,
			   const struct vcm_edu_access *args)
{
	struct dma_buf *dmabuf;
	int ret = -ERANGE;

	if (args->write > 1 || args->reserved || !args->length)
		return -EINVAL;
	dmabuf = edu_file_dmabuf(file, args->handle);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	if (args->length <= VCM_EDU_ACCESS_MAX &&
	    edu_range_ok(args->offset, args->length, dmabuf->size))
		ret = edu_vmap_copy(dmabuf, args->offset,
				    u64_to_user_ptr(args->user), args->length,
				    args->write);
	dma_buf_put(dmabuf);
	return ret;
}

static int edu_file_release(struct edu_file *file,
			    const struct vcm_edu_release *args)
{
	if (args->reserved)
		return -EINVAL;
	if (!xa_load(&file->imports, args->handle))
		return -ENOENT;
	edu_file_forget(file, args->handle);
	return 0;
}

static int edu_file_probe(struct edu_file *file,
			  const struct vcm_edu_probe *args)
{
	if (!unsafe_probe || !file->edu->translated || !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (args->dir > VCM_EDU_FROM_DEVICE || !args->length || args->reserved)
		return -EINVAL;
	if (!edu_range_ok(args->ram_offset, args->length, VCM_EDU_RAM_SIZE) ||
	    !edu_range_ok(args->iova, args->length,
			  DMA_BIT_MASK(file->edu->dma_bits)))
		return -ERANGE;
	return edu_dma(file->edu, args->dir, args->iova, args->ram_offset,
		       args->length);
}

static int edu_file_check(struct edu_file *file, struct vcm_edu_check *args)
{
	struct edu_import *import = xa_load(&file->imports, args->handle);

	if (!import)
		return -ENOENT;
	if (!import->space)
		return -EINVAL;
	if (!edu_range_ok(args->offset, 1, import->dmabuf->size))
		return -ERANGE;
	return edu_import_check(import, args);
}

static void edu_file_info(struct edu_file *file, struct vcm_edu_info *args)
{
	args->flags = file->edu->translated ? VCM_EDU_TRANSLATED : 0;
	args->dma_bits = file->edu->dma_bits;
}

union edu_ioctl_args {
	struct vcm_edu_import import;
	struct vcm_edu_dma dma;
	struct vcm_edu_access access;
	struct vcm_edu_release release;
	struct vcm_edu_info info;
	struct vcm_edu_probe probe;
	struct vcm_edu_space_create space_create;
	struct vcm_edu_space space;
	struct vcm_edu_faults faults;
	struct vcm_edu_check check;
	struct vcm_edu_coherent coherent;
};

static int edu_file_ioctl(struct edu_file *file, unsigned int cmd,
			  union edu_ioctl_args *args)
{
	switch (cmd) {
	case VCM_EDU_IOC_IMPORT:
		return edu_file_import(file, &args->import);
	case VCM_EDU_IOC_DMA:
		return edu_file_dma(file, &args->dma);
	case VCM_EDU_IOC_RELEASE:
		return edu_file_release(file, &args->release);
	case VCM_EDU_IOC_INFO:
		edu_file_info(file, &args->info);
		return 0;
	case VCM_EDU_IOC_PROBE:
		return edu_file_probe(file, &args->probe);
	case VCM_EDU_IOC_SPACE_CREATE:
		return edu_space_create(file, &args->space_create);
	case VCM_EDU_IOC_SPACE:
		return edu_space_op(file, &args->space);
	case VCM_EDU_IOC_FAULTS:
		return edu_space_faults(file, &args->faults, unsafe_probe);
	case VCM_EDU_IOC_CHECK:
		return edu_file_check(file, &args->check);
	case VCM_EDU_IOC_COHERENT:
		return edu_space_coherent(file, &args->coherent);
	default:
		return -ENOTTY;
	}
}

/*
 * Nobody learned the number of what was made: it must not stay. Unless somebody
 * guessed it, and has made something else of it since.
 */
static void edu_file_undo(struct edu_file *file, unsigned int cmd,
			  const union edu_ioctl_args *args, u64 serial)
{
	struct edu_import *import;

	mutex_lock(&file->edu->lock);
	if (cmd == VCM_EDU_IOC_IMPORT) {
		import = xa_load(&file->imports, args->import.handle);
		if (import && import->serial == serial)
			edu_file_forget(file, args->import.handle);
	} else if (cmd == VCM_EDU_IOC_SPACE_CREATE) {
		edu_space_undo(file, args->space_create.space, serial);
	}
	mutex_unlock(&file->edu->lock);
}

/* No user memory is touched under the lock, see edu_file_access(). */
static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct edu_file *file = filp->private_data;
	struct edu_device *edu = file->edu;
	void __user *user = (void __user *)arg;
	union edu_ioctl_args args = {};
	size_t size = _IOC_SIZE(cmd);
	u64 serial;
	int ret;

	if (size > sizeof(args))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&args, user, size))
		return -EFAULT;
	if (cmd == VCM_EDU_IOC_ACCESS)
		return edu_file_access(file, &args.access);

	mutex_lock(&edu->lock);
	if (edu->gone && !(late && cmd == VCM_EDU_IOC_RELEASE))
		ret = -ENODEV;
	else
		ret = edu_file_ioctl(file, cmd, &args);
	serial = file->serial;
	mutex_unlock(&edu->lock);

	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(user, &args, size)) {
		edu_file_undo(file, cmd, &args, serial);
		ret = -EFAULT;
	}
	return ret;
}

static void edu_file_forget_all(struct edu_file *file)
{
	struct edu_import *import;
	unsigned long handle;

	lockdep_assert_held(&file->edu->lock);

	xa_for_each(&file->imports, handle, import)
		edu_file_forget(file, handle);
	edu_space_forget_all(file);
}

static int edu_open(struct inode *inode, struct file *filp)
{
	/* The misc core holds its lock here, and the device until we return. */
	struct edu_device *edu = container_of(filp->private_data,
					      struct edu_device, misc);
	struct edu_file *file;

	file = kzalloc_obj(*file, EDU_GFP);
	if (!file)
		return -ENOMEM;

	kref_get(&edu->ref);
	file->edu = edu;
	xa_init_flags(&file->imports, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->spaces, XA_FLAGS_ALLOC1);
	filp->private_data = file;

	mutex_lock(&edu->lock);
	list_add_tail(&file->node, &edu->files);
	mutex_unlock(&edu->lock);
	return nonseekable_open(inode, filp);
}

static int edu_close(struct inode *inode, struct file *filp)
{
	struct edu_file *file = filp->private_data;
	struct edu_device *edu = file->edu;

	mutex_lock(&edu->lock);
	edu_file_forget_all(file);
	list_del(&file->node);
	mutex_unlock(&edu->lock);

	xa_destroy(&file->imports);
	xa_destroy(&file->spaces);
	kfree(file);
	kref_put(&edu->ref, edu_release);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_close,
	.unlocked_ioctl = edu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* --- Binding ----------------------------------------------------------- */

static bool edu_slot_is_of(const struct edu_slot *slot, struct pci_dev *pdev)
{
	return slot->used && slot->domain == pci_domain_nr(pdev->bus) &&
	       slot->bus == pdev->bus->number && slot->devfn == pdev->devfn;
}

/* The slot of @pdev; else one that nobody had; else one that nobody has. */
static struct edu_slot *edu_slot_find(struct pci_dev *pdev)
{
	struct edu_slot *slot, *unused = NULL, *free = NULL;

	lockdep_assert_held(&edu_slots_lock);

	for (slot = edu_slots; slot < edu_slots + EDU_MAX_DEVICES; slot++) {
		if (edu_slot_is_of(slot, pdev))
			return slot;
		if (!slot->used && !unused)
			unused = slot;
		if (!slot->pdev && !free)
			free = slot;
	}
	return unused ?: free;
}

static int edu_id_get(struct pci_dev *pdev)
{
	struct edu_slot *slot;
	int id = -ENOSPC;

	mutex_lock(&edu_slots_lock);
	slot = edu_slot_find(pdev);
	if (slot) {
		*slot = (struct edu_slot){
			.pdev = pdev,
			.used = true,
			.domain = pci_domain_nr(pdev->bus),
			.bus = pdev->bus->number,
			.devfn = pdev->devfn,
		};
		id = slot - edu_slots;
	}
	mutex_unlock(&edu_slots_lock);
	return id;
}

static void edu_id_put(int id)
{
	mutex_lock(&edu_slots_lock);
	edu_slots[id].pdev = NULL;
	mutex_unlock(&edu_slots_lock);
}

static struct edu_device *edu_device_create(struct pci_dev *pdev, int id)
{
	struct edu_device *edu;

	edu = kzalloc_obj(*edu);
	if (!edu)
		return NULL;

	edu->misc.name = id ? kasprintf(GFP_KERNEL, EDU_NAME "%d", id) :
			      kstrdup(EDU_NAME, GFP_KERNEL);
	if (!edu->misc.name) {
		kfree(edu);
		return NULL;
	}
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.fops = &edu_fops;
	edu->misc.parent = &pdev->dev;
	edu->misc.mode = 0600;

	kref_init(&edu->ref);
	edu->pdev = pdev;
	edu->id = id;
	edu->dma_bits = EDU_DEFAULT_DMA_BITS;
	if (dma_bits[id])
		edu->dma_bits = dma_bits[id];
	init_completion(&edu->done);
	mutex_init(&edu->lock);
	INIT_LIST_HEAD(&edu->files);
	return edu;
}

static int edu_setup_dma(struct edu_device *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev,
					DMA_BIT_MASK(edu->dma_bits));
	if (ret)
		return ret;

	/* The engine takes any address and length: no need to cut segments. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	pci_set_master(pdev);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *unused)
{
	struct edu_device *edu;
	int id, ret;

	id = edu_id_get(pdev);
	if (id < 0)
		return id;

	edu = edu_device_create(pdev, id);
	if (!edu) {
		ret = -ENOMEM;
		goto free_id;
	}
	pci_set_drvdata(pdev, edu);

	ret = pcim_enable_device(pdev);
	if (ret)
		goto put_edu;

	edu->regs = pcim_iomap_region(pdev, 0, EDU_NAME);
	if (IS_ERR(edu->regs)) {
		ret = PTR_ERR(edu->regs);
		goto put_edu;
	}

	ret = edu_setup_dma(edu);
	if (ret)
		goto put_edu;

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (ret < 0)
		goto clear_master;

	ret = request_irq(pci_irq_vector(pdev, 0), edu_irq, IRQF_SHARED,
			  EDU_NAME, edu);
	if (ret)
		goto free_vectors;

	mutex_lock(&edu->lock);
	ret = edu_probe_translation(edu);
	mutex_unlock(&edu->lock);
	if (ret)
		goto free_irq;

	ret = misc_register(&edu->misc);
	if (ret)
		goto free_irq;
	return 0;

free_irq:
	free_irq(pci_irq_vector(pdev, 0), edu);
free_vectors:
	pci_free_irq_vectors(pdev);
clear_master:
	pci_clear_master(pdev);
put_edu:
	kref_put(&edu->ref, edu_release);
free_id:
	edu_id_put(id);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);
	struct edu_file *file;

	misc_deregister(&edu->misc);

	/*
	 * No mapping should outlive the binding, whoever still has a file open.
	 * There are drivers with which it does.
	 */
	mutex_lock(&edu->lock);
	edu->gone = true;
	list_for_each_entry(file, &edu->files, node)
		if (!late)
			edu_file_forget_all(file);
	mutex_unlock(&edu->lock);

	free_irq(pci_irq_vector(pdev, 0), edu);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
	edu_id_put(edu->id);
	kref_put(&edu->ref, edu_release);
}

static const struct pci_device_id edu_ids_table[] = {
	{ PCI_DEVICE(EDU_PCI_VENDOR, EDU_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids_table);

static struct pci_driver edu_driver = {
	.name = EDU_NAME,
	.id_table = edu_ids_table,
	.probe = edu_probe,
	.remove = edu_remove,
};

/* What DMA_BIT_MASK() has a mask for. */
static bool edu_dma_bits_ok(void)
{
	unsigned int i;

	for (i = 0; i < nr_dma_bits; i++)
		if (!dma_bits[i] || dma_bits[i] > 64)
			return false;
	return true;
}

static int __init edu_init(void)
{
	if (!edu_dma_bits_ok()) {
		pr_err(EDU_NAME ": dma_bits: 1 to 64 for each device\n");
		return -EINVAL;
	}

	/*
	 * A driver whose device does all of its DMA in spaces sets this, and
	 * then it reaches nothing in between. It is a parameter only here. Such
	 * a driver leaves the DMA API of the device itself alone: that this one
	 * does not is for the tests.
	 */
	edu_driver.driver_managed_dma = managed_dma;
	return pci_register_driver(&edu_driver);
}
module_init(edu_init);

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
}
module_exit(edu_exit);

MODULE_DESCRIPTION("Sample dma-buf importer for QEMU's edu device");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("VCM_IOMMU");
