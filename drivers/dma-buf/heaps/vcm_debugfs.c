// SPDX-License-Identifier: GPL-2.0
/*
 * The vcm heap seen from outside: debugfs vcm/totals, vcm/buffers, vcm/pool and
 * vcm/pool_drain
 *
 * The files show sizes, counts and IOVAs. A DMA address of a device that no
 * IOMMU translates for is a physical address and is left out.
 */

#include <kunit/visibility.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/lockdep.h>
#include <linux/seq_file.h>

#include <uapi/linux/dma-buf.h>

#include "vcm_buffer.h"
#include "vcm_debugfs.h"
#include "vcm_memory.h"
#include "vcm_pool.h"
#include "vcm_pool_free.h"

struct vcm_totals {
	unsigned long buffers;
	unsigned long attachments;
	unsigned long chunks[VCM_NR_CHUNK_SIZES];
	u64 bytes;
};

static void vcm_totals_add(struct vcm_totals *totals, struct vcm_buffer *buffer)
{
	enum vcm_chunk_size size;

	lockdep_assert_held(&vcm_buffers_lock);

	totals->buffers++;
	totals->bytes += buffer->len;
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++)
		totals->chunks[size] += buffer->chunks.nr_of[size];

	mutex_lock(&buffer->lock);
	totals->attachments += list_count_nodes(&buffer->attachments);
	mutex_unlock(&buffer->lock);
}

VISIBLE_IF_KUNIT int vcm_totals_show(struct seq_file *s, void *unused)
{
	struct vcm_totals totals = {};
	struct vcm_buffer *buffer;

	mutex_lock(&vcm_buffers_lock);
	hlist_for_each_entry(buffer, &vcm_buffers, node)
		vcm_totals_add(&totals, buffer);
	mutex_unlock(&vcm_buffers_lock);

	seq_printf(s, "buffers %lu\n", totals.buffers);
	seq_printf(s, "bytes %llu\n", totals.bytes);
	seq_printf(s, "chunks_2m %lu\n", totals.chunks[VCM_CHUNK_2M]);
	seq_printf(s, "chunks_1m %lu\n", totals.chunks[VCM_CHUNK_1M]);
	seq_printf(s, "chunks_64k %lu\n", totals.chunks[VCM_CHUNK_64K]);
	seq_printf(s, "chunks_page %lu\n", totals.chunks[VCM_CHUNK_PAGE]);
	seq_printf(s, "attachments %lu\n", totals.attachments);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_totals);

static void vcm_attachment_show(struct seq_file *s, struct vcm_buffer *buffer,
				struct vcm_attachment *a)
{
	struct vcm_iova_info info;

	lockdep_assert_held(&buffer->lock);

	seq_printf(s, " [%s", dev_name(a->dev));
	if (!vcm_iova_get_info(&a->map, &info)) {
		seq_puts(s, READ_ONCE(a->map.live) ? " kept]" : " unmapped]");
		return;
	}
	if (a->map.translated)
		seq_printf(s, " iova=0x%016llx", info.iova);
	else
		seq_puts(s, " iova=-");
	seq_printf(s, " segs=%u", info.segs);
	if (info.degraded)
		seq_puts(s, " degraded]");
	else
		seq_printf(s, " align=%llu guard=%llu]", info.align,
			   info.guard);
}

static void vcm_buffer_name_show(struct seq_file *s, struct dma_buf *dmabuf)
{
	char name[DMA_BUF_NAME_LEN] = "-";

	spin_lock(&dmabuf->name_lock);
	if (dmabuf->name)
		strscpy(name, dmabuf->name);
	spin_unlock(&dmabuf->name_lock);

	/* Userspace chose the name: it must not look like another field. */
	seq_puts(s, " name=");
	seq_escape(s, name, " \t\n\\[]");
}

static void vcm_buffer_show(struct seq_file *s, struct vcm_buffer *buffer)
{
	const struct vcm_chunks *chunks = &buffer->chunks;
	struct vcm_attachment *a;

	lockdep_assert_held(&vcm_buffers_lock);

	seq_printf(s, "ino=%lu length=%zu 2M=%lu 1M=%lu 64K=%lu page=%lu runs=%lu",
		   buffer->ino, buffer->len, chunks->nr_of[VCM_CHUNK_2M],
		   chunks->nr_of[VCM_CHUNK_1M], chunks->nr_of[VCM_CHUNK_64K],
		   chunks->nr_of[VCM_CHUNK_PAGE], chunks->memory.nr_runs);
	vcm_buffer_name_show(s, buffer->dmabuf);

	mutex_lock(&buffer->lock);
	seq_printf(s, " attachments=%zu",
		   list_count_nodes(&buffer->attachments));
	list_for_each_entry(a, &buffer->attachments, node)
		vcm_attachment_show(s, buffer, a);
	mutex_unlock(&buffer->lock);
	seq_putc(s, '\n');
}

VISIBLE_IF_KUNIT int vcm_buffers_show(struct seq_file *s, void *unused)
{
	struct vcm_buffer *buffer;

	mutex_lock(&vcm_buffers_lock);
	hlist_for_each_entry(buffer, &vcm_buffers, node)
		vcm_buffer_show(s, buffer);
	mutex_unlock(&vcm_buffers_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_buffers);

VISIBLE_IF_KUNIT int vcm_pool_show(struct seq_file *s, void *unused)
{
	static const char * const names[VCM_NR_CHUNK_SIZES] = {
		[VCM_CHUNK_2M] = "2m",
		[VCM_CHUNK_1M] = "1m",
		[VCM_CHUNK_64K] = "64k",
		[VCM_CHUNK_PAGE] = "page",
	};
	struct vcm_pool_stats stats;
	enum vcm_chunk_size size;

	vcm_pool_stats(&stats);
	seq_printf(s, "cap_kb %llu\n", stats.cap >> 10);
	seq_printf(s, "total_kb %llu\n", stats.total >> 10);
	for (size = 0; size < VCM_NR_CHUNK_SIZES; size++) {
		seq_printf(s, "clean_%s %lu\n", names[size], stats.clean[size]);
		seq_printf(s, "dirty_%s %lu\n", names[size], stats.dirty[size]);
	}
	seq_printf(s, "pressure %d\n", stats.pressed);
	seq_printf(s, "bad_kb %llu\n",
		   (u64)vcm_memory_bad_pages() << (PAGE_SHIFT - 10));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcm_pool);

static int vcm_pool_drain_set(void *data, u64 val)
{
	vcm_pool_drain();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vcm_pool_drain_fops, NULL, vcm_pool_drain_set,
			 "%llu\n");

/**
 * vcm_heap_debugfs_init - create the heap's files
 *
 * Context: Process context, once.
 */
void vcm_heap_debugfs_init(void)
{
	struct dentry *dir = vcm_iova_debugfs_dir();

	debugfs_create_file("totals", 0400, dir, NULL, &vcm_totals_fops);
	debugfs_create_file("buffers", 0400, dir, NULL, &vcm_buffers_fops);
	debugfs_create_file("pool", 0400, dir, NULL, &vcm_pool_fops);
	debugfs_create_file_unsafe("pool_drain", 0200, dir, NULL,
				   &vcm_pool_drain_fops);
}
