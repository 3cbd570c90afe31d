// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of an AF_XDP socket on the loopback interface.  Each page of it is a
 * frame, whatever its bytes are: what is sent is heard by a packet socket, which
 * takes every frame of every protocol.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp_longterm.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define FRAME		4096U
#define RING		64U	/* entries, a power of two, and frames at most */

#ifndef SOL_XDP
#define SOL_XDP		283
#endif
#ifndef AF_XDP
#define AF_XDP		44
#endif

struct xdp {
	int	lo;	/* its number */
	int	ear;	/* packet socket */
	int	fd;	/* AF_XDP, while memory is registered */
};

static int ear_open(int lo)
{
	struct sockaddr_ll addr = {
		.sll_family	= AF_PACKET,
		.sll_protocol	= htons(ETH_P_ALL),
		.sll_ifindex	= lo,
	};
	int fd, err;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int xdp_open(struct dp_longterm *l)
{
	struct xdp *x;
	int err;

	err = longterm_lo_up();
	if (err)
		return err;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->lo = if_nametoindex("lo");
	x->ear = ear_open(x->lo);
	if (x->ear < 0) {
		err = x->ear;
		free(x);
		return err;
	}
	l->ctx = x;
	return 0;
}

static void xdp_close(struct dp_longterm *l)
{
	struct xdp *x = l->ctx;

	close(x->ear);
	free(x);
}

static int xdp_pin(struct dp_longterm *l)
{
	struct xdp_umem_reg reg = { .addr = (uintptr_t)l->addr, .len = l->len,
				    .chunk_size = FRAME };
	struct xdp *x = l->ctx;
	int err;

	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return -errno;
	if (!setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		return 0;
	err = -errno;
	close(x->fd);
	return err;
}

/* The kernel lets go of the memory a little later, in a worker (xdp_umem_release_deferred()). */
static int xdp_unpin(struct dp_longterm *l)
{
	struct xdp *x = l->ctx;

	close(x->fd);
	return 0;
}

/* All rings must be there, even those that stay empty. */
static int rings_make(int fd)
{
	static const int rings[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING };
	int entries = RING;

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		if (setsockopt(fd, SOL_XDP, rings[i], &entries, sizeof(entries)))
			return -errno;
	return 0;
}

static int socket_bind(const struct xdp *x)
{
	struct sockaddr_xdp addr = {
		.sxdp_family	= AF_XDP,
		.sxdp_flags	= XDP_COPY,
		.sxdp_ifindex	= x->lo,
	};

	return bind(x->fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
}

/* The ring of frames to send; it may not be mapped once the socket is bound. */
struct ring {
	char			*map;
	size_t			 len;
	struct xdp_mmap_offsets	 off;
};

static int ring_map(int fd, struct ring *t)
{
	socklen_t size = sizeof(t->off);

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &t->off, &size))
		return -errno;
	t->len = t->off.tx.desc + RING * sizeof(struct xdp_desc);
	t->map = mmap(NULL, t->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		      XDP_PGOFF_TX_RING);
	return t->map == MAP_FAILED ? -errno : 0;
}

/* Queue each frame of the memory, from the ring's start on, and have them sent. */
static int frames_send(int fd, const struct ring *t, unsigned int frames)
{
	struct xdp_desc *desc = (struct xdp_desc *)(t->map + t->off.tx.desc);

	for (unsigned int i = 0; i < frames; i++)
		desc[i] = (struct xdp_desc){ .addr = i * FRAME, .len = FRAME };
	__atomic_store_n((uint32_t *)(t->map + t->off.tx.producer), frames, __ATOMIC_RELEASE);
	return sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

/* Nobody else talks on the loopback interface, but frames of others have other sizes. */
static int frames_hear(const struct xdp *x, char *buf, unsigned int frames)
{
	struct pollfd p = { .fd = x->ear, .events = POLLIN };

	while (frames) {
		if (poll(&p, 1, LONGTERM_WAIT_MS) != 1)
			return -ETIMEDOUT;
		if (recv(x->ear, buf, FRAME, MSG_TRUNC) != FRAME)
			continue;
		buf += FRAME;
		frames--;
	}
	return 0;
}

static int xdp_read(struct dp_longterm *l, void *buf)
{
	unsigned int frames = l->len / FRAME;
	const struct xdp *x = l->ctx;
	struct ring t;
	int err;

	if (frames > RING)
		return -E2BIG;
	err = rings_make(x->fd);
	if (err)
		return err;
	err = ring_map(x->fd, &t);
	if (err)
		return err;
	err = socket_bind(x);
	if (!err)
		err = frames_send(x->fd, &t, frames);
	munmap(t.map, t.len);
	return err ? err : frames_hear(x, buf, frames);
}

const struct longterm_ops longterm_xdp = {
	xdp_open, xdp_close, xdp_pin, xdp_unpin, xdp_read, NULL,
};
