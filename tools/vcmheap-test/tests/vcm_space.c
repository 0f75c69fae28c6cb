// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/udmabuf.h>

#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("Address spaces that are swapped under a device behind an IOMMU.");

/* A chunk of each size. */
#define MIXED (MIB(3) + KIB(64) + vcm_page_size())

/* Within 28 bits, and far from where the DMA API begins, at the top. */
#define START	MIB(16)
#define LENGTH	MIB(64)
#define FIXED	MIB(64)
#define FIXED_LENGTH MIB(16)

/* A number that is never given to a space, and one that is never an import. */
#define NEVER	0x7fffffffu

static const struct vcm_edu_space_create window = {
	.start = START,
	.length = LENGTH,
	.fixed_start = FIXED,
	.fixed_length = FIXED_LENGTH,
};

static char device[VCM_DEVICE_NAME_LEN];

static bool is_aligned(uint64_t value, uint64_t align)
{
	return !(value & (align - 1));
}

static uint32_t create(int importer)
{
	return vcm_importer_create_space_args(importer, &window);
}

/* The only space that the device has. */
static struct vcm_space_info read_space(void)
{
	static struct vcm_spaces spaces;

	vcm_spaces_read(device, &spaces);
	igt_assert_eq(spaces.spaces, 1);
	return spaces.space[0];
}

static unsigned int attachments(int dev, int dmabuf)
{
	struct dma_heap_vcm_query query;

	vcm_dev_query(dev, dmabuf, &query);
	return query.out_nr_attachments;
}

/* --- Life -------------------------------------------------------------- */

/* Also where it lets the device's own DMA through as it is. */
static bool behind_iommu(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	return !access(path, F_OK);
}

static void test_create(void)
{
	int importer = vcm_importer_open(0);
	struct vcm_edu_space_create args = window;

	if (behind_iommu()) {
		vcm_importer_destroy_space(importer, create(importer));
	} else {
		igt_assert_eq(__vcm_importer_create_space(importer, &args), -EOPNOTSUPP);
		igt_assert_eq(__vcm_space_op(importer, 1, VCM_EDU_SPACE_ACTIVATE), -ENOENT);
	}
	vcm_spaces_assert_none();
}

static void test_create_many_times(int dev, int importer)
{
	uint32_t kept = create(importer);
	int i;

	for (i = 0; i < 200; i++) {
		uint32_t space = create(importer);

		if (i % 2)
			vcm_importer_destroy_space(importer, kept);
		else
			vcm_importer_destroy_space(importer, space);
		if (i % 2)
			kept = space;
	}
}

static void assert_shown(const struct vcm_space_info *info)
{
	igt_assert_eq_u64(info->start, window.start);
	igt_assert_eq_u64(info->length, window.length);
	igt_assert_eq_u64(info->fixed_start, window.fixed_start);
	igt_assert_eq_u64(info->fixed_length, window.fixed_length);
	igt_assert_eq_u64(info->align, window.align);
	igt_assert_eq_u64(info->refused, 0);
}

static void test_shown(int dev, int importer)
{
	struct vcm_space_buffer first, second;
	uint32_t one = create(importer), two = create(importer);
	static struct vcm_spaces spaces;

	vcm_space_buffer_init(&first, dev, MIXED);
	vcm_space_buffer_init(&second, dev, MIB(2));
	vcm_space_buffer_import(&first, importer, one);
	vcm_space_buffer_import_at(&second, importer, one, FIXED);
	vcm_importer_activate(importer, two);

	vcm_spaces_read(device, &spaces);
	igt_assert_eq(spaces.spaces, 2);
	igt_assert(!spaces.blocked);
	igt_assert(!spaces.dead);
	assert_shown(&spaces.space[0]);
	assert_shown(&spaces.space[1]);
	igt_assert_neq(spaces.space[0].number, spaces.space[1].number);
	igt_assert(!spaces.space[0].active);
	igt_assert(spaces.space[1].active);
	/* What is mapped at a fixed address is mapped nowhere else in the space. */
	igt_assert_eq_u64(spaces.space[0].mapped, MIXED + MIB(2));
	igt_assert_eq_u64(spaces.space[1].mapped, 0);
	igt_assert_eq(spaces.space[0].fixed, 1);
	igt_assert(spaces.space[0].pgsizes & vcm_page_size());

	vcm_space_buffer_fini(&first);
	vcm_space_buffer_fini(&second);
	vcm_spaces_read(device, &spaces);
	igt_assert_eq_u64(spaces.space[0].mapped, 0);
	igt_assert_eq(spaces.space[0].fixed, 0);
}

/* --- The window -------------------------------------------------------- */

static void test_window(int dev, int importer)
{
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(1), 0, 0, 0);
	uint32_t space = vcm_importer_create_space(importer, START, MIB(8));
	struct vcm_edu_import import[16];
	int i, n, ret = 0;

	for (n = 0; n < ARRAY_SIZE(import) && !ret; n += !ret) {
		ret = __vcm_space_import(importer, space, dmabuf, &import[n]);
		if (ret)
			break;
		igt_assert_lte_u64(START, import[n].iova);
		igt_assert_lte_u64(import[n].iova + MIB(1), START + MIB(8));
		for (i = 0; i < n; i++)
			igt_assert(import[i].iova + MIB(1) <= import[n].iova ||
				   import[n].iova + MIB(1) <= import[i].iova);
	}
	igt_assert_eq(ret, -ENOSPC);
	igt_assert_eq(n, 8);
	for (i = 0; i < n; i++)
		vcm_importer_release(importer, import[i].handle);
	igt_assert_eq_u64(read_space().mapped, 0);
}

static void assert_import_refused(int dev, int importer, uint32_t space, uint64_t length,
				  uint64_t align, uint64_t guard)
{
	int dmabuf = vcm_dev_alloc_policy(dev, length, align, guard, 0);
	struct vcm_edu_import import;

	igt_assert_eq(__vcm_space_import(importer, space, dmabuf, &import), -ENOSPC);
	igt_assert_eq(attachments(dev, dmabuf), 0);
	close(dmabuf);
}

static void test_out_of_reach(int dev, int importer)
{
	struct vcm_edu_space_create fixed = {
		.start = START, .length = MIB(512), .fixed_start = MIB(255),
		.fixed_length = MIB(1) + vcm_page_size(),
	};
	struct vcm_edu_space_create beyond = { .start = MIB(256), .length = MIB(64) };
	uint32_t small = vcm_importer_create_space(importer, START, MIB(4));

	assert_import_refused(dev, importer, small, MIB(4) + vcm_page_size(), 0, 0);
	assert_import_refused(dev, importer, small, MIB(8), 0, 0);
	assert_import_refused(dev, importer, small, MIB(4), 0, vcm_page_size());
	assert_import_refused(dev, importer, small, vcm_page_size(), MIB(32), 0);
	igt_assert_eq_u64(read_space().mapped, 0);
	vcm_importer_destroy_space(importer, small);

	/* The device has 28 bits. */
	igt_assert_eq(__vcm_importer_create_space(importer, &beyond), -ERANGE);
	igt_assert_eq(__vcm_importer_create_space(importer, &fixed), -ERANGE);
}

/* --- Switching --------------------------------------------------------- */

/* Two spaces with a buffer each at the same address */
struct pair {
	int importer;				/* the importer */
	uint32_t space[2];			/* their numbers */
	struct vcm_space_buffer buffer[2];	/* the buffers */
};

static void pair_init(struct pair *pair, int dev, int importer)
{
	int i;

	pair->importer = importer;
	for (i = 0; i < 2; i++) {
		pair->space[i] = create(importer);
		vcm_space_buffer_init(&pair->buffer[i], dev, MIXED);
		vcm_space_buffer_import(&pair->buffer[i], importer, pair->space[i]);
	}
	igt_assert_eq_u64(pair->buffer[0].import.iova, pair->buffer[1].import.iova);
}

/* A transfer takes 100 ms, so that only every 50th round has some. */
static void test_same_address(int dev, int importer)
{
	int i, rounds = vcm_repeats(1000);
	struct pair pair;

	pair_init(&pair, dev, importer);
	vcm_space_buffer_tag(&pair.buffer[0], 1);
	vcm_space_buffer_tag(&pair.buffer[1], 2);
	for (i = 0; i < rounds; i++) {
		vcm_importer_switch(importer, pair.space[i & 1]);
		if (i % 50 == 49 || i % 50 == 0)
			vcm_space_assert_dma(&pair.buffer[i & 1], i + 1);
	}
}

/* All interrupts that are the importer's, of all its devices; all are messages. */
static uint64_t count_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[4096];
	uint64_t sum = 0;

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *at = strchr(line, ':'), *end;

		if (!at || !strstr(line, "vcm-edu"))
			continue;
		igt_assert_f(strstr(line, "MSI"), "%s", line);
		for (at++; ; at = end) {
			uint64_t count = strtoull(at, &end, 10);

			if (end == at)
				break;
			sum += count;
		}
	}
	fclose(file);
	return sum;
}

static void test_interrupts(int dev, int importer)
{
	uint64_t before = count_interrupts();
	struct pair pair;

	pair_init(&pair, dev, importer);
	vcm_importer_activate(importer, pair.space[0]);
	vcm_space_assert_dma(&pair.buffer[0], 1);
	vcm_importer_switch(importer, pair.space[1]);
	vcm_space_assert_dma(&pair.buffer[1], 2);
	igt_assert_lte_u64(before + 4, count_interrupts());
}

