// SPDX-License-Identifier: GPL-2.0-only
/* Time and data. */
#include <string.h>
#include <time.h>

#include "dp.h"

long dp_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long long dp_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* splitmix64's finaliser: neighbouring words share no pattern. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

#define GOLDEN	0x9e3779b97f4a7c15ULL
#define PART	4096	/* bytes that begin with a random word and go on in steps: cheap to make */

/* The eight bytes at @off, which is a multiple of eight. */
static uint64_t word_at(off_t off, uint64_t seed)
{
	return mix(seed * GOLDEN + off / PART) + off % PART / 8 * GOLDEN;
}

/* Bytes @from to @to of the word at @off. */
static char *fill_piece(char *p, off_t off, uint64_t seed, size_t from, size_t to)
{
	uint64_t word = word_at(off, seed);

	memcpy(p, (char *)&word + from, to - from);
	return p + to - from;
}

static char *fill_words(char *p, off_t off, uint64_t seed, size_t n)
{
	uint64_t word = word_at(off, seed);

	/* Under emulation the loop takes as long as what is in it. */
#pragma GCC unroll 16
	for (size_t i = 0; i < n; i++, word += GOLDEN)
		memcpy(p + 8 * i, &word, 8);	/* of known size: one store */
	return p + 8 * n;
}

void dp_data_fill(void *buf, size_t len, off_t off, uint64_t seed)
{
	char *p = buf, *end = p + len;
	size_t skip = off & 7;

	off -= skip;
	while (p < end) {
		size_t left = end - p, n = (PART - off % PART) / 8;

		if (skip || left < 8) {
			p = fill_piece(p, off, seed, skip, skip + left < 8 ? skip + left : 8);
			n = 1;
			skip = 0;
		} else {
			n = n < left / 8 ? n : left / 8;
			p = fill_words(p, off, seed, n);
		}
		off += 8 * n;
	}
}

#define BLOCK	64	/* bytes that are looked at together */

static uint64_t differ(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/*
 * Whole blocks, in bytes, in which @a and @b are the same from the beginning.  The C library's
 * memcmp() does so by vector instructions, which are slow under emulation.
 */
static size_t same_blocks(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i + BLOCK <= len; i += BLOCK) {
		uint64_t any = 0;

#pragma GCC unroll 8
		for (size_t k = 0; k < BLOCK; k += sizeof(any))
			any |= differ(a + i + k, b + i + k);
		if (any)
			break;
	}
	return i;
}

off_t dp_data_differ(const void *a, const void *b, size_t len)
{
	const char *x = a, *y = b;

	for (size_t i = same_blocks(x, y, len); i < len; i++)
		if (x[i] != y[i])
			return i;
	return -1;
}

/* A step can be undone, so that no word is lost; the factor carries it to the higher bits. */
uint64_t dp_data_sum(const void *buf, size_t len, uint64_t sum)
{
	const char *p = buf;

	for (size_t i = 0; i < len; i += sizeof(sum)) {
		uint64_t word = 0;

		memcpy(&word, p + i, len - i < sizeof(word) ? len - i : sizeof(word));
		sum = (sum ^ word) * GOLDEN;
		sum ^= sum >> 32;
	}
	return sum;
}
