/* SPDX-License-Identifier: MIT */
/*
 * Buffers that come and go, in several processes, for tests.
 */
#ifndef VCM_CHURN_H
#define VCM_CHURN_H

#include <stdbool.h>
#include <stdint.h>

uint64_t vcm_random(uint64_t *state);
uint64_t vcm_random_length(uint64_t *state);

void vcm_churn(int dev, uint64_t seed, unsigned int rounds);

/* Children of a test that work at the same time */
struct vcm_crew {
	unsigned int size;	/* number of them */
	/* In memory that they share: how many have called vcm_crew_count() */
	unsigned int *count;
};

void vcm_crew_init(struct vcm_crew *crew, unsigned int size);
void vcm_crew_fini(struct vcm_crew *crew);
void vcm_crew_count(struct vcm_crew *crew);
bool vcm_crew_complete(const struct vcm_crew *crew);
void vcm_crew_meet(struct vcm_crew *crew);

#endif /* VCM_CHURN_H */
