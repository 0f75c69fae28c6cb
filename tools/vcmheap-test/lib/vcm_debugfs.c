// SPDX-License-Identifier: MIT
/*
 * What the vcm heap shows in debugfs, for tests.
 */

#include <errno.h>
#include <limits.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_heap.h"

/* A heap may give memory back a little after the last reference is gone. */
#define SETTLE_STEPS	100
#define SETTLE_STEP_US	50000

/* Returns its bytes. */
uint64_t vcm_chunk_size(enum vcm_chunk chunk)
{
	switch (chunk) {
	case VCM_CHUNK_2M:
		return DMA_HEAP_VCM_CHUNK_2M;
	case VCM_CHUNK_1M:
		return DMA_HEAP_VCM_CHUNK_1M;
	case VCM_CHUNK_64K:
		return DMA_HEAP_VCM_CHUNK_64K;
	default:
		return vcm_page_size();
	}
}

/* Skips the test where the heap shows nothing in debugfs. */
void vcm_require_debugfs(void)
{
	igt_require_f(!access(VCM_DEBUGFS "totals", R_OK), "no vcm/ in debugfs\n");
}

/* A page may be as large as a chunk, and is a page then. */
bool vcm_chunk_exists(enum vcm_chunk chunk)
{
	return chunk == VCM_CHUNK_PAGE || vcm_chunk_size(chunk) > vcm_page_size();
}

/* Returns its contents, to be freed by the caller. */
char *vcm_debugfs_read(const char *file)
{
	char path[PATH_MAX], *text;

	snprintf(path, sizeof(path), VCM_DEBUGFS "%s", file);
	text = vcm_file_read(path);
	igt_assert_f(text, "%s: %s\n", path, strerror(errno));
	return text;
}

/*
 * Returns the number behind it.
 * @key: what a line begins with
 */
uint64_t vcm_debugfs_figure(const char *text, const char *key)
{
	uint64_t value;

	igt_assert_f(vcm_figure(text, key, &value), "no line \"%s\" in:\n%s", key, text);
	return value;
}

void vcm_totals_read(struct vcm_totals *totals)
{
	char *text = vcm_debugfs_read("totals");

	memset(totals, 0, sizeof(*totals));
	totals->buffers = vcm_debugfs_figure(text, "buffers");
	totals->bytes = vcm_debugfs_figure(text, "bytes");
	totals->chunks[VCM_CHUNK_2M] = vcm_debugfs_figure(text, "chunks_2m");
	totals->chunks[VCM_CHUNK_1M] = vcm_debugfs_figure(text, "chunks_1m");
	totals->chunks[VCM_CHUNK_64K] = vcm_debugfs_figure(text, "chunks_64k");
	totals->chunks[VCM_CHUNK_PAGE] = vcm_debugfs_figure(text, "chunks_page");
	totals->attachments = vcm_debugfs_figure(text, "attachments");
	free(text);
}

static bool settled(const struct vcm_totals *before, struct vcm_totals *now)
{
	int i;

	for (i = 0; i < SETTLE_STEPS; i++) {
		vcm_totals_read(now);
		if (!memcmp(before, now, sizeof(*now)))
			return true;
		usleep(SETTLE_STEP_US);
	}
	return false;
}

/*
 * Asserts that everything allocated and attached since then is gone.
 * @before: totals read at some earlier time
 */
void vcm_totals_assert_back(const struct vcm_totals *before)
{
	struct vcm_totals now;

	if (settled(before, &now))
		return;

	igt_assert_eq_u64(now.buffers, before->buffers);
	igt_assert_eq_u64(now.attachments, before->attachments);
	igt_assert_eq_u64(now.bytes, before->bytes);
	igt_assert_f(false, "chunk totals differ where buffers and bytes do not\n");
}

/* Returns the number behind @key, which is in the line. */
uint64_t vcm_debugfs_field(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	igt_assert_f(at, "no \"%s\" in \"%s\"\n", key, line);
	return strtoull(at + strlen(key), NULL, 0);
}

/* Returns whether that is the device's line, and not one of those below it. */
bool vcm_debugfs_is_line_of(const char *line, const char *device)
{
	size_t len = strlen(device);

	return !strncmp(line, device, len) && line[len] == ' ';
}

/* A name may contain anything, so the field behind it is searched from the end. */
static const char *last_of(const char *line, const char *key)
{
	const char *found = NULL, *at = line;

	while ((at = strstr(at, key))) {
		found = at;
		at += strlen(key);
	}
	igt_assert_f(found, "no \"%s\" in \"%s\"\n", key, line);
	return found;
}

