// SPDX-License-Identifier: GPL-2.0
/*
 * The device fails while its direct I/O has pages of a DAX file pinned, the server of a
 * FUSE file system goes while it owes an answer, or the peer of a socket while it should
 * read.
 *
 * The I/O is queued in a suspended target; an operation then waits for the pages.  The
 * target is replaced by one that fails all I/O (drivers/md/dm-target.c, "error"), as
 * dmsetup remove --force does with a device that is gone.  The error must reach who did
 * the I/O, the pages must be let go of and their waiter woken on that path as well
 * (block/bio.c, bio_release_pages()), and the file has what the operation has made of it.
 */
#include "ops.h"

#define LEN	(16 * PAGE)
#define PIN	(8 * PAGE)

/* What a machine lacks to have a device fail so; a guest has it, or it has a bug. */
static const char *failure_missing(enum dp_failure how)
{
	if (getenv("DAXPIN_GUEST"))
		return NULL;
	if (how == DP_FAIL_FLAKEY && access("/sys/module/dm_flakey", F_OK))
		return "the module dm_flakey is not loaded";
	if (how == DP_FAIL_DUST && access("/sys/module/dm_dust", F_OK))
		return "the module dm_dust is not loaded";
	if (how == DP_FAIL_GONE)
		return "udev would ask the device, which does not answer";
	if (how == DP_FAIL_REQUEST && access("/sys/kernel/debug/fail_make_request", F_OK))
		return "this kernel has no fail_make_request";
	return NULL;
}

static void open_failing(struct __test_metadata *_metadata, struct rig *r, enum dp_map map,
			 off_t len, enum dp_failure how)
{
	rig_open(_metadata, r, map, len);
	r->fails = EIO;
	r->failure = how;
	r->broken = how == DP_FAIL_DUST;
	if (r->broken)
		ASSERT_EQ(0, dp_dev_fail(&r->dev, how));
	if (how == DP_FAIL_GONE)
		ASSERT_EQ(0, dp_dev_connect(&r->dev));
}

FIXTURE(io_error) {
	struct rig r;
};

FIXTURE_VARIANT(io_error) {
	enum dp_map map;
	off_t len;
	struct collision c;
};

FIXTURE_VARIANT_ADD(io_error, truncate_pte)
	{ DP_MAP_PTE, LEN, { &truncation, 0, PIN,     0,       PIN,     WAITS } };
FIXTURE_VARIANT_ADD(io_error, truncate_pmd)
	{ DP_MAP_PMD, PMD, { &truncation, 0, PMD / 2, 0,       PMD / 2, WAITS } };
FIXTURE_VARIANT_ADD(io_error, punch_pte)
	{ DP_MAP_PTE, LEN, { &punch,      0, PIN,     PIN_LEN, PIN,     WAITS } };
FIXTURE_VARIANT_ADD(io_error, punch_pmd)
	{ DP_MAP_PMD, PMD, { &punch,      0, 0,       PMD,     PMD / 2, WAITS } };

FIXTURE_SETUP(io_error)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	open_failing(_metadata, &self->r, variant->map, variant->len, DP_FAIL_ERROR);
}

FIXTURE_TEARDOWN(io_error)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(io_error, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(io_error, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

TEST_F_TIMEOUT(io_error, dio_readv, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READV, &variant->c);
}

TEST_F_TIMEOUT(io_error, aio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_READ, &variant->c);
}

TEST_F_TIMEOUT(io_error, aio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_WRITE, &variant->c);
}

TEST_F_TIMEOUT(io_error, uring_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_URING_READ, &variant->c);
}

TEST_F_TIMEOUT(io_error, uring_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_URING_WRITE, &variant->c);
}

/* Nobody is there any more who could answer. */
TEST_F_TIMEOUT(io_error, fuse_read, ROW_S)
{
	self->r.fails = ECONNABORTED;
	collide_with(_metadata, &self->r, DP_PIN_FUSE_READ, &variant->c);
}

TEST_F_TIMEOUT(io_error, fuse_write, ROW_S)
{
	self->r.fails = ECONNABORTED;
	collide_with(_metadata, &self->r, DP_PIN_FUSE_WRITE, &variant->c);
}

