// SPDX-License-Identifier: GPL-2.0
/*
 * Two operations wait at once, or one for two pins.
 *
 * On two files each waits for its own pin, whichever goes first.  On one file the
 * second waits for the inode's i_rwsem, which the first has: it runs when the first is
 * over, and when the first is killed it finds the pin itself.
 */
#include <signal.h>

#include "ops.h"

#define LEN	(32 * PAGE)
#define PIN	(20 * PAGE)
#define CUT	(16 * PAGE)	/* where the first begins */
#define LOW	(12 * PAGE)	/* and the second: both hit the pinned pages */

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* So many looks in a row that find the same sleep: it does wait for the lock. */
#define LOOKS	5

FIXTURE(waiters) {
	struct rig r[2];
	struct dp_child second;		/* at the file of the first */
	struct dp_pin first;		/* of it, when there is another */
};

FIXTURE_VARIANT(waiters) {
	struct collision c[2];
};

#define TRUNCATE(off)	{ &truncation, 0, off, 0, PIN, WAITS }
#define HOLE(off)	{ &clearing, PUNCH, off, 12 * PAGE, PIN, WAITS }
#define COLLAPSE(off)	{ &shift_down, FALLOC_FL_COLLAPSE_RANGE, off, 2 * PAGE, PIN, WAITS }
#define INSERT(off)	{ &shift_up, FALLOC_FL_INSERT_RANGE, off, 2 * PAGE, PIN, WAITS }

