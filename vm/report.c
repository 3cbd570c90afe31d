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

static const char * const words[] = {
	[PASS] = "pass", [FAIL] = "fail", [SKIP] = "skip", [KNOWN] = "known", [FIXED] = "fixed",
	[LOST] = "lost",
};

struct cell {
	char		*path;			/* KERNEL/FS/SCENARIO */
	char		*kernel, *fs, *scenario;
	char		*reason;
	char		*failed[SHOWN_ROWS];
	size_t		 nfailed;
	long		 rows, row_lines, total_ms;
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

static char *path_in(const struct run *r, const struct cell *c, const char *file)
{
	char *path;

	if (asprintf(&path, "%s/%s%s%s", r->dir, c ? c->path : "", c ? "/" : "", file) < 0)
		exit(2);
	return path;
}

/* What follows @key and a blank in @line, or NULL. */
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

/*
 * Call @take with each line of a file.  False when there is none, or when it
 * does not end in a whole line.
 */
static bool each_line(const char *path, void (*take)(void *arg, char *line), void *arg)
{
	FILE *f = fopen(path, "re");
	bool whole = false;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!f)
		return false;
	while ((len = getline(&line, &size, f)) > 0) {
		whole = line[len - 1] == '\n' && strlen(line) == (size_t)len;
		if (!whole)
			break;
		line[len - 1] = '\0';
		take(arg, line);
	}
	free(line);
	fclose(f);
	return whole;
}

static void take_verdict_word(struct cell *c, const char *word)
{
	for (int v = 0; v < VERDICTS; v++)
		if (!strcmp(words[v], word))
			c->verdict = v;
}

static void take_row(struct cell *c, const char *row)
{
	const char *failed = value_of(row, "failed");

	c->row_lines++;
	if (failed && c->nfailed++ < SHOWN_ROWS)
		c->failed[c->nfailed - 1] = need(strdup(failed));
}

static void take_verdict(void *arg, char *line)
{
	struct cell *c = arg;

	if (value_of(line, "verdict"))
		take_verdict_word(c, value_of(line, "verdict"));
	else if (value_of(line, "reason") && !c->reason)
		c->reason = need(strdup(value_of(line, "reason")));
	else if (value_of(line, "rows"))
		c->rows = atol(value_of(line, "rows"));
	else if (value_of(line, "row"))
		take_row(c, value_of(line, "row"));
	else if (!strcmp(line, "control yes"))
		c->control = true;
}

static void take_guest(void *arg, char *line)
{
	struct cell *c = arg;

	if (value_of(line, "total_ms"))
		c->total_ms = atol(value_of(line, "total_ms"));
}

static void lose(struct cell *c, const char *why)
{
	c->verdict = LOST;
	free(c->reason);
	c->reason = need(strdup(why));
}

/* A control that was never judged is still a control. */
static void look_for_control(const struct run *r, struct cell *c)
{
	char *path = path_in(r, c, "cell");
	struct conf *cell = access(path, R_OK) ? NULL : conf_read(path, CONF_CELL);

	c->control |= cell && conf_get(cell, "verdict");
	conf_free(cell);
	free(path);
}

/* A verdict that was cut off lacks its reason, or some of its rows. */
static void read_cell(const struct run *r, struct cell *c)
{
	char *path = path_in(r, c, "verdict"), *guest = path_in(r, c, "guest");
	bool there = !access(path, F_OK), whole;

	c->verdict = VERDICTS;
	c->rows = -1;
	whole = each_line(path, take_verdict, c);
	if (!there)
		lose(c, "no verdict");
	else if (!whole || c->verdict == VERDICTS || !c->reason || c->rows != c->row_lines)
		lose(c, "verdict is not whole");
	if (c->verdict == LOST)
		look_for_control(r, c);
	each_line(guest, take_guest, c);
	free(guest);
	free(path);
}

