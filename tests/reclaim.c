// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is short while a device has pages of a DAX file.
 *
 * There is nothing to gain from a DAX file: its pages are the storage.  Whoever looks
 * for memory leaves its entries and its inode alone, pinned or not, and waits for
 * nobody.  Each row has one of those look, sees in /proc/vmstat that it did, and wants
 * the same page where it was, and the data.
 */
#include "place.h"
#include "rig.h"

#define LEN		(16 * PAGE)
#define PIN		(6 * PAGE)	/* pages 6 to 9 */
#define PIN_IN_PMD	(PMD / 2)

#define CHUNK		1048576UL
#define RECLAIM_BYTES	(4 * CHUNK)
#define LOOK_MS		60000	/* until kswapd runs, all memory has to be read full */

/* Who looks for memory, and the tracepoint that tells, or NULL. */
struct agent {
	int		(*run)(struct dp_events *seen);	/* 0 or -errno, -ENODATA: had no effect */
	const char	*event;
};

/* Page cache of the block device @path, until something is seen or there is no more. */
static int read_device(const char *path, struct dp_events *seen, size_t max)
{
	char *buf = malloc(CHUNK);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !buf ? -1 : 1;

	for (size_t done = 0; n > 0 && done < max && !dp_events_count(seen); done += n)
		n = read(fd, buf, CHUNK);
	if (fd >= 0)
		close(fd);
	free(buf);
	return n < 0 ? -EIO : 0;
}

/* What the page cache has of the device is gone afterwards. */
static int drop(const char *mode)
{
	int fd = open(getenv("DAXPIN_RAMDISK"), O_RDONLY | O_CLOEXEC), err = -EIO;
	char page[PAGE];
	long left = -1;

	if (fd < 0)
		return -errno;
	if (pread(fd, page, PAGE, 0) == PAGE && dp_file_resident(fd, 0, PAGE) == 1)
		err = dp_knob_set("/proc/sys/vm/drop_caches", mode);
	left = dp_file_resident(fd, 0, PAGE);
	close(fd);
	return err ?: left ? -ENODATA : 0;
}

static int drop_pages(struct dp_events *seen)
{
	(void)seen;
	return drop("1");
}

static int drop_slab(struct dp_events *seen)
{
	(void)seen;
	return dp_knob_set("/proc/sys/vm/drop_caches", "2");
}

static int drop_both(struct dp_events *seen)
{
	(void)seen;
	return drop("3");
}

static int compact(struct dp_events *seen)
{
	(void)seen;
	return dp_knob_set("/proc/sys/vm/compact_memory", "1");
}

/* Pages that the group can give are there first; what it does not get is no error. */
static int reclaim_group(struct dp_events *seen)
{
	int err = read_device(getenv("DAXPIN_RAMDISK"), seen, RECLAIM_BYTES);

	if (err)
		return err;
	err = dp_cgroup_reclaim(RECLAIM_BYTES);
	return err == -EAGAIN ? 0 : err;
}

/* The device of the file system has more bytes than the machine has memory. */
static int wake_kswapd(struct dp_events *seen)
{
	struct place place;
	int err = place_find(&place);

	return err ?: read_device(place.device, seen, SIZE_MAX);
}

static const struct agent pages = { drop_pages };
static const struct agent slab = { drop_slab, "vmscan/mm_shrink_slab_end" };
static const struct agent both = { drop_both, "vmscan/mm_shrink_slab_end" };
static const struct agent compaction = { compact, "compaction/mm_compaction_begin" };
static const struct agent group = { reclaim_group, "vmscan/mm_vmscan_lru_shrink_inactive" };
static const struct agent kswapd = { wake_kswapd, "vmscan/mm_vmscan_kswapd_wake" };

static int look(const struct agent *a)
{
	struct dp_events seen;
	int err;

	if (!a->event)
		return a->run(NULL);
	err = dp_events_open(&seen, a->event, NULL, DP_ANYBODYS);
	if (err)
		return err;
	err = a->run(&seen);
	if (!err && dp_events_count(&seen) <= 0)
		err = -ENODATA;
	dp_events_close(&seen);
	return err;
}

struct stage {
	struct rig		r;
	const struct agent	*agent;
};

static int run_agent(struct rig *r)
{
	return look(((struct stage *)r)->agent);
}

