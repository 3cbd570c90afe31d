// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a bisection decides, see decide.h.
 */
#include "decide.h"

/*
 * The rate has the distribution Beta(failed, passed + 1) after runs that ended with
 * a failure: the probability of a pass is (passed + 1) / (all + 1), and each further
 * pass counts like one of before.
 */
double rate_passes(const struct tally *end, unsigned int passed)
{
	double p = 1;

	for (unsigned int i = 1; i <= passed; i++)
		p *= (double)(end->passed + i) / (end->failed + end->passed + i);
	return p;
}

unsigned int rate_more(const struct tally *end)
{
	unsigned int runs = end->failed + end->passed + end->other;

	if (end->failed >= RATE_FAILED || runs >= RATE_RUNS)
		return 0;
	return RATE_RUNS - runs < BATCH_RUNS ? RATE_RUNS - runs : BATCH_RUNS;
}

enum result rate_decide(const struct tally *end, const struct tally *t, double risk)
{
	if (t->failed)
		return BAD;
	return rate_passes(end, t->passed) <= risk ? GOOD : UNKNOWN;
}

unsigned int rate_batch(const struct tally *end, const struct tally *t, double risk)
{
	unsigned int n = 1;

	while (n < BATCH_RUNS && rate_passes(end, t->passed + n) > risk)
		n++;
	return n;
}

bool tally_useless(const struct tally *t)
{
	return t->other >= OTHER_RUNS && t->other > t->passed + t->failed;
}

double risk_share(double total, unsigned long revisions, unsigned int n)
{
	unsigned int shares = 2;	/* the good end, and one for all that are too many */
	double share;

	for (unsigned long left = revisions; left > 1; left -= left / 2)
		shares++;
	share = total / shares;
	for (; n >= shares - 1; n--)
		share /= 2;
	return share;
}

void range_ends(const enum result *r, size_t n, size_t *low, size_t *high)
{
	size_t i = 0;

	while (i < n && r[i] != BAD)
		i++;
	*high = i;
	while (i && r[i] != GOOD)
		i--;
	*low = i;
}

size_t range_next(const enum result *r, size_t n)
{
	size_t low, high, middle;

	range_ends(r, n, &low, &high);
	middle = low + (high - low) / 2;
	for (size_t d = 0; d < high - low; d++) {
		if (middle + d < high && r[middle + d] == UNKNOWN)
			return middle + d;
		if (middle > low + d && r[middle - d] == UNKNOWN)
			return middle - d;
	}
	return n;
}
