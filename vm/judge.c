// SPDX-License-Identifier: GPL-2.0-only
/*
 * judge [-K KNOWN_DIR] DIR: one cell's evidence in, one verdict out.
 * judge -b DIR: did the kernel of DIR/console.log complain while it booted?  0 or 1.
 *
 * Reads DIR/cell (what was planned), DIR/ktap.log (what the guest reported),
 * DIR/console.log (what its kernel said) and DIR/guest (how it ended).  The
 * verdict goes to standard output as "key value" lines, and what a person
 * wants to see of it to standard error.  Exit status: see verdicts[].
 *
 * DIR/warm, if it is there, is the evidence of a restored guest, whose verdict
 * the guest of DIR, which booted, was to confirm; DIR/first that of a guest that booted,
 * too.  If it does not, the cell is lost, unless it fails in the latter; "differs" lines
 * name the rows, and "bad" says how many of the two did not end as expected.
 *
 * Pass is what is left when everything else has been ruled out: what cannot
 * be read, does not fit together or is not there makes the cell lost.
 *
 * Memory lives as long as the process: one cell's evidence, read once.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "title.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define UNKILLABLE	"tasks survive SIGKILL"	/* vm/init.c: then it takes nothing down */
#define GROUPS		8
#define TRACE_LINES	40
#define TAIL_LINES	20
/* A function's name; what a compiler appends (".isra.0") is no part of it. */
#define FUNC		"[A-Za-z_][A-Za-z0-9_]*"

/*
 * What can be said of a cell, and the verdict that it means: the first of these
 * that was said decides.  Within a verdict the most telling comes first: an
 * early end explains what is missing.
 */
enum note { PANICKED, BROKEN, ENDED, WRONG, MISSING, KNOWN, FIXED, SKIPPED, COMPLETE };

static const struct {
	const char	*word;
	int		 status;
} verdicts[] = {
	[PANICKED]	= { "fail", 1 },
	[BROKEN]	= { "fail", 1 },
	[ENDED]		= { "lost", 5 },	/* guest or program did not live to its end */
	[WRONG]		= { "lost", 5 },	/* the evidence contradicts itself or is no good */
	[MISSING]	= { "lost", 5 },	/* there is less evidence than there should be */
	[KNOWN]		= { "known", 6 },
	[FIXED]		= { "fixed", 7 },
	[SKIPPED]	= { "skip", 4 },
	[COMPLETE]	= { "pass", 0 },
};

/* An expression, compiled when it is first needed. */
struct pattern {
	const char	*re;
	const char	*say;		/* what a match means; $1 is its first group, NULL: $0 */
	bool		 function;	/* and the function in the register dump below */
	bool		 fine;		/* somebody asked for it, and for the traces after it */
	bool		 last;		/* it counts if nothing that is above accounts for it */
	bool		 ready;
	regex_t		 compiled;
};

/*
 * What the kernel says when something is wrong with it.  The first that matches
 * gives the splat its signature: what stays the same when a line number or an
 * address changes.
 */
static struct pattern splat_kinds[] = {
	{ .re = "Kernel panic - not syncing(: [A-Za-z ,_-]*)?" },

	{ .re = "WARNING: (possible|suspicious|inconsistent|bad|held|lock|Nested) [A-Za-z -]+" },
	/*
	 * "WARNING: CPU: 0 PID: 1 at FILE:LINE FUNCTION+0x1/0x2", and since 7.0
	 * "WARNING: [CONDITION] FILE:LINE at FUNCTION+0x1/0x2, CPU#0: comm/1".
	 */
	{ .re = "WARNING: CPU: [0-9]+ PID: [0-9]+ at ([^ :]+):[0-9]+( (" FUNC "))?",
	  .say = "WARNING $1 $3" },
	{ .re = "WARNING: (\\[.*\\] )?([^ :]+):[0-9]+( at (" FUNC "))?", .say = "WARNING $2 $4" },
	{ .re = "WARNING: (CPU: [0-9]+ PID: [0-9]+ )?at (" FUNC ")", .say = "WARNING $2" },
	{ .re = "WARNING: CPU: ", .say = "WARNING" },

	{ .re = "kernel BUG at ([^ :!]+)", .function = true },
	{ .re = "BUG: (K[A-Z]+: [a-z -]+) in (" FUNC ")", .say = "BUG: $1 $2" },
	{ .re = "BUG: (Bad page [a-z]+|Bad rss-counter|soft lockup)" },
	{ .re = "(^|: )bad (pgd|p4d|pud|pmd) ", .say = "bad $2" },
	{ .re = "BUG: sleeping function.* at ([^ :]+)", .say = "BUG: sleeping function $1" },
	{ .re = "BUG: (kernel NULL pointer dereference|unable to handle [a-z ]*[a-z])",
	  .function = true },
	{ .re = "(^|[^A-Z])(BUG: [A-Za-z][A-Za-z _/-]*)", .say = "$2" },
	{ .re = "Unable to handle kernel [A-Za-z ]* address", .function = true },
	{ .re = "general protection fault", .function = true },
	{ .re = "Oops: [a-z][a-z ]*", .function = true },
	{ .re = "Oops", .say = "Oops:", .function = true },
	/* What die() prints of any other trap before 6.10. */
	{ .re = "([a-z][a-z -]+): [0-9a-f]{4} \\[#[0-9]+\\]", .say = "Oops: $1", .function = true },

	{ .re = "INFO: task .* blocked.* for more than", .say = "INFO: task blocked" },
	{ .re = "rcu: INFO:|INFO: rcu.*(stall|detected)", .say = "RCU stall" },

	{ .re = "UBSAN: ([a-z-]+) in ([^ :]+)", .say = "UBSAN: $1 $2" },
	{ .re = "kmemleak:.*new suspected", .say = "kmemleak" },

