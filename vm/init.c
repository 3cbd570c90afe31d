// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of a guest: makes what the cell asks for, runs its program, takes
 * everything down again and reports.
 *
 * The cell comes from the host through a virtio-serial port, the report leaves
 * through another, which the program writes to as well, and the console is left
 * to the kernel's log but for the lines that name the phase.  Whatever goes
 * wrong before the program runs makes the cell "lost", with the reason.
 *
 * A guest whose cell names no program is one to save: it makes everything
 * ready and waits for another cell, which comes when it has been restored.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/random.h>
#include <linux/stat.h>

#include "clock.h"
#include "daxpin_uapi.h"
#include "dp.h"
#include "xfs_sb.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PORT_REPORT	"org.daxpin.ktap"
#define PORT_CELL	"org.daxpin.cell"
#define MNT		"/mnt"
#define MAX_WORDS	256
#define MAX_ARGS	8192
#define CELL_MAX	1048576
#define DEVICE_WAIT_MS	30000
#define KILL_WAIT_MS	5000
#define PINS_WAIT_MS	2000
#define TASK_STACK_MAX	4096
#define SEED_BYTES	32
#define SYSLOG_ACTION_CONSOLE_LEVEL 8

static const struct {
	const char *type, *dir, *options;
} mounts[] = {
	{ "devtmpfs",	"/dev",				NULL },
	{ "proc",	"/proc",			NULL },
	{ "sysfs",	"/sys",				NULL },
	{ "debugfs",	"/sys/kernel/debug",		NULL },
	{ "tracefs",	"/sys/kernel/tracing",		NULL },
	{ "cgroup2",	"/sys/fs/cgroup",		NULL },
	{ "tmpfs",	"/tmp",				NULL },
};

static char cell[CELL_MAX];
static FILE *port;

/*
 * A line in the kernel log, and so on the console.  "phase NAME" tells the host
 * how far the guest is.
 */
static void console(const char *text)
{
	FILE *f = fopen("/dev/kmsg", "w");

	if (!f)
		return;
	fprintf(f, "<4>daxpin: %s\n", text);
	fclose(f);
}

