// SPDX-License-Identifier: GPL-2.0
/*
 * A page of the page cache is pinned, and the file gets other blocks or other data
 * beside the cache: by a direct write over it, or by a truncate in the middle of it.
 *
 * The pinned page is only a copy.  Nothing waits for it, and what the device writes into
 * it when the file has moved on is lost: it must not come back, neither on the disk nor
 * behind the end of the file.  A direct write takes the pages out of the cache, before
 * and after it (mm/filemap.c, kiocb_invalidate_pages() and
 * kiocb_invalidate_post_direct_write(), since 6.6).  When one of them was made dirty in
 * between it cannot, says "Page cache invalidation failure on direct I/O" and has the
 * next fsync fail: it must say so in that case, and only then.
 */
#include "ops.h"

#define LEN		(16 * PAGE)
#define PIN		(4 * PAGE)
#define CUT		(PIN + PAGE / 2)	/* a truncate ends in the first pinned page */
#define HELD_AT		"iomap_dio_complete"	/* the blocks are written, the cache not seen to */
#define FAILURE		"Page cache invalidation failure on direct I/O"

struct direct {
	struct rig	r;
	struct dp_log	log;
	int		fd;		/* O_DIRECT; -1: not open */
	int		pause;		/* the module's descriptor; -1: none */
	char		*data;		/* what is written, aligned */
};

FIXTURE(stale) {
	struct direct d;
};

FIXTURE_VARIANT(stale) {
	enum dp_pin_kind kind;
};

FIXTURE_VARIANT_ADD(stale, none)	     { DP_PIN_NONE };
FIXTURE_VARIANT_ADD(stale, aio_read)	     { DP_PIN_AIO_READ };
FIXTURE_VARIANT_ADD(stale, uring_read)	     { DP_PIN_URING_READ };
FIXTURE_VARIANT_ADD(stale, vmsplice)	     { DP_PIN_VMSPLICE };
FIXTURE_VARIANT_ADD(stale, module_get_write) { DP_PIN_MODULE_GET_WRITE };
FIXTURE_VARIANT_ADD(stale, module_pin_write) { DP_PIN_MODULE_PIN_WRITE };

static const struct op no_op = { NULL };
static const struct collision at_pin = { &no_op, 0, PIN, PIN_LEN, PIN };

FIXTURE_SETUP(stale)
{
	struct direct *d = &self->d;
	char path[64];

	d->fd = -1;
	d->pause = -1;
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &d->r, DP_MAP_PTE, LEN);
	d->r.kind = variant->kind;
	d->r.c = &at_pin;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", d->r.file.fd);
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, d->fd);
	d->data = mmap(NULL, PIN_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, d->data);
	dp_data_fill(d->data, PIN_LEN, PIN, OP_SEED);
	ASSERT_EQ(0, fsync(d->r.file.fd));
	ASSERT_EQ(0, dp_log_open(&d->log));
}

FIXTURE_TEARDOWN(stale)
{
	struct direct *d = &self->d;

	if (d->pause >= 0)
		dp_pause_resume(d->pause);
	rig_close(&d->r);
	dp_log_close(&d->log);
	if (d->fd >= 0)
		close(d->fd);
}

static int run_write(void *arg)
{
	struct direct *d = arg;
	ssize_t n = pwrite(d->fd, d->data, PIN_LEN, PIN);

	return n < 0 ? -errno : n == PIN_LEN ? 0 : -EIO;
}

/* Each page of the pinned range has the data of one of these seeds, on the disk. */
static void check_disk(struct __test_metadata *_metadata, struct direct *d, int seed, int other)
{
	static char got[PIN_LEN] __attribute__((aligned(PAGE)));
	char want[PAGE], or[PAGE];

	ASSERT_EQ(PIN_LEN, pread(d->fd, got, PIN_LEN, PIN));
	for (off_t off = 0; off < PIN_LEN; off += PAGE) {
		dp_data_fill(want, PAGE, PIN + off, seed);
		dp_data_fill(or, PAGE, other == DEV_SEED ? off : PIN + off, other);
		EXPECT_TRUE(!memcmp(want, got + off, PAGE) || !memcmp(or, got + off, PAGE))
			TH_LOG("page %ld has neither what was written directly nor what is allowed",
			       (long)(off / PAGE));
	}
}

/* Has it?  Who prints has stored the record before it goes on (printk.c, vprintk_store()). */
static bool said_failure(struct __test_metadata *_metadata, struct direct *d)
{
	char line[512];
	int err;

	do {
		err = dp_log_next(&d->log, "", line, sizeof(line), 0);
		if (!err && strstr(line, FAILURE))
			return true;
	} while (!err);
	EXPECT_EQ(-ETIMEDOUT, err)
		TH_LOG("the log cannot be read to its end");
	return false;
}

