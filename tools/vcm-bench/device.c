// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps, buffers, and the devices that they are mapped for.
 */

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "device.h"
#include "pool.h"
#include "report.h"
#include "vcm_buffer.h"

static int open_or_die(const char *path)
{
	int fd = vcm_open(path);

	if (fd < 0)
		die("%s: %s", path, strerror(-fd));
	return fd;
}

/* --- Heaps ------------------------------------------------------------- */

int heap_alloc(enum heap heap, uint64_t len)
{
	static int fds[HEAPS] = { -1, -1 };
	int dmabuf;

	if (fds[heap] < 0)
		fds[heap] = open_or_die(heap == HEAP_VCM ? "/dev/dma_heap/vcm" : "/dev/dma_heap/system");
	dmabuf = __vcm_heap_alloc(fds[heap], len);
	if (dmabuf < 0)
		die("%s: %llu bytes: %s", heap == HEAP_VCM ? "vcm" : "system",
		    (unsigned long long)len, strerror(-dmabuf));
	return dmabuf;
}

static int vcm_dev(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_or_die(VCM_DEV_PATH);
	return fd;
}

int vcm_try_alloc(uint64_t len, uint64_t chunk_sizes)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);

	args.chunk_sizes = chunk_sizes;
	return __vcm_dev_alloc(vcm_dev(), &args);
}

int vcm_alloc(uint64_t len, uint64_t chunk_sizes)
{
	int dmabuf = vcm_try_alloc(len, chunk_sizes);

	if (dmabuf < 0)
		die("/dev/vcm: %llu bytes in chunks of %#llx: %s", (unsigned long long)len,
		    (unsigned long long)chunk_sizes, strerror(-dmabuf));
	return dmabuf;
}

static void vcm_query(int dmabuf, struct dma_heap_vcm_query *query)
{
	int ret = __vcm_dev_query(vcm_dev(), dmabuf, query);

	if (ret)
		die("/dev/vcm: query: %s", strerror(-ret));
}

uint64_t vcm_runs(int dmabuf)
{
	struct dma_heap_vcm_query query;

	vcm_query(dmabuf, &query);
	return query.out_nr_runs;
}

uint64_t vcm_large(int dmabuf, uint64_t min)
{
	struct dma_heap_vcm_query query;
	uint64_t bytes = 0;
	int i;

	vcm_query(dmabuf, &query);
	for (i = 0; i < ARRAY_SIZE(query.out_chunks); i++)
		if (query.out_chunks[i].size >= min)
			bytes += query.out_chunks[i].size * query.out_chunks[i].count;
	return bytes;
}

int alloc_apart(enum heap heap, uint64_t len, uint64_t chunk)
{
	unsigned int n = 2 * len / chunk, i;
	struct rlimit limit = { n + 64, n + 64 };
	int *holders = xmalloc(n * sizeof(*holders)), dmabuf;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("%u open files: %s", n, strerror(errno));
	for (i = 0; i < n; i++)
		holders[i] = vcm_alloc(chunk, chunk);
	for (i = 0; i < n; i += 2)
		close(holders[i]);
	/* For others they have to leave the pool. */
	if (heap != HEAP_VCM)
		pool_drain();
	dmabuf = heap == HEAP_VCM ? vcm_alloc(len, chunk) : heap_alloc(heap, len);
	for (i = 1; i < n; i += 2)
		close(holders[i]);
	free(holders);
	return dmabuf;
}

static void buffer_sync(int dmabuf, uint64_t flags)
{
	int ret = __vcm_buffer_sync(dmabuf, flags | DMA_BUF_SYNC_RW);

	if (ret)
		die("sync: %s", strerror(-ret));
}

void buffer_begin_cpu_access(int dmabuf)
{
	buffer_sync(dmabuf, DMA_BUF_SYNC_START);
}

void buffer_end_cpu_access(int dmabuf)
{
	buffer_sync(dmabuf, DMA_BUF_SYNC_END);
}

/* --- Importers --------------------------------------------------------- */