/* --- What a device does not reach -------------------------------------- */

static void test_hides_other_space(int dev, int importer)
{
	uint32_t one = create(importer), two = create(importer);
	struct vcm_space_buffer desk, victim;

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&victim, dev, KIB(64));
	vcm_space_buffer_import(&desk, importer, one);
	vcm_space_buffer_import_at(&victim, importer, two, FIXED);

	/* There is something at that address, in the other space. */
	vcm_importer_activate(importer, two);
	vcm_space_assert_dma(&victim, 1);
	vcm_importer_switch(importer, one);
	vcm_space_assert_unreached(&desk, &victim, FIXED);
}

static void test_hides_default(int dev, int importer)
{
	struct vcm_space_buffer desk, victim;
	uint32_t space = create(importer);

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&victim, dev, KIB(64));
	vcm_space_buffer_import(&victim, importer, 0);
	vcm_space_assert_dma(&victim, 1);

	vcm_space_buffer_import(&desk, importer, space);
	igt_assert(victim.import.iova >= START + LENGTH || victim.import.iova < START);
	vcm_importer_activate(importer, space);
	vcm_space_assert_unreached(&desk, &victim, victim.import.iova);
}

static void test_hides_inactive(int dev, int importer)
{
	struct vcm_space_buffer desk, victim;
	uint32_t space = create(importer);

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&victim, dev, KIB(64));
	vcm_space_buffer_import(&desk, importer, 0);
	vcm_space_buffer_import(&victim, importer, space);

	/* Neither before it was active nor after. */
	vcm_space_assert_unreached(&desk, &victim, victim.import.iova);
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(&victim, 1);
	vcm_importer_deactivate(importer, space);
	vcm_space_assert_unreached(&desk, &victim, victim.import.iova);
}

static void test_hides_released(int dev, int importer)
{
	struct vcm_space_buffer desk, victim;
	uint32_t space = create(importer);
	uint64_t iova;

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&victim, dev, KIB(64));
	vcm_importer_activate(importer, space);
	vcm_space_buffer_import(&desk, importer, space);
	vcm_space_buffer_import(&victim, importer, space);
	iova = victim.import.iova;
	vcm_space_assert_dma(&victim, 1);

	vcm_space_buffer_release(&victim);
	vcm_space_assert_unreached(&desk, &victim, iova);

	vcm_space_buffer_import_at(&victim, importer, space, FIXED);
	vcm_space_assert_dma(&victim, 1);
	vcm_space_buffer_release(&victim);
	vcm_space_assert_unreached(&desk, &victim, FIXED);
}

/* --- The device's own addresses ---------------------------------------- */

static void test_default_restored(int dev, int importer)
{
	struct vcm_space_buffer own, other;
	uint32_t space = create(importer);
	int i;

	vcm_space_buffer_init(&own, dev, MIXED);
	vcm_space_buffer_init(&other, dev, MIXED);
	vcm_space_buffer_import(&own, importer, 0);
	vcm_space_buffer_import(&other, importer, space);
	vcm_space_assert_dma(&own, 1);
	for (i = 0; i < 2; i++) {
		vcm_importer_activate(importer, space);
		vcm_space_assert_dma(&other, 2);
		vcm_importer_deactivate(importer, space);
		vcm_space_assert_dma(&own, 3 + i);
	}
}

static void test_default_meanwhile(int dev, int importer)
{
	struct vcm_space_buffer before, meanwhile;
	uint32_t space = create(importer);

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&before, dev, MIXED);
	vcm_space_buffer_init(&meanwhile, dev, MIXED);
	vcm_space_buffer_import(&before, importer, 0);
	vcm_importer_activate(importer, space);

	vcm_space_buffer_import(&meanwhile, importer, 0);
	igt_assert_neq_u64(meanwhile.import.iova, before.import.iova);
	vcm_space_buffer_release(&before);

	vcm_importer_deactivate(importer, space);
	vcm_space_assert_dma(&meanwhile, 1);
	vcm_space_assert_unreached(&meanwhile, &before, before.import.iova);
}

/* --- One memory -------------------------------------------------------- */

static void test_freed_while_inactive(int dev, int importer)
{
	uint32_t space = create(importer), other = create(importer), handle;
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
	uint64_t ino = vcm_buffer_ino(dmabuf), word = 0x1234567887654321, copy = 0;
	struct vcm_buffer_info info;
	struct vcm_edu_import import;

	vcm_space_import(importer, space, dmabuf, &import);
	handle = import.handle;
	close(dmabuf);
	igt_assert(__vcm_buffer_info_read(ino, &info));

	vcm_importer_activate(importer, other);
	vcm_importer_kernel_write(importer, handle, MIB(1), sizeof(word), &word);
	vcm_importer_switch(importer, space);
	vcm_importer_read(importer, handle, MIB(1), sizeof(word));
	vcm_importer_write(importer, handle, 0, sizeof(word));
	vcm_importer_kernel_read(importer, handle, 0, sizeof(copy), &copy);
	igt_assert_eq_u64(copy, word);

	vcm_importer_switch(importer, other);
	vcm_importer_release(importer, handle);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
}

static void test_three_and_default(int dev, int importer)
{
	struct vcm_space_buffer buffer;
	struct vcm_edu_import import[4];
	uint32_t space[4] = {};
	int i;

	vcm_space_buffer_init(&buffer, dev, MIXED);
	buffer.importer = importer;
	for (i = 0; i < 4; i++) {
		/* The last is the device's own addresses. */
		space[i] = i < 3 ? create(importer) : 0;
		vcm_space_import(importer, space[i], buffer.dmabuf, &import[i]);
	}
	igt_assert_eq(attachments(dev, buffer.dmabuf), 4);

	for (i = 0; i < 4; i++) {
		if (space[i])
			vcm_importer_switch(importer, space[i]);
		else
			vcm_importer_deactivate(importer, space[2]);
		buffer.import = import[i];
		vcm_space_assert_dma(&buffer, i + 1);
	}

	/* One goes, and the others stay. */
	vcm_importer_release(importer, import[1].handle);
	vcm_importer_release(importer, import[3].handle);
	igt_assert_eq(attachments(dev, buffer.dmabuf), 2);
	vcm_importer_activate(importer, space[2]);
	buffer.import = import[2];
	vcm_space_assert_dma(&buffer, 9);
}

/* Its exporter calls the DMA API, as all do, and that is served. */
static void test_other_heap(int dev, int importer)
{
	int heap = __vcm_heap_open("system"), i;
	struct vcm_space_buffer buffer = { .importer = importer, .length = MIB(3) };
	struct vcm_edu_import import[2];
	uint32_t space[2];

	igt_require_f(heap >= 0, "no heap \"system\"\n");
	buffer.dmabuf = vcm_heap_alloc(heap, buffer.length);
	buffer.words = vcm_buffer_map(buffer.dmabuf);
	for (i = 0; i < 2; i++) {
		space[i] = create(importer);
		if (i)
			vcm_space_import_at(importer, space[i], buffer.dmabuf, FIXED, &import[i]);
		else
			vcm_space_import(importer, space[i], buffer.dmabuf, &import[i]);
	}
	igt_assert_lte_u64(START, import[0].iova);
	igt_assert_lte_u64(import[0].iova + buffer.length, FIXED);
	for (i = 0; i < 2; i++) {
		vcm_importer_switch(importer, space[i]);
		buffer.import = import[i];
		vcm_space_assert_dma(&buffer, i + 1);
	}
	vcm_importer_deactivate(importer, space[1]);
	vcm_importer_release(importer, import[0].handle);
	vcm_space_buffer_fini(&buffer);
	for (i = 0; i < 2; i++)
		vcm_importer_destroy_space(importer, space[i]);
}

static void test_two_devices(int dev, int importer)
{
	struct vcm_space_buffer own, first, second;
	int other = vcm_importer_open(1);
	uint32_t one, two;

	vcm_importer_require_translation(other);
	one = create(importer);
	two = create(other);
	vcm_space_buffer_init(&own, dev, MIXED);
	vcm_space_buffer_init(&first, dev, MIXED);
	vcm_space_buffer_init(&second, dev, MIXED);
	vcm_space_buffer_import(&own, other, 0);
	vcm_space_buffer_import(&first, importer, one);
	vcm_space_buffer_import(&second, other, two);

	vcm_importer_activate(importer, one);
	vcm_space_assert_dma(&own, 1);
	vcm_importer_activate(other, two);
	vcm_space_assert_dma(&first, 2);
	vcm_space_assert_dma(&second, 3);
	vcm_importer_deactivate(importer, one);
	vcm_space_assert_dma(&second, 4);
	vcm_importer_deactivate(other, two);
}

/* --- What a space tells ------------------------------------------------ */

static int try_check(int importer, uint32_t handle, uint64_t offset, uint32_t *matches)
{
	struct vcm_edu_check check = { .handle = handle, .offset = offset };
	int ret = __vcm_importer_ioctl(importer, VCM_EDU_IOC_CHECK, &check);

	*matches = check.matches;
	return ret;
}

static void assert_translated(const struct vcm_space_buffer *buffer)
{
	const uint64_t offsets[] = {
		0, 1, KIB(4), KIB(64) + 5, MIB(1) - 1, MIB(1), MIB(2) - 1, MIB(2), MIB(3) - 1,
		MIB(3), MIB(3) + KIB(64) - 1, MIB(3) + KIB(64), MIXED - 1,
	};
	uint32_t matches;
	int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		igt_assert_eq(try_check(buffer->importer, buffer->import.handle, offsets[i],
					&matches), 0);
		igt_assert_f(matches, "not at offset %#llx\n", (unsigned long long)offsets[i]);
	}
	igt_assert_eq(try_check(buffer->importer, buffer->import.handle, MIXED, &matches),
		      -ERANGE);
}

