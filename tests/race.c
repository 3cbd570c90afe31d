// SPDX-License-Identifier: GPL-2.0
/*
 * Pin a page after the scan for pinned pages has passed it, before the file loses it.
 *
 * dax_layout_busy_page_range() unmaps the range before it looks for pins.  GUP-fast
 * then finds no page table entry, and who faults waits for the lock that the operation
 * holds (filemap_invalidate_lock() or XFS_MMAPLOCK_EXCL).  The daxpin module holds the
 * operation when it is about to unmap what the file loses: the moment, which in the
 * field is some instructions long, lasts until somebody has tried to pin.
 */
#include "ops.h"

#define LEN		(16 * PAGE)
#define PIN		(4 * PAGE)
#define NOT_YET		1		/* no errno, and not 0 */

struct try {
	struct rig	r;
	int		pause;		/* the module's descriptor */
	int		go[2];		/* a pipe: pin now */
	struct dp_child	pinner;
	int		*pinned;	/* what came of it, shared */
};

FIXTURE(race) {
	struct try t;
};

FIXTURE_VARIANT(race) {
	enum dp_map map;
	off_t len;
	const char *held_at;
	struct collision c;
	int late;		/* the errno of who pins when all is over, or 0 */
};

FIXTURE_VARIANT_ADD(race, truncate_pte)
	{ DP_MAP_PTE, LEN, "truncate_pagecache", { &truncation, 0, PIN, 0, PIN }, EFAULT };
FIXTURE_VARIANT_ADD(race, truncate_pmd)
	{ DP_MAP_PMD, PMD, "truncate_pagecache", { &truncation, 0, 0, 0, PMD / 2 }, EFAULT };
FIXTURE_VARIANT_ADD(race, punch_pte)
	{ DP_MAP_PTE, LEN, "truncate_pagecache_range", { &punch, 0, PIN, PIN_LEN, PIN } };
FIXTURE_VARIANT_ADD(race, punch_pmd)
	{ DP_MAP_PMD, PMD, "truncate_pagecache_range", { &punch, 0, 0, PMD, PMD / 2 } };

FIXTURE_SETUP(race)
{
	struct try *t = &self->t;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	t->pause = -1;
	ASSERT_EQ(0, pipe(t->go));
	t->pinned = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, t->pinned);
	*t->pinned = NOT_YET;
	rig_open(_metadata, &t->r, variant->map, variant->len);
	t->r.c = &variant->c;
}

FIXTURE_TEARDOWN(race)
{
	struct try *t = &self->t;

	if (t->pause >= 0)
		dp_pause_resume(t->pause);
	dp_child_kill(&t->pinner);
	rig_close(&t->r);
}

/* With page tables of its own: a child does not inherit those of a file. */
static int run_pin(void *arg)
{
	struct try *t = arg;
	char *addr = t->r.file.map + t->r.c->pin;
	char told;
	int held;

	if (madvise(addr, PIN_LEN, MADV_POPULATE_WRITE))
		return -errno;
	if (read(t->go[0], &told, 1) != 1)
		return -EPIPE;
	held = dp_gup_take(addr, PIN_LEN, DP_GUP_PIN | DP_GUP_WRITE, 1);
	*t->pinned = held < 0 ? held : 0;
	return 0;
}

/* Pin while the operation is held: with nothing mapped, who does so must wait for it. */
static void pin_held(struct __test_metadata *_metadata, struct try *t)
{
	struct dp_sight s;

	ASSERT_EQ(1, write(t->go[1], "", 1));
	ASSERT_EQ(0, dp_child_rest(&t->pinner, &s, SETTLE_MS));
	TH_LOG("witness: held=1 pinned=%d task=%c wchan=%s", *t->pinned != NOT_YET, s.task,
	       s.wchan);
	EXPECT_EQ(NOT_YET, *t->pinned)
		TH_LOG("a page could be pinned after the scan for pinned pages");
}

static void check_file(struct __test_metadata *_metadata, struct rig *r)
{
	off_t left = r->c->len ? (off_t)r->file.len : r->c->off;
	struct stat st;

	ASSERT_EQ(0, fstat(r->file.fd, &st));
	EXPECT_EQ(left, st.st_size);
}

TEST_F_TIMEOUT(race, fast_gup, ROW_S)
{
	struct try *t = &self->t;
	struct dp_sight s;

	ASSERT_EQ(0, dp_child_start(&t->pinner, run_pin, t));
	ASSERT_EQ(0, dp_child_rest(&t->pinner, &s, SETTLE_MS));
	ASSERT_NE(DP_DONE, s.state);
	t->pause = dp_pause(variant->held_at);
	if (t->pause == -ENOENT)
		SKIP(return, "nothing to hold the operation at %s", variant->held_at);
	ASSERT_LE(0, t->pause);
	ASSERT_EQ(0, dp_child_start(&t->r.racer, run_op, &t->r));
	ASSERT_EQ(0, dp_pause_reached(t->pause, SETTLE_MS));
	pin_held(_metadata, t);
	ASSERT_EQ(0, dp_pause_resume(t->pause));
	ASSERT_EQ(0, dp_child_return(&t->r.racer, RETURN_MS));
	ASSERT_EQ(0, dp_child_wait(&t->pinner, RETURN_MS));
	EXPECT_EQ(-variant->late, *t->pinned);
	check_file(_metadata, &t->r);
}

TEST_HARNESS_MAIN
