// SPDX-License-Identifier: GPL-2.0
/*
 * What others can do while an operation waits for a pin.
 *
 * The waiter sleeps with the inode's i_rwsem and write access to the file system, and
 * without the lock of page faults (invalidate_lock, which ext4_wait_dax_page() and
 * xfs_wait_dax_page() drop).  So whoever takes i_rwsem has to wait as well, and all
 * others go on: faults, mappings, syncs, further pins, other files.  Nobody wakes the
 * waiter before its page is free, so that it uses no CPU time at all.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "beside.h"
#include "ops.h"
#include "remap.h"

#define LEN	(32 * PAGE)
#define PIN	(20 * PAGE)
#define CUT	(16 * PAGE)		/* what is behind it goes, with the pinned pages */
#define SIDE	(4 * PAGE)		/* of the other file */

/* So many looks in a row that find the same sleep: it does wait for the lock. */
#define LOOKS	5
#define MORE_LOOKS 50			/* where it is not known what to expect */

enum fate {
	DONE,		/* while the operation still waits */
	BLOCKS,		/* on i_rwsem, until the operation is over */
	EITHER,		/* kernels differ */
};

struct stage;

/* What somebody does, and where it leaves data of OTHER_SEED. */
struct act {
	int		(*run)(const struct stage *s, const struct act *a);
	enum fate	 ext4, xfs;
	off_t		 off, len;
	bool		 pmd;		/* the file is mapped by a PMD */
	bool		 driver;	/* has a further pin, and not a pipe */
	bool		 side_lock;	/* takes i_rwsem of the other file */
};

struct stage {
	struct rig		 r;
	int			 dir;
	char			*side_map;	/* of another file, which is r.beside */
	/* Who acts: a process, or a thread of the one that holds the pin. */
	struct dp_child		 child;
	const struct act	*act;
	bool			 threaded;
	pthread_t		 thread;
	pid_t			 tid;
	bool			 over;
	int			 result;
};

/*
 * The operations that wait
 */

static int run_clone(struct rig *r)
{
	return clone_file(r->file.fd, r->beside);
}

static void cloned(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, 0, c->len, OTHER_SEED, 0);
}

static const struct op cloning = { run_clone, cloned };

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static const struct collision ops[] = {
	{ &truncation, 0, CUT, 0, PIN, WAITS },
	{ &clearing, PUNCH, CUT, 12 * PAGE, PIN, WAITS },
	{ &shift_down, FALLOC_FL_COLLAPSE_RANGE, CUT, 2 * PAGE, PIN, WAITS },
	{ &shift_up, FALLOC_FL_INSERT_RANGE, CUT, 2 * PAGE, PIN, WAITS },
	{ &clearing, FALLOC_FL_ZERO_RANGE, CUT, 12 * PAGE, PIN, WAITS },
	/* All of the file is waited for; what it gets is all of the other one. */
	{ &cloning, 0, 0, SIDE, PIN, WAITS },
};

enum { TRUNCATE, HOLE, COLLAPSE, INSERT, ZERO, CLONE };

/*
 * The acts
 */

static int do_load(const struct stage *s, const struct act *a)
{
	char want[PAGE];

	dp_data_fill(want, PAGE, a->off, FILE_SEED);
	return memcmp(want, s->r.file.map + a->off, PAGE) ? -EILSEQ : 0;
}

static int do_store(const struct stage *s, const struct act *a)
{
	dp_data_fill(s->r.file.map + a->off, a->len, a->off, OTHER_SEED);
	return 0;
}

/* What the file has when the operation is over: it is waited for. */
static int do_read(const struct stage *s, const struct act *a)
{
	char want[PAGE], got[PAGE];
	struct dp_content x;
	ssize_t n, left;

	dp_content_init(&x, LEN, FILE_SEED);
	s->r.c->op->effect(s->r.c, &x);
	left = x.size < a->off ? 0 : x.size - a->off;
	n = pread(s->r.file.fd, got, PAGE, a->off);
	if (n < 0)
		return -errno;
	if (n != (left < PAGE ? left : PAGE))
		return -EIO;
	dp_content_read(&x, want, a->off, n);
	return memcmp(want, got, n) ? -EILSEQ : 0;
}

