// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge [-K KNOWN_DIR] DIR: one cell's evidence in, one verdict out.
 *
 * Reads DIR/cell (what was planned), DIR/ktap.log (what the guest reported),
 * DIR/console.log (what its kernel said) and DIR/guest (how it ended).  The
 * verdict goes to standard output as "key value" lines, and what a person
 * wants to see of it to standard error.  Exit status: see verdicts[].
 *
 * Pass is what is left when everything else has been ruled out: what cannot
 * be read, does not fit together or is not there makes the cell lost.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define TRACE_LINES	40
#define TAIL_LINES	20
#define MAX_GROUPS	8
#define IDENT		"[A-Za-z_][A-Za-z0-9_.]*"
/*
 * "WARNING: CPU: 0 PID: 1 at FILE:LINE FUNCTION+0x1/0x2", and since 7.0
 * "WARNING: [CONDITION] FILE:LINE at FUNCTION+0x1/0x2, CPU#0: comm/1".
 */
#define WARNING_HEAD	"WARNING: (CPU: [0-9]+ PID: [0-9]+ at )?(\\[.*\\] )?"
#define WARNING_RE	WARNING_HEAD "([^ :]+):[0-9]+(( at)? (" IDENT "))?"
#define XFS_MORE	"Assertion failed|page discard"

enum verdict { PASS, FAIL, SKIP, LOST, KNOWN, FIXED };

static const struct {
	const char	*word;
	int		 status;
} verdicts[] = {
	[PASS]	= { "pass", 0 },
	[FAIL]	= { "fail", 1 },
	[SKIP]	= { "skip", 4 },
	[LOST]	= { "lost", 5 },
	[KNOWN]	= { "known", 6 },
	[FIXED]	= { "fixed", 7 },
};

/*
 * What the kernel says when something is wrong with it; the first that fits
 * names the splat.  Its signature is what stays the same when a line number or
 * an address changes: the kind and then the parts, which are groups of the
 * expression, or the function in the register dump below.
 */
enum { RIP = -1 };

static const struct splat_kind {
	const char	*has;		/* a quick look, before the expression */
	const char	*re;		/* NULL: to have it is enough */
	const char	*kind;		/* NULL: the text that matched */
	int		 part[3];
} splat_kinds[] = {
	{ .has = "Kernel panic - not syncing", .re = "not syncing:? ?([A-Za-z ,_-]*)",
	  .kind = "Kernel panic - not syncing:", .part = { 1 } },

	{ .has = "WARNING: ",
	  .re = "WARNING: (possible|suspicious|inconsistent|bad|held|lock|Nested) [A-Za-z -]+" },
	{ .has = "WARNING: ", .re = WARNING_RE, .kind = "WARNING", .part = { 3, 6 } },
	{ .has = "WARNING: ", .re = "WARNING: (CPU: [0-9]+ PID: [0-9]+ )?at (" IDENT ")",
	  .kind = "WARNING", .part = { 2 } },
	{ .has = "WARNING: CPU: ", .kind = "WARNING" },

	{ .has = "kernel BUG at", .re = "kernel BUG at ([^ :!]+)", .kind = "kernel BUG at",
	  .part = { 1, RIP } },
	{ .has = "BUG: K", .re = "BUG: (K[A-Z]+: [a-z -]+) in (" IDENT ")", .kind = "BUG:",
	  .part = { 1, 2 } },
	{ .has = "BUG: Bad page", .re = "BUG: Bad page [a-z]+" },
	{ .has = "BUG: Bad rss-counter" },
	{ .has = "BUG: soft lockup" },
	{ .has = "BUG: sleeping function", .re = "BUG: sleeping function( .* at ([^ :]+))?",
	  .kind = "BUG: sleeping function", .part = { 2 } },
	{ .has = "BUG: kernel NULL pointer dereference", .part = { RIP } },
	{ .has = "BUG: unable to handle", .re = "BUG: unable to handle [a-z ]*[a-z]",
	  .part = { RIP } },
	{ .has = "BUG: ", .re = "(^|[^A-Z])(BUG: [A-Za-z][A-Za-z _/-]*)", .kind = "",
	  .part = { 2 } },
	{ .has = "Unable to handle kernel", .re = "Unable to handle kernel [A-Za-z ]*[a-z]",
	  .part = { RIP } },
	{ .has = "general protection fault", .part = { RIP } },
	{ .has = "Oops", .re = "Oops:?( [a-z][a-z ]*)?", .kind = "Oops:", .part = { 1, RIP } },
	/* What die() prints of any other trap before 6.10. */
	{ .has = " [#", .re = "([a-z][a-z -]+): [0-9a-f]{4} \\[#[0-9]+\\]", .kind = "Oops:",
	  .part = { 1, RIP } },

	{ .has = "INFO: task ", .re = "INFO: task .* blocked.* for more than",
	  .kind = "INFO: task blocked" },
	{ .has = "rcu", .re = "rcu: INFO:|INFO: rcu.*(stall|detected)", .kind = "RCU stall" },
	{ .has = "hard LOCKUP" },

	{ .has = "UBSAN: ", .re = "UBSAN: ([a-z-]+) in ([^ :]+)", .kind = "UBSAN:",
	  .part = { 1, 2 } },
	{ .has = "UBSAN:" },
	{ .has = "KCSAN:" },
	{ .has = "possible circular locking dependency" },
	{ .has = "possible recursive locking" },
	{ .has = "inconsistent lock state" },
	{ .has = "suspicious RCU usage" },
	{ .has = "DEBUG_LOCKS_WARN_ON" },
	{ .has = "kmemleak:", .re = "kmemleak:.*new suspected", .kind = "kmemleak" },
	{ .has = "refcount_t:", .re = "refcount_t:( [a-z ]+[a-z])?" },
	{ .has = " corruption", .re = "list_(add|del) corruption" },

	{ .has = "EXT4-fs ", .re = "EXT4-fs (error|warning)( \\(device [^)]*\\): (" IDENT "))?",
	  .kind = "EXT4-fs", .part = { 1, 3 } },
	{ .has = "XFS", .re = "XFS.*(Assertion failed).* file: ([^ ,]+)", .kind = "XFS",
	  .part = { 1, 2 } },
	{ .has = "XFS ", .re = "XFS .*(Internal error).* of file ([^ ]+\\.[ch])", .kind = "XFS",
	  .part = { 1, 2 } },
	{ .has = "XFS", .re = "XFS.*(Corruption|Internal error|metadata I/O error|" XFS_MORE ")",
	  .kind = "XFS", .part = { 1 } },
	{ .has = "JBD2: ", .re = "JBD2: .*(error|failure)", .kind = "JBD2", .part = { 1 } },
	{ .has = "does not have buffers attached" },
	{ .has = "Page cache invalidation failure on direct I/O" },
	{ .has = "Memory failure:", .re = "Memory failure:( 0x[0-9a-f]+:)?( [a-z ]*)",
	  .kind = "Memory failure:", .part = { 2 } },

	{ .has = "Out of memory: Killed", .kind = "guest out of memory" },
	{ .has = "invoked oom-killer", .kind = "guest out of memory" },
};

