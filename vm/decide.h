/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a bisection decides: what one revision is after some runs of it, and which
 * one of a list is next.  Nothing here reads or writes anything.
 */
#ifndef DAXPIN_DECIDE_H
#define DAXPIN_DECIDE_H

#include <stdbool.h>
#include <stddef.h>

enum result { UNKNOWN, GOOD, BAD, SKIP };

/* Runs of one revision: with the failure asked for, without any, and no use. */
struct tally {
	unsigned int	failed, passed, other;
};

#define RATE_FAILED	10	/* the bad end runs until it failed so often, */
#define RATE_RUNS	300	/* or that often; */
#define RATE_LEAST	3	/* with fewer failures nothing is known of it */
#define BATCH_RUNS	16	/* at most at a time */
#define OTHER_RUNS	3	/* that are no use, before a revision is given up */

/*
 * The probability that a revision which fails like the bad end passes @passed
 * times in a row.  How often the bad end fails is only known from @end, which
 * ended with a failure: what is left open is averaged over (each pass makes the
 * next one likelier), so that a short look at the bad end costs more runs later,
 * and not confidence.
 */
double rate_passes(const struct tally *end, unsigned int passed);

/* How many more runs the bad end needs for its rate, at most BATCH_RUNS; 0: enough. */
unsigned int rate_more(const struct tally *end);

/*
 * The sequential probability ratio test of "never fails" against "fails as the
 * bad end does": one failure refutes the first, and passes refute the second when
 * rate_passes() is down to @risk.
 */
enum result rate_decide(const struct tally *end, const struct tally *t, double risk);

/* How many runs to do before rate_decide() is asked again, at least 1. */
unsigned int rate_batch(const struct tally *end, const struct tally *t, double risk);

/* Too many runs that say nothing: more of them than OTHER_RUNS, and than those that do. */
bool tally_useless(const struct tally *t);

/*
 * The share of decision @n, from 0 on, of the risk @total of the whole bisection of
 * @revisions.  As many have equal shares as a list of them needs; merges and skips
 * may need more, which halve what is left.  All of them together never exceed @total.
 */
double risk_share(double total, unsigned long revisions, unsigned int n);

/*
 * A list of @n, in its order, with good ones before bad ones.  Sets @low to the last
 * good one and @high to the first bad one after it; there is one of each.
 */
void range_ends(const enum result *r, size_t n, size_t *low, size_t *high);

/*
 * The one to try next, the nearest to the middle that has no result; @n when there
 * is none: then the first bad one is in @low + 1 .. @high.
 */
size_t range_next(const enum result *r, size_t n);

#endif
