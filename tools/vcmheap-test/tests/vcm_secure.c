// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <elf.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vcm_iova.h"
#include "vcm_space.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What nobody may learn or reach through vcm heap buffers.");

#define NOBODY 65534
#define WORD 8u

/* --- Who may open what ------------------------------------------------- */

static const struct {
	const char *path;
	mode_t mode;
} nodes[] = {
	{ "/dev/vcm", 0600 },
	{ "/dev/dma_heap/vcm", 0600 },
	{ "/dev/vcm-edu-test", 0600 },
	{ "/dev/vcm-edu-test1", 0600 },
	{ "/sys/kernel/debug/vcm/totals", 0400 },
	{ "/sys/kernel/debug/vcm/buffers", 0400 },
	{ "/sys/kernel/debug/vcm/iova", 0400 },
	{ "/sys/kernel/debug/vcm/spaces", 0400 },
	{ "/sys/kernel/debug/vcm/pool", 0400 },
	{ "/sys/kernel/debug/vcm/pool_drain", 0200 },
};

static void test_nodes_of_root(void)
{
	struct stat st;
	int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		igt_assert_f(!stat(nodes[i].path, &st), "%s: %s\n", nodes[i].path,
			     strerror(errno));
		igt_assert_f(st.st_uid == 0 && st.st_gid == 0 &&
			     (st.st_mode & 07777) == nodes[i].mode,
			     "%s: owner %u, group %u, mode %#o\n", nodes[i].path, st.st_uid,
			     st.st_gid, st.st_mode & 07777);
	}
	igt_assert_eq(stat("/sys/kernel/debug", &st), 0);
	igt_assert_eq(st.st_mode & 077, 0);
}

/* Files of the heap's directory that the table does not have would go unseen. */
static void assert_all_known(const char *dir)
{
	DIR *files = opendir(dir);
	struct dirent *entry;

	igt_assert(files);
	while ((entry = readdir(files))) {
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		igt_assert_eq(stat(path, &st), 0);
		if (S_ISREG(st.st_mode))
			igt_assert_f(!(st.st_mode & 077), "%s: mode %#o\n", path,
				     st.st_mode & 07777);
	}
	closedir(files);
}

