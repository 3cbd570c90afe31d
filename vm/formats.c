// SPDX-License-Identifier: GPL-2.0-only
/* A run for machines, and for the pages of a CI: KTAP, JUnit XML, JSON Lines, KCIDB, Markdown. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "diff.h"
#include "formats.h"
#include "record.h"

#define ORIGIN		"daxpin"
#define EXCERPT_MAX	16000	/* bytes; KCIDB allows 16384 characters */
#define SHOWN_CELLS	50	/* with their reasons, in Markdown */

static bool row_ok(const struct row *r)
{
	return r->state != ROW_FAILED && r->state != ROW_LOST;
}

static bool cell_ok(const struct cell *c)
{
	return c->verdict == PASS || c->verdict == KNOWN || c->verdict == SKIP;
}

/* Some row says itself that the cell is not well. */
static bool rows_explain(const struct cell *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (!row_ok(&c->rows[i]))
			return true;
	return false;
}

/* From the first event of a row to its last. */
static double row_seconds(const struct row *r)
{
	return r->nevents ? (r->events[r->nevents - 1].ns - r->events[0].ns) / 1e9 : 0;
}

/* KTAP */

/* A known issue is no news, a record that no longer holds is. */
static const struct {
	const char	*result;
	const char	*directive;	/* NULL: the reason is a line of its own */
} ktap_verdicts[VERDICTS] = {
	[PASS]	= { "ok",	NULL },
	[FAIL]	= { "not ok",	NULL },
	[SKIP]	= { "ok",	"SKIP" },
	[KNOWN]	= { "ok",	"known" },
	[FIXED]	= { "not ok",	"fixed" },
	[LOST]	= { "not ok",	"lost" },
};

static const struct {
	const char	*result;
	const char	*directive;
} ktap_rows[ROW_STATES] = {
	[ROW_OK]	= { "ok",	NULL },
	[ROW_FAILED]	= { "not ok",	NULL },
	[ROW_SKIP]	= { "ok",	"SKIP" },
	[ROW_KNOWN]	= { "ok",	"known" },
	[ROW_LOST]	= { "not ok",	"lost" },
};

/* "#" begins a directive. */
static void put_ktap(const char *s)
{
	for (; *s; s++)
		putchar(*s == '#' ? '_' : *s);
}

static void ktap_row(const struct row *r, size_t number)
{
	const char *directive = ktap_rows[r->state].directive;

	if (!directive && *r->text)
		printf("    # %s: %s\n", r->name, r->text);
	printf("    %s %zu ", ktap_rows[r->state].result, number);
	put_ktap(r->name);
	if (directive)
		printf(" # %s %s", directive, r->text);
	putchar('\n');
}

/*
 * The rows of a cell are its subtests.  Those of a control are not: they fail on
 * purpose.  When it is not the rows that are wrong, one more subtest says what is.
 */
static void ktap_subtests(const struct cell *c)
{
	bool more = !cell_ok(c) && !rows_explain(c);

	if (c->control || !c->nrows)
		return;
	printf("    KTAP version 1\n    1..%zu\n", c->nrows + more);
	for (size_t i = 0; i < c->nrows; i++)
		ktap_row(&c->rows[i], i + 1);
	if (more)
		printf("    not ok %zu evidence # %s\n", c->nrows + 1, c->reason);
}

void format_ktap(const struct run *r)
{
	printf("KTAP version 1\n1..%zu\n", r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];
		const char *directive = ktap_verdicts[c->verdict].directive;

		ktap_subtests(c);
		if (!directive)
			printf("# %s: %s\n", c->path, c->reason);
		printf("%s %zu ", ktap_verdicts[c->verdict].result, i + 1);
		put_ktap(c->path);
		if (directive)
			printf(" # %s %s", directive, c->reason);
		putchar('\n');
	}
}

/* JUnit XML */

static void put_xml(const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", stdout);
		else if (*s == '<')
			fputs("&lt;", stdout);
		else if (*s == '>')
			fputs("&gt;", stdout);
		else if (*s == '"')
			fputs("&quot;", stdout);
		else
			putchar(*s);
	}
}

static void put_attribute(const char *name, const char *value)
{
	printf(" %s=\"", name);
	put_xml(value);
	putchar('"');
}

