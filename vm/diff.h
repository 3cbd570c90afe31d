/* SPDX-License-Identifier: GPL-2.0-only */
/* What is different between two runs, or between two kernels of one. */
#ifndef DAXPIN_DIFF_H
#define DAXPIN_DIFF_H

#include "record.h"

enum change {
	BROKEN,		/* it was well, and is not */
	REPAIRED,	/* it was not, and is */
	APPEARED,	/* a splat, or a cell or row that only B has and that is not well */
	DISAPPEARED,	/* the same the other way round */
	SLOWER,
	CHANGED,	/* anything else: other verdict, neither better nor worse */
	CHANGES,
};

extern const char *const change_words[CHANGES];

struct difference {
	enum change	 change;
	const char	*cell;		/* of B, or of A when B has none */
	const char	*what;		/* a row or a splat's title; NULL: the cell */
	const char	*before, *after;	/* "-": not there */
	bool		 worse;		/* the reason for status 1 */
	bool		 lost;		/* the reason for status 3 */
};

struct diff {
	const char		*from, *to;	/* what A and B are called */
	struct difference	*v;
	size_t			 n;
	size_t			 compared;	/* pairs of cells */
	bool			 uncontrolled;	/* a control of B did not trip */
};

/* Cells by path; when both runs have one kernel, whatever it is called. */
void diff_runs(struct diff *d, const struct run *a, const struct run *b);

/* Every other kernel against @base, which is the first one when NULL. */
void diff_kernels(struct diff *d, const struct run *r, const char *base);

/* 0: nothing is worse; 1: something is; 3: evidence is missing that was there. */
int diff_status(const struct diff *d);

void diff_text(const struct diff *d);
void diff_jsonl(const struct diff *d);
void diff_markdown(const struct diff *d);

#endif
