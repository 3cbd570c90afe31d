// SPDX-License-Identifier: GPL-2.0-only
/* Long-term pins: one way to ask the interfaces that take them, and the small ones. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dp_longterm.h"

int longterm_lo_up(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq ifr = { .ifr_name = "lo" };

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		err = -errno;
	} else if (!(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &ifr))
			err = -errno;
	}
	close(fd);
	return err;
}

/*
 * io_uring: the device is the ring, and what it moves is the content of a memfd
 */

struct uring {
	struct io_uring	ring;
	int		file;
};

static int uring_open(struct dp_longterm *l)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->file = memfd_create("daxpin-uring", MFD_CLOEXEC);
	if (u->file < 0) {
		err = -errno;
		goto err_free;
	}
	err = io_uring_queue_init(1, &u->ring, 0);
	if (err)
		goto err_file;
	l->ctx = u;
	return 0;

err_file:
	close(u->file);
err_free:
	free(u);
	return err;
}

static void uring_close(struct dp_longterm *l)
{
	struct uring *u = l->ctx;

	io_uring_queue_exit(&u->ring);
	close(u->file);
	free(u);
}

static int uring_pin(struct dp_longterm *l)
{
	struct iovec iov = { .iov_base = l->addr, .iov_len = l->len };
	struct uring *u = l->ctx;

	return io_uring_register_buffers(&u->ring, &iov, 1);
}

static int uring_unpin(struct dp_longterm *l)
{
	struct uring *u = l->ctx;

	return io_uring_unregister_buffers(&u->ring);
}

/* A table with an empty slot pins nothing; whoever updates it pins. */
static int update_open(struct dp_longterm *l)
{
	struct uring *u;
	int err;

	err = uring_open(l);
	if (err)
		return err;
	u = l->ctx;
	err = io_uring_register_buffers_sparse(&u->ring, 1);
	if (err)
		uring_close(l);
	return err;
}

static int update_pin(struct dp_longterm *l)
{
	struct iovec iov = { .iov_base = l->addr, .iov_len = l->len };
	struct uring *u = l->ctx;
	__u64 tag = 0;
	int n;

	n = io_uring_register_buffers_update_tag(&u->ring, 0, &iov, &tag, 1);
	if (n < 0)
		return n;
	return n == 1 ? 0 : -EIO;
}

/* To empty the slot takes a second (6.1, io_rsrc_node_ref_zero()); a new table does not. */
static int update_unpin(struct dp_longterm *l)
{
	struct uring *u = l->ctx;
	int err;

	err = uring_unpin(l);
	return err ? err : io_uring_register_buffers_sparse(&u->ring, 1);
}

/* Submit what is prepared; its l->len bytes must be moved. */
static int uring_run(struct dp_longterm *l)
{
	struct __kernel_timespec wait = { .tv_sec = LONGTERM_WAIT_MS / 1000 };
	struct uring *u = l->ctx;
	struct io_uring_cqe *cqe;
	int n;

	n = io_uring_submit(&u->ring);
	if (n != 1)
		return n < 0 ? n : -EIO;
	n = io_uring_wait_cqe_timeout(&u->ring, &cqe, &wait);
	if (n)
		return n == -ETIME ? -ETIMEDOUT : n;
	n = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	if (n < 0)
		return n;
	return (size_t)n == l->len ? 0 : -EIO;
}

static int uring_read(struct dp_longterm *l, void *buf)
{
	struct uring *u = l->ctx;
	int err;

	io_uring_prep_write_fixed(io_uring_get_sqe(&u->ring), u->file, l->addr, l->len, 0, 0);
	err = uring_run(l);
	if (err)
		return err;
	return pread(u->file, buf, l->len, 0) == (ssize_t)l->len ? 0 : -EIO;
}

static int uring_write(struct dp_longterm *l, const void *buf)
{
	struct uring *u = l->ctx;

	if (pwrite(u->file, buf, l->len, 0) != (ssize_t)l->len)
		return -EIO;
	io_uring_prep_read_fixed(io_uring_get_sqe(&u->ring), u->file, l->addr, l->len, 0, 0);
	return uring_run(l);
}