	{ .re = "EXT4-fs (error|warning)( \\(device [^)]*\\): (" FUNC "))?",
	  .say = "EXT4-fs $1 $3" },
	{ .re = "EXT4-fs.*(Delayed block allocation failed|potential data loss|not cleared)",
	  .say = "EXT4-fs $1" },
	{ .re = "EXT4-fs.*(tracked as orphan|sb orphan head|uh-oh|[Cc]orrupt|checksum)",
	  .say = "EXT4-fs $1" },
	/* By a program, or by a device that goes. */
	{ .re = "XFS.* detected at xfs_fs_(goingdown|shutdown)", .fine = true },
	{ .re = "XFS.*(Assertion failed).* file: ([^ ,]+)", .say = "XFS $1 $2" },
	{ .re = "XFS .*(Internal error).* of file ([^ ]+\\.[ch])", .say = "XFS $1 $2" },
	{ .re = "XFS.*(Corruption|Internal error|metadata I/O error|Assertion failed|page discard)",
	  .say = "XFS $1" },
	{ .re = "XFS.*([Cc]orrupt|CRC error|I/O [Ee]rror|log error|metadata errors)",
	  .say = "XFS $1" },
	{ .re = "XFS.*(not in the AIL|[Bb]ad inode|ran out|delalloc extent|icount mismatch)",
	  .say = "XFS $1" },
	{ .re = "XFS.*(Shutting down filesystem)", .say = "XFS $1" },
	{ .re = "JBD2: .*([Ee]rror|[Ff]ail(ed|ure)|[Cc]orrupt|bad block|no valid|leaked)",
	  .say = "JBD2 $1" },
	/* One that is ignored is of a commit that power was cut from. */
	{ .re = "JBD2: (Invalid checksum) (found|recovering)", .say = "JBD2 $1" },
	{ .re = "JBD2: .*(too many credits)", .say = "JBD2 $1" },
	{ .re = "writeback error on inode|lost a?sync page write" },
	{ .re = "Direct I/O collision with buffered writes" },
	{ .re = "Memory failure:( 0x[0-9a-f]+:)?( [a-z ]*)", .say = "Memory failure:$2" },

	{ .re = "possible (circular locking dependency|recursive locking)" },
	{ .re = "inconsistent lock state|suspicious RCU usage|DEBUG_LOCKS_WARN_ON|hard LOCKUP" },
	{ .re = "(UBSAN|KCSAN):|refcount_t:( [a-z ]+[a-z])?|list_(add|del) corruption" },
	{ .re = "does not have buffers attached|Page cache invalidation failure on direct I/O" },
	{ .re = "Out of memory: Killed|invoked oom-killer", .say = "guest out of memory" },

	/* Of objects of its caches SLUB says "BUG dax_cache (Not tainted): Redzone overwritten". */
	{ .re = "BUG [^ :]+ \\([^)]*\\): ([A-Z][a-z A-Z-]*)", .say = "BUG: slab $1" },
	{ .re = "cannot create duplicate filename" },
	/* Who shows a trace has said why, in words that are not known here. */
	{ .re = "sysrq: Show", .fine = true },
	{ .re = "Call Trace:", .last = true },
};

/* How a program can end that does not exit, and a guest that does not power off. */
static struct pattern endings[] = {
	{ .re = "^run timeout (.*)", .say = "program passed its time limit of $1 s" },
	{ .re = "^run signal (.*)", .say = "program killed by signal $1" },
	{ .re = "^end reset", .say = "guest reset itself" },
	{ .re = "^end timeout ([^ ]+) (.*)",
	  .say = "guest stopped answering in phase $1, after $2 s" },
	{ .re = "^end flood (.*)", .say = "guest flooded its console" },
	{ .re = "^end exit (.*)", .say = "QEMU exited with status $1" },
	{ .re = "^end signal (.*)", .say = "QEMU was killed by signal $1" },
	{ .re = "^end (.*)", .say = "guest did not power off: $1" },
};

struct list {
	char	**v;
	size_t	  n;
};

/* A log: its lines, as plain text. */
struct log {
	struct list	lines;
	bool		cut;		/* the last line has no end */
	bool		nul;		/* there were NUL bytes */
};

enum row_state { ROW_LOST, ROW_OK, ROW_FAILED, ROW_SKIP };

struct row {
	char			*name;
	size_t			 turn;		/* it was the so many-th to run, 0: it never did */
	char			*why;		/* it failed or was skipped */
	struct list		 messages;
	struct list		 kept;		/* its files that stay for a remount */
	const struct conf	*known;
	enum row_state		 state;
	bool			 failed;	/* an expectation of it, whatever its result */
	bool			 planned, witness, skipping;
};

enum splat_state { SPLAT_BAD, SPLAT_ALLOWED, SPLAT_KNOWN };

static const char * const splat_words[] = { "splat", "splat-allowed", "splat-known" };

struct splat {
	const struct row	*row;		/* that ran, NULL: the log does not say */
	size_t			 line;
	const char		*text;
	char			*signature;
	enum splat_state	 state;
};

/* What the scenario says of the log. */
struct rule {
	struct pattern	re;
	bool		require, seen;
};

/* A known issue that covers this cell. */
struct issue {
	const struct conf	*conf;
	struct pattern		 rows, signature;
};

struct pair;

struct judge {
	struct conf	*cell;
	struct log	 ktap, console, guest;
	struct list	 init;		/* what init reported */
	/* No log has more rows or splats than lines, so none of these grows. */
	struct row	*rows;
	struct splat	*splats;
	struct rule	*rules;
	struct issue	*issues;
	size_t		 nrows, nsplats, nrules, nissues;
	size_t		 turns;		/* rows that have begun */
	struct row	*now;		/* the row that runs */
	long		 plan, results;
	bool		 header, done;
	bool		 autopsy;	/* in the console */
	struct {			/* the last line that accounts for a trace */
		const struct row	*row;
		size_t			 line;
		bool			 seen;
	} said;
	bool		 end_known;	/* a known issue ended the guest */
	struct list	 notes[ARRAY_SIZE(verdicts)];
	enum note	 verdict;
	struct list	 reasons;
	const struct judge *warm;	/* what the first guest of two says, or NULL */
	const struct pair *names;	/* of the two */
	size_t		 bad;		/* of these two: did not end as expected */
};

static void *need(void *p)
{
	if (p)
		return p;
	perror("judge");
	exit(2);
}

static char *format(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		need(NULL);
	va_end(args);
	return s;
}

static void add(struct list *l, char *s)
{
	l->v = need(reallocarray(l->v, l->n + 1, sizeof(*l->v)));
	l->v[l->n++] = s;
}

#define note(j, kind, ...) add(&(j)->notes[kind], format(__VA_ARGS__))

static const char *after(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(s, prefix, len) ? NULL : s + len;
}

/* What follows the first word of @s. */
static const char *rest_of(const char *s)
{
	s += strcspn(s, " \t");
	return s + strspn(s, " \t");
}

