/* SPDX-License-Identifier: GPL-2.0-only */
/* The interfaces that pin for the long term, for the files of this folder alone. */
#ifndef DP_LONGTERM_H
#define DP_LONGTERM_H

#include "dp.h"

#define LONGTERM_WAIT_MS	10000	/* for a device that nothing holds back */

/* What dp_longterm_*() are for one interface; ctx is its own. */
struct longterm_ops {
	int	(*open)(struct dp_longterm *l);
	void	(*close)(struct dp_longterm *l);
	int	(*pin)(struct dp_longterm *l);		/* l->addr and l->len are set */
	int	(*unpin)(struct dp_longterm *l);
	int	(*read)(struct dp_longterm *l, void *buf);
	int	(*write)(struct dp_longterm *l, const void *buf);	/* NULL: it only reads */
};

extern const struct longterm_ops longterm_rdma;
extern const struct longterm_ops longterm_xdp;

/* Have the loopback interface up. */
int longterm_lo_up(void);

#endif
