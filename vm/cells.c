// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say which cells there are, and write them down.  Usage:
 *
 *	cells -L			check all data files
 *	cells -K SUITE			print the kernels that it names
 *	cells [SELECTION] -l KERNEL...		list them
 *	cells [SELECTION] -R KERNEL...		list their rows, "FS ROW"
 *	cells [SELECTION] -n KERNEL...		print their QEMU command lines
 *	cells -F [-A] [-b FAULT] -o RUN KERNEL...	make those that faults are scored by
 *	cells -F -P [-b FAULT] -o RUN KERNEL...		only ask which faults apply
 *	cells [SELECTION] -o RUN KERNEL...	make their folders below RUN, and RUN/cells
 *
 * SELECTION: -s SUITE (configs/suites), -t SCENARIO, -f FS, -r ROW-GLOB; the last
 * three may be given more than once and each narrows the selection.  Controls
 * are part of every selection, and come first.  -a ACCEL is QEMU's accelerator,
 * -m MACHINE overrides the choice of a machine, -S makes interactive cells, -C
 * has every guest boot.  -x leaves the controls out, and -c N makes each cell N
 * times, the others named SCENARIO.2 and so on: a bisection has its ends as control.
 * -e is the seed of all cells, 64 hexadecimal digits, which otherwise each gets by itself.
 * -p K/N writes every Nth of the cells, from the Kth on; RUN/plan has them all.
 * KERNEL is NAME=FOLDER, a folder as kernel.sh makes it.
 *
 * With -F each fault of configs/faults, or those of -b, gets cells of its own, called
 * SCENARIO+FAULT, with the rows that its file names, or with -A with all that there are;
 * and the same rows run in cells without a fault.  There are no controls.
 *
 * A cell whose guest can be restored has a link, snapshot, to a folder below
 * RUN/snapshots, which says how that guest is prepared; RUN/snapshots.mk tells
 * make which cell needs which.
 *
 * A cell that power is cut in has a folder, image: the cell of those that look at what is left.
 *
 * Exit status: 0, or 2 for bad data or a selection that selects nothing.
 */
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "list.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_WORDS	64
#define MAX_ROWS	4096
#define SEED_BYTES	32

struct words {
	char	*v[MAX_WORDS];
	size_t	 n;
};

struct kernel {
	char	*name;
	char	*dir;
	char	 release[128];
	char	 version[128];
	char	*config;	/* text of its .config, or NULL */
};

struct cell {
	struct kernel	*kernel;
	struct conf	*scenario;
	struct conf	*fs;
	struct conf	*machine;
	const struct conf *fault;	/* or NULL */
	const char	*globs;		/* of its suite: space-separated, or "" */
	char		*rows[MAX_ROWS];
	size_t		 nrows;
	char		 missing[256];	/* what the kernel or every machine lacks, or "" */
};

static struct {
	char		 top[PATH_MAX];
	char		*root;		/* folder of the guests' kernels and roots */
	struct conf_tree tree;
	struct conf	*guest;		/* what every guest gets */
	struct words	 scenarios, fs, rows, faults;
	const char	*suite, *accel, *machine, *out, *seed;
	bool		 list, rows_only, lines, shell, cold, bare;
	bool		 score, all, probe;
	long		 copies;
	size_t		 shard, shards;	/* counted from 1; no shards: 0 */
	struct kernel	 kernels[MAX_WORDS];
	size_t		 nkernels;
	FILE		*index, *rules, *plan;
	size_t		 ncells, nnormal;
} g = { .accel = "tcg", .copies = 1 };

static const char usage[] =
	"usage: cells -L\n"
	"       cells -K SUITE\n"
	"       cells [-s SUITE] [-t SCENARIO] [-f FS] [-r ROW] [-a ACCEL] [-m MACHINE] [-S]\n"
	"             [-C] [-x] [-c N] [-e SEED] [-p K/N] (-l | -R | -n | -o RUN) NAME=FOLDER...\n"
	"       cells -F [-A | -P] [-b FAULT] [-a ACCEL] (-l | -R | -n | -o RUN) NAME=FOLDER...";

__attribute__((format(printf, 1, 2)))
static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	fputs("cells: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void words_add(struct words *w, char *word)
{
	if (w->n == MAX_WORDS)
		die("more than %d of one option", MAX_WORDS);
	w->v[w->n++] = word;
}

static bool words_have(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->v[i], word))
			return true;
	return false;
}

