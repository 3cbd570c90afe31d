// SPDX-License-Identifier: GPL-2.0-only
/* Pins: their kinds, how they are taken, proved and let go, and the references of pages. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp_holder.h"
#include "dp_module.h"

#define PIN_WAIT_MS	10000	/* for the reference to show */
#define IDLE_WAIT_MS	1000	/* for references to stay the same */

static int page_ask(unsigned long request, struct daxpin_page *page)
{
	int err = module_ask(request, page);

	if (err)
		return err;
	/* Of a kernel that drops what it has not taken: no other error is this one. */
	return page->refs < 0 ? -ERANGE : page->refs;
}

int dp_page_refs(const void *addr, uint64_t *pfn)
{
	struct daxpin_page page = { .addr = (uintptr_t)addr };
	int refs = page_ask(DAXPIN_PAGE, &page);

	if (refs >= 0 && pfn)
		*pfn = page.pfn;
	return refs;
}

int dp_page_idle(const void *addr, uint64_t *pfn)
{
	long deadline = dp_now_ms() + IDLE_WAIT_MS;
	int refs = dp_page_refs(addr, pfn), before;

	do {
		before = refs;
		poll(NULL, 0, 1);
		refs = dp_page_refs(addr, pfn);
	} while (refs >= 0 && refs != before && dp_now_ms() < deadline);
	return refs;
}

int dp_pfn_refs(uint64_t pfn)
{
	struct daxpin_page page = { .pfn = pfn };

	return page_ask(DAXPIN_PFN, &page);
}

const struct holder dp_holders[] = {
	[DP_PIN_DIO_READ]	  = { hold_dio,	     drop_dio,	   ON_DEV | WRITES },
	[DP_PIN_DIO_WRITE]	  = { hold_dio,	     drop_dio,	   ON_DEV },
	[DP_PIN_DIO_READV]	  = { hold_dio,	     drop_dio,	   ON_DEV | WRITES | VECTORED },
	[DP_PIN_DIO_WRITEV]	  = { hold_dio,	     drop_dio,	   ON_DEV | VECTORED },
	[DP_PIN_AIO_READ]	  = { hold_aio,	     drop_aio,	   ON_DEV | WRITES },
	[DP_PIN_AIO_WRITE]	  = { hold_aio,	     drop_aio,	   ON_DEV },
	[DP_PIN_AIO_READV]	  = { hold_aio,	     drop_aio,	   ON_DEV | WRITES | VECTORED },
	[DP_PIN_AIO_WRITEV]	  = { hold_aio,	     drop_aio,	   ON_DEV | VECTORED },
	[DP_PIN_URING_READ]	  = { hold_uring,    drop_uring,   ON_DEV | WRITES },
	[DP_PIN_URING_WRITE]	  = { hold_uring,    drop_uring,   ON_DEV },
	[DP_PIN_URING_READV]	  = { hold_uring,    drop_uring,   ON_DEV | WRITES | VECTORED },
	[DP_PIN_URING_WRITEV]	  = { hold_uring,    drop_uring,   ON_DEV | VECTORED },
	[DP_PIN_FUSE_READ]	  = { hold_fuse,     drop_fuse,	   WRITES },
	[DP_PIN_FUSE_WRITE]	  = { hold_fuse,     drop_fuse,	   0 },
	[DP_PIN_VMSPLICE]	  = { hold_vmsplice, drop_pipe,	   0 },
	[DP_PIN_SPLICE_PIPE]	  = { hold_splice,   drop_pipe,	   0 },
	[DP_PIN_SPLICE_SOCKET]	  = { hold_splice,   drop_pipe,	   TO_SOCKET },
	[DP_PIN_ZEROCOPY]	  = { hold_send,     drop_send,	   0 },
	[DP_PIN_URING_SEND_ZC]	  = { hold_send,     drop_send,	   ZC_RING },
	[DP_PIN_MODULE_GET_READ]  = { hold_module,   drop_module,  0 },
	[DP_PIN_MODULE_GET_WRITE] = { hold_module,   drop_module,  WRITES },
	[DP_PIN_MODULE_PIN_READ]  = { hold_module,   drop_module,  FOLL_PIN },
	[DP_PIN_MODULE_PIN_WRITE] = { hold_module,   drop_module,  FOLL_PIN | WRITES },
	[DP_PIN_VM_READ]	  = { hold_vm,	     drop_nothing, TRANSIENT },
	[DP_PIN_VM_WRITE]	  = { hold_vm,	     drop_nothing, TRANSIENT | WRITES },
	[DP_PIN_PTRACE_READ]	  = { hold_ptrace,   drop_nothing, TRANSIENT },
	[DP_PIN_PTRACE_WRITE]	  = { hold_ptrace,   drop_nothing, TRANSIENT | WRITES },
	[DP_PIN_MEM_READ]	  = { hold_mem,	     drop_nothing, TRANSIENT },
	[DP_PIN_MEM_WRITE]	  = { hold_mem,	     drop_nothing, TRANSIENT | WRITES },
	/* Long-term, where that is allowed. */
	[DP_PIN_URING_FIXED] = { hold_uring_fixed, drop_uring_fixed, 0 },
};

bool dp_pin_writes(enum dp_pin_kind kind)
{
	return dp_holders[kind].flags & WRITES;
}

bool dp_pin_holds(enum dp_pin_kind kind)
{
	return kind != DP_PIN_NONE && !(dp_holders[kind].flags & TRANSIENT);
}