static void become_nobody(void)
{
	igt_assert_eq(setgroups(0, NULL), 0);
	igt_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

static void assert_refused(const char *path, int mode)
{
	int fd = open(path, mode | O_CLOEXEC);

	igt_assert_f(fd < 0 && errno == EACCES, "%s: %s\n", path,
		     fd < 0 ? strerror(errno) : "opened");
}

static void test_nodes_refuse(void)
{
	static const char *const params[] = {
		"/sys/module/vcm_heap/parameters/pool_mb",
		"/sys/module/vcm_heap/parameters/align",
		"/sys/module/vcm_edu_test/parameters/late",
	};
	int i;

	igt_fork(child, 1) {
		become_nobody();
		for (i = 0; i < ARRAY_SIZE(nodes); i++) {
			assert_refused(nodes[i].path, O_RDONLY);
			assert_refused(nodes[i].path, O_WRONLY);
			assert_refused(nodes[i].path, O_RDWR);
		}
		for (i = 0; i < ARRAY_SIZE(params); i++)
			assert_refused(params[i], O_WRONLY);
	}
	igt_waitchildren();
}

static void use_passed_on(int writable, int readable)
{
	void *ptr;

	become_nobody();
	ptr = vcm_buffer_map(writable);
	vcm_buffer_begin(writable, DMA_BUF_SYNC_RW);
	vcm_assert_filled(ptr, KIB(64), 1);
	vcm_fill(ptr, KIB(64), 2);
	vcm_buffer_end(writable, DMA_BUF_SYNC_RW);
	vcm_buffer_unmap(ptr, KIB(64));

	ptr = vcm_buffer_map_range(readable, 0, KIB(64), PROT_READ);
	igt_assert_eq(mprotect(ptr, KIB(64), PROT_READ | PROT_WRITE), -1);
	igt_assert_eq(errno, EACCES);
	vcm_buffer_unmap(ptr, KIB(64));
	igt_assert_eq(__vcm_buffer_map(readable, 0, KIB(64), PROT_READ | PROT_WRITE, &ptr),
		      -EACCES);
}

static void test_buffer_passed_on(int heap)
{
	int writable = vcm_heap_alloc(heap, KIB(64));
	int readable = __vcm_heap_alloc_flags(heap, KIB(64), O_RDONLY | O_CLOEXEC, 0);
	void *ptr = vcm_buffer_map(writable);

	igt_assert(readable >= 0);
	vcm_fill(ptr, KIB(64), 1);
	igt_fork(child, 1)
		use_passed_on(writable, readable);
	igt_waitchildren();
	vcm_assert_filled(ptr, KIB(64), 2);
}

/* --- Addresses --------------------------------------------------------- */

#define FRAMES_MAX 64

/* Where pages of a buffer are in memory. */
static uint64_t frames[FRAMES_MAX];
static unsigned int nr_frames;

/* What is at the beginning of these pages. */
static uint64_t tags[FRAMES_MAX];

static void look_at_page(uint64_t word, uint64_t phys)
{
	unsigned int i;

	for (i = 0; i < FRAMES_MAX; i++) {
		if (tags[i] != word || frames[i])
			continue;
		frames[i] = phys / vcm_page_size();
		nr_frames++;
	}
}

static void look_at_range(int core, const Elf64_Phdr *range)
{
	uint64_t offset, word;

	for (offset = 0; offset < range->p_filesz && nr_frames < FRAMES_MAX;
	     offset += vcm_page_size())
		if (pread(core, &word, sizeof(word), range->p_offset + offset) == sizeof(word))
			look_at_page(word, range->p_paddr + offset);
}

/* Root can look at all of memory, and finds there what is in the buffer. */
static void look_at_memory(void)
{
	int core = open("/proc/kcore", O_RDONLY | O_CLOEXEC), i;
	Elf64_Ehdr header;

	igt_require_f(core >= 0, "no /proc/kcore\n");
	igt_assert_eq(pread(core, &header, sizeof(header), 0), sizeof(header));
	for (i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr range;

		igt_assert_eq(pread(core, &range, sizeof(range),
				    header.e_phoff + i * sizeof(range)), sizeof(range));
		/* What has no physical address is not memory. */
		if (range.p_type == PT_LOAD && range.p_paddr != -1ull)
			look_at_range(core, &range);
	}
	close(core);
}

static void note_frames(int dmabuf)
{
	const uint64_t len = vcm_buffer_size(dmabuf), step = len / FRAMES_MAX;
	static uint64_t seed;
	char *ptr = vcm_buffer_map(dmabuf);
	unsigned int i;

	/* In memory that was given back there may be what was written before. */
	igt_assert_eq(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	vcm_fill(ptr, len, seed);
	memset(frames, 0, sizeof(frames));
	nr_frames = 0;
	for (i = 0; i < FRAMES_MAX; i++)
		memcpy(&tags[i], ptr + i * step, sizeof(tags[i]));
	vcm_buffer_unmap(ptr, len);
	look_at_memory();
	igt_assert_eq(nr_frames, FRAMES_MAX);
}

/*
 * An address in the upper half, as text. Those of the vsyscall page of x86, start
 * and end, are the same on all machines, and in each process's maps.
 */
static bool is_kernel_address(const char *digits, size_t len)
{
	if (len == 16 && !strncmp(digits, "ffffffffff60", 12))
		return false;
	return len == 16 && !strncmp(digits, "ffff", 4) && strncmp(digits, "ffffffffffff", 12);
}

/*
 * An address of the buffer's pages, as text. Frame numbers are so small that any
 * counter may be one by chance: they are looked for where they are called that.
 */
static bool is_physical(const char *digits, size_t len, int base, bool named)
{
	char text[32] = "";
	uint64_t value;
	unsigned int i;

	if (len < 4 || len > 20)
		return false;
	memcpy(text, digits, len);
	value = strtoull(text, NULL, base);
	for (i = 0; i < nr_frames; i++)
		if (value == frames[i] * vcm_page_size() || (named && value == frames[i]))
			return true;
	return false;
}

/* Does a name like "pfn" stand before @number in @text? */
static bool is_named_frame(const char *text, const char *number)
{
	static const char *const names[] = { "pfn", "frame", "phys" };
	char before[16] = "";
	size_t len = number - text;
	int i;

	if (len > sizeof(before) - 1)
		len = sizeof(before) - 1;
	memcpy(before, number - len, len);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasestr(before, names[i]))
			return true;
	return false;
}

/* Looks at each number of a text that could be an address. */
static void assert_no_address(const char *where, const char *text)
{
	const char *number = text;

	while (*number) {
		size_t hex = strspn(number, "0123456789abcdef");
		size_t dec = strspn(number, "0123456789");
		bool named = hex && is_named_frame(text, number);

		igt_assert_f(!is_kernel_address(number, hex) &&
			     !is_physical(number, hex, 16, named) &&
			     !is_physical(number, dec, 10, named),
			     "%s shows an address: %.*s\n", where, (int)hex, number);
		number += hex ?: 1;
	}
}

static unsigned int files_read;

static void read_all(const char *path)
{
	static char text[1 << 18];
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = '\0';
	files_read++;
	assert_no_address(path, text);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_F && S_ISREG(st->st_mode))
		read_all(path);
	return 0;
}

