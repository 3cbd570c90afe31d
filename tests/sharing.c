// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on a file whose blocks another file shares, while a part of it is pinned.
 *
 * Who changes a part of a shared block gets a block of its own with the rest of the old
 * one (fs/dax.c, dax_iomap_copy_around()): write(2), a store, and the edges of what is
 * cut off, punched or zeroed.  What is given up goes from this file alone.  The other file
 * keeps all that it had, and so does a device that reads from a page that was pinned
 * before it was copied.
 */
#include "beside.h"
#include "ops.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */
#define HALF	(PMD / 2)
#define MORE	(7 * PAGE)		/* than can be read is asked for */

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO	FALLOC_FL_ZERO_RANGE
#define COLLAPSE FALLOC_FL_COLLAPSE_RANGE
#define INSERT	FALLOC_FL_INSERT_RANGE

struct pair {
	struct rig r;			/* first: operations get that */
	int	   other;		/* has the same blocks */
	char	  *other_map;		/* NULL: nobody has mapped it */
	const struct collision *there;	/* what is done to the other file, NULL: nothing */
};

static int run_write(struct rig *r)
{
	char data[LEN];

	dp_data_fill(data, r->c->len, r->c->off, OP_SEED);
	return pwrite(r->file.fd, data, r->c->len, r->c->off) == r->c->len ? 0 : -errno;
}

/* More is asked for than can be read: what can is written, and nothing else changes. */
static int run_short_write(struct rig *r)
{
	size_t readable = (r->c->len + PAGE - 1) & -PAGE;
	char *data = mmap(NULL, readable + PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *from;

	if (data == MAP_FAILED || mprotect(data + readable, PAGE, PROT_NONE))
		return -errno;
	from = data + readable - r->c->len;
	dp_data_fill(from, r->c->len, r->c->off, OP_SEED);
	return pwrite(r->file.fd, from, r->c->len + MORE, r->c->off) == r->c->len ? 0 : -EIO;
}

/* What the file has, from a mapping of the same pages: they are faulted in while it is written. */
static int run_rewrite(struct rig *r)
{
	const struct collision *c = r->c;

	return pwrite(r->file.fd, r->file.map + c->off, c->len, c->off) == c->len ? 0 : -errno;
}

/* In a child, which has no page tables of the file yet. */
static int run_store(struct rig *r)
{
	dp_data_fill(r->file.map + r->c->off, r->c->len, r->c->off, OP_SEED);
	return 0;
}

static int run_rewrite_store(struct rig *r)
{
	return run_rewrite(r) ?: run_store(r);
}

static void written(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OP_SEED, c->off);
}

static const struct op shorten = { run_truncate, cut, .to_end = true, .copies = true };
static const struct op zeroes = { run_fallocate, clear, .copies = true };
static const struct op write_op = { run_write, written, .copies = true };
static const struct op short_write = { run_short_write, written, .copies = true };
static const struct op rewrite = { run_rewrite, .copies = true };
static const struct op rewrite_store = { run_rewrite_store, written, .copies = true };
static const struct op store = { run_store, written, .copies = true };

static void pair_open(struct __test_metadata *_metadata, struct pair *p, enum dp_map map)
{
	off_t len = len_for(map, LEN);

	p->other = beside_open(_metadata, &p->r, LOWER, map, len);
	ASSERT_EQ(0, clone_file(p->other, p->r.file.fd));
	/* The clone took the pages out of the page tables. */
	ASSERT_EQ(0, madvise(p->r.file.map, len, MADV_POPULATE_READ));
}

static void map_other(struct __test_metadata *_metadata, struct pair *p)
{
	off_t len = p->r.file.len;

	p->other_map = dp_map_shared(p->other, len, DP_MAP_PTE);
	ASSERT_NE(MAP_FAILED, p->other_map);
	ASSERT_EQ(0, madvise(p->other_map, len, MADV_POPULATE_READ));
}

static void pair_close(struct pair *p)
{
	rig_close(&p->r);
	if (p->other > 0)
		close(p->other);
}