/* At half of the range, which for a page is a sector's end as well. */
void pin_split(const struct dp_pin *p, struct iovec iov[2])
{
	size_t half = p->len / 2;

	iov[0] = (struct iovec){ .iov_base = p->addr, .iov_len = half };
	iov[1] = (struct iovec){ .iov_base = p->addr + half, .iov_len = p->len - half };
}

static int page_gained(uint64_t pfn, int idle)
{
	int refs = dp_pfn_refs(pfn);

	return refs < 0 ? refs : refs > idle;
}

/*
 * 1 once all pages have their references.  Pages of one folio share theirs, so that one
 * reference may be of the first page alone: a child that still runs after that may be
 * taking more, and so may a worker of its io_uring.  (Not any thread: one that polls as we do
 * is always about to run when we look.)
 */
static int pin_taken(const struct dp_pin *p)
{
	int gained = page_gained(p->pfn, p->idle), err;
	struct dp_sight s;

	if (gained > 0)
		gained = page_gained(p->last_pfn, p->last_idle);
	if (dp_holders[p->kind].hold == hold_uring && ring_over(p))
		return -EIO;	/* refused: the caller asks for the reason */
	if (!p->child.pid)
		return gained > 0 && p->ctx ? !uring_worker_runs() : gained;
	err = dp_child_look(&p->child, &s);
	if (err)
		return err;
	if (s.state == DP_DONE)
		return -EIO;	/* as above */
	return s.task == 'R' ? 0 : gained;
}

/* I/O may be handed to a worker before it takes its pages: wait for the references themselves. */
static int pin_wait(const struct dp_pin *p)
{
	long deadline = dp_now_ms() + PIN_WAIT_MS;
	int taken;

	do {
		taken = pin_taken(p);
		if (taken)
			return taken < 0 ? taken : 0;
		poll(NULL, 0, 1);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

/* The references that the pages have without the pin. */
static int pin_idle(struct dp_pin *p)
{
	p->idle = dp_page_idle(p->addr, &p->pfn);
	p->last_idle = dp_page_refs(p->addr + p->len - getpagesize(), &p->last_pfn);
	return p->idle < 0 ? p->idle : p->last_idle < 0 ? p->last_idle : 0;
}

/* The request was taken and the pin is not there: the I/O's own error says more. */
static int pin_undo(struct dp_pin *p, int err)
{
	int result = dp_unpin(p, NULL);

	return result < 0 ? result : err;
}

/* The first @len bytes of the device. */
static int dev_read(struct dp_dev *d, void *data, size_t len)
{
	void *buf;
	ssize_t n;

	if (posix_memalign(&buf, getpagesize(), len))
		return -ENOMEM;
	/* Without a target nobody has written beside the disk's page cache. */
	n = pread(d->fd >= 0 ? d->fd : d->disk, buf, len, 0);
	if (n == (ssize_t)len)
		memcpy(data, buf, len);
	free(buf);
	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

/* Where the data is or will be: the device itself, or a copy of our own. */
static int data_get(struct dp_pin *p)
{
	if (pin_is(p, ON_DEV))
		return dp_dev_suspend(p->dev);
	p->data = calloc(1, p->len);
	if (!p->data)
		return -ENOMEM;
	return pin_is(p, WRITES) ? dev_read(p->dev, p->data, p->len) : 0;
}

/* What the device got of a read pin. */
static int data_seen(struct dp_pin *p, void *seen)
{
	if (pin_is(p, ON_DEV))
		return dev_read(p->dev, seen, p->len);
	memcpy(seen, p->data, p->len);
	return 0;
}

/* Before a child is waited for: one that a server of ours held up is free without it. */
static void pin_free(struct dp_pin *p)
{
	for (int i = 0; i < 2; i++)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	dp_child_kill(&p->child);
	free(p->data);
	*p = (struct dp_pin){ 0 };
}

int dp_pin(struct dp_pin *p, enum dp_pin_kind kind, struct dp_dev *dev, void *addr, size_t len)
{
	struct dp_pin pin = {
		.kind = kind, .dev = dev, .addr = addr, .len = len, .fd = { -1, -1 },
	};
	int err;

	*p = (struct dp_pin){ 0 };
	if (kind == DP_PIN_NONE)
		return 0;
	err = pin_idle(&pin);
	if (err)
		return err;
	err = data_get(&pin);
	if (!err)
		err = dp_holders[kind].hold(&pin);
	if (err) {
		if (pin_is(&pin, ON_DEV))
			dp_dev_resume(dev);
		pin_free(&pin);
		return err;
	}
	*p = pin;
	if (pin_is(p, TRANSIENT))
		return 0;
	err = pin_wait(p);
	return err ? pin_undo(p, err) : 0;
}

int dp_pin_fail(struct dp_pin *p, enum dp_failure how)
{
	if (pin_is(p, ON_DEV))
		return dp_dev_fail(p->dev, how);
	switch (p->kind) {
	case DP_PIN_FUSE_READ:
	case DP_PIN_FUSE_WRITE:
	case DP_PIN_ZEROCOPY:
	case DP_PIN_URING_SEND_ZC:
		p->fails = true;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int dp_unpin(struct dp_pin *p, void *seen)
{
	int n, err = 0;

	if (p->kind == DP_PIN_NONE)
		return 0;
	if (pin_is(p, ON_DEV))
		err = dp_dev_resume(p->dev);
	if (err)
		return err;
	n = dp_holders[p->kind].drop(p);
	if (n >= 0)
		err = (size_t)n == p->len ? 0 : -ENODATA;
	else
		err = n;
	if (err == -ETIMEDOUT)
		return err;	/* still held: the kernel has not let go of the pages */
	if (!err && seen && !pin_is(p, WRITES))
		err = data_seen(p, seen);
	pin_free(p);
	return err;
}
