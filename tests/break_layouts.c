// SPDX-License-Identifier: GPL-2.0
/*
 * Take blocks away from a file while a page of it is pinned.
 *
 * DAX has no page cache: the pinned page and the block are one thing.  So an
 * operation that gives blocks up breaks the layout first, which means that it
 * waits until nobody but page tables refers to the pages, and a long-term pin
 * is refused up front.  On a page-cache file the block is only a copy, and
 * nothing waits.
 *
 * A child runs the operation; we see whether it ends or waits before we let
 * go of the pin, and look at the data when both are over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/dp.h"

#define HALF		((off_t)DP_PMD_SIZE)
#define FILE_LEN	(2 * HALF)
#define MAX_LEN		(3 * HALF)	/* the largest size that an operation leaves */
#define PIN_LEN		16384		/* four pages, none of them the first of its PMD */
#define PIN_LOW		(HALF / 2)
#define PIN_HIGH	(HALF + HALF / 2)

#define FILE_SEED	1
#define DEV_SEED	2

#define TEXT_MAX	2048

#define SETTLE_MS	20000	/* the operation ends or waits */
#define RETURN_MS	20000	/* the operation ends once the pin is gone */
#define ROW_S		240	/* more than all bounds of a row together */

enum op { TRUNCATE, PUNCH };

struct collision {
	enum op	op;
	off_t	off;		/* new size, or start of the hole */
	off_t	len;		/* of the hole */
	off_t	pin;		/* where the pin is */
	bool	hits;		/* the pinned pages are given up */
	bool	touch;		/* they are mapped again while the operation waits */
};

enum outcome {
	RETURNS,	/* the pin was never taken, or holds nothing up */
	WAITS,
	MAY_WAIT,	/* no pinned page is given up, but ext4 and xfs look at the whole file */
};

static const char *const state_names[] = {
	[DP_DONE] = "done", [DP_WAITS] = "waits", [DP_BUSY] = "busy",
};

/* What a row works with. */
struct rig {
	struct dp_file		file;
	struct dp_dev		dev;
	struct dp_pin		pin;
	struct dp_child		racer;
	struct dp_child		toucher;
	enum dp_pin_kind	kind;
	int			refused;	/* errno of a pin that must not be given, or 0 */
	const struct collision	*c;
	uint64_t		pfn;	/* of the page that is pinned */
	blkcnt_t		blocks;	/* of the file, before */
	char			*want;	/* what the file must hold in the end, MAX_LEN bytes */
	char			*got;	/* what it holds, MAX_LEN bytes */
};

FIXTURE(break_layouts) {
	struct rig r;
};

FIXTURE_VARIANT(break_layouts) {
	enum dp_pin_kind pin;
	enum dp_map	 map;
	int		 refused;	/* errno of the pin on fsdax */
};