/* The value of @key, in the first of @l that is "KEY VALUE"; NULL when none is. */
static const char *get(const struct list *l, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < l->n; i++)
		if (!strncmp(l->v[i], key, len) && l->v[i][len] == ' ')
			return rest_of(l->v[i]);
	return NULL;
}

/* Expressions */

/* With @group: what was matched, NULL for a group that did not take part. */
static bool match(struct pattern *p, const char *text, char **group)
{
	regmatch_t m[GROUPS];

	/* Those of data files compile: conf_read() has tried. */
	if (!p->ready && regcomp(&p->compiled, p->re, REG_EXTENDED)) {
		fprintf(stderr, "judge: cannot compile '%s'\n", p->re);
		exit(2);
	}
	p->ready = true;
	if (regexec(&p->compiled, text, group ? GROUPS : 0, m, 0))
		return false;
	for (size_t i = 0; group && i < GROUPS; i++)
		group[i] = m[i].rm_so < 0 ? NULL : need(strndup(text + m[i].rm_so,
								m[i].rm_eo - m[i].rm_so));
	return true;
}

/* @say with its groups filled in. */
static char *expand(const char *say, char **group)
{
	char *text;
	size_t len;
	FILE *f = need(open_memstream(&text, &len));

	for (; *say; say++) {
		if (*say == '$')
			fputs(group[*++say - '0'] ?: "", f);
		else
			fputc(*say, f);
	}
	fclose(f);
	return text;
}

/* The first of @n patterns that matches, and what it says; NULL when none does. */
static struct pattern *find(struct pattern *p, size_t n, const char *text, char **say)
{
	char *group[GROUPS];

	for (size_t i = 0; i < n; i++) {
		if (!match(&p[i], text, group))
			continue;
		*say = expand(p[i].say ?: "$0", group);
		return &p[i];
	}
	return NULL;
}

/* Reading */

/*
 * A serial port drops in NUL bytes: without them a line reads as it was sent.
 * Text from a guest may hold anything else; from here on it is one plain line.
 */
