// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of /dev/vcm: what is refused, and with which error
 *
 * The errors are those of uapi/linux/dma-heap-vcm.h. The structures are in
 * memory of a process, as those of real callers are. After each case there is
 * neither a buffer nor a file descriptor of it left.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-heap.h>

#include "../vcm_buffer.h"
#include "../vcm_dev.h"
#include "../vcm_policy.h"
#include "../vcm_pool_free.h"

#define ALLOC	DMA_HEAP_VCM_IOCTL_ALLOC
#define QUERY	DMA_HEAP_VCM_IOCTL_QUERY
#define INFO	DMA_HEAP_VCM_IOCTL_INFO
#define DROP	DMA_HEAP_VCM_IOCTL_DROP

/**
 * struct dev_test - what a case works on
 * @user: two pages of memory in a process, the page behind is not there
 * @next_fd: the lowest file descriptor that was free before
 */
struct dev_test {
	unsigned long user;
	int next_fd;
};

static int lowest_fd(void)
{
	int fd = get_unused_fd_flags(0);

	if (fd >= 0)
		put_unused_fd(fd);
	return fd;
}

static int dev_test_init(struct kunit *test)
{
	struct dev_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->user = kunit_vm_mmap(test, NULL, 0, 3 * PAGE_SIZE,
				PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!t->user || IS_ERR_VALUE(t->user))
		return -ENOMEM;
	t->next_fd = lowest_fd();
	return vm_munmap(t->user + 2 * PAGE_SIZE, PAGE_SIZE);
}

static void dev_test_exit(struct kunit *test)
{
	struct dev_test *t = test->priv;

	/* Files that are closed here are released by somebody else. */
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
	if (t)
		KUNIT_EXPECT_EQ(test, lowest_fd(), t->next_fd);
}

static void *user_ptr(struct kunit *test, size_t offset)
{
	struct dev_test *t = test->priv;

	return (void *)(t->user + offset);
}

static u64 user_u64(struct kunit *test, size_t offset)
{
	return (uintptr_t)user_ptr(test, offset);
}

/* The ioctl with @len bytes of @arg, which are at @at in the process. */
static long call_at(struct kunit *test, unsigned int cmd, void *arg,
		    size_t len, size_t at)
{
	void __user *user = (void __user __force *)user_ptr(test, at);
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(user, arg, len), 0);
	ret = vcm_dev_ioctl(NULL, cmd, (unsigned long)user);
	KUNIT_ASSERT_EQ(test, copy_from_user(arg, user, len), 0);
	return ret;
}

static long call(struct kunit *test, unsigned int cmd, void *arg, size_t len)
{
	return call_at(test, cmd, arg, len, 0);
}

/* --- All of them ------------------------------------------------------- */

static void unknown_numbers_are_refused(struct kunit *test)
{
	static const unsigned int cmds[] = {
		0, ~0U, ALLOC - 1, DROP + 1, ALLOC | BIT(16), ALLOC | BIT(30),
		_IO(DMA_HEAP_VCM_IOC_MAGIC + 1, 0), DMA_HEAP_IOCTL_ALLOC,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, cmds[i], 0), -ENOTTY);
}

/* The size of each structure, and that of its first version. */
static const struct {
	unsigned int cmd;
	size_t size;
	size_t first;
} known[] = {
	{ ALLOC, sizeof(struct dma_heap_vcm_alloc), 56 },
	{ QUERY, sizeof(struct dma_heap_vcm_query), 120 },
	{ INFO, sizeof(struct dma_heap_vcm_info), 64 },
	{ DROP, sizeof(struct dma_heap_vcm_drop), 8 },
};

static void bad_pointers_are_refused(struct kunit *test)
{
	struct dev_test *t = test->priv;
	unsigned long end = t->user + 2 * PAGE_SIZE;
	u32 size;
	int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, known[i].cmd, 0),
				-EFAULT);
		KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, known[i].cmd, end),
				-EFAULT);
		KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, known[i].cmd,
						    ULONG_MAX - 3), -EFAULT);
		/* The size can be read, what follows cannot. */
		size = known[i].size;
		KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)(end - 4),
						   &size, 4), 0);
		KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, known[i].cmd,
						    end - 4), -EFAULT);
	}
}

