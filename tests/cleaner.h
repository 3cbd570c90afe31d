/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who takes pages away from a file, or tries to: each is caused, and each can tell
 * whether it did what it is for.
 */
#ifndef CLEANER_H
#define CLEANER_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/dp.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define CLEAN_TRIES	8	/* of a cleaner, until it did what it is for */
#define CLEAN_PAGES	16	/* at most that it is to clean */

#define PRESSURE_STEP	(128UL << 10)	/* one read-ahead */
#define PRESSURE_LOOK	(4UL << 20)	/* between two looks whether it is enough */

/* What is to be cleaned, and what tells that it was. */
struct prey {
	int		 fd;
	char		*map;
	size_t		 len;
	uint64_t	 pfn[CLEAN_PAGES];
	struct dp_child	*other;		/* also has it mapped, if it is held */
	int		 beside;	/* another file, in the page cache, clean and not mapped */
	int		 sparse;	/* one of nothing but holes, larger than memory */
	off_t		 sparse_len;
	off_t		 sparse_at;	/* what of it was not read yet */
	struct dp_events seen;		/* of the cleaner's tracepoint */
	int		 moved;		/* of the attempt to move a page: 0 or -errno */
	int		 tries;
};

struct cleaner {
	/* A tracepoint that tells that it works, and the filter for the first page, or NULL. */
	const char	*event, *filter;
	int		(*run)(struct prey *p);		/* 0 or -errno */
	const char	*(*undone)(const struct prey *p); /* what it has not done, or NULL */
};

/* The flags that any, or with @all every page has. */
static inline uint64_t prey_flags(const struct prey *p, bool all)
{
	uint64_t sum = all ? ~0ULL : 0, flags;

	for (size_t i = 0; i < p->len / getpagesize(); i++) {
		if (dp_page_flags(p->pfn[i], &flags))
			return 0;
		sum = all ? sum & flags : sum | flags;
	}
	return sum;
}

/*
 * Reclaim takes a page off all mappings first, and then looks at pins and buffers
 * (mm/vmscan.c, shrink_folio_list()).
 */
static inline const char *still_mapped(const struct prey *p)
{
	return prey_flags(p, false) & DP_PAGE(MAPPED) ?
	       "reclaim has not taken the pages off their mappings" : NULL;
}

static inline const char *beside_stays(const struct prey *p)
{
	return dp_file_resident(p->beside, 0, p->len) ?
	       "the file beside is in the page cache still" : NULL;
}

static inline const char *not_shrunk(const struct prey *p)
{
	return dp_events_count(&p->seen) > 0 ? NULL : "no shrinker has run";
}

static inline const char *not_cold(const struct prey *p)
{
	return prey_flags(p, false) & (DP_PAGE(ACTIVE) | DP_PAGE(REFERENCED)) ?
	       "the pages are active or referenced still" : NULL;
}

static inline const char *not_compacted(const struct prey *p)
{
	return dp_events_count(&p->seen) > 0 ? NULL : "compaction has not come to the pages";
}

static inline const char *no_kswapd(const struct prey *p)
{
	if (dp_events_count(&p->seen) <= 0)
		return "kswapd has not run";
	return still_mapped(p);
}

static inline const char *not_tried(const struct prey *p)
{
	return p->moved == -EINVAL || p->moved == -EPERM ? "this kernel moves no page on request" :
							   NULL;
}

static inline const char *not_split(const struct prey *p)
{
	if (p->pfn[0] != p->pfn[1])
		return "the pages are folios of their own";
	return prey_flags(p, false) & DP_PAGE(PRIVATE) ?
	       "who splits the folio has not taken its buffers" : NULL;
}

/*
 * Advice is for pages that one process has mapped (mm/madvise.c,
 * madvise_cold_or_pageout_pte_range()): if a child has them, that one.
 */
static inline int advise(struct prey *p, size_t len, int advice)
{
	struct iovec range = { .iov_base = p->map, .iov_len = len };

	if (!p->other || !p->other->pid)
		return madvise(p->map, len, advice) ? -errno : 0;
	if (madvise(p->map, p->len, MADV_DONTNEED))
		return -errno;
	return syscall(SYS_process_madvise, p->other->pidfd, &range, 1, advice, 0) < 0 ? -errno : 0;
}

static inline int clean_pageout(struct prey *p)
{
	return advise(p, p->len, MADV_PAGEOUT);
}

static inline int clean_cold(struct prey *p)
{
	return advise(p, p->len, MADV_COLD);
}

