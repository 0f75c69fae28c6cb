// SPDX-License-Identifier: MIT
/*
 * Memory of the machine, for tests: what is free, and who suffers when nothing
 * is.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "vcm_heap.h"
#include "vcm_memory.h"
#include "vcm_pool.h"

/* Memory comes back a little after those who had it are gone. */
#define SETTLE_STEPS	100
#define SETTLE_STEP_US	50000

void vcm_memory_read(struct vcm_memory *memory)
{
	vcm_pool_empty();
	vcm_drop_caches();
	memory->available = vcm_ram_available();
	memory->kills = vcm_oom_kills();
	vcm_totals_read(&memory->totals);
}

/*
 * Asserts that nobody was killed and that all memory is back. Prints both.
 * @before: the state before something was done
 */
void vcm_memory_assert_back(const struct vcm_memory *before, const char *what)
{
	struct vcm_memory now;
	int i;

	vcm_totals_assert_back(&before->totals);
	for (i = 0; i < SETTLE_STEPS; i++) {
		vcm_memory_read(&now);
		if (now.available + VCM_MEMORY_NOISE >= before->available)
			break;
		usleep(SETTLE_STEP_US);
	}
	igt_info("%s: available %llu KiB before, %llu KiB after; killed %llu before, %llu after\n",
		 what, (unsigned long long)before->available >> 10,
		 (unsigned long long)now.available >> 10, (unsigned long long)before->kills,
		 (unsigned long long)now.kills);
	igt_assert_eq_u64(now.kills, before->kills);
	igt_assert_lte_u64(before->available, now.available + VCM_MEMORY_NOISE);
}

/*
 * Says how much the kernel likes to kill this process for want of memory.
 * @score: "1000" for the one to be killed before all others, "0" for any
 */
void vcm_oom_score(const char *score)
{
	vcm_file_assert_write("/proc/self/oom_score_adj", score);
}

/* --- What the heap may take -------------------------------------------- */

#define RESERVE VCM_PARAMETERS "reserve_mb"

/**
 * struct zone - what /proc/zoneinfo tells of a zone
 * @figures: by enum figure, in pages
 * @protection: the largest of its numbers
 */
enum figure {
	MANAGED, LOW, HIGH, CMA, FREE, FREE_CMA, FREE_HIGHATOMIC,
	ACTIVE_FILE, INACTIVE_FILE, ACTIVE_ANON, INACTIVE_ANON,
	FIGURES
};

struct zone {
	uint64_t figures[FIGURES];
	uint64_t protection;
};

static const char *const figure_formats[FIGURES] = {
	[MANAGED] = " managed %llu",
	[LOW] = " low %llu",
	[HIGH] = " high %llu",
	[CMA] = " cma %llu",
	[FREE] = " nr_free_pages %llu",
	[FREE_CMA] = " nr_free_cma %llu",
	[FREE_HIGHATOMIC] = " free_highatomic: %llu",
	[ACTIVE_FILE] = " nr_zone_active_file %llu",
	[INACTIVE_FILE] = " nr_zone_inactive_file %llu",
	[ACTIVE_ANON] = " nr_zone_active_anon %llu",
	[INACTIVE_ANON] = " nr_zone_inactive_anon %llu",
};