static void sizes_are_checked(struct kunit *test)
{
	u8 *arg = kunit_kzalloc(test, 2 * PAGE_SIZE, GFP_KERNEL);
	u32 *size = (u32 *)arg;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, arg);
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		for (*size = 0; *size < known[i].first; ++*size)
			KUNIT_EXPECT_EQ(test, call(test, known[i].cmd, arg,
						   known[i].size), -EINVAL);
		*size = PAGE_SIZE + 1;
		KUNIT_EXPECT_EQ(test, call(test, known[i].cmd, arg,
					   2 * PAGE_SIZE), -E2BIG);
		*size = U32_MAX;
		KUNIT_EXPECT_EQ(test, call(test, known[i].cmd, arg,
					   2 * PAGE_SIZE), -E2BIG);
		/* What is not known has to be zero. */
		*size = known[i].size + 8;
		arg[known[i].size + 7] = 1;
		KUNIT_EXPECT_EQ(test, call(test, known[i].cmd, arg,
					   known[i].size + 8), -E2BIG);
		arg[known[i].size + 7] = 0;
	}
}

static void later_versions_are_understood(struct kunit *test)
{
	struct {
		struct dma_heap_vcm_info info;
		u64 more;
	} arg = { .info.size = sizeof(arg) };
	u8 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, call(test, INFO, &arg, sizeof(arg)), 0);
	KUNIT_EXPECT_EQ(test, arg.info.size, sizeof(arg));
	KUNIT_EXPECT_EQ(test, arg.info.out_version, DMA_HEAP_VCM_VERSION);
	KUNIT_EXPECT_EQ(test, arg.more, 0);

	KUNIT_ASSERT_NOT_NULL(test, page);
	*(u32 *)page = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, call(test, INFO, page, PAGE_SIZE), 0);
}

/* --- DMA_HEAP_VCM_IOCTL_ALLOC ------------------------------------------ */

struct alloc_case {
	const char *name;
	struct dma_heap_vcm_alloc alloc;
	int ret;
};