static void check_other(struct __test_metadata *_metadata, struct pair *p)
{
	struct dp_content want;

	dp_content_init(&want, p->r.file.len, FILE_SEED);
	if (p->there)
		p->there->op->effect(p->there, &want);
	ASSERT_EQ(0, fsync(p->r.file.fd));
	if (!p->r.file.dax)
		drop_cached(_metadata, p->other);
	check_size(_metadata, p->other, &want);
	EXPECT_EQ(-1, file_wrong_at(p->other, &want, 0, want.size))
		TH_LOG("the other file has wrong data, from the offset that is seen on");
	/* Two files must not map a block by a page and by a PMD: `clones` is about that. */
	if (p->r.file.len >= PMD)
		return;
	EXPECT_EQ(-1, p->other_map ? map_wrong_at(p->other_map, &want) :
				     mapped_wrong_at(p->other, &want))
		TH_LOG("the other file has wrong data if mapped, from the offset that is seen on");
}

static void diverge(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
		    const struct collision *c)
{
	struct rig *r = &p->r;

	/* To pin a page for a device that writes is to write to it: it is copied then. */
	if (dp_pin_writes(kind))
		ASSERT_EQ(0, madvise(r->file.map + c->pin, PIN_LEN, MADV_POPULATE_WRITE));
	collide_with(_metadata, r, kind, c);
	check_other(_metadata, p);
}

/*
 * Pages
 */

FIXTURE(sharing) {
	struct pair p;
};

FIXTURE_VARIANT(sharing) {
	struct collision c;
};