static regex_t splat_re[ARRAY_SIZE(splat_kinds)];

struct list {
	char	**v;
	size_t	  n;
};

/* A log: its lines, without line ends and NUL bytes. */
struct log {
	struct list	lines;
	bool		cut;		/* the last line has no end */
	bool		nul;		/* there were NUL bytes */
};

enum row_state { ROW_LOST, ROW_OK, ROW_FAILED, ROW_SKIP };

static const char * const row_words[] = {
	[ROW_LOST]	= "lost",
	[ROW_OK]	= "ok",
	[ROW_FAILED]	= "failed",
	[ROW_SKIP]	= "skip",
};

struct row {
	char			*name;
	char			*skip;		/* the reason it gives */
	char			*expected;	/* the first expectation that failed */
	char			*why;		/* it failed: what says most */
	struct list		 messages;
	const struct conf	*known;
	enum row_state		 state;
	bool			 planned;
	bool			 begun;
	bool			 witness;
	bool			 skipping;
	bool			 harness_fail;
};

enum splat_state { SPLAT_BAD, SPLAT_ALLOWED, SPLAT_KNOWN };

static const char * const splat_words[] = {
	[SPLAT_BAD]	= "splat",
	[SPLAT_ALLOWED]	= "splat-allowed",
	[SPLAT_KNOWN]	= "splat-known",
};

struct splat {
	size_t			 line;
	const char		*text;
	char			*signature;
	const struct conf	*known;
	enum splat_state	 state;
};

struct rule {
	regex_t	 re;
	char	*text;
	bool	 require;
	bool	 seen;
};

/* A known issue that covers this cell. */
struct issue {
	const struct conf	*conf;
	regex_t			 rows;
	regex_t			 signature;
	bool			 ends;
	bool			 shown;
};

struct judge {
	struct conf	*cell;
	struct log	 ktap, console, guest;
	struct row	*rows;
	size_t		 nrows;
	struct splat	*splats;
	size_t		 nsplats;
	struct rule	*rules;
	size_t		 nrules;
	struct issue	*issues;
	size_t		 nissues;
	struct list	 fail;
	struct list	 lost;		/* the evidence contradicts itself or is no good */
	struct list	 ended;		/* the guest or the program did not live to its end */
	struct list	 missing;	/* there is less evidence than there should be */
	struct list	 torn;
	struct list	 autopsy;
	struct list	 losses, known, fixed, other;
	struct list	*reasons;	/* one of these lists, when decided */
	/* What the KTAP reader has met so far. */
	char		*row_now;
	char		*run, *umount, *fsck, *init_lost, *init_skip, *fault;
	long		 plan, results;
	bool		 header, done, console_autopsy, console_whole;
};

/* Make room for one more member, all zero. */
static void *grow(void *v, size_t *n, size_t size)
{
	v = reallocarray(v, *n + 1, size);
	if (!v) {
		perror("judge");
		exit(2);
	}
	memset((char *)v + *n * size, 0, size);
	++*n;
	return v;
}

static char *copy(const char *s, size_t len)
{
	char *p = strndup(s, len);

	if (!p)
		exit(2);
	return p;
}

/* Text from the guest may hold anything; what we print is one plain line. */
static char *plain(char *s)
{
	for (char *p = s; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = *p == '\t' ? ' ' : '?';
	return s;
}

static char *print(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		exit(2);
	va_end(args);
	return plain(s);
}

static void add(struct list *l, char *s)
{
	l->v = grow(l->v, &l->n, sizeof(*l->v));
	l->v[l->n - 1] = s;
}

static void add_all(struct list *to, const struct list *from)
{
	for (size_t i = 0; i < from->n; i++)
		add(to, from->v[i]);
}

static const char *after(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(s, prefix, len) ? NULL : s + len;
}

static bool matches(const regex_t *re, const char *s)
{
	return !regexec(re, s, 0, NULL, 0);
}

static bool matches_whole(const regex_t *re, const char *s)
{
	regmatch_t m;

	return !regexec(re, s, 1, &m, 0) && !m.rm_so && !s[m.rm_eo];
}

/* The expressions of data files have been compiled before, by conf_read(). */
static void set_re(regex_t *re, const char *text)
{
	if (regcomp(re, text, REG_EXTENDED)) {
		fprintf(stderr, "judge: cannot compile '%s'\n", text);
		exit(2);
	}
}

static char *path_of(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		exit(2);
	return path;
}

/* Reading */

static char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	size_t room = 0, got;
	char *buf = NULL;

	*len = 0;
	if (!f)
		return NULL;
	do {
		room = room * 2 + 65536;
		buf = realloc(buf, room + 1);
		if (!buf)
			exit(2);
		got = fread(buf + *len, 1, room - *len, f);
		*len += got;
	} while (got && *len == room);
	if (ferror(f))
		*len = 0;
	fclose(f);
	return buf;
}

/* Serial ports drop in NUL bytes: without them a line reads as it was sent. */
static size_t drop_nul(char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (buf[i])
			buf[n++] = buf[i];
	buf[n] = '\0';
	return n;
}

static void split_lines(struct log *log, char *p)
{
	while (*p) {
		char *end = strchrnul(p, '\n'), *next = end + !!*end;

		log->cut = !*end;
		while (end > p && end[-1] == '\r')
			end--;
		*end = '\0';
		add(&log->lines, p);
		p = next;
	}
}

