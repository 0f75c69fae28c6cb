// SPDX-License-Identifier: MIT

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/udmabuf.h>

#include "igt_vgem.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The requests of /dev/vcm: what they do, and what they refuse how.");

/* A chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

#define ALL_BUT_PAGE (DMA_HEAP_VCM_CHUNK_2M | DMA_HEAP_VCM_CHUNK_1M | DMA_HEAP_VCM_CHUNK_64K)

/* What other users of the machine may take while a test looks at free memory. */
#define FREE_NOISE MIB(48)

static void assert_alloc_refused(int dev, struct dma_heap_vcm_alloc alloc, int error)
{
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_ALLOC, &alloc, error);
	igt_assert_eq(alloc.out_fd, -1);
}

static void assert_query_refused(int dev, int fd, int error)
{
	struct dma_heap_vcm_query query = { .size = sizeof(query), .fd = fd };

	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query, error);
}

/* --- What it does ------------------------------------------------------ */

static void test_mode(void)
{
	struct stat dev, heap;

	igt_assert_eq(stat(VCM_DEV_PATH, &dev), 0);
	igt_assert_eq(stat("/dev/dma_heap/" DMA_HEAP_VCM_NAME, &heap), 0);
	igt_assert_eq(dev.st_mode, heap.st_mode);
	igt_assert_eq(dev.st_uid, heap.st_uid);
	igt_assert_eq(dev.st_gid, heap.st_gid);
}

static void test_opened_read_only(void)
{
	int dev = open(VCM_DEV_PATH, O_RDONLY | O_CLOEXEC);
	struct dma_heap_vcm_query query;
	struct dma_heap_vcm_info info;
	int dmabuf;

	igt_assert(dev >= 0);
	dmabuf = vcm_dev_alloc_policy(dev, KIB(64), 0, 0, 0);
	vcm_dev_query(dev, dmabuf, &query);
	vcm_dev_info(dev, &info);
}

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static void test_info(int dev)
{
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	igt_assert_eq(info.size, sizeof(info));
	igt_assert_eq(info.reserved, 0);
	igt_assert_eq(info.out_version, DMA_HEAP_VCM_VERSION);
	igt_assert_eq(info.out_flags & ~DMA_HEAP_VCM_STRICT, 0);
	igt_assert(info.out_chunk_sizes & vcm_page_size());
	igt_assert_eq_u64(info.out_chunk_sizes & ~(ALL_BUT_PAGE | vcm_page_size()), 0);
	igt_assert_lt_u64(0, info.out_length_max);
	igt_assert_lte_u64(info.out_length_max, vcm_ram_size());
	igt_assert(is_power_of_two(info.out_align_max));
	igt_assert_lte_u64(DMA_HEAP_VCM_CHUNK_2M, info.out_align_max);
	igt_assert_lt_u64(0, info.out_guard_max);
	igt_assert_f(!info.out_align || is_power_of_two(info.out_align),
		     "default alignment %#llx\n", (unsigned long long)info.out_align);
	igt_assert_lte_u64(info.out_align, info.out_align_max);
	igt_assert_lte_u64(info.out_guard, info.out_guard_max);
}

static void assert_fd_flags(int dev, uint32_t flags)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(4));
	int dmabuf;

	args.fd_flags = flags;
	dmabuf = vcm_dev_alloc(dev, &args);
	igt_assert_eq(fcntl(dmabuf, F_GETFL) & O_ACCMODE, flags & O_ACCMODE);
	igt_assert_eq(fcntl(dmabuf, F_GETFD) & FD_CLOEXEC, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
	close(dmabuf);
}

static void assert_usable(int dmabuf, uint64_t len)
{
	void *ptr = vcm_buffer_map(dmabuf);

	igt_assert_eq_u64(vcm_buffer_size(dmabuf), len);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_assert_zero(ptr, len);
	vcm_fill(ptr, len, 1);
	vcm_assert_filled(ptr, len, 1);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_unmap(ptr, len);
}

