// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the library: the part of it that needs neither root nor DAX nor
 * the daxpin module, and that it says so when one of them is missing.  TAP on
 * standard output; exit status 1 when a test failed.  Files are made below
 * TMPDIR (default /var/tmp).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/dp_holder.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define TMPFS_MAGIC	0x01021994
#define ALL_MS		120000		/* for the whole program; then SIGALRM ends it */
#define SOON_MS		20000		/* what must happen happens well within it */
#define SHORT_MS	50		/* what must not happen is watched for that long */

#define FILE_LEN	(2 * DP_PMD_SIZE)
#define SEED		5

static char top[4096];			/* our folder */
static int tests, failures;

static void row(bool good, const char *name)
{
	tests++;
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", tests, name);
}

static void equal(long want, long got, const char *name)
{
	if (want != got)
		printf("# expected %ld, got %ld\n", want, got);
	row(want == got, name);
}

static void skip(const char *name, const char *missing)
{
	printf("ok %d - %s # SKIP %s\n", ++tests, name, missing);
}

__attribute__((format(printf, 1, 2)))
static const char *text(const char *format, ...)
{
	static char buf[256];
	va_list args;

	va_start(args, format);
	vsnprintf(buf, sizeof(buf), format, args);
	va_end(args);
	return buf;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/*
 * What a call that failed may not leave behind.
 */

struct held {
	int fds;
	int names;	/* in our folder */
	int maps;	/* of our files, and shared anonymous ones */
	int children;	/* 1: there is one, dead or alive */
};

static int names_in(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		die(path);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int maps_now(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[8192];
	int n = 0;

	if (!f)
		die("/proc/self/maps");
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/daxpin-") || strstr(line, "/dev/zero (deleted)");
	fclose(f);
	return n;
}

static struct held held_now(void)
{
	siginfo_t info;

	return (struct held){
		.fds = names_in("/proc/self/fd"),
		.names = names_in(top),
		.maps = maps_now(),
		.children = !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT),
	};
}

static void nothing_left(const struct held *was, const char *name)
{
	struct held is = held_now();
	bool good = !memcmp(was, &is, sizeof(is));

	if (!good)
		printf("# before: %d fds, %d names, %d maps, %d children; after: %d, %d, %d, %d\n",
		       was->fds, was->names, was->maps, was->children,
		       is.fds, is.names, is.maps, is.children);
	row(good, name);
}

/* The next @n files can be opened, and no more. */
static void fds_limit(int n)
{
	struct rlimit limit;
	int fd = dup(STDOUT_FILENO);

	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = n < 0 ? limit.rlim_max : (rlim_t)(fd + n);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE");
}

/*
 * Data
 */

static void test_data_pieces(void)
{
	unsigned char whole[256], piece[64];
	static const off_t starts[] = { 0, 4091, (1LL << 32) - 13, (1LL << 40) + 5 };
	long wrong = 0, beyond = 0;

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		dp_data_fill(whole, sizeof(whole), starts[s], SEED);
		for (size_t off = 0; off < 24; off++)
			for (size_t len = 0; len < 40; len++) {
				memset(piece, 0xee, sizeof(piece));
				dp_data_fill(piece, len, starts[s] + off, SEED);
				wrong += !!memcmp(piece, whole + off, len);
				for (size_t i = len; i < sizeof(piece); i++)
					beyond += piece[i] != 0xee;
			}
	}
	equal(0, wrong, "data: pieces at odd offsets and lengths are those of the whole");
	equal(0, beyond, "data: nothing beyond the length is written");
}

static long words_alike(const uint64_t *a, const uint64_t *b, size_t n)
{
	long alike = 0;

	for (size_t i = 0; i < n; i++)
		alike += a[i] == b[i];
	return alike;
}

static void test_data_seeds(void)
{
	uint64_t a[512], b[512];

	dp_data_fill(a, sizeof(a), 0, 1);
	dp_data_fill(b, sizeof(b), 0, 2);
	equal(0, words_alike(a, b, ARRAY_SIZE(a)), "data: another seed, other words");
	dp_data_fill(b, sizeof(b), sizeof(a), 1);
	equal(0, words_alike(a, b, ARRAY_SIZE(a)), "data: another offset, other words");
	dp_data_fill(b, sizeof(b), 0, 1);
	row(!memcmp(a, b, sizeof(a)), "data: the same seed, the same words");
}

static void test_data_differ(void)
{
	char a[4099], b[4099];
	long missed = 0;

	dp_data_fill(a, sizeof(a), 0, SEED);
	memcpy(b, a, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 1;
		missed += dp_data_differ(a, b, sizeof(a)) != (off_t)i;
		b[i] ^= 1;
	}
	equal(0, missed, "differ: every byte by itself");
	equal(-1, dp_data_differ(a, b, sizeof(a)), "differ: equal");
	b[sizeof(b) - 1] ^= 1;
	equal(sizeof(b) - 1, dp_data_differ(a, b, sizeof(a)), "differ: the last byte");
	equal(-1, dp_data_differ(a, b, sizeof(a) - 1), "differ: beyond the length");
	b[77] ^= 0x80;
	equal(77, dp_data_differ(a, b, sizeof(a)), "differ: the first of two");
	b[0] ^= 1;
	equal(0, dp_data_differ(a, b, sizeof(a)), "differ: the first byte");
	equal(-1, dp_data_differ(a, b, 0), "differ: nothing to compare");
}

static void test_data_sum(void)
{
	char a[4099];
	uint64_t sum;
	long missed = 0;

	dp_data_fill(a, sizeof(a), 0, SEED);
	sum = dp_data_sum(a, sizeof(a), 0);
	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] ^= 1;
		missed += dp_data_sum(a, sizeof(a), 0) == sum;
		a[i] ^= 1;
	}
	equal(0, missed, "sum: every byte counts");
	row(sum == dp_data_sum(a + 2048, sizeof(a) - 2048, dp_data_sum(a, 2048, 0)),
	    "sum: in two parts");
	row(sum != dp_data_sum(a, 2048, dp_data_sum(a + 2048, sizeof(a) - 2048, 0)),
	    "sum: the order counts");
}

/* The same done to bytes, which is how a file would do it. */
struct bytes {
	char	data[4096];
	off_t	size;
};

