/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of runs: what all reports are made from.
 *
 * A run is a folder of results/, or a file that `report -f jsonl` wrote.  What is read
 * is text of one line without control characters: a byte that is neither printable nor
 * UTF-8 is shown as \xNN, so nothing is lost and a report only has to escape what its
 * format asks for.
 */
#ifndef DAXPIN_RECORD_H
#define DAXPIN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "list.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* In the order of the summary line. */
enum verdict { PASS, FAIL, SKIP, KNOWN, FIXED, LOST, VERDICTS };
extern const char *const verdict_words[VERDICTS];

enum row_state { ROW_OK, ROW_FAILED, ROW_SKIP, ROW_KNOWN, ROW_LOST, ROW_STATES };
extern const char *const row_words[ROW_STATES];

/* When something happened in a row, on the guest's monotonic clock. */
struct event {
	const char	*name;
	long long	 ns;
};

struct row {
	const char	*name;
	const char	*text;		/* why, the known issue's name, or "" */
	enum row_state	 state;
	struct list	 said;		/* witnesses and messages; read_evidence() */
	struct event	*events;	/* the same */
	size_t		 nevents;
};

enum splat_state { SPLAT_BAD, SPLAT_ALLOWED, SPLAT_KNOWN, SPLAT_STATES };
extern const char *const splat_words[SPLAT_STATES];

struct splat {
	const char	*signature;
	const char	*title;		/* as kernel people call it: "WARNING in FUNCTION" */
	enum splat_state state;
	bool		 follow;	/* a bad or known one came before it */
};

struct cell {
	const char	*dir;		/* its run's folder; NULL: from a file */
	const char	*path;		/* KERNEL/FS/SCENARIO */
	const char	*kernel, *fs, *scenario;
	const char	*machine;	/* these three: read_plans(), or NULL */
	const char	*promise;
	const char	*release, *version;
	const char	*reason;
	struct row	*rows;
	size_t		 nrows;
	struct splat	*splats;
	size_t		 nsplats;
	long		 ms;		/* in guests, 0: not known */
	size_t		 runs, bad;	/* tries that count, and how many of them failed */
	size_t		 hits;		/* calls that its fault broke */
	enum verdict	 verdict;
	bool		 control;
};

struct diff;

/* Splats of one title that are held against cells. */
struct crash {
	const char	*title;
	const struct cell *first;
	size_t		 cells;
	bool		 follow;	/* wherever it was seen another one came before it */
};

struct run {
	const struct diff *diff;	/* against a baseline, or NULL */
	const char	*dir;		/* of the first folder, or the file */
	struct cell	*cells;
	size_t		 n;
	struct list	 kernels;	/* in the order of the cells */
	struct list	 scenarios, fs;	/* the same, without those of controls */
	struct cell	**by_path;	/* sorted, for find_cell() */
};

/*
 * Read a run from @n folders or files; several are shards of one, and a cell that more
 * than one has counts with its worst verdict.  Bad input ends the process with status 2
 * and "file:line: what, expected what".
 */
void read_run(struct run *r, char *const *paths, size_t n);

/* The lines of a file as they are read here; nothing when there is none. */
void read_text(const char *path, struct list *l);

/* What cells were told (machine, promise, version), and what their rows have said. */
void read_plans(struct run *r);
void read_evidence(struct run *r);

/* The cell, or NULL. */
const struct cell *find_cell(const struct run *r, const char *kernel, const char *fs,
			     const char *scenario);

/* How many cells of @kernel; NULL stands for all of them, and so does VERDICTS. */
size_t count_of(const struct run *r, const char *kernel, bool control, enum verdict v);

/* The worth of a verdict when several are there: the higher is the worse. */
int verdict_rank(enum verdict v);

/* "fails sometimes (1 of 2)", "fails always (2 of 2)", or "" when it ran once or is well. */
const char *stability(const struct cell *c);

/* The bad splats of all cells but controls, by title, in the order they were seen. */
size_t group_crashes(const struct run *r, struct crash **crashes);

/* 0, 1 or 3, see docs/daxpin.1. */
int exit_status(const struct run *r);

/* "results/x/latest" is read as its target's name: how a run is called. */
const char *run_name(const struct run *r);

#endif
