// SPDX-License-Identifier: GPL-2.0
/*
 * What was stored to a DAX file is flushed by the next sync.
 *
 * The storage of a DAX file is memory, and a store may be in the caches of CPUs.  So a
 * fault to write tags the entry of the page dirty, and a sync writes the caches back, page
 * by page, and takes the tags off (fs/dax.c, dax_writeback_one()).  Whatever happens to
 * the file between the store and the sync, beside the page: the tag must not get lost.
 * Nobody sees that it did, before a power failure.  Here the tracepoint says what was
 * flushed, since the store, and by whomever.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <xfs/xfs.h>

#include "blocks.h"
#include "dax_folder.h"
#include "nameless.h"
#include "ops.h"
#include "place.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define AT	(6 * PAGE)		/* the page that is stored to */
#define BEHIND	(12 * PAGE)		/* where other things happen */

struct scene {
	struct rig		r;
	struct dp_events	flushes;	/* of the page at AT */
	struct dp_events	caches;		/* what our syncs write back from the CPU's */
	long			cached;		/* so often, when we last looked */
	struct dp_events	pmds, cached_pmds;	/* flushed, and written back, in one */
	int			stores;
	int			other;		/* another file, if not 0 */
};

struct between {
	int	(*run)(const struct scene *s);
	bool	map_sync;		/* stored through a mapping with MAP_SYNC */
	int	(*first)(const struct scene *s);	/* runs before the store, or NULL */
};

static int fd_of(const struct scene *s)
{
	return s->r.file.fd;
}

static int do_nothing(const struct scene *s)
{
	return 0;
}

static int do_grow(const struct scene *s)
{
	return ftruncate(fd_of(s), s->r.file.len + 4 * PAGE) ? -errno : 0;
}

static int do_shrink(const struct scene *s)
{
	return ftruncate(fd_of(s), BEHIND) ? -errno : 0;
}

static int do_shrink_in_page(const struct scene *s)
{
	return ftruncate(fd_of(s), BEHIND + 100) ? -errno : 0;
}

static int change(const struct scene *s, int mode, off_t off, off_t len)
{
	return fallocate(fd_of(s), mode, off, len) ? -errno : 0;
}

static int change_behind(const struct scene *s, int mode)
{
	return change(s, mode, BEHIND, 2 * PAGE);
}

