// SPDX-License-Identifier: GPL-2.0-only
/* A device-mapper target over a RAM disk, suspended at will. */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dp.h"

#define SECTOR 512

/* libdevmapper would print; the errno says it all. */
static void no_log(int level, const char *file, int line, int err, const char *format, ...)
{
	(void)level, (void)file, (void)line, (void)err, (void)format;
}

/*
 * Without udev nobody else makes the node, and nobody acknowledges the cookie
 * that libdevmapper would wait for.
 */
static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *t;

	dm_log_with_errno_init(no_log);
	dm_udev_set_sync_support(0);
	dm_udev_set_checking(0);
	t = dm_task_create(type);
	if (t && dm_task_set_name(t, name))
		return t;
	if (t)
		dm_task_destroy(t);
	return NULL;
}

/* Run and free @t.  libdevmapper keeps the kernel's errno, 0 when it did not get that far. */
static int task_run(struct dm_task *t)
{
	int err = 0;

	if (!dm_task_run(t))
		err = dm_task_get_errno(t) ? -dm_task_get_errno(t) : -ENODEV;
	dm_task_destroy(t);
	dm_task_update_nodes();
	return err;
}

static int simple(int type, const char *name)
{
	struct dm_task *t = task_new(type, name);

	return t ? task_run(t) : -ENODEV;
}

/* A table of one target. */
static int load(int type, const char *name, size_t len, const char *target, const char *params)
{
	struct dm_task *t = task_new(type, name);

	if (!t)
		return -ENODEV;
	if (!dm_task_add_target(t, 0, len / SECTOR, target, params)) {
		dm_task_destroy(t);
		return -ENOMEM;
	}
	return task_run(t);
}

static int create_linear(const char *name, const char *disk, size_t len)
{
	char params[128];

	snprintf(params, sizeof(params), "%s 0", disk);
	return load(DM_DEVICE_CREATE, name, len, "linear", params);
}

static int fill(int fd, size_t len, uint64_t seed)
{
	char *buf = malloc(len);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	dp_data_fill(buf, len, 0, seed);
	n = pwrite(fd, buf, len, 0);
	free(buf);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)len)
		return -ENOSPC;
	/* The target reads the disk itself, not the page cache of this node. */
	return fsync(fd) ? -errno : 0;
}

/* The target, over the whole of the disk that is open. */
static int target_open(struct dp_dev *d)
{
	char path[64], disk[64];
	struct stat st;
	int err;

	if (fstat(d->disk, &st))
		return -errno;
	snprintf(disk, sizeof(disk), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	err = create_linear(d->name, disk, d->len);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%s", dm_dir(), d->name);
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd >= 0)
		return 0;
	err = -errno;
	simple(DM_DEVICE_REMOVE, d->name);
	return err;
}

int dp_dev_open(struct dp_dev *d, const char *disk, size_t len, uint64_t seed)
{
	struct dp_dev dev = { .fd = -1, .len = len };
	int err;

	dev.disk = open(disk, O_RDWR | O_CLOEXEC);
	if (dev.disk < 0)
		return -errno;
	err = fill(dev.disk, len, seed);
	if (err) {
		close(dev.disk);
		return err;
	}
	snprintf(dev.name, sizeof(dev.name), "daxpin-%d", getpid());
	*d = dev;
	return 0;
}

void dp_dev_close(struct dp_dev *d)
{
	if (!d->name[0])
		return;
	dp_dev_resume(d);
	if (d->fd >= 0) {
		close(d->fd);
		simple(DM_DEVICE_REMOVE, d->name);
	}
	close(d->disk);
	*d = (struct dp_dev){ 0 };
}

int dp_dev_suspend(struct dp_dev *d)
{
	struct dm_task *t;
	int err;

	if (d->suspended)
		return 0;
	err = d->fd < 0 ? target_open(d) : 0;
	if (err)
		return err;
	t = task_new(DM_DEVICE_SUSPEND, d->name);
	if (!t)
		return -ENODEV;
	/* No file system to freeze, and nothing in flight to wait for. */
	dm_task_skip_lockfs(t);
	dm_task_no_flush(t);
	err = task_run(t);
	d->suspended = !err;
	return err;
}

int dp_dev_fail(struct dp_dev *d)
{
	return d->suspended ? load(DM_DEVICE_RELOAD, d->name, d->len, "error", "") : -EINVAL;
}

int dp_dev_resume(struct dp_dev *d)
{
	int err;

	if (!d->suspended)
		return 0;
	err = simple(DM_DEVICE_RESUME, d->name);
	d->suspended = err;
	return err;
}