/* Of all zones and nodes that count, in pages */
struct sums {
	struct zone zones;	/* of the zones */
	uint64_t kept;		/* what the kernel keeps of the zones */
	uint64_t kernel;	/* kernel memory that can be reclaimed */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void read_zone_line(struct zone *zone, const char *line)
{
	unsigned long long value;
	const char *number;
	int i;

	for (i = 0; i < FIGURES; i++)
		if (sscanf(line, figure_formats[i], &value) == 1)
			zone->figures[i] = value;
	number = strstr(line, "protection: (");
	for (; number; number = strchr(number + 1, ',')) {
		value = strtoull(number + strcspn(number, "0123456789"), NULL, 10);
		if (value > zone->protection)
			zone->protection = value;
	}
}

/* Pages in CMA's blocks are of no use, and may be of any kind. */
static void add_zone(struct sums *sums, const struct zone *zone)
{
	uint64_t *sum = sums->zones.figures;
	const uint64_t *have = zone->figures;
	uint64_t cma = have[CMA] - least(have[CMA], have[FREE_CMA]);
	uint64_t file = have[ACTIVE_FILE] + have[INACTIVE_FILE];
	uint64_t anon = have[ACTIVE_ANON] + have[INACTIVE_ANON];

	sum[MANAGED] += have[MANAGED];
	sum[LOW] += have[LOW];
	sum[FREE] += have[FREE] - least(have[FREE], have[FREE_CMA] + have[FREE_HIGHATOMIC]);
	sum[ACTIVE_FILE] += file - least(file, cma);
	sum[ACTIVE_ANON] += anon - least(anon, cma);
	sums->kept += least(zone->protection + have[HIGH], have[MANAGED]);
}

static void read_zones(struct sums *sums, unsigned long nodes)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long long value;
	struct zone zone = {};
	bool counts = false;
	char line[256], name[32];
	unsigned int node = 0;

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %u, zone %31s", &node, name) == 2) {
			if (counts)
				add_zone(sums, &zone);
			memset(&zone, 0, sizeof(zone));
			counts = nodes & 1ul << node && strcmp(name, "Movable") &&
				 strcmp(name, "Device");
		}
		if (nodes & 1ul << node &&
		    (sscanf(line, " nr_slab_reclaimable %llu", &value) == 1 ||
		     sscanf(line, " nr_kernel_misc_reclaimable %llu", &value) == 1))
			sums->kernel += value;
		read_zone_line(&zone, line);
	}
	if (counts)
		add_zone(sums, &zone);
	fclose(file);
}

/* Tells what there is for buffers, by what the kernel tells of its zones. */
void vcm_usable_read(struct vcm_usable *usable, unsigned long nodes)
{
	struct sums sums = {};
	uint64_t file, low;

	read_zones(&sums, nodes);
	file = sums.zones.figures[ACTIVE_FILE];
	low = sums.zones.figures[LOW];
	usable->ram = sums.zones.figures[MANAGED] * vcm_page_size();
	usable->anon = sums.zones.figures[ACTIVE_ANON] * vcm_page_size();
	usable->available = sums.zones.figures[FREE] - sums.kept +
			    file - least(file / 2, low) +
			    sums.kernel - least(sums.kernel / 2, low);
	usable->available *= (int64_t)vcm_page_size();
}

/* Returns bytes of it that buffers have to leave to others. */
uint64_t vcm_reserve(const struct vcm_usable *usable)
{
	int64_t mib = vcm_file_read_number(RESERVE);

	if (mib >= 0)
		return MIB(mib);
	return usable->ram / 32 > MIB(32) ? usable->ram / 32 : MIB(32);
}

/* A buffer needs that much more for each page, if all are single ones that do not touch. */
#define ARRAYS_PER_PAGE 24

/* Returns bytes that a buffer may take without swap, whole chunks of 2 MiB. */
uint64_t vcm_spare(unsigned long nodes)
{
	struct vcm_usable usable;
	int64_t spare;

	vcm_usable_read(&usable, nodes);
	spare = usable.available - (int64_t)vcm_reserve(&usable);
	spare -= spare / (int64_t)vcm_page_size() * ARRAYS_PER_PAGE;
	return spare > 0 ? spare & -(int64_t)MIB(2) : 0;
}

/* --- Looking on -------------------------------------------------------- */

static void *map_anonymous(size_t len, int flags)
{
	void *ptr = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (ptr == MAP_FAILED)
		_exit(2);
	return ptr;
}

