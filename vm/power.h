/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power cuts.
 *
 * A row that wants its power cut says so in its output.  The guest is then stopped at
 * moments that its seed draws, its persistent memory is copied, and a fresh guest looks
 * at the copy, as one does that boots after a power loss; then the first one goes on.
 * What it says of its own state in the meantime travels with the copy:
 *
 *	# power: cut N			make N cuts from now on
 *	# power: promise NAME TEXT	from now on this holds, instead of the last of NAME
 *	# power: held yes|no		a cut now hits a pin
 *
 * The row reads its answer, lines in the port that its cell came through:
 *
 *	bad FOLDER REASON		what the guest that looked was not content with
 *	done CUTS HELD			all made, so many of them while there was a pin; or
 *					fewer, for what was bad is enough
 */
#ifndef DAXPIN_POWER_H
#define DAXPIN_POWER_H

#include <stdbool.h>

#include "qmp.h"

#define POWER_PMEM	"pmem"		/* the file of the persistent memory in a folder */

/* Have @argv map that file, shared when the guest's power is to be cut. */
void power_args(char **argv, bool cut);

/*
 * Get ready to cut the power of the guest that @qmp controls, in the current folder.
 * @seed: 64 hexadecimal digits.  @answer: the descriptor that the guest reads.
 * says_open() comes first.
 */
void power_open(struct qmp *qmp, const char *seed, int answer);

/* Give the guest that is restored from @snapshot persistent memory of its own: 0 or -errno. */
int power_memory(const char *snapshot);

/* The guest has said this (says.h). */
void power_said(const char *line);

/* ms until power_due() is to be called, -1: nothing is due. */
long power_left(void);

/* It is time: the guest is told to stop. */
void power_due(void);

/* QEMU has stopped the guest.  Returns 0, or -errno when nothing could be kept. */
int power_stopped(void);

/* A child has ended: if it was the one that looks, the guest goes on. */
void power_looked(void);

/* ms that the guest was stopped for since the last call; true in @now: it is. */
long power_pause(bool *now);

#endif
