// SPDX-License-Identifier: GPL-2.0-only
/* The reader of runs; see record.h. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "record.h"
#include "title.h"

const char *const verdict_words[VERDICTS] = {
	[PASS] = "pass", [FAIL] = "fail", [SKIP] = "skip",
	[KNOWN] = "known", [FIXED] = "fixed", [LOST] = "lost",
};

const char *const row_words[ROW_STATES] = {
	[ROW_OK] = "ok", [ROW_FAILED] = "failed", [ROW_SKIP] = "skip",
	[ROW_KNOWN] = "known", [ROW_LOST] = "lost",
};

const char *const splat_words[SPLAT_STATES] = {
	[SPLAT_BAD] = "splat", [SPLAT_ALLOWED] = "splat-allowed", [SPLAT_KNOWN] = "splat-known",
};

__attribute__((format(printf, 3, 4)))
static __attribute__((noreturn)) void bad(const char *path, size_t line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%zu: ", path, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* Lines */

/* How many bytes of one UTF-8 character begin at @s, 0 when none does. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char	mask, lead;
		unsigned long	least;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		unsigned long c = *s & ~forms[i].mask;
		size_t n = 1;

		if ((*s & forms[i].mask) != forms[i].lead)
			continue;
		for (; n < i + 2 && (s[n] & 0xc0) == 0x80; n++)
			c = c << 6 | (s[n] & 0x3f);
		/* Nor C1 controls, surrogates, and what no XML may have. */
		return n == i + 2 && c >= forms[i].least && c >= 0xa0 && c <= 0x10ffff &&
		       (c < 0xd800 || c > 0xdfff) && (c & 0xfffe) != 0xfffe ? n : 0;
	}
	return 0;
}

/* One plain line of UTF-8. */
static char *plain(const char *line, size_t len)
{
	const unsigned char *s = (const unsigned char *)line, *end = s + len;
	size_t n;
	char *out, *to;

	for (n = 0; n < len && s[n] >= ' ' && s[n] < 0x7f; n++)
		;
	if (n == len)
		return need(strndup(line, len));
	out = need(malloc(4 * len + 1));
	to = out;
	for (; s < end; s += n) {
		n = *s >= ' ' && *s < 0x7f ? 1 : utf8_length(s);
		if (n) {
			memcpy(to, s, n);
			to += n;
		} else {
			n = 1;
			to += sprintf(to, *s == '\t' ? " " : "\\x%02x", *s);
		}
	}
	*to = '\0';
	return out;
}

/*
 * The lines of a file, without those of none; false when it does not end in a whole
 * one, or a line has a NUL.
 */
static bool read_lines(const char *path, struct list *l)
{
	FILE *f = fopen(path, "re");
	bool whole = false;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (f && (len = getline(&line, &size, f)) > 0) {
		whole = line[len - 1] == '\n' && strlen(line) == (size_t)len;
		if (!whole)
			break;
		add(l, plain(line, len - 1));
	}
	if (f)
		fclose(f);
	free(line);
	return whole;
}

void read_text(const char *path, struct list *l)
{
	read_lines(path, l);
}

static size_t get_number(const struct list *l, const char *key)
{
	const char *value = get(l, key);

	return value ? strtoul(value, NULL, 10) : 0;
}

static int find_word(const char *const *words, int n, const char *word, size_t len)
{
	int i = 0;

	while (i < n && (strlen(words[i]) != len || strncmp(words[i], word, len)))
		i++;
	return i;
}

/* A cell's folder */

static char *path_in(const struct cell *c, const char *file)
{
	return text("%s/%s/%s", c->dir, c->path, file);
}

/* What was planned, or NULL when it cannot be read. */
static struct conf *read_plan(const struct cell *c)
{
	char *path;

	if (!c->dir)
		return NULL;
	path = path_in(c, "cell");
	return access(path, R_OK) ? NULL : conf_read(path, CONF_CELL);
}

static struct row *new_row(struct cell *c)
{
	if (!(c->nrows & (c->nrows - 1)))
		c->rows = need(reallocarray(c->rows, c->nrows ? 2 * c->nrows : 1,
					    sizeof(*c->rows)));
	c->rows[c->nrows] = (struct row){ .text = "" };
	return &c->rows[c->nrows++];
}

/* "STATE NAME", and for some ": TEXT"; a state that is not known has no evidence. */
static void read_row(struct cell *c, const char *value)
{
	const char *name = value + strcspn(value, " "), *why;
	struct row *r = new_row(c);

	r->state = find_word(row_words, ROW_STATES, value, name - value);
	if (r->state == ROW_STATES)
		r->state = ROW_LOST;
	name += *name == ' ';
	why = strstr(name, ": ");
	r->name = why ? need(strndup(name, why - name)) : name;
	r->text = why ? why + 2 : "";
}

