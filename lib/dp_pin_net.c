// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: data that is sent without a copy to a peer that does not read.
 *
 * The pages become fragments of the socket's send queue, FOLL_GET and read on every
 * kernel (net/core/datagram.c, __zerocopy_sg_from_iter()), until the peer has
 * acknowledged them.  Over loopback what reaches the peer is copied on the way
 * (net/core/dev.c, skb_orphan_frags_rx()), and acknowledged at once: so ordinary data goes
 * first, more than the peer's window has room for, and ours stays behind it.
 */
#include <errno.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp_holder.h"

/* As given to setsockopt(), which doubles them. */
#define PEER_ROOM	32768		/* the peer's window is no larger than twice that */
#define FIRST_ROOM	(4 * PEER_ROOM)	/* for ordinary data */
#define ALL_ROOM	(4 << 20)	/* and for ours */

/* In a guest nobody else does. */
static int loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &lo)) {
		err = -errno;
	} else if (!(lo.ifr_flags & IFF_UP)) {
		lo.ifr_flags |= IFF_UP;
		err = ioctl(fd, SIOCSIFFLAGS, &lo) ? -errno : 0;
	}
	close(fd);
	return err;
}

static int room_set(int fd, int option, int bytes)
{
	return setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) ? -errno : 0;
}

static int listener(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;
	socklen_t len = sizeof(*at);

	if (fd < 0)
		return -errno;
	*at = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	/* The peer's: a fixed room keeps its window from growing. */
	err = room_set(fd, SO_RCVBUF, PEER_ROOM);
	if (!err && (bind(fd, (struct sockaddr *)at, len) || listen(fd, 1) ||
		     getsockname(fd, (struct sockaddr *)at, &len)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* @p->fd[1] sends to @p->fd[0]. */
static int connect_both(struct dp_pin *p)
{
	struct sockaddr_in at;
	int fd = listener(&at), err = 0;

	if (fd < 0)
		return fd;
	p->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd[1] < 0)
		err = -errno;
	/* To a listener of this host: done, or it will be before the other side accepts. */
	else if (connect(p->fd[1], (struct sockaddr *)&at, sizeof(at)) && errno != EINPROGRESS)
		err = -errno;
	if (!err) {
		p->fd[0] = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (p->fd[0] < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

/*
 * Fill the peer's window, and the send queue with more than it can ever hold: what is sent
 * from now on stays in the queue until the peer reads.
 */
static int fill_window(struct dp_pin *p)
{
	static const char data[65536];
	int unsent = 0;
	ssize_t n;

	if (room_set(p->fd[1], SO_SNDBUFFORCE, FIRST_ROOM))
		return -errno;
	while ((n = send(p->fd[1], data, sizeof(data), MSG_NOSIGNAL)) > 0)
		p->ahead += n;
	if (errno != EAGAIN)
		return -errno;
	if (ioctl(p->fd[1], SIOCOUTQNSD, &unsent))
		return -errno;
	if (unsent <= 2 * PEER_ROOM)
		return -EPIPE;		/* the window is larger than it should be */
	return room_set(p->fd[1], SO_SNDBUFFORCE, ALL_ROOM);
}

static int send_flag(struct dp_pin *p)
{
	int one = 1;
	ssize_t n;

	if (setsockopt(p->fd[1], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return -errno;
	n = send(p->fd[1], p->addr, p->len, MSG_ZEROCOPY | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return n == (ssize_t)p->len ? 0 : -EIO;
}

/* The first completion says what was sent, the second that the pages are free. */
static int send_ring(struct dp_pin *p)
{
	unsigned int flags = 0;
	int n;

	n = ring_new(p);
	if (n)
		return n;
	io_uring_prep_send_zc(io_uring_get_sqe(p->ctx), p->fd[1], p->addr, p->len,
			      MSG_NOSIGNAL, 0);
	n = io_uring_submit(p->ctx);
	if (n == 1)
		n = ring_wait(p, &flags);
	if (n == (int)p->len && (flags & IORING_CQE_F_MORE))
		return 0;
	ring_free(p);
	return n < 0 ? n : -EIO;
}

int hold_send(struct dp_pin *p)
{
	int err;

	err = loopback_up();
	if (!err)
		err = connect_both(p);
	if (!err)
		err = fill_window(p);
	if (err)
		return err;
	return pin_is(p, ZC_RING) ? send_ring(p) : send_flag(p);
}

static int wait_for(int fd, short events, long deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	long left;
	int n;

	do {
		left = deadline - dp_now_ms();
		n = poll(&p, 1, left > 0 ? left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* The peer reads all: our bytes are the last. */
static int drain(struct dp_pin *p, long deadline)
{
	char first[65536];
	size_t got = 0, want;
	ssize_t n;
	int err;

	while (p->ahead || got < p->len) {
		err = wait_for(p->fd[0], POLLIN, deadline);
		if (err)
			return err;
		want = p->ahead < sizeof(first) ? p->ahead : sizeof(first);
		if (p->ahead)
			n = read(p->fd[0], first, want);
		else
			n = read(p->fd[0], p->data + got, p->len - got);
		if (n <= 0)
			return n ? -errno : -EIO;
		if (p->ahead)
			p->ahead -= n;
		else
			got += n;
	}
	return got;
}

/* Its only message says that the pages of our only send are free. */
static int flag_done(struct dp_pin *p, long deadline)
{
	char control[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	const struct sock_extended_err *e;
	int err;

	err = wait_for(p->fd[1], 0, deadline);
	if (err)
		return err;
	if (recvmsg(p->fd[1], &msg, MSG_ERRQUEUE) < 0)
		return -errno;
	if (!CMSG_FIRSTHDR(&msg))
		return -EPROTO;
	e = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	return e->ee_origin == SO_EE_ORIGIN_ZEROCOPY ? 0 : -EPROTO;
}

static int ring_done(struct dp_pin *p)
{
	unsigned int flags = 0;
	int err = ring_wait(p, &flags);

	if (err == -ETIMEDOUT)
		return err;
	ring_free(p);
	return err < 0 || (flags & IORING_CQE_F_NOTIF) ? err : -EPROTO;
}

/* The peer goes without a word: who sends is told, and his queue is thrown away. */
static int reset(struct dp_pin *p, long deadline)
{
	struct linger at_once = { .l_onoff = 1 };
	socklen_t size = sizeof(int);
	int err;

	if (setsockopt(p->fd[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)))
		return -errno;
	close(p->fd[0]);
	p->fd[0] = -1;
	/* The loopback device delivers it a moment later. */
	err = wait_for(p->fd[1], 0, deadline);
	if (err)
		return err;
	return getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &err, &size) ? -errno : -err;
}

int drop_send(struct dp_pin *p)
{
	long deadline = dp_now_ms() + UNPIN_WAIT_MS;
	int n = p->fails ? reset(p, deadline) : drain(p, deadline), err;

	if (n < 0 && !p->fails)
		return n;
	err = pin_is(p, ZC_RING) ? ring_done(p) : flag_done(p, deadline);
	return err < 0 ? err : n;
}
