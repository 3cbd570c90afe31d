// SPDX-License-Identifier: GPL-2.0-only
/*
 * report [-f text|ktap] RUNDIR: what came out of a run.
 *
 * RUNDIR/cells has the cells that were planned, one KERNEL/FS/SCENARIO a line,
 * and each of these folders the verdict of its cell.  A cell without a whole
 * verdict is lost.  Exit status 0: as expected; 1: something failed, or holds
 * that was recorded as broken; 3: the run proves nothing, because a control
 * did not trip, cells are lost or nothing ran.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define SHOWN_ROWS	5

/* In the order of the summary line. */
enum verdict { PASS, FAIL, SKIP, KNOWN, FIXED, LOST, VERDICTS };

/* In KTAP a known issue is no news, a record that no longer holds is. */
static const struct {
	const char	*word;
	const char	*result;
	const char	*directive;	/* NULL: the reason is a line of its own */
} verdicts[] = {
	[PASS]	= { "pass",	"ok",		NULL },
	[FAIL]	= { "fail",	"not ok",	NULL },
	[SKIP]	= { "skip",	"ok",		"SKIP" },
	[KNOWN]	= { "known",	"ok",		"known" },
	[FIXED]	= { "fixed",	"not ok",	"fixed" },
	[LOST]	= { "lost",	"not ok",	"lost" },
};

struct list {
	char	**v;
	size_t	  n;
};

struct cell {
	char		*path;			/* KERNEL/FS/SCENARIO */
	char		*kernel, *fs, *scenario;
	char		*reason;
	struct list	 failed;		/* rows */
	size_t		 rows;
	long		 ms;
	enum verdict	 verdict;
	bool		 control;
};

struct run {
	const char	*dir;
	struct cell	*cells;
	size_t		 n;
};

static void *need(void *p)
{
	if (p)
		return p;
	perror("report");
	exit(2);
}

static void add(struct list *l, char *s)
{
	l->v = need(reallocarray(l->v, l->n + 1, sizeof(*l->v)));
	l->v[l->n++] = s;
}

static void add_once(struct list *l, char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return;
	add(l, s);
}

static char *path_in(const struct run *r, const char *folder, const char *file)
{
	char *path;

	if (asprintf(&path, "%s/%s/%s", r->dir, folder, file) < 0)
		need(NULL);
	return path;
}

/* The lines of a file; false when it does not end in a whole one. */
static bool read_lines(const char *path, struct list *l)
{
	FILE *f = fopen(path, "re");
	bool whole = false;
	size_t size = 0;
	ssize_t len;

	for (char *line = NULL; f && (len = getline(&line, &size, f)) > 0; line = NULL, size = 0) {
		whole = line[len - 1] == '\n' && strlen(line) == (size_t)len;
		if (!whole)
			break;
		line[len - 1] = '\0';
		add(l, line);
	}
	if (f)
		fclose(f);
	return whole;
}