static void test_translation(int dev, int importer)
{
	struct vcm_space_buffer buffer, fixed, own;
	uint32_t space = create(importer), matches;

	vcm_space_buffer_init(&buffer, dev, MIXED);
	vcm_space_buffer_init(&fixed, dev, MIXED);
	vcm_space_buffer_init(&own, dev, MIXED);
	vcm_space_buffer_import(&buffer, importer, space);
	vcm_space_buffer_import_at(&fixed, importer, space, FIXED + KIB(4));
	vcm_space_buffer_import(&own, importer, 0);
	assert_translated(&buffer);
	assert_translated(&fixed);
	vcm_importer_activate(importer, space);
	assert_translated(&buffer);
	assert_translated(&fixed);
	vcm_importer_deactivate(importer, space);

	igt_assert_eq(try_check(importer, own.import.handle, 0, &matches), -EINVAL);
	igt_assert_eq(try_check(importer, NEVER, 0, &matches), -ENOENT);
}

static void test_probe_needs_root(int dev, int importer)
{
	pid_t pid;
	int status;

	vcm_importer_require_probe(importer);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(setuid(65534) ||
		      __vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, 0, 8, 0) != -EPERM);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_eq(status, 0);
}

static int try_coherent(int importer, uint32_t space, uint32_t length,
			struct vcm_edu_coherent *args)
{
	*args = (struct vcm_edu_coherent){ .space = space, .length = length };
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_COHERENT, args);
}

/*
 * The DMA API takes the memory in blocks as large as it finds, down to pages.
 * Which of those are neighbours is up to chance, and nobody's to avoid.
 */
static void test_coherent(int dev, int importer)
{
	static const uint64_t aligns[] = { 0, KIB(64), MIB(1), MIB(2) };
	const uint32_t lengths[] = { KIB(12), KIB(132), MIB(1), MIB(5) + KIB(4) };
	struct vcm_edu_coherent args;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		const struct vcm_edu_space_create create_args = {
			.start = MIB(16), .length = MIB(64), .align = aligns[i],
		};
		uint32_t space = vcm_importer_create_space_args(importer, &create_args);

		igt_assert_eq(try_coherent(importer, space, KIB(4), &args), -ENXIO);
		vcm_importer_activate(importer, space);
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			igt_assert_eq(try_coherent(importer, space, lengths[j], &args), 0);
			igt_assert(args.matches);
			igt_assert(args.iova >= MIB(16));
			igt_assert(args.iova + lengths[j] <= MIB(80));
		}
		igt_assert_eq(try_coherent(importer, space, 8, &args), -EINVAL);
		igt_assert_eq(try_coherent(importer, space, VCM_EDU_COHERENT_MAX + 1, &args),
			      -EINVAL);
		igt_assert_eq(try_coherent(importer, NEVER, KIB(4), &args), -ENOENT);
		igt_assert_eq_u64(read_space().refused, 0);
		vcm_importer_deactivate(importer, space);
		vcm_importer_destroy_space(importer, space);
	}
}

static int try_fault(int importer, uint32_t space, uint64_t iova, bool write)
{
	struct vcm_edu_faults faults = {
		.space = space,
		.flags = VCM_EDU_FAULT_INJECT,
		.iova = iova,
		.write = write,
	};

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_FAULTS, &faults);
}

static void assert_faults(int importer, uint32_t space, uint32_t count, uint64_t iova, bool write)
{
	struct vcm_edu_faults faults = { .space = space };

	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_FAULTS, &faults), 0);
	igt_assert_eq(faults.count, count);
	if (!count)
		return;
	igt_assert_eq_u64(faults.iova, iova);
	igt_assert_eq(faults.write, write);
}

/*
 * Injected, for no emulated IOMMU has a driver that tells of faults: the way
 * from there on is the same.
 */
static void test_fault_handler(int dev, int importer)
{
	uint32_t one = create(importer), two = create(importer);
	struct vcm_edu_faults faults = { .space = one, .flags = VCM_EDU_FAULT_INJECT << 1 };

	vcm_importer_require_probe(importer);
	igt_assert_eq(try_fault(importer, one, START, false), -ENXIO);
	assert_faults(importer, one, 0, 0, false);
	vcm_importer_activate(importer, one);
	igt_assert_eq(try_fault(importer, one, START, false), 0);
	assert_faults(importer, one, 1, START, false);
	igt_assert_eq(try_fault(importer, one, START + 8, true), 0);
	assert_faults(importer, one, 2, START + 8, true);
	igt_assert_eq(try_fault(importer, two, START, true), -ENXIO);
	assert_faults(importer, two, 0, 0, false);

	vcm_importer_switch(importer, two);
	igt_assert_eq(try_fault(importer, two, FIXED, true), 0);
	assert_faults(importer, two, 1, FIXED, true);
	assert_faults(importer, one, 2, START + 8, true);

	igt_assert_eq(try_fault(importer, NEVER, START, true), -ENOENT);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_FAULTS, &faults), -EINVAL);
}

/* --- Fixed addresses --------------------------------------------------- */

static void test_fixed_dma(int dev, int importer)
{
	struct vcm_space_buffer first, last, free;
	uint32_t space = create(importer);

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&first, dev, MIXED);
	vcm_space_buffer_init(&last, dev, KIB(64));
	vcm_space_buffer_init(&free, dev, KIB(64));
	vcm_space_buffer_import_at(&first, importer, space, FIXED);
	vcm_space_buffer_import_at(&last, importer, space, FIXED + FIXED_LENGTH - KIB(64));
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(&first, 1);
	vcm_space_assert_dma(&last, 2);

	/* Not by the driver's word: the device itself, and what it finds behind. */
	vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, FIXED, 8, 0);
	vcm_importer_probe(importer, VCM_EDU_FROM_DEVICE, FIXED + FIXED_LENGTH - 8, 8, 0);
	igt_assert_eq_u64(last.words[KIB(64) / 8 - 1], first.words[0]);
	vcm_space_assert_unreached(&first, &free, FIXED + MIXED);
}

/*
 * The driver chose the address, and no alignment or guard of the buffer: neither one
 * that the device would never get, nor a guard where the next buffer is.
 */
static void test_fixed_policy(int dev, int importer)
{
	const uint64_t at = FIXED + vcm_page_size(), most = 1ull << 57;
	const struct {
		uint64_t align;
		uint64_t guard;
		uint32_t flags;
	} policies[] = { { most, 0, DMA_HEAP_VCM_STRICT }, { 0, most, 0 }, { most, most, 0 } };
	uint32_t space = create(importer);
	struct vcm_space_buffer buffer[3];
	struct vcm_edu_import import;
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct vcm_space_buffer *b = &buffer[i];

		*b = (struct vcm_space_buffer){ .length = KIB(64) };
		b->dmabuf = vcm_dev_alloc_policy(dev, b->length, policies[i].align,
						 policies[i].guard, policies[i].flags);
		b->words = vcm_buffer_map(b->dmabuf);
		igt_assert_eq(__vcm_space_import(importer, space, b->dmabuf, &import), -ENOSPC);
		vcm_space_buffer_import_at(b, importer, space, at + i * KIB(64));
	}
	vcm_importer_activate(importer, space);
	for (i = 0; i < ARRAY_SIZE(policies); i++)
		vcm_space_assert_dma(&buffer[i], i + 1);
	vcm_importer_deactivate(importer, space);
	for (i = 0; i < ARRAY_SIZE(policies); i++)
		vcm_space_buffer_fini(&buffer[i]);
}

/* That an import at @iova fails, and leaves nothing. */
static void assert_fixed_refused(int dev, int importer, uint32_t space, int dmabuf,
				 uint64_t iova, int error)
{
	struct vcm_space_info before = read_space(), after;
	unsigned int attached = attachments(dev, dmabuf);
	struct vcm_edu_import import;
	int ret = __vcm_space_import_at(importer, space, dmabuf, iova, &import);

	igt_assert_f(ret == error, "at %#llx: %d, not %d\n", (unsigned long long)iova, ret, error);
	after = read_space();
	igt_assert_eq_u64(after.mapped, before.mapped);
	igt_assert_eq(after.fixed, before.fixed);
	igt_assert_eq(attachments(dev, dmabuf), attached);
}

