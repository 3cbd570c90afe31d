/* SPDX-License-Identifier: GPL-2.0-only */
/* The daxpin module, for the files of this folder alone. */
#ifndef DP_MODULE_H
#define DP_MODULE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daxpin_uapi.h"

/*
 * Ask the module for what lasts as long as the open file.  Returns that, or
 * -errno: -ENOENT without the module.
 */
static inline int module_hold(unsigned long request, void *arg)
{
	int fd = open("/dev/daxpin", O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, request, arg))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Ask the module for what is done when it has answered: 0 or -errno. */
static inline int module_ask(unsigned long request, void *arg)
{
	int fd = module_hold(request, arg);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

#endif
