// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of data that a device wrote late to a page-cache file.
 *
 *	losses RUN-FOLDER
 *
 * Reads what the rows of tests/writeback.c saw, in ktap.log of each cell of the run,
 * and prints a table in Markdown: for each kernel, file system and sort of holder the worst
 * that happened in any row, and the command that repeats one of those rows.  Rows that
 * were skipped, cells that are not whole and controls do not count.  Exit status 2 when the run
 * cannot be read or no row of it tells.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_GROUPS	1024
#define NAME		64

enum outcome { SAFE, WARNS, LOSES };

static const char *const outcome_words[] = {
	[SAFE] = "safe", [WARNS] = "warns", [LOSES] = "loses data",
};

/* What a row says of its holder, in the table's words. */
static const struct {
	const char *said, *name;
} sorts[] = {
	{ "get", "FOLL_GET" },
	{ "pin", "FOLL_PIN" },
	{ "no",	 "over at once" },
};

/* A line of the table. */
struct group {
	char		kernel[NAME], fs[NAME], scenario[NAME];
	size_t		sort;
	enum outcome	worst;
	size_t		rows, bad;	/* all, and with that outcome */
	char		row[128];	/* the first of those */
};

static struct group groups[MAX_GROUPS];
static size_t ngroups;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "losses: %s: %s\n", what, why);
	exit(2);
}

static struct group *group_of(const struct group *g)
{
	for (size_t i = 0; i < ngroups; i++)
		if (!strcmp(groups[i].kernel, g->kernel) && !strcmp(groups[i].fs, g->fs) &&
		    groups[i].sort == g->sort)
			return &groups[i];
	if (ngroups == MAX_GROUPS)
		die("too many", "expected at most 1024 kernels, file systems and holders");
	groups[ngroups] = *g;
	return &groups[ngroups++];
}

static void row_add(const struct group *cell, size_t sort, enum outcome o, const char *row)
{
	struct group key = *cell, *g;

	key.sort = sort;
	g = group_of(&key);
	g->rows++;
	if (!g->row[0] || o > g->worst) {
		g->worst = o;
		g->bad = 0;
		snprintf(g->row, sizeof(g->row), "%s", row);
		snprintf(g->scenario, sizeof(g->scenario), "%s", cell->scenario);
	}
	g->bad += o == g->worst;
}

/* "key=value" of a witness line, to the next blank; false when it has none. */
static bool value_of(const char *line, const char *key, char *value, size_t size)
{
	const char *at = strstr(line, key);
	size_t n;

	if (!at)
		return false;
	at += strlen(key);
	n = strcspn(at, "\n ");
	if (!n || n >= size)
		return false;
	memcpy(value, at, n);
	value[n] = '\0';
	return true;
}

static void witness_read(const struct group *cell, const char *line, const char *row)
{
	char held[NAME], data[NAME], warned[NAME];

	if (!value_of(line, " held=", held, NAME) || !value_of(line, " data=", data, NAME) ||
	    !value_of(line, " warned=", warned, NAME))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (!strcmp(sorts[i].said, held))
			row_add(cell, i, !strcmp(data, "lost") ? LOSES :
					 !strcmp(warned, "1") ? WARNS : SAFE, row);
}

static FILE *cell_open(const char *run, const struct group *cell, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s/%s/%s/%s", run, cell->kernel, cell->fs,
		 cell->scenario, name);
	return fopen(path, "r");
}

/* A kernel that was broken on purpose is none of them, and what is not whole no evidence. */
static bool is_evidence(const char *run, const struct group *cell)
{
	FILE *f = cell_open(run, cell, "verdict");
	bool evidence = f;
	char line[4096];

	while (f && fgets(line, sizeof(line), f))
		evidence &= strcmp(line, "control yes\n") && strcmp(line, "verdict lost\n");
	if (f)
		fclose(f);
	return evidence;
}

static void cell_read(const char *run, const struct group *cell)
{
	FILE *f = cell_open(run, cell, "ktap.log");
	char line[4096], row[128] = "";

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "#  RUN %127s", row) == 1)
			continue;
		if (row[0] && strstr(line, ":witness:"))
			witness_read(cell, line, row);
	}
	if (f)
		fclose(f);
}

/* "KERNEL/FS/SCENARIO" */
static bool cell_parse(struct group *cell, const char *path)
{
	return sscanf(path, "%63[^/]/%63[^/]/%63s", cell->kernel, cell->fs, cell->scenario) == 3;
}

static void run_read(const char *run)
{
	struct group cell = { 0 };
	char path[4096], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cells", run);
	f = fopen(path, "r");
	if (!f)
		die(path, strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (cell_parse(&cell, line) && is_evidence(run, &cell))
			cell_read(run, &cell);
	fclose(f);
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
	print_kernel(g->kernel);
	printf(" | %s | %s | %s | %zu of %zu | `./run.sh -k ", g->fs, sorts[g->sort].name,
	       outcome_words[g->worst], g->bad, g->rows);
	print_kernel(g->kernel);
	printf(" -t %s -f %s -r '%s'` |\n", g->scenario, g->fs, g->row);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage", "losses RUN-FOLDER");
	run_read(argv[1]);
	if (!ngroups)
		die(argv[1], "no row tells what became of data, expected cells of writeback");
	puts("| kernel | file system | holder | outcome | rows | repeat one |");
	puts("|---|---|---|---|---|---|");
	for (size_t i = 0; i < ngroups; i++)
		group_print(&groups[i]);
	return 0;
}
