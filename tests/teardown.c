// SPDX-License-Identifier: GPL-2.0
/*
 * A file system is stopped, shut down or unmounted while a part of a file is pinned.
 *
 * After an unmount the blocks may belong to anybody, so that it waits for pins as the
 * eviction of one inode does (since 6.15, dax_break_layout_final()).  A file system
 * that is frozen, shut down or made read-only keeps its blocks: it waits for nobody, and
 * what a device writes meanwhile is there when the file system works again.
 *
 * Rows unmount the file system under test and mount it again.  The process that pins
 * has nothing else of the file when another one unmounts.  A lazy unmount is over at
 * once, and it is the last one to use the file system who waits.
 *
 * Of a page-cache file the pinned page is a copy, and nothing waits. After an unmount or a
 * shutdown it is nobody's, and what a device writes to it gets to no disk; else it does.
 */
#include <linux/fs.h>
#include <poll.h>
#include <xfs/xfs.h>

#include "place.h"
#include "rig.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

#define LOOK_EVERY_MS	2

/* The same request for ext4 and xfs, and the same flags but for the order: 0 to 2. */
#define IOC_SHUTDOWN	XFS_IOC_GOINGDOWN

struct stage {
	struct rig	r;		/* first: operations get that */
	struct place	place;
	int		dir;		/* of the mount, 0: not held */
	int		go[2];		/* who unmounts begins when nobody can write to it */
	char		device[64];	/* of the persistent memory, as its driver calls it */
	bool		frozen;
	bool		read_only;
	bool		nowhere;	/* is what the device writes */
};

static struct stage *stage_of(struct rig *r)
{
	return (struct stage *)r;
}

/* This process has nothing of the file system any more, but for the pin. */
static void leave(struct stage *s)
{
	struct rig *r = &s->r;

	if (!r->file.map)
		return;
	munmap(r->file.map, LEN);
	close(r->file.fd);
	close(r->file.dir);
	r->file.map = NULL;
	close(s->dir);
	s->dir = 0;
}

static void stage_open(struct __test_metadata *_metadata, struct stage *s)
{
	s->go[0] = -1;
	s->go[1] = -1;
	ASSERT_EQ(0, place_find(&s->place));
	rig_open(_metadata, &s->r, DP_MAP_PTE, LEN);
	ASSERT_EQ(0, fsync(s->r.file.fd));
	s->dir = open(s->place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(s->dir, 0);
	ASSERT_EQ(0, pipe2(s->go, O_CLOEXEC));
}

/* Whoever waits for it begins. */
static void start(struct stage *s)
{
	if (s->go[1] >= 0)
		close(s->go[1]);
	s->go[1] = -1;
}

static void stage_close(struct stage *s)
{
	dp_unpin(&s->r.pin, NULL);
	if (s->frozen)
		ioctl(s->dir, FITHAW, 0);
	rig_close(&s->r);
	if (s->dir > 0)
		close(s->dir);
	if (s->read_only)
		place_mount_as(&s->place, MS_REMOUNT, s->place.options);
	if (s->place.unmounted)
		place_mount(&s->place);
	start(s);
	if (s->go[0] >= 0)
		close(s->go[0]);
}

/* The file has what it had, and what the device has written; then it goes. */
static void check_file(struct __test_metadata *_metadata, struct stage *s)
{
	int dir = open(s->place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, s->r.file.name, O_RDONLY | O_CLOEXEC);
	char want[LEN], got[LEN];

	ASSERT_GE(fd, 0);
	if (!s->r.file.dax)
		drop_cached(_metadata, fd);
	dp_data_fill(want, LEN, 0, FILE_SEED);
	if (writes(&s->r) && !s->nowhere)
		dp_data_fill(want + PIN, PIN_LEN, 0, DEV_SEED);
	ASSERT_EQ(LEN, pread(fd, got, LEN, 0));
	EXPECT_EQ(-1, dp_data_differ(want, got, LEN))
		TH_LOG("the file has wrong data, from the offset that is seen on");
	if (reads(&s->r)) {
		dp_data_fill(want, LEN, 0, FILE_SEED);
		EXPECT_EQ(-1, dp_data_differ(want + PIN, s->r.seen, PIN_LEN))
			TH_LOG("the device got other data than the pinned pages held");
	}
	close(fd);
	unlinkat(dir, s->r.file.name, 0);
	close(dir);
}

static void hold(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
		 const struct collision *c)
{
	s->r.c = c;
	s->r.kind = kind;
	take_pin(_metadata, &s->r);
}

/*
 * The file system goes
 */

FIXTURE(gone) {
	struct stage s;
};

FIXTURE_VARIANT(gone) {
	int flags;		/* of umount2(2) */
};

FIXTURE_VARIANT_ADD(gone, umount) { 0 };
FIXTURE_VARIANT_ADD(gone, lazy)	  { MNT_DETACH };

FIXTURE_SETUP(gone)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	stage_open(_metadata, &self->s);
}

FIXTURE_TEARDOWN(gone)
{
	stage_close(&self->s);
}

