// SPDX-License-Identifier: GPL-2.0
/*
 * A device writes into a page of a page-cache file that was cleaned under its pin.
 *
 * To write to a shared mapping a page needs blocks, and what the file system keeps of
 * them with the page, its buffers; the fault that makes it writable sees to that
 * (->page_mkwrite()).  A pin to write faults like that, once.  Then write-back cleans and
 * write-protects the page, and who reclaims may take its buffers.  The device writes,
 * and the page is dirtied without a word to the file system
 * (https://lore.kernel.org/linux-mm/20180103100430.GE4911@quack2.suse.cz).  What the
 * device has written must be on the disk after the next fsync that succeeds.
 *
 * Each row is a device, and who cleans.  The premise is looked at before the device
 * writes: the pages are clean, and the cleaner did what it is for.
 */
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "cleaner.h"
#include "place.h"
#include "rig.h"
#include "room.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define LEN		PIN_LEN		/* all of the file is pinned */
#define KEPT		(256 * PAGE)	/* more than a CPU keeps of free folios */
#define SPARSE_LEN	(4L << 30)

#define CLEAN_MS	1000	/* background write-back, every 10 ms, is over */
#define DIRTY_MS	2000	/* the device's last page is made dirty */
#define LOOK_EVERY_MS	2
#define TRIES		8
#define ROUNDS		3
#define NOT_YET		1

#define ISOLATED	"compact_isolated"
#define KNOB_WAKE	"/proc/sys/vm/dirty_writeback_centisecs"
#define KNOB_OLD	"/proc/sys/vm/dirty_expire_centisecs"

struct stage {
	struct rig	r;
	struct place	place;
	struct prey	prey;
	struct room	room;
	struct dp_log	log;
	char		beside_name[32];
	long		isolated;	/* pages that compaction had taken before */
	bool		by_pin;		/* the holder's references are FOLL_PIN */
	bool		clean;		/* the pages, after write-back */
	bool		buffers;	/* the pages had some before */
	bool		kept;		/* and when the device wrote */
	bool		lost;
	int		rounds;		/* of write-back, until all was clean */
	int		synced;		/* the fsync after the device: 0 or -errno, NOT_YET */
};

/* How the pages get clean. */
struct writer {
	int	(*run)(struct stage *s);	/* 0 or -errno */
};

FIXTURE(writeback) {
	struct stage s;
};

FIXTURE_VARIANT(writeback) {
	enum dp_pin_kind kind;
};

FIXTURE_VARIANT_ADD(writeback, dio_read)	 { DP_PIN_DIO_READ };
FIXTURE_VARIANT_ADD(writeback, aio_read)	 { DP_PIN_AIO_READ };
FIXTURE_VARIANT_ADD(writeback, uring_read)	 { DP_PIN_URING_READ };
FIXTURE_VARIANT_ADD(writeback, fuse_read)	 { DP_PIN_FUSE_READ };
FIXTURE_VARIANT_ADD(writeback, module_get_write) { DP_PIN_MODULE_GET_WRITE };
FIXTURE_VARIANT_ADD(writeback, module_pin_write) { DP_PIN_MODULE_PIN_WRITE };
FIXTURE_VARIANT_ADD(writeback, vm_write)	 { DP_PIN_VM_WRITE };

/*
 * Set-up
 */

/*
 * A journal keeps buffers until it is checkpointed; as an ioctl() that is known since
 * 5.14 (include/uapi/linux/ext4.h, which older headers lack).
 */
static int checkpoint(const struct stage *s)
{
#define IOC_CHECKPOINT	_IOW('f', 43, uint32_t)
	uint32_t flags = 0;

	if (!strstr(s->place.options, "data=journal"))
		return 0;
	return ioctl(s->r.file.dir, IOC_CHECKPOINT, &flags) ? -errno : 0;
}