static uint64_t available_on(unsigned long nodes)
{
	struct vcm_usable usable;

	if (nodes == VCM_ALL_NODES)
		return vcm_ram_available();
	vcm_usable_read(&usable, nodes);
	return usable.available > 0 ? usable.available : 0;
}

static void be_watch(const struct vcm_watch *watch)
{
	for (;;) {
		*watch->least = least(*watch->least, available_on(watch->nodes));
		usleep(2000);
	}
}

/*
 * Starts a process that looks every few milliseconds at what is available on these
 * nodes.
 */
void vcm_watch_start_nodes(struct vcm_watch *watch, unsigned long nodes)
{
	watch->kills = vcm_oom_kills();
	watch->nodes = nodes;
	watch->least = map_anonymous(vcm_page_size(), MAP_SHARED);
	*watch->least = UINT64_MAX;
	watch->pid = fork();
	igt_assert(watch->pid >= 0);
	if (!watch->pid) {
		mlockall(MCL_CURRENT | MCL_FUTURE);
		vcm_oom_score("-1000");
		be_watch(watch);
	}
	while (*watch->least == UINT64_MAX)
		usleep(1000);
}

/* The same for all nodes, by what the kernel itself calls available. */
void vcm_watch_start(struct vcm_watch *watch)
{
	vcm_watch_start_nodes(watch, VCM_ALL_NODES);
}

/*
 * Asserts that no process was killed for want of memory. Returns the least memory that
 * was available, in bytes.
 */
uint64_t vcm_watch_stop(struct vcm_watch *watch)
{
	uint64_t low = *watch->least;
	int status;

	kill(watch->pid, SIGKILL);
	igt_assert_eq(waitpid(watch->pid, &status, 0), watch->pid);
	munmap((void *)watch->least, vcm_page_size());
	igt_assert_eq_u64(vcm_oom_kills(), watch->kills);
	return low;
}

/* --- Somebody else ----------------------------------------------------- */

#define BYSTANDER_OWN	MIB(4)
#define BYSTANDER_NEW	MIB(1)

/* Of each page the first of @part parts is filled, the rest is zero. */
static void fill_pages(char *ptr, uint64_t len, unsigned int part)
{
	uint64_t page = vcm_page_size(), at;

	for (at = 0; at < len; at += page)
		vcm_fill(ptr + at, page / part, at);
}

static bool pages_are_filled(const char *ptr, uint64_t len, unsigned int part)
{
	uint64_t page = vcm_page_size(), at;

	for (at = 0; at < len; at += page)
		if (vcm_mismatch(ptr + at, page / part, at) >= 0)
			return false;
	return true;
}

static volatile sig_atomic_t bystander_end;

static void end_bystander(int sig)
{
	bystander_end = 1;
}

/* Has memory, and needs a little more all the time. */
static void be_bystander(volatile uint64_t *turns, uint64_t len, unsigned int part)
{
	char *own = map_anonymous(len, MAP_PRIVATE);
	void *more;

	signal(SIGTERM, end_bystander);
	fill_pages(own, len, part);
	for (; !bystander_end; ++*turns) {
		more = map_anonymous(BYSTANDER_NEW, MAP_PRIVATE);
		vcm_fill(more, BYSTANDER_NEW, *turns);
		if (vcm_mismatch(more, BYSTANDER_NEW, *turns) >= 0)
			_exit(1);
		munmap(more, BYSTANDER_NEW);
		usleep(1000);
	}
	_exit(pages_are_filled(own, len, part) ? 0 : 1);
}

static void wait_for_turns(const struct vcm_bystander *bystander, uint64_t turns)
{
	while (*bystander->turns < turns) {
		igt_assert_f(waitpid(bystander->pid, NULL, WNOHANG) == 0,
			     "a process that only looked on is dead\n");
		usleep(1000);
	}
}

/*
 * Starts a process that has nothing to do with the test, and that is the one to be
 * killed if memory runs out.
 * @part: the part of each page that cannot be compressed, 1 for all of it
 */
