// SPDX-License-Identifier: GPL-2.0-only
/* What a file must hold, as pieces: no buffer of its size. */
#include <stdlib.h>
#include <string.h>

#include "dp.h"

/* One more piece, the @i-th, and those from there on behind it. */
static struct dp_piece *add(struct dp_content *x, int i)
{
	struct dp_piece *p = &x->piece[i];

	if (x->n == DP_PIECES)
		abort();
	memmove(p + 1, p, (x->n - i) * sizeof(*p));
	x->n++;
	return p;
}

/* The number of the piece that begins at @off, which is made one. */
static int split(struct dp_content *x, off_t off)
{
	const struct dp_piece *p;
	int i = x->n;

	while (x->piece[i - 1].off > off)
		i--;
	p = &x->piece[i - 1];
	if (p->off == off)
		return i - 1;
	*add(x, i) = (struct dp_piece){ off, p->seed, p->from + off - p->off };
	return i;
}

/* Forget the pieces from @i on, up to @end; those behind come @by bytes closer. */
static void drop(struct dp_content *x, int i, int end, off_t by)
{
	memmove(&x->piece[i], &x->piece[end], (x->n - end) * sizeof(x->piece[0]));
	x->n -= end - i;
	for (; i < x->n; i++)
		x->piece[i].off -= by;
}

void dp_content_init(struct dp_content *x, off_t size, uint64_t seed)
{
	*x = (struct dp_content){ .n = 1, .piece = { { 0, seed, 0 } } };
	dp_content_cut(x, size);
}

void dp_content_put(struct dp_content *x, off_t off, off_t len, uint64_t seed, off_t from)
{
	int i, end;

	if (len <= 0)
		return;
	i = split(x, off);
	end = split(x, off + len);
	x->piece[i] = (struct dp_piece){ off, seed, from };
	drop(x, i + 1, end, 0);
}

void dp_content_copy(struct dp_content *x, off_t to, const struct dp_content *from, off_t off,
		     off_t len)
{
	struct dp_content was = *from;
	int i = split(&was, off), end = split(&was, off + len);

	for (; i < end; i++) {
		const struct dp_piece *p = &was.piece[i];

		dp_content_put(x, to + p->off - off, p[1].off - p->off, p->seed, p->from);
	}
}

void dp_content_cut(struct dp_content *x, off_t size)
{
	int i = split(x, size);

	x->piece[i] = (struct dp_piece){ .off = size };
	x->n = i + 1;
	x->size = size;
}

void dp_content_collapse(struct dp_content *x, off_t off, off_t len)
{
	int i = split(x, off);

	drop(x, i, split(x, off + len), len);
	x->size -= len;
}

void dp_content_insert(struct dp_content *x, off_t off, off_t len)
{
	int i = split(x, off);

	for (int k = i; k < x->n; k++)
		x->piece[k].off += len;
	*add(x, i) = (struct dp_piece){ .off = off };
	x->size += len;
}

uint64_t dp_content_seed(const struct dp_content *x, off_t off)
{
	int i = x->n - 1;

	while (i > 0 && x->piece[i].off > off)
		i--;
	return x->piece[i].seed;
}

void dp_content_read(const struct dp_content *x, void *buf, off_t off, size_t len)
{
	off_t end = off + len;

	for (int i = 0; i < x->n; i++) {
		const struct dp_piece *p = &x->piece[i];
		off_t from = p->off > off ? p->off : off;
		off_t to = i + 1 < x->n && p[1].off < end ? p[1].off : end;

		if (from >= to)
			continue;
		if (p->seed)
			dp_data_fill(buf + (from - off), to - from, p->from + from - p->off,
				     p->seed);
		else
			memset(buf + (from - off), 0, to - from);
	}
}
