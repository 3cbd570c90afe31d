// SPDX-License-Identifier: GPL-2.0
/*
 * A pinned page is copied because somebody writes to it.
 *
 * Private mappings: until it is written to, the page is the file's, and who takes its
 * block away waits for pins of it, even after the process got a copy of its own.  A pin
 * of the copy holds nobody up.  It stays with the process that pinned: after a fork
 * the device still writes to, and reads from, that one's memory.
 *
 * Blocks that files share: whoever writes gets a block of its own, and the pinned one
 * stays as it is, in the other file.
 */
#include "ops.h"
#include "place.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */
#define CHILD_SEED	(OTHER_SEED + 1)

/* What a process stores to the pinned pages. */
static void store_pages(char *map, uint64_t seed)
{
	dp_data_fill(map + PIN, PIN_LEN, PIN, seed);
}

static bool pages_are(const char *pages, uint64_t seed)
{
	char want[PIN_LEN];

	dp_data_fill(want, PIN_LEN, seed == DEV_SEED ? 0 : PIN, seed);
	return !memcmp(want, pages, PIN_LEN);
}

/*
 * The process gets pages of its own.  The batch that they wait in for their LRU list has
 * a reference of each, which would go at any time.
 */
static void make_copy(struct __test_metadata *_metadata, struct rig *r)
{
	store_pages(r->file.map, OP_SEED);
	ASSERT_EQ(0, dp_knob_set("/proc/sys/vm/drop_caches", "1"));
}

/* Instead of the shared mapping, a private one, whose page tables are the file's. */
static void map_private(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(r->file.map, mmap(r->file.map, LEN, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_FIXED, r->file.fd, 0));
	ASSERT_EQ(0, madvise(r->file.map, LEN, MADV_POPULATE_READ));
}

/*
 * A private mapping and who wants the block
 */

enum copy { NEVER, BEFORE, AFTER };	/* the pin is taken */

FIXTURE(private) {
	struct rig r;
};

FIXTURE_VARIANT(private) {
	enum copy	 copy;
	enum dp_pin_kind kind;
	enum outcome	 outcome;
};

FIXTURE_VARIANT_ADD(private, never_none)       { NEVER,  DP_PIN_NONE,	   RETURNS };
FIXTURE_VARIANT_ADD(private, never_vmsplice)   { NEVER,  DP_PIN_VMSPLICE,  WAITS };
FIXTURE_VARIANT_ADD(private, never_aio_write)  { NEVER,  DP_PIN_AIO_WRITE, WAITS };
FIXTURE_VARIANT_ADD(private, after_vmsplice)   { AFTER,  DP_PIN_VMSPLICE,  WAITS };
FIXTURE_VARIANT_ADD(private, before_none)      { BEFORE, DP_PIN_NONE,	   RETURNS };
FIXTURE_VARIANT_ADD(private, before_vmsplice)  { BEFORE, DP_PIN_VMSPLICE,  RETURNS };
FIXTURE_VARIANT_ADD(private, before_aio_write) { BEFORE, DP_PIN_AIO_WRITE, RETURNS };
FIXTURE_VARIANT_ADD(private, before_aio_read)  { BEFORE, DP_PIN_AIO_READ,  RETURNS };

FIXTURE_SETUP(private)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
	map_private(_metadata, &self->r);
	self->r.kind = variant->kind;
}

FIXTURE_TEARDOWN(private)
{
	rig_close(&self->r);
}

/*
 * The file is what the operation has made of it; the process has what it stored, as long as
 * that is in the file (mm/memory.c, unmap_mapping_pages(): even_cows), or what the file has.
 */
static void check_private(struct __test_metadata *_metadata, struct rig *r, enum copy when)
{
	struct dp_content want;

	dp_content_init(&want, LEN, FILE_SEED);
	r->c->op->effect(r->c, &want);
	check_whole(_metadata, r->file.fd, &want);
	if (when != NEVER && want.size == LEN)
		dp_content_put(&want, PIN, PIN_LEN, writes(r) ? DEV_SEED : OP_SEED,
			       writes(r) ? 0 : PIN);
	EXPECT_EQ(-1, map_wrong_at(r->file.map, &want))
		TH_LOG("the private mapping has wrong data, from the offset that is seen on");
	if (reads(r))
		EXPECT_TRUE(pages_are(r->seen, when == BEFORE ? OP_SEED : FILE_SEED))
			TH_LOG("the device got other data than the pinned pages held");
}

