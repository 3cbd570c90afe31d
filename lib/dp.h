/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daxpin library: pin pages of a file, collide with the pin, observe.
 *
 * Every dp_*() that can fail returns 0 or -errno, and leaves nothing half-made
 * when it fails.  The library never prints, exits, asserts or decides: it
 * returns facts.  A structure of zeroes is one that holds nothing, and every
 * release is idempotent.  Lengths and offsets are in bytes, times in
 * milliseconds of CLOCK_MONOTONIC.
 */
#ifndef DP_H
#define DP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DP_PMD_SIZE	(2UL << 20)	/* x86-64, and arm64 with 4K pages */

/*
 * Time
 */

/* Now, on CLOCK_MONOTONIC. */
long dp_now_ms(void);
long long dp_now_ns(void);	/* the same in nanoseconds */

/*
 * Data: every byte of a test's data is a function of a seed and its offset, so
 * that a wrong byte says where it came from.
 */

/* Fill @len bytes at @buf with the data of @seed from offset @off on. */
void dp_data_fill(void *buf, size_t len, off_t off, uint64_t seed);

/* Offset of the first difference between @a and @b, or -1. */
off_t dp_data_differ(const void *a, const void *b, size_t len);

/* A sum of @len bytes, which depends on their order and on @sum, that of those before them. */
uint64_t dp_data_sum(const void *buf, size_t len, uint64_t sum);

/*
 * What a file must hold after what was done to it: pieces in the order of their
 * offsets, the first at 0 and each up to the next.  A piece is the data of a seed from
 * an offset of it on, or with seed 0 zeroes, as all that is beyond the size.
 */
#define DP_PIECES	32

struct dp_piece {
	off_t	 off;		/* in the file */
	uint64_t seed;
	off_t	 from;		/* of the seed's data */
};

struct dp_content {
	off_t		size;
	int		n;
	struct dp_piece	piece[DP_PIECES];	/* one too many ends the program */
};

void dp_content_init(struct dp_content *x, off_t size, uint64_t seed);

/* @len bytes at @off become the data of @seed from @from on; the size stays. */
void dp_content_put(struct dp_content *x, off_t off, off_t len, uint64_t seed, off_t from);

/* @len bytes at @to become what @from has at @off, which may be @x itself; the size stays. */
void dp_content_copy(struct dp_content *x, off_t to, const struct dp_content *from, off_t off,
		     off_t len);

/* As truncate(2), whether the file shrinks or grows. */
void dp_content_cut(struct dp_content *x, off_t size);

/* As fallocate(2) with FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE. */
void dp_content_collapse(struct dp_content *x, off_t off, off_t len);
void dp_content_insert(struct dp_content *x, off_t off, off_t len);

/* Whose data are at @off: a seed, or 0. */
uint64_t dp_content_seed(const struct dp_content *x, off_t off);

/* The @len bytes from @off on, which may be beyond the size. */
void dp_content_read(const struct dp_content *x, void *buf, off_t off, size_t len);

/*
 * Events of the kernel, counted
 */

#define DP_CPUS	64

enum dp_whose {
	DP_OURS,	/* of the calling task */
	DP_ANYBODYS,	/* of all tasks, on the first DP_CPUS CPUs */
};

struct dp_events {
	int	fd[DP_CPUS];
	int	n;		/* of them that are open, 0: not held */
};

/*
 * Count from now on how often @event ("fs_dax/dax_writeback_one") occurs whose fields
 * match @filter (NULL: all; Documentation/trace/events.rst).  -ENOENT: this kernel has no
 * such event, -E2BIG: too many CPUs.
 */
int dp_events_open(struct dp_events *e, const char *event, const char *filter, enum dp_whose whose);

/*
 * Count from now on how often @function of the kernel is called with arguments, arg1 and
 * arg2, that match @filter (NULL: any).  -ENOENT: this kernel has no such function, or no
 * CONFIG_KPROBE_EVENTS.  The event for it, daxpin/FUNCTION, stays.
 */
int dp_calls_open(struct dp_events *e, const char *function, const char *filter,
		  enum dp_whose whose);

/* How often since then, -1 when nobody can tell. */
long dp_events_count(const struct dp_events *e);
void dp_events_close(struct dp_events *e);