static void read_as_nobody(void)
{
	static const char *const trees[] = {
		"/sys/module/vcm_heap", "/sys/module/vcm_iova",
		"/sys/module/vcm_iommu", "/sys/module/vcm_edu_test",
		"/sys/devices/virtual/misc", "/sys/devices/virtual/dma_heap",
		"/sys/devices/virtual/iommu", "/sys/class/iommu", "/sys/devices/platform",
		"/sys/kernel/dmabuf", "/sys/kernel/slab",
	};
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/smaps", "/proc/self/numa_maps", "/proc/modules",
		"/proc/kallsyms", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/misc",
		"/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo", "/proc/buddyinfo",
	};
	int i;

	become_nobody();
	for (i = 0; i < ARRAY_SIZE(trees); i++)
		nftw(trees[i], visit, 16, FTW_PHYS);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		read_all(files[i]);
	nftw("/proc/self/fdinfo", visit, 16, FTW_PHYS);
	igt_info("%u files read\n", files_read);
	igt_assert_lt(20, files_read);
}

/* A buffer that is mapped, attached and imported to a space. */
struct exposed {
	int dmabuf;
	void *ptr;
	uint64_t len;
	uint32_t handle;
	uint32_t space;
	struct vcm_edu_import in_space;
};

static void exposed_init(struct exposed *exposed, int dev, int importer)
{
	exposed->len = MIB(4);
	exposed->dmabuf = vcm_dev_alloc_policy(dev, exposed->len, 0, KIB(4), 0);
	vcm_buffer_set_name(exposed->dmabuf, "secret");
	note_frames(exposed->dmabuf);
	exposed->ptr = vcm_buffer_map(exposed->dmabuf);
	exposed->handle = vcm_importer_import(importer, exposed->dmabuf);
	exposed->space = vcm_importer_create_space(importer, 0, 1ull << 28);
	vcm_space_import(importer, exposed->space, exposed->dmabuf, &exposed->in_space);
}

static void exposed_fini(struct exposed *exposed, int importer)
{
	vcm_importer_release(importer, exposed->in_space.handle);
	vcm_importer_destroy_space(importer, exposed->space);
	vcm_importer_release(importer, exposed->handle);
	vcm_buffer_unmap(exposed->ptr, exposed->len);
	close(exposed->dmabuf);
	nr_frames = 0;
}

static void test_no_address(int dev, int importer)
{
	struct exposed exposed;

	exposed_init(&exposed, dev, importer);
	igt_fork(child, 1)
		read_as_nobody();
	igt_waitchildren();
	exposed_fini(&exposed, importer);
}