static void collide_private(struct __test_metadata *_metadata, struct rig *r, enum copy when,
			    const struct collision *c)
{
	r->c = c;
	if (when == BEFORE)
		make_copy(_metadata, r);
	take_pin(_metadata, r);
	if (when == AFTER)
		store_pages(r->file.map, OP_SEED);
	start_op(_metadata, r);
	drop_pin(_metadata, r);
	check_private(_metadata, r, when);
}

TEST_F_TIMEOUT(private, punch, ROW_S)
{
	struct collision c = { &punch, .off = PIN, .len = PIN_LEN, .pin = PIN,
			       .outcome = variant->outcome };

	collide_private(_metadata, &self->r, variant->copy, &c);
}

TEST_F_TIMEOUT(private, zero, ROW_S)
{
	struct collision c = { &clearing, FALLOC_FL_ZERO_RANGE, PIN, PIN_LEN, PIN,
			       variant->outcome };

	collide_private(_metadata, &self->r, variant->copy, &c);
}

TEST_F_TIMEOUT(private, truncate, ROW_S)
{
	struct collision c = { &truncation, .off = PIN, .pin = PIN, .outcome = variant->outcome };

	collide_private(_metadata, &self->r, variant->copy, &c);
}

/*
 * A fork while the copy is pinned
 */

enum storer { CHILD = 1, PARENT = 2, BOTH = 3 };

FIXTURE(fork) {
	struct rig r;
};

FIXTURE_VARIANT(fork) {
	enum storer storer;
	bool	    live;	/* the child is alive when the device goes on */
};

FIXTURE_VARIANT_ADD(fork, child)       { CHILD,  true };
FIXTURE_VARIANT_ADD(fork, child_gone)  { CHILD,  false };
FIXTURE_VARIANT_ADD(fork, parent)      { PARENT, true };
FIXTURE_VARIANT_ADD(fork, parent_gone) { PARENT, false };
FIXTURE_VARIANT_ADD(fork, both)	       { BOTH,	 true };

FIXTURE_SETUP(fork)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
	map_private(_metadata, &self->r);
	make_copy(_metadata, &self->r);
}

FIXTURE_TEARDOWN(fork)
{
	rig_close(&self->r);
}

struct kid {
	const struct rig *r;
	enum storer	  storer;
	int		  ready[2], go[2];	/* each is a byte, or the end */
};

/* What the child has is what it had at the fork, or what it stored itself. */
static int run_kid(void *arg)
{
	struct kid *k = arg;
	char *map = k->r->file.map, byte;

	if (k->storer & CHILD)
		store_pages(map, CHILD_SEED);
	close(k->go[1]);
	if (write(k->ready[1], "", 1) != 1 || read(k->go[0], &byte, 1) < 0)
		return -EIO;
	return pages_are(map + PIN, k->storer & CHILD ? CHILD_SEED : OP_SEED) ? 0 : -EILSEQ;
}

/* The child looks at its memory, and is gone. */
static void end_kid(struct __test_metadata *_metadata, struct rig *r, struct kid *k)
{
	close(k->go[1]);
	EXPECT_EQ(0, dp_child_wait(&r->racer, RETURN_MS))
		TH_LOG("the child has data that is not its own");
}

static void fork_pinned(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
			enum storer storer, bool live)
{
	struct kid k = { .r = r, .storer = storer };
	struct collision c = { .pin = PIN };
	char byte;

	r->c = &c;
	r->kind = kind;
	take_pin(_metadata, r);
	ASSERT_EQ(0, pipe2(k.ready, O_CLOEXEC) | pipe2(k.go, O_CLOEXEC));
	ASSERT_EQ(0, dp_child_start(&r->racer, run_kid, &k));
	close(k.go[0]);
	ASSERT_EQ(1, read(k.ready[0], &byte, 1));
	if (!live)
		end_kid(_metadata, r, &k);
	if (storer & PARENT)
		store_pages(r->file.map, OTHER_SEED);
	TH_LOG("witness: refs=%d child=%d", dp_pfn_refs(r->pfn), r->racer.pid != 0);
	ASSERT_EQ(0, unpin(r));
	if (live)
		end_kid(_metadata, r, &k);
}