static void split(const char *list, struct words *w)
{
	char *copy = strdup(list ? list : ""), *save, *word;

	for (word = strtok_r(copy, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save))
		words_add(w, word);
}

/* The text of a small file, or NULL when there is none. */
static char *file_read(const char *path)
{
	size_t size = 1 << 20, n;
	FILE *f = fopen(path, "r");
	char *s;

	if (!f)
		return NULL;
	s = calloc(1, size);
	n = s ? fread(s, 1, size - 1, f) : 0;
	fclose(f);
	if (s)
		s[n] = '\0';
	return s;
}

/*
 * Kernels
 */

static void kernel_line(const char *dir, const char *file, char *buf, size_t size)
{
	char *path = text("%s/%s", dir, file), *s = file_read(path);

	if (!s)
		die("%s: %s, expected a kernel folder of vm/kernel.sh", path, strerror(errno));
	snprintf(buf, size, "%.*s", (int)strcspn(s, "\n"), s);
	free(s);
	free(path);
}

static void kernel_add(char *arg)
{
	char *dir = strchr(arg, '='), *path;
	struct kernel *k = &g.kernels[g.nkernels++];

	if (!dir || dir == arg || g.nkernels == MAX_WORDS)
		die("%s: not NAME=FOLDER", arg);
	*dir++ = '\0';
	k->name = arg;
	k->dir = dir;
	kernel_line(dir, "release", k->release, sizeof(k->release));
	kernel_line(dir, "version", k->version, sizeof(k->version));
	path = text("%s/config", dir);
	k->config = file_read(path);
	free(path);
}

/* True when the kernel has the option, built in or as a module, or no one can tell. */
static bool kernel_has(const struct kernel *k, const char *option)
{
	char *line = text("\nCONFIG_%s=", option);
	const char *at = k->config ? strstr(k->config, line) : NULL;
	bool has = !k->config || (at && (at[strlen(line)] == 'y' || at[strlen(line)] == 'm'));

	free(line);
	return has;
}

/*
 * Needs and machines
 */

/* A word of "needs" that some machine provides is a capability, any other a kernel option. */
static bool is_capability(const char *word)
{
	for (size_t i = 0; i < g.tree.machines.n; i++)
		if (conf_has_word(conf_get(g.tree.machines.v[i], "provides"), word))
			return true;
	return false;
}

static bool machine_fits(const struct conf *machine, const struct words *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		if (is_capability(needs->v[i]) &&
		    !conf_has_word(conf_get(machine, "provides"), needs->v[i]))
			return false;
	return true;
}

static bool kernel_fits(const struct kernel *k, const struct conf *machine)
{
	struct words needs = { .n = 0 };

	split(conf_get(machine, "needs"), &needs);
	for (size_t i = 0; i < needs.n; i++)
		if (!kernel_has(k, needs.v[i]))
			return false;
	return true;
}

/* The one that is asked for, else the fastest that has what scenario and kernel need. */
static struct conf *machine_choose(const struct kernel *k, const struct conf *scenario,
				   const struct words *needs)
{
	const char *name = g.machine ? g.machine : conf_get(scenario, "machine");
	const struct conf *suite = g.suite ? conf_find(&g.tree.suites, g.suite) : NULL;
	struct conf *best = NULL, *m;

	if (!name && suite)
		name = conf_get(suite, "machine");
	if (name) {
		m = conf_find(&g.tree.machines, name);
		if (!m)
			die("-m %s: no such file in configs/machine", name);
		return machine_fits(m, needs) ? m : NULL;
	}
	for (size_t i = 0; i < g.tree.machines.n; i++) {
		m = g.tree.machines.v[i];
		if (!machine_fits(m, needs) || !kernel_fits(k, m))
			continue;
		if (!best || conf_num(m, "rank", 0) < conf_num(best, "rank", 0))
			best = m;
	}
	return best;
}