static void bytes_do(struct bytes *b, int what, off_t off, off_t len, uint64_t seed, off_t from)
{
	switch (what) {
	case 0:
		if (seed)
			dp_data_fill(b->data + off, len, from, seed);
		else
			memset(b->data + off, 0, len);
		break;
	case 1:
		if (off < b->size)
			memset(b->data + off, 0, b->size - off);
		b->size = off;
		break;
	case 2:
		memmove(b->data + off, b->data + off + len, sizeof(b->data) - off - len);
		memset(b->data + sizeof(b->data) - len, 0, len);
		b->size -= len;
		break;
	case 3:
		memmove(b->data + off + len, b->data + off, b->size - off);
		memset(b->data + off, 0, len);
		b->size += len;
		break;
	case 4:
		memmove(b->data + off, b->data + from, len);
		break;
	}
}

static void content_do(struct dp_content *x, int what, off_t off, off_t len, uint64_t seed,
		       off_t from)
{
	switch (what) {
	case 0:
		dp_content_put(x, off, len, seed, from);
		break;
	case 1:
		dp_content_cut(x, off);
		break;
	case 2:
		dp_content_collapse(x, off, len);
		break;
	case 3:
		dp_content_insert(x, off, len);
		break;
	case 4:
		dp_content_copy(x, off, x, from, len);
		break;
	}
}

/* Whatever is done, in whatever order, leaves what it leaves of bytes. */
static void test_content(void)
{
	long wrong = 0, sizes = 0, done = 0;
	struct dp_content x;
	struct bytes b;

	srandom(1);
	for (int round = 0; round < 2000; round++) {
		memset(&b, 0, sizeof(b));
		b.size = 1024;
		dp_data_fill(b.data, b.size, 0, SEED);
		dp_content_init(&x, b.size, SEED);
		for (int i = 0; i < 4; i++) {
			off_t off = random() % (b.size + 1);
			off_t len = random() % (b.size - off + 1) % 700;
			uint64_t seed = random() % 3, from = random() % 100;
			int what = random() % 5, at = random() % 4096;
			char got[4096];

			if (what == 1)
				off += random() % 100;
			bytes_do(&b, what, off, len, seed, from);
			content_do(&x, what, off, len, seed, from);
			dp_content_read(&x, got, at, sizeof(got) - at);
			wrong += !!memcmp(b.data + at, got, sizeof(got) - at);
			sizes += b.size != x.size;
			done++;
		}
	}
	equal(8000, done, "content: so much was done to it");
	equal(0, wrong, "content: any part of it is what bytes would be");
	equal(0, sizes, "content: and so is its size");
}

static void test_content_seed(void)
{
	static const struct { off_t off; uint64_t seed; } want[] = {
		{ 0, 1 }, { 99, 1 }, { 100, 2 }, { 199, 2 }, { 200, 1 }, { 249, 1 }, { 250, 0 },
	};
	struct dp_content x;
	long wrong = 0;

	dp_content_init(&x, 300, 1);
	dp_content_put(&x, 100, 100, 2, 0);
	dp_content_cut(&x, 250);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		wrong += dp_content_seed(&x, want[i].off) != want[i].seed;
	equal(0, wrong, "content: whose it is, at each end of a piece");
}

static void test_time(void)
{
	long start = dp_now_ms(), end;

	usleep(SHORT_MS * 1000);
	end = dp_now_ms();
	row(end - start >= SHORT_MS - 1 && end - start < SOON_MS, "time: in milliseconds");
}

/*
 * Children
 */

static int give(void *arg)
{
	return *(int *)arg;
}

static int die_by(void *arg)
{
	raise(*(int *)arg);
	return 0;
}

static int leave(void *arg)
{
	_exit(*(int *)arg);
}

static int sleep_ms(void *arg)
{
	usleep(*(int *)arg * 1000);
	return 5;
}

static int spin(void *arg)
{
	(void)arg;
	while (getppid())
		;
	return 0;
}

/* Until a byte comes; the name looks like what /proc/PID/stat has behind names. */
static int read_byte(void *arg)
{
	char byte;

	prctl(PR_SET_NAME, "a) R (b) Z 1");
	return read(*(int *)arg, &byte, 1);
}

static void start(struct dp_child *c, int (*fn)(void *), void *arg)
{
	int err = dp_child_start(c, fn, arg);

	if (err) {
		errno = -err;
		die("dp_child_start");
	}
}

static void test_child_result(void)
{
	static const int results[] = { 0, -ENOSPC, 7 };
	struct held was = held_now();
	struct dp_child c;

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		int result = results[i];

		start(&c, give, &result);
		equal(result, dp_child_wait(&c, SOON_MS), text("child: wait gives %d", result));
		equal(0, c.pid, "child: and it is not held any more");
		start(&c, give, &result);
		equal(result, dp_child_return(&c, SOON_MS), text("child: return gives %d", result));
		equal(-ECHILD, dp_child_wait(&c, SOON_MS), "child: there is one result");
	}
	nothing_left(&was, "child: nothing is left of them");
}

/* A child that ends without a result has none, whatever it ended by. */
static void test_child_no_result(void)
{
	static const int signals[] = { SIGKILL, SIGSEGV, SIGTERM };
	struct held was = held_now();
	struct rlimit none = { 0, 0 };
	struct dp_child c;
	int status;

	setrlimit(RLIMIT_CORE, &none);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int sig = signals[i];

		signal(sig, SIG_DFL);	/* a sanitizer may have its own */
		start(&c, die_by, &sig);
		equal(-EINTR, dp_child_wait(&c, SOON_MS), text("child: killed by signal %d", sig));
	}
	for (status = 0; status < 2; status++) {
		start(&c, leave, &status);
		row(dp_child_wait(&c, SOON_MS) < 0,
		    text("child: exit(%d) in the middle is no result", status));
	}
	nothing_left(&was, "child: nothing is left of those either");
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Other people's timers may not shorten a wait. */
static void test_child_interrupted(void)
{
	struct itimerval often = { .it_interval.tv_usec = 10000, .it_value.tv_usec = 10000 };
	struct itimerval off = { .it_value.tv_sec = 0 };
	struct sigaction act = { .sa_handler = on_alarm }, old;
	int ms = 300;
	struct dp_child c;

	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	start(&c, sleep_ms, &ms);
	equal(5, dp_child_wait(&c, SOON_MS), "child: signals do not cut the wait short");
	dp_child_kill(&c);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	alarm(ALL_MS / 1000);
}

