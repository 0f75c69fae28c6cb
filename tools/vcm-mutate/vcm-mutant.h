/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_VCM_MUTANT_H
#define _LINUX_VCM_MUTANT_H

#include <linux/bitops.h>

#define VCM_MUTANTS	8192

/* The number of the mutation that is awake, and those whose code was run. */
extern int vcm_mutant;
extern unsigned long vcm_mutants_reached[];

static inline int vcm_mutant_is(int nr)
{
	if (!test_bit(nr, vcm_mutants_reached))
		set_bit(nr, vcm_mutants_reached);
	return *(volatile int *)&vcm_mutant == nr;
}

/* Is @nr awake? Says in the object that it is in the code that was made. */
#define VCM_MUTANT(nr) ({						\
	asm volatile(".pushsection .comment,\"MS\",@progbits,1\n"	\
		     ".asciz \"vcm-mutant-" #nr "\"\n"			\
		     ".popsection");					\
	vcm_mutant_is(nr); })

/* Is it so in every run, as a comparison that only another width of a type needs? */
#define VCM_KNOWN(cond)	(__builtin_constant_p(!!(cond)) && (cond))

#endif /* _LINUX_VCM_MUTANT_H */

/* In one file of the module that the others depend on. */
#ifdef VCM_MUTANT_MAIN
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/moduleparam.h>

int vcm_mutant;
EXPORT_SYMBOL_GPL(vcm_mutant);
unsigned long vcm_mutants_reached[BITS_TO_LONGS(VCM_MUTANTS)];
EXPORT_SYMBOL_GPL(vcm_mutants_reached);

module_param(vcm_mutant, int, 0644);

/* Reading them is forgetting them. */
static int vcm_mutants_reached_get(char *buf, const struct kernel_param *kp)
{
	int len = sysfs_emit(buf, "%*pbl\n", VCM_MUTANTS, vcm_mutants_reached);

	bitmap_zero(vcm_mutants_reached, VCM_MUTANTS);
	return len;
}

static const struct kernel_param_ops vcm_mutants_reached_ops = {
	.get = vcm_mutants_reached_get,
};

module_param_cb(vcm_mutants_reached, &vcm_mutants_reached_ops, NULL, 0400);
#undef VCM_MUTANT_MAIN
#endif /* VCM_MUTANT_MAIN */
