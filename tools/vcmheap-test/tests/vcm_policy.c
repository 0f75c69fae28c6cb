// SPDX-License-Identifier: MIT

#include <glob.h>
#include <poll.h>

#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Where vcm heap buffers are in the addresses of devices behind an IOMMU.");

/* A chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

/* What a device moves to tell memory from memory. */
#define TAG 8u

/* A device that imports buffers */
struct target {
	int importer;			/* its file descriptor */
	char name[VCM_DEVICE_NAME_LEN];	/* of the device behind it */
	unsigned int bits;		/* width of its addresses */
};

static void target_open(struct target *target, unsigned int index)
{
	struct vcm_edu_info info = {};

	target->importer = vcm_importer_open(index);
	igt_assert_eq(__vcm_importer_info(target->importer, &info), 0);
	target->bits = info.dma_bits;
	vcm_importer_name(index, target->name);
}

/* Lets go of what a subtest that failed has left imported. */
static void target_reopen(struct target *target, unsigned int index)
{
	close(target->importer);
	target_open(target, index);
}

/* --- Imports ----------------------------------------------------------- */

static bool is_aligned(uint64_t value, uint64_t align)
{
	return !(value & (align - 1));
}

/* What holds for every import behind an IOMMU. */
static void assert_placed(const struct target *target, const struct vcm_edu_import *import)
{
	igt_assert_eq(import->nents, 1);
	igt_assert_neq_u64(import->iova, VCM_EDU_IOVA_NONE);
	igt_assert_eq_u64((import->iova + import->length - 1) >> (target->bits - 1) >> 1, 0);
}

static void import(const struct target *target, int dmabuf, struct vcm_edu_import *import)
{
	int ret = __vcm_importer_import(target->importer, dmabuf, import);

	igt_assert_f(!ret, "import: %s\n", strerror(-ret));
	assert_placed(target, import);
}

static void release(const struct target *target, const struct vcm_edu_import *import)
{
	vcm_importer_release(target->importer, import->handle);
}

/* Imports @dmabuf until that fails; returns how many times it did not. */
static unsigned int import_until_full(const struct target *target, int dmabuf,
				      struct vcm_edu_import *imports, unsigned int max)
{
	unsigned int n;
	int ret = 0;

	for (n = 0; n < max; n++) {
		ret = __vcm_importer_import(target->importer, dmabuf, &imports[n]);
		if (ret)
			break;
		assert_placed(target, &imports[n]);
	}
	igt_assert_eq(ret, -ENOSPC);
	return n;
}

static void release_all(const struct target *target, const struct vcm_edu_import *imports,
			unsigned int n)
{
	while (n--)
		release(target, &imports[n]);
}

/* The device is only known while a buffer is attached to it. */
static void assert_forgotten(const struct target *target)
{
	static struct vcm_iova_device device;

	igt_assert_f(!__vcm_iova_read(target->name, &device),
		     "%s has %llu slabs and %u mappings left\n", target->name,
		     (unsigned long long)device.slabs, device.mappings);
}

static uint64_t used(const struct target *target)
{
	static struct vcm_iova_device device;

	vcm_iova_read(target->name, &device);
	return device.used;
}

static int by_iova(const void *a, const void *b)
{
	const struct vcm_edu_import *one = a, *two = b;

	return one->iova < two->iova ? -1 : one->iova > two->iova;
}

/* --- What the device sees ---------------------------------------------- */

/* A page through which the CPU sees the device's RAM */
struct desk {
	const struct target *target;	/* the device */
	int dmabuf;			/* the page */
	struct vcm_edu_import import;	/* ... as the device has it */
	uint64_t *words;		/* ... as the CPU has it */
};

static void desk_init(struct desk *desk, int dev, const struct target *target)
{
	desk->target = target;
	desk->dmabuf = vcm_dev_alloc_policy(dev, vcm_page_size(), 0, 0, 0);
	desk->words = vcm_buffer_map(desk->dmabuf);
	import(target, desk->dmabuf, &desk->import);
}

static void desk_fini(struct desk *desk)
{
	release(desk->target, &desk->import);
	vcm_buffer_unmap(desk->words, vcm_page_size());
	close(desk->dmabuf);
}

/* Puts the first @n words of the page into the device's RAM. */
static void desk_load(struct desk *desk, unsigned int n)
{
	vcm_importer_read(desk->target->importer, desk->import.handle, 0, n * TAG);
}

/* ... and gets them back. */
static void desk_store(struct desk *desk, unsigned int n)
{
	vcm_importer_write(desk->target->importer, desk->import.handle, 0, n * TAG);
}

/* The device moves word number @n of its RAM from or to any address. */
static void probe(const struct target *target, uint32_t dir, uint64_t iova, unsigned int n)
{
	vcm_importer_probe(target->importer, dir, iova, TAG, n * TAG);
}

/* The device has to see at each offset what the CPU sees there. */
static void assert_sees(struct desk *desk, const struct vcm_edu_import *import, int dmabuf,
			const uint64_t *offset, unsigned int n)
{
	const char *ptr = vcm_buffer_map(dmabuf);
	unsigned int i;

	for (i = 0; i < n; i++)
		igt_assert_eq(__vcm_importer_dma(desk->target->importer, import->handle,
						 VCM_EDU_TO_DEVICE, offset[i], TAG, i * TAG), 0);
	desk_store(desk, n);
	for (i = 0; i < n; i++)
		igt_assert_f(!memcmp(&desk->words[i], ptr + offset[i], TAG),
			     "the device sees something else at %#llx\n",
			     (unsigned long long)offset[i]);
	vcm_buffer_unmap((void *)ptr, vcm_buffer_size(dmabuf));
}

/* --- Alignment --------------------------------------------------------- */