static void test_alloc(int dev)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, MIB(16), KIB(12), DMA_HEAP_VCM_STRICT);
	struct dma_heap_vcm_query query;
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	int i;

	assert_usable(dmabuf, MIXED);
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_length, MIXED);
	igt_assert_eq_u64(query.out_align, MIB(16));
	igt_assert_eq_u64(query.out_guard, KIB(12));
	igt_assert_eq(query.out_flags, DMA_HEAP_VCM_STRICT);
	close(dmabuf);

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_fd_flags(dev, modes[i]);
		assert_fd_flags(dev, modes[i] | O_CLOEXEC);
	}
}

static void test_alloc_heap(int dev, int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	struct dma_heap_vcm_query query;
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_length, MIXED);
	igt_assert_eq_u64(query.out_align, info.out_align);
	igt_assert_eq_u64(query.out_guard, info.out_guard);
	igt_assert_eq(query.out_flags, info.out_flags);
}

static void test_alloc_limits(int dev)
{
	struct dma_heap_vcm_query query;
	struct dma_heap_vcm_info info;
	int dmabuf;

	vcm_dev_info(dev, &info);
	dmabuf = vcm_dev_alloc_policy(dev, KIB(4), info.out_align_max, info.out_guard_max, 0);
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_align, info.out_align_max);
	igt_assert_eq_u64(query.out_guard, info.out_guard_max);
	close(dmabuf);

	close(vcm_dev_alloc_policy(dev, KIB(4), vcm_page_size(), 1, 0));
}

static void test_lengths(int dev)
{
	static const uint64_t lengths[] = {
		1, KIB(4) - 1, KIB(4) + 1, KIB(64) - 1, KIB(64) + 1, MIB(1) - 1, MIB(1) + 1,
		MIB(2) - 1, MIB(3) + KIB(68),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct dma_heap_vcm_alloc args = vcm_alloc_args(lengths[i]);
		int dmabuf = vcm_dev_alloc(dev, &args);
		struct dma_heap_vcm_query query;

		vcm_dev_query(dev, dmabuf, &query);
		igt_assert_eq_u64(query.out_length, vcm_page_align(lengths[i]));
		igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_align(lengths[i]));
		close(dmabuf);
	}
}

/* Sum of the chunks in bytes; each size is one of @sizes, and they come sorted. */
static uint64_t chunks_total(const struct dma_heap_vcm_query *query, uint64_t sizes)
{
	uint64_t last = UINT64_MAX, total = 0;
	int i;

	for (i = 0; i < DMA_HEAP_VCM_NR_CHUNK_SIZES; i++) {
		const struct dma_heap_vcm_chunks *chunks = &query->out_chunks[i];

		if (!chunks->size) {
			igt_assert_eq_u64(chunks->count, 0);
			last = 0;
			continue;
		}
		igt_assert_lt_u64(chunks->size, last);
		igt_assert_lt_u64(0, chunks->count);
		igt_assert_eq_u64(chunks->size & ~sizes, 0);
		last = chunks->size;
		total += chunks->size * chunks->count;
	}
	return total;
}

static void test_chunk_sizes(int dev)
{
	const uint64_t sizes[] = {
		DMA_HEAP_VCM_CHUNK_2M, DMA_HEAP_VCM_CHUNK_1M, DMA_HEAP_VCM_CHUNK_64K,
		vcm_page_size(),
	};
	int set, i;

	for (set = 1; set < 1 << ARRAY_SIZE(sizes); set++) {
		struct dma_heap_vcm_query query;
		uint64_t allowed = 0;
		int dmabuf;

		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			allowed |= set & 1 << i ? sizes[i] : 0;
		dmabuf = vcm_dev_alloc_sizes(dev, MIB(4), allowed);
		vcm_dev_query(dev, dmabuf, &query);
		igt_assert_eq_u64(query.out_length, MIB(4));
		igt_assert_eq_u64(chunks_total(&query, allowed), MIB(4));
		close(dmabuf);
	}
}

