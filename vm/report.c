// SPDX-License-Identifier: GPL-2.0-only
/*
 * report [-f FORMAT] [-o FILE] [-b BASELINE] RUN...: what came out of a run.
 * report -d [-f FORMAT] [-o FILE] [-k KERNEL] A [B]: what is different between two, or
 * between KERNEL and the other kernels of one.
 *
 * RUN is a folder of results/ (several: shards of one run) or a file that -f jsonl
 * wrote.  RUN/cells has the cells that were planned, one KERNEL/FS/SCENARIO a line,
 * and each of these folders the verdict of its cell.  A cell without a whole
 * verdict is lost.  With -o the report is written to FILE, whole or not at all.
 *
 * Exit status 0: as expected; 1: something failed, or holds that was recorded as broken;
 * 3: the run proves nothing, because a control did not trip, cells are lost or nothing
 * ran.  With -b and -d, only what BASELINE or A does not have counts.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diff.h"
#include "formats.h"
#include "record.h"

#define SHOWN_ROWS	5
#define MAX_WIDTH	100		/* of a table with the kernels' names */

/* Text */

/* What the first cell of @kernel that can be read says of it, or NULL. */
static const struct cell *plan_of(const struct run *r, const char *kernel)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->cells[i].release && !strcmp(r->cells[i].kernel, kernel))
			return &r->cells[i];
	return NULL;
}

/* Empty when nothing says so, or the name does. */
static const char *version_of(const struct run *r, const char *kernel)
{
	const struct cell *plan = plan_of(r, kernel);

	return plan && strcmp(plan->version, kernel) ? plan->version : "";
}

/* "stock: 6.1.192 (6.1.0-56-amd64)", as far as it is known. */
static void print_kernel(const struct run *r, const char *kernel)
{
	const struct cell *plan = plan_of(r, kernel);

	printf("%s", kernel);
	if (plan) {
		printf(": %s", plan->version);
		if (strcmp(plan->version, plan->release))
			printf(" (%s)", plan->release);
	}
	putchar('\n');
}

/* Rows of words, as many in each. */
struct table {
	struct list	*rows;
	size_t		 n;
};

static void add_row(struct table *t, struct list row)
{
	t->rows = need(reallocarray(t->rows, t->n + 1, sizeof(*t->rows)));
	t->rows[t->n++] = row;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t max = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t len = strlen(t->rows[i].v[column]);

		max = len > max ? len : max;
	}
	return max;
}

static size_t table_width(const struct table *t)
{
	size_t width = 0;

	for (size_t i = 0; i < t->rows[0].n; i++)
		width += 2 + column_width(t, i);
	return width;
}

/* Blanks go before a word, so that no line ends with them. */
static void print_row(const struct table *t, const struct list *row)
{
	int pad = 2;

	for (size_t i = 0; i < row->n; i++) {
		const char *word = row->v[i];

		if (*word) {
			printf("%*s%s", pad, "", word);
			pad = 0;
		}
		pad += column_width(t, i) - strlen(word) + 2;
	}
	putchar('\n');
}

static void print_table(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		print_row(t, &t->rows[i]);
}

static const char *word_at(const struct run *r, const char *kernel, const char *fs,
			   const char *scenario)
{
	const struct cell *c = find_cell(r, kernel, fs, scenario);

	return c ? verdict_words[c->verdict] : "-";
}

/* Of one kernel: a row a scenario, a column a file system. */
static void print_kernel_table(const struct run *r, const char *kernel)
{
	struct list head = {};
	struct table t = {};

	add(&head, "");
	for (size_t f = 0; f < r->fs.n; f++)
		add(&head, r->fs.v[f]);
	add_row(&t, head);
	for (size_t s = 0; s < r->scenarios.n; s++) {
		struct list row = {};

		add(&row, r->scenarios.v[s]);
		for (size_t f = 0; f < r->fs.n; f++)
			add(&row, word_at(r, kernel, r->fs.v[f], r->scenarios.v[s]));
		add_row(&t, row);
	}
	print_kernel(r, kernel);
	print_table(&t);
}

