// SPDX-License-Identifier: MIT
/*
 * Address spaces of the importer's devices, for tests: the requests of
 * vcm-edu, and the file vcm/spaces in debugfs.
 */

#include <errno.h>
#include <glob.h>
#include <unistd.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_dev.h"
#include "vcm_heap.h"
#include "vcm_importer.h"
#include "vcm_space.h"

int __vcm_importer_create_space(int importer, struct vcm_edu_space_create *args)
{
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_SPACE_CREATE, args);
}

/* Returns the number of the space. */
uint32_t vcm_importer_create_space_args(int importer, const struct vcm_edu_space_create *args)
{
	struct vcm_edu_space_create create = *args;
	int ret = __vcm_importer_create_space(importer, &create);

	igt_assert_f(!ret, "creating a space: %s\n", strerror(-ret));
	igt_assert(create.space);
	return create.space;
}

/* Returns the number of a space without fixed window and alignment. */
uint32_t vcm_importer_create_space(int importer, uint64_t start, uint64_t length)
{
	struct vcm_edu_space_create args = { .start = start, .length = length };

	return vcm_importer_create_space_args(importer, &args);
}

int __vcm_space_op(int importer, uint32_t space, uint32_t op)
{
	struct vcm_edu_space args = { .space = space, .op = op };

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_SPACE, &args);
}

static void space_op(int importer, uint32_t space, uint32_t op, const char *name)
{
	int ret = __vcm_space_op(importer, space, op);

	igt_assert_f(!ret, "%s space %u: %s\n", name, space, strerror(-ret));
}

void vcm_importer_destroy_space(int importer, uint32_t space)
{
	space_op(importer, space, VCM_EDU_SPACE_DESTROY, "destroy");
}

void vcm_importer_activate(int importer, uint32_t space)
{
	space_op(importer, space, VCM_EDU_SPACE_ACTIVATE, "activate");
}

void vcm_importer_deactivate(int importer, uint32_t space)
{
	space_op(importer, space, VCM_EDU_SPACE_DEACTIVATE, "deactivate");
}

void vcm_importer_switch(int importer, uint32_t space)
{
	space_op(importer, space, VCM_EDU_SPACE_SWITCH, "switch to");
}

int __vcm_space_import(int importer, uint32_t space, int dmabuf, struct vcm_edu_import *import)
{
	memset(import, 0, sizeof(*import));
	import->fd = dmabuf;
	import->space = space;
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, import);
}

void vcm_space_import(int importer, uint32_t space, int dmabuf, struct vcm_edu_import *import)
{
	int ret = __vcm_space_import(importer, space, dmabuf, import);

	igt_assert_f(!ret, "import to space %u: %s\n", space, strerror(-ret));
	igt_assert(import->handle);
	igt_assert_neq_u64(import->iova, VCM_EDU_IOVA_NONE);
}

int __vcm_space_import_at(int importer, uint32_t space, int dmabuf, uint64_t iova,
			  struct vcm_edu_import *import)
{
	memset(import, 0, sizeof(*import));
	import->fd = dmabuf;
	import->space = space;
	import->flags = VCM_EDU_IMPORT_FIXED;
	import->iova = iova;
	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_IMPORT, import);
}

void vcm_space_import_at(int importer, uint32_t space, int dmabuf, uint64_t iova,
			 struct vcm_edu_import *import)
{
	int ret = __vcm_space_import_at(importer, space, dmabuf, iova, import);

	igt_assert_f(!ret, "import to space %u at %#llx: %s\n", space, (unsigned long long)iova,
		     strerror(-ret));
	igt_assert(import->handle);
	igt_assert_eq_u64(import->iova, iova);
}

/* One transfer at any address. Returns 0 or -errno. */
int __vcm_importer_probe(int importer, uint32_t dir, uint64_t iova, uint32_t length,
			 uint32_t ram_offset)
{
	struct vcm_edu_probe probe = {
		.iova = iova,
		.length = length,
		.ram_offset = ram_offset,
		.dir = dir,
	};

	return __vcm_importer_ioctl(importer, VCM_EDU_IOC_PROBE, &probe);
}

/* Like __vcm_importer_probe(), but asserts that the transfer ended. */
void vcm_importer_probe(int importer, uint32_t dir, uint64_t iova, uint32_t length,
			uint32_t ram_offset)
{
	igt_assert_eq(__vcm_importer_probe(importer, dir, iova, length, ram_offset), 0);
}

