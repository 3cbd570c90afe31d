/* SPDX-License-Identifier: GPL-2.0-only */
/* A client of QEMU's machine protocol (QMP), as far as the runner needs one. */
#ifndef DAXPIN_QMP_H
#define DAXPIN_QMP_H

#include <stddef.h>

struct qmp {
	int	fd;		/* -1: not connected */
	char	buf[16384];	/* what has been read and is no whole line yet */
	size_t	used;
};

/*
 * Connect to QEMU's socket at @path.  Returns 0 or -errno; -ENOENT and
 * -ECONNREFUSED mean that QEMU has not come that far yet.
 */
int qmp_open(struct qmp *q, const char *path);

/* Send @command (with @arguments, a JSON object, or NULL); answers come as events do. */
int qmp_send(struct qmp *q, const char *command, const char *arguments);

/* Give QEMU @fd, to be called @name in later commands. */
int qmp_send_fd(struct qmp *q, const char *name, int fd);

/*
 * Called with the name of an event and the "reason" or "status" in its data (""
 * if there is none); with the name "return" and the text of an answer that is a
 * string; with "error" and what went wrong; or with "QMP" when QEMU greets, which
 * it does when the machine has been made.
 */
typedef void qmp_event_fn(void *arg, const char *name, const char *text);

/* Read what is there.  Returns 0, or -EPIPE when QEMU closed the socket. */
int qmp_read(struct qmp *q, qmp_event_fn *event, void *arg);

void qmp_close(struct qmp *q);

#endif
