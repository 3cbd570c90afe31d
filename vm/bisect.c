// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a bisection computes.  It is a folder, STATE, below results/:
 *
 *	plan		what is looked for, and where (docs/daxpin.1)
 *	list		packages, patches: what there is to choose from, in order
 *	wanted		the failure that was asked for, as the bad end shows it
 *	log		one line for each revision that has a result; never rewritten
 *	git-log		tree: what git says of it
 *	commits		tree: what git knows of the culprit, or of the candidates
 *	steps/NAME/	the evidence of one revision: folders like those of a run,
 *			named 1, 2 and so on, kernel, title and began
 *
 *	bisect get STATE KEY		print a value of the plan, if it has one
 *	bisect result STATE REV		its result in the log
 *	bisect judge STATE STEP REV	decide, by the guests that ran
 *	bisect skip STATE STEP REV	write that it cannot be built, by its build.log
 *	bisect ends STATE		are the ends what they were said to be?
 *	bisect next STATE		print the next of the list
 *	bisect found STATE		print the culprit, or the candidates
 *	bisect before STATE		packages, patches: print the last good one
 *	bisect summary STATE		print what came out
 *	bisect match PATTERN		those lines of standard input that match; a
 *					star matches no dash
 *	bisect since VERSION		the entries of a changelog above that one
 *
 * Exit status: 0 or good, 1 bad, 125 skip, 4 not known yet (judge prints how many
 * more guests it takes), 3 an end is not as it was said to be, 2 an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "decide.h"
#include "list.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define STATUS_END	3
#define STATUS_MORE	4
#define LONG_NUMBER	4	/* digits: an address or an offset, and no errno */

static const struct {
	const char	*word;
	int		 status;
} results[] = {
	[UNKNOWN]	= { "unknown", STATUS_MORE },
	[GOOD]		= { "good", 0 },
	[BAD]		= { "bad", 1 },
	[SKIP]		= { "skip", 125 },
};

/* What one run, or one cell of it, says; of several cells the last of these. */
enum says { NOTHING, PASSES, USELESS, FAILS };

struct entry {			/* of the log */
	char		*rev;
	char		*evidence;
	const char	*reason;
	enum result	 result;
	long		 seconds;
	struct tally	 runs;
};

struct run {
	enum says	 says;
	long		 batch, copy;
	const char	*reason;
	char		*evidence;
};

static struct {
	const char	*state;
	struct conf	*plan;
	struct entry	*log;
	size_t		 nlog;
	struct list	 wanted;	/* "FS SCENARIO KIND NAME TEXT" */
	bool		 learn;		/* this is the bad end: it says what is wanted */
	struct run	*runs;
	size_t		 nruns;
	regex_t		 signature;
} g;

__attribute__((format(printf, 1, 2)))
static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bisect: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* Whole lines; what a crash left of the last one is none. */
static struct list read_lines(const char *path)
{
	FILE *f = fopen(path, "re");
	struct list l = {};
	size_t size = 0;
	ssize_t len;

	for (char *line = NULL; f && (len = getline(&line, &size, f)) > 0; line = NULL, size = 0) {
		if (line[len - 1] != '\n')
			break;
		line[len - 1] = '\0';
		add(&l, line);
	}
	if (f ? ferror(f) : errno != ENOENT)
		die("%s: %s, expected a file", path, strerror(errno));
	if (f)
		fclose(f);
	return l;
}

static bool plan_is(const char *key, const char *value)
{
	const char *has = conf_get(g.plan, key);

	return has && !strcmp(has, value);
}

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* A path below the top of the tree, as a person would open it. */
static const char *shown(const char *path)
{
	char *here = need(get_current_dir_name());
	size_t len = strlen(here);

	return strncmp(path, here, len) || path[len] != '/' ? path : path + len + 1;
}

/*
 * The log
 */

static enum result result_of(const char *word)
{
	for (size_t i = GOOD; i < ARRAY_SIZE(results); i++)
		if (!strcmp(results[i].word, word))
			return i;
	return UNKNOWN;
}

