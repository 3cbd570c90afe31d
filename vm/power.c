// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "clock.h"
#include "list.h"
#include "power.h"
#include "says.h"
#include "snapshot.h"

#define SAYS		"# power: "
#define WITHIN_MS	60	/* the next cut comes so soon, or earlier */
#define ENOUGH		3	/* cuts that show something wrong: then a row has its answer */
#define COPY_BYTES	1048576
/* $0 is where the programs are, $1 the folder. */
#define LOOK	"PATH=$0:$PATH; exec >$1/verdict 2>$1/judge.log; guest $1 && judge -K \"$0\"/../known $1"

static struct {
	struct qmp	*qmp;
	uint64_t	 random;
	int		 answer;
	struct list	 promises;		/* "NAME TEXT" */
	bool		 held;
	int		 wanted, made, bad, held_cuts, all;
	long		 due, stopped, paused;	/* ms; 0: not */
	pid_t		 looks;
	char		 dir[32];
} p = { .answer = -1 };

void power_args(char **argv, bool cut)
{
	for (; *argv; argv++)
		if (strstr(*argv, ",id=" POWER_PMEM ","))
			*argv = need(snapshot_memory(*argv, ".", cut));
}

/* Only what is in the file: most of it is holes. */
static int copy_sparse(int from, int to)
{
	static char buf[COPY_BYTES];
	struct stat st;
	off_t off = 0, hole;

	if (fstat(from, &st) || ftruncate(to, st.st_size))
		return -errno;
	while ((off = lseek(from, off, SEEK_DATA)) >= 0) {
		hole = lseek(from, off, SEEK_HOLE);
		while (off < hole) {
			size_t n = hole - off < COPY_BYTES ? hole - off : COPY_BYTES;

			if (pread(from, buf, n, off) != (ssize_t)n ||
			    pwrite(to, buf, n, off) != (ssize_t)n)
				return errno ? -errno : -EIO;
			off += n;
		}
	}
	return errno == ENXIO ? 0 : -errno;	/* no data up to the end */
}

static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = in < 0 || out < 0 ? -errno : copy_sparse(in, out);

	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) && !err)
		err = -errno;
	return err;
}

int power_memory(const char *snapshot)
{
	char *from = text("%s/" POWER_PMEM, snapshot);
	int err = copy_file(from, POWER_PMEM);

	free(from);
	return err;
}

/* All digits count. */
static uint64_t seed_read(const char *digits)
{
	uint64_t seed = 0, part;

	for (; sscanf(digits, "%16lx", &part) == 1; digits += 16) {
		seed = (seed ^ part) * 0x9e3779b97f4a7c15;
		if (strlen(digits) <= 16)
			break;
	}
	return seed;
}

/* xorshift64*, of which no state may be 0. */
static uint64_t draw(void)
{
	p.random ^= p.random >> 12;
	p.random ^= p.random << 25;
	p.random ^= p.random >> 27;
	return p.random * 0x2545f4914f6cdd1d;
}

void power_open(struct qmp *qmp, const char *seed, int answer)
{
	p.qmp = qmp;
	p.answer = answer;
	p.random = seed_read(seed) ?: 1;
}

/* It takes the place of the one with the same first word. */
static void promise(const char *what)
{
	size_t name = strcspn(what, " ") + 1;
	const char *copy = text("%s", what);

	for (size_t i = 0; i < p.promises.n; i++) {
		if (strncmp(p.promises.v[i], what, name))
			continue;
		p.promises.v[i] = copy;
		return;
	}
	add(&p.promises, copy);
}

static void schedule(void)
{
	p.due = now_ms() + draw() % WITHIN_MS;
}

static void begin(int cuts)
{
	p.wanted = cuts;
	p.made = 0;
	p.bad = 0;
	p.held_cuts = 0;
	schedule();
}

void power_said(const char *line)
{
	if (strncmp(line, SAYS, strlen(SAYS)))
		return;
	line += strlen(SAYS);
	if (!strncmp(line, "cut ", 4))
		begin(atoi(line + 4));
	else if (!strncmp(line, "held ", 5))
		p.held = !strcmp(line + 5, "yes");
	else if (!strncmp(line, "promise ", 8))
		promise(line + 8);
}

long power_left(void)
{
	long left;

	if (!p.due)
		return -1;
	left = p.due - now_ms();
	return left > 0 ? left : 0;
}

void power_due(void)
{
	p.due = 0;
	p.stopped = now_ms();
	qmp_send(p.qmp, "stop", NULL);
}

