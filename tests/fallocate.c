// SPDX-License-Identifier: GPL-2.0
/*
 * fallocate() on a file a part of which is pinned.
 *
 * Modes that free, move or convert blocks break the layout first, and so wait for
 * pins of the pages that they hit.  An edge that is not aligned is zeroed in
 * place, with its block, as is a hole within one page.  Plain allocation gives nothing
 * up.  madvise(MADV_REMOVE) is a hole by another name.
 */
#include <linux/falloc.h>

#include "ops.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */
#define END	(PIN + PIN_LEN)

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO	FALLOC_FL_ZERO_RANGE
#define COLLAPSE FALLOC_FL_COLLAPSE_RANGE
#define INSERT	FALLOC_FL_INSERT_RANGE
#define UNSHARE	FALLOC_FL_UNSHARE_RANGE
#define KEEP	FALLOC_FL_KEEP_SIZE
#define PLAIN	0

static void grow(const struct collision *c, struct dp_content *x)
{
	if (!(c->mode & KEEP) && c->off + c->len > x->size)
		x->size = c->off + c->len;
}

static void clear_grow(const struct collision *c, struct dp_content *x)
{
	clear(c, x);
	grow(c, x);
}

static const struct op zeroes = { run_fallocate, clear_grow };
static const struct op alloc = { run_fallocate, grow };

FIXTURE(fallocate) {
	struct rig r;
};

FIXTURE_VARIANT(fallocate) {
	struct collision c;
};

