// SPDX-License-Identifier: MIT

#include "vcm_churn.h"
#include "vcm_pool_test.h"

IGT_TEST_DESCRIPTION("The vcm heap's pool where memory is short, and where many use it at once.");

/* What other users of the machine may take while a test looks at free memory. */
#define FREE_NOISE MIB(16)
/* What the kernel does not give to processes: watermarks, and what CPUs have at hand. */
#define RESERVE MIB(128)
/* ... and what buffers leave to others, by a cautious estimate of what there is. */
#define HEAP_RESERVE (RESERVE + MIB(128))

static uint64_t round_down(uint64_t len)
{
	return len / SIZE_2M * SIZE_2M;
}

/* A pool that may have all of memory. */
static void renew_unlimited(void)
{
	vcm_pool_renew(vcm_ram_size() >> 20);
}

static void test_drop_caches(void)
{
	struct vcm_pool pool;
	uint64_t before;

	vcm_pool_renew(128);
	put(MIB(48) + KIB(68), ALL_SIZES);
	put(MIB(16), SIZE_PAGE);
	vcm_pool_wait_clean(&pool);
	put(MIB(8), SIZE_64K);
	before = vcm_ram_unused();
	vcm_drop_caches();
	vcm_pool_assert_empty();
	igt_assert_lt_u64(before + MIB(72) - FREE_NOISE, vcm_ram_unused());
}

/* ---- In which order ---- */

/* Memory that a process really uses */
struct hog {
	char *area;	/* reserved addresses */
	size_t size;	/* bytes in area */
	size_t used;	/* bytes of it that are in use */
};