FIXTURE_VARIANT_ADD(waiters, truncate_truncate) { { TRUNCATE(CUT), TRUNCATE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, truncate_punch)    { { TRUNCATE(CUT), HOLE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, truncate_collapse) { { TRUNCATE(CUT), COLLAPSE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, truncate_insert)   { { TRUNCATE(CUT), INSERT(LOW) } };
FIXTURE_VARIANT_ADD(waiters, punch_truncate)    { { HOLE(CUT),     TRUNCATE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, punch_punch)       { { HOLE(CUT),     HOLE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, punch_collapse)    { { HOLE(CUT),     COLLAPSE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, punch_insert)      { { HOLE(CUT),     INSERT(LOW) } };
FIXTURE_VARIANT_ADD(waiters, collapse_truncate) { { COLLAPSE(CUT), TRUNCATE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, collapse_punch)    { { COLLAPSE(CUT), HOLE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, insert_truncate)   { { INSERT(CUT),   TRUNCATE(LOW) } };
FIXTURE_VARIANT_ADD(waiters, insert_punch)      { { INSERT(CUT),   HOLE(LOW) } };

FIXTURE_SETUP(waiters)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r[0], DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(waiters)
{
	dp_unpin(&self->first, NULL);
	for (int i = 0; i < 2; i++) {
		dp_unpin(&self->r[i].pin, NULL);
		dp_child_kill(&self->r[i].racer);
	}
	dp_child_kill(&self->second);
	rig_close(&self->r[0]);
	rig_close(&self->r[1]);
}

static void start_waiting(struct __test_metadata *_metadata, struct rig *r,
			  enum dp_pin_kind kind, const struct collision *c)
{
	r->c = c;
	r->kind = kind;
	take_pin(_metadata, r);
	start_op(_metadata, r);
	ASSERT_TRUE(r->waited);
}

static void goes_on(struct __test_metadata *_metadata, struct rig *r)
{
	drop_pin(_metadata, r);
	check_data(_metadata, r);
}

static void still_waits(struct __test_metadata *_metadata, const struct rig *r)
{
	struct dp_sight s;

	ASSERT_EQ(0, dp_child_look(&r->racer, &s));
	EXPECT_EQ(DP_WAITS, s.state)
		TH_LOG("the operation stopped waiting before its own pin was dropped");
}

/*
 * Two files
 */

static void two_files(struct __test_metadata *_metadata, struct rig *r, enum dp_map map,
		      enum dp_pin_kind kind, const struct collision *c, int first)
{
	rig_open(_metadata, &r[1], map, len_for(map, LEN));
	for (int i = 0; i < 2; i++)
		start_waiting(_metadata, &r[i], kind, &c[i]);
	goes_on(_metadata, &r[first]);
	still_waits(_metadata, &r[!first]);
	goes_on(_metadata, &r[!first]);
}

TEST_F_TIMEOUT(waiters, two_files, ROW_S)
{
	two_files(_metadata, self->r, DP_MAP_PTE, DP_PIN_VMSPLICE, variant->c, 0);
}

TEST_F_TIMEOUT(waiters, two_files_dio, ROW_S)
{
	two_files(_metadata, self->r, DP_MAP_PTE, DP_PIN_DIO_READ, variant->c, 0);
}

TEST_F_TIMEOUT(waiters, two_files_back, ROW_S)
{
	two_files(_metadata, self->r, DP_MAP_PTE, DP_PIN_VMSPLICE, variant->c, 1);
}

/* A PMD's pages beside single ones. */
TEST_F_TIMEOUT(waiters, two_files_pmd_dio, ROW_S)
{
	two_files(_metadata, self->r, DP_MAP_PMD, DP_PIN_DIO_READ, variant->c, 0);
}

/*
 * Another pin, that is taken while the operation waits and given back last, is waited for, too
 */

static void later(struct __test_metadata *_metadata, struct rig *r, struct dp_pin *first,
		  enum dp_pin_kind kind, const struct collision *c)
{
	start_waiting(_metadata, r, DP_PIN_VMSPLICE, c);
	*first = r->pin;
	r->pin = (struct dp_pin){ 0 };
	r->kind = kind;
	ASSERT_EQ(0, dp_pin(&r->pin, kind, &r->dev, r->file.map + PIN, PIN_LEN));
	ASSERT_EQ(0, dp_unpin(first, NULL));
	for (int i = 0; i < LOOKS; i++)
		still_waits(_metadata, r);
	check_wait(_metadata, r);
	goes_on(_metadata, r);
}

TEST_F_TIMEOUT(waiters, later, ROW_S)
{
	later(_metadata, self->r, &self->first, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(waiters, later_dio, ROW_S)
{
	later(_metadata, self->r, &self->first, DP_PIN_DIO_READ, variant->c);
}

/*
 * One file
 */

/* It sleeps, and not for a pin. */
static bool blocks(const struct dp_child *c)
{
	long deadline = dp_now_ms() + SETTLE_MS;
	struct dp_sight s;
	int asleep = 0;

	while (asleep < LOOKS && dp_now_ms() < deadline) {
		if (dp_child_look(c, &s) || s.state != DP_BUSY)
			return false;
		asleep = s.task == 'D' ? asleep + 1 : 0;
	}
	return asleep == LOOKS;
}

/* The first waits for the pin, and the second for the first. */
static void queue_up(struct __test_metadata *_metadata, struct rig *r, struct dp_child *second,
		     enum dp_pin_kind kind, const struct collision *c)
{
	struct rig next;

	start_waiting(_metadata, r, kind, &c[0]);
	next = *r;
	next.c = &c[1];
	ASSERT_EQ(0, dp_child_start(second, run_op, &next));
	ASSERT_TRUE(blocks(second))
		TH_LOG("the second operation does not wait for the first");
	still_waits(_metadata, r);
}

/* The file has what these operations, one after the other, have made of it. */
static void check_both(struct __test_metadata *_metadata, struct rig *r,
		       const struct collision *c, int n)
{
	struct dp_content want;

	dp_content_init(&want, r->file.len, FILE_SEED);
	if (writes(r))
		dev_write(r, &want);
	for (int i = 0; i < n; i++)
		c[i].op->effect(&c[i], &want);
	check_whole(_metadata, r->file.fd, &want);
}

static void one_file(struct __test_metadata *_metadata, struct rig *r, struct dp_child *second,
		     enum dp_pin_kind kind, const struct collision *c)
{
	queue_up(_metadata, r, second, kind, c);
	drop_pin(_metadata, r);
	ASSERT_EQ(0, dp_child_return(second, RETURN_MS));
	check_both(_metadata, r, c, 2);
}

TEST_F_TIMEOUT(waiters, one_file, ROW_S)
{
	one_file(_metadata, self->r, &self->second, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(waiters, one_file_dio, ROW_S)
{
	one_file(_metadata, self->r, &self->second, DP_PIN_DIO_READ, variant->c);
}

/* Both collide with pages of the same PMD. */
static void one_pmd(struct __test_metadata *_metadata, struct rig *r, struct dp_child *second,
		    enum dp_pin_kind kind, const struct collision *c)
{
	rig_open(_metadata, r, DP_MAP_PMD, PMD);
	one_file(_metadata, r, second, kind, c);
}

TEST_F_TIMEOUT(waiters, one_pmd, ROW_S)
{
	one_pmd(_metadata, &self->r[1], &self->second, DP_PIN_VMSPLICE, variant->c);
}

TEST_F_TIMEOUT(waiters, one_pmd_dio, ROW_S)
{
	one_pmd(_metadata, &self->r[1], &self->second, DP_PIN_DIO_READ, variant->c);
}

/* Who waits first is killed: the pin is the second one's to wait for. */
TEST_F_TIMEOUT(waiters, heir, ROW_S)
{
	struct rig *r = &self->r[0];
	struct dp_sight s;

	queue_up(_metadata, r, &self->second, DP_PIN_VMSPLICE, variant->c);
	ASSERT_EQ(0, kill(r->racer.pid, SIGKILL));
	ASSERT_EQ(-EINTR, dp_child_wait(&r->racer, RETURN_MS));
	ASSERT_EQ(0, dp_child_settle(&self->second, &s, SETTLE_MS));
	TH_LOG("witness: heir=%s wchan=%s", state_names[s.state], s.wchan);
	EXPECT_EQ(DP_WAITS, s.state)
		TH_LOG("the second operation did not wait for the pin");
	ASSERT_EQ(0, unpin(r));
	ASSERT_EQ(0, dp_child_return(&self->second, RETURN_MS));
	check_both(_metadata, r, &variant->c[1], 1);
}

TEST_HARNESS_MAIN
