// SPDX-License-Identifier: GPL-2.0-only
/*
 * What device-mapper has to do for a test program and its rows (lib/dp_dm.h).
 *
 *	dm_helper PID
 *
 * Serves who connects to the socket that is its standard input, one after another, until
 * the program PID has ended.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../dp_dm.h"

#define SECTOR	512

/* libdevmapper would print; the errno says it all. */
static void no_log(int level, const char *file, int line, int err, const char *format, ...)
{
	(void)level, (void)file, (void)line, (void)err, (void)format;
}

/*
 * Without udev nobody else makes the node, and nobody acknowledges the cookie
 * that libdevmapper would wait for.
 */
static void library_init(void)
{
	dm_log_with_errno_init(no_log);
	dm_udev_set_sync_support(0);
	dm_udev_set_checking(0);
}

/* What the request has beside the name. */
static int task_fill(struct dm_task *t, const struct dm_request *req)
{
	switch (req->type) {
	case DM_DEVICE_CREATE:
	case DM_DEVICE_RELOAD:
		return dm_task_add_target(t, 0, req->len / SECTOR, req->target, req->params);
	case DM_DEVICE_SUSPEND:	/* no file system to freeze, and nothing in flight to wait for */
		return dm_task_skip_lockfs(t) && dm_task_no_flush(t);
	case DM_DEVICE_REMOVE:
		return dm_task_deferred_remove(t);
	case DM_DEVICE_TARGET_MSG:
		return dm_task_set_sector(t, 0) && dm_task_set_message(t, req->params);
	default:
		return 1;
	}
}

/* Is the device as asked for, and nobody has it? */
static bool is_free(struct dm_task *t, const struct dm_request *req)
{
	char *type = NULL, *params = NULL;
	uint64_t start, sectors = 0;
	struct dm_info info;

	if (!dm_task_get_info(t, &info) || !info.exists || info.suspended || info.open_count)
		return false;
	dm_get_next_target(t, NULL, &start, &sectors, &type, &params);
	return type && !strcmp(type, req->target) && sectors == req->len / SECTOR;
}

/* libdevmapper keeps the kernel's errno, 0 when it did not get that far. */
static int task_run(struct dm_task *t, const struct dm_request *req)
{
	if (!dm_task_run(t))
		return dm_task_get_errno(t) ? -dm_task_get_errno(t) : -ENODEV;
	if (req->type == DM_DEVICE_TABLE && !is_free(t, req))
		return -ENXIO;
	return 0;
}

static int serve(const struct dm_request *req)
{
	struct dm_task *t = dm_task_create(req->type);
	int err;

	if (!t)
		return -ENODEV;
	err = dm_task_set_name(t, req->name) && task_fill(t, req) ? task_run(t, req) : -ENOMEM;
	dm_task_destroy(t);
	dm_task_update_nodes();
	return err;
}

/* One request, and its answer. */
static void serve_one(void)
{
	int fd = accept(STDIN_FILENO, NULL, NULL), err;
	struct dm_request req;

	if (fd < 0)
		return;
	if (recv(fd, &req, sizeof(req), 0) == sizeof(req)) {
		err = serve(&req);
		send(fd, &err, sizeof(err), MSG_NOSIGNAL);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .events = POLLIN },
	};

	if (argc != 2) {
		fprintf(stderr, "usage: dm_helper PID, as a test program calls it\n");
		return 2;
	}
	p[1].fd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	if (p[1].fd < 0)
		return 1;
	library_init();
	while (poll(p, 2, -1) > 0 || errno == EINTR) {
		if (p[1].revents)
			return 0;
		if (p[0].revents)
			serve_one();
	}
	return 1;
}
