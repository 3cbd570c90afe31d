/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rig of all tests in which an operation meets a pin.
 *
 * A file is written and mapped, a part of it pinned.  A child runs the operation;
 * we see whether it ends or waits before we let go of the pin, and look at all of
 * the data when both are over.
 *
 * An operation is data: what runs, and what the file must hold afterwards.  A
 * collision is an operation at an offset, a pin, and the outcome that is right on a
 * DAX file.  On a page-cache file the pinned page is only a copy: nothing waits.
 */
#ifndef RIG_H
#define RIG_H

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/dp.h"
#include "premise.h"

#define PAGE		4096L
#define PMD		((off_t)DP_PMD_SIZE)
#define PIN_LEN		(4 * PAGE)

/* Whose data: of the file, the device, what an operation writes, another file. */
enum { FILE_SEED = 1, DEV_SEED, OP_SEED, OTHER_SEED };

#define TEXT_MAX	2048
#define LOOK_LEN	(64 * 1024L)	/* of a file that is looked at */

#define SETTLE_MS	20000	/* the operation ends or waits */
#define RETURN_MS	20000	/* the operation ends once the pin is gone */
#define SOON_MS		3000	/* what waits for nothing ends */
#define ROW_S		240	/* more than all bounds of a row together */

enum outcome {
	RETURNS,	/* it gives no pinned page up, or the pin was never taken */
	WAITS,
	MAY_WAIT,	/* no pinned page is given up, but ext4 and xfs look at the whole file */
};

struct rig;
struct collision;

struct op {
	int	(*run)(struct rig *r);		/* in the child: 0 or -errno */
	/* Do the same to the content (NULL: nothing). */
	void	(*effect)(const struct collision *c, struct dp_content *x);
	/* Bytes from c->off on that it changes: c->len, or all. */
	bool	 to_end;
	bool	 moves;				/* data goes to another offset */
	bool	 copies;			/* to blocks that are not shared */
};

struct collision {
	const struct op	*op;
	int		 mode;		/* what op makes of it */
	off_t		 off;
	off_t		 len;
	off_t		 pin;		/* where PIN_LEN bytes are pinned */
	enum outcome	 outcome;	/* on a DAX file, with a pin */
	int		 err;		/* errno that the operation ends with, and does nothing */
	int		 err_ext4;	/* the same on ext4 alone */
	bool		 touch;		/* pinned pages are mapped again while it waits */
	bool		 unmap;		/* the pin outlives the mapping */
};

struct rig {
	struct dp_file		 file;
	struct dp_dev		 dev;
	struct dp_pin		 pin;
	struct dp_child		 racer;
	struct dp_child		 toucher;
	enum dp_pin_kind	 kind;
	int			 refused;	/* errno of a pin that must not be given, or 0 */
	int			 fails;		/* errno that the device's I/O ends with, or 0 */
	enum dp_failure		 failure;	/* and why */
	bool			 broken;	/* it is so before the pin */
	const struct collision	*c;
	off_t			 hole, hole_len;	/* of the file, made before the pin */
	/* What of the pinned range is not the file's: at its start, or up to its end. */
	off_t			 own, own_len;
	uint64_t		 pfn;		/* of the page that is pinned */
	int			 idle;		/* its references before the pin */
	blkcnt_t		 blocks;	/* of the file, before */
	long long		 pinned_ns;	/* when the pin was taken, 0: it was not */
	long long		 started_ns;	/* and the operation started */
	unsigned int		 settle_ms;	/* instead of SETTLE_MS, if not 0 */
	bool			 ext4;
	bool			 waited;	/* the operation did */
	bool			 looked;	/* at all of it, in the end */
	int			 beside;	/* another file of the row, if not 0 */
	const char		*test;		/* its name */
	char			 seen[PIN_LEN];	/* what the device got from a read pin */
};

static const char *const state_names[] = {
	[DP_DONE] = "done", [DP_WAITS] = "waits", [DP_BUSY] = "busy",
};

/*
 * Set-up
 */

