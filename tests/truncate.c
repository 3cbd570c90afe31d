// SPDX-License-Identifier: GPL-2.0
/*
 * Change the size of a file while a part of it is pinned.
 *
 * ext4_setattr() and xfs_vn_setattr() break the layout for every change of the
 * size before they cut anything off, so who gives a pinned page up waits for the
 * pin.  No page is given up by cutting inside the last one, by growing, or behind the
 * pin.  What was cut off must not come back when the file grows again.
 */
#include <sys/resource.h>

#include "ops.h"

#define LEN	(16 * PAGE)
#define PIN	(8 * PAGE)		/* pages 8 to 11 */
#define HALF	(PMD / 2)

static int cut_path(struct rig *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->file.fd);
	return truncate(path, r->c->off) ? -errno : 0;
}

static const struct op by_fd = { run_truncate, cut, .to_end = true };
static const struct op by_path = { cut_path, cut, .to_end = true };

/*
 * Small files
 */

FIXTURE(truncate) {
	struct rig r;
};

FIXTURE_VARIANT(truncate) {
	struct collision c;
};

/* Where it is cut: before, in and behind the pinned pages. */
FIXTURE_VARIANT_ADD(truncate, to_zero)   { { &by_fd, 0, 0,              0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, before)    { { &by_fd, 0, PIN - PAGE,     0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, at)        { { &by_fd, 0, PIN,            0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, cut_first) { { &by_fd, 0, PIN + 100,      0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, cut_later) { { &by_fd, 0, PIN + 5000,     0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, last)      { { &by_fd, 0, PIN + 3 * PAGE, 0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, cut_last)  { { &by_fd, 0, PIN + 13000,    0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(truncate, behind)    { { &by_fd, 0, PIN + PIN_LEN,  0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(truncate, same_size) { { &by_fd, 0, LEN,            0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(truncate, grow_page) { { &by_fd, 0, LEN + 100,      0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(truncate, grow)      { { &by_fd, 0, 2 * LEN,        0, PIN, MAY_WAIT } };
/* Who cuts. */
FIXTURE_VARIANT_ADD(truncate, path)      { { &by_path, 0, PIN,     0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(truncate, path_grow) { { &by_path, 0, 2 * LEN, 0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(truncate, open)      { { &by_open, 0, 0,       0, PIN, WAITS } };
/* Which page of the file is pinned. */
FIXTURE_VARIANT_ADD(truncate, pin_first) { { &by_fd, 0, 0,          0, 0,             WAITS } };
FIXTURE_VARIANT_ADD(truncate, pin_last)  { { &by_fd, 0, LEN - PAGE, 0, LEN - PIN_LEN, WAITS } };

FIXTURE_SETUP(truncate)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(truncate)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(truncate, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(truncate, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(truncate, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

/*
 * Holes beside the pinned blocks
 */

FIXTURE(sparse) {
	struct rig r;
};

FIXTURE_VARIANT(sparse) {
	off_t hole, len;
	struct collision c;
};

FIXTURE_VARIANT_ADD(sparse, before)
	{ 0,             PIN,      { &by_fd, 0, PIN / 2,       0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sparse, behind)
	{ PIN + PIN_LEN, 4 * PAGE, { &by_fd, 0, PIN + PIN_LEN, 0, PIN, MAY_WAIT } };
FIXTURE_VARIANT_ADD(sparse, at_hole)
	{ PIN + PIN_LEN, 4 * PAGE, { &by_fd, 0, PIN + PAGE,    0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sparse, page)
	{ PIN - PAGE,    PAGE,     { &by_fd, 0, PIN - 100,     0, PIN, WAITS } };
FIXTURE_VARIANT_ADD(sparse, refill)
	{ 2 * PAGE,      4 * PAGE, { &by_fd, 0, 2 * LEN,       0, PIN, MAY_WAIT } };

FIXTURE_SETUP(sparse)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
	rig_punch(_metadata, &self->r, variant->hole, variant->len);
}

FIXTURE_TEARDOWN(sparse)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(sparse, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(sparse, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

/*
 * PMDs: one alone, and one with a tail that only PTEs can map
 */

FIXTURE(pmd) {
	struct rig r;
};

FIXTURE_VARIANT(pmd) {
	off_t tail;
	struct collision c;
};

FIXTURE_VARIANT_ADD(pmd, half_behind)
	{ 0,   { &by_fd, 0, HALF,       0, HALF / 2,        MAY_WAIT } };
FIXTURE_VARIANT_ADD(pmd, half)
	{ 0,   { &by_fd, 0, HALF,       0, HALF + HALF / 2, WAITS } };
FIXTURE_VARIANT_ADD(pmd, half_first)
	{ 0,   { &by_fd, 0, PAGE,       0, 0,               WAITS } };
FIXTURE_VARIANT_ADD(pmd, cut_page)
	{ 0,   { &by_fd, 0, HALF + 100, 0, HALF,            WAITS } };
FIXTURE_VARIANT_ADD(pmd, last_byte)
	{ 0,   { &by_fd, 0, PMD - 1,    0, PMD - PIN_LEN,   MAY_WAIT } };
FIXTURE_VARIANT_ADD(pmd, same_size)
	{ 0,   { &by_fd, 0, PMD,        0, HALF,            MAY_WAIT } };
FIXTURE_VARIANT_ADD(pmd, open)
	{ 0,   { &by_open, 0, 0,        0, HALF,            WAITS } };
FIXTURE_VARIANT_ADD(pmd, mixed_tail)
	{ LEN, { &by_fd, 0, PMD,        0, PMD + PIN,       WAITS } };
FIXTURE_VARIANT_ADD(pmd, mixed_behind)
	{ LEN, { &by_fd, 0, PMD,        0, HALF,            MAY_WAIT } };
FIXTURE_VARIANT_ADD(pmd, mixed_both)
	{ LEN, { &by_fd, 0, PMD - PAGE, 0, PMD - 2 * PAGE,  WAITS } };
FIXTURE_VARIANT_ADD(pmd, mixed_in)
	{ LEN, { &by_fd, 0, HALF,       0, HALF,            WAITS } };

/* How many faults it takes to store what is there already to each page of a range. */
static long faults(const struct rig *r, off_t off, off_t end)
{
	struct rusage before, after;

	if (getrusage(RUSAGE_SELF, &before))
		return -1;
	for (; off < end; off += PAGE)
		dp_data_fill(r->file.map + off, sizeof(uint64_t), off, FILE_SEED);
	if (getrusage(RUSAGE_SELF, &after))
		return -1;
	return after.ru_minflt - before.ru_minflt;
}

/* Cut the file in its second PMD: what is left of that no PMD may map, it ends before. */
static void make_tail(struct __test_metadata *_metadata, struct rig *r, off_t tail)
{
	long first, second;

	ASSERT_EQ(0, ftruncate(r->file.fd, PMD + tail));
	r->file.len = PMD + tail;
	first = faults(r, 0, PMD);
	second = faults(r, PMD, PMD + tail);
	TH_LOG("witness: faults=%ld+%ld", first, second);
	ASSERT_EQ(1, first);
	ASSERT_EQ(tail / PAGE, second);
}

FIXTURE_SETUP(pmd)
{
	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	rig_open(_metadata, &self->r, DP_MAP_PMD, variant->tail ? 2 * PMD : PMD);
	if (variant->tail)
		make_tail(_metadata, &self->r, variant->tail);
}

FIXTURE_TEARDOWN(pmd)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(pmd, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(pmd, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

/*
 * The mapping goes before the pin does: only holders that need no process
 */

FIXTURE(unmapped) {
	struct rig r;
};

FIXTURE_VARIANT(unmapped) {
	enum dp_map map;
	off_t len;
	struct collision c;
};

FIXTURE_VARIANT_ADD(unmapped, truncate)
	{ DP_MAP_PTE, LEN, { &by_fd,   0, 0,             0,       PIN,  WAITS,    .unmap = true } };
FIXTURE_VARIANT_ADD(unmapped, cut)
	{ DP_MAP_PTE, LEN, { &by_fd,   0, PIN + 100,     0,       PIN,  WAITS,    .unmap = true } };
FIXTURE_VARIANT_ADD(unmapped, open)
	{ DP_MAP_PTE, LEN, { &by_open, 0, 0,             0,       PIN,  WAITS,    .unmap = true } };
FIXTURE_VARIANT_ADD(unmapped, punch)
	{ DP_MAP_PTE, LEN, { &punch,   0, PIN,           PIN_LEN, PIN,  WAITS,    .unmap = true } };
FIXTURE_VARIANT_ADD(unmapped, behind)
	{ DP_MAP_PTE, LEN, { &by_fd,   0, PIN + PIN_LEN, 0,       PIN,  MAY_WAIT, .unmap = true } };
FIXTURE_VARIANT_ADD(unmapped, truncate_pmd)
	{ DP_MAP_PMD, PMD, { &by_fd,   0, HALF,          0,       HALF, WAITS,    .unmap = true } };

FIXTURE_SETUP(unmapped)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, &self->r, variant->map, variant->len);
}

FIXTURE_TEARDOWN(unmapped)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(unmapped, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(unmapped, aio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_READ, &variant->c);
}

TEST_F_TIMEOUT(unmapped, aio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_AIO_WRITE, &variant->c);
}

TEST_HARNESS_MAIN
