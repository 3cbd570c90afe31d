/* SPDX-License-Identifier: GPL-2.0-only */
/* Files get blocks of others: clones, deduplication and exchange of a range. */
#ifndef REMAP_H
#define REMAP_H

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "fs_ioctl.h"
#include "nameless.h"

/* 0 or -errno. */
static inline int clone_range(int to, off_t to_off, int from, off_t from_off, off_t len)
{
	struct file_clone_range c = {
		.src_fd = from, .src_offset = from_off, .src_length = len,
		.dest_offset = to_off,
	};

	return ioctl(to, FICLONERANGE, &c) ? -errno : 0;
}

#define CANNOT_CLONE	"files of this file system cannot share blocks (reflink)"

/* What clone_file() says, on a file system whose files share no blocks. */
static inline bool cannot_clone(int err)
{
	return err == -EOPNOTSUPP || err == -ENOTTY;
}

/* 0 or -errno. */
static inline int clone_file(int to, int from)
{
	return ioctl(to, FICLONE, from) ? -errno : 0;
}

/* Clone @from, for nothing. */
static inline int try_clone(int from)
{
	int to = nameless(), err = to < 0 ? -errno : clone_file(to, from);

	close(to);
	return err;
}

/* 0 or -errno, -EILSEQ when the ranges have different data. */
static inline int dedupe_range(int to, off_t to_off, int from, off_t from_off, off_t len)
{
	struct file_dedupe_range *d = calloc(1, sizeof(*d) + sizeof(d->info[0]));
	int err = 0;

	if (!d)
		return -ENOMEM;
	d->src_offset = from_off;
	d->src_length = len;
	d->dest_count = 1;
	d->info[0].dest_fd = to;
	d->info[0].dest_offset = to_off;
	if (ioctl(from, FIDEDUPERANGE, d))
		err = -errno;
	else if (d->info[0].status < 0)
		err = d->info[0].status;
	else if (d->info[0].status != FILE_DEDUPE_RANGE_SAME)
		err = -EILSEQ;
	free(d);
	return err;
}

/* 0 or -errno. */
static inline int exchange_range(int first, off_t first_off, int second, off_t second_off,
				 off_t len)
{
	struct xfs_exchange_range x = {
		.file1_fd = first, .file1_offset = first_off, .file2_offset = second_off,
		.length = len,
	};

	return ioctl(second, XFS_IOC_EXCHANGE_RANGE, &x) ? -errno : 0;
}

#endif