/* When the verdict was written; the schema has no room for a zone: UTC. */
static void put_timestamp(const struct cell *c)
{
	struct stat st;
	char buf[32];
	time_t t = 0;

	if (c->dir && !stat(text("%s/%s/verdict", c->dir, c->path), &st))
		t = st.st_mtime;
	strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", gmtime(&t));
	put_attribute("timestamp", buf);
}

static void put_property(const char *name, const char *value)
{
	if (!value)
		return;
	printf("      <property");
	put_attribute("name", name);
	put_attribute("value", value);
	puts("/>");
}

static void junit_problem(const char *element, const char *type, const char *message,
			  const struct list *said)
{
	printf("      <%s", element);
	put_attribute("type", type);
	put_attribute("message", message);
	putchar('>');
	for (size_t i = 0; said && i < said->n; i++) {
		put_xml(said->v[i]);
		putchar('\n');
	}
	printf("</%s>\n", element);
}

static void junit_open(const struct cell *c, const char *name, double seconds)
{
	printf("    <testcase");
	put_attribute("name", name);
	put_attribute("classname", c->path);
	printf(" time=\"%.3f\">\n", seconds);
}

/* A known issue counts as skipped: nobody is to be told again. */
static void junit_row(const struct cell *c, const struct row *r)
{
	junit_open(c, r->name, row_seconds(r));
	if (r->state == ROW_FAILED)
		junit_problem("failure", "failed", r->text, &r->said);
	else if (r->state == ROW_LOST)
		junit_problem("error", "lost", *r->text ? r->text : c->reason, &r->said);
	else if (r->state != ROW_OK)
		puts("      <skipped/>");
	puts("    </testcase>");
}

/* What no row says: of the cell as a whole. */
static void junit_whole(const struct cell *c)
{
	junit_open(c, c->control ? "control trips" : "evidence", c->ms / 1000.0);
	if (c->verdict == LOST)
		junit_problem("error", "lost", c->reason, NULL);
	else if (!cell_ok(c))
		junit_problem("failure", verdict_words[c->verdict], c->reason, NULL);
	puts("    </testcase>");
}

static bool junit_has_whole(const struct cell *c)
{
	return c->control || !c->nrows || (!cell_ok(c) && !rows_explain(c));
}

static size_t junit_count(const struct cell *c, enum row_state state)
{
	size_t n = 0;

	for (size_t i = 0; !c->control && i < c->nrows; i++)
		n += c->rows[i].state == state;
	return n;
}

static void junit_suite(const struct cell *c, size_t id)
{
	bool whole = junit_has_whole(c), lost = c->verdict == LOST;

	printf("  <testsuite");
	put_attribute("name", c->scenario);
	put_attribute("package", text("%s.%s", c->kernel, c->fs));
	printf(" id=\"%zu\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"", id,
	       (c->control ? 0 : c->nrows) + whole,
	       junit_count(c, ROW_FAILED) + (whole && !cell_ok(c) && !lost),
	       junit_count(c, ROW_LOST) + (whole && lost), c->ms / 1000.0);
	put_attribute("hostname", "localhost");
	put_timestamp(c);
	puts(">\n    <properties>");
	put_property("verdict", verdict_words[c->verdict]);
	put_property("reason", c->reason);
	put_property("machine", c->machine);
	put_property("release", c->release);
	put_property("stability", *stability(c) ? stability(c) : NULL);
	for (size_t i = 0; i < c->nsplats; i++)
		put_property(splat_words[c->splats[i].state], c->splats[i].title);
	puts("    </properties>");
	for (size_t i = 0; !c->control && i < c->nrows; i++)
		junit_row(c, &c->rows[i]);
	if (whole)
		junit_whole(c);
	puts("    <system-out/>\n    <system-err/>\n  </testsuite>");
}

void format_junit(const struct run *r)
{
	puts("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>");
	for (size_t i = 0; i < r->n; i++)
		junit_suite(&r->cells[i], i);
	puts("</testsuites>");
}

/* JSON Lines: one object a line, docs/report.schema.json */

static void put_json(json_t *o)
{
	if (json_dumpf(need(o), stdout, JSON_COMPACT)) {
		fputs("report: JSON cannot be written\n", stderr);
		exit(2);
	}
	putchar('\n');
	json_decref(o);
}

