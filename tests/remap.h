/* SPDX-License-Identifier: GPL-2.0-only */
/* Files get blocks of others: clones and deduplication of a range. */
#ifndef REMAP_H
#define REMAP_H

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* 0 or -errno. */
static inline int clone_range(int to, off_t to_off, int from, off_t from_off, off_t len)
{
	struct file_clone_range c = {
		.src_fd = from, .src_offset = from_off, .src_length = len,
		.dest_offset = to_off,
	};

	return ioctl(to, FICLONERANGE, &c) ? -errno : 0;
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

#endif
