// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on a pinned part of a file that give no block up.
 *
 * They have no reason to wait for a pin, and must not wait: the holder may be
 * whoever calls them.  The file keeps its blocks, the device sees what is written
 * meanwhile, and what the device writes comes last.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "rig.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)		/* pages 6 to 9 */

#define RANGE_ALL	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | \
			 SYNC_FILE_RANGE_WAIT_AFTER)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

/* write(2) and its like */

static void written(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, OP_SEED, c->off);
	if (c->off + c->len > x->size)
		x->size = c->off + c->len;
}

static int write_to(int fd, const struct collision *c)
{
	void *buf;
	ssize_t n;

	if (posix_memalign(&buf, PAGE, c->len))
		return -ENOMEM;
	dp_data_fill(buf, c->len, c->off, OP_SEED);
	n = pwrite(fd, buf, c->len, c->off);
	if (n < 0)
		n = -errno;
	free(buf);
	return n < 0 ? n : n == c->len ? 0 : -EIO;
}

static int run_write(struct rig *r)
{
	return write_to(r->file.fd, r->c);
}

/* mode: more flags of open(2). */
static int run_write_open(struct rig *r)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->file.fd);
	fd = open(path, O_RDWR | O_CLOEXEC | r->c->mode);
	if (fd < 0)
		return -errno;
	err = write_to(fd, r->c);
	close(fd);
	return err;
}

static int run_store(struct rig *r)
{
	dp_data_fill(r->file.map + r->c->off, r->c->len, r->c->off, OP_SEED);
	return 0;
}

/* Reading, and cleaning */

static int run_read(struct rig *r)
{
	char want[PIN_LEN], got[PIN_LEN];

	dp_data_fill(want, PIN_LEN, PIN, FILE_SEED);
	if (pread(r->file.fd, got, PIN_LEN, PIN) != PIN_LEN)
		return -errno;
	return memcmp(want, got, PIN_LEN) ? -EILSEQ : 0;
}

static int run_fsync(struct rig *r)
{
	return fsync(r->file.fd) ? -errno : 0;
}

static int run_sync_range(struct rig *r)
{
	return sync_file_range(r->file.fd, 0, 0, r->c->mode) ? -errno : 0;
}

static int run_syncfs(struct rig *r)
{
	return syncfs(r->file.fd) ? -errno : 0;
}

static int run_msync(struct rig *r)
{
	return msync(r->file.map, r->file.len, r->c->mode) ? -errno : 0;
}

static int run_fadvise(struct rig *r)
{
	return -posix_fadvise(r->file.fd, 0, r->file.len, r->c->mode);
}

/* Mappings: whoever changes them has the pages mapped before. */

static int populate(struct rig *r)
{
	return madvise(r->file.map, r->file.len, MADV_POPULATE_WRITE) ? -errno : 0;
}

/* It still maps what it did. */
static int run_again(struct rig *r, const char *map)
{
	char want[PIN_LEN];

	dp_data_fill(want, PIN_LEN, PIN, FILE_SEED);
	return memcmp(want, map + PIN, PIN_LEN) ? -EILSEQ : 0;
}

static int run_madvise(struct rig *r)
{
	int err = populate(r);

	if (err)
		return err;
	if (madvise(r->file.map, r->file.len, r->c->mode))
		return -errno;
	return run_again(r, r->file.map);
}

static int run_mprotect(struct rig *r)
{
	int err = populate(r);

	if (err)
		return err;
	if (mprotect(r->file.map, r->file.len, PROT_READ))
		return -errno;
	err = run_again(r, r->file.map);
	if (!err && mprotect(r->file.map, r->file.len, PROT_READ | PROT_WRITE))
		err = -errno;
	return err;
}

/* A child gets page tables, and no page of its own. */
static int run_fork(struct rig *r)
{
	int err = populate(r), status;
	pid_t pid;

	if (err)
		return err;
	pid = fork();
	if (!pid)
		_exit(!!run_again(r, r->file.map));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -ECHILD : run_again(r, r->file.map);
}

