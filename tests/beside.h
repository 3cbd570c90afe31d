/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file beside the pinned one, without a name.  Which of the two inodes is locked first
 * is decided by their numbers, so that a row asks for their order.
 */
#ifndef BESIDE_H
#define BESIDE_H

#include "nameless.h"
#include "rig.h"

#define BESIDE_TRIES	8	/* until the numbers are in order */

enum place { LOWER, HIGHER };		/* of the pinned file's inode */

static inline bool in_place(const struct rig *r, int other, enum place where)
{
	return (inode_of(r->file.fd) > inode_of(other)) == (where == HIGHER);
}

/* Open the rig with a file of @len bytes, and return an empty one beside it. */
static inline int beside_open(struct __test_metadata *_metadata, struct rig *r, enum place where,
			      enum dp_map map, off_t len)
{
	int other = nameless();

	for (int i = 0; i < BESIDE_TRIES && !(r->file.map && in_place(r, other, where)); i++) {
		rig_close(r);
		/* The number above may be free no longer; above another one it is. */
		if (where == HIGHER)
			other = nameless();
		rig_open(_metadata, r, map, len);
		if (where == LOWER)
			other = higher_than(inode_of(r->file.fd));
	}
	TH_LOG("witness: pinned_ino=%lu other_ino=%lu", inode_of(r->file.fd), inode_of(other));
	ASSERT_TRUE(in_place(r, other, where));
	r->beside = other;
	return other;
}

#endif