static void cell_needs(struct cell *c)
{
	const char *since = conf_get(c->fs, "since");
	struct words needs = { .n = 0 };

	split(conf_get(c->scenario, "needs"), &needs);
	if (c->fault)
		split(conf_get(c->fault, "needs"), &needs);
	c->machine = machine_choose(c->kernel, c->scenario, &needs);
	if (!c->machine) {
		snprintf(c->missing, sizeof(c->missing), "%s provides not all of: %s",
			 g.machine ? g.machine : "no machine", conf_get(c->scenario, "needs"));
		c->machine = g.tree.machines.v[0];
	}
	for (size_t i = 0; i < needs.n; i++)
		if (!is_capability(needs.v[i]) && !kernel_has(c->kernel, needs.v[i]))
			snprintf(c->missing, sizeof(c->missing), "kernel %s has no CONFIG_%s",
				 c->kernel->name, needs.v[i]);
	if (since && conf_release_cmp(c->kernel->version, since) < 0)
		snprintf(c->missing, sizeof(c->missing), "kernel %s is older than %s",
			 c->kernel->name, since);
	if (c->fault && conf_get(c->fault, "equivalent"))
		snprintf(c->missing, sizeof(c->missing), "equivalent: %s",
			 conf_get(c->fault, "equivalent"));
	if (c->fault && conf_get(c->fault, "kernel") &&
	    !conf_release_in(c->kernel->version, conf_get(c->fault, "kernel")))
		snprintf(c->missing, sizeof(c->missing), "kernel %s is not one of %s",
			 c->kernel->name, conf_get(c->fault, "kernel"));
}

/*
 * Rows
 */

static bool row_selected(const struct cell *c, const char *row)
{
	struct words globs = { .n = 0 };
	bool suite = !c->globs[0], user = !g.rows.n;

	split(c->globs, &globs);
	for (size_t i = 0; i < globs.n; i++)
		suite |= !fnmatch(globs.v[i], row, 0);
	for (size_t i = 0; i < g.rows.n; i++)
		user |= !fnmatch(g.rows.v[i], row, 0);
	/* A control is as it is: without its row it controls nothing.  Nor is less looked at. */
	return c->scenario->kind == CONF_CONTROL || conf_get(c->scenario, "image") ||
	       (suite && user);
}

/* "ok 12 NAME # SKIP reason": the NAME, or NULL. */
static char *row_name(char *line)
{
	char *name, *end;

	if (strncmp(line, "ok ", 3))
		return NULL;
	name = line + 3 + strspn(line + 3, "0123456789");
	name += strspn(name, " ");
	end = strstr(name, " # SKIP");
	if (!end)
		return NULL;
	*end = '\0';
	return name;
}

/*
 * Ask the program itself: with nothing to work on every row skips at once, and
 * its own filters decide which rows there are.
 */
static void cell_rows(struct cell *c)
{
	char *command = text("env -u DAXPIN_DIR -u DAXPIN_GUEST '%s/out/programs/'%s 2>/dev/null",
			     g.top, conf_get(c->scenario, "run"));
	FILE *f = popen(command, "r");
	char *line = NULL, *name;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		name = row_name(line);
		if (!name || !row_selected(c, name))
			continue;
		if (c->nrows == MAX_ROWS)
			die("%s: more than %d rows", c->scenario->path, MAX_ROWS);
		c->rows[c->nrows++] = strdup(name);
	}
	if (!f || (pclose(f) && !c->nrows))
		die("%s: no rows, expected some from: %s", c->scenario->path, command);
	free(line);
	free(command);
}

/*
 * Writing
 */

static void copy_keys(FILE *f, const struct conf *c, const char *const *keys)
{
	for (; *keys; keys++)
		for (const struct conf_line *l = NULL; (l = conf_next(c, *keys, l)); )
			fprintf(f, "%s\t%s\n", l->key, l->value);
}

/* Of a snapshot only what all its cells have in common. */
static void put_modules(FILE *f, const struct cell *c, bool snapshot)
{
	const struct conf *from[] = { g.guest, c->machine, c->fs, c->scenario };

	fputs("modules\t", f);
	for (size_t i = 0; i < ARRAY_SIZE(from) - snapshot; i++) {
		const char *list = conf_get(from[i], "modules");

		fprintf(f, "%s%s", list ? list : "", list ? " " : "");
	}
	fputc('\n', f);
}

/* Those that a known issue needs and the kernel has: the judge does not see its config. */
static void put_options(FILE *f, const struct kernel *k)
{
	struct words needs = { .n = 0 }, has = { .n = 0 };

	for (size_t i = 0; i < g.tree.known.n; i++)
		split(conf_get(g.tree.known.v[i], "needs"), &needs);
	for (size_t i = 0; i < needs.n; i++)
		if (!words_have(&has, needs.v[i]) && kernel_has(k, needs.v[i]))
			words_add(&has, needs.v[i]);
	for (size_t i = 0; i < has.n; i++)
		fprintf(f, "%s%s", i ? " " : "options\t", has.v[i]);
	if (has.n)
		fputc('\n', f);
}

