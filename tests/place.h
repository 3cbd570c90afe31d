/* SPDX-License-Identifier: GPL-2.0-only */
/* The file system that the tests are on: what it is mounted from, and how. */
#ifndef PLACE_H
#define PLACE_H

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/dp.h"

struct place {
	char	device[128];
	char	path[128];
	char	type[16];
	char	options[64];	/* those that a cell may have asked for */
	bool	unmounted;
};

static inline void place_option(struct place *p, const char *option)
{
	size_t used = strlen(p->options);

	snprintf(p->options + used, sizeof(p->options) - used, "%s%s", used ? "," : "", option);
}

/* What is mounted on DAXPIN_DIR; -ENOENT if nothing is. */
static inline int place_find(struct place *p)
{
	static const char *const asked[] = { "dax=always", "dax=never", "dax=inode",
					     "data=journal", "nodelalloc", "nobarrier", NULL };
	FILE *f = setmntent("/proc/mounts", "re");
	const char *dir = getenv("DAXPIN_DIR");
	struct mntent *m;

	while (f && (m = getmntent(f))) {
		if (strcmp(m->mnt_dir, dir))
			continue;
		snprintf(p->device, sizeof(p->device), "%s", m->mnt_fsname);
		snprintf(p->path, sizeof(p->path), "%s", m->mnt_dir);
		snprintf(p->type, sizeof(p->type), "%s", m->mnt_type);
		p->options[0] = '\0';
		for (const char *const *option = asked; *option; option++)
			if (hasmntopt(m, *option))
				place_option(p, *option);
	}
	if (f)
		endmntent(f);
	return p->device[0] ? 0 : -ENOENT;
}

/* With other @flags and @options, or MS_REMOUNT of what is mounted. */
static inline int place_mount_as(struct place *p, unsigned long flags, const char *options)
{
	return mount(p->device, p->path, p->type, flags, options) ? -errno : 0;
}

static inline int place_mount(struct place *p)
{
	int err = place_mount_as(p, 0, p->options);

	if (!err)
		p->unmounted = false;
	return err;
}

/*
 * Unmount it and mount it again, with @f, which nobody else has open, and its mapping: the
 * kernel meets the file for the first time.
 */
static inline int place_again(struct place *p, struct dp_file *f)
{
	int err;

	munmap(f->map, f->len);
	close(f->fd);
	close(f->dir);
	if (umount(p->path))
		return -errno;
	err = place_mount(p);
	if (err)
		return err;
	f->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->fd = openat(f->dir, f->name, O_RDWR | O_CLOEXEC);
	if (f->fd < 0 || mmap(f->map, f->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			      f->fd, 0) != f->map)
		return -errno;
	return 0;
}

#endif
