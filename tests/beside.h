/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file beside the pinned one, without a name.  Which of the two inodes is locked first
 * is decided by their numbers, so that a row asks for their order.
 */
#ifndef BESIDE_H
#define BESIDE_H

#include "rig.h"

#define BESIDE_FILES	64	/* that are made to get a number */
#define BESIDE_TRIES	8	/* until the numbers are in order */

enum place { LOWER, HIGHER };		/* of the pinned file's inode */

static inline ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static inline int nameless(void)
{
	return open(getenv("DAXPIN_DIR"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* Files keep their numbers as long as they are open: a higher one comes in the end. */
static inline int higher_than(ino_t ino)
{
	int fd = -1;

	for (int i = 0; i < BESIDE_FILES && inode_of(fd) <= ino; i++)
		fd = nameless();
	return fd;
}

static inline bool in_place(const struct rig *r, int other, enum place where)
{
	return (inode_of(r->file.fd) > inode_of(other)) == (where == HIGHER);
}

/* Open the rig with a file of @len bytes, and return an empty one beside it. */
static inline int beside_open(struct __test_metadata *_metadata, struct rig *r, enum place where,
			      off_t len)
{
	int other = nameless();

	/* The lowest that is free is taken first, and others become free all the time. */
	for (int i = 0; i < BESIDE_TRIES && !(r->file.map && in_place(r, other, where)); i++) {
		rig_close(r);
		if (where == HIGHER)
			higher_than(inode_of(other));
		rig_open(_metadata, r, DP_MAP_PTE, len);
		if (where == LOWER)
			other = higher_than(inode_of(r->file.fd));
	}
	TH_LOG("witness: pinned_ino=%lu other_ino=%lu", inode_of(r->file.fd), inode_of(other));
	ASSERT_TRUE(in_place(r, other, where));
	return other;
}

#endif
