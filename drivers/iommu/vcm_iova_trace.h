/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of placement and linking. All addresses are IOVAs.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vcm_iova

#if !defined(_VCM_IOVA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VCM_IOVA_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#include "vcm-device.h"

TRACE_EVENT(vcm_iova_reserve,
	TP_PROTO(const struct vcm_iova_mapping *map),
	TP_ARGS(map),
	TP_STRUCT__entry(
		__string(dev, dev_name(map->vdev->dev))
		__field(u64, iova)
		__field(size_t, len)
		__field(u64, align)
		__field(u64, guard)
		__field(bool, own)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->iova = map->iova;
		__entry->len = map->len;
		__entry->align = map->align;
		__entry->guard = map->guard;
		__entry->own = !map->range;
	),
	TP_printk("dev=%s iova=0x%llx length=%zu align=%llu guard=%llu alone=%d",
		  __get_str(dev), __entry->iova, __entry->len, __entry->align,
		  __entry->guard, __entry->own)
);

TRACE_EVENT(vcm_iova_link,
	TP_PROTO(const struct vcm_iova_mapping *map),
	TP_ARGS(map),
	TP_STRUCT__entry(
		__string(dev, dev_name(map->vdev->dev))
		__field(u64, iova)
		__field(size_t, len)
		__field(unsigned int, runs)
		__field(unsigned int, segs)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->iova = map->iova;
		__entry->len = map->len;
		__entry->runs = map->nr_runs;
		__entry->segs = map->segs;
	),
	TP_printk("dev=%s iova=0x%llx length=%zu runs=%u segs=%u",
		  __get_str(dev), __entry->iova, __entry->len, __entry->runs,
		  __entry->segs)
);

TRACE_EVENT(vcm_iova_unlink,
	TP_PROTO(const struct vcm_iova_mapping *map),
	TP_ARGS(map),
	TP_STRUCT__entry(
		__string(dev, dev_name(map->vdev->dev))
		__field(u64, iova)
		__field(size_t, len)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->iova = map->iova;
		__entry->len = map->len;
	),
	TP_printk("dev=%s iova=0x%llx length=%zu", __get_str(dev),
		  __entry->iova, __entry->len)
);

#endif /* _VCM_IOVA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vcm_iova_trace
#include <trace/define_trace.h>