/*
 * Files
 */

enum dp_map {
	DP_MAP_PTE,	/* placed so that no PMD can map it */
	DP_MAP_PMD,	/* placed so that PMDs can map it; see dp_file.pmds */
};

struct dp_file {
	int		 fd;		/* valid while map is */
	int		 dir;		/* of the folder, for unlink */
	char		*map;		/* MAP_SHARED, the whole file, NULL: not held */
	size_t		 len;		/* bytes at creation; a multiple of the page size */
	char		 name[64];
	uint64_t	 seed;
	bool		 dax;		/* statx() says S_DAX */
	bool		 written;	/* FIEMAP: no unwritten extent and no hole */
	int		 pmds;		/* PMD entries mapped, -1: nothing to tell them by */
};

/*
 * Create a file of @len bytes in @dir, write it (allocated blocks alone are
 * zero-filled by direct I/O without taking a page: fs/iomap/direct-io.c,
 * iomap_dio_iter()), map it shared and write-fault all of it.
 *
 * dp_file.pmds counts the fs_dax:dax_pmd_fault_done events of this process that
 * returned VM_FAULT_NOPAGE (fs/dax.c, dax_iomap_pmd_fault()); in a smaller file there
 * are none, and nobody looks.
 */
int dp_file_open(struct dp_file *f, const char *dir, size_t len, enum dp_map how, uint64_t seed);

/*
 * A shared mapping of the first @len bytes of @fd, read and write, that PMDs fit into or do
 * not, with no page mapped yet.  MAP_FAILED and errno, as mmap(2).
 */
char *dp_map_shared(int fd, size_t len, enum dp_map how);

/*
 * Files that are made in @folder from now on have the DAX flag, as it has itself, and are DAX
 * where the file system goes by that (dax=inode).  0 or -errno.
 */
int dp_dax_inherit(const char *folder);

/* Unmap, close and unlink.  The caller must hold no pin on it: new kernels wait for ever. */
void dp_file_close(struct dp_file *f);

#define DP_KEPT	"remount-"	/* how the names of kept files begin */
#define DP_KEPT_MAX 64		/* and how long they are at most, with the 0 */

/*
 * The file is to stay after its other names and @fd: it gets @name in the folder @dir, which has
 * a sum of what read(2) returns now.  1: it has.  0: not this file, which lost its last name, is
 * as large as a PMD, or less than half of its file system is free.  Or -errno.
 */
int dp_keep(int fd, int dir, char name[DP_KEPT_MAX]);

/* 1: the file at @path, which has been kept, holds what it did then; 0: it does not, or -errno. */
int dp_kept_right(const char *path);

/*
 * Children: what may block runs in one, and is watched from outside.
 */

struct dp_child {
	pid_t		 pid;		/* 0: not held */
	int		 pidfd;
	int		*result;	/* shared with the child; what fn returned */
};

enum dp_state {
	DP_DONE,	/* ended */
	DP_WAITS,	/* sleeps in the kernel's wait for DAX pages to become idle */
	DP_BUSY,	/* neither, yet */
};

struct dp_sight {
	enum dp_state	 state;
	char		 task;		/* state letter of /proc/PID/stat, '-' when ended */
	char		 wchan[64];	/* function it sleeps in, "0" when it runs */
};

/* Run fn(arg) in a child that dies with this process. */
int dp_child_start(struct dp_child *c, int (*fn)(void *arg), void *arg);

/* Look at the child once. */
int dp_child_look(const struct dp_child *c, struct dp_sight *s);

/*
 * Watch the child until it has ended or waits for DAX pages, at most @bound_ms;
 * -ETIMEDOUT when it does neither, with what was seen last in @s.
 *
 * "Waits" is the state of the task and the function it sleeps in, not a length
 * of time: ext4_break_layouts() or xfs_break_dax_layouts() (6.x, with their
 * *_wait_dax_page() inlined or not), dax_break_layout() and wait_page_idle()
 * (since 6.15), all of them interruptibly, and uninterruptibly
 * dax_break_layout_final() (since 6.15, when the inode goes).
 */
int dp_child_settle(const struct dp_child *c, struct dp_sight *s, unsigned int bound_ms);