/*
 * What the buffer is aligned to at least: as its largest chunk, but that 2 MiB
 * may count as a pair of 1 MiB where the buffer ends between two of them.
 */
static uint64_t default_align(const struct dma_heap_vcm_query *query)
{
	uint64_t largest = query->out_chunks[0].size;

	if (largest > MIB(1) && !is_aligned(query->out_length, largest))
		return MIB(1);
	return largest;
}

static void assert_aligned(int dev, const struct target *target, uint64_t len, uint64_t align)
{
	int dmabuf = vcm_dev_alloc_policy(dev, len, align, 0, 0);
	static struct vcm_iova_device device;
	const struct vcm_iova_mapping *mapping;
	struct dma_heap_vcm_query query;
	struct vcm_edu_import it;

	vcm_dev_query(dev, dmabuf, &query);
	import(target, dmabuf, &it);
	vcm_iova_read(target->name, &device);
	mapping = vcm_iova_find(&device, it.iova);
	igt_assert_eq_u64(mapping->length, len);
	igt_assert_eq(mapping->segs, 1);
	igt_assert_lte_u64(align ?: default_align(&query), mapping->align);
	igt_assert_f(is_aligned(it.iova, mapping->align), "%#llx is not aligned\n",
		     (unsigned long long)it.iova);
	release(target, &it);
	close(dmabuf);
}

/* Beside a buffer that takes the first place, which is aligned to everything. */
static void test_align(int dev, const struct target *targets, uint64_t len, uint64_t align)
{
	int odd = vcm_dev_alloc_policy(dev, vcm_page_size(), 0, 0, 0);
	struct vcm_edu_import first;
	int i;

	for (i = 0; i < 2; i++) {
		import(&targets[i], odd, &first);
		assert_aligned(dev, &targets[i], len, align);
		release(&targets[i], &first);
		assert_forgotten(&targets[i]);
	}
}

/* What a policy may take of a device's addresses beyond the buffer. */
static uint64_t largest_extra(const struct target *target)
{
	uint64_t part = 1ull << (target->bits - 4);

	return part < MIB(1024) ? part : MIB(1024);
}

static void assert_out_of_reach(int dev, const struct target *target, uint64_t align,
				uint64_t guard, uint32_t flags)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, align, guard, flags);
	struct vcm_totals before;
	struct vcm_edu_import it;

	vcm_totals_read(&before);
	igt_assert_eq(__vcm_importer_import(target->importer, dmabuf, &it), -ENOSPC);
	vcm_totals_assert_back(&before);
	assert_forgotten(target);
	close(dmabuf);
}

static void test_align_largest(int dev, const struct target *target)
{
	uint64_t extra = largest_extra(target);
	static struct vcm_iova_device device;
	struct vcm_edu_import it;
	int dmabuf;

	assert_aligned(dev, target, KIB(4), extra);
	assert_out_of_reach(dev, target, 2 * extra, 0, 0);

	dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, extra, 0);
	import(target, dmabuf, &it);
	vcm_iova_read(target->name, &device);
	igt_assert_eq_u64(vcm_iova_find(&device, it.iova)->guard, extra);
	if (device.slab_size)
		igt_assert_lte_u64(device.slabs, (MIXED + extra) / device.slab_size + 2);
	else
		igt_assert_eq_u64(device.slabs, 1);
	release(target, &it);
	close(dmabuf);
	assert_out_of_reach(dev, target, 0, extra + vcm_page_size(), 0);
}

static void test_align_length(int dev, const struct target *target)
{
	uint64_t align = 2 * largest_extra(target);

	igt_require_f(align <= MIB(64), "the device has %u bits\n", target->bits);
	assert_aligned(dev, target, align, align);
	assert_aligned(dev, target, align - MIB(1), align);
}

static void test_out_of_reach(int dev, const struct target *target)
{
	uint64_t space = 1ull << target->bits;
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	assert_out_of_reach(dev, target, space, 0, 0);
	assert_out_of_reach(dev, target, info.out_align_max, 0, 0);
	assert_out_of_reach(dev, target, 0, space - vcm_page_size(), 0);
	assert_out_of_reach(dev, target, 0, info.out_guard_max, 0);
	assert_out_of_reach(dev, target, space, 0, DMA_HEAP_VCM_STRICT);
}

/*
 * The first and the last word of the first and the last chunk of each size.
 * Chunks longer than @align count as several.
 */
static unsigned int chunk_edges(const struct vcm_edu_import *import,
				const struct dma_heap_vcm_query *query, uint64_t align,
				uint64_t *offset)
{
	uint64_t start = 0;
	unsigned int n = 0;
	int i;

	for (i = 0; i < DMA_HEAP_VCM_NR_CHUNK_SIZES && query->out_chunks[i].count; i++) {
		uint64_t size = query->out_chunks[i].size;
		uint64_t end = start + size * query->out_chunks[i].count;

		igt_assert_f(is_aligned(import->iova + start, size < align ? size : align),
			     "%#llx is not congruent\n",
			     (unsigned long long)(import->iova + start));
		offset[n++] = start;
		offset[n++] = start + size - TAG;
		if (query->out_chunks[i].count > 1) {
			offset[n++] = end - size;
			offset[n++] = end - TAG;
		}
		start = end;
	}
	return n;
}

static void test_congruent(int dev, const struct target *target)
{
	const uint64_t len = MIB(5) + KIB(128) + 2 * vcm_page_size();
	const uint64_t aligns[] = { 0, DMA_HEAP_VCM_CHUNK_2M };
	uint64_t offset[4 * DMA_HEAP_VCM_NR_CHUNK_SIZES];
	struct dma_heap_vcm_query query;
	struct vcm_edu_import it;
	struct desk desk;
	unsigned int n;
	int i;

	desk_init(&desk, dev, target);
	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		int dmabuf = vcm_dev_alloc_policy(dev, len, aligns[i], 0, 0);

		vcm_buffer_fill(dmabuf, 1);
		import(target, dmabuf, &it);
		vcm_dev_query(dev, dmabuf, &query);
		n = chunk_edges(&it, &query, aligns[i] ?: default_align(&query), offset);
		if (aligns[i])
			assert_sees(&desk, &it, dmabuf, offset, n);
		release(target, &it);
		close(dmabuf);
	}
	desk_fini(&desk);
}

