/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions of the kernel that are diverted, each for as long as an open file lives. */
#ifndef DAXPIN_FAULT_H
#define DAXPIN_FAULT_H

struct fault;

/* See daxpin_uapi.h. */
long fault_arm(struct fault **held, void __user *arg);
long fault_hits(const struct fault *f, void __user *arg);
long fault_reached(struct fault *f, unsigned long ms);
long fault_resume(struct fault *f);

/* NULL is fine. */
void fault_disarm(struct fault *f);

#endif