/* What the configuration promises of the file; on a live machine only DAX is of use. */
static inline bool dax_promised(void)
{
	const char *dax = getenv("DAXPIN_DAX");

	return !dax || !strcmp(dax, "yes");
}

/* The premise that this machine does not provide, or NULL. */
static inline const char *rig_missing(enum dp_map map)
{
	const char *why = env_missing();

	if (why)
		return why;
	if (map == DP_MAP_PMD && !dax_promised())
		return "a page-cache file has no PMD mapping";
	/* A guest has what follows, or it has a bug. */
	if (getenv("DAXPIN_GUEST"))
		return NULL;
	if (!on_dax(getenv("DAXPIN_DIR")))
		return "DAXPIN_DIR is not on a DAX file system";
	if (access("/sys/kernel/tracing/events/fs_dax/dax_pmd_fault_done", F_OK))
		return "no fs_dax:dax_pmd_fault_done tracepoint to tell PMD from PTE";
	return NULL;
}

/* How long a file is that PMDs map, or else PTEs: @small. */
static inline off_t len_for(enum dp_map map, off_t small)
{
	return map == DP_MAP_PMD ? PMD : small;
}

static inline bool is_ext4(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == EXT4_SUPER_MAGIC;
}

static inline void rig_open(struct __test_metadata *_metadata, struct rig *r, enum dp_map map,
			    off_t len)
{
	r->test = _metadata->name;
	dp_case_begin(r->test);
	ASSERT_EQ(0, dp_file_open(&r->file, getenv("DAXPIN_DIR"), len, map, FILE_SEED));
	ASSERT_EQ(dax_promised(), r->file.dax);
	ASSERT_TRUE(r->file.written);
	if (r->file.dax)
		ASSERT_EQ(map == DP_MAP_PMD ? len / PMD : 0, r->file.pmds);
	ASSERT_EQ(0, dp_dev_open(&r->dev, getenv("DAXPIN_RAMDISK"), PIN_LEN, DEV_SEED));
	r->ext4 = is_ext4(r->file.fd);
}

/* A hole in the file, before anything is pinned. */
static inline void rig_punch(struct __test_metadata *_metadata, struct rig *r, off_t off,
			     off_t len)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	off_t data;

	ASSERT_EQ(0, fallocate(r->file.fd, mode, off, len));
	ASSERT_EQ(off, lseek(r->file.fd, off, SEEK_HOLE));
	data = lseek(r->file.fd, off, SEEK_DATA);
	/* To the end of the file there may be none. */
	ASSERT_TRUE(data >= off + len || (data < 0 && errno == ENXIO));
	r->hole = off;
	r->hole_len = len;
}

/* After a remount the file is to be what the row has seen in the end: init looks. */
static inline void leave_file(const struct rig *r, int fd)
{
	char name[DP_KEPT_MAX];
	int kept = dp_keep(fd, r->file.dir, name);

	if (kept > 0)
		fprintf(stderr, "# rig.h:%d:%s:event: kept=%s\n", __LINE__, r->test, name);
	else if (kept < 0)		/* no macro of the harness is of use here */
		fprintf(stderr, "# rig.h:%d:%s:Expected 0 (0) <= dp_keep(fd, dir, name) (%d)\n",
			__LINE__, r->test, kept);
}

static inline void leave_files(const struct rig *r)
{
	if (!r->looked || !r->file.map || !r->file.dax || !getenv("DAXPIN_GUEST"))
		return;
	leave_file(r, r->file.fd);
	if (r->beside > 0)
		leave_file(r, r->beside);
}

static inline void rig_close(struct rig *r)
{
	dp_unpin(&r->pin, NULL);	/* first: the racer may be waiting for it */
	if (!dp_child_kill(&r->racer) || !dp_child_kill(&r->toucher))
		return;			/* what they hold would stop us as well */
	dp_dev_close(&r->dev);
	leave_files(r);
	dp_file_close(&r->file);
}

/*
 * The pin
 */