static struct splat *new_splat(struct cell *c, enum splat_state state, const char *signature)
{
	struct splat *s;

	c->splats = need(reallocarray(c->splats, c->nsplats + 1, sizeof(*c->splats)));
	s = &c->splats[c->nsplats];
	*s = (struct splat){ .signature = signature, .state = state,
			     .title = need(splat_title(signature, NULL, 0)) };
	for (size_t i = 0; i < c->nsplats; i++)
		s->follow |= c->splats[i].state != SPLAT_ALLOWED && state != SPLAT_ALLOWED;
	c->nsplats++;
	return s;
}

/* "splat SIGNATURE", and from newer judges "title first|follow TITLE" after it. */
static void read_splat(struct cell *c, const char *line)
{
	const char *signature, *title = value_of(line, "title");

	for (int i = 0; i < SPLAT_STATES; i++) {
		signature = value_of(line, splat_words[i]);
		if (signature)
			new_splat(c, i, signature);
	}
	if (!title || !c->nsplats)
		return;
	c->splats[c->nsplats - 1].follow = !strncmp(title, "follow ", 7);
	c->splats[c->nsplats - 1].title = title + strcspn(title, " ") +
					  (title[strcspn(title, " ")] == ' ');
}

/* A verdict that was cut off lacks its reason, or some of its rows. */
static void read_cell(struct cell *c)
{
	const char *path = path_in(c, "verdict"), *word, *rows, *row;
	struct list lines = {}, guest = {};
	bool whole = read_lines(path, &lines);
	struct conf *plan;

	word = get(&lines, "verdict");
	rows = get(&lines, "rows");
	c->reason = get(&lines, "reason");
	c->control = get(&lines, "control");
	c->runs = get_number(&lines, "runs");
	c->bad = get_number(&lines, "bad");
	c->hits = get_number(&lines, "hits");
	for (size_t i = 0; i < lines.n; i++) {
		row = value_of(lines.v[i], "row");
		if (row)
			read_row(c, row);
		else
			read_splat(c, lines.v[i]);
	}
	c->verdict = word ? find_word(verdict_words, VERDICTS, word, strlen(word)) : VERDICTS;
	if (!whole || c->verdict == VERDICTS || !c->reason || !rows ||
	    strtoul(rows, NULL, 10) != c->nrows) {
		c->verdict = LOST;
		c->reason = access(path, F_OK) ? "no verdict" : "verdict is not whole";
		/* A control that was never judged is still a control. */
		plan = read_plan(c);
		c->control |= plan && conf_get(plan, "verdict");
	}
	read_lines(path_in(c, "guest"), &guest);
	c->ms = get_number(&guest, "total_ms");
}

/* Cut "KERNEL/FS/SCENARIO" into its three names. */
static bool split_path(struct cell *c, const char *path)
{
	char *rest = need(strdup(path));

	c->path = path;
	c->kernel = strsep(&rest, "/");
	c->fs = strsep(&rest, "/");
	c->scenario = rest;
	return c->scenario && *c->kernel && *c->fs && *c->scenario && !strchr(c->scenario, '/') &&
	       strcmp(c->kernel, "..") && strcmp(c->fs, "..") && strcmp(c->scenario, "..");
}

static struct cell *new_cell(struct run *r)
{
	if (!(r->n & (r->n - 1)))
		r->cells = need(reallocarray(r->cells, r->n ? 2 * r->n : 1, sizeof(*r->cells)));
	r->cells[r->n] = (struct cell){ .reason = "no verdict", .verdict = LOST };
	return &r->cells[r->n++];
}

static __attribute__((noreturn)) void bad_cell(const char *file, size_t i, const char *what,
					       const char *path)
{
	bad(file, i + 1, "%s '%s', expected KERNEL/FS/SCENARIO, once", what, path);
}

static void read_folder(struct run *r, const char *dir)
{
	char *path = text("%s/cells", dir);
	struct list lines = {};
	bool whole = read_lines(path, &lines);

	if (access(path, R_OK)) {
		fprintf(stderr, "%s: %s, expected a run\n", path, strerror(errno));
		exit(2);
	}
	/* An empty list is a run of nothing; half a line is a list cut off. */
	if (lines.n && !whole)
		bad_cell(path, lines.n, "half a cell after", lines.v[lines.n - 1]);
	for (size_t i = 0; i < lines.n; i++) {
		struct cell *c = new_cell(r);

		if (!split_path(c, lines.v[i]))
			bad_cell(path, i, "bad cell", lines.v[i]);
		c->dir = dir;
		read_cell(c);
	}
}

