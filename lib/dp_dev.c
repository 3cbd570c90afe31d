// SPDX-License-Identifier: GPL-2.0-only
/* A device-mapper target over a RAM disk, suspended at will. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dp.h"
#include "dp_dm.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * To make and remove a target takes longer than most rows.  The program has one, which
 * its rows take one after another; who finds it in use, or other than it was made, makes
 * one of its own.
 */
static struct {
	pid_t	pid;
	char	name[32];
} program;

static struct dm_request request(int type, const char *name)
{
	struct dm_request req = { .type = type };

	snprintf(req.name, sizeof(req.name), "%s", name);
	return req;
}

static int simple(int type, const char *name)
{
	struct dm_request req = request(type, name);

	return dm_ask(program.pid, &req);
}

/* With a table of one target. */
static int load(int type, const char *name, size_t len, const char *target, const char *params)
{
	struct dm_request req = request(type, name);

	req.len = len;
	snprintf(req.target, sizeof(req.target), "%s", target);
	snprintf(req.params, sizeof(req.params), "%s", params);
	return dm_ask(program.pid, &req);
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

static void node_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "/dev/mapper/%s", name);
}

/* It goes when the last who has it open closes it, and nobody waits for that. */
static void target_remove(const char *name)
{
	simple(DM_DEVICE_REMOVE, name);
}

static void __attribute__((constructor)) program_begin(void)
{
	program.pid = getpid();
	snprintf(program.name, sizeof(program.name), "daxpin-%d", program.pid);
}

/* A row that died may have left it suspended, and somebody who waits for it. */
static void __attribute__((destructor)) program_end(void)
{
	char path[64];

	node_path(program.name, path, sizeof(path));
	if (getpid() != program.pid || access(path, F_OK))
		return;
	simple(DM_DEVICE_RESUME, program.name);
	target_remove(program.name);
}

/* Is the target of this name as create_linear() makes it, and nobody has it? */
static bool target_free(const char *name, size_t len)
{
	return !load(DM_DEVICE_TABLE, name, len, "linear", "");
}

/* "MAJOR:MINOR" of the disk that is open. */
static int disk_number(const struct dp_dev *d, char *buf, size_t size)
{
	struct stat st;

	if (fstat(d->disk, &st))
		return -errno;
	snprintf(buf, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

/* Make a target over the whole of that disk. */
static int target_make(const struct dp_dev *d)
{
	char disk[64];

	return disk_number(d, disk, sizeof(disk)) ?: create_linear(d->name, disk, d->len);
}

/*
 * Take the program's, make it, or make one of our own: libdevmapper does not tell that the
 * name is taken (_create_and_load_v4() of it drops the errno), so whatever the error is.
 */
static int target_get(struct dp_dev *d)
{
	if (target_free(d->name, d->len) || !target_make(d))
		return 0;
	snprintf(d->name, sizeof(d->name), "daxpin-%d-%d", program.pid, getpid());
	d->own = true;
	return target_make(d);
}

static int target_open(struct dp_dev *d)
{
	char path[64];
	int err;

	err = target_get(d);
	if (err)
		return err;
	node_path(d->name, path, sizeof(path));
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd >= 0)
		return 0;
	err = -errno;
	target_remove(d->name);
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
	memcpy(dev.name, program.name, sizeof(dev.name));
	*d = dev;
	return 0;
}

/* Have all requests to the disk below fail (block/blk-core.c, should_fail_bio()), or none. */
static int disk_may_fail(const struct dp_dev *d, bool may)
{
	static const char *const knobs[][2] = {
		{ "interval", "1" }, { "times", "-1" }, { "space", "0" }, { "verbose", "0" },
		{ "task-filter", "N" }, { "probability", "100" },
	};
	char path[96], disk[64];
	int err;

	err = disk_number(d, disk, sizeof(disk));
	for (size_t i = 0; may && !err && i < ARRAY_SIZE(knobs); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/fail_make_request/%s", knobs[i][0]);
		err = dp_knob_set(path, knobs[i][1]);
	}
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/dev/block/%s/make-it-fail", disk);
	return dp_knob_set(path, may ? "1" : "0");
}

void dp_dev_close(struct dp_dev *d)
{
	if (!d->name[0])
		return;
	dp_dev_resume(d);
	dp_dev_disconnect(d);
	if (d->may_fail)
		disk_may_fail(d, false);
	if (d->own)
		target_remove(d->name);
	if (d->fd >= 0)
		close(d->fd);
	close(d->disk);
	*d = (struct dp_dev){ 0 };
}

int dp_dev_suspend(struct dp_dev *d)
{
	int err;

	if (d->suspended)
		return 0;
	if (d->connected) {
		d->suspended = true;
		return 0;
	}
	err = d->fd < 0 ? target_open(d) : 0;
	if (!err)
		err = simple(DM_DEVICE_SUSPEND, d->name);
	d->suspended = !err;
	return err;
}

/* Say this to the target that runs when the device is resumed. */
static int message(const char *name, const char *text)
{
	struct dm_request req = request(DM_DEVICE_TARGET_MSG, name);

	snprintf(req.params, sizeof(req.params), "%s", text);
	return dm_ask(program.pid, &req);
}

/* The table of this target over the disk, for the next resume; NULL: it takes no disk. */
static int reload(struct dp_dev *d, const char *target, const char *params)
{
	char all[128] = "", disk[64];
	int err;

	err = disk_number(d, disk, sizeof(disk));
	if (err)
		return err;
	if (params)
		snprintf(all, sizeof(all), "%s %s", disk, params);
	d->own = true;		/* nobody takes it after us */
	return load(DM_DEVICE_RELOAD, d->name, d->len, target, all);
}

/* All of it is one bad block, so that nothing of a read gets through. */
static int make_dust(struct dp_dev *d)
{
	char params[32];
	int err;

	snprintf(params, sizeof(params), "0 %zu", d->len);
	err = dp_dev_suspend(d) ?: reload(d, "dust", params);
	err = dp_dev_resume(d) ?: err;	/* if it could not be loaded, with what it had */
	return err ?: message(d->name, "addbadblock 0") ?: message(d->name, "enable");
}

int dp_dev_fail(struct dp_dev *d, enum dp_failure how)
{
	if (how == DP_FAIL_DUST)
		return d->suspended ? -EINVAL : make_dust(d);
	if (!d->suspended)
		return -EINVAL;
	if (d->connected)	/* it goes when it is resumed, and no other way */
		return how == DP_FAIL_GONE ? 0 : -EINVAL;
	switch (how) {
	case DP_FAIL_GONE:
		return -EINVAL;
	case DP_FAIL_FLAKEY:
		return reload(d, "flakey", "0 0 1");	/* up for 0 s, down for 1 s */
	case DP_FAIL_REQUEST:
		d->may_fail = true;
		return disk_may_fail(d, true);
	default:
		return reload(d, "error", NULL);
	}
}

int dp_dev_resume(struct dp_dev *d)
{
	int err;

	if (!d->suspended)
		return 0;
	err = d->connected ? dp_dev_disconnect(d) : simple(DM_DEVICE_RESUME, d->name);
	d->suspended = err;
	return err;
}