/* The part of the pinned range that is the file's. */
static inline off_t part_from(const struct rig *r)
{
	return r->own ? 0 : r->own_len;
}

static inline off_t part_to(const struct rig *r)
{
	return r->own ? r->own : PIN_LEN;
}

static inline char *pinned_page(const struct rig *r)
{
	return r->file.map + r->c->pin + part_from(r);
}

static inline void take_pin(struct __test_metadata *_metadata, struct rig *r)
{
	char *addr = r->file.map + r->c->pin;
	long taken = r->refused ? dp_pins_taken() : -1;
	struct stat st;

	r->idle = dp_page_idle(pinned_page(r), &r->pfn);
	ASSERT_EQ(-r->refused, dp_pin(&r->pin, r->kind, &r->dev, addr, PIN_LEN));
	r->pinned_ns = r->refused ? 0 : dp_now_ns();
	TH_LOG("witness: dax=%d written=%d pmds=%d refused=%d refs=%d->%d",
	       r->file.dax, r->file.written, r->file.pmds, r->refused, r->idle,
	       dp_pfn_refs(r->pfn));
	/* What holds none has left none. */
	if (r->file.dax && !dp_pin_holds(r->pin.kind))
		EXPECT_EQ(r->idle, dp_pfn_refs(r->pfn));
	/* An interface may refuse only after it pinned; in a guest nobody else pins. */
	if (r->refused && taken >= 0 && getenv("DAXPIN_GUEST"))
		EXPECT_EQ(taken, dp_pins_taken());
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	r->blocks = st.st_blocks;
}

static inline bool writes(const struct rig *r)
{
	return !r->refused && !r->fails && dp_pin_writes(r->kind);
}

/* It writes when it is told to, and not before dp_pin() returns. */
static inline bool late(const struct rig *r)
{
	return writes(r) && dp_pin_holds(r->kind);
}

static inline bool reads(const struct rig *r)
{
	return !r->refused && !r->fails && r->kind != DP_PIN_NONE && !dp_pin_writes(r->kind);
}

/* The last VMA of the file goes, and its page tables; the addresses stay taken. */
static inline int unmap(const struct rig *r)
{
	return mmap(r->file.map, r->file.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) == MAP_FAILED ? -errno : 0;
}

static inline int unpin(struct rig *r)
{
	return dp_unpin(&r->pin, r->seen);
}

struct io {
	const struct rig *r;
	off_t		  off;		/* of the pages that are read */
};

static inline int run_io(void *arg)
{
	const struct io *io = arg;
	const struct rig *r = io->r;

	return pwrite(r->dev.fd, r->file.map + io->off, PIN_LEN, 0) == PIN_LEN ? 0 : -errno;
}

/* With no device that is held up, I/O from these pages just ends. */
static inline void check_io_ends(struct __test_metadata *_metadata, struct rig *r, off_t off)
{
	struct io io = { r, off };

	/* Suspended once, the device has a target. */
	ASSERT_EQ(0, dp_dev_suspend(&r->dev));
	ASSERT_EQ(0, dp_dev_resume(&r->dev));
	ASSERT_EQ(0, dp_child_start(&r->racer, run_io, &io));
	ASSERT_EQ(0, dp_child_wait(&r->racer, SOON_MS))
		TH_LOG("direct I/O from pages of shared blocks does not end");
}

/*
 * The operation
 */

static inline int op_err(const struct rig *r)
{
	return r->ext4 && r->c->err_ext4 ? r->c->err_ext4 : r->c->err;
}

static inline enum outcome outcome(const struct rig *r)
{
	if (!dp_pin_holds(r->kind) || r->refused || !r->file.dax)
		return RETURNS;
	return r->c->outcome;
}

static inline int run_op(void *arg)
{
	struct rig *r = arg;

	if (r->fails)
		close(r->pin.fd[0]);	/* or a server that goes would live on in us */
	return r->c->op->run(r);
}

static inline int touch(void *arg)
{
	const struct rig *r = arg;

	return madvise(r->file.map + r->c->pin, PIN_LEN, MADV_POPULATE_READ) ? -errno : 0;
}

