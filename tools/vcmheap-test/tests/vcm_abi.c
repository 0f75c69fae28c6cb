// SPDX-License-Identifier: MIT
/*
 * The structures of /dev/vcm: what becomes of shorter and longer ones, and of
 * ones that cannot be read or written.
 */

#include <stddef.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The structures of /dev/vcm, shorter, longer and out of reach.");

/* Sizes of the first version, which no later one may refuse. */
#define ALLOC_SIZE_VER1 56
#define QUERY_SIZE_VER1 120
#define INFO_SIZE_VER1 64

_Static_assert(sizeof(struct dma_heap_vcm_alloc) >= ALLOC_SIZE_VER1, "alloc has shrunk");
_Static_assert(sizeof(struct dma_heap_vcm_query) >= QUERY_SIZE_VER1, "query has shrunk");
_Static_assert(sizeof(struct dma_heap_vcm_info) >= INFO_SIZE_VER1, "info has shrunk");
_Static_assert(offsetof(struct dma_heap_vcm_alloc, out_fd) == 52, "alloc has changed");
_Static_assert(offsetof(struct dma_heap_vcm_query, out_chunks) == 56, "query has changed");
_Static_assert(offsetof(struct dma_heap_vcm_query, attachments) == QUERY_SIZE_VER1,
	       "query has changed");
_Static_assert(offsetof(struct dma_heap_vcm_info, out_guard_max) == 56, "info has changed");

/* One of the three requests */
struct request {
	const char *name;	/* in the names of subtests */
	unsigned long number;	/* its number */
	uint32_t size;		/* of the structure as this program knows it */
	uint32_t first;		/* size of the structure in the first version */
};

static const struct request requests[] = {
	{ "alloc", DMA_HEAP_VCM_IOCTL_ALLOC, sizeof(struct dma_heap_vcm_alloc), ALLOC_SIZE_VER1 },
	{ "query", DMA_HEAP_VCM_IOCTL_QUERY, sizeof(struct dma_heap_vcm_query), QUERY_SIZE_VER1 },
	{ "info", DMA_HEAP_VCM_IOCTL_INFO, sizeof(struct dma_heap_vcm_info), INFO_SIZE_VER1 },
};

/* A good argument of @size bytes, which the caller has zeroed; @dmabuf is what to query. */
static void request_fill(const struct request *request, void *arg, uint32_t size, int dmabuf)
{
	struct dma_heap_vcm_alloc alloc = vcm_alloc_args(KIB(64));
	struct dma_heap_vcm_query query = { .fd = dmabuf };

	if (request->number == DMA_HEAP_VCM_IOCTL_ALLOC)
		memcpy(arg, &alloc, request->size);
	else if (request->number == DMA_HEAP_VCM_IOCTL_QUERY)
		memcpy(arg, &query, request->size);
	memcpy(arg, &size, sizeof(size));
}

/* Checks that @arg was answered, and lets go of what came. */
static void request_finish(const struct request *request, const void *arg, int dmabuf)
{
	const struct dma_heap_vcm_alloc *alloc = arg;
	const struct dma_heap_vcm_query *query = arg;
	const struct dma_heap_vcm_info *info = arg;

	switch (request->number) {
	case DMA_HEAP_VCM_IOCTL_ALLOC:
		igt_assert_eq_u64(vcm_buffer_size(alloc->out_fd), KIB(64));
		close(alloc->out_fd);
		break;
	case DMA_HEAP_VCM_IOCTL_QUERY:
		igt_assert_eq_u64(query->out_length, vcm_buffer_size(dmabuf));
		break;
	default:
		igt_assert_eq(info->out_version, DMA_HEAP_VCM_VERSION);
	}
}

static void test_size_short(int dev, const struct request *request)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	uint32_t size;

	for (size = 0; size < request->first; size++) {
		char arg[256] = {};

		request_fill(request, arg, size, dmabuf);
		vcm_dev_assert_refused(dev, request->number, arg, -EINVAL);
	}
}

