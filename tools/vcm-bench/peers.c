// SPDX-License-Identifier: GPL-2.0
/*
 * Who is measured: heaps, and states of them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/udmabuf.h>

#include "device.h"
#include "peers.h"
#include "pool.h"
#include "report.h"
#include "vcm_buffer.h"
#include "vcm_files.h"

#define HUGE_PAGE MIB(2)

/* Two chunks, or as much as there is. */
#define FIRST MIB(4)
#define HUGE_PAGES_FILE "/proc/sys/vm/nr_hugepages"

/* Buffers that are allocated side by side, of the small sizes. */
#define SPARE MIB(16)

/* What the heap of the CMA region is called: since 6.18, and before. */
static const char * const cma_names[] = { "default_cma_region", "reserved", "linux,cma" };

static struct {
	unsigned long pool_cap;
	int cma;
	uint64_t cma_max;
	int udmabuf;
	uint64_t udmabuf_max;
} peers = { .cma = -1, .udmabuf = -1 };

const char *peer_name(enum peer peer)
{
	static const char * const names[] = {
		[PEER_WARM] = "vcm-warm",
		[PEER_COLD] = "vcm-cold",
		[PEER_SYSTEM] = "system",
		[PEER_CMA] = "cma",
		[PEER_UDMABUF] = "udmabuf",
	};

	return names[peer];
}

/* --- The pool ---------------------------------------------------------- */

static void pool_find(uint64_t largest)
{
	unsigned long need = (largest + SPARE) >> 20;

	peers.pool_cap = pool_cap();
	result("info\tpool_mb\t%lu", peers.pool_cap);
	if (peers.pool_cap < need) {
		progress("the pool may hold %lu MB, now %lu MB", peers.pool_cap, need);
		peers.pool_cap = need;
	}
	pool_off();
}

/* What comes into the pool of a buffer: pages of one that is all pages do not. */
static uint64_t pooled(uint64_t len)
{
	return len < KIB(64) ? 0 : len;
}

static void pool_fill(uint64_t len, unsigned int count)
{
	int first, dmabufs[count], i;

	pool_set_cap(peers.pool_cap);
	first = heap_alloc(HEAP_VCM, peer_first(len));
	for (i = 0; i < count; i++)
		dmabufs[i] = heap_alloc(HEAP_VCM, len);
	for (i = 0; i < count; i++)
		close(dmabufs[i]);
	close(first);
	pool_wait_clean(pooled(peer_first(len)) + pooled(len) * count);
}

/* --- CMA --------------------------------------------------------------- */

int cma_heap_open(void)
{
	int i, heap = -ENOENT;

	for (i = 0; i < ARRAY_SIZE(cma_names) && heap < 0; i++)
		heap = __vcm_heap_open(cma_names[i]);
	return heap;
}

static void cma_find(void)
{
	peers.cma = cma_heap_open();
	if (peers.cma < 0)
		return;
	/* Other users of the region have pieces in between. */
	peers.cma_max = vcm_meminfo("CmaFree") / 4 * 3;
}

/* --- udmabuf ----------------------------------------------------------- */

static unsigned long set_huge_pages(unsigned long count)
{
	unsigned long have = 0;
	FILE *file = fopen(HUGE_PAGES_FILE, "r+e");

	if (!file)
		return 0;
	fprintf(file, "%lu\n", count);
	fflush(file);
	rewind(file);
	if (fscanf(file, "%lu", &have) != 1)
		have = 0;
	fclose(file);
	return have;
}

static void udmabuf_find(uint64_t largest)
{
	unsigned long count = (largest + SPARE) / HUGE_PAGE;

	peers.udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (peers.udmabuf < 0)
		return;
	if (set_huge_pages(count) >= count)
		peers.udmabuf_max = largest;
	else
		set_huge_pages(0);
}

static int udmabuf_alloc(uint64_t len)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = len };
	uint64_t size = (len + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	int fd, dmabuf;

	fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (fd < 0 || ftruncate(fd, size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		die("a memfd of huge pages: %s", strerror(errno));
	create.memfd = fd;
	dmabuf = ioctl(peers.udmabuf, UDMABUF_CREATE, &create);
	if (dmabuf < 0)
		die("/dev/udmabuf: %llu bytes: %s", (unsigned long long)len, strerror(errno));
	close(fd);
	return dmabuf;
}

/* --- All --------------------------------------------------------------- */

void peers_init(uint64_t largest, bool others)
{
	pool_find(largest);
	if (!others)
		return;
	cma_find();
	udmabuf_find(largest);
}

void peers_exit(void)
{
	if (peers.udmabuf_max)
		set_huge_pages(0);
	pool_set_cap(peers.pool_cap);
}

bool peer_can(enum peer peer, uint64_t bytes)
{
	switch (peer) {
	case PEER_CMA:
		return bytes <= peers.cma_max;
	case PEER_UDMABUF:
		return bytes <= peers.udmabuf_max;
	default:
		return true;
	}
}

uint64_t peer_first(uint64_t len)
{
	return len < FIRST ? len : FIRST;
}

void peer_begin(enum peer peer, uint64_t len, unsigned int count)
{
	if (peer == PEER_WARM)
		pool_fill(len, count);
}

void peer_end(enum peer peer)
{
	if (peer == PEER_WARM)
		pool_off();
}

int peer_alloc_kept(uint64_t len)
{
	struct dma_heap_vcm_alloc args = vcm_alloc_args(len);
	int dev = __vcm_dev_open(), dmabuf;

	args.flags = DMA_HEAP_VCM_KEEP;
	dmabuf = dev < 0 ? dev : __vcm_dev_alloc(dev, &args);
	if (dmabuf < 0)
		die("/dev/vcm: %llu bytes: %s", (unsigned long long)len, strerror(-dmabuf));
	close(dev);
	return dmabuf;
}

int peer_alloc(enum peer peer, uint64_t len)
{
	int dmabuf;

	switch (peer) {
	case PEER_WARM:
	case PEER_COLD:
		return heap_alloc(HEAP_VCM, len);
	case PEER_CMA:
		dmabuf = __vcm_heap_alloc(peers.cma, len);
		if (dmabuf < 0)
			die("CMA heap: %llu bytes: %s", (unsigned long long)len,
			    strerror(-dmabuf));
		return dmabuf;
	case PEER_UDMABUF:
		return udmabuf_alloc(len);
	default:
		return heap_alloc(HEAP_SYSTEM, len);
	}
}