static void read_log(struct judge *j, struct log *log, const char *dir, const char *name)
{
	char *path = path_of(dir, name), *buf;
	size_t len, n;

	buf = slurp(path, &len);
	free(path);
	if (!len) {
		add(&j->lost, print("%s is %s", name, buf ? "empty" : "missing"));
		free(buf);
		return;
	}
	n = drop_nul(buf, len);
	log->nul = n < len;
	split_lines(log, buf);
}

static void read_rules(struct judge *j)
{
	const struct conf_line *l = NULL;

	while ((l = conf_next(j->cell, "log", l))) {
		size_t len = strcspn(l->value, " \t");
		struct rule *r;

		if (!l->value[len])
			continue;
		j->rules = grow(j->rules, &j->nrules, sizeof(*j->rules));
		r = &j->rules[j->nrules - 1];
		r->text = l->value + len + strspn(l->value + len, " \t");
		r->require = *l->value == 'r';
		set_re(&r->re, r->text);
	}
}

/* A known issue counts only where it says it holds, and never for a control. */
static bool covers(const struct conf *known, const struct conf *cell)
{
	const char *fs = conf_get(known, "fs"), *version = conf_get(cell, "version");

	if (!version)
		version = conf_get(cell, "release");
	return !conf_get(cell, "verdict") &&
	       conf_has_word(conf_get(known, "scenario"), conf_get(cell, "scenario")) &&
	       (!fs || conf_has_word(fs, conf_get(cell, "fs"))) &&
	       conf_release_in(version, conf_get(known, "kernel"));
}

static bool read_issue(struct judge *j, const char *path)
{
	struct conf *c = conf_read(path, CONF_KNOWN);
	struct issue *k;

	if (!c)
		return false;
	if (!covers(c, j->cell)) {
		conf_free(c);
		return true;
	}
	j->issues = grow(j->issues, &j->nissues, sizeof(*j->issues));
	k = &j->issues[j->nissues - 1];
	k->conf = c;
	k->ends = conf_get(c, "ends");
	set_re(&k->rows, conf_get(c, "rows"));
	set_re(&k->signature, conf_get(c, "signature"));
	return true;
}

static int visible(const struct dirent *e)
{
	return *e->d_name != '.';
}