/* Whole pages go. */
FIXTURE_VARIANT_ADD(sharing, truncate)
	{ { &shorten,    0,        PIN + PAGE,  0,        PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, punch)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, zero)
	{ { &zeroes,     ZERO,     PIN,         PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, collapse)
	{ { &shift_down, COLLAPSE, PAGE,        2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, insert)
	{ { &shift_up,   INSERT,   PAGE,        2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, remove)
	{ { &removal,    0,        PIN + PAGE,  2 * PAGE, PIN, WAITS } };
/* A part of a page stays. */
FIXTURE_VARIANT_ADD(sharing, truncate_cut)
	{ { &shorten,    0,        PIN + 100,   0,        PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, truncate_cut_last)
	{ { &shorten,    0,        PIN + 13000, 0,        PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sharing, punch_cut)
	{ { &zeroes,     PUNCH,    PIN + 100,   2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, punch_in_page)
	{ { &zeroes,     PUNCH,    PIN + 100,   300,      PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sharing, punch_two_pages)
	{ { &zeroes,     PUNCH,    PIN + 4000,  300,      PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sharing, zero_cut)
	{ { &zeroes,     ZERO,     PIN + 100,   2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sharing, zero_in_page)
	{ { &zeroes,     ZERO,     PIN + 100,   300,      PIN, MAY_WAIT } };
/* Other data. */
FIXTURE_VARIANT_ADD(sharing, write_in_page)
	{ { &write_op,   0,        PIN + 100,   300,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, write_two_pages)
	{ { &write_op,   0,        PIN + 4000,  300,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, write_around)
	{ { &write_op,   0,        PIN - 100,   5 * PAGE, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, write_short)
	{ { &short_write, 0,       PIN + 128,   320,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, write_short_later)
	{ { &short_write, 0,       PIN + 128,   PAGE + 320, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, rewrite)
	{ { &rewrite,    0,        PIN,         PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, rewrite_store)
	{ { &rewrite_store, 0,     PIN,         PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(sharing, store_in_page)
	{ { &store,      0,        PIN + 100,   300,      PIN, RETURNS } };

FIXTURE_SETUP(sharing)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, DP_MAP_PTE);
	if (variant->c.op == &rewrite_store)
		self->p.r.settle_ms = SOON_MS;	/* less than what the kernel calls a soft lockup */
}

FIXTURE_TEARDOWN(sharing)
{
	pair_close(&self->p);
}

TEST_F_TIMEOUT(sharing, none, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_NONE, &variant->c);
}

TEST_F_TIMEOUT(sharing, vmsplice, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(sharing, dio_read, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_DIO_READ, &variant->c);
}

/*
 * What is done to the other file, which has the pinned blocks as well
 */

static int run_there(struct rig *r)
{
	const struct pair *p = (struct pair *)r;
	struct rig other = {
		.file = { .fd = p->other, .map = p->other_map, .len = r->file.len },
		.c = p->there,
	};

	return p->there->op->run(&other);
}

static const struct op there = { run_there };

FIXTURE(beside) {
	struct pair p;
};

FIXTURE_VARIANT(beside) {
	struct collision there;
	enum outcome	 outcome;
	bool		 mapped;	/* the other file is, too */
};

FIXTURE_VARIANT_ADD(beside, truncate)
	{ { &shorten,    0,        PIN + PAGE,  0        }, RETURNS };
FIXTURE_VARIANT_ADD(beside, punch)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN  }, RETURNS };
FIXTURE_VARIANT_ADD(beside, zero)
	{ { &zeroes,     ZERO,     PIN,         PIN_LEN  }, RETURNS };
FIXTURE_VARIANT_ADD(beside, collapse)
	{ { &shift_down, COLLAPSE, PAGE,        2 * PAGE }, RETURNS };
FIXTURE_VARIANT_ADD(beside, write)
	{ { &write_op,   0,        PIN,         PIN_LEN  }, RETURNS };
FIXTURE_VARIANT_ADD(beside, write_in_page)
	{ { &write_op,   0,        PIN + 100,   300      }, RETURNS };
/* Nobody can tell through which of the two files a page is pinned. */
FIXTURE_VARIANT_ADD(beside, truncate_mapped)
	{ { &shorten,    0,        PIN + PAGE,  0        }, MAY_WAIT, true };
FIXTURE_VARIANT_ADD(beside, punch_mapped)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN  }, MAY_WAIT, true };
FIXTURE_VARIANT_ADD(beside, zero_mapped)
	{ { &zeroes,     ZERO,     PIN,         PIN_LEN  }, MAY_WAIT, true };
FIXTURE_VARIANT_ADD(beside, collapse_mapped)
	{ { &shift_down, COLLAPSE, PAGE,        2 * PAGE }, MAY_WAIT, true };
FIXTURE_VARIANT_ADD(beside, write_mapped)
	{ { &write_op,   0,        PIN,         PIN_LEN  }, RETURNS, true };
FIXTURE_VARIANT_ADD(beside, write_in_page_mapped)
	{ { &write_op,   0,        PIN + 100,   300      }, RETURNS, true };
FIXTURE_VARIANT_ADD(beside, store_mapped)
	{ { &store,      0,        PIN + 100,   300      }, RETURNS, true };

FIXTURE_SETUP(beside)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, DP_MAP_PTE);
	if (variant->mapped)
		map_other(_metadata, &self->p);
	self->p.there = &variant->there;
}

FIXTURE_TEARDOWN(beside)
{
	pair_close(&self->p);
}

static void collide_there(struct __test_metadata *_metadata, struct pair *p,
			  enum dp_pin_kind kind, enum outcome outcome)
{
	struct collision c = { &there, .pin = PIN, .outcome = outcome };

	diverge(_metadata, p, kind, &c);
}

TEST_F_TIMEOUT(beside, none, ROW_S)
{
	collide_there(_metadata, &self->p, DP_PIN_NONE, variant->outcome);
}

TEST_F_TIMEOUT(beside, vmsplice, ROW_S)
{
	collide_there(_metadata, &self->p, DP_PIN_VMSPLICE, variant->outcome);
}

TEST_F_TIMEOUT(beside, dio_read, ROW_S)
{
	collide_there(_metadata, &self->p, DP_PIN_DIO_READ, variant->outcome);
}

/*
 * One block, pinned through both files
 */

FIXTURE(both) {
	struct pair p;
	struct dp_pin theirs;
};

FIXTURE_VARIANT(both) {
	struct collision c;
	bool		 ours_first;	/* is dropped */
};

FIXTURE_VARIANT_ADD(both, truncate_ours_first)
	{ { &shorten,    0,        PIN,         0,        PIN, WAITS }, true };
FIXTURE_VARIANT_ADD(both, truncate_theirs_first)
	{ { &shorten,    0,        PIN,         0,        PIN, WAITS } };
FIXTURE_VARIANT_ADD(both, punch_ours_first)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN,  PIN, WAITS }, true };
FIXTURE_VARIANT_ADD(both, punch_theirs_first)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN,  PIN, WAITS } };

FIXTURE_SETUP(both)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, DP_MAP_PTE);
	map_other(_metadata, &self->p);
}

FIXTURE_TEARDOWN(both)
{
	dp_unpin(&self->theirs, NULL);
	pair_close(&self->p);
}

/* The last that is dropped is the rig's. */
TEST_F_TIMEOUT(both, vmsplice, ROW_S)
{
	struct pair *p = &self->p;
	struct rig *r = &p->r;

	r->c = &variant->c;
	r->kind = DP_PIN_VMSPLICE;
	take_pin(_metadata, r);
	ASSERT_EQ(0, dp_pin(&self->theirs, r->kind, NULL, p->other_map + PIN, PIN_LEN));
	if (r->file.dax)
		EXPECT_EQ(r->pfn, self->theirs.pfn);
	start_op(_metadata, r);
	if (variant->ours_first) {
		struct dp_pin ours = r->pin;

		r->pin = self->theirs;
		self->theirs = ours;
	}
	ASSERT_EQ(0, dp_unpin(&self->theirs, NULL));
	if (r->waited && !variant->ours_first)
		check_wait(_metadata, r);
	drop_pin(_metadata, r);
	check_data(_metadata, r);
	check_other(_metadata, p);
	check_refs(_metadata, r);
}

/*
 * Pages that were faulted in while they were written, and again since
 */

FIXTURE(rewritten) {
	struct pair p;
};

FIXTURE_VARIANT(rewritten) {
	struct collision c;
};

FIXTURE_VARIANT_ADD(rewritten, truncate)
	{ { &shorten,    0,        0,           0,        PIN, WAITS } };
FIXTURE_VARIANT_ADD(rewritten, punch)
	{ { &zeroes,     PUNCH,    PIN,         PIN_LEN,  PIN, WAITS } };

FIXTURE_SETUP(rewritten)
{
	static const struct collision all = { .off = PIN, .len = PIN_LEN };
	struct rig *r = &self->p.r;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, DP_MAP_PTE);
	r->c = &all;
	ASSERT_EQ(0, run_rewrite(r));
	ASSERT_EQ(0, madvise(r->file.map, r->file.len, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(r->file.map, r->file.len, MADV_POPULATE_READ))
		TH_LOG("a page that was written cannot be mapped");
}

FIXTURE_TEARDOWN(rewritten)
{
	pair_close(&self->p);
}

TEST_F_TIMEOUT(rewritten, none, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_NONE, &variant->c);
}

TEST_F_TIMEOUT(rewritten, vmsplice, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(rewritten, dio_read, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_DIO_READ, &variant->c);
}

/*
 * What happens between the look at the blocks and the copy: a page fault does not wait for
 * read(2) and write(2), and may give the file another block.
 */

#define BESIDE	(PIN + 2000)		/* of what is written */
#define SOME	300			/* bytes */
#define FIRST	100			/* of these */

struct held {
	struct pair	p;
	int		pause;
	char		*got;		/* what a child has read, a page */
};

FIXTURE(between) {
	struct held h;
};

FIXTURE_SETUP(between)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	self->h.pause = -1;
	if (!dax_promised())
		SKIP(return, "a page-cache file is not copied from and to its blocks");
	pair_open(_metadata, &self->h.p, DP_MAP_PTE);
	self->h.got = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->h.got);
}

