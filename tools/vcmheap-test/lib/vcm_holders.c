// SPDX-License-Identifier: MIT
/*
 * What the kernel itself tells of the DMA-BUFs that there are and who has them, for tests:
 * fdinfo, debugfs, and a BPF program that the kernel runs for each of them.
 */

#include <errno.h>
#include <sys/syscall.h>

#include <linux/bpf.h>
#include <linux/btf.h>

#include "igt.h"
#include "vcm_files.h"
#include "vcm_holders.h"
#include "vcm_util.h"

#define BUFINFO "/sys/kernel/debug/dma_buf/bufinfo"
#define BTF "/sys/kernel/btf/vmlinux"

/* ---- fdinfo ---- */

bool vcm_fdinfo(int fd, const char *key, char *value, size_t len)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) || line[strlen(key)] != ':')
			continue;
		snprintf(value, len, "%s", line + strlen(key) + 2);
		value[strcspn(value, "\n")] = '\0';
		found = true;
	}
	fclose(file);
	return found;
}

/* Returns the number. */
uint64_t vcm_fdinfo_number(int fd, const char *key)
{
	char value[32];

	igt_assert_f(vcm_fdinfo(fd, key, value, sizeof(value)), "no line \"%s\" in fdinfo\n", key);
	return strtoull(value, NULL, 10);
}

/* ---- debugfs ---- */

/* The lines behind that of a buffer: its fences, "Attached Devices:" and these, "Total". */
static void read_devices(const char *line, struct vcm_bufinfo *info)
{
	bool devices = false;
	char text[64];

	for (; line && line[1] == '\t'; line = strchr(line + 1, '\n')) {
		igt_assert_eq(sscanf(line + 2, "%63[^\n]", text), 1);
		if (!strcmp(text, "Attached Devices:")) {
			devices = true;
		} else if (devices) {
			igt_assert_lt(info->devices, VCM_HOLDERS_MAX);
			strcpy(info->device[info->devices++], text);
		}
	}
}

/* Returns whether there is such a buffer. */
bool __vcm_bufinfo_read(uint64_t ino, struct vcm_bufinfo *info)
{
	char *text = vcm_file_read(BUFINFO), *line;
	unsigned long long number, size;
	bool found = false;

	igt_assert_f(text, BUFINFO ": %s\n", strerror(errno));
	for (line = strchr(text, '\n'); line && !found; line = strchr(line + 1, '\n')) {
		*info = (struct vcm_bufinfo) { };
		if (sscanf(line, "\n%llu %*x %*x %u %31s %llu %63s", &size,
			   &info->references, info->exporter, &number, info->name) != 5 ||
		    number != ino)
			continue;
		info->size = size;
		read_devices(strchr(line + 1, '\n'), info);
		found = true;
	}
	free(text);
	return found;
}

bool vcm_bufinfo_has(const struct vcm_bufinfo *info, const char *device)
{
	unsigned int i;

	for (i = 0; i < info->devices; i++)
		if (!strcmp(info->device[i], device))
			return true;
	return false;
}

/* ---- BPF: the kernel's description of its types ---- */

/* The description, and where its parts are */
struct types {
	char *all;
	const char *first, *end;	/* types */
	const char *names;
};

static void types_read(struct types *types)
{
	const struct btf_header *header;
	long size = 0, got;
	FILE *file = fopen(BTF, "re");

	igt_require_f(file, "no " BTF "\n");
	types->all = NULL;
	do {
		types->all = realloc(types->all, size + MIB(1));
		igt_assert(types->all);
		got = fread(types->all + size, 1, MIB(1), file);
		size += got;
	} while (got > 0);
	fclose(file);
	header = (const struct btf_header *)types->all;
	igt_assert_eq(header->magic, BTF_MAGIC);
	types->first = types->all + header->hdr_len + header->type_off;
	types->end = types->first + header->type_len;
	types->names = types->all + header->hdr_len + header->str_off;
}

static int kind_of(const struct btf_type *type)
{
	return type->info >> 24 & 0x1f;
}

static unsigned int parts_of(const struct btf_type *type)
{
	return type->info & 0xffff;
}

static const struct btf_type *next_type(const struct btf_type *type)
{
	static const struct {
		unsigned int once, each;	/* bytes behind it, and for each of its parts */
	} sizes[] = {
		[BTF_KIND_INT] = { 4, 0 },		[BTF_KIND_ARRAY] = { 12, 0 },
		[BTF_KIND_STRUCT] = { 0, 12 },		[BTF_KIND_UNION] = { 0, 12 },
		[BTF_KIND_ENUM] = { 0, 8 },		[BTF_KIND_FUNC_PROTO] = { 0, 8 },
		[BTF_KIND_VAR] = { 4, 0 },		[BTF_KIND_DATASEC] = { 0, 12 },
		[BTF_KIND_DECL_TAG] = { 4, 0 },		[BTF_KIND_ENUM64] = { 0, 12 },
	};
	unsigned int kind = kind_of(type), behind = 0;

	if (kind < ARRAY_SIZE(sizes))
		behind = sizes[kind].once + sizes[kind].each * parts_of(type);
	return (const struct btf_type *)((const char *)(type + 1) + behind);
}

