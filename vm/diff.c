// SPDX-License-Identifier: GPL-2.0-only
/* What is different between two runs; see diff.h. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "formats.h"

/* Slower: so many times, and so much. */
#define SLOWER_PERCENT	150
#define SLOWER_MS	1000

const char *const change_words[CHANGES] = {
	[BROKEN] = "broken", [REPAIRED] = "repaired", [APPEARED] = "appeared",
	[DISAPPEARED] = "disappeared", [SLOWER] = "slower", [CHANGED] = "changed",
};

static struct difference *new_difference(struct diff *d, enum change kind,
					 const struct cell *c, const char *what)
{
	if (!(d->n & (d->n - 1)))
		d->v = need(reallocarray(d->v, d->n ? 2 * d->n : 1, sizeof(*d->v)));
	d->v[d->n] = (struct difference){ .change = kind, .cell = c->path, .what = what,
					  .before = "-", .after = "-" };
	return &d->v[d->n++];
}

static bool is_well(enum verdict v)
{
	return v == PASS || v == KNOWN || v == SKIP;
}

/* The verdict of a cell; either may be NULL. */
static void diff_verdict(struct diff *d, const struct cell *a, const struct cell *b)
{
	bool before = !a || is_well(a->verdict), after = !b || is_well(b->verdict);
	enum change change = CHANGED;
	struct difference *x;

	if (a && b && a->verdict == b->verdict)
		return;
	if (before && !after)
		change = a ? BROKEN : APPEARED;
	else if (!before && after)
		change = b ? REPAIRED : DISAPPEARED;
	x = new_difference(d, change, b ?: a, NULL);
	if (a)
		x->before = verdict_words[a->verdict];
	if (b)
		x->after = verdict_words[b->verdict];
	/* What was proven and is no more is evidence that is missing. */
	x->lost = b && b->verdict == LOST;
	x->worse = before && !after && !x->lost;
}

static const struct row *find_row(const struct cell *c, const struct row *like)
{
	size_t i = like ? 0 : c->nrows;

	while (i < c->nrows && strcmp(c->rows[i].name, like->name))
		i++;
	return i < c->nrows ? &c->rows[i] : NULL;
}

/* The same row is mostly in the same place. */
static const struct row *same_row(const struct cell *c, size_t i, const struct row *like)
{
	if (i < c->nrows && !strcmp(c->rows[i].name, like->name))
		return &c->rows[i];
	return find_row(c, like);
}

static void diff_row(struct diff *d, const struct cell *c, const struct row *a,
		     const struct row *b)
{
	enum change change = CHANGED;
	struct difference *x;

	if (a && b && a->state == b->state)
		return;
	if (b && b->state == ROW_FAILED)
		change = a ? BROKEN : APPEARED;
	else if (a && a->state == ROW_FAILED)
		change = b ? REPAIRED : DISAPPEARED;
	x = new_difference(d, change, c, b ? b->name : a->name);
	if (a)
		x->before = row_words[a->state];
	if (b)
		x->after = row_words[b->state];
	x->worse = b && b->state == ROW_FAILED;
}

static void diff_rows(struct diff *d, const struct cell *a, const struct cell *b)
{
	for (size_t i = 0; i < b->nrows; i++)
		diff_row(d, b, same_row(a, i, &b->rows[i]), &b->rows[i]);
	for (size_t i = 0; i < a->nrows; i++)
		if (!same_row(b, i, &a->rows[i]))
			diff_row(d, b, &a->rows[i], NULL);
}

static const struct splat *find_splat(const struct cell *c, const struct splat *like)
{
	for (const struct splat *s = c->splats; s < c->splats + c->nsplats; s++)
		if (s->state == like->state && !strcmp(s->title, like->title))
			return s;
	return NULL;
}

/* Splats of @b that @a does not have. */
static void diff_splats(struct diff *d, const struct cell *a, const struct cell *b,
			enum change change)
{
	for (const struct splat *s = b->splats; s < b->splats + b->nsplats; s++) {
		struct difference *x;

		if (find_splat(a, s))
			continue;
		x = new_difference(d, change, b, s->title);
		*(change == APPEARED ? &x->after : &x->before) = splat_words[s->state];
		/* What follows another splat is its consequence. */
		x->worse = change == APPEARED && s->state == SPLAT_BAD && !s->follow;
	}
}

static void diff_time(struct diff *d, const struct cell *a, const struct cell *b)
{
	struct difference *x;

	if (!a->ms || b->ms - a->ms < SLOWER_MS || b->ms * 100 < a->ms * SLOWER_PERCENT)
		return;
	x = new_difference(d, SLOWER, b, NULL);
	x->before = text("%ld ms", a->ms);
	x->after = text("%ld ms", b->ms);
}

static void diff_cell(struct diff *d, const struct cell *a, const struct cell *b)
{
	diff_verdict(d, a, b);
	if (!a || !b)
		return;
	d->compared++;
	/* Of a cell that is lost nobody knows what its rows did. */
	if (a->verdict == LOST || b->verdict == LOST)
		return;
	diff_rows(d, a, b);
	diff_splats(d, a, b, APPEARED);
	diff_splats(d, b, a, DISAPPEARED);
	diff_time(d, a, b);
}

