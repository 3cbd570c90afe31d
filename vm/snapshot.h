/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that are saved when they are ready, and restored for each cell.
 *
 * The memory of such a guest is files, which are not part of what QEMU saves
 * (x-ignore-shared).  The guest that is saved writes into them; each restored
 * one maps them privately, so that nothing it does reaches another.
 */
#ifndef DAXPIN_SNAPSHOT_H
#define DAXPIN_SNAPSHOT_H

#include <stdbool.h>

#include "qmp.h"

#define SNAPSHOT_STATE	"state"		/* state of the devices, beside the memory files */
#define SNAPSHOT_CELL	"cell.in"	/* what a guest that is saved reads: a FIFO */
#define SNAPSHOT_ARGS	2		/* at most so many more arguments */

/*
 * The QEMU argument @arg, "memory-backend-TYPE,OPTIONS", with that memory in the file of
 * @dir that is named after its id; one that is in a file already, and one without an id,
 * as it is.  NULL: memory is out.
 */
char *snapshot_memory(const char *arg, const char *dir, bool shared);

/* Make @argv, which boots, that of a guest with its memory in @dir: saved or restored. */
void snapshot_args(char **argv, const char *dir, bool restore);

/* Tell a QEMU that waits for it to restore the guest from @dir.  Returns 0 or -errno. */
int snapshot_restore(struct qmp *q, const char *dir);

/*
 * Give the guest that is saved its cell through a FIFO, which has no end: it goes
 * on reading until it is restored.  Returns the descriptor to keep, or -errno.
 */
int snapshot_cell(void);

/*
 * Stop the guest and have QEMU write its state aside; the events MIGRATION
 * "completed" and "failed" tell how it went.  Returns 0 or -errno.
 */
int snapshot_save(struct qmp *q);

/* It is whole: the file gets its name.  Returns 0 or -errno. */
int snapshot_keep(void);

#endif