static int do_punch(const struct scene *s)
{
	return change_behind(s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int do_zero(const struct scene *s)
{
	return change_behind(s, FALLOC_FL_ZERO_RANGE);
}

static int do_collapse(const struct scene *s)
{
	return change_behind(s, FALLOC_FL_COLLAPSE_RANGE);
}

static int do_insert(const struct scene *s)
{
	return change_behind(s, FALLOC_FL_INSERT_RANGE);
}

static int do_allocate(const struct scene *s)
{
	return change(s, 0, s->r.file.len, 4 * PAGE);
}

static int do_write(const struct scene *s)
{
	char data[PAGE] = "";

	return pwrite(fd_of(s), data, PAGE, BEHIND) == PAGE ? 0 : -errno;
}

static int do_append(const struct scene *s)
{
	char data[PAGE] = "";

	return pwrite(fd_of(s), data, PAGE, s->r.file.len) == PAGE ? 0 : -errno;
}

static int do_read(const struct scene *s)
{
	char data[PAGE];

	return pread(fd_of(s), data, PAGE, AT) == PAGE ? 0 : -errno;
}

static int do_drop_caches(const struct scene *s)
{
	return dp_knob_set("/proc/sys/vm/drop_caches", "3");
}

static int advise(const struct scene *s, int advice)
{
	return madvise(s->r.file.map, s->r.file.len, advice) ? -errno : 0;
}

static int do_dontneed(const struct scene *s)
{
	return advise(s, MADV_DONTNEED);
}

static int do_pageout(const struct scene *s)
{
	return advise(s, MADV_PAGEOUT);
}

static int do_protect(const struct scene *s)
{
	if (mprotect(s->r.file.map, s->r.file.len, PROT_READ))
		return -errno;
	return mprotect(s->r.file.map, s->r.file.len, PROT_READ | PROT_WRITE) ? -errno : 0;
}

static int in_child(void *arg)
{
	const struct scene *s = arg;

	return madvise(s->r.file.map, s->r.file.len, MADV_POPULATE_READ) ? -errno : 0;
}

static int do_fork(const struct scene *s)
{
	struct dp_child c;
	int err = dp_child_start(&c, in_child, (void *)s);

	return err ? err : dp_child_wait(&c, SETTLE_MS);
}

static int do_pin(const struct scene *s)
{
	struct dp_pin pin;
	int err = dp_pin(&pin, DP_PIN_VMSPLICE, NULL, s->r.file.map + AT, PAGE);

	return err ? err : dp_unpin(&pin, NULL);
}

FIXTURE(flush) {
	struct scene s;
};

FIXTURE_VARIANT(flush) {
	enum dp_map	map;
	struct between	b;
};

FIXTURE_VARIANT_ADD(flush, nothing_pte)         { DP_MAP_PTE, { do_nothing } };
FIXTURE_VARIANT_ADD(flush, map_sync_pte)        { DP_MAP_PTE, { do_nothing, true } };
FIXTURE_VARIANT_ADD(flush, grow_pte)            { DP_MAP_PTE, { do_grow } };
FIXTURE_VARIANT_ADD(flush, grow_map_sync_pte)   { DP_MAP_PTE, { do_grow, true } };
/* With what the file system has still to write down the fault itself must sync it. */
FIXTURE_VARIANT_ADD(flush, grown_map_sync_pte)  { DP_MAP_PTE, { do_nothing, true, do_grow } };
FIXTURE_VARIANT_ADD(flush, shrink_pte)          { DP_MAP_PTE, { do_shrink } };
FIXTURE_VARIANT_ADD(flush, shrink_in_page_pte)  { DP_MAP_PTE, { do_shrink_in_page } };
FIXTURE_VARIANT_ADD(flush, punch_pte)           { DP_MAP_PTE, { do_punch } };
FIXTURE_VARIANT_ADD(flush, zero_pte)            { DP_MAP_PTE, { do_zero } };
FIXTURE_VARIANT_ADD(flush, collapse_pte)        { DP_MAP_PTE, { do_collapse } };
FIXTURE_VARIANT_ADD(flush, insert_pte)          { DP_MAP_PTE, { do_insert } };
FIXTURE_VARIANT_ADD(flush, allocate_pte)        { DP_MAP_PTE, { do_allocate } };
FIXTURE_VARIANT_ADD(flush, write_pte)           { DP_MAP_PTE, { do_write } };
FIXTURE_VARIANT_ADD(flush, append_pte)          { DP_MAP_PTE, { do_append } };
FIXTURE_VARIANT_ADD(flush, read_pte)            { DP_MAP_PTE, { do_read } };
FIXTURE_VARIANT_ADD(flush, drop_caches_pte)     { DP_MAP_PTE, { do_drop_caches } };
FIXTURE_VARIANT_ADD(flush, dontneed_pte)        { DP_MAP_PTE, { do_dontneed } };
FIXTURE_VARIANT_ADD(flush, pageout_pte)         { DP_MAP_PTE, { do_pageout } };
FIXTURE_VARIANT_ADD(flush, protect_pte)         { DP_MAP_PTE, { do_protect } };
FIXTURE_VARIANT_ADD(flush, fork_pte)            { DP_MAP_PTE, { do_fork } };
FIXTURE_VARIANT_ADD(flush, pin_pte)             { DP_MAP_PTE, { do_pin } };
FIXTURE_VARIANT_ADD(flush, nothing_pmd)         { DP_MAP_PMD, { do_nothing } };
FIXTURE_VARIANT_ADD(flush, map_sync_pmd)        { DP_MAP_PMD, { do_nothing, true } };
FIXTURE_VARIANT_ADD(flush, grow_pmd)            { DP_MAP_PMD, { do_grow } };
FIXTURE_VARIANT_ADD(flush, grow_map_sync_pmd)   { DP_MAP_PMD, { do_grow, true } };
FIXTURE_VARIANT_ADD(flush, grown_map_sync_pmd)  { DP_MAP_PMD, { do_nothing, true, do_grow } };
FIXTURE_VARIANT_ADD(flush, shrink_pmd)          { DP_MAP_PMD, { do_shrink } };
FIXTURE_VARIANT_ADD(flush, shrink_in_page_pmd)  { DP_MAP_PMD, { do_shrink_in_page } };
FIXTURE_VARIANT_ADD(flush, punch_pmd)           { DP_MAP_PMD, { do_punch } };
FIXTURE_VARIANT_ADD(flush, zero_pmd)            { DP_MAP_PMD, { do_zero } };
FIXTURE_VARIANT_ADD(flush, collapse_pmd)        { DP_MAP_PMD, { do_collapse } };
FIXTURE_VARIANT_ADD(flush, insert_pmd)          { DP_MAP_PMD, { do_insert } };
FIXTURE_VARIANT_ADD(flush, allocate_pmd)        { DP_MAP_PMD, { do_allocate } };
FIXTURE_VARIANT_ADD(flush, write_pmd)           { DP_MAP_PMD, { do_write } };
FIXTURE_VARIANT_ADD(flush, append_pmd)          { DP_MAP_PMD, { do_append } };
FIXTURE_VARIANT_ADD(flush, read_pmd)            { DP_MAP_PMD, { do_read } };
FIXTURE_VARIANT_ADD(flush, drop_caches_pmd)     { DP_MAP_PMD, { do_drop_caches } };
FIXTURE_VARIANT_ADD(flush, dontneed_pmd)        { DP_MAP_PMD, { do_dontneed } };
FIXTURE_VARIANT_ADD(flush, pageout_pmd)         { DP_MAP_PMD, { do_pageout } };
FIXTURE_VARIANT_ADD(flush, protect_pmd)         { DP_MAP_PMD, { do_protect } };
FIXTURE_VARIANT_ADD(flush, fork_pmd)            { DP_MAP_PMD, { do_fork } };
FIXTURE_VARIANT_ADD(flush, pin_pmd)             { DP_MAP_PMD, { do_pin } };

FIXTURE_SETUP(flush)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, &self->s.r, variant->map, len_for(variant->map, LEN));
}

