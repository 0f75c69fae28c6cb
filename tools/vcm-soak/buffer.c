// SPDX-License-Identifier: MIT
/*
 * Buffers, and what is in them: a few words in each page, which differ from
 * page to page and from buffer to buffer.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-vcm.h>

#include "soak.h"

#define PAGE	4096ull
#define WORD	8ull

/**
 * soak_word - what a filled buffer has at an offset
 * @tag: what it was filled with
 * @offset: a multiple of 8
 */
uint64_t soak_word(uint64_t tag, uint64_t offset)
{
	return rng_mix(tag + offset) | 1;
}

/**
 * soak_offset - where in a page a buffer has its third word
 * @tag: what it was filled with
 * @page: number of the page
 */
uint64_t soak_offset(uint64_t tag, uint64_t page)
{
	return page * PAGE + rng_mix(tag ^ page) % (PAGE / WORD) * WORD;
}

static void fill_page(char *ptr, uint64_t tag, uint64_t page)
{
	const uint64_t at[] = { page * PAGE, page * PAGE + PAGE - WORD, soak_offset(tag, page) };
	int i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		*(volatile uint64_t *)(ptr + at[i]) = soak_word(tag, at[i]);
}

static bool check_page(const char *ptr, uint64_t tag, uint64_t page, uint64_t *where)
{
	const uint64_t at[] = { page * PAGE, page * PAGE + PAGE - WORD, soak_offset(tag, page) };
	int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		uint64_t want = tag ? soak_word(tag, at[i]) : 0;

		*where = at[i];
		if (*(volatile uint64_t *)(ptr + at[i]) != want)
			return false;
	}
	return true;
}

/**
 * soak_memory_check - is memory as it was filled
 * @ptr: the memory
 * @len: bytes, whole pages
 * @tag: what it was filled with, 0 for zeros
 * @at: set to the offset of what is not
 */
bool soak_memory_check(const void *ptr, uint64_t len, uint64_t tag, uint64_t *at)
{
	uint64_t page;

	for (page = 0; page < len / PAGE; page++)
		if (!check_page(ptr, tag, page, at))
			return false;
	return true;
}

static void cpu_access(struct soak_worker *w, const struct soak_buffer *buffer, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	if (ret)
		soak_fail(w->shared, "DMA_BUF_IOCTL_SYNC: %s", strerror(errno));
}

static void *map_buffer(struct soak_worker *w, const struct soak_buffer *buffer, int prot)
{
	void *ptr = mmap(NULL, buffer->len, prot, MAP_SHARED, buffer->fd, 0);

	if (ptr != MAP_FAILED)
		return ptr;
	if (errno == ENOMEM)
		soak_count(w->shared, OP_NO_MEMORY);
	else
		soak_fail(w->shared, "mmap: %s", strerror(errno));
	return NULL;
}

/**
 * soak_buffer_fill - write to all pages of a buffer
 * @w: the worker
 * @buffer: the buffer
 * @tag: what to fill it with, not 0
 */
void soak_buffer_fill(struct soak_worker *w, struct soak_buffer *buffer, uint64_t tag)
{
	char *ptr = map_buffer(w, buffer, PROT_READ | PROT_WRITE);
	uint64_t page;

	if (!ptr)
		return;
	cpu_access(w, buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	for (page = 0; page < buffer->len / PAGE; page++)
		fill_page(ptr, tag, page);
	cpu_access(w, buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	munmap(ptr, buffer->len);
	buffer->tag = tag;
}

/**
 * soak_buffer_check - read from all pages of a buffer
 * @w: the worker
 * @buffer: the buffer
 *
 * Returns: false, after it was reported, if something else is in it than what
 * it was filled with.
 */
bool soak_buffer_check(struct soak_worker *w, const struct soak_buffer *buffer)
{
	const char *ptr = map_buffer(w, buffer, PROT_READ);
	uint64_t at;
	bool ok;

	if (!ptr)
		return true;
	cpu_access(w, buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	ok = soak_memory_check(ptr, buffer->len, buffer->tag, &at);
	if (!ok)
		soak_fail(w->shared, "%s at %#llx of %#llx: %#llx",
			  buffer->tag ? "not what was written" : "a new buffer is not zero",
			  (unsigned long long)at, (unsigned long long)buffer->len,
			  (unsigned long long)*(const uint64_t *)(ptr + at));
	cpu_access(w, buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	munmap((void *)ptr, buffer->len);
	return ok;
}

/* --- Allocation -------------------------------------------------------- */

static uint64_t random_length(struct rng *rng)
{
	static const uint64_t most[] = {
		64 << 10, 64 << 10, 64 << 10, 1 << 20, 1 << 20, 4 << 20, 4 << 20, 16 << 20,
	};

	return rng_below(rng, rng_pick(rng, most)) + 1;
}

static int alloc_heap(struct soak_worker *w, uint64_t len)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = O_RDWR | O_CLOEXEC };

	return ioctl(w->heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
}

static int alloc_vcm(struct soak_worker *w, struct rng *rng, uint64_t len)
{
	struct dma_heap_vcm_alloc args = {
		.size = sizeof(args),
		.length = len,
		.align = rng_once_in(rng, 2) ? PAGE << rng_below(rng, 12) : 0,
		.guard = rng_once_in(rng, 2) ? PAGE * rng_below(rng, 17) : 0,
		.chunk_sizes = rng_once_in(rng, 4) ? PAGE | DMA_HEAP_VCM_CHUNK_64K : 0,
		.name = (uintptr_t)"soak",
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(w->vcm, DMA_HEAP_VCM_IOCTL_ALLOC, &args) ? -errno : args.out_fd;
}

/**
 * soak_buffer_alloc - allocate a buffer, see that it is zero, and fill it
 * @w: the worker
 * @rng: random numbers
 * @buffer: set
 *
 * Returns: false if there was not enough memory.
 */
bool soak_buffer_alloc(struct soak_worker *w, struct rng *rng, struct soak_buffer *buffer)
{
	uint64_t len = random_length(rng), tag = rng_next(rng) | 1;

	*buffer = (struct soak_buffer){ .len = (len + PAGE - 1) & -PAGE };
	buffer->fd = rng_once_in(rng, 2) ? alloc_heap(w, len) : alloc_vcm(w, rng, len);
	if (buffer->fd == -ENOMEM) {
		soak_count(w->shared, OP_NO_MEMORY);
		return false;
	}
	if (buffer->fd < 0) {
		soak_fail(w->shared, "allocating %llu bytes: %s", (unsigned long long)len,
			  strerror(-buffer->fd));
		return false;
	}
	soak_buffer_check(w, buffer);
	soak_buffer_fill(w, buffer, tag);
	soak_count(w->shared, OP_ALLOC);
	return true;
}

/**
 * soak_buffer_free - let go of a buffer
 * @w: the worker
 * @buffer: the buffer
 */
void soak_buffer_free(struct soak_worker *w, struct soak_buffer *buffer)
{
	soak_release(w, buffer);
	close(buffer->fd);
	buffer->fd = -1;
}