/* What a guest is prepared by, before there is anything to run. */
static void put_guest(FILE *f, const struct cell *c, bool snapshot)
{
	static const char *const fs_keys[] = {
		"type", "dax", "mkfs", "incompat", "mount", "inherit", "fsck", NULL
	};
	static const char *const machine_keys[] = {
		"device", "namespace", "devdax", "mce", NULL
	};
	static const char *const guest_keys[] = { "ramdisk", NULL };
	static const char *const image_keys[] = { "image", NULL };

	copy_keys(f, c->fs, fs_keys);
	copy_keys(f, c->machine, machine_keys);
	copy_keys(f, g.guest, guest_keys);
	copy_keys(f, c->scenario, image_keys);
	put_modules(f, c, snapshot);
}

/* What a guest's pool of random numbers is fed: restored ones would all be alike. */
static void put_seed(FILE *f)
{
	unsigned char seed[SEED_BYTES];

	if (g.seed) {
		fprintf(f, "seed\t%s\n", g.seed);
		return;
	}
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		die("getrandom: %s", strerror(errno));
	fputs("seed\t", f);
	for (size_t i = 0; i < sizeof(seed); i++)
		fprintf(f, "%02x", seed[i]);
	fputc('\n', f);
}

static void put_fault(FILE *f, const struct conf *fault)
{
	static const char *const fault_keys[] = { "divert", "from", "action", "kthreads", NULL };

	if (!fault)
		return;
	fprintf(f, "fault\t%s\n", fault->name);
	copy_keys(f, fault, fault_keys);
	if (g.probe)
		fputs("probe\tyes\n", f);
}

static void put_run(FILE *f, const struct cell *c)
{
	static const char *const scenario_keys[] = { "timeout", "log", "verdict", "cut", NULL };
	const char *run = conf_get(c->scenario, "run");

	fprintf(f, "run\t%.*s\n", (int)strcspn(run, " \t"), run);
	copy_keys(f, c->scenario, scenario_keys);
	put_fault(f, c->fault);
	put_seed(f);
	if (g.shell)
		fputs("shell\tyes\n", f);
	for (size_t i = 0; i < c->nrows; i++)
		fprintf(f, "row\t%s\n", c->rows[i]);
}

