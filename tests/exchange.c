// SPDX-License-Identifier: GPL-2.0
/*
 * Two files come to share blocks, or no longer do, while a part of one is pinned.
 *
 * A block that becomes shared must not change any more, so a clone waits for devices
 * that write to its source; the blocks of its destination are freed, so it waits for
 * every pin of that.  Deduplication is both.  Afterwards neither file sees what is
 * written to the other.  Which of the two inodes is locked first is decided by their
 * numbers, so that the pin is in either.
 *
 * Of a page-cache file the pinned page is a copy, and nothing waits: a device writes
 * after the blocks are shared.  That is to get to the pinned file, and to no other.
 */
#include <linux/fs.h>

#include "beside.h"
#include "blocks.h"
#include "ops.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */
#define END	(PIN + PIN_LEN)
#define LEFT_LEN	(4 * PMD)	/* free blocks that hold what was in a file */
#define LEFT_TRIES	16		/* until a file gets some */

/* The rig knows one file; this is the one beside it. */
struct pair {
	struct rig	r;		/* first: operations get that */
	int		other;		/* of the same length */
	uint64_t	other_seed;
	bool		to_other;	/* the pinned file is the source */
};

static struct pair *pair_of(struct rig *r)
{
	return (struct pair *)r;
}

static void pair_open(struct __test_metadata *_metadata, struct pair *p, enum place where,
		      enum dp_map map, uint64_t seed)
{
	off_t len = len_for(map, LEN);
	static char data[PMD];

	p->other = beside_open(_metadata, &p->r, where, map, len);
	p->other_seed = seed;
	dp_data_fill(data, len, 0, seed);
	ASSERT_EQ(len, pwrite(p->other, data, len, 0));
}

static void pair_close(struct pair *p)
{
	rig_close(&p->r);
	if (p->other > 0)
		close(p->other);
}

/* Operations: from the pinned file to the other, or the other way round. */

static int from(struct pair *p)
{
	return p->to_other ? p->r.file.fd : p->other;
}

static int to(struct pair *p)
{
	return p->to_other ? p->other : p->r.file.fd;
}

static int run_clone(struct rig *r)
{
	struct pair *p = pair_of(r);

	return clone_file(to(p), from(p));
}

static int run_clone_range(struct rig *r)
{
	struct pair *p = pair_of(r);

	return clone_range(to(p), r->c->off, from(p), r->c->off, r->c->len);
}

static int run_dedupe(struct rig *r)
{
	struct pair *p = pair_of(r);

	return dedupe_range(to(p), r->c->off, from(p), r->c->off, r->c->len);
}

/* What is found to differ stays as it is. */
static int run_dedupe_if_same(struct rig *r)
{
	int err = run_dedupe(r);

	return err == -EILSEQ ? 0 : err;
}

/* On the file that is pinned, when that is the destination. */
static void cloned(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OTHER_SEED, c->off);
}

static const struct op clone_to = { run_clone, cloned };
static const struct op clone_from = { run_clone };
static const struct op range_to = { run_clone_range, cloned };
static const struct op range_from = { run_clone_range };
static const struct op dedupe = { run_dedupe };
static const struct op dedupe_if_same = { run_dedupe_if_same };
static const struct op unsharing = { run_fallocate, .copies = true };

/* What is read of the other file next is on the disk, with all of the pinned file. */
static void forget_other(struct __test_metadata *_metadata, struct pair *p)
{
	ASSERT_EQ(0, fsync(p->r.file.fd));
	if (!p->r.file.dax)
		drop_cached(_metadata, p->other);
}

/* The other file is whole: its own data, but for what it got from the pinned one. */
static void check_other(struct __test_metadata *_metadata, struct pair *p, off_t off, off_t len)
{
	struct dp_content want;

	dp_content_init(&want, p->r.file.len, p->other_seed);
	dp_content_put(&want, off, len, FILE_SEED, off);
	if (writes(&p->r) && p->r.waited && off <= PIN && off + len >= PIN + PIN_LEN)
		dp_content_put(&want, PIN, PIN_LEN, DEV_SEED, 0);
	forget_other(_metadata, p);
	EXPECT_EQ(-1, file_wrong_at(p->other, &want, 0, want.size))
		TH_LOG("the other file has wrong data, from the offset that is seen on");
	EXPECT_EQ(-1, mapped_wrong_at(p->other, &want))
		TH_LOG("the other file has wrong data if mapped, from the offset that is seen on");
}