static bool clean(char *line, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (line[i])
			line[n++] = line[i];
	line[n] = '\0';
	for (char *end = line + strlen(line); end > line && strchr("\r\n", end[-1]); end--)
		end[-1] = '\0';
	for (char *p = line; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = *p == '\t' ? ' ' : '?';
	return n == len;
}

static void read_log(struct judge *j, const char *dir, const char *name, struct log *log)
{
	FILE *f = fopen(format("%s/%s", dir, name), "re");
	size_t size = 0;
	ssize_t len;

	for (char *line = NULL; f && (len = getline(&line, &size, f)) > 0; line = NULL, size = 0) {
		log->cut = line[len - 1] != '\n';
		log->nul |= !clean(line, len);
		add(&log->lines, line);
	}
	if (!log->lines.n || ferror(f))
		note(j, WRONG, "%s is %s", name, f ? "empty or unreadable" : "missing");
	if (f)
		fclose(f);
}

static struct row *get_row(struct judge *j, const char *name)
{
	for (size_t i = 0; i < j->nrows; i++)
		if (!strcmp(j->rows[i].name, name))
			return &j->rows[i];
	j->rows[j->nrows].name = format("%s", name);
	return &j->rows[j->nrows++];
}

/* What was planned: the rows, and what the scenario says of the log. */
static void read_plan(struct judge *j)
{
	const struct conf_line *l = NULL;

	while ((l = conf_next(j->cell, "row", l)))
		get_row(j, l->value)->planned = true;
	while ((l = conf_next(j->cell, "log", l)))
		if (*rest_of(l->value))
			j->rules[j->nrules++] = (struct rule){ .re.re = rest_of(l->value),
							       .require = *l->value == 'r' };
}

/* Every word of @needs is in @has. */
static bool has_all(const char *has, const char *needs)
{
	char *copy = need(strdup(needs ?: "")), *save, *word = strtok_r(copy, " \t", &save);

	while (word && conf_has_word(has, word))
		word = strtok_r(NULL, " \t", &save);
	free(copy);
	return !word;
}

/* A known issue counts only where it says it holds, and never for a control. */
static void read_issues(struct judge *j, const struct conf_set *known)
{
	const char *version = conf_get(j->cell, "version") ?: conf_get(j->cell, "release");

	j->issues = need(calloc(known->n + 1, sizeof(*j->issues)));
	for (size_t i = 0; i < known->n && !conf_get(j->cell, "verdict"); i++) {
		const struct conf *c = known->v[i];
		const char *fs = conf_get(c, "fs") ?: conf_get(j->cell, "fs");

		if (conf_has_word(conf_get(c, "scenario"), conf_get(j->cell, "scenario")) &&
		    conf_has_word(fs, conf_get(j->cell, "fs")) &&
		    has_all(conf_get(j->cell, "options"), conf_get(c, "needs")) &&
		    conf_release_in(version, conf_get(c, "kernel")))
			j->issues[j->nissues++] = (struct issue){ c,
				.rows.re = format("^(%s)$", conf_get(c, "rows")),
				.signature.re = conf_get(c, "signature") };
	}
}

/* KTAP: what the harness prints, then what init prints */

static void tear(struct judge *j, const char *what, const char *line)
{
	note(j, WRONG, "torn TAP: %s: '%.120s'", what, line);
}

static void init_line(struct judge *j, char **group)
{
	add(&j->init, group[1]);
	j->done = !strcmp(group[1], "done");
}

/* "TAP version 13" and then the plan come first, and once. */
static void header_line(struct judge *j, char **group)
{
	if (j->header)
		tear(j, "second header", group[0]);
	j->header = true;
}

static void plan_line(struct judge *j, char **group)
{
	if (!j->header || j->plan)
		tear(j, "not the plan", group[0]);
	j->plan = atol(group[1]);
}

static void run_line(struct judge *j, char **group)
{
	struct row *r = get_row(j, group[1]);

	if (j->now || r->state != ROW_LOST)
		tear(j, "no row can begin", group[0]);
	r->turn = ++j->turns;
	j->now = r;
}

/* "key=value" after "witness: " is what a row shows for its premise. */
static struct pattern witness = { .re = "witness: [a-z0-9_]+=[[:graph:]]" };
/* The file of the row stays, by that name. */
static struct pattern kept = { .re = "event: kept=([[:graph:]]+)$" };
static struct pattern harness_says = { .re = "^  +(OK|FAIL|SKIP)  " };
/* "file:line:test:Expected 0 (0) == err (-5)", or "... 'a' == 'b'." */
static struct pattern placed = { .re = "^([^ :]+:[0-9]+):[^ :]+:(.+)$" };
static struct pattern expectation = { .re = "^Expected .*(\\)|'\\.)$" };

static bool is_expectation(const char *text, char **group)
{
	return match(&placed, text, group) && match(&expectation, group[2], NULL);
}

/*
 * A message of the row that runs.  With the harness of 6.1 a row goes on after
 * SKIP in its setup; what it meets then is no failure.
 */
static void message_line(struct judge *j, char **group)
{
	char *text = group[1], *said[GROUPS];
	struct row *r = j->now;

	if (!r || !*text)
		return;
	if (match(&harness_says, text, said)) {
		r->skipping |= *said[1] == 'S';
		r->failed |= *said[1] == 'F';
		return;
	}
	text += strspn(text, " ");
	if (match(&kept, text, said))
		add(&r->kept, said[1]);
	if (match(&witness, text, NULL))
		r->witness = true;
	else if (!strstr(text, "event: "))
		add(&r->messages, text);
	r->failed |= !r->skipping && is_expectation(text, said);
}

/* The harness of 6.1 does not name a row that it skipped. */
static void result_line(struct judge *j, char **group)
{
	struct row *r = group[4] ? get_row(j, group[4]) : j->now;
	const char *skip = group[6] ? after(group[6], "SKIP") : NULL;
	bool ok = !group[1];

	if (atol(group[2]) != ++j->results || !j->plan)
		tear(j, "number out of order, or before the plan", group[0]);
	if (!r || (ok && group[6] && !skip)) {
		tear(j, "not a result", group[0]);
	} else if (!ok || r->state == ROW_FAILED) {
		r->state = ROW_FAILED;
	} else if (r->state != ROW_LOST) {
		tear(j, "second result", group[0]);
		r->state = ROW_LOST;
	} else if (r != j->now) {
		tear(j, "result of a row that does not run", group[0]);
	} else {
		r->state = skip ? ROW_SKIP : ROW_OK;
		r->why = skip ? format("%s", skip + strspn(skip, " ")) : NULL;
	}
	j->now = NULL;
}

static struct {
	struct pattern	p;
	void		(*take)(struct judge *j, char **group);
} ktap_lines[] = {
	{ { .re = "^# init: (.*)$" },			init_line },
	{ { .re = "^#  RUN +([^ ].*) \\.\\.\\.$" },	run_line },
	{ { .re = "^#(.*)$" },				message_line },
	{ { .re = "^TAP version 13$" },			header_line },
	{ { .re = "^1\\.\\.([1-9][0-9]{0,8})$" },	plan_line },
	{ { .re = "^(not )?ok ([1-9][0-9]{0,8})( ([^ #]+))?( # *(.*))?$" }, result_line },
};

static void ktap_line(struct judge *j, const char *line)
{
	char *group[GROUPS];

	if (j->done)
		tear(j, "line after the last one", line);
	for (size_t i = 0; i < ARRAY_SIZE(ktap_lines); i++)
		if (match(&ktap_lines[i].p, line, group)) {
			ktap_lines[i].take(j, group);
			return;
		}
	if (*line)
		tear(j, "not a TAP line", line);
}

static void scan_ktap(struct judge *j)
{
	size_t n = j->ktap.lines.n;

	/* Half a line says nothing: its other half may have been "not". */
	if (j->ktap.cut)
		note(j, MISSING, "torn TAP: half a line: '%.120s'", j->ktap.lines.v[--n]);
	if (j->ktap.nul)
		note(j, WRONG, "ktap.log has NUL bytes");
	for (size_t i = 0; i < n; i++)
		ktap_line(j, j->ktap.lines.v[i]);
	/*
	 * The harness lets SKIP overrule an expectation that failed before,
	 * and 6.1's does not hear of one that failed in a child.
	 */
	for (size_t i = 0; i < j->nrows; i++)
		if (j->rows[i].failed && j->rows[i].state != ROW_LOST)
			j->rows[i].state = ROW_FAILED;
}

/* The console */

static bool trace_ends(const struct judge *j, size_t from, size_t i)
{
	return i >= j->console.lines.n || i >= from + TRACE_LINES ||
	       strstr(j->console.lines.v[i], "---[ end trace");
}

/* The function in the register dump below line @from, with a blank before it. */
static char *function_below(const struct judge *j, size_t from)
{
	static struct pattern rip = { .re = "(RIP: 0010:|pc : )(" FUNC ")", .say = " $2" };
	char *say = "";

	for (size_t i = from; !trace_ends(j, from, i); i++)
		if (find(&rip, 1, j->console.lines.v[i], &say))
			break;
	return say;
}

/*
 * The next row after @row that can have said in the log that test @name runs.  One that was
 * skipped before it had anything to show has said nothing.
 */
static const struct row *next_row(const struct judge *j, const struct row *row, const char *name)
{
	const struct row *next = NULL;

	for (const struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		const char *test = strrchr(r->name, '.');

		if (!r->turn || (r->state == ROW_SKIP && !r->witness) || !test ||
		    strcmp(test + 1, name))
			continue;
		if (r->turn > (row ? row->turn : 0) && (!next || r->turn < next->turn))
			next = r;
	}
	return next ?: row;
}

/* The trace at @line is of what the log has said in @row, or shortly before. */
static bool accounted_for(const struct judge *j, const struct row *row, size_t line)
{
	return j->said.seen && (row == j->said.row || line < j->said.line + TRACE_LINES);
}

static struct splat *find_splat(struct judge *j, const struct row *row, size_t line,
				const char *text)
{
	struct splat *s = &j->splats[j->nsplats];
	struct pattern *kind = find(splat_kinds, ARRAY_SIZE(splat_kinds), text, &s->signature);
	size_t len;

	if (!kind || (kind->last && accounted_for(j, row, line)))
		return NULL;
	j->said.row = row;
	j->said.line = line;
	j->said.seen = true;
	if (kind->fine)
		return NULL;
	s->row = row;
	s->line = line;
	s->text = text;
	if (kind->function)
		s->signature = format("%s%s", s->signature, function_below(j, line));
	len = strlen(s->signature);
	while (len && strchr(" :,-", s->signature[len - 1]))
		s->signature[--len] = '\0';
	return &j->splats[j->nsplats++];
}

/* All of them in one, so that an innocent line is looked at once. */
static char *any_splat(void)
{
	char *re = format("%s", splat_kinds[0].re);

	for (size_t i = 1; i < ARRAY_SIZE(splat_kinds); i++)
		re = format("%s|%s", re, splat_kinds[i].re);
	return re;
}

static bool splat_matches(const struct splat *s, struct pattern *p)
{
	return match(p, s->text, NULL) || match(p, s->signature, NULL);
}

static bool is_panic(const struct splat *s)
{
	return after(s->signature, "Kernel panic");
}

/* No scenario can permit a panic: with the guest goes what else it could show. */
static void apply_rule(struct rule *r, const char *text, struct splat *s)
{
	bool hit = s ? splat_matches(s, &r->re) : match(&r->re, text, NULL);

	r->seen |= hit;
	if (hit && s && !is_panic(s))
		s->state = SPLAT_ALLOWED;
}

/* Everything that the kernel said until our own autopsy made it talk. */
static void scan_console(struct judge *j)
{
	struct pattern stamp = { .re = "^(\\[[ TC0-9.]+\\])+ ?" }, any = { .re = any_splat() };
	const struct row *row = NULL;
	char *group[GROUPS];

	for (size_t i = 0; i < j->console.lines.n; i++) {
		const char *text = j->console.lines.v[i];
		struct splat *s = NULL;

		if (match(&stamp, text, group))
			text += strlen(group[0]);
		j->autopsy = strstr(text, "daxpin: autopsy");
		if (j->autopsy)
			return;
		if (strstr(text, "printk messages dropped"))
			note(j, MISSING, "the kernel log has a gap: %s", text);
		if (after(text, "daxpin: row "))
			row = next_row(j, row, after(text, "daxpin: row "));
		if (match(&any, text, NULL))
			s = find_splat(j, row, i, text);
		for (size_t r = 0; r < j->nrules; r++)
			apply_rule(&j->rules[r], text, s);
	}
}

static const char *missing_rule(const struct judge *j)
{
	for (size_t r = 0; r < j->nrules; r++)
		if (j->rules[r].require && !j->rules[r].seen)
			return j->rules[r].re.re;
	return NULL;
}

/* Known issues */

/* The expectation at @i, or what the test says of it in the next message. */
static bool expectation_shows(const struct row *r, size_t i, struct issue *k)
{
	const char *next = i + 1 < r->messages.n ? r->messages.v[i + 1] : NULL;
	char *said[GROUPS];

	return match(&k->signature, r->messages.v[i], NULL) ||
	       (next && !is_expectation(next, said) && match(&k->signature, next, NULL));
}

/* Printed while the row ran, or at a time when nobody said what ran. */
static bool row_splats(const struct judge *j, const struct row *r, struct issue *k)
{
	for (const struct splat *s = j->splats; s < j->splats + j->nsplats; s++)
		if ((!s->row || s->row == r) && splat_matches(s, &k->signature))
			return true;
	return false;
}

/*
 * A known issue excuses itself alone: every expectation that was not met must fit.  A row
 * that died has none, and then a message or a splat of the kernel's is enough.
 */
static bool row_shows(const struct judge *j, const struct row *r, struct issue *k)
{
	bool any = row_splats(j, r, k), expected = false;
	char *said[GROUPS];

	for (size_t i = 0; i < r->messages.n; i++) {
		any |= match(&k->signature, r->messages.v[i], NULL);
		if (!is_expectation(r->messages.v[i], said))
			continue;
		expected = true;
		if (!expectation_shows(r, i, k))
			return false;
	}
	return expected || any;
}

/* It is the issue's, in a row of the issue's or in one that the log does not tell. */
static bool splat_is(const struct splat *s, struct issue *k)
{
	return splat_matches(s, &k->signature) &&
	       (!s->row || match(&k->rows, s->row->name, NULL));
}

/* It shows in splats and in failed rows; it is fixed when its rows ran and none failed. */
static void apply_issue(struct judge *j, struct issue *k)
{
	bool splat = false, shown = false, ends = false, failed = false, ran = false;

	for (struct splat *s = j->splats; s < j->splats + j->nsplats; s++) {
		splat |= splat_is(s, k);
		/* After a splat that ends the guest, more of them are its consequence. */
		ends |= splat && conf_get(k->conf, "ends");
		if (s->state == SPLAT_BAD && (ends || splat_is(s, k)))
			s->state = SPLAT_KNOWN;
	}
	shown = splat;
	for (struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		if (!match(&k->rows, r->name, NULL))
			continue;
		failed |= r->state == ROW_FAILED;
		ran |= r->state == ROW_OK;
		if (r->state == ROW_FAILED && !r->known && row_shows(j, r, k)) {
			r->known = k->conf;
			shown = true;
		}
	}
	j->end_known |= shown && conf_get(k->conf, "ends");
	if (shown)
		note(j, KNOWN, "%s: %s", k->conf->name, k->conf->comment);
	else if (ran && !failed)
		note(j, FIXED, "%s: %s", k->conf->name, k->conf->comment);
}

/* What is wrong */

/*
 * Why a row failed: what the test says of the first expectation that it did not
 * meet, with its values and place; or else its first message.
 */
static char *row_why(const struct row *r)
{
	char *first[GROUPS], *next[GROUPS];

	for (size_t i = 0; i < r->messages.n; i++) {
		if (!is_expectation(r->messages.v[i], first))
			continue;
		if (i + 1 < r->messages.n && !is_expectation(r->messages.v[i + 1], next) &&
		    match(&placed, r->messages.v[i + 1], next))
			return format("%s (%s, %s)", next[2], first[2], first[1]);
		return format("%s, %s", first[2], first[1]);
	}
	return r->messages.n ? r->messages.v[0] : "no message";
}

/* Seen before, under the same name: one reason is enough. */
static bool is_repeat(const struct judge *j, const struct splat *s)
{
	for (const struct splat *p = j->splats; p < s; p++)
		if (p->state == s->state && !strcmp(p->signature, s->signature))
			return true;
	return false;
}

/* What init says of the file @name after the remount. */
static const char *kept_is(const struct judge *j, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < j->init.n; i++) {
		const char *said = after(j->init.v[i], "kept ");

		if (said && !strncmp(said, name, len) && said[len] == ' ')
			return rest_of(said);
	}
	return "gone";
}

