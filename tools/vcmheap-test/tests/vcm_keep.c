// SPDX-License-Identifier: MIT
/*
 * Mappings that are kept when they are unmapped: they work like others, they give way
 * to who needs the room, and they end when they have to.
 */

#include "vcm_driver.h"
#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Mappings that are kept when they are unmapped.");

#define WORD	8u
#define JUNK	0x0badc0de0badc0deull

static int alloc_kept(int dev, uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.flags = DMA_HEAP_VCM_KEEP;
	return vcm_dev_alloc(dev, &args);
}

/* Figures of the device in debugfs; 0 where nobody uses it. */
static uint64_t device_field(const char *name, const char *key)
{
	char *text = vcm_debugfs_read("iova"), *save = NULL, *line;
	uint64_t value = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (vcm_debugfs_is_line_of(line, name))
			value = vcm_debugfs_field(line, key);
	free(text);
	return value;
}

/* A device, and a page through which the CPU sees its RAM */
struct seat {
	int importer;
	char name[VCM_DEVICE_NAME_LEN];
	int page;
	struct vcm_edu_import desk;
	volatile uint64_t *words;
};

static void seat_init(struct seat *seat, int dev, unsigned int index)
{
	*seat = (struct seat){ .importer = vcm_importer_open(index) };
	vcm_importer_name(index, seat->name);
	seat->page = vcm_dev_alloc_policy(dev, vcm_page_size(), 0, 0, 0);
	seat->words = vcm_buffer_map(seat->page);
	igt_assert_eq(__vcm_importer_import(seat->importer, seat->page, &seat->desk), 0);
}

static void seat_fini(struct seat *seat)
{
	vcm_importer_release(seat->importer, seat->desk.handle);
	vcm_buffer_unmap((void *)seat->words, vcm_page_size());
	close(seat->page);
	close(seat->importer);
}

/* What the device finds at an address; JUNK if that is nothing. */
static uint64_t device_reads(struct seat *seat, uint64_t iova)
{
	seat->words[0] = JUNK;
	vcm_importer_read(seat->importer, seat->desk.handle, 0, WORD);
	vcm_importer_probe(seat->importer, VCM_EDU_TO_DEVICE, iova, WORD, 0);
	vcm_importer_write(seat->importer, seat->desk.handle, 0, WORD);
	vcm_buffer_begin(seat->page, DMA_BUF_SYNC_READ);
	vcm_buffer_end(seat->page, DMA_BUF_SYNC_READ);
	return seat->words[0];
}

static bool reaches(struct seat *seat, uint64_t iova, uint64_t word)
{
	return device_reads(seat, iova) == word;
}

static void set_word(int dmabuf, uint64_t word)
{
	uint64_t *words = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_WRITE);
	words[0] = word;
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_buffer_unmap(words, vcm_buffer_size(dmabuf));
}

static int __set_mapped(struct seat *seat, struct vcm_edu_import *import, bool map)
{
	struct vcm_edu_mapping args = { .handle = import->handle, .map = map };
	int ret = __vcm_importer_ioctl(seat->importer, VCM_EDU_IOC_MAPPING, &args);

	if (!ret && map)
		import->iova = args.iova;
	return ret;
}

static void unmap(struct seat *seat, struct vcm_edu_import *import)
{
	igt_assert_eq(__set_mapped(seat, import, false), 0);
}

static void map(struct seat *seat, struct vcm_edu_import *import)
{
	igt_assert_eq(__set_mapped(seat, import, true), 0);
}

static void import_it(struct seat *seat, int dmabuf, struct vcm_edu_import *import)
{
	*import = (struct vcm_edu_import){};
	igt_assert_eq(__vcm_importer_import(seat->importer, dmabuf, import), 0);
}

static void release(struct seat *seat, struct vcm_edu_import *import)
{
	vcm_importer_release(seat->importer, import->handle);
}

/* --- Subtests ---------------------------------------------------------- */