static const struct alloc_case alloc_cases[] = {
	{ "no length", {}, -EINVAL },
	{ "a byte", { .length = 1 }, 0 },
	{ "a page", { .length = PAGE_SIZE }, 0 },
	{ "flag", { .length = PAGE_SIZE, .flags = DMA_HEAP_VCM_STRICT }, 0 },
	{ "unknown flag", { .length = PAGE_SIZE, .flags = 1U << 20 }, -EOPNOTSUPP },
	{ "highest flag", { .length = PAGE_SIZE, .flags = BIT(31) },
	  -EOPNOTSUPP },
	{ "fd flags", { .length = PAGE_SIZE, .fd_flags = O_RDWR | O_CLOEXEC },
	  0 },
	{ "both bits of the mode", { .length = PAGE_SIZE,
				     .fd_flags = O_ACCMODE }, 0 },
	{ "bad fd flag", { .length = PAGE_SIZE, .fd_flags = O_NONBLOCK },
	  -EOPNOTSUPP },
	{ "all fd flags", { .length = PAGE_SIZE, .fd_flags = ~0U },
	  -EOPNOTSUPP },
	{ "alignment 3", { .length = PAGE_SIZE, .align = 3 }, -EDOM },
	{ "alignment 1", { .length = PAGE_SIZE, .align = 1 }, -EDOM },
	{ "alignment 2^57", { .length = PAGE_SIZE, .align = BIT_ULL(57) }, 0 },
	{ "alignment 2^58", { .length = PAGE_SIZE, .align = BIT_ULL(58) },
	  -EDOM },
	{ "guard of a byte", { .length = PAGE_SIZE, .guard = 1 }, 0 },
	{ "guard 2^57", { .length = PAGE_SIZE, .guard = BIT_ULL(57) }, 0 },
	{ "guard 2^57 + 1", { .length = PAGE_SIZE, .guard = BIT_ULL(57) + 1 },
	  -ERANGE },
	{ "guard 2^64 - 1", { .length = PAGE_SIZE, .guard = U64_MAX },
	  -ERANGE },
	{ "unknown size", { .length = SZ_2M, .chunk_sizes = SZ_512K },
	  -EOPNOTSUPP },
	{ "unknown sizes", { .length = SZ_2M, .chunk_sizes = U64_MAX },
	  -EOPNOTSUPP },
	{ "size of a byte", { .length = SZ_2M, .chunk_sizes = 1 },
	  -EOPNOTSUPP },
	{ "pages", { .length = SZ_64K, .chunk_sizes = PAGE_SIZE }, 0 },
	{ "1 MB", { .length = SZ_1M, .chunk_sizes = SZ_1M }, 0 },
	{ "not whole chunks", { .length = SZ_1M + 1, .chunk_sizes = SZ_1M },
	  -EINVAL },
	{ "less than a chunk", { .length = PAGE_SIZE, .chunk_sizes = SZ_1M },
	  -EINVAL },
	{ "length 2^64 - 1", { .length = U64_MAX }, -EOVERFLOW },
	{ "length that just overflows", { .length = U64_MAX - PAGE_SIZE + 2 },
	  -EOVERFLOW },
	{ "largest length", { .length = U64_MAX - PAGE_SIZE + 1 }, -ENOMEM },
	{ "length 2^63", { .length = BIT_ULL(63) }, -ENOMEM },
	{ "length 2^40", { .length = BIT_ULL(40) }, -ENOMEM },
	{ "any reach", { .length = PAGE_SIZE, .reach = U64_MAX }, 0 },
	{ "no reach, as far as can be", { .length = PAGE_SIZE, .reach = 1 }, 0 },
	{ "no reach, strict", { .length = PAGE_SIZE, .reach = 1,
				.flags = DMA_HEAP_VCM_STRICT }, -ENOMEM },
	{ "one run", { .length = 3 * PAGE_SIZE,
		       .flags = DMA_HEAP_VCM_CONTIGUOUS }, 0 },
	{ "one run, strict", { .length = 3 * PAGE_SIZE,
			       .flags = DMA_HEAP_VCM_CONTIGUOUS |
					DMA_HEAP_VCM_STRICT }, 0 },
	{ "one run of chunks", { .length = SZ_2M, .chunk_sizes = SZ_2M,
				 .flags = DMA_HEAP_VCM_CONTIGUOUS }, -EINVAL },
	{ "a run that is too long", { .length = SZ_256M + 1,
				      .flags = DMA_HEAP_VCM_CONTIGUOUS },
	  -EFBIG },
	{ "fd flags first", { .fd_flags = ~0U, .align = 3 }, -EOPNOTSUPP },
	{ "policy before sizes", { .align = 3, .chunk_sizes = 1 }, -EDOM },
	{ "sizes before length", { .chunk_sizes = 1 }, -EOPNOTSUPP },
	{ "name that is not there", { .length = PAGE_SIZE, .name = 8 },
	  -EFAULT },
#ifndef CONFIG_UML	/* whose strnlen_user() returns an error for it */
	{ "name beyond", { .length = PAGE_SIZE, .name = U64_MAX }, -EFAULT },
#endif
};

static void requests_are_checked(struct kunit *test)
{
	const struct alloc_case *c = alloc_cases;

	for (; c < alloc_cases + ARRAY_SIZE(alloc_cases); c++) {
		struct dma_heap_vcm_alloc alloc = c->alloc;
		long ret;

		alloc.size = sizeof(alloc);
		alloc.out_fd = -7;
		ret = call(test, ALLOC, &alloc, sizeof(alloc));
		KUNIT_EXPECT_EQ_MSG(test, ret, c->ret, "%s", c->name);
		if (!ret)
			KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
		else
			KUNIT_EXPECT_EQ_MSG(test, alloc.out_fd, -7, "%s",
					    c->name);
	}
}

