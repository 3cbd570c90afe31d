/* SPDX-License-Identifier: GPL-2.0-only */
/* What a row says to the host: lines of its report, as they come. */
#ifndef DAXPIN_SAYS_H
#define DAXPIN_SAYS_H

/* Watch ktap.log in the current folder, which must exist, from its start: 0 or -errno. */
int says_open(void);

/* A descriptor that is readable when there is something new; -1: nobody watches. */
int says_fd(void);

/* Call @said for each whole line, without its end, that has come since the last call. */
void says_read(void (*said)(const char *line));

#endif
