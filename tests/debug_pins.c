// SPDX-License-Identifier: GPL-2.0
/*
 * The reports of a kernel with CONFIG_DAX_DEBUG_PINS.
 *
 * Such a kernel looks at each page that a DAX file gives up (is it in use?), at
 * whom a page belongs to when it is mapped, written back or given up, and at
 * the entry of a page that DMA has written to (is it tagged dirty?); and it
 * has operations that nobody may call on a DAX file.  It counts what it looks
 * at and what it finds wrong, and has a line and a WARN for each finding.
 *
 * All fixtures but "silent" trip one of these on purpose, by a fault, by a
 * wrong owner or by a real bug of the kernel, and want the counter one higher and
 * the very line.  "silent" does what is right: the kernel has looked, and found
 * nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dax_folder.h"
#include "fs_ioctl.h"
#include "kselftest_harness.h"
#include "lib/dp.h"
#include "nameless.h"
#include "remap.h"
#include "premise.h"

#define PAGE		4096L
#define PART		((off_t)DP_PMD_SIZE)
#define PARTS		3
#define FILE_LEN	(PARTS * PART)
#define MIDDLE		(PART / 2)	/* of a part: not the first page of a PMD */
#define AT(part)	((part) * PART + MIDDLE)

#define FILE_SEED	1
#define DEV_SEED	2

#define LINE_MAX_BYTES	512

#define SETTLE_MS	20000	/* the operation ends or waits, a line appears */
#define RETURN_MS	20000	/* the operation ends once the pin is gone */
#define ROW_S		120	/* more than all bounds of a row together */

/* A fixed number of xfs, so that no header of it is needed. */
#define XFS_IOC_SWAPEXT		_IOWR('X', 109, struct swapext)

/* struct xfs_swapext; what it says of the file may be wrong, for the page cache goes first. */
struct swapext {
	int64_t	version, target, tmp, offset, length;
	char	pad[16], stat[136];
};

enum counter {
	COLLISION, ASSOCIATION, DIRTY, CALL,
	COLLISION_CHECKS, ASSOCIATION_CHECKS, DIRTY_CHECKS,
	COUNTERS
};

static const char *const counters[COUNTERS] = {
	"collision", "association", "dirty", "call",
	"collision_checks", "association_checks", "dirty_checks",
};

enum op { TRUNCATE, PUNCH, ZERO, COLLAPSE, INSERT, SWAP, REFLINK, DEDUPE, EXCHANGE };

/* As the kernel calls them. */
static const char *const op_names[] = {
	[TRUNCATE] = "truncate", [PUNCH] = "punch", [ZERO] = "zero", [COLLAPSE] = "collapse",
	[INSERT] = "insert", [SWAP] = "swap", [REFLINK] = "reflink", [DEDUPE] = "dedupe",
	[EXCHANGE] = "exchange",
};

/* A page that is pinned, as a report has it. */
struct held {
	uint64_t	 index, pfn;
	int		 idle, refs;
	const char	*by;
};

/* What a row works with. */
struct rig {
	struct dp_file	file;
	struct dp_dev	dev;
	struct dp_pin	pin[PARTS];
	struct held	held[PARTS];
	struct dp_child	racer;
	struct dp_log	log;
	long		before[COUNTERS];
	int		other;		/* another file, of one mapped page */
	int		owner;		/* while a page has a wrong owner, else -1 */
	unsigned long	ino, other_ino;
	off_t		in_part;	/* where in its part a page is chosen */
	char		sb[32];
	char		name[32];	/* of a file that the racer unlinks */
	int		dir;
	enum op		op;		/* what the racer does */
	off_t		off, len;
	bool		unguarded;	/* without waiting for pins */
};

/*
 * The rig
 */

static const char *missing(void)
{
	const char *why = env_missing();

	if (why)
		return why;
	/* A guest has what follows, or it has a bug. */
	if (getenv("DAXPIN_GUEST"))
		return NULL;
	if (!on_dax(getenv("DAXPIN_DIR")))
		return "DAXPIN_DIR is not on a DAX file system";
	if (access("/sys/kernel/tracing/events/fs_dax/dax_pmd_fault_done", F_OK))
		return "no fs_dax:dax_pmd_fault_done tracepoint to tell PMD from PTE";
	if (dp_debug_count("collision") < 0)
		return "no dax_pins in /sys/kernel/debug: not a kernel with CONFIG_DAX_DEBUG_PINS";
	return NULL;
}

/* Write @len bytes to the empty file @fd; -errno. */
static int fill(int fd, off_t len)
{
	char page[PAGE];

	if (fallocate(fd, 0, 0, len))
		return -errno;
	for (off_t off = 0; off < len; off += PAGE) {
		dp_data_fill(page, PAGE, off, FILE_SEED);
		if (pwrite(fd, page, PAGE, off) != PAGE)
			return -EIO;
	}
	return 0;
}

static void counters_read(struct __test_metadata *_metadata, long *count)
{
	for (int i = 0; i < COUNTERS; i++) {
		count[i] = dp_debug_count(counters[i]);
		ASSERT_GE(count[i], 0)
			TH_LOG("counter %s: error %ld", counters[i], count[i]);
	}
}

/* From here on the kernel is watched; it will have to say @reports lines of @kind. */
static void watch(struct __test_metadata *_metadata, struct rig *r, enum counter kind, int reports)
{
	ASSERT_EQ(0, dp_debug_room(counters[kind], reports));
	dp_log_close(&r->log);
	ASSERT_EQ(0, dp_log_open(&r->log));
	counters_read(_metadata, r->before);
}

static void rig_open(struct __test_metadata *_metadata, struct rig *r, enum dp_map map)
{
	const char *dir = getenv("DAXPIN_DIR");
	struct dp_folio folio;

	r->other = -1;
	r->owner = -1;
	dp_case_begin(_metadata->name);
	ASSERT_EQ(0, dp_file_open(&r->file, dir, FILE_LEN, map, FILE_SEED));
	ASSERT_TRUE(r->file.dax);
	ASSERT_TRUE(r->file.written);
	ASSERT_EQ(map == DP_MAP_PMD ? PARTS : 0, r->file.pmds);
	ASSERT_EQ(0, dp_dev_open(&r->dev, getenv("DAXPIN_RAMDISK"), PAGE, DEV_SEED));
	/* The inode that is locked first waits for its pins, see fs/xfs/xfs_inode.c. */
	r->ino = inode_of(r->file.fd);
	r->other = higher_than(r->ino);
	r->other_ino = inode_of(r->other);
	ASSERT_GT(r->other_ino, r->ino);
	ASSERT_EQ(0, fill(r->other, PAGE));
	ASSERT_EQ(0, dp_page_folio(r->file.map, &folio));
	/*
	 * The first page of a PMD folio (since 6.15): it has the owner of all, and when
	 * a pinned folio is given up it falls apart, and the pin stays with that page.
	 */
	r->in_part = folio.pages > 1 ? 0 : MIDDLE;
	ASSERT_EQ(0, dp_sb_name(r->file.fd, r->sb, sizeof(r->sb)));
}