static void events_close(struct scene *s)
{
	dp_events_close(&s->flushes);
	dp_events_close(&s->caches);
	dp_events_close(&s->pmds);
	dp_events_close(&s->cached_pmds);
}

FIXTURE_TEARDOWN(flush)
{
	events_close(&self->s);
	rig_close(&self->s.r);
}

/* Clean now; from now on flushes count, of the page or of the PMD that it is in. */
static void begin(struct __test_metadata *_metadata, struct scene *s)
{
	char filter[128];
	struct stat st;

	ASSERT_EQ(0, fsync(fd_of(s)));
	ASSERT_EQ(0, fstat(fd_of(s), &st));
	snprintf(filter, sizeof(filter),
		 "ino == %lu && (pgoff == %ld || (pgoff == 0 && pglen == %ld))",
		 (unsigned long)st.st_ino, AT / PAGE, PMD / PAGE);
	ASSERT_EQ(0, dp_events_open(&s->flushes, "fs_dax/dax_writeback_one", filter,
				    DP_ANYBODYS));
	ASSERT_EQ(0, dp_calls_open(&s->caches, "arch_wb_cache_pmem", NULL, DP_OURS));
	snprintf(filter, sizeof(filter), "pglen == %ld", PMD / PAGE);
	ASSERT_EQ(0, dp_events_open(&s->pmds, "fs_dax/dax_writeback_one", filter, DP_OURS));
	snprintf(filter, sizeof(filter), "arg2 == %ld", PMD);
	ASSERT_EQ(0, dp_calls_open(&s->cached_pmds, "arch_wb_cache_pmem", filter, DP_OURS));
	ASSERT_EQ(0, fsync(fd_of(s)));
	EXPECT_EQ(0, dp_events_count(&s->flushes))
		TH_LOG("a page that nobody has stored to is flushed");
}

