// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot.h"

#define STATE_TMP	SNAPSHOT_STATE ".tmp"
#define MEMORY		"memory-backend-"
#define CELL_MAX	65536		/* what fits into a FIFO */

char *snapshot_memory(const char *arg, const char *dir, bool shared)
{
	const char *options = strchr(arg, ','), *id = strstr(arg, ",id=");
	char *file;

	if (!id || !strncmp(arg, MEMORY "file,", strlen(MEMORY "file,")))
		return strdup(arg);	/* it is a file of its own already */
	id += strlen(",id=");
	if (asprintf(&file, MEMORY "file,mem-path=%s/%.*s,share=%s%s", dir,
		     (int)strcspn(id, ","), id, shared ? "on" : "off", options) < 0)
		return NULL;
	return file;
}

/* What a restored guest has in its memory already. */
static bool is_boot(const char *arg)
{
	return !strcmp(arg, "-kernel") || !strcmp(arg, "-initrd") || !strcmp(arg, "-append");
}

void snapshot_args(char **argv, const char *dir, bool restore)
{
	char **to = argv;

	for (char **from = argv; *from; from++) {
		if (restore && is_boot(*from))
			from++;
		else if (!strncmp(*from, MEMORY, strlen(MEMORY)))
			*to++ = snapshot_memory(*from, dir, !restore);
		else
			*to++ = *from;
	}
	if (restore) {
		*to++ = "-incoming";
		*to++ = "defer";
	}
	*to = NULL;
}

static int capability_set(struct qmp *q, const char *name)
{
	char arguments[128];

	snprintf(arguments, sizeof(arguments),
		 "{\"capabilities\":[{\"capability\":\"%s\",\"state\":true}]}", name);
	return qmp_send(q, "migrate-set-capabilities", arguments);
}

/* What is in files already does not travel, and events tell how it goes. */
static int capabilities_set(struct qmp *q)
{
	return capability_set(q, "x-ignore-shared") ?: capability_set(q, "events");
}

int snapshot_restore(struct qmp *q, const char *dir)
{
	char uri[256];

	snprintf(uri, sizeof(uri), "{\"uri\":\"exec:cat %s/" SNAPSHOT_STATE "\"}", dir);
	return capabilities_set(q) ?: qmp_send(q, "migrate-incoming", uri);
}

int snapshot_cell(void)
{
	char text[CELL_MAX];
	int fd, from = open("cell", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(from, text, sizeof(text));

	if (from >= 0)
		close(from);
	if (n <= 0 || n == sizeof(text))
		return -EINVAL;
	unlink(SNAPSHOT_CELL);
	if (mkfifo(SNAPSHOT_CELL, 0600))
		return -errno;
	fd = open(SNAPSHOT_CELL, O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, text, n) != n)
		return -errno;
	return fd;
}

int snapshot_save(struct qmp *q)
{
	int fd = open(STATE_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return -errno;
	err = qmp_send(q, "stop", NULL) ?: capabilities_set(q) ?: qmp_send_fd(q, "state", fd) ?:
	      qmp_send(q, "migrate", "{\"uri\":\"fd:state\"}");
	close(fd);
	return err;
}

int snapshot_keep(void)
{
	return rename(STATE_TMP, SNAPSHOT_STATE) ? -errno : 0;
}