/*
 * The operation holds no lock of page faults while it waits.  A child tries that
 * first, for who waits for that lock cannot be killed; its page tables go with it.
 */
static inline void touch_pages(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(0, dp_child_start(&r->toucher, touch, r));
	ASSERT_EQ(0, dp_child_wait(&r->toucher, SETTLE_MS))
		TH_LOG("a page fault waits for the operation, or fails");
	ASSERT_EQ(0, touch(r));
}

/* While it waits nothing is given up yet, and it goes on waiting. */
static inline void check_wait(struct __test_metadata *_metadata, struct rig *r)
{
	struct dp_sight s;
	struct stat st;

	if (r->c->touch)
		touch_pages(_metadata, r);
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	EXPECT_EQ((off_t)r->file.len, st.st_size);
	EXPECT_EQ(r->blocks, st.st_blocks);
	ASSERT_EQ(0, dp_child_look(&r->racer, &s));
	EXPECT_EQ(DP_WAITS, s.state)
		TH_LOG("the operation stopped waiting before the pin was dropped");
}

/* Until it ends or waits. */
static inline void watch_op(struct __test_metadata *_metadata, struct rig *r)
{
	enum outcome expected = outcome(r);
	char why[TEXT_MAX];
	struct dp_sight s;
	int err, refs;

	err = dp_child_settle(&r->racer, &s, r->settle_ms ? r->settle_ms : SETTLE_MS);
	TH_LOG("event: pin=%lld start=%lld %s=%lld", r->pinned_ns, r->started_ns,
	       state_names[s.state], dp_now_ns());
	refs = dp_pfn_refs(r->pfn);
	TH_LOG("witness: operation=%s task=%c wchan=%s refs=%d",
	       state_names[s.state], s.task, s.wchan[0] ? s.wchan : "-", refs);
	/* A page that was cut off a page-cache file has no other reference left. */
	if (dp_pin_holds(r->pin.kind))
		EXPECT_GT(refs, r->file.dax ? r->idle : 0)
			TH_LOG("the pin was gone when the operation collided with it");
	if (err) {
		dp_autopsy(&r->racer, &r->pin, 1, pinned_page(r), r->pfn, why, sizeof(why));
		ASSERT_EQ(0, err)
			TH_LOG("the operation neither ended nor waits for DAX pages: %s", why);
	}
	r->waited = s.state == DP_WAITS;
	if (expected != MAY_WAIT)
		EXPECT_EQ(expected == WAITS ? DP_WAITS : DP_DONE, s.state)
			TH_LOG("the operation %s the pin",
			       expected == WAITS ? "did not wait for" : "waits for");
}

static inline void start_op(struct __test_metadata *_metadata, struct rig *r)
{
	r->started_ns = dp_now_ns();
	ASSERT_EQ(0, dp_child_start(&r->racer, run_op, r));
	watch_op(_metadata, r);
	if (r->waited)
		check_wait(_metadata, r);
}

/* Let go of the pin: now the operation must return. */
static inline void drop_pin(struct __test_metadata *_metadata, struct rig *r)
{
	long long release_ns = dp_now_ns();
	char why[TEXT_MAX];
	int err;

	ASSERT_EQ(-r->fails, unpin(r));
	err = dp_child_return(&r->racer, RETURN_MS);
	TH_LOG("event: release=%lld %s=%lld", release_ns,
	       err == -EDEADLK || err == -ETIMEDOUT ? "hangs" : "returns", dp_now_ns());
	if (err == -EDEADLK || err == -ETIMEDOUT) {
		dp_autopsy(&r->racer, NULL, 0, pinned_page(r), r->pfn, why, sizeof(why));
		EXPECT_EQ(0, err)
			TH_LOG("the pin is gone and the operation does not return: %s", why);
		err = dp_child_wait(&r->racer, SOON_MS);	/* whatever frees it was tried */
	}
	ASSERT_EQ(-op_err(r), err);	/* one that hangs holds locks that we would take */
}