/* @o[@key], when there is something to say. */
static void set_text(json_t *o, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(o, key, need(json_string(value)));
}

static json_t *json_kernels(const struct run *r)
{
	json_t *all = json_array(), *o;

	for (size_t k = 0; k < r->kernels.n; k++) {
		size_t i = 0;

		o = json_pack("{s:s}", "name", r->kernels.v[k]);
		while (i < r->n && (strcmp(r->cells[i].kernel, r->kernels.v[k]) ||
				    !r->cells[i].release))
			i++;
		if (i < r->n) {
			set_text(o, "version", r->cells[i].version);
			set_text(o, "release", r->cells[i].release);
		}
		json_array_append_new(all, o);
	}
	return all;
}

json_t *json_events(const struct row *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->nevents; i++)
		json_array_append_new(all, json_pack("{s:s, s:I}", "event", r->events[i].name,
						     "ns", (json_int_t)r->events[i].ns));
	return all;
}

static void jsonl_row(const struct cell *c, const struct row *r)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "type", "row", "cell", c->path, "row",
			      r->name, "state", row_words[r->state]);

	set_text(o, "text", r->text);
	if (r->nevents)
		json_object_set_new(o, "time", json_pack("{s:o}", "events", json_events(r)));
	put_json(o);
}

static void jsonl_splat(const struct cell *c, const struct splat *s)
{
	put_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "type", "splat", "cell", c->path,
			   "state", splat_words[s->state], "title", s->title, "signature",
			   s->signature, "follow", s->follow));
}

static void jsonl_cell(const struct cell *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "type", "cell", "cell",
			      c->path, "kernel", c->kernel, "fs", c->fs, "scenario", c->scenario,
			      "control", c->control, "verdict", verdict_words[c->verdict],
			      "reason", c->reason);

	set_text(o, "machine", c->machine);
	set_text(o, "release", c->release);
	set_text(o, "version", c->version);
	set_text(o, "promise", c->promise);
	if (c->runs) {
		json_object_set_new(o, "runs", json_integer(c->runs));
		json_object_set_new(o, "bad", json_integer(c->bad));
	}
	json_object_set_new(o, "time", json_pack("{s:I}", "ms", (json_int_t)c->ms));
	put_json(o);
	for (size_t i = 0; i < c->nrows; i++)
		jsonl_row(c, &c->rows[i]);
	for (size_t i = 0; i < c->nsplats; i++)
		jsonl_splat(c, &c->splats[i]);
}

static json_t *json_controls(const struct run *r)
{
	return json_pack("{s:I, s:I}", "tripped", (json_int_t)count_of(r, NULL, true, PASS), "of",
			 (json_int_t)count_of(r, NULL, true, VERDICTS));
}

static void jsonl_summary(const struct run *r)
{
	json_t *o = json_object(), *verdicts = json_object();
	json_int_t ms = 0, rows = 0;

	for (int v = 0; v < VERDICTS; v++)
		json_object_set_new(verdicts, verdict_words[v],
				    json_integer(count_of(r, NULL, false, v)));
	for (size_t i = 0; i < r->n; i++) {
		ms += r->cells[i].ms;
		rows += r->cells[i].control ? 0 : r->cells[i].nrows;
	}
	json_object_set_new(o, "type", json_string("summary"));
	json_object_set_new(o, "verdicts", verdicts);
	json_object_set_new(o, "rows", json_integer(rows));
	json_object_set_new(o, "controls", json_controls(r));
	json_object_set_new(o, "status", json_integer(exit_status(r)));
	json_object_set_new(o, "time", json_pack("{s:I}", "ms", ms));
	put_json(o);
}

void format_jsonl(const struct run *r)
{
	put_json(json_pack("{s:s, s:i, s:o, s:{s:s}}", "type", "run", "format", 1, "kernels",
			   json_kernels(r), "time", "name", run_name(r)));
	for (size_t i = 0; i < r->n; i++)
		jsonl_cell(&r->cells[i]);
	jsonl_summary(r);
}

/* KCIDB: what KernelCI's database takes, version 5.0 of its schema */

static const char *const kcidb_rows[ROW_STATES] = {
	[ROW_OK] = "PASS", [ROW_FAILED] = "FAIL", [ROW_SKIP] = "SKIP",
	[ROW_KNOWN] = "FAIL", [ROW_LOST] = "ERROR",
};