static void importer_find_name(struct importer *importer, unsigned int index)
{
	char path[64] = "/sys/class/misc/vcm-edu-test/device", link[PATH_MAX];
	ssize_t len;

	if (index)
		snprintf(path, sizeof(path), "/sys/class/misc/vcm-edu-test%u/device", index);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		die("%s: %s", path, strerror(errno));
	link[len] = '\0';
	snprintf(importer->name, sizeof(importer->name), "%s", strrchr(link, '/') + 1);
}

static void importer_open_info(struct importer *importer, unsigned int index,
			       struct vcm_edu_info *info)
{
	char path[32] = "/dev/vcm-edu-test";

	if (index)
		snprintf(path, sizeof(path), "/dev/vcm-edu-test%u", index);
	importer->fd = open_or_die(path);
	importer_find_name(importer, index);
	memset(info, 0, sizeof(*info));
	if (ioctl(importer->fd, VCM_EDU_IOC_INFO, info))
		die("%s: %s", path, strerror(errno));
	importer->bits = info->dma_bits;
}

void importer_open(struct importer *importer, unsigned int index)
{
	struct vcm_edu_info info;

	importer_open_info(importer, index, &info);
	if (!(info.flags & VCM_EDU_TRANSLATED))
		die("%s: no IOMMU translates for it", importer->name);
}

void importer_open_any(struct importer *importer, unsigned int index)
{
	struct vcm_edu_info info;

	importer_open_info(importer, index, &info);
}

void importer_close(struct importer *importer)
{
	close(importer->fd);
}

int importer_map(const struct importer *importer, int dmabuf, struct vcm_edu_import *import)
{
	memset(import, 0, sizeof(*import));
	import->fd = dmabuf;
	return ioctl(importer->fd, VCM_EDU_IOC_IMPORT, import) ? -errno : 0;
}

void importer_map_or_die(const struct importer *importer, int dmabuf,
			 struct vcm_edu_import *import)
{
	int ret = importer_map(importer, dmabuf, import);

	if (ret)
		die("%s: map: %s", importer->name, strerror(-ret));
}

void importer_unmap(const struct importer *importer, const struct vcm_edu_import *import)
{
	struct vcm_edu_release release = { .handle = import->handle };

	if (ioctl(importer->fd, VCM_EDU_IOC_RELEASE, &release))
		die("release: %s", strerror(errno));
}

/* --- The measuring module ---------------------------------------------- */

static int bench_fd = -1;

static int bench_dev(void)
{
	if (bench_fd < 0)
		bench_fd = bench_open();
	return bench_fd;
}

static int bench_call(int bench, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(bench, request, arg);

	if (ret < 0)
		die("/dev/vcm-bench: %s: %s", what, strerror(errno));
	return ret;
}

size_t bench_slabs(const struct importer *importer, uint64_t size, uint64_t **addrs)
{
	struct vcm_bench_slabs slabs = { .size = size, .max = VCM_BENCH_MAX_ROUNDS };

	*addrs = xmalloc(slabs.max * sizeof(**addrs));
	memcpy(slabs.device, importer->name, sizeof(slabs.device));
	slabs.addrs = (uintptr_t)*addrs;
	bench_call(bench_dev(), VCM_BENCH_IOC_SLABS, &slabs, "slabs");
	return slabs.count;
}

int bench_leaves(const struct importer *importer, int dmabuf, struct vcm_bench_leaves *leaves)
{
	memset(leaves, 0, sizeof(*leaves));
	/* It warns of who takes out a part of an entry. */
	if (!strcmp(iommu_name(), "smmuv3"))
		return -EOPNOTSUPP;
	memcpy(leaves->device, importer->name, sizeof(leaves->device));
	leaves->fd = dmabuf;
	return ioctl(bench_dev(), VCM_BENCH_IOC_LEAVES, leaves) ? -errno : 0;
}