static void test_largest_first(int dev)
{
	uint64_t page = vcm_page_size(), len = MIB(3) + page;
	int dmabuf = vcm_dev_alloc_sizes(dev, len, DMA_HEAP_VCM_CHUNK_1M | page);
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq_u64(query.out_chunks[0].size, DMA_HEAP_VCM_CHUNK_1M);
	igt_assert_eq_u64(query.out_chunks[0].count, 3);
	igt_assert_eq_u64(query.out_chunks[1].size, page);
	igt_assert_eq_u64(query.out_chunks[1].count, 1);
	igt_assert_eq_u64(query.out_chunks[2].size, 0);
}

/* What /proc says about a file descriptor has a line with its name. */
static void assert_fdinfo_name(int dmabuf, const char *name)
{
	char path[64], line[256], shown[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	file = fopen(path, "re");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "name:\t", 6))
			snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(line + 6, "\n"),
				 line + 6);
	fclose(file);
	igt_assert_f(!strcmp(shown, name), "\"%s\" is not \"%s\"\n", shown, name);
}

static void assert_named(int dev, const char *name)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(4));
	struct vcm_buffer_info info;
	int dmabuf;

	args.name = (uintptr_t)name;
	dmabuf = vcm_dev_alloc(dev, &args);
	assert_fdinfo_name(dmabuf, name);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_f(!strcmp(info.name, name), "\"%s\" is not \"%s\"\n", info.name, name);
	close(dmabuf);
}

static void test_name(int dev)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(4));
	struct vcm_buffer_info info;
	int dmabuf;

	assert_named(dev, "camera-0");
	assert_named(dev, "x");

	/* It can be changed as any other, and there need not be one. */
	dmabuf = vcm_dev_alloc(dev, &args);
	vcm_buffer_info_read(dmabuf, &info);
	igt_assert_f(!strcmp(info.name, "-"), "\"%s\"\n", info.name);
	vcm_buffer_set_name(dmabuf, "later");
	assert_fdinfo_name(dmabuf, "later");
}

static void test_name_limits(int dev)
{
	static const char longest[] = "0123456789012345678901234567890";
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(4));
	char *border = vcm_border_map(PROT_NONE);
	int dmabuf;

	igt_assert_eq(sizeof(longest), DMA_HEAP_VCM_NAME_LEN);
	memcpy(border - sizeof(longest), longest, sizeof(longest));
	assert_named(dev, border - sizeof(longest));
	assert_named(dev, border - 2);

	args.name = (uintptr_t)border - 1;
	dmabuf = vcm_dev_alloc(dev, &args);
	assert_fdinfo_name(dmabuf, "");
	close(dmabuf);
	vcm_border_unmap(border);
}

/* --- What it tells about a buffer -------------------------------------- */

static void test_query_chunks(int dev, int heap)
{
	int dmabuf = vcm_heap_alloc(heap, MIXED);
	struct dma_heap_vcm_query query;
	struct vcm_buffer_info info;
	int chunk, i = 0;

	vcm_dev_query(dev, dmabuf, &query);
	vcm_buffer_info_read(dmabuf, &info);
	for (chunk = 0; chunk < VCM_CHUNKS; chunk++) {
		if (!info.chunks[chunk])
			continue;
		igt_assert_eq_u64(query.out_chunks[i].size, vcm_chunk_size(chunk));
		igt_assert_eq_u64(query.out_chunks[i].count, info.chunks[chunk]);
		i++;
	}
	igt_assert_eq_u64(chunks_total(&query, UINT64_MAX), MIXED);
	igt_assert_eq_u64(query.out_nr_runs, info.runs);
}

static void assert_attachments(int dev, int dmabuf, unsigned int attachments)
{
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_nr_attachments, attachments);
	igt_assert_eq(query.out_nr_mapped, attachments);
	igt_assert_lte(query.out_nr_degraded, attachments);
}

