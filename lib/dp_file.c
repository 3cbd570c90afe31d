// SPDX-License-Identifier: GPL-2.0-only
/* Files whose blocks, pages and mappings are known. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dp.h"

/*
 * Written at a time: a buffer for all of a large file costs a fault for each page.  The
 * page cache makes its folios as large as a write (mm/filemap.c, __filemap_get_folio()).
 */
#define FILL_LEN	(256 * 1024)
#define MAX_EXTENTS	64
#define PMD_FAULT	"fs_dax/dax_pmd_fault_done"
#define PMD_FAULT_OK	"result & 0x100"	/* VM_FAULT_NOPAGE */

/*
 * Write @len bytes of @seed's data.  fallocate() first: one extent, which mkfs
 * options of the DAX configurations place on a PMD boundary.
 */
static int file_fill(int fd, size_t len, uint64_t seed)
{
	static char buf[FILL_LEN];
	int err = fallocate(fd, 0, 0, len) ? -errno : 0;

	for (size_t done = 0; !err && done < len; ) {
		size_t left = len - done, want = left < FILL_LEN ? left : FILL_LEN;
		ssize_t n;

		dp_data_fill(buf, want, done, seed);
		n = pwrite(fd, buf, want, done);
		if (n < 0)
			err = -errno;
		else
			done += n;
	}
	return err;
}

/* 1 when the whole of [0, @len) is mapped to written blocks, 0 when not, or -errno. */
static int file_written(int fd, size_t len)
{
	struct fiemap *map = calloc(1, sizeof(*map) + MAX_EXTENTS * sizeof(map->fm_extents[0]));
	uint64_t end = 0;
	int err = 1;

	if (!map)
		return -ENOMEM;
	map->fm_length = len;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = MAX_EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, map))
		err = -errno;
	for (unsigned int i = 0; err == 1 && i < map->fm_mapped_extents; i++) {
		struct fiemap_extent *e = &map->fm_extents[i];

		if (e->fe_logical > end || e->fe_flags & (FIEMAP_EXTENT_UNWRITTEN |
							  FIEMAP_EXTENT_DELALLOC |
							  FIEMAP_EXTENT_UNKNOWN))
			err = 0;
		end = e->fe_logical + e->fe_length;
	}
	free(map);
	return err == 1 && end < len ? 0 : err;
}

/*
 * Map @len bytes of @fd at an address that is congruent to the file offset
 * modulo the PMD size, or one page beside that.
 */
char *dp_map_shared(int fd, size_t len, enum dp_map how)
{
	size_t room = len + 2 * DP_PMD_SIZE;
	uintptr_t base, want;
	char *all, *map;

	all = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return MAP_FAILED;
	base = (uintptr_t)all;
	want = (base + DP_PMD_SIZE - 1) & ~(DP_PMD_SIZE - 1);
	if (how == DP_MAP_PTE)
		want += getpagesize();
	munmap(all, want - base);
	munmap((void *)(want + len), base + room - want - len);
	map = mmap((void *)want, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED)
		munmap((void *)want, len);
	return map;
}

/* Store to every page what it has already; a load first would be a fault of its own. */
static void touch(struct dp_file *f)
{
	for (size_t i = 0; i < f->len; i += getpagesize())
		dp_data_fill(f->map + i, sizeof(uint64_t), i, f->seed);
}

/*
 * A tracepoint's code is patched for its first event and again after its last
 * (kernel/trace/trace_event_perf.c, perf_trace_event_unreg()), which takes ten times
 * longer than to count with it.  So the program has one open as long as it runs.
 */
static void __attribute__((constructor)) keep_tracepoint(void)
{
	struct dp_events kept;

	dp_events_open(&kept, PMD_FAULT, NULL, DP_OURS);
}

static int file_map(struct dp_file *f, enum dp_map how)
{
	struct dp_events faults;
	int err;

	f->map = dp_map_shared(f->fd, f->len, how);
	if (f->map == MAP_FAILED)
		return -errno;
	if (f->len < DP_PMD_SIZE) {
		touch(f);
		return 0;	/* no PMD fits */
	}
	err = dp_events_open(&faults, PMD_FAULT, PMD_FAULT_OK, DP_OURS);
	touch(f);
	f->pmds = err ? -1 : dp_events_count(&faults);
	dp_events_close(&faults);
	return 0;
}

static int file_make(struct dp_file *f, enum dp_map how)
{
	struct statx st;
	int err;

	err = file_fill(f->fd, f->len, f->seed);
	if (err)
		return err;
	/*
	 * Blocks of deleted files are free again after the file system's next commit.  Without
	 * it large files use new ones for seconds, memory that a restored guest has not
	 * touched yet and that its host has to copy first.
	 */
	if (f->len >= DP_PMD_SIZE && fsync(f->fd))
		return -errno;
	err = file_written(f->fd, f->len);
	if (err < 0)
		return err;
	f->written = err;
	if (statx(f->fd, "", AT_EMPTY_PATH, 0, &st))
		return -errno;
	f->dax = st.stx_attributes & STATX_ATTR_DAX;
	return file_map(f, how);
}

int dp_file_open(struct dp_file *f, const char *dir, size_t len, enum dp_map how, uint64_t seed)
{
	struct dp_file file = { .len = len, .seed = seed };
	static int opened;	/* by this process: each has a name of its own */
	int err;

	file.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file.dir < 0)
		return -errno;
	snprintf(file.name, sizeof(file.name), "daxpin-%d-%d", getpid(), opened++);
	file.fd = openat(file.dir, file.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file.fd < 0) {
		err = -errno;
		goto err_dir;
	}
	err = file_make(&file, how);
	if (err)
		goto err_file;
	*f = file;
	return 0;

err_file:
	unlinkat(file.dir, file.name, 0);
	close(file.fd);
err_dir:
	close(file.dir);
	return err;
}

void dp_file_close(struct dp_file *f)
{
	if (!f->map)
		return;
	munmap(f->map, f->len);
	close(f->fd);
	unlinkat(f->dir, f->name, 0);
	close(f->dir);
	*f = (struct dp_file){ 0 };
}