/*
 * fn's result, once nothing holds the child up any more.  -EDEADLK when it goes
 * on sleeping in its wait for DAX pages and is not even woken (its count of
 * voluntary context switches stands still), -ETIMEDOUT after @bound_ms.
 */
int dp_child_return(struct dp_child *c, unsigned int bound_ms);

/* fn's result, once it has ended; -ETIMEDOUT after @bound_ms, -EINTR if it ended before fn did. */
int dp_child_wait(struct dp_child *c, unsigned int bound_ms);

/* Kill the child; false when it did not die within a second (it is left alone then). */
bool dp_child_kill(struct dp_child *c);

/*
 * Faults
 */

/*
 * Have the kernel's @function return 0 at once when the calling thread calls it, by the
 * daxpin module.  Returns a descriptor whose close ends that, or -errno: -ENOENT without
 * the module or the function.  A cell's `fault` needs no help of the test.
 */
int dp_divert(const char *function);

/*
 * Hold the first task of this session that calls @function of the kernel: what can only
 * happen in a short moment then has all the time it needs.  Returns a descriptor, or
 * -errno: -ENOENT without the daxpin module or the function, -EBUSY when another one is
 * open.  Who is held goes on when the last copy of it is closed.
 */
int dp_pause(const char *function);

/* Wait until it is held; -ETIMEDOUT after @bound_ms. */
int dp_pause_reached(int fd, unsigned int bound_ms);

/* Let it go on, now or when it comes. */
int dp_pause_resume(int fd);

/*
 * The RAM-backed block device that direct I/O is held on
 */

struct dp_dev {
	char		 name[32];	/* of the device-mapper target; empty: not held */
	int		 fd;		/* O_DIRECT, on the target; -1: there is none yet */
	int		 disk;		/* on the RAM disk below, beside the target */
	size_t		 len;
	bool		 suspended;
	bool		 own;		/* the target is not the program's, and goes with us */
	bool		 may_fail;	/* requests to the disk do */
	struct dp_child	 client;	/* of a network block device, dp_dev_connect() */
	int		 server;	/* the other end of its socket */
	bool		 connected;	/* fd is of such a device */
};

/* By what a device comes to fail. */
enum dp_failure {
	DP_FAIL_ERROR,		/* it is replaced, as dmsetup remove --force does */
	DP_FAIL_FLAKEY,		/* it is down for a while (dm-flakey) */
	DP_FAIL_DUST,		/* it has bad blocks, which only reads notice (dm-dust) */
	DP_FAIL_REQUEST,	/* the disk below fails each request (fail_make_request) */
	DP_FAIL_GONE,		/* it goes, with requests that were not answered (nbd) */
};

/*
 * Open the RAM disk @disk, and overwrite its first @len bytes with the data of @seed.
 * A dm-linear target over them is opened for direct I/O when it is suspended for the
 * first time.  It is the program's, made by the first who asks and removed when the
 * program ends, or one of our own when another has that.
 */
int dp_dev_open(struct dp_dev *d, const char *disk, size_t len, uint64_t seed);
void dp_dev_close(struct dp_dev *d);

/*
 * Suspended, the target queues every bio (drivers/md/dm.c, dm_submit_bio())
 * until it is resumed: direct I/O keeps its pages exactly that long, and the
 * data moves only then.
 */
int dp_dev_suspend(struct dp_dev *d);
int dp_dev_resume(struct dp_dev *d);

/*
 * Instead of a target, take a network block device of the same length whose server never
 * answers: requests are on their way to it until dp_dev_resume() disconnects it, and then
 * fail with EIO (drivers/block/nbd.c, nbd_clear_sock_ioctl()).  -EBUSY: there is a target, or
 * all such devices are in use; -ENOENT without the driver; -ETIMEDOUT when it does not
 * start within 5 s.
 */
int dp_dev_connect(struct dp_dev *d);

/* For dp_dev.c: what resume does to it; -ETIMEDOUT when it does not end within 5 s. */
int dp_dev_disconnect(struct dp_dev *d);

/*
 * Have I/O fail with EIO: of a suspended device all that is queued, once it is resumed, or
 * with DP_FAIL_DUST, of one that is not suspended, reads from now on.  -EINVAL: not in
 * this state, or not connected, or the kernel has no such target; -ENOENT: it cannot fail
 * requests.
 */