static int link_make(const char *to, const char *name)
{
	char *path = text("%s/%s", p.dir, name);
	int err = symlink(to, path) ? -errno : 0;

	free(path);
	return err;
}

/* The cell of those that look, up to its empty line, and what was promised. */
static int cell_make(void)
{
	char *path = text("%s/cell", p.dir), *line = NULL;
	FILE *from = fopen("image/cell", "re"), *to = fopen(path, "we");
	size_t size = 0;
	int err = from && to ? 0 : -errno;

	free(path);
	while (!err && getline(&line, &size, from) > 0 && *line != '\n')
		fputs(line, to);
	for (size_t i = 0; !err && i < p.promises.n; i++)
		fprintf(to, "promise\t%s\n", p.promises.v[i]);
	if (!err)
		fputc('\n', to);
	free(line);
	if (from)
		fclose(from);
	if (to && fclose(to) && !err)
		err = -errno;
	return err;
}

static void folder_drop(void)
{
	pid_t rm = fork();

	if (!rm) {
		execlp("rm", "rm", "-rf", p.dir, NULL);
		_exit(127);
	}
	if (rm > 0)
		waitpid(rm, NULL, 0);
}

static int folder_make(void)
{
	char *path;
	int err;

	snprintf(p.dir, sizeof(p.dir), "cut-%03d", ++p.all);
	folder_drop();
	if (mkdir(p.dir, 0755))
		return -errno;
	path = text("%s/" POWER_PMEM, p.dir);
	err = copy_file(POWER_PMEM, path) ?: cell_make() ?: link_make("cell", "cell.in") ?:
	      link_make("/dev/null", "cell.out") ?: link_make("../image/qemu-args", "qemu-args");
	if (!err && !access("image/snapshot", F_OK))
		err = link_make("../image/snapshot", "snapshot");
	free(path);
	return err;
}

/* The runner and the judge are beside us, and what is known beside them. */
static __attribute__((noreturn)) void look(pid_t parent)
{
	char bin[PATH_MAX] = "";
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || readlink("/proc/self/exe", bin, sizeof(bin) - 1) < 0)
		_exit(1);
	*strrchr(bin, '/') = '\0';
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execlp("sh", "sh", "-c", LOOK, bin, p.dir, NULL);
	_exit(127);
}

int power_stopped(void)
{
	pid_t parent = getpid();
	int err;

	if (!p.stopped || p.looks)
		return 0;
	says_read(power_said);
	err = folder_make();
	if (err)
		return err;
	p.looks = fork();
	if (!p.looks)
		look(parent);
	return p.looks < 0 ? -errno : 0;
}

/* The first lines of a verdict: what it is, and why. */
static void verdict_read(char *what, size_t size)
{
	char *path = text("%s/verdict", p.dir), *line = NULL;
	FILE *f = fopen(path, "re");
	size_t n = 0, used;

	snprintf(what, size, "lost: no verdict");
	if (f && getline(&line, &n, f) > 0 && !strncmp(line, "verdict ", 8)) {
		used = snprintf(what, size, "%.*s", (int)strcspn(line + 8, "\n"), line + 8);
		if (getline(&line, &n, f) > 0 && !strncmp(line, "reason ", 7) && used < size)
			snprintf(what + used, size - used, ": %.*s", (int)strcspn(line + 7, "\n"),
				 line + 7);
	}
	free(line);
	free(path);
	if (f)
		fclose(f);
}

static bool is_good(const char *verdict)
{
	return !strncmp(verdict, "pass", 4) || !strncmp(verdict, "known", 5);
}

static void answer(void)
{
	char what[512];

	verdict_read(what, sizeof(what));
	p.made++;
	p.held_cuts += p.held;
	if (is_good(what)) {
		folder_drop();
	} else {
		p.bad++;
		dprintf(p.answer, "bad %s %s\n", p.dir, what);
	}
	if (p.made == p.wanted || p.bad == ENOUGH)
		dprintf(p.answer, "done %d %d\n", p.made, p.held_cuts);
	else
		schedule();
}

void power_looked(void)
{
	if (!p.looks || waitpid(p.looks, NULL, WNOHANG) != p.looks)
		return;
	p.looks = 0;
	answer();
	p.paused += now_ms() - p.stopped;
	p.stopped = 0;
	qmp_send(p.qmp, "cont", NULL);
}

long power_pause(bool *now)
{
	long paused = p.paused;

	*now = p.stopped;
	p.paused = 0;
	return paused;
}
