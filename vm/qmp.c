// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmp.h"

int qmp_open(struct qmp *q, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	*q = (struct qmp){ .fd = -1 };
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = -errno;

		close(fd);
		return err;
	}
	q->fd = fd;
	return qmp_send(q, "qmp_capabilities", NULL);
}

/* @fd travels with the command that gives it its name in QEMU. */
int qmp_send_fd(struct qmp *q, const char *name, int fd)
{
	char line[128], control[CMSG_SPACE(sizeof(fd))] = "";
	int n = snprintf(line, sizeof(line),
			 "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"%s\"}}\n", name);
	struct iovec text = { line, n };
	struct msghdr m = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(q->fd, &m, 0) == n ? 0 : -EPIPE;
}

int qmp_send(struct qmp *q, const char *command, const char *arguments)
{
	char line[512];
	int n;

	n = snprintf(line, sizeof(line), "{\"execute\":\"%s\"%s%s}\n", command,
		     arguments ? ",\"arguments\":" : "", arguments ? arguments : "");
	if (n >= (int)sizeof(line))
		return -E2BIG;
	return write(q->fd, line, n) == n ? 0 : -EPIPE;
}

static const char *member(const json_t *m, const char *in, const char *key)
{
	return json_string_value(json_object_get(json_object_get(m, in), key));
}

static void message(const char *line, qmp_event_fn *event, void *arg)
{
	json_t *m = json_loads(line, 0, NULL);
	const char *name = json_string_value(json_object_get(m, "event"));
	const char *text = json_string_value(json_object_get(m, "return"));
	const char *data = member(m, "data", "reason") ?: member(m, "data", "status");

	if (name)
		event(arg, name, data ?: "");
	else if (member(m, "error", "desc"))
		event(arg, "error", member(m, "error", "desc"));
	else if (json_object_get(m, "QMP"))
		event(arg, "QMP", "");
	else if (text)
		event(arg, "return", text);
	json_decref(m);
}

int qmp_read(struct qmp *q, qmp_event_fn *event, void *arg)
{
	char *end, *start = q->buf;
	ssize_t n;

	n = read(q->fd, q->buf + q->used, sizeof(q->buf) - 1 - q->used);
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	if (!n)
		return -EPIPE;
	q->used += n;
	q->buf[q->used] = '\0';
	while ((end = strchr(start, '\n'))) {
		*end = '\0';
		message(start, event, arg);
		start = end + 1;
	}
	q->used -= start - q->buf;
	memmove(q->buf, start, q->used);
	if (q->used == sizeof(q->buf) - 1)
		q->used = 0;	/* a line that long is nothing we asked for */
	return 0;
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}