/* TIME RESULT REV SECONDS FAILED/PASSED/OTHER EVIDENCE REASON */
static bool read_entry(const char *line, struct entry *e)
{
	char word[16], rev[256], evidence[PATH_MAX];
	int at = 0;

	if (sscanf(line, "%*s %15s %255s %lds %u/%u/%u %4095s %n", word, rev, &e->seconds,
		   &e->runs.failed, &e->runs.passed, &e->runs.other, evidence, &at) != 7 || !at)
		return false;
	e->result = result_of(word);
	e->rev = need(strdup(rev));
	e->evidence = need(strdup(evidence));
	e->reason = need(strdup(line + at));
	return e->result != UNKNOWN;
}

static void read_log(void)
{
	const char *path = text("%s/log", g.state);
	struct list l = read_lines(path);

	g.log = need(calloc(l.n + 1, sizeof(*g.log)));
	for (size_t i = 0; i < l.n; i++) {
		if (*l.v[i] == '#')
			continue;
		if (!read_entry(l.v[i], &g.log[g.nlog++]))
			die("%s:%zu: bad line '%.60s', expected what is said above it", path, i + 1,
			    l.v[i]);
	}
}

static const struct entry *find_entry(const char *rev)
{
	for (size_t i = 0; rev && i < g.nlog; i++)
		if (!strcmp(g.log[i].rev, rev))
			return &g.log[i];
	return NULL;
}

