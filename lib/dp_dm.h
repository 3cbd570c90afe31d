/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device-mapper, by libdevmapper in a process of its own (lib/helper/dm_helper.c).
 *
 * That library brings five more.  Every row, and every child of a row, would copy their
 * mappings when it is forked, and every row begin with what the library asks the kernel first.
 */
#ifndef DP_DM_H
#define DP_DM_H

#include <libdevmapper.h>	/* DM_DEVICE_... only: who asks is not linked with it */
#include <stddef.h>
#include <sys/types.h>

/* One target, @len bytes of it, as far as @type has a use for them. */
struct dm_request {
	int	type;		/* DM_DEVICE_... */
	char	name[32];
	size_t	len;
	char	target[16];
	char	params[128];	/* or the message */
};

/*
 * Have the helper of @program do it, which is started when it is not there: 0, or -errno of
 * the kernel.  A device is suspended without a flush, and removed when nobody has it open any
 * more.  DM_DEVICE_TABLE asks whether the device is there with @target and @len, runs, and is
 * open to nobody: -ENXIO when not.  -ENODEV: there is nobody to ask.
 */
int dm_ask(pid_t program, const struct dm_request *req);

#endif
