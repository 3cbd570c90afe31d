// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel is told and tells by small files: knobs and counters. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp.h"

int dp_knob_set(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int dp_knob_swap(const char *path, const char *text, char *was, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, was, size - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	was[n] = '\0';
	return dp_knob_set(path, text);
}

long dp_vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char line[128], key[64];
	long value = -1, seen;

	/* Counters are kept for each CPU until somebody asks for them to be folded. */
	dp_knob_set("/proc/sys/vm/stat_refresh", "1");
	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", key, &seen) == 2 && !strcmp(key, name))
			value = seen;
	if (f)
		fclose(f);
	return value;
}

long dp_pins_taken(void)
{
	return dp_vmstat("nr_foll_pin_acquired");
}

long dp_pins_held(void)
{
	long taken = dp_pins_taken(), dropped = dp_vmstat("nr_foll_pin_released");

	return taken < 0 || dropped < 0 ? -1 : taken - dropped;
}

long dp_warn_count(void)
{
	FILE *f = fopen("/sys/kernel/warn_count", "re");
	long value = -1;

	if (f && fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		fclose(f);
	return value;
}
