/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of this folder, as html.c puts them into the program. */
#ifndef DAXPIN_EMBEDDED_H
#define DAXPIN_EMBEDDED_H

extern const char html_css[], html_js[], html_head[], html_filters[];

#endif