/*
 * The data
 */

/* When the device's data gets into the file. */
enum order {
	DEV_FIRST,	/* then the operation runs */
	DEV_LAST,	/* into pages that the operation left in place */
	DEV_LOST,	/* the operation took the page off the file */
};

static inline void dev_write(const struct rig *r, struct dp_content *x)
{
	off_t from = part_from(r), len = part_to(r) - from, left = x->size - (r->c->pin + from);

	dp_content_put(x, r->c->pin + from, left < len ? left : len, DEV_SEED, from);
}

static inline void want_fill(const struct rig *r, struct dp_content *x, enum order order)
{
	const struct collision *c = r->c;

	dp_content_init(x, r->file.len, FILE_SEED);
	dp_content_put(x, r->hole, r->hole_len, 0, 0);
	if (writes(r) && order == DEV_FIRST)
		dev_write(r, x);
	if (c->op->effect && !op_err(r))
		c->op->effect(c, x);
	if (writes(r) && order == DEV_LAST)
		dev_write(r, x);
}

/* The page at @off has bytes that the operation changes. */
static inline bool op_changes(const struct rig *r, off_t off)
{
	const struct collision *c = r->c;

	return c->op->effect && !op_err(r) && off + PAGE > c->off &&
	       (c->op->to_end || off < c->off + c->len);
}

/* Is @got what @want has at @off?  @len: a page, or what of it is in the file. */
static inline bool page_is(const struct dp_content *want, const char *got, off_t off, off_t len)
{
	char page[PAGE];

	dp_content_read(want, page, off, len);
	return dp_data_differ(page, got, len) < 0;
}

/*
 * Is there another content that is right?  A DAX page is the block, so that who came
 * last is in it.  A page of the page cache that the operation changes may have been
 * taken off the file, all of it, and what the device writes then goes nowhere.
 */
static inline bool page_may_be(const struct rig *r, const struct dp_content *want,
			       const char *got, off_t off, off_t len)
{
	if (r->file.dax || !late(r) || !op_changes(r, off))
		return false;
	return page_is(&want[DEV_LOST], got, off, len) ||
	       (!r->c->op->moves && page_is(&want[DEV_LAST], got, off, len));
}

/* Where @got, @len bytes of the file from @off on, begins to be wrong, or -1. */
static inline off_t wrong_at(const struct rig *r, const struct dp_content *want,
			     const char *got, off_t off, off_t len)
{
	static char chunk[LOOK_LEN];

	dp_content_read(&want[0], chunk, off, len);
	for (off_t i = 0; i < len; ) {
		off_t at = dp_data_differ(chunk + i, got + i, len - i), n;

		if (at < 0)
			break;
		i += at - at % PAGE;	/* the page that it is in */
		n = len - i < PAGE ? len - i : PAGE;
		if (!page_may_be(r, want, got + i, off + i, n))
			return off + i + at % PAGE;
		i += n;
	}
	return -1;
}

/* What the device got: the pages as they were, or as the operation has made them. */
static inline void check_seen(struct __test_metadata *_metadata, struct rig *r,
			      const struct dp_content *after)
{
	char before[PIN_LEN];

	if (!reads(r))
		return;
	dp_data_fill(before, PIN_LEN, r->c->pin, FILE_SEED);
	for (off_t i = part_from(r); i < part_to(r); i += PAGE) {
		off_t off = r->c->pin + i;
		bool old = !memcmp(before + i, r->seen + i, PAGE);
		char page[PAGE];

		dp_content_read(after, page, off, PAGE);
		if (!op_changes(r, off) || r->waited || !dp_pin_holds(r->kind)) {
			EXPECT_TRUE(old)
				TH_LOG("the device got other data than page %ld had",
				       (long)(off / PAGE));
		} else {
			bool kept = old && (!r->file.dax || r->c->op->copies);

			EXPECT_TRUE(kept || !memcmp(page, r->seen + i, PAGE))
				TH_LOG("the device got data that page %ld never had",
				       (long)(off / PAGE));
		}
	}
}

