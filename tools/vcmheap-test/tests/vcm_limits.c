// SPDX-License-Identifier: MIT

#include <signal.h>
#include <sys/wait.h>

#include "vcm_group.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Buffers of the vcm heap that are larger than what there is.");

#define ACCOUNTING "/sys/module/dma_heap/parameters/mem_accounting"

/* --- Beyond memory ----------------------------------------------------- */

static void assert_refused(int dev, int heap, uint64_t len)
{
	igt_assert_eq(__vcm_heap_alloc(heap, len), vcm_heap_error(len));
	igt_assert_eq(__vcm_dev_alloc_sizes(dev, len, 0), -ENOMEM);
}

static void test_beyond_ram(int dev, int heap)
{
	static const uint64_t lengths[] = {
		1ull << 40, 1ull << 47, 1ull << 52, 1ull << 62, 1ull << 63, -8192ull,
	};
	struct vcm_memory before;
	uint64_t handed_out;
	int i;

	vcm_memory_read(&before);
	handed_out = vcm_ram_handed_out();
	assert_refused(dev, heap, vcm_ram_size() + vcm_page_size());
	assert_refused(dev, heap, vcm_heap_max(2 * vcm_ram_size()));
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		assert_refused(dev, heap, lengths[i]);
	igt_assert_lt_u64(vcm_ram_handed_out(), handed_out + VCM_MEMORY_NOISE);
	vcm_memory_assert_back(&before, "beyond RAM");
}

/* More than can be had, but not more than there is. */
static uint64_t beyond_free(void)
{
	uint64_t len = (vcm_ram_available() + vcm_ram_size()) / 2 & -MIB(2);

	igt_assert_lt_u64(len, vcm_ram_size());
	return len;
}

static void test_beyond_free(int dev, int heap, uint64_t chunk_sizes)
{
	struct vcm_bystander bystander;
	struct vcm_memory before;
	uint64_t len;
	int i;

	vcm_memory_read(&before);
	len = beyond_free();
	vcm_bystander_start(&bystander);
	for (i = 0; i < 3; i++)
		igt_assert_eq(heap < 0 ? __vcm_dev_alloc_sizes(dev, len, chunk_sizes) :
					 __vcm_heap_alloc(heap, len), -ENOMEM);
	vcm_bystander_stop(&bystander);
	vcm_memory_assert_back(&before, "beyond free memory");
}

/* Each buffer is less than what is left, until one is not. */
static void test_step_by_step(int heap)
{
	const uint64_t each = MIB(16);
	struct vcm_bystander bystander;
	struct vcm_memory before;
	unsigned int n = 0;
	int dmabuf[1024];

	vcm_memory_read(&before);
	vcm_bystander_start(&bystander);
	while (n < ARRAY_SIZE(dmabuf) && (dmabuf[n] = __vcm_heap_alloc(heap, each)) >= 0)
		n++;
	igt_assert_lt(n, ARRAY_SIZE(dmabuf));
	igt_assert_eq(dmabuf[n], -ENOMEM);
	igt_info("%llu of %llu MiB available were allocated\n",
		 (unsigned long long)(n * each / MIB(1)),
		 (unsigned long long)(before.available / MIB(1)));
	while (n--)
		close(dmabuf[n]);
	vcm_bystander_stop(&bystander);
	vcm_memory_assert_back(&before, "step by step");
}

static void ask_for_most(int heap)
{
	const uint64_t len = vcm_ram_available() * 3 / 4;
	int i, dmabuf;

	for (i = 0; i < 4; i++) {
		dmabuf = __vcm_heap_alloc(heap, len);
		if (dmabuf >= 0)
			close(dmabuf);
		else
			igt_assert_eq(dmabuf, -ENOMEM);
	}
}

static void test_many_ask(int heap)
{
	struct vcm_bystander bystander;
	struct vcm_memory before;

	vcm_memory_read(&before);
	vcm_bystander_start(&bystander);
	igt_fork(child, 3)
		ask_for_most(heap);
	igt_waitchildren();
	vcm_bystander_stop(&bystander);
	vcm_memory_assert_back(&before, "many ask");
}

/* --- Lists of many chunks ------------------------------------------------ */

