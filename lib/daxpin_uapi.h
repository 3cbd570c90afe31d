/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* What the daxpin module offers on /dev/daxpin. */
#ifndef DAXPIN_UAPI_H
#define DAXPIN_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DAXPIN_NAME_MAX	32
#define DAXPIN_SYMBOL_MAX 64
#define DAXPIN_CALLERS	8

/*
 * One page.  References are those of its folio, without the mappings of page
 * tables and without our own look at it; a FOLL_PIN of a small folio counts 1024.
 */
struct daxpin_page {
	__u64	addr;		/* in for DAXPIN_PAGE: an address of the caller */
	__u64	pfn;		/* out; in for DAXPIN_PFN */
	__s32	refs;
	__u32	order;		/* of the folio */
};

/* What becomes of the calls of a function that is diverted. */
enum daxpin_action {
	DAXPIN_RETURN,		/* returns at once, with value */
	DAXPIN_ARGUMENT,	/* goes on, with value as argument number N (1 to 6) */
	DAXPIN_PAUSE,		/* the first call waits for DAXPIN_RESUME, then goes on */
};

enum daxpin_whose {
	DAXPIN_TASK,		/* calls by the thread that armed it */
	DAXPIN_SESSION,		/* by any of its session, now or later */
	DAXPIN_KTHREADS,	/* by the kernel's own threads, kworkers among them */
};

struct daxpin_fault {
	char	function[DAXPIN_SYMBOL_MAX];
	/* Only calls from these; those that the kernel lacks do not count.  None: any call. */
	char	from[DAXPIN_CALLERS][DAXPIN_SYMBOL_MAX];
	__u32	action, argument;
	__u64	value;
	__u32	whose, pad;
};

enum daxpin_wedge {
	DAXPIN_WEDGE_HANG,	/* sleep uninterruptibly, for ever */
	DAXPIN_WEDGE_SPIN,	/* spin with interrupts off, for ever */
	DAXPIN_WEDGE_WARN,	/* warn, and go on */
};

#define DAXPIN_PAGE		_IOWR('x', 1, struct daxpin_page)
/*
 * Divert a function until this open file is closed.  -ENOENT: the kernel lacks the
 * function; -ESRCH: it has none of the callers; -EINVAL: the function cannot be probed;
 * -EBUSY: the file has one already, or another file pauses.
 */
#define DAXPIN_FAULT_ARM	_IOW('x', 2, struct daxpin_fault)
/* How many calls were diverted. */
#define DAXPIN_FAULT_HITS	_IOR('x', 3, __u64)
/* Of DAXPIN_PAUSE: wait up to so many ms until a call is held (-ETIMEDOUT); let it go on. */
#define DAXPIN_REACHED		_IO('x', 12)
#define DAXPIN_RESUME		_IO('x', 13)
#define DAXPIN_WEDGE		_IO('x', 4)	/* enum daxpin_wedge by value */
/* Looks only: takes no reference, faults nothing in, wakes nobody. */
#define DAXPIN_PFN		_IOWR('x', 5, struct daxpin_page)

/*
 * Whom a DAX page says that it belongs to (page->mapping and page->index; since
 * 6.15 those of its folio).
 */
struct daxpin_owner {
	__u64	addr;		/* in: an address of the caller, or 0: the page is pfn */
	__u64	pfn;		/* in, and out: of what has the owner, page or folio */
	__u64	index;		/* in: the new one; out: the one before, shared: a count */
	__s32	fd;		/* in: the new owner, -1: nobody */
	__u32	pad;
};

/* One call of a file's address space operation, with a page that is in no cache. */
struct daxpin_call {
	char	name[DAXPIN_NAME_MAX];	/* in: member of struct address_space_operations */
	__s32	fd;			/* in */
	__s32	result;			/* out: bool as 0 or 1; 0 of an operation without any */
	__u32	locked;			/* out: the page, which was locked, still is */
	__u32	pad;
};

/*
 * Give a DAX page another owner, until this open file is closed: then it has its
 * own again, or files share it again, unless it has left them.  -EBUSY: one at a
 * time; -EINVAL: not a page of persistent memory.
 */
#define DAXPIN_OWNER		_IOWR('x', 6, struct daxpin_owner)
/*
 * -ENOENT: this kernel has no such operation; -EOPNOTSUPP: this file has not.  For
 * read_folio a page of the file is read through the page cache and dropped again.
 */
#define DAXPIN_CALL		_IOWR('x', 7, struct daxpin_call)

/* Pages of the caller that are held as a driver would hold them. */
struct daxpin_pin {
	__u64	addr;		/* in, of a page */
	__u64	len;		/* in, of whole pages */
	__u32	flags;		/* in: DAXPIN_PIN_* */
	__u32	times;		/* in: how often; out of DAXPIN_PIN_DROP: how often still */
};

#define DAXPIN_PIN_FOLL_PIN	1	/* pin_user_pages_fast(); else get_user_pages_fast() */
#define DAXPIN_PIN_WRITE_ACCESS	2	/* FOLL_WRITE, and dirty when they are dropped */

struct daxpin_copy {
	__u64	off;		/* in what is held */
	__u64	len;
	__u64	data;		/* an address of the caller */
};

/*
 * Hold pages until they are dropped, or the last copy of this open file is
 * closed.  -EBUSY: it holds some; -EINVAL: no whole pages, or more than 1 Mi in
 * all; -EFAULT: not all of them could be had, and none is held.
 */
#define DAXPIN_PIN_TAKE		_IOW('x', 8, struct daxpin_pin)
/* Of struct daxpin_pin only times.  -EINVAL: more than are held. */
#define DAXPIN_PIN_DROP		_IOWR('x', 9, struct daxpin_pin)
/* What a device would do.  -EINVAL: outside of what is held; -EPERM: held without write access. */
#define DAXPIN_PIN_READ		_IOW('x', 10, struct daxpin_copy)
#define DAXPIN_PIN_WRITE	_IOW('x', 11, struct daxpin_copy)

#endif
