// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who reaches into the memory of a process: the pages are taken, copied from or to,
 * and given back before the call returns.
 *
 * process_vm_readv(2) and process_vm_writev(2) take them by FOLL_PIN (mm/process_vm_access.c,
 * process_vm_rw_single_vec()), ptrace(2) and /proc/PID/mem by FOLL_GET and FOLL_FORCE
 * (mm/memory.c, __access_remote_vm()), with FOLL_WRITE to write, on every kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dp_holder.h"

#define STOP_WAIT_MS	10000	/* for the tracee to stop */

static int all_or_error(const struct dp_pin *p, ssize_t n)
{
	if (n < 0)
		return -errno;
	return n == (ssize_t)p->len ? 0 : -EIO;
}

int hold_vm(struct dp_pin *p)
{
	struct iovec ours = { .iov_base = p->data, .iov_len = p->len };
	struct iovec theirs = { .iov_base = p->addr, .iov_len = p->len };
	ssize_t n;

	if (pin_is(p, WRITES))
		n = process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0);
	else
		n = process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0);
	return all_or_error(p, n);
}

int hold_mem(struct dp_pin *p)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC), err;
	off_t off = (uintptr_t)p->addr;

	if (fd < 0)
		return -errno;
	if (pin_is(p, WRITES))
		err = all_or_error(p, pwrite(fd, p->data, p->len, off));
	else
		err = all_or_error(p, pread(fd, p->data, p->len, off));
	close(fd);
	return err;
}

/* The mapping is shared, so what is done to a child's copy of it is done to ours. */
static int be_traced(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static int stop(pid_t pid)
{
	long deadline = dp_now_ms() + STOP_WAIT_MS;
	int status;
	pid_t got;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		return -errno;
	while ((got = waitpid(pid, &status, WNOHANG | __WALL)) == 0) {
		if (dp_now_ms() > deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
	if (got < 0)
		return -errno;
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

/* A word at a time is all that ptrace has. */
static int access_words(const struct dp_pin *p)
{
	long word;

	for (size_t off = 0; off < p->len; off += sizeof(word)) {
		errno = 0;
		if (pin_is(p, WRITES)) {
			memcpy(&word, p->data + off, sizeof(word));
			ptrace(PTRACE_POKEDATA, p->child.pid, p->addr + off, word);
		} else {
			word = ptrace(PTRACE_PEEKDATA, p->child.pid, p->addr + off, 0);
			memcpy(p->data + off, &word, sizeof(word));
		}
		if (errno)
			return -errno;
	}
	return 0;
}

/* Its page tables must be gone as well, before anybody counts. */
int hold_ptrace(struct dp_pin *p)
{
	int err;

	err = dp_child_start(&p->child, be_traced, NULL);
	if (err)
		return err;
	err = stop(p->child.pid);
	if (!err)
		err = access_words(p);
	if (!dp_child_kill(&p->child) && !err)
		err = -ETIMEDOUT;
	return err;
}

int drop_nothing(struct dp_pin *p)
{
	return p->len;
}
