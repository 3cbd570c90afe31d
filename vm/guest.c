// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run one guest and write down how it went.
 *
 *	guest [-s SCALE] [-c] CELL-FOLDER
 *	guest [-s SCALE] -w SNAPSHOT-FOLDER
 *
 * Starts QEMU with the folder's qemu-args, in that folder; keeps its console in
 * console.log; follows it through its phases, each with a bound; and writes the
 * file "guest": how it ended and how long the phases took.  The program's time
 * limit is the guest's own business (vm/init.c), and the bound here only for
 * one that does not answer: then an NMI shows where it is, before it is ended.
 *
 * A cell that has a snapshot is restored from it, unless -c is given; its QEMU
 * arguments are in qemu-warm then.  One that cannot be restored boots.  With -w
 * the guest boots and is saved when it is ready.
 *
 * The power of a guest whose cell says "cut" is cut when a row asks for that (power.h).
 *
 * The environment's QEMU is the program to run, if it is not the usual one.
 * SCALE multiplies the bounds, for a machine that is slower than most.
 * Exit status: 0 whatever became of the guest, 1 when it was to be saved and was
 * not, 2 when the folder is not one of a cell, 130 when a signal ended it (then
 * there is no file "guest").
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conf.h"
#include "list.h"
#include "power.h"
#include "qmp.h"
#include "says.h"
#include "snapshot.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define USAGE		"guest [-s SCALE] [-c | -w] FOLDER"
#define QEMU		"qemu-system-x86_64"
#define MAX_ARGS	256
#define CONSOLE_MAX	1048576	/* bytes; an honest run has some 100 KiB */
#define QMP_WAIT_MS	10000
#define QMP_EVERY_MS	2
#define NMI_WAIT_MS	5000
#define MARK		"daxpin: phase "
#define MCE_SAYS	"# machine check: "	/* and the address, by a row (tests/poison.c) */
#define SNAPSHOT	"snapshot"	/* the cell's link to its folder */
#define RESTORE_MS	20000		/* bound of the phase "start" then */

enum phase { START, INIT, MODULES, DEVICE, MKFS, MOUNT, READY, TEST, DOWN, OFF, NPHASES };

enum mode { COLD, WARM, SAVE };
static const char * const modes[] = { "cold", "warm", "save" };

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
	[READY]	  = { "ready",	 "save",    60000 },
	[TEST]	  = { "test",	 "test",    10000 },	/* beyond the cell's time limit */
	[DOWN]	  = { "down",	 "down",    60000 },
	[OFF]	  = { "off",	 "off",     20000 },
};

static struct {
	const char	*dir;
	enum mode	 mode;
	long		 scale;
	long		 timeout_ms;
	bool		 shell;		/* a person is at the console: no bounds, no marks */
	bool		 image;		/* it looks at what a power cut left */
	char		 seed[65];	/* of its power cuts; empty: there are none */
	bool		 mce;		/* it has machine checks when it asks for them */
	pid_t		 qemu;
	int		 console;	/* read end of its standard output */
	FILE		*log;
	int		 ktap;		/* inotify, until the first line is there */
	struct qmp	 qmp;
	enum phase	 phase;
	long		 at[NPHASES];	/* when the phase began; 0: never */
	long		 kernel_ms;	/* the kernel's own clock when init began */
	long		 made;		/* when QEMU greeted */
	long		 told;		/* when there was something in ktap.log */
	long		 memory_mb;	/* the most that QEMU had resident */
	char		 text[256];	/* start of the console line that is being read */
	size_t		 text_len;
	long		 console_bytes;
	char		 reason[64];	/* of QEMU's SHUTDOWN event */
	char		 end[128];	/* how it ended, once that is known */
} g = { .ktap = -1, .qmp = { .fd = -1 } };

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

/* "[    1.234567] daxpin: phase init" */
static void kernel_clock(void)
{
	double seconds;

	if (g.phase == INIT && sscanf(g.text, "[%lf]", &seconds) == 1)
		g.kernel_ms = seconds * 1000;
}

/* What is saved is ready; what is lost powers off and says why in ktap.log. */
static void save(void)
{
	int err = snapshot_save(&g.qmp);

	if (err)
		snprintf(g.end, sizeof(g.end), "not saved: %s", strerror(-err));
}