static FILE *file_open(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void file_close(FILE *f, const char *path)
{
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

static void link_make(const char *to, const char *dir, const char *name)
{
	char *path = text("%s/%s", dir, name);

	if (symlink(to, path) && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
	free(path);
}

/* The guest reads up to the empty line. */
static void cell_write(const struct cell *c, const char *dir)
{
	char *path = text("%s/cell", dir);
	FILE *f = file_open(path);

	fprintf(f, "# %s\n", c->scenario->comment);
	fprintf(f, "scenario\t%s\nkernel\t%s\nrelease\t%s\nversion\t%s\nfs\t%s\nmachine\t%s\n",
		c->scenario->name, c->kernel->name, c->kernel->release, c->kernel->version,
		c->fs->name, c->machine->name);
	put_options(f, c->kernel);
	put_guest(f, c, false);
	put_run(f, c);
	fputc('\n', f);
	file_close(f, path);
	/* QEMU's pipe: what the guest reads is the cell, what it writes is dropped. */
	link_make("cell", dir, "cell.in");
	link_make("/dev/null", dir, "cell.out");
	free(path);
}

static void memory_write(FILE *f, const struct conf *machine)
{
	const char *ram = conf_get(machine, "memory"), *pmem = conf_get(machine, "pmem");

	fprintf(f, "-m\n%s\n-machine\nmemory-backend=ram\n", ram);
	fprintf(f, "-object\nmemory-backend-ram,id=ram,size=%s\n", ram);
	/* A flush of virtio-pmem is an fsync(2) of what backs it, so that is a file: memfd. */
	if (pmem)
		fprintf(f, "-object\nmemory-backend-memfd,id=pmem,size=%s\n", pmem);
}

/*
 * QEMU's arguments, one a line: the launch, and the recipe to repeat it in this
 * folder.  vm/guest.c derives those of a guest that is saved or restored.
 */
static void args_write(FILE *f, const struct cell *c)
{
	const char *append = conf_get(c->machine, "append");
	const char *cpu = strncmp(g.accel, "kvm", 3) ? "qemu64,+rdrand" : "host";
	/* The kernel survives what this vendor's machine checks ask for. */
	const char *vendor = conf_get(c->machine, "mce") ? ",vendor=GenuineIntel" : "";

	memory_write(f, c->machine);
	if (conf_get(c->machine, "qemu"))
		fprintf(f, "-readconfig\n%s/configs/machine/%s\n", g.top,
			conf_get(c->machine, "qemu"));
	fprintf(f, "-accel\n%s\n-cpu\n%s%s\n", g.accel, cpu, vendor);
	fputs("-nodefaults\n-no-user-config\n-no-reboot\n-display\nnone\n", f);
	fprintf(f, "-serial\n%sstdio\n", g.shell ? "mon:" : "");
	fputs("-qmp\nunix:qmp,server=on,wait=off\n", f);
	fputs("-device\nvirtio-serial-pci\n-chardev\nfile,id=ktap,path=ktap.log\n", f);
	fputs("-device\nvirtserialport,chardev=ktap,name=org.daxpin.ktap\n", f);
	fputs("-chardev\npipe,id=cell,path=cell\n", f);
	fputs("-device\nvirtserialport,chardev=cell,name=org.daxpin.cell\n", f);
	fprintf(f, "-kernel\n%s/%s.kernel\n-initrd\n%s/%s.cpio\n", g.root, c->kernel->name,
		g.root, c->kernel->name);
	fprintf(f, "-append\n%s%s%s\n", conf_get(g.guest, "append"), append ? " " : "",
		append ? append : "");
}

static void args_file(const struct cell *c, const char *dir)
{
	char *path = text("%s/qemu-args", dir);
	FILE *f = file_open(path);

	args_write(f, c);
	file_close(f, path);
	free(path);
}

static void folder_make(const char *dir)
{
	char *copy = strdup(dir);

	for (char *p = copy + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(copy, 0755);
	}
	free(copy);
	if (mkdir(dir, 0755) && errno != EEXIST)
		die("%s: %s", dir, strerror(errno));
}

/* A premise that is missing is known before any guest starts. */
static void skip_write(const struct cell *c, const char *dir)
{
	char *path = text("%s/verdict", dir);
	FILE *f = file_open(path);

	fprintf(f, "verdict skip\nreason %s\nrows %zu\nok 0\nfailed 0\nskipped %zu\nknown 0\n",
		c->missing, c->nrows, c->nrows);
	if (c->scenario->kind == CONF_CONTROL)
		fputs("control yes\n", f);
	for (size_t i = 0; i < c->nrows; i++)
		fprintf(f, "row skip %s: %s\n", c->rows[i], c->missing);
	file_close(f, path);
	free(path);
}

/* The folder of a guest that is saved when it is ready; several cells share it. */
static void snapshot_make(const struct cell *c, const char *dir)
{
	char *path = text("%s/cell", dir);
	bool shell = g.shell;
	FILE *f;

	folder_make(dir);
	f = file_open(path);
	fprintf(f, "# %s on %s, ready\n", c->fs->name, c->machine->name);
	put_guest(f, c, true);
	fputc('\n', f);
	file_close(f, path);
	link_make("/dev/null", dir, "cell.out");
	g.shell = false;		/* nobody is at its console */
	args_file(c, dir);
	g.shell = shell;
	free(path);
}

/* @name is of the cell that cannot begin without it, @up the way from @dir to the run. */
static void snapshot_need(const struct cell *c, const char *dir, const char *up, const char *name)
{
	char *snapshot = text("snapshots/%s/%s/%s%s", c->kernel->name, c->machine->name,
			      c->fs->name, conf_get(c->scenario, "image") ? ".image" : "");
	char *path = text("%s/%s", g.out, snapshot), *to = text("%s/%s", up, snapshot);

	snapshot_make(c, path);
	link_make(to, dir, "snapshot");
	fprintf(g.rules, "$(RUN)/%s/verdict: | $(RUN)/%s/ready\n", name, snapshot);
	free(to);
	free(path);
	free(snapshot);
}

static bool restorable(const struct cell *c)
{
	return !g.cold && !conf_get(c->machine, "cold");
}

/* What vm/power.c makes the guests of that look at what a power cut left. */
static void image_make(const struct cell *c, const char *dir, const char *name)
{
	struct conf *scenario = conf_find(&g.tree.scenarios, conf_get(c->scenario, "cut"));
	struct cell image = { .kernel = c->kernel, .scenario = scenario, .fs = c->fs,
			      .machine = c->machine, .globs = "" };
	char *path = text("%s/image", dir);

	if (!conf_get(scenario, "image"))
		die("%s: cut %s, expected a scenario with the key 'image'", c->scenario->path,
		    scenario->name);
	if (!conf_get(c->machine, "pmem"))
		die("%s: machine %s cannot be copied, expected one with the key 'pmem'",
		    c->scenario->path, c->machine->name);
	cell_rows(&image);
	folder_make(path);
	cell_write(&image, path);
	args_file(&image, path);
	if (restorable(c))
		snapshot_need(&image, path, "../../../..", name);
	free(path);
}

static void cell_make(const struct cell *c, const char *name)
{
	char *dir = text("%s/%s", g.out, name);

	folder_make(dir);
	cell_write(c, dir);
	args_file(c, dir);
	if (c->missing[0])
		skip_write(c, dir);
	else if (restorable(c))
		snapshot_need(c, dir, "../../..", name);
	if (!c->missing[0] && conf_get(c->scenario, "cut"))
		image_make(c, dir, name);
	fprintf(g.index, "%s\n", name);
	free(dir);
}

/* The command line as a person would type it in the cell's folder. */
static void cell_line(const struct cell *c, const char *name)
{
	char *buf = NULL, *line, *save;
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	args_write(f, c);
	fclose(f);
	printf("# %s\nqemu-system-x86_64", name);
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf(strchr(line, ' ') ? " '%s'" : " %s", line);
	putchar('\n');
	free(buf);
}

/* For vm/matrix.c. */
static void rows_print(const struct cell *c)
{
	for (size_t i = 0; i < c->nrows && c->scenario->kind != CONF_CONTROL; i++)
		printf("%s %s\n", c->fs->name, c->rows[i]);
}

/*
 * Selecting
 */

/* Controls are in every shard, the other cells in turn. */
static void cell_plan(const struct cell *c, const char *name, bool control)
{
	fprintf(g.plan, "%s\n", name);
	if (control || !g.shards || g.nnormal % g.shards == g.shard - 1)
		cell_make(c, name);
}

static void cell_copies(const struct cell *c, const char *name, bool control)
{
	cell_plan(c, name, control);
	for (long i = 2; i <= g.copies; i++) {
		char *copy = text("%s.%ld", name, i);

		cell_plan(c, copy, control);
		free(copy);
	}
}

/* The fault of a scenario is its own. */
static const struct conf *fault_of(const struct conf *scenario)
{
	const char *name = conf_get(scenario, "fault");

	return name ? conf_find(&g.tree.faults, name) : NULL;
}

static void cell_add(struct kernel *k, struct conf *scenario, const char *fs, const char *globs,
		     const struct conf *fault)
{
	bool control = scenario->kind == CONF_CONTROL;
	struct cell *c;
	char *name;

	if (conf_get(scenario, "image"))
		return;			/* its cells come into being with what they look at */
	if (!control && g.scenarios.n && !words_have(&g.scenarios, scenario->name))
		return;
	if (!control && g.fs.n && !words_have(&g.fs, fs))
		return;
	c = calloc(1, sizeof(*c));
	*c = (struct cell){ .kernel = k, .scenario = scenario, .globs = globs,
			    .fs = conf_find(&g.tree.fs, fs),
			    .fault = fault ?: fault_of(scenario) };
	cell_needs(c);
	cell_rows(c);
	if (!c->nrows) {
		free(c);
		return;
	}
	name = text("%s/%s/%s%s%s", k->name, fs, scenario->name, fault ? "+" : "",
		    fault ? fault->name : "");
	if (g.list)
		printf("%-50s %4zu rows  %s\n", name, c->nrows, c->machine->name);
	else if (g.rows_only)
		rows_print(c);
	else if (g.lines)
		cell_line(c, name);
	else
		cell_copies(c, name, control);
	g.ncells++;
	g.nnormal += !control;
	free(name);
	free(c);
}

/* "*" stands for all that the scenario names. */
static void fs_split(const struct conf *scenario, const char *fs, struct words *w)
{
	split(strcmp(fs, "*") ? fs : conf_get(scenario, "fs"), w);
}

static void scenario_add(struct kernel *k, struct conf *scenario, const char *fs, const char *globs,
			 const struct conf *fault)
{
	struct words w = { .n = 0 };

	fs_split(scenario, fs, &w);
	for (size_t i = 0; i < w.n; i++)
		cell_add(k, scenario, w.v[i], globs, fault);
}

/* "SCENARIO FS[,FS...]|* [ROWGLOB...]"; what follows the file systems. */
static const char *line_read(const char *value, char scenario[128], char fs[512])
{
	int globs = 0;

	if (sscanf(value, "%127s %511s %n", scenario, fs, &globs) < 2)
		die("bad cells: %s", value);
	return value + globs;
}

static void suite_line(struct kernel *k, const char *value)
{
	char scenario[128], fs[512];
	const char *globs = line_read(value, scenario, fs);

	scenario_add(k, conf_find(&g.tree.scenarios, scenario), fs, globs, NULL);
}

/* Every scenario on each of its file systems. */
static void all_add(struct kernel *k, const struct conf *fault)
{
	const struct conf_set *s = &g.tree.scenarios;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i]->kind == CONF_SCENARIO)
			scenario_add(k, s->v[i], "*", "", fault);
}

/*
 * Faults
 */

/* A scenario on a file system, and all the rows that any fault is scored by. */
struct healthy {
	struct conf	*scenario;
	char		*fs, *globs;
};

static struct healthy *healthy;
static size_t nhealthy;

static void healthy_add(struct conf *scenario, char *fs, const char *globs)
{
	struct healthy *h = healthy;

	while (h < healthy + nhealthy && (h->scenario != scenario || strcmp(h->fs, fs)))
		h++;
	if (h == healthy + nhealthy) {
		healthy = need(reallocarray(healthy, nhealthy + 1, sizeof(*healthy)));
		h = &healthy[nhealthy++];
		*h = (struct healthy){ scenario, fs, "" };
	}
	h->globs = text("%s %s", h->globs, *globs ? globs : "*");
}

/* The cells of one line of a fault, and what they are compared with. */
static void fault_line(struct kernel *k, const struct conf *fault, const char *value)
{
	char scenario[128], fs[512];
	struct words w = { .n = 0 };
	const char *globs = line_read(value, scenario, fs);
	struct conf *s = conf_find(&g.tree.scenarios, scenario);

	fs_split(s, fs, &w);
	for (size_t i = 0; i < w.n; i++) {
		healthy_add(s, w.v[i], globs);
		cell_add(k, s, w.v[i], globs, fault);
		if (g.probe)
			return;
	}
}

static void fault_cells(struct kernel *k, const struct conf *fault)
{
	if (g.all && !conf_get(fault, "equivalent")) {
		all_add(k, fault);
		return;
	}
	for (const struct conf_line *l = NULL; (l = conf_next(fault, "cells", l)); ) {
		fault_line(k, fault, l->value);
		if (g.probe)
			return;
	}
}

static void score_cells(struct kernel *k)
{
	const struct conf_set *s = &g.tree.faults;

	nhealthy = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!g.faults.n || words_have(&g.faults, s->v[i]->name))
			fault_cells(k, s->v[i]);
	for (size_t i = 0; i < nhealthy && !g.probe && !g.all; i++)
		cell_add(k, healthy[i].scenario, healthy[i].fs, healthy[i].globs, NULL);
	if (g.all)
		all_add(k, NULL);
}