/* A page, with a name of @len bytes */
static long alloc_named(struct kunit *test, size_t len,
			struct dma_heap_vcm_alloc *alloc)
{
	char __user *name = (char __user __force *)user_ptr(test, PAGE_SIZE);
	char text[64] = {};

	memset(text, 'n', len);
	KUNIT_ASSERT_EQ(test, copy_to_user(name, text, sizeof(text)), 0);
	*alloc = (struct dma_heap_vcm_alloc){
		.size = sizeof(*alloc),
		.length = PAGE_SIZE,
		.name = user_u64(test, PAGE_SIZE),
	};
	return call(test, ALLOC, alloc, sizeof(*alloc));
}

static void names_are_kept_or_refused(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc;
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_EQ(test, alloc_named(test, DMA_HEAP_VCM_NAME_LEN - 1,
					  &alloc), 0);
	dmabuf = dma_buf_get(alloc.out_fd);
	KUNIT_EXPECT_EQ(test, strlen(dmabuf->name), DMA_HEAP_VCM_NAME_LEN - 1);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);

	KUNIT_ASSERT_EQ(test, alloc_named(test, 0, &alloc), 0);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);

	KUNIT_EXPECT_EQ(test, alloc_named(test, DMA_HEAP_VCM_NAME_LEN, &alloc),
			-ENAMETOOLONG);
}

static void a_name_is_freed_when_there_is_no_memory(struct kunit *test)
{
	char __user *name = (char __user __force *)user_ptr(test, PAGE_SIZE);
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc),
		.length = BIT_ULL(50),
		.name = user_u64(test, PAGE_SIZE),
	};
	int i;

	KUNIT_ASSERT_EQ(test, copy_to_user(name, "name", 5), 0);
	/* Something on the stack may still point to one of them (vcm_leak). */
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)),
				-ENOMEM);
}

static void no_descriptor_left_leaves_no_buffer(struct kunit *test)
{
	struct rlimit *limit = &current->signal->rlim[RLIMIT_NOFILE];
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE,
	};
	unsigned long before = limit->rlim_cur;
	long ret;

	limit->rlim_cur = 0;
	ret = call(test, ALLOC, &alloc, sizeof(alloc));
	limit->rlim_cur = before;
	KUNIT_EXPECT_EQ(test, ret, -EMFILE);
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));
}

/* The same page of a file twice: what is written to one, one reads. */
static void map_read_only(struct kunit *test, unsigned long *rw,
			  unsigned long *ro)
{
	struct file *file = shmem_file_setup("vcm-test", PAGE_SIZE,
						    EMPTY_VMA_FLAGS);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	*rw = kunit_vm_mmap(test, file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, 0);
	*ro = kunit_vm_mmap(test, file, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, !*rw || IS_ERR_VALUE(*rw));
	KUNIT_ASSERT_FALSE(test, !*ro || IS_ERR_VALUE(*ro));
}

static void no_way_to_tell_the_descriptor_leaves_no_buffer(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE,
	};
	struct dma_heap_vcm_info info = { .size = sizeof(info) };
	unsigned long rw, ro;

	map_read_only(test, &rw, &ro);
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)rw, &alloc,
					   sizeof(alloc)), 0);
	KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, ALLOC, ro), -EFAULT);
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, hlist_empty(&vcm_buffers));

	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)rw, &info,
					   sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, vcm_dev_ioctl(NULL, INFO, ro), -EFAULT);
}

/* --- DMA_HEAP_VCM_IOCTL_QUERY ------------------------------------------ */

static long query_fd(struct kunit *test, int fd,
		     struct dma_heap_vcm_query *query)
{
	*query = (struct dma_heap_vcm_query){
		.size = sizeof(*query), .fd = fd,
	};
	return call(test, QUERY, query, sizeof(*query));
}

static void what_is_not_open_is_not_queried(struct kunit *test)
{
	struct dev_test *t = test->priv;
	struct dma_heap_vcm_query query;

	KUNIT_EXPECT_EQ(test, query_fd(test, -1, &query), -EBADF);
	KUNIT_EXPECT_EQ(test, query_fd(test, INT_MAX, &query), -EBADF);
	KUNIT_EXPECT_EQ(test, query_fd(test, t->next_fd, &query), -EBADF);
}