static void line_done(void)
{
	char *mark;

	g.text[g.text_len] = '\0';
	g.text_len = 0;
	mark = strstr(g.text, MARK);
	if (!mark)
		return;
	phase_enter(mark + strlen(MARK));
	kernel_clock();
	if (g.mode == SAVE && g.phase == READY)
		save();
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
		else if (buf[i] != '\r' && g.text_len < sizeof(g.text) - 1)
			g.text[g.text_len++] = buf[i];
	}
	return true;
}

/* The machine is there. */
static void made(void)
{
	g.made = now_ms();
	if (g.mode == WARM)
		snapshot_restore(&g.qmp, SNAPSHOT);
}

static void save_ended(const char *status)
{
	int err = 0;

	if (!strcmp(status, "completed"))
		err = snapshot_keep();
	else if (strcmp(status, "failed"))
		return;
	if (err)
		snprintf(g.end, sizeof(g.end), "not saved: %s", strerror(-err));
	else if (!strcmp(status, "failed"))
		snprintf(g.end, sizeof(g.end), "not saved: QEMU failed");
	else
		snprintf(g.end, sizeof(g.end), "saved");
	qmp_send(&g.qmp, "quit", NULL);
}

/* Its power is cut, if that is why it stopped. */
static void cut(void)
{
	int err = power_stopped();

	if (!err)
		return;
	snprintf(g.end, sizeof(g.end), "no copy of its memory: %s", strerror(-err));
	kill(g.qemu, SIGKILL);
}

static void qmp_event(void *arg, const char *name, const char *text)
{
	(void)arg;
	if (!strcmp(name, "QMP"))
		made();
	else if (!strcmp(name, "STOP"))
		cut();
	else if (!strcmp(name, "SHUTDOWN"))
		snprintf(g.reason, sizeof(g.reason), "%s", text);
	else if (!strcmp(name, "return") && text[0])
		fprintf(g.log, "\ndaxpin: autopsy: registers\n%s\n", text);
	else if (g.mode == SAVE && !strcmp(name, "MIGRATION"))
		save_ended(text);
	else if (g.mode == WARM && !strcmp(name, "MIGRATION") && !strcmp(text, "completed"))
		qmp_send(&g.qmp, "cont", NULL);	/* it was stopped when it was saved */
	else if (g.mode == SAVE && !strcmp(name, "error"))
		save_ended("failed");
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
		if (n == MAX_ARGS - SNAPSHOT_ARGS - 1)
			die(path, "too many arguments");
		argv[n++] = strdup(line);
	}
	free(line);
	fclose(f);
	return argv;
}

/* The recipe of a restored guest, for who wants to repeat it. */
static void args_write(char **argv)
{
	FILE *f = fopen("qemu-warm", "w");

	for (int i = 1; f && argv[i]; i++)
		fprintf(f, "%s\n", argv[i]);
	if (!f || fclose(f))
		die("qemu-warm", strerror(errno));
}

