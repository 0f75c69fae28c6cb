/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The domain of a space
 */
#ifndef _VCM_DOMAIN_H
#define _VCM_DOMAIN_H

#include <linux/iommu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct device;
struct vcm_regions;
struct vcm_space;
struct work_struct;

/**
 * struct vcm_domain - a domain of a space's device, stacked on one of the
 *	parent's IOMMU
 * @domain: what the DMA API maps into
 * @space: the space that it is of, constant
 * @backing: what the parent is attached to
 * @align: a block of this many bytes, one compound page, must be aligned in
 *	the domain; constant
 * @lock: protects what follows; mapping is allowed in atomic context
 * @closed: nothing can be mapped any more
 * @emptied: to be queued when the last mapping has gone, once the domain is
 *	abandoned, or NULL
 * @mapped: bytes mapped
 * @pgsizes: OR of the page sizes that mappings allowed
 * @nr_refused: mappings that were refused for their alignment
 */
struct vcm_domain {
	struct iommu_domain domain;
	struct vcm_space *space;
	struct iommu_domain *backing;
	u64 align;

	/* protects what follows */
	spinlock_t lock;
	bool closed;
	struct work_struct *emptied;
	u64 mapped;
	unsigned long pgsizes;
	unsigned long nr_refused;
};

extern const struct iommu_domain_ops vcm_domain_ops;
extern struct iommu_domain vcm_blocked_domain;

struct iommu_domain *vcm_domain_alloc(struct vcm_space *space,
				      struct device *parent,
				      const struct vcm_regions *regions);
bool vcm_domain_is_empty(struct vcm_domain *domain);
void vcm_domain_close(struct vcm_domain *domain);
void vcm_domain_abandon(struct vcm_domain *domain, struct work_struct *emptied);
void vcm_domains_settle(void);

int vcm_domains_init(void);
void vcm_domains_exit(void);

#endif /* _VCM_DOMAIN_H */
