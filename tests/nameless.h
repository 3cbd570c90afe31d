/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files without a name, and the order of their inodes: of two files, a file
 * system locks the one with the lower number first.
 */
#ifndef NAMELESS_H
#define NAMELESS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NAMELESS_TRIES	64	/* files that are made to get a number */

static inline ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static inline int nameless(void)
{
	return open(getenv("DAXPIN_DIR"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/*
 * The lowest number that is free is taken first, and those of deleted files become free
 * all the time.  Files keep theirs as long as they are open: a higher one comes in the end.
 */
static inline int higher_than(ino_t ino)
{
	int fd = -1;

	for (int i = 0; i < NAMELESS_TRIES && inode_of(fd) <= ino; i++)
		fd = nameless();
	return fd;
}

#endif
