// SPDX-License-Identifier: GPL-2.0-only
/* Whom to ask for what device-mapper has to do: started by the first who asks. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
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

/* Of the helper: a socket that is connected to it or, to @serve, one that listens for it. */
static int helper_socket(pid_t program, bool serve)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;
	struct sockaddr_un a;
	socklen_t len = helper_address(program, &a);

	if (fd < 0)
		return -errno;
	if (serve ? !bind(fd, (struct sockaddr *)&a, len) && !listen(fd, SOMAXCONN) :
	    !connect(fd, (struct sockaddr *)&a, len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* With the socket as its input, and nothing else that the row has open: that would live on. */
static void helper_exec(pid_t program, int fd)
{
	char path[PATH_MAX], pid[16];

	setpgid(0, 0);		/* what kills a row must not kill it */
	snprintf(pid, sizeof(pid), "%d", program);
	if (!helper_path(path, sizeof(path)) && !dup2(fd, STDIN_FILENO) &&
	    !close_range(STDERR_FILENO + 1, ~0U, 0))
		execl(path, HELPER, pid, NULL);
	_exit(1);
}

/* The socket listens already: nobody has to wait until the helper is ready. */
static int helper_start(pid_t program)
{
	int fd = helper_socket(program, true), err;
	pid_t pid;

	if (fd < 0)
		return fd == -EADDRINUSE ? 0 : fd;	/* somebody was faster */
	pid = fork();
	if (!pid)
		helper_exec(program, fd);
	err = pid < 0 ? -errno : 0;
	close(fd);
	return err;
}

int dm_ask(pid_t program, const struct dm_request *req)
{
	int fd = helper_socket(program, false), err;

	if (fd == -ECONNREFUSED)
		fd = helper_start(program) ?: helper_socket(program, false);
	if (fd < 0)
		return fd;
	if (send(fd, req, sizeof(*req), MSG_NOSIGNAL) != sizeof(*req) ||
	    recv(fd, &err, sizeof(err), 0) != sizeof(err))
		err = -ENODEV;
	close(fd);
	return err;
}