/* The device has the memory of the process that asked it, before or after its store. */
static void check_fork(struct __test_metadata *_metadata, struct rig *r, enum storer storer)
{
	uint64_t own = storer & PARENT ? OTHER_SEED : OP_SEED;

	if (reads(r))
		EXPECT_TRUE(pages_are(r->seen, own) || pages_are(r->seen, OP_SEED))
			TH_LOG("the device got data that the process never had");
	EXPECT_TRUE(pages_are(r->file.map + PIN, writes(r) ? DEV_SEED : own))
		TH_LOG("the process does not have what %s",
		       writes(r) ? "the device wrote" : "it stored");
}

TEST_F_TIMEOUT(fork, vmsplice, ROW_S)
{
	fork_pinned(_metadata, &self->r, DP_PIN_VMSPLICE, variant->storer, variant->live);
	check_fork(_metadata, &self->r, variant->storer);
}

TEST_F_TIMEOUT(fork, aio_write, ROW_S)
{
	fork_pinned(_metadata, &self->r, DP_PIN_AIO_WRITE, variant->storer, variant->live);
	check_fork(_metadata, &self->r, variant->storer);
}

TEST_F_TIMEOUT(fork, aio_read, ROW_S)
{
	fork_pinned(_metadata, &self->r, DP_PIN_AIO_READ, variant->storer, variant->live);
	check_fork(_metadata, &self->r, variant->storer);
}

/*
 * Blocks that two files share
 */

struct pair {
	struct rig r;
	int	   other;
	char	   name[32];	/* of that */
	uint64_t   seed;	/* of what its pages have after the operation */
	char	   *want, *got;
};

FIXTURE(shared) {
	struct pair p;
};

FIXTURE_VARIANT(shared) {
	enum dp_map	 map;
	const struct op	*op;
	uint64_t	 seed;		/* of what the pages have after it */
};

/* In a child, which has no page tables of the file yet. */
static int run_store(struct rig *r)
{
	store_pages(r->file.map, OP_SEED);
	return 0;
}

static int run_write(struct rig *r)
{
	char data[PIN_LEN];

	dp_data_fill(data, PIN_LEN, PIN, OP_SEED);
	return pwrite(r->file.fd, data, PIN_LEN, PIN) == PIN_LEN ? 0 : -errno;
}

/* No PMD fits into the mapping: it is a PTE that is written to. */
static int run_store_small(struct rig *r)
{
	char *map = mmap(NULL, PIN_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, r->file.fd, PIN);

	if (map == MAP_FAILED)
		return -errno;
	dp_data_fill(map, PIN_LEN, PIN, OP_SEED);
	return 0;
}

/* It is a PTE that is read, too. */
static int run_read_small(struct rig *r)
{
	char *map = mmap(NULL, PIN_LEN, PROT_READ, MAP_SHARED, r->file.fd, PIN);

	if (map == MAP_FAILED)
		return -errno;
	return pages_are(map, FILE_SEED) ? 0 : -EILSEQ;
}

/* The PMD goes when a part of its mapping does, and what is left of that is too small for one. */
static int run_read_cut(struct rig *r)
{
	if (!pages_are(r->file.map + PIN, FILE_SEED))
		return -EILSEQ;
	if (munmap(r->file.map + PMD / 2, PMD / 2))
		return -errno;
	return pages_are(r->file.map + PIN, FILE_SEED) ? 0 : -EILSEQ;
}

static const struct op store = { run_store };
static const struct op store_small = { run_store_small };
static const struct op read_small = { run_read_small };
static const struct op read_cut = { run_read_cut };
static const struct op write_op = { run_write };

FIXTURE_VARIANT_ADD(shared, store_pte) { DP_MAP_PTE, &store, OP_SEED };
FIXTURE_VARIANT_ADD(shared, write_pte) { DP_MAP_PTE, &write_op, OP_SEED };
FIXTURE_VARIANT_ADD(shared, store_pmd) { DP_MAP_PMD, &store, OP_SEED };
FIXTURE_VARIANT_ADD(shared, write_pmd) { DP_MAP_PMD, &write_op, OP_SEED };
FIXTURE_VARIANT_ADD(shared, small_in_pmd) { DP_MAP_PMD, &store_small, OP_SEED };
FIXTURE_VARIANT_ADD(shared, read_small_in_pmd) { DP_MAP_PMD, &read_small, FILE_SEED };
FIXTURE_VARIANT_ADD(shared, read_cut_in_pmd) { DP_MAP_PMD, &read_cut, FILE_SEED };

