// SPDX-License-Identifier: GPL-2.0
/*
 * Holes of a mapped DAX file, and what is behind its end.
 *
 * Who reads a hole gets a page of zeroes mapped, small or huge (fs/dax.c,
 * dax_load_hole()).  When the hole gets a block, by write(2) or by a store, that mapping
 * must go (dax_iomap_iter(), dax_insert_entry()), and so must those of what the file
 * system makes of the blocks beside it.  A PMD that reaches beyond the file is not mapped
 * as one, even where blocks are allocated there (dax_fault_check_fallback()).
 */
#include "ops.h"

#define LEN	(16 * PAGE)
#define AT	(6 * PAGE)		/* the page that gets a block */
#define BYTES	64			/* that are stored to the last page */

FIXTURE(hole) {
	struct rig r;
	char *zeroes;
};

FIXTURE_VARIANT(hole) {
	enum dp_map	map;
	bool		allocated;	/* blocks that are not written */
};

FIXTURE_VARIANT_ADD(hole, pte)		 { DP_MAP_PTE };
FIXTURE_VARIANT_ADD(hole, pmd)		 { DP_MAP_PMD };
FIXTURE_VARIANT_ADD(hole, allocated_pte) { DP_MAP_PTE, true };
FIXTURE_VARIANT_ADD(hole, allocated_pmd) { DP_MAP_PMD, true };

FIXTURE_SETUP(hole)
{
	struct rig *r = &self->r;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, r, variant->map, len_for(variant->map, LEN));
	self->zeroes = calloc(1, r->file.len);
	ASSERT_NE(NULL, self->zeroes);
	rig_punch(_metadata, r, 0, r->file.len);
	if (variant->allocated)
		ASSERT_EQ(0, fallocate(r->file.fd, 0, 0, r->file.len));
	ASSERT_EQ(-1, lseek(r->file.fd, 0, SEEK_DATA));
	ASSERT_EQ(0, madvise(r->file.map, r->file.len, MADV_POPULATE_READ));
	ASSERT_EQ(-1, dp_data_differ(self->zeroes, r->file.map, r->file.len));
}

FIXTURE_TEARDOWN(hole)
{
	free(self->zeroes);
	rig_close(&self->r);
}

/* The old mapping has what the hole has got, from @off on, and zeroes around. */
static void check_seen_in(struct __test_metadata *_metadata, struct rig *r, char *want, off_t off,
			  off_t len)
{
	TH_LOG("witness: dax=%d len=%zu", r->file.dax, r->file.len);
	dp_data_fill(want + off, len, off, OP_SEED);
	EXPECT_EQ(-1, dp_data_differ(want, r->file.map, r->file.len))
		TH_LOG("the mapping has other data than the hole got, from this offset on");
}

static void write_page(struct __test_metadata *_metadata, struct rig *r, off_t off)
{
	char data[PAGE];

	dp_data_fill(data, PAGE, off, OP_SEED);
	ASSERT_EQ(PAGE, pwrite(r->file.fd, data, PAGE, off));
}

TEST_F_TIMEOUT(hole, write, ROW_S)
{
	write_page(_metadata, &self->r, AT);
	check_seen_in(_metadata, &self->r, self->zeroes, AT, PAGE);
}

/* The block of the second page may be there already: written with the first one, as zeroes. */
TEST_F_TIMEOUT(hole, write_up, ROW_S)
{
	write_page(_metadata, &self->r, AT);
	write_page(_metadata, &self->r, AT + PAGE);
	check_seen_in(_metadata, &self->r, self->zeroes, AT, 2 * PAGE);
}

TEST_F_TIMEOUT(hole, write_down, ROW_S)
{
	write_page(_metadata, &self->r, AT);
	write_page(_metadata, &self->r, AT - PAGE);
	check_seen_in(_metadata, &self->r, self->zeroes, AT - PAGE, 2 * PAGE);
}