/*
 * Advice for a part of a large folio splits it, or tries to (mm/huge_memory.c,
 * __folio_split()).
 */
static inline int clean_split(struct prey *p)
{
	return advise(p, getpagesize(), MADV_COLD);
}

/* What of it was not reclaimed is no error: undone() tells. */
static inline int clean_reclaim(struct prey *p)
{
	int err = dp_cgroup_reclaim(64UL << 20);

	return err == -EAGAIN ? 0 : err;
}

/*
 * Holes are zeroes in the page cache, used once and clean: kswapd can have all of them,
 * and before them what was there earlier, if nothing speaks for it.
 */
static inline int clean_kswapd(struct prey *p)
{
	off_t end = p->sparse_len / CLEAN_TRIES * p->tries;
	int err = clean_cold(p);

	if (err)
		return err;
	while (p->sparse_at < end) {
		int err = posix_fadvise(p->sparse, p->sparse_at, PRESSURE_STEP,
					POSIX_FADV_WILLNEED);

		if (err)
			return -err;
		p->sparse_at += PRESSURE_STEP;
		if (!(p->sparse_at % PRESSURE_LOOK) && !still_mapped(p))
			break;
	}
	return 0;
}

static inline int drop_what(const char *mode)
{
	return dp_knob_set("/proc/sys/vm/drop_caches", mode);
}

static inline int clean_drop_caches(struct prey *p)
{
	return drop_what("1");
}

static inline int clean_drop_slab(struct prey *p)
{
	return drop_what("2");
}

static inline int clean_drop_all(struct prey *p)
{
	return drop_what("3");
}

static inline int clean_dontneed(struct prey *p)
{
	int err = posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED);

	return err ? -err : -posix_fadvise(p->beside, 0, 0, POSIX_FADV_DONTNEED);
}

static inline int clean_compact(struct prey *p)
{
	return dp_knob_set("/proc/sys/vm/compact_memory", "1");
}

/*
 * A page that may fail soon is moved elsewhere: the same migrate_pages() as that of
 * move_pages(2), for which there would have to be another node.
 */
static inline int clean_migrate(struct prey *p)
{
	p->moved = madvise(p->map, getpagesize(), MADV_SOFT_OFFLINE) ? -errno : 0;
	return 0;
}

static const struct cleaner cleaner_pageout = { .run = clean_pageout, .undone = still_mapped };
static const struct cleaner cleaner_reclaim = { .run = clean_reclaim, .undone = still_mapped };

static const struct cleaner cleaner_kswapd = {
	"vmscan/mm_vmscan_kswapd_wake", NULL, clean_kswapd, no_kswapd,
};

static const struct cleaner cleaner_drop_caches = {
	.run = clean_drop_caches, .undone = beside_stays,
};

static const struct cleaner cleaner_drop_slab = {
	"vmscan/mm_shrink_slab_end", NULL, clean_drop_slab, not_shrunk,
};

static const struct cleaner cleaner_drop_all = { .run = clean_drop_all, .undone = beside_stays };
static const struct cleaner cleaner_dontneed = { .run = clean_dontneed, .undone = beside_stays };
static const struct cleaner cleaner_cold = { .run = clean_cold, .undone = not_cold };
static const struct cleaner cleaner_split = { .run = clean_split, .undone = not_split };

/* It isolates pages block by block, and tells of which. */
static const struct cleaner cleaner_compact = {
	"compaction/mm_compaction_isolate_migratepages", "start_pfn <= %llu && end_pfn > %llu",
	clean_compact, not_compacted,
};

static const struct cleaner cleaner_migrate = { .run = clean_migrate, .undone = not_tried };

static inline int prey_watch(struct prey *p, const struct cleaner *c)
{
	unsigned long long pfn = p->pfn[0];
	char filter[96];

	if (!c->event)
		return 0;
	if (c->filter)
		snprintf(filter, sizeof(filter), c->filter, pfn, pfn);
	return dp_events_open(&p->seen, c->event, c->filter ? filter : NULL, DP_ANYBODYS);
}

/* Until it has done it; p->tries says how often it took.  @why: what it has not done, or NULL. */
static inline int prey_clean(struct prey *p, const struct cleaner *c, const char **why)
{
	int err = prey_watch(p, c);

	*why = NULL;
	if (err)
		return err;
	for (p->tries = 1; ; p->tries++) {
		err = c->run(p);
		*why = err ? NULL : c->undone(p);
		if (err || !*why || p->tries == CLEAN_TRIES)
			return err;
	}
}

#endif