/* Cut "KERNEL/FS/SCENARIO" into its three names. */
static bool split_path(struct cell *c, const char *path)
{
	char *fs, *scenario;

	c->path = need(strdup(path));
	c->kernel = need(strdup(path));
	fs = strchr(c->kernel, '/');
	scenario = fs ? strchr(fs + 1, '/') : NULL;
	if (!scenario || fs == c->kernel || scenario == fs + 1 || !scenario[1] ||
	    strchr(scenario + 1, '/'))
		return false;
	*fs = '\0';
	*scenario = '\0';
	c->fs = fs + 1;
	c->scenario = scenario + 1;
	return strcmp(c->kernel, "..") && strcmp(c->fs, "..") && strcmp(c->scenario, "..");
}

static void take_cell(void *arg, char *line)
{
	struct run *r = arg;

	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->cells[i].path, line)) {
			fprintf(stderr, "%s/cells:%zu: '%s' again, expected it once\n", r->dir,
				r->n + 1, line);
			exit(2);
		}
	r->cells = need(reallocarray(r->cells, r->n + 1, sizeof(*r->cells)));
	r->cells[r->n] = (struct cell){};
	if (split_path(&r->cells[r->n++], line))
		return;
	fprintf(stderr, "%s/cells:%zu: bad cell '%s', expected KERNEL/FS/SCENARIO\n", r->dir, r->n,
		line);
	exit(2);
}

static void read_run(struct run *r)
{
	char *path = path_in(r, NULL, "cells");
	bool whole = each_line(path, take_cell, r);

	if (access(path, R_OK)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	free(path);
	/* An empty list is a run of nothing; half a line is a list cut off. */
	if (r->n && !whole) {
		fprintf(stderr, "%s/cells:%zu: line without an end, expected a whole file\n",
			r->dir, r->n + 1);
		exit(2);
	}
	for (size_t i = 0; i < r->n; i++)
		read_cell(r, &r->cells[i]);
}

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
	size_t judged = count(r, false, PASS) + count(r, false, KNOWN);
	size_t unexpected = count(r, false, FAIL) + count(r, false, FIXED);

	if (count(r, true, PASS) != count(r, true, VERDICTS))
		return 3;
	if (unexpected)
		return 1;
	/* A run of controls alone has shown what it was asked to show. */
	if (!count(r, false, VERDICTS))
		return r->n ? 0 : 3;
	return !judged || count(r, false, LOST) ? 3 : 0;
}

/* Text */

/* The first cell of the table at or after @i that is not @seen before. */
static bool is_first(const struct run *r, size_t i, const char *kernel, size_t field)
{
	const struct cell *c = &r->cells[i];
	const char *name = *(char **)((char *)c + field);

	if (c->control || (kernel && strcmp(c->kernel, kernel)))
		return false;
	for (size_t k = 0; k < i; k++) {
		const struct cell *p = &r->cells[k];

		if (!p->control && (!kernel || !strcmp(p->kernel, kernel)) &&
		    !strcmp(*(char **)((char *)p + field), name))
			return false;
	}
	return true;
}

static const char *word_at(const struct run *r, const char *kernel, const char *fs,
			   const char *scenario)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		if (!strcmp(c->kernel, kernel) && !strcmp(c->fs, fs) &&
		    !strcmp(c->scenario, scenario))
			return words[c->verdict];
	}
	return "-";
}

static int width(const struct run *r, size_t field)
{
	size_t max = strlen("known");

	for (size_t i = 0; i < r->n; i++) {
		size_t len = strlen(*(char **)((char *)&r->cells[i] + field));

		max = len > max ? len : max;
	}
	return max;
}

static void print_table_row(const struct run *r, const char *kernel, const char *scenario)
{
	int fs_width = width(r, offsetof(struct cell, fs));

	printf("  %-*s", width(r, offsetof(struct cell, scenario)), scenario);
	for (size_t i = 0; i < r->n; i++) {
		const char *fs = r->cells[i].fs;

		if (!is_first(r, i, kernel, offsetof(struct cell, fs)))
			continue;
		printf("  %-*s", fs_width, *scenario ? word_at(r, kernel, fs, scenario) : fs);
	}
	putchar('\n');
}

