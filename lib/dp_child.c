// SPDX-License-Identifier: GPL-2.0-only
/* Children, and what can be seen of them from outside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dp.h"
#include "dp_holder.h"
#include "dp_module.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define LOOK_EVERY_MS	1
#define KILL_WAIT_MS	1000
#define POKE_WAIT_MS	1000
#define FREED_WAIT_MS	2000	/* to end, or to come to rest */

/* So many looks in a row that find the same sleep mean that nobody woke the task. */
#define STUCK_LOOKS	25
#define STUCK_EVERY_MS	5

/*
 * Functions that a task sleeps in while it waits for DAX pages to become idle,
 * and the state that it does so in: in the other one it waits for a lock there.
 * The first that the name begins with counts.
 */
static const struct {
	const char	*function;
	char		 task;
} layout_waits[] = {
	{ "ext4_break_layouts", 'S' },
	{ "ext4_wait_dax_page", 'S' },
	{ "xfs_break_dax_layouts", 'S' },
	{ "xfs_wait_dax_page", 'S' },
	{ "dax_break_layout_final", 'D' },	/* of an inode that goes: unlink, umount */
	{ "dax_break_layout", 'S' },
	{ "wait_page_idle_uninterruptible", 'D' },
	{ "wait_page_idle", 'S' },
};

static int arm(const char *function, enum daxpin_action action, enum daxpin_whose whose)
{
	struct daxpin_fault f = { .action = action, .whose = whose };

	snprintf(f.function, sizeof(f.function), "%s", function);
	return module_hold(DAXPIN_FAULT_ARM, &f);
}

int dp_divert(const char *function)
{
	return arm(function, DAXPIN_RETURN, DAXPIN_TASK);
}

int dp_pause(const char *function)
{
	return arm(function, DAXPIN_PAUSE, DAXPIN_SESSION);
}

int dp_pause_reached(int fd, unsigned int bound_ms)
{
	return ioctl(fd, DAXPIN_REACHED, (unsigned long)bound_ms) ? -errno : 0;
}

int dp_pause_resume(int fd)
{
	return ioctl(fd, DAXPIN_RESUME) ? -errno : 0;
}

static void child_main(pid_t parent, int *result, int (*fn)(void *), void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	*result = fn(arg);
	_exit(0);
}

int dp_child_start(struct dp_child *c, int (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid;
	int *result, fd, err;

	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		return -errno;
	*result = -EINTR;	/* until fn has returned */
	pid = fork();
	if (pid < 0) {
		err = -errno;
		goto err_unmap;
	}
	if (!pid)
		child_main(parent, result, fn, arg);
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		err = -errno;
		goto err_kill;
	}
	*c = (struct dp_child){ .pid = pid, .pidfd = fd, .result = result };
	/* On a single CPU it has got to where it waits when somebody looks for the first time. */
	sched_yield();
	return 0;

err_kill:
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
err_unmap:
	munmap(result, sizeof(*result));
	return err;
}

static void child_release(struct dp_child *c)
{
	close(c->pidfd);
	munmap(c->result, sizeof(*c->result));
	*c = (struct dp_child){ 0 };
}

static bool ended(const struct dp_child *c, unsigned int wait_ms)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	long left = wait_ms, deadline = dp_now_ms() + left;
	int n;

	do {
		n = poll(&p, 1, left);
		left = deadline - dp_now_ms();
	} while (n < 0 && errno == EINTR && left > 0);
	return n == 1;
}