/* In front of memory that cannot be touched. */
static void test_size_exact(int dev, const struct request *request)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	char *border = vcm_border_map(PROT_NONE);
	char *arg = border - request->size;

	arg[-1] = 0x5a;
	request_fill(request, arg, request->size, dmabuf);
	igt_assert_eq(vcm_ioctl(dev, request->number, arg), 0);
	request_finish(request, arg, dmabuf);
	igt_assert_eq(arg[-1], 0x5a);
	vcm_border_unmap(border);
}

static void test_size_long(int dev, const struct request *request)
{
	const uint32_t page = vcm_page_size();
	const uint32_t sizes[] = {
		request->size + 1, request->size + 4, request->size + 8, 256, page,
	};
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *border = vcm_border_map(PROT_NONE);
		char *arg = border - sizes[i];
		uint32_t byte;

		request_fill(request, arg, sizes[i], dmabuf);
		igt_assert_eq(vcm_ioctl(dev, request->number, arg), 0);
		request_finish(request, arg, dmabuf);
		for (byte = request->size; byte < sizes[i]; byte++)
			igt_assert_eq(arg[byte], 0);
		vcm_border_unmap(border);
	}
}

static void test_size_dirty(int dev, const struct request *request)
{
	const uint32_t page = vcm_page_size();
	const uint32_t sizes[] = { request->size + 1, request->size + 8, page };
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	char *arg = calloc(1, page);
	uint32_t size;
	int i;

	igt_assert(arg);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		const uint32_t dirty[] = { request->size, sizes[i] - 1 };
		int j;

		for (j = 0; j < ARRAY_SIZE(dirty); j++) {
			memset(arg, 0, page);
			request_fill(request, arg, sizes[i], dmabuf);
			arg[dirty[j]] = 1;
			vcm_dev_assert_refused(dev, request->number, arg, -E2BIG);
		}
	}

	size = UINT32_MAX;
	request_fill(request, arg, size, dmabuf);
	vcm_dev_assert_refused(dev, request->number, arg, -E2BIG);
	free(arg);
}

/* Where it ends there is no memory. */
static void test_first_query(int dev)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(68), 0, KIB(4), 0);
	char *border = vcm_border_map(PROT_NONE);
	struct dma_heap_vcm_query query = { .size = QUERY_SIZE_VER1, .fd = dmabuf };
	void *arg = border - QUERY_SIZE_VER1;

	memcpy(arg, &query, QUERY_SIZE_VER1);
	igt_assert_eq(vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_QUERY, arg), 0);
	memcpy(&query, arg, QUERY_SIZE_VER1);
	igt_assert_eq_u64(query.out_length, KIB(68));
	igt_assert_eq_u64(query.out_guard, KIB(4));
	vcm_border_unmap(border);
}

/* The order is: what the kernel does not know must be zero, then what it knows must be right. */
static void test_future_field(int dev)
{
	struct {
		struct dma_heap_vcm_query known;
		uint64_t future;
	} query = { .known = { .size = sizeof(query), .fd = -1 } };

	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query, -EBADF);
	query.future = 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query, -E2BIG);
	query.known.size = sizeof(query.known);
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query, -EBADF);
	query.known.size = QUERY_SIZE_VER1 - 1;
	vcm_dev_assert_refused(dev, DMA_HEAP_VCM_IOCTL_QUERY, &query, -EINVAL);
}

static void test_bad_pointer(int dev, const struct request *request)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	char *border = vcm_border_map(PROT_NONE);
	uint32_t cut;

	vcm_dev_assert_refused(dev, request->number, NULL, -EFAULT);
	vcm_dev_assert_refused(dev, request->number, border, -EFAULT);
	vcm_dev_assert_refused(dev, request->number, (void *)-8l, -EFAULT);

	/* Readable as far as @cut bytes before the end. */
	for (cut = 4; cut < request->size; cut += 4) {
		char arg[256] = {};

		request_fill(request, arg, request->size, dmabuf);
		memcpy(border - request->size + cut, arg, request->size - cut);
		vcm_dev_assert_refused(dev, request->number, border - request->size + cut, -EFAULT);
	}

	/* A tail that begins in readable memory. */
	memset(border - 256, 0, 256);
	request_fill(request, border - 256, 257, dmabuf);
	vcm_dev_assert_refused(dev, request->number, border - 256, -EFAULT);
	vcm_border_unmap(border);
}