/* Buffers that leave memory free in small pieces only */
struct holes {
	int dmabufs[8192];	/* the buffers */
	unsigned int nr;	/* how many */
};

static void holes_fill(struct holes *holes, int dev, uint64_t len, uint64_t chunk_size)
{
	while (holes->nr < ARRAY_SIZE(holes->dmabufs)) {
		int dmabuf = __vcm_dev_alloc_sizes(dev, len, chunk_size);

		if (dmabuf < 0)
			return;
		holes->dmabufs[holes->nr++] = dmabuf;
	}
	igt_assert_f(false, "more memory than this test knows how to fill\n");
}

/* No block of 1 MiB is left, while about half of all memory is free in smaller ones. */
static void holes_make(struct holes *holes, int dev)
{
	unsigned int i, left = 0;

	holes->nr = 0;
	holes_fill(holes, dev, KIB(256), vcm_page_size());
	for (i = 0; i < holes->nr; i++)
		if (i % 3)
			close(holes->dmabufs[i]);
		else
			holes->dmabufs[left++] = holes->dmabufs[i];
	holes->nr = left;
	holes_fill(holes, dev, MIB(1), DMA_HEAP_VCM_CHUNK_1M);
}

static void holes_unmake(struct holes *holes)
{
	while (holes->nr--)
		close(holes->dmabufs[holes->nr]);
}

static void test_many_small_chunks(int dev)
{
	/* The wider device: it is more than the other one has addresses for. */
	int importer = vcm_importer_open(1), dmabuf;
	struct vcm_pool_params params;
	static struct holes holes;
	uint64_t len, stalls, byte;
	uint32_t handle;

	vcm_more_fds(ARRAY_SIZE(holes.dmabufs) + 100);
	vcm_pool_params_read(&params);
	vcm_pool_renew(0);
	holes_make(&holes, dev);
	len = vcm_spare(VCM_ALL_NODES) - 2 * VCM_RESERVE_NOISE;
	/* A list of 512 KiB and more would be a block of 1 MiB. */
	igt_assert_lt_u64(KIB(512), len / vcm_page_size() * sizeof(void *));

	stalls = vcm_alloc_stalls();
	dmabuf = vcm_dev_alloc_sizes(dev, len, vcm_page_size());
	igt_assert_eq_u64(vcm_alloc_stalls(), stalls);
	handle = vcm_importer_import(importer, dmabuf);
	stalls = vcm_alloc_stalls();
	vcm_importer_kernel_read(importer, handle, len / 2, sizeof(byte), &byte);
	igt_assert_eq_u64(vcm_alloc_stalls(), stalls);

	vcm_importer_release(importer, handle);
	close(dmabuf);
	holes_unmake(&holes);
	vcm_pool_params_write(&params);
}

/* --- What the heap keeps ----------------------------------------------- */

static void fill_pool(int heap)
{
	int dmabuf[8], i;

	vcm_pool_wait_relaxed();
	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		dmabuf[i] = vcm_heap_alloc(heap, MIB(32));
	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		close(dmabuf[i]);
	igt_info("%llu KiB in the pool\n", (unsigned long long)vcm_pool_total() >> 10);
}

static bool is_accounting(void)
{
	char value = 'N';
	int fd = open(ACCOUNTING, O_RDONLY | O_CLOEXEC);

	igt_require_f(fd >= 0, "no " ACCOUNTING "\n");
	igt_assert_eq(read(fd, &value, 1), 1);
	close(fd);
	return value == 'Y';
}

/* Nothing is kept that is charged to somebody. */
static void require_full_pool(int heap)
{
	fill_pool(heap);
	if (is_accounting())
		igt_assert_eq_u64(vcm_pool_total(), 0);
	else
		igt_assert_lt_u64(0, vcm_pool_total());
}

static void test_full_pool(int heap)
{
	struct vcm_memory before;
	uint64_t len;
	int dmabuf;

	vcm_memory_read(&before);
	require_full_pool(heap);
	/* Nearly all of what was available when nothing was kept. */
	len = before.available - vcm_meminfo("CmaFree") - VCM_MEMORY_NOISE - before.available / 16;
	igt_assert_lt_u64(before.available - MIB(256), len + vcm_pool_total() + MIB(256));
	dmabuf = vcm_heap_alloc(heap, len);
	close(dmabuf);
	vcm_memory_assert_back(&before, "full pool");
}