/* The messages of the project's modules. */
static void test_no_address_in_log(int dev, int importer)
{
	struct exposed exposed;
	char line[8192];
	ssize_t n;
	int log;

	exposed_init(&exposed, dev, importer);
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	igt_assert(log >= 0);
	while ((n = read(log, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		/* Marks of the guest itself have random numbers in them. */
		if (strcasestr(line, "vcm") && !strstr(line, "VCM-"))
			assert_no_address("the log", strchr(line, ';') ?: line);
	}
	close(log);
	exposed_fini(&exposed, importer);
}

/* --- Stale data -------------------------------------------------------- */

/* Buffers of one process; of the devices, of which each has its own. */
#define RECYCLE_LIVE 12
#define RECYCLE_TRANSFERS 20

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static uint64_t random_length(void)
{
	static const uint64_t most[] = {
		KIB(8), KIB(8), KIB(16), KIB(16), KIB(16), KIB(64), KIB(64), KIB(64), KIB(200),
	};

	if (!random_below(100))
		return (random_below(MIB(3)) + 1) & -8ull;
	return random_below(most[random_below(ARRAY_SIZE(most))]) + 1;
}

static void check_and_fill(int dmabuf, uint64_t seed)
{
	uint64_t len = vcm_buffer_size(dmabuf);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_buffer_begin(dmabuf, DMA_BUF_SYNC_RW);
	vcm_assert_zero(ptr, len);
	vcm_fill(ptr, len, seed);
	vcm_buffer_end(dmabuf, DMA_BUF_SYNC_RW);
	vcm_buffer_unmap(ptr, len);
}

static void check_by_kernel(int importer, int dmabuf)
{
	uint64_t len = vcm_buffer_size(dmabuf), words[512];
	uint64_t at = random_below(len / sizeof(words)) * sizeof(words);
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	vcm_importer_kernel_read(importer, handle, at, sizeof(words), words);
	vcm_assert_zero(words, sizeof(words));
	vcm_importer_release(importer, handle);
}

static void recycle(int heap, int importer, unsigned int rounds)
{
	int dmabuf[RECYCLE_LIVE];
	unsigned int i;

	memset(dmabuf, -1, sizeof(dmabuf));
	for (i = 0; i < rounds; i++) {
		unsigned int slot = random_below(RECYCLE_LIVE);

		if (dmabuf[slot] >= 0)
			close(dmabuf[slot]);
		dmabuf[slot] = vcm_heap_alloc(heap, random_length());
		if (i % 16 == 0)
			check_by_kernel(importer, dmabuf[slot]);
		check_and_fill(dmabuf[slot], i);
	}
	for (i = 0; i < RECYCLE_LIVE; i++)
		if (dmabuf[i] >= 0)
			close(dmabuf[i]);
}

/* Two transfers: what the device finds in the buffer it writes to a page. */
static void check_by_device(int importer, int dmabuf, struct vcm_space_buffer *desk)
{
	uint64_t len = vcm_buffer_size(dmabuf), part = VCM_EDU_RAM_SIZE;
	uint64_t at = random_below(len / part) * part;
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	vcm_space_buffer_tag(desk, 1);
	vcm_importer_read(importer, handle, at, part);
	vcm_importer_write(importer, desk->import.handle, 0, part);
	vcm_buffer_begin(desk->dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_zero(desk->words, part);
	vcm_buffer_end(desk->dmabuf, DMA_BUF_SYNC_READ);
	vcm_importer_release(importer, handle);
}

/* While others recycle, at the pace of the device. */
static void recycle_by_device(int dev, int heap, unsigned int index)
{
	int importer = vcm_importer_open(index), i, dmabuf;
	struct vcm_space_buffer desk;

	random_state = index + 2;
	vcm_space_buffer_init(&desk, dev, KIB(4));
	vcm_space_buffer_import(&desk, importer, 0);
	for (i = 0; i < RECYCLE_TRANSFERS; i++) {
		dmabuf = vcm_heap_alloc(heap, random_length());
		check_by_device(importer, dmabuf, &desk);
		check_and_fill(dmabuf, i);
		close(dmabuf);
	}
	vcm_space_buffer_fini(&desk);
	close(importer);
}

static void test_stale(int dev, int heap, int importer, bool pool, unsigned int rounds)
{
	struct vcm_pool_params params;
	struct vcm_memory before;

	vcm_pool_params_read(&params);
	vcm_pool_renew(pool ? 64 : 0);
	vcm_memory_read(&before);
	igt_fork(child, 2)
		recycle_by_device(dev, heap, child);
	recycle(heap, importer, rounds);
	igt_waitchildren();
	igt_info("%u buffers by CPU, %u by the kernel, %u by devices: 0 bytes found; %llu KiB in the pool\n",
		 rounds + 2 * RECYCLE_TRANSFERS, rounds / 16, 2 * RECYCLE_TRANSFERS,
		 (unsigned long long)vcm_pool_total() >> 10);
	if (pool)
		igt_assert_lt_u64(0, vcm_pool_total());
	else
		igt_assert_eq_u64(vcm_pool_total(), 0);
	vcm_pool_params_write(&params);
	vcm_memory_assert_back(&before, "recycled");
}

/* --- What devices reach ------------------------------------------------ */

/* What is asked of a device */
struct reach {
	int importer;			/* the device */
	struct vcm_space_buffer desk;	/* what shows its RAM */
	struct vcm_space_buffer victim;	/* the buffer that it must not find where it looks */
};

static void reach_init(struct reach *reach, int dev, int importer, uint64_t len, uint64_t guard)
{
	vcm_importer_require_translation(importer);
	vcm_importer_require_probe(importer);
	reach->importer = importer;
	vcm_space_buffer_init(&reach->desk, dev, KIB(4));
	vcm_space_buffer_import(&reach->desk, importer, 0);
	reach->victim = (struct vcm_space_buffer){
		.dmabuf = vcm_dev_alloc_policy(dev, len, 0, guard, 0),
		.length = len,
	};
	reach->victim.words = vcm_buffer_map(reach->victim.dmabuf);
	vcm_space_buffer_import(&reach->victim, importer, 0);
	/* It would show if the device could. */
	vcm_space_assert_dma(&reach->victim, 1);
}

static void reach_fini(struct reach *reach)
{
	vcm_space_buffer_fini(&reach->victim);
	vcm_space_buffer_fini(&reach->desk);
}

static void assert_unreached(struct reach *reach, uint64_t iova)
{
	vcm_space_assert_unreached(&reach->desk, &reach->victim, iova);
}

static bool inside(const struct vcm_space_buffer *buffer, uint64_t iova)
{
	return iova + WORD > buffer->import.iova &&
	       iova < buffer->import.iova + buffer->length;
}

/* Nothing is mapped there, so there is something to assert. */
static bool is_unmapped(const struct reach *reach, uint64_t iova)
{
	return !inside(&reach->desk, iova) && !inside(&reach->victim, iova);
}

static void test_unreachable_guard(int dev, int importer)
{
	const uint64_t guard = KIB(64), len = KIB(128);
	struct reach reach;
	uint64_t end;

	reach_init(&reach, dev, importer, len, guard);
	end = reach.victim.import.iova + len;
	assert_unreached(&reach, end);
	assert_unreached(&reach, end + guard / 2);
	assert_unreached(&reach, end + guard - WORD);
	reach_fini(&reach);
}

/* The first and the last byte that the device could name, and next to a buffer. */
static void test_unreachable_around(int dev, int importer)
{
	struct vcm_edu_info info;
	struct reach reach;
	unsigned int i, asked = 0;
	uint64_t last;

	reach_init(&reach, dev, importer, MIB(1), MIB(1));
	igt_assert_eq(__vcm_importer_info(importer, &info), 0);
	last = (1ull << info.dma_bits) - 2 * WORD;
	assert_unreached(&reach, reach.victim.import.iova + MIB(1));
	if (is_unmapped(&reach, reach.victim.import.iova - WORD))
		assert_unreached(&reach, reach.victim.import.iova - WORD);
	assert_unreached(&reach, 0);
	if (is_unmapped(&reach, last))
		assert_unreached(&reach, last);

	/* Where it would be if nothing translated. */
	note_frames(reach.victim.dmabuf);
	for (i = 0; i < nr_frames; i += nr_frames / 2) {
		uint64_t phys = frames[i] * vcm_page_size();

		if (phys > last || !is_unmapped(&reach, phys))
			continue;
		assert_unreached(&reach, phys);
		asked++;
	}
	nr_frames = 0;
	igt_assert(asked || info.dma_bits < 32);
	reach_fini(&reach);
}

static void test_unreachable_released(int dev, int importer)
{
	struct reach reach;
	uint64_t iova;

	reach_init(&reach, dev, importer, KIB(128), 0);
	iova = reach.victim.import.iova;
	vcm_space_buffer_release(&reach.victim);
	assert_unreached(&reach, iova);
	assert_unreached(&reach, iova + KIB(128) - WORD);
	reach_fini(&reach);
}

/* Each device has its addresses; what the one has, the other has not. */
static void test_unreachable_others(int dev, const int *importers)
{
	struct vcm_edu_import theirs;
	struct reach reach;

	reach_init(&reach, dev, importers[1], KIB(4), 0);
	igt_assert_eq(__vcm_importer_import(importers[0], reach.victim.dmabuf, &theirs), 0);
	vcm_space_buffer_release(&reach.victim);
	if (!inside(&reach.desk, theirs.iova))
		assert_unreached(&reach, theirs.iova);
	vcm_importer_release(importers[0], theirs.handle);
	reach_fini(&reach);
}

/* --- Overflow ---------------------------------------------------------- */

/* Around each of these, and with the bits below set or not. */
static const uint64_t limits[] = {
	1ull << 31, (1ull << 31) - 1, (1ull << 31) + 1, (1ull << 31) + 4096,
	1ull << 32, (1ull << 32) - 1, (1ull << 32) + 1, (1ull << 32) + 4096,
	1ull << 63, (1ull << 63) - 1, (1ull << 63) + 1, (1ull << 63) + 4096,
	-1ull, -8ull, -4095ull, -4096ull, -4097ull, -8192ull,
};

/* Is @ret one of the errors, of which 0 is the last? */
static void assert_one_of(const char *what, uint64_t value, int ret, ...)
{
	bool found = false;
	va_list ap;
	int error;

	va_start(ap, ret);
	while ((error = va_arg(ap, int)))
		found |= ret == error;
	va_end(ap);
	igt_assert_f(found, "%s %#llx: %s\n", what, (unsigned long long)value,
		     ret < 0 ? strerror(-ret) : "success");
}

static void test_overflow_heap(int heap)
{
	struct vcm_memory before;
	int i;

	vcm_memory_read(&before);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		int dmabuf = __vcm_heap_alloc(heap, limits[i]);

		if (dmabuf >= 0) {
			igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_align(limits[i]));
			igt_assert_lt_u64(limits[i], vcm_ram_size());
			close(dmabuf);
			continue;
		}
		/* The core takes what wraps around for zero. */
		assert_one_of("length", limits[i], dmabuf,
			      vcm_page_align(limits[i]) ? -ENOMEM : -EINVAL, 0);
	}
	vcm_memory_assert_back(&before, "lengths near powers of two");
}

static void alloc_length(int dev, uint64_t value)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(value);
	int dmabuf = __vcm_dev_alloc(dev, &args);

	if (dmabuf >= 0) {
		igt_assert_eq_u64(vcm_buffer_size(dmabuf), vcm_page_align(value));
		close(dmabuf);
		return;
	}
	assert_one_of("length", value, dmabuf, vcm_page_align(value) ? -ENOMEM : -EOVERFLOW, 0);
}

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

