// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict readers for daxpin's data files, see conf.h.
 *
 * What a file may say is data: one table of keys for each kind of file, and one
 * struct type for each kind of value.  A typo can then never mean "nothing
 * said": it is an unknown key, or a value that does not fit its type.
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
#define LOWER		"abcdefghijklmnopqrstuvwxyz"
#define UPPER		"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS		"0123456789"
#define RUN_CHARS	LOWER UPPER DIGITS "_.-"
#define LINE_MAX_BYTES	4096
#define FILE_MAX_BYTES	1048576

static void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		perror("realloc");
		exit(2);
	}
	return p;
}

static char *xstrndup(const char *s, size_t n)
{
	char *copy = memcpy(xrealloc(NULL, n + 1), s, n);

	copy[n] = '\0';
	return copy;
}

static bool is_false(int printed)
{
	(void)printed;
	return false;
}

/* Print an error; false, so that a check can return it. */
#define complain(path, line, fmt, ...) \
	is_false(fprintf(stderr, "%s:%d: " fmt "\n", path, line, ##__VA_ARGS__))

/* The next word of @list, of @len bytes; NULL at its end. */
static const char *next_word(const char *list, size_t *len)
{
	list += strspn(list, BLANKS);
	*len = strcspn(list, BLANKS);
	return *len ? list : NULL;
}

/* Value types: does the value fit, and what is expected when it does not. */
struct type {
	bool		(*fits)(const char *value);
	const char	 *expected;
};

/* True when @value starts with @first and is one word of @charset. */
static bool word_of(const char *value, const char *first, const char *charset)
{
	return *value && strchr(first, *value) && !value[strspn(value, charset)];
}

static bool fits_ident(const char *value)
{
	return word_of(value, LOWER DIGITS "_", LOWER DIGITS "_");
}

static bool fits_name(const char *value)
{
	return word_of(value, LOWER DIGITS, LOWER DIGITS "_.-");
}

static bool fits_module(const char *value)
{
	return word_of(value, LOWER DIGITS, LOWER DIGITS "_-");
}

/* A kernel option without CONFIG_, or a capability of a machine. */
static bool fits_option(const char *value)
{
	return word_of(value, UPPER DIGITS, UPPER DIGITS "_") &&
	       strncmp(value, "CONFIG_", strlen("CONFIG_"));
}

static bool fits_word(const char *value)
{
	return *value && !value[strcspn(value, BLANKS)];
}

static bool fits_text(const char *value)
{
	return *value;
}

static bool fits_device(const char *value)
{
	return fits_word(value) && !strncmp(value, "/dev/", 5) && value[5];
}

static bool fits_release(const char *value)
{
	return fits_word(value) && isdigit((unsigned char)*value);
}

/* How often the word of @len bytes at @word is in @list. */
static int count_word(const char *list, const char *word, size_t len)
{
	size_t n;
	int count = 0;

	for (; (list = next_word(list, &n)); list += n)
		count += n == len && !memcmp(list, word, n);
	return count;
}

/* A list without repetition, each word of which fits. */
static bool list_of(const char *list, bool (*fits)(const char *))
{
	const char *rest = list;
	bool good = true;
	size_t len;

	for (; good && (rest = next_word(rest, &len)); rest += len) {
		char *word = xstrndup(rest, len);

		good = fits(word) && count_word(list, word, len) == 1;
		free(word);
	}
	return good && *list;
}

static bool fits_names(const char *value)
{
	return list_of(value, fits_name);
}

static bool fits_modules(const char *value)
{
	return list_of(value, fits_module);
}

static bool fits_options(const char *value)
{
	return list_of(value, fits_option);
}

static bool number_in(const char *value, long min, long max)
{
	long n;

	if (!*value || value[strspn(value, DIGITS)])
		return false;
	errno = 0;
	n = strtol(value, NULL, 10);
	return !errno && n >= min && n <= max;
}

static bool fits_seconds(const char *value)
{
	return number_in(value, 1, 3600);
}

static bool fits_rank(const char *value)
{
	return number_in(value, 0, 1000);
}

static bool fits_yes_no(const char *value)
{
	return !strcmp(value, "yes") || !strcmp(value, "no");
}

static bool fits_yes(const char *value)
{
	return !strcmp(value, "yes");
}

static bool fits_fs_type(const char *value)
{
	return !strcmp(value, "ext4") || !strcmp(value, "xfs");
}

static bool fits_namespace(const char *value)
{
	return !strcmp(value, "fsdax");
}

static bool fits_re(const char *value)
{
	regex_t re;

	if (!*value || regcomp(&re, value, REG_EXTENDED | REG_NOSUB))
		return false;
	regfree(&re);
	return true;
}

/*
 * An expression that excuses something.  "foo|" compiles and matches every
 * line there is, so that nothing would be looked at any more.
 */
static bool fits_excuse(const char *value)
{
	bool matches_nothing;
	regex_t re;

	if (!*value || regcomp(&re, value, REG_EXTENDED | REG_NOSUB))
		return false;
	matches_nothing = !regexec(&re, "", 0, NULL, 0);
	regfree(&re);
	return !matches_nothing;
}

/* What follows @word and blanks in @value; NULL when @value is not about it. */
static const char *after_word(const char *value, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(value, word, len) || !strchr(BLANKS, value[len]))
		return NULL;
	return value + len + strspn(value + len, BLANKS);
}

static bool fits_log(const char *value)
{
	const char *re = after_word(value, "allow");

	if (!re)
		re = after_word(value, "require");
	return re ? fits_excuse(re) : !strcmp(value, "quiet");
}

static bool fits_verdict(const char *value)
{
	static const char * const words[] = { "fail", "skip", "lost", "pass" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *re = after_word(value, words[i]);

		if (re && (!*re || fits_re(re)))
			return true;
	}
	return false;
}

static bool fits_run(const char *value)
{
	size_t len = strcspn(value, BLANKS);
	char *program = xstrndup(value, len);
	/* A shell of the host sees them when the rows are listed. */
	bool good = fits_ident(program) && !value[strspn(value, RUN_CHARS BLANKS)];

	free(program);
	return good;
}

static bool fits_bound(const char *value)
{
	return !strcmp(value, "-") || (fits_release(value) && !value[strspn(value, DIGITS ".")]);
}

static bool fits_range(const char *value)
{
	size_t len = strcspn(value, BLANKS);
	char *from = xstrndup(value, len);
	const char *to = value + len + strspn(value + len, BLANKS);
	bool good = fits_bound(from) && fits_bound(to) &&
		    (*from == '-' || *to == '-' || conf_release_cmp(from, to) <= 0);

	free(from);
	return good;
}

/* "SCENARIO FS[,FS...] [ROWGLOB...]"; * stands for every file system. */
static bool fits_cells(const char *value)
{
	size_t len = strcspn(value, BLANKS);
	char *name = xstrndup(value, len);
	const char *fs = value + len + strspn(value + len, BLANKS);
	char *list = xstrndup(fs, strcspn(fs, BLANKS));
	bool good = fits_name(name) && *list && *list != ',' && !strstr(list, ",,") &&
		    list[strlen(list) - 1] != ',';

	for (char *p = list; *p; p++)
		if (*p == ',')
			*p = ' ';
	good = good && (!strcmp(list, "*") || fits_names(list));
	free(list);
	free(name);
	return good;
}

static const struct type
	t_ident	    = { fits_ident,	"one word of a-z 0-9 _" },
	t_name	    = { fits_name,	"one name of a-z 0-9 _ . -" },
	t_names	    = { fits_names,	"a list of names of a-z 0-9 _ . -, each once" },
	t_modules   = { fits_modules,	"a list of module names of a-z 0-9 _ -, each once" },
	t_options   = { fits_options,	"a list of words of A-Z 0-9 _ without CONFIG_, each once" },
	t_word	    = { fits_word,	"one word" },
	t_text	    = { fits_text,	"some text" },
	t_device    = { fits_device,	"one path below /dev/" },
	t_release   = { fits_release,	"a kernel release" },
	t_seconds   = { fits_seconds,	"a number of seconds, 1..3600" },
	t_rank	    = { fits_rank,	"a number, 0..1000" },
	t_yes_no    = { fits_yes_no,	"yes or no" },
	t_yes	    = { fits_yes,	"yes, or no such line" },
	t_fs_type   = { fits_fs_type,	"ext4 or xfs" },
	t_namespace = { fits_namespace,	"fsdax" },
	t_re	    = { fits_re,	"an extended regular expression" },
	t_excuse    = { fits_excuse,
			"an extended regular expression that does not match the empty string" },
	t_log	    = { fits_log,
			"quiet, allow RE or require RE, where RE does not match the empty string" },
	t_verdict   = { fits_verdict,	"fail, skip, lost or pass, and maybe RE" },
	t_run	    = { fits_run,	"PROGRAM [ARG...] of a-z A-Z 0-9 _ . -" },
	t_range	    = { fits_range,	"FROM TO, each a release like 6.12 or -" },
	t_cells	    = { fits_cells,	"SCENARIO FS[,FS...]|* [ROWGLOB...]" };

enum { MAY = 0, MUST = 1, MANY = 2 };

struct key {
	const char		*name;
	unsigned int		 flags;
	const struct type	*type;
};

static const struct key scenario_keys[] = {
	{ "run",	MUST,		&t_run },
	{ "fs",		MUST,		&t_names },
	{ "needs",	MAY,		&t_options },
	{ "machine",	MAY,		&t_name },
	{ "modules",	MAY,		&t_modules },
	{ "fault",	MAY,		&t_ident },
	{ "timeout",	MUST,		&t_seconds },
	{ "log",	MUST | MANY,	&t_log },
	{ }
};

/* What a control has beyond a scenario. */
static const struct key control_keys[] = {
	{ "verdict",	MUST,		&t_verdict },
	{ }
};

static const struct key fs_keys[] = {
	{ "type",	MUST,		&t_fs_type },
	{ "dax",	MUST,		&t_yes_no },
	{ "mkfs",	MUST,		&t_text },
	{ "mount",	MAY,		&t_word },
	{ "fsck",	MUST,		&t_text },
	{ "modules",	MAY,		&t_modules },
	{ }
};

static const struct key machine_keys[] = {
	{ "qemu",	MAY,		&t_name },
	{ "append",	MAY,		&t_text },
	{ "modules",	MAY,		&t_modules },
	{ "device",	MUST,		&t_device },
	{ "namespace",	MAY,		&t_namespace },
	{ "provides",	MAY,		&t_options },
	{ "rank",	MUST,		&t_rank },
	{ }
};

static const struct key known_keys[] = {
	{ "scenario",	MUST,		&t_names },
	{ "fs",		MAY,		&t_names },
	{ "rows",	MUST,		&t_re },
	{ "kernel",	MUST,		&t_range },
	{ "signature",	MUST,		&t_excuse },
	{ "ends",	MAY,		&t_yes },
	{ "reference",	MUST,		&t_text },
	{ }
};

static const struct key suite_keys[] = {
	{ "cells",	MUST | MANY,	&t_cells },
	{ }
};

static const struct key guest_keys[] = {
	{ "modules",	MUST,		&t_modules },
	{ "ramdisk",	MUST,		&t_device },
	{ "append",	MUST,		&t_text },
	{ }
};

/* What a cell has beyond its file system. */
static const struct key cell_keys[] = {
	{ "scenario",	MUST,		&t_name },
	{ "kernel",	MUST,		&t_word },
	{ "release",	MUST,		&t_release },
	{ "version",	MAY,		&t_release },
	{ "fs",		MUST,		&t_name },
	{ "machine",	MUST,		&t_name },
	{ "device",	MUST,		&t_device },
	{ "namespace",	MAY,		&t_namespace },
	{ "fault",	MAY,		&t_ident },
	{ "run",	MUST,		&t_run },
	{ "timeout",	MUST,		&t_seconds },
	{ "log",	MUST | MANY,	&t_log },
	{ "verdict",	MAY,		&t_verdict },
	{ "ramdisk",	MAY,		&t_device },
	{ "shell",	MAY,		&t_yes },
	{ "row",	MUST | MANY,	&t_word },
	{ }
};

/* Each kind's keys, in one table or two. */
static const struct key * const kind_keys[][2] = {
	[CONF_SCENARIO]	= { scenario_keys },
	[CONF_CONTROL]	= { scenario_keys, control_keys },
	[CONF_FS]	= { fs_keys },
	[CONF_MACHINE]	= { machine_keys },
	[CONF_KNOWN]	= { known_keys },
	[CONF_SUITE]	= { suite_keys },
	[CONF_GUEST]	= { guest_keys },
	[CONF_CELL]	= { cell_keys, fs_keys },
};

/* The @i'th key of @kind, or NULL. */
static const struct key *kind_key(enum conf_kind kind, size_t i)
{
	for (size_t t = 0; t < 2 && kind_keys[kind][t]; t++)
		for (const struct key *k = kind_keys[kind][t]; k->name; k++)
			if (!i--)
				return k;
	return NULL;
}

static const struct key *find_key(enum conf_kind kind, const char *name)
{
	const struct key *k;

	for (size_t i = 0; (k = kind_key(kind, i)); i++)
		if (!strcmp(k->name, name))
			break;
	return k;
}

static void add_line(struct conf *c, char *key, char *value, int line)
{
	c->lines = xrealloc(c->lines, (c->nlines + 1) * sizeof(*c->lines));
	c->lines[c->nlines++] = (struct conf_line){ key, value, line };
}

static bool read_comment(struct conf *c, const char *text, int line)
{
	if (c->comment)
		return true;
	text++;
	text += strspn(text, BLANKS);
	if (!*text)
		return complain(c->path, line, "empty first comment, expected what this is");
	c->comment = xstrndup(text, strlen(text));
	return true;
}

/* A repeated value is a copied line that somebody forgot to edit. */
static bool check_repeat(const struct conf *c, const struct key *k, const char *value, int line)
{
	const struct conf_line *l = NULL;

	if (!(k->flags & MANY)) {
		l = conf_next(c, k->name, NULL);
		return !l || complain(c->path, line, "key '%s' again, expected it once (line %d)",
				      k->name, l->line);
	}
	while ((l = conf_next(c, k->name, l)))
		if (!strcmp(l->value, value))
			return complain(c->path, line, "%s '%s' again, expected it once (line %d)",
					k->name, value, l->line);
	return true;
}

static bool read_key(struct conf *c, const char *text, int line)
{
	size_t len = strcspn(text, BLANKS);
	const char *value = text + len + strspn(text + len, BLANKS);
	char *name = xstrndup(text, len);
	const struct key *k = find_key(c->kind, name);

	if (!k)
		complain(c->path, line, "unknown key '%s', expected one of the manual's", name);
	free(name);
	if (!k)
		return false;
	/* Added even when it does not fit: it is wrong, but not missing. */
	if (!check_repeat(c, k, value, line))
		return false;
	add_line(c, xstrndup(text, len), xstrndup(value, strlen(value)), line);
	if (!*value)
		return complain(c->path, line, "key '%s' without a value, expected %s", k->name,
				k->type->expected);
	if (!k->type->fits(value))
		return complain(c->path, line, "bad %s '%s', expected %s", k->name, value,
				k->type->expected);
	return true;
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

static bool read_line(struct conf *c, char *text, ssize_t len, int line)
{
	if (!check_text(c->path, line, text, len))
		return false;
	if (!*text)
		return true;
	if (*text == '#')
		return read_comment(c, text, line);
	if (strchr(BLANKS, *text))
		return complain(c->path, line, "blank at the start, expected a key or '#'");
	return read_key(c, text, line);
}

static bool read_lines(struct conf *c, FILE *f, int *lines)
{
	bool key_seen = false, good = true;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	for (*lines = 0; (len = getline(&text, &size, f)) > 0;) {
		++*lines;
		if (!key_seen && !c->comment && !strchr("# \t\n\r", *text)) {
			key_seen = true;
			good = complain(c->path, *lines,
					"no comment before it, expected '# what this is'");
		}
		good &= read_line(c, text, len, *lines);
	}
	if (ferror(f))
		good = complain(c->path, 0, "%s, expected a file", strerror(errno));
	free(text);
	return good;
}

static bool check_missing(const struct conf *c, int lines)
{
	const struct key *k;
	bool good = true;

	for (size_t i = 0; (k = kind_key(c->kind, i)); i++)
		if (k->flags & MUST && !conf_get(c, k->name))
			good = complain(c->path, lines, "no key '%s', expected %s", k->name,
					k->type->expected);
	return good;
}

static bool check_quiet(const struct conf *c)
{
	const struct conf_line *first = conf_next(c, "log", NULL), *l = first;

	while (l && (l = conf_next(c, "log", l)))
		if (!strcmp(l->value, "quiet") || !strcmp(first->value, "quiet"))
			return complain(c->path, l->line,
					"log quiet and another log, expected quiet alone");
	return true;
}

/* QEMU's part of a machine is a file beside ours. */
static bool check_qemu(const struct conf *c)
{
	const struct conf_line *l = conf_next(c, "qemu", NULL);
	size_t dir = strlen(c->path) - strlen(c->name);
	struct stat st;
	char *path;
	bool good;

	if (!l || c->kind != CONF_MACHINE)
		return true;
	if (asprintf(&path, "%.*s%s", (int)dir, c->path, l->value) < 0)
		return false;
	good = !stat(path, &st) && S_ISREG(st.st_mode);
	if (!good)
		complain(c->path, l->line, "no file %s, expected a QEMU -readconfig file", path);
	free(path);
	return good;
}

static bool check_name(const struct conf *c)
{
	return fits_name(c->name) ||
	       complain(c->path, 0, "bad file name '%s', expected %s", c->name, t_name.expected);
}

static FILE *open_regular(const char *path)
{
	struct stat st;
	FILE *f;

	/* Looked at first: opening a FIFO waits for its other end. */
	if (stat(path, &st))
		st.st_mode = S_IFREG;
	if (!S_ISREG(st.st_mode)) {
		complain(path, 0, "not a regular file, expected one");
		return NULL;
	}
	f = fopen(path, "re");
	if (!f) {
		complain(path, 0, "%s, expected a file", strerror(errno));
		return NULL;
	}
	if (fstat(fileno(f), &st) || st.st_size <= FILE_MAX_BYTES)
		return f;
	complain(path, 0, "%lld bytes, expected at most %d", (long long)st.st_size,
		 FILE_MAX_BYTES);
	fclose(f);
	return NULL;
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	if (len > 4 && !strcmp(base + len - 4, ".scn"))
		len -= 4;
	return xstrndup(base, len);
}

struct conf *conf_read(const char *path, enum conf_kind kind)
{
	FILE *f = open_regular(path);
	struct conf *c;
	int lines;
	bool good;

	if (!f)
		return NULL;
	c = xrealloc(NULL, sizeof(*c));
	*c = (struct conf){ .path = xstrndup(path, strlen(path)), .name = name_of(path),
			    .kind = kind };
	good = check_name(c);
	good &= read_lines(c, f, &lines);
	good &= check_missing(c, lines);
	good &= check_quiet(c);
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

/* The folders of the tree, and what is read from each. */
static const struct folder {
	const char	*path;
	const char	*suffix;	/* NULL: every file whose name has no dot */
	enum conf_kind	 kind;
	size_t		 set;
	bool		 optional;	/* git does not keep an empty folder */
} folders[] = {
	{ "tests",	     ".scn", CONF_SCENARIO, offsetof(struct conf_tree, scenarios), false },
	{ "selftest",	     ".scn", CONF_CONTROL,  offsetof(struct conf_tree, scenarios), true },
	{ "configs/fs",	     "",     CONF_FS,	    offsetof(struct conf_tree, fs),	   false },
	{ "configs/machine", NULL,   CONF_MACHINE,  offsetof(struct conf_tree, machines),  false },
	{ "configs/known",   "",     CONF_KNOWN,    offsetof(struct conf_tree, known),	   true },
	{ "configs/suites",  "",     CONF_SUITE,    offsetof(struct conf_tree, suites),	   true },
};

static bool ours(const struct folder *f, const char *file)
{
	size_t len = strlen(file), tail = f->suffix ? strlen(f->suffix) : 0;

	if (*file == '.')
		return false;
	if (!f->suffix)
		return !strchr(file, '.');
	return len > tail && !strcmp(file + len - tail, f->suffix);
}

static bool read_file(const char *dir, const char *file, enum conf_kind kind, struct conf_set *set)
{
	struct conf *c;
	char *path;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		return false;
	c = conf_read(path, kind);
	free(path);
	if (!c)
		return false;
	set->v = xrealloc(set->v, (set->n + 1) * sizeof(*set->v));
	set->v[set->n++] = c;
	return true;
}

static bool read_folder(const char *top, const struct folder *f, struct conf_tree *t)
{
	struct conf_set *set = (struct conf_set *)((char *)t + f->set);
	struct dirent **entries;
	bool good = true;
	char *dir;
	int n;

	if (asprintf(&dir, "%s/%s", top, f->path) < 0)
		return false;
	n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0 && !(f->optional && errno == ENOENT))
		good = complain(dir, 0, "%s, expected a folder", strerror(errno));
	for (int i = 0; i < n; i++) {
		if (ours(f, entries[i]->d_name))
			good &= read_file(dir, entries[i]->d_name, f->kind, set);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	free(dir);
	return good;
}

static int by_name(const void *a, const void *b)
{
	const struct conf *x = *(struct conf * const *)a, *y = *(struct conf * const *)b;

	return strcmp(x->name, y->name) ?: strcmp(x->path, y->path);
}

/* Each word of @l's list must be the name of a member of @set. */
static bool check_names(const struct conf *c, const struct conf_line *l,
			const struct conf_set *set, const char *what)
{
	const char *list = l ? l->value : "";
	bool good = true;
	size_t len;

	for (; (list = next_word(list, &len)); list += len) {
		char *name = xstrndup(list, len);

		if (!conf_find(set, name))
			good = complain(c->path, l->line, "no %s '%s', expected one that exists",
					what, name);
		free(name);
	}
	return good;
}

static bool check_scenario(const struct conf_tree *t, size_t i)
{
	const struct conf *c = t->scenarios.v[i];
	bool good = true;

	if (i && !strcmp(c->name, t->scenarios.v[i - 1]->name))
		good = complain(c->path, 0, "scenario '%s' again, expected it once (%s)", c->name,
				t->scenarios.v[i - 1]->path);
	good &= check_names(c, conf_next(c, "fs", NULL), &t->fs, "fs");
	good &= check_names(c, conf_next(c, "machine", NULL), &t->machines, "machine");
	return good;
}

/* A control states its own verdict, so nothing about it can be excused. */
static bool check_known(const struct conf_tree *t, size_t i)
{
	const struct conf *c = t->known.v[i];
	const struct conf_line *l = conf_next(c, "scenario", NULL);
	bool good = check_names(c, l, &t->scenarios, "scenario");

	good &= check_names(c, conf_next(c, "fs", NULL), &t->fs, "fs");
	for (size_t s = 0; s < t->scenarios.n; s++)
		if (t->scenarios.v[s]->kind == CONF_CONTROL &&
		    conf_has_word(l->value, t->scenarios.v[s]->name))
			good = complain(c->path, l->line, "'%s' is a control, expected a scenario",
					t->scenarios.v[s]->name);
	return good;
}

static bool check_suite_fs(const struct conf *c, const struct conf_line *l,
			   const struct conf *scenario, const char *list)
{
	size_t len = strcspn(list, "," BLANKS);
	bool good = true;

	for (; len; list += list[len] == ',' ? len + 1 : len, len = strcspn(list, "," BLANKS)) {
		if (!count_word(conf_get(scenario, "fs"), list, len))
			good = complain(c->path, l->line, "fs '%.*s', expected one that %s runs on",
					(int)len, list, scenario->name);
	}
	return good;
}

static bool check_suite(const struct conf_tree *t, size_t i)
{
	const struct conf *c = t->suites.v[i];
	const struct conf_line *l = NULL;
	bool good = true;

	while ((l = conf_next(c, "cells", l))) {
		size_t len = strcspn(l->value, BLANKS);
		char *name = xstrndup(l->value, len);
		const struct conf *scenario = conf_find(&t->scenarios, name);
		const char *fs = l->value + len + strspn(l->value + len, BLANKS);

		if (!scenario)
			good = complain(c->path, l->line,
					"no scenario '%s', expected one that exists", name);
		else if (*fs != '*')
			good &= check_suite_fs(c, l, scenario, fs);
		free(name);
	}
	return good;
}

int conf_tree_read(const char *top, struct conf_tree *t)
{
	bool good = true;

	*t = (struct conf_tree){};
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		good &= read_folder(top, &folders[i], t);
	if (t->scenarios.n)
		qsort(t->scenarios.v, t->scenarios.n, sizeof(*t->scenarios.v), by_name);
	for (size_t i = 0; i < t->scenarios.n; i++)
		good &= check_scenario(t, i);
	for (size_t i = 0; i < t->known.n; i++)
		good &= check_known(t, i);
	for (size_t i = 0; i < t->suites.n; i++)
		good &= check_suite(t, i);
	if (good)
		return 0;
	conf_tree_free(t);
	return -1;
}

static void free_set(struct conf_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		conf_free(s->v[i]);
	free(s->v);
	*s = (struct conf_set){};
}

void conf_tree_free(struct conf_tree *t)
{
	free_set(&t->scenarios);
	free_set(&t->fs);
	free_set(&t->machines);
	free_set(&t->known);
	free_set(&t->suites);
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
	const char *to = range + strcspn(range, BLANKS);

	to += strspn(to, BLANKS);
	return (*range == '-' || conf_release_cmp(release, range) >= 0) &&
	       (*to == '-' || conf_release_cmp(release, to) <= 0);
}