/* The same, for a process that touches memory of its own. */
static void touch(uint64_t len)
{
	char *ptr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t i;

	igt_assert(ptr != MAP_FAILED);
	vcm_oom_score("1000");
	for (i = 0; i < len; i += vcm_page_size())
		ptr[i] = 1;
	munmap(ptr, len);
}

static void test_full_pool_others(int heap)
{
	struct vcm_memory before;

	vcm_memory_read(&before);
	require_full_pool(heap);
	igt_fork(child, 1)
		touch(before.available - VCM_MEMORY_NOISE - before.available / 16);
	igt_waitchildren();
	vcm_memory_assert_back(&before, "full pool, others");
}

/* --- Groups ------------------------------------------------------------ */

#define GROUP_LIMIT MIB(64)

static void group_create(void)
{
	char limit[32];

	vcm_group_create("memory");
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)GROUP_LIMIT);
	vcm_group_write("memory.max", limit);
}

static uint64_t group_charge(void)
{
	return vcm_group_read("memory.current", "");
}

/* What is charged goes a little after the last reference. */
static void assert_nothing_charged(void)
{
	int i;

	for (i = 0; i < 100 && group_charge() > MIB(4); i++) {
		vcm_group_write("memory.reclaim", "64M");
		usleep(50000);
	}
	igt_assert_lte_u64(group_charge(), MIB(4));
}

static void alloc_charged(int heap)
{
	uint64_t before;
	int dmabuf;

	vcm_group_join();
	before = group_charge();
	dmabuf = vcm_heap_alloc(heap, MIB(32));
	igt_info("group: %llu KiB charged before, %llu KiB after allocating 32 MiB\n",
		 (unsigned long long)before >> 10, (unsigned long long)group_charge() >> 10);
	if (is_accounting())
		igt_assert_lte_u64(before + MIB(32), group_charge());
	else
		igt_assert_lt_u64(group_charge(), before + MIB(4));
	close(dmabuf);
}

static void test_group_charge(int heap)
{
	struct vcm_memory before;

	vcm_memory_read(&before);
	group_create();
	igt_fork(child, 1)
		alloc_charged(heap);
	igt_waitchildren();
	assert_nothing_charged();
	vcm_group_destroy();
	vcm_memory_assert_back(&before, "charged to a group");
}

static void alloc_beyond_limit(int dev, int heap)
{
	const uint64_t len = 2 * GROUP_LIMIT;
	int i, dmabuf;

	vcm_group_join();
	for (i = 0; i < 4; i++) {
		dmabuf = i & 1 ? __vcm_dev_alloc_sizes(dev, len, 0) : __vcm_heap_alloc(heap, len);
		if (is_accounting()) {
			igt_assert_eq(dmabuf, -ENOMEM);
			continue;
		}
		/* Charged to nobody, and so to no limit. */
		igt_assert(dmabuf >= 0);
		close(dmabuf);
	}
	/* What fits is there afterwards. */
	dmabuf = vcm_heap_alloc(heap, GROUP_LIMIT / 2);
	close(dmabuf);
}

static void test_group_limit(int dev, int heap)
{
	struct vcm_bystander bystander;
	struct vcm_memory before;

	vcm_memory_read(&before);
	group_create();
	vcm_bystander_start(&bystander);
	igt_fork(child, 1)
		alloc_beyond_limit(dev, heap);
	igt_waitchildren();
	igt_assert_eq_u64(vcm_group_read("memory.events", "oom_kill"), 0);
	vcm_bystander_stop(&bystander);
	assert_nothing_charged();
	vcm_group_destroy();
	vcm_memory_assert_back(&before, "beyond the limit of a group");
}

static void alloc_at_limit(int heap)
{
	uint64_t left, page = vcm_page_size();
	int i, dmabuf, step = is_accounting() ? 1 : 16, had = 0;

	vcm_group_join();
	for (i = -16; i < 48; i += step) {
		left = GROUP_LIMIT - group_charge();
		dmabuf = __vcm_heap_alloc(heap, left - i * page);
		igt_assert_f(dmabuf >= 0 || dmabuf == -ENOMEM, "%s\n", strerror(-dmabuf));
		if (dmabuf >= 0) {
			close(dmabuf);
			had++;
		}
	}
	igt_info("%d of %d buffers of about what is left were had\n", had, 64 / step);
}