int dp_dev_fail(struct dp_dev *d, enum dp_failure how);

/*
 * Pins
 */

/*
 * What takes the pages, and how: FOLL_GET, one reference, or FOLL_PIN, a pin that counts as
 * 1024 references on a small folio; a write pin (FOLL_WRITE) is one for a device that
 * writes into the pages.  READ and WRITE are as the device or the other side is asked,
 * which of the pages is the opposite: DP_PIN_DIO_READ is a write pin.
 */
enum dp_pin_kind {
	DP_PIN_NONE,
	/* Direct I/O, FOLL_GET on 6.1 and FOLL_PIN since 6.5; READV, WRITEV: two vectors */
	DP_PIN_DIO_READ,	/* read(2) from the device into the mapping: a write pin */
	DP_PIN_DIO_WRITE,	/* write(2) from the mapping to the device: a read pin */
	DP_PIN_DIO_READV,
	DP_PIN_DIO_WRITEV,
	DP_PIN_AIO_READ,	/* the same through libaio */
	DP_PIN_AIO_WRITE,
	DP_PIN_AIO_READV,
	DP_PIN_AIO_WRITEV,
	DP_PIN_URING_READ,	/* the same through io_uring */
	DP_PIN_URING_WRITE,
	DP_PIN_URING_READV,
	DP_PIN_URING_WRITEV,
	/* A FUSE server of ours keeps the request; FOLL_GET on 6.1 and FOLL_PIN since 6.3 */
	DP_PIN_FUSE_READ,	/* its reply is the write into the pages */
	DP_PIN_FUSE_WRITE,
	/* Read pins, FOLL_GET */
	DP_PIN_VMSPLICE,	/* vmsplice(2) into a pipe */
	DP_PIN_SPLICE_PIPE,	/* and on into another pipe, by splice(2) */
	DP_PIN_SPLICE_SOCKET,	/* and on into an AF_UNIX socket */
	DP_PIN_ZEROCOPY,	/* MSG_ZEROCOPY by TCP to a peer that does not read */
	DP_PIN_URING_SEND_ZC,	/* IORING_OP_SEND_ZC to such a peer */
	/* The daxpin module, as a driver: see dp_gup_take(); WRITE is of the pages */
	DP_PIN_MODULE_GET_READ,
	DP_PIN_MODULE_GET_WRITE,
	DP_PIN_MODULE_PIN_READ,
	DP_PIN_MODULE_PIN_WRITE,
	/* Holds nothing: done when dp_pin() returns; READ and WRITE are of the pages */
	DP_PIN_VM_READ,		/* process_vm_readv(2), FOLL_PIN */
	DP_PIN_VM_WRITE,
	DP_PIN_PTRACE_READ,	/* PTRACE_PEEKDATA, FOLL_GET */
	DP_PIN_PTRACE_WRITE,
	DP_PIN_MEM_READ,	/* /proc/PID/mem, FOLL_GET */
	DP_PIN_MEM_WRITE,
	DP_PIN_URING_FIXED,	/* registered buffer: FOLL_LONGTERM, refused on fsdax */
	DP_PIN_KINDS
};

struct dp_pin {
	enum dp_pin_kind kind;		/* DP_PIN_NONE: not held */
	struct dp_dev	*dev;
	char		*addr;
	size_t		 len;
	uint64_t	 pfn;		/* of the page at addr */
	int		 idle;		/* its references before */
	uint64_t	 last_pfn;	/* the same of the last page */
	int		 last_idle;
	struct dp_child	 child;		/* blocked in the system call */
	int		 fd[2];		/* pipe, sockets, FUSE; -1: none */
	size_t		 ahead;		/* bytes that the peer has to read before ours */
	char		*data;		/* what is written into the pages, or was read of them */
	void		*ctx;		/* libaio, io_uring */
	bool		 fails;		/* what it asked for is not done, dp_pin_fail() */
};

/* True for a kind that writes into the pages when it is released, or at once if it holds none. */
bool dp_pin_writes(enum dp_pin_kind kind);

