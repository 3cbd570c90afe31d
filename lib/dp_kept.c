// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that stay for a remount.  Their name has a sum of what they hold, so that whoever
 * reads them then has to know nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dp.h"

#define CHUNK	(64 * 1024)

/* Of all that read(2) returns, and of how much that is. */
static int file_sum(int fd, unsigned long long *sum)
{
	static char buf[CHUNK];
	off_t off = 0;
	ssize_t n;

	*sum = 0;
	while ((n = pread(fd, buf, sizeof(buf), off)) > 0) {
		*sum = dp_data_sum(buf, n, *sum);
		off += n;
	}
	*sum = dp_data_sum(&off, sizeof(off), *sum);
	return n ? -errno : 0;
}

/* Of the file system, for the files of rows to come. */
static bool has_room(int fd)
{
	struct statvfs fs;

	return !fstatvfs(fd, &fs) && fs.f_bavail > fs.f_blocks / 2;
}

int dp_file_keep(struct dp_file *f)
{
	char name[64];
	struct stat st;
	unsigned long long sum;
	int err;

	if (!f->map || !f->dax || f->len >= DP_PMD_SIZE || !has_room(f->fd))
		return 0;
	/* Another file may have its name by now. */
	if (fstat(f->fd, &st))
		return -errno;
	if (!st.st_nlink)
		return 0;
	err = file_sum(f->fd, &sum);
	if (err)
		return err;
	snprintf(name, sizeof(name), DP_KEPT "%016llx-%.31s", sum, f->name);
	if (renameat(f->dir, f->name, f->dir, name))
		return -errno;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->kept = true;
	return 1;
}

int dp_kept_right(const char *path)
{
	const char *name = strrchr(path, '/');
	unsigned long long wanted, sum;
	int fd, err;

	if (sscanf(name ? name + 1 : path, DP_KEPT "%16llx", &wanted) != 1)
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_sum(fd, &sum);
	close(fd);
	return err ? err : sum == wanted;
}
