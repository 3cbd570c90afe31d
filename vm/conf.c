// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict readers for daxpin's data files, see conf.h.
 *
 * What a file may say is data: a table of keys, and a table of the types of
 * their values.  A typo can then never mean "nothing said": it is an unknown
 * key, or a value that does not fit its type.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BLANKS		" \t"
#define LINE_MAX_BYTES	4096
#define FILE_MAX_BYTES	1048576

static void *need(void *p)
{
	if (p)
		return p;
	perror("conf");
	exit(2);
}

static char *copy(const char *s, size_t n)
{
	return need(strndup(s, n));
}

static bool is_false(int printed)
{
	(void)printed;
	return false;
}

/* Print an error; false, so that a check can return it. */
#define complain(path, line, fmt, ...) \
	is_false(fprintf(stderr, "%s:%d: " fmt "\n", path, line, ##__VA_ARGS__))

/* What follows the first word of @s. */
static const char *rest_of(const char *s)
{
	s += strcspn(s, BLANKS);
	return s + strspn(s, BLANKS);
}

/* The next word of @list, of @len bytes; NULL at its end.  Commas are blanks, too. */
static const char *next_word(const char *list, size_t *len)
{
	list += strspn(list, BLANKS ",");
	*len = strcspn(list, BLANKS ",");
	return *len ? list : NULL;
}

/* How often the word of @len bytes at @word is in @list. */
static int count_word(const char *list, const char *word, size_t len)
{
	int count = 0;
	size_t n;

	for (; (list = next_word(list, &n)); list += n)
		count += n == len && !memcmp(list, word, n);
	return count;
}

/* What an expression cannot say of a value: these look at one group of it. */

static bool each_once(const char *list)
{
	size_t len;

	for (const char *word = list; (word = next_word(word, &len)); word += len)
		if (count_word(list, word, len) > 1)
			return false;
	return true;
}

static bool no_config(const char *list)
{
	for (const char *p = list; (p = strstr(p, "CONFIG_")); p++)
		if (p == list || strchr(BLANKS, p[-1]))
			return false;
	return each_once(list);
}

static bool up_to_hour(const char *seconds)
{
	return atol(seconds) >= 1 && atol(seconds) <= 3600;
}

static bool up_to_1000(const char *number)
{
	return atol(number) <= 1000;
}

/* From 50 on: with less, a coin would do. */
static bool is_confidence(const char *percent)
{
	return strtod(percent, NULL) >= 50 && strtod(percent, NULL) < 100;
}

static bool forwards(const char *range)
{
	const char *to = rest_of(range);

	return *range == '-' || *to == '-' || conf_release_cmp(range, to) <= 0;
}

static bool compiles(const char *text)
{
	regex_t re;
	bool good = !regcomp(&re, text, REG_EXTENDED | REG_NOSUB);

	if (good)
		regfree(&re);
	return good;
}

/*
 * An expression that excuses something.  "foo|" compiles and matches every
 * line there is, so that nothing would be looked at any more.
 */
static bool excuses(const char *text)
{
	regex_t re;
	bool good = !regcomp(&re, text, REG_EXTENDED | REG_NOSUB);

	if (good) {
		good = regexec(&re, "", 0, NULL, 0);
		regfree(&re);
	}
	return good;
}

#define GROUPS		6
#define B		"[ \t]+"
#define NAME		"[a-z0-9][a-z0-9_.-]*"
#define MODULE		"[a-z0-9][a-z0-9_-]*"
#define KERNEL		"[A-Za-z0-9/][A-Za-z0-9_.:/=+~,-]*"
#define OPTION		"[A-Z0-9][A-Z0-9_]*"
#define SYMBOL		"[A-Za-z_][A-Za-z0-9_.]{0,62}"
#define BOUND		"(-|[0-9][0-9.]*)"

enum type {
	T_TEXT, T_WORD, T_IDENT, T_NAME, T_NAMES, T_MODULES, T_OPTIONS, T_DEVICE, T_DEVDAX,
	T_KERNELS,
	T_RELEASE, T_BITS, T_SECONDS, T_RANK, T_SIZE, T_SEED, T_YES_NO, T_YES, T_FS_TYPE,
	T_NAMESPACE, T_RE, T_EXCUSE, T_LOG, T_VERDICT, T_RUN, T_RANGE, T_CELLS, T_LABEL, T_ROWS,
	T_OTHER, T_NONE, T_SEARCH, T_COUNT, T_CONFIDENCE, T_SYMBOLS, T_ACTION, TYPES
};

static const struct {
	const char	*re;
	const char	*expected;
	bool		(*fits)(const char *part);
	int		 part;			/* a group of @re */
} types[TYPES] = {
	[T_TEXT]	= { ".", "some text", NULL, 0 },
	[T_WORD]	= { "^[^ \t]+$", "one word", NULL, 0 },
	[T_IDENT]	= { "^[a-z0-9_]+$", "one word of a-z 0-9 _", NULL, 0 },
	[T_NAME]	= { "^" NAME "$", "one name of a-z 0-9 _ . -", NULL, 0 },
	[T_NAMES]	= { "^" NAME "(" B NAME ")*$",
			    "a list of names of a-z 0-9 _ . -, each once", each_once, 0 },
	[T_KERNELS]	= { "^" KERNEL "(" B KERNEL ")*$",
			    "a list of kernels as for -k, each once", each_once, 0 },
	[T_MODULES]	= { "^" MODULE "(" B MODULE ")*$",
			    "a list of module names of a-z 0-9 _ -, each once", each_once, 0 },
	[T_OPTIONS]	= { "^" OPTION "(" B OPTION ")*$",
			    "a list of words of A-Z 0-9 _ without CONFIG_, each once",
			    no_config, 0 },
	[T_DEVICE]	= { "^/dev/[^ \t]+$", "one path below /dev/", NULL, 0 },
	[T_DEVDAX]	= { "^/dev/dax[0-9]+[.][0-9]+$", "a device DAX, /dev/daxN.N", NULL, 0 },
	[T_RELEASE]	= { "^[0-9][^ \t]*$", "a kernel release", NULL, 0 },
	[T_BITS]	= { "^0x[0-9a-f]{1,8}$", "bits, 0x and up to 8 digits 0-9 a-f", NULL, 0 },
	[T_SECONDS]	= { "^[0-9]{1,9}$", "a number of seconds, 1..3600", up_to_hour, 0 },
	[T_RANK]	= { "^[0-9]{1,9}$", "a number, 0..1000", up_to_1000, 0 },
	[T_SIZE]	= { "^[1-9][0-9]{0,8}[MG]$", "a size, a number and M or G", NULL, 0 },
	[T_SEED]	= { "^[0-9a-f]{64}$", "64 digits of 0-9 a-f", NULL, 0 },
	[T_YES_NO]	= { "^(yes|no)$", "yes or no", NULL, 0 },
	[T_YES]		= { "^yes$", "yes, or no such line", NULL, 0 },
	[T_FS_TYPE]	= { "^(ext4|xfs)$", "ext4 or xfs", NULL, 0 },
	[T_NAMESPACE]	= { "^fsdax$", "fsdax", NULL, 0 },
	[T_RE]		= { ".+", "an extended regular expression", compiles, 0 },
	[T_EXCUSE]	= { ".+",
			    "an extended regular expression that does not match the empty string",
			    excuses, 0 },
	[T_LOG]		= { "^(quiet|(allow|require)" B "(.+))$",
			    "quiet, allow RE or require RE, where RE does not match the empty string",
			    excuses, 3 },
	[T_VERDICT]	= { "^(fail|skip|lost|pass)(" B "(.+))?$",
			    "fail, skip, lost or pass, and maybe RE", compiles, 3 },
	/* A shell of the host sees it when the rows are listed. */
	[T_RUN]		= { "^[a-z0-9_]+(" B "[A-Za-z0-9_.-]+)*$",
			    "PROGRAM [ARG...] of a-z A-Z 0-9 _ . -", NULL, 0 },
	[T_RANGE]	= { "^" BOUND B BOUND "$", "FROM TO, each a release like 6.12 or -",
			    forwards, 0 },
	[T_CELLS]	= { "^" NAME B "([*]|" NAME "(," NAME ")*)(" B ".*)?$",
			    "SCENARIO FS[,FS...]|* [ROWGLOB...]", each_once, 1 },
	[T_LABEL]	= { "^" NAME B ".+$", "NAME TEXT, the name of a-z 0-9 _ . -", NULL, 0 },
	[T_ROWS]	= { "^([^ \t]+)" B "[^ \t]+" B "[^ \t]+$", "RE HOLDER COLLISION",
			    compiles, 1 },
	[T_OTHER]	= { "^([^ \t]+)" B ".+$", "RE TEXT", compiles, 1 },
	[T_NONE]	= { "^([^ \t]+" B "[^ \t]+" B "[^ \t]+)" B ".+$",
			    "HOLDER-RE COLLISION-RE FS-RE TEXT", compiles, 1 },
	[T_SEARCH]	= { "^(tree|packages|patches|step)$", "tree, packages, patches or step",
			    NULL, 0 },
	[T_COUNT]	= { "^[1-9][0-9]{0,8}$", "a number from 1 on", NULL, 0 },
	[T_CONFIDENCE]	= { "^[0-9]{2}([.][0-9]{1,4})?$", "percent, from 50 to below 100",
			    is_confidence, 0 },
	[T_SYMBOLS]	= { "^" SYMBOL "(" B SYMBOL "){0,7}$",
			    "up to 8 functions of the kernel, each once", each_once, 0 },
	[T_ACTION]	= { "^(return" B "-?[0-9]{1,9}|argument" B "[1-6]" B "[0-9]{1,9})$",
			    "return VALUE or argument NUMBER VALUE, the number from 1 to 6",
			    NULL, 0 },
};

static bool fits(enum type t, const char *value)
{
	static regex_t compiled[TYPES];
	static bool ready[TYPES];
	regmatch_t m[GROUPS];
	bool good = true;
	char *part;

	if (!ready[t] && regcomp(&compiled[t], types[t].re, REG_EXTENDED))
		return false;
	ready[t] = true;
	if (regexec(&compiled[t], value, GROUPS, m, 0))
		return false;
	m[0] = m[types[t].part];
	if (types[t].fits && m[0].rm_so >= 0) {
		part = copy(value + m[0].rm_so, m[0].rm_eo - m[0].rm_so);
		good = types[t].fits(part);
		free(part);
	}
	return good;
}

enum { MAY = 0, MUST = 1, MANY = 2 };

static const struct key {
	enum conf_kind	 kind;
	const char	*name;
	unsigned int	 flags;
	enum type	 type;
} keys[] = {
	{ CONF_SCENARIO,	"run",		MUST,		T_RUN },
	{ CONF_SCENARIO,	"fs",		MUST,		T_NAMES },
	{ CONF_SCENARIO,	"needs",	MAY,		T_OPTIONS },
	{ CONF_SCENARIO,	"machine",	MAY,		T_NAME },
	{ CONF_SCENARIO,	"modules",	MAY,		T_MODULES },
	{ CONF_SCENARIO,	"fault",	MAY,		T_IDENT },
	{ CONF_SCENARIO,	"cut",		MAY,		T_NAME },
	{ CONF_SCENARIO,	"image",	MAY,		T_YES },
	{ CONF_SCENARIO,	"timeout",	MUST,		T_SECONDS },
	{ CONF_SCENARIO,	"log",		MUST | MANY,	T_LOG },

	{ CONF_CONTROL,		"verdict",	MUST,		T_VERDICT },

	{ CONF_FS,		"type",		MUST,		T_FS_TYPE },
	{ CONF_FS,		"dax",		MUST,		T_YES_NO },
	{ CONF_FS,		"since",	MAY,		T_RELEASE },
	{ CONF_FS,		"mkfs",		MUST,		T_TEXT },
	{ CONF_FS,		"incompat",	MAY,		T_BITS },
	{ CONF_FS,		"mount",	MAY,		T_WORD },
	{ CONF_FS,		"inherit",	MAY,		T_YES },
	{ CONF_FS,		"fsck",		MUST,		T_TEXT },
	{ CONF_FS,		"modules",	MAY,		T_MODULES },

	{ CONF_MACHINE,		"qemu",		MAY,		T_NAME },
	{ CONF_MACHINE,		"memory",	MUST,		T_SIZE },
	{ CONF_MACHINE,		"pmem",		MAY,		T_SIZE },
	{ CONF_MACHINE,		"needs",	MAY,		T_OPTIONS },
	{ CONF_MACHINE,		"cold",		MAY,		T_TEXT },
	{ CONF_MACHINE,		"mce",		MAY,		T_YES },
	{ CONF_MACHINE,		"append",	MAY,		T_TEXT },
	{ CONF_MACHINE,		"modules",	MAY,		T_MODULES },
	{ CONF_MACHINE,		"device",	MUST,		T_DEVICE },
	{ CONF_MACHINE,		"namespace",	MAY,		T_NAMESPACE },
	{ CONF_MACHINE,		"devdax",	MAY,		T_DEVDAX },
	{ CONF_MACHINE,		"provides",	MAY,		T_OPTIONS },
	{ CONF_MACHINE,		"rank",		MUST,		T_RANK },

	{ CONF_KNOWN,		"scenario",	MUST,		T_NAMES },
	{ CONF_KNOWN,		"fs",		MAY,		T_NAMES },
	{ CONF_KNOWN,		"rows",		MUST,		T_RE },
	{ CONF_KNOWN,		"kernel",	MUST,		T_RANGE },
	{ CONF_KNOWN,		"needs",	MAY,		T_OPTIONS },
	{ CONF_KNOWN,		"signature",	MUST,		T_EXCUSE },
	{ CONF_KNOWN,		"ends",		MAY,		T_YES },
	{ CONF_KNOWN,		"reference",	MUST,		T_TEXT },

	{ CONF_SUITE,		"kernels",	MAY,		T_KERNELS },
	{ CONF_SUITE,		"machine",	MAY,		T_NAME },
	{ CONF_SUITE,		"cells",	MUST | MANY,	T_CELLS },

	{ CONF_FAULT,		"divert",	MUST,		T_SYMBOLS },
	{ CONF_FAULT,		"from",		MAY,		T_SYMBOLS },
	{ CONF_FAULT,		"action",	MUST,		T_ACTION },
	{ CONF_FAULT,		"kthreads",	MAY,		T_YES },
	{ CONF_FAULT,		"kernel",	MAY,		T_RANGE },
	{ CONF_FAULT,		"needs",	MAY,		T_OPTIONS },
	{ CONF_FAULT,		"equivalent",	MAY,		T_TEXT },
	{ CONF_FAULT,		"cells",	MUST | MANY,	T_CELLS },

	{ CONF_MATRIX,		"holder",	MUST | MANY,	T_LABEL },
	{ CONF_MATRIX,		"collision",	MUST | MANY,	T_LABEL },
	{ CONF_MATRIX,		"rows",		MUST | MANY,	T_ROWS },
	{ CONF_MATRIX,		"other",	MUST | MANY,		T_OTHER },
	{ CONF_MATRIX,		"none",		MUST | MANY,		T_NONE },
	{ CONF_MATRIX,		"absent",	MAY | MANY,		T_LABEL },

	{ CONF_GUEST,		"modules",	MUST,		T_MODULES },
	{ CONF_GUEST,		"ramdisk",	MUST,		T_DEVICE },
	{ CONF_GUEST,		"append",	MUST,		T_TEXT },

	{ CONF_CELL,		"scenario",	MUST,		T_NAME },
	{ CONF_CELL,		"kernel",	MUST,		T_WORD },
	{ CONF_CELL,		"release",	MUST,		T_RELEASE },
	{ CONF_CELL,		"version",	MAY,		T_RELEASE },
	{ CONF_CELL,		"options",	MAY,		T_OPTIONS },
	{ CONF_CELL,		"fs",		MUST,		T_NAME },
	{ CONF_CELL,		"machine",	MUST,		T_NAME },
	{ CONF_CELL,		"device",	MUST,		T_DEVICE },
	{ CONF_CELL,		"namespace",	MAY,		T_NAMESPACE },
	{ CONF_CELL,		"devdax",	MAY,		T_DEVDAX },
	{ CONF_CELL,		"fault",	MAY,		T_IDENT },
	{ CONF_CELL,		"divert",	MAY,		T_SYMBOLS },
	{ CONF_CELL,		"from",		MAY,		T_SYMBOLS },
	{ CONF_CELL,		"action",	MAY,		T_ACTION },
	{ CONF_CELL,		"kthreads",	MAY,		T_YES },
	{ CONF_CELL,		"probe",	MAY,		T_YES },
	{ CONF_CELL,		"cut",		MAY,		T_NAME },
	{ CONF_CELL,		"image",	MAY,		T_YES },
	{ CONF_CELL,		"mce",		MAY,		T_YES },
	{ CONF_CELL,		"promise",	MAY | MANY,	T_TEXT },
	{ CONF_CELL,		"run",		MUST,		T_RUN },
	{ CONF_CELL,		"timeout",	MUST,		T_SECONDS },
	{ CONF_CELL,		"log",		MUST | MANY,	T_LOG },
	{ CONF_CELL,		"verdict",	MAY,		T_VERDICT },
	{ CONF_CELL,		"ramdisk",	MAY,		T_DEVICE },
	{ CONF_CELL,		"seed",		MAY,		T_SEED },
	{ CONF_CELL,		"shell",	MAY,		T_YES },
	{ CONF_CELL,		"row",		MUST | MANY,	T_WORD },

	{ CONF_BISECT,		"search",	MUST,		T_SEARCH },
	{ CONF_BISECT,		"source",	MAY,		T_WORD },
	{ CONF_BISECT,		"bits",		MAY,		T_WORD },
	{ CONF_BISECT,		"kernel",	MAY,		T_WORD },
	{ CONF_BISECT,		"good",		MAY,		T_WORD },
	{ CONF_BISECT,		"bad",		MAY,		T_WORD },
	{ CONF_BISECT,		"revisions",	MAY,		T_COUNT },
	{ CONF_BISECT,		"start",	MAY,		T_TEXT },
	{ CONF_BISECT,		"leave",	MAY,		T_TEXT },
	{ CONF_BISECT,		"scenario",	MUST,		T_NAME },
	{ CONF_BISECT,		"row",		MAY,		T_WORD },
	{ CONF_BISECT,		"fs",		MAY,		T_NAME },
	{ CONF_BISECT,		"machine",	MAY,		T_NAME },
	{ CONF_BISECT,		"signature",	MAY,		T_EXCUSE },
	{ CONF_BISECT,		"any",		MAY,		T_YES },
	{ CONF_BISECT,		"flaky",	MAY,		T_YES },
	{ CONF_BISECT,		"cold",		MAY,		T_YES },
	{ CONF_BISECT,		"confidence",	MUST,		T_CONFIDENCE },
	{ CONF_BISECT,		"jobs",		MUST,		T_COUNT },
	{ CONF_BISECT,		"accel",	MAY,		T_WORD },
};

/* A control has a scenario's keys as well, and a cell those of its file system. */
static bool is_of(enum conf_kind part, enum conf_kind kind)
{
	return part == kind || (kind == CONF_CONTROL && part == CONF_SCENARIO) ||
	       (kind == CONF_CELL && part == CONF_FS);
}

/* A repeated value is a copied line that somebody forgot to edit. */
static bool check_repeat(const struct conf *c, const struct key *k, const char *value, int line)
{
	const struct conf_line *l = NULL;

	while ((l = conf_next(c, k->name, l))) {
		if (!(k->flags & MANY))
			return complain(c->path, line, "key '%s' again, expected it once (line %d)",
					k->name, l->line);
		if (!strcmp(l->value, value))
			return complain(c->path, line, "%s '%s' again, expected it once (line %d)",
					k->name, value, l->line);
	}
	return true;
}

static bool read_key(struct conf *c, const char *text, int line)
{
	char *name = copy(text, strcspn(text, BLANKS));
	const char *value = rest_of(text);
	const struct key *k = keys;

	while (k < keys + ARRAY_SIZE(keys) && (!is_of(k->kind, c->kind) || strcmp(k->name, name)))
		k++;
	if (k == keys + ARRAY_SIZE(keys)) {
		complain(c->path, line, "unknown key '%s', expected one of the manual's", name);
		free(name);
		return false;
	}
	if (!check_repeat(c, k, value, line)) {
		free(name);
		return false;
	}
	/* Added even when it does not fit: it is wrong, but not missing. */
	c->lines = need(reallocarray(c->lines, c->nlines + 1, sizeof(*c->lines)));
	c->lines[c->nlines++] = (struct conf_line){ name, copy(value, strlen(value)), line };
	if (!*value)
		return complain(c->path, line, "key '%s' without a value, expected %s", k->name,
				types[k->type].expected);
	return fits(k->type, value) || complain(c->path, line, "bad %s '%s', expected %s", k->name,
						value, types[k->type].expected);
}

/* Refuse what is not plain text; cuts the line end off. */
static bool check_text(const char *path, int line, char *text, ssize_t len)
{
	if (text[len - 1] != '\n')
		return complain(path, line, "line without an end, expected a whole file");
	text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		return complain(path, line, "line ends in CR LF, expected LF");
	if (len >= LINE_MAX_BYTES)
		return complain(path, line, "line of %zd bytes, expected less than %d", len,
				LINE_MAX_BYTES);
	for (ssize_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]) && text[i] != '\t')
			return complain(path, line, "byte 0x%02x, expected text", text[i]);
	while (len > 0 && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
	return true;
}

static bool read_line(struct conf *c, const char *text, int line)
{
	bool good = true;

	if (!*text || (*text == '#' && c->comment))
		return true;
	if (*text == '#') {
		text += 1 + strspn(text + 1, BLANKS);
		if (!*text)
			return complain(c->path, line, "empty first comment, expected what it is");
		c->comment = copy(text, strlen(text));
		return true;
	}
	if (!c->comment && !c->nlines)
		good = complain(c->path, line, "no comment before it, expected '# what this is'");
	if (strchr(BLANKS, *text))
		return complain(c->path, line, "blank at the start, expected a key or '#'");
	return read_key(c, text, line) && good;
}

static bool read_lines(struct conf *c, FILE *f, int *line)
{
	bool good = true;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	for (*line = 0; (len = getline(&text, &size, f)) > 0;) {
		++*line;
		good &= check_text(c->path, *line, text, len) && read_line(c, text, *line);
	}
	if (ferror(f))
		good = complain(c->path, 0, "%s, expected a file", strerror(errno));
	free(text);
	return good;
}

/* What is wrong only with the whole file; @line is its last one. */
static bool check_whole(const struct conf *c, int line)
{
	const struct conf_line *first = conf_next(c, "log", NULL), *l = first;
	bool good = fits(T_NAME, c->name) ||
		    complain(c->path, 0, "bad file name '%s', expected %s", c->name,
			     types[T_NAME].expected);

	for (const struct key *k = keys; k < keys + ARRAY_SIZE(keys); k++)
		if (is_of(k->kind, c->kind) && k->flags & MUST && !conf_get(c, k->name))
			good = complain(c->path, line, "no key '%s', expected %s", k->name,
					types[k->type].expected);
	while (l && (l = conf_next(c, "log", l)))
		if (!strcmp(l->value, "quiet") || !strcmp(first->value, "quiet"))
			good = complain(c->path, l->line,
					"log quiet and another log, expected quiet alone");
	return good;
}

/* QEMU's part of a machine is a file beside ours. */
static bool check_qemu(const struct conf *c)
{
	const struct conf_line *l = conf_next(c, "qemu", NULL);
	size_t dir = strlen(c->path) - strlen(c->name);
	bool good = true;
	struct stat st;
	char *path;

	if (!l)
		return true;
	if (asprintf(&path, "%.*s%s", (int)dir, c->path, l->value) < 0)
		need(NULL);
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		good = complain(c->path, l->line, "no file %s, expected a QEMU -readconfig file",
				path);
	free(path);
	return good;
}

static FILE *open_regular(const char *path)
{
	FILE *f = NULL;
	struct stat st;

	/* Looked at first: opening a FIFO waits for its other end. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		complain(path, 0, "not a regular file, expected one");
		return NULL;
	}
	f = fopen(path, "re");
	if (!f) {
		complain(path, 0, "%s, expected a file", strerror(errno));
	} else if (!fstat(fileno(f), &st) && st.st_size > FILE_MAX_BYTES) {
		complain(path, 0, "%lld bytes, expected at most %d", (long long)st.st_size,
			 FILE_MAX_BYTES);
		fclose(f);
		return NULL;
	}
	return f;
}

struct conf *conf_read(const char *path, enum conf_kind kind)
{
	FILE *f = open_regular(path);
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name);
	struct conf *c;
	int lines;
	bool good;

	if (!f)
		return NULL;
	if (len > 4 && !strcmp(name + len - 4, ".scn"))
		len -= 4;
	c = need(malloc(sizeof(*c)));
	*c = (struct conf){ .path = copy(path, strlen(path)), .name = copy(name, len),
			    .kind = kind };
	good = read_lines(c, f, &lines);
	good &= check_whole(c, lines);
	good &= check_qemu(c);
	fclose(f);
	if (good)
		return c;
	conf_free(c);
	return NULL;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nlines; i++) {
		free(c->lines[i].key);
		free(c->lines[i].value);
	}
	free(c->lines);
	free(c->comment);
	free(c->name);
	free(c->path);
	free(c);
}

const struct conf_line *conf_next(const struct conf *c, const char *key,
				  const struct conf_line *prev)
{
	for (size_t i = prev ? prev - c->lines + 1 : 0; i < c->nlines; i++)
		if (!strcmp(c->lines[i].key, key))
			return &c->lines[i];
	return NULL;
}

const char *conf_get(const struct conf *c, const char *key)
{
	const struct conf_line *l = conf_next(c, key, NULL);

	return l ? l->value : NULL;
}

long conf_num(const struct conf *c, const char *key, long missing)
{
	const char *value = conf_get(c, key);

	return value ? strtol(value, NULL, 10) : missing;
}

bool conf_has_word(const char *list, const char *word)
{
	return list && count_word(list, word, strlen(word)) > 0;
}

/* The folders of a tree. */

#define SET(member)	offsetof(struct conf_tree, member)

static const struct folder {
	enum conf_kind	 kind;
	size_t		 set;
	const char	*path;
	const char	*suffix;	/* NULL: every file whose name has no dot */
	bool		 optional;	/* git does not keep an empty folder */
} folders[] = {
	{ CONF_SCENARIO,	SET(scenarios),	"tests",		".scn",	false },
	{ CONF_CONTROL,		SET(scenarios),	"selftest",		".scn",	true },
	{ CONF_FS,		SET(fs),	"configs/fs",		"",	false },
	{ CONF_MACHINE,		SET(machines),	"configs/machine",	NULL,	false },
	{ CONF_KNOWN,		SET(known),	"configs/known",	"",	true },
	{ CONF_SUITE,		SET(suites),	"configs/suites",	"",	true },
	{ CONF_FAULT,		SET(faults),	"configs/faults",	"",	true },
};

/* What a file names must exist. */
static const struct reference {
	enum conf_kind	 kind;
	const char	*key;
	size_t		 set;
} references[] = {
	{ CONF_SCENARIO,	"fs",		SET(fs) },
	{ CONF_SCENARIO,	"machine",	SET(machines) },
	{ CONF_SCENARIO,	"fault",	SET(faults) },
	{ CONF_SCENARIO,	"cut",		SET(scenarios) },
	{ CONF_SUITE,		"machine",	SET(machines) },
	{ CONF_KNOWN,		"scenario",	SET(scenarios) },
	{ CONF_KNOWN,		"fs",		SET(fs) },
};

static struct conf_set *set_at(const struct conf_tree *t, size_t offset)
{
	return (struct conf_set *)((char *)t + offset);
}

static bool ours(const struct folder *f, const char *file)
{
	size_t len = strlen(file), tail = f->suffix ? strlen(f->suffix) : 0;

	if (*file == '.' || !f->suffix)
		return !strchr(file, '.');
	return len > tail && !strcmp(file + len - tail, f->suffix);
}

static bool read_folder(const char *dir, const struct folder *f, struct conf_set *set)
{
	struct dirent **entries;
	bool good = true;
	int n = scandir(dir, &entries, NULL, alphasort);

	if (n < 0)
		return (f->optional && errno == ENOENT) ||
		       complain(dir, 0, "%s, expected a folder", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct conf *c = NULL;
		char *path;

		if (asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
			need(NULL);
		if (ours(f, entries[i]->d_name)) {
			c = conf_read(path, f->kind);
			good &= !!c;
		}
		if (c) {
			set->v = need(reallocarray(set->v, set->n + 1, sizeof(*set->v)));
			set->v[set->n++] = c;
		}
		free(path);
		free(entries[i]);
	}
	free(entries);
	return good;
}

int conf_known_read(const char *dir, struct conf_set *set)
{
	const struct folder *f = folders;

	while (f->kind != CONF_KNOWN)
		f++;
	return read_folder(dir, f, set) ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
	const struct conf *x = *(struct conf * const *)a, *y = *(struct conf * const *)b;

	return strcmp(x->name, y->name) ?: strcmp(x->path, y->path);
}

/* Each word of the value must be the name of a member; a control cannot be excused. */
static bool check_reference(const struct conf_tree *t, const struct reference *r,
			    const struct conf *c)
{
	const struct conf_line *l = conf_next(c, r->key, NULL);
	const char *list = l ? l->value : "";
	bool good = true;
	size_t len;

	for (; (list = next_word(list, &len)); list += len) {
		char *name = copy(list, len);
		const struct conf *to = conf_find(set_at(t, r->set), name);

		if (!to)
			good = complain(c->path, l->line, "no %s '%s', expected one that exists",
					r->key, name);
		else if (c->kind == CONF_KNOWN && to->kind == CONF_CONTROL)
			good = complain(c->path, l->line, "'%s' is a control, expected a scenario",
					name);
		free(name);
	}
	return good;
}

/* "SCENARIO FS[,FS...]": each of them must be one that the scenario runs on. */
static bool check_cells(const struct conf_tree *t, const struct conf *c, const struct conf_line *l)
{
	char *name = copy(l->value, strcspn(l->value, BLANKS));
	const struct conf *scenario = conf_find(&t->scenarios, name);
	char *list = copy(rest_of(l->value), strcspn(rest_of(l->value), BLANKS));
	bool good = scenario || complain(c->path, l->line,
					 "no scenario '%s', expected one that exists", name);
	size_t len;

	if (*list == '*' || !scenario)
		*list = '\0';
	for (const char *fs = list; (fs = next_word(fs, &len)); fs += len)
		if (!count_word(conf_get(scenario, "fs"), fs, len))
			good = complain(c->path, l->line, "fs '%.*s', expected one that %s runs on",
					(int)len, fs, name);
	free(list);
	free(name);
	return good;
}

/* What the files of a tree say of each other. */
static bool check_file(const struct conf_tree *t, const struct conf *c)
{
	const struct conf_line *l = NULL;
	const struct conf *first = c;
	bool good = true;

	if (is_of(CONF_SCENARIO, c->kind))
		first = conf_find(&t->scenarios, c->name);
	if (first != c)
		good = complain(c->path, 0, "scenario '%s' again, expected it once (%s)", c->name,
				first->path);
	for (size_t i = 0; i < ARRAY_SIZE(references); i++)
		if (is_of(references[i].kind, c->kind))
			good &= check_reference(t, &references[i], c);
	while ((l = conf_next(c, "cells", l)))
		good &= check_cells(t, c, l);
	return good;
}

int conf_tree_read(const char *top, struct conf_tree *t)
{
	const struct conf_set *sets[] = { &t->scenarios, &t->known, &t->suites, &t->faults };
	bool good = true;
	char *dir;

	*t = (struct conf_tree){};
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (asprintf(&dir, "%s/%s", top, folders[i].path) < 0)
			need(NULL);
		good &= read_folder(dir, &folders[i], set_at(t, folders[i].set));
		free(dir);
	}
	if (t->scenarios.n)
		qsort(t->scenarios.v, t->scenarios.n, sizeof(*t->scenarios.v), by_name);
	for (size_t s = 0; s < ARRAY_SIZE(sets); s++)
		for (size_t i = 0; i < sets[s]->n; i++)
			good &= check_file(t, sets[s]->v[i]);
	if (good)
		return 0;
	conf_tree_free(t);
	return -1;
}

void conf_tree_free(struct conf_tree *t)
{
	for (size_t f = 0; f < ARRAY_SIZE(folders); f++) {
		struct conf_set *s = set_at(t, folders[f].set);

		for (size_t i = 0; i < s->n; i++)
			conf_free(s->v[i]);
		free(s->v);
		*s = (struct conf_set){};
	}
}

struct conf *conf_find(const struct conf_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i]->name, name))
			return s->v[i];
	return NULL;
}

/* The number at *@s; moves on to the next field, or to the end. */
static unsigned long next_field(const char **s)
{
	char *end;
	unsigned long n = strtoul(*s, &end, 10);

	*s = *end == '.' ? end + 1 : "";
	return n;
}

int conf_release_cmp(const char *a, const char *b)
{
	while (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
		unsigned long x = next_field(&a), y = next_field(&b);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

bool conf_release_in(const char *release, const char *range)
{
	const char *to = rest_of(range);

	return (*range == '-' || conf_release_cmp(release, range) >= 0) &&
	       (*to == '-' || conf_release_cmp(release, to) <= 0);
}