static void test_child_ended(void)
{
	struct dp_sight s;
	struct dp_child c;
	int result = 3;

	start(&c, give, &result);
	equal(0, dp_child_settle(&c, &s, SOON_MS), "settle: an end is seen");
	equal(DP_DONE, s.state, "settle: and is DP_DONE");
	equal('-', s.task, "settle: and no task");
	equal(0, dp_child_look(&c, &s), "look: at one that ended");
	equal(DP_DONE, s.state, "look: it is still DP_DONE");
	equal(3, dp_child_wait(&c, 0), "settle: takes no result away");
}

static void test_child_none(void)
{
	struct dp_sight s = { .state = DP_BUSY };
	struct dp_child c = { 0 };

	row(dp_child_look(&c, &s) < 0 && s.state != DP_DONE, "no child: look fails");
	row(dp_child_settle(&c, &s, SHORT_MS) < 0 && s.state != DP_DONE, "no child: settle fails");
	equal(-ECHILD, dp_child_return(&c, SHORT_MS), "no child: return fails");
	equal(-ECHILD, dp_child_wait(&c, SHORT_MS), "no child: wait fails");
	row(dp_child_kill(&c), "no child: is dead");
}

/* Wait until the task @pid is in state @task. */
static bool in_state(pid_t pid, char task)
{
	long deadline = dp_now_ms() + SOON_MS;
	char line[512], *end;

	do {
		FILE *f = fopen(text("/proc/%d/stat", pid), "re");

		if (!f || !fgets(line, sizeof(line), f))
			die("/proc/PID/stat");
		fclose(f);
		end = strrchr(line, ')');
		if (end && end[2] == task)
			return true;
		usleep(1000);
	} while (dp_now_ms() < deadline);
	return false;
}

/* What the kernel says that @pid sleeps in, or nothing. */
static const char *wchan_of(pid_t pid)
{
	static char wchan[64];
	FILE *f = fopen(text("/proc/%d/wchan", pid), "re");

	wchan[0] = '\0';
	if (f) {
		if (!fgets(wchan, sizeof(wchan), f))
			wchan[0] = '\0';
		fclose(f);
	}
	return wchan;
}

/* The bound of @name was kept, and no more than that. */
static void waited(long start, const char *name)
{
	long ms = dp_now_ms() - start;

	if (ms < SHORT_MS || ms >= SOON_MS)
		printf("# %ld ms\n", ms);
	row(ms >= SHORT_MS && ms < SOON_MS, name);
}

static void test_blocked_seen(struct dp_child *c)
{
	long start = dp_now_ms();
	struct dp_sight s = { 0 };
	const char *wchan;

	/* The task is asleep a moment before the kernel can say where; it may never say. */
	do {
		wchan = wchan_of(c->pid);
	} while (!strcmp(wchan, "0") && dp_now_ms() < start + 20 * SHORT_MS);
	start = dp_now_ms();
	if (!*wchan) {
		skip("blocked: what settle sees", "no /proc/PID/wchan");
		return;
	}
	equal(-ETIMEDOUT, dp_child_settle(c, &s, SHORT_MS), "blocked: settle gives up");
	waited(start, "blocked: settle keeps its bound");
	equal(DP_BUSY, s.state, "blocked: in something else is DP_BUSY");
	equal('S', s.task, "blocked: the task sleeps, whatever its name is");
	printf("# %s, and the kernel says %s\n", s.wchan, wchan);
	row(!strcmp(wchan, s.wchan), "blocked: where the task sleeps");
}

static void test_child_blocked(void)
{
	int fds[2], ms = SHORT_MS;
	struct held was = held_now();
	struct dp_child c;
	long start_ms;

	if (pipe2(fds, O_CLOEXEC))
		die("pipe2");
	start(&c, read_byte, &fds[0]);
	row(in_state(c.pid, 'S'), "blocked: a child in read() of an empty pipe");
	test_blocked_seen(&c);
	start_ms = dp_now_ms();
	equal(-ETIMEDOUT, dp_child_return(&c, ms), "blocked: return gives up");
	waited(start_ms, "blocked: return keeps its bound");
	start_ms = dp_now_ms();
	equal(-ETIMEDOUT, dp_child_wait(&c, ms), "blocked: wait gives up");
	waited(start_ms, "blocked: wait keeps its bound");
	row(c.pid > 0 && !kill(c.pid, 0), "blocked: the child is still held");
	if (write(fds[1], "x", 1) != 1)
		die("write");
	equal(1, dp_child_return(&c, SOON_MS), "blocked: return gives the result later");
	close(fds[0]);
	close(fds[1]);
	nothing_left(&was, "blocked: nothing is left");
}

static void test_child_running(void)
{
	struct dp_sight s = { 0 };
	struct dp_child c;
	int err;

	start(&c, spin, NULL);
	err = dp_child_settle(&c, &s, SHORT_MS);
	if (err == -ENOENT) {
		skip("running: settle gives up", "no /proc/PID/wchan");
	} else {
		equal(-ETIMEDOUT, err, "running: settle gives up");
		equal(DP_BUSY, s.state, "running: is DP_BUSY");
		equal('R', s.task, "running: the task runs");
		row(!strcmp(s.wchan, "0"), "running: and sleeps nowhere");
	}
	row(dp_child_kill(&c), "running: killed");
}

static void test_child_kill(void)
{
	struct held was = held_now();
	struct dp_child c;
	int n = 0;
	pid_t pid;

	start(&c, spin, NULL);
	pid = c.pid;
	row(dp_child_kill(&c), "kill: it is dead");
	row(kill(pid, 0) && errno == ESRCH, "kill: and reaped");
	row(dp_child_kill(&c), "kill: twice");
	start(&c, give, &n);
	in_state(c.pid, 'Z');
	row(dp_child_kill(&c), "kill: one that has ended");
	nothing_left(&was, "kill: nothing is left");
}

/* A child of a child of ours.  It is reparented to us when its own parent dies. */
static int start_and_leave(void *arg)
{
	pid_t *grandchild = arg;
	int fds[2];
	struct dp_child c;

	if (pipe2(fds, O_CLOEXEC) || dp_child_start(&c, read_byte, &fds[0]))
		return -errno;
	in_state(c.pid, 'S');
	*grandchild = c.pid;
	_exit(0);
}