/* A file of `report -f jsonl` */

static const char *json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? plain(s, strlen(s)) : NULL;
}

static int json_word(const json_t *o, const char *key, const char *const *words, int n)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? find_word(words, n, s, strlen(s)) : n;
}

static void json_cell(struct run *r, const json_t *o, const char *path, size_t line)
{
	const char *name = json_text(o, "cell");
	struct cell *c = new_cell(r);

	if (!name || !split_path(c, name))
		bad_cell(path, line, "bad cell", name ?: "");
	c->verdict = json_word(o, "verdict", verdict_words, VERDICTS);
	c->reason = json_text(o, "reason");
	if (c->verdict == VERDICTS || !c->reason)
		bad(path, line + 1, "a cell without verdict or reason, expected both");
	c->control = json_is_true(json_object_get(o, "control"));
	c->machine = json_text(o, "machine");
	c->promise = json_text(o, "promise");
	c->release = json_text(o, "release");
	c->version = json_text(o, "version");
	c->runs = json_integer_value(json_object_get(o, "runs"));
	c->bad = json_integer_value(json_object_get(o, "bad"));
	c->ms = json_integer_value(json_object_get(json_object_get(o, "time"), "ms"));
}

/* Rows and splats come after their cell. */
static struct cell *json_owner(struct run *r, const json_t *o, const char *path, size_t line)
{
	const char *name = json_string_value(json_object_get(o, "cell"));
	struct cell *c = r->n ? &r->cells[r->n - 1] : NULL;

	if (!c || !name || strcmp(c->path, name))
		bad(path, line + 1, "'%s' comes before its cell, expected it after", name ?: "");
	return c;
}

static void json_row(struct run *r, const json_t *o, const char *path, size_t line)
{
	struct row *row = new_row(json_owner(r, o, path, line));

	row->name = json_text(o, "row") ?: "";
	row->text = json_text(o, "text") ?: "";
	row->state = json_word(o, "state", row_words, ROW_STATES);
	if (row->state == ROW_STATES)
		bad(path, line + 1, "no state, expected ok, failed, skip, known or lost");
}

static void json_splat(struct run *r, const json_t *o, const char *path, size_t line)
{
	int state = json_word(o, "state", splat_words, SPLAT_STATES);
	const char *signature = json_text(o, "signature"), *title = json_text(o, "title");
	struct splat *s;

	if (state == SPLAT_STATES || !signature)
		bad(path, line + 1, "a splat without state or signature, expected both");
	s = new_splat(json_owner(r, o, path, line), state, signature);
	s->title = title ?: s->title;
	s->follow = json_is_true(json_object_get(o, "follow"));
}

static void json_line(struct run *r, const json_t *o, const char *path, size_t line)
{
	const char *type = json_string_value(json_object_get(o, "type"));

	if (!type)
		bad(path, line + 1, "no type, expected an object of 'report -f jsonl'");
	if (!strcmp(type, "cell"))
		json_cell(r, o, path, line);
	else if (!strcmp(type, "row"))
		json_row(r, o, path, line);
	else if (!strcmp(type, "splat"))
		json_splat(r, o, path, line);
	else if (strcmp(type, "run") && strcmp(type, "summary"))
		bad(path, line + 1, "type '%s', expected run, cell, row, splat or summary", type);
}

static void read_file(struct run *r, const char *path)
{
	FILE *f = fopen(path, "re");
	char *buf = NULL;
	size_t size = 0, line = 0;
	bool ended = false;
	json_error_t error;

	if (!f) {
		fprintf(stderr, "%s: %s, expected a run or a file of 'report -f jsonl'\n", path,
			strerror(errno));
		exit(2);
	}
	for (; getline(&buf, &size, f) > 0; line++) {
		json_t *o = json_loads(buf, 0, &error);

		if (!o)
			bad(path, line + 1, "%s, expected one JSON object a line", error.text);
		ended = !strcmp(json_string_value(json_object_get(o, "type")) ?: "", "summary");
		json_line(r, o, path, line);
		json_decref(o);
	}
	fclose(f);
	free(buf);
	if (!ended)
		bad(path, line + 1, "the end, expected a summary: the file is cut off");
}

/* All of them */

