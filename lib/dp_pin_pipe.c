// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: pages in pipes, and what becomes of them.
 *
 * vmsplice(2) puts references into the pipe's buffers, FOLL_GET and read on every kernel
 * (fs/splice.c, iter_to_pipe()).  splice(2) moves them on without a copy: to
 * another pipe with the buffers (splice_pipe_to_pipe()), to an AF_UNIX socket as
 * fragments of an skb, of which each has a reference of its own (unix_stream_sendpage(),
 * since 6.5 skb_splice_from_iter()).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp_holder.h"

/* Pages into a pipe: fd[0] is its reading end. */
int hold_vmsplice(struct dp_pin *p)
{
	struct iovec iov = { .iov_base = p->addr, .iov_len = p->len };
	ssize_t n;

	if (pipe2(p->fd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	n = vmsplice(p->fd[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (n == (ssize_t)p->len)
		return 0;
	return n < 0 ? -errno : -EIO;
}

/* Where they move on to: @far[0] is read. */
static int far_end(const struct dp_pin *p, int far[2])
{
	if (pin_is(p, TO_SOCKET))
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, far);
	return pipe2(far, O_CLOEXEC | O_NONBLOCK);
}

static int move_all(int from, int to, size_t len)
{
	ssize_t n;

	do {
		n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0)
			len -= n;
	} while (n > 0 && len);
	if (n < 0)
		return -errno;
	return len ? -EIO : 0;
}

static void close_both(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* The pipe between is gone when this returns. */
int hold_splice(struct dp_pin *p)
{
	int far[2], err;

	err = hold_vmsplice(p);
	if (err)
		return err;
	if (far_end(p, far))
		return -errno;
	err = move_all(p->fd[0], far[1], p->len);
	close_both(p->fd);
	p->fd[0] = far[0];
	p->fd[1] = far[1];
	return err;
}

/* Children may share the pipe: it is reading that drops the references, not closing. */
int drop_pipe(struct dp_pin *p)
{
	size_t got = 0;
	ssize_t n;

	/* A socket gives an skb at a time. */
	do {
		n = read(p->fd[0], p->data + got, p->len - got);
		if (n > 0)
			got += n;
	} while (n > 0 && got < p->len);
	return n < 0 ? -errno : (int)got;
}