/* Whatever was promised holds, or the device does not get the buffer. */
static void alloc_policy(int dev, int importer, uint64_t align, uint64_t guard)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(64));
	struct vcm_edu_import import;
	int dmabuf, ret;

	args.align = align;
	args.guard = guard;
	dmabuf = __vcm_dev_alloc(dev, &args);
	if (dmabuf < 0) {
		assert_one_of("align or guard", align | guard, dmabuf, align ? -EDOM : -ERANGE, 0);
		igt_assert(align ? !is_power_of_two(align) || align > 1ull << 57 :
				   guard > 1ull << 57);
		return;
	}
	igt_assert(align ? is_power_of_two(align) : guard <= 1ull << 57);
	ret = __vcm_importer_import(importer, dmabuf, &import);
	if (!ret) {
		igt_assert_eq_u64(align ? import.iova & (align - 1) : 0, 0);
		vcm_importer_release(importer, import.handle);
	} else {
		igt_assert_eq(ret, -ENOSPC);
	}
	close(dmabuf);
}

static void alloc_other(int dev, uint64_t value)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(KIB(64));

	args.chunk_sizes = value;
	assert_one_of("chunk_sizes", value, __vcm_dev_alloc(dev, &args), -EOPNOTSUPP, 0);
	args.chunk_sizes = 0;
	args.name = value;
	assert_one_of("name", value, __vcm_dev_alloc(dev, &args), -EFAULT, 0);
	args.name = 0;
	args.size = value;
	if (args.size < sizeof(args))
		assert_one_of("size", value, __vcm_dev_alloc(dev, &args), -EINVAL, 0);
	else
		assert_one_of("size", value, __vcm_dev_alloc(dev, &args), -E2BIG, -EFAULT, 0);
}