static void held_close(struct held *h)
{
	if (h->pause >= 0)
		dp_pause_resume(h->pause);
	pair_close(&h->p);
}

FIXTURE_TEARDOWN(between)
{
	held_close(&self->h);
}

static int run_read_page(void *arg)
{
	struct held *h = arg;

	return pread(h->p.r.file.fd, h->got, PAGE, PIN) == PAGE ? 0 : -errno;
}

static int run_held_write(void *arg)
{
	struct held *h = arg;

	return run_write(&h->p.r);
}

/* Run it up to @function of the kernel. */
static void hold(struct __test_metadata *_metadata, struct held *h, int (*run)(void *arg),
		 const char *function)
{
	h->pause = dp_pause(function);
	ASSERT_LE(0, h->pause);
	ASSERT_EQ(0, dp_child_start(&h->p.r.racer, run, h));
	ASSERT_EQ(0, dp_pause_reached(h->pause, SETTLE_MS));
	TH_LOG("witness: held_at=%s", function);
}

static void go_on(struct __test_metadata *_metadata, struct held *h)
{
	ASSERT_EQ(0, dp_pause_resume(h->pause));
	ASSERT_EQ(0, dp_child_wait(&h->p.r.racer, RETURN_MS));
}

/* The page is stored to, and gets a block of its own; the old one is the other file's alone. */
TEST_F_TIMEOUT(between, read, ROW_S)
{
	struct rig *r = &self->h.p.r;
	struct dp_content before, after;
	char data[PAGE];

	hold(_metadata, &self->h, run_read_page, "dax_copy_to_iter");
	dp_data_fill(r->file.map + PIN, PAGE, PIN, OP_SEED);
	dp_data_fill(data, PAGE, PIN, OTHER_SEED);
	ASSERT_EQ(PAGE, pwrite(self->h.p.other, data, PAGE, PIN));
	go_on(_metadata, &self->h);
	dp_content_init(&before, r->file.len, FILE_SEED);
	dp_content_init(&after, r->file.len, OP_SEED);
	EXPECT_TRUE(page_is(&before, self->h.got, PIN, PAGE) ||
		    page_is(&after, self->h.got, PIN, PAGE))
		TH_LOG("read(2) got what the other file has");
}