/* True for a kind that has references from dp_pin() to dp_unpin(): not NONE, VM, PTRACE, MEM. */
bool dp_pin_holds(enum dp_pin_kind kind);

/*
 * Pin @len bytes at @addr (page-aligned; at most 16 pages, as many as a pipe has room for) until
 * dp_unpin().  What is written into the pages is what is at offset 0 of @dev.  Direct I/O
 * is from or to there, and suspends @dev.  Returns once the pin is held: the first and
 * the last page have more references than before (daxpin module; mm/gup.c takes
 * them in order), and a child that does the I/O sleeps.  A kind that holds nothing has
 * done its access.
 *
 * -ENOENT without the daxpin module (nothing could prove the pin), -EOPNOTSUPP
 * or another error of the kernel when it refuses, -ETIMEDOUT when the
 * request was accepted and no reference appeared (should its I/O not end either,
 * the pin stays held, for dp_unpin() to try again).
 */
int dp_pin(struct dp_pin *p, enum dp_pin_kind kind, struct dp_dev *dev, void *addr, size_t len);

/*
 * Let go: resume the device, answer, empty the pipe or have the peer read, and wait
 * until the kernel says that it is done.  What was read through a read pin is stored in
 * @seen (p->len bytes; NULL: not wanted).  Returns 0, the error of the I/O, -ENODATA when
 * it was short, -ETIMEDOUT.
 */
int dp_unpin(struct dp_pin *p, void *seen);

/*
 * Have dp_unpin() end in an error: what I/O of a suspended device waits for fails in this
 * way (dp_dev_fail()) with EIO.  Of other kinds the peer goes, whatever @how is: a FUSE
 * server, so that the kernel aborts its connection (fs/fuse/dev.c, fuse_dev_release()),
 * ECONNABORTED, and who should read from a socket, so that all that is queued for him is
 * thrown away (net/ipv4/tcp_input.c, tcp_reset()), ECONNRESET.  -EOPNOTSUPP for the rest.
 */
int dp_pin_fail(struct dp_pin *p, enum dp_failure how);

/*
 * What a driver could do, and no system call: pins of the daxpin module.  They belong to
 * the descriptor, which may be passed on: they survive munmap(), the close of
 * the file and the end of who took them, and go with the last copy of it.
 */
enum dp_gup {
	DP_GUP_GET   = 0,	/* get_user_pages_fast() and put_page() */
	DP_GUP_PIN   = 1,	/* pin_user_pages_fast() and unpin_user_pages_dirty_lock() */
	DP_GUP_WRITE = 2,	/* FOLL_WRITE; the pages are made dirty when they are dropped */
};

/*
 * Take all pages of @len bytes at @addr (page-aligned both) so many @times.  Returns a
 * descriptor or -errno: -ENOENT without the daxpin module, otherwise that of
 * mm/gup.c; then nothing is held.
 */
int dp_gup_take(const void *addr, size_t len, unsigned int flags, unsigned int times);

/* Drop as many of them: how many are left, or -errno, -EINVAL: there are fewer. */
int dp_gup_drop(int fd, unsigned int times);

/* Through the pins: to and from offset @off of what is pinned; -EPERM without DP_GUP_WRITE. */
int dp_gup_write(int fd, off_t off, const void *data, size_t len);
int dp_gup_read(int fd, off_t off, void *data, size_t len);

/*
 * References of the folio behind @addr, without those of page tables (an idle
 * DAX page has 1 before 6.15 and 0 since), FOLL_PIN counting 1024 on a small
 * folio; and its page frame in @pfn (NULL: not wanted).  Faults the page in, and
 * takes and drops a reference of its own.  -ENOENT without the daxpin module, -ERANGE when
 * the kernel counts fewer than none.
 */
int dp_page_refs(const void *addr, uint64_t *pfn);

/*
 * The same of a page that nobody is using: read until it is the same twice, with the CPU
 * given up in between, for a second at most.  Who has written a page back has a reference
 * until after the writer goes on (mm/filemap.c, folio_end_writeback()).
 */
int dp_page_idle(const void *addr, uint64_t *pfn);

/* As dp_page_refs() of a page frame, and looks only: no fault, no reference, no wake-up. */
int dp_pfn_refs(uint64_t pfn);

