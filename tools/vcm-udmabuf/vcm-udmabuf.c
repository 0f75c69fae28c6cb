// SPDX-License-Identifier: MIT
/*
 * A stand-in for the host's /dev/udmabuf, preloaded into QEMU where a host has none: a
 * virtio-gpu with blob resources wants to map scattered memory of the guest in one piece.
 *
 * The kernel makes one dma-buf of pieces of memfds. Here it is a memfd in which the list
 * of the pieces is written down, and who maps it gets them one behind the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/udmabuf.h>

#define UDMABUF "/dev/udmabuf"

/* At the beginning of a buffer, before the list */
static const char mark[16] = "vcm-udmabuf list";

/* What the file with the name of the device is here. */
static int device = -1;

static int open_device(void)
{
	device = memfd_create("vcm-udmabuf", MFD_CLOEXEC);
	return device;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	if (!strcmp(path, UDMABUF))
		return open_device();
	va_start(args, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* What the compiler makes of open() where there can be no mode. */
int __open_2(const char *path, int flags)
{
	return open(path, flags);
}

int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));

static int create_list(const struct udmabuf_create_list *list)
{
	size_t size = sizeof(*list) + list->count * sizeof(list->list[0]);
	int fd = memfd_create("vcm-udmabuf-list", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, mark, sizeof(mark)) == sizeof(mark) && write(fd, list, size) == (ssize_t)size)
		return fd;
	close(fd);
	errno = ENOSPC;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd >= 0 && fd == device && request == UDMABUF_CREATE_LIST)
		return create_list(arg);
	return syscall(SYS_ioctl, fd, request, arg);
}

/* The list of a buffer, to be freed, or NULL if it is none. */
static struct udmabuf_create_list *read_list(int fd)
{
	struct udmabuf_create_list head, *list;
	char found[sizeof(mark)];
	size_t size;

	if (pread(fd, found, sizeof(found), 0) != sizeof(found) ||
	    memcmp(found, mark, sizeof(mark)) ||
	    pread(fd, &head, sizeof(head), sizeof(mark)) != sizeof(head))
		return NULL;
	size = sizeof(head) + head.count * sizeof(head.list[0]);
	list = malloc(size);
	if (list && pread(fd, list, size, sizeof(mark)) == (ssize_t)size)
		return list;
	free(list);
	return NULL;
}

static void *map(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

static void *map_list(const struct udmabuf_create_list *list, size_t len, int prot)
{
	char *start = map(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at = start;
	unsigned int i;

	for (i = 0; start != MAP_FAILED && i < list->count; i++) {
		const struct udmabuf_create_item *item = &list->list[i];
		size_t rest = start + len - at, part = item->size < rest ? item->size : rest;

		if (part && map(at, part, prot, MAP_SHARED | MAP_FIXED, item->memfd,
				item->offset) == MAP_FAILED) {
			munmap(start, len);
			return MAP_FAILED;
		}
		at += part;
	}
	return start;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	struct udmabuf_create_list *list = fd < 0 ? NULL : read_list(fd);
	void *ptr;

	if (!list)
		return map(addr, len, prot, flags, fd, offset);
	ptr = map_list(list, len, prot);
	free(list);
	return ptr;
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
	__attribute__((alias("mmap")));
