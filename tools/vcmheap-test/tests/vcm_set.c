// SPDX-License-Identifier: MIT
/*
 * Sets of spaces: a device works on more memory than it can address, and nothing of it
 * is anywhere but where it belongs.
 */

#include "vcm_driver.h"
#include "vcm_set.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("More room than a device can address: sets of spaces.");

/* A small set: three spaces with room for two buffers of 3 MB each */
#define SMALL_START	MIB(16)
#define SMALL_LENGTH	MIB(7)
#define SMALL_MAX	3
#define SMALL_BUFFER	MIB(3)
#define SMALL_ROOM	2

/* --- Looking ----------------------------------------------------------- */

static void set_first_word(int dmabuf, uint64_t word)
{
	uint64_t *words = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	words[0] = word;
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(words, vcm_buffer_size(dmabuf));
}

/* The device copies the first word of the buffer to the second one. */
static void assert_reached(int importer, const struct vcm_seat *seat, int dmabuf, uint64_t word)
{
	uint64_t *words = vcm_buffer_map(dmabuf);

	set_first_word(dmabuf, word);
	igt_assert_eq(__vcm_set_job(importer, seat, 0, seat, 8, 8, NULL), 0);
	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_READ);
	igt_assert_eq_u64(words[1], word);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_READ);
	vcm_buffer_unmap(words, vcm_buffer_size(dmabuf));
}

static int __set_import_one(int importer, uint32_t set, int dmabuf, struct vcm_seat *seat)
{
	return __vcm_set_import(importer, set, &dmabuf, 1, 0, seat);
}

static uint32_t small_set(int importer)
{
	return vcm_set_create(importer, SMALL_START, SMALL_LENGTH, SMALL_MAX);
}

static int small_buffer(int dev)
{
	return vcm_dev_alloc_policy(dev, SMALL_BUFFER, 0, 0, 0);
}

/* --- Small sets -------------------------------------------------------- */

#define SMALL_ALL (SMALL_MAX * SMALL_ROOM)

/* Spaces are made as they are needed, and the device finds each buffer in its own. */
static void test_grows(int dev, int importer)
{
	uint32_t set = small_set(importer);
	struct vcm_seat seats[SMALL_ALL + 1];
	int dmabufs[SMALL_ALL + 1], i;

	igt_assert_eq(vcm_set_spaces(), 1);
	for (i = 0; i <= SMALL_ALL; i++)
		dmabufs[i] = small_buffer(dev);
	for (i = 0; i < SMALL_ALL; i++) {
		vcm_set_import(importer, set, dmabufs[i], &seats[i]);
		igt_assert_eq(vcm_set_spaces(), i / SMALL_ROOM + 1);
		igt_assert_lte_u64(SMALL_START, seats[i].iova);
		igt_assert_lte_u64(seats[i].iova + SMALL_BUFFER, SMALL_START + SMALL_LENGTH);
	}
	for (i = 0; i < SMALL_ALL; i++)
		igt_assert_eq_u64(seats[i].iova, seats[i % SMALL_ROOM].iova);
	for (i = SMALL_ALL; i--; )
		assert_reached(importer, &seats[i], dmabufs[i], 0xb0b + i);
	igt_assert_eq(__set_import_one(importer, set, -1, &seats[SMALL_ALL]), -EBADF);
	igt_assert_eq(__set_import_one(importer, set, dmabufs[SMALL_ALL], &seats[SMALL_ALL]),
		      -ENOSPC);

	vcm_importer_release(importer, seats[2].handle);
	vcm_set_import(importer, set, dmabufs[SMALL_ALL], &seats[2]);
	assert_reached(importer, &seats[2], dmabufs[SMALL_ALL], 0xa11);
	for (i = 0; i < SMALL_ALL; i++)
		vcm_importer_release(importer, seats[i].handle);
	igt_assert_eq(vcm_set_spaces(), 1);
	vcm_set_destroy(importer, set);
	for (i = 0; i <= SMALL_ALL; i++)
		close(dmabufs[i]);
}