static void kernel_cells(struct kernel *k)
{
	const struct conf *suite = g.suite ? conf_find(&g.tree.suites, g.suite) : NULL;
	struct conf_set *s = &g.tree.scenarios;

	if (g.score) {
		score_cells(k);
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i]->kind == CONF_CONTROL && !g.shell && !g.bare)
			scenario_add(k, s->v[i], "*", "", NULL);
	for (const struct conf_line *l = NULL; suite && (l = conf_next(suite, "cells", l)); )
		suite_line(k, l->value);
	if (!suite)
		all_add(k, NULL);
}

static void check_names(const char *option, const struct words *w, const struct conf_set *s)
{
	for (size_t i = 0; i < w->n; i++)
		if (!conf_find(s, w->v[i]))
			die("%s %s: no such file, expected a name that './run.sh %s' lists",
			    option, w->v[i], s == &g.tree.faults ? "faults" : "cells");
}

/* "K/N" */
static void shard_set(const char *s)
{
	int used = 0;

	if (sscanf(s, "%zu/%zu%n", &g.shard, &g.shards, &used) != 2 || s[used] || !g.shard ||
	    g.shard > g.shards)
		die("-p %s: expected K/N, K from 1 to N", s);
}

static void seed_set(const char *digits)
{
	if (strlen(digits) != 2 * SEED_BYTES || digits[strspn(digits, "0123456789abcdef")])
		die("--seed %s: expected %d digits of 0-9 a-f", digits, 2 * SEED_BYTES);
	g.seed = digits;
}