void vcm_bystander_start_with(struct vcm_bystander *bystander, uint64_t len, unsigned int part)
{
	bystander->turns = map_anonymous(vcm_page_size(), MAP_SHARED);
	bystander->pid = fork();
	igt_assert(bystander->pid >= 0);
	if (!bystander->pid) {
		vcm_oom_score("1000");
		be_bystander(bystander->turns, len, part);
	}
	wait_for_turns(bystander, 1);
}

/* The same, with a little memory. */
void vcm_bystander_start(struct vcm_bystander *bystander)
{
	vcm_bystander_start_with(bystander, BYSTANDER_OWN, 1);
}

/* Asserts that it is alive and well, with all its memory, and ends it. */
void vcm_bystander_stop(struct vcm_bystander *bystander)
{
	int status;

	wait_for_turns(bystander, *bystander->turns + 2);
	kill(bystander->pid, SIGTERM);
	igt_assert_eq(waitpid(bystander->pid, &status, 0), bystander->pid);
	igt_assert_f(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		     "a process that only looked on is not well: status %#x\n", status);
	munmap((void *)bystander->turns, vcm_page_size());
}

/* --- Memory in pieces -------------------------------------------------- */

#define PIECE KIB(64)

static uint64_t scattered_word(uint64_t at)
{
	return at * 0x9e3779b97f4a7c15ull | 1;
}

/* No chunk of 2 MiB is left then, nor is one in the pool. */
static void take_whole(struct vcm_scattered *scattered)
{
	int dev = __vcm_dev_open(), dmabuf;

	igt_assert(dev >= 0);
	scattered->nr_whole = 0;
	while ((dmabuf = __vcm_dev_alloc_sizes(dev, MIB(2), DMA_HEAP_VCM_CHUNK_2M)) >= 0) {
		igt_assert_lt(scattered->nr_whole, ARRAY_SIZE(scattered->whole));
		scattered->whole[scattered->nr_whole++] = dmabuf;
	}
	igt_assert_eq(dmabuf, -ENOMEM);
	close(dev);
}

/* All memory but little is in pieces then. */
void vcm_scatter(struct vcm_scattered *scattered)
{
	uint64_t at, len, *ptr;

	vcm_keep_nothing();
	len = (vcm_spare(VCM_ALL_NODES) - MIB(16)) & -MIB(2);
	scattered->fd = memfd_create("scattered", MFD_CLOEXEC);
	scattered->len = len;
	igt_assert(scattered->fd >= 0);
	igt_assert_eq(ftruncate(scattered->fd, len), 0);
	for (at = 0; at < len; at += MIB(2)) {
		size_t i;

		ptr = mmap(NULL, MIB(2), PROT_READ | PROT_WRITE, MAP_SHARED, scattered->fd, at);
		igt_assert(ptr != MAP_FAILED);
		for (i = 0; i < MIB(2); i += vcm_page_size())
			ptr[i / sizeof(*ptr)] = scattered_word(at + i);
		munmap(ptr, MIB(2));
	}
	for (at = 0; at < len; at += 2 * PIECE)
		igt_assert_eq(fallocate(scattered->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					at, PIECE), 0);
	take_whole(scattered);
}

/* What was moved has kept what is in it. */
void vcm_scattered_assert_same(const struct vcm_scattered *scattered)
{
	uint64_t at, word;

	for (at = 0; at < scattered->len; at += vcm_page_size()) {
		if (at / PIECE % 2 == 0)
			continue;
		igt_assert_eq(pread(scattered->fd, &word, sizeof(word), at), sizeof(word));
		igt_assert_eq_u64(word, scattered_word(at));
	}
}

void vcm_scattered_free(struct vcm_scattered *scattered)
{
	unsigned int i;

	close(scattered->fd);
	for (i = 0; i < scattered->nr_whole; i++)
		close(scattered->whole[i]);
}
