// SPDX-License-Identifier: GPL-2.0-only
/*
 * progress [-x] [-j JOBS] RUN: how far a run is.
 * progress -o RUN: its cells, in the order in which they should begin.
 *
 * Reads what vm/cells.mk says, "start PATH" and "VERDICT PATH".  On a terminal one line is
 * kept up to date, with the time that is left by what the cells took in earlier runs beside
 * RUN; elsewhere each verdict is a line.  With -x the first verdict that is not as
 * expected ends it, with status 1.
 *
 * What took longest before begins first: a long cell that begins last is waited for alone.
 * Nobody knows of a new one, so it comes before all.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PATH_SIZE	1024
#define EARLIER_RUNS	10	/* the newest of them are looked at */

struct cell {
	char	*path;
	long	 ms;		/* what it took before, 0: not known */
	bool	 done;
	size_t	 turn;
};

static struct {
	const char	*run;
	struct cell	*cells;
	size_t		 n, done, running, bad;
	long		 jobs;
	bool		 terminal, stop, order;
} g = { .jobs = 1 };

/* What the guest of a folder took, 0 when nobody knows. */
static long guest_ms(const char *dir, const char *guest)
{
	char *file = text("%s/%s/guest", dir, guest), line[128];
	FILE *f = fopen(file, "re");
	long ms = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "total_ms %ld", &ms);
	if (f)
		fclose(f);
	free(file);
	return ms;
}

/* What a cell of an earlier run took, with the other guests that it was run in. */
static long cell_ms(const char *run, const char *path)
{
	static const char * const guests[] = { ".", "warm", "first", "cold" };
	char *dir = text("%s/../%s/%s", g.run, run, path);
	long ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		ms += guest_ms(dir, guests[i]);
	free(dir);
	return ms;
}

static int is_run(const struct dirent *d)
{
	return d->d_name[0] >= '0' && d->d_name[0] <= '9';
}

/* From the newest earlier run that has it; names of runs are times. */
static void look_back(void)
{
	char *parent = text("%s/..", g.run);
	struct dirent **runs;
	int n = scandir(parent, &runs, is_run, alphasort), least;

	least = n > EARLIER_RUNS ? n - EARLIER_RUNS : 0;
	for (size_t i = 0; i < g.n; i++)
		for (int k = n - 1; k >= least && !g.cells[i].ms; k--)
			g.cells[i].ms = cell_ms(runs[k]->d_name, g.cells[i].path);
	free(parent);
}

static void read_cells(void)
{
	char *file = text("%s/cells", g.run), line[PATH_SIZE];
	FILE *f = fopen(file, "re");

	if (!f) {
		perror(file);
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		g.cells = need(reallocarray(g.cells, g.n + 1, sizeof(*g.cells)));
		g.cells[g.n] = (struct cell){ .path = need(strdup(line)), .turn = g.n };
		file = text("%s/%s/verdict", g.run, line);
		g.cells[g.n].done = !access(file, F_OK);
		g.done += g.cells[g.n++].done;
	}
	fclose(f);
}

/* Seconds, or -1 when no cell that is left is known. */
static long time_left(void)
{
	size_t left = 0, known = 0;
	long ms = 0;

	for (size_t i = 0; i < g.n; i++) {
		left += !g.cells[i].done;
		known += !g.cells[i].done && g.cells[i].ms;
		ms += g.cells[i].done ? 0 : g.cells[i].ms;
	}
	/* Those that are not known are as long as the others. */
	return known ? ms / 1000 * (long)left / (long)known / g.jobs : -1;
}

static void show(void)
{
	long left = time_left();

	if (!g.terminal)
		return;
	printf("\r\33[K%zu of %zu done, %zu running, %zu not as expected", g.done, g.n, g.running,
	       g.bad);
	if (left >= 0)
		printf(", %ld:%02ld left", left / 60, left % 60);
	fflush(stdout);
}

static bool is_bad(const char *word)
{
	return !strcmp(word, "fail") || !strcmp(word, "fixed") || !strcmp(word, "lost");
}

static void cell_done(const char *word, const char *path)
{
	for (size_t i = 0; i < g.n; i++) {
		if (strcmp(g.cells[i].path, path) || g.cells[i].done)
			continue;
		g.cells[i].done = true;
		g.done++;
	}
	g.running -= g.running > 0;
	g.bad += is_bad(word);
	if (!g.terminal || is_bad(word))
		printf("%s%-6s %s\n", g.terminal ? "\r\33[K" : "", word, path);
	fflush(stdout);
}

static int by_ms(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	if (x->ms == y->ms)
		return x->turn < y->turn ? -1 : 1;
	if (!x->ms || !y->ms)
		return x->ms ? 1 : -1;
	return x->ms > y->ms ? -1 : 1;
}

static void print_order(void)
{
	look_back();
	qsort(g.cells, g.n, sizeof(*g.cells), by_ms);
	for (size_t i = 0; i < g.n; i++)
		puts(g.cells[i].path);
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "oxj:")) != -1) {
		if (opt == 'o')
			g.order = true;
		else if (opt == 'x')
			g.stop = true;
		else if (opt == 'j' && atol(optarg) > 0)
			g.jobs = atol(optarg);
		else
			optind = argc + 1;
	}
	if (optind != argc - 1) {
		fputs("usage: progress [-o] [-x] [-j JOBS] RUN\n", stderr);
		exit(2);
	}
	g.run = argv[optind];
}

int main(int argc, char **argv)
{
	char line[PATH_SIZE + 16], word[16], path[PATH_SIZE];

	options(argc, argv);
	g.terminal = isatty(STDOUT_FILENO);
	read_cells();
	if (g.order) {
		print_order();
		return 0;
	}
	if (g.terminal)
		look_back();
	while (!(g.stop && g.bad) && fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %1023s", word, path) != 2) {
			fputs(line, stdout);
			fflush(stdout);
			continue;
		}
		if (!strcmp(word, "start"))
			g.running++;
		else
			cell_done(word, path);
		show();
	}
	if (g.terminal)
		fputs("\r\33[K", stdout);
	return g.stop && g.bad;
}
