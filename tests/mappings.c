// SPDX-License-Identifier: GPL-2.0
/*
 * What memory is pinned: a mapping that may only be read, and a range of which half belongs
 * to the file, half to nobody.
 *
 * Through a mapping that may only be read no device may write (mm/gup.c, check_vma_flags()),
 * and who reads holds the page as always.  Of a mixed range each page has a reference of its
 * own: the file system waits for its half, and what a device writes gets to both.
 */
#include "ops.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */
#define HALF	(PIN_LEN / 2)

/*
 * A mapping that may only be read
 */

FIXTURE(readonly) {
	struct rig r;
};

FIXTURE_VARIANT(readonly) {
	enum dp_pin_kind kind;
	enum dp_map	 map;
	int		 refused;	/* errno that a pin to write to it ends with */
};

FIXTURE_VARIANT_ADD(readonly, vmsplice_pte)	    { DP_PIN_VMSPLICE,	       DP_MAP_PTE };
FIXTURE_VARIANT_ADD(readonly, vmsplice_pmd)	    { DP_PIN_VMSPLICE,	       DP_MAP_PMD };
FIXTURE_VARIANT_ADD(readonly, dio_write_pte)	    { DP_PIN_DIO_WRITE,	       DP_MAP_PTE };
FIXTURE_VARIANT_ADD(readonly, dio_write_pmd)	    { DP_PIN_DIO_WRITE,	       DP_MAP_PMD };
FIXTURE_VARIANT_ADD(readonly, module_pin_read_pte)  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(readonly, module_pin_read_pmd)  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(readonly, dio_read_pte)	    { DP_PIN_DIO_READ,	       DP_MAP_PTE, EFAULT };
FIXTURE_VARIANT_ADD(readonly, dio_read_pmd)	    { DP_PIN_DIO_READ,	       DP_MAP_PMD, EFAULT };
FIXTURE_VARIANT_ADD(readonly, aio_read_pte)	    { DP_PIN_AIO_READ,	       DP_MAP_PTE, EFAULT };
FIXTURE_VARIANT_ADD(readonly, uring_read_pte)	    { DP_PIN_URING_READ,       DP_MAP_PTE, EFAULT };
FIXTURE_VARIANT_ADD(readonly, module_pin_write_pte) { DP_PIN_MODULE_PIN_WRITE, DP_MAP_PTE, EFAULT };
FIXTURE_VARIANT_ADD(readonly, module_get_write_pmd) { DP_PIN_MODULE_GET_WRITE, DP_MAP_PMD, EFAULT };

FIXTURE_SETUP(readonly)
{
	struct rig *r = &self->r;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, r, variant->map, len_for(variant->map, LEN));
	ASSERT_EQ(0, mprotect(r->file.map, r->file.len, PROT_READ));
	r->kind = variant->kind;
	r->refused = variant->refused;
}

FIXTURE_TEARDOWN(readonly)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(readonly, truncate, ROW_S)
{
	struct collision c = { &truncation, .off = PIN + PAGE, .pin = PIN, .outcome = WAITS };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(readonly, punch, ROW_S)
{
	struct collision c = { &punch, .off = PIN, .len = PIN_LEN, .pin = PIN, .outcome = WAITS };

	collide(_metadata, &self->r, &c);
}

/*
 * Half of the range is the file's
 */

struct halves {
	struct rig r;
	off_t	   at;			/* of the file, where its half is */
	char	  *own;			/* and the other half, in memory */
};

FIXTURE(halves) {
	struct halves h;
};

FIXTURE_VARIANT(halves) {
	enum dp_pin_kind kind;
	bool		 own_first;
};

/* Without a child: that would have copies of private memory. */
FIXTURE_VARIANT_ADD(halves, file_first_vmsplice)		{ DP_PIN_VMSPLICE };
FIXTURE_VARIANT_ADD(halves, file_first_aio_read)		{ DP_PIN_AIO_READ };
FIXTURE_VARIANT_ADD(halves, file_first_aio_write)	{ DP_PIN_AIO_WRITE };
FIXTURE_VARIANT_ADD(halves, file_first_module_pin_write)	{ DP_PIN_MODULE_PIN_WRITE };
FIXTURE_VARIANT_ADD(halves, own_first_vmsplice)		{ DP_PIN_VMSPLICE, true };
FIXTURE_VARIANT_ADD(halves, own_first_aio_read)		{ DP_PIN_AIO_READ, true };
FIXTURE_VARIANT_ADD(halves, own_first_aio_write)		{ DP_PIN_AIO_WRITE, true };
FIXTURE_VARIANT_ADD(halves, own_first_module_pin_write)	{ DP_PIN_MODULE_PIN_WRITE, true };

FIXTURE_SETUP(halves)
{
	struct halves *h = &self->h;
	struct rig *r = &h->r;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, r, DP_MAP_PTE, LEN);
	r->kind = variant->kind;
	r->own = variant->own_first ? 0 : HALF;
	r->own_len = HALF;
	h->at = PIN + HALF - r->own;
	h->own = r->file.map + PIN + r->own;
	ASSERT_EQ(h->own, mmap(h->own, HALF, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	dp_data_fill(h->own, HALF, 0, OTHER_SEED);
	/* No reference of theirs is left in a batch (mm/mlock.c, mlock_vma_pages_range()). */
	ASSERT_EQ(0, mlock(h->own, HALF));
}

FIXTURE_TEARDOWN(halves)
{
	rig_close(&self->h.r);
}

/* It has what the device wrote, or the device what it had.  Then the file is mapped there. */
static void check_own(struct __test_metadata *_metadata, const struct halves *h)
{
	const struct rig *r = &h->r;
	char want[HALF];

	dp_data_fill(want, HALF, writes(r) ? r->own : 0, writes(r) ? DEV_SEED : OTHER_SEED);
	EXPECT_EQ(-1, dp_data_differ(want, h->own, HALF))
		TH_LOG("the half that is no file's has wrong data");
	if (reads(r))
		EXPECT_EQ(-1, dp_data_differ(want, r->seen + r->own, HALF))
			TH_LOG("the device got wrong data of the half that is no file's");
	ASSERT_EQ(h->own, mmap(h->own, HALF, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			       r->file.fd, PIN + r->own));
}

/* Of the file's half one page goes. */
static void collide_half(struct __test_metadata *_metadata, struct halves *h,
			 const struct collision *c)
{
	struct rig *r = &h->r;

	r->c = c;
	take_pin(_metadata, r);
	start_op(_metadata, r);
	drop_pin(_metadata, r);
	check_own(_metadata, h);
	check_data(_metadata, r);
	check_refs(_metadata, r);
}

TEST_F_TIMEOUT(halves, truncate, ROW_S)
{
	struct collision c = { &truncation, .off = self->h.at + PAGE, .pin = PIN,
			       .outcome = WAITS };

	collide_half(_metadata, &self->h, &c);
}

TEST_F_TIMEOUT(halves, punch, ROW_S)
{
	struct collision c = { &punch, .off = self->h.at, .len = PAGE, .pin = PIN,
			       .outcome = WAITS };

	collide_half(_metadata, &self->h, &c);
}

TEST_HARNESS_MAIN
