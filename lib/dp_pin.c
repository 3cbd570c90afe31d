// SPDX-License-Identifier: GPL-2.0-only
/* Holders: what takes a reference to a page and keeps it until told. */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dp.h"
#include "dp_module.h"

#define PIN_WAIT_MS	10000	/* for the reference to show */
#define UNPIN_WAIT_MS	30000	/* for I/O that nothing holds back any more */

/*
 * How one kind of pin is taken and let go.  hold() starts it, and need not
 * wait until the page has its reference.  drop() lets go, and ends with the
 * result of the I/O: bytes or -errno.
 */
struct holder {
	int	(*hold)(struct dp_pin *p);
	int	(*drop)(struct dp_pin *p, void *seen);
	bool	on_dev;		/* held by suspending p->dev */
	bool	writes;		/* the device writes into the page: a write pin */
};

static int page_ask(unsigned long request, struct daxpin_page *page)
{
	int err = module_ask(request, page);

	return err ? err : page->refs;
}

int dp_page_refs(const void *addr, uint64_t *pfn)
{
	struct daxpin_page page = { .addr = (uintptr_t)addr };
	int refs = page_ask(DAXPIN_PAGE, &page);

	if (refs >= 0 && pfn)
		*pfn = page.pfn;
	return refs;
}

int dp_pfn_refs(uint64_t pfn)
{
	struct daxpin_page page = { .pfn = pfn };

	return page_ask(DAXPIN_PFN, &page);
}

/* The counters are kept for each CPU until somebody asks for them to be folded. */
long dp_pins_taken(void)
{
	FILE *f = fopen("/proc/vmstat", "re");
	long value = -1;
	char line[128];

	/* Without it the number is a little old. */
	dp_knob_set("/proc/sys/vm/stat_refresh", "1");
	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "nr_foll_pin_acquired %ld", &value) != 1)
			value = -1;
	if (f)
		fclose(f);
	return value;
}

/*
 * read(2) and write(2): a child is blocked in the call
 */

static int dio_read(void *arg)
{
	struct dp_pin *p = arg;
	ssize_t n = pread(p->dev->fd, p->addr, p->len, 0);

	return n < 0 ? -errno : n;
}

static int dio_write(void *arg)
{
	struct dp_pin *p = arg;
	ssize_t n = pwrite(p->dev->fd, p->addr, p->len, 0);

	return n < 0 ? -errno : n;
}

static int hold_dio_read(struct dp_pin *p)
{
	return dp_child_start(&p->child, dio_read, p);
}

static int hold_dio_write(struct dp_pin *p)
{
	return dp_child_start(&p->child, dio_write, p);
}

static int drop_dio(struct dp_pin *p, void *seen)
{
	(void)seen;
	return dp_child_wait(&p->child, UNPIN_WAIT_MS);
}

/*
 * libaio
 */

static int aio_submit(struct dp_pin *p, short opcode)
{
	struct iocb io, *list = &io;
	io_context_t ctx = NULL;
	int err;

	err = io_setup(1, &ctx);
	if (err)
		return err;
	io_prep_pread(&io, p->dev->fd, p->addr, p->len, 0);
	io.aio_lio_opcode = opcode;
	err = io_submit(ctx, 1, &list);
	if (err == 1) {
		p->ctx = ctx;
		return 0;
	}
	io_destroy(ctx);
	return err < 0 ? err : -EIO;
}

static int hold_aio_read(struct dp_pin *p)
{
	return aio_submit(p, IO_CMD_PREAD);
}

static int hold_aio_write(struct dp_pin *p)
{
	return aio_submit(p, IO_CMD_PWRITE);
}