static const char *const kcidb_verdicts[VERDICTS] = {
	[PASS] = "PASS", [FAIL] = "FAIL", [SKIP] = "SKIP",
	[KNOWN] = "FAIL", [FIXED] = "PASS", [LOST] = "MISS",
};

/* Words of a test's path are of A-Z a-z 0-9 _ and -, with dots between them. */
static char *kcidb_path(const char *scenario, const char *row)
{
	char *path = text("%s.%s%s%s", ORIGIN, scenario, row ? "." : "", row ?: "");

	for (char *p = path; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-", *p) &&
		    !(*p == '.' && p[1] && p[1] != '.'))
			*p = '_';
	return path;
}

static char *excerpt(const struct list *said)
{
	char *all = NULL;
	size_t size;
	FILE *f = need(open_memstream(&all, &size));

	for (size_t i = 0, n = 0; i < said->n; i++) {
		n += strlen(said->v[i]) + 1;
		if (n > EXCERPT_MAX)
			break;
		fprintf(f, "%s\n", said->v[i]);
	}
	fclose(f);
	return all;
}

static json_t *kcidb_reason(const struct cell *c)
{
	return json_pack("{s:s, s:s}", "verdict", verdict_words[c->verdict], "reason", c->reason);
}

static json_t *kcidb_test(const struct run *r, const struct cell *c, const struct row *row)
{
	const char *name = row ? row->name : NULL;
	json_t *o = json_object(), *where;

	json_object_set_new(o, "id", json_string(text("%s:%s/%s%s%s", ORIGIN, run_name(r), c->path,
						      row ? "/" : "", name ?: "")));
	json_object_set_new(o, "build_id", json_string(text("%s:%s/%s", ORIGIN, run_name(r),
							    c->kernel)));
	json_object_set_new(o, "origin", json_string(ORIGIN));
	json_object_set_new(o, "path", json_string(kcidb_path(c->scenario, name)));
	json_object_set_new(o, "status", json_string(row ? kcidb_rows[row->state] :
						     kcidb_verdicts[c->verdict]));
	json_object_set_new(o, "duration", json_real(row ? row_seconds(row) : c->ms / 1000.0));
	where = json_pack("{s:s, s:{s:s}}", "comment",
			  text("QEMU, machine %s", c->machine ?: "?"), "misc", "fs", c->fs);
	json_object_set_new(o, "environment", where);
	set_text(o, "comment", c->promise);
	if (row && !row_ok(row))
		set_text(o, "log_excerpt", excerpt(&row->said));
	else if (!row)
		json_object_set_new(o, "misc", kcidb_reason(c));
	return o;
}

static void kcidb_kernel(json_t *checkouts, json_t *builds, const struct run *r,
			 const char *kernel)
{
	const char *id = text("%s:%s/%s", ORIGIN, run_name(r), kernel);

	json_array_append_new(checkouts, json_pack("{s:s, s:s, s:s, s:b}", "id", id, "origin",
						   ORIGIN, "comment", kernel, "valid", true));
	json_array_append_new(builds, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", id,
						"checkout_id", id, "origin", ORIGIN, "architecture",
						"x86_64", "status", "PASS"));
}

/* A known issue, once, and where it has shown. */
static void kcidb_known(json_t *issues, json_t *incidents, struct list *seen, const char *name,
			const json_t *test)
{
	const char *issue = text("%s:%s", ORIGIN, name);
	const char *id = json_string_value(json_object_get(test, "id"));
	size_t before = seen->n;

	add_once(seen, issue);
	if (seen->n > before)
		json_array_append_new(issues, json_pack("{s:s, s:i, s:s, s:s}", "id", issue,
							"version", 1, "origin", ORIGIN, "comment",
							name));
	json_array_append_new(incidents, json_pack("{s:s, s:s, s:s, s:i, s:s, s:b}", "id", id,
						   "origin", ORIGIN, "issue_id", issue,
						   "issue_version", 1, "test_id", id, "present",
						   true));
}

