/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of DAX files, on a file system where files are DAX or not, one by one. */
#ifndef DAX_FOLDER_H
#define DAX_FOLDER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/dp.h"

/*
 * New files of this row's folder are DAX, the others are not.  Ask rig_missing(DP_MAP_PTE)
 * before, also when PMDs are to map the files: with DP_MAP_PMD it goes by the others, and skips.
 */
static inline void dax_folder(struct __test_metadata *_metadata)
{
	const char *top = getenv("DAXPIN_DIR");
	char path[256];

	snprintf(path, sizeof(path), "%s/dax", top);
	ASSERT_TRUE(!mkdir(path, 0700) || errno == EEXIST);
	ASSERT_EQ(0, dp_dax_inherit(path));
	setenv("DAXPIN_DIR", path, 1);
	setenv("DAXPIN_DAX", "yes", 1);
}

#endif
