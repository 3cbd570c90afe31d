// SPDX-License-Identifier: GPL-2.0
/*
 * A file goes away for good while a part of it is pinned.
 *
 * When its last name and its last user are gone, the inode is evicted and all of
 * its blocks are free for other files: a device must have let go of them before.
 * (Since 6.15 dax_break_layout_final() waits for that, uninterruptibly.)  Nobody can
 * interrupt that wait, so who holds the pin is another process than who comes last.
 */
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "remap.h"
#include "rig.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

/* What keeps the file when the child begins; the child lets go of it. */
enum last { NAME, OPEN, MAPPING, EXIT, REPLACED };

struct vanishing {
	struct rig	r;
	fsblkcnt_t	free;		/* blocks of the file system, with the file */
	int		go[2];		/* the child begins when nobody can write to it */
	int		dir;
	int		clone;		/* another file that has the blocks, if not 0 */
	char		*clone_map;	/* and is mapped */
};

struct way {
	enum last	last;
	bool		nameless;	/* the file was made without a name */
	bool		kept;		/* somebody else has it open all the time */
	enum dp_map	map;
	bool		cloned;
};

FIXTURE(unlink) {
	struct vanishing v;
};

FIXTURE_VARIANT(unlink) {
	struct way way;
};

FIXTURE_VARIANT_ADD(unlink, name_last)   { { NAME } };
FIXTURE_VARIANT_ADD(unlink, close_last)  { { OPEN } };
FIXTURE_VARIANT_ADD(unlink, munmap_last) { { MAPPING } };
FIXTURE_VARIANT_ADD(unlink, exit_last)   { { EXIT } };
FIXTURE_VARIANT_ADD(unlink, rename_over) { { REPLACED } };
FIXTURE_VARIANT_ADD(unlink, tmpfile)     { { OPEN, .nameless = true } };
FIXTURE_VARIANT_ADD(unlink, still_open)  { { NAME, .kept = true } };
FIXTURE_VARIANT_ADD(unlink, name_last_pmd)   { { NAME, .map = DP_MAP_PMD } };
FIXTURE_VARIANT_ADD(unlink, munmap_last_pmd) { { MAPPING, .map = DP_MAP_PMD } };
FIXTURE_VARIANT_ADD(unlink, exit_last_pmd)   { { EXIT, .map = DP_MAP_PMD } };

static fsblkcnt_t blocks_free(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) ? 0 : fs.f_bfree;
}