static void test_fixed_overlap(int dev, int importer)
{
	const uint64_t page = vcm_page_size(), at = FIXED + MIB(4);
	const struct {
		uint64_t iova, length;
	} overlaps[] = {
		{ at, MIB(2) },				/* the same */
		{ at, page },				/* its head */
		{ at + MIB(2) - page, page },		/* its tail */
		{ at + MIB(1), page },			/* in the middle */
		{ at - MIB(1), MIB(2) },		/* over its head */
		{ at - MIB(2) + page, MIB(2) },		/* ... by a page */
		{ at + MIB(1), MIB(2) },		/* over its tail */
		{ at + MIB(2) - page, MIB(2) },		/* ... by a page */
		{ at - MIB(1), MIB(4) },		/* around it */
		{ at - MIB(1), MIB(3) },		/* around it, up to its end */
		{ at, MIB(3) },				/* around it, from its head */
	};
	struct vcm_space_buffer buffer, before, behind;
	uint32_t space = create(importer);
	int i;

	vcm_space_buffer_init(&buffer, dev, MIB(2));
	vcm_space_buffer_import_at(&buffer, importer, space, at);
	for (i = 0; i < ARRAY_SIZE(overlaps); i++) {
		int dmabuf = vcm_dev_alloc_policy(dev, overlaps[i].length, 0, 0, 0);

		assert_fixed_refused(dev, importer, space, dmabuf, overlaps[i].iova, -EEXIST);
		close(dmabuf);
	}
	assert_fixed_refused(dev, importer, space, buffer.dmabuf, at, -EEXIST);

	/* Side by side is no overlap, and nothing above has done any harm. */
	vcm_space_buffer_init(&before, dev, MIB(2));
	vcm_space_buffer_init(&behind, dev, MIB(2));
	vcm_space_buffer_import_at(&before, importer, space, at - MIB(2));
	vcm_space_buffer_import_at(&behind, importer, space, at + MIB(2));
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(&before, 1);
	vcm_space_assert_dma(&behind, 2);
	vcm_space_assert_dma(&buffer, 3);
}

static void test_fixed_range(int dev, int importer)
{
	static const uint64_t outside[] = {
		0, START, START + MIB(4), FIXED - MIB(2), FIXED - MIB(1), FIXED - KIB(4),
		FIXED + FIXED_LENGTH - MIB(1), FIXED + FIXED_LENGTH - MIB(2) + KIB(4),
		FIXED + FIXED_LENGTH, FIXED + FIXED_LENGTH + MIB(1), START + LENGTH,
		MIB(256), 1ull << 32, 1ull << 48, 1ull << 63, -MIB(2), -MIB(1), -KIB(4),
	};
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(2), 0, 0, 0);
	int large = vcm_dev_alloc_policy(dev, FIXED_LENGTH + KIB(64), 0, 0, 0);
	uint32_t space = create(importer);
	int i;

	for (i = 0; i < ARRAY_SIZE(outside); i++)
		assert_fixed_refused(dev, importer, space, dmabuf, outside[i], -ERANGE);
	assert_fixed_refused(dev, importer, space, large, FIXED, -ERANGE);
	vcm_importer_destroy_space(importer, space);

	/* No fixed window, no fixed address. */
	space = vcm_importer_create_space(importer, START, LENGTH);
	assert_fixed_refused(dev, importer, space, dmabuf, START, -ERANGE);
	assert_fixed_refused(dev, importer, space, dmabuf, 0, -ERANGE);
}

static void test_fixed_misaligned(int dev, int importer)
{
	static const uint64_t misaligned[] = {
		FIXED + 1, FIXED + 8, FIXED + 2048, FIXED + KIB(4) - 1, FIXED + MIB(1) + 4095,
	}, coarse[] = {
		FIXED + KIB(4), FIXED + KIB(64), FIXED + KIB(512), FIXED + MIB(1) - KIB(4),
	};
	int dmabuf = vcm_dev_alloc_policy(dev, MIB(2), 0, 0, 0);
	struct vcm_edu_space_create args = window;
	uint32_t space = create(importer);
	struct vcm_edu_import import;
	int i;

	for (i = 0; i < ARRAY_SIZE(misaligned); i++)
		assert_fixed_refused(dev, importer, space, dmabuf, misaligned[i], -EINVAL);
	vcm_space_import_at(importer, space, dmabuf, FIXED + KIB(4), &import);
	vcm_importer_release(importer, import.handle);
	vcm_importer_destroy_space(importer, space);

	args.align = MIB(1);
	space = vcm_importer_create_space_args(importer, &args);
	for (i = 0; i < ARRAY_SIZE(coarse); i++)
		assert_fixed_refused(dev, importer, space, dmabuf, coarse[i], -EINVAL);
	vcm_space_import_at(importer, space, dmabuf, FIXED + MIB(1), &import);
}

/* Tries a space of the second device, which has 32 bits, with a page at @iova. */
static int try_fixed(int importer, uint64_t iova)
{
	struct vcm_edu_space_create args = {
		.start = START,
		.length = (1ull << 32) - START,
		.fixed_start = iova,
		.fixed_length = KIB(4),
	};
	int ret = __vcm_importer_create_space(importer, &args);

	if (!ret)
		vcm_importer_destroy_space(importer, args.space);
	return ret;
}

/* Interrupt messages, for one: what is written there is no access to memory. */
static void test_fixed_reserved(int dev, int importer)
{
	char name[VCM_DEVICE_NAME_LEN], path[128], line[256], type[32];
	int other = vcm_importer_open(1);
	unsigned long long start, last;
	unsigned int tried = 0;
	FILE *file;

	vcm_importer_name(1, name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/reserved_regions", name);
	file = fopen(path, "re");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		int fields = sscanf(line, "%llx %llx %31s", &start, &last, type);

		igt_assert_eq(fields, 3);
		if (last >> 32)
			continue;
		igt_assert_eq(try_fixed(other, start), -ERANGE);
		igt_assert_eq(try_fixed(other, last + 1 - KIB(4)), -ERANGE);
		igt_assert_eq(try_fixed(other, start - KIB(4)), 0);
		tried++;
	}
	fclose(file);
	igt_assert_lt(0, tried);
}

static void test_fixed_kept_free(int dev, int importer)
{
	const struct vcm_edu_space_create args = {
		.start = START,
		.length = MIB(12),
		.fixed_start = START + MIB(4),
		.fixed_length = MIB(4),
	};
	uint32_t space = vcm_importer_create_space_args(importer, &args);
	struct vcm_edu_import import[64], fixed;
	bool below = false, above = false;
	int i, n, dmabuf = vcm_dev_alloc_policy(dev, KIB(256), 0, 0, 0);

	for (n = 0; n < ARRAY_SIZE(import); n++) {
		if (__vcm_space_import(importer, space, dmabuf, &import[n]))
			break;
		below |= import[n].iova + KIB(256) <= args.fixed_start;
		above |= import[n].iova >= args.fixed_start + args.fixed_length;
		igt_assert(import[n].iova + KIB(256) <= args.fixed_start ||
			   import[n].iova >= args.fixed_start + args.fixed_length);
	}
	igt_assert_eq(n, 32);
	igt_assert(below && above);
	for (i = 0; i < n; i += 2)
		vcm_importer_release(importer, import[i].handle);
	vcm_space_import_at(importer, space, dmabuf, args.fixed_start, &fixed);
}

/* The driver has no reference of its own, nor has anybody else. */
static void test_fixed_keeps(int dev, int importer)
{
	uint64_t word = 0x1122334455667788, copy = 0;
	int dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
	uint64_t ino = vcm_buffer_ino(dmabuf);
	uint32_t space = create(importer);
	struct vcm_buffer_info info;
	struct vcm_edu_import import;

	vcm_space_import_at(importer, space, dmabuf, FIXED, &import);
	igt_assert_eq(attachments(dev, dmabuf), 1);
	close(dmabuf);
	igt_assert(__vcm_buffer_info_read(ino, &info));

	vcm_importer_activate(importer, space);
	vcm_importer_kernel_write(importer, import.handle, MIB(1), sizeof(word), &word);
	vcm_importer_read(importer, import.handle, MIB(1), sizeof(word));
	vcm_importer_write(importer, import.handle, 0, sizeof(word));
	vcm_importer_kernel_read(importer, import.handle, 0, sizeof(copy), &copy);
	igt_assert_eq_u64(copy, word);
	vcm_importer_deactivate(importer, space);

	vcm_importer_release(importer, import.handle);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
}

static void test_fixed_again(int dev, int importer)
{
	struct vcm_space_buffer buffer;
	uint32_t space = create(importer);
	int i;

	vcm_space_buffer_init(&buffer, dev, MIXED);
	for (i = 0; i < 50; i++) {
		vcm_space_buffer_import_at(&buffer, importer, space, FIXED + i * KIB(64));
		vcm_space_buffer_release(&buffer);
	}
	igt_assert_eq_u64(read_space().mapped, 0);
	igt_assert_eq(read_space().fixed, 0);
}

/* --- Alignment --------------------------------------------------------- */

static uint32_t create_aligned(int importer, uint64_t align)
{
	struct vcm_edu_space_create args = window;

	args.align = align;
	return vcm_importer_create_space_args(importer, &args);
}

static void test_align(int dev, int importer)
{
	static const uint64_t aligns[] = { KIB(64), MIB(1), MIB(2) };
	static const uint64_t lengths[] = {
		KIB(4), KIB(64), KIB(68), MIB(1), MIB(1) + KIB(4), MIB(2), MIB(2) + KIB(68),
		MIB(3) + KIB(68), MIB(9),
	};
	int i, j;

	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		uint32_t space = create_aligned(importer, aligns[i]);
		struct vcm_edu_import import[ARRAY_SIZE(lengths)];

		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			int dmabuf = vcm_dev_alloc_policy(dev, lengths[j], 0, 0, 0);
			struct dma_heap_vcm_query query;

			vcm_dev_query(dev, dmabuf, &query);
			vcm_space_import(importer, space, dmabuf, &import[j]);
			if (query.out_chunks[0].size >= aligns[i])
				igt_assert_f(is_aligned(import[j].iova, aligns[i]), "%#llx\n",
					     (unsigned long long)import[j].iova);
			close(dmabuf);
		}
		igt_assert_eq_u64(read_space().align, aligns[i]);
		igt_assert_eq_u64(read_space().refused, 0);
		for (j = 0; j < ARRAY_SIZE(lengths); j++)
			vcm_importer_release(importer, import[j].handle);
		vcm_importer_destroy_space(importer, space);
	}
}