static void test_child_orphan(void)
{
	pid_t *pid = mmap(NULL, sizeof(*pid), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long deadline = dp_now_ms() + SOON_MS;
	struct dp_child c;
	int status = 0;
	pid_t got;

	if (pid == MAP_FAILED)
		die("mmap");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(&c, start_and_leave, pid);
	dp_child_wait(&c, SOON_MS);
	do {
		usleep(1000);
		got = *pid ? waitpid(*pid, &status, WNOHANG) : -1;
	} while (!got && dp_now_ms() < deadline);
	row(got > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "child: dies with its parent");
	if (!got) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	munmap(pid, sizeof(*pid));
}

static void test_child_no_fd(void)
{
	struct dp_child c, pattern;
	struct held was = held_now();
	int err;

	memset(&pattern, 0x5a, sizeof(pattern));
	c = pattern;
	fds_limit(0);
	err = dp_child_start(&c, spin, NULL);
	fds_limit(-1);
	equal(-EMFILE, err, "refused: a child that cannot be watched");
	row(!memcmp(&c, &pattern, sizeof(c)), "refused: the structure is as it was");
	nothing_left(&was, "refused: there is no child");
}

/*
 * The wait for DAX pages.  In a name space of our own the kernel's word on where
 * the child sleeps is a file of ours.
 */

enum { HIDDEN = 1, NO_NAMESPACE };	/* results of a child in a name space */

struct wchan {
	char		*path;		/* the file */
	struct dp_child	 child;
};

static void wchan_say(struct wchan *w, const char *what)
{
	FILE *f = fopen(w->path, "we");

	if (!f || fputs(what, f) < 0 || fclose(f))
		_exit(1);
}

static int wchan_begin(struct wchan *w, int (*fn)(void *), void *arg)
{
	int flags = CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);
	char proc[64];

	if (unshare(flags) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	wchan_say(w, "0");
	start(&w->child, fn, arg);
	snprintf(proc, sizeof(proc), "/proc/%d/wchan", w->child.pid);
	return mount(w->path, proc, NULL, MS_BIND, NULL);
}

/* The task is in state D until its child has ended. */
static int sleep_hard(void *arg)
{
	if (!vfork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_byte(arg);
		_exit(0);
	}
	return 0;
}

/* The state of a task that waits for DAX pages there; '-' when nobody does. */
static const struct {
	const char	*wchan;
	char		 task;
} sleeps[] = {
	{ "ext4_break_layouts", 'S' },
	{ "ext4_wait_dax_page", 'S' },
	{ "xfs_break_dax_layouts", 'S' },
	{ "xfs_wait_dax_page", 'S' },
	{ "dax_break_layout", 'S' },
	{ "dax_break_layout.constprop.0", 'S' },
	{ "dax_break_layout_final", 'D' },
	{ "wait_page_idle", 'S' },
	{ "wait_page_idle_uninterruptible", 'D' },
	{ "xfs_break_dax_layouts.isra.0", 'S' },
	{ "pipe_read", '-' },
	{ "ext4_da_write_begin", '-' },
	{ "__xfs_wait_dax_page", '-' },
	{ "", '-' },
};

/* What @w, in state @task, is seen to do in sleeps[@i]'s function: is it that? */
static bool seen(struct wchan *w, size_t i, char task)
{
	enum dp_state want = sleeps[i].task == task ? DP_WAITS : DP_BUSY;
	struct dp_sight s;
	int err;

	wchan_say(w, sleeps[i].wchan);
	err = dp_child_settle(&w->child, &s, 5);
	return err == (want == DP_WAITS ? 0 : -ETIMEDOUT) && s.state == want &&
		s.task == task && !strcmp(s.wchan, sleeps[i].wchan);
}

/* Sleeps in @arg's function until told: 0, or 10 + the first of sleeps[] that is mistaken. */
static int see_sleeps(void *arg, int (*fn)(void *), char task)
{
	struct wchan w = { .path = arg };
	struct dp_sight s = { .task = '?' };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) || wchan_begin(&w, fn, &fds[0]))
		return NO_NAMESPACE;
	wchan_say(&w, "anywhere");
	for (long end = dp_now_ms() + SOON_MS; s.task != task && dp_now_ms() < end; )
		dp_child_look(&w.child, &s);
	for (size_t i = 0; i < ARRAY_SIZE(sleeps); i++)
		if (!seen(&w, i, task))
			return 10 + i;
	return 0;
}

static int see_soft(void *arg)
{
	return see_sleeps(arg, read_byte, 'S');
}

static int see_hard(void *arg)
{
	return see_sleeps(arg, sleep_hard, 'D');
}

static int see_stuck(void *arg)
{
	struct wchan w = { .path = arg };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) || wchan_begin(&w, read_byte, &fds[0]))
		return NO_NAMESPACE;
	wchan_say(&w, "ext4_break_layouts");
	return dp_child_return(&w.child, SOON_MS);
}

static int wake_often(void *arg)
{
	(void)arg;
	while (!usleep(1000))
		;
	return 0;
}

static int see_woken(void *arg)
{
	struct wchan w = { .path = arg };

	if (wchan_begin(&w, wake_often, NULL))
		return NO_NAMESPACE;
	wchan_say(&w, "ext4_break_layouts");
	return dp_child_return(&w.child, 2000);
}

static void test_child_rest(void)
{
	struct held was = held_now();
	struct dp_child c = { 0 };
	struct dp_sight s;
	int fds[2];

	equal(-ECHILD, dp_child_rest(&c, &s, SHORT_MS), "rest: no child");
	if (pipe2(fds, O_CLOEXEC))
		die("pipe2");
	start(&c, read_byte, &fds[0]);
	equal(0, dp_child_rest(&c, &s, SOON_MS), "rest: a child in read() of an empty pipe");
	row(s.state != DP_DONE && s.task == 'S', "rest: it sleeps");
	dp_child_kill(&c);
	start(&c, wake_often, NULL);
	equal(-ETIMEDOUT, dp_child_rest(&c, &s, 20 * SHORT_MS), "rest: a child that wakes up");
	dp_child_kill(&c);
	start(&c, sleep_ms, &(int){ SHORT_MS });
	equal(0, dp_child_rest(&c, &s, SOON_MS), "rest: a child that ends");
	equal(DP_DONE, s.state, "rest: it has ended");
	dp_child_wait(&c, SOON_MS);
	close(fds[0]);
	close(fds[1]);
	nothing_left(&was, "rest: nothing is left");
}

static void test_waits(void)
{
	static const struct {
		int		(*fn)(void *arg);
		int		 want;
		const char	*name;
	} views[] = {
		{ see_soft, 0, "waits: every function that waits for DAX pages, and no other" },
		{ see_hard, 0, "waits: the same uninterruptibly, when the inode goes" },
		{ see_stuck, -EDEADLK, "waits: for ever and nobody wakes it" },
		{ see_woken, -ETIMEDOUT, "waits: and is woken again and again" },
	};
	char path[sizeof(top) + 16];
	struct dp_child c;
	int got;

	snprintf(path, sizeof(path), "%s/wchan", top);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		start(&c, views[i].fn, path);
		got = dp_child_wait(&c, SOON_MS);
		if (got == NO_NAMESPACE)
			skip(views[i].name, "no mount name space for us");
		else
			equal(views[i].want, got, views[i].name);
		dp_child_kill(&c);
		unlink(path);
	}
}

