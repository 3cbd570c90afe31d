/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files without a name, and the order of their inodes: of two files, a file
 * system locks the one with the lower number first.
 */
#ifndef NAMELESS_H
#define NAMELESS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The blocks of an empty file need not be in any place (xfs, extszinherit): 0 or -errno. */
static inline int place_anywhere(int fd)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) || !(x.fsx_xflags & FS_XFLAG_EXTSIZE))
		return 0;
	x.fsx_xflags &= ~FS_XFLAG_EXTSIZE;
	x.fsx_extsize = 0;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x) ? -errno : 0;
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