/* A file in the page cache, clean and not mapped. */
static int open_beside(struct stage *s, const char *dir)
{
	char data[LEN], path[192];
	int fd;

	snprintf(s->beside_name, sizeof(s->beside_name), "beside-%d", getpid());
	snprintf(path, sizeof(path), "%s/%s", dir, s->beside_name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	dp_data_fill(data, LEN, 0, OTHER_SEED);
	/* Once more when the journal is empty: nothing but the page cache has it then. */
	if (pwrite(fd, data, LEN, 0) != LEN || fsync(fd) || checkpoint(s) || fsync(fd)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static int open_sparse(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, SPARSE_LEN)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void stage_open(struct __test_metadata *_metadata, struct stage *s)
{
	const char *dir = getenv("DAXPIN_DIR");
	struct prey *p = &s->prey;

	p->beside = -1;
	p->sparse = -1;
	ASSERT_EQ(0, place_find(&s->place));
	rig_open(_metadata, &s->r, DP_MAP_PTE, LEN);
	p->beside = open_beside(s, dir);
	ASSERT_LE(0, p->beside);
	p->sparse = open_sparse(dir);
	ASSERT_LE(0, p->sparse);
	p->sparse_len = SPARSE_LEN;
	p->fd = s->r.file.fd;
	p->map = s->r.file.map;
	p->len = LEN;
	p->other = &s->r.pin.child;
	s->isolated = dp_vmstat(ISOLATED);
	ASSERT_EQ(0, dp_log_open(&s->log));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stage_close(struct stage *s)
{
	char path[192];

	dp_log_close(&s->log);
	dp_events_close(&s->prey.seen);
	room_leave(&s->room);
	close_fd(&s->prey.beside);
	close_fd(&s->prey.sparse);
	rig_close(&s->r);
	if (s->place.unmounted)
		place_mount(&s->place);
	snprintf(path, sizeof(path), "%s/%s", s->place.path, s->beside_name);
	unlink(path);
}

FIXTURE_SETUP(writeback)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	/* Before the pages are there, for they are charged to who brings them in. */
	if (dp_cgroup_enter())
		SKIP(return, "no memory cgroup: /sys/fs/cgroup is not of version 2, or has none");
	stage_open(_metadata, &self->s);
}

FIXTURE_TEARDOWN(writeback)
{
	stage_close(&self->s);
}

/*
 * Write-back
 */

static int by_fsync(struct stage *s)
{
	return fsync(s->r.file.fd) ? -errno : 0;
}

static int by_range(struct stage *s)
{
	unsigned int how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER;

	return sync_file_range(s->r.file.fd, 0, 0, how) ? -errno : 0;
}

static int by_syncfs(struct stage *s)
{
	return syncfs(s->r.file.fd) ? -errno : 0;
}

static bool is_dirty(const struct stage *s)
{
	return prey_flags(&s->prey, false) & (DP_PAGE(DIRTY) | DP_PAGE(WRITEBACK));
}

/* The kernel's own flusher, which finds everything old enough. */
static int by_background(struct stage *s)
{
	long deadline = dp_now_ms() + CLEAN_MS;
	char wake[32], old[32];
	int err;

	err = dp_knob_swap(KNOB_OLD, "1", old, sizeof(old));
	if (err)
		return err;
	err = dp_knob_swap(KNOB_WAKE, "1", wake, sizeof(wake));
	while (!err && is_dirty(s) && dp_now_ms() < deadline)
		poll(NULL, 0, LOOK_EVERY_MS);
	if (!err)
		err = dp_knob_set(KNOB_WAKE, wake);
	dp_knob_set(KNOB_OLD, old);
	return err;
}

static const struct writer writer_fsync = { by_fsync };
static const struct writer writer_range = { by_range };
static const struct writer writer_syncfs = { by_syncfs };
static const struct writer writer_background = { by_background };

/*
 * The pin, and the premise
 */

/* Folios, of which only the first page has all flags; a look by address faults pages in. */
static void find_pages(struct __test_metadata *_metadata, struct stage *s)
{
	struct dp_folio f;

	for (off_t off = 0; off < LEN; off += PAGE) {
		ASSERT_EQ(0, dp_page_folio(s->r.file.map + off, &f));
		s->prey.pfn[off / PAGE] = f.pfn;
	}
}

static void hold(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind)
{
	static const struct collision c = { .pin = 0 };
	long pins = dp_pins_taken();

	s->r.c = &c;
	s->r.kind = kind;
	take_pin(_metadata, &s->r);
	s->by_pin = dp_pins_taken() > pins;
}

static bool has_buffers(const struct stage *s)
{
	return prey_flags(&s->prey, false) & DP_PAGE(PRIVATE);
}

/* Data that went to the journal is dirty again, until it was checkpointed and written once more. */
static void write_back(struct __test_metadata *_metadata, struct stage *s, const struct writer *w)
{
	/* Who waits until all is clean need not wait for that again. */
	int most = w == &writer_background && s->by_pin ? 1 : ROUNDS;

	do {
		ASSERT_EQ(0, w->run(s));
		ASSERT_EQ(0, checkpoint(s));
	} while (++s->rounds < most && is_dirty(s));
}

/* Clean, and cleaned: what is missing, or NULL. */
static const char *get_clean(struct __test_metadata *_metadata, struct stage *s,
			     const struct writer *w, const struct cleaner *c)
{
	bool strips = c && (c->undone == still_mapped || c->undone == no_kswapd);
	const char *why = NULL;
	int err;

	find_pages(_metadata, s);
	s->buffers = has_buffers(s);
	write_back(_metadata, s, w);
	s->clean = !is_dirty(s);
	s->kept = has_buffers(s);
	if (!c)
		return NULL;
	if (!s->clean)
		return "the pages are not clean after write-back";
	err = prey_clean(&s->prey, c, &why);
	if (err == -ENOENT)
		return "this kernel has no such cleaner";
	EXPECT_EQ(0, err)
		TH_LOG("the cleaner fails");
	s->kept = has_buffers(s);
	if (err || why)
		return why;
	if (strips && s->buffers && s->kept && !s->by_pin)
		return "the buffers were not dropped";
	return NULL;
}

/*
 * The oracles
 */

/* Has the kernel complained since the row began? */
static bool complained(struct stage *s)
{
	static const char *const complaints[] = {
		"WARNING: ", "BUG", "EXT4-fs warning", "EXT4-fs error", "age discard",
		"Corruption", "Internal error", "Page cache invalidation failure",
	};
	bool found = false;
	char text[512];
	int err;

	do {
		err = dp_log_next(&s->log, "", text, sizeof(text), 0);
		for (size_t i = 0; !err && i < ARRAY_SIZE(complaints); i++)
			found |= !!strstr(text, complaints[i]);
	} while (!err || err == -EPIPE);
	return found;
}

static void print_bytes(char *text, size_t size, const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;

	snprintf(text, size, "%02x %02x %02x %02x %02x %02x %02x %02x", b[0], b[1], b[2], b[3],
		 b[4], b[5], b[6], b[7]);
}

/* What it means that a file has not what the device wrote. */
static const char *mishap(const struct stage *s)
{
	if (s->synced == NOT_YET)
		return "not what the device wrote";
	return s->synced ? "old data, of which fsync said so" : "data loss";
}

/* The file at @fd has all that the device has written. */
static void check_file(struct __test_metadata *_metadata, struct stage *s, int fd,
		       const char *when)
{
	char want[LEN + 8] = "", got[LEN + 8] = "", expected[32], found[32];
	off_t at;

	dp_data_fill(want, LEN, 0, DEV_SEED);
	ASSERT_EQ(LEN, pread(fd, got, LEN, 0));
	at = dp_data_differ(want, got, LEN);
	if (at < 0)
		return;
	s->lost = true;
	print_bytes(expected, sizeof(expected), want + at);
	print_bytes(found, sizeof(found), got + at);
	EXPECT_EQ(-1, at)
		TH_LOG("%s: file offset %ld has %s, expected %s, %s", mishap(s), (long)at, found,
		       expected, when);
}

/* Nothing of the file, which is not mapped, is in the page cache any more. */
static void drop_file(struct __test_metadata *_metadata, struct stage *s)
{
	long left = LEN;

	for (int i = 0; i < TRIES && left; i++) {
		ASSERT_EQ(0, posix_fadvise(s->r.file.fd, 0, 0, POSIX_FADV_DONTNEED));
		ASSERT_EQ(0, drop_what("1"));
		left = dp_file_resident(s->r.file.fd, 0, LEN);
	}
	ASSERT_EQ(0, left)
		TH_LOG("the page cache does not let go of the file");
}

static void leave(struct stage *s)
{
	struct dp_file *f = &s->r.file;

	munmap(f->map, f->len);
	close(f->fd);
	close(f->dir);
	f->map = NULL;
	close_fd(&s->prey.beside);
	close_fd(&s->prey.sparse);
}

static void check_remounted(struct __test_metadata *_metadata, struct stage *s)
{
	char path[192];
	int fd;

	leave(s);
	ASSERT_EQ(0, umount2(s->place.path, 0) ? errno : 0);
	s->place.unmounted = true;
	ASSERT_EQ(0, place_mount(&s->place));
	snprintf(path, sizeof(path), "%s/%s", s->place.path, s->r.file.name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	check_file(_metadata, s, fd, "read after a remount");
	close(fd);
	unlink(path);
}

/* The last page is dirty when who held it has let go; a bio's may be a little later. */
static void wait_dirty(const struct stage *s)
{
	long deadline = dp_now_ms() + DIRTY_MS;

	while (!(prey_flags(&s->prey, true) & DP_PAGE(DIRTY)) && dp_now_ms() < deadline)
		poll(NULL, 0, LOOK_EVERY_MS);
}

/* For vm/losses.c. */
static const char *held_by(const struct stage *s)
{
	if (!dp_pin_holds(s->r.kind))
		return "no";
	return s->by_pin ? "pin" : "get";
}

static void report(struct __test_metadata *_metadata, struct stage *s)
{
	bool warned = complained(s);

	TH_LOG("witness: rounds=%d clean=%d buffers=%d->%d tries=%d", s->rounds, s->clean,
	       s->buffers, s->kept, s->prey.tries);
	TH_LOG("witness: held=%s fsync=%d data=%s warned=%d isolated=%ld", held_by(s), s->synced,
	       s->lost ? "lost" : "safe", warned, dp_vmstat(ISOLATED) - s->isolated);
	EXPECT_FALSE(warned)
		TH_LOG("the kernel complains");
}

/* The device writes, and lets go. */
static void write_late(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind)
{
	if (dp_pin_holds(kind)) {
		ASSERT_EQ(0, unpin(&s->r));
		wait_dirty(s);
	} else {
		hold(_metadata, s, kind);
		ASSERT_EQ(0, unpin(&s->r));
	}
}

/* A premise that is missing, or NULL when all of the row ran. */
static const char *lose(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
			const struct writer *w, const struct cleaner *c, bool remount)
{
	const char *why;

	s->r.kind = kind;
	s->synced = NOT_YET;
	if (dp_pin_holds(kind))
		hold(_metadata, s, kind);
	why = get_clean(_metadata, s, w, c);
	if (why)
		return why;
	write_late(_metadata, s, kind);
	check_file(_metadata, s, s->r.file.fd, "read of the page cache");
	s->synced = fsync(s->r.file.fd) ? -errno : 0;
	EXPECT_EQ(0, s->synced)
		TH_LOG("fsync fails");
	ASSERT_EQ(0, unmap(&s->r));
	drop_file(_metadata, s);
	check_file(_metadata, s, s->r.file.fd, "read after the cache was dropped");
	if (remount)
		check_remounted(_metadata, s);
	report(_metadata, s);
	return NULL;
}

static void clean_by(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
		     const struct cleaner *c)
{
	const char *why = lose(_metadata, s, kind, &writer_fsync, c, false);

	if (why)
		SKIP(return, "%s", why);
}

static void write_by(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
		     const struct writer *w)
{
	const char *why = lose(_metadata, s, kind, w, &cleaner_pageout, true);

	if (why)
		SKIP(return, "%s", why);
}

/* Only written back; a file system may well take pinned pages for dirty for ever. */
TEST_F_TIMEOUT(writeback, only, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, NULL);
}

/* Written back by each, and reclaimed */

TEST_F_TIMEOUT(writeback, fsync, ROW_S)
{
	write_by(_metadata, &self->s, variant->kind, &writer_fsync);
}

TEST_F_TIMEOUT(writeback, sync_range, ROW_S)
{
	write_by(_metadata, &self->s, variant->kind, &writer_range);
}

TEST_F_TIMEOUT(writeback, syncfs, ROW_S)
{
	write_by(_metadata, &self->s, variant->kind, &writer_syncfs);
}

TEST_F_TIMEOUT(writeback, background, ROW_S)
{
	write_by(_metadata, &self->s, variant->kind, &writer_background);
}

/* Written back by fsync, and cleaned by each; MADV_PAGEOUT is above */

TEST_F_TIMEOUT(writeback, reclaim, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_reclaim);
}

TEST_F_TIMEOUT(writeback, kswapd, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_kswapd);
}

TEST_F_TIMEOUT(writeback, drop_caches, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_drop_caches);
}