static int write_to(int fd, off_t off, off_t len)
{
	char data[PAGE];

	dp_data_fill(data, len, off, OTHER_SEED);
	return pwrite(fd, data, len, off) == len ? 0 : -errno;
}

static int do_write(const struct stage *s, const struct act *a)
{
	return write_to(s->r.file.fd, a->off, a->len);
}

static int do_map(const struct stage *s, const struct act *a)
{
	char want[PIN_LEN], *map;
	int err = 0;

	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, s->r.file.fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	dp_data_fill(want, PIN_LEN, PIN, FILE_SEED);
	if (memcmp(want, map + PIN, PIN_LEN))
		err = -EILSEQ;
	return munmap(map, LEN) ? -errno : err;
}

static int do_unmap(const struct stage *s, const struct act *a)
{
	return unmap(&s->r);
}

static int do_fork(const struct stage *s, const struct act *a)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(do_load(s, a) ? 1 : 0);
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -ECHILD;
}

static int do_fsync(const struct stage *s, const struct act *a)
{
	return fsync(s->r.file.fd) ? -errno : 0;
}

static int do_fdatasync(const struct stage *s, const struct act *a)
{
	return fdatasync(s->r.file.fd) ? -errno : 0;
}

static int do_msync(const struct stage *s, const struct act *a)
{
	return msync(s->r.file.map, LEN, MS_SYNC) ? -errno : 0;
}

static int do_syncfs(const struct stage *s, const struct act *a)
{
	return syncfs(s->dir) ? -errno : 0;
}

static int do_stat(const struct stage *s, const struct act *a)
{
	struct stat st;

	if (fstatat(s->r.file.dir, s->r.file.name, &st, 0))
		return -errno;
	return st.st_size == LEN ? 0 : -EIO;
}