static void test_group_edge(int heap)
{
	struct vcm_memory before;

	vcm_memory_read(&before);
	group_create();
	igt_fork(child, 1)
		alloc_at_limit(heap);
	igt_waitchildren();
	igt_assert_eq_u64(vcm_group_read("memory.events", "oom_kill"), 0);
	assert_nothing_charged();
	vcm_group_destroy();
	vcm_memory_assert_back(&before, "at the limit of a group");
}

/* What an import needs in the kernel is charged to who imports. */
static void import_until_limit(int dmabuf)
{
	int importer = vcm_importer_open(1), ret = 0;
	struct vcm_edu_import import;
	static uint32_t handles[1000];
	unsigned int n = 0;
	char limit[32];

	vcm_group_join();
	/* What a process writes to for the first time is charged, too. */
	igt_assert_eq(mlockall(MCL_CURRENT), 0);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)group_charge());
	vcm_group_write("memory.max", limit);
	while (n < ARRAY_SIZE(handles) &&
	       !(ret = __vcm_importer_import(importer, dmabuf, &import)))
		handles[n++] = import.handle;
	igt_assert_eq(ret, -ENOMEM);
	igt_info("%u imports\n", n);
	while (n--)
		vcm_importer_release(importer, handles[n]);
	close(importer);
}

static void test_group_import(int dev)
{
	struct vcm_memory before;
	int dmabuf;

	vcm_memory_read(&before);
	dmabuf = vcm_dev_alloc_sizes(dev, MIB(1), vcm_page_size());
	group_create();
	igt_fork(child, 1)
		import_until_limit(dmabuf);
	igt_waitchildren();
	igt_assert_eq_u64(vcm_group_read("memory.events", "oom_kill"), 0);
	close(dmabuf);
	assert_nothing_charged();
	vcm_group_destroy();
	vcm_memory_assert_back(&before, "imports up to the limit of a group");
}

/* --- All --------------------------------------------------------------- */

static const struct {
	const char *name;
	bool heap;
	uint64_t chunk_sizes;
} kinds[] = {
	{ "heap", true, 0 },
	{ "all", false, 0 },
	{ "page", false, 4096 },
	{ "64k", false, DMA_HEAP_VCM_CHUNK_64K },
	{ "2m", false, DMA_HEAP_VCM_CHUNK_2M },
};

int igt_main()
{
	static int dev, heap, i;

	igt_fixture() {
		dev = vcm_dev_open();
		heap = vcm_heap_open();
		vcm_require_pool();
	}

	vcm_subtest("beyond-ram", test_beyond_ram(dev, heap),
		    "A buffer beyond the machine's memory is refused at once");

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		vcm_subtest_f(test_beyond_free(dev, kinds[i].heap ? heap : -1,
					       kinds[i].chunk_sizes),
			      "A buffer beyond free memory fails, and nobody else suffers",
			      "beyond-free-%s", kinds[i].name);

	vcm_subtest("step-by-step", test_step_by_step(heap),
		    "Buffers until memory is full: the last one fails, and nobody else suffers");
	vcm_subtest("many-ask", test_many_ask(heap),
		    "Where processes together ask for more than there is, none is killed");
	vcm_subtest("many-small-chunks", test_many_small_chunks(dev),
		    "A list of many chunks makes nobody wait for a block that is as large");
	vcm_subtest("full-pool", test_full_pool(heap),
		    "Memory that the heap keeps is there for a buffer that needs it");
	vcm_subtest("full-pool-others", test_full_pool_others(heap),
		    "Memory that the heap keeps is there for others");
	vcm_subtest("group-charge", test_group_charge(heap),
		    "A buffer is charged to who allocates it, if that is what was asked for");
	vcm_subtest("group-limit", test_group_limit(dev, heap),
		    "A buffer beyond the limit of a group fails for that group, and only there");
	vcm_subtest("group-edge", test_group_edge(heap),
		    "Nobody dies of a buffer that just fits the limit of a group, or just not");
	vcm_subtest("group-import", test_group_import(dev),
		    "Nobody dies of imports that use up the limit of a group");
}