/* What is used in one job is in one space, also where that takes another one. */
static void test_together(int dev, int importer)
{
	uint32_t set = small_set(importer);
	struct vcm_seat alone, pair[2], third;
	int dmabufs[4], i;

	for (i = 0; i < 4; i++)
		dmabufs[i] = small_buffer(dev);
	vcm_set_import(importer, set, dmabufs[0], &alone);
	/* There is room for one of the two. */
	igt_assert_eq(__vcm_set_import(importer, set, &dmabufs[1], 2, 0, pair), 0);
	igt_assert_eq(pair[0].number, pair[1].number);
	igt_assert_neq(pair[0].number, alone.number);
	igt_assert_eq(__vcm_set_import(importer, set, &dmabufs[3], 1, pair[0].handle, &third),
		      -ENOSPC);
	igt_assert_eq(__vcm_set_import(importer, set, &dmabufs[3], 1, alone.handle, &third), 0);
	igt_assert_eq(third.number, alone.number);
	igt_assert_eq(__vcm_set_job(importer, &alone, 0, &pair[0], 0, 8, NULL), -EINVAL);

	set_first_word(dmabufs[1], 0x10b);
	igt_assert_eq(__vcm_set_job(importer, &pair[0], 0, &pair[1], 0, 8, NULL), 0);
	assert_reached(importer, &third, dmabufs[3], 3);
	vcm_importer_release(importer, third.handle);
	vcm_importer_release(importer, pair[1].handle);
	vcm_importer_release(importer, pair[0].handle);
	vcm_importer_release(importer, alone.handle);
	vcm_set_destroy(importer, set);
	for (i = 0; i < 4; i++)
		close(dmabufs[i]);
}

/* The same buffer, weights for example, in every space */
static void test_shared(int dev, int importer)
{
	uint32_t set = small_set(importer);
	int weights = vcm_dev_alloc_policy(dev, KIB(64), 0, 0, 0), dmabufs[SMALL_ALL], i;
	struct vcm_seat seats[SMALL_ALL], beside[SMALL_ALL];
	uint64_t *words;

	set_first_word(weights, 0x3e1947);
	for (i = 0; i < SMALL_ALL; i++) {
		dmabufs[i] = small_buffer(dev);
		vcm_set_import(importer, set, dmabufs[i], &seats[i]);
	}
	for (i = 0; i < SMALL_ALL; i++) {
		igt_assert_eq(__vcm_set_import(importer, set, &weights, 1, seats[i].handle,
					   &beside[i]), 0);
		igt_assert_eq(beside[i].number, seats[i].number);
		igt_assert_eq(__vcm_set_job(importer, &beside[i], 0, &seats[i], 0, 8, NULL), 0);
		words = vcm_buffer_map(dmabufs[i]);
		vcm_buffer_begin(dmabufs[i], DMA_BUF_SYNC_READ);
		igt_assert_eq_u64(words[0], 0x3e1947);
		vcm_buffer_end(dmabufs[i], DMA_BUF_SYNC_READ);
		vcm_buffer_unmap(words, SMALL_BUFFER);
	}
	for (i = 0; i < SMALL_ALL; i++) {
		vcm_importer_release(importer, beside[i].handle);
		vcm_importer_release(importer, seats[i].handle);
		close(dmabufs[i]);
	}
	vcm_set_destroy(importer, set);
	close(weights);
}