/*
 * Files
 */

static bool file_missing(const char *name)
{
	struct stat st;

	return stat(text("%s/%s", top, name), &st) && errno == ENOENT;
}

static void test_file_is(const struct dp_file *f, enum dp_map how)
{
	char *want = malloc(FILE_LEN), *got = malloc(FILE_LEN);
	struct stat st, named;

	if (!want || !got)
		die("malloc");
	dp_data_fill(want, FILE_LEN, 0, SEED);
	row(!fstat(f->fd, &st) && !stat(text("%s/%s", top, f->name), &named) &&
	    st.st_ino == named.st_ino, "file: is in the folder");
	equal(FILE_LEN, f->len, "file: the length asked for");
	equal(FILE_LEN, st.st_size, "file: the length made");
	equal(FILE_LEN, pread(f->fd, got, FILE_LEN, 0), "file: all of it can be read");
	equal(-1, dp_data_differ(want, got, FILE_LEN), "file: the seed's data");
	equal(-1, dp_data_differ(want, f->map, FILE_LEN), "file: the seed's data in the mapping");
	f->map[DP_PMD_SIZE + 5] ^= 1;
	equal(1, pread(f->fd, got, 1, DP_PMD_SIZE + 5), "file: one byte of it");
	equal(f->map[DP_PMD_SIZE + 5], *got, "file: the mapping is shared");
	equal(false, f->dax, "file: not DAX");
	equal(true, f->written, "file: written");
	row(f->pmds <= 0, "file: no PMD of a page-cache file is counted");
	equal(how == DP_MAP_PTE ? getpagesize() : 0, (uintptr_t)f->map % DP_PMD_SIZE,
	      how == DP_MAP_PTE ? "file: PTE, not congruent" : "file: PMD, congruent");
	free(want);
	free(got);
}

static void test_file(enum dp_map how)
{
	struct held was = held_now();
	struct dp_file f = { 0 }, zero = { 0 };
	char name[sizeof(f.name)];
	int err = dp_file_open(&f, top, FILE_LEN, how, SEED);

	if (err == -EOPNOTSUPP) {
		skip("file: open", "no fallocate or no FIEMAP below TMPDIR");
		nothing_left(&was, "refused: nothing is left");
		return;
	}
	equal(0, err, how == DP_MAP_PTE ? "file: open for PTEs" : "file: open for PMDs");
	if (err)
		return;
	test_file_is(&f, how);
	memcpy(name, f.name, sizeof(name));
	dp_file_close(&f);
	row(file_missing(name), "file: close removes it");
	row(!memcmp(&f, &zero, sizeof(f)), "file: close leaves zeroes");
	dp_file_close(&f);
	nothing_left(&was, "file: close, twice, leaves nothing");
}