static void rig_close(struct rig *r)
{
	for (int i = 0; i < PARTS; i++)
		dp_unpin(&r->pin[i], NULL);	/* first: the racer may be waiting for it */
	if (!dp_child_kill(&r->racer))
		return;				/* what it holds would stop us as well */
	if (r->owner >= 0)
		close(r->owner);
	dp_dev_close(&r->dev);
	dp_file_close(&r->file);
	if (r->other >= 0)
		close(r->other);
	dp_log_close(&r->log);
}

/*
 * Reports
 */

/* "... dax_pins_KIND+0x1/0x2 ...", where a compiler may have made a ".isra.0" of it. */
static bool warns_in(const char *warn, const char *kind)
{
	char function[64];
	const char *at;

	snprintf(function, sizeof(function), " dax_pins_%s", kind);
	at = strstr(warn, function);
	return at && strchr("+.", at[strlen(function)]);
}

/* The next report is @want, and the WARN right behind it is that of its kind. */
static void check_line(struct __test_metadata *_metadata, struct rig *r, enum counter kind,
		       const char *want)
{
	char line[LINE_MAX_BYTES] = "", warn[LINE_MAX_BYTES] = "";
	int err = dp_log_next(&r->log, "dax_pins: ", line, sizeof(line), SETTLE_MS);

	TH_LOG("witness: log=%d line=%s", err, line[0] ? line : "-");
	ASSERT_EQ(0, err)
		TH_LOG("the kernel does not say: %s", want);
	EXPECT_STREQ(want, line);
	ASSERT_EQ(0, dp_log_next(&r->log, "WARNING: ", warn, sizeof(warn), SETTLE_MS));
	EXPECT_TRUE(warns_in(warn, counters[kind]))
		TH_LOG("another warning: %s", warn);
}

/* Nothing but @reports of @kind was counted, and no line said that was not read. */
static void check_counts(struct __test_metadata *_metadata, struct rig *r, enum counter kind,
			 int reports)
{
	char line[LINE_MAX_BYTES];
	long now[COUNTERS];

	counters_read(_metadata, now);
	TH_LOG("witness: collision=+%ld/%ld association=+%ld/%ld dirty=+%ld/%ld call=+%ld",
	       now[COLLISION] - r->before[COLLISION],
	       now[COLLISION_CHECKS] - r->before[COLLISION_CHECKS],
	       now[ASSOCIATION] - r->before[ASSOCIATION],
	       now[ASSOCIATION_CHECKS] - r->before[ASSOCIATION_CHECKS],
	       now[DIRTY] - r->before[DIRTY], now[DIRTY_CHECKS] - r->before[DIRTY_CHECKS],
	       now[CALL] - r->before[CALL]);
	for (int i = COLLISION; i <= CALL; i++) {
		EXPECT_EQ(i == (int)kind ? reports : 0, now[i] - r->before[i])
			TH_LOG("the kernel counts another number of reports: %s", counters[i]);
	}
	EXPECT_EQ(-ETIMEDOUT, dp_log_next(&r->log, "dax_pins: ", line, sizeof(line), 0))
		TH_LOG("one more report: %s", line);
}

/* The kernel has looked, and has nothing to say. */
static void check_silent(struct __test_metadata *_metadata, struct rig *r, enum counter checks)
{
	long looks = dp_debug_wait(counters[checks], r->before[checks] + 1, SETTLE_MS);

	check_counts(_metadata, r, CALL, 0);
	EXPECT_GT(looks, r->before[checks])
		TH_LOG("silent, but nothing was looked at: %s", counters[checks]);
}

/*
 * Pins
 */

static void take_pin(struct __test_metadata *_metadata, struct rig *r, int part,
		     enum dp_pin_kind kind)
{
	off_t off = part * PART + r->in_part;
	char *addr = r->file.map + off;
	struct held *h = &r->held[part];
	struct dp_pin *p = &r->pin[part];
	long taken = dp_pins_taken();
	struct dp_folio folio;

	ASSERT_EQ(0, dp_pin(p, kind, &r->dev, addr, PAGE));
	ASSERT_EQ(0, dp_page_folio(addr, &folio));
	*h = (struct held){
		.index	= off / PAGE & ~(folio.pages - 1),
		.pfn	= folio.pfn,
		.idle	= p->idle,
		.refs	= dp_pfn_refs(p->pfn),
		.by	= dp_pins_taken() > taken ? "pin" : "get",
	};
	TH_LOG("witness: pin_pfn=0x%lx refs=%d->%d by=%s", h->pfn, h->idle, h->refs, h->by);
}