static const struct longterm_ops longterm_uring = {
	uring_open, uring_close, uring_pin, uring_unpin, uring_read, uring_write,
};

static const struct longterm_ops longterm_update = {
	update_open, uring_close, update_pin, update_unpin, uring_read, uring_write,
};

/*
 * gup_test: the kernel's own pins, in debugfs.  Its header is not for user space.
 */

struct gup_pin {
	uint64_t	addr;
	uint64_t	size;
	uint32_t	flags;
};

#define GUP_PIN_START	_IOW('g', 7, struct gup_pin)
#define GUP_PIN_STOP	_IO('g', 8)
#define GUP_PIN_READ	_IOW('g', 9, uint64_t)
#define GUP_PIN_FAST	2

struct gup {
	int	fd;
};

static int gup_open(struct dp_longterm *l)
{
	struct gup *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->fd = open(DP_GUP_TEST, O_RDWR | O_CLOEXEC);
	if (g->fd < 0) {
		err = -errno;
		free(g);
		return err;
	}
	l->ctx = g;
	return 0;
}

static void gup_close(struct dp_longterm *l)
{
	struct gup *g = l->ctx;

	close(g->fd);
	free(g);
}

static int gup_pin(struct dp_longterm *l)
{
	struct gup_pin req = { (uintptr_t)l->addr, l->len, GUP_PIN_FAST };
	struct gup *g = l->ctx;

	return ioctl(g->fd, GUP_PIN_START, &req) ? -errno : 0;
}

static int gup_unpin(struct dp_longterm *l)
{
	struct gup *g = l->ctx;

	return ioctl(g->fd, GUP_PIN_STOP) ? -errno : 0;
}

static int gup_read(struct dp_longterm *l, void *buf)
{
	uint64_t to = (uintptr_t)buf;
	struct gup *g = l->ctx;

	return ioctl(g->fd, GUP_PIN_READ, &to) ? -errno : 0;
}

static const struct longterm_ops longterm_gup = {
	gup_open, gup_close, gup_pin, gup_unpin, gup_read, NULL,
};

/*
 * All of them
 */

static const struct longterm_ops *const interfaces[] = {
	[DP_LONGTERM_URING]  = &longterm_uring,
	[DP_LONGTERM_UPDATE] = &longterm_update,
	[DP_LONGTERM_RDMA]   = &longterm_rdma,
	[DP_LONGTERM_XDP]    = &longterm_xdp,
	[DP_LONGTERM_GUP]    = &longterm_gup,
};

bool dp_longterm_writes(enum dp_longterm_kind kind)
{
	return interfaces[kind]->write;
}

int dp_longterm_open(struct dp_longterm *l, enum dp_longterm_kind kind)
{
	struct dp_longterm new = { .kind = kind };
	int err;

	err = interfaces[kind]->open(&new);
	if (!err)
		*l = new;
	return err;
}

void dp_longterm_close(struct dp_longterm *l)
{
	if (!l->ctx)
		return;
	dp_longterm_unpin(l);
	interfaces[l->kind]->close(l);
	*l = (struct dp_longterm){ 0 };
}

int dp_longterm_pin(struct dp_longterm *l, void *addr, size_t len)
{
	struct dp_longterm pin = *l;
	int err;

	if (!l->ctx)
		return -EBADF;
	if (l->addr)
		return -EBUSY;
	pin.addr = addr;
	pin.len = len;
	err = interfaces[l->kind]->pin(&pin);
	if (!err)
		*l = pin;
	return err;
}

int dp_longterm_unpin(struct dp_longterm *l)
{
	int err;

	if (!l->addr)
		return 0;
	err = interfaces[l->kind]->unpin(l);
	if (err)
		return err;
	l->addr = NULL;
	l->len = 0;
	return 0;
}

int dp_longterm_read(struct dp_longterm *l, void *buf)
{
	return l->addr ? interfaces[l->kind]->read(l, buf) : -ENODATA;
}

int dp_longterm_write(struct dp_longterm *l, const void *buf)
{
	if (!l->addr)
		return -ENODATA;
	return interfaces[l->kind]->write ? interfaces[l->kind]->write(l, buf) : -EOPNOTSUPP;
}
