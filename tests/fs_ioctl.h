/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of ext4 that 6.12 has in include/uapi/linux/ext4.h, and 6.1 and the headers of
 * its distributions do not.
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

#endif