static void suite_kernels(const char *name)
{
	const struct conf *suite = conf_find(&g.tree.suites, name);
	const char *kernels = suite ? conf_get(suite, "kernels") : NULL;

	if (!suite)
		die("-s %s: no such file in configs/suites", name);
	puts(kernels ? kernels : "stock");
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "Ls:t:f:r:a:m:lRno:SCxc:p:K:FAPb:e:")) != -1) {
		switch (opt) {
		case 'L':
			exit(0);
		case 's':
			g.suite = optarg;
			break;
		case 't':
			words_add(&g.scenarios, optarg);
			break;
		case 'f':
			words_add(&g.fs, optarg);
			break;
		case 'r':
			words_add(&g.rows, optarg);
			break;
		case 'a':
			g.accel = optarg;
			break;
		case 'm':
			g.machine = optarg;
			break;
		case 'l':
			g.list = true;
			break;
		case 'R':
			g.rows_only = true;
			break;
		case 'n':
			g.lines = true;
			break;
		case 'o':
			g.out = optarg;
			break;
		case 'S':
			g.shell = true;
			break;
		case 'p':
			shard_set(optarg);
			break;
		case 'K':
			suite_kernels(optarg);
			exit(0);
		case 'C':
			g.cold = true;
			break;
		case 'F':
			g.score = true;
			break;
		case 'A':
			g.all = true;
			break;
		case 'P':
			g.probe = true;
			break;
		case 'b':
			words_add(&g.faults, optarg);
			break;
		case 'e':
			seed_set(optarg);
			break;
		case 'x':
			g.bare = true;
			break;
		case 'c':
			g.copies = strtol(optarg, NULL, 10);
			break;
		default:
			die("%s", usage);
		}
	}
	if (optind == argc || g.list + g.rows_only + g.lines + !!g.out != 1 || g.copies < 1 ||
	    (g.all || g.probe || g.faults.n) > g.score)
		die("%s", usage);
	check_names("-t", &g.scenarios, &g.tree.scenarios);
	check_names("-f", &g.fs, &g.tree.fs);
	check_names("-b", &g.faults, &g.tree.faults);
	if (g.suite && !conf_find(&g.tree.suites, g.suite))
		die("-s %s: no such file in configs/suites", g.suite);
	for (; optind < argc; optind++)
		kernel_add(argv[optind]);
}

