// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run as one page without anything from elsewhere.
 *
 * The map is written as HTML, to be read without script and printed.  What a cell has of
 * evidence goes in as JSON, and vm/html/report.js shows it.  Style and script are the files
 * of vm/html, put into this program by the assembler.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "diff.h"
#include "formats.h"
#include "html/embedded.h"
#include "record.h"

#define EXCERPT_LINES	400
#define EXCERPT_BYTES	32768

/* The text of a file, and a NUL. */
#define EMBED(name, file)						\
	asm(".pushsection .rodata\n"					\
	    ".global " #name "\n"					\
	    #name ": .incbin \"" file "\"\n"				\
	    ".byte 0\n"							\
	    ".popsection\n")

EMBED(html_css, "vm/html/report.css");
EMBED(html_js, "vm/html/report.js");
EMBED(html_head, "vm/html/head.html");
EMBED(html_filters, "vm/html/filters.html");

static void put(const char *s)
{
	fputs(s, stdout);
}

static void put_html(const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			put("&amp;");
		else if (*s == '<')
			put("&lt;");
		else if (*s == '>')
			put("&gt;");
		else if (*s == '"')
			put("&quot;");
		else
			putchar(*s);
	}
}

/* <NAME>TEXT</NAME> */
static void put_element(const char *name, const char *s)
{
	printf("<%s>", name);
	put_html(s);
	printf("</%s>", name);
}

