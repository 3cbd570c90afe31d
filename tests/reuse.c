// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks that were given up while they were pinned belong to another file next.
 *
 * That is what all the waiting is for.  The file system is nearly full, so that the
 * next file, the victim, gets just these blocks.  If the operation was over before the
 * pin was dropped, the device writes when the victim has them, and must not hit it; nor
 * may a device that reads get the victim's data.  A page-cache page is a copy: what
 * is written to it late goes nowhere.
 *
 * That an operation waits is for other tests to say, here only harm counts.
 */
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "blocks.h"
#include "nameless.h"
#include "remap.h"
#include "ops.h"

#define LEN		(64 * PAGE)
#define PIN		(24 * PAGE)
#define PIN_PAGES	((int)(PIN_LEN / PAGE))
/* More than the free blocks that xfs sets aside. */
#define BEFORE		(PIN - 16 * PAGE)
#define MANY		(40 * PAGE)
#define SPARE_LEN	(128 * PAGE)	/* what stays free, for metadata */
#define COPY_LEN	(2 * PMD)	/* and for a copy, of which xfs makes a PMD */
#define BALLAST_MAX	(256L << 20)	/* in one piece */
#define VICTIM_SEED	OTHER_SEED
#define HEIR		"heir"		/* what takes the file's name */

/* From xfs_fs.h, which is in no package that a test needs. */
struct resblks {
	uint64_t	blocks, avail;
};

#define XFS_IOC_SET_RESBLKS	_IOWR('X', 114, struct resblks)
#define XFS_IOC_GET_RESBLKS	_IOR('X', 115, struct resblks)

struct scene {
	struct rig	r;
	int		dir;
	int		ballast;	/* a file that has all blocks but some */
	int		victim;
	int		other;		/* a file that is cloned, or a clone */
	off_t		filled;		/* bytes of the victim */
	uint64_t	blocks[PIN_LEN / PAGE];	/* where the pinned pages are on disk */
	int		go[2];		/* the child begins when nobody can write to it */
	long		reserve;	/* blocks that the file system kept back, -1: as it was */
};

static struct scene *scene_of(struct rig *r)
{
	return (void *)((char *)r - offsetof(struct scene, r));
}

/* Until everybody has let go of the file, but for its name. */
static int leave(const struct rig *r, const struct scene *s)
{
	char byte;

	munmap(r->file.map, r->file.len);
	close(r->file.fd);
	close(s->go[1]);
	return read(s->go[0], &byte, 1) ? -EIO : 0;
}

static int run_unlink(struct rig *r)
{
	int err = leave(r, scene_of(r));

	return err ? err : unlinkat(r->file.dir, r->file.name, 0) ? -errno : 0;
}

static int run_replace(struct rig *r)
{
	int err = leave(r, scene_of(r));

	if (err)
		return err;
	return renameat(r->file.dir, HEIR, r->file.dir, r->file.name) ? -errno : 0;
}

static int run_clone_over(struct rig *r)
{
	return clone_file(r->file.fd, scene_of(r)->other);
}

static int run_clone_range_over(struct rig *r)
{
	return clone_range(r->file.fd, BEFORE, scene_of(r)->other, BEFORE, MANY);
}

static int run_dedupe_over(struct rig *r)
{
	return dedupe_range(r->file.fd, BEFORE, scene_of(r)->other, BEFORE, MANY);
}

/* The file gets blocks of its own, and the clone, whose they still are, is cut off. */
static int run_cow(struct rig *r)
{
	static char data[LEN];

	dp_data_fill(data, LEN, 0, OP_SEED);
	if (pwrite(r->file.fd, data, LEN, 0) != LEN)
		return -errno;
	return ftruncate(scene_of(r)->other, 0) ? -errno : 0;
}

static const struct op by_fallocate = { run_fallocate };
static const struct op unlinking = { run_unlink };
static const struct op replacing = { run_replace };
static const struct op clone_over = { run_clone_over };
static const struct op clone_range_over = { run_clone_range_over };
static const struct op dedupe_over = { run_dedupe_over };
static const struct op cow = { run_cow };