static void test_overflow_alloc(int dev, int importer)
{
	struct vcm_memory before;
	int i;

	vcm_memory_read(&before);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		alloc_length(dev, limits[i]);
		alloc_policy(dev, importer, limits[i], 0);
		alloc_policy(dev, importer, 0, limits[i]);
		alloc_other(dev, limits[i]);
	}
	vcm_memory_assert_back(&before, "fields near powers of two");
}

static void assert_not_mapped(int dmabuf, uint64_t offset, uint64_t len)
{
	void *ptr = mmap(NULL, len, PROT_READ, MAP_SHARED, dmabuf, offset);

	igt_assert_f(ptr == MAP_FAILED, "%#llx bytes at %#llx are mapped\n",
		     (unsigned long long)len, (unsigned long long)offset);
	assert_one_of("mmap", offset ?: len, -errno, -EINVAL, -ENOMEM, -EOVERFLOW, 0);
}

static void test_overflow_map(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), i;
	const uint64_t page = vcm_page_size();

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		assert_not_mapped(dmabuf, limits[i] & -page, page);
		assert_not_mapped(dmabuf, limits[i] & -page, KIB(64));
		assert_not_mapped(dmabuf, 0, limits[i]);
		assert_not_mapped(dmabuf, page, limits[i] & -page);
	}
	assert_not_mapped(dmabuf, page, KIB(64));
	assert_not_mapped(dmabuf, KIB(64), page);
}

