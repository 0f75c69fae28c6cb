/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of the vcm heap. None of them shows a physical address.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vcm_heap

#if !defined(_VCM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VCM_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#include "vcm_buffer.h"

TRACE_EVENT(vcm_heap_alloc,
	TP_PROTO(const struct vcm_buffer *buffer, u64 ns),
	TP_ARGS(buffer, ns),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(size_t, len)
		__field(unsigned long, nr_2m)
		__field(unsigned long, nr_1m)
		__field(unsigned long, nr_64k)
		__field(unsigned long, nr_page)
		__field(unsigned long, runs)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->ino = buffer->ino;
		__entry->len = buffer->len;
		__entry->nr_2m = buffer->chunks.nr_of[VCM_CHUNK_2M];
		__entry->nr_1m = buffer->chunks.nr_of[VCM_CHUNK_1M];
		__entry->nr_64k = buffer->chunks.nr_of[VCM_CHUNK_64K];
		__entry->nr_page = buffer->chunks.nr_of[VCM_CHUNK_PAGE];
		__entry->runs = buffer->chunks.memory.nr_runs;
		__entry->ns = ns;
	),
	TP_printk("ino=%lu length=%zu 2M=%lu 1M=%lu 64K=%lu page=%lu runs=%lu ns=%llu",
		  __entry->ino, __entry->len, __entry->nr_2m, __entry->nr_1m,
		  __entry->nr_64k, __entry->nr_page, __entry->runs,
		  __entry->ns)
);

TRACE_EVENT(vcm_heap_release,
	TP_PROTO(const struct vcm_buffer *buffer),
	TP_ARGS(buffer),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(size_t, len)
	),
	TP_fast_assign(
		__entry->ino = buffer->ino;
		__entry->len = buffer->len;
	),
	TP_printk("ino=%lu length=%zu", __entry->ino, __entry->len)
);

DECLARE_EVENT_CLASS(vcm_heap_mapping,
	TP_PROTO(const struct vcm_buffer *buffer, const struct vcm_attachment *a),
	TP_ARGS(buffer, a),
	TP_STRUCT__entry(
		__string(dev, dev_name(a->dev))
		__field(unsigned long, ino)
		__field(size_t, len)
		__field(u64, iova)
		__field(unsigned int, segs)
		__field(bool, translated)
		__field(bool, degraded)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->ino = buffer->ino;
		__entry->len = buffer->len;
		__entry->translated = a->map.translated;
		__entry->iova = __entry->translated ? a->map.iova : 0;
		__entry->segs = a->map.segs;
		__entry->degraded = a->map.degraded;
	),
	TP_printk("ino=%lu dev=%s iova=%s%llx length=%zu segs=%u degraded=%d",
		  __entry->ino, __get_str(dev),
		  __entry->translated ? "0x" : "none:",
		  __entry->iova, __entry->len,
		  __entry->segs, __entry->degraded)
);

DEFINE_EVENT(vcm_heap_mapping, vcm_heap_map,
	TP_PROTO(const struct vcm_buffer *buffer, const struct vcm_attachment *a),
	TP_ARGS(buffer, a)
);

DEFINE_EVENT(vcm_heap_mapping, vcm_heap_unmap,
	TP_PROTO(const struct vcm_buffer *buffer, const struct vcm_attachment *a),
	TP_ARGS(buffer, a)
);

#endif /* _VCM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vcm_trace
#include <trace/define_trace.h>