/* Skips the test where DMA at any address is not allowed. */
void vcm_importer_require_probe(int importer)
{
	igt_require_f(__vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, 0, 0, 0) == -EINVAL,
		      "no DMA at any address: no IOMMU, or not root\n");
}

/* --- debugfs ----------------------------------------------------------- */

static void parse_device(const char *line, struct vcm_spaces *spaces)
{
	memset(spaces, 0, sizeof(*spaces));
	spaces->spaces = vcm_debugfs_field(line, " spaces=");
	spaces->blocked = strstr(line, " gap=blocked");
	spaces->dead = strstr(line, " dead");
	igt_assert_f(spaces->blocked || strstr(line, " gap=default"), "no gap in \"%s\"\n", line);
	igt_assert_lte(spaces->spaces, VCM_SPACES_MAX);
}

static void parse_space(const char *line, struct vcm_space_info *space)
{
	memset(space, 0, sizeof(*space));
	space->number = vcm_debugfs_field(line, "  vcm-space.");
	space->active = vcm_debugfs_field(line, " active=");
	space->start = vcm_debugfs_field(line, " start=");
	space->length = vcm_debugfs_field(line, " length=");
	space->fixed_start = vcm_debugfs_field(line, " fixed_start=");
	space->fixed_length = vcm_debugfs_field(line, " fixed_length=");
	space->align = vcm_debugfs_field(line, " align=");
	space->mapped = vcm_debugfs_field(line, " mapped=");
	space->pgsizes = vcm_debugfs_field(line, " pgsizes=");
	space->refused = vcm_debugfs_field(line, " refused=");
	space->set = vcm_debugfs_field(line, " set=");
}

/*
 * Returns whether the file has that device. Lines that are not in the form of the file
 * fail the test.
 */
bool __vcm_spaces_read(const char *device, struct vcm_spaces *spaces)
{
	char *text = vcm_debugfs_read("spaces"), *save = NULL, *line;
	bool found = false, inside = false;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line != ' ') {
			inside = vcm_debugfs_is_line_of(line, device);
			if (inside)
				parse_device(line, spaces);
			found |= inside;
		} else if (inside && !strncmp(line, "    fixed ", 10)) {
			igt_assert_lt(0, n);
			spaces->space[n - 1].fixed++;
		} else if (inside) {
			igt_assert_lt(n, spaces->spaces);
			parse_space(line, &spaces->space[n++]);
		}
	}
	free(text);
	if (found)
		igt_assert_eq(n, spaces->spaces);
	return found;
}

/* Like __vcm_spaces_read(), but asserts that the device is there. */
void vcm_spaces_read(const char *device, struct vcm_spaces *spaces)
{
	igt_assert_f(__vcm_spaces_read(device, spaces), "no device %s in vcm/spaces\n", device);
}

/* Returns whether there is a device of a space, be it one that was destroyed. */
static bool devices_left(void)
{
	glob_t paths;
	bool found;

	found = !glob("/sys/devices/platform/vcm-space.*", 0, NULL, &paths);
	globfree(&paths);
	if (found)
		return true;
	found = !glob("/sys/devices/platform/vcm-keeper.*", 0, NULL, &paths);
	globfree(&paths);
	return found;
}

/*
 * Asserts that no device has a space, and that nobody has anything mapped in one that
 * was destroyed: its own device is gone a moment later, and with it what it held.
 */
void vcm_spaces_assert_none(void)
{
	char *text = vcm_debugfs_read("spaces");
	int i;

	igt_assert_f(!*text, "vcm/spaces has:\n%s", text);
	free(text);
	for (i = 0; i < 6000 && devices_left(); i++)
		usleep(10000);
	igt_assert_f(!devices_left(), "spaces that were destroyed are there still\n");
}

/* --- Buffers ----------------------------------------------------------- */

/* What a device moves at a time. */
#define WORD	((uint32_t)sizeof(uint64_t))

/* What vcm_space_buffer_tag() never puts into the first word, nor a device. */
#define UNTOUCHED 0x5aa5c33c0ff0e11eull

/* Allocates a buffer and maps it for the CPU. */
void vcm_space_buffer_init(struct vcm_space_buffer *buffer, int dev, uint64_t length)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->dmabuf = vcm_dev_alloc_policy(dev, length, 0, 0, 0);
	buffer->length = length;
	buffer->words = vcm_buffer_map(buffer->dmabuf);
}

void vcm_space_buffer_import(struct vcm_space_buffer *buffer, int importer, uint32_t space)
{
	igt_assert(!buffer->import.handle);
	vcm_space_import(importer, space, buffer->dmabuf, &buffer->import);
	buffer->importer = importer;
}

