/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test with pins cannot do without. */
#ifndef PREMISE_H
#define PREMISE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline bool on_dax(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statx st = { 0 };

	if (fd < 0)
		return false;
	if (statx(fd, "", AT_EMPTY_PATH, 0, &st))
		st.stx_attributes = 0;
	close(fd);
	return st.stx_attributes & STATX_ATTR_DAX;
}

/* What the environment does not provide, or NULL. */
static inline const char *env_missing(void)
{
	if (!getenv("DAXPIN_DIR"))
		return "DAXPIN_DIR does not name a mounted DAX directory";
	if (access("/dev/daxpin", R_OK | W_OK))
		return "no /dev/daxpin (vm/module): nothing could prove a pin";
	if (!getenv("DAXPIN_RAMDISK"))
		return "DAXPIN_RAMDISK does not name a RAM disk that may be overwritten";
	return NULL;
}

#endif