static void find_kept(struct judge *j, const struct row *r)
{
	for (size_t i = 0; i < r->kept.n; i++) {
		const char *is = kept_is(j, r->kept.v[i]);

		if (strcmp(is, "right"))
			note(j, BROKEN, "%s: its file after a remount: %s", r->name, is);
	}
}

static void find_failures(struct judge *j)
{
	const char *umount = get(&j->init, "umount"), *remount = get(&j->init, "remount");
	const char *began = NULL, *run = get(&j->init, "run"), *pins = get(&j->init, "pins");
	const char *fsck = get(&j->init, "fsck");
	/* What a program leaves behind that was killed is no failure of the kernel's. */
	enum note left = run && after(run, "exit") ? BROKEN : MISSING;

	for (struct splat *s = j->splats; s < j->splats + j->nsplats; s++) {
		if (s->state != SPLAT_BAD || is_repeat(j, s))
			continue;
		/* A panic is where it ended; the splat before it is where it began. */
		if (!began && strstr(s->text, "Attempted to kill init"))
			note(j, MISSING, "init died: %s", s->text);
		else if (is_panic(s))
			note(j, PANICKED, "%s%s%s", s->text, began ? ", after " : "", began ?: "");
		else if (after(s->signature, "guest"))
			note(j, BROKEN, "%s: %s", s->signature, s->text);
		else
			note(j, BROKEN, "%s", s->text);
		began = began ?: s->signature;
	}
	for (struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		if (r->state != ROW_FAILED)
			continue;
		r->why = row_why(r);
		if (!r->known)
			note(j, BROKEN, "%s: %s", r->name, r->why);
	}
	if (umount && strcmp(umount, "0"))
		note(j, left, "umount: %s", umount);
	if (fsck && strcmp(fsck, "0"))
		note(j, BROKEN, "fsck exit %s", fsck);
	if (remount && strcmp(remount, "0"))
		note(j, BROKEN, "mounted again: %s", remount);
	for (size_t i = 0; i < j->nrows && remount; i++)
		find_kept(j, &j->rows[i]);
	if (pins && strcmp(pins, "0"))
		note(j, left, "%s pins (FOLL_PIN) are left that nobody holds", pins);
}