TEST_F_TIMEOUT(writeback, drop_slab, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_drop_slab);
}

TEST_F_TIMEOUT(writeback, drop_all, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_drop_all);
}

TEST_F_TIMEOUT(writeback, cold, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_cold);
}

TEST_F_TIMEOUT(writeback, split, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_split);
}

TEST_F_TIMEOUT(writeback, dontneed, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_dontneed);
}

/*
 * A CPU keeps free folios of each order, the file's own among them, and they are taken
 * before any that are lower: here they go to another file.
 */
static void take_kept(struct __test_metadata *_metadata, struct stage *s)
{
	void *map = mmap(NULL, KEPT, PROT_READ, MAP_SHARED, s->prey.sparse, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, madvise(map, KEPT, MADV_POPULATE_READ));
	munmap(map, KEPT);
}

/* The pages of the file are those that compaction is to come to, with room for them above. */
static void make_room(struct __test_metadata *_metadata, struct stage *s)
{
	const struct dp_file *f = &s->r.file;

	/* Once more when the journal is empty: nothing but the page cache has it then. */
	ASSERT_EQ(0, fsync(f->fd) || checkpoint(s) || fsync(f->fd));
	ASSERT_EQ(0, madvise(f->map, f->len, MADV_DONTNEED));
	drop_file(_metadata, s);
	ASSERT_EQ(0, room_take(&s->room));
	take_kept(_metadata, s);
	ASSERT_EQ(0, madvise(f->map, f->len, MADV_POPULATE_READ));
	find_pages(_metadata, s);
	TH_LOG("witness: file=%lx room=%lx..%lx", s->prey.pfn[0],
	       s->room.page[ROOM_LOW].pfn, s->room.page[s->room.pages - 1].pfn);
	room_make(&s->room);
}

TEST_F_TIMEOUT(writeback, compact, ROW_S)
{
	make_room(_metadata, &self->s);
	clean_by(_metadata, &self->s, variant->kind, &cleaner_compact);
}

TEST_F_TIMEOUT(writeback, migrate, ROW_S)
{
	clean_by(_metadata, &self->s, variant->kind, &cleaner_migrate);
}

TEST_HARNESS_MAIN
