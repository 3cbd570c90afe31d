// SPDX-License-Identifier: GPL-2.0
/*
 * Two files exchange blocks, all or some of them, while a part of one is pinned.
 *
 * A block goes to another file, so that a device must have let go of it before: what
 * it writes then would be in a file that it knows nothing of.  Whoever exchanges
 * blocks of DAX files waits for pins, or refuses.  And a mapping shows the file that
 * was mapped, whatever blocks that has: page tables are part of what must go.
 *
 * XFS_IOC_SWAPEXT and XFS_IOC_EXCHANGE_RANGE take two files.  EXT4_IOC_SWAP_BOOT exchanges
 * a file with the boot loader's, which has no name: another exchange brings that to light.
 * EXT4_IOC_MOVE_EXT goes through the page cache, and so refuses DAX files. Of others the
 * data of the first file come to blocks of the second, the donor; what that has then is no
 * matter. It moves no page that is dirty, as one is that a device is to write to.
 *
 * Of page-cache files the pinned pages are copies, and nothing waits.
 */
#include <linux/fs.h>
#include <xfs/xfs.h>

#include "beside.h"
#include "dax_folder.h"
#include "fs_ioctl.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

/* The rig knows one file; this is the one beside it. */
struct pair {
	struct rig	r;		/* first: operations get that */
	int		other;		/* of the same length; 0: not held */
	bool		second;		/* the pinned file is the second one */
};

static struct pair *pair_of(struct rig *r)
{
	return (struct pair *)r;
}

static int first(const struct pair *p)
{
	return p->second ? p->other : p->r.file.fd;
}

static int second(const struct pair *p)
{
	return p->second ? p->r.file.fd : p->other;
}

static void fill(struct __test_metadata *_metadata, int fd, uint64_t seed, off_t len)
{
	static char data[PMD];

	dp_data_fill(data, len, 0, seed);
	/* As many extents as the pinned file has: SWAPEXT wants no fewer of the first one. */
	ASSERT_EQ(0, fallocate(fd, 0, 0, len));
	ASSERT_EQ(len, pwrite(fd, data, len, 0));
	ASSERT_EQ(0, fsync(fd));
}

/* A file beside the pinned one, with the data of @seed; it has a name as long as it is open. */
static int file_make(struct __test_metadata *_metadata, const char *name, uint64_t seed, off_t len)
{
	int dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_GE(fd, 0);
	close(dir);
	fill(_metadata, fd, seed, len);
	return fd;
}

static void file_drop(const char *name, int fd)
{
	int dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlinkat(dir, name, 0);
	close(dir);
	close(fd);
}

static void pair_open(struct __test_metadata *_metadata, struct pair *p, enum dp_map map)
{
	rig_open(_metadata, &p->r, map, len_for(map, LEN));
	p->other = file_make(_metadata, "other", OTHER_SEED, len_for(map, LEN));
	p->r.beside = p->other;
	if (!p->r.file.dax)
		ASSERT_EQ(0, fsync(p->r.file.fd));
}

static void pair_close(struct pair *p)
{
	rig_close(&p->r);
	if (p->other > 0)
		file_drop("other", p->other);
}

/*
 * The exchange
 */

static int run_swapext(struct rig *r)
{
	const struct pair *p = pair_of(r);
	struct xfs_swapext x = {
		.sx_version = XFS_SX_VERSION, .sx_fdtarget = first(p), .sx_fdtmp = second(p),
		.sx_length = r->file.len,
	};
	struct stat st;

	/* Who was the same at the last look, may be exchanged. */
	if (fstat(first(p), &st))
		return -errno;
	x.sx_stat.bs_ctime.tv_sec = st.st_ctim.tv_sec;
	x.sx_stat.bs_ctime.tv_nsec = st.st_ctim.tv_nsec;
	x.sx_stat.bs_mtime.tv_sec = st.st_mtim.tv_sec;
	x.sx_stat.bs_mtime.tv_nsec = st.st_mtim.tv_nsec;
	return ioctl(first(p), XFS_IOC_SWAPEXT, &x) ? -errno : 0;
}

