// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run one guest and write down how it went.
 *
 *	guest [-s SCALE] CELL-FOLDER
 *
 * Starts QEMU with the folder's qemu-args, in that folder; keeps its console in
 * console.log; follows it through its phases, each with a bound; and writes the
 * file "guest": how it ended and how long the phases took.  The program's time
 * limit is the guest's own business (vm/init.c), and the bound here only for
 * one that does not answer: then an NMI shows where it is, before it is ended.
 *
 * The environment's QEMU is the program to run, if it is not the usual one.
 * SCALE multiplies the bounds, for a machine that is slower than most.
 * Exit status: 0 whatever became of the guest, 2 when the folder is not one of a
 * cell, 130 when a signal ended it (then there is no file "guest").
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "qmp.h"

#define QEMU		"qemu-system-x86_64"
#define MAX_ARGS	256
#define CONSOLE_MAX	(4L << 20)	/* bytes; an honest run has some 100 KiB */
#define QMP_WAIT_MS	10000
#define QMP_EVERY_MS	10
#define NMI_WAIT_MS	5000
#define MARK		"daxpin: phase "

enum phase { START, INIT, MODULES, DEVICE, MKFS, MOUNT, TEST, DOWN, OFF, NPHASES };

/* The phases as init names them, and how long each may last before the next one. */
static const struct {
	const char	*name;
	const char	*time;	/* name of its duration in the file "guest" */
	long		 bound_ms;
} phases[NPHASES] = {
	[START]	  = { "start",	 "boot",    60000 },
	[INIT]	  = { "init",	 "init",    20000 },
	[MODULES] = { "modules", "modules", 60000 },
	[DEVICE]  = { "device",	 "device",  60000 },
	[MKFS]	  = { "mkfs",	 "mkfs",    60000 },
	[MOUNT]	  = { "mount",	 "mount",   30000 },
	[TEST]	  = { "test",	 "test",    10000 },	/* beyond the cell's time limit */
	[DOWN]	  = { "down",	 "down",    60000 },
	[OFF]	  = { "off",	 "off",     20000 },
};

static struct {
	const char	*dir;
	long		 scale;
	long		 timeout_ms;
	bool		 shell;		/* a person is at the console: no bounds, no marks */
	pid_t		 qemu;
	int		 console;	/* read end of its standard output */
	FILE		*log;
	struct qmp	 qmp;
	enum phase	 phase;
	long		 at[NPHASES];	/* when the phase began; 0: never */
	char		 line[256];	/* start of the console line that is being read */
	size_t		 line_len;
	long		 console_bytes;
	char		 reason[64];	/* of QEMU's SHUTDOWN event */
	char		 end[128];	/* how it ended, once that is known */
} g = { .qmp = { .fd = -1 } };

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static __attribute__((noreturn)) void die(const char *what, const char *why)
{
	fprintf(stderr, "guest: %s: %s\n", what, why);
	exit(2);
}

static void phase_enter(const char *name)
{
	for (int i = START; i < NPHASES; i++) {
		if (strcmp(phases[i].name, name))
			continue;
		g.phase = i;
		g.at[i] = now_ms();
	}
}

static void line_done(void)
{
	char *mark;

	g.line[g.line_len] = '\0';
	g.line_len = 0;
	mark = strstr(g.line, MARK);
	if (mark)
		phase_enter(mark + strlen(MARK));
}

/* Keep the console, and look for the lines that name a phase.  False at its end. */
static bool console_read(void)
{
	char buf[8192];
	ssize_t n = read(g.console, buf, sizeof(buf));

	if (n <= 0)
		return false;
	fwrite(buf, 1, n, g.log);
	g.console_bytes += n;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			line_done();
		else if (buf[i] != '\r' && g.line_len < sizeof(g.line) - 1)
			g.line[g.line_len++] = buf[i];
	}
	return true;
}