static int do_seek(const struct stage *s, const struct act *a)
{
	int fd = openat(s->r.file.dir, s->r.file.name, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = lseek(fd, 0, SEEK_HOLE) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int do_fiemap(const struct stage *s, const struct act *a)
{
	struct fiemap m = { .fm_length = LEN };

	if (ioctl(s->r.file.fd, FS_IOC_FIEMAP, &m))
		return -errno;
	return m.fm_mapped_extents ? 0 : -EIO;
}

static int do_open(const struct stage *s, const struct act *a)
{
	int fd = openat(s->r.file.dir, s->r.file.name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return close(fd) ? -errno : 0;
}

static int do_chmod(const struct stage *s, const struct act *a)
{
	return fchmod(s->r.file.fd, 0640) ? -errno : 0;
}

static int do_setxattr(const struct stage *s, const struct act *a)
{
	return fsetxattr(s->r.file.fd, "user.daxpin", "x", 1, 0) ? -errno : 0;
}

static int do_getxattr(const struct stage *s, const struct act *a)
{
	char value[8];

	if (fgetxattr(s->r.file.fd, "user.daxpin", value, sizeof(value)) >= 0)
		return -EEXIST;
	return errno == ENODATA ? 0 : -errno;
}

static int do_link(const struct stage *s, const struct act *a)
{
	const struct dp_file *f = &s->r.file;

	if (linkat(f->dir, f->name, f->dir, "another", 0))
		return -errno;
	return unlinkat(f->dir, "another", 0) ? -errno : 0;
}

static int do_create(const struct stage *s, const struct act *a)
{
	int fd = openat(s->dir, "another", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return unlinkat(s->dir, "another", 0) ? -errno : 0;
}

/* It must not end before it began: thaw at once. */
static int do_freeze(const struct stage *s, const struct act *a)
{
	if (ioctl(s->dir, FIFREEZE, 0))
		return -errno;
	return ioctl(s->dir, FITHAW, 0) ? -errno : 0;
}

static int pin_for_a_while(const struct act *a, char *addr)
{
	enum dp_pin_kind kind = a->driver ? DP_PIN_MODULE_PIN_READ : DP_PIN_VMSPLICE;
	struct dp_pin pin;
	int err = dp_pin(&pin, kind, NULL, addr, PAGE);

	return err ? err : dp_unpin(&pin, NULL);
}

static int do_pin(const struct stage *s, const struct act *a)
{
	return pin_for_a_while(a, s->r.file.map + a->off);
}

static int do_side_pin(const struct stage *s, const struct act *a)
{
	return pin_for_a_while(a, s->side_map);
}

static int do_side_io(const struct stage *s, const struct act *a)
{
	char want[PAGE], got[PAGE];
	int err = write_to(s->r.beside, 0, PAGE);

	if (err)
		return err;
	if (pread(s->r.beside, got, PAGE, 0) != PAGE)
		return -errno;
	dp_data_fill(want, PAGE, 0, OTHER_SEED);
	return memcmp(want, got, PAGE) ? -EILSEQ : 0;
}

static int do_side_store(const struct stage *s, const struct act *a)
{
	dp_data_fill(s->side_map, SIDE, 0, OTHER_SEED);
	return fsync(s->r.beside) ? -errno : 0;
}

static int do_side_cut(const struct stage *s, const struct act *a)
{
	if (fallocate(s->r.beside, PUNCH, 0, PAGE))
		return -errno;
	return ftruncate(s->r.beside, PAGE) ? -errno : 0;
}

/*
 * The stage
 */

static void stage_open(struct __test_metadata *_metadata, struct stage *s, bool pmd)
{
	const char *dir = getenv("DAXPIN_DIR");

	s->dir = -1;
	/* What is locked second is not locked while a clone waits: the other's page faults. */
	beside_open(_metadata, &s->r, LOWER, pmd ? DP_MAP_PMD : DP_MAP_PTE, pmd ? PMD : LEN);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, s->dir);
	for (off_t off = 0; off < SIDE; off += PAGE)
		ASSERT_EQ(0, write_to(s->r.beside, off, PAGE));
	s->side_map = mmap(NULL, SIDE, PROT_READ | PROT_WRITE, MAP_SHARED, s->r.beside, 0);
	ASSERT_NE(MAP_FAILED, s->side_map);
	dp_data_fill(s->side_map, SIDE, 0, OTHER_SEED);
}

/* A thread that still is somewhere ends with its process. */
static void stage_close(struct stage *s)
{
	dp_unpin(&s->r.pin, NULL);
	dp_child_kill(&s->child);
	rig_close(&s->r);
	if (s->r.beside > 0)
		close(s->r.beside);
	if (s->dir >= 0)
		close(s->dir);
}

static int act_child(void *arg)
{
	struct stage *s = arg;

	return s->act->run(s, s->act);
}

static void *act_thread(void *arg)
{
	struct stage *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->result = s->act->run(s, s->act);
	__atomic_store_n(&s->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void act_start(struct __test_metadata *_metadata, struct stage *s)
{
	if (s->threaded) {
		ASSERT_EQ(0, pthread_create(&s->thread, NULL, act_thread, s));
	} else {
		ASSERT_EQ(0, dp_child_start(&s->child, act_child, s));
		s->tid = s->child.pid;
	}
}

static bool act_over(const struct stage *s)
{
	struct dp_sight sight;

	if (s->threaded)
		return __atomic_load_n(&s->over, __ATOMIC_ACQUIRE);
	return !dp_child_look(&s->child, &sight) && sight.state == DP_DONE;
}

static int act_result(struct stage *s)
{
	if (!s->threaded)
		return dp_child_wait(&s->child, 0);
	pthread_join(s->thread, NULL);
	return s->result;
}

static void proc_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

/* How often the task was switched away from, if it sleeps uninterruptibly, else 0. */
static long act_asleep(const struct stage *s)
{
	char text[4096], *line;

	proc_text(__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE), "status", text, sizeof(text));
	line = strstr(text, " voluntary_ctxt_switches:");
	if (!line || !strstr(text, "State:\tD"))
		return 0;
	return strtol(strchr(line, ':') + 1, NULL, 10);
}

/* Until it is over, or found in the same sleep in so many looks; its stack tells which. */
static enum fate act_watch(struct stage *s, enum fate expected, char *stack, size_t size)
{
	int looks = expected == BLOCKS ? LOOKS : MORE_LOOKS, same = 0;
	long deadline = dp_now_ms() + SETTLE_MS, last = 0;
	struct dp_sight sight;

	while (dp_now_ms() < deadline) {
		long now = act_asleep(s);

		if (act_over(s))
			return DONE;
		same = now && now == last ? same + 1 : 0;
		last = now;
		if (same > looks && expected != DONE)
			break;
		dp_child_look(&s->r.racer, &sight);
	}
	proc_text(s->tid, "stack", stack, size);
	return BLOCKS;
}

/*
 * The waiter's rest
 */

struct rest {
	long	switches;
	long	cpu_ns;
};

static struct rest rest_of(const struct rig *r)
{
	struct rest rest = { -1, -1 };
	char text[4096], *line;
	struct timespec t;
	clockid_t clock;

	proc_text(r->racer.pid, "status", text, sizeof(text));
	line = strstr(text, " voluntary_ctxt_switches:");
	if (line)
		rest.switches = strtol(strchr(line, ':') + 1, NULL, 10);
	if (!clock_getcpuclockid(r->racer.pid, &clock) && !clock_gettime(clock, &t))
		rest.cpu_ns = t.tv_sec * 1000000000L + t.tv_nsec;
	return rest;
}

static void check_rest(struct __test_metadata *_metadata, const struct rig *r, struct rest before)
{
	struct rest now = rest_of(r);
	struct dp_sight sight;

	ASSERT_LE(0, before.switches);
	ASSERT_LE(0, before.cpu_ns);
	EXPECT_EQ(before.switches, now.switches)
		TH_LOG("the waiter was woken, with the pin still held");
	EXPECT_EQ(before.cpu_ns, now.cpu_ns)
		TH_LOG("the waiter runs while it should sleep");
	ASSERT_EQ(0, dp_child_look(&r->racer, &sight));
	EXPECT_EQ(DP_WAITS, sight.state)
		TH_LOG("the operation stopped waiting before the pin was dropped");
}

/*
 * The rows
 */

static void leave_data(const struct act *a, struct dp_content *x)
{
	if (!a->len)
		return;
	dp_content_put(x, a->off, a->len, OTHER_SEED, a->off);
	if (x->size < a->off + a->len)
		x->size = a->off + a->len;
}

/* The other file has what it had, but for the act that cuts it. */
static void check_side(struct __test_metadata *_metadata, const struct stage *s)
{
	bool cut = s->act->run == do_side_cut;
	struct dp_content want;

	dp_content_init(&want, cut ? PAGE : SIDE, cut ? 0 : OTHER_SEED);
	check_whole(_metadata, s->r.beside, &want);
}

/* What a bystander did while the operation waited came first, the rest after it. */
static void check_all(struct __test_metadata *_metadata, struct stage *s, enum fate fate)
{
	struct rig *r = &s->r;
	struct dp_content want;

	dp_content_init(&want, r->file.len, FILE_SEED);
	if (fate == DONE)
		leave_data(s->act, &want);
	r->c->op->effect(r->c, &want);
	if (fate == BLOCKS)
		leave_data(s->act, &want);
	check_whole(_metadata, r->file.fd, &want);
	check_side(_metadata, s);
}

/* A clone has i_rwsem of both files. */
static enum fate expected_fate(const struct stage *s)
{
	const struct act *a = s->act;

	if (a->side_lock && s->r.c->op == &cloning)
		return BLOCKS;
	return s->r.ext4 ? a->ext4 : a->xfs;
}

static void stand_by(struct __test_metadata *_metadata, struct stage *s, const struct act *a,
		     int op, bool threaded)
{
	static const char *const fates[] = { "proceeds", "blocks" };
	enum fate expected, fate;
	struct rig *r = &s->r;
	char stack[1024] = "";
	long deadline;
	struct rest rest;

	r->c = &ops[op];
	r->kind = DP_PIN_VMSPLICE;
	s->act = a;
	s->threaded = threaded;
	expected = expected_fate(s);
	take_pin(_metadata, r);
	start_op(_metadata, r);
	ASSERT_TRUE(r->waited);
	rest = rest_of(r);
	act_start(_metadata, s);
	fate = act_watch(s, expected, stack, sizeof(stack));
	TH_LOG("witness: bystander=%s stack=%.100s", fates[fate], stack[0] ? stack : "-");
	if (expected != EITHER)
		EXPECT_EQ(expected, fate)
			TH_LOG("the bystander %s the operation: %s",
			       fate == BLOCKS ? "waits for" : "does not wait for", stack);
	check_rest(_metadata, r, rest);
	EXPECT_EQ(fate == DONE, act_over(s));
	drop_pin(_metadata, r);
	for (deadline = dp_now_ms() + RETURN_MS; !act_over(s) && dp_now_ms() < deadline; )
		poll(NULL, 0, 1);
	ASSERT_TRUE(act_over(s))
		TH_LOG("the operation is over, and the bystander is not: %s", stack);
	EXPECT_EQ(0, act_result(s));
	check_all(_metadata, s, fate);
}

FIXTURE(bystanders) {
	struct stage s;
};

FIXTURE_VARIANT(bystanders) {
	struct act a;
};

/* Page faults: invalidate_lock, shared. */
FIXTURE_VARIANT_ADD(bystanders, load)         { { do_load, DONE, DONE, PIN } };
FIXTURE_VARIANT_ADD(bystanders, load_beside)  { { do_load, DONE, DONE, PIN + PIN_LEN } };
FIXTURE_VARIANT_ADD(bystanders, load_outside) { { do_load, DONE, DONE, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, store)        { { do_store, DONE, DONE, PIN, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, store_beside) { { do_store, DONE, DONE, PIN + PIN_LEN, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, store_outside) { { do_store, DONE, DONE, PAGE, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, load_pmd)     { { do_load, DONE, DONE, PMD - PAGE, .pmd = true } };
FIXTURE_VARIANT_ADD(bystanders, store_pmd)    { { do_store, DONE, DONE, PAGE, PAGE, .pmd = true } };
/* read(2) and write(2) of a DAX file: i_rwsem, for all of the file. */
FIXTURE_VARIANT_ADD(bystanders, read)         { { do_read, BLOCKS, BLOCKS, PIN } };
FIXTURE_VARIANT_ADD(bystanders, read_outside) { { do_read, BLOCKS, BLOCKS, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, write)        { { do_write, BLOCKS, BLOCKS, PIN, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, write_outside) { { do_write, BLOCKS, BLOCKS, PAGE, PAGE } };
/* Mappings. */
FIXTURE_VARIANT_ADD(bystanders, mmap)         { { do_map, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, munmap)       { { do_unmap, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, fork)         { { do_fork, DONE, DONE, PAGE } };
/* What syncs: locks of the journal or log, which the waiter does not hold. */
FIXTURE_VARIANT_ADD(bystanders, fsync)        { { do_fsync, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, fdatasync)    { { do_fdatasync, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, msync)        { { do_msync, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, syncfs)       { { do_syncfs, DONE, DONE } };
/* sb_writers, which the waiter holds since mnt_want_write() or file_start_write(). */
FIXTURE_VARIANT_ADD(bystanders, freeze)       { { do_freeze, BLOCKS, BLOCKS } };
/* What looks: ext4_llseek() takes i_rwsem and xfs does not, with FIEMAP xfs does; ext4 later. */
FIXTURE_VARIANT_ADD(bystanders, stat)         { { do_stat, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, seek_hole)    { { do_seek, BLOCKS, DONE } };
FIXTURE_VARIANT_ADD(bystanders, fiemap)       { { do_fiemap, EITHER, BLOCKS } };
FIXTURE_VARIANT_ADD(bystanders, open)         { { do_open, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, getxattr)     { { do_getxattr, DONE, DONE } };
/* What changes the inode: i_rwsem, taken by the VFS. */
FIXTURE_VARIANT_ADD(bystanders, chmod)        { { do_chmod, BLOCKS, BLOCKS } };
FIXTURE_VARIANT_ADD(bystanders, setxattr)     { { do_setxattr, BLOCKS, BLOCKS } };
FIXTURE_VARIANT_ADD(bystanders, link)         { { do_link, BLOCKS, BLOCKS } };
FIXTURE_VARIANT_ADD(bystanders, create)       { { do_create, DONE, DONE } };
/* A further pin. */
FIXTURE_VARIANT_ADD(bystanders, pin)          { { do_pin, DONE, DONE, PIN } };
FIXTURE_VARIANT_ADD(bystanders, pin_beside)   { { do_pin, DONE, DONE, PIN + PIN_LEN } };
FIXTURE_VARIANT_ADD(bystanders, pin_outside)  { { do_pin, DONE, DONE, PAGE } };
FIXTURE_VARIANT_ADD(bystanders, pin_driver)   { { do_pin, DONE, DONE, PIN, .driver = true } };
FIXTURE_VARIANT_ADD(bystanders, pin_pmd)      { { do_pin, DONE, DONE, PMD - PAGE, .pmd = true } };
/* Another file. */
FIXTURE_VARIANT_ADD(bystanders, side_pin)     { { do_side_pin, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, side_io)      { { do_side_io, DONE, DONE, .side_lock = true } };
FIXTURE_VARIANT_ADD(bystanders, side_store)   { { do_side_store, DONE, DONE } };
FIXTURE_VARIANT_ADD(bystanders, side_cut)     { { do_side_cut, DONE, DONE, .side_lock = true } };

FIXTURE_SETUP(bystanders)
{
	enum dp_map map = variant->a.pmd ? DP_MAP_PMD : DP_MAP_PTE;

	if (rig_missing(map))
		SKIP(return, "%s", rig_missing(map));
	stage_open(_metadata, &self->s, variant->a.pmd);
}

FIXTURE_TEARDOWN(bystanders)
{
	stage_close(&self->s);
}

TEST_F_TIMEOUT(bystanders, truncate, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, TRUNCATE, false);
}

TEST_F_TIMEOUT(bystanders, truncate_thread, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, TRUNCATE, true);
}

TEST_F_TIMEOUT(bystanders, punch, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, HOLE, false);
}

TEST_F_TIMEOUT(bystanders, punch_thread, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, HOLE, true);
}

TEST_F_TIMEOUT(bystanders, collapse, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, COLLAPSE, false);
}

TEST_F_TIMEOUT(bystanders, insert, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, INSERT, false);
}

TEST_F_TIMEOUT(bystanders, zero, ROW_S)
{
	stand_by(_metadata, &self->s, &variant->a, ZERO, false);
}

TEST_F_TIMEOUT(bystanders, clone, ROW_S)
{
	int err = try_clone(self->s.r.beside);

	if (cannot_clone(err))
		SKIP(return, CANNOT_CLONE);
	ASSERT_EQ(0, err);
	stand_by(_metadata, &self->s, &variant->a, CLONE, false);
}

TEST_HARNESS_MAIN
