// SPDX-License-Identifier: GPL-2.0-only
/* Debug pins: what a kernel with CONFIG_DAX_DEBUG_PINS counts and reports, and what trips it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dp.h"
#include "dp_module.h"

#define COUNTERS	"/sys/kernel/debug/dax_pins"
#define RECORD_MAX	8192		/* of /dev/kmsg; a longer one cannot be read */
#define LOOK_EVERY_MS	1

/* The kernel lets so many reports of a kind through in that time; a second is for its clock. */
#define BURST		10
#define INTERVAL_MS	6000

/*
 * Counters
 */

long dp_debug_count(const char *name)
{
	char path[128], text[32], *end;
	ssize_t n;
	long count;
	int fd;

	snprintf(path, sizeof(path), COUNTERS "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	count = strtol(text, &end, 10);
	return end == text || strcmp(end, "\n") ? -EIO : count;
}

long dp_debug_wait(const char *name, long least, unsigned int bound_ms)
{
	long deadline = dp_now_ms() + bound_ms, count;

	while ((count = dp_debug_count(name)) >= 0 && count < least && dp_now_ms() < deadline)
		poll(NULL, 0, LOOK_EVERY_MS);
	return count;
}

/*
 * The log
 */

int dp_log_open(struct dp_log *l)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*l = (struct dp_log){ .fd = fd, .held = true };
	return 0;
}

void dp_log_close(struct dp_log *l)
{
	if (l->held)
		close(l->fd);
	*l = (struct dp_log){ 0 };
}

/*
 * The next record: "LEVEL,NUMBER,MICROSECONDS,FLAGS[,MORE];TEXT\n[ KEY=VALUE\n]...".
 * Returns its text, cut to its line, or NULL with errno.
 */
static char *record_read(int fd, char *record, long *ms)
{
	long long us = 0;
	char *text;
	ssize_t n;

	n = read(fd, record, RECORD_MAX - 1);
	if (n < 0)
		return NULL;
	record[n] = '\0';
	text = strchr(record, ';');
	if (!text || sscanf(record, "%*u,%*u,%lld,", &us) != 1) {
		errno = EBADMSG;
		return NULL;
	}
	if (ms)
		*ms = us / 1000;
	text++;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

int dp_log_next(struct dp_log *l, const char *start, char *text, size_t size,
		unsigned int bound_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	long left = bound_ms, deadline = dp_now_ms() + left;
	char record[RECORD_MAX], *said;

	for (;;) {
		said = record_read(l->fd, record, NULL);
		if (!said && errno != EAGAIN)
			return -errno;
		if (said && !strncmp(said, start, strlen(start))) {
			snprintf(text, size, "%s", said);
			return 0;
		}
		if (said)
			continue;
		left = deadline - dp_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&p, 1, left);
	}
}

/*
 * When were the last reports, by the log's clock?  Returns the time of its last
 * record, which is not later than now.
 */
static long reports_when(const char *kind, long when[BURST])
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), n = 0;
	char record[RECORD_MAX], start[64], *said;
	long now = 0;

	if (fd < 0)
		return -errno;
	snprintf(start, sizeof(start), "dax_pins: %s:", kind);
	while ((said = record_read(fd, record, &now)) || errno == EPIPE)
		if (said && !strncmp(said, start, strlen(start)))
			when[n++ % BURST] = now;
	close(fd);
	return now;
}

static int by_time(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

int dp_debug_room(const char *kind, int reports)
{
	long when[BURST], now, wait;

	if (reports < 0 || reports > BURST)
		return -EINVAL;
	for (int i = 0; i < BURST; i++)
		when[i] = LONG_MIN / 2;
	now = reports_when(kind, when);
	if (now < 0 || !reports)
		return now < 0 ? now : 0;
	/* The newest of those that have to be too old to count. */
	qsort(when, BURST, sizeof(when[0]), by_time);
	wait = when[reports - 1] + INTERVAL_MS - now;
	if (wait > 0)
		poll(NULL, 0, wait);	/* a rate limit: nothing but time ends it */
	return 0;
}

/* As super_block.s_id has it: the block device that is mounted. */
int dp_sb_name(int fd, char *name, size_t size)
{
	char path[64], link[PATH_MAX], *slash;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	slash = strrchr(link, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : link);
	return 0;
}

/*
 * What trips it: the daxpin module
 */

int dp_page_folio(const void *addr, struct dp_folio *f)
{
	struct daxpin_page page = { .addr = (uintptr_t)addr };
	int err = module_ask(DAXPIN_PAGE, &page);

	if (!err)
		*f = (struct dp_folio){ .pfn = page.pfn & ~((1UL << page.order) - 1),
					.pages = 1UL << page.order };
	return err;
}

int dp_owner_set(struct dp_owner *o, int fd)
{
	struct daxpin_owner req = { .addr = (uintptr_t)o->addr, .pfn = o->pfn,
				    .index = o->index, .fd = fd };
	int held = module_hold(DAXPIN_OWNER, &req);

	if (held < 0)
		return held;
	o->pfn = req.pfn;
	o->was = req.index;
	return held;
}

int dp_aop_call(int fd, const char *op, struct dp_aop_result *r)
{
	struct daxpin_call req = { .fd = fd };
	int err;

	snprintf(req.name, sizeof(req.name), "%s", op);
	err = module_ask(DAXPIN_CALL, &req);
	if (!err)
		*r = (struct dp_aop_result){ .value = req.result, .locked = req.locked };
	return err;
}
