// SPDX-License-Identifier: GPL-2.0
/*
 * Pin memory for the long term.
 *
 * A device that is given memory keeps it as long as it likes.  With a page of a
 * DAX file that is a block, and whoever wants to give the block up would wait for
 * ever: so the kernel refuses such a pin up front, and must leave nothing of the
 * attempt behind.  What is no file's block can be pinned: anonymous memory, copies
 * of private mappings, shmem, and device DAX, which has no blocks to give up.
 *
 * Rows are the interfaces, with all that may be handed to one.  Where a pin is
 * given, the device moves the bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/dp.h"

#define LEN		16384UL		/* four pages, for the device and of the file */
#define SEED		1		/* of the memory */
#define DEVICE_SEED	2		/* of what the device writes */

#define SETTLE_MS	10000	/* truncate ends or waits */
#define BACK_MS		5000	/* the last reference goes */
#define CHILD_MS	20000	/* of a row's child, all in all */
#define ROW_S		60

#define V(major, minor)	((major) << 8 | (minor))

enum target {
	ANON,
	SHMEM,
	HUGETLB,
	DEVDAX,
	FILE_SHARED,
	FILE_PMD,	/* shared, and a PMD maps it */
	FILE_READONLY,	/* shared, and we may not write */
	FILE_PRIVATE,	/* and only read so far */
	FILE_COPIED,	/* private, and written: no page is the file's */
	ANON_FILE,	/* the first half is anonymous, the other one FILE_SHARED */
	FILE_ANON,
	CACHE_SHARED,	/* as FILE_*, of a file that is in the page cache */
	CACHE_PRIVATE,
	CACHE_COPIED,
};

/* What is pinned, and what must come of it. */
struct offer {
	enum target	target;
	int		err;	/* errno, or 0: it is pinned */
	int		since;	/* the kernel that has another one, or 0 */
	int		then;	/* that one */
	int		pins;	/* that are kept then, or 0: one for each page, as before */
	bool		child;	/* who pins was forked after the memory was touched */
};

/* What who pins has seen; the memory is shared with the row. */
struct seen {
	int	open;		/* 0 or -errno */
	int	err;
	int	idle;		/* references of the page without pins */
	int	held;		/* with the pin */
	int	back;		/* when it is gone */
	long	pins;		/* of the system, before; held and back are the same later */
	long	pins_held;
	long	pins_back;
	int	read;		/* of the device: 0 or -errno */
	int	write;
	int	unpin;
	off_t	read_wrong;	/* first byte that differs, or -1 */
	off_t	write_wrong;	/* of the memory, as it was or is written */
};

struct rig {
	enum dp_longterm_kind	kind;
	const struct offer	*o;
	struct dp_file		file;
	struct dp_longterm	pin;
	struct dp_child		child;		/* who pins, if not we */
	struct dp_child		racer;
	char			*mem;		/* what is pinned, LEN bytes */
	char			*probe;		/* its page that is looked at */
	uint64_t		pfn;		/* of that, before */
	struct seen		*seen;
};

static bool is_file(enum target t)
{
	return t >= FILE_SHARED;
}

/*
 * io_uring pins to write.  Before 6.5 it looked for files itself, after it had
 * pinned, and knew no other than shmem and hugetlbfs; since then it is fast, and
 * mm/gup.c alone decides (io_uring/, io_pin_pages()).  Who is fast looks at pages,
 * of which a copy is nobody's; who is slow looks at mappings (check_vma_flags()).
 * Nothing is kept of a part, and of one large folio a single pin, which may hold
 * all of it (io_uring/rsrc.c, io_sqe_buffer_register()).
 */
FIXTURE(uring) { struct rig r; };
FIXTURE_VARIANT(uring) { struct offer o; };

