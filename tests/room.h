/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for compaction to move pages to, and pages that it has to come to.
 *
 * One scanner goes up through a zone and isolates pages, another comes down and looks for
 * free ones to move them to; where they meet compaction ends (mm/compaction.c,
 * compact_zone()).  The second passes over page blocks that are free as a whole
 * (suitable_migration_target()), which in a guest with much free memory are nearly all, so
 * that they meet where memory is used, and whether a page is below is chance.  So much
 * memory is taken, the lowest pages of it are given to the file, and most of each of its
 * page blocks becomes free.
 */
#ifndef ROOM_H
#define ROOM_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/dp.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define ROOM_LEN	(64UL << 20)	/* more than is in use below */
#define ROOM_LOW	3072	/* pages of it for the file and what it needs */
#define ROOM_ORDERS	3	/* of its folios: it has four pages */
#define ROOM_GROUP	8	/* pages that give pieces of one order */
#define ROOM_BLOCK	512	/* pages of a page block */
#define ROOM_KEPT	64
#define ROOM_PFN	((1ULL << 55) - 1)	/* of an entry of pagemap */
/* The fewest pages that are kept from the buddy allocator, as free ones of a CPU. */
#define KNOB_CACHED	"/proc/sys/vm/percpu_pagelist_high_fraction"

struct room_page {
	uint64_t	 pfn;
	char		*addr;
};

struct room {
	char		*map;
	struct room_page *page;		/* by pfn */
	size_t		 pages;
	char		 cached[32];	/* what the knob was */
};

static inline int room_order(const void *a, const void *b)
{
	const struct room_page *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static inline int room_find(struct room *r)
{
	size_t page = getpagesize(), size = r->pages * sizeof(uint64_t);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t *entry = malloc(size);
	bool found = entry && fd >= 0 &&
		pread(fd, entry, size, (uintptr_t)r->map / page * sizeof(*entry)) == (ssize_t)size;

	for (size_t i = 0; found && i < r->pages; i++)
		r->page[i] = (struct room_page){ entry[i] & ROOM_PFN, r->map + i * page };
	free(entry);
	if (fd >= 0)
		close(fd);
	qsort(r->page, r->pages, sizeof(*r->page), room_order);
	return found ? 0 : -EIO;
}

static inline void room_give(const struct room *r, size_t i)
{
	madvise(r->page[i].addr, getpagesize(), MADV_DONTNEED);
}

/*
 * The lowest pages become free, as pieces of each order that a folio of the file may have:
 * the allocator takes the smallest that will do, and of these the one freed last.
 */
static inline void room_give_low(const struct room *r)
{
	for (size_t i = ROOM_LOW; i-- > 0;)
		if (!(r->page[i].pfn & 1 << r->page[i].pfn / ROOM_GROUP % ROOM_ORDERS))
			room_give(r, i);
}

/* Take it, but for the lowest pages: 0 or -errno. */
static inline int room_take(struct room *r)
{
	int err;

	r->map = MAP_FAILED;
	err = dp_knob_swap(KNOB_CACHED, "100000", r->cached, sizeof(r->cached));
	if (err)
		return err;
	r->pages = ROOM_LEN / getpagesize();
	r->page = calloc(r->pages, sizeof(*r->page));
	r->map = mmap(NULL, ROOM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!r->page || r->map == MAP_FAILED)
		return -ENOMEM;
	/* Children get none of it, so that a page that is given back is free. */
	if (madvise(r->map, ROOM_LEN, MADV_NOHUGEPAGE) ||
	    madvise(r->map, ROOM_LEN, MADV_DONTFORK) ||
	    madvise(r->map, ROOM_LEN, MADV_POPULATE_WRITE))
		return -errno;
	err = room_find(r);
	if (!err)
		room_give_low(r);
	return err;
}

/* Of what is left a part of each block stays. */
static inline void room_make(struct room *r)
{
	for (size_t i = ROOM_LOW; i < r->pages; i++)
		if (r->page[i].pfn % ROOM_BLOCK >= ROOM_KEPT)
			room_give(r, i);
}

static inline void room_leave(struct room *r)
{
	if (*r->cached)
		dp_knob_set(KNOB_CACHED, r->cached);
	if (r->page && r->map != MAP_FAILED)
		munmap(r->map, ROOM_LEN);
	free(r->page);
}

#endif
