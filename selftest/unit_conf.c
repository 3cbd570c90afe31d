// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the readers of data files: what each refuses, and what it then
 * says of it.  TAP on standard output; exit status 1 when a test failed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char template[] = "/tmp/unit_conf.XXXXXX";
static char top[sizeof(template)];
static char errors[65536];		/* what the reader printed last */
static int tests, failures;

static void check(bool good, const char *name)
{
	tests++;
	failures += !good;
	if (!good)
		printf("# the reader said: %s\n", *errors ? errors : "nothing");
	printf("%sok %d - %s\n", good ? "" : "not ", tests, name);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Standard error goes to a file between these two. */
static int errors_begin(void)
{
	int saved = dup(STDERR_FILENO), fd = open("errors", O_RDWR | O_CREAT | O_TRUNC, 0600);

	fflush(stderr);
	if (saved < 0 || fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		die("errors");
	close(fd);
	return saved;
}

static void errors_end(int saved)
{
	ssize_t n;

	fflush(stderr);
	n = pread(STDERR_FILENO, errors, sizeof(errors) - 1, 0);
	errors[n > 0 ? n : 0] = '\0';
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void write_bytes(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f))
		die(path);
}

static void write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static struct conf *read_quietly(const char *path, enum conf_kind kind)
{
	int saved = errors_begin();
	struct conf *c = conf_read(path, kind);

	errors_end(saved);
	return c;
}

/* The first file of each kind is whole; the ones below are made from them. */
static const char * const whole[] = {
	[CONF_SCENARIO] =
		"# Truncate waits.\n"
		"run pin_truncate -v dio_read\n"
		"fs ext4-dax xfs-dax\n"
		"timeout 60\n"
		"log quiet\n",
	[CONF_CONTROL] =
		"# A splat is seen.\n"
		"run poke kasan\n"
		"fs ext4-dax\n"
		"timeout 60\n"
		"log allow BUG: KASAN\n"
		"verdict fail KASAN\n",
	[CONF_FS] =
		"# ext4 with DAX.\n"
		"type ext4\n"
		"dax yes\n"
		"mkfs mkfs.ext4 -q\n"
		"fsck e2fsck -fn\n",
	[CONF_MACHINE] =
		"# An NVDIMM.\n"
		"device /dev/pmem0\n"
		"rank 10\n"
		"memory 512M\n",
	[CONF_KNOWN] =
		"# Truncate does not wait.\n"
		"scenario truncate\n"
		"rows pin_truncate\\..*\n"
		"kernel - 6.13\n"
		"signature WARNING fs/dax.c\n"
		"reference none\n",
	[CONF_SUITE] =
		"# All of it.\n"
		"cells truncate *\n",
	[CONF_FAULT] =
		"# Who drops the last pin wakes who waits.\n"
		"divert wake_up_var\n"
		"action return 0\n"
		"cells truncate *\n",
	[CONF_MATRIX] =
		"# What meets what.\n"
		"holder dio_read direct I/O\n"
		"collision truncate ftruncate(2)\n"
		"rows break_layouts\\.(.*)_(pte|pmd)\\.(.*) \\1 \\3\n"
		"other ctl.* controls\n"
		"none vm_.* truncate xfs.* nothing is held\n",
	[CONF_GUEST] =
		"# Every guest.\n"
		"modules ext4 xfs\n"
		"ramdisk /dev/ram0\n"
		"append console=ttyS0\n",
	[CONF_CELL] =
		"# One cell.\n"
		"scenario truncate\n"
		"kernel src:6.12\n"
		"release 6.12.117\n"
		"fs ext4-dax\n"
		"machine nvdimm\n"
		"type ext4\n"
		"dax yes\n"
		"mkfs mkfs.ext4 -q\n"
		"fsck e2fsck -fn\n"
		"device /dev/pmem0\n"
		"run pin_truncate\n"
		"timeout 60\n"
		"log quiet\n"
		"row pin_truncate.no_pin.to_zero\n",
	[CONF_BISECT] =
		"# which tree brought a failure of truncate\n"
		"search tree\n"
		"source /home/user/linux\n"
		"good 0123456789abcdef\n"
		"bad fedcba9876543210\n"
		"revisions 16\n"
		"start --first-parent\n"
		"scenario truncate\n"
		"confidence 99.5\n"
		"jobs 3\n",
};

/* A whole file, in which @from is now @to: refused with @message. */
static const struct refusal {
	const char	*name;
	enum conf_kind	 kind;
	const char	*from, *to;
	const char	*message;
} refusals[] = {
	{ "unknown key", CONF_SCENARIO, "timeout", "timeuot", "x:4: unknown key 'timeuot', " },
	{ "missing key", CONF_SCENARIO, "timeout 60\n", "", "x:4: no key 'timeout', expected" },
	{ "missing log", CONF_CELL, "log quiet\n", "", "x:14: no key 'log', expected quiet" },
	{ "missing verdict", CONF_CONTROL, "verdict fail KASAN\n", "", "x:5: no key 'verdict', " },
	{ "duplicate key", CONF_SCENARIO, "log quiet", "log quiet\nrun x",
	  "x:6: key 'run' again, expected it once (line 2)" },
	{ "duplicate row", CONF_CELL, "row ", "row pin_truncate.no_pin.to_zero\nrow ",
	  "x:16: row 'pin_truncate.no_pin.to_zero' again, expected it once (line 15)" },
	{ "missing comment", CONF_SCENARIO, "# Truncate waits.\n", "", "x:1: no comment before" },
	{ "empty comment", CONF_SCENARIO, " Truncate waits.", " ", "x:1: empty first comment" },
	{ "empty value", CONF_SCENARIO, "run pin_truncate -v dio_read", "run ",
	  "x:2: key 'run' without a value, expected PROGRAM" },
	{ "number: zero", CONF_SCENARIO, "60", "0", "x:4: bad timeout '0', expected a number" },
	{ "number: too large", CONF_SCENARIO, "60", "3601", "x:4: bad timeout '3601'" },
	{ "number: not one", CONF_SCENARIO, "60", "60s", "x:4: bad timeout '60s'" },
	{ "number: huge", CONF_MACHINE, "10", "99999999999999999999", "x:3: bad rank " },
	{ "number: negative", CONF_MACHINE, "10", "-1", "x:3: bad rank '-1'" },
	{ "log: unknown word", CONF_SCENARIO, "quiet", "silent", "x:5: bad log 'silent'" },
	{ "log: no expression", CONF_SCENARIO, "quiet", "allow", "x:5: bad log 'allow'" },
	{ "log: bad expression", CONF_SCENARIO, "quiet", "allow (", "x:5: bad log 'allow ('" },
	{ "log: excuses all", CONF_SCENARIO, "quiet", "allow WARNING|", "x:5: bad log " },
	{ "log: quiet and more", CONF_SCENARIO, "quiet", "quiet\nlog allow x",
	  "x:6: log quiet and another log" },
	{ "log: more and quiet", CONF_SCENARIO, "log quiet", "log allow x\nlog quiet",
	  "x:6: log quiet and another log" },
	{ "run: bad program", CONF_SCENARIO, "pin_truncate", "../sh", "x:2: bad run '../sh" },
	{ "fs: bad name", CONF_SCENARIO, "xfs-dax", "XFS", "x:3: bad fs 'ext4-dax XFS'" },
	{ "fs: name twice", CONF_SCENARIO, "xfs-dax", "ext4-dax", "x:3: bad fs " },
	{ "needs: CONFIG_", CONF_SCENARIO, "log quiet", "log quiet\nneeds CONFIG_FS_DAX",
	  "x:6: bad needs 'CONFIG_FS_DAX'" },
	{ "verdict: bad word", CONF_CONTROL, "fail KASAN", "failed", "x:6: bad verdict 'failed'" },
	{ "verdict: bad expression", CONF_CONTROL, "fail KASAN", "fail [", "x:6: bad verdict " },
	{ "verdict: not in a scenario", CONF_SCENARIO, "log quiet", "log quiet\nverdict fail",
	  "x:6: unknown key 'verdict'" },
	{ "choice: type", CONF_FS, "type ext4", "type btrfs", "x:2: bad type 'btrfs'" },
	{ "choice: dax", CONF_FS, "dax yes", "dax maybe", "x:3: bad dax 'maybe'" },
	{ "choice: ends", CONF_KNOWN, "reference", "ends no\nreference", "x:6: bad ends 'no'" },
	{ "device", CONF_MACHINE, "/dev/pmem0", "pmem0", "x:2: bad device 'pmem0'" },
	{ "qemu: no such file", CONF_MACHINE, "rank", "qemu nothing.cfg\nrank",
	  "x:3: no file nothing.cfg, expected a QEMU" },
	{ "kernel: one bound", CONF_KNOWN, "- 6.13", "6.13", "x:4: bad kernel '6.13'" },
	{ "kernel: three bounds", CONF_KNOWN, "- 6.13", "- 6.13 7", "x:4: bad kernel " },
	{ "kernel: backwards", CONF_KNOWN, "- 6.13", "6.13 6.2", "x:4: bad kernel '6.13 6.2'" },
	{ "kernel: not a release", CONF_KNOWN, "- 6.13", "- six", "x:4: bad kernel '- six'" },
	{ "rows: bad expression", CONF_KNOWN, "pin_truncate\\..*", "*(", "x:3: bad rows '*('" },
	{ "signature: excuses all", CONF_KNOWN, "WARNING fs/dax.c", "x*", "x:5: bad signature" },
	{ "cells: no fs", CONF_SUITE, " *", "", "x:2: bad cells 'truncate'" },
	{ "divert: not a symbol", CONF_FAULT, "wake_up_var", "wake-up", "x:2: bad divert " },
	{ "divert: twice", CONF_FAULT, "wake_up_var", "f f", "x:2: bad divert 'f f'" },
	{ "from: nine", CONF_FAULT, "action", "from a b c d e f g h i\naction",
	  "x:3: bad from " },
	{ "action: no value", CONF_FAULT, "return 0", "return", "x:3: bad action 'return'" },
	{ "action: argument 7", CONF_FAULT, "return 0", "argument 7 1", "x:3: bad action " },
	{ "fault: no divert", CONF_FAULT, "divert wake_up_var\n", "", "x:3: no key 'divert'" },
	{ "cells: bad list", CONF_SUITE, " *", " a,,b", "x:2: bad cells 'truncate a,,b'" },
	{ "release", CONF_CELL, "6.12.117", "linux", "x:4: bad release 'linux'" },
	{ "row: two words", CONF_CELL, "to_zero", "to zero", "x:15: bad row " },
	{ "search: bad word", CONF_BISECT, "search tree", "search trees",
	  "x:2: bad search 'trees'" },
	{ "confidence: of a coin", CONF_BISECT, "99.5", "49", "x:9: bad confidence '49'" },
	{ "confidence: of everything", CONF_BISECT, "99.5", "100", "x:9: bad confidence '100'" },
	{ "revisions: none", CONF_BISECT, "16", "0", "x:6: bad revisions '0'" },
	{ "CR LF", CONF_SCENARIO, "timeout 60", "timeout 60\r", "x:4: line ends in CR LF" },
	{ "control byte", CONF_SCENARIO, "waits", "w\033its", "x:1: byte 0x1b, expected text" },
	{ "blank first", CONF_SCENARIO, "timeout", " timeout", "x:4: blank at the start" },
	{ "cut line", CONF_SCENARIO, "log quiet\n", "log quiet", "x:5: line without an end" },
};

static void replace(char *out, size_t size, const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	if (!at)
		die(from);
	snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void test_refusals(void)
{
	char text[4096], name[128];

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct conf *c;

		replace(text, sizeof(text), whole[r->kind], r->from, r->to);
		write_text("x", text);
		c = read_quietly("x", r->kind);
		snprintf(name, sizeof(name), "refused: %s", r->name);
		check(!c && strstr(errors, r->message), name);
		conf_free(c);
	}
}

static void test_whole(void)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(whole); kind++) {
		struct conf *c;
		char name[128];

		write_text("x.scn", whole[kind]);
		c = read_quietly("x.scn", kind);
		snprintf(name, sizeof(name), "read: %s", strtok(strdupa(whole[kind]), "\n"));
		check(c && !*errors && !strcmp(c->name, "x") && c->kind == kind, name);
		conf_free(c);
	}
}