/* --- Packing ----------------------------------------------------------- */

static void test_adjacent_buffers(int dev, const struct target *target)
{
	const uint64_t len = KIB(192), offset[] = { 0, len - TAG };
	struct vcm_edu_import it[4], sorted[4];
	struct desk desk;
	int dmabuf[4], i;

	desk_init(&desk, dev, target);
	for (i = 0; i < 4; i++) {
		dmabuf[i] = vcm_dev_alloc_policy(dev, len, 0, 0, 0);
		vcm_buffer_fill(dmabuf[i], i + 1);
		import(target, dmabuf[i], &it[i]);
	}
	memcpy(sorted, it, sizeof(sorted));
	qsort(sorted, ARRAY_SIZE(sorted), sizeof(*sorted), by_iova);
	for (i = 1; i < 4; i++)
		igt_assert_eq_u64(sorted[i].iova, sorted[i - 1].iova + len);
	for (i = 0; i < 4; i++) {
		assert_sees(&desk, &it[i], dmabuf[i], offset, ARRAY_SIZE(offset));
		release(target, &it[i]);
		close(dmabuf[i]);
	}
	desk_fini(&desk);
}

static void test_no_more_than_needed(int dev, const struct target *target)
{
	const uint64_t page = vcm_page_size();
	const uint64_t lengths[] = { page, 3 * page, KIB(64), MIXED, MIB(33) };
	const uint64_t guards[] = { 0, 1, page, KIB(64) + 1, MIB(1), largest_extra(target) };
	struct vcm_edu_import it;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < ARRAY_SIZE(guards); j++) {
			int dmabuf = vcm_dev_alloc_policy(dev, lengths[i], 0, guards[j], 0);

			import(target, dmabuf, &it);
			igt_assert_eq_u64(used(target), lengths[i] + vcm_page_align(guards[j]));
			release(target, &it);
			close(dmabuf);
		}
	}
	assert_forgotten(target);
}

/*
 * The DMA API alone has room for three at most: it aligns each to 64 MiB. Six fit also where the
 * middle of the space is reserved, for the doorbells of arm64.
 */
static void test_packed(int dev, const struct target *target)
{
	const uint64_t length = MIB(40), offset[] = { 0, length - TAG };
	struct vcm_edu_import it[6];
	struct desk desk;
	int dmabuf[6], i;

	igt_require_f(target->bits == 28, "the device has %u bits\n", target->bits);
	desk_init(&desk, dev, target);
	for (i = 0; i < ARRAY_SIZE(it); i++) {
		dmabuf[i] = vcm_dev_alloc_policy(dev, length, 0, 0, 0);
		vcm_buffer_fill(dmabuf[i], i + 1);
		import(target, dmabuf[i], &it[i]);
	}
	assert_sees(&desk, &it[0], dmabuf[0], offset, ARRAY_SIZE(offset));
	assert_sees(&desk, &it[5], dmabuf[5], offset, ARRAY_SIZE(offset));
	for (i = 0; i < ARRAY_SIZE(it); i++) {
		vcm_buffer_assert_filled(dmabuf[i], i + 1);
		release(target, &it[i]);
		close(dmabuf[i]);
	}
	desk_fini(&desk);
	assert_forgotten(target);
}

/* The addresses that the kernel has to give, but for the first megabyte with page 0 in it. */
static uint64_t space_bytes(const struct target *target)
{
	return (1ull << target->bits) - MIB(1);
}

/* At an alignment that takes nothing away from any of the lengths. */
static void test_packed_length(int dev, const struct target *target, uint64_t len)
{
	int dmabuf = vcm_dev_alloc_policy(dev, len, MIB(1), 0, 0);
	static struct vcm_edu_import it[1024];
	unsigned int n = import_until_full(target, dmabuf, it, ARRAY_SIZE(it));

	igt_info("%u buffers, %llu MiB of %llu\n", n, (unsigned long long)(n * len / MIB(1)),
		 (unsigned long long)(space_bytes(target) / MIB(1)));
	igt_assert_lte_u64(space_bytes(target) * 95 / 100, n * len + len - 1);
	release_all(target, it, n);
	assert_forgotten(target);
}

/* Of each length as many as fit, the longest first or last. */
static void fill_mixed(int dev, const struct target *target, const uint64_t *lengths,
		       unsigned int nr)
{
	static struct vcm_edu_import it[1024];
	uint64_t total = 0;
	unsigned int n = 0, i, j;

	for (i = 0; i < nr; i++) {
		int dmabuf = vcm_dev_alloc_policy(dev, lengths[i], MIB(1), 0, 0);
		unsigned int more = 0;

		/* Two of each, and of the last as many as there is room for. */
		if (i == nr - 1)
			more = import_until_full(target, dmabuf, it + n, ARRAY_SIZE(it) - n);
		else
			for (j = 0; j < 2; j++)
				import(target, dmabuf, &it[n + more++]);
		total += more * lengths[i];
		n += more;
		close(dmabuf);
	}
	igt_info("%u buffers, %llu MiB of %llu\n", n, (unsigned long long)(total / MIB(1)),
		 (unsigned long long)(space_bytes(target) / MIB(1)));
	igt_assert_lte_u64(space_bytes(target) * 95 / 100, total);
	release_all(target, it, n);
	assert_forgotten(target);
}

