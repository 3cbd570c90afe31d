/* SPDX-License-Identifier: GPL-2.0-only */
/* What a run is printed as, on standard output; docs/daxpin.1 says what each holds. */
#ifndef DAXPIN_FORMATS_H
#define DAXPIN_FORMATS_H

#include <jansson.h>

struct row;
struct run;

void format_text(const struct run *r);
void format_ktap(const struct run *r);
void format_junit(const struct run *r);
void format_jsonl(const struct run *r);
void format_kcidb(const struct run *r);
void format_markdown(const struct run *r);
void format_html(const struct run *r);

/* The events of a row, in their order. */
json_t *json_events(const struct row *r);

/* @s as a word of a Markdown table. */
void put_markdown(const char *s);

#endif