static void hog_init(struct hog *hog)
{
	hog->size = vcm_ram_size();
	hog->used = 0;
	hog->area = mmap(NULL, hog->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	igt_assert(hog->area != MAP_FAILED);
	/* Page by page, as the pressure is wanted in small steps. */
	igt_assert_eq(madvise(hog->area, hog->size, MADV_NOHUGEPAGE), 0);
}

static void hog_use(struct hog *hog, size_t more)
{
	size_t end = hog->used + more;

	igt_assert_lte_u64(end, hog->size);
	for (; hog->used < end; hog->used += vcm_page_size())
		hog->area[hog->used] = 1;
}

/* The pool's counters in the order in which they should go. */
enum { RANKS = 2 * VCM_CHUNKS };

static void rank(const struct vcm_pool *pool, uint64_t *ranks)
{
	int i;

	for (i = 0; i < VCM_CHUNKS; i++) {
		ranks[i] = pool->dirty[VCM_CHUNKS - 1 - i];
		ranks[VCM_CHUNKS + i] = pool->clean[VCM_CHUNKS - 1 - i];
	}
}

/*
 * What has become less between @before and @now says that all that goes before
 * it was gone: @later tells, as one reading of the file is not of one moment.
 */
static void assert_order(const struct vcm_pool *before, const struct vcm_pool *now,
			 const struct vcm_pool *later)
{
	uint64_t was[RANKS], is[RANKS], then[RANKS];
	int i, j;

	rank(before, was);
	rank(now, is);
	rank(later, then);
	for (i = 1; i < RANKS; i++) {
		if (is[i] >= was[i])
			continue;
		for (j = 0; j < i; j++)
			igt_assert_f(!then[j], "rank %d went from %llu to %llu, rank %d has %llu\n",
				     i, (unsigned long long)was[i], (unsigned long long)is[i],
				     j, (unsigned long long)then[j]);
	}
}

/* Some of each size, and enough that it does not go in one go. */
static const uint64_t mixture[VCM_CHUNKS] = { 20, 32, 512, 6144 };

static void take_mixture(int *dmabufs)
{
	int i;

	for (i = 0; i < VCM_CHUNKS; i++)
		dmabufs[i] = alloc(mixture[i] * vcm_chunk_size(i), vcm_chunk_size(i));
}

static void give_mixture(const int *dmabufs)
{
	int i;

	for (i = 0; i < VCM_CHUNKS; i++)
		close(dmabufs[i]);
}

/* Until the pool had to give something: then its worker rests for a while. */
static void press_until_shrunk(struct hog *hog)
{
	uint64_t total = vcm_pool_total(), free = vcm_ram_unused();

	if (free > RESERVE)
		hog_use(hog, free - RESERVE);
	while (vcm_pool_total() >= total)
		hog_use(hog, MIB(1));
}

/* Returns how many steps were seen; the worker must not have gone on to work. */
static unsigned int press_in_steps(struct hog *hog)
{
	struct vcm_pool before, now, later;
	unsigned int steps = 0;

	vcm_pool_read(&before);
	while (before.total) {
		hog_use(hog, KIB(256));
		vcm_pool_read(&now);
		vcm_pool_read(&later);
		if (vcm_pool_bytes(later.clean) > vcm_pool_bytes(before.clean))
			return 0;
		assert_order(&before, &now, &later);
		steps += now.total && now.total < before.total;
		before = now;
	}
	return steps;
}

/* In a process of its own, whose memory is gone with it. */
static void press_out_mixtures(struct vcm_crew *crew)
{
	int clean[VCM_CHUNKS], dirty[VCM_CHUNKS];
	struct vcm_pool pool;
	unsigned int steps;
	struct hog hog;

	take_mixture(clean);
	take_mixture(dirty);
	give_mixture(clean);
	vcm_pool_wait_clean(&pool);

	hog_init(&hog);
	press_until_shrunk(&hog);
	give_mixture(dirty);
	/* Who was in the middle of shrinking has not seen the dirty chunks. */
	usleep(100000);
	vcm_pool_read(&pool);
	steps = press_in_steps(&hog);
	igt_debug("%llu MiB of clean chunks went in %u steps\n",
		  (unsigned long long)vcm_pool_bytes(pool.clean) >> 20, steps);
	if (vcm_pool_bytes(pool.clean) && steps > 1)
		vcm_crew_count(crew);
}

/* A round in which the worker was in the way does not count. */
static void test_cheapest_first(void)
{
	enum { ROUNDS = 2, TRIES = 4 };
	struct vcm_crew crew;
	int i;

	vcm_crew_init(&crew, ROUNDS);
	for (i = 0; i < TRIES && !vcm_crew_complete(&crew); i++) {
		vcm_pool_renew(512);
		igt_fork(child, 1)
			press_out_mixtures(&crew);
		igt_waitchildren();
	}
	igt_assert_f(vcm_crew_complete(&crew), "the pool went in one go, %u of %d times\n",
		     i - *crew.count, i);
	vcm_crew_fini(&crew);
}

/* ---- Who needs it gets it ---- */

static void test_before_oom(void)
{
	uint64_t kills = vcm_oom_kills(), part;

	renew_unlimited();
	part = round_down(vcm_ram_unused() / 2);
	put(part, SIZE_2M);
	igt_assert_eq_u64(vcm_pool_total(), part);
	igt_fork(child, 1) {
		struct hog hog;

		hog_init(&hog);
		hog_use(&hog, vcm_ram_unused() + part - RESERVE);
	}
	igt_waitchildren();
	igt_assert_eq_u64(vcm_oom_kills(), kills);
	igt_assert_lt_u64(vcm_pool_total(), RESERVE);
}

static const struct {
	const char *name;
	uint64_t pooled, wanted;
} conversions[] = {
	{ "large-as-64k", SIZE_2M, SIZE_64K },
	{ "large-as-page", SIZE_2M, SIZE_PAGE },
	{ "64k-as-large", SIZE_64K, SIZE_2M },
};

/* What a heap can have of what nobody uses. */
static uint64_t heap_unused(void)
{
	return vcm_ram_unused() - vcm_meminfo("CmaFree");
}

static void test_other_sizes(uint64_t pooled, uint64_t wanted)
{
	uint64_t kills = vcm_oom_kills(), part;
	int dmabuf;

	renew_unlimited();
	part = round_down(heap_unused() * 6 / 10);
	put(part, pooled);
	igt_assert_eq_u64(vcm_pool_total(), part);
	/* More than is free, and less than is free and pooled. */
	igt_assert_lt_u64(heap_unused(), part);
	dmabuf = alloc(part + SIZE_2M, wanted);
	igt_assert_lt_u64(vcm_pool_total(), part);
	close(dmabuf);
	igt_assert_eq_u64(vcm_oom_kills(), kills);
}

/* Both meet the end of what is free, and there is enough for both in the pool. */
static void test_other_sizes_together(void)
{
	enum { CHILDREN = 2, ROUNDS = 4 };
	uint64_t kills = vcm_oom_kills(), part, each;
	struct vcm_crew crew;
	int i;

	renew_unlimited();
	part = round_down(heap_unused() / 2);
	each = round_down((heap_unused() - HEAP_RESERVE) / CHILDREN);
	for (i = 0; i < ROUNDS; i++) {
		vcm_pool_empty();
		put(part, SIZE_2M);
		vcm_crew_init(&crew, CHILDREN);
		igt_fork(child, CHILDREN) {
			vcm_crew_meet(&crew);
			alloc(each, SIZE_64K);
		}
		igt_waitchildren();
		vcm_crew_fini(&crew);
	}
	igt_assert_eq_u64(vcm_oom_kills(), kills);
}

/* ---- Many at once ---- */

static void allocate(void *data)
{
	__vcm_dev_alloc(dev, data);
}

static void test_killed(void)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(MIB(256) + KIB(68));
	uint64_t unused, reclaimable;
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	vcm_pool_renew(256);
	reclaimable = vcm_ram_reclaimable();
	unused = vcm_ram_unused();
	for (i = 0; i < 12; i++) {
		put(MIB(160), SIZE_2M);
		vcm_kill_in(allocate, &args, 500 << i % 9);
		vcm_totals_assert_back(&before);
	}
	vcm_pool_empty();
	vcm_pool_assert_empty();
	igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
	igt_assert_lt_u64(unused, vcm_ram_unused() + FREE_NOISE);
}