static void test_packed_mixed(int dev, const struct target *target)
{
	static const uint64_t falling[] = { MIB(33), MIB(17), MIB(5), MIB(3), MIB(1) };
	static const uint64_t rising[] = { MIB(3), MIB(5), MIB(17), MIB(33), MIB(1) };

	fill_mixed(dev, target, falling, ARRAY_SIZE(falling));
	fill_mixed(dev, target, rising, ARRAY_SIZE(rising));
}

static void test_slabs_returned(int dev, const struct target *target)
{
	const uint64_t len = MIB(12);
	int dmabuf = vcm_dev_alloc_policy(dev, len, 0, 0, 0);
	static struct vcm_iova_device device;
	struct vcm_edu_import it[8];
	int i;

	for (i = 0; i < ARRAY_SIZE(it); i++)
		import(target, dmabuf, &it[i]);
	vcm_iova_read(target->name, &device);
	igt_assert_eq(device.mappings, ARRAY_SIZE(it));
	igt_assert_lte_u64(ARRAY_SIZE(it) * len, device.reserved);

	/* What remains is in the middle, where it keeps two slabs beyond its own at most. */
	qsort(it, ARRAY_SIZE(it), sizeof(*it), by_iova);
	for (i = 0; i < ARRAY_SIZE(it); i++)
		if (i != 3)
			release(target, &it[i]);
	vcm_iova_read(target->name, &device);
	igt_assert_eq_u64(device.used, len);
	igt_assert_lte_u64(device.reserved, len + 2 * device.slab_size);

	release(target, &it[3]);
	assert_forgotten(target);
}

/* --- The guard --------------------------------------------------------- */

static void test_guard_distance(int dev, const struct target *target)
{
	const uint64_t guards[] = { KIB(4), KIB(64), MIB(1) };
	struct vcm_edu_import it[9];
	int dmabuf[3], i;

	for (i = 0; i < 3; i++)
		dmabuf[i] = vcm_dev_alloc_policy(dev, KIB(64), 0, guards[i], 0);
	for (i = 0; i < ARRAY_SIZE(it); i++) {
		import(target, dmabuf[i % 3], &it[i]);
		it[i].nents = i % 3;
	}
	qsort(it, ARRAY_SIZE(it), sizeof(*it), by_iova);
	for (i = 1; i < ARRAY_SIZE(it); i++)
		igt_assert_lte_u64(it[i - 1].iova + it[i - 1].length + guards[it[i - 1].nents],
				   it[i].iova);
	release_all(target, it, ARRAY_SIZE(it));
	for (i = 0; i < 3; i++)
		close(dmabuf[i]);
	assert_forgotten(target);
}

/* A buffer with a guard, and one behind that */
struct fence {
	struct desk desk;			/* what the device has in its RAM */
	int dmabuf[2];				/* the buffers */
	struct vcm_edu_import import[2];	/* the imports */
	uint64_t guard;				/* first address of the guard */
	uint64_t last;				/* ... and of its last word */
};

static void fence_init(struct fence *fence, int dev, const struct target *target)
{
	int i;

	vcm_importer_require_probe(target->importer);
	desk_init(&fence->desk, dev, target);
	for (i = 0; i < 2; i++) {
		fence->dmabuf[i] = vcm_dev_alloc_policy(dev, KIB(64), 0, i ? 0 : KIB(64), 0);
		vcm_buffer_fill(fence->dmabuf[i], i + 1);
		import(target, fence->dmabuf[i], &fence->import[i]);
	}
	fence->guard = fence->import[0].iova + KIB(64);
	fence->last = fence->guard + KIB(64) - TAG;
}

static void fence_fini(struct fence *fence)
{
	int i;

	for (i = 0; i < 2; i++) {
		vcm_buffer_assert_filled(fence->dmabuf[i], i + 1);
		release(fence->desk.target, &fence->import[i]);
		close(fence->dmabuf[i]);
	}
	desk_fini(&fence->desk);
}

static void test_guard_read(int dev, const struct target *target)
{
	struct fence fence;
	uint64_t edge;

	fence_init(&fence, dev, target);
	desk_load(&fence.desk, 3);
	probe(target, VCM_EDU_TO_DEVICE, fence.guard, 0);
	probe(target, VCM_EDU_TO_DEVICE, fence.last, 1);
	/* That the device does read in this way: the last word before the guard. */
	probe(target, VCM_EDU_TO_DEVICE, fence.guard - TAG, 2);

	fence.desk.words[0] = ~0ull;
	fence.desk.words[1] = ~0ull;
	desk_store(&fence.desk, 3);
	igt_assert_eq_u64(fence.desk.words[0], 0);
	igt_assert_eq_u64(fence.desk.words[1], 0);

	vcm_importer_kernel_read(target->importer, fence.import[0].handle, KIB(64) - TAG, TAG,
				 &edge);
	igt_assert_eq_u64(fence.desk.words[2], edge);
	fence_fini(&fence);
}

static void test_guard_write(int dev, const struct target *target)
{
	struct fence fence;

	fence_init(&fence, dev, target);
	fence.desk.words[0] = 0x0badc0de0badc0deull;
	desk_load(&fence.desk, 1);
	probe(target, VCM_EDU_FROM_DEVICE, fence.guard, 0);
	probe(target, VCM_EDU_FROM_DEVICE, fence.last, 0);

	/* ... and that it does write: over a word of the page. */
	fence.desk.words[1] = 0;
	probe(target, VCM_EDU_FROM_DEVICE, fence.desk.import.iova + TAG, 0);
	igt_assert_eq_u64(fence.desk.words[1], fence.desk.words[0]);
	fence_fini(&fence);
}

/* What the kernel has logged from now on. */
static int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	igt_require_f(fd >= 0, "no kernel log\n");
	igt_assert(lseek(fd, 0, SEEK_END) >= 0);
	return fd;
}