/* The buffers of another heap, which says ENOMEM where there is no room */
static void test_others(int dev, int importer)
{
	int heap = __vcm_heap_open("system"), dmabufs[8], i, n;
	uint32_t set = vcm_set_create(importer, SMALL_START, MIB(8), 2);
	struct vcm_seat seats[8];

	(void)dev;
	igt_require_f(heap >= 0, "no heap \"system\": %s\n", strerror(-heap));
	for (n = 0; n < 8; n++) {
		dmabufs[n] = vcm_heap_alloc(heap, MIB(4));
		if (__set_import_one(importer, set, dmabufs[n], &seats[n]))
			break;
	}
	igt_assert_eq(n, 4);
	igt_assert_eq(vcm_set_spaces(), 2);
	for (i = 0; i < n; i++)
		assert_reached(importer, &seats[i], dmabufs[i], 0x5e1f + i);
	for (i = 0; i < n; i++)
		vcm_importer_release(importer, seats[i].handle);
	for (i = 0; i <= n; i++)
		close(dmabufs[i]);
	vcm_set_destroy(importer, set);
	close(heap);
}

/* A buffer that is longer than a space is refused, and nothing is made for it. */
static void test_too_long(int dev, int importer)
{
	int longest = vcm_dev_alloc_policy(dev, SMALL_LENGTH + MIB(1), 0, 0, 0);
	int guarded = vcm_dev_alloc_policy(dev, SMALL_LENGTH, 0, MIB(1), 0);
	int dmabuf = small_buffer(dev), i;
	uint32_t set = small_set(importer);
	struct vcm_seat seat, other;

	vcm_set_import(importer, set, dmabuf, &seat);
	for (i = 0; i < 20; i++) {
		igt_assert_eq(__set_import_one(importer, set, longest, &other), -ENOSPC);
		igt_assert_eq(vcm_set_spaces(), i ? 2 : 1);
		/* That is known once it has been tried where nothing is. */
		igt_assert_eq(__set_import_one(importer, set, guarded, &other), -ENOSPC);
		igt_assert_eq(vcm_set_spaces(), 2);
	}
	vcm_importer_release(importer, seat.handle);
	igt_assert_eq(vcm_set_spaces(), 1);
	vcm_set_destroy(importer, set);
	close(dmabuf);
	close(guarded);
	close(longest);
}

static const struct {
	uint64_t start;
	uint64_t length;
	uint32_t max;
	int error;
} mistakes[] = {
	{ SMALL_START, SMALL_LENGTH, 0, -EINVAL },
	{ SMALL_START, SMALL_LENGTH, 65, -EINVAL },
	{ SMALL_START, 0, 1, -EINVAL },
	{ SMALL_START + 1, SMALL_LENGTH, 1, -EINVAL },
	{ UINT64_MAX - 4095, 8192, 1, -EINVAL },
};

static void test_mistakes(int dev, int importer)
{
	uint32_t set;
	struct vcm_seat seat;
	int dmabuf = small_buffer(dev), i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++)
		igt_assert_eq(__vcm_set_create(importer, mistakes[i].start, mistakes[i].length,
					   mistakes[i].max, &set), mistakes[i].error);
	igt_assert_eq(vcm_set_spaces(), 0);
	set = small_set(importer);
	igt_assert_eq(__vcm_set_import(importer, set, &dmabuf, 0, 0, &seat), -EINVAL);
	igt_assert_eq(__vcm_set_import(importer, set, &dmabuf, 1, 77, &seat), -ENOENT);
	igt_assert_eq(__vcm_set_import(importer, set + 1, &dmabuf, 1, 0, &seat), -ENOENT);
	seat.handle = vcm_importer_import(importer, dmabuf);
	igt_assert_eq(__vcm_set_import(importer, set, &dmabuf, 1, seat.handle, &seat), -EINVAL);
	vcm_importer_release(importer, seat.handle);
	vcm_set_destroy(importer, set);
	close(dmabuf);
}

/* --- The end ----------------------------------------------------------- */

