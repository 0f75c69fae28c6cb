// SPDX-License-Identifier: MIT

#include <sys/socket.h>

#include "vcm_test.h"

IGT_TEST_DESCRIPTION("vcm heap buffers shared between processes, and how long they live.");

#define SIZE (MIB(1) + KIB(68))

static void test_fork_mapping(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);

	close(dmabuf);
	vcm_fill(ptr, SIZE, 1);
	igt_fork(child, 1) {
		vcm_assert_filled(ptr, SIZE, 1);
		vcm_fill(ptr, SIZE, 2);
	}
	igt_waitchildren();
	vcm_assert_filled(ptr, SIZE, 2);
}

static void test_fork_fd(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);

	vcm_fill(ptr, SIZE, 1);
	igt_fork(child, 2) {
		void *own = vcm_buffer_map_range(dmabuf, 0, SIZE, PROT_READ);

		vcm_assert_filled(own, SIZE, 1);
	}
	igt_waitchildren();

	igt_fork(child, 1) {
		void *own = vcm_buffer_map(dmabuf);

		vcm_fill(own, SIZE, 2);
	}
	igt_waitchildren();
	vcm_assert_filled(ptr, SIZE, 2);
}

/* A message of one byte that carries one file descriptor. */
struct fd_message {
	struct msghdr header;
	struct iovec data;
	char byte;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
};

static void fd_message_init(struct fd_message *message)
{
	memset(message, 0, sizeof(*message));
	message->data.iov_base = &message->byte;
	message->data.iov_len = 1;
	message->header.msg_iov = &message->data;
	message->header.msg_iovlen = 1;
	message->header.msg_control = message->control.bytes;
	message->header.msg_controllen = sizeof(message->control.bytes);
}

static void send_fd(int socket, int fd)
{
	struct fd_message message;
	struct cmsghdr *cmsg;

	fd_message_init(&message);
	cmsg = CMSG_FIRSTHDR(&message.header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	igt_assert_eq(sendmsg(socket, &message.header, 0), 1);
}

static int receive_fd(int socket)
{
	struct fd_message message;
	struct cmsghdr *cmsg;
	int fd = -1;

	fd_message_init(&message);
	igt_assert_eq(recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC), 1);
	cmsg = CMSG_FIRSTHDR(&message.header);
	igt_assert(cmsg && cmsg->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	igt_assert(fd >= 0);
	return fd;
}

static void test_socket(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);
	int pair[2];

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vcm_fill(ptr, SIZE, 1);
	igt_fork(child, 1) {
		int received;
		void *own;

		close(dmabuf);
		vcm_buffer_unmap(ptr, SIZE);
		received = receive_fd(pair[1]);
		igt_assert_eq_u64(vcm_buffer_size(received), vcm_page_align(SIZE));
		own = vcm_buffer_map(received);
		vcm_assert_filled(own, SIZE, 1);
		vcm_fill(own, SIZE, 2);
	}
	send_fd(pair[0], dmabuf);
	igt_waitchildren();
	vcm_assert_filled(ptr, SIZE, 2);
}

static void test_socket_only_reference(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);
	struct vcm_totals before;
	int pair[2];

	vcm_totals_read(&before);
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vcm_fill(ptr, SIZE, 1);
	vcm_buffer_unmap(ptr, SIZE);
	send_fd(pair[0], dmabuf);
	close(dmabuf);
	vcm_totals_assert_back(&before);

	dmabuf = receive_fd(pair[1]);
	ptr = vcm_buffer_map(dmabuf);
	vcm_assert_filled(ptr, SIZE, 1);
}

static void test_mapping_outlives_fd(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	void *ptr = vcm_buffer_map(dmabuf);
	uint64_t ino = vcm_buffer_ino(dmabuf);
	struct vcm_buffer_info info;
	int other;

	close(dmabuf);
	vcm_fill(ptr, SIZE, 1);
	other = vcm_heap_alloc(heap, SIZE);
	igt_assert(__vcm_buffer_info_read(ino, &info));
	vcm_assert_filled(ptr, SIZE, 1);
	vcm_buffer_unmap(ptr, SIZE);
	igt_assert(!__vcm_buffer_info_read(ino, &info));
	close(other);
}

static void test_duplicate_outlives_fd(int heap)
{
	int dmabuf = vcm_heap_alloc(heap, SIZE);
	int duplicate = fcntl(dmabuf, F_DUPFD_CLOEXEC, 0);
	void *ptr;

	igt_assert(duplicate >= 0);
	close(dmabuf);
	ptr = vcm_buffer_map(duplicate);
	vcm_fill(ptr, SIZE, 1);
	vcm_assert_filled(ptr, SIZE, 1);
}

static void test_exit_releases(int heap)
{
	struct vcm_totals before;

	vcm_totals_read(&before);
	igt_fork(child, 2) {
		int i;

		for (i = 0; i < 8; i++) {
			int dmabuf = vcm_heap_alloc(heap, SIZE);

			vcm_buffer_map(dmabuf);
			if (i % 2)
				close(dmabuf);
		}
	}
	igt_waitchildren();
	vcm_totals_assert_back(&before);
}

static void test_last_reference(int heap)
{
	struct vcm_totals before, with_one;
	int dmabuf, duplicate;
	void *ptr;

	vcm_totals_read(&before);
	dmabuf = vcm_heap_alloc(heap, SIZE);
	vcm_totals_read(&with_one);
	igt_assert_eq_u64(with_one.buffers, before.buffers + 1);

	duplicate = dup(dmabuf);
	igt_assert(duplicate >= 0);
	ptr = vcm_buffer_map(dmabuf);
	close(dmabuf);
	vcm_totals_assert_back(&with_one);
	close(duplicate);
	vcm_totals_assert_back(&with_one);
	vcm_buffer_unmap(ptr, SIZE);
	vcm_totals_assert_back(&before);
}

int igt_main()
{
	static struct vcm_totals before;
	static int heap;

	igt_fixture()
		heap = vcm_heap_open();

	vcm_subtest("fork-mapping", test_fork_mapping(heap),
		    "Parent and child see each other's writes through an inherited mapping");
	vcm_subtest("fork-fd", test_fork_fd(heap),
		    "A child can map the inherited file descriptor itself");
	vcm_subtest("socket", test_socket(heap),
		    "A buffer sent over a UNIX socket arrives with its contents");
	vcm_subtest("duplicate-outlives-fd", test_duplicate_outlives_fd(heap),
		    "A duplicate file descriptor keeps the buffer");

	igt_subtest_group() {
		igt_fixture() {
			vcm_require_debugfs();
			vcm_totals_read(&before);
		}

		vcm_subtest("socket-only-reference", test_socket_only_reference(heap),
			    "A buffer that is only in flight over a socket lives on");
		vcm_subtest("mapping-outlives-fd", test_mapping_outlives_fd(heap),
			    "A mapping keeps the buffer when all file descriptors are closed");
		vcm_subtest("exit-releases", test_exit_releases(heap),
			    "A process that ends gives back all that only it had");
		vcm_subtest("last-reference-releases", test_last_reference(heap),
			    "The memory is given back with the last reference and not before");

		igt_fixture()
			vcm_totals_assert_back(&before);
	}
}
