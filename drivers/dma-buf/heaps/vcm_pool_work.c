// SPDX-License-Identifier: GPL-2.0
/*
 * The life of the pool: who zeroes, refills and shrinks it, and when
 *
 * What has come is zeroed soon, and what nobody needs goes after a while. Then
 * nothing runs and no timer is armed: an idle machine stays idle.
 */

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/timer.h>

#include "vcm_chunk_size.h"
#include "vcm_pool.h"
#include "vcm_pool_free.h"
#include "vcm_pool_limit.h"
#include "vcm_pool_node.h"
#include "vcm_pool_work.h"
#include "vcm_pool_zero.h"

/* The worker lets a closing thread finish first, and buffers come together. */
#define VCM_POOL_DELAY		msecs_to_jiffies(10)

/* How long the pool takes nothing, at least, after somebody wanted memory. */
#define VCM_POOL_REST		HZ

/*
 * Pages to free per shrinker call: the largest chunk, so that what is asked for
 * is what is freed.
 */
#define VCM_POOL_SHRINK_BATCH	(DMA_HEAP_VCM_CHUNK_2M >> PAGE_SHIFT)

#define VCM_POOL_PAGES_PER_MB	(1UL << (20 - PAGE_SHIFT))

/* Marks of the refill, in MB of each large chunk size. */
unsigned int vcm_pool_low_mb;
VISIBLE_IF_KUNIT unsigned int vcm_pool_high_mb;

/* How long a chunk that nobody needs stays at most, in seconds; 0: for ever. */
VISIBLE_IF_KUNIT unsigned int vcm_pool_idle_s = 30;
#define VCM_POOL_IDLE_MAX	(24 * 60 * 60)

/* NULL before the pool has come to life, when parameters are set, and after. */
static struct kthread_worker *vcm_pool_worker;
VISIBLE_IF_KUNIT struct kthread_delayed_work vcm_pool_work;
VISIBLE_IF_KUNIT struct kthread_delayed_work vcm_pool_age_work;
static struct shrinker *vcm_pool_shrinker;

static bool vcm_pool_may_work(void)
{
	return !vcm_pool_pressed() && !freezing(current);
}

static bool vcm_pool_below(int nid, enum vcm_chunk_size size, unsigned int mb)
{
	return vcm_pool_node_bytes_of(nid, size) < (u64)mb << 20;
}

static void vcm_pool_refill_size(int nid, enum vcm_chunk_size size)
{
	if (!vcm_pool_below(nid, size, READ_ONCE(vcm_pool_low_mb)))
		return;

	while (vcm_pool_below(nid, size, READ_ONCE(vcm_pool_high_mb)) &&
	       vcm_pool_may_work() && vcm_pool_add_one(nid, size))
		cond_resched();
}

/* In advance, for those who want that: with the sizes that can run out. */
static void vcm_pool_refill(void)
{
	const struct vcm_pool_node *node;
	enum vcm_chunk_size size;

	for_each_vcm_pool_node(node)
		for (size = 0; size < VCM_CHUNK_PAGE; size++)
			vcm_pool_refill_size(node->nid, size);
}

/* The nodes take turns, or the last one would wait for all others. */
static void vcm_pool_zero_all(void)
{
	const struct vcm_pool_node *node;
	bool found;

	do {
		found = false;
		for_each_vcm_pool_node(node)
			if (vcm_pool_may_work())
				found |= vcm_pool_zero_one(node->nid);
		cond_resched();
	} while (found);
}

/* Queue @work; @again puts off what is queued already. */
VISIBLE_IF_KUNIT void vcm_pool_queue_work(struct kthread_delayed_work *work,
					  unsigned long delay, bool again)
{
	struct kthread_worker *worker;

	KUNIT_STATIC_STUB_REDIRECT(vcm_pool_queue_work, work, delay, again);

	worker = READ_ONCE(vcm_pool_worker);
	if (!worker)
		return;
	if (again)
		kthread_mod_delayed_work(worker, work, delay);
	else
		kthread_queue_delayed_work(worker, work, delay);
}

/* What has not been needed from one time to the next is given back at that one. */
static unsigned long vcm_pool_age_delay(void)
{
	return READ_ONCE(vcm_pool_idle_s) * HZ / 2;
}

/* The timer runs as long as there is something that gets older. */
static void vcm_pool_kick_age(void)
{
	unsigned long delay = vcm_pool_age_delay();

	if (delay && !timer_pending(&vcm_pool_age_work.timer) &&
	    !vcm_pool_is_empty())
		vcm_pool_queue_work(&vcm_pool_age_work, delay, false);
}