/* Controls are always there; a run of nothing else must have been asked for by name. */
static bool controls_asked(void)
{
	for (size_t i = 0; i < g.scenarios.n && !g.bare; i++)
		if (conf_find(&g.tree.scenarios, g.scenarios.v[i])->kind == CONF_CONTROL)
			return true;
	return false;
}

/* Kernels may come one after the other: each adds its cells. */
static FILE *run_file(const char *name)
{
	char *path = text("%s/%s", g.out, name);
	FILE *f = fopen(path, "a");

	if (!f)
		die("%s: %s", path, strerror(errno));
	free(path);
	return f;
}

static void run_open(void)
{
	folder_make(g.out);
	g.index = run_file("cells");
	g.rules = run_file("snapshots.mk");
	g.plan = run_file("plan");
}

static void run_close(void)
{
	file_close(g.index, "cells");
	file_close(g.rules, "snapshots.mk");
	file_close(g.plan, "plan");
}

int main(int argc, char **argv)
{
	if (!getcwd(g.top, sizeof(g.top)))
		die("getcwd: %s", strerror(errno));
	g.guest = conf_read("configs/guest", CONF_GUEST);
	if (conf_tree_read(g.top, &g.tree) || !g.guest)
		return 2;
	options(argc, argv);
	/* A run has its own link of each root: what is built later does not change it. */
	g.root = g.out ? strdup(g.out) : text("%s/out/root", g.top);
	if (g.out)
		run_open();
	for (size_t i = 0; i < g.nkernels; i++)
		kernel_cells(&g.kernels[i]);
	if (g.out)
		run_close();
	if (!g.nnormal && !controls_asked())
		die("nothing is selected: no scenario has these file systems and rows");
	return 0;
}