/*
 * A file system without room
 */

/* An empty file whose blocks need not be in any place. */
static int file_new(void)
{
	int fd = nameless();

	if (fd < 0 || !place_anywhere(fd))
		return fd;
	close(fd);
	return -EIO;
}

/*
 * Both file systems keep free blocks back that no file gets, for their metadata: as
 * long as there are any, the allocator may take these instead.
 */
static long ext4_reserve(int fd, long blocks)
{
	char path[96], name[32], text[32] = "";
	int knob, err;

	err = dp_sb_name(fd, name, sizeof(name));
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/reserved_clusters", name);
	knob = open(path, O_RDONLY | O_CLOEXEC);
	if (knob < 0)
		return -errno;
	err = read(knob, text, sizeof(text) - 1) < 0 ? -errno : 0;
	close(knob);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%ld", blocks);
	err = dp_knob_set(path, name);
	return err ? err : strtol(text, NULL, 10);
}

static long xfs_reserve(int fd, long blocks)
{
	struct resblks now = { blocks }, was;

	if (ioctl(fd, XFS_IOC_GET_RESBLKS, &was) || ioctl(fd, XFS_IOC_SET_RESBLKS, &now))
		return -errno;
	return was.blocks;
}

/* Set it, and return what it was or -errno. */
static long set_reserve(const struct scene *s, long blocks)
{
	return s->r.ext4 ? ext4_reserve(s->dir, blocks) : xfs_reserve(s->dir, blocks);
}

/* Allocate all that is free, in pieces that get smaller. */
static int take_all_blocks(int fd)
{
	off_t off = 0, piece = BALLAST_MAX;

	while (piece >= PAGE) {
		if (!fallocate(fd, 0, off, piece))
			off += piece;
		else if (errno == ENOSPC)
			piece /= 2;
		else
			return -errno;
	}
	return 0;
}

static void fill_fs(struct __test_metadata *_metadata, struct scene *s, off_t spare_len)
{
	int spare;

	s->victim = file_new();
	ASSERT_LE(0, s->victim);
	s->ballast = file_new();
	ASSERT_LE(0, s->ballast);
	spare = file_new();
	ASSERT_LE(0, spare);
	ASSERT_EQ(0, fallocate(spare, 0, 0, spare_len));
	s->reserve = set_reserve(s, 0);
	ASSERT_LE(0, s->reserve);
	ASSERT_EQ(0, take_all_blocks(s->ballast));
	close(spare);
	ASSERT_EQ(0, syncfs(s->ballast));
}

static void note_blocks(struct __test_metadata *_metadata, struct scene *s)
{
	struct fiemap *m = map_of(s->r.file.fd, PIN, PIN_LEN);

	ASSERT_NE(NULL, m);
	for (int i = 0; i < PIN_PAGES; i++) {
		uint64_t off = PIN + i * PAGE;

		for (unsigned int k = 0; k < m->fm_mapped_extents; k++) {
			const struct fiemap_extent *e = &m->fm_extents[k];

			if (off >= e->fe_logical && off < e->fe_logical + e->fe_length)
				s->blocks[i] = e->fe_physical + off - e->fe_logical;
		}
		ASSERT_NE(0, s->blocks[i]);
	}
	free(m);
}

/* How many of the pinned pages' blocks the victim has. */
static int reused(const struct scene *s)
{
	struct fiemap *m = map_of(s->victim, 0, s->filled);
	int n = 0;

	for (int i = 0; m && i < PIN_PAGES; i++)
		n += maps_block(m, s->blocks[i]);
	free(m);
	return n;
}

/*
 * Write until nothing is free: directly, for what is only reserved may turn out not to be
 * there when it is written back (xfs without its reserve).
 */
static int fill_victim(struct scene *s)
{
	static char data[16 * PAGE] __attribute__((aligned(4096)));
	size_t piece = sizeof(data);

	while (piece >= (size_t)PAGE) {
		ssize_t n;

		dp_data_fill(data, piece, s->filled, VICTIM_SEED);
		n = pwrite(s->victim, data, piece, s->filled);
		if (n > 0)
			s->filled += n;
		else if (n < 0 && errno == ENOSPC)
			piece /= 2;
		else
			return n < 0 ? -errno : -EIO;
	}
	return fsync(s->victim) ? -errno : 0;
}