/* The names of the kernels, or their numbers, and below the names the versions. */
static void add_heads(struct table *t, const struct run *r, bool numbered)
{
	struct list names = {}, versions = {};
	bool any = false;

	for (int i = 0; i < 2; i++) {
		add(&names, "");
		add(&versions, "");
	}
	for (size_t k = 0; k < r->kernels.n; k++) {
		const char *name = r->kernels.v[k], *v = version_of(r, name);

		add(&names, numbered ? text("%zu", k + 1) : name);
		add(&versions, v);
		any |= !!*v;
	}
	add_row(t, names);
	if (any && !numbered)
		add_row(t, versions);
}

static bool planned(const struct run *r, const char *fs, const char *scenario)
{
	for (size_t k = 0; k < r->kernels.n; k++)
		if (strcmp(word_at(r, r->kernels.v[k], fs, scenario), "-"))
			return true;
	return false;
}

/* The first row of a scenario names it. */
static void add_scenario(struct table *t, const struct run *r, const char *scenario)
{
	const char *name = scenario;

	for (size_t f = 0; f < r->fs.n; f++) {
		const char *fs = r->fs.v[f];
		struct list row = {};

		if (!planned(r, fs, scenario))
			continue;
		add(&row, name);
		add(&row, fs);
		for (size_t k = 0; k < r->kernels.n; k++)
			add(&row, word_at(r, r->kernels.v[k], fs, scenario));
		add_row(t, row);
		name = "";
	}
}

static struct table across_kernels(const struct run *r, bool numbered)
{
	struct table t = {};

	add_heads(&t, r, numbered);
	for (size_t s = 0; s < r->scenarios.n; s++)
		add_scenario(&t, r, r->scenarios.v[s]);
	return t;
}

/* A row a scenario and file system, a column a kernel: its name, if all fit. */
static void print_kernels_table(const struct run *r)
{
	struct table t = across_kernels(r, false);

	if (table_width(&t) > MAX_WIDTH) {
		for (size_t k = 0; k < r->kernels.n; k++) {
			printf("  %zu  ", k + 1);
			print_kernel(r, r->kernels.v[k]);
		}
		t = across_kernels(r, true);
	}
	print_table(&t);
}

/* The next of @c's rows that failed, after @r (NULL: the first), or NULL. */
static const struct row *next_failed(const struct cell *c, const struct row *r)
{
	for (r = r ? r + 1 : c->rows; r < c->rows + c->nrows; r++)
		if (r->state == ROW_FAILED)
			return r;
	return NULL;
}

/* Do two kernels say the same of one scenario and file system? */
static bool alike(const struct cell *a, const struct cell *b)
{
	const struct row *x, *y;

	if (a->verdict != b->verdict || strcmp(a->scenario, b->scenario) || strcmp(a->fs, b->fs) ||
	    strcmp(a->reason, b->reason))
		return false;
	x = next_failed(a, NULL);
	y = next_failed(b, NULL);
	while (x && y && !strcmp(x->name, y->name) && !strcmp(x->text, y->text)) {
		x = next_failed(a, x);
		y = next_failed(b, y);
	}
	return !x && !y;
}

static bool told(const struct run *r, const struct cell *c)
{
	for (const struct cell *b = r->cells; b < c; b++)
		if (alike(b, c))
			return true;
	return false;
}

/* @c and the cells after it that are alike: "{src-6.12,src-7.2}/ext4/NAME". */
static const char *paths(const struct run *r, const struct cell *c)
{
	const char *kernels = c->kernel;

	for (const struct cell *b = c + 1; b < r->cells + r->n; b++)
		if (alike(b, c))
			kernels = text("%s,%s", kernels, b->kernel);
	return kernels == c->kernel ? c->path : text("{%s}/%s/%s", kernels, c->fs, c->scenario);
}

static void print_rows(const struct cell *c)
{
	size_t n = 0;

	for (const struct row *r = NULL; (r = next_failed(c, r)); n++)
		if (n < SHOWN_ROWS)
			printf("  %s%s%s\n", r->name, *r->text ? ": " : "", r->text);
	if (n > SHOWN_ROWS)
		printf("  and %zu more\n", n - SHOWN_ROWS);
}

static void print_detail(const struct run *r, const struct cell *c)
{
	printf("%s %s: %s\n", verdict_words[c->verdict], paths(r, c), c->reason);
	print_rows(c);
	if (*stability(c))
		printf("  %s\n", stability(c));
	if (c->dir)
		printf("  %s/%s\n", c->dir, paths(r, c));
}

static void print_details(const struct run *r)
{
	const char *before = "\n";

	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (c->verdict == PASS || told(r, c))
			continue;
		fputs(before, stdout);
		before = "";
		print_detail(r, c);
	}
}