static void what_is_no_dmabuf_is_not_queried(struct kunit *test)
{
	struct file *file = shmem_file_setup("vcm-test", PAGE_SIZE,
						    EMPTY_VMA_FLAGS);
	struct dma_heap_vcm_query query;
	int fd = get_unused_fd_flags(0);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file);
	KUNIT_EXPECT_EQ(test, query_fd(test, fd, &query), -ENXIO);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
}

static struct sg_table *other_map(struct dma_buf_attachment *attachment,
				  enum dma_data_direction dir)
{
	return ERR_PTR(-ENOMEM);
}

static void other_unmap(struct dma_buf_attachment *attachment,
			struct sg_table *sgt, enum dma_data_direction dir)
{
}

static void other_release(struct dma_buf *dmabuf)
{
	bool *released = dmabuf->priv;

	*released = true;
}

static const struct dma_buf_ops other_ops = {
	.map_dma_buf = other_map,
	.unmap_dma_buf = other_unmap,
	.release = other_release,
};

static void buffers_of_others_are_not_queried(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_heap_vcm_query query;
	struct dma_buf *dmabuf;
	bool released = false;
	int fd;

	info.ops = &other_ops;
	info.size = PAGE_SIZE;
	info.priv = &released;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	fd = dma_buf_fd(dmabuf, 0);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, query_fd(test, fd, &query), -ENXIO);
	KUNIT_EXPECT_FALSE(test, released);
	/* Nobody else has it. */
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, released);
}

static void a_buffer_is_what_was_asked_for(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc),
		.flags = DMA_HEAP_VCM_STRICT,
		.length = SZ_64K + 1,
		.chunk_sizes = PAGE_SIZE,
		.align = SZ_4M,
		.guard = 12345,
		.fd_flags = O_CLOEXEC,
	};
	struct dma_heap_vcm_query query;
	size_t len = PAGE_ALIGN(SZ_64K + 1);

	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, close_on_exec(alloc.out_fd, current->files));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, query_fd(test, alloc.out_fd, &query), 0);
	KUNIT_EXPECT_EQ(test, query.out_length, len);
	KUNIT_EXPECT_EQ(test, query.out_align, SZ_4M);
	KUNIT_EXPECT_EQ(test, query.out_guard, 12345);
	KUNIT_EXPECT_EQ(test, query.out_flags, DMA_HEAP_VCM_STRICT);
	KUNIT_EXPECT_EQ(test, query.out_nr_attachments, 0);
	KUNIT_EXPECT_EQ(test, query.out_nr_mapped, 0);
	KUNIT_EXPECT_EQ(test, query.out_nr_degraded, 0);
	KUNIT_EXPECT_GE(test, query.out_nr_runs, 1);
	KUNIT_EXPECT_EQ(test, query.out_chunks[0].size, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, query.out_chunks[0].count, len / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, query.out_chunks[1].size, 0);
	KUNIT_EXPECT_EQ(test, query.out_chunks[1].count, 0);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
}

static struct device *new_importer(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "vcm-dev-importer");
	u64 *mask = kunit_kzalloc(test, sizeof(*mask), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_NOT_NULL(test, mask);
	*mask = DMA_BIT_MASK(64);
	dev->dma_mask = mask;
	return dev;
}

static void importers_are_counted(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE, .guard = PAGE_SIZE,
	};
	struct device *dev = new_importer(test);
	struct dma_buf_attachment *attachment;
	struct dma_heap_vcm_query query;
	struct dma_buf *dmabuf;
	struct sg_table *sgt;

	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	dmabuf = dma_buf_get(alloc.out_fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	attachment = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attachment);
	KUNIT_EXPECT_EQ(test, query_fd(test, alloc.out_fd, &query), 0);
	KUNIT_EXPECT_EQ(test, query.out_nr_attachments, 1);
	KUNIT_EXPECT_EQ(test, query.out_nr_mapped, 0);
	KUNIT_EXPECT_EQ(test, query.out_nr_degraded, 0);

	/* Without IOMMU there is no guard. */
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, query_fd(test, alloc.out_fd, &query), 0);
	KUNIT_EXPECT_EQ(test, query.out_nr_mapped, 1);
	KUNIT_EXPECT_EQ(test, query.out_nr_degraded, 1);
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attachment);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
}

