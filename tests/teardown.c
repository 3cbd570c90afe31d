// SPDX-License-Identifier: GPL-2.0
/*
 * A file system is stopped, shut down or unmounted while a part of a file is pinned.
 *
 * After an unmount the blocks may belong to anybody, so that it waits for pins as the
 * eviction of one inode does (since 6.15, dax_break_layout_final()).  A file system
 * that is frozen or shut down keeps its blocks: it waits for nobody, and what a device
 * writes meanwhile is there when the file system works again.
 *
 * Rows unmount the file system under test and mount it again.  The process that pins
 * has nothing else of the file when another one unmounts.
 */
#include <linux/fs.h>
#include <mntent.h>
#include <sys/mount.h>
#include <xfs/xfs.h>

#include "rig.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

/* The same request for ext4 and xfs, and the same flags but for the order: 0 to 2. */
#define IOC_SHUTDOWN	XFS_IOC_GOINGDOWN

struct place {
	struct rig	r;		/* first: operations get that */
	int		dir;		/* of the mount, 0: not held */
	char		device[128];
	char		path[128];
	char		type[16];
	char		options[256];
	bool		frozen;
	bool		unmounted;
};

static struct place *place_of(struct rig *r)
{
	return (struct place *)r;
}

/* What is mounted where the tests are. */
static int place_find(struct place *p)
{
	FILE *f = setmntent("/proc/mounts", "re");
	const char *dir = getenv("DAXPIN_DIR");
	struct mntent *m;

	while (f && (m = getmntent(f))) {
		if (strcmp(m->mnt_dir, dir))
			continue;
		snprintf(p->device, sizeof(p->device), "%s", m->mnt_fsname);
		snprintf(p->path, sizeof(p->path), "%s", m->mnt_dir);
		snprintf(p->type, sizeof(p->type), "%s", m->mnt_type);
		snprintf(p->options, sizeof(p->options), "%s",
			 hasmntopt(m, "dax=never") ? "dax=never" : "dax=always");
	}
	if (f)
		endmntent(f);
	return p->device[0] ? 0 : -ENOENT;
}

static int place_mount(struct place *p)
{
	if (mount(p->device, p->path, p->type, 0, p->options))
		return -errno;
	p->unmounted = false;
	return 0;
}

/* This process has nothing of the file system any more, but for the pin. */
static void leave(struct place *p)
{
	struct rig *r = &p->r;

	if (!r->file.map)
		return;
	munmap(r->file.map, LEN);
	close(r->file.fd);
	close(r->file.dir);
	r->file.map = NULL;
	close(p->dir);
	p->dir = 0;
}

static void place_open(struct __test_metadata *_metadata, struct place *p)
{
	ASSERT_EQ(0, place_find(p));
	rig_open(_metadata, &p->r, DP_MAP_PTE, LEN);
	ASSERT_EQ(0, fsync(p->r.file.fd));
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(p->dir, 0);
}

static void place_close(struct place *p)
{
	dp_unpin(&p->r.pin, NULL);
	if (p->frozen)
		ioctl(p->dir, FITHAW, 0);
	rig_close(&p->r);
	if (p->dir > 0)
		close(p->dir);
	if (p->unmounted)
		place_mount(p);
}

/* The file has what it had, and what the device has written; then it goes. */
static void check_file(struct __test_metadata *_metadata, struct place *p)
{
	int dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, p->r.file.name, O_RDONLY | O_CLOEXEC);
	char want[LEN], got[LEN];

	ASSERT_GE(fd, 0);
	dp_data_fill(want, LEN, 0, FILE_SEED);
	if (writes(&p->r))
		dp_data_fill(want + PIN, PIN_LEN, 0, DEV_SEED);
	ASSERT_EQ(LEN, pread(fd, got, LEN, 0));
	EXPECT_EQ(-1, dp_data_differ(want, got, LEN))
		TH_LOG("the file has wrong data, from the offset that is seen on");
	if (reads(&p->r)) {
		dp_data_fill(want, LEN, 0, FILE_SEED);
		EXPECT_EQ(-1, dp_data_differ(want + PIN, p->r.seen, PIN_LEN))
			TH_LOG("the device got other data than the pinned pages held");
	}
	close(fd);
	unlinkat(dir, p->r.file.name, 0);
	close(dir);
}

static void hold(struct __test_metadata *_metadata, struct place *p, enum dp_pin_kind kind,
		 const struct collision *c)
{
	p->r.c = c;
	p->r.kind = kind;
	take_pin(_metadata, &p->r);
}

/*
 * The file system goes
 */

FIXTURE(gone) {
	struct place p;
};

FIXTURE_SETUP(gone)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	place_open(_metadata, &self->p);
}

FIXTURE_TEARDOWN(gone)
{
	place_close(&self->p);
}

