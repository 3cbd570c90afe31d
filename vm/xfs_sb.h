/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XFS_SB_H
#define XFS_SB_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Set or clear @bits of the incompatible features of the xfs on @device, which is not
 * mounted and was unmounted cleanly.  0 or -errno, -EINVAL: no xfs with checksums, or not one
 * whose checksum is right.  The layout is struct xfs_dsb of fs/xfs/libxfs/xfs_format.h.
 */
int xfs_incompat(const char *device, uint32_t bits, bool set);

#endif