/* A store to one file is not seen in the other. */
static void check_apart(struct __test_metadata *_metadata, struct pair *p)
{
	static char before[PMD], after[PMD];
	ssize_t len = p->r.file.len;

	ASSERT_EQ(len, pread(p->other, before, len, 0));
	p->r.file.map[PIN] ^= 1;
	p->r.file.map[PIN + PAGE] ^= 1;
	forget_other(_metadata, p);
	ASSERT_EQ(len, pread(p->other, after, len, 0));
	EXPECT_EQ(-1, dp_data_differ(before, after, len))
		TH_LOG("a store to one file shows in the other, at the offset that is seen");
}

/*
 * Clones
 */

FIXTURE(reflink) {
	struct pair p;
};

FIXTURE_VARIANT(reflink) {
	enum place place;
	bool to_other;
	struct collision c;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(reflink, clone_to)
	{ LOWER, false, { &clone_to,   0, 0,          LEN,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, clone_from)
	{ LOWER, true,  { &clone_from, 0, 0,          LEN,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, range_to)
	{ LOWER, false, { &range_to,   0, PIN,        PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, range_from)
	{ LOWER, true,  { &range_from, 0, PIN,        PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, page_to)
	{ LOWER, false, { &range_to,   0, PIN + PAGE, PAGE,    PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, head_to)
	{ LOWER, false, { &range_to,   0, PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, tail_to)
	{ LOWER, false, { &range_to,   0, END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink, cut_to)
	{ LOWER, false, { &range_to,   0, PIN + 100,  PAGE,    PIN, MAY_WAIT, EINVAL } };
FIXTURE_VARIANT_ADD(reflink, beside_to)
	{ LOWER, false, { &range_to,   0, 0,          PAGE,    PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(reflink, beside_from)
	{ LOWER, true,  { &range_from, 0, 0,          PAGE,    PIN, MAY_WAIT } };

FIXTURE_VARIANT_ADD(reflink, clone_to_pmd)
	{ LOWER, false, { &clone_to,   0, 0,          PMD,     PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reflink, clone_from_pmd)
	{ LOWER, true,  { &clone_from, 0, 0,          PMD,     PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reflink, part_of_pmd)
	{ LOWER, true,  { &range_from, 0, PIN,        PIN_LEN, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reflink, page_to_pmd)
	{ LOWER, false, { &range_to,   0, PIN + PAGE, PAGE,    PIN, WAITS }, DP_MAP_PMD };

FIXTURE_SETUP(reflink)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	pair_open(_metadata, &self->p, variant->place, variant->map, OTHER_SEED);
	self->p.to_other = variant->to_other;
}

FIXTURE_TEARDOWN(reflink)
{
	pair_close(&self->p);
}

static void share(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
		  struct collision c)
{
	/* To read from blocks that become shared does no harm. */
	if (p->to_other && !dp_pin_writes(kind))
		c.outcome = MAY_WAIT;
	collide_with(_metadata, &p->r, kind, &c);
	if (p->to_other)
		check_other(_metadata, p, c.off, c.len);
	else
		check_other(_metadata, p, 0, 0);
	check_apart(_metadata, p);
}

TEST_F_TIMEOUT(reflink, vmsplice, ROW_S)
{
	share(_metadata, &self->p, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(reflink, dio_read, ROW_S)
{
	share(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(reflink, dio_write, ROW_S)
{
	share(_metadata, &self->p, DP_PIN_DIO_WRITE, variant->c);
}

/* There is no other file: a range of the pinned one becomes another's clone. */
FIXTURE(reflink_within) {
	struct rig r;
};

FIXTURE_VARIANT(reflink_within) {
	struct collision c;	/* its off is the clone's, its mode the source's */
};

static int run_clone_within(struct rig *r)
{
	return clone_range(r->file.fd, r->c->off, r->file.fd, r->c->mode, r->c->len);
}

/* With what a device has written until then, which is all of it if it was waited for. */
static void cloned_within(const struct collision *c, struct dp_content *x)
{
	dp_content_copy(x, c->off, x, c->mode, c->len);
}

static void cloned_before(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, FILE_SEED, c->mode);
}

static const struct op clone_within = { run_clone_within, cloned_within };
static const struct op clone_before = { run_clone_within, cloned_before };

FIXTURE_VARIANT_ADD(reflink_within, clone_to)
	{ { &clone_within, 0,   PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(reflink_within, clone_from)
	{ { &clone_within, PIN, 0,   PIN_LEN, PIN, WAITS } };

FIXTURE_SETUP(reflink_within)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(reflink_within)
{
	rig_close(&self->r);
}

/* PIN_LEN bytes of the disk. */
static void read_disk(struct __test_metadata *_metadata, struct rig *r, off_t off, char *got)
{
	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(0, fcntl(r->file.fd, F_SETFL, O_DIRECT));
	ASSERT_EQ(PIN_LEN, pread(r->file.fd, got, PIN_LEN, off));
	ASSERT_EQ(0, fcntl(r->file.fd, F_SETFL, 0));
}

/* A store at @to is not seen at @other. */
static void check_apart_within(struct __test_metadata *_metadata, struct rig *r, off_t to,
			       off_t other)
{
	static char before[PIN_LEN] __attribute__((aligned(4096)));
	static char after[PIN_LEN] __attribute__((aligned(4096)));

	read_disk(_metadata, r, other, before);
	r->file.map[to + PAGE] ^= 1;
	read_disk(_metadata, r, other, after);
	EXPECT_EQ(-1, dp_data_differ(before, after, PIN_LEN))
		TH_LOG("a store to one range shows in the other, at the offset that is seen");
}

static void share_within(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
			 struct collision c)
{
	if (c.mode == PIN && !dp_pin_writes(kind))
		c.outcome = MAY_WAIT;
	if (!r->file.dax)
		c.op = &clone_before;
	collide_with(_metadata, r, kind, &c);
	check_apart_within(_metadata, r, c.off, c.mode);
	check_apart_within(_metadata, r, c.mode, c.off);
}

TEST_F_TIMEOUT(reflink_within, vmsplice, ROW_S)
{
	share_within(_metadata, &self->r, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(reflink_within, dio_read, ROW_S)
{
	share_within(_metadata, &self->r, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(reflink_within, dio_write, ROW_S)
{
	share_within(_metadata, &self->r, DP_PIN_DIO_WRITE, variant->c);
}

/* The inode with the higher number is locked as the second one. */
FIXTURE(second) {
	struct pair p;
};

FIXTURE_VARIANT(second) {
	bool to_other;
	struct collision c;
};

FIXTURE_VARIANT_ADD(second, clone_to)   { false, { &clone_to,   0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(second, clone_from) { true,  { &clone_from, 0, 0, LEN, PIN, WAITS } };

FIXTURE_SETUP(second)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, HIGHER, DP_MAP_PTE, OTHER_SEED);
	self->p.to_other = variant->to_other;
	self->p.r.settle_ms = 3000;	/* less than what the kernel calls a soft lockup */
}

FIXTURE_TEARDOWN(second)
{
	pair_close(&self->p);
}

TEST_F_TIMEOUT(second, dio_read, ROW_S)
{
	share(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

/*
 * Deduplication: both have the same data, unless a device changes that first
 */

FIXTURE(dedupe) {
	struct pair p;
};

FIXTURE_VARIANT(dedupe) {
	bool to_other;
	struct collision c;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(dedupe, to)     { false, { &dedupe, 0, PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(dedupe, from)   { true,  { &dedupe, 0, PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(dedupe, all)    { false, { &dedupe, 0, 0,   LEN,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(dedupe, head)
	{ false, { &dedupe, 0, PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(dedupe, tail)
	{ false, { &dedupe, 0, END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(dedupe, cut)
	{ false, { &dedupe, 0, PIN + 100,  PAGE,     PIN, MAY_WAIT, EINVAL } };
FIXTURE_VARIANT_ADD(dedupe, beside) { false, { &dedupe, 0, 0,   PAGE,    PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(dedupe, to_pmd)
	{ false, { &dedupe, 0, PIN, PIN_LEN, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(dedupe, all_pmd)
	{ false, { &dedupe, 0, 0,   PMD,     PIN, WAITS }, DP_MAP_PMD };

FIXTURE_SETUP(dedupe)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	pair_open(_metadata, &self->p, LOWER, variant->map, FILE_SEED);
	self->p.to_other = variant->to_other;
}

FIXTURE_TEARDOWN(dedupe)
{
	pair_close(&self->p);
}

static void compare(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
		    struct collision c)
{
	/* It may look only when the device is done, and that has changed what it looks at. */
	if (!c.err && p->r.file.dax && dp_pin_writes(kind) && c.off + c.len > PIN)
		c.err = EILSEQ;
	if (p->to_other && !dp_pin_writes(kind))
		c.outcome = MAY_WAIT;
	collide_with(_metadata, &p->r, kind, &c);
	check_other(_metadata, p, 0, 0);
	check_apart(_metadata, p);
}

TEST_F_TIMEOUT(dedupe, vmsplice, ROW_S)
{
	compare(_metadata, &self->p, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(dedupe, dio_read, ROW_S)
{
	compare(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(dedupe, dio_write, ROW_S)
{
	compare(_metadata, &self->p, DP_PIN_DIO_WRITE, variant->c);
}

/*
 * Blocks that are allocated and not written are zeroes, whatever they hold: here
 * it is what the pinned file has.
 */

FIXTURE(dedupe_unwritten) {
	struct pair p;
};

FIXTURE_VARIANT(dedupe_unwritten) {
	bool to_other;
	struct collision c;
};

FIXTURE_VARIANT_ADD(dedupe_unwritten, to)
	{ false, { &dedupe_if_same, 0, PIN, PAGE, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(dedupe_unwritten, from)
	{ true,  { &dedupe_if_same, 0, PIN, PAGE, PIN, MAY_WAIT } };

/* An empty file's blocks: one after the other, where there is room first. */
static int empty_file(struct __test_metadata *_metadata, int fd)
{
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, place_anywhere(fd));
	return fd;
}

/* Free blocks that all hold the page of the file at PIN, and where they are; to be freed. */
static struct fiemap *leave_page(struct __test_metadata *_metadata)
{
	int fd = empty_file(_metadata, nameless());
	static char data[PMD];
	struct fiemap *left;

	for (off_t off = 0; off < PMD; off += PAGE)
		dp_data_fill(data + off, PAGE, PIN, FILE_SEED);
	/* Blocks are free for others when the log has it. */
	ASSERT_EQ(0, syncfs(fd));
	/* Piece by piece, or small gaps would be left out. */
	for (off_t off = 0; off < LEFT_LEN; off += LEN)
		ASSERT_EQ(0, fallocate(fd, 0, off, LEN));
	for (off_t off = 0; off < LEFT_LEN; off += PMD)
		ASSERT_EQ(PMD, pwrite(fd, data, PMD, off));
	left = map_of(fd, 0, LEFT_LEN);
	ASSERT_NE(NULL, left);
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, syncfs(fd));
	close(fd);
	return left;
}

/* Allocate the file's blocks: are they among those that are left? */
static bool unwritten_in(struct __test_metadata *_metadata, int fd, const struct fiemap *left)
{
	struct fiemap *m;
	bool among;

	ASSERT_EQ(0, fallocate(fd, 0, 0, LEN));
	m = map_of(fd, 0, LEN);
	ASSERT_NE(NULL, m);
	ASSERT_EQ(1, m->fm_mapped_extents);
	ASSERT_TRUE(m->fm_extents[0].fe_flags & FIEMAP_EXTENT_UNWRITTEN);
	among = maps_block(left, m->fm_extents[0].fe_physical + PIN);
	free(m);
	return among;
}

/*
 * The other file gets such blocks, and nothing is written to them.  What was deleted before is
 * freed in the background, and may be what it gets.
 */
static void unwrite_other(struct __test_metadata *_metadata, struct pair *p)
{
	bool among = false;

	for (int i = 0; i < LEFT_TRIES && !among; i++) {
		struct fiemap *left;

		empty_file(_metadata, p->other);
		left = leave_page(_metadata);
		among = unwritten_in(_metadata, p->other, left);
		free(left);
	}
	ASSERT_TRUE(among);
	p->other_seed = 0;
}

FIXTURE_SETUP(dedupe_unwritten)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, &self->p, LOWER, DP_MAP_PTE, FILE_SEED);
	unwrite_other(_metadata, &self->p);
	self->p.to_other = variant->to_other;
}

FIXTURE_TEARDOWN(dedupe_unwritten)
{
	pair_close(&self->p);
}

/* One has data and the other has none: neither becomes the other. */
static void compare_unwritten(struct __test_metadata *_metadata, struct pair *p,
			      enum dp_pin_kind kind, const struct collision *c)
{
	collide_with(_metadata, &p->r, kind, c);
	check_other(_metadata, p, 0, 0);
}

TEST_F_TIMEOUT(dedupe_unwritten, none, ROW_S)
{
	compare_unwritten(_metadata, &self->p, DP_PIN_NONE, &variant->c);
}

TEST_F_TIMEOUT(dedupe_unwritten, vmsplice, ROW_S)
{
	compare_unwritten(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

/*
 * No longer shared: the pinned file gets blocks of its own where it has none yet
 */

FIXTURE(unshare) {
	struct pair p;
};

FIXTURE_VARIANT(unshare) {
	struct collision c;
	enum dp_map map;
};

#define UNSHARE	FALLOC_FL_UNSHARE_RANGE

/* What leaves the pinned file is still the other's, and who reads it does no harm. */
FIXTURE_VARIANT_ADD(unshare, exact)
	{ { &unsharing, UNSHARE, PIN,        PIN_LEN, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(unshare, head)
	{ { &unsharing, UNSHARE, PIN - PAGE, 2 * PAGE, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(unshare, page)
	{ { &unsharing, UNSHARE, PIN + PAGE, PAGE,    PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(unshare, all)
	{ { &unsharing, UNSHARE, 0,          LEN,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(unshare, beside)
	{ { &unsharing, UNSHARE, 0,          PAGE,    PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(unshare, pmd)
	{ { &unsharing, UNSHARE, 0,          PMD,     PIN, MAY_WAIT }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(unshare, page_of_pmd)
	{ { &unsharing, UNSHARE, PIN + PAGE, PAGE,    PIN, MAY_WAIT }, DP_MAP_PMD };

FIXTURE_SETUP(unshare)
{
	struct pair *p = &self->p;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	pair_open(_metadata, p, LOWER, variant->map, FILE_SEED);
	ASSERT_EQ(0, clone_file(p->other, p->r.file.fd));
}

FIXTURE_TEARDOWN(unshare)
{
	pair_close(&self->p);
}

static void part(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
		 const struct collision *c)
{
	/* Who writes gets a copy: here before we look at what is pinned. */
	if (dp_pin_writes(kind))
		ASSERT_EQ(0, madvise(p->r.file.map + PIN, PIN_LEN, MADV_POPULATE_WRITE));
	if (kind == DP_PIN_DIO_WRITE)
		check_io_ends(_metadata, &p->r, PIN);
	collide_with(_metadata, &p->r, kind, c);
	check_other(_metadata, p, 0, 0);
	check_apart(_metadata, p);
}

TEST_F_TIMEOUT(unshare, vmsplice, ROW_S)
{
	part(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(unshare, dio_read, ROW_S)
{
	part(_metadata, &self->p, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(unshare, dio_write, ROW_S)
{
	part(_metadata, &self->p, DP_PIN_DIO_WRITE, &variant->c);
}

/*
 * One block is shared.  To write to that, xfs reserves more than the one block that it
 * needs, and those of others that are not shared must be written in place all the same.
 */

FIXTURE(reserved) {
	struct pair p;
};

FIXTURE_VARIANT(reserved) {
	struct collision c;
};

/* The shared block, the file's first, gets the data that it has. */
static int reserve(const struct rig *r)
{
	char page[PAGE];

	dp_data_fill(page, PAGE, 0, FILE_SEED);
	return pwrite(r->file.fd, page, PAGE, 0) == PAGE ? 0 : -errno;
}

static int run_write(struct rig *r)
{
	int err = reserve(r);
	char data[LEN];

	if (err)
		return err;
	dp_data_fill(data, r->c->len, r->c->off, OP_SEED);
	return pwrite(r->file.fd, data, r->c->len, r->c->off) == r->c->len ? 0 : -errno;
}

/* This process has no page tables for it yet. */
static int run_store(struct rig *r)
{
	int err = reserve(r);

	if (!err)
		dp_data_fill(r->file.map + r->c->off, r->c->len, r->c->off, OP_SEED);
	return err;
}

static void written(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OP_SEED, c->off);
}

static const struct op write_op = { run_write, written };
static const struct op store = { run_store, written };

FIXTURE_VARIANT_ADD(reserved, write) { { &write_op, 0, PIN,        PIN_LEN, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(reserved, page)  { { &write_op, 0, PIN + PAGE, PAGE,    PIN, RETURNS } };
FIXTURE_VARIANT_ADD(reserved, store) { { &store,    0, PIN,        PIN_LEN, PIN, RETURNS } };

FIXTURE_SETUP(reserved)
{
	struct pair *p = &self->p;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	pair_open(_metadata, p, LOWER, DP_MAP_PTE, FILE_SEED);
	ASSERT_EQ(0, clone_range(p->other, 0, p->r.file.fd, 0, PAGE));
}

FIXTURE_TEARDOWN(reserved)
{
	pair_close(&self->p);
}

static void write_beside(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
			 const struct collision *c)
{
	collide_with(_metadata, &p->r, kind, c);
	check_other(_metadata, p, 0, 0);
}

TEST_F_TIMEOUT(reserved, vmsplice, ROW_S)
{
	write_beside(_metadata, &self->p, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(reserved, dio_read, ROW_S)
{
	write_beside(_metadata, &self->p, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(reserved, dio_write, ROW_S)
{
	write_beside(_metadata, &self->p, DP_PIN_DIO_WRITE, &variant->c);
}

TEST_HARNESS_MAIN
