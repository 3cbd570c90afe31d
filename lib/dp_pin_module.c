// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: what the daxpin module takes, as a driver does (mm/gup.c).
 *
 * FOLL_GET by get_user_pages_fast() and FOLL_PIN by pin_user_pages_fast(), with
 * FOLL_WRITE or without, on every kernel.
 */
#include "dp_holder.h"
#include "dp_module.h"

int dp_gup_take(const void *addr, size_t len, unsigned int flags, unsigned int times)
{
	struct daxpin_pin req = {
		.addr = (uintptr_t)addr, .len = len, .flags = flags, .times = times,
	};

	return module_hold(DAXPIN_PIN_TAKE, &req);
}

int dp_gup_drop(int fd, unsigned int times)
{
	struct daxpin_pin req = { .times = times };

	return ioctl(fd, DAXPIN_PIN_DROP, &req) ? -errno : (int)req.times;
}

static int copy(int fd, unsigned long request, off_t off, const void *data, size_t len)
{
	struct daxpin_copy req = { .off = off, .len = len, .data = (uintptr_t)data };

	return ioctl(fd, request, &req) ? -errno : 0;
}

int dp_gup_write(int fd, off_t off, const void *data, size_t len)
{
	return copy(fd, DAXPIN_PIN_WRITE, off, data, len);
}

int dp_gup_read(int fd, off_t off, void *data, size_t len)
{
	return copy(fd, DAXPIN_PIN_READ, off, data, len);
}

int hold_module(struct dp_pin *p)
{
	unsigned int flags = (pin_is(p, FOLL_PIN) ? DP_GUP_PIN : 0) |
			     (pin_is(p, WRITES) ? DP_GUP_WRITE : 0);
	int fd = dp_gup_take(p->addr, p->len, flags, 1);

	if (fd < 0)
		return fd;
	p->fd[0] = fd;
	return 0;
}

/* Children may share the descriptor: closing it would not drop the references. */
int drop_module(struct dp_pin *p)
{
	int err, left;

	if (pin_is(p, WRITES))
		err = dp_gup_write(p->fd[0], 0, p->data, p->len);
	else
		err = dp_gup_read(p->fd[0], 0, p->data, p->len);
	left = dp_gup_drop(p->fd[0], 1);
	if (left < 0)
		return left;
	return err ? err : (int)p->len;
}