static void parse_name(const char *line, struct vcm_buffer_info *info)
{
	const char *start = strstr(line, " name=");
	const char *end = last_of(line, " attachments=");
	size_t len;

	igt_assert_f(start && start < end, "no name in \"%s\"\n", line);
	start += strlen(" name=");
	len = end - start;
	igt_assert_lt(len, sizeof(info->name));
	memcpy(info->name, start, len);
	info->name[len] = '\0';
}

/* @text is behind the opening bracket. */
static void parse_attachment(const char *text, struct vcm_attachment *attachment)
{
	unsigned long long iova;

	memset(attachment, 0, sizeof(*attachment));
	if (sscanf(text, "%63s iova=0x%llx segs=%u", attachment->device, &iova,
		   &attachment->segments) == 3) {
		attachment->iova = iova;
		attachment->mapped = true;
		attachment->translated = true;
		return;
	}
	if (sscanf(text, "%63s iova=- segs=%u", attachment->device,
		   &attachment->segments) == 2) {
		attachment->mapped = true;
		return;
	}
	igt_assert_f(!strncmp(text + strlen(attachment->device), " unmapped]", 10),
		     "attachment not understood: \"[%s\"\n", text);
}

static void parse_attachments(const char *line, struct vcm_buffer_info *info)
{
	const char *at = last_of(line, " attachments=");
	unsigned int n = 0;

	info->attachments = vcm_debugfs_field(at, " attachments=");
	for (at = strchr(at, '['); at; at = strchr(at, '[')) {
		at++;
		if (n < VCM_ATTACHMENTS_MAX)
			parse_attachment(at, &info->attachment[n]);
		n++;
	}
	igt_assert_eq(n, info->attachments);
}

static void parse_line(const char *line, struct vcm_buffer_info *info)
{
	memset(info, 0, sizeof(*info));
	info->ino = vcm_debugfs_field(line, "ino=");
	info->length = vcm_debugfs_field(line, " length=");
	info->chunks[VCM_CHUNK_2M] = vcm_debugfs_field(line, " 2M=");
	info->chunks[VCM_CHUNK_1M] = vcm_debugfs_field(line, " 1M=");
	info->chunks[VCM_CHUNK_64K] = vcm_debugfs_field(line, " 64K=");
	info->chunks[VCM_CHUNK_PAGE] = vcm_debugfs_field(line, " page=");
	info->runs = vcm_debugfs_field(line, " runs=");
	parse_name(line, info);
	parse_attachments(line, info);
}

/* Calls for each line; returns the number of lines for @ino, the last of them in @info. */
static unsigned int find_lines(uint64_t ino, struct vcm_buffer_info *info)
{
	char *text = vcm_debugfs_read("buffers");
	unsigned int found = 0;
	char *save = NULL;
	char *line;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct vcm_buffer_info parsed;

		parse_line(line, &parsed);
		if (parsed.ino != ino)
			continue;
		found++;
		if (info)
			*info = parsed;
	}
	free(text);
	return found;
}

/*
 * Returns in how many lines of vcm/buffers it appears. Lines that are not in the form of
 * the file fail the test.
 */
unsigned int vcm_buffer_lines(int dmabuf)
{
	return find_lines(vcm_buffer_ino(dmabuf), NULL);
}

/* Returns whether vcm/buffers has that buffer. */
bool __vcm_buffer_info_read(uint64_t ino, struct vcm_buffer_info *info)
{
	return find_lines(ino, info) > 0;
}

/* Like __vcm_buffer_info_read(), but asserts that the buffer has its line. */
void vcm_buffer_info_read(int dmabuf, struct vcm_buffer_info *info)
{
	igt_assert_f(__vcm_buffer_info_read(vcm_buffer_ino(dmabuf), info),
		     "buffer not in vcm/buffers\n");
}

/* Returns bytes of the buffer that are in chunks of this size. */
uint64_t vcm_chunk_bytes(const struct vcm_buffer_info *info, enum vcm_chunk chunk)
{
	return info->chunks[chunk] * vcm_chunk_size(chunk);
}

/* Returns offset of the first chunk of this size; the largest come first. */
uint64_t vcm_chunk_start(const struct vcm_buffer_info *info, enum vcm_chunk chunk)
{
	uint64_t start = 0;
	int i;

	for (i = 0; i < (int)chunk; i++)
		start += vcm_chunk_bytes(info, i);

	return start;
}

/*
 * Returns a tenth of it, if it is 10 or more, where the kernel checks every access to
 * memory (known by kmemleak), which takes as much longer.
 */
unsigned int vcm_repeats(unsigned int times)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) || times < 10 ? times : times / 10;
}