VISIBLE_IF_KUNIT void vcm_pool_age_fn(struct kthread_work *work)
{
	const struct vcm_pool_node *node;
	unsigned long keep = 0;

	/* What is filled in advance is not to go, only to come again. */
	if (vcm_pool_refills())
		keep = READ_ONCE(vcm_pool_high_mb) * VCM_POOL_PAGES_PER_MB;
	for_each_vcm_pool_node(node)
		vcm_pool_age(node->nid, keep);
	/* Memory may have come or gone. */
	vcm_pool_update_caps();
	vcm_pool_trim();
	vcm_pool_kick_age();
}

static bool vcm_pool_has_work(void)
{
	return vcm_pool_refills() || vcm_pool_has_dirty();
}

VISIBLE_IF_KUNIT void vcm_pool_work_fn(struct kthread_work *work)
{
	if (vcm_pool_ease()) {
		vcm_pool_queue_work(&vcm_pool_work, VCM_POOL_REST, false);
		return;
	}
	vcm_pool_zero_all();
	if (vcm_pool_refills())
		vcm_pool_refill();
	vcm_pool_kick_age();

	if (!vcm_pool_may_work() && vcm_pool_has_work())
		vcm_pool_queue_work(&vcm_pool_work, VCM_POOL_REST, false);
}

/* Somebody looks for memory: the pool takes nothing for a while. */
static void vcm_pool_note_pressure(void)
{
	if (vcm_pool_press())
		vcm_pool_queue_work(&vcm_pool_work, VCM_POOL_REST, true);
}

/**
 * vcm_pool_kick - tell the worker that chunks came or went
 *
 * Context: Any, does not sleep.
 */
void vcm_pool_kick(void)
{
	/* A timer that is seen here expires after what was done before the call. */
	smp_mb();
	if (!timer_pending(&vcm_pool_work.timer) && vcm_pool_has_work())
		vcm_pool_queue_work(&vcm_pool_work, VCM_POOL_DELAY, false);
	vcm_pool_kick_age();
}

/* ---- The shrinker ---- */

/* Who counts looks for memory, even if there is none. */
VISIBLE_IF_KUNIT unsigned long vcm_pool_count(struct shrinker *shrinker,
					      struct shrink_control *sc)
{
	vcm_pool_note_pressure();
	return vcm_pool_node_pages(sc->nid) ?: SHRINK_EMPTY;
}

VISIBLE_IF_KUNIT unsigned long vcm_pool_scan(struct shrinker *shrinker,
					     struct shrink_control *sc)
{
	unsigned long freed;

	vcm_pool_note_pressure();
	freed = vcm_pool_free_node(sc->nr_to_scan, sc->nid);
	sc->nr_scanned = freed;
	/* Reclaim counts what it got, and gives up when that is nothing. */
	mm_account_reclaimed_pages(freed);
	return freed ?: SHRINK_STOP;
}

/* ---- Parameters ---- */

VISIBLE_IF_KUNIT int vcm_pool_cap_param_set(const char *val,
					    const struct kernel_param *kp)
{
	unsigned long pages = ULONG_MAX;
	long mb;
	int ret;

	ret = kstrtol(val, 0, &mb);
	if (ret)
		return ret;
	if (mb < -1)
		return -EINVAL;
	if (mb >= 0) {
		if (mb > LONG_MAX >> 20)
			return -ERANGE;
		pages = mb * VCM_POOL_PAGES_PER_MB;
	}
	vcm_pool_set_cap(pages);
	return 0;
}

VISIBLE_IF_KUNIT int vcm_pool_cap_param_get(char *buffer,
					    const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n",
			  vcm_pool_cap_pages() / VCM_POOL_PAGES_PER_MB);
}

static const struct kernel_param_ops vcm_pool_cap_param_ops = {
	.set = vcm_pool_cap_param_set,
	.get = vcm_pool_cap_param_get,
};
module_param_cb(pool_mb, &vcm_pool_cap_param_ops, NULL, 0644);
MODULE_PARM_DESC(pool_mb, "Most memory that is kept for later buffers, in MB (default -1: a 16th of RAM, at most 512; 0: none)");

static bool vcm_pool_marks_fit(unsigned long low, unsigned long high)
{
	return low <= high && high < ULONG_MAX / VCM_POOL_PAGES_PER_MB;
}

