// SPDX-License-Identifier: GPL-2.0
/*
 * Measures what it costs to map a dma-buf for a device and for the kernel
 *
 * A measuring tool and not an example: it maps buffers behind the back of the
 * driver that is bound to the device, which nobody else should do. The device
 * does no DMA to them. The driver cannot be unbound meanwhile.
 *
 * The same pages are mapped in two ways: as an importer does it, where the
 * exporter decides how, and through dma_map_sgtable(), which is what most
 * exporters do.
 */

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/fcntl.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "vcm-bench.h"

/* A buffer and the device that it is mapped for */
struct bench {
	struct device *dev;	/* locked: its driver stays bound; or NULL */
	struct dma_buf *dmabuf;
	size_t segment;		/* bytes in the longest segment of @plain */
	struct sg_table plain;	/* the buffer's pages in a table of our own, or empty */
};

/* --- The device -------------------------------------------------------- */

/* The device of that name, with its driver bound until bench_device_put(). */
static struct device *bench_device_get(char *name)
{
	struct device *dev;

	name[VCM_BENCH_NAME_LEN - 1] = '\0';
	dev = bus_find_device_by_name(&pci_bus_type, NULL, name);
	if (!dev)
		return ERR_PTR(-ENODEV);

	device_lock(dev);
	if (dev->driver)
		return dev;

	device_unlock(dev);
	put_device(dev);
	return ERR_PTR(-ENODEV);
}

static void bench_device_put(struct device *dev)
{
	device_unlock(dev);
	put_device(dev);
}

/* --- The buffer -------------------------------------------------------- */

/* The physically contiguous runs of a table; bytes in those of at least @min. */
static u64 bench_count_runs(struct sg_table *sgt, u64 min, u64 *large)
{
	u64 runs = 0, len = 0;
	phys_addr_t next = 0;
	struct scatterlist *sg;
	int i;

	*large = 0;
	for_each_sgtable_sg(sgt, sg, i) {
		if (!i || sg_phys(sg) != next) {
			*large += len >= min ? len : 0;
			runs++;
			len = 0;
		}
		len += sg->length;
		next = sg_phys(sg) + sg->length;
	}
	*large += len >= min ? len : 0;
	return runs;
}

typedef int (*bench_look_fn)(struct bench *bench, struct sg_table *sgt,
			     void *arg);

/* Attach the device, and show @look the table of the buffer. */
static int bench_look(struct bench *bench, bench_look_fn look, void *arg)
{
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	int ret;

	attachment = dma_buf_attach(bench->dmabuf, bench->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);

	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	ret = PTR_ERR_OR_ZERO(sgt);
	if (ret)
		goto detach;
	ret = look(bench, sgt, arg);
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
detach:
	dma_buf_detach(bench->dmabuf, attachment);
	return ret;
}

/* The same with a buffer and a device that only their names are known of. */
static int bench_look_at(char *name, int fd, bench_look_fn look, void *arg)
{
	struct bench bench = { .dev = bench_device_get(name) };
	int ret;

	if (IS_ERR(bench.dev))
		return PTR_ERR(bench.dev);

	bench.dmabuf = dma_buf_get(fd);
	ret = PTR_ERR_OR_ZERO(bench.dmabuf);
	if (ret)
		goto put_device;
	ret = bench_look(&bench, look, arg);
	dma_buf_put(bench.dmabuf);
put_device:
	bench_device_put(bench.dev);
	return ret;
}

/* Cut @from into segments of @max bytes, into the list at @to if there is one. */
static unsigned int bench_cut(struct sg_table *from, size_t max,
			      struct scatterlist *to)
{
	unsigned int nents = 0;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(from, sg, i) {
		size_t done, len;

		for (done = 0; done < sg->length; done += len) {
			phys_addr_t phys = sg_phys(sg) + done;

			len = min(sg->length - done, max);
			if (to) {
				sg_set_page(to, phys_to_page(phys), len,
					    offset_in_page(phys));
				to = sg_next(to);
			}
			nents++;
		}
	}
	return nents;
}

/* Take the pages out of the exporter's table. */
static int bench_copy_table(struct bench *bench, struct sg_table *sgt, void *arg)
{
	int ret;

	/* An exporter that hides its pages from importers. */
	if (!sg_page(sgt->sgl))
		return -EOPNOTSUPP;

	ret = sg_alloc_table(&bench->plain, bench_cut(sgt, bench->segment, NULL),
			     GFP_KERNEL);
	if (!ret)
		bench_cut(sgt, bench->segment, bench->plain.sgl);
	return ret;
}