static int fill_directly(struct scene *s)
{
	int err;

	if (fcntl(s->victim, F_SETFL, O_DIRECT))
		return -errno;
	err = fill_victim(s);
	return fcntl(s->victim, F_SETFL, 0) ? -errno : err;
}

/*
 * Blocks that were freed are free for others when the journal or log has it, and what
 * a deleted file of xfs had is freed in the background.  If that is while the victim is
 * written, it gets others (fs/xfs/xfs_extent_busy.c): xfs reserves blocks for its trees by
 * number and not by place.  All of them go back then, and it is written again.
 */
static void give_away(struct __test_metadata *_metadata, struct scene *s)
{
	long deadline = dp_now_ms() + RETURN_MS;
	int n = 0;

	for (;;) {
		ASSERT_EQ(0, syncfs(s->dir));
		ASSERT_EQ(0, fill_directly(s));
		n = reused(s);
		if (n == PIN_PAGES || dp_now_ms() >= deadline)
			break;
		ASSERT_EQ(0, ftruncate(s->victim, 0));
		s->filled = 0;
		poll(NULL, 0, 1);
	}
	TH_LOG("witness: reused=%d waited=%d filled=%ld held=%d", n, s->r.waited,
	       (long)s->filled, s->r.pin.kind != DP_PIN_NONE);
	ASSERT_EQ(PIN_PAGES, n)
		TH_LOG("no other file got the blocks that were given up");
}