static char **args_make(void)
{
	char **argv = args_read("qemu-args");

	if (g.seed[0] || g.image)
		power_args(argv, g.seed[0]);
	if (g.mode != COLD)
		snapshot_args(argv, g.mode == WARM ? SNAPSHOT : ".", g.mode == WARM);
	if (g.mode == WARM)
		args_write(argv);
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

/* The first line of the report is the first of the test, or says why there is none. */
static void ktap_watch(void)
{
	int fd = open("ktap.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		die("ktap.log", strerror(errno));
	close(fd);
	g.ktap = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (g.ktap < 0 || inotify_add_watch(g.ktap, "ktap.log", IN_MODIFY) < 0)
		die("inotify", strerror(errno));
}

/* Its cell comes through a FIFO, which the answers to its rows follow. */
static void power_prepare(void)
{
	int answer = snapshot_cell(), err = 0;

	if (answer < 0)
		die("power", strerror(-answer));
	power_open(&g.qmp, g.seed, answer);
	if (g.mode == WARM)
		err = power_memory(SNAPSHOT);
	if (err)
		die("power", strerror(-err));
}

static void ktap_close(void)
{
	if (g.ktap >= 0)
		close(g.ktap);
	g.ktap = -1;
}

static void ktap_changed(void)
{
	char drop[4096];
	struct stat st;

	while (read(g.ktap, drop, sizeof(drop)) > 0)
		;
	if (stat("ktap.log", &st) || !st.st_size)
		return;			/* QEMU has opened it */
	g.told = now_ms();
	ktap_close();
}

static void qemu_start(void)
{
	char **argv = args_make();
	pid_t parent = getpid();
	int fds[2];

	unlink("qmp");
	ktap_watch();
	if ((g.seed[0] || g.mce) && says_open())
		die("ktap.log", strerror(errno));
	if (g.seed[0])
		power_prepare();
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

/* QEMU makes the socket early in its start.  Without it a guest that boots has no autopsy. */
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
	long bound = phases[g.phase].bound_ms;

	if (g.phase == START && g.mode == WARM)
		bound = RESTORE_MS;
	return bound * g.scale + (g.phase == TEST ? g.timeout_ms : 0);
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

/* ms until something is due, -1: nothing is.  A person takes all the time, and who is stopped. */
static long time_left(void)
{
	long cut = power_left(), left;
	bool stopped;

	g.at[g.phase] += power_pause(&stopped);
	if (g.shell || stopped)
		return -1;
	left = g.at[g.phase] + bound_ms() - now_ms();
	if (left <= 0)
		return 0;
	return cut >= 0 && cut < left ? cut : left;
}

/*
 * A memory scrubber has found the page bad that the row names: a machine check that asks for
 * no action at once (Intel's SRAO), of bank 9, with a whole page in its misc register.
 */
static void machine_check(const char *line)
{
	unsigned long long address;
	char *arguments;

	if (sscanf(line, MCE_SAYS "%llx", &address) != 1)
		return;
	arguments = text("{\"command-line\":\"mce 0 9 0xbd000000000000c0 0x5 0x%llx 0x8c\"}",
			 address);
	qmp_send(&g.qmp, "human-monitor-command", arguments);
	free(arguments);
}

static void said(const char *line)
{
	if (g.seed[0])
		power_said(line);
	if (g.mce)
		machine_check(line);
}

/* True while there is something to wait for. */
static bool watch(int signals)
{
	struct pollfd p[] = {
		{ .fd = g.console, .events = POLLIN },	/* negative ones are not polled */
		{ .fd = g.qmp.fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = g.ktap, .events = POLLIN },
		{ .fd = says_fd(), .events = POLLIN },
	};
	long left = time_left();
	struct signalfd_siginfo si;

	if (!left && power_left()) {
		give_up();
		return false;
	}
	if (poll(p, ARRAY_SIZE(p), left) < 0 && errno != EINTR)
		die("poll", strerror(errno));
	if (!power_left())
		power_due();
	if (p[4].revents)
		says_read(said);
	if (p[0].revents && !console_read())
		g.console = -1;
	if (g.console_bytes > CONSOLE_MAX) {
		snprintf(g.end, sizeof(g.end), "flood %ld", g.console_bytes);
		kill(g.qemu, SIGKILL);
		return false;
	}
	if (p[1].revents && qmp_read(&g.qmp, qmp_event, NULL))
		qmp_close(&g.qmp);
	if (p[3].revents)
		ktap_changed();
	if (!p[2].revents || read(signals, &si, sizeof(si)) != sizeof(si))
		return true;
	if (si.ssi_signo == SIGCHLD) {
		power_looked();
		return !qemu_ended();	/* it may be of one that was ended before */
	}
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
	fprintf(f, "end %s\nstart %s\n", g.end, modes[g.mode]);
	for (int i = NPHASES - 1; i >= START; i--) {
		if (!g.at[i])
			continue;
		fprintf(f, "%s_ms %ld\n", phases[i].time, next - g.at[i]);
		next = g.at[i];
	}
	if (g.made)
		fprintf(f, "qemu_ms %ld\n", g.made - g.at[START]);
	if (g.made && g.kernel_ms)
		fprintf(f, "firmware_ms %ld\nkernel_ms %ld\n",
			g.at[INIT] - g.made - g.kernel_ms, g.kernel_ms);
	if (g.told)
		fprintf(f, "line_ms %ld\n", g.told - g.at[START]);
	fprintf(f, "total_ms %ld\nmemory_mb %ld\n", end - g.at[START], g.memory_mb);
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

static void log_open(void)
{
	if (g.log)
		fclose(g.log);
	g.log = fopen("console.log", "w");
	if (!g.log)
		die("console.log", strerror(errno));
}

/* A snapshot's folder has only what its guest needs to get ready. */
static void cell_open(const char *dir)
{
	struct conf *cell;

	g.dir = dir;
	if (chdir(dir))
		die(dir, strerror(errno));
	unlink("guest");
	log_open();
	if (g.mode == SAVE)
		return;
	cell = conf_read("cell", CONF_CELL);
	if (!cell)
		exit(2);
	g.timeout_ms = conf_num(cell, "timeout", 0) * 1000;
	g.shell = conf_get(cell, "shell");
	g.image = conf_get(cell, "image");
	g.mce = conf_get(cell, "mce");
	if (conf_get(cell, "cut"))
		snprintf(g.seed, sizeof(g.seed), "%s", conf_get(cell, "seed"));
	conf_free(cell);
}

/* What is to be seen of it is in the copies; its cell can be read as a file again. */
static void power_end(void)
{
	unlink(POWER_PMEM);
	unlink(SNAPSHOT_CELL);
	if (symlink("cell", SNAPSHOT_CELL))
		die(SNAPSHOT_CELL, strerror(errno));
}

static void guest_run(int signals)
{
	struct rusage usage;
	int status;

	qemu_start();
	qmp_attach();
	while (watch(signals))
		;
	wait4(g.qemu, &status, 0, &usage);
	g.memory_mb = usage.ru_maxrss / 1024;
	while (g.console >= 0 && g.console_bytes <= CONSOLE_MAX && console_read())
		;	/* what was still in the pipe */
	if (g.qmp.fd >= 0)
		qmp_read(&g.qmp, qmp_event, NULL);
	qmp_close(&g.qmp);
	ktap_close();
	unlink("qmp");
	if (g.seed[0])
		power_end();
	end_describe(status);
}

/* It has not said a word: what there is to restore, or QEMU, is no good. */
static bool not_restored(void)
{
	bool died = !strncmp(g.end, "exit", 4) || !strncmp(g.end, "signal", 6) ||
		    !strncmp(g.end, "timeout", 7) || (!g.shell && !strcmp(g.end, "reset"));

	return g.mode == WARM && died && !g.console_bytes && !g.told;
}

/* Boot instead, and say so in one line. */
static void boot_instead(void)
{
	char why[256] = "";
	FILE *f = fopen("qemu.log", "r");

	if (f && fgets(why, sizeof(why), f))
		why[strcspn(why, "\n")] = '\0';
	if (f)
		fclose(f);
	fprintf(stderr, "guest: %s: not restored, boots instead: %s%s%s\n", g.dir, g.end,
		why[0] ? ": " : "", why);
	g.mode = COLD;
	g.phase = START;
	memset(g.at, 0, sizeof(g.at));
	g.made = 0;
	g.told = 0;
	g.end[0] = '\0';
	g.reason[0] = '\0';
	log_open();
}

static void options(int argc, char **argv)
{
	bool cold = false;
	int opt;

	g.scale = 1;
	while ((opt = getopt(argc, argv, "s:cw")) != -1) {
		cold |= opt == 'c';
		g.mode = opt == 'w' ? SAVE : g.mode;
		g.scale = opt == 's' ? atol(optarg) : g.scale;
		if (opt == '?' || g.scale < 1)
			die("usage", USAGE);
	}
	if (optind != argc - 1 || (cold && g.mode == SAVE))
		die("usage", USAGE);
	cell_open(argv[optind]);
	if (!cold && g.mode == COLD && !access(SNAPSHOT "/" SNAPSHOT_STATE, F_OK))
		g.mode = WARM;
}

int main(int argc, char **argv)
{
	int signals, err;

	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* make's shell dies before us */
	options(argc, argv);
	signals = signals_open();
	err = g.mode == SAVE ? snapshot_cell() : 0;
	if (err < 0)
		die("cell", strerror(-err));
	guest_run(signals);
	if (not_restored()) {
		boot_instead();
		guest_run(signals);
	}
	if (fclose(g.log))
		die("console.log", strerror(errno));
	result_write();
	if (g.mode != SAVE || !strcmp(g.end, "saved"))
		return 0;
	fprintf(stderr, "guest: %s: %s\n", g.dir, g.end);
	return 1;
}
