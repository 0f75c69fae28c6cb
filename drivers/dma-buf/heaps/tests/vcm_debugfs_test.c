// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of debugfs vcm/totals, vcm/buffers and vcm/pool: what they say
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../../../iommu/tests/vcm-show.h"
#include "../vcm_buffer.h"
#include "../vcm_debugfs.h"
#include "../vcm_pool.h"
#include "../vcm_pool_free.h"

static void debugfs_test_exit(struct kunit *test)
{
	/* Files that are closed here are released by somebody else. */
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
}

static struct dma_buf *new_buffer(struct kunit *test, size_t len,
				  u64 chunk_sizes, const char *name)
{
	const struct vcm_alloc_args args = {
		.len = len,
		.chunk_sizes = chunk_sizes,
		.policy = { .guard = SZ_64K },
		.name = name ? kstrdup(name, GFP_KERNEL) : NULL,
		.fd_flags = O_RDWR,
	};
	struct dma_buf *dmabuf = vcm_buffer_alloc(&args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

static struct device *new_importer(struct kunit *test, const char *name)
{
	u64 *mask = kunit_kzalloc(test, sizeof(*mask), GFP_KERNEL);
	struct device *dev = kunit_device_register(test, name);

	KUNIT_ASSERT_NOT_NULL(test, mask);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	*mask = DMA_BIT_MASK(64);
	dev->dma_mask = mask;
	dev->coherent_dma_mask = *mask;
	return dev;
}

static struct dma_buf_attachment *attach(struct kunit *test,
					 struct dma_buf *dmabuf,
					 const char *name)
{
	struct dma_buf_attachment *attachment;

	attachment = dma_buf_attach(dmabuf, new_importer(test, name));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attachment);
	return attachment;
}

static void the_totals_are_those_of_all_buffers(struct kunit *test)
{
	struct dma_buf *large, *small;
	struct dma_buf_attachment *attachment;

	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_totals_show),
			   "buffers 0\nbytes 0\nchunks_2m 0\nchunks_1m 0\nchunks_64k 0\nchunks_page 0\nattachments 0\n");

	large = new_buffer(test, SZ_1M, SZ_64K, NULL);
	small = new_buffer(test, 3 * PAGE_SIZE, PAGE_SIZE, NULL);
	attachment = attach(test, small, "vcm-importer");
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_totals_show),
			   vcm_text(test,
				    "buffers 2\nbytes %lu\nchunks_2m 0\nchunks_1m 0\nchunks_64k 16\nchunks_page 3\nattachments 1\n",
				    (unsigned long)SZ_1M + 3 * PAGE_SIZE));

	dma_buf_detach(small, attachment);
	dma_buf_put(small);
	dma_buf_put(large);
}

static void large_chunks_are_counted_by_size(struct kunit *test)
{
	struct dma_buf *two = new_buffer(test, SZ_4M, SZ_2M, NULL);
	struct dma_buf *one = new_buffer(test, SZ_1M, SZ_1M, NULL);
	const char *text = vcm_show(test, vcm_totals_show);

	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nchunks_2m 2\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nchunks_1m 1\n"));
	text = vcm_show(test, vcm_buffers_show);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " 2M=2 1M=0 64K=0 page=0 "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " 2M=0 1M=1 64K=0 page=0 "));
	dma_buf_put(one);
	dma_buf_put(two);
}

/* The name is what userspace chose, and no more than that. */
static void a_buffer_has_a_line(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_128K, SZ_64K,
					    "a [b]\n\\");
	struct vcm_buffer *buffer = vcm_buffer_get(dmabuf);
	struct dma_buf_attachment *one, *two;
	struct sg_table *sgt;
	const char *start;

	start = vcm_text(test,
			 "ino=%llu length=131072 2M=0 1M=0 64K=2 page=0 runs=%lu name=a\\040\\133b\\135\\012\\134",
			 file_inode(dmabuf->file)->i_ino,
			 buffer->chunks.memory.nr_runs);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_buffers_show),
			   vcm_text(test, "%s attachments=0\n", start));

	one = attach(test, dmabuf, "vcm-one");
	two = attach(test, dmabuf, "vcm-two");
	sgt = dma_buf_map_attachment_unlocked(one, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_STREQ(test, vcm_show(test, vcm_buffers_show),
			   vcm_text(test,
				    "%s attachments=2 [%s iova=- segs=%u degraded] [%s unmapped]\n",
				    start, dev_name(one->dev),
				    sgt->nents, dev_name(two->dev)));

	dma_buf_unmap_attachment_unlocked(one, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, one);
	dma_buf_detach(dmabuf, two);
	dma_buf_put(dmabuf);
}

static void a_buffer_without_a_name_has_a_dash(struct kunit *test)
{
	struct dma_buf *dmabuf = new_buffer(test, SZ_64K, SZ_64K, NULL);

	KUNIT_EXPECT_NOT_NULL(test, strstr(vcm_show(test, vcm_buffers_show),
					   " runs=1 name=- attachments=0\n"));
	dma_buf_put(dmabuf);
}

static void the_pool_is_told_in_kb_and_chunks(struct kunit *test)
{
	struct vcm_pool_stats stats;
	const char *text = vcm_show(test, vcm_pool_show), *start;

	vcm_pool_stats(&stats);
	KUNIT_EXPECT_GT(test, stats.cap, 0);
	start = vcm_text(test, "cap_kb %llu\ntotal_kb %llu\nclean_2m %lu\ndirty_2m %lu\n",
			 stats.cap / 1024, stats.total / 1024,
			 stats.clean[VCM_CHUNK_2M], stats.dirty[VCM_CHUNK_2M]);
	KUNIT_EXPECT_TRUE(test, strstarts(text, start));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, vcm_text(test, "\ndirty_page %lu\npressure ",
							  stats.dirty[VCM_CHUNK_PAGE])));
}

static struct kunit_case debugfs_test_cases[] = {
	KUNIT_CASE(the_totals_are_those_of_all_buffers),
	KUNIT_CASE(large_chunks_are_counted_by_size),
	KUNIT_CASE(a_buffer_has_a_line),
	KUNIT_CASE(a_buffer_without_a_name_has_a_dash),
	KUNIT_CASE(the_pool_is_told_in_kb_and_chunks),
	{}
};

static struct kunit_suite debugfs_test_suite = {
	.name = "vcm_debugfs",
	.exit = debugfs_test_exit,
	.test_cases = debugfs_test_cases,
};

kunit_test_suite(debugfs_test_suite);
