// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DAX flag of a folder, see dp.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dp.h"

static int flag_set(int fd)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x))
		return -errno;
	x.fsx_xflags |= FS_XFLAG_DAX;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x) ? -errno : 0;
}

int dp_dax_inherit(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = flag_set(fd);
	close(fd);
	return err;
}