static bool file_in(struct dp_file *f, const char *dir)
{
	*f = (struct dp_file){ .len = getpagesize(), .name = "file" };
	f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->fd = openat(f->dir, f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (ftruncate(f->fd, f->len))
		return false;
	f->map = mmap(NULL, f->len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	return f->map != MAP_FAILED;
}

static void test_kept(struct dp_file *f, const char *dir)
{
	char name[DP_KEPT_MAX], path[128];

	equal(1, dp_keep(f->fd, f->dir, name), "kept: a file");
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	equal(1, dp_kept_right(path), "kept: it is what it was");
	f->map[77] ^= 1;
	equal(0, dp_kept_right(path), "kept: with another byte it is not");
	f->map[77] ^= 1;
	equal(0, ftruncate(f->fd, f->len - 1), "kept: cut off");
	equal(0, dp_kept_right(path), "kept: shorter it is not");
	dp_file_close(f);
	row(!unlink(path), "kept: when it is closed it is still there");
	equal(-ENOENT, dp_kept_right(path), "kept: it is gone");
	equal(-EINVAL, dp_kept_right(dir), "kept: a name without a sum");
}

/* Files with no name: one that never had any, and this. */
static void test_nameless_kept(struct dp_file *f, const char *dir)
{
	char name[DP_KEPT_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	equal(1, dp_keep(fd, f->dir, name), "kept: a file that never had a name");
	close(fd);
	row(!unlinkat(f->dir, name, 0), "kept: it has one now");
	unlinkat(f->dir, f->name, 0);
	equal(0, dp_keep(f->fd, f->dir, name), "kept: not one that lost its name");
	dp_file_close(f);
}

/* On a file system of which most is free. */
static void test_file_kept(void)
{
	char dir[] = "/dev/shm/unit_lib.XXXXXX";
	struct held was = held_now();
	struct dp_file f;

	if (!mkdtemp(dir) || !file_in(&f, dir)) {
		skip("kept: a file", "none can be made in /dev/shm");
		return;
	}
	test_kept(&f, dir);
	row(file_in(&f, dir), "kept: another file");
	test_nameless_kept(&f, dir);
	row(!rmdir(dir), "kept: the folder is empty");
	nothing_left(&was, "kept: nothing is left");
}

/* With @fds files to open left, dp_file_open() fails with @want, and nothing else happens. */
static void file_refused(int want, const char *dir, int fds, const char *name)
{
	struct dp_file f, pattern;
	struct held was = held_now();
	int err;

	memset(&pattern, 0x5a, sizeof(pattern));
	memcpy(&f, &pattern, sizeof(f));
	fds_limit(fds);
	err = dp_file_open(&f, dir, FILE_LEN, DP_MAP_PMD, SEED);
	fds_limit(-1);
	equal(want, err, text("refused: %s", name));
	row(!memcmp(&f, &pattern, sizeof(f)), "refused: the structure is as it was");
	nothing_left(&was, "refused: nothing is left");
}

static void test_file_no_room(void)
{
	struct rlimit limit, old;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = DP_PMD_SIZE;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	file_refused(-EFBIG, top, -1, "a file that is too large");
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
}

/* Each file of a process has a name of its own, the next number; who has it keeps it. */
static void test_file_again(void)
{
	struct dp_file one, two;
	char next[sizeof(one.name)];
	const char *number;
	int fd;

	if (dp_file_open(&one, top, FILE_LEN, DP_MAP_PTE, SEED)) {
		skip("file: a second one", "no first one");
		return;
	}
	equal(0, dp_file_open(&two, top, FILE_LEN, DP_MAP_PTE, SEED), "file: a second one");
	row(strcmp(one.name, two.name), "file: the second one has another name");
	number = strrchr(two.name, '-') + 1;
	snprintf(next, sizeof(next), "%.*s%d", (int)(number - two.name), two.name,
		 atoi(number) + 1);
	fd = openat(two.dir, next, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	file_refused(-EEXIST, top, -1, "a name that is taken");
	row(!unlinkat(two.dir, next, 0), "refused: the file of that name is still there");
	close(fd);
	dp_file_close(&two);
	dp_file_close(&one);
}

/* Its FIEMAP is missing, which shows when the file is already there. */
static void test_file_tmpfs(void)
{
	char dir[] = "/dev/shm/unit_lib.XXXXXX";
	struct statfs fs;

	if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC || !mkdtemp(dir)) {
		skip("refused: no FIEMAP", "/dev/shm is no tmpfs that we can write");
		return;
	}
	file_refused(-EOPNOTSUPP, dir, -1, "no FIEMAP");
	row(!rmdir(dir), "refused: the file is gone");
}

static void test_file_refused(void)
{
	char path[sizeof(top) + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/none", top);
	file_refused(-ENOENT, path, -1, "no such folder");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	file_refused(-ENOTDIR, path, -1, "a file for a folder");
	close(fd);
	unlink(path);
	file_refused(-EMFILE, top, 0, "the folder cannot be opened");
	file_refused(-EMFILE, top, 1, "the file cannot be opened");
	test_file_no_room();
	test_file_again();
	test_file_tmpfs();
}

/*
 * Devices
 */

static void test_dev_refused(void)
{
	struct dp_dev d, pattern;
	struct held was = held_now();

	memset(&pattern, 0x5a, sizeof(pattern));
	memcpy(&d, &pattern, sizeof(d));
	equal(-ENOENT, dp_dev_open(&d, text("%s/none", top), 16384, SEED), "refused: no RAM disk");
	equal(-ENOSPC, dp_dev_open(&d, "/dev/full", 16384, SEED), "refused: a full RAM disk");
	row(!memcmp(&d, &pattern, sizeof(d)), "refused: the structure is as it was");
	nothing_left(&was, "refused: nothing is left");
}

/* Whether there is a device mapper or not: a failure is one, and nobody prints. */
static void test_dev_missing(void)
{
	struct dp_dev d = { .name = "daxpin-unit-none" };
	int saved = dup(STDERR_FILENO), fd, err;
	struct stat st = { .st_size = -1 };
	char path[sizeof(top) + 16];

	snprintf(path, sizeof(path), "%s/stderr", top);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || saved < 0 || dup2(fd, STDERR_FILENO) < 0)
		die(path);
	err = dp_dev_suspend(&d);
	dup2(saved, STDERR_FILENO);
	fstat(fd, &st);
	close(saved);
	close(fd);
	unlink(path);
	printf("# suspend: %d\n", err);
	row(err == -ENODEV || err == -ENXIO, "suspend: no device mapper, or no such target");
	equal(false, d.suspended, "suspend: and is not done");
	equal(0, dp_dev_resume(&d), "resume: of what is not suspended");
	equal(0, st.st_size, "suspend: prints nothing");
	d = (struct dp_dev){ 0 };
	dp_dev_close(&d);
	row(!d.name[0], "close: of no device");
}

/*
 * Pins
 */

/* What is asked to read from elsewhere writes to the page, and no other. */
static const enum dp_pin_kind writers[] = {
	DP_PIN_DIO_READ, DP_PIN_DIO_READV, DP_PIN_AIO_READ, DP_PIN_AIO_READV, DP_PIN_URING_READ,
	DP_PIN_URING_READV, DP_PIN_FUSE_READ, DP_PIN_MODULE_GET_WRITE, DP_PIN_MODULE_PIN_WRITE,
	DP_PIN_VM_WRITE, DP_PIN_PTRACE_WRITE, DP_PIN_MEM_WRITE,
};

static const enum dp_pin_kind transients[] = {
	DP_PIN_NONE, DP_PIN_VM_READ, DP_PIN_VM_WRITE, DP_PIN_PTRACE_READ, DP_PIN_PTRACE_WRITE,
	DP_PIN_MEM_READ, DP_PIN_MEM_WRITE,
};

static bool among(enum dp_pin_kind kind, const enum dp_pin_kind *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == kind)
			return true;
	return false;
}

static void test_pin_kinds(void)
{
	long wrong = 0, unsure = 0, none = 0;

	for (int kind = DP_PIN_NONE; kind < DP_PIN_KINDS; kind++) {
		bool writes = among(kind, writers, ARRAY_SIZE(writers));
		bool holds = !among(kind, transients, ARRAY_SIZE(transients));

		wrong += writes != dp_pin_writes(kind);
		unsure += holds != dp_pin_holds(kind);
		none += kind && (!dp_holders[kind].hold || !dp_holders[kind].drop);
	}
	equal(0, wrong, "pin: kinds that write to the page");
	equal(0, unsure, "pin: kinds that hold references");
	equal(0, none, "pin: each kind has a holder");
}

/*
 * The holders that need no device and no module, on ordinary memory.  What cannot
 * be had here is had in a guest, where each of them is a row.
 */

static const enum dp_pin_kind anywhere[] = {
	DP_PIN_VMSPLICE, DP_PIN_SPLICE_PIPE, DP_PIN_SPLICE_SOCKET, DP_PIN_ZEROCOPY,
	DP_PIN_URING_SEND_ZC, DP_PIN_FUSE_READ, DP_PIN_FUSE_WRITE, DP_PIN_VM_READ,
	DP_PIN_VM_WRITE, DP_PIN_PTRACE_READ, DP_PIN_PTRACE_WRITE, DP_PIN_MEM_READ,
	DP_PIN_MEM_WRITE,
};

/* What a host may not have, or not allow to who runs this. */
static bool not_here(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENODEV || err == -ENOENT;
}

static void holder_let_go(struct dp_pin *p)
{
	for (int i = 0; i < 2; i++)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	dp_child_kill(&p->child);
}

static void holder_row(enum dp_pin_kind kind, char *page, size_t len, char *data, char *want)
{
	bool writes = dp_pin_writes(kind);
	struct dp_pin p = {
		.kind = kind, .addr = page, .len = len, .fd = { -1, -1 }, .data = data,
	};
	int err;

	dp_data_fill(page, len, 0, SEED);
	memset(data, 0, len);
	if (writes)
		dp_data_fill(data, len, 0, SEED + 1);
	dp_data_fill(want, len, 0, writes ? SEED + 1 : SEED);
	err = dp_holders[kind].hold(&p);
	if (not_here(err)) {
		skip(text("holder: %d", kind), strerror(-err));
		holder_let_go(&p);
		return;
	}
	equal(0, err, text("holder: %d holds", kind));
	if (err)
		return;
	if (writes && dp_pin_holds(kind))
		equal(0, dp_data_differ(page, want, len), text("holder: %d writes late", kind));
	equal(len, dp_holders[kind].drop(&p), text("holder: %d lets go of all", kind));
	equal(-1, dp_data_differ(writes ? page : data, want, len),
	      text("holder: %d carries the data", kind));
	holder_let_go(&p);
}

static void test_holders(void)
{
	size_t len = 4 * getpagesize();
	char *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *data = malloc(2 * len);
	struct held was = held_now();

	if (page == MAP_FAILED || !data)
		die("mmap");
	for (size_t i = 0; i < ARRAY_SIZE(anywhere); i++)
		holder_row(anywhere[i], page, len, data, data + len);
	nothing_left(&was, "holder: nothing is left");
	free(data);
	munmap(page, len);
}

static void test_gup_no_module(void)
{
	struct held was = held_now();
	char byte;

	equal(-ENOENT, dp_gup_take(&was, getpagesize(), DP_GUP_PIN, 1),
	      "gup: none without the module");
	equal(-EBADF, dp_gup_drop(-1, 1), "gup: drop of none");
	equal(-EBADF, dp_gup_read(-1, 0, &byte, 1), "gup: read of none");
	equal(-EBADF, dp_gup_write(-1, 0, &byte, 1), "gup: write of none");
	nothing_left(&was, "gup: nothing is left");
}

static void test_pin_refused(char *page, size_t len)
{
	struct dp_dev d = { .fd = -1, .disk = -1 }, same = d;
	struct held was = held_now();
	struct dp_pin p;

	equal(-ENOENT, dp_page_refs(page, NULL), "pin: references without the module");
	for (int kind = DP_PIN_NONE + 1; kind < DP_PIN_KINDS; kind++) {
		memset(&p, 0, sizeof(p));
		equal(-ENOENT, dp_pin(&p, kind, &d, page, len), text("pin: %d is refused", kind));
		equal(DP_PIN_NONE, p.kind, "pin: and not held");
		equal(0, dp_unpin(&p, NULL), "pin: and can be let go");
	}
	row(!memcmp(&d, &same, sizeof(d)), "pin: the device is as it was");
	nothing_left(&was, "pin: nothing is left");
}

static void test_pin(void)
{
	size_t len = 4 * getpagesize();
	char *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct held was = held_now();
	struct dp_pin p = { 0 };

	if (page == MAP_FAILED)
		die("mmap");
	equal(0, dp_pin(&p, DP_PIN_NONE, NULL, page, len), "pin: none");
	equal(DP_PIN_NONE, p.kind, "pin: none is held");
	equal(0, dp_unpin(&p, NULL), "pin: none is let go");
	equal(0, dp_unpin(&p, NULL), "pin: twice");
	nothing_left(&was, "pin: nothing is left of none");
	if (access("/dev/daxpin", F_OK)) {
		test_pin_refused(page, len);
		test_gup_no_module();
	} else {
		skip("pin: without the module", "there is a /dev/daxpin");
	}
	munmap(page, len);
}

/*
 * Long-term pins
 */

/* io_uring needs nobody's leave on most hosts: there it pins and moves bytes. */
static void test_longterm_uring(enum dp_longterm_kind kind, char *page, size_t len)
{
	struct dp_longterm l = { 0 };
	struct held was = held_now();
	char data[getpagesize()], seen[getpagesize()];
	int err;

	err = dp_longterm_open(&l, kind);
	if (err) {
		skip(text("longterm: %d works", kind), text("io_uring says %d", err));
		return;
	}
	dp_data_fill(page, len, 0, SEED);
	equal(0, dp_longterm_pin(&l, page, len), text("longterm: %d is pinned", kind));
	equal(-EBUSY, dp_longterm_pin(&l, page, len), "longterm: and not twice");
	equal(0, dp_longterm_read(&l, seen), "longterm: the device reads");
	equal(-1, dp_data_differ(page, seen, len), "longterm: what is there");
	dp_data_fill(data, len, 0, SEED + 1);
	equal(0, dp_longterm_write(&l, data), "longterm: the device writes");
	equal(-1, dp_data_differ(data, page, len), "longterm: what it was told");
	equal(0, dp_longterm_unpin(&l), "longterm: unpinned");
	equal(0, dp_longterm_unpin(&l), "longterm: twice");
	equal(-ENODATA, dp_longterm_read(&l, seen), "longterm: nothing to read any more");
	equal(-ENODATA, dp_longterm_write(&l, data), "longterm: nor to write");
	equal(-EFAULT, dp_longterm_pin(&l, NULL, len), "longterm: refused is what is not mapped");
	equal(0, (long)l.addr, "longterm: and not held");
	dp_longterm_close(&l);
	dp_longterm_close(&l);
	nothing_left(&was, "longterm: close, twice, leaves nothing");
}

static void test_longterm(void)
{
	struct dp_longterm zero = { 0 }, l, pattern;
	size_t len = getpagesize();
	char *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct held was = held_now();
	long writers = 0;

	if (page == MAP_FAILED)
		die("mmap");
	equal(-EBADF, dp_longterm_pin(&zero, page, len), "longterm: no device");
	dp_longterm_close(&zero);
	memset(&pattern, 0x5a, sizeof(pattern));
	memcpy(&l, &pattern, sizeof(l));
	fds_limit(0);
	for (int kind = DP_LONGTERM_URING; kind <= DP_LONGTERM_GUP; kind++) {
		int err = dp_longterm_open(&l, kind);

		row(err < 0, text("longterm: %d has no file left (%d)", kind, err));
		writers |= dp_longterm_writes(kind) << kind;
	}
	fds_limit(-1);
	row(!memcmp(&l, &pattern, sizeof(l)), "longterm: the structure is as it was");
	nothing_left(&was, "longterm: nothing is left of what was refused");
	equal(1 << DP_LONGTERM_URING | 1 << DP_LONGTERM_UPDATE | 1 << DP_LONGTERM_RDMA, writers,
	      "longterm: these write");
	test_longterm_uring(DP_LONGTERM_URING, page, len);
	test_longterm_uring(DP_LONGTERM_UPDATE, page, len);
	munmap(page, len);
}

/*
 * Debug pins
 */

/* As /dev/kmsg has them, one record a read. */
static int log_of(struct dp_log *l, const char *const *records, size_t n)
{
	int ends[2];

	if (pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC))
		die("pipe2");
	for (size_t i = 0; i < n; i++)
		if (write(ends[1], records[i], strlen(records[i])) < 0)
			die("a packet");
	*l = (struct dp_log){ .fd = ends[0], .held = true };
	return ends[1];
}

static void test_log_records(void)
{
	static const char *const records[] = {
		"4,1,1000,-;dax_pins: call: op=a\n SUBSYSTEM=acpi\n DEVICE=+acpi:x\n",
		"6,2,1001,-,caller=T1;other: dax_pins: call: op=b\n",
		"4,3,1002,-;dax_pins: call: op=c; d\n",
		"4,4,1003,-;dax_pins: dirty: ",
		"no record",
	};
	struct held was = held_now();
	struct dp_log l;
	char line[64];
	int end = log_of(&l, records, ARRAY_SIZE(records));

	equal(0, dp_log_next(&l, "dax_pins: call:", line, sizeof(line), 0), "log: the first");
	row(!strcmp(line, "dax_pins: call: op=a"), "log: its text, and no more than that");
	equal(0, dp_log_next(&l, "dax_pins: call:", line, sizeof(line), 0), "log: the next one");
	row(!strcmp(line, "dax_pins: call: op=c; d"), "log: begins with what is looked for");
	equal(0, dp_log_next(&l, "dax_pins: ", line, 9, 0), "log: of another kind");
	row(!strcmp(line, "dax_pins"), "log: cut to the room there is");
	equal(-EBADMSG, dp_log_next(&l, "", line, sizeof(line), 0), "log: what is no record");
	equal(-ETIMEDOUT, dp_log_next(&l, "", line, sizeof(line), 0), "log: the end of it");
	close(end);
	dp_log_close(&l);
	dp_log_close(&l);
	nothing_left(&was, "log: close, twice, leaves nothing");
}

static int write_later(void *arg)
{
	usleep(SHORT_MS * 1000);
	return write(*(int *)arg, "4,1,1,-;late\n", 13);
}

static void test_log_waits(void)
{
	struct dp_child c;
	struct dp_log l;
	char line[64] = "";
	int end = log_of(&l, NULL, 0);
	long began = dp_now_ms();

	equal(-ETIMEDOUT, dp_log_next(&l, "", line, sizeof(line), SHORT_MS), "log: nothing comes");
	waited(began, "log: and that was waited for");
	start(&c, write_later, &end);
	equal(0, dp_log_next(&l, "late", line, sizeof(line), SOON_MS), "log: a line that comes");
	row(!strcmp(line, "late"), "log: is that line");
	dp_child_wait(&c, SOON_MS);
	close(end);
	dp_log_close(&l);
}

static void test_log_refused(void)
{
	struct dp_log l, pattern;
	struct held was = held_now();

	memset(&pattern, 0x5a, sizeof(pattern));
	memcpy(&l, &pattern, sizeof(l));
	fds_limit(0);
	equal(-EMFILE, dp_log_open(&l), "refused: no file for the log");
	fds_limit(-1);
	row(!memcmp(&l, &pattern, sizeof(l)), "refused: the structure is as it was");
	nothing_left(&was, "refused: nothing is left");
}

static void test_debug(void)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char name[32];

	equal(-EINVAL, dp_debug_room("call", 11), "debug: no room for more than the limit");
	equal(-EINVAL, dp_debug_room("call", -1), "debug: nor for less than nothing");
	equal(-ENOENT, dp_sb_name(fd, name, sizeof(name)), "debug: procfs has no device");
	close(fd);
	equal(-EBADF, dp_sb_name(fd, name, sizeof(name)), "debug: nor has no file");
	if (dp_debug_count("collision") >= 0 || dp_debug_count("collision") == -EACCES) {
		skip("debug: without the option", "there is a dax_pins in debugfs, or may be");
		return;
	}
	equal(-ENOENT, dp_debug_count("collision"), "debug: no counters without the option");
	equal(-ENOENT, dp_debug_wait("collision", 1, ALL_MS), "debug: and no wait for them");
}