/* One write, on disk when it returns: after a power cut it is there or it is not. */
static void log_write(int fd, const char *path, const char *line)
{
	ssize_t len = strlen(line);
	off_t size = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n')
		while (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n')
			size--;
	if (ftruncate(fd, size) || pwrite(fd, line, len, size) != len || fsync(fd)) {
		/* Half a line is none: the next one begins where this did. */
		if (ftruncate(fd, size))
			perror(path);
		die("%s: %s, expected room for a line", path, strerror(errno));
	}
}

static const char log_head[] =
	"# time, result, revision, seconds, runs failed/passed/of no use, evidence, reason\n";

static void log_add(const struct entry *e)
{
	const char *path = text("%s/log", g.state);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	time_t now = time(NULL);
	struct stat st;
	char stamp[32];

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s, expected a file to write to", path, strerror(errno));
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	log_write(fd, path, text("%s%s %s %s %lds %u/%u/%u %s %s\n", st.st_size ? "" : log_head,
				 stamp, results[e->result].word, e->rev, e->seconds,
				 e->runs.failed, e->runs.passed, e->runs.other,
				 e->evidence, e->reason));
	close(fd);
	printf("%s: %s: %s\n  %s\n", results[e->result].word, e->rev, e->reason, e->evidence);
}

/*
 * The failure that was asked for
 */

/* Long numbers and hexadecimal ones are of one run; an errno stays. */
static char *normal(const char *s)
{
	char *out = need(calloc(1, strlen(s) + 1)), *to = out;
	size_t len;

	while (*s) {
		len = strncmp(s, "0x", 2) ? strspn(s, "0123456789") :
					    2 + strspn(s + 2, "0123456789abcdef");
		if (len >= LONG_NUMBER || (len > 2 && s[1] == 'x'))
			*to++ = '#';
		else
			for (size_t i = 0; i < (len ?: 1); i++)
				*to++ = s[i];
		s += len ?: 1;
	}
	return out;
}

/* What follows @n words. */
static const char *skip_words(const char *s, int n)
{
	while (n-- && (s = strchr(s, ' ')))
		s++;
	return s ?: "";
}

/* "FS SCENARIO KIND NAME TEXT" with the text in its normal form. */
static char *normal_line(const char *line)
{
	const char *what = skip_words(line, 4);

	return text("%.*s%s", (int)(what - line), line, normal(what));
}

/* "KIND NAME TEXT" of a line of a verdict that says what is wrong, or NULL. */
static char *wrong_line(const char *line)
{
	const char *row = value_of(line, "row failed"), *splat = value_of(line, "splat");
	const char *why = row ? strstr(row, ": ") : NULL;

	if (why)
		return text("row %.*s %s", (int)(why - row), row, why + 2);
	return splat ? text("splat - %s", splat) : NULL;
}

/* All that a verdict says is wrong; what is of no row and no splat is its reason. */
static struct list wrong_lines(const struct list *verdict)
{
	struct list l = {};

	for (size_t i = 0; i < verdict->n; i++) {
		char *wrong = wrong_line(verdict->v[i]);

		if (wrong)
			add(&l, wrong);
	}
	if (!l.n)
		add(&l, text("cell - %s", get(verdict, "reason") ?: "no reason"));
	return l;
}

static bool has_signature(const char *s)
{
	return conf_get(g.plan, "signature") && !regexec(&g.signature, s, 0, NULL, 0);
}

/* The same row, whatever it says. */
static bool same_row(const char *a, const char *b)
{
	int fields = 0;

	for (; *a && *a == *b; a++, b++)
		if (*a == ' ' && ++fields == 4)
			return true;
	return false;
}

static bool is_wanted(char *wrong)
{
	bool sign = conf_get(g.plan, "signature");

	if (plan_is("any", "yes"))
		return true;
	if (g.learn || plan_is("search", "step"))
		return !sign || has_signature(wrong);
	for (size_t i = 0; i < g.wanted.n; i++)
		if (sign ? same_row(g.wanted.v[i], wrong) && has_signature(wrong) :
			   !strcmp(g.wanted.v[i], normal_line(wrong)))
			return true;
	return false;
}

/* Was it there, and did it pass, all that the bad end failed of this cell? */
static bool wanted_pass(const struct list *verdict, const char *cell)
{
	for (size_t i = 0; i < g.wanted.n; i++) {
		const char *row = value_of(g.wanted.v[i], cell);
		const char *name = row ? value_of(row, "row") : NULL;
		bool ok = !name;

		for (size_t k = 0; name && k < verdict->n; k++) {
			const char *is = value_of(verdict->v[k], "row ok");

			ok |= is && strlen(is) == strcspn(name, " ") &&
			      !strncmp(is, name, strlen(is));
		}
		if (!ok)
			return false;
	}
	return true;
}

static bool wants_cell(const char *cell)
{
	for (size_t i = 0; i < g.wanted.n; i++)
		if (value_of(g.wanted.v[i], cell))
			return true;
	return false;
}

static void read_wanted(void)
{
	struct list l = read_lines(text("%s/wanted", g.state));

	for (size_t i = 0; i < l.n; i++)
		if (*l.v[i] != '#')
			add(&g.wanted, l.v[i]);
}

static void write_wanted(void)
{
	char *path = text("%s/wanted", g.state), *new = text("%s.new", path);
	FILE *f = fopen(new, "we");

	if (!f)
		die("%s: %s", new, strerror(errno));
	fprintf(f, "# what fails at the bad end: file system, scenario, kind, name, reason\n");
	for (size_t i = 0; i < g.wanted.n; i++)
		fprintf(f, "%s\n", g.wanted.v[i]);
	if (fflush(f) || fsync(fileno(f)) || fclose(f) || rename(new, path))
		die("%s: %s", new, strerror(errno));
}

/*
 * Runs
 */

/* A verdict that is not whole is none, and one that is not there an error of ours. */
static struct list read_verdict(const char *dir)
{
	const char *path = text("%s/verdict", dir), *rows;
	struct list l = read_lines(path);
	unsigned long n = 0;

	rows = get(&l, "rows");
	for (size_t i = 0; i < l.n; i++)
		n += !!value_of(l.v[i], "row");
	if (!get(&l, "verdict") || !get(&l, "reason") || !rows || strtoul(rows, NULL, 10) != n)
		die("%s: no whole verdict, expected one of each guest", path);
	return l;
}

/* Did the guest come to the program?  Then what failed is not that it does not boot. */
static bool booted(const char *dir)
{
	struct list l = read_lines(text("%s/ktap.log", dir));

	for (size_t i = 0; i < l.n; i++)
		if (!strncmp(l.v[i], "TAP version", 11))
			return true;
	return false;
}

/* The first of what is wrong that was asked for, or NULL; at the bad end all of it is. */
static const char *asked_for(const struct list *verdict, const char *cell)
{
	struct list wrong = wrong_lines(verdict);
	const char *first = NULL;

	for (size_t i = 0; i < wrong.n; i++) {
		char *line = text("%s %s", cell, wrong.v[i]);

		if (!is_wanted(line))
			continue;
		first = first ?: skip_words(wrong.v[i], 1);
		if (g.learn)
			add_once(&g.wanted, normal_line(line));
	}
	return first;
}

/* What the cell in @dir says; @cell is "FS SCENARIO". */
static enum says cell_says(const char *dir, const char *cell, const char **reason)
{
	struct list verdict = read_verdict(dir);
	const char *word = get(&verdict, "verdict"), *why = get(&verdict, "reason");
	bool fails = !strcmp(word, "fail") && booted(dir);

	*reason = fails ? asked_for(&verdict, cell) : NULL;
	if (*reason)
		return FAILS;
	*reason = why;
	if (!strcmp(word, "pass") && wanted_pass(&verdict, cell))
		return PASSES;
	if (!strcmp(word, "skip") && !wants_cell(cell)) {
		*reason = text("premise not met: %s", why);
		return NOTHING;
	}
	if (!strcmp(word, "pass") || !strcmp(word, "skip"))
		*reason = text("premise not met: %s", why);
	else if (!booted(dir))
		*reason = text("does not boot: %s", why);
	else
		*reason = text("%s: %s", fails ? "another failure" : word, why);
	return USELESS;
}

static struct run *get_run(long batch, long copy)
{
	for (size_t i = 0; i < g.nruns; i++)
		if (g.runs[i].batch == batch && g.runs[i].copy == copy)
			return &g.runs[i];
	g.runs = need(reallocarray(g.runs, g.nruns + 1, sizeof(*g.runs)));
	g.runs[g.nruns] = (struct run){ .batch = batch, .copy = copy };
	return &g.runs[g.nruns++];
}

static void read_cell(const char *dir, long batch)
{
	struct conf *c = conf_read(text("%s/cell", dir), CONF_CELL);
	const char *copy, *reason;
	char *cell;
	struct run *r;
	enum says says;

	if (!c)
		exit(2);
	cell = text("%s %s", conf_get(c, "fs"), conf_get(c, "scenario"));
	copy = strrchr(dir, '/') + 1 + strlen(conf_get(c, "scenario"));
	r = get_run(batch, *copy ? atol(copy + 1) : 1);
	says = cell_says(dir, cell, &reason);
	if (!r->evidence || says > r->says) {
		r->says = says;
		r->evidence = need(strdup(dir));
		r->reason = reason;
	}
	conf_free(c);
}

static void read_runs(const char *step)
{
	for (long batch = 1; ; batch++) {
		struct list cells = read_lines(text("%s/%ld/cells", step, batch));

		if (!cells.n)
			return;
		for (size_t i = 0; i < cells.n; i++)
			read_cell(text("%s/%ld/%s", step, batch, cells.v[i]), batch);
	}
}

static struct tally count_runs(void)
{
	struct tally t = {};

	for (size_t i = 0; i < g.nruns; i++) {
		t.failed += g.runs[i].says == FAILS;
		t.passed += g.runs[i].says == PASSES;
		t.other += g.runs[i].says == USELESS || g.runs[i].says == NOTHING;
	}
	return t;
}

/*
 * Deciding
 */

static double risk_total(void)
{
	return 1 - strtod(conf_get(g.plan, "confidence"), NULL) / 100;
}

/* Those of the log that could be wrong: the bad end is a failure that was seen. */
static unsigned int decisions(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < g.nlog; i++)
		n += g.log[i].result != SKIP && !same(g.log[i].rev, conf_get(g.plan, "bad"));
	return n;
}

