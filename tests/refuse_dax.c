// SPDX-License-Identifier: GPL-2.0
/*
 * A file system whose blocks are smaller than a page refuses DAX.
 *
 * With blocks that are no pages a mapping could show a block of somebody else.  So the
 * file system is not mounted with dax=always (fs/ext4/super.c), a file whose flag asks for
 * DAX goes through the page cache, and a pin holds a page and no block.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "ops.h"
#include "place.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

FIXTURE(refuse) {
	struct rig r;
	struct place place;
	int fd;
};

FIXTURE_SETUP(refuse)
{
	self->fd = -1;
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	if (dax_promised())
		SKIP(return, "the files of this file system are DAX");
	ASSERT_EQ(0, place_find(&self->place));
}

FIXTURE_TEARDOWN(refuse)
{
	rig_close(&self->r);
	if (self->fd >= 0)
		close(self->fd);
	if (self->place.unmounted)
		place_mount(&self->place);
}

TEST_F(refuse, mount_always)
{
	struct place *p = &self->place;
	int err;

	ASSERT_EQ(0, umount(p->path));
	p->unmounted = true;
	err = place_mount_as(p, 0, "dax=always");
	TH_LOG("witness: err=%d", err);
	EXPECT_EQ(-EINVAL, err);
	if (!err)
		ASSERT_EQ(0, umount(p->path));
	ASSERT_EQ(0, place_mount(p));
}

TEST_F(refuse, remount_always)
{
	int err = place_mount_as(&self->place, MS_REMOUNT, "dax=always");

	TH_LOG("witness: err=%d", err);
	EXPECT_EQ(-EINVAL, err);
}

/* The flag is the file's own to have, and does nothing. */
TEST_F(refuse, flag)
{
	struct place *p = &self->place;
	struct fsxattr x = { .fsx_xflags = FS_XFLAG_DAX };
	struct statx st;
	char name[160];

	snprintf(name, sizeof(name), "%s/flag", p->path);
	self->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_FSSETXATTR, &x));
	close(self->fd);
	ASSERT_EQ(0, umount(p->path));	/* so that the inode is read anew */
	p->unmounted = true;
	ASSERT_EQ(0, place_mount(p));
	self->fd = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_FSGETXATTR, &x));
	EXPECT_EQ(FS_XFLAG_DAX, x.fsx_xflags & FS_XFLAG_DAX);
	ASSERT_EQ(0, statx(self->fd, "", AT_EMPTY_PATH, 0, &st));
	TH_LOG("witness: flags=%#x attributes=%#llx", x.fsx_xflags,
	       (unsigned long long)st.stx_attributes);
	EXPECT_EQ(0, st.stx_attributes & STATX_ATTR_DAX);
	EXPECT_EQ(0, unlink(name));
}

TEST_F(refuse, map_sync)
{
	char *map;

	rig_open(_metadata, &self->r, DP_MAP_PTE, LEN);
	map = mmap(NULL, LEN, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, self->r.file.fd, 0);
	TH_LOG("witness: dax=%d errno=%d", self->r.file.dax, errno);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EOPNOTSUPP, errno);
}

/* Nothing waits for the pin, and the blocks within its pages go one by one. */
static void no_wait(struct __test_metadata *_metadata, struct rig *r, enum dp_pin_kind kind,
		    const struct collision *c)
{
	rig_open(_metadata, r, DP_MAP_PTE, LEN);
	collide_with(_metadata, r, kind, c);
}

static const struct collision cut_off = { &truncation, .off = PIN + 1024, .pin = PIN,
					  .outcome = WAITS };
static const struct collision block = { &punch, .off = PIN + 1024, .len = 1024, .pin = PIN,
					.outcome = WAITS };

TEST_F_TIMEOUT(refuse, truncate_vmsplice, ROW_S)
{
	no_wait(_metadata, &self->r, DP_PIN_VMSPLICE, &cut_off);
}

TEST_F_TIMEOUT(refuse, truncate_dio_write, ROW_S)
{
	no_wait(_metadata, &self->r, DP_PIN_DIO_WRITE, &cut_off);
}

TEST_F_TIMEOUT(refuse, punch_vmsplice, ROW_S)
{
	no_wait(_metadata, &self->r, DP_PIN_VMSPLICE, &block);
}

TEST_F_TIMEOUT(refuse, punch_dio_write, ROW_S)
{
	no_wait(_metadata, &self->r, DP_PIN_DIO_WRITE, &block);
}

TEST_HARNESS_MAIN
