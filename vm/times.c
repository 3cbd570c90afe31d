// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the parts of cells took.
 *
 *	times GUEST-FILE...
 *
 * Reads the files "guest" of cells (vm/guest.c) and prints, for every part, the
 * median, the least and the most in milliseconds, and of how many cells; then the
 * memory that QEMU had, and what rows took where the cell's console is there.  Exit status
 * 2 when a file cannot be read or none has a time in it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_CELLS	1024
#define MAX_ROWS	16384
#define MAX_KEYS	8

/* A part is the sum of phases, by their names in the file. */
static const struct {
	const char	*label;
	const char	*keys[MAX_KEYS];
} parts[] = {
	{ "to the first test line", { "line_ms" } },
	{ "  QEMU start",	   { "qemu_ms" } },
	{ "  firmware",		   { "firmware_ms" } },
	{ "  kernel",		   { "kernel_ms" } },
	{ "  init",		   { "init_ms" } },
	{ "  modules",		   { "modules_ms" } },
	{ "  namespace, device",   { "device_ms" } },
	{ "  mkfs",		   { "mkfs_ms" } },
	{ "  mount",		   { "mount_ms" } },
	{ "test",		   { "test_ms" } },
	{ "shut-down",		   { "down_ms", "off_ms" } },
	{ "whole cell",		   { "total_ms" } },
	{ "resident, MiB",	   { "memory_mb" } },
};

#define NPARTS ARRAY_SIZE(parts)

static long values[NPARTS][MAX_CELLS];
static size_t nvalues[NPARTS], found;
static long rows[MAX_ROWS];
static size_t nrows;

/* The value of @key in the file, or -1. */
static long key_read(FILE *f, const char *key)
{
	char line[256], name[64];
	long value;

	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &value) == 2 && !strcmp(name, key))
			return value;
	return -1;
}

/* A part counts only when every phase of it is there. */
static void part_read(FILE *f, size_t part)
{
	long sum = 0;

	for (size_t i = 0; i < MAX_KEYS && parts[part].keys[i]; i++) {
		long value = key_read(f, parts[part].keys[i]);

		if (value < 0)
			return;
		sum += value;
	}
	values[part][nvalues[part]++] = sum;
	found++;
}

/* When the kernel was told of a row, or that the last one is over, in ms, or -1. */
static double row_begin(const char *line)
{
	double seconds;
	int end = 0;

	if (sscanf(line, "[%lf] daxpin: %n", &seconds, &end) != 1 || !end)
		return -1;
	line += end;
	return strncmp(line, "row ", 4) && strncmp(line, "phase down", 10) ? -1 : seconds * 1000;
}

/* The console of the cell whose file @guest is, if it has one. */
static void rows_read(const char *guest)
{
	const char *slash = strrchr(guest, '/');
	char path[4096], line[1024];
	double last = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%.*sconsole.log", slash ? (int)(slash - guest) + 1 : 0,
		 guest);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		double now = row_begin(line);

		if (now < 0)
			continue;
		if (last >= 0 && nrows == MAX_ROWS) {
			fprintf(stderr, "times: %s: too many rows, expected %d\n", path, MAX_ROWS);
			exit(2);
		}
		if (last >= 0)
			rows[nrows++] = now - last;
		last = now;
	}
	fclose(f);
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static void print(const char *label, long *v, size_t n)
{
	if (!n)
		return;
	qsort(v, n, sizeof(*v), compare);
	printf("%-22s %8ld %8ld %8ld %6zu\n", label, v[n / 2], v[0], v[n - 1], n);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > MAX_CELLS) {
		fprintf(stderr, "usage: times GUEST-FILE... (1 to %d)\n", MAX_CELLS);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");

		if (!f) {
			fprintf(stderr, "times: %s: %s\n", argv[i], strerror(errno));
			return 2;
		}
		for (size_t part = 0; part < NPARTS; part++)
			part_read(f, part);
		fclose(f);
		rows_read(argv[i]);
	}
	if (!found) {
		fprintf(stderr, "times: no times in %d files\n", argc - 1);
		return 2;
	}
	printf("%-22s %8s %8s %8s %6s\n", "milliseconds", "median", "least", "most", "of");
	for (size_t part = 0; part < NPARTS; part++)
		print(parts[part].label, values[part], nvalues[part]);
	print("a row", rows, nrows);
	return 0;
}