static const struct op agent_op = { run_agent };
static const struct collision c_pte = { &agent_op, .pin = PIN, .outcome = RETURNS };
static const struct collision c_pmd = { &agent_op, .pin = PIN_IN_PMD, .outcome = RETURNS };

FIXTURE(reclaim) {
	struct stage s;
	const struct collision *c;
};

FIXTURE_VARIANT(reclaim) {
	const struct agent *agent;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(reclaim, pages_pte)	 { &pages,      DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, pages_pmd)	 { &pages,      DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, slab_pte)	 { &slab,       DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, slab_pmd)	 { &slab,       DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, both_pte)	 { &both,       DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, both_pmd)	 { &both,       DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, compact_pte) { &compaction, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, compact_pmd) { &compaction, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, group_pte)	 { &group,      DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, group_pmd)	 { &group,      DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, kswapd_pte) { &kswapd,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, kswapd_pmd) { &kswapd,     DP_MAP_PMD };

FIXTURE_SETUP(reclaim)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (dp_cgroup_enter())
		SKIP(return, "no memory cgroup: /sys/fs/cgroup is not of version 2, or has none");
	rig_open(_metadata, &self->s.r, variant->map, variant->map == DP_MAP_PMD ? PMD : LEN);
	self->s.agent = variant->agent;
	self->s.r.settle_ms = LOOK_MS;
	self->c = variant->map == DP_MAP_PMD ? &c_pmd : &c_pte;
}

FIXTURE_TEARDOWN(reclaim)
{
	rig_close(&self->s.r);
}

TEST_F_TIMEOUT(reclaim, vmsplice, ROW_S)
{
	collide_with(_metadata, &self->s.r, DP_PIN_VMSPLICE, self->c);
}

TEST_F_TIMEOUT(reclaim, aio_read, ROW_S)
{
	collide_with(_metadata, &self->s.r, DP_PIN_AIO_READ, self->c);
}

TEST_F_TIMEOUT(reclaim, module_get_write, ROW_S)
{
	collide_with(_metadata, &self->s.r, DP_PIN_MODULE_GET_WRITE, self->c);
}

TEST_F_TIMEOUT(reclaim, module_pin_write, ROW_S)
{
	collide_with(_metadata, &self->s.r, DP_PIN_MODULE_PIN_WRITE, self->c);
}

/* Nobody has the file open or mapped any more, only the device has its page. */
static void leave(struct __test_metadata *_metadata, struct rig *r)
{
	unmap(_metadata, r);
	close(r->file.fd);
	r->file.fd = -1;
}

static void come_back(struct __test_metadata *_metadata, struct rig *r)
{
	r->file.fd = openat(r->file.dir, r->file.name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, r->file.fd);
	ASSERT_EQ(r->file.map, mmap(r->file.map, r->file.len, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, r->file.fd, 0));
}

static void forget(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
		   const struct collision *c)
{
	struct rig *r = &s->r;
	struct stat before, after;
	uint64_t pfn;
	int err;

	r->c = c;
	r->kind = kind;
	take_pin(_metadata, r);
	ASSERT_EQ(0, fstat(r->file.fd, &before));
	leave(_metadata, r);
	err = look(s->agent);
	TH_LOG("witness: looked=%d refs=%d", err, dp_pfn_refs(r->pfn));
	ASSERT_EQ(0, err);
	EXPECT_LT(r->pin.idle - 1, dp_pfn_refs(r->pfn));	/* less its mapping */
	come_back(_metadata, r);
	ASSERT_LE(0, dp_page_refs(r->file.map + c->pin, &pfn));
	EXPECT_EQ(r->pfn, pfn)
		TH_LOG("the file has another block where the pin is");
	ASSERT_EQ(0, fstat(r->file.fd, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_blocks, after.st_blocks);
	ASSERT_EQ(0, unpin(r));
	check_data(_metadata, r);
}

TEST_F_TIMEOUT(reclaim, closed_vmsplice, ROW_S)
{
	forget(_metadata, &self->s, DP_PIN_VMSPLICE, self->c);
}

TEST_F_TIMEOUT(reclaim, closed_aio_read, ROW_S)
{
	forget(_metadata, &self->s, DP_PIN_AIO_READ, self->c);
}

TEST_F_TIMEOUT(reclaim, closed_module_pin_write, ROW_S)
{
	forget(_metadata, &self->s, DP_PIN_MODULE_PIN_WRITE, self->c);
}

TEST_HARNESS_MAIN
