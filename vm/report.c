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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define SHOWN_ROWS	5
#define MAX_WIDTH	100		/* of a table with the kernels' names */

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
	const char	**v;
	size_t		  n;
};

struct cell {
	const char	*path;			/* KERNEL/FS/SCENARIO */
	const char	*kernel, *fs, *scenario;
	const char	*reason;
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
	struct list	 kernels;
	struct list	 scenarios, fs;		/* without those of controls */
};

static void *need(void *p)
{
	if (p)
		return p;
	perror("report");
	exit(2);
}

__attribute__((format(printf, 1, 2)))
static char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		need(NULL);
	va_end(ap);
	return s;
}

static void add(struct list *l, const char *s)
{
	l->v = need(reallocarray(l->v, l->n + 1, sizeof(*l->v)));
	l->v[l->n++] = s;
}

static void add_once(struct list *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return;
	add(l, s);
}

static char *path_in(const struct run *r, const char *folder, const char *file)
{
	return text("%s/%s/%s", r->dir, folder, file);
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
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

/* The value of @key in the first of @l that has it, or NULL. */
static const char *get(const struct list *l, const char *key)
{
	const char *value = NULL;

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
	const char *path = path_in(r, c->path, "verdict"), *word, *rows, *ms, *row;
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
static bool split_path(struct cell *c, const char *path)
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

/* What the report is about, in the order of the cells. */
static void read_names(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		add_once(&r->kernels, c->kernel);
		if (c->control)
			continue;
		add_once(&r->scenarios, c->scenario);
		add_once(&r->fs, c->fs);
	}
}

/* How many cells of @kernel; NULL stands for all of them, and so does VERDICTS. */
static size_t count_of(const struct run *r, const char *kernel, bool control, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		n += c->control == control && (!kernel || !strcmp(c->kernel, kernel)) &&
		     (v == VERDICTS || c->verdict == v);
	}
	return n;
}

static size_t count(const struct run *r, bool control, enum verdict v)
{
	return count_of(r, NULL, control, v);
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

/* What the first cell of @kernel that can be read says of it, or NULL. */
static const struct conf *plan_of(const struct run *r, const char *kernel)
{
	const struct conf *plan = NULL;

	for (size_t i = 0; i < r->n && !plan; i++)
		if (!strcmp(r->cells[i].kernel, kernel))
			plan = read_plan(r, &r->cells[i]);
	return plan;
}

static const char *version(const struct conf *plan)
{
	return conf_get(plan, "version") ?: conf_get(plan, "release");
}

/* Empty when nothing says so, or the name does. */
static const char *version_of(const struct run *r, const char *kernel)
{
	const struct conf *plan = plan_of(r, kernel);

	return plan && strcmp(version(plan), kernel) ? version(plan) : "";
}

/* "stock: 6.1.192 (6.1.0-56-amd64)", as far as it is known. */
static void print_kernel(const struct run *r, const char *kernel)
{
	const struct conf *plan = plan_of(r, kernel);
	const char *release;

	printf("%s", kernel);
	if (plan) {
		release = conf_get(plan, "release");
		printf(": %s", version(plan));
		if (strcmp(version(plan), release))
			printf(" (%s)", release);
	}
	putchar('\n');
}

/* Rows of words, as many in each. */
struct table {
	struct list	*rows;
	size_t		 n;
};

static void add_row(struct table *t, struct list row)
{
	t->rows = need(reallocarray(t->rows, t->n + 1, sizeof(*t->rows)));
	t->rows[t->n++] = row;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t max = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t len = strlen(t->rows[i].v[column]);

		max = len > max ? len : max;
	}
	return max;
}

static size_t table_width(const struct table *t)
{
	size_t width = 0;

	for (size_t i = 0; i < t->rows[0].n; i++)
		width += 2 + column_width(t, i);
	return width;
}

/* Blanks go before a word, so that no line ends with them. */
static void print_row(const struct table *t, const struct list *row)
{
	int pad = 2;

	for (size_t i = 0; i < row->n; i++) {
		const char *word = row->v[i];

		if (*word) {
			printf("%*s%s", pad, "", word);
			pad = 0;
		}
		pad += column_width(t, i) - strlen(word) + 2;
	}
	putchar('\n');
}