static double risk_of(unsigned int n)
{
	return risk_share(risk_total(), conf_num(g.plan, "revisions", 1), n);
}

/* The bad end: how often does it fail? */
static enum result decide_rate(const struct tally *t, unsigned int *more)
{
	*more = tally_useless(t) ? 0 : rate_more(t);
	if (*more)
		return UNKNOWN;
	if (t->failed >= RATE_LEAST)
		return BAD;
	return t->failed || tally_useless(t) ? SKIP : GOOD;
}

static enum result decide_flaky(const struct tally *t, const char *rev, unsigned int *more)
{
	const struct entry *end = find_entry(conf_get(g.plan, "bad"));
	enum result r;

	if (g.learn)
		return decide_rate(t, more);
	if (!end || end->runs.failed < RATE_LEAST)
		die("%s: the bad end has no rate yet, expected it to be the first one", rev);
	r = rate_decide(&end->runs, t, risk_of(decisions()));
	if (r == UNKNOWN && tally_useless(t))
		r = SKIP;
	*more = r == UNKNOWN ? rate_batch(&end->runs, t, risk_of(decisions())) : 0;
	return r;
}

static enum result decide_once(const struct tally *t, unsigned int *more)
{
	*more = !(t->failed + t->passed + t->other);
	if (*more)
		return UNKNOWN;
	return t->failed ? BAD : t->passed ? GOOD : SKIP;
}

