// SPDX-License-Identifier: MIT
/*
 * What buffers of the vcm heap leave to others on a machine with two memory
 * nodes, such as one that was booted with numa=fake=2.
 */

#include <linux/mempolicy.h>

#include "vcm_group.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("What buffers of the vcm heap leave to others on two memory nodes.");

#define NODE	1
#define NODES	(1ul << NODE)

static int dev = -1;

static void by_cpuset(void)
{
	vcm_group_join();
}

static void by_policy(void)
{
	vcm_memory_policy(MPOL_BIND, NODES);
}

static const struct {
	const char *name;
	void (*bind)(void);
} ways[] = {
	{ "cpuset", by_cpuset },
	{ "policy", by_policy },
};

static void group_create(void)
{
	char node[8];

	vcm_group_create("cpuset");
	snprintf(node, sizeof(node), "%u", NODE);
	vcm_group_write("cpuset.mems", node);
}

static int ask(uint64_t len)
{
	return __vcm_dev_alloc_sizes(dev, len, 0);
}

/* Who sees less than the reserve on these nodes, has seen too little. */
static void assert_left(unsigned long nodes, uint64_t least)
{
	struct vcm_usable usable;

	vcm_usable_read(&usable, nodes);
	igt_info("at least %llu MiB available on nodes %#lx, reserve %llu\n",
		 (unsigned long long)least >> 20, nodes & 3,
		 (unsigned long long)vcm_reserve(&usable) >> 20);
	igt_assert_lte_u64(vcm_reserve(&usable), least + VCM_RESERVE_NOISE);
}

/*
 * A child that is bound in that way asks for what is spare on @nodes, and @more.
 * Nobody is killed who is bound in the same way, and the reserve is left.
 */
static void ask_bound(void (*bind)(void), unsigned long nodes, int64_t more, int expected)
{
	struct vcm_bystander bystander;
	struct vcm_watch watch;
	uint64_t len;
	int dmabuf;

	igt_fork(child, 1) {
		bind();
		vcm_bystander_start(&bystander);
		vcm_watch_start_nodes(&watch, NODES);
		len = vcm_spare(nodes) + more;
		dmabuf = ask(len);
		igt_info("asked for %llu MiB, got %s\n", (unsigned long long)len >> 20,
			 dmabuf < 0 ? strerror(-dmabuf) : "them");
		igt_assert_eq(dmabuf < 0 ? dmabuf : 0, expected);
		if (dmabuf >= 0)
			close(dmabuf);
		assert_left(NODES, vcm_watch_stop(&watch));
		vcm_bystander_stop(&bystander);
	}
	igt_waitchildren();
}

static void nothing_kept(void)
{
	vcm_keep_nothing();
}

static void test_spare(void (*bind)(void))
{
	nothing_kept();
	group_create();
	ask_bound(bind, NODES, -2 * VCM_RESERVE_NOISE, 0);
	vcm_group_destroy();
}

static void test_beyond(void (*bind)(void))
{
	nothing_kept();
	group_create();
	ask_bound(bind, NODES, VCM_RESERVE_NOISE, -ENOMEM);
	ask_bound(bind, VCM_ALL_NODES, 0, -ENOMEM);
	vcm_group_destroy();
}

static void test_preferred(void)
{
	struct vcm_watch watch;
	uint64_t len;
	int dmabuf;

	nothing_kept();
	len = vcm_spare(VCM_ALL_NODES) - 2 * VCM_RESERVE_NOISE;
	igt_assert_lt_u64(vcm_spare(NODES), len);
	vcm_watch_start(&watch);
	vcm_memory_policy(MPOL_PREFERRED, NODES);
	dmabuf = ask(len);
	vcm_memory_policy(MPOL_DEFAULT, 0);
	igt_assert(dmabuf >= 0);
	close(dmabuf);
	assert_left(VCM_ALL_NODES, vcm_watch_stop(&watch));
}

/* A watch for each node, while all that is spare on both is taken. */
static void test_a_part_on_each(void)
{
	struct vcm_watch watch[2];
	uint64_t len, least[2], part;
	struct vcm_usable usable, all;
	int dmabuf, node;

	nothing_kept();
	for (node = 0; node < 2; node++)
		vcm_watch_start_nodes(&watch[node], 1ul << node);
	len = vcm_spare(VCM_ALL_NODES) - 2 * VCM_RESERVE_NOISE;
	dmabuf = ask(len);
	igt_assert(dmabuf >= 0);
	for (node = 0; node < 2; node++)
		least[node] = vcm_watch_stop(&watch[node]);
	close(dmabuf);

	vcm_usable_read(&all, VCM_ALL_NODES);
	for (node = 0; node < 2; node++) {
		vcm_usable_read(&usable, 1ul << node);
		part = vcm_reserve(&all) / 1024 * (usable.ram >> 20) / (all.ram >> 20) * 1024;
		igt_info("at least %llu MiB available on node %d, its part of the reserve is %llu\n",
			 (unsigned long long)least[node] >> 20, node,
			 (unsigned long long)part >> 20);
		igt_assert_lte_u64(part, least[node] + VCM_RESERVE_NOISE);
	}
}

static void test_other_pool(void)
{
	const uint64_t kept = MIB(24);
	int dmabuf;

	/* Each node has a part of it. */
	vcm_pool_renew(4 * kept >> 20);
	vcm_memory_policy(MPOL_BIND, 3 & ~NODES);
	dmabuf = ask(kept);
	igt_assert(dmabuf >= 0);
	close(dmabuf);
	vcm_memory_policy(MPOL_DEFAULT, 0);
	igt_assert_eq_u64(vcm_pool_total(), kept);

	ask_bound(by_policy, NODES, kept * 3 / 4, -ENOMEM);
	igt_assert_eq_u64(vcm_pool_total(), kept);
}

int igt_main()
{
	static struct vcm_pool_params params;
	static struct vcm_totals before;
	static int i;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_pool();
		igt_require_f(access("/sys/devices/system/node/node1", F_OK) == 0,
			      "no second memory node: boot with numa=fake=2\n");
		vcm_pool_params_read(&params);
		vcm_totals_read(&before);
	}

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		vcm_subtest_f(test_spare(ways[i].bind),
			      "Who may use one node only gets what is spare there",
			      "%s-spare", ways[i].name);

		vcm_subtest_f(test_beyond(ways[i].bind),
			      "... and no more, and nobody who may use it only is killed",
			      "%s-beyond", ways[i].name);
	}

	vcm_subtest("preferred", test_preferred(),
		    "Who only prefers a node gets what is spare on all");
	vcm_subtest("a-part-on-each", test_a_part_on_each(),
		    "Each node keeps its part of the reserve, for those who may use no other one");
	vcm_subtest("pool-of-the-other-node", test_other_pool(),
		    "What is kept on a node is no memory for those who may not use that node");

	igt_fixture() {
		vcm_pool_renew(0);
		vcm_pool_params_write(&params);
		vcm_totals_assert_back(&before);
	}
}
