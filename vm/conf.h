/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strict readers for daxpin's data files.
 *
 * Every file has one shape: comment lines ("# ..."), of which the first says
 * what the file is or promises, and then one "key value" a line.  An unknown
 * key, a missing key, a key given twice and a value that does not fit are
 * errors, each printed to standard error as "file:line: what, expected what".
 */
#ifndef DAXPIN_CONF_H
#define DAXPIN_CONF_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

/* Which keys a file may have; see the tables in conf.c and docs/daxpin.1. */
enum conf_kind {
	CONF_SCENARIO,		/* tests/NAME.scn */
	CONF_CONTROL,		/* selftest/NAME.scn: also states its verdict */
	CONF_FS,		/* configs/fs/NAME */
	CONF_MACHINE,		/* configs/machine/NAME */
	CONF_KNOWN,		/* configs/known/NAME */
	CONF_SUITE,		/* configs/suites/NAME */
	CONF_FAULT,		/* configs/faults/NAME */
	CONF_MATRIX,		/* configs/matrix */
	CONF_GUEST,		/* configs/guest */
	CONF_CELL,		/* results/.../cell: all of the above, resolved */
	CONF_BISECT,		/* results/.../plan: what a bisection looks for, and where */
};

struct conf_line {
	char	*key;
	char	*value;
	int	 line;
};

struct conf {
	char			*path;		/* as given to conf_read() */
	char			*name;		/* basename without its suffix */
	char			*comment;	/* first comment line, without "# " */
	enum conf_kind		 kind;
	struct conf_line	*lines;
	size_t			 nlines;
};

/*
 * Read and check one file.  Returns NULL after printing every error found in
 * it; an unreadable file is an error as well.
 */
struct conf *conf_read(const char *path, enum conf_kind kind);
void conf_free(struct conf *c);

/* The value of @key, or NULL when the file does not have it. */
const char *conf_get(const struct conf *c, const char *key);

/*
 * The next line with @key after @prev (NULL: the first one), or NULL.  For
 * keys that may be given more than once.
 */
const struct conf_line *conf_next(const struct conf *c, const char *key,
				  const struct conf_line *prev);

/* The value of a numeric key; @missing when the file does not have it. */
long conf_num(const struct conf *c, const char *key, long missing);

/* True when the space-separated list in @list has the word @word. */
bool conf_has_word(const char *list, const char *word);

/* Everything below the top folder that data files can refer to. */
struct conf_set {
	struct conf	**v;
	size_t		  n;
};

struct conf_tree {
	struct conf_set scenarios;	/* controls are in here, kind CONF_CONTROL */
	struct conf_set fs;
	struct conf_set machines;
	struct conf_set known;
	struct conf_set suites;
	struct conf_set faults;
};

/*
 * Read all files below @top, sorted by name, and check what they say of each
 * other: a file system, machine or scenario that is named must exist.  Returns
 * 0, or -1 after printing every error.
 */
int conf_tree_read(const char *top, struct conf_tree *t);
void conf_tree_free(struct conf_tree *t);

/* Add the known issues of one folder, which need not exist; 0, or -1 as above. */
int conf_known_read(const char *dir, struct conf_set *set);

/* The member called @name, or NULL. */
struct conf *conf_find(const struct conf_set *s, const char *name);

/*
 * Compare kernel releases numerically, field by field up to the first
 * character that is neither digit nor dot: "6.1.0-56-amd64" is 6.1.0.  Fields
 * that either side lacks are equal, so "6.1" equals every 6.1.x.  Returns <0,
 * 0 or >0.
 */
int conf_release_cmp(const char *a, const char *b);

/* True when @release lies in the range "FROM TO" of a known issue; "-" is open. */
bool conf_release_in(const char *release, const char *range);

#endif