static const struct run *telling_run(enum result r)
{
	enum says says = r == BAD ? FAILS : r == GOOD ? PASSES : USELESS;

	for (size_t i = 0; i < g.nruns; i++)
		if (g.runs[i].says == says)
			return &g.runs[i];
	return &g.runs[0];
}

/* The first line of a file of the step, or "". */
static const char *first_line(const char *step, const char *name)
{
	struct list l = read_lines(text("%s/%s", step, name));

	return l.n ? l.v[0] : "";
}

static long seconds_of(const char *step)
{
	struct stat st;

	return stat(text("%s/began", step), &st) ? 0 : time(NULL) - st.st_mtime;
}

static void entry_add(const char *step, const char *rev, struct entry *e)
{
	const char *title = first_line(step, "title");

	e->rev = need(strdup(rev));
	e->seconds = seconds_of(step);
	e->evidence = text("%s", shown(e->evidence));
	if (*title)
		e->reason = text("%s [%s]", e->reason, title);
	log_add(e);
}

static const char *reason_of(enum result r, const struct tally *t, const struct run *run)
{
	unsigned int all = t->failed + t->passed + t->other;

	if (all == 1)
		return run->reason;
	if (r == SKIP && t->failed)
		return text("%u of %u runs fail, too seldom to search for: %s", t->failed, all,
			    run->reason);
	return text("%u of %u runs fail: %s", t->failed, all, run->reason);
}

static int cmd_judge(char **arg)
{
	const char *step = arg[0], *rev = arg[1];
	struct entry e = {};
	const struct run *run;
	unsigned int more;

	g.learn = same(rev, conf_get(g.plan, "bad"));
	if (!g.learn)
		read_wanted();
	read_runs(step);
	e.runs = count_runs();
	e.result = plan_is("flaky", "yes") ? decide_flaky(&e.runs, rev, &more) :
					     decide_once(&e.runs, &more);
	if (e.result == UNKNOWN) {
		printf("%u\n", more);
		return STATUS_MORE;
	}
	run = telling_run(e.result);
	e.evidence = run->evidence;
	e.reason = reason_of(e.result, &e.runs, run);
	if (g.learn && e.result == BAD)
		write_wanted();
	entry_add(step, rev, &e);
	return results[e.result].status;
}

/* The first error is the telling one; without any, the last line. */
static const char *build_error(const char *path)
{
	struct list l = read_lines(path);

	for (size_t i = 0; i < l.n; i++)
		if (strstr(l.v[i], "error: ") || strstr(l.v[i], "undefined reference"))
			return l.v[i];
	return l.n ? l.v[l.n - 1] : "nothing was said of it";
}

