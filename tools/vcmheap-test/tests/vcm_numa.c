// SPDX-License-Identifier: MIT
/*
 * The pool of the vcm heap on a machine with two memory nodes, such as one that
 * was booted with numa=fake=2.
 */

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

#include "vcm_group.h"
#include "vcm_test.h"

IGT_TEST_DESCRIPTION("The pool on a machine with two memory nodes.");

#define LEN MIB(8)

static int dev = -1;

static int alloc_len_on(int node, uint64_t len)
{
	int dmabuf;

	vcm_memory_policy(MPOL_BIND, 1ul << node);
	dmabuf = vcm_dev_alloc_sizes(dev, len, DMA_HEAP_VCM_CHUNK_2M);
	vcm_memory_policy(MPOL_DEFAULT, 0);
	return dmabuf;
}

static int alloc_on(int node)
{
	return alloc_len_on(node, LEN);
}

static int this_node(void)
{
	unsigned int cpu, node;

	igt_assert_eq(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
	return node;
}

/* Stay on a CPU: the node is that of the CPU. */
static void pin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	igt_assert_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

static void test_stays_on_its_node(int node)
{
	uint64_t before[2], after;
	int n;

	vcm_pool_renew(64);
	for (n = 0; n < 2; n++)
		before[n] = vcm_node_reclaimable(n);

	close(alloc_on(node));
	for (n = 0; n < 2; n++) {
		after = vcm_node_reclaimable(n);
		igt_assert_eq_u64(after - before[n], n == node ? LEN : 0);
	}
}

static void test_local_only(void)
{
	int local = this_node(), dmabuf;
	struct vcm_pool pool;

	vcm_pool_renew(64);
	close(alloc_on(!local));
	igt_assert_eq_u64(vcm_pool_total(), LEN);

	dmabuf = vcm_dev_alloc_sizes(dev, LEN, DMA_HEAP_VCM_CHUNK_2M);
	igt_assert_eq_u64(vcm_pool_total(), LEN);
	close(dmabuf);
	igt_assert_eq_u64(vcm_pool_total(), 2 * LEN);

	/* What is being zeroed cannot be had. */
	vcm_pool_wait_clean(&pool);
	dmabuf = vcm_dev_alloc_sizes(dev, LEN, DMA_HEAP_VCM_CHUNK_2M);
	igt_assert_eq_u64(vcm_pool_total(), LEN);
	close(dmabuf);
}

/* A child that may use the other node only takes none of the pool here. */
static void ask_in_group(int local)
{
	uint64_t before = vcm_node_reclaimable(local), other = vcm_node_reclaimable(!local);

	igt_fork(child, 1) {
		int dmabuf;

		vcm_group_join();
		dmabuf = vcm_dev_alloc_sizes(dev, LEN, DMA_HEAP_VCM_CHUNK_2M);
		igt_assert_eq_u64(vcm_node_reclaimable(local), before);
		close(dmabuf);
		igt_assert_eq_u64(vcm_node_reclaimable(!local), other + LEN);
	}
	igt_waitchildren();
}

static void test_cpuset_is_respected(void)
{
	int local = this_node();
	struct vcm_pool pool;
	char node[8];

	vcm_group_create("cpuset");
	snprintf(node, sizeof(node), "%d", !local);
	vcm_group_write("cpuset.mems", node);

	/* Dirty ones, as far as the worker has not come to them, and clean ones */
	vcm_pool_renew(64);
	close(alloc_on(local));
	ask_in_group(local);
	vcm_pool_wait_clean(&pool);
	ask_in_group(local);
	vcm_group_destroy();
}

/* The nodes are of one size, more or less. */
static void test_room_on_both(int node)
{
	uint64_t before[2], first;

	vcm_pool_renew(64);
	before[0] = vcm_node_reclaimable(0);
	before[1] = vcm_node_reclaimable(1);
	close(alloc_len_on(node, MIB(64)));
	first = vcm_node_reclaimable(node) - before[node];
	igt_assert_lte_u64(MIB(16), first);
	igt_assert_lte_u64(first, MIB(48));
	igt_assert_eq_u64(vcm_node_reclaimable(!node), before[!node]);

	close(alloc_on(!node));
	igt_assert_eq_u64(vcm_node_reclaimable(node) - before[node], first);
	igt_assert_eq_u64(vcm_node_reclaimable(!node) - before[!node], LEN);
}

static void test_zeroed_on_both(void)
{
	struct vcm_pool pool;

	vcm_pool_renew(64);
	close(alloc_on(0));
	close(alloc_on(1));
	vcm_pool_wait_clean(&pool);
	igt_assert_eq_u64(vcm_pool_bytes(pool.clean), 2 * LEN);
}

static void test_shrinks_on_both(void)
{
	uint64_t before[2];
	int n;

	vcm_pool_renew(64);
	for (n = 0; n < 2; n++)
		before[n] = vcm_node_reclaimable(n);
	close(alloc_on(0));
	close(alloc_on(1));
	igt_assert_eq_u64(vcm_pool_total(), 2 * LEN);

	vcm_pool_set(VCM_POOL_CAP, 0);
	igt_assert_eq_u64(vcm_pool_total(), 0);
	for (n = 0; n < 2; n++)
		igt_assert_eq_u64(vcm_node_reclaimable(n), before[n]);
}

int igt_main()
{
	struct vcm_pool_params params;

	igt_fixture() {
		dev = vcm_dev_open();
		vcm_require_pool();
		igt_require_f(access("/sys/devices/system/node/node1", F_OK) == 0,
			      "no second memory node: boot with numa=fake=2\n");
		vcm_pool_params_read(&params);
		pin();
	}

	igt_describe("What is released on a node is kept on that node");
	igt_subtest("stays-on-its-node") {
		test_stays_on_its_node(0);
		test_stays_on_its_node(1);
	}

	vcm_subtest("local-only", test_local_only(),
		    "What is kept on another node is not given out");
	vcm_subtest("cpuset-is-respected", test_cpuset_is_respected(),
		    "What is kept here is not given to who may not use this node");
	igt_describe("What one node keeps takes no room from the other");
	igt_subtest("room-on-both") {
		test_room_on_both(0);
		test_room_on_both(1);
	}

	vcm_subtest("zeroed-on-both", test_zeroed_on_both(),
		    "What is dirty is zeroed on all nodes");
	vcm_subtest("shrinks-on-both", test_shrinks_on_both(),
		    "All nodes give back what is above the cap");

	igt_fixture() {
		vcm_pool_renew(0);
		vcm_pool_params_write(&params);
	}
}
