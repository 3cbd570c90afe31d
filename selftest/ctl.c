// SPDX-License-Identifier: GPL-2.0
/*
 * What goes wrong on purpose, so that every run proves that the harness sees it.
 *
 * Each row is the program of one control (selftest/control_*.scn), which says
 * what the judge must make of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/daxpin_uapi.h"
#include "lib/dp.h"
#include "tests/rig.h"

#define SYSLOG_ACTION_CONSOLE_LEVEL 8

static pid_t program;	/* the framework's own process; a row is its child or grandchild */

static bool asked_for(int argc, char **argv, const char *row)
{
	return getenv("DAXPIN_GUEST") && argc > 1 && !strcmp(argv[argc - 1], row);
}

/* Before the framework has said a word: it can be made to print no broken KTAP itself. */
static void __attribute__((constructor)) break_output(int argc, char **argv)
{
	static const char torn[] =
		"TAP version 13\n1..1\n#  RUN           ctl.torn ...\n"
		"# ctl.c:1:torn:witness: none=1\nok 1 ctl.to";

	program = getpid();
	if (asked_for(argc, argv, "ctl.empty"))
		_exit(0);
	if (!asked_for(argc, argv, "ctl.torn"))
		return;
	_exit(write(STDOUT_FILENO, torn, sizeof(torn) - 1) < 0);
}

static void write_to(const char *path, const char *text, size_t times)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	while (fd >= 0 && times-- && write(fd, text, strlen(text)) > 0)
		;
}

static int wedge(enum daxpin_wedge how)
{
	int fd = open("/dev/daxpin", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : ioctl(fd, DAXPIN_WEDGE, how);
}

FIXTURE(ctl) { };

/* On a machine that somebody uses, none of this must ever run. */
FIXTURE_SETUP(ctl)
{
	if (!getenv("DAXPIN_GUEST"))
		SKIP(return, "not in a guest of daxpin (DAXPIN_GUEST)");
}

FIXTURE_TEARDOWN(ctl) { }

TEST_F(ctl, empty) { }

TEST_F(ctl, torn) { }

TEST_F(ctl, assert)
{
	TH_LOG("witness: none=1");
	ASSERT_EQ(1, 2);
}

TEST_F(ctl, skip)
{
	SKIP(return, "this row always skips");
}

TEST_F(ctl, no_witness) { }

TEST_F(ctl, die)
{
	TH_LOG("witness: none=1");
	kill(program, SIGSEGV);
}

TEST_F(ctl, panic)
{
	TH_LOG("witness: none=1");
	write_to("/proc/sysrq-trigger", "c", 1);
}

TEST_F(ctl, hang)
{
	TH_LOG("witness: none=1");
	EXPECT_EQ(0, wedge(DAXPIN_WEDGE_HANG));
}

TEST_F(ctl, spin)
{
	TH_LOG("witness: none=1");
	EXPECT_EQ(0, wedge(DAXPIN_WEDGE_SPIN));
}

/* The console gets nothing that is less than an emergency. */
TEST_F(ctl, unheard)
{
	TH_LOG("witness: none=1");
	EXPECT_EQ(0, klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 1));
	EXPECT_EQ(0, wedge(DAXPIN_WEDGE_WARN));
	EXPECT_EQ(0, klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 7));
}

/* The file changes when its row has looked for the last time. */
TEST_F(ctl, other_data)
{
	char name[DP_KEPT_MAX];
	struct dp_file f;
	int fd;

	TH_LOG("witness: none=1");
	ASSERT_EQ(0, dp_file_open(&f, getenv("DAXPIN_DIR"), 4 * getpagesize(), DP_MAP_PTE, 1));
	fd = dup(f.fd);
	ASSERT_EQ(1, dp_keep(f.fd, f.dir, name));
	TH_LOG("event: kept=%s", name);
	dp_file_close(&f);
	EXPECT_EQ(1, pwrite(fd, "", 1, 0));
	close(fd);
}

/* The file is what it should be, and this mapping of it is not. */
TEST_F(ctl, other_mapping)
{
	struct dp_content want;
	struct dp_file f;
	char *map;

	TH_LOG("witness: none=1");
	ASSERT_EQ(0, dp_file_open(&f, getenv("DAXPIN_DIR"), 4 * PAGE, DP_MAP_PTE, FILE_SEED));
	dp_content_init(&want, f.len, FILE_SEED);
	check_whole(_metadata, f.fd, &want);
	map = mmap(NULL, f.len, PROT_READ | PROT_WRITE, MAP_PRIVATE, f.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	map[f.len - 1] ^= 1;
	EXPECT_EQ(-1, map_wrong_at(map, &want))
		TH_LOG("the file has wrong data if mapped, from the offset that is seen on");
	dp_file_close(&f);
}

/* 4 MiB of console take a while on a busy machine. */
TEST_F_TIMEOUT(ctl, flood, 120)
{
	TH_LOG("witness: none=1");
	write_to("/dev/console",
		 "a line as long as one of the kernel's usually is, again and again\n", 1 << 20);
}

TEST_HARNESS_MAIN