static int cmd_skip(char **arg)
{
	struct entry e = { .result = SKIP, .evidence = text("%s/build.log", arg[0]) };

	e.reason = text("does not build: %s", build_error(e.evidence));

	entry_add(arg[0], arg[1], &e);
	return results[SKIP].status;
}

static int cmd_result(char **arg)
{
	const struct entry *e = find_entry(arg[0]);

	if (!e)
		return STATUS_MORE;
	printf("%s: %s: as before, %s\n", results[e->result].word, e->rev, e->evidence);
	return results[e->result].status;
}

static int cmd_get(char **arg)
{
	const char *value = conf_get(g.plan, arg[0]);

	if (value)
		puts(value);
	return 0;
}

/* Prints what is wrong with an end that has a result. */
static bool end_is(const char *key, enum result want)
{
	const struct entry *e = find_entry(conf_get(g.plan, key));

	if (!e || e->result == want)
		return true;
	fprintf(stderr, "bisect: the %s end, %s, is %s: %s\n  %s\n", key, e->rev,
		results[e->result].word, e->reason, e->evidence);
	if (want == BAD && e->result == GOOD)
		fputs("bisect: expected it to fail; have the ends been swapped?\n", stderr);
	if (want == GOOD && e->result == BAD)
		fputs("bisect: expected it to pass; both ends fail alike\n", stderr);
	return false;
}

static int cmd_ends(char **arg)
{
	(void)arg;
	return end_is("bad", BAD) && end_is("good", GOOD) ? 0 : STATUS_END;
}

/*
 * Packages and patches
 */

/* The results of the list, by the log; what is to be left out is skipped. */
static enum result *list_results(const struct list *l)
{
	enum result *r = need(calloc(l->n + 1, sizeof(*r)));

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = find_entry(l->v[i]);

		r[i] = e ? e->result : UNKNOWN;
		if (conf_has_word(conf_get(g.plan, "leave"), l->v[i]))
			r[i] = SKIP;
	}
	return r;
}

static struct list read_list(void)
{
	struct list l = read_lines(text("%s/list", g.state));

	if (l.n < 2)
		die("%s/list: %zu entries, expected at least two", g.state, l.n);
	return l;
}

static int cmd_next(char **arg)
{
	struct list l = read_list();
	size_t next = range_next(list_results(&l), l.n);

	(void)arg;
	if (next == l.n)
		return STATUS_MORE;
	puts(l.v[next]);
	return 0;
}

/*
 * What came out
 */

/* "# first bad commit: [SHA] ...", or several "# possible first bad commit: [SHA] ...". */
static struct list found_by_git(void)
{
	struct list l = read_lines(text("%s/git-log", g.state)), found = {};

	for (size_t i = 0; i < l.n; i++) {
		const char *first = value_of(l.v[i], "# first") ?:
				    value_of(l.v[i], "# possible first");
		const char *sha = first ? strstr(first, " commit: [") : NULL;

		if (!sha)
			continue;
		sha += strlen(" commit: [");
		add_once(&found, text("%.*s", (int)strcspn(sha, "]"), sha));
	}
	return found;
}

static struct list found(const char **before)
{
	struct list l, f = {};
	size_t low, high;

	*before = NULL;
	if (plan_is("search", "tree"))
		return found_by_git();
	l = read_list();
	if (range_next(list_results(&l), l.n) != l.n)
		return f;
	range_ends(list_results(&l), l.n, &low, &high);
	*before = l.v[low];
	for (size_t i = low + 1; i <= high && i < l.n; i++)
		add(&f, l.v[i]);
	return f;
}

static int cmd_found(char **arg)
{
	const char *before;
	struct list f = found(&before);

	(void)arg;
	for (size_t i = 0; i < f.n; i++)
		puts(f.v[i]);
	return f.n ? 0 : STATUS_MORE;
}

static int cmd_before(char **arg)
{
	const char *before;

	(void)arg;
	if (!found(&before).n || !before)
		return STATUS_MORE;
	puts(before);
	return 0;
}

