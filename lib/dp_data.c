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

/* splitmix64's finaliser: neighbouring words share no pattern. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The eight bytes at @off, which is a multiple of eight. */
static uint64_t word_at(off_t off, uint64_t seed)
{
	return mix(seed * 0x9e3779b97f4a7c15ULL + off);
}

void dp_data_fill(void *buf, size_t len, off_t off, uint64_t seed)
{
	char *p = buf, *end = p + len;

	while (p < end) {
		uint64_t word = word_at(off & ~7UL, seed);
		size_t skip = off & 7, n = 8 - skip;

		if (n > (size_t)(end - p))
			n = end - p;
		if (n == 8)
			memcpy(p, &word, 8);	/* of known size: one store */
		else
			memcpy(p, (char *)&word + skip, n);
		p += n;
		off += n;
	}
}

off_t dp_data_differ(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;

	if (!memcmp(a, b, len))
		return -1;
	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return i;
	return -1;
}