static bool read_issues(struct judge *j, const char *dir)
{
	struct dirent **entries;
	bool good = true;
	int n = scandir(dir, &entries, visible, alphasort);

	/* git does not keep an empty folder. */
	if (n < 0 && errno == ENOENT)
		return true;
	if (n < 0) {
		fprintf(stderr, "judge: %s: %s\n", dir, strerror(errno));
		return false;
	}
	for (int i = 0; i < n; i++) {
		char *path = path_of(dir, entries[i]->d_name);

		good &= read_issue(j, path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return good;
}

/* Rows */

static struct row *find_row(struct judge *j, const char *name)
{
	for (size_t i = 0; i < j->nrows; i++)
		if (!strcmp(j->rows[i].name, name))
			return &j->rows[i];
	return NULL;
}

static struct row *get_row(struct judge *j, const char *name)
{
	struct row *r = find_row(j, name);

	if (!r) {
		j->rows = grow(j->rows, &j->nrows, sizeof(*j->rows));
		r = &j->rows[j->nrows - 1];
		r->name = copy(name, strlen(name));
	}
	return r;
}

static void read_plan(struct judge *j)
{
	const struct conf_line *l = NULL;

	while ((l = conf_next(j->cell, "row", l)))
		get_row(j, l->value)->planned = true;
}

/* KTAP: what the harness prints, then what init prints */

static void tear(struct judge *j, const char *what, const char *line)
{
	add(&j->torn, print("torn TAP: %s: '%.120s'", what, line));
}

static struct row *row_now(struct judge *j)
{
	return j->row_now ? find_row(j, j->row_now) : NULL;
}

static void begin_row(struct judge *j, const char *name, size_t len, const char *line)
{
	struct row *r;

	if (j->row_now)
		tear(j, "no result of the row before", line);
	free(j->row_now);
	j->row_now = copy(name, len);
	r = get_row(j, j->row_now);
	if (r->begun)
		tear(j, "row runs again", line);
	r->begun = true;
}

/* "key=value" after "witness: " is what a row shows for its premise. */
static bool is_witness(const char *line)
{
	const char *p = strstr(line, "witness: ");
	size_t key;

	if (!p)
		return false;
	p += strlen("witness: ");
	key = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789");
	return key && p[key] == '=' && isgraph((unsigned char)p[key + 1]);
}

/* "file:line:test:Expected 0 (0) == err (-5)" */
static bool is_expectation(const char *line)
{
	return strstr(line, ":Expected ") && strchr(line, '(') && line[strlen(line) - 1] == ')';
}

/* A message of the row that runs; @text is the line without its "#". */
static void row_message(struct row *r, const char *text)
{
	text += strspn(text, " ");
	if (is_witness(text))
		r->witness = true;
	else if (after(text, "SKIP "))
		r->skipping = true;
	else if (after(text, "FAIL  "))
		r->harness_fail = true;
	else if (*text && !strstr(text, "event: ") && !after(text, "OK  "))
		add(&r->messages, print("%s", text));
	/*
	 * With the harness of 6.1 a row goes on after SKIP in its setup; what
	 * it meets then is no failure.
	 */
	if (is_expectation(text) && !r->expected && !r->skipping)
		r->expected = print("%s", text);
}

static void comment_line(struct judge *j, const char *rest, const char *line)
{
	const char *name = after(line, "#  RUN ");
	size_t len = strlen(line);

	if (name && len > 4 && !strcmp(line + len - 4, " ...")) {
		name += strspn(name, " ");
		if (name < line + len - 4)
			begin_row(j, name, line + len - 4 - name, line);
	} else if (row_now(j)) {
		row_message(row_now(j), rest);
	}
}

/*
 * What follows the number: "NAME", "NAME # SKIP why", or, with 6.1's harness,
 * "# SKIP why".  False when it is something else.
 */
static bool split_result(struct judge *j, const char *rest, bool ok, char **name, const char **skip)
{
	const char *mark = *rest == '#' ? rest : strstr(rest, " # ");
	size_t len = mark ? (size_t)(mark - rest) : strlen(rest);

	*skip = NULL;
	if (mark) {
		mark += strspn(mark, " #");
		*skip = after(mark, "SKIP");
		if (ok && !*skip)
			return false;
	}
	if (!len && !j->row_now)
		return false;
	*name = len ? copy(rest, len) : copy(j->row_now, strlen(j->row_now));
	return !(*name)[strcspn(*name, " \t")];
}

static void set_result(struct judge *j, struct row *r, bool ok, const char *skip, const char *line)
{
	if (!ok)
		r->state = ROW_FAILED;
	if (r->state == ROW_FAILED)
		return;
	if (r->state != ROW_LOST) {
		tear(j, "second result", line);
		r->state = ROW_LOST;
	} else if (!j->row_now || strcmp(j->row_now, r->name)) {
		tear(j, "result of a row that does not run", line);
	} else if (r->harness_fail) {
		tear(j, "result contradicts the line above", line);
	} else if (skip) {
		r->state = ROW_SKIP;
		r->skip = print("%s", skip + strspn(skip, " "));
	} else {
		r->state = ROW_OK;
	}
}

static void result_line(struct judge *j, const char *rest, bool ok, const char *line)
{
	char *end, *name = NULL;
	const char *skip;
	long n;

	j->results++;
	n = isdigit((unsigned char)*rest) ? strtol(rest, &end, 10) : 0;
	if (!n || *end != ' ' || !split_result(j, end + 1, ok, &name, &skip)) {
		tear(j, "not a result", line);
	} else {
		if (n != j->results)
			tear(j, "number out of order", line);
		if (!j->plan)
			tear(j, "result before the plan", line);
		set_result(j, get_row(j, name), ok, skip, line);
	}
	free(name);
	free(j->row_now);
	j->row_now = NULL;
}

static void plan_line(struct judge *j, const char *rest, const char *line)
{
	size_t digits = strspn(rest, "0123456789");

	if (j->plan || !j->header || !digits || rest[digits] || !atol(rest))
		tear(j, "not the plan", line);
	else
		j->plan = strtol(rest, NULL, 10);
}

/* "TAP version 13": the only line that may come before the plan. */
static void header_line(struct judge *j, const char *rest, const char *line)
{
	if (*rest || j->header)
		tear(j, "not the header", line);
	j->header = true;
}

static void ok_line(struct judge *j, const char *rest, const char *line)
{
	result_line(j, rest, true, line);
}

static void not_ok_line(struct judge *j, const char *rest, const char *line)
{
	result_line(j, rest, false, line);
}

static bool keep(char **to, const char *text)
{
	if (text && !*to)
		*to = print("%s", text);
	return text;
}

static void init_line(struct judge *j, const char *text, const char *line)
{
	(void)line;
	/* Only the first: a program that is killed at its limit ends by a signal, too. */
	if (keep(&j->run, after(text, "run ")) || keep(&j->umount, after(text, "umount ")) ||
	    keep(&j->fsck, after(text, "fsck ")) || keep(&j->init_lost, after(text, "lost ")) ||
	    keep(&j->init_skip, after(text, "skip ")) || keep(&j->fault, after(text, "fault ")))
		return;
	if (after(text, "autopsy "))
		add(&j->autopsy, print("%s", text));
	if (!strcmp(text, "done"))
		j->done = true;
}

static const struct {
	const char	*prefix;
	void		(*take)(struct judge *j, const char *rest, const char *line);
} ktap_lines[] = {
	{ "# init: ",		init_line },
	{ "#",			comment_line },
	{ "TAP version 13",	header_line },
	{ "1..",		plan_line },
	{ "ok ",		ok_line },
	{ "not ok ",		not_ok_line },
};

static void ktap_line(struct judge *j, const char *line)
{
	if (j->done)
		tear(j, "line after the last one", line);
	for (size_t i = 0; i < ARRAY_SIZE(ktap_lines); i++) {
		const char *rest = after(line, ktap_lines[i].prefix);

		if (!rest)
			continue;
		ktap_lines[i].take(j, rest, line);
		return;
	}
	if (*line)
		tear(j, "not a TAP line", line);
}

static void scan_ktap(struct judge *j)
{
	size_t n = j->ktap.lines.n;

	/* Half a line says nothing: its other half may have been "not". */
	if (n && j->ktap.cut)
		add(&j->missing, print("torn TAP: half a line: '%.120s'", j->ktap.lines.v[--n]));
	if (j->ktap.nul)
		add(&j->lost, print("ktap.log has NUL bytes"));
	for (size_t i = 0; i < n; i++)
		ktap_line(j, j->ktap.lines.v[i]);
	/*
	 * The harness lets SKIP overrule an expectation that failed before,
	 * and 6.1's does not hear of one that failed in a child.
	 */
	for (size_t i = 0; i < j->nrows; i++)
		if (j->rows[i].expected && j->rows[i].state != ROW_LOST)
			j->rows[i].state = ROW_FAILED;
}

/* The console */

/* The message of a console line, without "[    1.234567] " and "[ T123] ". */
static const char *message(const char *line)
{
	const char *p = line;

	while (*p == '[') {
		size_t len = strspn(p + 1, " TC0123456789.");

		if (!len || p[len + 1] != ']')
			break;
		p += len + 2;
	}
	return p > line && *p == ' ' ? p + 1 : p;
}

/* The path of a source file below the top of its tree. */
static const char *source_path(const char *path, size_t *len)
{
	static const char * const tops[] = {
		"/fs/", "/mm/", "/drivers/", "/kernel/", "/lib/", "/block/", "/include/", "/arch/",
		"/io_uring/", "/net/", "/security/",
	};
	const char *end = path + *len, *tail = path;

	for (const char *p = path; p < end; p++)
		if (*p == '/')
			tail = p + 1;
	if (*path != '/' && *path != '.')
		tail = path;
	for (size_t i = 0; i < ARRAY_SIZE(tops) && (*path == '/' || *path == '.'); i++) {
		const char *p = memmem(path, *len, tops[i], strlen(tops[i]));

		if (p && p + 1 < tail)
			tail = p + 1;
	}
	*len = end - tail;
	return tail;
}

/* Add a part to a signature: no blanks around it, no compiler's suffix. */
static void add_part(char **signature, const char *part, size_t len)
{
	char *old = *signature;

	while (len && strchr(" :,-", part[len - 1]))
		len--;
	while (len && *part == ' ')
		part++, len--;
	if (memchr(part, '/', len))
		part = source_path(part, &len);
	else if (len > 2 && part[len - 2] != '.')
		len = strcspn(part, ".") < len ? strcspn(part, ".") : len;
	if (!len)
		return;
	*signature = print("%s%s%.*s", old, *old ? " " : "", (int)len, part);
	free(old);
}

static bool trace_ends(const char *line)
{
	return strstr(line, "---[ end trace");
}

/* The function in the register dump below line @i of the console. */
static void add_rip(struct judge *j, size_t i, char **signature)
{
	static const char * const marks[] = { "RIP: 0010:", "pc : " };
	size_t end = i + TRACE_LINES;

	for (; i < j->console.lines.n && i < end; i++) {
		const char *line = j->console.lines.v[i];

		for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
			const char *p = strstr(line, marks[m]);

			if (!p)
				continue;
			p += strlen(marks[m]);
			add_part(signature, p, strcspn(p, "+ "));
			return;
		}
		if (trace_ends(line))
			return;
	}
}

static char *signature_of(struct judge *j, size_t line, const struct splat_kind *kind,
			  const char *text, const regmatch_t *m)
{
	char *s = kind->kind ? copy(kind->kind, strlen(kind->kind)) : copy("", 0);

	if (!kind->kind)
		add_part(&s, text + m[0].rm_so, m[0].rm_eo - m[0].rm_so);
	for (size_t i = 0; i < ARRAY_SIZE(kind->part) && kind->part[i]; i++) {
		const regmatch_t *part = &m[kind->part[i] == RIP ? 0 : kind->part[i]];

		if (kind->part[i] == RIP)
			add_rip(j, line, &s);
		else if (part->rm_so >= 0)
			add_part(&s, text + part->rm_so, part->rm_eo - part->rm_so);
	}
	return s;
}

/* Where kind @i matches @text; false when it does not. */
static bool match_kind(size_t i, const char *text, regmatch_t *m)
{
	const char *has = strstr(text, splat_kinds[i].has);

	if (!has)
		return false;
	m[0].rm_so = has - text;
	m[0].rm_eo = m[0].rm_so + strlen(splat_kinds[i].has);
	return !splat_kinds[i].re || !regexec(&splat_re[i], text, MAX_GROUPS, m, 0);
}

static void find_splat(struct judge *j, size_t line, const char *text)
{
	regmatch_t m[MAX_GROUPS];
	struct splat *s;
	size_t i = 0;

	while (i < ARRAY_SIZE(splat_kinds) && !match_kind(i, text, m))
		i++;
	if (i == ARRAY_SIZE(splat_kinds))
		return;
	j->splats = grow(j->splats, &j->nsplats, sizeof(*j->splats));
	s = &j->splats[j->nsplats - 1];
	s->line = line;
	s->text = text;
	s->signature = signature_of(j, line, &splat_kinds[i], text, m);
}

static bool splat_matches(const struct splat *s, const regex_t *re)
{
	return matches(re, s->text) || matches(re, s->signature);
}

/* What a guest that powers off says last; without it a splat may be cut off. */
static bool is_farewell(const char *text)
{
	return strstr(text, "daxpin: phase off") || strstr(text, "reboot: Power down");
}

/* Everything that the kernel said until our own autopsy made it talk. */
static void scan_console(struct judge *j)
{
	for (size_t i = j->console.lines.n; i && !j->console_whole; i--)
		j->console_whole = is_farewell(j->console.lines.v[i - 1]);
	for (size_t i = 0; i < ARRAY_SIZE(splat_kinds); i++)
		if (splat_kinds[i].re)
			set_re(&splat_re[i], splat_kinds[i].re);
	for (size_t i = 0; i < j->console.lines.n; i++) {
		const char *text = message(j->console.lines.v[i]);

		j->console_autopsy = strstr(text, "daxpin: autopsy");
		if (j->console_autopsy)
			return;
		find_splat(j, i, text);
		for (size_t r = 0; r < j->nrules; r++)
			j->rules[r].seen |= matches(&j->rules[r].re, text);
	}
}

static bool is_panic(const struct splat *s)
{
	return after(s->signature, "Kernel panic");
}

/* No scenario can permit a panic: with the guest goes what else it could show. */
static void apply_rules(struct judge *j)
{
	for (size_t i = 0; i < j->nsplats; i++)
		for (size_t r = 0; r < j->nrules; r++) {
			if (!splat_matches(&j->splats[i], &j->rules[r].re))
				continue;
			j->rules[r].seen = true;
			if (!is_panic(&j->splats[i]))
				j->splats[i].state = SPLAT_ALLOWED;
		}
}

static const char *missing_rule(const struct judge *j)
{
	for (size_t r = 0; r < j->nrules; r++)
		if (j->rules[r].require && !j->rules[r].seen)
			return j->rules[r].text;
	return NULL;
}

/* Known issues */

static bool shows(const struct judge *j, const struct row *r, const struct issue *k)
{
	for (size_t i = 0; i < r->messages.n; i++)
		if (matches(&k->signature, r->messages.v[i]))
			return true;
	for (size_t i = 0; i < j->nsplats; i++)
		if (splat_matches(&j->splats[i], &k->signature))
			return true;
	return false;
}

static void excuse_rows(struct judge *j, struct issue *k)
{
	for (size_t i = 0; i < j->nrows; i++) {
		struct row *r = &j->rows[i];

		if (r->state != ROW_FAILED || r->known || !matches_whole(&k->rows, r->name) ||
		    !shows(j, r, k))
			continue;
		r->known = k->conf;
		k->shown = true;
	}
}

/* After a splat that ends the guest, more of them are its consequence. */
static void excuse_splats(struct judge *j, struct issue *k)
{
	bool ending = false;

	for (size_t i = 0; i < j->nsplats; i++) {
		struct splat *s = &j->splats[i];
		bool match = splat_matches(s, &k->signature);

		if (match)
			k->shown = true;
		ending |= match && k->ends;
		if (s->state != SPLAT_BAD || (!match && !ending))
			continue;
		s->state = SPLAT_KNOWN;
		s->known = k->conf;
	}
}

/* A covering issue whose rows ran, and which did not show. */
static bool is_fixed(const struct judge *j, const struct issue *k)
{
	bool ran = false;

	if (k->shown)
		return false;
	for (size_t i = 0; i < j->nrows; i++) {
		if (!matches_whole(&k->rows, j->rows[i].name))
			continue;
		if (j->rows[i].state == ROW_FAILED)
			return false;
		ran |= j->rows[i].state == ROW_OK;
	}
	return ran;
}

static void apply_issues(struct judge *j)
{
	for (size_t i = 0; i < j->nissues; i++) {
		excuse_rows(j, &j->issues[i]);
		excuse_splats(j, &j->issues[i]);
	}
}

/* Why the cell fails */

/* What a message says, without "file:line:test:". */
static const char *without_place(const char *text)
{
	const char *p = text;

	for (int i = 0; i < 3; i++) {
		p += strcspn(p, ": ");
		if (*p++ != ':')
			return text;
	}
	return p;
}

/*
 * What says most: the first expectation that failed and the words a test adds
 * to it, or else the first message.
 */
static char *row_why(const struct row *r)
{
	size_t i = 0;

	if (!r->messages.n)
		return print("no message");
	while (r->expected && i < r->messages.n && strcmp(r->messages.v[i], r->expected))
		i++;
	if (i == r->messages.n)
		return print("%.300s", r->expected);
	if (i + 1 == r->messages.n || without_place(r->messages.v[i + 1]) == r->messages.v[i + 1])
		return print("%.300s", r->messages.v[i]);
	return print("%.300s; %.300s", r->messages.v[i], without_place(r->messages.v[i + 1]));
}

/* Seen before, under the same name: one reason is enough. */
static bool is_repeat(const struct judge *j, const struct splat *s)
{
	for (const struct splat *p = j->splats; p < s; p++)
		if (p->state == s->state && !strcmp(p->signature, s->signature))
			return true;
	return false;
}

/* A panic is where it ended; the splat before it is where it began. */
static char *panic_text(const struct judge *j, const struct splat *s)
{
	const struct splat *first = j->splats;

	while (first->state != SPLAT_BAD)
		first++;
	if (is_panic(first))
		return print("%.300s", s->text);
	return print("%.300s, after %s", s->text, first->signature);
}

static char *splat_text(const struct splat *s)
{
	return print("%s%.300s", after(s->signature, "guest out of memory") ?
		     "guest out of memory: " : "", s->text);
}

static void fail_splats(struct judge *j, bool panics)
{
	for (size_t i = 0; i < j->nsplats; i++) {
		const struct splat *s = &j->splats[i];

		if (s->state == SPLAT_BAD && is_panic(s) == panics && !is_repeat(j, s))
			add(&j->fail, panics ? panic_text(j, s) : splat_text(s));
	}
}

static void find_failures(struct judge *j)
{
	fail_splats(j, true);
	fail_splats(j, false);
	for (size_t i = 0; i < j->nrows; i++) {
		struct row *r = &j->rows[i];

		if (r->state != ROW_FAILED)
			continue;
		r->why = row_why(r);
		if (!r->known)
			add(&j->fail, print("%s: %s", r->name, r->why));
	}
	if (j->umount && strcmp(j->umount, "0"))
		add(&j->fail, print("umount: %s", j->umount));
	if (j->fsck && strcmp(j->fsck, "0"))
		add(&j->fail, print("fsck exit %s", j->fsck));
}

/* Why the cell is lost */

/* The value of @key in the guest file. */
static const char *guest_get(const struct judge *j, const char *key)
{
	for (size_t i = 0; i < j->guest.lines.n; i++) {
		const char *value = after(j->guest.lines.v[i], key);

		if (value && (*value == ' ' || *value == '\t'))
			return value + strspn(value, " \t");
	}
	return NULL;
}

/* How a guest or a program can end too early: its word, and what it means. */
struct ending {
	const char	*word;
	const char	*before, *between, *after;
};

static const struct ending guest_endings[] = {
	{ "reset",	"guest reset itself", "", "" },
	{ "timeout ",	"guest stopped answering in phase ", ", after ", " s" },
	{ "flood ",	"guest flooded its console: ", "", " bytes" },
	{ "exit ",	"QEMU exited with status ", "", "" },
	{ "signal ",	"QEMU was killed by signal ", "", "" },
	{ "",		"guest did not power off: ", " ", "" },
	{ }
};

static const struct ending run_endings[] = {
	{ "timeout ",	"program passed its time limit of ", "", " s" },
	{ "signal ",	"program killed by signal ", "", "" },
	{ }
};

/* True when @text is one of @endings, and is now a reason. */
static bool add_ending(struct judge *j, const struct ending *endings, const char *text)
{
	for (const struct ending *e = endings; e->word; e++) {
		const char *rest = after(text, e->word);
		size_t len = rest ? strcspn(rest, " ") : 0;

		if (!rest)
			continue;
		add(&j->ended, print("%s%.*s%s%s%s", e->before, (int)len, rest,
				     rest[len] ? e->between : "", rest + len + !!rest[len],
				     e->after));
		return true;
	}
	return false;
}

static void check_end(struct judge *j)
{
	const char *end = guest_get(j, "end");

	if (j->guest.lines.n && !end)
		add(&j->lost, print("guest has no end"));
	else if (end && strcmp(end, "poweroff"))
		add_ending(j, guest_endings, end);
	else if (j->console.lines.n && !j->console_whole)
		add(&j->missing, print("console.log is cut: no word of the power-off"));
}

static size_t count_rows(const struct judge *j, enum row_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < j->nrows; i++)
		n += j->rows[i].state == state;
	return n;
}