/* On the second device, which reaches all memory of a small machine without an IOMMU too. */
static void test_query_attachments(int dev)
{
	int dmabuf = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	int other = vcm_dev_alloc_sizes(dev, KIB(64), DMA_HEAP_VCM_CHUNK_64K);
	int importer = vcm_importer_open(1);
	struct dma_heap_vcm_query query;
	uint32_t one, two;

	assert_attachments(dev, dmabuf, 0);
	one = vcm_importer_import(importer, dmabuf);
	assert_attachments(dev, dmabuf, 1);
	two = vcm_importer_import(importer, dmabuf);
	assert_attachments(dev, dmabuf, 2);
	assert_attachments(dev, other, 0);

	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.out_nr_degraded, 0);

	vcm_importer_release(importer, one);
	assert_attachments(dev, dmabuf, 1);
	vcm_importer_release(importer, two);
	assert_attachments(dev, dmabuf, 0);
}

static void test_query_read_only(int dev)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(64));
	struct dma_heap_vcm_query query;
	int dmabuf;

	args.fd_flags = O_RDONLY;
	dmabuf = vcm_dev_alloc(dev, &args);
	vcm_dev_query(dev, dmabuf, &query);
	igt_assert_eq(query.fd, dmabuf);
	igt_assert_eq_u64(query.out_length, KIB(64));
}

/* --- What an allocation refuses ---------------------------------------- */

static void test_refuses_unknown_ioctl(int dev)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));
	const unsigned long unknown[] = {
		_IO(DMA_HEAP_VCM_IOC_MAGIC, 4),
		_IO(DMA_HEAP_VCM_IOC_MAGIC, 0xff),
		_IOWR(DMA_HEAP_VCM_IOC_MAGIC, 0, struct dma_heap_vcm_alloc),
		_IO(DMA_HEAP_VCM_IOC_MAGIC + 1, 0),
		DMA_HEAP_IOCTL_ALLOC,
		DMA_BUF_IOCTL_SYNC,
		0,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		vcm_dev_assert_refused(dev, unknown[i], &alloc, -ENOTTY);
}

static void test_refuses_flags(int dev)
{
	const uint32_t known = DMA_HEAP_VCM_STRICT | DMA_HEAP_VCM_SCRATCH | DMA_HEAP_VCM_KEEP |
			       DMA_HEAP_VCM_CONTIGUOUS;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));

		alloc.flags = 1u << bit;
		if (alloc.flags & known)
			continue;
		assert_alloc_refused(dev, alloc, -EOPNOTSUPP);
		alloc.flags |= DMA_HEAP_VCM_STRICT;
		assert_alloc_refused(dev, alloc, -EOPNOTSUPP);
	}
}

static void test_refuses_chunk_sizes(int dev)
{
	struct dma_heap_vcm_info info;
	int bit;

	vcm_dev_info(dev, &info);
	for (bit = 0; bit < 64; bit++) {
		struct dma_heap_vcm_alloc alloc = vcm_alloc_args(MIB(4));

		alloc.chunk_sizes = 1ull << bit;
		if (alloc.chunk_sizes & info.out_chunk_sizes)
			continue;
		assert_alloc_refused(dev, alloc, -EOPNOTSUPP);
		alloc.chunk_sizes |= info.out_chunk_sizes;
		assert_alloc_refused(dev, alloc, -EOPNOTSUPP);
	}
}

static void test_refuses_fd_flags(int dev)
{
	static const uint32_t flags[] = {
		O_CREAT, O_NONBLOCK, O_APPEND, O_SYNC, O_DIRECT, O_PATH, O_TMPFILE,
		1u << 31, ~0u,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));

		alloc.fd_flags |= flags[i];
		assert_alloc_refused(dev, alloc, -EOPNOTSUPP);
	}
}

static void test_refuses_reserved(int dev)
{
	int bit;

	for (bit = 0; bit < 32; bit++) {
		struct dma_heap_vcm_info info = { .size = sizeof(info), .reserved = 1u << bit };

		vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_INFO, &info, -EOPNOTSUPP);
	}
}