/* An import either is as it should be, or it is refused and counted. */
static bool import_aligned(int importer, uint32_t space, unsigned int index, int dmabuf)
{
	struct vcm_spaces *before = calloc(2, sizeof(*before)), *after = before + 1;
	struct vcm_edu_import import;
	int ret;

	igt_assert(before);
	vcm_spaces_read(device, before);
	ret = __vcm_space_import(importer, space, dmabuf, &import);
	vcm_spaces_read(device, after);
	if (ret) {
		igt_assert_eq(ret, -EINVAL);
		igt_assert_eq_u64(after->space[index].mapped, before->space[index].mapped);
	} else {
		vcm_importer_release(importer, import.handle);
	}
	igt_assert_eq_u64(after->space[index].refused, before->space[index].refused + !!ret);
	free(before);
	return !ret;
}

/*
 * Small chunks that happen to be adjacent in memory make large blocks, and
 * where those are is up to chance.
 */
static void test_align_any_chunks(int dev, int importer)
{
	static const uint64_t aligns[] = { KIB(64), MIB(1), MIB(2) };
	const uint64_t chunks[] = { vcm_page_size(), KIB(64), MIB(1), MIB(2) };
	uint32_t space[ARRAY_SIZE(aligns)];
	int i, j;

	for (i = 0; i < ARRAY_SIZE(aligns); i++)
		space[i] = create_aligned(importer, aligns[i]);

	for (i = 0; i < 4 * ARRAY_SIZE(chunks); i++) {
		uint64_t chunk = chunks[i % ARRAY_SIZE(chunks)];
		int stray = vcm_dev_alloc_sizes(dev, 3 * chunk, chunk);
		int dmabuf = vcm_dev_alloc_sizes(dev, MIB(6) + i / 4 * MIB(2), chunk);

		for (j = 0; j < ARRAY_SIZE(aligns); j++)
			igt_assert(import_aligned(importer, space[j], j, dmabuf));
		close(stray);
		close(dmabuf);
	}
	for (i = 0; i < ARRAY_SIZE(aligns); i++)
		vcm_importer_destroy_space(importer, space[i]);
}

/* Pages of 2 MiB, and a way to make buffers of parts of them */
struct huge {
	int memfd;		/* the pages */
	unsigned int count;	/* number of pages */
	char *ptr;		/* ... as the CPU has them */
};

static void huge_init(struct huge *huge, unsigned int count)
{
	vcm_compact_memory();
	igt_assert_eq(vcm_file_write_number("/proc/sys/vm/nr_hugepages", count), 0);
	huge->count = count;
	huge->memfd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB |
				   21 << 26 /* MFD_HUGE_2MB */);
	igt_require_f(huge->memfd >= 0, "no huge pages: %s\n", strerror(errno));
	igt_assert_eq(ftruncate(huge->memfd, count * MIB(2)), 0);
	igt_assert_eq(fcntl(huge->memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	huge->ptr = mmap(NULL, count * MIB(2), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 huge->memfd, 0);
	igt_require_f(huge->ptr != MAP_FAILED, "too few huge pages: %s\n", strerror(errno));
}

/* A buffer of two pieces of the pages, given by offset and length. */
static int huge_buffer(const struct huge *huge, uint64_t first, uint64_t first_len,
		       uint64_t second, uint64_t second_len)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item item[2];
	} list = {
		.head = { .flags = UDMABUF_FLAGS_CLOEXEC, .count = 2 },
		.item = {
			{ .memfd = huge->memfd, .offset = first, .size = first_len },
			{ .memfd = huge->memfd, .offset = second, .size = second_len },
		},
	};
	int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), dmabuf;

	igt_require_f(udmabuf >= 0, "no /dev/udmabuf\n");
	dmabuf = ioctl(udmabuf, UDMABUF_CREATE_LIST, &list);
	igt_assert_f(dmabuf >= 0, "udmabuf: %s\n", strerror(errno));
	close(udmabuf);
	return dmabuf;
}

static void assert_waste_refused(int importer, uint32_t space, int dmabuf)
{
	struct vcm_space_info before = read_space(), after;
	struct vcm_edu_import import;

	igt_assert_eq(__vcm_space_import(importer, space, dmabuf, &import), -EINVAL);
	after = read_space();
	igt_assert_eq_u64(after.refused, before.refused + 1);
	igt_assert_eq_u64(after.mapped, before.mapped);
}

/* What the buffer's exporter leaves to the DMA API is where it should not be. */
static void test_align_refuses(int dev, int importer)
{
	uint32_t space = create_aligned(importer, MIB(2));
	int wasteful, good;
	struct vcm_edu_import import;
	struct huge huge;

	huge_init(&huge, 2);
	wasteful = huge_buffer(&huge, 0, KIB(64), MIB(2), MIB(2));
	good = huge_buffer(&huge, MIB(2), MIB(2), 0, KIB(64));
	assert_waste_refused(importer, space, wasteful);
	assert_waste_refused(importer, space, wasteful);
	vcm_space_import(importer, space, good, &import);
	igt_assert(is_aligned(import.iova, MIB(2)));
	vcm_importer_release(importer, import.handle);
	vcm_importer_destroy_space(importer, space);

	/* Nobody minds where nobody asked for an alignment. */
	space = create(importer);
	vcm_space_import(importer, space, wasteful, &import);
	vcm_importer_release(importer, import.handle);
	igt_assert_eq_u64(read_space().refused, 0);
}

/* --- Limits ------------------------------------------------------------ */

static void test_as_many_as_allowed(int dev, int importer)
{
	int second = vcm_importer_open(0), other = vcm_importer_open(1);
	uint32_t space[VCM_SPACES_MAX];
	struct vcm_edu_space_create args = window;
	struct vcm_space_buffer buffer;
	static struct vcm_spaces spaces;
	int i;

	vcm_space_buffer_init(&buffer, dev, MIXED);
	for (i = 0; i < VCM_SPACES_MAX; i++)
		space[i] = create(i % 2 ? importer : second);
	igt_assert_eq(__vcm_importer_create_space(importer, &args), -ENOSPC);
	igt_assert_eq(__vcm_importer_create_space(second, &args), -ENOSPC);
	vcm_spaces_read(device, &spaces);
	igt_assert_eq(spaces.spaces, VCM_SPACES_MAX);

	/* That was this device's limit. */
	vcm_importer_destroy_space(other, create(other));

	vcm_space_buffer_import(&buffer, importer, space[VCM_SPACES_MAX - 1]);
	vcm_importer_activate(importer, space[VCM_SPACES_MAX - 1]);
	vcm_space_assert_dma(&buffer, 1);
	vcm_importer_deactivate(importer, space[VCM_SPACES_MAX - 1]);
	vcm_space_buffer_fini(&buffer);

	vcm_importer_destroy_space(second, space[0]);
	space[0] = create(second);
	igt_assert_eq(__vcm_importer_create_space(importer, &args), -ENOSPC);
	for (i = 0; i < VCM_SPACES_MAX; i++)
		vcm_importer_destroy_space(i % 2 ? importer : second, space[i]);
	vcm_spaces_assert_none();
}

/* --- What is refused --------------------------------------------------- */

static void test_refuses_create(int dev, int importer)
{
	static const struct {
		uint64_t start, length, fixed_start, fixed_length, align;
		int error;
	} cases[] = {
		{ START, 0, 0, 0, 0, -EINVAL },
		{ START + 1, LENGTH, 0, 0, 0, -EINVAL },
		{ START + 2048, LENGTH, 0, 0, 0, -EINVAL },
		{ START, 1, 0, 0, 0, -EINVAL },
		{ START, LENGTH + 1, 0, 0, 0, -EINVAL },
		{ START, LENGTH - 2048, 0, 0, 0, -EINVAL },
		{ KIB(4), -KIB(4), 0, 0, 0, -EINVAL },
		{ 1ull << 63, 1ull << 63, 0, 0, 0, -EINVAL },
		{ START, -KIB(4), 0, 0, 0, -EINVAL },
		{ -KIB(4), KIB(8), 0, 0, 0, -EINVAL },
		{ START, LENGTH, FIXED + 1, MIB(1), 0, -EINVAL },
		{ START, LENGTH, FIXED, MIB(1) + 1, 0, -EINVAL },
		{ START, LENGTH, FIXED, 1, 0, -EINVAL },
		{ START, LENGTH, FIXED, -KIB(4), 0, -EINVAL },
		{ START, LENGTH, -KIB(4), KIB(8), 0, -EINVAL },
		{ START, LENGTH, START - KIB(4), KIB(4), 0, -ERANGE },
		{ START, LENGTH, START - KIB(4), MIB(1), 0, -ERANGE },
		{ START, LENGTH, START + LENGTH, KIB(4), 0, -ERANGE },
		{ START, LENGTH, START + LENGTH - KIB(4), KIB(8), 0, -ERANGE },
		{ START, LENGTH, START, LENGTH + KIB(4), 0, -ERANGE },
		{ START, LENGTH, START - KIB(4), LENGTH + KIB(8), 0, -ERANGE },
		{ START, LENGTH, 0, KIB(4), 0, -ERANGE },
		{ START, LENGTH, 1ull << 62, KIB(4), 0, -ERANGE },
		{ START, LENGTH, 0, 0, 1, -EINVAL },
		{ START, LENGTH, 0, 0, 2048, -EINVAL },
		{ START, LENGTH, 0, 0, KIB(12), -EINVAL },
		{ START, LENGTH, 0, 0, MIB(1) + 1, -EINVAL },
		{ START, LENGTH, 0, 0, ~0ull, -EINVAL },
	};
	struct vcm_edu_space_create *args;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcm_edu_space_create copy = {
			.start = cases[i].start,
			.length = cases[i].length,
			.fixed_start = cases[i].fixed_start,
			.fixed_length = cases[i].fixed_length,
			.align = cases[i].align,
		};
		int ret = __vcm_importer_create_space(importer, &copy);

		igt_assert_f(ret == cases[i].error, "case %d: %d, not %d\n", i, ret,
			     cases[i].error);
	}
	igt_assert_eq(__vcm_importer_create_space(importer, NULL), -EFAULT);

	/* The kernel reads the argument, makes the space, and cannot say so. */
	args = mmap(NULL, sizeof(*args), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	igt_assert(args != MAP_FAILED);
	*args = window;
	igt_assert_eq(mprotect(args, sizeof(*args), PROT_READ), 0);
	igt_assert_eq(__vcm_importer_create_space(importer, args), -EFAULT);
	munmap(args, sizeof(*args));
	vcm_spaces_assert_none();
}