static int run_range(struct rig *r)
{
	const struct pair *p = pair_of(r);

	return exchange_range(first(p), r->c->off, second(p), r->c->off, r->c->len);
}

static int run_move(struct rig *r)
{
	const struct pair *p = pair_of(r);
	struct move_extent m = { .donor_fd = second(p), .len = LEN / PAGE };

	if (ioctl(first(p), EXT4_IOC_MOVE_EXT, &m))
		return -errno;
	return m.moved_len == m.len ? 0 : -EIO;
}

static int run_boot(struct rig *r)
{
	return ioctl(r->file.fd, EXT4_IOC_SWAP_BOOT) ? -errno : 0;
}

/* To the pinned file. */
static void exchanged(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OTHER_SEED, c->off);
}

static const struct op swapext = { run_swapext, exchanged };
static const struct op range = { run_range, exchanged };
static const struct op move = { run_move };
static const struct op boot = { run_boot, exchanged };

/* The other file has its own data, but for what the pinned one had when the device was done. */
static void check_other(struct __test_metadata *_metadata, const struct rig *r, int other)
{
	struct dp_content want, was;

	if (r->c->op == &move && !r->file.dax)
		return;		/* the donor's, up to the page that is dirty */
	if (!r->file.dax)
		drop_cached(_metadata, other);
	dp_content_init(&want, r->file.len, OTHER_SEED);
	dp_content_init(&was, r->file.len, FILE_SEED);
	if (writes(r) && r->waited)
		dp_content_put(&was, PIN, PIN_LEN, DEV_SEED, 0);
	if (r->c->op->effect && !op_err(r))
		dp_content_copy(&want, r->c->off, &was, r->c->off, r->c->len);
	EXPECT_EQ(-1, file_wrong_at(other, &want, 0, want.size))
		TH_LOG("the other file has wrong data, from the offset that is seen on");
	EXPECT_EQ(-1, mapped_wrong_at(other, &want))
		TH_LOG("the other file has wrong data if mapped, from the offset that is seen on");
}

/* A store through the mapping goes to the file that was mapped, and nowhere else. */
static void check_store(struct __test_metadata *_metadata, struct rig *r, int other)
{
	static char before[PMD], after[PMD];
	ssize_t len = r->file.len;

	/* With a page table of another block, a store may fault for ever. */
	ASSERT_EQ(len, pread(r->file.fd, after, len, 0));
	ASSERT_EQ(-1, dp_data_differ(after, r->file.map, len))
		TH_LOG("the mapping is that of another file, from the offset that is seen on");
	ASSERT_EQ(len, pread(other, before, len, 0));
	r->file.map[PIN] ^= 1;
	ASSERT_EQ(len, pread(other, after, len, 0));
	EXPECT_EQ(-1, dp_data_differ(before, after, len))
		TH_LOG("a store to one file shows in the other, at the offset that is seen");
	ASSERT_EQ(len, pread(r->file.fd, after, len, 0));
	EXPECT_EQ(-1, dp_data_differ(after, r->file.map, len))
		TH_LOG("a store to the mapping is not in the file, at the offset that is seen");
	ASSERT_EQ(0, fsync(r->file.fd));
}

static void exchange(struct __test_metadata *_metadata, struct pair *p, enum dp_pin_kind kind,
		     struct collision c)
{
	if (!p->r.file.dax)
		c.err = c.op == &move && dp_pin_writes(kind) ? EBUSY : 0;
	collide_with(_metadata, &p->r, kind, &c);
	check_other(_metadata, &p->r, p->other);
	check_store(_metadata, &p->r, p->other);
}

/*
 * Two files that somebody has open
 */

FIXTURE(pair) {
	struct pair p;
};