static int compare_paths(const void *a, const void *b)
{
	const struct cell *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static void index_cells(struct run *r)
{
	r->by_path = need(calloc(r->n + 1, sizeof(struct cell *)));
	for (size_t i = 0; i < r->n; i++)
		r->by_path[i] = &r->cells[i];
	qsort(r->by_path, r->n, sizeof(struct cell *), compare_paths);
}

static struct cell *find_path(const struct run *r, const char *path)
{
	struct cell key = { .path = path }, *k = &key, **hit;

	hit = bsearch(&k, r->by_path, r->n, sizeof(struct cell *), compare_paths);
	return hit ? *hit : NULL;
}

const struct cell *find_cell(const struct run *r, const char *kernel, const char *fs,
			     const char *scenario)
{
	char path[1024];

	if (snprintf(path, sizeof(path), "%s/%s/%s", kernel, fs, scenario) >= (int)sizeof(path))
		return NULL;
	return find_path(r, path);
}

int verdict_rank(enum verdict v)
{
	static const int ranks[VERDICTS] = {
		[SKIP] = 0, [PASS] = 1, [KNOWN] = 2, [FIXED] = 3, [LOST] = 4, [FAIL] = 5,
	};

	return ranks[v];
}

/* The cells of one folder are named once. */
static void check_once(const struct run *r, const char *path)
{
	for (size_t i = 1; i < r->n; i++)
		if (!compare_paths(&r->by_path[i - 1], &r->by_path[i]))
			bad_cell(text("%s/cells", path),
				 (size_t)((r->by_path[i] > r->by_path[i - 1] ?
					   r->by_path[i] : r->by_path[i - 1]) - r->cells),
				 "again", r->by_path[i]->path);
}

/*
 * Where the cells of a shard are in the whole: the file "plan" of its folder; without one
 * the shard is all there is.
 */
static bool read_whole_plan(const char *dir, struct list *plan)
{
	char *path = text("%s/plan", dir);
	bool is = read_lines(path, plan);

	free(path);
	return is;
}

static void merge_cell(struct run *whole, const struct cell *c)
{
	struct cell *have = find_path(whole, c->path);

	if (!have)
		bad_cell(text("%s/plan", c->dir ?: whole->dir), 0, "not planned:", c->path);
	if (!have->dir || verdict_rank(c->verdict) > verdict_rank(have->verdict))
		*have = *c;
}

/* Controls run in each shard, and count with the worst of it. */
static void merge(struct run *r, char *const *paths, size_t n)
{
	struct list plan = {};

	for (size_t i = 0; i < n; i++) {
		struct list other = {};

		if (!read_whole_plan(paths[i], &other))
			bad(text("%s/plan", paths[i]), 1, "nothing, expected the plan of a shard");
		for (size_t k = 0; k < other.n || k < plan.n; k++)
			if (i && (k >= other.n || k >= plan.n || strcmp(other.v[k], plan.v[k])))
				bad(text("%s/plan", paths[i]), k + 1,
				    "another plan than that of %s, expected shards of one run",
				    paths[0]);
		plan = other;
	}
	for (size_t i = 0; i < plan.n; i++)
		if (!split_path(new_cell(r), plan.v[i]))
			bad_cell(text("%s/plan", paths[0]), i, "bad cell", plan.v[i]);
	index_cells(r);
	check_once(r, paths[0]);
	for (size_t i = 0; i < n; i++) {
		struct run shard = { .dir = paths[i] };

		read_folder(&shard, paths[i]);
		for (size_t k = 0; k < shard.n; k++)
			merge_cell(r, &shard.cells[k]);
	}
	index_cells(r);
}

/* What the report is about, in the order of the cells. */
static void read_names(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		add_once(&r->kernels, c->kernel);
		if (c->control)
			continue;
		add_once(&r->scenarios, c->scenario);
		add_once(&r->fs, c->fs);
	}
}

void read_run(struct run *r, char *const *paths, size_t n)
{
	struct stat st;

	r->dir = paths[0];
	if (n > 1) {
		merge(r, paths, n);
	} else {
		if (!stat(paths[0], &st) && !S_ISDIR(st.st_mode))
			read_file(r, paths[0]);
		else
			read_folder(r, paths[0]);
		index_cells(r);
		check_once(r, paths[0]);
	}
	read_names(r);
}

void read_plans(struct run *r)
{
	for (struct cell *c = r->cells; c < r->cells + r->n; c++) {
		struct conf *plan = c->release ? NULL : read_plan(c);

		if (!plan)
			continue;
		c->machine = conf_get(plan, "machine");
		c->release = conf_get(plan, "release");
		c->version = conf_get(plan, "version") ?: c->release;
		c->promise = plan->comment ? plain(plan->comment, strlen(plan->comment)) : NULL;
	}
}

/* What rows have said */