/* What follows @key and a blank in @line, or NULL. */
static char *value_of(char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

/* The value of @key in the first of @l that has it, or NULL. */
static char *get(const struct list *l, const char *key)
{
	char *value = NULL;

	for (size_t i = 0; i < l->n && !value; i++)
		value = value_of(l->v[i], key);
	return value;
}

/* What was planned, or NULL when it cannot be read. */
static struct conf *read_plan(const struct run *r, const struct cell *c)
{
	char *path = path_in(r, c->path, "cell");

	return access(path, R_OK) ? NULL : conf_read(path, CONF_CELL);
}

/* A verdict that was cut off lacks its reason, or some of its rows. */
static void read_cell(const struct run *r, struct cell *c)
{
	char *path = path_in(r, c->path, "verdict"), *word, *rows, *ms, *row;
	struct list lines = {}, guest = {};
	bool whole = read_lines(path, &lines);
	struct conf *plan;

	word = get(&lines, "verdict");
	rows = get(&lines, "rows");
	c->reason = get(&lines, "reason");
	c->control = get(&lines, "control");
	for (size_t i = 0; i < lines.n; i++) {
		row = value_of(lines.v[i], "row");
		c->rows += !!row;
		if (row && value_of(row, "failed"))
			add(&c->failed, value_of(row, "failed"));
	}
	for (c->verdict = 0; c->verdict < VERDICTS && word; c->verdict++)
		if (!strcmp(verdicts[c->verdict].word, word))
			break;
	if (!whole || !word || c->verdict == VERDICTS || !c->reason || !rows ||
	    strtoul(rows, NULL, 10) != c->rows) {
		c->verdict = LOST;
		c->reason = access(path, F_OK) ? "no verdict" : "verdict is not whole";
		/* A control that was never judged is still a control. */
		plan = read_plan(r, c);
		c->control |= plan && conf_get(plan, "verdict");
	}
	read_lines(path_in(r, c->path, "guest"), &guest);
	ms = get(&guest, "total_ms");
	c->ms = ms ? atol(ms) : 0;
}

/* Cut "KERNEL/FS/SCENARIO" into its three names. */
static bool split_path(struct cell *c, char *path)
{
	char *rest = need(strdup(path));

	c->path = path;
	c->kernel = strsep(&rest, "/");
	c->fs = strsep(&rest, "/");
	c->scenario = rest;
	return c->scenario && *c->kernel && *c->fs && *c->scenario && !strchr(c->scenario, '/') &&
	       strcmp(c->kernel, "..") && strcmp(c->fs, "..") && strcmp(c->scenario, "..");
}

static void bad_cell(const struct run *r, size_t i, const char *what, const char *path)
{
	fprintf(stderr, "%s/cells:%zu: %s '%s', expected KERNEL/FS/SCENARIO, once\n", r->dir,
		i + 1, what, path);
	exit(2);
}

static void read_run(struct run *r)
{
	char *path = path_in(r, ".", "cells");
	struct list lines = {};
	bool whole = read_lines(path, &lines);

	if (access(path, R_OK)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	/* An empty list is a run of nothing; half a line is a list cut off. */
	if (lines.n && !whole)
		bad_cell(r, lines.n, "half a cell after", lines.v[lines.n - 1]);
	r->cells = need(calloc(lines.n + 1, sizeof(*r->cells)));
	for (; r->n < lines.n; r->n++) {
		for (size_t i = 0; i < r->n; i++)
			if (!strcmp(lines.v[i], lines.v[r->n]))
				bad_cell(r, r->n, "again", lines.v[i]);
		if (!split_path(&r->cells[r->n], lines.v[r->n]))
			bad_cell(r, r->n, "bad cell", lines.v[r->n]);
		read_cell(r, &r->cells[r->n]);
	}
}

/* How many cells; VERDICTS stands for all of them. */
static size_t count(const struct run *r, bool control, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->cells[i].control == control &&
		     (v == VERDICTS || r->cells[i].verdict == v);
	return n;
}

static int exit_status(const struct run *r)
{
	if (count(r, true, PASS) != count(r, true, VERDICTS))
		return 3;
	if (count(r, false, FAIL) + count(r, false, FIXED))
		return 1;
	/* A run of controls alone has shown what it was asked to show. */
	if (!count(r, false, VERDICTS))
		return r->n ? 0 : 3;
	if (!count(r, false, PASS) && !count(r, false, KNOWN))
		return 3;
	return count(r, false, LOST) ? 3 : 0;
}

/* Text */

/* "stock: 6.1.192 (6.1.0-56-amd64)", as far as a cell of it can say. */
static void print_kernel(const struct run *r, const char *kernel)
{
	const char *version, *release;
	struct conf *plan = NULL;

	for (size_t i = 0; i < r->n && !plan; i++)
		if (!strcmp(r->cells[i].kernel, kernel))
			plan = read_plan(r, &r->cells[i]);
	printf("\n%s", kernel);
	if (plan) {
		release = conf_get(plan, "release");
		version = conf_get(plan, "version") ?: release;
		printf(": %s", version);
		if (strcmp(version, release))
			printf(" (%s)", release);
	}
	putchar('\n');
}

static const char *word_at(const struct run *r, const char *kernel, const char *fs,
			   const char *scenario)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		if (!strcmp(c->kernel, kernel) && !strcmp(c->fs, fs) &&
		    !strcmp(c->scenario, scenario))
			return verdicts[c->verdict].word;
	}
	return "-";
}

static int width(const struct list *l)
{
	size_t max = strlen("known");

	for (size_t i = 0; i < l->n; i++)
		max = strlen(l->v[i]) > max ? strlen(l->v[i]) : max;
	return max;
}

