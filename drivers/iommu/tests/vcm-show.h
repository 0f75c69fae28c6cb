/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a file in debugfs says, for KUnit tests
 */
#ifndef _VCM_SHOW_H
#define _VCM_SHOW_H

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/stdarg.h>
#include <linux/string.h>

/* The text that @show writes, which a reader gets again when it asks again. */
static inline const char *vcm_show(struct kunit *test,
				   int (*show)(struct seq_file *s, void *unused))
{
	char *text[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(text); i++) {
		struct seq_file s = { .size = PAGE_SIZE };

		text[i] = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, text[i]);
		s.buf = text[i];
		KUNIT_EXPECT_EQ(test, show(&s, NULL), 0);
		KUNIT_ASSERT_LT(test, s.count, s.size);
		text[i][s.count] = '\0';
	}
	KUNIT_EXPECT_STREQ(test, text[1], text[0]);
	return text[0];
}

/* A text that lives as long as the case. */
static inline __printf(2, 3) const char *vcm_text(struct kunit *test,
						  const char *format, ...)
{
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	va_list args;

	KUNIT_ASSERT_NOT_NULL(test, text);
	va_start(args, format);
	vsnprintf(text, PAGE_SIZE, format, args);
	va_end(args);
	return text;
}

#endif /* _VCM_SHOW_H */