FIXTURE_VARIANT(pair) {
	bool second;
	struct collision c;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(pair, swapext_target) { false, { &swapext, 0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(pair, swapext_tmp)	  { true,  { &swapext, 0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(pair, swapext_target_pmd)
	{ false, { &swapext, 0, 0, PMD, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(pair, swapext_tmp_pmd)
	{ true,  { &swapext, 0, 0, PMD, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(pair, move_orig)	  { false, { &move, 0, 0, LEN, PIN, RETURNS, EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(pair, move_donor)	  { true,  { &move, 0, 0, LEN, PIN, RETURNS, EOPNOTSUPP } };
/* Ranges where neither file is DAX. */
FIXTURE_VARIANT_ADD(pair, cached_first)	  { false, { &range, 0, 0, LEN, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(pair, cached_second)  { true,  { &range, 0, 0, LEN, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(pair, cached_exact)	  { false, { &range, 0, PIN, PIN_LEN, PIN, RETURNS } };
FIXTURE_VARIANT_ADD(pair, cached_behind)
	{ true,  { &range, 0, PIN + PIN_LEN, LEN - PIN - PIN_LEN, PIN, RETURNS } };

FIXTURE_SETUP(pair)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	pair_open(_metadata, &self->p, variant->map);
	self->p.second = variant->second;
}

FIXTURE_TEARDOWN(pair)
{
	pair_close(&self->p);
}

TEST_F_TIMEOUT(pair, none, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_NONE, variant->c);
}

TEST_F_TIMEOUT(pair, vmsplice, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(pair, dio_read, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(pair, dio_write, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_WRITE, variant->c);
}

/*
 * A file and that of the boot loader
 */

FIXTURE(loader) {
	struct rig r;
};

/* What @name has becomes the boot loader's, and the other way round. */
static int swap_file(struct __test_metadata *_metadata, const char *name, uint64_t seed)
{
	int fd = file_make(_metadata, name, seed, LEN);

	ASSERT_EQ(0, ioctl(fd, EXT4_IOC_SWAP_BOOT));
	return fd;
}

FIXTURE_SETUP(loader)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
	file_drop("installer", swap_file(_metadata, "installer", OTHER_SEED));
}

FIXTURE_TEARDOWN(loader)
{
	rig_close(&self->r);
}

static void install(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind)
{
	struct collision c = { &boot, .len = LEN, .pin = PIN, .outcome = WAITS };
	int was;

	collide_with(_metadata, r, kind, &c);
	was = swap_file(_metadata, "was", OTHER_SEED);
	check_other(_metadata, r, was);
	check_store(_metadata, r, was);
	file_drop("was", was);
}

TEST_F_TIMEOUT(loader, none, ROW_S)
{
	install(_metadata, &self->r, DP_PIN_NONE);
}

TEST_F_TIMEOUT(loader, vmsplice, ROW_S)
{
	install(_metadata, &self->r, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(loader, dio_read, ROW_S)
{
	install(_metadata, &self->r, DP_PIN_DIO_READ);
}

TEST_F_TIMEOUT(loader, dio_write, ROW_S)
{
	install(_metadata, &self->r, DP_PIN_DIO_WRITE);
}

/*
 * Files that are DAX or not, one by one
 */

/* The file that gives its blocks to one that is not DAX is. */
FIXTURE(donor) {
	struct pair p;
};

FIXTURE_SETUP(donor)
{
	struct pair *p = &self->p;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	p->other = nameless();
	fill(_metadata, p->other, OTHER_SEED, LEN);
	dax_folder(_metadata);
	rig_open(_metadata, &p->r, DP_MAP_PTE, LEN);
	p->second = true;
}

FIXTURE_TEARDOWN(donor)
{
	rig_close(&self->p.r);
	close(self->p.other);
}

static const struct collision donation = { &move, 0, 0, LEN, PIN, RETURNS, EOPNOTSUPP };

TEST_F_TIMEOUT(donor, none, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_NONE, donation);
}

TEST_F_TIMEOUT(donor, vmsplice, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_VMSPLICE, donation);
}

TEST_F_TIMEOUT(donor, dio_read, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_READ, donation);
}

TEST_F_TIMEOUT(donor, dio_write, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_WRITE, donation);
}

/*
 * Ranges: the pinned file is DAX, and the other one may be
 */

FIXTURE(range) {
	struct pair p;
};

FIXTURE_VARIANT(range) {
	bool second;		/* the pinned file is */
	struct collision c;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(range, first)  { false, { &range, 0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, second) { true,  { &range, 0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, exact)  { false, { &range, 0, PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, page)   { true,  { &range, 0, PIN + PAGE, PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, head)   { false, { &range, 0, 0, PIN + PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, tail)
	{ true,  { &range, 0, PIN + PIN_LEN - PAGE, LEN - PIN - PIN_LEN + PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(range, cut)
	{ false, { &range, 0, PIN + 100, PAGE, PIN, MAY_WAIT, EINVAL } };
FIXTURE_VARIANT_ADD(range, before) { false, { &range, 0, 0, PIN, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(range, behind)
	{ true,  { &range, 0, PIN + PIN_LEN, LEN - PIN - PIN_LEN, PIN, MAY_WAIT } };

FIXTURE_VARIANT_ADD(range, first_pmd)  { false, { &range, 0, 0, PMD, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(range, second_pmd) { true,  { &range, 0, 0, PMD, PIN, WAITS }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(range, page_pmd)
	{ false, { &range, 0, PIN + PAGE, PAGE, PIN, WAITS }, DP_MAP_PMD };

FIXTURE_SETUP(range)
{
	struct pair *p = &self->p;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	dax_folder(_metadata);
	p->other = beside_open(_metadata, &p->r, LOWER, variant->map, len_for(variant->map, LEN));
	fill(_metadata, p->other, OTHER_SEED, len_for(variant->map, LEN));
	p->second = variant->second;
}

FIXTURE_TEARDOWN(range)
{
	rig_close(&self->p.r);
	close(self->p.other);
}

TEST_F_TIMEOUT(range, none, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_NONE, variant->c);
}

TEST_F_TIMEOUT(range, vmsplice, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(range, dio_read, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(range, dio_write, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_WRITE, variant->c);
}

/* The inode with the higher number is locked as the second one. */
FIXTURE(range_higher) {
	struct pair p;
};

FIXTURE_SETUP(range_higher)
{
	struct pair *p = &self->p;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	dax_folder(_metadata);
	p->other = beside_open(_metadata, &p->r, HIGHER, DP_MAP_PTE, LEN);
	fill(_metadata, p->other, OTHER_SEED, LEN);
	p->r.settle_ms = 3000;	/* less than what the kernel calls a soft lockup */
}

FIXTURE_TEARDOWN(range_higher)
{
	rig_close(&self->p.r);
	close(self->p.other);
}

TEST_F_TIMEOUT(range_higher, dio_read, ROW_S)
{
	struct collision c = { &range, 0, 0, LEN, PIN, WAITS };

	exchange(_metadata, &self->p, DP_PIN_DIO_READ, c);
}

/* There is no other file: two ranges of the pinned one. */
FIXTURE(within) {
	struct rig r;
};

FIXTURE_VARIANT(within) {
	struct collision c;	/* its off is the pinned range's, its mode the other's */
};

static int run_within(struct rig *r)
{
	return exchange_range(r->file.fd, r->c->off, r->file.fd, r->c->mode, r->c->len);
}

static void moved(const struct collision *c, struct dp_content *x)
{
	struct dp_content was = *x;

	dp_content_copy(x, c->off, &was, c->mode, c->len);
	dp_content_copy(x, c->mode, &was, c->off, c->len);
}

static const struct op within = { run_within, moved, .moves = true };

FIXTURE_VARIANT_ADD(within, lower)  { { &within, 0, PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(within, higher) { { &within, LEN - PIN_LEN, PIN, PIN_LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(within, page)   { { &within, 0, PIN + PAGE, PAGE, PIN, WAITS } };

FIXTURE_SETUP(within)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	dax_folder(_metadata);
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(within)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(within, none, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_NONE, &variant->c);
}

TEST_F_TIMEOUT(within, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(within, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(within, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

/* The other file is not DAX. */
FIXTURE(mixed) {
	struct pair p;
};

FIXTURE_VARIANT(mixed) {
	bool second;
	struct collision c;
};

FIXTURE_VARIANT_ADD(mixed, first)  { false, { &range, 0, 0, LEN, PIN, WAITS } };
FIXTURE_VARIANT_ADD(mixed, second) { true,  { &range, 0, 0, LEN, PIN, WAITS } };

FIXTURE_SETUP(mixed)
{
	struct pair *p = &self->p;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	p->other = nameless();
	fill(_metadata, p->other, OTHER_SEED, LEN);
	dax_folder(_metadata);
	rig_open(_metadata, &p->r, DP_MAP_PTE, LEN);
	p->second = variant->second;
}

FIXTURE_TEARDOWN(mixed)
{
	rig_close(&self->p.r);
	close(self->p.other);
}

TEST_F_TIMEOUT(mixed, none, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_NONE, variant->c);
}

TEST_F_TIMEOUT(mixed, vmsplice, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(mixed, dio_read, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_READ, variant->c);
}

TEST_F_TIMEOUT(mixed, dio_write, ROW_S)
{
	exchange(_metadata, &self->p, DP_PIN_DIO_WRITE, variant->c);
}

/*
 * A file becomes DAX, or no longer is.  Nothing changes as long as it is in use: the
 * pinned page stays the file's, and what the device writes is there when it is opened
 * again, the other way.
 */

FIXTURE(flag) {
	struct rig r;
};

FIXTURE_VARIANT(flag) {
	bool dax;		/* before */
};

FIXTURE_VARIANT_ADD(flag, clear) { true };
FIXTURE_VARIANT_ADD(flag, set)	 { false };

FIXTURE_SETUP(flag)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (variant->dax)
		dax_folder(_metadata);
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(flag)
{
	rig_close(&self->r);
}

static int run_flag(struct rig *r)
{
	struct fsxattr x;

	if (ioctl(r->file.fd, FS_IOC_FSGETXATTR, &x))
		return -errno;
	x.fsx_xflags ^= FS_XFLAG_DAX;
	return ioctl(r->file.fd, FS_IOC_FSSETXATTR, &x) ? -errno : 0;
}

static const struct op flag = { run_flag };

static bool is_dax(int fd)
{
	struct statx st = { 0 };

	return !statx(fd, "", AT_EMPTY_PATH, 0, &st) && st.stx_attributes & STATX_ATTR_DAX;
}

static void turn(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind)
{
	struct collision c = { &flag, .pin = PIN, .outcome = RETURNS };
	char want[LEN], got[LEN];
	int fd;

	collide_with(_metadata, r, kind, &c);
	EXPECT_EQ(r->file.dax, is_dax(r->file.fd));
	munmap(r->file.map, LEN);
	close(r->file.fd);
	r->file.map = NULL;
	fd = openat(r->file.dir, r->file.name, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(!r->file.dax, is_dax(fd))
		TH_LOG("the file is opened again, and what it was");
	dp_data_fill(want, LEN, 0, FILE_SEED);
	if (writes(r))
		dp_data_fill(want + PIN, PIN_LEN, 0, DEV_SEED);
	ASSERT_EQ(LEN, pread(fd, got, LEN, 0));
	EXPECT_EQ(-1, dp_data_differ(want, got, LEN))
		TH_LOG("the file has wrong data when it is opened again");
	close(fd);
	unlinkat(r->file.dir, r->file.name, 0);
	close(r->file.dir);
}

TEST_F_TIMEOUT(flag, none, ROW_S)
{
	turn(_metadata, &self->r, DP_PIN_NONE);
}

TEST_F_TIMEOUT(flag, vmsplice, ROW_S)
{
	turn(_metadata, &self->r, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(flag, dio_read, ROW_S)
{
	turn(_metadata, &self->r, DP_PIN_DIO_READ);
}

TEST_F_TIMEOUT(flag, dio_write, ROW_S)
{
	turn(_metadata, &self->r, DP_PIN_DIO_WRITE);
}

TEST_HARNESS_MAIN
