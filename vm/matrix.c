// SPDX-License-Identifier: GPL-2.0-only
/*
 * matrix FILE <ROWS: which holder meets which collision, on each file system.
 *
 * Reads lines "FS ROW" (cells -R) and what configs/matrix (FILE) says of them: the
 * holders and collisions that there are, which of both a row's name tells, and
 * why some have no row.  Prints a table a file system, with the number of rows or
 * the letter of a reason.
 *
 * Exit status: 0, 1 when a square is empty and nothing says why, 2 when a row is
 * of no line of FILE, or a line of FILE is of no use.
 */
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

#define MAX_NAMES	64
#define MAX_FS		16
#define MAX_WORD	512
#define GROUPS		10
#define BLANKS		" \t"

struct name {
	char	 word[MAX_WORD];
	const char *text;
	bool	 used;
};

/* A line "rows RE HOLDER COLLISION", "other RE TEXT" or "none HOLDER COLLISION FS TEXT". */
struct rule {
	const struct conf_line	*line;
	regex_t			 re[3];
	char			 holder[MAX_WORD], collision[MAX_WORD];
	const char		*text;		/* what is left of the line: for a person */
	char			 letter;
	bool			 used;
};

static struct {
	const struct conf *c;
	struct name	 holders[MAX_NAMES], collisions[MAX_NAMES];
	size_t		 nholders, ncollisions;
	struct rule	*rules;
	size_t		 nrules;
	char		*fs[MAX_FS];
	size_t		 nfs;
	size_t		 rows[MAX_FS][MAX_NAMES][MAX_NAMES];	/* fs, holder, collision */
	size_t		 letters;
	bool		 empty;		/* a square without a reason */
	bool		 wrong;		/* of the data file */
} g;

static void complain(const struct conf_line *l, const char *what, const char *word)
{
	fprintf(stderr, "%s:%d: %s '%s'\n", g.c->path, l ? l->line : 0, what, word);
	g.wrong = true;
}

static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "matrix: %s\n", what);
	exit(2);
}

/* The whole of a text must match. */
static void compile(regex_t *re, const char *text)
{
	char *whole;

	if (asprintf(&whole, "^(%s)$", text) < 0 || regcomp(re, whole, REG_EXTENDED))
		die(text);
	free(whole);
}

static bool matches(const regex_t *re, const char *text)
{
	return !regexec(re, text, 0, NULL, 0);
}

/* Cut the next word off *text, which conf.c has seen to be there. */
static void word_cut(const char **text, char *word)
{
	size_t n = strcspn(*text, BLANKS);

	snprintf(word, MAX_WORD, "%.*s", (int)n, *text);
	*text += n;
	*text += strspn(*text, BLANKS);
}

static void names_read(const char *key, struct name *names, size_t *n)
{
	for (const struct conf_line *l = NULL; (l = conf_next(g.c, key, l)); ) {
		struct name *name = &names[*n];

		if ((*n)++ == MAX_NAMES)
			die("too many names");
		name->text = l->value;
		word_cut(&name->text, name->word);
	}
}

static struct rule *rule_add(const struct conf_line *l)
{
	g.rules = realloc(g.rules, (g.nrules + 1) * sizeof(*g.rules));
	if (!g.rules)
		die("no memory");
	g.rules[g.nrules] = (struct rule){ .line = l, .text = l->value };
	return &g.rules[g.nrules++];
}

/* The next expression of what is left of the line. */
static void re_cut(struct rule *r, int i)
{
	char re[MAX_WORD];

	word_cut(&r->text, re);
	compile(&r->re[i], re);
}

static bool is(const struct rule *r, const char *key)
{
	return !strcmp(r->line->key, key);
}

static void rules_read(void)
{
	for (const struct conf_line *l = NULL; (l = conf_next(g.c, "rows", l)); ) {
		struct rule *r = rule_add(l);

		re_cut(r, 0);
		word_cut(&r->text, r->holder);
		word_cut(&r->text, r->collision);
	}
	for (const struct conf_line *l = NULL; (l = conf_next(g.c, "other", l)); )
		re_cut(rule_add(l), 0);
	for (const struct conf_line *l = NULL; (l = conf_next(g.c, "none", l)); ) {
		struct rule *r = rule_add(l);

		for (int i = 0; i < 3; i++)
			re_cut(r, i);
	}
}

/* @template with \1 to \9 as what they are in @row. */
static void fill(char *to, const char *template, const char *row, const regmatch_t *m)
{
	char *end = to + MAX_WORD - 1;

	for (const char *p = template; *p && to < end; p++) {
		const regmatch_t *part;

		if (p[0] != '\\' || p[1] < '1' || p[1] > '8') {
			*to++ = *p;
			continue;
		}
		/* Group 1 is the whole, of compile(). */
		part = &m[*++p - '0' + 1];
		for (regoff_t i = part->rm_so; i < part->rm_eo && to < end; i++)
			*to++ = row[i];
	}
	*to = '\0';
}