/* The same address again and again, and the memory behind it is right each time. */
static void test_again(int dev, unsigned int index)
{
	const uint64_t length[] = { vcm_page_size(), KIB(64), MIB(3), MIB(12) };
	struct vcm_edu_import import;
	struct seat seat;
	uint64_t iova;
	unsigned int i, j;

	seat_init(&seat, dev, index);
	for (i = 0; i < ARRAY_SIZE(length); i++) {
		int dmabuf = alloc_kept(dev, length[i]);

		import_it(&seat, dmabuf, &import);
		iova = import.iova;
		for (j = 0; j < 20; j++) {
			unmap(&seat, &import);
			igt_assert_eq_u64(device_field(seat.name, " kept="), 1);
			igt_assert_eq_u64(device_field(seat.name, " mappings="), 1);
			/* What the CPU writes meanwhile the device finds. */
			set_word(dmabuf, j + 1);
			map(&seat, &import);
			igt_assert_eq_u64(import.iova, iova);
			vcm_importer_read(seat.importer, import.handle, 0, WORD);
			seat.words[1] = 0;
			vcm_importer_write(seat.importer, seat.desk.handle, 0, WORD);
			vcm_buffer_begin(seat.page, DMA_BUF_SYNC_READ);
			igt_assert_eq_u64(seat.words[0], j + 1);
			vcm_buffer_end(seat.page, DMA_BUF_SYNC_READ);
		}
		release(&seat, &import);
		igt_assert_eq_u64(device_field(seat.name, " kept="), 0);
		close(dmabuf);
	}
	seat_fini(&seat);
}

/* It has its access until it is dropped, as is said. */
static void test_access(int dev, unsigned int index)
{
	int dmabuf = alloc_kept(dev, MIB(1)), other;
	struct dma_heap_vcm_drop drop = { .size = sizeof(drop), .fd = dmabuf };
	struct vcm_edu_import import;
	struct seat seat;

	seat_init(&seat, dev, index);
	set_word(dmabuf, 0x600d);
	import_it(&seat, dmabuf, &import);
	igt_assert(reaches(&seat, import.iova, 0x600d));
	unmap(&seat, &import);
	igt_assert(reaches(&seat, import.iova, 0x600d));
	igt_assert_eq(vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_DROP, &drop), 0);
	igt_assert(!reaches(&seat, import.iova, 0x600d));
	igt_assert_eq_u64(device_field(seat.name, " kept="), 0);

	/* What is mapped is not dropped, and what is detached has gone. */
	map(&seat, &import);
	igt_assert_eq(vcm_ioctl(dev, DMA_HEAP_VCM_IOCTL_DROP, &drop), 0);
	igt_assert(reaches(&seat, import.iova, 0x600d));
	unmap(&seat, &import);
	release(&seat, &import);
	igt_assert(!reaches(&seat, import.iova, 0x600d));

	/* Without the flag it has none once it is unmapped. */
	other = vcm_dev_alloc_policy(dev, MIB(1), 0, 0, 0);
	set_word(other, 0x600d);
	import_it(&seat, other, &import);
	igt_assert(reaches(&seat, import.iova, 0x600d));
	unmap(&seat, &import);
	igt_assert(!reaches(&seat, import.iova, 0x600d));
	release(&seat, &import);
	close(other);
	close(dmabuf);
	seat_fini(&seat);
}

/* All at once, by the administrator */
static void test_drop_all(int dev, unsigned int index)
{
	struct vcm_edu_import import[4];
	int dmabuf = alloc_kept(dev, MIB(1)), i;
	struct seat seat;

	seat_init(&seat, dev, index);
	for (i = 0; i < 4; i++) {
		import_it(&seat, dmabuf, &import[i]);
		if (i)
			unmap(&seat, &import[i]);
	}
	igt_assert_eq_u64(device_field(seat.name, " kept="), 3);
	vcm_file_assert_write("/sys/kernel/debug/vcm/kept_drop", "1");
	igt_assert_eq_u64(device_field(seat.name, " kept="), 0);
	igt_assert_eq_u64(device_field(seat.name, " mappings="), 2);
	for (i = 0; i < 4; i++)
		release(&seat, &import[i]);
	close(dmabuf);
	seat_fini(&seat);
}

/* A quarter of a narrow device's addresses, those that were used last */
static void test_budget(int dev, unsigned int index)
{
	struct vcm_edu_import import[40];
	struct vcm_edu_info info;
	int dmabuf = alloc_kept(dev, MIB(2)), i;
	uint64_t budget;
	struct seat seat;

	seat_init(&seat, dev, index);
	igt_assert_eq(__vcm_importer_info(seat.importer, &info), 0);
	budget = info.dma_bits >= 32 ? MIB(1024) : 1ull << (info.dma_bits - 2);
	for (i = 0; i < 40; i++) {
		import_it(&seat, dmabuf, &import[i]);
		unmap(&seat, &import[i]);
		igt_assert_lte_u64(device_field(seat.name, " kept_bytes="), budget);
	}
	igt_assert_eq_u64(device_field(seat.name, " kept="),
			  budget / MIB(2) < 40 ? budget / MIB(2) : 40);
	for (i = 0; i < 40; i++)
		release(&seat, &import[i]);
	close(dmabuf);
	seat_fini(&seat);
}