/* Where @got, @len bytes from @off on, LOOK_LEN at most, is not what @want has, or -1. */
static inline off_t differs_at(const struct dp_content *want, const char *got, off_t off, off_t len)
{
	static char chunk[LOOK_LEN];
	off_t at;

	dp_content_read(want, chunk, off, len);
	at = dp_data_differ(chunk, got, len);
	return at < 0 ? -1 : off + at;
}

/* The file has these bytes from @off to @end: -1, or where it begins to have others. */
static inline off_t file_wrong_at(int fd, const struct dp_content *want, off_t off, off_t end)
{
	static char got[LOOK_LEN];
	off_t wrong = -1;

	for (off_t len; off < end && wrong < 0; off += len) {
		len = end - off < LOOK_LEN ? end - off : LOOK_LEN;
		if (pread(fd, got, len, off) != len)
			return off;
		wrong = differs_at(want, got, off, len);
	}
	return wrong;
}

/* The same of a mapping. */
static inline off_t map_wrong_at(const char *map, const struct dp_content *want)
{
	off_t wrong = -1;

	for (off_t off = 0, len; off < want->size && wrong < 0; off += len) {
		len = want->size - off < LOOK_LEN ? want->size - off : LOOK_LEN;
		wrong = differs_at(want, map + off, off, len);
	}
	return wrong;
}

/* The same of the file as who maps it now sees it. */
static inline off_t mapped_wrong_at(int fd, const struct dp_content *want)
{
	char *map;
	off_t at;

	if (!want->size)
		return -1;
	map = mmap(NULL, want->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 0;
	at = map_wrong_at(map, want);
	munmap(map, want->size);
	return at;
}

/* What is read of this file next, which nobody maps, is what the disk has. */
static inline void drop_cached(struct __test_metadata *_metadata, int fd)
{
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

/* It is as long as @want, for stat(2) and for read(2). */
static inline void check_size(struct __test_metadata *_metadata, int fd,
			      const struct dp_content *want)
{
	struct stat st;
	char byte;

	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(want->size, st.st_size);
	ASSERT_EQ(0, pread(fd, &byte, 1, want->size));
}

/* The file has exactly this. */
static inline void check_whole(struct __test_metadata *_metadata, int fd,
			       const struct dp_content *want)
{
	check_size(_metadata, fd, want);
	EXPECT_EQ(-1, file_wrong_at(fd, want, 0, want->size))
		TH_LOG("the file has wrong data, from the offset that is seen on");
	EXPECT_EQ(-1, mapped_wrong_at(fd, want))
		TH_LOG("the file has wrong data if mapped, from the offset that is seen on");
}

/* What was cut off is gone: it does not come back when the file grows again. */
static inline void check_tail(struct __test_metadata *_metadata, struct rig *r,
			      const struct dp_content *want)
{
	/* Stores beyond the end that hit a page-cache page may stay there (before 6.13). */
	if (want->size >= (off_t)r->file.len || (!r->file.dax && writes(r)))
		return;
	ASSERT_EQ(0, ftruncate(r->file.fd, r->file.len));
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, want, want->size, r->file.len))
		TH_LOG("data that was cut off is back, from the offset that is seen on");
}

/*
 * The file has what it must have, for read(2) and in @map, of @mapped bytes.  @where it is
 * read: "", or that it comes from the disk.
 */
