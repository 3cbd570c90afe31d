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

int dp_keep(int fd, int dir, char name[DP_KEPT_MAX])
{
	unsigned long long sum;
	struct stat st;
	char path[32];
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size >= (off_t)DP_PMD_SIZE || !has_room(fd))
		return 0;
	err = file_sum(fd, &sum);
	if (err)
		return err;
	snprintf(name, DP_KEPT_MAX, DP_KEPT "%016llx-%llu", sum, (unsigned long long)st.st_ino);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW))
		return 1;
	/* Who lost his last name gets no other; who never had one, by O_TMPFILE, does. */
	return errno == ENOENT ? 0 : -errno;
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
