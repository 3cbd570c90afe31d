// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is short while a device has pages of a DAX file.
 *
 * There is nothing to gain from a DAX file: its pages are the storage.  Whoever looks
 * for memory leaves its entries and its inode alone, pinned or not, and waits for
 * nobody.  Each row has one of those look, sees in /proc/vmstat that it did, and wants
 * the same page where it was, and the data.
 */
#include "cleaner.h"
#include "place.h"
#include "rig.h"

#define LEN		(16 * PAGE)
#define PIN		(6 * PAGE)	/* pages 6 to 9 */
#define PIN_IN_PMD	(PMD / 2)

#define CHUNK		1048576UL
#define GROUP_BYTES	(4 * CHUNK)	/* of page cache that the group can give */
#define LOOK_MS		60000	/* until kswapd runs, all memory has to be read full */

struct stage {
	struct rig		 r;
	struct prey		 prey;		/* beside: a page of the RAM disk */
	const struct cleaner	*agent;
};

static const char *nobody_looked(const struct prey *p)
{
	return dp_events_count(&p->seen) > 0 ? NULL : "nobody has looked for memory";
}

static const char *not_dropped(const struct prey *p)
{
	return beside_stays(p) ?: not_shrunk(p);
}

/* Page cache of the block device @path, until something is seen or there is no more. */
static int read_device(const char *path, const struct prey *p, size_t max)
{
	char *buf = malloc(CHUNK);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !buf ? -1 : 1;

	for (size_t done = 0; n > 0 && done < max && !dp_events_count(&p->seen); done += n)
		n = read(fd, buf, CHUNK);
	if (fd >= 0)
		close(fd);
	free(buf);
	return n < 0 ? -EIO : 0;
}

static int reclaim_group(struct prey *p)
{
	return read_device(getenv("DAXPIN_RAMDISK"), p, GROUP_BYTES) ?: clean_reclaim(p);
}

/* The device of the file system has more bytes than the machine has memory. */
static int wake_kswapd(struct prey *p)
{
	struct place place;
	int err = place_find(&place);

	return err ?: read_device(place.device, p, SIZE_MAX);
}

/* For a control: the pinned pages go after all, and the file gets others. */
static int steal(struct prey *p)
{
	const struct stage *s = (struct stage *)((char *)p - offsetof(struct stage, prey));
	int fd = openat(s->r.file.dir, s->r.file.name, O_RDWR | O_CLOEXEC), err = 0;
	char data[PIN_LEN];

	if (fd < 0)
		return -errno;
	dp_data_fill(data, PIN_LEN, PIN, FILE_SEED);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PIN, PIN_LEN) ||
	    pwrite(fd, data, PIN_LEN, PIN) != PIN_LEN)
		err = -errno;
	close(fd);
	return err;
}

static const char *done(const struct prey *p)
{
	(void)p;
	return NULL;
}

static const struct cleaner both = {
	"vmscan/mm_shrink_slab_end", NULL, clean_drop_all, not_dropped,
};

static const struct cleaner compaction = {
	"compaction/mm_compaction_begin", NULL, clean_compact, nobody_looked,
};

static const struct cleaner group = {
	"vmscan/mm_vmscan_lru_shrink_inactive", NULL, reclaim_group, nobody_looked,
};

static const struct cleaner kswapd = {
	"vmscan/mm_vmscan_kswapd_wake", NULL, wake_kswapd, nobody_looked,
};

static const struct cleaner thief = { .run = steal, .undone = done };

/* Once; -ENODATA when it has not done what it is for. */
static int look(struct stage *s)
{
	struct prey *p = &s->prey;
	char page[PAGE];
	int err;

	if (pread(p->beside, page, PAGE, 0) != PAGE || dp_file_resident(p->beside, 0, PAGE) != 1)
		return -EIO;
	err = prey_watch(p, s->agent) ?: s->agent->run(p);
	if (!err && s->agent->undone(p))
		err = -ENODATA;
	dp_events_close(&p->seen);
	return err;
}

static int run_agent(struct rig *r)
{
	return look((struct stage *)r);
}

static const struct op agent_op = { run_agent };
static const struct collision c_pte = { &agent_op, .pin = PIN, .outcome = RETURNS };
static const struct collision c_pmd = { &agent_op, .pin = PIN_IN_PMD, .outcome = RETURNS };

FIXTURE(reclaim) {
	struct stage s;
	const struct collision *c;
};

FIXTURE_VARIANT(reclaim) {
	const struct cleaner *agent;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(reclaim, pages_pte)	 { &cleaner_drop_caches, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, pages_pmd)	 { &cleaner_drop_caches, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, slab_pte)	 { &cleaner_drop_slab, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, slab_pmd)	 { &cleaner_drop_slab, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, both_pte)	 { &both, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, both_pmd)	 { &both, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, compact_pte) { &compaction, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, compact_pmd) { &compaction, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, group_pte)	 { &group, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, group_pmd)	 { &group, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, kswapd_pte) { &kswapd, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(reclaim, kswapd_pmd) { &kswapd, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(reclaim, thief_pte)	 { &thief, DP_MAP_PTE };

FIXTURE_SETUP(reclaim)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (dp_cgroup_enter())
		SKIP(return, "no memory cgroup: /sys/fs/cgroup is not of version 2, or has none");
	rig_open(_metadata, &self->s.r, variant->map, len_for(variant->map, LEN));
	self->s.prey.beside = open(getenv("DAXPIN_RAMDISK"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->s.prey.beside);
	self->s.prey.len = PAGE;
	self->s.agent = variant->agent;
	self->s.r.settle_ms = LOOK_MS;
	self->c = variant->map == DP_MAP_PMD ? &c_pmd : &c_pte;
}

FIXTURE_TEARDOWN(reclaim)
{
	close(self->s.prey.beside);
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
	ASSERT_EQ(0, unmap(r));
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
	err = look(s);
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