/*
 * FOLL_PIN pins that the whole system ever took (nr_foll_pin_acquired of
 * /proc/vmstat), -1 when the kernel does not tell.
 */
long dp_pins_taken(void);

/* FOLL_PIN pins that the whole system holds (/proc/vmstat), -1 when the kernel does not tell. */
long dp_pins_held(void);

/* The counter @name of /proc/vmstat, up to date, or -1 when this kernel has none. */
long dp_vmstat(const char *name);

/*
 * Warnings of the kernel's since it booted (kernel/panic.c, __warn(), in
 * /sys/kernel/warn_count), -1 when the kernel does not tell (before 6.2 and late 6.1).
 */
long dp_warn_count(void);

/*
 * Write-back and reclaim: what they did to a page, and who makes them do it
 */

/* Bits of /proc/kpageflags (include/linux/kernel-page-flags.h). */
enum dp_page_flag {
	DP_PAGE_REFERENCED	= 2,
	DP_PAGE_DIRTY		= 4,
	DP_PAGE_ACTIVE		= 6,
	DP_PAGE_WRITEBACK	= 8,
	DP_PAGE_MAPPED		= 11,	/* by a page table of anybody */
	DP_PAGE_PRIVATE		= 35,	/* the folio has buffers */
};

#define DP_PAGE(flag)	(1ULL << DP_PAGE_##flag)

/* The flags of a page frame.  Only looks.  Of a large folio, those of its first page tell. */
int dp_page_flags(uint64_t pfn, uint64_t *flags);

/*
 * How many pages of @len bytes at @off (page-aligned both, at most 512 pages) the page
 * cache has, by mincore(2) of a mapping that is not touched.
 */
long dp_file_resident(int fd, off_t off, size_t len);

/*
 * Move the calling process into a memory cgroup of its own, /sys/fs/cgroup/daxpin, for
 * good: what it brings into the page cache from now on is charged there.  -ENOENT without
 * a hierarchy of version 2 or its memory controller.
 */
int dp_cgroup_enter(void);

/*
 * Have the kernel reclaim @bytes of it (memory.reclaim, since 5.19): -EAGAIN when it
 * gets less, -ENOENT without that file.
 */
int dp_cgroup_reclaim(size_t bytes);

/*
 * Autopsy: why does @c not return?  Has the kernel log every blocked task
 * (sysrq w) and every CPU (sysrq l), releases the @n pins one by one, takes and
 * drops a reference of the page at @addr (whose frame is @pfn), which wakes whoever
 * waits for it, and last unmaps it.  @text tells in one line where the child sleeps,
 * with its kernel stack, the page's references, and what freed the child.
 */
void dp_autopsy(struct dp_child *c, struct dp_pin *pins, size_t n, const void *addr,
		uint64_t pfn, char *text, size_t size);

/* Write @text to a file of the kernel's, with one write(2): 0 or -errno. */
int dp_knob_set(const char *path, const char *text);

/* The same; what it was before is told in @was, of @size bytes, which can be set again. */
int dp_knob_swap(const char *path, const char *text, char *was, size_t size);

/* Start of a case: warnings that fire once may fire again, and the kernel log says where. */
void dp_case_begin(const char *name);

/*
 * Debug pins: what a kernel with CONFIG_DAX_DEBUG_PINS counts and reports
 */

/* The counter @name of dax_pins in debugfs, or -errno: -ENOENT without the option. */
long dp_debug_count(const char *name);

/* The same as soon as it is @least or more; after @bound_ms as it is then. */
long dp_debug_wait(const char *name, long least, unsigned int bound_ms);

/*
 * Wait until the kernel's rate limit has room for @reports more lines of @kind
 * ("collision", "association", "dirty", "call"), at most 10.
 */
int dp_debug_room(const char *kind, int reports);

/* The kernel's log, from where it was opened on. */
struct dp_log {
	int	fd;
	bool	held;
};

int dp_log_open(struct dp_log *l);
void dp_log_close(struct dp_log *l);

/*
 * The next record whose text begins with @start, passing over all others.
 * -ETIMEDOUT when there is none for @bound_ms, -EPIPE when the log lost some.
 */
int dp_log_next(struct dp_log *l, const char *start, char *text, size_t size,
		unsigned int bound_ms);

