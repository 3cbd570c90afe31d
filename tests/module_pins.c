// SPDX-License-Identifier: GPL-2.0
/*
 * Pins as a driver takes them, by the daxpin module.
 *
 * A driver may take a page many times and give it back in any portion, and may
 * keep it when nobody maps the file any more and who took it is gone.  The file system
 * has to wait until the last reference has gone, whatever became of the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/dp.h"

#define PAGE		4096
#define PAGES		3		/* that are taken */
#define PIN_LEN		(PAGES * PAGE)
#define AT		(DP_PMD_SIZE / 2)
#define TIMES		5
#define LATE_OFF	(PAGE - 100)	/* of data that ends in the next page */
#define LATE_LEN	200

#define FILE_SEED	1
#define LATE_SEED	2

#define SETTLE_MS	20000	/* the operation ends or waits */
#define RETURN_MS	20000	/* the operation ends once the last pin is gone */
#define ROW_S		120	/* more than all bounds of a row together */

/* What a row works with. */
struct rig {
	struct dp_file	file;
	struct dp_child	taker;
	struct dp_child	racer;
	unsigned int	flags;
	int		pins;		/* -1: none are held */
	int		tell[2];	/* pipe: the taker's descriptor */
	char		*addr;
	uint64_t	pfn[PAGES];
	int		idle[PAGES];
};

FIXTURE(module_pins) {
	struct rig r;
};

FIXTURE_VARIANT(module_pins) {
	unsigned int	flags;
	int		unit;		/* references that one of it is, of a small folio */
};

/* GUP_PIN_COUNTING_BIAS: include/linux/mm.h. */
FIXTURE_VARIANT_ADD(module_pins, get_read)  { DP_GUP_GET,		  1 };
FIXTURE_VARIANT_ADD(module_pins, get_write) { DP_GUP_GET | DP_GUP_WRITE, 1 };
FIXTURE_VARIANT_ADD(module_pins, pin_read)  { DP_GUP_PIN,		  1024 };
FIXTURE_VARIANT_ADD(module_pins, pin_write) { DP_GUP_PIN | DP_GUP_WRITE, 1024 };

FIXTURE_SETUP(module_pins)
{
	const char *dir = getenv("DAXPIN_DIR");
	struct rig *r = &self->r;

	r->pins = -1;
	if (!dir)
		SKIP(return, "DAXPIN_DIR does not name a mounted DAX directory");
	if (access("/dev/daxpin", R_OK | W_OK))
		SKIP(return, "no /dev/daxpin (vm/module): nothing could take a pin");
	dp_case_begin(_metadata->name);
	ASSERT_EQ(0, dp_file_open(&r->file, dir, DP_PMD_SIZE, DP_MAP_PTE, FILE_SEED));
	if (!r->file.dax && !getenv("DAXPIN_GUEST")) {
		dp_file_close(&r->file);
		SKIP(return, "DAXPIN_DIR is not on a DAX file system");
	}
	ASSERT_TRUE(r->file.dax && r->file.written);
	r->flags = variant->flags;
	r->addr = r->file.map + AT;
	for (int i = 0; i < PAGES; i++) {
		r->idle[i] = dp_page_idle(r->addr + i * PAGE, &r->pfn[i]);
		ASSERT_LE(0, r->idle[i]);
	}
}

FIXTURE_TEARDOWN(module_pins)
{
	struct rig *r = &self->r;

	/* First: the racer may be waiting for them, and has a copy of the descriptor. */
	if (r->pins >= 0)
		dp_gup_drop(r->pins, 1);
	close(r->pins);
	dp_child_kill(&r->taker);
	if (dp_child_kill(&r->racer))
		dp_file_close(&r->file);
}

/* All pages that were taken have as many references more, and no other page. */
static void check_refs(struct __test_metadata *_metadata, const struct rig *r, int more)
{
	int before = dp_page_refs(r->addr - PAGE, NULL);
	int behind = dp_page_refs(r->addr + PIN_LEN, NULL);

	TH_LOG("witness: dax=%d refs=%d->%d before=%d behind=%d", r->file.dax, r->idle[0],
	       dp_pfn_refs(r->pfn[0]), before, behind);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(r->idle[i] + more, dp_pfn_refs(r->pfn[i]));
	EXPECT_EQ(r->idle[0], before);
	EXPECT_EQ(r->idle[0], behind);
}

static void take(struct __test_metadata *_metadata, struct rig *r, unsigned int times)
{
	r->pins = dp_gup_take(r->addr, PIN_LEN, r->flags, times);
	ASSERT_LE(0, r->pins);
}

/* Many are taken at once, and given back in portions. */
TEST_F_TIMEOUT(module_pins, count, ROW_S)
{
	struct rig *r = &self->r;

	take(_metadata, r, TIMES);
	check_refs(_metadata, r, TIMES * variant->unit);
	EXPECT_EQ(2, dp_gup_drop(r->pins, TIMES - 2));
	check_refs(_metadata, r, 2 * variant->unit);
	EXPECT_EQ(-EINVAL, dp_gup_drop(r->pins, 3));
	check_refs(_metadata, r, 2 * variant->unit);
	EXPECT_EQ(0, dp_gup_drop(r->pins, 2));
	check_refs(_metadata, r, 0);
}