/* The set ends first: the device reaches nothing of it, and to release is harmless. */
static void test_destroy_busy(int dev, int importer)
{
	uint32_t set = small_set(importer);
	struct vcm_seat seats[SMALL_ALL];
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < SMALL_ALL; i++) {
		int dmabuf = small_buffer(dev);

		vcm_set_import(importer, set, dmabuf, &seats[i]);
		close(dmabuf);
	}
	igt_assert_eq(__vcm_set_job(importer, &seats[1], 0, &seats[1], 8, 8, NULL), 0);
	vcm_set_destroy(importer, set);
	igt_assert_eq(vcm_set_spaces(), 0);
	igt_assert_eq(__vcm_set_job(importer, &seats[1], 0, &seats[1], 8, 8, NULL), -ENXIO);
	for (i = 0; i < SMALL_ALL; i++)
		vcm_importer_release(importer, seats[i].handle);
	vcm_totals_assert_back(&before);
}

/* What is closed is gone, and spaces with it */
static void test_closed(int dev, int importer)
{
	int other = vcm_importer_open(0), dmabuf = small_buffer(dev), i;
	uint32_t set = small_set(other);
	struct vcm_seat seat;

	(void)importer;
	for (i = 0; i < 5; i++)
		vcm_set_import(other, set, dmabuf, &seat);
	igt_assert_eq(__vcm_set_job(other, &seat, 0, &seat, 8, 8, NULL), 0);
	close(other);
	vcm_spaces_assert_none();
	close(dmabuf);
}

/* The device loses its driver while buffers are mapped, and while the set is there. */
static void test_gone(int dev, int importer)
{
	char name[VCM_DEVICE_NAME_LEN];
	int dmabuf = small_buffer(dev), other = vcm_importer_open(0), i;
	struct vcm_seat seats[5];
	uint32_t set = small_set(other);

	(void)importer;
	vcm_importer_name(0, name);
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "Y");
	for (i = 0; i < 5; i++)
		vcm_set_import(other, set, dmabuf, &seats[i]);
	igt_assert_eq(__vcm_set_job(other, &seats[0], 0, &seats[1], 0, 8, NULL), 0);
	vcm_driver_unbind(name);
	for (i = 0; i < 3; i++)
		vcm_importer_release(other, seats[i].handle);
	close(other);
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "N");
	vcm_driver_bind(name);
	vcm_spaces_assert_none();
	close(dmabuf);
}

/* --- Random jobs ------------------------------------------------------- */

static void test_random(int dev, int importer)
{
	static const struct vcm_set_jobs jobs = {
		.start = SMALL_START, .window = MIB(16), .spaces = 8,
		.buffer = MIB(5), .nr = 24, .jobs = 60,
	};

	vcm_set_run_jobs(dev, importer, &jobs);
}

static const struct {
	const char *name;
	void (*run)(int dev, int importer);
	const char *description;
} subtests[] = {
	{ "grows", test_grows, "Spaces are made as they are needed, and all buffers are reached" },
	{ "together", test_together, "The buffers of a job are in one space" },
	{ "shared", test_shared, "A buffer may be in every space" },
	{ "others", test_others, "Buffers of another heap go where there is room, too" },
	{ "too-long", test_too_long, "What fits nowhere is refused, and nothing is made for it" },
	{ "mistakes", test_mistakes, "Each mistake has its error" },
	{ "destroy-busy", test_destroy_busy, "A set ends with buffers in it" },
	{ "closed", test_closed, "A set ends with its file" },
	{ "gone", test_gone, "A set outlives its device" },
	{ "random", test_random, "Random jobs over all of a set, each byte as it has to be" },
};

int igt_main()
{
	static struct vcm_totals before;
	static int dev, importer, i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_edu_setup();
		importer = vcm_importer_open(0);
		vcm_importer_require_translation(importer);
		vcm_totals_read(&before);
		close(importer);
	}

	/* The device may have gone, and whatever a subtest that failed has left goes. */
	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].description);
		igt_subtest(subtests[i].name) {
			vcm_edu_restore();
			importer = vcm_importer_open(0);
			subtests[i].run(dev, importer);
			close(importer);
			vcm_spaces_assert_none();
		}
	}

	igt_fixture() {
		vcm_edu_restore();
		vcm_totals_assert_back(&before);
		close(dev);
	}
}