static void test_refuses_length(int dev)
{
	const uint64_t page = vcm_page_size();
	const struct {
		uint64_t length, chunk_sizes;
	} cases[] = {
		{ 0, 0 },
		{ 0, page },
		{ 1, DMA_HEAP_VCM_CHUNK_64K },
		{ KIB(64) + 1, DMA_HEAP_VCM_CHUNK_64K },
		{ KIB(64) - page, DMA_HEAP_VCM_CHUNK_64K | DMA_HEAP_VCM_CHUNK_1M },
		{ MIB(1) + KIB(64), DMA_HEAP_VCM_CHUNK_1M },
		{ MIB(3), DMA_HEAP_VCM_CHUNK_2M },
		{ page, DMA_HEAP_VCM_CHUNK_2M },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dma_heap_vcm_alloc alloc = vcm_alloc_args(cases[i].length);

		alloc.chunk_sizes = cases[i].chunk_sizes;
		assert_alloc_refused(dev, alloc, -EINVAL);
	}
}

static void test_refuses_length_overflow(int dev)
{
	const uint64_t page = vcm_page_size();

	assert_alloc_refused(dev, vcm_alloc_args(UINT64_MAX), -EOVERFLOW);
	assert_alloc_refused(dev, vcm_alloc_args(UINT64_MAX - page + 2), -EOVERFLOW);
}

static void test_refuses_length_beyond_ram(int dev)
{
	static const uint64_t huge[] = {
		1ull << 40, 1ull << 51, 1ull << 52, 1ull << 62, 1ull << 63, INT64_MAX,
	};
	uint64_t before = vcm_ram_handed_out();
	struct dma_heap_vcm_info info;
	int i;

	vcm_dev_info(dev, &info);
	assert_alloc_refused(dev, vcm_alloc_args(info.out_length_max + 1), -ENOMEM);
	assert_alloc_refused(dev, vcm_alloc_args(UINT64_MAX - vcm_page_size() + 1), -ENOMEM);
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		assert_alloc_refused(dev, vcm_alloc_args(huge[i]), -ENOMEM);

	/* Seen from the start that it cannot be had, not tried and given up. */
	igt_assert_lt_u64(vcm_ram_handed_out(), before + FREE_NOISE);
}

static void test_refuses_align(int dev)
{
	struct dma_heap_vcm_info info;
	uint64_t aligns[] = {
		1, 2, 3, vcm_page_size() / 2, vcm_page_size() + 1, 3 * vcm_page_size(),
		KIB(64) - 1, MIB(3), UINT64_MAX, 1ull << 63, 0,
	};
	int i;

	vcm_dev_info(dev, &info);
	aligns[ARRAY_SIZE(aligns) - 1] = info.out_align_max * 2;
	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));

		alloc.align = aligns[i];
		assert_alloc_refused(dev, alloc, -EDOM);
	}
}

static void test_refuses_guard(int dev)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	alloc.guard = info.out_guard_max + 1;
	assert_alloc_refused(dev, alloc, -ERANGE);
	alloc.guard = UINT64_MAX;
	assert_alloc_refused(dev, alloc, -ERANGE);
}

static void test_refuses_name(int dev)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(4));
	char *border = vcm_border_map(PROT_NONE);

	memset(border - 256, 'x', 256);
	alloc.name = (uintptr_t)border - 256;
	assert_alloc_refused(dev, alloc, -ENAMETOOLONG);
	border[-256 + DMA_HEAP_VCM_NAME_LEN] = '\0';
	assert_alloc_refused(dev, alloc, -ENAMETOOLONG);

	/* Runs into memory that cannot be read before it ends, or lies there. */
	alloc.name = (uintptr_t)border - 4;
	assert_alloc_refused(dev, alloc, -EFAULT);
	alloc.name = (uintptr_t)border;
	assert_alloc_refused(dev, alloc, -EFAULT);
	alloc.name = 1;
	assert_alloc_refused(dev, alloc, -EFAULT);
	alloc.name = UINT64_MAX - 4;
	assert_alloc_refused(dev, alloc, -EFAULT);
	vcm_border_unmap(border);
}