/* The last to leave, when all others have: before it unmounts, or, if it may, after that. */
static int run_umount(struct rig *r)
{
	struct stage *s = stage_of(r);
	int flags = r->c->mode;
	char byte;

	close(s->go[1]);
	if (read(s->go[0], &byte, 1))
		return -EIO;
	if (!(flags & MNT_DETACH))
		leave(s);
	if (umount2(s->place.path, flags))
		return -errno;
	leave(s);
	return 0;
}

static const struct op unmounting = { run_umount };

static void go(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
	       int flags)
{
	struct collision c = { &unmounting, .mode = flags, .pin = PIN, .outcome = WAITS };

	hold(_metadata, s, kind, &c);
	ASSERT_EQ(0, dp_child_start(&s->r.racer, run_op, &s->r));
	leave(s);
	s->place.unmounted = true;
	s->nowhere = !s->r.file.dax;
	start(s);
	watch_op(_metadata, &s->r);
	drop_pin(_metadata, &s->r);
	ASSERT_EQ(0, place_mount(&s->place));
	check_file(_metadata, s);
}

TEST_F_TIMEOUT(gone, none, ROW_S)
{
	go(_metadata, &self->s, DP_PIN_NONE, variant->flags);
}

TEST_F_TIMEOUT(gone, vmsplice, ROW_S)
{
	go(_metadata, &self->s, DP_PIN_VMSPLICE, variant->flags);
}

TEST_F_TIMEOUT(gone, aio_write, ROW_S)
{
	go(_metadata, &self->s, DP_PIN_AIO_WRITE, variant->flags);
}

TEST_F_TIMEOUT(gone, aio_read, ROW_S)
{
	go(_metadata, &self->s, DP_PIN_AIO_READ, variant->flags);
}

/*
 * It stays, for a mapping and a descriptor that may write are what keeps it, whatever
 * is pinned
 */

FIXTURE(in_use) {
	struct stage s;
};

FIXTURE_SETUP(in_use)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	stage_open(_metadata, &self->s);
}

FIXTURE_TEARDOWN(in_use)
{
	stage_close(&self->s);
}

static int run_read_only(struct rig *r)
{
	struct place *p = &stage_of(r)->place;

	return place_mount_as(p, MS_REMOUNT | MS_RDONLY, p->options);
}

static const struct op remounting = { run_read_only };

static void stay(struct __test_metadata *_metadata, struct stage *s, const struct op *op)
{
	struct collision c = { op, .pin = PIN, .err = EBUSY };

	hold(_metadata, s, DP_PIN_VMSPLICE, &c);
	start(s);
	start_op(_metadata, &s->r);
	drop_pin(_metadata, &s->r);
	check_file(_metadata, s);
}

TEST_F_TIMEOUT(in_use, umount, ROW_S)
{
	stay(_metadata, &self->s, &unmounting);
}

TEST_F_TIMEOUT(in_use, read_only, ROW_S)
{
	stay(_metadata, &self->s, &remounting);
}

/*
 * The file system stops
 */

FIXTURE(stopped) {
	struct stage s;
};

/* What stops it: a shutdown of mode 0 to 2, or */
enum { FREEZE = -1, READ_ONLY = -2 };

FIXTURE_VARIANT(stopped) {
	int how;
};

FIXTURE_VARIANT_ADD(stopped, freeze)	 { FREEZE };
FIXTURE_VARIANT_ADD(stopped, read_only)	 { READ_ONLY };
FIXTURE_VARIANT_ADD(stopped, shutdown_0) { 0 };
FIXTURE_VARIANT_ADD(stopped, shutdown_1) { 1 };
FIXTURE_VARIANT_ADD(stopped, shutdown_2) { 2 };

FIXTURE_SETUP(stopped)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	stage_open(_metadata, &self->s);
}

FIXTURE_TEARDOWN(stopped)
{
	stage_close(&self->s);
}

static int run_stop(struct rig *r)
{
	__u32 mode = r->c->mode;

	if (r->c->mode == READ_ONLY)
		return run_read_only(r);
	if (r->c->mode == FREEZE)
		return ioctl(stage_of(r)->dir, FIFREEZE, 0) ? -errno : 0;
	return ioctl(stage_of(r)->dir, IOC_SHUTDOWN, &mode) ? -errno : 0;
}

static const struct op stopping = { run_stop };