/* In a script element only "<" could end it; as an escape it is the same JSON. */
static void put_data(json_t *o)
{
	char *s = need(json_dumps(need(o), JSON_COMPACT));

	for (const char *p = s; *p; p++) {
		if (strchr("<>&", *p))
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	free(s);
	json_decref(o);
}

static json_t *word(const char *s)
{
	return s ? need(json_string(s)) : json_null();
}

/* Data */

/* "NAME ARGUMENT" of the run's file "kernels": what -k was given for it. */
static const char *kernel_argument(const struct cell *c)
{
	static const char *last_kernel, *last;
	char line[1024], *arg;
	FILE *f;

	if (last_kernel && !strcmp(last_kernel, c->kernel))
		return last;
	last_kernel = c->kernel;
	last = c->kernel;
	f = c->dir ? fopen(text("%s/kernels", c->dir), "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		arg = strchr(line, ' ');
		if (!arg)
			continue;
		*arg = '\0';
		if (!strcmp(line, c->kernel))
			last = need(strdup(arg + 1));
	}
	if (f)
		fclose(f);
	return last;
}

static json_t *json_row(const struct row *r)
{
	json_t *said = json_array();

	for (size_t i = 0; i < r->said.n; i++)
		json_array_append_new(said, word(r->said.v[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", r->name, "state",
			 row_words[r->state], "text", r->text, "said", said, "events",
			 json_events(r));
}

static json_t *json_splat(const struct splat *s)
{
	return json_pack("{s:s, s:s, s:s, s:b}", "state", splat_words[s->state], "title",
			 s->title, "signature", s->signature, "follow", s->follow);
}

/* What a person reads of a cell first; with symbols, if somebody has looked them up. */
static json_t *json_excerpt(const struct cell *c, bool *symbols)
{
	const char *file = text("%s/%s/trace", c->dir ?: "", c->path);
	struct list lines = {};
	size_t size = 0;
	char *all;
	FILE *f;

	*symbols = c->dir && !access(file, R_OK);
	if (!c->dir || (c->verdict == PASS && !c->control && !c->nsplats))
		return json_null();
	read_text(*symbols ? file : text("%s/%s/judge.log", c->dir, c->path), &lines);
	f = need(open_memstream(&all, &size));
	for (size_t i = 0; i < lines.n && i < EXCERPT_LINES; i++) {
		fprintf(f, "%s\n", lines.v[i]);
		if (ftell(f) > EXCERPT_BYTES)
			break;
	}
	fclose(f);
	return size ? word(all) : json_null();
}

static json_t *json_cell(const struct cell *c)
{
	json_t *rows = json_array(), *splats = json_array(), *o, *excerpt;
	bool symbols;

	for (size_t i = 0; i < c->nrows; i++)
		json_array_append_new(rows, json_row(&c->rows[i]));
	for (size_t i = 0; i < c->nsplats; i++)
		json_array_append_new(splats, json_splat(&c->splats[i]));
	excerpt = json_excerpt(c, &symbols);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:o}",
		      "path", c->path, "kernel", c->kernel, "fs", c->fs, "scenario", c->scenario,
		      "arg", kernel_argument(c), "control", c->control, "verdict",
		      verdict_words[c->verdict], "reason", c->reason, "stability", stability(c),
		      "ms", (json_int_t)c->ms, "symbols", symbols, "rows", rows, "splats", splats,
		      "excerpt", excerpt);
	json_object_set_new(need(o), "machine", word(c->machine));
	json_object_set_new(o, "version", word(c->version));
	json_object_set_new(o, "promise", word(c->promise));
	json_object_set_new(o, "folder",
			    c->dir ? word(text("%s/%s", c->dir, c->path)) : json_null());
	return o;
}

static json_t *json_issue(const struct conf *c)
{
	return json_pack("{s:s, s:s, s:s}", "reason", c->comment ?: "", "kernel",
			 conf_get(c, "kernel"), "reference", conf_get(c, "reference"));
}

/* The known issues of the run, as they were when it began. */
static json_t *json_known(const struct run *r)
{
	struct conf_set known = {};
	json_t *all = json_object();

	conf_known_read(text("%s/known", r->dir), &known);
	for (size_t i = 0; i < known.n; i++)
		json_object_set_new(all, known.v[i]->name,
				    json_issue(known.v[i]));
	return all;
}

static json_t *json_diff(const struct diff *d)
{
	json_t *items = json_array();

	if (!d)
		return json_null();
	for (size_t i = 0; i < d->n; i++) {
		const struct difference *x = &d->v[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "change", change_words[x->change],
				      "cell", x->cell, "before", x->before, "after", x->after);

		json_object_set_new(o, "what", word(x->what));
		json_array_append_new(items, o);
	}
	return json_pack("{s:s, s:s, s:o}", "from", d->from, "to", d->to, "items", items);
}

static json_t *json_page(const struct run *r)
{
	json_t *cells = json_array();

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(cells, json_cell(&r->cells[i]));
	return json_pack("{s:o, s:o, s:o}", "cells", cells, "known", json_known(r), "diff",
			 json_diff(r->diff));
}

/* The page */

static void page_counts(const struct run *r)
{
	size_t rows = 0;

	for (size_t i = 0; i < r->n; i++)
		rows += r->cells[i].control ? 0 : r->cells[i].nrows;
	put("<ul class=\"counts\">\n");
	for (int v = 0; v < VERDICTS; v++)
		printf("<li class=\"verdict %s%s\">%zu %s</li>\n", verdict_words[v],
		       count_of(r, NULL, false, v) ? "" : " zero", count_of(r, NULL, false, v),
		       verdict_words[v]);
	printf("</ul>\n<p>%zu rows; controls: %zu of %zu tripped</p>\n", rows,
	       count_of(r, NULL, true, PASS), count_of(r, NULL, true, VERDICTS));
}

static void page_filters(const struct run *r)
{
	put(html_filters);
	for (int v = 0; v < VERDICTS; v++)
		printf("<label><input type=\"checkbox\" value=\"%s\" checked> %s</label>\n",
		       verdict_words[v], verdict_words[v]);
	put("</fieldset>\n");
	if (r->diff)
		put("<label><input type=\"checkbox\" id=\"changed\"> only what changed</label>\n");
	put("<span id=\"shown\" class=\"soft\" role=\"status\"></span>\n</div>\n");
	put("<div role=\"tablist\" aria-label=\"Kernels\">\n");
	for (size_t k = 0; k < r->kernels.n; k++) {
		printf("<button role=\"tab\" id=\"tab-%zu\" aria-controls=\"panel-%zu\"", k, k);
		printf(" aria-selected=\"%s\" data-kernel=\"", k ? "false" : "true");
		put_html(r->kernels.v[k]);
		put("\">");
		put_html(r->kernels.v[k]);
		put("</button>\n");
	}
	put("</div>\n</div>\n");
}

static const char *change_of(const struct run *r, const struct cell *c)
{
	for (size_t i = 0; r->diff && i < r->diff->n; i++)
		if (!strcmp(r->diff->v[i].cell, c->path) && !r->diff->v[i].what)
			return change_words[r->diff->v[i].change];
	return NULL;
}

static void page_cell(const struct run *r, const struct cell *c)
{
	const char *change;
	size_t failed = 0;

	if (!c) {
		put("<td class=\"none\" aria-label=\"not planned\">–</td>");
		return;
	}
	for (size_t i = 0; i < c->nrows; i++)
		failed += c->rows[i].state != ROW_OK && c->rows[i].state != ROW_SKIP;
	printf("<td><a class=\"%s\" href=\"#cell-%zu\" data-cell=\"%zu\" aria-label=\"",
	       verdict_words[c->verdict], c - r->cells, c - r->cells);
	put_html(c->scenario);
	put(" on ");
	put_html(c->fs);
	printf(": %s\">%s<small>", verdict_words[c->verdict], verdict_words[c->verdict]);
	change = change_of(r, c);
	if (change)
		printf("%s, ", change);
	if (failed)
		printf("%zu of %zu rows", failed, c->nrows);
	else
		printf("%zu rows", c->nrows);
	put("</small></a></td>");
}

static bool planned(const struct run *r, const char *kernel, const char *scenario)
{
	for (size_t f = 0; f < r->fs.n; f++)
		if (find_cell(r, kernel, r->fs.v[f], scenario))
			return true;
	return false;
}

static void page_controls(const struct run *r, const char *kernel)
{
	size_t tripped = count_of(r, kernel, true, PASS), of = count_of(r, kernel, true, VERDICTS);

	printf("<details%s><summary>Controls: %zu of %zu tripped</summary>\n",
	       tripped == of ? "" : " open", tripped, of);
	put("<table class=\"map\"><tbody>\n");
	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (!c->control || strcmp(c->kernel, kernel))
			continue;
		put("<tr><th scope=\"row\">");
		put_html(c->scenario);
		put("</th>");
		page_cell(r, c);
		put("</tr>\n");
	}
	put("</tbody></table></details>\n");
}

