/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap: chunks that wait for the next buffer
 */
#ifndef _VCM_POOL_H
#define _VCM_POOL_H

#include <linux/types.h>

#include "vcm_chunk.h"

struct kernel_param;
struct kthread_delayed_work;
struct kthread_work;
struct list_head;
struct page;
struct shrink_control;
struct shrinker;

/**
 * struct vcm_pool_stats - what the pool holds
 * @cap: bytes that it may hold
 * @total: bytes that it holds, and what the worker is about to add
 * @clean: number of zeroed chunks of each size
 * @dirty: ... and of those that are not
 * @pressed: whether it takes nothing because memory is short
 */
struct vcm_pool_stats {
	u64 cap;
	u64 total;
	unsigned long clean[VCM_NR_CHUNK_SIZES];
	unsigned long dirty[VCM_NR_CHUNK_SIZES];
	bool pressed;
};

/* vcm_pool.c: the chunks */
int vcm_pool_init(void);
void vcm_pool_exit(void);
unsigned long vcm_pool_get_clean(enum vcm_chunk_size size, unsigned long nr,
				 struct list_head *chunks);
struct page *vcm_pool_get(enum vcm_chunk_size size);
void vcm_pool_put(enum vcm_chunk_size size, struct page **pages,
		  unsigned long nr);
unsigned long vcm_pool_drain(void);
unsigned long vcm_pool_yield(enum vcm_chunk_size size, size_t bytes);
unsigned long vcm_pool_merge(enum vcm_chunk_size size);
void vcm_pool_stats(struct vcm_pool_stats *stats);

/* vcm_pool.c for vcm_pool_work.c */
bool vcm_pool_is_empty(void);
unsigned long vcm_pool_cap_pages(void);
void vcm_pool_set_cap(unsigned long pages);
void vcm_pool_update_caps(void);
void vcm_pool_trim(void);
unsigned long vcm_pool_free_node(unsigned long nr_pages, int nid);
unsigned long vcm_pool_node_pages(int nid);
u64 vcm_pool_node_bytes_of(int nid, enum vcm_chunk_size size);
void vcm_pool_age(int nid, unsigned long keep);
bool vcm_pool_press(void);
bool vcm_pool_ease(void);
bool vcm_pool_pressed(void);
bool vcm_pool_has_dirty(void);
bool vcm_pool_zero_one(int nid);
bool vcm_pool_add_one(int nid, enum vcm_chunk_size size);

/* vcm_pool_work.c: when they are zeroed, added and given back */
int vcm_pool_work_init(void);
void vcm_pool_work_exit(void);
void vcm_pool_kick(void);

#if IS_ENABLED(CONFIG_KUNIT)
/* What tests look at inside */
extern unsigned int vcm_pool_low_mb;
extern unsigned int vcm_pool_high_mb;
extern unsigned int vcm_pool_idle_s;
extern struct kthread_delayed_work vcm_pool_work;
extern struct kthread_delayed_work vcm_pool_age_work;

struct zone;

long vcm_pool_zone_spare(struct zone *zone);

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

#endif /* _VCM_POOL_H */
