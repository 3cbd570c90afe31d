/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of DAX files, on a file system where files are DAX or not, one by one. */
#ifndef DAX_FOLDER_H
#define DAX_FOLDER_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* New files of this row's folder are DAX, the others are not. */
static inline void dax_folder(struct __test_metadata *_metadata)
{
	const char *top = getenv("DAXPIN_DIR");
	struct fsxattr x;
	char path[256];
	int dir;

	snprintf(path, sizeof(path), "%s/dax", top);
	ASSERT_TRUE(!mkdir(path, 0700) || errno == EEXIST);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(dir, 0);
	ASSERT_EQ(0, ioctl(dir, FS_IOC_FSGETXATTR, &x));
	x.fsx_xflags |= FS_XFLAG_DAX;
	ASSERT_EQ(0, ioctl(dir, FS_IOC_FSSETXATTR, &x));
	close(dir);
	setenv("DAXPIN_DIR", path, 1);
	setenv("DAXPIN_DAX", "yes", 1);
}

#endif