static void page_map(const struct run *r, size_t k)
{
	const char *kernel = r->kernels.v[k];

	printf("<div role=\"tabpanel\" id=\"panel-%zu\" aria-labelledby=\"heading-%zu\">\n", k, k);
	printf("<h2 id=\"heading-%zu\">", k);
	put_html(kernel);
	put("</h2>\n<table class=\"map\">\n<thead><tr><th scope=\"col\">scenario</th>");
	for (size_t f = 0; f < r->fs.n; f++)
		put_element("th scope=\"col\"", r->fs.v[f]);
	put("</tr></thead>\n<tbody>\n");
	for (size_t s = 0; s < r->scenarios.n; s++) {
		if (!planned(r, kernel, r->scenarios.v[s]))
			continue;
		put("<tr><th scope=\"row\">");
		put_html(r->scenarios.v[s]);
		put("</th>");
		for (size_t f = 0; f < r->fs.n; f++)
			page_cell(r, find_cell(r, kernel, r->fs.v[f], r->scenarios.v[s]));
		put("</tr>\n");
	}
	put("</tbody></table>\n");
	if (count_of(r, kernel, true, VERDICTS))
		page_controls(r, kernel);
	put("</div>\n");
}

/* A table begins, with these columns. */
static void put_table(const char *const *columns, const char *id)
{
	printf("<table class=\"list\"%s%s%s><thead><tr>", id ? " id=\"" : "", id ?: "",
	       id ? "\"" : "");
	for (; *columns; columns++)
		put_element("th scope=\"col\"", *columns);
	put("</tr></thead><tbody>\n");
}

static void page_crashes(const struct run *r)
{
	struct crash *crashes;
	size_t n = group_crashes(r, &crashes);

	if (!n)
		return;
	put("<h2>What the kernel said</h2>\n");
	put_table((const char *[]){ "title", "cells", "first", NULL }, NULL);
	for (size_t i = 0; i < n; i++) {
		put("<tr><td>");
		put_html(crashes[i].title);
		printf("%s</td><td>%zu</td><td><a href=\"#cell-%zu\">",
		       crashes[i].follow ? " (follows another)" : "", crashes[i].cells,
		       crashes[i].first - r->cells);
		put_html(crashes[i].first->path);
		put("</a></td></tr>\n");
	}
	put("</tbody></table>\n");
}

static void page_difference(const struct run *r, const struct difference *x)
{
	const struct cell *c = r->cells;

	while (c < r->cells + r->n && strcmp(c->path, x->cell))
		c++;
	printf("<tr><td>%s</td><td>", change_words[x->change]);
	if (c < r->cells + r->n)
		printf("<a href=\"#cell-%zu\">", c - r->cells);
	put_html(x->cell);
	put(c < r->cells + r->n ? "</a></td><td>" : "</td><td>");
	put_html(x->what ?: "");
	printf("</td><td>%s → %s</td></tr>\n", x->before, x->after);
}

