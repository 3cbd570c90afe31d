// SPDX-License-Identifier: GPL-2.0-only
/* What kernel people call a splat; see title.h. */
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "title.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define GROUPS		4
#define LOOK_LINES	40	/* of a trace */
/* A signature ends with its function, if it has one; words of a message have no "_". */
#define FUNC		"[A-Za-z0-9]*_[A-Za-z0-9_]*"

/*
 * By signature.  $N is a group, @ the access that the lines below tell ("Read "), and
 * & the function that they tell (" in FUNCTION").  What none matches is its own title.
 */
static const struct {
	const char	*re;
	const char	*title;
} titles[] = {
	{ "^WARNING ([^ ]+\\.[chS] )?([A-Za-z_][A-Za-z0-9_]*)$",    "WARNING in $2" },
	{ "^WARNING ([^ ]+)$",                                      "WARNING at $1" },
	{ "^WARNING: possible (circular|recursive) locking",        "possible deadlock&" },
	{ "^kernel BUG at [^ ]+ (" FUNC ")$",                       "kernel BUG in $1" },
	{ "^BUG: (K[A-Z]+: [a-z -]*[a-z]) ([A-Za-z_][A-Za-z0-9_]*)$", "$1 @in $2" },
	{ "^(BUG: sleeping function) .*", "$1 called from invalid context&" },
	{ "^(BUG: soft lockup)$",                                   "$1&" },
	{ "^INFO: task blocked$",                                   "INFO: task hung&" },
	{ "^RCU stall$",                                            "INFO: rcu detected stall&" },
	{ "^(UBSAN: [a-z-]+) (.+)$",                                "$1 in $2" },
	{ "^(EXT4-fs [a-z]+) ([A-Za-z_][A-Za-z0-9_]*)$",            "$1 in $2" },
	{ "^(XFS [A-Za-z ]+) ([^ ]+\\.[ch])$",                      "$1 in $2" },
	{ "^Oops: (" FUNC ")$",                                     "Oops in $1" },
	{ "^(.*[^ ]) (" FUNC ")$",                                  "$1 in $2" },
};

/* What every task that waits, and every trace, has at its top. */
static const char *const plumbing[] = {
	"__schedule", "schedule", "schedule_timeout", "schedule_preempt_disabled", "io_schedule",
	"__wait_for_common", "wait_for_completion", "dump_stack", "dump_stack_lvl", "show_stack",
	"__might_resched", "__might_sleep", "__lock_acquire", "lock_acquire", "check_noncircular",
	"print_circular_bug", "__mutex_lock", "mutex_lock", "down_read", "down_write",
	"rwsem_down_write_slowpath", "rwsem_down_read_slowpath", "asm_sysvec_apic_timer_interrupt",
};

static bool matches(const char *re, const char *s, regmatch_t *m, size_t groups)
{
	regex_t compiled;
	bool hit;

	if (regcomp(&compiled, re, REG_EXTENDED))
		return false;
	hit = !regexec(&compiled, s, groups, m, 0);
	regfree(&compiled);
	return hit;
}

static bool is_plumbing(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(plumbing); i++)
		if (strlen(plumbing[i]) == len && !strncmp(plumbing[i], name, len))
			return true;
	return false;
}

/* The first function below that says something; " in NAME", or "". */
static void put_function(FILE *f, char *const *lines, size_t n)
{
	regmatch_t m[3];

	for (size_t i = 1; i < n && i < LOOK_LINES; i++) {
		if (!matches("(RIP: 0010:|\\]? {2,})([A-Za-z_][A-Za-z0-9_]*)\\+0x", lines[i], m, 3))
			continue;
		if (is_plumbing(lines[i] + m[2].rm_so, m[2].rm_eo - m[2].rm_so))
			continue;
		fprintf(f, " in %.*s", (int)(m[2].rm_eo - m[2].rm_so), lines[i] + m[2].rm_so);
		return;
	}
}

static void put_access(FILE *f, char *const *lines, size_t n)
{
	regmatch_t m[2];

	for (size_t i = 1; i < n && i < LOOK_LINES; i++) {
		if (!matches("(Read|Write) of size ", lines[i], m, 2))
			continue;
		fprintf(f, "%.*s ", (int)(m[1].rm_eo - m[1].rm_so), lines[i] + m[1].rm_so);
		return;
	}
}

static void expand(FILE *f, const char *title, const char *s, const regmatch_t *m,
		   char *const *lines, size_t n)
{
	for (; *title; title++) {
		if (*title == '@') {
			put_access(f, lines, n);
		} else if (*title == '&') {
			put_function(f, lines, n);
		} else if (*title == '$') {
			const regmatch_t *g = &m[*++title - '0'];

			if (g->rm_so >= 0)
				fprintf(f, "%.*s", (int)(g->rm_eo - g->rm_so), s + g->rm_so);
		} else {
			fputc(*title, f);
		}
	}
}

char *splat_title(const char *signature, char *const *lines, size_t n)
{
	regmatch_t m[GROUPS];
	size_t i = 0, size;
	char *title;
	FILE *f;

	while (i < ARRAY_SIZE(titles) && !matches(titles[i].re, signature, m, GROUPS))
		i++;
	if (i == ARRAY_SIZE(titles))
		return strdup(signature);
	f = open_memstream(&title, &size);
	if (!f)
		return NULL;
	expand(f, titles[i].title, signature, m, lines, n);
	fclose(f);
	return title;
}