static void map_sync(struct __test_metadata *_metadata, struct scene *s)
{
	struct dp_file *f = &s->r.file;

	ASSERT_EQ(f->map, mmap(f->map, f->len, PROT_READ | PROT_WRITE,
			       MAP_SHARED_VALIDATE | MAP_SYNC | MAP_FIXED, f->fd, 0));
}

static void store(struct scene *s)
{
	dp_data_fill(s->r.file.map + AT, PAGE, AT, OP_SEED + s->stores++);
}

/* The tracepoint says that a page is clean now, not that its cache lines have left the CPU. */
static void check_caches(struct __test_metadata *_metadata, struct scene *s)
{
	long now = dp_events_count(&s->caches), pmds = dp_events_count(&s->pmds);

	TH_LOG("witness: caches=%ld->%ld flushed_pmds=%ld", s->cached, now, pmds);
	EXPECT_LT(s->cached, now)
		TH_LOG("what was stored is taken for flushed, but is left in the CPU's caches");
	EXPECT_EQ(pmds, dp_events_count(&s->cached_pmds))
		TH_LOG("of a PMD that is taken for flushed some is left in the CPU's caches");
	s->cached = now;
}

static void check_flushed(struct __test_metadata *_metadata, struct scene *s, long before)
{
	long now = dp_events_count(&s->flushes);
	char want[PAGE], got[PAGE];

	TH_LOG("witness: dax=%d pmds=%d flushes=%ld->%ld", s->r.file.dax, s->r.file.pmds, before,
	       now);
	EXPECT_LT(before, now)
		TH_LOG("what was stored is not flushed");
	if (before < now)
		check_caches(_metadata, s);
	dp_data_fill(want, PAGE, AT, OP_SEED + s->stores - 1);
	ASSERT_EQ(PAGE, pread(fd_of(s), got, PAGE, AT));
	EXPECT_EQ(-1, dp_data_differ(want, got, PAGE))
		TH_LOG("the file has other data than was stored, from the offset that is seen on");
}

static void sync_with(struct __test_metadata *_metadata, struct scene *s, const struct between *b,
		      bool by_msync)
{
	struct dp_file *f = &s->r.file;

	begin(_metadata, s);
	if (b->map_sync)
		map_sync(_metadata, s);
	if (b->first)
		ASSERT_EQ(0, b->first(s));
	store(s);
	ASSERT_EQ(0, b->run(s));
	ASSERT_EQ(0, by_msync ? msync(f->map, BEHIND, MS_SYNC) : fsync(f->fd));
	check_flushed(_metadata, s, 0);
}

TEST_F_TIMEOUT(flush, fsync, ROW_S)
{
	sync_with(_metadata, &self->s, &variant->b, false);
}

TEST_F_TIMEOUT(flush, msync, ROW_S)
{
	sync_with(_metadata, &self->s, &variant->b, true);
}

/* What was flushed once is dirty again with the next store. */
TEST_F_TIMEOUT(flush, again, ROW_S)
{
	struct scene *s = &self->s;
	long before;

	sync_with(_metadata, s, &variant->b, false);
	before = dp_events_count(&s->flushes);
	store(s);
	ASSERT_EQ(0, fsync(fd_of(s)));
	check_flushed(_metadata, s, before);
}

/*
 * Blocks come from another file or are given to one, beside the page or with it
 */

static int do_clone(const struct scene *s)
{
	return clone_file(s->other, fd_of(s));
}

static int do_clone_of(const struct scene *s)
{
	return clone_range(s->other, BEHIND, fd_of(s), BEHIND, 2 * PAGE);
}

static int do_clone_to(const struct scene *s)
{
	return clone_range(fd_of(s), BEHIND, s->other, BEHIND, 2 * PAGE);
}