static int drop_aio(struct dp_pin *p, void *seen)
{
	struct timespec wait = { .tv_sec = UNPIN_WAIT_MS / 1000 };
	struct io_event ev;
	int n;

	(void)seen;
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

static int ring_new(struct dp_pin *p)
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

static void ring_free(struct dp_pin *p)
{
	io_uring_queue_exit(p->ctx);
	free(p->ctx);
	p->ctx = NULL;
}

static int ring_submit(struct dp_pin *p, bool writes)
{
	struct io_uring_sqe *sqe;
	int err;

	err = ring_new(p);
	if (err)
		return err;
	sqe = io_uring_get_sqe(p->ctx);
	if (writes)
		io_uring_prep_read(sqe, p->dev->fd, p->addr, p->len, 0);
	else
		io_uring_prep_write(sqe, p->dev->fd, p->addr, p->len, 0);
	/*
	 * At once in a worker that may block.  Otherwise a first try takes the pages,
	 * is told that it would have to wait, and drops them again.
	 */
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	err = io_uring_submit(p->ctx);
	if (err == 1)
		return 0;
	ring_free(p);
	return err < 0 ? err : -EIO;
}

static int hold_uring_read(struct dp_pin *p)
{
	return ring_submit(p, true);
}

static int hold_uring_write(struct dp_pin *p)
{
	return ring_submit(p, false);
}

static int drop_uring(struct dp_pin *p, void *seen)
{
	struct __kernel_timespec wait = { .tv_sec = UNPIN_WAIT_MS / 1000 };
	struct io_uring_cqe *cqe;
	int n;

	(void)seen;
	n = io_uring_wait_cqe_timeout(p->ctx, &cqe, &wait);
	if (n == -ETIME)
		return -ETIMEDOUT;	/* tearing the ring down would wait for ever */
	if (!n)
		n = cqe->res;
	ring_free(p);
	return n;
}

/* A registered buffer is pinned FOLL_LONGTERM (io_uring/rsrc.c, io_sqe_buffer_register()). */
static int hold_uring_fixed(struct dp_pin *p)
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

static int drop_uring_fixed(struct dp_pin *p, void *seen)
{
	int err;

	if (seen)
		memcpy(seen, p->addr, p->len);
	err = io_uring_unregister_buffers(p->ctx);
	ring_free(p);
	return err ? err : (int)p->len;
}

/*
 * vmsplice
 */

static int hold_vmsplice(struct dp_pin *p)
{
	struct iovec iov = { .iov_base = p->addr, .iov_len = p->len };
	ssize_t n;

	if (pipe2(p->pipe, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	n = vmsplice(p->pipe[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (n == (ssize_t)p->len)
		return 0;
	n = n < 0 ? -errno : -EIO;
	close(p->pipe[0]);
	close(p->pipe[1]);
	return n;
}

/* Children may share the pipe: it is reading that drops the references, not closing. */
static int drop_vmsplice(struct dp_pin *p, void *seen)
{
	void *buf = seen ? seen : malloc(p->len);
	ssize_t n = buf ? read(p->pipe[0], buf, p->len) : -1;

	if (n < 0)
		n = -errno;
	if (!seen)
		free(buf);
	close(p->pipe[0]);
	close(p->pipe[1]);
	return n;
}

static const struct holder holders[] = {
	[DP_PIN_DIO_READ]    = { hold_dio_read,    drop_dio,         true,  true },
	[DP_PIN_DIO_WRITE]   = { hold_dio_write,   drop_dio,         true,  false },
	[DP_PIN_AIO_READ]    = { hold_aio_read,    drop_aio,         true,  true },
	[DP_PIN_AIO_WRITE]   = { hold_aio_write,   drop_aio,         true,  false },
	[DP_PIN_URING_READ]  = { hold_uring_read,  drop_uring,       true,  true },
	[DP_PIN_URING_WRITE] = { hold_uring_write, drop_uring,       true,  false },
	[DP_PIN_VMSPLICE]    = { hold_vmsplice,    drop_vmsplice,    false, false },
	[DP_PIN_URING_FIXED] = { hold_uring_fixed, drop_uring_fixed, false, false },
};

bool dp_pin_writes(enum dp_pin_kind kind)
{
	return kind != DP_PIN_NONE && holders[kind].writes;
}

/* I/O may be handed to a worker before it takes its pages: wait for the reference itself. */
static int pin_wait(const struct dp_pin *p)
{
	long deadline = dp_now_ms() + PIN_WAIT_MS;
	struct dp_sight s;
	int refs;

	do {
		refs = dp_pfn_refs(p->pfn);
		if (refs < 0 || refs > p->idle)
			return refs < 0 ? refs : 0;
		if (p->child.pid && !dp_child_look(&p->child, &s) && s.state == DP_DONE)
			return -EIO;	/* refused: the caller asks for the reason */
		poll(NULL, 0, 1);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

/* The request was taken and the pin is not there: the I/O's own error says more. */
static int pin_undo(struct dp_pin *p, int err)
{
	int result = dp_unpin(p, NULL);

	return result < 0 ? result : err;
}

int dp_pin(struct dp_pin *p, enum dp_pin_kind kind, struct dp_dev *dev, void *addr, size_t len)
{
	struct dp_pin pin = { .kind = kind, .dev = dev, .addr = addr, .len = len };
	int err;

	*p = (struct dp_pin){ 0 };
	if (kind == DP_PIN_NONE)
		return 0;
	pin.idle = dp_page_refs(addr, &pin.pfn);
	if (pin.idle < 0)
		return pin.idle;
	if (holders[kind].on_dev) {
		err = dp_dev_suspend(dev);
		if (err)
			return err;
	}
	err = holders[kind].hold(&pin);
	if (err) {
		if (holders[kind].on_dev)
			dp_dev_resume(dev);
		return err;
	}
	*p = pin;
	err = pin_wait(p);
	return err ? pin_undo(p, err) : 0;
}

/* What a read pin put on the device. */
static int dev_seen(struct dp_pin *p, void *seen)
{
	void *buf;
	ssize_t n;

	if (posix_memalign(&buf, getpagesize(), p->len))
		return -ENOMEM;
	n = pread(p->dev->fd, buf, p->len, 0);
	if (n == (ssize_t)p->len)
		memcpy(seen, buf, p->len);
	free(buf);
	if (n < 0)
		return -errno;
	return n == (ssize_t)p->len ? 0 : -EIO;
}

int dp_unpin(struct dp_pin *p, void *seen)
{
	const struct holder *h = &holders[p->kind];
	int n, err = 0;

	if (p->kind == DP_PIN_NONE)
		return 0;
	if (h->on_dev)
		err = dp_dev_resume(p->dev);
	if (err)
		return err;
	n = h->drop(p, seen);
	if (n >= 0)
		err = (size_t)n == p->len ? 0 : -EIO;
	else
		err = n;
	if (err == -ETIMEDOUT)
		return err;	/* still held: the kernel has not let go of the pages */
	if (!err && h->on_dev && !h->writes && seen)
		err = dev_seen(p, seen);
	*p = (struct dp_pin){ 0 };
	return err;
}