static void print_table(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		print_row(t, &t->rows[i]);
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

/* Of one kernel: a row a scenario, a column a file system. */
static void print_kernel_table(const struct run *r, const char *kernel)
{
	struct list head = {};
	struct table t = {};

	add(&head, "");
	for (size_t f = 0; f < r->fs.n; f++)
		add(&head, r->fs.v[f]);
	add_row(&t, head);
	for (size_t s = 0; s < r->scenarios.n; s++) {
		struct list row = {};

		add(&row, r->scenarios.v[s]);
		for (size_t f = 0; f < r->fs.n; f++)
			add(&row, word_at(r, kernel, r->fs.v[f], r->scenarios.v[s]));
		add_row(&t, row);
	}
	print_kernel(r, kernel);
	print_table(&t);
}

/* The names of the kernels, or their numbers, and below the names the versions. */
static void add_heads(struct table *t, const struct run *r, bool numbered)
{
	struct list names = {}, versions = {};
	bool any = false;

	for (int i = 0; i < 2; i++) {
		add(&names, "");
		add(&versions, "");
	}
	for (size_t k = 0; k < r->kernels.n; k++) {
		const char *name = r->kernels.v[k], *v = version_of(r, name);

		add(&names, numbered ? text("%zu", k + 1) : name);
		add(&versions, v);
		any |= !!*v;
	}
	add_row(t, names);
	if (any && !numbered)
		add_row(t, versions);
}

static bool planned(const struct run *r, const char *fs, const char *scenario)
{
	for (size_t k = 0; k < r->kernels.n; k++)
		if (strcmp(word_at(r, r->kernels.v[k], fs, scenario), "-"))
			return true;
	return false;
}

/* The first row of a scenario names it. */
static void add_scenario(struct table *t, const struct run *r, const char *scenario)
{
	const char *name = scenario;

	for (size_t f = 0; f < r->fs.n; f++) {
		const char *fs = r->fs.v[f];
		struct list row = {};

		if (!planned(r, fs, scenario))
			continue;
		add(&row, name);
		add(&row, fs);
		for (size_t k = 0; k < r->kernels.n; k++)
			add(&row, word_at(r, r->kernels.v[k], fs, scenario));
		add_row(t, row);
		name = "";
	}
}

static struct table across_kernels(const struct run *r, bool numbered)
{
	struct table t = {};

	add_heads(&t, r, numbered);
	for (size_t s = 0; s < r->scenarios.n; s++)
		add_scenario(&t, r, r->scenarios.v[s]);
	return t;
}

/* A row a scenario and file system, a column a kernel: its name, if all fit. */
static void print_kernels_table(const struct run *r)
{
	struct table t = across_kernels(r, false);

	if (table_width(&t) > MAX_WIDTH) {
		for (size_t k = 0; k < r->kernels.n; k++) {
			printf("  %zu  ", k + 1);
			print_kernel(r, r->kernels.v[k]);
		}
		t = across_kernels(r, true);
	}
	print_table(&t);
}

/* Do two kernels say the same of one scenario and file system? */
static bool alike(const struct cell *a, const struct cell *b)
{
	bool same = a->verdict == b->verdict && a->failed.n == b->failed.n &&
		    !strcmp(a->fs, b->fs) && !strcmp(a->scenario, b->scenario) &&
		    !strcmp(a->reason, b->reason);

	for (size_t i = 0; same && i < a->failed.n; i++)
		same = !strcmp(a->failed.v[i], b->failed.v[i]);
	return same;
}

static bool told(const struct run *r, const struct cell *c)
{
	for (const struct cell *b = r->cells; b < c; b++)
		if (alike(b, c))
			return true;
	return false;
}

/* @c and the cells after it that are alike: "{src-6.12,src-7.2}/ext4/NAME". */
static const char *paths(const struct run *r, const struct cell *c)
{
	const char *kernels = c->kernel;

	for (const struct cell *b = c + 1; b < r->cells + r->n; b++)
		if (alike(b, c))
			kernels = text("%s,%s", kernels, b->kernel);
	return kernels == c->kernel ? c->path : text("{%s}/%s/%s", kernels, c->fs, c->scenario);
}

static void print_detail(const struct run *r, const struct cell *c)
{
	printf("%s %s: %s\n", verdicts[c->verdict].word, paths(r, c), c->reason);
	for (size_t i = 0; i < c->failed.n && i < SHOWN_ROWS; i++)
		printf("  %s\n", c->failed.v[i]);
	if (c->failed.n > SHOWN_ROWS)
		printf("  and %zu more\n", c->failed.n - SHOWN_ROWS);
	printf("  %s/%s\n", r->dir, paths(r, c));
}

static void print_details(const struct run *r)
{
	const char *before = "\n";

	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (c->verdict == PASS || told(r, c))
			continue;
		fputs(before, stdout);
		before = "";
		print_detail(r, c);
	}
}

static void print_tripped(const struct run *r, const char *name, const char *kernel)
{
	printf("%s: %zu of %zu tripped\n", name, count_of(r, kernel, true, PASS),
	       count_of(r, kernel, true, VERDICTS));
}

/* Of several kernels, those whose controls did not all trip are named. */
static void print_controls(const struct run *r)
{
	print_tripped(r, "controls", NULL);
	for (size_t k = 0; k < r->kernels.n && r->kernels.n > 1; k++) {
		const char *kernel = r->kernels.v[k];

		if (count_of(r, kernel, true, PASS) != count_of(r, kernel, true, VERDICTS))
			print_tripped(r, text("  %s", kernel), kernel);
	}
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
	print_controls(r);
	if (r->scenarios.n) {
		putchar('\n');
		if (r->kernels.n == 1)
			print_kernel_table(r, r->kernels.v[0]);
		else
			print_kernels_table(r);
	}
	print_details(r);
	/* Of controls alone, the first line has said all. */
	if (r->scenarios.n || !r->n)
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
	read_names(&run);
	formats[f].print(&run);
	if (fflush(stdout) || ferror(stdout)) {
		perror("report: standard output");
		return 2;
	}
	return exit_status(&run);
}