/* Puts an argument of @size bytes with @writable of them in front of read-only memory. */
static void assert_copy_back_fails(int dev, const struct request *request, int dmabuf,
				   uint32_t size, uint32_t writable)
{
	char *border = vcm_border_map(PROT_READ | PROT_WRITE);
	char *arg = border - writable;

	request_fill(request, arg, size, dmabuf);
	igt_assert_eq(mprotect(border, vcm_page_size(), PROT_READ), 0);
	vcm_dev_assert_refused(dev, request->number, arg, -EFAULT);
	vcm_border_unmap(border);
}

static void test_copy_back(int dev, const struct request *request)
{
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);

	/* All of it, all but its size, its last word, its tail. */
	assert_copy_back_fails(dev, request, dmabuf, request->size, 0);
	assert_copy_back_fails(dev, request, dmabuf, request->size, 4);
	assert_copy_back_fails(dev, request, dmabuf, request->size, request->size - 4);
	assert_copy_back_fails(dev, request, dmabuf, request->size + 64, request->size + 32);
}

#ifdef __x86_64__
#define HAVE_COMPAT 1

/* ioctl() as a 32-bit program makes it; @arg is below 4 GiB. */
static int compat_ioctl(int fd, unsigned long number, void *arg)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(number), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void *compat_memory(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	igt_assert(map != MAP_FAILED);
	return map;
}
#else
#define HAVE_COMPAT 0

static int compat_ioctl(int fd, unsigned long number, void *arg)
{
	return -EOPNOTSUPP;
}

static void *compat_memory(size_t size)
{
	return NULL;
}
#endif

static void test_compat(int dev)
{
	size_t page = vcm_page_size();
	int dmabuf, i;
	char *arg;

	/* Before there is anything that would be left. */
	igt_require_f(HAVE_COMPAT, "no 32-bit programs\n");
	dmabuf = vcm_dev_alloc_policy(dev, KIB(4), 0, 0, 0);
	arg = compat_memory(page);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		memset(arg, 0, page);
		request_fill(&requests[i], arg, requests[i].size, dmabuf);
		igt_assert_eq(compat_ioctl(dev, requests[i].number, arg), 0);
		request_finish(&requests[i], arg, dmabuf);
	}
	munmap(arg, page);
}

/* Of each request */
static const struct {
	const char *name;
	void (*run)(int dev, const struct request *request);
	const char *description;
} subtests[] = {
	{ "size-short", test_size_short,
	  "Structures shorter than the first version are refused" },
	{ "size-exact", test_size_exact,
	  "No byte outside the structure is touched" },
	{ "size-long", test_size_long,
	  "Longer structures with zeros at the end are taken" },
	{ "size-dirty", test_size_dirty,
	  "Longer structures with anything else at the end are refused" },
	{ "bad-pointer", test_bad_pointer,
	  "Unreadable memory is an error and leaves nothing behind" },
	{ "copy-back", test_copy_back,
	  "Memory that cannot be written leaves nothing behind" },
};

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i, j;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		for (j = 0; j < ARRAY_SIZE(subtests); j++)
			vcm_subtest_f(subtests[j].run(dev, &requests[i]), subtests[j].description,
				      "%s-%s", subtests[j].name, requests[i].name);

	vcm_subtest("first-query", test_first_query(dev),
		    "A query of the first version is answered as far as it goes");
	vcm_subtest("future-field", test_future_field(dev),
		    "A field that the kernel does not know may be there if it is zero");
	vcm_subtest("compat", test_compat(dev),
		    "The same structures work through the system call of 32-bit programs");

	igt_fixture()
		vcm_totals_assert_back(&before);
}
