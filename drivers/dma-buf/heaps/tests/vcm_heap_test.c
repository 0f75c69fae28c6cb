// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the buffers, as importers and processes see them
 *
 * The importers are devices without IOMMU; those behind one are in the tests of
 * vcm_iova. After each case there is no buffer of it left.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "../../../iommu/tests/vcm-fail-nth.h"
#include "../../../iommu/vcm-mapping.h"
#include "../vcm_buffer.h"
#include "../vcm_cpu_map.h"
#include "../vcm_pool_free.h"
#include "vcm_contents.h"

static void heap_test_exit(struct kunit *test)
{
	/* Files that are closed here are released by somebody else. */
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
	mem_accounting = false;
}

static struct dma_buf *new_buffer(struct kunit *test, size_t len, u64 sizes)
{
	const struct vcm_alloc_args args = {
		.len = len,
		.chunk_sizes = sizes ?: vcm_chunk_sizes(),
		.fd_flags = O_RDWR,
	};
	struct dma_buf *dmabuf = vcm_buffer_alloc(&args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

static struct device *new_importer(struct kunit *test)
{
	static unsigned int nr;
	u64 *mask = kunit_kzalloc(test, sizeof(*mask), GFP_KERNEL);
	struct device *dev;
	char name[32];

	snprintf(name, sizeof(name), "vcm-importer.%u", nr++);
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_NOT_NULL(test, mask);
	*mask = DMA_BIT_MASK(64);
	dev->dma_mask = mask;
	dev->coherent_dma_mask = *mask;
	return dev;
}

static struct dma_buf_attachment *attach(struct kunit *test,
					 struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attachment;

	attachment = dma_buf_attach(dmabuf, new_importer(test));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attachment);
	return attachment;
}

/* --- Importers --------------------------------------------------------- */

static void an_importer_gets_the_whole_buffer(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_2M + PAGE_SIZE, 0);
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	struct dma_buf_attachment *attachment;
	struct scatterlist *sg;
	struct sg_table *sgt;
	size_t len = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	KUNIT_EXPECT_TRUE(test, list_empty(&buffer->attachments));
	attachment = attach(test, dmabuf);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&buffer->attachments), 1);
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	for_each_sgtable_dma_sg(sgt, sg, i)
		len += sg_dma_len(sg);
	KUNIT_EXPECT_EQ(test, len, SZ_2M + PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf,
						       DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf,
						     DMA_BIDIRECTIONAL), 0);
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
	/* Nothing is to be done for one that is not mapped. */
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE),
			0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE),
			0);
	dma_buf_detach(dmabuf, attachment);
	KUNIT_EXPECT_TRUE(test, list_empty(&buffer->attachments));
	dma_buf_put(dmabuf);
}

static struct {
	unsigned int nr;
	enum dma_data_direction dir;
	bool for_device;
} syncs;

static void note_sync(struct vcm_iova_mapping *map, struct scatterlist *sgl,
		      unsigned int nents, enum dma_data_direction dir,
		      bool for_device)
{
	syncs.nr++;
	syncs.dir = dir;
	syncs.for_device = for_device;
}

static void expect_sync(struct kunit *test, enum dma_data_direction dir,
			bool for_device)
{
	KUNIT_EXPECT_EQ(test, syncs.nr, 1);
	KUNIT_EXPECT_EQ(test, syncs.dir, dir);
	KUNIT_EXPECT_EQ(test, syncs.for_device, for_device);
	syncs.nr = 0;
}

/* The memory is the CPU's from the beginning on, and the device's at the end. */
static void access_by_the_cpu_begins_and_ends(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
	};
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, 0);
	struct dma_buf_attachment *attachment = attach(test, dmabuf);
	struct sg_table *sgt;
	int i;

	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	syncs.nr = 0;
	kunit_activate_static_stub(test, vcm_sync_list, note_sync);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		dma_buf_begin_cpu_access(dmabuf, dirs[i]);
		expect_sync(test, dirs[i], false);
		dma_buf_end_cpu_access(dmabuf, dirs[i]);
		expect_sync(test, dirs[i], true);
	}
	kunit_deactivate_static_stub(test, vcm_sync_list);
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attachment);
	dma_buf_put(dmabuf);
}