/* Files that are no text, or no files. */
static void test_bytes(void)
{
	static char longest[8192], large[1100000];
	char binary[256];

	check(!read_quietly("nothing", CONF_FS) && strstr(errors, "nothing:0: No such file"),
	      "refused: no file");
	check(!read_quietly(".", CONF_FS) && strstr(errors, ".:0: not a regular file"),
	      "refused: a folder");
	if (mkfifo("fifo", 0600))
		die("fifo");
	check(!read_quietly("fifo", CONF_FS) && strstr(errors, "fifo:0: not a regular file"),
	      "refused: a FIFO, without waiting for it");
	write_text("empty", "");
	check(!read_quietly("empty", CONF_FS) && strstr(errors, "empty:0: no key 'type'"),
	      "refused: an empty file");
	write_bytes("x", "# a\ntype e\0t4\n", 14);
	check(!read_quietly("x", CONF_FS) && strstr(errors, "x:2: byte 0x00, expected text"),
	      "refused: NUL byte");
	for (size_t i = 0; i < sizeof(binary); i++)
		binary[i] = i;
	write_bytes("x", binary, sizeof(binary));
	check(!read_quietly("x", CONF_FS) && strstr(errors, "x:1: "), "refused: binary");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 2] = '\n';
	write_text("x", longest);
	check(!read_quietly("x", CONF_FS) && strstr(errors, "x:1: line of 8190 bytes, expected"),
	      "refused: a long line");
	memset(large, '\n', sizeof(large));
	write_bytes("x", large, sizeof(large));
	check(!read_quietly("x", CONF_FS) && strstr(errors, "x:0: 1100000 bytes, expected"),
	      "refused: a large file");
	write_text("Name", whole[CONF_FS]);
	check(!read_quietly("Name", CONF_FS) && strstr(errors, "Name:0: bad file name 'Name'"),
	      "refused: a bad name");
}