static void bench_steps(unsigned long request, const char *what, const char *device,
			int dmabuf, uint32_t rounds, uint32_t segment, uint64_t *ns)
{
	struct vcm_bench_steps steps = {
		.fd = dmabuf,
		.rounds = rounds,
		.segment = segment,
		.ns = (uintptr_t)ns,
	};

	snprintf(steps.device, sizeof(steps.device), "%s", device);
	bench_call(bench_dev(), request, &steps, what);
}

void bench_vmap(int dmabuf, uint32_t rounds, uint64_t *ns)
{
	bench_steps(VCM_BENCH_IOC_VMAP, "vmap", "", dmabuf, rounds, 0, ns);
}

void bench_attach(const struct importer *importer, int dmabuf, uint32_t rounds, uint64_t *ns)
{
	bench_steps(VCM_BENCH_IOC_ATTACH, "attach and map", importer->name, dmabuf, rounds, 0, ns);
}

void bench_map(const struct importer *importer, int dmabuf, uint32_t rounds, uint32_t segment,
	       uint64_t *ns)
{
	bench_steps(segment ? VCM_BENCH_IOC_PLAIN : VCM_BENCH_IOC_MAP, "map", importer->name,
		    dmabuf, rounds, segment, ns);
}

uint64_t bench_flush(const struct importer *importer, int dmabuf)
{
	uint64_t ns;

	bench_steps(VCM_BENCH_IOC_FLUSH, "flush", importer->name, dmabuf, 1, 0, &ns);
	return ns;
}

uint64_t bench_large(const struct importer *importer, int dmabuf, uint64_t min, uint64_t *nr)
{
	struct vcm_bench_runs runs = { .min = min, .fd = dmabuf };

	memcpy(runs.device, importer->name, sizeof(runs.device));
	bench_call(bench_dev(), VCM_BENCH_IOC_RUNS, &runs, "runs");
	if (nr)
		*nr = runs.runs;
	return runs.large;
}

uint32_t bench_pieces(uint64_t block, uint64_t least, uint64_t change, uint32_t *singles)
{
	struct vcm_bench_pieces pieces = {
		.block = block,
		.least = least,
		.change = change,
		.singles = *singles,
	};

	bench_call(bench_dev(), VCM_BENCH_IOC_PIECES, &pieces, "pieces");
	*singles = pieces.singles;
	return pieces.blocks;
}

void bench_pieces_back(void)
{
	close(bench_fd);
	bench_fd = -1;
}

int bench_open(void)
{
	return open_or_die("/dev/vcm-bench");
}

void bench_queue(int bench, const struct importer *importer, int dmabuf)
{
	struct vcm_bench_queue queue = { .fd = dmabuf };

	memcpy(queue.device, importer->name, sizeof(queue.device));
	bench_call(bench, VCM_BENCH_IOC_QUEUE, &queue, "queue");
}

void bench_frames(int bench, uint32_t count)
{
	bench_call(bench, VCM_BENCH_IOC_FRAMES, &count, "frames");
}

void bench_frames_free(int bench)
{
	bench_call(bench, VCM_BENCH_IOC_FRAMES_FREE, NULL, "free the frames");
}

int bench_empty(void)
{
	return bench_call(bench_dev(), VCM_BENCH_IOC_EMPTY, NULL, "a dma-buf without memory");
}

/* A driver that is in the kernel may be there without its IOMMU. */
const char *iommu_name(void)
{
	static const struct {
		const char *name, *device;
	} iommus[] = {
		{ "intel", "/sys/class/iommu/dmar*" },
		{ "amd", "/sys/class/iommu/ivhd*" },
		{ "smmuv3", "/sys/class/iommu/smmu3.*" },
		{ "virtio", "/sys/bus/virtio/drivers/virtio_iommu/virtio*" },
	};
	glob_t paths;
	int i;

	for (i = 0; i < ARRAY_SIZE(iommus); i++) {
		bool found = !glob(iommus[i].device, 0, NULL, &paths);

		globfree(&paths);
		if (found)
			return iommus[i].name;
	}
	return "unknown";
}
