// SPDX-License-Identifier: GPL-2.0-only
/* Whom to ask for what device-mapper has to do: started by the first who asks. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dp_dm.h"

#define HELPER	"dm_helper"	/* beside the program */

/* An abstract name: nobody has to remove it. */
static socklen_t helper_address(pid_t program, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "daxpin-dm-%d", program);
}

static int helper_path(char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	return snprintf(path, size, "%s/" HELPER, dirname(self)) < (int)size ? 0 : -ENAMETOOLONG;
}

/* It takes over a socket that listens already: nobody has to wait until it is ready. */
static void helper_exec(pid_t program, int fd)
{
	char path[PATH_MAX], socket[16], pid[16];

	setpgid(0, 0);		/* what kills a row must not kill it */
	snprintf(socket, sizeof(socket), "%d", fd);
	snprintf(pid, sizeof(pid), "%d", program);
	if (!helper_path(path, sizeof(path)) && !fcntl(fd, F_SETFD, 0))
		execl(path, HELPER, socket, pid, NULL);
	_exit(1);
}

static int helper_start(pid_t program)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = 0;
	struct sockaddr_un a;
	pid_t pid;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, helper_address(program, &a)) || listen(fd, SOMAXCONN))
		err = -errno;
	pid = err ? 0 : fork();
	if (!err && !pid)
		helper_exec(program, fd);
	if (pid < 0)
		err = -errno;
	close(fd);
	return err == -EADDRINUSE ? 0 : err;	/* somebody was faster */
}

static int helper_connect(pid_t program)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;
	struct sockaddr_un a;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, helper_address(program, &a)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int dm_ask(pid_t program, const struct dm_request *req)
{
	int fd = helper_connect(program), err;

	if (fd == -ECONNREFUSED)
		fd = helper_start(program) ?: helper_connect(program);
	if (fd < 0)
		return fd;
	if (send(fd, req, sizeof(*req), MSG_NOSIGNAL) != sizeof(*req) ||
	    recv(fd, &err, sizeof(err), 0) != sizeof(err))
		err = -ENODEV;
	close(fd);
	return err;
}
