/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text and lists of lines, for programs that read a few files and end: memory lives as
 * long as the process, and when it is out that ends with status 2.
 */
#ifndef DAXPIN_LIST_H
#define DAXPIN_LIST_H

#include <stddef.h>

struct list {
	const char	**v;
	size_t		  n;
};

void *need(void *p);		/* p, or the end when memory is out */
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void add(struct list *l, const char *s);
void add_once(struct list *l, const char *s);

/* What follows @key and a blank in @line, or NULL. */
const char *value_of(const char *line, const char *key);

/* The value of @key in the first of @l that has it, or NULL. */
const char *get(const struct list *l, const char *key);

#endif
