// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which seeded bugs were noticed, and by what.
 *
 *	score [-j | -m | -t] RUN-FOLDER	of `run.sh score`
 *	score -p RUN-FOLDER		of `run.sh faults`: which faults apply
 *
 * A fault is detected by a row that fails with it and passes without it, or fails for
 * another reason, by a splat that only its cell has, or by what a cell leaves behind whose
 * rows all pass; in a cell that is lost, or whose fault never fired, nothing is.  -j prints
 * JSON, a fault a line, -m a table in Markdown, and -t TAP.
 *
 * Exit status: 0 all that apply are detected, 1 one is not, 2 bad input, 3 one is not
 * and its evidence is lost.
 */
#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "record.h"

#define SHOWN	2	/* of those that notice a bug; JSON has them all */

/* What gave a bug away, by what the row says of it: the first that fits. */
static const struct {
	const char *how, *re;
} hows[] = {
	{ "hang",    "does not (return|end)|lost wake-up|neither ended nor|terminated by timeout" },
	{ "wait",    "did not wait|(un)?interruptible|could be pinned|can be killed" },
	{ "data",    "data|another block|another file|flush|bytes|content|cut off" },
	{ "counter", "left pins|references|refs|pins are|pins .* are left" },
	{ "signal",  "SIG[A-Z]+|signal" },
	{ "errno",   "^Expected .* == .*(err|errno|result|pin)" },
};

enum state { DETECTED, MISSED, GONE, INAPPLICABLE, STATES };

static const char *const state_words[] = {
	[DETECTED] = "detected", [MISSED] = "missed", [GONE] = "lost",
	[INAPPLICABLE] = "inapplicable",
};

/* A row, or a splat of its cell, that tells. */
struct witness {
	const struct cell *cell;
	const char	*row;		/* NULL: the splat */
	const char	*how, *why;
};

struct bug {
	const char	*kernel, *fault, *promise;
	struct witness	*witnesses;
	size_t		 n;
	const char	*reason;	/* why it does not apply, or what was lost */
	long		 ms;
	enum state	 state;
};

static struct bug *bugs;
static size_t nbugs;

static const char *how_of(const char *why)
{
	static regex_t compiled[ARRAY_SIZE(hows)];
	static bool ready;

	for (size_t i = 0; i < ARRAY_SIZE(hows) && !ready; i++)
		if (regcomp(&compiled[i], hows[i].re, REG_EXTENDED | REG_NOSUB))
			need(NULL);
	ready = true;
	for (size_t i = 0; i < ARRAY_SIZE(hows); i++)
		if (!regexec(&compiled[i], why, 0, NULL, 0))
			return hows[i].how;
	return "state";
}

static void witness_add(struct bug *b, const struct cell *c, const char *row, const char *how,
			const char *why)
{
	b->witnesses = need(reallocarray(b->witnesses, b->n + 1, sizeof(*b->witnesses)));
	b->witnesses[b->n++] = (struct witness){ c, row, how, why };
}

/* The promise that a run's copy of a fault's file begins with. */
static const char *promise_of(const struct run *r, const char *fault)
{
	struct conf *c = conf_read(text("%s/faults/%s", r->dir, fault), CONF_FAULT);

	if (!c)
		exit(2);
	return c->comment;
}

static struct bug *bug_find(const char *kernel, const char *fault)
{
	for (struct bug *b = bugs; b < bugs + nbugs; b++)
		if (!strcmp(b->kernel, kernel) && !strcmp(b->fault, fault))
			return b;
	return NULL;
}

static struct bug *bug_of(const struct run *r, const char *kernel, const char *fault)
{
	struct bug *b = bug_find(kernel, fault);

	if (b)
		return b;
	bugs = need(reallocarray(bugs, nbugs + 1, sizeof(*bugs)));
	bugs[nbugs] = (struct bug){ .kernel = kernel, .fault = fault, .state = INAPPLICABLE,
				    .promise = promise_of(r, fault) };
	return &bugs[nbugs++];
}