/* Nobody has a page of the file pinned. */
static int run_clone(void *arg)
{
	struct pair *p = arg;

	return clone_file(p->other, p->r.file.fd);
}

/*
 * The other file stays: when the kernel loses count of the references of a block, no file
 * of a later row gets that one.
 */
static void clone_kept(struct __test_metadata *_metadata, struct pair *p)
{
	snprintf(p->name, sizeof(p->name), "kept-%d", getpid());
	p->other = openat(p->r.file.dir, p->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_GE(p->other, 0);
	ASSERT_EQ(0, dp_child_start(&p->r.racer, run_clone, p));
	ASSERT_EQ(0, dp_child_wait(&p->r.racer, SOON_MS))
		TH_LOG("a clone of a file that nobody has pinned does not end");
}

FIXTURE_SETUP(shared)
{
	off_t len = len_for(variant->map, LEN);

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, &self->p.r, variant->map, len);
	self->p.seed = variant->seed;
	clone_kept(_metadata, &self->p);
	ASSERT_EQ(0, madvise(self->p.r.file.map, len, MADV_POPULATE_READ));
	self->p.want = malloc(2 * len);
	ASSERT_NE(NULL, self->p.want);
	self->p.got = self->p.want + len;
}

FIXTURE_TEARDOWN(shared)
{
	rig_close(&self->p.r);
	if (self->p.other > 0)
		close(self->p.other);
	free(self->p.want);
}

static void check_shared(struct __test_metadata *_metadata, struct pair *p)
{
	struct rig *r = &p->r;
	ssize_t len = r->file.len;

	dp_data_fill(p->want, len, 0, FILE_SEED);
	ASSERT_EQ(len, pread(p->other, p->got, len, 0));
	EXPECT_EQ(-1, dp_data_differ(p->want, p->got, len))
		TH_LOG("the other file has wrong data, from the offset that is seen on");
	dp_data_fill(p->want + PIN, PIN_LEN, writes(r) ? 0 : PIN,
		     writes(r) ? DEV_SEED : p->seed);
	ASSERT_EQ(len, pread(r->file.fd, p->got, len, 0));
	EXPECT_EQ(-1, dp_data_differ(p->want, p->got, len))
		TH_LOG("the file has wrong data, from the offset that is seen on");
	EXPECT_EQ(-1, dp_data_differ(p->got, r->file.map, len))
		TH_LOG("the mapping has other data than read(2), from the offset that is seen on");
	if (reads(r))
		EXPECT_TRUE(pages_are(r->seen, FILE_SEED))
			TH_LOG("the device got other data than the pinned pages held");
	ASSERT_EQ(0, fsync(r->file.fd));
}

static void diverge(struct __test_metadata *_metadata, struct pair *p,
		    const struct op *op, enum dp_pin_kind kind)
{
	struct collision c = { op, .off = PIN, .len = PIN_LEN, .pin = PIN, .outcome = RETURNS };
	struct rig *r = &p->r;
	bool same;
	uint64_t pfn;

	r->c = &c;
	r->kind = kind;
	if (kind == DP_PIN_AIO_WRITE)
		check_io_ends(_metadata, r, PIN);
	/* To pin a page for a device that writes is to write to it. */
	if (dp_pin_writes(kind))
		ASSERT_EQ(0, madvise(r->file.map + PIN, PIN_LEN, MADV_POPULATE_WRITE));
	take_pin(_metadata, r);
	start_op(_metadata, r);
	ASSERT_LE(0, dp_page_refs(r->file.map + PIN, &pfn));
	TH_LOG("witness: pfn=%#lx new_pfn=%#lx", r->pfn, pfn);
	same = writes(r) || p->seed == FILE_SEED;
	EXPECT_EQ(same, r->pfn == pfn)
		TH_LOG("the file has %s block where the pin is", same ? "another" : "the same");
	drop_pin(_metadata, r);
	check_shared(_metadata, p);
}

TEST_F_TIMEOUT(shared, none, ROW_S)
{
	diverge(_metadata, &self->p, variant->op, DP_PIN_NONE);
}