/* Before the pool has come to life both are set, and vcm_pool_work_init() looks. */
VISIBLE_IF_KUNIT int vcm_pool_mark_param_set(const char *val,
					     const struct kernel_param *kp)
{
	unsigned int mb, low, high;
	int ret = kstrtouint(val, 0, &mb);

	if (ret)
		return ret;
	low = kp->arg == &vcm_pool_low_mb ? mb : vcm_pool_low_mb;
	high = kp->arg == &vcm_pool_high_mb ? mb : vcm_pool_high_mb;
	if (READ_ONCE(vcm_pool_worker) && !vcm_pool_marks_fit(low, high))
		return -EINVAL;
	WRITE_ONCE(*(unsigned int *)kp->arg, mb);
	vcm_pool_kick();
	return 0;
}

static const struct kernel_param_ops vcm_pool_mark_param_ops = {
	.set = vcm_pool_mark_param_set,
	.get = param_get_uint,
};
module_param_cb(pool_low_mb, &vcm_pool_mark_param_ops, &vcm_pool_low_mb, 0644);
MODULE_PARM_DESC(pool_low_mb, "Refill the pool in advance when it holds less of a large chunk size, in MB (default 0: never)");
module_param_cb(pool_high_mb, &vcm_pool_mark_param_ops, &vcm_pool_high_mb,
		0644);
MODULE_PARM_DESC(pool_high_mb, "... until it holds this much of it, in MB (default 0); not less than pool_low_mb");

VISIBLE_IF_KUNIT int vcm_pool_idle_param_set(const char *val,
					     const struct kernel_param *kp)
{
	unsigned int s;
	int ret = kstrtouint(val, 0, &s);

	if (ret)
		return ret;
	if (s > VCM_POOL_IDLE_MAX)
		return -ERANGE;
	WRITE_ONCE(vcm_pool_idle_s, s);
	/* What waits already has to wait that long from now. */
	if (s)
		vcm_pool_queue_work(&vcm_pool_age_work, vcm_pool_age_delay(),
				    true);
	return 0;
}

static const struct kernel_param_ops vcm_pool_idle_param_ops = {
	.set = vcm_pool_idle_param_set,
	.get = param_get_uint,
};
module_param_cb(pool_idle_s, &vcm_pool_idle_param_ops, &vcm_pool_idle_s, 0644);
MODULE_PARM_DESC(pool_idle_s, "Give back what nobody needed for this long, in seconds (default 30, 0: never)");

/**
 * vcm_pool_work_init - bring the pool to life
 *
 * Context: Process context, once, behind vcm_pool_init().
 * Return: 0, -EINVAL (parameters that contradict each other), -ENOMEM, or why
 *	there is no thread.
 */
int vcm_pool_work_init(void)
{
	struct kthread_worker *worker;

	if (!vcm_pool_marks_fit(vcm_pool_low_mb, vcm_pool_high_mb))
		return -EINVAL;

	kthread_init_delayed_work(&vcm_pool_work, vcm_pool_work_fn);
	kthread_init_delayed_work(&vcm_pool_age_work, vcm_pool_age_fn);
	vcm_pool_shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "vcm-pool");
	if (!vcm_pool_shrinker)
		return -ENOMEM;
	vcm_pool_shrinker->count_objects = vcm_pool_count;
	vcm_pool_shrinker->scan_objects = vcm_pool_scan;
	vcm_pool_shrinker->batch = VCM_POOL_SHRINK_BATCH;
	/* Nobody has to read anything back: cheaper to lose than a cache. */
	vcm_pool_shrinker->seeks = 1;

	worker = kthread_run_worker(KTW_FREEZABLE, "vcm-pool");
	if (IS_ERR(worker)) {
		shrinker_free(vcm_pool_shrinker);
		return PTR_ERR(worker);
	}
	sched_set_normal(worker->task, MAX_NICE);
	WRITE_ONCE(vcm_pool_worker, worker);

	shrinker_register(vcm_pool_shrinker);
	/* The parameters may ask for a refill. */
	vcm_pool_kick();
	return 0;
}

/**
 * vcm_pool_work_exit - undo vcm_pool_work_init()
 *
 * Context: Process context; there is no buffer.
 */
void vcm_pool_work_exit(void)
{
	struct kthread_worker *worker = vcm_pool_worker;

	shrinker_free(vcm_pool_shrinker);
	/* A run that is going on does not queue another one. */
	WRITE_ONCE(vcm_pool_worker, NULL);
	kthread_cancel_delayed_work_sync(&vcm_pool_work);
	kthread_cancel_delayed_work_sync(&vcm_pool_age_work);
	kthread_destroy_worker(worker);
}