/* Waits for a line about a fault at @iova, but not for long. */
static bool kmsg_has_fault(int kmsg, uint64_t iova)
{
	struct pollfd pollfd = { .fd = kmsg, .events = POLLIN };
	char line[8192], address[32];
	ssize_t len;

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)iova);
	while (poll(&pollfd, 1, 2000) > 0) {
		len = read(kmsg, line, sizeof(line) - 1);
		if (len < 0)
			continue;
		line[len] = '\0';
		if ((strstr(line, "fault") || strstr(line, "F_TRANSLATION")) &&
		    strstr(line, address))
			return true;
	}
	return false;
}

/* AMD's does not, as it is emulated. A driver may be there without its IOMMU. */
static bool iommu_reports_faults(void)
{
	static const char * const iommus[] = {
		"/sys/class/iommu/dmar*", "/sys/class/iommu/smmu3.*",
		"/sys/bus/virtio/drivers/virtio_iommu/virtio*",
	};
	bool found = false;
	glob_t paths;
	int i;

	for (i = 0; i < ARRAY_SIZE(iommus) && !found; i++) {
		found = !glob(iommus[i], 0, NULL, &paths);
		globfree(&paths);
	}
	return found;
}

/*
 * The log is an extra: its rate is limited to some lines in five seconds, which
 * other faults may have used up.
 */
static void test_guard_reported(int dev, const struct target *target)
{
	bool found = false;
	struct fence fence;
	int kmsg, i;

	igt_require_f(iommu_reports_faults(), "no IOMMU that reports faults\n");
	kmsg = kmsg_open();
	fence_init(&fence, dev, target);
	for (i = 0; i < 4 && !found; i++) {
		if (i)
			sleep(6);
		probe(target, VCM_EDU_TO_DEVICE, fence.guard, 0);
		found = kmsg_has_fault(kmsg, fence.guard);
	}
	igt_assert_f(found, "no fault reported\n");
	fence_fini(&fence);
}

static void test_released(int dev, const struct target *target)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(64), 0, 0, 0);
	struct vcm_edu_import it;
	struct desk desk;

	vcm_importer_require_probe(target->importer);
	vcm_buffer_fill(dmabuf, 1);
	desk_init(&desk, dev, target);
	import(target, dmabuf, &it);
	probe(target, VCM_EDU_TO_DEVICE, it.iova, 0);
	release(target, &it);
	probe(target, VCM_EDU_TO_DEVICE, it.iova, 1);
	probe(target, VCM_EDU_FROM_DEVICE, it.iova + TAG, 0);

	desk.words[1] = ~0ull;
	desk_store(&desk, 2);
	vcm_assert_filled(&desk.words[0], TAG, 1);
	igt_assert_eq_u64(desk.words[1], 0);
	desk_fini(&desk);
	vcm_buffer_assert_filled(dmabuf, 1);
	close(dmabuf);
}

/* --- Policies together ------------------------------------------------- */

static void test_strict(int dev, const struct target *target)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, MIB(16), KIB(64), DMA_HEAP_VCM_STRICT);
	static struct vcm_iova_device device;
	struct dma_heap_vcm_query query;
	struct vcm_edu_import it;

	import(target, dmabuf, &it);
	igt_assert(is_aligned(it.iova, MIB(16)));
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_nr_mapped, 1);
	igt_assert_eq(query.out_nr_degraded, 0);
	vcm_iova_read(target->name, &device);
	igt_assert(device.translated);
	igt_assert(device.linked);
	igt_assert_eq_u64(device.degraded, 0);
	igt_assert_eq_u64(device.refused, 0);
	igt_assert(!vcm_iova_find(&device, it.iova)->degraded);
	release(target, &it);
}

static void test_policies(int dev, const struct target *target)
{
	static const struct {
		uint64_t len, align, guard;
	} policies[] = {
		{ KIB(4), MIB(16), 0 },
		{ MIB(5), KIB(64), KIB(4) },
		{ KIB(68), MIB(2), MIB(1) },
		{ MIB(20), 0, KIB(64) },
		{ KIB(4), 0, 0 },
	};
	struct vcm_edu_import it[ARRAY_SIZE(policies)];
	static struct vcm_iova_device device;
	uint64_t total = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		int dmabuf = vcm_dev_alloc_policy(dev, policies[i].len, policies[i].align,
						  policies[i].guard, 0);

		import(target, dmabuf, &it[i]);
		close(dmabuf);
		total += policies[i].len + policies[i].guard;
	}
	vcm_iova_read(target->name, &device);
	igt_assert_eq(device.mappings, ARRAY_SIZE(policies));
	igt_assert_eq_u64(device.used, total);
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		const struct vcm_iova_mapping *mapping = vcm_iova_find(&device, it[i].iova);

		igt_assert(is_aligned(it[i].iova, policies[i].align ?: vcm_page_size()));
		igt_assert_eq_u64(mapping->length, policies[i].len);
		igt_assert_eq_u64(mapping->guard, policies[i].guard);
	}
	release_all(target, it, ARRAY_SIZE(it));
	assert_forgotten(target);
}

static void test_two_devices(int dev, const struct target *targets)
{
	const uint64_t offset[] = { 0, MIB(2), MIXED - TAG };
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, MIB(16), 0, 0);
	struct dma_heap_vcm_query query;
	struct vcm_edu_import it[2];
	struct desk desk;
	int i;

	igt_require_f(targets[0].bits != targets[1].bits, "the devices are alike\n");
	vcm_buffer_fill(dmabuf, 1);
	for (i = 0; i < 2; i++) {
		import(&targets[i], dmabuf, &it[i]);
		igt_assert(is_aligned(it[i].iova, MIB(16)));
	}
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_nr_attachments, 2);
	igt_assert_eq(query.out_nr_mapped, 2);
	igt_assert_eq(query.out_nr_degraded, 0);
	for (i = 0; i < 2; i++) {
		desk_init(&desk, dev, &targets[i]);
		assert_sees(&desk, &it[i], dmabuf, offset, ARRAY_SIZE(offset));
		desk_fini(&desk);
	}
	for (i = 0; i < 2; i++) {
		release(&targets[i], &it[i]);
		assert_forgotten(&targets[i]);
	}
}