/* Nor who could read. */
TEST_F_TIMEOUT(io_error, zerocopy, ROW_S)
{
	self->r.fails = ECONNRESET;
	collide_with(_metadata, &self->r, DP_PIN_ZEROCOPY, &variant->c);
}

TEST_F_TIMEOUT(io_error, uring_send_zc, ROW_S)
{
	self->r.fails = ECONNRESET;
	collide_with(_metadata, &self->r, DP_PIN_URING_SEND_ZC, &variant->c);
}

/* The other ways in which a device fails: the request has got further before it does. */
FIXTURE(failing) {
	struct rig r;
};

FIXTURE_VARIANT(failing) {
	enum dp_failure how;
	enum dp_map map;
	off_t len;
	struct collision c;
};

FIXTURE_VARIANT_ADD(failing, flakey_truncate_pte)
	{ DP_FAIL_FLAKEY,  DP_MAP_PTE, LEN, { &truncation, 0, PIN, 0,   PIN,     WAITS } };
FIXTURE_VARIANT_ADD(failing, flakey_punch_pmd)
	{ DP_FAIL_FLAKEY,  DP_MAP_PMD, PMD, { &punch,      0, 0,   PMD, PMD / 2, WAITS } };
FIXTURE_VARIANT_ADD(failing, request_truncate_pte)
	{ DP_FAIL_REQUEST, DP_MAP_PTE, LEN, { &truncation, 0, PIN, 0,   PIN,     WAITS } };
FIXTURE_VARIANT_ADD(failing, request_punch_pmd)
	{ DP_FAIL_REQUEST, DP_MAP_PMD, PMD, { &punch,      0, 0,   PMD, PMD / 2, WAITS } };
FIXTURE_VARIANT_ADD(failing, gone_truncate_pte)
	{ DP_FAIL_GONE,    DP_MAP_PTE, LEN, { &truncation, 0, PIN, 0,   PIN,     WAITS } };
FIXTURE_VARIANT_ADD(failing, gone_punch_pmd)
	{ DP_FAIL_GONE,    DP_MAP_PMD, PMD, { &punch,      0, 0,   PMD, PMD / 2, WAITS } };

FIXTURE_SETUP(failing)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (failure_missing(variant->how))
		SKIP(return, "%s", failure_missing(variant->how));
	open_failing(_metadata, &self->r, variant->map, variant->len, variant->how);
}

FIXTURE_TEARDOWN(failing)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(failing, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(failing, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

TEST_F_TIMEOUT(failing, aio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_READ, &variant->c);
}

TEST_F_TIMEOUT(failing, aio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_WRITE, &variant->c);
}

TEST_F_TIMEOUT(failing, uring_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_URING_READ, &variant->c);
}

TEST_F_TIMEOUT(failing, uring_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_URING_WRITE, &variant->c);
}

/* Bad blocks: who writes to them does not notice. */
FIXTURE(bad_blocks) {
	struct rig r;
};

FIXTURE_VARIANT(bad_blocks) {
	enum dp_map map;
	off_t len;
	struct collision c;
};

FIXTURE_VARIANT_ADD(bad_blocks, truncate_pte)
	{ DP_MAP_PTE, LEN, { &truncation, 0, PIN, 0,   PIN,     WAITS } };
FIXTURE_VARIANT_ADD(bad_blocks, punch_pmd)
	{ DP_MAP_PMD, PMD, { &punch,      0, 0,   PMD, PMD / 2, WAITS } };

FIXTURE_SETUP(bad_blocks)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (failure_missing(DP_FAIL_DUST))
		SKIP(return, "%s", failure_missing(DP_FAIL_DUST));
	open_failing(_metadata, &self->r, variant->map, variant->len, DP_FAIL_DUST);
}

FIXTURE_TEARDOWN(bad_blocks)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(bad_blocks, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(bad_blocks, aio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_READ, &variant->c);
}

TEST_F_TIMEOUT(bad_blocks, uring_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_URING_READ, &variant->c);
}

TEST_HARNESS_MAIN
