/* SPDX-License-Identifier: GPL-2.0-only */
/* What kernel people call a splat: "WARNING in dax_disassociate_entry". */
#ifndef DAXPIN_TITLE_H
#define DAXPIN_TITLE_H

#include <stddef.h>

/*
 * The title of the splat with this @signature (see splat_kinds in judge.c).  @lines are
 * the @n lines of the console from the splat on, which tell a read from a write and in
 * which function a task hangs; with none of them the title has what the signature has.
 * The caller owns it.
 */
char *splat_title(const char *signature, char *const *lines, size_t n);

#endif