/* The I/O is reported done before the kernel has dirtied its page and let go of it. */
static void await_idle(struct __test_metadata *_metadata, const struct held *h)
{
	long deadline = dp_now_ms() + RETURN_MS;

	while (dp_pfn_refs(h->pfn) > h->idle && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	EXPECT_EQ(h->idle, dp_pfn_refs(h->pfn));
}

static void drop_pins(struct __test_metadata *_metadata, struct rig *r)
{
	for (int i = 0; i < PARTS; i++) {
		bool pinned = r->pin[i].kind != DP_PIN_NONE;

		EXPECT_EQ(0, dp_unpin(&r->pin[i], NULL));
		if (pinned)
			await_idle(_metadata, &r->held[i]);
	}
}

/* Its page tables are gone, and with them the last VMA of the file. */
static void unmap(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(r->file.map, mmap(r->file.map, r->file.len, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

/*
 * Collisions
 */

static bool is_ext4(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == EXT4_SUPER_MAGIC;
}

/* Swap the blocks of two files: both file systems forget the pages and ask for no pins. */
static int swap_blocks(const struct rig *r)
{
	struct swapext x = { .target = r->file.fd, .tmp = r->other };

	if (is_ext4(r->file.fd))
		return ioctl(r->file.fd, EXT4_IOC_SWAP_BOOT) ? -errno : 0;
	/* Refused for the length that it does not have, when the pages are gone. */
	return ioctl(r->file.fd, XFS_IOC_SWAPEXT, &x) && errno == EFAULT ? 0 : -EIO;
}

static int run_fallocate(const struct rig *r)
{
	static const int modes[] = {
		[PUNCH]    = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		[ZERO]     = FALLOC_FL_ZERO_RANGE,
		[COLLAPSE] = FALLOC_FL_COLLAPSE_RANGE,
		[INSERT]   = FALLOC_FL_INSERT_RANGE,
	};

	return fallocate(r->file.fd, modes[r->op], r->off, r->len) ? -errno : 0;
}

/* Share one page of the other file with this one. */
static int run_reflink(const struct rig *r)
{
	return clone_range(r->file.fd, r->off, r->other, 0, PAGE);
}

static int run_dedupe(const struct rig *r)
{
	return dedupe_range(r->file.fd, r->off, r->other, 0, PAGE);
}

/* A page of this file goes to the other, and the other's comes here. */
static int run_exchange(const struct rig *r)
{
	return exchange_range(r->other, 0, r->file.fd, r->off, PAGE);
}

/* Since 6.15 the file systems' own functions may be inlined, and this one cannot. */
static int break_divert(int fd)
{
	int fault = dp_divert("dax_break_layout");

	if (fault != -ENOENT)
		return fault;
	return dp_divert(is_ext4(fd) ? "ext4_break_layouts" : "xfs_break_dax_layouts");
}

static int run_op(void *arg)
{
	const struct rig *r = arg;
	int fault;

	if (r->unguarded) {
		fault = break_divert(r->file.fd);
		if (fault < 0)
			return fault;
	}
	switch (r->op) {
	case TRUNCATE:
		return ftruncate(r->file.fd, r->off) ? -errno : 0;
	case SWAP:
		return swap_blocks(r);
	case REFLINK:
		return run_reflink(r);
	case DEDUPE:
		return run_dedupe(r);
	case EXCHANGE:
		return run_exchange(r);
	default:
		return run_fallocate(r);
	}
}

/* The operation has run or waits for the pin. */
static enum dp_state start(struct __test_metadata *_metadata, struct rig *r, int (*fn)(void *arg))
{
	struct dp_sight s;
	int err;

	ASSERT_EQ(0, dp_child_start(&r->racer, fn, r));
	err = dp_child_settle(&r->racer, &s, SETTLE_MS);
	TH_LOG("witness: task=%c wchan=%s", s.task, s.wchan[0] ? s.wchan : "-");
	ASSERT_EQ(0, err)
		TH_LOG("the operation neither ended nor waits for DAX pages");
	return s.state;
}

static void start_op(struct __test_metadata *_metadata, struct rig *r, enum op what, off_t off,
		     off_t len, enum dp_state want)
{
	r->op = what;
	r->off = off;
	r->len = len;
	ASSERT_EQ(want, start(_metadata, r, run_op))
		TH_LOG("the operation %s", want == DP_DONE ? "waits" : "did not wait");
	if (want == DP_DONE)
		ASSERT_EQ(0, dp_child_wait(&r->racer, RETURN_MS));
}

static void check_collision(struct __test_metadata *_metadata, struct rig *r, const char *op,
			    int part)
{
	const struct held *h = &r->held[part];
	char want[LINE_MAX_BYTES];

	snprintf(want, sizeof(want),
		 "dax_pins: collision: op=%s sb=%s ino=%lu index=0x%lx pfn=0x%lx refs=%d expected=%d by=%s",
		 op, r->sb, r->ino, h->index, h->pfn, h->refs, h->idle, h->by);
	check_line(_metadata, r, COLLISION, want);
}

/* With the wait for pins skipped, the pinned page is given up. */
static void collide(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
		    enum op what, off_t off, off_t len)
{
	take_pin(_metadata, r, 2, kind);
	watch(_metadata, r, COLLISION, 1);
	r->unguarded = true;
	start_op(_metadata, r, what, off, len, DP_DONE);
	check_collision(_metadata, r, op_names[what], 2);
	drop_pins(_metadata, r);
	check_counts(_metadata, r, COLLISION, 1);
}

/*
 * What really happens when the file is mapped no more.  Before 6.15 the kernel
 * looks at no page of a file that has no VMA (dax_layout_busy_page_range()), nor
 * when an inode goes.  So a pinned page is given up, which is reported, or is
 * waited for, which is not.
 */
static void check_given_up(struct __test_metadata *_metadata, struct rig *r, const char *op,
			   enum dp_state state)
{
	bool gone = state == DP_DONE;

	if (gone)
		check_collision(_metadata, r, op, 2);
	drop_pins(_metadata, r);
	EXPECT_EQ(0, dp_child_wait(&r->racer, RETURN_MS));
	check_counts(_metadata, r, COLLISION, gone);
}

static void collide_unmapped(struct __test_metadata *_metadata, struct rig *r,
			     enum dp_pin_kind kind, enum op what, off_t off, off_t len)
{
	take_pin(_metadata, r, 2, kind);
	unmap(_metadata, r);
	watch(_metadata, r, COLLISION, 1);
	r->op = what;
	r->off = off;
	r->len = len;
	check_given_up(_metadata, r, op_names[what], start(_metadata, r, run_op));
}

/* Who unlinks and closes last must not be who holds the pin: it may wait for ever. */
static int unlink_close(void *arg)
{
	const struct rig *r = arg;
	int fd = openat(r->dir, r->name, O_RDWR | O_CLOEXEC);

	if (fd < 0 || unlinkat(r->dir, r->name, 0))
		return -errno;
	return close(fd) ? -errno : 0;
}

/* Since 6.15 an inode that goes waits for its pages; before that there is nothing to skip. */
static int evict_unguarded(void *arg)
{
	int fault = dp_divert("dax_break_layout_final");

	if (fault < 0 && fault != -ENOENT)
		return fault;
	return unlink_close(arg);
}

/* Leave the file to the racer. */
static void hand_over(struct rig *r)
{
	r->dir = r->file.dir;
	memcpy(r->name, r->file.name, sizeof(r->name));
	munmap(r->file.map, r->file.len);
	close(r->file.fd);
	r->file = (struct dp_file){ 0 };
}

FIXTURE(collision) {
	struct rig r;
};

FIXTURE_VARIANT(collision) {
	enum dp_pin_kind pin;
	enum dp_map	 map;
};

/*
 * None that is held by a process of its own, for that would have the file mapped.
 * And none by FOLL_PIN of a PMD: see rig_open(), it counts otherwise in a folio.
 */
FIXTURE_VARIANT_ADD(collision, vmsplice_pte)  { DP_PIN_VMSPLICE,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(collision, vmsplice_pmd)  { DP_PIN_VMSPLICE,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(collision, aio_write_pte) { DP_PIN_AIO_WRITE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(collision, aio_read_pte)  { DP_PIN_AIO_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(collision, module_pin_pte) { DP_PIN_MODULE_PIN_READ, DP_MAP_PTE };

FIXTURE_SETUP(collision)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, variant->map);
}

FIXTURE_TEARDOWN(collision)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(collision, truncate, ROW_S)
{
	collide(_metadata, &self->r, variant->pin, TRUNCATE, 2 * PART, 0);
}

TEST_F_TIMEOUT(collision, punch, ROW_S)
{
	collide(_metadata, &self->r, variant->pin, PUNCH, 2 * PART, PART);
}

TEST_F_TIMEOUT(collision, zero, ROW_S)
{
	collide(_metadata, &self->r, variant->pin, ZERO, 2 * PART, PART);
}

/* The pinned page stays, and is found at another offset afterwards: its entry goes all the same. */
TEST_F_TIMEOUT(collision, collapse, ROW_S)
{
	collide(_metadata, &self->r, variant->pin, COLLAPSE, 0, PART);
}

TEST_F_TIMEOUT(collision, insert, ROW_S)
{
	collide(_metadata, &self->r, variant->pin, INSERT, 0, PART);
}

/* Not once and then never again. */
TEST_F_TIMEOUT(collision, every_time, ROW_S)
{
	struct rig *r = &self->r;

	for (int i = 0; i < PARTS; i++)
		take_pin(_metadata, r, i, variant->pin);
	watch(_metadata, r, COLLISION, PARTS);
	r->unguarded = true;
	for (int i = PARTS - 1; i >= 0; i--) {
		start_op(_metadata, r, TRUNCATE, i * PART, 0, DP_DONE);
		check_collision(_metadata, r, op_names[TRUNCATE], i);
	}
	drop_pins(_metadata, r);
	check_counts(_metadata, r, COLLISION, PARTS);
}

TEST_F_TIMEOUT(collision, truncate_unmapped, ROW_S)
{
	collide_unmapped(_metadata, &self->r, variant->pin, TRUNCATE, 2 * PART, 0);
}

TEST_F_TIMEOUT(collision, punch_unmapped, ROW_S)
{
	collide_unmapped(_metadata, &self->r, variant->pin, PUNCH, 2 * PART, PART);
}

TEST_F_TIMEOUT(collision, swap_unmapped, ROW_S)
{
	collide_unmapped(_metadata, &self->r, variant->pin, SWAP, 0, 0);
}

/* The inode goes, by @fn in a child. */
static enum dp_state evict(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
			   int (*fn)(void *arg))
{
	enum dp_state state;

	take_pin(_metadata, r, 2, kind);
	hand_over(r);
	watch(_metadata, r, COLLISION, 1);
	state = start(_metadata, r, fn);
	check_given_up(_metadata, r, "evict", state);
	close(r->dir);
	return state;
}

TEST_F_TIMEOUT(collision, unlink, ROW_S)
{
	evict(_metadata, &self->r, variant->pin, unlink_close);
}

TEST_F_TIMEOUT(collision, evict, ROW_S)
{
	ASSERT_EQ(DP_DONE, evict(_metadata, &self->r, variant->pin, evict_unguarded));
}

/*
 * Nobody but page tables has the pages, which counts since 6.15: SWAP_BOOT of ext4 unmaps
 * none.
 */

FIXTURE(mapped) {
	struct rig r;
};

FIXTURE_SETUP(mapped)
{
	struct dp_folio folio;

	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, DP_MAP_PMD);
	ASSERT_EQ(0, dp_page_folio(self->r.file.map, &folio));
	if (folio.pages == 1)
		SKIP(return, "page tables hold no references");
	if (!is_ext4(self->r.file.fd))
		SKIP(return, "xfs unmaps what it swaps");
}

FIXTURE_TEARDOWN(mapped)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(mapped, swap, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_folio folio;

	watch(_metadata, r, COLLISION, PARTS);
	for (int i = 0; i < PARTS; i++) {
		ASSERT_EQ(0, dp_page_folio(r->file.map + i * PART, &folio));
		r->held[i] = (struct held){
			.index = i * PART / PAGE, .pfn = folio.pfn,
			.refs = dp_pfn_refs(folio.pfn) + 1,	/* that of its PMD */
			.by = "map",
		};
	}
	start_op(_metadata, r, SWAP, 0, 0, DP_DONE);
	for (int i = 0; i < PARTS; i++)
		check_collision(_metadata, r, op_names[SWAP], i);
	check_counts(_metadata, r, COLLISION, PARTS);
}

/*
 * Associations
 */

enum owner { OTHER, NOBODY, MISPLACED };

FIXTURE(association) {
	struct rig r;
	struct dp_owner owner;
};

FIXTURE_VARIANT(association) {
	enum owner	owner;
	enum dp_map	map;
};

FIXTURE_VARIANT_ADD(association, other_pte)	{ OTHER,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(association, other_pmd)	{ OTHER,     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(association, nobody_pte)	{ NOBODY,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(association, nobody_pmd)	{ NOBODY,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(association, misplaced_pte)	{ MISPLACED, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(association, misplaced_pmd)	{ MISPLACED, DP_MAP_PMD };

FIXTURE_SETUP(association)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, variant->map);
}

FIXTURE_TEARDOWN(association)
{
	rig_close(&self->r);
}

static void set_owner(struct __test_metadata *_metadata, struct rig *r, struct dp_owner *o,
		      enum owner who)
{
	int fds[] = { [OTHER] = r->other, [NOBODY] = -1, [MISPLACED] = r->file.fd };

	*o = (struct dp_owner){ .addr = r->file.map + PART + r->in_part,
				.index = who == NOBODY ? 0 : 7 };
	r->owner = dp_owner_set(o, fds[who]);
	ASSERT_GE(r->owner, 0);
	TH_LOG("witness: owned_pfn=0x%lx index=%lu->%lu", o->pfn, o->was, o->index);
}

/* The file @ino has a page that belongs to @who. */
static void check_owner(struct __test_metadata *_metadata, struct rig *r,
			const struct dp_owner *o, enum owner who, const char *at,
			unsigned long ino)
{
	char want[LINE_MAX_BYTES], owner[128];

	if (who == NOBODY)
		snprintf(owner, sizeof(owner), "owner_sb=none owner_ino=none owner_index=none");
	else
		snprintf(owner, sizeof(owner), "owner_sb=%s owner_ino=%lu owner_index=0x%lx", r->sb,
			 who == OTHER ? r->other_ino : r->ino, o->index);
	snprintf(want, sizeof(want),
		 "dax_pins: association: at=%s sb=%s ino=%lu index=0x%lx pfn=0x%lx %s",
		 at, r->sb, ino, o->was, o->pfn, owner);
	check_line(_metadata, r, ASSOCIATION, want);
}

static void check_association(struct __test_metadata *_metadata, struct rig *r,
			      const struct dp_owner *o, enum owner who, const char *at)
{
	check_owner(_metadata, r, o, who, at, r->ino);
	check_counts(_metadata, r, ASSOCIATION, 1);
}

/* With its own owner again the page is in order, up to its end. */
static void give_back(struct __test_metadata *_metadata, struct rig *r)
{
	close(r->owner);
	r->owner = -1;
	watch(_metadata, r, ASSOCIATION, 0);
	ASSERT_EQ(0, madvise(r->file.map, PAGE, MADV_POPULATE_READ));
	ASSERT_EQ(0, ftruncate(r->file.fd, 0));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

/* Fault the page in for a mapping that has none of the file yet, and leave it clean. */
static void fault(struct __test_metadata *_metadata, struct rig *r, off_t off)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->file.fd, off);

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(0, madvise(page, PAGE, MADV_POPULATE_READ));
	munmap(page, PAGE);
}

/* Clean: since 6.15 the owner is asked, too, when a dirty page is unmapped. */
TEST_F_TIMEOUT(association, fault, ROW_S)
{
	struct rig *r = &self->r;

	ASSERT_EQ(0, fsync(r->file.fd));
	set_owner(_metadata, r, &self->owner, variant->owner);
	watch(_metadata, r, ASSOCIATION, 1);
	fault(_metadata, r, PART + r->in_part);
	check_association(_metadata, r, &self->owner, variant->owner, "fault");
	give_back(_metadata, r);
}

TEST_F_TIMEOUT(association, writeback, ROW_S)
{
	struct rig *r = &self->r;

	r->file.map[AT(1)] ^= 1;
	set_owner(_metadata, r, &self->owner, variant->owner);
	watch(_metadata, r, ASSOCIATION, 1);
	ASSERT_EQ(0, fsync(r->file.fd));
	check_association(_metadata, r, &self->owner, variant->owner, "writeback");
	give_back(_metadata, r);
}

TEST_F_TIMEOUT(association, truncate, ROW_S)
{
	struct rig *r = &self->r;

	ASSERT_EQ(0, fsync(r->file.fd));
	set_owner(_metadata, r, &self->owner, variant->owner);
	watch(_metadata, r, ASSOCIATION, 1);
	ASSERT_EQ(0, ftruncate(r->file.fd, PART));
	check_association(_metadata, r, &self->owner, variant->owner, "truncate");
	give_back(_metadata, r);
}

FIXTURE(first_fault) {
	struct rig r;
};

FIXTURE_SETUP(first_fault)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(first_fault)
{
	rig_close(&self->r);
}

/* A page that nobody has mapped yet belongs to another file already. */
TEST_F_TIMEOUT(first_fault, other, ROW_S)
{
	int fd = nameless();
	struct rig *r = &self->r;
	struct dp_owner o = { .index = 7 };
	uint64_t pfn;
	char *map;

	ASSERT_EQ(0, fill(fd, 2 * PAGE));
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_LE(0, dp_page_refs(map, &pfn));
	o.pfn = pfn + 1;
	r->owner = dp_owner_set(&o, r->other);
	ASSERT_GE(r->owner, 0);
	watch(_metadata, r, ASSOCIATION, 1);
	ASSERT_LE(0, dp_page_refs(map + PAGE, &pfn));
	ASSERT_EQ(o.pfn, pfn)
		TH_LOG("the two blocks of the file are not neighbours");
	o.was = 1;
	check_owner(_metadata, r, &o, OTHER, "fault", inode_of(fd));
	check_counts(_metadata, r, ASSOCIATION, 1);
	munmap(map, 2 * PAGE);
	close(fd);
}

/*
 * Dirtying
 */

FIXTURE(dirty) {
	struct rig r;
};

FIXTURE_VARIANT(dirty) {
	enum dp_pin_kind pin;
	enum dp_map	 map;
};

/* Dirtied by who reads, and by a worker some time after it was told that it has read. */
FIXTURE_VARIANT_ADD(dirty, dio_read_pte) { DP_PIN_DIO_READ, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(dirty, dio_read_pmd) { DP_PIN_DIO_READ, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(dirty, aio_read_pte) { DP_PIN_AIO_READ, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(dirty, aio_read_pmd) { DP_PIN_AIO_READ, DP_MAP_PMD };

FIXTURE_SETUP(dirty)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, variant->map);
}

FIXTURE_TEARDOWN(dirty)
{
	rig_close(&self->r);
}

static void check_dirty(struct __test_metadata *_metadata, struct rig *r, unsigned long ino,
			uint64_t index, uint64_t pfn, const char *entry)
{
	char want[LINE_MAX_BYTES];

	snprintf(want, sizeof(want),
		 "dax_pins: dirty: sb=%s ino=%lu index=0x%lx pfn=0x%lx entry=%s",
		 r->sb, ino, index, pfn, entry);
	check_line(_metadata, r, DIRTY, want);
	check_counts(_metadata, r, DIRTY, 1);
}

/*
 * fsync() has cleaned the entry and forbidden stores; the device writes without
 * asking.  The next fsync() passes over what it wrote: real, in all versions.
 */
TEST_F_TIMEOUT(dirty, after_fsync, ROW_S)
{
	struct rig *r = &self->r;

	take_pin(_metadata, r, 2, variant->pin);
	ASSERT_EQ(0, fsync(r->file.fd));
	watch(_metadata, r, DIRTY, 1);
	drop_pins(_metadata, r);
	check_dirty(_metadata, r, r->ino, r->held[2].index, r->held[2].pfn, "clean");
}

/* Dirty, and dirty again: what was reported once is not forgotten, nor taken for dirty. */
TEST_F_TIMEOUT(dirty, every_time, ROW_S)
{
	struct rig *r = &self->r;

	for (int i = 0; i < PARTS; i++) {
		take_pin(_metadata, r, 2, variant->pin);
		ASSERT_EQ(0, fsync(r->file.fd));
		watch(_metadata, r, DIRTY, 1);
		drop_pins(_metadata, r);
		check_dirty(_metadata, r, r->ino, r->held[2].index, r->held[2].pfn, "clean");
	}
}

/* The device's page belongs to a file at an offset where that has nothing, or another page. */
static void dirty_foreign(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind pin,
			  uint64_t index, const char *entry)
{
	struct dp_owner o = { .addr = r->file.map + AT(2), .index = index };
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->other, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] ^= 1;
	take_pin(_metadata, r, 2, pin);
	r->owner = dp_owner_set(&o, r->other);
	ASSERT_GE(r->owner, 0);
	watch(_metadata, r, DIRTY, 1);
	drop_pins(_metadata, r);
	check_dirty(_metadata, r, r->other_ino, index, o.pfn, entry);
	close(r->owner);
	r->owner = -1;
	munmap(map, PAGE);
}

TEST_F_TIMEOUT(dirty, no_entry, ROW_S)
{
	dirty_foreign(_metadata, &self->r, variant->pin, 7, "none");
}

TEST_F_TIMEOUT(dirty, entry_of_other_page, ROW_S)
{
	dirty_foreign(_metadata, &self->r, variant->pin, 0, "other");
}

/*
 * Operations that nobody may call
 */

FIXTURE(call) {
	struct rig r;
};

FIXTURE_VARIANT(call) {
	const char	*op;
	bool		 fails;		/* with -errno; else it says no, or nothing */
	bool		 unlocks;	/* the page, as who calls it expects */
};

FIXTURE_VARIANT_ADD(call, writepage)		 { "writepage",		    true, true };
FIXTURE_VARIANT_ADD(call, write_begin)		 { "write_begin",	    true };
FIXTURE_VARIANT_ADD(call, write_end)		 { "write_end",		    true, true };
FIXTURE_VARIANT_ADD(call, invalidate_folio)	 { "invalidate_folio",	    false };
FIXTURE_VARIANT_ADD(call, release_folio)	 { "release_folio",	    false };
FIXTURE_VARIANT_ADD(call, free_folio)		 { "free_folio",	    false };
FIXTURE_VARIANT_ADD(call, migrate_folio)	 { "migrate_folio",	    true };
FIXTURE_VARIANT_ADD(call, launder_folio)	 { "launder_folio",	    true };
FIXTURE_VARIANT_ADD(call, is_partially_uptodate) { "is_partially_uptodate", false };
FIXTURE_VARIANT_ADD(call, is_dirty_writeback)	 { "is_dirty_writeback",    false };

FIXTURE_SETUP(call)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(call)
{
	rig_close(&self->r);
}

static void check_call(struct __test_metadata *_metadata, struct rig *r, const char *op)
{
	char want[LINE_MAX_BYTES];

	snprintf(want, sizeof(want), "dax_pins: call: op=%s sb=%s ino=%lu", op, r->sb, r->ino);
	/* The page has left its file, and nobody can say which that was. */
	if (!strcmp(op, "free_folio"))
		snprintf(want, sizeof(want), "dax_pins: call: op=%s sb=? ino=?", op);
	check_line(_metadata, r, CALL, want);
}

TEST_F_TIMEOUT(call, reported, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_aop_result result;
	int err;

	watch(_metadata, r, CALL, 1);
	err = dp_aop_call(r->file.fd, variant->op, &result);
	if (err == -ENOENT)
		SKIP(return, "no file of this version has %s", variant->op);
	ASSERT_EQ(0, err)
		TH_LOG("it is not there: calling it would be a jump to 0, or pass unseen");
	TH_LOG("witness: result=%d locked=%d", result.value, result.locked);
	EXPECT_EQ(variant->fails, result.value < 0);
	EXPECT_GE(0, result.value);
	EXPECT_EQ(!variant->unlocks, result.locked);
	check_call(_metadata, r, variant->op);
	check_counts(_metadata, r, CALL, 1);
}

FIXTURE(calls) {
	struct rig r;
};

FIXTURE_SETUP(calls)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(calls)
{
	rig_close(&self->r);
}

/*
 * That there is a read_folio() would tell swapon() and uprobes that there is a page
 * cache, so it is nowhere to be seen, and yet called: a page comes into the page
 * cache for it and has to leave that again.
 */
TEST_F_TIMEOUT(calls, read_folio, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_aop_result result;

	watch(_metadata, r, CALL, 2);
	ASSERT_EQ(0, dp_aop_call(r->file.fd, "read_folio", &result));
	EXPECT_GT(0, result.value);
	check_call(_metadata, r, "read_folio");
	check_call(_metadata, r, "free_folio");
	check_counts(_metadata, r, CALL, 2);
}

/* And by who reads ahead, which is whoever reads. */
TEST_F_TIMEOUT(calls, readahead, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_aop_result result;

	watch(_metadata, r, CALL, 2);
	ASSERT_EQ(0, dp_aop_call(r->file.fd, "readahead", &result));
	check_call(_metadata, r, "read_folio");
	check_call(_metadata, r, "free_folio");
	check_counts(_metadata, r, CALL, 2);
}

/* The kernel does not print more than its limit of 10, and counts all the same. */
TEST_F_TIMEOUT(calls, storm, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_aop_result result;
	char line[LINE_MAX_BYTES];
	int lines = 0, all = 30;

	watch(_metadata, r, CALL, 10);
	for (int i = 0; i < all; i++)
		ASSERT_EQ(0, dp_aop_call(r->file.fd, "launder_folio", &result));
	while (!dp_log_next(&r->log, "dax_pins: call: ", line, sizeof(line), 0))
		lines++;
	TH_LOG("witness: calls=%d lines=%d", all, lines);
	EXPECT_LE(10, lines);
	EXPECT_GT(all, lines);
	check_counts(_metadata, r, CALL, all);
}

/*
 * Shared blocks: xfs with reflink
 */

FIXTURE(reflink) {
	struct rig r;
};

FIXTURE_SETUP(reflink)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(reflink)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(reflink, clone_over_pin, ROW_S)
{
	collide(_metadata, &self->r, DP_PIN_VMSPLICE, REFLINK, AT(2), PAGE);
}

TEST_F_TIMEOUT(reflink, dedupe_over_pin, ROW_S)
{
	struct rig *r = &self->r;

	/* Only what is the same can be shared. */
	ASSERT_EQ(PAGE, pwrite(r->other, r->file.map + AT(2), PAGE, 0));
	collide(_metadata, r, DP_PIN_VMSPLICE, DEDUPE, AT(2), PAGE);
}

/* One page of the other file becomes one of this file, and both map it. */
static char *share(struct __test_metadata *_metadata, struct rig *r)
{
	char *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->other, 0);
	uint64_t ours, theirs;

	ASSERT_NE(MAP_FAILED, other);
	r->off = AT(2);
	ASSERT_EQ(0, run_reflink(r));
	ASSERT_LE(0, dp_page_refs(r->file.map + AT(2), &ours));
	ASSERT_LE(0, dp_page_refs(other, &theirs));
	TH_LOG("witness: ours=0x%lx theirs=0x%lx", ours, theirs);
	ASSERT_EQ(ours, theirs);
	return other;
}

/* Both write to the block that they share, and go: each step in order. */
TEST_F_TIMEOUT(reflink, silent, ROW_S)
{
	struct rig *r = &self->r;
	char *page = r->file.map + AT(2), *other;

	watch(_metadata, r, ASSOCIATION, 0);
	other = share(_metadata, r);
	page[0] ^= 1;
	other[1] ^= 1;
	EXPECT_NE(other[0], page[0]);
	EXPECT_NE(other[1], page[1]);
	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(0, fsync(r->other));
	munmap(other, PAGE);
	ASSERT_EQ(0, ftruncate(r->file.fd, 0));
	ASSERT_EQ(0, ftruncate(r->other, 0));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

/* The next operation is on the other file, whose page it is. */
static void turn_to_other(struct rig *r)
{
	int fd = r->file.fd;

	r->file.fd = r->other;
	r->other = fd;
	r->ino = r->other_ino;
	r->held[2].index = 0;
}

/* As long as one file has a pinned page it is not given up, whoever else does that. */
TEST_F_TIMEOUT(reflink, one_of_two, ROW_S)
{
	struct rig *r = &self->r;

	share(_metadata, r);
	take_pin(_metadata, r, 2, DP_PIN_VMSPLICE);
	watch(_metadata, r, COLLISION, 1);
	r->unguarded = true;
	start_op(_metadata, r, TRUNCATE, 0, 0, DP_DONE);
	check_counts(_metadata, r, COLLISION, 0);
	turn_to_other(r);
	start_op(_metadata, r, TRUNCATE, 0, 0, DP_DONE);
	check_collision(_metadata, r, op_names[TRUNCATE], 2);
	drop_pins(_metadata, r);
	check_counts(_metadata, r, COLLISION, 1);
}

/*
 * A page that two files share belongs to one of them, and then to nobody.  Only the
 * first one still maps it: since 6.15 what others map is in use, and is reported.
 */
TEST_F_TIMEOUT(reflink, not_shared, ROW_S)
{
	struct rig *r = &self->r;
	char *other = share(_metadata, r);
	struct dp_owner o = { .addr = r->file.map + AT(2), .index = 7 };

	munmap(other, PAGE);
	r->owner = dp_owner_set(&o, r->other);
	ASSERT_GE(r->owner, 0);
	watch(_metadata, r, ASSOCIATION, 2);
	ASSERT_EQ(0, ftruncate(r->file.fd, 0));
	o.was = AT(2) / PAGE;
	check_owner(_metadata, r, &o, OTHER, "truncate", r->ino);
	ASSERT_EQ(0, ftruncate(r->other, 0));
	o.was = 0;
	check_owner(_metadata, r, &o, NOBODY, "truncate", r->other_ino);
	check_counts(_metadata, r, ASSOCIATION, 2);
}

/*
 * What is right is not reported
 */

FIXTURE(silent) {
	struct rig r;
};

FIXTURE_VARIANT(silent) {
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(silent, pte) { DP_MAP_PTE };
FIXTURE_VARIANT_ADD(silent, pmd) { DP_MAP_PMD };

FIXTURE_SETUP(silent)
{
	if (missing())
		SKIP(return, "%s", missing());
	rig_open(_metadata, &self->r, variant->map);
	watch(_metadata, &self->r, COLLISION, 0);
}

FIXTURE_TEARDOWN(silent)
{
	rig_close(&self->r);
}

/* Pages are given up that nobody uses any more, with page tables or without. */
static void give_up(struct __test_metadata *_metadata, struct rig *r, enum op what, off_t off,
		    off_t len)
{
	take_pin(_metadata, r, 2, DP_PIN_VMSPLICE);
	drop_pins(_metadata, r);
	start_op(_metadata, r, what, off, len, DP_DONE);
	check_silent(_metadata, r, COLLISION_CHECKS);
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

TEST_F_TIMEOUT(silent, truncate, ROW_S)
{
	give_up(_metadata, &self->r, TRUNCATE, 2 * PART, 0);
}

TEST_F_TIMEOUT(silent, punch, ROW_S)
{
	give_up(_metadata, &self->r, PUNCH, 2 * PART, PART);
}

TEST_F_TIMEOUT(silent, zero, ROW_S)
{
	give_up(_metadata, &self->r, ZERO, 2 * PART, PART);
}

TEST_F_TIMEOUT(silent, collapse, ROW_S)
{
	give_up(_metadata, &self->r, COLLAPSE, 0, PART);
}

TEST_F_TIMEOUT(silent, insert, ROW_S)
{
	give_up(_metadata, &self->r, INSERT, 0, PART);
}

TEST_F_TIMEOUT(silent, truncate_unmapped, ROW_S)
{
	unmap(_metadata, &self->r);
	start_op(_metadata, &self->r, TRUNCATE, 0, 0, DP_DONE);
	check_silent(_metadata, &self->r, COLLISION_CHECKS);
}

TEST_F_TIMEOUT(silent, unlink, ROW_S)
{
	struct rig *r = &self->r;

	dp_file_close(&r->file);
	check_silent(_metadata, r, COLLISION_CHECKS);
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

/* The operation meets the pin, and waits as it should. */
static void wait_for(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
		     enum op what)
{
	take_pin(_metadata, r, 2, kind);
	start_op(_metadata, r, what, 2 * PART, PART, DP_WAITS);
	check_counts(_metadata, r, CALL, 0);
	drop_pins(_metadata, r);
	ASSERT_EQ(0, dp_child_wait(&r->racer, RETURN_MS));
	check_silent(_metadata, r, COLLISION_CHECKS);
}

TEST_F_TIMEOUT(silent, truncate_waits, ROW_S)
{
	wait_for(_metadata, &self->r, DP_PIN_VMSPLICE, TRUNCATE);
}

TEST_F_TIMEOUT(silent, punch_waits, ROW_S)
{
	wait_for(_metadata, &self->r, DP_PIN_VMSPLICE, PUNCH);
}

TEST_F_TIMEOUT(silent, fault, ROW_S)
{
	fault(_metadata, &self->r, AT(1));
	check_silent(_metadata, &self->r, ASSOCIATION_CHECKS);
}

TEST_F_TIMEOUT(silent, fault_again, ROW_S)
{
	struct rig *r = &self->r;

	ASSERT_EQ(0, madvise(r->file.map, r->file.len, MADV_DONTNEED));
	r->file.map[AT(1)] ^= 1;
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

TEST_F_TIMEOUT(silent, writeback, ROW_S)
{
	struct rig *r = &self->r;

	r->file.map[AT(1)] ^= 1;
	ASSERT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
	/* And what is clean becomes dirty again. */
	r->file.map[AT(1)] ^= 1;
	ASSERT_EQ(0, msync(r->file.map, r->file.len, MS_SYNC));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

/* fork() shares the mapping; either may go first. */
static int store(void *arg)
{
	const struct rig *r = arg;

	r->file.map[AT(1)] ^= 1;
	return munmap(r->file.map, r->file.len) ? -errno : 0;
}

TEST_F_TIMEOUT(silent, fork, ROW_S)
{
	struct rig *r = &self->r;

	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(DP_DONE, start(_metadata, r, store));
	ASSERT_EQ(0, dp_child_wait(&r->racer, RETURN_MS));
	ASSERT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

/* The device writes to a page whose entry is dirty until the next fsync(). */
static void read_to(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind)
{
	take_pin(_metadata, r, 2, kind);
	drop_pins(_metadata, r);
	check_silent(_metadata, r, DIRTY_CHECKS);
	ASSERT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, DIRTY_CHECKS);
}

TEST_F_TIMEOUT(silent, dio_read, ROW_S)
{
	read_to(_metadata, &self->r, DP_PIN_DIO_READ);
}

TEST_F_TIMEOUT(silent, aio_read, ROW_S)
{
	read_to(_metadata, &self->r, DP_PIN_AIO_READ);
}

TEST_F_TIMEOUT(silent, uring_read, ROW_S)
{
	read_to(_metadata, &self->r, DP_PIN_URING_READ);
}

/* Clean when the device is asked: taking the page for writing makes it dirty first. */
TEST_F_TIMEOUT(silent, read_after_fsync, ROW_S)
{
	ASSERT_EQ(0, fsync(self->r.file.fd));
	read_to(_metadata, &self->r, DP_PIN_DIO_READ);
}

/* As a debugger writes: the page is taken for writing, and dirtied when it is written to. */
TEST_F_TIMEOUT(silent, proc_mem, ROW_S)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct rig *r = &self->r;
	char data[PAGE] = "";

	ASSERT_GE(mem, 0);
	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(PAGE, pwrite(mem, data, PAGE, (uintptr_t)r->file.map + AT(2)));
	/* One reference of a PMD folio may be that of its page table (since 6.15). */
	if (r->in_part == MIDDLE)
		check_silent(_metadata, r, DIRTY_CHECKS);
	ASSERT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
	close(mem);
}

/* Stores and write(2) in any order with fsync(). */
TEST_F_TIMEOUT(silent, write_store_fsync, ROW_S)
{
	struct rig *r = &self->r;
	char page[PAGE] = "";

	for (int i = 0; i < PARTS; i++) {
		ASSERT_EQ(PAGE, pwrite(r->file.fd, page, PAGE, AT(i)));
		r->file.map[AT(i)] ^= 1;
		ASSERT_EQ(0, fdatasync(r->file.fd));
		r->file.map[AT(i)] ^= 1;
		ASSERT_EQ(PAGE, pwrite(r->file.fd, page, PAGE, AT(i)));
		ASSERT_EQ(0, sync_file_range(r->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	}
	/* Some kernels dirty what a page table was dirty for. */
	unmap(_metadata, r);
	ASSERT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
}

static void advise(struct __test_metadata *_metadata, struct rig *r)
{
	static const int file[] = { POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED };
	static const int memory[] = { MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED };

	for (size_t i = 0; i < ARRAY_SIZE(file); i++)
		EXPECT_EQ(0, posix_fadvise(r->file.fd, 0, FILE_LEN, file[i]));
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
		EXPECT_EQ(0, madvise(r->file.map, r->file.len, memory[i]));
	EXPECT_EQ(0, readahead(r->file.fd, 0, FILE_LEN));
}

/* A swap file is read through the page cache, which a DAX file has not. */
static void swap_refused(struct __test_metadata *_metadata, struct rig *r)
{
	char path[64];

	if (access("/proc/swaps", F_OK))
		return;		/* a kernel without swap */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->file.fd);
	ASSERT_EQ(-1, swapon(path, 0));
	EXPECT_EQ(EINVAL, errno);
}

/* So is the instruction that a probe replaces. */
static void uprobe_refused(struct __test_metadata *_metadata, struct rig *r)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .config2 = AT(1) };
	FILE *type = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	char path[64];
	void *map;

	if (!type)
		return;		/* a kernel without them */
	ASSERT_EQ(1, fscanf(type, "%u", &attr.type));
	fclose(type);
	map = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, r->file.fd, AT(1));
	ASSERT_NE(MAP_FAILED, map);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->file.fd);
	attr.config1 = (uintptr_t)path;
	ASSERT_EQ(-1, syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
	EXPECT_EQ(EIO, errno);
	munmap(map, PAGE);
}

/* All that makes mm look at a file's pages, or at which operations there are. */
TEST_F_TIMEOUT(silent, no_call, ROW_S)
{
	int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct rig *r = &self->r;
	loff_t off = 0;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	EXPECT_EQ(PAGE, splice(r->file.fd, &off, ends[1], NULL, PAGE, 0));
	EXPECT_EQ(PAGE, splice(ends[0], NULL, null, NULL, PAGE, 0));
	off = 0;
	EXPECT_EQ(PAGE, sendfile(ends[1], r->file.fd, &off, PAGE));
	advise(_metadata, r);
	swap_refused(_metadata, r);
	uprobe_refused(_metadata, r);
	EXPECT_EQ(0, mlock(r->file.map, r->file.len));
	/* Not every kernel has them. */
	dp_knob_set("/proc/sys/vm/drop_caches", "3");
	dp_knob_set("/proc/sys/vm/compact_memory", "1");
	EXPECT_EQ(0, munlock(r->file.map, r->file.len));
	EXPECT_EQ(0, madvise(r->file.map, PART, MADV_REMOVE));
	fault(_metadata, r, AT(1));
	EXPECT_EQ(0, fsync(r->file.fd));
	check_silent(_metadata, r, ASSOCIATION_CHECKS);
	close(ends[0]);
	close(ends[1]);
	close(null);
}

/*
 * Exchange of blocks
 */

FIXTURE(exchange) {
	struct rig r;
};

FIXTURE_SETUP(exchange)
{
	if (missing())
		SKIP(return, "%s", missing());
	dax_folder(_metadata);
	rig_open(_metadata, &self->r, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(exchange)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(exchange, collision, ROW_S)
{
	collide(_metadata, &self->r, DP_PIN_VMSPLICE, EXCHANGE, AT(2), PAGE);
}

TEST_F_TIMEOUT(exchange, silent, ROW_S)
{
	watch(_metadata, &self->r, COLLISION, 0);
	give_up(_metadata, &self->r, EXCHANGE, AT(2), PAGE);
}

TEST_HARNESS_MAIN