/* Everything that takes chunks from the pool but an allocation. */
static void disturb(uint64_t *random)
{
	uint64_t low;

	switch (vcm_random(random) % 6) {
	case 0:
		vcm_pool_empty();
		break;
	case 1:
		vcm_drop_caches();
		break;
	case 2:
	case 3:
		vcm_pool_set(VCM_POOL_CAP, vcm_random(random) % 48);
		break;
	case 4:
		low = vcm_random(random) % 8;
		vcm_pool_set_marks(low, low + vcm_random(random) % 8);
		break;
	default:
		usleep(vcm_random(random) % 20000);
	}
}

static void test_contention(void)
{
	enum { CHILDREN = 4, ROUNDS = 400 };
	uint64_t unused, reclaimable, random = 7;
	struct vcm_totals before;
	struct vcm_crew crew;

	vcm_totals_read(&before);
	vcm_pool_renew(48);
	reclaimable = vcm_ram_reclaimable();
	unused = vcm_ram_unused();
	vcm_crew_init(&crew, CHILDREN);
	igt_fork(child, CHILDREN) {
		vcm_churn(dev, child, ROUNDS);
		vcm_crew_count(&crew);
	}
	while (!vcm_crew_complete(&crew))
		disturb(&random);
	igt_waitchildren();
	vcm_crew_fini(&crew);

	vcm_totals_assert_back(&before);
	vcm_pool_renew(48);
	igt_assert_eq_u64(vcm_ram_reclaimable(), reclaimable);
	igt_assert_lt_u64(unused, vcm_ram_unused() + FREE_NOISE);
}

int igt_main()
{
	static int i;

	igt_fixture() {
		setup();
		igt_require_f(vcm_ram_unused() >= MIB(700), "too little memory\n");
	}

	vcm_subtest("drop-caches", test_drop_caches(),
		    "Dropping the kernel's caches drops the pool");
	vcm_subtest("cheapest-first", test_cheapest_first(),
		    "Under pressure dirty chunks go before clean ones, and small before large");
	vcm_subtest("before-the-oom-killer", test_before_oom(),
		    "A process gets the pool's memory before another would have to die");

	for (i = 0; i < ARRAY_SIZE(conversions); i++)
		vcm_subtest_f(test_other_sizes(conversions[i].pooled, conversions[i].wanted),
			      "Memory that the pool has in other chunks is had, too",
			      "other-sizes-%s", conversions[i].name);

	vcm_subtest("other-sizes-together", test_other_sizes_together(),
		    "Two processes get what the pool has in other chunks");
	vcm_subtest("killed", test_killed(),
		    "A process killed while it takes from the pool leaves nothing behind");
	vcm_subtest("contention", test_contention(),
		    "Nothing is lost where many allocate, release, drain and change the cap");

	igt_fixture()
		teardown();
}