/* The name of the file system of @fd in the kernel's messages. */
int dp_sb_name(int fd, char *name, size_t size);

/* What keeps references and an owner: the page behind an address, or the folio it is in. */
struct dp_folio {
	uint64_t	pfn;	/* of its first page */
	uint64_t	pages;
};

/* -ENOENT without the daxpin module, as all that follow. */
int dp_page_folio(const void *addr, struct dp_folio *f);

/* Whom a page belongs to. */
struct dp_owner {
	const void	*addr;	/* NULL: the page is pfn */
	uint64_t	 pfn;	/* out: of what has the owner */
	uint64_t	 index;	/* in the new owner */
	uint64_t	 was;	/* out: in the one before */
};

/*
 * Have a page of persistent memory belong to the file @fd, -1: nobody.  Returns a
 * descriptor whose close gives the page back, if it is still where it was.
 */
int dp_owner_set(struct dp_owner *o, int fd);

struct dp_aop_result {
	int	value;	/* bool as 0 and 1, void as 0 */
	bool	locked;	/* the page that it was called for was left locked */
};

/*
 * Call the address space operation @op of the file @fd, as mm would, for a page
 * that is in no cache.  -ENOENT when this kernel has no such operation, -EOPNOTSUPP
 * when the file has not.
 */
int dp_aop_call(int fd, const char *op, struct dp_aop_result *r);

/*
 * Long-term pins (FOLL_LONGTERM): memory that is registered with a device, for as
 * long as it likes.  Pages of a DAX file are refused (mm/gup.c, check_vma_flags()).
 */

enum dp_longterm_kind {
	DP_LONGTERM_URING,	/* io_uring's registered buffers (io_uring/, io_pin_pages()) */
	DP_LONGTERM_UPDATE,	/* the same into a slot of a table that is there */
	DP_LONGTERM_RDMA,	/* a memory region (infiniband/core/umem.c, ib_umem_get()) */
	DP_LONGTERM_XDP,	/* memory of a socket (net/xdp/xdp_umem.c, xdp_umem_pin_pages()) */
	DP_LONGTERM_GUP,	/* gup_test's, fast and for reading (mm/gup_test.c); since 6.2 */
};

#define DP_GUP_TEST	"/sys/kernel/debug/gup_test"

struct dp_longterm {
	enum dp_longterm_kind kind;
	void		*ctx;		/* of the device; NULL: not held */
	char		*addr;		/* what is registered; NULL: nothing */
	size_t		 len;
};

/* True when the device can write into the memory, not only read it. */
bool dp_longterm_writes(enum dp_longterm_kind kind);

/*
 * Open the device; nothing is pinned yet.  RDMA and XDP bring the loopback
 * interface up, and RDMA adds a link of soft RoCE to it, "daxpin"; both stay.
 */
int dp_longterm_open(struct dp_longterm *l, enum dp_longterm_kind kind);

/* Unregister what is registered, and close the device. */
void dp_longterm_close(struct dp_longterm *l);

/*
 * Register @len bytes at @addr, both multiples of the page size, for XDP at most
 * 64 pages: 0, or the kernel's error when it refuses.
 */
int dp_longterm_pin(struct dp_longterm *l, void *addr, size_t len);

/* Unregister it.  The kernel may drop the last reference a little later (XDP). */
int dp_longterm_unpin(struct dp_longterm *l);

/*
 * Have the device read the registered memory, and tell in @buf (l->len bytes) what
 * it got.  XDP can do so once.  -ETIMEDOUT when it does not answer, -ENODATA when
 * nothing is registered.
 */
int dp_longterm_read(struct dp_longterm *l, void *buf);

/* Have the device write @buf (l->len bytes) to it; -EOPNOTSUPP when it only reads. */
int dp_longterm_write(struct dp_longterm *l, const void *buf);

/*
 * Watch the child until it has ended or sleeps for good, wherever that is: 25 looks
 * in a row, 5 ms apart, find the same function in @s and as many voluntary context
 * switches.  -ETIMEDOUT after @bound_ms.
 */
int dp_child_rest(const struct dp_child *c, struct dp_sight *s, unsigned int bound_ms);

#endif