static void show_evidence(const char *what, const char *rev)
{
	const struct entry *e = find_entry(rev);

	if (e)
		printf("  %s%s: %s: %s\n    %s\n", what, rev, results[e->result].word, e->reason,
		       e->evidence);
	else
		printf("  %s%s: not tested\n", what, rev);
}

/* What git knows of @rev: the lines below its "commit SHA", up to the next one. */
static void show_commit(const struct list *commits, const char *rev)
{
	bool here = false;

	for (size_t i = 0; i < commits->n; i++) {
		const char *commit = value_of(commits->v[i], "commit"), *parents;
		char *rest;

		if (commit)
			here = same(commit, rev);
		if (!here || commit)
			continue;
		parents = value_of(commits->v[i], "parents");
		if (!parents)
			printf("  %s\n", commits->v[i]);
		rest = parents ? need(strdup(parents)) : NULL;
		for (char *p; rest && (p = strsep(&rest, " ")); )
			show_evidence("parent ", p);
	}
}

static const char *minutes(long seconds)
{
	return text("%ld min %ld s", seconds / 60, seconds % 60);
}

static void show_times(void)
{
	long seconds = 0;
	unsigned int skipped = 0, runs = 0;

	for (size_t i = 0; i < g.nlog; i++) {
		const struct tally *t = &g.log[i].runs;

		seconds += g.log[i].seconds;
		skipped += g.log[i].result == SKIP;
		runs += t->failed + t->passed + t->other;
	}
	printf("%zu revisions tested, %u of them skipped, in %u guests' runs and %s\n", g.nlog,
	       skipped, runs, minutes(seconds));
}

static void show_confidence(void)
{
	const struct entry *end = find_entry(conf_get(g.plan, "bad"));
	double risk = 0;

	if (!plan_is("flaky", "yes") || !end)
		return;
	for (unsigned int n = 0; n < decisions(); n++)
		risk += risk_of(n);
	printf("confidence: %.2f %%, for the bad end fails in %u of %u runs\n", 100 * (1 - risk),
	       end->runs.failed, end->runs.failed + end->runs.passed + end->runs.other);
}

/* The kernel of @rev, as an option: the folder that was built, or the package. */
static const char *kernel_option(const char *rev, const char *step)
{
	char to[PATH_MAX] = "";

	if (plan_is("search", "packages"))
		return text("deb:%s", rev);
	if (readlink(text("%s/kernel", step), to, sizeof(to) - 1) < 0)
		return NULL;
	return text("%s/bzImage::%s/build", to, to);
}

/* results/STATE/steps/NAME, of the evidence that is below it. */
static char *step_of(const char *evidence)
{
	const char *at = strstr(evidence, "/steps/");

	at = at ? at + 7 + strcspn(at + 7, "/") : evidence + strlen(evidence);
	return text("%.*s", (int)(at - evidence), evidence);
}

/* Of the first row that was wanted; all that were selected when none was. */
static void show_again(const char *rev)
{
	const struct entry *e = find_entry(rev);
	const char *kernel = e ? kernel_option(rev, step_of(e->evidence)) : NULL;
	char fs[256] = "", kind[16] = "", row[256] = "";

	if (!kernel)
		return;
	if (g.wanted.n)
		sscanf(g.wanted.v[0], "%255s %*s %15s %255s", fs, kind, row);
	if (plan_is("flaky", "yes"))
		printf("to see it again (%u of %u runs failed):\n", e->runs.failed,
		       e->runs.failed + e->runs.passed + e->runs.other);
	else
		puts("to see it again:");
	printf("  ./run.sh -k %s -t %s", kernel, conf_get(g.plan, "scenario"));
	if (*fs)
		printf(" -f %s", fs);
	if (!strcmp(kind, "row"))
		printf(" -r %s", row);
	else if (conf_get(g.plan, "row"))
		printf(" -r '%s'", conf_get(g.plan, "row"));
	puts("");
}