/* As much as there is, in chunks that never are all there is. */
static void test_out_of_memory(int dev)
{
	struct dma_heap_vcm_alloc alloc;
	uint64_t kills = vcm_oom_kills();
	uint64_t free_before = vcm_ram_free();
	struct dma_heap_vcm_info info;

	vcm_dev_info(dev, &info);
	alloc = vcm_alloc_args(info.out_length_max & ~(MIB(2) - 1));
	alloc.chunk_sizes = DMA_HEAP_VCM_CHUNK_2M;
	assert_alloc_refused(dev, alloc, -ENOMEM);
	igt_assert_eq_u64(vcm_oom_kills(), kills);
	igt_assert_lt_u64(free_before, vcm_ram_free() + FREE_NOISE);
}

static void test_out_of_fds(int dev)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(MIB(8));
	struct vcm_totals before;
	struct rlimit old, none;
	int i;

	vcm_totals_read(&before);
	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = vcm_next_fd(dev);
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (i = 0; i < 4; i++) {
		int ret = __vcm_dev_alloc(dev, &args);

		if (ret != -EMFILE)
			setrlimit(RLIMIT_NOFILE, &old);
		igt_assert_eq(ret, -EMFILE);
	}
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	igt_assert_eq(vcm_next_fd(dev), none.rlim_cur);
	vcm_totals_assert_back(&before);
}

/* --- What a query refuses ---------------------------------------------- */

