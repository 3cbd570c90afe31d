// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "says.h"

#define LOG	"ktap.log"

static FILE *report;
static int watch = -1;

int says_open(void)
{
	report = fopen(LOG, "re");
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!report || watch < 0 || inotify_add_watch(watch, LOG, IN_MODIFY) < 0)
		return -errno;
	return 0;
}

int says_fd(void)
{
	return watch;
}

/* A line without its end is read again when it has one. */
void says_read(void (*said)(const char *line))
{
	char drop[4096], *line = NULL;
	size_t size = 0;
	ssize_t n;
	long at;

	while (read(watch, drop, sizeof(drop)) > 0)
		;
	clearerr(report);
	for (at = ftell(report); (n = getline(&line, &size, report)) > 0; at += n) {
		if (line[n - 1] != '\n') {
			fseek(report, at, SEEK_SET);
			break;
		}
		line[n - 1] = '\0';
		said(line);
	}
	free(line);
}