static __attribute__((noreturn)) void power_off(void)
{
	console("phase off");
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

__attribute__((format(printf, 1, 2)))
static void report(const char *fmt, ...)
{
	va_list ap;

	fputs("# init: ", port);
	va_start(ap, fmt);
	vfprintf(port, fmt, ap);
	va_end(ap);
	fputc('\n', port);
	fflush(port);
}

__attribute__((format(printf, 1, 2)))
static __attribute__((noreturn)) void give_up(const char *fmt, ...)
{
	char why[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (port) {
		report("lost %s", why);
		report("done");
	}
	console(why);
	power_off();
}

/* The value of @key in the cell, copied, or NULL. */
static char *cell_get(const char *key)
{
	size_t n = strlen(key);
	const char *p = cell;

	while (p && *p) {
		const char *end = strchrnul(p, '\n');

		if (!strncmp(p, key, n) && (p[n] == ' ' || p[n] == '\t')) {
			p += n + strspn(p + n, " \t");
			return strndup(p, end - p);
		}
		p = *end ? end + 1 : NULL;
	}
	return NULL;
}

static char *cell_need(const char *key)
{
	char *value = cell_get(key);

	if (!value)
		give_up("the cell has no '%s'", key);
	return value;
}

/* Cut @words at blanks into @argv behind the @n entries it has; returns the new count. */
static int split(char *words, char **argv, int n)
{
	char *save, *w;

	for (w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == MAX_WORDS - 1)
			give_up("more than %d words in one command", MAX_WORDS - 1);
		argv[n++] = w;
	}
	argv[n] = NULL;
	return n;
}

/*
 * Run @argv with its output collected in @out (the last @size - 1 bytes are
 * dropped, not the first: the first error is the telling one).  Returns the
 * exit status, or 128 + signal.
 */
static int run(char **argv, char *out, size_t size)
{
	size_t used = 0;
	int fds[2], status;
	char drop[512];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		give_up("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	do {
		bool full = used == size - 1;

		n = read(fds[0], full ? drop : out + used, full ? sizeof(drop) : size - 1 - used);
		if (n > 0 && !full)
			used += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	close(fds[0]);
	out[used] = '\0';
	while (waitpid(pid, &status, 0) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Messages travel in one line. */
static char *one_line(char *s)
{
	for (char *p = s; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return s;
}

/* Run @command with @last as its last word (or NULL); anything but success loses the cell. */
static void must(const char *command, char *last)
{
	char *argv[MAX_WORDS], out[512], *words = strdup(command);
	int n = split(words, argv, 0), status;

	if (last)
		n = split(last, argv, n);
	status = run(argv, out, sizeof(out));
	if (status)
		give_up("%s: exit %d: %s", argv[0], status, one_line(out));
	free(words);
}

/* Wait until @path exists below @dir, which must exist.  False after DEVICE_WAIT_MS. */
static bool wait_for(const char *dir, const char *path)
{
	long deadline = now_ms() + DEVICE_WAIT_MS;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char drop[4096];

	if (fd < 0 || inotify_add_watch(fd, dir, IN_CREATE | IN_ATTRIB) < 0)
		give_up("inotify on %s: %s", dir, strerror(errno));
	while (access(path, F_OK) && now_ms() < deadline)
		if (poll(&p, 1, deadline - now_ms()) > 0)
			while (read(fd, drop, sizeof(drop)) > 0)
				;
	close(fd);
	return !access(path, F_OK);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		dprintf(STDERR_FILENO, "daxpin: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void mount_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, mounts[i].options) &&
		    errno != EBUSY && strcmp(mounts[i].type, "tracefs") &&
		    strcmp(mounts[i].type, "cgroup2"))
			dprintf(STDERR_FILENO, "daxpin: mount %s: %s\n", mounts[i].dir,
				strerror(errno));
	}
	mkdir(MNT, 0755);
}

static void load_modules(char *list)
{
	char *argv[MAX_WORDS] = { "modprobe", "-a" }, out[512], dir[128];
	struct utsname u;
	int status;

	uname(&u);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", u.release);
	if (access(dir, F_OK))
		return;			/* everything is built in */
	if (split(list, argv, 2) == 2)
		return;
	status = run(argv, out, sizeof(out));
	if (status)
		give_up("modprobe: exit %d: %s", status, one_line(out));
}

/* A virtio-serial port is known by its name; the name of its node says nothing. */
static bool port_find(const char *wanted, char *path, size_t size)
{
	const char *top = "/sys/class/virtio-ports";
	DIR *d = opendir(top);
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		char file[512], name[64] = "";
		FILE *f;

		snprintf(file, sizeof(file), "%s/%s/name", top, e->d_name);
		f = fopen(file, "r");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f)) {
			name[strcspn(name, "\n")] = '\0';
			found = !strcmp(name, wanted);
			snprintf(path, size, "/dev/%s", e->d_name);
		}
		fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}

static int port_open(const char *name, int flags)
{
	long deadline = now_ms() + DEVICE_WAIT_MS;
	char path[300];
	int fd;

	/* The host names the port in a message of its own, after the driver is bound. */
	while (!port_find(name, path, sizeof(path))) {
		if (now_ms() > deadline)
			give_up("no virtio-serial port is called %s", name);
		sched_yield();
	}
	if (!wait_for("/dev", path))
		give_up("%s did not appear", path);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		give_up("%s: %s", path, strerror(errno));
	return fd;
}

/*
 * Read a cell, which ends with an empty line.  Nothing to read, without waiting,
 * means that the host has not opened its end of the port yet.
 */
static void cell_read(int fd)
{
	long deadline = now_ms() + DEVICE_WAIT_MS;
	size_t n = 0;

	do {
		ssize_t got = read(fd, cell + n, sizeof(cell) - 1 - n);

		if (got < 0)
			give_up("reading the cell: %s", strerror(errno));
		n += got;
		cell[n] = '\0';
		if (n == sizeof(cell) - 1)
			give_up("the cell is larger than %zu bytes", n);
		if (!got && now_ms() > deadline)
			give_up("the cell has no end, after %zu bytes", n);
		if (!got)
			sched_yield();
	} while (n < 2 || strcmp(cell + n - 2, "\n\n"));
}

/* Namespace @id, like 0.0, in @mode; it appears as @device. */
static void namespace_make(const char *id, const char *mode, const char *device)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ndctl create-namespace -f -e namespace%s -m %s --map=mem", id, mode);
	must(command, NULL);
	if (!wait_for("/dev", device))
		give_up("%s did not appear after ndctl create-namespace", device);
}

static bool is_dax(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, 0, &st))
		give_up("statx %s: %s", path, strerror(errno));
	return st.stx_attributes & STATX_ATTR_DAX;
}