FIXTURE_VARIANT_ADD(break_layouts, none_pte)		  { DP_PIN_NONE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, none_pmd)		  { DP_PIN_NONE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_read_pte)	  { DP_PIN_DIO_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_read_pmd)	  { DP_PIN_DIO_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_write_pte)	  { DP_PIN_DIO_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_write_pmd)	  { DP_PIN_DIO_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_readv_pte)	  { DP_PIN_DIO_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_readv_pmd)	  { DP_PIN_DIO_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_writev_pte)	  { DP_PIN_DIO_WRITEV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_writev_pmd)	  { DP_PIN_DIO_WRITEV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_read_pte)	  { DP_PIN_AIO_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_read_pmd)	  { DP_PIN_AIO_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_write_pte)	  { DP_PIN_AIO_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_write_pmd)	  { DP_PIN_AIO_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_readv_pte)	  { DP_PIN_AIO_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_readv_pmd)	  { DP_PIN_AIO_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_writev_pte)	  { DP_PIN_AIO_WRITEV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_writev_pmd)	  { DP_PIN_AIO_WRITEV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_read_pte)	  { DP_PIN_URING_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_read_pmd)	  { DP_PIN_URING_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_write_pte)	  { DP_PIN_URING_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_write_pmd)	  { DP_PIN_URING_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_readv_pte)	  { DP_PIN_URING_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_readv_pmd)	  { DP_PIN_URING_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_writev_pte)	  { DP_PIN_URING_WRITEV,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_writev_pmd)	  { DP_PIN_URING_WRITEV,     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, fuse_read_pte)	  { DP_PIN_FUSE_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, fuse_read_pmd)	  { DP_PIN_FUSE_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, fuse_write_pte)	  { DP_PIN_FUSE_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, fuse_write_pmd)	  { DP_PIN_FUSE_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, vmsplice_pte)	  { DP_PIN_VMSPLICE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vmsplice_pmd)	  { DP_PIN_VMSPLICE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, splice_pipe_pte)	  { DP_PIN_SPLICE_PIPE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, splice_pipe_pmd)	  { DP_PIN_SPLICE_PIPE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, splice_socket_pte)	  { DP_PIN_SPLICE_SOCKET,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, splice_socket_pmd)	  { DP_PIN_SPLICE_SOCKET,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, zerocopy_pte)	  { DP_PIN_ZEROCOPY,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, zerocopy_pmd)	  { DP_PIN_ZEROCOPY,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_send_zc_pte)	  { DP_PIN_URING_SEND_ZC,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_send_zc_pmd)	  { DP_PIN_URING_SEND_ZC,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_get_read_pte)	  { DP_PIN_MODULE_GET_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_get_read_pmd)	  { DP_PIN_MODULE_GET_READ,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_get_write_pte)  { DP_PIN_MODULE_GET_WRITE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_get_write_pmd)  { DP_PIN_MODULE_GET_WRITE, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_read_pte)	  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_read_pmd)	  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_write_pte)  { DP_PIN_MODULE_PIN_WRITE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_write_pmd)  { DP_PIN_MODULE_PIN_WRITE, DP_MAP_PMD };
/* It is over when the call returns: no reference is left. */
FIXTURE_VARIANT_ADD(break_layouts, vm_read_pte)		  { DP_PIN_VM_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vm_read_pmd)		  { DP_PIN_VM_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, vm_write_pte)	  { DP_PIN_VM_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vm_write_pmd)	  { DP_PIN_VM_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_read_pte)	  { DP_PIN_PTRACE_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_read_pmd)	  { DP_PIN_PTRACE_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_write_pte)	  { DP_PIN_PTRACE_WRITE,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_write_pmd)	  { DP_PIN_PTRACE_WRITE,     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, mem_read_pte)	  { DP_PIN_MEM_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, mem_read_pmd)	  { DP_PIN_MEM_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, mem_write_pte)	  { DP_PIN_MEM_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, mem_write_pmd)	  { DP_PIN_MEM_WRITE,	     DP_MAP_PMD };
/* FOLL_LONGTERM on fsdax: mm/gup.c, check_vma_flags(). */
FIXTURE_VARIANT_ADD(break_layouts, uring_fixed_pte) { DP_PIN_URING_FIXED, DP_MAP_PTE, EOPNOTSUPP };
FIXTURE_VARIANT_ADD(break_layouts, uring_fixed_pmd) { DP_PIN_URING_FIXED, DP_MAP_PMD, EOPNOTSUPP };

/* What the configuration promises of the file; on a live machine only DAX is of use. */
static bool dax_promised(void)
{
	const char *dax = getenv("DAXPIN_DAX");

	return !dax || !strcmp(dax, "yes");
}

FIXTURE_SETUP(break_layouts)
{
	const char *dir = getenv("DAXPIN_DIR"), *disk = getenv("DAXPIN_RAMDISK");
	struct rig *r = &self->r;

	if (!dir)
		SKIP(return, "DAXPIN_DIR does not name a mounted DAX directory");
	if (access("/dev/daxpin", R_OK | W_OK))
		SKIP(return, "no /dev/daxpin (vm/module): nothing could prove a pin");
	if (!disk)
		SKIP(return, "DAXPIN_RAMDISK does not name a RAM disk that may be overwritten");
	if (variant->map == DP_MAP_PMD && !dax_promised())
		SKIP(return, "a page-cache file has no PMD mapping");
	dp_case_begin(_metadata->name);
	r->want = calloc(2, MAX_LEN);
	ASSERT_NE(NULL, r->want);
	r->got = r->want + MAX_LEN;
	ASSERT_EQ(0, dp_file_open(&r->file, dir, FILE_LEN, variant->map, FILE_SEED));
	/* A set-up that ends here has no teardown. */
	if (!r->file.dax && !getenv("DAXPIN_DAX")) {
		dp_file_close(&r->file);
		SKIP(return, "DAXPIN_DIR is not on a DAX file system");
	}
	if (r->file.dax && r->file.pmds < 0) {
		dp_file_close(&r->file);
		SKIP(return, "no fs_dax:dax_pmd_fault_done tracepoint to tell PMD from PTE");
	}
	ASSERT_EQ(dax_promised(), r->file.dax);
	ASSERT_TRUE(r->file.written);
	if (r->file.dax)
		ASSERT_EQ(variant->map == DP_MAP_PMD ? FILE_LEN / HALF : 0, r->file.pmds);
	ASSERT_EQ(0, dp_dev_open(&r->dev, disk, PIN_LEN, DEV_SEED));
	r->kind = variant->pin;
	r->refused = r->file.dax ? variant->refused : 0;
}