static int do_dedupe_of(const struct scene *s)
{
	return dedupe_range(s->other, BEHIND, fd_of(s), BEHIND, 2 * PAGE);
}

static int do_dedupe_to(const struct scene *s)
{
	return dedupe_range(fd_of(s), BEHIND, s->other, BEHIND, 2 * PAGE);
}

static int do_exchange(const struct scene *s)
{
	return exchange_range(fd_of(s), BEHIND, s->other, BEHIND, 2 * PAGE);
}

FIXTURE(remapped) {
	struct scene s;
};

FIXTURE_VARIANT(remapped) {
	enum dp_map	map;
	struct between	b;
	bool		exchanges;	/* on a file system that can */
};

FIXTURE_VARIANT_ADD(remapped, clone_pte)     { DP_MAP_PTE, { do_clone } };
FIXTURE_VARIANT_ADD(remapped, clone_pmd)     { DP_MAP_PMD, { do_clone } };
FIXTURE_VARIANT_ADD(remapped, clone_of_pte)  { DP_MAP_PTE, { do_clone_of } };
FIXTURE_VARIANT_ADD(remapped, clone_to_pte)  { DP_MAP_PTE, { do_clone_to } };
FIXTURE_VARIANT_ADD(remapped, dedupe_of_pte) { DP_MAP_PTE, { do_dedupe_of } };
FIXTURE_VARIANT_ADD(remapped, dedupe_to_pte) { DP_MAP_PTE, { do_dedupe_to } };
FIXTURE_VARIANT_ADD(remapped, exchange_pte)  { DP_MAP_PTE, { do_exchange }, true };
FIXTURE_VARIANT_ADD(remapped, exchange_pmd)  { DP_MAP_PMD, { do_exchange }, true };

FIXTURE_SETUP(remapped)
{
	struct scene *s = &self->s;
	char same[2 * PAGE];

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (variant->exchanges)
		dax_folder(_metadata);
	rig_open(_metadata, &s->r, variant->map, len_for(variant->map, LEN));
	s->other = nameless();
	ASSERT_LE(0, s->other);
	dp_data_fill(same, sizeof(same), BEHIND, FILE_SEED);
	ASSERT_EQ(sizeof(same), pwrite(s->other, same, sizeof(same), BEHIND));
	if (!variant->exchanges && cannot_clone(try_clone(s->other)))
		SKIP(return, CANNOT_CLONE);
	ASSERT_EQ(0, fsync(s->other));
}

FIXTURE_TEARDOWN(remapped)
{
	events_close(&self->s);
	rig_close(&self->s.r);
	if (self->s.other > 0)
		close(self->s.other);
}

TEST_F_TIMEOUT(remapped, fsync, ROW_S)
{
	sync_with(_metadata, &self->s, &variant->b, false);
}

/*
 * What a device writes is dirty when the pin goes, whatever was synced before
 */

FIXTURE(late) {
	struct scene s;
};

FIXTURE_VARIANT(late) {
	enum dp_map	map;
	enum dp_pin_kind kind;
};

FIXTURE_VARIANT_ADD(late, dio_read_pte)	{ DP_MAP_PTE, DP_PIN_DIO_READ };
FIXTURE_VARIANT_ADD(late, dio_read_pmd)	{ DP_MAP_PMD, DP_PIN_DIO_READ };
FIXTURE_VARIANT_ADD(late, aio_read_pte)	{ DP_MAP_PTE, DP_PIN_AIO_READ };
FIXTURE_VARIANT_ADD(late, module_pin_write_pte)	{ DP_MAP_PTE, DP_PIN_MODULE_PIN_WRITE };
FIXTURE_VARIANT_ADD(late, module_get_write_pte)	{ DP_MAP_PTE, DP_PIN_MODULE_GET_WRITE };

FIXTURE_SETUP(late)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, &self->s.r, variant->map, len_for(variant->map, LEN));
}