/* The page was taken out of the cache under its pin: what the device writes is nobody's. */
TEST_F_TIMEOUT(stale, write_over, ROW_S)
{
	struct direct *d = &self->d;
	struct rig *r = &d->r;
	char got[PIN_LEN];

	take_pin(_metadata, r);
	ASSERT_EQ(0, dp_child_start(&r->racer, run_write, d));
	ASSERT_EQ(0, dp_child_wait(&r->racer, SOON_MS))
		TH_LOG("a direct write waits for a pin of the page cache, or fails");
	ASSERT_EQ(0, unpin(r));
	ASSERT_EQ(0, fsync(r->file.fd));
	EXPECT_FALSE(said_failure(_metadata, d));
	check_disk(_metadata, d, OP_SEED, OP_SEED);
	ASSERT_EQ(PIN_LEN, pread(r->file.fd, got, PIN_LEN, PIN));
	EXPECT_EQ(-1, dp_data_differ(d->data, got, PIN_LEN));
	EXPECT_EQ(-1, dp_data_differ(d->data, r->file.map + PIN, PIN_LEN));
}

/*
 * Pages that are new in the cache are held by a list of the CPU's for a while, which may
 * end between two looks at their references.  To drop a range that has none empties it
 * (mm/fadvise.c, generic_fadvise()).
 */
static void pages_rest(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(0, madvise(r->file.map + PIN, PIN_LEN, MADV_POPULATE_READ));
	ASSERT_EQ(0, posix_fadvise(r->file.fd, LEN, PAGE, POSIX_FADV_DONTNEED));
}

/* Made dirty while the direct write is under way: by a store, or by a device pinned then. */
TEST_F_TIMEOUT(stale, dirty_meanwhile, ROW_S)
{
	struct direct *d = &self->d;
	struct rig *r = &d->r;
	int late = r->kind == DP_PIN_NONE || reads(r) ? OTHER_SEED : DEV_SEED;

	d->pause = dp_pause(HELD_AT);
	if (d->pause == -ENOENT)
		SKIP(return, "nothing to hold a direct write at " HELD_AT);
	ASSERT_LE(0, d->pause);
	ASSERT_EQ(0, dp_child_start(&r->racer, run_write, d));
	ASSERT_EQ(0, dp_pause_reached(d->pause, SETTLE_MS));
	pages_rest(_metadata, r);
	take_pin(_metadata, r);
	ASSERT_EQ(0, unpin(r));
	if (late == OTHER_SEED)
		dp_data_fill(r->file.map + PIN, PIN_LEN, PIN, OTHER_SEED);
	ASSERT_EQ(0, dp_pause_resume(d->pause));
	ASSERT_EQ(0, dp_child_wait(&r->racer, SETTLE_MS));
	EXPECT_TRUE(said_failure(_metadata, d))
		TH_LOG("a page that was dirty again was taken out of the cache in silence");
	EXPECT_EQ(-1, fsync(r->file.fd));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, fsync(r->file.fd))
		TH_LOG("fsync(2) tells the same error twice");
	check_disk(_metadata, d, OP_SEED, late);
}

/* The file ends in the pinned page, and the device writes behind that end. */
TEST_F_TIMEOUT(stale, cut, ROW_S)
{
	static char got[LEN] __attribute__((aligned(PAGE)));
	struct direct *d = &self->d;
	struct rig *r = &d->r;
	char zeroes[LEN];
	struct stat st;

	take_pin(_metadata, r);
	ASSERT_EQ(0, ftruncate(r->file.fd, CUT));
	ASSERT_EQ(0, unpin(r));
	if (r->kind == DP_PIN_NONE)
		memset(r->file.map + CUT, 0xff, PAGE / 2);
	ASSERT_EQ(0, fsync(r->file.fd));
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	EXPECT_EQ(CUT, st.st_size);
	/* What is there now has been on the disk behind the end. */
	ASSERT_EQ(0, posix_fadvise(r->file.fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, ftruncate(r->file.fd, LEN));
	ASSERT_EQ(LEN, pread(d->fd, got, LEN, 0));
	memset(zeroes, 0, sizeof(zeroes));
	EXPECT_EQ(-1, dp_data_differ(zeroes, got + CUT, LEN - CUT))
		TH_LOG("what was written behind the end is in the file, from the offset seen on");
	EXPECT_FALSE(said_failure(_metadata, d));
}

TEST_HARNESS_MAIN