static inline void check_bytes(struct __test_metadata *_metadata, struct rig *r,
			       const struct dp_content *want, off_t mapped, const char *where)
{
	static char got[LOOK_LEN] __attribute__((aligned(4096)));	/* direct I/O asks for it */
	off_t wrong = -1, odd = -1;

	for (off_t off = 0, len; off < want->size && wrong < 0 && odd < 0; off += len) {
		off_t both;

		len = want->size - off < LOOK_LEN ? want->size - off : LOOK_LEN;
		ASSERT_EQ(len, pread(r->file.fd, got, LOOK_LEN, off));
		wrong = wrong_at(r, want, got, off, len);
		both = mapped - off < len ? mapped - off : len;
		if (both > 0)
			odd = dp_data_differ(got, r->file.map + off, both);
		if (odd >= 0)
			odd += off;
	}
	EXPECT_EQ(-1, wrong)
		TH_LOG("%s%s, from the offset that is seen on",
		       dp_content_seed(&want[0], wrong) == DEV_SEED ?
		       "what the device wrote is not in the file" : "the file has wrong data",
		       where);
	EXPECT_EQ(-1, odd)
		TH_LOG("the mapping has other data than read(2), from the offset that is seen on");
}

/* Shmem and hugetlbfs have no disk. */
static inline bool on_disk(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) || (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC);
}

/* Once a page-cache file is synced the disk has it as well: what a remount would find. */
static inline void check_on_disk(struct __test_metadata *_metadata, struct rig *r,
				 const struct dp_content *want)
{
	if (r->file.dax || !on_disk(r->file.fd))
		return;
	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(0, fcntl(r->file.fd, F_SETFL, O_DIRECT));
	check_bytes(_metadata, r, want, 0, " on the disk");
	ASSERT_EQ(0, fcntl(r->file.fd, F_SETFL, 0));
}

static inline void check_content(struct __test_metadata *_metadata, struct rig *r,
				 const struct dp_content *want)
{
	check_size(_metadata, r->file.fd, want);
	check_bytes(_metadata, r, want, r->c->unmap ? 0 : r->file.len, "");
	check_on_disk(_metadata, r, want);
}

static inline void check_data(struct __test_metadata *_metadata, struct rig *r)
{
	bool first = r->waited || !r->file.dax || !late(r);
	struct dp_content want[3];

	want_fill(r, &want[0], first ? DEV_FIRST : DEV_LAST);
	want_fill(r, &want[DEV_LAST], DEV_LAST);
	want_fill(r, &want[DEV_LOST], DEV_LOST);
	check_content(_metadata, r, want);
	check_seen(_metadata, r, &want[0]);
	check_tail(_metadata, r, &want[0]);
	r->looked = true;
}

/* It gives nothing up: the pinned page is the file's still. */
static inline void check_frame(struct __test_metadata *_metadata, struct rig *r)
{
	uint64_t pfn;

	if (r->c->outcome == WAITS || r->c->op->copies || r->kind == DP_PIN_NONE ||
	    !r->file.dax || r->c->unmap)
		return;
	ASSERT_LE(0, dp_page_refs(r->file.map + r->c->pin, &pfn));
	EXPECT_EQ(r->pfn, pfn)
		TH_LOG("the file has another block where the pin is");
}

/* The pin is gone with all its references; a network lets go of them when it comes to it. */
static inline void check_refs(struct __test_metadata *_metadata, struct rig *r)
{
	long deadline = dp_now_ms() + SOON_MS;

	if (!r->file.dax)
		return;
	while (dp_pfn_refs(r->pfn) > r->idle && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	EXPECT_GE(r->idle, dp_pfn_refs(r->pfn))
		TH_LOG("a reference of the pinned page is left");
}

static inline void collide(struct __test_metadata *_metadata, struct rig *r,
			   const struct collision *c)
{
	r->c = c;
	take_pin(_metadata, r);
	if (r->fails && !r->broken)
		ASSERT_EQ(0, dp_pin_fail(&r->pin, r->failure));
	if (c->unmap)
		ASSERT_EQ(0, unmap(r));
	start_op(_metadata, r);
	if (!r->waited)
		check_frame(_metadata, r);
	drop_pin(_metadata, r);
	if (r->waited)
		check_frame(_metadata, r);
	check_data(_metadata, r);
	check_refs(_metadata, r);
}

/* The same with a pin of this kind. */
static inline void collide_with(struct __test_metadata *_metadata, struct rig *r,
				enum dp_pin_kind kind, const struct collision *c)
{
	r->kind = kind;
	collide(_metadata, r, c);
}

#endif