/* --- Addresses --------------------------------------------------------- */

static int bench_slabs_try(struct device *dev, struct vcm_bench_slabs *slabs)
{
	u64 __user *addrs = u64_to_user_ptr(slabs->addrs);
	struct dma_iova_state *states;
	u32 i, count;
	int ret = 0;

	states = kvcalloc(slabs->max, sizeof(*states), GFP_KERNEL);
	if (!states)
		return -ENOMEM;

	for (count = 0; count < slabs->max; count++)
		if (!dma_iova_try_alloc(dev, &states[count], 0, slabs->size))
			break;

	for (i = 0; i < count; i++) {
		if (put_user((u64)states[i].addr, &addrs[i]))
			ret = -EFAULT;
		dma_iova_free(dev, &states[i]);
	}
	slabs->count = count;
	kvfree(states);
	return ret;
}

static int bench_slabs(struct vcm_bench_slabs *slabs)
{
	struct device *dev;
	int ret;

	if (!slabs->size || !PAGE_ALIGNED(slabs->size) ||
	    slabs->size > SIZE_MAX / 4 || !slabs->max ||
	    slabs->max > VCM_BENCH_MAX_ROUNDS)
		return -EINVAL;

	dev = bench_device_get(slabs->device);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	ret = device_iommu_mapped(dev) ? bench_slabs_try(dev, slabs) :
					 -EOPNOTSUPP;
	bench_device_put(dev);
	return ret;
}

/* --- Page tables ------------------------------------------------------- */

/*
 * Take out the entry at @iova and put it back. The drivers that share the
 * kernel's generic page tables take out all of an entry when they are asked
 * for its first page, and tell how much that was.
 */
static ssize_t bench_leaf(struct iommu_domain *domain, u64 iova, int prot)
{
	phys_addr_t phys = iommu_iova_to_phys(domain, iova);
	size_t size;
	int ret;

	if (!phys)
		return -EINVAL;
	size = iommu_unmap(domain, iova, PAGE_SIZE);
	if (!size)
		return -EOPNOTSUPP;
	ret = iommu_map(domain, iova, phys, size, prot, GFP_KERNEL);
	return ret ?: size;
}

static int bench_leaves_range(struct device *dev, u64 iova, u64 len,
			      u64 *count)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	int prot = IOMMU_READ | IOMMU_WRITE;
	u64 end = iova + len;

	if (!domain || !iommu_is_dma_domain(domain))
		return -EOPNOTSUPP;
	if (dev_is_dma_coherent(dev))
		prot |= IOMMU_CACHE;

	while (iova < end) {
		ssize_t size = bench_leaf(domain, iova, prot);

		if (size < 0)
			return size;
		count[ilog2(size)]++;
		iova += size;
	}
	return 0;
}

static int bench_leaves_count(struct bench *bench, struct sg_table *sgt,
			      void *arg)
{
	struct vcm_bench_leaves *leaves = arg;
	struct scatterlist *sg;
	int i, ret = 0;

	if (!device_iommu_mapped(bench->dev))
		return -EOPNOTSUPP;

	memset(leaves->count, 0, sizeof(leaves->count));
	for_each_sgtable_dma_sg(sgt, sg, i) {
		ret = bench_leaves_range(bench->dev, sg_dma_address(sg),
					 sg_dma_len(sg), leaves->count);
		if (ret)
			break;
	}
	return ret;
}

static int bench_leaves(struct vcm_bench_leaves *leaves)
{
	return leaves->reserved ? -EINVAL :
	       bench_look_at(leaves->device, leaves->fd, bench_leaves_count, leaves);
}

/* --- Runs -------------------------------------------------------------- */

static int bench_runs_count(struct bench *bench, struct sg_table *sgt, void *arg)
{
	struct vcm_bench_runs *runs = arg;

	if (!sg_page(sgt->sgl))
		return -EOPNOTSUPP;
	runs->length = bench->dmabuf->size;
	runs->runs = bench_count_runs(sgt, runs->min, &runs->large);
	return 0;
}

