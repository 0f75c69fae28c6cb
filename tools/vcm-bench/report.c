// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers: random ones, what many come to, and how they are printed.
 */

#include <stdlib.h>

#include "report.h"

const char *verdict_word(enum verdict verdict)
{
	static const char * const words[] = {
		[INFO] = "info",
		[PASS] = "PASS",
		[MISS] = "MISS",
	};

	return words[verdict];
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct summary summarise(uint64_t *values, size_t n)
{
	if (!n)
		return (struct summary) {};

	qsort(values, n, sizeof(*values), compare);
	return (struct summary) {
		.median = values[n / 2],
		.low = values[n / 4],
		.high = values[n - 1 - n / 4],
		.n = n,
	};
}

const char *summary_text(const struct summary *summary, char *text)
{
	snprintf(text, 64, "%.0f us (%.0f..%.0f)", summary->median / 1000, summary->low / 1000,
		 summary->high / 1000);
	return text;
}

/* Marsaglia, "Xorshift RNGs", 2003. */
uint64_t random_below(uint64_t *state, uint64_t limit)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x >> 16) % limit;
}

uint64_t random_seeded(uint64_t seed)
{
	return seed * 0x9e3779b97f4a7c15ull | 1;
}