/* The page is stored to, beside what is written. */
TEST_F_TIMEOUT(between, write, ROW_S)
{
	static const struct collision c = { .off = PIN, .len = SOME };
	struct rig *r = &self->h.p.r;
	struct dp_content want;

	r->c = &c;
	hold(_metadata, &self->h, run_held_write, "dax_direct_access");
	dp_data_fill(r->file.map + BESIDE, SOME, BESIDE, DEV_SEED);
	go_on(_metadata, &self->h);
	dp_content_init(&want, r->file.len, FILE_SEED);
	dp_content_put(&want, PIN, SOME, OP_SEED, PIN);
	dp_content_put(&want, BESIDE, SOME, DEV_SEED, BESIDE);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, want.size))
		TH_LOG("a store beside what is written is lost, from the offset that is seen on");
	check_other(_metadata, &self->h.p);
}

/* The second page of its buffer is a page of the other file, and comes when it is read. */
static int run_write_slowly(void *arg)
{
	struct held *h = arg;
	char *data = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (data == MAP_FAILED ||
	    mmap(data + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, h->p.other, 0) == MAP_FAILED)
		return -errno;
	dp_data_fill(data + PAGE - FIRST, FIRST, PIN, OP_SEED);
	return pwrite(h->p.r.file.fd, data + PAGE - FIRST, SOME, PIN) == SOME ? 0 : -errno;
}

/* The page is stored to, beside what is written, and a part of that is there already. */
TEST_F_TIMEOUT(between, write_begun, ROW_S)
{
	struct rig *r = &self->h.p.r;
	struct dp_content want;

	hold(_metadata, &self->h, run_write_slowly, "dax_iomap_fault");
	dp_data_fill(r->file.map + BESIDE, SOME, BESIDE, DEV_SEED);
	go_on(_metadata, &self->h);
	dp_content_init(&want, r->file.len, FILE_SEED);
	dp_content_put(&want, PIN, FIRST, OP_SEED, PIN);
	dp_content_put(&want, PIN + FIRST, SOME - FIRST, FILE_SEED, 0);
	dp_content_put(&want, BESIDE, SOME, DEV_SEED, BESIDE);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, want.size))
		TH_LOG("what was written before the store is lost, from this offset on");
	check_other(_metadata, &self->h.p);
}

/*
 * A store to another page of a PMD that write(2) is writing to: the PMD is tried first
 */

FIXTURE(beside_write) {
	struct held h;
};

FIXTURE_SETUP(beside_write)
{
	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	self->h.pause = -1;
	pair_open(_metadata, &self->h.p, DP_MAP_PMD);
}

FIXTURE_TEARDOWN(beside_write)
{
	held_close(&self->h);
}

/* In a child, which has no page tables of the file. */
static int run_store_last(void *arg)
{
	struct held *h = arg;

	dp_data_fill(h->p.r.file.map + PMD - PAGE, PAGE, PMD - PAGE, DEV_SEED);
	return 0;
}

TEST_F_TIMEOUT(beside_write, store, ROW_S)
{
	static const struct collision c = { .off = 0, .len = PIN_LEN };
	struct rig *r = &self->h.p.r;
	struct dp_content want;

	r->c = &c;
	hold(_metadata, &self->h, run_held_write, "dax_copy_from_iter");
	ASSERT_EQ(0, dp_child_start(&r->toucher, run_store_last, &self->h));
	ASSERT_EQ(0, dp_child_wait(&r->toucher, SETTLE_MS));
	go_on(_metadata, &self->h);
	dp_content_init(&want, r->file.len, FILE_SEED);
	dp_content_put(&want, 0, PIN_LEN, OP_SEED, 0);
	dp_content_put(&want, PMD - PAGE, PAGE, DEV_SEED, PMD - PAGE);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, want.size))
		TH_LOG("write(2) succeeded and its data are lost, from the offset that is seen on");
	check_other(_metadata, &self->h.p);
}