/* The first device has it mapped, and the second one does not yet. */
static void test_query_attachments(int dev, const struct target *targets)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(34), MIB(1), KIB(64), 0);
	struct dma_heap_vcm_attachment list[3] = {};
	struct dma_heap_vcm_query query;
	static struct vcm_iova_device device;
	struct vcm_edu_import it[2];
	uint64_t largest;
	char *text;
	int i;

	for (i = 0; i < 2; i++)
		import(&targets[i], dmabuf, &it[i]);
	query = (struct dma_heap_vcm_query){
		.size = sizeof(query),
		.fd = dmabuf,
		.attachments = (uintptr_t)list,
		.nr_attachments = ARRAY_SIZE(list),
	};
	igt_assert_eq(vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query), 0);
	largest = query.out_chunks[0].size;
	igt_assert_eq_u64(query.out_align, MIB(1));
	igt_assert_eq(query.out_nr_attachments, 2);
	igt_assert_eq(query.nr_attachments, 2);
	for (i = 0; i < 2; i++) {
		igt_assert_eq(list[i].flags, DMA_HEAP_VCM_MAPPED);
		igt_assert_eq(list[i].nr_segs, 1);
		igt_assert_eq_u64(list[i].align, largest > MIB(1) ? largest : MIB(1));
		igt_assert_eq_u64(list[i].guard, KIB(64));
		igt_assert(is_aligned(it[i].iova, list[i].align));
		vcm_iova_read(targets[i].name, &device);
		igt_assert_eq_u64(vcm_iova_find(&device, it[i].iova)->align, list[i].align);
	}
	igt_assert_eq(list[2].flags, 0);
	text = vcm_debugfs_read("buffers");
	igt_assert(strstr(text, largest > MIB(1) ? " align=2097152 guard=65536]" :
						   " align=1048576 guard=65536]"));
	free(text);

	release(&targets[0], &it[0]);
	query.nr_attachments = 1;
	memset(list, 0, sizeof(list));
	igt_assert_eq(vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query), 0);
	igt_assert_eq(query.nr_attachments, 1);
	igt_assert_eq_u64(list[0].guard, KIB(64));
	release(&targets[1], &it[1]);
}

/* --- The default policy ------------------------------------------------ */

/* 0 or a negative errno */
static int parameter_write(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), VCM_PARAMETERS "%s", name);
	return vcm_file_write(path, value);
}

static void default_policy_write(const char *align, const char *guard, const char *strict)
{
	igt_assert_eq(parameter_write("align", align), 0);
	igt_assert_eq(parameter_write("guard", guard), 0);
	igt_assert_eq(parameter_write("strict", strict), 0);
}

static void assert_default_policy(int dev, uint64_t align, uint64_t guard, uint32_t flags)
{
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	igt_assert_eq_u64(info.out_align, align);
	igt_assert_eq_u64(info.out_guard, guard);
	igt_assert_eq(info.out_flags, flags);
}

static void test_default_policy(int dev, const struct target *target)
{
	int heap = vcm_heap_open(), before = vcm_heap_alloc(heap, MIB(1)), after;
	static struct vcm_iova_device device;
	struct dma_heap_vcm_query query;
	struct vcm_edu_import it;

	assert_default_policy(dev, 0, 0, 0);
	default_policy_write("0x400000", "65536", "Y");
	assert_default_policy(dev, MIB(4), KIB(64), DMA_HEAP_VCM_STRICT);
	after = vcm_heap_alloc(heap, MIB(1));
	vcm_dev_query(dev, before, &query);
	igt_assert_eq_u64(query.out_align, 0);
	vcm_dev_query(dev, after, &query);
	igt_assert_eq_u64(query.out_align, MIB(4));
	igt_assert_eq_u64(query.out_guard, KIB(64));
	igt_assert_eq(query.out_flags, DMA_HEAP_VCM_STRICT);
	import(target, after, &it);
	vcm_iova_read(target->name, &device);
	igt_assert_eq_u64(vcm_iova_find(&device, it.iova)->align, MIB(4));
	igt_assert_eq_u64(vcm_iova_find(&device, it.iova)->guard, KIB(64));
	release(target, &it);
	close(after);
	close(before);
	close(heap);
	default_policy_write("0", "0", "0");
	assert_default_policy(dev, 0, 0, 0);
}

static void test_default_policy_refused(int dev, const struct target *target)
{
	static const struct {
		const char *name, *value;
		int error;
	} bad[] = {
		{ "align", "3", -EDOM },
		{ "align", "2048", -EDOM },
		{ "align", "0x400000000000000", -EDOM },
		{ "align", "2M", -EINVAL },
		{ "align", "\n", -EINVAL },
		{ "guard", "0x200000000000001", -ERANGE },
		{ "guard", "-1", -EINVAL },
		{ "strict", "perhaps", -EINVAL },
	};
	int i;

	default_policy_write("8192", "4096", "1");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		igt_assert_eq(parameter_write(bad[i].name, bad[i].value), bad[i].error);
		assert_default_policy(dev, KIB(8), KIB(4), DMA_HEAP_VCM_STRICT);
	}
	default_policy_write("0", "0", "N");
	assert_default_policy(dev, 0, 0, 0);
}

/* --- A full address space ---------------------------------------------- */