/* The same content in a file that never had a name takes the place of the other. */
static void make_nameless(struct __test_metadata *_metadata, struct rig *r)
{
	int fd = open(getenv("DAXPIN_DIR"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char data[LEN];

	ASSERT_GE(fd, 0);
	dp_data_fill(data, LEN, 0, FILE_SEED);
	ASSERT_EQ(LEN, pwrite(fd, data, LEN, 0));
	ASSERT_EQ(r->file.map, mmap(r->file.map, LEN, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(r->file.fd, dup3(fd, r->file.fd, O_CLOEXEC));
	close(fd);
	ASSERT_EQ(0, unlinkat(r->file.dir, r->file.name, 0));
	memcpy(r->file.map, data, LEN);
}

static void vanishing_open(struct __test_metadata *_metadata, struct vanishing *self,
			   const struct way *way)
{
	self->go[0] = -1;
	self->go[1] = -1;
	rig_open(_metadata, &self->r, way->map, len_for(way->map, LEN));
	self->dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(self->dir, 0);
	if (way->nameless)
		make_nameless(_metadata, &self->r);
}

static void vanishing_close(struct vanishing *self)
{
	/* First: who evicts the file may wait for it, and cannot be killed then. */
	if (self->clone_map) {
		munmap(self->clone_map, self->r.file.len);
		self->r.file.map = NULL;
	}
	rig_close(&self->r);
	for (int i = 0; i < 2; i++)
		if (self->go[i] >= 0)
			close(self->go[i]);
	if (self->dir > 0)
		close(self->dir);
	if (self->clone > 0)
		close(self->clone);
}

FIXTURE_SETUP(unlink)
{
	if (rig_missing(variant->way.map))
		SKIP(return, "%s", rig_missing(variant->way.map));
	vanishing_open(_metadata, &self->v, &variant->way);
}

FIXTURE_TEARDOWN(unlink)
{
	vanishing_close(&self->v);
}

/* Everything but what the child is to let go of has gone before. */
static int last_one(const struct rig *r, enum last last)
{
	if (last == NAME)
		return unlinkat(r->file.dir, r->file.name, 0) ? -errno : 0;
	if (last == OPEN)
		return close(r->file.fd) ? -errno : 0;
	if (last == MAPPING)
		return munmap(r->file.map, r->file.len) ? -errno : 0;
	if (last == REPLACED)
		return renameat(r->file.dir, "new", r->file.dir, r->file.name) ? -errno : 0;
	return 0;	/* at its exit */
}

/* What this process has of the file, but for one. */
static void let_go(const struct rig *r, enum last keep)
{
	if (keep != MAPPING && keep != EXIT)
		munmap(r->file.map, r->file.len);
	if (keep != OPEN)
		close(r->file.fd);
}

struct child {
	const struct rig *r;
	enum last	  last;
	int		 *go;
	char		 *clone_map;
};

static int run_child(void *arg)
{
	const struct child *c = arg;
	char byte;

	/* Who waits is not to have what is waited for. */
	if (c->clone_map)
		munmap(c->clone_map, c->r->file.len);
	let_go(c->r, c->last);
	close(c->go[1]);
	if (read(c->go[0], &byte, 1))	/* the end of the file: all others are gone */
		return -EIO;
	return last_one(c->r, c->last);
}

static void start_child(struct __test_metadata *_metadata, struct vanishing *self,
			const struct way *variant)
{
	struct rig *r = &self->r;
	struct child c = { r, variant->last, self->go, self->clone_map };
	bool named = variant->last == NAME || variant->last == REPLACED;

	ASSERT_EQ(0, pipe2(self->go, O_CLOEXEC));
	if (variant->last == REPLACED)
		close(openat(r->file.dir, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (!named && !variant->nameless)
		ASSERT_EQ(0, unlinkat(r->file.dir, r->file.name, 0));
	ASSERT_EQ(0, dp_child_start(&r->racer, run_child, &c));
	if (!variant->kept) {
		let_go(r, NAME);
		r->file.fd = -1;
		r->file.map = self->clone_map;	/* where the pinned page still is, if anywhere */
	}
	close(self->go[1]);
	self->go[1] = -1;
}

/* Its blocks are not free before the pin is gone, and free then. */
static void check_free(struct __test_metadata *_metadata, struct vanishing *self, bool gone)
{
	long deadline = dp_now_ms() + RETURN_MS;
	fsblkcnt_t all = self->free + self->r.blocks * 512 / PAGE;

	if (!gone) {
		EXPECT_GT(all, blocks_free(self->dir))
			TH_LOG("blocks were freed while they were pinned");
		return;
	}
	/* xfs frees them in the background; asking hurries that up. */
	while (blocks_free(self->dir) < all && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	EXPECT_LE(all, blocks_free(self->dir))
		TH_LOG("the blocks of the file are not free again");
}

/* All is written, and the files of earlier rows are gone: xfs frees them in the background. */
static int come_to_rest(int dir)
{
	if (ioctl(dir, FIFREEZE, 0))
		return -errno;
	return ioctl(dir, FITHAW, 0) ? -errno : 0;
}

/* The page that is pinned is what the clone has mapped, too. */
static void check_shared(struct __test_metadata *_metadata, struct vanishing *self)
{
	uint64_t pfn = 0;

	EXPECT_LE(0, dp_page_refs(self->clone_map + PIN, &pfn));
	TH_LOG("witness: shared=%d", pfn == self->r.pfn);
	ASSERT_EQ(self->r.pfn, pfn);
}

/* Nobody can tell through which file a page is pinned that two of them have. */
static enum outcome outcome_of(const struct way *way)
{
	return way->kept ? RETURNS : way->cloned ? MAY_WAIT : WAITS;
}

static void vanish(struct __test_metadata *_metadata, struct vanishing *self,
		   const struct way *variant, enum dp_pin_kind kind)
{
	struct collision c = { .pin = PIN, .outcome = outcome_of(variant) };
	struct rig *r = &self->r;
	char want[PIN_LEN];

	r->kind = kind;
	r->c = &c;
	/* Before the pin: what the device writes after it is flushed by nobody. */
	ASSERT_EQ(0, come_to_rest(self->dir));
	take_pin(_metadata, r);
	if (self->clone_map)
		check_shared(_metadata, self);
	self->free = blocks_free(self->dir);
	start_child(_metadata, self, variant);
	watch_op(_metadata, r);
	if ((r->waited || variant->kept) && !variant->cloned)
		check_free(_metadata, self, false);
	drop_pin(_metadata, r);
	if (reads(r)) {
		dp_data_fill(want, PIN_LEN, PIN, FILE_SEED);
		EXPECT_EQ(-1, dp_data_differ(want, r->seen, PIN_LEN))
			TH_LOG("the device got other data than the pinned pages held");
	}
	if (!variant->kept && !variant->cloned)
		check_free(_metadata, self, true);
	unlinkat(r->file.dir, r->file.name, 0);
}

TEST_F_TIMEOUT(unlink, vmsplice, ROW_S)
{
	vanish(_metadata, &self->v, &variant->way, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(unlink, aio_read, ROW_S)
{
	vanish(_metadata, &self->v, &variant->way, DP_PIN_AIO_READ);
}

TEST_F_TIMEOUT(unlink, aio_write, ROW_S)
{
	vanish(_metadata, &self->v, &variant->way, DP_PIN_AIO_WRITE);
}

/*
 * A clone keeps the blocks, and is mapped: what is waited for is the pin, if anything
 */

FIXTURE(cloned) {
	struct vanishing v;
};

FIXTURE_VARIANT(cloned) {
	struct way way;
};

FIXTURE_VARIANT_ADD(cloned, name_last)	 { { NAME, .cloned = true } };
FIXTURE_VARIANT_ADD(cloned, close_last)	 { { OPEN, .cloned = true } };
FIXTURE_VARIANT_ADD(cloned, munmap_last) { { MAPPING, .cloned = true } };
FIXTURE_VARIANT_ADD(cloned, exit_last)	 { { EXIT, .cloned = true } };
FIXTURE_VARIANT_ADD(cloned, rename_over) { { REPLACED, .cloned = true } };

FIXTURE_SETUP(cloned)
{
	struct vanishing *v = &self->v;
	struct rig *r = &v->r;
	char *map;
	int err;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	vanishing_open(_metadata, v, &variant->way);
	v->clone = nameless();
	ASSERT_LE(0, v->clone);
	err = clone_file(v->clone, r->file.fd);
	if (cannot_clone(err))
		SKIP(return, CANNOT_CLONE);
	ASSERT_EQ(0, err);
	map = dp_map_shared(v->clone, r->file.len, DP_MAP_PTE);
	ASSERT_NE(MAP_FAILED, map);
	v->clone_map = map;
	ASSERT_EQ(0, madvise(map, r->file.len, MADV_POPULATE_READ));
}

FIXTURE_TEARDOWN(cloned)
{
	vanishing_close(&self->v);
}

TEST_F_TIMEOUT(cloned, vmsplice, ROW_S)
{
	struct dp_content want;

	vanish(_metadata, &self->v, &variant->way, DP_PIN_VMSPLICE);
	dp_content_init(&want, self->v.r.file.len, FILE_SEED);
	EXPECT_EQ(-1, file_wrong_at(self->v.clone, &want, 0, want.size))
		TH_LOG("the clone has wrong data, from the offset that is seen on");
	EXPECT_EQ(-1, map_wrong_at(self->v.clone_map, &want))
		TH_LOG("the clone has wrong data if mapped, from the offset that is seen on");
}

TEST_HARNESS_MAIN
