/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_VCM_MUTANT_H
#define _LINUX_VCM_MUTANT_H

/*
 * The number of the mutation that is awake. It is written into the built file,
 * which is why the compiler must believe in it no more than the reader.
 */
static const volatile struct {
	char magic[12];
	int number;
} vcm_mutant __attribute__((used)) = { "VCM-MUTANT:" };

/* Is it @nr? Says in the object that it is in the code that was made. */
#define VCM_MUTANT(nr) ({						\
	asm volatile(".pushsection .comment,\"MS\",@progbits,1\n"	\
		     ".asciz \"vcm-mutant-" #nr "\"\n"			\
		     ".popsection");					\
	vcm_mutant.number == (nr); })

#endif /* _LINUX_VCM_MUTANT_H */