static void check_run(struct judge *j)
{
	const char *status = count_rows(j, ROW_FAILED) ? "exit 1" : "exit 0";

	if (!j->run)
		add(&j->missing, print("init did not report how the program ended"));
	else if (!add_ending(j, run_endings, j->run) && strcmp(j->run, status))
		add(&j->lost, print("program's %s contradicts its rows", j->run));
}

static void check_down(struct judge *j)
{
	if (!j->done)
		add(&j->missing, print("guest did not finish: no init: done"));
	if (!j->umount)
		add(&j->missing, print("no umount result"));
	else if (!j->fsck && !strcmp(j->umount, "0"))
		add(&j->missing, print("no fsck result"));
}

/* A fault that never fired has broken nothing. */
static bool fault_unproven(const struct judge *j)
{
	const char *hits = j->fault ? strstr(j->fault, " hits ") : NULL;

	return conf_get(j->cell, "fault") && (!hits || atol(hits + strlen(" hits ")) <= 0);
}

static void check_fault(struct judge *j)
{
	if (!fault_unproven(j))
		return;
	if (!j->fault)
		add(&j->missing, print("no count of the fault's hits"));
	else
		add(&j->lost, print("fault never fired: %s", j->fault));
}

static void check_rows(struct judge *j)
{
	for (size_t i = 0; i < j->nrows; i++) {
		const struct row *r = &j->rows[i];

		if (r->planned && !r->begun)
			add(&j->missing, print("%s did not run", r->name));
		else if (r->state == ROW_LOST)
			add(&j->missing, print("%s has no result", r->name));
		if (!r->planned)
			add(&j->lost, print("%s was not planned", r->name));
		if (r->state == ROW_OK && !r->witness)
			add(&j->lost, print("%s passed without a witness", r->name));
	}
}

