// SPDX-License-Identifier: GPL-2.0
/*
 * Memory runs out, or a copy from user space fails, at the first, the second, ... point
 * of an operation on a DAX file at which it can, until one gets through untouched.
 *
 * The kernel counts the points of a task (lib/fault-inject.c, /proc/self/fail-nth): of
 * failslab, fail_page_alloc and fail_usercopy.  An operation that could not be done says
 * so by ENOMEM or EFAULT.  It leaves no reference, no pin, no page that is neither the old
 * nor the new one, and no size but these two; and the same operation then succeeds.
 * Whether the file system is whole is seen when it is unmounted, mounted and checked.
 */
#include <linux/falloc.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "nameless.h"
#include "ops.h"
#include "place.h"
#include "remap.h"

#define LEN		(8 * PAGE)
#define MID		(4 * PAGE)	/* what is operated on begins here */
#define POINTS_MAX	2000		/* an operation has no more, or it does not end */
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAULTS		"/sys/kernel/debug/"

/* What the child tells: shared with it. */
struct told {
	int	err;
	int	left;		/* of the count: 0: the point was reached */
};

struct walk {
	struct rig	 r;
	struct told	*told;
	int		 other;		/* a file with the same blocks; -1: there is none */
	struct place	 place;
	fsfilcnt_t	 inodes;	/* that are free, before */
	int		 nth;
	char		 why[256];	/* what is wrong with this point, the first thing */
};

/* One operation, and what it makes of the file. */
struct step {
	struct collision c;
	bool		 pinned;	/* somebody has a pin that the operation waits for */
	bool		 shared;	/* another file has the same blocks, before */
	bool		 hole;		/* what is operated on has none */
	bool		 pointless;	/* some kernels have no point in it at all */
};

FIXTURE(fail_nth) {
	struct walk w;
};

FIXTURE_VARIANT(fail_nth) {
	struct step s;
};

static int run_pin(struct rig *r)
{
	int pin = dp_gup_take(r->file.map + r->c->off, r->c->len, DP_GUP_PIN | DP_GUP_WRITE, 1);

	if (pin < 0)
		return pin;
	return close(pin) ? -errno : 0;
}

/* All pages of the range: what is not there yet is made, what is shared is copied. */
static int run_fault(struct rig *r)
{
	return madvise(r->file.map + r->c->off, r->c->len, MADV_POPULATE_WRITE) ? -errno : 0;
}

static int run_fsync(struct rig *r)
{
	return fsync(r->file.fd) ? -errno : 0;
}

static int run_write(struct rig *r)
{
	char data[LEN];
	ssize_t n;

	dp_data_fill(data, r->c->len, r->c->off, OP_SEED);
	n = pwrite(r->file.fd, data, r->c->len, r->c->off);
	return n < 0 ? -errno : n == r->c->len ? 0 : -ENOMEM;	/* a short one has failed later */
}

static void written(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OP_SEED, c->off);
}

/* From a device that is not held up: its pages are pinned and let go of. */
static int run_direct_read(struct rig *r)
{
	ssize_t n = pread(r->dev.fd, r->file.map + r->c->off, PIN_LEN, 0);

	return n < 0 ? -errno : n == PIN_LEN ? 0 : -EFAULT;
}

static void read_direct(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, PIN_LEN, DEV_SEED, 0);
}

/* Into a file that the child makes, and that is gone when it ends. */
static int run_clone(struct rig *r)
{
	return try_clone(r->file.fd);
}