/* Whole pages. */
FIXTURE_VARIANT_ADD(fallocate, punch_all)
	{ { &zeroes, PUNCH,       0,          LEN,      PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_around)
	{ { &zeroes, PUNCH,       PIN - PAGE, 6 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_exact)
	{ { &zeroes, PUNCH,       PIN,        PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_head)
	{ { &zeroes, PUNCH,       PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_middle)
	{ { &zeroes, PUNCH,       PIN + PAGE, PAGE,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_tail)
	{ { &zeroes, PUNCH,       END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_before)
	{ { &zeroes, PUNCH,       PIN - PAGE, PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, punch_behind)
	{ { &zeroes, PUNCH,       END,        PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, punch_far)
	{ { &zeroes, PUNCH,       LEN - PAGE, PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, zero_all)
	{ { &zeroes, ZERO,        0,          LEN,      PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_exact)
	{ { &zeroes, ZERO,        PIN,        PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_head)
	{ { &zeroes, ZERO,        PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_middle)
	{ { &zeroes, ZERO,        PIN + PAGE, PAGE,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_tail)
	{ { &zeroes, ZERO,        END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_before)
	{ { &zeroes, ZERO,        PIN - PAGE, PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, zero_behind)
	{ { &zeroes, ZERO,        END,        PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, zero_keep)
	{ { &zeroes, ZERO | KEEP, PIN,        LEN,      PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_grow)
	{ { &zeroes, ZERO,        END,        LEN,      PIN, MAY_WAIT } };
/* Edges that are not aligned, and holes within one page. */
FIXTURE_VARIANT_ADD(fallocate, punch_cut)
	{ { &zeroes, PUNCH, PIN - 100,  PAGE + 300, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_cut_both)
	{ { &zeroes, PUNCH, PIN + 100,  2 * PAGE,   PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, punch_cut_edge)
	{ { &zeroes, PUNCH, PIN - PAGE, PAGE + 100, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, punch_in_page)
	{ { &zeroes, PUNCH, PIN + 100,  300,        PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, punch_two_pages)
	{ { &zeroes, PUNCH, PIN + 4000, 300,        PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, zero_cut)
	{ { &zeroes, ZERO,  PIN - 100,  PAGE + 300, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_cut_both)
	{ { &zeroes, ZERO,  PIN + 100,  2 * PAGE,   PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, zero_in_page)
	{ { &zeroes, ZERO,  PIN + 100,  300,        PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, zero_two_pages)
	{ { &zeroes, ZERO,  PIN + 4000, 300,        PIN, MAY_WAIT } };
/* What is behind the range moves: before the pin that is the pinned blocks as well. */
FIXTURE_VARIANT_ADD(fallocate, collapse_before)
	{ { &shift_down, COLLAPSE, 0,          2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, collapse_head)
	{ { &shift_down, COLLAPSE, PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, collapse_exact)
	{ { &shift_down, COLLAPSE, PIN,        PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, collapse_middle)
	{ { &shift_down, COLLAPSE, PIN + PAGE, PAGE,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, collapse_tail)
	{ { &shift_down, COLLAPSE, END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, collapse_behind)
	{ { &shift_down, COLLAPSE, END,        2 * PAGE, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, collapse_cut)
	{ { &shift_down, COLLAPSE, PIN + 100,  PAGE,     PIN, MAY_WAIT, EINVAL } };
FIXTURE_VARIANT_ADD(fallocate, insert_before)
	{ { &shift_up,   INSERT,   0,          2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, insert_at)
	{ { &shift_up,   INSERT,   PIN,        PAGE,     PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, insert_middle)
	{ { &shift_up,   INSERT,   PIN + PAGE, 4 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, insert_behind)
	{ { &shift_up,   INSERT,   END,        PAGE,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, insert_cut)
	{ { &shift_up,   INSERT,   PIN + 100,  PAGE,     PIN, MAY_WAIT, EINVAL } };
/* Nothing is given up. */
FIXTURE_VARIANT_ADD(fallocate, unshare)
	{ { &alloc, UNSHARE, PIN,        PIN_LEN, PIN, MAY_WAIT, .err_ext4 = EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(fallocate, plain)
	{ { &alloc, PLAIN,   PIN,        PIN_LEN, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, plain_cut)
	{ { &alloc, PLAIN,   PIN + 100,  PAGE,    PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, plain_grow)
	{ { &alloc, PLAIN,   PIN,        LEN,     PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(fallocate, plain_keep)
	{ { &alloc, KEEP,    LEN - PAGE, LEN,     PIN, MAY_WAIT } };
/* By another name. */
FIXTURE_VARIANT_ADD(fallocate, remove)
	{ { &removal, PUNCH, PIN,        PIN_LEN,  PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, remove_head)
	{ { &removal, PUNCH, PIN - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, remove_tail)
	{ { &removal, PUNCH, END - PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, remove_middle)
	{ { &removal, PUNCH, PIN + PAGE, 2 * PAGE, PIN, WAITS } };
FIXTURE_VARIANT_ADD(fallocate, remove_behind)
	{ { &removal, PUNCH, END,        PAGE,     PIN, MAY_WAIT } };

FIXTURE_SETUP(fallocate)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(fallocate)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(fallocate, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(fallocate, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(fallocate, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

/*
 * One PMD of which a part is given up, and holes beside the pin
 */

FIXTURE(large) {
	struct rig r;
};

FIXTURE_VARIANT(large) {
	enum dp_map map;
	off_t hole;		/* at the beginning of the file */
	struct collision c;
};

#define HALF	(PMD / 2)

FIXTURE_VARIANT_ADD(large, punch_pmd)
	{ DP_MAP_PMD, 0,    { &zeroes, PUNCH,    0,           PMD,         PIN,  WAITS } };
FIXTURE_VARIANT_ADD(large, punch_half)
	{ DP_MAP_PMD, 0,    { &zeroes, PUNCH,    HALF,        HALF,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(large, punch_other)
	{ DP_MAP_PMD, 0,    { &zeroes, PUNCH,    HALF,        HALF,        PIN,  MAY_WAIT } };
FIXTURE_VARIANT_ADD(large, punch_page)
	{ DP_MAP_PMD, 0,    { &zeroes, PUNCH,    HALF + PAGE, PAGE,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(large, punch_in_page)
	{ DP_MAP_PMD, 0,    { &zeroes, PUNCH,    HALF + 100,  300,         HALF, MAY_WAIT } };
FIXTURE_VARIANT_ADD(large, zero_half)
	{ DP_MAP_PMD, 0,    { &zeroes, ZERO,     0,           HALF,        PIN,  WAITS } };
FIXTURE_VARIANT_ADD(large, zero_other)
	{ DP_MAP_PMD, 0,    { &zeroes, ZERO,     0,           HALF,        HALF, MAY_WAIT } };
FIXTURE_VARIANT_ADD(large, collapse_half)
	{ DP_MAP_PMD, 0,    { &shift_down,   COLLAPSE, 0,           HALF,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(large, insert_middle)
	{ DP_MAP_PMD, 0,    { &shift_up,     INSERT,   HALF,        HALF,        HALF, WAITS } };
FIXTURE_VARIANT_ADD(large, sparse_punch)
	{ DP_MAP_PTE, HALF, { &zeroes, PUNCH,    PAGE,        HALF + PAGE, HALF, WAITS } };
FIXTURE_VARIANT_ADD(large, sparse_hole)
	{ DP_MAP_PTE, HALF, { &zeroes, PUNCH,    0,           HALF,        HALF, MAY_WAIT } };
FIXTURE_VARIANT_ADD(large, sparse_fill)
	{ DP_MAP_PTE, HALF, { &alloc,  PLAIN,    0,           PMD,         HALF, MAY_WAIT } };

FIXTURE_SETUP(large)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, &self->r, variant->map, PMD);
	if (variant->hole)
		rig_punch(_metadata, &self->r, 0, variant->hole);
}

FIXTURE_TEARDOWN(large)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(large, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(large, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_HARNESS_MAIN