static void test_all_errors(void)
{
	int lines = 0;

	write_text("x", "type btrfs\nbla\nmkfs\n");
	check(!read_quietly("x", CONF_FS), "refused: everything wrong");
	for (const char *p = errors; (p = strchr(p, '\n')); p++)
		lines++;
	/* No comment, btrfs, bla, mkfs without a value, no dax, no fsck. */
	check(lines == 6, "every error is reported");
}

static void test_values(void)
{
	const struct conf_line *l;
	struct conf *c;

	write_text("x", "# One.\n# Two.\n\nrun a  b\t c\t\nfs\text4-dax \t xfs-dax\n"
			"timeout 0060\n# Known until 7.1.\nlog allow  a b\nlog require c\n");
	c = read_quietly("x", CONF_SCENARIO);
	check(c, "blank lines, tabs and comments");
	if (!c)
		return;
	check(!strcmp(c->comment, "One."), "the first comment line");
	check(!strcmp(conf_get(c, "run"), "a  b\t c"), "a value keeps its inner blanks");
	check(!conf_get(c, "machine"), "no value");
	check(conf_num(c, "timeout", -1) == 60, "a number");
	check(conf_num(c, "rank", -1) == -1, "no number");
	l = conf_next(c, "log", NULL);
	check(l && !strcmp(l->value, "allow  a b") && l->line == 8, "the first log");
	l = conf_next(c, "log", l);
	check(l && !strcmp(l->value, "require c") && l->line == 9, "the second log");
	check(!conf_next(c, "log", l), "no third log");
	check(conf_has_word(conf_get(c, "fs"), "xfs-dax"), "a word of a list");
	conf_free(c);
}

