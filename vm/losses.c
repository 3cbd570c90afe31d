// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of data that a device wrote late to a page-cache file.
 *
 *	losses RUN-FOLDER
 *
 * Prints a table in Markdown of what the rows of tests/writeback.c saw: for each kernel,
 * file system and sort of holder the worst that happened in any row, and the command that
 * repeats one of those rows.  Rows that were skipped, cells that are lost and controls do
 * not count.  Exit status 2 when the run cannot be read or no row of it tells.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

enum outcome { SAFE, WARNS, LOSES };

static const char *const outcome_words[] = {
	[SAFE] = "safe", [WARNS] = "warns", [LOSES] = "loses data",
};

/* What a row says of its holder, in the table's words. */
static const struct {
	const char *said, *name;
} sorts[] = {
	{ "held=get", "FOLL_GET" },
	{ "held=pin", "FOLL_PIN" },
	{ "held=no",  "over at once" },
};

/* A line of the table. */
struct group {
	const struct cell *cell;	/* the first with that outcome */
	const char	*row;		/* of it */
	size_t		 sort;
	enum outcome	 worst;
	size_t		 rows, bad;	/* all, and with that outcome */
};

static struct group *groups;
static size_t ngroups;

static struct group *group_of(const struct cell *c, size_t sort)
{
	for (struct group *g = groups; g < groups + ngroups; g++)
		if (!strcmp(g->cell->kernel, c->kernel) && !strcmp(g->cell->fs, c->fs) &&
		    g->sort == sort)
			return g;
	groups = need(reallocarray(groups, ngroups + 1, sizeof(*groups)));
	groups[ngroups] = (struct group){ .cell = c, .sort = sort };
	return &groups[ngroups++];
}

static void row_add(const struct cell *c, size_t sort, enum outcome o, const char *row)
{
	struct group *g = group_of(c, sort);

	g->rows++;
	if (!g->row || o > g->worst) {
		g->worst = o;
		g->bad = 0;
		g->cell = c;
		g->row = row;
	}
	g->bad += o == g->worst;
}

/* Does the witness line @said have @pair, "key=value", as one of its words? */
static bool has(const char *said, const char *pair)
{
	const char *at = strstr(said, pair);

	return at && at[-1] == ' ' && strchr(" ", at[strlen(pair)]);
}

static enum outcome outcome_of(const char *said)
{
	return has(said, "data=lost") ? LOSES : has(said, "warned=1") ? WARNS : SAFE;
}

static void witness_read(const struct cell *c, const char *row, const char *said)
{
	if (strncmp(said, "witness: ", strlen("witness: ")))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (has(said, sorts[i].said))
			row_add(c, i, outcome_of(said), row);
}

static void cell_read(const struct cell *c)
{
	/* A kernel that was broken on purpose is none of them, and a lost cell no evidence. */
	if (c->control || c->verdict == LOST)
		return;
	for (const struct row *r = c->rows; r < c->rows + c->nrows; r++)
		for (size_t i = 0; i < r->said.n; i++)
			witness_read(c, r->name, r->said.v[i]);
}

/* What run.sh calls it: src:6.12 is the folder src-6.12. */
static void print_kernel(const char *name)
{
	if (!strncmp(name, "src-", 4))
		printf("src:%s", name + 4);
	else
		printf("%s", name);
}

static void group_print(const struct group *g)
{
	printf("| ");
	print_kernel(g->cell->kernel);
	printf(" | %s | %s | %s | %zu of %zu | `./run.sh -k ", g->cell->fs, sorts[g->sort].name,
	       outcome_words[g->worst], g->bad, g->rows);
	print_kernel(g->cell->kernel);
	printf(" -t %s -f %s -r '%s'` |\n", g->cell->scenario, g->cell->fs, g->row);
}

int main(int argc, char **argv)
{
	struct run run = {};

	if (argc != 2) {
		fputs("usage: losses RUN-FOLDER\n", stderr);
		return 2;
	}
	read_run(&run, argv + 1, 1);
	read_evidence(&run);
	for (size_t i = 0; i < run.n; i++)
		cell_read(&run.cells[i]);
	if (!ngroups) {
		fprintf(stderr, "losses: %s: no row tells, expected cells of writeback\n", argv[1]);
		return 2;
	}
	puts("| kernel | file system | holder | outcome | rows | repeat one |");
	puts("|---|---|---|---|---|---|");
	for (size_t i = 0; i < ngroups; i++)
		group_print(&groups[i]);
	return 0;
}