/* What is missing */

static size_t count_rows(const struct judge *j, enum row_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < j->nrows; i++)
		n += j->rows[i].state == state;
	return n;
}

/* Did the program or the guest (@key) end as in endings[]? */
static bool ended(struct judge *j, const char *key, const char *value)
{
	char *say;

	if (!find(endings, ARRAY_SIZE(endings), format("%s %s", key, value), &say))
		return false;
	note(j, ENDED, "%s", say);
	return true;
}

/* A guest that powers off says so last; without that a splat may be cut off. */
static void check_guest(struct judge *j)
{
	const char *end = get(&j->guest.lines, "end");
	bool whole = !j->console.lines.n;

	for (size_t i = 0; i < j->console.lines.n; i++)
		whole |= strstr(j->console.lines.v[i], "daxpin: phase off") ||
			 strstr(j->console.lines.v[i], "reboot: Power down");
	if (!end && j->guest.lines.n)
		note(j, WRONG, "guest has no end");
	else if (end && strcmp(end, "poweroff"))
		ended(j, "end", end);
	else if (!whole)
		note(j, MISSING, "console.log is cut: no word of the power-off");
}

/* How often the fault fired, or NULL: a guest that died does not say. */
static const char *fault_hits(const struct judge *j)
{
	const char *fault = get(&j->init, "fault"), *hits = fault ? strstr(fault, " hits ") : NULL;

	return hits ? hits + strlen(" hits ") : NULL;
}

/* A fault that never fired has broken nothing. */
static bool fault_unproven(const struct judge *j)
{
	const char *hits = fault_hits(j);

	return conf_get(j->cell, "fault") && (!hits || atol(hits) <= 0);
}

/* Of the kernel's own warnings, those that it counts (kernel/panic.c, __warn()). */
static long warnings_seen(const struct judge *j)
{
	long n = 0;

	for (const struct splat *s = j->splats; s < j->splats + j->nsplats; s++)
		n += !strcmp(s->signature, "WARNING") || after(s->signature, "WARNING ");
	return n;
}

/* What the log has not, no rule and no known issue was asked about. */
static void check_warnings(struct judge *j)
{
	const char *counted = get(&j->init, "warnings");

	if (counted && !j->autopsy && atol(counted) > warnings_seen(j))
		note(j, MISSING, "the kernel counted %s warnings, its log has %ld", counted,
		     warnings_seen(j));
}

static void check_init(struct judge *j)
{
	const char *run = get(&j->init, "run"), *umount = get(&j->init, "umount");
	const char *status = count_rows(j, ROW_FAILED) ? "exit 1" : "exit 0";
	const char *fsck = get(&j->init, "fsck");

	if (!run)
		note(j, MISSING, "init did not report how the program ended");
	else if (!ended(j, "run", run) && strcmp(run, status))
		note(j, WRONG, "program's %s contradicts its rows", run);
	if (!umount)
		note(j, MISSING, "no umount result");
	else if (!strcmp(umount, "0") && !fsck)
		note(j, MISSING, "no fsck result");
	else if (fsck && !strcmp(fsck, "0") && !get(&j->init, "remount"))
		note(j, MISSING, "no result of a remount");
	if (!get(&j->init, "pins"))
		note(j, MISSING, "no count of pins");
	check_warnings(j);
	if (fault_unproven(j) && !get(&j->init, "fault"))
		note(j, MISSING, "no count of the fault's hits");
	else if (fault_unproven(j))
		note(j, WRONG, "fault never fired: %s", get(&j->init, "fault"));
}

static void check_rows(struct judge *j)
{
	if (!j->plan)
		note(j, MISSING, "no TAP plan");
	else if (j->plan != j->results)
		note(j, MISSING, "%ld results, %ld planned", j->results, j->plan);
	for (const struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		if (r->state == ROW_LOST)
			note(j, MISSING, "%s has no result", r->name);
		if (!r->planned)
			note(j, WRONG, "%s was not planned", r->name);
		if (r->state == ROW_OK && !r->witness)
			note(j, WRONG, "%s passed without a witness", r->name);
	}
}