/* @iova: where to map it in the fixed window */
void vcm_space_buffer_import_at(struct vcm_space_buffer *buffer, int importer, uint32_t space,
				uint64_t iova)
{
	igt_assert(!buffer->import.handle);
	vcm_space_import_at(importer, space, buffer->dmabuf, iova, &buffer->import);
	buffer->importer = importer;
}

/* @buffer: a buffer that is imported */
void vcm_space_buffer_release(struct vcm_space_buffer *buffer)
{
	vcm_importer_release(buffer->importer, buffer->import.handle);
	buffer->import.handle = 0;
}

/* @buffer: a buffer, imported or not */
void vcm_space_buffer_fini(struct vcm_space_buffer *buffer)
{
	if (buffer->import.handle)
		vcm_space_buffer_release(buffer);
	vcm_buffer_unmap(buffer->words, buffer->length);
	close(buffer->dmabuf);
}

/*
 * The CPU fills the buffer so that each word of it is different.
 * @seed: differs from buffer to buffer
 */
void vcm_space_buffer_tag(struct vcm_space_buffer *buffer, uint64_t seed)
{
	vcm_buffer_begin(buffer->dmabuf, DMA_BUF_SYNC_WRITE);
	vcm_fill(buffer->words, buffer->length, seed);
	vcm_buffer_end(buffer->dmabuf, DMA_BUF_SYNC_WRITE);
}

/*
 * Asserts that nothing has changed it.
 * @seed: what it was tagged with
 */
void vcm_space_buffer_assert_tagged(struct vcm_space_buffer *buffer, uint64_t seed)
{
	vcm_buffer_begin(buffer->dmabuf, DMA_BUF_SYNC_READ);
	vcm_assert_filled(buffer->words, buffer->length, seed);
	vcm_buffer_end(buffer->dmabuf, DMA_BUF_SYNC_READ);
}

static void set_word(struct vcm_space_buffer *buffer, size_t offset, uint64_t value)
{
	vcm_buffer_begin(buffer->dmabuf, DMA_BUF_SYNC_WRITE);
	buffer->words[offset / WORD] = value;
	vcm_buffer_end(buffer->dmabuf, DMA_BUF_SYNC_WRITE);
}

static uint64_t get_word(struct vcm_space_buffer *buffer, size_t offset)
{
	uint64_t value;

	vcm_buffer_begin(buffer->dmabuf, DMA_BUF_SYNC_READ);
	value = buffer->words[offset / WORD];
	vcm_buffer_end(buffer->dmabuf, DMA_BUF_SYNC_READ);
	return value;
}

/*
 * Asserts that the device reads from this buffer and writes to it. Two transfers.
 * @seed: something new
 */
void vcm_space_assert_dma(struct vcm_space_buffer *buffer, uint64_t seed)
{
	uint64_t end = buffer->length - WORD;

	set_word(buffer, 0, seed);
	set_word(buffer, end, ~seed);
	vcm_importer_read(buffer->importer, buffer->import.handle, 0, WORD);
	vcm_importer_write(buffer->importer, buffer->import.handle, end, WORD);
	igt_assert_eq_u64(get_word(buffer, 0), seed);
	igt_assert_eq_u64(get_word(buffer, end), seed);
}

/*
 * Asserts that the device reads zeros there, and that what it writes there is nowhere.
 * Four transfers.
 * @desk: a buffer that the device can reach, through which its RAM is seen
 * @victim: what would be found at @iova elsewhere
 */
void vcm_space_assert_unreached(struct vcm_space_buffer *desk, struct vcm_space_buffer *victim,
				uint64_t iova)
{
	int importer = desk->importer;

	vcm_space_buffer_tag(victim, iova);
	set_word(desk, 0, UNTOUCHED);
	set_word(desk, WORD, UNTOUCHED);
	vcm_importer_read(importer, desk->import.handle, 0, WORD);
	vcm_importer_probe(importer, VCM_EDU_FROM_DEVICE, iova, WORD, 0);
	vcm_importer_probe(importer, VCM_EDU_TO_DEVICE, iova, WORD, 0);
	vcm_importer_write(importer, desk->import.handle, WORD, WORD);

	igt_assert_eq_u64(get_word(desk, 0), UNTOUCHED);
	igt_assert_eq_u64(get_word(desk, WORD), 0);
	vcm_space_buffer_assert_tagged(victim, iova);
}