/*
 * What write(2) has left of the copy of a shared block, and a hole
 */

FIXTURE(leftover) {
	struct pair p;
};

FIXTURE_VARIANT(leftover) {
	int mode, then;		/* of fallocate(2), for the pages behind the short write */
};

FIXTURE_VARIANT_ADD(leftover, punch)	     { PUNCH };
FIXTURE_VARIANT_ADD(leftover, zero)	     { ZERO };
FIXTURE_VARIANT_ADD(leftover, punch_unshare) { PUNCH, FALLOC_FL_UNSHARE_RANGE };

FIXTURE_SETUP(leftover)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, DP_MAP_PTE);
}

FIXTURE_TEARDOWN(leftover)
{
	pair_close(&self->p);
}

/*
 * A write to eight pages ends in the first one.  What was allocated for the others is not
 * the file's, whatever becomes of them.
 */
TEST_F_TIMEOUT(leftover, short_write, ROW_S)
{
	static const struct collision c = { .off = PIN, .len = 320 };
	struct rig *r = &self->p.r;
	off_t off = PIN + PAGE, len = 5 * PAGE;
	struct dp_content want;

	r->c = &c;
	ASSERT_EQ(0, run_short_write(r));
	ASSERT_EQ(0, fallocate(r->file.fd, variant->mode, off, len));
	if (variant->then)
		ASSERT_EQ(0, fallocate(r->file.fd, variant->then, off, len));
	TH_LOG("witness: dax=%d hole=%ld data=%ld", r->file.dax,
	       (long)lseek(r->file.fd, off, SEEK_HOLE), (long)lseek(r->file.fd, off, SEEK_DATA));
	EXPECT_LE(off + len, lseek(r->file.fd, off, SEEK_DATA))
		TH_LOG("what was punched or zeroed has data");
	dp_content_init(&want, r->file.len, FILE_SEED);
	dp_content_put(&want, off, len, 0, 0);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, off, off + len))
		TH_LOG("what was punched or zeroed has wrong data, from this offset on");
	check_other(_metadata, &self->p);
}

/*
 * The middle of a PMD
 */

FIXTURE(sharing_pmd) {
	struct pair p;
};

FIXTURE_VARIANT(sharing_pmd) {
	struct collision c;
};

FIXTURE_VARIANT_ADD(sharing_pmd, truncate)
	{ { &shorten,    0,        HALF + PAGE, 0,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(sharing_pmd, truncate_cut)
	{ { &shorten,    0,        HALF + 100,  0,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(sharing_pmd, punch)
	{ { &zeroes,     PUNCH,    HALF,        PIN_LEN,  HALF, WAITS } };
FIXTURE_VARIANT_ADD(sharing_pmd, punch_cut)
	{ { &zeroes,     PUNCH,    HALF + 100,  2 * PAGE, HALF, WAITS } };
FIXTURE_VARIANT_ADD(sharing_pmd, punch_in_page)
	{ { &zeroes,     PUNCH,    HALF + 100,  300,      HALF, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sharing_pmd, zero_in_page)
	{ { &zeroes,     ZERO,     HALF + 100,  300,      HALF, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sharing_pmd, collapse)
	{ { &shift_down, COLLAPSE, PAGE,        2 * PAGE, HALF, WAITS } };
FIXTURE_VARIANT_ADD(sharing_pmd, insert)
	{ { &shift_up,   INSERT,   PAGE,        2 * PAGE, HALF, WAITS } };

FIXTURE_SETUP(sharing_pmd)
{
	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	pair_open(_metadata, &self->p, DP_MAP_PMD);
}

FIXTURE_TEARDOWN(sharing_pmd)
{
	pair_close(&self->p);
}

TEST_F_TIMEOUT(sharing_pmd, none, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_NONE, &variant->c);
}

TEST_F_TIMEOUT(sharing_pmd, vmsplice, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(sharing_pmd, dio_read, ROW_S)
{
	diverge(_metadata, &self->p, DP_PIN_DIO_READ, &variant->c);
}

TEST_HARNESS_MAIN