static void check_tap(struct judge *j)
{
	if (!j->header || !j->plan)
		add(&j->missing, print("no TAP plan"));
	else if (j->plan != j->results)
		add(&j->missing, print("%ld results, %ld planned", j->results, j->plan));
	add_all(&j->lost, &j->torn);
	check_rows(j);
}

static void find_losses(struct judge *j)
{
	bool rows_seen = j->header || j->plan || j->results || j->torn.n || j->run;

	if (j->init_lost)
		add(&j->lost, print("%s", j->init_lost));
	check_end(j);
	if (j->init_skip && !rows_seen) {
		if (!j->done)
			add(&j->missing, print("guest did not finish: no init: done"));
		return;
	}
	if (j->init_skip)
		add(&j->lost, print("init skipped a program that ran: %s", j->init_skip));
	if (j->init_lost || !j->ktap.lines.n)
		return;
	check_run(j);
	check_down(j);
	check_fault(j);
	check_tap(j);
	/* Else a splat below the autopsy could hide in a cell that passes. */
	if (j->console_autopsy && !j->ended.n && !count_rows(j, ROW_FAILED))
		add(&j->lost, print("autopsy in the console, but no row failed"));
}

/* Verdict */

static char *first_of(const struct list *l)
{
	if (l->n == 1)
		return print("%.1000s", l->v[0]);
	return print("%.1000s (+%zu more)", l->v[0], l->n - 1);
}