static void transfer_offset(int importer, uint32_t handle, uint64_t value)
{
	uint64_t word;

	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_TO_DEVICE, value, WORD, 0),
		      -ERANGE);
	igt_assert_eq(__vcm_importer_access(importer, handle, 0, value, WORD, &word), -ERANGE);
	igt_assert_eq(__vcm_importer_access(importer, handle, 1, value, WORD, &word), -ERANGE);
	/* Up to the end of what there is, and around it. */
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_TO_DEVICE, value, -1u, 0),
		      -ERANGE);
}

static void transfer_length(int importer, uint32_t handle, uint32_t value)
{
	uint64_t word;

	if (value <= VCM_EDU_ACCESS_MAX)
		return;
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_TO_DEVICE, 0, value, 0),
		      -ERANGE);
	igt_assert_eq(__vcm_importer_dma(importer, handle, VCM_EDU_FROM_DEVICE, 0, WORD, value),
		      -ERANGE);
	igt_assert_eq(__vcm_importer_access(importer, handle, 0, 0, value, &word), -ERANGE);
	igt_assert_eq(__vcm_importer_access(importer, handle, 1, 0, value, &word), -ERANGE);
}

static void probe_any(int importer, uint64_t value)
{
	uint32_t part = value;

	if (value > 1ull << 32)
		igt_assert_eq(__vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, value, WORD, 0),
			      -ERANGE);
	if (part <= VCM_EDU_RAM_SIZE)
		return;
	igt_assert_eq(__vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, 0, part, 0), -ERANGE);
	igt_assert_eq(__vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, 0, WORD, part), -ERANGE);
}

static void test_overflow_transfer(int heap, int importer)
{
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), i;
	uint32_t handle = vcm_importer_import(importer, dmabuf);

	vcm_importer_require_probe(importer);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		transfer_offset(importer, handle, limits[i]);
		transfer_length(importer, handle, limits[i]);
		probe_any(importer, limits[i]);
	}
	vcm_importer_release(importer, handle);
}

/* What comes to be is no larger than it was asked for. */
static void create_any(int importer, const struct vcm_edu_space_create *args)
{
	struct vcm_edu_space_create create = *args;
	int ret = __vcm_importer_create_space(importer, &create);

	if (!ret) {
		igt_assert(create.length && create.start + create.length > create.start);
		vcm_importer_destroy_space(importer, create.space);
		return;
	}
	assert_one_of("space", args->start | args->length, ret, -EINVAL, -ERANGE, -ENOMEM, 0);
}

