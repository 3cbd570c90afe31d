// SPDX-License-Identifier: GPL-2.0-only
/* A network block device whose server does not answer, until it is disconnected. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nbd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp.h"

#define DEVICES		16
#define CONNECT_MS	5000
#define LOOK_EVERY_US	1000

/* The client of it is us, the server is nobody who reads the other end. */
struct link {
	int	fd;		/* of the device */
	int	socket;
	size_t	len;
};

/* What nbd-client does; returns when the device is disconnected (drivers/block/nbd.c). */
static int serve(void *arg)
{
	const struct link *l = arg;

	if (ioctl(l->fd, NBD_SET_SIZE, l->len) || ioctl(l->fd, NBD_SET_SOCK, l->socket) ||
	    ioctl(l->fd, NBD_DO_IT))
		return -errno;
	return 0;
}

/* Open the first that nobody is connected to: a descriptor or -errno. */
static int open_free(void)
{
	char path[64];
	int fd;

	for (int i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/sys/block/nbd%d/pid", i);
		if (!access(path, F_OK))
			continue;
		snprintf(path, sizeof(path), "/dev/nbd%d", i);
		fd = open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
		if (fd >= 0 || errno != EBUSY)
			return fd < 0 ? -errno : fd;
	}
	return -EBUSY;
}

/* The size comes last (nbd_start_device()). */
static int wait_size(struct dp_dev *d)
{
	long deadline = dp_now_ms() + CONNECT_MS;
	uint64_t size;

	do {
		if (ioctl(d->fd, BLKGETSIZE64, &size))
			return -errno;
		if (size == d->len)
			return 0;
		usleep(LOOK_EVERY_US);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

int dp_dev_connect(struct dp_dev *d)
{
	struct link l = { .len = d->len };
	int ends[2], err;

	if (d->fd >= 0)
		return -EBUSY;
	l.fd = open_free();
	if (l.fd < 0)
		return l.fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		err = -errno;
		close(l.fd);
		return err;
	}
	l.socket = ends[0];
	d->fd = l.fd;
	d->server = ends[1];
	d->connected = true;
	err = dp_child_start(&d->client, serve, &l) ?: wait_size(d);
	close(ends[0]);
	if (err)
		dp_dev_disconnect(d);
	return err;
}

int dp_dev_disconnect(struct dp_dev *d)
{
	int err;

	if (!d->connected)
		return 0;
	err = ioctl(d->fd, NBD_CLEAR_SOCK) ? -errno : 0;
	err = err ?: dp_child_wait(&d->client, CONNECT_MS);
	dp_child_kill(&d->client);
	close(d->server);
	d->connected = false;
	return err;
}