static void test_words(void)
{
	check(conf_has_word("a bc\td", "a"), "first word");
	check(conf_has_word("a bc\td", "d"), "last word");
	check(!conf_has_word("a bc\td", "b"), "part of a word");
	check(!conf_has_word("a bc\td", "bcd"), "longer word");
	check(!conf_has_word("a bc\td", ""), "empty word");
	check(!conf_has_word("", "a"), "empty list");
	check(!conf_has_word(NULL, "a"), "no list");
}

static const struct {
	const char	*a, *b;
	int		 sign;
} releases[] = {
	{ "6.1", "6.1", 0 },
	{ "6.1", "6.1.192", 0 },
	{ "6.1.0-56-amd64", "6.1.0", 0 },
	{ "6.1.0-56-amd64", "6.1", 0 },
	{ "6.12.117", "6.2", 1 },
	{ "6.9", "6.10", -1 },
	{ "6.12.9", "6.12.10", -1 },
	{ "7.2.0-rc1", "7.2", 0 },
	{ "7.2-rc1+", "7.1.9", 1 },
	{ "5.19", "6", -1 },
	{ "6", "6.19", 0 },
};

static void test_releases(void)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		int forth = conf_release_cmp(releases[i].a, releases[i].b);
		int back = conf_release_cmp(releases[i].b, releases[i].a);
		int want = releases[i].sign;

		snprintf(name, sizeof(name), "%s and %s", releases[i].a, releases[i].b);
		check((forth > 0) - (forth < 0) == want && (back > 0) - (back < 0) == -want, name);
	}
}