static void find_losses(struct judge *j)
{
	bool ran = j->plan || get(&j->init, "run");
	const char *lost = get(&j->init, "lost"), *skip = get(&j->init, "skip");

	check_guest(j);
	if (lost)
		note(j, strcmp(lost, UNKILLABLE) ? WRONG : ENDED, "%s", lost);
	if (skip && ran)
		note(j, WRONG, "init skipped a program that ran: %s", skip);
	if (lost || !j->ktap.lines.n)
		return;
	if (!j->done)
		note(j, MISSING, "guest did not finish: no init: done");
	if (skip && !ran)
		return;
	check_init(j);
	check_rows(j);
	/* Else a splat below the autopsy could hide in a cell that passes. */
	if (j->autopsy && !j->notes[ENDED].n && !count_rows(j, ROW_FAILED))
		note(j, WRONG, "autopsy in the console, but no row failed");
}

/* Verdict */

/* The first note that was taken decides. */
static enum note first_note(const struct judge *j)
{
	enum note kind = 0;

	while (kind < COMPLETE && !j->notes[kind].n)
		kind++;
	return kind;
}

/* What it is when nothing speaks against it. */
static void note_good(struct judge *j)
{
	const char *skip = get(&j->init, "skip"), *rule = missing_rule(j);
	size_t skipped = count_rows(j, ROW_SKIP);

	if (!skip && skipped == j->nrows)
		skip = *j->rows[0].why ? j->rows[0].why : "no reason given";
	/* A cell that did not get far enough cannot have printed what it requires. */
	if (rule && !skip && first_note(j) > MISSING)
		note(j, BROKEN, "required log line never seen: %s", rule);
	if (skip)
		note(j, SKIPPED, "%s", skip);
	else if (skipped)
		note(j, COMPLETE, "%zu rows, %zu of them skipped", j->nrows, skipped);
	else
		note(j, COMPLETE, "%zu rows", j->nrows);
}

static void decide(struct judge *j)
{
	j->verdict = first_note(j);
	for (size_t i = j->verdict; i < ARRAY_SIZE(verdicts); i++)
		for (size_t n = 0; n < j->notes[i].n; n++)
			if (verdicts[i].status == verdicts[j->verdict].status)
				add(&j->reasons, j->notes[i].v[n]);
}

static char *reason(const struct judge *j)
{
	if (j->reasons.n == 1)
		return format("%.1000s", j->reasons.v[0]);
	return format("%.1000s (+%zu more)", j->reasons.v[0], j->reasons.n - 1);
}

/*
 * A control passes when it trips, with the verdict that it states, and an
 * expression that fits a reason or a splat's signature; whatever else happens is
 * a failure of ours.  A fault that never fired was not detected, but a guest
 * that died cannot say.
 */
static void judge_control(struct judge *j)
{
	const char *want = conf_get(j->cell, "verdict"), *rule = missing_rule(j);
	const char *word = verdicts[j->verdict].word;
	struct pattern re = { .re = rest_of(want) };
	bool trips = !*re.re;
	char *text;

	for (size_t i = 0; i < j->reasons.n && !trips; i++)
		trips = match(&re, j->reasons.v[i], NULL);
	for (size_t i = 0; i < j->nsplats && !trips; i++)
		trips = j->splats[i].state == SPLAT_BAD &&
			match(&re, j->splats[i].signature, NULL);
	trips &= after(want, word) && !rule && !(j->done && fault_unproven(j));
	if (trips)
		text = format("tripped: %s: %s", word, reason(j));
	else
		text = format("control did not trip: expected %s, got %s: %s%s%s", want, word,
			      reason(j), rule ? "; required log line never seen: " : "",
			      rule ?: "");
	j->verdict = trips ? COMPLETE : BROKEN;
	j->reasons.n = 0;
	add(&j->reasons, text);
}

static void judge(struct judge *j, const char *dir)
{
	read_log(j, dir, "ktap.log", &j->ktap);
	read_log(j, dir, "console.log", &j->console);
	read_log(j, dir, "guest", &j->guest);
	j->rules = need(calloc(j->cell->nlines, sizeof(*j->rules)));
	j->rows = need(calloc(j->cell->nlines + j->ktap.lines.n, sizeof(*j->rows)));
	j->splats = need(calloc(j->console.lines.n + 1, sizeof(*j->splats)));
	read_plan(j);
	scan_ktap(j);
	scan_console(j);
	for (size_t i = 0; i < j->nissues; i++)
		apply_issue(j, &j->issues[i]);
	find_failures(j);
	find_losses(j);
	/* What is missing then is excused, what is wrong is not. */
	if (j->end_known) {
		j->notes[ENDED].n = 0;
		j->notes[MISSING].n = 0;
	}
	note_good(j);
	decide(j);
	if (conf_get(j->cell, "verdict"))
		judge_control(j);
}

/* Warm and cold */

static const char * const row_words[] = { "lost", "ok", "failed", "skip" };

/* The folders that a first guest's evidence may be in, and what the reason calls both. */
static const struct pair {
	const char	*folder;
	const char	*both, *first, *second;
} pairs[] = {
	{ "warm",  "warm and cold", "restored", "booted" },
	{ "first", "two runs",	    "first",	"second" },
};

/* The restored guest's state of a row. */
static enum row_state warm_state(const struct judge *warm, const char *name)
{
	for (size_t i = 0; i < warm->nrows; i++)
		if (!strcmp(warm->rows[i].name, name))
			return warm->rows[i].state;
	return ROW_LOST;
}

static bool differs(const struct judge *j, const struct row *r)
{
	return j->warm && warm_state(j->warm, r->name) != r->state;
}

static bool is_bad(const struct judge *j)
{
	int status = verdicts[j->verdict].status;

	return status == 1 || status == 5 || status == 7;
}

/*
 * The same cell in a restored guest and in one that booted, or in two that booted.  A
 * failure of the second is a failure; anything else is no evidence when they do not agree.
 */
static void compare(struct judge *j, const struct judge *warm, const struct pair *names)
{
	const char *word = verdicts[warm->verdict].word, *cold = verdicts[j->verdict].word;
	char *text;

	j->warm = warm;
	j->names = names;
	j->bad = is_bad(warm) + is_bad(j);
	if (!strcmp(word, cold))
		return;
	text = format("%s differ: %s %s: %s; %s %s: %s", names->both, names->first, word,
		      reason(warm), names->second, cold, reason(j));
	if (j->verdict > BROKEN) {
		j->verdict = WRONG;
		j->reasons.n = 0;
	}
	add(&j->reasons, text);
}

/* What machines read */

/* The first splat counts: what follows it may be its consequence. */
static bool follows(const struct judge *j, const struct splat *s)
{
	for (const struct splat *p = j->splats; p < s; p++)
		if (p->state != SPLAT_ALLOWED)
			return s->state != SPLAT_ALLOWED;
	return false;
}