FIXTURE_TEARDOWN(late)
{
	events_close(&self->s);
	rig_close(&self->s.r);
}

static void write_late(struct __test_metadata *_metadata, struct scene *s,
		       enum dp_pin_kind kind, bool synced)
{
	static const struct collision c = { .pin = AT };
	struct rig *r = &s->r;
	char got[PIN_LEN], want[PIN_LEN];
	long before;

	r->c = &c;
	r->kind = kind;
	begin(_metadata, s);
	take_pin(_metadata, r);
	if (synced)
		ASSERT_EQ(0, fsync(fd_of(s)));
	before = dp_events_count(&s->flushes);
	ASSERT_EQ(0, unpin(r));
	ASSERT_EQ(0, fsync(fd_of(s)));
	TH_LOG("witness: dax=%d flushes=%ld->%ld", r->file.dax, before,
	       dp_events_count(&s->flushes));
	EXPECT_LT(before, dp_events_count(&s->flushes))
		TH_LOG("what the device has written is not flushed");
	dp_data_fill(want, PIN_LEN, 0, DEV_SEED);
	ASSERT_EQ(PIN_LEN, pread(fd_of(s), got, PIN_LEN, AT));
	EXPECT_EQ(-1, dp_data_differ(want, got, PIN_LEN))
		TH_LOG("the file has other data than the device wrote");
}

TEST_F_TIMEOUT(late, sync_after, ROW_S)
{
	write_late(_metadata, &self->s, variant->kind, false);
}

TEST_F_TIMEOUT(late, sync_before_and_after, ROW_S)
{
	write_late(_metadata, &self->s, variant->kind, true);
}

/*
 * Blocks that another file shares
 */

FIXTURE(copied) {
	struct scene		s;
	int			other;
	struct dp_events	copies;		/* that leave nothing in the CPU's caches */
};

FIXTURE_VARIANT(copied) {
	int (*run)(const struct scene *s);
};

static int do_unshare(const struct scene *s)
{
	return change(s, FALLOC_FL_UNSHARE_RANGE, AT, PAGE);
}

static int do_punch_in_page(const struct scene *s)
{
	return change(s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, AT + 100, 300);
}

static int do_zero_in_page(const struct scene *s)
{
	return change(s, FALLOC_FL_ZERO_RANGE, AT + 100, 300);
}

static int do_write_in_page(const struct scene *s)
{
	char data[300] = "";

	return pwrite(fd_of(s), data, sizeof(data), AT + 100) == sizeof(data) ? 0 : -errno;
}

static int do_cut_in_page(const struct scene *s)
{
	return ftruncate(fd_of(s), AT + 100) ? -errno : 0;
}

static int do_store(const struct scene *s)
{
	s->r.file.map[AT + 100]++;
	return 0;
}

FIXTURE_VARIANT_ADD(copied, store)	   { do_store };
FIXTURE_VARIANT_ADD(copied, unshare)	   { do_unshare };
FIXTURE_VARIANT_ADD(copied, punch_in_page) { do_punch_in_page };
FIXTURE_VARIANT_ADD(copied, zero_in_page)  { do_zero_in_page };
FIXTURE_VARIANT_ADD(copied, write_in_page) { do_write_in_page };
FIXTURE_VARIANT_ADD(copied, cut_in_page)   { do_cut_in_page };

/* All of the file is clean then, and the clone has its blocks. */
static int clone_clean(struct __test_metadata *_metadata, struct scene *s)
{
	int other = nameless();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, clone_file(other, fd_of(s)));
	ASSERT_EQ(0, fsync(other));
	ASSERT_EQ(0, fsync(fd_of(s)));
	return other;
}

FIXTURE_SETUP(copied)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->s.r, DP_MAP_PTE, LEN);
	self->other = clone_clean(_metadata, &self->s);
}

FIXTURE_TEARDOWN(copied)
{
	dp_events_close(&self->copies);
	events_close(&self->s);
	rig_close(&self->s.r);
	if (self->other > 0)
		close(self->other);
}