static const struct {
	const char	*release, *range;
	bool		 in;
} ranges[] = {
	{ "6.12.117", "- -", true },
	{ "6.12.117", "6.1 6.12", true },
	{ "6.12.117", "6.1 6.12.116", false },
	{ "6.12.117", "6.12.117\t6.12.117", true },
	{ "6.12.117", "6.13 -", false },
	{ "6.12.117", "6.12  -", true },
	{ "6.1.0-56-amd64", "- 6.1", true },
	{ "6.1.0-56-amd64", "- 6.0", false },
	{ "7.2.0", "6.1 6.12", false },
};

static void test_ranges(void)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		snprintf(name, sizeof(name), "%s %s %s", ranges[i].release,
			 ranges[i].in ? "in" : "not in", ranges[i].range);
		check(conf_release_in(ranges[i].release, ranges[i].range) == ranges[i].in, name);
	}
}

/* What the files of a tree say of each other. */
static const struct {
	const char	*path;
	enum conf_kind	 kind;
} tree_files[] = {
	{ "tree/tests/truncate.scn",		CONF_SCENARIO },
	{ "tree/tests/truncate.c",		CONF_SUITE },	/* not read */
	{ "tree/selftest/control_kasan.scn",	CONF_CONTROL },
	{ "tree/configs/fs/ext4-dax",		CONF_FS },
	{ "tree/configs/fs/xfs-dax",		CONF_FS },
	{ "tree/configs/machine/nvdimm",	CONF_MACHINE },
	{ "tree/configs/machine/nvdimm.cfg",	CONF_SUITE },	/* not read */
	{ "tree/configs/known/slow",		CONF_KNOWN },
	{ "tree/configs/suites/all",		CONF_SUITE },
};

static const char * const tree_folders[] = {
	"tree", "tree/tests", "tree/selftest", "tree/configs", "tree/configs/fs",
	"tree/configs/machine", "tree/configs/known", "tree/configs/suites",
};

static void write_tree(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tree_folders); i++)
		mkdir(tree_folders[i], 0700);
	for (size_t i = 0; i < ARRAY_SIZE(tree_files); i++)
		write_text(tree_files[i].path, whole[tree_files[i].kind]);
}

static int read_tree(struct conf_tree *t)
{
	int saved = errors_begin(), err = conf_tree_read("tree", t);

	errors_end(saved);
	return err;
}

