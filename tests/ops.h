/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations that more than one program collides with a pin: what runs, and what it
 * makes of the file's content.
 */
#ifndef OPS_H
#define OPS_H

#include "rig.h"

static inline int run_truncate(struct rig *r)
{
	return ftruncate(r->file.fd, r->c->off) ? -errno : 0;
}

/* The mode is the row's. */
static inline int run_fallocate(struct rig *r)
{
	return fallocate(r->file.fd, r->c->mode, r->c->off, r->c->len) ? -errno : 0;
}

static inline int run_punch(struct rig *r)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(r->file.fd, mode, r->c->off, r->c->len) ? -errno : 0;
}

static inline int run_open_truncate(struct rig *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->file.fd);
	return open(path, O_RDWR | O_TRUNC | O_CLOEXEC) < 0 ? -errno : 0;
}

static inline int run_remove(struct rig *r)
{
	return madvise(r->file.map + r->c->off, r->c->len, MADV_REMOVE) ? -errno : 0;
}

static inline void cut(const struct collision *c, struct dp_content *x)
{
	dp_content_cut(x, c->off);
}

static inline void clear(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, c->off, c->len, 0, 0);
}

static inline void collapse(const struct collision *c, struct dp_content *x)
{
	dp_content_collapse(x, c->off, c->len);
}

static inline void insert(const struct collision *c, struct dp_content *x)
{
	dp_content_insert(x, c->off, c->len);
}

static const struct op truncation = { run_truncate, cut, .to_end = true };
static const struct op by_open = { run_open_truncate, cut, .to_end = true };
static const struct op punch = { run_punch, clear };
/* A hole or zeroes: the mode is the row's. */
static const struct op clearing = { run_fallocate, clear };
static const struct op removal = { run_remove, clear };
static const struct op shift_down = { run_fallocate, collapse, .to_end = true, .moves = true };
static const struct op shift_up = { run_fallocate, insert, .to_end = true, .moves = true };

#endif
