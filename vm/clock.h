/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DAXPIN_CLOCK_H
#define DAXPIN_CLOCK_H

#include <time.h>

/* Milliseconds of the clock that nobody sets. */
static inline long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