/* One file of the tree, in which @from is now @to. */
static const struct {
	const char	*name;
	size_t		 file;
	const char	*from, *to;
	const char	*message;
} tree_refusals[] = {
	{ "fs of a scenario", 0, "xfs-dax", "zfs", "truncate.scn:3: no fs 'zfs', expected" },
	{ "machine of a scenario", 0, "log quiet", "log quiet\nmachine tape",
	  "truncate.scn:6: no machine 'tape', expected" },
	{ "fs of a control", 2, "ext4-dax", "zfs", "control_kasan.scn:3: no fs 'zfs'" },
	{ "scenario of a known issue", 7, "scenario truncate", "scenario trunk",
	  "slow:2: no scenario 'trunk', expected" },
	{ "fs of a known issue", 7, "rows", "fs zfs\nrows", "slow:3: no fs 'zfs', expected" },
	{ "known issue of a control", 7, "scenario truncate", "scenario truncate control_kasan",
	  "slow:2: 'control_kasan' is a control, expected a scenario" },
	{ "scenario of a suite", 8, "truncate", "trunk", "all:2: no scenario 'trunk', expected" },
	{ "fs of a suite", 8, "*", "ext4-dax,zfs",
	  "all:2: fs 'zfs', expected one that truncate runs on" },
	{ "a broken file", 3, "dax yes", "dax", "ext4-dax:3: key 'dax' without a value" },
};

static void test_tree(void)
{
	char text[4096], name[128];
	struct conf_tree t;

	write_tree();
	check(!read_tree(&t) && !*errors, "a whole tree");
	check(t.scenarios.n == 2 && !strcmp(t.scenarios.v[0]->name, "control_kasan") &&
	      t.scenarios.v[0]->kind == CONF_CONTROL, "scenarios and controls, sorted");
	check(t.machines.n == 1 && t.fs.n == 2 && t.known.n == 1 && t.suites.n == 1,
	      "every other file, and no others");
	check(conf_find(&t.fs, "xfs-dax") == t.fs.v[1] && !conf_find(&t.fs, "xfs"), "find");
	conf_tree_free(&t);
	for (size_t i = 0; i < ARRAY_SIZE(tree_refusals); i++) {
		size_t file = tree_refusals[i].file;

		replace(text, sizeof(text), whole[tree_files[file].kind], tree_refusals[i].from,
			tree_refusals[i].to);
		write_text(tree_files[file].path, text);
		snprintf(name, sizeof(name), "refused: %s", tree_refusals[i].name);
		check(read_tree(&t) == -1 && strstr(errors, tree_refusals[i].message), name);
		write_tree();
	}
}

static void test_tree_folders(void)
{
	struct conf_tree t;

	write_text("tree/configs/suites/all", "# Two.\ncells truncate xfs-dax,ext4-dax a* *.b\n");
	check(!read_tree(&t) && !*errors, "a suite of some rows on two file systems");
	conf_tree_free(&t);
	write_text("tree/selftest/truncate.scn", whole[CONF_CONTROL]);
	check(read_tree(&t) == -1 && strstr(errors, "scenario 'truncate' again, expected it once"),
	      "refused: two scenarios of one name");
	unlink("tree/selftest/truncate.scn");
	unlink("tree/configs/known/slow");
	rmdir("tree/configs/known");
	check(!read_tree(&t) && !t.known.n, "no known issues");
	conf_tree_free(&t);
	rename("tree/tests", "tree/gone");
	check(read_tree(&t) == -1 && strstr(errors, "tree/tests:0: No such file or directory"),
	      "refused: no tests");
}

static void clean_up(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	if (chdir("/") || system(command))
		perror(command);
}

int main(void)
{
	memcpy(top, template, sizeof(top));
	if (!mkdtemp(top) || chdir(top))
		die(top);
	test_whole();
	test_refusals();
	test_bytes();
	test_all_errors();
	test_values();
	test_words();
	test_releases();
	test_ranges();
	test_tree();
	test_tree_folders();
	clean_up();
	printf("1..%d\n", tests);
	return failures > 0;
}
