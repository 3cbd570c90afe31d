// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: direct I/O on a suspended device.
 *
 * The pages are taken when the bio is made (block/bio.c, bio_iov_iter_get_pages()), by
 * FOLL_GET on 6.1 and FOLL_PIN since 6.5, with FOLL_WRITE for a read; one vector
 * comes there as an ITER_UBUF, several as an ITER_IOVEC.
 */
#include <errno.h>
#include <libaio.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dp_holder.h"

/*
 * read(2), write(2), preadv(2), pwritev(2): a child is blocked in the call
 */

static int dio(void *arg)
{
	struct dp_pin *p = arg;
	int fd = p->dev->fd;
	struct iovec iov[2];
	ssize_t n;

	pin_split(p, iov);
	if (pin_is(p, VECTORED))
		n = pin_is(p, WRITES) ? preadv(fd, iov, 2, 0) : pwritev(fd, iov, 2, 0);
	else if (pin_is(p, WRITES))
		n = pread(fd, p->addr, p->len, 0);
	else
		n = pwrite(fd, p->addr, p->len, 0);
	return n < 0 ? -errno : n;
}

int hold_dio(struct dp_pin *p)
{
	return dp_child_start(&p->child, dio, p);
}

int drop_dio(struct dp_pin *p)
{
	return dp_child_wait(&p->child, UNPIN_WAIT_MS);
}

/*
 * libaio
 */

static void aio_prepare(const struct dp_pin *p, struct iocb *io, struct iovec iov[2])
{
	int fd = p->dev->fd;

	pin_split(p, iov);
	if (pin_is(p, VECTORED)) {
		io_prep_preadv(io, fd, iov, 2, 0);
		io->aio_lio_opcode = pin_is(p, WRITES) ? IO_CMD_PREADV : IO_CMD_PWRITEV;
	} else {
		io_prep_pread(io, fd, p->addr, p->len, 0);
		io->aio_lio_opcode = pin_is(p, WRITES) ? IO_CMD_PREAD : IO_CMD_PWRITE;
	}
}

/* 0: in progress.  Who refuses the pages has done so by now (fs/aio.c, aio_rw_done()). */
static int aio_start(struct dp_pin *p, io_context_t ctx)
{
	struct iocb io, *list = &io;
	struct timespec now = { 0 };
	struct iovec iov[2];
	struct io_event ev;
	int n;

	aio_prepare(p, &io, iov);
	n = io_submit(ctx, 1, &list);
	if (n == 1)
		n = io_getevents(ctx, 0, 1, &ev, &now);
	else if (!n)
		n = -EIO;
	if (n == 1)
		return (long)ev.res < 0 ? (long)ev.res : -EIO;
	return n;
}

int hold_aio(struct dp_pin *p)
{
	io_context_t ctx = NULL;
	int err;

	err = io_setup(1, &ctx);
	if (err)
		return err;
	err = aio_start(p, ctx);
	if (err)
		io_destroy(ctx);
	else
		p->ctx = ctx;
	return err;
}

int drop_aio(struct dp_pin *p)
{
	struct timespec wait = { .tv_sec = UNPIN_WAIT_MS / 1000 };
	struct io_event ev;
	int n;

	n = io_getevents(p->ctx, 1, 1, &ev, &wait);
	if (n == 1)
		n = (long)ev.res;
	else if (!n)
		return -ETIMEDOUT;	/* io_destroy() would wait for ever */
	io_destroy(p->ctx);
	return n;
}

/*
 * io_uring
 */

int ring_new(struct dp_pin *p)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	err = io_uring_queue_init(1, ring, 0);
	if (err) {
		free(ring);
		return err;
	}
	p->ctx = ring;
	return 0;
}

void ring_free(struct dp_pin *p)
{
	io_uring_queue_exit(p->ctx);
	free(p->ctx);
	p->ctx = NULL;
}

bool ring_over(const struct dp_pin *p)
{
	return io_uring_cq_ready(p->ctx);
}

int ring_wait(struct dp_pin *p, unsigned int *flags)
{
	struct __kernel_timespec wait = { .tv_sec = UNPIN_WAIT_MS / 1000 };
	struct io_uring_cqe *cqe;
	int err;

	err = io_uring_wait_cqe_timeout(p->ctx, &cqe, &wait);
	if (err)
		return err == -ETIME ? -ETIMEDOUT : err;
	err = cqe->res;
	*flags = cqe->flags;
	io_uring_cqe_seen(p->ctx, cqe);
	return err;
}

static void ring_prepare(const struct dp_pin *p, struct io_uring_sqe *sqe, struct iovec iov[2])
{
	int fd = p->dev->fd;

	pin_split(p, iov);
	if (pin_is(p, VECTORED) && pin_is(p, WRITES))
		io_uring_prep_readv(sqe, fd, iov, 2, 0);
	else if (pin_is(p, VECTORED))
		io_uring_prep_writev(sqe, fd, iov, 2, 0);
	else if (pin_is(p, WRITES))
		io_uring_prep_read(sqe, fd, p->addr, p->len, 0);
	else
		io_uring_prep_write(sqe, fd, p->addr, p->len, 0);
	/*
	 * At once in a worker that may block.  Otherwise a first try takes the pages,
	 * is told that it would have to wait, and drops them again.
	 */
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
}

int hold_uring(struct dp_pin *p)
{
	struct iovec iov[2];
	int err;

	err = ring_new(p);
	if (err)
		return err;
	ring_prepare(p, io_uring_get_sqe(p->ctx), iov);
	err = io_uring_submit(p->ctx);
	if (err == 1)
		return 0;
	ring_free(p);
	return err < 0 ? err : -EIO;
}

int drop_uring(struct dp_pin *p)
{
	unsigned int flags;
	int n = ring_wait(p, &flags);

	if (n != -ETIMEDOUT)	/* tearing the ring down would wait for ever */
		ring_free(p);
	return n;
}

/* A registered buffer is pinned FOLL_LONGTERM (io_uring/rsrc.c, io_sqe_buffer_register()). */
int hold_uring_fixed(struct dp_pin *p)
{
	struct iovec iov = { .iov_base = p->addr, .iov_len = p->len };
	int err;

	err = ring_new(p);
	if (err)
		return err;
	err = io_uring_register_buffers(p->ctx, &iov, 1);
	if (err)
		ring_free(p);
	return err;
}

/* What is in the pinned pages, which need not be mapped any more. */
static int fixed_read(struct dp_pin *p)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(p->ctx);
	int fd = memfd_create("daxpin", MFD_CLOEXEC), n;
	unsigned int flags;

	if (fd < 0)
		return -errno;
	io_uring_prep_write_fixed(sqe, fd, p->addr, p->len, 0, 0);
	n = io_uring_submit(p->ctx);
	if (n == 1)
		n = ring_wait(p, &flags);
	if (n > 0 && pread(fd, p->data, n, 0) != n)
		n = -EIO;
	close(fd);
	return n;
}

int drop_uring_fixed(struct dp_pin *p)
{
	int n = fixed_read(p), err;

	err = io_uring_unregister_buffers(p->ctx);
	ring_free(p);
	return err ? err : n;
}