/* One line a scenario, one column a file system. */
static void print_table(const struct run *r, const char *kernel)
{
	struct list fs = {}, scenarios = {};

	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		if (c->control || strcmp(c->kernel, kernel))
			continue;
		add_once(&fs, c->fs);
		add_once(&scenarios, c->scenario);
	}
	print_kernel(r, kernel);
	printf("  %-*s", width(&scenarios), "");
	for (size_t f = 0; f < fs.n; f++)
		printf("  %-*s", width(&fs), fs.v[f]);
	putchar('\n');
	for (size_t s = 0; s < scenarios.n; s++) {
		printf("  %-*s", width(&scenarios), scenarios.v[s]);
		for (size_t f = 0; f < fs.n; f++)
			printf("  %-*s", width(&fs),
			       word_at(r, kernel, fs.v[f], scenarios.v[s]));
		putchar('\n');
	}
}

static void print_detail(const struct run *r, const struct cell *c)
{
	printf("%s %s: %s\n", verdicts[c->verdict].word, c->path, c->reason);
	for (size_t i = 0; i < c->failed.n && i < SHOWN_ROWS; i++)
		printf("  %s\n", c->failed.v[i]);
	if (c->failed.n > SHOWN_ROWS)
		printf("  and %zu more\n", c->failed.n - SHOWN_ROWS);
	printf("  %s/%s\n", r->dir, c->path);
}

static void print_summary(const struct run *r)
{
	size_t rows = 0;
	long ms = 0;

	for (int v = 0; v < VERDICTS; v++)
		printf("%s%zu %s", v ? ", " : "\n", count(r, false, v), verdicts[v].word);
	for (size_t i = 0; i < r->n; i++) {
		ms += r->cells[i].ms;
		rows += r->cells[i].control ? 0 : r->cells[i].rows;
	}
	printf(" (%zu rows)", rows);
	if (ms)
		printf(", %ld.%ld s in guests", ms / 1000, ms % 1000 / 100);
	putchar('\n');
}

static void print_text(const struct run *r)
{
	struct list kernels = {};
	bool details = false;

	printf("controls: %zu of %zu tripped\n", count(r, true, PASS), count(r, true, VERDICTS));
	for (size_t i = 0; i < r->n; i++)
		if (!r->cells[i].control)
			add_once(&kernels, r->cells[i].kernel);
	for (size_t i = 0; i < kernels.n; i++)
		print_table(r, kernels.v[i]);
	for (size_t i = 0; i < r->n; i++) {
		if (r->cells[i].verdict == PASS)
			continue;
		if (!details)
			putchar('\n');
		details = true;
		print_detail(r, &r->cells[i]);
	}
	/* Of controls alone, the first line has said all. */
	if (kernels.n || !r->n)
		print_summary(r);
}

static void print_ktap(const struct run *r)
{
	printf("KTAP version 1\n1..%zu\n", r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];
		const char *directive = verdicts[c->verdict].directive;

		if (!directive)
			printf("# %s: %s\n", c->path, c->reason);
		printf("%s %zu %s", verdicts[c->verdict].result, i + 1, c->path);
		if (directive)
			printf(" # %s %s", directive, c->reason);
		putchar('\n');
	}
}

static const struct {
	const char	*name;
	void		(*print)(const struct run *r);
} formats[] = {
	{ "text", print_text },
	{ "ktap", print_ktap },
};

int main(int argc, char **argv)
{
	/* Memory lives as long as the process: one run, read once. */
	struct run run = {};
	const char *format = "text";
	size_t f = 0;
	int opt;

	while ((opt = getopt(argc, argv, "f:")) == 'f')
		format = optarg;
	while (f < ARRAY_SIZE(formats) && strcmp(formats[f].name, format))
		f++;
	if (opt != -1 || optind != argc - 1 || f == ARRAY_SIZE(formats)) {
		fputs("usage: report [-f text|ktap] RUNDIR\n", stderr);
		return 2;
	}
	run.dir = argv[optind];
	read_run(&run);
	formats[f].print(&run);
	if (fflush(stdout) || ferror(stdout)) {
		perror("report: standard output");
		return 2;
	}
	return exit_status(&run);
}