void format_kcidb(const struct run *r)
{
	json_t *checkouts = json_array(), *builds = json_array(), *tests = json_array();
	json_t *issues = json_array(), *incidents = json_array();
	struct list seen = {};

	for (size_t k = 0; k < r->kernels.n; k++)
		kcidb_kernel(checkouts, builds, r, r->kernels.v[k]);
	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (c->control)
			continue;
		json_array_append_new(tests, kcidb_test(r, c, NULL));
		for (const struct row *row = c->rows; row < c->rows + c->nrows; row++) {
			json_t *test = kcidb_test(r, c, row);

			if (row->state == ROW_KNOWN)
				kcidb_known(issues, incidents, &seen, row->text, test);
			json_array_append_new(tests, test);
		}
	}
	put_json(json_pack("{s:{s:i, s:i}, s:o, s:o, s:o, s:o, s:o}", "version", "major", 5,
			   "minor", 0, "checkouts", checkouts, "builds", builds, "tests", tests,
			   "issues", issues, "incidents", incidents));
}

/* Markdown */

void put_markdown(const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			fputs("&lt;", stdout);
		else if (*s == '>')
			fputs("&gt;", stdout);
		else if (*s == '&')
			fputs("&amp;", stdout);
		else if (strchr("\\`*_[]|#~!", *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static const char *markdown_word(const struct cell *c)
{
	static const char *const words[VERDICTS] = {
		[PASS] = "pass", [FAIL] = "**fail**", [SKIP] = "skip",
		[KNOWN] = "known", [FIXED] = "**fixed**", [LOST] = "**lost**",
	};

	return c ? words[c->verdict] : "-";
}

static bool markdown_row(const struct run *r, const char *scenario, const char *fs)
{
	bool any = false;

	for (size_t k = 0; k < r->kernels.n; k++)
		any |= !!find_cell(r, r->kernels.v[k], fs, scenario);
	if (!any)
		return false;
	fputs("| ", stdout);
	put_markdown(scenario);
	printf(" | ");
	put_markdown(fs);
	for (size_t k = 0; k < r->kernels.n; k++)
		printf(" | %s", markdown_word(find_cell(r, r->kernels.v[k], fs, scenario)));
	puts(" |");
	return true;
}

static void markdown_table(const struct run *r)
{
	fputs("| scenario | file system", stdout);
	for (size_t k = 0; k < r->kernels.n; k++) {
		fputs(" | ", stdout);
		put_markdown(r->kernels.v[k]);
	}
	fputs(" |\n|---|---", stdout);
	for (size_t k = 0; k < r->kernels.n; k++)
		fputs("|---", stdout);
	puts("|");
	for (size_t s = 0; s < r->scenarios.n; s++)
		for (size_t f = 0; f < r->fs.n; f++)
			markdown_row(r, r->scenarios.v[s], r->fs.v[f]);
}

static void markdown_details(const struct run *r)
{
	size_t n = 0;

	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (c->verdict == PASS || (c->control && cell_ok(c)) || ++n > SHOWN_CELLS)
			continue;
		printf("- %s `", markdown_word(c));
		put_ktap(c->path);
		fputs("`: ", stdout);
		put_markdown(c->reason);
		if (*stability(c))
			printf(", %s", stability(c));
		putchar('\n');
	}
	if (n > SHOWN_CELLS)
		printf("- and %zu more\n", n - SHOWN_CELLS);
}

static void markdown_crashes(const struct run *r)
{
	struct crash *crashes;
	size_t n = group_crashes(r, &crashes);

	if (n)
		puts("\n| the kernel said | cells | first |\n|---|---|---|");
	for (size_t i = 0; i < n; i++) {
		fputs("| ", stdout);
		put_markdown(crashes[i].title);
		printf("%s | %zu | ", crashes[i].follow ? " (follows)" : "", crashes[i].cells);
		put_markdown(crashes[i].first->path);
		puts(" |");
	}
}

void format_markdown(const struct run *r)
{
	printf("## daxpin: ");
	for (int v = 0; v < VERDICTS; v++)
		printf("%s%zu %s", v ? ", " : "", count_of(r, NULL, false, v), verdict_words[v]);
	printf("\n\nControls: %zu of %zu tripped.\n\n", count_of(r, NULL, true, PASS),
	       count_of(r, NULL, true, VERDICTS));
	markdown_table(r);
	putchar('\n');
	markdown_details(r);
	markdown_crashes(r);
	if (r->diff) {
		putchar('\n');
		diff_markdown(r->diff);
	}
}
