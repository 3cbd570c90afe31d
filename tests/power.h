/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a file holds whose power may be cut, and what is promised of it.
 *
 * Each word of 8 bytes, which a CPU stores at once, says whose it is, where, and how old:
 * so does one that was written when the power went, and a word of another file's is seen.
 */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define POWER_BLOCK	4096L
#define POWER_WORDS	(POWER_BLOCK / 8)
#define POWER_MARK	0xd5ULL
#define POWER_NAME	32

/* Of file NAME the first @blocks blocks are of generation @gen or younger, of @owner all. */
struct promise {
	char	 name[POWER_NAME];
	unsigned int owner;
	unsigned int blocks;
	unsigned int gen;
};

#define POWER_PROMISE	"%31s %u %u %u"		/* as it is read */

/* mark 8, owner 8, block 8, place in the block 16, generation 24 bits */
static inline uint64_t power_word(unsigned int owner, unsigned int block, unsigned int place,
				  unsigned int gen)
{
	return POWER_MARK << 56 | (uint64_t)owner << 48 | (uint64_t)block << 40 |
	       (uint64_t)place << 24 | gen;
}

static inline void power_fill(void *data, unsigned int owner, unsigned int block,
			      unsigned int blocks, unsigned int gen)
{
	uint64_t *word = data;

	for (unsigned int b = block; b < block + blocks; b++)
		for (unsigned int i = 0; i < POWER_WORDS; i++)
			*word++ = power_word(owner, b, i, gen);
}

/* Nothing was ever there, or it is the right file's, at its place, and not too old. */
static inline bool power_good(uint64_t word, const struct promise *p, unsigned int block,
			      unsigned int place)
{
	bool kept = block < p->blocks;
	unsigned int gen = word & 0xffffff;

	if (!word)
		return !kept;
	return (word ^ power_word(p->owner, block, place, gen)) == 0 && (!kept || gen >= p->gen);
}

#endif