/* Who ends without a word gives back all. */
TEST_F_TIMEOUT(module_pins, close, ROW_S)
{
	struct rig *r = &self->r;

	take(_metadata, r, TIMES);
	check_refs(_metadata, r, TIMES * variant->unit);
	ASSERT_EQ(0, close(r->pins));
	r->pins = -1;
	check_refs(_metadata, r, 0);
}

/* What cannot be had as a whole is not had at all. */
TEST_F_TIMEOUT(module_pins, refused, ROW_S)
{
	struct rig *r = &self->r;

	/* The file's last page is not to be had. */
	ASSERT_EQ(0, mprotect(r->file.map + DP_PMD_SIZE - PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, dp_gup_take(r->addr, DP_PMD_SIZE - AT, r->flags, TIMES));
	EXPECT_EQ(-EINVAL, dp_gup_take(r->addr + 1, PAGE, r->flags, 1));
	EXPECT_EQ(-EINVAL, dp_gup_take(r->addr, 0, r->flags, 1));
	EXPECT_EQ(-EINVAL, dp_gup_take(r->addr, PAGE, r->flags, 0));
	check_refs(_metadata, r, 0);
}

/* A device writes late, across two pages, and no more than it was asked to. */
TEST_F_TIMEOUT(module_pins, late, ROW_S)
{
	char late[LATE_LEN], want[PIN_LEN], got[PIN_LEN];
	struct rig *r = &self->r;
	int err = r->flags & DP_GUP_WRITE ? 0 : -EPERM;

	dp_data_fill(late, LATE_LEN, 0, LATE_SEED);
	dp_data_fill(want, PIN_LEN, AT, FILE_SEED);
	if (!err)
		dp_data_fill(want + LATE_OFF, LATE_LEN, 0, LATE_SEED);
	take(_metadata, r, 1);
	check_refs(_metadata, r, variant->unit);
	EXPECT_EQ(err, dp_gup_write(r->pins, LATE_OFF, late, LATE_LEN));
	EXPECT_EQ(-EINVAL, dp_gup_read(r->pins, PIN_LEN - 1, got, 2));
	ASSERT_EQ(0, dp_gup_read(r->pins, 0, got, PIN_LEN));
	EXPECT_EQ(-1, dp_data_differ(want, got, PIN_LEN));
	EXPECT_EQ(0, dp_gup_drop(r->pins, 1));
	ASSERT_EQ(PIN_LEN, pread(r->file.fd, got, PIN_LEN, AT));
	EXPECT_EQ(-1, dp_data_differ(want, got, PIN_LEN));
	check_refs(_metadata, r, 0);
}

static int take_and_tell(void *arg)
{
	struct rig *r = arg;
	int fd = dp_gup_take(r->addr, PIN_LEN, r->flags, TIMES);

	if (write(r->tell[1], &fd, sizeof(fd)) != sizeof(fd))
		return -errno;
	for (;;)
		pause();
}

/* Another process takes the pages, hands them over and ends. */
static void take_over(struct __test_metadata *_metadata, struct rig *r)
{
	int theirs = -1;

	ASSERT_EQ(0, pipe2(r->tell, O_CLOEXEC));
	ASSERT_EQ(0, dp_child_start(&r->taker, take_and_tell, r));
	close(r->tell[1]);
	ASSERT_EQ((ssize_t)sizeof(theirs), read(r->tell[0], &theirs, sizeof(theirs)));
	close(r->tell[0]);
	ASSERT_LE(0, theirs);
	r->pins = syscall(SYS_pidfd_getfd, r->taker.pidfd, theirs, 0);
	ASSERT_LE(0, r->pins);
	ASSERT_TRUE(dp_child_kill(&r->taker));
}

static int cut(void *arg)
{
	const struct dp_file *f = arg;

	return ftruncate(f->fd, 0) ? -errno : 0;
}

/* Unmapped and closed: only the racer still has the file. */
static void forget_file(struct __test_metadata *_metadata, struct dp_file *f)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	ASSERT_EQ(f->map, mmap(f->map, f->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			       -1, 0));
	ASSERT_EQ(f->fd, dup2(null, f->fd));
	close(null);
}

TEST_F_TIMEOUT(module_pins, outlives, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_sight s;

	take_over(_metadata, r);
	ASSERT_EQ(0, dp_child_start(&r->racer, cut, &r->file));
	ASSERT_EQ(0, dp_child_settle(&r->racer, &s, SETTLE_MS));
	EXPECT_EQ(DP_WAITS, s.state);
	forget_file(_metadata, &r->file);
	EXPECT_EQ(1, dp_gup_drop(r->pins, TIMES - 1));
	ASSERT_EQ(0, dp_child_look(&r->racer, &s));
	TH_LOG("witness: task=%c wchan=%s refs=%d->%d", s.task, s.wchan[0] ? s.wchan : "-",
	       r->idle[0], dp_pfn_refs(r->pfn[0]));
	EXPECT_EQ(DP_WAITS, s.state)
		TH_LOG("one pin is left, and the operation waits for none");
	EXPECT_EQ(r->idle[0] + variant->unit, dp_pfn_refs(r->pfn[0]));
	EXPECT_EQ(0, dp_gup_drop(r->pins, 1));
	EXPECT_EQ(0, dp_child_return(&r->racer, RETURN_MS));
}

TEST_HARNESS_MAIN
