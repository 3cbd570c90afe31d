// SPDX-License-Identifier: GPL-2.0-only
/* Events of the kernel, counted. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dp.h"

#define TRACING "/sys/kernel/tracing/events"
#define PROBES	"/sys/kernel/tracing/kprobe_events"

/* The number that perf knows the tracepoint by, or -errno. */
static long event_id(const char *event)
{
	char path[128], id[32] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), TRACING "/%s/id", event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, id, sizeof(id) - 1);
	close(fd);
	return n < 0 ? -EIO : strtol(id, NULL, 10);
}

static int counter_open(struct perf_event_attr *attr, pid_t pid, int cpu, const char *filter)
{
	int fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (!filter || !ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int dp_events_open(struct dp_events *e, const char *event, const char *filter, enum dp_whose whose)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int cpus = whose == DP_OURS ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
	long id = event_id(event);

	*e = (struct dp_events){ 0 };
	if (id < 0)
		return id;
	if (cpus > DP_CPUS)
		return -E2BIG;
	attr.config = id;
	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = counter_open(&attr, whose == DP_OURS ? 0 : -1,
				      whose == DP_OURS ? -1 : cpu, filter);

		if (fd < 0) {
			dp_events_close(e);
			return fd;
		}
		e->fd[e->n++] = fd;
	}
	return 0;
}

/* One that is there already is as good. */
static int probe_make(const char *function)
{
	int fd = open(PROBES, O_WRONLY | O_APPEND | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "p:daxpin/%s %s arg1=%%di arg2=%%si\n", function, function) < 0)
		err = errno == EEXIST ? 0 : -errno;
	close(fd);
	return err;
}

int dp_calls_open(struct dp_events *e, const char *function, const char *filter,
		  enum dp_whose whose)
{
	char event[96];
	int err;

	*e = (struct dp_events){ 0 };
	snprintf(event, sizeof(event), "daxpin/%s", function);
	err = dp_events_open(e, event, filter, whose);
	if (err != -ENOENT)
		return err;
	err = probe_make(function);
	return err ? err : dp_events_open(e, event, filter, whose);
}

long dp_events_count(const struct dp_events *e)
{
	long sum = 0;

	for (int i = 0; i < e->n; i++) {
		uint64_t n;

		if (read(e->fd[i], &n, sizeof(n)) != sizeof(n))
			return -1;
		sum += n;
	}
	return sum;
}

void dp_events_close(struct dp_events *e)
{
	while (e->n)
		close(e->fd[--e->n]);
}