static const struct cell *like(const struct run *r, const char *kernel, const struct cell *c)
{
	const struct cell *hit = find_cell(r, kernel, c->fs, c->scenario);

	return hit && hit->control ? NULL : hit;
}

/* The cells of @from in @a, and of @to in @b. */
static void diff_sides(struct diff *d, const struct run *a, const char *from,
		       const struct run *b, const char *to)
{
	for (const struct cell *c = b->cells; c < b->cells + b->n; c++)
		if (!c->control && !strcmp(c->kernel, to))
			diff_cell(d, like(a, from, c), c);
	for (const struct cell *c = a->cells; c < a->cells + a->n; c++)
		if (!c->control && !strcmp(c->kernel, from) && !like(b, to, c))
			diff_cell(d, c, NULL);
}

static bool has(const struct list *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], word))
			return true;
	return false;
}

void diff_runs(struct diff *d, const struct run *a, const struct run *b)
{
	d->from = a->kernels.n == 1 ? text("%s (%s)", run_name(a), a->kernels.v[0]) : run_name(a);
	d->to = b->kernels.n == 1 ? text("%s (%s)", run_name(b), b->kernels.v[0]) : run_name(b);
	d->uncontrolled = count_of(b, NULL, true, PASS) != count_of(b, NULL, true, VERDICTS);
	if (a->kernels.n == 1 && b->kernels.n == 1) {
		diff_sides(d, a, a->kernels.v[0], b, b->kernels.v[0]);
		return;
	}
	for (size_t k = 0; k < b->kernels.n; k++)
		diff_sides(d, a, b->kernels.v[k], b, b->kernels.v[k]);
	for (size_t k = 0; k < a->kernels.n; k++)
		if (!has(&b->kernels, a->kernels.v[k]))
			diff_sides(d, a, a->kernels.v[k], b, a->kernels.v[k]);
}

void diff_kernels(struct diff *d, const struct run *r, const char *base)
{
	if (r->kernels.n < 2 || (base && !has(&r->kernels, base))) {
		fprintf(stderr, "%s: %zu kernel%s, expected two or more%s%s\n", r->dir,
			r->kernels.n, r->kernels.n == 1 ? "" : "s", base ? ", one of them " : "",
			base ?: "");
		exit(2);
	}
	d->from = base ?: r->kernels.v[0];
	d->uncontrolled = count_of(r, NULL, true, PASS) != count_of(r, NULL, true, VERDICTS);
	for (size_t k = 0; k < r->kernels.n; k++) {
		const char *to = r->kernels.v[k];

		if (!strcmp(to, d->from))
			continue;
		d->to = d->to ? text("%s, %s", d->to, to) : to;
		diff_sides(d, r, d->from, r, to);
	}
}

static size_t count(const struct diff *d, enum change change)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->v[i].change == change;
	return n;
}

int diff_status(const struct diff *d)
{
	bool worse = false, lost = d->uncontrolled || !d->compared;

	for (size_t i = 0; i < d->n; i++) {
		worse |= d->v[i].worse;
		lost |= d->v[i].lost;
	}
	if (d->uncontrolled)
		return 3;
	return worse ? 1 : lost ? 3 : 0;
}

void diff_text(const struct diff *d)
{
	printf("\ncompared with %s: %s\n", d->from, d->to);
	for (int c = 0; c < CHANGES; c++)
		for (const struct difference *x = d->v; x < d->v + d->n; x++)
			if ((int)x->change == c)
				printf("%s %s%s%s: %s -> %s\n", change_words[c], x->cell,
				       x->what ? " " : "", x->what ?: "", x->before, x->after);
	for (int c = 0; c < CHANGES; c++)
		printf("%s%zu %s", c ? ", " : "", count(d, c), change_words[c]);
	printf(" (%zu cells compared)\n", d->compared);
	if (d->uncontrolled)
		puts("a control did not trip: nothing of this counts");
}

static json_t *as_json(const struct difference *x)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "type", "difference", "change",
			      change_words[x->change], "cell", x->cell, "before", x->before,
			      "after", x->after, "worse", x->worse);

	if (x->what)
		json_object_set_new(o, "what", json_string(x->what));
	return o;
}

static void put_json(json_t *o)
{
	json_dumpf(need(o), stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

void diff_jsonl(const struct diff *d)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:i}", "type", "diff", "from", d->from, "to",
			      d->to, "compared", (json_int_t)d->compared, "status",
			      diff_status(d));

	for (size_t i = 0; i < d->n; i++)
		put_json(as_json(&d->v[i]));
	put_json(o);
}

void diff_markdown(const struct diff *d)
{
	printf("### %s compared with %s\n\n", d->to, d->from);
	if (d->n)
		puts("| change | cell | row or splat | before | after |\n|---|---|---|---|---|");
	for (const struct difference *x = d->v; x < d->v + d->n; x++) {
		printf("| %s | `%s` | ", change_words[x->change], x->cell);
		if (x->what)
			put_markdown(x->what);
		printf(" | %s | %s |\n", x->before, x->after);
	}
	printf("\n%zu cells compared, %zu differences\n", d->compared, d->n);
}