TEST_F_TIMEOUT(hole, store, ROW_S)
{
	struct rig *r = &self->r;
	char *other = mmap(NULL, r->file.len, PROT_READ | PROT_WRITE, MAP_SHARED, r->file.fd, 0);

	ASSERT_NE(MAP_FAILED, other);
	dp_data_fill(other + AT, PAGE, AT, OP_SEED);
	check_seen_in(_metadata, r, self->zeroes, AT, PAGE);
	munmap(other, r->file.len);
}

/*
 * Behind the end: the file ends in its second PMD, which has all its blocks
 */

FIXTURE(end) {
	struct rig r;
};

FIXTURE_SETUP(end)
{
	struct rig *r = &self->r;

	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	rig_open(_metadata, r, DP_MAP_PMD, 2 * PMD);
	ASSERT_EQ(0, ftruncate(r->file.fd, PMD));
	ASSERT_EQ(0, fallocate(r->file.fd, FALLOC_FL_KEEP_SIZE, PMD, PMD));
	ASSERT_EQ(0, ftruncate(r->file.fd, PMD + PAGE));
}

FIXTURE_TEARDOWN(end)
{
	rig_close(&self->r);
}

static int store_behind(void *arg)
{
	const struct rig *r = arg;

	dp_data_fill(r->file.map + PMD + 2 * PAGE, PAGE, 0, OP_SEED);
	return 0;
}

TEST_F_TIMEOUT(end, store, ROW_S)
{
	struct rig *r = &self->r;
	struct stat st;
	int err;

	ASSERT_EQ(0, fstat(r->file.fd, &st));
	ASSERT_GE((off_t)st.st_blocks * 512, 2 * PMD);
	/* If anything is to map the PMD, this does. */
	dp_data_fill(r->file.map + PMD, PAGE, PMD, OP_SEED);
	ASSERT_EQ(0, dp_child_start(&r->racer, store_behind, r));
	err = dp_child_wait(&r->racer, SETTLE_MS);
	TH_LOG("witness: size=%ld result=%d", (long)st.st_size, err);
	EXPECT_EQ(-EINTR, err)
		TH_LOG("who stores behind the end of the file gets no SIGBUS");
}

/*
 * The last page of a file that a PMD maps, through a mapping with MAP_SYNC that is too small
 * for one
 */

FIXTURE(last_page) {
	struct rig r;
};

FIXTURE_VARIANT(last_page) {
	off_t less;			/* bytes that the page lacks */
};

FIXTURE_VARIANT_ADD(last_page, whole) { 0 };
FIXTURE_VARIANT_ADD(last_page, part)  { 100 };

FIXTURE_SETUP(last_page)
{
	struct rig *r = &self->r;

	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	rig_open(_metadata, r, DP_MAP_PMD, PMD);
	ASSERT_EQ(0, ftruncate(r->file.fd, PMD - variant->less));
	/* A truncate may have taken the PMD from the file (since 6.15): here it is again. */
	ASSERT_EQ(0, madvise(r->file.map, PAGE, MADV_POPULATE_WRITE));
}

FIXTURE_TEARDOWN(last_page)
{
	rig_close(&self->r);
}

/* In a child, which may never come back. */
static int store_synced(void *arg)
{
	const struct rig *r = arg;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC,
			  r->file.fd, PMD - PAGE);

	if (page == MAP_FAILED)
		return -errno;
	dp_data_fill(page, BYTES, PMD - PAGE, OP_SEED);
	return 0;
}

TEST_F_TIMEOUT(last_page, store, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_content want;
	int err;

	ASSERT_EQ(0, dp_child_start(&r->racer, store_synced, r));
	err = dp_child_wait(&r->racer, SOON_MS);
	TH_LOG("witness: pmds=%d less=%ld result=%d", r->file.pmds, (long)variant->less, err);
	ASSERT_EQ(0, err)
		TH_LOG("a store to the last page does not end");
	dp_content_init(&want, PMD - variant->less, FILE_SEED);
	dp_content_put(&want, PMD - PAGE, BYTES, OP_SEED, PMD - PAGE);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, want.size))
		TH_LOG("the file has wrong data, from the offset that is seen on");
}

TEST_HARNESS_MAIN