static void an_accounted_buffer_has_all_its_memory(struct kunit *test)
{
	size_t len = SZ_1M + SZ_64K + PAGE_SIZE, sum = 0;
	struct vcm_buffer *buffer;
	struct dma_buf *dmabuf;
	unsigned long i;

	mem_accounting = true;
	dmabuf = new_buffer(test, len, 0);
	buffer = vcm_buffer_get(dmabuf);
	for (i = 0; i < buffer->chunks.nr; i++)
		sum += page_size(buffer->chunks.pages[i]);
	KUNIT_EXPECT_EQ(test, sum, len);
	dma_buf_put(dmabuf);
}

static void an_attachment_is_mapped_once(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, 0);
	struct dma_buf_attachment *a = attach(test, dmabuf);
	struct dma_buf_attachment *b = attach(test, dmabuf);
	struct sg_table *one, *two;

	one = dma_buf_map_attachment_unlocked(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, one);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_map_attachment_unlocked(a,
								  DMA_TO_DEVICE),
			    ERR_PTR(-EBUSY));
	two = dma_buf_map_attachment_unlocked(b, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, two);
	dma_buf_unmap_attachment_unlocked(b, two, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(a, one, DMA_TO_DEVICE);
	one = dma_buf_map_attachment_unlocked(a, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, one);
	dma_buf_unmap_attachment_unlocked(a, one, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, a);
	dma_buf_detach(dmabuf, b);
	dma_buf_put(dmabuf);
}

static void a_strict_policy_is_kept_or_refused(struct kunit *test)
{
	const struct vcm_alloc_args args = {
		.len = SZ_64K,
		.chunk_sizes = vcm_chunk_sizes(),
		.policy = { .guard = PAGE_SIZE, .flags = VCM_IOVA_STRICT },
	};
	struct dma_buf *dmabuf = vcm_buffer_alloc(&args);
	struct dma_buf_attachment *attachment;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	attachment = attach(test, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attachment,
							    DMA_TO_DEVICE),
			    ERR_PTR(-EOPNOTSUPP));
	dma_buf_detach(dmabuf, attachment);
	dma_buf_put(dmabuf);
}

static void an_importer_that_forgets_to_unmap_is_unmapped(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, 0);
	struct dma_buf_attachment *attachment = attach(test, dmabuf);
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	kunit_warning_suppress(test) {
		dma_buf_detach(dmabuf, attachment);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	dma_buf_put(dmabuf);
}

static void unmapping_twice_is_reported(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, 0);
	struct dma_buf_attachment *attachment = attach(test, dmabuf);
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dmabuf->ops->unmap_dma_buf(attachment, sgt, DMA_TO_DEVICE);
	kunit_warning_suppress(test) {
		dmabuf->ops->unmap_dma_buf(attachment, sgt, DMA_TO_DEVICE);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	dma_buf_detach(dmabuf, attachment);
	dma_buf_put(dmabuf);
}

/* --- The list of all buffers ------------------------------------------- */

/**
 * struct list_user - somebody who has to wait for the list of all buffers
 * @work: what is done, by a kernel thread
 * @done: it is done
 * @dmabuf: a buffer that is made or released
 */
struct list_user {
	struct work_struct work;
	struct completion done;
	struct dma_buf *dmabuf;
};

static void make_buffer(struct work_struct *work)
{
	struct list_user *user = container_of(work, struct list_user, work);
	const struct vcm_alloc_args args = {
		.len = PAGE_SIZE, .chunk_sizes = vcm_chunk_sizes(),
	};

	user->dmabuf = vcm_buffer_alloc(&args);
	complete(&user->done);
}

static void release_buffer(struct work_struct *work)
{
	struct list_user *user = container_of(work, struct list_user, work);

	dma_buf_put(user->dmabuf);
	flush_delayed_fput();
	complete(&user->done);
}

/*
 * Long enough for whoever does not wait, as a rule: one who is late is taken for
 * one who waits, and never the other way round.
 */
#define LIST_WAIT	(HZ / 4)