static void print_splat(const struct judge *j, const struct splat *s)
{
	const struct list *c = &j->console.lines;

	printf("%s %s\n", splat_words[s->state], s->signature);
	printf("title %s %s\n", follows(j, s) ? "follow" : "first",
	       splat_title(s->signature, c->v + s->line, c->n - s->line));
	if (s->row)
		printf("at %s\n", s->row->name);
}

/* Of the two times that it ran, in how many was it not well? */
static void print_runs(const struct judge *j)
{
	if (j->bad)
		printf("runs 2\nbad %zu\n", j->bad);
}

static void print_verdict(const struct judge *j)
{
	size_t known = 0;

	for (size_t i = 0; i < j->nrows; i++)
		known += !!j->rows[i].known;
	printf("verdict %s\nreason %s\n", verdicts[j->verdict].word, reason(j));
	printf("rows %zu\nok %zu\nfailed %zu\nskipped %zu\nknown %zu\n", j->nrows,
	       count_rows(j, ROW_OK), count_rows(j, ROW_FAILED) - known, count_rows(j, ROW_SKIP),
	       known);
	if (j->cell && conf_get(j->cell, "verdict"))
		puts("control yes");
	print_runs(j);
	if (fault_hits(j))
		printf("hits %s\n", fault_hits(j));
	for (const struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		if (r->known)
			printf("row known %s: %s\n", r->name, r->known->name);
		else if (r->state == ROW_FAILED)
			printf("row failed %s: %s\n", r->name, r->why);
		else if (r->state == ROW_SKIP)
			printf("row skip %s: %s\n", r->name, r->why);
		else
			printf("row %s %s\n", row_words[r->state], r->name);
	}
	for (const struct row *r = j->rows; r < j->rows + j->nrows; r++)
		if (differs(j, r))
			printf("differs %s: %s %s, %s %s\n", r->name, j->names->first,
			       row_words[warm_state(j->warm, r->name)], j->names->second,
			       row_words[r->state]);
	for (const struct splat *s = j->splats; s < j->splats + j->nsplats; s++)
		if (!is_repeat(j, s))
			print_splat(j, s);
}

/* What people read */

static void show_splats(const struct judge *j)
{
	size_t next = 0;

	for (const struct splat *s = j->splats; s < j->splats + j->nsplats; s++) {
		if (s->state == SPLAT_ALLOWED || s->line < next)
			continue;
		fprintf(stderr, "%s %s\n", splat_words[s->state], s->signature);
		for (next = s->line; !trace_ends(j, s->line, next); next++)
			fprintf(stderr, "    %s\n", j->console.lines.v[next]);
	}
}

static void show_person(const struct judge *j)
{
	const struct list *c = &j->console.lines;

	for (size_t i = 0; i < j->reasons.n; i++)
		fprintf(stderr, "%s: %s\n", verdicts[j->verdict].word, j->reasons.v[i]);
	for (const struct row *r = j->rows; r < j->rows + j->nrows; r++) {
		if (r->state != ROW_FAILED)
			continue;
		fprintf(stderr, "%s %s\n", r->known ? "known" : "failed", r->name);
		for (size_t m = 0; m < r->messages.n; m++)
			fprintf(stderr, "    %s\n", r->messages.v[m]);
	}
	show_splats(j);
	for (size_t i = 0; i < j->init.n; i++)
		if (after(j->init.v[i], "autopsy "))
			fprintf(stderr, "%s\n", j->init.v[i]);
	if (!c->n || j->verdict > MISSING)
		return;
	fprintf(stderr, "the console's last lines:\n");
	for (size_t i = c->n > TAIL_LINES ? c->n - TAIL_LINES : 0; i < c->n; i++)
		fprintf(stderr, "    %s\n", c->v[i]);
}

/* Before a cell's rules are known: any splat at all. */
static int judge_boot(const char *dir)
{
	struct conf cell = {};
	struct judge j = { .cell = &cell };

	read_log(&j, dir, "console.log", &j.console);
	j.splats = need(calloc(j.console.lines.n + 1, sizeof(*j.splats)));
	scan_console(&j);
	for (size_t i = 0; i < j.nsplats; i++)
		fprintf(stderr, "the kernel complains while it boots: %s\n", j.splats[i].text);
	for (size_t i = 0; i < j.notes[MISSING].n; i++)
		fprintf(stderr, "%s\n", j.notes[MISSING].v[i]);
	return j.nsplats || j.notes[MISSING].n || j.notes[WRONG].n;
}

/* The cell in @dir, and the guest before it, whose verdict was not good enough. */
static void judge_both(struct judge *j, struct judge *warm, const char *dir,
		       const struct conf_set *known)
{
	read_issues(j, known);
	judge(j, dir);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char *path = format("%s/%s", dir, pairs[i].folder);

		if (access(path, F_OK))
			continue;
		warm->cell = j->cell;
		read_issues(warm, known);
		judge(warm, path);
		compare(j, warm, &pairs[i]);
		return;
	}
}

int main(int argc, char **argv)
{
	struct conf_set known = {};
	const char *known_dir = NULL;
	struct judge j = {}, warm = {};
	struct stat st;
	char *path;
	int opt;

	if (argc == 3 && !strcmp(argv[1], "-b"))
		return judge_boot(argv[2]);
	while ((opt = getopt(argc, argv, "K:")) == 'K')
		known_dir = optarg;
	if (opt != -1 || optind != argc - 1) {
		fputs("usage: judge [-K KNOWN_DIR] DIR, or judge -b DIR\n", stderr);
		return 2;
	}
	path = format("%s/cell", argv[optind]);
	/* A cell that is not there is lost evidence; one that is malformed is our error. */
	if (!access(path, R_OK) && !stat(path, &st) && st.st_size) {
		j.cell = conf_read(path, CONF_CELL);
		if (!j.cell || (known_dir && conf_known_read(known_dir, &known)))
			return 2;
		judge_both(&j, &warm, argv[optind], &known);
	} else {
		note(&j, WRONG, "cell is missing or empty");
		decide(&j);
	}
	print_verdict(&j);
	show_person(&j);
	/* A verdict that was not written, to a full disk, is none. */
	if (fflush(stdout) || ferror(stdout)) {
		perror("judge: standard output");
		return 2;
	}
	return verdicts[j.verdict].status;
}