static const struct row *row_of(const struct cell *c, const char *name)
{
	for (const struct row *r = c->rows; r < c->rows + c->nrows; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

static bool has_splat(const struct cell *c, const char *title)
{
	for (size_t i = 0; i < c->nsplats; i++)
		if (!strcmp(c->splats[i].title, title))
			return true;
	return false;
}

/* It passes without the fault, or fails for another reason. */
static bool tells(const struct row *r, const struct row *well)
{
	return well->state == ROW_OK ||
	       (well->state == ROW_FAILED && strcmp(how_of(r->text), how_of(well->text)));
}

/* Then its verdict is of what is left: pins, an unclean file system. */
static bool all_pass(const struct cell *c)
{
	for (const struct row *r = c->rows; r < c->rows + c->nrows; r++)
		if (r->state != ROW_OK)
			return false;
	return !c->nsplats;
}

/* What the cell has that the one without the fault has not; lost when that has lost rows. */
static enum state compare(struct bug *b, const struct cell *c, const struct cell *well)
{
	enum state none = MISSED;

	for (const struct row *r = well->rows; r < well->rows + well->nrows; r++)
		if (r->state == ROW_LOST)
			none = GONE;
	for (const struct row *r = c->rows; r < c->rows + c->nrows; r++) {
		const struct row *same = row_of(well, r->name);

		if (r->state == ROW_FAILED && same && tells(r, same))
			witness_add(b, c, r->name, how_of(r->text), r->text);
	}
	for (const struct splat *s = c->splats; s < c->splats + c->nsplats; s++)
		if (s->state == SPLAT_BAD && !s->follow && !has_splat(well, s->title))
			witness_add(b, c, NULL, "log", s->title);
	if (none == MISSED && (well->verdict == PASS || well->verdict == KNOWN) &&
	    c->verdict == FAIL && all_pass(c))
		witness_add(b, c, NULL, how_of(c->reason), c->reason);
	return none;
}

/* The worst that there is to say of all its cells is what counts, unless it is detected. */
static void cell_read(const struct run *r, const struct cell *c)
{
	const char *plus = strchr(c->scenario, '+');
	const struct cell *well;
	enum state state = MISSED;
	struct bug *b;

	if (!plus)
		return;
	well = find_cell(r, c->kernel, c->fs, strndup(c->scenario, plus - c->scenario));
	b = bug_of(r, c->kernel, plus + 1);
	b->ms += c->ms;
	if (c->verdict == SKIP)
		state = INAPPLICABLE;
	else if (c->verdict == LOST || !c->hits || !well || well->verdict == LOST)
		state = GONE;
	else
		state = compare(b, c, well);
	if (b->n)
		b->state = DETECTED;
	else if (b->state == INAPPLICABLE || state == GONE)
		b->state = state;
	if (state == INAPPLICABLE ? !b->reason : state == GONE)
		b->reason = c->verdict == SKIP || c->verdict == LOST || !well ? c->reason :
			    c->hits ? "rows without the fault are lost" : "the fault never fired";
}

/* Reports */

static void print_counts(void)
{
	size_t count[STATES] = { 0 };

	for (size_t i = 0; i < nbugs; i++)
		count[bugs[i].state]++;
	printf("\n%zu of %zu seeded bugs detected, %zu missed, %zu lost; %zu do not apply\n",
	       count[DETECTED], nbugs - count[INAPPLICABLE], count[MISSED], count[GONE],
	       count[INAPPLICABLE]);
}

static const char *witness_name(const struct witness *w)
{
	return w->row ?: w->cell->scenario;
}

static void print_text(void)
{
	const char *kernel = "";

	for (const struct bug *b = bugs; b < bugs + nbugs; b++) {
		if (strcmp(kernel, b->kernel))
			printf("%s\n", b->kernel);
		kernel = b->kernel;
		printf("  %-12s %s: %s\n", state_words[b->state], b->fault, b->promise);
		if (b->state != DETECTED && b->state != MISSED)
			printf("               %s\n", b->reason);
		for (size_t i = 0; i < b->n && i < SHOWN; i++)
			printf("               %s: %s/%s: %.120s\n", b->witnesses[i].how,
			       b->witnesses[i].cell->fs, witness_name(&b->witnesses[i]),
			       b->witnesses[i].why);
		if (b->n > SHOWN)
			printf("               and %zu more\n", b->n - SHOWN);
	}
	print_counts();
}

/* The row, or the splat's cell, that notices on the first kernel where one does. */
static const char *noticed_by(const struct list *kernels, const char *fault)
{
	for (size_t i = 0; i < kernels->n; i++) {
		const struct bug *b = bug_find(kernels->v[i], fault);

		if (b && b->n)
			return witness_name(b->witnesses);
	}
	return "";
}

/* A line for each bug, a column for each kernel. */
static void print_markdown(void)
{
	struct list kernels = {}, faults = {};

	for (const struct bug *b = bugs; b < bugs + nbugs; b++) {
		add_once(&kernels, b->kernel);
		add_once(&faults, b->fault);
	}
	printf("| seeded bug | promise that it breaks | noticed by |");
	for (size_t k = 0; k < kernels.n; k++)
		printf(" %s |", kernels.v[k]);
	printf("\n|---|---|---|");
	for (size_t k = 0; k < kernels.n; k++)
		printf("---|");
	for (size_t i = 0; i < faults.n; i++) {
		printf("\n| `%s` | %s | `%s` |", faults.v[i],
		       bug_find(kernels.v[0], faults.v[i])->promise,
		       noticed_by(&kernels, faults.v[i]));
		for (size_t k = 0; k < kernels.n; k++) {
			const struct bug *b = bug_find(kernels.v[k], faults.v[i]);

			if (b && b->n)
				printf(" %s, %.1f s |", b->witnesses->how, b->ms / 1000.0);
			else
				printf(" %s |", b ? state_words[b->state] : "");
		}
	}
	putchar('\n');
}

static json_t *witness_json(const struct witness *w)
{
	return need(json_pack("{s:s, s:s, s:s?, s:s, s:s}", "fs", w->cell->fs, "scenario",
			      w->cell->scenario, "row", w->row, "how", w->how, "why", w->why));
}

static void print_json(void)
{
	for (const struct bug *b = bugs; b < bugs + nbugs; b++) {
		json_t *by = need(json_array()), *o;

		for (size_t i = 0; i < b->n; i++)
			json_array_append_new(by, witness_json(&b->witnesses[i]));
		o = need(json_pack("{s:s, s:s, s:s, s:s, s:s?, s:f, s:o}", "kernel", b->kernel,
				   "fault", b->fault, "promise", b->promise, "state",
				   state_words[b->state], "reason",
				   b->state == DETECTED ? NULL : b->reason, "seconds",
				   b->ms / 1000.0, "by", by));
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	}
}

static void print_tap(void)
{
	puts("TAP version 13");
	for (const struct bug *b = bugs; b < bugs + nbugs; b++) {
		const char *skip = b->state == INAPPLICABLE ? " # SKIP " : "";

		printf("%sok %zu - %s %s%s%s\n",
		       b->state == MISSED || b->state == GONE ? "not " : "", b - bugs + 1,
		       b->kernel, b->fault, skip, *skip ? b->reason : "");
	}
	printf("1..%zu\n", nbugs);
}

/* Each cell is skipped, with a reason that begins with "applies: " or says why not. */
static void print_applies(void)
{
	for (const struct bug *b = bugs; b < bugs + nbugs; b++)
		printf("%-10s %-24s %s\n", b->kernel, b->fault, b->reason);
}

static int status(void)
{
	bool missed = false, gone = false;

	for (size_t i = 0; i < nbugs; i++) {
		missed |= bugs[i].state == MISSED;
		gone |= bugs[i].state == GONE;
	}
	return missed ? 1 : gone ? 3 : 0;
}

int main(int argc, char **argv)
{
	void (*print)(void) = print_text;
	struct run run = {};
	int opt;

	while ((opt = getopt(argc, argv, "jmtp")) != -1)
		print = opt == 'j' ? print_json : opt == 'm' ? print_markdown :
			opt == 't' ? print_tap : opt == 'p' ? print_applies : NULL;
	if (!print || optind != argc - 1) {
		fputs("usage: score [-j | -m | -t | -p] RUN-FOLDER\n", stderr);
		return 2;
	}
	read_run(&run, argv + optind, 1);
	for (size_t i = 0; i < run.n; i++)
		cell_read(&run, &run.cells[i]);
	if (!nbugs) {
		fprintf(stderr, "score: %s: no cell with a fault, expected a run of run.sh score\n",
			argv[optind]);
		return 2;
	}
	print();
	return print == print_applies ? 0 : status();
}