static void test_query_closed(int dev)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	char path[64];
	int fd;

	/* A descriptor that only names a file is not open either. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dmabuf);
	fd = open(path, O_PATH | O_CLOEXEC);
	igt_assert(fd >= 0);
	assert_query_refused(dev, fd, -EBADF);
	close(fd);

	close(dmabuf);
	assert_query_refused(dev, dmabuf, -EBADF);
	assert_query_refused(dev, -1, -EBADF);
	assert_query_refused(dev, INT32_MAX, -EBADF);
	assert_query_refused(dev, INT32_MIN, -EBADF);
}

static void test_query_file(int dev, int heap)
{
	int fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int memory = memfd_create("vcm", MFD_CLOEXEC);

	igt_assert(null >= 0);
	igt_assert(memory >= 0);
	igt_assert_eq(pipe(fds), 0);
	assert_query_refused(dev, null, -ENXIO);
	assert_query_refused(dev, memory, -ENXIO);
	assert_query_refused(dev, fds[0], -ENXIO);
	assert_query_refused(dev, dev, -ENXIO);
	assert_query_refused(dev, heap, -ENXIO);
}

static void test_query_system(int dev)
{
	int system = __vcm_heap_open("system");
	int dmabuf;

	igt_require_f(system >= 0, "no heap \"system\"\n");
	dmabuf = vcm_heap_alloc(system, KIB(4));
	assert_query_refused(dev, dmabuf, -ENXIO);
}

static void test_query_udmabuf(int dev)
{
	int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC };
	int dmabuf;

	igt_require_f(udmabuf >= 0, "no /dev/udmabuf\n");
	create.memfd = memfd_create("vcm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	create.size = vcm_page_size();
	igt_assert_eq(ftruncate(create.memfd, create.size), 0);
	igt_assert_eq(fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	dmabuf = ioctl(udmabuf, UDMABUF_CREATE, &create);
	igt_assert(dmabuf >= 0);
	assert_query_refused(dev, dmabuf, -ENXIO);
}

static void test_query_vgem(int dev)
{
	struct vgem_bo bo = { .width = 64, .height = 64, .bpp = 32 };
	int vgem = drm_open_driver(DRIVER_VGEM);
	int dmabuf;

	vgem_create(vgem, &bo);
	dmabuf = prime_handle_to_fd_for_mmap(vgem, bo.handle);
	igt_assert(dmabuf >= 0);
	assert_query_refused(dev, dmabuf, -ENXIO);
}

static void refusal_subtests(int dev, int heap)
{
	vcm_subtest("refuses-unknown-ioctl", test_refuses_unknown_ioctl(dev),
		    "Requests that nobody defined are refused");
	vcm_subtest("refuses-flags", test_refuses_flags(dev),
		    "Flags that nobody defined are refused");
	vcm_subtest("refuses-chunk-sizes", test_refuses_chunk_sizes(dev),
		    "Chunk sizes that the heap does not have are refused");
	vcm_subtest("refuses-fd-flags", test_refuses_fd_flags(dev),
		    "Open flags that mean nothing for a buffer are refused");
	vcm_subtest("refuses-reserved", test_refuses_reserved(dev), "Reserved fields must be zero");
	vcm_subtest("refuses-length", test_refuses_length(dev),
		    "Lengths that no buffer of the chunks allowed can have are refused");
	vcm_subtest("refuses-length-overflow", test_refuses_length_overflow(dev),
		    "A length that wraps around when rounded up to pages is refused");
	vcm_subtest("refuses-length-beyond-ram", test_refuses_length_beyond_ram(dev),
		    "A buffer larger than memory is refused");
	vcm_subtest("refuses-align", test_refuses_align(dev),
		    "Alignments that no device can have are refused");
	vcm_subtest("refuses-guard", test_refuses_guard(dev),
		    "Guards larger than any address space are refused");
	vcm_subtest("refuses-name", test_refuses_name(dev),
		    "Names that are too long or cannot be read are refused");
	vcm_subtest("out-of-memory", test_out_of_memory(dev),
		    "A buffer that memory has no chunks for fails, and no process dies of it");
	vcm_subtest("out-of-fds", test_out_of_fds(dev),
		    "An allocation that finds no free file descriptor leaves nothing behind");
	vcm_subtest("refuses-query-closed", test_query_closed(dev),
		    "A file descriptor that is not open is refused");
	vcm_subtest("refuses-query-file", test_query_file(dev, heap),
		    "A file that is no buffer is refused");
	vcm_subtest("refuses-query-system", test_query_system(dev),
		    "A buffer of another heap is refused");
	vcm_subtest("refuses-query-udmabuf", test_query_udmabuf(dev),
		    "A buffer made from user memory is refused");
	vcm_subtest("refuses-query-vgem", test_query_vgem(dev),
		    "A buffer of a DRM driver is refused");
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, heap;

	igt_fixture() {
		dev = vcm_dev_open();
		heap = vcm_heap_open();
		vcm_require_debugfs();
		vcm_compact_memory();
		vcm_totals_read(&before);
	}

	vcm_subtest("mode", test_mode(), "The device is as open to users as the heap is");
	vcm_subtest("opened-read-only", test_opened_read_only(),
		    "A device that was opened for reading serves all requests");
	vcm_subtest("info", test_info(dev),
		    "The kernel tells its version, chunk sizes, default policy and limits");
	vcm_subtest("alloc", test_alloc(dev),
		    "A buffer has the length, the access mode and the policy asked for");
	vcm_subtest("alloc-heap", test_alloc_heap(dev, heap),
		    "Buffers of the heap can be queried and have the default policy");
	vcm_subtest("alloc-limits", test_alloc_limits(dev),
		    "The largest alignment and guard that the kernel tells can be asked for");
	vcm_subtest("lengths", test_lengths(dev), "Lengths are rounded up to the page");
	vcm_subtest("chunk-sizes", test_chunk_sizes(dev),
		    "A buffer is made of the chunk sizes that are allowed and no others");
	vcm_subtest("chunk-sizes-largest-first", test_largest_first(dev),
		    "Of the sizes that are allowed the largest come first");
	vcm_subtest("name", test_name(dev), "The name is the one that the kernel shows");
	vcm_subtest("name-limits", test_name_limits(dev),
		    "The shortest and the longest name are taken, wherever they lie in memory");
	vcm_subtest("query-chunks", test_query_chunks(dev, heap),
		    "Queried chunks and runs are those in debugfs");
	vcm_subtest("query-attachments", test_query_attachments(dev),
		    "Devices that are attached are counted, and those that have it mapped");
	vcm_subtest("query-read-only", test_query_read_only(dev),
		    "A buffer opened for reading can be queried");

	refusal_subtests(dev, heap);

	igt_fixture()
		vcm_totals_assert_back(&before);
}