static char *issue_text(const struct conf *c)
{
	return print("%s: %s", c->name, c->comment);
}

/* An issue that ends the guest excuses what is missing, not what is wrong. */
static bool end_is_known(const struct judge *j)
{
	for (size_t i = 0; i < j->nissues; i++)
		if (j->issues[i].ends && j->issues[i].shown)
			return true;
	return false;
}

/* Most telling first: an early end explains what is missing. */
static void all_losses(struct judge *j)
{
	bool known = end_is_known(j);

	if (!known)
		add_all(&j->losses, &j->ended);
	add_all(&j->losses, &j->lost);
	if (!known)
		add_all(&j->losses, &j->missing);
}

static void known_or_fixed(struct judge *j)
{
	for (size_t i = 0; i < j->nissues; i++) {
		if (j->issues[i].shown)
			add(&j->known, issue_text(j->issues[i].conf));
		else if (is_fixed(j, &j->issues[i]))
			add(&j->fixed, issue_text(j->issues[i].conf));
	}
}

static const char *first_skip(const struct judge *j)
{
	if (j->init_skip)
		return j->init_skip;
	if (count_rows(j, ROW_SKIP) != j->nrows)
		return NULL;
	return j->nrows && *j->rows[0].skip ? j->rows[0].skip : "no reason given";
}

static char *pass_text(const struct judge *j)
{
	size_t skipped = count_rows(j, ROW_SKIP);

	return skipped ? print("%zu rows, %zu of them skipped", j->nrows, skipped) :
			 print("%zu rows", j->nrows);
}

/*
 * In this order: what is wrong, what is missing, what is excused.  A cell that
 * did not get far enough cannot have printed the line it requires, so that
 * counts only when nothing else is missing.
 */
static enum verdict decide(struct judge *j)
{
	const char *skip = first_skip(j), *rule = missing_rule(j);

	all_losses(j);
	known_or_fixed(j);
	if (!j->fail.n && !j->losses.n && !skip && rule)
		add(&j->fail, print("required log line never seen: %s", rule));
	j->reasons = &j->fail;
	if (j->fail.n)
		return FAIL;
	j->reasons = &j->losses;
	if (j->losses.n)
		return LOST;
	j->reasons = &j->known;
	if (j->known.n)
		return KNOWN;
	j->reasons = &j->fixed;
	if (j->fixed.n)
		return FIXED;
	j->reasons = &j->other;
	add(&j->other, skip ? print("%s", skip) : pass_text(j));
	return skip ? SKIP : PASS;
}

/* Does the expression of a control fit a reason, or a splat's signature? */
static bool any_matches(const struct judge *j, const char *text)
{
	bool match = false;
	regex_t re;

	set_re(&re, text);
	for (size_t i = 0; i < j->reasons->n; i++)
		match |= matches(&re, j->reasons->v[i]);
	for (size_t i = 0; i < j->nsplats; i++)
		match |= j->splats[i].state == SPLAT_BAD && matches(&re, j->splats[i].signature);
	regfree(&re);
	return match;
}

/* A control trips with the verdict and the reason that it states. */
static bool trips(const struct judge *j, enum verdict raw, const char *want)
{
	size_t len = strcspn(want, " \t");
	const char *re = want + len + strspn(want + len, " \t");

	/* A fault that never fired was not detected; a guest that died cannot say. */
	if (missing_rule(j) || (j->done && fault_unproven(j)))
		return false;
	return strlen(verdicts[raw].word) == len && !memcmp(want, verdicts[raw].word, len) &&
	       (!*re || any_matches(j, re));
}