/* One line for each title that is held against a cell, and where it was seen. */
static void print_crashes(const struct run *r)
{
	struct crash *crashes;
	size_t n = group_crashes(r, &crashes);

	for (size_t i = 0; i < n; i++)
		printf("%s%s: %zu cell%s, first %s%s\n", i ? "" : "\n", crashes[i].title,
		       crashes[i].cells, crashes[i].cells == 1 ? "" : "s", crashes[i].first->path,
		       crashes[i].follow ? " (follows another)" : "");
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name) ?: strcmp((*x)->text, (*y)->text);
}

/* The rows of all cells, controls aside, sorted by name. */
static struct row **rows_by_name(const struct run *r, size_t *n)
{
	struct row **rows = NULL;

	*n = 0;
	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		/* A cell that was skipped has said so. */
		if (c->control || c->verdict == SKIP)
			continue;
		rows = need(reallocarray(rows, *n + c->nrows + 1, sizeof(*rows)));
		for (size_t i = 0; i < c->nrows; i++)
			rows[(*n)++] = &c->rows[i];
	}
	if (*n)
		qsort(rows, *n, sizeof(*rows), compare_rows);
	return rows;
}

/* Why rows were skipped, the first of them, and how many. */
struct premise {
	const char	*why, *first;
	size_t		 rows;
};

struct premises {
	struct premise	*v;
	size_t		 n;
};

static void count_skipped(struct premises *p, const struct row *row)
{
	size_t i;

	for (i = 0; i < p->n && strcmp(p->v[i].why, row->text); i++)
		;
	if (i == p->n) {
		p->v = need(reallocarray(p->v, ++p->n, sizeof(*p->v)));
		p->v[i] = (struct premise){ row->text, row->name, 0 };
	}
	p->v[i].rows++;
}

/*
 * Rows that were skipped in every cell that has them prove nothing, and a premise that
 * nothing meets may be a bug of theirs.
 */
static void print_skipped(const struct run *r)
{
	struct premises p = {};
	struct row **rows;
	size_t n;

	rows = rows_by_name(r, &n);
	for (size_t i = 0, next; i < n; i = next) {
		bool ran = false;

		for (next = i; next < n && !strcmp(rows[i]->name, rows[next]->name); next++)
			ran |= rows[next]->state != ROW_SKIP;
		if (!ran)
			count_skipped(&p, rows[i]);
	}
	for (size_t i = 0; i < p.n; i++)
		printf("%sskipped everywhere: %zu row%s, first %s: %s\n", i ? "" : "\n",
		       p.v[i].rows, p.v[i].rows == 1 ? "" : "s", p.v[i].first, p.v[i].why);
}

static void print_tripped(const struct run *r, const char *name, const char *kernel)
{
	printf("%s: %zu of %zu tripped\n", name, count_of(r, kernel, true, PASS),
	       count_of(r, kernel, true, VERDICTS));
}

/* Of several kernels, those whose controls did not all trip are named. */
static void print_controls(const struct run *r)
{
	print_tripped(r, "controls", NULL);
	for (size_t k = 0; k < r->kernels.n && r->kernels.n > 1; k++) {
		const char *kernel = r->kernels.v[k];

		if (count_of(r, kernel, true, PASS) != count_of(r, kernel, true, VERDICTS))
			print_tripped(r, text("  %s", kernel), kernel);
	}
}

static void print_summary(const struct run *r)
{
	size_t rows = 0;
	long ms = 0;

	for (int v = 0; v < VERDICTS; v++)
		printf("%s%zu %s", v ? ", " : "\n", count_of(r, NULL, false, v), verdict_words[v]);
	for (size_t i = 0; i < r->n; i++) {
		ms += r->cells[i].ms;
		rows += r->cells[i].control ? 0 : r->cells[i].nrows;
	}
	printf(" (%zu rows)", rows);
	if (ms)
		printf(", %ld.%ld s in guests", ms / 1000, ms % 1000 / 100);
	putchar('\n');
}

void format_text(const struct run *r)
{
	print_controls(r);
	if (r->scenarios.n) {
		putchar('\n');
		if (r->kernels.n == 1)
			print_kernel_table(r, r->kernels.v[0]);
		else
			print_kernels_table(r);
	}
	print_details(r);
	print_crashes(r);
	print_skipped(r);
	/* Of controls alone, the first line has said all. */
	if (r->scenarios.n || !r->n)
		print_summary(r);
}

