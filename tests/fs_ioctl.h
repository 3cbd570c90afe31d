/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of ext4 that 6.12 has in include/uapi/linux/ext4.h, and 6.1 and the headers of
 * its distributions do not; and one of xfs, which xfsprogs have from 6.10 on.
 */
#ifndef FS_IOCTL_H
#define FS_IOCTL_H

#include <linux/types.h>
#include <sys/ioctl.h>

#ifndef EXT4_IOC_MOVE_EXT
struct move_extent {
	__u32	reserved;
	__u32	donor_fd;
	__u64	orig_start;	/* in blocks, as all that follow */
	__u64	donor_start;
	__u64	len;
	__u64	moved_len;	/* out */
};

#define EXT4_IOC_MOVE_EXT	_IOWR('f', 15, struct move_extent)
#define EXT4_IOC_SWAP_BOOT	_IO('f', 17)
#endif

#ifndef XFS_IOC_EXCHANGE_RANGE
/* Of the second file; fs/xfs/libxfs/xfs_fs.h. */
struct xfs_exchange_range {
	__s32	file1_fd;
	__u32	pad;
	__u64	file1_offset;
	__u64	file2_offset;
	__u64	length;
	__u64	flags;
};

#define XFS_IOC_EXCHANGE_RANGE	_IOW('X', 129, struct xfs_exchange_range)
#endif

#endif