/* Where the page at AT is on the device, 0: nowhere. */
static uint64_t block_of(const struct scene *s)
{
	struct fiemap *m = map_of(fd_of(s), AT, PAGE);
	uint64_t at = m && m->fm_mapped_extents ? m->fm_extents[0].fe_physical : 0;

	free(m);
	return at;
}

/* What was on the disk for long, and is copied, must be there as well after a sync. */
TEST_F_TIMEOUT(copied, fsync, ROW_S)
{
	struct scene *s = &self->s;
	uint64_t before = block_of(s);
	long copies;

	ASSERT_EQ(0, dp_calls_open(&s->caches, "arch_wb_cache_pmem", NULL, DP_OURS));
	ASSERT_EQ(0, dp_calls_open(&self->copies, "__memcpy_flushcache", NULL, DP_OURS));
	ASSERT_EQ(0, variant->run(s));
	copies = dp_events_count(&self->copies);	/* the sync has the log copied so */
	ASSERT_EQ(0, fsync(fd_of(s)));
	TH_LOG("witness: dax=%d block=%#lx->%#lx flushed=%ld copied=%ld", s->r.file.dax, before,
	       block_of(s), dp_events_count(&s->caches), copies);
	ASSERT_NE(before, block_of(s))
		TH_LOG("nothing was copied");
	EXPECT_LT(0, dp_events_count(&s->caches) + copies)
		TH_LOG("what was copied to another block is left in the CPU's caches");
}

/*
 * Stores through a mapping with MAP_SYNC are there after a crash, without a sync
 */

FIXTURE(crash) {
	struct scene s;
	struct place place;
	struct dp_events syncs;		/* faults that make what they map stay */
	int	     other;
};

FIXTURE_VARIANT(crash) {
	bool shared;
};

FIXTURE_VARIANT_ADD(crash, own)	   { false };
FIXTURE_VARIANT_ADD(crash, shared) { true };

FIXTURE_SETUP(crash)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (!getenv("DAXPIN_GUEST"))
		SKIP(return, "somebody may need the file system: not in a guest of daxpin");
	ASSERT_EQ(0, place_find(&self->place));
	rig_open(_metadata, &self->s.r, DP_MAP_PTE, LEN);
	if (variant->shared)
		self->other = clone_clean(_metadata, &self->s);
	ASSERT_EQ(0, fsync(fd_of(&self->s)));
	map_sync(_metadata, &self->s);
}

FIXTURE_TEARDOWN(crash)
{
	dp_events_close(&self->syncs);
	rig_close(&self->s.r);
}

/* The file system stops at once, without writing its log, and is mounted again. */
static void crash(struct __test_metadata *_metadata, struct scene *s, struct place *place,
		  int other)
{
	uint32_t how = XFS_FSOP_GOING_FLAGS_NOLOGFLUSH;

	ASSERT_EQ(0, ioctl(fd_of(s), XFS_IOC_GOINGDOWN, &how));
	if (other > 0)
		close(other);
	ASSERT_EQ(0, place_again(place, &s->r.file));
}

TEST_F_TIMEOUT(crash, map_sync, ROW_S)
{
	struct rig *r = &self->s.r;
	struct dp_content want;

	ASSERT_EQ(0, dp_calls_open(&self->syncs, "dax_finish_sync_fault", NULL, DP_OURS));
	for (off_t off = AT; off < AT + 4 * PAGE; off += PAGE)
		dp_data_fill(r->file.map + off, PAGE, off, OP_SEED);
	TH_LOG("witness: dax=%d shared=%d synced=%ld", r->file.dax, variant->shared,
	       dp_events_count(&self->syncs));
	crash(_metadata, &self->s, &self->place, self->other);
	dp_content_init(&want, r->file.len, FILE_SEED);
	dp_content_put(&want, AT, 4 * PAGE, OP_SEED, AT);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, want.size))
		TH_LOG("what was stored through MAP_SYNC is lost, from the offset that is seen on");
}

TEST_HARNESS_MAIN