/* From the disk, not from the page cache. */
static void check_victim(struct __test_metadata *_metadata, struct scene *s)
{
	char *got = malloc(2 * s->filled);

	ASSERT_NE(NULL, got);
	dp_data_fill(got + s->filled, s->filled, 0, VICTIM_SEED);
	ASSERT_EQ(0, syncfs(s->dir));
	ASSERT_EQ(0, posix_fadvise(s->victim, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(s->filled, pread(s->victim, got, s->filled, 0));
	EXPECT_EQ(-1, dp_data_differ(got + s->filled, got, s->filled))
		TH_LOG("the device wrote into another file, from the offset that is seen on");
	free(got);
}

/*
 * A page of the page cache has what was written to the file since, and is zeroed if it is
 * cut off a folio that stays (mm/truncate.c, truncate_inode_partial_folio()).
 */
static bool cache_has(const struct rig *r, const char *page, off_t off)
{
	static const char zeroes[PAGE];
	char written[PAGE];

	dp_data_fill(written, PAGE, PIN + off, OP_SEED);
	return !r->file.dax && (!memcmp(page, zeroes, PAGE) || !memcmp(page, written, PAGE));
}

/* What a device got that reads: what it pinned. */
static void check_read(struct __test_metadata *_metadata, struct rig *r)
{
	char want[PIN_LEN];

	if (!reads(r))
		return;
	dp_data_fill(want, PIN_LEN, PIN, FILE_SEED);
	for (off_t off = 0; off < PIN_LEN; off += PAGE) {
		if (cache_has(r, r->seen + off, off))
			continue;
		EXPECT_EQ(-1, dp_data_differ(want + off, r->seen + off, PAGE))
			TH_LOG("the device read what is another file's, or is not there");
	}
}

/*
 * The rows
 */

static void scene_open(struct __test_metadata *_metadata, struct scene *s, enum dp_map map)
{
	s->dir = -1;
	s->ballast = -1;
	s->victim = -1;
	s->other = -1;
	s->go[0] = -1;
	s->go[1] = -1;
	s->reserve = -1;
	s->dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, s->dir);
	/* What the row before has freed is free for all. */
	ASSERT_EQ(0, syncfs(s->dir));
	rig_open(_metadata, &s->r, map, len_for(map, LEN));
	s->other = file_new();
	ASSERT_LE(0, s->other);
	ASSERT_EQ(0, pipe2(s->go, O_CLOEXEC));
}

/* Zero is no descriptor of ours. */
static void shut(int fd)
{
	if (fd > 0)
		close(fd);
}

/* Freed here and now: what a deleted file had, xfs frees in the background. */
static void drop_file(int fd)
{
	if (fd > 0 && ftruncate(fd, 0))
		return;			/* the next row tells */
	shut(fd);
}

static void scene_close(struct scene *s)
{
	rig_close(&s->r);
	/* What has replaced the file, or was to. */
	if (s->dir >= 0) {
		unlinkat(s->dir, HEIR, 0);
		unlinkat(s->dir, s->r.file.name, 0);
	}
	drop_file(s->ballast);
	drop_file(s->victim);
	if (s->reserve >= 0)
		set_reserve(s, s->reserve);
	shut(s->other);
	shut(s->dir);
	shut(s->go[0]);
	shut(s->go[1]);
}

/* Who drops the pin must not be the last who has the file. */
static void let_go(struct scene *s)
{
	struct dp_file *f = &s->r.file;

	munmap(f->map, f->len);
	close(f->fd);
	f->map = NULL;			/* and no longer that of rig_close() */
	close(s->go[1]);
	s->go[1] = -1;
}

static void play(struct __test_metadata *_metadata, struct scene *s, enum dp_pin_kind kind,
		 struct collision c)
{
	struct rig *r = &s->r;

	c.outcome = MAY_WAIT;
	r->c = &c;
	r->kind = kind;
	note_blocks(_metadata, s);
	fill_fs(_metadata, s, c.op == &cow ? COPY_LEN : SPARE_LEN);
	take_pin(_metadata, r);
	ASSERT_EQ(0, dp_child_start(&r->racer, run_op, r));
	if (c.op == &unlinking || c.op == &replacing)
		let_go(s);
	watch_op(_metadata, r);
	if (r->waited)
		drop_pin(_metadata, r);
	else
		ASSERT_EQ(0, dp_child_wait(&r->racer, RETURN_MS));
	give_away(_metadata, s);
	ASSERT_EQ(0, unpin(r));
	check_victim(_metadata, s);
	check_read(_metadata, r);
}

FIXTURE(reuse) {
	struct scene s;
};

FIXTURE_VARIANT(reuse) {
	enum dp_map	 map;
	const struct op	*op;
	int		 mode;
	off_t		 off, len;
};

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define CLEAVE	FALLOC_FL_COLLAPSE_RANGE
FIXTURE_VARIANT_ADD(reuse, truncate)	  { DP_MAP_PTE, &truncation };
FIXTURE_VARIANT_ADD(reuse, truncate_part) { DP_MAP_PTE, &truncation, 0, PIN - PAGE };
FIXTURE_VARIANT_ADD(reuse, truncate_pmd)  { DP_MAP_PMD, &truncation };
FIXTURE_VARIANT_ADD(reuse, punch)	  { DP_MAP_PTE, &by_fallocate, PUNCH, BEFORE, MANY };
FIXTURE_VARIANT_ADD(reuse, punch_all)	  { DP_MAP_PTE, &by_fallocate, PUNCH, 0, LEN };
FIXTURE_VARIANT_ADD(reuse, punch_pmd)	  { DP_MAP_PMD, &by_fallocate, PUNCH, 0, PMD };
FIXTURE_VARIANT_ADD(reuse, collapse)	  { DP_MAP_PTE, &by_fallocate, CLEAVE, BEFORE, MANY };
FIXTURE_VARIANT_ADD(reuse, remove)	  { DP_MAP_PTE, &removal, 0, BEFORE, MANY };
FIXTURE_VARIANT_ADD(reuse, open)	  { DP_MAP_PTE, &by_open };
FIXTURE_VARIANT_ADD(reuse, unlink)	  { DP_MAP_PTE, &unlinking };
FIXTURE_VARIANT_ADD(reuse, rename_over)	  { DP_MAP_PTE, &replacing };

FIXTURE_SETUP(reuse)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	scene_open(_metadata, &self->s, variant->map);
	if (variant->op == &replacing) {
		int fd = openat(self->s.r.file.dir, HEIR, O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		ASSERT_LE(0, fd);
		close(fd);
	}
}

FIXTURE_TEARDOWN(reuse)
{
	scene_close(&self->s);
}

TEST_F_TIMEOUT(reuse, aio_read, ROW_S)
{
	struct collision c = { variant->op, variant->mode, variant->off, variant->len, PIN };

	play(_metadata, &self->s, DP_PIN_AIO_READ, c);
}

TEST_F_TIMEOUT(reuse, aio_write, ROW_S)
{
	struct collision c = { variant->op, variant->mode, variant->off, variant->len, PIN };

	play(_metadata, &self->s, DP_PIN_AIO_WRITE, c);
}

TEST_F_TIMEOUT(reuse, vmsplice, ROW_S)
{
	struct collision c = { variant->op, variant->mode, variant->off, variant->len, PIN };

	play(_metadata, &self->s, DP_PIN_VMSPLICE, c);
}

/*
 * Files that share blocks
 */

FIXTURE(shared) {
	struct scene s;
};

FIXTURE_SETUP(shared)
{
	const char *missing = rig_missing(DP_MAP_PTE);
	static char data[LEN];
	struct scene *s = &self->s;
	int err;

	if (missing)
		SKIP(return, "%s", missing);
	scene_open(_metadata, s, DP_MAP_PTE);
	dp_data_fill(data, LEN, 0, OTHER_SEED);
	ASSERT_EQ(LEN, pwrite(s->other, data, LEN, 0));
	err = clone_file(s->other, s->r.file.fd);
	if (cannot_clone(err))
		SKIP(return, CANNOT_CLONE);
	ASSERT_EQ(0, err);
}

FIXTURE_TEARDOWN(shared)
{
	scene_close(&self->s);
}

/* The only file that has the pinned blocks gets those of another one instead. */
static void over(struct __test_metadata *_metadata, struct scene *s, const struct op *op,
		 enum dp_pin_kind kind)
{
	struct collision c = { op, .pin = PIN };
	static char data[LEN];

	dp_data_fill(data, LEN, 0, op == &dedupe_over ? FILE_SEED : OTHER_SEED);
	ASSERT_EQ(LEN, pwrite(s->other, data, LEN, 0));
	play(_metadata, s, kind, c);
}

TEST_F_TIMEOUT(shared, clone_over_aio_read, ROW_S)
{
	over(_metadata, &self->s, &clone_over, DP_PIN_AIO_READ);
}

TEST_F_TIMEOUT(shared, clone_over_vmsplice, ROW_S)
{
	over(_metadata, &self->s, &clone_over, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(shared, clone_range_over_aio_read, ROW_S)
{
	over(_metadata, &self->s, &clone_range_over, DP_PIN_AIO_READ);
}

TEST_F_TIMEOUT(shared, clone_range_over_vmsplice, ROW_S)
{
	over(_metadata, &self->s, &clone_range_over, DP_PIN_VMSPLICE);
}

/* No device that writes: the data would differ. */
TEST_F_TIMEOUT(shared, dedupe_over_aio_write, ROW_S)
{
	over(_metadata, &self->s, &dedupe_over, DP_PIN_AIO_WRITE);
}

TEST_F_TIMEOUT(shared, dedupe_over_vmsplice, ROW_S)
{
	over(_metadata, &self->s, &dedupe_over, DP_PIN_VMSPLICE);
}

/* First one file leaves the pinned blocks, and then the other, which never had them mapped. */
static const struct collision leave_both = { &cow, .pin = PIN };

TEST_F_TIMEOUT(shared, cow_vmsplice, ROW_S)
{
	play(_metadata, &self->s, DP_PIN_VMSPLICE, leave_both);
}

TEST_F_TIMEOUT(shared, cow_aio_write, ROW_S)
{
	check_io_ends(_metadata, &self->s.r, PIN);
	play(_metadata, &self->s, DP_PIN_AIO_WRITE, leave_both);
}

TEST_HARNESS_MAIN