static void test_refuses_op(int dev, int importer)
{
	uint32_t space = create(importer), op;

	for (op = VCM_EDU_SPACE_DESTROY; op <= VCM_EDU_SPACE_SWITCH; op++) {
		igt_assert_eq(__vcm_space_op(importer, 0, op), -ENOENT);
		igt_assert_eq(__vcm_space_op(importer, space + 1, op), -ENOENT);
		igt_assert_eq(__vcm_space_op(importer, NEVER, op), -ENOENT);
		igt_assert_eq(__vcm_space_op(importer, ~0u, op), -ENOENT);
	}
	igt_assert_eq(__vcm_space_op(importer, space, VCM_EDU_SPACE_SWITCH + 1), -EINVAL);
	igt_assert_eq(__vcm_space_op(importer, space, ~0u), -EINVAL);
	igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_SPACE, NULL), -EFAULT);

	vcm_importer_destroy_space(importer, space);
	for (op = VCM_EDU_SPACE_DESTROY; op <= VCM_EDU_SPACE_SWITCH; op++)
		igt_assert_eq(__vcm_space_op(importer, space, op), -ENOENT);
}

static int import_args(int importer, int fd, uint32_t space, uint32_t flags, uint32_t reserved)
{
	struct vcm_edu_import import = {
		.fd = fd,
		.flags = flags,
		.space = space,
		.iova = FIXED,
		.reserved = reserved,
	};

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, &import);
}

static void test_refuses_import(int dev, int importer)
{
	const uint32_t one_way = VCM_EDU_IMPORT_READS | VCM_EDU_IMPORT_WRITES;
	const uint32_t fixed = VCM_EDU_IMPORT_FIXED;
	int dmabuf = vcm_dev_alloc_policy(dev, KIB(64), 0, 0, 0);
	uint32_t space = create(importer);

	igt_assert_eq(import_args(importer, dmabuf, space + 1, 0, 0), -ENOENT);
	igt_assert_eq(import_args(importer, dmabuf, NEVER, fixed, 0), -ENOENT);
	igt_assert_eq(import_args(importer, dmabuf, ~0u, 0, 0), -ENOENT);
	igt_assert_eq(import_args(importer, dmabuf, space, 0, 1), -EINVAL);
	igt_assert_eq(import_args(importer, dmabuf, space, fixed, ~0u), -EINVAL);
	igt_assert_eq(import_args(importer, dmabuf, space, one_way, 0), -EINVAL);
	igt_assert_eq(import_args(importer, dmabuf, space, VCM_EDU_IMPORT_WRITES << 1, 0),
		      -EINVAL);
	igt_assert_eq(import_args(importer, dmabuf, 0, fixed, 0), -EINVAL);
	igt_assert_eq(import_args(importer, -1, space, fixed, 0), -EBADF);
	igt_assert_eq(import_args(importer, dev, space, fixed, 0), -EINVAL);
	igt_assert_eq(attachments(dev, dmabuf), 0);
	igt_assert_eq_u64(read_space().mapped, 0);
}

static void test_refuses_activate(int dev, int importer)
{
	uint32_t one = create(importer), two = create(importer);

	igt_assert_eq(__vcm_space_op(importer, one, VCM_EDU_SPACE_DEACTIVATE), -EINVAL);
	vcm_importer_activate(importer, one);
	vcm_importer_activate(importer, one);
	vcm_importer_switch(importer, one);
	igt_assert_eq(__vcm_space_op(importer, two, VCM_EDU_SPACE_ACTIVATE), -EBUSY);
	igt_assert_eq(__vcm_space_op(importer, two, VCM_EDU_SPACE_DEACTIVATE), -EINVAL);
	vcm_importer_switch(importer, two);
	igt_assert_eq(__vcm_space_op(importer, one, VCM_EDU_SPACE_ACTIVATE), -EBUSY);
	igt_assert_eq(__vcm_space_op(importer, one, VCM_EDU_SPACE_DEACTIVATE), -EINVAL);
	vcm_importer_deactivate(importer, two);
	igt_assert_eq(__vcm_space_op(importer, two, VCM_EDU_SPACE_DEACTIVATE), -EINVAL);

	/* To switch from none is to activate. */
	vcm_importer_switch(importer, one);
}

static int try_dma(const struct vcm_space_buffer *buffer)
{
	return __vcm_importer_dma(buffer->importer, buffer->import.handle, VCM_EDU_TO_DEVICE, 0,
				  8, 0);
}

static void test_refuses_dma(int dev, int importer)
{
	struct vcm_space_buffer own;
	struct pair pair;

	pair_init(&pair, dev, importer);
	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_import(&own, importer, 0);
	igt_assert_eq(try_dma(&pair.buffer[0]), -ENXIO);
	igt_assert_eq(try_dma(&pair.buffer[1]), -ENXIO);
	vcm_importer_activate(importer, pair.space[0]);
	igt_assert_eq(try_dma(&own), -ENXIO);
	igt_assert_eq(try_dma(&pair.buffer[1]), -ENXIO);
	vcm_importer_switch(importer, pair.space[1]);
	igt_assert_eq(try_dma(&pair.buffer[0]), -ENXIO);
	igt_assert_eq(try_dma(&pair.buffer[1]), 0);
	vcm_importer_deactivate(importer, pair.space[1]);
	igt_assert_eq(try_dma(&own), 0);
}

/* --- The end of a space that is in use --------------------------------- */

/* An import to a space that was destroyed. */
static void assert_leads_nowhere(const struct vcm_space_buffer *buffer)
{
	uint32_t matches;

	igt_assert_eq(try_dma(buffer), -ENXIO);
	igt_assert_eq(try_check(buffer->importer, buffer->import.handle, 0, &matches), -ENXIO);
}

/*
 * Destroys @space, which is active, and looks from another one for @victim, which
 * is imported to it.
 */
static void destroy_under(int dev, int importer, uint32_t space, struct vcm_space_buffer *victim,
			  uint64_t desk_iova)
{
	struct vcm_space_buffer desk, own;
	uint32_t other = create(importer);

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&desk, dev, KIB(64));
	vcm_space_buffer_init(&own, dev, KIB(64));
	vcm_space_buffer_import_at(&desk, importer, other, desk_iova);
	vcm_space_buffer_import(&own, importer, 0);
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(victim, 1);

	vcm_importer_destroy_space(importer, space);
	assert_leads_nowhere(victim);
	vcm_space_assert_dma(&own, 2);
	vcm_importer_activate(importer, other);
	vcm_space_assert_unreached(&desk, victim, victim->import.iova);
	vcm_importer_destroy_space(importer, other);
	vcm_space_assert_dma(&own, 3);
	vcm_space_buffer_fini(&desk);
	vcm_space_buffer_fini(&own);
}

static void test_destroy_active(int dev, int importer)
{
	uint32_t space = create(importer);
	struct vcm_space_buffer victim;

	vcm_space_buffer_init(&victim, dev, MIXED);
	vcm_space_buffer_import(&victim, importer, space);
	destroy_under(dev, importer, space, &victim, FIXED);
	igt_assert_eq(attachments(dev, victim.dmabuf), 1);
	vcm_space_buffer_release(&victim);
	igt_assert_eq(attachments(dev, victim.dmabuf), 0);
}

static void test_destroy_mapped(int dev, int importer)
{
	uint32_t space = create(importer), again;
	struct vcm_space_buffer buffer[3];
	struct vcm_edu_import import;
	uint64_t ino;
	int i;

	for (i = 0; i < 3; i++) {
		vcm_space_buffer_init(&buffer[i], dev, MIXED);
		vcm_space_buffer_import(&buffer[i], importer, space);
		/* Twice to the same device */
		vcm_space_import(importer, space, buffer[i].dmabuf, &import);
	}
	vcm_importer_destroy_space(importer, space);
	igt_assert_eq(__vcm_space_import(importer, space, buffer[0].dmabuf, &import), -ENOENT);
	igt_assert_eq(__vcm_space_op(importer, space, VCM_EDU_SPACE_DESTROY), -ENOENT);

	/* Released; used in another space first; closed first. */
	vcm_space_buffer_release(&buffer[0]);
	again = create(importer);
	vcm_space_import(importer, again, buffer[1].dmabuf, &import);
	vcm_importer_activate(importer, again);
	assert_leads_nowhere(&buffer[1]);
	vcm_space_buffer_release(&buffer[1]);
	buffer[1].import = import;
	vcm_space_assert_dma(&buffer[1], 1);
	vcm_importer_deactivate(importer, again);
	vcm_importer_destroy_space(importer, again);
	ino = vcm_buffer_ino(buffer[2].dmabuf);
	vcm_buffer_unmap(buffer[2].words, buffer[2].length);
	close(buffer[2].dmabuf);
	assert_leads_nowhere(&buffer[2]);
	vcm_space_buffer_release(&buffer[2]);
	/* The second import of it is there still. */
	igt_assert(__vcm_buffer_info_read(ino, &(struct vcm_buffer_info){}));
}

