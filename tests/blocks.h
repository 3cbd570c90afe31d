/* SPDX-License-Identifier: GPL-2.0-only */
/* Which blocks of its file system a file has. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define MAX_EXTENTS	512

/* The extents of [@off, @off + @len) of @fd; to be freed. */
static inline struct fiemap *map_of(int fd, off_t off, off_t len)
{
	struct fiemap *m = calloc(1, sizeof(*m) + MAX_EXTENTS * sizeof(m->fm_extents[0]));

	if (!m)
		return NULL;
	m->fm_start = off;
	m->fm_length = len;
	m->fm_flags = FIEMAP_FLAG_SYNC;
	m->fm_extent_count = MAX_EXTENTS;
	if (!ioctl(fd, FS_IOC_FIEMAP, m))
		return m;
	free(m);
	return NULL;
}

/* Is the block at byte @at of the device one of these? */
static inline bool maps_block(const struct fiemap *m, uint64_t at)
{
	for (unsigned int i = 0; i < m->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &m->fm_extents[i];

		if (at >= e->fe_physical && at < e->fe_physical + e->fe_length)
			return true;
	}
	return false;
}

#endif