/* It passes when it trips, and whatever else happens is a failure of ours. */
static enum verdict judge_control(struct judge *j, enum verdict raw)
{
	const char *want = conf_get(j->cell, "verdict"), *rule = missing_rule(j);
	bool tripped = trips(j, raw, want);
	char *reason = first_of(j->reasons), *text;

	if (tripped)
		text = print("tripped: %s: %s", verdicts[raw].word, reason);
	else
		text = print("control did not trip: expected %s, got %s: %s%s%s", want,
			     verdicts[raw].word, reason,
			     rule ? "; required log line never seen: " : "", rule ? rule : "");
	free(reason);
	for (size_t i = 0; i < j->other.n; i++)
		free(j->other.v[i]);
	j->other.n = 0;
	add(&j->other, text);
	j->reasons = &j->other;
	return tripped ? PASS : FAIL;
}

/* What machines read */

static void print_row(const struct row *r)
{
	if (r->known)
		printf("row known %s: %s\n", r->name, r->known->name);
	else if (r->state == ROW_FAILED)
		printf("row failed %s: %s\n", r->name, r->why);
	else if (r->state == ROW_SKIP)
		printf("row skip %s: %s\n", r->name, r->skip);
	else
		printf("row %s %s\n", row_words[r->state], r->name);
}

static void print_verdict(const struct judge *j, enum verdict v)
{
	char *reason = first_of(j->reasons);
	size_t known = 0;

	for (size_t i = 0; i < j->nrows; i++) {
		known += !!j->rows[i].known;
		plain(j->rows[i].name);
	}
	printf("verdict %s\nreason %s\n", verdicts[v].word, reason);
	printf("rows %zu\nok %zu\nfailed %zu\nskipped %zu\nknown %zu\n", j->nrows,
	       count_rows(j, ROW_OK), count_rows(j, ROW_FAILED) - known, count_rows(j, ROW_SKIP),
	       known);
	if (j->cell && conf_get(j->cell, "verdict"))
		puts("control yes");
	for (size_t i = 0; i < j->nrows; i++)
		print_row(&j->rows[i]);
	for (size_t i = 0; i < j->nsplats; i++)
		if (!is_repeat(j, &j->splats[i]))
			printf("%s %s\n", splat_words[j->splats[i].state], j->splats[i].signature);
	free(reason);
}

/* What people read */

static void show_lines(const struct log *log, size_t from, size_t to)
{
	for (size_t i = from; i < to && i < log->lines.n; i++) {
		char *line = print("%s", log->lines.v[i]);

		fprintf(stderr, "    %s\n", line);
		free(line);
	}
}

static void show_splats(const struct judge *j)
{
	size_t from = 0, to;

	for (size_t i = 0; i < j->nsplats; i++) {
		const struct splat *s = &j->splats[i];

		if (s->state == SPLAT_ALLOWED || s->line < from)
			continue;
		for (to = s->line; to < s->line + TRACE_LINES && to < j->console.lines.n; to++)
			if (trace_ends(j->console.lines.v[to]))
				break;
		fprintf(stderr, "%s %s\n", splat_words[s->state], s->signature);
		show_lines(&j->console, s->line, to + 1);
		from = to + 1;
	}
}

static void show_rows(const struct judge *j)
{
	for (size_t i = 0; i < j->nrows; i++) {
		const struct row *r = &j->rows[i];

		if (r->state != ROW_FAILED)
			continue;
		fprintf(stderr, "%s %s\n", r->known ? "known" : "failed", r->name);
		for (size_t m = 0; m < r->messages.n; m++)
			fprintf(stderr, "    %s\n", r->messages.v[m]);
	}
}

static void show_person(const struct judge *j, enum verdict v)
{
	const struct log *c = &j->console;
	size_t tail = c->lines.n > TAIL_LINES ? c->lines.n - TAIL_LINES : 0;

	for (size_t i = 0; i < j->reasons->n; i++)
		fprintf(stderr, "%s: %s\n", verdicts[v].word, j->reasons->v[i]);
	show_rows(j);
	show_splats(j);
	for (size_t i = 0; i < j->autopsy.n; i++)
		fprintf(stderr, "%s\n", j->autopsy.v[i]);
	if ((v == FAIL || v == LOST) && c->lines.n) {
		fprintf(stderr, "the console's last lines:\n");
		show_lines(c, tail, c->lines.n);
	}
}

/* A cell that is not there is lost evidence; one that is malformed is our error. */
static bool have_cell(const char *path)
{
	struct stat st;

	return !access(path, R_OK) && !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size;
}

static enum verdict judge(struct judge *j, const char *dir)
{
	enum verdict v;

	read_rules(j);
	read_plan(j);
	read_log(j, &j->ktap, dir, "ktap.log");
	read_log(j, &j->console, dir, "console.log");
	read_log(j, &j->guest, dir, "guest");
	scan_ktap(j);
	scan_console(j);
	apply_rules(j);
	apply_issues(j);
	find_failures(j);
	find_losses(j);
	v = decide(j);
	return conf_get(j->cell, "verdict") ? judge_control(j, v) : v;
}

static int bad_usage(void)
{
	fputs("usage: judge [-K KNOWN_DIR] DIR\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *known = NULL;
	/* All memory is reached from here, and lives as long as we do. */
	static struct judge j;
	enum verdict v = LOST;
	bool there;
	char *path;
	int opt;

	while ((opt = getopt(argc, argv, "K:")) == 'K')
		known = optarg;
	if (opt != -1 || optind != argc - 1)
		return bad_usage();
	path = path_of(argv[optind], "cell");
	there = have_cell(path);
	if (there)
		j.cell = conf_read(path, CONF_CELL);
	free(path);
	if (there && (!j.cell || (known && !read_issues(&j, known))))
		return 2;
	if (there) {
		v = judge(&j, argv[optind]);
	} else {
		add(&j.lost, print("cell is missing or empty"));
		j.reasons = &j.lost;
	}
	print_verdict(&j, v);
	show_person(&j, v);
	/* A verdict that was not written, to a full disk, is none. */
	if (fflush(stdout) || ferror(stdout)) {
		perror("judge: standard output");
		return 2;
	}
	return verdicts[v].status;
}