static int bench_runs(struct vcm_bench_runs *runs)
{
	return runs->reserved || !runs->min ? -EINVAL :
	       bench_look_at(runs->device, runs->fd, bench_runs_count, runs);
}

/* --- Steps ------------------------------------------------------------- */

typedef int (*bench_round_fn)(struct bench *bench, u64 *ns);

/* Time @round as often as asked for: @nr_steps times each. */
static int bench_steps_timed(struct vcm_bench_steps *steps, struct device *dev,
			     bench_round_fn round, unsigned int nr_steps)
{
	struct bench bench = { .dev = dev, .segment = steps->segment };
	size_t step_bytes = nr_steps * sizeof(u64);
	int ret = 0;
	u64 *ns;
	u32 i;

	bench.dmabuf = dma_buf_get(steps->fd);
	if (IS_ERR(bench.dmabuf))
		return PTR_ERR(bench.dmabuf);

	ns = kvcalloc(steps->rounds, step_bytes, GFP_KERNEL);
	if (!ns) {
		ret = -ENOMEM;
		goto put_dmabuf;
	}

	for (i = 0; i < steps->rounds && !ret; i++) {
		ret = round(&bench, ns + i * nr_steps);
		if (fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	if (!ret && copy_to_user(u64_to_user_ptr(steps->ns), ns,
				 steps->rounds * step_bytes))
		ret = -EFAULT;
	sg_free_table(&bench.plain);
	kvfree(ns);
put_dmabuf:
	dma_buf_put(bench.dmabuf);
	return ret;
}

static void bench_read_pages(const void *vaddr, size_t len)
{
	size_t offset;

	for (offset = 0; offset < len; offset += PAGE_SIZE)
		READ_ONCE(*((const u8 *)vaddr + offset));
}

static int bench_vmap_round(struct bench *bench, u64 *ns)
{
	struct dma_buf *dmabuf = bench->dmabuf;
	u64 start = ktime_get_ns();
	struct iosys_map map;
	int ret;

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	ns[VCM_BENCH_VMAP] = ktime_get_ns() - start;
	if (ret)
		return ret;

	start = ktime_get_ns();
	if (!map.is_iomem)
		bench_read_pages(map.vaddr, dmabuf->size);
	ns[VCM_BENCH_VTOUCH] = ktime_get_ns() - start;

	start = ktime_get_ns();
	dma_buf_vunmap_unlocked(dmabuf, &map);
	ns[VCM_BENCH_VUNMAP] = ktime_get_ns() - start;
	return 0;
}

static int bench_map_unmap(struct dma_buf_attachment *attachment, u64 *map_ns,
			   u64 *unmap_ns)
{
	struct sg_table *sgt;
	u64 start;

	start = ktime_get_ns();
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	*map_ns = ktime_get_ns() - start;
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	start = ktime_get_ns();
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
	*unmap_ns = ktime_get_ns() - start;
	return 0;
}

static int bench_attach_round(struct bench *bench, u64 *ns)
{
	struct dma_buf *dmabuf = bench->dmabuf;
	struct dma_buf_attachment *attachment;
	u64 start = ktime_get_ns();
	int ret;

	attachment = dma_buf_attach(dmabuf, bench->dev);
	ns[VCM_BENCH_ATTACH] = ktime_get_ns() - start;
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);

	ret = bench_map_unmap(attachment, &ns[VCM_BENCH_MAP],
			      &ns[VCM_BENCH_UNMAP]);
	if (!ret)
		ret = bench_map_unmap(attachment, &ns[VCM_BENCH_REMAP],
				      &ns[VCM_BENCH_REUNMAP]);

	start = ktime_get_ns();
	dma_buf_detach(dmabuf, attachment);
	ns[VCM_BENCH_DETACH] = ktime_get_ns() - start;
	return ret;
}

/* As an importer does it, if there is room. */
static int bench_map_round(struct bench *bench, u64 *ns)
{
	struct dma_buf_attachment *attachment;

	attachment = dma_buf_attach(bench->dmabuf, bench->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	if (bench_map_unmap(attachment, &ns[0], &ns[1]))
		ns[0] = VCM_BENCH_FAILED;
	dma_buf_detach(bench->dmabuf, attachment);
	return 0;
}

static void bench_plain_map(struct bench *bench, u64 *ns)
{
	struct sg_table *sgt = &bench->plain;
	u64 start = ktime_get_ns();
	int ret;

	ret = dma_map_sgtable(bench->dev, sgt, DMA_BIDIRECTIONAL, 0);
	ns[0] = ret ? VCM_BENCH_FAILED : ktime_get_ns() - start;
	if (ret)
		return;

	start = ktime_get_ns();
	dma_unmap_sgtable(bench->dev, sgt, DMA_BIDIRECTIONAL, 0);
	ns[1] = ktime_get_ns() - start;
	sgt->nents = sgt->orig_nents;
}

/* Through the DMA API alone, as most exporters do it. */
static int bench_plain_round(struct bench *bench, u64 *ns)
{
	int ret = 0;

	if (!bench->plain.sgl)
		ret = bench_look(bench, bench_copy_table, NULL);
	if (!ret)
		bench_plain_map(bench, ns);
	return ret;
}

/* What the driver of the IOMMU does when all of @sgt has been unmapped. */
static u64 bench_flush_table(struct iommu_domain *domain, struct sg_table *sgt)
{
	struct iommu_iotlb_gather gather;
	struct scatterlist *sg;
	u64 start, none;
	int i;

	iommu_iotlb_gather_init(&gather);
	gather.pgsize = PAGE_SIZE;
	for_each_sgtable_dma_sg(sgt, sg, i)
		iommu_iotlb_gather_add_range(&gather, sg_dma_address(sg),
					     sg_dma_len(sg));
	none = ktime_get_ns();
	start = ktime_get_ns();
	iommu_iotlb_sync(domain, &gather);
	/* Without what looking at the clock takes. */
	return ktime_get_ns() - start - (start - none);
}

static int bench_flush_look(struct bench *bench, struct sg_table *sgt, void *arg)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(bench->dev);
	u64 *ns = arg;

	if (!domain || !iommu_is_dma_domain(domain))
		return -EOPNOTSUPP;
	*ns = bench_flush_table(domain, sgt);
	return 0;
}

static int bench_flush_round(struct bench *bench, u64 *ns)
{
	return bench_look(bench, bench_flush_look, ns);
}

static const struct {
	unsigned int cmd;
	bench_round_fn round;
	unsigned int nr_steps;
	bool device;
} bench_rounds_of[] = {
	{ VCM_BENCH_IOC_VMAP, bench_vmap_round, VCM_BENCH_VMAP_STEPS, false },
	{ VCM_BENCH_IOC_ATTACH, bench_attach_round, VCM_BENCH_ATTACH_STEPS, true },
	{ VCM_BENCH_IOC_FLUSH, bench_flush_round, 1, true },
	{ VCM_BENCH_IOC_MAP, bench_map_round, 2, true },
	{ VCM_BENCH_IOC_PLAIN, bench_plain_round, 2, true },
};

static int bench_steps(unsigned int cmd, struct vcm_bench_steps *steps)
{
	struct device *dev = NULL;
	bool plain = cmd == VCM_BENCH_IOC_PLAIN;
	int i, ret;

	for (i = 0; bench_rounds_of[i].cmd != cmd; i++)
		;
	if (steps->reserved || !steps->rounds ||
	    steps->rounds > VCM_BENCH_MAX_ROUNDS ||
	    !PAGE_ALIGNED(steps->segment) ||
	    plain != !!steps->segment)
		return -EINVAL;

	if (bench_rounds_of[i].device) {
		dev = bench_device_get(steps->device);
		if (IS_ERR(dev))
			return PTR_ERR(dev);
	}
	ret = bench_steps_timed(steps, dev, bench_rounds_of[i].round,
				bench_rounds_of[i].nr_steps);
	if (dev)
		bench_device_put(dev);
	return ret;
}

/* --- A buffer of nothing ----------------------------------------------- */

static struct sg_table *bench_empty_map(struct dma_buf_attachment *attachment,
					enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void bench_empty_unmap(struct dma_buf_attachment *attachment,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
}

static void bench_empty_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops bench_empty_ops = {
	.map_dma_buf = bench_empty_map,
	.unmap_dma_buf = bench_empty_unmap,
	.release = bench_empty_release,
};

static int bench_empty(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;
	int fd;

	exp_info.ops = &bench_empty_ops;
	exp_info.size = PAGE_SIZE;
	exp_info.flags = O_RDWR;
	/* The core insists on something. */
	exp_info.priv = THIS_MODULE;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/* --- Buffers in turn --------------------------------------------------- */

/**
 * struct bench_file - an open file
 * @lock: protects the lists
 * @held: memory that is taken, linked by page->lru, page->private is the order
 * @frames: buffers that are mapped for a device, the next one first
 */
struct bench_file {
	struct mutex lock;	/* see above */
	struct list_head held;
	struct list_head frames;
};

/* A buffer that a device has */
struct bench_frame {
	struct list_head item;			/* in &bench_file.frames */
	struct dma_buf_attachment *attachment;	/* of the device */
	struct sg_table *sgt;			/* its mapping, or NULL */
};

static int bench_frame_map(struct bench_frame *frame)
{
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(frame->attachment,
					      DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	frame->sgt = sgt;
	return 0;
}

static void bench_frame_unmap(struct bench_frame *frame)
{
	if (frame->sgt)
		dma_buf_unmap_attachment_unlocked(frame->attachment, frame->sgt,
						  DMA_BIDIRECTIONAL);
	frame->sgt = NULL;
}

static void bench_frame_free(struct bench_frame *frame)
{
	struct dma_buf *dmabuf = frame->attachment->dmabuf;

	bench_frame_unmap(frame);
	dma_buf_detach(dmabuf, frame->attachment);
	dma_buf_put(dmabuf);
	list_del(&frame->item);
	kfree(frame);
}

static struct bench_frame *bench_frame_new(struct device *dev, int fd)
{
	struct dma_buf *dmabuf;
	struct bench_frame *frame;
	int ret;

	frame = kzalloc_obj(*frame);
	if (!frame)
		return ERR_PTR(-ENOMEM);

	dmabuf = dma_buf_get(fd);
	ret = PTR_ERR_OR_ZERO(dmabuf);
	if (ret)
		goto free_frame;
	frame->attachment = dma_buf_attach(dmabuf, dev);
	ret = PTR_ERR_OR_ZERO(frame->attachment);
	if (ret)
		goto put_dmabuf;
	ret = bench_frame_map(frame);
	if (ret)
		goto detach;
	return frame;

detach:
	dma_buf_detach(dmabuf, frame->attachment);
put_dmabuf:
	dma_buf_put(dmabuf);
free_frame:
	kfree(frame);
	return ERR_PTR(ret);
}

static int bench_queue(struct bench_file *bf, struct vcm_bench_queue *queue)
{
	struct bench_frame *frame;
	struct device *dev;

	if (queue->reserved)
		return -EINVAL;

	dev = bench_device_get(queue->device);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	/* Threads attach at the same time, and may stay attached for longer than this. */
	device_unlock(dev);
	frame = bench_frame_new(dev, queue->fd);
	put_device(dev);
	if (IS_ERR(frame))
		return PTR_ERR(frame);

	mutex_lock(&bf->lock);
	list_add_tail(&frame->item, &bf->frames);
	mutex_unlock(&bf->lock);
	return 0;
}

/* The device is done with a frame, a program looks at it, the device gets it again. */
static int bench_frame_turn(struct bench_frame *frame)
{
	struct dma_buf *dmabuf = frame->attachment->dmabuf;
	int ret;

	ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	bench_frame_unmap(frame);
	return bench_frame_map(frame);
}

static int bench_frames(struct bench_file *bf, u32 count)
{
	int ret = 0;

	mutex_lock(&bf->lock);
	if (list_empty(&bf->frames))
		ret = -ENOENT;
	while (count-- && !ret) {
		ret = bench_frame_turn(list_first_entry(&bf->frames,
							struct bench_frame,
							item));
		list_rotate_left(&bf->frames);
		if (fatal_signal_pending(current))
			ret = -EINTR;
	}
	mutex_unlock(&bf->lock);
	return ret;
}

static int bench_frames_free(struct bench_file *bf)
{
	struct bench_frame *frame, *next;

	mutex_lock(&bf->lock);
	list_for_each_entry_safe(frame, next, &bf->frames, item)
		bench_frame_free(frame);
	mutex_unlock(&bf->lock);
	return 0;
}

/* --- Memory in pieces -------------------------------------------------- */

/* What memory is cut into, in pages */
struct bench_pieces {
	unsigned int block;	/* order of a block */
	unsigned int least;	/* order of the pieces that are taken */
	struct list_head *held;	/* those that are taken, sorted */
	struct xarray given;	/* the blocks that were given back */
};

static void bench_hold(struct list_head *held, struct page *page,
		       unsigned int order)
{
	set_page_private(page, order);
	list_add_tail(&page->lru, held);
}

static void bench_let_go(struct page *page)
{
	unsigned int order = page_private(page);

	list_del(&page->lru);
	set_page_private(page, 0);
	__free_pages(page, order);
}

static void bench_let_all_go(struct list_head *held)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, held, lru)
		bench_let_go(page);
}

/* Without waking kswapd: nobody is to find that memory got short. */
static struct page *bench_alloc(unsigned int order)
{
	return alloc_pages(__GFP_NOWARN, order);
}

static int bench_compare_pages(void *priv, const struct list_head *a,
			       const struct list_head *b)
{
	const struct page *x = list_entry(a, struct page, lru);
	const struct page *y = list_entry(b, struct page, lru);

	return page_to_pfn(x) > page_to_pfn(y) ? 1 : -1;
}

/* The kernel gives out odd pieces before it breaks a block. */
static void bench_take_all(struct bench_pieces *bp)
{
	struct page *page;

	while ((page = bench_alloc(bp->least)))
		bench_hold(bp->held, page, bp->least);
	list_sort(NULL, bp->held, bench_compare_pages);
}

static unsigned long bench_block(const struct bench_pieces *bp,
				 struct page *page)
{
	return page_to_pfn(page) >> bp->block;
}

/* How many of the held pieces from @page on are of the same block. */
static unsigned int bench_block_pieces(const struct bench_pieces *bp,
				       struct page *page)
{
	unsigned long block = bench_block(bp, page);
	unsigned int n = 0;

	list_for_each_entry_from(page, bp->held, lru) {
		if (bench_block(bp, page) != block)
			break;
		n++;
	}
	return n;
}

static struct page *bench_block_free(struct page *page, unsigned int n)
{
	while (n--) {
		struct page *next = list_next_entry(page, lru);

		bench_let_go(page);
		page = next;
	}
	return page;
}

/* Give back blocks that are complete and do not touch the one before. */
static unsigned int bench_give_blocks(struct bench_pieces *bp)
{
	struct page *page = list_first_entry(bp->held, struct page, lru);
	unsigned int count = 0;

	while (!list_entry_is_head(page, bp->held, lru)) {
		unsigned long block = bench_block(bp, page);
		unsigned int n = bench_block_pieces(bp, page);

		if (n == 1U << (bp->block - bp->least) &&
		    !xa_load(&bp->given, block - 1) &&
		    !xa_err(xa_store(&bp->given, block, bp, GFP_KERNEL))) {
			page = bench_block_free(page, n);
			count++;
			continue;
		}
		while (n--)
			page = list_next_entry(page, lru);
	}
	return count;
}

/* Give back a piece of each of @count blocks of which all is held. */
static unsigned int bench_give_singles(struct bench_pieces *bp,
				       unsigned int count)
{
	struct page *page = list_first_entry(bp->held, struct page, lru);
	unsigned int given = 0;

	while (given < count && !list_entry_is_head(page, bp->held, lru)) {
		unsigned int n = bench_block_pieces(bp, page), i;
		struct page *first = page;

		for (i = 0; i < n; i++)
			page = list_next_entry(page, lru);
		/* All of it is held, and not for change. */
		if (n == 1U << (bp->block - bp->least) &&
		    page_private(first) == bp->least) {
			bench_let_go(first);
			given++;
		}
	}
	return given;
}

/* What is left of the block that was broken last, and of others. */
static void bench_take_odd(struct bench_pieces *bp)
{
	struct page *page;

	while ((page = bench_alloc(bp->least))) {
		if (xa_load(&bp->given, bench_block(bp, page))) {
			__free_pages(page, bp->least);
			return;
		}
		bench_hold(bp->held, page, bp->least);
	}
}

/*
 * Give @bytes back in smaller pieces: all but the first page of each. Of the
 * last ones, as the first ones may be in a zone that few may take from.
 */
static void bench_make_change(struct bench_pieces *bp, u64 bytes)
{
	unsigned long pages = 1UL << bp->least, i;
	struct page *page, *prev;

	list_for_each_entry_safe_reverse(page, prev, bp->held, lru) {
		if (bytes < pages << PAGE_SHIFT)
			break;
		bytes -= pages << PAGE_SHIFT;
		split_page(page, bp->least);
		set_page_private(page, 0);
		for (i = 1; i < pages; i++)
			__free_page(page + i);
	}
}

static void bench_pieces_make(struct list_head *held,
			      struct vcm_bench_pieces *pieces)
{
	struct bench_pieces bp = {
		.block = get_order(pieces->block),
		.least = get_order(pieces->least),
		.held = held,
	};

	xa_init(&bp.given);
	bench_take_all(&bp);
	pieces->blocks = bench_give_blocks(&bp);
	bench_make_change(&bp, pieces->change);
	bench_take_odd(&bp);
	pieces->singles = bench_give_singles(&bp, pieces->singles);
	xa_destroy(&bp.given);
}

static bool bench_pieces_valid(const struct vcm_bench_pieces *pieces)
{
	return is_power_of_2(pieces->block) && is_power_of_2(pieces->least) &&
	       pieces->least > PAGE_SIZE && pieces->least < pieces->block &&
	       pieces->block <= PAGE_SIZE << MAX_PAGE_ORDER;
}

static int bench_pieces(struct bench_file *bf, struct vcm_bench_pieces *pieces)
{
	int ret = -EBUSY;

	if (!bench_pieces_valid(pieces))
		return -EINVAL;

	mutex_lock(&bf->lock);
	if (list_empty(&bf->held)) {
		bench_pieces_make(&bf->held, pieces);
		ret = 0;
	}
	mutex_unlock(&bf->lock);
	return ret;
}

/* --- The character device ---------------------------------------------- */

union bench_ioctl_args {
	struct vcm_bench_slabs slabs;
	struct vcm_bench_leaves leaves;
	struct vcm_bench_steps steps;
	struct vcm_bench_runs runs;
	struct vcm_bench_pieces pieces;
	struct vcm_bench_queue queue;
	__u32 frames;
};

static int bench_ioctl_run(struct bench_file *bf, unsigned int cmd,
			   union bench_ioctl_args *args)
{
	switch (cmd) {
	case VCM_BENCH_IOC_SLABS:
		return bench_slabs(&args->slabs);
	case VCM_BENCH_IOC_LEAVES:
		return bench_leaves(&args->leaves);
	case VCM_BENCH_IOC_VMAP:
	case VCM_BENCH_IOC_ATTACH:
	case VCM_BENCH_IOC_FLUSH:
	case VCM_BENCH_IOC_MAP:
	case VCM_BENCH_IOC_PLAIN:
		return bench_steps(cmd, &args->steps);
	case VCM_BENCH_IOC_RUNS:
		return bench_runs(&args->runs);
	case VCM_BENCH_IOC_EMPTY:
		return bench_empty();
	case VCM_BENCH_IOC_PIECES:
		return bench_pieces(bf, &args->pieces);
	case VCM_BENCH_IOC_QUEUE:
		return bench_queue(bf, &args->queue);
	case VCM_BENCH_IOC_FRAMES:
		return bench_frames(bf, args->frames);
	case VCM_BENCH_IOC_FRAMES_FREE:
		return bench_frames_free(bf);
	default:
		return -ENOTTY;
	}
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union bench_ioctl_args *args;
	int ret;

	args = kzalloc_obj(*args);
	if (!args)
		return -ENOMEM;

	ret = -ENOTTY;
	if (size > sizeof(*args))
		goto free_args;
	ret = -EFAULT;
	if (copy_from_user(args, user, size))
		goto free_args;
	ret = bench_ioctl_run(file->private_data, cmd, args);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, args, size))
		ret = -EFAULT;
free_args:
	kfree(args);
	return ret;
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench_file *bf;

	bf = kzalloc_obj(*bf);
	if (!bf)
		return -ENOMEM;
	mutex_init(&bf->lock);
	INIT_LIST_HEAD(&bf->held);
	INIT_LIST_HEAD(&bf->frames);
	file->private_data = bf;
	return nonseekable_open(inode, file);
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bench_file *bf = file->private_data;

	bench_frames_free(bf);
	bench_let_all_go(&bf->held);
	mutex_destroy(&bf->lock);
	kfree(bf);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vcm-bench",
	.fops = &bench_fops,
	.mode = 0600,
};
module_misc_device(bench_misc);

MODULE_DESCRIPTION("Measures what mapping a dma-buf costs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