static const struct format {
	const char	*name;
	void		(*print)(const struct run *r);
	void		(*diff)(const struct diff *d);
	bool		 evidence;	/* it shows what rows have said */
} formats[] = {
	{ "text",	format_text,	 diff_text,	false },
	{ "ktap",	format_ktap,	 NULL,		false },
	{ "junit",	format_junit,	 NULL,		true },
	{ "jsonl",	format_jsonl,	 diff_jsonl,	true },
	{ "kcidb",	format_kcidb,	 NULL,		true },
	{ "markdown",	format_markdown, diff_markdown,	false },
	{ "html",	format_html,	 NULL,		true },
};

static const char usage[] =
	"usage: report [-f text|ktap|junit|jsonl|kcidb|markdown|html] [-o FILE] [-b BASELINE] RUN...\n"
	"       report -d [-f text|jsonl|markdown] [-o FILE] [-k KERNEL] A [B]\n";

static struct {
	const struct format	*format;
	const char		*out, *baseline, *kernel;
	const char		*part;		/* what is written, to become out */
	bool			 diff;
} g = { .format = formats };

static __attribute__((noreturn)) void die_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void set_format(const char *name)
{
	for (g.format = formats; g.format < formats + ARRAY_SIZE(formats); g.format++)
		if (!strcmp(g.format->name, name))
			return;
	die_usage();
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "f:o:b:dk:")) != -1) {
		switch (opt) {
		case 'f':
			set_format(optarg);
			break;
		case 'o':
			g.out = optarg;
			break;
		case 'b':
			g.baseline = optarg;
			break;
		case 'd':
			g.diff = true;
			break;
		case 'k':
			g.kernel = optarg;
			break;
		default:
			die_usage();
		}
	}
	if (optind == argc || (g.diff && (g.baseline || argc - optind > 2 || !g.format->diff)) ||
	    (g.kernel && !g.diff))
		die_usage();
}

/* Whatever ends us, half a report does not stay. */
static void drop_part(void)
{
	if (g.part)
		unlink(g.part);
}

/* With -o: standard output goes to another file until the report is whole. */
static void out_begin(void)
{
	struct stat st;

	if (!g.out)
		return;
	/* A device or a pipe is written to, not replaced. */
	if (stat(g.out, &st) || S_ISREG(st.st_mode))
		g.part = text("%s.tmp.%d", g.out, getpid());
	atexit(drop_part);
	if (!freopen(g.part ?: g.out, "we", stdout)) {
		perror(g.part ?: g.out);
		exit(2);
	}
}

/* A report that was not written, to a full disk, is none. */
static void out_end(void)
{
	bool failed = fflush(stdout) || ferror(stdout);

	if (!failed && g.part)
		failed = fsync(STDOUT_FILENO) || rename(g.part, g.out);
	if (failed) {
		perror(g.out ?: "report: standard output");
		exit(2);
	}
	g.part = NULL;
}

static void read_all(struct run *r, char *const *paths, size_t n)
{
	read_run(r, paths, n);
	read_plans(r);
	if (g.format->evidence)
		read_evidence(r);
}

static int report_diff(char *const *paths, size_t n)
{
	struct run a = {}, b = {};
	struct diff d = {};

	read_all(&a, paths, 1);
	if (n > 1)
		read_all(&b, paths + 1, 1);
	if (g.kernel && n > 1)
		die_usage();
	if (n > 1)
		diff_runs(&d, &a, &b);
	else
		diff_kernels(&d, &a, g.kernel);
	out_begin();
	g.format->diff(&d);
	out_end();
	return diff_status(&d);
}

int main(int argc, char **argv)
{
	struct run run = {}, base = {};
	struct diff d = {};

	options(argc, argv);
	if (g.diff)
		return report_diff(argv + optind, argc - optind);
	read_all(&run, argv + optind, argc - optind);
	if (g.baseline) {
		read_all(&base, (char *[]){ (char *)g.baseline }, 1);
		diff_runs(&d, &base, &run);
		run.diff = &d;
	}
	out_begin();
	g.format->print(&run);
	if (g.baseline && g.format->print == format_text)
		diff_text(&d);
	out_end();
	return g.baseline ? diff_status(&d) : exit_status(&run);
}