/* The kernel forgets the files, and meets them for the first time. */
static void remount(struct __test_metadata *_metadata, struct pair *p)
{
	struct dp_file *f = &p->r.file;
	struct place place = { 0 };

	ASSERT_EQ(0, place_find(&place));
	close(p->other);
	ASSERT_EQ(0, place_again(&place, f));
	p->other = openat(f->dir, p->name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, p->other);
}

/* Pages of a copy are like any others. */
TEST_F_TIMEOUT(shared, remounted, ROW_S)
{
	struct pair *p = &self->p;

	if (!getenv("DAXPIN_GUEST"))
		SKIP(return, "somebody may need the file system: not in a guest of daxpin");
	diverge(_metadata, p, variant->op, DP_PIN_NONE);
	remount(_metadata, p);
	check_shared(_metadata, p);
}

TEST_F_TIMEOUT(shared, vmsplice, ROW_S)
{
	diverge(_metadata, &self->p, variant->op, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(shared, aio_read, ROW_S)
{
	diverge(_metadata, &self->p, variant->op, DP_PIN_AIO_READ);
}

TEST_F_TIMEOUT(shared, aio_write, ROW_S)
{
	diverge(_metadata, &self->p, variant->op, DP_PIN_AIO_WRITE);
}

/*
 * The same blocks, mapped by a page of one file and by a PMD of its clone
 */

FIXTURE(clones) {
	struct pair p;
};

FIXTURE_VARIANT(clones) {
	off_t page;		/* that is mapped of the first one */
};

FIXTURE_VARIANT_ADD(clones, first_page) { 0 };
FIXTURE_VARIANT_ADD(clones, later_page) { PIN };

FIXTURE_SETUP(clones)
{
	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	rig_open(_metadata, &self->p.r, DP_MAP_PTE, PMD);
	clone_kept(_metadata, &self->p);
	/* The device has a target once it has been suspended. */
	ASSERT_EQ(0, dp_dev_suspend(&self->p.r.dev));
	ASSERT_EQ(0, dp_dev_resume(&self->p.r.dev));
}

FIXTURE_TEARDOWN(clones)
{
	rig_close(&self->p.r);
	if (self->p.other > 0)
		close(self->p.other);
}

/* All of the clone through a mapping that has room for a PMD, and a part by direct I/O. */
static int run_read_clone(void *arg)
{
	struct pair *p = arg;
	char *map = dp_map_shared(p->other, PMD, DP_MAP_PMD);

	if (map == MAP_FAILED)
		return -errno;
	for (off_t off = 0; off < PMD; off += PIN_LEN) {
		char want[PIN_LEN];

		dp_data_fill(want, PIN_LEN, off, FILE_SEED);
		if (memcmp(want, map + off, PIN_LEN))
			return -EILSEQ;
	}
	return pwrite(p->r.dev.fd, map + PIN, PIN_LEN, 0) == PIN_LEN ? 0 : -errno;
}

TEST_F_TIMEOUT(clones, read, ROW_S)
{
	struct rig *r = &self->p.r;
	char *page = r->file.map + variant->page;
	struct dp_events pmds = { 0 };
	uint64_t pfn;
	int idle, err;

	idle = dp_page_refs(page, &pfn);
	ASSERT_LE(0, idle);
	ASSERT_EQ(0, dp_events_open(&pmds, "fs_dax/dax_pmd_fault_done", NULL, DP_ANYBODYS));
	ASSERT_EQ(0, dp_child_start(&r->racer, run_read_clone, &self->p));
	err = dp_child_wait(&r->racer, SETTLE_MS);
	TH_LOG("witness: pfn=%#lx idle=%d pmd_faults=%ld result=%d", pfn, idle,
	       dp_events_count(&pmds), err);
	EXPECT_LT(0, dp_events_count(&pmds));
	dp_events_close(&pmds);
	EXPECT_EQ(0, err)
		TH_LOG("a clone cannot be read while a page of the other file is mapped");
	ASSERT_EQ(0, madvise(r->file.map, PMD, MADV_DONTNEED));
	EXPECT_EQ(idle, dp_pfn_refs(pfn))
		TH_LOG("the page that was mapped has other references than before");
	EXPECT_EQ(idle, dp_pfn_refs(pfn - variant->page / PAGE))
		TH_LOG("the first page of the PMD has other references than it should");
}

TEST_HARNESS_MAIN
