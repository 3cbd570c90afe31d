// SPDX-License-Identifier: GPL-2.0-only
/* Text and lists of lines. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

void *need(void *p)
{
	if (p)
		return p;
	perror(program_invocation_short_name);
	exit(2);
}

char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		need(NULL);
	va_end(ap);
	return s;
}

void add(struct list *l, const char *s)
{
	/* Twice as much whenever it is full: at powers of two. */
	if (!(l->n & (l->n - 1)))
		l->v = need(reallocarray(l->v, l->n ? 2 * l->n : 1, sizeof(*l->v)));
	l->v[l->n++] = s;
}

void add_once(struct list *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return;
	add(l, s);
}

const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

const char *get(const struct list *l, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < l->n && !value; i++)
		value = value_of(l->v[i], key);
	return value;
}