/* @fn leaves the list as it is, with @nr buffers, while we have its lock. */
static void expect_waiting(struct kunit *test, struct list_user *user,
			   work_func_t fn, size_t nr)
{
	INIT_WORK_ONSTACK(&user->work, fn);
	init_completion(&user->done);

	mutex_lock(&vcm_buffers_lock);
	queue_work(system_dfl_wq, &user->work);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&user->done,
							  LIST_WAIT), 0);
	KUNIT_EXPECT_EQ(test, hlist_count_nodes(&vcm_buffers), nr);
	mutex_unlock(&vcm_buffers_lock);

	flush_work(&user->work);
	destroy_work_on_stack(&user->work);
}

static void the_list_changes_under_its_lock(struct kunit *test)
{
	struct list_user user = {};

	expect_waiting(test, &user, make_buffer, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, user.dmabuf);
	KUNIT_EXPECT_EQ(test, hlist_count_nodes(&vcm_buffers), 1);
	expect_waiting(test, &user, release_buffer, 1);
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
}

/* --- The kernel -------------------------------------------------------- */

static void check_vmap(struct kunit *test, struct dma_buf *dmabuf)
{
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	struct iosys_map map, again;
	size_t off;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &again), 0);
	KUNIT_EXPECT_PTR_EQ(test, map.vaddr, again.vaddr);
	dma_buf_vunmap_unlocked(dmabuf, &again);

	/* A run of low memory has an address already. */
	KUNIT_EXPECT_EQ(test, is_vmalloc_addr(map.vaddr),
			buffer->chunks.memory.nr_runs > 1 ||
			PageHighMem(buffer->chunks.pages[0]));
	dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	for (off = 0; off < dmabuf->size; off += PAGE_SIZE) {
		unsigned long first, i;
		struct page *page;

		KUNIT_EXPECT_EQ(test, *(u64 *)(map.vaddr + off), 0);
		*(u64 *)(map.vaddr + off) = off + 1;
		i = vcm_chunks_find(&buffer->chunks, off >> PAGE_SHIFT, &first);
		page = buffer->chunks.pages[i] + first;
		KUNIT_EXPECT_EQ(test, vcm_contents_get(page), off + 1);
	}
	dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_NULL(test, buffer->vaddr);
}

static void the_kernel_sees_the_chunks_in_order(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, PAGE_SIZE, 0);

	check_vmap(test, dmabuf);
	dma_buf_put(dmabuf);
	dmabuf = new_buffer(test, SZ_4M + SZ_1M + SZ_64K + PAGE_SIZE, 0);
	check_vmap(test, dmabuf);
	dma_buf_put(dmabuf);
	dmabuf = new_buffer(test, SZ_4M, PAGE_SIZE);
	check_vmap(test, dmabuf);
	dma_buf_put(dmabuf);
}

/* --- Processes --------------------------------------------------------- */

static unsigned long map_user(struct kunit *test, struct dma_buf *dmabuf,
			      unsigned long len, unsigned long flags,
			      unsigned long offset)
{
	return kunit_vm_mmap(test, dmabuf->file, 0, len,
			     PROT_READ | PROT_WRITE, flags, offset);
}

/* Its chunk is there again, whatever page of it is touched first. */
static void check_user_page(struct kunit *test, struct dma_buf *dmabuf,
			    unsigned long addr, unsigned long offset)
{
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	unsigned long first, i;
	struct page *page;
	u64 value = 0;

	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	i = vcm_chunks_find(&buffer->chunks, offset >> PAGE_SHIFT, &first);
	page = buffer->chunks.pages[i] + first;
	vcm_contents_set(page, ~offset);
	KUNIT_ASSERT_EQ(test, copy_from_user(&value, (u64 __user *)addr, 8), 0);
	KUNIT_ASSERT_EQ(test, value, ~offset);
}

/* What a process writes from @offset on is in the chunks. */
static void check_user(struct kunit *test, struct dma_buf *dmabuf,
		       unsigned long addr, unsigned long len,
		       unsigned long offset)
{
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	unsigned long off, first, i;

	for (off = 0; off < len; off += PAGE_SIZE) {
		u64 __user *user = (u64 __user *)(addr + off);
		struct page *page;
		u64 value = 0;

		i = vcm_chunks_find(&buffer->chunks,
				    (offset + off) >> PAGE_SHIFT, &first);
		page = buffer->chunks.pages[i] + first;
		vcm_contents_set(page, ~off);
		KUNIT_EXPECT_EQ(test, copy_from_user(&value, user, 8), 0);
		KUNIT_EXPECT_EQ(test, value, ~off);
		value = off + 7;
		KUNIT_EXPECT_EQ(test, copy_to_user(user, &value, 8), 0);
		KUNIT_EXPECT_EQ(test, vcm_contents_get(page), off + 7);
	}
}