static int run_umount(struct rig *r)
{
	return umount(place_of(r)->path) ? -errno : 0;
}

static const struct op unmounting = { run_umount };
static const struct collision unmount = { &unmounting, .pin = PIN, .outcome = WAITS };
static const struct collision in_use = { &unmounting, .pin = PIN, .err = EBUSY };

static void go(struct __test_metadata *_metadata, struct place *p, enum dp_pin_kind kind)
{
	hold(_metadata, p, kind, &unmount);
	leave(p);
	p->unmounted = true;
	ASSERT_EQ(0, dp_child_start(&p->r.racer, run_op, &p->r));
	watch_op(_metadata, &p->r);
	drop_pin(_metadata, &p->r);
	ASSERT_EQ(0, place_mount(p));
	check_file(_metadata, p);
}

TEST_F_TIMEOUT(gone, none, ROW_S)
{
	go(_metadata, &self->p, DP_PIN_NONE);
}

TEST_F_TIMEOUT(gone, vmsplice, ROW_S)
{
	go(_metadata, &self->p, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(gone, aio_write, ROW_S)
{
	go(_metadata, &self->p, DP_PIN_AIO_WRITE);
}

TEST_F_TIMEOUT(gone, aio_read, ROW_S)
{
	go(_metadata, &self->p, DP_PIN_AIO_READ);
}

/* The mapping is what keeps it, whatever is pinned. */
TEST_F_TIMEOUT(gone, in_use, ROW_S)
{
	hold(_metadata, &self->p, DP_PIN_VMSPLICE, &in_use);
	start_op(_metadata, &self->p.r);
	drop_pin(_metadata, &self->p.r);
	check_file(_metadata, &self->p);
}

/*
 * The file system stops
 */

FIXTURE(stopped) {
	struct place p;
};

FIXTURE_VARIANT(stopped) {
	int mode;		/* of a shutdown, FREEZE: no shutdown */
};

#define FREEZE	-1

FIXTURE_VARIANT_ADD(stopped, freeze)	 { FREEZE };
FIXTURE_VARIANT_ADD(stopped, shutdown_0) { 0 };
FIXTURE_VARIANT_ADD(stopped, shutdown_1) { 1 };
FIXTURE_VARIANT_ADD(stopped, shutdown_2) { 2 };

FIXTURE_SETUP(stopped)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	place_open(_metadata, &self->p);
}

FIXTURE_TEARDOWN(stopped)
{
	place_close(&self->p);
}

static int run_stop(struct rig *r)
{
	__u32 mode = r->c->mode;

	if (r->c->mode == FREEZE)
		return ioctl(place_of(r)->dir, FIFREEZE, 0) ? -errno : 0;
	return ioctl(place_of(r)->dir, IOC_SHUTDOWN, &mode) ? -errno : 0;
}

static const struct op stopping = { run_stop };

/* It works again: thawed, or mounted once more. */
static void revive(struct __test_metadata *_metadata, struct place *p)
{
	if (p->frozen) {
		p->frozen = false;
		ASSERT_EQ(0, ioctl(p->dir, FITHAW, 0));
		return;
	}
	/* A shut down file system takes nothing, and does not forget it. */
	EXPECT_EQ(-1, openat(p->dir, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	leave(p);
	ASSERT_EQ(0, umount(p->path));
	p->unmounted = true;
	ASSERT_EQ(0, place_mount(p));
}

static void stop(struct __test_metadata *_metadata, struct place *p, enum dp_pin_kind kind,
		 int mode)
{
	struct collision c = { &stopping, .mode = mode, .pin = PIN, .outcome = RETURNS };

	hold(_metadata, p, kind, &c);
	ASSERT_EQ(0, dp_child_start(&p->r.racer, run_op, &p->r));
	p->frozen = mode == FREEZE;
	watch_op(_metadata, &p->r);
	drop_pin(_metadata, &p->r);	/* the device goes on while everything stands still */
	revive(_metadata, p);
	check_file(_metadata, p);
}

TEST_F_TIMEOUT(stopped, none, ROW_S)
{
	stop(_metadata, &self->p, DP_PIN_NONE, variant->mode);
}

TEST_F_TIMEOUT(stopped, vmsplice, ROW_S)
{
	stop(_metadata, &self->p, DP_PIN_VMSPLICE, variant->mode);
}

TEST_F_TIMEOUT(stopped, aio_write, ROW_S)
{
	stop(_metadata, &self->p, DP_PIN_AIO_WRITE, variant->mode);
}

TEST_F_TIMEOUT(stopped, aio_read, ROW_S)
{
	stop(_metadata, &self->p, DP_PIN_AIO_READ, variant->mode);
}

TEST_HARNESS_MAIN