FIXTURE_TEARDOWN(break_layouts)
{
	struct rig *r = &self->r;

	dp_unpin(&r->pin, NULL);	/* first: the racer may be waiting for it */
	if (!dp_child_kill(&r->racer) || !dp_child_kill(&r->toucher))
		return;			/* what they hold would stop us as well */
	dp_dev_close(&r->dev);
	dp_file_close(&r->file);
	free(r->want);
}

static enum outcome outcome(const struct rig *r)
{
	if (!dp_pin_holds(r->kind) || r->refused || !r->file.dax)
		return RETURNS;
	return r->c->hits ? WAITS : MAY_WAIT;
}

static int run_op(void *arg)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, err;
	const struct rig *r = arg;

	err = dp_fault_arm(DP_COLLIDES);
	if (err < 0 && err != -ENODATA)
		return err;
	if (r->c->op == TRUNCATE)
		err = ftruncate(r->file.fd, r->c->off);
	else
		err = fallocate(r->file.fd, mode, r->c->off, r->c->len);
	return err ? -errno : 0;
}

static void take_pin(struct __test_metadata *_metadata, struct rig *r)
{
	char *addr = r->file.map + r->c->pin;
	long taken = dp_pins_taken();
	struct stat st;
	int idle;

	idle = dp_page_refs(addr, &r->pfn);
	ASSERT_EQ(-r->refused, dp_pin(&r->pin, r->kind, &r->dev, addr, PIN_LEN));
	TH_LOG("witness: dax=%d written=%d pmds=%d refused=%d refs=%d->%d",
	       r->file.dax, r->file.written, r->file.pmds, r->refused, idle,
	       dp_pfn_refs(r->pfn));
	/* What holds none has left none. */
	if (r->file.dax && !dp_pin_holds(r->pin.kind))
		EXPECT_EQ(idle, dp_pfn_refs(r->pfn));
	/* An interface may refuse only after it pinned; in a guest nobody else pins. */
	if (r->refused && taken >= 0 && getenv("DAXPIN_GUEST"))
		EXPECT_EQ(taken, dp_pins_taken());
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	r->blocks = st.st_blocks;
}

static int touch(void *arg)
{
	const struct rig *r = arg;

	return madvise(r->file.map + r->c->pin, PIN_LEN, MADV_POPULATE_READ) ? -errno : 0;
}

/*
 * The operation holds no lock of page faults while it waits.  A child tries that
 * first, for who waits for that lock cannot be killed; its page tables go with it.
 */
static void touch_pages(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(0, dp_child_start(&r->toucher, touch, r));
	ASSERT_EQ(0, dp_child_wait(&r->toucher, SETTLE_MS))
		TH_LOG("a page fault waits for the operation, or fails");
	ASSERT_EQ(0, touch(r));
}

/* While it waits nothing is given up yet, and it goes on waiting. */
static void check_wait(struct __test_metadata *_metadata, struct rig *r)
{
	struct dp_sight s;
	struct stat st;

	if (r->c->touch)
		touch_pages(_metadata, r);
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	EXPECT_EQ(FILE_LEN, st.st_size);
	EXPECT_EQ(r->blocks, st.st_blocks);
	ASSERT_EQ(0, dp_child_look(&r->racer, &s));
	EXPECT_EQ(DP_WAITS, s.state)
		TH_LOG("the operation stopped waiting before the pin was dropped");
}

static void start_op(struct __test_metadata *_metadata, struct rig *r)
{
	enum outcome expected = outcome(r);
	char why[TEXT_MAX];
	struct dp_sight s;
	int err, refs;

	ASSERT_EQ(0, dp_child_start(&r->racer, run_op, r));
	err = dp_child_settle(&r->racer, &s, SETTLE_MS);
	refs = dp_pfn_refs(r->pfn);
	TH_LOG("witness: operation=%s task=%c wchan=%s refs=%d",
	       state_names[s.state], s.task, s.wchan[0] ? s.wchan : "-", refs);
	/* A page that was cut off a page-cache file has no other reference left. */
	if (dp_pin_holds(r->pin.kind))
		EXPECT_GT(refs, r->file.dax ? r->pin.idle : 0)
			TH_LOG("the pin was gone when the operation collided with it");
	if (err) {
		dp_autopsy(&r->racer, &r->pin, 1, r->file.map + r->c->pin, r->pfn, why,
			   sizeof(why));
		ASSERT_EQ(0, err)
			TH_LOG("the operation neither ended nor waits for DAX pages: %s", why);
	}
	if (expected != MAY_WAIT)
		EXPECT_EQ(expected == WAITS ? DP_WAITS : DP_DONE, s.state)
			TH_LOG("the operation %s the pin",
			       expected == WAITS ? "did not wait for" : "waits for");
	if (s.state == DP_WAITS)
		check_wait(_metadata, r);
}