/* A file that is made in the new file system must be DAX exactly when the cell says so. */
static void check_dax(bool want)
{
	int fd = open(MNT "/probe", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		give_up("%s/probe: %s", MNT, strerror(errno));
	close(fd);
	if (is_dax(MNT "/probe") != want)
		give_up("a file on the new file system is %sDAX, expected %sDAX",
			want ? "not " : "", want ? "" : "not ");
	unlink(MNT "/probe");
}

/* What mkfs cannot make and fsck does not know is there only while it is mounted. */
static int fs_features(const char *device, bool set)
{
	char *bits = cell_get("incompat");

	return bits ? xfs_incompat(device, strtoul(bits, NULL, 16), set) : 0;
}

/* An image has its namespace already; a guest to save gets the image when it is restored. */
static void device_make(const char *device)
{
	char *namespace = cell_get("namespace");
	bool there = cell_get("image") && cell_get("run");

	if (namespace && !there)
		namespace_make("0.0", namespace, device);
	else if (!wait_for("/dev", device))
		give_up("%s did not appear", device);
}

static void fs_make(char *device)
{
	int err;

	console("phase mkfs");
	must(cell_need("mkfs"), strdup(device));
	err = fs_features(device, true);
	if (err)
		give_up("features of the file system on %s: %s", device, strerror(-err));
}

static void fs_mount(const char *device)
{
	char *type = cell_need("type"), *options = cell_get("mount");
	int err;

	console("phase mount");
	if (mount(device, MNT, type, 0, options))
		give_up("mount -t %s -o %s %s: %s (the console has the reason)", type,
			options ? options : "defaults", device, strerror(errno));
	err = cell_get("inherit") ? dp_dax_inherit(MNT) : 0;
	if (err)
		give_up("the DAX flag of %s: %s", MNT, strerror(-err));
	check_dax(!strcmp(cell_need("dax"), "yes"));
}

/* The kernel names a device DAX after its namespace. */
static void devdax_make(const char *device)
{
	namespace_make(device + strlen("/dev/dax"), "devdax", device);
}

/* Does a file that a row has left hold what the row had seen in it? */
static int look_at_kept(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *name = path + at->base;
	int right;

	(void)st;
	if (strncmp(name, DP_KEPT, strlen(DP_KEPT)))
		return 0;
	right = type == FTW_F ? dp_kept_right(path) : -EIO;
	report("kept %s %s", name, right < 0 ? strerror(-right) : right ? "right" : "other data");
	return 0;
}

/* With nothing in memory: what the rows have left is what the disk has. */
static void fs_again(const char *device)
{
	const char *options = cell_get("mount");

	if (mount(device, MNT, cell_need("type"), MS_NOATIME, options)) {
		report("remount %s", strerror(errno));
		return;
	}
	if (nftw(MNT, look_at_kept, 8, FTW_PHYS | FTW_MOUNT) || umount(MNT))
		report("remount %s", strerror(errno));
	else
		report("remount 0");
}

static void fs_down(char *device)
{
	char *argv[MAX_WORDS], out[512], *fsck = cell_need("fsck");
	int status;

	if (umount(MNT)) {
		report("umount %s", strerror(errno));
		return;		/* a checker on a mounted file system sees ghosts */
	}
	report("umount 0");
	status = fs_features(device, false);
	if (status) {
		report("fsck features of the file system: %s", strerror(-status));
		return;
	}
	split(strdup(device), argv, split(fsck, argv, 0));
	status = run(argv, out, sizeof(out));
	if (status)
		report("autopsy fsck: %s", one_line(out));
	report("fsck %d", status);
	if (status)
		return;		/* a mount may mend or break what is wrong */
	status = fs_features(device, true);
	if (status)
		report("remount features of the file system: %s", strerror(-status));
	else
		fs_again(device);
}

/* One task for the autopsy: its name, state and kernel stack.  DAX waits are in state S. */
static void autopsy_task(const char *pid)
{
	char path[300], stat[512] = "", stack[TASK_STACK_MAX] = "", *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return;
	if (!fgets(stat, sizeof(stat), f))
		stat[0] = '\0';
	fclose(f);
	state = strrchr(stat, ')');
	if (!state || state[2] == 'I' || state[2] == 'Z')
		return;
	state[3] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/stack", pid);
	f = fopen(path, "r");
	if (f) {
		stack[fread(stack, 1, sizeof(stack) - 1, f)] = '\0';
		fclose(f);
	}
	report("autopsy task %s: %s", stat, one_line(stack));
}

/* It has no memory of its own, and so nothing in /proc/PID/maps. */
static bool is_kernel_thread(const char *pid)
{
	char path[300], c;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, &c, 1);
	if (fd >= 0)
		close(fd);
	return n <= 0;
}