/* As many other buffers fit as where nothing is kept. */
static void test_gives_way(int dev, unsigned int index)
{
	static struct vcm_edu_import import[2][200];
	struct vcm_edu_import kept[16];
	int small = alloc_kept(dev, MIB(3)), large = vcm_dev_alloc_policy(dev, MIB(8), 0, 0, 0);
	unsigned int n[2] = {}, i, round;
	struct seat seat;

	seat_init(&seat, dev, index);
	for (round = 0; round < 2; round++) {
		for (i = 0; round && i < 16; i++) {
			import_it(&seat, small, &kept[i]);
			unmap(&seat, &kept[i]);
		}
		while (n[round] < 200 &&
		       !__vcm_importer_import(seat.importer, large, &import[round][n[round]]))
			n[round]++;
		for (i = 0; i < n[round]; i++)
			release(&seat, &import[round][i]);
	}
	/* What is kept is as long as six of them. A page elsewhere may be in the way of one. */
	igt_assert_lte(n[0], n[1] + 1);
	for (i = 0; i < 16; i++)
		release(&seat, &kept[i]);
	close(small);
	close(large);
	seat_fini(&seat);
}

/* The device goes with something kept. */
static void test_gone(int dev, unsigned int index)
{
	int dmabuf = alloc_kept(dev, MIB(3)), importer;
	char name[VCM_DEVICE_NAME_LEN];
	struct vcm_edu_import import;
	struct seat seat;

	seat_init(&seat, dev, index);
	strcpy(name, seat.name);
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "Y");
	import_it(&seat, dmabuf, &import);
	unmap(&seat, &import);
	vcm_driver_unbind(name);
	igt_assert_eq_u64(device_field(name, " kept="), 0);
	vcm_importer_release(seat.importer, import.handle);
	vcm_importer_release(seat.importer, seat.desk.handle);
	vcm_file_assert_write("/sys/module/" VCM_EDU_MODULE "/parameters/late", "N");
	vcm_buffer_unmap((void *)seat.words, vcm_page_size());
	close(seat.page);
	close(seat.importer);
	vcm_driver_bind(name);
	importer = vcm_importer_open(index);
	vcm_importer_release(importer, vcm_importer_import(importer, dmabuf));
	close(importer);
	close(dmabuf);
}

/* A kept mapping is no reference to the buffer. */
static void test_closed(int dev, unsigned int index)
{
	struct vcm_totals before;
	struct vcm_edu_import import;
	struct seat seat;
	int dmabuf;

	seat_init(&seat, dev, index);
	vcm_totals_read(&before);
	dmabuf = alloc_kept(dev, MIB(1));
	import_it(&seat, dmabuf, &import);
	unmap(&seat, &import);
	close(dmabuf);
	release(&seat, &import);
	vcm_totals_assert_back(&before);
	seat_fini(&seat);
}

static const struct {
	const char *name;
	void (*run)(int dev, unsigned int index);
	const char *description;
} subtests[] = {
	{ "again", test_again, "What is mapped again is where it was, with what is in it now" },
	{ "access", test_access, "A device has its access until it is dropped, and no longer" },
	{ "drop-all", test_drop_all, "Root drops all that is kept" },
	{ "budget", test_budget, "No more is kept than a quarter of a narrow device's addresses" },
	{ "gives-way", test_gives_way, "What is kept is in nobody's way" },
	{ "gone", test_gone, "What is kept ends with its device" },
	{ "closed", test_closed, "What is kept keeps no buffer" },
};

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i, j;

	igt_fixture() {
		int importer = vcm_importer_open(0);

		dev = vcm_dev_open();
		vcm_importer_require_probe(importer);
		close(importer);
		vcm_require_debugfs();
		vcm_edu_setup();
		vcm_totals_read(&before);
	}

	for (j = 0; j < 2; j++)
		for (i = 0; i < ARRAY_SIZE(subtests); i++)
			vcm_subtest_f(subtests[i].run(dev, j), subtests[i].description,
				      "%s-%d", subtests[i].name, j);

	igt_fixture() {
		vcm_edu_restore();
		vcm_totals_assert_back(&before);
		close(dev);
	}
}