static struct name *find(struct name *names, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i].word, word))
			return &names[i];
	return NULL;
}

static size_t fs_index(const char *fs)
{
	for (size_t i = 0; i < g.nfs; i++)
		if (!strcmp(g.fs[i], fs))
			return i;
	if (g.nfs == MAX_FS)
		die("too many file systems");
	g.fs[g.nfs] = strdup(fs);
	return g.nfs++;
}

static void row_count(struct rule *r, size_t fs, const char *row, const regmatch_t *m)
{
	char holder[MAX_WORD], collision[MAX_WORD];
	struct name *h, *c;

	fill(holder, r->holder, row, m);
	fill(collision, r->collision, row, m);
	h = find(g.holders, g.nholders, holder);
	c = find(g.collisions, g.ncollisions, collision);
	if (!h || !c) {
		complain(r->line, h ? "unknown collision" : "unknown holder",
			 h ? collision : holder);
		return;
	}
	h->used = true;
	c->used = true;
	g.rows[fs][h - g.holders][c - g.collisions]++;
}

/* The first line that knows the row tells what it is. */
static void row_add(const char *fs, const char *row)
{
	regmatch_t m[GROUPS];

	for (struct rule *r = g.rules; r < g.rules + g.nrules; r++) {
		if (is(r, "none") || regexec(&r->re[0], row, GROUPS, m, 0))
			continue;
		r->used = true;
		if (is(r, "rows"))
			row_count(r, fs_index(fs), row, m);
		return;
	}
	complain(NULL, "no line knows the row", row);
}

static void rows_read(void)
{
	char fs[MAX_WORD], row[MAX_WORD];

	while (scanf("%511s %511s", fs, row) == 2)
		row_add(fs, row);
}

static char square(size_t fs, const struct name *h, const struct name *c)
{
	for (struct rule *r = g.rules; r < g.rules + g.nrules; r++) {
		if (!is(r, "none") || !matches(&r->re[0], h->word) ||
		    !matches(&r->re[1], c->word) || !matches(&r->re[2], g.fs[fs]))
			continue;
		if (!r->letter)
			r->letter = g.letters < 26 ? 'a' + g.letters++ : '+';
		r->used = true;
		return r->letter;
	}
	fprintf(stderr, "matrix: %s: no row and no reason: %s against %s\n", g.fs[fs], c->word,
		h->word);
	g.empty = true;
	return '?';
}

static void table_print(size_t fs)
{
	size_t all = 0;

	printf("%s\n%-16s", g.fs[fs], "");
	for (size_t h = 0; h < g.nholders; h++)
		printf("%4zu", h + 1);
	putchar('\n');
	for (size_t c = 0; c < g.ncollisions; c++) {
		printf("%-16s", g.collisions[c].word);
		for (size_t h = 0; h < g.nholders; h++) {
			size_t n = g.rows[fs][h][c];

			if (n)
				printf("%4zu", n);
			else
				printf("   %c", square(fs, &g.holders[h], &g.collisions[c]));
			all += n;
		}
		putchar('\n');
	}
	printf("%zu rows\n\n", all);
}

static void legend_print(void)
{
	for (size_t h = 0; h < g.nholders; h++)
		printf("%3zu  %-18s %s\n", h + 1, g.holders[h].word, g.holders[h].text);
	putchar('\n');
	for (char letter = 'a'; letter <= 'z'; letter++)
		for (size_t i = 0; i < g.nrules; i++)
			if (g.rules[i].letter == letter)
				printf("  %c  %s\n", letter, g.rules[i].text);
	putchar('\n');
	for (const struct conf_line *l = NULL; (l = conf_next(g.c, "absent", l)); )
		printf("  -  %s\n", l->value);
}

/* A line that nothing needs says something that is not so. */
static void check_used(void)
{
	for (size_t i = 0; i < g.nrules; i++)
		if (!g.rules[i].used)
			complain(g.rules[i].line, "of no row, or no empty square:",
				 g.rules[i].line->value);
	for (size_t i = 0; i < g.nholders; i++)
		if (!g.holders[i].used)
			complain(NULL, "no row has the holder", g.holders[i].word);
	for (size_t i = 0; i < g.ncollisions; i++)
		if (!g.collisions[i].used)
			complain(NULL, "no row has the collision", g.collisions[i].word);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: matrix FILE <ROWS\n", stderr);
		return 2;
	}
	g.c = conf_read(argv[1], CONF_MATRIX);
	if (!g.c)
		return 2;
	names_read("holder", g.holders, &g.nholders);
	names_read("collision", g.collisions, &g.ncollisions);
	rules_read();
	rows_read();
	for (size_t fs = 0; fs < g.nfs; fs++)
		table_print(fs);
	legend_print();
	check_used();
	return g.wrong ? 2 : g.empty;
}