/* Its last name goes, and nobody else has it open: the inode is evicted. */
static int run_evict(struct rig *r)
{
	int fd = openat(r->file.dir, "evict", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int err = fd < 0 || pwrite(fd, "x", 1, LEN) != 1 ? -errno : 0;

	close(fd);
	if (!err && unlinkat(r->file.dir, "evict", 0))
		err = -errno;
	return err;
}

static const struct op pin = { run_pin };
static const struct op fault = { run_fault };
static const struct op sync_file = { run_fsync };
static const struct op write_file = { run_write, written };
static const struct op direct_read = { run_direct_read, read_direct };
static const struct op cloning = { run_clone };
static const struct op evict = { run_evict };

#define ZERO	FALLOC_FL_ZERO_RANGE
#define SHIFT	FALLOC_FL_COLLAPSE_RANGE

static const struct op zero = { run_fallocate, clear };

FIXTURE_VARIANT_ADD(fail_nth, pin)	  { { { &pin,         0,     MID, MID } } };
FIXTURE_VARIANT_ADD(fail_nth, fault)	  { { { &fault,       0,     MID, MID } } };
FIXTURE_VARIANT_ADD(fail_nth, allocate)	  { { { &fault,       0,     MID, MID }, .hole = true } };
FIXTURE_VARIANT_ADD(fail_nth, fsync)
	{ { { &sync_file, 0, 0, LEN }, .pointless = true } };
FIXTURE_VARIANT_ADD(fail_nth, write)	  { { { &write_file,  0,     MID, MID } } };
FIXTURE_VARIANT_ADD(fail_nth, dio_read)	  { { { &direct_read, 0,     MID, MID } } };
FIXTURE_VARIANT_ADD(fail_nth, truncate)	  { { { &truncation,  0,     MID, MID } } };
FIXTURE_VARIANT_ADD(fail_nth, punch)	  { { { &punch,       0,     MID, PAGE } } };
FIXTURE_VARIANT_ADD(fail_nth, zero)	  { { { &zero,        ZERO,  MID, PAGE } } };
FIXTURE_VARIANT_ADD(fail_nth, collapse)	  { { { &shift_down,  SHIFT, MID, PAGE } } };
FIXTURE_VARIANT_ADD(fail_nth, clone)	  { { { &cloning,  0,     0,   LEN } } };
FIXTURE_VARIANT_ADD(fail_nth, evict)	  { { { &evict,       0,     0,   LEN } } };
FIXTURE_VARIANT_ADD(fail_nth, cow)	  { { { &fault,       0,     MID, MID }, .shared = true } };
FIXTURE_VARIANT_ADD(fail_nth, cow_write)
	{ { { &write_file, 0, MID, MID }, .shared = true } };
FIXTURE_VARIANT_ADD(fail_nth, truncate_pinned)
	{ { { &truncation, 0, MID, MID, MID, WAITS }, .pinned = true } };
FIXTURE_VARIANT_ADD(fail_nth, punch_pinned)
	{ { { &punch, 0, MID, PAGE, MID, WAITS }, .pinned = true } };

/* Allocations that may wait fail as well, of any size, and nobody is told. */
static void knobs_set(struct __test_metadata *_metadata)
{
	static const struct {
		const char *path, *value;
	} knobs[] = {
		{ FAULTS "failslab/ignore-gfp-wait", "N" },
		{ FAULTS "failslab/verbose", "0" },
		{ FAULTS "fail_page_alloc/ignore-gfp-wait", "N" },
		{ FAULTS "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ FAULTS "fail_page_alloc/min-order", "0" },
		{ FAULTS "fail_page_alloc/verbose", "0" },
		{ FAULTS "fail_usercopy/verbose", "0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		ASSERT_EQ(0, dp_knob_set(knobs[i].path, knobs[i].value))
			TH_LOG("%s cannot be set", knobs[i].path);
	}
}

FIXTURE_SETUP(fail_nth)
{
	self->w.other = -1;
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (access(FAIL_NTH, W_OK))
		SKIP(return, "no " FAIL_NTH " (CONFIG_FAULT_INJECTION)");
	knobs_set(_metadata);
	dp_case_begin(_metadata->name);
	self->w.told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->w.told);
}

FIXTURE_TEARDOWN(fail_nth)
{
	rig_close(&self->w.r);
	if (self->w.other >= 0)
		close(self->w.other);
}

/*
 * What the count is of is the operation alone: all that is needed to tell is there before.
 * To read the count is a copy to user space, a point itself; when it is the one that
 * fails, the operation had been through.
 */
static int run_nth(void *arg)
{
	struct walk *w = arg;
	char count[16] = "";
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC), n;

	w->told->left = 0;
	n = snprintf(count, sizeof(count), "%d", w->nth);
	if (fd < 0 || write(fd, count, n) != n)
		return -errno;
	w->told->err = w->r.c->op->run(&w->r);
	n = pread(fd, count, sizeof(count) - 1, 0);
	if (n < 0 && errno != EFAULT)
		return -errno;
	count[n > 0 ? n : 0] = '\0';
	w->told->left = n < 0 ? 1 : atoi(count);
	/* Whether this is read or fails, the count is over. */
	if (pwrite(fd, "0", 1, 0) != 1 && errno != EFAULT)
		return -errno;
	return 0;
}

/* Another file with the same blocks; false where there are none. */
static bool share(struct walk *w)
{
	w->other = nameless();
	return w->other >= 0 && !clone_file(w->other, w->r.file.fd);
}

__attribute__((format(printf, 2, 3)))
static void wrong(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	if (w->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

/* What is to be taken out of the file may be a hole before all behind it has moved. */
static bool taken_out(const struct collision *c, const char *got, off_t off)
{
	static const char zeroes[PAGE];

	return c->op->moves && off >= c->off && off < c->off + c->len &&
	       !memcmp(got + off, zeroes, PAGE);
}

/* Each page is as it was or as it shall be, and so is the size. */
static void check_either(struct __test_metadata *_metadata, struct walk *w, bool done)
{
	static char got[2 * LEN];
	const struct collision *c = w->r.c;
	struct dp_content old, new;
	struct stat st;

	dp_content_init(&old, LEN, FILE_SEED);
	dp_content_put(&old, w->r.hole, w->r.hole_len, 0, 0);
	new = old;
	if (c->op->effect)
		c->op->effect(c, &new);
	ASSERT_EQ(0, fstat(w->r.file.fd, &st));
	if (st.st_size != new.size && (done || st.st_size != LEN))
		wrong(w, "the size is %ld", (long)st.st_size);
	ASSERT_EQ(st.st_size, pread(w->r.file.fd, got, sizeof(got), 0));
	for (off_t off = 0; off < st.st_size; off += PAGE)
		if (!page_is(&new, got + off, off, PAGE) &&
		    (done || (!page_is(&old, got + off, off, PAGE) && !taken_out(c, got, off))))
			wrong(w, "page %ld is %s", (long)(off / PAGE),
			      done ? "not the new one" : "neither the old nor the new one");
}

/* The operation, at whose nth point something fails. */
static void fail_once(struct __test_metadata *_metadata, struct walk *w, const struct step *s)
{
	struct dp_pin *held = &w->r.pin;
	struct dp_sight sight;

	if (s->pinned)
		ASSERT_EQ(0, dp_pin(held, DP_PIN_VMSPLICE, &w->r.dev, w->r.file.map + s->c.pin,
				    PAGE));
	memset(w->told, 0, sizeof(*w->told));
	ASSERT_EQ(0, dp_child_start(&w->r.racer, run_nth, w));
	if (s->pinned) {
		ASSERT_EQ(0, dp_child_settle(&w->r.racer, &sight, SETTLE_MS));
		if (sight.state != DP_WAITS && !w->told->err)
			wrong(w, "it did not wait for the pin");
		ASSERT_EQ(0, dp_unpin(held, NULL));
	}
	ASSERT_EQ(0, dp_child_return(&w->r.racer, RETURN_MS))
		TH_LOG("at point %d the operation does not end", w->nth);
}

/* What it left, and then the operation by itself. */
static void check_after(struct __test_metadata *_metadata, struct walk *w)
{
	int err = w->told->err, again;

	if (err && err != -ENOMEM && err != -EFAULT)
		wrong(w, "the operation ends with error %d", -err);
	check_either(_metadata, w, !err);
	if (!err)
		return;
	again = w->r.c->op->run(&w->r);
	if (again)
		wrong(w, "the same operation then fails when nothing else does: error %d", -again);
	check_either(_metadata, w, true);
}

/* A new file for each point; true when the point was reached. */
static bool turn(struct __test_metadata *_metadata, struct walk *w, const struct step *s)
{
	long pins = dp_pins_held();
	uint64_t pfn;
	int idle;

	rig_open(_metadata, &w->r, DP_MAP_PTE, LEN);
	w->r.c = &s->c;
	if (s->hole)
		rig_punch(_metadata, &w->r, s->c.off, s->c.len);
	if (s->shared)
		ASSERT_TRUE(share(w));
	/* Suspended once, the device has a target to read from. */
	if (s->c.op == &direct_read)
		ASSERT_EQ(0, dp_dev_suspend(&w->r.dev) ?: dp_dev_resume(&w->r.dev));
	/* Something for a sync to do. */
	dp_data_fill(w->r.file.map, PAGE, 0, FILE_SEED);
	idle = dp_page_refs(w->r.file.map, &pfn);	/* of a page that stays the file's */
	fail_once(_metadata, w, s);
	check_after(_metadata, w);
	if (dp_pins_held() != pins)
		wrong(w, "%ld pins are left", dp_pins_held() - pins);
	if (dp_pfn_refs(pfn) != idle)
		wrong(w, "page 0 had %d references and has %d", idle, dp_pfn_refs(pfn));
	rig_close(&w->r);
	if (s->shared)
		close(w->other);
	w->other = -1;
	return !w->told->left;
}

/* Does the file system share blocks at all? */
static bool sharing(struct __test_metadata *_metadata, struct walk *w)
{
	bool can;

	rig_open(_metadata, &w->r, DP_MAP_PTE, LEN);
	can = share(w);
	close(w->other);
	w->other = -1;
	rig_close(&w->r);
	return can;
}

static fsfilcnt_t inodes_free(void)
{
	struct statfs fs;

	return statfs(getenv("DAXPIN_DIR"), &fs) ? 0 : fs.f_ffree;
}

/* Let the checker mend it: what it finds at the end is not of this row then. */
static int mend(const struct place *p)
{
	int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();

	if (!pid) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("e2fsck", "e2fsck", "-fy", p->device, NULL);
		_exit(127);
	}
	close(null);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) <= 1 ? 0 : -EIO;
}

/* Files that went while memory was short are gone when the file system is mounted again. */
static void check_gone(struct __test_metadata *_metadata, struct walk *w)
{
	struct place *p = &w->place;
	long lost;

	ASSERT_EQ(0, umount(p->path));
	ASSERT_EQ(0, place_mount(p));
	lost = w->inodes - inodes_free();
	EXPECT_EQ(0, lost)
		TH_LOG("%ld files that were deleted still have their inodes and blocks", lost);
	if (!lost || strcmp(p->type, "ext4"))
		return;
	ASSERT_EQ(0, umount(p->path));
	ASSERT_EQ(0, mend(p));
	ASSERT_EQ(0, place_mount(p));
}

TEST_F_TIMEOUT(fail_nth, walk, ROW_S)
{
	const struct step *s = &variant->s;
	struct walk *w = &self->w;
	bool reached = true;
	int errors = 0;

	ASSERT_EQ(0, place_find(&w->place));
	w->inodes = inodes_free();

	if ((s->shared || s->c.op == &cloning) && !sharing(_metadata, w))
		SKIP(return, "files of this file system share no blocks");
	for (w->nth = 1; reached && !w->why[0] && w->nth < POINTS_MAX; w->nth++) {
		reached = turn(_metadata, w, s);
		errors += !!w->told->err;
	}
	TH_LOG("witness: points=%d errors=%d", w->nth - 2, errors);
	EXPECT_STREQ("", w->why)
		TH_LOG("point %d: %s", w->nth - 1, w->why);
	EXPECT_LT(w->nth, POINTS_MAX);
	if (s->pointless && w->nth == 2 && !w->why[0])
		SKIP(return, "this kernel has no point in it at which anything could fail");
	EXPECT_LT(2, w->nth)
		TH_LOG("there was no point at which anything could fail");
	if (s->c.op == &evict)
		check_gone(_metadata, w);
}

TEST_HARNESS_MAIN