FIXTURE_VARIANT_ADD(uring, anon)               { { ANON,          0 } };
FIXTURE_VARIANT_ADD(uring, anon_child)         { { ANON,          0, .child = true } };
FIXTURE_VARIANT_ADD(uring, shmem)              { { SHMEM,         0 } };
FIXTURE_VARIANT_ADD(uring, hugetlb)            { { HUGETLB,       0, V(6, 5), 0, 1 } };
FIXTURE_VARIANT_ADD(uring, devdax)             { { DEVDAX,        EOPNOTSUPP, V(6, 5), 0, 1 } };
FIXTURE_VARIANT_ADD(uring, fsdax_shared)       { { FILE_SHARED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(uring, fsdax_child)        { { FILE_SHARED,   EOPNOTSUPP, .child = true } };
FIXTURE_VARIANT_ADD(uring, fsdax_pmd)          { { FILE_PMD,      EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(uring, fsdax_readonly)     { { FILE_READONLY, EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(uring, fsdax_private)      { { FILE_PRIVATE,  EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(uring, fsdax_copied)       { { FILE_COPIED,   EOPNOTSUPP, V(6, 5), 0 } };
FIXTURE_VARIANT_ADD(uring, fsdax_after_anon)   { { ANON_FILE,     EFAULT } };
FIXTURE_VARIANT_ADD(uring, fsdax_before_anon)  { { FILE_ANON,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(uring, pagecache_shared)   { { CACHE_SHARED,  EOPNOTSUPP, V(6, 5), EFAULT } };
FIXTURE_VARIANT_ADD(uring, pagecache_private)  { { CACHE_PRIVATE, EOPNOTSUPP, V(6, 5), 0 } };
FIXTURE_VARIANT_ADD(uring, pagecache_copied)   { { CACHE_COPIED,  EOPNOTSUPP, V(6, 5), 0 } };

/* A slot that is updated goes the same way (io_uring/rsrc.c, __io_sqe_buffers_update()). */
FIXTURE(update) { struct rig r; };
FIXTURE_VARIANT(update) { struct offer o; };

FIXTURE_VARIANT_ADD(update, anon)               { { ANON,          0 } };
FIXTURE_VARIANT_ADD(update, devdax)             { { DEVDAX,        EOPNOTSUPP, V(6, 5), 0, 1 } };
FIXTURE_VARIANT_ADD(update, fsdax_shared)       { { FILE_SHARED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(update, fsdax_pmd)          { { FILE_PMD,      EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(update, fsdax_private)      { { FILE_PRIVATE,  EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(update, fsdax_after_anon)   { { ANON_FILE,     EFAULT } };
FIXTURE_VARIANT_ADD(update, fsdax_before_anon)  { { FILE_ANON,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(update, pagecache_shared)   { { CACHE_SHARED,  EOPNOTSUPP, V(6, 5), EFAULT } };

/*
 * RDMA pins to write, fast, and goes on behind a part (drivers/infiniband/core/umem.c,
 * ib_umem_get()).  Since 6.5 nobody may write to a file's page cache for long
 * (mm/gup.c, writable_file_mapping_allowed()).
 */
FIXTURE(rdma) { struct rig r; };
FIXTURE_VARIANT(rdma) { struct offer o; };

FIXTURE_VARIANT_ADD(rdma, anon)               { { ANON,          0 } };
FIXTURE_VARIANT_ADD(rdma, anon_child)         { { ANON,          0, .child = true } };
FIXTURE_VARIANT_ADD(rdma, shmem)              { { SHMEM,         0 } };
FIXTURE_VARIANT_ADD(rdma, hugetlb)            { { HUGETLB,       0 } };
FIXTURE_VARIANT_ADD(rdma, devdax)             { { DEVDAX,        0 } };
FIXTURE_VARIANT_ADD(rdma, fsdax_shared)       { { FILE_SHARED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, fsdax_child)        { { FILE_SHARED,   EOPNOTSUPP, .child = true } };
FIXTURE_VARIANT_ADD(rdma, fsdax_pmd)          { { FILE_PMD,      EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, fsdax_readonly)     { { FILE_READONLY, EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, fsdax_private)      { { FILE_PRIVATE,  EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, fsdax_copied)       { { FILE_COPIED,   0 } };
FIXTURE_VARIANT_ADD(rdma, fsdax_after_anon)   { { ANON_FILE,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, fsdax_before_anon)  { { FILE_ANON,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(rdma, pagecache_shared)   { { CACHE_SHARED,  0, V(6, 5), EFAULT } };
FIXTURE_VARIANT_ADD(rdma, pagecache_private)  { { CACHE_PRIVATE, 0 } };
FIXTURE_VARIANT_ADD(rdma, pagecache_copied)   { { CACHE_COPIED,  0 } };

/*
 * AF_XDP pins to write, and slowly: each mapping is looked at, whatever its pages
 * are.  For a part the error is another one (net/xdp/xdp_umem.c, xdp_umem_pin_pages()).
 */
FIXTURE(xdp) { struct rig r; };
FIXTURE_VARIANT(xdp) { struct offer o; };

FIXTURE_VARIANT_ADD(xdp, anon)               { { ANON,          0 } };
FIXTURE_VARIANT_ADD(xdp, anon_child)         { { ANON,          0, .child = true } };
FIXTURE_VARIANT_ADD(xdp, shmem)              { { SHMEM,         0 } };
FIXTURE_VARIANT_ADD(xdp, devdax)             { { DEVDAX,        0 } };
FIXTURE_VARIANT_ADD(xdp, fsdax_shared)       { { FILE_SHARED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, fsdax_child)        { { FILE_SHARED,   EOPNOTSUPP, .child = true } };
FIXTURE_VARIANT_ADD(xdp, fsdax_pmd)          { { FILE_PMD,      EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, fsdax_readonly)     { { FILE_READONLY, EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, fsdax_private)      { { FILE_PRIVATE,  EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, fsdax_copied)       { { FILE_COPIED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, fsdax_after_anon)   { { ANON_FILE,     ENOMEM } };
FIXTURE_VARIANT_ADD(xdp, fsdax_before_anon)  { { FILE_ANON,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(xdp, pagecache_shared)   { { CACHE_SHARED,  0, V(6, 5), EFAULT } };
FIXTURE_VARIANT_ADD(xdp, pagecache_private)  { { CACHE_PRIVATE, 0 } };
FIXTURE_VARIANT_ADD(xdp, pagecache_copied)   { { CACHE_COPIED,  0 } };

/*
 * gup_test pins to read, and fast: who only reads may have the page cache, but a
 * block of a DAX file not even then (mm/gup_test.c, pin_longterm_test_start()).
 */
FIXTURE(gup) { struct rig r; };
FIXTURE_VARIANT(gup) { struct offer o; };

FIXTURE_VARIANT_ADD(gup, anon)               { { ANON,          0 } };
FIXTURE_VARIANT_ADD(gup, anon_child)         { { ANON,          0, .child = true } };
FIXTURE_VARIANT_ADD(gup, shmem)              { { SHMEM,         0 } };
FIXTURE_VARIANT_ADD(gup, devdax)             { { DEVDAX,        0 } };
FIXTURE_VARIANT_ADD(gup, fsdax_shared)       { { FILE_SHARED,   EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, fsdax_child)        { { FILE_SHARED,   EOPNOTSUPP, .child = true } };
FIXTURE_VARIANT_ADD(gup, fsdax_pmd)          { { FILE_PMD,      EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, fsdax_readonly)     { { FILE_READONLY, EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, fsdax_private)      { { FILE_PRIVATE,  EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, fsdax_copied)       { { FILE_COPIED,   0 } };
FIXTURE_VARIANT_ADD(gup, fsdax_after_anon)   { { ANON_FILE,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, fsdax_before_anon)  { { FILE_ANON,     EOPNOTSUPP } };
FIXTURE_VARIANT_ADD(gup, pagecache_shared)   { { CACHE_SHARED,  0 } };
FIXTURE_VARIANT_ADD(gup, pagecache_private)  { { CACHE_PRIVATE, 0 } };
FIXTURE_VARIANT_ADD(gup, pagecache_copied)   { { CACHE_COPIED,  0 } };

static int kernel(void)
{
	int major, minor;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return V(major, minor);
}

static bool is_then(const struct offer *o)
{
	return o->since && kernel() >= o->since;
}

static int expected(const struct offer *o)
{
	return -(is_then(o) ? o->then : o->err);
}

static long expected_pins(const struct offer *o)
{
	return is_then(o) && o->pins ? o->pins : (long)LEN / getpagesize();
}

/* Why there is nothing to test on, or NULL. */
static const char *missing(enum dp_longterm_kind kind, const struct offer *o)
{
	if (!getenv("DAXPIN_DIR"))
		return "DAXPIN_DIR does not name a mounted directory";
	if (access("/dev/daxpin", R_OK | W_OK))
		return "no /dev/daxpin (vm/module): nothing could prove a pin";
	if (!getenv("DAXPIN_GUEST") && (kind == DP_LONGTERM_RDMA || kind == DP_LONGTERM_XDP))
		return "no DAXPIN_GUEST: other traffic on lo, and a link that stays";
	if (kind == DP_LONGTERM_GUP && kernel() < V(6, 2))
		return "gup_test of a kernel before 6.2 keeps no pin";
	if (kind == DP_LONGTERM_GUP && access(DP_GUP_TEST, R_OK | W_OK))
		return "no " DP_GUP_TEST " (CONFIG_GUP_TEST)";
	if (o->target == DEVDAX && !getenv("DAXPIN_DEVDAX"))
		return "DAXPIN_DEVDAX does not name a device DAX that may be overwritten";
	return NULL;
}

static void fill(char *mem)
{
	dp_data_fill(mem, LEN, 0, SEED);
}

/* A mapping that each page was stored to. */
static char *map(int prot, int flags, int fd)
{
	char *mem = mmap(NULL, LEN, prot, flags, fd, 0);

	if (mem != MAP_FAILED && prot & PROT_WRITE)
		fill(mem);
	return mem;
}

static char *map_shmem(void)
{
	int fd = memfd_create("daxpin", MFD_CLOEXEC);
	char *mem = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	if (!ftruncate(fd, LEN))
		mem = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	return mem;
}

/* One huge page, of which LEN bytes are pinned. */
static char *map_hugetlb(void)
{
	int fd = memfd_create("daxpin", MFD_CLOEXEC | MFD_HUGETLB);
	char *mem = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	dp_knob_set("/proc/sys/vm/nr_hugepages", "1");
	if (!ftruncate(fd, DP_PMD_SIZE))
		mem = mmap(NULL, DP_PMD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mem != MAP_FAILED)
		fill(mem);
	return mem;
}

/* It may only be mapped in whole pages of its own size (drivers/dax/device.c, check_vma()). */
static char *map_devdax(void)
{
	size_t len = DP_PMD_SIZE;
	char *room, *mem;
	int fd = open(getenv("DAXPIN_DEVDAX"), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return MAP_FAILED;
	room = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = (char *)(((uintptr_t)room + len - 1) & ~(len - 1));
	if (room != MAP_FAILED)
		mem = mmap(mem, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	else
		mem = room;
	close(fd);
	if (mem != MAP_FAILED)
		fill(mem);
	return mem;
}

/* A private mapping, only read: its pages are the file's. */
static char *map_private(int fd)
{
	char *mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	if (mem == MAP_FAILED || madvise(mem, LEN, MADV_POPULATE_READ))
		return MAP_FAILED;
	return mem;
}

/* Half of each, side by side; which is first is what @file tells. */
static char *map_halves(int fd, bool file_first)
{
	char *mem = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), *at;
	off_t off = file_first ? 0 : LEN / 2;

	if (mem == MAP_FAILED)
		return MAP_FAILED;
	at = mmap(mem + off, LEN / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, off);
	if (at == MAP_FAILED)
		return MAP_FAILED;
	fill(mem);
	return mem;
}

static char *target_map(struct rig *r)
{
	switch (r->o->target) {
	case ANON:
		return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	case SHMEM:
		return map_shmem();
	case HUGETLB:
		return map_hugetlb();
	case DEVDAX:
		return map_devdax();
	case FILE_SHARED:
	case FILE_PMD:
	case CACHE_SHARED:
		return r->file.map;
	case FILE_READONLY:
		return map(PROT_READ, MAP_SHARED, r->file.fd);
	case FILE_PRIVATE:
	case CACHE_PRIVATE:
		return map_private(r->file.fd);
	case FILE_COPIED:
	case CACHE_COPIED:
		return map(PROT_READ | PROT_WRITE, MAP_PRIVATE, r->file.fd);
	case ANON_FILE:
	case FILE_ANON:
		return map_halves(r->file.fd, r->o->target == FILE_ANON);
	}
	return MAP_FAILED;
}

static void file_setup(struct __test_metadata *_metadata, struct rig *r)
{
	bool pmd = r->o->target == FILE_PMD, dax = r->o->target < CACHE_SHARED;

	ASSERT_EQ(0, dp_file_open(&r->file, getenv("DAXPIN_DIR"), pmd ? DP_PMD_SIZE : LEN,
				  pmd ? DP_MAP_PMD : DP_MAP_PTE, SEED));
	/* A set-up that ends here has no teardown. */
	if (dax != r->file.dax && !getenv("DAXPIN_DAX")) {
		dp_file_close(&r->file);
		SKIP(return, "DAXPIN_DIR is %son a DAX file system", dax ? "not " : "");
	}
	ASSERT_EQ(dax, r->file.dax);
	ASSERT_TRUE(r->file.written);
	if (pmd)
		ASSERT_EQ(1, r->file.pmds);
}

/*
 * A new page has one more reference until it has left the CPU's list of those to
 * be put on the LRU; to give up a range is what drains it (mm/madvise.c,
 * madvise_dontneed_free(); mm/memory.c, zap_page_range_single()).
 */
static void lru_drain(void)
{
	long size = getpagesize();
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	madvise(page, size, MADV_DONTNEED);
	munmap(page, size);
}

static void setup(struct __test_metadata *_metadata, struct rig *r, enum dp_longterm_kind kind,
		  const struct offer *o)
{
	r->kind = kind;
	r->o = o;
	dp_case_begin(_metadata->name);
	r->seen = mmap(NULL, sizeof(*r->seen), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)r->seen);
	if (is_file(o->target))
		file_setup(_metadata, r);
	if (is_file(o->target) && !r->file.map)
		return;
	r->mem = target_map(r);
	ASSERT_NE(MAP_FAILED, r->mem);
	/* Of two halves the file's is the one of interest. */
	r->probe = r->mem + (o->target == ANON_FILE ? LEN / 2 : 0);
	lru_drain();
	ASSERT_LE(0, dp_page_refs(r->probe, &r->pfn));
}

static void teardown(struct rig *r)
{
	dp_longterm_close(&r->pin);	/* first: the racer may be waiting for it */
	if (!dp_child_kill(&r->child) || !dp_child_kill(&r->racer))
		return;			/* what they hold would stop us as well */
	dp_file_close(&r->file);
}

/* The last reference may go a little later: in a worker, after a grace period. */
static void wait_back(struct rig *r, uint64_t pfn)
{
	long deadline = dp_now_ms() + BACK_MS;
	struct seen *s = r->seen;

	/* Pages that were just used wait in batches of each CPU, with a reference (mm/swap.c). */
	dp_knob_set("/proc/sys/vm/drop_caches", "1");
	do {
		s->back = dp_pfn_refs(pfn);
		s->pins_back = dp_pins_held();
		if (s->back == s->idle && s->pins_back == s->pins)
			return;
		poll(NULL, 0, 1);
	} while (dp_now_ms() < deadline);
}

/* The device reads what is there, and then writes something else. */
static void move(struct rig *r)
{
	static char data[LEN], want[LEN];
	struct seen *s = r->seen;

	dp_data_fill(want, LEN, 0, SEED);
	s->read = dp_longterm_read(&r->pin, data);
	s->read_wrong = dp_data_differ(want, data, LEN);
	if (dp_longterm_writes(r->kind)) {
		dp_data_fill(want, LEN, 0, DEVICE_SEED);
		s->write = dp_longterm_write(&r->pin, want);
	}
	s->write_wrong = dp_data_differ(want, r->mem, LEN);
}

/* All that who pins does; what there is to say of it is said by the row. */
static int pin_and_move(void *arg)
{
	struct rig *r = arg;
	struct seen *s = r->seen;
	uint64_t pfn = r->pfn;

	s->read = -ENODATA;
	s->write = dp_longterm_writes(r->kind) ? -ENODATA : 0;
	s->open = dp_longterm_open(&r->pin, r->kind);
	if (s->open)
		return 0;
	lru_drain();
	s->idle = dp_pfn_refs(pfn);
	s->pins = dp_pins_held();
	s->err = dp_longterm_pin(&r->pin, r->mem, LEN);
	lru_drain();
	s->pins_held = dp_pins_held();
	if (!s->err)
		dp_page_refs(r->probe, &pfn);
	s->held = dp_pfn_refs(pfn);
	/* A copy that was made for the pin: nothing else refers to it. */
	if (pfn != r->pfn)
		s->idle = 0;
	if (!s->err)
		move(r);
	s->unpin = dp_longterm_unpin(&r->pin);
	wait_back(r, pfn);
	return 0;
}

static int truncate_file(void *arg)
{
	struct rig *r = arg;

	return ftruncate(r->file.fd, 0) ? -errno : 0;
}

/* Nothing of the attempt holds up who gives the blocks away. */
static void check_truncate(struct __test_metadata *_metadata, struct rig *r)
{
	struct dp_sight s;

	ASSERT_EQ(0, dp_child_start(&r->racer, truncate_file, r));
	ASSERT_EQ(0, dp_child_settle(&r->racer, &s, SETTLE_MS))
		TH_LOG("truncate neither ended nor waits for pages: %c in %s", s.task, s.wchan);
	ASSERT_EQ(DP_DONE, s.state)
		TH_LOG("truncate waits for a pin that was refused");
	EXPECT_EQ(0, dp_child_wait(&r->racer, SETTLE_MS));
}

static void check_refused(struct __test_metadata *_metadata, struct rig *r)
{
	const struct seen *s = r->seen;

	EXPECT_EQ(s->idle, s->held)
		TH_LOG("the refusal left references");
	EXPECT_EQ(s->pins, s->pins_held)
		TH_LOG("the refusal left pins");
	if (is_file(r->o->target))
		check_truncate(_metadata, r);
}

static void check_pinned(struct __test_metadata *_metadata, struct rig *r)
{
	long pins = expected_pins(r->o);
	const struct seen *s = r->seen;

	EXPECT_LT(s->idle, s->held)
		TH_LOG("registered, and the page has no more references");
	EXPECT_EQ(s->pins + pins, s->pins_held)
		TH_LOG("registered, and pinned more or less often than once");
	EXPECT_EQ(0, s->read);
	EXPECT_EQ(-1, s->read_wrong)
		TH_LOG("the device read other data than the memory has");
	EXPECT_EQ(0, s->write);
	EXPECT_EQ(-1, s->write_wrong)
		TH_LOG("the memory has other data than the device wrote");
	EXPECT_EQ(0, s->unpin);
	EXPECT_EQ(s->idle, s->back)
		TH_LOG("unregistered, and references are left");
	EXPECT_EQ(s->pins, s->pins_back)
		TH_LOG("unregistered, and pins are left");
}

static void pin(struct __test_metadata *_metadata, struct rig *r)
{
	const struct seen *s = r->seen;

	if (r->o->child) {
		ASSERT_EQ(0, dp_child_start(&r->child, pin_and_move, r));
		ASSERT_EQ(0, dp_child_wait(&r->child, CHILD_MS));
	} else {
		pin_and_move(r);
	}
	TH_LOG("witness: dax=%d pmds=%d result=%d refs=%d->%d->%d pins=%ld->%ld->%ld",
	       r->file.dax, r->file.pmds, s->err, s->idle, s->held, s->back, s->pins,
	       s->pins_held, s->pins_back);
	ASSERT_EQ(0, s->open);
	ASSERT_LE(0, s->idle);
	ASSERT_LE(0, s->pins);
	EXPECT_EQ(expected(r->o), s->err);
	if (s->err)
		check_refused(_metadata, r);
	else
		check_pinned(_metadata, r);
}

FIXTURE_SETUP(uring)
{
	const char *why = missing(DP_LONGTERM_URING, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	setup(_metadata, &self->r, DP_LONGTERM_URING, &variant->o);
}

FIXTURE_TEARDOWN(uring)
{
	teardown(&self->r);
}

TEST_F_TIMEOUT(uring, pin, ROW_S)
{
	pin(_metadata, &self->r);
}

FIXTURE_SETUP(update)
{
	const char *why = missing(DP_LONGTERM_UPDATE, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	setup(_metadata, &self->r, DP_LONGTERM_UPDATE, &variant->o);
}

FIXTURE_TEARDOWN(update)
{
	teardown(&self->r);
}

TEST_F_TIMEOUT(update, pin, ROW_S)
{
	pin(_metadata, &self->r);
}

FIXTURE_SETUP(rdma)
{
	const char *why = missing(DP_LONGTERM_RDMA, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	setup(_metadata, &self->r, DP_LONGTERM_RDMA, &variant->o);
}

FIXTURE_TEARDOWN(rdma)
{
	teardown(&self->r);
}

TEST_F_TIMEOUT(rdma, pin, ROW_S)
{
	pin(_metadata, &self->r);
}

FIXTURE_SETUP(xdp)
{
	const char *why = missing(DP_LONGTERM_XDP, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	setup(_metadata, &self->r, DP_LONGTERM_XDP, &variant->o);
}

FIXTURE_TEARDOWN(xdp)
{
	teardown(&self->r);
}

TEST_F_TIMEOUT(xdp, pin, ROW_S)
{
	pin(_metadata, &self->r);
}

FIXTURE_SETUP(gup)
{
	const char *why = missing(DP_LONGTERM_GUP, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	setup(_metadata, &self->r, DP_LONGTERM_GUP, &variant->o);
}

FIXTURE_TEARDOWN(gup)
{
	teardown(&self->r);
}

TEST_F_TIMEOUT(gup, pin, ROW_S)
{
	pin(_metadata, &self->r);
}

/*
 * A device DAX has no blocks to give up, but it can go as a whole: unbind its driver,
 * and the page structures of its memory go, too.  They may not before the last pin
 * of them has (mm/memremap.c, memunmap_pages()).
 */
FIXTURE(unbind) { struct rig r; };

FIXTURE_VARIANT(unbind) {
	enum dp_longterm_kind	kind;
	struct offer		o;
};

FIXTURE_VARIANT_ADD(unbind, uring) { DP_LONGTERM_URING, { DEVDAX, 0 } };
FIXTURE_VARIANT_ADD(unbind, rdma)  { DP_LONGTERM_RDMA,  { DEVDAX, 0 } };
FIXTURE_VARIANT_ADD(unbind, xdp)   { DP_LONGTERM_XDP,   { DEVDAX, 0 } };

FIXTURE_SETUP(unbind)
{
	const char *why = missing(variant->kind, &variant->o);

	if (why)
		SKIP(return, "%s", why);
	if (!getenv("DAXPIN_GUEST"))
		SKIP(return, "no DAXPIN_GUEST: the driver may take the kernel with it");
	if (variant->kind == DP_LONGTERM_URING && kernel() < V(6, 5))
		SKIP(return, "io_uring of a kernel before 6.5 pins no device DAX");
	setup(_metadata, &self->r, variant->kind, &variant->o);
}

FIXTURE_TEARDOWN(unbind)
{
	teardown(&self->r);
}

static int unbind_driver(void *arg)
{
	const char *name = strrchr(getenv("DAXPIN_DEVDAX"), '/') + 1;

	return dp_knob_set("/sys/bus/dax/drivers/device_dax/unbind", name);
}

TEST_F_TIMEOUT(unbind, waits, ROW_S)
{
	struct rig *r = &self->r;
	struct dp_sight s;
	int idle, held;

	ASSERT_EQ(0, dp_longterm_open(&r->pin, r->kind));
	idle = dp_pfn_refs(r->pfn);
	ASSERT_EQ(0, dp_longterm_pin(&r->pin, r->mem, LEN));
	held = dp_pfn_refs(r->pfn);
	ASSERT_EQ(0, dp_child_start(&r->racer, unbind_driver, r));
	ASSERT_EQ(0, dp_child_rest(&r->racer, &s, SETTLE_MS));
	TH_LOG("witness: refs=%d->%d task=%c wchan=%s", idle, held, s.task,
	       s.wchan[0] ? s.wchan : "-");
	EXPECT_LT(idle, held);
	EXPECT_NE(DP_DONE, s.state)
		TH_LOG("the driver is unbound and does not wait for the pin");
	EXPECT_EQ(0, dp_longterm_unpin(&r->pin));
	EXPECT_EQ(0, dp_child_wait(&r->racer, SETTLE_MS));
}

TEST_HARNESS_MAIN