static void test_destroy_fixed(int dev, int importer)
{
	uint32_t space = create(importer);
	struct vcm_buffer_info info;
	struct vcm_space_buffer victim;
	struct vcm_edu_import import;
	uint64_t ino;

	vcm_space_buffer_init(&victim, dev, MIXED);
	vcm_space_buffer_import_at(&victim, importer, space, FIXED);
	vcm_space_import_at(importer, space, victim.dmabuf, FIXED + MIB(4), &import);
	igt_assert_eq(attachments(dev, victim.dmabuf), 2);
	destroy_under(dev, importer, space, &victim, FIXED + MIB(8));
	igt_assert_eq(attachments(dev, victim.dmabuf), 0);

	ino = vcm_buffer_ino(victim.dmabuf);
	vcm_importer_release(importer, import.handle);
	vcm_space_buffer_fini(&victim);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
}

static unsigned int count_groups(void)
{
	DIR *dir = opendir("/sys/kernel/iommu_groups");
	unsigned int n = 0;

	igt_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The end of a space's device is not told: it is soon. */
static void wait_for_groups(unsigned int groups)
{
	int i;

	for (i = 0; i < 600 && count_groups() > groups; i++)
		usleep(100000);
	igt_assert_eq(count_groups(), groups);
}

static void test_destroy_other_heap(int dev, int importer)
{
	struct vcm_space_buffer buffer = { .length = MIB(3) };
	int heap = __vcm_heap_open("system");
	unsigned int groups = count_groups();
	struct vcm_edu_import second, fixed;
	uint32_t space;

	igt_require_f(heap >= 0, "no heap \"system\"\n");
	space = create(importer);
	buffer.dmabuf = vcm_heap_alloc(heap, buffer.length);
	buffer.words = vcm_buffer_map(buffer.dmabuf);
	vcm_space_buffer_import(&buffer, importer, space);
	vcm_space_import(importer, space, buffer.dmabuf, &second);
	vcm_space_import_at(importer, space, buffer.dmabuf, FIXED, &fixed);
	/* The space and its keeper */
	igt_assert_eq(count_groups(), groups + 2);
	destroy_under(dev, importer, space, &buffer, FIXED + MIB(8));
	wait_for_groups(groups + 1);

	vcm_importer_release(importer, fixed.handle);
	vcm_space_buffer_fini(&buffer);
	sleep(3);
	igt_assert_eq(count_groups(), groups + 1);
	vcm_importer_release(importer, second.handle);
	wait_for_groups(groups);
}

/* Somebody is in the DMA API for the space's device before, meanwhile and after. */
static void destroy_while_mapping(int importer, int dmabuf)
{
	int i;

	for (i = 0; i < 20; i++) {
		struct vcm_edu_destroy args = { .space = create(importer), .fd = dmabuf };

		igt_assert_eq(__vcm_importer_ioctl(importer, VCM_EDU_IOC_DESTROY, &args), 0);
		igt_assert_lt(9, args.count);
	}
}

static void test_destroy_while_mapping(int dev, int importer)
{
	int heap = __vcm_heap_open("system"), dmabuf;

	igt_require_f(heap >= 0, "no heap \"system\"\n");
	dmabuf = vcm_heap_alloc(heap, MIB(3));
	destroy_while_mapping(importer, dmabuf);
	close(dmabuf);
	close(heap);
	dmabuf = vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
	destroy_while_mapping(importer, dmabuf);
	igt_assert_eq(attachments(dev, dmabuf), 0);
	close(dmabuf);
	vcm_spaces_assert_none();
}

static void test_destroy_and_close(int dev, int unused)
{
	unsigned int groups = count_groups();
	struct vcm_totals before;
	int heap, i;

	heap = __vcm_heap_open("system");
	vcm_totals_read(&before);
	for (i = 0; i < 4; i++) {
		int importer = vcm_importer_open(0);
		int dmabuf = i & 1 ? vcm_heap_alloc(heap, MIB(3)) :
				     vcm_dev_alloc_policy(dev, MIXED, 0, 0, 0);
		struct vcm_edu_import import;
		uint32_t space = create(importer);

		vcm_space_import(importer, space, dmabuf, &import);
		vcm_space_import_at(importer, space, dmabuf, FIXED, &import);
		if (i & 2)
			vcm_importer_activate(importer, space);
		vcm_importer_destroy_space(importer, space);
		close(dmabuf);
		close(importer);
	}
	close(heap);
	vcm_totals_assert_back(&before);
	wait_for_groups(groups);
}

/* --- Files and processes ----------------------------------------------- */

static void test_other_file(int dev, int importer)
{
	int other = vcm_importer_open(0);
	uint32_t ours = create(importer), theirs = create(other), op;
	struct vcm_space_buffer buffer;
	struct vcm_edu_import import;

	/* Numbers are a file's own: make one that the other has not. */
	vcm_importer_destroy_space(importer, ours);
	ours = create(importer);
	while (ours <= theirs)
		ours = create(importer);
	vcm_space_buffer_init(&buffer, dev, KIB(64));
	for (op = VCM_EDU_SPACE_DESTROY; op <= VCM_EDU_SPACE_SWITCH; op++)
		igt_assert_eq(__vcm_space_op(other, ours, op), -ENOENT);
	igt_assert_eq(__vcm_space_import(other, ours, buffer.dmabuf, &import), -ENOENT);

	/* They do share the device. */
	vcm_space_buffer_import(&buffer, importer, ours);
	vcm_importer_activate(other, theirs);
	igt_assert_eq(__vcm_space_op(importer, ours, VCM_EDU_SPACE_ACTIVATE), -EBUSY);
	igt_assert_eq(try_dma(&buffer), -ENXIO);
	vcm_importer_switch(importer, ours);
	igt_assert_eq(__vcm_space_op(other, theirs, VCM_EDU_SPACE_DEACTIVATE), -EINVAL);

	/* The other's end is not ours. */
	close(other);
	vcm_space_assert_dma(&buffer, 1);
}

/* One buffer in a space, in all ways in which it can be. Returns 0 or -errno. */
static int import_everywhere(int importer, uint32_t space, int dmabuf)
{
	struct vcm_edu_import import;
	int ret;

	ret = __vcm_space_import(importer, space, dmabuf, &import);
	if (!ret)
		ret = __vcm_space_import(importer, space, dmabuf, &import);
	if (!ret)
		ret = __vcm_space_import_at(importer, space, dmabuf, FIXED, &import);
	if (!ret)
		ret = __vcm_space_import(importer, 0, dmabuf, &import);
	return ret;
}

/* Three spaces with buffers, one of them active. Returns 0 or -errno. */
static int use_spaces(int dev, int importer)
{
	const struct dma_heap_vcm_alloc alloc = vcm_alloc_args(MIXED);
	int i, ret = 0;

	for (i = 0; i < 3 && !ret; i++) {
		struct vcm_edu_space_create args = window;
		int dmabuf = __vcm_dev_alloc(dev, &alloc);

		if (dmabuf < 0)
			return dmabuf;
		ret = __vcm_importer_create_space(importer, &args);
		if (!ret)
			ret = import_everywhere(importer, args.space, dmabuf);
		if (!ret)
			ret = __vcm_space_op(importer, args.space, VCM_EDU_SPACE_SWITCH);
		close(dmabuf);
	}
	return ret;
}

static void test_close_destroys(int dev)
{
	struct vcm_totals before;
	int i;

	vcm_totals_read(&before);
	for (i = 0; i < 3; i++) {
		int importer = vcm_importer_open(0);

		igt_assert_eq(use_spaces(dev, importer), 0);
		close(importer);
		vcm_spaces_assert_none();
		vcm_totals_assert_back(&before);
	}
}

static void test_kill_destroys(int dev)
{
	struct vcm_totals before;
	int ready[2], status;
	char byte;
	pid_t pid;

	vcm_totals_read(&before);
	igt_assert_eq(pipe(ready), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		if (!use_spaces(dev, __vcm_importer_open(0)) && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	igt_assert_eq(read(ready[0], &byte, 1), 1);
	igt_assert_eq(kill(pid, SIGKILL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
	close(ready[0]);
	vcm_spaces_assert_none();
	vcm_totals_assert_back(&before);
}

/* --- The kernel's own knobs -------------------------------------------- */

/* Whatever comes of it: the space has to be as good as before. */
static void write_domain_type(unsigned int number, const char *type)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/platform/devices/vcm-space.%u/iommu_group/type",
		 number);
	if (!vcm_file_write(path, type))
		igt_info("%s was taken\n", type);
}

static void test_domain_type(int dev, int importer)
{
	static const char * const types[] = { "identity", "DMA-FQ", "DMA", "auto" };
	struct vcm_space_buffer buffer, meanwhile;
	uint32_t space = create(importer);
	uint64_t iova;
	int i;

	vcm_importer_require_probe(importer);
	vcm_space_buffer_init(&buffer, dev, MIXED);
	vcm_space_buffer_import(&buffer, importer, space);
	vcm_importer_activate(importer, space);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		write_domain_type(read_space().number, types[i]);
		igt_assert_eq_u64(read_space().mapped, MIXED);
		vcm_space_assert_dma(&buffer, i + 1);
	}

	/* Nor is a mapping there any longer than it is. */
	vcm_space_buffer_init(&meanwhile, dev, KIB(64));
	vcm_space_buffer_import(&meanwhile, importer, space);
	iova = meanwhile.import.iova;
	vcm_space_buffer_release(&meanwhile);
	igt_assert_eq_u64(read_space().mapped, MIXED);
	vcm_space_assert_unreached(&buffer, &meanwhile, iova);
}

/* -1 for none: of a platform device on none there is no such file. */
static long read_node(const char *bus, const char *name)
{
	char path[128], *text;
	long node;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/numa_node", bus, name);
	text = vcm_file_read(path);
	node = text ? strtol(text, NULL, 10) : -1;
	free(text);
	return node;
}

static void test_same_node(int dev, int importer)
{
	uint32_t space = create(importer);
	char name[32];

	snprintf(name, sizeof(name), "vcm-space.%u", read_space().number);
	igt_assert_eq(read_node("platform", name), read_node("pci", device));
	vcm_importer_destroy_space(importer, space);
}

/* Its DMA is claimed; the driver core forgets all the same who it was. */
static void test_foreign_driver(int dev, int importer)
{
	static const char driver[] = "serial8250";
	struct vcm_space_buffer buffer, later;
	uint32_t space = create(importer);
	char name[32], path[128], *regions;

	vcm_space_buffer_init(&buffer, dev, MIXED);
	vcm_space_buffer_init(&later, dev, MIXED);
	vcm_space_buffer_import(&buffer, importer, space);
	snprintf(name, sizeof(name), "vcm-space.%u", read_space().number);
	snprintf(path, sizeof(path), "/sys/bus/platform/devices/%s/driver_override", name);
	igt_assert_eq(vcm_file_write(path, driver), 0);
	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/%s/bind", driver);
	igt_assert_eq(vcm_file_write(path, name), -EBUSY);

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/%s/iommu_group/reserved_regions", name);
	regions = vcm_file_read(path);
	igt_assert(regions && *regions);
	free(regions);

	vcm_space_buffer_release(&buffer);
	vcm_space_buffer_import(&later, importer, space);
	vcm_importer_activate(importer, space);
	vcm_space_assert_dma(&later, 1);
}

/* --- The subtests ------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(int dev, int importer);
	const char *description;
} subtests[] = {
	{ "create-many-times", test_create_many_times,
	  "Making and destroying spaces uses nothing up" },
	{ "shown", test_shown,
	  "Spaces, what is mapped in them and which is active are shown" },
	{ "window", test_window,
	  "Buffers are mapped inside the window of their space" },
	{ "out-of-reach", test_out_of_reach,
	  "What does not fit into a space is refused and leaves nothing" },
	{ "same-address", test_same_address,
	  "A device switched a thousand times sees two buffers at one address in turn" },
	{ "interrupts", test_interrupts,
	  "A device's interrupts arrive while a space is active" },
	{ "hides-other-space", test_hides_other_space,
	  "A device does not reach what only another space has mapped" },
	{ "hides-default", test_hides_default,
	  "A device in a space does not reach what the DMA API has mapped for it" },
	{ "hides-inactive", test_hides_inactive,
	  "A device that is in no space does not reach what a space has mapped" },
	{ "hides-released", test_hides_released,
	  "What was released in the active space can not be reached any more" },
	{ "default-restored", test_default_restored,
	  "Mappings from before an activation work after a deactivation" },
	{ "default-meanwhile", test_default_meanwhile,
	  "Mappings made and released while a space is active are right afterwards" },
	{ "freed-while-inactive", test_freed_while_inactive,
	  "A buffer that is closed while an inactive space has it mapped lives there" },
	{ "three-spaces-and-default", test_three_and_default,
	  "One buffer in three spaces and the default at once is one memory" },
	{ "other-heap", test_other_heap,
	  "A buffer of a heap that knows nothing of spaces is mapped in them as well" },
	{ "two-devices", test_two_devices,
	  "The spaces of two devices are of no concern to each other" },
	{ "translation", test_translation,
	  "What a space says of its addresses is where the buffer is" },
	{ "coherent", test_coherent,
	  "A driver's own memory in a space is what the device finds there" },
	{ "probe-needs-root", test_probe_needs_root,
	  "DMA at any address is for root, whoever has got the device's file" },
	{ "same-node", test_same_node,
	  "What the kernel allocates for a space is on the node of the device" },
	{ "foreign-driver", test_foreign_driver,
	  "Who binds another driver to a space's device is refused, and does no harm" },
	{ "fault-handler", test_fault_handler,
	  "A fault is told to the space that is active, and to no other" },
	{ "fixed-dma", test_fixed_dma,
	  "A device finds a buffer at the address that was chosen for it" },
	{ "fixed-overlap", test_fixed_overlap,
	  "Nothing is mapped over anything in the fixed window" },
	{ "fixed-range", test_fixed_range,
	  "Nothing is mapped at fixed addresses outside the fixed window" },
	{ "fixed-misaligned", test_fixed_misaligned,
	  "Fixed addresses are multiples of the page and of the space's alignment" },
	{ "fixed-reserved", test_fixed_reserved,
	  "Nothing is mapped where the platform has its own use for the addresses" },
	{ "fixed-kept-free", test_fixed_kept_free,
	  "The DMA API never maps in the fixed window" },
	{ "fixed-keeps", test_fixed_keeps,
	  "A buffer at a fixed address lives as long as it is there" },
	{ "fixed-policy", test_fixed_policy,
	  "At a fixed address the alignment and the guard of a buffer do not matter" },
	{ "fixed-again", test_fixed_again,
	  "Fixed addresses are free again when the buffer is released" },
	{ "align", test_align,
	  "In a space with an alignment large chunks are aligned" },
	{ "align-any-chunks", test_align_any_chunks,
	  "Buffers of chunks smaller than the alignment are never refused" },
	{ "align-refuses", test_align_refuses,
	  "A mapping that wastes an aligned block is refused and counted" },
	{ "as-many-as-allowed", test_as_many_as_allowed,
	  "The number of spaces has a limit, and reaching it leaves nothing behind" },
	{ "refuses-create", test_refuses_create,
	  "Spaces with bad arguments are refused" },
	{ "refuses-op", test_refuses_op,
	  "Spaces and operations that do not exist are refused" },
	{ "refuses-import", test_refuses_import,
	  "Imports to spaces with bad arguments are refused" },
	{ "refuses-activate", test_refuses_activate,
	  "Spaces are activated and deactivated one at a time" },
	{ "refuses-dma", test_refuses_dma,
	  "A driver knows that the device is in another space than a buffer" },
	{ "destroy-active", test_destroy_active,
	  "An active space can be destroyed, and the device reaches nothing of it" },
	{ "destroy-mapped", test_destroy_mapped,
	  "Who has buffers in a space that was destroyed lets them go as ever" },
	{ "destroy-fixed", test_destroy_fixed,
	  "A space that is destroyed lets go of the buffers at fixed addresses" },
	{ "destroy-other-heap", test_destroy_other_heap,
	  "A space with buffers of another heap ends when the last one is released" },
	{ "destroy-while-mapping", test_destroy_while_mapping,
	  "A space can be destroyed while buffers are mapped in it, of any heap" },
	{ "destroy-and-close", test_destroy_and_close,
	  "Files with buffers in spaces that were destroyed can be closed" },
	{ "other-file", test_other_file,
	  "The spaces of an open file are not there for another" },
	{ "domain-type", test_domain_type,
	  "The kernel's switch for the type of domain does no harm to a space" },
};

/*
 * Each subtest has a file of its own; whatever is left in it goes with it. That of one
 * that failed goes before it is noted what is open: the next has the same number.
 */
static void run(int dev, int i)
{
	static int importer = -1;

	if (importer >= 0)
		close(importer);
	vcm_subtest_begin();
	importer = vcm_importer_open(0);
	vcm_spaces_assert_none();
	subtests[i].run(dev, importer);
	vcm_subtest_end();
	importer = -1;
	vcm_spaces_assert_none();
}

int igt_main()
{
	static struct vcm_totals before;
	static int dev, i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_debugfs();
		vcm_importer_name(0, device);
		vcm_totals_read(&before);
	}

	vcm_subtest("create", test_create(), "Spaces can be made behind an IOMMU and nowhere else");

	igt_subtest_group() {
		igt_fixture() {
			int importer = vcm_importer_open(0);

			vcm_importer_require_translation(importer);
			close(importer);
		}

		for (i = 0; i < ARRAY_SIZE(subtests); i++)
			vcm_subtest(subtests[i].name, run(dev, i), subtests[i].description);

		vcm_subtest("close-destroys", test_close_destroys(dev),
			    "Closing the file destroys its spaces, whatever is in them");
		vcm_subtest("kill-destroys", test_kill_destroys(dev),
			    "So does a process that is killed");
	}

	igt_fixture() {
		vcm_spaces_assert_none();
		vcm_totals_assert_back(&before);
	}
}
