// SPDX-License-Identifier: MIT
/*
 * What programs that try the heap at random have in common: numbers on the
 * command line, a seed, and results.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "program.h"

static unsigned int passed, failed;

/**
 * program_number - read an option's value
 * @text: the value
 * @max: the largest that is allowed
 *
 * Does not return if it is none.
 *
 * Returns: the number.
 */
uint64_t program_number(const char *text, uint64_t max)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (!*text || *end || n > max) {
		fprintf(stderr, "\"%s\" is no number up to %llu\n", text,
			(unsigned long long)max);
		exit(2);
	}
	return n;
}

/**
 * program_seed - a seed for a run that is not told one
 *
 * Returns: a number of 32 bits, to be typed again.
 */
uint64_t program_seed(void)
{
	uint32_t seed;

	return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 0;
}

/**
 * program_verdict - a result
 * @program: what was run
 * @ok: whether it is as it should be
 * @name: what was looked at
 * @text: what was seen, or ""
 */
void program_verdict(const char *program, bool ok, const char *name, const char *text)
{
	printf("%s %s@%s%s%s%s\n", ok ? "PASS" : "FAIL", program, name, *text ? " (" : "", text,
	       *text ? ")" : "");
	passed += ok;
	failed += !ok;
}

/**
 * program_end - print the sum of the results
 *
 * Returns: the exit status.
 */
int program_end(void)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