static void a_process_sees_the_chunks_in_order(struct kunit *test)
{
	size_t len = SZ_2M + SZ_1M + SZ_64K + PAGE_SIZE;
	static const unsigned long offsets[] = {
		0, PAGE_SIZE, SZ_1M, SZ_2M - PAGE_SIZE, SZ_2M,
		SZ_2M + PAGE_SIZE, SZ_2M + SZ_1M, SZ_2M + SZ_1M + SZ_64K,
	};
	struct dma_buf *dmabuf = new_buffer(test, len, 0);
	unsigned long addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		unsigned long rest = len - offsets[i];

		addr = map_user(test, dmabuf, rest, MAP_SHARED, offsets[i]);
		KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr) || !addr);
		check_user(test, dmabuf, addr, rest, offsets[i]);
		/* What the core drops is there again when it is touched. */
		unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
		check_user(test, dmabuf, addr, rest, offsets[i]);
		KUNIT_EXPECT_EQ(test, vm_munmap(addr, rest), 0);
	}
	dma_buf_put(dmabuf);
}

static void parts_of_a_buffer_can_be_mapped(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_4M, 0);
	unsigned long addr;

	addr = map_user(test, dmabuf, SZ_1M, MAP_SHARED, SZ_1M + PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr) || !addr);
	check_user(test, dmabuf, addr, SZ_1M, SZ_1M + PAGE_SIZE);
	/* Less of it: the rest stays as it is. */
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, SZ_64K), 0);
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	check_user(test, dmabuf, addr + SZ_64K, SZ_1M - SZ_64K,
		   SZ_1M + PAGE_SIZE + SZ_64K);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr + SZ_64K, SZ_1M - SZ_64K), 0);
	dma_buf_put(dmabuf);
}

static void any_page_of_a_chunk_can_be_touched_first(struct kunit *test)
{
	unsigned long start = SZ_64K + 2 * PAGE_SIZE, len = SZ_256K, off, addr;
	struct dma_buf *dmabuf = new_buffer(test, SZ_512K, SZ_64K);

	addr = map_user(test, dmabuf, len, MAP_SHARED, start);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr) || !addr);
	for (off = 0; off < len; off += PAGE_SIZE) {
		check_user_page(test, dmabuf, addr + off, start + off);
		/* All of it */
		check_user(test, dmabuf, addr, len, start);
	}
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, len), 0);
	dma_buf_put(dmabuf);
}

static void senseless_mappings_are_refused(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, 0);
	unsigned long addr;

	addr = map_user(test, dmabuf, SZ_64K, MAP_PRIVATE, 0);
	KUNIT_EXPECT_EQ(test, addr, (unsigned long)-EINVAL);
	addr = map_user(test, dmabuf, SZ_64K, MAP_SHARED, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, addr, (unsigned long)-EINVAL);
	addr = map_user(test, dmabuf, SZ_64K + PAGE_SIZE, MAP_SHARED, 0);
	KUNIT_EXPECT_EQ(test, addr, (unsigned long)-EINVAL);
	dma_buf_put(dmabuf);
}

/* --- When something fails ---------------------------------------------- */