static void test_debug_no_module(void)
{
	struct held was = held_now();
	struct dp_aop_result result;
	struct dp_folio folio;
	struct dp_owner owner = { .addr = &owner };

	if (!access("/dev/daxpin", F_OK)) {
		skip("debug: without the module", "there is a /dev/daxpin");
		return;
	}
	equal(-ENOENT, dp_page_folio(&owner, &folio), "debug: no folio without the module");
	equal(-ENOENT, dp_owner_set(&owner, -1), "debug: no owner");
	equal(-ENOENT, dp_aop_call(0, "read_folio", &result), "debug: no call");
	equal(-ENOENT, dp_divert("wake_up_var"), "debug: nothing is diverted");
	nothing_left(&was, "debug: nothing is left");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	setvbuf(stdout, NULL, _IOLBF, 0);	/* children have no copy to print again */
	alarm(ALL_MS / 1000);
	signal(SIGCHLD, SIG_DFL);
	snprintf(top, sizeof(top), "%s/unit_lib.XXXXXX", tmp && *tmp ? tmp : "/var/tmp");
	if (!mkdtemp(top))
		die(top);
	test_data_pieces();
	test_data_seeds();
	test_data_differ();
	test_data_sum();
	test_content();
	test_content_seed();
	test_time();
	test_child_result();
	test_child_no_result();
	test_child_interrupted();
	test_child_ended();
	test_child_none();
	test_child_blocked();
	test_child_running();
	test_child_kill();
	test_child_orphan();
	test_child_no_fd();
	test_waits();
	test_child_rest();
	test_file(DP_MAP_PTE);
	test_file(DP_MAP_PMD);
	test_file_kept();
	test_file_refused();
	test_dev_refused();
	test_dev_missing();
	test_pin_kinds();
	test_holders();
	test_pin();
	test_longterm();
	test_log_records();
	test_log_waits();
	test_log_refused();
	test_debug();
	test_debug_no_module();
	if (rmdir(top))
		die(top);
	printf("1..%d\n", tests);
	return failures > 0;
}
