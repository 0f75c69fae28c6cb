// SPDX-License-Identifier: GPL-2.0
/*
 * Counting instructions, in a guest whose clock does.
 */

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "report.h"

/* The clock of scripts/vm.sh with VCM_ACCEL=icount. */
#define NS_PER_INSTRUCTION 2

/*
 * Unmapped addresses are reused after at most 10 ms (VT-d in lazy mode), what RCU
 * frees and what a CPU gives back of its lists after less. It costs nothing: while
 * everybody sleeps the clock jumps.
 */
#define SETTLE_US 20000

/*
 * What a step takes depends on where the memory lies: for each run that does not touch
 * the one before there is more to do, and an IOMMU needs 512 entries instead of one for
 * 2 MB that are two runs. What the boot left over decides that, and what was freed last.
 * So all free memory is aligned blocks of 2 MB no two of which touch, and pieces that
 * are too small for the chunks of large buffers: 64 MB are 32 runs whose ever they are.
 */
#define BLOCK MIB(2)
#define LEAST MIB(1)
/* Page tables, tables of segments and the like. */
#define CHANGE MIB(32)
/* The buffer for rehearsal, the odd chunk and some. */
#define SPARE MIB(16)

/*
 * When page tables and the like take a part of a block, the system heap finds the other
 * half for its first chunk of 1 MB, and all the later ones are halves of two blocks. One
 * chunk more in every other repeat, and in half of them they are as they should be.
 */
int count_odd_chunk(void)
{
	return heap_alloc(HEAP_SYSTEM, MIB(1));
}

/* What is per CPU is the same CPU's in all steps. */
static void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity: %s", strerror(errno));
}

/*
 * In a machine that has been in use there are pieces of 1 MB that are no part of a free
 * block, and the system heap takes those first. They are given out one at a time.
 */
static void cut_memory(uint64_t bytes, bool scattered)
{
	uint32_t singles = scattered ? (bytes + SPARE) / LEAST : 0, blocks, have = singles;

	blocks = bench_pieces(BLOCK, LEAST, CHANGE, &have);
	if (blocks * BLOCK < bytes + SPARE || have < singles)
		die("%u blocks and %u pieces of memory are not enough: the guest is too small",
		    blocks, have);
}

void count_begin(uint64_t bytes, bool scattered)
{
	stay_on_one_cpu();
	peers_init(bytes, false);
	cut_memory(bytes, scattered);
}

void count_end(void)
{
	bench_pieces_back();
	peers_exit();
}

void count_settle(void)
{
	usleep(SETTLE_US);
}

void count_report(const char *step, enum peer peer, uint64_t len, const uint64_t *ns, size_t n)
{
	uint64_t least = ns[0];
	size_t i;

	for (i = 1; i < n; i++)
		if (ns[i] < least)
			least = ns[i];
	result("count\t%s\t%s\t%llu\t%llu", step, peer_name(peer), (unsigned long long)len,
	       (unsigned long long)least / NS_PER_INSTRUCTION);
}