static int cmd_summary(char **arg)
{
	struct list commits = read_lines(text("%s/commits", g.state));
	const char *what = plan_is("search", "tree") ? "commit" :
			   plan_is("search", "patches") ? "patch" : "package";
	const char *before;
	struct list f = found(&before);

	(void)arg;
	read_wanted();
	if (!f.n)
		return STATUS_MORE;
	if (f.n > 1)
		printf("the first bad %s is one of these %zu, the others could not be tested:\n",
		       what, f.n);
	else
		printf("first bad %s: %s\n", what, f.v[0]);
	for (size_t i = 0; i < f.n; i++) {
		show_evidence("", f.v[i]);
		show_commit(&commits, f.v[i]);
	}
	if (before)
		show_evidence("before it: ", before);
	show_confidence();
	show_times();
	printf("log: %s/log\n", shown(g.state));
	show_again(f.v[f.n - 1]);
	return f.n > 1;
}

/* A star of fnmatch() does not match a slash: here a dash is one. */
static int match_lines(const char *pattern)
{
	char *p = need(strdup(pattern)), *line = NULL;
	size_t size = 0;
	ssize_t len;

	for (char *c = p; (c = strchr(c, '-')); )
		*c = '/';
	while ((len = getline(&line, &size, stdin)) > 0) {
		char *name = text("%.*s", (int)strcspn(line, "\n"), line);

		for (char *c = name; (c = strchr(c, '-')); )
			*c = '/';
		if (!fnmatch(p, name, FNM_PATHNAME))
			fputs(line, stdout);
		free(name);
	}
	return 0;
}

/* A changelog of Debian's has "SOURCE (VERSION) ..." above each entry, the newest first. */
static bool is_heading(const char *line, const char *version)
{
	const char *head = strchr(line, ' ');

	return head > line && *line != ' ' && !strncmp(head, version, strlen(version));
}

/* Packages of two series have no history in common: then the newest entry has to do. */
static int entries_since(const char *version)
{
	const char *head = text(" (%s) ", version);
	struct list l = {};
	size_t size = 0, end = 0, next = 1;

	for (char *line = NULL; getline(&line, &size, stdin) > 0; line = NULL, size = 0)
		add(&l, line);
	while (end < l.n && !is_heading(l.v[end], head))
		end++;
	while (next < l.n && !is_heading(l.v[next], " ("))
		next++;
	if (end == l.n)
		end = next;
	for (size_t i = 0; i < end && i < l.n; i++)
		fputs(l.v[i], stdout);
	if (end == next && end < l.n && !is_heading(l.v[end], head))
		printf("%s is of another series, so only the newest entry is above.\n", version);
	return 0;
}

static const struct {
	const char	*name;
	int		 args;
	int		(*run)(char **arg);
} commands[] = {
	{ "get",	1,	cmd_get },
	{ "result",	1,	cmd_result },
	{ "judge",	2,	cmd_judge },
	{ "skip",	2,	cmd_skip },
	{ "ends",	0,	cmd_ends },
	{ "next",	0,	cmd_next },
	{ "found",	0,	cmd_found },
	{ "before",	0,	cmd_before },
	{ "summary",	0,	cmd_summary },
};

static void open_state(const char *state)
{
	g.state = state;
	g.plan = conf_read(text("%s/plan", state), CONF_BISECT);
	if (!g.plan)
		exit(2);
	if (conf_get(g.plan, "signature") &&
	    regcomp(&g.signature, conf_get(g.plan, "signature"), REG_EXTENDED | REG_NOSUB))
		die("%s: does not compile", conf_get(g.plan, "signature"));
	read_log();
}

int main(int argc, char **argv)
{
	int status = -1;

	if (argc == 3 && !strcmp(argv[1], "match"))
		return match_lines(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "since"))
		return entries_since(argv[2]);
	for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, argv[1]) && commands[i].args == argc - 3) {
			open_state(argv[2]);
			status = commands[i].run(argv + 3);
		}
	if (status < 0)
		die("expected get, result, judge, skip, ends, next, found, summary or match (%s)",
		    "see its source");
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	return status;
}
