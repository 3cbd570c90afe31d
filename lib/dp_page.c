// SPDX-License-Identifier: GPL-2.0-only
/* What write-back and reclaim did: page flags, a memory cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dp.h"

#define CGROUPS	"/sys/fs/cgroup"
#define CGROUP	CGROUPS "/daxpin"

#define RESIDENT_MAX	512	/* pages that dp_file_resident() looks at in one go */

int dp_page_flags(uint64_t pfn, uint64_t *flags)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = pread(fd, flags, sizeof(*flags), pfn * sizeof(*flags));
	err = n < 0 ? -errno : n == sizeof(*flags) ? 0 : -ENXIO;
	close(fd);
	return err;
}

long dp_file_resident(int fd, off_t off, size_t len)
{
	unsigned char in[RESIDENT_MAX];
	size_t pages = len / getpagesize();
	long resident = 0;
	void *map;

	if (!pages || pages > RESIDENT_MAX)
		return -EINVAL;
	/* Mapped and not touched, none of it comes in by our look. */
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, off);
	if (map == MAP_FAILED)
		return -errno;
	if (mincore(map, len, in))
		resident = -errno;
	for (size_t i = 0; resident >= 0 && i < pages; i++)
		resident += in[i] & 1;
	munmap(map, len);
	return resident;
}

int dp_cgroup_enter(void)
{
	int err;

	if (access(CGROUPS "/cgroup.subtree_control", W_OK))
		return -ENOENT;
	err = dp_knob_set(CGROUPS "/cgroup.subtree_control", "+memory");
	if (err)
		return err;
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return -errno;
	return dp_knob_set(CGROUP "/cgroup.procs", "0");
}

int dp_cgroup_reclaim(size_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", bytes);
	return dp_knob_set(CGROUP "/memory.reclaim", text);
}