/* What can be learnt of a guest that is stuck, before it is thrown away. */
static void open_up(const char *why)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	console("autopsy");
	report("autopsy %s", why);
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "l");
	while (d && (e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			if (!is_kernel_thread(e->d_name))
				autopsy_task(e->d_name);
	if (d)
		closedir(d);
}

/* Every row is asked for by name: what runs is what was planned. */
static void program_args(char *program, char **argv)
{
	char *line, *save;
	int n = 0;

	argv[n++] = program;
	for (line = strtok_r(cell, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "row\t", 4))
			continue;
		if (n > MAX_ARGS - 3)
			give_up("more than %d rows", MAX_ARGS / 2 - 2);
		argv[n++] = "-r";
		argv[n++] = line + 4;
	}
	argv[n] = NULL;
}

static void program_exec(char *program)
{
	static char *argv[MAX_ARGS];
	char path[300];
	int fd = fileno(port);

	program_args(program, argv);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	snprintf(path, sizeof(path), "/daxpin/%s", argv[0]);
	execv(path, argv);
	dprintf(STDERR_FILENO, "# init: lost %s: %s\n", path, strerror(errno));
	_exit(127);
}

static bool ended(int pidfd, long ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Rows have process groups of their own; what waits for a suspended device cannot be killed. */
static bool all_killed(void)
{
	char *argv[MAX_WORDS], out[512], *remove = strdup("dmsetup remove_all --force");
	long deadline = now_ms() + KILL_WAIT_MS;

	split(remove, argv, 0);
	kill(-1, SIGKILL);
	if (waitpid(-1, NULL, WNOHANG) >= 0)
		run(argv, out, sizeof(out));
	while (now_ms() < deadline) {
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

/*
 * Seeded bugs
 */

/* Cut the list of symbols that the cell has as @key into @names; their number. */
static size_t symbols(const char *key, char *names, size_t n, size_t size)
{
	char *list = cell_get(key), *save, *word = list ? strtok_r(list, " \t", &save) : NULL;
	size_t i;

	for (i = 0; word && i < n; i++, word = strtok_r(NULL, " \t", &save))
		snprintf(names + i * size, size, "%s", word);
	free(list);
	return i;
}

/* "return VALUE" or "argument NUMBER VALUE" */
static void fault_action(struct daxpin_fault *f, const char *action)
{
	unsigned long long value;

	if (sscanf(action, "return %llu", &value) == 1)
		f->action = DAXPIN_RETURN;
	else if (sscanf(action, "argument %u %llu", &f->argument, &value) == 2)
		f->action = DAXPIN_ARGUMENT;
	else
		give_up("bad action %s", action);
	f->value = value;
}

/*
 * For the calling process's session, or the kernel's threads: the first function that this
 * kernel has.
 */
static int fault_arm(int fd, char *said, size_t size)
{
	char names[DAXPIN_CALLERS][DAXPIN_SYMBOL_MAX];
	struct daxpin_fault f = {
		.whose = cell_get("kthreads") ? DAXPIN_KTHREADS : DAXPIN_SESSION,
	};
	size_t n = symbols("divert", names[0], DAXPIN_CALLERS, DAXPIN_SYMBOL_MAX);
	int err = ENOENT;

	fault_action(&f, cell_need("action"));
	symbols("from", f.from[0], DAXPIN_CALLERS, DAXPIN_SYMBOL_MAX);
	for (size_t i = 0; i < n && err == ENOENT; i++) {
		memcpy(f.function, names[i], sizeof(f.function));
		err = ioctl(fd, DAXPIN_FAULT_ARM, &f) ? errno : 0;
	}
	if (!err)
		snprintf(said, size, "%s", f.function);
	else if (err == ENOENT)
		snprintf(said, size, "the kernel has no function to divert: %s",
			 cell_need("divert"));
	else if (err == ESRCH)
		snprintf(said, size, "the kernel has no function that calls %s: %s", f.function,
			 cell_need("from"));
	else
		snprintf(said, size, "%s cannot be diverted: %s", f.function, strerror(err));
	return err;
}

/* A fault that never fired proves nothing: the judge wants the count. */
static void fault_report(int fd, const char *name)
{
	__u64 hits;

	if (ioctl(fd, DAXPIN_FAULT_HITS, &hits))
		report("lost fault %s: %s", name, strerror(errno));
	else
		report("fault %s hits %llu", name, (unsigned long long)hits);
}

/*
 * The program
 */

/* What its process says before it becomes the program. */
struct start {
	int	err;		/* of the fault */
	char	said[512];
};

/* In a session of its own, which is the fault's. */
static __attribute__((noreturn)) void program_start(char *program, int fault, int to)
{
	struct start s = { 0 };

	setsid();
	if (fault >= 0)
		s.err = fault_arm(fault, s.said, sizeof(s.said));
	if (write(to, &s, sizeof(s)) != sizeof(s) || s.err || cell_get("probe"))
		_exit(0);
	program_exec(program);
	_exit(127);
}

/* Its process, or 0: the fault could not be armed, or that was all that was asked. */
static pid_t program_fork(char *program, int fault)
{
	struct start s;
	pid_t pid;
	int to[2];

	if (pipe2(to, O_CLOEXEC))
		give_up("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (!pid)
		program_start(program, fault, to[1]);
	close(to[1]);
	if (read(to[0], &s, sizeof(s)) != sizeof(s))
		give_up("the program's process died before it began");
	close(to[0]);
	if (!s.err && !cell_get("probe"))
		return pid;
	waitpid(pid, NULL, 0);
	report("skip %s%s", s.err ? "" : "applies: ", s.said);
	return 0;
}

/* Wait for it, up to its time limit. */
static void program_wait(pid_t pid)
{
	long timeout = atol(cell_need("timeout"));
	int pidfd = syscall(SYS_pidfd_open, pid, 0), status;

	if (pidfd < 0)
		give_up("pidfd_open: %s", strerror(errno));
	if (!ended(pidfd, timeout * 1000)) {
		open_up("the program passed its time limit");
		report("run timeout %ld", timeout);
		return;
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		report("run signal %d", WTERMSIG(status));
	else
		report("run exit %d", WEXITSTATUS(status));
}

/* Run the cell's program, with its fault if it has one. */
static void program_run(void)
{
	char *program = cell_need("run"), *name = cell_get("fault");
	int fault = name ? open("/dev/daxpin", O_RDWR | O_CLOEXEC) : -1;
	pid_t pid;

	if (name && fault < 0)
		give_up("/dev/daxpin: %s", strerror(errno));
	pid = program_fork(program, fault);
	if (pid)
		program_wait(pid);
	if (pid && name)
		fault_report(fault, name);
	if (fault >= 0)
		close(fault);
}

/* What the kernel counts and no program may leave behind. */
struct counts {
	long pins, warnings;		/* -1: it does not tell */
};

static struct counts counts_now(void)
{
	return (struct counts){ dp_pins_held(), dp_warn_count() };
}

/*
 * Nobody is left who pins: what the program has pinned is unpinned, if late, for the
 * kernel's own threads may do that.  And the log has to have all its warnings.
 */
static void counts_report(struct counts before)
{
	long deadline = now_ms() + PINS_WAIT_MS;
	struct counts now = counts_now();

	for (; now.pins > before.pins && now_ms() < deadline; now = counts_now())
		poll(NULL, 0, 1);
	if (now.pins >= 0)
		report("pins %ld", now.pins - before.pins);
	if (now.warnings >= 0)
		report("warnings %ld", now.warnings - before.warnings);
}

/* What the guest that lost its power had promised, a line each. */
static const char *promises_write(void)
{
	static const char path[] = "/tmp/promises", key[] = "promise\t";
	FILE *f = fopen(path, "w");

	if (!f)
		give_up("%s: %s", path, strerror(errno));
	for (const char *p = cell; *p; p += strcspn(p, "\n") + 1)
		if (!strncmp(p, key, strlen(key)))
			fprintf(f, "%.*s\n", (int)(strcspn(p, "\n") - strlen(key)),
				p + strlen(key));
	if (fclose(f))
		give_up("%s: %s", path, strerror(errno));
	return path;
}

static void environment(void)
{
	char *ramdisk = cell_get("ramdisk"), *devdax = cell_get("devdax"), host[300];

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("DAXPIN_DIR", MNT, 1);
	setenv("DAXPIN_GUEST", "1", 1);
	setenv("DAXPIN_DAX", cell_need("dax"), 1);
	if (cell_get("cut") && port_find(PORT_CELL, host, sizeof(host)))
		setenv("DAXPIN_HOST", host, 1);
	if (cell_get("mce"))
		setenv("DAXPIN_MCE", "1", 1);
	if (cell_get("image"))
		setenv("DAXPIN_PROMISES", promises_write(), 1);
	if (ramdisk)
		setenv("DAXPIN_RAMDISK", ramdisk, 1);
	if (devdax)
		setenv("DAXPIN_DEVDAX", devdax, 1);
}

/* An interactive guest: the shell has the console as its terminal. */
static void shell(void)
{
	pid_t pid = fork();

	if (!pid) {
		int fd;

		setsid();
		fd = open("/dev/ttyS0", O_RDWR);
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		ioctl(fd, TIOCSCTTY, 0);
		if (chdir(MNT))
			perror(MNT);
		execl("/bin/busybox", "sh", "-l", NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) != pid)
		;
}

/* Guests that are restored from one snapshot would all draw the same numbers. */
static void pool_seed(const char *hex)
{
	struct {		/* struct rand_pool_info and what it has no room for */
		int		bits, bytes;
		unsigned char	seed[SEED_BYTES];
	} pool = { .bits = 8 * SEED_BYTES, .bytes = SEED_BYTES };
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < SEED_BYTES; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &pool.seed[i]) != 1)
			give_up("bad seed %s", hex);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG))
		give_up("seeding the random numbers: %s", strerror(errno));
	close(fd);
}

/* The host stops and saves us here; what comes after the wait is another cell's run. */
static void snapshot_wait(int cells)
{
	console("phase ready");
	cell_read(cells);
}

/* Load the modules and make the file system, all that a cell needs and does not change. */
static void prepare(char *modules)
{
	char *devdax = cell_get("devdax");

	if (modules)
		load_modules(modules);
	console("phase device");
	if (devdax)
		devdax_make(devdax);
	device_make(cell_need("device"));
	if (cell_get("image"))
		return;
	fs_make(cell_need("device"));
	fs_mount(cell_need("device"));
}

int main(void)
{
	/* What we are told by and report to comes before all that may fail. */
	char first[] = "virtio_pci virtio_console";
	char *seed, *modules, *loaded;
	struct counts before;
	int cells;

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	mount_all();
	console("phase init");
	load_modules(first);
	port = fdopen(port_open(PORT_REPORT, O_WRONLY), "w");
	cells = port_open(PORT_CELL, O_RDONLY);
	cell_read(cells);
	loaded = cell_get("modules");
	console("phase modules");
	prepare(cell_get("modules"));
	klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 7);
	if (!cell_get("run"))
		snapshot_wait(cells);
	close(cells);
	modules = cell_get("modules");
	if (modules && (!loaded || strcmp(modules, loaded)))
		load_modules(modules);
	seed = cell_get("seed");
	if (seed)
		pool_seed(seed);
	if (cell_get("image"))
		fs_mount(cell_need("device"));
	environment();
	if (cell_get("shell")) {
		shell();
		power_off();
	}
	console("phase test");
	before = counts_now();
	program_run();
	console("phase down");
	if (all_killed()) {
		fs_down(cell_need("device"));
		counts_report(before);
	} else {
		report("lost tasks survive SIGKILL");
	}
	report("done");
	power_off();
}