static int unpin(struct rig *r, void *seen)
{
	int fault = dp_fault_arm(DP_RELEASES), err;

	err = dp_unpin(&r->pin, seen);
	if (fault >= 0)
		close(fault);
	return fault < 0 && fault != -ENODATA ? fault : err;
}

/* Let go of the pin: now the operation must return. */
static void drop_pin(struct __test_metadata *_metadata, struct rig *r)
{
	bool reads = r->pin.kind != DP_PIN_NONE && !dp_pin_writes(r->pin.kind);
	char seen[PIN_LEN], data[PIN_LEN], why[TEXT_MAX];
	int err;

	ASSERT_EQ(0, unpin(r, seen));
	err = dp_child_return(&r->racer, RETURN_MS);
	if (err == -EDEADLK || err == -ETIMEDOUT) {
		dp_autopsy(&r->racer, NULL, 0, r->file.map + r->c->pin, r->pfn, why, sizeof(why));
		EXPECT_EQ(0, err)
			TH_LOG("the pin is gone and the operation does not return: %s", why);
		err = dp_child_wait(&r->racer, RETURN_MS);
	}
	ASSERT_EQ(0, err);	/* one that hangs holds locks that we would take */
	if (!reads)
		return;
	dp_data_fill(data, PIN_LEN, r->c->pin, FILE_SEED);
	EXPECT_EQ(-1, dp_data_differ(data, seen, PIN_LEN))
		TH_LOG("the device got other data than the pinned pages held");
}

static off_t size_after(const struct collision *c)
{
	return c->op == TRUNCATE ? c->off : FILE_LEN;
}

/* The device's data arrives before the operation does, or in pages that it leaves alone. */
static void want_fill(char *want, const struct collision *c, enum dp_pin_kind pin)
{
	memset(want, 0, MAX_LEN);
	dp_data_fill(want, FILE_LEN, 0, FILE_SEED);
	if (dp_pin_writes(pin))
		dp_data_fill(want + c->pin, PIN_LEN, 0, DEV_SEED);
	if (c->op == TRUNCATE && c->off < FILE_LEN)
		memset(want + c->off, 0, FILE_LEN - c->off);
	else if (c->op == PUNCH)
		memset(want + c->off, 0, c->len);
}

static void check_data(struct __test_metadata *_metadata, struct rig *r)
{
	struct stat st;

	ASSERT_EQ(0, fstat(r->file.fd, &st));
	ASSERT_EQ(size_after(r->c), st.st_size);
	ASSERT_EQ(st.st_size, pread(r->file.fd, r->got, MAX_LEN, 0));
	want_fill(r->want, r->c, r->kind);
	EXPECT_EQ(-1, dp_data_differ(r->want, r->got, st.st_size))
		TH_LOG("the file has wrong data, from the offset that is seen on");
}

static void collide(struct __test_metadata *_metadata, struct rig *r, struct collision c)
{
	r->c = &c;
	take_pin(_metadata, r);
	start_op(_metadata, r);
	drop_pin(_metadata, r);
	check_data(_metadata, r);
}

TEST_F_TIMEOUT(break_layouts, truncate_to_zero, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ TRUNCATE, 0, 0, PIN_HIGH, true });
}

TEST_F_TIMEOUT(break_layouts, truncate_inside, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ TRUNCATE, HALF, 0, PIN_HIGH, true });
}

/* It waits for pins: what the page tables do meanwhile does not matter. */
TEST_F_TIMEOUT(break_layouts, truncate_touched, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ TRUNCATE, HALF, 0, PIN_HIGH, true, true });
}

TEST_F_TIMEOUT(break_layouts, truncate_outside, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ TRUNCATE, HALF, 0, PIN_LOW, false });
}

TEST_F_TIMEOUT(break_layouts, truncate_grow, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ TRUNCATE, MAX_LEN, 0, PIN_HIGH, false });
}

TEST_F_TIMEOUT(break_layouts, punch_inside, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ PUNCH, HALF, HALF, PIN_HIGH, true });
}

TEST_F_TIMEOUT(break_layouts, punch_outside, ROW_S)
{
	collide(_metadata, &self->r, (struct collision){ PUNCH, HALF, HALF, PIN_LOW, false });
}

TEST_HARNESS_MAIN