static void test_exhaust(int dev, const struct target *target)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(16), 0, 0, 0);
	static struct vcm_edu_import it[1024];
	static struct vcm_iova_device before, after;
	struct vcm_totals totals;
	struct vcm_edu_import more;
	unsigned int n, i;

	n = import_until_full(target, dmabuf, it, ARRAY_SIZE(it));
	vcm_totals_read(&totals);
	vcm_iova_read(target->name, &before);
	for (i = 0; i < 5; i++)
		igt_assert_eq(__vcm_importer_import(target->importer, dmabuf, &more), -ENOSPC);
	vcm_totals_assert_back(&totals);
	vcm_iova_read(target->name, &after);
	igt_assert(!memcmp(&before, &after, sizeof(before)));

	/* There is room for one as soon as one has gone, whichever it is. */
	for (i = 0; i < n; i += 5) {
		release(target, &it[i]);
		import(target, dmabuf, &it[i]);
	}
	release_all(target, it, n);
	assert_forgotten(target);

	igt_assert_eq(import_until_full(target, dmabuf, it, ARRAY_SIZE(it)), n);
	release_all(target, it, n);
	assert_forgotten(target);
}

/* Another heap's buffers come to their addresses without the policy. */
static void test_exhaust_system(int dev, const struct target *target)
{
	int small = vcm_dev_alloc_policy(dev, MIB(4), 0, 0, 0);
	static struct vcm_edu_import it[1024];
	int system = __vcm_heap_open("system");
	struct vcm_edu_import other;
	unsigned int n;
	int large;

	igt_require_f(system >= 0, "no heap \"system\"\n");
	large = vcm_heap_alloc(system, 1ull << (target->bits - 2));
	n = import_until_full(target, small, it, ARRAY_SIZE(it));
	igt_assert(__vcm_importer_import(target->importer, large, &other));
	release_all(target, it, n);
	assert_forgotten(target);
	import(target, large, &other);
	release(target, &other);
}

/* Fills the address space with pieces of 4 MiB, sorted by address. */
static unsigned int fill(int dev, const struct target *target, struct vcm_edu_import *it,
			 unsigned int max)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(4), 0, 0, 0);
	unsigned int n = 0, more;

	/* What others have unmapped waits in the flush queue for up to 10 ms. */
	do {
		more = import_until_full(target, dmabuf, it + n, max - n);
		n += more;
		usleep(30000);
	} while (more);
	close(dmabuf);
	igt_assert_lte(32, n);
	qsort(it, n, sizeof(*it), by_iova);
	return n;
}

static void test_hole(int dev, const struct target *target)
{
	int large = vcm_dev_alloc_policy(dev, MIB(32), 0, 0, 0);
	static struct vcm_edu_import it[1024];
	unsigned int n = fill(dev, target, it, ARRAY_SIZE(it)), i;
	struct vcm_edu_import hole;

	for (i = 12; i < 20; i++) {
		igt_assert_eq(__vcm_importer_import(target->importer, large, &hole), -ENOSPC);
		release(target, &it[i]);
	}
	import(target, large, &hole);
	igt_assert_eq_u64(hole.iova, it[12].iova);
	release(target, &hole);
	release_all(target, it, 12);
	release_all(target, it + 20, n - 20);
	assert_forgotten(target);
}

static void test_no_hole(int dev, const struct target *target)
{
	int large = vcm_dev_alloc_policy(dev, MIB(12), 0, 0, 0);
	static struct vcm_edu_import it[1024];
	unsigned int n = fill(dev, target, it, ARRAY_SIZE(it)), i;
	struct vcm_edu_import hole;

	/* Half of the space is free, in holes of 4 MiB. */
	for (i = 0; i < n; i += 2)
		release(target, &it[i]);
	igt_assert_eq(__vcm_importer_import(target->importer, large, &hole), -ENOSPC);

	/*
	 * Any buffer that goes joins two of them with its own; in the middle there may be
	 * something reserved.
	 */
	i = n / 8 * 2 + 1;
	release(target, &it[i]);
	import(target, large, &hole);
	igt_assert_eq_u64(hole.iova, it[i - 1].iova);
	release(target, &hole);
	it[i].handle = 0;
	for (i = 1; i < n; i += 2)
		if (it[i].handle)
			release(target, &it[i]);
	assert_forgotten(target);
}

/* So fast that addresses which only come back after a while would run out. */
static void test_thousand_rounds(int dev, const struct target *target)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(64), 0, 0, 0);
	unsigned int i, rounds = vcm_repeats(1000);
	struct vcm_edu_import it;

	for (i = 0; i < rounds; i++) {
		int ret = __vcm_importer_import(target->importer, dmabuf, &it);

		igt_assert_f(!ret, "round %u: %s\n", i, strerror(-ret));
		release(target, &it);
	}
	assert_forgotten(target);
}

/* --- Several processes ------------------------------------------------- */

static void import_in_a_loop(int index, int shared)
{
	static const uint64_t aligns[] = { 0, KIB(64), MIB(1), MIB(2) };
	int dev = __vcm_dev_open(), i;
	struct target target;

	target_open(&target, index & 1);
	for (i = 0; i < 100; i++) {
		uint64_t len = KIB(4) << ((i * 7 + index) % 10);
		uint64_t align = aligns[(i + index) % ARRAY_SIZE(aligns)];
		int dmabuf = vcm_dev_alloc_policy(dev, len, align, KIB(4) * (i % 3), 0);
		struct vcm_edu_import one, two;

		import(&target, dmabuf, &one);
		import(&target, shared, &two);
		igt_assert(is_aligned(one.iova, align ?: KIB(4)));
		igt_assert(one.iova + len <= two.iova || two.iova + two.length <= one.iova);
		release(&target, &one);
		release(&target, &two);
		close(dmabuf);
	}
	close(target.importer);
	close(dev);
}

