/* SPDX-License-Identifier: GPL-2.0-only */
/* Holders, one row for each kind of pin: what dp_pin.c knows of the other files dp_pin_*.c. */
#ifndef DP_HOLDER_H
#define DP_HOLDER_H

#include <sys/uio.h>

#include "dp.h"

#define UNPIN_WAIT_MS	30000	/* for I/O that nothing holds back any more */

enum {
	ON_DEV	  = 1,	/* held by suspending p->dev, which has or gets the data */
	WRITES	  = 2,	/* data is written into the pages */
	VECTORED  = 4,	/* by two vectors that together are the range */
	TRANSIENT = 8,	/* done when hold() returns: no reference is left */
	FOLL_PIN  = 16,	/* daxpin module: counted as a pin */
	ZC_RING	  = 32,	/* sent by io_uring */
	TO_SOCKET = 64,	/* spliced on to a socket */
};

/*
 * How one kind of pin is taken and let go.  hold() starts it, and need not
 * wait until the page has its reference; when it fails, the caller closes p->fd and
 * kills p->child.  drop() lets go, and ends with the result of the I/O: bytes or -errno,
 * -ETIMEDOUT: still held.  Data of what is not ON_DEV is in p->data: there before hold()
 * when it is to be written, and otherwise after drop().
 */
struct holder {
	int		(*hold)(struct dp_pin *p);
	int		(*drop)(struct dp_pin *p);
	unsigned int	flags;
};

extern const struct holder dp_holders[];

static inline bool pin_is(const struct dp_pin *p, unsigned int flag)
{
	return dp_holders[p->kind].flags & flag;
}

/* dp_child.c: does a worker of an io_uring of this process run? */
bool uring_worker_runs(void);

/* The pinned range as two vectors. */
void pin_split(const struct dp_pin *p, struct iovec iov[2]);

/* dp_pin_io.c: through a suspended device, but for the fixed buffer */
int hold_dio(struct dp_pin *p);
int drop_dio(struct dp_pin *p);
int hold_aio(struct dp_pin *p);
int drop_aio(struct dp_pin *p);
int hold_uring(struct dp_pin *p);
int drop_uring(struct dp_pin *p);
int hold_uring_fixed(struct dp_pin *p);
int drop_uring_fixed(struct dp_pin *p);

/* dp_pin_io.c: a ring of one entry in p->ctx */
int ring_new(struct dp_pin *p);
void ring_free(struct dp_pin *p);
bool ring_over(const struct dp_pin *p);		/* something has completed */
/* The result of what completes next, with its @flags; -ETIMEDOUT. */
int ring_wait(struct dp_pin *p, unsigned int *flags);

/* dp_pin_pipe.c */
int hold_vmsplice(struct dp_pin *p);
int hold_splice(struct dp_pin *p);
int drop_pipe(struct dp_pin *p);

/* dp_pin_net.c */
int hold_send(struct dp_pin *p);
int drop_send(struct dp_pin *p);

/* dp_pin_fuse.c */
int hold_fuse(struct dp_pin *p);
int drop_fuse(struct dp_pin *p);

/* dp_pin_module.c */
int hold_module(struct dp_pin *p);
int drop_module(struct dp_pin *p);

/* dp_pin_access.c */
int hold_vm(struct dp_pin *p);
int hold_ptrace(struct dp_pin *p);
int hold_mem(struct dp_pin *p);
int drop_nothing(struct dp_pin *p);

#endif