static int run_mremap(struct rig *r)
{
	int err = populate(r);
	char *map;

	if (err)
		return err;
	map = mmap(NULL, r->file.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	map = mremap(r->file.map, r->file.len, r->file.len, MREMAP_MAYMOVE | MREMAP_FIXED, map);
	if (map == MAP_FAILED)
		return -errno;
	r->file.map = map;
	return run_again(r, map);
}

static int run_munmap(struct rig *r)
{
	int err = populate(r);

	if (err)
		return err;
	return munmap(r->file.map, r->file.len) ? -errno : 0;
}

/* A copy of the pinned pages is made, and stays one. */
static int run_private(struct rig *r)
{
	char *map = mmap(NULL, r->file.len, PROT_READ | PROT_WRITE, MAP_PRIVATE, r->file.fd, 0);
	int err;

	if (map == MAP_FAILED)
		return -errno;
	err = run_again(r, map);
	dp_data_fill(map + PIN, PIN_LEN, PIN, OP_SEED);
	if (!err)
		err = run_again(r, r->file.map);
	return err;
}

/* Another process writes to the pinned pages by their address, as a debugger does. */
static int run_mem_write(struct rig *r)
{
	char path[64], data[PIN_LEN];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dp_data_fill(data, r->c->len, r->c->off, OP_SEED);
	if (pwrite(fd, data, r->c->len, (uintptr_t)r->file.map + r->c->off) != r->c->len)
		err = -errno;
	close(fd);
	return err;
}

/* Where the blocks are. */
static int run_fiemap(struct rig *r)
{
	struct fiemap m = { .fm_length = r->file.len, .fm_flags = FIEMAP_FLAG_SYNC };

	return ioctl(r->file.fd, FS_IOC_FIEMAP, &m) ? -errno : m.fm_mapped_extents ? 0 : -EIO;
}

static const struct op write_op = { run_write, written };
static const struct op write_open = { run_write_open, written };
static const struct op store = { run_store, written };
static const struct op mem_write = { run_mem_write, written };
static const struct op read_op = { run_read };
static const struct op fsync_op = { run_fsync };
static const struct op sync_range = { run_sync_range };
static const struct op syncfs_op = { run_syncfs };
static const struct op msync_op = { run_msync };
static const struct op fadvise = { run_fadvise };
static const struct op madvise_op = { run_madvise };
static const struct op mprotect_op = { run_mprotect };
static const struct op fork_op = { run_fork };
static const struct op mremap_op = { run_mremap };
static const struct op munmap_op = { run_munmap };
static const struct op private = { run_private };
static const struct op fiemap = { run_fiemap };

FIXTURE(keep) {
	struct rig r;
};

FIXTURE_VARIANT(keep) {
	struct collision c;
};

/* Data comes into the pinned pages, by all ways that there are. */
FIXTURE_VARIANT_ADD(keep, write)
	{ { &write_op,   0,        PIN,           PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_head)
	{ { &write_op,   0,        PIN - 100,     PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_in_page)
	{ { &write_op,   0,        PIN + 5000,    300,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_behind)
	{ { &write_op,   0,        PIN + PIN_LEN, PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_all)
	{ { &write_op,   0,        0,             LEN,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_grow)
	{ { &write_op,   0,        LEN - 100,     PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, write_far)
	{ { &write_op,   0,        LEN + PAGE,    PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, direct)
	{ { &write_open, O_DIRECT, PIN,           PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, direct_page)
	{ { &write_open, O_DIRECT, PIN + PAGE,    PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, direct_all)
	{ { &write_open, O_DIRECT, 0,             LEN,      PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, direct_behind)
	{ { &write_open, O_DIRECT, PIN + PIN_LEN, PAGE,     PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, sync_write)
	{ { &write_open, O_SYNC,   PIN,           PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, store)
	{ { &store,      0,        PIN,           PIN_LEN,  PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep, mem_write)
	{ { &mem_write,  0,        PIN + PAGE,    2 * PAGE, PIN, RETURNS } };
/* It is read, cleaned, looked at. */
FIXTURE_VARIANT_ADD(keep, read)
	{ { &read_op,    .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, fsync)
	{ { &fsync_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, sync_range)
	{ { &sync_range, RANGE_ALL,               SYNC_FILE_RANGE_WAIT_AFTER, .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, syncfs)
	{ { &syncfs_op,  .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, msync)
	{ { &msync_op,   MS_SYNC,                 .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, msync_async)
	{ { &msync_op,   MS_ASYNC,                .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, msync_invalid)
	{ { &msync_op,   MS_SYNC | MS_INVALIDATE, .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, fadv_dontneed)
	{ { &fadvise,    POSIX_FADV_DONTNEED,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, fadv_willneed)
	{ { &fadvise,    POSIX_FADV_WILLNEED,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, fiemap)
	{ { &fiemap,     .pin = PIN } };
/* Page tables change. */
FIXTURE_VARIANT_ADD(keep, mprotect)       { { &mprotect_op, .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, fork)           { { &fork_op,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, mremap)         { { &mremap_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, munmap)         { { &munmap_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, private)        { { &private,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, dontneed)       { { &madvise_op,  MADV_DONTNEED,       .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, cold)           { { &madvise_op,  MADV_COLD,           .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, pageout)        { { &madvise_op,  MADV_PAGEOUT,        .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, willneed)       { { &madvise_op,  MADV_WILLNEED,       .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, populate_read)  { { &madvise_op,  MADV_POPULATE_READ,  .pin = PIN } };
FIXTURE_VARIANT_ADD(keep, populate_write) { { &madvise_op,  MADV_POPULATE_WRITE, .pin = PIN } };
/* Of anonymous memory alone. */
FIXTURE_VARIANT_ADD(keep, free) { { &madvise_op, MADV_FREE, .pin = PIN, .err = EINVAL } };

FIXTURE_SETUP(keep)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(keep)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(keep, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(keep, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_F_TIMEOUT(keep, dio_write, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_WRITE, &variant->c);
}

/*
 * The mapping through which the pin was taken changes, by its owner's hand: whatever
 * waits there for a device waits for itself.
 */

FIXTURE(own) {
	struct rig r;
};

FIXTURE_VARIANT(own) {
	struct collision c;
};

FIXTURE_VARIANT_ADD(own, mprotect)       { { &mprotect_op, .pin = PIN } };
FIXTURE_VARIANT_ADD(own, fork)           { { &fork_op,     .pin = PIN } };
FIXTURE_VARIANT_ADD(own, mremap)         { { &mremap_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(own, dontneed)       { { &madvise_op,  MADV_DONTNEED,       .pin = PIN } };
FIXTURE_VARIANT_ADD(own, cold)           { { &madvise_op,  MADV_COLD,           .pin = PIN } };
FIXTURE_VARIANT_ADD(own, pageout)        { { &madvise_op,  MADV_PAGEOUT,        .pin = PIN } };
FIXTURE_VARIANT_ADD(own, populate_read)  { { &madvise_op,  MADV_POPULATE_READ,  .pin = PIN } };
FIXTURE_VARIANT_ADD(own, populate_write) { { &madvise_op,  MADV_POPULATE_WRITE, .pin = PIN } };
FIXTURE_VARIANT_ADD(own, free) { { &madvise_op, MADV_FREE, .pin = PIN, .err = EINVAL } };

FIXTURE_SETUP(own)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
}

FIXTURE_TEARDOWN(own)
{
	rig_close(&self->r);
}

/* If this hangs the harness ends the row: these pins go with their process. */
static void change_own(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
		       const struct collision *c)
{
	r->kind = kind;
	r->c = c;
	take_pin(_metadata, r);
	ASSERT_EQ(-op_err(r), c->op->run(r));
	if (r->file.dax)
		EXPECT_LT(r->pin.idle, dp_pfn_refs(r->pfn))
			TH_LOG("the pin has gone with the mapping");
	check_frame(_metadata, r);
	ASSERT_EQ(0, unpin(r));
	check_data(_metadata, r);
	check_refs(_metadata, r);
}

TEST_F_TIMEOUT(own, vmsplice, ROW_S)
{
	change_own(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(own, module_get_read, ROW_S)
{
	change_own(_metadata, &self->r, DP_PIN_MODULE_GET_READ, &variant->c);
}

TEST_F_TIMEOUT(own, module_pin_write, ROW_S)
{
	change_own(_metadata, &self->r, DP_PIN_MODULE_PIN_WRITE, &variant->c);
}

/*
 * The same of a pin in a PMD
 */

FIXTURE(keep_pmd) {
	struct rig r;
};

FIXTURE_VARIANT(keep_pmd) {
	struct collision c;
};

FIXTURE_VARIANT_ADD(keep_pmd, write)
	{ { &write_op,   0,        PIN, PIN_LEN,             PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep_pmd, direct)
	{ { &write_open, O_DIRECT, PIN, PIN_LEN,             PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep_pmd, store)
	{ { &store,      0,        PIN, PIN_LEN,             PIN, RETURNS } };
FIXTURE_VARIANT_ADD(keep_pmd, fsync)          { { &fsync_op,    .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, msync)          { { &msync_op,    MS_SYNC, .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, mprotect)       { { &mprotect_op, .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, fork)           { { &fork_op,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, mremap)         { { &mremap_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, munmap)         { { &munmap_op,   .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, private)        { { &private,     .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, dontneed)       { { &madvise_op,  MADV_DONTNEED,       .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, cold)           { { &madvise_op,  MADV_COLD,           .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, pageout)        { { &madvise_op,  MADV_PAGEOUT,        .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, willneed)       { { &madvise_op,  MADV_WILLNEED,       .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, populate_read)  { { &madvise_op,  MADV_POPULATE_READ,  .pin = PIN } };
FIXTURE_VARIANT_ADD(keep_pmd, populate_write) { { &madvise_op,  MADV_POPULATE_WRITE, .pin = PIN } };

FIXTURE_SETUP(keep_pmd)
{
	if (rig_missing(DP_MAP_PMD))
		SKIP(return, "%s", rig_missing(DP_MAP_PMD));
	rig_open(_metadata, &self->r, DP_MAP_PMD, PMD);
}

FIXTURE_TEARDOWN(keep_pmd)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(keep_pmd, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_VMSPLICE, &variant->c);
}

TEST_F_TIMEOUT(keep_pmd, dio_read, ROW_S)
{
	collide_with(_metadata, &self->r, DP_PIN_DIO_READ, &variant->c);
}

TEST_HARNESS_MAIN