/* Asks for @room entries at the second page, which come back in @list. */
static long query_list(struct kunit *test, int fd, u32 room,
		       struct dma_heap_vcm_query *query,
		       struct dma_heap_vcm_attachment *list)
{
	void __user *user = (void __user __force *)user_ptr(test, PAGE_SIZE);
	long ret;

	memset(list, 0x5a, 4 * sizeof(*list));
	KUNIT_ASSERT_EQ(test, copy_to_user(user, list, 4 * sizeof(*list)), 0);
	*query = (struct dma_heap_vcm_query){
		.size = sizeof(*query),
		.fd = fd,
		.attachments = user_u64(test, PAGE_SIZE),
		.nr_attachments = room,
	};
	ret = call(test, QUERY, query, sizeof(*query));
	KUNIT_ASSERT_EQ(test, copy_from_user(list, user, 4 * sizeof(*list)), 0);
	return ret;
}

static void importers_are_listed(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE, .guard = PAGE_SIZE,
	};
	struct dma_buf_attachment *attachments[2];
	struct dma_heap_vcm_attachment list[4];
	struct device *dev = new_importer(test);
	struct dma_heap_vcm_query query;
	struct dma_buf *dmabuf;
	struct sg_table *sgt;
	int i;

	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	dmabuf = dma_buf_get(alloc.out_fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, query_list(test, alloc.out_fd, 4, &query, list),
			0);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 0);
	for (i = 0; i < 2; i++) {
		attachments[i] = dma_buf_attach(dmabuf, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attachments[i]);
	}
	sgt = dma_buf_map_attachment_unlocked(attachments[1], DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	KUNIT_EXPECT_EQ(test, query_list(test, alloc.out_fd, 4, &query, list),
			0);
	KUNIT_EXPECT_EQ(test, query.out_nr_attachments, 2);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 2);
	KUNIT_EXPECT_EQ(test, list[0].flags, 0);
	KUNIT_EXPECT_EQ(test, list[0].nr_segs, 0);
	KUNIT_EXPECT_EQ(test, list[0].align, 0);
	/* Without IOMMU there is no guard, so nothing is promised. */
	KUNIT_EXPECT_EQ(test, list[1].flags,
			DMA_HEAP_VCM_MAPPED | DMA_HEAP_VCM_DEGRADED);
	KUNIT_EXPECT_EQ(test, list[1].nr_segs, 1);
	KUNIT_EXPECT_EQ(test, list[1].align, 0);
	KUNIT_EXPECT_EQ(test, list[1].guard, 0);
	KUNIT_EXPECT_EQ(test, list[1].guard_before, 0);
	KUNIT_EXPECT_EQ(test, list[2].flags, 0x5a5a5a5a);

	/* No more than there is room for, and all are counted. */
	KUNIT_EXPECT_EQ(test, query_list(test, alloc.out_fd, 1, &query, list),
			0);
	KUNIT_EXPECT_EQ(test, query.out_nr_attachments, 2);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 1);
	KUNIT_EXPECT_EQ(test, list[1].flags, 0x5a5a5a5a);
	KUNIT_EXPECT_EQ(test,
			query_list(test, alloc.out_fd, U32_MAX, &query, list),
			0);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 2);

	/* The page behind is not there. */
	query.attachments = user_u64(test, 2 * PAGE_SIZE - sizeof(*list));
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)),
			-EFAULT);
	/* Nor is anything at 0: no array is one without room. */
	query.attachments = 0;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)),
			-EFAULT);
	query.nr_attachments = 0;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)), 0);
	query.attachments = 8;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)), 0);
	query.reserved = 1;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)),
			-EOPNOTSUPP);

	dma_buf_unmap_attachment_unlocked(attachments[1], sgt, DMA_TO_DEVICE);
	for (i = 0; i < 2; i++)
		dma_buf_detach(dmabuf, attachments[i]);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
}