/* "#  RUN           NAME ..." begins a row: NAME, or NULL. */
static char *row_begins(const char *line)
{
	const char *name = line + strlen("#  RUN ");
	size_t len;

	if (strncmp(line, "#  RUN ", strlen("#  RUN ")))
		return NULL;
	name += strspn(name, " ");
	len = strlen(name);
	return len > 4 && !strcmp(name + len - 4, " ...") ? need(strndup(name, len - 4)) : NULL;
}

/* "name=NANOSECONDS name=..." */
static void add_events(struct row *r, const char *s)
{
	char name[32];
	long long ns;
	int used;

	for (; sscanf(s, " %31[a-z_]=%lld%n", name, &ns, &used) == 2; s += used) {
		if (!ns)
			continue;	/* it did not happen */
		r->events = need(reallocarray(r->events, r->nevents + 1, sizeof(*r->events)));
		r->events[r->nevents++] = (struct event){ need(strdup(name)), ns };
	}
}

/* "# file:line:test:TEXT": TEXT; or what is after "#" and blanks, or NULL. */
static const char *said(const char *line)
{
	const char *colon = line;

	if (*line != '#' || !strncmp(line, "#  RUN ", 7) || !strncmp(line, "# init: ", 8))
		return NULL;
	for (int i = 0; i < 3 && colon; i++)
		colon = strchr(colon + 1, ':');
	line += 1 + strspn(line + 1, " ");
	return colon && !memchr(line, ' ', colon - line) ? colon + 1 : line;
}

static struct row *find_row(const struct cell *c, const char *name)
{
	for (struct row *r = c->rows; r < c->rows + c->nrows; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

static void read_tap(struct cell *c, const struct list *lines)
{
	struct row *now = NULL;

	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->v[i], *message = said(line);
		char *name = row_begins(line);

		if (name)
			now = find_row(c, name);
		else if (*line != '#')
			now = NULL;
		else if (now && message && !strncmp(message, "event: ", 7))
			add_events(now, message + 7);
		else if (now && message && *message)
			add(&now->said, message);
	}
}

void read_evidence(struct run *r)
{
	for (struct cell *c = r->cells; c < r->cells + r->n; c++) {
		struct list lines = {};

		if (!c->dir || !c->nrows)
			continue;
		read_lines(path_in(c, "ktap.log"), &lines);
		read_tap(c, &lines);
	}
}

/* Counting */

size_t count_of(const struct run *r, const char *kernel, bool control, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct cell *c = &r->cells[i];

		n += c->control == control && (!kernel || !strcmp(c->kernel, kernel)) &&
		     (v == VERDICTS || c->verdict == v);
	}
	return n;
}

static struct crash *find_crash(struct crash *all, size_t n, const char *title)
{
	for (struct crash *c = all; c < all + n; c++)
		if (!strcmp(c->title, title))
			return c;
	return NULL;
}

size_t group_crashes(const struct run *r, struct crash **crashes)
{
	struct crash *all = NULL, *have;
	size_t n = 0;

	for (const struct cell *c = r->cells; c < r->cells + r->n; c++) {
		for (const struct splat *s = c->splats; s < c->splats + c->nsplats; s++) {
			if (c->control || s->state != SPLAT_BAD)
				continue;
			have = find_crash(all, n, s->title);
			if (!have) {
				all = need(reallocarray(all, n + 1, sizeof(*all)));
				have = &all[n++];
				*have = (struct crash){ s->title, c, 0, true };
			}
			have->cells++;
			have->follow &= s->follow;
		}
	}
	*crashes = all;
	return n;
}

const char *stability(const struct cell *c)
{
	if (c->runs < 2 || !c->bad)
		return "";
	return text("fails %s (%zu of %zu)", c->bad == c->runs ? "always" : "sometimes", c->bad,
		    c->runs);
}

static size_t count(const struct run *r, bool control, enum verdict v)
{
	return count_of(r, NULL, control, v);
}

int exit_status(const struct run *r)
{
	if (count(r, true, PASS) != count(r, true, VERDICTS))
		return 3;
	if (count(r, false, FAIL) + count(r, false, FIXED))
		return 1;
	/* A run of controls alone has shown what it was asked to show. */
	if (!count(r, false, VERDICTS))
		return r->n ? 0 : 3;
	if (!count(r, false, PASS) && !count(r, false, KNOWN))
		return 3;
	return count(r, false, LOST) ? 3 : 0;
}

const char *run_name(const struct run *r)
{
	char *real = realpath(r->dir, NULL);
	const char *slash = strrchr(real ?: r->dir, '/');

	return slash ? slash + 1 : (real ?: r->dir);
}