/* Returns the type, and in @id its number. */
static const struct btf_type *find_type(const struct types *types, int kind, const char *name,
					unsigned int *id)
{
	const struct btf_type *type = (const struct btf_type *)types->first;
	unsigned int number;

	for (number = 1; (const char *)type < types->end; number++, type = next_type(type)) {
		if (kind_of(type) != kind || strcmp(types->names + type->name_off, name))
			continue;
		if (id)
			*id = number;
		return type;
	}
	igt_require_f(false, "the kernel has no %s\n", name);
	return NULL;
}

/* Returns where in the structure it is. */
static unsigned int offset_of(const struct types *types, const char *structure, const char *name)
{
	const struct btf_type *type = find_type(types, BTF_KIND_STRUCT, structure, NULL);
	const struct btf_member *member = (const struct btf_member *)(type + 1);
	unsigned int i;

	for (i = 0; i < parts_of(type); i++)
		if (!strcmp(types->names + member[i].name_off, name))
			return (type->info >> 31 ? member[i].offset & 0xffffff : member[i].offset) / 8;
	igt_assert_f(false, "no %s in struct %s\n", name, structure);
	return 0;
}

/* ---- BPF: a program that writes of each buffer a struct vcm_bpf_dmabuf ---- */

#define LOAD(to, from, at) \
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = to, .src_reg = from, .off = at }
#define STORE(at, from) \
	{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = from, .off = at }
#define SET(to, value) \
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = value }

static int bpf(int command, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static int load_program(const struct types *types)
{
	int size = offset_of(types, "dma_buf", "size"), file = offset_of(types, "dma_buf", "file");
	int inode = offset_of(types, "file", "f_inode"), ino = offset_of(types, "inode", "i_ino");
	struct bpf_insn program[] = {
		/* The buffer, of which there is none at the end. */
		LOAD(6, 1, 8),
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 6, .off = 12 },
		LOAD(7, 6, size),
		STORE(-16, 7),
		LOAD(7, 6, file),
		LOAD(7, 7, inode),
		LOAD(7, 7, ino),
		STORE(-8, 7),
		/* Where to write. */
		LOAD(1, 1, 0),
		LOAD(1, 1, 0),
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -16 },
		SET(3, sizeof(struct vcm_bpf_dmabuf)),
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_seq_write },
		SET(0, 0),
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static char log[4096];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_TRACE_ITER,
		.insns = (uintptr_t)program, .insn_cnt = ARRAY_SIZE(program),
		.license = (uintptr_t)"Dual MIT/GPL",
		.log_buf = (uintptr_t)log, .log_size = sizeof(log), .log_level = 1,
	};
	int ret;

	find_type(types, BTF_KIND_FUNC, "bpf_iter_dmabuf", &attr.attach_btf_id);
	ret = bpf(BPF_PROG_LOAD, &attr);
	igt_assert_f(ret >= 0, "the program is refused: %s\n%s\n", strerror(-ret), log);
	return ret;
}

/* Skips the test where the kernel has no such iterator. Returns a file descriptor. */
int vcm_bpf_iterator_open(void)
{
	union bpf_attr attr = { .link_create.attach_type = BPF_TRACE_ITER };
	struct types types;
	int link;

	types_read(&types);
	attr.link_create.prog_fd = load_program(&types);
	free(types.all);
	link = bpf(BPF_LINK_CREATE, &attr);
	close(attr.link_create.prog_fd);
	igt_assert_f(link >= 0, "no link: %s\n", strerror(-link));
	return link;
}

/* Returns the size of the buffer, or 0 if there is none. */
uint64_t vcm_bpf_size_of(int iterator, uint64_t ino)
{
	union bpf_attr attr = { .iter_create.link_fd = iterator };
	struct vcm_bpf_dmabuf dmabuf;
	int fd = bpf(BPF_ITER_CREATE, &attr);
	uint64_t size = 0;
	ssize_t got;

	igt_assert_f(fd >= 0, "no iterator: %s\n", strerror(-fd));
	while ((got = read(fd, &dmabuf, sizeof(dmabuf))) > 0) {
		igt_assert_eq(got, sizeof(dmabuf));
		if (dmabuf.ino == ino)
			size = dmabuf.size;
	}
	igt_assert_eq(got, 0);
	close(fd);
	return size;
}