/* A caller that was built when the structure ended with the chunks. */
static void the_first_query_is_understood(struct kunit *test)
{
	const size_t first = offsetof(struct dma_heap_vcm_query, attachments);
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE,
	};
	struct dma_heap_vcm_query query;

	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	memset(&query, 0x5a, sizeof(query));
	query.size = first;
	query.fd = alloc.out_fd;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)), 0);
	KUNIT_EXPECT_EQ(test, query.out_length, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 0x5a5a5a5a);
	KUNIT_EXPECT_EQ(test, query.reserved, 0x5a5a5a5a);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
}

static void fields_that_are_answers_are_not_read(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE, .out_fd = -1,
	};
	struct dma_heap_vcm_query query;

	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	memset(&query, 0xff, sizeof(query));
	query.size = sizeof(query);
	query.fd = alloc.out_fd;
	query.reserved = 0;
	KUNIT_EXPECT_EQ(test, call(test, QUERY, &query, sizeof(query)), 0);
	KUNIT_EXPECT_EQ(test, query.out_length, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, query.out_nr_attachments, 0);
	KUNIT_EXPECT_EQ(test, query.nr_attachments, 0);
	KUNIT_EXPECT_EQ(test, query.out_chunks[3].count, 0);
	KUNIT_EXPECT_EQ(test, close_fd(alloc.out_fd), 0);
}

/* --- DMA_HEAP_VCM_IOCTL_DROP ------------------------------------------- */

static void only_buffers_are_dropped(struct kunit *test)
{
	struct dma_heap_vcm_alloc alloc = {
		.size = sizeof(alloc), .length = PAGE_SIZE,
		.flags = DMA_HEAP_VCM_KEEP,
	};
	struct dma_heap_vcm_drop drop = { .size = sizeof(drop), .fd = -1 };

	KUNIT_EXPECT_EQ(test, call(test, DROP, &drop, sizeof(drop)), -EBADF);
	KUNIT_ASSERT_EQ(test, call(test, ALLOC, &alloc, sizeof(alloc)), 0);
	drop.fd = alloc.out_fd;
	KUNIT_EXPECT_EQ(test, call(test, DROP, &drop, sizeof(drop)), 0);
	close_fd(alloc.out_fd);
}

/* --- DMA_HEAP_VCM_IOCTL_INFO ------------------------------------------- */

static void reserved_fields_are_zero(struct kunit *test)
{
	struct dma_heap_vcm_info info = {
		.size = sizeof(info), .reserved = 1,
	};

	KUNIT_EXPECT_EQ(test, call(test, INFO, &info, sizeof(info)),
			-EOPNOTSUPP);
	info.reserved = BIT(31);
	KUNIT_EXPECT_EQ(test, call(test, INFO, &info, sizeof(info)),
			-EOPNOTSUPP);
}