static void qmp_event(void *arg, const char *name, const char *text)
{
	(void)arg;
	if (!strcmp(name, "SHUTDOWN"))
		snprintf(g.reason, sizeof(g.reason), "%s", text);
	else if (!strcmp(name, "return"))
		fprintf(g.log, "\ndaxpin: autopsy: registers\n%s\n", text);
}

/* One argument a line.  The file is the recipe too, so it has nothing but arguments. */
static char **args_read(const char *path)
{
	char **argv = calloc(MAX_ARGS, sizeof(*argv)), *line = NULL;
	FILE *f = fopen(path, "r");
	size_t size = 0;
	int n = 0;

	if (!f)
		die(path, strerror(errno));
	argv[n++] = getenv("QEMU") ? : QEMU;
	while (getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (n == MAX_ARGS - 1)
			die(path, "too many arguments");
		argv[n++] = strdup(line);
	}
	free(line);
	fclose(f);
	return argv;
}

static void qemu_exec(char **argv, int out, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	int err = open("qemu.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!g.shell) {
		/* A terminal's Ctrl-C is for us, who end the guest in order. */
		setpgid(0, 0);
		dup2(null, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
	}
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void qemu_start(void)
{
	char **argv = args_read("qemu-args");
	pid_t parent = getpid();
	int fds[2];

	unlink("qmp");
	if (pipe2(fds, O_CLOEXEC))
		die("pipe", strerror(errno));
	g.qemu = fork();
	if (g.qemu < 0)
		die("fork", strerror(errno));
	if (!g.qemu)
		qemu_exec(argv, fds[1], parent);
	close(fds[1]);
	g.console = g.shell ? -1 : fds[0];
	g.at[START] = now_ms();
}

static bool qemu_ended(void)
{
	siginfo_t si = { 0 };

	return !waitid(P_PID, g.qemu, &si, WEXITED | WNOHANG | WNOWAIT) && si.si_pid;
}

/* QEMU makes the socket early in its start.  Without it there is only no autopsy. */
static void qmp_attach(void)
{
	long deadline = now_ms() + QMP_WAIT_MS;
	int err;

	do {
		err = qmp_open(&g.qmp, "qmp");
		if (err != -ENOENT && err != -ECONNREFUSED)
			return;
		poll(NULL, 0, QMP_EVERY_MS);
	} while (now_ms() < deadline && !qemu_ended());
}

static long bound_ms(void)
{
	long bound = phases[g.phase].bound_ms * g.scale;

	return g.phase == TEST ? bound + g.timeout_ms : bound;
}

/* Show where the guest is: the registers, and an NMI that makes its kernel panic. */
static void open_up(void)
{
	long deadline = now_ms() + NMI_WAIT_MS;
	struct pollfd p[2];

	fprintf(g.log, "\ndaxpin: autopsy: no answer for %ld s in phase %s, NMI\n",
		bound_ms() / 1000, phases[g.phase].name);
	if (g.qmp.fd < 0)
		return;
	qmp_send(&g.qmp, "human-monitor-command", "{\"command-line\":\"info registers -a\"}");
	qmp_send(&g.qmp, "inject-nmi", NULL);
	while (now_ms() < deadline && !g.reason[0] && g.console_bytes < CONSOLE_MAX) {
		p[0] = (struct pollfd){ .fd = g.console, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = g.qmp.fd, .events = POLLIN };
		if (poll(p, 2, deadline - now_ms()) <= 0)
			break;
		if (p[0].revents)
			console_read();
		if (p[1].revents && qmp_read(&g.qmp, qmp_event, NULL))
			break;
	}
}

static void give_up(void)
{
	snprintf(g.end, sizeof(g.end), "timeout %s %ld", phases[g.phase].name, bound_ms() / 1000);
	open_up();
	kill(g.qemu, SIGKILL);
}

/* True while there is something to wait for. */
static bool watch(int signals)
{
	struct pollfd p[3] = {
		{ .fd = g.console, .events = POLLIN },	/* negative ones are not polled */
		{ .fd = g.qmp.fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	long left = g.at[g.phase] + bound_ms() - now_ms();
	struct signalfd_siginfo si;

	if (!g.shell && left <= 0) {
		give_up();
		return false;
	}
	if (poll(p, 3, g.shell ? -1 : left) < 0 && errno != EINTR)
		die("poll", strerror(errno));
	if (p[0].revents && !console_read())
		g.console = -1;
	if (g.console_bytes > CONSOLE_MAX) {
		snprintf(g.end, sizeof(g.end), "flood %ld", g.console_bytes);
		kill(g.qemu, SIGKILL);
		return false;
	}
	if (p[1].revents && qmp_read(&g.qmp, qmp_event, NULL))
		qmp_close(&g.qmp);
	if (!p[2].revents || read(signals, &si, sizeof(si)) != sizeof(si))
		return true;
	if (si.ssi_signo == SIGCHLD)
		return false;
	if (g.shell && si.ssi_signo == SIGINT)
		return true;	/* typed by the person at the console */
	kill(g.qemu, SIGKILL);
	waitpid(g.qemu, NULL, 0);
	unlink("qmp");
	exit(130);
}

static void end_describe(int status)
{
	if (g.end[0])
		return;
	if (WIFSIGNALED(status))
		snprintf(g.end, sizeof(g.end), "signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(g.end, sizeof(g.end), "exit %d", WEXITSTATUS(status));
	else if (!strcmp(g.reason, "guest-shutdown"))
		snprintf(g.end, sizeof(g.end), "poweroff");
	else
		snprintf(g.end, sizeof(g.end), "reset");
}

/* Written aside and renamed: a file "guest" is a whole one. */
static void result_write(void)
{
	long end = now_ms(), next = end;
	FILE *f = fopen("guest.tmp", "w");

	if (!f)
		die("guest.tmp", strerror(errno));
	fprintf(f, "end %s\n", g.end);
	for (int i = NPHASES - 1; i >= START; i--) {
		if (!g.at[i])
			continue;
		fprintf(f, "%s_ms %ld\n", phases[i].time, next - g.at[i]);
		next = g.at[i];
	}
	fprintf(f, "total_ms %ld\n", end - g.at[START]);
	if (fclose(f) || rename("guest.tmp", "guest"))
		die("guest", strerror(errno));
}

static int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd", strerror(errno));
	return fd;
}

static void cell_open(const char *dir)
{
	struct conf *cell;

	if (chdir(dir))
		die(dir, strerror(errno));
	cell = conf_read("cell", CONF_CELL);
	if (!cell)
		exit(2);
	g.timeout_ms = conf_num(cell, "timeout", 0) * 1000;
	g.shell = conf_get(cell, "shell");
	conf_free(cell);
	unlink("guest");
	g.log = fopen("console.log", "w");
	if (!g.log)
		die("console.log", strerror(errno));
}

int main(int argc, char **argv)
{
	int opt, signals, status;

	g.scale = 1;
	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* make's shell dies before us */
	while ((opt = getopt(argc, argv, "s:")) != -1) {
		g.scale = opt == 's' ? atol(optarg) : 0;
		if (g.scale < 1)
			die("usage", "guest [-s SCALE] CELL-FOLDER");
	}
	if (optind != argc - 1)
		die("usage", "guest [-s SCALE] CELL-FOLDER");
	cell_open(argv[optind]);
	signals = signals_open();
	qemu_start();
	if (!g.shell)
		qmp_attach();
	while (watch(signals))
		;
	waitpid(g.qemu, &status, 0);
	while (g.console >= 0 && g.console_bytes <= CONSOLE_MAX && console_read())
		;	/* what was still in the pipe */
	if (g.qmp.fd >= 0)
		qmp_read(&g.qmp, qmp_event, NULL);
	unlink("qmp");
	end_describe(status);
	if (fclose(g.log))
		die("console.log", strerror(errno));
	result_write();
	return 0;
}
