// SPDX-License-Identifier: GPL-2.0
/*
 * The importer's table
 *
 * An exporter has a list of its runs of memory. They are cut here, once, into segments
 * that the device takes; the same limits cut the range of IOVAs, once there is one,
 * into the DMA segments of the same table.
 *
 * A table of few entries is in the mapping itself.
 */

#include <linux/align.h>
#include <linux/dma-mapping.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

#include "vcm-table.h"

/* --- Limits of a device ------------------------------------------------ */

static void vcm_limits_get(struct vcm_iova_mapping *map)
{
	struct device *dev = map->vdev->dev;

	map->max_seg_size = dma_get_max_seg_size(dev);
	map->limits.boundary = dma_get_seg_boundary(dev);
	map->limits.max = map->max_seg_size;
	/* Whole pages are what an IOMMU maps without padding. */
	if (map->limits.max > PAGE_SIZE)
		map->limits.max = ALIGN_DOWN(map->limits.max, PAGE_SIZE);
}

/* Cut @len bytes at @addr at the device's boundary. */
static size_t vcm_limits_cut(const struct vcm_iova_limits *limits, u64 addr,
			     size_t len)
{
	u64 last = limits->boundary - (addr & limits->boundary);

	return min_t(u64, len - 1, last) + 1;
}

/* --- Segments of memory ------------------------------------------------ */

/*
 * How much of the @len bytes at @phys, which are at @offset in the buffer, can
 * be the next segment. Without an IOMMU the DMA address decides, which agrees
 * with the physical one in the bits below any sane boundary. With one, the
 * buffer's first address is a multiple of the boundary if the buffer is longer
 * than that, and the offset decides.
 */
static size_t vcm_seg_len(const struct vcm_iova_limits *limits,
			  phys_addr_t phys, u64 offset, size_t len)
{
	len = min(len, limits->max);
	len = vcm_limits_cut(limits, phys, len);
	return vcm_limits_cut(limits, offset, len);
}

/* Cut the run of @len bytes into segments, into the list at *@sg if there is one. */
static unsigned long vcm_run_cut(const struct vcm_iova_limits *limits,
				 phys_addr_t phys, u64 offset, size_t len,
				 struct scatterlist **sg)
{
	unsigned long nents = 0;

	while (len) {
		size_t part = vcm_seg_len(limits, phys, offset, len);

		if (*sg) {
			sg_set_page(*sg, phys_to_page(phys), part,
				    offset_in_page(phys));
			*sg = sg_next(*sg);
		}
		phys += part;
		offset += part;
		len -= part;
		nents++;
	}
	return nents;
}

/* All runs, into as many entries as there are at @sg. Returns how many it takes. */
static unsigned long vcm_runs_cut(const struct vcm_iova_mapping *map,
				  struct scatterlist *sg)
{
	const struct vcm_iova_run *run = map->runs;
	unsigned long nr = map->nr_runs, nents = 0;
	u64 offset = 0;

	for (; nr; nr--, run++) {
		nents += vcm_run_cut(&map->limits, run->phys, offset, run->len,
				     &sg);
		offset += run->len;
	}
	return nents;
}

/* A single run, in a single segment */
static bool vcm_table_is_one(const struct vcm_iova_mapping *map)
{
	return map->nr_runs == 1 &&
	       vcm_seg_len(&map->limits, map->runs->phys, 0, map->len) ==
	       map->len;
}

static void vcm_table_set_one(struct vcm_iova_mapping *map)
{
	phys_addr_t phys = map->runs->phys;
	struct scatterlist *sg = map->few;

	*sg = (struct scatterlist){};
	sg_init_marker(sg, 1);
	sg_set_page(sg, phys_to_page(phys), map->len, offset_in_page(phys));
	map->table = (struct sg_table){ sg, 1, 1 };
}

static int vcm_table_alloc(struct vcm_iova_mapping *map, unsigned long nents)
{
	if (overflows_type(nents, map->table.nents))
		return -ENOMEM;
	if (nents > ARRAY_SIZE(map->few))
		return sg_alloc_table(&map->table, nents, map->gfp);
	sg_init_table(map->few, nents);
	map->table = (struct sg_table){ map->few, nents, nents };
	return 0;
}

/* As many segments as runs are what it mostly takes. */
static int vcm_table_set_many(struct vcm_iova_mapping *map)
{
	unsigned long room = map->nr_runs, nents;
	int ret;

	ret = vcm_table_alloc(map, room);
	if (ret)
		return ret;
	nents = vcm_runs_cut(map, map->table.sgl);
	if (nents == room)
		return 0;

	vcm_table_free(map);
	ret = vcm_table_alloc(map, nents);
	if (!ret)
		vcm_runs_cut(map, map->table.sgl);
	return ret;
}

/**
 * vcm_table_init - cut a buffer for its device
 * @map: the buffer, with its memory; the table is filled in
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, or -EINVAL for no memory at all.
 */
int vcm_table_init(struct vcm_iova_mapping *map)
{
	if (!map->len)
		return -EINVAL;

	vcm_limits_get(map);
	if (!vcm_table_is_one(map))
		return vcm_table_set_many(map);
	vcm_table_set_one(map);
	return 0;
}

/**
 * vcm_table_cut_again - cut for other limits than before
 * @map: the buffer, not mapped
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM, and the table is as before.
 */
int vcm_table_cut_again(struct vcm_iova_mapping *map)
{
	struct vcm_iova_limits limits = map->limits;
	unsigned int max = map->max_seg_size;
	struct sg_table table = map->table;
	struct scatterlist few[VCM_IOVA_FEW];
	int ret;

	memcpy(few, map->few, sizeof(few));
	ret = vcm_table_init(map);
	if (ret) {
		map->limits = limits;
		map->max_seg_size = max;
		map->table = table;
		memcpy(map->few, few, sizeof(few));
		return ret;
	}
	if (table.sgl != map->few)
		sg_free_table(&table);
	return 0;
}

/* --- Segments of addresses --------------------------------------------- */

/**
 * vcm_table_set_segments - cut a range of IOVAs for the importer
 * @map: the buffer, placed
 *
 * That takes no more segments than the table has: these are as long as the same
 * limits allow, and no longer.
 *
 * Context: Any.
 */
void vcm_table_set_segments(struct vcm_iova_mapping *map)
{
	struct scatterlist *sg = map->table.sgl;
	size_t left = map->len;
	u64 iova = map->iova;
	unsigned int n = 0;

	/* There are no lengths in what remains: some importers look for that. */
	for (; left && sg; sg = sg_next(sg), n++) {
		size_t len = vcm_limits_cut(&map->limits, iova,
					    min(left, map->limits.max));

		sg_dma_address(sg) = iova;
		sg_dma_len(sg) = len;
		iova += len;
		left -= len;
	}
	map->table.nents = n;
	map->segs = n;
}