static void info_tells_the_limits(struct kunit *test)
{
	struct dma_heap_vcm_info info = { .size = sizeof(info) };
	struct vcm_iova_policy policy;

	vcm_default_policy_get(&policy);
	KUNIT_EXPECT_EQ(test, call(test, INFO, &info, sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, info.out_version, 4);
	KUNIT_EXPECT_EQ(test, info.out_flags, policy.flags);
	KUNIT_EXPECT_EQ(test, info.out_align, policy.align);
	KUNIT_EXPECT_EQ(test, info.out_guard, policy.guard);
	KUNIT_EXPECT_EQ(test, info.out_chunk_sizes, vcm_chunk_sizes());
	KUNIT_EXPECT_EQ(test, info.out_length_max,
			(u64)totalram_pages() << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, info.out_align_max, BIT_ULL(57));
	KUNIT_EXPECT_EQ(test, info.out_guard_max, BIT_ULL(57));
	KUNIT_EXPECT_EQ(test, info.out_contiguous_max,
			IS_ENABLED(CONFIG_CONTIG_ALLOC) ? SZ_256M :
			PAGE_SIZE << MAX_PAGE_ORDER);
}

/* Nothing of a policy that is refused stays. */
static void the_default_policy_is_checked(struct kunit *test)
{
	static const struct vcm_iova_policy bad[] = {
		{ .align = 3 },
		{ .align = SZ_4M, .guard = U64_MAX },
		{ .align = SZ_4M, .guard = PAGE_SIZE, .flags = BIT(31) },
	};
	static const int errors[] = { -EDOM, -ERANGE, -EOPNOTSUPP };
	const struct vcm_iova_policy good = {
		.align = SZ_2M, .guard = PAGE_SIZE, .flags = VCM_IOVA_STRICT,
	};
	struct dma_heap_vcm_info info = { .size = sizeof(info) };
	struct vcm_iova_policy before, now;
	int i;

	vcm_default_policy_get(&before);
	KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&good), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&bad[i]),
				errors[i]);
		vcm_default_policy_get(&now);
		KUNIT_EXPECT_EQ(test, now.align, good.align);
		KUNIT_EXPECT_EQ(test, now.guard, good.guard);
		KUNIT_EXPECT_EQ(test, now.flags, good.flags);
	}
	KUNIT_EXPECT_EQ(test, call(test, INFO, &info, sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, info.out_align, good.align);
	KUNIT_EXPECT_EQ(test, info.out_flags, DMA_HEAP_VCM_STRICT);
	KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&before), 0);
}

static void whether_it_is_strict_can_be_read(struct kunit *test)
{
	const struct vcm_iova_policy strict = { .flags = VCM_IOVA_STRICT };
	const struct vcm_iova_policy loose = {};
	char *text = (char *)get_zeroed_page(GFP_KERNEL);
	struct vcm_iova_policy before;

	KUNIT_ASSERT_NOT_NULL(test, text);
	vcm_default_policy_get(&before);
	KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&strict), 0);
	KUNIT_EXPECT_EQ(test, vcm_strict_get(text, NULL), 2);
	KUNIT_EXPECT_STREQ(test, text, "Y\n");
	KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&loose), 0);
	KUNIT_EXPECT_EQ(test, vcm_strict_get(text, NULL), 2);
	KUNIT_EXPECT_STREQ(test, text, "N\n");
	KUNIT_EXPECT_EQ(test, vcm_default_policy_set(&before), 0);
	free_page((unsigned long)text);
}

static struct kunit_case dev_test_cases[] = {
	KUNIT_CASE(unknown_numbers_are_refused),
	KUNIT_CASE(bad_pointers_are_refused),
	KUNIT_CASE(sizes_are_checked),
	KUNIT_CASE(later_versions_are_understood),
	KUNIT_CASE(requests_are_checked),
	KUNIT_CASE(names_are_kept_or_refused),
	KUNIT_CASE(a_name_is_freed_when_there_is_no_memory),
	KUNIT_CASE(no_descriptor_left_leaves_no_buffer),
	KUNIT_CASE(no_way_to_tell_the_descriptor_leaves_no_buffer),
	KUNIT_CASE(what_is_not_open_is_not_queried),
	KUNIT_CASE(what_is_no_dmabuf_is_not_queried),
	KUNIT_CASE(buffers_of_others_are_not_queried),
	KUNIT_CASE(a_buffer_is_what_was_asked_for),
	KUNIT_CASE(importers_are_counted),
	KUNIT_CASE(importers_are_listed),
	KUNIT_CASE(the_first_query_is_understood),
	KUNIT_CASE(fields_that_are_answers_are_not_read),
	KUNIT_CASE(reserved_fields_are_zero),
	KUNIT_CASE(only_buffers_are_dropped),
	KUNIT_CASE(info_tells_the_limits),
	KUNIT_CASE(the_default_policy_is_checked),
	KUNIT_CASE(whether_it_is_strict_can_be_read),
	{}
};

static struct kunit_suite dev_test_suite = {
	.name = "vcm_dev",
	.init = dev_test_init,
	.exit = dev_test_exit,
	.test_cases = dev_test_cases,
};

kunit_test_suite(dev_test_suite);
