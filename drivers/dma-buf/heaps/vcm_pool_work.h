/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of the pool
 */
#ifndef _VCM_POOL_WORK_H
#define _VCM_POOL_WORK_H

#include <linux/compiler.h>
#include <linux/types.h>

#if IS_ENABLED(CONFIG_KUNIT)
struct kernel_param;
struct kthread_delayed_work;
struct kthread_work;
struct shrink_control;
struct shrinker;
#endif

int vcm_pool_work_init(void);
void vcm_pool_work_exit(void);
void vcm_pool_kick(void);

extern unsigned int vcm_pool_low_mb;

/* Is it filled in advance? */
static inline bool vcm_pool_refills(void)
{
	return READ_ONCE(vcm_pool_low_mb);
}

#if IS_ENABLED(CONFIG_KUNIT)
/* What tests look at inside */
extern unsigned int vcm_pool_high_mb;
extern unsigned int vcm_pool_idle_s;
extern struct kthread_delayed_work vcm_pool_work;
extern struct kthread_delayed_work vcm_pool_age_work;

void vcm_pool_queue_work(struct kthread_delayed_work *work, unsigned long delay,
			 bool again);
void vcm_pool_work_fn(struct kthread_work *work);
void vcm_pool_age_fn(struct kthread_work *work);
unsigned long vcm_pool_count(struct shrinker *shrinker,
			     struct shrink_control *sc);
unsigned long vcm_pool_scan(struct shrinker *shrinker,
			    struct shrink_control *sc);
int vcm_pool_cap_param_set(const char *val, const struct kernel_param *kp);
int vcm_pool_cap_param_get(char *buffer, const struct kernel_param *kp);
int vcm_pool_mark_param_set(const char *val, const struct kernel_param *kp);
int vcm_pool_idle_param_set(const char *val, const struct kernel_param *kp);
#endif

#endif /* _VCM_POOL_WORK_H */