static void test_parallel(int dev, const struct target *targets)
{
	int shared = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
	int i;

	igt_fork(child, 4)
		import_in_a_loop(child, shared);
	igt_waitchildren();

	for (i = 0; i < 2; i++)
		assert_forgotten(&targets[i]);
}

/* --- The subtests ------------------------------------------------------ */

static const struct {
	const char *name;
	uint64_t bytes;
} lengths[] = {
	{ "4k", KIB(4) },
	{ "64k", KIB(64) },
	{ "1m", MIB(1) },
	{ "2m", MIB(2) },
	{ "16m", MIB(16) },
	{ "64m", MIB(64) },
}, aligns[] = {
	{ "default", 0 },
	{ "64k", KIB(64) },
	{ "1m", MIB(1) },
	{ "2m", MIB(2) },
	{ "16m", MIB(16) },
}, packs[] = {
	{ "1m", MIB(1) },
	{ "3m", MIB(3) },
	{ "5m", MIB(5) },
	{ "7m", MIB(7) },
	{ "9m", MIB(9) },
	{ "17m", MIB(17) },
};

/* What takes the targets as an array takes the first of them as a pointer. */
static const struct {
	const char *name;
	void (*run)(int dev, const struct target *target);
	const char *description;
} subtests[] = {
	{ "align-length", test_align_length,
	  "A larger alignment is possible for a buffer that is as large" },
	{ "align-largest", test_align_largest,
	  "An alignment, or a guard, of a 16th of the address space is possible, and no larger" },
	{ "align-out-of-reach", test_out_of_reach,
	  "What cannot be in a device's address space is refused and leaves nothing" },
	{ "congruent", test_congruent,
	  "Every chunk is aligned to its size, and its edges are the right memory" },
	{ "adjacent-buffers", test_adjacent_buffers,
	  "Buffers side by side in the address space are different memory" },
	{ "no-more-than-needed", test_no_more_than_needed,
	  "A buffer takes its length and its guard of the address space, no more" },
	{ "packed", test_packed,
	  "A device of 28 bits has six buffers of 40 MiB mapped at once" },
	{ "packed-mixed", test_packed_mixed,
	  "Buffers of many sizes fill the address space, however they come" },
	{ "slabs-returned", test_slabs_returned,
	  "Addresses go back to the kernel with the buffers that were there" },
	{ "guard-keeps-distance", test_guard_distance,
	  "No buffer is nearer behind another than its guard" },
	/* First of those with faults: the log has its rate limited. */
	{ "guard-reported", test_guard_reported,
	  "The IOMMU reports a device that reads from the guard" },
	{ "guard-read", test_guard_read,
	  "A device reads nothing from the guard" },
	{ "guard-write", test_guard_write,
	  "What a device writes to the guard is nowhere" },
	{ "released", test_released,
	  "A device reads nothing where a released buffer was" },
	{ "strict", test_strict,
	  "Behind an IOMMU a strict policy holds and nothing is degraded" },
	{ "policies", test_policies,
	  "Buffers of different policies keep theirs side by side" },
	{ "two-devices", test_two_devices,
	  "Two devices map one buffer, each at an aligned address that it can reach" },
	{ "query-attachments", test_query_attachments,
	  "A query tells for each device what its mapping is aligned to" },
	{ "default-policy", test_default_policy,
	  "Root changes the default policy, for buffers allocated afterwards" },
	{ "default-policy-refused", test_default_policy_refused,
	  "A default policy that cannot be is refused and changes nothing" },
	{ "exhaust", test_exhaust,
	  "A full address space is an error that leaves nothing behind" },
	{ "exhaust-then-system", test_exhaust_system,
	  "After all buffers the address space is there for other drivers" },
	{ "hole", test_hole,
	  "A large buffer goes into a hole that takes it" },
	{ "no-hole", test_no_hole,
	  "A large buffer is refused where only small holes are, until they join" },
	{ "thousand-rounds", test_thousand_rounds,
	  "Mapping and unmapping 64 MiB a thousand times never fails" },
	{ "parallel", test_parallel,
	  "Processes that map for two devices at once do not disturb each other" },
};

static const struct target *fresh(struct target *targets)
{
	int i;

	for (i = 0; i < 2; i++) {
		target_reopen(&targets[i], i);
		assert_forgotten(&targets[i]);
	}
	return targets;
}

static void parameter_subtests(int dev, struct target *targets)
{
	static int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < ARRAY_SIZE(aligns); j++)
			vcm_subtest_f(test_align(dev, fresh(targets), lengths[i].bytes,
						 aligns[j].bytes),
				      "A buffer is one segment, aligned as asked for",
				      "align-%s-%s", lengths[i].name, aligns[j].name);
	}

	for (i = 0; i < ARRAY_SIZE(packs); i++)
		vcm_subtest_f(test_packed_length(dev, fresh(targets), packs[i].bytes),
			      "Buffers fill the address space but for what is too short for one",
			      "packed-%s", packs[i].name);
}

int igt_main()
{
	static struct target targets[2];
	static struct vcm_totals before;
	static int dev, i;

	igt_fixture() {
		dev = vcm_dev_open();
		for (i = 0; i < 2; i++) {
			target_open(&targets[i], i);
			vcm_importer_require_translation(targets[i].importer);
		}
		vcm_require_debugfs();
		vcm_compact_memory();
		vcm_totals_read(&before);
	}

	parameter_subtests(dev, targets);

	for (i = 0; i < ARRAY_SIZE(subtests); i++)
		vcm_subtest(subtests[i].name, subtests[i].run(dev, fresh(targets)),
			    subtests[i].description);

	igt_fixture() {
		vcm_totals_assert_back(&before);
		for (i = 0; i < 2; i++)
			close(targets[i].importer);
		close(dev);
	}
}
