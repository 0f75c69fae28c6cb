// SPDX-License-Identifier: MIT
/*
 * Failures on purpose, for tests: the n-th thing that can fail in a call does.
 *
 * The kernel's fault injection counts, for one thread, what can fail: small
 * allocations (failslab), pages (fail_page_alloc), copies to and from userspace
 * (fail_usercopy). The number n in /proc/thread-self/fail-nth is that of the one
 * which does.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_files.h"
#include "vcm_inject.h"
#include "vcm_process.h"

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static int fail_nth = -1;

static bool set_knob(const char *kind, const char *knob, const char *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, knob);
	return !vcm_file_write(path, value);
}

/*
 * Has all kinds of allocations count, and skips the test where the kernel does not
 * inject failures.
 */
void vcm_inject_init(void)
{
	int i;

	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	igt_require_f(fail_nth >= 0, "no fault injection in this kernel\n");
	/* Those that could wait for memory too, and single pages, and quietly. */
	igt_require_f(set_knob("failslab", "ignore-gfp-wait", "N"), "no failslab\n");
	igt_require_f(set_knob("fail_page_alloc", "ignore-gfp-wait", "N"), "no fail_page_alloc\n");
	igt_assert(set_knob("fail_page_alloc", "ignore-gfp-highmem", "N"));
	igt_assert(set_knob("fail_page_alloc", "min-order", "0"));
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set_knob(kinds[i], "verbose", "0");
}

/* The addresses of a function, up to the next symbol; false if there is none. */
static bool function_range(const char *function, unsigned long long *start,
			   unsigned long long *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char name[128];

	igt_require_f(file, "no /proc/kallsyms\n");
	*start = 0;
	*end = 0;
	/* They are sorted. */
	while (!*end && fscanf(file, "%llx %*c %127s%*[^\n]", &address, name) == 2) {
		if (*start && address > *start)
			*end = address;
		else if (!strcmp(name, function))
			*start = address;
	}
	fclose(file);
	return *start && *end;
}

static bool set_range(const char *which, const char *function)
{
	unsigned long long start, end;
	char knob[32], text[32];
	int i;

	if (!function_range(function, &start, &end))
		return false;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(knob, sizeof(knob), "%s-start", which);
		snprintf(text, sizeof(text), "0x%llx", start);
		igt_require_f(set_knob(kinds[i], knob, text), "no filter by callers\n");
		snprintf(knob, sizeof(knob), "%s-end", which);
		snprintf(text, sizeof(text), "0x%llx", end);
		igt_assert(set_knob(kinds[i], knob, text));
	}
	return true;
}

/* From now on only what is called by it, directly or not, can fail. */
void vcm_inject_only_in(const char *function)
{
	igt_assert_f(set_range("require", function), "no %s() in this kernel\n", function);
}

/* From now on nothing that is called by it, directly or not, can fail. */
void vcm_inject_never_in(const char *function)
{
	set_range("reject", function);
}

/*
 * From now on pages do not count. Who gets no block of them may do with single ones, as the
 * slab allocator does when it needs more at that moment.
 */
void vcm_inject_no_pages(void)
{
	igt_assert(set_knob("fail_page_alloc", "min-order", "99"));
}

/* @n: which of the things that can fail in what follows is to fail, from 1 */
void vcm_inject_begin(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	igt_assert_eq(pwrite(fail_nth, text, len, 0), len);
}

/*
 * Looking at the number and setting it back can fail for it, too: then it had not been
 * used up. Returns whether something failed since vcm_inject_begin().
 */
bool vcm_inject_end(void)
{
	char text[16] = "";
	bool failed = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, "0\n");

	while (pwrite(fail_nth, "0", 1, 0) != 1)
		failed = false;
	return failed;
}

/* --- What is left ------------------------------------------------------ */

static const char *const files[] = { "totals", "buffers", "iova", "spaces" };

#define SETTLE_US 10000
#define SETTLE_TRIES 1000

/* The number of a space is free again a moment after its end, so it says nothing. */
static char *without_numbers(char *text)
{
	static const char name[] = "vcm-space.";
	char *at = text;

	while ((at = strstr(at, name))) {
		size_t digits;

		at += strlen(name);
		digits = strspn(at, "0123456789");
		memmove(at, at + digits, strlen(at + digits) + 1);
	}
	return text;
}

/* @state: filled in, to be freed by vcm_state_free() */
void vcm_state_read(struct vcm_state *state)
{
	int i;

	state->fds = vcm_open_fds();
	state->next_fd = vcm_next_fd(fail_nth);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		state->text[i] = without_numbers(vcm_debugfs_read(files[i]));
}

/* @state: what vcm_state_read() filled in */
void vcm_state_free(struct vcm_state *state)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		free(state->text[i]);
}

static bool same_texts(const struct vcm_state *a, const struct vcm_state *b)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(a->text[i], b->text[i]))
			return false;
	return true;
}

/* @state: what is to be read again until it is like @before: a space's device goes late. */
static void settle(struct vcm_state *state, const struct vcm_state *before)
{
	unsigned int tries;

	for (tries = 0; tries < SETTLE_TRIES && !same_texts(state, before); tries++) {
		vcm_state_free(state);
		usleep(SETTLE_US);
		vcm_state_read(state);
	}
}

/*
 * Asserts that nothing has changed, once what ends by itself has ended.
 * @before: the state before something was done, freed
 */
void vcm_state_assert_same(struct vcm_state *before, const char *what, unsigned int n)
{
	struct vcm_state now;
	int i;

	vcm_state_read(&now);
	settle(&now, before);
	igt_assert_f(now.fds == before->fds && now.next_fd == before->next_fd,
		     "%s, failure %u: %u file descriptors before, %u after\n", what, n,
		     before->fds, now.fds);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		igt_assert_f(!strcmp(now.text[i], before->text[i]),
			     "%s, failure %u: vcm/%s before:\n%safter:\n%s", what, n, files[i],
			     before->text[i], now.text[i]);
	vcm_state_free(before);
	vcm_state_free(&now);
}