#ifdef VCM_HAVE_FAIL_NTH
static void sweep_allocation(struct kunit *test)
{
	const struct vcm_alloc_args args = {
		.len = SZ_64K, .chunk_sizes = vcm_chunk_sizes(),
	};
	unsigned int n = 0, failures = 0;
	struct dma_buf *dmabuf;
	bool failed;

	do {
		vcm_fail_nth_start(test, ++n);
		dmabuf = vcm_buffer_alloc(&args);
		failed = vcm_fail_nth_end();
		if (IS_ERR(dmabuf)) {
			KUNIT_EXPECT_PTR_EQ(test, dmabuf, ERR_PTR(-ENOMEM));
			failures++;
		} else {
			dma_buf_put(dmabuf);
		}
		flush_delayed_fput();
		KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_GT(test, failures, 3);
}

static void out_of_memory_leaves_no_buffer(struct kunit *test)
{
	sweep_allocation(test);
}

/* What keeps room for the file can fail, too. */
static void out_of_memory_leaves_no_accounted_buffer(struct kunit *test)
{
	mem_accounting = true;
	sweep_allocation(test);
}

static void out_of_memory_leaves_no_attachment(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_2M, 0);
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	struct device *dev = new_importer(test);
	struct dma_buf_attachment *attachment;
	unsigned int n = 0, refs = kref_read(&dev->kobj.kref);
	bool failed;

	do {
		vcm_fail_nth_start(test, ++n);
		attachment = dma_buf_attach(dmabuf, dev);
		failed = vcm_fail_nth_end();
		if (IS_ERR(attachment))
			KUNIT_EXPECT_PTR_EQ(test, attachment,
					    ERR_PTR(-ENOMEM));
		else
			dma_buf_detach(dmabuf, attachment);
		KUNIT_EXPECT_TRUE(test, list_empty(&buffer->attachments));
		KUNIT_EXPECT_EQ(test, kref_read(&dev->kobj.kref), refs);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_FALSE(test, IS_ERR(attachment));
	KUNIT_EXPECT_GT(test, n, 4);
	dma_buf_put(dmabuf);
}

/* Not by way of the core, which warns of an exporter that fails here. */
static void out_of_memory_leaves_no_mapping(struct kunit *test)
{
	struct page *block = alloc_pages(GFP_KERNEL, 2);
	struct page *pages[] = { block, block + 2 };
	const struct vcm_chunks chunks = {
		.pages = pages,
		.nr = 2,
		.nr_of[VCM_CHUNK_PAGE] = 2,
		.memory.nr_runs = 2,
	};
	unsigned int n = 0;
	void *vaddr;
	bool failed;

	KUNIT_ASSERT_NOT_NULL(test, block);
	split_page(block, 2);
	do {
		vcm_fail_nth_start(test, ++n);
		vaddr = vcm_chunks_vmap(&chunks, 2 * PAGE_SIZE);
		failed = vcm_fail_nth_end();
		vcm_chunks_vunmap(vaddr);
	} while (failed && n < VCM_FAIL_NTH_MAX);
	KUNIT_EXPECT_NOT_NULL(test, vaddr);
	KUNIT_EXPECT_GT(test, n, 1);
	for (n = 0; n < 4; n++)
		__free_page(block + n);
}
#endif

static struct kunit_case heap_test_cases[] = {
	KUNIT_CASE(an_importer_gets_the_whole_buffer),
	KUNIT_CASE(access_by_the_cpu_begins_and_ends),
	KUNIT_CASE(an_accounted_buffer_has_all_its_memory),
	KUNIT_CASE(an_attachment_is_mapped_once),
	KUNIT_CASE(a_strict_policy_is_kept_or_refused),
	KUNIT_CASE(an_importer_that_forgets_to_unmap_is_unmapped),
	KUNIT_CASE(unmapping_twice_is_reported),
	KUNIT_CASE(the_list_changes_under_its_lock),
	KUNIT_CASE(the_kernel_sees_the_chunks_in_order),
	KUNIT_CASE(a_process_sees_the_chunks_in_order),
	KUNIT_CASE(parts_of_a_buffer_can_be_mapped),
	KUNIT_CASE(any_page_of_a_chunk_can_be_touched_first),
	KUNIT_CASE(senseless_mappings_are_refused),
#ifdef VCM_HAVE_FAIL_NTH
	KUNIT_CASE(out_of_memory_leaves_no_buffer),
	KUNIT_CASE(out_of_memory_leaves_no_accounted_buffer),
	KUNIT_CASE(out_of_memory_leaves_no_attachment),
	KUNIT_CASE(out_of_memory_leaves_no_mapping),
#endif
	{}
};

static struct kunit_suite heap_test_suite = {
	.name = "vcm_heap",
	.exit = heap_test_exit,
	.test_cases = heap_test_cases,
};

kunit_test_suite(heap_test_suite);