static int read_text(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* io_uring/io-wq.c, io_wq_worker(), names them; they are threads of who made the ring. */
static bool is_uring_worker(pid_t tid)
{
	char comm[32];

	return !read_text(tid, "comm", comm, sizeof(comm)) &&
	       !strncmp(comm, "iou-wrk-", strlen("iou-wrk-"));
}

bool uring_worker_runs(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	bool runs = false;

	while (d && !runs && (e = readdir(d))) {
		pid_t tid = atoi(e->d_name);	/* 0 for "." and ".." */
		char wchan[32];

		runs = tid && is_uring_worker(tid) &&
		       !read_text(tid, "wchan", wchan, sizeof(wchan)) && !strcmp(wchan, "0");
	}
	if (d)
		closedir(d);
	return runs;
}

/* The state of a task that waits for DAX pages in @wchan, 0 when nobody does there. */
static char layout_wait(const char *wchan)
{
	for (size_t i = 0; i < ARRAY_SIZE(layout_waits); i++)
		if (!strncmp(wchan, layout_waits[i].function, strlen(layout_waits[i].function)))
			return layout_waits[i].task;
	return 0;
}

/* The state letter of /proc/PID/stat, or 0. */
static char task_letter(pid_t pid)
{
	char stat[512], *name_end;

	if (read_text(pid, "stat", stat, sizeof(stat)))
		return 0;
	name_end = strrchr(stat, ')');	/* the name before it may have anything in it */
	return name_end && name_end[1] ? name_end[2] : 0;
}

int dp_child_look(const struct dp_child *c, struct dp_sight *s)
{
	char before;
	int err;

	*s = (struct dp_sight){ .state = DP_BUSY, .task = '?' };
	if (!c->pid)
		return -ECHILD;
	if (ended(c, 0)) {
		*s = (struct dp_sight){ .state = DP_DONE, .task = '-' };
		return 0;
	}
	err = read_text(c->pid, "wchan", s->wchan, sizeof(s->wchan));
	if (err)
		return err;
	/*
	 * Who reads the state of a task has a reference of its memory (fs/proc/array.c,
	 * do_task_stat()).  One that exits would leave the end of its mappings to us, and
	 * with it the wait for the pins that we hold.
	 */
	if (!strcmp(s->wchan, "0")) {
		s->task = 'R';
		return 0;
	}
	/* Both looks at the state must agree: it may go from one sleep to the next. */
	before = task_letter(c->pid);
	err = read_text(c->pid, "wchan", s->wchan, sizeof(s->wchan));
	if (err)
		return err;
	s->task = task_letter(c->pid);
	if (s->task == before && s->task && s->task == layout_wait(s->wchan))
		s->state = DP_WAITS;
	return 0;
}

int dp_child_settle(const struct dp_child *c, struct dp_sight *s, unsigned int bound_ms)
{
	long deadline = dp_now_ms() + bound_ms;
	int err;

	do {
		err = dp_child_look(c, s);
		if (err || s->state != DP_BUSY)
			return err;
		ended(c, LOOK_EVERY_MS);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

/* How often the task was switched away from; a wake-up adds one before it can sleep again. */
static long switches(pid_t pid)
{
	char text[4096], *line;

	if (read_text(pid, "status", text, sizeof(text)))
		return -1;
	line = strstr(text, "\nvoluntary_ctxt_switches:");
	return line ? strtol(strchr(line, ':') + 1, NULL, 10) : -1;
}

int dp_child_return(struct dp_child *c, unsigned int bound_ms)
{
	long deadline = dp_now_ms() + bound_ms, last = -1;
	struct dp_sight s;
	int asleep = 0;

	if (!c->pid)
		return -ECHILD;
	while (!ended(c, STUCK_EVERY_MS)) {
		long now = switches(c->pid);

		if (dp_child_look(c, &s) || s.state != DP_WAITS || now < 0 || now != last)
			asleep = 0;
		last = now;
		if (++asleep > STUCK_LOOKS)
			return -EDEADLK;
		if (dp_now_ms() > deadline)
			return -ETIMEDOUT;
	}
	return dp_child_wait(c, 0);
}

int dp_child_rest(const struct dp_child *c, struct dp_sight *s, unsigned int bound_ms)
{
	long deadline = dp_now_ms() + bound_ms, last = -1;
	char where[sizeof(s->wchan)] = "";
	int asleep = 0, err;

	do {
		long now = c->pid ? switches(c->pid) : -1;

		err = dp_child_look(c, s);
		if (err || s->state == DP_DONE)
			return err;
		if (now < 0 || now != last || s->task == 'R' || strcmp(where, s->wchan))
			asleep = 0;
		if (++asleep > STUCK_LOOKS)
			return 0;
		last = now;
		memcpy(where, s->wchan, sizeof(where));
		ended(c, STUCK_EVERY_MS);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

int dp_child_wait(struct dp_child *c, unsigned int bound_ms)
{
	int err;

	if (!c->pid)
		return -ECHILD;
	if (!ended(c, bound_ms))
		return -ETIMEDOUT;
	waitpid(c->pid, NULL, 0);
	err = *c->result;
	child_release(c);
	return err;
}

bool dp_child_kill(struct dp_child *c)
{
	if (!c->pid)
		return true;
	kill(c->pid, SIGKILL);
	if (!ended(c, KILL_WAIT_MS))
		return false;
	waitpid(c->pid, NULL, 0);
	child_release(c);
	return true;
}

/* As the kernel names its keys: Documentation/admin-guide/sysrq.rst. */
static void press_sysrq(const char *keys)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (*keys && write(fd, keys, 1) == 1)
		keys++;
	close(fd);
}

void dp_case_begin(const char *name)
{
	static pid_t begun;	/* each row has a process of its own */
	char line[128];

	if (begun == getpid())
		return;
	begun = getpid();
	snprintf(line, sizeof(line), "<4>daxpin: row %s\n", name);
	/* The judge goes by it when it asks which row a splat belongs to. */
	dp_knob_set("/sys/kernel/debug/clear_warn_once", "1");
	dp_knob_set("/dev/kmsg", line);
}

/*
 * The fault that this takes may have to wait for the very task that is examined.
 * Since 6.15 a page table has a reference, too: it goes with this child.  A fault that
 * its session has does not reach it.
 */
static int poke(void *arg)
{
	setsid();
	return dp_page_refs(arg, NULL);
}

/* Who is free needs no more than to be scheduled, whenever that is: so not after a time. */
static bool is_free(const struct dp_child *c)
{
	struct dp_sight s;

	return !dp_child_rest(c, &s, FREED_WAIT_MS) && s.state == DP_DONE;
}

/* A wake-up that was lost: the next reference that is dropped gives another. */
static bool freed_by_poke(const struct dp_child *c, const void *addr)
{
	struct dp_child poker = { 0 };
	bool freed = false;

	if (!dp_child_start(&poker, poke, (void *)addr) &&
	    dp_child_wait(&poker, POKE_WAIT_MS) >= 0)
		freed = is_free(c);
	dp_child_kill(&poker);
	return freed;
}

/* The number of the pin whose release freed the child, from 1 on, or 0. */
static size_t freed_by_pin(const struct dp_child *c, struct dp_pin *pins, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (pins[i].kind == DP_PIN_NONE)
			continue;
		dp_unpin(&pins[i], NULL);
		if (is_free(c))
			return i + 1;
	}
	return 0;
}

/* A page table of ours that refers to the page, and nothing else does. */
static bool freed_by_unmap(const struct dp_child *c, void *addr)
{
	return !madvise(addr, getpagesize(), MADV_DONTNEED) && is_free(c);
}

static void stack_read(pid_t pid, char *stack, size_t size)
{
	if (read_text(pid, "stack", stack, size))
		stack[0] = '\0';
	for (char *p = stack; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

void dp_autopsy(struct dp_child *c, struct dp_pin *pins, size_t n, const void *addr,
		uint64_t pfn, char *text, size_t size)
{
	struct dp_sight s = { .task = '?' };
	const char *end = "nothing freed it";
	char stack[1024], freed[96];
	size_t pin;
	int refs;

	press_sysrq("wl");
	dp_child_look(c, &s);
	stack_read(c->pid, stack, sizeof(stack));
	refs = dp_pfn_refs(pfn);
	pin = freed_by_pin(c, pins, n);
	snprintf(freed, sizeof(freed), "freed by the release of pin %zu of %zu", pin, n);
	/* A wake-up does not help who waits for a mapping, but dropping that is one. */
	if (pin)
		end = freed;
	else if (freed_by_poke(c, addr))
		end = "freed by taking and dropping one more reference: lost wake-up";
	else if (freed_by_unmap(c, (void *)addr))
		end = "freed by unmapping it: waits for a mapping";
	snprintf(text, size, "%c in %s, page with %d references, %s; its stack: %s",
		 s.task, s.wchan, refs, end, stack);
}