static void page_diff(const struct run *r)
{
	if (!r->diff)
		return;
	put("<h2>Compared with ");
	put_html(r->diff->from);
	printf("</h2>\n<p>%zu cells compared, %zu differences</p>\n", r->diff->compared,
	       r->diff->n);
	put_table((const char *[]){ "change", "cell", "row or splat", "before and after", NULL },
		  "diff");
	for (int change = 0; change < CHANGES; change++)
		for (size_t i = 0; i < r->diff->n; i++)
			if ((int)r->diff->v[i].change == change)
				page_difference(r, &r->diff->v[i]);
	put("</tbody></table>\n");
}

/* What is not as expected, for paper and for who has no script. */
static void page_reasons(const struct run *r)
{
	put("<h2>What is not pass</h2>\n<table class=\"list\"><tbody>\n");
	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		if (c->verdict == PASS)
			continue;
		printf("<tr><td><span class=\"verdict %s\">%s</span></td>",
		       verdict_words[c->verdict], verdict_words[c->verdict]);
		printf("<td><a href=\"#cell-%zu\">", c - r->cells);
		put_html(c->path);
		put("</a></td><td>");
		put_html(c->reason);
		if (*stability(c))
			printf(", %s", stability(c));
		put("</td></tr>\n");
	}
	put("</tbody></table>\n");
}

/* By which rows, as far as a person wants to know; the file has them all. */
static void score_by(const json_t *by)
{
	const json_t *first = json_array_get(by, 0);
	const char *row = json_string_value(json_object_get(first, "row"));
	const char *how = json_string_value(json_object_get(first, "how"));

	if (how) {
		put_html(row ?: "the kernel's log");
		put(": ");
		put_html(how);
	}
	if (json_array_size(by) > 1)
		printf(", and %zu more", json_array_size(by) - 1);
}

/* One line of `score -j`. */
static void score_line(const json_t *o)
{
	static const char *const keys[] = { "fault", "promise", "kernel", "state", "reason" };
	const char *v[ARRAY_SIZE(keys)];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		v[i] = json_string_value(json_object_get(o, keys[i])) ?: "";
	put("<tr>");
	for (size_t i = 0; i < ARRAY_SIZE(keys) - 1; i++)
		put_element("td", v[i]);
	put("<td>");
	score_by(json_object_get(o, "by"));
	put_html(v[ARRAY_SIZE(keys) - 1]);
	put("</td></tr>\n");
}

/* The bugs that were seeded in this run, or in the last one that any were seeded in. */
static void page_score(const struct run *r)
{
	static const char *const columns[] = {
		"bug", "promise that it breaks", "kernel", "state", "noticed by", NULL
	};
	FILE *f = r->dir ? fopen(text("%s/score.json", r->dir), "re") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (!f && r->dir)
		f = fopen(text("%s/../score.json", r->dir), "re");
	if (!f)
		return;
	put("<h2>Seeded bugs, and what noticed them</h2>\n");
	put_table(columns, "score");
	while (getline(&line, &size, f) > 0) {
		json_t *o = json_loads(line, 0, NULL);

		if (o)
			score_line(o);
		json_decref(o);
	}
	put("</tbody></table>\n");
	free(line);
	fclose(f);
}

static void page_head(const struct run *r)
{
	put(html_head);
	put_element("title", text("daxpin: %s", run_name(r)));
	put("\n<style>\n");
	put(html_css);
	put("</style>\n</head>\n<body>\n<main>\n");
	put("<a class=\"skip-link\" href=\"#detail\">To the evidence</a>\n");
	put_element("h1", text("daxpin: %s", run_name(r)));
	putchar('\n');
}

void format_html(const struct run *r)
{
	page_head(r);
	page_counts(r);
	page_filters(r);
	for (size_t k = 0; k < r->kernels.n; k++)
		page_map(r, k);
	put("<div id=\"detail\" aria-live=\"polite\"></div>\n");
	page_diff(r);
	page_crashes(r);
	page_reasons(r);
	page_score(r);
	put("</main>\n");
	put("<script type=\"application/json\" id=\"data\">");
	put_data(json_page(r));
	put("</script>\n<script>\n");
	put(html_js);
	put("</script>\n</body>\n</html>\n");
}