/* It works again: thawed, writable, or mounted once more, for it forgets no shutdown. */
static void revive(struct __test_metadata *_metadata, struct stage *s)
{
	if (s->frozen) {
		s->frozen = false;
		ASSERT_EQ(0, ioctl(s->dir, FITHAW, 0));
		return;
	}
	if (s->read_only) {
		s->read_only = false;
		ASSERT_EQ(0, place_mount_as(&s->place, MS_REMOUNT, s->place.options));
		return;
	}
	EXPECT_EQ(-1, openat(s->dir, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	leave(s);
	ASSERT_EQ(0, umount(s->place.path));
	s->place.unmounted = true;
	ASSERT_EQ(0, place_mount(&s->place));
}

static void stop(struct __test_metadata *_metadata, struct stage *s, enum dp_pin_kind kind,
		 int how)
{
	struct collision c = { &stopping, .mode = how, .pin = PIN, .outcome = RETURNS };

	hold(_metadata, s, kind, &c);
	if (how == READ_ONLY)
		leave(s);		/* nobody may write, but for the device */
	ASSERT_EQ(0, dp_child_start(&s->r.racer, run_op, &s->r));
	s->frozen = how == FREEZE;
	s->read_only = how == READ_ONLY;
	s->nowhere = how >= 0 && !s->r.file.dax;
	watch_op(_metadata, &s->r);
	drop_pin(_metadata, &s->r);	/* the device goes on while everything stands still */
	revive(_metadata, s);
	check_file(_metadata, s);
}

TEST_F_TIMEOUT(stopped, none, ROW_S)
{
	stop(_metadata, &self->s, DP_PIN_NONE, variant->how);
}

TEST_F_TIMEOUT(stopped, vmsplice, ROW_S)
{
	stop(_metadata, &self->s, DP_PIN_VMSPLICE, variant->how);
}

TEST_F_TIMEOUT(stopped, aio_write, ROW_S)
{
	stop(_metadata, &self->s, DP_PIN_AIO_WRITE, variant->how);
}

TEST_F_TIMEOUT(stopped, aio_read, ROW_S)
{
	stop(_metadata, &self->s, DP_PIN_AIO_READ, variant->how);
}

/*
 * The device goes, with its page structures
 */

/* "namespace0.0" of the disk that is mounted. */
static int find_device(struct stage *s)
{
	char path[192], link[192];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/block/%s/device", strrchr(s->place.device, '/') + 1);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	snprintf(s->device, sizeof(s->device), "%s", strrchr(link, '/') + 1);
	return 0;
}

FIXTURE(device) {
	struct stage s;
};

FIXTURE_SETUP(device)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (!getenv("DAXPIN_GUEST"))
		SKIP(return, "no DAXPIN_GUEST: the driver may take the kernel with it");
	stage_open(_metadata, &self->s);
	ASSERT_EQ(0, find_device(&self->s));
}

FIXTURE_TEARDOWN(device)
{
	stage_close(&self->s);
}

/* Write the name of the persistent memory to a file of its driver. */
static int tell_driver(const struct stage *s, const char *what)
{
	char path[192];

	snprintf(path, sizeof(path), "/sys/bus/nd/drivers/nd_pmem/%s", what);
	return dp_knob_set(path, s->device);
}

static int run_unbind(struct rig *r)
{
	return tell_driver(stage_of(r), "unbind");
}

static const struct op unbinding = { run_unbind };

/* The waiter sleeps in the driver core, where nobody waits for a single page. */
static void take_away(struct __test_metadata *_metadata, struct stage *s, const struct op *op)
{
	struct collision c = { op, .pin = PIN };
	struct dp_sight sight;

	hold(_metadata, s, DP_PIN_VMSPLICE, &c);
	leave(s);
	ASSERT_EQ(0, dp_child_start(&s->r.racer, run_op, &s->r));
	ASSERT_EQ(0, dp_child_rest(&s->r.racer, &sight, SETTLE_MS));
	TH_LOG("witness: operation=%s task=%c wchan=%s", state_names[sight.state], sight.task,
	       sight.wchan[0] ? sight.wchan : "-");
	EXPECT_NE(DP_DONE, sight.state)
		TH_LOG("the device goes and does not wait for the pin");
	ASSERT_EQ(0, unpin(&s->r));
	ASSERT_EQ(0, dp_child_wait(&s->r.racer, RETURN_MS));
	ASSERT_EQ(0, umount(s->place.path));
	s->place.unmounted = true;
}

TEST_F_TIMEOUT(device, vmsplice, ROW_S)
{
	struct stage *s = &self->s;

	take_away(_metadata, s, &unbinding);
	ASSERT_EQ(0, tell_driver(s, "bind"));
	ASSERT_EQ(0, place_mount(&s->place));
	check_file(_metadata, s);
}

/* The PCI device below a disk of virtio-pmem: namespace, region, bus, virtio device. */
static int run_unplug(struct rig *r)
{
	char path[192];

	snprintf(path, sizeof(path), "/sys/block/%s/device/../../../../remove",
		 strrchr(stage_of(r)->place.device, '/') + 1);
	return dp_knob_set(path, "1");
}

static const struct op unplugging = { run_unplug };

/* The bus finds the device, and its driver, which is asked later, makes the disk. */
static int plug(struct stage *s)
{
	long deadline = dp_now_ms() + RETURN_MS;
	int err = dp_knob_set("/sys/bus/pci/rescan", "1");

	while (!err && access(s->place.device, F_OK) && dp_now_ms() < deadline)
		poll(NULL, 0, LOOK_EVERY_MS);
	return err;
}

TEST_F_TIMEOUT(device, unplug, ROW_S)
{
	struct stage *s = &self->s;

	take_away(_metadata, s, &unplugging);
	ASSERT_EQ(0, plug(s));
	ASSERT_EQ(0, place_mount(&s->place));
	check_file(_metadata, s);
}

TEST_HARNESS_MAIN