static void import_fixed(int importer, uint32_t space, int dmabuf, uint64_t value)
{
	struct vcm_edu_import import;

	assert_one_of("iova", value, __vcm_space_import_at(importer, space, dmabuf, value, &import),
		      -EINVAL, -ERANGE, -EOPNOTSUPP, 0);
}

static void test_overflow_space(int heap, int importer)
{
	const struct vcm_edu_space_create window = {
		.length = 1ull << 28,
		.fixed_start = MIB(16),
		.fixed_length = MIB(1),
	};
	int dmabuf = vcm_heap_alloc(heap, KIB(64)), i, j;
	uint32_t space;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct vcm_edu_space_create args = { .length = limits[i] };

		create_any(importer, &args);
		for (j = 0; j < ARRAY_SIZE(limits); j++) {
			args.start = limits[i];
			args.length = limits[j];
			create_any(importer, &args);
			args = window;
			args.fixed_start = limits[i];
			args.fixed_length = limits[j];
			igt_assert_neq(__vcm_importer_create_space(importer, &args), 0);
			args = (struct vcm_edu_space_create){};
		}
	}
	space = vcm_importer_create_space_args(importer, &window);
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		import_fixed(importer, space, dmabuf, limits[i]);
	vcm_importer_destroy_space(importer, space);
	close(dmabuf);
	vcm_spaces_assert_none();
}

/* --- All --------------------------------------------------------------- */

int igt_main()
{
	static int dev, heap, importers[2];

	igt_fixture() {
		dev = vcm_dev_open();
		heap = vcm_heap_open();
		importers[0] = vcm_importer_open(0);
		importers[1] = vcm_importer_open(1);
		vcm_importer_require_translation(importers[0]);
		vcm_require_pool();
	}

	igt_describe("Devices and debugfs files belong to root and are closed to all others");
	igt_subtest("nodes-of-root") {
		test_nodes_of_root();
		assert_all_known("/sys/kernel/debug/vcm");
	}

	vcm_subtest("nodes-refuse", test_nodes_refuse(),
		    "An unprivileged process can open none of them");
	vcm_subtest("buffer-passed-on", test_buffer_passed_on(heap),
		    "An unprivileged process can use a buffer that it was given, as far as it was");
	vcm_subtest("no-address", test_no_address(dev, importers[0]),
		    "What an unprivileged process can read has no kernel or physical address");
	vcm_subtest("no-address-in-log", test_no_address_in_log(dev, importers[0]),
		    "The kernel log has none either");
	vcm_subtest("stale-pool", test_stale(dev, heap, importers[0], true, vcm_repeats(10000)),
		    "New buffers are zero for all, with memory that waits in the pool");
	vcm_subtest("stale-no-pool", test_stale(dev, heap, importers[0], false, 1000),
		    "New buffers are zero for all, without a pool");
	vcm_subtest("unreachable-guard", test_unreachable_guard(dev, importers[0]),
		    "A device reaches nothing in the guard of a buffer");
	vcm_subtest("unreachable-around", test_unreachable_around(dev, importers[1]),
		    "A device reaches nothing beside a buffer, nor at its physical addresses");
	vcm_subtest("unreachable-released", test_unreachable_released(dev, importers[0]),
		    "A device reaches nothing where a buffer was");
	vcm_subtest("unreachable-others", test_unreachable_others(dev, importers),
		    "A device reaches nothing that another device has mapped");
	vcm_subtest("overflow-heap", test_overflow_heap(heap),
		    "Lengths near powers of two are refused or served, never cut");
	vcm_subtest("overflow-alloc", test_overflow_alloc(dev, importers[1]),
		    "The same for every field of an allocation with a policy");
	vcm_subtest("overflow-map", test_overflow_map(heap),
		    "No offset or length of a mapping is cut");
	vcm_subtest("overflow-transfer", test_overflow_transfer(heap, importers[0]),
		    "The same for offsets and lengths that a device is given");
	vcm_subtest("overflow-space", test_overflow_space(heap, importers[0]),
		    "The same for the windows of address spaces");
}