static void print_table(const struct run *r, const char *kernel)
{
	printf("\n%s\n", kernel);
	print_table_row(r, kernel, "");
	for (size_t i = 0; i < r->n; i++)
		if (is_first(r, i, kernel, offsetof(struct cell, scenario)))
			print_table_row(r, kernel, r->cells[i].scenario);
}

static void print_detail(const struct run *r, const struct cell *c)
{
	size_t shown = c->nfailed < SHOWN_ROWS ? c->nfailed : SHOWN_ROWS;

	printf("%s %s: %s\n", words[c->verdict], c->path, c->reason);
	for (size_t i = 0; i < shown; i++)
		printf("  %s\n", c->failed[i]);
	if (c->nfailed > shown)
		printf("  and %zu more\n", c->nfailed - shown);
	printf("  %s/%s\n", r->dir, c->path);
}

static void print_summary(const struct run *r)
{
	long rows = 0, ms = 0;

	for (int v = 0; v < VERDICTS; v++)
		printf("%s%zu %s", v ? ", " : "", count(r, false, v), words[v]);
	for (size_t i = 0; i < r->n; i++) {
		ms += r->cells[i].total_ms;
		if (!r->cells[i].control)
			rows += r->cells[i].row_lines;
	}
	printf(" (%ld rows)", rows);
	if (ms)
		printf(", %ld.%ld s in guests", ms / 1000, ms % 1000 / 100);
	putchar('\n');
}

static void print_text(const struct run *r)
{
	bool details = false;

	printf("controls: %zu of %zu tripped\n", count(r, true, PASS), count(r, true, VERDICTS));
	for (size_t i = 0; i < r->n; i++)
		if (is_first(r, i, NULL, offsetof(struct cell, kernel)))
			print_table(r, r->cells[i].kernel);
	for (size_t i = 0; i < r->n; i++) {
		if (r->cells[i].verdict == PASS)
			continue;
		if (!details)
			putchar('\n');
		details = true;
		print_detail(r, &r->cells[i]);
	}
	putchar('\n');
	print_summary(r);
}

/* KTAP: a known issue is no news, a record that no longer holds is */

static const struct {
	const char	*result;
	const char	*directive;	/* NULL: the reason is a line of its own */
} ktap[] = {
	[PASS]	= { "ok",	NULL },
	[FAIL]	= { "not ok",	NULL },
	[SKIP]	= { "ok",	"SKIP" },
	[KNOWN]	= { "ok",	"known" },
	[FIXED]	= { "not ok",	"fixed" },
	[LOST]	= { "not ok",	"lost" },
};

static void print_ktap(const struct run *r)
{
	printf("KTAP version 1\n1..%zu\n", r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];
		const char *directive = ktap[c->verdict].directive;

		if (!directive)
			printf("# %s: %s\n", c->path, c->reason);
		printf("%s %zu %s%s%s%s%s\n", ktap[c->verdict].result, i + 1, c->path,
		       directive ? " # " : "", directive ?: "", directive ? " " : "",
		       directive ? c->reason : "");
	}
}

static const struct {
	const char	*name;
	void		(*print)(const struct run *r);
} formats[] = {
	{ "text", print_text },
	{ "ktap", print_ktap },
};

static int wrong_usage(void)
{
	fputs("usage: report [-f text|ktap] RUNDIR\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	/* All memory is reached from here, and lives as long as we do. */
	static struct run run;
	const char *format = "text";
	size_t f = 0;
	int opt;

	while ((opt = getopt(argc, argv, "f:")) == 'f')
		format = optarg;
	while (f < ARRAY_SIZE(formats) && strcmp(formats[f].name, format))
		f++;
	if (opt != -1 || optind != argc - 1 || f == ARRAY_SIZE(formats))
		return wrong_usage();
	run.dir = argv[optind];
	read_run(&run);
	formats[f].print(&run);
	if (fflush(stdout) || ferror(stdout)) {
		perror("report: standard output");
		return 2;
	}
	return exit_status(&run);
}
